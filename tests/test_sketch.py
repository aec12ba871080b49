from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sketch_pix2seq.sketch import Sketch

DOTS = np.zeros((2, 2), np.float32)
whole_points = arrays(np.float32, st.tuples(st.integers(1, 12), st.just(2)), elements=st.integers(-300, 300).map(float))
fine_points = arrays(
    np.float32, st.tuples(st.integers(1, 12), st.just(2)), elements=st.integers(-(2**14), 2**14).map(lambda n: n / 64)
)


@given(st.lists(fine_points, min_size=1, max_size=6))
def test_stroke3_round_trip_is_exact(strokes: list[np.ndarray]) -> None:
    sketch = Sketch(tuple(strokes))
    assert Sketch.from_stroke3(sketch.to_stroke3()) == sketch


@given(st.lists(fine_points, min_size=1, max_size=6), st.integers(0, 5))
def test_stroke5_round_trip_is_exact_whatever_the_padding(strokes: list[np.ndarray], padding: int) -> None:
    sketch = Sketch(tuple(strokes))
    rows = sketch.to_stroke5(sketch.n_points + 1 + padding)
    assert rows.shape == (sketch.n_points + 1 + padding, 5)
    assert (rows[:, 2:].sum(axis=1) == 1).all()
    assert Sketch.from_stroke5(rows) == sketch


@given(st.lists(whole_points, min_size=1, max_size=6))
@settings(max_examples=60)
def test_implicit_origin_keeps_shape_and_pen_lifts(strokes: list[np.ndarray]) -> None:
    sketch = Sketch(tuple(stroke - strokes[0][0] for stroke in strokes))
    back = Sketch.from_stroke3(sketch.to_stroke3(implicit_origin=True), implicit_origin=True)
    if len(strokes[0]) == 2 and (sketch.strokes[0] == 0).all():  # a dot drawn twice is a dot
        assert len(back.strokes[0]) == 1
    else:
        assert back == sketch


def test_first_stroke_that_is_a_dot_keeps_its_pen_up() -> None:
    sketch = Sketch((np.array([[0, 0]]), np.array([[5, 5], [10, 5]])))
    rows = sketch.to_stroke3(implicit_origin=True)
    assert rows.tolist() == [[0, 0, 1], [5, 5, 0], [5, 0, 1]]
    assert Sketch.from_stroke3(rows, implicit_origin=True) == sketch


def test_quickdraw_rows_begin_at_the_first_point() -> None:
    sketch = Sketch.from_stroke3([[3, 4, 0], [0, 2, 1], [1, 1, 0], [5, 0, 0]], implicit_origin=True)
    assert [stroke.tolist() for stroke in sketch.strokes] == [[[0, 0], [3, 4], [3, 6]], [[4, 7], [9, 7]]]


def test_stroke5_needs_room_for_the_end(house: Sketch) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        house.to_stroke5(house.n_points)


@pytest.mark.parametrize(
    "strokes", [([[0, 0, 0]],), (np.empty((0, 2)),), ([[0, np.nan]],), ([[np.inf, 0]],), ([0, 1],)]
)
def test_what_is_no_stroke_is_refused(strokes: tuple[np.ndarray, ...]) -> None:
    with pytest.raises(ValueError, match="stroke 0"):
        Sketch(strokes)


@pytest.mark.parametrize("shape", [(3,), (3, 4), (2, 3, 3)])
def test_rows_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="stroke-3 needs rows"):
        Sketch.from_stroke3(np.zeros(shape))


def test_a_sketch_cannot_be_changed(house: Sketch) -> None:
    with pytest.raises(ValueError, match="read-only"):
        house.strokes[0][0, 0] = 7
    given_array = np.zeros((2, 2), np.float32)
    sketch = Sketch((given_array,))
    given_array[0, 0] = 9
    assert sketch.strokes[0][0, 0] == 0


def test_fit_keeps_aspect_and_moves_to_the_origin(house: Sketch) -> None:
    moved = house.transform([[3, 0, -40], [0, 3, 17]])
    fitted = moved.fit()
    assert fitted.bounds() == pytest.approx((0, 0, 200, 255), abs=1e-4)
    for a, b in zip(fitted.strokes, house.strokes, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


def test_fit_of_a_single_dot_only_moves() -> None:
    assert Sketch((np.array([[7, 9]]),)).fit().strokes[0].tolist() == [[0, 0]]


def test_simplify_keeps_ends_corners_and_times() -> None:
    line = np.stack([np.arange(50), np.zeros(50)], axis=1)
    corner = np.concatenate([line, [[49, 30]]])
    sketch = Sketch((corner,), times=(np.arange(51, dtype=np.float32),))
    simple = sketch.simplify(1.0)
    assert simple.strokes[0].tolist() == [[0, 0], [49, 0], [49, 30]]
    assert simple.times is not None
    assert simple.times[0].tolist() == [0, 49, 50]


@given(arrays(np.float32, (30, 2), elements=st.integers(0, 255).map(float)), st.floats(0.5, 20))
@settings(max_examples=30)
def test_simplify_stays_within_epsilon(stroke: np.ndarray, epsilon: float) -> None:
    kept = Sketch((stroke,)).simplify(epsilon).strokes[0].astype(float)
    a, b = kept[:-1], kept[1:]
    for point in stroke.astype(float):
        along = np.clip(((point - a) * (b - a)).sum(1) / np.maximum(((b - a) ** 2).sum(1), 1e-12), 0, 1)
        assert np.hypot(*(a + along[:, None] * (b - a) - point).T).min() <= epsilon + 1e-3


def test_resample_gives_equal_steps_and_keeps_ends() -> None:
    stroke = np.array([[0, 0], [10, 0], [10, 5]])
    points = Sketch((stroke,)).resample(1.0).strokes[0]
    assert points[0].tolist() == [0, 0]
    assert points[-1].tolist() == [10, 5]
    steps = np.hypot(*np.diff(points, axis=0).T)
    np.testing.assert_allclose(steps, 1.0, atol=1e-5)


def test_equality_looks_at_everything(house: Sketch) -> None:
    assert house == Sketch(house.strokes, "house")
    assert hash(house) == hash(Sketch(house.strokes, "house"))
    assert house != house.with_(category="barn")
    assert house != house.with_(metadata={"key_id": "1"})
    assert house != Sketch(house.strokes[::-1], "house")
    assert house != 3


def test_a_notebook_shows_the_drawing(house: Sketch) -> None:
    shown = house._repr_svg_()
    assert shown.count("<path") == 3
    assert "<svg" in shown


@pytest.mark.parametrize("value", [1.1e9, -1.1e9, np.nan, np.inf, 1e300])
def test_coordinates_and_times_have_bounds(value: float) -> None:
    with pytest.raises(ValueError, match=r"stroke 1 holds a coordinate that is not a number up to 1,000,000,000"):
        Sketch((DOTS, np.array([[0, 0], [value, 0]])))
    with pytest.raises(ValueError, match="stroke 0 holds a coordinate"):
        Sketch.from_stroke3(np.array([[0, 0, 0], [0, value, 0]]))
    with pytest.raises(ValueError, match="times hold something that is not a number"):
        Sketch((DOTS,), times=(np.array([0, value], np.float32),))


@pytest.mark.parametrize("times", [(np.zeros((2, 1)),), (np.zeros(3),), ()])
def test_times_of_another_shape_are_refused(times: tuple[np.ndarray, ...]) -> None:
    with pytest.raises(ValueError, match="times must hold one number for each point"):
        Sketch((DOTS,), times=times)


@pytest.mark.parametrize("value", ["\ud800", float("nan"), float("inf"), 1 << 64, -(1 << 64), None, [1], b"a", {}])
def test_metadata_that_is_no_json_is_refused(house: Sketch, value: Any) -> None:
    with pytest.raises(ValueError, match="the metadata's 'key' is not text, a finite number"):
        house.with_(metadata={"key": value})


@pytest.mark.parametrize("key", ["\udfff", 3, None])
def test_metadata_is_named_by_text(house: Sketch, key: Any) -> None:
    with pytest.raises(ValueError, match=r"the metadata's name .* is not text"):
        house.with_(metadata={key: 1})


@pytest.mark.parametrize("category", ["\ud800", 3, b"cat"])
def test_a_category_is_text(house: Sketch, category: Any) -> None:
    with pytest.raises(ValueError, match=r"the category .* is not text"):
        house.with_(category=category)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda sketch: pickle.loads(pickle.dumps(sketch))])
def test_a_copy_is_equal_and_as_unchangeable(house: Sketch, copied: Callable[[Sketch], Sketch]) -> None:
    times = tuple(np.arange(len(s), dtype=np.float32) for s in house.strokes)
    sketch = Sketch(house.strokes, "house", {"key_id": "1"}, times)
    again = copied(sketch)
    assert again == sketch
    with pytest.raises(ValueError, match="read-only"):
        again.strokes[0][0, 0] = 7
    with pytest.raises(TypeError):
        again.metadata["key_id"] = "2"  # type: ignore[index]


def test_a_read_only_view_of_what_can_change_is_copied() -> None:
    owner = np.zeros((3, 2), np.float32)
    view = owner[:2]
    view.setflags(write=False)
    sketch = Sketch((view,))
    owner[0, 0] = 9
    assert sketch.strokes[0][0, 0] == 0


def test_equal_sketches_have_equal_hashes_whatever_the_sign_of_zero() -> None:
    one, other = Sketch((np.array([[0.0, 1.0]]),)), Sketch((np.array([[-0.0, 1.0]]),))
    assert one == other
    assert hash(one) == hash(other)


def test_resampling_is_bounded() -> None:
    far = Sketch((np.array([[-1e9, 0], [1e9, 0]]),))
    with pytest.raises(ValueError, match="more than 10,000,000 points"):
        far.resample(1.0)
    with pytest.raises(ValueError, match="above 0"):
        far.resample(float("nan"))
