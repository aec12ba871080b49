"""Beginning with a trained model: what a run takes over, what it keeps, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sketch_pix2seq.data.batches import BatchSettings, Loader, Rehearsal
from sketch_pix2seq.data.store import SketchSet, SketchSetWriter
from sketch_pix2seq.drawing.pretrained import load_model
from sketch_pix2seq.errors import SettingsError
from sketch_pix2seq.model.export import load_network
from sketch_pix2seq.model.folder import read_info
from sketch_pix2seq.model.settings import FlowSettings
from sketch_pix2seq.raster import RasterSpec
from sketch_pix2seq.sequence import SequenceSpec
from sketch_pix2seq.training.run import run
from sketch_pix2seq.training.settings import FlowTrainSettings, TrainSettings, TuneSettings
from sketch_pix2seq.training.tuning import REHEARSED, grown, load_base
from tests.conftest import random_sketch
from tests.training.conftest import tiny_settings

FLOW = FlowTrainSettings(network=FlowSettings(width=16, blocks=2), codes=60, steps=4, batch=16, warmup=2)


def tuning(**changes: object) -> TrainSettings:
    tune = TuneSettings(freeze_encoder=True, rehearsal=0.5, rehearsed=40)
    return tiny_settings(steps=4, flow=FLOW, tune=tune, **changes)


@pytest.fixture(scope="module")
def base(tiny_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(tiny_set, tmp_path_factory.mktemp("base"), tiny_settings(steps=4, flow=FLOW))


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set of one category that the base does not know, and one that it knows."""
    path = tmp_path_factory.mktemp("few") / "few.arrow"
    rng = np.random.default_rng(4)
    with SketchSetWriter(path) as writer:
        for i in range(24):
            writer.add(random_sketch(rng, category=("z", "b")[i % 2]).fit(), "train" if i < 20 else "valid")
    return path


@pytest.fixture(scope="module")
def tuned(base: Path, few: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(few, tmp_path_factory.mktemp("tuned"), tuning(), start_from=base)


def test_new_categories_follow_the_known_ones_and_are_drawn(base: Path, tuned: Path) -> None:
    assert read_info(base).categories == ("a", "b")
    info = read_info(tuned)
    assert info.categories == ("a", "b", "z")
    model = load_model(tuned)
    assert {drawing.category for drawing in model.generate(["z", "a"], 2, seed=1)} == {"z", "a"}
    record = info.training["started_from"]
    assert record["encoder"] == "frozen"
    assert record["rehearsal"] == 0.5


def test_a_frozen_encoder_keeps_its_codes_and_the_decoder_learns(base: Path, tuned: Path, few: Path) -> None:
    sketches = [SketchSet.open(few)[i] for i in range(6)]
    before, after = (load_model(folder).encode_sketches(sketches) for folder in (base, tuned))
    np.testing.assert_allclose(before, after, atol=1e-5)
    old, new = (load_network(folder)[0].state_dict() for folder in (base, tuned))
    changed = {name for name in old if old[name].shape == new[name].shape and not torch.equal(old[name], new[name])}
    assert any(name.startswith("decoder") or name.startswith("core") or name.startswith("head") for name in changed)
    assert not any(name.startswith(("encoder", "to_mu")) for name in changed)


def test_what_the_base_draws_is_rehearsed(base: Path, tuned: Path) -> None:
    drawn = SketchSet.open(tuned.parent / REHEARSED)
    assert set(drawn.categories) <= {"a", "b"}
    assert 0 < len(drawn) <= 40
    assert read_info(tuned).training["started_from"]["rehearsed"] == len(drawn)


def test_half_of_what_is_shown_is_rehearsed(tuned: Path, few: Path) -> None:
    own, drawn = SketchSet.open(few), SketchSet.open(tuned.parent / REHEARSED)
    rehearsal = Rehearsal(drawn, 0.5, (0, 1)[: len(drawn.categories)])
    settings, sequence = BatchSettings(size=8, bucket=1), SequenceSpec("centre", 30.0)
    loader = Loader(
        own, "train", sequence, RasterSpec(), settings, training=True, seed=1, numbers=[1, 2], rehearsal=rehearsal
    )
    shown = np.concatenate([batch.indices for batch in loader.stream(0, 200)])
    assert np.mean(shown >= len(own)) == pytest.approx(0.5, abs=0.02)


def test_new_rows_of_a_table_begin_as_untold() -> None:
    table = torch.arange(6.0).reshape(3, 2)  # two categories, and "not told"
    other = torch.ones(2)
    out = grown({"condition.category.weight": table, "other": other}, 4)
    assert out["condition.category.weight"].tolist() == [[0, 1], [2, 3], [4, 5], [4, 5], [4, 5]]
    assert out["other"] is other


def test_other_networks_are_refused(base: Path) -> None:
    settings = tuning()
    with pytest.raises(SettingsError, match=r"model\.z_size is 8, not 16"):
        load_base(base, replace(settings, model=replace(settings.model, z_size=16)))
    with pytest.raises(SettingsError, match="share"):
        TuneSettings(rehearsal=1.0)
