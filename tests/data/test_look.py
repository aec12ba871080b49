"""Figures and samples of sets, files and folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sketch_pix2seq.data.look import LookSettings, look, statistics, write_contact_sheet
from sketch_pix2seq.data.prepare import PrepareSettings, prepare
from sketch_pix2seq.data.store import SketchSet
from sketch_pix2seq.errors import DataError, FileError, FormatError, SettingsError
from sketch_pix2seq.formats import Problem, write_sketches
from sketch_pix2seq.formats.npz import write_npz
from sketch_pix2seq.formats.svg import write_svg
from sketch_pix2seq.sketch import Sketch
from tests.conftest import random_sketch


@pytest.fixture
def some(tmp_path: Path) -> Path:
    """30 cats and 12 pigs in an ndjson file."""
    rng = np.random.default_rng(0)
    sketches = [random_sketch(rng, category=name).fit() for name in ["cat"] * 30 + ["pig"] * 12]
    (path,) = write_sketches(sketches, tmp_path / "some.ndjson")
    return path


@pytest.fixture
def a_set(some: Path, tmp_path: Path) -> Path:
    return prepare([some], tmp_path / "some.arrow", PrepareSettings(simplify_epsilon=0.0)).path


def test_the_figures(tmp_path: Path, house: Sketch) -> None:
    square = np.array([[0, 0], [255, 0], [255, 255], [0, 255], [0, 0]], np.float32)
    write_sketches([Sketch((square,), "square"), Sketch((square, square[:2]), "square")], tmp_path / "a.ndjson")
    (row,) = look(tmp_path / "a.ndjson").statistics
    assert (row.category, row.sketches, row.strokes, row.points) == ("square", 2, 1.5, 6.0)
    assert row.points_95 == pytest.approx(6.9)
    assert row.length == pytest.approx(255 * 4.5)
    assert row.splits == {"train": 0, "valid": 0, "test": 0}


def test_a_set_and_the_file_it_was_made_of_agree(some: Path, a_set: Path) -> None:
    from_file, from_set = look(some).statistics, look(a_set).statistics
    assert [row.category for row in from_set] == ["cat", "pig"]
    for mine, other in zip(from_set, from_file, strict=True):
        assert (mine.sketches, mine.strokes, mine.points) == (other.sketches, other.strokes, other.points)
        assert mine.length == pytest.approx(other.length, rel=1e-3)
    assert sum(from_set[0].splits.values()) == 30
    assert statistics(SketchSet.open(a_set), "valid")[0].sketches == from_set[0].splits["valid"]


def test_samples_of_a_set(a_set: Path) -> None:
    sketches = SketchSet.open(a_set)
    found = look(a_set, LookSettings(columns=5, rows=2))
    assert [len(samples) for samples in found.samples.values()] == [10, 10]
    for name, samples in found.samples.items():
        assert len({sample.origin for sample in samples}) == 10
        for sample in samples:
            assert sample.sketch == sketches[int(sample.origin)]
            assert sample.sketch.category == name
    again, other = look(a_set, LookSettings(columns=5, rows=2)), look(a_set, LookSettings(columns=5, rows=2, seed=1))
    assert again.samples == found.samples != other.samples


def test_samples_of_a_file_are_any_of_its_drawings(some: Path) -> None:
    sheets = [look(some, LookSettings(columns=6, seed=seed)).samples["cat"] for seed in range(15)]
    assert len({sample.sketch for samples in sheets for sample in samples}) > 25
    assert look(some, LookSettings(columns=3)).samples == look(some, LookSettings(columns=3)).samples


def test_by_category_and_split(a_set: Path, tmp_path: Path) -> None:
    found = look(a_set, LookSettings(category=("pig",), split="train", columns=20))
    assert list(found.samples) == ["pig"]
    assert len(found.samples["pig"]) == found.statistics[0].sketches == found.statistics[0].splits["train"] == 10
    rng = np.random.default_rng(0)
    write_npz(tmp_path / "bee.npz", {"train": [random_sketch(rng)], "valid": [random_sketch(rng) for _ in range(3)]})
    (row,) = look(tmp_path / "bee.npz", LookSettings(split="valid")).statistics
    assert (row.category, row.sketches, row.splits["valid"]) == ("bee", 3, 3)


def test_a_folder_with_a_broken_file(tmp_path: Path, house: Sketch) -> None:
    (tmp_path / "huts").mkdir()
    write_svg(tmp_path / "huts" / "good.svg", house)
    (tmp_path / "huts" / "bad.svg").write_text("nothing")
    told: list[Problem] = []
    found = look(tmp_path / "huts", on_problem=told.append)
    assert [sample.origin for sample in found.samples["huts"]] == ["good.svg"]
    assert [problem.path.name for problem in told] == ["bad.svg"]
    with pytest.raises(FormatError):
        look(tmp_path / "huts" / "bad.svg")


def test_what_is_not_there(a_set: Path, some: Path, tmp_path: Path) -> None:
    with pytest.raises(FileError, match="no such file"):
        look(tmp_path / "none.arrow")
    with pytest.raises(DataError, match="no sketch of the category 'dog'"):
        look(a_set, LookSettings(category=("cat", "dog")))
    with pytest.raises(DataError, match="no sketch in the split 'test'"):
        look(some, LookSettings(split="test"))
    with pytest.raises(SettingsError, match="at least one column"):
        look(some, LookSettings(columns=0))


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_the_sheet(suffix: str, a_set: Path, tmp_path: Path) -> None:
    settings = LookSettings(columns=4, rows=2)
    path = write_contact_sheet(tmp_path / f"sheet{suffix}", look(a_set, settings), columns=4, title="some")
    if suffix == ".png":
        with Image.open(path) as image:
            assert image.width < image.height
            assert np.asarray(image.convert("L")).min() < 80
    else:
        text = path.read_text()
        assert text.count("cat<") == 1
        assert "pig" in text


def test_a_sheet_of_another_kind(some: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"written as \.png or \.svg"):
        write_contact_sheet(tmp_path / "sheet.pdf", look(some))
