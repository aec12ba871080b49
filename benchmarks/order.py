"""The scale of the measures that a tracer fails, on people's test sketches.

    python benchmarks/order.py SET.arrow [--sketches 2000] [--traces 400]

People's order of strokes against orders that a machine might choose (`evaluation.order`): how often the order test
tells which one is a person's. Then the package's own tracer, on fewer sketches, beside another person's drawings of the
same categories: order test, stroke agreement, stroke-level two-sample test and F1 to the input.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from common import machine

from sketch_pix2seq.data.store import SketchSet
from sketch_pix2seq.evaluation.agreement import match_all, order_pairs, stroke_agreement
from sketch_pix2seq.evaluation.freedom import INK, traced
from sketch_pix2seq.evaluation.metrics import ink_f1
from sketch_pix2seq.evaluation.order import LEAST_STROKES, order_scale, order_test
from sketch_pix2seq.evaluation.statistics import spread
from sketch_pix2seq.evaluation.strokes import stroke_two_sample_test
from sketch_pix2seq.raster import ink_of
from sketch_pix2seq.sketch import Sketch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", type=Path)
    parser.add_argument("--sketches", type=int, default=2000)
    parser.add_argument("--traces", type=int, default=400)
    asked = parser.parse_args()
    sketches = SketchSet.open(asked.set)
    test = sketches.indices("test")
    people = [sketches[int(i)].fit() for i in test[spread(sketches.category_ids[test], asked.sketches)]]
    several = [sketch for sketch in people if len(sketch) >= LEAST_STROKES]
    print(f"{machine()}\n\n| people's order against, {len(several)} sketches | told |\n|---|---|")
    for name, right in order_scale(several).items():
        print(f"| {name} | {100 * right.mean():.1f} % |")
    inputs = people[:: max(1, len(people) // asked.traces)][: asked.traces]
    print(f"\n| {len(inputs)} inputs | order test | matched | first | direction | tau | stroke test | F1 |")
    print("|---" * 8 + "|")
    for name, drawn in (("traced", traced(inputs)), ("another person", other_people(sketches, inputs))):
        matchings = match_all(inputs, drawn)
        found = stroke_agreement(inputs, matchings)
        own, reordered, _ = order_pairs(inputs, matchings)
        ordered = f"{100 * order_test(own, reordered).mean():.1f} %" if len(own) >= 10 else "too few matched"
        told = 100 * stroke_two_sample_test(inputs, drawn).mean()
        f1 = ink_f1(ink_of(drawn, INK), ink_of(inputs, INK)).mean()
        figures = (
            ordered,
            f"{100 * found.matched.mean():.0f} %",
            *(f"{100 * np.nanmean(x):.1f} %" for x in (found.first, found.direction)),
            f"{np.nanmean(found.tau):.2f}",
            f"{told:.1f} %",
            f"{f1:.3f}",
        )
        print(f"| {name} | {' | '.join(figures)} |")


def other_people(sketches: SketchSet, inputs: list[Sketch]) -> list[Sketch]:
    """A validation sketch of the category of each input, each taken once as far as they go."""
    taken: dict[str, int] = {}
    found = []
    for sketch in inputs:
        category = sketch.category or ""
        there = sketches.indices("valid", category)
        taken[category] = taken.get(category, -1) + 1
        found.append(sketches[int(there[taken[category] % len(there)])].fit())
    return found


if __name__ == "__main__":
    main()
