"""The one door: what is found, what is read and written by suffix, and what categories names tell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sketch_pix2seq.errors import FileError
from sketch_pix2seq.files import replacing
from sketch_pix2seq.formats import (
    MANY_SUFFIXES,
    WRITE_SUFFIXES,
    Problem,
    ReadOptions,
    category_of,
    find_files,
    read_sketches,
    stem_of,
    suffix_of,
    write_sketch,
    write_sketches,
)
from sketch_pix2seq.sketch import Sketch
from tests.conftest import random_sketch


@pytest.mark.parametrize(
    ("name", "suffix", "stem"),
    [
        ("cat.npz", ".npz", "cat"),
        ("a/b/Cat.NDJSON.GZ", ".ndjson.gz", "Cat"),
        ("cat.jsonl", ".jsonl", "cat"),
        ("cat.tar.gz", ".gz", "cat.tar"),
        ("cat.simplified.ndjson", ".ndjson", "cat.simplified"),
        ("v1.2.svg", ".svg", "v1.2"),
        ("cat", "", "cat"),
    ],
)
def test_suffix_and_stem(name: str, suffix: str, stem: str) -> None:
    assert suffix_of(name) == suffix
    assert stem_of(name) == stem


@pytest.mark.parametrize(
    ("name", "category"),
    [
        ("alarm clock.npz", "alarm clock"),
        ("alarm%20clock.npz", "alarm clock"),
        ("alarm_clock.full.npz", "alarm clock"),
        ("sketchrnn_cat.npz", "cat"),
        ("sketchrnn_cat.full.npz", "cat"),
        ("sketchrnn%2Fcat.npz", "cat"),
        ("cat.simplified.ndjson", "cat"),
        ("cat.raw.ndjson.gz", "cat"),
        ("full_simplified_cat.ndjson", "cat"),
        ("full_raw_The Great Wall of China.ndjson", "The Great Wall of China"),
        ("full%2Fsimplified%2Ft-shirt.ndjson", "t-shirt"),
        ("t-shirt.npz", "t-shirt"),
        ("full moon.ndjson", "full moon"),
        ("_.npz", "_"),
    ],
)
def test_category_of_a_name(name: str, category: str) -> None:
    assert category_of(name) == category


def test_find_files(tmp_path: Path) -> None:
    for name in (
        "b/pig/2.png",
        "b/pig/1.SVG",
        "b/ice_cream/x.jpg",
        "b/cat.npz",
        "b/notes.txt",
        "b/.hidden/a.png",
        "z.svg",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "b" / "pig" / "._1.png").touch()
    found = find_files([tmp_path / "z.svg", tmp_path / "b", tmp_path / "b" / "pig" / "2.png"])
    assert [(path.relative_to(tmp_path).as_posix(), category) for path, category in found] == [
        ("z.svg", None),
        ("b/cat.npz", None),
        ("b/ice_cream/x.jpg", "ice cream"),
        ("b/pig/1.SVG", "pig"),
        ("b/pig/2.png", "pig"),
    ]


def test_inputs_that_cannot_be_found(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(FileError, match=r"missing.png: no such file or folder"):
        find_files([tmp_path / "missing.png"])
    with pytest.raises(FileError, match=r"notes.txt: .txt cannot be read; these can: .npz .ndjson"):
        find_files([tmp_path / "notes.txt"])
    with pytest.raises(FileError, match=r"holds no file that can be read; these can: .npz"):
        find_files([tmp_path])
    with pytest.raises(FileError, match=r".txt cannot be read"):
        list(read_sketches(tmp_path / "notes.txt"))


@pytest.mark.parametrize("suffix", WRITE_SUFFIXES)
def test_writing_every_format_makes_its_folder(tmp_path: Path, house: Sketch, suffix: str) -> None:
    path = house.save(tmp_path / "new" / "folder" / f"house{suffix}")
    assert path.stat().st_size > 50
    assert [entry.name for entry in path.parent.iterdir()] == [f"house{suffix}"]


@pytest.mark.parametrize("suffix", [*MANY_SUFFIXES, ".svg"])
def test_what_is_written_is_read(tmp_path: Path, house: Sketch, suffix: str) -> None:
    (found,) = read_sketches(write_sketch(house, tmp_path / f"house{suffix}"), options=ReadOptions(strict=True))
    assert found.category == "house"
    moved = [stroke - house.strokes[0][0] for stroke in house.strokes]
    for stroke, expected in zip(found.strokes, moved, strict=True):
        assert np.allclose(stroke - found.strokes[0][0], expected, atol=0.02)
    assert found.metadata.get("split") == ("train" if suffix == ".npz" else None)


def test_a_picture_is_read(tmp_path: Path, house: Sketch) -> None:
    (found,) = read_sketches(write_sketch(house, tmp_path / "house.png"))
    assert len(found) >= 1


def test_many_in_one_and_one_each(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    sketches = [random_sketch(rng) for _ in range(3)]
    assert write_sketches(iter(sketches), tmp_path / "thing.ndjson") == [tmp_path / "thing.ndjson"]
    assert list(read_sketches(tmp_path / "thing.ndjson")) == sketches
    assert write_sketches(sketches, tmp_path / "thing.svg") == [
        tmp_path / "thing" / f"thing-000{number}.svg" for number in (1, 2, 3)
    ]
    assert write_sketches(sketches[:1], tmp_path / "one.svg") == [tmp_path / "one.svg"]
    assert write_sketches([], tmp_path / "none.svg") == []


def test_places_that_cannot_be_written(tmp_path: Path, house: Sketch) -> None:
    with pytest.raises(FileError, match=r".docx cannot be written; these can: .npz"):
        write_sketch(house, tmp_path / "house.docx")
    with pytest.raises(FileError, match="a file without a suffix cannot be written"):
        write_sketches([house], tmp_path / "house")
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match="cannot be made"):
        write_sketch(house, tmp_path / "file" / "house.svg")


def test_replacing_keeps_the_old_file_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("old")

    def fail_half_way() -> None:
        with replacing(path) as part:
            part.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert path.read_text() == "old"
    with replacing(path) as part:
        part.write_text("new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_problem_says_where(tmp_path: Path) -> None:
    assert str(Problem(Path("a.ndjson"), "line 12", "not JSON")) == "a.ndjson: line 12: not JSON"
    assert str(Problem(Path("a.png"), "", "blank")) == "a.png: blank"
