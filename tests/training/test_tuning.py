"""Beginning with a trained model: what is taken over, what is rehearsed, what stays as it was."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sketch_pix2seq.drawing.prior import Prior
from sketch_pix2seq.training.prior import fit_prior

from sketch_pix2seq.data.batches import AugmentSettings, BatchSettings, Loader, Rehearsal
from sketch_pix2seq.data.store import SketchSet, SketchSetWriter
from sketch_pix2seq.drawing.model import DrawSettings
from sketch_pix2seq.errors import DataError, ModelError, SettingsError
from sketch_pix2seq.model import canvas, export
from sketch_pix2seq.model.export import load_network, write_folder
from sketch_pix2seq.model.folder import read_info
from sketch_pix2seq.model.network import Network, Tensors
from sketch_pix2seq.raster import RasterSpec, damaged, render
from sketch_pix2seq.sequence import SequenceSpec
from sketch_pix2seq.sketch import FloatArray, Sketch
from sketch_pix2seq.training import loop
from sketch_pix2seq.training.checkpoint import Progress, load_checkpoint
from sketch_pix2seq.training.loop import CHECKPOINT, train
from sketch_pix2seq.training.run import load_run, run
from sketch_pix2seq.training.settings import OptimiserSettings, TrainSettings, TuneSettings
from sketch_pix2seq.training.tuning import DREAMS, dream, load_base
from tests.conftest import random_sketch
from tests.drawing.conftest import KINDS, fixed_network
from tests.training.conftest import tiny_settings
from tests.training.test_loop import assert_same, tensors_of

OLD = ("a", "b")
TUNE = TuneSettings(freeze_encoder=True, rehearsal=0.5, dreamed=20)


class Dreamer:
    """A model that dreams random drawings of what it knows; every fifth does not end.

    Its codes are the numbers of the categories, and what it dreams looks like them, or all alike.
    """

    def __init__(self, alike: bool = False) -> None:
        looks = np.eye(2)[[0, 0]] if alike else np.eye(2)
        self.prior = SimpleNamespace(categories=OLD, posterior=lambda codes: looks[codes[:, 0].astype(int)])

    def imagine(self, categories: Sequence[str], samples: int, *, seed: int, settings: DrawSettings) -> list[Sketch]:
        rng = np.random.default_rng(seed)
        assert settings.temperature == TUNE.temperature
        return [
            random_sketch(rng, category=category).with_(metadata={"ended": bool(n % 5)})
            for category in categories
            for n in range(samples)
        ]

    def encode_sketches(self, sketches: Sequence[Sketch]) -> FloatArray:
        return np.array([[OLD.index(sketch.category or "")] for sketch in sketches], np.float32)


class Priorless:
    """A model that cannot draw from nothing."""

    @property
    def prior(self) -> object:
        raise ModelError("it has no prior")


@pytest.fixture(autouse=True)
def no_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Model folders of configuration and weights: that is what a run begins with, and graphs take seconds."""
    monkeypatch.setattr(export, "_export_graphs", lambda network, folder: None)


@pytest.fixture
def bases(tmp_path: Path, no_graphs: None) -> dict[str, Path]:
    """A model folder of each kind, with fixed weights and a prior."""
    made = {}
    for number, (kind, settings) in enumerate(KINDS.items()):
        made[kind] = write_folder(tmp_path / "bases" / kind, fixed_network(settings), OLD, {})
        rng = np.random.default_rng(number)
        codes = [rng.normal(c, 1, (30, settings.z_size)).astype(np.float32) for c in range(len(OLD))]
        fit_prior(OLD, codes, [own[:0] for own in codes]).save(made[kind])
    return made


@pytest.fixture
def dreamer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "load_model", lambda folder: Dreamer())


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten drawings of a new category and of a known one, none of them for validation."""
    path = tmp_path_factory.mktemp("few") / "few.arrow"
    rng = np.random.default_rng(5)
    with SketchSetWriter(path) as writer:
        for i in range(10):
            writer.add(random_sketch(rng, category=("zebra", "b", "new")[i % 3]).fit(), "train")
    return path


def settings_for(kind: str, **changes: object) -> TrainSettings:
    return tiny_settings(model=KINDS[kind], **{"tune": TUNE, "steps": 6, **changes})


# -- batches --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.25, 0.5, 0.9])
def test_the_share_of_rehearsal_is_in_the_batches(few: Path, tiny_set: Path, share: float) -> None:
    own, known = SketchSet.open(few), SketchSet.open(tiny_set)
    settings = BatchSettings(size=8, bucket=1)
    loader = Loader(
        own,
        "train",
        SequenceSpec(),
        RasterSpec(),
        settings,
        training=True,
        seed=3,
        rehearsal=Rehearsal(known, share),
    )
    epochs = [loader.batch(step) for step in range(12 * loader.batches_per_epoch)]
    indices = np.concatenate([batch.indices for batch in epochs])
    categories = np.concatenate([batch.categories for batch in epochs])
    rehearsed = indices >= len(own)
    assert rehearsed.mean() == pytest.approx(share, abs=0.02)
    assert set(indices[~rehearsed]) == set(range(len(own))), "every drawing of the few is seen"
    names = (*own.categories, *known.categories)
    for index, category in zip(indices, categories, strict=True):
        sketch = own[int(index)] if index < len(own) else known[int(index) - len(own)]
        assert sketch.category == names[category]
    assert set(known.split_ids[indices[rehearsed] - len(own)]) == {0}, "of the training split alone"


def test_batches_hold_the_strokes_of_both_sets(few: Path, tiny_set: Path) -> None:
    own, known = SketchSet.open(few), SketchSet.open(tiny_set)
    plain = BatchSettings(
        size=8, bucket=1, augment=replace(BatchSettings().augment, scale=0, drop=0, rotation=0, shear=0)
    )
    loader = Loader(
        own, "train", SequenceSpec(), RasterSpec(), plain, training=True, rehearsal=Rehearsal(known, 0.5)
    )  # fmt: skip
    batch = loader.batch(1)
    assert 0 < (batch.indices >= len(own)).sum() < 8
    begins = np.cumsum(batch.counts) - batch.counts
    for rank, index in enumerate(batch.indices):
        sketch = own[int(index)] if index < len(own) else known[int(index) - len(own)]
        drawn = np.cumsum(batch.offsets[begins[: sketch.n_points] + rank], axis=0)
        left, top, right, bottom = sketch.fit().bounds()
        middle = ((left + right) / 2, (top + bottom) / 2)
        np.testing.assert_allclose(drawn, sketch.fit().points() - middle, atol=0.05)


def test_two_processes_share_the_same_mixed_batch(few: Path, tiny_set: Path) -> None:
    own, known = SketchSet.open(few), SketchSet.open(tiny_set)

    def batch(size: int, rank: int, processes: int) -> dict[int, int]:
        loader = Loader(
            own, "train", SequenceSpec(), RasterSpec(), BatchSettings(size=size, bucket=1), training=True,
            rank=rank, processes=processes, rehearsal=Rehearsal(known, 0.5),
        )  # fmt: skip
        got = loader.batch(2)
        return {int(ink.astype(int).sum()): int(index) for ink, index in zip(got.ink, got.indices, strict=True)}

    assert batch(4, 0, 2) | batch(4, 1, 2) == batch(8, 0, 1)


def test_dreams_that_look_like_something_else_are_left_out(tmp_path: Path) -> None:
    kept = dream(Dreamer(alike=True), tmp_path / DREAMS, settings_for("canvas", tune=TUNE))  # type: ignore[arg-type]
    dreams = SketchSet.open(tmp_path / DREAMS)
    assert (kept, len(dreams), dreams.categories) == (8, 8, ("a",))


def test_a_free_encoders_old_categories_get_their_prior_of_the_dreams(
    few: Path, tmp_path: Path, bases: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "load_model", lambda folder: Dreamer())
    free = settings_for("canvas", tune=replace(TUNE, freeze_encoder=False), steps=2)
    folder = run(few, tmp_path / "free", free, start_from=bases["canvas"])
    assert Prior.load(folder).categories == ("a", "b", "new", "zebra")
    alone = replace(free, tune=replace(free.tune, rehearsal=0.0))
    folder = run(few, tmp_path / "alone", alone, start_from=bases["canvas"])
    assert Prior.load(folder).categories == ("b", "new", "zebra"), "of what was learned alone"


# -- runs -----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("dreamer")
def test_a_frozen_encoder_stays_and_the_categories_are_added(few: Path, tmp_path: Path, bases: dict[str, Path]) -> None:
    told: list[str] = []
    folder = run(few, tmp_path, settings_for("canvas"), start_from=bases["canvas"], say=told.append)
    before, after = (load_network(path)[0].state_dict() for path in (bases["canvas"], folder))
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"canvas", "core", "to_state", "head"}
    info = read_info(folder)
    assert info.categories == ("a", "b", "new", "zebra")
    assert info.sequence == read_info(bases["canvas"]).sequence
    record = info.training["started_from"]
    assert record["model"] == str(bases["canvas"])
    assert (record["encoder"], record["rehearsal"], record["dreamed"]) == ("frozen", 0.5, 16)
    assert load_run(tmp_path, few)[1].categories == info.categories
    prior, earlier = Prior.load(folder), Prior.load(bases["canvas"])
    assert prior.categories == info.categories
    np.testing.assert_array_equal(prior.noise[: len(OLD)], earlier.noise)
    assert [line.split(":")[0] for line in told] == [
        f"{few} has no validation sketches",
        f"dreaming 20 sketches of 2 categories that {bases['canvas']} knows",
        "writing the model, and fitting the prior of its codes, which takes minutes for tens of thousands",
    ]
    dreams = SketchSet.open(tmp_path / DREAMS)
    assert dreams.categories == OLD
    assert (tmp_path / "sheets" / "step-0000006.png").is_file()
    assert load_checkpoint(tmp_path / CHECKPOINT)[1].history == []


@pytest.mark.usefixtures("dreamer")
@pytest.mark.parametrize("kind", ["paper-hyper", "rnn-layer-norm"])
def test_models_of_other_kinds_learn_too(few: Path, tmp_path: Path, bases: dict[str, Path], kind: str) -> None:
    settings = settings_for(kind, tune=replace(TUNE, freeze_encoder=kind != "rnn-layer-norm"), steps=3)
    _, progress, _ = train(few, tmp_path, settings, base=load_base(bases[kind], settings))
    assert progress.step == 3
    after = {n.removeprefix("average."): v for n, v in tensors_of(tmp_path).items() if n.startswith("average.")}
    before = load_network(bases[kind])[0].state_dict()
    same = [n for n in before if n.startswith("encoder") and torch.equal(before[n], after[n])]
    assert bool(same) == settings.tune.freeze_encoder


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_wider_code_draws_as_before(tiny_set: Path, bases: dict[str, Path], kind: str) -> None:
    network, _ = load_network(bases[kind])
    settings = tiny_settings(model=replace(KINDS[kind], z_size=12))
    wide = Network(settings.model, network.sequence).eval()
    wide.load_state_dict(load_base(bases[kind], settings).weights)
    batch = Loader(
        SketchSet.open(tiny_set), "valid", network.sequence, RasterSpec(), BatchSettings(size=8), training=False
    ).batch(0)
    tensors = Tensors.of(batch)
    with torch.no_grad():
        for a, b in zip(network(tensors)[:2], wide(tensors)[:2], strict=True):
            torch.testing.assert_close(a, b)
        if kind != "rnn-layer-norm":
            codes = wide.encode(tensors.ink[:, 0])[0]
            torch.testing.assert_close(codes[:, :8], network.encode(tensors.ink[:, 0])[0])
            assert codes[:, 8:].std(dim=0).min() > 0


@pytest.mark.usefixtures("no_graphs")
@pytest.mark.parametrize(
    ("kind", "more"),
    [("canvas", {"glimpse": 5}), ("canvas", {"glimpse": 5, "overview": 7}), ("glimpse", {"overview": 7})],
)
def test_with_more_windows_it_draws_as_before_but_for_its_finer_tally(
    tiny_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, more: dict[str, int]
) -> None:
    monkeypatch.setattr(canvas, "_SAMPLES", canvas._SAMPLES_LEFT)
    before = replace(KINDS[kind], overview=0)
    base = write_folder(tmp_path / "base", fixed_network(before), OLD, {})
    network, _ = load_network(base)
    settings = tiny_settings(model=replace(before, z_size=12, **more))  # type: ignore[arg-type]
    seeing = Network(settings.model, network.sequence).eval()
    seeing.load_state_dict(load_base(base, settings).weights)
    batch = Loader(
        SketchSet.open(tiny_set), "valid", network.sequence, RasterSpec(), BatchSettings(size=8), training=False
    ).batch(0)
    tensors = Tensors.of(batch)
    with torch.no_grad():
        for a, b in zip(network(tensors)[:2], seeing(tensors)[:2], strict=True):
            torch.testing.assert_close(a, b)
    assert seeing.canvas is not None
    assert seeing.canvas.condense_glimpse.weight.abs().min() > 0


def test_a_window_that_is_there_keeps_its_side(bases: dict[str, Path]) -> None:
    with pytest.raises(SettingsError, match="glimpse is 5, not 7"):
        load_base(bases["glimpse"], tiny_settings(model=replace(KINDS["canvas"], glimpse=7)))


@pytest.mark.usefixtures("dreamer")
def test_of_a_frozen_code_that_is_widened_the_new_numbers_learn(
    few: Path, tmp_path: Path, bases: dict[str, Path]
) -> None:
    settings = tiny_settings(model=replace(KINDS["canvas"], z_size=12), tune=TUNE, steps=6)
    folder = run(few, tmp_path, settings, start_from=bases["canvas"])
    began = load_base(bases["canvas"], settings).weights
    after = load_network(folder)[0].state_dict()
    assert torch.equal(after["to_mu.weight"][:8], began["to_mu.weight"][:8])
    assert (after["to_mu.weight"][8:] - began["to_mu.weight"][8:].half().float()).abs().max() > 1e-4
    assert (after["to_state.weight"][:, 8:] != 0).any()
    assert not [name for name in after if name.startswith("encoder.") and not torch.equal(after[name], began[name])]
    info = read_info(folder)
    assert (info.model.z_size, info.training["started_from"]["z_size"]) == (12, 8)
    prior = Prior.load(folder)
    assert (prior.means.shape[2], set(prior.categories)) == (12, {*OLD, "new", "zebra"})


@pytest.mark.usefixtures("dreamer")
def test_interrupted_and_resumed_is_bit_for_bit_the_same(
    few: Path, tmp_path: Path, bases: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_for("canvas")
    base = load_base(bases["canvas"], settings)
    train(few, tmp_path / "straight", settings, base=base)
    clip, steps = loop._clip, iter(range(100))

    def stop_inside_a_step(network: Network, settings: TrainSettings) -> torch.Tensor:
        if next(steps) == 3:
            signal.raise_signal(signal.SIGINT)
        return clip(network, settings)

    monkeypatch.setattr(loop, "_clip", stop_inside_a_step)
    with pytest.raises(KeyboardInterrupt):
        train(few, tmp_path / "cut", settings, base=base)
    written = (tmp_path / "cut" / DREAMS).stat().st_mtime_ns
    train(few, tmp_path / "cut", settings, base=base)
    assert (tmp_path / "cut" / DREAMS).stat().st_mtime_ns == written, "what was dreamed is kept"
    assert_same(tensors_of(tmp_path / "straight"), tensors_of(tmp_path / "cut"))


@pytest.mark.parametrize("share", [0.5, 0.0])
def test_without_a_prior_or_a_share_nothing_is_rehearsed_and_that_is_said(
    few: Path, tmp_path: Path, bases: dict[str, Path], share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "load_model", lambda folder: Priorless())
    told: list[str] = []
    settings = settings_for("canvas", tune=replace(TUNE, rehearsal=share), steps=1)
    run(few, tmp_path, settings, start_from=bases["canvas"], say=told.append)
    assert "nothing is rehearsed" in told[1]
    assert ("it has no prior" in told[1]) == (share > 0)
    assert not (tmp_path / DREAMS).exists()
    assert read_info(tmp_path / "model").training["started_from"]["rehearsal"] == 0


@pytest.mark.usefixtures("dreamer")
def test_a_run_that_began_with_another_model_is_refused(few: Path, tmp_path: Path, bases: dict[str, Path]) -> None:
    settings = settings_for("canvas", steps=1)
    base = load_base(bases["canvas"], settings)
    train(few, tmp_path, settings, base=base)
    other = replace(base, folder=bases["paper-hyper"])
    for model in (None, other):
        with pytest.raises(SettingsError, match=r"began with .*canvas"):
            train(few, tmp_path, settings, base=model)


def test_what_cannot_be_is_one_line(few: Path, tmp_path: Path, bases: dict[str, Path]) -> None:
    settings = settings_for("canvas")
    with pytest.raises(ModelError, match="no model folder"):
        load_base(tmp_path, settings)
    with pytest.raises(SettingsError, match=r"model\.z_size is 8, not 7.*leave out"):
        load_base(bases["canvas"], replace(settings, model=replace(settings.model, z_size=7)))
    long = replace(settings, batch=replace(settings.batch, max_points=2))
    with pytest.raises(DataError, match="no sketch of at most 2 points"):
        run(few, tmp_path / "out", long, start_from=bases["canvas"])
    assert not (tmp_path / "out").exists()
    for wrong in ({"rehearsal": 1.0}, {"dreamed": 0}, {"temperature": -1.0}):
        with pytest.raises(SettingsError, match="tune"):
            replace(TUNE, **wrong)


def test_a_checkpoint_of_before_these_settings_goes_on(tiny_set: Path, tmp_path: Path) -> None:
    progress, settings = Progress(), tiny_settings()
    before = loop._plain(settings)
    del before["tune"]
    loop._same_run(progress, before, settings, None, tmp_path)
    with pytest.raises(SettingsError, match="of another version"):
        loop._same_run(progress, {**before, "colour": 3}, settings, None, tmp_path)


# -- healing --------------------------------------------------------------------------------------------


def healing(kind: str, **changes: object) -> TrainSettings:
    batch = BatchSettings(size=8, bucket=1, augment=AugmentSettings(damage=0.6))
    return settings_for(kind, tune=TuneSettings(heal=True), batch=batch, **changes)


def test_healing_teaches_the_encoder_the_codes_of_whole_pictures(
    bases: dict[str, Path], tiny_set: Path, tmp_path: Path
) -> None:
    settings = healing("canvas", steps=400, optimiser=OptimiserSettings(learning_rate=2e-3, warmup=3))
    before, _ = load_network(bases["canvas"])
    after, progress, _ = train(tiny_set, tmp_path / "run", settings, base=load_base(bases["canvas"], settings))
    was, now = before.state_dict(), after.state_dict()
    changed = {name.split(".")[0] for name in was if not torch.equal(was[name], now[name])}
    assert changed == {"encoder", "to_mu"}
    assert progress.started_from["encoder"] == "healed"
    sketches = SketchSet.open(tiny_set)
    ink = np.stack([render(sketches[i], RasterSpec()) for i in range(len(sketches))])
    whole, holed = (torch.from_numpy(x).float() / 255 for x in (ink, damaged(ink, 0.5, seed=9)))
    wanted = before.encode(whole)[0].detach()
    with torch.no_grad():
        far = [float((network.encode(holed)[0] - wanted).square().mean()) for network in (before, after)]
    assert far[1] < 0.9 * far[0]


def test_healing_goes_on_as_if_it_had_not_stopped(bases: dict[str, Path], tiny_set: Path, tmp_path: Path) -> None:
    base = load_base(bases["canvas"], healing("canvas"))
    train(tiny_set, tmp_path / "whole", healing("canvas", steps=8), base=base)
    train(tiny_set, tmp_path / "parts", healing("canvas", steps=3), base=base)
    train(tiny_set, tmp_path / "parts", healing("canvas", steps=8), base=base)
    assert_same(*(tensors_of(tmp_path / name) for name in ("whole", "parts")))


def test_what_cannot_be_healed(tiny_set: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="name it with --from"):
        train(tiny_set, tmp_path / "run", healing("canvas"))
    with pytest.raises(SettingsError, match="pictures with holes"):
        settings_for("canvas", tune=TuneSettings(heal=True))
    with pytest.raises(SettingsError, match="an encoder that sees pictures"):
        healing("rnn-layer-norm")
    with pytest.raises(SettingsError, match="leave out"):
        TuneSettings(heal=True, rehearsal=0.5)
