from __future__ import annotations

import numpy as np
import pytest

from sketch_pix2seq.drawing.collage import Beginnings
from sketch_pix2seq.sketch import Sketch


def line(*points: tuple[float, float]) -> np.ndarray:
    return np.array(points, np.float32)


def test_a_collage_is_the_rest_of_what_begins_alike(house: Sketch) -> None:
    drawing = house.transform([[0.5, 0, 300], [0, 0.5, -40]])
    (collage,) = Beginnings([house.with_(category="house")]).collages(Sketch(drawing.strokes[:2]))
    assert collage.unlike < 0.02
    assert collage.sketch.category == "house"
    np.testing.assert_allclose(collage.sketch.points(), drawing.points(), atol=0.1)
    (other,) = Beginnings([house]).collages(Sketch(drawing.strokes[2:]))
    assert other.unlike > collage.unlike


def test_a_stroke_that_is_cut_goes_on_from_its_last_point() -> None:
    corner = Sketch((line((0, 0), (100, 0), (100, 50), (0, 50)),))
    started = Sketch((line((10, 10), (210, 10)),))
    (collage,) = Beginnings([corner]).collages(started)
    assert collage.unlike == pytest.approx(0, abs=1e-6)
    assert [len(stroke) for stroke in collage.sketch.strokes] == [2, 3]
    np.testing.assert_allclose(collage.sketch.strokes[1], [[210, 10], [210, 110], [10, 110]], atol=1e-4)


def test_the_most_alike_come_first_and_each_drawing_once(house: Sketch) -> None:
    tall = house.transform([[0.4, 0.0, 0.0], [0.0, 1.0, 0.0]])
    round_ = Sketch(
        tuple(np.stack([np.cos(t), np.sin(t)], 1).astype(np.float32) for t in np.linspace(0, 6, 40).reshape(2, 20))
    )
    things = [round_.with_(category="ring"), tall.with_(category="tower"), house.with_(category="house")]
    found = list(Beginnings(things).collages(Sketch(house.strokes[:1])))
    assert found[0].sketch.category == "house"
    assert sorted(collage.sketch.category or "" for collage in found) == ["house", "ring", "tower"]
    assert [collage.unlike for collage in found] == sorted(collage.unlike for collage in found)


def test_what_cannot_be_cut_makes_no_collage(house: Sketch) -> None:
    dot, segment = Sketch((line((3, 4)),)), Sketch((line((0, 0), (10, 0)),))
    assert len(Beginnings([dot, house])) == 1
    assert not list(Beginnings([dot, segment]).collages(segment))
    assert not list(Beginnings([]).collages(house))
    # Where the started drawing is a dot, a thing is laid on it by its own beginning, at its own size.
    (collage,) = Beginnings([house]).collages(dot)
    assert collage.sketch.strokes[0].tolist() == [[3, 4]]
    size = np.ptp(collage.sketch.points(), axis=0)
    np.testing.assert_allclose(size, np.ptp(house.points(), axis=0), rtol=0.3)
