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
from sketch_pix2seq.formats.picture_ink import Drawing, find_drawing
from sketch_pix2seq.formats.picture_lines import in_drawing_order, outlines, trace
from sketch_pix2seq.formats.picture_page import MAX_PIXELS, NO_DRAWING, Bytes, Page, is_flat, open_page, page_of
from sketch_pix2seq.sketch import DoubleArray, Sketch

__all__ = ["MAX_PIXELS", "read_picture"]

_TEXT_LINES, _TEXT_SIZE = 60, 0.05
"""Lines of a page of text, at least, and the most that half of them extend, as a share of the page."""
_SCREEN_LINES, _SCREEN_STRAIGHT = 20, 0.4
"""Lines of a screenshot, at least, and the least share of their length that is level or upright."""


def read_picture(
    source: str | Path | Bytes | Image.Image,
    *,
    category: str | None = None,
    epsilon: float = 1.5,
    doubtful: bool = True,
    on_problem: OnProblem | None = None,
) -> Sketch:
    """The lines of the drawing in a picture, fitted to 255 canvas units, longest line first.

    source: a PNG, JPEG, WebP, GIF (first frame) or BMP file of up to 64 megapixels, a `PIL.Image`, or an array: grey
    ``(h, w)``, RGB ``(h, w, 3)`` or RGBA ``(h, w, 4)``, uint8. Dark on light, light on dark, transparent; a photo of
    paper too.
    epsilon: tolerance of the simplification, in canvas units.
    doubtful: whether to draw what is likely no drawing: a photo of the world, a screenshot, a page of text.
    on_problem: told of such a picture where it is drawn.

    Strokes thin to their centre line, filled areas to their outline. Raises PictureError for a file that cannot be
    opened, for a picture without a drawing and for one that is ``doubtful``, ValueError for an array of another
    type or shape.
    """
    name = Path("picture") if isinstance(source, np.ndarray | Image.Image) else Path(source)
    page = page_of(source, name) if isinstance(source, np.ndarray | Image.Image) else open_page(name)
    drawing = find_drawing(page, name)
    lines = [*trace(drawing.strokes), *outlines(drawing.fills)]
    if not lines:
        raise PictureError(name, NO_DRAWING)
    doubt = _doubt(page, drawing, lines)
    if doubt is not None and not doubtful:
        raise PictureError(name, doubt)
    if doubt is not None and on_problem is not None:
        on_problem(Problem(name, "", f"{doubt}; its lines are drawn", kept=True))
    strokes = in_drawing_order(lines)
    return Sketch(tuple(strokes), category).fit().simplify(epsilon).fit()


def _doubt(page: Page, drawing: Drawing, lines: list[DoubleArray]) -> str | None:
    """Why a picture is likely no drawing, or None."""
    found = f"{len(lines)} line{'' if len(lines) == 1 else 's'}"
    if drawing.scene:
        return f"likely no drawing but a photo or a painting: {found} on a ground of many tones"
    if len(lines) > _TEXT_LINES:
        extents = [float(np.ptp(line, axis=0).max()) for line in lines]
        if np.median(extents) < _TEXT_SIZE * max(drawing.strokes.shape):
            return f"likely no drawing but a text or a texture: {found}, most of them tiny"
    if len(lines) > _SCREEN_LINES and not drawing.two_tones and is_flat(page, bits=5):
        steps = np.abs(np.concatenate([np.diff(line[::4], axis=0) for line in lines]))
        lengths = np.hypot(*steps.T)
        if lengths[steps.min(axis=1) < 0.06 * lengths].sum() > _SCREEN_STRAIGHT * lengths.sum():
            return f"likely no drawing but a screenshot: {found}, level and upright, in several tones"
    return None
