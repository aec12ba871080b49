export interface Frame {
  /** Palette indices of the whole picture as it is shown then. */
  readonly pixels: Uint8Array;
  /** Milliseconds. */
  readonly delay: number;
}

/** The frames of a GIF whose frames all cover the picture (GIF89a). */
export function framesOf(data: Uint8Array): { width: number; height: number; frames: Frame[] } {
  const view = new DataView(data.buffer);
  const text = (from: number, to: number) => String.fromCharCode(...data.subarray(from, to));
  if (text(0, 6) !== "GIF89a") throw new Error("no GIF");
  const [width, height] = [view.getUint16(6, true), view.getUint16(8, true)];
  let at = 13 + 3 * 2 ** ((data[10]! & 7) + 1);
  const frames: Frame[] = [];
  let shown = new Uint8Array(width * height);
  let delay = 0;
  let transparent = -1;
  const blocks = (): number[] => {
    const joined: number[] = [];
    for (let size = data[at++]!; size; size = data[at++]!) {
      joined.push(...data.subarray(at, at + size));
      at += size;
    }
    return joined;
  };
  for (;;) {
    const kind = data[at++]!;
    if (kind === 0x3b) return { width, height, frames };
    if (kind === 0x21) {
      const label = data[at++]!;
      const block = blocks();
      if (label === 0xf9) {
        delay = 10 * (block[1]! + 256 * block[2]!);
        transparent = block[0]! & 1 ? block[3]! : -1;
      }
    } else if (kind === 0x2c) {
      at += 9;
      const bits = data[at++]!;
      const drawn = unpacked(blocks(), bits, width * height);
      shown = shown.map((value, i) => (drawn[i] === transparent ? value : drawn[i]!));
      frames.push({ pixels: shown, delay });
    } else throw new Error(`no block of a GIF: ${kind}`);
  }
}

function unpacked(data: readonly number[], bits: number, count: number): number[] {
  const clear = 1 << bits;
  const out: number[] = [];
  let table: number[][] = [];
  let size = bits + 1;
  let before: number[] | null = null;
  const reset = () => {
    table = Array.from({ length: clear + 2 }, (_, value) => [value]);
    size = bits + 1;
    before = null;
  };
  reset();
  for (let at = 0; at + size <= data.length * 8; ) {
    let code = 0;
    for (let bit = 0; bit < size; bit++) code |= ((data[(at + bit) >> 3]! >> ((at + bit) & 7)) & 1) << bit;
    at += size;
    if (code === clear) {
      reset();
      continue;
    }
    if (code === clear + 1) break;
    const last: number[] | null = before;
    const entry: number[] = table[code] ?? [...last!, last![0]!];
    for (const value of entry) out.push(value);
    if (last && table.length < 4096) table.push([...last, entry[0]!]);
    if (table.length === 1 << size && size < 12) size++;
    before = entry;
  }
  if (out.length !== count) throw new Error(`${out.length} pixels, not ${count}`);
  return out;
}
