"""What is fuzzed: a function of bytes for each format. It must return or raise SketchError."""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from sketch_pix2seq.data.store import SketchSet, SketchSetWriter
from sketch_pix2seq.drawing.atlas import Atlas
from sketch_pix2seq.drawing.pretrained import bundled_folder
from sketch_pix2seq.errors import SketchError
from sketch_pix2seq.formats import read_sketches, write_sketches
from sketch_pix2seq.formats.sketch_rnn_js import read_js, write_js
from sketch_pix2seq.model.folder import read_info
from sketch_pix2seq.model.untrusted import check_graph, check_weights
from sketch_pix2seq.sketch import Sketch
from tests.formats.test_sketch_rnn_js import made_up_decoder

CASES = Path(__file__).parents[1] / "formats" / "hostile"
_FOLDER = Path(tempfile.mkdtemp(prefix="sketch-pix2seq-fuzz-"))


def _read(suffix: str) -> Callable[[bytes], None]:
    path = _FOLDER / f"input{suffix}"

    def target(data: bytes) -> None:
        path.write_bytes(data)
        with suppress(SketchError):
            for sketch in read_sketches(path):
                sketch.fit()

    return target


def _gzip(data: bytes) -> None:
    """Half of the inputs are the content, as a fuzzer does not find a checksum."""
    _read(".ndjson.gz")(gzip.compress(data[1:], 1) if data[:1] < b"\x80" else data[1:])


def _arrow(data: bytes) -> None:
    path = _FOLDER / "input.arrow"
    path.write_bytes(data)
    with suppress(SketchError):
        found = SketchSet(path)
        for sketch in found:
            assert sketch.n_points
        if len(found):
            found.gather(range(len(found)))


def _model(name: str, check: Callable[[Path], object]) -> Callable[[bytes], None]:
    """What is checked of a file of a model folder."""
    (_FOLDER / "model").mkdir(exist_ok=True)
    path = _FOLDER / "model" / name

    def target(data: bytes) -> None:
        path.write_bytes(data)
        with suppress(SketchError):
            check(path)

    return target


TARGETS: dict[str, Callable[[bytes], None]] = {
    "npz": _read(".npz"),
    "ndjson": _read(".ndjson"),
    "gzip": _gzip,
    "svg": _read(".svg"),
    "arrow": _arrow,
    "js": _model("model.gen.json", read_js),
    "config": _model("config.json", lambda path: read_info(path.parent)),
    "weights": _model("model.safetensors", check_weights),
    "graph": _model("encoder.onnx", lambda path: check_graph(path, "model.safetensors")),
    "map": _model("atlas.safetensors", Atlas.load),
}
"""The last four are what is checked of a model folder before ONNX Runtime loads it."""


def corpus(name: str) -> list[bytes]:
    """Small inputs to begin with: files that we write, and those of `CASES`."""
    rng = np.random.default_rng(0)
    sketches = [
        Sketch(tuple(rng.integers(0, 255, (n, 2)).astype(np.float32) for n in (1, 4)), "cat", {"key_id": str(k)})
        for k in range(3)
    ]
    if name == "js":
        return [write_js(made_up_decoder(), _FOLDER / "corpus.json").read_bytes()]
    if name in ("config", "graph"):
        return [
            path.read_bytes()
            for path in sorted(bundled_folder().glob({"config": "*.json", "graph": "[ef]*.onnx"}[name]))
        ]
    if name == "weights":
        return [save({"a": np.ones((4, 3), np.float16), "b": np.zeros(7, np.float32)}, {"settings": '{"width": 16}'})]
    if name == "map":
        codes, places = np.zeros((3, 4), np.float32), np.full((3, 2), 0.5, np.float32)
        atlas = Atlas(("cat",), np.zeros(3, np.uint16), places, codes, tuple(sketches), "people")
        return [atlas.save(_FOLDER / "corpus.safetensors").read_bytes()]
    if name == "arrow":
        path = _FOLDER / "corpus.arrow"
        with SketchSetWriter(path) as writer:
            for sketch in sketches:
                writer.add(sketch, "train")
        return [path.read_bytes()]
    suffix = ".ndjson" if name in ("ndjson", "gzip") else f".{name}"
    written = write_sketches(sketches, _FOLDER / f"corpus{suffix}")
    found = [path.read_bytes() for path in [*written, *sorted(CASES.glob(f"*{suffix}"))]]
    return [b"\0" + data for data in found] if name == "gzip" else found
