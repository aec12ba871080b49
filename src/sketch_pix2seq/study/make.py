"""Making a study: sketches by people from the test split, and redrawings of others by every model."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from sketch_pix2seq import __version__
from sketch_pix2seq.data.store import SketchSet
from sketch_pix2seq.drawing.model import DrawSettings, Model
from sketch_pix2seq.drawing.pretrained import BUNDLED, load_model, model_folder
from sketch_pix2seq.errors import DataError, SettingsError
from sketch_pix2seq.model.folder import CONFIG, read_info
from sketch_pix2seq.sketch import Sketch
from sketch_pix2seq.study.design import Design, Drawing, Renderer, Strokes, StudySettings, spread
from sketch_pix2seq.study.store import DATABASE, Study, create

_AT_ONCE = 64
"""Sketches redrawn between two reports of progress."""


def prepare_study(
    folder: str | Path,
    *,
    data: str | Path | None = None,
    models: Sequence[str] = (BUNDLED,),
    settings: StudySettings | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Study:
    """The study in a folder; made of a set and models where there is none yet.

    data: a SketchSet with a test split. None serves the study that is there; only settings that differ from the
    defaults are then compared with its own. on_progress: redrawings made, of how many.
    Raises SettingsError where the folder holds a study of another design, or there is none and no set is given;
    DataError for a set with too few test sketches; ModelError for a model that is not one.
    """
    folder = Path(folder)
    settings = settings or StudySettings()
    if not models or len(set(models)) != len(models):
        raise SettingsError("name at least one model, and each only once")
    if (folder / DATABASE).exists():
        study = Study(folder)
        try:
            _check_same(study.design, folder, data, tuple(models), settings)
        except BaseException:
            study.close()
            raise
        return study
    if data is None:
        raise SettingsError(f"{folder}: no study there yet; --data SET.arrow says which sketches to make one of")
    drawing_settings = DrawSettings(temperature=settings.temperature, freedom=settings.freedom)
    sketches = SketchSet.open(data)
    chosen = _choose(sketches, settings)
    digests = tuple(_model_digest(name) for name in models)
    total = len(models) * len(chosen.originals) + len(chosen.practice_originals)
    done = 0
    drawings = [_drawing(sketches, index, sketches[index], None, practice=False) for index in chosen.people]
    practice: list[Drawing] = [
        _drawing(sketches, index, sketches[index], None, practice=True) for index in chosen.practice_people
    ]
    for number, name in enumerate(models):
        model = load_model(name)
        for_practice = chosen.practice_originals[number :: len(models)]
        indices = [*chosen.originals, *for_practice]
        for begin in range(0, len(indices), _AT_ONCE):
            part = indices[begin : begin + _AT_ONCE]
            for offset, redrawn in enumerate(_redrawn(model, sketches, part, settings.seed, drawing_settings)):
                is_practice = begin + offset >= len(chosen.originals)
                made = _drawing(sketches, part[offset], redrawn, name, practice=is_practice)
                (practice if is_practice else drawings).append(made)
            done += len(part)
            if on_progress is not None:
                on_progress(done, total)
    rng = np.random.default_rng([settings.seed, 1])
    drawings += [practice[k] for k in rng.permutation(len(practice))]
    design = Design(
        id=secrets.token_hex(8),
        settings=settings,
        renderer=Renderer(),
        data=str(data),
        data_sha256=_set_digest(sketches),
        models=tuple(models),
        models_sha256=digests,
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        package=__version__,
    )
    return create(folder, design, drawings)


@dataclass(frozen=True)
class _Chosen:
    """Indices into the set; no sketch is in two of them."""

    people: list[int]
    originals: list[int]
    practice_people: list[int]
    practice_originals: list[int]


def _choose(sketches: SketchSet, settings: StudySettings) -> _Chosen:
    """Equally many of each category for people and for the models, as far as the test split has them."""
    if not len(sketches.indices("test")):
        raise DataError(
            f"{sketches.path}: no test split, and a study shows test sketches only; `sketch-pix2seq prepare` makes one"
        )
    rng = np.random.default_rng([settings.seed, 0])
    people: list[int] = []
    originals: list[int] = []
    left: list[int] = []
    for name in sketches.categories:
        of_category = [int(i) for i in rng.permutation(sketches.indices("test", name))]
        each = min(settings.per_category, len(of_category) // 2)
        people += of_category[:each]
        originals += of_category[each : 2 * each]
        left += of_category[2 * each :]
    if 2 * len(people) < settings.trials:
        raise DataError(
            f"{sketches.path}: the test split gives {len(people)} sketches by people and as many to redraw, too few"
            f" for {settings.trials} trials; give a larger --per-category, or --trials {2 * len(people)} at most"
        )
    category_of = [sketches.categories[k] for k in sketches.category_ids]
    practice = spread(left, [category_of[i] for i in left], rng)
    if len(practice) < settings.practice:
        others = [int(i) for split in ("valid", "train") for i in sketches.indices(split)]
        practice += spread(others, [category_of[i] for i in others], rng)
    if len(practice) < settings.practice:
        raise DataError(f"{sketches.path}: no sketches are left for practice; --practice {len(practice)} would work")
    by_people = (settings.practice + 1) // 2
    return _Chosen(people, originals, practice[:by_people], practice[by_people : settings.practice])


def _redrawn(
    model: Model, sketches: SketchSet, indices: Sequence[int], seed: int, settings: DrawSettings
) -> list[Sketch]:
    drawn = model.draw_all([sketches[i] for i in indices], 1, seed=seed, settings=settings)
    return [each[0] for each in drawn]


def _drawing(sketches: SketchSet, index: int, sketch: Sketch, model: str | None, *, practice: bool) -> Drawing:
    category = sketches.categories[sketches.category_ids[index]]
    return Drawing(model, category, index, practice, whole_units(sketch))


def whole_units(sketch: Sketch) -> Strokes:
    """Strokes fitted to 255 and rounded to whole units, without points that repeat the one before.

    People's drawings and models' are put on one grid, so that no trace of how they were stored tells them apart.
    """
    strokes: Strokes = []
    for stroke in sketch.fit().strokes:
        points = np.rint(stroke).astype(int)
        moved = np.concatenate([[True], (np.diff(points, axis=0) != 0).any(axis=1)])
        strokes.append(points[moved].tolist())
    return strokes


def _check_same(
    design: Design, folder: Path, data: str | Path | None, models: tuple[str, ...], settings: StudySettings
) -> None:
    differences = []
    for f in fields(StudySettings):
        given, kept = getattr(settings, f.name), getattr(design.settings, f.name)
        if given != kept and (data is not None or given != f.default):
            differences.append(f"{f.name} {kept}, not {given}")
    if models != design.models and (data is not None or models != (BUNDLED,)):
        differences.append(f"models {' '.join(design.models)}, not {' '.join(models)}")
    elif data is not None and tuple(map(_model_digest, models)) != design.models_sha256:
        differences.append("another version of a model")
    if data is not None and _set_digest(SketchSet.open(data)) != design.data_sha256:
        differences.append(f"data {design.data}, another set than {data}")
    if differences:
        raise SettingsError(
            f"{folder} holds another study ({'; '.join(differences)}); give another --out, or leave these flags and"
            " --data out to serve it as it is"
        )


def _set_digest(sketches: SketchSet) -> str:
    digests = [_file_digest(path) for path in sketches.files]
    return digests[0] if len(digests) == 1 else hashlib.sha256("\n".join(digests).encode()).hexdigest()


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _model_digest(name: str) -> str:
    """Of the configuration, the weights and the graphs. Raises ModelError where there is no such model."""
    folder = model_folder(name)
    read_info(folder)
    digest = hashlib.sha256()
    for path in sorted([folder / CONFIG, *folder.glob("*.safetensors"), *folder.glob("*.onnx")]):
        digest.update(f"{path.name} {_file_digest(path)}\n".encode())
    return digest.hexdigest()
