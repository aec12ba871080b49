"""Where a model is looked for: in the package, in a folder, and on the Hub only where the name says so."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from sketch_pix2seq.drawing.pretrained import bundled_folder, model_folder
from sketch_pix2seq.errors import ModelError


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Names that the Hub was asked for; it has owner/name alone."""
    names: list[str] = []

    def snapshot_download(name: str, *, allow_patterns: list[str]) -> str:
        names.append(name)
        if name != "owner/name":
            raise RuntimeError("404: no such repository\nand more lines")
        return str(tmp_path)

    client = ModuleType("huggingface_hub")
    client.snapshot_download = snapshot_download  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "huggingface_hub", client)
    return names


def test_a_folder_a_run_and_the_bundled_model(tmp_path: Path) -> None:
    assert model_folder("bundled") == bundled_folder()
    assert model_folder(tmp_path) == tmp_path
    (tmp_path / "model").mkdir()
    assert model_folder(str(tmp_path)) == tmp_path / "model"
    (tmp_path / "config.json").touch()
    assert model_folder(tmp_path) == tmp_path


def test_a_name_on_the_hub(asked: list[str], tmp_path: Path) -> None:
    assert model_folder("hf:owner/name") == tmp_path
    with pytest.raises(ModelError) as error:
        model_folder("hf:owner/nothing")
    assert "hf:owner/nothing: not to be had from the Hugging Face Hub (404: no such repository)" in str(error.value)
    assert asked == ["owner/name", "owner/nothing"]


@pytest.mark.parametrize("name", ["runs/mine", "owner/name", "missing", "a/b/c", "/nowhere", "../owner"])
def test_a_mistyped_folder_never_asks_the_hub(
    name: str, asked: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=f"{name}: no such folder; give a model folder, `bundled`, or hf:owner/name"):
        model_folder(name)
    assert asked == []


def test_without_the_client_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ModelError, match=r"sketch-pix2seq\[hub\]"):
        model_folder("hf:owner/name")


def test_a_run_that_was_stopped_says_how_it_becomes_a_model(tmp_path: Path) -> None:
    (tmp_path / "checkpoint.safetensors").touch()
    with pytest.raises(ModelError, match=f"`sketch-pix2seq export {tmp_path} --data SET.arrow` writes a model"):
        model_folder(tmp_path)
