"""The studio as a folder for any static host: the page and a model's files."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sketch_pix2seq.errors import FileError
from sketch_pix2seq.files import writing_folder
from sketch_pix2seq.studio.server import HEADERS, MODEL, PAGE, page_files

LIST = "files.json"
"""What an export consists of, in its folder: it tells an export from other folders, and what a later one may remove."""
HOST_HEADERS = "_headers"
"""Read by Netlify, Cloudflare Pages and others; elsewhere the page works without, on one thread."""
_LAST = ("index.html", LIST)


@dataclass(frozen=True)
class WebExport:
    """What was written."""

    folder: Path
    files: int
    size: int
    """Bytes."""


def export_web(
    folder: str | Path, model: Mapping[str, Path], *, overwrite: bool = False, page: Path = PAGE
) -> WebExport:
    """Write the page, with a model's files beside it, into a folder that any static host can serve.

    Everything is written beside first and then moved into place, the page itself last. An earlier export is renewed;
    what else lies in its folder stays. model: the files by the names that the page loads them by.
    Raises FileError where the folder holds something else, unless ``overwrite``, or cannot be written.
    """
    folder = Path(folder)
    check_target(folder, overwrite=overwrite)
    earlier = _earlier(folder)
    sources = {**page_files(page), **{f"{MODEL}/{name}": path for name, path in model.items()}}
    is_new = not folder.exists()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with writing_folder(folder.parent if is_new else folder) as writing:
            part = writing / "web"
            for path, source in sources.items():
                (part / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, part / path)
            (part / HOST_HEADERS).write_text(_host_headers(), encoding="utf-8")
            names = sorted([*sources, HOST_HEADERS, LIST])
            (part / LIST).write_text(json.dumps({"sketch-pix2seq": "studio", "files": names}, indent=1) + "\n")
            size = sum((part / path).stat().st_size for path in names)
            if is_new:
                part.replace(folder)
            else:
                _move(part, folder, names)
        _remove(folder, (earlier or frozenset()) - frozenset(names))
    except OSError as error:
        raise FileError(folder, f"cannot be written: {error.strerror or error}") from error
    return WebExport(folder, len(names), size)


def check_target(folder: Path, *, overwrite: bool = False) -> None:
    """Raises FileError where `export_web` would not write into the folder."""
    if folder.exists() and not folder.is_dir():
        raise FileError(folder, "there is a file of that name; name a folder")
    if folder.is_dir() and any(folder.iterdir()) and _earlier(folder) is None and not overwrite:
        raise FileError(folder, "the folder holds something else; name another, or give --overwrite")


def _earlier(folder: Path) -> frozenset[str] | None:
    """The files of an export that lies in the folder; None where there is none."""
    try:
        content = json.loads((folder / LIST).read_text(encoding="utf-8"))
        return frozenset(map(str, content["files"])) if content["sketch-pix2seq"] == "studio" else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _move(part: Path, folder: Path, names: list[str]) -> None:
    for path in sorted(names, key=lambda name: name in _LAST):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (part / path).replace(folder / path)


def _remove(folder: Path, names: frozenset[str]) -> None:
    """Files of an earlier export that the new one does not have, and folders that are empty then."""
    for name in names:
        path = folder / os.path.normpath(name)
        if ".." in Path(name).parts or Path(name).is_absolute() or not path.is_file():
            continue
        path.unlink()
        if path.parent != folder and not any(path.parent.iterdir()):
            path.parent.rmdir()


def _host_headers() -> str:
    return "\n".join(["/*", *(f"  {name}: {value}" for name, value in HEADERS.items())]) + "\n"
