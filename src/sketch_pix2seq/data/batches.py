"""SketchSet -> augmented, length-bucketed batches.

Every batch is a function of (set, settings, seed, step) alone: training resumes at any step, and several processes see
disjoint parts of the same global batch. The ink is rendered from the very strokes that the decoder is taught.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq.data.store import SPLITS, Points, SketchSet, Split
from sketch_pix2seq.errors import DataError
from sketch_pix2seq.raster import RasterSpec, damaged, render_fitted
from sketch_pix2seq.sequence import PEN_DOWN, PEN_END, PEN_UP, SequenceSpec, mixed, permuted, uniform
from sketch_pix2seq.sketch import CANVAS_SIZE, FloatArray

_GROUPS = 4
"""Buckets whose batches are mixed with each other; an epoch of millions is planned so many at a time."""
_AT_ONCE = 1 << 20
"""Sketches whose columns are looked through together, so that no column of millions is copied."""
_MOST_DAMAGE = 0.5
"""Share of its patches that a damaged picture has lost at most."""


@dataclass(frozen=True)
class AugmentSettings:
    """What is varied each time a sketch is seen."""

    scale: float = 0.15
    """Width and height are each multiplied by a factor within 1 +- this."""
    drop: float = 0.10
    """Probability that a point inside a stroke is left out."""
    rotation: float = 5.0
    """Rotation by up to this many degrees, either way."""
    shear: float = 0.1
    """Shear by up to this share of the height, either way."""
    damage: float = 0.15
    """Share of the pictures that the encoder sees with holes, up to half of their patches; the strokes stay whole."""
    slip: float = 1.0
    """Spread, in units of a canvas of 255, of the slips of the pen: the decoder is told that its points came to lie so
    far off at most, while the next ones lie where they did. So it learns to come back to the line."""
    refit: bool = True
    """Fit the varied sketch to the canvas again, and show the encoder its picture. Otherwise, as in the published code
    of sketch-pix2seq, strokes keep the size that scaling gave them, and the picture is that of the sketch as it was."""


@dataclass(frozen=True)
class BatchSettings:
    """How sketches become batches."""

    size: int = 128
    """Sketches a batch and process."""
    max_points: int = 250
    """Longer sketches are left out of training."""
    balance: float = 0.65
    """Categories are drawn in proportion to their size to this power: 1 = as they come, 0 = all equally often."""
    bucket: int = 64
    """Batches whose sketches are sorted by length together; 1 = no bucketing."""
    padding: bool = False
    """Fill each training sketch with end rows up to N_max + 1 rows, which all count in the loss of the pen, as in the
    published code of sketch-rnn; several times as slow. Without, each sketch has one end row."""
    augment: AugmentSettings = AugmentSettings()
    """Augmentation of the training split."""


@dataclass(frozen=True)
class Rehearsal:
    """Sketches of another set that are mixed into the batches, so that what they show is not forgotten."""

    sketches: SketchSet
    """Where they are; its training split is used."""
    share: float
    """Their share of the sketches in the batches, above 0 and below 1."""
    numbers: tuple[int, ...]
    """Number, to the model, of each of their categories."""


@dataclass(frozen=True)
class Batch:
    """Sketches in time-major packed rows, as in torch's PackedSequence: longest first, no padding anywhere.

    ink: ``(sketches, size, size)`` uint8; seen: the same, with the holes that the augmentation makes. offsets:
    ``(rows, 2)`` float32 in model units, from where the pen is to where it should come; drawn: the same, to where it
    came, which differs where it slips. pen: ``(rows,)`` int64 state after the row, before: ``(rows, 2)`` float32, the
    pen's absolute place before the row in canvas units from the centre; the last row of each sketch is its end row, and
    with padding there are more of them.
    counts: ``(time,)`` int64, sketches that have a row t. indices: ``(sketches,)`` where in the set each came from;
    categories: ``(sketches,)`` int64, as the model numbers them. Rehearsed sketches are numbered on from the set's own.
    """

    ink: NDArray[np.uint8]
    seen: NDArray[np.uint8]
    offsets: FloatArray
    drawn: FloatArray
    pen: NDArray[np.int64]
    before: FloatArray
    counts: NDArray[np.int64]
    indices: NDArray[np.int64]
    categories: NDArray[np.int64]


def collate(
    points: Points,
    spec: SequenceSpec,
    raster: RasterSpec,
    augment: AugmentSettings | None = None,
    seeds: NDArray[np.uint64] | None = None,
    padded: int = 0,
) -> tuple[Batch, NDArray[np.int64]]:
    """One batch from sketches end to end, and the order in which their places in it are taken (longest first).

    seeds: ``(sketches,)``, one a sketch, for the augmentation; needed with ``augment``. padded: rows that each sketch
    is filled up to with end rows; it has one of these in any case. ``indices`` and ``categories``
    of the batch are the order itself and zeros: `Loader` fills them.
    """
    if augment is not None and seeds is None:
        raise ValueError("augmentation needs one seed a sketch")
    points, pictured = _varied(points, augment, seeds)
    xy, ends, starts = points.xy, points.ends, points.starts
    n = len(starts) - 1
    first = np.zeros(len(xy), bool)
    first[starts[:-1]] = True
    origin = xy[starts[:-1]] if spec.start == "first" else np.zeros((n, 2), np.float32)
    came = xy
    if augment is not None and seeds is not None and augment.slip > 0:
        came = xy + _slips(points, augment, seeds)
    before = np.empty_like(xy)
    before[1:] = came[:-1]
    before[starts[:-1]] = origin
    keep = ~first | ends if spec.start == "first" else np.ones(len(xy), bool)
    sketch = np.repeat(np.arange(n), np.diff(starts))[keep]
    lengths = np.bincount(sketch, minlength=n)
    ranks = np.empty(n, np.int64)
    order = np.argsort(-lengths, kind="stable")
    ranks[order] = np.arange(n)
    time = np.arange(len(sketch)) - np.repeat(np.cumsum(lengths) - lengths, lengths)

    end_rows = np.maximum(padded - lengths, 1)
    ended = np.repeat(np.arange(n), end_rows)
    end_time = lengths[ended] + np.arange(len(ended)) - np.repeat(np.cumsum(end_rows) - end_rows, end_rows)
    rows_time = np.concatenate([time, end_time])
    rows_rank = np.concatenate([ranks[sketch], ranks[ended]])
    packed = np.argsort(rows_time * n + rows_rank, kind="stable")
    last = came[starts[1:] - 1]
    still = np.zeros((len(ended), 2), np.float32)
    offsets = np.concatenate([(xy[keep] - before[keep]) / spec.scale, still])[packed].astype(np.float32)
    drawn = offsets
    if came is not xy:
        drawn = np.concatenate([(came[keep] - before[keep]) / spec.scale, still])[packed].astype(np.float32)
    pen = np.concatenate([np.where(ends[keep], PEN_UP, PEN_DOWN), np.full(len(ended), PEN_END)])
    ink = np.stack([_render(pictured, i, raster) for i in order])
    batch = Batch(
        ink,
        ink if augment is None or seeds is None else _damaged(ink, augment, seeds[order]),
        offsets,
        drawn,
        pen[packed],
        np.concatenate([before[keep], last[ended]])[packed],
        np.bincount(rows_time),
        order,
        np.zeros(n, np.int64),
    )
    return batch, order


@dataclass(frozen=True)
class _Shares:
    """Sketches of the split category by category; sizes of the categories, and their draws in an epoch."""

    members: NDArray[np.integer]
    sizes: NDArray[np.int64]
    quotas: NDArray[np.int64]


class Loader:
    """Batches of one split, for one of several processes, from any step on.

    An epoch draws as many sketches as there are, categories balanced; small categories are seen more often. Each draw
    goes to one process, and a sketch is drawn again in an epoch only where its category is drawn more often than it has
    sketches. With ``training`` off, each sketch comes once, in order of length, without augmentation. ``numbers``: what
    the model numbers each category of the set, their order unless given. ``rehearsal``, in
    training alone, takes its share of each epoch from another set, whose categories are balanced among themselves.
    longest: N_max, see `longest_rows`. It holds 4 bytes a sketch of the split, beside the set and what a window of
    batches needs. Raises DataError for a split without a sketch of a usable length.
    """

    def __init__(
        self,
        sketches: SketchSet,
        split: Split,
        spec: SequenceSpec,
        raster: RasterSpec,
        settings: BatchSettings,
        *,
        training: bool,
        seed: int = 0,
        rank: int = 0,
        processes: int = 1,
        numbers: Sequence[int] | None = None,
        rehearsal: Rehearsal | None = None,
    ) -> None:
        self.sketches, self.spec, self.raster, self.settings = sketches, spec, raster, settings
        self.training, self.seed, self.rank, self.processes = training, seed, rank, processes
        self.rehearsal = rehearsal
        # A rehearsed sketch is numbered on from the set's own, here and in `Batch.indices`.
        self._members, sizes = _by_category(sketches, split, settings)
        if not len(self._members):
            raise DataError(
                f"{sketches.path}: the split {split!r} has no sketch of at most {settings.max_points} points"
            )
        self.longest = longest_rows(sketches, self._members, spec)
        if rehearsal is not None:
            other = rehearsal.sketches
            more, more_sizes = _by_category(other, "train", settings)
            if not len(more):
                raise DataError(f"{other.path}: it has no sketch of at most {settings.max_points} points to rehearse")
            self.longest = max(self.longest, longest_rows(other, more, spec))
            self._members = np.concatenate([self._members, more.astype(np.int64) + len(sketches)])
            sizes = np.concatenate([sizes, more_sizes])
        own = range(len(sketches.categories)) if numbers is None else numbers
        self._numbers = np.array([*own, *(rehearsal.numbers if rehearsal else ())], np.int64)
        self.global_size = settings.size * processes
        if training:
            self.batches_per_epoch = max(1, len(self._members) // self.global_size)
        else:
            self._members = np.sort(self._members)
            self.batches_per_epoch = -(-len(self._members) // self.global_size)
        self._planned = (-1, -1)
        self._plan: NDArray[np.int64] = np.empty(0, np.int64)
        if training:
            self._shares = self._draws(sizes)

    def batch(self, step: int) -> Batch:
        """The batch of a global step, this process's part of it."""
        epoch, place = divmod(step, self.batches_per_epoch)
        window, place = divmod(place, self._window)
        if (epoch, window) != self._planned:
            self._planned, self._plan = (epoch, window), self._window_plan(epoch, window)
        everyone = self._plan[place * self.global_size : (place + 1) * self.global_size]
        slots = np.arange(len(everyone))[self.rank :: self.processes]
        if not len(slots):
            slots = np.zeros(1, np.int64)
        slots = slots[np.argsort(everyone[slots] >= len(self.sketches), kind="stable")]
        chosen = everyone[slots]
        seeds = None
        if self.training:
            counters = slots.astype(np.uint64) + np.uint64(step) * np.uint64(1 << 20)
            seeds = mixed(counters + np.uint64(self.seed) * np.uint64(1 << 52))
        points = self._gather(chosen, int((chosen < len(self.sketches)).sum()))
        augment = self.settings.augment if self.training else None
        padded = self.longest + 1 if self.training and self.settings.padding else 0
        batch, order = collate(points, self.spec, self.raster, augment, seeds, padded)
        return Batch(
            batch.ink,
            batch.seen,
            batch.offsets,
            batch.drawn,
            batch.pen,
            batch.before,
            batch.counts,
            chosen[order],
            self._numbers[self._categories(chosen[order])],
        )

    def stream(self, start: int, stop: int, ahead: int = 4) -> Generator[Batch]:
        """Batches ``start`` to ``stop``, made by a thread that stays a few batches ahead."""
        ready: queue.Queue[Batch | BaseException] = queue.Queue(ahead)
        ended = threading.Event()

        def make() -> None:
            try:
                for step in range(start, stop):
                    batch = self.batch(step)
                    while not ended.is_set():
                        try:
                            ready.put(batch, timeout=0.2)
                            break
                        except queue.Full:
                            continue
                    if ended.is_set():
                        return
            except BaseException as error:  # handed to the reader, which raises it
                ready.put(error)

        thread = threading.Thread(target=make, name="loader", daemon=True)
        thread.start()
        try:
            for _ in range(start, stop):
                item = ready.get()
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            ended.set()
            thread.join()

    @property
    def _window(self) -> int:
        """Batches that are planned at once."""
        return self.settings.bucket * _GROUPS if self.training else self.batches_per_epoch

    def _window_plan(self, epoch: int, window: int) -> NDArray[np.int64]:
        """Sketches in the order of a window's global batches."""
        if not self.training:
            return self._members[np.argsort(self._lengths(self._members), kind="stable")].astype(np.int64)
        total = self.batches_per_epoch * self.global_size
        group = self.global_size * self.settings.bucket
        first = window * group * _GROUPS
        drawn = self._drawn(epoch, np.arange(first, min(first + group * _GROUPS, total)))
        batches: list[NDArray[np.int64]] = []
        for begin in range(0, len(drawn), group):
            part = drawn[begin : begin + group]
            part = part[np.argsort(self._lengths(part), kind="stable")]
            batches.extend(np.split(part, len(part) // self.global_size))
        order = np.random.default_rng([self.seed, epoch, window]).permutation(len(batches))
        return np.concatenate([batches[i] for i in order])

    def _lengths(self, chosen: NDArray[np.integer]) -> NDArray[np.int32]:
        own = chosen < len(self.sketches)
        lengths = np.empty(len(chosen), np.int32)
        lengths[own] = self.sketches.lengths[chosen[own]]
        if self.rehearsal is not None:
            lengths[~own] = self.rehearsal.sketches.lengths[chosen[~own] - len(self.sketches)]
        return lengths

    def _categories(self, chosen: NDArray[np.integer]) -> NDArray[np.int64]:
        """Index of each sketch's category; those of rehearsed sketches are numbered on."""
        own = chosen < len(self.sketches)
        ids = np.empty(len(chosen), np.int64)
        ids[own] = self.sketches.category_ids[chosen[own]]
        if self.rehearsal is not None:
            others = self.rehearsal.sketches.category_ids[chosen[~own] - len(self.sketches)]
            ids[~own] = len(self.sketches.categories) + others.astype(np.int64)
        return ids

    def _draws(self, sizes: NDArray[np.int64]) -> _Shares:
        """How often each category is drawn in an epoch: by its size, among the set's own or the rehearsed ones."""
        total = self.batches_per_epoch * self.global_size
        rehearsed = 0 if self.rehearsal is None else round(total * self.rehearsal.share)
        own = np.arange(len(sizes)) < len(self.sketches.categories)
        quotas = np.zeros(len(sizes), np.int64)
        for among, part in ((own, total - rehearsed), (~own, rehearsed)):
            present = np.flatnonzero(among & (sizes > 0))
            weights = sizes[present] ** self.settings.balance
            quota = np.floor(weights / weights.sum() * part).astype(np.int64)
            quota[np.argsort(-weights, kind="stable")[: part - quota.sum()]] += 1
            quotas[present] = quota
        return _Shares(self._members, sizes, quotas)

    def _drawn(self, epoch: int, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """What is drawn at some positions of an epoch; no sketch comes twice before all of its category came once."""
        shares = self._shares
        key = np.random.default_rng([self.seed, epoch]).integers(0, 1 << 64, 1, np.uint64)
        draws = permuted(positions, shares.quotas.sum(), key)
        ends = np.cumsum(shares.quotas)
        category = np.searchsorted(ends, draws, side="right")
        sizes = shares.sizes[category]
        turn, place = np.divmod(draws - (ends - shares.quotas)[category], sizes)
        keys = mixed(key + (category + (turn << 16)).astype(np.uint64))
        firsts = np.cumsum(shares.sizes) - shares.sizes
        drawn: NDArray[np.int64] = shares.members[firsts[category] + permuted(place, sizes, keys)].astype(np.int64)
        return drawn

    def _gather(self, chosen: NDArray[np.int64], own: int) -> Points:
        """Points of sketches: ``own`` of the set, then rehearsed ones."""
        parts = [self.sketches.gather(chosen[:own])] if own else []
        if self.rehearsal is not None and own < len(chosen):
            parts.append(self.rehearsal.sketches.gather(chosen[own:] - len(self.sketches)))
        if len(parts) == 1:
            return parts[0]
        first, second = parts
        starts = np.concatenate([first.starts, first.starts[-1] + second.starts[1:]])
        return Points(np.concatenate([first.xy, second.xy]), np.concatenate([first.ends, second.ends]), starts)


def usable(sketches: SketchSet, split: Split, settings: BatchSettings) -> NDArray[np.int64]:
    """Indices of the sketches of a split that are short enough for a batch."""
    return np.concatenate([np.empty(0, np.int64), *_usable_parts(sketches, split, settings)])


def _usable_parts(sketches: SketchSet, split: Split, settings: BatchSettings) -> Iterator[NDArray[np.int64]]:
    number = SPLITS.index(split)
    for begin in range(0, len(sketches), _AT_ONCE):
        part = slice(begin, begin + _AT_ONCE)
        fits = (sketches.split_ids[part] == number) & (sketches.lengths[part] <= settings.max_points)
        yield begin + np.flatnonzero(fits)


def _by_category(
    sketches: SketchSet, split: Split, settings: BatchSettings
) -> tuple[NDArray[np.integer], NDArray[np.int64]]:
    """Indices of the usable sketches of a split, category by category, and how many each category has."""
    sizes = np.zeros(len(sketches.categories), np.int64)
    for part in _usable_parts(sketches, split, settings):
        sizes += np.bincount(sketches.category_ids[part], minlength=len(sizes))
    members = np.empty(sizes.sum(), np.uint32 if len(sketches) < 1 << 32 else np.int64)
    free = np.cumsum(sizes) - sizes
    for part in _usable_parts(sketches, split, settings):
        categories = sketches.category_ids[part]
        counts = np.bincount(categories, minlength=len(sizes))
        places = np.arange(len(part)) + np.repeat(free - (np.cumsum(counts) - counts), counts)
        members[places] = part[np.argsort(categories, kind="stable")]
        free += counts
    return members, sizes


def longest_rows(sketches: SketchSet, indices: NDArray[np.integer], spec: SequenceSpec) -> int:
    """Rows of the longest of some sketches, without its end row: N_max of the published L_R."""
    parts = [indices[begin : begin + _AT_ONCE] for begin in range(0, len(indices), _AT_ONCE)]
    most = max(int(sketches.lengths[part].max()) for part in parts)
    if spec.start == "centre":
        return most
    # The first point has no row, unless it is a stroke of its own.
    points = sketches.gather(np.concatenate([part[sketches.lengths[part] == most] for part in parts]))
    return most if points.ends[points.starts[:-1]].any() else most - 1


def offset_scale(sketches: SketchSet, spec: SequenceSpec, sample: int = 20_000, seed: int = 0) -> float:
    """Standard deviation of the training split's offsets, both axes, in canvas units (sketch-rnn's scale factor).

    Measured on at most ``sample`` sketches, fitted, without augmentation.
    """
    indices = sketches.indices("train")
    if not len(indices):
        raise DataError(f"{sketches.path}: the split 'train' is empty")
    if len(indices) > sample:
        indices = np.sort(np.random.default_rng(seed).choice(indices, sample, replace=False))
    points = sketches.gather(indices)
    xy = _fitted(points)
    steps = np.diff(xy, axis=0)
    inside = np.ones(len(xy) - 1, bool)
    inside[points.starts[1:-1] - 1] = False
    steps = steps[inside]
    if spec.start == "centre":
        steps = np.concatenate([steps, xy[points.starts[:-1]]])
    scale = float(steps.std()) if len(steps) else 0.0
    return scale if scale > 0 else 1.0


def _varied(
    points: Points, settings: AugmentSettings | None, seeds: NDArray[np.uint64] | None
) -> tuple[Points, Points]:
    """The sketches whose strokes are taught, and those whose picture is shown; both fitted, with `refit`."""
    if settings is not None and seeds is not None and settings.refit:
        points = _augmented(points, settings, seeds)
    fitted = Points(_fitted(points), points.ends, points.starts)
    if settings is not None and seeds is not None and not settings.refit:
        return _augmented(fitted, settings, seeds), fitted
    return fitted, fitted


def _augmented(points: Points, settings: AugmentSettings, seeds: NDArray[np.uint64]) -> Points:
    n = len(points.starts) - 1
    chance = [uniform(seeds + np.uint64(k)) * 2 - 1 for k in range(4)]
    angle = np.deg2rad(settings.rotation) * chance[2]
    stretch_x, stretch_y = 1 + settings.scale * chance[0], 1 + settings.scale * chance[1]
    shear = settings.shear * chance[3]
    cos, sin = np.cos(angle), np.sin(angle)
    matrix = np.empty((n, 2, 2))
    matrix[:, 0, 0], matrix[:, 0, 1] = cos * stretch_x, (cos * shear - sin) * stretch_y
    matrix[:, 1, 0], matrix[:, 1, 1] = sin * stretch_x, (sin * shear + cos) * stretch_y
    sketch = np.repeat(np.arange(n), np.diff(points.starts))
    xy = np.einsum("pij,pj->pi", matrix[sketch], points.xy).astype(np.float32)
    if settings.drop > 0:
        begins = np.concatenate([[True], points.ends[:-1]])
        inner = ~points.ends & ~begins
        fate = uniform(seeds[sketch] + (np.arange(len(xy)) - points.starts[sketch] + 16).astype(np.uint64))
        keep = ~(inner & (fate < settings.drop))
        starts = np.concatenate([[0], np.cumsum(keep)])[points.starts]
        return Points(xy[keep], points.ends[keep], starts)
    return Points(xy, points.ends, points.starts)


def _slips(points: Points, settings: AugmentSettings, seeds: NDArray[np.uint64]) -> FloatArray:
    """How far each point comes to lie from where it should ``(points, 2)``; some sketches slip more than others."""
    counts = np.diff(points.starts)
    streams = np.repeat(mixed(seeds + np.uint64(7)), counts)
    uses = (np.arange(len(points.xy)) - np.repeat(points.starts[:-1], counts)).astype(np.uint64) * np.uint64(2)
    radius = np.sqrt(-2 * np.log1p(-uniform(streams + uses)))
    angle = 2 * np.pi * uniform(streams + uses + np.uint64(1))
    spread = settings.slip * np.repeat(uniform(seeds + np.uint64(8)), counts)
    slips: FloatArray = (spread * radius * np.stack([np.cos(angle), np.sin(angle)])).T.astype(np.float32)
    return slips


def _damaged(ink: NDArray[np.uint8], settings: AugmentSettings, seeds: NDArray[np.uint64]) -> NDArray[np.uint8]:
    if settings.damage == 0:
        return ink
    fate, much = uniform(seeds + np.uint64(4)), uniform(seeds + np.uint64(5))
    return damaged(ink, np.where(fate < settings.damage, _MOST_DAMAGE * much, 0.0), seed=seeds + np.uint64(6))


def _fitted(points: Points) -> FloatArray:
    """Bounds centred on (0, 0), longest side 255."""
    low = np.minimum.reduceat(points.xy, points.starts[:-1])
    high = np.maximum.reduceat(points.xy, points.starts[:-1])
    side = (high - low).max(axis=1)
    scale = CANVAS_SIZE / np.where(side > 0, side, CANVAS_SIZE)
    counts = np.diff(points.starts)
    fitted = (points.xy - np.repeat((low + high) / 2, counts, axis=0)) * np.repeat(scale, counts)[:, None]
    return fitted.astype(np.float32)


def _render(points: Points, i: int, raster: RasterSpec) -> NDArray[np.uint8]:
    part = slice(points.starts[i], points.starts[i + 1])
    return render_fitted(points.xy[part], np.flatnonzero(points.ends[part]) + 1, raster)
