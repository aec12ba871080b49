"""`prepare` at the size of Quick, Draw!: time, memory, bytes, and how each grows with the number of sketches.

    python benchmarks/prepare.py 100000 1000000 10000000 --shards 1 4 --folder /somewhere/large

For each number it makes files with as many drawings as Quick, Draw! has in a category, in turn .npz (sketch-rnn's
layout, with splits) and simplified .ndjson (with Google's metadata), whose strokes, points and lengths are spread as
those of the real ones. Then it runs `sketch-pix2seq prepare` on them and, in a fresh process, opens the set, plans an
epoch and makes batches of the default recipe, in one thread. 10 million drawings take 7 GB in the folder, most of which
goes at the end.

A CPU second is one of all processes together, so other work on the machine counts less. "plan" is what opening the set
and planning an epoch takes at most, in bytes a sketch.

Memory is the proportional set size of the command and its processes together, looked at four times a second: what is
theirs alone, and, as "mapped", pages of files that they read, which the system takes back where it needs the room.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from common import machine
from numpy.typing import NDArray

from sketch_pix2seq.data.workers import processors

A_CATEGORY = 145_000
"""Drawings a category: 50 million in 345."""
DIFFERENT = 20_000
"""Drawings that are made up; the files hold them again and again, mirrored and turned."""

READ = """
import sys, time, tracemalloc
from sketch_pix2seq.data.batches import BatchSettings, Loader
from sketch_pix2seq.data.store import SketchSet
from sketch_pix2seq.raster import RasterSpec
from sketch_pix2seq.sequence import SequenceSpec
def ready():
    sketches = SketchSet.open(sys.argv[1])
    opened = time.perf_counter()
    loader = Loader(sketches, "train", SequenceSpec(), RasterSpec(), BatchSettings(), training=True)
    loader.batch(0)
    return loader, opened
tracemalloc.start()
ready()
peak = tracemalloc.get_traced_memory()[1]
tracemalloc.stop()
begin = time.perf_counter()
loader, opened = ready()
first, cpu = time.perf_counter(), time.process_time()
for step in range(1, 41):
    loader.batch(step)
print(opened - begin, first - begin, peak, (time.process_time() - cpu) / 40)
"""


@dataclass(frozen=True)
class Result:
    """What one number of sketches took."""

    sketches: int
    shards: int
    seconds: float
    cpu: float
    memory: int
    mapped: int
    source: int
    size: int
    opened: float
    first_batch: float
    plan: float
    """Bytes a sketch."""
    batch: float
    """CPU seconds of one of 128 sketches."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sketches", type=lambda text: int(float(text)), nargs="+")
    parser.add_argument("--folder", type=Path, help="where the files are made (default: the system's place for those)")
    parser.add_argument("--formats", nargs="+", choices=("npz", "ndjson"), default=("npz", "ndjson"))
    parser.add_argument("--processes", type=int, default=0)
    parser.add_argument("--shards", type=int, nargs="+", default=(1,))
    asked = parser.parse_args()
    print(f"{machine()}; {asked.processes or processors()} processes; {' and '.join(asked.formats)}")
    heads = (
        ("shards", 6),
        ("seconds", 8),
        ("a CPU s", 9),
        ("memory", 9),
        ("mapped", 9),
        ("source", 9),
        ("set", 9),
        ("open", 7),
        ("first", 7),
        ("plan", 6),
        ("batch", 8),
    )
    print(f"{'sketches':>12} " + " ".join(f"{head:>{width}}" for head, width in heads))
    before: dict[int, Result] = {}
    for count in asked.sketches:
        with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
            source = Path(folder) / "source"
            source.mkdir()
            write_files(source, count, tuple(asked.formats))
            for shards in asked.shards:
                result = measured(count, source, shards, asked.processes)
                show(result)
                if shards in before:
                    show_growth(before[shards], result)
                before[shards] = result


def measured(count: int, source: Path, shards: int, processes: int) -> Result:
    folder = source.parent
    out = folder / "set.arrow"
    size = sum(path.stat().st_size for path in source.iterdir())
    words = [sys.executable, "-m", "sketch_pix2seq", "prepare", str(source), str(out), "--processes", str(processes)]
    words += ["--shard-size", str(-(-count // shards))] if shards > 1 else []
    cpu = children_cpu()
    begin = time.perf_counter()
    with (folder / "told").open("w") as told:
        running = subprocess.Popen(words, stdout=told, stderr=subprocess.STDOUT)
        memory, mapped = peak_memory(running)
    seconds, cpu = time.perf_counter() - begin, children_cpu() - cpu
    if running.returncode != 0:
        sys.exit((folder / "told").read_text())
    done = subprocess.run([sys.executable, "-c", READ, str(out)], capture_output=True, text=True, check=True)
    opened, first_batch, plan, batch = map(float, done.stdout.split())
    files = list(out.iterdir()) if out.is_dir() else [out]
    written = sum(path.stat().st_size for path in files)
    (shutil.rmtree if out.is_dir() else Path.unlink)(out)
    return Result(
        count, len(files), seconds, cpu, memory, mapped, size, written, opened, first_batch, plan / count, batch
    )


def children_cpu() -> float:
    """CPU seconds of the processes that ended, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def show(result: Result) -> None:
    print(
        f"{result.sketches:12,} {result.shards:6} {result.seconds:8.1f} {result.sketches / result.cpu:9,.0f} "
        f"{result.memory / 1e6:6,.0f} MB {result.mapped / 1e6:6,.0f} MB "
        f"{result.source / 1e6:6,.0f} MB {result.size / 1e6:6,.0f} MB "
        f"{result.opened:6.2f}s {result.first_batch:6.2f}s {result.plan:5.1f}B {1000 * result.batch:5.1f} ms",
        flush=True,
    )


def show_growth(a: Result, b: Result) -> None:
    """Exponents: 1 = in proportion to the number of sketches, 0 = not at all."""
    many = math.log(b.sketches / a.sketches)
    pairs = ((a.cpu, b.cpu), (a.memory, b.memory), (a.source, b.source), (a.size, b.size))
    cpu, memory, source, size = (f"^{math.log(y / x) / many:.2f}" for x, y in pairs)
    print(f"{'grows with n':>12} {'':>6} {'':>8} {cpu:>9} {memory:>9} {'':>9} {source:>9} {size:>9}", flush=True)


# -- memory ---------------------------------------------------------------------------------------------------


def peak_memory(running: subprocess.Popen[bytes]) -> tuple[int, int]:
    """Most bytes of its own, and most of mapped files, that a process and its children took; 0 without a /proc."""
    own = mapped = 0
    while running.poll() is None:
        now = np.sum([memory_of(process) for process in family(running.pid)], axis=0)
        own, mapped = max(own, int(now[0])), max(mapped, int(now[1]))
        time.sleep(0.25)
    return own, mapped


def family(root: int) -> Iterator[int]:
    yield root
    for children in Path(f"/proc/{root}/task").glob("*/children"):
        try:
            pids = children.read_text().split()
        except OSError:
            continue
        for pid in pids:
            yield from family(int(pid))


def memory_of(process: int) -> tuple[int, int]:
    """Bytes of its own and of mapped files; what several processes share counts in parts."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0, 0
    size = {name: 1024 * int(rest.split()[0]) for name, rest in (line.split(":", 1) for line in lines[1:])}
    return size["Pss_Anon"] + size["Pss_Shmem"], size["Pss_File"]


# -- drawings -------------------------------------------------------------------------------------------------


def write_files(folder: Path, count: int, formats: tuple[str, ...]) -> None:
    """Files of one category each, in turn in each format."""
    drawings = made_up(DIFFERENT)
    texts = [json.dumps(strokes_of(rows), separators=(",", ":")) for rows in drawings] if "ndjson" in formats else []
    files = max(len(formats), math.ceil(count / A_CATEGORY))
    shares = np.diff(np.linspace(0, count, files + 1).astype(int))
    for number, share in enumerate(shares.tolist()):
        kind = formats[number % len(formats)]
        path = folder / f"category {number:03d}.{kind}"
        if kind == "npz":
            write_npz(path, drawings, share, number)
        else:
            write_ndjson(path, texts, share, number)


def made_up(count: int, seed: int = 0) -> list[NDArray[np.int16]]:
    """stroke-3 rows as in sketch-rnn's files: 5.4 strokes and 46 points in the mean, half of the steps below 19 units.

    Fitted to the 132,481 drawings of 47 categories that the bundled model learned from.
    """
    rng = np.random.default_rng(seed)
    drawings = []
    for _ in range(count):
        points = int(np.clip(rng.lognormal(3.75, 0.41), 6, 248))
        strokes = int(np.clip(rng.lognormal(1.63, 0.6), 1, points // 2))
        turns = np.cumsum(rng.normal(0, 1.3, points))
        steps = rng.lognormal(2.9, 0.75, points)
        walk = np.cumsum(np.stack([np.cos(turns), np.sin(turns)], axis=1) * steps[:, None], axis=0)
        ends = np.sort(rng.choice(np.arange(1, points), strokes - 1, replace=False))
        for begin in ends:
            walk[begin:] += rng.normal(0, 40, 2) - (walk[begin] - walk[:begin].mean(axis=0))
        walk -= walk.min(axis=0)
        whole = np.rint(walk * (255 / walk.max())).astype(np.int64)
        lifts = np.isin(np.arange(1, points), [*(ends - 1), points - 1])
        drawings.append(np.column_stack([np.diff(whole, axis=0), lifts]).astype(np.int16))
    return drawings


def strokes_of(rows: NDArray[np.int16]) -> list[list[list[int]]]:
    """A line's drawing: [[x...], [y...]] for each stroke, left and top at 0."""
    points = np.concatenate([np.zeros((1, 2), np.int64), np.cumsum(rows[:, :2], axis=0)])
    points -= points.min(axis=0)
    return [part.T.tolist() for part in np.split(points, np.flatnonzero(rows[:-1, 2]) + 2)]


def write_npz(path: Path, drawings: list[NDArray[np.int16]], count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    signs = np.array([(x, y, 1) for x in (1, -1) for y in (1, -1)], np.int16)
    chosen, turned = rng.integers(0, len(drawings), count).tolist(), rng.integers(0, 4, count).tolist()
    array = np.empty(count, object)
    for i in range(count):
        array[i] = drawings[chosen[i]] * signs[turned[i]]
    held = count // 30
    valid, test, train = np.split(array, [held, 2 * held])
    np.savez_compressed(path, train=train, valid=valid, test=test)


def write_ndjson(path: Path, texts: list[str], count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    chosen = rng.integers(0, len(texts), count).tolist()
    with path.open("w") as file:
        file.writelines(
            f'{{"word":"{path.stem}","countrycode":"US","timestamp":"2017-03-01 15:24:25.{i % 100000:05d} UTC",'
            f'"recognized":true,"key_id":"{4 * 10**15 + seed * 10**9 + i}","drawing":{texts[k]}}}\n'
            for i, k in enumerate(chosen)
        )


if __name__ == "__main__":
    main()
