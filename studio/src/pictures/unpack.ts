import { Gunzip, Inflate } from "fflate";

/**
 * Packed bytes unpacked, their beginning where they grow beyond `most`: in small steps, so that a bomb is met before it
 * has unpacked. Throws where they are damaged or cut short.
 */
export function unpacked(packed: Uint8Array, kind: "gzip" | "deflate", most: number): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  let size = 0;
  const stream = new { gzip: Gunzip, deflate: Inflate }[kind]((part) => {
    parts.push(part);
    size += part.length;
  });
  const step = 1024; // deflate packs a megabyte into it at best
  for (let at = 0; at < packed.length && size <= most; at += step) {
    stream.push(packed.subarray(at, at + step), at + step >= packed.length);
  }
  const out = new Uint8Array(size);
  parts.reduce((at, part) => (out.set(part, at), at + part.length), 0);
  return out;
}
