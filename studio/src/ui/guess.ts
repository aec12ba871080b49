import type { Engine, Guess } from "../engine/api";
import type { App } from "./app";
import { h, refill } from "./dom";
import { icon } from "./icons";
import { inkOf, modelDrawing } from "./ink";
import { Latest } from "./latest";
import { seed } from "./seeds";
import { drawSettings } from "./settings";

/** Probabilities from which a guess is said plainly, or said at all. */
const [SURE, SAID] = [0.6, 0.2];
/** How freely what was guessed is drawn clean: another hand, the same pose. */
const CLEAN = 0.35;

/** A guess in words, as sure as it is. */
export function guessInWords([first, second]: readonly Guess[]): string {
  if (!first || first.probability < SAID) return "";
  if (first.probability >= SURE) return `I see ${withArticle(first.category)}.`;
  const other = second && second.probability >= SAID / 2 ? `, or ${withArticle(second.category)}` : "";
  return `Perhaps ${withArticle(first.category)}${other}?`;
}

function withArticle(name: string): string {
  if (/^the /i.test(name)) return name;
  return `${/^[aeiou]/i.test(name) ? "an" : "a"} ${name}`;
}

/** What the model takes the canvas for, said at its upper edge after each stroke, with one tap to a clean drawing. */
export function mountGuess(element: HTMLElement, app: App): void {
  const latest = new Latest();
  const drawing = new Latest();
  const show = (engine: Engine, guesses: readonly Guess[]): void => {
    const words = guessInWords(guesses);
    element.hidden = words === "";
    if (words === "") return;
    const { category } = guesses[0]!;
    refill(
      element,
      h("span", { "data-testid": "guess-words" }, words),
      engine.info.hasFlow &&
        h(
          "button",
          {
            class: "button",
            type: "button",
            "data-testid": "guess-clean",
            title: `Replaces the canvas by a clean drawing of ${withArticle(category)}; undo brings yours back`,
            onclick: () => app.attempt(drawing.run((signal) => drawClean(app, engine, category, signal))),
          },
          icon("onto"),
          "Draw it clean",
        ),
    );
  };
  const guess = (): void => {
    const model = app.model.value;
    drawing.abort();
    const ink = app.settled.value;
    const canGuess = model.kind === "ready" && model.engine.info.hasClassifier;
    if (!canGuess || ink.length === 0 || ink.every(({ by }) => by === "model")) {
      latest.abort();
      element.hidden = true;
      return;
    }
    const { engine } = model;
    app.attempt(
      latest.run(async (signal) => {
        const guesses = await engine.recognise(modelDrawing(ink), 3);
        if (!signal.aborted) show(engine, guesses);
      }),
    );
  };
  app.settled.watch(guess);
  app.model.follow(guess);
}

async function drawClean(app: App, engine: Engine, category: string, signal: AbortSignal): Promise<void> {
  const settings = drawSettings(app.settings.value, CLEAN);
  const given = { samples: 1, seed: seed.value, settings, category, signal };
  const [clean] = await engine.redraw(modelDrawing(app.settled.value), given);
  if (clean && !signal.aborted) app.sheet.change(inkOf(clean, "model"));
}
