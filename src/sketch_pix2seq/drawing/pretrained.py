"""Finding a model: the bundled one, one in a folder, or one on the Hugging Face Hub."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from sketch_pix2seq.drawing.model import Model
from sketch_pix2seq.drawing.runtime import OnnxRuntime, Runtime, RuntimeName, TorchRuntime
from sketch_pix2seq.errors import ModelError
from sketch_pix2seq.model.folder import CONFIG, RUN_MODEL

BUNDLED = "bundled"


def bundled_folder() -> Path:
    """The folder of the model that comes with the package."""
    return Path(str(resources.files("sketch_pix2seq"))) / "pretrained"


def load_model(
    model: str | Path = BUNDLED, *, runtime: RuntimeName = "onnx", threads: int = 0
) -> Model:
    """The bundled model, the model of a folder, or ``owner/name`` on the Hugging Face Hub (needs huggingface_hub).

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
    """Where a model's files lie, in a training run's folder too; a name on the Hub is downloaded."""
    if str(model) == BUNDLED:
        return bundled_folder()
    folder = Path(model)
    if folder.exists():
        inside = folder / RUN_MODEL
        return inside if inside.is_dir() and not (folder / CONFIG).exists() else folder
    if isinstance(model, str) and model.count("/") == 1 and not model.startswith((".", "/")):
        return _from_hub(model)
    raise ModelError(f"{model}: no such folder; give a model folder, `bundled`, or owner/name on the Hugging Face Hub")


def _from_hub(name: str) -> Path:
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise ModelError(
            f"{name}: no such folder; for a model on the Hugging Face Hub: pip install huggingface_hub"
        ) from error
    try:
        return Path(snapshot_download(name, allow_patterns=["*.json", "*.onnx", "*.safetensors", "*.npz", "*.md"]))
    except Exception as error:  # the client raises many kinds, for a name, the network or the server
        raise ModelError(
            f"{name}: neither a folder nor to be had from the Hugging Face Hub ({str(error).splitlines()[0]})"
        ) from error
