import { Cell } from "./cell";
import type { Ink } from "./ink";

/** Steps that can be undone. Ink is shared between them, so that a step costs little. */
const STEPS = 300;

/** The ink on the canvas, and the way back. */
export class Sheet {
  readonly ink: Cell<Ink>;
  private past: Ink[] = [];
  private future: Ink[] = [];

  constructor(ink: Ink) {
    this.ink = new Cell(ink);
  }

  get canUndo(): boolean {
    return this.past.length > 0;
  }

  get canRedo(): boolean {
    return this.future.length > 0;
  }

  change(next: Ink): void {
    if (next === this.ink.value) return;
    this.past = [...this.past.slice(1 - STEPS), this.ink.value];
    this.future = [];
    this.ink.value = next;
  }

  undo(): void {
    const before = this.past.pop();
    if (before === undefined) return;
    this.future.push(this.ink.value);
    this.ink.value = before;
  }

  redo(): void {
    const after = this.future.pop();
    if (after === undefined) return;
    this.past.push(this.ink.value);
    this.ink.value = after;
  }
}
