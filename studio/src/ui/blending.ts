import { levelBetween } from "../core/flow";
import { BETWEEN } from "../core/types";

/** Noise level among four corners: along a side as between its two corners, most in the middle. */
export function levelAmong(x: number, y: number): number {
  const [across, down] = [levelBetween(x), levelBetween(y)];
  return across + down - (across * down) / BETWEEN;
}

/** Spherical interpolation: the direction turns evenly from one code to the other, the length changes evenly. */
export function slerp(from: Float32Array, to: Float32Array, t: number): Float32Array {
  const [a, b] = [norm(from), norm(to)];
  const cosine = a > 0 && b > 0 ? dot(from, to) / (a * b) : 1;
  const angle = Math.acos(Math.min(1, Math.max(-1, cosine)));
  const sine = Math.sin(angle);
  if (sine < 1e-4) return from.map((value, d) => (1 - t) * value + t * to[d]!);
  const length = (1 - t) * a + t * b;
  const [first, second] = [Math.sin((1 - t) * angle) / sine / a, Math.sin(t * angle) / sine / b];
  return from.map((value, d) => length * (first * value + second * to[d]!));
}

/** Among four corners: first along the upper and lower side, then between what these give. */
export function slerpAmong(
  corners: readonly [Float32Array, Float32Array, Float32Array, Float32Array],
  x: number,
  y: number,
): Float32Array {
  const [upperLeft, upperRight, lowerLeft, lowerRight] = corners;
  return slerp(slerp(upperLeft, upperRight, x), slerp(lowerLeft, lowerRight, x), y);
}

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, d) => sum + value * b[d]!, 0);
}

function norm(code: Float32Array): number {
  return Math.sqrt(dot(code, code));
}
