"""Bundles hold what reading sketch by sketch gives, from any part of a file."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from sketch_pix2seq.formats import Problem
from sketch_pix2seq.formats import bundle as bundle_module
from sketch_pix2seq.formats.bundle import Bundle, bundles_of
from sketch_pix2seq.formats.ndjson import is_packed, read_ndjson, read_ndjson_bundles
from sketch_pix2seq.formats.npz import read_npz, read_npz_bundles, write_npz
from sketch_pix2seq.sketch import Sketch
from tests.conftest import random_sketch

ODD = [
    b'{"word":"cat","recognized":true,"key_id":"1","drawing":[[[1,2,3],[4,5,6]],[[7],[8]]]}',
    b'{"drawing":[[[0.5,1e2],[0,1],[0,17]]],"note":null,"list":[1]}',
    b"",
    b"   ",
    b'{"drawing":[]}',
    b'{"drawing":[[[1,2],[3]]]}',
    b'{"drawing":[[[],[]]]}',
    b'{"drawing":[[[true,2],[3,4]]]}',
    b'{"drawing":[[[true],[false]]]}',
    b'{"drawing":[[["1"],[2]]]}',
    b'{"drawing":[[[1,2],[3,1e999]]]}',
    b'{"drawing":[[[1,2],[3,12345678901234567890123]]]}',
    b'{"drawing":[[[1,2],[3,NaN]]]}',
    b'{"drawing":[[[1,2],[3,4],["x","y"]]]}',
    b'{"drawing":[[[1,2],[3,4],[0,1]],[[5],[6]]],"word":""}',
    b'{"drawing":[[[[1],[2]],[3,4]]]}',
    b'{"drawing":{"a":1}}',
    b'{"drawing":[7]}',
    b"[1]",
    b"{broken",
    b"\xff\xfe",
    b'{"drawing":[[[1,1],[1,2]]]}',
]


def sketches_of(bundles: list[Bundle]) -> list[Sketch]:
    found = []
    for bundle in bundles:
        strokes = np.split(bundle.xy, np.cumsum(bundle.strokes)[:-1])
        for k, end in enumerate(np.cumsum(bundle.sketches)):
            parts = tuple(strokes[end - bundle.sketches[k] : end])
            found.append(Sketch(parts, bundle.categories[k], bundle.metadata[k]))
    return found


def without_times(sketches: list[Sketch]) -> list[Sketch]:
    return [Sketch(sketch.strokes, sketch.category, sketch.metadata) for sketch in sketches]


def test_lines_are_read_alike(tmp_path: Path) -> None:
    path = tmp_path / "cat.ndjson"
    path.write_bytes(b"\n".join(ODD))
    problems: list[Problem] = []
    plain = without_times(list(read_ndjson(path, on_problem=problems.append)))
    bundles = list(read_ndjson_bundles(path))
    assert len(plain) == 4
    assert sketches_of(bundles) == plain
    assert [(f"{f.kind} {f.number}", f.message) for b in bundles for f in b.flaws] == [
        (problem.where, problem.message) for problem in problems
    ]


@pytest.mark.parametrize("step", [1, 7, 64, 1000])
def test_parts_of_a_file_are_the_whole(step: int, tmp_path: Path) -> None:
    path = tmp_path / "cat.ndjson"
    path.write_bytes(b"\n".join([*ODD, b""]))
    size = path.stat().st_size
    whole = list(read_ndjson_bundles(path))
    parts = [list(read_ndjson_bundles(path, at, at + step)) for at in range(0, size, step)]
    assert sketches_of([bundle for part in parts for bundle in part]) == sketches_of(whole)
    lines = 0
    flaws = []
    for part in parts:
        flaws += [(lines + flaw.number, flaw.message) for bundle in part for flaw in bundle.flaws]
        lines += part[-1].lines
    assert flaws == [(flaw.number, flaw.message) for bundle in whole for flaw in bundle.flaws]
    assert lines == len(ODD)


def test_lines_longer_than_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sketch_pix2seq.formats.ndjson.MAX_LINE_BYTES", 100)
    path = tmp_path / "cat.ndjson"
    path.write_bytes(b"\n".join([b"x" * 950, ODD[0], b"y" * 333, ODD[-1]]))
    for step in (10, 97, 500):
        parts = [list(read_ndjson_bundles(path, at, at + step)) for at in range(0, 1500, step)]
        assert len(sketches_of([bundle for part in parts for bundle in part])) == 2


def test_what_is_packed(tmp_path: Path) -> None:
    plain, packed = tmp_path / "a.ndjson", tmp_path / "b.ndjson.gz"
    plain.write_bytes(b"\n".join(ODD))
    packed.write_bytes(gzip.compress(b"\n".join(ODD)))
    assert [is_packed(plain), is_packed(packed)] == [False, True]
    same = [replace_category(sketch) for sketch in sketches_of(list(read_ndjson_bundles(plain)))]
    assert [replace_category(sketch) for sketch in sketches_of(list(read_ndjson_bundles(packed)))] == same


def replace_category(sketch: Sketch) -> Sketch:
    return sketch.with_(category="any")


def test_npz_files_are_read_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sketch_pix2seq.formats.npz.MOST_SKETCHES", 7)
    rng = np.random.default_rng(0)
    dot = Sketch((np.zeros((1, 2), np.float32), np.array([[3, 4], [5, 6]], np.float32)))
    path = write_npz(tmp_path / "pig.npz", {"train": [dot, *(random_sketch(rng) for _ in range(20))], "test": [dot]})
    assert sketches_of(list(read_npz_bundles(path))) == [sketch for _, sketch in read_npz(path)]


@pytest.mark.parametrize("kind", [np.float32, np.int32, np.int8])
def test_npz_files_of_other_numbers(kind: type, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    arrays = np.empty(12, object)
    for k in range(12):
        rows = rng.normal(0, 30, (9, 3)).clip(-120, 120)
        rows[:, 2] = rng.integers(0, 2, 9)
        arrays[k] = rows.astype(kind)
    arrays[3] = np.full((4, 3), 7, kind)
    arrays[5] = np.zeros((0, 3), kind)
    np.savez(tmp_path / "pig.npz", train=arrays[:10], valid=arrays[10:])
    problems: list[Problem] = []
    plain = [sketch for _, sketch in read_npz(tmp_path / "pig.npz", on_problem=problems.append)]
    bundles = list(read_npz_bundles(tmp_path / "pig.npz"))
    assert sketches_of(bundles) == plain
    assert [problem.where for problem in problems] == ["train 3", "train 5"]
    assert [f"{f.kind} {f.number}" for b in bundles for f in b.flaws] == ["train 3", "train 5"]


def test_bundles_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    sketches = [random_sketch(rng) for _ in range(25)]
    monkeypatch.setattr(bundle_module, "MOST_SKETCHES", 10)
    bundles = list(bundles_of(sketches))
    assert [len(bundle) for bundle in bundles] == [10, 10, 5]
    assert sketches_of(bundles) == sketches
    kept = np.arange(10) % 3 == 0
    assert sketches_of([bundles[0].only(kept)]) == sketches[0:10:3]
    monkeypatch.setattr(bundle_module, "MOST_POINTS", 1)
    assert all(len(bundle) <= 1 for bundle in bundles_of(sketches))
