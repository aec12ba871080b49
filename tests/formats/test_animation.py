"""GIF and animated PNG of a drawing being drawn."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageSequence

from sketch_pix2seq.errors import FileError, SettingsError
from sketch_pix2seq.formats.animation import animated_svg, write_animation
from sketch_pix2seq.formats.svg import read_svg
from sketch_pix2seq.sheet import draw_sketch
from sketch_pix2seq.sketch import Sketch


def played(path: Path) -> tuple[list[NDArray[np.uint8]], list[int]]:
    """Frames as grey pictures, and their milliseconds."""
    with Image.open(path) as image:
        frames, milliseconds = [], []
        for frame in ImageSequence.Iterator(image):
            frames.append(np.array(frame.convert("L")))
            milliseconds.append(int(frame.info["duration"]))
        assert image.info["loop"] == 0
    return frames, milliseconds


def ink(frames: Sequence[NDArray[np.uint8]]) -> NDArray[np.float64]:
    return np.array([(255.0 - frame).sum() for frame in frames])


@pytest.mark.parametrize("name", ["house.gif", "house.apng", "house.PNG"])
def test_the_drawing_grows_and_is_held(tmp_path: Path, house: Sketch, name: str) -> None:
    path = write_animation(tmp_path / name, house, seconds=2.0, hold=1.5)
    frames, milliseconds = played(path)
    assert sum(milliseconds) == 3500
    assert milliseconds[-1] >= 1500
    assert set(milliseconds[:3]) == {40}
    assert (np.diff(ink(frames)) > 0).all()
    finished = draw_sketch(house, 256).mean(axis=2)
    assert np.abs(frames[-1] - finished).mean() < 1.0
    assert path.stat().st_size < 20_000


def test_the_pen_keeps_its_order_and_its_speed(tmp_path: Path) -> None:
    sketch = Sketch((np.array([[0, 0], [100, 0]]), np.array([[100, 100], [0, 100]])))
    frames, _ = played(write_animation(tmp_path / "two.gif", sketch, seconds=4, frames_per_second=25))
    upper, lower = ink([frame[:128] for frame in frames]), ink([frame[128:] for frame in frames])
    begun = int(np.flatnonzero(lower)[0])
    assert (upper[begun:] == upper[-1]).all()
    assert upper[begun // 2] == pytest.approx(upper[-1] / 2, rel=0.25)


def test_recorded_times_are_kept_and_pauses_cut(tmp_path: Path) -> None:
    left, right = np.array([[0, 0], [0, 100]]), np.array([[100, 0], [100, 100]])
    quick_then_slow = (np.array([5000, 5100]), np.array([60_000, 60_900]))
    sketch = Sketch((left, right), times=quick_then_slow)
    frames, milliseconds = played(write_animation(tmp_path / "timed.gif", sketch, seconds=3.0, hold=0))
    first, second = ink([frame[:, :128] for frame in frames]), ink([frame[:, 128:] for frame in frames])
    clock = np.cumsum([0, *milliseconds])
    assert clock[np.argmax(first == first[-1])] == pytest.approx(200, abs=80)  # 100 of 1500 recorded milliseconds
    assert clock[np.argmax(second > 0)] == pytest.approx(1200, abs=80)  # and a pause of 500


@pytest.mark.parametrize("times", [[[0, 0], [0, 0]], [[9, 5], [3, 1]]])
def test_times_that_tell_nothing_are_passed_over(tmp_path: Path, times: list[list[float]]) -> None:
    lines = (np.array([[0, 0], [0, 100]]), np.array([[100, 0], [100, 100]]))
    sketch = Sketch(lines, times=tuple(np.array(t) for t in times))
    steady, _ = played(write_animation(tmp_path / "steady.gif", Sketch(lines)))
    frames, _ = played(write_animation(tmp_path / "timed.gif", sketch))
    np.testing.assert_array_equal(frames, steady)


def test_several_are_drawn_together_in_a_grid(tmp_path: Path, house: Sketch) -> None:
    path = write_animation(
        tmp_path / "grid.gif", [house, house, Sketch((np.array([[5, 5]]),)), Sketch(()), house], size=64
    )
    frames, _ = played(path)
    assert frames[-1].shape == (128, 192)
    cells = frames[-1].reshape(2, 64, 3, 64).transpose(0, 2, 1, 3).reshape(6, 64, 64)
    np.testing.assert_array_equal(cells[0], cells[1])
    np.testing.assert_array_equal(cells[0], cells[4])
    assert (cells[2] < 255).any()
    assert (cells[3] == 255).all()
    assert (cells[5] == 255).all()


@pytest.mark.parametrize("sketch", [Sketch(()), Sketch((np.array([[7, 7]]),)), Sketch((np.array([[7, 7], [7, 7]]),))])
def test_almost_nothing_is_an_animation_too(tmp_path: Path, sketch: Sketch) -> None:
    frames, milliseconds = played(write_animation(tmp_path / "dot.gif", sketch, seconds=0.1, hold=0.4))
    assert sum(milliseconds) == pytest.approx(500, abs=60)
    assert (frames[-1] < 255).any() == bool(sketch.strokes)


@pytest.mark.parametrize(
    "odd",
    [
        {"seconds": 0.0},
        {"seconds": float("nan")},
        {"hold": -1.0},
        {"frames_per_second": 0},
        {"frames_per_second": 60},
        {"size": 4},
        {"size": 5000},
    ],
)
def test_odd_settings_are_one_clear_line(tmp_path: Path, house: Sketch, odd: dict[str, float]) -> None:
    with pytest.raises(SettingsError):
        write_animation(tmp_path / "house.gif", house, **odd)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_no_drawings_and_other_suffixes(tmp_path: Path, house: Sketch) -> None:
    with pytest.raises(SettingsError, match="no drawings"):
        write_animation(tmp_path / "none.gif", [])
    with pytest.raises(FileError, match=r"\.gif, \.apng or \.png"):
        write_animation(tmp_path / "house.mp4", house)


# -- SVG for a notebook -----------------------------------------------------------------------------------------


def spans(svg: str) -> NDArray[np.float64]:
    """When each stroke begins and ends, in seconds."""
    found = re.findall(r"animation-delay:([\d.]+)s;animation-duration:([\d.]+)s", svg)
    return np.array([(float(delay), float(delay) + float(duration)) for delay, duration in found])


def test_in_a_notebook_a_stroke_is_drawn_after_the_other(house: Sketch, tmp_path: Path) -> None:
    svg = animated_svg(house)
    drawn = spans(svg)
    assert len(drawn) == 3
    assert (drawn[1:, 0] >= drawn[:-1, 1]).all()
    assert 5 < drawn[-1, 1] <= 8, "at a person's speed"
    assert spans(animated_svg(house, seconds=1.5))[-1, 1] == pytest.approx(1.5, abs=0.02)
    assert "script" not in svg
    assert "url(" not in svg
    path = tmp_path / "house.svg"
    path.write_text(svg)
    assert read_svg(path).strokes[1].tolist() == house.strokes[1].tolist(), "the drawing, where nothing is animated"


def test_where_there_are_times_they_are_kept(house: Sketch) -> None:
    begins = zip((0, 100, 200), house.strokes, strict=True)
    times = tuple(np.linspace(at, at + 100, len(stroke), dtype=np.float32) for at, stroke in begins)
    drawn = spans(animated_svg(Sketch(house.strokes, times=times), seconds=3.0))
    np.testing.assert_allclose(drawn, [[0, 1], [1, 2], [2, 3]], atol=0.02)


def test_drawings_beside_each_other_do_not_take_each_others_rules(house: Sketch) -> None:
    moved = house.transform([[1, 0, 1], [0, 1, 0]])
    first, other = (re.findall(r'class="([\w-]+)"', animated_svg(sketch)) for sketch in (house, moved))
    assert len(first) == len(other) == 1
    assert first != other


def test_dots_and_blank_paper_are_shown_too() -> None:
    assert len(spans(animated_svg(Sketch((np.array([[5, 5]]), np.array([[5, 5]])))))) == 2
    assert "<svg" in animated_svg(Sketch(()))
