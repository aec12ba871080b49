"""What of a model is served, what is said of a broken one, and where its map is kept."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from sketch_pix2seq.drawing.atlas import Atlas
from sketch_pix2seq.drawing.pretrained import bundled_folder
from sketch_pix2seq.errors import DataError, ModelError, SketchError
from sketch_pix2seq.model.folder import ATLAS, DECODER, ENCODER, START, WEIGHTS
from sketch_pix2seq.studio.folder import find_atlas, keep_atlas, made_from, make_atlas, open_model
from tests.drawing.conftest import folders  # noqa: F401


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache folder."""
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def own(folders: dict[str, Path], tmp_path: Path) -> Path:
    """A model of one's own."""
    return Path(shutil.copytree(folders["default"], tmp_path / "own"))


@pytest.mark.parametrize("kind", ["paper-hyper", "rnn-layer-norm"])
def test_only_what_the_page_needs_is_served(kind: str, folders: dict[str, Path]) -> None:
    opened = open_model(str(folders[kind]))
    assert set(opened.files(None)) == {"config.json", WEIGHTS, ENCODER, START, DECODER}
    assert not opened.model.has_flow


def test_the_bundled_model_comes_with_its_map(cache: Path) -> None:
    opened = open_model("bundled")
    atlas = find_atlas(opened)
    assert atlas == bundled_folder() / ATLAS
    names = {"config.json", WEIGHTS, ENCODER, START, DECODER, "flow.onnx", "flow.safetensors", "classifier.onnx", ATLAS}
    names |= {"ATTRIBUTION.md"}
    assert set(opened.files(atlas)) == names
    assert not cache.exists()


def test_a_broken_model_is_one_line(own: Path) -> None:
    with pytest.raises(ModelError, match="no such folder"):
        open_model(str(own / "missing"))
    for name in ("config.json", ENCODER, START, DECODER):
        whole = (own / name).read_bytes()
        for broken in (whole[: len(whole) // 2], b""):
            (own / name).write_bytes(broken)
            with pytest.raises(SketchError, match=name.replace(".", r"\.")) as caught:
                open_model(str(own))
            assert "\n" not in str(caught.value)
        (own / name).unlink()
        with pytest.raises(SketchError, match=rf"{name.replace('.', '[.]')}|no model folder"):
            open_model(str(own))
        (own / name).write_bytes(whole)
    weights = (own / WEIGHTS).read_bytes()
    for broken in (weights[: len(weights) // 2], b""):
        (own / WEIGHTS).write_bytes(broken)
        with pytest.raises(ModelError, match=r"model\.safetensors") as caught:
            open_model(str(own))
        assert "\n" not in str(caught.value)
    (own / WEIGHTS).write_bytes(weights)
    (own / "flow.onnx").write_bytes(b"nonsense")
    with pytest.raises(ModelError, match=r"flow\.onnx"):
        open_model(str(own))


def test_graphs_of_two_models_are_one_line(own: Path) -> None:
    shutil.copy(bundled_folder() / DECODER, own / DECODER)
    with pytest.raises(
        ModelError, match=r"does not fit config\.json or the other graphs|not a graph (of|that)"
    ) as caught:
        open_model(str(own))
    assert "\n" not in str(caught.value)


def test_a_map_is_kept_in_the_models_own_folder(own: Path, clear_set: Path, cache: Path) -> None:
    opened = open_model(str(own))
    assert find_atlas(opened) is None
    atlas = make_atlas(opened, clear_set, per_category=3)
    path = keep_atlas(opened, atlas)
    assert path == own / ATLAS
    assert find_atlas(opened, clear_set) == path
    assert find_atlas(opened) == path, "without a set any map of the model will do"
    assert not cache.exists()
    os.utime(clear_set, (1, 1))
    assert find_atlas(opened, clear_set) is None, "the set has changed"
    (own / DECODER).write_bytes((own / DECODER).read_bytes() + b"\0")
    assert find_atlas(opened) == path, "its weights are the same"
    (own / WEIGHTS).write_bytes((own / WEIGHTS).read_bytes() + b"\0")
    assert find_atlas(opened) is None, "the model has changed"
    path.write_bytes(b"nonsense")
    assert find_atlas(opened) is None


def test_the_bundled_models_folder_is_not_written_to(bundled_atlas: Atlas, clear_set: Path, cache: Path) -> None:
    opened = open_model("bundled")
    before = (bundled_folder() / ATLAS).read_bytes()
    made = replace(bundled_atlas, made_from=made_from(opened.folder, clear_set))
    path = keep_atlas(opened, made)
    assert path.is_relative_to(cache) or sys.platform in ("win32", "darwin")
    assert find_atlas(opened, clear_set) == path
    assert find_atlas(opened) == bundled_folder() / ATLAS
    assert (bundled_folder() / ATLAS).read_bytes() == before


def test_without_a_flow_a_map_needs_a_set(folders: dict[str, Path]) -> None:
    with pytest.raises(ModelError, match="no flow"):
        make_atlas(open_model(str(folders["paper-hyper"])))
    with pytest.raises(DataError, match="at least one"):
        make_atlas(open_model("bundled"), per_category=0)
