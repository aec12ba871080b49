"""A real server: many participants at once, a kill in the middle, and a port that is taken."""

from __future__ import annotations

import json
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi.testclient import TestClient

from sketch_pix2seq.errors import SettingsError
from sketch_pix2seq.study import server
from sketch_pix2seq.study.app import create_app
from sketch_pix2seq.study.store import DATABASE, Study
from tests.study.conftest import small_study

PARTICIPANTS, TRIALS = 200, 4


@pytest.fixture
def study(tmp_path: Path) -> Iterator[Study]:
    with small_study(tmp_path, practice=0, trials=TRIALS) as made:
        yield made


@pytest.fixture
def address(study: Study) -> Iterator[str]:
    """A server in a thread on a free port."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
    running = uvicorn.Server(uvicorn.Config(create_app(study.path.parent), log_level="warning", timeout_keep_alive=75))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    running.should_exit = True
    thread.join()
    listening.close()


def test_many_participants_at_once_lose_no_answer(address: str, study: Study) -> None:
    together = threading.Barrier(PARTICIPANTS)

    def take_part(number: int) -> tuple[str, list[str]]:
        connection = HTTPConnection(address.removeprefix("http://"), timeout=120)

        def post(path: str, body: object = None) -> dict[str, Any]:
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            response = connection.getresponse()
            content: dict[str, Any] = json.loads(response.read())
            assert response.status in (200, 201), content
            return content

        together.wait()
        token = post("/api/participants")["token"]
        said = ["person" if (number >> k) & 1 else "computer" for k in range(TRIALS)]
        for trial, says in enumerate(said):
            for _ in range(1 + (trial == number % TRIALS)):  # a double click
                body = {"trial": trial, "says": says, "rt_ms": number * 100 + trial}
                post(f"/api/participants/{token}/answers", body)
        connection.close()
        return token, said

    with ThreadPoolExecutor(PARTICIPANTS) as pool:
        given = list(pool.map(take_part, range(PARTICIPANTS)))
    db = sqlite3.connect(study.path)
    rows = db.execute("SELECT participant, trial, says, rt_ms FROM answer").fetchall()
    db.close()
    expected = {
        (token, trial, says, number * 100.0 + trial)
        for number, (token, said) in enumerate(given)
        for trial, says in enumerate(said)
    }
    assert len(rows) == len(expected) == PARTICIPANTS * TRIALS
    assert set(rows) == expected


SERVE = (
    "import sys; from sketch_pix2seq.study.server import serve_study;"
    "serve_study(sys.argv[1], port=0, on_ready=lambda address: print(address, flush=True))"
)


def test_killed_in_the_middle_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    small_study(tmp_path).close()
    process = subprocess.Popen([sys.executable, "-c", SERVE, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    acknowledged: dict[tuple[str, int], str] = {}
    enough = threading.Event()

    def take_part() -> None:
        with httpx.Client(base_url=address, timeout=20) as client:
            try:
                while True:
                    token = client.post("api/participants").json()["token"]
                    for trial in range(2 + 6):
                        says = ("person", "computer")[trial % 2]
                        body = {"trial": trial, "says": says, "rt_ms": trial}
                        if client.post(f"api/participants/{token}/answers", json=body).status_code == 200:
                            acknowledged[token, trial] = says
                        if len(acknowledged) > 60:
                            enough.set()
            except httpx.TransportError:
                pass  # killed

    threads = [threading.Thread(target=take_part) for _ in range(4)]
    for thread in threads:
        thread.start()
    enough.wait(timeout=30)
    process.kill()
    process.wait()
    process.stdout.close()
    for thread in threads:
        thread.join()
    assert len(acknowledged) > 60
    with TestClient(create_app(tmp_path)) as restarted:
        db = sqlite3.connect(tmp_path / DATABASE)
        kept = {
            (token, trial): says for token, trial, says in db.execute("SELECT participant, trial, says FROM answer")
        }
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        db.close()
        assert acknowledged.items() <= kept.items()
        for token in {token for token, _ in acknowledged}:
            answered = restarted.get(f"api/participants/{token}").json()["standing"]["answered"]
            assert answered == sum(participant == token for participant, _ in kept)


def test_a_port_that_is_taken_is_one_line(tmp_path: Path) -> None:
    small_study(tmp_path).close()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=rf"cannot listen on 127\.0\.0\.1 port {port}: .* give another --port"):
            server.serve_study(tmp_path, port=port)
    for host, port in (("127.0.0.1", 70000), ("no.such.host.invalid", 0), ("256.1.1.1", 0)):
        with pytest.raises(SettingsError, match="cannot listen on"):
            server.serve_study(tmp_path, host=host, port=port)


def test_without_its_packages_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r'pip install "sketch-pix2seq\[study\]"'):
        server.serve_study(tmp_path)


def test_the_answers_are_read_while_the_server_runs(address: str, study: Study) -> None:
    from sketch_pix2seq.study.report import study_report

    token = httpx.post(f"{address}/api/participants", timeout=20).json()["token"]
    for trial in range(2):
        body = {"trial": trial, "says": "person", "rt_ms": 1}
        httpx.post(f"{address}/api/participants/{token}/answers", json=body, timeout=20)
    assert study_report(study.path.parent).answers == 2
