from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from sketch_pix2seq.data.batches import collate
from sketch_pix2seq.data.store import Points
from sketch_pix2seq.errors import SettingsError
from sketch_pix2seq.model.mixture import log_density, log_pen
from sketch_pix2seq.model.network import Network, Tensors
from sketch_pix2seq.model.settings import ModelSettings
from sketch_pix2seq.raster import RasterSpec
from sketch_pix2seq.sequence import SequenceSpec, rows_of
from sketch_pix2seq.sketch import Sketch
from tests.conftest import random_sketch

SMALL = {
    "decoder_size": 16,
    "hyper_size": 8,
    "hyper_embedding": 4,
    "z_size": 12,
    "encoder_size": 64,
    "canvas_channels": 8,
    "mixtures": 3,
}


def settings_of(encoder: str, decoder: str, *, canvas: bool, sample: bool = False, glimpse: int = 0) -> ModelSettings:
    start = "centre" if canvas else "first"
    sizes = {**SMALL, "z_size": 0} if encoder == "none" else SMALL
    kinds = {"encoder": encoder, "decoder": decoder, "start": start}
    windows = {"glimpse": glimpse, "overview": glimpse and 7}
    return ModelSettings(**kinds, canvas=canvas, sample_z=sample, **windows, **sizes)  # type: ignore[arg-type]


def batch_of(sketches: list[Sketch], spec: SequenceSpec) -> Tensors:
    points = np.concatenate([s.points() for s in sketches])
    ends = np.concatenate([np.eye(1, len(p), len(p) - 1, dtype=bool)[0] for s in sketches for p in s.strokes])
    starts = np.cumsum([0, *(s.n_points for s in sketches)])
    batch, _ = collate(Points(points, ends, starts), spec, RasterSpec())
    return Tensors.of(batch)


CASES = [
    *itertools.product(("paper", "deep", "rnn"), ("lstm",), (False,), (0,)),
    ("deep", "layer_norm", False, 0),
    ("deep", "hyper", False, 0),
    ("deep", "lstm", True, 0),
    ("deep", "lstm", True, 5),
    ("paper", "hyper", True, 0),
    ("none", "lstm", False, 0),
    ("none", "layer_norm", False, 0),
    ("none", "hyper", False, 0),
]


@pytest.mark.parametrize("encoder", ["paper", "deep"])
@pytest.mark.parametrize("seed", range(4))
def test_an_untrained_encoder_tells_pictures_apart(encoder: str, seed: int) -> None:
    """Where biases drown the picture, training does not notice for hundreds of steps that there is one."""
    torch.manual_seed(seed)
    settings = settings_of(encoder, "lstm", canvas=False)
    network = Network(settings, SequenceSpec(settings.start))
    rng = np.random.default_rng(3)
    sketches = [random_sketch(rng) for _ in range(16)]
    with torch.no_grad():
        features = network.encoder(batch_of(sketches, network.sequence).ink)
    assert features.std(dim=0).mean() > 0.2 * features.abs().mean()


@pytest.mark.parametrize(("encoder", "decoder", "canvas", "glimpse"), CASES)
def test_drawing_row_by_row_has_the_losses_of_training(encoder: str, decoder: str, canvas: bool, glimpse: int) -> None:
    """Teacher forcing over packed rows and the step used for drawing are one model."""
    torch.manual_seed(0)
    settings = settings_of(encoder, decoder, canvas=canvas, glimpse=glimpse)
    network = Network(settings, SequenceSpec(settings.start, 30.0)).eval()
    open_eye(network)
    rng = np.random.default_rng(1)
    sketches = [random_sketch(rng, strokes=k) for k in (2, 4, 1)]
    with torch.no_grad():
        losses = network(batch_of(sketches, network.sequence))
        offset = pen = 0.0
        for sketch in sketches:
            rows = torch.from_numpy(rows_of(sketch, network.sequence))
            alone = batch_of([sketch], network.sequence)
            code, _ = (
                network.encode_rows(rows[None], torch.tensor([len(rows)]))
                if encoder == "rnn"
                else network.encode(alone.ink[:, 0])
            )
            fixed, state = network.start(code, alone.ink[:, 0] if glimpse else None)
            row = network.start_row(1)
            for target in rows:
                mixture, state = network.step(row, fixed, state)
                if target[4] == 0:
                    offset -= float(log_density(mixture, target[None, :2]))
                pen -= float(log_pen(mixture, target[None, 2:].argmax(1)))
                row = target[None]
    assert losses.rows == sum(s.n_points + 1 for s in sketches) - (3 if settings.start == "first" else 0)
    assert float(losses.offset) == pytest.approx(offset, rel=1e-4)
    assert float(losses.pen) == pytest.approx(pen, rel=1e-4)


def open_eye(network: Network) -> None:
    """A glimpse's features are zero at first, which hides what is before them."""
    if network.settings.glimpse:
        assert network.canvas is not None
        torch.nn.init.xavier_uniform_(network.canvas.eye.out.weight)


@pytest.mark.parametrize(
    ("encoder", "canvas", "glimpse"),
    [("deep", True, 0), ("deep", True, 5), ("paper", False, 0), ("rnn", False, 0), ("none", False, 0)],
)
def test_every_weight_learns(encoder: str, canvas: bool, glimpse: int) -> None:
    torch.manual_seed(0)
    settings = settings_of(encoder, "lstm", canvas=canvas, sample=encoder != "none", glimpse=glimpse)
    network = Network(settings, SequenceSpec(settings.start, 30.0))
    open_eye(network)
    rng = np.random.default_rng(2)
    losses = network(batch_of([random_sketch(rng) for _ in range(4)], network.sequence))
    (losses.offset + losses.pen + losses.kl + losses.pixel).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_kl_is_that_of_normal_distributions() -> None:
    torch.manual_seed(0)
    settings = settings_of("deep", "lstm", canvas=False, sample=True)
    network = Network(settings, SequenceSpec("first", 30.0)).eval()
    batch = batch_of([random_sketch(np.random.default_rng(3)) for _ in range(3)], network.sequence)
    mu, log_variance = network.posterior(network.encoder(batch.ink))
    assert log_variance is not None
    posterior = torch.distributions.Normal(mu, (0.5 * log_variance).exp())
    expected = torch.distributions.kl_divergence(posterior, torch.distributions.Normal(0.0, 1.0)).mean(1).sum()
    torch.testing.assert_close(network(batch).kl, expected, rtol=1e-4, atol=1e-6)


def test_a_decoder_alone_starts_from_nothing() -> None:
    network = Network(settings_of("none", "lstm", canvas=False), SequenceSpec("first"))
    names = {name for name, _ in network.named_parameters()}
    assert names == {"core.from_input.weight", "core.from_code.bias", "core.weight", "head.weight", "head.bias"}
    _, state = network.start(torch.zeros(3, 0))
    assert [tuple(part.shape) for part in state] == [(3, 16), (3, 16)]
    assert not any(part.any() for part in state)


def test_a_glimpse_is_of_pictures_with_ink_and_in_training_of_some() -> None:
    torch.manual_seed(0)
    network = Network(settings_of("deep", "lstm", canvas=True, glimpse=5), SequenceSpec("centre", 30.0)).eval()
    open_eye(network)
    batch = batch_of([random_sketch(np.random.default_rng(k)) for k in range(40)], network.sequence)
    ink = batch.ink[:, 0]
    with torch.no_grad():
        code, _ = network.encode(ink)
        shown, alone, blank = network.start(code, ink)[0], network.start(code)[0], network.start(code, ink * 0)[0]
    for a, b in zip(alone, blank, strict=True):
        torch.testing.assert_close(a, b)
    assert not alone[3].any()
    assert not alone[4].any()
    assert shown[3].min() == -1
    assert not torch.allclose(shown[1], alone[1])
    torch.testing.assert_close(shown[2], alone[2])  # what is imagined is of the code
    assert network._glimpsed(batch).equal(ink)
    seen = network.train()._glimpsed(batch).flatten(1).any(dim=1)
    assert 15 < int(seen.sum()) < 40


def test_paper_encoder_is_as_published() -> None:
    network = Network(ModelSettings(encoder="paper", canvas=False, start="first", z_size=128), SequenceSpec("first"))
    weights = sum(p.numel() for name, p in network.encoder.named_parameters() if name.endswith("weight"))
    assert weights == 976
    assert network.encoder.out_features == 288
    assert network.encoder(torch.zeros(2, 1, 48, 48)).shape == (2, 288)
    filtered = Network(
        ModelSettings(encoder="paper", high_pass=True, canvas=False, start="first"), SequenceSpec("first")
    )
    assert filtered.encoder.get_buffer("kernel")[0, 0].tolist() == [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]]


def test_tally_counts_the_ink_once() -> None:
    settings = settings_of("deep", "lstm", canvas=True)
    canvas = Network(settings, SequenceSpec("centre", 30.0)).canvas
    assert canvas is not None
    before, after = torch.tensor([[-60.0, -60.0]]), torch.tensor([[60.0, 20.0]])
    ink = canvas.tally(before, after, torch.ones(1))
    length = float(torch.dist(before, after)) * settings.raster.pixels_per_unit / 4
    assert float(ink.sum()) == pytest.approx(length, rel=1e-4)
    assert float(canvas.tally(before, after, torch.zeros(1)).sum()) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"canvas": True, "start": "first"},
        {"raster": RasterSpec(size=50)},
        {"recurrent_keep": 0.0},
        {"recurrent_keep": 1.5},
        {"encoder": "none"},
        {"encoder": "none", "z_size": 0},
        {"encoder": "none", "z_size": 0, "canvas": False, "sample_z": True},
        {"encoder": "deep", "z_size": 0},
        {"glimpse": -1},
        {"glimpse": 13, "canvas": False},
        {"glimpse": 13, "encoder": "rnn"},
        {"glimpse": 13, "glimpse_keep": 1.5},
        {"overview": 15},
        {"glimpse": 13, "overview": -1},
    ],
)
def test_settings_that_contradict_each_other_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(SettingsError):
        ModelSettings(**wrong)  # type: ignore[arg-type]
