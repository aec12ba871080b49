"""Pictures in: PNG, JPEG, WebP, GIF and BMP files, drawn on a screen or photos of paper, to the lines of the drawing.

In three steps, a module each: `picture_page` opens the picture and evens out light and polarity, `picture_ink` decides
what is ink and crops to it, `picture_lines` follows the centre lines of strokes and the outlines of filled areas.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from sketch_pix2seq.errors import PictureError
from sketch_pix2seq.formats import OnProblem, Problem
from sketch_pix2seq.formats.picture_ink import find_drawing
from sketch_pix2seq.formats.picture_lines import in_drawing_order, outlines, trace
from sketch_pix2seq.formats.picture_page import MAX_PIXELS, NO_DRAWING, Bytes, open_page, page_of
from sketch_pix2seq.sketch import Sketch

__all__ = ["MAX_PIXELS", "read_picture"]

_MANY_LINES = 40
"""Lines beyond which a picture is likely a screenshot, a text or a photo."""


def read_picture(
    source: str | Path | Bytes | Image.Image,
    *,
    category: str | None = None,
    epsilon: float = 1.5,
    on_problem: OnProblem | None = None,
) -> Sketch:
    """The lines of the drawing in a picture, fitted to 255 canvas units, longest line first.

    source: a PNG, JPEG, WebP, GIF (first frame) or BMP file of up to 64 megapixels, a `PIL.Image`, or an array: grey
    ``(h, w)``, RGB ``(h, w, 3)`` or RGBA ``(h, w, 4)``, uint8. Dark on light, light on dark, transparent; a photo of
    paper too.
    epsilon: tolerance of the simplification, in canvas units.
    on_problem: told of a picture that is likely no drawing; its lines are returned all the same.

    Strokes thin to their centre line, filled areas to their outline. Raises PictureError for a file that cannot be
    opened and for a picture without a drawing, ValueError for an array of another type or shape.
    """
    name = Path("picture") if isinstance(source, np.ndarray | Image.Image) else Path(source)
    page = page_of(source, name) if isinstance(source, np.ndarray | Image.Image) else open_page(name)
    drawing = find_drawing(page, name)
    lines = [*trace(drawing.strokes), *outlines(drawing.fills)]
    if not lines:
        raise PictureError(name, NO_DRAWING)
    if on_problem is not None and (drawing.scene or len(lines) > _MANY_LINES):
        ground = " on a ground of many tones and colours" if drawing.scene else ""
        found = f"{len(lines)} line{'' if len(lines) == 1 else 's'}{ground}"
        on_problem(
            Problem(name, "", f"likely no drawing but a photo or a screenshot: {found}; its lines are drawn", kept=True)
        )
    strokes = in_drawing_order(lines)
    return Sketch(tuple(strokes), category).fit().simplify(epsilon).fit()
