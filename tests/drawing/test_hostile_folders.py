"""Model folders are untrusted: each of these is refused with one of our errors, in little time and memory."""

from __future__ import annotations

import json
import os
import resource
import shutil
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file, save_file

from sketch_pix2seq.cli.main import main
from sketch_pix2seq.drawing.atlas import Atlas
from sketch_pix2seq.drawing.model import DrawSettings
from sketch_pix2seq.drawing.pretrained import load_model
from sketch_pix2seq.errors import FormatError, ModelError
from sketch_pix2seq.model.export import load_flow, load_network
from sketch_pix2seq.model.folder import read_info
from sketch_pix2seq.sketch import Sketch

SECONDS, MEGABYTES = 3.0, 300
Change = Callable[[Path], None]
SETTINGS = DrawSettings(max_points=4)


def draw(folder: Path) -> None:
    """Use all of a model folder."""
    model = load_model(folder)
    model.draw(_line(), settings=SETTINGS)
    model.generate(None, settings=SETTINGS)
    _ = model.classifier, model.atlas


def _line() -> Sketch:
    return Sketch((np.array([[0, 0], [200, 120], [90, 30]], np.float32),))


def config(*path: str, value: object) -> Change:
    """config.json with another value at a place."""

    def change(folder: Path) -> None:
        content = json.loads((folder / "config.json").read_text())
        place = content
        for name in path[:-1]:
            place = place[name]
        if value is None:
            del place[path[-1]]
        else:
            place[path[-1]] = value
        (folder / "config.json").write_text(json.dumps(content))

    return change


def file(name: str, data: bytes | Callable[[bytes], bytes]) -> Change:
    """A file with other bytes."""

    def change(folder: Path) -> None:
        path = folder / name
        path.write_bytes(data if isinstance(data, bytes) else data(path.read_bytes()))

    return change


def weights(name: str, change: Callable[[dict[str, Any]], object]) -> Change:
    """A file of weights with other tensors."""

    def changed(folder: Path) -> None:
        tensors = load_file(folder / name)
        change(tensors)
        save_file(tensors, folder / name)

    return changed


def spoilt(value: float) -> Callable[[dict[str, Any]], object]:
    """One number of the last tensor is another."""

    def change(tensors: dict[str, Any]) -> None:
        name = max(tensors, key=lambda name: tensors[name].size)
        tensors[name] = tensors[name].copy()
        tensors[name].flat[-1] = value

    return change


def header(about: object, data: bytes = b"") -> bytes:
    """A file of weights with a header of one's own."""
    text = json.dumps(about).encode() if not isinstance(about, bytes) else about
    return struct.pack("<Q", len(text)) + text + data


def graph(name: str, change: Callable[[Any], object]) -> Change:
    """A graph changed as a protobuf."""

    def changed(folder: Path) -> None:
        model = onnx.load(str(folder / name), load_external_data=False)
        change(model)
        (folder / name).write_bytes(model.SerializeToString())

    return changed


def loop(model: Any) -> None:
    body = helper.make_graph([], "body", [], [])
    model.graph.node.append(helper.make_node("Loop", ["", ""], [], body=body))


def branch(model: Any) -> None:
    body = helper.make_graph([], "body", [], [])
    model.graph.node.append(helper.make_node("If", ["x"], [], then_branch=body, else_branch=body))


def function(model: Any) -> None:
    model.functions.append(helper.make_function("mine", "f", [], [], [], []))


def domain(model: Any) -> None:
    model.graph.node[0].domain = "com.microsoft"


def located(key: str, value: str) -> Callable[[Any], None]:
    """Numbers that lie elsewhere."""

    def change(model: Any) -> None:
        for tensor in model.graph.initializer:
            for entry in tensor.external_data:
                if entry.key == key:
                    entry.value = value
                    return
        raise AssertionError

    return change


def located_in_a_constant(model: Any) -> None:
    tensor = numpy_helper.from_array(np.zeros(2, np.float32), "c")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    model.graph.node.append(helper.make_node("Constant", [], ["c"], value=tensor))


def renamed(what: str) -> Callable[[Any], None]:
    """The first input or output has another name."""

    def change(model: Any) -> None:
        first = getattr(model.graph, what)[0]
        old, first.name = first.name, "other"
        for node in model.graph.node:
            for names in (node.input, node.output):
                for i, name in enumerate(names):
                    if name == old:
                        names[i] = "other"

    return change


def giving_nan(model: Any) -> None:
    """The first output is made NaN at the end."""
    name = model.graph.output[0].name
    for node in model.graph.node:
        for i, output in enumerate(node.output):
            if output == name:
                node.output[i] = "before"
    model.graph.initializer.append(numpy_helper.from_array(np.array(np.nan, np.float32), "nan"))
    model.graph.node.append(helper.make_node("Add", ["before", "nan"], [name]))


def huge(model: Any) -> None:
    """A weight that says it has 10^12 numbers."""
    tensor = next(tensor for tensor in model.graph.initializer if not tensor.external_data)
    tensor.dims[:] = [1_000_000_000_000]


def copied(name: str, other: str) -> Change:
    """A file in the place of another."""

    def change(folder: Path) -> None:
        shutil.copy(folder / name, folder / other)

    return change


def fifo(name: str) -> Change:
    """A pipe, which never ends, in the place of a file."""

    def change(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        os.mkfifo(folder / name)

    return change


HOSTILE: dict[str, Change] = {
    "z_size is huge": config("model", "z_size", value=10**9),
    "z_size is text": config("model", "z_size", value="8"),
    "z_size is true": config("model", "z_size", value=True),
    "z_size is of another model": config("model", "z_size", value=16),
    "z_size is missing": config("model", "z_size", value=None),
    "the raster is huge": config("model", "raster", "size", value=10**6),
    "the raster is negative": config("model", "raster", "size", value=-48),
    "the raster is a number": config("model", "raster", value=48),
    "the margin is not a number": config("model", "raster", "margin", value=float("nan")),
    "the line is half a pixel": config("model", "raster", "line", value=0.5),
    "the scale is 0": config("sequence", "scale", value=0),
    "the scale is infinite": config("sequence", "scale", value=float("inf")),
    "the scale is a list": config("sequence", "scale", value=[1.0]),
    "the start is unknown": config("sequence", "start", value="end"),
    "the start is a list": config("sequence", "start", value=["first"]),
    "a million categories": config("categories", value=["a"] * 1_000_000),
    "categories are numbers": config("categories", value=[1, 2]),
    "a long name": config("categories", value=["a" * 1000]),
    "the record is a list": config("training", value=[]),
    "an unknown value": config("model", "takes", value=1),
    "no network": config("model", value=None),
    "no categories": config("categories", value=None),
    "another encoder": config("model", "encoder", value="none"),
    "a share above 1": config("model", "attend", value=1.5),
    "mixtures are many": config("model", "mixtures", value=10**7),
    "another version": config("version", value=1),
    "deep JSON": file("config.json", b"[" * 100_000),
    "many digits": file("config.json", b'{"version": ' + b"9" * 10_000 + b"}"),
    "long JSON": file("config.json", b" " * (5 << 20)),
    "a list": file("config.json", b"[]"),
    "no JSON": file("config.json", b"\xff\xfe{}"),
    "config.json is a pipe": fifo("config.json"),
    "model.safetensors is a pipe": fifo("model.safetensors"),
    "decoder.onnx is a pipe": fifo("decoder.onnx"),
    "a weight is NaN": weights("model.safetensors", spoilt(np.nan)),
    "a weight is infinite": weights("model.safetensors", spoilt(-np.inf)),
    "a weight of the flow is NaN": weights("flow.safetensors", spoilt(np.nan)),
    "weights are whole numbers": weights(
        "model.safetensors", lambda t: t.update({k: v.astype(int) for k, v in t.items()})
    ),
    "weights are missing": weights("model.safetensors", lambda t: [t.pop(k) for k in list(t)[::2]]),
    "weights are cut off": file("model.safetensors", lambda data: data[:-100]),
    "weights are empty": file("model.safetensors", b""),
    "the header is endless": file("model.safetensors", struct.pack("<Q", 1 << 60)),
    "the header is a list": file("model.safetensors", header([])),
    "the header is deep": file("model.safetensors", header(b"[" * 100_000)),
    "a tensor of 10^15 numbers": file(
        "model.safetensors", header({"a": {"dtype": "F16", "shape": [10**15], "data_offsets": [0, 2 * 10**15]}})
    ),
    "a tensor of less than nothing": file(
        "model.safetensors", header({"a": {"dtype": "F16", "shape": [-1], "data_offsets": [0, -2]}})
    ),
    "tensors on one place": file(
        "model.safetensors",
        header({k: {"dtype": "F16", "shape": [2], "data_offsets": [0, 4]} for k in "ab"}, b"\0" * 4),
    ),
    "the encoder loops": graph("encoder.onnx", loop),
    "the decoder branches": graph("decoder.onnx", branch),
    "the flow loops": graph("flow.onnx", loop),
    "a function": graph("start.onnx", function),
    "another domain": graph("decoder.onnx", domain),
    "numbers of /etc/passwd": graph("start.onnx", located("location", "/etc/passwd")),
    "numbers above the folder": graph("encoder.onnx", located("location", "../model.safetensors")),
    "numbers of config.json": graph("flow.onnx", located("location", "config.json")),
    "numbers of another file of weights": graph("flow.onnx", located("location", "model.safetensors")),
    "numbers beyond the end": graph("flow.onnx", located("offset", str(10**12))),
    "numbers before the beginning": graph("flow.onnx", located("offset", "-8")),
    "a constant elsewhere": graph("decoder.onnx", located_in_a_constant),
    "an input of another name": graph("encoder.onnx", renamed("input")),
    "an output of another name": graph("decoder.onnx", renamed("output")),
    "a state of another name": graph("start.onnx", renamed("output")),
    "a code that is no number": graph("encoder.onnx", giving_nan),
    "a row that is no number": graph("decoder.onnx", giving_nan),
    "a velocity that is no number": graph("flow.onnx", giving_nan),
    "a weight of 10^12 numbers": graph("start.onnx", huge),
    "the encoder is the flow": copied("flow.onnx", "encoder.onnx"),
    "the start is the decoder": copied("decoder.onnx", "start.onnx"),
    "a graph is cut off": file("decoder.onnx", lambda data: data[: len(data) // 2]),
    "a graph is empty": file("decoder.onnx", b""),
    "a graph is noise": file("decoder.onnx", bytes(range(256)) * 100),
    "a graph nests without end": file("decoder.onnx", b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\x7f"),
    "the classifier is the encoder": copied("encoder.onnx", "classifier.onnx"),
    "the map is noise": file("atlas.safetensors", b"\x08\0\0\0\0\0\0\0{}      "),
}


@pytest.fixture
def folder(folders: dict[str, Path], tmp_path: Path) -> Path:
    """A model folder of one's own."""
    for path in folders["default"].iterdir():
        shutil.copy(path, tmp_path)
    return tmp_path


def test_the_folder_itself_draws(folder: Path) -> None:
    draw(folder)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_folder_is_refused(name: str, folder: Path) -> None:
    HOSTILE[name](folder)
    start, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises((ModelError, FormatError)) as refused:
        draw(folder)
    assert time.process_time() - start < SECONDS
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < MEGABYTES
    assert len(str(refused.value)) < 1000


def flow_settings(value: object) -> Change:
    """flow.safetensors says this of its network."""

    def change(folder: Path) -> None:
        path = folder / "flow.safetensors"
        save_file(load_file(path), path, {"settings": json.dumps(value)})

    return change


TORCH = {name: change for name, change in HOSTILE.items() if "weight" in name or "tensor" in name or "z_size" in name}
TORCH = {name: change for name, change in TORCH.items() if "of 10^12" not in name and "numbers of" not in name} | {
    "the flow is huge": flow_settings({"width": 8192, "blocks": 256}),
    "the flow is wider than can be": flow_settings({"width": 10**9}),
    "the flow's width is text": flow_settings({"width": "16"}),
    "the flow's settings are a list": flow_settings([]),
}


@pytest.mark.parametrize("name", TORCH)
def test_hostile_weights_are_refused_by_the_other_runtime(name: str, folder: Path) -> None:
    TORCH[name](folder)
    start, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ModelError):
        load_flow(folder, load_network(folder)[1])
    assert time.process_time() - start < SECONDS
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < MEGABYTES


@pytest.mark.parametrize("name", ["z_size is huge", "a weight is NaN", "the decoder branches", "an unknown value"])
def test_the_command_line_says_so_in_one_line(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    HOSTILE[name](folder)
    with pytest.raises(SystemExit) as ended:
        main(["draw", "--category", "a", "--model", str(folder), "--out", str(folder / "out")])
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"sketch-pix2seq: {folder}/")
    assert not (folder / "out").exists()


# -- the map ----------------------------------------------------------------------------------------------


def _map() -> Atlas:
    sketches = tuple(Sketch((np.array([[0, 0], [9 * k, 5], [3, 3]], np.float32),) * 2, "ab"[k % 2]) for k in range(4))
    places, codes = np.full((4, 2), 0.5, np.float32), np.zeros((4, 8), np.float32)
    return Atlas(("a", "b"), np.array([0, 1, 0, 1], np.uint16), places, codes, sketches, "people")


ABOUT = {"categories": '["a", "b"]', "drawn_by": "people", "made_from": ""}
MAPS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "a place is NaN": ({"places": np.full((4, 2), np.nan, np.float16)}, {}),
    "a place is outside": ({"places": np.full((4, 2), 1.5, np.float16)}, {}),
    "places of another type": ({"places": np.full((4, 2), 0.5, np.float64)}, {}),
    "places of another shape": ({"places": np.full((2, 4), 0.5, np.float16)}, {}),
    "no drawings": ({"category_ids": np.zeros(0, np.uint16)}, {}),
    "categories beyond the last": ({"category_ids": np.full(4, 2, np.uint16)}, {}),
    "codes of fewer drawings": ({"codes": np.zeros((3, 8), np.int8)}, {}),
    "codes without numbers": ({"codes": np.zeros(4, np.int8)}, {}),
    "one number of codes": ({"codes": np.array(3, np.int8)}, {}),
    "points of three numbers": ({"points": np.zeros((24, 3), np.int16)}, {}),
    "too few points": ({"points": np.zeros((3, 2), np.int16)}, {}),
    "strokes go back": ({"stroke_starts": np.array([0, 6, 3, 9, 12, 15, 18, 21, 24], np.uint32)}, {}),
    "strokes beyond the end": ({"stroke_starts": np.array([0, 3, 6, 9, 12, 15, 18, 21, 4_000_000_000], np.uint32)}, {}),
    "strokes begin later": ({"stroke_starts": np.array([1, 3, 6, 9, 12, 15, 18, 21, 24], np.uint32)}, {}),
    "an empty stroke": ({"stroke_starts": np.array([0, 3, 3, 9, 12, 15, 18, 21, 24], np.uint32)}, {}),
    "an empty sketch": ({"sketch_starts": np.array([0, 2, 2, 6, 8], np.uint32)}, {}),
    "sketches of two axes": ({"sketch_starts": np.zeros((5, 1), np.uint32)}, {}),
    "no sketches": ({"sketch_starts": np.zeros(0, np.uint32)}, {}),
    "more arrays": ({"more": np.zeros(3, np.int8)}, {}),
    "categories are a number": ({}, {"categories": "3"}),
    "categories are numbers": ({}, {"categories": "[1, 2]"}),
    "categories nest": ({}, {"categories": "[" * 50_000}),
    "drawn by nobody": ({}, {"drawn_by": "nobody"}),
}


@pytest.mark.parametrize("name", MAPS)
def test_a_hostile_map_is_refused(name: str, tmp_path: Path) -> None:
    path = _map().save(tmp_path / "atlas.safetensors")
    assert len(Atlas.load(path)) == 4
    arrays, about = MAPS[name]
    save_file(load_file(path) | arrays, path, ABOUT | about)
    with pytest.raises(FormatError, match="not a map that"):
        Atlas.load(path)


def test_the_record_of_a_model_may_say_anything(folder: Path) -> None:
    config("training", value={"drawings": {"a": "many", "b": 3}, "settings": [1]})(folder)
    assert read_info(folder).drawings == {"b": 3}
