"""What the Python package gives for fixed inputs, as JSON, for the tests of the page's own code.

    python studio/tests/make_golden.py [MODEL]

writes ``studio/tests/golden/``; MODEL is a model folder, or the bundled one. Run it again whenever the bundled model or
a number in ``drawing/constants.json`` is replaced.
"""

from __future__ import annotations

import json
import sys
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq.drawing import sampler
from sketch_pix2seq.drawing.complete import complete
from sketch_pix2seq.drawing.flow import Given, normal, sample_codes
from sketch_pix2seq.drawing.model import DrawSettings, Model, any_category, read_source, streams_of
from sketch_pix2seq.drawing.pretrained import BUNDLED, load_model
from sketch_pix2seq.model.folder import ModelInfo
from sketch_pix2seq.raster import RasterSpec, render
from sketch_pix2seq.sequence import mixed, uniform
from sketch_pix2seq.sketch import FloatArray, Sketch

OUT = Path(__file__).parent / "golden"
PICTURE = Path(__file__).parents[2] / "examples" / "pig.png"
WANTED, TRIED = 2, 12
"""Cases of each kind, and seeds tried for them."""
MOST = 120
"""Points of each, so that the files are small."""


def main() -> None:
    model = load_model(sys.argv[1] if len(sys.argv) > 1 else BUNDLED, threads=1)
    OUT.mkdir(exist_ok=True)
    _write("random", _random())
    _write("ink", _ink())
    _write("drawings", _drawings(model))


def _random() -> dict[str, Any]:
    counters = [0, 1, 2**32 - 1, 2**53, 2**63 + 12345, 2**64 - 1]
    array = np.array(counters, np.uint64)
    seeds = streams_of(7, 4)
    streams = mixed(seeds)
    places = [0, 1, 5, 999, 2**24 + 3, 7 * 2**32 + 2**24 + 11]
    return {
        "counters": list(map(str, counters)),
        "mixed": [str(value) for value in mixed(array)],
        "uniform": uniform(array).tolist(),
        "seeds": [str(value) for value in seeds],
        "places": places,
        "of_streams": [uniform(stream + np.array(places, np.uint64)).tolist() for stream in streams],
        "normal": _numbers(normal(seeds, 5)),
        "any": [any_category(seed, 6, 345) for seed in (0, 1, 7)],
    }


def _drawings(model: Model) -> dict[str, Any]:
    """Drawings of the model: what is drawn of a picture, from nothing, and on from started strokes.

    A drawing hangs on thousands of choices, and the page's arithmetic and ink differ a little from Python's. So the
    codes
    and the ink of the pictures are told, and those drawings are taken that come out the same when codes, and the ink of
    what is drawn, are changed a little here.
    """
    picture = read_source(PICTURE)
    started = Sketch(picture.strokes[:1])
    category = "pig" if "pig" in model.info.categories else model.info.categories[0]
    free, following = DrawSettings(max_points=MOST, freedom=0.4), DrawSettings(max_points=MOST, freedom=0)
    ink = model.ink_of([picture])
    content: dict[str, Any] = {
        "picture": _strokes(picture),
        "category": category,
        "max_points": MOST,
        "ink": _packed(ink[0]),
        "code": _numbers(model.encode_sketches([picture])),
        "recognised": int(model.recognise(ink)[0]),
        "following": _stable(model, lambda seed: model.draw(picture, seed=seed, settings=following)),
        "unweighed": _stable(
            model, lambda seed: model.draw_codes(model.encode_sketches([picture]), seed=seed, settings=following)[0]
        ),
    }
    if model.has_flow:
        z, untold = model.info.model.z_size, len(model.info.categories)
        codes, _ = sample_codes(
            model.runtime, Given.of(np.array([0, untold]), z), streams_of(1, 2), guidance=DrawSettings().guidance
        )
        content |= {
            "codes": _numbers(codes),
            "varied": _stable(model, lambda seed: model.draw(picture, seed=seed, settings=free, category=category)),
            "generated": _stable(model, lambda seed: model.generate(category, seed=seed, settings=free)),
            "started": _strokes(started),
            "started_code": _numbers(model.encode_sketches([started])),
            "completed": _stable(
                model, lambda seed: complete(model, started, category=category, seed=seed, settings=free)
            ),
        }
    return content


def _stable(model: Model, drawn: Callable[[int], list[Sketch]]) -> list[dict[str, Any]]:
    """Drawings, with their seeds, that small changes of codes and ink leave as they are."""
    cases = []
    for seed in range(TRIED):
        wanted = drawn(seed)[0]
        others = []
        for turn in range(6):
            with _changed(model, turn):
                others.append(drawn(seed)[0])
        if all(_alike(wanted, other) for other in others):
            finished = wanted.metadata.get("finished")
            cases.append(
                {"seed": seed, **_strokes(wanted), **({} if finished is None else {"finished": float(finished)})}
            )
        if len(cases) == WANTED:
            break
    return cases


@contextmanager
def _changed(model: Model, turn: int) -> Iterator[None]:
    """Codes changed by a few of their last bits, ink by as many levels as the page's differs by."""
    rng = np.random.default_rng(turn)
    start, ink_of_points = model.runtime.start, sampler.ink_of_points

    def other_start(code: FloatArray, told: Any) -> Any:
        return start(code + rng.normal(scale=2e-5, size=code.shape).astype(np.float32), told)

    def other_ink(points: FloatArray, info: ModelInfo, first: int = 0) -> FloatArray:
        ink = ink_of_points(points, info, first)
        noise = rng.integers(-6, 7, ink.shape) / 255
        return np.where(ink > 0, np.clip(ink + noise, 0, 1), 0).astype(np.float32)

    model.runtime.start = other_start  # type: ignore[method-assign]
    sampler.ink_of_points = other_ink
    try:
        yield
    finally:
        model.runtime.start = start  # type: ignore[method-assign]
        sampler.ink_of_points = ink_of_points


def _alike(a: Sketch, b: Sketch) -> bool:
    if list(map(len, a.strokes)) != list(map(len, b.strokes)) or a.metadata["ended"] != b.metadata["ended"]:
        return False
    return float(np.abs(a.points() - b.points()).max()) < 0.1


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
        cases.append({**_strokes(sketch), "ink": _packed(ink)})
    return cases


def _packed(ink: NDArray[np.uint8]) -> str:
    return b64encode(zlib.compress(ink.tobytes(), 9)).decode()


def _strokes(sketch: Sketch) -> dict[str, Any]:
    strokes = [[[round(float(x), 4), round(float(y), 4)] for x, y in stroke] for stroke in sketch.strokes]
    return {"strokes": strokes, "ended": sketch.metadata.get("ended")}


def _numbers(values: NDArray[np.floating]) -> list[float]:
    """Flat, as few digits as give the same float32 again."""
    return [float(np.format_float_positional(value, unique=True)) for value in np.asarray(values, np.float32).ravel()]


def _write(name: str, content: dict[str, Any] | Sequence[Any]) -> None:
    path = OUT / f"{name}.json"
    path.write_text(json.dumps(content, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"{path.name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
