"""Finding a model: the bundled one, one in a folder, or one on the Hugging Face Hub (``hf:owner/name``)."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

from sketch_pix2seq.drawing.model import Model
from sketch_pix2seq.drawing.runtime import OnnxRuntime, Runtime, RuntimeName, TorchRuntime
from sketch_pix2seq.errors import ModelError, missing_package
from sketch_pix2seq.model.folder import CHECKPOINT, CONFIG, RUN_MODEL

BUNDLED = "bundled"
HUB = "hf:"
"""Begins the name of a model on the Hugging Face Hub; nothing else asks the Hub."""


def bundled_folder() -> Path:
    """The folder of the model that comes with the package."""
    return Path(str(resources.files("sketch_pix2seq"))) / "pretrained"


def load_model(model: str | Path = BUNDLED, *, runtime: RuntimeName = "onnx", threads: int = 0) -> Model:
    """The bundled model, the model of a folder, or ``hf:owner/name`` on the Hugging Face Hub (needs huggingface_hub).

    runtime: "onnx" needs nothing more, "torch" needs PyTorch. threads: of ONNX Runtime; 0 = one a core.
    Raises ModelError where there is no such model, or PyTorch is asked for and not there.
    """
    folder = model_folder(model)
    loaded: Runtime
    if runtime == "torch":
        try:
            import torch  # noqa: F401
        except ImportError as error:
            raise ModelError('the torch runtime needs PyTorch: pip install "sketch-pix2seq[train]"') from error
        loaded = TorchRuntime.load(folder)
    else:
        loaded = OnnxRuntime(folder, threads=threads)
    return Model(loaded, folder)


def model_folder(model: str | Path) -> Path:
    """Where a model's files lie, in a training run's folder too; ``hf:owner/name`` is downloaded from the Hub.

    Raises ModelError where there is no such folder or name, or a run has not written its model yet.
    """
    if str(model) == BUNDLED:
        return bundled_folder()
    if isinstance(model, str) and model.startswith(HUB):
        return _from_hub(model.removeprefix(HUB))
    folder = Path(model)
    if not folder.exists():
        text = str(model)
        hub = f"; a model on the Hugging Face Hub is {HUB}{text}" if re.fullmatch(r"[\w.-]+/[\w.-]+", text) else ""
        raise ModelError(f"{model}: no such folder; give a model folder, `{BUNDLED}`, or {HUB}owner/name{hub}")
    if (folder / CONFIG).exists() or not (inside := folder / RUN_MODEL).is_dir():
        if (folder / CHECKPOINT).is_file():
            raise ModelError(
                f"{folder}: a run that has not ended; `sketch-pix2seq export {folder} --data SET.arrow` writes a model "
                "of its last checkpoint"
            )
        return folder
    return inside


def _from_hub(name: str) -> Path:
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise missing_package(error, f"{HUB}{name}", "hub") from error
    try:
        return Path(snapshot_download(name, allow_patterns=["*.json", "*.onnx", "*.safetensors", "*.npz", "*.md"]))
    except Exception as error:  # the client raises many kinds, for a name, the network or the server
        raise ModelError(
            f"{HUB}{name}: not to be had from the Hugging Face Hub ({str(error).splitlines()[0]})"
        ) from error
