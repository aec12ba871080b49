"""What is broken in a file is named and left out, and what is written can be read again."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sketch_pix2seq.data.prepare import PrepareSettings, prepare
from sketch_pix2seq.errors import FileError, FormatError, SketchError
from sketch_pix2seq.formats import Problem, read_sketches, write_sketches
from sketch_pix2seq.formats.convert import convert
from sketch_pix2seq.formats.npz import write_npz
from sketch_pix2seq.sketch import Sketch
from tests.formats.test_npz import DRAWINGS, archive, npy, object_array

HERE = Path(__file__).parent / "hostile"
CASES = {
    "f2nan.npz": (2, "train 0", "a step that is not a number"),
    "surrogate-meta.ndjson": (1, "line 1", "the metadata's 'countrycode' is not text"),
    "surrogate-word.ndjson": (1, "line 1", "the category .* is not text"),
}


@pytest.mark.parametrize("name", CASES)
def test_one_bad_drawing_is_named_and_the_others_are_kept(name: str, tmp_path: Path) -> None:
    kept, where, message = CASES[name]
    problems: list[Problem] = []
    report = convert([HERE / name], tmp_path / "out.ndjson", on_problem=problems.append)
    assert report.sketches == kept
    assert [problem.where for problem in problems] == [where]
    prepared = prepare([HERE / name], tmp_path / "set.arrow", PrepareSettings(min_points=1))
    assert prepared.sketches == kept
    assert [problem.where for problem in prepared.problems] == [where]
    with pytest.raises(FormatError, match=message):
        list(read_sketches(HERE / name, options=None, on_problem=_raise))


def _raise(problem: Problem) -> None:
    raise FormatError(problem.path, f"{problem.where}: {problem.message}")


@pytest.mark.parametrize("dtype", ["<f2", "<f4", ">f8", "<i8", "<u8", "|i1"])
def test_rows_of_any_type_and_value_are_drawings_or_named(dtype: str, tmp_path: Path) -> None:
    rng = random.Random(4)
    items = []
    for _ in range(300):
        raw = rng.randbytes(np.dtype(dtype).itemsize * 6)
        rows = np.frombuffer(raw, dtype).reshape(2, 3).copy()
        rows[:, 2] = [0, 1]
        items.append(rows)
    path = tmp_path / "x.npz"
    np.savez(path, train=object_array([*items, np.array([[1, 2, 0], [3, 4, 1]], dtype)]))
    problems: list[Problem] = []
    sketches = list(read_sketches(path, on_problem=problems.append))
    assert sketches
    assert len(sketches) + len(problems) == 301


def test_steps_that_add_up_beyond_what_a_sketch_holds_are_named(tmp_path: Path) -> None:
    far = np.full((40_000, 3), [32_000, 0, 0], np.int16)
    path = tmp_path / "x.npz"
    np.savez_compressed(path, train=object_array([far, *DRAWINGS]))
    problems: list[Problem] = []
    assert len(list(read_sketches(path, on_problem=problems.append))) == len(DRAWINGS)
    assert [str(p) for p in problems] == [f"{path}: train 0: leads to a point beyond 1,000,000,000 units"]
    assert prepare([path], tmp_path / "set.arrow", PrepareSettings(min_points=1)).problem_count == 1


@pytest.mark.parametrize("suffix", [".ndjson", ".npz", ".svg", ".png"])
def test_pipes_and_folders_are_refused_at_once(suffix: str, tmp_path: Path) -> None:
    pipe, folder = tmp_path / f"pipe{suffix}", tmp_path / f"folder{suffix}"
    os.mkfifo(pipe)
    folder.mkdir()
    with pytest.raises(FileError, match="is no ordinary file; a file is needed"):
        list(read_sketches(pipe))
    with pytest.raises(FileError, match="is a folder; a file is needed"):
        list(read_sketches(folder))


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"c\xfft")
    folder.mkdir()
    (folder / os.fsdecode(b"a\xff.svg")).write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0L5 5L6 9L1 3"/></svg>'
    )
    (folder / os.fsdecode(b"b\xff.ndjson")).write_text('{"drawing":[[[0,10,20,30],[0,10,5,9]]]}')
    assert convert([folder], tmp_path / "out.ndjson").sketches == 2
    assert {sketch.category for sketch in read_sketches(tmp_path / "out.ndjson")} == {"c\ufffdt", "b\ufffd"}
    assert prepare([folder], tmp_path / "set.arrow", PrepareSettings(min_points=1)).sketches == 2


def test_drawings_that_pack_too_well_are_stored(tmp_path: Path) -> None:
    sketch = Sketch((np.array([[0, 0], [9, 9]], np.float32),), "cat")
    for suffix in (".npz", ".ndjson.gz"):
        (path,) = write_sketches([sketch] * 12_000, tmp_path / f"x{suffix}")
        assert sum(1 for _ in read_sketches(path)) == 12_000


def test_what_no_file_can_hold_is_not_written(tmp_path: Path) -> None:
    many = Sketch((np.random.default_rng(0).integers(0, 255, (3_000_000, 2)).astype(np.float32),), "cat")
    with pytest.raises(FileError, match="npz file cannot hold that many"):
        write_npz(tmp_path / "x.npz", {"train": [many]})
    with pytest.raises(FileError, match="a sketch of 3,000,000 points takes more than 8 MB"):
        many.save(tmp_path / "x.ndjson")
    assert not list(tmp_path.iterdir())


def test_a_packed_file_that_holds_too_much_is_read_up_to_there(tmp_path: Path) -> None:
    import gzip

    line = b'{"drawing":[[[1,2],[3,4]]]}\n'
    (tmp_path / "x.ndjson.gz").write_bytes(gzip.compress(line * 30_000))
    problems: list[Problem] = []
    assert 10_000 <= len(list(read_sketches(tmp_path / "x.ndjson.gz", on_problem=problems.append))) < 11_000
    assert "far more than drawings pack to" in problems[0].message
    archive(tmp_path / "y.npz", {"train.npy": npy(b"\x80\x04]" + b"Na" * 10_000_000, 1)})
    with pytest.raises(FormatError, match="unpacks to far more than drawings do"):
        list(read_sketches(tmp_path / "y.npz"))


numbers = st.one_of(
    st.integers(-300, 300).map(float),
    st.floats(-1e9, 1e9, width=32),
    st.sampled_from((0.0, 1e-40, 1e9, -1e9, 16777217.0)),
)
strokes = arrays(np.float32, st.tuples(st.integers(1, 5), st.just(2)), elements=numbers)
text = st.text(st.characters(codec="utf-8"), max_size=8)
labels = st.dictionaries(
    text, st.one_of(text, st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(-1e300, 1e300))
)


@given(
    drawn=st.lists(strokes, max_size=4),
    category=st.none() | text,
    metadata=labels,
    suffix=st.sampled_from((".ndjson", ".ndjson.gz", ".npz")),
)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_saved_can_be_read(
    drawn: list[Any], category: str | None, metadata: dict[str, Any], suffix: str, tmp_path: Path
) -> None:
    sketch = Sketch(tuple(drawn), category, metadata)
    path = tmp_path / f"x{suffix}"
    try:
        sketch.save(path)
    except SketchError:
        return
    (back,) = read_sketches(path)
    assert len(back) == len(sketch)
    if suffix != ".npz":
        assert [stroke.tolist() for stroke in back.strokes] == [stroke.tolist() for stroke in sketch.strokes]
        assert dict(back.metadata) == {k: v for k, v in metadata.items() if k not in ("word", "drawing")}
