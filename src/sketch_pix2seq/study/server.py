"""Serving a study over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from sketch_pix2seq.errors import SettingsError
from sketch_pix2seq.listening import address_of, answered_hosts, listening_socket


def check_server() -> None:
    """Raises SettingsError where the packages that serve a study are missing."""
    if missing := [name for name in ("fastapi", "uvicorn") if find_spec(name) is None]:
        raise SettingsError(
            f'a study is served with {" and ".join(missing)}, not installed here: pip install "sketch-pix2seq[study]"'
        )


def serve_study(
    folder: str | Path, *, host: str = "127.0.0.1", port: int = 8000, on_ready: Callable[[str], None] | None = None
) -> None:
    """Serve the study in a folder until Ctrl-C or SIGTERM.

    port: 0 takes a free one. on_ready: called with the address once connections are accepted.
    On this machine's own address only requests for that are answered, so that no other site's page can send any.
    Raises SettingsError where the packages for it are missing or the port cannot be had, and what `Study` raises.
    """
    check_server()
    import uvicorn

    from sketch_pix2seq.study.app import create_app

    with listening_socket(host, port) as listening:
        app = create_app(Path(folder), answered_hosts(host, listening.getsockname()[1]))
        if on_ready is not None:
            on_ready(address_of(host, listening))
        # Participants think for longer than uvicorn's 5 seconds: a connection closed meanwhile would cost them a retry.
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, timeout_keep_alive=75, timeout_graceful_shutdown=5
        )
        uvicorn.Server(config).run(sockets=[listening])
