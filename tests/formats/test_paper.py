"""Sizes on paper: the drawing's own width, and the page around it."""

from __future__ import annotations

import re

import numpy as np
import pytest

from sketch_pix2seq.errors import SettingsError
from sketch_pix2seq.formats.paper import PaperSettings, PaperSize
from sketch_pix2seq.formats.svg import svg_text
from sketch_pix2seq.sketch import Sketch


def measured(sketch: Sketch, settings: PaperSettings) -> tuple[float, float, float, float, float, float]:
    """Width and height of the page in mm, and left, top, right and bottom of the drawing on it, in mm."""
    text = svg_text(sketch, paper=settings.size())
    size = re.search(r'width="([\d.]+)mm" height="([\d.]+)mm" viewBox="(\S+) (\S+) (\S+) (\S+)"', text)
    assert size is not None
    width, height, left, top, view_width, view_height = map(float, size.groups())
    assert width / view_width == pytest.approx(height / view_height, rel=1e-3)
    scale = width / view_width
    x0, y0, x1, y1 = sketch.bounds()
    return width, height, (x0 - left) * scale, (y0 - top) * scale, (x1 - left) * scale, (y1 - top) * scale


def test_the_width_is_the_drawings(house: Sketch) -> None:
    width, _, left, _, right, _ = measured(house, PaperSettings(width_mm=120))
    assert right - left == pytest.approx(120, abs=0.05)
    assert width > 120


def test_a_page_holds_the_largest_drawing_in_its_middle(house: Sketch) -> None:
    width, height, left, top, right, bottom = measured(house, PaperSettings(page="A4"))
    assert (width, height) == (210, 297)
    assert (left, right) == pytest.approx((10, 200), abs=0.05)
    assert (top + bottom) / 2 == pytest.approx(148.5, abs=0.05)
    assert (bottom - top) / (right - left) == pytest.approx(255 / 200, rel=1e-3)


def test_a_margin_and_a_width_on_a_page(house: Sketch) -> None:
    width, height, left, top, right, bottom = measured(house, PaperSettings(page="a4-landscape", margin=25))
    assert (width, height) == (297, 210)
    assert (top, bottom) == pytest.approx((25, 185), abs=0.05)
    width, height, left, top, right, bottom = measured(house, PaperSettings(page="300x200.5", width_mm=50))
    assert (width, height) == (300, 200.5)
    assert (left, right) == pytest.approx((125, 175), abs=0.05)


def test_an_upright_line_is_as_high_as_it_should_be_wide() -> None:
    line = Sketch((np.array([[5, 0], [5, 40]], np.float32),))
    _, _, _, top, _, bottom = measured(line, PaperSettings(width_mm=80))
    assert bottom - top == pytest.approx(80, abs=0.05)
    _, _, left, top, right, bottom = measured(line, PaperSettings(page="a5"))
    assert (left, right, top, bottom) == pytest.approx((74, 74, 41, 169), abs=0.05)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (PaperSettings(width_mm=0), "a width of 0 mm is not possible"),
        (PaperSettings(width_mm=float("nan")), "a width of nan mm is not possible"),
        (PaperSettings(margin=5), "give --page, such as --page a4"),
        (PaperSettings(page="b99"), "no page 'b99'; there are a2, a3"),
        (PaperSettings(page="0x10"), "no page '0x10'"),
        (PaperSettings(page="a4", margin=105), "leaves nothing of a page of 210 x 297 mm"),
        (PaperSettings(page="a4", margin=-1), "a margin of -1 mm"),
        (PaperSettings(page="a4", width_mm=200), "does not fit a page of 210 x 297 mm"),
    ],
)
def test_what_is_not_possible_is_said(settings: PaperSettings, said: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(said)):
        settings.size()


def test_a_drawing_too_high_for_its_page(house: Sketch) -> None:
    with pytest.raises(SettingsError, match="128 mm high and does not fit the page; at most 63 mm are possible"):
        svg_text(house, paper=PaperSize(100, (200, 100, 10)))
