"""Small files of every kind that people bring, each with the strokes that a browser shows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from sketch_pix2seq.formats.svg import read_svg
from sketch_pix2seq.sketch import FloatArray, Sketch

CASES = Path(__file__).parent / "cases" / "svg"
EXPECTED: dict[str, str] = json.loads((CASES / "expected.json").read_text())
"""Path data of the strokes in each file; the name is that of the file."""


def along(sketch: Sketch, side: float) -> FloatArray:
    """Points at short distances on all strokes, ``(n, 2)``."""
    return sketch.resample(side / 500).points()


def off(points: FloatArray, others: FloatArray) -> float:
    """Largest distance from a point to the nearest one of others."""
    return float(np.hypot(*(points[:, None] - others[None]).transpose(2, 0, 1)).min(axis=1).max())


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_draws_what_a_browser_shows(tmp_path: Path, name: str) -> None:
    wanted_file = tmp_path / "wanted.svg"
    wanted_file.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg"><path d="{EXPECTED[name]}" fill="none" stroke="#000"/></svg>'
    )
    found, wanted = read_svg(CASES / f"{name}.svg", tolerance=0.1), read_svg(wanted_file, tolerance=0.1)
    left, top, right, bottom = wanted.bounds()
    side = max(right - left, bottom - top)
    a, b = along(found, side), along(wanted, side)
    assert off(a, b) < 0.006 * side
    assert off(b, a) < 0.006 * side
    assert len(found) == len(wanted)
