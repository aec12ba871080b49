"""The creative tasks with tiny models: what they give, what is written, and what `seen` counts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sketch_pix2seq.drawing import create, latent
from sketch_pix2seq.drawing.alter import with_part, without_strokes
from sketch_pix2seq.drawing.create import (
    Alteration,
    Creation,
    Interpolation,
    altered,
    analogy,
    completion,
    healing,
    hybrid,
    interpolation,
    seen,
    write_creation,
)
from sketch_pix2seq.drawing.model import DrawSettings, Model, Source
from sketch_pix2seq.drawing.pretrained import load_model
from sketch_pix2seq.errors import FileError, SettingsError
from sketch_pix2seq.formats import read_sketches, write_sketch
from sketch_pix2seq.sheet import Cell
from sketch_pix2seq.sketch import FloatArray, Sketch
from tests.conftest import random_sketch

SHORT = DrawSettings(max_points=12, freedom=0)


@pytest.fixture(scope="module")
def model(folders: dict[str, Path]) -> Model:
    return load_model(folders["code"], threads=1)


@pytest.fixture
def ball() -> Sketch:
    angle = np.linspace(0, 2 * np.pi, 20)
    return Sketch((np.stack([40 * np.cos(angle), 40 * np.sin(angle)], 1).astype(np.float32),), "ball")


def same(a: list[Sketch], b: list[Sketch]) -> bool:
    return len(a) == len(b) and all(x == y for x, y in zip(a, b, strict=True))


# -- seen -------------------------------------------------------------------------------------------------


def framed(sketch: Sketch, input_: Sketch) -> Sketch:
    """A drawing exactly as a model would give it that traces ``sketch`` when it is shown ``input_``."""
    left, top, right, bottom = input_.bounds()
    scale = 255 / max(right - left, bottom - top)
    return sketch.transform(
        [[scale, 0, 127.5 - scale * (left + right) / 2], [0, scale, 127.5 - scale * (top + bottom) / 2]]
    )


def test_seen_of_what_was_added(house: Sketch, ball: Sketch) -> None:
    changed = with_part(house, ball, at=(1.2, 0.1), size=0.3)
    assert seen(framed(changed, changed), house, changed) == (1.0, None)
    assert seen(framed(house, changed), house, changed) == (0.0, None)
    half = Sketch((*house.strokes, changed.strokes[-1][:10]))
    share = seen(framed(half, changed), house, changed).added
    assert share == pytest.approx(0.5, abs=0.15)


def test_seen_of_what_was_taken(house: Sketch) -> None:
    changed = without_strokes(house, [3])
    assert seen(framed(changed, changed), house, changed) == (None, 0.0)
    assert seen(framed(house, changed), house, changed) == (None, 1.0)
    roofless = without_strokes(house, [2])  # the frame grows smaller: the roof lies outside of it
    assert seen(framed(house, roofless), house, roofless) == (None, 1.0)


def test_seen_of_what_was_changed_both_ways_and_not_at_all(house: Sketch, ball: Sketch) -> None:
    changed = with_part(without_strokes(house, [3]), ball, at=(0.5, -0.4))
    assert seen(framed(house, changed), house, changed) == (0.0, 1.0)
    assert seen(framed(house, house), house, house) == (None, None)
    nudged = house.transform([[1, 0, 1], [0, 1, 0]])
    assert seen(framed(house, house), house, nudged) == (None, None), "what lies so near is not a change"


# -- tasks ------------------------------------------------------------------------------------------------


def test_altered(model: Model, house: Sketch, ball: Sketch) -> None:
    made = altered(model, house, 3, add=ball, at=(1, 0), remove=[3], seed=5, settings=SHORT)
    assert len(made.drawings) == len(made.seen) == 3
    assert len(made.changed) == 3
    assert same(made.drawings, model.draw(made.changed, 3, seed=5, settings=SHORT))
    assert made.columns == ("picture", "altered")
    shares = [share.added for share in made.seen]
    assert made.mean_seen.added == pytest.approx(np.mean([share for share in shares if share is not None]))
    assert made.groups[0].captions[0].startswith("added ")
    plain = altered(model, house, 1, settings=SHORT)
    assert plain.seen == ((None, None),)
    assert (plain.columns, plain.mean_seen) == (("picture",), (None, None))


def test_altered_with_a_model_that_begins_on_the_first_point(folders: dict[str, Path], house: Sketch) -> None:
    made = altered(load_model(folders["rnn-layer-norm"], threads=1), house, 2, remove=[3], settings=SHORT)
    assert all(share.taken is not None for share in made.seen)


def test_hybrids(model: Model, house: Sketch, ball: Sketch) -> None:
    made = hybrid(model, house, ball, 2, how="left-right", settings=SHORT)
    assert [cell.caption for cell in made.groups[0].inputs] == ["house", "ball", ""]
    assert made.groups[0].name == "house-ball"
    both = made.groups[0].inputs[2].drawing
    assert isinstance(both, Sketch)
    code = model.encode_sketches([both])
    assert same(made.drawings, model.draw_between(code, np.zeros(1, np.float32), 2, settings=SHORT)[0])
    mixed = [hybrid(model, house, ball, 2, how="code", share=share, settings=SHORT).drawings for share in (0, 0.5)]
    code, level = model.encode_sketches([house.fit()]), np.array([create.BETWEEN], np.float32)
    assert same(mixed[0], model.draw_between(code, level, 2, settings=SHORT)[0])
    assert not same(*mixed)


def test_interpolation(model: Model, house: Sketch, ball: Sketch) -> None:
    made = interpolation(model, house, ball, 2, steps=4, settings=SHORT)
    assert [len(group.drawings) for group in made.groups] == [4, 4]
    assert [group.name for group in made.groups] == ["house-to-ball", "house-to-ball_2"]
    assert made.groups[0].captions == ("0 %", "33 %", "67 %", "100 %")
    again = interpolation(model, house, ball, 2, steps=4, settings=SHORT)
    assert same(made.drawings, again.drawings)
    first, last = model.encode_sketches([house.fit(), ball.fit()])
    codes, levels = latent.interpolate(first, last, 3), np.array([0, create.BETWEEN, 0], np.float32)
    plain = interpolation(model, house, ball, steps=3, settings=SHORT)
    assert same(plain.drawings, [row[0] for row in model.draw_between(codes, levels, settings=SHORT)])


def test_analogy(model: Model, house: Sketch, ball: Sketch) -> None:
    code, level = model.encode_sketches([house.fit()]), np.array([create.BETWEEN], np.float32)
    expected = model.draw_between(code, level, 2, settings=SHORT)[0]
    assert same(analogy(model, ball, ball, house, 2, settings=SHORT).drawings, expected)
    assert analogy(model, house, ball, house, 1, settings=SHORT).groups[0].name == "house-minus-ball-plus-house"


def test_a_category_is_its_code_and_shown_as_drawn(
    model: Model, house: Sketch, monkeypatch: pytest.MonkeyPatch
) -> None:
    middle = np.full(8, 0.5, np.float32)
    own = Model.code_of

    def code_of(self: Model, thing: Source, *, seed: int = 0) -> FloatArray:
        return middle if isinstance(thing, str) else own(self, thing, seed=seed)

    monkeypatch.setattr(Model, "code_of", code_of)
    made = analogy(model, "a", house, house, 2, settings=SHORT)
    cell = made.groups[0].inputs[0]
    assert cell.caption == "a (category)"
    assert cell.drawing == model.draw_codes(middle[None], 1, settings=SHORT)[0][0]
    assert hybrid(model, "a", house, 1, how="overlay", settings=SHORT).groups[0].name == "a-house"


def test_healing(model: Model, house: Sketch, ball: Sketch) -> None:
    made = healing(model, [house, house, ball], (0.25, 0.5), 2, settings=SHORT)
    assert [group.name for group in made.groups] == [
        f"{name}-{share}" for name in ("house", "house_2", "ball") for share in (25, 50)
    ]
    quarter, half = (group.inputs[1].drawing for group in made.groups[:2])
    assert isinstance(quarter, np.ndarray)
    assert isinstance(half, np.ndarray)
    assert (half > 0).sum() < (quarter > 0).sum()
    expected = model.draw_codes(model.encode_ink(half[None]), 2, settings=SHORT)[0]
    for found, wanted in zip(made.groups[1].drawings, expected, strict=True):
        np.testing.assert_allclose(found.points(), wanted.points(), atol=0.05)


def test_completion(model: Model, house: Sketch, ball: Sketch, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[object] = []

    def complete(model: Model, started: Sketch, samples: int, **others: object) -> list[Sketch]:
        given.append(others)
        return [started] * samples

    monkeypatch.setattr(create, "complete", complete)
    made = completion(model, house, 3, category="a", seed=4, settings=SHORT)
    assert same(made.drawings, [house] * 3)
    assert given == [{"category": "a", "picture": None, "seed": 4, "settings": SHORT}]
    assert completion(model, house, 1, picture=ball).columns == ("started", "picture")


def test_what_cannot_be(model: Model, house: Sketch, tmp_path: Path) -> None:
    cases: list[tuple[Callable[[], object], str]] = [
        (lambda: hybrid(model, house, house, how="code", share=1.5), "0 to 1; got 1.5"),
        (lambda: hybrid(model, house, house, how="sideways"), "no hybrid 'sideways'"),  # type: ignore[arg-type]
        (lambda: interpolation(model, house, house, steps=1), "at least 2"),
        (lambda: healing(model, []), "at least one picture"),
        (lambda: healing(model, [house], (0.1, 1.0)), "above 0 and below 1"),
        (lambda: altered(model, house, remove=[9]), "no stroke 9"),
    ]
    for call, words in cases:
        with pytest.raises(SettingsError, match=words):
            call()
    with pytest.raises(FileError, match=r"missing\.png"):
        analogy(model, house, house, tmp_path / "missing.png")


# -- writing ----------------------------------------------------------------------------------------------


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def test_what_is_written_of_a_changed_picture(model: Model, house: Sketch, tmp_path: Path) -> None:
    write_sketch(house, tmp_path / "my house.svg")
    made = altered(model, tmp_path / "my house.svg", 2, remove=[1], settings=SHORT)
    report = write_creation(made, tmp_path / "out" / "deep", formats=("svg", "ndjson"))
    assert files(report.folder) == ["my-house-1.svg", "my-house-2.svg", "my-house.ndjson", "sheet.png", "strokes.png"]
    assert (report.drawings, report.others) == (2, (report.folder / "strokes.png",))
    assert [len(sketch) for sketch in read_sketches(report.folder / "my-house.ndjson")] == [
        len(drawing) for drawing in made.drawings
    ]


def test_what_is_written_of_an_interpolation(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    way = tuple(random_sketch(rng) for _ in range(10))
    made = Interpolation(("from", "to"), (create.Group("house-to-ball", (Cell(way[0]), Cell(way[-1])), way),))
    report = write_creation(made, tmp_path / "out")
    assert files(report.folder) == sorted(
        [*(f"house-to-ball-{n:02d}.svg" for n in range(1, 11)), "sheet.png", "strip.png", "strip.svg", "morph.gif"]
    )
    with Image.open(report.folder / "morph.gif") as movie:
        frames = getattr(movie, "n_frames", 1)
        assert (movie.size, frames) == ((256, 256), 18)
        assert movie.info["duration"] > 500


def test_nothing_but_the_sheet(model: Model, house: Sketch, tmp_path: Path) -> None:
    made = hybrid(model, house, house, 1, settings=SHORT)
    assert not isinstance(made, Alteration)
    write_creation(made, tmp_path / "out", formats=("none",))
    assert files(tmp_path / "out") == ["sheet.png"]


def test_what_cannot_be_written(house: Sketch, tmp_path: Path) -> None:
    made = Creation((), (create.Group("house", (), (house,)),))
    with pytest.raises(SettingsError, match="no format 'pdf'"):
        write_creation(made, tmp_path / "out", formats=("pdf",))
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="cannot be made into a folder"):
        write_creation(made, tmp_path / "file")
