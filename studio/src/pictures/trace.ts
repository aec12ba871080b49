import { fitted, simplified } from "../core/geometry";
import type { Drawing } from "../core/types";
import { NO_DRAWING, PictureError } from "./errors";
import { drawingInk } from "./ink";
import { strokesOf } from "./lines";
import { greyOf, type Pixels } from "./page";

/** Tolerance of the simplification, in canvas units. */
const EPSILON = 1.5;

/**
 * The lines of the drawing in a picture, fitted to 255 canvas units.
 *
 * Dark on light, light on dark, transparent, or a photo of paper. Strokes thin to their centre line, filled areas to
 * their outline. Throws PictureError for a picture without a drawing.
 */
export function trace(pixels: Pixels): Drawing {
  const lines = strokesOf(drawingInk(greyOf(pixels)));
  if (!lines.length) throw new PictureError(NO_DRAWING);
  return fitted({ strokes: simplified(fitted({ strokes: lines }).strokes, EPSILON) });
}
