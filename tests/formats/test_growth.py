"""Time and memory are bounded by the size of a file, whatever is in it."""

from __future__ import annotations

import gzip
import math
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sketch_pix2seq.errors import SketchError
from tests.conftest import REPOSITORY
from tests.formats.nasty import MAKERS, read_all

MEGABYTE = 1 << 20
SECONDS = 6.0
MEMORY = 500
"""What a file of one megabyte may take, in seconds of one core and in megabytes."""


def seconds(path: Path) -> float:
    """Time of this process for a file that is read or refused."""
    start = time.process_time()
    with suppress(SketchError):
        read_all(path)
    return time.process_time() - start


def assert_no_faster_than_n_log_n(path: Path, small: bytes, large: bytes) -> None:
    path.write_bytes(small)
    short = min(seconds(path) for _ in range(3))
    path.write_bytes(large)
    times = len(large) / len(small) * math.log(len(large)) / math.log(len(small))
    assert min(seconds(path) for _ in range(2)) < 3 * times * short + 0.3


@pytest.mark.parametrize("name", MAKERS)
def test_a_megabyte_takes_two_seconds_and_a_part_its_share(name: str, tmp_path: Path) -> None:
    suffix, make = MAKERS[name]
    path = tmp_path / f"x{suffix}"
    large = make(MEGABYTE // 4)
    assert_no_faster_than_n_log_n(path, make(MEGABYTE // 32), large)
    assert seconds(path) < SECONDS * len(large) / MEGABYTE + 0.3


@given(
    begin=st.sampled_from(("", '{"drawing":[', '{"drawing":[[[', '{"word":"')),
    unit=st.text('[]{},:"\\0123456789.eE-+ tfnu\n\u00e9', min_size=1, max_size=12),
    end=st.sampled_from(("", "\n", "]]]}", '"}')),
    packed=st.booleans(),
)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_repeated_text_makes_reading_slow(begin: str, unit: str, end: str, packed: bool, tmp_path: Path) -> None:
    small, large = ((begin + unit * (size // len(unit)) + end).encode() for size in (1 << 14, 1 << 18))
    if packed:
        small, large = gzip.compress(small, 0), gzip.compress(large, 0)
    assert_no_faster_than_n_log_n(tmp_path / "x.ndjson", small, large)


WORST = r"""
import re, sys
from pathlib import Path
from sketch_pix2seq.errors import SketchError
from tests.formats.nasty import read_all
for path in map(Path, sys.argv[1:]):
    try:
        read_all(path)
    except SketchError:
        pass
print(int(re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())[1]) >> 10)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc")
def test_a_megabyte_takes_little_memory(tmp_path: Path) -> None:
    paths = []
    for name in ("gzip, a line of objects", "gzip, a line of numbers", "gzip, a line of metadata", "npz, wide numbers"):
        suffix, make = MAKERS[name]
        paths.append(tmp_path / f"{name}{suffix}")
        paths[-1].write_bytes(make(MEGABYTE))
    ran = subprocess.run(
        [sys.executable, "-c", WORST, *paths], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert int(ran.stdout) < MEMORY
