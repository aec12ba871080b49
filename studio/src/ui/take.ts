import type { Drawing } from "../core/types";
import {
  copyText,
  fileName,
  LinkError,
  saveAs,
  sortedForPlotter,
  toGif,
  toNdjson,
  toPng,
  toSvg,
} from "../export/index";
import type { App } from "./app";
import { addressOf, halfOf } from "./challenge";
import { contactSheet } from "./contact-sheet";
import { openDialog } from "./dialog";
import { freshId, h, refill } from "./dom";
import { choice } from "./fields";
import { type Icon, icon } from "./icons";
import { drawingOf } from "./ink";
import { thumbnail } from "./thumbnail";

type Scope = "canvas" | "one" | "session";

/** Colours of the person and the model in files. */
const PENS = { person: "#222226", model: "#1767ad" } as const;
/** Pixels of a picture's side. */
const SIZES = [512, 1024, 2048] as const;
/** Pixels of a GIF's side: of one drawing, and of many together at most. */
const GIF_SIDE = { one: 480, many: 1440 };
const COMMANDS = [
  "sketch-pix2seq prepare session.ndjson mine.arrow",
  "sketch-pix2seq train --from bundled --data mine.arrow --out runs/mine",
];

/** Files, the clipboard and a link: of one drawing, the canvas, or all that were kept. */
export function openTake(app: App, given?: Drawing): void {
  const canvas = drawingOf(app.sheet.ink.value);
  const kept = app.session.kept.value.map(({ drawing }) => drawing);
  const scopes: [Scope, string][] = [];
  if (given) scopes.push(["one", "This drawing"]);
  if (canvas.strokes.length > 0) scopes.push(["canvas", "The canvas"]);
  if (kept.length > 0) scopes.push(["session", kept.length === 1 ? "The kept one" : `The ${kept.length} kept`]);
  let scope: Scope = scopes[0]?.[0] ?? "canvas";
  let widthMm = 100;
  let size: number = SIZES[1];

  const drawings = (): readonly Drawing[] => (scope === "session" ? kept : [scope === "one" ? given! : canvas]);
  const asOne = (): Drawing => (drawings().length === 1 ? drawings()[0]! : contactSheet(drawings()));
  const name = (extension: string): string => {
    const [first] = drawings();
    return drawings().length === 1 ? fileName(first!, 0, extension) : `session.${extension}`;
  };
  // Two hands on the canvas are two pens.
  const pens = (): { readonly colours?: readonly string[] } => {
    const ink = app.sheet.ink.value;
    const isOfTwo = scope === "canvas" && new Set(ink.map(({ by }) => by)).size > 1;
    return isOfTwo ? { colours: ink.map(({ by }) => PENS[by]) } : {};
  };
  let sorts = false;
  const svg = (): string => {
    const [drawing, { colours }] = [asOne(), pens()];
    if (!sorts) return toSvg(drawing, { widthMm, ...(colours && { colours }) });
    const { order, strokes } = sortedForPlotter(drawing.strokes, colours);
    return toSvg({ ...drawing, strokes }, { widthMm, ...(colours && { colours: order.map((index) => colours[index]!) }) });
  };
  const said = h("p", { class: "take-said", role: "status", "data-testid": "take-said" });
  const say = (sentence: string): void => void (said.textContent = sentence);
  const act = async (work: () => Promise<string> | string): Promise<void> => {
    try {
      say(await work());
    } catch (error) {
      if (error instanceof LinkError) return say(error.message);
      console.error(error);
      say("That did not work; try a smaller size.");
    }
  };
  const save = async (content: Blob, extension: string): Promise<string> => {
    await saveAs(content, name(extension));
    return `Saved as ${name(extension)}.`;
  };
  const text = (content: string, type: string): Blob => new Blob([content], { type });
  const way = (testId: string, sign: Icon, title: string, about: string, work: () => Promise<string> | string) =>
    h(
      "button",
      { class: "way-button", type: "button", "data-testid": testId, onclick: () => act(work) },
      icon(sign),
      h("span", {}, h("strong", {}, title), h("small", {}, about)),
    );

  const preview = h("div", { class: "take-preview" });
  const copyAddress = async (address: string): Promise<string> => {
    const copied = await copyText(address);
    if (!copied) history.replaceState(null, "", address);
    return copied ? "The link is on the clipboard." : "The link is in the address bar; copy it from there.";
  };
  const links = [
    way("export-link", "link", "Link", "holds the drawing in its address", () =>
      copyAddress(addressOf(drawings()[0]!, "drawing")),
    ),
    way("export-challenge", "onto", "Challenge", "a link to half of it, to be finished", () =>
      copyAddress(addressOf(halfOf(drawings()[0]!), "challenge")),
    ),
  ];
  const choose = (next: Scope): void => {
    scope = next;
    for (const link of links) link.disabled = drawings().length !== 1;
    const shown = drawings().slice(0, 4);
    refill(preview, ...shown.map((drawing) => thumbnail(drawing, scope === "canvas" ? "person" : "model")));
    preview.dataset["count"] = String(shown.length);
    say("");
  };

  const sort = ({ target }: Event): void => {
    sorts = (target as HTMLInputElement).checked;
    const { before, after } = sortedForPlotter(asOne().strokes, pens().colours);
    const saved = before > 0 ? Math.round(100 * (1 - after / before)) : 0;
    say(
      sorts
        ? `The lifted pen's way is ${Math.max(0, saved)} % shorter. The order and the direction of strokes, as they were drawn, are not in the file.`
        : "",
    );
  };
  const widthId = freshId("width");
  const content: (Node | string)[] = [];
  if (scopes.length === 0) {
    content.push(h("p", {}, "There is nothing to take yet. Draw something, or keep a drawing."));
  } else {
    choose(scope);
    content.push(
      h("div", { class: "take-head" }, preview, h("div", {}, choice("What", scopes, scope, choose))),
      h(
        "div",
        { class: "take-ways" },
        way("export-svg", "take", "SVG", "for plotters and editors", () =>
          save(text(svg(), "image/svg+xml"), "svg"),
        ),
        way("copy-svg", "copy", "Copy as SVG", "to paste into an editor", async () =>
          (await copyText(svg()))
            ? "The SVG is on the clipboard."
            : "The browser does not let the page copy; save the SVG instead.",
        ),
        way("export-png", "picture", "PNG", "a picture", async () => save(await toPng(asOne(), { size }), "png")),
        way("export-gif", "play", "GIF", "the drawing being drawn", async () => {
          say("Drawing the GIF…");
          const side = Math.floor(GIF_SIDE.many / Math.ceil(Math.sqrt(drawings().length)));
          return save(await toGif(drawings(), { size: Math.min(GIF_SIDE.one, side), ...pens() }), "gif");
        }),
        way("export-ndjson", "data", "ndjson", "strokes as numbers", () =>
          save(text(toNdjson(drawings()), "application/x-ndjson"), "ndjson"),
        ),
        ...links,
      ),
      h(
        "div",
        { class: "take-sizes" },
        h(
          "div",
          { class: "field" },
          h("label", { for: widthId }, "Width of the SVG"),
          h(
            "span",
            { class: "unit" },
            h("input", {
              id: widthId,
              type: "number",
              min: 10,
              max: 2000,
              value: widthMm,
              "data-testid": "width-mm",
              oninput: (event: Event) => {
                const { valueAsNumber } = event.target as HTMLInputElement;
                if (valueAsNumber >= 1) widthMm = Math.min(5000, valueAsNumber);
              },
            }),
            "mm",
          ),
        ),
        choice(
          "Side of the PNG",
          SIZES.map((side) => [side, `${side}`] as const),
          size,
          (side) => (size = side),
        ),
      ),
      h(
        "label",
        { class: "check" },
        h("input", { type: "checkbox", "data-testid": "sort", onchange: (event: Event) => sort(event) }),
        h("span", {}, "Sort the SVG for a plotter: the order of strokes is lost"),
      ),
      said,
    );
  }
  content.push(trainSection(kept));
  openDialog({ title: "Take it with you", className: "take", content });
}

function trainSection(kept: readonly Drawing[]): HTMLElement {
  return h(
    "details",
    { class: "train" },
    h("summary", {}, "Train on these"),
    h(
      "p",
      {},
      "What you kept can teach a model of your own. Save it, then run these two lines in the folder where it lies:",
    ),
    h(
      "button",
      {
        class: "button",
        type: "button",
        "data-testid": "export-session",
        disabled: kept.length === 0,
        onclick: () => saveAs(new Blob([toNdjson(kept)], { type: "application/x-ndjson" }), "session.ndjson"),
      },
      icon("take"),
      kept.length === 0 ? "Keep a drawing first" : "Save session.ndjson",
    ),
    ...COMMANDS.map((command) => {
      const copy = h(
        "button",
        { class: "icon-button small", type: "button", "aria-label": "Copy this line" },
        icon("copy"),
      );
      copy.addEventListener("click", async () => {
        if (await copyText(command)) copy.replaceChildren(icon("check"));
      });
      return h("div", { class: "command" }, h("code", {}, command), copy);
    }),
  );
}
