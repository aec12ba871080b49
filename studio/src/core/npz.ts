import { unzipSync } from "fflate";

export type NumberArray =
  | Float64Array<ArrayBuffer>
  | Float32Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | Int16Array<ArrayBuffer>
  | Int8Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>;

export interface NpyArray {
  readonly shape: readonly number[];
  /** Text of a numpy array of strings; numbers else. */
  readonly data: NumberArray | readonly string[];
}

/** The arrays of an npz file by name. Throws for what is none, or holds arrays that are not numbers or text. */
export function readNpz(file: Uint8Array): Map<string, NpyArray> {
  const entries = unzipSync(file);
  return new Map(
    Object.entries(entries)
      .filter(([name]) => name.endsWith(".npy"))
      .map(([name, bytes]) => [name.slice(0, -".npy".length), readNpy(bytes)]),
  );
}

/** The numbers of an array that must be there. */
export function numbers(arrays: ReadonlyMap<string, NpyArray>, name: string): NumberArray {
  const { data } = found(arrays, name);
  if (!ArrayBuffer.isView(data)) throw new Error(`its array ${name} holds no numbers`);
  return data;
}

/** The texts of an array that must be there. */
export function texts(arrays: ReadonlyMap<string, NpyArray>, name: string): readonly string[] {
  const { data } = found(arrays, name);
  if (ArrayBuffer.isView(data)) throw new Error(`its array ${name} holds no text`);
  return data;
}

export function found(arrays: ReadonlyMap<string, NpyArray>, name: string): NpyArray {
  const array = arrays.get(name);
  if (array === undefined) throw new Error(`it has no array ${name}`);
  return array;
}

/** Rows of whole numbers, each times its column's `${of}_scale` plus `${of}_offset`. */
export function unquantised(
  arrays: ReadonlyMap<string, NpyArray>,
  name: string,
  of: string,
): Float32Array<ArrayBuffer> {
  const [scale, offset] = [numbers(arrays, `${of}_scale`), numbers(arrays, `${of}_offset`)];
  const columns = scale.length;
  return Float32Array.from(numbers(arrays, name), (step, index) => {
    return step * scale[index % columns]! + offset[index % columns]!;
  });
}

const MAGIC = "NUMPY";

function readNpy(file: Uint8Array): NpyArray {
  // A copy of its own, so that arrays of wide numbers begin where they may.
  const bytes = file.slice();
  const view = new DataView(bytes.buffer);
  const latin = new TextDecoder("latin1");
  if (bytes[0] !== 0x93 || latin.decode(bytes.subarray(1, 6)) !== MAGIC) {
    throw new Error("an array in it is not one of numpy");
  }
  const long = view.getUint8(6) > 1;
  const begin = long ? 12 : 10;
  const end = begin + (long ? view.getUint32(8, true) : view.getUint16(8, true));
  const header = latin.decode(bytes.subarray(begin, end));
  const kind = /'descr':\s*'([^']+)'/.exec(header)?.[1];
  const axes = /'shape':\s*\(([^)]*)\)/.exec(header)?.[1];
  if (kind === undefined || axes === undefined || !/'fortran_order':\s*False/.test(header)) {
    throw new Error("an array in it is laid out in a way that is not read here");
  }
  const shape = axes.split(",").filter((axis) => axis.trim() !== "").map(Number);
  const count = shape.reduce((product, size) => product * size, 1);
  return { shape, data: values(kind, bytes.buffer.slice(end), count) };
}

function values(kind: string, buffer: ArrayBuffer, count: number): NumberArray | readonly string[] {
  switch (kind) {
    case "<f8":
      return new Float64Array(buffer, 0, count);
    case "<f4":
      return new Float32Array(buffer, 0, count);
    case "<f2":
      return Float32Array.from(new Uint16Array(buffer, 0, count), halfFloat);
    case "<i8":
      return Float64Array.from(new BigInt64Array(buffer, 0, count), Number);
    case "<u8":
      return Float64Array.from(new BigUint64Array(buffer, 0, count), Number);
    case "<i4":
      return new Int32Array(buffer, 0, count);
    case "<u4":
      return new Uint32Array(buffer, 0, count);
    case "<i2":
      return new Int16Array(buffer, 0, count);
    case "<u2":
      return new Uint16Array(buffer, 0, count);
    case "|i1":
      return new Int8Array(buffer, 0, count);
    case "|u1":
    case "|b1":
      return new Uint8Array(buffer, 0, count);
  }
  const length = /^<U(\d+)$/.exec(kind)?.[1];
  if (length === undefined) throw new Error(`an array in it is of the kind ${kind}, which is not read here`);
  const width = Number(length);
  const characters = new Uint32Array(buffer, 0, count * width);
  return Array.from({ length: count }, (_, index) =>
    String.fromCodePoint(...characters.subarray(index * width, (index + 1) * width)).replace(/\0+$/, ""),
  );
}

function halfFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
