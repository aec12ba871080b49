"""`sketch-pix2seq study` through its two sub-commands."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

from sketch_pix2seq.cli import study as command
from sketch_pix2seq.cli.main import parse
from sketch_pix2seq.cli.study import Report, Serve, Settings
from sketch_pix2seq.errors import FileError, FormatError, SettingsError
from sketch_pix2seq.study import server
from sketch_pix2seq.study.store import Study
from tests.study.conftest import small_study


def parsed(line: str) -> Settings:
    """Settings as `sketch-pix2seq study` gets them."""
    default, words = command.defaults(line.split())
    settings: Settings = parse(Settings, "study", words, default)
    return settings


def test_flags() -> None:
    assert parsed("serve") == Settings(Serve())
    assert parsed("serve --data set.arrow --models bundled runs/mine --out s --port 0 --show still").action == Serve(
        data=Path("set.arrow"), models=("bundled", "runs/mine"), out=Path("s"), port=0, show="still"
    )
    assert parsed("report").action == Report(Path("study"))
    assert parsed("report some/study --json --no-categories").action == Report(Path("some/study"), True, False)


def test_settings_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text("data: set.arrow\nmodels: [bundled, runs/mine]\nper-category: 2\ntrials: 20\n")
    action = parsed(f"serve --config {path} --trials 10").action
    assert action == Serve(data=Path("set.arrow"), models=("bundled", "runs/mine"), per_category=2, trials=10)
    with pytest.raises(FormatError, match="no setting 'data'; there are categories, json, study"):
        parsed(f"report --config {path}")


@pytest.mark.parametrize(("name", "kind"), [("serve", Serve), ("report", Report)])
def test_help(name: str, kind: type[Serve | Report], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed(f"{name} --help")
    out = capsys.readouterr().out
    assert out.startswith(f"usage: sketch-pix2seq study {name} ")
    assert f"\nsketch-pix2seq study {name} " in out, "an example"
    assert "\n--config FILE.yaml" in out
    for field in fields(kind):
        assert f"--{field.name.replace('_', '-')}" in out or field.name == "study"


def test_help_of_both(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed("--help")
    out = capsys.readouterr().out
    assert "Serve a page" in out
    assert "Report how often" in out


def answered(study: Study, participants: int) -> None:
    for _ in range(participants):
        token = study.enrol()
        for trial in range(8):
            study.answer(token, trial, "person" if trial % 3 else "computer", 1500.0)


def test_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with small_study(tmp_path, models=("bundled", "runs/[mine]")) as study:
        command.run(Settings(Report(tmp_path)))
        assert "No counted answer yet." in capsys.readouterr().out
        answered(study, 2)
    command.run(Settings(Report(tmp_path)))
    out = capsys.readouterr().out
    assert "12 answers of 2 participants, 2 of whom answered everything" in out
    for words in ("people", "runs/[mine]", "95 % Wilson", "d'", "1.5 s", "exact test", "cat", "Note: Only 2"):
        assert words in out
    command.run(Settings(Report(tmp_path, json=True)))
    content = json.loads(capsys.readouterr().out)
    assert (content["answers"], content["design"]["models"]) == (12, ["bundled", "runs/[mine]"])
    assert content["people"]["share"]["answers"] == 6


def test_serve_takes_up_what_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    small_study(tmp_path).close()
    calls: list[tuple[Path, str, int]] = []

    def serve(folder: Path, *, host: str, port: int, on_ready: Callable[[str], None]) -> None:
        calls.append((folder, host, port))
        on_ready("http://127.0.0.1:8000/")

    monkeypatch.setattr(server, "serve_study", serve)
    command.run(Settings(Serve(out=tmp_path)))
    assert calls == [(tmp_path, "127.0.0.1", 8000)]
    out = capsys.readouterr().out
    assert "drawings by people (6) and by one, two (12); 6 for each participant" in out
    assert "open http://127.0.0.1:8000/ in a browser" in out


def test_what_cannot_be_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="no study there yet; --data"):
        command.run(Settings(Serve(out=tmp_path)))
    with pytest.raises(FileError, match="no study there"):
        command.run(Settings(Report(tmp_path)))
    monkeypatch.setitem(sys.modules, "fastapi", None)
    monkeypatch.setattr(server, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r'pip install "sketch-pix2seq\[study\]"'):
        command.run(Settings(Serve(data=tmp_path / "missing.arrow", out=tmp_path)))
