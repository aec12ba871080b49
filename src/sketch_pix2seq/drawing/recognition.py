"""The sketch classifier at work: ink in, names and features out, on ONNX Runtime.

It is one file, ``classifier.onnx``, that carries its categories, renderer and training record. `train_classifier` in
``evaluation/classifier.py`` makes one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq.drawing.interface import check_classifier
from sketch_pix2seq.errors import ModelError
from sketch_pix2seq.model.untrusted import check_graph
from sketch_pix2seq.plain import from_plain, typed
from sketch_pix2seq.raster import RasterSpec, ink_of
from sketch_pix2seq.sketch import FloatArray, Sketch

METADATA = "sketch_pix2seq.classifier"
"""Key of the JSON in the graph's metadata."""
_AT_ONCE = 256
_BUNDLED = "bundled"


class Classifier:
    """Names what a sketch shows. `load_classifier` opens one.

    categories: the names, in the order of the logits. raster: how sketches are drawn for it. record: its training.
    """

    def __init__(self, path: str | Path) -> None:
        import onnxruntime

        self.path = Path(path)
        if not self.path.is_file():
            raise ModelError(f"{path}: no such file; `sketch-pix2seq train-classifier` makes a classifier")
        check_graph(self.path, None)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            about = json.loads(self._session.get_modelmeta().custom_metadata_map[METADATA])
            self.categories: tuple[str, ...] = typed(about["categories"], tuple[str, ...])
            self.raster = from_plain(RasterSpec, about["raster"])
            self.record: Mapping[str, Any] = typed(about["record"], Mapping[str, Any])
            check_classifier(self._session, self.raster.size, len(self.categories))
        except Exception as error:  # ONNX Runtime raises bare exceptions of its own extension module
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ModelError(
                f"{path}: not a classifier that `sketch-pix2seq train-classifier` made ({reason})"
            ) from error

    def describe(self) -> str:
        """In a few words: categories, size, and what it is worth."""
        accuracy, split = self.record.get("accuracy"), self.record.get("split", "test")
        worth = f", {accuracy:.1%} of its {split} sketches right" if isinstance(accuracy, float) else ""
        return f"{self.path.name}, {len(self.categories)} categories, {self.raster.size} x {self.raster.size}{worth}"

    def look(self, sketches: Sequence[Sketch]) -> tuple[FloatArray, FloatArray]:
        """Logits ``(n, categories)`` and features ``(n, d)`` of sketches, which are fitted first."""
        return self.look_at_ink(ink_of(sketches, self.raster))

    def look_at_ink(self, ink: NDArray[np.uint8]) -> tuple[FloatArray, FloatArray]:
        """The same of ink ``(n, size, size)``, 255 = line."""
        parts = []
        for begin in range(0, len(ink), _AT_ONCE):
            part = ink[begin : begin + _AT_ONCE].astype(np.float32) / np.float32(255)
            try:
                parts.append(self._session.run(["logits", "features"], {"ink": part}))
            except Exception as error:  # ONNX Runtime raises bare exceptions of its own extension module
                raise ModelError(f"{self.path}: cannot be computed ({str(error).splitlines()[0]:.300})") from error
        if not parts:
            raise ModelError("there is no sketch to recognise")
        logits, features = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        if logits.shape != (len(ink), len(self.categories)) or not np.isfinite(logits).all():
            raise ModelError(f"{self.path}: gives numbers that are not finite, or too few; it is damaged")
        return logits, features


def load_classifier(classifier: str | Path = _BUNDLED) -> Classifier:
    """The bundled classifier, or the one in a file."""
    if str(classifier) == _BUNDLED:
        return Classifier(Path(str(resources.files("sketch_pix2seq"))) / "pretrained" / "classifier.onnx")
    return Classifier(classifier)
