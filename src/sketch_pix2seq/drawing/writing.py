"""How drawings become files of a folder: formats by name, NAME-1.svg, NAME-2.svg ..., and a sheet beside them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sketch_pix2seq.errors import FileError, SettingsError
from sketch_pix2seq.formats import MANY_SUFFIXES, write_sketch, write_sketches
from sketch_pix2seq.sketch import Sketch

FORMATS = ("svg", "png", "gif", "apng", "ndjson", "npz")
SHEET = "sheet.png"


def formats_of(text: str) -> tuple[str, ...]:
    """Formats separated by commas, as a person writes them; "none" is none.

    Raises SettingsError for one that is not written.
    """
    return checked_formats(tuple(word.strip().lstrip(".") for word in text.split(",") if word.strip()))


def checked_formats(names: Sequence[str]) -> tuple[str, ...]:
    """The formats; ("none",) is none. Raises SettingsError for one that is not written."""
    wanted = () if list(names) == ["none"] else tuple(names)
    for name in wanted:
        if name not in FORMATS:
            raise SettingsError(f"no format {name!r}; there are {', '.join(FORMATS)} and none")
    return wanted


def make_folder(folder: Path) -> None:
    """Make a folder where it is missing. Raises FileError where it cannot be one."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(folder, f"cannot be made into a folder: {error.strerror or error}") from error


def free_name(name: str, taken: set[str]) -> str:
    """The name, or the name with a number behind it where it is taken; it is taken then."""
    candidate, number = name, 2
    while candidate in taken:
        candidate, number = f"{name}_{number}", number + 1
    taken.add(candidate)
    return candidate


def write_drawings(
    name: str, drawings: Sequence[Sketch], out: Path, formats: Sequence[str], width_mm: float | None = None
) -> None:
    """Write NAME-1.svg, NAME-2.svg ... into a folder (of ten and more NAME-01.svg); ndjson and npz are one file."""
    digits = len(str(len(drawings)))
    for suffix in formats:
        if f".{suffix}" in MANY_SUFFIXES:
            write_sketches(drawings, out / f"{name}.{suffix}")
            continue
        for number, drawing in enumerate(drawings, 1):
            write_sketch(drawing, out / f"{name}-{number:0{digits}d}.{suffix}", width_mm=width_mm)
