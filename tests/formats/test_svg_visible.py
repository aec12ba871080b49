"""What an SVG shows: paint, clips, masks, what covers what, and lines of which only a part can be seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sketch_pix2seq.errors import FormatError
from sketch_pix2seq.formats import ReadOptions, read_sketches
from sketch_pix2seq.formats.svg import read_svg
from sketch_pix2seq.sketch import Sketch

HEAD = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100">'
CASES = Path(__file__).parent / "cases" / "svg"


def read(folder: Path, body: str, *, head: str = HEAD, notes: list[str] | None = None, hidden: bool = False) -> Sketch:
    path = folder / "drawing.svg"
    path.write_text(f"{head}{body}</svg>")
    return read_svg(path, hidden=hidden, on_note=None if notes is None else notes.append)


def ends(sketch: Sketch) -> list[list[float]]:
    """``[x, y, x, y]`` of the ends of each stroke, in whole units."""
    return [np.rint(stroke[[0, -1]]).ravel().tolist() for stroke in sketch.strokes]


LINE = '<path d="M0 50H100" fill="none" stroke="#000"/>'


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        # clips
        (f'<clipPath id="c"><circle cx="50" cy="50" r="30"/></clipPath><g clip-path="url(#c)">{LINE}</g>',
         [[20, 50, 80, 50]]),
        ('<clipPath id="c" clipPathUnits="objectBoundingBox"><rect width=".5" height="9" y="-4"/></clipPath>'
         '<g clip-path="url(#c)"><path d="M0 50H100V51" fill="none" stroke="#000"/></g>', [[0, 50, 50, 50]]),
        (f'<clipPath id="c"><path clip-rule="evenodd" d="M0 0H100V100H0zM30 30H70V70H30z"/></clipPath>'
         f'<g clip-path="url(#c)">{LINE}</g>', [[0, 50, 30, 50], [70, 50, 100, 50]]),
        (f'<g clip-path="url(#missing)">{LINE}</g>', [[0, 50, 100, 50]]),
        (f'<clipPath id="c"/><g clip-path="url(#c)">{LINE}</g><path d="M0 9H9" stroke="red"/>', [[0, 9, 9, 9]]),
        # the border of a clip that cuts an area
         ('<clipPath id="c"><circle cx="50" cy="50" r="30"/></clipPath>'
          '<rect clip-path="url(#c)" width="100" height="99"/>',
         [[80, 50, 80, 50]]),
        # masks
        ('<mask id="m"><path d="M0 0H100V100H0z" fill="#fff"/><path d="M50 0V100" stroke="#000" stroke-width="20"/>'
         f'</mask><g mask="url(#m)">{LINE}</g>', [[0, 50, 40, 50], [60, 50, 100, 50]]),
        # what covers what
        (f'{LINE}<rect x="30" y="30" width="40" height="40" fill="#fff"/>', [[0, 50, 30, 50], [70, 50, 100, 50]]),
        (f'{LINE}<path d="M50 0V100" stroke="#fff" stroke-width="20"/>', [[0, 50, 40, 50], [60, 50, 100, 50]]),
        (f'{LINE}<path d="M50 0V100" stroke="red" stroke-width="20"/>', [[0, 50, 100, 50], [50, 0, 50, 100]]),
        ('<path d="M10 10H60V60H10z" fill="#00f"/><path d="M40 10H90V60H40z" fill="#00f"/>',
         [[60, 60, 60, 10], [40, 10, 40, 60]]),
        # beside the page, and across its border
        (f'{LINE}<path d="M200 200H300" stroke="red"/>', [[0, 50, 100, 50]]),
        ('<path d="M50 50H150" stroke="red"/>', [[50, 50, 150, 50]]),
        # a dark page
        ('<path d="M10 10H90" stroke="#fff"/><path d="M10 20H90" stroke="#222"/>', [[10, 10, 90, 10]]),
        # dashes
        ('<path d="M0 50H100" stroke="#000" stroke-dasharray="25 50"/>', [[0, 50, 25, 50], [75, 50, 100, 50]]),
        ('<path d="M0 50H100" pathLength="4" stroke="#000" stroke-dasharray="1 9"/>', [[0, 50, 25, 50]]),
        # markers
        ('<marker id="m" orient="auto" markerUnits="userSpaceOnUse"><path d="M0 0V9" stroke="#000"/></marker>'
         '<path d="M20 50H80" stroke="#000" marker-end="url(#m)"/>', [[20, 50, 80, 50], [80, 50, 80, 59]]),
        # transforms
        ('<path style="transform-box:fill-box;transform-origin:center;transform:rotate(90deg)" d="M20 50H80" '
         'fill="none" stroke="#000"/>', [[50, 20, 50, 80]]),
        ('<path style="scale:50%" d="M20 50H80" stroke="#000"/>', [[10, 25, 40, 25]]),
    ],
)  # fmt: skip
def test_what_is_seen(tmp_path: Path, body: str, expected: list[list[float]]) -> None:
    head = HEAD.replace(">", ' style="background:#222">') if "#222" in body else HEAD
    assert ends(read(tmp_path, body, head=head)) == expected


@pytest.mark.parametrize(
    "rule",
    [
        "g > .a ~ path{display:none}", "path + path{display:none}", "path:last-child{display:none}",
        "path:nth-child(2n){display:none}", "[data-x|=en]{display:none}", "@media (min-width:10px){.b{display:none}}",
        "@media print{.a{display:none}}.b{display:none}", ".b{stroke:var(--gone, none)}", "svg .b:is(.b,.c){opacity:0}",
        ".b.b{display:none}.b{display:inline}", "@import url(x.css);.b{display:none}", ":not(g, svg, .a){display:none}",
    ],
)  # fmt: skip
def test_style_sheets(tmp_path: Path, rule: str) -> None:
    paths = '<path class="a" d="M0 9H9"/><path class="b" data-x="en-GB" d="M0 50H9"/>'
    body = f'<style>{rule}</style><g stroke="#000">{paths}</g>'
    assert ends(read(tmp_path, body)) == [[0, 9, 9, 9]]


def test_hidden_lines_can_be_kept(tmp_path: Path) -> None:
    body = f'{LINE}<rect width="100" height="90" fill="#fff"/><path d="M200 9H300" stroke="red"/>'
    assert len(read(tmp_path, body)) == 1
    assert len(read(tmp_path, body, hidden=True)) == 3


def test_where_nothing_can_be_seen_the_lines_are_drawn_and_it_is_said(tmp_path: Path) -> None:
    notes: list[str] = []
    assert len(read(tmp_path, '<path d="M0 9H9" stroke="#fff"/>', notes=notes)) == 1
    assert notes == []  # white lines are for a page of another colour
    assert len(read(tmp_path, '<line x2="9"/>', notes=notes)) == 1
    assert notes == ["nothing in it can be seen on its page; its lines are drawn all the same"]


@pytest.mark.parametrize(
    ("body", "note"),
    [
        ('<path d="M0 9H9L9" stroke="red"/>', "path data that cannot be read: 'M0 9H9L9'"),
        ('<path d="M0 9H9 nan" stroke="red"/>', "path data that are not numbers, near 'M0 9H9 nan'"),
        ('<polyline points="0,9 9,9 x" stroke="red"/>', "points that are not numbers, near '0,9 9,9 x'"),
        (f'<path d="M0 9H9" stroke="red"/><g transform="rotate(1 2)">{LINE}</g>', "a transform that cannot be read"),
    ],
)
def test_what_is_broken_is_drawn_up_to_the_error_and_said(tmp_path: Path, body: str, note: str) -> None:
    notes: list[str] = []
    assert ends(read(tmp_path, body, notes=notes)) == [[0, 9, 9, 9]]
    assert len(notes) == 1
    assert notes[0].startswith(note)


@pytest.mark.parametrize(
    "text",
    [
        f"\n \n<?xml version='1.0'?>\n{HEAD}{{}}</svg>",
        f"<html><body><p>a &copy; b<br>{HEAD}{{}}</svg></body></html>",
        f"{HEAD}<title>a &eacute; & b &unknown; &#0;</title>{{}}</svg>",
        f"{HEAD}{{}}</svg>\n\x00\x00 <svg>",
        f"{HEAD}<desc>\x01</desc>{{}}</svg>",
    ],
)
def test_what_is_nearly_xml_is_read(tmp_path: Path, text: str) -> None:
    path = tmp_path / "odd.svg"
    path.write_bytes(text.format(LINE).encode("latin-1"))
    assert ends(read_svg(path)) == [[0, 50, 100, 50]]


def test_a_page_of_html_without_an_svg_is_none(tmp_path: Path) -> None:
    path = tmp_path / "page.svg"
    path.write_text("<html><body>hello</body></html>")
    with pytest.raises(FormatError, match="its first element is <html>"):
        read_svg(path)


def test_centre_lines_of_freehand_outlines() -> None:
    notes: list[str] = []
    path = CASES / "k03_freehand_outline.svg"
    outline = read_svg(path, on_note=notes.append)
    assert "--centre-lines" in notes[0]
    (line,) = read_svg(path, centre_lines=True).strokes
    (border,) = outline.strokes
    far = np.hypot(*(line[1:-1, None] - border[None]).transpose(2, 0, 1)).min(axis=1)
    assert far.min() > 0.8  # half the width of the stroke
    assert far.max() < 2.6
    assert Sketch((line,)).path_length() == pytest.approx(outline.path_length() / 2, rel=0.05)
    (option,) = read_sketches(path, options=ReadOptions(centre_lines=True))
    assert np.array_equal(option.strokes[0], line)


def test_many_strokes_are_read_in_proportion(tmp_path: Path) -> None:
    strokes = "".join(f'<path d="M{n % 97} {n % 89}l1 2 3 1" fill="none" stroke="#000"/>' for n in range(3000))
    assert len(read(tmp_path, strokes)) == 3000
