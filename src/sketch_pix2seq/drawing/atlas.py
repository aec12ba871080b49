"""The map: drawings of every category, each with its code and a place in the plane. `studio.atlas` makes one.

``atlas.safetensors`` in a model folder: ``places`` (n, 2) in 0..1; ``category_ids`` (n,), the index into
``categories``; ``codes`` (n, z) int8, in 1/32; ``points`` (total, 2) int16 in canvas units; ``stroke_starts`` and
``sketch_starts``, where each begins; ``categories`` (JSON), ``drawn_by`` and ``made_from`` in the metadata.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast, get_args

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from sketch_pix2seq.errors import FileError, FormatError, ModelError
from sketch_pix2seq.files import open_to_read, write_whole
from sketch_pix2seq.plain import typed
from sketch_pix2seq.sketch import FloatArray, Sketch

DrawnBy: TypeAlias = Literal["people", "model"]
_CODE_UNITS = 32
"""Stored steps a unit of a code."""
_TYPES = {
    "places": np.float16,
    "category_ids": np.uint16,
    "codes": np.int8,
    "points": np.int16,
    "stroke_starts": np.uint32,
    "sketch_starts": np.uint32,
}


@dataclass(frozen=True, eq=False)
class Atlas:
    """n drawings with their codes and places."""

    categories: tuple[str, ...]
    category_ids: NDArray[np.uint16]
    places: FloatArray
    """``(n, 2)`` in 0..1, x to the right and y down."""
    codes: FloatArray
    """``(n, z)``."""
    drawings: tuple[Sketch, ...]
    drawn_by: DrawnBy
    made_from: str = ""
    """What stands for the model and the set that it was made from."""

    def __len__(self) -> int:
        return len(self.drawings)

    def save(self, path: str | Path) -> Path:
        """Write it; the same map gives the same bytes. Raises FileError where that cannot be done."""
        strokes = [np.rint(stroke).astype(np.int16) for sketch in self.drawings for stroke in sketch.strokes]
        arrays = {
            "places": self.places.astype(np.float16),
            "category_ids": self.category_ids.astype(np.uint16),
            "codes": np.clip(np.rint(self.codes * _CODE_UNITS), -127, 127).astype(np.int8),
            "points": np.concatenate(strokes),
            "stroke_starts": _starts(strokes),
            "sketch_starts": _starts(self.drawings),
        }
        about = {"categories": json.dumps(self.categories), "drawn_by": self.drawn_by, "made_from": self.made_from}
        return write_whole(path, _ordered(save({k: np.ascontiguousarray(v) for k, v in arrays.items()}, about)))

    @classmethod
    def load(cls, path: str | Path) -> Atlas:
        """Read one. Raises ModelError where there is none, FormatError for anything else in its place."""
        try:
            open_to_read(path).close()
            with safe_open(path, "np") as file:
                return cls._read({name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {})  # noqa: SIM118
        except FileError as error:
            raise ModelError(f"{error}; `sketch-pix2seq export map MODEL` makes one") from error
        except (SafetensorError, OSError, ValueError, KeyError, RecursionError) as error:
            raise FormatError(path, f"not a map that `sketch-pix2seq export map` made ({error})") from error

    @classmethod
    def _read(cls, arrays: dict[str, NDArray[Any]], about: Mapping[str, str]) -> Atlas:
        categories = typed(json.loads(about["categories"]), tuple[str, ...])
        if about["drawn_by"] not in get_args(DrawnBy):
            raise ValueError("it does not say who drew it")
        _check(arrays, len(categories))
        ids, places, codes = arrays["category_ids"], arrays["places"], arrays["codes"]
        drawn_by, starts = about["drawn_by"], arrays["sketch_starts"].astype(np.int64)
        strokes = np.split(arrays["points"].astype(np.float32), arrays["stroke_starts"].astype(np.int64)[1:-1])
        drawings = tuple(
            Sketch(tuple(strokes[begin:end]), categories[category])
            for begin, end, category in zip(starts[:-1], starts[1:], ids, strict=True)
        )
        return cls(
            categories,
            ids.astype(np.uint16),
            places.astype(np.float32),
            codes.astype(np.float32) / np.float32(_CODE_UNITS),
            drawings,
            cast(DrawnBy, drawn_by),
            about.get("made_from", ""),
        )


def _check(arrays: Mapping[str, NDArray[Any]], categories: int) -> None:
    """Raise ValueError where the arrays of a map are not of their types, do not fit each other or leave their range."""
    found = {name: array.dtype for name, array in arrays.items()}
    if found != _TYPES:
        raise ValueError(f"its arrays are {', '.join(f'{k} ({v})' for k, v in found.items())}"[:200])
    ids, places, points = arrays["category_ids"], arrays["places"], arrays["points"]
    n = len(ids) if ids.ndim == 1 else 0
    if not n or places.shape != (n, 2) or points.shape[1:] != (2,):
        raise ValueError("its arrays do not fit each other")
    if arrays["codes"].shape[:-1] != (n,):
        raise ValueError("its codes do not fit its drawings")
    strokes = arrays["stroke_starts"]
    for name, starts, parts, end in (
        ("stroke", strokes, None, len(points)),
        ("sketch", arrays["sketch_starts"], n, len(strokes) - 1),
    ):
        steps = np.diff(starts.astype(np.int64)) if starts.ndim == 1 else np.zeros(0)
        if not len(steps) or len(steps) != (parts or len(steps)) or starts[0] != 0 or starts[-1] != end:
            raise ValueError(f"its {name}_starts do not fit what they are the starts of")
        if (steps < 1).any():
            raise ValueError(f"its {name}_starts do not rise")
    if ids.max() >= categories:
        raise ValueError(f"it has no category {ids.max()}")
    if not ((places >= 0) & (places <= 1)).all():
        raise ValueError("a place is not in 0 to 1")


def _ordered(file: bytes) -> bytes:
    """A safetensors file with its header in order; safetensors writes the metadata in an order that changes."""
    begin = 8 + int.from_bytes(file[:8], "little")
    header = json.dumps(json.loads(file[8:begin]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + file[begin:]


def _starts(parts: Sequence[Any]) -> NDArray[np.uint32]:
    return np.cumsum([0, *(len(part) for part in parts)]).astype(np.uint32)
