"""`sketch-pix2seq export`: the model of a run that is not finished."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from sketch_pix2seq.cli.console import console
from sketch_pix2seq.errors import SettingsError, missing_package
from sketch_pix2seq.model.folder import RUN_MODEL


@dataclass(frozen=True)
class Settings:
    """Write the model folder of a run from its last checkpoint, whether or not it has ended.

    sketch-pix2seq export runs/mine --data drawings.arrow
    """

    runs: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Folder that `train --out` wrote."""
    data: Path = Path("drawings.arrow")
    """The set that it learns from."""
    out: Path | None = None
    """Where the model folder goes; RUN/model when not given."""


def run(settings: Settings) -> None:
    """Write the folder and say where it is."""
    if len(settings.runs) != 1:
        raise SettingsError("name one run: export RUN --data SET.arrow")
    try:
        from sketch_pix2seq.training.run import export_run
    except ImportError as error:
        raise missing_package(error, "exporting", "train") from error
    (folder,) = settings.runs
    out = settings.out or folder / RUN_MODEL
    console().print(f"model: {export_run(folder, out, settings.data)}", markup=False, soft_wrap=True)
