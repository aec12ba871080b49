"""The documentation as a site: every page is in its menu, and every public function has its page.

`make test` builds it, too; mkdocs.yml makes a broken link an error.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
import yaml

import sketch_pix2seq
from tests.conftest import REPOSITORY

SOURCE = REPOSITORY / "src" / "sketch_pix2seq"
DOCS = REPOSITORY / "docs"
INTERNAL = ("cli.", "formats.svg.", "formats.picture_", "__main__", "plain", "model.untrusted", "drawing.interface")
"""Modules that nobody imports: commands, the parts of two readers, and what checks model folders."""


def public_modules() -> Iterator[str]:
    """Modules with a public function or class, such as ``drawing.model``."""
    for path in sorted(SOURCE.rglob("*.py")):
        name = (
            ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__").removesuffix("__init__")
        )
        tree = ast.parse(path.read_text(encoding="utf-8"))
        named = [node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
        if any(not word.startswith("_") for word in named) and not name.startswith(INTERNAL):
            yield name


def documented() -> list[str]:
    text = "".join(path.read_text(encoding="utf-8") for path in sorted((DOCS / "api").glob("*.md")))
    return re.findall(r"^::: sketch_pix2seq\.(\S+)$", text, re.MULTILINE)


def pages(menu: object) -> Iterator[str]:
    if isinstance(menu, str):
        yield menu
    elif isinstance(menu, list | dict):
        for item in menu.values() if isinstance(menu, dict) else menu:
            yield from pages(item)


def test_every_public_function_has_its_page() -> None:
    assert sorted(documented()) == sorted(set(documented()))
    for module in documented():
        import_module(f"sketch_pix2seq.{module}")
    assert set(public_modules()) - set(documented()) == set()


def test_every_page_is_in_the_menu() -> None:
    site = yaml.safe_load((REPOSITORY / "mkdocs.yml").read_text(encoding="utf-8"))
    assert site["strict"] is True
    there = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    assert set(pages(site["nav"])) == there


@pytest.mark.parametrize("path", sorted(DOCS.glob("*.md")), ids=lambda path: path.stem)
def test_a_page_begins_with_what_to_do_and_its_command(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    heading, _, rest = text.partition("\n")
    assert heading.startswith("# ")
    assert re.match(r"\n(?:[^\n#]+\n){1,4}\n```sh\n", rest), "one paragraph, and then the command"


@pytest.mark.parametrize("name", sketch_pix2seq.__all__)
def test_what_is_public_is_importable_from_the_top(name: str) -> None:
    assert getattr(sketch_pix2seq, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'aim'"):
        sketch_pix2seq.aim  # noqa: B018
