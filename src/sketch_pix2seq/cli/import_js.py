"""`sketch-pix2seq import-js`: sketch-rnn's JavaScript models as model folders."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import tyro

from sketch_pix2seq.cli.console import say
from sketch_pix2seq.errors import FileError, ModelError, SettingsError, missing_package
from sketch_pix2seq.model.folder import CONFIG, read_info


@dataclass(frozen=True)
class Settings:
    """Make model folders of sketch-rnn's JavaScript models, Google's own among them: the files NAME.gen.json.

    sketch-pix2seq import-js bird.gen.json

    sketch-pix2seq import-js bird.gen.json --out models/bird --category "small bird"

    sketch-pix2seq import-js *.gen.json

    They are decoders alone: they draw from nothing and go on with what is begun, and see no pictures.
    """

    files: tyro.conf.Positional[tuple[Path, ...]] = ()
    """The models: NAME.gen.json."""
    out: Path | None = None
    """Folder for the model, of one file; NAME, in the folder where you are, when not given."""
    category: str | None = None
    """What it draws, of one file; NAME when not given."""
    overwrite: bool = False
    """Replace another model that lies in the folder."""


def run(settings: Settings) -> None:
    """Write the folders and say how to draw with them."""
    if not settings.files:
        raise SettingsError("name at least one model: import-js NAME.gen.json")
    if len(settings.files) > 1 and (settings.out or settings.category):
        raise SettingsError("--out and --category are for one file at a time")
    try:
        from sketch_pix2seq.model.javascript import import_js
    except ImportError as error:
        raise missing_package(error, "importing", "train") from error
    for file in settings.files:
        name = name_of(file)
        category = name if settings.category is None else settings.category
        out = settings.out or Path(name)
        if not (settings.overwrite or _is_free(out)):
            raise FileError(out, "another model lies there; name another folder with --out, or give --overwrite")
        folder = import_js(file, out, category)
        told = f'"{category}"' if re.search(r"[^\w-]", category) else category
        line = f"model: {folder}\ndraw with it: sketch-pix2seq draw --category {told} --model {folder}"
        say(line)


def name_of(file: Path) -> str:
    """``bird`` for ``bird.gen.json``."""
    return file.name.removesuffix(".json").removesuffix(".gen") or file.name


def _is_free(folder: Path) -> bool:
    """Whether no model lies in a folder, or one that was imported."""
    if not (folder / CONFIG).exists():
        return True
    try:
        return "imported_from" in read_info(folder).training
    except ModelError:
        return False
