"""A drawing being drawn, as GIF or animated PNG, and as SVG for a notebook."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from sketch_pix2seq.errors import FileError, SettingsError
from sketch_pix2seq.files import write_whole
from sketch_pix2seq.formats.svg import svg_text
from sketch_pix2seq.sheet import INK, Paper, Picture, line_width, place
from sketch_pix2seq.sketch import CANVAS_SIZE, DoubleArray, Sketch

MAX_PIXELS = 200_000_000
"""Most pixels of all frames together."""

_GREYS = 16
"""Shades from paper to line: enough for smooth edges, few enough for small files."""
_LIFT = 8.0
"""What lifting the pen costs, in canvas units of drawing."""
_TRAVEL = 3.0
"""How many times as fast the lifted pen moves."""
_LONGEST_PAUSE = 500.0
"""Recorded pauses between strokes are cut to this, in milliseconds."""
_SPEED = 200.0
"""How fast a person's pen moves, in canvas units a second: the median of 66 raw Quick, Draw! drawings."""
_SHORTEST, _LONGEST = 0.8, 8.0
"""Seconds that a drawing takes at that speed, at least and at most."""


def write_animation(
    path: str | Path,
    sketches: Sketch | Sequence[Sketch],
    *,
    seconds: float = 3.0,
    frames_per_second: int = 25,
    size: int = 256,
    hold: float = 1.0,
) -> Path:
    """Write the drawing being drawn, stroke by stroke, as .gif or as animated PNG (.apng, .png). It loops.

    Several sketches are drawn at the same time, side by side in a grid of cells. The pen moves at a constant speed, or
    as it was recorded where a sketch has times; long pauses are cut. Either way drawing takes ``seconds``; then the
    finished drawing is held for ``hold`` seconds. size: side of a drawing in pixels.

    Raises FileError for another suffix or where the file cannot be written, SettingsError for settings that make no
    animation or one that is too large.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (".gif", ".apng", ".png"):
        raise FileError(path, "an animation is written as .gif, .apng or .png")
    drawings = [sketches] if isinstance(sketches, Sketch) else list(sketches)
    columns, rows = _grid(len(drawings))
    count = _checked(seconds, frames_per_second, size, hold, columns * rows)
    frames = _frames(drawings, columns, rows, count, size)
    at = [10 * round(100 * n / frames_per_second) for n in range(count + 1)]  # GIF counts hundredths of a second
    milliseconds = [end - start for start, end in pairwise(at)]
    milliseconds[-1] += 10 * round(100 * hold)
    return write_whole(path, _encoded(frames, "GIF" if suffix == ".gif" else "PNG", milliseconds))


def animated_svg(sketch: Sketch, *, seconds: float | None = None) -> str:
    """The drawing being drawn once, stroke by stroke, as an SVG document without scripts.

    It ends in the whole drawing, which is also what a viewer without animation shows. The pen moves as in
    `write_animation`. seconds: what drawing takes; at a person's speed where it is None.
    """
    times = _recorded(sketch) or _steady(sketch)
    end = times[-1][-1] if times else 0.0
    if seconds is None:
        length = _steady(sketch)[-1][-1] if sketch.strokes else 0.0
        seconds = min(max(length / _SPEED, _SHORTEST), _LONGEST)
    scale = seconds / end if end > 0 else 0.0
    return svg_text(sketch, drawn=[(float(t[0]) * scale, float(t[-1] - t[0]) * scale) for t in times])


def _checked(seconds: float, frames_per_second: int, size: int, hold: float, cells: int) -> int:
    """The number of frames."""
    if not 1 <= frames_per_second <= 50:
        raise SettingsError(f"{frames_per_second} frames a second are not possible; give 1 to 50")
    if not (0 < seconds <= 600 and 0 <= hold <= 600):
        raise SettingsError("an animation lasts more than 0 and at most 600 seconds, and so does its last picture")
    if size < 16:
        raise SettingsError(f"{size} pixels are too small to show a drawing; give at least 16")
    if not cells:
        raise SettingsError("there is nothing to animate: no drawings")
    count = max(1, round(seconds * frames_per_second))
    if count * cells * size**2 > MAX_PIXELS:
        raise SettingsError(f"{count} frames of {cells} x {size} x {size} pixels are too many; choose a smaller size")
    return count


def _grid(drawings: int) -> tuple[int, int]:
    """Columns and rows."""
    columns = math.ceil(math.sqrt(drawings))
    return columns, math.ceil(drawings / columns) if drawings else 0


# -- when the pen is where --------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Stroke:
    points: DoubleArray
    """In pixels."""
    times: DoubleArray
    """When the pen is there; the whole drawing takes from 0 to 1."""

    def between(self, start: float, end: float) -> DoubleArray | None:
        """The part drawn after ``start`` and until ``end``; None where there is none."""
        first, last = max(start, self.times[0]), min(end, self.times[-1])
        if first > last or self.times[-1] <= start:
            return None
        within = (self.times > first) & (self.times < last)
        ends = np.stack([np.interp((first, last), self.times, self.points[:, axis]) for axis in (0, 1)], axis=1)
        return np.concatenate([ends[:1], self.points[within], ends[1:]])


def _timed(sketch: Sketch, size: int, corner: tuple[int, int]) -> list[_Stroke]:
    times = _recorded(sketch) or _steady(sketch)
    end = times[-1][-1] if times else 0.0
    return [
        _Stroke(points + corner, t / end if end > 0 else np.zeros_like(t))
        for points, t in zip(place(sketch, size), times, strict=True)
    ]


def _recorded(sketch: Sketch) -> list[DoubleArray] | None:
    """Recorded times, from 0 and never running back; None where there are none that tell anything."""
    if not sketch.times:
        return None
    out: list[DoubleArray] = []
    clock = 0.0
    before: float | None = None
    for recorded in sketch.times:
        t = np.maximum.accumulate(recorded.astype(np.float64))
        pause = 0.0 if before is None else min(max(float(t[0]) - before, 0.0), _LONGEST_PAUSE)
        out.append(t - t[0] + clock + pause)
        clock, before = float(out[-1][-1]), float(t[-1])
    return out if clock > 0 and np.isfinite(clock) else None


def _steady(sketch: Sketch) -> list[DoubleArray]:
    """Times of a pen of constant speed, which moves faster while it is lifted."""
    out: list[DoubleArray] = []
    clock = 0.0
    pen: DoubleArray | None = None
    for stroke in sketch.fit(CANVAS_SIZE).strokes:
        points = stroke.astype(np.float64)
        if pen is not None:
            clock += _LIFT + float(np.hypot(*(points[0] - pen))) / _TRAVEL
        steps = np.hypot(*np.diff(points, axis=0).T)
        out.append(clock + np.concatenate([[0.0], np.cumsum(steps)]))
        clock, pen = float(out[-1][-1]), points[-1]
    return out


# -- frames -----------------------------------------------------------------------------------------------


def _frames(drawings: Sequence[Sketch], columns: int, rows: int, count: int, size: int) -> Iterator[Picture]:
    """Shades 0 (paper) to `_GREYS` - 1 (line), ``(height, width)``."""
    strokes = [
        stroke
        for n, sketch in enumerate(drawings)
        for stroke in _timed(sketch, size, (n % columns * size, n // columns * size))
    ]
    paper = Paper(columns * size, rows * size, 0)
    start = -1.0
    for end in np.linspace(0.0, 1.0, count + 1)[1:]:
        for stroke in strokes:
            part = stroke.between(start, float(end))
            if part is not None:
                paper.stroke(part, line_width(size), 255)
        start = float(end)
        yield ((paper.picture().astype(np.uint16) * (_GREYS - 1) + 127) // 255).astype(np.uint8)


def _encoded(frames: Iterator[Picture], kind: str, milliseconds: Sequence[int]) -> bytes:
    from PIL import Image

    palette = np.linspace((255, 255, 255), INK, _GREYS).round().astype(np.uint8).tobytes()

    def images() -> Iterator[Image.Image]:
        for frame in frames:
            image = Image.fromarray(frame).convert("P")
            image.putpalette(palette)
            yield image

    file = io.BytesIO()
    first, *rest = images()
    first.save(file, kind, save_all=True, append_images=rest, duration=list(milliseconds), loop=0)
    return file.getvalue()
