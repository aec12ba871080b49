"""The creative tasks: changed inputs, hybrids, ways between two things, analogies, healing, completion.

Each task is a function over a `Model` that gives a `Creation`; `write_creation` puts one into a folder. A `Thing` is a
picture in any form, or the name of a category, which stands for one drawing of it from nothing.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq.drawing import alter, latent
from sketch_pix2seq.drawing.complete import complete
from sketch_pix2seq.drawing.constants import MODEL
from sketch_pix2seq.drawing.model import DrawSettings, Model, Source, read_source
from sketch_pix2seq.drawing.writing import (
    SHEET,
    check_free,
    checked_formats,
    drawing_names,
    free_name,
    make_folder,
    note_written,
    write_drawings,
)
from sketch_pix2seq.errors import SettingsError
from sketch_pix2seq.files import write_whole
from sketch_pix2seq.formats import stem_of
from sketch_pix2seq.formats.paper import PaperSize
from sketch_pix2seq.raster import RasterSpec, damaged, render_fitted
from sketch_pix2seq.sheet import Cell, Paper, Picture, Row, draw_sketch, line_width, place, write_sheet
from sketch_pix2seq.sketch import CANVAS_SIZE, FloatArray, Sketch

Thing: TypeAlias = Source
"""A picture, a sketch, or the name of a category where no file has that name."""
HybridWay: TypeAlias = Literal["overlay", "left-right", "top-bottom", "code"]

STROKES, STRIP, MORPH = "strokes.png", ("strip.png", "strip.svg"), "morph.gif"
"""What is written beside the sheet: of changed inputs; of interpolations."""
BETWEEN: float = MODEL["between"]
"""Level to which codes between those of pictures are noised before the flow brings them back."""
NEAR = 2.0
"""How far from a line ink may lie and still count as drawn there, in pixels of a picture of 48 x 48."""

_FRAME = RasterSpec()
_WIDE = RasterSpec(size=3 * _FRAME.size, margin=_FRAME.size + _FRAME.margin)
"""The frame of 48 x 48 with one more of its kind on every side, at the same scale."""
_INKED = 64
"""Least value of a pixel that counts as ink: a line between two pixels leaves half in each."""
_MOST_STROKES = 60
"""Strokes that are shown one by one at most."""
_MORPH_SIZE, _MORPH_STEP, _MORPH_END = 256, 120, 800
"""Side of the animation in pixels; how long a step and either end are shown, in milliseconds."""


class Seen(NamedTuple):
    """Does it draw what it sees, or what it knows? Shares of ink, 0 to 1; None where there is no such ink."""

    added: float | None
    """Of the ink that was added to the picture: how much the drawing has."""
    taken: float | None
    """Of the ink that was taken from the picture: how much the drawing has all the same."""


@dataclass(frozen=True, eq=False)
class Group:
    """Drawings made of one input: a row of the sheet."""

    name: str
    """What their files are called."""
    inputs: tuple[Cell, ...]
    drawings: tuple[Sketch, ...]
    label: str = ""
    captions: tuple[str, ...] = ()
    """One below each drawing, where there is something to say."""


@dataclass(frozen=True, eq=False)
class Creation:
    """What a task made."""

    columns: tuple[str, ...]
    """Headings of the sheet's inputs."""
    groups: tuple[Group, ...]

    @property
    def drawings(self) -> list[Sketch]:
        """All drawings, group after group."""
        return [drawing for group in self.groups for drawing in group.drawings]


@dataclass(frozen=True, eq=False)
class Alteration(Creation):
    """Drawings of a changed picture, with what they show of the change."""

    original: Sketch
    changed: Sketch
    seen: tuple[Seen, ...]
    """One for each drawing."""

    @property
    def mean_seen(self) -> Seen:
        """The means over the drawings."""
        added = [seen.added for seen in self.seen if seen.added is not None]
        taken = [seen.taken for seen in self.seen if seen.taken is not None]
        return Seen(float(np.mean(added)) if added else None, float(np.mean(taken)) if taken else None)


@dataclass(frozen=True, eq=False)
class Interpolation(Creation):
    """Ways from one thing to another: each group's drawings are the steps of one way."""


@dataclass(frozen=True)
class CreateReport:
    """What was written."""

    drawings: int
    folder: Path
    sheet: Path
    others: tuple[Path, ...]
    """Pictures beside the sheet: of the strokes, the strip, the animation."""


# -- changed inputs ---------------------------------------------------------------------------------------


def altered(
    model: Model,
    picture: Source,
    samples: int = 8,
    *,
    add: Source | None = None,
    at: tuple[float, float] = (0.5, 0.5),
    size: float = 0.3,
    remove: Iterable[int] = (),
    cut: alter.Bounds | None = None,
    seed: int = 0,
    settings: DrawSettings = DrawSettings(),
) -> Alteration:
    """Redraw a changed picture, and tell how much of the change the drawings show.

    add, at, size, remove, cut: as `alter.alter` has them. Without any, the picture is redrawn as it is: one of a
    category that the model was not trained on, say.
    Raises SettingsError for changes that cannot be, and SettingsError, FileError, FormatError or PictureError as
    `Model.draw_all` does.
    """
    original = read_source(picture)
    part = None if add is None else read_source(add)
    changed = alter.alter(original, add=part, at=at, size=size, remove=remove, cut=cut)
    drawings = model.draw(changed, samples, seed=seed, settings=settings)
    shares = tuple(seen(_framed(model, drawing), original, changed) for drawing in drawings)
    inputs = [Cell(original)] if changed == original else [Cell(original), Cell(changed)]
    group = Group(_name(picture), tuple(inputs), tuple(drawings), captions=tuple(map(_told, shares)))
    return Alteration(("picture", "altered")[: len(inputs)], (group,), original, changed, shares)


def seen(drawing: Sketch, original: Sketch, altered: Sketch) -> Seen:
    """How much a redrawing of ``altered`` has of what was added to ``original``, and of what was taken from it.

    original, altered: in the same coordinates. drawing: in canvas units of the altered input, whose longest side is 255
    and whose middle is at (127.5, 127.5); so do models draw whose sequences start in the centre.

    All three are drawn with the line of `RasterSpec` where they lie in the frame in which the altered input fills 48 x
    48 pixels, on paper that goes on for another 48 on every side. Added is ink (a value of 64 or more of 255) of the
    altered input that is farther than `NEAR` pixels from all ink of the original; taken is the reverse. The drawing
    has those pixels of it that are at most `NEAR` pixels from the drawing's own ink. It says where ink is, not what it
    means: a whisker across the place of a missing eye counts as part of the eye.
    """
    left, top, right, bottom = altered.bounds()
    side = max(right - left, bottom - top)
    scale = CANVAS_SIZE / side if side > 0 else 1.0
    frame = [[scale, 0, -scale * (left + right) / 2], [0, scale, -scale * (top + bottom) / 2]]
    before, after = _ink(original.transform(frame)), _ink(altered.transform(frame))
    redrawn = _near(_ink(drawing.transform([[1, 0, -CANVAS_SIZE / 2], [0, 1, -CANVAS_SIZE / 2]])))
    return Seen(_share(redrawn, after & ~_near(before)), _share(redrawn, before & ~_near(after)))


# -- two and three things ---------------------------------------------------------------------------------


def hybrid(
    model: Model,
    a: Thing,
    b: Thing,
    samples: int = 8,
    *,
    how: HybridWay = "overlay",
    share: float = 0.5,
    at: float = 0.5,
    seed: int = 0,
    settings: DrawSettings = DrawSettings(),
) -> Creation:
    """Redraw two things in one.

    how: "overlay" puts both pictures on one canvas; "left-right" and "top-bottom" take that half of each, cut at the
    share ``at`` of the canvas; "code" mixes the codes, ``share`` of which is the second's. A category is shown to the
    first three as the model's own drawing of it.
    Raises SettingsError for another ``how`` or a share outside 0..1, and as `Model.code_of` and `alter.spliced` do.
    """
    if how not in ("overlay", "left-right", "top-bottom", "code"):
        raise SettingsError(f"no hybrid {how!r}; there are overlay, left-right, top-bottom and code")
    if not 0 <= share <= 1:
        raise SettingsError(f"the share of the second picture in a mix is 0 to 1; got {share:g}")
    first, second = _read(model, (a, b), seed, settings)
    inputs, columns, label = [first.cell, second.cell], ["first", "second"], ""
    if how == "code":
        code = latent.mix(np.stack([first.code, second.code]), (1 - share, share))
        label = f"{_percent(share)} of the second"
        level = BETWEEN
    else:
        both = _both(first.sketch, second.sketch, how, at)
        code = model.encode_sketches([both])[0]
        inputs.append(Cell(both))
        columns.append("together")
        level = 0.0 if settings.freedom is None else settings.freedom
    levels = np.array([level], np.float32)
    drawings = model.draw_between(code[None], levels, samples, seed=seed, settings=settings)[0]
    group = Group(f"{first.name}-{second.name}", tuple(inputs), tuple(drawings), label)
    return Creation(tuple(columns), (group,))


def interpolation(
    model: Model,
    a: Thing,
    b: Thing,
    samples: int = 1,
    *,
    steps: int = 10,
    how: latent.How = "spherical",
    seed: int = 0,
    settings: DrawSettings = DrawSettings(),
) -> Interpolation:
    """Draw the way from one thing to another: ``samples`` ways of ``steps`` drawings each, both ends among them.

    Codes between the ends are no code of a picture: each is noised, most in the middle, and brought back by the flow,
    all with the same random numbers.
    Raises SettingsError as `latent.interpolate` does, and as `Model.code_of` does.
    """
    first, last = _read(model, (a, b), seed, settings)
    codes = latent.interpolate(first.code, last.code, steps, how)
    levels = BETWEEN * np.sin(np.linspace(0, np.pi, steps)).astype(np.float32)
    drawn = model.draw_between(codes, levels, samples, seed=seed, settings=settings)
    name = f"{first.name}-to-{last.name}"
    captions = tuple(_percent(share) for share in np.linspace(0, 1, steps))
    groups = []
    for n in range(samples):
        way = [row[n] for row in drawn]
        own = name if n == 0 else f"{name}_{n + 1}"
        groups.append(Group(own, (first.cell, last.cell), tuple(way), captions=captions))
    return Interpolation(("from", "to"), tuple(groups))


def analogy(
    model: Model,
    a: Thing,
    b: Thing,
    c: Thing,
    samples: int = 8,
    *,
    seed: int = 0,
    settings: DrawSettings = DrawSettings(),
) -> Creation:
    """Draw what ``a`` - ``b`` + ``c`` is in the space of codes. Raises as `Model.code_of` does."""
    plus, minus, base = _read(model, (a, b, c), seed, settings)
    code = latent.analogy(plus.code, minus.code, base.code)
    levels = np.array([BETWEEN], np.float32)
    drawings = model.draw_between(code[None], levels, samples, seed=seed, settings=settings)[0]
    name = f"{plus.name}-minus-{minus.name}-plus-{base.name}"
    return Creation(("", "minus", "plus"), (Group(name, (plus.cell, minus.cell, base.cell), tuple(drawings)),))


# -- unfinished and broken pictures -----------------------------------------------------------------------


def healing(
    model: Model,
    pictures: Sequence[Source],
    damages: Sequence[float] = (0.1, 0.3, 0.5),
    samples: int = 4,
    *,
    seed: int = 0,
    settings: DrawSettings = DrawSettings(),
) -> Creation:
    """Redraw damaged pictures: of each one's patches of ink, every share of ``damages`` is blanked (`raster.damaged`).

    Groups: each picture with each damage, in this order. Raises SettingsError for no picture or damage, or a damage
    that is not above 0 and below 1; ModelError for a model that reads strokes; and as `Model.draw_all` does.
    """
    if not pictures:
        raise SettingsError("healing needs at least one picture")
    if not damages or not all(0 < damage < 1 for damage in damages):
        raise SettingsError("damages are shares above 0 and below 1, such as 0.1 0.3 0.5")
    sketches = [read_source(picture) for picture in pictures]
    ink = model.ink_of(sketches)
    inputs = np.stack([damaged(ink, damage, seed=seed) for damage in damages], axis=1)  # picture, damage, y, x
    shown = inputs.reshape(-1, *ink.shape[1:])
    # What is missing must not be weighed against: the decoder attends to what is there, and strokes are not searched.
    unweighed = replace(settings, proposals=1)
    drawn = iter(model.draw_codes(model.encode_ink(shown), samples, pictures=shown, seed=seed, settings=unweighed))
    groups = []
    taken: set[str] = set()
    for picture, sketch, own in zip(pictures, sketches, inputs, strict=True):
        name = free_name(_name(picture), taken)
        for damage, holed in zip(damages, own, strict=True):
            cells = (Cell(sketch), Cell(holed))
            label = f"{name}, {_percent(damage)} gone"
            groups.append(Group(f"{name}-{100 * damage:g}", cells, tuple(next(drawn)), label))
    return Creation(("picture", "damaged"), tuple(groups))


def completion(
    model: Model,
    started: Source,
    samples: int = 8,
    *,
    category: str | None = None,
    picture: Source | None = None,
    seed: int = 0,
    settings: DrawSettings = DrawSettings(),
) -> Creation:
    """Continue a started drawing, towards a category, a picture, or whatever it may become: see `complete`."""
    sketch = started if isinstance(started, Sketch) else read_source(started)
    goal = None if picture is None else read_source(picture)
    drawings = complete(model, sketch, samples, category=category, picture=goal, seed=seed, settings=settings)
    inputs = (Cell(sketch), Cell(goal)) if goal else (Cell(sketch),)
    group = Group(_name(started), inputs, tuple(drawings), label=category or "")
    return Creation(("started", "picture")[: len(inputs)], (group,))


# -- writing ----------------------------------------------------------------------------------------------


def write_creation(
    creation: Creation,
    out: str | Path,
    *,
    formats: Sequence[str] = ("svg",),
    paper: PaperSize = PaperSize(),
    overwrite: bool = False,
) -> CreateReport:
    """Write drawings and a sheet with the inputs beside them into a folder, which is made where it is missing.

    Drawings: NAME-1.svg, NAME-2.svg ... of each group (ndjson and npz: one file a group). Of a changed picture also
    strokes.png, the picture's strokes with their numbers; of an interpolation strip.png, strip.svg and morph.gif, the
    first way there and back, a frame a step.
    Drawings that were written earlier are replaced; other files need ``overwrite``.
    Raises SettingsError for an unknown format, FileError where something cannot be written or would be replaced.
    """
    wanted, out = checked_formats(formats), Path(out)
    files = [SHEET]
    if isinstance(creation, Alteration):
        files.append(STROKES)
    if isinstance(creation, Interpolation):
        files += [*STRIP, MORPH]
    for group in creation.groups:
        files += drawing_names(group.name, len(group.drawings), wanted)
    check_free(out, files, overwrite)
    make_folder(out)
    numbers = range(1, max(len(group.drawings) for group in creation.groups) + 1)
    sheet = write_sheet(
        out / SHEET, [_row(g) for g in creation.groups], columns=(*creation.columns, *map(str, numbers))
    )
    others: list[Path] = []
    if isinstance(creation, Alteration):
        others.append(_write_strokes(out / STROKES, creation.original))
    if isinstance(creation, Interpolation):
        strip = [Row("", [Cell(drawing) for drawing in group.drawings]) for group in creation.groups]
        others += [write_sheet(out / name, strip) for name in STRIP]
        others.append(_write_morph(out / MORPH, creation.groups[0].drawings))
    for group in creation.groups:
        named = [drawing.with_(category=group.name) for drawing in group.drawings]
        write_drawings(group.name, named, out, wanted, paper)
    note_written(out, files)
    return CreateReport(len(creation.drawings), out, sheet, tuple(others))


def _row(group: Group) -> Row:
    captions = group.captions or ("",) * len(group.drawings)
    drawings = [Cell(drawing, caption) for drawing, caption in zip(group.drawings, captions, strict=True)]
    return Row(group.label, [*group.inputs, *drawings])


def _write_strokes(path: Path, sketch: Sketch, size: int = 112) -> Path:
    """The strokes of a drawing one by one with their numbers, each dark on the pale rest, eight a row."""
    strokes = place(sketch, size)
    cells = []
    for number, stroke in enumerate(strokes[:_MOST_STROKES], 1):
        paper = Paper(size, size, 0)
        for other in strokes:
            paper.stroke(other, line_width(size), 60)
        paper.stroke(stroke, 1.5 * line_width(size), 255)
        cells.append(Cell(paper.picture(), str(number)))
    return write_sheet(path, [Row("", cells[begin : begin + 8]) for begin in range(0, len(cells), 8)], cell=size)


def _write_morph(path: Path, drawings: Sequence[Sketch]) -> Path:
    """A GIF of the drawings in order and back again, longer at both ends."""
    from PIL import Image

    there_and_back = [*drawings, *drawings[-2:0:-1]]
    pause = {0: _MORPH_END, len(drawings) - 1: _MORPH_END}
    pictures: list[Picture] = [draw_sketch(drawing, _MORPH_SIZE)[..., 0] for drawing in there_and_back]
    first, *rest = (Image.fromarray(picture) for picture in pictures)
    file = io.BytesIO()
    durations = [pause.get(n, _MORPH_STEP) for n in range(len(pictures))]
    first.save(file, "GIF", save_all=True, append_images=rest, duration=durations, loop=0)
    return write_whole(path, file.getvalue())


# -- things -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Read:
    """A thing that was read: what it is called, what it looks like, its code."""

    name: str
    sketch: Sketch
    code: FloatArray
    cell: Cell


def _read(model: Model, things: Sequence[Thing], seed: int, settings: DrawSettings) -> list[_Read]:
    """Things with their codes; a category is shown as the model draws its code."""
    found: list[_Read] = []
    for thing in things:
        if isinstance(thing, str) and not Path(thing).exists():
            code = model.code_of(thing, seed=seed)
            sketch = model.draw_codes(code[None], 1, seed=seed, settings=settings)[0][0]
            caption = f"{thing} (category)"
        else:
            sketch = read_source(thing)
            code = model.code_of(sketch)
            caption = stem_of(thing) if isinstance(thing, (str, Path)) else sketch.category or ""
        found.append(_Read(_name(thing), sketch, code, Cell(sketch, caption)))
    return found


def _both(a: Sketch, b: Sketch, how: HybridWay, at: float) -> Sketch:
    if how == "left-right" or how == "top-bottom":
        return alter.spliced(a, b, how, at)
    return alter.overlaid(a, b)


def _name(thing: Thing) -> str:
    """A name for files."""
    if isinstance(thing, Sketch):
        name = thing.category or ""
    else:
        name = stem_of(thing) if isinstance(thing, (str, Path)) else ""
    return re.sub(r"[^\w.]+", "-", name).strip("-.") or "drawing"


# -- ink --------------------------------------------------------------------------------------------------


def _framed(model: Model, drawing: Sketch) -> Sketch:
    """The drawing where `seen` expects it; where a model draws from the first point on, its middle is all to go by."""
    if model.info.sequence.start == "centre":
        return drawing
    left, top, right, bottom = drawing.bounds()
    return drawing.transform([[1, 0, (CANVAS_SIZE - left - right) / 2], [0, 1, (CANVAS_SIZE - top - bottom) / 2]])


def _ink(sketch: Sketch) -> NDArray[np.bool_]:
    ends = np.cumsum([len(stroke) for stroke in sketch.strokes])
    return np.asarray(render_fitted(sketch.points(), ends, _WIDE) >= _INKED)


def _near(ink: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels at most `NEAR` from ink."""
    far = cv2.distanceTransform((~ink).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(far <= NEAR) if ink.any() else np.zeros_like(ink)


def _share(drawn: NDArray[np.bool_], of: NDArray[np.bool_]) -> float | None:
    return float(drawn[of].mean()) if of.any() else None


def _told(shares: Seen) -> str:
    parts = [("added", shares.added), ("taken", shares.taken)]
    return ", ".join(f"{word} {_percent(share)}" for word, share in parts if share is not None)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
