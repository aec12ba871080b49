"""How long it takes to start: the median of several runs of a fresh interpreter.

python benchmarks/startup.py [RUNS]
"""

from __future__ import annotations

import subprocess
import sys
from functools import partial

from common import machine, median_seconds

CALLS = {
    "python -c pass": ("-c", "pass"),
    "import sketch_pix2seq": ("-c", "import sketch_pix2seq"),
    "sketch-pix2seq --help": ("-m", "sketch_pix2seq", "--help"),
    "sketch-pix2seq draw --help": ("-m", "sketch_pix2seq", "draw", "--help"),
    "sketch-pix2seq train --help": ("-m", "sketch_pix2seq", "train", "--help"),
}


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    print(machine())
    for name, words in CALLS.items():
        print(f"{name:<28} {median_seconds(partial(start, words), runs):.2f} s")


def start(words: tuple[str, ...]) -> None:
    subprocess.run([sys.executable, *words], stdout=subprocess.DEVNULL, check=True)


if __name__ == "__main__":
    main()
