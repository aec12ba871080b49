import type { Engine } from "../engine/api";
import type { Drawing } from "../core/types";
import type { Cell } from "./cell";
import type { Author, Ink } from "./ink";
import type { Paper, Tool } from "./paper";
import type { Session } from "./session";
import type { Settings } from "./settings";
import type { Sheet } from "./sheet";
import type { Status } from "./status";
import type { Tile } from "./tile";

export const VIEWS = ["redraw", "finish", "blend", "map", "wander"] as const;
export type ViewName = (typeof VIEWS)[number];

export type ModelState =
  | { readonly kind: "loading" }
  | { readonly kind: "ready"; readonly engine: Engine }
  | { readonly kind: "failed"; readonly sentence: string };

/** What the parts of the page share. */
export interface App {
  readonly settings: Cell<Settings>;
  readonly model: Cell<ModelState>;
  readonly view: Cell<ViewName>;
  readonly tool: Cell<Tool>;
  /** What is redrawn instead of the canvas; null = the canvas. */
  readonly input: Cell<Drawing | null>;
  /** Half a drawing of a link, on the page, that is to be finished; null = none. */
  readonly challenge: Cell<Drawing | null>;
  /** What Wander draws; null = anything. */
  readonly wanted: Cell<string | null>;
  readonly sheet: Sheet;
  /** The ink whenever the pen is up. */
  readonly settled: Cell<Ink>;
  readonly paper: Paper;
  readonly session: Session;
  readonly status: Status;

  /** For those who hear the page: what they cannot see come. */
  tell(sentence: string): void;
  keep(drawing: Drawing, by?: Author): void;
  keepCanvas(): void;
  clear(): void;
  /** It becomes the canvas, to be drawn on. */
  continueOn(drawing: Drawing, inPlace: boolean, by?: Author): void;
  /** It is redrawn next; the canvas stays. */
  useAsInput(drawing: Drawing): void;
  takeWithYou(drawing?: Drawing): void;
  openPicture(): Promise<void>;
  /** Loads the model, again where there is one. */
  load(): Promise<void>;
  /** A tile that offers to keep, continue, use and save what it shows. */
  newTile(label: string): Tile;
  /** Runs work of the model; what goes wrong is said in the status line. */
  attempt(work: Promise<unknown>): void;
}

/** One of the five things to do with the model. */
export interface View {
  readonly element: HTMLElement;
  /** Seen from now on. */
  enter(): void;
  /** Seen no longer: ends what it is doing. */
  leave(): void;
  /** Why it cannot be used with this model, in one sentence; null where it can. */
  missing(engine: Engine): string | null;
  /** Keys while it is seen; whether it took one. */
  key?(event: KeyboardEvent): boolean;
}
