"""Plain values of JSON or YAML as the settings that they stand for: every type is checked."""

from __future__ import annotations

import math
import types
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import MISSING, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from sketch_pix2seq.errors import SettingsError

T = TypeVar("T")

_NEEDED = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    types.NoneType: "null",
    str: "text",
    Path: "a path",
}


def from_plain(kind: type[T], values: object) -> T:
    """A dataclass from plain values, nested ones included; what is not given keeps its default.

    Raises ValueError that says which field is unknown, missing or of another type, or what its class refuses.
    """
    changes = _changes(kind, values, None)
    missing = [
        f.name
        for f in fields(kind)  # type: ignore[arg-type]
        if f.name not in changes and f.default is MISSING and f.default_factory is MISSING
    ]
    if missing:
        raise ValueError(f"{missing[0]} is missing")
    try:
        return kind(**changes)
    except SettingsError as error:
        raise ValueError(str(error)) from error


def overlaid(settings: T, values: object) -> T:
    """A dataclass with some fields replaced, nested ones too.

    Raises ValueError as `from_plain` does, and what its class raises of values that exclude each other.
    """
    changed: T = replace(settings, **_changes(type(settings), values, settings))  # type: ignore[type-var]
    return changed


def check_ranges(settings: object, **ranges: tuple[float, float]) -> None:
    """Raise SettingsError for a field that is not in its range, ends included."""
    for name, (low, high) in ranges.items():
        value = getattr(settings, name)
        if not low <= value <= high:
            raise SettingsError(f"{name} must be {low:g} to {high:g}, not {_shown(value)}")


def _changes(kind: type[Any], values: object, now: Any) -> dict[str, Any]:
    """Typed values of some fields; keys may be written with - or _."""
    if not isinstance(values, Mapping):
        raise ValueError(f"{values!r:.80} will not do; it must hold settings of its own")
    known = {f.name for f in fields(kind)}
    hints, changes = get_type_hints(kind), {}
    for key, value in values.items():
        name = str(key).replace("-", "_")
        if name not in known:
            raise ValueError(f"no setting {key!r:.80}; there are {', '.join(sorted(known))}")
        try:
            if is_dataclass(hints[name]) and now is not None:
                changes[name] = overlaid(getattr(now, name), value)
            else:
                changes[name] = typed(value, hints[name])
        except ValueError as error:
            raise ValueError(f"{key}: {error}") from None
    return changes


def typed(value: object, hint: Any) -> Any:
    """A plain value as a type: of a setting, or tuples, lists and mappings of such. One value may stand for a tuple.

    Raises ValueError that says what is needed.
    """
    origin, options = get_origin(hint), get_args(hint)
    if hint is Any:
        return value
    if is_dataclass(hint) and isinstance(hint, type):
        return from_plain(hint, value)
    if origin in (Union, types.UnionType):
        for option in options:
            with suppress(ValueError):
                return typed(value, option)
        raise _unfit(value, " or ".join(_NEEDED.get(option, str(option)) for option in options))
    if origin is Literal:
        if isinstance(value, str | int) and value in options:
            return value
        raise _unfit(value, f"one of {', '.join(map(str, options))}")
    if origin is tuple:
        return tuple(typed(item, options[0]) for item in (value if isinstance(value, list | tuple) else [value]))
    if origin is list and isinstance(value, list):
        return [typed(item, options[0]) for item in value]
    if origin is not None and issubclass(origin, Mapping) and isinstance(value, Mapping):
        return {typed(key, options[0]): typed(item, options[1]) for key, item in value.items()}
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        with suppress(OverflowError):
            if math.isfinite(number := float(value)):
                return number
        raise _unfit(value, "a finite number")
    if hint is Path and isinstance(value, str):
        return Path(value)
    if type(value) is hint:
        return value
    raise _unfit(value, _NEEDED.get(hint, getattr(origin or hint, "__name__", str(hint))))


def _unfit(value: object, needed: str) -> ValueError:
    return ValueError(f"{_shown(value)} will not do; {needed} is needed")


def _shown(value: object) -> str:
    try:
        return f"{value!r:.80}"
    except ValueError:  # an integer of more digits than Python prints
        return "this number"
