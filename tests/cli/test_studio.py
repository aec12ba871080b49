"""`sketch-pix2seq studio` up to the browser."""

from __future__ import annotations

import socket
import webbrowser
from pathlib import Path
from threading import Event

import pytest

from sketch_pix2seq.cli import studio as command
from sketch_pix2seq.cli.studio import Settings
from sketch_pix2seq.studio import server
from sketch_pix2seq.studio.server import StudioServer


@pytest.fixture(autouse=True)
def served(monkeypatch: pytest.MonkeyPatch) -> list[StudioServer]:
    """The servers that were started; each is stopped by Ctrl-C at once."""
    servers: list[StudioServer] = []

    def serve(self: StudioServer, poll_interval: float = 0.5) -> None:
        servers.append(self)
        raise KeyboardInterrupt

    monkeypatch.setattr(StudioServer, "serve_forever", serve)
    return servers


def test_it_says_where_it_is_and_ctrl_c_ends_it(served: list[StudioServer], capsys: pytest.CaptureFixture[str]) -> None:
    command.run(Settings(port=0, browser=False))
    out, err = capsys.readouterr()
    assert out == f"open http://127.0.0.1:{served[0].server_port}/ in a browser; Ctrl-C stops the studio\n"
    assert err == ""
    graphs = {"encoder.onnx", "start.onnx", "decoder.onnx", "flow.onnx", "classifier.onnx"}
    model = {"config.json", "model.safetensors", "flow.safetensors", "atlas.safetensors", *graphs}
    assert {"index.html", *(f"model/{name}" for name in model)} <= set(served[0].files)


def test_the_browser_opens(monkeypatch: pytest.MonkeyPatch, served: list[StudioServer]) -> None:
    opened: list[str] = []
    done = Event()

    class Browser:
        def open(self, address: str) -> None:
            opened.append(address)
            done.set()

    monkeypatch.setattr(webbrowser, "get", Browser)
    command.run(Settings(port=0, host="0.0.0.0", map=False))
    assert done.wait(10)
    assert opened == [f"http://127.0.0.1:{served[0].server_port}/"]


def test_a_browser_for_terminals_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser.GenericBrowser, "open", lambda self, address: opened.append(address))
    monkeypatch.setattr(webbrowser, "get", lambda: webbrowser.GenericBrowser("w3m"))
    monkeypatch.delenv("BROWSER", raising=False)
    command.show("http://127.0.0.1/")
    assert opened == []
    monkeypatch.setenv("BROWSER", "w3m")
    command.show("http://127.0.0.1/")
    assert opened == ["http://127.0.0.1/"]

    def none() -> None:
        raise webbrowser.Error("there is none")

    monkeypatch.setattr(webbrowser, "get", none)
    command.show("http://127.0.0.1/")


def test_the_next_port_where_the_default_is_taken(
    monkeypatch: pytest.MonkeyPatch, served: list[StudioServer], capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(server, "PORT", port)
        command.run(Settings(port=port, browser=False))
    assert served[0].server_port != port
    err = capsys.readouterr().err
    assert err == f"warning: port {port} is taken, so the studio has {served[0].server_port}\n"


def test_a_model_that_cannot_draw_yet_has_no_map(
    tmp_path: Path, served: list[StudioServer], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from sketch_pix2seq.errors import DataError
    from sketch_pix2seq.studio import folder

    def fails(*arguments: object, **settings: object) -> None:
        raise DataError("there are too few clear drawings")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(folder, "find_atlas", lambda *arguments: None)
    monkeypatch.setattr(folder, "make_atlas", fails)
    command.run(Settings(port=0, browser=False))
    assert "warning: no map: there are too few clear drawings" in capsys.readouterr().err
    assert "model/atlas.npz" not in served[0].files
