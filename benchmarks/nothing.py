"""Drawings from nothing: whether they are what was asked for, and as various as people's.

    python benchmarks/nothing.py SET.arrow [--each 24] [--model bundled] [--plain] [--out FOLDER]

So many drawings of each category, named by the bundled classifier, beside as many of people's test sketches. In its
features: variety (how far apart the drawings of a category lie, over how far apart people's do) and recall (the share
of people's sketches that lie among the drawings: `evaluation.metrics`); people's own are those of their validation
sketches. --plain: without the prior's examples, from its Gaussians alone. FOLDER/nothing.png shows some of every other
category.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from common import machine, percent

from sketch_pix2seq.cli.console import progress
from sketch_pix2seq.data.store import SketchSet, Split
from sketch_pix2seq.drawing.model import Model
from sketch_pix2seq.drawing.pretrained import BUNDLED, load_model
from sketch_pix2seq.drawing.recognition import load_classifier
from sketch_pix2seq.evaluation.metrics import precision_recall, variety
from sketch_pix2seq.sheet import Cell, Row, write_sheet
from sketch_pix2seq.sketch import Sketch

SHOWN = 12


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", type=Path)
    parser.add_argument("--each", type=int, default=24)
    parser.add_argument("--model", default=BUNDLED)
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--out", type=Path, default=Path())
    asked = parser.parse_args()
    model, classifier, sketches = load_model(asked.model), load_classifier(), SketchSet.open(asked.set)
    if asked.plain:
        nothing = np.zeros(0, np.int64)
        model = Model(model.runtime, replace(model.prior, examples=model.prior.examples[nothing], example_of=nothing))
    categories = [name for name in model.prior.categories if name in classifier.categories]
    with progress() as bar:
        task = bar.add_task("drawing", total=asked.each * len(categories))
        drawn = model.imagine(categories, asked.each, seed=1, on_progress=lambda n: bar.advance(task, n))
    people, others = (of_people(sketches, split, categories, asked.each) for split in ("test", "valid"))
    seen, labels = classifier.look(people)[1], numbers(people, categories)
    print(f"{machine()}; {asked.model}; {asked.each} drawings of each of {len(categories)} categories\n")
    print("| | named as meant | worst | ended | variety | recall |\n|---|---|---|---|---|---|")
    for name, made in (("from nothing", drawn), ("people's", others)):
        logits, features = classifier.look(made)
        named = [classifier.categories[best] for best in logits.argmax(axis=1)]
        right = np.array([sketch.category == look for sketch, look in zip(made, named, strict=True)])
        own = numbers(made, categories)
        shares = np.array([right[own == c].mean() for c in range(len(categories))])
        worst = ", ".join(f"{categories[c]} {100 * shares[c]:.0f} %" for c in np.argsort(shares, kind="stable")[:3])
        ended = np.mean([bool(sketch.metadata.get("ended", True)) for sketch in made])
        fewest = np.bincount(own).min()
        of_each = np.stack([features[own == c][:fewest] for c in range(len(categories))])
        various = variety(of_each, np.arange(len(categories)), seen, labels).mean()
        recalled = precision_recall(seen, features)[1].mean()
        print(f"| {name} | {percent(right)} | {worst} | {100 * ended:.1f} % | {various:.2f} | {100 * recalled:.0f} % |")
    rows = [
        Row(name, [Cell(sketch) for sketch in drawn[c * asked.each :][: min(SHOWN, asked.each)]])
        for c, name in enumerate(categories)
    ]
    asked.out.mkdir(parents=True, exist_ok=True)
    print(f"\nsheet: {write_sheet(asked.out / 'nothing.png', rows[::2], cell=80)}")


def of_people(sketches: SketchSet, split: Split, categories: Sequence[str], each: int) -> list[Sketch]:
    return [sketches[int(i)] for name in categories for i in sketches.indices(split, name)[:each]]


def numbers(sketches: Sequence[Sketch], categories: Sequence[str]) -> np.ndarray:
    return np.array([categories.index(sketch.category or "") for sketch in sketches])


if __name__ == "__main__":
    main()
