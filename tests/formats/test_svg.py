"""SVG in and out: what people's files hold, and what hostile ones try."""

from __future__ import annotations

import contextlib
import gzip
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import ArrayLike

from sketch_pix2seq.errors import FileError, FormatError, SettingsError
from sketch_pix2seq.formats.paper import PaperSize
from sketch_pix2seq.formats.svg import limits, read_svg, svg_text, write_svg
from sketch_pix2seq.sketch import Sketch

HEAD = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 100 100">'


def read(folder: Path, body: str, *, head: str = HEAD, tolerance: float = 0.5) -> Sketch:
    path = folder / "drawing.svg"
    path.write_text(f"{head}{body}</svg>")
    return read_svg(path, tolerance=tolerance)


def same(sketch: Sketch, *strokes: ArrayLike) -> None:
    assert [stroke.shape for stroke in sketch.strokes] == [np.shape(stroke) for stroke in strokes]
    for stroke, expected in zip(sketch.strokes, strokes, strict=True):
        np.testing.assert_allclose(stroke, np.asarray(expected, np.float64), atol=1e-4)


# -- writing ------------------------------------------------------------------------------------------


def test_round_trip(tmp_path: Path, house: Sketch) -> None:
    again = read_svg(write_svg(tmp_path / "house.svg", house))
    assert again.category == "house"
    same(again, *house.strokes)


def test_round_trip_on_paper(tmp_path: Path, house: Sketch) -> None:
    path = write_svg(tmp_path / "house.svg", house, paper=PaperSize(100))
    root = ElementTree.parse(path).getroot()
    assert root.attrib["width"] == "108mm"
    assert root.attrib["height"] == "135.5mm"
    same(read_svg(path), *house.strokes)


@settings(max_examples=40, deadline=None)
@given(
    strokes=st.lists(
        hnp.arrays(np.float32, st.tuples(st.integers(1, 6), st.just(2)), elements=st.integers(0, 255)), min_size=1
    ),
    scale=st.sampled_from([0.01, 1.0, 37.5]),
    shift=st.sampled_from([0.0, -300.0]),
)
def test_any_sketch_comes_back(
    tmp_path_factory: pytest.TempPathFactory, strokes: list[np.ndarray], scale: float, shift: float
) -> None:
    sketch = Sketch(tuple(stroke * np.float32(scale) + np.float32(shift) for stroke in strokes))
    again = read_svg(write_svg(tmp_path_factory.mktemp("svg") / "any.svg", sketch))
    expected = [stroke[:1] if (stroke == stroke[0]).all() else stroke for stroke in sketch.strokes]
    side = np.ptp(sketch.points(), axis=0).max()
    assert [len(stroke) for stroke in again.strokes] == [len(stroke) for stroke in expected]
    for stroke, wanted in zip(again.strokes, expected, strict=True):
        np.testing.assert_allclose(stroke, wanted, atol=max(1e-4, side * 1e-4))


def test_what_is_written() -> None:
    sketch = Sketch((np.array([[0, 0], [255, 0.126], [0, 100]]), np.array([[10, 20]])), 'a <b> & "c"\x00')
    text = svg_text(sketch)
    root = ElementTree.fromstring(text.encode())
    paths = [element.attrib["d"] for element in root.iter("{http://www.w3.org/2000/svg}path")]
    assert text.startswith("<?xml")
    assert paths == ["M 0,0 L 255,0.13 0,100", "M 10,20 L 10.01,20"]
    assert root.attrib["viewBox"] == "-8 -8 271 116"
    assert max(float(root.attrib["width"]), float(root.attrib["height"])) == 200
    assert root.findtext("{http://www.w3.org/2000/svg}title") == 'a <b> & "c"'


def test_a_sketch_without_strokes_is_blank_paper() -> None:
    assert ElementTree.fromstring(svg_text(Sketch(())).encode()).attrib["viewBox"] == "-8 -8 271 271"


def test_a_sketch_shows_itself(house: Sketch) -> None:
    assert "<path" in house._repr_svg_()


@pytest.mark.parametrize("width", [0, -1, float("nan"), float("inf")])
def test_a_width_must_be_above_0(house: Sketch, width: float) -> None:
    with pytest.raises(SettingsError, match="above 0"):
        svg_text(house, paper=PaperSize(width))


def test_nothing_is_left_behind_where_writing_fails(tmp_path: Path, house: Sketch) -> None:
    with pytest.raises(FileError, match="does not exist"):
        write_svg(tmp_path / "missing" / "house.svg", house)
    (tmp_path / "house.svg").mkdir()
    with pytest.raises(FileError, match="cannot be written"):
        write_svg(tmp_path / "house.svg", house)
    assert [path.name for path in tmp_path.iterdir()] == ["house.svg"]


# -- what people's files hold -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "strokes"),
    [
        ('<path d="M0 0L10 0 10,10z"/>', [[(0, 0), (10, 0), (10, 10), (0, 0)]]),
        ('<path fill="none" stroke="#000" d="M0 0H1z m20 20h5"/>', [[(0, 0), (1, 0), (0, 0)], [(20, 20), (25, 20)]]),
        ('<path d="M0 0 10 0z l5 5"/>', [[(0, 0), (10, 0), (0, 0)], [(0, 0), (5, 5)]]),
        ('<path d="M1.5.5-2e1-3"/>', [[(1.5, 0.5), (-20, -3)]]),
        ('<path d="M1 1 M5 5 L6 6 M9 9"/>', [[(5, 5), (6, 6)]]),
        ('<path d="M5 5A0 0 0 0 0 10 10"/>', [[(5, 5), (10, 10)]]),
        ('<path d="M5 5z M9 9h0"/><path d="M0 0h90"/>', [[(5, 5)], [(9, 9)], [(0, 0), (90, 0)]]),
        ('<rect x="10" width="20" height="10"/>', [[(10, 0), (30, 0), (30, 10), (10, 10), (10, 0)]]),
        ('<line x1="10%" y1="1" x2="5"/>', [[(10, 1), (5, 0)]]),
        ('<polygon points="0,0 10,0 10,10"/>', [[(0, 0), (10, 0), (10, 10), (0, 0)]]),
        ('<polyline points="0,0 10,0 10"/>', [[(0, 0), (10, 0)]]),
        ('<g transform="translate(10,20) rotate(90)"><line x2="10"/></g>', [[(10, 20), (10, 30)]]),
        ('<g style="transform: scale(2) translate(1px, 2px)"><line x2="1" y2="1"/></g>', [[(2, 4), (4, 6)]]),
        ('<line x2="1" y2="1" transform="skewX(45)"/>', [[(0, 0), (2, 1)]]),
        ('<a><switch><foreignObject/><g><line x2="5"/></g><line x2="7"/></switch></a>', [[(0, 0), (5, 0)]]),
    ],
)  # fmt: skip
def test_shapes(tmp_path: Path, body: str, strokes: list[ArrayLike]) -> None:
    same(read(tmp_path, body), *strokes)


@pytest.mark.parametrize(
    ("body", "centre", "radii"),
    [
        ('<circle cx="50%" cy="40" r="10"/>', (50, 40), (10, 10)),
        ('<ellipse cx="50" cy="50" rx="20" ry="5"/>', (50, 50), (20, 5)),
        ('<path d="M40 50a10 10 0 1 0 20 0a10 10 0 1 0-20 0z"/>', (50, 50), (10, 10)),
        ('<circle r="1" transform="translate(50 50) scale(20 5)"/>', (50, 50), (20, 5)),
        ('<path d="M-1 0A1 1 0 1 1 1 0A1 1 0 1 1-1 0" transform="matrix(20 0 0 5 50 50)"/>', (50, 50), (20, 5)),
        ('<rect x="40" y="40" width="20" height="20" rx="10"/>', (50, 50), (10, 10)),
    ],
)
@pytest.mark.parametrize("tolerance", [0.05, 0.5, 3.0])
def test_round_things_stay_within_the_tolerance(
    tmp_path: Path, body: str, centre: tuple[int, int], radii: tuple[int, int], tolerance: float
) -> None:
    (stroke,) = read(tmp_path, body, tolerance=tolerance).strokes
    allowed = tolerance * 2 * max(radii) / 255
    middles = np.concatenate([stroke[:-1] + (stroke[1:] - stroke[:-1]) * t for t in (0.0, 0.5)])
    unit = np.hypot(*((middles - centre) / radii).T)
    np.testing.assert_allclose(stroke[0], stroke[-1], atol=1e-3)
    assert (unit >= 1 - allowed / min(radii) - 1e-4).all()
    assert (unit <= 1 + 1e-4).all()
    assert len(stroke) < 25 + 60 / tolerance**0.5


def test_curves_stay_within_the_tolerance(tmp_path: Path) -> None:
    (cubic,) = read(tmp_path, '<path d="M0 0C0 100 100 100 100 0" transform="scale(3 1)"/>', tolerance=0.5).strokes
    t = np.linspace(0, 1, 2001)[:, None]
    exact = 3 * t * (1 - t) ** 2 * [0, 100] + 3 * t**2 * (1 - t) * [300, 100] + t**3 * [300, 0]
    start, step = cubic[:-1].astype(float), np.diff(cubic, axis=0).astype(float)
    along = np.clip(((exact[:, None] - start) * step).sum(-1) / (step**2).sum(-1), 0, 1)
    off = np.linalg.norm(exact[:, None] - start - along[..., None] * step, axis=-1).min(axis=1)
    assert off.max() <= 0.5 * 300 / 255
    (quadratic,) = read(tmp_path, '<path d="M0 0Q50 100 100 0T200 0"/>').strokes
    assert quadratic[:, 1].max() == pytest.approx(50, abs=0.5)
    assert quadratic[:, 1].min() == pytest.approx(-50, abs=0.5)


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ('viewBox="0 0 10 10" width="10mm"', (10, 10)),
        ('viewBox="0 0 24 24" width="1em" height="1em"', (10, 10)),
        ('viewBox="-5 -5 10 10" width="300" height="100"', (10, 10)),
        ('viewBox="0 0 10 10" width="300" height="100" preserveAspectRatio="none"', (300, 100)),
        ('width="10cm" height="10cm"', (10, 10)),
        ("", (10, 10)),
    ],
)
def test_user_units(tmp_path: Path, head: str, expected: tuple[float, float]) -> None:
    sketch = read(tmp_path, '<path d="M0 0 10 10"/>', head=f'<svg xmlns="http://www.w3.org/2000/svg" {head}>')
    same(sketch, [(0, 0), expected])


def test_units_of_shapes(tmp_path: Path) -> None:
    same(read(tmp_path, '<line x2="1in" y2="72pt"/>'), [(0, 0), (96, 96)])
    same(read(tmp_path, '<line x2="25.4mm" y2="2.54cm"/>'), [(0, 0), (96, 96)])


def test_nested_viewports(tmp_path: Path) -> None:
    body = """
    <svg x="10" y="10" width="20" height="20" viewBox="0 0 10 10"><line x2="100%" y2="100%"/></svg>
    <svg x="50%" viewBox="0 0 1 1" width="50%" height="50%"><path d="M0 0 1 1"/></svg>
    <line x2="100%"/>"""
    same(read(tmp_path, body), [(10, 10), (30, 30)], [(50, 0), (100, 50)], [(0, 0), (100, 0)])


def test_use_and_symbols(tmp_path: Path) -> None:
    body = """
    <use href="#later" x="5"/>
    <defs><g id="later" stroke="red"><path d="M0 0 10 10"/></g></defs>
    <symbol id="s" viewBox="0 0 10 10" fill="none" stroke="red"><path d="M0 0 10 10"/></symbol>
    <use xlink:href="#s" x="1" width="50" height="50"/><use xlink:href="#s"/>
    <use href="other.svg#a"/><use href="#missing"/><use/>"""
    same(read(tmp_path, body), [(5, 0), (15, 10)], [(1, 0), (51, 50)], [(0, 0), (100, 100)])


def test_a_use_within_itself_draws_nothing(tmp_path: Path) -> None:
    same(read(tmp_path, '<g id="a"><use href="#a"/><line x2="9"/></g>'), [(0, 0), (9, 0)])


@pytest.mark.parametrize(
    "hidden",
    [
        '<g display="none"><g display="inline"><line x2="9"/></g></g>',
        '<g style="display: none !important"><line x2="9"/></g>',
        '<line x2="9" visibility="hidden"/>',
        '<g opacity="0"><line x2="9" opacity="1"/></g>',
        '<line x2="9" class="x gone"/>',
        '<line x2="9" id="away"/>',
        '<path d="M0 0h24v24H0z" fill="none"/>',
        '<path d="M0 0h24v24H0z" fill="#fff0" stroke="rgba(0, 0, 0, 0.0)"/>',
        '<path d="M0 0h24v24H0z" fill="none" stroke="red" stroke-width="0"/>',
        '<path d="M0 0h24v24H0z" fill-opacity="0%"/>',
        '<clipPath><line x2="9"/></clipPath><mask><line x2="9"/></mask><marker><line x2="9"/></marker>',
        '<pattern><line x2="9"/></pattern><defs><line x2="9"/></defs><symbol><line x2="9"/></symbol>',
        '<other:path xmlns:other="urn:x" d="M0 0h9"/><text>hello</text><metadata><line x2="9"/></metadata>',
        '<rect width="0" height="5"/><circle r="-1"/><svg width="0"><line x2="9"/></svg><path d=""/><polygon/>',
        '<rect width="100%" height="100%" fill="#fff"/><path fill="#123" d="M0 0h100v100H0z"/>',
    ],
)
def test_what_cannot_be_seen_is_left_out(tmp_path: Path, hidden: str) -> None:
    style = "<style>/* } */ @import url(x.css); .gone{display:none} line#away, i { visibility : hidden ; }</style>"
    same(read(tmp_path, f'{style}{hidden}<path d="M0 0 50 50"/>'), [(0, 0), (50, 50)])


@pytest.mark.parametrize(
    "shown",
    [
        '<g visibility="hidden"><line x2="9" visibility="visible"/></g>',
        '<g fill="none"><line x2="9" stroke="currentColor"/></g>',
        '<g fill="none"><line x2="9" style="stroke:rgb(0,0,0)"/></g>',
        '<style>@media print { line { display: none } }</style><line x2="9"/>',
        '<style><![CDATA[ .a { fill: none } line.a { stroke: #000 } ]]></style><line class="a" x2="9"/>',
        '<svg:line xmlns:svg="http://www.w3.org/2000/svg" x2="9"/>',
    ],
)
def test_what_can_be_seen_is_kept(tmp_path: Path, shown: str) -> None:
    same(read(tmp_path, shown), [(0, 0), (9, 0)])


def test_a_background_alone_is_the_drawing(tmp_path: Path) -> None:
    assert len(read(tmp_path, '<rect width="100" height="100"/>')) == 1


def test_an_unbound_prefix_and_no_namespace_are_forgiven(tmp_path: Path) -> None:
    sketch = read(tmp_path, '<g id="a"><line x2="9"/></g><use xlink:href="#a" y="5"/>', head="<svg>")
    same(sketch, [(0, 0), (9, 0)], [(0, 5), (9, 5)])


def test_illustrator_entities(tmp_path: Path) -> None:
    head = """<?xml version="1.0" encoding="utf-8"?>
    <!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd" [
      <!ENTITY ns_svg "http://www.w3.org/2000/svg"> <!ENTITY st0 "fill:none;stroke:#000;">
      <!ATTLIST svg xmlns:a CDATA #FIXED "http://www.adobe.com/svg10-extensions"> ]>
    <svg xmlns="&ns_svg;" viewBox="0 0 100 100">"""
    same(read(tmp_path, '<line style="&st0;" x2="9"/>', head=head), [(0, 0), (9, 0)])


def test_svgz_and_other_encodings(tmp_path: Path, house: Sketch) -> None:
    path = tmp_path / "house.svgz"
    path.write_bytes(gzip.compress(svg_text(house).encode()))
    same(read_svg(path), *house.strokes)
    path.write_bytes(svg_text(house).replace("UTF-8", "UTF-16").encode("utf-16"))
    same(read_svg(path), *house.strokes)


def test_title_is_the_category(tmp_path: Path) -> None:
    body = "<title> a\n big   cat </title><g><title>Layer 1</title><line x2='9'><title>tip</title></line></g>"
    assert read(tmp_path, body).category == "a big cat"
    assert read(tmp_path, "<line x2='9'/>").category is None


# -- broken and hostile -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("", "no lines in it: nothing is drawn"),
        ("<text>hello</text>", "no lines in it, only text; convert text to paths"),
        ('<image href="http://example.com/a.png"/><text/>', "only embedded pictures and text"),
        ('<path d="M0 0 L NaN 5"/>', "near 'M0 0 L NaN 5'"),
        ('<path d="M0 0 L undefined"/>', "not numbers"),
        ('<polyline points="0,0 NaN,1"/>', "not numbers"),
        ('<path d="M0 0 L 1"/>', "cannot be read: 'M0 0 L 1'"),
        ('<path d="M0 0 A 1 1 0 7 9 1 1"/>', "cannot be read"),
        ('<path d="M0 0 L1e999 5"/>', "not finite"),
        ('<path d="M0 0 L1e30 5" transform="scale(1e30)"/>', "not finite"),
        ('<path d="M0 0 5 5" transform="matrix(1 2)"/>', "transform that cannot be read: 'matrix"),
        ("<g>" * 300 + "</g>" * 300, "nested deeper than 200"),
        ("<g>", "mismatched tag in line 1"),
    ],
)
def test_one_clear_line(tmp_path: Path, body: str, problem: str) -> None:
    with pytest.raises(FormatError) as caught:
        read(tmp_path, body)
    assert problem in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "drawing.svg"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "an empty file"),
        (b" \n", "an empty file"),
        (b"\x89PNG\r\n\x1a\n", "not an SVG"),
        (b"hello", "not an SVG"),
        (b"<html xmlns='http://www.w3.org/1999/xhtml'><svg/></html>", "its first element is <html>"),
        (b"<svg xmlns='urn:other'/>", "not an SVG"),
        (b"<?xml version='1.0' encoding='klingon'?><svg/>", "not an SVG"),
        (gzip.compress(b"<svg/>" * 50, mtime=0)[:-12], "damaged .svgz"),
    ],
)
def test_not_an_svg(tmp_path: Path, data: bytes, problem: str) -> None:
    path = tmp_path / "odd.svg"
    path.write_bytes(data)
    with pytest.raises(FormatError, match=problem):
        read_svg(path)


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="no such file"):
        read_svg(tmp_path / "none.svg")
    with pytest.raises(FileError, match="cannot be read"):
        read_svg(tmp_path)


def test_billion_laughs(tmp_path: Path) -> None:
    laughs = '<!ENTITY l0 "ha">' + "".join(f'<!ENTITY l{n} "' + f"&l{n - 1};" * 10 + '">' for n in range(1, 10))
    with pytest.raises(FormatError, match=r"entity 'l1' multiplies"):
        read(tmp_path, "<text>&l9;</text>", head=f"<!DOCTYPE svg [{laughs}]>{HEAD}")
    with pytest.raises(FormatError, match=r"entity 'a' multiplies"):
        read(tmp_path, "&a;" * 10_000, head=f'<!DOCTYPE svg [<!ENTITY a "{"x" * 10_000}">]>{HEAD}')
    with pytest.raises(FormatError, match=r"default for 'd' multiplies"):
        read(tmp_path, "<path/>" * 10_000, head=f'<!DOCTYPE svg [<!ATTLIST path d CDATA "{"M" * 10_000}">]>{HEAD}')


def test_external_entities_are_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    with pytest.raises(FormatError, match="refers to another file"):
        read(tmp_path, "<title>&x;</title>", head=f'<!DOCTYPE svg [<!ENTITY x SYSTEM "secret.txt">]>{HEAD}')


def test_use_cannot_multiply_without_end(tmp_path: Path) -> None:
    groups = "".join(f'<g id="g{n}">' + f'<use href="#g{n - 1}"/>' * 10 + "</g>" for n in range(1, 12))
    with pytest.raises(FormatError, match="repeat more than 20,000 elements"):
        read(tmp_path, f'<defs><g id="g0"/>{groups}</defs><use href="#g11"/>')


def test_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_POINTS", 50)
    with pytest.raises(FormatError, match="more than 50 points at this tolerance"):
        read(tmp_path, '<circle r="9"/>', tolerance=1e-3)
    with pytest.raises(FormatError, match="more than 50 points, which is too many"):
        read(tmp_path, f'<path d="M0 0{"h1" * 200}"/>')
    monkeypatch.setattr(limits, "MAX_BYTES", 1000)
    with pytest.raises(FormatError, match="too large for a drawing"):
        read(tmp_path, " " * 1000)
    (tmp_path / "bomb.svgz").write_bytes(gzip.compress(b" " * 100_000, mtime=0))
    with pytest.raises(FormatError, match="too large for a drawing"):
        read_svg(tmp_path / "bomb.svgz")


@pytest.mark.parametrize("tolerance", [0.0, -1.0, float("nan")])
def test_a_tolerance_must_be_above_0(tmp_path: Path, tolerance: float) -> None:
    with pytest.raises(SettingsError, match="above 0"):
        read(tmp_path, '<circle r="9"/>', tolerance=tolerance)


@settings(max_examples=150, deadline=None)
@given(data=st.text("MmZzLlHhVvCcSsQqTtAa0123456789.,-+e ", max_size=40))
def test_any_path_data_gives_a_sketch_or_a_clear_error(tmp_path_factory: pytest.TempPathFactory, data: str) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.svg"
    path.write_text(f'{HEAD}<path d="{data}"/></svg>')
    with contextlib.suppress(FormatError):
        assert len(read_svg(path)) > 0
