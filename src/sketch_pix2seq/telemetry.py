"""Nothing leaves the machine: reports by dependencies are off before any of them is imported."""

from __future__ import annotations

import os

_SWITCHES = {
    # ONNX Runtime 1.32 for Linux keeps a device ID and events below ~/.cache and looks up a host, from its import on.
    "ORT_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}
"""Environment variables that the dependencies read when they are imported."""


def turn_off_telemetry() -> None:
    """Switch reports off for this process and those that it starts; ``sketch_pix2seq/__init__.py`` calls it first."""
    os.environ.update(_SWITCHES)
