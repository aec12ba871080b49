"""A short run of every fuzz target with a fixed seed and without atheris: bytes of good files are changed."""

from __future__ import annotations

import random
import time

import pytest

from tests.fuzz.targets import TARGETS, corpus

ROUNDS = 600
SECONDS = 2.0


def changed(data: bytes, rng: random.Random) -> bytes:
    """One to four places overwritten, repeated, left out or exchanged for a part of the same file."""
    result = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at, size = rng.randrange(len(result) + 1), rng.choice((1, 1, 2, 4, 16, 200))
        kind = rng.randrange(4)
        if kind == 0:
            result[at : at + size] = rng.randbytes(size)
        elif kind == 1:
            result[at:at] = result[at : at + size] * rng.choice((1, 3, 50))
        elif kind == 2:
            del result[at : at + size]
        else:
            other = rng.randrange(len(result) + 1)
            result[at : at + size] = result[other : other + size]
    return bytes(result)


@pytest.mark.parametrize("name", TARGETS)
def test_no_change_gives_anything_but_sketches_or_our_error(name: str) -> None:
    rng, seeds = random.Random(23), corpus(name)
    for seed in seeds:
        TARGETS[name](seed)
    for _ in range(ROUNDS):
        data = changed(rng.choice(seeds), rng)
        start = time.process_time()
        TARGETS[name](data)
        assert time.process_time() - start < SECONDS, data
