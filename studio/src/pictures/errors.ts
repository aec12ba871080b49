/** A file or picture that gives no drawing, in one sentence that says what to do. */
export class PictureError extends Error {
  override readonly name = "PictureError";
}

export const NO_DRAWING = "No drawing was found in this picture; one with clear lines on an even ground works.";

export const UNREADABLE = "This picture cannot be read or is damaged; PNG, JPEG, WebP, GIF, BMP and SVG work.";

/** The page is there, but what it loads when a picture comes is not. */
export const UNREACHABLE =
  "What reads pictures cannot be loaded; check that you are online or the studio's server runs, then try again.";
