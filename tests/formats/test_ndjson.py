"""QuickDraw's ndjson: simplified, raw, gzipped, filtered; broken lines are told by number and the rest is kept."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sketch_pix2seq.errors import FileError, FormatError
from sketch_pix2seq.formats import Problem
from sketch_pix2seq.formats import ndjson as ndjson_module
from sketch_pix2seq.formats.ndjson import read_ndjson, write_ndjson
from sketch_pix2seq.sketch import Sketch
from tests.conftest import random_sketch

SIMPLIFIED = (
    '{"word":"cat","countrycode":"VE","timestamp":"2017-03-02 23:25:10.07453 UTC","recognized":true,'
    '"key_id":"5201136883597312","drawing":[[[130,113,99],[72,40,27]],[[76],[136]]]}'
)
RAW = '{"word":"cat","recognized":false,"countrycode":"GB","drawing":[[[414.25,410.5],[1,2.75],[0,76]]]}'


def lines(path: Path, *content: str | bytes) -> Path:
    path.write_bytes(b"\n".join(line.encode() if isinstance(line, str) else line for line in content))
    return path


def test_simplified_and_raw(tmp_path: Path) -> None:
    simplified, raw = read_ndjson(lines(tmp_path / "x.ndjson", SIMPLIFIED, "", RAW))
    assert simplified.category == "cat"
    assert [stroke.tolist() for stroke in simplified.strokes] == [[[130, 72], [113, 40], [99, 27]], [[76, 136]]]
    assert simplified.metadata["key_id"] == "5201136883597312"
    assert simplified.metadata["recognized"] is True
    assert simplified.metadata["countrycode"] == "VE"
    assert str(simplified.metadata["timestamp"]).startswith("2017-03-02")
    assert simplified.times is None
    assert raw.strokes[0].tolist() == [[414.25, 1], [410.5, 2.75]]
    assert raw.times is not None
    assert raw.times[0].tolist() == [0, 76]


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        ({"recognized": True}, 1),
        ({"recognized": False}, 1),
        ({"countries": ("gb",)}, 1),
        ({"countries": ("GB", "VE")}, 2),
        ({"countries": ("GB",), "recognized": True}, 0),
    ],
)
def test_filters(tmp_path: Path, filters: dict[str, bool | tuple[str, ...]], count: int) -> None:
    path = lines(tmp_path / "x.ndjson", SIMPLIFIED, RAW, '{"drawing":[[[1],[2]]]}')
    assert len(list(read_ndjson(path, **filters))) == count  # type: ignore[arg-type]


def test_the_file_names_the_category_where_the_line_does_not(tmp_path: Path) -> None:
    (sketch,) = read_ndjson(lines(tmp_path / "full_simplified_alarm clock.ndjson", '{"drawing":[[[1],[2]]]}'))
    assert sketch.category == "alarm clock"


@pytest.mark.parametrize("name", ["x.ndjson", "x.ndjson.gz", "x.jsonl"])
def test_round_trip(tmp_path: Path, name: str) -> None:
    rng = np.random.default_rng(3)
    whole = [random_sketch(rng).with_(metadata={"key_id": str(n), "recognized": True, "note": "ü"}) for n in range(5)]
    fine = Sketch(
        (rng.normal(size=(6, 2)).astype(np.float32), np.array([[1e-7, -3e8]], np.float32)),
        "fine",
        {"split": "test", "score": 0.1, "count": 3},
        (np.array([0, 1.5, 2, 3, 4, 5e6], np.float32), np.array([7], np.float32)),
    )
    path = write_ndjson(tmp_path / name, [*whole, fine])
    assert list(read_ndjson(path, strict=True)) == [*whole, fine]
    assert (path.read_bytes()[:2] == b"\x1f\x8b") == name.endswith(".gz")
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_lines_look_like_quickdraws(tmp_path: Path) -> None:
    path = write_ndjson(tmp_path / "x.ndjson", read_ndjson(lines(tmp_path / "in.ndjson", SIMPLIFIED)))
    assert path.read_text() == SIMPLIFIED + "\n"


def test_gzip_is_known_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "x.ndjson").write_bytes(gzip.compress(SIMPLIFIED.encode()))
    assert len(list(read_ndjson(tmp_path / "x.ndjson"))) == 1
    (tmp_path / "y.ndjson.gz").write_bytes(SIMPLIFIED.encode())
    assert len(list(read_ndjson(tmp_path / "y.ndjson.gz"))) == 1


BROKEN: dict[str, tuple[str | bytes, str]] = {
    "no JSON": ("hello", "not JSON"),
    "cut": (SIMPLIFIED[:-20], "not JSON"),
    "two in one": (SIMPLIFIED * 2, "not JSON"),
    "not UTF-8": (b'{"word":"\xff\xfe"}', "not UTF-8"),
    "zeros": (b"\0" * 100, "not"),
    "a list": ("[]", "not a JSON object"),
    "no drawing": ('{"word":"cat"}', "no 'drawing'"),
    "empty drawing": ('{"drawing":[]}', "empty"),
    "null drawing": ('{"drawing":null}', "empty or not a list"),
    "text for a stroke": ('{"drawing":["ab"]}', "stroke 0 is not"),
    "one list only": ('{"drawing":[[[1,2]]]}', "stroke 0 is not"),
    "four lists": ('{"drawing":[[[1],[1],[1],[1]]]}', "stroke 0 is not"),
    "no points": ('{"drawing":[[[1],[1]],[[],[]]]}', "stroke 1 has no points"),
    "lengths": ('{"drawing":[[[1,2],[1,2,3]]]}', r"different lengths \(2, 3\)"),
    "times short": ('{"drawing":[[[1,2],[1,2],[0]]]}', r"different lengths \(2, 2, 1\)"),
    "NaN": ('{"drawing":[[[NaN],[1]]]}', "NaN is not a number"),
    "infinity": ('{"drawing":[[[1e999],[1]]]}', "not a number up to 1,000,000,000"),
    "huge": ('{"drawing":[[[1e30],[1]]]}', "not a number up to 1,000,000,000"),
    "huge whole number": ('{"drawing":[[[%s],[1]]]}' % ("9" * 30), "not a number"),
    "smallest int64": ('{"drawing":[[[-9223372036854775808],[1]]]}', "not a number up to 1,000,000,000"),
    "text": ('{"drawing":[[["1"],[1]]]}', "not a number"),
    "null": ('{"drawing":[[[null],[1]]]}', "not a number"),
    "nested": ('{"drawing":[[[[1]],[[1]]]]}', "not a number"),
    "ragged": ('{"drawing":[[[1,[2]],[1,2]]]}', "not a number"),
    "endless nesting": ("[" * 200_000, "not JSON"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_lines_are_told_by_number_and_the_rest_is_kept(tmp_path: Path, name: str) -> None:
    line, message = BROKEN[name]
    path = lines(tmp_path / "x.ndjson", SIMPLIFIED, "", line, RAW)
    problems: list[Problem] = []
    assert len(list(read_ndjson(path, on_problem=problems.append))) == 2
    (problem,) = problems
    assert (problem.path, problem.where) == (path, "line 3")
    assert len(problem.message) < 150
    with pytest.raises(FormatError, match=f"line 3: .*{message}") as caught:
        list(read_ndjson(path, strict=True))
    assert str(caught.value).startswith(f"{path}: line 3: ")


def test_an_absurdly_long_line_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ndjson_module, "MAX_LINE_BYTES", 1000)
    path = lines(tmp_path / "x.ndjson", SIMPLIFIED, "x" * 5432, RAW, "y" * 1000, "z" * 1001)
    problems: list[Problem] = []
    assert len(list(read_ndjson(path, on_problem=problems.append))) == 2
    assert [problem.where for problem in problems] == ["line 2", "line 4", "line 5"]
    assert "longer than" in problems[0].message


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    path = lines(tmp_path / "x.ndjson", b"\xef\xbb\xbf" + SIMPLIFIED.encode() + b"\r", RAW)
    assert len(list(read_ndjson(path, strict=True))) == 2


def test_gzip_cut_short_keeps_what_came_before(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    whole = write_ndjson(tmp_path / "x.ndjson.gz", [random_sketch(rng) for _ in range(500)]).read_bytes()
    path = tmp_path / "cut.ndjson.gz"
    path.write_bytes(whole[: len(whole) // 2])
    problems: list[Problem] = []
    found = list(read_ndjson(path, on_problem=problems.append))
    assert 50 < len(found) < 450
    assert "damaged or cut short" in problems[-1].message
    with pytest.raises(FormatError, match="cut short"):
        list(read_ndjson(path, strict=True))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"\n \n", "the file is empty"),
        (b"\x89PNG\r\n\x1a\n", "no drawing in it .line 1: not"),
        (b"\x1f\x8b garbage", "no drawing in it .line 1: the gzip data is damaged"),
    ],
)
def test_a_file_without_a_drawing(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "x.ndjson").write_bytes(content)
    with pytest.raises(FormatError, match=message):
        list(read_ndjson(tmp_path / "x.ndjson"))


def test_files_that_cannot_be_opened(tmp_path: Path, house: Sketch) -> None:
    with pytest.raises(FileError, match="no such file"):
        list(read_ndjson(tmp_path / "x.ndjson"))
    with pytest.raises(FileError, match="is a folder; a file is needed"):
        list(read_ndjson(tmp_path))
    with pytest.raises(FileError, match="does not exist"):
        write_ndjson(tmp_path / "missing" / "x.ndjson", [house])


@pytest.mark.parametrize("name", ["x.ndjson", "x.ndjson.gz"])
def test_writing_is_whole_or_not_at_all(tmp_path: Path, house: Sketch, name: str) -> None:
    path = write_ndjson(tmp_path / name, [house])
    before = path.read_bytes()

    def broken() -> Iterator[Sketch]:
        yield house
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_ndjson(path, broken())
    with pytest.raises(FileError, match="without strokes"):
        write_ndjson(path, [house, Sketch(())])
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_reading_streams(tmp_path: Path) -> None:
    path = lines(tmp_path / "x.ndjson", SIMPLIFIED, "broken")
    assert next(read_ndjson(path, strict=True)).category == "cat"


@pytest.mark.shared
def test_googles_own_files(shared_data: Path) -> None:
    for path in sorted((shared_data / "samples").glob("*.ndjson")):
        entries = [json.loads(line) for line in path.read_text().splitlines()]
        found = list(read_ndjson(path, strict=True))
        assert [sketch.metadata["key_id"] for sketch in found] == [entry["key_id"] for entry in entries]
        assert all((sketch.times is not None) == (".raw" in path.name) for sketch in found)
