"""How drawings become files of a folder, and whose files they are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sketch_pix2seq.drawing.writing import (
    LIST,
    SHEET,
    check_free,
    drawing_names,
    file_name,
    formats_of,
    is_own,
    note_written,
    without_own,
    write_drawings,
)
from sketch_pix2seq.errors import FileError, SettingsError
from sketch_pix2seq.formats import find_files
from sketch_pix2seq.sketch import Sketch


def test_formats_as_people_type_them() -> None:
    assert formats_of("SVG, .png,gif,svg") == ("svg", "png", "gif")
    assert formats_of("None") == ()
    with pytest.raises(SettingsError, match="no format 'pdf'"):
        formats_of("svg,pdf")


@pytest.mark.parametrize(
    ("category", "name"),
    [
        ("ice cream", "ice cream"),
        ("a/b\\c", "a-b-c"),
        ("what?", "what-"),
        ("..", "drawing"),
        ("CON", "CON_"),
        ("猫", "猫"),
    ],
)
def test_a_category_as_the_name_of_a_file(category: str, name: str) -> None:
    assert file_name(category) == name


def test_the_names_are_those_of_the_files(tmp_path: Path, house: Sketch) -> None:
    formats = ("svg", "png", "ndjson")
    write_drawings("house", [house] * 10, tmp_path, formats)
    names = drawing_names("house", 10, formats)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    assert {"house-01.svg", "house-10.png", "house.ndjson"} < set(names)


def test_only_what_was_noted_and_is_unchanged_is_own(tmp_path: Path, house: Sketch) -> None:
    names = drawing_names("house", 2, ("svg",))
    write_drawings("house", [house] * 2, tmp_path, ("svg",))
    with pytest.raises(FileError, match="exists already and was not drawn here, or was changed since, like 1 more;"):
        check_free(tmp_path, names)
    note_written(tmp_path, [*names, "never-written.svg"])
    check_free(tmp_path, names)
    (tmp_path / names[0]).write_text("changed")
    assert [is_own(tmp_path / name) for name in names] == [False, True]
    with pytest.raises(FileError, match=f"{names[0]}: exists already and was not drawn here, or was changed"):
        check_free(tmp_path, names)
    check_free(tmp_path, names, overwrite=True)
    check_free(tmp_path, ["another.svg"])
    check_free(tmp_path / "missing", names)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"sketch-pix2seq": "studio", "files": ["house-1.svg"]}',
        '{"sketch-pix2seq": "drawings", "files": 3}',
    ],
)
def test_a_list_of_another_make_lists_nothing(text: str, tmp_path: Path, house: Sketch) -> None:
    write_drawings("house", [house], tmp_path, ("svg",))
    (tmp_path / LIST).write_text(text)
    assert not is_own(tmp_path / "house-1.svg")
    note_written(tmp_path, ["house-1.svg"])
    assert is_own(tmp_path / "house-1.svg")
    assert set(json.loads((tmp_path / LIST).read_text())["files"]) == {"house-1.svg"}


def test_nothing_written_leaves_no_list(tmp_path: Path) -> None:
    note_written(tmp_path, [SHEET])
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_searched_without_own_drawings(tmp_path: Path, house: Sketch) -> None:
    out = tmp_path / "drawings"
    write_drawings("mine", [house], tmp_path, ("svg",))
    write_drawings("house", [house] * 2, out, ("svg",))
    note_written(out, drawing_names("house", 2, ("svg",)))
    assert [path.name for path, _ in without_own(find_files([tmp_path]), [tmp_path])] == ["mine-1.svg"]
    inputs = [tmp_path, out / "house-2.svg"]
    assert {path.name for path, _ in without_own(find_files(inputs), inputs)} == {"mine-1.svg", "house-2.svg"}
    with pytest.raises(FileError, match="holds only what was drawn here before"):
        without_own(find_files([out]), [out])
