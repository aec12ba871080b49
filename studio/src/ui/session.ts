import type { Drawing, Point } from "../core/types";
import { Cell } from "./cell";
import type { Author } from "./ink";
import { onStored, store, stored } from "./storage";

/** A drawing that was kept. */
export interface Kept {
  readonly id: string;
  readonly drawing: Drawing;
  readonly by: Author;
}

const PLACE = "session";

/** The kept drawings, the newest first; they survive a reload. */
export class Session {
  readonly kept: Cell<readonly Kept[]>;

  constructor(private readonly onFull: () => void) {
    this.kept = new Cell<readonly Kept[]>(unpacked(stored(PLACE)));
    onStored(PLACE, () => (this.kept.value = this.current));
  }

  /** What is kept now, by other tabs too; drawings that this tab knows stay the same objects. */
  private get current(): readonly Kept[] {
    const known = new Map(this.kept.value.map((one) => [one.id, one]));
    return unpacked(stored(PLACE)).map((one) => known.get(one.id) ?? one);
  }

  private change(next: readonly Kept[]): void {
    this.kept.value = next;
    if (!store(PLACE, packed(next))) this.onFull();
  }

  has(drawing: Drawing): boolean {
    return this.kept.value.some((one) => one.drawing === drawing);
  }

  keep(drawing: Drawing, by: Author): void {
    if (this.has(drawing)) return;
    const id = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 8)}`;
    this.change([{ id, drawing, by }, ...this.current]);
  }

  remove(id: string): void {
    this.change(this.current.filter((one) => one.id !== id));
  }
}

function packed(kept: readonly Kept[]): string {
  const round = (value: number): number => Math.round(value * 10) / 10;
  return JSON.stringify(
    kept.map(({ id, drawing, by }) => ({
      id,
      by,
      category: drawing.category,
      strokes: drawing.strokes.map((stroke) => stroke.flatMap(([x, y]) => [round(x), round(y)])),
    })),
  );
}

function unpacked(text: string | null): Kept[] {
  try {
    const kept = JSON.parse(text ?? "[]") as { id: string; by: string; category?: string; strokes: number[][] }[];
    return kept.map(({ id, by, category, strokes }) => ({
      id: String(id),
      by: by === "person" ? "person" : "model",
      drawing: {
        strokes: strokes.map((flat) =>
          Array.from({ length: flat.length / 2 }, (_, i): Point => [Number(flat[2 * i]), Number(flat[2 * i + 1])]),
        ),
        ...(category !== undefined && { category: String(category) }),
      },
    }));
  } catch {
    return [];
  }
}
