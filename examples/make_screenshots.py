"""Make the pictures of docs/studio.md again: the studio, drawn in with a scripted hand.

    python examples/make_screenshots.py [--out docs/images]

Needs playwright and Chromium.
"""

from __future__ import annotations

import argparse
import math
import shutil
import threading
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from sketch_pix2seq.studio.folder import find_atlas, open_model
from sketch_pix2seq.studio.server import StudioServer

TURNS = [turn / 40 * math.tau for turn in range(41)]
FISH = (
    [(0.45 + 0.27 * math.cos(t), 0.5 + 0.17 * math.sin(t) * (1 + 0.1 * math.sin(3 * t))) for t in TURNS],
    [(0.71, 0.48), (0.78, 0.42), (0.9, 0.34), (0.88, 0.5), (0.91, 0.66), (0.79, 0.58), (0.71, 0.52)],
    [(0.27 + 0.018 * math.cos(t), 0.45 + 0.018 * math.sin(t)) for t in TURNS[::4]],
    [(0.2, 0.55), (0.23, 0.57), (0.26, 0.57), (0.28, 0.56)],
    [(0.4, 0.34), (0.45, 0.26), (0.54, 0.24), (0.58, 0.35)],
)
"""Strokes in shares of the canvas's shorter side."""


def draw(page: Page, strokes: tuple[list[tuple[float, float]], ...] = FISH) -> None:
    """Draw on the canvas with the mouse, and wait for the redrawings."""
    box = page.get_by_test_id("canvas").bounding_box()
    assert box is not None
    side = min(box["width"], box["height"])
    left, top = box["x"] + (box["width"] - side) / 2, box["y"] + (box["height"] - side) / 2
    for stroke in strokes:
        places = [(left + side * x, top + side * y) for x, y in stroke]
        page.mouse.move(*places[0])
        page.mouse.down()
        for place in places[1:]:
            page.mouse.move(*place)
        page.mouse.up()
    page.mouse.move(2, 2)


def save(page: Page, path: Path) -> None:
    """A picture of the page, of few colours."""
    page.wait_for_timeout(7000)  # until the status line is quiet, and what is drawn has been drawn
    page.screenshot(path=path)
    with Image.open(path) as picture:
        picture.convert("RGB").quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)


def main() -> None:
    """Serve the studio, draw in it, and save what it looks like."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    out = parser.parse_args().out
    opened = open_model("bundled")
    with StudioServer(opened.files(find_atlas(opened)), port=0) as server, sync_playwright() as playwright:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(server.address)
        page.get_by_text("The model is ready.").wait_for()
        draw(page)
        page.wait_for_selector("[data-testid=redrawings][aria-busy=false]")
        save(page, out / "studio.png")
        page.get_by_test_id("tab-map").click()
        page.get_by_test_id("map-pin").wait_for()
        save(page, out / "studio-map.png")
        browser.close()
        server.shutdown()


if __name__ == "__main__":
    main()
