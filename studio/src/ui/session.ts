import type { Drawing, Point } from "../core/types";
import { Cell } from "./cell";
import type { Author } from "./ink";
import { store, stored } from "./storage";

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

  constructor(onFull: () => void) {
    this.kept = new Cell<readonly Kept[]>(unpacked(stored(PLACE)));
    this.kept.watch((kept) => {
      if (!store(PLACE, packed(kept))) onFull();
    });
  }

  has(drawing: Drawing): boolean {
    return this.kept.value.some((one) => one.drawing === drawing);
  }

  keep(drawing: Drawing, by: Author): void {
    if (this.has(drawing)) return;
    const id = `${Date.now().toString(36)}-${this.kept.value.length}`;
    this.kept.value = [{ id, drawing, by }, ...this.kept.value];
  }

  remove(id: string): void {
    this.kept.value = this.kept.value.filter((one) => one.id !== id);
  }

  empty(): void {
    this.kept.value = [];
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
