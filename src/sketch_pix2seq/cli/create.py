"""`sketch-pix2seq create`: changed inputs, hybrids, ways between two things, analogies, healing, completion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeAlias

import tyro

from sketch_pix2seq.cli.console import console, progress
from sketch_pix2seq.cli.options import Freedom, Sampling
from sketch_pix2seq.drawing.create import (
    Alteration,
    Creation,
    HybridWay,
    altered,
    analogy,
    completion,
    healing,
    hybrid,
    interpolation,
    write_creation,
)
from sketch_pix2seq.drawing.latent import How
from sketch_pix2seq.drawing.model import Model
from sketch_pix2seq.drawing.pretrained import BUNDLED, load_model
from sketch_pix2seq.drawing.runtime import RuntimeName
from sketch_pix2seq.drawing.writing import formats_of, without_own
from sketch_pix2seq.errors import SettingsError
from sketch_pix2seq.formats import find_files
from sketch_pix2seq.formats.paper import PaperSettings


@dataclass(frozen=True)
class Drawing:
    """The same for all tasks."""

    freedom: Freedom = None
    """How closely drawings follow what they are drawn from: 0: its lines; 1: only its category."""
    format: str = "svg"
    """What to write of each drawing, separated by commas: svg, png, gif, apng, ndjson, npz; "none": only the sheet."""
    seed: int = 0
    """The same seed gives the same strokes."""
    model: str = BUNDLED
    """"bundled", a model folder, or hf:owner/name on the Hugging Face Hub."""
    runtime: RuntimeName = "onnx"
    """"onnx", or "torch" where PyTorch is installed."""
    overwrite: bool = False
    """Also replace files in the folder that no earlier call wrote."""
    paper: PaperSettings = PaperSettings()
    sampling: Sampling = Sampling()


@dataclass(frozen=True)
class Altered:
    """Redraw a picture with parts added or missing: does the model draw what it sees, or what it knows?

    sketch-pix2seq create altered pig.png --add ear.svg --at 0.5 0 --size 0.2

    sketch-pix2seq create altered car.png --remove 2,3

    Prints the fraction of the added ink, and of the removed ink, that the drawings have. strokes.png, beside the sheet,
    shows the numbers of the strokes. Without a change, the picture is redrawn as it is.

    --config FILE.yaml reads settings from a file; flags override the file.
    """

    picture: tyro.conf.Positional[tuple[str, ...]] = ()
    """The picture."""
    add: str | None = None
    """A picture to add to it."""
    at: tuple[float, float] = (0.5, 0.5)
    """Position of the middle of the added picture: x and y, 0 to 1 from left to right and from top to bottom."""
    size: float = 0.3
    """Longest side of the added picture, as a fraction of the drawing's."""
    remove: str = ""
    """Numbers of the strokes to remove, separated by commas; see strokes.png."""
    cut: tuple[float, float, float, float] | None = None
    """A region to remove: left, top, right and bottom, 0 to 1 as for --at."""
    samples: int = 8
    """Drawings of each input."""
    out: Path = Path("altered")
    """Folder for the drawings and the sheet."""
    drawing: Drawing = Drawing()


@dataclass(frozen=True)
class Hybrid:
    """Redraw two things in one: two pictures overlaid or spliced, or their codes mixed.

    sketch-pix2seq create hybrid pig.png car.png --how left-right

    sketch-pix2seq create hybrid pig "ice cream" --how code --mix 0.4

    Each thing is a picture, or the name of a category.

    --config FILE.yaml reads settings from a file; flags override the file.
    """

    things: tyro.conf.Positional[tuple[str, ...]] = ()
    """Two pictures or categories: A B."""
    how: HybridWay = "overlay"
    """"overlay": both on one canvas; "left-right", "top-bottom": a half of each; "code": the mean of their codes."""
    mix: float = 0.5
    """With --how code: weight of B's code, 0 to 1."""
    cut_at: float = 0.5
    """With --how left-right and top-bottom: where both are cut, as a fraction of the canvas from the left or top."""
    samples: int = 8
    """Drawings of each input."""
    out: Path = Path("hybrid")
    """Folder for the drawings and the sheet."""
    drawing: Drawing = Drawing()


@dataclass(frozen=True)
class Interpolate:
    """Draw the steps from one thing to another, as a strip and as an animation.

    sketch-pix2seq create interpolate pig.png car.png --steps 12

    sketch-pix2seq create interpolate sun face --how linear

    Each thing is a picture, or the name of a category.

    --config FILE.yaml reads settings from a file; flags override the file.
    """

    things: tyro.conf.Positional[tuple[str, ...]] = ()
    """Two pictures or categories: A B."""
    steps: int = 10
    """Drawings of an interpolation, both ends included."""
    how: How = "spherical"
    """Spherical or linear interpolation of the codes."""
    samples: int = 1
    """Interpolations to draw; each is a row of the strip."""
    out: Path = Path("interpolation")
    """Folder for the drawings, the sheet, the strip and the animation."""
    drawing: Drawing = Drawing()


@dataclass(frozen=True)
class Analogy:
    """Draw A - B + C: the difference between A and B, added to C.

    sketch-pix2seq create analogy cat-with-body.png cat.png pig.png

    Each thing is a picture, or the name of a category.

    --config FILE.yaml reads settings from a file; flags override the file.
    """

    things: tyro.conf.Positional[tuple[str, ...]] = ()
    """Three pictures or categories: A B C."""
    samples: int = 8
    """Drawings of each input."""
    out: Path = Path("analogy")
    """Folder for the drawings and the sheet."""
    drawing: Drawing = Drawing()


@dataclass(frozen=True)
class Heal:
    """Redraw pictures with missing patches.

    sketch-pix2seq create heal pig.png fish.jpg --damage 0.1 0.3 0.5

    The sheet shows what the model saw beside what it drew.

    --config FILE.yaml reads settings from a file; flags override the file.
    """

    pictures: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Pictures and folders."""
    damage: tuple[float, ...] = (0.1, 0.3, 0.5)
    """Fractions of the patches with ink to erase; each fraction gives one damaged picture."""
    samples: int = 4
    """Drawings of each damaged picture."""
    out: Path = Path("healed")
    """Folder for the drawings and the sheet."""
    drawing: Drawing = Drawing()


@dataclass(frozen=True)
class Complete:
    """Finish a started drawing, in several ways.

    sketch-pix2seq create complete started.svg

    sketch-pix2seq create complete started.svg --category pig

    The given strokes are kept. --category or --picture says what the drawing is to become.

    --config FILE.yaml reads settings from a file; flags override the file.
    """

    started: tyro.conf.Positional[tuple[str, ...]] = ()
    """The started drawing."""
    category: str | None = None
    """What it is to become."""
    picture: str | None = None
    """A picture of what it is to become."""
    samples: int = 8
    """Drawings of each input."""
    out: Path = Path("completed")
    """Folder for the drawings and the sheet."""
    drawing: Drawing = Drawing()


Task: TypeAlias = Altered | Hybrid | Interpolate | Analogy | Heal | Complete
TASKS: dict[str, type[Task]] = {
    "altered": Altered,
    "hybrid": Hybrid,
    "interpolate": Interpolate,
    "analogy": Analogy,
    "heal": Heal,
    "complete": Complete,
}
"""Every sub-command with its settings."""


@dataclass(frozen=True)
class Settings:
    """Creative tasks with your own pictures.

    sketch-pix2seq create interpolate pig.png car.png
    """

    task: (
        Annotated[Altered, tyro.conf.subcommand("altered", prefix_name=False)]
        | Annotated[Hybrid, tyro.conf.subcommand("hybrid", prefix_name=False)]
        | Annotated[Interpolate, tyro.conf.subcommand("interpolate", prefix_name=False)]
        | Annotated[Analogy, tyro.conf.subcommand("analogy", prefix_name=False)]
        | Annotated[Heal, tyro.conf.subcommand("heal", prefix_name=False)]
        | Annotated[Complete, tyro.conf.subcommand("complete", prefix_name=False)]
    )


def defaults(words: list[str]) -> tuple[Settings | None, list[str]]:
    """Settings from ``--config FILE.yaml`` for the task that is named, and the other words; help where there are none.

    Raises SettingsError where the file is given before a task.
    """
    from sketch_pix2seq.cli.main import overlaid, read_yaml, take_option

    if not words:
        return None, ["--help"]
    path, others = take_option(words, "--config")
    if path is None:
        return None, others
    if not others or others[0] not in TASKS:
        raise SettingsError(f"name a task before its settings: create {'|'.join(TASKS)} --config {path}")
    return Settings(overlaid(TASKS[others[0]](), read_yaml(Path(path)), path, flat=True)), others


def run(settings: Settings) -> None:
    """Do a task and say what came of it and where it is."""
    task = settings.task
    drawing = task.drawing
    formats, paper = formats_of(drawing.format), drawing.paper.size()
    with progress() as bar:
        bar.add_task("drawing", total=None)
        creation = _created(task)
        report = write_creation(creation, task.out, formats=formats, paper=paper, overwrite=drawing.overwrite)
    if isinstance(creation, Alteration):
        _tell_seen(creation)
    beside = f"; also {', '.join(path.name for path in report.others)}" if report.others else ""
    drawings = "1 drawing" if report.drawings == 1 else f"{report.drawings} drawings"
    _say(f"{drawings} -> {report.folder}; side by side in {report.sheet}{beside}")


def _created(task: Task) -> Creation:
    seed, settings = task.drawing.seed, task.drawing.sampling.with_freedom(task.drawing.freedom)
    if isinstance(task, Altered):
        (picture,) = _exactly("altered", task.picture, "one picture: PICTURE")
        remove = _numbers(task.remove)
        model = _model(task)
        return altered(
            model,
            picture,
            task.samples,
            add=task.add,
            at=task.at,
            size=task.size,
            remove=remove,
            cut=task.cut,
            seed=seed,
            settings=settings,
        )
    if isinstance(task, Hybrid):
        a, b = _exactly("hybrid", task.things, "two pictures or categories: A B")
        return hybrid(
            _model(task),
            a,
            b,
            task.samples,
            how=task.how,
            share=task.mix,
            at=task.cut_at,
            seed=seed,
            settings=settings,
        )
    if isinstance(task, Interpolate):
        a, b = _exactly("interpolate", task.things, "two pictures or categories: A B")
        return interpolation(
            _model(task), a, b, task.samples, steps=task.steps, how=task.how, seed=seed, settings=settings
        )
    if isinstance(task, Analogy):
        a, b, c = _exactly("analogy", task.things, "three pictures or categories: A B C")
        return analogy(_model(task), a, b, c, task.samples, seed=seed, settings=settings)
    if isinstance(task, Heal):
        pictures = [path for path, _ in without_own(find_files(task.pictures), task.pictures)]
        return healing(_model(task), pictures, task.damage, task.samples, seed=seed, settings=settings)
    (started,) = _exactly("complete", task.started, "one started drawing: STARTED")
    return completion(
        _model(task),
        started,
        task.samples,
        category=task.category,
        picture=task.picture,
        seed=seed,
        settings=settings,
    )


def _model(task: Task) -> Model:
    return load_model(task.drawing.model, runtime=task.drawing.runtime)


def _exactly(name: str, given: Sequence[str], needed: str) -> Sequence[str]:
    """What was given, where there are as many as ``needed`` names in capitals."""
    if len(given) != len(needed.split(": ")[1].split()):
        raise SettingsError(f"{name} needs {needed}; {len(given)} given")
    return given


def _numbers(text: str) -> list[int]:
    words = text.replace(",", " ").split()
    if not all(word.isdecimal() for word in words):
        raise SettingsError(f"--remove takes numbers of strokes, such as 3,4; got {text!r}")
    return [int(word) for word in words]


def _tell_seen(creation: Alteration) -> None:
    seen = creation.mean_seen
    if seen.added is not None:
        _say(f"of the ink that was added, the drawings have {100 * seen.added:.0f} %")
    if seen.taken is not None:
        _say(f"of the ink that was taken away, the drawings have {100 * seen.taken:.0f} % all the same")


def _say(text: str) -> None:
    console().print(text, markup=False, soft_wrap=True)
