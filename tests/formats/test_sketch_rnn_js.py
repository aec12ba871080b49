"""Decoders of sketch-rnn's JavaScript: what is written is read back, and what is no decoder is named in one line."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sketch_pix2seq.errors import FileError, FormatError
from sketch_pix2seq.formats.sketch_rnn_js import STEP, JsDecoder, JsWeights, read_js, stored, values, write_js


def made_up_decoder(size: int = 6, mixtures: int = 2, seed: int = 0, name: str = "bird") -> JsDecoder:
    """A decoder that has learned nothing."""
    rng = np.random.default_rng(seed)
    outputs = 3 + 6 * mixtures
    shapes = [(size, outputs), (outputs,), (5, 4 * size), (size, 4 * size), (4 * size,)]
    weights = JsWeights(*(rng.normal(0, 1600, shape).clip(-32767, 32767).astype(np.int16) for shape in shapes))
    return JsDecoder(name, 71.3754, 129, weights)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_js(made_up_decoder(), tmp_path / "bird.gen.json")


def test_a_decoder_comes_back_as_it_was(path: Path) -> None:
    written, read = made_up_decoder(), read_js(path)
    assert (read.name, read.scale_factor, read.max_points) == ("bird", 71.3754, 129)
    assert (read.size, read.mixtures) == (6, 2)
    for name, a, b in zip(JsWeights._fields, written.weights, read.weights, strict=True):
        assert b.dtype == np.int16
        np.testing.assert_array_equal(a, b, name)
    assert list(path.parent.iterdir()) == [path]


def test_the_file_is_what_the_javascript_reads(path: Path) -> None:
    header, shapes, blobs = json.loads(path.read_text())
    assert header == {"mode": 2, "version": 6, "max_seq_len": 129, "name": "bird", "scale_factor": 71.3754}
    assert shapes == [[6, 15], [15], [5, 24], [6, 24], [24]]
    numbers = np.frombuffer(base64.b64decode(blobs[2]), "<i2").reshape(shapes[2])
    np.testing.assert_array_equal(numbers, made_up_decoder().weights.from_row)


def test_numbers_are_stored_to_the_nearest_step() -> None:
    assert values(np.array([32767, 0, -32767], np.int16)).tolist() == [10, 0, -10]
    every = np.arange(-32767, 32768).astype(np.int16)
    np.testing.assert_array_equal(stored(values(every)), every)
    some = np.random.default_rng(0).uniform(-10, 10, 1000).astype(np.float32)
    assert np.abs(values(stored(some)) - some).max() <= STEP / 2 + 1e-6
    assert stored(np.array([12, -3e9], np.float32)).tolist() == [32767, -32767]


Change = Callable[[list[Any]], Any]


def with_header(**entries: object) -> Change:
    return lambda content: [{**content[0], **entries}, *content[1:]]


def with_shapes(*shapes: object) -> Change:
    return lambda content: [content[0], [*shapes, *content[1][len(shapes) :]], content[2]]


def with_blob(number: int, blob: object) -> Change:
    return lambda content: [*content[:2], [*content[2][:number], blob, *content[2][number + 1 :]]]


WRONG: list[tuple[Change, str]] = [
    (lambda content: {}, "not a model of sketch-rnn"),
    (lambda content: content[:2], "not a model of sketch-rnn"),
    (lambda content: [content[1], content[0], content[2]], "not a model of sketch-rnn"),
    (with_header(scale_factor=float("nan")), "scale_factor"),
    (with_header(scale_factor=float("inf")), "scale_factor"),
    (with_header(scale_factor=-2), "scale_factor"),
    (with_header(scale_factor="71"), "scale_factor"),
    (with_header(scale_factor=10**400), "scale_factor"),
    (with_header(name=["bird"]), "no name"),
    (lambda content: [content[0], content[1] + [[6]], content[2] + ["AAAA"]], "holds 6 arrays; only decoders, which"),
    (lambda content: [content[0], content[1], content[2][:4]], "holds 4 arrays"),
    (with_shapes([6, 15, 1]), "no decoder of sketch-rnn has arrays of the shapes|not the shape of array 1"),
    (with_shapes([15, 6]), "no decoder of sketch-rnn has arrays of the shapes [15, 6]"),
    (with_shapes([-6, -15]), "not the shape of array 1"),
    (with_shapes("six"), "not the shape of array 1"),
    (with_shapes([6.0, 15]), "not the shape of array 1"),
    (with_shapes([6, 16]), "array 1 has 90 numbers, not 96"),
    (with_shapes([10**9, 10**9]), "array 1 has 90 numbers, not 1000000000000000000"),
    (with_blob(3, "AAA"), "array 4 is not in base64"),
    (with_blob(3, "AA!="), "array 4 is not in base64"),
    (with_blob(3, 17), "array 4 is not in base64"),
    (with_blob(3, "é" * 8), "array 4 is not in base64"),
    (with_blob(3, "AAAA"), "cut short or damaged: array 4 has 1.5 numbers, not 144"),
]


@pytest.mark.parametrize(("change", "message"), WRONG, ids=[message for _, message in WRONG])
def test_what_is_wrong_in_a_file_is_one_line(path: Path, change: Change, message: str) -> None:
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(FormatError) as caught:
        read_js(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert any(part in str(caught.value) for part in message.split("|"))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value).removeprefix(str(path))) < 200


def test_files_of_other_kinds_are_refused(tmp_path: Path, path: Path) -> None:
    with pytest.raises(FileError, match="no such file"):
        read_js(tmp_path / "missing.gen.json")
    with pytest.raises(FileError, match="cannot be read"):
        read_js(tmp_path)
    for content, message in (
        (b" \n", "the file is empty"),
        (path.read_bytes()[:-200], "not JSON, or cut short"),
        (b"\xff\xd8\xff\xe0", "not JSON, or cut short"),
        (b"[" * 100_000, "not JSON, or cut short"),
        (b"__import__('os')", "not JSON, or cut short"),
    ):
        path.write_bytes(content)
        with pytest.raises(FormatError, match=message):
            read_js(path)
    with path.open("wb") as file:
        file.truncate(200_000_000)
    with pytest.raises(FormatError, match="has 200 MB"):
        read_js(path)


@pytest.mark.shared
@pytest.mark.parametrize("name", ["bird", "bicycle", "sheep"])
def test_models_of_google(shared_data: Path, tmp_path: Path, name: str) -> None:
    path = shared_data / "sketch-rnn-js" / f"{name}.gen.json"
    decoder = read_js(path)
    assert (decoder.name, decoder.size, decoder.mixtures) == (name, 512, 20)
    again = write_js(decoder, tmp_path / "again.gen.json")
    assert json.loads(again.read_text()) == json.loads(path.read_text())
