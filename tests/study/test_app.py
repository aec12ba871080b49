"""The interface: what it takes, what it refuses, and what it never tells."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fastapi.testclient import TestClient

from sketch_pix2seq.errors import FormatError
from sketch_pix2seq.study.app import create_app
from sketch_pix2seq.study.report import study_report
from sketch_pix2seq.study.store import Study
from tests.study.conftest import small_study


@pytest.fixture
def client(study: Study) -> Iterator[TestClient]:
    with TestClient(create_app(study.path.parent)) as made:
        yield made


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, str]]:
    """A study, and a participant of it, for requests that must not change anything."""
    folder = tmp_path_factory.mktemp("refusing")
    small_study(folder).close()
    with TestClient(create_app(folder)) as client:
        yield client, client.post("/api/participants").json()["token"]


@pytest.fixture
def token(client: TestClient) -> str:
    response = client.post("/api/participants")
    assert response.status_code == 201
    found: str = response.json()["token"]
    return found


def give(client: TestClient, token: str, trial: int, says: str = "person", rt_ms: float = 700) -> Any:
    return client.post(f"/api/participants/{token}/answers", json={"trial": trial, "says": says, "rt_ms": rt_ms})


def test_from_the_first_to_the_last(client: TestClient, token: str, study: Study) -> None:
    for trial in range(8):
        response = give(client, token, trial, ("person", "computer")[trial % 2], 700 + trial)
        assert response.status_code == 200
        assert response.json()["standing"]["answered"] == trial + 1
    standing = client.get(f"/api/participants/{token}").json()["standing"]
    assert standing["next"] is None
    assert standing["score"]["people"] == standing["score"]["computer"] == 3
    assert [j.rt_ms for j in study.judgements()] == [702, 703, 704, 705, 706, 707]


def test_the_same_again_changes_nothing_and_another_is_refused(client: TestClient, token: str) -> None:
    first = give(client, token, 0, "person", 512.5).json()
    again = give(client, token, 0, "person", 9000)
    assert (again.status_code, again.json()) == (200, first)
    other = give(client, token, 0, "computer")
    assert (other.status_code, other.json()) == (409, {"detail": "trial 0 has been answered already, otherwise"})
    ahead = give(client, token, 2)
    assert (ahead.status_code, ahead.json()) == (409, {"detail": "trial 1 comes before trial 2"})


def test_who_comes_back_goes_on_with_the_same_drawing(client: TestClient, token: str, study: Study) -> None:
    shown = give(client, token, 0).json()["standing"]
    assert client.get(f"/api/participants/{token}").json()["standing"] == shown
    with TestClient(create_app(study.path.parent)) as restarted:
        assert restarted.get(f"/api/participants/{token}").json()["standing"] == shown


def test_nothing_tells_who_drew_a_counted_drawing(
    client: TestClient, token: str, truth_of: Callable[[str, int], str]
) -> None:
    """Everything that the server sends until the last answer, against everything that differs between the makers."""
    for trial in range(8):
        standing = client.get(f"/api/participants/{token}").json()["standing"]
        assert set(standing) == {"practice", "trials", "answered", "next", "score"}
        assert set(standing["next"]) == {"trial", "practice", "strokes"}
        assert standing["score"] is None
        assert all(type(value) is int for stroke in standing["next"]["strokes"] for point in stroke for value in point)
        kept = give(client, token, trial).json()["kept"]
        assert set(kept) == {"trial", "says", "rt_ms", "truth"}
        assert kept["truth"] == (truth_of(token, trial) if trial < 2 else None)
    about = client.get("/api/study").text
    assert "one" not in json.loads(about).values()
    assert not {"models", "data", "drawings"} & set(json.loads(about))


@pytest.mark.parametrize(
    ("body", "status", "problem"),
    [
        ("nonsense", 422, "JSON"),
        ("", 422, "body"),
        ("[]", 422, "body"),
        ("{}", 422, "trial: Field required; says: Field required; rt_ms: Field required"),
        ('{"trial": 0, "says": "dog", "rt_ms": 5}', 422, "says: Input should be 'person' or 'computer'"),
        ('{"trial": "0", "says": "person", "rt_ms": 5}', 422, "trial: "),
        ('{"trial": true, "says": "person", "rt_ms": 5}', 422, "trial: "),
        ('{"trial": -1, "says": "person", "rt_ms": 5}', 422, "trial: "),
        ('{"trial": 0, "says": "person", "rt_ms": -1}', 422, "rt_ms: "),
        ('{"trial": 0, "says": "person", "rt_ms": 86400001}', 422, "rt_ms: Input should be less than or equal"),
        ('{"trial": 0, "says": "person", "rt_ms": 1e999}', 422, "rt_ms: "),
        ('{"trial": 0, "says": "person", "rt_ms": NaN}', 422, "rt_ms: "),
        ('{"trial": 0, "says": "person", "rt_ms": "fast"}', 422, "rt_ms: "),
        ('{"trial": 0, "says": "person", "rt_ms": 5, "truth": "person"}', 422, "truth: Extra inputs"),
        ('{"trial": 8, "says": "person", "rt_ms": 5}', 404, "no trial 8; they are 0 to 7"),
        (b"\xff\xfe", 422, "JSON"),
        ('{"trial": ' + "9" * 5000 + "}", 400, "error"),
    ],
)
def test_what_cannot_be_an_answer_is_refused(
    refusing: tuple[TestClient, str], body: str | bytes, status: int, problem: str
) -> None:
    client, token = refusing
    headers = {"Content-Type": "application/json"}
    response = client.post(f"/api/participants/{token}/answers", content=body, headers=headers)
    assert response.status_code == status
    assert problem in response.json()["detail"]
    assert client.get(f"/api/participants/{token}").json()["standing"]["answered"] == 0


@pytest.mark.parametrize("stranger", ["0" * 32, "x", "%00", "' OR 1=1 --", "é" * 300])
def test_a_stranger_is_refused(refusing: tuple[TestClient, str], stranger: str) -> None:
    client, _ = refusing
    assert client.get(f"/api/participants/{stranger}").status_code == 404
    assert give(client, stranger, 0).status_code == 404


def test_an_answer_that_cannot_be_written_may_be_sent_again(
    client: TestClient, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def full(self: Study) -> Iterator[sqlite3.Connection]:
        raise sqlite3.OperationalError("database or disk is full")
        yield

    with monkeypatch.context() as patch:
        patch.setattr(Study, "_connected", full)
        response = give(client, token, 0)
    assert response.status_code == 503
    assert "disk is full" in response.json()["detail"]
    assert give(client, token, 0).status_code == 200


def test_the_page_is_served_and_asks_nobody_else(client: TestClient) -> None:
    page, style, script = (client.get(path) for path in ("/", "/style.css", "/app.js"))
    assert [r.status_code for r in (page, style, script)] == [200, 200, 200]
    assert "Who drew this?" in page.text
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    for response in (page, style, script):
        text = response.text.replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text
        assert "https://" not in text
    assert client.get("/api/study").headers["Cache-Control"] == "no-store"
    assert [client.get(path).status_code for path in ("/docs", "/openapi.json", "/study.sqlite")] == [404] * 3


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "http://other.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://[x"}, 403),
        ({"Origin": "http://testserver"}, 201),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://behind.a.proxy"}, 201),
        ({}, 201),
    ],
)
def test_posts_from_other_sites_are_refused(client: TestClient, headers: dict[str, str], status: int) -> None:
    assert client.post("/api/participants", headers=headers).status_code == status


def test_only_its_own_hosts_are_answered(study: Study) -> None:
    with TestClient(create_app(study.path.parent, frozenset({"testserver"}))) as client:
        assert client.get("/api/study").status_code == 200
        assert client.get("/api/study", headers={"Host": "rebound.example"}).status_code == 421
        assert client.get("/", headers={"Host": "rebound.example"}).status_code == 421


def test_long_bodies_are_refused(client: TestClient, token: str) -> None:
    response = client.post(f"/api/participants/{token}/answers", content=b" " * 9000)
    assert response.status_code == 413
    assert "less than 8,192 bytes" in response.json()["detail"]
    assert give(client, token, 0).status_code == 200


def test_a_damaged_database_is_503_in_one_line_and_one_error_for_a_report(
    client: TestClient, token: str, study: Study
) -> None:
    db = sqlite3.connect(study.path)
    db.execute("UPDATE participant SET drawings = 'no list'")
    db.commit()
    db.close()
    for response in (client.get(f"/api/participants/{token}"), give(client, token, 0)):
        assert response.status_code == 503
        assert "damaged" in response.json()["detail"]
    size = study.path.stat().st_size
    client.close()
    with study.path.open("r+b") as file:
        for page in range(4096, size, 4096):
            file.seek(page)
            file.write(b"\xa5" * 512)
    for suffix in ("-wal", "-shm"):
        study.path.with_name(study.path.name + suffix).unlink(missing_ok=True)
    with pytest.raises(FormatError, match=r"study\.sqlite: not a study, or a damaged one"):
        study_report(study.path.parent)
