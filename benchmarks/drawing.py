"""Drawing: many pictures in one call, one by one, and beside a plain PyTorch loop of the same network.

    python benchmarks/drawing.py SET.arrow [--pictures 1000] [--alone 20]

One thread. Rates are by CPU seconds, so that other work on the machine counts less; ratios come first. The loop calls
the network's `start` and `draw_row` for one code after the other, as its runtime for PyTorch would, without a picture.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from common import machine

from sketch_pix2seq.data.store import SketchSet
from sketch_pix2seq.drawing.constants import SAMPLER
from sketch_pix2seq.drawing.model import DrawSettings, Model
from sketch_pix2seq.drawing.pretrained import bundled_folder
from sketch_pix2seq.drawing.runtime import OnnxRuntime
from sketch_pix2seq.model.export import load_network
from sketch_pix2seq.model.folder import ModelInfo
from sketch_pix2seq.model.network import Network
from sketch_pix2seq.sequence import PEN_END
from sketch_pix2seq.sketch import FloatArray, Sketch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", type=Path)
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--alone", type=int, default=20, help="pictures drawn one by one")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    sketches = SketchSet.open(asked.set)
    chosen = np.random.default_rng(0).choice(sketches.indices("test"), asked.pictures, replace=False)
    pictures = [sketches[int(i)].fit() for i in chosen]
    folder = bundled_folder()
    model = Model(OnnxRuntime(folder, threads=1), folder)
    codes = model.encode_sketches(pictures[: asked.alone])
    network, _ = load_network(folder)
    network.eval()
    one_by_one(model, codes[:1])
    plain_loop(network, model.info, codes[:1])
    ours, loop = (
        rows_a_second(partial(one_by_one, model, codes)),
        rows_a_second(partial(plain_loop, network, model.info, codes)),
    )
    print(machine())
    print(
        f"one code after the other: {ours / loop:.2f} times the PyTorch loop ({ours:.0f} and {loop:.0f} rows a CPU s)"
    )
    for name, settings in (("default settings", DrawSettings()), ("freedom 0", DrawSettings(freedom=0.0))):
        times = [cpu_seconds(partial(model.draw, p, settings=settings)) for p in pictures[: asked.alone]]
        whole = cpu_seconds(partial(model.draw_all, pictures, settings=settings))
        alone = float(np.median(times))
        print(
            f"{name}: in one call {alone * len(pictures) / whole:.1f} times as fast as one by one; "
            f"{len(pictures) / whole:.1f} pictures a CPU s, one warm {1000 * alone:.1f} ms"
        )


def one_by_one(model: Model, codes: FloatArray) -> int:
    """Draw codes one after the other; the rows drawn."""
    drawn: list[Sketch] = [model.draw_codes(codes[i : i + 1])[0][0] for i in range(len(codes))]
    return sum(sketch.n_points + 1 for sketch in drawn)


@torch.no_grad()
def plain_loop(network: Network, info: ModelInfo, codes: FloatArray) -> int:
    """The same with nothing but the network."""
    generator = torch.Generator().manual_seed(0)
    size, rows = info.model.raster.size, 0
    control = torch.tensor([[SAMPLER["temperature"], SAMPLER["pen_temperature"], 1.0, 0.0]])
    for code in torch.from_numpy(codes):
        unknown = torch.tensor([len(info.categories)])
        fixed, state = network.start(code[None], torch.zeros(1), unknown, torch.zeros(1, size, size))
        row = network.start_row(1)
        for _ in range(SAMPLER["max_points"]):
            chance = torch.rand(1, 4, generator=generator)
            row, _, state = network.draw_row(row, torch.zeros(1, 5), chance, control, fixed, state)
            rows += 1
            if int(row[0, 2:].argmax()) == PEN_END:
                break
    return rows


def rows_a_second(work: Callable[[], int]) -> float:
    began = time.process_time()
    rows = work()
    return rows / (time.process_time() - began)


def cpu_seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


if __name__ == "__main__":
    main()
