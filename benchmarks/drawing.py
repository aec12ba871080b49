"""Drawing: 1,000 redrawings in one call against 1,000 calls one by one, and one picture from a cold start.

    python benchmarks/drawing.py

Uses the bundled model and its defaults on sketches made here.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from common import machine

from sketch_pix2seq import Sketch, load_model
from sketch_pix2seq.drawing.model import DrawSettings

DRAWINGS, ONE_BY_ONE = 1000, 100


def faces(n: int) -> list[Sketch]:
    """Simple faces of different proportions: circles, eyes and a mouth."""
    rng = np.random.default_rng(0)
    turn = np.linspace(0, 2 * np.pi, 14)
    circle = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    out = []
    for _ in range(n):
        width, height, eye = rng.uniform(60, 127), rng.uniform(90, 127), rng.uniform(8, 20)
        strokes = [circle * (width, height)]
        strokes += [circle[::2] * eye + (side * width * 0.4, -height * 0.3) for side in (-1, 1)]
        strokes.append(np.array([[-0.4, 0.4], [-0.2, 0.55], [0.2, 0.55], [0.4, 0.4]]) * (width, height))
        out.append(Sketch(tuple(stroke.astype(np.float32) for stroke in strokes)).fit())
    return out


def main() -> None:
    print(machine())
    model = load_model()
    sketches = faces(DRAWINGS)
    for candidates in (1, DrawSettings().candidates):
        settings = replace(DrawSettings(), candidates=candidates)
        model.draw(sketches[0], settings=settings)
        whole, single = [], []
        for _ in range(3):
            begin = time.perf_counter()
            model.draw_all(sketches, settings=settings)
            whole.append(DRAWINGS / (time.perf_counter() - begin))
            begin = time.perf_counter()
            for sketch in sketches[:ONE_BY_ONE]:
                model.draw(sketch, settings=settings)
            single.append(ONE_BY_ONE / (time.perf_counter() - begin))
        fast, slow = statistics.median(whole), statistics.median(single)
        print(
            f"candidates {candidates}: {DRAWINGS} in one call {fast:.0f} a second, one by one {slow:.1f} a second "
            f"(of {ONE_BY_ONE}): {fast / slow:.1f} times as fast"
        )
    cold = []
    code = (
        "import sys\n"
        "class Refuse:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] == 'torch': raise ImportError('no torch here')\n"
        "sys.meta_path.insert(0, Refuse())\n"
        "from sketch_pix2seq.cli.main import main\n"
        "main(['draw', sys.argv[1], '--samples', '1', '--out', sys.argv[2]])"
    )
    picture = Path(__file__).parents[1] / "examples" / "pig.png"
    with tempfile.TemporaryDirectory() as out:
        for _ in range(5):
            begin = time.perf_counter()
            subprocess.run([sys.executable, "-c", code, str(picture), out], check=True, capture_output=True)
            cold.append(time.perf_counter() - begin)
    print(f"`draw` of one picture, cold, without PyTorch: {statistics.median(cold):.2f} s")


if __name__ == "__main__":
    main()
