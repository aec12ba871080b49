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
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from sketch_pix2seq.data.store import SPLITS, SketchSet
from sketch_pix2seq.errors import DataError, FileError, FormatError, SettingsError
from sketch_pix2seq.files import write_whole
from sketch_pix2seq.plain import from_plain
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
LEAST_STEPS = 10
WORTHWHILE, MOST_SKETCHES = 60, 2000
"""Test sketches below which an evaluation gives up its costlier parts, and above which it gains little."""
_VERSION = 2


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
    likeness: bool = True
    """Whether there is time for the two-sample tests, the order test and stroke agreement."""
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
    return fitted_settings("sketch-rnn", steps, 0).loss.eta(steps)


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
        return from_plain(Plan, values)
    except FileNotFoundError as error:
        raise FileError(
            out, f"no reproduction there (it has no {PLAN}); `sketch-pix2seq reproduce` makes one"
        ) from error
    except (OSError, ValueError, AttributeError, RecursionError) as error:
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
    return fitted_settings(recipe, plan.steps, plan.settings.seed)


def fitted_settings(recipe: str, steps: int, seed: int) -> TrainSettings:
    """A recipe as it is run here: batch, its composition, steps and seed alike for all.

    The KL term's annealing is fitted to the length of the run. As published, it takes tens of thousands of steps: in a
    short run a model "with KL" would be one without.
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
