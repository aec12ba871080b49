"""Several processes give what one gives, and leave nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from sketch_pix2seq.data.workers import in_order, processors
from sketch_pix2seq.errors import FormatError, SketchError


def counted(text: str, number: int) -> Iterator[str]:
    print("what is printed gets in nobody's way")
    time.sleep(0.05 if number % 3 == 0 else 0)
    yield from (f"{text} {number}.{k}" for k in range(number))


def failing(number: int) -> Iterator[int]:
    yield number
    if number == 2:
        raise FormatError("a.npz", "broken")
    if number == 4:
        raise ZeroDivisionError


def killed(number: int) -> Iterator[int]:
    os.kill(os.getpid(), signal.SIGKILL)
    yield number


def where(_: int) -> Iterator[int]:
    yield os.getpid()
    time.sleep(0.2)


@pytest.mark.parametrize("processes", [1, 3])
def test_results_come_in_order(processes: int) -> None:
    found = list(in_order(partial(counted, "item"), range(7), processes))
    assert found == [f"item {number}.{k}" for number in range(7) for k in range(number)]


def test_each_process_works() -> None:
    pids = set(in_order(where, range(4), 2))
    assert len(pids) == 2
    assert os.getpid() not in pids
    assert processors() >= 1


def test_an_error_comes_in_its_turn() -> None:
    found: list[int] = []
    with pytest.raises(FormatError, match=r"a\.npz: broken") as caught, closing(in_order(failing, range(9), 2)) as all_:
        found.extend(all_)
    assert found == [0, 1]
    assert caught.value.path == Path("a.npz")
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        list(in_order(failing, [4], 2))


def test_a_killed_process_is_told_in_a_line() -> None:
    with pytest.raises(SketchError, match=r"a process that was at work ended \(signal 9\)"):
        list(in_order(killed, range(3), 2))


def test_a_script_needs_no_guard(tmp_path: Path) -> None:
    """Which `multiprocessing` would ask for."""
    script = tmp_path / "script.py"
    script.write_text("from operator import methodcaller\nfrom sketch_pix2seq.data.workers import in_order\n")
    with script.open("a") as file:
        file.write("print(list(in_order(methodcaller('upper'), ['ab', 'c'], 2)))\n")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)
    assert done.stdout == "['A', 'B', 'C']\n"
    assert not done.stderr
