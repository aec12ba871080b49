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

/** A seed for each of n drawings: `_streams` of `drawing/model.py`. */
export function drawingSeeds(seed: number, n: number): BigUint64Array {
  return BigUint64Array.from({ length: n }, (_, index) =>
    mixed(wrapped(BigInt(seed) + BigInt(index) * 0x2545f4914f6cdd1dn)),
  );
}

/** Seeds for n drawings, others for each use: `_Work.seeds` of `drawing/complete.py`. */
export function seedsOfUse(seed: number, use: number, n: number): BigUint64Array {
  const first = mixed(BigInt(seed));
  return BigUint64Array.from({ length: n }, (_, index) => mixed(wrapped(first + BigInt(index + use * 2 ** 32))));
}

/**
 * Uniform numbers of several streams at counters of their own: what the sampler needs for every row, without BigInt.
 * A stream is the hash of a drawing's seed; number `counter` of it is the hash of their sum.
 */
export class Streams {
  private readonly low: Uint32Array;
  private readonly high: Uint32Array;

  constructor(seeds: BigUint64Array) {
    this.low = new Uint32Array(seeds.length);
    this.high = new Uint32Array(seeds.length);
    seeds.forEach((seed, index) => {
      const stream = mixed(seed);
      this.low[index] = Number(stream & 0xffffffffn);
      this.high[index] = Number(stream >> 32n);
    });
  }

  /** The same as `uniform(mixed(seed) + counter)`, for counters below 2 ** 53. */
  uniform(stream: number, counter: number): number {
    add(this.high[stream]!, this.low[stream]!, Math.floor(counter / 2 ** 32), counter >>> 0);
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

/** Normal numbers from an explicit seed (Box & Muller 1958). */
export class Normals {
  private counter = 0n;
  private spare: number | null = null;
  private readonly stream: bigint;

  constructor(seed: number, ...path: number[]) {
    this.stream = path.reduce((stream, part) => mixed(wrapped(stream + BigInt(part))), mixed(BigInt(seed)));
  }

  /** In [0, 1). */
  uniform(): number {
    return uniform(wrapped(this.stream + this.counter++));
  }

  next(): number {
    if (this.spare !== null) {
      const value = this.spare;
      this.spare = null;
      return value;
    }
    const radius = Math.sqrt(-2 * Math.log1p(-this.uniform()));
    const angle = 2 * Math.PI * this.uniform();
    this.spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  /** One of the indices, as often as its weight says. */
  choose(weights: ArrayLike<number>): number {
    let total = 0;
    for (let index = 0; index < weights.length; index++) total += weights[index]!;
    let left = this.uniform() * total;
    for (let index = 0; index < weights.length - 1; index++) {
      left -= weights[index]!;
      if (left < 0) return index;
    }
    return weights.length - 1;
  }
}
