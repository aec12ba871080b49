"""Pictures for people."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from sketch_pix2seq import sheet
from sketch_pix2seq.errors import FileError, SettingsError
from sketch_pix2seq.raster import RasterSpec, render
from sketch_pix2seq.sheet import INK, Cell, Paper, Row, draw_sketch, write_png, write_sheet
from sketch_pix2seq.sketch import Sketch

SVG = "{http://www.w3.org/2000/svg}"


def dark(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return np.asarray(picture.min(axis=-1) < 150)


@pytest.mark.parametrize("size", [24, 112, 700, 2600])
def test_a_drawing_is_centred_with_its_aspect_kept(house: Sketch, size: int) -> None:
    picture = draw_sketch(house, size, line=max(1.5, size / 50), margin=size / 8)
    assert picture.shape == (size, size, 3)
    assert picture.dtype == np.uint8
    rows, columns = np.nonzero(dark(picture))
    assert (rows.min() + rows.max() + 1) / 2 == pytest.approx(size / 2, abs=1)
    assert (columns.min() + columns.max() + 1) / 2 == pytest.approx(size / 2, abs=1)
    assert np.ptp(rows) == pytest.approx(size * (0.75 + 0.02), abs=3)
    assert np.ptp(columns) == pytest.approx(size * (0.75 * 200 / 255 + 0.02), abs=3)


@pytest.mark.parametrize(("size", "line"), [(112, 1.0), (112, 1.5), (512, 3.0), (2600, 8.0)])
def test_the_line_is_as_wide_as_asked_and_anti_aliased(size: int, line: float) -> None:
    picture = draw_sketch(Sketch((np.array([[0, 0], [300, 40]]),)), size, line=line, margin=size / 4)
    ink = (255.0 - picture[:, size // 2, 0]) / (255 - INK[0])
    assert ink.sum() == pytest.approx(line * np.hypot(300, 40) / 300, rel=0.3)
    assert len(np.unique(picture)) > 4


def test_dots_and_blank_paper() -> None:
    assert (draw_sketch(Sketch(()), 32) == 255).all()
    dot = dark(draw_sketch(Sketch((np.array([[3, 3]]),)), 64, line=6))
    assert 20 < dot.sum() < 45
    assert dot[31:33, 31:33].all()


def test_png(tmp_path: Path, house: Sketch) -> None:
    path = write_png(tmp_path / "house.png", house, 100)
    with Image.open(path) as image:
        assert image.size == (100, 100)
        np.testing.assert_array_equal(np.array(image), draw_sketch(house, 100))
    with pytest.raises(SettingsError, match="at least 1"):
        write_png(tmp_path / "none.png", house, 0)
    with pytest.raises(SettingsError, match="too large"):
        write_png(tmp_path / "huge.png", house, 50_000)
    with pytest.raises(FileError, match="does not exist"):
        write_png(tmp_path / "missing" / "house.png", house)


def test_paper_draws_in_grey() -> None:
    paper = Paper(40, 20, 0)
    paper.stroke(np.array([[5.0, 10.0], [35.0, 10.0]]), 4, 255)
    picture = paper.picture()
    assert picture.shape == (20, 40)
    assert (picture[8:12, 6:34] > 230).all()
    assert (picture[:7] == 0).all()
    assert (picture[13:] == 0).all()


def rows_of(house: Sketch) -> list[Row]:
    seen = render(house, RasterSpec())
    return [
        Row("house", [Cell(house, "as drawn"), Cell(seen, "as seen"), Cell(house, highlight="#2a9d5c")]),
        Row(
            "The Great Wall of China, seen from far & <near>", [Cell(house, "a caption too long for its cell, by far")]
        ),
        Row("", []),
    ]


def test_sheet_as_png(tmp_path: Path, house: Sketch) -> None:
    path = write_sheet(tmp_path / "sheet.png", rows_of(house), title="Houses", columns=["input", "", "again", "more"])
    with Image.open(path) as image:
        picture = np.array(image)
    assert picture.shape[2] == 3
    assert picture.shape[1] > 3 * 112
    assert picture.shape[0] > 3 * 112
    assert (picture[:8] == 255).all()
    green = np.abs(picture.astype(int) - [0x2A, 0x9D, 0x5C]).max(axis=2) < 3
    rows, columns = np.nonzero(green)
    assert np.ptp(rows) == pytest.approx(111, abs=1)
    assert np.ptp(columns) == pytest.approx(111, abs=1)


def test_sheet_as_svg(tmp_path: Path, house: Sketch) -> None:
    path = write_sheet(tmp_path / "sheet.svg", rows_of(house), title="Houses & more", columns=["input"])
    root = ElementTree.parse(path).getroot()
    assert len(list(root.iter(f"{SVG}g"))) == 3
    assert len([p for p in root.iter(f"{SVG}path") if "d" in p.attrib and " h " not in p.attrib["d"]]) == 9
    assert len(list(root.iter(f"{SVG}image"))) == 1
    texts = [element.text or "" for element in root.iter(f"{SVG}text")]
    assert {"Houses & more", "input", "house", "as drawn"} <= set(texts)
    assert any(text.endswith("...") for text in texts)


@pytest.mark.parametrize("cell", [20, 112, 300])
def test_ink_keeps_whole_pixels_where_it_fits(tmp_path: Path, house: Sketch, cell: int) -> None:
    ink = render(house, RasterSpec())
    path = write_sheet(tmp_path / "sheet.png", [Row("", [Cell(ink)])], cell=cell)
    with Image.open(path) as image:
        picture = 255 - np.array(image.convert("L")).astype(int)
    times = cell // 48
    side = 48 * times if times else cell
    edge = round(cell * 0.2) + (cell - side) // 2
    shown = picture[edge : edge + side, edge : edge + side]
    if times:
        np.testing.assert_allclose(shown[::times, ::times], ink * (221 / 255), atol=2)
        np.testing.assert_array_equal(shown[::times, ::times], shown[times - 1 :: times, times - 1 :: times])
    assert shown.mean() == pytest.approx(ink.mean() * 221 / 255, abs=1.5)


def test_what_makes_no_sheet(tmp_path: Path, house: Sketch, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = rows_of(house)
    with pytest.raises(FileError, match=r"\.png or \.svg"):
        write_sheet(tmp_path / "sheet.pdf", rows)
    with pytest.raises(SettingsError, match="at least 16"):
        write_sheet(tmp_path / "sheet.png", rows, cell=3)
    for empty in ([], [Row("a", [])]):
        with pytest.raises(SettingsError, match="nothing to show"):
            write_sheet(tmp_path / "sheet.png", empty)
    monkeypatch.setattr(sheet, "MAX_PIXELS", 1000)
    with pytest.raises(SettingsError, match="too large; choose smaller cells or fewer rows"):
        write_sheet(tmp_path / "sheet.png", rows)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("shape", [(4, 5), (0, 0), (3, 3, 3)])
def test_ink_must_be_square(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="square"):
        write_sheet(tmp_path / "sheet.png", [Row("", [Cell(np.zeros(shape, np.uint8))])])
