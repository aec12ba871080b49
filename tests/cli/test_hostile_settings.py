"""Flags and configuration files with any value: one line, exit status 2; Ctrl-C: one line, exit status 130."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sketch_pix2seq.cli.main import main, read_yaml
from sketch_pix2seq.errors import FormatError

VALUES = ("", "x", "nan", "inf", "-1", "0", "1e999", "9" * 5000, "--", "\ud83d\ude00", "[1", "None", "true")
FLAGS = {
    "convert": ("--limit", "--simplify", "--width-mm", "--tolerance", "--to", "--fit"),
    "prepare": ("--limit", "--valid", "--test", "--simplify-epsilon", "--min-points", "--max-points", "--processes"),
}


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str | None:
    """The line that tells why; None where the command ran."""
    code: object = 0
    try:
        main(arguments)
    except SystemExit as ended:
        code = ended.code
    error = capsys.readouterr().err
    if not code:
        return None
    assert code == 2, error
    lines = [line for line in error.splitlines() if not line.startswith("warning: ")]
    assert len(lines) == 1
    assert lines[0].startswith("sketch-pix2seq: ")
    return lines[0]


@pytest.mark.parametrize("command", FLAGS)
def test_flags_with_any_value(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "cat.ndjson").write_text('{"drawing":[[[0,10,20,30],[0,10,5,9]]]}\n' * 20)
    (tmp_path / "cat.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0C1 9 5 5 6 9L1 3"/></svg>'
    )
    out = str(tmp_path / ("out.ndjson" if command == "convert" else "out.arrow"))
    count = 0
    for flag in FLAGS[command]:
        for value in VALUES:
            more = ["--overwrite"] if command == "convert" else []
            arguments = [command, *more, flag, value, str(tmp_path / "cat.ndjson"), str(tmp_path / "cat.svg"), out]
            count += refused(arguments, capsys) is not None
    assert count > 0.5 * len(FLAGS[command]) * len(VALUES)


@pytest.mark.parametrize("arguments", [["convert", "--nope"], ["prepare", "--limit"], ["study", "fly"], ["nothing"]])
def test_a_flag_error_is_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(arguments, capsys)


YAML = {
    "a python object": "limit: !!python/object/apply:os.system [echo]",
    "a tag of its own": "limit: !mine 3",
    "a bad date": "limit: 2020-99-99",
    "a bad number": "limit: !!int abc",
    "a bad float": "limit: !!float x",
    "a long number": "limit: " + "9" * 6000,
    "bad binary": "limit: !!binary '$$$$='",
    "a set": "limit: !!set {a, b}",
    "pairs": "limit: !!omap [a: 1]",
    "a list for a key": "? [a]\n: 1",
    "aliases": "a: &a [1]\nlimit: *a",
    "merged": "a: &a {x: 1}\nlimit: {<<: *a}",
    "deep": "limit: " + "[" * 20_000,
    "two documents": "a: 1\n---\nb: 2",
    "control characters": "limit: \x00",
    "a huge float": "simplify: " + "9" * 400,
    "long": "# " + "x" * 70_000,
}


@pytest.mark.parametrize("name", YAML)
def test_yaml_with_any_tag_is_one_line(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "c.yaml").write_bytes(YAML[name].encode())
    arguments = ["convert", "--config", str(tmp_path / "c.yaml"), str(tmp_path / "a.svg"), str(tmp_path / "b.svg")]
    line = refused(arguments, capsys)
    assert line is not None
    assert "c.yaml" in line
    assert len(line) < 700


def test_yaml_settings_are_read(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("limit: 3\nsimplify: 1e-3\n")
    assert read_yaml(tmp_path / "c.yaml")["limit"] == 3
    (tmp_path / "c.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FormatError, match="not readable as YAML"):
        read_yaml(tmp_path / "c.yaml")


@pytest.mark.parametrize("seconds", [0.15, 0.4, 0.8])
def test_ctrl_c_at_any_moment_is_one_line(seconds: float, tmp_path: Path) -> None:
    (tmp_path / "cat.ndjson").write_text('{"drawing":[[[0,10,20,30],[0,10,5,9]]]}\n' * 200_000)
    arguments = ["convert", str(tmp_path / "cat.ndjson"), str(tmp_path / "out.ndjson")]
    process = subprocess.Popen(
        [sys.executable, "-m", "sketch_pix2seq", *arguments],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    if process.returncode in (1, -signal.SIGINT) and "sketch_pix2seq" not in error:  # Python itself was still starting
        return
    assert process.returncode == 130
    assert error == "sketch-pix2seq: stopped\n"
    assert not (tmp_path / "out.ndjson").exists()


def test_ctrl_c_in_code_compiled_from_text_is_status_130() -> None:
    """Dataclasses and named tuples are made by exec, after which Python would end by the signal."""
    code = """
import sys
from sketch_pix2seq.cli import main
def cut(words): exec("raise KeyboardInterrupt")
main._run = cut
main.main([])
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (130, "sketch-pix2seq: stopped\n")
