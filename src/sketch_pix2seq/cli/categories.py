"""`sketch-pix2seq categories`: what a model can draw without a picture."""

from __future__ import annotations

from dataclasses import dataclass

from sketch_pix2seq.cli.console import say
from sketch_pix2seq.drawing.pretrained import BUNDLED, model_folder
from sketch_pix2seq.model.folder import read_info


@dataclass(frozen=True)
class Settings:
    """List the categories that a model knows, one a line.

    sketch-pix2seq categories

    sketch-pix2seq categories --model runs/mine
    """

    model: str = BUNDLED
    """"bundled", a model folder, or hf:owner/name on the Hugging Face Hub."""


def run(settings: Settings) -> None:
    """Print the names."""
    say("\n".join(read_info(model_folder(settings.model)).categories))
