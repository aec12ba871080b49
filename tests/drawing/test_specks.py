"""Specks and repeats: what is left out of a drawing, and what stays."""

from __future__ import annotations

import numpy as np
import pytest

from sketch_pix2seq.drawing.specks import REPEAT, SIZE, without_specks
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
    assert cleaned([SQUARE, dash(120, REPEAT - 1)], [SQUARE]) == 1
    assert cleaned([SQUARE, dash(120, REPEAT + 1)], [SQUARE]) == 2, "its pixel has ink, and it lies beside the line"


def test_strokes_of_some_size_stay_wherever_they_are() -> None:
    assert cleaned([SQUARE, dash(100, 100, SIZE + 1)], [SQUARE]) == 2


def test_given_strokes_stay() -> None:
    strokes = [SQUARE, dash(100, 100), dash(150, 150)]
    assert cleaned(strokes, [SQUARE]) == 1
    assert cleaned(strokes, [SQUARE], given=6) == 2
    assert cleaned(strokes, [SQUARE], given=7) == 2
    assert cleaned(strokes, [SQUARE], given=8) == 3, "a stroke that was begun by somebody else stays"


@pytest.mark.parametrize("strokes", [[dash(60, 60)], [dash(60, 60), dash(90, 90)]])
def test_a_drawing_of_specks_alone_stays_as_it_is(strokes: list[np.ndarray]) -> None:
    assert cleaned(strokes, [SQUARE]) == len(strokes)


def test_what_else_it_holds_stays() -> None:
    sketch = Sketch((SQUARE, dash(100, 100)), "box", {"ended": True})
    ink = render(Sketch((SQUARE,)), RASTER).astype(np.float32) / np.float32(255)
    kept = without_specks(sketch, ink, RASTER)
    assert (kept.category, dict(kept.metadata), len(kept)) == ("box", {"ended": True}, 1)


def line(y: float, end: float = 200.0, *, begin: float = 50.0) -> np.ndarray:
    return np.array([[begin, y], [end, y]], np.float32)


def test_of_strokes_that_repeat_each_other_the_first_stays() -> None:
    ink = np.ones((RASTER.size, RASTER.size), np.float32)
    first, again = line(100), line(100 + REPEAT - 1)
    kept = without_specks(Sketch((first, again, line(150))), ink, RASTER)
    assert [stroke[0, 1] for stroke in kept.strokes] == [100, 150]
    assert cleaned([SQUARE, SQUARE[::-1], SQUARE[1:4]], [SQUARE]) == 1


def test_a_stroke_that_goes_anywhere_else_is_no_repeat() -> None:
    assert cleaned([line(100), line(100 + REPEAT + 1)], [SQUARE]) == 2
    assert cleaned([line(100), line(100, end=200 + REPEAT + 1)], [SQUARE]) == 1, "the shorter one repeats the longer"
    assert cleaned([line(100), line(100, begin=200 + REPEAT + 1, end=250)], [SQUARE]) == 2
    corners = [SQUARE[[0, 1]], SQUARE[[2, 3]], SQUARE[[1, 3]]]
    assert cleaned(corners, [SQUARE]) == 3, "its ends lie on the others, and what is between them does not"


def test_repeats_of_several_strokes_together_and_given_ones() -> None:
    halves = [line(100, end=130), line(100, begin=128), line(101)]
    assert cleaned(halves, [SQUARE]) == 2
    assert cleaned([line(100), line(100)], [SQUARE], given=2) == 1
    assert cleaned([line(100), line(100)], [SQUARE], given=4) == 2
