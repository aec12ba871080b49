"""Every command through the front door: what it writes and says, what it refuses, and how it asks for help."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sketch_pix2seq.cli.main import COMMANDS, main
from sketch_pix2seq.drawing.pretrained import load_model
from sketch_pix2seq.formats import read_sketches, write_sketch, write_sketches
from sketch_pix2seq.formats.sketch_rnn_js import write_js
from sketch_pix2seq.recipes.catalogue import DEFAULT, recipe_names
from tests.conftest import random_sketch
from tests.formats.test_sketch_rnn_js import made_up_decoder

TINY = (
    "--steps 2 --validate-every 2 --validate-sketches 4 --log-every 1 --precision float32 --batch.size 4"
    " --flow.steps 2 --flow.codes 40 --flow.batch 8 --flow.network.width 16 --flow.network.blocks 1"
    " --model.mixtures 2 --model.z-size 8 --model.encoder-size 64 --model.decoder-size 16 --model.canvas-channels 4"
)
"""Flags that make training a matter of a second, for any recipe."""
QUICK = "--samples 2 --max-points 8"
"""Flags that make drawing with an untaught model short: it does not know when to end."""


ALONE = [name for name in COMMANDS if name not in ("create", "export", "study")]
"""Commands without sub-commands; tests/cli/test_create.py, test_export.py and test_study.py have the others'."""


def called(line: str) -> int:
    """The exit status of a command line; ``'...'`` keeps words together."""
    words = [quoted or plain for quoted, plain in re.findall(r"'([^']*)'|(\S+)", line)]
    try:
        main(words)
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else 0 if leaving.code is None else 1
    return 0


@pytest.fixture(scope="session")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with drawings in every form, a set, and a run that has ended; tests work on copies of it."""
    folder = tmp_path_factory.mktemp("workplace")
    rng = np.random.default_rng(0)
    sketches = [random_sketch(rng, points=6, category=name) for name in ["cat", "pig"] * 20]
    write_sketches(sketches, folder / "some.ndjson")
    write_sketches(sketches[:5], folder / "cat.npz")
    for index, sketch in enumerate(sketches[:4]):
        write_sketch(sketch, folder / "mine" / (sketch.category or "") / f"{index}.svg")
    write_sketch(sketches[0], folder / "cat.svg")
    write_sketch(sketches[0], folder / "cat.png")
    write_js(made_up_decoder(), folder / "bird.gen.json")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert called("prepare some.ndjson set.arrow") == 0
        assert called("prepare some.ndjson dogs.arrow --categories pig=hound") == 0
        assert called(f"train --data set.arrow --out run {TINY}") == 0
    return folder


@pytest.fixture
def here(workplace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the workplace to work in, with what is broken beside what is sound."""
    folder = tmp_path / "here"
    shutil.copytree(workplace, folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def mirror(here: Path) -> Iterator[str]:
    """A server that has one category."""
    (here / "bucket" / "sketchrnn").mkdir(parents=True)
    shutil.copy("cat.npz", here / "bucket" / "sketchrnn" / "cat.npz")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(here / "bucket")))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@dataclass(frozen=True)
class Case:
    """A command line, files that must be there after it, and a piece of what it prints."""

    line: str
    files: tuple[str, ...] = ()
    says: str = ""


MODEL = ("config.json", "encoder.onnx", "start.onnx", "decoder.onnx", "model.safetensors", "flow.onnx")
DRAWN = ("drawings/cat-1.svg", "drawings/cat-2.svg", "drawings/sheet.png")
GOOD = [
    Case("categories --model run", (), "cat"),
    Case("convert cat.svg out.ndjson", ("out.ndjson",), "1 drawing from 1 file -> out.ndjson"),
    Case("convert cat.png out.svg --width-mm 120", ("out.svg",), "-> out.svg"),
    Case("convert cat.npz film.gif --limit 1", ("film.gif",)),
    Case("convert cat.svg mine out --to png", ("out/cat.png", "out/mine/pig/1.png"), "5 drawings from 5 files"),
    Case("look set.arrow", ("sheet.png",), "40"),
    Case("look some.ndjson --out cats.svg --category cat --rows 2 --columns 3", ("cats.svg",), "cats.svg: 6 drawings"),
    Case("download --list 'alarm clok'", (), "alarm clock"),
    Case("prepare mine cat.npz mixed.arrow", ("mixed.arrow",), "9 sketches in 2 categories from 5 files"),
    Case("prepare some.ndjson pigs.arrow --categories pig=swine", ("pigs.arrow",), "20 of another category"),
    Case(f"draw cat.png --model run/model {QUICK}", DRAWN, "2 drawings of 1 picture -> drawings"),
    Case(f"draw cat.svg --model run {QUICK} --runtime torch", DRAWN),
    Case(
        f"draw --category pig --model run {QUICK}",
        ("drawings/pig-1.svg", "drawings/pig-2.svg", "drawings/sheet.png"),
        "2 drawings of pig -> drawings",
    ),
    Case(
        f"draw --category PIG pig Cat --model run {QUICK} --format SVG,.Png --page a4",
        ("drawings/pig-1.svg", "drawings/cat-2.png", "drawings/sheet.png"),
        "4 drawings of pig, cat -> drawings",
    ),
    Case(f"draw --category any --model run {QUICK}", ("drawings/any-2.svg", "drawings/sheet.png")),
    Case(
        f"draw mine cat.npz --model run {QUICK} --format png,gif,ndjson --limit 1 --out d",
        ("d/0-1.png", "d/cat-001-2.gif", "d/3.ndjson", "d/sheet.png"),
        "10 drawings of 5 pictures",
    ),
    Case("import-js bird.gen.json", ("bird/config.json", "bird/decoder.onnx"), "draw --category bird --model bird"),
    Case("export run --data set.arrow --out again", tuple(f"again/{name}" for name in MODEL[:-1]), "model: again"),
    Case("export map run --data set.arrow", ("run/model/atlas.safetensors",), "drawings by people in 2 categories"),
    Case(
        "export web site --model run --no-map",
        ("site/index.html", "site/build.json", "site/model/config.json", "site/model/encoder.onnx"),
        "try it: python -m http.server -d site",
    ),
    Case(
        f"train --data set.arrow --from run --recipe default --out tuned {TINY}",
        ("tuned/model/config.json",),
        "draw with it",
    ),
    Case(
        "train-classifier --data set.arrow --out c.onnx --steps 2 --batch 8 --width 8",
        ("c.onnx",),
        "evaluate MODEL --data set.arrow --classifier c.onnx",
    ),
    Case(
        "evaluate run --data set.arrow --no-pixel-test --out e.json",
        ("e.json",),
        "4 sketches of 2 categories, split 'test' of set.arrow",
    ),
    Case("evaluate run --data set.arrow --split valid --no-pixel-test --json", (), '"split": "valid"'),
    Case(f"train --data set.arrow --out run {TINY} --steps 3", ("run/sheets/step-0000003.png",), "model: run/model"),
]


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case.line.replace(TINY, "..."))
def test_a_command_does_what_it_says(case: Case, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert called(case.line) == 0, capsys.readouterr().err
    assert [name for name in case.files if not (here / name).stat().st_size] == []
    assert case.says in " ".join(capsys.readouterr().out.split())
    assert list(here.rglob("*.part")) == []


@pytest.mark.slow
@pytest.mark.parametrize("recipe", [name for name in recipe_names() if name not in (DEFAULT, "decoder-only")])
def test_each_other_recipe_trains_and_draws(recipe: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert called(f"train --recipe {recipe} --data set.arrow {TINY}") == 0
    written = {path.name for path in (here / "runs" / recipe).iterdir()}
    written -= {"flow.checkpoint.safetensors", "flow.codes.safetensors"} if recipe == "few" else set()
    assert written == {"checkpoint.safetensors", "events", "model", "sheets", ".lock"}
    out, err = capsys.readouterr()
    assert f"model: runs/{recipe}/model" in out
    assert "step 2/2" in err
    assert "L_R" in err
    assert called(f"draw cat.svg --model runs/{recipe} {QUICK}") == 0
    assert all((here / name).exists() for name in DRAWN)


def test_a_decoder_alone_trains_draws_and_goes_to_javascript(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny = TINY.replace("--model.z-size 8", "")
    assert called(f"train --recipe decoder-only --data set.arrow --out alone {tiny}") == 0
    written = {path.name for path in (here / "alone" / "model").iterdir()}
    assert written & set(MODEL) == set(MODEL) - {"encoder.onnx", "flow.onnx"}
    out, err = capsys.readouterr()
    assert "draw with it: sketch-pix2seq draw --category any --model alone/model" in out
    assert "people's sketches, and what it draws: alone/sheets/step-0000002.png" in err
    assert called(f"draw --category any --model alone {QUICK}") == 0
    assert (here / "drawings" / "any-2.svg").exists()
    assert called("export js alone mine.gen.json") == 0
    assert called("import-js mine.gen.json --category cat") == 0
    assert called(f"draw --category cat --model mine {QUICK}") == 0


def test_the_same_seed_draws_the_same(here: Path) -> None:
    for out, seed in (("a", 7), ("b", 7), ("c", 8)):
        assert called(f"draw cat.svg --model run --out {out} --seed {seed} --temperature 1 {QUICK}") == 0
    first, second, other = (list(read_sketches(here / out / "cat-1.svg")) for out in "abc")
    assert first == second != other


def test_download(here: Path, mirror: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert called(f"download cat --base-url {mirror}") == 0
    assert "1 file, 0.0 MB, in quickdraw" in capsys.readouterr().out
    assert (here / "quickdraw" / "cat.npz").read_bytes() == (here / "cat.npz").read_bytes()


# -- what a user can get wrong ----------------------------------------------------------------------------------

WRONG = [
    ("drew", "no command 'drew'; did you mean draw? there are studio, draw, categories, create"),
    ("xyzzy", "no command 'xyzzy'; there are studio"),
    ("studio --model missing", "missing: no such folder"),
    ("studio --model mine", "mine: no model folder (it has no config.json)"),
    ("studio --model cut", "cut/decoder.onnx: not a graph of a model (it is damaged)"),
    ("studio --model half", "half/model.safetensors: no such file; the model folder is incomplete"),
    ("studio --model run --data missing.arrow", "missing.arrow: no such file"),
    ("studio --model run --no-map --port 70000", "cannot listen on 127.0.0.1 port 70000"),
    ("draw", "name at least one picture"),
    ("draw missing.png --model run", "missing.png: no such file"),
    ("draw notes.txt --model run", "notes.txt: .txt cannot be read; these can: .npz"),
    ("draw empty.png --model run", "empty.png: the file is empty"),
    ("draw corrupt.png --model run", "corrupt.png: "),
    ("draw cut.png --model run", "cut.png: damaged or cut short"),
    ("draw blank.png --model run", "blank.png: a blank picture"),
    ("draw blank.svg --model run", "blank.svg: "),
    ("draw bomb.npz --model run", "bomb.npz: "),
    ("draw empty --model run", "empty: holds no file that can be read"),
    ("draw cat.svg --model missing", "missing: no such folder"),
    ("draw cat.svg --model mine", "mine: no model folder (it has no config.json)"),
    ("draw cat.svg --model cut", "cut/decoder.onnx: not a graph of a model (it is damaged)"),
    ("draw cat.svg --model half", "half/model.safetensors: no such file; the model folder is incomplete"),
    ("draw cat.svg --model half --runtime torch", "half/model.safetensors: "),
    ("draw cat.svg --model run --temperature -0.1", "temperatures cannot be below 0"),
    ("draw cat.svg --model run --samples 0", "samples must be at least 1"),
    ("draw cat.svg --model run --limit 0", "limit must be at least 1"),
    ("draw cat.svg --model run --seed -1", "the seed must be a whole number from 0"),
    ("draw cat --model run", "cat: no such file or folder; to draw one from nothing: draw --category cat"),
    ("draw Pig --model run", "draw --category pig"),
    ("draw house --model run", "to draw one of 2 categories from nothing: draw --category NAME"),
    ("draw house.png --model run", "house.png: no such file or folder\n"),
    ("draw cat.svg --model spoilt", "`sketch-pix2seq export spoilt --data SET.arrow` writes a model"),
    ("draw cat.svg --model runs/mine", "a model on the Hugging Face Hub is hf:runs/mine"),
    ("draw --category pig any --model run", "'any' stands for every category"),
    ("draw cat.svg --category pig cat --model run", "with pictures, --category says what they show: name one"),
    ("draw cat.svg --category pgi --model run", "no category 'pgi'; did you mean 'pig'?"),
    ("draw --category pgi --model run", "no category 'pgi'; did you mean 'pig'?"),
    ("draw cat.svg --model run --format pdf", "no format 'pdf'; there are svg, png"),
    ("draw cat.svg --model missing --width-mm 0", "a width of 0.0 mm is not possible"),
    ("draw cat.svg --model missing --page b5", "no page 'b5'; there are a2"),
    ("draw cat.svg --model missing --margin 5", "give --page, such as --page a4"),
    (f"draw cat.svg --model run --out foreign {QUICK}", "foreign/sheet.png: exists already and was not drawn here"),
    ("draw cat.svg --samplez 3", "there is no flag --samplez; did you mean --samples?"),
    ("draw cat.svg --samples x", "--samples needs a whole number, not 'x' (`sketch-pix2seq draw --help` tells all)"),
    ("draw cat.svg --temperature hot", "--temperature needs a number, not 'hot'"),
    ("draw cat.svg --runtime tf", "--runtime cannot be 'tf'; there are 'onnx', 'torch'"),
    ("draw cat.svg --model", "--model needs a value"),
    ("create altered cat.svg --at 1", "--at needs 2 values"),
    ("create pig", "'pig' is none of altered, hybrid, interpolate, analogy, heal, complete"),
    ("look", "PATH is missing"),
    ("look cat.svg pig.svg", "pig.svg is one word too many"),
    ("look set.arrow --out cat.png", "cat.png: exists already and is no sheet"),
    ("look set.arrow --out cat.svg", "cat.svg: exists already and is no sheet"),
    ("prepare some.ndjson notes.arrow", "notes.arrow: exists already and is no set"),
    ("import-js bird.gen.json --out run/model", "run/model: another model lies there"),
    ("export run --data set.arrow --out half", "half: a model lies there already"),
    ("export map run --out notes.txt", "notes.txt: exists already and is no map"),
    ("export js run bird.gen.json", "bird.gen.json: exists already"),
    ("train-classifier --data set.arrow --out notes.txt", "notes.txt: exists already"),
    ("study", "say what to do: serve, report"),
    ("draw cat.svg --model run --out cat.png", "cat.png: "),
    ("convert cat.svg", "convert needs files or folders to read and then one to write"),
    ("convert cat.svg out.pdf", "out.pdf: .pdf cannot be written; these can: "),
    ("convert cat.svg out", "say with --to which format to write"),
    ("convert missing.svg out.png", "missing.svg: no such file or folder"),
    ("convert broken.ndjson out.npz --strict", "broken.ndjson: line 1: "),
    ("convert cat.svg cat.png", "cat.png: exists already"),
    ("look missing.arrow", "missing.arrow: no such file"),
    ("look cut.arrow", "cut.arrow: not a SketchSet"),
    ("look empty.arrow", "empty.arrow: not a SketchSet"),
    ("look set.arrow --category dog", "set.arrow: no sketch of the category 'dog'"),
    ("look set.arrow --out sheet.pdf", ".png or .svg"),
    ("download", "name at least one category, or give --all"),
    ("download catt", 'no category "catt"; did you mean "cat"'),
    ("download cat --base-url nonsense", "nonsense"),
    ("prepare some.ndjson", "prepare SOURCE... SET.arrow"),
    ("prepare some.ndjson out.npz", "prepare SOURCE... SET.arrow"),
    ("prepare empty out.arrow", "empty: holds no file that can be read"),
    ("prepare some.ndjson out.arrow --categories dog", "no sketch is left to write (40 of another category)"),
    ("prepare some.ndjson out.arrow --valid 0.9 --test 0.2", "do not leave a part for training"),
    ("train --data missing.arrow", "missing.arrow: no such file; `sketch-pix2seq prepare"),
    ("train --data cut.arrow", "cut.arrow: not a SketchSet"),
    ("train --data set.arrow --recipe best", "no recipe 'best'; there are default, cnn-kl"),
    ("train --data set.arrow --loss.kl-weight 0.5", "needs a sampled z"),
    ("train --data set.arrow --steps 0", "steps and batch.size must be at least 1"),
    ("train --data set.arrow --batch.max-points 1 --out new", "the split 'train' has no sketch of at most 1 points"),
    (f"train --data set.arrow --out run {TINY} --seed 2", "run holds a run with other settings (seed)"),
    (f"train --data set.arrow --out spoilt {TINY}", "spoilt/checkpoint.safetensors: not a checkpoint of this version"),
    ("train --data set.arrow --from missing", "missing: no such folder"),
    ("train --config broken.yaml", "broken.yaml: not readable as YAML"),
    ("train --config list.yaml", "list.yaml: it must hold settings"),
    ("train --config unknown.yaml", "unknown.yaml: no setting 'stepps'; there are batch, "),
    ("train --config words.yaml", "words.yaml: steps: 'many' will not do; a whole number is needed"),
    ("train --config missing.yaml", "missing.yaml: no such file"),
    ("train --config", "--config needs a value"),
    ("export", "name one run: export RUN"),
    ("export web", "name one folder to write: export web FOLDER"),
    ("export web mine", "mine: the folder holds something else; name another, or give --overwrite"),
    ("export web cat.svg", "cat.svg: there is a file of that name"),
    ("export web site --model cut", "cut/decoder.onnx: not a graph of a model (it is damaged)"),
    ("export map", "name one model: export map MODEL"),
    ("export map missing", "missing: no such folder"),
    ("export map run --data cut.arrow", "cut.arrow: not a SketchSet"),
    ("export map run --data set.arrow --per-category 0", "a map needs at least one drawing of each category"),
    ("export mine --data set.arrow", "no checkpoint there"),
    ("export spoilt --data set.arrow", "spoilt/checkpoint.safetensors: not a checkpoint of this version"),
    ("export run --data missing.arrow", "missing.arrow: no such file"),
    ("import-js", "name at least one model: import-js NAME.gen.json"),
    ("import-js cat.svg", "cat.svg: not JSON, or cut short"),
    ("evaluate run --data missing.arrow", "missing.arrow: no such file"),
    ("evaluate missing --data set.arrow", "missing: no such folder"),
    ("evaluate run --data set.arrow --classifier cat.png", "cat.png: not a graph of a model"),
    ("evaluate run --data set.arrow --classifier missing.onnx", "missing.onnx: no such file"),
    ("evaluate run --data set.arrow --samples 0", "samples and varied must be at least 1"),
    ("evaluate run --data set.arrow --temperature -1", "the temperature cannot be below 0"),
    ("evaluate run --data set.arrow --freedoms 0 1.5", "a freedom is between 0 and 1"),
    ("evaluate bundled --data dogs.arrow", "has nothing of what the model was trained on (The Eiffel Tower, "),
    ("train-classifier --data missing.arrow", "missing.arrow: no such file"),
    ("train-classifier --data dogs.arrow", "dogs.arrow has one category; a classifier needs at least two"),
    ("train-classifier --data set.arrow --batch 0", "must be at least 1"),
    ("reproduce --data missing.arrow", "missing.arrow: no such file"),
    ("reproduce --budget 0", "the budget must be above 0 minutes"),
    ("reproduce --limit 3", "limit must be 0 or at least 10"),
    ("study serve", "no study there yet; --data SET.arrow"),
    ("study serve --data missing.arrow", "missing.arrow: no such file"),
    ("study report nowhere", "no study there"),
]


@pytest.fixture
def damage(here: Path) -> None:
    """Files that are broken in the ways that files break."""
    for name in ("notes.txt", "notes.arrow", "foreign/sheet.png"):
        (here / name).parent.mkdir(exist_ok=True)
        (here / name).write_text("not a drawing")
    (here / "empty").mkdir()
    (here / "empty.png").touch()
    (here / "empty.arrow").touch()
    (here / "corrupt.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    (here / "cut.png").write_bytes((here / "cat.png").read_bytes()[:700])
    Image.new("L", (200, 200), 255).save(here / "blank.png")
    (here / "blank.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"/>')
    np.savez(here / "bomb.npz", train=np.array([print, len], object))
    (here / "broken.ndjson").write_text('{"word": "cat", "drawing": [[[0, 1]]]}\nnonsense\n')
    (here / "cut.arrow").write_bytes((here / "set.arrow").read_bytes()[:-100])
    for name in ("cut", "half"):
        shutil.copytree(here / "run" / "model", here / name)
    graph = here / "cut" / "decoder.onnx"
    graph.write_bytes(graph.read_bytes()[:2000])
    (here / "half" / "decoder.onnx").unlink()
    (here / "half" / "flow.onnx").unlink()
    (here / "half" / "model.safetensors").unlink()
    (here / "spoilt").mkdir()
    checkpoint = (here / "run" / "checkpoint.safetensors").read_bytes()
    (here / "spoilt" / "checkpoint.safetensors").write_bytes(checkpoint[: len(checkpoint) // 2])
    for name, text in (("broken", "a: [1"), ("list", "- 1"), ("unknown", "stepps: 3"), ("words", "steps: many")):
        (here / f"{name}.yaml").write_text(text)


@pytest.mark.parametrize(("line", "message"), WRONG, ids=[line.replace(TINY, "...") for line, _ in WRONG])
@pytest.mark.usefixtures("damage")
def test_an_error_is_one_line(line: str, message: str, here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = {path: path.read_bytes() for path in here.rglob("*") if path.is_file()}
    assert called(line) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("sketch-pix2seq: ")
    assert err.count("\n") == 1
    assert message in err
    assert {path: path.read_bytes() for path in here.rglob("*") if path.is_file()} == before


@pytest.mark.usefixtures("damage")
def test_of_several_pictures_the_sound_ones_are_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    assert called(f"draw blank.png cat.png cut.png --model run {QUICK}") == 0
    out, err = capsys.readouterr()
    assert "2 drawings of 1 picture" in out
    assert [line.split(":")[:2] for line in err.splitlines()] == [["warning", " blank.png"], ["warning", " cut.png"]]


@pytest.mark.parametrize("name", COMMANDS)
def test_ctrl_c_is_one_line(name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(settings: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module_of(name), "run", interrupted)
    words = {"create": "create heal", "look": "look something", "study": "study report"}
    assert called(words.get(name, name)) == 130
    assert capsys.readouterr() == ("", "sketch-pix2seq: stopped\n")


def test_drawings_are_replaced_and_other_files_are_not(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = f"draw cat.svg --model run --out . --format svg,ndjson {QUICK}"
    assert called(line) == called(f"{line} --seed 3") == 0
    mine = '<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0L9 9" stroke="red"/></svg>'
    (here / "cat-2.svg").write_text(mine)
    assert called(line) == 2
    assert "cat-2.svg: exists already" in capsys.readouterr().err
    assert (here / "cat-2.svg").read_text() == mine
    assert called(f"{line} --overwrite") == 0
    assert (here / "cat-2.svg").read_text() != mine


def test_a_folder_of_pictures_is_drawn_without_what_was_drawn_from_it(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        assert called(f"draw mine --model run --out mine/here --format svg,png {QUICK}") == 0
        assert "8 drawings of 4 pictures" in capsys.readouterr().out
    assert called(f"draw mine/here --model run --out new {QUICK}") == 2
    assert "mine/here: holds only what was drawn here before" in capsys.readouterr().err
    assert called(f"draw mine/here/0-1.svg --model run --out new {QUICK}") == 0


def test_sheets_and_sets_are_replaced(here: Path) -> None:
    for line in ("look set.arrow --out a.png", "look set.arrow --out a.svg", "prepare some.ndjson set.arrow"):
        assert called(line) == called(line) == 0
    assert called("look set.arrow --out cat.png --overwrite") == 0


def test_a_console_that_has_no_chinese_shows_it_all_the_same(here: Path) -> None:
    write_sketch(random_sketch(np.random.default_rng(0), category="猫"), here / "chinese.ndjson")
    done = subprocess.run(
        [sys.executable, "-m", "sketch_pix2seq", "look", "chinese.ndjson"],
        env={**os.environ, "PYTHONIOENCODING": "cp1252"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert rb"\u732b" in done.stdout


# -- help and settings from a file ------------------------------------------------------------------------------


def flags(kind: type[Any], prefix: str | None = "") -> Iterator[str]:
    """Every flag of a command's settings; positional ones are left out. prefix: None where groups give no prefix."""
    for field in fields(kind):
        if is_dataclass(field.default):
            yield from flags(type(field.default), None if prefix is None else f"{prefix}{field.name}.")
        elif "Positional" not in str(field.type):
            name = "from" if field.name == "start_from" else field.name
            yield f"--{prefix or ''}{name}".replace("_", "-")


def entries(help_text: str) -> dict[str, str]:
    """The help of each flag, as one line; boxes are drawn with lines on some terminals and not on others."""
    text = re.sub("[│╭╮╰╯─]", " ", help_text)
    found = re.findall(r"^  (--[a-z]\S*)(.*(?:\n   .*)*)", text, re.MULTILINE)
    return {flag.rstrip(","): " ".join(rest.split()) for flag, rest in found}


@pytest.mark.parametrize("name", ALONE)
def test_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert called(f"{name} --help") == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith(f"usage: sketch-pix2seq {name} ")
    assert f"\nsketch-pix2seq {name} " in out, "an example"
    assert "\n--config FILE.yaml" in out
    explained = entries(out)
    assert set(explained) == set(flags(settings_of(name), "" if name.startswith("train") else None))
    for flag, text in explained.items():
        assert re.search(r"\(default: .*\)$", text), f"{flag} states no default: {text}"
        words = text.split("(default")[0].split(maxsplit=1)[-1]
        assert len(words) > 12, f"{flag} is not explained: {text}"


def settings_of(name: str) -> type[Any]:
    kind: type[Any] = module_of(name).Settings
    return kind


def module_of(name: str) -> ModuleType:
    return import_module(f"sketch_pix2seq.cli.{name.replace('-', '_')}")


def test_the_help_of_draw_begins_with_what_people_change_and_ends_with_the_sampler(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert called("draw --help") == 0
    out = capsys.readouterr().out
    order = list(entries(out))
    assert order[:6] == ["--category", "--freedom", "--samples", "--out", "--format", "--seed"]
    sampler = {"--temperature", "--pen-temperature", "--max-points", "--proposals", "--guidance"}
    assert set(order[-5:]) == sampler
    assert re.search(r"sampling options.*--temperature", out, re.DOTALL)


def test_a_file_holds_the_settings_of_groups_beside_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []
    monkeypatch.setattr(module_of("draw"), "run", given.append)
    path = tmp_path / "settings.yaml"
    path.write_text("temperature: 0.3\nwidth-mm: 120\nguidance: 3")
    assert called(f"draw --config {path} --temperature 0.5") == 0
    assert given[0].sampling == replace(given[0].sampling, temperature=0.5, guidance=3.0)
    assert given[0].paper.width_mm == 120


@pytest.mark.parametrize("line", ["", "help", "-h", "--help"])
def test_the_overview_names_every_command(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert called(line) == 0
    out = capsys.readouterr().out
    assert all(re.search(rf"^  {name} +\w", out, re.MULTILINE) for name in COMMANDS)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert called("--version") == 0
    assert re.fullmatch(r"sketch-pix2seq \d+\.\d+\.\d+\n", capsys.readouterr().out)


CONFIGURED: dict[str, tuple[str, dict[str, object]]] = {
    "studio": ("port: 0\nmap: false\nhost: localhost", {"port": 0, "map": False, "host": "localhost"}),
    "categories": ("model: run", {"model": "run"}),
    "draw": ("samples: 4\nformat: png,gif\nfreedom: 1", {"samples": 4, "format": "png,gif", "freedom": 1.0}),
    "convert": ("simplify: 2\nfit: true\ncountries: [GB]", {"simplify": 2.0, "fit": True, "countries": ("GB",)}),
    "look": ("source: set.arrow\nrows: 3", {"source": Path("set.arrow"), "rows": 3}),
    "download": ("categories: [cat, alarm clock]\nkind: raw", {"categories": ("cat", "alarm clock"), "kind": "raw"}),
    "prepare": ("paths: [mine, set.arrow]\nlimit: null", {"paths": (Path("mine"), Path("set.arrow")), "limit": None}),
    "train": ("recipe: cnn-kl\noptimiser: {learning_rate: 1e-4}\nsteps: 7", {"recipe": "cnn-kl", "steps": 7}),
    "import-js": ("files: [bird.gen.json]\ncategory: small bird", {"category": "small bird"}),
    "evaluate": ("freedoms: [0, 0.5]\npixel_test: false", {"freedoms": (0.0, 0.5), "pixel_test": False}),
    "train-classifier": ("steps: 5\naugment: {rotation: 3}", {"steps": 5}),
    "reproduce": ("budget: 5\none: cat", {"budget": 5.0, "one": "cat"}),
}


@pytest.mark.parametrize("name", ALONE)
def test_every_command_takes_settings_from_a_file(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []
    monkeypatch.setattr(module_of(name), "run", given.append)
    text, expected = CONFIGURED[name]
    path = tmp_path / "settings.yaml"
    path.write_text(text)
    assert called(f"{name} --config {path}") == 0
    assert {field: getattr(given[0], field) for field in expected} == expected
    if name == "train":
        assert given[0].optimiser.learning_rate == 1e-4
        assert given[0].loss.kl_weight == 0.5
    numbers = {"draw": "--samples", "convert": "--simplify", "look": "--rows", "train": "--steps"}
    if flag := numbers.get(name):
        assert called(f"{name} --config={path} {flag} 9") == 0
        assert getattr(given[1], flag.lstrip("-")) == 9


def test_the_tiny_model_knows_what_it_learned(workplace: Path) -> None:
    info = load_model(workplace / "run").info
    assert info.categories == ("cat", "pig")
    assert info.training["steps"] == 2
    assert info.training["sketches"] == {"train": 32, "valid": 4, "test": 4}
