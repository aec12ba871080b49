"""Inputs that are as much work as can be for their size, for each format: each function makes about ``size`` bytes."""

from __future__ import annotations

import gzip
import io
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from sketch_pix2seq.formats import read_sketches
from sketch_pix2seq.formats.limits import most_bytes, most_items
from tests.formats.test_npz import npy

Maker = Callable[[int], bytes]

NDJSON_UNITS: dict[str, tuple[str, str, str]] = {
    "small drawings": ("", '{"drawing":[[[1],[1]]]}\n', ""),
    "broken lines": ("", "{}\n", ""),
    "empty lines": ("", "\n", '{"drawing":[[[1],[1]]]}'),
    "a line of lists": ('{"drawing":[', "[],", "[]]}"),
    "a line of objects": ('{"drawing":[', '{"":0},', "0]}"),
    "a line of strokes": ('{"drawing":[', "[[1],[1]],", "[[1],[1]]]}"),
    "a line of times": ('{"drawing":[', "[[1],[1],[1]],", "[[1],[1],[1]]]}"),
    "a line of numbers": ('{"drawing":[[[', "1,", "1],[1]]]}"),
    "a line of metadata": ("{", '"%d":"a",', '"drawing":[[[1],[1]]]}'),
    "nested": ("", "[", ""),
    "a long text": ('{"drawing":[[["', "a", '",1],[1,2]]]}'),
    "a long text beside numbers": ('{"drawing":[[["' + "a" * 5000 + '",', "1,", "1],[1]]]}"),
    "a long number": ('{"drawing":[[[', "9", "],[1]]]}"),
    "a long fraction": ('{"drawing":[[[0.', "3", "],[1]]]}"),
    "escapes": ('{"drawing":[[[1],[1]]],"a":"', "\\ud83d", '"}'),
}


def ndjson(name: str) -> Maker:
    begin, unit, end = NDJSON_UNITS[name]

    def make(size: int) -> bytes:
        count = max(1, (size - len(begin) - len(end)) // len(unit))
        middle = "".join(unit % k for k in range(count)) if "%d" in unit else unit * count
        return (begin + middle + end).encode()

    return make


def gzipped(name: str) -> Maker:
    """The same packed, as much as is read of a file of ``size`` bytes; what is missing of these is padding."""
    plain = ndjson(name)

    def make(size: int) -> bytes:
        lines = 1 + size // (3 << 20 >> 3)
        packed = gzip.compress(b"\n".join([plain((most_bytes(size) - 1000) // lines)] * lines), 9)
        header = b"\x1f\x8b\x08\x04" + bytes(6) + struct.pack("<H", 0xFFFF) + bytes(0xFFFF) + b"\x03\x00" + bytes(8)
        return header * ((size - len(packed)) // len(header)) + packed

    return make


def _archive(members: dict[str, bytes], size: int) -> bytes:
    """A zip file of the members, padded to ``size`` bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        for name, data in members.items():
            file.writestr(name, data)
        if (missing := size - len(out.getvalue()) - 200) > 0:
            file.writestr("padding", bytes(missing), zipfile.ZIP_STORED)
    return out.getvalue()


def _saved(array: Any) -> bytes:
    out = io.BytesIO()
    np.save(out, array, allow_pickle=True)
    return out.getvalue()


def _pickled(size: int, items: int) -> bytes:
    rng = np.random.default_rng(3)
    array = np.empty(items, object)
    for index in range(items):
        array[index] = rng.integers(-20, 21, (4, 3)).astype(np.int16)
        array[index][:, 2] = 1
    return _archive({"train.npy": npy(pickle.dumps(array, protocol=4), items)}, size)


def _opcodes(unit: bytes, begin: bytes = b"", *, items: int = 1) -> Maker:
    return lambda size: _archive(
        {"train.npy": npy(b"\x80\x04" + begin + unit * ((most_bytes(size) - 1000) // len(unit)), items)}, size
    )


def _plain_layout(dtype: str, points_each: int) -> Maker:
    def make(size: int) -> bytes:
        most = (most_items(size) - 10) * 4 if points_each > 1 else most_items(size) - 10
        count = min(most_bytes(size) // (3 * np.dtype(dtype).itemsize + 2), most) // points_each * points_each
        points = np.zeros((count, 3), dtype)
        points[:, 2] = 1
        lengths = np.full(count // points_each, points_each, np.int64 if points_each > 255 else np.uint8)
        return _archive({"points.npy": _saved(points), "lengths.npy": _saved(lengths)}, size)

    return make


NPZ: dict[str, Maker] = {
    "small drawings": lambda size: _pickled(size, size // 22),
    "many drawings": _plain_layout("i1", 1),
    "some strokes": _plain_layout("i1", 4),
    "many strokes": _plain_layout("i1", 1000),
    "wide numbers": _plain_layout("f8", 1000),
    "cheap instructions": _opcodes(b"Na", b"]"),
    "tuples": _opcodes(b"\x85", b")"),
    "empty lists": _opcodes(b"](e"),
    "noted values": _opcodes(b"\x94", b"N"),
    "long values": _opcodes(b"B" + struct.pack("<I", 200) + bytes(200) + b"0"),
    "names": _opcodes(b"c" + b"a" * 190 + b"\n" + b"b\n"),
    "members": lambda size: _archive({str(k): b"" for k in range(size // 100)}, size),
}

MAKERS: dict[str, tuple[str, Maker]] = {
    **{f"ndjson, {name}": (".ndjson", ndjson(name)) for name in NDJSON_UNITS},
    **{f"gzip, {name}": (".ndjson.gz", gzipped(name)) for name in NDJSON_UNITS},
    **{f"npz, {name}": (".npz", maker) for name, maker in NPZ.items()},
}
"""By name: the suffix, and what makes a file of about so many bytes."""


def read_all(path: Path) -> int:
    """Drawings of a file. Raises SketchError for one that is refused."""
    return sum(1 for _ in read_sketches(path))
