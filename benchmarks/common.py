"""What the benchmarks share: medians, the machine's name, and a line of results."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from sketch_pix2seq.evaluation.statistics import share
from sketch_pix2seq.machine import machine as processor_and_cores


def median_seconds(work: Callable[[], object], runs: int = 5, warm: int = 1) -> float:
    """Median wall time of some runs after some that do not count."""
    for _ in range(warm):
        work()
    times = []
    for _ in range(runs):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def machine() -> str:
    """Processor, cores and Python."""
    return f"{processor_and_cores()}, Python {platform.python_version()}"


def percent(right: ArrayLike) -> str:
    """The share of what is true, such as "45 % (38-52)", with Wilson's interval of 95 %."""
    estimate = share(np.asarray(right, bool))
    return f"{100 * estimate.value:.0f} % ({100 * estimate.low:.0f}-{100 * estimate.high:.0f})"
