import { Cell } from "./cell";

/** Numbers the drawings: another number, other drawings. The first is the same for everybody. */
export const seed = new Cell(1);

export function otherDrawings(): void {
  seed.value += 1;
}
