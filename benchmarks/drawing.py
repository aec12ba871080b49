"""Drawing: many in one call against one by one, on both runtimes; one picture from a cold and a warm start; precisions.

    python benchmarks/drawing.py [SET.arrow [RUN]]

Uses the bundled model on sketches made here. With a set: what each precision costs in Rec, on its test sketches with
the same seeds. With a run that `train --out` wrote on that set: the same of its weights before they are rounded to
float16.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from common import machine, median_seconds

from sketch_pix2seq import Sketch, load_model
from sketch_pix2seq.drawing.model import DrawSettings, Model
from sketch_pix2seq.errors import ModelError
from sketch_pix2seq.sketch import FloatArray

DRAWINGS, ONE_BY_ONE, ROUNDS = 1000, 50, 3
PER_CATEGORY, SEEDS = 20, 2
ONE = DrawSettings(candidates=1)
PICTURE = Path(__file__).parents[1] / "examples" / "pig.png"
WITHOUT_TORCH = (
    "import sys\n"
    "class Refuse:\n"
    "    def find_spec(self, name, path=None, target=None):\n"
    "        if name.split('.')[0] == 'torch': raise ImportError('no torch here')\n"
    "sys.meta_path.insert(0, Refuse())\n"
)
DRAW_ONE = (
    "import numpy as np\n"
    "from sketch_pix2seq import Sketch, load_model\n"
    "from sketch_pix2seq.drawing.model import DrawSettings\n"
    "settings = DrawSettings(candidates=1, max_points={points})\n"
    "sketch = Sketch((np.array([[0, 200], [100, 0], [200, 200], [0, 200]]),))\n"
    "load_model(runtime='{runtime}', precision='{precision}').draw(sketch, settings=settings)\n"
)


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


def models() -> dict[str, Model]:
    """The bundled model, in every way to run it here."""
    out = {
        "ONNX Runtime": load_model(),
        "ONNX Runtime, int8 decoder": load_model(precision="int8"),
    }
    try:
        out["PyTorch"] = load_model(runtime="torch")
    except ModelError as error:
        print(error)
    return out


def per_second(n: int, work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return n / (time.perf_counter() - begin)


def rates(model: Model, sketches: list[Sketch], codes: FloatArray) -> dict[str, float]:
    """Drawings a second of one model, in several ways."""

    def one_by_one() -> None:
        for sketch in sketches[:ONE_BY_ONE]:
            model.draw(sketch, settings=ONE)

    return {
        "of pictures": per_second(DRAWINGS, lambda: model.draw_all(sketches, settings=ONE)),
        "of codes": per_second(DRAWINGS, lambda: model.draw_codes(codes, settings=ONE)),
        "one by one": per_second(ONE_BY_ONE, one_by_one),
        "best of 4": per_second(DRAWINGS, lambda: model.draw_all(sketches, settings=replace(ONE, candidates=4))),
    }


def many(run: dict[str, Model]) -> None:
    """Drawings a second; every way takes its turn in every round, and ratios are within a round."""
    sketches = faces(DRAWINGS)
    first = next(iter(run))
    codes = run[first].encode(sketches)
    for model in run.values():
        model.draw_all(sketches[:64], settings=ONE)
    rounds = [{name: rates(model, sketches, codes) for name, model in run.items()} for _ in range(ROUNDS)]
    print(f"drawings a second, {DRAWINGS} in one call, {ONE_BY_ONE} one by one; medians of {ROUNDS} rounds:")
    for name in run:
        figures = ", ".join(
            f"{way} {statistics.median(each[name][way] for each in rounds):.1f}" for way in rounds[0][name]
        )
        batched = statistics.median(each[name]["of pictures"] / each[name]["one by one"] for each in rounds)
        against = statistics.median(each[name]["of pictures"] / each[first]["of pictures"] for each in rounds)
        print(f"  {name}: {figures}; in one call {batched:.1f} times one by one, {against:.2f} times {first}")


def one(run: dict[str, Model]) -> None:
    """Seconds to the first point and to the whole of one drawing of a sketch."""
    print("one sketch, first point and whole drawing (medians of 5):")
    (sketch,) = faces(1)
    for name, model in run.items():
        runtime = "torch" if name == "PyTorch" else "onnx"
        precision = "int8" if "int8" in name else "float32"
        warm, cold = [], []
        for points in (1, ONE.max_points):
            settings = replace(ONE, max_points=points)
            warm.append(median_seconds(partial(model.draw, sketch, settings=settings)))
            code = DRAW_ONE.format(points=points, runtime=runtime, precision=precision)
            cold.append(cold_seconds((WITHOUT_TORCH if runtime == "onnx" else "") + code))
        print(
            f"  {name}: warm {warm[0] * 1e3:.0f} ms and {warm[1] * 1e3:.0f} ms, "
            f"cold {cold[0]:.2f} s and {cold[1]:.2f} s"
        )
    command = (
        "from sketch_pix2seq.cli.main import main\nmain(['draw', sys.argv[1], '--samples', '1', '--out', sys.argv[2]])"
    )
    with tempfile.TemporaryDirectory() as out:
        seconds = cold_seconds(WITHOUT_TORCH + command, str(PICTURE), out)
    print(f"  `draw` of one picture, cold, without PyTorch: {seconds:.2f} s")


def cold_seconds(code: str, *arguments: str) -> float:
    """Median seconds of a Python process that runs this code."""
    command = [sys.executable, "-c", code, *arguments]
    return median_seconds(lambda: subprocess.run(command, check=True, capture_output=True))


def cost(path: str, run_folder: str | None) -> None:
    """Rec of each precision on the same test sketches with the same seeds."""
    from sketch_pix2seq.data.store import SketchSet
    from sketch_pix2seq.drawing.recognition import load_classifier

    sketches, classifier, rng = SketchSet.open(path), load_classifier(), np.random.default_rng(0)
    names = [name for name in sketches.categories if name in classifier.categories]
    chosen = [rng.permutation(sketches.indices("test", name))[:PER_CATEGORY] for name in names]
    asked = [sketches[int(i)] for part in chosen for i in part]
    labels = np.repeat([classifier.categories.index(name) for name in names], [len(part) for part in chosen])

    def show(title: str, model: Model) -> None:
        codes = model.encode(asked)
        right = []
        for seed in range(SEEDS):
            drawn = [drawing for (drawing,) in model.draw_codes(codes, seed=seed, settings=ONE)]
            right.append(classifier.look(drawn)[0].argmax(axis=1) == labels)
        rec = np.concatenate(right)
        baseline.setdefault("", rec)
        gain = rec.astype(float) - baseline[""]
        error = 1.96 * gain.std() / np.sqrt(len(gain))
        print(f"  {title}: {rec.mean():.1%}, against the first {gain.mean() * 100:+.1f} (+- {error * 100:.1f}) points")

    print(f"Rec of redrawings of {len(asked)} test sketches with {SEEDS} seeds (temperature {ONE.temperature}):")
    baseline: dict[str, np.ndarray] = {}
    show("bundled, float16 weights", load_model())
    show("bundled, int8 decoder", load_model(precision="int8"))
    if run_folder is not None:
        from sketch_pix2seq.drawing.runtime import TorchRuntime
        from sketch_pix2seq.model.export import write_folder
        from sketch_pix2seq.training.run import load_run

        baseline.clear()
        network, info = load_run(Path(run_folder), Path(path))
        show(f"{run_folder}, float32 weights", Model(TorchRuntime(network, info)))
        with tempfile.TemporaryDirectory() as folder:
            write_folder(folder, network, info.categories, info.training)
            show(f"{run_folder}, float16 weights", load_model(folder))
            show(f"{run_folder}, int8 decoder", load_model(folder, precision="int8"))


def main() -> None:
    print(machine())
    run = models()
    many(run)
    one(run)
    if len(sys.argv) > 1:
        cost(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None)


if __name__ == "__main__":
    main()
