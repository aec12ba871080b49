"""sketch-rnn files: real ones and round trips come through, whatever is hostile is refused and never run."""

from __future__ import annotations

import io
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sketch_pix2seq.errors import FileError, FormatError
from sketch_pix2seq.formats import Problem
from sketch_pix2seq.formats import npz as npz_module
from sketch_pix2seq.formats.npz import UNSPLIT, read_npz, read_npz_stroke3, write_npz, write_npz_mixed
from sketch_pix2seq.sketch import Sketch
from tests.conftest import random_sketch

Rows = NDArray[np.int16]

DRAWINGS: list[Rows] = [
    np.array([[10, 0, 0], [0, 10, 1], [5, 5, 0], [-3, 7, 1]], np.int16),
    np.array([[255, -1, 1]], np.int16),
    np.array([[300, 2, 0], [-32000, 9, 1]], np.int16),
]


def object_array(items: list[Any]) -> NDArray[np.object_]:
    array = np.empty(len(items), object)
    for index, item in enumerate(items):
        array[index] = item
    return array


def npy(pickled: bytes, items: int, descr: str = "|O") -> bytes:
    """A .npy file whose object array is the given pickle."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": descr, "fortran_order": False, "shape": (items,)})
    return buffer.getvalue() + pickled


def archive(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return path


def with_pickle(path: Path, pickled: bytes, items: int = 1) -> Path:
    return archive(path, {"train.npy": npy(pickled, items)})


def npy_of_python2(pickled: bytes, items: int) -> bytes:
    """The same with the header that Python 2 writes where a number is a long."""
    return npy(pickled, items).replace(b"(%d,), }  " % items, b"(%dL,), } " % items)


def python2_pickle(drawings: list[Rows]) -> bytes:
    """What Python 2's cPickle (protocol 2) makes of an object array: names and data are byte strings."""
    none_state = b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xff"
    out = b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85U\x01b\x87Rq\x03"
    out += b"(K\x01" + b"M" + struct.pack("<H", len(drawings)) + b"\x85"
    out += b"cnumpy\ndtype\nq\x04U\x02O8K\x00K\x01\x87Rq\x05(K\x03U\x01|" + none_state + b"K?tb\x89]q\x06("
    for index, rows in enumerate(drawings):
        dtype = b"h\x04U\x02i2K\x00K\x01\x87Rq\x07(K\x03U\x01<" + none_state + b"K\x00tb" if index == 0 else b"h\x07"
        data = rows.tobytes()
        out += b"h\x01h\x02K\x00\x85U\x01b\x87Rr" + struct.pack("<I", 300 + index)
        out += b"(K\x01\x8a\x01" + bytes([len(rows)]) + b"K\x03\x86" + dtype
        out += b"\x89T" + struct.pack("<I", len(data)) + data + b"tb"
    return out + b"etb."


def read_with_numpy(path: Path, split: str) -> list[Rows]:
    with np.load(path, allow_pickle=True, encoding="latin1") as file:
        return list(file[split])


def same(found: list[Rows], expected: list[Rows]) -> bool:
    return len(found) == len(expected) and all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


# -- what must be read ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", [2, 3, 4])
@pytest.mark.parametrize("dtype", ["<i2", ">i2", "<i4", "<f4", "<f8"])
def test_pickles_of_python_3(tmp_path: Path, protocol: int, dtype: str) -> None:
    drawings = object_array([rows.astype(dtype) for rows in DRAWINGS])
    path = with_pickle(tmp_path / "cat.npz", pickle.dumps(drawings, protocol), len(drawings))
    assert same(read_npz_stroke3(path)["train"], DRAWINGS)
    assert len(list(read_npz(path, strict=True))) == len(DRAWINGS)


def test_pickles_of_python_2(tmp_path: Path) -> None:
    pickled = python2_pickle(DRAWINGS)
    path = with_pickle(tmp_path / "cat.npz", pickled, len(DRAWINGS))
    assert same(read_with_numpy(path, "train"), DRAWINGS)
    assert same(read_npz_stroke3(path)["train"], DRAWINGS)
    archive(path, {"train.npy": (member := npy_of_python2(pickled, len(DRAWINGS)))})
    assert b"(3L,)" in member
    assert same(read_npz_stroke3(path)["train"], DRAWINGS)


def test_what_numpy_saves(tmp_path: Path) -> None:
    path = tmp_path / "sketchrnn_alarm clock.full.npz"
    shared = object_array([DRAWINGS[0], DRAWINGS[0], np.asfortranarray(DRAWINGS[2])])
    np.savez(path, train=shared, valid=np.array([]), test=np.stack([DRAWINGS[0]] * 3), std=np.float32(20.0))
    found = list(read_npz(path))
    assert [split for split, _ in found] == ["train"] * 3 + ["test"] * 3
    assert {sketch.category for _, sketch in found} == {"alarm clock"}
    assert dict(found[0][1].metadata) == {"split": "train"}
    assert found[0][1].to_stroke3(implicit_origin=True).tolist() == DRAWINGS[0].tolist()
    assert same(read_npz_stroke3(path)["train"], [DRAWINGS[0], DRAWINGS[0], DRAWINGS[2]])
    assert [split for split, _ in read_npz(path, splits=["test"])] == ["test"] * 3


def test_points_and_lengths(tmp_path: Path) -> None:
    path = tmp_path / "roller_coaster.npz"
    points, lengths = np.concatenate(DRAWINGS), np.array([len(rows) for rows in DRAWINGS], np.int32)
    np.savez_compressed(path, points=points, lengths=lengths)
    found = list(read_npz(path))
    assert [split for split, _ in found] == [UNSPLIT] * 3
    assert found[1][1].category == "roller coaster"
    assert not found[1][1].metadata
    assert same(read_npz_stroke3(path)[UNSPLIT], DRAWINGS)
    np.savez_compressed(path, points=points, lengths=lengths + 1)
    with pytest.raises(FormatError, match="lengths add up to 10 where there are 7"):
        list(read_npz(path))


def test_round_trip(tmp_path: Path, house: Sketch) -> None:
    rng = np.random.default_rng(1)
    sketches = {split: [random_sketch(rng, category="thing") for _ in range(9)] for split in ("train", "valid", "test")}
    sketches["train"].append(house)
    path = write_npz(tmp_path / "thing.npz", sketches)
    found = list(read_npz(path, strict=True))
    expected = [(split, sketch) for split, sketches_of in sketches.items() for sketch in sketches_of]
    assert [split for split, _ in found] == [split for split, _ in expected]
    for (_, sketch), (_, original) in zip(found, expected, strict=True):
        start = original.strokes[0][0]
        assert [s.tolist() for s in sketch.strokes] == [(s - start).tolist() for s in original.strokes]
    assert same(read_with_numpy(path, "valid"), read_npz_stroke3(path)["valid"])
    assert all(rows.dtype == np.int16 for rows in read_with_numpy(path, "train"))
    assert os.listdir(tmp_path) == ["thing.npz"]  # noqa: PTH208


def test_equally_long_drawings_stay_a_list(tmp_path: Path) -> None:
    sketches = [Sketch((np.array([[0, 0], [step, 9]], np.float32),)) for step in range(4)]
    path = write_npz(tmp_path / "line.npz", {"train": sketches})
    assert read_with_numpy(path, "train")[2].tolist() == [[2, 9, 1]]
    assert len(read_with_numpy(path, "test")) == 0
    assert len(list(read_npz(path))) == 4


def test_a_dot_keeps_its_pen_up(tmp_path: Path) -> None:
    sketch = Sketch((np.array([[5, 5]], np.float32), np.array([[9, 5], [9, 9]], np.float32)))
    (_, found), *_ = read_npz(write_npz(tmp_path / "dot.npz", {"train": [sketch]}))
    assert [stroke.tolist() for stroke in found.strokes] == [[[0, 0]], [[4, 0], [4, 4]]]


def test_rounding_does_not_add_up(tmp_path: Path) -> None:
    points = np.stack([np.arange(400) * 0.4, np.zeros(400)], axis=1).astype(np.float32)
    (_, found), *_ = read_npz(write_npz(tmp_path / "line.npz", {"train": [Sketch((points,))]}))
    assert np.abs(found.points() - points).max() <= 0.5


def test_splits_of_mixed_sketches(tmp_path: Path, house: Sketch) -> None:
    sketches = [house.with_(metadata={"split": split}) for split in ("test", "train", "test", "other")] + [house]
    counts = {
        split: len(rows) for split, rows in read_npz_stroke3(write_npz_mixed(tmp_path / "h.npz", sketches)).items()
    }
    assert counts == {"train": 3, "valid": 0, "test": 2}


def test_writing_refuses_what_does_not_fit(tmp_path: Path, house: Sketch) -> None:
    path = write_npz(tmp_path / "h.npz", {"train": [house]})
    before = path.read_bytes()
    far = Sketch((np.array([[0, 0], [40000, 0]], np.float32),))
    with pytest.raises(FileError, match="step longer than 32,767"):
        write_npz(path, {"train": [house, far]})
    with pytest.raises(FileError, match="without strokes"):
        write_npz(path, {"train": [Sketch(())]})
    with pytest.raises(FileError, match="does not exist"):
        write_npz(tmp_path / "missing" / "h.npz", {"train": [house]})
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["h.npz"]


def test_broken_drawings_are_reported(tmp_path: Path) -> None:
    items: list[Any] = [
        DRAWINGS[0],
        np.zeros((0, 3), np.int16),
        np.array([[1, 1, 2]], np.int16),
        np.array([[np.nan, 0, 1]]),
        np.array([[1e300, 0, 1]]),
        np.zeros((4, 2), np.int16),
        np.zeros(3, bool),
        DRAWINGS[1],
    ]
    path = tmp_path / "cat.npz"
    np.savez(path, train=object_array(items))
    problems: list[Problem] = []
    assert len(list(read_npz(path, on_problem=problems.append))) == 2
    assert [problem.where for problem in problems] == [f"train {index}" for index in range(1, 7)]
    assert "no points" in problems[0].message
    assert "pen state" in problems[1].message
    assert "not a number up to" in problems[2].message
    assert "not a number up to" in problems[3].message
    assert "shape (4, 2)" in problems[4].message
    with pytest.raises(FormatError, match="train 1: has no points"):
        list(read_npz(path, strict=True))


@pytest.mark.shared
def test_real_files_as_numpy_reads_them(shared_data: Path) -> None:
    path = shared_data / "quickdraw" / "alarm clock.npz"
    found = read_npz_stroke3(path, strict=True)
    assert all(same(found[split], read_with_numpy(path, split)) for split in ("train", "valid", "test"))
    teacher = list(read_npz(shared_data / "teacher" / "roller_coaster.npz", strict=True))
    assert len(teacher) == 6000


# -- what must be refused -------------------------------------------------------------------------------------

MARKER = "SKETCH_PIX2SEQ_HOSTILE_RAN"


class Calls:
    """Pickles as a call of ``function(*arguments)``."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


def _frame(*parts: bytes) -> bytes:
    return b"\x80\x04" + b"".join(parts)


def _array_opening() -> bytes:
    return b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"


def _dtype(code: bytes) -> bytes:
    return b"cnumpy\ndtype\nU" + bytes([len(code)]) + code + b"K\x00K\x01\x87R"


_SET = f"import os; os.environ[{MARKER!r}] = '1'"
HOSTILE: dict[str, bytes] = {
    "os.system": pickle.dumps(Calls(os.system, "true"), 2),
    "exec": pickle.dumps(Calls(exec, _SET), 4),
    "exec in an item": pickle.dumps(object_array([DRAWINGS[0], Calls(exec, _SET)]), 4),
    "exec in an item, protocol 2": pickle.dumps(object_array([Calls(exec, _SET)]), 2),
    "another name of numpy": b"\x80\x02cnumpy.testing._private.utils\nrunstring\n)R.",
    "an attribute path": _frame(b"\x8c\x05numpy\x8c\x10ndarray.__class__\x93)R."),
    "a very long name": b"\x80\x02c" + b"x" * 100_000 + b"\ny\n.",
    "protocol 0": pickle.dumps(object_array([DRAWINGS[0]]), 0),
    "protocol 5": pickle.dumps(object_array([DRAWINGS[0]]), 5),
    "protocol 200": b"\x80\xc8N.",
    "persistent id": _frame(b"X\x01\x00\x00\x00aQ."),
    "extension registry": _frame(b"\x82\x01."),
    "new object": _frame(b"cnumpy\nndarray\n)\x81."),
    "instance": b"\x80\x02(inumpy\nndarray\n.",
    "a dictionary as state": _frame(_array_opening(), b"}b."),
    "state on a list": _frame(b"]Nb."),
    "a call of a list": _frame(b"])R."),
    "a call of ndarray": _frame(b"cnumpy\nndarray\nJ\xff\xff\xff\x7f\x85R."),
    "an odd codec": _frame(b"c_codecs\nencode\nX\x01\x00\x00\x00aX\x04\x00\x00\x00zlib\x86R."),
    "text that is no latin-1": _frame(b"c_codecs\nencode\nX\x03\x00\x00\x00\xe2\x82\xacX\x06\x00\x00\x00latin1\x86R."),
    "a huge shape": _frame(
        _array_opening(), b"(K\x01J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86", _dtype(b"i2"), b"\x89U\x06abcdeftb."
    ),
    "a negative shape": _frame(_array_opening(), b"(K\x01J\xff\xff\xff\xff\x85", _dtype(b"i2"), b"\x89U\x02abtb."),
    "records": _frame(_array_opening(), b"(K\x01K\x01\x85", _dtype(b"V8"), b"\x89U\x0812345678tb."),
    "a type that does not exist": _frame(_array_opening(), b"(K\x01K\x01\x85", _dtype(b"f1"), b"\x89U\x01atb."),
    "objects made of bytes": _frame(_array_opening(), b"(K\x01K\x01\x85", _dtype(b"O8"), b"\x89U\x0812345678tb."),
    "an array within itself": _frame(_array_opening(), b"q\x00(K\x01K\x01\x85", _dtype(b"O8"), b"\x89]h\x00atb."),
    "items that are no arrays": _frame(_array_opening(), b"(K\x01K\x01\x85", _dtype(b"O8"), b"\x89]K\x01atb."),
    "more items than announced": pickle.dumps(object_array(list(DRAWINGS)), 4),
    "a number for an array": _frame(b"K\x01."),
    "a huge memo index": _frame(b"Nr\xff\xff\xff\x7fj\xff\xff\xff\x7e."),
    "a value of 2**62 bytes": _frame(b"\x8e" + struct.pack("<Q", 1 << 62)),
    "a frame of 2**62 bytes": _frame(b"\x95" + struct.pack("<Q", 1 << 62)),
    "deep nesting": _frame(b"]" + b"\x85" * 5_000_000 + b"."),
    "a tall stack": _frame(b"N" * 5_000_000 + b"."),
    "many marks": _frame(b"(" * 5_000_000 + b"."),
    "nothing to pop": _frame(b"R."),
    "no mark": _frame(b"Kt."),
    "no end": _frame(b"N"),
    "nothing": b"",
    "more after the end": pickle.dumps(object_array([DRAWINGS[0]]), 4) + b"cos\nsystem\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pickles_are_refused_and_not_run(tmp_path: Path, name: str) -> None:
    path = with_pickle(tmp_path / "cat.npz", HOSTILE[name])
    with pytest.raises(FormatError) as caught:
        list(read_npz(path))
    assert "refused" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < 300 + len(str(path))
    assert MARKER not in os.environ


def test_what_is_asked_for_is_named(tmp_path: Path) -> None:
    path = with_pickle(tmp_path / "cat.npz", pickle.dumps(Calls(exec, _SET), 4))
    with pytest.raises(FormatError, match=r"asks for 'builtins.exec', which no array needs; nothing was run"):
        list(read_npz(path))


def test_a_pickle_cut_anywhere_is_refused(tmp_path: Path) -> None:
    whole = pickle.dumps(object_array([DRAWINGS[0]]), 4)
    for end in range(0, len(whole), 3):
        with pytest.raises(FormatError):
            read_npz_stroke3(with_pickle(tmp_path / "cat.npz", whole[:end]))


@pytest.mark.parametrize("source", ["python 2", "python 3", "zip"])
def test_damage_gives_drawings_or_one_clear_error(tmp_path: Path, source: str) -> None:
    rng = np.random.default_rng(7)
    path = tmp_path / "cat.npz"
    whole = python2_pickle(DRAWINGS) if source == "python 2" else pickle.dumps(object_array(list(DRAWINGS)), 4)
    if source == "zip":
        whole = with_pickle(path, whole, 3).read_bytes()
    for _ in range(150):
        damaged = bytearray(whole)
        for at in rng.integers(0, len(damaged), 3):
            damaged[at] = rng.integers(0, 256)
        if source == "zip":
            path.write_bytes(damaged)
        else:
            with_pickle(path, bytes(damaged), 3)
        message = ""
        try:
            list(read_npz(path))
        except FileError as error:
            message = str(error)
        assert len(message.splitlines()) <= 1


def test_files_that_are_no_npz(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "cat.npz"

    def refused(pattern: str) -> None:
        with pytest.raises(FileError, match=pattern):
            list(read_npz(path))

    refused("no such file")
    for content in (b"", b"hello", b"PK\x03\x04" + b"\0" * 50):
        path.write_bytes(content)
        refused("not an .npz file, or a damaged one")
    whole = with_pickle(path, pickle.dumps(object_array(list(DRAWINGS)), 4), 3).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    refused("not an .npz file")
    archive(path, {"../../train.npy": b"x", "other.npy": b"y"})
    refused(r"holds ../../train, other; a sketch-rnn file holds train, valid, test")
    archive(path, {"train.npy": b"hello"})
    refused("not a NumPy array")
    archive(path, {"train.npy": npy(b"", 1, "V8")})
    refused("numbers are needed")
    archive(path, {"train.npy": npy(b"ab", 100, "<i2")})
    refused("damaged: 2 bytes do not make an array")
    archive(path, {"train.npy": npy(b"", 10**12)})
    refused("more drawings or strokes than a file of its size")
    archive(path, {"train.npy": npy(b"", 5).replace(b"(5,), }" + b" " * 30, b"(" + b"1" * 35 + b"), }")})
    refused("which no array has")
    archive(path, {"train.npy": npy(b"ab", 1, "<i2")})
    refused(r"a list of \(n, 3\) arrays is needed")
    archive(path, {"train.npy": npy(pickle.dumps(object_array([])), 0)}, zipfile.ZIP_LZMA)
    refused("packed in a way that NumPy never does")
    archive(path, {"train.npy": npy(b"\0" * (80 << 20), 40 << 20, "<i2")})
    refused("unpacks to far more than drawings do")
    monkeypatch.setattr(npz_module, "MAX_MEMBER_BYTES", 1 << 20)
    refused("up to 1048576 are read")


def test_locked_archives_are_refused(tmp_path: Path) -> None:
    path = with_pickle(tmp_path / "cat.npz", pickle.dumps(object_array([DRAWINGS[0]]), 4))
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(FormatError, match="packed in a way"):
        list(read_npz(path))
