"""The running average of the weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sketch_pix2seq.training.loop import average_weights


def run(decay: float, values: list[float]) -> list[float]:
    """The average after each of a weight's values; it begins at 0."""
    network = nn.Linear(1, 1, bias=False)
    average = {"weight": torch.zeros(1, 1)}
    found = []
    for step, value in enumerate(values):
        nn.init.constant_(network.weight, value)
        average_weights(average, network, decay, step)
        found.append(float(average["weight"]))
    return found


def test_it_moves_towards_the_weights_by_one_minus_the_decay() -> None:
    found = run(0.5, [8.0] * 30)
    assert found[-1] == pytest.approx(8)
    late = run(0.9, [0.0] * 500 + [1.0, 1.0])
    assert late[-2:] == pytest.approx([0.1, 0.1 + 0.9 * 0.1])


def test_while_steps_are_few_it_forgets_the_first_weights() -> None:
    expected, at = [], 0.0
    for step in range(5):
        kept = (1 + step) / (10 + step)  # the decay is larger from step 90 on
        at = kept * at + (1 - kept) * 3.0
        expected.append(at)
    assert run(0.99, [3.0] * 5) == pytest.approx(expected)


def test_without_decay_it_is_the_last_weights() -> None:
    assert run(0.0, [1.0, -2.0, 7.0]) == [1.0, -2.0, 7.0]
