"""Plain values become settings, or one line says why not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from sketch_pix2seq.errors import SettingsError
from sketch_pix2seq.plain import check_ranges, from_plain, overlaid, typed


@dataclass(frozen=True)
class Inner:
    size: int = 3
    share: float = 0.5

    def __post_init__(self) -> None:
        check_ranges(self, size=(1, 9))


@dataclass(frozen=True)
class Outer:
    name: str
    inner: Inner = Inner()
    kind: Literal["a", "b"] = "a"
    most: float | None = None
    paths: tuple[Path, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    anything: Any = None


def test_values_become_settings() -> None:
    given = {"name": "n", "inner": {"size": 4}, "most": 2, "paths": ["x", "y"], "counts": {"a": 1}, "anything": [1]}
    made = from_plain(Outer, given)
    assert made == Outer("n", Inner(4), "a", 2.0, (Path("x"), Path("y")), {"a": 1}, [1])
    assert type(made.most) is float
    assert overlaid(made, {"inner": {"share": 0.25}, "paths": "z"}).inner == Inner(4, 0.25)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "must hold settings"),
        ({}, "name is missing"),
        ({"name": 3}, "name: 3 will not do; text is needed"),
        ({"name": "n", "colour": 1}, "no setting 'colour'"),
        ({"name": "n", "inner": 4}, "inner: 4 will not do"),
        ({"name": "n", "inner": {"size": True}}, "inner: size: True will not do; a whole number is needed"),
        ({"name": "n", "inner": {"size": 4.0}}, "inner: size: 4.0 will not do"),
        ({"name": "n", "inner": {"size": 10**9}}, "inner: size must be 1 to 9, not 1000000000"),
        ({"name": "n", "inner": {"share": float("nan")}}, "share: nan will not do; a finite number"),
        ({"name": "n", "inner": {"share": 10**400}}, "a finite number is needed"),
        ({"name": "n", "inner": {"size": 10**5000}}, "size must be 1 to 9"),
        ({"name": "n", "kind": ["a"]}, "one of a, b is needed"),
        ({"name": "n", "most": "2"}, "a number or null is needed"),
        ({"name": "n", "paths": [1]}, "a path is needed"),
        ({"name": "n", "counts": {"a": "1"}}, "a whole number is needed"),
        ({"name": "n", "counts": []}, "Mapping is needed"),
    ],
)
def test_what_will_not_do_is_said(given: object, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)) as refused:
        from_plain(Outer, given)
    assert len(str(refused.value)) < 300


def test_an_integer_that_python_does_not_print_is_refused() -> None:
    with pytest.raises(ValueError, match="this number will not do; text is needed"):
        typed(10**5000, str)


def test_a_range_is_said() -> None:
    with pytest.raises(SettingsError, match="size must be 1 to 9, not 0"):
        Inner(0)
