"""The network: rows read together are rows read one by one; codes, noise and categories; what attends."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from sketch_pix2seq.data.batches import Batch, collate
from sketch_pix2seq.data.store import Points
from sketch_pix2seq.errors import SettingsError
from sketch_pix2seq.model.code import UnitCode, noised, random_levels
from sketch_pix2seq.model.losses import losses_of, objective
from sketch_pix2seq.model.network import Network, Tensors
from sketch_pix2seq.model.settings import ModelSettings
from sketch_pix2seq.sequence import SequenceSpec
from tests.conftest import random_sketch
from tests.drawing.conftest import KINDS, fixed_network


def batch_of(settings: ModelSettings, n: int = 3) -> Tensors:
    rng = np.random.default_rng(1)
    sketches = [random_sketch(rng, strokes=k + 1).fit() for k in range(n)]
    xy = np.concatenate([s.points() for s in sketches])
    ends = np.zeros(len(xy), bool)
    ends[np.cumsum([len(stroke) for s in sketches for stroke in s.strokes]) - 1] = True
    starts = np.cumsum([0, *(s.n_points for s in sketches)])
    batch, _ = collate(Points(xy, ends, starts), SequenceSpec(settings.start, 30.0), settings.raster)
    fields = {name: getattr(batch, name) for name in Batch.__dataclass_fields__}
    return Tensors.of(Batch(**{**fields, "categories": np.arange(n, dtype=np.int64) % 2}))


@pytest.mark.parametrize("kind", ["default", "code"])
@pytest.mark.parametrize("attend", [False, True])
def test_rows_together_are_rows_one_by_one(kind: str, attend: bool) -> None:
    """Teacher forcing gives the mixtures that drawing gives, with the picture and without."""
    if attend and kind == "code":
        pytest.skip("it has nothing to attend with")
    network = fixed_network(KINDS[kind]).eval()
    batch = batch_of(KINDS[kind])
    with torch.no_grad():
        whole = network(batch, attend)
        code, _ = network.encode(batch.ink[:, 0])
        fixed, state = network.start(code, None, batch.categories, batch.ink[:, 0] if attend else None)
        rows, begin = network.start_row(len(code)), 0
        for count in batch.counts:
            mixture, state = network.step(rows, fixed, state)
            for name, ours, theirs in zip(mixture._fields, mixture, whole.mixture, strict=True):
                torch.testing.assert_close(ours[:count], theirs[begin : begin + count], atol=2e-4, rtol=1e-3, msg=name)
            pen = torch.nn.functional.one_hot(batch.pen[begin : begin + count], 3).float()
            rows = rows.clone()
            rows[:count] = torch.cat([batch.drawn[begin : begin + count], pen], dim=1)
            begin += count


def test_codes_have_unit_variance_and_do_not_outrun_their_statistics() -> None:
    torch.manual_seed(0)
    code = UnitCode(20, 5)
    features = 3 + 2 * torch.randn(4000, 20)
    for part in torch.split(features, 40):
        code(part)
    code.eval()
    found = code(features)
    assert found.mean(dim=0).abs().max() < 0.15
    assert (found.std(dim=0) - 1).abs().max() < 0.1
    code.weight.data *= 1000
    torch.testing.assert_close(code(features), found, atol=1e-3, rtol=1e-3)


def test_noise_is_mixed_in_at_levels_that_are_sometimes_0() -> None:
    torch.manual_seed(0)
    levels = random_levels(4000, 0.5, "cpu")
    assert levels.max() <= 0.5
    assert (levels == 0).float().mean() == pytest.approx(0.3, abs=0.03)
    codes, noise = torch.randn(4, 6), torch.randn(4, 6)
    level = torch.tensor([0.0, 0.25, 0.5, 1.0])
    mixed = noised(codes, level, noise)
    torch.testing.assert_close(mixed[0], codes[0])
    torch.testing.assert_close(mixed[3], noise[3])
    torch.testing.assert_close(mixed[1], 0.75 * codes[1] + 0.25 * noise[1])


def test_the_decoder_is_told_level_and_category() -> None:
    network = fixed_network(KINDS["default"]).eval()
    code = torch.randn(1, 8)

    def first(**told: torch.Tensor) -> torch.Tensor:
        fixed, state = network.start(code, **told)
        return network.step(network.start_row(1), fixed, state)[0].mu_x

    plain = first()
    torch.testing.assert_close(first(category=torch.tensor([2])), plain)  # the number of categories: not told
    assert not torch.allclose(first(category=torch.tensor([1])), plain, atol=1e-5)
    assert not torch.allclose(first(level=torch.tensor([0.3])), plain, atol=1e-5)


@pytest.mark.parametrize("attend", [False, True])
def test_what_attends_learns_only_where_it_does(attend: bool) -> None:
    network = fixed_network(KINDS["default"]).train()
    batch = batch_of(KINDS["default"])
    losses = losses_of(network(batch, attend), batch)
    objective(losses, 20, kl_weight=0, eta=0, kl_minimum=0, pixel_weight=1).backward()  # type: ignore[no-untyped-call]
    assert network.canvas is not None
    used = network.canvas.condense_glimpse.weight.grad is not None
    assert used == attend
    for name, parameter in network.named_parameters():
        assert parameter.grad is None or torch.isfinite(parameter.grad).all(), name


def test_the_objective_weighs_its_terms() -> None:
    network = fixed_network(KINDS["paper-hyper"]).eval()
    batch = batch_of(KINDS["paper-hyper"])
    losses = losses_of(network(batch), batch)

    def total(**changed: float) -> float:
        terms = {"kl_weight": 0.5, "eta": 0.4, "kl_minimum": 0.0, "pixel_weight": 0.0} | changed
        return float(objective(losses, 20, **terms).detach())

    kl = float(losses.kl.detach()) / losses.sketches
    reconstruction = float((losses.offset + losses.pen).detach()) / (losses.sketches * 20)
    assert total() == pytest.approx(reconstruction + 0.5 * 0.4 * kl, rel=1e-5)
    assert total(kl_weight=0.0) == pytest.approx(reconstruction, rel=1e-5)
    assert total(kl_minimum=kl + 1) == pytest.approx(reconstruction + 0.2 * (kl + 1), rel=1e-5)
    with_pixels = losses._replace(pixel=torch.tensor(6.0))
    weighed = objective(with_pixels, 20, kl_weight=0, eta=0, kl_minimum=0, pixel_weight=2.0)
    assert float(weighed.detach()) == pytest.approx(reconstruction + 2 * 6 / losses.sketches, rel=1e-5)


def test_the_loss_of_pixels_is_a_mean_over_pixels_and_a_sum_over_sketches() -> None:
    network = fixed_network(KINDS["default"]).eval()
    batch = batch_of(KINDS["default"])
    prediction = network(batch)
    probability, ink = prediction.pixels.sigmoid(), batch.ink[:, 0]
    entropy = -(ink * probability.log() + (1 - ink) * (1 - probability).log()).mean(dim=(1, 2))
    found = losses_of(prediction, batch).pixel
    torch.testing.assert_close(found, entropy.sum(), rtol=1e-4, atol=1e-5)


def test_settings_that_exclude_each_other_are_refused() -> None:
    base = ModelSettings()
    for changed in ({"noise": 1.0}, {"sample_z": True}, {"category_size": 0}, {"attend": 1.5}, {"canvas": False}):
        with pytest.raises(SettingsError):
            replace(base, **changed)
    assert Network(base, SequenceSpec(), 3).condition is not None
