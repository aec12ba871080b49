import type { Drawing } from "../core/types";
import { loadEngine } from "../engine/client";
import { fromLink } from "../export/index";
import { type App, type ModelState, VIEWS, type ViewName } from "./app";
import { Cell } from "./cell";
import { find } from "./dom";
import { type Author, authorOf, drawingOf, type Ink, inkOf, onPage, packInk, unpackInk } from "./ink";
import { drawingsOf, followFiles, pickFiles } from "./intake";
import { type MenuItem, openMenu } from "./menu";
import { Paper, type Tool } from "./paper";
import { Session } from "./session";
import { rememberedSettings } from "./settings";
import { Sheet } from "./sheet";
import { sentenceOf, Status } from "./status";
import { stored, storedHere, storeHere } from "./storage";
import { openTake } from "./take";
import { followTheme } from "./theme";
import { Tile } from "./tile";

const MODEL = "./model/";
const FULL = "The browser has no room to remember this drawing; take it with you before you leave.";

function viewInAddress(): ViewName | undefined {
  return VIEWS.find((name) => `#${name}` === location.hash);
}

/** The state of the page, and what can be done to it. */
export class Studio implements App {
  readonly settings = rememberedSettings();
  readonly model = new Cell<ModelState>({ kind: "loading" });
  readonly view = new Cell<ViewName>(viewInAddress() ?? VIEWS.find((name) => name === stored("view")) ?? "redraw");
  readonly tool = new Cell<Tool>("pen");
  readonly input = new Cell<Drawing | null>(null);
  readonly challenge = new Cell<Drawing | null>(null);
  readonly wanted = new Cell<string | null>(null);
  readonly status = new Status(find("#status"));
  readonly session = new Session(() => this.status.warn(FULL));
  readonly sheet = new Sheet(unpackInk(storedHere("canvas") ?? "[]") ?? []);
  readonly settled = new Cell<Ink>(this.sheet.ink.value);
  readonly paper: Paper;
  private readonly heard = find("#heard");
  private loading = 0;
  /** What was said while the model was loading, and would be overwritten by the progress of that. */
  private notice = "";

  constructor() {
    followTheme(this.settings);
    this.paper = new Paper(find("#paper"), this.sheet, this.tool);
    this.paper.onPenUp = () => (this.settled.value = this.sheet.ink.value);
    this.sheet.ink.watch((ink) => {
      if (!this.paper.isBusy) this.settled.value = ink;
    });
    this.settled.watch((ink) => {
      if (!storeHere("canvas", packInk(ink))) this.status.warn(FULL);
    });
    followFiles((files) => void this.takeIn(files));
    this.view.watch((name) => {
      if (viewInAddress() !== name) history.pushState(null, "", `#${name}`);
    });
    // Back and forward, and links that are pasted into the address.
    window.addEventListener("popstate", () => {
      this.view.value = viewInAddress() ?? this.view.value;
      this.openLink();
    });
    this.settings.watch((now, before) => now.device !== before.device && this.load());
  }

  tell(sentence: string): void {
    this.heard.textContent = sentence;
  }

  keep(drawing: Drawing, by: Author = "model"): void {
    const known = this.session.has(drawing);
    this.session.keep(drawing, by);
    this.status.say(known ? "It is kept already." : "Kept.");
  }

  keepCanvas(): void {
    const ink = this.sheet.ink.value;
    if (ink.length === 0) return this.status.say("There is nothing on the canvas to keep.");
    this.keep(drawingOf(ink), authorOf(ink));
  }

  clear(): void {
    if (this.sheet.ink.value.length > 0) this.sheet.change([]);
  }

  continueOn(drawing: Drawing, inPlace: boolean, by: Author = "model"): void {
    this.sheet.change(inkOf(inPlace ? drawing : onPage(drawing), by));
  }

  useAsInput(drawing: Drawing): void {
    this.view.value = "redraw";
    this.input.value = drawing;
  }

  takeWithYou(drawing?: Drawing): void {
    openTake(this, drawing);
  }

  newTile(label: string): Tile {
    const acts = (tile: Tile, drawing: Drawing): MenuItem[] => [
      { name: "Keep", icon: "keep", key: "K", run: () => this.keep(drawing, tile.by) },
      { name: "Continue on it", icon: "onto", key: "C", run: () => this.continueOn(drawing, tile.inPlace, tile.by) },
      { name: "Use as next input", icon: "next", key: "N", run: () => this.useAsInput(drawing) },
      { name: "Save", icon: "take", key: "S", run: () => this.takeWithYou(drawing) },
    ];
    return new Tile({
      label,
      pace: () => this.settings.value.pace,
      onOpen: (tile) => tile.drawing && openMenu(tile.face, label, acts(tile, tile.drawing)),
      onKey: (tile, key) => {
        const act = tile.drawing && acts(tile, tile.drawing).find((one) => one.key === key);
        act?.run();
        return Boolean(act);
      },
    });
  }

  attempt(work: Promise<unknown>): void {
    work.catch((error: unknown) => this.status.warn(sentenceOf(error)));
  }

  /** A later call makes an earlier one count no more. */
  async load(): Promise<void> {
    const own = ++this.loading;
    if (this.model.value.kind === "ready") this.model.value.engine.close();
    this.model.value = { kind: "loading" };
    try {
      const engine = await loadEngine({
        base: MODEL,
        device: this.settings.value.device,
        onProgress: (loaded, total) => {
          if (own === this.loading) this.status.progress("Loading the model", total > 0 ? loaded / total : 0);
        },
      });
      if (own !== this.loading) return engine.close();
      this.model.value = { kind: "ready", engine };
      if (engine.info.notice) this.status.warn(engine.info.notice);
      else this.status.say(`The model is ready. ${this.notice}`.trim());
      this.notice = "";
    } catch (error) {
      if (own !== this.loading) return;
      const sentence = sentenceOf(error);
      this.model.value = { kind: "failed", sentence };
      this.status.warn(sentence);
    }
  }

  /** Puts the drawing of the page's address on the canvas; what was there goes to the shelf. */
  openLink(): void {
    try {
      const linked = fromLink(location.hash);
      if (!linked) return;
      const drawing = onPage(linked.drawing);
      const before = this.sheet.ink.value;
      const own = drawingOf(before);
      if (before.length > 0) this.session.keep(own, authorOf(before));
      this.continueOn(drawing, true, "person");
      this.challenge.value = linked.isChallenge ? drawing : null;
      if (linked.isChallenge) this.view.value = "finish";
      const was = before.length > 0 ? " What you had is on the shelf." : "";
      const what = linked.isChallenge ? "Half a drawing is on the canvas: finish it." : "The drawing of the link is on the canvas.";
      this.notice = `${what}${was}`;
      this.status.say(this.notice);
    } catch (error) {
      this.notice = sentenceOf(error);
      this.status.warn(this.notice);
    }
    history.replaceState(null, "", `#${this.view.value}`);
  }

  async openPicture(): Promise<void> {
    await this.takeIn(await pickFiles(true));
  }

  /** Makes strokes of files: the first drawing becomes the canvas; where there are several, all are kept. */
  private async takeIn(files: readonly Blob[]): Promise<void> {
    if (files.length === 0) return;
    this.status.progress("Looking for the lines", 1);
    try {
      const drawings = await drawingsOf(files);
      const [first] = drawings;
      if (!first) return this.status.warn("There is no drawing in it; drop a picture, an SVG or an ndjson file.");
      this.continueOn(first, false, "person");
      if (drawings.length === 1) return this.status.say("It is on the canvas, as strokes.");
      for (const drawing of [...drawings].reverse()) this.session.keep(drawing, "person");
      this.status.say(`${drawings.length} drawings are on the shelf.`);
    } catch (error) {
      this.status.warn(sentenceOf(error));
    }
  }
}
