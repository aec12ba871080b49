"""What is checked of a model folder's weights and graphs before they are loaded: folders come from anywhere.

The layout of graphs is that of ``onnx.proto3``, of weights that of safetensors: eight bytes for the length of a JSON
header, the header, the numbers. Neither `onnx` nor PyTorch is needed, and nothing is copied.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sketch_pix2seq.errors import FileError, ModelError
from sketch_pix2seq.files import open_to_read

_LARGEST_GRAPH = 256 << 20
_MOST_NODES = 20_000
_LONGEST_HEADER = 4 << 20
_AT_ONCE = 1 << 22
"""Bytes of weights looked at together."""

# Bytes of a number, and where its exponent has only ones: it is not finite.
_TYPES: dict[str, tuple[type[np.unsignedinteger[Any]], int]] = {
    "F16": (np.uint16, 0x7C00),
    "F32": (np.uint32, 0x7F800000),
}

Shapes = dict[str, tuple[int, ...]]


class _RefusedError(ValueError):
    pass


# -- weights ----------------------------------------------------------------------------------------------


def check_weights(path: Path, shapes: Shapes | None = None) -> None:
    """Raise ModelError for weights that are missing, damaged or hold what is not a finite float16 or float32.

    shapes: the shape of each, where that is known.
    """
    try:
        with open_to_read(path) as file:
            size = int.from_bytes(file.read(8), "little")
            if size > _LONGEST_HEADER:
                raise _RefusedError(f"its header is longer than {_LONGEST_HEADER >> 20} MB")
            header = json.loads(file.read(size))
        if not isinstance(header, dict):
            raise _RefusedError("its header is none")
        header.pop("__metadata__", None)
        stored = {name: _Stored.of(about) for name, about in header.items()}
        _check_places(stored, path.stat().st_size - 8 - size)
        found = {name: tensor.shape for name, tensor in stored.items()}
        if shapes is not None and found != shapes:
            name = min(name for name in {**found, **shapes} if found.get(name) != shapes.get(name))
            raise _RefusedError(f"{name:.80} is {found.get(name, 'missing')}, not {shapes.get(name, 'known')}")
        content = np.memmap(path, np.uint8, "r", offset=8 + size) if stored else np.zeros(0, np.uint8)
        for name, tensor in stored.items():
            if not _is_finite(content[tensor.begin : tensor.end], tensor.kind):
                raise _RefusedError(f"{name:.80} holds a number that is not finite")
    except FileError as error:
        raise ModelError(f"{error}; the model folder is incomplete") from error
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path}: not the weights of this model ({error})") from error


class _Stored(NamedTuple):
    kind: str
    shape: tuple[int, ...]
    begin: int
    end: int

    @classmethod
    def of(cls, about: Any) -> _Stored:
        try:
            shape, (begin, end) = tuple(about["shape"]), about["data_offsets"]
            kind, sizes = about["dtype"], (*shape, begin, end)
        except (TypeError, KeyError, ValueError) as error:
            raise _RefusedError("its header is damaged") from error
        if kind not in _TYPES or not all(type(n) is int and 0 <= n < 1 << 48 for n in sizes):
            raise _RefusedError("it holds what is no float16 or float32")
        if end - begin != math.prod(shape) * np.dtype(_TYPES[kind][0]).itemsize:
            raise _RefusedError("its sizes contradict each other")
        return cls(kind, shape, begin, end)


def _check_places(stored: Mapping[str, _Stored], size: int) -> None:
    """The tensors follow one another from the beginning to the end."""
    place = 0
    for tensor in sorted(stored.values(), key=lambda tensor: (tensor.begin, tensor.end)):
        if tensor.begin != place:
            raise _RefusedError("its tensors do not follow one another")
        place = tensor.end
    if place != size:
        raise _RefusedError("it is cut off" if place > size else "something follows its tensors")


def _is_finite(data: np.ndarray[Any, np.dtype[np.uint8]], kind: str) -> bool:
    bits, exponent = _TYPES[kind]
    for begin in range(0, len(data), _AT_ONCE):
        numbers = np.frombuffer(data[begin : begin + _AT_ONCE], bits) & bits(exponent)
        if (numbers == exponent).any():
            return False
    return True


# -- graphs -----------------------------------------------------------------------------------------------


def check_graph(path: Path, weights: str | None) -> None:
    """Raise ModelError for a graph that is missing, large or damaged, or holds what our exports do not.

    That is: control flow (an attribute with a graph in it), functions, operators of other domains than ONNX's own,
    sparse or training parts, and data outside of the file, but for ``weights`` beside it. Its external data is checked
    to lie inside of that file.
    """
    try:
        with open_to_read(path) as file:
            data = file.read(_LARGEST_GRAPH + 1)
        if len(data) > _LARGEST_GRAPH:
            raise _RefusedError(f"it is larger than {_LARGEST_GRAPH >> 20} MB")
        beside = path.with_name(weights) if weights is not None else None
        _Graph(beside.name if beside else "", beside.stat().st_size if beside and beside.exists() else 0).check(data)
    except FileError as error:
        raise ModelError(str(error)) from error
    except ValueError as error:
        raise ModelError(f"{path}: not a graph of a model ({error})") from error


_Message = memoryview
# Field numbers of onnx.proto3.
_MODEL_GRAPH, _MODEL_TRAINING, _MODEL_FUNCTION = 7, 20, 25
_GRAPH_NODE, _GRAPH_TENSOR, _GRAPH_SPARSE = 1, 5, 15
_NODE_TYPE, _NODE_ATTRIBUTE, _NODE_DOMAIN = 4, 5, 7
_ATTRIBUTE_TENSOR, _ATTRIBUTE_GRAPH, _ATTRIBUTE_TENSORS, _ATTRIBUTE_GRAPHS = 5, 6, 10, 11
_ATTRIBUTE_REFERENCE, _ATTRIBUTE_SPARSE, _ATTRIBUTE_SPARSES = 21, 22, 23
_TENSOR_EXTERNAL = 13
_ENTRY_KEY, _ENTRY_VALUE = 1, 2


class _Graph:
    """Walks through a graph. weights: the file that its external data must lie in, and how long that is."""

    def __init__(self, weights: str, size: int) -> None:
        self.weights, self.size, self.nodes = weights, size, 0

    def check(self, data: bytes) -> None:
        graphs = 0
        for number, value in _messages(memoryview(data)):
            if number in (_MODEL_TRAINING, _MODEL_FUNCTION):
                raise _RefusedError("it has functions or training parts")
            if number == _MODEL_GRAPH:
                graphs += 1
                self._graph(value)
        if not graphs:
            raise _RefusedError("there is no graph in it")

    def _graph(self, graph: _Message) -> None:
        for number, value in _messages(graph):
            if number == _GRAPH_NODE:
                self.nodes += 1
                if self.nodes > _MOST_NODES:
                    raise _RefusedError(f"it has more than {_MOST_NODES:,} nodes")
                self._node(value)
            elif number == _GRAPH_TENSOR:
                self._tensor(value)
            elif number == _GRAPH_SPARSE:
                raise _RefusedError("it has sparse weights")

    def _node(self, node: _Message) -> None:
        kind = ""
        for number, value in _messages(node):
            if number == _NODE_TYPE:
                kind = _text(value)
            elif number == _NODE_DOMAIN and _text(value) not in ("", "ai.onnx"):
                raise _RefusedError(f"it has an operator of the domain {_text(value)!r:.80}")
            elif number == _NODE_ATTRIBUTE:
                for inner, part in _messages(value):
                    if inner in (_ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS):
                        raise _RefusedError(f"it has control flow ({kind or 'an operator with a graph in it'!s:.40})")
                    if inner in (_ATTRIBUTE_SPARSE, _ATTRIBUTE_SPARSES, _ATTRIBUTE_REFERENCE):
                        raise _RefusedError("it has sparse weights or functions")
                    if inner in (_ATTRIBUTE_TENSOR, _ATTRIBUTE_TENSORS):
                        self._tensor(part)

    def _tensor(self, tensor: _Message) -> None:
        for number, value in _messages(tensor):
            if number == _TENSOR_EXTERNAL:
                self._external(value)

    def _external(self, entry: _Message) -> None:
        """One key of where a tensor's numbers lie."""
        texts = {number: _text(value) for number, value in _messages(entry)}
        key, value = texts.get(_ENTRY_KEY, ""), texts.get(_ENTRY_VALUE, "")
        if key == "location" and (value != self.weights or not value):
            raise _RefusedError(f"its numbers lie in {value!r:.80}, not in {self.weights or 'the graph itself'}")
        if key in ("offset", "length") and not (value.isascii() and value.isdigit() and int(value[:20]) <= self.size):
            raise _RefusedError(f"its numbers lie outside of {self.weights}")


def _messages(data: _Message) -> Iterator[tuple[int, _Message]]:
    """The fields of a message that have a length: texts, numbers together, messages."""
    place, end = 0, len(data)
    while place < end:
        tag, place = _varint(data, place)
        kind = tag & 7
        if kind == 2:
            size, place = _varint(data, place)
            if place + size > end:
                raise _RefusedError("it is damaged")
            yield tag >> 3, data[place : place + size]
            place += size
        elif kind == 0:
            _, place = _varint(data, place)
        elif kind in (1, 5):
            place += 8 if kind == 1 else 4
        else:
            raise _RefusedError("it is damaged")


def _varint(data: _Message, place: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 70:
        if place >= len(data):
            raise _RefusedError("it is damaged")
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
    raise _RefusedError("it is damaged")


def _text(value: _Message) -> str:
    return bytes(value[:300]).decode("utf-8", "replace")
