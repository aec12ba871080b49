import { found, numbers, readNpz, texts, unquantised } from "./npz";
import { Normals } from "./random";

/** Share of the mixture's variance that samples have by default. */
export const SPREAD = 0.6;
/** What a sample near an example has of the variance that others have. */
export const NEAR = 0.25;

/**
 * p(z | category) = sum over k of weights[k] N(z; means[k], factors factors^T + diag(noise^2)), and p(category):
 * `drawing/prior.py`. The Gaussians of a category share one covariance.
 */
export class Prior {
  private readonly projections: (Projection | undefined)[] = [];

  private constructor(
    readonly categories: readonly string[],
    /** p(category). */
    readonly shares: Float64Array,
    /** `c * k`; zeros where a category has fewer Gaussians. */
    private readonly weights: Float64Array,
    /** `c * k * z`. */
    private readonly means: Float32Array,
    /** `c * z * rank`. */
    private readonly factors: Float32Array,
    /** `c * z`. */
    private readonly noise: Float32Array,
    /** `m * z`: codes of drawings; categories that have some are sampled about them. */
    private readonly examples: Float32Array,
    /** The category of each example. */
    private readonly exampleOf: Int32Array,
    private readonly gaussians: number,
    private readonly rank: number,
    readonly zSize: number,
  ) {}

  /** Of the bytes of a prior.npz. Throws for anything else. */
  static read(file: Uint8Array): Prior {
    const arrays = readNpz(file);
    const categories = texts(arrays, "categories");
    const [c, k, z] = found(arrays, "means").shape;
    const [, , rank] = found(arrays, "factors").shape;
    const shares = Float64Array.from(numbers(arrays, "shares"));
    const weights = Float64Array.from(numbers(arrays, "weights"));
    const means = Float32Array.from(numbers(arrays, "means"));
    const factors = Float32Array.from(numbers(arrays, "factors"));
    // float16 rounds the smallest to nothing, and a covariance has to be positive
    const noise = Float32Array.from(numbers(arrays, "noise"), (value) => Math.max(value, 1e-4));
    if (c !== categories.length || k === undefined || z === undefined || rank === undefined) {
      throw new Error("its arrays do not fit each other");
    }
    const few = arrays.has("examples");
    const examples = few ? unquantised(arrays, "examples", "example") : new Float32Array(0);
    const exampleOf = Int32Array.from(few ? numbers(arrays, "example_of") : []);
    if (examples.length !== exampleOf.length * z) throw new Error("its arrays do not fit each other");
    if (shares.length !== c || weights.length !== c * k || factors.length !== c * z * rank || noise.length !== c * z) {
      throw new Error("its arrays do not fit each other");
    }
    normalise(shares);
    for (let index = 0; index < c; index++) normalise(weights.subarray(index * k, (index + 1) * k));
    return new Prior(categories, shares, weights, means, factors, noise, examples, exampleOf, k, rank, z);
  }

  /** The number of a category. Throws for one that it does not know. */
  index(category: string): number {
    const index = this.categories.indexOf(category);
    if (index < 0) throw new Error(`This model knows no ${category}.`);
    return index;
  }

  /** One of the categories, as often as it was learned from. */
  anyCategory(normals: Normals): number {
    return normals.choose(this.shares);
  }

  /** A code of a category; `spread` multiplies the variance of each Gaussian, `NEAR` that about an example. */
  sample(category: number, normals: Normals, spread = SPREAD): Float32Array {
    const { gaussians, zSize } = this;
    const k = normals.choose(this.weights.subarray(category * gaussians, (category + 1) * gaussians));
    const own = this.examplesOf(category);
    const code = this.scatter(category, normals, own.length > 0 ? NEAR * spread : spread);
    const mean = own.length > 0 ? own[normals.choose(own.map(() => 1))]! : this.mean(category, k);
    for (let d = 0; d < zSize; d++) code[d] = code[d]! + mean[d]!;
    return code;
  }

  private examplesOf(category: number): Float32Array[] {
    const codes: Float32Array[] = [];
    this.exampleOf.forEach((of, index) => {
      if (of === category) codes.push(this.examples.subarray(index * this.zSize, (index + 1) * this.zSize));
    });
    return codes;
  }

  /** How codes of a category differ from the middle of their Gaussian. */
  scatter(category: number, normals: Normals, spread: number): Float32Array {
    const { rank, zSize } = this;
    const width = Math.sqrt(spread);
    const weights = Float64Array.from({ length: rank }, () => normals.next());
    return Float32Array.from({ length: zSize }, (_, d) => {
      const row = (category * zSize + d) * rank;
      let off = this.noise[category * zSize + d]! * normals.next();
      for (let r = 0; r < rank; r++) off += this.factors[row + r]! * weights[r]!;
      return width * off;
    });
  }

  /** log p(z | category) of one code, for every category, in nats. */
  logDensities(code: Float32Array): Float64Array {
    return Float64Array.from(this.categories, (_, category) => this.logDensityOf(code, category));
  }

  /** log p(z | category), or log p(z) for null. */
  logDensity(code: Float32Array, category: number | null): number {
    return category === null ? logSum(this.joint(code)) : this.logDensityOf(code, category);
  }

  /** P(category | z). */
  posterior(code: Float32Array): Float64Array {
    const joint = this.joint(code);
    const total = logSum(joint);
    return joint.map((value) => Math.exp(value - total));
  }

  private joint(code: Float32Array): Float64Array {
    return this.logDensities(code).map((value, category) => value + Math.log(this.shares[category]!));
  }

  private mean(category: number, k: number): Float32Array {
    const from = (category * this.gaussians + k) * this.zSize;
    return this.means.subarray(from, from + this.zSize);
  }

  /** With the covariance as diagonal and factors (Woodbury), a density takes z * (rank + k) steps, not z * z. */
  private logDensityOf(code: Float32Array, category: number): number {
    const { matrix, centres, precision, logDeterminant } = this.projection(category);
    const { zSize, rank, gaussians } = this;
    const own = project(matrix, code, rank);
    const each: number[] = [];
    for (let k = 0; k < gaussians; k++) {
      const weight = this.weights[category * gaussians + k]!;
      if (weight <= 0) continue;
      const mean = this.mean(category, k);
      let square = 0;
      for (let d = 0; d < zSize; d++) square += (code[d]! - mean[d]!) ** 2 * precision[d]!;
      for (let r = 0; r < rank; r++) square -= (own[r]! - centres[k]![r]!) ** 2;
      each.push(Math.log(weight) - square / 2);
    }
    return logSum(each) - logDeterminant / 2 - (zSize / 2) * Math.log(2 * Math.PI);
  }

  private projection(category: number): Projection {
    return (this.projections[category] ??= this.project(category));
  }

  private project(category: number): Projection {
    const { zSize, rank } = this;
    const precision = Float64Array.from({ length: zSize }, (_, d) => 1 / this.noise[category * zSize + d]! ** 2);
    const factor = (d: number, r: number): number => this.factors[(category * zSize + d) * rank + r]!;
    const inner = new Float64Array(rank * rank);
    for (let a = 0; a < rank; a++) {
      for (let b = 0; b <= a; b++) {
        let sum = a === b ? 1 : 0;
        for (let d = 0; d < zSize; d++) sum += factor(d, a) * precision[d]! * factor(d, b);
        inner[a * rank + b] = sum;
      }
    }
    const lower = cholesky(inner, rank);
    let logDeterminant = 0;
    for (let r = 0; r < rank; r++) logDeterminant += 2 * Math.log(lower[r * rank + r]!);
    for (const value of precision) logDeterminant -= Math.log(value);
    const matrix = new Float64Array(rank * zSize);
    for (let d = 0; d < zSize; d++) {
      for (let r = 0; r < rank; r++) {
        let value = factor(d, r) * precision[d]!;
        for (let s = 0; s < r; s++) value -= lower[r * rank + s]! * matrix[s * zSize + d]!;
        matrix[r * zSize + d] = value / lower[r * rank + r]!;
      }
    }
    const centres = Array.from({ length: this.gaussians }, (_, k) => project(matrix, this.mean(category, k), rank));
    return { matrix, centres, precision, logDeterminant };
  }
}

interface Projection {
  /** `rank * z`: L^-1 factors^T diag(precision), where L L^T = 1 + factors^T diag(precision) factors. */
  readonly matrix: Float64Array;
  /** What the matrix makes of each mean. */
  readonly centres: readonly Float64Array[];
  readonly precision: Float64Array;
  /** Of the covariance. */
  readonly logDeterminant: number;
}

function project(matrix: Float64Array, code: Float32Array, rank: number): Float64Array {
  return Float64Array.from({ length: rank }, (_, r) => {
    let sum = 0;
    for (let d = 0; d < code.length; d++) sum += matrix[r * code.length + d]! * code[d]!;
    return sum;
  });
}

/** L of a positive matrix L L^T, of which the lower half is given. */
function cholesky(matrix: Float64Array, size: number): Float64Array {
  const lower = new Float64Array(size * size);
  for (let a = 0; a < size; a++) {
    for (let b = 0; b <= a; b++) {
      let value = matrix[a * size + b]!;
      for (let s = 0; s < b; s++) value -= lower[a * size + s]! * lower[b * size + s]!;
      lower[a * size + b] = a === b ? Math.sqrt(value) : value / lower[b * size + b]!;
    }
  }
  return lower;
}

/** log(sum(exp(values))). */
export function logSum(values: ArrayLike<number>): number {
  let highest = -Infinity;
  for (let index = 0; index < values.length; index++) highest = Math.max(highest, values[index]!);
  if (highest === -Infinity) return highest;
  let sum = 0;
  for (let index = 0; index < values.length; index++) sum += Math.exp(values[index]! - highest);
  return highest + Math.log(sum);
}

function normalise(values: Float64Array): void {
  const total = values.reduce((sum, value) => sum + value, 0);
  values.forEach((value, index) => (values[index] = value / total));
}
