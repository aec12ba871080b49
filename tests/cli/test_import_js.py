"""`import-js` and `export js`: what they write, say and refuse, and that they need no PyTorch."""

from __future__ import annotations

from pathlib import Path

import pytest

from sketch_pix2seq.drawing.pretrained import load_model
from sketch_pix2seq.formats import write_sketch
from sketch_pix2seq.formats.sketch_rnn_js import write_js
from sketch_pix2seq.sketch import Sketch
from tests.cli.test_commands import QUICK, called
from tests.formats.test_sketch_rnn_js import made_up_decoder
from tests.test_package import python

MODEL = {"config.json", "model.safetensors", "start.onnx", "decoder.onnx"}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, house: Sketch, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two models and the beginning of a drawing."""
    monkeypatch.chdir(tmp_path)
    for name, seed in (("bird", 0), ("sheep", 1)):
        write_js(made_up_decoder(seed=seed, name=name), tmp_path / f"{name}.gen.json")
    write_sketch(Sketch(house.strokes[:1]), tmp_path / "begun.svg")
    return tmp_path


def test_a_model_is_imported_drawn_with_and_exported(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert called("import-js bird.gen.json") == 0
    assert {path.name for path in (here / "bird").iterdir()} == MODEL
    assert capsys.readouterr().out == ("model: bird\ndraw with it: sketch-pix2seq draw --category bird --model bird\n")
    assert called(f"draw --category bird --model bird {QUICK}") == 0
    assert (here / "drawings" / "bird-2.svg").stat().st_size
    assert called("create complete begun.svg --model bird --samples 2 --max-points 12") == 0
    assert (here / "completed" / "begun-2.svg").stat().st_size
    assert called("export js bird again.gen.json") == 0
    assert "model: again.gen.json" in capsys.readouterr().out
    assert (here / "again.gen.json").read_bytes() == (here / "bird.gen.json").read_bytes()


def test_several_models_and_other_names(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert called("import-js bird.gen.json sheep.gen.json") == 0
    assert load_model(here / "sheep").info.categories == ("sheep",)
    capsys.readouterr()
    assert called("import-js bird.gen.json --out models/b --category 'small bird'") == 0
    assert load_model(here / "models" / "b").info.categories == ("small bird",)
    assert 'draw --category "small bird" --model models/b' in capsys.readouterr().out
    assert called("import-js bird.gen.json --category fowl") == 0
    assert load_model(here / "bird").info.categories == ("fowl",)


WRONG = [
    ("import-js", "name at least one model: import-js NAME.gen.json"),
    ("import-js missing.gen.json", "missing.gen.json: no such file"),
    ("import-js cut.gen.json", "cut.gen.json: not JSON, or cut short"),
    ("import-js begun.svg", "begun.svg: not JSON, or cut short"),
    ("import-js bird.gen.json sheep.gen.json --out both", "--out and --category are for one file at a time"),
    ("import-js bird.gen.json --out begun.svg", "begun.svg: the model cannot be written"),
    ("draw begun.svg --model model", "this model has no encoder, so it sees no pictures"),
    ("draw --category brid --model model", "no category 'brid'; did you mean 'bird'?"),
    ("create interpolate begun.svg bird --model model", "this model has no encoder"),
    ("create complete begun.svg --picture begun.svg --model model", "this model has no encoder"),
    ("export js", "name a model and the file to write: export js MODEL OUT.gen.json"),
    ("export js model out", "name a model and the file to write: export js MODEL OUT.gen.json"),
    ("export js missing out.gen.json", "missing: no such folder"),
    ("export js bundled out.gen.json", "this model draws what its encoder sees"),
    ("export js model nowhere/out.gen.json", "nowhere/out.gen.json: the folder nowhere does not exist"),
]


@pytest.mark.parametrize(("line", "message"), WRONG, ids=[line for line, _ in WRONG])
def test_an_error_is_one_line(line: str, message: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "cut.gen.json").write_bytes((here / "bird.gen.json").read_bytes()[:-20])
    assert called("import-js bird.gen.json --out model") == 0
    before = sorted(here.rglob("*"))
    capsys.readouterr()
    assert called(line) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("sketch-pix2seq: ")
    assert err.count("\n") == 1
    assert message in err
    assert sorted(here.rglob("*")) == before


@pytest.mark.parametrize("line", ["import-js bird.gen.json", "export js bundled out.gen.json"])
def test_what_is_needed_is_named(line: str) -> None:
    done = python(f"from sketch_pix2seq.cli.main import main\nmain({line.split()})", ("torch", "onnx"))
    assert done.returncode == 2
    assert 'pip install "sketch-pix2seq[train]"' in done.stderr
    assert done.stderr.count("\n") == 1
