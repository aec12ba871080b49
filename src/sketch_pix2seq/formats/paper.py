"""The size of a drawing on paper, for pen plotters."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import NamedTuple

from sketch_pix2seq.errors import SettingsError

SHEETS = {
    "a2": (420.0, 594.0),
    "a3": (297.0, 420.0),
    "a4": (210.0, 297.0),
    "a5": (148.0, 210.0),
    "a6": (105.0, 148.0),
    "letter": (215.9, 279.4),
    "legal": (215.9, 355.6),
    "tabloid": (279.4, 431.8),
}
"""Width and height of sheets of paper in mm, upright (ISO 216, ANSI Y14.1)."""
_LYING = "-landscape"
_MARGIN = 10.0


class PaperSize(NamedTuple):
    """How large a drawing becomes, in mm. width: the drawing's own; page: width, height and margin of the sheet."""

    width: float | None = None
    page: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class PaperSettings:
    """Size on paper, for plotters; only for .svg."""

    width_mm: float | None = None
    """Width of the drawing in millimetres."""
    page: str | None = None
    """Size of the page: a2 to a6, letter, legal, tabloid, each also as a4-landscape, or WIDTHxHEIGHT in millimetres.
    The drawing is centred, as large as fits or as wide as --width-mm."""
    margin: float | None = None
    """With --page: free millimetres on every side; 10 if not given."""

    def size(self) -> PaperSize:
        """The sizes in mm. Raises SettingsError for sizes that are not possible, or a margin without a page."""
        if self.width_mm is not None:
            _check_width(self.width_mm)
        if self.page is None:
            if self.margin is not None:
                raise SettingsError("--margin is the free edge of a page: give --page, such as --page a4, too")
            return PaperSize(self.width_mm)
        width, height = _sheet(self.page)
        margin = _MARGIN if self.margin is None else self.margin
        if not 0 <= margin < min(width, height) / 2:
            raise SettingsError(f"a margin of {margin:g} mm leaves nothing of a page of {width:g} x {height:g} mm")
        if self.width_mm is not None and self.width_mm > width - 2 * margin:
            raise SettingsError(
                f"a drawing {self.width_mm:g} mm wide does not fit a page of {width:g} x {height:g} mm with "
                f"{margin:g} mm free on each side"
            )
        return PaperSize(self.width_mm, (width, height, margin))


class Placement(NamedTuple):
    """Where a drawing lies on its sheet: mm a unit of the drawing, and the sheet's edges in units of the drawing."""

    scale: float
    left: float
    top: float
    width: float
    height: float


def placed(bounds: tuple[float, float, float, float], paper: PaperSize, edge: float) -> Placement:
    """A drawing with these bounds on paper; without a page, a sheet that leaves ``edge`` units around the drawing.

    Raises SettingsError where there is neither a width nor a page, or a drawing is too high for its page.
    """
    left, top, right, bottom = bounds
    width, height = right - left, bottom - top
    side = max(width, height) or 1.0
    if paper.page is None:
        if paper.width is None:
            raise SettingsError("a size on paper needs a width or a page")
        _check_width(paper.width)
        # What has no width, such as an upright line, is as high as it should be wide.
        return Placement(paper.width / (width or side), left - edge, top - edge, width + 2 * edge, height + 2 * edge)
    page_width, page_height, margin = paper.page
    free = page_width - 2 * margin, page_height - 2 * margin
    scale = min(free[0] / (width or side), free[1] / (height or side))
    if paper.width is not None:
        wanted = paper.width / (width or side)
        if wanted > scale * (1 + 1e-9):
            raise SettingsError(
                f"{paper.width:g} mm wide, the drawing is {height * wanted:.0f} mm high and does not fit the page; "
                f"at most {width * scale:.0f} mm are possible"
            )
        scale = wanted
    return Placement(
        scale,
        (left + right - page_width / scale) / 2,
        (top + bottom - page_height / scale) / 2,
        page_width / scale,
        page_height / scale,
    )


def _check_width(width: float) -> None:
    if not (width > 0 and math.isfinite(width)):
        raise SettingsError(f"a width of {width} mm is not possible; give a number above 0")


def _sheet(text: str) -> tuple[float, float]:
    name = text.strip().lower()
    lying = name.endswith(_LYING)
    if (upright := SHEETS.get(name.removesuffix(_LYING))) is not None:
        return (upright[1], upright[0]) if lying else upright
    sizes = re.fullmatch(r"(\d+(?:\.\d+)?)x(\d+(?:\.\d+)?)", name)
    if sizes is None or not (float(sizes[1]) > 0 and float(sizes[2]) > 0):
        raise SettingsError(
            f"no page {text!r}; there are {', '.join(SHEETS)}, each with {_LYING}, and sizes in mm, such as 300x200"
        )
    return float(sizes[1]), float(sizes[2])
