"""The model folder: settings, weights and graphs that travel together. Reading what it holds needs no PyTorch.

``config.json``        settings, categories, conventions and training record
``model.safetensors``  weights, float16, which the graphs share
``encoder.onnx``       ink -> z, or strokes -> z; a model without an encoder has none
``start.onnx``         z, its noise level, category, picture -> what stays the same while drawing, and the first state
``decoder.onnx``       a row, uniform numbers and the state -> the next row, and the state after it
``flow.safetensors``, ``flow.onnx``  the flow over codes (`model.flow`)
``classifier.onnx``    names pictures; not always there
``atlas.safetensors``  drawings with their codes and places on a map (`drawing.atlas`); not always there
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from sketch_pix2seq import files
from sketch_pix2seq.errors import FileError, ModelError, SettingsError
from sketch_pix2seq.model.settings import ModelSettings
from sketch_pix2seq.plain import from_plain
from sketch_pix2seq.sequence import SequenceSpec

CONFIG, WEIGHTS = "config.json", "model.safetensors"
ENCODER, START, DECODER = "encoder.onnx", "start.onnx", "decoder.onnx"
FLOW, FLOW_WEIGHTS = "flow.onnx", "flow.safetensors"
CLASSIFIER = "classifier.onnx"
ATLAS = "atlas.safetensors"
RUN_MODEL = "model"
"""The model folder inside the folder of a training run."""
CHECKPOINT = "checkpoint.safetensors"
"""What a run goes on from; beside the model folder."""
VERSION = 2
_LONGEST_CONFIG = 4 << 20
_MOST_CATEGORIES = 10_000
_LONGEST_NAME = 200


@dataclass(frozen=True)
class ModelInfo:
    """What a model folder says of itself."""

    model: ModelSettings
    """The network's settings, the renderer's specification among them."""
    sequence: SequenceSpec
    """How points became rows."""
    categories: tuple[str, ...]
    """What it was trained on."""
    training: Mapping[str, Any] = field(default_factory=dict)
    """The training record: steps, seconds, machine, losses, settings."""

    def __post_init__(self) -> None:
        if len(self.categories) > _MOST_CATEGORIES or max(map(len, self.categories), default=0) > _LONGEST_NAME:
            raise SettingsError(
                f"a model has at most {_MOST_CATEGORIES:,} categories, whose names have at most {_LONGEST_NAME} letters"
            )

    @property
    def drawings(self) -> dict[str, int]:
        """Training drawings of each category, as far as the record tells."""
        found = self.training.get("drawings")
        counts = found.items() if isinstance(found, Mapping) else ()
        return {name: count for name, count in counts if isinstance(count, int)}

    def save(self, folder: Path) -> None:
        """Write ``config.json``."""
        text = json.dumps({"version": VERSION, **asdict(self)}, indent=2)
        (folder / CONFIG).write_text(text + "\n", encoding="utf-8")


@contextmanager
def writing_folder(folder: str | Path) -> Iterator[Path]:
    """A folder to make a model's files in; they move into ``folder`` when the block ends well, the configuration last.

    Other files of ``folder`` stay. Raises FileError for what the system refuses.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with files.writing_folder(folder) as part:
            yield part
            for path in sorted(part.iterdir(), key=lambda p: p.suffix == ".json"):
                path.chmod(0o644)  # safetensors writes for its owner alone
                path.replace(folder / path.name)
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or error
        raise FileError(folder, f"the model cannot be written: {reason}") from error


def read_info(folder: str | Path) -> ModelInfo:
    """Read ``config.json``, every value checked. Raises ModelError where it is missing or of another make."""
    path = Path(folder) / CONFIG
    if not path.exists():
        raise ModelError(f"{folder}: no model folder (it has no {CONFIG}); `sketch-pix2seq train` writes one")
    try:
        with files.open_to_read(path) as file:
            text = file.read(_LONGEST_CONFIG + 1)
        if len(text) > _LONGEST_CONFIG:
            raise ValueError(f"it is longer than {_LONGEST_CONFIG >> 20} MB")
        content = json.loads(text)
        if not isinstance(content, dict) or content.pop("version", None) != VERSION:
            raise ValueError("it is of another version")
        return from_plain(ModelInfo, content)
    except FileError as error:
        raise ModelError(str(error)) from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path}: not a model folder of version {VERSION} ({error})") from error
