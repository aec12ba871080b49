"""Retrieval and k-nearest-neighbour figures at the size of Quick, Draw!'s test split: 345 x 2,500 sketches.

    python benchmarks/retrieval.py [--queries 1000] [--gallery 862500] [--neighbours 16000]

First Ret@k: the ranks of some queries in the whole gallery, and what all of it as queries would take at that rate. Then
improved precision and recall, whose time grows with the square of the sketches: measured with some and with half of
them, and reckoned for all. Each is run against the plain way, one matrix of all distances, where that fits, and must
give the same. Memory is what the process needed at most beyond the codes themselves.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from common import machine
from numpy.typing import NDArray

from sketch_pix2seq.evaluation.metrics import precision_recall, retrieval_ranks

WIDTH = 128
CATEGORIES = 345
PLAIN = 20_000
"""Items of the gallery with which the plain way is run."""

Codes = NDArray[np.float32]
Call = Callable[[Codes, Codes], Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--gallery", type=int, default=CATEGORIES * 2500)
    parser.add_argument("--neighbours", type=int, default=16_000)
    asked = parser.parse_args()
    print(machine())

    plain, _, _ = shown("all distances in one matrix", plain_ranks, asked.queries, PLAIN)
    ours, seconds, _ = shown("retrieval_ranks", ranks, asked.queries, PLAIN)
    print(f"  the same ranks: {np.array_equal(plain, ours)}")
    _, seconds, _ = shown("retrieval_ranks", ranks, asked.queries, asked.gallery)
    print(
        f"  all {asked.gallery:,} as queries, at this rate: {seconds * asked.gallery / asked.queries / 3600:.1f} hours"
    )

    half = asked.neighbours // 2
    plain, _, _ = shown("all distances in one matrix", plain_precision_recall, half, half)
    ours, before, _ = shown("precision_recall", precision_and_recall, half, half)
    print(f"  the same: {all(np.array_equal(a, b) for a, b in zip(plain, ours, strict=True))}")
    _, seconds, _ = shown("precision_recall", precision_and_recall, asked.neighbours, asked.neighbours)
    every = seconds * (asked.gallery / asked.neighbours) ** 2 / 3600
    print(f"  twice the sketches took {seconds / before:.1f} times as long; {asked.gallery:,} would take {every:.0f} h")


def shown(name: str, call: Call, queries: int, items: int) -> tuple[Any, float, int]:
    """Result, seconds and bytes of a call in a process of its own, and a line about it."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        result, seconds, memory = pool.apply(alone, (call, queries, items))
    print(f"{name:<28} {queries:>9,} in {items:>9,}: {seconds:8.2f} s, {memory / 1e6:7,.0f} MB", flush=True)
    return result, seconds, memory


def alone(call: Call, queries: int, items: int) -> tuple[Any, float, int]:
    gallery = codes(items)
    asked = gallery[:queries] + np.random.default_rng(1).normal(0, 0.3, (queries, WIDTH)).astype(np.float32)
    before = peak()
    begin = time.perf_counter()
    result = call(asked, gallery)
    return result, time.perf_counter() - begin, peak() - before


def codes(count: int) -> Codes:
    """Codes in clusters, one a category."""
    rng = np.random.default_rng(0)
    found = np.empty((count, WIDTH), np.float32)
    middles = rng.normal(0, 0.5, (CATEGORIES, WIDTH)).astype(np.float32)
    for begin in range(0, count, 4096):
        part = found[begin : begin + 4096]
        part[:] = rng.standard_normal(part.shape, np.float32) * 0.6 + middles[rng.integers(0, CATEGORIES, len(part))]
    return found


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def ranks(queries: Codes, gallery: Codes) -> Any:
    return retrieval_ranks(queries, gallery)


def plain_ranks(queries: Codes, gallery: Codes) -> Any:
    squared = plain_distances(queries, gallery)
    return np.count_nonzero(squared <= np.diagonal(squared)[:, None], axis=1) - 1


def precision_and_recall(queries: Codes, gallery: Codes) -> Any:
    return precision_recall(queries, gallery)


def plain_precision_recall(queries: Codes, gallery: Codes, k: int = 3) -> Any:
    reach_theirs, reach_ours = (np.sort(plain_distances(x, x), axis=1)[:, k] for x in (queries, gallery))
    squared = plain_distances(queries, gallery)
    return (squared <= reach_theirs[:, None]).any(axis=0), (squared <= reach_ours).any(axis=1)


def plain_distances(a: Codes, b: Codes) -> NDArray[np.float64]:
    a, b = a.astype(np.float64), b.astype(np.float64)
    squared: NDArray[np.float64] = np.square(a).sum(axis=1)[:, None] + np.square(b).sum(axis=1) - 2 * a @ b.T
    return squared


if __name__ == "__main__":
    main()
