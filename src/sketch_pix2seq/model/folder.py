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
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from safetensors import SafetensorError

from sketch_pix2seq import files
from sketch_pix2seq.errors import FileError, ModelError
from sketch_pix2seq.model.settings import ModelSettings
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

T = TypeVar("T")


@dataclass(frozen=True)
class ModelInfo:
    """What a model folder says of itself."""

    model: ModelSettings
    """The network's settings, the renderer's specification among them."""
    sequence: SequenceSpec
    """How points became rows."""
    categories: tuple[str, ...] = ()
    """What it was trained on."""
    training: Mapping[str, Any] = field(default_factory=dict)
    """The training record: steps, seconds, machine, losses, settings."""

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
    """Read ``config.json``. Raises ModelError where it is missing or of another make."""
    path = Path(folder) / CONFIG
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(
            f"{folder}: no model folder (it has no {CONFIG}); `sketch-pix2seq train` writes one"
        ) from error
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ModelError(f"{path}: cannot be read as a model's configuration ({error})") from error
    if not isinstance(content, dict) or content.get("version") != VERSION:
        raise ModelError(f"{path}: not a model folder of version {VERSION}")
    try:
        return ModelInfo(
            from_plain(ModelSettings, content["model"]),
            from_plain(SequenceSpec, content["sequence"]),
            tuple(content["categories"]),
            content["training"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{path}: not a model folder of version {VERSION} ({error})") from error


def from_plain(kind: type[T], values: Mapping[str, Any]) -> T:
    """A dataclass from plain JSON or YAML values, nested ones included. Raises ValueError naming an unknown field."""
    known = {f.name for f in fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - known)
    if unknown:
        raise ValueError(f"{kind.__name__} has no {', '.join(unknown)}; it has {', '.join(sorted(known))}")
    hints = get_type_hints(kind)
    return kind(**{k: from_plain(hints[k], v) if is_dataclass(hints[k]) else v for k, v in values.items()})
