"""Runs a reproduction: trains, tests and charts every model of its plan, or goes on where it was stopped."""

from __future__ import annotations

import shutil
import time
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq import __version__
from sketch_pix2seq.data.store import SPLITS, SketchSet, SketchSetWriter
from sketch_pix2seq.drawing.model import DrawSettings, Model
from sketch_pix2seq.errors import SettingsError
from sketch_pix2seq.evaluation.experiments import (
    BATCH,
    CONTENDERS,
    CURVE,
    EVALUATION,
    EVALUATION_SHARE,
    LATENT,
    LEAST_STEPS,
    MAP,
    MAP_SHARE,
    MOST_SKETCHES,
    PEOPLE,
    PLAN,
    PROBE_SHARE,
    REDRAWN,
    SHOWN,
    TEMPERATURE,
    WORTHWHILE,
    Contender,
    Experiment,
    Plan,
    ReproduceSettings,
    Speed,
    choose_experiments,
    crossed_name,
    fitted_settings,
    load_plan,
    result_folder,
    run_folder,
    save_plan,
    training_settings,
)  # fmt: skip
from sketch_pix2seq.evaluation.latent import MOST, latent_figures, latent_map, save_latent, write_map
from sketch_pix2seq.evaluation.results import Evaluation, save_evaluation
from sketch_pix2seq.evaluation.settings import EvaluateSettings
from sketch_pix2seq.evaluation.statistics import spread
from sketch_pix2seq.files import write_whole
from sketch_pix2seq.formats import write_sketches
from sketch_pix2seq.machine import machine
from sketch_pix2seq.training.settings import TrainSettings

# -- the parts that a test replaces -----------------------------------------------------------------------


@dataclass(frozen=True)
class Trial:
    """What one evaluation is told."""

    name: str
    limit: int
    likeness: bool
    seed: int


class TrainingLine(Protocol):
    """What of `training.loop.Line` is used here."""

    @property
    def step(self) -> int: ...
    @property
    def steps(self) -> int: ...
    @property
    def nats(self) -> float: ...


OnLine = Callable[[Any], None]
OnProgress = Callable[[str, int, int], None]
"""What is being done, how much of it is done, and how much there is."""


def _train(data: Path, run: Path, settings: TrainSettings, on_line: OnLine) -> None:
    from sketch_pix2seq.training.loop import train

    train(data, run, settings, report=on_line)


def _measure(data: Path, scratch: Path, settings: TrainSettings, seconds: float) -> Speed:
    """Time the first steps of a training, after two to warm up, for about so many seconds."""
    from sketch_pix2seq.data.batches import Loader
    from sketch_pix2seq.sequence import SequenceSpec
    from sketch_pix2seq.training.loop import Line, train

    ends: list[float] = []

    def watch(line: Line) -> None:
        ends.append(time.monotonic())
        if len(ends) >= 4 and ends[-1] - ends[1] > seconds:
            raise _EnoughError

    began = time.monotonic()
    with suppress(_EnoughError):
        train(data, scratch, replace(settings, log_every=1, steps=1000, validate_every=1000), report=watch)
    sketches = SketchSet.open(data)
    sequence, raster = SequenceSpec(settings.model.start), settings.model.raster
    loader = Loader(sketches, "train", sequence, raster, settings.batch, training=True, seed=settings.seed)
    points = sum(int(sketches.lengths[loader.batch(step).indices].sum()) for step in range(2, len(ends)))
    return Speed((ends[-1] - ends[1]) / points, ends[0] - began)


class _EnoughError(Exception):
    """Ends a training whose speed is known."""


def _load(run: Path, data: Path) -> Model:
    import torch

    from sketch_pix2seq.drawing.runtime import TorchRuntime
    from sketch_pix2seq.training.run import load_run

    network, info = load_run(run, data)
    return Model(TorchRuntime(network.to("cuda" if torch.cuda.is_available() else "cpu"), info))


def _evaluate(
    model: Model, sketches: SketchSet, trial: Trial, on_progress: Callable[[str, int, int], None] | None
) -> Evaluation:
    from sketch_pix2seq.evaluation.evaluate import evaluate

    settings = EvaluateSettings(
        temperature=TEMPERATURE,
        freedoms=(0.0,),
        inputs=trial.limit if trial.likeness else 0,
        samples=1,
        twins=0,
        scale=False,
        damages=(),
        limit=trial.limit,
        seed=trial.seed,
    )
    return evaluate(model, sketches, settings, name=trial.name, on_progress=on_progress)


def _chart(
    results: Path, codes: NDArray[np.floating], labels: NDArray[np.integer], names: Sequence[str], seed: int
) -> None:
    save_latent(latent_figures(codes, labels, seed), results / LATENT)
    write_map(results / MAP, latent_map(codes, seed), labels, names)


@dataclass(frozen=True)
class Engine:
    """The heavy parts of a reproduction."""

    train: Callable[[Path, Path, TrainSettings, OnLine], None] = _train
    """Train a set into a run folder to the end, or go on with what is there."""
    measure: Callable[[Path, Path, TrainSettings, float], Speed] = _measure
    """The speed of a training, from a set, a scratch folder, settings and seconds."""
    load: Callable[[Path, Path], Model] = _load
    """The model of a run folder that was trained on a set."""
    evaluate: Callable[[Model, SketchSet, Trial, Callable[[str, int, int], None] | None], Evaluation] = _evaluate
    chart: Callable[[Path, NDArray[np.floating], NDArray[np.integer], Sequence[str], int], None] = _chart
    """Write the latent map of codes with their categories, and its figures, into a folder of results."""
    clock: Callable[[], float] = time.monotonic


# -- the whole --------------------------------------------------------------------------------------------


def reproduce(
    data: Path,
    out: Path,
    settings: ReproduceSettings = ReproduceSettings(),
    *,
    engine: Engine = Engine(),
    on_progress: OnProgress | None = None,
) -> Plan:
    """Run the comparison into ``out``, or go on with the one that is there; `report.write_report` tells what it found.

    Raises SettingsError where ``out`` holds a reproduction with other settings or other data, DataError for a set that
    cannot be used, ModelError where a package is missing.
    """
    began = engine.clock()
    say = on_progress or (lambda *_: None)
    sketches = SketchSet.open(data)
    out.mkdir(parents=True, exist_ok=True)
    fresh = not (out / PLAN).exists()
    if fresh:
        plan = _planned(sketches, out, settings, engine, began, say)
        save_plan(plan, out)
    else:
        plan = load_plan(out)
        _same_reproduction(plan, settings, sketches, out)
    sets = {experiment.name: _own_set(sketches, experiment, out) for experiment in plan.experiments}
    work = [(experiment, contender) for experiment in plan.experiments for contender in CONTENDERS]
    for number, (experiment, contender) in enumerate(work, 1):
        _trained(plan, experiment, contender, out, sets, engine, say, f"{number} of {len(work)}")
    if not plan.sketches:
        plan = _settled(plan, out, sets, engine, engine.clock() - began if fresh else None, say)
        save_plan(plan, out)
    for number, (experiment, contender) in enumerate(work, 1):
        _evaluated(plan, experiment, contender, out, sets, engine, say, f"{number} of {len(work)}")
    return plan


def _planned(
    sketches: SketchSet, out: Path, settings: ReproduceSettings, engine: Engine, began: float, say: OnProgress
) -> Plan:
    """Measure each model's speed and choose the steps that fit."""
    experiments = choose_experiments(sketches, settings)
    budget = settings.budget * 60
    speeds = {}
    seconds = float(np.clip(PROBE_SHARE * budget / len(CONTENDERS), 2.0, 30.0))
    for done, contender in enumerate(CONTENDERS):
        say("measuring how fast each model trains here", done, len(CONTENDERS))
        scratch = out / "probe"
        shutil.rmtree(scratch, ignore_errors=True)
        try:
            fitted = fitted_settings(contender.recipe, 1000, settings.seed)
            speeds[contender.recipe] = engine.measure(sketches.path, scratch, fitted, seconds)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    mark = _mark(sketches)
    splits = {str(split): int((sketches.split_ids == i).sum()) for i, split in enumerate(SPLITS)}
    plan = Plan(
        settings, str(sketches.path), mark, splits, tuple(experiments), 0, BATCH, machine(), __version__, speeds
    )
    one_step = sum(plan.seconds_a_step(c.recipe, e) for e in experiments for c in CONTENDERS)
    starts = len(experiments) * sum(speed.start_seconds for speed in speeds.values())
    left = budget * (1 - EVALUATION_SHARE) - (engine.clock() - began) - starts
    steps = max(LEAST_STEPS, int(left / one_step))
    if steps > 200:
        steps -= steps % 10
    return replace(plan, steps=steps)


def _same_reproduction(plan: Plan, settings: ReproduceSettings, sketches: SketchSet, out: Path) -> None:
    changed = [
        f"{f.name} {getattr(plan.settings, f.name)!r} instead of {getattr(settings, f.name)!r}"
        for f in fields(ReproduceSettings)
        if getattr(plan.settings, f.name) != getattr(settings, f.name)
    ]
    if plan.data_mark != _mark(sketches):
        changed.append(f"other data ({plan.data})")
    if changed:
        raise SettingsError(f"{out} holds a reproduction with {', '.join(changed)}; give another --out for this one")


def _mark(sketches: SketchSet) -> str:
    """A checksum of what a set holds, without reading its drawings."""
    columns: list[NDArray[Any]] = [sketches.category_ids, sketches.split_ids, sketches.lengths]
    mark = zlib.crc32("\n".join(sketches.categories).encode())
    for column in columns:
        mark = zlib.crc32(np.ascontiguousarray(column).tobytes(), mark)
    return f"{len(sketches)}-{mark:08x}"


def _own_set(sketches: SketchSet, experiment: Experiment, out: Path) -> Path:
    """The set of an experiment's categories alone; written once."""
    if experiment.categories == sketches.categories:
        return sketches.path
    path = out / "data" / f"{experiment.name}.arrow"
    if not path.exists():
        ids = [sketches.categories.index(name) for name in experiment.categories]
        with SketchSetWriter(path) as writer:
            for index in np.flatnonzero(np.isin(sketches.category_ids, ids)):
                writer.add(sketches[int(index)], SPLITS[sketches.split_ids[index]])
    return path


def _trained(
    plan: Plan,
    experiment: Experiment,
    contender: Contender,
    out: Path,
    sets: dict[str, Path],
    engine: Engine,
    say: OnProgress,
    number: str,
) -> None:
    run = run_folder(out, experiment, contender.recipe)
    done = run / "done"
    if done.exists() or (result_folder(out, experiment, contender.recipe) / EVALUATION).exists():
        return
    words = f"training {contender.recipe} on {experiment.title} ({number})"
    say(words, 0, plan.steps)
    run.mkdir(parents=True, exist_ok=True)
    curve = run / CURVE

    def on_line(line: TrainingLine) -> None:
        with curve.open("a", encoding="utf-8") as file:
            file.write(f"{line.step},{line.nats:.5f}\n")
        say(words, line.step, line.steps)

    engine.train(sets[experiment.name], run, training_settings(contender.recipe, plan), on_line)
    results = result_folder(out, experiment, contender.recipe)
    results.mkdir(parents=True, exist_ok=True)
    if curve.exists():
        write_whole(results / CURVE, _curve(curve).encode())
    done.touch()


def _curve(path: Path) -> str:
    """A training curve's lines, each step once: what was trained again after an interruption counts as it was last."""
    rows = dict(line.split(",", 1) for line in path.read_text(encoding="utf-8").splitlines() if "," in line)
    steps = sorted(rows, key=int)
    return "\n".join(["step,nats", *(f"{step},{rows[step]}" for step in steps)]) + "\n"


def _settled(
    plan: Plan,
    out: Path,
    sets: dict[str, Path],
    engine: Engine,
    spent: float | None,
    say: OnProgress,
) -> Plan:
    """How many test sketches fit the rest of the budget, from the time that small evaluations take.

    spent: seconds since the start; None where the reproduction was interrupted, so that it is not known.
    """
    budget = plan.settings.budget * 60
    reserve = (EVALUATION_SHARE - MAP_SHARE) * budget
    seconds = reserve if spent is None else max(0.5 * reserve, budget * (1 - MAP_SHARE) - spent)
    experiments, last = plan.experiments, plan.experiments[-1]
    model = engine.load(run_folder(out, last, CONTENDERS[-1].recipe), sets[last.name])
    sketches = SketchSet.open(sets[last.name])
    small, large = 20, 60

    def timed(limit: int, likeness: bool) -> float:
        say("measuring how long an evaluation takes", 0, 0)
        began = engine.clock()
        engine.evaluate(model, sketches, Trial("pilot", limit, likeness, plan.settings.seed), None)
        return engine.clock() - began

    pilots = engine.clock()
    timed(small, True)  # the first one loads and compiles
    whole = timed(small, True), timed(large, True)
    light = timed(small, False), timed(large, False)
    seconds = max(0.5 * reserve, seconds - (engine.clock() - pilots))
    runs, crossings = (
        len(experiments) * len(CONTENDERS),
        len(CONTENDERS) * len(experiments) * (len(experiments) - 1) / 2,
    )

    def fitting(likeness: bool, crossed: bool) -> int:
        of_run = whole if likeness else light
        fixed, each = 0.0, 0.0
        for times, count in ((of_run, runs), (light, crossings if crossed else 0)):
            slope = max(0.0, times[1] - times[0]) / (large - small)
            each += count * slope
            fixed += count * max(0.0, times[0] - small * slope)
        return int((seconds - fixed) / max(each, 1e-6))

    likeness, crossed = True, True
    wanted = plan.settings.limit or WORTHWHILE
    for likeness, crossed in ((True, True), (True, False), (False, False)):
        if fitting(likeness, crossed) >= wanted:
            break
    sketches_used = plan.settings.limit or int(np.clip(fitting(likeness, crossed), small, MOST_SKETCHES))
    codes = int(np.clip(100 * MAP_SHARE * budget / runs, 150, MOST))
    return replace(plan, sketches=sketches_used, likeness=likeness, crossed=crossed, codes=codes)


def _evaluated(
    plan: Plan,
    experiment: Experiment,
    contender: Contender,
    out: Path,
    sets: dict[str, Path],
    engine: Engine,
    say: OnProgress,
    number: str,
) -> None:
    results = result_folder(out, experiment, contender.recipe)
    smaller = plan.experiments[: plan.experiments.index(experiment)] if plan.crossed else ()
    wanted = [results / name for name in (EVALUATION, LATENT, MAP, REDRAWN, *map(crossed_name, smaller))]
    people = result_folder(out, experiment) / PEOPLE
    if all(path.exists() for path in [*wanted, people]):
        return
    words = f"testing {contender.recipe} on {experiment.title} ({number})"
    say(words, 0, 0)
    results.mkdir(parents=True, exist_ok=True)
    model = engine.load(run_folder(out, experiment, contender.recipe), sets[experiment.name])
    seed = plan.settings.seed
    name = f"{contender.recipe}, trained on {experiment.title}"

    def on_progress(part: str, done: int, total: int) -> None:
        say(f"{words}: {part}" if part else words, done, total)

    for path, tested, likeness in (
        (results / EVALUATION, experiment, plan.likeness),
        *((results / crossed_name(each), each, False) for each in smaller),
    ):
        if not path.exists():
            trial = Trial(name, plan.sketches, likeness, seed)
            save_evaluation(engine.evaluate(model, SketchSet.open(sets[tested.name]), trial, on_progress), path)
    sketches = SketchSet.open(sets[experiment.name])
    test = sketches.indices("test")
    labels = sketches.category_ids[test].astype(np.int64)
    if not ((results / LATENT).exists() and (results / MAP).exists()):
        on_progress("latent map", 0, 0)
        chosen = spread(labels, plan.codes, seed)
        codes = model.encode_sketches([sketches[int(i)] for i in test[chosen]])
        engine.chart(results, codes, labels[chosen], sketches.categories, seed)
    if not ((results / REDRAWN).exists() and people.exists()):
        shown = [sketches[int(i)] for i in test[spread(labels, SHOWN, seed)]]
        drawn = model.draw_all(shown, seed=seed, settings=DrawSettings(TEMPERATURE, freedom=0.0))
        pairs = list(enumerate(zip(shown, drawn, strict=True)))
        write_sketches([sketch.with_(metadata={"place": place}) for place, (sketch, _) in pairs], people)
        write_sketches(
            [
                drawings[0].with_(category=sketch.category, metadata={"place": place})
                for place, (sketch, drawings) in pairs
            ],
            results / REDRAWN,
        )
