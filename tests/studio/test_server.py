"""What the studio gives out, to whom, and with which headers."""

from __future__ import annotations

import os
import socket
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest

from sketch_pix2seq.errors import ModelError, SettingsError
from sketch_pix2seq.studio import server as module
from sketch_pix2seq.studio.server import StudioServer
from tests.studio.conftest import Serve


@pytest.fixture
def model(tmp_path: Path) -> dict[str, Path]:
    """Two files of a model, which lie beside one that nobody asked for."""
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("config.json", "decoder.onnx", "model.safetensors"):
        (folder / name).write_text(name)
    return {name: folder / name for name in ("config.json", "decoder.onnx")}


def asked(server: StudioServer, path: str, method: str = "GET", **headers: str) -> tuple[HTTPResponse, bytes]:
    connection = HTTPConnection("127.0.0.1", server.server_port, timeout=20)
    connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response, body


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/index.html", "text/html; charset=utf-8"),
        ("/?drawing=1", "text/html; charset=utf-8"),
        ("/assets/app-1.js", "text/javascript; charset=utf-8"),
        ("/assets/ort.wasm.gz", "application/octet-stream"),
        ("/model/config.json", "application/json"),
        ("/model/decoder.onnx", "application/octet-stream"),
    ],
)
def test_each_file_has_its_type(path: str, kind: str, serve: Serve, model: dict[str, Path]) -> None:
    response, body = asked(serve(model), path)
    assert response.status == 200
    assert response.headers["Content-Type"] == kind
    assert response.headers["Content-Encoding"] is None, "the page unpacks it itself"
    assert int(response.headers["Content-Length"]) == len(body) > 0


def test_every_answer_lets_threads_work_and_nothing_else_in(serve: Serve, model: dict[str, Path]) -> None:
    server = serve(model)
    for path in ("/", "/assets/app-1.js", "/missing"):
        headers = asked(server, path)[0].headers
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert headers["Cross-Origin-Embedder-Policy"] == "require-corp"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-cache"
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "'unsafe-eval'" not in policy
        assert "http" not in policy, "no other host"
        assert "Python" not in headers["Server"]


@pytest.mark.parametrize(
    "path",
    [
        "/model/model.safetensors",
        "/model/",
        "/model",
        "/assets",
        "/../model/config.json",
        "/model/../../model/model.safetensors",
        "/%2e%2e/model/model.safetensors",
        "/..%2f..%2fetc/passwd",
        "//etc/passwd",
        "/etc/passwd",
        "/index.html/",
        "/%00",
        "/C:/Windows/win.ini",
    ],
)
def test_nothing_else_is_given(path: str, serve: Serve, model: dict[str, Path]) -> None:
    response, body = asked(serve(model), path)
    assert response.status == 404
    assert body == b"There is no such file in the studio.\n"


def test_a_file_is_sent_again_only_where_it_changed(serve: Serve, model: dict[str, Path]) -> None:
    server = serve(model)
    first, _ = asked(server, "/model/config.json")
    tag = first.headers["ETag"]
    same, body = asked(server, "/model/config.json", If_None_Match=tag)
    assert (same.status, body) == (304, b"")
    model["config.json"].write_text("trained on")
    changed, body = asked(server, "/model/config.json", If_None_Match=tag)
    assert (changed.status, body) == (200, b"trained on")
    model["config.json"].unlink()
    gone, body = asked(server, "/model/config.json")
    assert (gone.status, body) == (404, b"The file is gone; start the studio again.\n")


def test_it_only_gives(serve: Serve, model: dict[str, Path]) -> None:
    server = serve(model)
    head, body = asked(server, "/assets/ort.wasm.gz", "HEAD")
    assert (head.status, head.headers["Content-Length"], body) == (200, "3000002", b"")
    assert asked(server, "/missing", "HEAD")[1] == b""
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        response, _ = asked(server, "/", method)
        assert (response.status, response.headers["Allow"]) == (405, "GET, HEAD")
    assert asked(server, "/", "BREW")[0].status == 501


def test_another_name_for_this_machine_is_refused(serve: Serve, model: dict[str, Path]) -> None:
    server = serve(model)
    port = server.server_port
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", f"127.0.0.1:{port + 1}", ""):
        response, body = asked(server, "/model/config.json", Host=host)
        assert (response.status, body) == (421, b"Open the studio at the address that it printed.\n")
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"LOCALHOST:{port}", f"[::1]:{port}"):
        assert asked(server, "/", Host=host)[0].status == 200
    everyone = serve(model, host="0.0.0.0")
    assert asked(everyone, "/", Host="drawing.lan:8600")[0].status == 200


def test_one_connection_serves_many_files(serve: Serve, model: dict[str, Path]) -> None:
    connection = HTTPConnection("127.0.0.1", serve(model).server_port, timeout=20)
    for path in ("/", "/missing", "/assets/ort.wasm.gz", "/model/config.json"):
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
        assert not response.will_close
    connection.close()


def test_a_browser_that_goes_away_is_no_news(
    serve: Serve, model: dict[str, Path], capfd: pytest.CaptureFixture[str]
) -> None:
    server = serve(model)
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", server.server_port)) as leaving:
            host = f"127.0.0.1:{server.server_port}"
            leaving.sendall(f"GET /assets/ort.wasm.gz HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            leaving.recv(10)
    assert asked(server, "/")[0].status == 200
    assert capfd.readouterr() == ("", "")


def test_ports(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=rf"cannot listen on 127\.0\.0\.1 port {port}: .* give another --port"):
            StudioServer({}, port=port, page=page)
        monkeypatch.setattr(module, "PORT", port)
        with StudioServer({}, port=port, page=page) as server:
            assert port < server.server_port <= port + 20
            assert server.address == f"http://127.0.0.1:{server.server_port}/"
    with pytest.raises(SettingsError, match="cannot listen on"):
        StudioServer({}, host="no.such.host.invalid", port=0, page=page)


@pytest.mark.skipif(not socket.has_dualstack_ipv6() or os.name == "nt", reason="this machine has no IPv6")
def test_ipv6(page: Path) -> None:
    with StudioServer({}, host="::1", port=0, page=page) as server:
        assert server.address == f"http://[::1]:{server.server_port}/"
        assert f"[::1]:{server.server_port}" in (server.names or ())


def test_a_page_that_is_not_built_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="run `make studio-page`"):
        StudioServer({}, page=tmp_path)
