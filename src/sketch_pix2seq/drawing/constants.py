"""Numbers that drawing here and drawing in the studio's page share: ``constants.json``, which both read.

What each means stands where it is named: `drawing.sampler`, `drawing.flow`, `drawing.model`, `drawing.complete`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from typing import Any

_ALL: Mapping[str, Mapping[str, Any]] = json.loads(
    resources.files("sketch_pix2seq.drawing").joinpath("constants.json").read_text(encoding="utf-8")
)
SAMPLER, FLOW, MODEL, COMPLETE = (_ALL[room] for room in ("sampler", "flow", "model", "complete"))
