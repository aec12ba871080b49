"""The atlas: drawings of every category, each with its code and a place on a map.

The studio's map shows it, and completion compares with its drawings. `studio.atlas` makes one.

``atlas.npz`` in a model folder: ``places`` (n, 2) in 0..1; ``category_ids`` (n,), the index into ``categories``;
``codes`` (n, z) int8, with ``code_scale`` and ``code_offset`` (z,), code = codes * scale + offset; ``points``
(total, 2) int16 in canvas units; ``stroke_starts`` and ``sketch_starts``, where each begins; ``categories`` (JSON),
``drawn_by`` and ``made_from`` as text in uint8.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast, get_args

import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq.drawing.prior import quantised
from sketch_pix2seq.errors import FormatError, ModelError
from sketch_pix2seq.files import write_whole
from sketch_pix2seq.sketch import FloatArray, Sketch

DrawnBy: TypeAlias = Literal["people", "model"]


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
        """Write it; the same atlas gives the same bytes. Raises FileError where that cannot be done."""
        codes, scale, offset = quantised(self.codes)
        strokes = [np.rint(stroke).astype(np.int16) for sketch in self.drawings for stroke in sketch.strokes]
        file = io.BytesIO()
        np.savez_compressed(
            file,
            places=self.places.astype(np.float32),
            category_ids=self.category_ids.astype(np.uint16),
            codes=codes,
            code_scale=scale,
            code_offset=offset,
            points=np.concatenate(strokes),
            stroke_starts=_starts(strokes),
            sketch_starts=_starts(self.drawings),
            categories=_text(json.dumps(self.categories)),
            drawn_by=_text(self.drawn_by),
            made_from=_text(self.made_from),
        )
        return write_whole(path, file.getvalue())

    @classmethod
    def load(cls, path: str | Path) -> Atlas:
        """Read one. Raises ModelError where there is none, FormatError for anything else in its place."""
        try:
            with np.load(path, allow_pickle=False) as arrays:
                return cls._read(dict(arrays))
        except FileNotFoundError as error:
            raise ModelError(f"{path}: no such file; `sketch-pix2seq export map MODEL` makes one") from error
        except (OSError, ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile) as error:
            raise FormatError(path, f"not a map that `sketch-pix2seq export map` made ({error})") from error

    @classmethod
    def _read(cls, arrays: dict[str, NDArray[Any]]) -> Atlas:
        categories = tuple(map(str, json.loads(_untext(arrays["categories"]))))
        ids, places, codes = arrays["category_ids"], arrays["places"], arrays["codes"]
        drawn_by, starts = _untext(arrays["drawn_by"]), arrays["sketch_starts"].astype(np.int64)
        if drawn_by not in get_args(DrawnBy):
            raise ValueError("it does not say who drew it")
        if not (len(ids) == len(codes) == len(starts) - 1 and places.shape == (len(ids), 2) and ids.size):
            raise ValueError("its arrays do not fit each other")
        strokes = np.split(arrays["points"].astype(np.float32), arrays["stroke_starts"].astype(np.int64)[1:-1])
        drawings = tuple(
            Sketch(tuple(strokes[begin:end]), categories[category])
            for begin, end, category in zip(starts[:-1], starts[1:], ids, strict=True)
        )
        return cls(
            categories,
            ids.astype(np.uint16),
            places.astype(np.float32),
            codes * arrays["code_scale"] + arrays["code_offset"],
            drawings,
            cast(DrawnBy, drawn_by),
            _untext(arrays["made_from"]),
        )


def _starts(parts: Sequence[Any]) -> NDArray[np.uint32]:
    return np.cumsum([0, *(len(part) for part in parts)]).astype(np.uint32)


def _text(text: str) -> NDArray[np.uint8]:
    return np.frombuffer(text.encode(), np.uint8)


def _untext(values: NDArray[Any]) -> str:
    return values.astype(np.uint8).tobytes().decode()
