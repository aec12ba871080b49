"""`sketch-pix2seq train`: learn from a set, or continue a run."""

from __future__ import annotations

import time
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any

import tyro

from sketch_pix2seq.cli.console import console, stderr, warn
from sketch_pix2seq.cli.main import overlaid, read_yaml, take_option
from sketch_pix2seq.errors import missing_package
from sketch_pix2seq.recipes.catalogue import DEFAULT, load_recipe
from sketch_pix2seq.training.settings import TrainSettings

FEW = "few"
"""The recipe of `--from`."""


@dataclass(frozen=True)
class Settings(TrainSettings):
    """Train a model on a set that `sketch-pix2seq prepare` made. The same command continues a run that was stopped.

    sketch-pix2seq train --data drawings.arrow --out runs/mine

    sketch-pix2seq train --from bundled --data mine.arrow --out runs/mine

    sketch-pix2seq train --recipe sketch-pix2seq --data drawings.arrow --out runs/paper --steps 5000

    The defaults below are those of the recipe: "few" with --from, otherwise "default".

    Several processes: `accelerate launch -m sketch_pix2seq train ...`.
    """

    data: Path = Path("drawings.arrow")
    """The set to train on."""
    out: Path = Path("runs/default")
    """Folder of the run: checkpoint, sheets, TensorBoard events and, at the end, model/."""
    recipe: str = DEFAULT
    """The defaults: default; few (a few drawings, with --from); cnn-kl, rnn-no-kl, sketch-pix2seq and sketch-rnn (the
    models of the paper); decoder-only (no encoder)."""
    start_from: Annotated[str, tyro.conf.arg(name="from")] = ""
    """Begin with the weights and network settings of this model: "bundled", a model folder, or hf:owner/name."""


def defaults(words: list[str]) -> tuple[Settings, list[str]]:
    """Settings of the recipe, ``--config`` and the model to begin with, and the flags that remain to be parsed."""
    recipe, words = take_option(words, "--recipe")
    config, words = take_option(words, "--config")
    start_from, words = take_option(words, "--from")
    values = read_yaml(Path(config)) if config is not None else {}
    start = start_from or str(values.pop("from", None) or "")
    name = recipe or str(values.get("recipe", FEW if start else DEFAULT))
    base = load_recipe(name)
    settings = Settings(**{f.name: getattr(base, f.name) for f in fields(base)}, recipe=name, out=Path("runs") / name)
    settings = replace(overlaid(settings, values, config or ""), start_from=start)
    if start:
        from sketch_pix2seq.drawing.pretrained import model_folder
        from sketch_pix2seq.model.folder import read_info

        settings = replace(settings, model=read_info(model_folder(start)).model)
    return settings, words


def run(settings: Settings) -> None:
    """Train, with a live line; say where the model is."""
    try:
        from sketch_pix2seq.training.loop import Line
        from sketch_pix2seq.training.run import is_main_process
        from sketch_pix2seq.training.run import run as train_run
    except ImportError as error:
        raise missing_package(error, "training", "train") from error
    sees = settings.model.encoder != "none"
    plain = TrainSettings(**{f.name: getattr(settings, f.name) for f in fields(TrainSettings)})
    with _LiveLine(Line) as live:
        folder = train_run(
            settings.data,
            settings.out,
            plain,
            start_from=settings.start_from or None,
            report=live.show,
            on_sheet=lambda path: _say(f"people's sketches, {'redrawn' if sees else 'and what it draws'}: {path}"),
            say=_say,
            on_flow=live.show_flow,
        )
    if live.last is not None and live.last.skipped:
        warn(f"{live.last.skipped} steps were left out because their gradient was not finite")
    if not is_main_process():
        return
    what = "PICTURE" if sees else "--category any"
    line = f"model: {folder}\ndraw with it: sketch-pix2seq draw {what} --model {folder}"
    console().print(line, markup=False, soft_wrap=True)


def _say(line: str) -> None:
    stderr().print(line, markup=False, soft_wrap=True)


class _LiveLine:
    """The line that is replaced in place on a terminal, and printed now and then elsewhere."""

    def __init__(self, kind: type[Any]) -> None:
        self.last: Any = None
        starting = "starting: opening the set, building the network"
        self._status = stderr().status(starting) if stderr().is_terminal else None
        self._printed = 0.0

    def __enter__(self) -> _LiveLine:
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status is not None:
            self._status.stop()

    def show(self, line: Any) -> None:
        """Show a `training.loop.Line`."""
        self.last = line
        self._print(line_text(line), line.step == line.steps)

    def show_flow(self, step: Any) -> None:
        """Show a `training.flow.FlowStep`."""
        valid = "" if step.valid is None else f"  valid {step.valid:.4f}"
        text = f"flow {step.step}/{step.steps}  error {step.loss:.4f}{valid}  {step.rate:.0f} codes/s"
        self._print(text, step.step == step.steps)

    def _print(self, text: str, last: bool) -> None:
        if self._status is not None:
            self._status.update(text)
        if self._status is None and (time.monotonic() - self._printed > 30 or last):
            self._printed = time.monotonic()
            stderr().print(text, markup=False, soft_wrap=True)


def line_text(line: Any) -> str:
    """The live line: where the run is, its losses, its speed and the time left."""
    parts = [
        f"step {line.step}/{line.steps}",
        f"L_R {line.l_r:.4f}",
        f"{line.nats:.3f} nats/row",
        f"L_KL {line.l_kl:.3f}" if line.l_kl else "",
        f"pixel {line.pixel:.3f}" if line.pixel else "",
        f"valid {line.valid:.3f}" if line.valid is not None else "",
        f"{line.rate:.0f} sketches/s",
        f"ETA {_duration(line.eta_seconds)}",
        f"{line.skipped} NaN steps skipped" if line.skipped else "",
    ]
    return "  ".join(part for part in parts if part)


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
