import { DEFAULT_RASTER } from "../src/core/raster";
import type { Mixture, ModelInfo, Runtime, State } from "../src/core/runtime";

/** A runtime whose rows go straight on, pen down, until the one of which the mixture is given. */
export class Scripted implements Runtime {
  readonly info: ModelInfo = {
    encoder: "none",
    zSize: 0,
    raster: DEFAULT_RASTER,
    sequence: { start: "centre", scale: 1 },
    categories: [],
    training: {},
  };
  /** What the sampler drew of the given mixture, once it handed the row on. */
  lastOffsets: number[] = [];
  private steps = 0;

  constructor(
    private readonly n: number,
    private readonly row: number,
    private readonly mixture: Record<string, number[]>,
  ) {}

  encodeInk(): Promise<Float32Array> {
    return Promise.reject(new Error("not scripted"));
  }

  encodeRows(): Promise<Float32Array> {
    return Promise.reject(new Error("not scripted"));
  }

  start(): Promise<State> {
    this.steps = 0;
    return Promise.resolve({ fixed: [], moving: [] });
  }

  step(rows: Float32Array, state: State): Promise<readonly [Mixture, State]> {
    const step = this.steps++;
    if (step === this.row + 1) {
      this.lastOffsets = Array.from({ length: this.n }, (_, i) => [rows[5 * i]!, rows[5 * i + 1]!]).flat();
    }
    const given = (name: string): Float32Array => Float32Array.from(this.mixture[name]!);
    // Pen down is the likeliest in every row.
    const logPen = Float32Array.from({ length: 3 * this.n }, (_, index) => (index % 3 === 0 ? 0 : -50));
    const mixture: Mixture = {
      components: this.mixture["log_pi"]!.length / this.n,
      logPi: given("log_pi"),
      muX: given("mu_x"),
      muY: given("mu_y"),
      logSigmaX: given("log_sigma_x"),
      logSigmaY: given("log_sigma_y"),
      rho: given("rho"),
      logPen,
    };
    return Promise.resolve([mixture, state]);
  }
}
