"""Names of categories as people type them: in any case, with - or _ for a space."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches

from sketch_pix2seq.errors import SettingsError

_NEAR = 0.65
"""Least similarity (difflib's ratio) of a name that is suggested."""
_LISTED = 12
"""Categories that an error lists at most."""


def same_category(name: str, known: Sequence[str]) -> str | None:
    """The category of ``known`` that ``name`` is, whatever its case and whether its words are apart by a space."""
    if name in known:
        return name
    wanted = _plain(name)
    return next((category for category in known if _plain(category) == wanted), None)


def category_named(name: str, known: Sequence[str]) -> str:
    """`same_category`. Raises the SettingsError of `unknown_category` where there is none."""
    found = same_category(name, known)
    if found is None:
        raise unknown_category(name, known)
    return found


def unknown_category(name: str, known: Sequence[str]) -> SettingsError:
    """The error to raise for a category that a model does not know; it names one that is spelled alike."""
    forms = {_plain(category): category for category in known}
    near = get_close_matches(_plain(name), forms, 1, _NEAR)
    hint = f"did you mean {forms[near[0]]!r}? " if near else ""
    listed = ", ".join(known) if len(known) <= _LISTED else f"{len(known)} (`sketch-pix2seq categories` lists them)"
    return SettingsError(
        f"no category {name!r}; {hint}the model knows {listed}; `train --from bundled` teaches it others"
    )


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", " ", name).strip().casefold()
