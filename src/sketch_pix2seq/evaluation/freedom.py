"""The table over freedom: how drawings compare with people's from copying the input to drawing the category alone.

Each row holds the same measures of one drawing of each input: by the model at one freedom, by the package's own tracer,
and, as the target, another person's sketch of the category. A tracer has the best Rec, FID and F1 that there are; it
fails on variety, the order test, stroke agreement and the stroke-level two-sample test.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq.drawing.recognition import Classifier
from sketch_pix2seq.errors import DataError, PictureError
from sketch_pix2seq.evaluation import metrics
from sketch_pix2seq.evaluation.agreement import Matching, match_all, order_pairs, stroke_agreement
from sketch_pix2seq.evaluation.order import order_test
from sketch_pix2seq.evaluation.results import ANOTHER_PERSON, TRACED, Estimate, Likeness
from sketch_pix2seq.evaluation.statistics import bootstrap, rate, ratio, share, spread
from sketch_pix2seq.evaluation.strokes import stroke_two_sample_test
from sketch_pix2seq.formats.picture import read_picture
from sketch_pix2seq.raster import RasterSpec, ink_of, render
from sketch_pix2seq.sketch import CANVAS_SIZE, FloatArray, Sketch

Draw = Callable[[Sequence[Sketch], float, int, int], Sequence[Sequence[Sketch]]]
"""(pictures, freedom, samples, seed) -> ``samples`` drawings of each picture."""
OnProgress = Callable[[str, int, int], None]

FREEDOMS = (0.0, 0.25, 0.5, 0.75, 1.0)
INK = RasterSpec()
"""How ink is drawn for F1: 48 x 48 pixels, a line of one pixel."""
_SHEET = RasterSpec(size=256, line=3, margin=12.0)
"""How a sketch is drawn before the tracer sees it."""
NEIGHBOURS = 3
"""k of recall."""


@dataclass(frozen=True, eq=False)
class Sample:
    """What drawings are compared with; every sketch has a category of ``categories``.

    people: the inputs, n sketches.
    others: another person's sketch of the same category for each, none of them an input; empty: without that row.
    reference: training sketches for FID and recall, of each category as many as there are inputs; empty: without these.
    training: training sketches for the distance to the nearest twin, the more the better; empty: without it.
    """

    people: Sequence[Sketch]
    others: Sequence[Sketch]
    reference: Sequence[Sketch]
    training: Sequence[Sketch]
    categories: tuple[str, ...]


@dataclass(frozen=True)
class LikenessSettings:
    """How much is measured of each row."""

    samples: int = 4
    """Drawings of an input for variety; below 2, variety is left out."""
    varied: int = 235
    """Inputs that are drawn so often, at most, spread evenly over the categories."""
    pixel_test: bool = True
    """Train CNNs for the pixel-level two-sample test; needs PyTorch."""
    folds: int = 5
    """Folds of the order test and the two-sample tests."""
    seed: int = 0
    """Seed of drawings, choices, tests and intervals."""


def freedom_table(
    draw: Draw,
    sample: Sample,
    classifier: Classifier,
    *,
    freedoms: Sequence[float] = FREEDOMS,
    settings: LikenessSettings = LikenessSettings(),
    drawn: Mapping[float, Sequence[Sketch]] | None = None,
    scale: bool = True,
    on_progress: OnProgress | None = None,
) -> tuple[Likeness, ...]:
    """One row for each freedom; with ``scale``, then one of the tracer and one of another person's sketches.

    draw: gives the drawings; see `Draw`. drawn: drawings that are there already, freedom -> one of each input, which
    are used in place of the first sample. Raises DataError for a sample whose parts do not fit.
    """
    tell = on_progress or (lambda what, done, total: None)
    judge = _Judge(sample, classifier, settings)
    rows = []
    for number, freedom in enumerate(freedoms):
        what = f"freedom {freedom:g}"
        tell(f"{what}: drawing", number, len(freedoms))
        seed = settings.seed
        first = None if drawn is None else drawn.get(freedom)
        once = [d for (d,) in draw(sample.people, freedom, 1, seed)] if first is None else list(first)
        several: Sequence[Sequence[Sketch]] = ()
        if settings.samples > 1 and len(judge.varied):
            shown = [sample.people[i] for i in judge.varied]
            more = draw(shown, freedom, settings.samples - 1, seed + 1)
            several = [[once[i], *others] for i, others in zip(judge.varied, more, strict=True)]
        tell(f"{what}: measuring", number, len(freedoms))
        rows.append(judge.row(what, freedom, once, several))
    if scale:
        tell(TRACED, 0, 2)
        # A tracer has no seed: it draws a picture again as it did before.
        once = traced(sample.people)
        rows.append(judge.row(TRACED, None, once, [[once[i]] * 2 for i in judge.varied]))
        if sample.others:
            tell(ANOTHER_PERSON, 1, 2)
            rows.append(judge.row(ANOTHER_PERSON, None, sample.others, ()))
    return tuple(rows)


def traced(sketches: Sequence[Sketch]) -> list[Sketch]:
    """Each sketch as `convert` reads it from a picture: drawn at 256 pixels with a line of 3, traced to centre lines.

    Where the tracer finds nothing in the picture, a dot.
    """
    found = []
    for sketch in sketches:
        try:
            found.append(read_picture(255 - render(sketch, _SHEET), category=sketch.category))
        except PictureError:
            found.append(_dot(sketch))
    return found


class _Judge:
    """Measures drawings of one sample; what all rows share is computed once."""

    def __init__(self, sample: Sample, classifier: Classifier, settings: LikenessSettings) -> None:
        n = len(sample.people)
        if n < 2 or len(sample.others) not in (0, n):
            raise DataError(f"{n} inputs and {len(sample.others)} sketches by others; two inputs or more are needed")
        self.sample, self.classifier, self.settings = sample, classifier, settings
        self.labels = _labels(sample.people, sample.categories)
        self.meant = np.array(
            [classifier.categories.index(c) if c in classifier.categories else -1 for c in sample.categories]
        )[self.labels]
        self.ink = ink_of(sample.people, INK)
        self.strokes = np.array([len(sketch) for sketch in sample.people], np.float64)
        self.features = classifier.look(sample.people)[1]
        self.reference = classifier.look(sample.reference)[1] if len(sample.reference) > NEIGHBOURS else None
        self.training = classifier.look(sample.training)[1] if len(sample.training) else None
        self.fid = None if self.reference is None else metrics.frechet_distance(self.reference, self.features)
        comparable = np.flatnonzero(np.bincount(self.labels)[self.labels] > 1)
        self.varied: NDArray[np.int64] = comparable[spread(self.labels[comparable], settings.varied, settings.seed)]

    def row(
        self, name: str, freedom: float | None, drawn: Sequence[Sketch], several: Sequence[Sequence[Sketch]]
    ) -> Likeness:
        """Every figure of one drawing of each input; ``several``: two or more of each of ``self.varied``, or none."""
        people, seed = self.sample.people, self.settings.seed
        drawn = [sketch if sketch.strokes else _dot(sketch) for sketch in drawn]
        logits, features = self.classifier.look(drawn)
        known = self.meant >= 0
        matchings = match_all(people, drawn)
        agreement = stroke_agreement(people, matchings)
        return Likeness(
            name=name,
            freedom=freedom,
            inputs=len(people),
            variety=self._variety(several),
            top1=share(metrics.top_k(logits[known], self.meant[known], 1)) if known.any() else None,
            fid_ratio=self._fid_ratio(features),
            recall=self._recall(features),
            twin=self._twin(features),
            f1=bootstrap(metrics.ink_f1(ink_of(drawn, INK), self.ink), seed=seed),
            matched=bootstrap(agreement.matched, seed=seed),
            first=_mean(agreement.first, _as_share),
            direction=_mean(agreement.direction, rate),
            tau=_mean(agreement.tau, bootstrap),
            order_test=self._order_test(matchings),
            pixel_test=self._pixel_test(drawn),
            stroke_test=self._stroke_test(drawn),
            strokes=bootstrap(
                np.stack([[float(len(sketch)) for sketch in drawn], self.strokes], axis=1), statistic=ratio, seed=seed
            ),
        )

    def _variety(self, several: Sequence[Sequence[Sketch]]) -> Estimate | None:
        if not len(several):
            return None
        flat = [sketch for drawings in several for sketch in drawings]
        features = self.classifier.look(flat)[1].reshape(len(several), -1, self.features.shape[1])
        found = metrics.variety(features, self.labels[self.varied], self.features, self.labels)
        return bootstrap(found, seed=self.settings.seed)

    def _fid_ratio(self, features: FloatArray) -> Estimate | None:
        if self.reference is None or not self.fid:
            return None
        found = metrics.frechet_estimate(self.reference, features, seed=self.settings.seed)
        return Estimate(found.value / self.fid, found.low / self.fid, found.high / self.fid, found.n)

    def _recall(self, features: FloatArray) -> Estimate | None:
        if self.reference is None or len(features) <= NEIGHBOURS:
            return None
        return share(metrics.precision_recall(self.reference, features, NEIGHBOURS)[1])

    def _twin(self, features: FloatArray) -> Estimate | None:
        if self.training is None:
            return None
        training_labels = _labels(self.sample.training, self.sample.categories)
        try:
            found = metrics.twin_distances(
                features, self.labels, self.features, self.labels, self.training, training_labels
            )
        except DataError:  # a category without training sketches
            return None
        return bootstrap(found, seed=self.settings.seed)

    def _order_test(self, matchings: Sequence[Matching]) -> Estimate | None:
        own, reordered, _ = order_pairs(self.sample.people, matchings)
        if len(own) < 2 * self.settings.folds:
            return None
        return rate(order_test(own, reordered, folds=self.settings.folds, seed=self.settings.seed))

    def _stroke_test(self, drawn: Sequence[Sketch]) -> Estimate | None:
        if len(drawn) < 2 * self.settings.folds:
            return None
        right = stroke_two_sample_test(self.sample.people, drawn, folds=self.settings.folds, seed=self.settings.seed)
        return _of_pairs(right)

    def _pixel_test(self, drawn: Sequence[Sketch]) -> Estimate | None:
        if not self.settings.pixel_test or len(drawn) < 2 * self.settings.folds:
            return None
        try:
            from sketch_pix2seq.evaluation.two_sample import pixel_two_sample_test
        except ImportError:
            return None
        ink = (ink_of(side, self.classifier.raster) for side in (self.sample.people, drawn))
        return _of_pairs(pixel_two_sample_test(*ink, folds=self.settings.folds, seed=self.settings.seed))


def _of_pairs(right: NDArray[np.bool_]) -> Estimate:
    """A sketch and its redrawing are not independent: they are resampled together."""
    return rate(right.mean(axis=0))


def _mean(values: NDArray[np.float64], estimate: Callable[[NDArray[np.float64]], Estimate]) -> Estimate | None:
    there = values[~np.isnan(values)]
    return estimate(there) if len(there) else None


def _as_share(values: NDArray[np.float64]) -> Estimate:
    return share(values > 0.5)


def _labels(sketches: Sequence[Sketch], categories: Sequence[str]) -> NDArray[np.int64]:
    number = {name: i for i, name in enumerate(categories)}
    try:
        return np.array([number[sketch.category or ""] for sketch in sketches], np.int64)
    except KeyError as error:
        raise DataError(f"a sketch of the category {error} is not of those that are compared") from None


def _dot(sketch: Sketch) -> Sketch:
    return Sketch((np.full((1, 2), CANVAS_SIZE / 2, np.float32),), sketch.category)
