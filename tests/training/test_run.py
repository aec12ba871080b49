"""A run's folder: of one process at a time, and of one set."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sketch_pix2seq.data.store import SketchSetWriter
from sketch_pix2seq.errors import FileError, SettingsError
from sketch_pix2seq.files import locked
from sketch_pix2seq.model.folder import CHECKPOINT
from sketch_pix2seq.training.checkpoint import Progress, load_checkpoint, save_checkpoint
from sketch_pix2seq.training.loop import train
from sketch_pix2seq.training.run import export_run, run
from tests.conftest import REPOSITORY, random_sketch
from tests.training.conftest import tiny_settings


def test_a_run_is_taken_up_with_its_own_set_alone(tiny_set: Path, tmp_path: Path) -> None:
    out, other = tmp_path / "run", tmp_path / "other.arrow"
    train(tiny_set, out, tiny_settings(steps=2))
    rng = np.random.default_rng(1)
    with SketchSetWriter(other) as writer:
        for i in range(60):
            writer.add(random_sketch(rng, category=("a", "b")[i % 2]).fit(), "train" if i < 48 else "valid")
    before = (out / CHECKPOINT).read_bytes()
    with pytest.raises(SettingsError, match=r"another set than .*other\.arrow"):
        train(other, out, tiny_settings(steps=4))
    with pytest.raises(SettingsError, match="another set"):
        export_run(out, tmp_path / "model", other)
    assert (out / CHECKPOINT).read_bytes() == before
    train(tiny_set, out, tiny_settings(steps=4))
    assert load_checkpoint(out / CHECKPOINT)[1].step == 4


HOLDER = """
import sys
from pathlib import Path
from sketch_pix2seq.files import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="files are not locked there")
def test_a_run_folder_is_of_one_process(tiny_set: Path, tmp_path: Path) -> None:
    (tmp_path / "killed.part").write_bytes(b"half")
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert not (tmp_path / "killed.part").exists(), "what a killed process left is gone"
        with pytest.raises(FileError, match="another process is at work there"):
            run(tiny_set, tmp_path, tiny_settings(steps=2))
        holder.communicate()
    with locked(tmp_path):
        pass


def test_a_checkpoint_that_cannot_be_written_is_an_error_of_ours_and_the_old_one_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors import SafetensorError

    from sketch_pix2seq.training import checkpoint

    path = tmp_path / CHECKPOINT
    save_checkpoint(path, {}, Progress(step=3), {})

    def full(*_: object) -> None:
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(FileError, match="No space left on device"):
        save_checkpoint(path, {}, Progress(step=4), {})
    assert load_checkpoint(path)[1].step == 3
    assert [file.name for file in tmp_path.iterdir()] == [CHECKPOINT]
