from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from sketch_pix2seq.data.store import SketchSet, SketchSetWriter
from sketch_pix2seq.errors import DataError, FileError, FormatError
from sketch_pix2seq.sketch import Sketch
from tests.conftest import random_sketch


def written(path: Path, sketches: list[tuple[Sketch, str]]) -> SketchSet:
    with SketchSetWriter(path) as writer:
        for sketch, split in sketches:
            writer.add(sketch, split)  # type: ignore[arg-type]
    return SketchSet.open(path)


def test_sketches_come_back_as_they_went_in(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = ["zebra", "ant", "moon"]
    # More than one record batch, so that categories that appear late are in later dictionaries.
    sketches = [
        (random_sketch(rng, category="late" if i > 4200 else names[i % 3]).with_(metadata={"key_id": str(i)}), "train")
        for i in range(4300)
    ]
    found = written(tmp_path / "set.arrow", sketches)
    assert len(found) == 4300
    assert found.categories == ("ant", "late", "moon", "zebra")
    for i in (0, 1, 2, 4095, 4096, 4201, 4299, -1):
        assert found[i] == sketches[i][0]
    assert found.lengths.tolist() == [s.n_points for s, _ in sketches]
    assert [found.categories[c] for c in found.category_ids] == [s.category for s, _ in sketches]


def test_fractions_are_kept_to_a_64th(tmp_path: Path) -> None:
    sketch = Sketch((np.array([[0.015625, 100.3], [254.99, 3]], np.float32),), "x")
    (found,) = written(tmp_path / "set.arrow", [(sketch, "test")])
    np.testing.assert_allclose(found.strokes[0], sketch.strokes[0], atol=1 / 128)


def test_splits_and_categories_are_found(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    plan = [("a", "train"), ("b", "train"), ("a", "valid"), ("b", "test"), ("a", "train")]
    found = written(tmp_path / "set.arrow", [(random_sketch(rng, category=c), s) for c, s in plan])
    assert found.indices("train").tolist() == [0, 1, 4]
    assert found.indices("train", "a").tolist() == [0, 4]
    assert found.indices(category="b").tolist() == [1, 3]
    with pytest.raises(DataError, match="no category 'c'"):
        found.indices(category="c")


def test_gather_lays_sketches_end_to_end(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    sketches = [random_sketch(rng, strokes=k + 1) for k in range(4)]
    found = written(tmp_path / "set.arrow", [(s, "train") for s in sketches])
    points = found.gather([3, 0])
    np.testing.assert_array_equal(points.xy, np.concatenate([sketches[3].points(), sketches[0].points()]))
    assert points.starts.tolist() == [0, sketches[3].n_points, sketches[3].n_points + sketches[0].n_points]
    assert points.ends.sum() == 5
    assert points.ends[sketches[3].n_points - 1]
    assert points.ends[-1]


def test_a_set_is_whole_or_not_there(tmp_path: Path, house: Sketch) -> None:
    path = tmp_path / "set.arrow"

    def broken_off() -> None:
        with SketchSetWriter(path) as writer:
            writer.add(house, "train")
            raise RuntimeError("the power went")

    with pytest.raises(RuntimeError, match="the power went"):
        broken_off()
    assert list(tmp_path.iterdir()) == []


def test_other_programs_read_it(tmp_path: Path, house: Sketch) -> None:
    written(tmp_path / "set.arrow", [(house, "train")])
    table = pa.ipc.open_file(str(tmp_path / "set.arrow")).read_all()
    row = table.to_pylist()[0]
    assert row["category"] == "house"
    assert row["split"] == "train"
    assert np.array(row["xy"]).reshape(-1, 2)[0].tolist() == [0, 6400]
    assert row["ends"] == [5, 8, 12]


@pytest.mark.parametrize(
    "sketch",
    [
        Sketch((), "x"),
        Sketch((np.zeros((2, 2), np.float32),)),
        Sketch((np.full((2, 2), 600.0, np.float32),), "x"),
    ],
)
def test_what_cannot_be_stored_is_refused(tmp_path: Path, sketch: Sketch) -> None:
    with pytest.raises(DataError, match="cannot go into a set"):
        written(tmp_path / "set.arrow", [(sketch, "train")])


def test_what_is_no_set_is_refused(tmp_path: Path, house: Sketch) -> None:
    with pytest.raises(FileError, match="no such file"):
        SketchSet.open(tmp_path / "none.arrow")
    path = tmp_path / "set.arrow"
    written(path, [(house, "train")] * 50)
    whole = path.read_bytes()
    for size in (0, 1, 8, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(FormatError, match="not a SketchSet"):
            SketchSet.open(path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileError, match="a folder without a set"):
        SketchSet.open(tmp_path / "empty")
    other = pa.table({"a": [1]})
    with pa.ipc.new_file(str(path), other.schema) as sink:
        sink.write_table(other)
    with pytest.raises(FormatError, match="not a SketchSet"):
        SketchSet.open(path)


def test_an_empty_set_is_a_set(tmp_path: Path) -> None:
    found = written(tmp_path / "set.arrow", [])
    assert len(found) == 0
    assert found.categories == ()
    with pytest.raises(IndexError):
        found[0]


def rewritten(path: Path, change: Callable[[pa.Table], pa.Table], **options: Any) -> Path:
    """The set with changed columns, under the same schema metadata."""
    table = change(pa.ipc.open_file(str(path)).read_all())
    with pa.ipc.new_file(str(path), table.schema, options=pa.ipc.IpcWriteOptions(**options)) as sink:
        sink.write_table(table)
    return path


def column(name: str, values: pa.Array, *, nullable: bool = False) -> Callable[[pa.Table], pa.Table]:
    def change(table: pa.Table) -> pa.Table:
        place = table.schema.get_field_index(name)
        return table.set_column(place, pa.field(name, values.type, nullable=nullable), values)

    return change


NUMBERS = pa.list_(pa.int16())
DAMAGE: dict[str, tuple[Callable[[pa.Table], pa.Table], str]] = {
    "floats": (column("xy", pa.array([[0.0, 1.0]] * 2)), "its columns are not those of a set"),
    "a column too few": (lambda table: table.drop_columns("ends"), "its columns are not those of a set"),
    "nullable": (column("xy", pa.array([[1, 2]] * 2, NUMBERS), nullable=True), "its columns are not those of a set"),
    "a null": (column("xy", pa.array([[1, 2], None], NUMBERS)), "nothing stands in some rows of xy"),
    "a null inside": (column("ends", pa.array([[1], [None]], NUMBERS)), "numbers are missing in ends"),
    "no points": (column("xy", pa.array([[1, 2], []], NUMBERS)), "no points or half a point"),
    "half a point": (column("xy", pa.array([[1, 2], [1, 2, 3]], NUMBERS)), "no points or half a point"),
    "no strokes": (column("ends", pa.array([[1], []], NUMBERS)), "no points or half a point"),
    "backwards": (column("ends", pa.array([[5, 8, 12], [8, 5, 12]], NUMBERS)), "a stroke ends where it cannot"),
    "beyond the points": (column("ends", pa.array([[5, 8, 12], [5, 8, 13]], NUMBERS)), "a stroke ends where it cannot"),
    "negative": (column("ends", pa.array([[5, 8, 12], [-5, 8, 12]], NUMBERS)), "a stroke ends where it cannot"),
    "other splits": (
        column("split", pa.DictionaryArray.from_arrays(pa.array([0, 0], pa.int8()), pa.array(["dev"]))),
        "its splits are not",
    ),
    "a category twice": (
        column("category", pa.DictionaryArray.from_arrays(pa.array([0, 1], pa.int16()), pa.array(["a", "a"]))),
        "its categories are not the same",
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_set_that_breaks_its_own_rules_is_refused(name: str, tmp_path: Path, house: Sketch) -> None:
    change, message = DAMAGE[name]
    written(tmp_path / "set.arrow", [(house, "train")] * 2)
    with pytest.raises(FormatError, match=rf"a SketchSet that is damaged: .*{message}"):
        SketchSet.open(rewritten(tmp_path / "set.arrow", change))


def test_a_packed_set_is_refused_before_it_is_unpacked(tmp_path: Path, house: Sketch) -> None:
    written(tmp_path / "set.arrow", [(house, "train")] * 2)
    with pytest.raises(FormatError, match="it is packed, which sets are not"):
        SketchSet.open(rewritten(tmp_path / "set.arrow", lambda table: table, compression="zstd"))


def test_parts_of_another_size_are_refused(tmp_path: Path, house: Sketch) -> None:
    written(tmp_path / "set.arrow", [(house, "train")] * 2)
    with pytest.raises(FormatError, match="a part has 2 rows"):
        SketchSet.open(rewritten(tmp_path / "set.arrow", lambda table: pa.concat_tables([table, table])))


def test_metadata_that_is_no_json_is_told_with_its_sketch(tmp_path: Path, house: Sketch) -> None:
    written(tmp_path / "set.arrow", [(house, "train")] * 2)
    change = column("metadata", pa.array(['{"a": 1}', "[" * 100_000]), nullable=True)
    found = SketchSet.open(rewritten(tmp_path / "set.arrow", change))
    assert dict(found[0].metadata) == {"a": 1}
    with pytest.raises(FormatError, match="damaged: sketch 1 has metadata that is no JSON object"):
        found[1]


def test_no_change_of_bytes_gives_anything_but_sketches_or_our_error(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / "set.arrow"
    sketches = [random_sketch(rng, category="ab"[k % 2]).with_(metadata={"key_id": str(k)}) for k in range(40)]
    written(path, [(sketch, "train") for sketch in sketches])
    whole = path.read_bytes()
    opened = 0
    for _ in range(400):
        changed = bytearray(whole)
        for _ in range(int(rng.integers(1, 5))):
            at = rng.integers(2000) if rng.random() < 0.5 else len(whole) - 1 - rng.integers(1200)
            changed[int(at)] = rng.integers(256)
        path.write_bytes(changed)
        try:
            found = SketchSet(path)
            points = found.gather(range(len(found)))
            list(found)
        except (FormatError, FileError):
            continue
        opened += 1
        assert len(points.starts) == len(found) + 1
    assert 0 < opened < 400


def test_a_full_disk_is_one_error_and_the_old_set_stays(tmp_path: Path, house: Sketch) -> None:
    path = tmp_path / "set.arrow"
    written(path, [(house, "train")])
    before = path.read_bytes()

    def filled() -> None:
        with SketchSetWriter(path) as writer:
            writer.add(house, "train")
            raise OSError(28, "No space left on device")

    with pytest.raises(FileError, match="cannot be written: No space left on device"):
        filled()
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def in_shards(path: Path, sketches: list[tuple[Sketch, str]], size: int) -> SketchSet:
    with SketchSetWriter(path, size) as writer:
        for sketch, split in sketches:
            writer.add(sketch, split)  # type: ignore[arg-type]
    return SketchSet.open(path)


def some_sketches(count: int) -> list[tuple[Sketch, str]]:
    rng = np.random.default_rng(5)
    names = ["zebra", "ant", "moon"]
    return [
        # The shards know different categories, in different orders.
        (random_sketch(rng, category="late" if i > count - 9 else names[i * 3 // count]), ("train", "valid")[i % 2])
        for i in range(count)
    ]


@pytest.mark.parametrize("size", [1, 7, 10, 29, 30, 1000])
def test_shards_hold_what_one_file_holds(size: int, tmp_path: Path) -> None:
    sketches = some_sketches(30)
    one, several = written(tmp_path / "one.arrow", sketches), in_shards(tmp_path / "several.arrow", sketches, size)
    count = -(-30 // size)
    assert [file.name for file in several.files] == [f"{i:05d}-of-{count:05d}.arrow" for i in range(count)]
    assert list(several) == list(one) == [sketch for sketch, _ in sketches]
    assert several[-1] == one[-1]
    assert several.categories == one.categories == ("ant", "late", "moon", "zebra")
    for name in ("category_ids", "split_ids", "lengths"):
        np.testing.assert_array_equal(getattr(several, name), getattr(one, name))
    for chosen in (range(30), [29, 3, 4, 5, 9, 10, 11, 3], np.arange(25, 4, -1)):
        a, b = several.gather(chosen), one.gather(chosen)
        np.testing.assert_array_equal(a.xy, b.xy)
        np.testing.assert_array_equal(a.ends, b.ends)
        np.testing.assert_array_equal(a.starts, b.starts)


def test_shards_of_more_than_one_batch(tmp_path: Path) -> None:
    sketches = some_sketches(9000)
    one, several = written(tmp_path / "one.arrow", sketches), in_shards(tmp_path / "several.arrow", sketches, 5000)
    assert len(several.files) == 2
    chosen = np.random.default_rng(0).permutation(9000)
    np.testing.assert_array_equal(several.gather(chosen).xy, one.gather(chosen).xy)
    assert [several[i] for i in (4095, 4096, 4999, 5000, 8999)] == [one[i] for i in (4095, 4096, 4999, 5000, 8999)]


def test_a_folder_of_sets_is_a_set(tmp_path: Path, house: Sketch) -> None:
    """As several machines make it: a file of each."""
    folder = tmp_path / "all"
    written(folder / "b.arrow", [(house.with_(category="b"), "train")] * 3)
    written(folder / "a.arrow", [(house.with_(category="c"), "valid")] * 2)
    found = SketchSet.open(folder)
    assert [sketch.category for sketch in found] == ["c", "c", "b", "b", "b"]
    assert found.indices("train").tolist() == [2, 3, 4]


def test_the_fingerprint_is_that_of_all_shards(tmp_path: Path) -> None:
    sketches = some_sketches(30)
    found = [in_shards(tmp_path / f"{size}.arrow", sketches, size).fingerprint for size in (10, 10, 15)]
    assert found[0] == found[1] != found[2]
    assert all(len(digits) == 32 for digits in found)
    changed = [*sketches[:-1], (sketches[0][0], "train")]
    assert in_shards(tmp_path / "other.arrow", changed, 10).fingerprint not in found
    one = written(tmp_path / "one.arrow", sketches)
    assert in_shards(tmp_path / "whole.arrow", sketches, 30).fingerprint == one.fingerprint


def test_a_missing_or_broken_shard_is_named(tmp_path: Path) -> None:
    found = in_shards(tmp_path / "set.arrow", some_sketches(30), 10)
    found.files[1].write_bytes(found.files[1].read_bytes()[:100])
    with pytest.raises(FormatError, match=r"00001-of-00003\.arrow: not a SketchSet"):
        SketchSet.open(found.path)
    found.files[1].unlink()
    with pytest.raises(FormatError, match=r"set\.arrow: a set that is not whole: 00001-of-00003\.arrow is missing"):
        SketchSet.open(found.path)


def test_shards_take_the_place_of_an_older_set_when_all_went_well(tmp_path: Path, house: Sketch) -> None:
    path = tmp_path / "set.arrow"
    written(path, [(house, "train")])

    def stopped() -> None:
        with SketchSetWriter(path, 1) as writer:
            writer.add(house, "train")
            writer.add(house, "train")
            raise OSError(28, "No space left on device")

    with pytest.raises(FileError, match="cannot be written: No space left on device"):
        stopped()
    assert len(SketchSet.open(path)) == 1
    assert len(in_shards(path, some_sketches(30), 10).files) == 3
    assert len(in_shards(path, some_sketches(30), 15).files) == 2
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_with_other_files_is_not_replaced(tmp_path: Path, house: Sketch) -> None:
    (tmp_path / "set.arrow").mkdir()
    (tmp_path / "set.arrow" / "letters.txt").touch()
    for size in (0, 10):
        with pytest.raises(FileError, match="is a folder; it would be lost"):
            SketchSetWriter(tmp_path / "set.arrow", size)
    assert (tmp_path / "set.arrow" / "letters.txt").exists()


def test_an_empty_set_of_shards_has_one(tmp_path: Path) -> None:
    found = in_shards(tmp_path / "set.arrow", [], 5)
    assert len(found) == 0
    assert len(found.files) == 1
