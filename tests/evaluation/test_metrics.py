from __future__ import annotations

import sys

import numpy as np
import pytest
from scipy.linalg import sqrtm
from scipy.spatial.distance import cdist, pdist
from sklearn.metrics import confusion_matrix, silhouette_score, top_k_accuracy_score
from sklearn.neighbors import NearestNeighbors

from sketch_pix2seq.errors import DataError, ModelError
from sketch_pix2seq.evaluation.metrics import (
    confusion,
    frechet_distance,
    frechet_estimate,
    ink_f1,
    neighbour_purity,
    precision_recall,
    retrieval_ranks,
    retrieved,
    silhouette,
    top_k,
    twin_distances,
    variety,
)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


# -- recognition ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 3, 6])
def test_top_k_is_scikit_learns(rng: np.random.Generator, k: int) -> None:
    logits, labels = rng.normal(size=(200, 7)), rng.integers(7, size=200)
    right = top_k(logits, labels, k)
    assert right.dtype == bool
    assert right.mean() == pytest.approx(top_k_accuracy_score(labels, logits, k=k, labels=range(7)))


def test_top_k_gives_nothing_for_ties_or_no_number() -> None:
    logits = np.array([[1.0, 1.0, 0.0], [np.nan, 1.0, 0.0], [np.nan, 1.0, 0.0]])
    labels = np.array([0, 0, 1])
    assert top_k(logits, labels, 1).tolist() == [False, False, False]
    assert top_k(logits, labels, 2).tolist() == [True, False, True]
    assert top_k(logits, labels, 3).tolist() == [True, False, True]
    with pytest.raises(ValueError, match="labels"):
        top_k(logits, np.array([0, 1, 3]), 1)


def test_confusion_is_scikit_learns_and_strangers_come_last(rng: np.random.Generator) -> None:
    labels, predicted = rng.integers(4, size=300), rng.integers(4, size=300)
    table = confusion(predicted, labels, 4)
    assert np.array_equal(table[:, :4], confusion_matrix(labels, predicted, labels=range(4)))
    assert not table[:, 4].any()
    assert confusion(np.array([0, 7, -1, 1]), np.array([0, 0, 1, 1]), 2).tolist() == [[1, 0, 1], [0, 1, 1]]


# -- retrieval --------------------------------------------------------------------------------------------


def brute_ranks(queries: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    ranks = []
    for i, query in enumerate(queries.astype(np.float64)):
        far = ((gallery.astype(np.float64) - query) ** 2).mean(axis=1)
        ranks.append(np.count_nonzero(np.delete(far, i) <= far[i]))
    return np.array(ranks)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_ranks_are_those_of_brute_force(rng: np.random.Generator, offset: float, dtype: type) -> None:
    gallery: np.ndarray = (rng.normal(size=(300, 16)) + offset).astype(dtype)
    queries: np.ndarray = (gallery + 0.7 * rng.normal(size=gallery.shape)).astype(dtype)
    expected = brute_ranks(queries, gallery)
    assert 0 < expected.mean() < 150
    for block in (7, 64, 5000):
        assert np.array_equal(retrieval_ranks(queries, gallery, block=block), expected)


def test_the_k_nearest_have_ranks_below_k() -> None:
    ranks = np.array([0, 1, 9, 10, 49, 50])
    assert retrieved(ranks, 1).tolist() == [True, False, False, False, False, False]
    assert retrieved(ranks, 10).tolist() == [True, True, True, False, False, False]
    assert retrieved(ranks, 50).tolist() == [True, True, True, True, True, False]
    gallery = np.array([[0.0], [1.0], [5.0]])
    found = retrieval_ranks(np.array([[0.4], [0.4], [4.0]]), gallery)  # the second query has one nearer item
    assert [float(retrieved(found, k).mean()) for k in (1, 2)] == pytest.approx([2 / 3, 1])
    with pytest.raises(ValueError, match="at least 1"):
        retrieved(ranks, 0)


def test_query_and_gallery_are_not_exchangeable() -> None:
    originals = np.array([[0.0], [10.0], [11.0]])
    redrawings = np.array([[0.0], [10.4], [10.4]])  # each query looks among the originals
    assert retrieval_ranks(redrawings, originals).tolist() == [0, 0, 1]
    assert retrieval_ranks(originals, redrawings).tolist() == [0, 1, 1]


def test_ties_count_against_and_more_of_the_gallery_can_only_confuse() -> None:
    gallery = np.array([[0.0, 0], [3, 0], [0, 0], [-3, 0], [0, 0]])
    assert retrieval_ranks(gallery[:2], gallery).tolist() == [2, 0]
    assert retrieval_ranks(np.zeros((2, 2)), gallery).tolist() == [2, 4]
    assert retrieval_ranks(np.ones((5, 3)), np.ones((5, 3)), block=2).tolist() == [4] * 5


def test_distances_that_single_precision_confuses_are_told_apart(rng: np.random.Generator) -> None:
    near = rng.normal(size=(60, 128))
    gallery = 1.0 + 1e-9 * near
    queries = gallery + 1e-9 * rng.normal(size=gallery.shape)
    outlier = np.full((1, 128), 1e6)  # takes all the digits of single precision
    both = np.concatenate([gallery, outlier]), np.concatenate([queries, outlier])
    assert np.array_equal(retrieval_ranks(both[1], both[0]), brute_ranks(both[1], both[0]))
    assert np.array_equal(retrieval_ranks(1e-30 * near, 1e-30 * near[::-1]), brute_ranks(near, near[::-1]))


def test_retrieval_says_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="gallery"):
        retrieval_ranks(np.zeros((3, 2)), np.zeros((2, 2)))
    with pytest.raises(ValueError, match="finite"):
        retrieval_ranks(np.zeros((2, 2)), np.array([[0.0, 1], [np.nan, 1]]))
    with pytest.raises(ValueError, match="block"):
        retrieval_ranks(np.zeros((2, 2)), np.zeros((2, 2)), block=-1)
    with pytest.raises(DataError, match="no queries"):
        retrieval_ranks(np.zeros((0, 2)), np.zeros((2, 2)))


# -- distributions ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [400, 12])
def test_frechet_distance_is_that_of_the_matrix_root(rng: np.random.Generator, rows: int) -> None:
    mixing = rng.normal(size=(20, 20))
    a = rng.normal(size=(rows, 20)) @ mixing
    b = rng.normal(0.3, 1.5, size=(rows + 30, 20))
    cov_a, cov_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = np.real(sqrtm(cov_a @ cov_b + (0 if rows > 20 else 1e-12) * np.eye(20)))
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(cov_a + cov_b - 2 * root)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-4 if rows < 20 else 1e-9)
    assert frechet_distance(b, a) == pytest.approx(frechet_distance(a, b), rel=1e-9)


def test_frechet_distance_of_a_shift_and_of_one_number(rng: np.random.Generator) -> None:
    a = rng.normal(size=(100, 5)).astype(np.float32)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(a, a + np.float32(2)) == pytest.approx(20, rel=1e-5)
    x, y = a[:, :1].astype(float), 3 * a[:, :1].astype(float) + 1
    assert frechet_distance(x, y) == pytest.approx((y.mean() - x.mean()) ** 2 + (2 * x.std(ddof=1)) ** 2)
    with pytest.raises(DataError, match="two sketches"):
        frechet_distance(a[:1], a)
    with pytest.raises(ValueError, match="compared"):
        frechet_distance(a[:, :3], a)


def test_frechet_interval_is_around_the_value(rng: np.random.Generator) -> None:
    a, b = rng.normal(size=(150, 6)), rng.normal(0.5, 1, size=(120, 6))
    found = frechet_estimate(a, b)
    assert found.value == frechet_distance(a, b)
    assert 0 < found.low < found.value < found.high
    assert found.n == 120
    assert found == frechet_estimate(a, b)


@pytest.mark.parametrize("k", [1, 3])
def test_precision_and_recall_by_brute_force(rng: np.random.Generator, k: int) -> None:
    people, drawn = rng.normal(size=(130, 4)), rng.normal(0.8, 0.6, size=(90, 4))
    reach_people = np.sort(cdist(people, people), axis=1)[:, k]
    reach_drawn = np.sort(cdist(drawn, drawn), axis=1)[:, k]
    between = cdist(people, drawn)
    for block in (11, 4096):
        precise, recalled = precision_recall(people, drawn, k, block=block)
        assert np.array_equal(precise, (between <= reach_people[:, None]).any(axis=0))
        assert np.array_equal(recalled, (between <= reach_drawn[None]).any(axis=1))
    assert recalled.mean() < precise.mean() < 1


def test_precision_and_recall_at_the_ends(rng: np.random.Generator) -> None:
    people = rng.normal(size=(40, 3)) + 50
    assert all(found.all() for found in precision_recall(people, people))
    assert not any(found.any() for found in precision_recall(people, people + 100))
    collapsed = np.repeat(people[:1], 40, axis=0)
    precise, recalled = precision_recall(people, collapsed)
    assert precise.all()
    assert recalled.tolist() == [True] + [False] * 39
    with pytest.raises(DataError, match="there are 3"):
        precision_recall(people, people[:3])


# -- variety ----------------------------------------------------------------------------------------------


def test_variety_is_in_units_of_people_of_the_same_category(rng: np.random.Generator) -> None:
    people = np.concatenate([rng.normal(size=(50, 5)), 7 * rng.normal(size=(40, 5))]) + 20
    people_labels = np.repeat([2, 5], [50, 40])
    drawn, drawn_labels = rng.normal(size=(6, 4, 5)), np.array([5, 2, 2, 5, 2, 2])
    drawn[1] = drawn[1, 0]
    expected = [
        pdist(several).mean() / pdist(people[people_labels == label]).mean()
        for several, label in zip(drawn, drawn_labels, strict=True)
    ]
    found = variety(drawn, drawn_labels, people, people_labels)
    assert found == pytest.approx(expected)
    assert found[1] == 0


def test_drawings_as_different_as_peoples_have_a_variety_of_one(rng: np.random.Generator) -> None:
    found = variety(rng.normal(size=(300, 8, 10)), np.zeros(300, int), rng.normal(size=(300, 10)), np.zeros(300, int))
    assert found.mean() == pytest.approx(1, abs=0.02)


def test_variety_needs_people_who_differ(rng: np.random.Generator) -> None:
    drawn = rng.normal(size=(2, 3, 4))
    with pytest.raises(DataError, match="category 1 "):
        variety(drawn, np.array([0, 1]), rng.normal(size=(3, 4)), np.array([0, 0, 1]))
    with pytest.raises(DataError, match="category 0 "):
        variety(drawn, np.array([0, 0]), np.ones((3, 4)), np.array([0, 0, 0]))
    with pytest.raises(ValueError, match="2 or more samples"):
        variety(drawn[:, :1], np.array([0, 0]), rng.normal(size=(3, 4)), np.array([0, 0, 1]))


# -- likeness to the input and to the training set --------------------------------------------------------


def lines(*rows: int) -> np.ndarray:
    """Ink with a line of ten pixels in each of these rows."""
    ink = np.zeros((48, 48), np.uint8)
    for row in rows:
        ink[row, 10:20] = 255
    return ink


def test_f1_by_hand() -> None:
    drawn = np.stack([lines(20), lines(21), lines(22), lines(20, 30), lines(20), lines()])
    people = np.stack([lines(20), lines(20), lines(20), lines(20), lines(20, 30), lines(20)])
    # The same; a pixel beside; two pixels beside; half of what is drawn; half of what is there; nothing.
    assert ink_f1(drawn, people) == pytest.approx([1, 1, 0, 2 / 3, 2 / 3, 0])
    assert ink_f1(drawn, people, tolerance=2)[2] == pytest.approx(1)
    assert ink_f1(np.full((1, 48, 48), 127, np.uint8), people[:1]) == pytest.approx([0])
    with pytest.raises(ValueError, match="both sides"):
        ink_f1(drawn[:2], people)


def test_twins_are_measured_in_units_of_people(rng: np.random.Generator) -> None:
    training, people, drawn = rng.normal(size=(80, 4)), rng.normal(size=(30, 4)), rng.normal(0, 0.3, size=(20, 4))
    of_training, of_people, of_drawn = (rng.integers(2, size=n) for n in (80, 30, 20))
    drawn[3] = training[np.flatnonzero(of_training == of_drawn[3])[0]]
    found = twin_distances(drawn, of_drawn, people, of_people, training, of_training)
    for label in (0, 1):
        known = training[of_training == label]
        unit = cdist(people[of_people == label], known).min(axis=1).mean()
        assert found[of_drawn == label] == pytest.approx(cdist(drawn[of_drawn == label], known).min(axis=1) / unit)
    assert found[3] == 0
    assert twin_distances(people, of_people, people, of_people, training, of_training).mean() == pytest.approx(1)
    with pytest.raises(DataError, match="category 1 lacks"):
        twin_distances(drawn, of_drawn, people, of_people, training, np.zeros(80, int))
    with pytest.raises(DataError, match="all in the training split"):
        twin_distances(drawn, np.zeros(20, int), people, np.zeros(30, int), people, np.zeros(30, int))


# -- latent space -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 10])
def test_neighbour_purity_is_that_of_scikit_learns_neighbours(rng: np.random.Generator, k: int) -> None:
    labels = rng.integers(3, size=150)
    codes = rng.normal(size=(150, 6)) + labels[:, None] + 100
    near = NearestNeighbors(n_neighbors=k).fit(codes).kneighbors(return_distance=False)
    expected = (labels[near] == labels[:, None]).mean(axis=1)
    for block in (4, 37, 4096):
        assert neighbour_purity(codes, labels, k, block=block) == pytest.approx(expected)


def test_neighbour_purity_needs_enough_codes() -> None:
    codes = np.arange(6.0)[:, None]
    assert neighbour_purity(codes, np.array([0, 0, 0, 1, 1, 1]), 2).tolist() == [1, 1, 0.5, 0.5, 1, 1]
    with pytest.raises(DataError, match="more than 6 codes"):
        neighbour_purity(codes, np.zeros(6, int), 6)


def test_silhouette_is_scikit_learns_of_a_choice(rng: np.random.Generator) -> None:
    labels = rng.integers(3, size=200)
    codes = rng.normal(size=(200, 4)) + 3 * labels[:, None]
    assert silhouette(codes, labels).mean() == pytest.approx(silhouette_score(codes, labels))
    few = silhouette(codes, labels, sample=50)
    assert few.shape == (50,)
    assert np.array_equal(few, silhouette(codes, labels, sample=50))
    with pytest.raises(DataError, match="two categories"):
        silhouette(codes, np.zeros(200, int))


def test_silhouette_without_scikit_learn_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.metrics", None)
    with pytest.raises(ModelError, match=r"pip install \"sketch-pix2seq\[evaluate\]\""):
        silhouette(np.zeros((4, 2)), np.array([0, 0, 1, 1]))
