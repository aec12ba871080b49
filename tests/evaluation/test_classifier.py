"""The classifier learns, resumes bit for bit, and says the same in its one file as in PyTorch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sketch_pix2seq.data.store import SketchSet, SketchSetWriter
from sketch_pix2seq.drawing.recognition import Classifier, load_classifier
from sketch_pix2seq.errors import ModelError, SettingsError
from sketch_pix2seq.evaluation.classifier import SketchClassifier, Step, train_classifier
from sketch_pix2seq.model.export import save_graph
from sketch_pix2seq.raster import ink_of
from tests.evaluation.conftest import QUICK, cross, ring


def test_it_learns_what_a_child_can_tell_apart(shapes: Path, quick_classifier: tuple[Path, float]) -> None:
    path, accuracy = quick_classifier
    assert accuracy == 1.0
    classifier = load_classifier(path)
    rng = np.random.default_rng(7)
    logits, features = classifier.look([ring(rng), cross(rng), ring(rng)])
    assert [classifier.categories[i] for i in logits.argmax(1)] == ["ring", "cross", "ring"]
    assert features.shape == (3, 8 * QUICK.width)
    assert classifier.record["sketches"] == 240
    assert "100.0% of its test sketches right" in classifier.describe()


def test_the_file_says_what_the_network_says(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = SketchClassifier(5, width=8).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean = torch.randn(module.num_features) * 0.1
            module.weight.data = torch.rand(module.num_features) + 0.5
    about = '{"categories": ["a", "b", "c", "d", "e"], "raster": {"size": 48}, "record": {}}'
    path = tmp_path / "c.onnx"
    names = ["logits", "features"]
    save_graph(network, (torch.rand(2, 48, 48),), ["ink"], names, path, {"sketch_pix2seq.classifier": about})
    ink = np.random.default_rng(0).integers(0, 256, (7, 48, 48)).astype(np.uint8)
    logits, features = Classifier(path).look_at_ink(ink)
    with torch.no_grad():
        expected = network(torch.from_numpy(ink).float() / 255)
    np.testing.assert_allclose(features, expected[1], atol=5e-3)  # the file's weights are float16
    np.testing.assert_allclose(logits, expected[0], atol=5e-3)


def test_a_stopped_run_ends_with_the_same_weights(shapes: Path, tmp_path: Path) -> None:
    settings = replace(QUICK, steps=12)
    whole, _ = train_classifier(shapes, tmp_path / "whole.onnx", settings)

    def stop(at: Step) -> None:
        if at.step == 10:
            raise KeyboardInterrupt

    often = replace(settings, checkpoint_minutes=0.0)
    with pytest.raises(KeyboardInterrupt):
        train_classifier(shapes, tmp_path / "again.onnx", often, report=stop)
    assert not (tmp_path / "again.onnx").exists()
    again, _ = train_classifier(shapes, tmp_path / "again.onnx", often)
    ink = ink_of([SketchSet.open(shapes)[i] for i in range(9)], settings.raster)
    for a, b in zip(Classifier(whole).look_at_ink(ink), Classifier(again).look_at_ink(ink), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_run_with_other_settings_is_left_alone(shapes: Path, tmp_path: Path) -> None:
    settings = replace(QUICK, steps=2)
    train_classifier(shapes, tmp_path / "c.onnx", settings)
    with pytest.raises(SettingsError, match="other settings \\(width\\)"):
        train_classifier(shapes, tmp_path / "c.onnx", replace(settings, width=16))


def test_one_category_is_not_enough(tmp_path: Path) -> None:
    with SketchSetWriter(tmp_path / "one.arrow") as writer:
        writer.add(ring(np.random.default_rng(0)), "train")
    with pytest.raises(SettingsError, match="at least two"):
        train_classifier(tmp_path / "one.arrow", tmp_path / "c.onnx")


@pytest.mark.parametrize("content", [None, b"", b"not a graph"])
def test_what_is_no_classifier_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "c.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=r"c\.onnx"):
        load_classifier(path)


def test_a_model_is_no_classifier() -> None:
    from sketch_pix2seq.drawing.pretrained import bundled_folder

    with pytest.raises(ModelError, match="not a graph of a model"):
        load_classifier(bundled_folder() / "encoder.onnx")


def test_nothing_cannot_be_recognised(quick_classifier: tuple[Path, float]) -> None:
    with pytest.raises(ModelError, match="no sketch"):
        load_classifier(quick_classifier[0]).look([])
