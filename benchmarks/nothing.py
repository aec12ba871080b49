"""Drawings from nothing: whether they are what was asked for, as various as people's, and none of them a copy.

    python benchmarks/nothing.py SET.arrow [--each 24] [--model bundled] [--classifier FILE]
        [--only NAME ...] [--out DIR]

So many drawings of each category (or of those named), at default settings, named by a classifier, beside as many of
people's test sketches. In its features, and against as many of people's training sketches: FID; recall (the share of
people's sketches that lie among the drawings); variety (how far apart the drawings of a category lie, over how far
apart people's do); the distance to the nearest training sketch over that of people's own; and the share of near copies,
which are nearer than a fifth of it. A category with fewer sketches than asked for counts with those that it has.
DIR/nothing.png shows some of every other category.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from common import machine, percent
from numpy.typing import NDArray

from sketch_pix2seq.cli.console import progress
from sketch_pix2seq.data.store import SketchSet, Split
from sketch_pix2seq.drawing.pretrained import BUNDLED, load_model
from sketch_pix2seq.drawing.recognition import load_classifier
from sketch_pix2seq.evaluation.metrics import frechet_distance, precision_recall, top_k, twin_distances, variety
from sketch_pix2seq.sheet import Cell, Row, write_sheet
from sketch_pix2seq.sketch import Sketch

SHOWN = 12
COPY = 0.2
"""A drawing this near to a training sketch, in units of people's own distance, is a near copy."""
TWINS = 1000
"""Training sketches of a category among which the nearest is looked for, at most."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", type=Path)
    parser.add_argument("--each", type=int, default=24)
    parser.add_argument("--model", default=BUNDLED)
    parser.add_argument("--classifier", default=BUNDLED)
    parser.add_argument("--only", nargs="*", default=())
    parser.add_argument("--out", type=Path, default=Path())
    asked = parser.parse_args()
    model, classifier, sketches = load_model(asked.model), load_classifier(asked.classifier), SketchSet.open(asked.set)
    known = set(model.info.categories) & set(classifier.categories) & set(asked.only or sketches.categories)
    categories = [name for name in sketches.categories if name in known and len(sketches.indices("test", name)) > 1]
    with progress() as bar:
        task, total, finished = bar.add_task("drawing", total=None), asked.each * len(categories), 0

        def done(count: int) -> None:
            nonlocal finished
            finished += count
            bar.update(task, completed=finished, total=total)

        drawn = model.generate(categories, asked.each, seed=1, on_progress=done)
    people = of_people(sketches, "test", categories, asked.each)
    labels, own = numbers(people, categories), numbers(drawn, categories)
    seen, features = classifier.look(people), classifier.look(drawn)
    reference = classifier.look(of_people(sketches, "train", categories, asked.each))[1]
    known_sketches = of_people(sketches, "train", categories, TWINS)
    training, of_training = classifier.look(known_sketches)[1], numbers(known_sketches, categories)
    meant = np.array([classifier.categories.index(name) for name in categories])
    print(
        f"{machine()}; {asked.model}; {asked.each} drawings of each of {len(categories)} categories; "
        f"{classifier.path}\n"
    )
    print("| | named | in first five | worst | ended | strokes | FID | recall | variety | twin | near copies |")
    print("|---" * 11 + "|")
    for name, made, found, numbered in (("from nothing", drawn, features, own), ("people's", people, seen, labels)):
        first = top_k(found[0], meant[numbered], 1)
        five = top_k(found[0], meant[numbered], min(5, len(classifier.categories)))
        shares = np.array([first[numbered == c].mean() for c in range(len(categories))])
        worst = ", ".join(f"{categories[c]} {100 * shares[c]:.0f} %" for c in np.argsort(shares, kind="stable")[:3])
        ended = np.mean([bool(sketch.metadata.get("ended", True)) for sketch in made])
        twins = twin_distances(found[1], numbered, seen[1], labels, training, of_training)
        figures = [
            percent(first),
            percent(five),
            worst,
            f"{100 * ended:.1f} %",
            f"{np.mean([len(sketch) for sketch in made]):.2f}",
            f"{frechet_distance(reference, found[1]):.3f}",
            f"{100 * precision_recall(reference, found[1])[1].mean():.0f} %",
            f"{variety_of(found[1], numbered, seen[1], labels):.2f}",
            f"{twins.mean():.2f}",
            f"{100 * (twins < COPY).mean():.1f} %",
        ]
        print(f"| {name} | {' | '.join(figures)} |")
    rows = [
        Row(name, [Cell(sketch) for sketch in drawn[c * asked.each :][: min(SHOWN, asked.each)]])
        for c, name in enumerate(categories)
    ]
    asked.out.mkdir(parents=True, exist_ok=True)
    print(f"\nsheet: {write_sheet(asked.out / 'nothing.png', rows[::2], cell=80)}")


def variety_of(
    features: NDArray[np.float32], own: NDArray[np.int64], people: NDArray[np.float32], labels: NDArray[np.int64]
) -> float:
    """Mean over the categories, each with all of its drawings."""
    found = [variety(features[None, own == c], np.array([c]), people, labels)[0] for c in np.unique(own)]
    return float(np.mean(found))


def of_people(sketches: SketchSet, split: Split, categories: Sequence[str], each: int) -> list[Sketch]:
    return [sketches[int(i)] for name in categories for i in sketches.indices(split, name)[:each]]


def numbers(sketches: Sequence[Sketch], categories: Sequence[str]) -> NDArray[np.int64]:
    return np.array([categories.index(sketch.category or "") for sketch in sketches])


if __name__ == "__main__":
    main()
