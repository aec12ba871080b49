/** The field of an ONNX model that holds its metadata, and the two fields of each entry. */
const METADATA = 14;
const [KEY, VALUE] = [1, 2];
/** A field of protocol buffers whose content has a length; `WIDTHS`: bytes of the others that have a fixed one. */
const DELIMITED = 2;
const WIDTHS: Readonly<Record<number, number>> = { 1: 8, 5: 4 };

/** An entry of the metadata of an ONNX model, which is a message of protocol buffers; null where there is none. */
export function metadataOf(model: Uint8Array, key: string): string | null {
  const text = new TextDecoder();
  for (const [number, content] of fieldsOf(model)) {
    if (number !== METADATA) continue;
    const entry = new Map([...fieldsOf(content)].map(([own, value]) => [own, text.decode(value)]));
    if (entry.get(KEY) === key) return entry.get(VALUE) ?? "";
  }
  return null;
}

/** The numbers of the fields of a message that have a length, and what they hold. */
function* fieldsOf(message: Uint8Array): Generator<readonly [number: number, content: Uint8Array]> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = message[at++];
      if (byte === undefined) throw new Error("it is cut off");
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  };
  while (at < message.length) {
    const tag = varint();
    const kind = tag & 7;
    if (kind === DELIMITED) {
      const length = varint();
      yield [tag >>> 3, message.subarray(at, at + length)];
      at += length;
    } else if (kind === 0) {
      varint();
    } else {
      const width = WIDTHS[kind];
      if (width === undefined) throw new Error("it is not a graph");
      at += width;
    }
  }
}
