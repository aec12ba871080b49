"""A whole run: train, show pictures on the way, end with a model folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import PartialState

from sketch_pix2seq import __version__
from sketch_pix2seq.data.store import SPLITS, SketchSet
from sketch_pix2seq.drawing.model import DrawSettings, Model
from sketch_pix2seq.drawing.runtime import TorchRuntime
from sketch_pix2seq.errors import FileError
from sketch_pix2seq.machine import machine
from sketch_pix2seq.model.export import load_network, write_folder
from sketch_pix2seq.model.folder import RUN_MODEL, ModelInfo, from_plain
from sketch_pix2seq.model.network import Network
from sketch_pix2seq.sequence import SequenceSpec
from sketch_pix2seq.sheet import Cell, Row, write_sheet
from sketch_pix2seq.training.checkpoint import Progress, load_checkpoint
from sketch_pix2seq.training.loop import CHECKPOINT, Report, average_of, train
from sketch_pix2seq.training.settings import TrainSettings

SHEETS = "sheets"
_SHEET_ROWS, _SHEET_SAMPLES = 12, 5


def run(
    data: Path,
    out: Path,
    settings: TrainSettings,
    *,
    start_from: Path | None = None,
    report: Report | None = None,
    on_sheet: Callable[[Path], None] | None = None,
) -> Path:
    """Train on a set into ``out``, or go on with the run that is there; the model folder ``out/model``.

    Validations write ``out/sheets/step-N.png``, people's sketches beside their redrawings. start_from: a model folder
    whose weights and offset scale the run begins with; its network settings must be those of ``settings``.
    """
    sketches = SketchSet.open(data)
    shown = _shown(sketches, settings.batch.max_points)
    weights, scale = None, None
    if start_from is not None:
        network, info = load_network(start_from)
        weights, scale = network.state_dict(), info.sequence.scale

    def on_validation(network: Network, progress: Progress, step: int) -> None:
        path = out / SHEETS / f"step-{step:07d}.png"
        path.parent.mkdir(exist_ok=True)
        validation_sheet(network, [sketches[i] for i in shown], path, f"step {step}")
        if on_sheet is not None:
            on_sheet(path)

    network, progress, main = train(
        data, out, settings, report=report, on_validation=on_validation, weights=weights, scale=scale
    )
    if main:
        write_folder(out / RUN_MODEL, network, sketches.categories, training_record(sketches, settings, progress))
    return out / RUN_MODEL


def export_run(run_folder: Path, out: Path, data: Path) -> Path:
    """The model folder of a run as its last checkpoint has it, finished or not.

    Raises FileError where there is no checkpoint.
    """
    network, info = load_run(run_folder, data)
    return write_folder(out, network, info.categories, info.training)


def load_run(run_folder: Path, data: Path) -> tuple[Network, ModelInfo]:
    """The network of a run with its averaged weights as its last checkpoint has them, trained on the set ``data``.

    Raises FileError where there is no checkpoint.
    """
    checkpoint = run_folder / CHECKPOINT
    if not checkpoint.exists():
        raise FileError(checkpoint, "no checkpoint there; give the folder that `train --out` wrote")
    tensors, progress, plain = load_checkpoint(checkpoint)
    settings = from_plain(TrainSettings, plain)
    sketches = SketchSet.open(data)
    network = Network(settings.model, SequenceSpec(settings.model.start, progress.scale))
    network.load_state_dict(average_of(tensors))
    record = training_record(sketches, settings, progress)
    return network.eval(), ModelInfo(network.settings, network.sequence, sketches.categories, record)


def is_main_process() -> bool:
    """Whether this process, of those that train together, is the one that speaks and writes."""
    return bool(PartialState().is_main_process)


def training_record(sketches: SketchSet, settings: TrainSettings, progress: Progress) -> dict[str, Any]:
    """What a model folder keeps of its training."""
    return {
        "package": __version__,
        "torch": torch.__version__,
        "machine": machine(torch.get_num_threads()),
        "steps": progress.step,
        "minutes": round(progress.seconds / 60, 1),
        "skipped_steps": progress.skipped,
        "sketches": {split: int((sketches.split_ids == i).sum()) for i, split in enumerate(SPLITS)},
        "validation": progress.history[-1] if progress.history else {},
        "settings": asdict(settings),
    }


def validation_sheet(network: Network, sketches: Sequence[Any], path: Path, title: str) -> None:
    """One sheet: each sketch and several redrawings at temperature 0.2, as they come."""
    runtime = TorchRuntime(network, ModelInfo(network.settings, network.sequence))
    drawn = Model(runtime).draw_all(sketches, _SHEET_SAMPLES, settings=DrawSettings(candidates=1))
    rows = [
        Row(sketch.category or "", [Cell(sketch), *(Cell(drawing) for drawing in drawings)])
        for sketch, drawings in zip(sketches, drawn, strict=True)
    ]
    write_sheet(path, rows, title=title, columns=("people's", *(str(i + 1) for i in range(_SHEET_SAMPLES))))


def _shown(sketches: SketchSet, max_points: int) -> list[int]:
    """The same few validation sketches every time, spread over the categories."""
    rng = np.random.default_rng(0)
    valid = sketches.indices("valid")
    valid = valid[sketches.lengths[valid] <= max_points]
    by_category = [valid[sketches.category_ids[valid] == c] for c in range(len(sketches.categories))]
    filled = [members for members in by_category if len(members)]
    if not filled:
        return []
    picked: list[int] = []
    for c in np.linspace(0, len(filled) - 1, _SHEET_ROWS).round().astype(int):
        choice = int(rng.choice(filled[c]))
        if choice not in picked:
            picked.append(choice)
    return picked
