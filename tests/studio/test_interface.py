"""The studio's interface in a real browser, with a scripted engine in place of the model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from sketch_pix2seq.formats.svg import read_svg
from sketch_pix2seq.studio.server import PAGE
from tests.conftest import REPOSITORY
from tests.studio.conftest import static_host
from tests.studio.hand import CIRCLE, FISH, TAIL, Studio, picture_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

ENGINE = (Path(__file__).parent / "scripted_engine.js").read_text()
COLOURS = """() => {
  const { width, height } = document.querySelector("#paper canvas");
  const pixels = document.querySelector("#paper canvas").getContext("2d").getImageData(0, 0, width, height).data;
  const found = new Set();
  for (let i = 0; i < pixels.length; i += 4) if (pixels[i + 3] === 255) found.add(pixels.slice(i, i + 3).join());
  return [...found];
}"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with static_host(PAGE) as host:
        yield host


def profile(browser: Browser, **options: object) -> BrowserContext:
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, "service_workers": "block", **options})  # type: ignore[arg-type]
    context.route("**/engine-worker.js", lambda route: route.fulfill(body=ENGINE, content_type="text/javascript"))
    context.add_init_script("localStorage['sketch-pix2seq.settings'] ??= JSON.stringify({ pace: 0 })")
    return context


def opened(context: BrowserContext, address: str) -> Studio:
    page = context.new_page()
    page.set_default_timeout(20_000)
    page.goto(address)
    studio = Studio(page)
    studio.says("The model is ready.")
    return studio


def test_rows_are_freer_and_the_guess_is_said(browser: Browser, address: str) -> None:
    with profile(browser) as context:
        studio = opened(context, address)
        studio.draw(CIRCLE)
        studio.get("guess-words").get_by_text("Perhaps a fish, or an owl?").wait_for()
        studio.draw(*FISH[1:])
        studio.get("guess-words").get_by_text("I see a fish.").wait_for()
        assert len(set(studio.settled("redrawings", 9))) == 9
        studio.get("guess-clean").click()
        studio.page.wait_for_function(
            "() => JSON.parse(localStorage['sketch-pix2seq.canvas']).every(({ by }) => by === 'model')"
        )
        studio.page.keyboard.press("Control+z")
        studio.page.wait_for_function(
            "() => JSON.parse(localStorage['sketch-pix2seq.canvas']).every(({ by }) => by === 'person')"
        )


def test_with_reduced_motion_two_hands_have_two_colours(browser: Browser, address: str) -> None:
    with profile(browser, reduced_motion="reduce") as context:
        studio = opened(context, address)
        studio.view("finish")
        studio.draw(CIRCLE)
        studio.settled("proposals", 1)
        studio.get("take-proposal").click()
        studio.holds(3)
        assert len(studio.page.evaluate(COLOURS)) == 2


def test_turns_end_when_the_model_sees_nothing_missing(browser: Browser, address: str) -> None:
    with profile(browser) as context:
        studio = opened(context, address)
        studio.view("finish")
        studio.get("turns").check()
        studio.draw(CIRCLE)
        studio.holds(2)
        studio.draw(TAIL)
        studio.holds(4)
        studio.draw([(0.3, 0.3), (0.35, 0.3)])
        studio.get("opinion").get_by_text("The model thinks that it is done.").wait_for()
        assert studio.strokes == 5


def test_turns_are_saved_in_two_colours(browser: Browser, address: str) -> None:
    with profile(browser) as context:
        studio = opened(context, address)
        studio.view("finish")
        studio.get("turns").check()
        studio.draw(CIRCLE)
        studio.holds(2)
        studio.get("take").click()
        svg = studio.saved("export-svg").read_text()
        assert svg.index('stroke="#222226"') < svg.index('stroke="#1767ad"')
        with Image.open(studio.saved("export-gif")) as film:
            film.seek(getattr(film, "n_frames", 1) - 1)
            blue = np.asarray(film.convert("RGB"), int) @ [-1, 0, 1]
        assert (blue > 100).any()
        assert (blue <= 4).any()


def test_a_sorted_svg_says_what_it_loses(browser: Browser, address: str) -> None:
    with profile(browser) as context:
        studio = opened(context, address)
        studio.draw([(0.1, 0.1), (0.2, 0.1)], [(0.8, 0.1), (0.9, 0.1)], [(0.4, 0.1), (0.25, 0.1)])
        studio.get("take").click()
        drawn = read_svg(studio.saved("export-svg"))
        studio.get("sort").check()
        assert "The order and the direction of strokes" in studio.get("take-said").inner_text()
        ordered = read_svg(studio.saved("export-svg"))
        assert [round(stroke[0, 0], 3) for stroke in ordered.strokes] == [
            round(point, 3) for point in (drawn.strokes[0][0, 0], drawn.strokes[2][-1, 0], drawn.strokes[1][0, 0])
        ]


def test_a_challenge_is_finished_and_compared(browser: Browser, address: str) -> None:
    with profile(browser, permissions=["clipboard-read", "clipboard-write"]) as context:
        studio = opened(context, address)
        studio.draw(*FISH)
        studio.get("take").click()
        studio.get("export-challenge").click()
        studio.get("take-said").get_by_text("The link is on the clipboard.").wait_for()
        link = studio.page.evaluate("navigator.clipboard.readText()")
        assert "#c1." in link
        friend = Studio(context.new_page())
        friend.page.goto(link)
        friend.get("challenge").wait_for()
        friend.holds(1)
        assert not friend.get("proposals").is_visible(), "the model keeps its ending to itself"
        friend.draw(TAIL)
        friend.holds(2)
        friend.get("status").get_by_text("The model is ready.").wait_for()
        friend.get("compare").click()
        endings = friend.get("endings").get_by_test_id("tile")
        friend.page.wait_for_function(
            "() => document.querySelectorAll('[data-testid=endings] [data-state=settled]').length === 2"
        )
        assert picture_of(endings.first) != picture_of(endings.last)


def test_strokes_are_selected_moved_scaled_and_removed(browser: Browser, address: str) -> None:
    def spans(studio: Studio) -> list[tuple[float, float]]:
        ink = json.loads(studio.page.evaluate("localStorage['sketch-pix2seq.canvas']"))
        return [(min(stroke["p"][::2]), max(stroke["p"][::2])) for stroke in ink]

    with profile(browser) as context:
        studio = opened(context, address)
        studio.draw([(0.3, 0.3), (0.4, 0.4)], [(0.6, 0.6), (0.7, 0.7)])
        before = spans(studio)
        studio.get("select").click()
        studio.draw([(0.25, 0.25), (0.45, 0.45)])
        studio.draw([(0.35, 0.35), (0.4, 0.35), (0.45, 0.35)])
        moved = spans(studio)
        assert moved[1] == before[1]
        assert moved[0][0] > before[0][0] + 50
        studio.page.keyboard.press("+")
        scaled = spans(studio)
        assert scaled[0][1] - scaled[0][0] > 1.05 * (moved[0][1] - moved[0][0])
        studio.page.keyboard.press("Delete")
        assert studio.strokes == 1
        for _ in range(3):
            studio.page.keyboard.press("Control+z")
        assert spans(studio) == before


def test_a_walk_on_the_map_is_a_film_and_a_strip(browser: Browser, address: str) -> None:
    with profile(browser) as context:
        studio = opened(context, address)
        studio.view("map")
        studio.get("walk-on").click()
        box = studio.get("map").bounding_box()
        assert box is not None
        studio.page.mouse.move(box["x"] + 60, box["y"] + 100)
        studio.page.mouse.down()
        for step in range(10):
            studio.page.mouse.move(box["x"] + 60 + 20 * step, box["y"] + 100 + 10 * step)
        studio.page.mouse.up()
        studio.get("walk").wait_for()
        with Image.open(studio.saved("walk-gif")) as film:
            assert getattr(film, "n_frames", 1) == 46
            assert film.info["loop"] == 0
        assert len(read_svg(studio.saved("walk-strip"))) == 12 * 4
        studio.get("map").focus()
        studio.page.keyboard.press("Enter")
        assert not studio.get("walk").is_visible(), "a new walk begins"
        for _ in range(4):
            studio.page.keyboard.press("ArrowRight")
        studio.page.keyboard.press("Enter")
        studio.get("walk").wait_for()


AXE = REPOSITORY / "studio" / "node_modules" / "axe-core" / "axe.min.js"
SIZES = ((360, 740), (820, 1180), (1280, 800), (1920, 1080))


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed")
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_view_is_accessible(browser: Browser, address: str, theme: str) -> None:
    with profile(browser, reduced_motion="reduce", color_scheme=theme) as context:
        studio = opened(context, address)
        studio.page.evaluate(AXE.read_text())
        studio.draw(*FISH)
        for name in ("redraw", "finish", "blend", "map", "wander"):
            studio.view(name)
            found = studio.page.evaluate("axe.run().then(({ violations }) => violations.map(({ id }) => id))")
            assert found == [], name


def test_nothing_is_cut_off_and_nothing_leaves_the_origin(browser: Browser, address: str) -> None:
    with profile(browser) as context:
        asked: list[str] = []
        context.on("request", lambda request: asked.append(request.url))
        studio = opened(context, address)
        studio.draw(*FISH)
        for width, height in SIZES:
            studio.page.set_viewport_size({"width": width, "height": height})
            for name in ("finish", "blend", "map", "wander", "redraw"):
                studio.view(name)
                assert studio.page.evaluate("document.documentElement.scrollWidth") <= width, (name, width)
        assert [url for url in asked if not url.startswith((address, "blob:", "data:"))] == []


def test_tabs_keep_their_drawings_and_back_works(browser: Browser, address: str) -> None:
    with profile(browser) as context:
        one, other = opened(context, address), opened(context, address)
        one.draw(CIRCLE)
        other.draw(TAIL)
        one.button("Keep this drawing").click()
        other.button("Keep this drawing").click()
        for studio in (one, other):
            studio.page.wait_for_function("() => document.querySelectorAll('[data-testid=shelf] button').length === 2")
        one.view("finish")
        one.view("map")
        one.page.go_back()
        one.page.wait_for_selector("#tab-finish[aria-selected=true]")
        other.page.goto(f"{address}#d1.AAAA")
        other.says("The link is damaged or cut short; ask for it again.")


def test_shortcuts_can_be_turned_off_and_strokes_reordered(browser: Browser, address: str) -> None:
    with profile(browser) as context:
        studio = opened(context, address)
        studio.draw(*FISH)
        before = json.loads(studio.page.evaluate("localStorage['sketch-pix2seq.canvas']"))
        studio.button("Replay, and the order of strokes").click()
        studio.button("Stroke 1").click()
        studio.button("Later").click()
        studio.button("Close").click()
        after = json.loads(studio.page.evaluate("localStorage['sketch-pix2seq.canvas']"))
        assert after == [before[1], before[0], before[2]]
        studio.button("Settings").click()
        studio.get("shortcuts").uncheck()
        studio.button("Close").click()
        studio.page.keyboard.press("x")
        assert studio.strokes == 3


def test_half_of_a_phone_is_paper(browser: Browser, address: str) -> None:
    with profile(browser, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True) as context:
        studio = opened(context, address)
        studio.draw(*FISH)
        studio.settled("redrawings", 9)
        paper = studio.get("canvas").bounding_box()
        tools = studio.page.locator("#tools").bounding_box()
        dial = studio.get("freedom").bounding_box()
        assert paper is not None
        assert tools is not None
        assert dial is not None
        assert paper["height"] >= 370
        assert tools["y"] >= paper["y"] + paper["height"] - 1
        assert tools["x"] >= 0
        assert tools["x"] + tools["width"] <= 360
        assert dial["y"] + dial["height"] <= 740


def test_the_page_is_scaled_and_moved(browser: Browser, address: str) -> None:
    with profile(browser) as context:
        studio = opened(context, address)
        studio.draw(CIRCLE)
        whole = studio.button("Show all of the page")
        assert not whole.is_visible()
        studio.page.keyboard.down("Control")
        studio.page.mouse.wheel(0, -400)
        studio.page.keyboard.up("Control")
        whole.wait_for()
        studio.draw([(0.4, 0.4), (0.6, 0.4)])
        ink = json.loads(studio.page.evaluate("localStorage['sketch-pix2seq.canvas']"))
        width = ink[1]["p"][-2] - ink[1]["p"][0]
        assert 20 < width < 80, "a fifth of the paper's side is less of the page when it is scaled"
        whole.click()
        assert not whole.is_visible()


def test_without_network_the_page_is_there(browser: Browser, address: str) -> None:
    with profile(browser, service_workers="allow") as context:
        studio = opened(context, address)
        studio.page.evaluate("navigator.serviceWorker.ready.then(() => undefined)")
        context.set_offline(True)
        studio.page.reload()
        studio.draw(CIRCLE)
        studio.holds(1)
        studio.drop("fish.jpg", "image/jpeg", (REPOSITORY / "examples" / "fish.jpg").read_bytes())
        studio.says("It is on the canvas, as strokes.")


def test_all_that_the_page_loads_is_kept_for_offline() -> None:
    kept = (PAGE / "sw.js").read_text()
    apart = ("build.json", "index.html", "licenses.txt", "sketch-pix2seq.js", "sw.js")  # GPU: online alone
    files = [path.name for path in PAGE.iterdir() if path.name not in apart]
    missing = [name for name in files if f'"{name}"' not in kept and "asyncify" not in name and "webgpu" not in name]
    assert missing == []
