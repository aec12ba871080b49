"""Beginning with a trained model: what a run takes over from it, and how it does not forget it.

There are no old drawings to learn from any more, but the model can draw what it knows. Before it learns anything it
draws sketches of its own categories, which are mixed into the batches (generative replay, Shin et al. 2017).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sketch_pix2seq.data.store import SketchSetWriter
from sketch_pix2seq.drawing.model import DrawSettings
from sketch_pix2seq.drawing.pretrained import load_model, model_folder
from sketch_pix2seq.errors import SettingsError
from sketch_pix2seq.model.export import load_flow, load_network
from sketch_pix2seq.model.folder import FLOW, WEIGHTS, ModelInfo, read_info
from sketch_pix2seq.training.settings import TrainSettings

REHEARSED = "rehearsed.arrow"
"""The set of rehearsed sketches in the folder of a run."""
_EMBEDDINGS = ("condition.category.weight", "category.weight")
"""The tables of categories, in the network and in the flow; the last row stands for "not told"."""


@dataclass(frozen=True)
class Base:
    """A trained model that a run begins with."""

    name: str
    """As it was asked for: "bundled", a folder, or a name on the Hub."""
    folder: Path
    info: ModelInfo
    weights: dict[str, Tensor]
    flow: dict[str, Tensor] | None
    """Weights of its flow, where it has one."""

    @property
    def fingerprint(self) -> str:
        """Sixteen digits that stand for its weights."""
        return blake2b((self.folder / WEIGHTS).read_bytes(), digest_size=8).hexdigest()

    def record(self, settings: TrainSettings, rehearsed: int) -> dict[str, Any]:
        """What a checkpoint and a model folder keep of it; ``rehearsed``: sketches that are mixed in."""
        return {
            "model": self.name,
            "weights": self.fingerprint,
            "categories": list(self.info.categories),
            "encoder": "frozen" if settings.tune.freeze_encoder else "trained",
            "rehearsed": rehearsed,
            "rehearsal": settings.tune.rehearsal if rehearsed else 0.0,
        }


def load_base(model: str | Path, settings: TrainSettings) -> Base:
    """The model to begin with. Raises ModelError where there is none, SettingsError for another network's settings."""
    folder = model_folder(model)
    if read_info(folder).model.encoder == "none":
        raise SettingsError(f"{model} has no encoder; --from takes a model that sees pictures, such as `bundled`")
    network, info = load_network(folder)
    same = replace(
        settings.model,
        recurrent_keep=info.model.recurrent_keep,
        attend=info.model.attend,
        noise=info.model.noise,
        category_keep=info.model.category_keep,
    )
    changed = [name for name in same.__dataclass_fields__ if getattr(same, name) != getattr(info.model, name)]
    if changed:
        raise SettingsError(
            f"{model} was trained with other network settings (model.{changed[0]} is "
            f"{getattr(info.model, changed[0])}, not {getattr(same, changed[0])}); leave out the flags --model.*"
        )
    flow = load_flow(folder, info).state_dict() if (folder / FLOW).exists() else None
    return Base(str(model), folder, info, network.state_dict(), flow)


def grown(weights: dict[str, Tensor], categories: int) -> dict[str, Tensor]:
    """Weights of a network or a flow with as many categories; new ones begin as "not told"."""
    out = dict(weights)
    for name in _EMBEDDINGS:
        if name in weights:
            *_, untold = known = weights[name]
            new = untold.expand(categories + 1 - len(known), -1)
            out[name] = torch.cat([known[:-1], new, untold[None]])
    return out


def draw_rehearsed(base: Base, path: Path, settings: TrainSettings) -> int:
    """Write a SketchSet of what a model draws from nothing of each category that it knows; how many sketches it holds.

    Drawings that did not end by themselves are left out. Raises ModelError for a model without a flow.
    """
    model = load_model(base.folder)
    each = -(-settings.tune.rehearsed // len(base.info.categories))
    drawing = DrawSettings(temperature=settings.tune.temperature, max_points=min(250, settings.batch.max_points))
    sketches = model.generate(base.info.categories, each, seed=settings.seed, settings=drawing)
    with SketchSetWriter(path) as writer:
        for sketch in sketches:
            left, top, right, bottom = sketch.bounds()
            if sketch.metadata["ended"] and max(right - left, bottom - top) > 0:
                writer.add(sketch.fit(), "train")
    return writer.count
