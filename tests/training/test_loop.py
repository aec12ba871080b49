from __future__ import annotations

import itertools
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from sketch_pix2seq.data.batches import Loader
from sketch_pix2seq.data.store import SketchSet
from sketch_pix2seq.errors import FormatError, SettingsError, SketchError
from sketch_pix2seq.model.folder import CHECKPOINT
from sketch_pix2seq.model.losses import Losses, objective
from sketch_pix2seq.model.network import Network, Prediction, Tensors
from sketch_pix2seq.sequence import SequenceSpec
from sketch_pix2seq.training import loop
from sketch_pix2seq.training.checkpoint import load_checkpoint
from sketch_pix2seq.training.loop import Line, train, validate
from sketch_pix2seq.training.settings import LossSettings, OptimiserSettings, TrainSettings
from tests.conftest import REPOSITORY
from tests.training.conftest import TINY_MODEL, tiny_settings


def tensors_of(out: Path) -> dict[str, torch.Tensor]:
    return load_file(out / CHECKPOINT)


def assert_same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> None:
    assert a.keys() == b.keys()
    for name in a:
        assert torch.equal(a[name], b[name]), name


def test_loss_falls_and_lines_come(tiny_set: Path, tmp_path: Path) -> None:
    lines: list[Line] = []
    settings = tiny_settings(steps=60, optimiser=OptimiserSettings(learning_rate=5e-3, warmup=5), log_every=10)
    network, progress, main = train(tiny_set, tmp_path, settings, report=lines.append)
    assert main
    assert not network.training
    assert [line.step for line in lines] == [10, 20, 30, 40, 50, 60]
    assert lines[-1].nats < lines[0].nats - 0.5
    assert progress.history[-1]["nats"] < progress.history[0]["nats"]
    assert lines[0].eta_seconds is not None
    assert list((tmp_path / "events").iterdir())


def test_published_normalisation(tiny_set: Path, tmp_path: Path) -> None:
    """L_R: summed over a sketch, averaged over the batch, divided by the longest sketch's points."""
    _, progress, _ = train(tiny_set, tmp_path, tiny_settings(steps=1, validate_every=1))
    figures = progress.history[0]
    sketches = SketchSet.open(tiny_set)
    chosen = sketches.indices("valid")
    longest = int(sketches.lengths[sketches.indices("train")].max())
    assert figures["nats_point"] > figures["nats"]
    # The validation loader shows sketches in order of length, a batch of 8 of the 12.
    shown = sketches.lengths[chosen][sketches.lengths[chosen].argsort(kind="stable")][:8]
    assert figures["l_r"] == pytest.approx(figures["nats"] * (shown.sum() + 8) / 8 / longest, rel=1e-5)


@pytest.mark.parametrize(("cut", "number"), [(1, signal.SIGINT), (5, signal.SIGTERM), (7, signal.SIGINT)])
def test_stopped_inside_a_step_and_resumed_is_bit_for_bit_the_same(
    tiny_set: Path, tmp_path: Path, cut: int, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(tiny_set, tmp_path / "straight", tiny_settings())
    steps = itertools.count(1)
    clip = loop._clip

    def stop_inside_a_step(network: Network, settings: TrainSettings) -> torch.Tensor:
        if next(steps) == cut:
            signal.raise_signal(number)
        return clip(network, settings)

    monkeypatch.setattr(loop, "_clip", stop_inside_a_step)
    with pytest.raises(KeyboardInterrupt):
        train(tiny_set, tmp_path / "cut", tiny_settings())
    assert load_checkpoint(tmp_path / "cut" / CHECKPOINT)[1].step == cut
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    _, progress, _ = train(tiny_set, tmp_path / "cut", tiny_settings())
    assert progress.step == 12
    assert [entry["step"] for entry in progress.history] == [5, 10, 12]
    assert_same(tensors_of(tmp_path / "straight"), tensors_of(tmp_path / "cut"))


RUNNER = """
import sys, torch
from pathlib import Path
from sketch_pix2seq.training.loop import train
from tests.training.conftest import tiny_settings
torch.set_num_threads(1)
settings = tiny_settings(steps=60, checkpoint_minutes=1e-9)
train(Path(sys.argv[1]), Path(sys.argv[2]), settings, report=lambda line: print(line.step, flush=True))
"""


@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on_to_the_same_weights(tiny_set: Path, tmp_path: Path) -> None:
    """SIGKILL while checkpoints are written at every step, several times over."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}

    def start(out: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", RUNNER, str(tiny_set), str(tmp_path / out)]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)

    straight = start("straight")
    killed_at = []
    for reached, delay in ((6, 0.0), (15, 0.031), (30, 0.077)):
        process = start("killed")
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) >= reached:
                time.sleep(delay)
                process.send_signal(signal.SIGKILL)
                break
        process.wait()
        killed_at.append(load_checkpoint(tmp_path / "killed" / CHECKPOINT)[1].step)
    last = start("killed")
    assert last.wait(120) == 0
    assert straight.wait(120) == 0
    assert 0 < killed_at[0] < killed_at[1] < killed_at[2] < 60
    assert_same(tensors_of(tmp_path / "straight"), tensors_of(tmp_path / "killed"))


class Poisoned(Network):
    """A network whose loss is NaN at chosen steps."""

    at: frozenset[int] = frozenset()
    calls = 0

    def forward(self, batch: Tensors, attend: bool = False) -> Prediction:
        prediction = super().forward(batch, attend)
        if self.training:
            type(self).calls += 1
            if type(self).calls - 1 in type(self).at:
                poisoned = prediction.mixture._replace(mu_x=prediction.mixture.mu_x * math.nan)
                return prediction._replace(mixture=poisoned)
        return prediction


def test_a_nan_step_is_skipped_and_counted(tiny_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "Network", Poisoned)
    monkeypatch.setattr(Poisoned, "at", frozenset({2, 7}))
    monkeypatch.setattr(Poisoned, "calls", 0)
    lines: list[Line] = []
    _, progress, _ = train(tiny_set, tmp_path, tiny_settings(), report=lines.append)
    assert progress.skipped == 2
    assert lines[-1].skipped == 2
    assert all(math.isfinite(line.nats) for line in lines)
    for name, value in tensors_of(tmp_path).items():
        assert torch.isfinite(value.float()).all(), name


def test_nothing_but_nan_steps_gives_up_with_a_clear_line(
    tiny_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "Network", Poisoned)
    monkeypatch.setattr(loop, "_BAD_STEPS", 4)
    monkeypatch.setattr(Poisoned, "at", frozenset(range(100)))
    monkeypatch.setattr(Poisoned, "calls", 0)
    with pytest.raises(SketchError, match="not finite"):
        train(tiny_set, tmp_path, tiny_settings())


def test_early_stopping(tiny_set: Path, tmp_path: Path) -> None:
    frozen = OptimiserSettings(learning_rate=0.0, final_learning_rate=0.0, warmup=0)
    settings = tiny_settings(steps=50, validate_every=2, patience=3, optimiser=frozen)
    _, progress, _ = train(tiny_set, tmp_path, settings)
    assert progress.stopped
    assert progress.step == 2 + 3 * 2
    _, again, _ = train(tiny_set, tmp_path, settings)
    assert again.step == progress.step


def test_another_runs_folder_is_refused(tiny_set: Path, tmp_path: Path) -> None:
    train(tiny_set, tmp_path, tiny_settings(steps=2))
    with pytest.raises(SettingsError, match="other settings \\(seed\\)"):
        train(tiny_set, tmp_path, tiny_settings(seed=2))
    _, progress, _ = train(tiny_set, tmp_path, tiny_settings(steps=4))
    assert progress.step == 4


def test_a_damaged_checkpoint_is_named(tiny_set: Path, tmp_path: Path) -> None:
    train(tiny_set, tmp_path, tiny_settings(steps=2))
    checkpoint = tmp_path / CHECKPOINT
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(FormatError, match="not a checkpoint"):
        train(tiny_set, tmp_path, tiny_settings(steps=2))


def test_kl_term_is_annealed_and_floored(tiny_set: Path, tmp_path: Path) -> None:
    loss = LossSettings(kl_weight=0.5)
    assert loss.eta(0) == pytest.approx(0.01)
    assert loss.eta(20_000) == pytest.approx(1 - 0.99 * 0.99995**20_000)
    lines: list[Line] = []
    model = replace(
        TINY_MODEL,
        sample_z=True,
        unit_code=False,
        noise=0.0,
        canvas=False,
        attend=0.0,
        start="first",
        encoder="rnn",
        encoder_size=8,
    )
    train(tiny_set, tmp_path, tiny_settings(model=model, loss=loss), report=lines.append)
    assert lines[-1].l_kl > 0
    with pytest.raises(SettingsError, match="needs a sampled z"):
        tiny_settings(loss=loss)


def test_learning_rates() -> None:
    sketch_rnn = OptimiserSettings(1e-3, 1e-5, "exponential", warmup=0)
    assert sketch_rnn.rate(0, 10) == pytest.approx(1e-3)
    assert sketch_rnn.rate(10_000, 10) == pytest.approx(0.99e-3 * 0.9999**10_000 + 1e-5)
    trapezoid = OptimiserSettings(1e-3, 0.0, "trapezoid", tail=0.5, warmup=10)
    rates = [trapezoid.rate(s, 100) for s in (0, 9, 49, 75, 100)]
    assert rates == pytest.approx([1e-4, 1e-3, 1e-3, 5e-4, 0])
    cosine = OptimiserSettings(1e-3, 0.0, "cosine", warmup=0)
    assert [cosine.rate(s, 100) for s in (0, 50, 100)] == pytest.approx([1e-3, 5e-4, 0])


def test_what_is_kept_and_validated_is_the_average_of_the_weights(tiny_set: Path, tmp_path: Path) -> None:
    settings = tiny_settings()
    network, progress, _ = train(tiny_set, tmp_path, settings)
    saved = tensors_of(tmp_path)
    state = network.state_dict()
    for name, value in state.items():
        torch.testing.assert_close(value, saved[f"average.{name}"], rtol=0, atol=0)
    assert any(not torch.equal(value, saved[f"network.{name}"]) for name, value in state.items())
    sketches = SketchSet.open(tiny_set)
    raster, batch = settings.model.raster, settings.batch
    loader = Loader(sketches, "valid", network.sequence, raster, batch, training=False, seed=settings.seed)
    found = validate(network, loader, settings.validate_sketches, 1)
    assert progress.history[-1]["nats"] == pytest.approx(found["nats"], rel=1e-5)
    assert progress.best == min(figures["nats"] for figures in progress.history)


def test_each_step_has_its_learning_rate(tiny_set: Path, tmp_path: Path) -> None:
    """While the learning rate has hardly begun to rise, the weights hardly move."""
    settings = tiny_settings(steps=3, optimiser=OptimiserSettings(learning_rate=0.1, warmup=10**9))
    train(tiny_set, tmp_path, settings)
    saved = tensors_of(tmp_path)
    torch.manual_seed(settings.seed)
    first = Network(settings.model, SequenceSpec(settings.model.start), 2)
    for name, value in first.named_parameters():
        torch.testing.assert_close(saved[f"network.{name}"], value.detach(), rtol=0, atol=1e-6)


def test_each_step_has_its_eta_and_its_own_noise(
    tiny_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    etas: list[float] = []
    seeds: list[int] = []
    seed = torch.manual_seed

    def spied_objective(losses: Losses, longest: int, **weights: float) -> torch.Tensor:
        etas.append(weights["eta"])
        return objective(losses, longest, **weights)

    def spied_seed(number: int) -> torch.Generator:
        seeds.append(number)
        return seed(number)

    monkeypatch.setattr(loop, "objective", spied_objective)
    monkeypatch.setattr(torch, "manual_seed", spied_seed)
    settings = tiny_settings(steps=4, loss=LossSettings(kl_rate=0.5))
    train(tiny_set, tmp_path, settings)
    assert etas == [settings.loss.eta(step) for step in range(4)]
    assert len(set(seeds)) == len(seeds) == 5, "one for the first weights, one for each step"


def test_gradients_are_clipped_by_norm_or_by_value() -> None:
    layer = nn.Linear(3, 1, bias=False)

    def clipped(**settings: float) -> tuple[float, list[float]]:
        layer.weight.grad = torch.tensor([[3.0, 0.0, -4.0]])
        optimiser = OptimiserSettings(**{"clip_norm": 0.0, "clip_value": 0.0} | settings)  # type: ignore[arg-type]
        norm = loop._clip(layer, tiny_settings(optimiser=optimiser))
        return float(norm), layer.weight.grad[0].tolist()

    assert clipped() == (5.0, [3.0, 0.0, -4.0])
    norm, gradient = clipped(clip_norm=1.0)
    assert norm == pytest.approx(5)
    assert gradient == pytest.approx([0.6, 0.0, -0.8], abs=1e-5)
    assert clipped(clip_value=1.0) == (5.0, [1.0, 0.0, -1.0])


def test_a_share_of_the_steps_attends() -> None:
    settings = tiny_settings(model=replace(TINY_MODEL, attend=0.2))
    attended = sum(loop._attends(settings, step) for step in range(4000))
    assert attended / 4000 == pytest.approx(0.2, abs=0.03)


@pytest.mark.parametrize("precision", ["bfloat16", "auto"])
def test_other_precisions_run(tiny_set: Path, tmp_path: Path, precision: str) -> None:
    network, progress, _ = train(tiny_set, tmp_path, tiny_settings(precision=precision, steps=4))
    assert progress.skipped == 0
    assert next(network.parameters()).dtype == torch.float32
