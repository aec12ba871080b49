"""The plan of the house holds: who imports whom, what is light, and what travels with the package."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import pytest

import sketch_pix2seq
from sketch_pix2seq.cli.main import COMMANDS
from tests.conftest import REPOSITORY

SOURCE = REPOSITORY / "src" / "sketch_pix2seq"
ROOMS = (
    "telemetry", "errors", "plain", "machine", "categories", "sketch", "files", "listening", "sequence", "raster",
    "sheet", "formats", "data", "model", "drawing", "training", "recipes", "evaluation", "study", "studio", "cli",
)  # fmt: skip
"""From the lowest to the highest: a room imports only itself and those before it."""
UPWARD = {("sketch", "formats"), ("sheet", "formats")}
"""The exceptions, inside functions alone: a sketch saves and shows itself, and a sheet is written as SVG too."""

TRAINING_ONLY = ("torch", "accelerate", "tensorboard", "onnx", "onnxscript", "huggingface_hub")
EXTRAS = ("pyarrow", "sklearn", "scipy", "jinja2", "openTSNE", "matplotlib", "fastapi", "uvicorn")
DRAWING = ("cv2", "PIL", "onnxruntime", "safetensors", "simplification", "cssselect2", "tinycss2", "rich", "tyro")
HEAVY = (*TRAINING_ONLY, *EXTRAS, *DRAWING)
MAY_IMPORT_TORCH = ("model", "training", "evaluation/classifier.py", "evaluation/two_sample.py")
"""Rooms, and files of others."""
TORCH_WHEN_ASKED = ("drawing/runtime.py", "drawing/pretrained.py", "evaluation/reproduce.py")
"""Files of other rooms that import torch inside functions, for those who choose the torch runtime."""


@dataclass(frozen=True)
class Import:
    """An import of a file: of what, and whether it waits inside a function."""

    file: Path
    line: int
    name: str
    late: bool

    def __str__(self) -> str:
        return f"{self.file.relative_to(SOURCE)}:{self.line} imports {self.name}"


def imports_of(file: Path) -> Iterator[Import]:
    """Every import that runs; those for type checkers alone are left out."""

    def walk(node: ast.AST, late: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING":
                continue
            if isinstance(child, ast.Import):
                yield from (Import(file, child.lineno, alias.name, late) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, f"{file}:{child.lineno}: imports are absolute"
                module = child.module or ""
                parts = [f"{module}.{alias.name}" for alias in child.names] if module == "sketch_pix2seq" else [module]
                yield from (Import(file, child.lineno, name, late) for name in parts)
            yield from walk(child, late or isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)))

    yield from walk(ast.parse(file.read_text(encoding="utf-8")), False)


def room_of(file: Path) -> str:
    return file.relative_to(SOURCE).parts[0].removesuffix(".py")


def may_import_torch(file: Path) -> bool:
    return room_of(file) in MAY_IMPORT_TORCH or file.relative_to(SOURCE).as_posix() in MAY_IMPORT_TORCH


def may_import_scipy(file: Path) -> bool:
    """What measures; the commands wait with it until they run."""
    return room_of(file) == "evaluation" or file == SOURCE / "study" / "report.py"


def all_imports() -> list[Import]:
    files = [file for file in SOURCE.rglob("*.py") if file.parent != SOURCE or not file.name.startswith("__")]
    return [found for file in sorted(files) for found in imports_of(file)]


def test_the_list_of_rooms_is_whole() -> None:
    rooms = {room_of(file) for file in SOURCE.rglob("*.py")} - {"__init__", "__main__"}
    assert rooms == set(ROOMS)


def test_a_lower_room_never_imports_a_higher_one() -> None:
    upward = set()
    for found in all_imports():
        if not found.name.startswith("sketch_pix2seq.") or found.name.endswith("__version__"):
            continue
        own, other = room_of(found.file), found.name.split(".")[1]
        if ROOMS.index(other) > ROOMS.index(own):
            assert found.late, str(found)
            assert (own, other) in UPWARD, str(found)
            upward.add((own, other))
    assert upward == UPWARD


def test_only_model_and_training_import_torch() -> None:
    for found in all_imports():
        if found.name.split(".")[0] in TRAINING_ONLY and not may_import_torch(found.file):
            assert found.late, str(found)
            assert found.file.relative_to(SOURCE).as_posix() in TORCH_WHEN_ASKED, str(found)


def python(code: str, refused: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter in which some packages are as if not installed."""
    refuse = f"""
import sys
class Refuser:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {refused!r}:
            raise ModuleNotFoundError(f"refused {{name}}", name=name)
sys.meta_path.insert(0, Refuser())
"""
    return subprocess.run([sys.executable, "-c", refuse + code], capture_output=True, text=True, check=False)


def test_all_but_training_works_without_pytorch() -> None:
    files = [SOURCE / "model" / "folder.py", SOURCE / "model" / "settings.py", SOURCE / "training" / "settings.py"]
    files += [file for file in SOURCE.rglob("*.py") if not may_import_torch(file)]
    files.remove(SOURCE / "study" / "app.py")  # the page's own server
    files = [file for file in files if not may_import_scipy(file)]
    names = [".".join(file.relative_to(SOURCE.parent).with_suffix("").parts) for file in sorted(files)]
    names.remove("sketch_pix2seq.__main__")
    done = python("\n".join(f"import {name.removesuffix('.__init__')}" for name in names), (*TRAINING_ONLY, *EXTRAS))
    assert done.returncode == 0, done.stderr


def test_help_waits_for_nothing() -> None:
    done = python("from sketch_pix2seq.cli.main import main\nmain(['--help'])\nmain(['--version'])", HEAVY)
    assert done.returncode == 0, done.stderr
    assert "usage: sketch-pix2seq" in done.stdout


@pytest.mark.parametrize("line", ["evaluate", "reproduce", "study report"])
def test_without_scipy_the_message_says_what_to_install(line: str) -> None:
    done = python(f"from sketch_pix2seq.cli.main import main\nmain({line.split()})", EXTRAS)
    assert done.returncode == 2
    assert 'pip install "sketch-pix2seq[' in done.stderr
    assert "is missing)" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("line", ["train", "export run", "draw {pig} --runtime torch"])
def test_without_pytorch_the_message_says_what_to_install(line: str, tmp_path: Path) -> None:
    (tmp_path / "pig.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0L9 9" stroke="red"/></svg>')
    words = line.format(pig=tmp_path / "pig.svg").split()
    done = python(f"from sketch_pix2seq.cli.main import main\nmain({words})", TRAINING_ONLY)
    assert done.returncode == 2
    assert 'pip install "sketch-pix2seq[train]"' in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("line", ["prepare {pig} set.arrow", "look set.arrow"])
def test_without_pyarrow_the_message_names_the_extra(line: str, tmp_path: Path) -> None:
    (tmp_path / "pig.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0L9 9" stroke="red"/></svg>')
    words = line.format(pig=tmp_path / "pig.svg").replace("set.arrow", str(tmp_path / "set.arrow")).split()
    done = python(f"from sketch_pix2seq.cli.main import main\nmain({words})", EXTRAS)
    assert done.returncode == 2
    assert 'pip install "sketch-pix2seq[sets]" (pyarrow is missing)' in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        ("ModuleNotFoundError(\"No module named 'cv2'\", name='cv2')", "No module named 'cv2'"),
        ("ImportError('libGL.so.1: cannot open shared object file', name='cv2')", "libGL.so.1: cannot open"),
    ],
)
def test_where_opencv_cannot_be_imported_one_line_says_what_to_install(problem: str, said: str) -> None:
    code = f"""
import sys
class Broken:
    def find_spec(self, name, path=None, target=None):
        if name == "cv2":
            raise {problem}
sys.meta_path.insert(0, Broken())
from sketch_pix2seq.cli.main import main
main(["draw", "pig.png"])"""
    done = python(code, ())
    assert done.returncode == 2
    assert said in done.stderr
    assert "pip install --force-reinstall opencv-python-headless" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_version_is_told_in_one_voice() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == sketch_pix2seq.__version__
    assert f"## [{sketch_pix2seq.__version__}]" in (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")


def test_every_command_has_a_module_and_every_module_a_command() -> None:
    modules = {file.stem for file in (SOURCE / "cli").glob("*.py")} - {"__init__", "main", "console", "options"}
    assert modules == {name.replace("-", "_") for name in COMMANDS}


def test_data_travels_with_the_package() -> None:
    package = resources.files("sketch_pix2seq")
    for name in (
        "py.typed",
        "data/categories.txt",
        "evaluation/templates/report.md.j2",
        "evaluation/templates/report.html.j2",
        "recipes/default.yaml",
        "pretrained/ATTRIBUTION.md",
        "pretrained/atlas.safetensors",
        "studio/page/index.html",
        "studio/page/build.json",
    ):
        assert package.joinpath(name).is_file(), name
