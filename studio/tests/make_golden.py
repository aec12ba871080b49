"""What the Python package gives for fixed inputs, as JSON, for the tests of the page's own code.

    python studio/tests/make_golden.py

writes ``studio/tests/golden/``. Run it again whenever the bundled model is replaced.
"""

from __future__ import annotations

import json
import zlib
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq.drawing.model import DrawSettings, Model, _streams, read_source
from sketch_pix2seq.drawing.pretrained import load_model
from sketch_pix2seq.drawing.retake import begins_of, choose_begin, missing_ink
from sketch_pix2seq.drawing.runtime import MixtureArrays
from sketch_pix2seq.drawing.sampler import SampleSettings, _choose, _offsets, begin, draw_on
from sketch_pix2seq.drawing.settle import settled
from sketch_pix2seq.drawing.specks import without_specks
from sketch_pix2seq.raster import RasterSpec, render, render_fitted, shades_of
from sketch_pix2seq.sequence import mixed, rows_of, uniform
from sketch_pix2seq.sketch import FloatArray, Sketch

OUT = Path(__file__).parent / "golden"
UNTAKEN = DrawSettings(candidates=1, retakes=0)
"""Whether a stroke is taken back hangs on its ink, which the page draws a little otherwise."""
PICTURE = Path(__file__).parents[2] / "examples" / "pig.png"


def main() -> None:
    model = load_model(threads=1)
    OUT.mkdir(exist_ok=True)
    _write("random", _random())
    _write("choices", _choices())
    _write("specks", _specks())
    _write("settled", _settled())
    _write("takes", _takes())
    _write("begins", _begins())
    _write("drawings", _drawings(model))
    _write("ink", _ink())
    _write("prior", _prior(model))


def _random() -> dict[str, Any]:
    counters = [0, 1, 2**32 - 1, 2**53, 2**63 + 12345, 2**64 - 1]
    array = np.array(counters, np.uint64)
    seeds = _streams(7, 4)
    streams = mixed(seeds)
    places = [0, 1, 5, 999, 2**24 + 3, 7 * 2**32 + 2**24 + 11]
    return {
        "counters": list(map(str, counters)),
        "mixed": [str(value) for value in mixed(array)],
        "uniform": uniform(array).tolist(),
        "seeds": [str(value) for value in seeds],
        "places": places,
        "of_streams": [uniform(stream + np.array(places, np.uint64)).tolist() for stream in streams],
    }


def _choices() -> list[dict[str, Any]]:
    """Fixed mixtures, chances and what is chosen from them."""
    rng = np.random.default_rng(5)
    cases = []
    for temperature, pen_temperature in ((0.2, 0.5), (1.0, 1.0), (0.0, 0.0), (0.05, 2.0)):
        n, m = 6, 20
        log_pi = rng.normal(size=(n, m))
        log_pen = rng.normal(size=(n, 3))
        mixture = MixtureArrays(
            *(
                x.astype(np.float32)
                for x in (
                    log_pi - np.logaddexp.reduce(log_pi, axis=1, keepdims=True),
                    rng.normal(size=(n, m)),
                    rng.normal(size=(n, m)),
                    rng.normal(size=(n, m)) - 2,
                    rng.normal(size=(n, m)) - 2,
                    np.tanh(rng.normal(size=(n, m))),
                    log_pen - np.logaddexp.reduce(log_pen, axis=1, keepdims=True),
                )
            )
        )
        streams = mixed(_streams(3, n))
        chance = uniform(streams[:, None] + np.arange(4 * 9, 4 * 10).astype(np.uint64))
        offsets = _offsets(mixture, chance[:, [0, 2, 3]], np.full(n, temperature))
        cases.append(
            {
                "temperature": temperature,
                "pen_temperature": pen_temperature,
                "seed": 3,
                "row": 9,
                "mixture": {name: _numbers(x) for name, x in mixture._asdict().items()},
                "pen": _choose(mixture.log_pen, chance[:, 1], pen_temperature).tolist(),
                "offsets": _numbers(offsets),
            }
        )
    return cases


def _specks() -> list[dict[str, Any]]:
    """Drawings with strokes that repeat others, exactly or almost, and tiny ones, and what is left of them."""
    rng = np.random.default_rng(8)
    cases = []
    for given in (0, 7):
        for _ in range(6):
            walks = [np.cumsum(rng.normal(size=(6, 2)) * 25, axis=0) + 127.5 for _ in range(3)]
            copies = [
                walk[1:5] + rng.normal(size=(4, 2)) * spread for walk, spread in zip(walks, (0, 1.5, 4), strict=True)
            ]
            dots = [rng.uniform(20, 235, 2) + np.array([[0, 0], [3, 2]]) for _ in range(3)]
            sketch = Sketch(tuple(np.round(stroke, 2).astype(np.float32) for stroke in (*walks, *copies, *dots)))
            imagined = np.zeros((48, 48), np.float32)
            imagined[:, 24:] = 1
            left = without_specks(sketch, imagined, RasterSpec(), given=given)
            numbers = [
                number
                for number, stroke in enumerate(sketch.strokes)
                if any(np.array_equal(stroke, x) for x in left.strokes)
            ]
            cases.append({"given": given, **_strokes(sketch), "left": numbers})
    return cases


def _settled() -> list[dict[str, Any]]:
    """Drawings beside the ink of what they are to be, and where their points come to lie."""
    rng = np.random.default_rng(9)
    cases = []
    for given in (0, 4):
        for _ in range(4):
            wanted = [np.cumsum(rng.normal(size=(n, 2)) * 30, axis=0) + 127.5 for n in (9, 5, 2, 1)]
            points = np.clip(np.concatenate(wanted), 0, 255).astype(np.float32)
            ends = np.cumsum([len(stroke) for stroke in wanted])
            ink = render_fitted(points - np.float32(127.5), ends, RasterSpec())
            moved = np.round(points + rng.normal(size=points.shape) * 4, 2).astype(np.float32)
            sketch = Sketch(tuple(np.split(moved, ends[:-1])))
            after = settled(sketch, shades_of(ink), RasterSpec(), given=given)
            packed = b64encode(zlib.compress(ink.tobytes(), 9)).decode()
            cases.append({"given": given, "ink": packed, **_strokes(sketch), "settled": _strokes(after)["strokes"]})
    return cases


def _takes() -> list[dict[str, Any]]:
    """A stroke on paper, beside the picture: what is missing before it, and what it brings, of what it lays."""
    rng = np.random.default_rng(6)
    raster = RasterSpec()

    def ink(strokes: Sequence[NDArray[np.floating]]) -> FloatArray:
        ends = np.cumsum([len(stroke) for stroke in strokes])
        return shades_of(render_fitted(np.concatenate(strokes).astype(np.float32), ends, raster))

    cases = []
    for spread in (0, 1, 3, 6, 12, 40):
        for _ in range(3):
            walks = [np.clip(np.cumsum(rng.normal(size=(6, 2)) * 30, axis=0), -120, 120).round(2) for _ in range(3)]
            stroke = (walks[1] + rng.normal(size=(6, 2)) * spread).round(2)
            picture, paper, alone = ink(walks), ink(walks[:1]), ink([stroke])
            after = np.maximum(paper, alone)
            gain = np.square(paper - picture).sum() - np.square(after - picture).sum()
            cases.append(
                {
                    "picture": [walk.tolist() for walk in walks],
                    "stroke": stroke.tolist(),
                    "missing": missing_ink(picture, paper),
                    "gain": float(gain),
                    "laid": float(np.square(after - paper).sum()),
                }
            )
    return cases


def _begins() -> list[dict[str, Any]]:
    """Where a stroke for missing ink can begin on small pictures, and which place is chosen by some chances."""
    rng = np.random.default_rng(8)
    raster = RasterSpec(size=16)
    cases = []
    for _ in range(3):
        picture = (rng.random((16, 16)) ** 3).round(3).astype(np.float32)
        paper = (rng.random((16, 16)) ** 6).round(3).astype(np.float32)
        places, ink = begins_of(picture, paper, raster)
        opinion = (rng.normal(size=len(ink)) * 8).round(3)
        chances = [0.0, 0.2, 0.5, 0.8, 0.999]
        cases.append(
            {
                "picture": picture.ravel().tolist(),
                "paper": paper.ravel().tolist(),
                "begins": _numbers(np.column_stack([places, ink])),
                "opinion": opinion.tolist(),
                "chosen": [[chance, choose_begin(opinion, ink, chance)] for chance in chances],
            }
        )
    return cases


def _drawings(model: Model) -> dict[str, Any]:
    """Drawings of one code, from nothing and from given rows, by the bundled model."""
    code = model.encode([PICTURE])[0]
    codes = np.stack([code, code * np.float32(0.9)])
    seeds = _streams(12, 2)
    cases = []
    for settings in (SampleSettings(), SampleSettings(0.0, 0.0, 60), SampleSettings(0.6, 0.8, 40, tries=1)):
        empty = begin(model.runtime, codes, np.zeros((2, 0, 5), np.float32))
        drawings = draw_on(model.runtime, empty, seeds, settings)
        cases.append({**_settings(settings), "drawings": list(map(_strokes, drawings))})
    full = cases[0]["drawings"][0]
    rows = rows_of(Sketch(tuple(np.array(s) for s in full["strokes"])), model.info.sequence)[:12]
    given = np.stack([rows, rows])
    given[:, -1, 2:] = [1, 0, 0]
    begun = begin(model.runtime, codes, given)
    kept = model.draw_codes(codes, 2, seed=10, settings=DrawSettings(candidates=3))
    return {
        "codes": _numbers(codes),
        "seeds": [str(seed) for seed in seeds],
        "cases": cases,
        "begun": {
            "rows": _numbers(given),
            "log_pen": _numbers(begun.log_pen),
            "log_likelihood": begun.log_likelihood.tolist(),
            "drawings": list(map(_strokes, draw_on(model.runtime, begun, seeds, SampleSettings()))),
        },
        "seen": {
            "seed": 6,
            "ink": model.ink_of([read_source(PICTURE)])[0].tolist(),
            "drawings": list(map(_strokes, model.draw(PICTURE, 2, seed=6, settings=UNTAKEN))),
        },
        "kept": {"seed": 10, "candidates": 3, "drawings": [list(map(_strokes, row)) for row in kept]},
    }


def _ink() -> list[dict[str, Any]]:
    """Pictures of lines of all kinds."""
    rng = np.random.default_rng(2)
    turn = np.linspace(0, 2 * np.pi, 24)
    circle = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    sketches = [
        [np.array([[0, 0], [100, 0], [100, 60], [0, 60], [0, 0]])],
        [100 * circle, 12 * circle + [-40, -30], 12 * circle + [40, -30], np.array([[0.0, 20.0]])],
        [np.array([[0, 0], [255, 31]]), np.array([[20, 200], [90, 10], [91, 11], [160, 190]])],
        *([np.cumsum(rng.normal(size=(12, 2)) * 20, axis=0) for _ in range(4)] for _ in range(6)),
        [np.array([[3.0, 4.0]])],
    ]
    cases = []
    for strokes in sketches:
        sketch = Sketch(tuple(np.asarray(stroke, np.float32) for stroke in strokes))
        ink = render(sketch, RasterSpec())
        cases.append({**_strokes(sketch), "ink": b64encode(zlib.compress(ink.tobytes(), 9)).decode()})
    return cases


def _prior(model: Model) -> dict[str, Any]:
    """Densities of codes that are samples of the prior."""
    codes = model.prior.sample(3, ["pig", "cat" if "cat" in model.prior.categories else "bird", "airplane"], seed=4)
    densities = model.prior.log_densities(codes)
    return {
        "codes": _numbers(codes),
        "log_densities": [[round(value, 4) for value in row] for row in densities.tolist()],
        "likeliest": [model.prior.categories[c] for c in model.prior.posterior(codes).argmax(axis=1)],
    }


def _settings(settings: SampleSettings) -> dict[str, Any]:
    return {
        "temperature": settings.temperature,
        "pen_temperature": settings.pen_temperature,
        "tries": settings.tries,
        "max_points": settings.max_points,
    }


def _strokes(sketch: Sketch) -> dict[str, Any]:
    strokes = [[[round(float(x), 4), round(float(y), 4)] for x, y in stroke] for stroke in sketch.strokes]
    return {"strokes": strokes, "ended": sketch.metadata.get("ended")}


def _numbers(values: NDArray[np.floating] | FloatArray) -> list[float]:
    """Flat, as few digits as give the same float32 again."""
    return [float(np.format_float_positional(value, unique=True)) for value in np.asarray(values, np.float32).ravel()]


def _write(name: str, content: dict[str, Any] | Sequence[Any]) -> None:
    path = OUT / f"{name}.json"
    path.write_text(json.dumps(content, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"{path.name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
