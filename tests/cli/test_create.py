"""`sketch-pix2seq create` through its sub-commands."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from sketch_pix2seq.cli import create as command
from sketch_pix2seq.cli.create import (
    TASKS,
    Altered,
    Analogy,
    Complete,
    Drawing,
    Heal,
    Hybrid,
    Interpolate,
    Settings,
    Task,
)
from sketch_pix2seq.cli.main import main, parse
from sketch_pix2seq.cli.options import Sampling
from sketch_pix2seq.errors import FormatError, SettingsError
from sketch_pix2seq.formats import write_sketch
from sketch_pix2seq.sketch import Sketch

QUICK = ["--samples", "2", "--max-points", "8"]


def parsed(line: str) -> Task:
    """Settings of the task as `sketch-pix2seq create` gets them."""
    default, words = command.defaults(line.split())
    settings: Settings = parse(Settings, "create", words, default)
    return settings.task


def test_flags() -> None:
    assert parsed("altered pig.png --add ear.svg --at -0.1 1.2 --size 0.2 --remove 3,4") == Altered(
        picture=("pig.png",), add="ear.svg", at=(-0.1, 1.2), size=0.2, remove="3,4"
    )
    assert parsed("altered pig.png --cut 0 0 0.5 1 --model runs/mine --seed 3") == Altered(
        picture=("pig.png",), cut=(0, 0, 0.5, 1), drawing=Drawing(model="runs/mine", seed=3)
    )
    assert parsed("hybrid pig car --how code --mix 0.3 --temperature 0.4") == Hybrid(
        things=("pig", "car"), how="code", mix=0.3, drawing=Drawing(sampling=Sampling(temperature=0.4))
    )
    assert parsed("interpolate pig.png car --steps 5 --how linear") == Interpolate(
        things=("pig.png", "car"), steps=5, how="linear"
    )
    assert parsed("analogy a b c --out here") == Analogy(things=("a", "b", "c"), out=Path("here"))
    assert parsed("heal a.png b.png --damage 0.2 0.4") == Heal(
        pictures=(Path("a.png"), Path("b.png")), damage=(0.2, 0.4)
    )
    assert parsed("complete a.svg --category pig --format svg,gif") == Complete(
        started=("a.svg",), category="pig", drawing=Drawing(format="svg,gif")
    )


def test_every_task_has_a_folder_of_its_own() -> None:
    assert len({kind().out for kind in TASKS.values()}) == len(TASKS)


def test_settings_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text("steps: 7\nhow: linear\nout: there\n")
    assert parsed(f"interpolate a b --config {path} --steps 9") == Interpolate(
        things=("a", "b"), steps=9, how="linear", out=Path("there")
    )
    with pytest.raises(FormatError, match="no setting 'steps'"):
        parsed(f"heal a.png --config {path}")
    with pytest.raises(SettingsError, match="name a task before its settings"):
        parsed(f"--config {path}")


@pytest.mark.parametrize(("name", "kind"), TASKS.items())
def test_help(name: str, kind: type[Task], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed(f"{name} --help")
    out = capsys.readouterr().out
    assert out.startswith(f"usage: sketch-pix2seq create {name} ")
    assert f"\nsketch-pix2seq create {name} " in out, "an example"
    assert "\n--config FILE.yaml" in out
    assert "--temperature" in out
    for field in fields(kind):
        if field.name == "drawing":
            continue
        assert f"--{field.name.replace('_', '-')}" in out or field.name in ("picture", "things", "pictures", "started")


def test_alone_it_helps(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        main(["create"])
    assert leaving.value.code in (None, 0)
    out = capsys.readouterr().out
    assert all(f"• {name} " in out for name in TASKS)


@pytest.fixture
def here(tmp_path: Path, house: Sketch, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with house.svg, to work in."""
    write_sketch(house, tmp_path / "house.svg")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("line", "folder", "said"),
    [
        ("altered house.svg --remove 3", "altered", "taken away, the drawings have"),
        ("altered house.svg --add house.svg --at 1 0", "altered", "that was added, the drawings have"),
        ("hybrid house.svg house.svg", "hybrid", "2 drawings -> hybrid; side by side in hybrid/sheet.png\n"),
        ("interpolate house.svg house.svg --steps 3", "interpolation", "also strip.png, strip.svg, morph.gif"),
        ("hybrid house.svg pig --how code", "hybrid", "2 drawings -> hybrid"),
        ("analogy house.svg house.svg house.svg", "analogy", "2 drawings -> analogy"),
        ("heal house.svg --damage 0.3", "healed", "2 drawings -> healed"),
        ("heal . --damage 0.3", "healed", "2 drawings -> healed"),
    ],
)
def test_tasks(line: str, folder: str, said: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["create", *line.split(), *QUICK])
    assert said in capsys.readouterr().out
    assert (Path(folder) / "sheet.png").stat().st_size
    assert len(list(Path(folder).glob("house*.svg"))) == (6 if "interpolate" in line else 2)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("analogy house.svg house.svg", "analogy needs three pictures or categories: A B C; 2 given"),
        ("hybrid house.svg", "hybrid needs two pictures or categories: A B; 1 given"),
        ("interpolate a b c", "interpolate needs two pictures or categories: A B; 3 given"),
        ("altered", "altered needs one picture: PICTURE; 0 given"),
        ("complete", "complete needs one started drawing: STARTED; 0 given"),
        ("heal", "healing needs at least one picture"),
        ("heal nothing.png", "nothing.png: no such file or folder"),
        ("altered house.svg --remove two", "--remove takes numbers of strokes, such as 3,4; got 'two'"),
        ("altered house.svg --remove 9", "there is no stroke 9; the drawing has strokes 1 to 3"),
        ("altered house.svg --cut 0 0 1 1", "choose a smaller region"),
        ("altered house.svg --format pdf", "no format 'pdf'"),
        ("hybrid house.svg house.svg --how code --mix 2", "0 to 1; got 2"),
        ("hybrid house.svg house.svg --how left-right --cut-at 0", "above 0 and below 1; got 0"),
        ("interpolate house.svg house.svg --steps 1", "at least 2"),
        ("interpolate house.svg house.svg --samples 0", "samples must be at least 1"),
        ("hybrid house.svg blank.svg", "blank.svg: "),
        ("hybrid pigg car", "did you mean 'pig'?"),
        ("interpolate house.svg nosuchthing", "no category 'nosuchthing'"),
    ],
)
def test_what_cannot_be_is_one_line(line: str, said: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("blank.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    with pytest.raises(SystemExit) as leaving:
        main(["create", *line.split()])
    assert leaving.value.code == 2
    err = capsys.readouterr().err
    assert err.startswith("sketch-pix2seq: ")
    assert said in err
    assert err.count("\n") == 1
    assert [path.name for path in Path().iterdir() if path.is_dir()] == []
