"""How long an answer to a study takes when all participants answer at the same moment, again and again.

python benchmarks/study.py [PARTICIPANTS] [ROUNDS]

The server is a process of its own, the participants are another. Printed: median, 99th percentile and the longest time
of an answer, the server's processor time an answer, and whether every answer is in the study afterwards.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from common import machine

from sketch_pix2seq.study.design import Design, Drawing, Renderer, StudySettings
from sketch_pix2seq.study.store import Study, create

_CATEGORIES, _EACH, _STROKES, _POINTS = 20, 4, 6, 12
"""Drawings as large as those of Quick, Draw!."""


def main() -> None:
    participants = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 10
    print(machine())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_study(folder, rounds + rounds % 2)
        server = subprocess.Popen(
            [sys.executable, "-m", "sketch_pix2seq", "study", "serve", "--out", str(folder), "--port", "0"],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert server.stdout is not None
            found = None
            while found is None:
                found = re.search(r"http://\S+:\d+", server.stdout.readline())
            before = _seconds_of(server.pid)
            times = asyncio.run(answer_all(found[0], participants, rounds))
            spent = _seconds_of(server.pid) - before
        finally:
            server.terminate()
            server.wait()
        with Study(folder) as study:
            kept = len(study.judgements())
    median, high, longest = (1000 * float(np.quantile(times, q)) for q in (0.5, 0.99, 1))
    print(f"{participants} participants at once, {rounds} times: median {median:.0f} ms, p99 {high:.0f} ms,", end=" ")
    print(f"longest {longest:.0f} ms; {1000 * spent / len(times):.2f} ms of the processor an answer")
    print(f"{kept:,} of {len(times):,} answers kept")


def make_study(folder: Path, trials: int) -> None:
    """A study of random drawings, without practice."""
    rng = np.random.default_rng(0)
    drawings = [
        Drawing(
            model,
            f"c{category}",
            2 * k + (model is not None),
            False,
            rng.integers(0, 256, (_STROKES, _POINTS, 2)).tolist(),
        )
        for category in range(_CATEGORIES)
        for k in range(category * _EACH, (category + 1) * _EACH)
        for model in (None, "model")
    ]
    settings = StudySettings(per_category=_EACH, trials=trials, practice=0, show="still")
    digest = "0" * 64
    design = Design("1", settings, Renderer(), "set.arrow", digest, ("model",), (digest,), "2026-01-01T00:00:00Z", "0")
    create(folder, design, drawings).close()


async def answer_all(address: str, participants: int, rounds: int) -> list[float]:
    """Seconds that each answer took, from the moment when all were sent."""
    connections = [await Connection.open(address) for _ in range(participants)]
    tokens = [(await connection.ask("POST", "/api/participants"))["token"] for connection in connections]
    times: list[float] = []

    async def answer(connection: Connection, token: str, trial: int) -> None:
        begin = time.perf_counter()
        given = {"trial": trial, "says": "person", "rt_ms": 800.0}
        answered = await connection.ask("POST", f"/api/participants/{token}/answers", given)
        times.append(time.perf_counter() - begin)
        assert answered["standing"]["answered"] == trial + 1

    for trial in range(rounds):
        await asyncio.gather(*(answer(c, token, trial) for c, token in zip(connections, tokens, strict=True)))
    for connection in connections:
        connection.writer.close()
    return times


class Connection:
    """A participant's browser, which keeps its connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str) -> None:
        self.reader, self.writer, self.host = reader, writer, host

    @classmethod
    async def open(cls, address: str) -> Connection:
        host = urlsplit(address).netloc
        name, _, port = host.rpartition(":")
        return cls(*await asyncio.open_connection(name, int(port)), host)

    async def ask(self, method: str, path: str, content: object = None) -> dict[str, Any]:
        """What is answered, as JSON."""
        body = b"" if content is None else json.dumps(content).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: {self.host}\r\nContent-Type: application/json\r\n"
        self.writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        top = await self.reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", top.lower())
        assert length is not None
        answer = await self.reader.readexactly(int(length[1]))
        assert top.startswith(b"HTTP/1.1 20"), answer
        return dict(json.loads(answer))


def _seconds_of(process: int) -> float:
    """Processor time of a running process (Linux)."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
