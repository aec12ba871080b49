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

/** How rows are drawn from the mixture; meanings and defaults are those of the Python package. */
export interface DrawSettings {
  /** tau: multiplies the mixture's variance and divides the logits of the Gaussians; 0 = the likeliest. */
  readonly temperature: number;
  /** Divides the logits of the pen states. */
  readonly penTemperature: number;
  /** Offsets tried for each row: the better one lies on the ink that is to be drawn, the likelier it is drawn. */
  readonly tries: number;
  /** How often a stroke that does not lie on the picture's ink is taken back and drawn again. */
  readonly retakes: number;
  /** Move the points of a finished drawing a little, onto the picture's ink. */
  readonly settle: boolean;
  /** Drawings made for each one that is kept: the one whose code is nearest to the picture's. */
  readonly candidates: number;
  /** A drawing that has not ended by then is cut off. */
  readonly maxPoints: number;
}

export const DEFAULT_SETTINGS: DrawSettings = {
  temperature: 0.2,
  penTemperature: 0.5,
  tries: 8,
  retakes: 8,
  settle: true,
  candidates: 4,
  maxPoints: 250,
};
