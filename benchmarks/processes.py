"""Training with several processes on this machine: sketches a second with 1, 2 and 4, the same global batch.

    python benchmarks/processes.py SET.arrow [--processes 1 2 4] [--recipe default] [--steps 24]

Each is a whole run of the training loop under `accelerate launch` with gloo, one thread a process. The first line is
the usual way to train on one machine, one process with all its threads. Efficiency is the speed over that of as many
single processes as there are, or as there are cores, where these are fewer.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from common import machine

from sketch_pix2seq.data.workers import processors

LOG_EVERY = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", type=Path)
    parser.add_argument("--processes", type=int, nargs="+", default=(1, 2, 4))
    parser.add_argument("--recipe", default="default")
    parser.add_argument("--batch", type=int, default=128, help="sketches a step, all processes together")
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.out is not None:
        train_here(asked)
        return
    cores = processors()
    print(machine())
    print(f"recipe {asked.recipe}, {asked.batch} sketches a step", flush=True)
    usual = speed(asked, 1, cores)
    print(f"1 process, {cores} threads: {usual:6.0f} sketches a second", flush=True)
    alone = 0.0
    for processes in asked.processes:
        rate = speed(asked, processes, 1)
        alone = alone or rate / processes
        efficiency = rate / (alone * min(processes, cores))
        print(
            f"{processes} of 1 thread: {rate:8.0f} sketches a second, {rate / usual:.2f} times the first line, "
            f"efficiency {efficiency:.0%}",
            flush=True,
        )


def speed(asked: argparse.Namespace, processes: int, threads: int) -> float:
    """Sketches a second of a run in processes of its own: the median of its reports but the first."""
    launcher = [sys.executable]
    if processes > 1:
        launcher += ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", str(processes)]
        launcher += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
        launcher += ["--main_process_port", "0"]
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": str(threads)}
    with tempfile.TemporaryDirectory() as folder:
        words = [__file__, str(asked.set), "--recipe", asked.recipe, "--steps", str(asked.steps), "--out", folder]
        words += ["--batch", str(asked.batch // processes)]
        done = subprocess.run([*launcher, *words], env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return statistics.median(map(float, done.stdout.split()[1:]))


def train_here(asked: argparse.Namespace) -> None:
    """One of the processes: trains, and prints the speed of all every few steps if it is the main one."""
    from sketch_pix2seq.recipes.catalogue import load_recipe
    from sketch_pix2seq.training.loop import train

    recipe = load_recipe(asked.recipe)
    settings = replace(
        recipe,
        batch=replace(recipe.batch, size=asked.batch),
        steps=asked.steps,
        log_every=LOG_EVERY,
        validate_every=asked.steps,
        validate_sketches=asked.batch,
    )
    train(asked.set, asked.out, settings, report=lambda line: print(line.rate, flush=True))


if __name__ == "__main__":
    main()
