"""The sketch classifier: a residual CNN over ink, its training, and its one file. PyTorch is needed here."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from sketch_pix2seq.data.batches import BatchSettings, Loader
from sketch_pix2seq.data.store import SketchSet, Split
from sketch_pix2seq.drawing.recognition import METADATA
from sketch_pix2seq.errors import SettingsError
from sketch_pix2seq.evaluation.settings import ClassifierSettings
from sketch_pix2seq.files import replacing
from sketch_pix2seq.machine import machine
from sketch_pix2seq.model.export import save_graph
from sketch_pix2seq.sequence import SequenceSpec
from sketch_pix2seq.training.checkpoint import (
    Progress,
    load_checkpoint,
    optimiser_tensors,
    restore_optimiser,
    save_checkpoint,
)
from sketch_pix2seq.training.loop import average_weights, deferred_stop, fast_precision, named

LabelledInk = tuple[NDArray[np.uint8], NDArray[np.int64]]
"""Ink ``(n, size, size)`` and labels ``(n,)``."""


class SketchClassifier(nn.Module):
    """Four stages of residual 3x3 convolutions, each half as large and twice as wide as the last; mean; linear."""

    def __init__(self, classes: int, width: int = 32, blocks: int = 1, dropout: float = 0.2) -> None:
        super().__init__()
        widths = (1, width, 2 * width, 4 * width, 8 * width)
        stages: list[nn.Module] = []
        for stage, (a, b) in enumerate(pairwise(widths)):
            stages.append(_Down(a, b))
            # The first stage has the most pixels and the least to say.
            stages += [_Residual(b) for _ in range(blocks if stage else 0)]
        self.stages = nn.Sequential(*stages)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(widths[-1], classes)

    def forward(self, ink: Tensor) -> tuple[Tensor, Tensor]:
        """Ink ``(n, size, size)`` in 0..1 -> logits ``(n, classes)`` and features ``(n, 8 width)``."""
        x = self.stages(ink[:, None].contiguous(memory_format=torch.channels_last))
        features = x.mean(dim=(2, 3))
        return self.head(self.dropout(features)), features


class _Down(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return F.silu(self.norm(self.convolution(x)))


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(channels)
        self.second = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(channels)
        nn.init.zeros_(self.second_norm.weight)

    def forward(self, x: Tensor) -> Tensor:
        y = F.silu(self.first_norm(self.first(x)))
        out: Tensor = F.silu(x + self.second_norm(self.second(y)))
        return out


@dataclass(frozen=True)
class Step:
    """Where a fit is."""

    step: int
    steps: int
    loss: float
    rate: float
    """Sketches a second."""


def fit(
    network: SketchClassifier,
    batches: Iterator[LabelledInk],
    settings: ClassifierSettings,
    *,
    checkpoint: Path | None = None,
    categories: tuple[str, ...] = (),
    report: Callable[[Step], None] | None = None,
) -> float:
    """Train a network in place to the end, from the step that a checkpoint holds; gives the seconds it took in all.

    batches: must begin at that step (`resumed_step`). The weights at the end are their running average.
    """
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    names = [name for name, _ in network.named_parameters()]
    decayed = [p for p in network.parameters() if p.dim() > 1]
    plain = [p for p in network.parameters() if p.dim() <= 1]
    groups = [{"params": decayed, "weight_decay": settings.weight_decay}, {"params": plain, "weight_decay": 0.0}]
    ordered = {id(p): name for name, p in zip(names, network.parameters(), strict=True)}
    names = [ordered[id(p)] for p in [*decayed, *plain]]
    optimiser = torch.optim.AdamW(groups, settings.learning_rate, fused=True)
    progress = Progress()
    average = {name: value.detach().clone() for name, value in network.state_dict().items()}
    about: dict[str, object] = {"settings": asdict(settings), "categories": list(categories)}
    if checkpoint is not None and checkpoint.exists():
        tensors, progress, before = load_checkpoint(checkpoint)
        _same_run(before, about, checkpoint)
        network.load_state_dict(named(tensors, "network."))
        average = named(tensors, "average.")
        restore_optimiser(optimiser, names, tensors)
    bfloat16 = fast_precision() == "bfloat16"
    began, saved = time.monotonic() - progress.seconds, time.monotonic()

    def save() -> None:
        nonlocal saved
        progress.seconds = time.monotonic() - began
        if checkpoint is not None:
            tensors = {f"network.{k}": v for k, v in network.state_dict().items()}
            tensors |= {f"average.{k}": v for k, v in average.items()}
            save_checkpoint(checkpoint, tensors | optimiser_tensors(optimiser, names), progress, about)
        saved = time.monotonic()

    interrupted, restore = deferred_stop()
    lap, seen = time.monotonic(), 0
    try:
        for step in range(progress.step, settings.steps):
            warm = min(1.0, (step + 1) / max(1, settings.warmup))
            for group in optimiser.param_groups:
                group["lr"] = settings.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * step / settings.steps))
            ink, labels = next(batches)
            torch.manual_seed(settings.seed * 1_000_003 + step)
            network.train()
            pixels = torch.from_numpy(ink).float() / 255
            pixels = torch.where(torch.rand(len(pixels), 1, 1) < 0.5, pixels.flip(2), pixels)
            with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
                logits, _ = network(pixels)
            loss = F.cross_entropy(logits.float(), torch.from_numpy(labels), label_smoothing=settings.smoothing)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            average_weights(average, network, settings.average, step)
            progress.step = step + 1
            seen += len(labels)
            if report is not None and (progress.step % 10 == 0 or progress.step == settings.steps):
                now = time.monotonic()
                report(Step(progress.step, settings.steps, float(loss.detach()), seen / (now - lap)))
                lap, seen = now, 0
            if time.monotonic() - saved > settings.checkpoint_minutes * 60 or progress.step == settings.steps:
                save()
            if interrupted:
                save()
                raise KeyboardInterrupt
    finally:
        restore()
    network.load_state_dict(average)
    network.eval()
    return progress.seconds


def resumed_step(checkpoint: Path) -> int:
    """The step from which a fit goes on; 0 where there is no checkpoint."""
    return load_checkpoint(checkpoint)[1].step if checkpoint.exists() else 0


def train_classifier(
    data: Path,
    out: Path,
    settings: ClassifierSettings = ClassifierSettings(),
    *,
    report: Callable[[Step], None] | None = None,
) -> tuple[Path, float]:
    """Train a classifier on the training split of a set; ``out`` is its file, ``out`` + ".checkpoint" lies beside.

    A run that was stopped goes on. Gives the file and its accuracy on the test split (validation, where there is no
    test split). Raises DataError for a set that cannot be used, SettingsError where another run lies there.
    """
    sketches = SketchSet.open(data)
    if len(sketches.categories) < 2:
        raise SettingsError(f"{data} has one category; a classifier needs at least two")
    checkpoint = out.with_name(out.name + ".checkpoint")
    loader = _loader(sketches, "train", settings)
    torch.manual_seed(settings.seed)
    network = SketchClassifier(len(sketches.categories), settings.width, settings.blocks, settings.dropout)
    start = resumed_step(checkpoint)
    out.parent.mkdir(parents=True, exist_ok=True)
    stream = loader.stream(start, settings.steps)
    batches = ((batch.ink, batch.categories) for batch in stream)
    try:
        seconds = fit(network, batches, settings, checkpoint=checkpoint, categories=sketches.categories, report=report)
    finally:
        stream.close()
    split: Split = "test" if len(sketches.indices("test")) else "valid"
    accuracy = _accuracy(network, _loader(sketches, split, settings)) if len(sketches.indices(split)) else math.nan
    record = {
        "machine": machine(torch.get_num_threads()),
        "minutes": round(seconds / 60, 1),
        "sketches": len(sketches.indices("train")),
        "accuracy": round(accuracy, 5),
        "split": split,
        "settings": asdict(settings),
    }
    about = {"categories": sketches.categories, "raster": asdict(settings.raster), "record": record}
    with replacing(out) as part:
        example = torch.rand(2, settings.raster.size, settings.raster.size)
        save_graph(network, (example,), ["ink"], ["logits", "features"], part, {METADATA: json.dumps(about)})
    return out, accuracy


def _loader(sketches: SketchSet, split: Split, settings: ClassifierSettings) -> Loader:
    batch = BatchSettings(
        size=settings.batch, max_points=10**6, balance=settings.balance, bucket=1, augment=settings.augment
    )
    training = split == "train"
    return Loader(sketches, split, SequenceSpec(), settings.raster, batch, training=training, seed=settings.seed)


@torch.no_grad()
def _accuracy(network: SketchClassifier, loader: Loader) -> float:
    right, seen = 0, 0
    for batch in loader.stream(0, loader.batches_per_epoch):
        logits, _ = network(torch.from_numpy(batch.ink).float() / 255)
        right += int((logits.argmax(1).numpy() == batch.categories).sum())
        seen += len(batch.categories)
    return right / seen


def _same_run(before: dict[str, object], now: dict[str, object], checkpoint: Path) -> None:
    free = {"checkpoint_minutes"}
    plain = json.loads(json.dumps(now))
    settings, old = plain["settings"], before.get("settings")
    changed = [k for k in settings if not isinstance(old, dict) or (k not in free and old.get(k) != settings[k])]
    if before.get("categories") != plain["categories"]:
        changed.append("categories")
    if changed:
        raise SettingsError(
            f"{checkpoint} is of a run with other settings ({', '.join(changed)}); delete it, or give another --out"
        )
