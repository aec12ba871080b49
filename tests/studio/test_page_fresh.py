"""The page in the package is that of its sources."""

from __future__ import annotations

import gzip
import importlib.util
import json
from types import ModuleType

import pytest

from sketch_pix2seq.studio.server import PAGE, page_files
from tests.conftest import REPOSITORY


@pytest.fixture(scope="module")
def stale() -> ModuleType:
    """The script that the Makefile asks."""
    path = REPOSITORY / "studio" / "stale.py"
    spec = importlib.util.spec_from_file_location("stale", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_that_of_its_sources(stale: ModuleType) -> None:
    assert stale.built_from() == stale.hash_of_sources(), "run make studio-page"


def test_everything_the_page_needs_is_in_the_package() -> None:
    files = page_files()
    assert {"index.html", "build.json", "sketch-pix2seq.js"} <= set(files)
    packed = [path for name, path in files.items() if name.endswith(".wasm.gz")]
    assert packed
    assert all(gzip.decompress(path.read_bytes())[:4] == b"\0asm" for path in packed)
    assert not [name for name in files if name.endswith((".wasm", ".map", ".onnx"))]
    assert sum(path.stat().st_size for path in files.values()) < 16_000_000
    assert "://" not in files["index.html"].read_text(encoding="utf-8").replace("http://www.w3.org/", "")
    assert json.loads((PAGE / "build.json").read_text(encoding="utf-8")).keys() >= {"sources"}
