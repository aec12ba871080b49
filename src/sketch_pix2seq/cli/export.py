"""`sketch-pix2seq export`: a model for other places: the web, sketch-rnn's JavaScript, a folder; and its map."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import tyro

from sketch_pix2seq.cli.console import say, stages, warn
from sketch_pix2seq.drawing.atlas import Atlas
from sketch_pix2seq.drawing.pretrained import BUNDLED
from sketch_pix2seq.errors import FileError, SettingsError, SketchError, missing_package
from sketch_pix2seq.model.folder import ATLAS, CONFIG, RUN_MODEL

RUN = "RUN"
"""The sub-command that is meant where none is named."""


@dataclass(frozen=True)
class Run:
    """Write the model folder of a run from its last checkpoint, whether or not it has ended.

    sketch-pix2seq export runs/mine --data drawings.arrow

    A run in a folder that is called like one of the other exports: sketch-pix2seq export ./web

    --config FILE.yaml reads settings from a file; flags override the file.
    """

    runs: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Folder that `train --out` wrote."""
    data: Path = Path("drawings.arrow")
    """The set that the run is trained on."""
    out: Path | None = None
    """The model folder to write; RUN/model if not given."""
    overwrite: bool = False
    """Replace another model in the folder of --out."""


@dataclass(frozen=True)
class Web:
    """Write the studio with a model into a folder that any static web host can serve.

    sketch-pix2seq export web site

    sketch-pix2seq export web site --model runs/mine --data mine.arrow

    The host only serves files. An earlier export is replaced; other files in the folder are kept.

    --config FILE.yaml reads settings from a file; flags override the file.
    """

    folders: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Folder to write."""
    model: str = BUNDLED
    """"bundled", a model folder, or hf:owner/name on the Hugging Face Hub."""
    data: Path | None = None
    """A set whose drawings the map shows to everyone who opens the page. Without one, the map shows drawings by the
    model."""
    map: bool = True
    """Make the map if the model has none yet; this takes up to a minute, once."""
    overwrite: bool = False
    """Write into a folder that holds something else."""


@dataclass(frozen=True)
class Map:
    """Make the map that the studio shows: drawings of every category, placed by their codes.

    sketch-pix2seq export map runs/mine

    sketch-pix2seq export map runs/mine --data mine.arrow --per-category 40

    With --data, the drawings are people's, from the training split. Without it, the model draws them. Drawings that the
    classifier does not recognise are left out.

    --config FILE.yaml reads settings from a file; flags override the file.
    """

    models: tyro.conf.Positional[tuple[str, ...]] = ()
    """"bundled", a model folder, or hf:owner/name on the Hugging Face Hub."""
    data: Path | None = None
    """A set of drawings."""
    out: Path | None = None
    """The file to write; atlas.safetensors in the model's folder if not given. An older map is replaced."""
    per_category: int = 6
    """At most this many drawings of each category."""
    seed: int = 0
    """The same seed gives the same map."""
    overwrite: bool = False
    """Also replace a file that is not a map."""


@dataclass(frozen=True)
class Js:
    """Write a model for programs that load sketch-rnn's JavaScript models.

    sketch-pix2seq export js runs/mine mine.gen.json

    The format holds only a decoder, so the model must have no encoder: `train --recipe decoder-only` makes one.

    --config FILE.yaml reads settings from a file; flags override the file.
    """

    paths: tyro.conf.Positional[tuple[str, ...]] = ()
    """The model (a folder, or hf:owner/name on the Hugging Face Hub) and the file to write: MODEL OUT.gen.json."""
    overwrite: bool = False
    """Replace a file of that name."""


Task: TypeAlias = Run | Web | Map | Js
TASKS: dict[str, type[Task]] = {RUN: Run, "web": Web, "map": Map, "js": Js}
"""Every sub-command with its settings."""


@dataclass(frozen=True)
class Settings:
    """Write a model for another use. The first word is web, map or js, or else the folder of a run.

    sketch-pix2seq export runs/mine --data drawings.arrow

    sketch-pix2seq export web site --model runs/mine

    sketch-pix2seq export map runs/mine

    sketch-pix2seq export js runs/mine mine.gen.json
    """

    task: (
        Annotated[Run, tyro.conf.subcommand(RUN, prefix_name=False)]
        | Annotated[Web, tyro.conf.subcommand("web", prefix_name=False)]
        | Annotated[Map, tyro.conf.subcommand("map", prefix_name=False)]
        | Annotated[Js, tyro.conf.subcommand("js", prefix_name=False)]
    )


def defaults(words: list[str]) -> tuple[Settings | None, list[str]]:
    """Settings from ``--config FILE.yaml``, and the other words, beginning with the sub-command that is meant."""
    from sketch_pix2seq.cli.main import overlaid, read_yaml, take_option

    path, others = take_option(words, "--config")
    if others[:1] not in (["-h"], ["--help"]) and others[:1] not in [[name] for name in TASKS if name != RUN]:
        others = [RUN, *others]
    if path is None:
        return None, others
    return Settings(overlaid(TASKS[others[0]](), read_yaml(Path(path)), path)), others


def run(settings: Settings) -> None:
    """Write what is asked for and say where it is."""
    _DO[type(settings.task)](settings.task)


def _export_run(settings: Run) -> None:
    if len(settings.runs) != 1:
        others = ", ".join(f"export {name}" for name in TASKS if name != RUN)
        raise SettingsError(f"name one run: export RUN --data SET.arrow; or {others}")
    try:
        from sketch_pix2seq.training.run import export_run
    except ImportError as error:
        raise missing_package(error, "exporting", "train") from error
    (folder,) = settings.runs
    out = settings.out or folder / RUN_MODEL
    if settings.out is not None and (out / CONFIG).exists() and not settings.overwrite:
        raise FileError(out, "a model lies there already; name another folder with --out, or give --overwrite")
    say(f"model: {export_run(folder, out, settings.data)}")


def _export_web(settings: Web) -> None:
    from sketch_pix2seq.cli.studio import ready_map
    from sketch_pix2seq.studio.folder import open_model
    from sketch_pix2seq.studio.server import page_files
    from sketch_pix2seq.studio.web import check_target, export_web

    if len(settings.folders) != 1:
        raise SettingsError("name one folder to write: export web FOLDER")
    (folder,) = settings.folders
    page_files()
    check_target(folder, overwrite=settings.overwrite)
    opened = open_model(settings.model)
    written = export_web(
        folder, opened.files(ready_map(opened, settings.data, settings.map)), overwrite=settings.overwrite
    )
    say(f"studio: {written.files} files, {written.size / 1e6:.1f} MB, in {written.folder}")
    say(f"try it: python -m http.server -d {written.folder}")


def _export_map(settings: Map) -> None:
    from sketch_pix2seq.studio.folder import make_atlas, open_model

    if len(settings.models) != 1:
        raise SettingsError("name one model: export map MODEL")
    opened = open_model(settings.models[0])
    out = settings.out or opened.folder / ATLAS
    if out.exists() and not (settings.overwrite or _is_map(out)):
        raise FileError(out, "exists already and is no map; name another with --out, or give --overwrite")
    with stages() as show:
        atlas = make_atlas(
            opened, settings.data, per_category=settings.per_category, seed=settings.seed, on_progress=show
        )
    path = atlas.save(out)
    counts = Counter(sketch.category for sketch in atlas.drawings)
    known = opened.model.info.categories if atlas.drawn_by == "model" else atlas.categories
    if lacking := [name for name in known if counts[name] < settings.per_category]:
        warn(f"fewer than {settings.per_category} clear drawings of {', '.join(lacking)}")
    by = "people" if atlas.drawn_by == "people" else "the model"
    say(f"map: {len(atlas)} drawings by {by} in {len(atlas.categories)} categories -> {path}")


def _is_map(path: Path) -> bool:
    try:
        Atlas.load(path)
    except SketchError:
        return False
    return True


def _export_js(settings: Js) -> None:
    from sketch_pix2seq.drawing.pretrained import model_folder

    if len(settings.paths) != 2 or not settings.paths[1].endswith(".json"):
        raise SettingsError("name a model and the file to write: export js MODEL OUT.gen.json")
    model, out = settings.paths
    if Path(out).exists() and not settings.overwrite:
        raise FileError(out, "exists already; name another file, or give --overwrite")
    try:
        from sketch_pix2seq.model.javascript import export_js
    except ImportError as error:
        raise missing_package(error, "exporting for JavaScript", "train") from error
    written = export_js(model_folder(model), out)
    if written.clipped:
        warn(f"{written.clipped} weights beyond 10 became 10, the largest that the format holds")
    say(f"model: {written.path}")


_DO: dict[type[Any], Callable[[Any], None]] = {Run: _export_run, Web: _export_web, Map: _export_map, Js: _export_js}
