"""A page of a few bytes, a small model that draws what it knows, and a set of clear drawings."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sketch_pix2seq.data.store import SketchSetWriter
from sketch_pix2seq.drawing.atlas import Atlas
from sketch_pix2seq.drawing.model import Model
from sketch_pix2seq.drawing.pretrained import bundled_folder, load_model
from sketch_pix2seq.model.folder import ATLAS, ModelInfo
from sketch_pix2seq.sketch import Sketch
from sketch_pix2seq.studio.server import StudioServer

if TYPE_CHECKING:
    pass

FEW = ("apple", "candle", "fish")


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """A built page."""
    folder = tmp_path / "page"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>studio</title>")
    (folder / "assets" / "app-1.js").write_text("export {};")
    (folder / "assets" / "ort.wasm.gz").write_bytes(b"\x1f\x8b" + bytes(3_000_000))
    (folder / "build.json").write_text("{}")
    return folder


@pytest.fixture(scope="session")
def bundled_atlas() -> Atlas:
    return Atlas.load(bundled_folder() / ATLAS)


class FewCategories(Model):
    """The bundled model, as if it knew three categories alone."""

    def __init__(self) -> None:
        self.whole = load_model(threads=1)
        super().__init__(self.whole.runtime, bundled_folder())

    @property
    def info(self) -> ModelInfo:
        return replace(self.whole.info, categories=FEW)

    def generate(self, *arguments: Any, **more: Any) -> list[Sketch]:
        return self.whole.generate(*arguments, **more)


@pytest.fixture(scope="session")
def few() -> Model:
    return FewCategories()


@pytest.fixture(scope="session")
def clear_set(tmp_path_factory: pytest.TempPathFactory, bundled_atlas: Atlas) -> Path:
    """Clear drawings of two categories; the last one is for testing."""
    path = tmp_path_factory.mktemp("clear") / "clear.arrow"
    drawings = [sketch for sketch in bundled_atlas.drawings if sketch.category in FEW[:2]] * 3
    with SketchSetWriter(path) as writer:
        for index, sketch in enumerate(drawings):
            writer.add(sketch, "test" if index == len(drawings) - 1 else "train")
    return path


Serve = Callable[..., StudioServer]


@pytest.fixture
def serve(page: Path) -> Iterator[Serve]:
    """Starts a studio on a free port."""
    with ExitStack() as running:

        def start(model: Mapping[str, Path], *, page: Path = page, host: str = "127.0.0.1") -> StudioServer:
            server = running.enter_context(StudioServer(model, host=host, port=0, page=page))
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            running.callback(thread.join)
            running.callback(server.shutdown)
            return server

        yield start


# -- a browser ----------------------------------------------------------------------------------------------------


class Quiet(SimpleHTTPRequestHandler):
    """A plain static host: no headers of its own."""

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@contextmanager
def static_host(folder: Path) -> Iterator[str]:
    """The address of a plain static host of a folder."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()
