"""`sketch-pix2seq prepare` and `look` as thin skins."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sketch_pix2seq.cli import look, prepare
from sketch_pix2seq.data.store import SketchSet
from sketch_pix2seq.errors import DataError, SettingsError
from sketch_pix2seq.formats import write_sketches
from tests.conftest import random_sketch


@pytest.fixture
def some(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    sketches = [random_sketch(rng, category=name) for name in ["cat"] * 30 + ["[pig]"] * 4]
    (path,) = write_sketches(sketches, tmp_path / "some.ndjson")
    with path.open("a") as file:
        file.write("broken\n" * 9)
    return path


def test_prepare_says_what_it_did(some: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prepare.run(prepare.Settings(paths=(some, tmp_path / "set.arrow"), max_points=20))
    out, err = (" ".join(text.split()) for text in capsys.readouterr())
    kept = len(SketchSet.open(tmp_path / "set.arrow"))
    assert 0 < kept < 34
    assert f"{kept} sketches in 2 categories from 1 files" in out
    assert f"left out: {34 - kept} with more than 20 points" in out
    assert "category sketches train valid test strokes points" in out
    assert "[pig]" in out
    assert err.count("not JSON") == 5
    assert "4 more lines" in err
    assert "fewer than 20 sketches, too few to learn from: [pig]" in err


def test_prepare_warns_of_an_empty_split(some: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prepare.run(prepare.Settings(paths=(some, tmp_path / "set.arrow"), categories=("[pig]",)))
    assert "no sketch in valid and test" in capsys.readouterr().err


@pytest.mark.parametrize("paths", [(), ("a.npz",), ("a.npz", "b.npz"), ("a.arrow",)])
def test_prepare_needs_a_set_to_write(paths: tuple[str, ...]) -> None:
    with pytest.raises(SettingsError, match=r"SOURCE\.\.\. SET\.arrow"):
        prepare.run(prepare.Settings(paths=tuple(map(Path, paths))))


def test_look_shows_figures_and_draws_a_sheet(some: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sheet = tmp_path / "sheet.png"
    look.run(look.Settings(source=some, out=sheet, columns=3))
    out, err = capsys.readouterr()
    assert sheet.read_bytes().startswith(b"\x89PNG")
    assert "[pig]" in out
    assert "sheet.png: 6 drawings" in out.replace("\n", "")
    assert "4 more lines" in err


def test_look_refuses_before_it_reads(tmp_path: Path, some: Path) -> None:
    with pytest.raises(SettingsError, match=r"\.png or \.svg"):
        look.run(look.Settings(source=tmp_path / "none", out=Path("sheet.pdf")))
    with pytest.raises(DataError, match="dog"):
        look.run(look.Settings(source=some, out=tmp_path / "sheet.svg", category=("dog",)))
