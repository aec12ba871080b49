"""The command line: finds a command's module, parses its settings, runs it, and turns our errors into one line."""

from __future__ import annotations

import io
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import MISSING, fields, is_dataclass
from difflib import get_close_matches
from importlib import import_module
from inspect import cleandoc
from pathlib import Path
from typing import Any, TypeVar

from sketch_pix2seq import __version__, plain
from sketch_pix2seq.errors import FormatError, SettingsError, SketchError
from sketch_pix2seq.files import open_to_read

PROGRAM = "sketch-pix2seq"

T = TypeVar("T")

COMMANDS = {
    "studio": "draw in the browser together with a model",
    "draw": "draw a picture again, stroke by stroke, or draw a category",
    "categories": "list the categories that a model can draw",
    "create": "creative tasks: altered, hybrid, interpolate, analogy, heal, complete",
    "convert": "convert drawings between SVG, PNG, GIF, ndjson, npz and pictures",
    "look": "show statistics and a contact sheet of a set, a file or a folder",
    "download": "download drawings of Quick, Draw!",
    "prepare": "make a training set from files and folders of drawings",
    "train": "train a model on a set, or continue a run",
    "export": "write the studio for a web host, a model folder of a run, a map, or a sketch-rnn model",
    "import-js": "make a model folder from a model of sketch-rnn's JavaScript",
    "evaluate": "measure what a model draws: likelihood, Rec, Ret@k, FID, two-sample tests",
    "train-classifier": "train the sketch classifier that evaluate uses",
    "reproduce": "train and compare the models of the paper; write a report",
    "study": "a Turing test with people: serve it, and report the answers",
}
"""Every command with its line in the help; each is a module of this package (- as _) with `Settings` and `run`."""

_NESTED = ("train", "train-classifier")
"""Commands whose settings hold others; their flags are written with both names: --augment.drop."""
_LONGEST_CONFIG = 64 << 10
_CONFIG = "--config FILE.yaml reads settings from a file; flags override the file."


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit: 0 when all went well, 2 for an error that the user can mend, 130 after Ctrl-C."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a console in cp1252 has no Chinese
            stream.reconfigure(errors="backslashreplace")
    with _interruptible() as interrupted:
        try:
            _run(words)
        except BaseException as error:
            if interrupted() or isinstance(error, KeyboardInterrupt):
                _say("stopped")
                exec(
                    ""
                )  # Python ends by SIGINT, whatever is raised now, where the last code compiled from text was cut
                raise SystemExit(130) from None
            if isinstance(error, BrokenPipeError):
                raise SystemExit(0) from None
            if (message := _message(error)) is None:
                raise
            _say(message)
            raise SystemExit(2) from None


def _message(error: BaseException) -> str | None:
    """What to tell of an error that the user can mend; None for a mistake of ours."""
    if isinstance(error, SketchError):
        return str(error)
    if isinstance(error, ImportError) and error.name == "cv2":
        return (
            f"OpenCV (cv2) cannot be imported ({str(error).splitlines()[0]}); any build of it does: "
            "pip install --force-reinstall opencv-python-headless"
        )
    if isinstance(error, OSError):  # a full disk, a folder that is read-only
        place = f"{error.filename}: " if error.filename is not None else ""
        return f"{place}{error.strerror or error}"
    if isinstance(error, MemoryError):
        return "there is not enough memory for this"
    return None


def _say(message: str) -> None:
    """One line on stderr, whatever is in the message."""
    line = " ".join(message.splitlines())
    print(f"{PROGRAM}: {''.join(c if c.isprintable() else '?' for c in line)}", file=sys.stderr)


@contextmanager
def _interruptible() -> Iterator[Callable[[], bool]]:
    """Ctrl-C raises KeyboardInterrupt; what is given tells whether it was pressed, as some imports turn that into
    another error. Pressed again, it ends the process at once."""
    pressed = False

    def press(number: int, frame: object) -> None:
        nonlocal pressed
        if pressed:
            os.write(2, f"{PROGRAM}: stopped\n".encode())
            os._exit(130)
        pressed = True
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN or threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    signal.signal(signal.SIGINT, press)
    try:
        yield lambda: pressed
    finally:
        signal.signal(signal.SIGINT, before)


def _run(words: list[str]) -> None:
    if not words or words[0] in ("-h", "--help", "help"):
        print(_overview())
        return
    if words[0] in ("-V", "--version"):
        print(f"{PROGRAM} {__version__}")
        return
    name = words[0]
    if name not in COMMANDS:
        near = get_close_matches(name, COMMANDS, 1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise SketchError(f"no command {name!r}; {hint}there are {', '.join(COMMANDS)}")
    module = import_module(f"sketch_pix2seq.cli.{name.replace('-', '_')}")
    # A command whose defaults depend on other flags (train: on the recipe) works them out itself.
    defaults: Callable[[list[str]], tuple[Any, list[str]]] | None = getattr(module, "defaults", None)
    given = words[1:]
    default: Any = None
    if defaults is not None:
        default, given = defaults(given)
    else:
        default, given = _configured(module.Settings, name, given)
    module.run(parse(module.Settings, name, given, default))


def parse(kind: type[Any], name: str, words: Sequence[str], default: Any = None) -> Any:
    """Settings of a command from its flags; help as tyro gives it. Raises SettingsError for flags that will not do."""
    import tyro

    extra = {} if default is None else {"default": default}
    said = io.StringIO()
    try:
        with redirect_stderr(said):
            return tyro.cli(
                kind,
                prog=f"{PROGRAM} {name}",
                description=f"{cleandoc(kind.__doc__ or '').rstrip()}\n\n{_CONFIG}",
                args=list(words),
                config=(tyro.conf.OmitArgPrefixes, tyro.conf.DisallowNone) if name not in _NESTED else (),
                **extra,
            )
    except SystemExit as leaving:
        if leaving.code in (None, 0):
            raise
        raise SettingsError(f"{flag_error(said.getvalue())} (`{PROGRAM} {name} --help` tells all)") from None


_RULE = re.compile("[─-]{3,}")
_SAID = (
    (r"^Unrecognized options: (-\S*?),? *$", r"there is no flag \1"),
    (r"^Unrecognized options: (-\S*?),? .*$", r"there is no flag \1"),
    (r"^Unrecognized options: (.*)$", r"\1 is one word too many"),
    (r"^Error parsing (\S+): invalid literal for int\(\) with base 10: (.*)$", r"\1 needs a whole number, not \2"),
    (r"^Error parsing (\S+): could not convert string to float: (.*)$", r"\1 needs a number, not \2"),
    (r"^Error parsing (\S+): ", r"\1: "),
    (r"^Missing value for argument '(.*?)'\. Expected 1 values?\.$", r"\1 needs a value"),
    (r"^Missing value for argument '(.*?)'\. Expected (\d+) values\.$", r"\1 needs \2 values"),
    (
        r"^invalid choice '(.*)' for argument '(.*)'\. Expected one of \((.*?),?\)\.$",
        r"\2 cannot be '\1'; there are \3",
    ),
    (r"^Missing from [^:]*: ([A-Z]+) .*$", r"\1 is missing"),
    (r"^Expected one of \{(.*)\}\.$", r"say what to do: \1"),
)
"""What tyro says, and how it is said here."""


def flag_error(box: str) -> str:
    """What tyro says in a box of several lines, as one line."""
    lines = [line.strip("│╭╮╰╯|+ ") for line in re.sub("\x1b\\[[0-9;]*m", "", box).splitlines()]
    rules = [number for number, line in enumerate(lines) if _RULE.match(line)] + [len(lines)]
    problem = " ".join(lines[1 : next(rule for rule in rules if rule > 0)])
    if tasks := re.search(r"Available subcommands: ([^─]*?)  *(?:[─-]{3}|For full)", " ".join(lines)):
        word = re.sub("^Unrecognized (or misplaced )?options: ", "", problem).split(",")[0].split(" (applied to ")[0]
        return f"{word!r} is none of {tasks[1]}"
    named = problem.partition("--")[2].split(",")[0].split(" ")[0]
    offered = [flag for line in lines for flag in re.findall(r"^--([\w.-]+)", line)]
    near = get_close_matches(named, offered, 1, 0.7) if problem.startswith("Unrecognized") else []
    for pattern, text in _SAID:
        problem, count = re.subn(pattern, text, problem)
        if count:
            break
    return problem + (f"; did you mean --{near[0]}?" if near else "")


def _configured(kind: type[Any], name: str, words: list[str]) -> tuple[Any, list[str]]:
    """Defaults from ``--config FILE.yaml``, and the other flags."""
    import tyro

    path, others = take_option(words, "--config")
    if path is None:
        return None, others
    needed = [f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING]
    return overlaid(
        kind(**dict.fromkeys(needed, tyro.MISSING)), read_yaml(Path(path)), path, flat=name not in _NESTED
    ), others


def take_option(words: list[str], flag: str) -> tuple[str | None, list[str]]:
    """The value of a flag, if it is there, and the words without it."""
    for index, word in enumerate(words):
        if word == flag:
            if index + 1 == len(words):
                raise SketchError(f"{flag} needs a value")
            return words[index + 1], [*words[:index], *words[index + 2 :]]
        if word.startswith(f"{flag}="):
            return word.split("=", 1)[1], [*words[:index], *words[index + 1 :]]
    return None, words


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file that holds a mapping."""
    import yaml

    class Loader(yaml.SafeLoader):
        """Without aliases, by which a few lines can stand for millions."""

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise yaml.YAMLError("it refers to another part by *NAME, which settings cannot")
            return super().compose_node(parent, index)

    # YAML 1.1 reads 1e-3, which has no point, as text.
    Loader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(r"[-+]?\d+[eE][-+]?\d+$"), list("-+0123456789"))
    with open_to_read(path) as file:
        text = file.read(_LONGEST_CONFIG + 1)
    if len(text) > _LONGEST_CONFIG:
        raise FormatError(path, f"too long for settings, which take less than {_LONGEST_CONFIG >> 10} KB")
    try:
        values = yaml.load(text, Loader) or {}
    except (
        yaml.YAMLError,
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        ArithmeticError,
        RecursionError,
    ) as error:
        raise FormatError(
            path, f"not readable as YAML: {(str(error) or type(error).__name__).splitlines()[0]}"
        ) from error
    if not isinstance(values, dict):
        raise FormatError(path, "it must hold settings such as `seed: 3`")
    return values


def overlaid(settings: T, values: dict[str, Any], where: str | Path, *, flat: bool = False) -> T:
    """A settings dataclass with some fields replaced, nested ones too; keys may be written with - or _.

    flat: nested dataclasses are groups of the help, whose keys stand beside the others.
    Raises FormatError for what is no setting or not of its type, SettingsError for values that exclude each other.
    """
    try:
        return plain.overlaid(settings, _nested(settings, values) if flat else values)
    except ValueError as error:
        raise FormatError(where, str(error)) from None


def _nested(settings: Any, values: dict[str, Any]) -> dict[str, Any]:
    """Values of a flat mapping, those of a group in a mapping of its own."""
    inside = {f.name: getattr(settings, f.name) for f in fields(settings) if is_dataclass(getattr(settings, f.name))}
    out: dict[str, Any] = {}
    for key, value in values.items():
        name = str(key).replace("-", "_")
        group = next((group for group, held in inside.items() if name in _keys(held)), None)
        if group is None:
            out[key] = value
        else:
            out.setdefault(group, {})[key] = value
    return {key: _nested(inside[key], value) if key in inside else value for key, value in out.items()}


def _keys(settings: Any) -> Iterator[str]:
    """The names of a group's settings, those of its own groups too."""
    for field in fields(settings):
        inside = getattr(settings, field.name)
        if is_dataclass(inside):
            yield from _keys(inside)
        else:
            yield field.name


def _overview() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {line}" for name, line in COMMANDS.items()]
    return "\n".join(
        [
            f"usage: {PROGRAM} COMMAND ...",
            "",
            "Learns to draw many categories of things the way people draw them, stroke by stroke, from pictures.",
            "",
            *lines,
            "",
            f"`{PROGRAM} COMMAND --help` shows the settings of a command and their defaults; `--config FILE.yaml`",
            f"reads settings from a file. `{PROGRAM} --version` prints {__version__}.",
        ]
    )
