"""The lines of docs/p5.md in a real browser, beside a stand-in for p5.js."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING

from sketch_pix2seq.studio.folder import open_model
from sketch_pix2seq.studio.web import export_web
from tests.conftest import REPOSITORY
from tests.studio.conftest import static_host

if TYPE_CHECKING:
    from playwright.sync_api import Browser

P5 = """
window.p5 = class {
  constructor(sketch) {
    sketch(this);
    this.setup();
    const at = (event) => { this.mouseX = event.offsetX; this.mouseY = event.offsetY; };
    let down = false;
    this.canvas.onmousedown = (event) => { at(event); down = true; this.mousePressed(); };
    this.canvas.onmousemove = (event) => { at(event); if (down) this.mouseDragged(); };
    const drawn = () => { window.drawn = true; };
    this.canvas.onmouseup = (event) => { at(event); down = false; this.mouseReleased().then(drawn); };
    const frame = () => { this.draw(); requestAnimationFrame(frame); };
    frame();
  }
  createCanvas(width, height) {
    this.canvas = document.body.appendChild(document.createElement("canvas"));
    Object.assign(this.canvas, { width, height });
    this.context = this.canvas.getContext("2d");
  }
  background(grey) { this.context.fillStyle = `rgb(${grey} ${grey} ${grey})`; this.context.fillRect(0, 0, 600, 600); }
  noFill() {}
  strokeWeight(width) { this.context.lineWidth = width; }
  stroke(grey) { this.context.strokeStyle = `rgb(${grey} ${grey} ${grey})`; }
  beginShape() { this.context.beginPath(); }
  vertex(x, y) { this.context.lineTo(x, y); }
  endShape() { this.context.stroke(); }
};
"""
"""What the sketch uses of p5.js; like its second version, it does not chain."""
DARK = """() => {
  const { width, height } = document.querySelector("canvas");
  const pixels = document.querySelector("canvas").getContext("2d").getImageData(0, 0, width, height).data;
  let dark = 0;
  for (let i = 0; i < pixels.length; i += 4) dark += pixels[i] < 80;
  return dark;
}"""


def test_the_lines_of_the_page_draw(browser: Browser, tmp_path: Path) -> None:
    found = re.search(r"```html\n(.*?)```", (REPOSITORY / "docs" / "p5.md").read_text(encoding="utf-8"), re.S)
    assert found is not None
    site = export_web(tmp_path / "site", open_model("bundled").files(None)).folder
    (site / "sketch.html").write_text(found[1], encoding="utf-8")
    (site / "p5.min.js").write_text(P5)
    with static_host(site) as address:
        page = browser.new_page(viewport={"width": 640, "height": 640})
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"{address}sketch.html")
        page.wait_for_selector("canvas")
        assert page.evaluate(DARK) == 0
        turns = [turn / 16 * math.tau for turn in range(17)]
        page.mouse.move(450, 300)
        page.mouse.down()
        for turn in turns:
            page.mouse.move(300 + 150 * math.cos(turn), 300 + 150 * math.sin(turn))
        page.mouse.up()
        page.wait_for_function("window.drawn")
        page.wait_for_timeout(100)
        assert page.evaluate(DARK) > 1000, "the model's drawing, black over the grey one"
        page.close()
    assert errors == []
