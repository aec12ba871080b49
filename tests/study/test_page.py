"""The page in a real browser, with a scripted participant."""

from __future__ import annotations

import socket
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import uvicorn

from sketch_pix2seq.study.app import create_app
from sketch_pix2seq.study.store import Study
from tests.study.conftest import small_study

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

WAIT = 30_000


class Server:
    """A server of a study that can be stopped and started again at its address."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", self.port))
        config = uvicorn.Config(create_app(self.folder), log_level="warning", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._listening]})
        self._thread.start()

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._listening.close()


@pytest.fixture
def server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Server]:
    small_study(tmp_path, **getattr(request, "param", {})).close()
    running = Server(tmp_path)
    yield running
    running.stop()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A phone's page; any error in its script fails the test."""
    context = browser.new_context(viewport={"width": 360, "height": 740})
    opened = context.new_page()
    opened.set_default_timeout(WAIT)
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    context.close()
    assert errors == []


def wait_for_drawing(page: Page) -> None:
    page.wait_for_selector("#trial:not([hidden]) #person[aria-disabled=false]")


def answers(server: Server) -> list[tuple[int, str, float]]:
    with Study(server.folder) as study:
        db = sqlite3.connect(study.path)
        rows = db.execute("SELECT trial, says, rt_ms FROM answer ORDER BY trial").fetchall()
        db.close()
    return rows


def counter(page: Page) -> str:
    return page.inner_text("#counter")


def test_a_participant_from_consent_to_thanks_with_a_reload(server: Server, page: Page) -> None:
    page.goto(server.address)
    page.wait_for_selector("#consent:not([hidden])")
    assert "No name, no address, no cookies" in page.inner_text("#consent")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.focus("#start")
    page.keyboard.press("Enter")
    said = []
    for trial in range(8):
        wait_for_drawing(page)
        assert counter(page) == (f"Practice {trial + 1} of 2" if trial < 2 else f"Drawing {trial - 1} of 6")
        if trial == 4:
            page.reload()
            page.wait_for_selector("#pause:not([hidden])")
            assert "Welcome back" in page.inner_text("#pause")
            page.keyboard.press("Tab")
            page.keyboard.press("Enter")
            wait_for_drawing(page)
            assert counter(page) == "Drawing 3 of 6"
        ink = page.evaluate(
            "() => { const c = document.getElementById('canvas'); const d = c.getContext('2d')"
            ".getImageData(0, 0, c.width, c.height).data; let n = 0;"
            " for (let i = 0; i < d.length; i += 4) n += d[i] < 128; return n; }"
        )
        assert ink > 100, "the drawing is on the canvas"
        says = ("person", "computer", "computer")[trial % 3]
        if trial == 5:
            page.click(f"#{says}")
        else:
            page.keyboard.press("f" if says == "person" else "J")
        said.append((trial, says))
        if trial < 2:
            page.wait_for_selector("#feedback:not([hidden])")
            assert "drew this." in page.inner_text("#verdict")
            page.keyboard.press("Enter")
        if trial == 1:
            page.wait_for_selector("#pause:not([hidden])")
            assert "Now it counts" in page.inner_text("#pause")
            page.click("#go")
    page.wait_for_selector("#end:not([hidden])")
    rows = answers(server)
    assert [(trial, says) for trial, says, _ in rows] == said
    assert all(0 < rt < WAIT for _, _, rt in rows)
    with Study(server.folder) as study:
        judged = study.judgements()
    right = sum((j.says == "person") == (j.model is None) for j in judged)
    assert page.inner_text("#score") == f"{right} of 6"
    page.reload()
    page.wait_for_selector("#end:not([hidden])")
    page.click("#again")
    page.wait_for_selector("#consent:not([hidden])")


@pytest.mark.parametrize("server", [{"practice": 0, "trials": 2, "show": "animated", "speed": 100.0}], indirect=True)
def test_a_server_that_goes_away_loses_nothing(server: Server, page: Page) -> None:
    page.goto(server.address)
    page.click("#start")
    wait_for_drawing(page)
    server.stop()
    page.keyboard.press("f")
    page.wait_for_selector("#trouble:not([hidden])")
    assert "Nothing you answered is lost" in page.inner_text("#trouble")
    page.keyboard.press("j")  # too late: the answer is given
    server.start()
    wait_for_drawing(page)
    assert page.is_hidden("#trouble")
    assert counter(page) == "Drawing 2 of 2"
    page.evaluate("() => { window.fetch = () => new Promise(() => {}); }")  # closed before the answer arrived
    page.keyboard.press("j")
    assert page.evaluate("Object.keys(localStorage).some((key) => key.endsWith(':pending'))")
    page.reload()
    page.wait_for_selector("#end:not([hidden])")
    assert [(trial, says) for trial, says, _ in answers(server)] == [(0, "person"), (1, "computer")]


@pytest.mark.parametrize("server", [{"practice": 0, "trials": 2}], indirect=True)
def test_two_tabs_and_a_study_that_was_made_anew(server: Server, page: Page) -> None:
    page.goto(server.address)
    page.click("#start")
    wait_for_drawing(page)
    other = page.context.new_page()
    other.set_default_timeout(WAIT)
    other.goto(server.address)
    wait_for_drawing(other)
    other.keyboard.press("j")
    other.get_by_text("Drawing 2 of 2").first.wait_for()
    other.close()
    page.bring_to_front()
    page.keyboard.press("f")  # contradicts the other tab's answer, which stands
    page.get_by_text("Drawing 2 of 2").first.wait_for()
    assert [(trial, says) for trial, says, _ in answers(server)] == [(0, "computer")]
    db = sqlite3.connect(server.folder / "study.sqlite")
    db.executescript("DELETE FROM answer; DELETE FROM participant")
    db.close()
    wait_for_drawing(page)
    page.keyboard.press("f")
    page.wait_for_selector("#consent:not([hidden])")
    assert "please begin again" in page.inner_text("#consent-note")
