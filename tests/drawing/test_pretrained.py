"""The model that comes with the package, on the example pictures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from sketch_pix2seq.drawing.model import DrawSettings, read_source
from sketch_pix2seq.drawing.pretrained import bundled_folder, load_model
from sketch_pix2seq.drawing.writing import LIST
from sketch_pix2seq.raster import RasterSpec, render
from sketch_pix2seq.sketch import Sketch
from tests.conftest import REPOSITORY

GOLDEN = Path(__file__).with_name("golden-bundled.json")
EXAMPLES = sorted(
    path for path in (REPOSITORY / "examples").iterdir() if path.suffix in (".png", ".jpg", ".svg", ".webp", ".gif")
)


def covered(drawn: Sketch, picture: Sketch) -> tuple[float, float]:
    """Share of the drawing's ink near the picture's, and of the picture's near the drawing's, within two pixels."""
    spec = RasterSpec()
    ink = [render(sketch, spec) > 100 for sketch in (drawn, picture)]
    near = [cv2.dilate(i.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0 for i in ink]
    return float(near[1][ink[0]].mean()), float(near[0][ink[1]].mean())


def test_it_says_what_it_is() -> None:
    info = load_model().info
    assert len(info.categories) == 345
    assert {"alarm clock", "cat", "pig", "wine glass"} <= set(info.categories)
    assert info.training["steps"] > 0
    assert info.training["machine"]
    files = [path for path in bundled_folder().iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 30e6
    assert "Attribution 4.0" in (bundled_folder() / "ATTRIBUTION.md").read_text()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples_are_drawn_as_what_they_are(path: Path) -> None:
    """Most ink of the best of some drawings lies on the picture's lines, and most of the picture is drawn."""
    picture = read_source(path)
    drawings = load_model().draw(picture, 4, settings=DrawSettings(freedom=0))
    assert all(drawing.metadata["ended"] for drawing in drawings)
    precision, recall = np.max([covered(drawing, picture) for drawing in drawings], axis=0)
    assert precision > 0.8
    assert recall > 0.7


def test_another_picture_is_drawn_as_another() -> None:
    """The check above can fail: drawings of another picture lie less on this one's lines than its own do."""
    model = load_model()
    pig, other = (read_source(REPOSITORY / "examples" / name) for name in ("pig.png", "ice-cream.png"))
    own = min(covered(model.draw(pig, settings=DrawSettings(freedom=0))[0], pig))
    assert min(covered(model.draw(other)[0], pig)) < own - 0.2


def test_golden_drawing_of_the_example() -> None:
    """The bundled weights draw the bundled picture as they did when they were committed."""
    settings = DrawSettings(freedom=0)
    drawing = load_model().draw(REPOSITORY / "examples" / "pig.png", seed=0, settings=settings)[0]
    found = drawing.to_stroke3()[:20].round(2).tolist()
    if os.environ.get("SPX_GOLDEN") == "write":
        GOLDEN.write_text(json.dumps(found))
    np.testing.assert_allclose(found, json.loads(GOLDEN.read_text()), atol=0.5)


def test_the_example_in_the_readme() -> None:
    drawing = load_model().draw(REPOSITORY / "examples" / "pig.png")[0]
    assert drawing.n_points > 10
    assert isinstance(drawing, Sketch)


def test_drawing_needs_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "class Refuse:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] == 'torch': raise ImportError('no torch here')\n"
        "sys.meta_path.insert(0, Refuse())\n"
        "from sketch_pix2seq.cli.main import main\n"
        "main(['draw', sys.argv[1], '--samples', '2', '--out', sys.argv[2]])"
    )
    picture = REPOSITORY / "examples" / "fish.jpg"
    done = subprocess.run(
        [sys.executable, "-c", code, str(picture), str(tmp_path)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"fish-1.svg", "fish-2.svg", "sheet.png", LIST}


def test_both_runtimes_draw_the_same() -> None:
    picture = read_source(REPOSITORY / "examples" / "mushroom.gif")
    settings = DrawSettings(freedom=0, max_points=40)
    a = load_model(runtime="onnx").draw(picture, settings=settings)[0]
    b = load_model(runtime="torch").draw(picture, settings=settings)[0]
    np.testing.assert_allclose(a.points()[:15], b.points()[:15], atol=0.5)
