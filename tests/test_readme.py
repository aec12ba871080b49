"""What README and docs say is so: commands parse, those that can be run are, links lead somewhere."""

from __future__ import annotations

import re
import shlex
import shutil
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import pytest

from sketch_pix2seq.cli.main import COMMANDS, main
from sketch_pix2seq.drawing.pretrained import bundled_folder, load_model
from sketch_pix2seq.model.folder import CONFIG, RUN_MODEL
from tests.conftest import REPOSITORY

PAGES = [REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "examples/README.md")]
PAGES += sorted((REPOSITORY / "docs").rglob("*.md"))
RUN = "<!-- the tests run this block -->"
TOOLS = {
    "make",
    "pip",
    "python",
    "python3",
    ".",
    "ruff",
    "mypy",
    "pytest",
    "tensorboard",
    "accelerate",
    "sketch-pix2seq",
}
"""What a line of a shell block may begin with."""


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: str
    language: str
    text: str
    runs: bool

    def __str__(self) -> str:
        return f"{self.page}: {self.text.splitlines()[0]}"


def blocks(*languages: str) -> Iterator[Block]:
    """The blocks of some languages on all pages, in order."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in re.finditer(rf"(?P<run>{RUN}\n)?^```(?P<language>\w+)\n(?P<text>.*?)^```$", text, re.S | re.M):
            if match["language"] in languages:
                name = page.relative_to(REPOSITORY).as_posix()
                yield Block(name, match["language"], match["text"], match["run"] is not None)


LINES = [line for block in blocks("sh", "console") for line in block.text.splitlines()]


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the example pictures, to run in."""
    shutil.copytree(REPOSITORY / "examples", tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_there_is_something_to_test() -> None:
    assert {line.split()[1] for line in LINES if line.startswith("sketch-pix2seq")} == set(COMMANDS)
    assert sum(block.runs for block in blocks("sh")) >= 3
    assert all(block.runs for block in blocks("python"))


@pytest.mark.parametrize("line", LINES)
def test_a_command_line_parses(line: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    words = shlex.split(line)
    assert words[0] in TOOLS, f"what is {words[0]}?"
    if "sketch_pix2seq" in words:
        words = words[words.index("sketch_pix2seq") :]
    if words[0] in ("sketch-pix2seq", "sketch_pix2seq"):
        (tmp_path / "mine.yaml").write_text(next(blocks("yaml")).text)
        for flag, name in pairwise(words):
            if flag == "--from" and name.startswith("runs/"):  # a run that a line before would have made
                (tmp_path / name / RUN_MODEL).mkdir(parents=True)
                shutil.copy(bundled_folder() / CONFIG, tmp_path / name / RUN_MODEL)
        monkeypatch.chdir(tmp_path)
        given: list[object] = []
        monkeypatch.setattr(import_module(f"sketch_pix2seq.cli.{words[1].replace('-', '_')}"), "run", given.append)
        main(words[1:])
        assert len(given) == 1
    elif words[0] == "python" and words[1] != "-m":
        assert (REPOSITORY / words[1]).is_file()
    elif words[0] == "make":
        targets = re.findall(r"^([\w-]+):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.M)
        assert words[1] in targets
    elif words[0] == "pip":
        project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        assert set(re.findall(r"\[(\w+)\]", line)) <= set(project["optional-dependencies"])


@pytest.mark.parametrize("block", [block for block in blocks("sh") if block.runs], ids=str)
def test_a_shell_block_runs(block: Block, clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for line in block.text.splitlines():
        before = {path for path in clone.rglob("*") if path.is_file()}
        main(shlex.split(line)[1:])
        written = {path for path in clone.rglob("*") if path.is_file()} - before
        assert written, line
        assert all(path.stat().st_size for path in written)
    assert "warning" not in capsys.readouterr().err


@pytest.mark.parametrize("page", sorted({block.page for block in blocks("python")}))
def test_python_blocks_run(page: str, clone: Path) -> None:
    names: dict[str, object] = {}
    for block in blocks("python"):
        if block.page == page:
            exec(compile(block.text, page, "exec"), names)
    assert {path.name for path in clone.iterdir()} > {"examples"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.S | re.M)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?://", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{page.name} links to {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.M)
            known = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
            assert anchor in known, f"{page.name} links to {target}"


def test_the_readme_is_short_and_counts_rightly() -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert len(readme.splitlines()) <= 180
    found = re.search(r"knows the (\d+) categories", readme)
    assert found is not None
    assert int(found[1]) == len(load_model().info.categories)


def test_pages_say_nothing_of_where_they_were_written() -> None:
    for page in [*PAGES, REPOSITORY / "Makefile"]:
        assert not re.search(r"/work/|/root/|\.\./shared", page.read_text(encoding="utf-8")), page.name
