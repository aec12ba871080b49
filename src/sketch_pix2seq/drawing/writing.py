"""How drawings become files of a folder: formats by name, NAME-1.svg, NAME-2.svg ..., and a sheet beside them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from pathlib import Path

from sketch_pix2seq.errors import FileError, SettingsError
from sketch_pix2seq.files import write_whole
from sketch_pix2seq.formats import MANY_SUFFIXES, write_sketch, write_sketches
from sketch_pix2seq.formats.paper import PaperSize
from sketch_pix2seq.sketch import Sketch

FORMATS = ("svg", "png", "gif", "apng", "ndjson", "npz")
SHEET = "sheet.png"
LIST = ".sketch-pix2seq.json"
"""The file of a folder that lists the drawings that were written there, each with a digest of its content."""

_DEVICE = re.compile(r"con|prn|aux|nul|com\d|lpt\d", re.IGNORECASE)
"""What Windows takes for a device."""


def formats_of(text: str) -> tuple[str, ...]:
    """Formats separated by commas, in any case, with or without a point; "none" is none.

    Raises SettingsError for one that is not written.
    """
    words = (word.strip().lstrip(".").lower() for word in text.split(","))
    return checked_formats(tuple(dict.fromkeys(word for word in words if word)))


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


def file_name(category: str) -> str:
    """The name of a category as the name of a file, on any system: without what Windows or a path does not allow."""
    name = re.sub(r'[\x00-\x1f<>:"/\\|?*]+', "-", category).strip(" .") or "drawing"
    return f"{name}_" if _DEVICE.fullmatch(name) else name


def free_name(name: str, taken: set[str]) -> str:
    """The name, or the name with a number behind it where it is taken; it is taken then."""
    candidate, number = name, 2
    while candidate in taken:
        candidate, number = f"{name}_{number}", number + 1
    taken.add(candidate)
    return candidate


def drawing_names(name: str, drawings: int, formats: Sequence[str]) -> list[str]:
    """The names of the files that `write_drawings` writes: NAME-1.svg, NAME-2.svg ... (of ten and more NAME-01.svg);
    ndjson and npz are one file."""
    digits = len(str(drawings))
    numbers = [f"-{number:0{digits}d}" for number in range(1, drawings + 1)]
    return [
        f"{name}{number}.{suffix}"
        for suffix in formats
        for number in ([""] if f".{suffix}" in MANY_SUFFIXES else numbers)
    ]


def write_drawings(
    name: str, drawings: Sequence[Sketch], out: Path, formats: Sequence[str], paper: PaperSize = PaperSize()
) -> None:
    """Write drawings into a folder under `drawing_names`."""
    for suffix in formats:
        names = drawing_names(name, len(drawings), (suffix,))
        if f".{suffix}" in MANY_SUFFIXES:
            write_sketches(drawings, out / names[0])
            continue
        for file, drawing in zip(names, drawings, strict=True):
            write_sketch(drawing, out / file, paper=paper)


# -- whose files they are -----------------------------------------------------------------------------------


def check_free(folder: Path, names: Iterable[str], overwrite: bool = False) -> None:
    """Raise FileError where a file that is to be written is there already and is not one that `note_written` noted,
    or was changed since; not with ``overwrite``."""
    if overwrite or not folder.is_dir():
        return
    foreign = [name for name in names if (folder / name).exists() and not is_own(folder / name)]
    if foreign:
        more = f", like {len(foreign) - 1} more" if len(foreign) > 1 else ""
        raise FileError(
            folder / foreign[0],
            f"exists already and was not drawn here, or was changed since{more}; nothing was written: name another "
            "folder with --out, or give --overwrite",
        )


def note_written(folder: Path, names: Iterable[str]) -> None:
    """Note files of a folder as drawn, so that they may be replaced and are not taken for pictures to draw; those that
    are not there are passed over.

    Raises FileError where the list cannot be written.
    """
    digests = {**_drawn(folder), **{name: _digest(folder / name) for name in names}}
    drawn = {name: digest for name, digest in digests.items() if digest and (folder / name).exists()}
    if not drawn:
        return
    text = json.dumps({"sketch-pix2seq": "drawings", "files": drawn}, indent=1, sort_keys=True)
    write_whole(folder / LIST, text.encode())


def is_own(path: Path) -> bool:
    """Whether `note_written` noted a file and its content is still the same."""
    noted = _drawn(path.parent).get(path.name)
    return noted is not None and noted == _digest(path)


def without_own(files: Sequence[tuple[Path, str | None]], inputs: Sequence[Path]) -> list[tuple[Path, str | None]]:
    """What `find_files` found in ``inputs``, without drawings that were drawn here; those named themselves stay.

    Raises FileError where nothing is left.
    """
    named = {path.resolve() for path in inputs if path.is_file()}
    left = [(path, category) for path, category in files if path.resolve() in named or not is_own(path)]
    if files and not left:
        raise FileError(inputs[0], "holds only what was drawn here before; name a drawing itself to redraw it")
    return left


def _drawn(folder: Path) -> dict[str, str]:
    """Names and digests; empty where there is no list, or none of ours."""
    try:
        content = json.loads((folder / LIST).read_text(encoding="utf-8"))
        files = content["files"] if content["sketch-pix2seq"] == "drawings" else {}
        return {str(name): str(digest) for name, digest in files.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _digest(path: Path) -> str | None:
    try:
        return blake2b(path.read_bytes(), digest_size=16).hexdigest()
    except OSError:
        return None
