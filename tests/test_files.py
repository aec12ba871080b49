"""A file is written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from sketch_pix2seq.errors import FileError
from sketch_pix2seq.files import open_to_read, remove_leftovers, replacing, write_whole, writing_folder


def test_writes_and_replaces(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    assert write_whole(path, b"one") == path
    write_whole(str(path), b"two")
    assert path.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"kept")

    def full(self: Path, data: bytes) -> int:
        self.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(FileError, match=r"a\.bin: cannot be written: No space left on device"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"kept"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"the folder .*missing does not exist"):
        write_whole(tmp_path / "missing" / "a.bin", b"")


def test_what_a_killed_process_left_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "a.bin.part").write_bytes(b"half of something longer")
    assert write_whole(tmp_path / "a.bin", b"new").read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [tmp_path / "a.bin"]


def test_two_at_once_on_one_file(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    with replacing(path) as part:
        part.write_bytes(b"first")
        with pytest.raises(FileError, match=r"a\.bin: another process is writing it"):
            write_whole(path, b"second")
        remove_leftovers(tmp_path)
    assert path.read_bytes() == b"first"


def test_leftovers_of_killed_processes_are_removed(tmp_path: Path) -> None:
    (tmp_path / "old.part").write_bytes(b"half")
    (tmp_path / ".writing-abc").mkdir()
    (tmp_path / ".writing-abc" / "model.onnx").write_bytes(b"half")
    (tmp_path / "kept").write_bytes(b"whole")
    remove_leftovers(tmp_path)
    (tmp_path / ".writing-def").mkdir()
    with writing_folder(tmp_path) as mine, replacing(tmp_path / "new") as part:
        part.write_bytes(b"new")
        remove_leftovers(tmp_path)
        assert sorted(path.name for path in tmp_path.iterdir()) == [mine.name, "kept", "new.part"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept", "new"]


def test_a_read_only_folder_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: object, *arguments: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.open", refused)
    with pytest.raises(FileError, match=r"a\.bin: cannot be written: Permission denied"):
        write_whole(tmp_path / "a.bin", b"")


def test_only_ordinary_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    with open_to_read(tmp_path / "a") as file:
        assert file.read() == b"x"
    with pytest.raises(FileError, match="is a folder; a file is needed"):
        open_to_read(tmp_path)
    with pytest.raises(FileError, match="no such file"):
        open_to_read(tmp_path / "none")
    with pytest.raises(FileError, match="cannot be read: embedded null byte"):
        open_to_read("a\0b")
