"""The machine in a few words, for records of what was measured where."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def machine(threads: int | None = None) -> str:
    """Processor and cores (or the threads that were used), such as "AMD EPYC, 2 cores"."""
    return f"{_processor()}, " + (f"{os.cpu_count()} cores" if threads is None else f"{threads} threads")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine() or "unknown processor"
