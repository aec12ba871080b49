"""`sketch-pix2seq studio`: draw in the browser, and the model draws with you."""

from __future__ import annotations

import os
import webbrowser
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from sketch_pix2seq.cli.console import say, stages, warn
from sketch_pix2seq.drawing.pretrained import BUNDLED
from sketch_pix2seq.errors import DataError

if TYPE_CHECKING:
    from sketch_pix2seq.studio.folder import StudioModel


@dataclass(frozen=True)
class Settings:
    """Draw in the browser together with a model: it redraws, finishes, varies and blends your drawings.

    sketch-pix2seq studio

    sketch-pix2seq studio --model runs/mine --data mine.arrow

    The model runs in the browser. Nothing leaves this machine, and nothing is loaded from elsewhere. `export web`
    writes the studio for a web host.
    """

    model: str = BUNDLED
    """"bundled", a model folder, or hf:owner/name on the Hugging Face Hub."""
    data: Path | None = None
    """A set whose drawings the map shows. Without one, the map shows drawings by the model."""
    map: bool = True
    """Make the map if the model has none yet; this takes up to a minute, once."""
    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 makes it reachable from other machines."""
    port: int = 8600
    """Port to listen on; 0 = any free port. If the default is taken, a free port is used."""
    browser: bool = True
    """Open the page in the browser."""


def run(settings: Settings) -> None:
    """Serve the studio until Ctrl-C."""
    from sketch_pix2seq.studio.folder import open_model
    from sketch_pix2seq.studio.server import StudioServer, page_files

    page_files()
    opened = open_model(settings.model)
    files = opened.files(ready_map(opened, settings.data, settings.map))
    with StudioServer(files, host=settings.host, port=settings.port) as server:
        address = _for_this_machine(server.address)
        if settings.port and server.server_port != settings.port:
            warn(f"port {settings.port} is taken, so the studio has {server.server_port}")
        say(f"open {address} in a browser; Ctrl-C stops the studio")
        if settings.browser:
            Thread(target=show, args=(address,), daemon=True).start()
        with suppress(KeyboardInterrupt):
            server.serve_forever()


def ready_map(opened: StudioModel, data: Path | None, make: bool) -> Path | None:
    """Where the model's map lies, found or made now; None where it has none, with a line that says why."""
    from sketch_pix2seq.studio.atlas import has_tsne
    from sketch_pix2seq.studio.folder import find_atlas, keep_atlas, make_atlas

    if not opened.model.has_encoder or not (opened.model.has_flow or data):
        if data is not None:
            warn(f"{opened.name}: a model without an encoder has no map")
        return None
    found = find_atlas(opened, data)
    if found is not None or not make:
        return found
    if not has_tsne():
        warn('the map is a plain one without openTSNE: pip install "sketch-pix2seq[evaluate]"')
    try:
        with stages() as show:
            atlas = make_atlas(opened, data, on_progress=show)
    except DataError as error:
        warn(f"no map: {error}")
        return None
    return keep_atlas(opened, atlas)


def _for_this_machine(address: str) -> str:
    return address.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")


def show(address: str) -> None:
    """Open an address in the browser, where there is one with a window of its own."""
    with suppress(webbrowser.Error):
        browser = webbrowser.get()
        # Where there is no desktop, Python finds browsers for terminals, which would take this one over.
        if type(browser) is not webbrowser.GenericBrowser or "BROWSER" in os.environ:
            browser.open(address)
