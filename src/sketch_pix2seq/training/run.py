"""A whole run: train, show pictures on the way, end with a model folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import PartialState

from sketch_pix2seq import __version__
from sketch_pix2seq.data.batches import BatchSettings, usable
from sketch_pix2seq.data.store import SPLITS, SketchSet
from sketch_pix2seq.drawing.model import Model
from sketch_pix2seq.drawing.runtime import TorchRuntime
from sketch_pix2seq.errors import FileError, FormatError
from sketch_pix2seq.files import locked
from sketch_pix2seq.machine import machine
from sketch_pix2seq.model.export import write_flow, write_folder
from sketch_pix2seq.model.folder import CHECKPOINT, RUN_MODEL, ModelInfo
from sketch_pix2seq.model.network import Network
from sketch_pix2seq.plain import from_plain
from sketch_pix2seq.sequence import SequenceSpec
from sketch_pix2seq.sheet import Cell, Row, write_sheet
from sketch_pix2seq.training.checkpoint import Progress, check_tensors, load_checkpoint
from sketch_pix2seq.training.flow import FlowStep, train_flow
from sketch_pix2seq.training.loop import Report, Say, average_of, check_set, known_categories, train
from sketch_pix2seq.training.settings import TrainSettings
from sketch_pix2seq.training.tuning import Base, load_base

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
    on_flow: Callable[[FlowStep], None] | None = None,
) -> Path:
    """Train on a set into ``out``, or go on with the run that is there; the model folder ``out/model``.

    Validations write ``out/sheets/step-N.png``, people's sketches beside their redrawings, or, of a model without an
    encoder, beside what it draws from nothing. start_from: "bundled", a
    model folder or a name on the Hub, whose weights and offset scale the run begins with; its network settings must be
    those of ``settings``, and its categories stay the model's first. say: see `train`. on_flow: told of the flow's
    steps. Raises FileError where another process is training into ``out``.
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

    with locked(out) if is_main_process() else nullcontext():
        network, progress, main = train(
            data, out, settings, report=report, on_validation=on_validation, base=base, say=say
        )
        if not main:
            return out / RUN_MODEL
        record = training_record(sketches, settings, progress)
        info = ModelInfo(network.settings, network.sequence, known_categories(sketches, base), record)
        if say is not None and settings.flow.steps and settings.model.unit_code:
            say("the network is trained; now the flow over its codes")
        return write_model(out / RUN_MODEL, network, info, data, settings, base, out, on_flow)


def export_run(run_folder: Path, out: Path, data: Path) -> Path:
    """The model folder of a run as its last checkpoint has it, finished or not, without a flow.

    Raises FileError where there is no checkpoint.
    """
    network, info = load_run(run_folder, data)
    return write_folder(out, network, info.categories, info.training)


def write_model(
    folder: Path,
    network: Network,
    info: ModelInfo,
    data: Path,
    settings: TrainSettings,
    base: Base | None,
    run_folder: Path,
    on_flow: Callable[[FlowStep], None] | None = None,
) -> Path:
    """Write the model folder of a run; train the flow over its codes, where its settings ask for one."""
    write_folder(folder, network, info.categories, info.training)
    if settings.flow.steps and network.settings.unit_code:
        flow, record = train_flow(
            network, data, run_folder, settings.flow, categories=info.categories, base=base, report=on_flow
        )
        write_flow(folder, flow, record)
    return folder


def load_run(run_folder: Path, data: Path) -> tuple[Network, ModelInfo]:
    """The network of a run with its averaged weights as its last checkpoint has them, trained on the set ``data``.

    Raises FileError where there is no checkpoint.
    """
    checkpoint = run_folder / CHECKPOINT
    if not checkpoint.exists():
        raise FileError(checkpoint, "no checkpoint there; give the folder that `train --out` wrote")
    tensors, progress, plain = load_checkpoint(checkpoint)
    try:
        settings = from_plain(TrainSettings, plain)
    except ValueError as error:
        raise FormatError(checkpoint, f"its settings are not those of this version ({error})") from error
    sketches = SketchSet.open(data)
    check_set(progress, sketches, run_folder)
    before = tuple(map(str, progress.started_from.get("categories", [])))
    categories = (*before, *(name for name in sketches.categories if name not in before))
    network = Network(settings.model, SequenceSpec(settings.model.start, progress.scale), len(categories))
    check_tensors(checkpoint, tensors, network)
    network.load_state_dict(average_of(tensors))
    record = training_record(sketches, settings, progress)
    return network.eval(), ModelInfo(network.settings, network.sequence, categories, record)


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
        "drawings": {name: len(sketches.indices("train", name)) for name in sketches.categories},
        "validation": progress.history[-1] if progress.history else {},
        "settings": asdict(settings),
        **({"started_from": progress.started_from} if progress.started_from else {}),
    }


def validation_sheet(network: Network, sketches: Sequence[Any], path: Path, title: str) -> None:
    """One sheet: each sketch and several redrawings of its code, or drawings from nothing."""
    unknown = network.condition.unknown if network.condition else 1
    model = Model(TorchRuntime(network, ModelInfo(network.settings, network.sequence, ("",) * unknown)))
    if model.has_encoder:
        drawn = model.draw_codes(model.encode_sketches(sketches), _SHEET_SAMPLES)
    else:
        drawn = [model.generate(None, _SHEET_SAMPLES, seed=seed) for seed in range(len(sketches))]
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
