"""Specks: what is left out of a drawing, and what stays."""

from __future__ import annotations

import numpy as np
import pytest

from sketch_pix2seq.drawing.specks import APART, SIZE, without_specks
from sketch_pix2seq.raster import RasterSpec, render
from sketch_pix2seq.sketch import Sketch

RASTER = RasterSpec()
SQUARE = np.array([[0, 0], [255, 0], [255, 255], [0, 255], [0, 0]], np.float32)


def dash(x: float, y: float, size: float = 2.0) -> np.ndarray:
    return np.array([[x, y], [x + size, y]], np.float32)


def cleaned(strokes: list[np.ndarray], imagined: list[np.ndarray], given: int = 0) -> int:
    """How many strokes stay, where the model imagines the strokes ``imagined``."""
    ink = render(Sketch(tuple(imagined)), RASTER).astype(np.float32) / np.float32(255)
    return len(without_specks(Sketch(tuple(strokes)), ink, RASTER, given=given))


def test_a_tiny_stroke_stays_where_the_model_imagines_ink() -> None:
    assert cleaned([SQUARE, dash(100, 100, 6)], [SQUARE, dash(100, 100, 6)]) == 2
    assert cleaned([SQUARE, dash(100, 100)], [SQUARE, dash(100, 140)]) == 1
    assert cleaned([SQUARE, dash(100, 100)], [SQUARE]) == 1


def test_a_tiny_stroke_on_a_line_shows_nothing() -> None:
    assert cleaned([SQUARE, dash(120, APART - 1)], [SQUARE]) == 1
    assert cleaned([SQUARE, dash(120, APART + 1)], [SQUARE]) == 2, "its pixel has ink, and it lies beside the line"


def test_strokes_of_some_size_stay_wherever_they_are() -> None:
    assert cleaned([SQUARE, dash(100, 100, SIZE + 1)], [SQUARE]) == 2


def test_given_strokes_stay() -> None:
    strokes = [SQUARE, dash(100, 100), dash(150, 150)]
    assert cleaned(strokes, [SQUARE]) == 1
    assert cleaned(strokes, [SQUARE], given=6) == 2
    assert cleaned(strokes, [SQUARE], given=7) == 2
    assert cleaned(strokes, [SQUARE], given=8) == 3, "a stroke that was begun by somebody else stays"


@pytest.mark.parametrize("strokes", [[dash(0, 0)], [dash(0, 0), dash(1, 1)]])
def test_a_drawing_of_specks_alone_stays_as_it_is(strokes: list[np.ndarray]) -> None:
    assert cleaned(strokes, [SQUARE]) == len(strokes)


def test_what_else_it_holds_stays() -> None:
    sketch = Sketch((SQUARE, dash(100, 100)), "box", {"ended": True})
    ink = render(Sketch((SQUARE,)), RASTER).astype(np.float32) / np.float32(255)
    kept = without_specks(sketch, ink, RASTER)
    assert (kept.category, dict(kept.metadata), len(kept)) == ("box", {"ended": True}, 1)
