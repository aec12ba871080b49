"""From files to a SketchSet."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from sketch_pix2seq.data import prepare as prepare_module
from sketch_pix2seq.data.look import look
from sketch_pix2seq.data.prepare import PrepareReport, PrepareSettings, Step, prepare
from sketch_pix2seq.data.store import SPLITS, SketchSet
from sketch_pix2seq.errors import DataError, FileError, FormatError, SettingsError
from sketch_pix2seq.formats import Problem, read_sketches, write_sketch, write_sketches
from sketch_pix2seq.formats.npz import write_npz
from sketch_pix2seq.formats.svg import write_svg
from sketch_pix2seq.sketch import Sketch
from tests.conftest import random_sketch


def drawings(count: int, category: str = "thing", seed: int = 0) -> list[Sketch]:
    rng = np.random.default_rng(seed)
    return [random_sketch(rng, category=category) for _ in range(count)]


def ndjson(path: Path, sketches: list[Sketch]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_sketches(sketches, path)
    return path


def made(sources: list[Path], out: Path, **settings: object) -> tuple[SketchSet, PrepareReport]:
    report = prepare(sources, out, replace(PrepareSettings(), **settings))  # type: ignore[arg-type]
    return SketchSet.open(out), report


def splits(sketches: SketchSet) -> Counter[str]:
    return Counter(SPLITS[index] for index in sketches.split_ids)


class TestSources:
    def test_a_mix_of_formats(self, tmp_path: Path, house: Sketch) -> None:
        source = tmp_path / "in"
        ndjson(source / "cats.ndjson.gz", drawings(7, "cat"))
        write_npz(source / "pig.npz", {"train": drawings(6), "valid": drawings(2, seed=1), "test": drawings(1, seed=2)})
        (source / "my_house").mkdir()
        write_svg(source / "my_house" / "one.svg", house)
        sketches, report = made([source], tmp_path / "set.arrow")
        assert sketches.categories == ("cat", "my house", "pig")
        assert (report.files, report.sketches, len(sketches)) == (3, 17, 17)
        assert report.dropped == {}
        pigs = sketches.indices(category="pig")
        assert Counter(SPLITS[i] for i in sketches.split_ids[pigs]) == {"train": 6, "valid": 2, "test": 1}
        (one,) = sketches.indices(category="my house")
        assert sketches[int(one)].metadata["source"] == "one.svg"
        for sketch in sketches:
            left, top, right, bottom = sketch.bounds()
            assert (left, top) == (0, 0)
            assert max(right, bottom) == pytest.approx(255, abs=0.02)
            assert "split" not in sketch.metadata

    def test_a_folder_of_twenty_svgs_has_every_split(self, tmp_path: Path) -> None:
        for number, sketch in enumerate(drawings(20)):
            (tmp_path / "trees").mkdir(exist_ok=True)
            write_svg(tmp_path / "trees" / f"{number}.svg", sketch)
        sketches, _ = made([tmp_path / "trees"], tmp_path / "set.arrow")
        assert sketches.categories == ("trees",)
        assert splits(sketches) == {"train": 16, "valid": 2, "test": 2}

    def test_what_is_likely_no_drawing_is_left_out_and_named(self, tmp_path: Path, house: Sketch) -> None:
        (tmp_path / "house").mkdir()
        write_sketch(house, tmp_path / "house" / "a.png")
        colours = np.random.default_rng(0).integers(60, 255, (6, 8, 3)).astype(np.uint8)
        photo = Image.fromarray(colours).resize((480, 360), Image.Resampling.BICUBIC)
        ImageDraw.Draw(photo).ellipse((150, 90, 300, 260), fill=(20, 10, 10))
        photo.save(tmp_path / "house" / "b.png")
        sketches, report = made([tmp_path / "house"], tmp_path / "set.arrow")
        assert len(sketches) == 1
        assert report.problem_count == 1
        assert "b.png" in str(report.problems[0])
        assert "likely no drawing" in str(report.problems[0])
        sketches, report = made([tmp_path / "house"], tmp_path / "set.arrow", doubtful=True)
        assert (len(sketches), report.note_count) == (2, 1)

    def test_files_named_one_by_one_have_their_folders_name_too(self, tmp_path: Path, house: Sketch) -> None:
        (tmp_path / "huts").mkdir()
        path = write_svg(tmp_path / "huts" / "a.svg", house)
        sketches, _ = made([path], tmp_path / "set.arrow")
        assert sketches.categories == ("huts",)

    def test_metadata_is_kept(self, tmp_path: Path) -> None:
        tagged = [sketch.with_(metadata={"key_id": "5", "recognized": True}) for sketch in drawings(1)]
        sketches, _ = made([ndjson(tmp_path / "a.ndjson", tagged)], tmp_path / "set.arrow")
        assert dict(sketches[0].metadata) == {"key_id": "5", "recognized": True}

    def test_an_older_set_is_replaced_and_the_same_sources_give_the_same_bytes(self, tmp_path: Path) -> None:
        source, out = ndjson(tmp_path / "a.ndjson", drawings(50)), tmp_path / "set.arrow"
        made([source], out)
        first = out.read_bytes()
        out.write_bytes(b"older")
        made([source], out)
        assert out.read_bytes() == first

    def test_a_source_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(FileError, match="no such file"):
            prepare([tmp_path / "none"], tmp_path / "set.arrow")
        assert list(tmp_path.iterdir()) == []


class TestSimplification:
    def dense(self) -> Sketch:
        angles = np.linspace(0, 2 * np.pi, 900)
        circle = np.stack([np.cos(angles), np.sin(angles)], axis=1) * 400 + 500
        return Sketch((circle.astype(np.float32),), "circle")

    def test_a_raw_drawing_is_simplified(self, tmp_path: Path) -> None:
        source = ndjson(tmp_path / "a.ndjson", [self.dense()])
        sketches, _ = made([source], tmp_path / "set.arrow")
        assert 10 < sketches.lengths[0] < 40
        finer, _ = made([source], tmp_path / "finer.arrow", simplify_epsilon=0.2)
        assert finer.lengths[0] > sketches.lengths[0]
        short = ndjson(tmp_path / "b.ndjson", drawings(1))
        _, report = made([source, short], tmp_path / "c.arrow", simplify_epsilon=0.0)
        assert report.dropped == {"with more than 250 points": 1}

    def test_a_simplified_drawing_stays_as_it_is(self, tmp_path: Path) -> None:
        line = Sketch((np.array([[0, 0], [100, 1], [255, 0], [128, 90]], np.float32),), "line")
        sketches, _ = made([ndjson(tmp_path / "a.ndjson", [line])], tmp_path / "set.arrow")
        np.testing.assert_array_equal(sketches[0].points(), line.points())

    def test_but_for_one_that_is_too_long(self, tmp_path: Path) -> None:
        x = np.arange(256)
        line = Sketch((np.stack([x, x // 2], axis=1).astype(np.float32), np.ones((3, 2), np.float32)), "line")
        sketches, _ = made([ndjson(tmp_path / "a.ndjson", [line])], tmp_path / "set.arrow", min_points=2)
        assert sketches.lengths[0] < 10


class TestDropping:
    def test_every_reason_is_counted(self, tmp_path: Path) -> None:
        good = drawings(3)
        source = [
            *good,
            good[0],
            good[0].with_(metadata={"recognized": False}),
            good[1].with_(metadata={"countrycode": "DE"}),
            good[2].with_(category="other"),
            Sketch((np.ones((9, 2), np.float32),), "thing"),
            Sketch((np.array([[0, 0], [5, 5]], np.float32),), "thing"),
            Sketch((np.random.default_rng(0).uniform(0, 255, (400, 2)).astype(np.float32),), "thing"),
        ]
        source = [s if "countrycode" in s.metadata else s.with_(metadata={"countrycode": "GB"}) for s in source]
        sketches, report = made(
            [ndjson(tmp_path / "a.ndjson", source)],
            tmp_path / "set.arrow",
            categories=("thing",),
            countries=("gb",),
            unique=True,
        )
        assert len(sketches) == report.sketches == 3
        assert report.dropped == {
            "the same as an earlier one": 1,
            "not recognized by Quick, Draw!": 1,
            "from another country": 1,
            "of another category": 1,
            "without any size": 1,
            "with fewer than 4 points": 1,
            "with more than 250 points": 1,
        }

    def test_what_was_not_recognized_can_be_kept(self, tmp_path: Path) -> None:
        source = ndjson(tmp_path / "a.ndjson", [s.with_(metadata={"recognized": False}) for s in drawings(2)])
        sketches, _ = made([source], tmp_path / "set.arrow", unrecognized=True)
        assert len(sketches) == 2

    def test_categories_are_filtered_and_renamed(self, tmp_path: Path) -> None:
        source = ndjson(tmp_path / "a.ndjson", [*drawings(2, "cat"), *drawings(3, "kitty"), *drawings(4, "dog")])
        sketches, report = made([source], tmp_path / "set.arrow", categories=("cat", "kitty=cat"))
        assert (sketches.categories, len(sketches)) == (("cat",), 5)
        assert report.dropped == {"of another category": 4}

    @pytest.mark.parametrize("limit", [1, 12, 100])
    def test_a_limit_leaves_each_split_its_share(self, limit: int, tmp_path: Path) -> None:
        source = ndjson(tmp_path / "a.ndjson", [*drawings(300, "cat"), *drawings(6, "dog", 1)])
        sketches, report = made([source], tmp_path / "set.arrow", limit=limit)
        cats = sketches.indices(category="cat")
        assert limit * 0.9 <= len(cats) <= limit
        if limit >= 10:
            assert set(sketches.split_ids[cats]) == {0, 1, 2}
        assert len(sketches.indices(category="dog")) == min(limit, 6)
        assert report.sketches + report.dropped[f"beyond the limit of {limit} a category"] == 306

    def test_shards_hold_the_sketches_of_one_file(self, tmp_path: Path) -> None:
        source = ndjson(tmp_path / "a.ndjson", [*drawings(50, "cat"), *drawings(40, "dog", 1)])
        (one, _), (several, report) = (
            made([source], tmp_path / f"{size}.arrow", shard_size=size, processes=2) for size in (0, 40)
        )
        assert report.path == several.path
        assert [file.name[:5] for file in several.files] == ["00000", "00001", "00002"]
        assert list(one) == list(several)
        np.testing.assert_array_equal(one.split_ids, several.split_ids)
        assert look(several.path).statistics == look(one.path).statistics

    def test_nothing_left_leaves_the_older_set(self, tmp_path: Path) -> None:
        out = tmp_path / "set.arrow"
        out.write_bytes(b"older")
        with pytest.raises(DataError, match=r"no sketch is left to write \(2 with fewer than 200 points\)"):
            made([ndjson(tmp_path / "a.ndjson", drawings(2))], out, min_points=200)
        assert out.read_bytes() == b"older"
        assert sorted(path.name for path in tmp_path.iterdir()) == ["a.ndjson", "set.arrow"]


class TestProblems:
    def broken(self, tmp_path: Path) -> Path:
        folder = tmp_path / "in"
        good = ndjson(folder / "a.ndjson", drawings(5))
        with good.open("a") as file:
            file.write("{broken\n" * 7 + json.dumps({"word": "thing", "drawing": [[[0, 9], [0, 9, 9]]]}) + "\n")
        (folder / "b.svg").write_text("not an svg")
        (folder / "c.npz").write_bytes(b"PK not a zip")
        return folder

    def test_they_are_counted_and_the_rest_is_kept(self, tmp_path: Path) -> None:
        told: list[Problem] = []
        report = prepare([self.broken(tmp_path)], tmp_path / "set.arrow", on_problem=told.append)
        assert report.sketches == 5
        assert report.problem_count == len(told) == 10
        assert len(report.problems) == 5
        assert report.problems[0].where == "line 6"
        assert [problem.path.name for problem in told[-2:]] == ["b.svg", "c.npz"]

    def test_strict_stops_at_the_first(self, tmp_path: Path) -> None:
        with pytest.raises(FormatError, match="line 6"):
            made([self.broken(tmp_path)], tmp_path / "set.arrow", strict=True)
        assert not (tmp_path / "set.arrow").exists()
        assert not (tmp_path / "set.arrow.part").exists()

    def test_only_problems(self, tmp_path: Path) -> None:
        (tmp_path / "c.npz").write_bytes(b"PK not a zip")
        with pytest.raises(DataError, match=r"the first of 1 problems: .*c\.npz"):
            prepare([tmp_path / "c.npz"], tmp_path / "set.arrow")

    def test_progress(self, tmp_path: Path) -> None:
        steps: list[Step] = []
        sources = [ndjson(tmp_path / f"{i}.ndjson", drawings(3, seed=i)) for i in range(2)]
        prepare(sources, tmp_path / "set.arrow", on_progress=steps.append)
        assert [step.files_done for step in steps] == [0, 1, 2]
        assert steps[-1] == Step(2, 2, 6)


class TestSplits:
    def test_the_shares_are_met(self, tmp_path: Path) -> None:
        source = ndjson(tmp_path / "a.ndjson", drawings(1000))
        sketches, _ = made([source], tmp_path / "set.arrow", valid=0.2, test=0.1)
        counts = splits(sketches)
        assert counts["valid"] == pytest.approx(200, abs=40)
        assert counts["test"] == pytest.approx(100, abs=30)

    def test_a_drawing_stays_in_its_split_whatever_comes_after(self, tmp_path: Path) -> None:
        few, more = drawings(100), drawings(100) + drawings(100, seed=1)
        sets = [made([ndjson(tmp_path / f"{len(s)}.ndjson", s)], tmp_path / f"{len(s)}.arrow")[0] for s in (few, more)]
        np.testing.assert_array_equal(sets[0].split_ids, sets[1].split_ids[:100])

    @pytest.mark.parametrize(
        ("count", "expected"),
        [(4, (4, 0, 0)), (5, (4, 1, 0)), (10, (8, 1, 1)), (19, (17, 1, 1)), (20, (16, 2, 2)), (50, (40, 5, 5))],
    )
    def test_small_categories(self, count: int, expected: tuple[int, int, int], tmp_path: Path) -> None:
        sketches, _ = made([ndjson(tmp_path / "a.ndjson", drawings(count))], tmp_path / "set.arrow")
        assert tuple(splits(sketches)[split] for split in SPLITS) == expected

    def test_a_share_of_nothing(self, tmp_path: Path) -> None:
        sketches, _ = made([ndjson(tmp_path / "a.ndjson", drawings(40))], tmp_path / "set.arrow", valid=0.0, test=0.0)
        assert splits(sketches) == {"train": 40}


class TestProcesses:
    def mix(self, folder: Path, house: Sketch) -> Path:
        """All formats, splits known and unknown, copies, raw drawings, other categories, broken lines."""
        rng = np.random.default_rng(0)
        known = drawings(60)
        raw = [Sketch((rng.uniform(0, 700, (80, 2)).cumsum(axis=0).astype(np.float32),), "raw") for _ in range(30)]
        small = [sketch for k in range(15) for sketch in drawings(k + 10, f"small {k}", k)]
        tagged = [s.with_(metadata={"key_id": str(i), "split": "valid"}) for i, s in enumerate(drawings(25, "cat", 9))]
        path = ndjson(folder / "all.ndjson", [*known, *small, *known[:20], *raw, *tagged, *drawings(300, "cat", 3)])
        lines = path.read_bytes().splitlines()
        for at in (400, 251, 90, 3):
            lines.insert(at, b"{broken" if at % 2 else b"")
        path.write_bytes(b"\n".join(lines) + b"\n")
        ndjson(folder / "packed.ndjson.gz", drawings(40, "packed"))
        write_npz(folder / "pig.npz", {"train": drawings(60), "valid": drawings(20, seed=1), "test": []})
        (folder / "broken.npz").write_bytes(b"PK not a zip")
        (folder / "empty.ndjson").write_bytes(b"\n\n")
        (folder / "huts").mkdir()
        for k in range(3):
            write_svg(folder / "huts" / f"{k}.svg", house)
        return folder

    @pytest.mark.parametrize("settings", [{}, {"unique": True, "limit": 12, "max_points": 22, "valid": 0.2}])
    def test_the_set_is_the_same_with_any_number(
        self, settings: dict[str, Any], tmp_path: Path, house: Sketch, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source = self.mix(tmp_path / "in", house)
        found = []
        for processes, unit in ((1, 1 << 30), (1, 5000), (3, 5000), (2, 700)):
            monkeypatch.setattr(prepare_module, "_UNIT", unit)
            steps: list[Step] = []
            chosen = PrepareSettings(processes=processes, **settings)
            report = prepare([source], tmp_path / "set.arrow", chosen, on_progress=steps.append)
            assert [step.files_done for step in steps] == list(range(len(steps)))
            found.append(((tmp_path / "set.arrow").read_bytes(), report))
        assert all(data == found[0][0] for data, _ in found)
        assert all(report == found[0][1] for _, report in found)
        report = found[0][1]
        where = [(problem.path.name, problem.where) for problem in report.problems]
        assert where == [
            ("all.ndjson", "line 4"),
            ("all.ndjson", "line 254"),
            ("broken.npz", ""),
            ("empty.ndjson", ""),
        ]

    def test_sketch_by_sketch_it_is_fit_and_simplify(self, tmp_path: Path, house: Sketch) -> None:
        source = self.mix(tmp_path / "in", house)
        sketches, _ = made([source / "all.ndjson"], tmp_path / "set.arrow", max_points=1000)
        expected = []
        for sketch in read_sketches(source / "all.ndjson"):
            left, top, right, bottom = sketch.bounds()
            points = sketch.points()
            done = sketch.fit()
            if abs(max(right - left, bottom - top) - 255) > 1 or not np.array_equal(points, np.rint(points)):
                done = done.simplify(2.0)
            expected.append(done.strokes)
        kept = [strokes for strokes in expected if sum(map(len, strokes)) >= 4]
        found = sorted(np.concatenate(sketch.strokes).tolist() for sketch in sketches)
        rounded = sorted((np.rint(np.concatenate(strokes) * 64) / 64).tolist() for strokes in kept)
        assert found == rounded

    def test_strict_stops_at_the_same_line(
        self, tmp_path: Path, house: Sketch, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source = self.mix(tmp_path / "in", house)
        monkeypatch.setattr(prepare_module, "_UNIT", 2000)
        with pytest.raises(FormatError, match=r"all\.ndjson: line 4: not JSON"):
            made([source], tmp_path / "set.arrow", strict=True, processes=2)
        with pytest.raises(FormatError, match=r"empty\.ndjson: no drawing in it \(the file is empty\)"):
            made([source / "empty.ndjson"], tmp_path / "set.arrow", strict=True)
        assert not (tmp_path / "set.arrow").exists()

    @pytest.mark.slow
    @pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for processes in /proc")
    def test_ctrl_c_ends_all_and_leaves_the_older_set(self, tmp_path: Path) -> None:
        source, out = ndjson(tmp_path / "a.ndjson", drawings(500)), tmp_path / "set.arrow"
        source.write_bytes(source.read_bytes() * 500)
        out.write_bytes(b"older")
        mark = f"SKETCH_TEST={tmp_path}"
        words = [
            sys.executable,
            "-m",
            "sketch_pix2seq",
            "prepare",
            str(source),
            str(out),
            "--processes",
            "3",
            "--overwrite",
        ]
        environment = {**os.environ, "SKETCH_TEST": str(tmp_path)}
        running = subprocess.Popen(words, env=environment, stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 60
        while len(self.marked(mark)) < 4 and time.monotonic() < deadline:
            time.sleep(0.05)
        running.send_signal(signal.SIGINT)
        _, told = running.communicate(timeout=20)
        assert running.returncode == 130
        assert told == "sketch-pix2seq: stopped\n"
        assert out.read_bytes() == b"older"
        assert sorted(path.name for path in tmp_path.iterdir()) == ["a.ndjson", "set.arrow"]
        assert not self.marked(mark)

    def marked(self, mark: str) -> list[int]:
        """Processes whose environment holds the mark."""
        found = []
        for process in Path("/proc").iterdir():
            if process.name.isdigit():
                with suppress(OSError):
                    if mark.encode() in (process / "environ").read_bytes().split(b"\0"):
                        found.append(int(process.name))
        return found


@pytest.mark.parametrize(
    "settings",
    [
        {"valid": 0.6, "test": 0.4},
        {"valid": -0.1},
        {"valid": float("nan")},
        {"limit": 0},
        {"min_points": 10, "max_points": 9},
        {"min_points": 0},
        {"max_points": 100_000},
        {"simplify_epsilon": -1.0},
        {"tolerance": 0.0},
        {"processes": -1},
        {"shard_size": -1},
        {"categories": ("cat=",)},
        {"categories": ("=cat",)},
    ],
)
def test_settings_that_make_no_sense(settings: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(SettingsError):
        made([tmp_path], tmp_path / "set.arrow", **settings)


@pytest.mark.shared
def test_googles_own_files(shared_data: Path, tmp_path: Path) -> None:
    samples = shared_data / "samples"
    sketches, report = made([shared_data / "quickdraw" / "suitcase.npz", samples], tmp_path / "set.arrow")
    assert sketches.categories == ("bus", "cat", "flower", "suitcase")
    assert set(report.dropped) == {"not recognized by Quick, Draw!"}
    assert report.problem_count == 0
    suitcases = sketches.indices(category="suitcase")
    assert Counter(sketches.split_ids[suitcases].tolist()) == {0: 667, 1: 41, 2: 82}
    raw = [json.loads(line) for line in (samples / "cat.raw.ndjson").open()]
    assert max(sum(len(stroke[0]) for stroke in entry["drawing"]) for entry in raw) > 250
    assert sketches.lengths.max() <= 250
