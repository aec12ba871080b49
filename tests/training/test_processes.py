"""Several processes: two with half of a batch each take the step that one takes with the whole."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from sketch_pix2seq.training.loop import CHECKPOINT
from tests.conftest import REPOSITORY

RUNNER = """
import sys, torch
from dataclasses import replace
from pathlib import Path
from sketch_pix2seq.data.batches import BatchSettings
from sketch_pix2seq.training.loop import train
from tests.training.conftest import TINY_MODEL, tiny_settings
torch.set_num_threads(1)
model = replace(TINY_MODEL, recurrent_keep=1.0)
settings = tiny_settings(model=model, batch=BatchSettings(size=int(sys.argv[3]), bucket=2), steps=3)
train(Path(sys.argv[1]), Path(sys.argv[2]), settings)
"""


@pytest.mark.slow
def test_two_processes_are_one_with_the_doubled_batch(tiny_set: Path, tmp_path: Path) -> None:
    script = tmp_path / "runner.py"
    script.write_text(RUNNER)
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    one = [sys.executable, str(script), str(tiny_set), str(tmp_path / "one"), "16"]
    launcher = [
        sys.executable,
        "-m",
        "accelerate.commands.launch",
        "--multi_gpu",
        "--num_processes",
        "2",
        "--num_machines",
        "1",
    ]
    # Accelerate calls several processes on one machine multi_gpu, on processors too.
    launcher += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"]
    two = [*launcher, str(script), str(tiny_set), str(tmp_path / "two"), "8"]
    for command in (one, two):
        done = subprocess.run(command, env=environment, cwd=REPOSITORY, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, done.stderr[-3000:]
    a, b = (load_file(tmp_path / name / CHECKPOINT) for name in ("one", "two"))
    assert a.keys() == b.keys()
    for name in a:
        torch.testing.assert_close(a[name], b[name], rtol=2e-4, atol=2e-5, msg=name)
