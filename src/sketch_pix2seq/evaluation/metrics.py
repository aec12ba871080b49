"""The metrics: NumPy arrays in, one value a sketch out wherever a metric has one; `statistics` makes estimates of them.

Nothing here needs PyTorch, and nothing builds a matrix of all sketches against all: memory is bounded by blocks.
Labels are category numbers from 0; features are the numbers a classifier gives a sketch before it names it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq.errors import DataError, ModelError
from sketch_pix2seq.evaluation.results import Estimate
from sketch_pix2seq.evaluation.statistics import bootstrap_two

_BLOCK = 2048
"""Rows of a block of distances, which takes 32 MB."""

Reals = NDArray[np.floating]
Labels = NDArray[np.integer]


# -- recognition ------------------------------------------------------------------------------------------


def top_k(logits: Reals, labels: Labels, k: int) -> NDArray[np.bool_]:
    """Rec: for each sketch, whether its category is among the classifier's ``k`` best guesses, ``(n,)`` bool.

    Protocol: the classifier, trained on people's training sketches, names the model's redrawings of the test sketches;
    right is the category of the input. The figure depends on the classifier and on the ink it is shown, so state its
    top-k on people's own test sketches, rendered alike, beside it.

    logits: ``(n, classes)``; any scores that grow with belief. labels: ``(n,)``. A class with the same score as the
    right one counts as guessed before it; a right class whose score is not a number is never guessed.
    """
    logits, labels = np.asarray(logits), np.asarray(labels)
    if logits.ndim != 2 or labels.shape != logits.shape[:1]:
        raise ValueError(f"logits (n, classes) and labels (n,) are needed; got {logits.shape} and {labels.shape}")
    if k < 1:
        raise ValueError(f"k must be at least 1; got {k}")
    _check_labels(labels, logits.shape[1])
    own = np.take_along_axis(logits, labels[:, None].astype(np.int64), axis=1)
    not_behind = np.count_nonzero(~(logits < own), axis=1)
    among: NDArray[np.bool_] = (not_behind <= k) & ~np.isnan(own[:, 0])
    return among


def confusion(predicted: Labels, labels: Labels, classes: int) -> NDArray[np.int64]:
    """What was meant against what the classifier said, counts ``(classes, classes + 1)``.

    Rows: ``labels``, 0 to classes - 1; columns: ``predicted``, where every number outside that range (a category of
    the classifier that is not under test) falls into the last column.
    """
    predicted, labels = np.asarray(predicted), np.asarray(labels)
    if predicted.shape != labels.shape or labels.ndim != 1:
        raise ValueError(f"predicted (n,) and labels (n,) are needed; got {predicted.shape} and {labels.shape}")
    _check_labels(labels, classes)
    columns = np.where((predicted >= 0) & (predicted < classes), predicted, classes).astype(np.int64)
    cells = labels.astype(np.int64) * (classes + 1) + columns
    return np.bincount(cells, minlength=classes * (classes + 1)).reshape(classes, classes + 1)


# -- retrieval --------------------------------------------------------------------------------------------


def retrieval_ranks(queries: Reals, gallery: Reals, *, block: int = _BLOCK) -> NDArray[np.int64]:
    """For Ret@k: the rank of each query's own gallery item, 0 = nearest, ``(n,)``; see `retrieved`.

    Protocol (the SP-gra2seq line of papers): gallery item i is the code y_i (posterior mean) of the ORIGINAL test
    sketch i. Each sketch is redrawn once (published: temperature 0.24), the redrawing is rendered and encoded again by
    the same encoder, and its code z_i is QUERY i. Gallery items are ranked by their mean squared distance to z_i. The
    figure depends on the gallery: state its size and its categories.

    queries: ``(n, z)``; gallery: ``(m, z)`` with m >= n; item i of the gallery is query i's own, items from n on are
    only there to be confused with. The rank is the number of other items that are at most as far as the own one: a tie,
    such as the same drawing twice in the gallery, counts against the model. Distances are in double precision.
    Raises ValueError for other shapes or numbers that are not finite, DataError without queries.
    """
    queries, gallery = np.asarray(queries), np.asarray(gallery)
    n, width = len(queries), queries.shape[-1]
    if queries.ndim != 2 or gallery.ndim != 2 or gallery.shape[1] != width or len(gallery) < n:
        raise ValueError(
            f"queries (n, z) and a gallery (n or more, z) are needed; got {queries.shape} and {gallery.shape}"
        )
    if n == 0:
        raise DataError("there are no queries to look for in the gallery")
    if not all(np.isfinite(codes[rows]).all() for codes in (queries, gallery) for rows in _blocks(len(codes), block)):
        raise ValueError("codes hold a number that is not finite")
    ranks = np.full(n, -1, np.int64)  # the own item is at most as far as itself
    for rows in _blocks(n, block):
        own = np.diagonal(_squared(queries[rows], gallery[rows]))
        for items in _blocks(len(gallery), block):
            ranks[rows] += np.count_nonzero(_squared(queries[rows], gallery[items]) <= own[:, None], axis=1)
    return ranks


def retrieved(ranks: NDArray[np.integer], k: int) -> NDArray[np.bool_]:
    """Ret@k: whether each query's own gallery item is among the ``k`` nearest, ``(n,)``, from `retrieval_ranks`.

    Rank 0 is the nearest, so the k nearest have ranks below k. Raises ValueError for k below 1.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1; got {k}")
    among: NDArray[np.bool_] = np.asarray(ranks) < k
    return among


def _blocks(n: int, block: int) -> Iterator[slice]:
    if block < 1:
        raise ValueError(f"a block needs at least 1 row; got {block}")
    return (slice(start, min(start + block, n)) for start in range(0, n, block))


def _squared(a: Reals, b: Reals) -> NDArray[np.float64]:
    """Squared distances of the rows of two blocks, ``(rows of a, rows of b)``, 0 between equal ones."""
    from scipy.spatial.distance import cdist

    return np.asarray(cdist(a, b, "sqeuclidean"))


# -- distributions ----------------------------------------------------------------------------------------


def frechet_distance(features_a: Reals, features_b: Reals) -> float:
    """FID: Frechet distance of the Gaussians with the samples' means and covariances (Heusel et al. 2017).

    |mean_a - mean_b|^2 + tr(A + B - 2 (A B)^(1/2)), covariances with n - 1; the trace of the root is the sum of the
    singular values of A^(1/2) B^(1/2), which stays exact where a covariance is singular.

    Protocol: people's test sketches against the redrawings of the same, both through the classifier's features.
    The figure depends on the feature network, on the renderer, and on the number of sketches: it is biased upwards by
    an amount that shrinks as 1/n (Chong & Forsyth 2020) and is far from 0 even between two halves of people's sketches
    where n is not many times the number of features. Compare only figures of equal n, and print that floor.

    features: ``(n, d)`` and ``(m, d)``. Raises DataError where a sample has under two rows.
    """
    mean_a, root_a = _gaussian(features_a)
    mean_b, root_b = _gaussian(features_b)
    _check_width(root_a, root_b)
    traces = float(np.square(root_a).sum() + np.square(root_b).sum())
    cross = float(np.linalg.svd(root_a.T @ root_b, compute_uv=False).sum())
    return max(0.0, float(np.square(mean_a - mean_b).sum()) + traces - 2.0 * cross)


def frechet_estimate(features_a: Reals, features_b: Reals, *, resamples: int = 30, seed: int = 0) -> Estimate:
    """`frechet_distance` with the interval of `statistics.bootstrap_two`: how far it strays with the sketches drawn.

    The interval lies around the biased value, whose bias it does not contain.
    """
    a, b = _features(features_a, "features"), _features(features_b, "features")
    return bootstrap_two(a, b, frechet_distance, samples=resamples, seed=seed, lowest=0.0)


def _gaussian(features: Reals) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean, and a matrix F with F F' = covariance."""
    x = _features(features, "features")
    if len(x) < 2:
        raise DataError("a covariance needs at least two sketches; there is one")
    middle = x.mean(axis=0)
    centred = x - middle
    values, vectors = np.linalg.eigh(centred.T @ centred / (len(x) - 1))
    return middle, vectors * np.sqrt(np.maximum(values, 0.0))


def precision_recall(
    people: Reals, drawn: Reals, k: int = 3, *, block: int = _BLOCK
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Improved precision and recall (Kynkaanniemi et al. 2019), sample by sample; the figures are the means.

    Around each sketch of a set lies a ball that reaches to its k-th nearest neighbour in the same set. Precision
    ``(m,)``: whether a drawing lies in a ball of people's sketches (is it like something that people draw?). Recall
    ``(n,)``: whether a sketch of people's lies in a ball of the drawings (is it something that the model draws?).
    Both depend on the features, on k and on the numbers of sketches, which should be equal: more sketches give smaller
    balls.

    people: ``(n, d)``; drawn: ``(m, d)``. Raises DataError where a set has no more than k sketches.
    """
    theirs, ours = _checked(people, "people"), _checked(drawn, "drawn")
    _check_width(theirs, ours)
    for name, features in (("people's sketches", theirs), ("drawings", ours)):
        if not 0 < k < len(features):
            raise DataError(f"the {k}-th nearest neighbour needs more than {k} {name}; there are {len(features)}")
    reach_theirs, reach_ours = _nearest(theirs, k, block)[1], _nearest(ours, k, block)[1]
    precise, recalled = np.zeros(len(ours), bool), np.zeros(len(theirs), bool)
    for rows in _blocks(len(theirs), block):
        for columns in _blocks(len(ours), block):
            squared = _squared(theirs[rows], ours[columns])
            precise[columns] |= (squared <= reach_theirs[rows, None]).any(axis=0)
            recalled[rows] |= (squared <= reach_ours[None, columns]).any(axis=1)
    return precise, recalled


def _nearest(features: Reals, k: int, block: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The k nearest other rows of each row ``(n, k)``, in any order, and the squared distance to the k-th ``(n,)``."""
    n = len(features)
    names, reach = np.zeros((n, k), np.int64), np.zeros(n)
    for rows in _blocks(n, max(1, block * block // n)):
        squared = _squared(features[rows], features)
        squared[np.arange(len(squared)), np.arange(n)[rows]] = np.inf
        names[rows] = np.argpartition(squared, k - 1, axis=1)[:, :k]
        reach[rows] = np.take_along_axis(squared, names[rows], axis=1).max(axis=1)
    return names, reach


# -- variety ----------------------------------------------------------------------------------------------


def variety(drawn: Reals, drawn_labels: Labels, people: Reals, people_labels: Labels) -> NDArray[np.float64]:
    """How different several drawings of one input are, ``(inputs,)``: 0 = all the same, 1 = as two people's are.

    Mean Euclidean distance between two drawings of the input, over the mean distance between two different people's
    sketches of the input's category. It depends on the feature space and the temperature; state what it costs in Rec.

    drawn: features ``(inputs, samples, d)``, two samples at least; drawn_labels: ``(inputs,)``; people: features
    ``(n, d)``; people_labels: ``(n,)``. Raises DataError for a category that has no two different sketches.
    """
    drawn = np.asarray(drawn, np.float64)
    people = _features(people, "people")
    drawn_labels, people_labels = np.asarray(drawn_labels), np.asarray(people_labels)
    if drawn.ndim != 3 or drawn.shape[1] < 2 or drawn.shape[2] != people.shape[1]:
        raise ValueError(f"drawings (inputs, 2 or more samples, {people.shape[1]}) are needed; got {drawn.shape}")
    if drawn_labels.shape != (len(drawn),) or people_labels.shape != (len(people),):
        raise ValueError("each input and each of people's sketches needs its label")
    from scipy.spatial.distance import pdist

    apart = np.array([pdist(of_input).mean() for of_input in drawn])
    for label in np.unique(drawn_labels):
        apart[drawn_labels == label] /= _mean_distance(people[people_labels == label], int(label))
    return apart


def _mean_distance(features: NDArray[np.float64], label: int) -> float:
    """Mean distance between two different rows."""
    from scipy.spatial.distance import pdist

    distances = pdist(features)
    if not distances.any():
        raise DataError(f"category {label} has no two different sketches by people, so variety has no unit there")
    return float(distances.mean())


# -- likeness to the input and to the training set --------------------------------------------------------


def ink_f1(drawn: NDArray[np.uint8], people: NDArray[np.uint8], *, tolerance: float = 1.0) -> NDArray[np.float64]:
    """F1 of each redrawing's ink to the ink of its input, ``(n,)``: 1 = the same lines.

    Precision: the share of the redrawing's ink pixels with ink of the input within ``tolerance`` pixels; recall: the
    other way about. Ink pixels are those of at least half of full ink. A tracer is near 1, so that 1 is no virtue where
    a drawing shall be free.

    drawn, people: ink ``(n, size, size)``, 255 = line; ``drawn[i]`` is the redrawing of ``people[i]``. A picture
    without ink has an F1 of 0.
    """
    from scipy.ndimage import distance_transform_edt

    if drawn.shape != people.shape or drawn.ndim != 3:
        raise ValueError(f"ink (n, size, size) of both sides is needed; got {drawn.shape} and {people.shape}")
    found = np.zeros(len(drawn))
    for i, (ours, theirs) in enumerate(zip(drawn >= 128, people >= 128, strict=True)):
        if ours.any() and theirs.any():
            precision = (distance_transform_edt(~theirs)[ours] <= tolerance).mean()
            recall = (distance_transform_edt(~ours)[theirs] <= tolerance).mean()
            found[i] = 2 * precision * recall / max(precision + recall, 1e-12)
    return found


def twin_distances(
    drawn: Reals, drawn_labels: Labels, people: Reals, people_labels: Labels, training: Reals, training_labels: Labels
) -> NDArray[np.float64]:
    """How far each drawing is from its nearest training sketch of its category, ``(n,)``; 1 = as far as people's own.

    Euclidean distance in the features to the nearest training sketch of the same category, over the mean of that of
    people's held-out sketches of the category. Values far below 1 are near copies. It depends on how many training
    sketches there are of the category, the same for both.

    drawn: ``(n, d)``, people: ``(m, d)``, training: ``(t, d)``, each with its labels. Raises DataError for a category
    without training sketches, or whose held-out sketches are all copies.
    """
    drawn, people, training = (
        _features(x, name) for x, name in ((drawn, "drawn"), (people, "people"), (training, "training"))
    )
    found = np.zeros(len(drawn))
    for label in np.unique(drawn_labels):
        known = training[np.asarray(training_labels) == label]
        held_out = people[np.asarray(people_labels) == label]
        if not len(known) or not len(held_out):
            raise DataError(f"category {label} lacks training or held-out sketches, so twins have no unit there")
        unit = float(_to_nearest(held_out, known).mean())
        if unit == 0:
            raise DataError(f"the held-out sketches of category {label} are all in the training split")
        own = np.asarray(drawn_labels) == label
        found[own] = _to_nearest(drawn[own], known) / unit
    return found


def _to_nearest(features: NDArray[np.float64], known: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance of each row to the nearest row of ``known``."""
    blocks = _blocks(len(features), max(1, _BLOCK * _BLOCK // len(known)))
    nearest = np.concatenate([_squared(features[rows], known).min(axis=1) for rows in blocks])
    return np.asarray(np.sqrt(nearest), np.float64)


# -- latent space -----------------------------------------------------------------------------------------


def neighbour_purity(codes: Reals, labels: Labels, k: int = 10, *, block: int = _BLOCK) -> NDArray[np.float64]:
    """For each code, the share of its ``k`` nearest other codes with the same label, ``(n,)``.

    It depends on k, on the number of codes and on the balance of the categories: by chance it is the category's share
    of the set. codes: ``(n, z)``, Euclidean distance; labels: ``(n,)``. Raises DataError for fewer than k + 1 codes.
    """
    codes, labels = _features(codes, "codes"), np.asarray(labels)
    if labels.shape != (len(codes),):
        raise ValueError(f"each of {len(codes)} codes needs its label; got labels {labels.shape}")
    if not 0 < k < len(codes):
        raise DataError(f"{k} nearest neighbours need more than {k} codes; there are {len(codes)}")
    nearest, _ = _nearest(codes, k, block)
    same: NDArray[np.float64] = (labels[nearest] == labels[:, None]).mean(axis=1)
    return same


def silhouette(codes: Reals, labels: Labels, *, sample: int = 5000, seed: int = 0) -> NDArray[np.float64]:
    """Silhouettes of codes (Rousseeuw 1987), each from -1 to 1; their mean is the figure.

    (b - a) / max(a, b): a, the mean distance to the codes of the same category; b, to those of the nearest other one.
    It depends on the categories that are there. codes: ``(n, z)``; labels: ``(n,)``; of more than ``sample`` codes, a
    random choice of that many stands for all.
    Raises ModelError without scikit-learn, DataError where there are not two categories, or no two codes of one.
    """
    try:
        from sklearn.metrics import silhouette_samples
    except ImportError as error:
        raise ModelError('silhouettes need scikit-learn: pip install "sketch-pix2seq[evaluate]"') from error
    codes, labels = _features(codes, "codes"), np.asarray(labels)
    if labels.shape != (len(codes),):
        raise ValueError(f"each of {len(codes)} codes needs its label; got labels {labels.shape}")
    if len(codes) > sample:
        chosen = np.sort(np.random.default_rng(seed).choice(len(codes), sample, replace=False))
        codes, labels = codes[chosen], labels[chosen]
    if not 1 < len(np.unique(labels)) < len(codes):
        raise DataError("silhouettes need two categories or more, and more than one code in one of them")
    return np.asarray(silhouette_samples(codes, labels), np.float64)


# -- checks -----------------------------------------------------------------------------------------------


def _features(values: Any, name: str) -> NDArray[np.float64]:
    return np.asarray(_checked(values, name), np.float64)


def _checked(values: Any, name: str) -> Reals:
    """Features as they are, so that those of a million sketches are not copied."""
    features = np.asarray(values)
    if features.dtype.kind != "f":
        features = features.astype(np.float64)
    if features.ndim != 2:
        raise ValueError(f"{name}: an array (n, d) is needed; got {features.shape}")
    if not len(features):
        raise DataError(f"{name}: no sketches")
    if not all(np.isfinite(features[rows]).all() for rows in _blocks(len(features), _BLOCK)):
        raise ValueError(f"{name}: a number that is not finite")
    return features


def _check_width(a: Reals, b: Reals) -> None:
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"features of {a.shape[1]} and of {b.shape[1]} numbers cannot be compared")


def _check_labels(labels: Labels, classes: int) -> None:
    if len(labels) and not 0 <= labels.min() <= labels.max() < classes:
        raise ValueError(f"labels from {labels.min()} to {labels.max()} do not fit {classes} classes")
