"""Started drawings gone on with: how often they are named as what the person was drawing.

    python benchmarks/completion.py SET.arrow [--sketches 188] [--split valid] [--out FOLDER]

Test sketches (or validation sketches, on which completion was tuned) of at least two strokes, spread over the
categories, are cut after the stroke that holds the middle point, the last stroke never kept. Each is completed with
nothing but its strokes, with its category, and with the picture of the whole; four alternatives, of which the first
counts, or any. Names are given by the bundled classifier, which also sees what was started alone and the person's whole
sketch. The share of new ink is the first alternative's, in the median. FOLDER/completion.png shows the first of every
other category.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from common import machine, percent

from sketch_pix2seq.data.store import SketchSet, Split
from sketch_pix2seq.drawing.complete import complete
from sketch_pix2seq.drawing.pretrained import BUNDLED, load_model
from sketch_pix2seq.drawing.recognition import load_classifier
from sketch_pix2seq.evaluation.statistics import spread
from sketch_pix2seq.sheet import Cell, Row, write_sheet
from sketch_pix2seq.sketch import Sketch

ALTERNATIVES = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", type=Path)
    parser.add_argument("--sketches", type=int, default=188)
    parser.add_argument("--split", choices=["test", "valid"], default="test")
    parser.add_argument("--model", default=BUNDLED)
    parser.add_argument("--out", type=Path, default=Path())
    asked = parser.parse_args()
    wholes = chosen(SketchSet.open(asked.set), asked.split, asked.sketches)
    model, classifier = load_model(asked.model), load_classifier()
    meant = [classifier.categories.index(whole.category or "") for whole in wholes]

    def right(sketches: Sequence[Sketch]) -> list[bool]:
        named = classifier.look(sketches)[0].argmax(axis=1)
        return [bool(name == category) for name, category in zip(named, meant, strict=True)]

    started = [begun(whole) for whole in wholes]
    ways: dict[str, Callable[[Sketch, Sketch], list[Sketch]]] = {
        "strokes alone": lambda start, whole: complete(model, start, ALTERNATIVES),
        "its category": lambda start, whole: complete(model, start, ALTERNATIVES, category=whole.category),
        "the whole picture": lambda start, whole: complete(model, start, ALTERNATIVES, picture=whole),
    }
    print(
        f"{machine()}; {asked.model}; {len(wholes)} {asked.split} sketches, named as what they were meant to become\n"
    )
    print("| given | first of 4 | any of 4 | new ink |\n|---|---|---|---|")
    print(f"| (the person's whole sketch) | {percent(right(wholes))} | | {added(started, wholes)} |")
    print(f"| (what was started, alone) | {percent(right(started))} | | |")
    columns = [wholes, started]
    for name, way in ways.items():
        pairs = list(zip(started, wholes, strict=True))
        drawn = [way(start, whole) for start, whole in pairs]
        firsts = [alternatives[0] for alternatives in drawn]
        found = np.array([right([alternatives[i] for alternatives in drawn]) for i in range(ALTERNATIVES)])
        print(f"| {name} | {percent(found[0])} | {percent(found.any(axis=0))} | {added(started, firsts)} |")
        columns.append(firsts)
    print("\n| said to lack nothing | whole sketches | what was started |\n|---|---|---|")
    for name, known in (("strokes alone", None), ("its category", meant)):
        numbers = np.full(len(wholes), len(model.info.categories)) if known is None else np.array(known)
        says = [
            model.runtime.finished(numbers, model.encode_sketches(sketches)) > 0.5 for sketches in (wholes, started)
        ]
        print(f"| {name} | {percent(says[0].tolist())} | {percent(says[1].tolist())} |")
    show(asked.out, columns, ["whole", "started", *ways])


def chosen(sketches: SketchSet, split: Split, n: int) -> list[Sketch]:
    """Sketches of a split of at least two strokes, as many of each category as there can be."""
    several = np.array([i for i in sketches.indices(split) if len(sketches[int(i)]) > 1])
    return [sketches[int(several[i])] for i in spread(sketches.category_ids[several], n)]


def begun(whole: Sketch) -> Sketch:
    """The first strokes of a sketch, about half of its points."""
    ends = np.cumsum([len(stroke) for stroke in whole.strokes])
    keep = min(int((ends < ends[-1] / 2).sum()) + 1, len(whole) - 1)
    return replace(whole, strokes=whole.strokes[:keep])


def added(started: Sequence[Sketch], finished: Sequence[Sketch]) -> str:
    """Such as "30 %": the median share of the ink that is not in the started drawings."""
    shares = [1 - a.path_length() / b.path_length() for a, b in zip(started, finished, strict=True)]
    return f"{100 * np.median(shares):.0f} %"


def show(folder: Path, columns: Sequence[Sequence[Sketch]], names: Sequence[str]) -> None:
    """A sheet with a row for the first sketch of every other category."""
    firsts = list({whole.category: i for i, whole in reversed(list(enumerate(columns[0])))}.items())[::2]
    rows = [Row(str(category), [Cell(column[i]) for column in columns]) for category, i in firsts]
    folder.mkdir(parents=True, exist_ok=True)
    print(f"\nsheet: {write_sheet(folder / 'completion.png', rows, cell=88, columns=names)}")


if __name__ == "__main__":
    main()
