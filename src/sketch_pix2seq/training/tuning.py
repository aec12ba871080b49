"""Beginning with a trained model: what a run takes over from it, and how it does not forget it.

There are no old drawings to learn from any more, but the model can draw what it knows. Before it learns anything it
dreams sketches of its own categories, which are mixed into the batches (pseudo-rehearsal: Robins, "Catastrophic
Forgetting, Rehearsal and Pseudorehearsal", Connection Science 7, 1995).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sketch_pix2seq.data.store import SketchSet, SketchSetWriter, Split
from sketch_pix2seq.drawing.model import DrawSettings, Model
from sketch_pix2seq.drawing.pretrained import model_folder
from sketch_pix2seq.drawing.prior import Prior
from sketch_pix2seq.errors import SettingsError, SketchError
from sketch_pix2seq.model.export import load_network
from sketch_pix2seq.model.folder import WEIGHTS, ModelInfo, read_info
from sketch_pix2seq.model.network import Network
from sketch_pix2seq.model.settings import ModelSettings
from sketch_pix2seq.sketch import FloatArray
from sketch_pix2seq.training.prior import fit_prior, prior_of
from sketch_pix2seq.training.settings import TrainSettings

DREAMS = "dreams.arrow"
"""The set of dreamed sketches in the folder of a run."""
_CANDIDATES = 4
"""Drawings made for each one that is dreamed; see `Model.imagine`."""


@dataclass(frozen=True)
class Base:
    """A trained model that a run begins with."""

    name: str
    """As it was asked for: "bundled", a folder, or a name on the Hub."""
    folder: Path
    info: ModelInfo
    weights: dict[str, Tensor]

    @property
    def fingerprint(self) -> str:
        """Sixteen digits that stand for its weights."""
        return blake2b((self.folder / WEIGHTS).read_bytes(), digest_size=8).hexdigest()

    def record(self, settings: TrainSettings, dreamed: int) -> dict[str, Any]:
        """What a checkpoint and a model folder keep of it; ``dreamed``: sketches that are rehearsed."""
        return {
            "model": self.name,
            "weights": self.fingerprint,
            "categories": list(self.info.categories),
            "z_size": self.info.model.z_size,
            "encoder": "frozen" if settings.tune.freeze_encoder else "healed" if settings.tune.heal else "trained",
            "dreamed": dreamed,
            "rehearsal": settings.tune.rehearsal if dreamed else 0.0,
        }


def load_base(model: str | Path, settings: TrainSettings) -> Base:
    """The model to begin with, grown where ``settings.model`` has more numbers in z, or windows that it has not.

    Raises ModelError where there is none, SettingsError for another network's settings.
    """
    folder = model_folder(model)
    if read_info(folder).model.encoder == "none":
        raise SettingsError(f"{model} has no encoder; --from takes a model that sees pictures, such as `bundled`")
    network, info = load_network(folder)
    asked = replace(settings.model, recurrent_keep=info.model.recurrent_keep)
    before = info.model
    asked = replace(asked, glimpse_keep=before.glimpse_keep)
    more = replace(
        before,
        z_size=max(asked.z_size, before.z_size),
        glimpse=before.glimpse or asked.glimpse,
        overview=before.overview or asked.overview,
    )
    weights = network.state_dict() if more == before else grown(network, more, settings.seed)
    changed = [name for name in asked.__dataclass_fields__ if getattr(asked, name) != getattr(more, name)]
    if changed:
        raise SettingsError(
            f"{model} was trained with other network settings (model.{changed[0]} is "
            f"{getattr(info.model, changed[0])}, not {getattr(asked, changed[0])}); leave out the flags --model.*"
        )
    return Base(str(model), folder, info, weights)


def grown(network: Network, settings: ModelSettings, seed: int) -> dict[str, Tensor]:
    """Weights of the network with more numbers in z, or windows: it draws as before, as what reads them begins at 0.

    What gives it begins as in a new network, so that it tells something from the first step on. With a glimpse the
    tally of the ink is finer, so the drawings are not the same to the last digit.
    """
    torch.manual_seed(seed)
    weights = Network(settings, network.sequence).state_dict()
    for name, old in network.state_dict().items():
        gives = name.startswith(("to_mu.", "to_log_variance."))
        more = weights[name] if gives else torch.zeros_like(weights[name])
        more[tuple(slice(n) for n in old.shape)] = old
        weights[name] = more
    return weights


def dream(model: Model, path: Path, settings: TrainSettings) -> int:
    """Write a SketchSet of what a model draws from nothing of each category that it knows; how many sketches it holds.

    Drawings that did not end by themselves, and those that the model's prior takes for something else, are left out.
    Raises ModelError for a model without a prior.
    """
    prior = model.prior
    each = -(-settings.tune.dreamed // len(prior.categories))
    drawing = DrawSettings(
        temperature=settings.tune.temperature, candidates=1, max_points=min(250, settings.batch.max_points)
    )
    sketches = model.imagine(prior.categories, each, seed=settings.seed, settings=drawing)
    looks = prior.posterior(model.encode_sketches(sketches)).argmax(axis=1)
    with SketchSetWriter(path) as writer:
        for sketch, look in zip(sketches, looks, strict=True):
            left, top, right, bottom = sketch.bounds()
            meant = sketch.category == prior.categories[look]
            if sketch.metadata["ended"] and meant and max(right - left, bottom - top) > 0:
                writer.add(sketch.fit(), "train")
    return writer.count


def prior_after(model: Model, sketches: SketchSet, started_from: Mapping[str, Any], run: Path) -> Prior:
    """The prior of a model that a run in the folder ``run`` taught a set.

    Where it began with a model whose categories it still knows, those keep their prior if whole pictures kept their
    codes; if they did not, theirs is that of what was dreamed, as the encoder sees it now. Where nothing is known of
    their codes, the prior has the categories of the set alone. started_from: what `Base.record` gave, empty for a run
    from nothing.
    """
    if not started_from:
        return prior_of(model, sketches)
    before = None
    z_size = model.info.model.z_size
    if started_from["encoder"] in ("frozen", "healed") and started_from.get("z_size", z_size) == z_size:
        before = _prior_of_base(started_from)
    elif started_from["dreamed"] and (run / DREAMS).exists():
        before = prior_of(model, SketchSet.open(run / DREAMS))
    if before is None:
        return prior_of(model, sketches)
    new = [name for name in sketches.categories if name not in before.categories]
    new = [name for name in new if len(sketches.indices("train", name))]
    if not new:
        return before

    def codes(split: Split) -> list[FloatArray]:
        return [model.encode_sketches([sketches[int(i)] for i in sketches.indices(split, name)]) for name in new]

    return before.joined(fit_prior(new, codes("train"), codes("valid"), base=before))


def _prior_of_base(started_from: Mapping[str, Any]) -> Prior | None:
    try:
        return Prior.load(model_folder(started_from["model"]))
    except SketchError:
        return None
