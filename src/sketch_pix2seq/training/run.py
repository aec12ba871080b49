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
from sketch_pix2seq.data.batches import BatchSettings, usable
from sketch_pix2seq.data.store import SPLITS, SketchSet
from sketch_pix2seq.drawing.model import DrawSettings, Model
from sketch_pix2seq.drawing.runtime import TorchRuntime
from sketch_pix2seq.errors import FileError, missing_package
from sketch_pix2seq.machine import machine
from sketch_pix2seq.model.export import write_folder
from sketch_pix2seq.model.folder import RUN_MODEL, ModelInfo, from_plain
from sketch_pix2seq.model.network import Network
from sketch_pix2seq.sequence import SequenceSpec
from sketch_pix2seq.sheet import Cell, Row, write_sheet
from sketch_pix2seq.training.checkpoint import Progress, load_checkpoint
from sketch_pix2seq.training.loop import CHECKPOINT, Report, Say, average_of, train
from sketch_pix2seq.training.settings import TrainSettings
from sketch_pix2seq.training.tuning import load_base, prior_after

SHEETS = "sheets"
_SHEET_ROWS, _SHEET_SAMPLES = 12, 5


def run(
    data: Path,
    out: Path,
    settings: TrainSettings,
    *,
    start_from: str | Path | None = None,
    report: Report | None = None,
    on_sheet: Callable[[Path], None] | None = None,
    say: Say | None = None,
) -> Path:
    """Train on a set into ``out``, or go on with the run that is there; the model folder ``out/model``.

    Validations write ``out/sheets/step-N.png``, people's sketches beside their redrawings, or, of a model without an
    encoder, beside what it draws from nothing. start_from: "bundled", a
    model folder or a name on the Hub, whose weights and offset scale the run begins with; its network settings must be
    those of ``settings``, and its categories stay the model's first. say: see `train`.
    """
    sketches = SketchSet.open(data)
    shown = _shown(sketches, settings.batch)
    base = None if start_from is None else load_base(start_from, settings)

    def on_validation(network: Network, progress: Progress, step: int) -> None:
        path = out / SHEETS / f"step-{step:07d}.png"
        path.parent.mkdir(exist_ok=True)
        validation_sheet(network, [sketches[i] for i in shown], path, f"step {step}")
        if on_sheet is not None:
            on_sheet(path)

    network, progress, main = train(data, out, settings, report=report, on_validation=on_validation, base=base, say=say)
    if main:
        record = training_record(sketches, settings, progress)
        info = ModelInfo(network.settings, network.sequence, known_categories(sketches, progress), record)
        if say is not None:
            prior = ", and fitting the prior of its codes, which takes minutes for tens of thousands"
            say(f"writing the model{prior if settings.model.z_size else ''}")
        write_model(out / RUN_MODEL, network, info, sketches, out)
    return out / RUN_MODEL


def export_run(run_folder: Path, out: Path, data: Path) -> Path:
    """The model folder of a run as its last checkpoint has it, finished or not.

    Raises FileError where there is no checkpoint.
    """
    network, info = load_run(run_folder, data)
    return write_model(out, network, info, SketchSet.open(data), run_folder)


def write_model(folder: Path, network: Network, info: ModelInfo, sketches: SketchSet, run_folder: Path) -> Path:
    """Write the model folder of a run, and the prior of its codes, where it has any: drawing from nothing needs it.

    Raises ModelError where scikit-learn is missing; the folder is complete but for the prior then.
    """
    write_folder(folder, network, info.categories, info.training)
    model = Model(TorchRuntime(network, info))
    if not model.sees:
        return folder
    try:
        prior_after(model, sketches, info.training.get("started_from", {}), run_folder).save(folder)
    except ImportError as error:
        raise missing_package(error, f"{folder}: the model is there; its prior", "train") from error
    return folder


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
    network = Network(settings.model, SequenceSpec(settings.model.start, progress.scale), len(known_categories(sketches, progress)))
    network.load_state_dict(average_of(tensors))
    record = training_record(sketches, settings, progress)
    return network.eval(), ModelInfo(network.settings, network.sequence, known_categories(sketches, progress), record)


def known_categories(sketches: SketchSet, progress: Progress) -> tuple[str, ...]:
    """The categories of a run's model: those of the model that it began with, then the new ones of its set."""
    before: list[str] = progress.started_from.get("categories", [])
    return (*before, *(name for name in sketches.categories if name not in before))


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
        **({"started_from": progress.started_from} if progress.started_from else {}),
    }


def validation_sheet(network: Network, sketches: Sequence[Any], path: Path, title: str) -> None:
    """One sheet: each sketch and several redrawings, or drawings from nothing, at temperature 0.2, as they come."""
    model = Model(TorchRuntime(network, ModelInfo(network.settings, network.sequence)))
    settings = DrawSettings(candidates=1)
    if model.sees:
        drawn = model.draw_all(sketches, _SHEET_SAMPLES, settings=settings)
    else:
        drawn = [model.imagine(None, _SHEET_SAMPLES, seed=seed, settings=settings) for seed in range(len(sketches))]
    rows = [
        Row(sketch.category or "", [Cell(sketch), *(Cell(drawing) for drawing in drawings)])
        for sketch, drawings in zip(sketches, drawn, strict=True)
    ]
    write_sheet(path, rows, title=title, columns=("people's", *(str(i + 1) for i in range(_SHEET_SAMPLES))))


def _shown(sketches: SketchSet, settings: BatchSettings) -> list[int]:
    """The same few sketches every time, spread over the categories: of validation, or of training where it has none."""
    rng = np.random.default_rng(0)
    chosen = usable(sketches, "valid", settings)
    if not len(chosen):
        chosen = usable(sketches, "train", settings)
    by_category = [chosen[sketches.category_ids[chosen] == c] for c in range(len(sketches.categories))]
    filled = [members for members in by_category if len(members)]
    if not filled:
        return []
    picked: list[int] = []
    for c in np.linspace(0, len(filled) - 1, _SHEET_ROWS).round().astype(int):
        choice = int(rng.choice(filled[c]))
        if choice not in picked:
            picked.append(choice)
    return picked
