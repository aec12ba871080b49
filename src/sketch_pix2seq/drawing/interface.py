"""What the graphs of a model folder take and give; a graph that does otherwise is refused when it is loaded."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from sketch_pix2seq.model.folder import DECODER, ENCODER, START, ModelInfo
from sketch_pix2seq.sequence import FRAME

CHANCES = 4
"""Uniform numbers that a row takes (`model.sampling.CHANCES`, which needs PyTorch)."""
Value = tuple[str, tuple[int | None, ...]]
"""Type of the numbers and shape; None for an axis of any length."""
Interface = tuple[dict[str, Value], dict[str, Value]]
"""Inputs and outputs by name."""

_FLOAT, _INT64, _INT32 = "tensor(float)", "tensor(int64)", "tensor(int32)"
_LARGEST_STATE = 1 << 24


def check_session(session: Any, name: str, info: ModelInfo, start: Any = None) -> None:
    """Raise ValueError where a loaded graph does not fit the configuration; start: the session of ``start.onnx``."""
    inputs, outputs = _wanted(name, info, {} if start is None else _values(start.get_outputs()))
    taken, given = _values(session.get_inputs()), _values(session.get_outputs())
    optional = inputs if name == START else ()  # what a network cannot be told is no input of its graph
    check_values("input", taken, {k: v for k, v in inputs.items() if k in taken or k not in optional})
    if name != START:
        check_values("output", given, outputs)
        return
    states = [key for key in given if key.startswith("state_")]
    fixed = [key for key in given if key.startswith("fixed_")]
    wanted = [f"fixed_{i}" for i in range(len(fixed))] + [f"state_{i}" for i in range(len(states))]
    if list(given) != wanted or not states:
        raise ValueError(f"its outputs are {', '.join(given)[:120]}")
    for key, (kind, shape) in given.items():
        if kind != _FLOAT or not shape or None in shape[1:] or math.prod(n or 1 for n in shape) > _LARGEST_STATE:
            raise ValueError(f"its output {key} is {kind} {_shown(shape)}")


def check_values(what: str, found: Mapping[str, Value], wanted: Mapping[str, Value]) -> None:
    """Raise ValueError where inputs or outputs are not those wanted. An output may leave an axis open."""
    if found.keys() != wanted.keys():
        raise ValueError(f"its {what}s are {', '.join(found)[:120] or 'none'}, not {', '.join(wanted)[:120]}")
    for name, (kind, shape) in wanted.items():
        kind_found, shape_found = found[name]
        fits = len(shape_found) == len(shape) and all(
            a == b or (a is None and what == "output") for a, b in zip(shape_found, shape, strict=True)
        )
        if kind_found != kind or not fits:
            raise ValueError(f"its {what} {name} is {kind_found} {_shown(shape_found)}, not {kind} {_shown(shape)}")


def check_classifier(session: Any, size: int, categories: int) -> None:
    """Raise ValueError for a graph that does not name pictures of this size as one of so many categories."""
    check_values("input", _values(session.get_inputs()), {"ink": (_FLOAT, (None, size, size))})
    given = _values(session.get_outputs())
    features = given.get("features", ("", ()))
    if len(features[1]) != 2:
        raise ValueError("it gives no features")
    wanted: dict[str, Value] = {"logits": (_FLOAT, (None, categories)), "features": (_FLOAT, features[1])}
    check_values("output", given, wanted)


def _values(arguments: Sequence[Any]) -> dict[str, Value]:
    return {a.name: (a.type, tuple(n if isinstance(n, int) else None for n in a.shape)) for a in arguments}


def _wanted(name: str, info: ModelInfo, states: Mapping[str, Value]) -> Interface:
    settings = info.model
    size, z = settings.raster.size, settings.z_size
    picture: Value = (_FLOAT, (None, size, size))
    if name == ENCODER:
        code: Value = (_FLOAT, (None, z))
        given = {"code": code, "log_variance": code} if settings.sample_z else {"code": code}
        if settings.encoder == "rnn":
            return {"rows": (_FLOAT, (None, None, 5)), "lengths": (_INT32, (None,))}, given
        return {"ink": picture}, given
    if name == START:
        told: dict[str, Value] = {"code": (_FLOAT, (None, z))}
        if settings.category_size > 0:
            told |= {"level": (_FLOAT, (None,)), "category": (_INT64, (None,))}
        return told | ({"picture": picture} if settings.attend > 0 else {}), {}
    if name == DECODER:
        row: Value = (_FLOAT, (None, 5))
        taken = {"row": row, "given": row, "chance": (_FLOAT, (None, CHANCES)), "control": (_FLOAT, (None, 4))}
        after = {f"{key}_after": value for key, value in states.items() if key.startswith("state_")}
        return {**taken, **states}, {"drawn": row, "log_density": (_FLOAT, (None, 2)), **after}
    x: Value = (_FLOAT, (None, z + FRAME))
    flow: dict[str, Value] = {"x": x, "t": (_FLOAT, (None, 1)), "category": (_INT64, (None,))}
    flow |= {"partial": (_FLOAT, (None, z)), "started": (_FLOAT, (None, 1))}
    return flow, {"velocity": x, "finished": (_FLOAT, (None,))}


def _shown(shape: tuple[int | None, ...]) -> str:
    return f"({', '.join('n' if n is None else str(n) for n in shape)})"
