"""The list of faults in `benchmarks/faults.py` fits the code: each can be put in, and its test is there."""

from __future__ import annotations

import sys

import pytest

from tests.conftest import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "benchmarks"))
from faults import FAULTS, Fault

CONTRIBUTING = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.what)
def test_a_fault_can_be_put_in_and_has_its_test(fault: Fault) -> None:
    text = (REPOSITORY / "src" / "sketch_pix2seq" / fault.file).read_text(encoding="utf-8")
    assert text.count(fault.text) == 1
    file, name = fault.test.split("::")
    assert f"\ndef {name}(" in (REPOSITORY / file).read_text(encoding="utf-8")
    assert f"| {fault.what} | `{fault.file}` | `{name}` |" in CONTRIBUTING
