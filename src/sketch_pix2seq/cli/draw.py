"""`sketch-pix2seq draw`: pictures or a category in, drawings out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from sketch_pix2seq.cli.console import progress, say, warn
from sketch_pix2seq.drawing.model import DrawSettings
from sketch_pix2seq.drawing.pretrained import BUNDLED, load_model
from sketch_pix2seq.drawing.redraw import draw_from_nothing, redraw
from sketch_pix2seq.drawing.runtime import RuntimeName
from sketch_pix2seq.drawing.writing import formats_of
from sketch_pix2seq.errors import SettingsError
from sketch_pix2seq.formats.paper import PaperSettings


@dataclass(frozen=True)
class Settings(PaperSettings, DrawSettings):
    """Redraw pictures, stroke by stroke: PNG, JPEG and other pictures, SVG, ndjson and npz, or folders of them.

    sketch-pix2seq draw cat.png --samples 9 --format svg,gif

    sketch-pix2seq draw --category pig --samples 16

    Writes each drawing as NAME-1.svg ..., and one sheet with each picture beside its redrawings. --category draws from
    nothing: it needs no picture. Drawings of an earlier call are replaced, other files are not.
    """

    inputs: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Pictures, drawings and folders."""
    category: tuple[str, ...] = ()
    """Without a picture: draw these categories of the model, or "any". With one: what it shows."""
    out: Path = Path("drawings")
    """Folder for the drawings."""
    overwrite: bool = False
    """Replace files of the folder that were not drawn by an earlier call, too."""
    samples: int = 9
    """Redrawings of each picture, or drawings of each category."""
    format: str = "svg"
    """What to write of each drawing, separated by commas: svg, png, gif, apng, ndjson, npz; "none": the sheet alone."""
    seed: int = 0
    """The same seed gives the same strokes."""
    model: str = BUNDLED
    """"bundled", a model folder, or hf:owner/name on the Hugging Face Hub."""
    runtime: RuntimeName = "onnx"
    """"onnx", or "torch" where PyTorch is installed."""
    limit: int = 100
    """Drawings read of each input file at most."""


def run(settings: Settings) -> None:
    """Redraw the inputs and say where the drawings are."""
    if not settings.inputs and not settings.category:
        raise SettingsError(
            "name at least one picture, drawing or folder: draw PICTURE...; or else draw --category NAME"
        )
    if settings.inputs and len(settings.category) > 1:
        raise SettingsError("with pictures, --category says what they show: name one, and pictures before it")
    formats, paper = formats_of(settings.format), settings.paper()
    with progress() as bar:
        task = bar.add_task("drawing", total=None)

        def show(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        model = load_model(settings.model, runtime=settings.runtime)
        how: dict[str, Any] = {
            "samples": settings.samples,
            "formats": formats,
            "seed": settings.seed,
            "settings": settings,
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
