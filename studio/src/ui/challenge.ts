import { frameOf, lengthOf } from "../core/geometry";
import type { Drawing } from "../core/types";
import type { Engine } from "../engine/api";
import { copyText, toLink } from "../export/index";
import type { App } from "./app";
import { openDialog } from "./dialog";
import { h } from "./dom";
import { guessInWords } from "./guess";
import { icon } from "./icons";
import { drawingOf, modelDrawing } from "./ink";
import { seed } from "./seeds";
import { drawSettings } from "./settings";
import { Tile } from "./tile";

/** The address of a drawing, or of half of one that is to be finished. */
export function addressOf(drawing: Drawing, kind: "drawing" | "challenge"): string {
  const address = new URL(location.pathname, location.href);
  address.hash = toLink(drawing, kind);
  return address.href;
}

/** The first strokes of a drawing, half of its line; of a single stroke half of its points. */
export function halfOf(drawing: Drawing): Drawing {
  const { strokes } = drawing;
  const [only] = strokes;
  if (strokes.length === 1 && only) return { ...drawing, strokes: [only.slice(0, Math.max(1, only.length >> 1))] };
  const half = lengthOf(strokes) / 2;
  const count = strokes.filter((_, index) => lengthOf(strokes.slice(0, index + 1)) <= half).length;
  return { ...drawing, strokes: strokes.slice(0, Math.max(1, count)) };
}

/** What one has made of a challenge, beside what the model makes of it. */
export async function compare(app: App, engine: Engine, half: Drawing, signal: AbortSignal): Promise<void> {
  const own = drawingOf(app.settled.value);
  const { category } = half;
  const isKnown = category !== undefined && engine.info.categories.includes(category);
  const request = { samples: 1, seed: seed.value, settings: drawSettings(app.settings.value), signal };
  const [found] = await engine.complete(half, { ...request, category: isKnown ? category : null });
  if (!found || signal.aborted) return;
  const ending = found.drawing.strokes.slice(found.started);
  const seen = async (drawing: Drawing): Promise<string> =>
    engine.info.hasClassifier ? guessInWords(await engine.recognise(drawing, 3)) : "";
  const words = await Promise.all([seen(modelDrawing(app.settled.value)), seen(found.drawing)]);
  if (signal.aborted) return;
  const tile = (label: string): Tile =>
    new Tile({ label, pace: () => app.settings.value.pace, onOpen: ({ drawing }) => drawing && app.keep(drawing) });
  const [yours, model] = [tile("Keep yours"), tile("Keep the model's")];
  const said = h("p", { class: "take-said", role: "status" });
  const copy = async (): Promise<void> => {
    const copied = await copyText(addressOf(own, "drawing"));
    said.textContent = copied ? "The link is on the clipboard." : "The browser does not let the page copy.";
  };
  openDialog({
    title: "Two endings",
    className: "endings",
    content: [
      h(
        "div",
        { class: "endings-pair" },
        ...[yours, model].map(({ element }, index) =>
          h("figure", {}, element, h("figcaption", {}, h("strong", {}, index ? "The model's" : "Yours"), " ", words[index])),
        ),
      ),
      h("div", { class: "buttons" }, h("button", { class: "button", type: "button", onclick: copy }, icon("link"), "Link to yours")),
      said,
    ],
    onClose: () => [yours, model].forEach((one) => one.dispose()),
  });
  const frame = frameOf([...own.strokes, ...found.drawing.strokes]);
  yours.show(own, { frame, by: "person" });
  model.show({ ...found.drawing, strokes: ending.length > 0 ? ending : half.strokes }, { frame, under: half.strokes });
  model.drawing = found.drawing;
}
