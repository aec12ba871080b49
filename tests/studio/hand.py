"""What a person does with the studio's page in a browser."""

from __future__ import annotations

import base64
import json
import math
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

Points = Sequence[tuple[float, float]]
TURNS = [turn / 24 * math.tau for turn in range(25)]
CIRCLE: Points = [(0.5 + 0.25 * math.cos(turn), 0.5 + 0.25 * math.sin(turn)) for turn in TURNS]
TAIL: Points = [(0.74, 0.45), (0.9, 0.3), (0.9, 0.7), (0.74, 0.55)]
FISH = (CIRCLE, TAIL, [(0.35, 0.45), (0.36, 0.46)])
"""Strokes in shares of the canvas's shorter side, from the upper left corner of the middle square."""

DROP = """async ([name, type, content]) => {
  const bytes = Uint8Array.from(atob(content), (character) => character.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([bytes], name, { type }));
  for (const kind of ["dragenter", "dragover", "drop"]) {
    document.body.dispatchEvent(new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true }));
  }
}"""


class Studio:
    """A page of the studio, and what a person does with it."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def get(self, name: str) -> Locator:
        return self.page.get_by_test_id(name)

    def button(self, label: str) -> Locator:
        return self.page.get_by_role("button", name=label, exact=True)

    def view(self, name: str) -> None:
        self.get(f"tab-{name}").click()

    def draw(self, *strokes: Points) -> None:
        """Draw with the mouse."""
        box = self.get("canvas").bounding_box()
        assert box is not None
        side = min(box["width"], box["height"])
        left, top = box["x"] + (box["width"] - side) / 2, box["y"] + (box["height"] - side) / 2
        for stroke in strokes:
            places = [(left + side * x, top + side * y) for x, y in stroke]
            self.page.mouse.move(*places[0])
            self.page.mouse.down()
            for place in places[1:]:
                self.page.mouse.move(*place)
            self.page.mouse.up()

    @property
    def strokes(self) -> int:
        """Strokes on the canvas."""
        return len(json.loads(self.page.evaluate("localStorage.getItem('sketch-pix2seq.canvas') ?? '[]'")))

    def holds(self, strokes: int) -> None:
        """Wait until the canvas has so many strokes."""
        self.page.wait_for_function(
            "(count) => JSON.parse(localStorage.getItem('sketch-pix2seq.canvas') ?? '[]').length === count", arg=strokes
        )

    def settled(self, group: str, count: int) -> list[str]:
        """The pictures of a group's tiles, once so many of them have their drawings."""
        tiles = self.get(group).get_by_test_id("tile")
        self.page.wait_for_function(
            "([group, count]) => document.querySelectorAll("
            "`[data-testid=${group}] [data-testid=tile][data-state=settled]`).length >= count",
            arg=[group, count],
        )
        return [picture for picture in map(picture_of, tiles.all()) if picture]

    def changed(self, group: str, before: Sequence[str]) -> list[str]:
        """The pictures of a group's tiles once they are others than before."""
        for _ in range(100):
            now = self.settled(group, len(before))
            if all(a != b for a, b in zip(now, before, strict=True)):
                return now
            self.page.wait_for_timeout(50)
        raise AssertionError(f"{group} stays as it was")

    def says(self, text: str | re.Pattern[str]) -> None:
        """Wait until the status line says something."""
        self.get("status").get_by_text(text).wait_for()

    def drop(self, name: str, kind: str, content: bytes) -> None:
        self.page.evaluate(DROP, [name, kind, base64.b64encode(content).decode()])

    def saved(self, button: str) -> Path:
        """The file that a click gives."""
        with self.page.expect_download() as waiting:
            self.get(button).click()
        folder = Path(waiting.value.path())
        return Path(shutil.copy(folder, folder.with_name(waiting.value.suggested_filename)))


def picture_of(tile: Locator) -> str:
    """What a tile shows; empty where it is blank or cannot be seen."""
    found: str = tile.evaluate(
        "(tile) => { const canvas = tile.querySelector('canvas'); if (!canvas.width) return '';"
        " const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;"
        " return pixels.some((value) => value) ? canvas.toDataURL() : ''; }"
    )
    return found
