"""Completion keeps what is there, in its own coordinates, and says how finished it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sketch_pix2seq.drawing import complete as room
from sketch_pix2seq.drawing.complete import complete
from sketch_pix2seq.drawing.model import DrawSettings, Model
from sketch_pix2seq.drawing.pretrained import load_model
from sketch_pix2seq.drawing.runtime import Told
from sketch_pix2seq.errors import ModelError, SettingsError
from sketch_pix2seq.sequence import SequenceSpec, Start, rows_of
from sketch_pix2seq.sketch import Sketch

QUICK = DrawSettings(temperature=0.7, pen_temperature=1.0, max_points=30)


@pytest.fixture(scope="module")
def model(folders: dict[str, Path]) -> Model:
    return load_model(folders["default"], threads=1)


def begins_with(drawing: Sketch, started: Sketch) -> bool:
    return all((a == b).all() for a, b in zip(started.strokes, drawing.strokes, strict=False))


@pytest.mark.parametrize("goal", ["category", "picture", "nothing"])
def test_the_started_strokes_stay_as_they_are(model: Model, house: Sketch, goal: str) -> None:
    started = Sketch(house.strokes[:2]).transform([[3.7, 0, 11], [0, 3.7, -5]])
    given = {"category": "B"} if goal == "category" else {"picture": house} if goal == "picture" else {}
    drawings = complete(model, started, 3, seed=4, settings=QUICK, **given)
    assert len(drawings) == 3
    for drawing in drawings:
        assert begins_with(drawing, started)
        assert drawing.metadata["started"] == 2
        assert drawing.n_points <= 30
        assert drawing.metadata["ended"] or drawing.n_points == 30
        assert drawing.category == ("b" if goal == "category" else None)
        finished = drawing.metadata["finished"]
        assert isinstance(finished, float)
        assert 0 <= finished <= 1
    assert any(drawing.n_points > started.n_points for drawing in drawings)
    assert drawings == complete(model, started, 3, seed=4, settings=QUICK, **given)
    assert drawings != complete(model, started, 3, seed=5, settings=QUICK, **given)


def test_where_and_how_large_it_is_drawn_does_not_matter(model: Model, house: Sketch) -> None:
    started = Sketch(house.strokes[:1])
    moved = started.transform([[2, 0, 64], [0, 2, 32]])
    both = [complete(model, sketch, 2, settings=QUICK) for sketch in (started, moved)]
    for a, b in zip(*both, strict=True):
        np.testing.assert_allclose(b.points(), a.points() * 2 + [64, 32], atol=0.1)


@pytest.mark.parametrize("start", ["centre", "first"])
def test_rows_in_the_true_frame_are_those_of_the_finished_drawing(house: Sketch, start: Start) -> None:
    spec = SequenceSpec(start, 30.0)
    drawing = house.transform([[1.5, 0, 20], [0, 1.5, 90]])
    started = Sketch(drawing.strokes[:2])
    side, centre = room._bounds(drawing)
    told = Told(np.zeros(1, np.float32), np.zeros(1, np.int64), np.zeros((1, 48, 48), np.float32))
    frame = room._Proposals(np.zeros((1, 0), np.float32), told, np.array([side]), centre[None], np.zeros(1))
    rows = room._rows(started, frame, spec)[0]
    assert len(rows) == started.n_points - (start == "first")
    np.testing.assert_allclose(rows, rows_of(drawing, spec)[: len(rows)], atol=1e-5)
    fitted = house.transform([[1, 0, 0], [0, 1, 0]])
    if start == "first":
        fitted = house.transform([[1, 0, -house.points()[0][0]], [0, 1, -house.points()[0][1]]])
    else:
        left, top, right, bottom = house.bounds()
        fitted = house.transform([[1, 0, 127.5 - (left + right) / 2], [0, 1, 127.5 - (top + bottom) / 2]])
    back = room._joined(started, fitted.with_(metadata={"ended": True}), side, centre, spec, len(rows))
    assert begins_with(back, started)
    np.testing.assert_allclose(back.points(), drawing.points(), atol=1e-2)


def test_a_dot_is_a_beginning(model: Model) -> None:
    dot = Sketch((np.array([[3.0, 4.0]], np.float32),))
    for drawing in complete(model, dot, 2, settings=QUICK):
        assert drawing.strokes[0].tolist() == [[3, 4]]


def test_a_picture_leads_and_its_own_coordinates_are_tried() -> None:
    """The bundled model, given the outline of a face and the whole face, draws what is missing, where it is missing."""
    turn = np.linspace(0, 2 * np.pi, 20)
    circle = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    parts = [circle * 120 + 128, circle[::4] * 12 + [88, 95], circle[::4] * 12 + [168, 95]]
    parts.append(np.array([[80, 175], [105, 198], [150, 198], [176, 175]]))
    face = Sketch(tuple(part.astype(np.float32) for part in parts))
    model = load_model()
    (drawing,) = complete(model, Sketch(face.strokes[:1]), picture=face)
    assert drawing.metadata["ended"]
    assert len(drawing) > 1
    far = np.square(model.encode_sketches([drawing, Sketch(face.strokes[:1])]) - model.encode([face])).mean(1)
    assert far[0] < far[1]
    assert np.abs(drawing.points() - 128).max() < 140


def test_the_bundled_model_knows_what_is_finished() -> None:
    """A whole face is finished, its outline with one eye is not."""
    turn = np.linspace(0, 2 * np.pi, 20)
    circle = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    parts = [circle * 120 + 128, circle[::4] * 12 + [88, 95], circle[::4] * 12 + [168, 95]]
    parts.append(np.array([[80, 175], [105, 198], [150, 198], [176, 175]]))
    face = Sketch(tuple(part.astype(np.float32) for part in parts))
    model = load_model()
    whole, part = (
        complete(model, s, 1, category="face")[0].metadata["finished"] for s in (face, Sketch(face.strokes[:2]))
    )
    assert isinstance(whole, float)
    assert isinstance(part, float)
    assert whole > 0.5 > part


def test_what_cannot_be_completed_is_refused(folders: dict[str, Path], model: Model, house: Sketch) -> None:
    with pytest.raises(SettingsError, match="no strokes"):
        complete(model, Sketch(()))
    with pytest.raises(SettingsError, match="samples"):
        complete(model, house, 0)
    with pytest.raises(SettingsError, match="seed"):
        complete(model, house, seed=-1)
    with pytest.raises(SettingsError, match="leaves no room"):
        complete(model, house, settings=DrawSettings(max_points=12))
    with pytest.raises(SettingsError, match="no category 'zebra'"):
        complete(model, house, category="zebra")
    with pytest.raises(SettingsError, match="not both"):
        complete(model, house, category="a", picture=house)
    with pytest.raises(ModelError, match="no flow"):
        complete(load_model(folders["paper-hyper"]), house)


def test_progress_adds_up(model: Model, house: Sketch) -> None:
    done: list[int] = []
    complete(model, house, 3, settings=QUICK, on_progress=done.append)
    assert sum(done) == 3
