"""`sketch-pix2seq train-classifier`: the network that names what a sketch shows."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from sketch_pix2seq.cli.console import progress, say
from sketch_pix2seq.errors import FileError, missing_package
from sketch_pix2seq.evaluation.settings import ClassifierSettings


@dataclass(frozen=True)
class Settings(ClassifierSettings):
    """Train the sketch classifier by which `evaluate` measures, on a training split. Goes on where it stopped.

    sketch-pix2seq train-classifier --data mine.arrow --out mine-classifier.onnx
    """

    data: Path = Path("drawings.arrow")
    """The set to learn from."""
    out: Path = Path("classifier.onnx")
    """The classifier's file; its checkpoint lies beside it."""
    overwrite: bool = False
    """Replace a file of that name that has no checkpoint beside it."""


def run(settings: Settings) -> None:
    """Train with a progress bar; say how good it is."""
    try:
        from sketch_pix2seq.evaluation.classifier import train_classifier
    except ImportError as error:
        raise missing_package(error, "training", "train") from error
    beside = settings.out.with_name(settings.out.name + ".checkpoint")
    if settings.out.exists() and not beside.exists() and not settings.overwrite:
        raise FileError(settings.out, "exists already; name another file with --out, or give --overwrite")
    plain = ClassifierSettings(**{f.name: getattr(settings, f.name) for f in fields(ClassifierSettings)})
    with progress() as bar:
        task = bar.add_task("training", total=plain.steps)
        path, accuracy = train_classifier(
            settings.data,
            settings.out,
            plain,
            report=lambda at: bar.update(
                task, completed=at.step, description=f"loss {at.loss:.3f}, {at.rate:.0f} sketches/s"
            ),
        )
    say(
        f"classifier: {path}, {accuracy:.2%} of the sketches it never saw right\n"
        f"measure with it: sketch-pix2seq evaluate MODEL --data {settings.data} --classifier {path}"
    )
