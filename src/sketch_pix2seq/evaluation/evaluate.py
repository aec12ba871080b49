"""All figures of a model on one split of a set: what `sketch-pix2seq evaluate` does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq.data.batches import longest_rows
from sketch_pix2seq.data.store import SketchSet, Split
from sketch_pix2seq.drawing.model import DrawSettings, Model
from sketch_pix2seq.drawing.recognition import Classifier, load_classifier
from sketch_pix2seq.errors import DataError
from sketch_pix2seq.evaluation import metrics
from sketch_pix2seq.evaluation.freedom import NEIGHBOURS, LikenessSettings, Sample, freedom_table
from sketch_pix2seq.evaluation.likelihood import Likelihood, likelihood
from sketch_pix2seq.evaluation.results import (
    AtDamage,
    Distribution,
    Evaluation,
    Likeness,
    Losses,
    Recognition,
    Retrieval,
)
from sketch_pix2seq.evaluation.settings import EvaluateSettings
from sketch_pix2seq.evaluation.statistics import bootstrap, by_group, ratio, share, spread
from sketch_pix2seq.evaluation.strokes import stroke_statistics
from sketch_pix2seq.machine import machine
from sketch_pix2seq.raster import damaged
from sketch_pix2seq.sketch import FloatArray, Sketch

OnProgress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is."""
_KS = (1, 10, 50)
_ORDER: tuple[Split, ...] = ("test", "valid", "train")
"""Splits from which another person's sketches are taken, after the one that is measured."""


def evaluate(
    model: Model,
    sketches: SketchSet,
    settings: EvaluateSettings = EvaluateSettings(),
    *,
    name: str = "",
    split: Split = "test",
    classifier: Classifier | None = None,
    on_progress: OnProgress | None = None,
) -> Evaluation:
    """Measure a model on a split of a set; each metric's own function tells its protocol.

    Every sketch of the split is redrawn once at freedom 0, for Rec, Ret@k, FID, the stroke statistics and the first row
    of the table over freedom (`freedom.freedom_table`), for which some are drawn at other freedoms, too. Categories
    that the model was not trained on are left out. FID, precision and recall compare with as many sketches of the
    training split, category by category, never with the inputs themselves; the figures of the inputs stand beside those
    of their redrawings.
    Raises DataError where no sketch is left to measure on, ModelError for a model without an encoder.
    """
    model.check_encoder()
    began = time.monotonic()
    tell = on_progress or (lambda what, done, total: None)
    classifier = classifier or load_classifier()
    chosen = _chosen(model, sketches, split, settings)
    used = tuple(sketches.categories[c] for c in np.unique(sketches.category_ids[chosen]))
    labels = np.searchsorted(np.array(used), np.array(sketches.categories)[sketches.category_ids[chosen]])
    people = [sketches[int(i)].fit() for i in chosen]

    redrawn = [d for (d,) in _drawn(model, people, 0.0, 1, settings, settings.seed, tell, "redrawing")]
    ended = np.array([bool(drawing.metadata["ended"]) for drawing in redrawn])

    tell("looking", 0, 3)
    people_logits, people_features = classifier.look(people)
    tell("looking", 1, 3)
    logits, features = classifier.look(redrawn)
    tell("looking", 2, 3)
    known, meant = _meant(classifier, labels, used)
    right, people_right = (metrics.top_k(each[known], meant, 1).astype(np.float64) for each in (logits, people_logits))
    return Evaluation(
        model=name or "model",
        network=repr(model),
        training=model.info.training,
        data=sketches.path.name,
        split=split,
        categories=used,
        sketches=len(people),
        renderer=classifier.raster,
        classifier=classifier.describe(),
        temperature=settings.temperature,
        seed=settings.seed,
        machine=machine(),
        losses=_losses(model, sketches, people, labels, used, tell),
        people=_recognition(classifier, people_logits, labels, used),
        redrawn=_recognition(classifier, logits, labels, used),
        ended=share(ended),
        retrieval=_retrieval(model, people, redrawn, labels, used, settings),
        distribution=_distribution(classifier, sketches, chosen, people_features, features, settings),
        likeness=_likeness(model, classifier, sketches, chosen, redrawn, used, split, settings, tell),
        healing=_healing(model, classifier, people, labels, used, settings, tell),
        strokes=stroke_statistics(people, redrawn, seed=settings.seed),
        rec_difference=bootstrap(right - people_right) if known.any() else None,
        seconds=round(time.monotonic() - began, 1),
    )


def _chosen(model: Model, sketches: SketchSet, split: Split, settings: EvaluateSettings) -> NDArray[np.int64]:
    """Which sketches: of the split and the model's categories, at most ``limit``, evenly over the categories."""
    known = [c for c, name in enumerate(sketches.categories) if name in model.info.categories]
    chosen = sketches.indices(split)
    chosen = chosen[np.isin(sketches.category_ids[chosen], known)]
    if len(chosen) < 2:
        raise DataError(
            f"{sketches.path}: its split {split!r} has nothing of what the model was trained on "
            f"({', '.join(model.info.categories[:8])}{', ...' if len(model.info.categories) > 8 else ''})"
        )
    if not settings.limit:
        return chosen
    return chosen[spread(sketches.category_ids[chosen], settings.limit, settings.seed)]


def _drawn(
    model: Model,
    sources: Sequence[Sketch],
    freedom: float,
    samples: int,
    settings: EvaluateSettings,
    seed: int,
    tell: OnProgress,
    what: str,
) -> list[list[Sketch]]:
    done = 0
    tell(what, 0, len(sources))

    def more(count: int) -> None:
        nonlocal done
        done += count
        tell(what, done, len(sources))

    return model.draw_all(
        sources, samples, seed=seed, settings=DrawSettings(settings.temperature, freedom=freedom), on_progress=more
    )


def _losses(
    model: Model,
    sketches: SketchSet,
    people: Sequence[Sketch],
    labels: NDArray[np.int64],
    used: Sequence[str],
    tell: OnProgress,
) -> Losses:
    done = 0
    tell("likelihood", 0, len(people))

    def more(count: int) -> None:
        nonlocal done
        done += count
        tell("likelihood", done, len(people))

    found = likelihood(model, people, on_progress=more)
    alone = likelihood(model, people, follow=False) if model.info.model.attend > 0 else None
    train = sketches.indices("train")
    longest = max(sketch.n_points for sketch in people)
    if len(train):
        longest = longest_rows(sketches, train, model.info.sequence)
    both, pairs = _summed(found)
    both_code, pairs_code = (None, None) if alone is None else _summed(alone)
    return Losses(
        l_r=bootstrap(both / longest),
        nats_point=bootstrap(pairs, statistic=ratio),
        longest=longest,
        l_kl=None if found.kl is None else bootstrap(found.kl),
        by_category=by_group(pairs, labels, used, statistic=ratio, samples=200),
        l_r_code=None if both_code is None else bootstrap(both_code / longest),
        nats_point_code=None if pairs_code is None else bootstrap(pairs_code, statistic=ratio),
    )


def _summed(found: Likelihood) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of each sketch its nats ``(n,)``; these beside its number of points ``(n, 2)``."""
    both = found.offset + found.pen
    return both, np.stack([both, found.rows.astype(np.float64)], axis=1)


def _recognition(
    classifier: Classifier, logits: FloatArray, labels: NDArray[np.int64], used: tuple[str, ...]
) -> Recognition | None:
    known, meant = _meant(classifier, labels, used)
    if not known.any():
        return None
    logits, labels = logits[known], labels[known]
    first = metrics.top_k(logits, meant, 1)
    # Back from the classifier's categories to those under test; its others get a number past the last.
    place = np.array([used.index(c) if c in used else len(used) for c in classifier.categories])
    said = place[logits.argmax(axis=1)]
    return Recognition(
        top1=share(first),
        top3=share(metrics.top_k(logits, meant, min(3, logits.shape[1]))),
        by_category=by_group(first, labels, used),
        confusion=tuple(tuple(map(int, row)) for row in metrics.confusion(said, labels, len(used))),
    )


def _meant(
    classifier: Classifier, labels: NDArray[np.int64], used: tuple[str, ...]
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Sketches ``(n,)`` whose category the classifier knows, and the number that it has there, of each of these."""
    numbers = np.array([classifier.categories.index(c) if c in classifier.categories else -1 for c in used])[labels]
    return numbers >= 0, numbers[numbers >= 0]


def _retrieval(
    model: Model,
    people: Sequence[Sketch],
    redrawn: Sequence[Sketch],
    labels: NDArray[np.int64],
    used: Sequence[str],
    settings: EvaluateSettings,
) -> Retrieval:
    gallery = model.encode_sketches(people)
    ranks = metrics.retrieval_ranks(model.encode_sketches(redrawn), gallery)
    return Retrieval(
        gallery=len(gallery),
        temperature=settings.temperature,
        at={str(k): share(metrics.retrieved(ranks, k)) for k in _KS},
        by_category=by_group(metrics.retrieved(ranks, 1), labels, used),
    )


def _distribution(
    classifier: Classifier,
    sketches: SketchSet,
    chosen: NDArray[np.int64],
    people: FloatArray,
    drawn: FloatArray,
    settings: EvaluateSettings,
) -> Distribution | None:
    """None where the training split has too few sketches of some category, or all are too few."""
    reference = _training_sketches(sketches, chosen, settings.seed)
    if reference is None or len(chosen) <= NEIGHBOURS:
        return None
    _, known = classifier.look([sketches[int(i)] for i in reference])
    precision, recall = metrics.precision_recall(known, drawn, NEIGHBOURS)
    precision_people, recall_people = metrics.precision_recall(known, people, NEIGHBOURS)
    return Distribution(
        reference=len(known),
        fid=metrics.frechet_estimate(known, drawn, seed=settings.seed),
        fid_people=metrics.frechet_estimate(known, people, seed=settings.seed),
        precision=share(precision),
        recall=share(recall),
        precision_people=share(precision_people),
        recall_people=share(recall_people),
        neighbours=NEIGHBOURS,
    )


def _training_sketches(sketches: SketchSet, chosen: NDArray[np.int64], seed: int) -> NDArray[np.int64] | None:
    """Of the training split as many sketches of each category as were chosen; None where a category has fewer."""
    rng = np.random.default_rng(seed)
    wanted = np.bincount(sketches.category_ids[chosen], minlength=len(sketches.categories))
    found = []
    for category in np.flatnonzero(wanted):
        there = sketches.indices("train", sketches.categories[category])
        if len(there) < wanted[category]:
            return None
        found.append(rng.choice(there, wanted[category], replace=False))
    return np.concatenate(found)


def _likeness(
    model: Model,
    classifier: Classifier,
    sketches: SketchSet,
    chosen: NDArray[np.int64],
    redrawn: Sequence[Sketch],
    used: tuple[str, ...],
    split: Split,
    settings: EvaluateSettings,
    tell: OnProgress,
) -> tuple[Likeness, ...]:
    """The table over freedom, of some of the chosen sketches."""
    if not settings.inputs or not settings.freedoms:
        return ()
    places = spread(sketches.category_ids[chosen], settings.inputs, settings.seed)
    inputs = chosen[places]
    reference = _training_sketches(sketches, inputs, settings.seed)
    others = _others(sketches, inputs, split, settings.seed) if settings.scale else None
    rng = np.random.default_rng(settings.seed)
    training = [rng.permutation(sketches.indices("train", name))[: settings.twins] for name in used if settings.twins]

    def taken(indices: Iterable[np.int64]) -> list[Sketch]:
        return [sketches[int(i)].fit() for i in indices]

    sample = Sample(
        people=taken(inputs),
        others=[] if others is None else taken(others),
        reference=[] if reference is None else taken(reference),
        training=taken(np.concatenate(training)) if training else [],
        categories=used,
    )

    def draw(pictures: Sequence[Sketch], freedom: float, samples: int, seed: int) -> list[list[Sketch]]:
        return _drawn(model, pictures, freedom, samples, settings, seed, tell, f"freedom {freedom:g}: drawing")

    return freedom_table(
        draw,
        sample,
        classifier,
        freedoms=[freedom for freedom in settings.freedoms if freedom == 0 or model.has_flow],
        settings=LikenessSettings(
            settings.samples, settings.varied, settings.pixel_test, settings.folds, settings.seed
        ),
        drawn={0.0: [redrawn[i] for i in places]},
        scale=settings.scale,
        on_progress=tell,
    )


def _others(sketches: SketchSet, inputs: NDArray[np.int64], split: Split, seed: int) -> NDArray[np.int64] | None:
    """For each input another sketch of its category, each taken once; None where a category has too few.

    Of the same split as far as they go, then of validation or test, and last of the training split.
    """
    order: list[Split] = [split, *(other for other in _ORDER if other != split)]
    rng = np.random.default_rng(seed)
    found = np.zeros(len(inputs), np.int64)
    of_inputs = sketches.category_ids[inputs]
    for category in np.unique(of_inputs):
        own = of_inputs == category
        pools = [rng.permutation(sketches.indices(part, sketches.categories[category])) for part in order]
        there = np.concatenate(pools)
        there = there[~np.isin(there, inputs)]
        if len(there) < own.sum():
            return None
        found[own] = there[: own.sum()]
    return found


def _healing(
    model: Model,
    classifier: Classifier,
    people: Sequence[Sketch],
    labels: NDArray[np.int64],
    used: tuple[str, ...],
    settings: EvaluateSettings,
    tell: OnProgress,
) -> tuple[AtDamage, ...]:
    """One row a damage, of the same inputs."""
    if model.info.model.encoder == "rnn" or not settings.damages or not settings.inputs:
        return ()
    inputs = spread(labels, settings.inputs, settings.seed)
    ink = model.ink_of([people[i] for i in inputs])
    order = np.concatenate([inputs, np.delete(np.arange(len(people)), inputs)])
    gallery = model.encode_sketches(people)[order]
    draw = DrawSettings(settings.temperature, freedom=0.0)
    found = []
    for number, damage in enumerate(settings.damages):
        tell("healing", number, len(settings.damages))
        shown = damaged(ink, damage, seed=settings.seed)
        drawn = model.draw_codes(model.encode_ink(shown), pictures=shown, seed=settings.seed + 2, settings=draw)
        healed = [drawing for (drawing,) in drawn]
        rec = _recognition(classifier, classifier.look(healed)[0], labels[inputs], used)
        ranks = metrics.retrieval_ranks(model.encode_sketches(healed), gallery)
        top1 = None if rec is None else rec.top1
        again = share(metrics.retrieved(ranks, 1))
        found.append(AtDamage(damage=damage, gallery=len(gallery), top1=top1, retrieved=again))
    tell("healing", len(settings.damages), len(settings.damages))
    return tuple(found)
