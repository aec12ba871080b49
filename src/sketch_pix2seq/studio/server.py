"""Serving the studio: the built page and a model's files over HTTP, with nothing but the standard library."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Mapping
from contextlib import suppress
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sketch_pix2seq.errors import ModelError, SettingsError
from sketch_pix2seq.listening import address_of, answered_hosts, listening_socket

HOST, PORT = "127.0.0.1", 8600
MODEL = "model"
"""The folder of the model's files, beside the page."""
PAGE = Path(__file__).parent / "page"
"""The page as it was built."""

HEADERS = {
    # Both are needed for a page to share memory between threads.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "; ".join(
        [
            "default-src 'none'",
            "script-src 'self' 'wasm-unsafe-eval'",
            "worker-src 'self'",
            # An SVG that is dropped on the page is laid out in a frame of its own, by its own styles.
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' blob: data:",
            "media-src 'self' blob:",
            "font-src 'self'",
            "connect-src 'self'",
            "manifest-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    ),
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    # Files change when a model is trained on or the package is updated: asked for each time, sent where they changed.
    "Cache-Control": "no-cache",
}
"""What every answer says, so that threads work and nothing but the studio's own files is loaded."""

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".md": "text/markdown; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
"""Everything else, packed files among them, is bytes: the page unpacks them itself."""
_IDLE = 60
"""Seconds after which a connection without a request is closed."""
_TRIED = 20
"""Ports that are tried after the default one."""


def page_files(page: Path = PAGE) -> dict[str, Path]:
    """The files of the built page by their paths. Raises ModelError where it has not been built."""
    if not (page / "index.html").is_file():
        raise ModelError("the studio's page is not built in this copy of the package; run `make studio-page`")
    return {path.relative_to(page).as_posix(): path for path in sorted(page.rglob("*")) if path.is_file()}


class StudioServer(ThreadingHTTPServer):
    """Serves the page with the files of a model; a context manager. `serve_forever` runs it, `shutdown` ends that.

    model: the files by the names that the page loads them by. port: 0 takes a free one; where the default one is taken,
    the next free one is used.
    Raises SettingsError where the port cannot be had, ModelError where the page is not built.
    """

    daemon_threads = True

    def __init__(self, model: Mapping[str, Path], *, host: str = HOST, port: int = PORT, page: Path = PAGE) -> None:
        self.files = {**page_files(page), **{f"{MODEL}/{name}": path for name, path in model.items()}}
        self.files[""] = self.files["index.html"]
        listening = _listening(host, port)
        super().__init__(listening.getsockname()[:2], _Handler, bind_and_activate=False)
        self.socket.close()  # the base class makes one of its own that is not bound
        self.socket = listening
        self.server_name, self.server_port = listening.getsockname()[:2]
        self.address = address_of(host, listening)
        """What to open in a browser."""
        self.names = answered_hosts(host, self.server_port)
        """The values of Host that are answered; None = any."""

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that goes away is no news."""


def _listening(host: str, port: int) -> socket.socket:
    try:
        return listening_socket(host, port)
    except SettingsError:
        if port != PORT:
            raise
        for other in range(port + 1, port + 1 + _TRIED):
            with suppress(SettingsError):
                return listening_socket(host, other)
        raise


class _Handler(BaseHTTPRequestHandler):
    server: StudioServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "sketch-pix2seq", ""
    timeout = _IDLE

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_POST(self) -> None:
        self.close_connection = True  # what it sends is not read
        self._say(HTTPStatus.METHOD_NOT_ALLOWED, "The studio only gives files.", Allow="GET, HEAD")

    do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_POST

    def _answer(self, *, with_body: bool) -> None:
        names = self.server.names
        if names is not None and self.headers.get("Host", "").lower() not in names:
            self._say(HTTPStatus.MISDIRECTED_REQUEST, "Open the studio at the address that it printed.")
            return
        # Only what is in this table is given, so no path leads out of it.
        path = self.server.files.get(unquote(urlsplit(self.path).path).removeprefix("/"))
        if path is None:
            self._say(HTTPStatus.NOT_FOUND, "There is no such file in the studio.", with_body=with_body)
            return
        try:
            with path.open("rb") as file:
                about = path.stat()
                tag = f'"{about.st_mtime_ns:x}-{about.st_size:x}"'
                if tag in self.headers.get("If-None-Match", ""):
                    self.send_response(HTTPStatus.NOT_MODIFIED)
                    self._end({"ETag": tag})
                    return
                self.send_response(HTTPStatus.OK)
                self._end(
                    {
                        "Content-Type": _TYPES.get(path.suffix, "application/octet-stream"),
                        "Content-Length": str(about.st_size),
                        "Last-Modified": formatdate(about.st_mtime, usegmt=True),
                        "ETag": tag,
                    }
                )
                if with_body:
                    shutil.copyfileobj(file, self.wfile, 1 << 20)
        except FileNotFoundError:
            self._say(HTTPStatus.NOT_FOUND, "The file is gone; start the studio again.", with_body=with_body)

    def _say(self, status: HTTPStatus, text: str, *, with_body: bool = True, **headers: str) -> None:
        body = (text + "\n").encode()
        self.send_response(status)
        self._end({"Content-Type": "text/plain; charset=utf-8", "Content-Length": str(len(body)), **headers})
        if with_body:
            self.wfile.write(body)

    def _end(self, headers: Mapping[str, str]) -> None:
        for name, value in {**HEADERS, **headers}.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing is logged: whatever the page asks for, it says itself."""
