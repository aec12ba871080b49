"""Learns to draw many categories of things the way people draw them, stroke by stroke, from pictures."""

from __future__ import annotations

from sketch_pix2seq.telemetry import turn_off_telemetry

turn_off_telemetry()

TYPE_CHECKING = False  # typing's own would import much before the command line has taken care of Ctrl-C
if TYPE_CHECKING:
    from sketch_pix2seq.drawing.pretrained import load_model
    from sketch_pix2seq.sketch import Sketch

__version__ = "0.2.0"
__all__ = ["Sketch", "__version__", "load_model"]


def __getattr__(name: str) -> object:
    if name == "load_model":
        from sketch_pix2seq.drawing.pretrained import load_model

        return load_model
    if name == "Sketch":
        from sketch_pix2seq.sketch import Sketch

        return Sketch
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
