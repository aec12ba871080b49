"""A decoder alone is trained, shown, written and exported; nothing is begun with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sketch_pix2seq.drawing.pretrained import load_model
from sketch_pix2seq.errors import SettingsError
from sketch_pix2seq.formats.sketch_rnn_js import read_js
from sketch_pix2seq.model.folder import CONFIG, DECODER, DECODER_INT8, START, WEIGHTS, from_plain
from sketch_pix2seq.model.javascript import export_js
from sketch_pix2seq.recipes.catalogue import load_recipe
from sketch_pix2seq.training.loop import Line
from sketch_pix2seq.training.run import run
from sketch_pix2seq.training.settings import TrainSettings
from tests.training.conftest import tiny_settings


def settings() -> TrainSettings:
    model = replace(load_recipe("decoder-only").model, decoder_size=16, mixtures=2)
    return tiny_settings(model=model, steps=60, validate_every=60)


def test_a_run(tiny_set: Path, tmp_path: Path) -> None:
    lines: list[Line] = []
    told: list[str] = []
    folder = run(tiny_set, tmp_path / "run", settings(), report=lines.append, say=told.append)
    assert lines[-1].nats < lines[0].nats
    assert told == ["writing the model"]
    assert (tmp_path / "run" / "sheets" / "step-0000060.png").stat().st_size > 1000
    assert {path.name for path in folder.iterdir()} == {CONFIG, WEIGHTS, START, DECODER, DECODER_INT8}
    model = load_model(folder)
    assert model.info.categories == ("a", "b")
    assert from_plain(TrainSettings, dict(model.info.training["settings"])).model == model.info.model
    assert len(model.imagine(None, 3)) == 3
    assert len(load_model(folder, precision="int8").imagine(None, 3)) == 3
    assert read_js(export_js(folder, tmp_path / "things.gen.json").path).name == "things"
    with pytest.raises(SettingsError, match="has no encoder; --from takes a model that sees pictures"):
        run(tiny_set, tmp_path / "tuned", settings(), start_from=folder)
    assert not (tmp_path / "tuned").exists()
