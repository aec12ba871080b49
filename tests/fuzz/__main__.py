"""Fuzz one format, guided by coverage: `python -m tests.fuzz npz -max_total_time=60 -seed=1`, see `make fuzz`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["sketch_pix2seq"]):
    from tests.fuzz.targets import TARGETS, corpus


def main() -> None:
    """Run libFuzzer on a target; what follows its name goes to libFuzzer. A crash is written to the working folder."""
    name, options = sys.argv[1], sys.argv[2:]
    with tempfile.TemporaryDirectory() as folder:
        for number, data in enumerate(corpus(name)):
            (Path(folder) / str(number)).write_bytes(data)
        atheris.Setup(
            [sys.argv[0], *options, "-max_len=65536", "-timeout=10", "-rss_limit_mb=1500", folder], TARGETS[name]
        )
        atheris.Fuzz()


if __name__ == "__main__":
    main()
