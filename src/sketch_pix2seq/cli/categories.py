"""`sketch-pix2seq categories`: what a model can draw without a picture."""

from __future__ import annotations

from dataclasses import dataclass

from sketch_pix2seq.cli.console import say
from sketch_pix2seq.drawing.pretrained import BUNDLED, model_folder
from sketch_pix2seq.model.folder import read_info


@dataclass(frozen=True)
class Settings:
    """List the categories that a model knows, and how many drawings it learned each from, one a line.

    sketch-pix2seq categories

    sketch-pix2seq categories --model runs/mine
    """

    model: str = BUNDLED
    """"bundled", a model folder, or hf:owner/name on the Hugging Face Hub."""


def run(settings: Settings) -> None:
    """Print the names, with the numbers of training drawings where the model's record has them."""
    info = read_info(model_folder(settings.model))
    counts = info.drawings
    width = max(map(len, info.categories), default=0)
    say("\n".join(f"{name:{width}}  {counts[name]:>7,}" if name in counts else name for name in info.categories))
