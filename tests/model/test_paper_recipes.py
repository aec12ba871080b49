"""`Network` with the recipes of the paper is `reference.PaperModel`: first weights, outputs, losses, gradients."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from sketch_pix2seq.data.batches import collate
from sketch_pix2seq.data.store import Points
from sketch_pix2seq.model import mixture, reference
from sketch_pix2seq.model.losses import losses_of
from sketch_pix2seq.model.network import Network, Tensors
from sketch_pix2seq.model.reference import PaperModel, Sizes
from sketch_pix2seq.raster import RasterSpec
from sketch_pix2seq.recipes.catalogue import load_recipe
from sketch_pix2seq.sequence import SequenceSpec, rows_of
from sketch_pix2seq.sketch import Sketch
from sketch_pix2seq.training.loop import _objective
from sketch_pix2seq.training.settings import TrainSettings
from tests.conftest import random_sketch

NAMES: tuple[reference.Name, ...] = ("sketch-rnn", "sketch-pix2seq", "cnn-kl", "rnn-no-kl")
SIZES = Sizes(z=6, encoder=5, decoder=7, mixtures=3, keep=1.0)
SPEC = SequenceSpec("first", 30.0)


def small(name: reference.Name) -> TrainSettings:
    """A recipe with the sizes of `SIZES`, without dropout: its random numbers come in another order."""
    settings = load_recipe(name)
    model = replace(
        settings.model,
        z_size=SIZES.z,
        encoder_size=SIZES.encoder,
        decoder_size=SIZES.decoder,
        mixtures=SIZES.mixtures,
        recurrent_keep=1.0,
    )
    return replace(settings, model=model)


def as_networks(values: dict[str, Tensor], forget_bias: float) -> dict[str, Tensor]:
    """Weights of a `PaperModel`, or their gradients, under the names and in the order of gates of a `Network`."""

    def gates(value: Tensor) -> Tensor:
        i, g, f, o = value.chunk(4, dim=-1)
        return torch.cat([i, f, o, g], dim=-1)

    def lstm(theirs: str, ours: str) -> dict[str, Tensor]:
        W_x, bias = gates(values[f"{theirs}.W_x"]).t(), gates(values[f"{theirs}.bias"]).clone()
        size = len(bias) // 4
        bias[size : 2 * size] += forget_bias
        found = {
            f"{ours}.from_input.weight": W_x[:, :5],
            f"{ours}.weight": gates(values[f"{theirs}.W_h"]).t(),
            f"{ours}.from_code.bias": bias,
        }
        return found | ({f"{ours}.from_code.weight": W_x[:, 5:]} if W_x.shape[1] > 5 else {})

    found = lstm("decoder", "core")
    if "encoder.forwards.bias" in values:
        found |= lstm("encoder.forwards", "encoder.directions.0") | lstm("encoder.backwards", "encoder.directions.1")
    else:
        found |= {f"encoder.convolutions.{i}.weight": values[f"encoder.weights.{i}"] for i in range(6)}
    heads = {"mu": "to_mu", "sigma_hat": "to_log_variance", "first_state": "to_state", "output": "head"}
    return found | {f"{b}.{part}": values[f"{a}.{part}"] for a, b in heads.items() for part in ("weight", "bias")}


def pair(name: reference.Name, spread: float = 0.0) -> tuple[PaperModel, Network]:
    """Both models with the same weights: first ones of the reference, or normal ones."""
    model = PaperModel(name, SIZES)
    if spread:
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=spread)
    network = Network(small(name).model, SPEC)
    network.load_state_dict(as_networks({k: v.detach() for k, v in model.named_parameters()}, 1.0))
    return model, network


def batch(sketches: list[Sketch], padded: int = 0) -> tuple[Tensors, tuple[Tensor, Tensor, Tensor]]:
    """Sketches as `Network` takes them, packed, and as `PaperModel` does, padded: picture, S, N_s."""
    points = np.concatenate([s.points() for s in sketches])
    ends = np.concatenate([np.eye(1, len(p), len(p) - 1, dtype=bool)[0] for s in sketches for p in s.strokes])
    starts = np.cumsum([0, *(s.n_points for s in sketches)])
    packed, order = collate(Points(points, ends, starts), SPEC, RasterSpec(), padded=padded)
    rows = [rows_of(sketches[i], SPEC) for i in order]
    S = torch.zeros(len(rows), len(packed.counts), 5)
    S[:, :, 4] = 1
    for place, values in zip(S, rows, strict=True):
        place[: len(values)] = torch.from_numpy(values)
    picture = 255 - torch.from_numpy(packed.ink).float()
    return Tensors.of(packed), (picture, S, torch.tensor([len(values) - 1 for values in rows]))


def people(n: int = 5) -> list[Sketch]:
    rng = np.random.default_rng(0)
    return [random_sketch(rng, strokes=1 + k % 4, points=5) for k in range(n)]


@pytest.fixture(autouse=True)
def _seeded(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    monkeypatch.setattr(mixture, "RHO_MAX", 1.0)  # a bound against NaNs; the published code has none


@pytest.mark.parametrize("padding", [False, True])
@pytest.mark.parametrize("spread", [0.0, 0.5])
@pytest.mark.parametrize("name", NAMES)
def test_losses_and_gradients_are_the_references(name: reference.Name, spread: float, padding: bool) -> None:
    """In training, with z drawn. First weights have a KL divergence below KL_min, large ones above it."""
    model, network = pair(name, spread)
    longest = max(len(rows_of(s, SPEC)) - 1 for s in people())
    tensors, (picture, S, N_s) = batch(people(), longest + 1 if padding else 0)
    step = 20_000
    torch.manual_seed(3)
    expected = model(picture, S, N_s, step, padding=padding)
    torch.manual_seed(3)
    losses = losses_of(network.train()(tensors), tensors)
    total = _objective(losses, small(name), step, S.shape[1])
    L_R = (losses.offset + losses.pen) / (losses.sketches * S.shape[1])
    torch.testing.assert_close(L_R, expected.R, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(losses.kl / losses.sketches, expected.KL, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(total, expected.total, rtol=1e-4, atol=1e-5)
    assert (float(expected.KL.detach()) < reference.KL_MIN) == (spread == 0)

    torch.autograd.backward(expected.total)
    torch.autograd.backward(total)
    gradients = {k: v.grad if v.grad is not None else torch.zeros_like(v) for k, v in model.named_parameters()}
    theirs = as_networks(gradients, 0.0)
    ours = dict(network.named_parameters())
    assert ours.keys() == theirs.keys()
    for key, parameter in ours.items():
        assert parameter.grad is not None, key
        tolerance = 1e-4 * float(theirs[key].abs().max()) + 1e-8
        torch.testing.assert_close(parameter.grad, theirs[key], rtol=1e-3, atol=tolerance, msg=key)


@pytest.mark.parametrize("name", NAMES)
def test_a_drawing_row_by_row_has_the_references_mixtures(name: reference.Name) -> None:
    model, network = pair(name, 0.4)
    tensors, (picture, S, N_s) = batch(people(3))
    with torch.no_grad():
        mu, sigma_hat = model.encode(picture, S, N_s)
        ours = network.eval()(tensors)
        torch.testing.assert_close(ours.mu, mu, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(ours.log_variance, sigma_hat, rtol=1e-4, atol=1e-5)
        expected = model.decode(torch.cat([reference.first_row(3), S[:, :-1]], dim=1), mu)
        fixed, state = network.start(mu)
        row = network.start_row(3)
        for i in range(S.shape[1]):
            found, state = network.step(row, fixed, state)
            theirs = [part[:, i] for part in expected]
            theirs[3:5] = [part.log() for part in theirs[3:5]]
            for field, a, b in zip(found._fields, found, theirs, strict=True):
                torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5, msg=field)
            row = S[:, i]


@pytest.mark.parametrize("name", NAMES)
def test_sizes_constants_and_rates_are_the_references(name: reference.Name) -> None:
    settings, sizes = load_recipe(name), Sizes()
    assert settings.model.z_size == sizes.z
    assert settings.model.decoder_size == sizes.decoder
    assert settings.model.mixtures == sizes.mixtures
    assert settings.model.recurrent_keep == sizes.keep
    assert settings.model.raster.size == sizes.picture
    assert settings.model.encoder != "rnn" or settings.model.encoder_size == sizes.encoder
    assert settings.model.mask_each_row
    assert settings.loss.kl_weight == reference.KL_WEIGHT[name]
    assert settings.loss.kl_minimum == reference.KL_MIN
    assert settings.optimiser.clip_value == reference.GRADIENT_MAX
    assert settings.optimiser.average == settings.optimiser.clip_norm == 0
    assert settings.batch.size == 100
    assert settings.batch.bucket == 1
    assert not settings.batch.augment.refit
    for step in (0, 1, 700, 30_000, 10**6):
        assert settings.loss.eta(step) == pytest.approx(reference.eta(step))
        assert settings.optimiser.rate(step, 10**6) == pytest.approx(reference.learning_rate(step))


@pytest.mark.parametrize("name", NAMES)
def test_first_weights_are_as_large_as_the_references(name: reference.Name) -> None:
    """Of the published sizes; each in the root of its mean square, and zero where the reference's are."""
    ours = dict(Network(load_recipe(name).model, SPEC).named_parameters())
    theirs = as_networks({k: v.detach() for k, v in PaperModel(name).named_parameters()}, 1.0)
    assert ours.keys() == theirs.keys()
    for key, value in theirs.items():
        found, expected = (float(x.detach().square().mean().sqrt()) for x in (ours[key], value))
        slack = 0.35 if value.numel() < 400 else 0.06
        assert found == pytest.approx(expected, rel=slack, abs=1e-9), key


def test_the_code_of_a_new_model_depends_on_the_picture() -> None:
    """The spread of mu over pictures, 0.01 in the published code: a code that training notices."""
    spreads = []
    for seed in range(6):
        torch.manual_seed(seed)
        network = Network(load_recipe("sketch-pix2seq").model, SPEC).eval()
        tensors, _ = batch(people(40))
        with torch.no_grad():
            spreads.append(float(network.encode(tensors.ink[:, 0])[0].std(dim=0).mean()))
    assert 0.004 < np.mean(spreads) < 0.02
