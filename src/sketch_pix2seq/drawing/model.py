"""`Model`: a model folder that draws."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq.drawing.runtime import Posterior, Runtime
from sketch_pix2seq.drawing.sampler import SampleSettings, draw_codes
from sketch_pix2seq.errors import ModelError, PictureError, SettingsError
from sketch_pix2seq.model.folder import ModelInfo
from sketch_pix2seq.raster import render
from sketch_pix2seq.sequence import mixed, rows_of
from sketch_pix2seq.sketch import FloatArray, Sketch

Source: TypeAlias = str | Path | Sketch | NDArray[np.uint8]
"""A file of any readable format, a sketch, or an image array (grey ``(h, w)`` or colour ``(h, w, 3 | 4)``)."""

_AT_ONCE = 512
"""Drawings sampled together."""


@dataclass(frozen=True)
class DrawSettings(SampleSettings):
    """How pictures are redrawn."""

    candidates: int = 4
    """Drawings made for each one that is kept: the one whose code is nearest to the picture's; 1 = whatever comes."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.candidates < 1:
            raise SettingsError("candidates must be at least 1")


class Model:
    """Draws pictures again, stroke by stroke. `load_model` makes one."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    @property
    def info(self) -> ModelInfo:
        """Settings, categories and training record."""
        return self.runtime.info

    def __repr__(self) -> str:
        settings = self.info.model
        return f"Model({len(self.info.categories)} categories, {settings.encoder} encoder, z of {settings.z_size})"

    def draw(
        self, source: Source, samples: int = 1, *, seed: int = 0, settings: DrawSettings = DrawSettings()
    ) -> list[Sketch]:
        """Redraw one picture ``samples`` times; see `draw_all`."""
        return self.draw_all([source], samples, seed=seed, settings=settings)[0]

    def draw_all(
        self,
        sources: Sequence[Source],
        samples: int = 1,
        *,
        seed: int = 0,
        settings: DrawSettings = DrawSettings(),
        on_progress: Callable[[int], None] | None = None,
    ) -> list[list[Sketch]]:
        """Redraw each of several pictures ``samples`` times, in canvas units of the picture (its longest side is 255).

        The same seed, weights, settings and device give the same strokes, whatever is drawn beside them.
        on_progress: called with the number of pictures finished since the last call.
        Raises PictureError, FileError or FormatError for a source without a drawing, SettingsError for no samples
        or a seed that is not one.
        """
        if samples < 1:
            raise SettingsError("samples must be at least 1")
        if not 0 <= seed < 1 << 64:
            raise SettingsError("the seed must be a whole number from 0 to 2 ** 64 - 1")
        codes = self.encode(sources)
        each = samples * settings.candidates
        streams = mixed(np.uint64(seed) + np.arange(each, dtype=np.uint64) * np.uint64(0x2545F4914F6CDD1D))
        drawings: list[list[Sketch]] = []
        at_once = max(1, _AT_ONCE // each)
        for begin in range(0, len(codes), at_once):
            part = codes[begin : begin + at_once]
            drawn = draw_codes(self.runtime, np.repeat(part, each, axis=0), np.tile(streams, len(part)), settings)
            drawings.extend(self._kept(part, drawn, samples, settings.candidates))
            if on_progress is not None:
                on_progress(len(part))
        return drawings

    def encode(self, sources: Sequence[Source]) -> FloatArray:
        """Codes ``(n, z)`` of pictures."""
        return self.encode_sketches([read_source(source) for source in sources])

    def encode_sketches(self, sketches: Sequence[Sketch]) -> FloatArray:
        """Codes ``(n, z)`` of sketches: of their ink, or of their strokes where the encoder reads those."""
        return self.posterior(sketches).mean

    def posterior(self, sketches: Sequence[Sketch]) -> Posterior:
        """Mean and log variance of z of sketches."""
        encode = self._encode_strokes if self.info.model.encoder == "rnn" else self._encode_ink
        parts = [encode(sketches[begin : begin + _AT_ONCE]) for begin in range(0, len(sketches), _AT_ONCE)]
        mean = np.concatenate([np.zeros((0, self.info.model.z_size), np.float32), *(part.mean for part in parts)])
        spreads = [part.log_variance for part in parts if part.log_variance is not None]
        return Posterior(mean, np.concatenate(spreads) if spreads else None)

    def _encode_ink(self, sketches: Sequence[Sketch]) -> Posterior:
        ink = np.stack([render(sketch, self.info.model.raster) for sketch in sketches])
        return self.runtime.encode(ink.astype(np.float32) / np.float32(255))

    def _encode_strokes(self, sketches: Sequence[Sketch]) -> Posterior:
        each = [rows_of(sketch, self.info.sequence) for sketch in sketches]
        lengths = np.array([len(rows) for rows in each], np.int32)
        padded = np.zeros((len(each), lengths.max(), 5), np.float32)
        for row, rows in zip(padded, each, strict=True):
            row[: len(rows)] = rows
        return self.runtime.encode_rows(padded, lengths)

    def _kept(self, codes: FloatArray, drawn: list[Sketch], samples: int, candidates: int) -> list[list[Sketch]]:
        """Of each ``candidates`` drawings the one whose own code is nearest to the picture's; unended ones last."""
        shape = (len(codes), samples, candidates)
        if candidates > 1:
            again = self.encode_sketches(drawn).reshape(*shape, -1)
            far = np.square(again - codes[:, None, None, :]).mean(axis=-1)
            far += 1e6 * np.array([not sketch.metadata["ended"] for sketch in drawn]).reshape(shape)
            best = far.argmin(axis=2)
        else:
            best = np.zeros(shape[:2], np.int64)
        return [
            [drawn[(i * samples + j) * candidates + int(best[i, j])] for j in range(samples)] for i in range(len(codes))
        ]


def read_source(source: Source) -> Sketch:
    """The sketch that a source holds (the first, of a file of many), fitted to the canvas."""
    if isinstance(source, Sketch):
        sketch = source
    elif isinstance(source, np.ndarray):
        from sketch_pix2seq.formats.picture import read_picture

        sketch = read_picture(source)
    else:
        from sketch_pix2seq.formats import read_sketches

        found = next(iter(read_sketches(Path(source))), None)
        if found is None:
            raise PictureError(source, "there is no drawing in it")
        sketch = found
    if not sketch.strokes:
        raise ModelError("a sketch without strokes cannot be redrawn")
    return sketch.fit()
