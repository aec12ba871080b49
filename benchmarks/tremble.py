"""People's sketches drawn with an unsteady hand, and redrawn by a model: how often the classifier still names them.

    python benchmarks/tremble.py SET.arrow [--model MODEL] [--spreads 2 4 6 8]

Each stroke of the test sketches is moved as a whole and bent smoothly, by chance; the spread is the standard deviation
of a point's displacement, in canvas units (255 across; a pixel of the 48 that the encoder sees is 5.7). The distance
is the mean square between the classifier's features of the sketch and of what became of it.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from common import machine
from scipy.ndimage import gaussian_filter1d

from sketch_pix2seq.data.store import SketchSet
from sketch_pix2seq.drawing.pretrained import BUNDLED, load_model
from sketch_pix2seq.drawing.recognition import load_classifier
from sketch_pix2seq.sketch import Sketch

WHOLE = 0.5
"""Share of the spread with which a stroke is moved as a whole; the rest, in squares, bends it."""
SMOOTH = 1.0
"""Points over which the bending is smoothed."""
_EDGE = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", type=Path)
    parser.add_argument("--model", default=BUNDLED)
    parser.add_argument("--spreads", type=float, nargs="+", default=[2, 4, 6, 8])
    asked = parser.parse_args()
    sketches, classifier = SketchSet.open(asked.set), load_classifier()
    people = [sketches[int(i)].fit() for i in sketches.indices("test")]
    meant = np.array([classifier.categories.index(sketch.category or "") for sketch in people])
    logits, features = classifier.look(people)
    was_right = logits.argmax(axis=1) == meant
    print(f"{machine()}; {len(people)} test sketches\n")
    print("| drawn | named | of those named before | of the others | distance |\n|---|---|---|---|---|")
    print(f"| by people | {was_right.mean():.1%} | | | |")

    def show(how: str, drawings: list[Sketch]) -> None:
        logits, found = classifier.look(drawings)
        right = logits.argmax(axis=1) == meant
        shares = f"{right.mean():.1%} | {right[was_right].mean():.1%} | {right[~was_right].mean():.1%}"
        print(f"| {how} | {shares} | {np.square(found - features).mean():.4f} |")

    for spread in asked.spreads:
        rng = np.random.default_rng(0)
        show(f"with a spread of {spread:g}", [trembled(sketch, spread, rng) for sketch in people])
    model = load_model(asked.model)
    show(f"by {asked.model}, best of 4", [drawn for (drawn,) in model.draw_all(people)])


def trembled(sketch: Sketch, spread: float, rng: np.random.Generator) -> Sketch:
    """The sketch with its strokes moved and bent."""
    strokes = []
    for stroke in sketch.strokes:
        noise = gaussian_filter1d(rng.normal(size=(len(stroke) + 2 * _EDGE, 2)), SMOOTH, axis=0)[_EDGE:-_EDGE]
        # Smoothing white noise leaves 1 / (2 sqrt(pi) sigma) of its variance.
        bent = noise * np.sqrt(2 * np.sqrt(np.pi) * SMOOTH * (1 - WHOLE**2))
        strokes.append((stroke + spread * (WHOLE * rng.normal(size=2) + bent)).astype(np.float32))
    return replace(sketch, strokes=tuple(strokes))


if __name__ == "__main__":
    main()
