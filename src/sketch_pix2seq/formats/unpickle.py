"""Object arrays of number arrays out of a pickle, without running it.

NumPy stores an array of arrays as a pickle, and a pickle is a program. This reads the few instructions that NumPy's
own pickles are made of (Python 2 and 3, protocols 2 to 4) and keeps what they name as plain values: nothing is
imported, looked up or called, so nothing but arrays of numbers can come out, whatever a file asks for.
The instructions are those of the standard library's `pickle` and `pickletools`; what NumPy puts into them is told by
``numpy.ndarray.__reduce__`` and ``numpy.dtype.__reduce__``.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from enum import Enum
from math import prod
from typing import IO, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Numbers: TypeAlias = NDArray[np.number[Any]]

MAX_ITEMS = 5_000_000
"""Items that one array may hold; the largest category of Quick, Draw! has some 350,000 drawings."""
MAX_VALUE_BYTES = 1 << 24
"""Bytes that one item may hold; a drawing of 1,000 points takes 6,000."""

STEPS_AN_ITEM = 100
"""Instructions allowed for each item; the longest form known (protocol 2 from Python 3) takes about 40."""
_SPARE = 10_000
"""Instructions allowed beside those, and the depth of the stack."""
_SHORT = 16
"""Bytes up to which a value may be one that is referred to again, such as a name."""
_CHUNK = 1 << 20

_MEMO = rb"(\x94|q.|r.{4})"
_GET = rb"(?:h(.)|j(.{4}))"
_ITEM = re.compile(
    _GET + _GET + rb"K\x00\x85" + _MEMO + _GET + rb"\x87" + _MEMO + rb"R" + _MEMO
    + rb"\(K\x01(?:K(.)|M(..))K(.)\x86" + _MEMO + _GET + rb"\x89(?:C(.)|B(.{4}))",
    re.DOTALL,
)  # fmt: skip
"""An array ``(n, m)`` as Python 3's protocols 3 and 4 write it when one of its kind came before, up to its bytes."""
_ITEM_END = re.compile(_MEMO + rb"t" + _MEMO + rb"b", re.DOTALL)
_LONGEST_ITEM = 64
"""Bytes that `_ITEM` takes at most."""

_DTYPE_CODE = re.compile(r"b1|[iu][1248]|f[248]|O[48]?")


class RefusedPickleError(ValueError):
    """The pickle is broken or is not what NumPy writes for an array of number arrays."""


class _Name(Enum):
    """The names that NumPy's pickles refer to; they stay names."""

    RECONSTRUCT = "numpy.core.multiarray._reconstruct"
    NDARRAY = "numpy.ndarray"
    DTYPE = "numpy.dtype"
    ENCODE = "_codecs.encode"


_NAMES = {name.value: name for name in _Name} | {"numpy._core.multiarray._reconstruct": _Name.RECONSTRUCT}


class _Dtype:
    def __init__(self, code: str) -> None:
        self.code = code
        self.order = "|"


class _Array:
    """An array under construction: numbers, or a list of further values, once its state has come."""

    __slots__ = ("items", "numbers")

    def __init__(self) -> None:
        self.numbers: Numbers | None = None
        self.items: list[object] | None = None


def unpickle_object_array(source: IO[bytes], shape: tuple[int, ...], steps: int | None = None) -> list[Numbers]:
    """The items of a pickled one-dimensional NumPy object array of the given shape, each an array of numbers.

    source: the pickle, as `numpy.save` puts it after the header that tells the shape; it is read to its end.
    steps: instructions that are allowed, where that is fewer than `STEPS_AN_ITEM` for each item.
    Raises RefusedPickleError for anything else; no code of the pickle is executed.
    """
    if len(shape) != 1 or shape[0] > MAX_ITEMS:
        raise RefusedPickleError(
            f"an object array of shape {str(shape)[:80]} is not a list of up to {MAX_ITEMS} drawings"
        )
    try:
        allowed = STEPS_AN_ITEM * shape[0] + _SPARE
        result = _Reader(source, allowed if steps is None else min(steps, allowed)).run()
    except (IndexError, KeyError, UnicodeDecodeError) as error:
        raise RefusedPickleError("the pickled array is cut short or damaged") from error
    if not isinstance(result, _Array) or result.items is None:
        raise RefusedPickleError("the pickle does not hold an array of arrays")
    if len(result.items) != shape[0]:
        raise RefusedPickleError(f"the pickle holds {len(result.items)} items where {shape[0]} were announced")
    numbers: list[Numbers] = []
    for index, item in enumerate(result.items):
        if not isinstance(item, _Array) or item.numbers is None:
            raise RefusedPickleError(f"item {index} of the array is not an array of numbers")
        numbers.append(item.numbers)
    return numbers


class _Reader:
    """The machine that a pickle is written for, with the few instructions and names that arrays need."""

    def __init__(self, source: IO[bytes], steps_allowed: int) -> None:
        self.source = source
        self.data = b""
        self.at = 0
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}
        self.noted = 0
        self.steps_allowed = steps_allowed

    def run(self) -> object:
        stop, actions, stack = pickle.STOP[0], _ACTIONS, self.stack
        for _ in range(self.steps_allowed):
            if self.at == len(self.data):
                self.refill(1)
            opcode = self.data[self.at]
            if opcode in _GETS and self.whole_item():
                if len(stack) > _SPARE:
                    break
                continue
            self.at += 1
            if opcode == stop:
                if self.at < len(self.data) or self.source.read(1):
                    raise RefusedPickleError("the pickle is followed by something else")
                return stack.pop()
            action = actions.get(opcode)
            if action is None:
                raise RefusedPickleError(f"the pickle uses an instruction (0x{opcode:02x}) that no array needs")
            action(self)
            if len(stack) > _SPARE:
                break
        raise RefusedPickleError("the pickle is longer or deeper than its arrays need")

    def whole_item(self) -> bool:
        """Take an array in the form that `_ITEM` knows, several times as fast as step by step; whether there was one.

        It does what its instructions would do one by one; wherever anything is unusual, nothing is done.
        """
        if self.at + _LONGEST_ITEM > len(self.data):
            return False
        match = _ITEM.match(self.data, self.at)
        if match is None:
            return False
        number = int.from_bytes
        f1, f4, k1, k4, _, b1, b4, _, array_memo, n1, n2, m, _, d1, d4, c1, c4 = match.groups()
        get = self.memo.get
        dtype = get(number(d1 or d4, "little"))
        if (
            get(number(f1 or f4, "little")) is not _Name.RECONSTRUCT
            or get(number(k1 or k4, "little")) is not _Name.NDARRAY
            or not isinstance(get(number(b1 or b4, "little")), bytes | str)
            or not isinstance(dtype, _Dtype)
        ):
            return False
        start = match.end()
        stop = start + number(c1 or c4, "little")
        end = _ITEM_END.match(self.data, stop) if stop <= len(self.data) else None
        if end is None:
            return False
        shape = (number(n1 or n2, "little"), m[0])
        content = self.data[start:stop]
        array = _Array()
        array.numbers = _numbers(shape, dtype, False, content)
        # Of the six values that are noted, the array is the third and its bytes are the fifth; the others are tuples.
        for offset, code, value in ((2, array_memo, array), (4, end[1], content)):
            if value is array or len(content) <= _SHORT:
                self.memo[self.noted + offset if code == b"\x94" else number(code[1:], "little")] = value
        self.noted += 6
        self.stack.append(array)
        self.at = end.end()
        return True

    # -- the bytes ----------------------------------------------------------------------------------------

    def refill(self, count: int) -> None:
        """Have at least ``count`` bytes ahead. Raises IndexError where the source ends before."""
        if count > MAX_VALUE_BYTES:
            raise RefusedPickleError(f"the pickle holds a value of {count} bytes; {MAX_VALUE_BYTES} are allowed")
        parts = [self.data[self.at :]]
        missing = count - len(parts[0])
        while missing > 0:
            parts.append(self.source.read(_CHUNK))
            if not parts[-1]:
                raise IndexError
            missing -= len(parts[-1])
        self.data, self.at = b"".join(parts), 0

    def take(self, count: int) -> bytes:
        if self.at + count > len(self.data):
            self.refill(count)
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, size: int, *, signed: bool = False) -> int:
        return int.from_bytes(self.take(size), "little", signed=signed)

    def line(self) -> str:
        text = bytearray()
        while (character := self.take(1)) != b"\n":
            text += character
            if len(text) > 200:
                raise RefusedPickleError("the pickle asks for a name that no array needs")
        return text.decode("ascii")

    # -- the stack ----------------------------------------------------------------------------------------

    def pop_to_mark(self) -> list[Any]:
        mark = self.marks.pop()
        items = self.stack[mark:]
        del self.stack[mark:]
        return items

    def tuple_of(self, count: int) -> None:
        items = tuple(self.stack[-count:])
        if len(items) != count:
            raise IndexError
        self.stack[-count:] = [items]

    def note(self, index: int) -> None:
        """Remember the top of the stack; but not tuples and long bytes, which NumPy's pickles never refer back to."""
        self.noted += 1
        value = self.stack[-1]
        if not isinstance(value, tuple | list) and not (isinstance(value, bytes) and len(value) > _SHORT):
            self.memo[index] = value

    def append(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, list):
            raise RefusedPickleError("the pickle appends to something that is not a list")
        target.extend(items)

    # -- what NumPy's pickles ask for ---------------------------------------------------------------------

    def name(self, module: str, attribute: str) -> None:
        full = f"{module}.{attribute}"
        known = _NAMES.get(full)
        if known is None:
            raise RefusedPickleError(f"the pickle asks for {full[:80]!r}, which no array needs; nothing was run")
        self.stack.append(known)

    def stack_name(self) -> None:
        attribute, module = self.stack.pop(), self.stack.pop()
        self.name(_text(module), _text(attribute))

    def reduce(self) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        if function is _Name.RECONSTRUCT and isinstance(arguments, tuple) and arguments[:1] == (_Name.NDARRAY,):
            self.stack.append(_Array())
        elif function is _Name.DTYPE and isinstance(arguments, tuple) and arguments:
            code = _text(arguments[0])
            if not _DTYPE_CODE.fullmatch(code):
                raise RefusedPickleError(f"the pickle holds an array of type {code[:20]!r}; numbers are needed")
            self.stack.append(_Dtype(code))
        elif function is _Name.ENCODE and isinstance(arguments, tuple) and arguments[1:] in (("latin1",), ("latin-1",)):
            try:
                self.stack.append(_text(arguments[0]).encode("latin-1"))
            except UnicodeEncodeError as error:
                raise RefusedPickleError("the pickle holds text where bytes are needed") from error
        else:
            raise RefusedPickleError("the pickle calls something that no array needs; nothing was run")

    def build(self) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(target, _Dtype) and isinstance(state, tuple) and len(state) == 8:
            order = _text(state[1])
            if order not in ("<", ">", "|") or any(part is not None for part in state[2:5]):
                raise RefusedPickleError("the pickle holds an array of records; numbers are needed")
            target.order = order
        elif isinstance(target, _Array) and isinstance(state, tuple) and len(state) == 5:
            _, shape, dtype, fortran, content = state
            if isinstance(content, list) and isinstance(dtype, _Dtype) and dtype.code.startswith("O"):
                target.items = content
            else:
                target.numbers = _numbers(shape, dtype, fortran, content)
        else:
            raise RefusedPickleError("the pickle sets the state of something that is not an array")


def _numbers(shape: object, dtype: object, fortran: object, content: object) -> Numbers:
    if not (
        isinstance(shape, tuple)
        and len(shape) <= 8
        and all(type(side) is int and 0 <= side < 2**31 for side in shape)
        and isinstance(dtype, _Dtype)
        and not dtype.code.startswith("O")
        and isinstance(content, bytes)
    ):
        raise RefusedPickleError("the pickle holds an array that is not made of numbers")
    kind = np.dtype(dtype.order + dtype.code)
    if prod(shape) * kind.itemsize != len(content):
        raise RefusedPickleError(f"an array of shape {shape} does not fit its {len(content)} bytes")
    if not content:
        return np.zeros((0, 3), kind)
    return np.frombuffer(content, kind).reshape(shape, order="F" if fortran is True else "C")


def _text(value: object) -> str:
    """Python 2 wrote names as bytes, Python 3 as text."""
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, str):
        return value
    raise RefusedPickleError("the pickle holds something else where a name is needed")


_GETS = frozenset((pickle.BINGET[0], pickle.LONG_BINGET[0]))


def _set_protocol(reader: _Reader) -> None:
    version = reader.number(1)
    if version > pickle.HIGHEST_PROTOCOL:
        raise RefusedPickleError(f"pickle protocol {version} is not known")


_ACTIONS: dict[int, Callable[[_Reader], object]] = {
    code[0]: action
    for code, action in {
        pickle.BINGET: lambda r: r.stack.append(r.memo[r.number(1)]),
        pickle.LONG_BINGET: lambda r: r.stack.append(r.memo[r.number(4)]),
        pickle.MEMOIZE: lambda r: r.note(r.noted),
        pickle.BINPUT: lambda r: r.note(r.number(1)),
        pickle.LONG_BINPUT: lambda r: r.note(r.number(4)),
        pickle.MARK: lambda r: r.marks.append(len(r.stack)),
        pickle.TUPLE: lambda r: r.stack.append(tuple(r.pop_to_mark())),
        pickle.TUPLE1: lambda r: r.tuple_of(1),
        pickle.TUPLE2: lambda r: r.tuple_of(2),
        pickle.TUPLE3: lambda r: r.tuple_of(3),
        pickle.EMPTY_TUPLE: lambda r: r.stack.append(()),
        pickle.EMPTY_LIST: lambda r: r.stack.append([]),
        pickle.APPEND: lambda r: r.append([r.stack.pop()]),
        pickle.APPENDS: lambda r: r.append(r.pop_to_mark()),
        pickle.NONE: lambda r: r.stack.append(None),
        pickle.NEWTRUE: lambda r: r.stack.append(True),
        pickle.NEWFALSE: lambda r: r.stack.append(False),
        pickle.BININT: lambda r: r.stack.append(r.number(4, signed=True)),
        pickle.BININT1: lambda r: r.stack.append(r.number(1)),
        pickle.BININT2: lambda r: r.stack.append(r.number(2)),
        pickle.LONG1: lambda r: r.stack.append(r.number(r.number(1), signed=True)),
        pickle.SHORT_BINBYTES: lambda r: r.stack.append(r.take(r.number(1))),
        pickle.BINBYTES: lambda r: r.stack.append(r.take(r.number(4))),
        pickle.BINBYTES8: lambda r: r.stack.append(r.take(r.number(8))),
        pickle.SHORT_BINSTRING: lambda r: r.stack.append(r.take(r.number(1))),
        pickle.BINSTRING: lambda r: r.stack.append(r.take(r.number(4))),
        pickle.SHORT_BINUNICODE: lambda r: r.stack.append(r.take(r.number(1)).decode()),
        pickle.BINUNICODE: lambda r: r.stack.append(r.take(r.number(4)).decode()),
        pickle.REDUCE: _Reader.reduce,
        pickle.BUILD: _Reader.build,
        pickle.GLOBAL: lambda r: r.name(r.line(), r.line()),
        pickle.STACK_GLOBAL: _Reader.stack_name,
        pickle.PROTO: _set_protocol,
        pickle.FRAME: lambda r: r.take(8),
    }.items()
}
