"""Training: sketches a second, against the plain way and against the machine's limit, in one run.

    python benchmarks/training.py SET.arrow [RECIPE]

The plain way is what one writes first: float32, every sketch padded to the longest of the set, code and row joined at
every step, one step of the recurrence at a time, pictures drawn and batches made in the loop, no length buckets. Same
network, weights, hyper-parameters, optimiser. The limit is the time that the step's matrix products and convolutions
take when each is run by itself, again and again, at its own shape and precision.

The two ways are then trained on the same sketches from the same weights, without chance (no augmentation, no
dropout), and their losses printed side by side. Last, a step of each kind of decoder, against the LSTM's.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import machine, median_seconds
from torch import Tensor
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from sketch_pix2seq.data.batches import AugmentSettings, Loader, collate, offset_scale
from sketch_pix2seq.data.store import SketchSet
from sketch_pix2seq.model import mixture as mixtures
from sketch_pix2seq.model.decoders import LSTMCore, initial_state
from sketch_pix2seq.model.network import Network, Tensors
from sketch_pix2seq.recipes.catalogue import load_recipe
from sketch_pix2seq.sequence import PEN_END, SequenceSpec
from sketch_pix2seq.training.loop import precision_of
from sketch_pix2seq.training.settings import TrainSettings

STEPS, WARM = 24, 4
PLAIN_STEPS = 3
EQUAL_STEPS = 6
STILL = AugmentSettings(scale=0, drop=0, rotation=0, shear=0)
PRODUCTS = ("mm", "addmm", "bmm", "convolution", "convolution_backward")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", type=Path)
    parser.add_argument("recipe", nargs="?", default="default")
    asked = parser.parse_args()
    settings = load_recipe(asked.recipe)
    sketches = SketchSet.open(asked.set)
    spec = SequenceSpec(settings.model.start)
    spec = SequenceSpec(settings.model.start, offset_scale(sketches, spec))
    precision = precision_of(settings)
    print(machine())
    print(f"recipe {asked.recipe}, {precision}, batches of {settings.batch.size}, {torch.get_num_threads()} threads")

    fast = Ours(settings, sketches, spec, precision)
    seconds, making, rows = fast.timed(STEPS, WARM)
    speed = settings.batch.size / statistics.mean(seconds)
    print(f"{speed:.0f} sketches a second, {statistics.mean(rows) / statistics.mean(seconds):.0f} rows a second")
    print(
        f"loader: {statistics.median(making) * 1e3:.1f} ms a batch, step: {statistics.median(seconds) * 1e3:.0f} ms: "
        f"{sum(making) / sum(seconds):.1%} of a step"
    )
    if isinstance(fast.network.core, LSTMCore) and settings.model.encoder != "rnn":
        plain = Plain(settings, sketches, spec)
        slow = settings.batch.size / statistics.median(plain.timed(PLAIN_STEPS, 1))
        print(f"the plain way: {slow:.1f} sketches a second; ours is {speed / slow:.1f} times as fast")
    share, flops = limit_share(fast)
    print(
        f"matrix products and convolutions alone: {share:.0%} of the time of the step that they are in "
        f"({flops / 1e9:.0f} GFLOP)"
    )
    if isinstance(fast.network.core, LSTMCore) and settings.model.encoder != "rnn":
        equal_losses(settings, sketches, spec, precision)
    decoders(settings, sketches, spec, precision)


class Ours:
    """The steps of `training.loop`, timed."""

    def __init__(self, settings: TrainSettings, sketches: SketchSet, spec: SequenceSpec, precision: str) -> None:
        torch.manual_seed(0)
        self.settings, self.precision = settings, precision
        self.loader = Loader(sketches, "train", spec, settings.model.raster, settings.batch, training=True)
        self.network = Network(settings.model, spec)
        self.optimiser = torch.optim.Adam(self.network.parameters(), 1e-3, fused=True)

    def step(self, batch: Tensors) -> float:
        """One step; nats a row."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.precision == "bfloat16"):
            losses = self.network(batch)
        total = losses.offset + losses.pen
        torch.autograd.backward(total / losses.rows + losses.pixel / losses.sketches)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        return float(total.item() / losses.rows)

    def timed(self, steps: int, warm: int) -> tuple[list[float], list[float], list[int]]:
        """Seconds of each step, seconds that its batch took, and its rows."""
        seconds, making, rows = [], [], []
        for step in range(steps):
            begin = time.perf_counter()
            batch = self.loader.batch(step)
            made = time.perf_counter()
            self.step(Tensors.of(batch))
            if step >= warm:
                seconds.append(time.perf_counter() - made)
                making.append(made - begin)
                rows.append(len(batch.pen))
        return seconds, making, rows


class Plain:
    """The plain way, with the network's own weights."""

    def __init__(self, settings: TrainSettings, sketches: SketchSet, spec: SequenceSpec) -> None:
        torch.manual_seed(0)
        self.settings, self.sketches, self.spec = settings, sketches, spec
        self.network = Network(settings.model, spec)
        self.optimiser = torch.optim.Adam(self.network.parameters(), 1e-3)
        chosen = sketches.indices("train")
        self.chosen = chosen[sketches.lengths[chosen] <= settings.batch.max_points]
        self.longest = int(sketches.lengths[self.chosen].max()) + 1
        self.random = np.random.default_rng(0)

    def timed(self, steps: int, warm: int) -> list[float]:
        """Seconds of each step, its batch included."""
        seconds = []
        for step in range(steps + warm):
            begin = time.perf_counter()
            picked = self.random.choice(self.chosen, self.settings.batch.size, replace=False)
            seeds = self.random.integers(1 << 63, size=len(picked)).astype(np.uint64)
            self.step(picked, self.settings.batch.augment, seeds)
            if step >= warm:
                seconds.append(time.perf_counter() - begin)
        return seconds

    def step(self, picked: Any, augment: AugmentSettings, seeds: Any) -> float:
        """One step on sketches of the set; nats a row."""
        made = [
            collate(
                self.sketches.gather(np.array([i])), self.spec, self.settings.model.raster, augment, seeds[k : k + 1]
            )
            for k, i in enumerate(picked)
        ]
        n, time_steps = len(made), self.longest
        offsets, pen = torch.zeros(n, time_steps, 2), torch.full((n, time_steps), PEN_END)
        before, real = torch.zeros(n, time_steps, 2), torch.zeros(n, time_steps)
        for k, (batch, _) in enumerate(made):
            rows = len(batch.pen)
            offsets[k, :rows], pen[k, :rows] = torch.from_numpy(batch.offsets), torch.from_numpy(batch.pen)
            before[k, :rows], real[k, :rows] = torch.from_numpy(batch.before), 1.0
        ink = torch.from_numpy(np.concatenate([batch.ink for batch, _ in made])).float() / 255
        seen = torch.from_numpy(np.concatenate([batch.seen for batch, _ in made])).float() / 255
        total, pixel = self.losses(offsets, pen, before, real, ink, seen)
        drawn = real.sum()
        torch.autograd.backward(total / drawn + pixel / n)
        self.optimiser.step()
        self.optimiser.zero_grad()
        return float((total / drawn).item())

    def losses(
        self, offsets: Tensor, pen: Tensor, before: Tensor, real: Tensor, ink: Tensor, seen: Tensor
    ) -> tuple[Tensor, Tensor]:
        network, n = self.network, len(ink)
        core = network.core
        assert isinstance(core, LSTMCore)
        mu, log_variance = network.encode(seen)
        code = mu if log_variance is None else mu + torch.exp(0.5 * log_variance) * torch.randn_like(mu)
        pixel, features, logits = mu.new_zeros(()), None, None
        if network.canvas is not None:
            features, logits = network.canvas.imagine(code)
            pixel = F.binary_cross_entropy_with_logits(logits, ink, reduction="none").mean(dim=(1, 2)).sum()
        h, c = initial_state(network.to_state(code), core.state_sizes)
        mask = core.dropout_mask(code) if network.training else None
        row, down, hidden = network.start_row(n), torch.zeros(n), []
        tally = torch.zeros(n, network.canvas.nodes**2 if network.canvas is not None else 0)
        for t in range(offsets.shape[1]):
            given = row
            if network.canvas is not None and features is not None and logits is not None:
                with torch.no_grad():
                    if t:
                        tally = tally + network.canvas.tally(before[:, t - 1], before[:, t], down)
                    down = row[:, 2]
                pixels = logits.detach().sigmoid()
                around = features.flatten(2).transpose(1, 2)
                given = torch.cat(
                    [row, network.canvas.look(around, pixels, None, tally[None], before[None, :, t])[0]], dim=1
                )
            joined = torch.cat([given, code, h], dim=1)
            weight = torch.cat([core.from_input.weight, core.from_code.weight, core.weight], dim=1)
            i, f, o, g = F.linear(joined, weight, core.from_code.bias).chunk(4, dim=1)
            candidate = torch.tanh(g) if mask is None else torch.tanh(g) * mask
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * candidate
            h = torch.sigmoid(o) * torch.tanh(c)
            hidden.append(h)
            row = torch.cat([offsets[:, t], F.one_hot(pen[:, t], 3).float()], dim=1)
        mixture = mixtures.split(network.head(torch.stack(hidden, dim=1).flatten(0, 1)))
        flat = pen.flatten()
        drawn = (flat != PEN_END) * real.flatten()
        offset = -(mixtures.log_density(mixture, offsets.flatten(0, 1)) * drawn).sum()
        return offset - (mixtures.log_pen(mixture, flat) * real.flatten()).sum(), pixel


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the matrix products and convolutions that run, by shapes."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls: Counter[Any] = Counter()
        self.samples: dict[Any, tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket.__name__ in PRODUCTS:
            key = (func, *(_shape(a) for a in args))
            self.calls[key] += 1
            if key not in self.samples:
                copies = tuple(_copied(a) for a in args)
                self.samples[key] = (func, copies, dict(kwargs or {}))
        return func(*args, **(kwargs or {}))


def _shape(value: Any) -> Any:
    if isinstance(value, Tensor):
        return tuple(value.shape), value.stride(), value.dtype
    return tuple(value) if isinstance(value, list) else value


def _copied(value: Any) -> Any:
    if not isinstance(value, Tensor):
        return value
    copy = torch.empty_strided(value.shape, value.stride(), dtype=value.dtype)
    return copy.normal_()


def limit_share(fast: Ours) -> tuple[float, float]:
    """Time of a step's products run by themselves, over the time of the step; and the step's operations."""
    from torch.utils.flop_counter import FlopCounterMode

    shares, flops = [], 0.0
    for step in range(WARM, WARM + 3):
        batch = Tensors.of(fast.loader.batch(step))
        with _Recorder() as recorder:
            fast.step(batch)
        with FlopCounterMode(display=False) as counter:
            fast.step(batch)
        flops = float(counter.get_total_flops())
        whole = median_seconds(partial(fast.step, batch), runs=3)
        with torch.no_grad():
            alone = sum(
                count * median_seconds(partial(func, *args, **kwargs))
                for count, (func, args, kwargs) in (
                    (count, recorder.samples[key]) for key, count in recorder.calls.items()
                )
            )
        shares.append(alone / whole)
    return statistics.median(shares), flops


def equal_losses(settings: TrainSettings, sketches: SketchSet, spec: SequenceSpec, precision: str) -> None:
    """Both ways on the same sketches from the same weights."""
    still = replace(
        settings,
        model=replace(settings.model, recurrent_keep=1.0, sample_z=False),
        batch=replace(settings.batch, augment=STILL, size=min(32, settings.batch.size)),
    )
    ours, plain = Ours(still, sketches, spec, precision), Plain(still, sketches, spec)
    print(f"the same {still.batch.size} sketches a step, the same weights: nats a row of ours, of the plain way")
    for step in range(EQUAL_STEPS):
        batch = ours.loader.batch(step)
        seeds = np.zeros(len(batch.indices), np.uint64)
        print(f"  step {step}: {ours.step(Tensors.of(batch)):.4f}  {plain.step(batch.indices, STILL, seeds):.4f}")


def decoders(settings: TrainSettings, sketches: SketchSet, spec: SequenceSpec, precision: str) -> None:
    """A step of each decoder of the same width, against the plain LSTM's."""
    times = {}
    for kind in ("lstm", "layer_norm", "hyper"):
        changed = replace(settings, model=replace(settings.model, decoder=kind))
        times[kind] = statistics.median(Ours(changed, sketches, spec, precision).timed(8, 3)[0])
    parts = [f"{kind} {seconds * 1e3:.0f} ms ({seconds / times['lstm']:.1f})" for kind, seconds in times.items()]
    print(f"a step by decoder, and over the LSTM's: {', '.join(parts)}")


if __name__ == "__main__":
    main()
