"""Sheets of what a model makes of test sketches that it never saw; `sketch-pix2seq evaluate` has the figures.

    python benchmarks/bundled.py SET.arrow [FOLDER] [MODEL]

FOLDER/test-sheet.png shows four test sketches of every category, taken at random, each beside its first redrawing;
FOLDER/redrawings.png shows every fourth category of it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from sketch_pix2seq.data.store import SketchSet
from sketch_pix2seq.drawing.pretrained import BUNDLED, load_model
from sketch_pix2seq.sheet import Cell, Row, write_sheet

PAIRS = 4


def main() -> None:
    sketches = SketchSet.open(sys.argv[1])
    folder = Path(sys.argv[2] if len(sys.argv) > 2 else ".")
    model = load_model(sys.argv[3] if len(sys.argv) > 3 else BUNDLED)
    rng = np.random.default_rng(0)
    rows = []
    for category in sketches.categories:
        chosen = rng.choice(sketches.indices("test", category), PAIRS, replace=False)
        asked = [sketches[int(i)] for i in chosen]
        drawn = model.draw_all(asked)
        rows.append(Row(category, [Cell(x) for sketch, (d,) in zip(asked, drawn, strict=True) for x in (sketch, d)]))
    folder.mkdir(parents=True, exist_ok=True)
    for file, shown in (("test-sheet.png", rows), ("redrawings.png", rows[::4])):
        write_sheet(folder / file, shown, cell=88, columns=("people's", "redrawn") * PAIRS)
        print(f"sheet: {folder / file}")


if __name__ == "__main__":
    main()
