"""`sketch-pix2seq train`: where its defaults come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sketch_pix2seq.cli import train
from sketch_pix2seq.cli.main import main
from sketch_pix2seq.drawing.pretrained import load_model
from sketch_pix2seq.recipes.catalogue import load_recipe


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The settings that `train` would run with."""
    settings: list[Any] = []
    monkeypatch.setattr(train, "run", settings.append)
    return settings


@pytest.mark.parametrize("words", ["--from bundled", "--from=bundled", "--config tune.yaml"])
def test_from_a_model_the_recipe_is_for_few_drawings(
    words: str, given: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tune.yaml").write_text("from: bundled\nseed: 4\n")
    main(["train", *words.split(), "--steps", "7", "--tune.rehearsed", "30"])
    (settings,) = given
    few = load_recipe("few")
    assert (settings.start_from, settings.recipe, settings.out) == ("bundled", "few", Path("runs/few"))
    assert settings.model == load_model().info.model
    assert (settings.optimiser, settings.batch) == (few.optimiser, few.batch)
    assert settings.tune.rehearsal == few.tune.rehearsal > 0
    assert (settings.steps, settings.tune.rehearsed) == (7, 30)


def test_another_recipe_may_be_asked_for(given: list[Any]) -> None:
    main(["train", "--from", "bundled", "--recipe", "default"])
    assert given[0].recipe == "default"
    assert given[0].tune.rehearsal == 0
    assert given[0].steps == load_recipe("default").steps


def test_without_a_model_nothing_changes(given: list[Any]) -> None:
    main(["train"])
    assert (given[0].recipe, given[0].start_from) == ("default", "")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--from", "--from needs a value"),
        ("--from nowhere", "nowhere: no such folder; give a model folder, `bundled`"),
        ("--from .", "no model folder (it has no config.json)"),
        ("--from bundled --tune.rehearsal 1", "tune.rehearsal is a share"),
    ],
)
def test_what_cannot_be_is_one_line(
    words: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as leaving:
        main(["train", *words.split()])
    assert leaving.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
