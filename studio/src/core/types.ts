import { MODEL, SAMPLER } from "./constants";

/** A point of the canvas: x to the right, y down. */
export type Point = readonly [x: number, y: number];

/** Points in drawing order; the pen is on the paper between them. One point is a dot. */
export type Stroke = readonly Point[];

/** Strokes in drawing order. Coordinates are whatever its maker says; a fitted one has a longest side of 255. */
export interface Drawing {
  readonly strokes: readonly Stroke[];
  readonly category?: string;
  /** Whether a model ended it by itself, rather than at the limit. */
  readonly ended?: boolean;
}

/** How drawings are drawn; meanings and defaults are those of the Python package. */
export interface DrawSettings {
  /** tau: multiplies the mixture's variance and divides the logits of the Gaussians; 0 = the likeliest. */
  readonly temperature: number;
  /** Divides the logits of the pen states. */
  readonly penTemperature: number;
  /** A drawing that has not ended by then is cut off. */
  readonly maxPoints: number;
  /** Strokes proposed for each one that is drawn, where a picture is followed; 1 = no search. */
  readonly proposals: number;
  /**
   * From 0, which follows the picture line by line, over the same thing in the same pose, to 1, which keeps the category
   * alone; null = `DEFAULT_FREEDOM`, and 0 for a model without a flow.
   */
  readonly freedom: number | null;
  /** How far the flow goes towards what the category alone brings; 1 = as varied as people's drawings. */
  readonly guidance: number;
}

export const DEFAULT_FREEDOM = MODEL.freedom;

/** Level to which codes between those of pictures are noised before the flow brings them back. */
export const BETWEEN = MODEL.between;

export const DEFAULT_SETTINGS: DrawSettings = {
  temperature: SAMPLER.temperature,
  penTemperature: SAMPLER.pen_temperature,
  maxPoints: SAMPLER.max_points,
  proposals: SAMPLER.proposals,
  freedom: null,
  guidance: MODEL.guidance,
};
