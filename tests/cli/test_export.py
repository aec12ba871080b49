"""`sketch-pix2seq export` through its sub-commands, and a run that is named without one."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from sketch_pix2seq.cli import export as command
from sketch_pix2seq.cli.export import RUN, TASKS, Map, Run, Settings, Task, Web
from sketch_pix2seq.cli.main import main, parse
from sketch_pix2seq.errors import FormatError


def parsed(line: str) -> Task:
    """Settings of the task as `sketch-pix2seq export` gets them."""
    default, words = command.defaults(line.split())
    settings: Settings = parse(Settings, "export", words, default)
    return settings.task


def test_flags() -> None:
    mine = (Path("runs/mine"),)
    assert parsed("runs/mine --data set.arrow --out there") == Run(mine, Path("set.arrow"), Path("there"))
    assert parsed("--data set.arrow runs/mine") == Run(mine, Path("set.arrow"))
    assert parsed("run") == Run((Path("run"),))
    assert parsed("./web") == Run((Path("web"),))
    assert parsed("") == Run()
    assert parsed("web site --model runs/mine --data set.arrow --no-map --overwrite") == Web(
        (Path("site"),), "runs/mine", Path("set.arrow"), False, True
    )
    assert parsed("map runs/mine --per-category 3 --seed 4 --out a.npz") == Map(
        ("runs/mine",), None, Path("a.npz"), 3, 4
    )


def test_settings_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text("model: runs/mine\nmap: false\n")
    assert parsed(f"web site --config {path} --map") == Web((Path("site"),), "runs/mine", map=True)
    path.write_text("out: there\n")
    assert parsed(f"--config {path} runs/mine") == Run((Path("runs/mine"),), out=Path("there"))
    with pytest.raises(FormatError, match="no setting 'out'"):
        parsed(f"web site --config {path}")


@pytest.mark.parametrize(("name", "kind"), TASKS.items())
def test_help(name: str, kind: type[Task], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed(f"{'runs/mine' if name == RUN else name} --help")
    out = capsys.readouterr().out
    assert out.startswith(f"usage: sketch-pix2seq export {name} ")
    assert f"\nsketch-pix2seq export {'runs/mine' if name == RUN else name} " in out, "an example"
    assert "\n--config FILE.yaml" in out
    for field in fields(kind):
        assert "Positional" in str(field.type) or f"--{field.name.replace('_', '-')}" in out


def test_help_names_all(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        main(["export", "--help"])
    assert leaving.value.code in (None, 0)
    out = capsys.readouterr().out
    assert all(name in out.splitlines()[0] for name in TASKS)
    assert "the folder of a run" in out
