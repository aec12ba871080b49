"""`sketch-pix2seq download` as a thin skin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from sketch_pix2seq.cli import download as command
from sketch_pix2seq.data.quickdraw import CATEGORIES, DownloadSettings, Transfer
from sketch_pix2seq.errors import SettingsError


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Sequence[str], Path, DownloadSettings]]:
    """Downloads asked for, none of them made; each gives a file of three bytes."""
    calls: list[tuple[Sequence[str], Path, DownloadSettings]] = []

    def fake(
        names: Sequence[str], folder: Path, *, settings: DownloadSettings, on_progress: Callable[[Transfer], None]
    ) -> list[Path]:
        calls.append((names, folder, settings))
        folder.mkdir(exist_ok=True)
        paths = [folder / f"{name}.npz" for name in names]
        for path in paths:
            on_progress(Transfer(path, 0, None, "trying again: the connection was cut"))
            path.write_bytes(b"abc")
            on_progress(Transfer(path, 3, 3))
        return paths

    monkeypatch.setattr(command, "download", fake)
    return calls


def test_it_downloads_and_says_what_comes_next(
    asked: list[tuple[Sequence[str], Path, DownloadSettings]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "my drawings"
    command.run(command.Settings(categories=("cat", "alarm clock"), out=folder, kind="full", jobs=2))
    names, where, settings = asked[0]
    assert (names, where, settings.kind, settings.jobs) == (("cat", "alarm clock"), folder, "full", 2)
    out, err = capsys.readouterr()
    assert "2 files, 0.0 MB" in out
    assert f'sketch-pix2seq prepare "{folder}" SET.arrow' in out
    assert "cat.npz: trying again" in err


def test_all(asked: list[tuple[Sequence[str], Path, DownloadSettings]], tmp_path: Path) -> None:
    command.run(command.Settings(all=True, out=tmp_path))
    assert asked[0][0] == CATEGORIES


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (command.Settings(), "name at least one category"),
        (command.Settings(categories=("cat",), all=True), "not both"),
        (command.Settings(categories=("catt",)), 'no category "catt"; did you mean "cat"'),
        (command.Settings(categories=("xqzzy",), list=True), "no category comes near xqzzy"),
    ],
)
def test_what_cannot_be_done(
    settings: command.Settings, problem: str, asked: list[tuple[Sequence[str], Path, DownloadSettings]]
) -> None:
    with pytest.raises(SettingsError, match=problem):
        command.run(settings)
    assert asked == []


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    command.run(command.Settings(list=True))
    assert capsys.readouterr().out.splitlines() == list(CATEGORIES)
    command.run(command.Settings(list=True, categories=("clock", "Pigs")))
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == "clock"
    assert {"alarm clock", "pig"} <= set(shown)
