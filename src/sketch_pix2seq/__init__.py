"""Learns to draw many categories of things the way people draw them, stroke by stroke, from pictures."""

from __future__ import annotations

from sketch_pix2seq.telemetry import turn_off_telemetry

turn_off_telemetry()

TYPE_CHECKING = False  # typing's own would import much before the command line has taken care of Ctrl-C
if TYPE_CHECKING:
    from sketch_pix2seq.drawing.create import (
        altered,
        analogy,
        completion,
        healing,
        hybrid,
        interpolation,
        write_creation,
    )
    from sketch_pix2seq.drawing.model import DrawSettings, Model
    from sketch_pix2seq.drawing.pretrained import load_model
    from sketch_pix2seq.formats import read_sketches, write_sketches
    from sketch_pix2seq.sketch import Sketch

__version__ = "0.2.0"
__all__ = [
    "DrawSettings",
    "Model",
    "Sketch",
    "__version__",
    "altered",
    "analogy",
    "completion",
    "healing",
    "hybrid",
    "interpolation",
    "load_model",
    "read_sketches",
    "write_creation",
    "write_sketches",
]

_MODULES = {
    "DrawSettings": "drawing.model",
    "Model": "drawing.model",
    "Sketch": "sketch",
    "load_model": "drawing.pretrained",
    "read_sketches": "formats",
    "write_sketches": "formats",
}
"""Where the public names are; the others are in `drawing.create`. Each module is imported when a name is asked for."""


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_MODULES.get(name, 'drawing.create')}"), name)
