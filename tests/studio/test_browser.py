"""The studio in a real browser, drawn in with the mouse; what it exports is read by the package."""

from __future__ import annotations

import io
import json
import math
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageSequence

from sketch_pix2seq.cli.main import main
from sketch_pix2seq.data.store import SketchSet
from sketch_pix2seq.drawing.pretrained import bundled_folder
from sketch_pix2seq.formats import read_sketches
from sketch_pix2seq.formats.svg import read_svg
from sketch_pix2seq.model.folder import ATLAS, DECODER
from sketch_pix2seq.studio.folder import open_model
from sketch_pix2seq.studio.server import StudioServer
from sketch_pix2seq.studio.web import export_web
from tests.conftest import REPOSITORY
from tests.studio.conftest import static_host
from tests.studio.hand import CIRCLE, FISH, TAIL, Studio, picture_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

WAIT = 40_000
QUICK = {"pace": 0}
"""Settings of the page with which nothing is waited for."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The studio with the bundled model."""
    opened = open_model("bundled")
    with StudioServer(opened.files(bundled_folder() / ATLAS), port=0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.address
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def context(browser: Browser, address: str) -> Iterator[BrowserContext]:
    """One profile for all pages: files that have not changed are not sent again."""
    made = browser.new_context(
        viewport={"width": 1280, "height": 800}, permissions=["clipboard-read", "clipboard-write"]
    )
    yield made
    made.close()


Open = Callable[..., Studio]


@pytest.fixture
def studio(context: BrowserContext) -> Iterator[Open]:
    """Opens a page; an error in its script, or anything from another host, fails the test."""
    pages: list[Page] = []
    problems: list[str] = []

    def start(address: str, settings: Mapping[str, object] = QUICK, *, ready: bool = True) -> Studio:
        page = context.new_page()
        pages.append(page)
        page.set_default_timeout(WAIT)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda line: problems.append(line.text) if "Content Security Policy" in line.text else None)
        page.on("request", lambda request: known(request.url))
        page.add_init_script(
            f"if (!sessionStorage.begun) {{ localStorage.clear(); sessionStorage.begun = 1;"
            f" localStorage.setItem('sketch-pix2seq.settings', '{json.dumps(settings)}'); }}"
        )

        def known(url: str) -> None:
            if not url.startswith((address.split("#")[0], "blob:", "data:")):
                problems.append(f"asked for {url}")

        page.goto(address)
        opened = Studio(page)
        if ready:
            opened.says("The model is ready.")
        return opened

    yield start
    for page in pages:
        page.close()
    assert problems == []


def test_what_is_drawn_is_redrawn(studio: Open, address: str) -> None:
    page = studio(address)
    assert page.page.evaluate("crossOriginIsolated"), "threads work"
    page.draw(*FISH)
    first = page.settled("redrawings", 9)
    assert len(set(first)) > 5, "each is another drawing"
    page.get("freedom").fill("1")
    wild = page.changed("redrawings", first)
    page.get("shuffle").click()
    others = page.changed("redrawings", wild)
    page.draw([(0.2, 0.2), (0.3, 0.1)])
    page.changed("redrawings", others)
    assert page.strokes == 4


def test_undo_redo_eraser_and_clear(studio: Open, address: str) -> None:
    page = studio(address)
    page.draw(CIRCLE, TAIL)
    assert page.strokes == 2
    page.button("Undo").click()
    assert page.strokes == 1
    page.page.keyboard.press("Control+z")
    assert page.strokes == 0
    empty = "[data-testid=redrawings] [data-testid=tile][data-state=empty]"
    page.page.wait_for_selector(empty, state="attached")
    page.button("Redo").click()
    page.page.keyboard.press("Control+y")
    assert page.strokes == 2
    page.button("Eraser").click()
    page.draw([(0.95, 0.5), (0.85, 0.5)])
    assert page.strokes == 1
    page.page.keyboard.press("p")
    page.draw([(0.9, 0.9), (0.95, 0.95)])
    assert page.strokes == 2
    page.button("Clear the canvas").click()
    assert page.strokes == 0
    page.button("Undo").click()
    assert page.strokes == 2
    page.page.reload()
    page.settled("redrawings", 9)
    assert page.strokes == 2, "a reload loses nothing"


def test_a_redrawing_is_kept_continued_and_used(studio: Open, address: str) -> None:
    page = studio(address)
    page.draw(*FISH)
    first = page.settled("redrawings", 9)
    tiles = page.get("redrawings").get_by_test_id("tile").get_by_role("button")
    tiles.nth(2).click()
    page.get("menu-keep").click()
    page.says("Kept.")
    assert page.get("shelf").get_by_role("button").count() == 1
    tiles.nth(4).click()
    page.get("menu-use-as-next-input").click()
    page.changed("redrawings", first)
    assert page.strokes == 3, "the canvas stays"
    tiles.nth(0).focus()
    page.page.keyboard.press("c")
    ink = json.loads(page.page.evaluate("localStorage.getItem('sketch-pix2seq.canvas')"))
    assert {stroke["by"] for stroke in ink} == {"model"}


def test_a_started_drawing_is_finished(studio: Open, address: str) -> None:
    page = studio(address)
    page.view("finish")
    page.draw(CIRCLE)
    page.settled("proposals", 1)
    page.get("finish-category").fill("fac")
    page.page.keyboard.press("Enter")
    page.page.wait_for_selector("[data-testid=proposals][aria-busy=false]")
    assert len(page.settled("proposals", 1)) >= 1
    page.get("take-proposal").click()
    ink = json.loads(page.page.evaluate("localStorage.getItem('sketch-pix2seq.canvas')"))
    assert [stroke["by"] for stroke in ink][:1] == ["person"]
    assert "model" in {stroke["by"] for stroke in ink}
    page.button("Undo").click()
    assert page.strokes == 1


def test_blends(studio: Open, address: str) -> None:
    page = studio(address)
    page.draw(*FISH)
    page.view("blend")
    tile = page.get("blend-tile")
    page.page.wait_for_selector("[data-testid=blend-tile][data-state=settled]")
    before = picture_of(tile)
    for share in ("0", "1"):
        page.get("blend").fill(share)
        for _ in range(200):
            if picture_of(tile) not in ("", before):
                break
            page.page.wait_for_timeout(50)
        assert picture_of(tile) not in ("", before)
        before = picture_of(tile)
    page.page.get_by_text("Among four").click()
    grid = page.settled("blend-grid", 25)
    assert len(set(grid)) > 12


def test_wandering_by_category(studio: Open, address: str) -> None:
    page = studio(address)
    page.view("wander")
    page.get("wander-category").fill("mushr")
    page.page.keyboard.press("Enter")
    page.page.wait_for_function(
        "() => document.querySelectorAll('[data-testid=imagined] button[aria-label$=mushroom]').length >= 6"
    )
    page.page.get_by_text("Pause").click()


def test_the_map_shows_what_lies_where(studio: Open, address: str) -> None:
    page = studio(address)
    page.draw(*FISH)
    page.view("map")
    page.get("map-pin").wait_for()
    box = page.get("map").bounding_box()
    assert box is not None
    page.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    card = page.get("map-card")
    card.wait_for()
    page.page.wait_for_selector("[data-testid=map-card] [data-testid=tile][data-state=settled]")
    assert picture_of(card.get_by_test_id("tile"))
    names = [name for name in open_model("bundled").model.info.categories if name in card.inner_text()]
    assert names, "the card names what lies there"


def test_what_is_taken_along_can_be_read(studio: Open, address: str, tmp_path: Path) -> None:
    page = studio(address)
    page.draw(*FISH)
    page.settled("redrawings", 9)
    page.button("Keep this drawing").click()
    page.get("redrawings").get_by_test_id("tile").first.get_by_role("button").focus()
    page.page.keyboard.press("k")
    page.button("Take it with you").click()
    page.get("width-mm").fill("120")
    svg = page.saved("export-svg")
    assert re.search(r'width="120(\.0*)?mm"', svg.read_text(encoding="utf-8"))
    sketch = read_svg(svg)
    assert len(sketch) == 3
    assert np.ptp(sketch.strokes[1], axis=0)[1] > np.ptp(sketch.strokes[2], axis=0)[1]
    with Image.open(page.saved("export-png")) as picture:
        assert max(picture.size) == 1024
        assert np.asarray(picture.convert("L")).min() < 100
    with Image.open(page.saved("export-gif")) as film:
        assert len(list(ImageSequence.Iterator(film))) > 10
    (line,) = read_sketches(page.saved("export-ndjson"))
    assert len(line) == 3
    assert line.bounds()[:2] == (0, 0)
    assert max(line.bounds()) == 255
    page.get("export-link").click()
    page.get("take-said").get_by_text("The link is on the clipboard.").wait_for()
    link = page.page.evaluate("navigator.clipboard.readText()")
    page.page.get_by_text("Train on these").click()
    session = page.saved("export-session")
    kept = list(read_sketches(session))
    assert len(kept) == 2
    assert [stroke.tolist() for stroke in kept[1].strokes] == [stroke.tolist() for stroke in line.strokes]
    main(["prepare", str(session), str(tmp_path / "mine.arrow"), "--valid", "0", "--test", "0"])
    assert len(SketchSet.open(tmp_path / "mine.arrow")) == 2
    again = studio(link, ready=False)
    again.holds(3)
    assert "#d1" not in again.page.url
    again.settled("redrawings", 9)


def test_photos_and_files_become_strokes(studio: Open, address: str) -> None:
    page = studio(address)
    page.drop("fish.jpg", "image/jpeg", (REPOSITORY / "examples" / "fish.jpg").read_bytes())
    page.says("It is on the canvas, as strokes.")
    assert 1 <= page.strokes < 40
    page.settled("redrawings", 9)
    turns = [(t / 2000 * 6 * math.tau, 100 * t / 2000) for t in range(2000)]
    spiral = " ".join(f"{r * math.cos(a):.2f},{r * math.sin(a):.2f}" for a, r in turns)
    line = f'<path style="fill:none;stroke:red" d="M{spiral}"/>'
    hidden = '<style>.guide { display: none }</style><path class="guide" stroke="red" d="M0 0L9 9"/>'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg">{hidden}{line}</svg>'
    page.drop("spiral.svg", "image/svg+xml", svg.encode())
    page.holds(1)
    page.settled("redrawings", 9)


def large_picture(width: int, height: int) -> bytes:
    """A drawing in a picture of many pixels and few bytes."""
    picture = Image.new("1", (width, height), 1)
    ImageDraw.Draw(picture).ellipse((width // 4, height // 4, width // 2, height // 2), outline=0, width=width // 100)
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return file.getvalue()


def test_what_cannot_be_read_is_one_sentence(studio: Open, address: str) -> None:
    page = studio(address)
    page.draw(CIRCLE)
    page.drop("large.png", "image/png", large_picture(12_000, 10_000))
    page.says("This picture has 120 megapixels, more than the 100 that can be read; reduce it first.")
    page.drop("notes.txt", "text/plain", b"not a drawing")
    page.says("This picture cannot be read or is damaged; PNG, JPEG, WebP, GIF, BMP and SVG work.")
    page.drop("empty.png", "image/png", b"")
    page.says("This file is empty; choose another one.")
    page.drop("blank.png", "image/png", large_picture(300, 300)[:40])
    page.says("This picture cannot be read or is damaged; PNG, JPEG, WebP, GIF, BMP and SVG work.")
    assert page.strokes == 1, "what was drawn stays"
    page.button("Draw from a picture").click()
    page.get("menu-take-one").click()
    page.says(re.compile("camera"))
    page.drop("large.png", "image/png", large_picture(10_000, 5_000))
    page.says("It is on the canvas, as strokes.")
    page.settled("redrawings", 9)


def test_without_webgpu_it_says_so_and_draws(studio: Open, address: str) -> None:
    page = studio(address, {**QUICK, "device": "webgpu"}, ready=False)
    page.says(re.compile("WebGPU"))
    page.draw(*FISH)
    page.settled("redrawings", 9)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_web(tmp_path_factory.mktemp("web") / "site", open_model("bundled").files(None)).folder


def test_a_plain_static_host_is_enough(studio: Open, site: Path) -> None:
    with static_host(site) as address:
        page = studio(address)
        assert not page.page.evaluate("crossOriginIsolated")
        page.draw(*FISH)
        page.settled("redrawings", 9)
        page.view("map")
        assert "map" in page.get("missing").inner_text()
        page.button("Settings").click()
        page.page.get_by_text("the processor, 1 thread", exact=True).wait_for()


def test_a_damaged_model_is_one_sentence(studio: Open, site: Path) -> None:
    decoder = site / "model" / DECODER
    whole = decoder.read_bytes()
    decoder.write_bytes(whole[: len(whole) // 2])
    with static_host(site) as address:
        page = studio(address, ready=False)
        page.says("decoder.onnx is damaged; copy the model's folder again.")
        page.draw(CIRCLE)
        assert page.strokes == 1, "one can draw all the same"
        decoder.write_bytes(whole)
        page.page.get_by_text("Try again").click()
        page.says("The model is ready.")
        page.settled("redrawings", 9)


def test_a_phone(studio: Open, address: str) -> None:
    page = studio(address)
    page.page.set_viewport_size({"width": 360, "height": 740})
    page.draw(*FISH)
    page.settled("redrawings", 9)
    for name in ("finish", "blend", "map", "wander", "redraw"):
        page.view(name)
        assert page.page.evaluate("document.documentElement.scrollWidth") <= 360, name
    for label in ("Pen", "Eraser", "Undo", "Draw from a picture", "Take it with you", "Keys", "Settings"):
        box = page.button(label).bounding_box()
        assert box is not None
        assert 0 <= box["x"] <= box["x"] + box["width"] <= 360, label
