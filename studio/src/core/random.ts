/** Random numbers that depend on no order of calls: hashes of counters, the same as in `sequence.py`, bit for bit. */

const GOLDEN = 0x9e3779b97f4a7c15n;
const FIRST = 0xbf58476d1ce4e5b9n;
const SECOND = 0x94d049bb133111ebn;

function wrapped(value: bigint): bigint {
  return BigInt.asUintN(64, value);
}

/** The splitmix64 generator (Steele, Lea & Flood 2014) as a hash of a counter. */
export function mixed(counter: bigint): bigint {
  let x = wrapped(counter + GOLDEN);
  x = wrapped((x ^ (x >> 30n)) * FIRST);
  x = wrapped((x ^ (x >> 27n)) * SECOND);
  return x ^ (x >> 31n);
}

/** A number in [0, 1). */
export function uniform(counter: bigint): number {
  return Number(mixed(counter) >> 11n) / 2 ** 53;
}

/** Between the random numbers of drawings, and of proposals. */
export const STRIDE = 0x2545f4914f6cdd1dn;

/** A seed for each of n drawings: `streams_of` of `drawing/model.py`. */
export function drawingSeeds(seed: number | bigint, n: number): BigUint64Array {
  return BigUint64Array.from({ length: n }, (_, index) => mixed(wrapped(BigInt(seed) + BigInt(index) * STRIDE)));
}

/** Which of `count` categories each of n drawings of any category is: `any_category` of `drawing/model.py`. */
export function anyCategory(seed: number | bigint, n: number, count: number): number[] {
  const first = mixed(BigInt(seed) ^ 1n);
  return Array.from({ length: n }, (_, index) => Math.floor(uniform(wrapped(first + BigInt(index))) * count));
}

/**
 * Uniform numbers of several streams at counters of their own: what the sampler needs for every row, without BigInt.
 * Number `counter` of a stream is the hash of their sum.
 */
export class Streams {
  private readonly low: Uint32Array;
  private readonly high: Uint32Array;

  constructor(count: number) {
    this.low = new Uint32Array(count);
    this.high = new Uint32Array(count);
  }

  set(index: number, stream: bigint): void {
    this.low[index] = Number(stream & 0xffffffffn);
    this.high[index] = Number((stream >> 32n) & 0xffffffffn);
  }

  /** The same as `uniform(stream + counter)`, for counters below 2 ** 53. */
  uniform(index: number, counter: number): number {
    add(this.high[index]!, this.low[index]!, Math.floor(counter / 2 ** 32), counter >>> 0);
    add(high, low, 0x9e3779b9, 0x7f4a7c15);
    shiftXor(30);
    multiply(0xbf58476d, 0x1ce4e5b9);
    shiftXor(27);
    multiply(0x94d049bb, 0x133111eb);
    shiftXor(31);
    return (high * 2 ** 21 + (low >>> 11)) / 2 ** 53;
  }
}

// The 64-bit register of `Streams`, in two halves.
let high = 0;
let low = 0;

function add(aHigh: number, aLow: number, bHigh: number, bLow: number): void {
  const sum = aLow + bLow;
  low = sum >>> 0;
  high = (aHigh + bHigh + (sum > 0xffffffff ? 1 : 0)) >>> 0;
}

function shiftXor(by: number): void {
  low = (low ^ ((low >>> by) | (high << (32 - by)))) >>> 0;
  high = (high ^ (high >>> by)) >>> 0;
}

function multiply(bHigh: number, bLow: number): void {
  const a0 = low & 0xffff;
  const a1 = low >>> 16;
  const b0 = bLow & 0xffff;
  const b1 = bLow >>> 16;
  const bottom = a0 * b0;
  const left = a1 * b0;
  const right = a0 * b1;
  const middle = (bottom >>> 16) + (left & 0xffff) + (right & 0xffff);
  const carried = a1 * b1 + (left >>> 16) + (right >>> 16) + (middle >>> 16);
  high = (carried + Math.imul(high, bLow) + Math.imul(low, bHigh)) >>> 0;
  low = ((middle << 16) | (bottom & 0xffff)) >>> 0;
}
