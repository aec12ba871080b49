"""`Model`: a model folder that draws."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq.drawing.atlas import Atlas
from sketch_pix2seq.drawing.prior import SPREAD, Prior, unknown_category
from sketch_pix2seq.drawing.runtime import Posterior, Runtime
from sketch_pix2seq.drawing.sampler import SampleSettings, draw_codes
from sketch_pix2seq.errors import ModelError, PictureError, SettingsError
from sketch_pix2seq.model.folder import ATLAS, ModelInfo
from sketch_pix2seq.raster import ink_of, shades_of
from sketch_pix2seq.sequence import mixed, rows_of
from sketch_pix2seq.sketch import FloatArray, Sketch

Source: TypeAlias = str | Path | Sketch | NDArray[np.uint8]
"""A file of any readable format, a sketch, or an image array (grey ``(h, w)`` or colour ``(h, w, 3 | 4)``)."""

_AT_ONCE = 512
"""Pictures encoded together."""
_DRAWN_AT_ONCE = 2048
"""Drawings sampled together."""
_ROUNDS = 2
"""How often a drawing from nothing is seen and drawn again."""


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

    def __init__(self, runtime: Runtime, prior: Prior | Path | None = None) -> None:
        """prior: one, or the model folder to read it from when it is needed."""
        self.runtime = runtime
        self._prior = prior
        self._folder = prior if isinstance(prior, Path) else None

    @property
    def info(self) -> ModelInfo:
        """Settings, categories and training record."""
        return self.runtime.info

    @property
    def prior(self) -> Prior:
        """What codes each category has. Raises ModelError where the model's folder does not say."""
        if self._prior is None:
            raise ModelError("this model has no prior, which drawing from nothing needs")
        if isinstance(self._prior, Path):
            self._prior = Prior.load(self._prior)
        return self._prior

    @cached_property
    def atlas(self) -> Atlas | None:
        """Clear drawings of every category, where the model's folder has them."""
        if self._folder is None or not (self._folder / ATLAS).exists():
            return None
        return Atlas.load(self._folder / ATLAS)

    @property
    def sees(self) -> bool:
        """Whether it has an encoder; a decoder alone draws from nothing and goes on with what is begun."""
        return self.info.model.encoder != "none"

    def check_sees(self) -> None:
        """Raise ModelError for a model without an encoder."""
        if not self.sees:
            raise ModelError(
                "this model has no encoder, so it sees no pictures: it draws from nothing (draw --category NAME) and "
                "goes on with what is begun (create complete)"
            )

    def __repr__(self) -> str:
        settings = self.info.model
        if not self.sees:
            return f"Model({len(self.info.categories)} categories, a decoder alone)"
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
        self.check_sees()
        sketches = [read_source(source) for source in sources]
        pictures = None
        if self.info.model.encoder == "rnn":
            codes = self.encode_sketches(sketches)
        else:
            pictures = self.ink_of(sketches)
            codes = self.encode_ink(pictures)
        return self.draw_codes(codes, samples, pictures=pictures, seed=seed, settings=settings, on_progress=on_progress)

    def draw_codes(
        self,
        codes: FloatArray,
        samples: int = 1,
        *,
        pictures: NDArray[np.uint8] | None = None,
        seed: int = 0,
        settings: DrawSettings = DrawSettings(),
        on_progress: Callable[[int], None] | None = None,
    ) -> list[list[Sketch]]:
        """Draw each of several codes ``(n, z)`` ``samples`` times; otherwise like `draw_all`.

        pictures: their ink ``(n, size, size)``, 255 = line, where a model with a glimpse shall look at it while it
        draws; without it, it draws from the codes alone, as other models do in any case.
        """
        self.check_sees()
        if pictures is not None:
            self._check_ink(pictures, len(codes))
        each = _asked(samples, seed) * settings.candidates
        streams = _streams(seed, each)
        drawings: list[list[Sketch]] = []
        at_once = max(1, _DRAWN_AT_ONCE // each)
        for begin in range(0, len(codes), at_once):
            part = codes[begin : begin + at_once]
            shown = None if pictures is None else shades_of(pictures[begin : begin + at_once])
            drawn = draw_codes(self.runtime, part, np.tile(streams, len(part)), settings, shown)
            drawings.extend(self._kept(part, drawn, samples, settings.candidates))
            if on_progress is not None:
                on_progress(len(part))
        return drawings

    def imagine(
        self,
        category: str | Sequence[str] | None,
        samples: int = 1,
        *,
        seed: int = 0,
        settings: DrawSettings = DrawSettings(),
        spread: float = SPREAD,
        on_progress: Callable[[int], None] | None = None,
    ) -> list[Sketch]:
        """Draw ``samples`` things of a category from nothing, or (None) of any category, as often as it learned them.

        Of several categories ``samples`` of each, in their order, drawn together.

        Codes are sampled from the prior and drawn; what was drawn is encoded and drawn again, twice, which leads from
        codes that no picture has to pictures that the model thinks plausible (Bengio et al. 2013, "Generalized
        denoising auto-encoders as generative models"). Of twice ``settings.candidates`` such drawings the one is kept
        that the prior takes most surely for its category; with one candidate it is whatever comes.
        A model without an encoder has no codes: it draws from its first state, and again, up to ``settings.candidates``
        times, what did not end by itself.
        spread: see `Prior.sample`.
        on_progress: called with the number of drawings finished since the last call.
        Raises ModelError for a model without a prior, SettingsError for an unknown category.
        """
        _asked(samples, seed)
        if not self.sees:
            return self._imagine_unseen(category, samples, seed, settings, on_progress)
        prior, each = self.prior, 1 if settings.candidates == 1 else 2 * settings.candidates
        if category is None:
            rng = np.random.default_rng([seed, 1])
            names = [prior.categories[c] for c in rng.choice(len(prior.categories), samples, p=prior.shares)]
        else:
            several = [category] if isinstance(category, str) else category
            names = [name for name in several for _ in range(samples)]
        wanted = np.repeat([prior.index(name) for name in names], each)
        codes = prior.sample(len(wanted), [prior.categories[c] for c in wanted], seed=seed, spread=spread)
        streams = _streams(seed, len(codes))
        kept: list[Sketch] = []
        at_once = max(1, _DRAWN_AT_ONCE // each) * each
        for begin in range(0, len(codes), at_once):
            part = slice(begin, begin + at_once)
            drawn = draw_codes(self.runtime, codes[part], streams[part], settings)
            for turn in range(1, _ROUNDS + 1):
                again = self.encode_sketches(drawn)
                drawn = draw_codes(self.runtime, again, streams[part] + np.uint64(turn), settings)
            best = self._surest(drawn, wanted[part], each) if each > 1 else np.zeros(len(drawn), np.int64)
            for i, choice in enumerate(best):
                kept.append(drawn[i * each + int(choice)].with_(category=names[begin // each + i]))
            if on_progress is not None:
                on_progress(len(best))
        return kept

    def _imagine_unseen(
        self,
        category: str | Sequence[str] | None,
        samples: int,
        seed: int,
        settings: DrawSettings,
        on_progress: Callable[[int], None] | None,
    ) -> list[Sketch]:
        """`imagine` of a decoder alone."""
        several = [category] if category is None or isinstance(category, str) else category
        names = [self.drawn_category(name) for name in several for _ in range(samples)]
        streams = _streams(seed, len(names))
        kept: list[Sketch] = []
        for begin in range(0, len(names), _DRAWN_AT_ONCE):
            part = streams[begin : begin + _DRAWN_AT_ONCE]
            drawn = draw_codes(self.runtime, self.no_codes(len(part)), part, settings)
            for turn in range(1, settings.candidates):
                left = [i for i, sketch in enumerate(drawn) if not sketch.metadata["ended"]]
                if not left:
                    break
                again = draw_codes(self.runtime, self.no_codes(len(left)), part[left] + np.uint64(turn), settings)
                for i, sketch in zip(left, again, strict=True):
                    drawn[i] = sketch
            kept += [sketch.with_(category=name) for sketch, name in zip(drawn, names[begin:], strict=False)]
            if on_progress is not None:
                on_progress(len(part))
        return kept

    def no_codes(self, n: int) -> FloatArray:
        """Codes ``(n, 0)`` of a model without an encoder."""
        return np.zeros((n, 0), np.float32)

    def drawn_category(self, category: str | None) -> str | None:
        """The category that a decoder alone draws where ``category`` is asked for; None: one of several, unknown which.

        Raises SettingsError for one that it does not know, or that it cannot be made to choose among several.
        """
        known = self.info.categories
        if category is None:
            return known[0] if len(known) == 1 else None
        if category not in known:
            raise unknown_category(category, known)
        if len(known) > 1:
            raise SettingsError(
                f"this model cannot be told which of its {len(known)} categories to draw; any of them comes with "
                "`--category any`"
            )
        return category

    def _surest(self, drawn: list[Sketch], wanted: NDArray[np.integer], each: int) -> NDArray[np.int64]:
        """Of each ``each`` drawings the one that the prior takes most surely for the category ``wanted``."""
        densities = self.prior.log_densities(self.encode_sketches(drawn))
        joint = densities + np.log(self.prior.shares)
        rows = np.arange(len(drawn))
        sure = joint[rows, wanted] - np.logaddexp.reduce(joint, axis=1)
        # Among those that are surely of the category, the likelier ones are the better drawings.
        worth = sure + 0.01 * densities[rows, wanted]
        worth -= 1e6 * np.array([not sketch.metadata["ended"] for sketch in drawn])
        return np.asarray(worth.reshape(-1, each).argmax(axis=1), np.int64)

    def encode(self, sources: Sequence[Source]) -> FloatArray:
        """Codes ``(n, z)`` of pictures."""
        self.check_sees()
        return self.encode_sketches([read_source(source) for source in sources])

    def encode_sketches(self, sketches: Sequence[Sketch]) -> FloatArray:
        """Codes ``(n, z)`` of sketches: of their ink, or of their strokes where the encoder reads those."""
        return self.posterior(sketches).mean

    def encode_ink(self, ink: NDArray[np.uint8]) -> FloatArray:
        """Codes ``(n, z)`` of ink ``(n, size, size)``, 255 = line, as `raster.render` gives it.

        Raises ModelError for a model whose encoder reads strokes, or that has none, SettingsError for ink of another
        size.
        """
        self.check_sees()
        if self.info.model.encoder == "rnn":
            raise ModelError("this model's encoder reads strokes, not ink")
        self._check_ink(ink, len(ink))
        parts = [self._encode_ink(ink[begin : begin + _AT_ONCE]).mean for begin in range(0, len(ink), _AT_ONCE)]
        return np.concatenate([np.zeros((0, self.info.model.z_size), np.float32), *parts])

    def ink_of(self, sketches: Sequence[Sketch]) -> NDArray[np.uint8]:
        """Ink ``(n, size, size)``, 255 = line, of sketches, as the encoder sees them."""
        return ink_of(sketches, self.info.model.raster)

    def _check_ink(self, ink: NDArray[np.uint8], n: int) -> None:
        size = self.info.model.raster.size
        if ink.shape != (n, size, size):
            raise SettingsError(f"ink of the shape ({n}, {size}, {size}) is needed, not {ink.shape}")

    def code_of(self, thing: Source, *, seed: int = 0) -> FloatArray:
        """The code ``(z,)`` of a picture; of a category, where a text is the name of one and not of a file.

        A category's is that of one drawing of it from nothing, with this seed. Raises what reading the picture raises,
        SettingsError for a text that is neither.
        """
        self.check_sees()
        if isinstance(thing, str) and not Path(thing).exists():
            if thing in self.info.categories:
                return np.asarray(self.encode_sketches(self.imagine(thing, seed=seed))[0])
            if not Path(thing).suffix and "/" not in thing:
                near = get_close_matches(thing.lower(), self.info.categories, 1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise SettingsError(f"{thing}: neither a file nor a category that the model knows{hint}")
        return np.asarray(self.encode([thing])[0])

    def posterior(self, sketches: Sequence[Sketch]) -> Posterior:
        """Mean and log variance of z of sketches. Raises ModelError for a model without an encoder."""
        self.check_sees()
        encode = self._encode_strokes if self.info.model.encoder == "rnn" else self._render_and_encode
        parts = [encode(sketches[begin : begin + _AT_ONCE]) for begin in range(0, len(sketches), _AT_ONCE)]
        mean = np.concatenate([np.zeros((0, self.info.model.z_size), np.float32), *(part.mean for part in parts)])
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


def _streams(seed: int, n: int) -> NDArray[np.uint64]:
    """A seed for each of n drawings."""
    return mixed(np.uint64(seed) + np.arange(n, dtype=np.uint64) * np.uint64(0x2545F4914F6CDD1D))


def _asked(samples: int, seed: int) -> int:
    if samples < 1:
        raise SettingsError("samples must be at least 1")
    if not 0 <= seed < 1 << 64:
        raise SettingsError("the seed must be a whole number from 0 to 2 ** 64 - 1")
    return samples


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
