"""The paper's comparison, end to end: four models and ours, on one, five and all categories, within a time budget.

A reproduction is a folder that is filled step by step and can be left at any time:

``plan.json``               what is run: budget, steps, categories, measured speeds
``data/N.arrow``            the set of the N categories of an experiment
``runs/N/RECIPE/``          a training run: checkpoint, curve
``results/N/RECIPE/``       ``evaluation.json``, ``on-M.json`` (the same model on the sketches of a smaller experiment),
                            ``latent.json``, ``latent.png``, ``redrawn.ndjson``
``results/N/people.ndjson`` the sketches that were redrawn
``report.html`` ...         see `evaluation.report`
"""

from __future__ import annotations

import json
import shutil
import time
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq import __version__
from sketch_pix2seq.data.store import SPLITS, SketchSet, SketchSetWriter
from sketch_pix2seq.drawing.model import DrawSettings, Model
from sketch_pix2seq.errors import DataError, FileError, FormatError, SettingsError
from sketch_pix2seq.evaluation.latent import (
    MOST,
    latent_figures,
    latent_map,
    save_latent,
    write_map,
)
from sketch_pix2seq.evaluation.results import Evaluation, save_evaluation
from sketch_pix2seq.evaluation.settings import EvaluateSettings
from sketch_pix2seq.evaluation.statistics import spread
from sketch_pix2seq.files import write_whole
from sketch_pix2seq.formats import write_sketches
from sketch_pix2seq.machine import machine
from sketch_pix2seq.model.folder import from_plain
from sketch_pix2seq.recipes.catalogue import load_recipe
from sketch_pix2seq.training.settings import TrainSettings

PLAN = "plan.json"
EVALUATION, LATENT, MAP, REDRAWN, PEOPLE, CURVE = (
    "evaluation.json",
    "latent.json",
    "latent.png",
    "redrawn.ndjson",
    "people.ndjson",
    "curve.csv",
)

BATCH = 100
"""Sketches a step, for every model: the published code's."""
PUBLISHED_STEPS = 60_000
"""About how long the published curves run; the KL term's annealing is fitted to shorter runs by this."""
EVALUATION_SHARE = 0.35
"""Share of the budget that is kept for evaluation and report."""
MAP_SHARE = 0.06
"""Share of the budget, of the evaluation's, for the latent maps."""
PROBE_SHARE = 0.06
"""Share of the budget in which speeds are measured."""
TEMPERATURE = 0.2
SHOWN = 10
"""Sketches that are redrawn for the pictures of an experiment."""

_LEAST_TEST = 10
_LEAST_STEPS = 10
_WORTHWHILE, _MOST_SKETCHES = 60, 2000
"""Test sketches below which an evaluation gives up its costlier parts, and above which it gains little."""
_VERSION = 1


# -- what is compared -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Contender:
    """One of the models."""

    recipe: str
    title: str
    encoder: str
    """CNN or RNN."""
    kl: bool
    of_paper: bool = True


CONTENDERS = (
    Contender("sketch-rnn", "RNN + KL (sketch-rnn)", "RNN", True),
    Contender("rnn-no-kl", "RNN, no KL", "RNN", False),
    Contender("cnn-kl", "CNN + KL", "CNN", True),
    Contender("sketch-pix2seq", "CNN, no KL (sketch-pix2seq)", "CNN", False),
    Contender("default", "ours (not in the paper)", "CNN", False, of_paper=False),
)
"""The paper's two encoders with and without the KL term, and the default recipe."""

ONE = "pig"
SEVERAL = ("airplane", "butterfly", "fish", "giraffe", "pig")
"""The categories of the small experiments where a set has them."""


@dataclass(frozen=True)
class ReproduceSettings:
    """What a reproduction is told."""

    budget: float = 60.0
    """Minutes for everything: training, evaluation and report."""
    one: str = ""
    """The category of the smallest experiment; "" = pig, or the largest category of a set without pigs."""
    several: str = ""
    """Categories of the second experiment, separated by commas; "" = airplane, butterfly, fish, giraffe and pig, or the
    five largest."""
    limit: int = 0
    """Test sketches used of each experiment at most; 0 = as many as the budget allows."""
    seed: int = 1
    """Seed of weights, batches, drawings and maps."""

    def __post_init__(self) -> None:
        if not self.budget > 0:
            raise SettingsError("the budget must be above 0 minutes")
        if self.limit < 0 or 0 < self.limit < _LEAST_TEST:
            raise SettingsError(f"limit must be 0 or at least {_LEAST_TEST}")


@dataclass(frozen=True)
class Experiment:
    """The categories on which all models are trained and tested."""

    categories: tuple[str, ...]
    train: int
    """Training sketches."""
    test: int
    """Test sketches."""
    points: float
    """Mean points of a training sketch: what a step costs grows with it."""

    @property
    def name(self) -> str:
        """The name of its folders: how many categories it has."""
        return str(len(self.categories))

    @property
    def title(self) -> str:
        """For headings."""
        return self.categories[0] if len(self.categories) == 1 else f"{len(self.categories)} categories"


@dataclass(frozen=True)
class Speed:
    """How fast a recipe trains here."""

    seconds_a_point: float
    """Training seconds for each point of a batch."""
    start_seconds: float
    """From the start of a training to its first step."""


@dataclass(frozen=True)
class Plan:
    """What a reproduction runs, fixed at its start."""

    settings: ReproduceSettings
    data: str
    """The set, as it was named."""
    data_mark: str
    """A checksum of the set."""
    splits: dict[str, int]
    """Sketches of each split."""
    experiments: tuple[Experiment, ...]
    steps: int
    """Of every model."""
    batch: int
    machine: str
    package: str
    speeds: dict[str, Speed]
    """Of each recipe."""
    sketches: int = 0
    """Test sketches of an evaluation at most; 0 = not settled yet."""
    turing: bool = True
    """Whether there is time for the machine's Turing test."""
    crossed: bool = True
    """Whether models are tested on the sketches of the smaller experiments, too."""
    codes: int = 0
    """Codes of a latent map at most."""

    def seconds_a_step(self, recipe: str, experiment: Experiment) -> float:
        """Measured on the whole set, by the points of this experiment's sketches."""
        return self.speeds[recipe].seconds_a_point * self.batch * experiment.points


def run_folder(out: Path, experiment: Experiment, recipe: str) -> Path:
    """Folder of a training run."""
    return out / "runs" / experiment.name / recipe


def result_folder(out: Path, experiment: Experiment, recipe: str = "") -> Path:
    """Folder of what came of a run; without a recipe, of the experiment."""
    return out / "results" / experiment.name / recipe


def crossed_name(smaller: Experiment) -> str:
    """File of the figures of a model on the sketches of a smaller experiment."""
    return f"on-{smaller.name}.json"


def kl_at_the_end(steps: int) -> float:
    """eta, the factor of the KL term at the last step of a run of ``steps``, as it is trained here."""
    return _fitted("sketch-rnn", steps, 0).loss.eta(steps)


def save_plan(plan: Plan, out: Path) -> None:
    """Write ``plan.json``."""
    write_whole(out / PLAN, (json.dumps({"version": _VERSION, **asdict(plan)}, indent=1) + "\n").encode())


def load_plan(out: Path) -> Plan:
    """Read ``plan.json``. Raises FileError where there is none, FormatError for anything else."""
    path = out / PLAN
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if values.pop("version", None) != _VERSION:
            raise ValueError(f"not of version {_VERSION}")
        values["settings"] = from_plain(ReproduceSettings, values["settings"])
        values["experiments"] = tuple(
            Experiment(**{**each, "categories": tuple(each["categories"])}) for each in values["experiments"]
        )
        values["speeds"] = {recipe: Speed(**speed) for recipe, speed in values["speeds"].items()}
        return Plan(**values)
    except FileNotFoundError as error:
        raise FileError(
            out, f"no reproduction there (it has no {PLAN}); `sketch-pix2seq reproduce` makes one"
        ) from error
    except (OSError, UnicodeDecodeError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise FormatError(path, f"not the plan of a reproduction ({error}); give another --out") from error


def choose_experiments(sketches: SketchSet, settings: ReproduceSettings, max_points: int = 250) -> list[Experiment]:
    """One category, several (five unless named), and all, each within the next; fewer where a set has fewer.

    Raises DataError where a category lacks test sketches, SettingsError for one that is not there.
    """

    def experiment(categories: Sequence[str]) -> Experiment:
        ids = [sketches.categories.index(name) for name in categories]
        own = np.isin(sketches.category_ids, ids)
        train = own & (sketches.split_ids == SPLITS.index("train")) & (sketches.lengths <= max_points)
        tests = int((own & (sketches.split_ids == SPLITS.index("test"))).sum())
        if tests < _LEAST_TEST or not train.any():
            raise DataError(
                f"{sketches.path}: {_listed(categories)}: {int(train.sum())} training and {tests} test sketches; the "
                f"comparison needs some to learn from and at least {_LEAST_TEST} to test on"
            )
        points = float(sketches.lengths[train].mean())
        return Experiment(tuple(sorted(categories)), int(train.sum()), tests, points)

    known = set(sketches.categories)
    named = tuple(dict.fromkeys(word.strip() for word in settings.several.split(",") if word.strip()))
    for name in (*filter(None, [settings.one]), *named):
        if name not in known:
            from difflib import get_close_matches

            near = get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise SettingsError(
                f"{sketches.path} has no category {name!r}; {hint}it has {_listed(sketches.categories)}"
            )
    training = sketches.category_ids[sketches.split_ids == SPLITS.index("train")]
    sizes = np.bincount(training, minlength=len(known))
    largest = [sketches.categories[c] for c in np.argsort(-sizes, kind="stable")]
    one = settings.one or (ONE if ONE in (named or known) else (*named, *largest)[0])
    several = named or (SEVERAL if known.issuperset(SEVERAL) else tuple(largest[:5]))
    if one not in several:  # what the smaller experiment draws, the models of the larger one must know
        several = (one, *(named or several[:4]))
    groups: list[tuple[str, ...]] = []
    for group in ((one,), several, sketches.categories):
        if len(group) > (len(groups[-1]) if groups else 0):
            groups.append(group)
    return [experiment(group) for group in groups]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def training_settings(recipe: str, plan: Plan) -> TrainSettings:
    """A recipe as it is run here."""
    return _fitted(recipe, plan.steps, plan.settings.seed)


def _fitted(recipe: str, steps: int, seed: int) -> TrainSettings:
    """Batch, its composition, steps and seed alike for all; the KL term's annealing fitted to the length of the run.

    As published, the annealing takes tens of thousands of steps: in a short run a model "with KL" would be one without.
    """
    settings = load_recipe(recipe)
    rate = settings.loss.kl_rate ** max(1.0, PUBLISHED_STEPS / steps)
    return replace(
        settings,
        batch=replace(settings.batch, size=BATCH, balance=1.0, max_points=250),
        loss=replace(settings.loss, kl_rate=rate),
        steps=steps,
        seed=seed,
        validate_every=steps,
        validate_sketches=BATCH,
        patience=0,
        log_every=max(1, steps // 60),
    )


# -- the parts that a test replaces -----------------------------------------------------------------------


@dataclass(frozen=True)
class Trial:
    """What one evaluation is told."""

    name: str
    limit: int
    turing: bool
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
        candidates=1,
        limit=trial.limit,
        turing=trial.turing,
        temperatures=(),
        damages=(),
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
            fitted = _fitted(contender.recipe, 1000, settings.seed)
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
    steps = max(_LEAST_STEPS, int(left / one_step))
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

    def timed(limit: int, turing: bool) -> float:
        say("measuring how long an evaluation takes", 0, 0)
        began = engine.clock()
        engine.evaluate(model, sketches, Trial("pilot", limit, turing, plan.settings.seed), None)
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

    def fitting(turing: bool, crossed: bool) -> int:
        of_run = whole if turing else light
        fixed, each = 0.0, 0.0
        for times, count in ((of_run, runs), (light, crossings if crossed else 0)):
            slope = max(0.0, times[1] - times[0]) / (large - small)
            each += count * slope
            fixed += count * max(0.0, times[0] - small * slope)
        return int((seconds - fixed) / max(each, 1e-6))

    turing, crossed = True, True
    wanted = plan.settings.limit or _WORTHWHILE
    for turing, crossed in ((True, True), (True, False), (False, False)):
        if fitting(turing, crossed) >= wanted:
            break
    sketches_used = plan.settings.limit or int(np.clip(fitting(turing, crossed), small, _MOST_SKETCHES))
    codes = int(np.clip(100 * MAP_SHARE * budget / runs, 150, MOST))
    return replace(plan, sketches=sketches_used, turing=turing, crossed=crossed, codes=codes)


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

    for path, tested, turing in (
        (results / EVALUATION, experiment, plan.turing),
        *((results / crossed_name(each), each, False) for each in smaller),
    ):
        if not path.exists():
            trial = Trial(name, plan.sketches, turing, seed)
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
        drawn = model.draw_all(shown, seed=seed, settings=DrawSettings(temperature=TEMPERATURE, candidates=1))
        pairs = list(enumerate(zip(shown, drawn, strict=True)))
        write_sketches([sketch.with_(metadata={"place": place}) for place, (sketch, _) in pairs], people)
        write_sketches(
            [
                drawings[0].with_(category=sketch.category, metadata={"place": place})
                for place, (sketch, drawings) in pairs
            ],
            results / REDRAWN,
        )
