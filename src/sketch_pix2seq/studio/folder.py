"""What the studio needs of a model: its files, checked, and its map, made where there is none."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path

import numpy as np

from sketch_pix2seq.data.store import SketchSet
from sketch_pix2seq.drawing.atlas import Atlas
from sketch_pix2seq.drawing.model import DrawSettings, Model
from sketch_pix2seq.drawing.pretrained import bundled_folder, load_model, model_folder
from sketch_pix2seq.errors import FileError, ModelError, SketchError
from sketch_pix2seq.model.folder import (
    ATLAS,
    CLASSIFIER,
    CONFIG,
    DECODER,
    ENCODER,
    FLOW,
    FLOW_WEIGHTS,
    START,
    WEIGHTS,
)
from sketch_pix2seq.sketch import Sketch
from sketch_pix2seq.studio.atlas import PER_CATEGORY, OnProgress, build_atlas

ATTRIBUTION = "ATTRIBUTION.md"
"""Whom to name; it goes where the model goes."""

_TRIAL = DrawSettings(max_points=1)
"""As little as can be drawn."""


@dataclass(frozen=True)
class StudioModel:
    """A model that can be served: its name, its folder, and the model itself."""

    name: str
    folder: Path
    model: Model

    def files(self, atlas: Path | None) -> dict[str, Path]:
        """What a page loads, by name; ``atlas``: where its map lies."""
        names = [CONFIG, WEIGHTS, ENCODER, START, DECODER, FLOW, FLOW_WEIGHTS, CLASSIFIER, ATTRIBUTION]
        found = {name: self.folder / name for name in names if (self.folder / name).is_file()}
        return found if atlas is None else {**found, ATLAS: atlas}


def open_model(model: str) -> StudioModel:
    """A model, tried out by drawing one point. Raises ModelError that says which of its files is missing or broken."""
    folder = model_folder(model)
    loaded = load_model(folder)
    try:
        line = Sketch((np.array([[0, 0], [255, 255]], np.float32),))
        if loaded.has_encoder:
            loaded.draw_codes(loaded.encode_sketches([line]), settings=_TRIAL)
        if loaded.has_flow or not loaded.has_encoder:
            loaded.generate(None, settings=_TRIAL)
        _ = loaded.classifier
    except SketchError:
        raise
    except Exception as error:  # ONNX Runtime raises bare exceptions of its own where graphs do not fit each other
        raise ModelError(
            f"{folder}: its graphs do not fit each other or {CONFIG} ({str(error).splitlines()[0]})"
        ) from error
    return StudioModel(str(model), folder, loaded)


# -- the map ----------------------------------------------------------------------------------------------


def find_atlas(opened: StudioModel, data: Path | None = None) -> Path | None:
    """Where a map of this model, made of this set, lies already: in its folder, or in the user's cache.

    Without a set any map of the model will do. One of other weights does not.
    """
    wanted = made_from(opened.folder, data)
    for path in (opened.folder / ATLAS, _cached(wanted)):
        try:
            own = Atlas.load(path).made_from
        except SketchError:
            continue
        if own == wanted or (data is None and own.split()[:1] == wanted.split()):
            return path
    return None


def make_atlas(
    opened: StudioModel,
    data: Path | None = None,
    *,
    per_category: int = PER_CATEGORY,
    seed: int = 0,
    on_progress: OnProgress = lambda part, done, total: None,
) -> Atlas:
    """A map of a model: of a set's drawings where one is given, else of what the model draws from nothing.

    Raises what `build_atlas` and opening the set raise.
    """
    sketches = None if data is None else SketchSet.open(data)
    atlas = build_atlas(opened.model, sketches, per_category=per_category, seed=seed, on_progress=on_progress)
    return replace(atlas, made_from=made_from(opened.folder, data))


def keep_atlas(opened: StudioModel, atlas: Atlas) -> Path:
    """Save a map in the model's folder or, where that is not to be written to, in the user's cache; where it is.

    Raises FileError where neither can be written.
    """
    own = opened.folder != bundled_folder() and Path(opened.name).exists()
    if own and os.access(opened.folder, os.W_OK):
        return atlas.save(opened.folder / ATLAS)
    path = _cached(atlas.made_from)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(path.parent, f"cannot be made, to keep the map in: {error.strerror}; try --no-map") from error
    return atlas.save(path)


def made_from(folder: Path, data: Path | None) -> str:
    """Sixteen digits for a model's weights and, where there is a set, sixteen more for it."""
    digest = blake2b(digest_size=8)
    # The same weights can be written as other graphs; only where there are no others are those in the graphs taken.
    for name in [WEIGHTS] if (folder / WEIGHTS).is_file() else [ENCODER, START, DECODER]:
        if (folder / name).is_file():
            digest.update((folder / name).read_bytes())
    if data is None:
        return digest.hexdigest()
    try:
        about = data.stat()
    except OSError:
        return digest.hexdigest()
    name = f"{data.resolve()} {about.st_size} {about.st_mtime_ns}"
    return f"{digest.hexdigest()} {blake2b(name.encode(), digest_size=8).hexdigest()}"


def _cached(made: str) -> Path:
    if sys.platform == "win32":
        root = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        root = Path.home() / "Library" / "Caches"
    else:
        root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return root / "sketch-pix2seq" / f"atlas-{made.replace(' ', '-')}.safetensors"
