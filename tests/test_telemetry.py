"""Nothing leaves the machine: drawing opens no socket and leaves nothing in the home folder."""

from __future__ import annotations

import ast
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

SOCKET_CALLS = {"x86_64": 41, "aarch64": 198}
"""The number of the system call `socket` on Linux."""
FORBID_SOCKETS = """
import ctypes, os, struct
def forbid_sockets(number):
    # A filter of the kernel (seccomp): load the number of a system call; where it is this one, kill the process.
    steps = [(0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x80000000), (0x06, 0, 0, 0x7FFF0000)]
    code = b"".join(struct.pack("HBBI", *step) for step in steps)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(steps), ctypes.addressof(buffer)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.byref(program), 0, 0):
        raise SystemExit(f"no filter: {os.strerror(ctypes.get_errno())}")
"""

linux = pytest.mark.skipif(
    not sys.platform.startswith("linux") or platform.machine() not in SOCKET_CALLS,
    reason="the kernel's filter is Linux's, and its numbers are known for two processors",
)


def without_sockets(code: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter that dies of a signal where it opens a socket, with a home folder of its own."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH") if name in os.environ}
    number = SOCKET_CALLS[platform.machine()]
    return subprocess.run(
        [sys.executable, "-c", f"{FORBID_SOCKETS}\nforbid_sockets({number})\n{code}"],
        env={**kept, "HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )


@linux
def test_the_filter_kills_what_opens_a_socket(tmp_path: Path) -> None:
    done = without_sockets("import socket\nsocket.socket()", tmp_path)
    if done.stderr.startswith("no filter"):
        pytest.skip(done.stderr.strip())
    assert done.returncode < 0


@linux
def test_drawing_leaves_nothing_at_home_and_opens_no_socket(tmp_path: Path) -> None:
    home, out = tmp_path / "home", tmp_path / "out"
    home.mkdir()
    picture = REPOSITORY / "examples" / "pig.png"
    words = ["draw", str(picture), "--samples", "1", "--max-points", "8", "--out", str(out)]
    done = without_sockets(f"from sketch_pix2seq.cli.main import main\nmain({words!r})", home)
    if done.stderr.startswith("no filter"):
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    assert (out / "sheet.png").is_file()
    assert list(home.rglob("*")) == []


def test_the_package_turns_reports_off_before_it_imports_anything_else() -> None:
    tree = ast.parse((REPOSITORY / "src" / "sketch_pix2seq" / "__init__.py").read_text(encoding="utf-8"))
    lines = [ast.unparse(node) for node in tree.body[1:]]
    own = [line for line in lines if not line.startswith(("from __future__", "from typing"))]
    assert own[:2] == ["from sketch_pix2seq.telemetry import turn_off_telemetry", "turn_off_telemetry()"]


@pytest.mark.parametrize("name", ["ORT_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY"])
def test_the_switches_are_set(name: str) -> None:
    code = f"import os, sketch_pix2seq.errors\nprint(os.environ[{name!r}])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"
