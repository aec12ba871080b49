export interface Safetensors {
  /** The numbers of an array that must be there. */
  readonly numbers: (name: string) => ArrayLike<number> & Iterable<number>;
  /** The metadata. */
  readonly about: Readonly<Record<string, string>>;
}

interface Entry {
  readonly dtype: string;
  readonly data_offsets: readonly [begin: number, end: number];
}

/** The arrays of a safetensors file: eight bytes for the length of a JSON header, the header, and the numbers. */
export function readSafetensors(file: Uint8Array): Safetensors {
  if (file.length < 8) throw new Error("it is not a file of arrays");
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const begin = 8 + Number(view.getBigUint64(0, true));
  if (begin > file.length) throw new Error("it is not a file of arrays");
  const header = JSON.parse(new TextDecoder().decode(file.subarray(8, begin))) as Record<string, Entry>;
  return {
    about: (header["__metadata__"] ?? {}) as unknown as Record<string, string>,
    numbers: (name) => {
      const entry = header[name];
      if (entry === undefined) throw new Error(`it has no array ${name}`);
      const [from, to] = entry.data_offsets;
      if (begin + to > file.length) throw new Error(`its array ${name} is cut off`);
      // A copy of its own, so that arrays of wide numbers begin where they may.
      return valuesOf(entry.dtype, file.slice(begin + from, begin + to).buffer);
    },
  };
}

function valuesOf(kind: string, buffer: ArrayBuffer): ArrayLike<number> & Iterable<number> {
  switch (kind) {
    case "F32":
      return new Float32Array(buffer);
    case "F16":
      return Float32Array.from(new Uint16Array(buffer), halfFloat);
    case "I16":
      return new Int16Array(buffer);
    case "I8":
      return new Int8Array(buffer);
    case "U32":
      return new Uint32Array(buffer);
    case "U16":
      return new Uint16Array(buffer);
  }
  throw new Error(`an array in it is of the kind ${kind}, which is not read here`);
}

function halfFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
