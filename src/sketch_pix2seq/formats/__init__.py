"""The one door to files: any format in, any format out, named by the suffix of the path."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from urllib.parse import unquote

from sketch_pix2seq.errors import FileError, FormatError
from sketch_pix2seq.files import open_to_read
from sketch_pix2seq.formats.paper import PaperSize
from sketch_pix2seq.sketch import Sketch

NPZ_SUFFIXES = (".npz",)
NDJSON_SUFFIXES = (".ndjson", ".ndjson.gz", ".jsonl", ".jsonl.gz")
SVG_SUFFIXES = (".svg", ".svgz")
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp")
ANIMATION_SUFFIXES = (".gif", ".apng")

READ_SUFFIXES = NPZ_SUFFIXES + NDJSON_SUFFIXES + SVG_SUFFIXES + PICTURE_SUFFIXES
"""Suffixes of the files that `read_sketches` takes."""
MANY_SUFFIXES = NPZ_SUFFIXES + NDJSON_SUFFIXES
"""Suffixes of the files that hold many sketches."""
WRITE_SUFFIXES = (*MANY_SUFFIXES, ".svg", ".png", *ANIMATION_SUFFIXES)
"""Suffixes of the files that `write_sketch` and `write_sketches` make."""

_DOUBLE_SUFFIXES = tuple(suffix for suffix in READ_SUFFIXES if suffix.count(".") == 2)
_QUICKDRAW_PREFIX = re.compile(r"^(?:sketchrnn|full[_/-](?:raw|simplified))[_/-]", re.IGNORECASE)
_QUICKDRAW_ENDING = re.compile(r"\.(?:full|raw|simplified)$", re.IGNORECASE)


@dataclass(frozen=True)
class Problem:
    """Something in a file that was left out while the rest was kept, or read otherwise than it is written."""

    path: Path
    where: str
    """The place in the file, such as ``line 12`` or ``train 7``; empty for the file as a whole."""
    message: str
    kept: bool = False
    """No line or drawing was left out: part of one is read otherwise than written, or there is a better setting."""

    def __str__(self) -> str:
        return f"{self.path}: {self.where}: {self.message}" if self.where else f"{self.path}: {self.message}"


@dataclass(frozen=True)
class ReadOptions:
    """What to keep of a file, and how."""

    strict: bool = False
    """Stop at the first broken line or drawing, which is otherwise reported and left out."""
    recognized: bool | None = None
    """Keep only the ndjson drawings that Quick, Draw! recognized (or, the other way, did not recognize)."""
    countries: tuple[str, ...] = ()
    """Keep only the ndjson drawings made in these countries (two-letter codes, such as GB US)."""
    tolerance: float = 0.5
    """How far an SVG's curve may lie from its polyline, on a canvas whose longest side is 255."""
    centre_lines: bool = False
    """Draw one line for each filled outline of an SVG that is a freehand stroke, as drawing apps export them."""
    hidden: bool = False
    """Keep the lines of an SVG that cannot be seen: clipped, masked, covered, beside the page or white on white."""
    doubtful: bool = True
    """Keep pictures that are likely no drawings: photos of the world, screenshots, pages of text."""


OnProblem = Callable[[Problem], None]


def suffix_of(path: str | Path) -> str:
    """The suffix that names the format, in lower case: ``.svg``, ``.ndjson.gz``; empty where there is none."""
    name = Path(path).name.lower()
    return next((suffix for suffix in _DOUBLE_SUFFIXES if name.endswith(suffix)), Path(name).suffix)


def stem_of(path: str | Path) -> str:
    """The file's name without the suffix that names its format."""
    name = Path(path).name
    return name[: len(name) - len(suffix_of(name))]


def category_of(path: str | Path) -> str:
    """The category that the name of a QuickDraw file tells: ``cat`` for ``cat.npz``, ``sketchrnn_cat.npz``,
    ``cat.full.npz``, ``full_simplified_cat.ndjson`` or ``cat.raw.ndjson``; ``alarm clock`` for ``alarm_clock.npz``."""
    stem = _QUICKDRAW_ENDING.sub("", unquote(as_text(stem_of(path))))
    return _QUICKDRAW_PREFIX.sub("", stem).replace("_", " ").strip() or stem


def find_files(inputs: Iterable[str | Path]) -> list[tuple[Path, str | None]]:
    """Files to read, each with the category that its place tells.

    Folders are searched to their depths in sorted order for files that `read_sketches` takes (hidden ones left out);
    a picture or an SVG found so has the name of its folder as category. A file named itself has None, as have the
    files that carry their own categories. A file met twice is listed once.

    Raises FileError for an input that does not exist, a suffix that is not read, or a folder without readable files.
    """
    found: dict[Path, tuple[Path, str | None]] = {}
    for given in map(Path, inputs):
        if given.is_dir():
            files = [(path, _folder_category(path)) for path in _walk(given)]
            if not files:
                raise FileError(given, f"holds no file that can be read; these can: {' '.join(READ_SUFFIXES)}")
        elif not given.exists():
            raise FileError(given, "no such file or folder")
        elif suffix_of(given) not in READ_SUFFIXES:
            raise FileError(given, _unknown(suffix_of(given), "read", READ_SUFFIXES))
        else:
            files = [(given, None)]
        for path, category in files:
            found.setdefault(path.resolve(), (path, category))
    return list(found.values())


def read_sketches(
    path: str | Path, *, options: ReadOptions | None = None, on_problem: OnProblem | None = None
) -> Iterator[Sketch]:
    """The sketches of one file in any format of `READ_SUFFIXES`, as they are stored (not fitted, not simplified).

    Sketches of an .npz carry their split as ``metadata["split"]``. What is broken inside a file of many sketches is
    told to ``on_problem`` and left out; with ``options.strict`` it raises FormatError. What of an SVG is drawn
    otherwise than written is told to ``on_problem``, too, as ``kept``.

    Raises FileError, FormatError or PictureError for a file that cannot be read at all.
    """
    path, options = Path(path), options or ReadOptions()
    suffix = suffix_of(path)
    if suffix in NPZ_SUFFIXES:
        from sketch_pix2seq.formats.npz import read_npz

        yield from (sketch for _, sketch in read_npz(path, strict=options.strict, on_problem=on_problem))
    elif suffix in NDJSON_SUFFIXES:
        from sketch_pix2seq.formats.ndjson import read_ndjson

        yield from read_ndjson(
            path,
            recognized=options.recognized,
            countries=options.countries,
            strict=options.strict,
            on_problem=on_problem,
        )
    elif suffix in SVG_SUFFIXES + PICTURE_SUFFIXES:
        yield _read_one(path, suffix, options, on_problem)
    else:
        raise FileError(path, _unknown(suffix, "read", READ_SUFFIXES))


def _read_one(path: Path, suffix: str, options: ReadOptions, on_problem: OnProblem | None) -> Sketch:
    """The sketch of an SVG or a picture."""
    open_to_read(path).close()
    try:
        if suffix in SVG_SUFFIXES:
            from sketch_pix2seq.formats.svg import read_svg

            def on_note(text: str) -> None:
                if on_problem is not None:
                    on_problem(Problem(path, "", text, kept=True))

            return read_svg(
                path,
                tolerance=options.tolerance,
                centre_lines=options.centre_lines,
                hidden=options.hidden,
                on_note=on_note,
            )
        from sketch_pix2seq.formats.picture import read_picture

        return read_picture(path, doubtful=options.doubtful, on_problem=on_problem)
    except (
        ValueError,
        ArithmeticError,
        RecursionError,
        MemoryError,
    ) as error:  # coordinates beyond bounds, and the like
        problem = " ".join(str(error).split())[:200] or type(error).__name__
        raise FormatError(path, f"cannot be read as a drawing ({problem})") from error


def write_sketch(sketch: Sketch, path: str | Path, *, paper: PaperSize = PaperSize()) -> Path:
    """Write one sketch in the format that the suffix of ``path`` names; its folder is made where it is missing.

    paper: size on paper, for .svg only. Raises FileError for a suffix that is not written or a place that cannot be
    written to, SettingsError for a size that is not possible.
    """
    path = Path(path)
    suffix = _writable_suffix(path)
    _make_folder(path)
    if suffix == ".svg":
        from sketch_pix2seq.formats.svg import write_svg

        write_svg(path, sketch, paper=paper)
    elif suffix in ANIMATION_SUFFIXES:
        from sketch_pix2seq.formats.animation import write_animation

        write_animation(path, sketch)
    elif suffix == ".png":
        from sketch_pix2seq.sheet import write_png

        write_png(path, sketch)
    else:
        write_sketches([sketch], path)
    return path


def write_sketches(sketches: Iterable[Sketch], path: str | Path, *, paper: PaperSize = PaperSize()) -> list[Path]:
    """Write sketches in the format that the suffix of ``path`` names, as they come; the files written.

    .npz and .ndjson hold them all (an .npz by ``metadata["split"]``, ``train`` where there is none). Of the formats
    for one sketch, a single one is written to ``path``; more make a folder of its name with numbered files:
    ``pig/pig-0001.svg``, ``pig/pig-0002.svg`` for ``pig.svg``.

    Raises FileError as `write_sketch` does.
    """
    path = Path(path)
    suffix = _writable_suffix(path)
    if suffix in MANY_SUFFIXES:
        _make_folder(path)
        if suffix in NPZ_SUFFIXES:
            from sketch_pix2seq.formats.npz import write_npz_mixed

            return [write_npz_mixed(path, sketches)]
        from sketch_pix2seq.formats.ndjson import write_ndjson

        return [write_ndjson(path, sketches)]
    remaining = iter(sketches)
    first = list(islice(remaining, 2))
    if len(first) < 2:
        return [write_sketch(sketch, path, paper=paper) for sketch in first]
    return [
        write_sketch(sketch, numbered(path, number), paper=paper)
        for number, sketch in enumerate(chain(first, remaining), 1)
    ]


def numbered(path: Path, number: int) -> Path:
    """Where `write_sketches` puts one of many: ``pig/pig-0001.svg`` for ``pig.svg`` and 1."""
    stem, suffix = stem_of(path), suffix_of(path)
    return path.with_name(stem) / f"{stem}-{number:04d}{suffix}"


def _walk(folder: Path) -> Iterator[Path]:
    for where, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and suffix_of(name) in READ_SUFFIXES:
                yield Path(where) / name


def _folder_category(path: Path) -> str | None:
    return None if suffix_of(path) in MANY_SUFFIXES else as_text(path.resolve().parent.name.replace("_", " "))


def as_text(name: str) -> str:
    """A file's name as text; bytes in it that are not UTF-8 are shown as U+FFFD."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _writable_suffix(path: Path) -> str:
    suffix = suffix_of(path)
    if suffix not in WRITE_SUFFIXES:
        raise FileError(path, _unknown(suffix, "written", WRITE_SUFFIXES))
    return suffix


def _make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(path.parent, f"cannot be made: {error.strerror or error}") from error


def _unknown(suffix: str, verb: str, known: tuple[str, ...]) -> str:
    return f"{suffix or 'a file without a suffix'} cannot be {verb}; these can: {' '.join(known)}"
