import { PictureError } from "../pictures/index";
import type { Drawing } from "../core/types";
import type { Engine } from "../engine/api";
import type { App } from "./app";
import { CategoryField } from "./category";
import { Cell } from "./cell";
import { h, refill } from "./dom";
import { icon } from "./icons";
import { pictureFile } from "./intake";
import { type Author, drawingOf, modelDrawing } from "./ink";
import { place } from "./menu";
import { drawSettings } from "./settings";
import { thumbnail } from "./thumbnail";

/** What is blended: the canvas, a drawing, or a category. */
export type Source =
  | { readonly kind: "canvas" }
  | { readonly kind: "drawing"; readonly drawing: Drawing; readonly by: Author }
  | { readonly kind: "category"; readonly category: string };

/** The codes of sources; each is asked for once. */
export class Codes {
  private readonly ofDrawing = new WeakMap<object, Promise<Float32Array>>();
  private readonly ofCategory = new Map<string, Promise<Float32Array>>();

  constructor(
    private readonly engine: Engine,
    private readonly app: App,
  ) {}

  of(source: Source): Promise<Float32Array> {
    if (source.kind === "category") {
      const { category } = source;
      return once(this.ofCategory, category, () => this.engine.codeOfCategory(category, 1));
    }
    const ink = this.app.settled.value;
    if (source.kind === "canvas") return once(this.ofDrawing, ink, () => this.engine.encode(modelDrawing(ink)));
    return once(this.ofDrawing, source.drawing, () => this.engine.encode(source.drawing));
  }
}

interface Known<K, V> {
  get(key: K): V | undefined;
  set(key: K, value: V): unknown;
  delete(key: K): boolean;
}

/** What is known of a key, or what is asked for it; a failure is forgotten, so that it is asked for again. */
function once<K, V>(known: Known<K, Promise<V>>, key: K, ask: () => Promise<V>): Promise<V> {
  const before = known.get(key);
  if (before) return before;
  const asked = ask();
  known.set(key, asked);
  asked.catch(() => known.delete(key));
  return asked;
}

/** A corner of a blend: shows its source, and lets one choose another. */
export class SourceSlot {
  readonly element: HTMLButtonElement;
  readonly source: Cell<Source>;
  private readonly picture = h("span", { class: "slot-picture" });
  private readonly caption = h("span", { class: "slot-name" });
  private shown: Drawing | null = null;

  constructor(
    private readonly app: App,
    private readonly name: string,
    first: Source,
  ) {
    this.source = new Cell<Source>(first);
    this.element = h(
      "button",
      {
        class: "slot",
        type: "button",
        "aria-haspopup": "dialog",
        "data-testid": `source-${name.toLowerCase()}`,
        onclick: () => openChooser(app, this.element, (source) => (this.source.value = source)),
      },
      this.picture,
      this.caption,
    );
    this.source.follow(() => this.show());
  }

  /** Draws what it stands for: that of a category is drawn by the model. */
  show(): void {
    const source = this.source.value;
    const text = source.kind === "canvas" ? "The canvas" : source.kind === "category" ? source.category : "A drawing";
    this.caption.textContent = text;
    this.element.setAttribute("aria-label", `${this.name}: ${text}. Choose another`);
    const ink = this.app.settled.value;
    if (source.kind === "canvas") this.paint(ink.length > 0 ? drawingOf(ink) : null, "person");
    else if (source.kind === "drawing") this.paint(source.drawing, source.by);
    else this.paint(this.shown?.category === source.category ? this.shown : null, "model");
  }

  async imagine(engine: Engine, codes: Codes): Promise<void> {
    const source = this.source.value;
    if (source.kind !== "category" || this.shown?.category === source.category) return;
    const settings = drawSettings(this.app.settings.value);
    const code = await codes.of(source);
    const [drawn] = await engine.drawCodes([code], { samples: 1, seed: 1, settings, levels: [0] });
    this.shown = { ...drawn![0]!, category: source.category };
    this.show();
  }

  private paint(drawing: Drawing | null, by: Author): void {
    refill(this.picture, drawing && drawing.strokes.length > 0 ? thumbnail(drawing, by) : icon("plus"));
  }
}

const chooser = h("div", { class: "chooser", popover: "auto", role: "dialog", "aria-label": "Choose a source" });

function openChooser(app: App, beside: HTMLElement, onChoose: (source: Source) => void): void {
  if (!chooser.isConnected) document.body.append(chooser);
  const choose = (source: Source): void => {
    chooser.hidePopover();
    beside.focus();
    onChoose(source);
  };
  const model = app.model.value;
  const field = new CategoryField("A category", null, (category) => category && choose({ kind: "category", category }));
  if (model.kind === "ready") field.offer(model.engine.info.categories);
  const canvas = drawingOf(app.settled.value);
  refill(
    chooser,
    h(
      "div",
      { class: "chooser-row" },
      h(
        "button",
        {
          class: "button",
          type: "button",
          disabled: canvas.strokes.length === 0,
          onclick: () => choose({ kind: "canvas" }),
        },
        icon("pen"),
        "The canvas",
      ),
      h(
        "button",
        {
          class: "button",
          type: "button",
          onclick: async () => {
            try {
              const drawing = await pictureFile();
              if (drawing) choose({ kind: "drawing", drawing, by: "person" });
            } catch (error) {
              if (!(error instanceof PictureError)) throw error;
              app.status.warn(error.message);
            }
          },
        },
        icon("picture"),
        "A picture",
      ),
    ),
    field.element,
    h("p", { class: "label" }, "A drawing that you kept"),
    app.session.kept.value.length === 0
      ? h("p", { class: "aside" }, "None yet. Keep one, and it can be blended.")
      : h(
          "div",
          { class: "chooser-kept" },
          ...app.session.kept.value.map(({ drawing, by }, index) =>
            h(
              "button",
              {
                class: "slot-choice",
                type: "button",
                "aria-label": `Kept drawing ${index + 1}${drawing.category ? `: ${drawing.category}` : ""}`,
                onclick: () => choose({ kind: "drawing", drawing, by }),
              },
              thumbnail(drawing, by),
            ),
          ),
        ),
  );
  chooser.showPopover();
  place(chooser, beside.getBoundingClientRect());
  chooser.querySelector<HTMLElement>("button:enabled, input")?.focus();
}
