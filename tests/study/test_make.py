"""Making a study of a set and models, and taking it up again."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from sketch_pix2seq.data.store import SketchSetWriter
from sketch_pix2seq.drawing.pretrained import bundled_folder
from sketch_pix2seq.errors import DataError, FileError, ModelError, SettingsError
from sketch_pix2seq.sketch import Sketch
from sketch_pix2seq.study.design import StudySettings
from sketch_pix2seq.study.make import prepare_study, whole_units
from sketch_pix2seq.study.store import DATABASE
from tests.conftest import random_sketch

TINY = StudySettings(per_category=2, trials=6, practice=3, freedom=0.4)


def write_set(path: Path, *, test: int = 5, train: int = 4, seed: int = 0) -> Path:
    rng = np.random.default_rng(seed)
    with SketchSetWriter(path) as writer:
        for category in ("cat", "pig"):
            for split, n in (("test", test), ("train", train)):
                for _ in range(n):
                    writer.add(random_sketch(rng, category=category), split)  # type: ignore[arg-type]
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a set and a study of it: the bundled model, twice, by two names."""
    folder = tmp_path_factory.mktemp("made")
    shutil.copytree(bundled_folder(), folder / "copy")
    seen: list[tuple[int, int]] = []
    with prepare_study(
        folder / "study",
        data=write_set(folder / "set.arrow"),
        models=("bundled", str(folder / "copy")),
        settings=TINY,
        on_progress=lambda done, total: seen.append((done, total)),
    ):
        pass
    assert seen == [(5, 9), (9, 9)]
    return folder


def test_people_and_models_are_given_different_test_sketches(made: Path) -> None:
    names = ("bundled", str(made / "copy"))
    with prepare_study(made / "study") as study:
        drawings = study.drawings
        assert study.design.models == names
    counted = [d for d in drawings if not d.practice]
    people = {d.original for d in counted if d.model is None}
    redrawn = [{d.original for d in counted if d.model == name} for name in names]
    assert redrawn[0] == redrawn[1]
    assert not people & redrawn[0]
    assert not (people | redrawn[0]) & {d.original for d in drawings if d.practice}
    for name in (None, *names):
        assert Counter(d.category for d in counted if d.model == name) == {"cat": 2, "pig": 2}
    assert Counter(d.model for d in drawings if d.practice) == {None: 2, "bundled": 1}
    same = {d.original: d.strokes for d in counted if d.model == names[0]}
    assert all(d.strokes == same[d.original] for d in counted if d.model == names[1]), "the same weights and seed"


def test_it_is_served_again_as_it_is(made: Path) -> None:
    before = (made / "study" / DATABASE).read_bytes()
    models = ("bundled", str(made / "copy"))
    prepare_study(made / "study").close()
    prepare_study(made / "study", data=made / "set.arrow", models=models, settings=TINY).close()
    shutil.copy(made / "set.arrow", made / "moved.arrow")
    prepare_study(made / "study", data=made / "moved.arrow", models=models, settings=TINY).close()
    assert (made / "study" / DATABASE).read_bytes() == before


def test_another_design_is_refused(made: Path) -> None:
    models = ("bundled", str(made / "copy"))
    data = made / "set.arrow"
    with pytest.raises(SettingsError, match="holds another study \\(trials 6, not 10; seed 0, not 4\\)"):
        prepare_study(made / "study", settings=StudySettings(trials=10, seed=4))
    with pytest.raises(SettingsError, match="trials 6, not 48"):
        prepare_study(made / "study", data=data, models=models)
    with pytest.raises(SettingsError, match=r"models bundled .*copy, not bundled"):
        prepare_study(made / "study", data=data, settings=TINY)
    other = write_set(made / "other.arrow", seed=1)
    with pytest.raises(SettingsError, match=r"another set than .*other\.arrow"):
        prepare_study(made / "study", data=other, models=models, settings=TINY)
    with (made / "copy" / "start.onnx").open("ab") as file:
        file.write(b"x")
    with pytest.raises(SettingsError, match="another version of a model"):
        prepare_study(made / "study", data=data, models=models, settings=TINY)


def test_what_cannot_be_made_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    out = tmp_path / "study"
    data = write_set(tmp_path / "set.arrow")
    with pytest.raises(SettingsError, match=r"no study there yet; --data SET\.arrow"):
        prepare_study(out)
    with pytest.raises(SettingsError, match="at least one model, and each only once"):
        prepare_study(out, data=data, models=("bundled", "bundled"))
    with pytest.raises(FileError, match="no such file"):
        prepare_study(out, data=tmp_path / "missing.arrow")
    with pytest.raises(ModelError, match="nowhere: no such folder"):
        prepare_study(out, data=data, models=("bundled", "nowhere"), settings=TINY)
    with pytest.raises(SettingsError, match="temperatures cannot be below 0"):
        prepare_study(out, data=data, settings=StudySettings(temperature=-1))
    with pytest.raises(DataError, match=r"gives 4 sketches by people .* too few for 48 trials; .*--trials 8 at most"):
        prepare_study(out, data=data)
    with pytest.raises(DataError, match="no sketches are left for practice; --practice 10 would work"):
        prepare_study(out, data=data, settings=StudySettings(per_category=2, trials=6, practice=11))
    with pytest.raises(DataError, match="no test split"):
        prepare_study(out, data=write_set(tmp_path / "train.arrow", test=0))
    assert not out.exists()


def test_whole_units() -> None:
    sketch = Sketch((np.array([[10, 10], [10.2, 10], [61, 27]]), np.array([[40, 12.4]])))
    assert whole_units(sketch) == [[[0, 0], [1, 0], [255, 85]], [[150, 12]]]
    assert whole_units(Sketch((np.array([[0, 0], [0.1, 0.1], [255, 100]]),))) == [[[0, 0], [255, 100]]]
