"""A port to listen on, or one line that says why not."""

from __future__ import annotations

import socket
from ipaddress import ip_address

from sketch_pix2seq.errors import SettingsError


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket that listens on a host's port; 0 takes a free one. Raises SettingsError where it cannot be had."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=1024)
    except (OSError, OverflowError) as error:
        problem = getattr(error, "strerror", None) or str(error)
        raise SettingsError(f"cannot listen on {host} port {port}: {problem}; give another --port or --host") from error


def answered_hosts(host: str, port: int) -> frozenset[str] | None:
    """The values of Host that are answered on this machine's own address; None = any, where others are let in.

    A page of another site can have its own name point to 127.0.0.1 and would then be of one origin with what is served
    here (DNS rebinding); the browser still sends that other name.
    """
    try:
        is_own = ip_address(host).is_loopback
    except ValueError:
        is_own = host == "localhost"
    if not is_own:
        return None
    names = ["127.0.0.1", "localhost", "[::1]", f"[{host}]" if ":" in host else host]
    return frozenset(f"{name}:{port}" for name in names)


def address_of(host: str, listening: socket.socket) -> str:
    """The address of a socket for a browser, such as ``http://127.0.0.1:8000/``."""
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{listening.getsockname()[1]}/"
