"""`sketch-pix2seq draw`: pictures or a category in, drawings out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from sketch_pix2seq.cli.console import progress, say, warn
from sketch_pix2seq.cli.options import Freedom, Sampling
from sketch_pix2seq.drawing.pretrained import BUNDLED, load_model
from sketch_pix2seq.drawing.redraw import draw_from_nothing, redraw
from sketch_pix2seq.drawing.runtime import RuntimeName
from sketch_pix2seq.drawing.writing import formats_of
from sketch_pix2seq.errors import SettingsError
from sketch_pix2seq.formats.paper import PaperSettings


@dataclass(frozen=True)
class Settings:
    """Draw a picture again, stroke by stroke, or draw a category without a picture.

    sketch-pix2seq draw cat.png --samples 9 --format svg,gif

    sketch-pix2seq draw --category pig --samples 16

    Writes each drawing as NAME-1.svg, NAME-2.svg, ..., and sheet.png, which shows each picture beside its drawings.
    Drawings of an earlier call are replaced; other files are not.
    """

    inputs: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Pictures (PNG, JPEG, WebP, GIF, BMP), drawings (SVG, ndjson, npz), and folders of them."""
    category: tuple[str, ...] = ()
    """Without a picture: categories to draw, or "any". With a picture: the category that it shows."""
    freedom: Freedom = None
    """How closely drawings follow the picture. 0: its lines; in between: the same thing in the same pose; 1: only its
    category."""
    samples: int = 9
    """Drawings of each picture or category."""
    out: Path = Path("drawings")
    """Folder for the drawings."""
    format: str = "svg"
    """What to write of each drawing, separated by commas: svg, png, gif, apng, ndjson, npz; "none": only the sheet."""
    seed: int = 0
    """The same seed gives the same strokes."""
    model: str = BUNDLED
    """"bundled", a model folder, or hf:owner/name on the Hugging Face Hub."""
    overwrite: bool = False
    """Also replace files in the folder that no earlier call wrote."""
    limit: int = 100
    """At most this many drawings are read from each input file."""
    runtime: RuntimeName = "onnx"
    """"onnx", or "torch" where PyTorch is installed."""
    paper: PaperSettings = PaperSettings()
    sampling: Sampling = Sampling()


def run(settings: Settings) -> None:
    """Redraw the inputs and say where the drawings are."""
    if not settings.inputs and not settings.category:
        raise SettingsError(
            "name at least one picture, drawing or folder: draw PICTURE...; or else draw --category NAME"
        )
    if settings.inputs and len(settings.category) > 1:
        raise SettingsError("with pictures, --category says what they show: name one, and pictures before it")
    formats, paper = formats_of(settings.format), settings.paper.size()
    drawn = settings.sampling.with_freedom(settings.freedom)
    with progress() as bar:
        task = bar.add_task("drawing", total=None)

        def show(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        model = load_model(settings.model, runtime=settings.runtime)
        how: dict[str, Any] = {
            "samples": settings.samples,
            "formats": formats,
            "seed": settings.seed,
            "settings": drawn,
            "paper": paper,
            "overwrite": settings.overwrite,
            "on_progress": show,
        }
        if settings.inputs:
            category = settings.category[0] if settings.category else None
            report = redraw(model, settings.inputs, settings.out, limit=settings.limit, category=category, **how)
        else:
            report = draw_from_nothing(model, settings.category, settings.out, **how)
    for problem in report.problems:
        warn(problem)
    pictures = ", ".join(report.categories) or ("1 picture" if report.pictures == 1 else f"{report.pictures} pictures")
    drawings = "1 drawing" if report.drawings == 1 else f"{report.drawings} drawings"
    say(f"{drawings} of {pictures} -> {report.folder}; side by side in {report.sheet}")
