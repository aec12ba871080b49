from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from sketch_pix2seq.drawing.atlas import Atlas
from sketch_pix2seq.drawing.complete import _bounds, _Frames, _joined, _rows, complete
from sketch_pix2seq.drawing.model import DrawSettings, Model
from sketch_pix2seq.drawing.pretrained import load_model
from sketch_pix2seq.drawing.prior import Prior
from sketch_pix2seq.errors import FormatError, ModelError, SettingsError
from sketch_pix2seq.model.folder import ATLAS
from sketch_pix2seq.sequence import SequenceSpec, Start, rows_of
from sketch_pix2seq.sketch import Sketch
from tests.drawing.conftest import KINDS

QUICK = DrawSettings(temperature=0.7, pen_temperature=1.0, max_points=30, candidates=2)

EITHER_PEN = DrawSettings(temperature=0.7, pen_temperature=50.0, max_points=30, candidates=1)


def with_prior(folder: Path) -> Model:
    """A tiny model with two categories, one Gaussian each, far from each other."""
    runtime = load_model(folder).runtime
    means = np.stack([np.full((1, 8), -1.0), np.full((1, 8), 1.0)]).astype(np.float32)
    flat = np.full((2, 8), 0.3, np.float32)
    return Model(
        runtime, Prior(("a", "b"), np.full(2, 0.5), np.ones((2, 1)), means, np.zeros((2, 8, 1), np.float32), flat)
    )


def begins_with(drawing: Sketch, started: Sketch) -> bool:
    return all((a == b).all() for a, b in zip(started.strokes, drawing.strokes, strict=False))


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("goal", ["category", "picture", "nothing"])
def test_the_started_strokes_stay_as_they_are(folders: dict[str, Path], house: Sketch, kind: str, goal: str) -> None:
    model = with_prior(folders[kind])
    started = Sketch(house.strokes[:2]).transform([[3.7, 0, 11], [0, 3.7, -5]])
    given = {"category": "b"} if goal == "category" else {"picture": house} if goal == "picture" else {}
    drawings = complete(model, started, 3, seed=4, settings=QUICK, **given)
    assert len(drawings) == 3
    for drawing in drawings:
        assert begins_with(drawing, started)
        assert drawing.metadata["started"] == 2
        assert drawing.n_points <= 30
        assert drawing.metadata["ended"] or drawing.n_points == 30
        assert drawing.category == given.get("category")
    assert any(drawing.n_points > started.n_points for drawing in drawings)
    assert drawings == complete(model, started, 3, seed=4, settings=QUICK, **given)
    assert drawings != complete(model, started, 3, seed=5, settings=QUICK, **given)


def test_where_and_how_large_it_is_drawn_does_not_matter(folders: dict[str, Path], house: Sketch) -> None:
    model = with_prior(folders["canvas"])
    started = Sketch(house.strokes[:1])
    moved = started.transform([[2, 0, 64], [0, 2, 32]])
    for a, b in zip(
        complete(model, started, 2, settings=QUICK), complete(model, moved, 2, settings=QUICK), strict=True
    ):
        np.testing.assert_allclose(b.points(), a.points() * 2 + [64, 32], atol=0.05)


@pytest.mark.parametrize("kind", list(KINDS))
def test_the_last_stroke_may_go_on(folders: dict[str, Path], house: Sketch, kind: str) -> None:
    model = with_prior(folders[kind])
    started = Sketch((house.strokes[0], house.strokes[1][:2]))
    drawings = complete(model, started, 8, settings=EITHER_PEN, pen_down=True)
    for drawing in drawings:
        assert (drawing.strokes[0] == started.strokes[0]).all()
        assert (drawing.strokes[1][:2] == started.strokes[1]).all()
    assert any(len(drawing.strokes[1]) > 2 for drawing in drawings)
    dot = Sketch((np.array([[3.0, 4.0]], np.float32),))
    assert all((d.strokes[0][0] == [3, 4]).all() for d in complete(model, dot, 2, settings=QUICK, pen_down=True))


@pytest.mark.parametrize("start", ["centre", "first"])
def test_rows_in_the_true_frame_are_those_of_the_finished_drawing(house: Sketch, start: Start) -> None:
    spec = SequenceSpec(start, 30.0)
    drawing = house.transform([[1.5, 0, 20], [0, 1.5, 90]])
    started = Sketch(drawing.strokes[:2])
    whole, frame = rows_of(drawing, spec), _bounds([drawing])
    rows = _rows(started, frame, spec, False)[0]
    assert len(rows) == started.n_points - (start == "first")
    np.testing.assert_allclose(rows, whole[: len(rows)], atol=1e-5)
    assert _rows(started, frame, spec, True)[0, -1, 2:].tolist() == [1, 0, 0]
    back = _joined(started, house.with_(metadata={"ended": True}), float(frame.side[0]))
    np.testing.assert_allclose(back.points(), drawing.points(), atol=1e-3)


def test_a_dot_is_a_beginning(folders: dict[str, Path]) -> None:
    dot = Sketch((np.array([[3.0, 4.0]], np.float32),))
    for kind in KINDS:
        for drawing in complete(with_prior(folders[kind]), dot, 2, settings=QUICK):
            assert drawing.strokes[0].tolist() == [[3, 4]]
    assert _bounds([dot]).side[0] > 0
    assert _Frames(np.ones(3), np.zeros((3, 2))).select(np.array([1])).side.shape == (1,)


def test_a_picture_leads_and_its_own_coordinates_are_tried(house: Sketch) -> None:
    """The bundled model, given the outline of a face and the whole face, draws what is missing, where it is missing."""
    turn = np.linspace(0, 2 * np.pi, 20)
    circle = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    parts = [circle * 120 + 128, circle[::4] * 12 + [88, 95], circle[::4] * 12 + [168, 95]]
    parts.append(np.array([[80, 175], [105, 198], [150, 198], [176, 175]]))
    face = Sketch(tuple(part.astype(np.float32) for part in parts))
    model = load_model()
    (drawing,) = complete(model, Sketch(face.strokes[:1]), picture=face)
    assert drawing.metadata["ended"]
    far = np.square(model.encode_sketches([drawing, Sketch(face.strokes[:1]), house]) - model.encode([face])).mean(1)
    assert far[0] < far[1] < far[2]
    assert np.abs(drawing.points() - 128).max() < 140


def test_what_cannot_be_completed_is_refused(folders: dict[str, Path], house: Sketch) -> None:
    model = with_prior(folders["canvas"])
    with pytest.raises(SettingsError, match="no strokes"):
        complete(model, Sketch(()))
    with pytest.raises(SettingsError, match="samples"):
        complete(model, house, 0)
    with pytest.raises(SettingsError, match="seed"):
        complete(model, house, seed=-1)
    with pytest.raises(SettingsError, match="leaves no room"):
        complete(model, house, settings=DrawSettings(max_points=12))
    with pytest.raises(SettingsError, match="no category 'aa'; did you mean 'a'"):
        complete(model, house, category="aa")
    with pytest.raises(SettingsError, match="not both"):
        complete(model, house, category="a", picture=house)
    with pytest.raises(ModelError, match="prior"):
        complete(Model(model.runtime), house)


def test_the_atlas_of_its_folder_is_compared_with(folders: dict[str, Path], house: Sketch, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(folders["canvas"], tmp_path / "model"))
    with_prior(folder).prior.save(folder)
    assert load_model(folder).atlas is None
    drawings = (house.with_(category="a"), house.transform([[0.3, 0.0, 0.0], [0.0, 1.0, 0.0]]).with_(category="b"))
    codes = load_model(folder).encode_sketches(drawings)
    atlas = Atlas(("a", "b"), np.array([0, 1], np.uint16), np.zeros((2, 2), np.float32), codes, drawings, "model")
    path = atlas.save(folder / ATLAS)
    model = load_model(folder)
    assert model.atlas is not None
    assert model.atlas.drawings[0].category == "a"
    started = Sketch(house.strokes[:2])
    made = complete(model, started, 5, settings=QUICK)  # more than there are drawings to compare with
    assert len(made) == 5
    assert all(begins_with(drawing, started) for drawing in made)
    assert len(complete(model, started, 2, category="b", settings=QUICK)) == 2
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(FormatError, match="not a map"):
        complete(load_model(folder), started, settings=QUICK)


def test_what_is_all_but_done_does_not_come_first() -> None:
    """The model adds to a body with two legs, though as it stands it fits the strokes best."""
    turn = np.linspace(0, 2 * np.pi, 16)
    body = np.stack([np.cos(turn) * 100, np.sin(turn) * 60], axis=1)
    legs = [np.array([[x, 50], [x, 110]]) for x in (-50, 50)]
    started = Sketch(tuple(part.astype(np.float32) for part in (body, *legs)))
    model = load_model()
    for drawing in complete(model, started, 4, settings=DrawSettings(candidates=1)):
        assert drawing.path_length() > 1.05 * started.path_length()


@pytest.mark.parametrize("category", ["eye", None])
def test_the_bundled_model_completes(category: str | None) -> None:
    """The outline of an eye becomes one where an eye is asked for, and several things where nothing is."""
    turn = np.linspace(0, 2 * np.pi, 16)
    outline = Sketch((np.stack([np.cos(turn) * 120, np.sin(turn) * 45], axis=1).astype(np.float32),))
    model = load_model()
    drawings = complete(model, outline, 3, category=category, seed=1)
    looks = [model.prior.categories[c] for c in model.prior.posterior(model.encode_sketches(drawings)).argmax(axis=1)]
    assert all(drawing.metadata["ended"] and len(drawing) > 1 for drawing in drawings)
    assert looks.count("eye") >= 2 if category else len(set(looks)) >= 2


def test_progress_adds_up(folders: dict[str, Path], house: Sketch) -> None:
    done: list[int] = []
    complete(with_prior(folders["canvas"]), house, 3, settings=QUICK, on_progress=done.append)
    assert sum(done) == 3
