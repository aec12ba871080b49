"""What the bundled model does on a test split that it never saw: losses, endings, and a sheet of redrawings.

    python benchmarks/bundled.py SET.arrow [FOLDER] [MODEL]

FOLDER/test-sheet.png shows four test sketches of every category, taken at random, each beside its first redrawing;
FOLDER/redrawings.png shows every fourth category of it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from common import machine

from sketch_pix2seq.data.batches import BatchSettings, Loader
from sketch_pix2seq.data.store import SketchSet
from sketch_pix2seq.drawing.model import DrawSettings
from sketch_pix2seq.drawing.pretrained import BUNDLED, load_model, model_folder
from sketch_pix2seq.model.export import load_network
from sketch_pix2seq.sheet import Cell, Row, write_sheet
from sketch_pix2seq.training.loop import validate

PAIRS = 4


def main() -> None:
    sketches = SketchSet.open(sys.argv[1])
    folder = Path(sys.argv[2] if len(sys.argv) > 2 else ".")
    name = sys.argv[3] if len(sys.argv) > 3 else BUNDLED
    network, info = load_network(model_folder(name))
    settings = BatchSettings(size=100)
    longest = int(sketches.lengths[sketches.indices("train")].max())
    loader = Loader(sketches, "test", info.sequence, info.model.raster, settings, training=False)
    losses = validate(network, loader, 10**9, longest)
    record = info.training
    print(machine())
    print(f"trained: {record['steps']} steps, {record['minutes']} minutes, {record['machine']}")
    count = len(sketches.indices("test"))
    print(
        f"test split, {count} sketches, float32: {losses['nats_point']:.3f} nats a point, "
        f"L_R {losses['l_r']:.4f} (N_max {longest})"
    )

    model = load_model(name)
    rng = np.random.default_rng(0)
    chosen = {c: rng.choice(sketches.indices("test", c), 40, replace=False) for c in sketches.categories}
    asked = [sketches[int(i)] for indices in chosen.values() for i in indices]
    for candidates in (1, DrawSettings().candidates):
        drawn = [d for (d,) in model.draw_all(asked, settings=DrawSettings(candidates=candidates))]
        ended = np.mean([bool(d.metadata["ended"]) for d in drawn])
        print(
            f"{len(asked)} redrawings at temperature {DrawSettings().temperature}, candidates {candidates}: "
            f"{ended:.2%} ended by themselves"
        )
    rows = []
    for number, category in enumerate(chosen):
        pairs = list(zip(asked, drawn, strict=True))[40 * number : 40 * number + PAIRS]
        rows.append(Row(category, [Cell(x) for pair in pairs for x in pair]))
    folder.mkdir(parents=True, exist_ok=True)
    for file, shown in (("test-sheet.png", rows), ("redrawings.png", rows[::4])):
        write_sheet(folder / file, shown, cell=88, columns=("people's", "redrawn") * PAIRS)
        print(f"sheet: {folder / file}")


if __name__ == "__main__":
    main()
