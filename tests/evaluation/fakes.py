"""Stand-ins for what is heavy: a trainer, a model and an evaluator of which the outcome is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
from PIL import Image

from sketch_pix2seq.data.store import SketchSet, SketchSetWriter, Split
from sketch_pix2seq.drawing.model import Model
from sketch_pix2seq.evaluation.experiments import LATENT, MAP, Speed
from sketch_pix2seq.evaluation.latent import LatentFigures, save_latent
from sketch_pix2seq.evaluation.reproduce import Engine, Trial
from sketch_pix2seq.evaluation.results import (
    Distribution,
    Estimate,
    Evaluation,
    Likeness,
    Losses,
    Recognition,
    Retrieval,
)
from sketch_pix2seq.raster import RasterSpec
from sketch_pix2seq.sketch import FloatArray, Sketch
from sketch_pix2seq.training.settings import TrainSettings
from tests.conftest import random_sketch


def write_set(path: Path, sizes: Mapping[str, int], *, test: int = 12) -> Path:
    """A set with so many training sketches of each category, two for validation and some to test on."""
    rng = np.random.default_rng(0)
    with SketchSetWriter(path) as writer:
        for name, size in sizes.items():
            splits: list[Split] = [*["train"] * size, "valid", "valid", *["test"] * test]  # type: ignore[list-item]
            for split in splits:
                writer.add(random_sketch(rng, category=name).fit(), split)
    return path


def near(value: float, spread: float = 0.02, n: int = 200) -> Estimate:
    """An estimate with an interval of ``spread`` to either side."""
    return Estimate(value, value - spread, value + spread, n)


def likeness(pixels: float = 0.9, name: str = "freedom 0", freedom: float | None = 0.0) -> Likeness:
    """A row of the table over freedom with this accuracy of the pixel test."""
    return Likeness(
        name=name,
        freedom=freedom,
        inputs=200,
        variety=None,
        top1=near(0.5),
        fid_ratio=near(1.2),
        recall=near(0.6),
        twin=None,
        f1=near(0.97),
        matched=near(0.7),
        first=near(0.6),
        direction=near(0.7),
        tau=near(0.4),
        order_test=near(0.65),
        pixel_test=near(pixels),
        stroke_test=near(0.75),
        strokes=near(1.1),
    )


def evaluation(
    rec: float | None = 0.5, *, fid: float = 20.0, pixels: float | None = 0.9, ret: float = 0.4, spread: float = 0.02
) -> Evaluation:
    """An evaluation with these figures."""

    def recognition(value: float) -> Recognition:
        return Recognition(near(value, spread), near(min(1.0, value + 0.1), spread), {"pig": near(value)}, ((1, 0),))

    return Evaluation(
        model="fake",
        network="a network",
        training={"steps": 3},
        data="set.arrow",
        split="test",
        categories=("fish", "pig"),
        sketches=200,
        renderer=RasterSpec(),
        classifier="a compact CNN that knows 47 categories",
        temperature=0.2,
        seed=1,
        seconds=30.0,
        machine="a machine",
        losses=Losses(near(-0.05), near(-0.6), 247, near(1.2), {}),
        people=None if rec is None else recognition(0.9),
        redrawn=None if rec is None else recognition(rec),
        ended=near(0.8),
        retrieval=Retrieval(200, 0.24, {"1": near(ret, spread), "10": near(0.7), "50": near(0.9)}, {}),
        distribution=Distribution(
            200, near(fid, 20 * spread), near(4, 0.5), near(0.7), near(0.6), near(0.9), near(0.9), 3
        ),
        likeness=() if pixels is None else (likeness(pixels),),
        healing=(),
        strokes=(),
    )


class FakeModel:
    """Draws what it is shown; codes are places on a plane, apart by category."""

    def __init__(self, run: Path) -> None:
        self.run = run

    def encode_sketches(self, sketches: Sequence[Sketch]) -> FloatArray:
        rng = np.random.default_rng(0)
        places = [[len(sketch.category or "") * 10.0, *rng.normal(size=3)] for sketch in sketches]
        return np.array(places, np.float32)

    def draw_all(self, sketches: Sequence[Sketch], **_: Any) -> list[list[Sketch]]:
        return [[Sketch(sketch.strokes, metadata={"ended": True})] for sketch in sketches]


class Fakes:
    """An engine that notes what is asked of it, and a clock that moves only when work is done."""

    def __init__(self, step: float = 0.1, a_sketch: float = 0.005) -> None:
        self.now = 0.0
        self.step, self.a_sketch = step, a_sketch
        self.trained: list[tuple[Path, Path, TrainSettings]] = []
        self.evaluated: list[tuple[Path, str, Trial]] = []
        self.interrupt_training_at = -1
        self.engine = Engine(self._train, self._measure, self._load, self._evaluate, self._chart, lambda: self.now)

    def _measure(self, data: Path, scratch: Path, settings: TrainSettings, seconds: float) -> Speed:
        self.now += seconds
        points = float(SketchSet.open(data).lengths.mean())
        return Speed(self.step / settings.batch.size / points, 0.5)

    def _train(self, data: Path, run: Path, settings: TrainSettings, on_line: Callable[[Any], None]) -> None:
        self.trained.append((data, run, settings))
        for step in (1, settings.steps // 2, settings.steps):
            on_line(SimpleNamespace(step=step, steps=settings.steps, nats=3 - step / settings.steps))
            if len(self.trained) == self.interrupt_training_at:
                raise KeyboardInterrupt
        self.now += self.step * settings.steps

    def _load(self, run: Path, data: Path) -> Model:
        return cast(Model, FakeModel(run))

    def _evaluate(self, model: Model, sketches: SketchSet, trial: Trial, on_progress: Any) -> Evaluation:
        self.now += 0.2 + self.a_sketch * trial.limit * (3 if trial.likeness else 1)
        if on_progress is not None:
            on_progress("redrawing", 1, 1)
        self.evaluated.append((cast(FakeModel, model).run, sketches.path.name, trial))
        return evaluation(pixels=0.9 if trial.likeness else None)

    def _chart(self, results: Path, codes: Any, labels: Any, names: Sequence[str], seed: int) -> None:
        several = len(set(labels.tolist())) > 1
        purity, silhouette = (near(0.8), near(0.3)) if several else (None, None)
        save_latent(LatentFigures(len(codes), len(names), silhouette, purity, 10, 0.2), results / LATENT)
        Image.new("RGB", (40, 40), "white").save(results / MAP)
