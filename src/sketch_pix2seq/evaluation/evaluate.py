"""All figures of a model on one split of a set: what `sketch-pix2seq evaluate` does."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq.data.store import SketchSet, Split
from sketch_pix2seq.drawing.model import DrawSettings, Model
from sketch_pix2seq.errors import DataError
from sketch_pix2seq.evaluation import metrics
from sketch_pix2seq.evaluation.likelihood import Likelihood, likelihood
from sketch_pix2seq.evaluation.recognition import Classifier, load_classifier
from sketch_pix2seq.evaluation.results import (
    AtDamage,
    AtTemperature,
    Distribution,
    Evaluation,
    Losses,
    Recognition,
    Retrieval,
    Turing,
)
from sketch_pix2seq.evaluation.settings import EvaluateSettings
from sketch_pix2seq.evaluation.statistics import bootstrap, by_group, share, spread
from sketch_pix2seq.evaluation.strokes import stroke_statistics
from sketch_pix2seq.machine import machine
from sketch_pix2seq.raster import damaged, ink_of
from sketch_pix2seq.sketch import FloatArray, Sketch

OnProgress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is."""
NEIGHBOURS = 3
"""k of precision and recall."""
_KS = (1, 10, 50)


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

    Every sketch of the split is redrawn once, in one go for Rec, FID, the Turing test and the stroke statistics; once
    more at the temperature of Ret@k. Categories that the model was not trained on are left out. FID, precision and
    recall compare with as many sketches of the training split, category by category, never with the inputs
    themselves; the figures of the inputs stand beside those of their redrawings.
    Raises DataError where no sketch is left to measure on, ModelError for a model without an encoder.
    """
    model.check_sees()
    began = time.monotonic()
    tell = on_progress or (lambda what, done, total: None)
    classifier = classifier or load_classifier()
    chosen = _chosen(model, sketches, split, settings)
    used = tuple(sketches.categories[c] for c in np.unique(sketches.category_ids[chosen]))
    labels = np.searchsorted(np.array(used), np.array(sketches.categories)[sketches.category_ids[chosen]])
    people = [sketches[int(i)].fit() for i in chosen]

    draw = _drawing(settings, settings.temperature, settings.candidates)
    drawn = _drawn(model, people, 1, draw, settings.seed, tell, "redrawing")
    redrawn = [drawing for (drawing,) in drawn]
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
        candidates=settings.candidates,
        seed=settings.seed,
        machine=machine(),
        losses=_losses(model, sketches, people, labels, used, tell),
        people=_recognition(classifier, people_logits, labels, used),
        redrawn=_recognition(classifier, logits, labels, used),
        ended=share(ended),
        retrieval=_retrieval(model, people, labels, used, settings, tell),
        distribution=_distribution(classifier, sketches, chosen, people_features, features, settings),
        temperatures=_temperatures(model, classifier, people, labels, used, people_features, settings, tell),
        healing=_healing(model, classifier, people, labels, used, settings, tell),
        strokes=stroke_statistics(people, redrawn, seed=settings.seed),
        rec_difference=bootstrap(right - people_right) if known.any() else None,
        turing=_turing(classifier, people, redrawn, labels, used, settings, tell),
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
    samples: int,
    settings: DrawSettings,
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

    return model.draw_all(sources, samples, seed=seed, settings=settings, on_progress=more)


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
    alone = likelihood(model, people, glimpse=False) if model.info.model.glimpse else None
    train = sketches.indices("train")
    longest = int(sketches.lengths[train].max()) if len(train) else max(sketch.n_points for sketch in people)
    both, pairs = _summed(found)
    both_code, pairs_code = (None, None) if alone is None else _summed(alone)
    return Losses(
        l_r=bootstrap(both / longest),
        nats_point=bootstrap(pairs, statistic=_ratio),
        longest=longest,
        l_kl=None if found.kl is None else bootstrap(found.kl),
        by_category=by_group(pairs, labels, used, statistic=_ratio, samples=200),
        l_r_code=None if both_code is None else bootstrap(both_code / longest),
        nats_point_code=None if pairs_code is None else bootstrap(pairs_code, statistic=_ratio),
    )


def _summed(found: Likelihood) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of each sketch its nats ``(n,)``; these beside its number of points ``(n, 2)``."""
    both = found.offset + found.pen
    return both, np.stack([both, found.rows.astype(np.float64)], axis=1)


def _ratio(pairs: NDArray[np.float64]) -> float:
    """Sum of the first column over that of the second."""
    total = pairs.sum(axis=0)
    return float(total[0] / total[1])


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


def _drawing(settings: EvaluateSettings, temperature: float, candidates: int = 1) -> DrawSettings:
    return DrawSettings(
        temperature=temperature,
        candidates=candidates,
        tries=settings.tries,
        retakes=settings.retakes,
        settle=settings.settle,
    )


def _retrieval(
    model: Model,
    people: Sequence[Sketch],
    labels: NDArray[np.int64],
    used: Sequence[str],
    settings: EvaluateSettings,
    tell: OnProgress,
) -> Retrieval:
    draw = _drawing(settings, settings.retrieval_temperature)
    drawn = _drawn(model, people, 1, draw, settings.seed + 1, tell, "redrawing for Ret@k")
    gallery = model.encode_sketches(people)
    ranks = metrics.retrieval_ranks(model.encode_sketches([drawing for (drawing,) in drawn]), gallery)
    return Retrieval(
        gallery=len(gallery),
        temperature=settings.retrieval_temperature,
        at={str(k): share(ranks < k) for k in _KS},
        by_category=by_group(ranks < 1, labels, used),
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
    rng = np.random.default_rng(settings.seed)
    reference = []
    wanted = np.bincount(sketches.category_ids[chosen], minlength=len(sketches.categories))
    for category, count in zip(sketches.categories, wanted, strict=True):
        there = sketches.indices("train", category)
        if len(there) < count:
            return None
        reference.append(rng.choice(there, count, replace=False))
    if len(chosen) <= NEIGHBOURS:
        return None
    _, known = classifier.look([sketches[int(i)] for i in np.concatenate(reference)])
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


def _temperatures(
    model: Model,
    classifier: Classifier,
    people: Sequence[Sketch],
    labels: NDArray[np.int64],
    used: tuple[str, ...],
    people_features: FloatArray,
    settings: EvaluateSettings,
    tell: OnProgress,
) -> tuple[AtTemperature, ...]:
    """One row a temperature, of the same inputs: every category that has two sketches to compare with."""
    comparable = np.flatnonzero(np.bincount(labels)[labels] > 1)
    if not len(comparable):
        return ()
    inputs = comparable[spread(labels[comparable], settings.inputs, settings.seed)]
    found = []
    for temperature in settings.temperatures:
        draw = _drawing(settings, temperature)
        sources = [people[i] for i in inputs]
        drawn = _drawn(model, sources, settings.samples, draw, settings.seed, tell, f"temperature {temperature:g}")
        flat = [drawing for several in drawn for drawing in several]
        logits, features = classifier.look(flat)
        varieties = metrics.variety(
            features.reshape(len(inputs), settings.samples, -1), labels[inputs], people_features, labels
        )
        rec = _recognition(classifier, logits, np.repeat(labels[inputs], settings.samples), used)
        found.append(
            AtTemperature(
                temperature=temperature,
                samples=settings.samples,
                ended=share(np.array([bool(drawing.metadata["ended"]) for drawing in flat])),
                top1=None if rec is None else rec.top1,
                variety=bootstrap(varieties),
            )
        )
    return tuple(found)


def _healing(
    model: Model,
    classifier: Classifier,
    people: Sequence[Sketch],
    labels: NDArray[np.int64],
    used: tuple[str, ...],
    settings: EvaluateSettings,
    tell: OnProgress,
) -> tuple[AtDamage, ...]:
    """One row a damage, of the same inputs, redrawn as for Ret@k."""
    if model.info.model.encoder == "rnn" or not settings.damages:
        return ()
    inputs = spread(labels, settings.inputs, settings.seed)
    ink = model.ink_of([people[i] for i in inputs])
    order = np.concatenate([inputs, np.delete(np.arange(len(people)), inputs)])
    gallery = model.encode_sketches(people)[order]
    draw = _drawing(settings, settings.retrieval_temperature)
    found = []
    for number, damage in enumerate(settings.damages):
        tell("healing", number, len(settings.damages))
        shown = damaged(ink, damage, seed=settings.seed)
        drawn = model.draw_codes(model.encode_ink(shown), pictures=shown, seed=settings.seed + 2, settings=draw)
        healed = [drawing for (drawing,) in drawn]
        rec = _recognition(classifier, classifier.look(healed)[0], labels[inputs], used)
        ranks = metrics.retrieval_ranks(model.encode_sketches(healed), gallery)
        top1 = None if rec is None else rec.top1
        found.append(AtDamage(damage=damage, gallery=len(gallery), top1=top1, retrieved=share(ranks < 1)))
    tell("healing", len(settings.damages), len(settings.damages))
    return tuple(found)


def _turing(
    classifier: Classifier,
    people: Sequence[Sketch],
    drawn: Sequence[Sketch],
    labels: NDArray[np.int64],
    used: Sequence[str],
    settings: EvaluateSettings,
    tell: OnProgress,
) -> Turing | None:
    if not settings.turing or len(people) < 2 * settings.folds:
        return None
    try:
        from sketch_pix2seq.evaluation.two_sample import turing_test
    except ImportError:
        return None
    right = turing_test(
        ink_of(people, classifier.raster),
        ink_of(drawn, classifier.raster),
        folds=settings.folds,
        seed=settings.seed,
        on_progress=lambda done, total: tell("Turing test", done, total),
    )
    # The two pictures of an input are not independent: a sketch and its redrawing are resampled together.
    both = right.mean(axis=0)
    return Turing(
        accuracy=bootstrap(both),
        folds=settings.folds,
        learned_from=2 * (len(people) - -(-len(people) // settings.folds)),
        by_category=by_group(both, labels, used, samples=200),
    )
