"""Training the flow over codes; see `model.flow`. It learns from the codes of the training drawings, augmented, and
from those of their beginnings."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from sketch_pix2seq.data.batches import AugmentSettings, BatchSettings, collate, usable
from sketch_pix2seq.data.store import Points, SketchSet, Split
from sketch_pix2seq.errors import SettingsError
from sketch_pix2seq.files import replacing
from sketch_pix2seq.model.flow import Flow
from sketch_pix2seq.model.network import Network
from sketch_pix2seq.sequence import SequenceSpec, frame_of, mixed, uniform
from sketch_pix2seq.sketch import FloatArray
from sketch_pix2seq.training.checkpoint import (
    Progress,
    check_tensors,
    load_checkpoint,
    optimiser_tensors,
    restore_optimiser,
    save_checkpoint,
)
from sketch_pix2seq.training.loop import average_weights, deferred_stop, fast_precision, named
from sketch_pix2seq.training.settings import FlowTrainSettings
from sketch_pix2seq.training.tuning import REHEARSED, Base, grown

CHECKPOINT, CODES = "flow.checkpoint.safetensors", "flow.codes.safetensors"
_SPREAD = 1.2
"""Standard deviation of the logit of the times t (logit-normal, Esser et al. 2024)."""
_STARTED, _ALL_OF_IT = 0.3, 0.15
"""Share of the codes that come with the strokes that are there; of these, share in which nothing is missing."""
_UNTOLD = 0.15
"""Share of the codes whose category is not told, for guidance."""
_FINISHED = 0.1
"""Weight of the loss of what is finished."""
_BEGINNINGS = 3.4
"""Started drawings for each finished one that completion is asked of, as what is finished takes them to be."""
_AT_ONCE = 256
"""Sketches encoded together."""


class Codes(NamedTuple):
    """n drawings encoded: the codes of the wholes and of their beginnings ``(n, z)``, where these lie in the wholes
    ``(n, FRAME)``, and the categories ``(n,)``."""

    whole: FloatArray
    partial: FloatArray
    frame: FloatArray
    category: NDArray[np.int64]


@dataclass(frozen=True)
class FlowStep:
    """Where the training of a flow is."""

    step: int
    steps: int
    loss: float
    """Mean squared error of the velocities since the last report."""
    valid: float | None
    """That of the validation drawings' codes."""
    rate: float
    """Codes a second."""


@torch.no_grad()
def encode_set(
    network: Network,
    sketches: SketchSet,
    split: Split,
    settings: FlowTrainSettings,
    on_progress: Callable[[int, int], None] | None = None,
) -> Codes:
    """The codes of a split: of training sketches, ``settings.codes`` draws, each augmented in its own way; of others,
    each sketch once.

    on_progress: called with sketches encoded and in all.
    """
    network.eval()
    indices = usable(sketches, split, BatchSettings())
    training = split == "train"
    if training:
        counts = np.bincount(sketches.category_ids[indices])[sketches.category_ids[indices]].astype(np.float64)
        weights = counts ** (settings.balance - 1)
        indices = np.random.default_rng(settings.seed).choice(indices, settings.codes, p=weights / weights.sum())
    parts: list[Codes] = []
    for begin in range(0, len(indices), _AT_ONCE):
        chosen = indices[begin : begin + _AT_ONCE]
        places = np.arange(begin, begin + len(chosen), dtype=np.uint64)
        seeds = mixed(places + np.array([settings.seed << 40], np.uint64))
        parts.append(_encoded(network, sketches, chosen, seeds, settings.augment if training else None))
        if on_progress is not None:
            on_progress(begin + len(chosen), len(indices))
    return Codes(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _known_codes(
    network: Network,
    sketches: SketchSet,
    split: Split,
    settings: FlowTrainSettings,
    known: tuple[str, ...],
    on_progress: Callable[[int, int], None] | None = None,
) -> Codes:
    """`encode_set`, with the categories numbered as the model does."""
    codes = encode_set(network, sketches, split, settings, on_progress)
    numbers = np.array([known.index(name) for name in sketches.categories], np.int64)
    return codes._replace(category=numbers[codes.category])


def _joined(first: Codes, second: Codes) -> Codes:
    return Codes(
        np.concatenate([first.whole, second.whole]),
        np.concatenate([first.partial, second.partial]),
        np.concatenate([first.frame, second.frame]),
        np.concatenate([first.category, second.category]),
    )


def _encoded(
    network: Network,
    sketches: SketchSet,
    chosen: NDArray[np.int64],
    seeds: NDArray[np.uint64],
    augment: AugmentSettings | None,
) -> Codes:
    points = sketches.gather(chosen)
    raster = network.settings.raster
    batch, order = collate(points, SequenceSpec(), raster, augment, seeds)
    beginning = _beginnings(points, seeds)
    # The beginning is augmented as its whole is: the same seeds give the same stretch, rotation and shear.
    started, started_order = collate(beginning, SequenceSpec(), raster, augment, seeds)
    codes = []
    for ink, places in ((batch.ink, order), (started.ink, started_order)):
        with torch.autocast("cpu", torch.bfloat16, enabled=fast_precision() == "bfloat16"):
            mean, _ = network.encode(torch.from_numpy(ink).float() / 255)
        code = np.empty((len(ink), mean.shape[1]), np.float32)
        code[places] = mean.float().numpy()
        codes.append(code)
    frame = frame_of(bounds_of(beginning), bounds_of(points))
    return Codes(codes[0], codes[1], frame, sketches.category_ids[chosen].astype(np.int64))


def _beginnings(points: Points, seeds: NDArray[np.uint64]) -> Points:
    """The beginning of each sketch: some of its strokes, or some of its points; of some sketches all."""
    starts = points.starts
    share, way = uniform(seeds + np.uint64(21)), uniform(seeds + np.uint64(22))
    counts = np.diff(starts)
    last = np.maximum(2, np.ceil(share * counts)).astype(np.int64)
    last = np.minimum(last, counts)
    kept = np.where(way < _ALL_OF_IT, counts, last)
    strokes = np.flatnonzero((way >= _ALL_OF_IT) & (way < 0.6))
    for i in strokes:  # up to the end of the stroke that the cut falls in
        ends = np.flatnonzero(points.ends[starts[i] : starts[i + 1]]) + 1
        kept[i] = ends[np.searchsorted(ends, kept[i])]
    inside = np.arange(starts[-1]) - np.repeat(starts[:-1], counts) < np.repeat(kept, counts)
    begins = np.concatenate([[0], np.cumsum(kept)])
    last_points = points.ends[inside].copy()
    last_points[begins[1:] - 1] = True
    return Points(points.xy[inside], last_points, begins)


def bounds_of(points: Points) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Longest side ``(n,)`` and centre ``(n, 2)`` of the bounds of sketches."""
    low = np.minimum.reduceat(points.xy, points.starts[:-1])
    high = np.maximum.reduceat(points.xy, points.starts[:-1])
    return (high - low).max(axis=1), (low + high) / 2


def _fingerprint(network: Network, sketches: SketchSet, known: tuple[str, ...]) -> str:
    """Sixteen digits that stand for the weights of a network and for the drawings that it encodes."""
    digest = blake2b(sketches.fingerprint.encode(), digest_size=8)
    for tensor in network.state_dict().values():
        digest.update(tensor.detach().cpu().numpy().tobytes())
    digest.update(json.dumps(known).encode())
    return digest.hexdigest()


def _plain(settings: FlowTrainSettings) -> dict[str, object]:
    """What shapes the flow, as it comes out of a checkpoint; its length may change."""
    plain: dict[str, object] = json.loads(json.dumps(asdict(settings)))
    return {name: value for name, value in plain.items() if name not in ("steps", "checkpoint_minutes")}


def _kept_codes(path: Path, about: dict[str, object]) -> Codes | None:
    """The codes that an earlier call kept; None where there are none, or those of something else."""
    if not path.exists():
        return None
    try:
        with safe_open(path, "np") as file:
            if json.loads((file.metadata() or {}).get("about", "{}")) != about:
                return None
            return Codes(*(file.get_tensor(name) for name in Codes._fields))
    except (SafetensorError, OSError, ValueError):
        return None


def flow_loss(flow: Flow, codes: tuple[Tensor, Tensor, Tensor, Tensor], generator: torch.Generator | None) -> Tensor:
    """Mean squared error ``(n,)`` of the velocities at random times, of codes with what they come with.

    codes: wholes, beginnings, frames, categories, as in `Codes`. Of the frame, only where strokes are there.
    """
    whole, partial, frame, category = codes
    n = len(whole)
    t = torch.sigmoid(torch.randn(n, 1, generator=generator) * _SPREAD)
    started = (torch.rand(n, 1, generator=generator) < _STARTED).float()
    told = torch.rand(n, generator=generator) >= _UNTOLD
    category = torch.where(told, category, flow.unknown)
    x = torch.cat([whole, frame * started], dim=1)
    noise = torch.randn(x.shape, generator=generator)
    velocity = flow((1 - t) * x + t * noise, t, category, partial, started).float()
    error = (velocity - (noise - x)).square()
    z = whole.shape[1]
    loss: Tensor = (error[:, :z].sum(dim=1) + error[:, z:].sum(dim=1) * started[:, 0]) / z
    return loss


def finished_loss(flow: Flow, codes: tuple[Tensor, Tensor, Tensor, Tensor]) -> Tensor:
    """Cross-entropy ``(n,)`` of what the flow says of wholes and of beginnings, which now and then are all of it."""
    whole, partial, _, category = codes
    category = torch.where(torch.rand(len(whole)) < 0.5, category, flow.unknown)
    all_of_it = ((whole - partial).abs().amax(dim=1) < 1e-3).float()
    of_whole, of_partial = (flow.finished(category, code).float() for code in (whole, partial))
    wrong = F.binary_cross_entropy_with_logits(of_partial, all_of_it, reduction="none")
    loss: Tensor = F.softplus(-of_whole) + _BEGINNINGS * wrong
    return loss


def train_flow(
    network: Network,
    data: Path,
    out: Path,
    settings: FlowTrainSettings = FlowTrainSettings(),
    *,
    categories: tuple[str, ...] = (),
    base: Base | None = None,
    report: Callable[[FlowStep], None] | None = None,
    on_encoding: Callable[[int, int], None] | None = None,
) -> tuple[Flow, dict[str, object]]:
    """Train a flow over a network's codes of a set, or continue the training that ``out`` holds, to the end.

    categories: what the model numbers them as, those of the set unless given. base: the model that the run began with;
    its flow goes on learning, from what was rehearsed too. Gives the flow with its averaged weights, and its training
    record. Ctrl-C keeps what was learned. Raises SettingsError for a network whose codes are not of unit variance, or
    where ``out`` holds the training of a flow with other settings.
    """
    if not network.settings.unit_code:
        raise SettingsError("a flow needs codes of unit variance (model.unit_code)")
    sketches = SketchSet.open(data)
    known = categories or sketches.categories
    out.mkdir(parents=True, exist_ok=True)
    about: dict[str, object] = {"of": _fingerprint(network, sketches, known), "settings": _plain(settings)}
    train = _kept_codes(out / CODES, about)
    if train is None:
        train = _known_codes(network, sketches, "train", settings, known, on_encoding)
        with replacing(out / CODES) as part:
            arrays = {name: np.ascontiguousarray(value) for name, value in train._asdict().items()}
            save_file(arrays, part, {"about": json.dumps(about)})
    valid = _known_codes(network, sketches, "valid", settings, known) if len(sketches.indices("valid")) else None
    if base is not None and (out / REHEARSED).exists():
        train = _joined(train, _known_codes(network, SketchSet.open(out / REHEARSED), "train", settings, known))
    torch.manual_seed(settings.seed)
    flow = Flow(network.settings.z_size, len(known), settings.network)
    if base is not None and base.flow is not None:
        flow.load_state_dict(grown(base.flow, len(known)))
    names = [name for name, _ in flow.named_parameters()]
    optimiser = torch.optim.AdamW(
        flow.parameters(), settings.learning_rate, weight_decay=settings.weight_decay, fused=True
    )
    average = {name: value.detach().clone() for name, value in flow.state_dict().items()}
    progress, path = Progress(), out / CHECKPOINT
    if path.exists():
        before, then, told = load_checkpoint(path)
        if told.get("of") == about["of"]:  # that of another network, or set, begins anew
            if told.get("settings") != about["settings"]:
                raise SettingsError(f"{path} is of a flow with other settings; delete it, or give the same")
            check_tensors(path, before, flow)
            progress = then
            flow.load_state_dict(named(before, "network."))
            average = named(before, "average.")
            restore_optimiser(optimiser, names, before)
    bfloat16 = fast_precision() == "bfloat16"
    began, saved, lap, seen = time.monotonic() - progress.seconds, time.monotonic(), time.monotonic(), 0
    losses: list[float] = []

    def save() -> None:
        nonlocal saved
        progress.seconds, saved = time.monotonic() - began, time.monotonic()
        tensors = {f"network.{k}": v for k, v in flow.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in average.items()}
        save_checkpoint(path, tensors | optimiser_tensors(optimiser, names), progress, about)

    interrupted, restore = deferred_stop()
    try:
        for step in range(progress.step, settings.steps):
            left = min(1.0, 2 * (1 - step / settings.steps))
            for group in optimiser.param_groups:
                group["lr"] = settings.learning_rate * min(1.0, (step + 1) / max(1, settings.warmup)) * left
            torch.manual_seed(settings.seed * 1_000_003 + step)
            flow.train()
            chosen = np.random.default_rng([settings.seed, step]).integers(0, len(train.category), settings.batch)
            with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
                tensors = _tensors(train, chosen)
                loss = flow_loss(flow, tensors, None).mean()
                whole = finished_loss(flow, tensors).mean()
            optimiser.zero_grad(set_to_none=True)
            (loss + _FINISHED * whole).backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(flow.parameters(), 1.0)
            optimiser.step()
            average_weights(average, flow, settings.average, step)
            progress.step, seen = step + 1, seen + settings.batch
            losses.append(loss.item())
            if progress.step % 500 == 0 or progress.step == settings.steps:
                valid_loss = None if valid is None else validate_flow(flow, average, valid)
                figures = {} if valid_loss is None else {"valid": valid_loss}
                progress.history.append({"step": progress.step, "loss": float(np.mean(losses)), **figures})
                if report is not None:
                    rate = seen / (time.monotonic() - lap)
                    report(FlowStep(progress.step, settings.steps, float(np.mean(losses)), valid_loss, rate))
                losses, lap, seen = [], time.monotonic(), 0
            if time.monotonic() - saved > settings.checkpoint_minutes * 60 or progress.step == settings.steps:
                save()
            if interrupted:
                save()
                raise KeyboardInterrupt
    finally:
        restore()
    flow.load_state_dict(average)
    record = {
        "steps": progress.step,
        "codes": progress.step * settings.batch,
        "minutes": round(progress.seconds / 60, 1),
        "validation": progress.history[-1] if progress.history else {},
        "settings": asdict(settings),
    }
    return flow.eval(), record


@torch.no_grad()
def validate_flow(flow: Flow, weights: dict[str, Tensor], codes: Codes) -> float:
    """Mean `flow_loss` of codes with other weights, the same times and noise each time."""
    own = {name: value.clone() for name, value in flow.state_dict().items()}
    flow.load_state_dict(weights)
    flow.eval()
    generator = torch.Generator().manual_seed(1)
    loss = flow_loss(flow, _tensors(codes, np.arange(len(codes.category))), generator).mean().item()
    flow.load_state_dict(own)
    return loss


def _tensors(codes: Codes, chosen: NDArray[np.int64]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    whole, partial, frame, category = (torch.from_numpy(x[chosen]) for x in codes)
    return whole.float(), partial.float(), frame.float(), category
