import { refill, h } from "./dom";
import { icon } from "./icons";

/** How long a sentence that asks for nothing stays, in milliseconds. */
const STAYS = 6000;

/** The one line in which the page says what happens; screen readers read it out. */
export class Status {
  private readonly text = h("span");
  private readonly bar = h("span", { class: "status-bar", "aria-hidden": "true" });
  private timer = 0;

  constructor(private readonly element: HTMLElement) {
    refill(
      element,
      this.bar,
      this.text,
      h("button", { class: "icon-button small", "aria-label": "Dismiss", onclick: () => this.clear() }, icon("close")),
    );
    this.clear();
  }

  /** What happens now; gone after a while. */
  say(sentence: string): void {
    this.show("news", sentence);
    this.timer = window.setTimeout(() => this.clear(), STAYS);
  }

  /** What went wrong; stays until it is dismissed or something else is said. */
  warn(sentence: string): void {
    this.show("warning", sentence);
  }

  /** Work that takes a while, with the share that is done. */
  progress(sentence: string, share: number): void {
    if (this.text.textContent !== sentence) this.show("progress", sentence);
    this.bar.style.setProperty("--share", String(share));
  }

  clear(): void {
    window.clearTimeout(this.timer);
    this.element.dataset["kind"] = "quiet";
    this.text.textContent = "";
  }

  private show(kind: string, sentence: string): void {
    window.clearTimeout(this.timer);
    this.element.dataset["kind"] = kind;
    this.text.textContent = sentence;
  }
}

/** The sentence of an error that was made for people, or one that says what to try. */
export function sentenceOf(error: unknown): string {
  const isForPeople = error instanceof Error && ["EngineError", "PictureError", "LinkError"].includes(error.name);
  if (isForPeople) return error.message;
  console.error(error);
  return "Something went wrong in the page; reload it if it does not go on.";
}
