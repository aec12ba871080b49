"""`Model`: a model folder that draws."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq.categories import category_named
from sketch_pix2seq.drawing.atlas import Atlas
from sketch_pix2seq.drawing.constants import MODEL
from sketch_pix2seq.drawing.flow import LEVEL, Given, sample_codes
from sketch_pix2seq.drawing.recognition import Classifier
from sketch_pix2seq.drawing.runtime import DrawingState, Posterior, Runtime, Told
from sketch_pix2seq.drawing.sampler import SampleSettings, draw
from sketch_pix2seq.errors import ModelError, PictureError, SettingsError
from sketch_pix2seq.model.folder import ATLAS, CLASSIFIER, FLOW, ModelInfo
from sketch_pix2seq.raster import ink_of, shades_of
from sketch_pix2seq.sequence import mixed, rows_of, uniform
from sketch_pix2seq.sketch import FloatArray, Sketch

if TYPE_CHECKING:
    from PIL.Image import Image

Source: TypeAlias = "str | Path | Sketch | NDArray[np.uint8] | Image"
"""A file of any readable format, a sketch, an image array (grey ``(h, w)`` or colour ``(h, w, 3 | 4)``) or Pillow's
image."""

FREEDOM: float = MODEL["freedom"]
"""Freedom where none is given and the model has a flow."""
_AT_ONCE = 512
"""Pictures encoded together."""
_DRAWN_AT_ONCE = 2048
"""Drawings sampled together."""
_SURE: float = MODEL["sure"]
"""Probability from which the classifier's category is what the flow is told of a picture."""


@dataclass(frozen=True)
class DrawSettings(SampleSettings):
    """How pictures and categories are drawn."""

    freedom: float | None = None
    """How closely drawings follow the picture: 0 = its lines; in between = the same thing in the same pose; 1 = only
    its category. It is the level to which the picture's code is noised before the flow denoises it (SDEdit, Meng et
    al. 2022). Default: 0.4; 0 for a model without a flow."""
    guidance: float = MODEL["guidance"]
    """Weight of classifier-free guidance (Ho & Salimans 2022) in the flow: 1 is as varied as people's drawings, more is
    clearer and less varied."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.freedom is not None and not 0 <= self.freedom <= 1:
            raise SettingsError(f"freedom is a number from 0 to 1, not {self.freedom:g}")
        if self.guidance < 0:
            raise SettingsError("guidance cannot be below 0")


class Model:
    """Draws pictures again, and categories from nothing, stroke by stroke. `load_model` makes one."""

    def __init__(self, runtime: Runtime, folder: Path | None = None, *, has_flow: bool | None = None) -> None:
        """folder: the model folder, for what else lies in it; has_flow: whether codes can be drawn, if not by
        folder."""
        self.runtime = runtime
        self._folder = folder
        self.has_flow = (folder is not None and (folder / FLOW).exists()) if has_flow is None else has_flow

    @property
    def info(self) -> ModelInfo:
        """Settings, categories and training record."""
        return self.runtime.info

    @cached_property
    def atlas(self) -> Atlas | None:
        """Clear drawings of every category, where the model's folder has them."""
        if self._folder is None or not (self._folder / ATLAS).exists():
            return None
        return Atlas.load(self._folder / ATLAS)

    @cached_property
    def classifier(self) -> Classifier | None:
        """What names pictures, where the model's folder has it."""
        if self._folder is None or not (self._folder / CLASSIFIER).exists():
            return None
        return Classifier(self._folder / CLASSIFIER)

    @property
    def has_encoder(self) -> bool:
        """Whether it has an encoder; a decoder alone draws from nothing and continues started drawings."""
        return self.info.model.encoder != "none"

    def check_encoder(self) -> None:
        """Raise ModelError for a model without an encoder."""
        if not self.has_encoder:
            raise ModelError(
                "this model has no encoder, so it sees no pictures: it draws from nothing (draw --category NAME) and "
                "continues started drawings (create complete)"
            )

    def __repr__(self) -> str:
        settings = self.info.model
        if not self.has_encoder:
            return f"Model({len(self.info.categories)} categories, a decoder alone)"
        return f"Model({len(self.info.categories)} categories, {settings.encoder} encoder, z of {settings.z_size})"

    # -- drawing ------------------------------------------------------------------------------------------

    def draw(
        self,
        source: Source,
        samples: int = 1,
        *,
        seed: int = 0,
        settings: DrawSettings = DrawSettings(),
        category: str | None = None,
    ) -> list[Sketch]:
        """Redraw one picture ``samples`` times; see `draw_all`."""
        return self.draw_all([source], samples, seed=seed, settings=settings, category=category)[0]

    def draw_all(
        self,
        sources: Sequence[Source],
        samples: int = 1,
        *,
        seed: int = 0,
        settings: DrawSettings = DrawSettings(),
        category: str | None = None,
        on_progress: Callable[[int], None] | None = None,
    ) -> list[list[Sketch]]:
        """Redraw each of several pictures ``samples`` times, in canvas units of the picture (its longest side is 255).

        The same seed, weights, settings and device give the same strokes, whatever is drawn beside them. category: what
        the pictures show, for freedom above 0; unless given, what the folder's classifier takes each for.
        on_progress: called with the number of pictures finished since the last call.
        Raises PictureError, FileError or FormatError for a source without a drawing, SettingsError for no samples, an
        unknown category or a seed that is not one, ModelError for freedom above 0 and a model without a flow.
        """
        self.check_encoder()
        _check_asked(samples, seed)
        freedom = self._freedom(settings)
        sketches = [read_source(source) for source in sources]
        if self.info.model.encoder == "rnn":
            return self.draw_codes(self.encode_sketches(sketches), samples, seed=seed, settings=settings)
        ink = self.ink_of(sketches)
        codes = self.encode_ink(ink)
        if freedom == 0:
            return self.draw_codes(codes, samples, pictures=ink, seed=seed, settings=settings, on_progress=on_progress)
        index = None if category is None else self.index_of(category)
        known = self.recognise(ink) if index is None else np.full(len(ink), index, np.int64)
        return self.vary_codes(codes, known, samples, seed=seed, settings=settings, on_progress=on_progress)

    def draw_codes(
        self,
        codes: FloatArray,
        samples: int = 1,
        *,
        pictures: NDArray[np.uint8] | None = None,
        category: NDArray[np.int64] | None = None,
        level: float = 0.0,
        seed: int = 0,
        settings: DrawSettings = DrawSettings(),
        on_progress: Callable[[int], None] | None = None,
    ) -> list[list[Sketch]]:
        """Draw each of several codes ``(n, z)`` ``samples`` times, as they are; otherwise like `draw_all`.

        pictures: their ink ``(n, size, size)``, 255 = line, to be followed where the model attends to pictures; without
        it, codes alone are drawn. category: index of each ``(n,)``, not told unless given. level: the noise in the
        codes, which the decoder is told.
        """
        self.check_encoder()
        _check_asked(samples, seed)
        if pictures is not None:
            self._check_ink(pictures, len(codes))
        told = Told.nothing(self.info, len(codes))._replace(level=np.full(len(codes), level, np.float32))
        if category is not None:
            told = told._replace(category=category)
        if pictures is not None and self.info.model.attend > 0:
            told = told._replace(picture=shades_of(pictures))
        streams, n = streams_of(seed, samples), len(codes)
        drawings: list[Sketch] = []
        for begin in range(0, n * samples, _DRAWN_AT_ONCE):
            part = np.arange(begin, min(begin + _DRAWN_AT_ONCE, n * samples))
            drawings += self._drawn(codes, told, part // samples, streams[part % samples], settings)
            if on_progress is not None:
                on_progress(int(part[-1] + 1) // samples - begin // samples)
        return [drawings[i * samples : (i + 1) * samples] for i in range(n)]

    def _drawn(
        self,
        codes: FloatArray,
        told: Told,
        sources: NDArray[np.int64],
        streams: NDArray[np.uint64],
        settings: DrawSettings,
    ) -> list[Sketch]:
        """One drawing of the code ``sources[i]`` for each stream; a code is started once for all its drawings."""

        def begin(runtime: Runtime, chosen: NDArray[np.int64]) -> DrawingState:
            some, inverse = np.unique(sources[chosen], return_inverse=True)
            state = runtime.start(codes[some], told.select(some))
            return state.select(inverse)

        followed = settings.proposals > 1 and told.picture.any()
        return draw(self.runtime, begin, streams, settings, pictures=told.picture[sources] if followed else None)

    def vary_codes(
        self,
        codes: FloatArray,
        category: NDArray[np.int64],
        samples: int = 1,
        *,
        seed: int = 0,
        settings: DrawSettings = DrawSettings(),
        on_progress: Callable[[int], None] | None = None,
    ) -> list[list[Sketch]]:
        """Variations of codes ``(n, z)``: noised to the level ``settings.freedom``, brought back by the flow, drawn."""
        freedom, n = self._freedom(settings), len(codes)
        streams = streams_of(seed, samples)
        drawings: list[Sketch] = []
        for begin in range(0, n * samples, _DRAWN_AT_ONCE):
            part = np.arange(begin, min(begin + _DRAWN_AT_ONCE, n * samples))
            source, stream = part // samples, streams[part % samples]
            given = Given.of(category[source], codes.shape[1])
            new, _ = sample_codes(
                self.runtime, given, stream, guidance=settings.guidance, codes=codes[source], level=freedom
            )
            drawings += self._from_flow(new, given.category, stream, settings)
            if on_progress is not None:
                on_progress(int(part[-1] + 1) // samples - begin // samples)
        return [drawings[i * samples : (i + 1) * samples] for i in range(n)]

    def draw_between(
        self,
        codes: FloatArray,
        levels: FloatArray,
        samples: int = 1,
        *,
        seed: int = 0,
        settings: DrawSettings = DrawSettings(),
    ) -> list[list[Sketch]]:
        """Draw codes ``(n, z)`` that no picture has, such as mixtures, each noised to its level ``(n,)`` and brought
        back by the flow without a category; as they are, by a model without a flow. Samples share their random numbers
        over the codes, so that near codes are drawn alike.
        """
        _check_asked(samples, seed)
        if not self.has_flow:
            return self.draw_codes(codes, samples, seed=seed, settings=settings)
        sources = np.repeat(np.arange(len(codes)), samples)
        streams = np.tile(streams_of(seed, samples), len(codes))
        unknown = np.full(len(sources), len(self.info.categories), np.int64)
        given = Given.of(unknown, codes.shape[1])
        new, _ = sample_codes(self.runtime, given, streams, guidance=1, codes=codes[sources], level=levels[sources])
        drawings = self._from_flow(new, unknown, streams, settings)
        return [drawings[i * samples : (i + 1) * samples] for i in range(len(codes))]

    def _from_flow(
        self, codes: FloatArray, category: NDArray[np.int64], streams: NDArray[np.uint64], settings: DrawSettings
    ) -> list[Sketch]:
        told = Told.nothing(self.info, len(codes))
        told = told._replace(level=np.full(len(codes), LEVEL, np.float32), category=category)
        return self._drawn(codes, told, np.arange(len(codes)), streams, settings)

    def generate(
        self,
        category: str | Sequence[str] | None,
        samples: int = 1,
        *,
        seed: int = 0,
        settings: DrawSettings = DrawSettings(),
        on_progress: Callable[[int], None] | None = None,
    ) -> list[Sketch]:
        """Draw ``samples`` things of a category from nothing, or (None) of any category.

        Of several categories ``samples`` of each, in their order, drawn together. Codes are drawn by the flow from
        noise. A model without an encoder has no codes: it draws from its first state.
        on_progress: called with the number of drawings finished since the last call.
        Raises ModelError for a model without a flow, SettingsError for an unknown category.
        """
        _check_asked(samples, seed)
        if category is None:
            several = [self.info.categories[c] for c in any_category(seed, samples, len(self.info.categories))]
        else:
            several = [name for name in ([category] if isinstance(category, str) else category) for _ in range(samples)]
        wanted = np.array([self.index_of(name) for name in several], np.int64)
        if category is not None and not self.has_encoder and len(self.info.categories) > 1:
            raise SettingsError(
                f"this model cannot be told which of its {len(self.info.categories)} categories to draw; any of them "
                "comes with `--category any`"
            )
        streams = streams_of(seed, len(wanted))
        drawings: list[Sketch] = []
        for begin in range(0, len(wanted), _DRAWN_AT_ONCE):
            part = slice(begin, begin + _DRAWN_AT_ONCE)
            drawings += self._generated(wanted[part], streams[part], settings)
            if on_progress is not None:
                on_progress(len(wanted[part]))
        names = [self.info.categories[c] for c in wanted]
        return [drawing.with_(category=name) for drawing, name in zip(drawings, names, strict=True)]

    def _generated(
        self, category: NDArray[np.int64], streams: NDArray[np.uint64], settings: DrawSettings
    ) -> list[Sketch]:
        if not self.has_encoder:
            told = Told.nothing(self.info, 1)
            sources = np.zeros(len(streams), np.int64)
            return self._drawn(np.zeros((1, 0), np.float32), told, sources, streams, settings)
        given = Given.of(category, self.info.model.z_size)
        codes, _ = sample_codes(self.runtime, given, streams, guidance=settings.guidance)
        return self._from_flow(codes, category, streams, settings)

    def _freedom(self, settings: DrawSettings) -> float:
        if settings.freedom is None:
            return FREEDOM if self.has_flow else 0.0
        if settings.freedom > 0 and not self.has_flow:
            raise ModelError("this model has no flow over codes, so it draws at freedom 0 alone")
        return settings.freedom

    # -- what pictures show -------------------------------------------------------------------------------

    def index_of(self, category: str) -> int:
        """Place of a category among `ModelInfo.categories`, whatever its case.

        Raises SettingsError for one that the model does not know.
        """
        return self.info.categories.index(category_named(category, self.info.categories))

    def recognise(self, ink: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Index of the category that each ink ``(n, size, size)`` shows; the number of categories where that is
        unsure."""
        known, unknown = {name: i for i, name in enumerate(self.info.categories)}, len(self.info.categories)
        if self.classifier is None or self.classifier.raster != self.info.model.raster or not len(ink):
            return np.full(len(ink), unknown, np.int64)
        logits, _ = self.classifier.look_at_ink(ink)
        probability = np.exp(logits - logits.max(axis=1, keepdims=True))
        probability /= probability.sum(axis=1, keepdims=True)
        best = probability.argmax(axis=1)
        sure = probability[np.arange(len(ink)), best] >= _SURE
        index = np.array([known.get(self.classifier.categories[b], unknown) for b in best], np.int64)
        return np.where(sure, index, unknown)

    # -- codes --------------------------------------------------------------------------------------------

    def encode(self, sources: Sequence[Source]) -> FloatArray:
        """Codes ``(n, z)`` of pictures."""
        self.check_encoder()
        return self.encode_sketches([read_source(source) for source in sources])

    def encode_sketches(self, sketches: Sequence[Sketch]) -> FloatArray:
        """Codes ``(n, z)`` of sketches: of their ink, or of their strokes where the encoder reads those."""
        return self.posterior(sketches).mean

    def encode_ink(self, ink: NDArray[np.uint8]) -> FloatArray:
        """Codes ``(n, z)`` of ink ``(n, size, size)``, 255 = line, as `raster.render` gives it.

        Raises ModelError for a model whose encoder reads strokes, or that has none, SettingsError for ink of another
        size.
        """
        self.check_encoder()
        if self.info.model.encoder == "rnn":
            raise ModelError("this model's encoder reads strokes, not ink")
        self._check_ink(ink, len(ink))
        parts = [self._encode_ink(ink[begin : begin + _AT_ONCE]).mean for begin in range(0, len(ink), _AT_ONCE)]
        return np.concatenate([np.zeros((0, self.info.model.z_size), np.float32), *parts])

    def ink_of(self, sketches: Sequence[Sketch]) -> NDArray[np.uint8]:
        """Ink ``(n, size, size)``, 255 = line, of sketches, as the encoder sees them."""
        return ink_of(sketches, self.info.model.raster)

    def code_of(self, thing: Source, *, seed: int = 0) -> FloatArray:
        """The code ``(z,)`` of a picture; of a category, where a text is the name of one and not of a file.

        A category's is drawn by the flow, with this seed. Raises what reading the picture raises, SettingsError for a
        text that is neither.
        """
        self.check_encoder()
        if isinstance(thing, str) and not Path(thing).exists() and not Path(thing).suffix and "/" not in thing:
            given = Given.of(np.array([self.index_of(thing)], np.int64), self.info.model.z_size)
            codes, _ = sample_codes(self.runtime, given, streams_of(seed, 1), guidance=DrawSettings().guidance)
            return np.asarray(codes[0])
        return np.asarray(self.encode([thing])[0])

    def posterior(self, sketches: Sequence[Sketch]) -> Posterior:
        """Mean and log variance of z ``(n, z)`` of sketches; the log variance is None where z is not sampled."""
        self.check_encoder()
        size = self.info.model.z_size
        encode = self._encode_strokes if self.info.model.encoder == "rnn" else self._render_and_encode
        parts = [encode(sketches[begin : begin + _AT_ONCE]) for begin in range(0, len(sketches), _AT_ONCE)]
        mean = np.concatenate([np.zeros((0, size), np.float32), *(part.mean for part in parts)])
        spreads = [part.log_variance for part in parts if part.log_variance is not None]
        return Posterior(mean, np.concatenate(spreads) if spreads else None)

    def _render_and_encode(self, sketches: Sequence[Sketch]) -> Posterior:
        return self._encode_ink(self.ink_of(sketches))

    def _encode_ink(self, ink: NDArray[np.uint8]) -> Posterior:
        return self.runtime.encode(shades_of(ink))

    def _encode_strokes(self, sketches: Sequence[Sketch]) -> Posterior:
        each = [rows_of(sketch, self.info.sequence) for sketch in sketches]
        lengths = np.array([len(rows) for rows in each], np.int32)
        padded = np.zeros((len(each), lengths.max(), 5), np.float32)
        for row, rows in zip(padded, each, strict=True):
            row[: len(rows)] = rows
        return self.runtime.encode_rows(padded, lengths)

    def _check_ink(self, ink: NDArray[np.uint8], n: int) -> None:
        size = self.info.model.raster.size
        if ink.shape != (n, size, size):
            raise SettingsError(f"ink of the shape ({n}, {size}, {size}) is needed, not {ink.shape}")


def streams_of(seed: int, n: int) -> NDArray[np.uint64]:
    """A seed for each of n drawings."""
    return mixed(np.uint64(seed) + np.arange(n, dtype=np.uint64) * np.uint64(0x2545F4914F6CDD1D))


def any_category(seed: int, n: int, count: int) -> list[int]:
    """Which of ``count`` categories each of n drawings of any category is."""
    counters = mixed(np.array([seed ^ 1], np.uint64)) + np.arange(n, dtype=np.uint64)
    chances = uniform(counters.astype(np.uint64))
    return [int(chance * count) for chance in chances]


def _check_asked(samples: int, seed: int) -> None:
    if samples < 1:
        raise SettingsError("samples must be at least 1")
    if not 0 <= seed < 1 << 64:
        raise SettingsError("the seed must be a whole number from 0 to 2 ** 64 - 1")


def read_source(source: Source) -> Sketch:
    """The sketch that a source holds (the first, of a file of many), fitted to the canvas."""
    if isinstance(source, Sketch):
        sketch = source
    elif not isinstance(source, str | Path):
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
