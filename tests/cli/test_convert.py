"""`convert`: what goes where, what is refused, and what is said about it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tyro

from sketch_pix2seq.cli import convert as command
from sketch_pix2seq.errors import FileError, FormatError, SettingsError
from sketch_pix2seq.formats import read_sketches, write_sketch, write_sketches
from sketch_pix2seq.formats.convert import ConvertOptions, convert
from sketch_pix2seq.sketch import Sketch
from tests.conftest import random_sketch


def run(*arguments: object) -> None:
    command.run(tyro.cli(command.Settings, args=[str(argument) for argument in arguments]))


def some(count: int, category: str = "thing", split: str | None = None) -> list[Sketch]:
    rng = np.random.default_rng(count)
    metadata = {"split": split} if split else {}
    return [random_sketch(rng, category=category).with_(metadata=metadata) for _ in range(count)]


def tree(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_file_to_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_sketches(some(5), tmp_path / "cat.ndjson.gz")
    run(tmp_path / "cat.ndjson.gz", tmp_path / "cat.ndjson", "--limit", 3)
    assert capsys.readouterr().out == f"3 drawings from 1 file -> {tmp_path / 'cat.ndjson'}\n"
    assert list(read_sketches(tmp_path / "cat.ndjson")) == some(5)[:3]


def test_many_inputs_are_collected(tmp_path: Path) -> None:
    write_sketches(some(2, split="valid") + some(3), tmp_path / "a.ndjson")
    write_sketches(some(4, split="test"), tmp_path / "b.ndjson")
    run(tmp_path / "a.ndjson", tmp_path / "b.ndjson", tmp_path / "thing.npz")
    found = [sketch.metadata["split"] for sketch in read_sketches(tmp_path / "thing.npz")]
    assert found == ["train"] * 3 + ["valid"] * 2 + ["test"] * 4
    run(tmp_path / "thing.npz", tmp_path / "b.ndjson", tmp_path / "all.ndjson")
    assert len(list(read_sketches(tmp_path / "all.ndjson"))) == 13


def test_many_drawings_to_one_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_sketches(some(3), tmp_path / "cat.ndjson")
    run(tmp_path / "cat.ndjson", tmp_path / "out.svg")
    assert tree(tmp_path / "out") == ["out-0001.svg", "out-0002.svg", "out-0003.svg"]
    assert "-> 3 files" in capsys.readouterr().out
    run(tmp_path / "cat.ndjson", tmp_path / "folder", "--to", "svg")
    assert tree(tmp_path / "folder") == ["cat/cat-0001.svg", "cat/cat-0002.svg", "cat/cat-0003.svg"]
    with pytest.raises(FileError, match=r"out-0001.svg: exists already; nothing was written, --overwrite"):
        run(tmp_path / "cat.ndjson", tmp_path / "out.svg")


def test_folder_to_folder_keeps_the_tree(tmp_path: Path, house: Sketch) -> None:
    for name in ("in/a/1.svg", "in/a/deep/2.svg", "in/3.png", "in/3.svg"):
        write_sketch(house, tmp_path / name)
    (tmp_path / "in" / "notes.txt").touch()
    run(tmp_path / "in", tmp_path / "out", "--to", "ndjson")
    assert tree(tmp_path / "out") == ["3-svg-2.ndjson", "3.ndjson", "a/1.ndjson", "a/deep/2.ndjson"]
    (found,) = read_sketches(tmp_path / "out" / "a" / "deep" / "2.ndjson")
    assert found.category == "deep"
    run(tmp_path / "in" / "a", tmp_path / "in" / "3.png", tmp_path / "two", "--to", ".SVG")
    assert tree(tmp_path / "two") == ["3.svg", "a/1.svg", "a/deep/2.svg"]


def test_a_folder_of_pictures_to_one_file(tmp_path: Path, house: Sketch) -> None:
    for name in ("drawings/pig/1.png", "drawings/cat/1.svg"):
        write_sketch(house, tmp_path / name)
    report = convert([tmp_path / "drawings"], tmp_path / "all.ndjson")
    assert (report.files, report.sketches, report.problems) == (2, 2, 0)
    assert [sketch.category for sketch in read_sketches(tmp_path / "all.ndjson")] == ["cat", "pig"]
    told: list[str] = []
    convert([tmp_path / "all.ndjson"], tmp_path / "all.npz", on_problem=lambda problem: told.append(str(problem)))
    assert told == [f"{tmp_path / 'all.npz'}: an .npz has no room for categories: 2 became one"]


def test_fit_and_simplify(tmp_path: Path) -> None:
    line = Sketch((np.array([[0, 0], [500, 1], [1000, 0], [1000, 700]], np.float32),), "line")
    source = write_sketch(line, tmp_path / "line.ndjson")

    def points(*arguments: object) -> list[list[float]]:
        out = tmp_path / str(arguments[0])
        run(source, out, "--overwrite", *arguments[1:])
        (found,) = read_sketches(out)
        result: list[list[float]] = (found.points() - found.points()[0]).tolist()
        return result

    assert points("a.ndjson") == line.points().tolist()
    assert points("a.ndjson", "--simplify", 2) == [[0, 0], [1000, 0], [1000, 700]]
    assert points("a.ndjson", "--simplify", 2, "--fit")[1][0] == 255
    assert points("a.npz", "--simplify", 2) == [[0, 0], [255, 0], [255, 178]]
    assert points("a.npz", "--no-fit")[3] == [1000, 700]


def test_width_on_paper(tmp_path: Path, house: Sketch) -> None:
    source = write_sketch(house, tmp_path / "house.ndjson")
    run(source, tmp_path / "house.svg", "--width-mm", 100)
    assert 'width="108mm"' in (tmp_path / "house.svg").read_text()
    run(source, tmp_path / "page.svg", "--page", "A5", "--margin", 5)
    assert 'width="148mm" height="210mm"' in (tmp_path / "page.svg").read_text()


def test_filters(tmp_path: Path) -> None:
    sketches = [
        sketch.with_(metadata={"recognized": n < 4, "countrycode": "GB" if n % 2 else "US"})
        for n, sketch in enumerate(some(6))
    ]
    source = write_sketches(sketches, tmp_path / "a.ndjson")[0]
    for flags, count in ((["--recognized"], 4), (["--no-recognized"], 2), (["--recognized", "--countries", "GB"], 2)):
        run(source, tmp_path / "b.ndjson", "--overwrite", *flags)
        assert len(list(read_sketches(tmp_path / "b.ndjson"))) == count
    with pytest.raises(FileError, match="no drawing came out"):
        run(source, tmp_path / "c.ndjson", "--countries", "FR")
    assert not (tmp_path / "c.ndjson").exists()


def test_nothing_is_overwritten_unasked(tmp_path: Path, house: Sketch) -> None:
    source = write_sketch(house, tmp_path / "house.ndjson")
    (tmp_path / "out.svg").write_text("mine")
    with pytest.raises(FileError, match=r"out.svg: exists already; nothing was written, --overwrite"):
        run(source, tmp_path / "out.svg")
    for name in ("1", "2"):
        write_sketch(house, tmp_path / "in" / f"{name}.svg")
    run(tmp_path / "in", tmp_path / "out", "--to", "ndjson")
    (tmp_path / "out" / "2.ndjson").unlink()
    with pytest.raises(FileError, match=r"1.ndjson: exists already;"):
        run(tmp_path / "in", tmp_path / "out", "--to", "ndjson")
    assert tree(tmp_path / "out") == ["1.ndjson"]
    run(source, tmp_path / "out.svg", "--overwrite")
    assert "<svg" in (tmp_path / "out.svg").read_text()
    run(source, source, "--overwrite")
    assert len(list(read_sketches(source))) == 1


def test_one_bad_file_does_not_stop_the_others(
    tmp_path: Path, house: Sketch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    write_sketches(some(2), folder / "a.ndjson")
    (folder / "b.npz").write_bytes(b"hello")
    (folder / "c.svg").write_text("hello")
    write_sketch(house, folder / "d.svg")
    with (folder / "a.ndjson").open("a") as file:
        file.write("broken\n")
    with pytest.raises(FileError, match=r"b.npz: not an .npz file.* \(2 of 4 files could not be read; the rest"):
        run(folder, tmp_path / "all.ndjson")
    printed = capsys.readouterr()
    assert "3 drawings from 2 files, 1 left out -> " in printed.out
    assert "a.ndjson: line 3: not JSON" in printed.err
    assert "b.npz: not an .npz" in printed.err
    assert "c.svg: " in printed.err
    assert len(list(read_sketches(tmp_path / "all.ndjson"))) == 3
    with pytest.raises(FileError, match="2 of 4 files"):
        run(folder, tmp_path / "out", "--to", "svg")
    assert tree(tmp_path / "out") == ["a/a-0001.svg", "a/a-0002.svg", "d.svg"]
    with pytest.raises(FormatError, match=r"a.ndjson: line 3: not JSON"):
        run(folder, tmp_path / "strict.ndjson", "--strict")
    assert not (tmp_path / "strict.ndjson").exists()


def test_broken_lines_are_left_out_and_counted(tmp_path: Path) -> None:
    source = tmp_path / "a.ndjson"
    whole = write_sketches(some(2), source)[0].read_text()
    source.write_text(whole + "broken\n" * 30)
    told: list[str] = []
    report = convert([source], tmp_path / "b.ndjson", on_problem=lambda problem: told.append(problem.where))
    assert (report.sketches, report.problems, told[0], len(told)) == (2, 30, "line 3", 30)


def test_problems_beyond_ten_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "a.ndjson"
    source.write_text(write_sketches(some(2), source)[0].read_text() + "broken\n" * 30)
    run(source, tmp_path / "b.ndjson")
    printed = capsys.readouterr()
    assert printed.err.count("not JSON") == 10
    assert "and 20 more" in printed.err


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["a.ndjson"], SettingsError, "convert IN... OUT"),
        (["a.ndjson", "folder"], SettingsError, "folder is a folder: say with --to"),
        (["a.ndjson", "b.tiff"], FileError, r"b.tiff: .tiff cannot be written; these can: .npz"),
        (["a.ndjson", "folder", "--to", "pdf"], SettingsError, "--to pdf is not a format .*: npz ndjson"),
        (["a.ndjson", "b.svg", "--to", "png"], SettingsError, "--to png contradicts"),
        (["a.ndjson", "b.svg", "--limit", "0"], SettingsError, "1 or more"),
        (["a.ndjson", "b.svg", "--simplify", "-1"], SettingsError, "0 or more"),
        (["missing.npz", "b.svg"], FileError, "missing.npz: no such file or folder"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], error: type[Exception], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_sketches(some(1), "a.ndjson")
    with pytest.raises(error, match=message):
        run(*arguments)
    assert tree(tmp_path) == ["a.ndjson"]


def test_progress_is_told(tmp_path: Path) -> None:
    sources = [write_sketches(some(150), tmp_path / f"{name}.ndjson")[0] for name in "ab"]
    told: list[tuple[int, int, int]] = []
    convert(
        sources,
        tmp_path / "all.ndjson",
        options=ConvertOptions(limit=120),
        on_progress=lambda done, total, sketches: told.append((done, total, sketches)),
    )
    assert told == [(0, 2, 99), (1, 2, 120), (1, 2, 219), (2, 2, 240)]
