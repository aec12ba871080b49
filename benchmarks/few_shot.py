"""A few drawings of a new category: what tuning a trained model on them gains, and what it costs of the old ones.

    python benchmarks/few_shot.py SET.arrow RARE.ndjson --categories cat bee bus --drawings 20 50 130 --held samples/*

SET.arrow has drawings of the categories that the model knows; RARE.ndjson some of new ones. Every cell, a category, a
number of drawings and a way to learn (--ways, see WAYS), is trained and measured once and kept as FOLDER/cells/*.json,
so single cells can be run, in any order; the table and the sheets show those that are there.

Held back of a category: its drawings in the files of --held, or else --hold of those in RARE.ndjson. The new category
is named by a logistic regression over the features of the bundled classifier, fitted on people's drawings of the
categories of SET.arrow and of all drawings of the new one that are not held back, classes weighed evenly; old ones by
the classifier itself. The model draws as `draw` does, once for each picture, and --imagined drawings of the new
category from nothing. Nats a point are of people's own strokes given the code of their picture; "+-" is the standard
error of the difference from the model as it is, over the same drawings.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from common import machine
from numpy.typing import NDArray

from sketch_pix2seq.data.store import SketchSet, SketchSetWriter
from sketch_pix2seq.drawing.model import Model
from sketch_pix2seq.drawing.pretrained import BUNDLED, load_model
from sketch_pix2seq.drawing.recognition import Classifier, load_classifier
from sketch_pix2seq.evaluation.likelihood import likelihood
from sketch_pix2seq.evaluation.statistics import spread
from sketch_pix2seq.files import write_whole
from sketch_pix2seq.formats import read_sketches, write_sketches
from sketch_pix2seq.recipes.catalogue import load_recipe
from sketch_pix2seq.sheet import Cell, Row, write_sheet
from sketch_pix2seq.sketch import Sketch
from sketch_pix2seq.training.run import run
from sketch_pix2seq.training.settings import TrainSettings

PROBED = 60
"""People's drawings of each old category that the regression is fitted on."""
SHOWN = 8
"""Drawings of a cell on a sheet."""


def other_encoder(settings: TrainSettings) -> TrainSettings:
    """The encoder free where the recipe freezes it, frozen where it does not."""
    return replace(settings, tune=replace(settings.tune, freeze_encoder=not settings.tune.freeze_encoder))


def no_rehearsal(settings: TrainSettings) -> TrainSettings:
    """Nothing dreamed."""
    return replace(settings, tune=replace(settings.tune, rehearsal=0.0))


def eager(settings: TrainSettings) -> TrainSettings:
    """Ten times the learning rate."""
    optimiser = settings.optimiser
    return replace(settings, optimiser=replace(optimiser, learning_rate=10 * optimiser.learning_rate))


def anew(settings: TrainSettings) -> TrainSettings:
    """As a network learns that knows nothing: with the default recipe's learning rate, and four times the steps."""
    return replace(settings, optimiser=load_recipe("default").optimiser, steps=4 * settings.steps)


WAYS: dict[str, Callable[[TrainSettings], TrainSettings] | None] = {
    "as-it-is": None,
    "tuned": lambda settings: settings,
    "no-rehearsal": no_rehearsal,
    "other-encoder": other_encoder,
    "eager": eager,
    "from-nothing": anew,
}
"""How a cell learns: not at all, by the default recipe of --from, by variants of it, or with no model to begin with."""


@dataclass(frozen=True)
class Task:
    """A new category: what may be learned of it, in the order in which it is taken, and what is held back."""

    category: str
    known: list[Sketch]
    held: list[Sketch]


@dataclass(frozen=True)
class Judge:
    """Names what drawings show."""

    classifier: Classifier
    probes: dict[str, Any]
    """A fitted regression for each new category."""

    def new(self, sketches: Sequence[Sketch], category: str) -> int:
        """How many are named as the new category."""
        features = self.classifier.look(sketches)[1]
        return int((self.probes[category].predict(features) == category).sum())

    def old(self, sketches: Sequence[Sketch], names: Iterable[str]) -> int:
        """How many are named as they should be."""
        found = self.classifier.look(sketches)[0].argmax(axis=1)
        return sum(self.classifier.categories[i] == name for i, name in zip(found, names, strict=True))


def main() -> None:
    asked = arguments()
    sketches = SketchSet.open(asked.set)
    tasks = [task_of(category, asked.rare, asked.held, asked.hold) for category in asked.categories]
    judge = judge_of(sketches, tasks)
    test = sketches.indices("test")
    old = [sketches[int(test[i])] for i in spread(sketches.category_ids[test], asked.old)]
    cells = asked.out / "cells"
    cells.mkdir(parents=True, exist_ok=True)
    for task in tasks:
        for way in asked.ways:
            for drawings in sorted({min(n, len(task.known)) for n in asked.drawings}):
                path = cells / f"{name_of(task.category, drawings, way)}.json"
                if not path.exists():
                    measure(path, task, drawings, way, asked, judge, old)
    text = report(asked, tasks, judge, old, cells)
    write_whole(asked.out / "table.md", text.encode())
    print(text)
    show(asked, tasks, old, cells)


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", type=Path)
    parser.add_argument("rare", type=Path)
    parser.add_argument("--categories", nargs="+", default=["cat", "bee", "bus"])
    parser.add_argument("--drawings", nargs="+", type=int, default=[20, 50, 130])
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS))
    parser.add_argument("--held", nargs="*", type=Path, default=[], help="files whose drawings are held back")
    parser.add_argument("--hold", type=int, default=30, help="drawings held back of a category that --held has not")
    parser.add_argument("--old", type=int, default=470, help="test drawings of old categories")
    parser.add_argument("--imagined", type=int, default=100, help="drawings of the new category from nothing")
    parser.add_argument("--from", dest="base", default=BUNDLED, help="the model to begin with")
    parser.add_argument("--steps", type=int, default=0, help="steps of a training; 0 = as the recipe says")
    parser.add_argument("--dreamed", type=int, default=0, help="sketches dreamed; 0 = as the recipe says")
    parser.add_argument("--out", type=Path, default=Path("few-shot"))
    return parser.parse_args()


def task_of(category: str, rare: Path, held_files: Sequence[Path], hold: int) -> Task:
    """The drawings of a new category, in an order that has nothing to do with the files'."""

    def drawings(path: Path) -> list[Sketch]:
        found = (sketch for sketch in read_sketches(path) if sketch.category == category)
        return [sketch.fit() for sketch in found if sketch.metadata.get("recognized") is not False]

    known = drawings(rare)
    held = [sketch for path in held_files for sketch in drawings(path)]
    order = np.random.default_rng(0).permutation(len(known))
    known = [known[i] for i in order]
    if held:
        strokes = {sketch.points().tobytes() for sketch in held}
        return Task(category, [sketch for sketch in known if sketch.points().tobytes() not in strokes], held)
    return Task(category, known[hold:], known[:hold])


def judge_of(sketches: SketchSet, tasks: Sequence[Task]) -> Judge:
    """The bundled classifier, and a regression over its features for each new category."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    classifier = load_classifier()
    train = sketches.indices("train")
    chosen = train[spread(sketches.category_ids[train], PROBED * len(sketches.categories))]
    old = [sketches[int(i)] for i in chosen]
    features = classifier.look(old)[1]
    names: NDArray[Any] = np.array([sketch.category for sketch in old])
    probes = {}
    for task in tasks:
        both = np.concatenate([features, classifier.look(task.known)[1]])
        labels = np.concatenate([names, [task.category] * len(task.known)])
        probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, class_weight="balanced", max_iter=2000))
        probes[task.category] = probe.fit(both, labels)
    return Judge(classifier, probes)


def name_of(category: str, drawings: int, way: str) -> str:
    """The name of a cell; a model as it is has learned none of the drawings."""
    return f"{category}-as-it-is" if WAYS[way] is None else f"{category}-{drawings}-{way}"


def measure(
    path: Path, task: Task, drawings: int, way: str, asked: argparse.Namespace, judge: Judge, old: Sequence[Sketch]
) -> None:
    """Train a cell and keep its figures, and the drawings for the sheets."""
    name = path.stem
    print(f"{name} ...", flush=True)
    began = time.monotonic()
    model = learned(task, drawings, way, asked, asked.out / "runs" / name)
    minutes = (time.monotonic() - began) / 60
    new_drawn = [drawn for (drawn,) in model.draw_all(task.held)]
    old_drawn = [drawn for (drawn,) in model.draw_all(old)]
    knows = task.category in model.info.categories
    imagined = model.imagine(task.category, asked.imagined) if knows else []
    figures = {
        "new": judge.new(new_drawn, task.category),
        "imagined": judge.new(imagined, task.category) if imagined else None,
        "old": judge.old(old_drawn, (sketch.category or "" for sketch in old)),
        "new_nats": nats_of(model, task.held),
        "old_nats": nats_of(model, old),
        "minutes": round(minutes, 1),
        "machine": machine(),
        "from": asked.base,
    }
    write_sketches([*new_drawn[:SHOWN], *(old_drawn[i] for i in shown_of(old))], path.with_suffix(".ndjson"))
    write_whole(path, (json.dumps(figures, indent=1) + "\n").encode())


def nats_of(model: Model, sketches: Sequence[Sketch]) -> dict[str, list[float]]:
    """Of each sketch, the nats of its strokes given the code of its picture, and its points."""
    found = likelihood(model, sketches)
    return {"nats": (found.offset + found.pen).round(3).tolist(), "points": found.rows.tolist()}


def learned(task: Task, drawings: int, way: str, asked: argparse.Namespace, out: Path) -> Model:
    """The model of a cell."""
    change = WAYS[way]
    base = load_model(asked.base)
    if change is None:
        return base
    settings = replace(load_recipe("few"), model=base.info.model)
    settings = change(replace(settings, steps=asked.steps or settings.steps, validate_every=10**6))
    settings = replace(settings, tune=replace(settings.tune, dreamed=asked.dreamed or settings.tune.dreamed))
    data = out / "drawings.arrow"
    with SketchSetWriter(data) as writer:
        for sketch in task.known[:drawings]:
            writer.add(sketch, "train")
    start = None if way == "from-nothing" else asked.base
    return load_model(run(data, out, settings, start_from=start, say=print))


def shown_of(old: Sequence[Sketch]) -> list[int]:
    """Which of the old drawings are on the sheet: of different categories, the same every time."""
    firsts = list({sketch.category: i for i, sketch in reversed(list(enumerate(old)))}.values())
    return [firsts[i] for i in np.linspace(0, len(firsts) - 1, min(SHOWN, len(firsts))).round().astype(int)]


def kept(tasks: Sequence[Task], asked: argparse.Namespace, cells: Path) -> list[tuple[Task, int, str, Path]]:
    """The cells that are there, each once: of which category, of how many drawings, how learned, and its file."""
    found: dict[Path, tuple[Task, int, str, Path]] = {}
    for task in tasks:
        for way in WAYS:
            for drawings in sorted({min(n, len(task.known)) for n in asked.drawings}):
                path = cells / f"{name_of(task.category, drawings, way)}.json"
                if path.exists():
                    found.setdefault(path, (task, 0 if WAYS[way] is None else drawings, way, path))
    return list(found.values())


def report(asked: argparse.Namespace, tasks: Sequence[Task], judge: Judge, old: Sequence[Sketch], cells: Path) -> str:
    """The table, in Markdown."""
    lines = [
        f"{machine()}; {asked.base}; share of redrawings that are named as what they redraw",
        "",
        "| new category | drawings | learned | new category named | nats a point | from nothing named"
        " | old categories named | nats a point | minutes |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    right = share(judge.old(old, (sketch.category or "" for sketch in old)), len(old))
    for task in tasks:
        people = share(judge.new(task.held, task.category), len(task.held))
        lines.append(f"| {task.category} | | (people's own drawings) | {people} | | | {right} | | |")
        untuned = cells / f"{name_of(task.category, 0, 'as-it-is')}.json"
        before = json.loads(untuned.read_text(encoding="utf-8")) if untuned.exists() else None
        for other, drawings, way, path in kept(tasks, asked, cells):
            if other is not task:
                continue
            cell = json.loads(path.read_text(encoding="utf-8"))
            new, known = share(cell["new"], len(task.held)), share(cell["old"], len(old))
            nothing = "" if cell["imagined"] is None else share(cell["imagined"], asked.imagined)
            new_nats, old_nats = (nats(cell, before if drawings else None, of) for of in ("new_nats", "old_nats"))
            lines.append(
                f"| {task.category} | {drawings or ''} | {way} | {new} | {new_nats} | {nothing} |"
                f" {known} | {old_nats} | {cell['minutes'] if drawings else ''} |"
            )
    return "\n".join([*lines, ""])


def nats(cell: dict[str, Any], before: dict[str, Any] | None, of: str) -> str:
    """Nats a point, such as "-1.21", or "-1.21 (-0.10 +- 0.02)" with the difference from the model as it is."""
    sums, points = np.array(cell[of]["nats"]), np.array(cell[of]["points"])
    value = sums.sum() / points.sum()
    if before is None:
        return f"{value:.3f}"
    lost = sums - np.array(before[of]["nats"])
    error = np.sqrt(np.square(lost - lost.sum() / points.sum() * points).sum()) / points.sum()
    return f"{value:.3f} ({lost.sum() / points.sum():+.3f} +- {error:.3f})"


def share(right: int, of: int) -> str:
    """Such as "12 of 25, 48 %"."""
    return f"{right} of {of}, {right / of:.0%}".replace("%", " %")


def show(asked: argparse.Namespace, tasks: Sequence[Task], old: Sequence[Sketch], cells: Path) -> None:
    """Two sheets for each new category: held-back drawings of it, and old ones, with the redrawings of every cell."""
    for task in tasks:
        originals = task.held[:SHOWN]
        new_rows = [Row("people's", [Cell(sketch) for sketch in originals])]
        old_rows = [Row("people's", [Cell(old[i]) for i in shown_of(old)])]
        for other, drawings, way, path in kept(tasks, asked, cells):
            if other is task:
                drawn = list(read_sketches(path.with_suffix(".ndjson")))
                label = f"{way}, {drawings}" if drawings else way
                new_rows.append(Row(label, [Cell(sketch) for sketch in drawn[: len(originals)]]))
                old_rows.append(Row(label, [Cell(sketch) for sketch in drawn[len(originals) :]]))
        for what, rows in (("new", new_rows), ("old", old_rows)):
            path = write_sheet(asked.out / f"{task.category}-{what}.png", rows, cell=88)
            print(f"sheet: {path}")


if __name__ == "__main__":
    main()
