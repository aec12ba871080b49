from __future__ import annotations

from collections import Counter
from dataclasses import fields, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from sketch_pix2seq.data.batches import (
    AugmentSettings,
    Batch,
    BatchSettings,
    Loader,
    Rehearsal,
    collate,
    longest_rows,
    offset_scale,
)
from sketch_pix2seq.data.store import SPLITS, Points, SketchSet, SketchSetWriter, Split
from sketch_pix2seq.errors import DataError
from sketch_pix2seq.raster import RasterSpec, render
from sketch_pix2seq.sequence import PEN_DOWN, PEN_END, PEN_UP, SequenceSpec, rows_of
from sketch_pix2seq.sketch import Sketch
from tests.conftest import random_sketch

STILL = AugmentSettings(scale=0, drop=0, rotation=0, shear=0, damage=0, slip=0)
SIZES = {"many": 90, "some": 30, "few": 6}


@pytest.fixture(scope="module")
def sketches(tmp_path_factory: pytest.TempPathFactory) -> SketchSet:
    path = tmp_path_factory.mktemp("set") / "set.arrow"
    rng = np.random.default_rng(0)
    with SketchSetWriter(path) as writer:
        for category, size in SIZES.items():
            for _ in range(size):
                sketch = random_sketch(rng, strokes=int(rng.integers(1, 6)), points=12, category=category)
                writer.add(sketch.fit(), "train")
        for category in SIZES:
            for _ in range(3):
                writer.add(random_sketch(rng, category=category).fit(), "valid")
    return SketchSet.open(path)


def loader(sketches: SketchSet, *, training: bool = True, start: str = "centre", **options: object) -> Loader:
    spec = SequenceSpec(start, 30.0)  # type: ignore[arg-type]
    processes = int(options.pop("processes", 1))  # type: ignore[call-overload]
    rank, seed = int(options.pop("rank", 0)), int(options.pop("seed", 1))  # type: ignore[call-overload]
    settings = BatchSettings(**{"size": 8, "bucket": 4, **options})  # type: ignore[arg-type]
    split: Split = "train" if training else "valid"
    return Loader(
        sketches, split, spec, RasterSpec(), settings, training=training, seed=seed, rank=rank, processes=processes
    )


def unpacked(batch: Batch) -> list[np.ndarray]:
    """stroke-5 rows of each sketch, from the packed rows."""
    begins = np.cumsum(batch.counts) - batch.counts
    rows = []
    for rank in range(len(batch.ink)):
        at = begins[: int((batch.counts > rank).sum())] + rank
        pens = np.eye(3)[batch.pen[at]]
        rows.append(np.concatenate([batch.offsets[at], pens], axis=1))
    return rows


@pytest.mark.parametrize("start", ["centre", "first"])
def test_packed_rows_are_those_of_each_sketch(sketches: SketchSet, start: str) -> None:
    batch = loader(sketches, training=False, start=start).batch(0)
    assert sorted(map(len, unpacked(batch)), reverse=True) == list(map(len, unpacked(batch)))
    for rows, index in zip(unpacked(batch), batch.indices, strict=True):
        expected = rows_of(sketches[int(index)], SequenceSpec(start, 30.0))  # type: ignore[arg-type]
        np.testing.assert_allclose(rows, expected, atol=1e-5)


def test_first_stroke_that_is_a_dot_keeps_its_pen_up_from_the_first_point() -> None:
    points = Points(np.array([[0, 0], [10, 0], [255, 9]], np.float32), np.array([True, False, True]), np.array([0, 3]))
    batch, _ = collate(points, SequenceSpec("first", 1.0), RasterSpec())
    assert batch.offsets.tolist() == [[0, 0], [10, 0], [245, 9], [0, 0]]
    assert batch.pen.tolist() == [PEN_UP, PEN_DOWN, PEN_UP, PEN_END]


def test_ink_and_place_are_of_the_same_augmented_strokes(sketches: SketchSet) -> None:
    batch = loader(sketches, augment=AugmentSettings(slip=0)).batch(3)
    begins = np.cumsum(batch.counts) - batch.counts
    for rank, rows in enumerate(unpacked(batch)):
        at = begins[: len(rows)] + rank
        scaled = rows * np.array([30.0, 30.0, 1, 1, 1])
        drawn = Sketch.from_stroke5(scaled)
        left, top, right, bottom = drawn.bounds()
        assert max(right - left, bottom - top) == pytest.approx(255, abs=1e-2)
        assert (left + right, top + bottom) == pytest.approx((0, 0), abs=1e-2)
        np.testing.assert_allclose(batch.before[at[1:]], drawn.points(), atol=1e-2)
        assert batch.before[at[0]].tolist() == [0, 0]
        difference = np.abs(render(drawn, RasterSpec()).astype(int) - batch.ink[rank])
        assert difference.mean() < 1


def test_augmentation_varies_shape_and_drops_inner_points_only(sketches: SketchSet) -> None:
    points = sketches.gather(range(40))
    seeds = np.arange(40, dtype=np.uint64)
    spec, raster = SequenceSpec("centre", 1.0), RasterSpec()
    plain, _ = collate(points, spec, raster)
    dropped, _ = collate(points, spec, raster, replace(STILL, drop=0.5), seeds)
    assert len(dropped.pen) < len(plain.pen)
    assert (dropped.pen == PEN_UP).sum() == (plain.pen == PEN_UP).sum()
    assert (dropped.pen == PEN_END).sum() == 40
    still, _ = collate(points, spec, raster, STILL, seeds)
    np.testing.assert_allclose(still.offsets, plain.offsets, atol=1e-4)
    moved, _ = collate(points, spec, raster, replace(STILL, scale=0.15, rotation=5, shear=0.1), seeds)
    assert np.abs(moved.offsets - plain.offsets).mean() > 1


@pytest.mark.parametrize(("settings", "bound"), [({"rotation": 5}, 5), ({"shear": 0.1}, np.rad2deg(np.arctan(0.1)))])
def test_rotation_and_shear_are_at_most_what_is_asked(
    sketches: SketchSet, settings: dict[str, float], bound: float
) -> None:
    """Angles of long offsets: in degrees, either way, and as far as the setting says."""
    points, seeds = sketches.gather(range(60)), np.arange(60, dtype=np.uint64)
    spec, raster = SequenceSpec("first", 1.0), RasterSpec()
    plain, _ = collate(points, spec, raster, STILL, seeds)
    turned, _ = collate(points, spec, raster, replace(STILL, refit=False, **settings), seeds)
    far = np.flatnonzero(np.linalg.norm(plain.offsets, axis=1) > 60)
    angles = [np.rad2deg(np.arctan2(*batch.offsets[far].T)) for batch in (turned, plain)]
    change = (angles[0] - angles[1] + 180) % 360 - 180
    assert 0.9 * bound < np.abs(change).max() < bound + 0.2
    assert change.min() < -0.5 * bound
    assert change.max() > 0.5 * bound


def test_without_refit_strokes_keep_their_size_and_the_picture_is_of_the_sketch_as_it_was(sketches: SketchSet) -> None:
    """Scaling alone: each offset of a sketch is stretched by the same two factors, 0.85 to 1.15."""
    points, seeds = sketches.gather(range(60)), np.arange(60, dtype=np.uint64)
    spec, raster = SequenceSpec("first", 1.0), RasterSpec()
    plain, _ = collate(points, spec, raster)
    scaled, _ = collate(points, spec, raster, replace(STILL, scale=0.15, refit=False), seeds)
    refitted, _ = collate(points, spec, raster, replace(STILL, scale=0.15), seeds)
    np.testing.assert_array_equal(scaled.ink, plain.ink)
    assert (refitted.ink != plain.ink).any()
    factors = []
    for a, b in zip(unpacked(scaled), unpacked(plain), strict=True):
        large = np.abs(b[:, :2]) > 20
        ratios = [a[large[:, axis], axis] / b[large[:, axis], axis] for axis in (0, 1)]
        assert all(ratio.std() < 1e-3 for ratio in ratios)
        factors.append([ratio.mean() for ratio in ratios])
    each = np.array(factors)
    assert 0.85 <= each.min() < 0.87
    assert 1.13 < each.max() <= 1.15
    assert abs(np.corrcoef(each.T)[0, 1]) < 0.4
    sides = [max(rows[:, :2].cumsum(0).max(0) - rows[:, :2].cumsum(0).min(0)) for rows in unpacked(scaled)]
    assert max(sides) - min(sides) > 30


def test_padding_fills_with_end_rows_that_count(sketches: SketchSet) -> None:
    padded, plain = (loader(sketches, start="first", padding=p, augment=STILL).batch(2) for p in (True, False))
    longest = loader(sketches, start="first").longest
    assert padded.counts.tolist() == [8] * (longest + 1)
    for a, b in zip(unpacked(padded), unpacked(plain), strict=True):
        np.testing.assert_array_equal(a[: len(b)], b)
        assert (a[len(b) :] == [0, 0, 0, 0, 1]).all()
    valid = loader(sketches, training=False, padding=True).batch(0)
    assert (valid.pen == PEN_END).sum() == len(valid.ink)


def test_n_max_is_the_rows_of_the_longest_sketch(tmp_path: Path) -> None:
    line = np.cumsum(np.ones((9, 2), np.float32), axis=0)
    for name, strokes, first in (("line", (line,), 8), ("dot", (line[:1] + 30, line[:8]), 9)):
        path = tmp_path / f"{name}.arrow"
        with SketchSetWriter(path) as writer:
            writer.add(Sketch(strokes, "a").fit(), "train")
            writer.add(Sketch((line[:5],), "a").fit(), "train")
        found = SketchSet.open(path)
        for start, expected in (("centre", 9), ("first", first)):
            one = loader(found, start=start, size=2)
            assert one.longest == expected
            assert len(one.batch(0).counts) <= expected + 1
            spec = SequenceSpec(start)  # type: ignore[arg-type]
            assert longest_rows(found, found.indices(), spec) == max(len(rows_of(s, spec)) - 1 for s in found)


def test_the_pen_slips_and_comes_back_to_the_line(sketches: SketchSet) -> None:
    points = sketches.gather(range(40))
    seeds = np.arange(40, dtype=np.uint64)
    spec, raster = SequenceSpec("centre", 30.0), RasterSpec()
    steady, _ = collate(points, spec, raster, STILL, seeds)
    assert steady.drawn is steady.offsets
    slips, _ = collate(points, spec, raster, replace(STILL, slip=4.0), seeds)
    np.testing.assert_array_equal(slips.ink, steady.ink)
    inside = slips.pen != PEN_END
    aims, aimed = (batch.before + batch.offsets * 30.0 for batch in (slips, steady))
    np.testing.assert_allclose(aims[inside], aimed[inside], atol=1e-3, err_msg="it aims at people's points")
    missed = (slips.drawn - slips.offsets)[inside] * 30.0
    assert 1.5 < missed.std() < 3.0  # a spread of up to 4, evenly: the root of 16 / 3
    begins = np.cumsum(slips.counts) - slips.counts
    for rank in range(40):
        at = begins[: int((slips.counts > rank).sum())] + rank
        np.testing.assert_allclose(slips.before[at[1:]], np.cumsum(slips.drawn[at[:-1]] * 30.0, axis=0), atol=1e-2)


def test_a_batch_depends_on_its_step_alone(sketches: SketchSet) -> None:
    straight = list(loader(sketches).stream(0, 40))
    later = list(loader(sketches).stream(17, 40))
    for a, b in zip(straight[17:], later, strict=True):
        np.testing.assert_array_equal(a.offsets, b.offsets)
        np.testing.assert_array_equal(a.ink, b.ink)
        np.testing.assert_array_equal(a.indices, b.indices)
    assert not np.array_equal(straight[0].indices, loader(sketches, seed=2).batch(0).indices)


def test_processes_share_the_global_batch(sketches: SketchSet) -> None:
    whole = loader(sketches, size=16).batch(5)
    parts = [loader(sketches, processes=2, rank=rank).batch(5) for rank in (0, 1)]
    assert sorted(whole.indices) == sorted(np.concatenate([p.indices for p in parts]))
    assert not set(parts[0].indices) & set(parts[1].indices) or len(set(whole.indices)) < 16
    # The same augmentation whether one process has them all or two share them.
    ours = {tuple(rows.ravel().round(4)) for rows in unpacked(whole)}
    assert {tuple(rows.ravel().round(4)) for part in parts for rows in unpacked(part)} == ours


@pytest.mark.parametrize("training", [True, False])
def test_batches_are_the_same_from_shards(training: bool, sketches: SketchSet, tmp_path: Path) -> None:
    shards = sharded(sketches, tmp_path / "shards.arrow", 30)
    assert len(shards.files) == 5
    numbers = tuple(range(3, 3 + len(sketches.categories)))
    for rank, rehearsed in ((0, False), (1, False), (0, training)):
        one, several = (
            Loader(
                each,
                "train" if training else "valid",
                SequenceSpec("centre", 30.0),
                RasterSpec(),
                BatchSettings(size=4, bucket=3),
                training=training,
                rank=rank,
                processes=2,
                rehearsal=Rehearsal(each, 0.3, numbers) if rehearsed else None,
            )
            for each in (sketches, shards)
        )
        assert one.batches_per_epoch == several.batches_per_epoch
        for step in (0, 1, one.batches_per_epoch + 1):
            a, b = one.batch(step), several.batch(step)
            for field in fields(Batch):
                np.testing.assert_array_equal(getattr(a, field.name), getattr(b, field.name), err_msg=field.name)


def sharded(sketches: SketchSet, path: Path, size: int) -> SketchSet:
    with SketchSetWriter(path, size) as writer:
        for sketch, split in zip(sketches, sketches.split_ids, strict=True):
            writer.add(sketch, SPLITS[split])
    return SketchSet.open(path)


def test_a_plan_is_that_of_all_sketches_at_once(sketches: SketchSet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever part of the columns is looked through at a time."""
    whole = loader(sketches, start="first")
    monkeypatch.setattr("sketch_pix2seq.data.batches._AT_ONCE", 7)
    parts = loader(sketches, start="first")
    assert parts.longest == whole.longest
    for step in range(3):
        np.testing.assert_array_equal(parts.batch(step).indices, whole.batch(step).indices)


def test_a_loader_holds_four_bytes_a_sketch(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    with SketchSetWriter(tmp_path / "set.arrow") as writer:
        for i in range(2000):
            writer.add(random_sketch(rng, category="ab"[i % 2]), "train")
    one = loader(SketchSet.open(tmp_path / "set.arrow"))
    one.batch(0)
    arrays = [value for value in vars(one).values() if isinstance(value, np.ndarray)]
    window = 8 * 64 * 4 * 8  # sketches of a batch, batches of a bucket, buckets, bytes
    assert sum(array.nbytes for array in arrays) <= 4 * 2000 + window


@pytest.mark.parametrize("processes", [1, 2, 4])
def test_no_two_processes_read_the_same_sketch_in_an_epoch(processes: int, sketches: SketchSet) -> None:
    """Where categories come as they are; with balance, a small one comes again, as often as with one process."""
    read = []
    for rank in range(processes):
        one = loader(sketches, processes=processes, rank=rank, size=8 // processes, balance=1.0, bucket=2)
        batches = one.stream(one.batches_per_epoch, 2 * one.batches_per_epoch)
        read.append(np.concatenate([batch.indices for batch in batches]))
    everything = np.concatenate(read)
    assert len(everything) == len(set(everything)) == len(sketches.indices("train")) // 8 * 8
    assert len({len(part) for part in read}) == 1


@pytest.mark.parametrize("processes", [2, 4])
def test_balanced_epochs_are_those_of_one_process(processes: int, sketches: SketchSet) -> None:
    whole = loader(sketches, size=8, bucket=2)
    parts = [loader(sketches, processes=processes, rank=r, size=8 // processes, bucket=2) for r in range(processes)]
    for step in range(2 * whole.batches_per_epoch):
        drawn = np.concatenate([part.batch(step).indices for part in parts])
        assert sorted(drawn) == sorted(whole.batch(step).indices)


def test_an_epoch_is_the_same_in_several_windows(sketches: SketchSet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planned a part at a time, the draws are those of an epoch planned at once."""
    monkeypatch.setattr("sketch_pix2seq.data.batches._GROUPS", 1)
    windows = loader(sketches, size=4, bucket=3, balance=1.0)
    found = np.concatenate([batch.indices for batch in windows.stream(0, windows.batches_per_epoch)])
    monkeypatch.setattr("sketch_pix2seq.data.batches._GROUPS", 1000)
    whole = loader(sketches, size=4, bucket=3, balance=1.0)
    at_once = np.concatenate([batch.indices for batch in whole.stream(0, whole.batches_per_epoch)])
    assert sorted(found) == sorted(at_once)
    assert found.tolist() != at_once.tolist()
    later = loader(sketches, size=4, bucket=3, balance=1.0).batch(7)
    np.testing.assert_array_equal(later.indices, whole.batch(7).indices)


@pytest.mark.parametrize(("balance", "share"), [(1.0, 90 / 126), (0.0, 1 / 3), (0.5, 9.487 / (9.487 + 5.477 + 2.449))])
def test_categories_are_drawn_in_their_share(sketches: SketchSet, balance: float, share: float) -> None:
    one = loader(sketches, balance=balance)
    seen: Counter[int] = Counter()
    for step in range(one.batches_per_epoch):
        seen.update(one.batch(step).categories.tolist())
    many = sketches.categories.index("many")
    assert seen[many] / seen.total() == pytest.approx(share, abs=0.02)


def test_balanced_categories_repeat_nothing_before_all_came(sketches: SketchSet) -> None:
    one = loader(sketches, balance=0.0)
    seen: Counter[int] = Counter()
    for step in range(one.batches_per_epoch):
        seen.update(one.batch(step).indices.tolist())
    few = set(sketches.indices("train", "few").tolist())
    counts = [seen[i] for i in few]
    assert max(counts) - min(counts) <= 1


def test_buckets_put_like_lengths_together(sketches: SketchSet) -> None:
    def spread(bucket: int) -> float:
        one = loader(sketches, bucket=bucket, augment=STILL)
        return float(np.mean([1 - b.counts.sum() / (len(b.counts) * len(b.ink)) for b in one.stream(0, 15)]))

    assert spread(16) < 0.4 * spread(1)


def test_validation_sees_each_sketch_once(sketches: SketchSet) -> None:
    one = loader(sketches, training=False, size=4)
    found = np.concatenate([b.indices for b in one.stream(0, one.batches_per_epoch)])
    assert sorted(found) == sketches.indices("valid").tolist()


def test_offset_scale_is_the_standard_deviation(sketches: SketchSet) -> None:
    rows = [rows_of(sketches[int(i)], SequenceSpec("first", 1.0))[:-1, :2] for i in sketches.indices("train")]
    assert offset_scale(sketches, SequenceSpec("first")) == pytest.approx(np.concatenate(rows).std(), rel=1e-3)


def test_a_split_without_usable_sketches_is_refused(sketches: SketchSet) -> None:
    with pytest.raises(DataError, match="no sketch of at most 1 points"):
        loader(sketches, max_points=1)
    with pytest.raises(DataError, match="'test'"):
        Loader(sketches, "test", SequenceSpec(), RasterSpec(), BatchSettings(), training=False)


def test_an_error_in_the_loader_reaches_the_reader(sketches: SketchSet) -> None:
    one = loader(sketches)
    one.sketches = None  # type: ignore[assignment]
    with pytest.raises(TypeError):
        next(one.stream(0, 3))


def test_lengths_of_rows_never_grow(sketches: SketchSet) -> None:
    for batch in loader(sketches).stream(0, 10):
        assert all(a >= b for a, b in pairwise(batch.counts))
        assert batch.counts.sum() == len(batch.pen)


def test_settings_are_values() -> None:
    assert replace(BatchSettings(), size=128) == BatchSettings()


def test_scale_of_an_empty_set_is_an_error(tmp_path: Path) -> None:
    with SketchSetWriter(tmp_path / "e.arrow"):
        pass
    with pytest.raises(DataError, match="'train' is empty"):
        offset_scale(SketchSet.open(tmp_path / "e.arrow"), SequenceSpec())
