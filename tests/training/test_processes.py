"""Several processes take the steps that one takes with the whole batch; if one is killed, all end, and all go on."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from sketch_pix2seq.data.store import SPLITS, SketchSet, SketchSetWriter
from sketch_pix2seq.model.folder import CHECKPOINT
from sketch_pix2seq.training.checkpoint import load_checkpoint
from tests.conftest import REPOSITORY

STEPS = 6
RUNNER = f"""
import os, signal, sys, torch
from dataclasses import replace
from pathlib import Path
from sketch_pix2seq.cli.main import PROGRAM
from sketch_pix2seq.data.batches import BatchSettings
from sketch_pix2seq.errors import SketchError
from sketch_pix2seq.training.loop import train
from sketch_pix2seq.training.settings import OptimiserSettings
from tests.training.conftest import TINY_MODEL, tiny_settings
torch.set_num_threads(1)
data, out, size, killed = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
given = OptimiserSettings.rate

def rate(self, step, steps):
    if step == 4 and os.environ.get("RANK") == killed:
        os.kill(os.getpid(), signal.SIGKILL)
    return given(self, step, steps)

OptimiserSettings.rate = rate
settings = tiny_settings(
    model=replace(TINY_MODEL, recurrent_keep=1.0, noise=0.0, category_keep=1.0),
    batch=BatchSettings(size=size, bucket=2),
    steps={STEPS},
    validate_every=1,
    validate_sketches=16,
)
try:
    train(data, out, settings)
except SketchError as error:
    sys.exit(f"{{PROGRAM}}: {{error}}")
"""


def run(folder: Path, data: Path, processes: int, *, out: str, killed: int = -1) -> subprocess.CompletedProcess[str]:
    """A run with 16 sketches a step, over so many processes; one of them may kill itself before its fourth step."""
    script = folder / "runner.py"
    script.write_text(RUNNER)
    path = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "src")])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    launcher = [sys.executable]
    if processes > 1:
        # Accelerate calls several processes on one machine multi_gpu, on processors too.
        launcher += ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", str(processes)]
        launcher += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
        launcher += ["--main_process_port", "0"]
    words = [*launcher, str(script), str(data), str(folder / out), str(16 // processes), str(killed)]
    return subprocess.run(words, env=environment, cwd=REPOSITORY, capture_output=True, text=True, timeout=240)


@pytest.fixture(scope="module")
def alone(tiny_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of one process."""
    folder = tmp_path_factory.mktemp("alone")
    done = run(folder, tiny_set, 1, out="run")
    assert done.returncode == 0, done.stderr[-3000:]
    return folder / "run" / CHECKPOINT


@pytest.mark.slow
@pytest.mark.parametrize(("processes", "shards"), [(2, 1), (4, 1), (2, 2)])
def test_the_losses_and_weights_are_those_of_one_process(
    processes: int, shards: int, alone: Path, tiny_set: Path, tmp_path: Path
) -> None:
    data = tiny_set if shards == 1 else in_shards(tiny_set, tmp_path / "shards.arrow", shards)
    done = run(tmp_path, data, processes, out="run")
    assert done.returncode == 0, done.stderr[-3000:]
    (a, progress_a, _), (b, progress_b, _) = load_checkpoint(alone), load_checkpoint(tmp_path / "run" / CHECKPOINT)
    assert a.keys() == b.keys()
    for name in a:
        torch.testing.assert_close(a[name], b[name], rtol=4e-4, atol=4e-5, msg=name)
    curves = [[entry["nats"] for entry in progress.history] for progress in (progress_a, progress_b)]
    assert len(curves[0]) == STEPS
    assert curves[1] == pytest.approx(curves[0], rel=1e-4)
    assert len(set(curves[0])) == STEPS


def in_shards(data: Path, path: Path, count: int) -> Path:
    """A set again, in so many files."""
    sketches = SketchSet.open(data)
    with SketchSetWriter(path, -(-len(sketches) // count)) as writer:
        for sketch, split in zip(sketches, sketches.split_ids, strict=True):
            writer.add(sketch, SPLITS[split])
    assert len(SketchSet.open(path).files) == count
    return path


@pytest.mark.slow
@pytest.mark.parametrize("killed", [0, 1])
def test_a_killed_process_ends_all_and_all_go_on(killed: int, tiny_set: Path, tmp_path: Path) -> None:
    began = time.monotonic()
    ended = run(tmp_path, tiny_set, 2, out="run", killed=killed)
    assert ended.returncode != 0
    assert time.monotonic() - began < 120
    told = [line for line in ended.stderr.splitlines() if line.startswith("sketch-pix2seq: ")]
    assert told == [
        "sketch-pix2seq: another process of this run ended, so all end; the same command goes on from "
        f"{tmp_path / 'run' / CHECKPOINT}"
    ]
    # What else there is comes from the launcher; none of the processes adds a traceback.
    assert len(re.findall("^Traceback", ended.stderr, re.MULTILINE)) == 1
    assert 0 < load_checkpoint(tmp_path / "run" / CHECKPOINT)[1].step < STEPS
    for out in ("run", "straight"):
        done = run(tmp_path, tiny_set, 2, out=out)
        assert done.returncode == 0, done.stderr[-3000:]
    resumed, straight = (load_file(tmp_path / out / CHECKPOINT) for out in ("run", "straight"))
    assert resumed.keys() == straight.keys()
    assert all(torch.equal(resumed[name], straight[name]) for name in resumed)
