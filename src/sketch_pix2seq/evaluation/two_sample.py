"""Pixel-level two-sample test: can a fresh CNN tell redrawings from people's sketches? PyTorch is needed here.

A classifier two-sample test (Lopez-Paz & Oquab 2017, "Revisiting Classifier Two-Sample Tests"). That of strokes is
`strokes.stroke_two_sample_test`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from sketch_pix2seq.errors import SettingsError
from sketch_pix2seq.evaluation.classifier import LabelledInk, SketchClassifier, fit
from sketch_pix2seq.evaluation.settings import ClassifierSettings

_SHIFT = 2
"""Pixels by which a picture is moved at most while the CNN learns."""
_STEPS = 60
"""Steps that a CNN learns at least, however few the sketches."""
_AT_ONCE = 256


def pixel_two_sample_test(
    people: NDArray[np.uint8],
    drawn: NDArray[np.uint8],
    *,
    folds: int = 3,
    passes: float = 12.0,
    width: int = 24,
    seed: int = 0,
    on_progress: Callable[[int, int], None] | None = None,
) -> NDArray[np.bool_]:
    """Whether a CNN that never saw them places people's sketches and redrawings right, ``(2, n)``.

    people, drawn: ink ``(n, size, size)``; ``drawn[i]`` is the redrawing of ``people[i]``. Row 0 of the result is of
    people's sketches, row 1 of redrawings. The sketches are split into ``folds``; for each a CNN is trained from
    nothing on the other folds, each sketch seen ``passes`` times (mirrored half of the time, and moved by up to two
    pixels), and asked about this one. A sketch and its redrawing are always in the same fold, so that a CNN cannot
    know one from the other. 0.5 of them right is chance; the figure rises with the number of sketches that the CNN
    learns from, which must be told beside it. width: of the CNN, see `SketchClassifier`. Raises
    SettingsError for fewer sketches than two a fold.
    """
    n = len(people)
    if folds < 2 or n < 2 * folds or len(drawn) != n:
        raise SettingsError(f"a two-sample test in {folds} folds needs at least {2 * max(folds, 2)} sketches, not {n}")
    fold_of = np.random.default_rng(seed).permutation(n) % folds
    right = np.zeros((2, n), bool)
    size = people.shape[1]
    learning = int((fold_of != 0).sum())
    batch = min(128, 2 * learning)
    steps = max(_STEPS, round(passes * 2 * learning / batch))
    for fold in range(folds):
        settings = ClassifierSettings(
            steps=steps,
            batch=batch,
            width=width,
            warmup=steps // 10,
            smoothing=0.0,
            average=0.98,
            seed=seed * folds + fold + 1,
        )
        torch.manual_seed(settings.seed)
        network = SketchClassifier(2, settings.width, settings.blocks, settings.dropout)
        known = np.flatnonzero(fold_of != fold)
        batches = _batches(people[known], drawn[known], batch, settings.seed)
        fit(
            network,
            batches,
            settings,
            report=None
            if on_progress is None
            else lambda at, fold=fold: on_progress(fold * steps + at.step, folds * steps),  # type: ignore[misc]
        )
        asked = np.flatnonzero(fold_of == fold)
        for row, ink in enumerate((people, drawn)):
            right[row, asked] = _named_human(network, ink[asked].reshape(-1, size, size)) == (row == 0)
    return right


def _batches(people: NDArray[np.uint8], drawn: NDArray[np.uint8], size: int, seed: int) -> Iterator[LabelledInk]:
    """Half people's sketches, half redrawings, each of them once before any comes again."""
    rng = np.random.default_rng(seed)
    both = np.concatenate([people, drawn])
    labels = np.repeat(np.array([1, 0], np.int64), [len(people), len(drawn)])
    order = np.empty(0, np.int64)
    while True:
        while len(order) < size:
            order = np.concatenate([order, rng.permutation(len(both))])
        chosen, order = order[:size], order[size:]
        moves = rng.integers(-_SHIFT, _SHIFT + 1, (size, 2))
        ink = np.stack([np.roll(both[i], tuple(move), (0, 1)) for i, move in zip(chosen, moves, strict=True)])
        yield ink, labels[chosen]


@torch.no_grad()
def _named_human(network: SketchClassifier, ink: NDArray[np.uint8]) -> NDArray[np.bool_]:
    parts = [
        network(torch.from_numpy(ink[begin : begin + _AT_ONCE]).float() / 255)[0].argmax(1).numpy() == 1
        for begin in range(0, len(ink), _AT_ONCE)
    ]
    return np.concatenate(parts)
