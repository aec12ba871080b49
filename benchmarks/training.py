"""Training: sketches a second of a recipe, and the loader's share of a step.

    python benchmarks/training.py SET.arrow [RECIPE]

The loader's share is the time that its thread spends on a batch, over the time of a step that has its batch ready.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

import torch
from common import machine

from sketch_pix2seq.data.batches import Loader, offset_scale
from sketch_pix2seq.data.store import SketchSet
from sketch_pix2seq.model.network import Network, Tensors
from sketch_pix2seq.recipes.catalogue import load_recipe
from sketch_pix2seq.sequence import SequenceSpec
from sketch_pix2seq.training.loop import precision_of

STEPS, WARM = 24, 4


def main() -> None:
    data, recipe = Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "default"
    settings = load_recipe(recipe)
    sketches = SketchSet.open(data)
    spec = SequenceSpec(settings.model.start)
    spec = SequenceSpec(settings.model.start, offset_scale(sketches, spec))
    loader = Loader(sketches, "train", spec, settings.model.raster, settings.batch, training=True)
    network = Network(settings.model, spec)
    optimiser = torch.optim.Adam(network.parameters(), 1e-3, fused=True)
    precision = precision_of(settings)
    making, stepping, rows = [], [], 0
    for step in range(STEPS):
        begin = time.perf_counter()
        batch = loader.batch(step)
        made = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            losses = network(Tensors.of(batch))
        ((losses.offset + losses.pen) / losses.rows + losses.pixel / losses.sketches).backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        if step >= WARM:
            making.append(made - begin)
            stepping.append(time.perf_counter() - made)
            rows += losses.rows
    print(machine())
    print(f"recipe {recipe}, {precision}, batches of {settings.batch.size}, {torch.get_num_threads()} threads")
    speed = settings.batch.size * len(stepping) / sum(stepping)
    print(f"{speed:.0f} sketches a second, {rows / sum(stepping):.0f} rows a second")
    print(
        f"loader: {statistics.median(making) * 1e3:.1f} ms a batch, step: {statistics.median(stepping) * 1e3:.0f} ms: "
        f"{sum(making) / sum(stepping):.1%} of a step"
    )


if __name__ == "__main__":
    main()
