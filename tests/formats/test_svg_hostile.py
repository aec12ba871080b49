"""Hostile SVGs: whatever they hold, time and memory stay in proportion to their size, and one never ends a run."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sketch_pix2seq.errors import FormatError
from sketch_pix2seq.formats.svg import read_svg

CASES = Path(__file__).parent / "cases" / "hostile"
HEAD = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100">'
LINE = '<path d="M0 0L50 50" stroke="black" fill="none"/>'
GROWTH = 8
"""Times that the larger input of each kind is as large as the smaller one."""
SMALL = 20_000
"""Bytes of the smaller one."""
ALWAYS = 0.8
"""Seconds of one core that the larger one may take in any case: noise of a machine at work."""


def svg(body: str, head: str = HEAD) -> str:
    return f"{head}{body}{LINE}</svg>"


def times(size: int, unit: Callable[[int], str], room: str = "") -> str:
    """As many units, numbered, as fill a size in bytes."""
    return room.join(unit(number) for number in range(size // max(1, len(unit(1000)))))


def star(size: int) -> str:
    count = size // 16
    return "M" + " ".join(
        f"{50 + 50 * math.cos(2.4 * number):.3f} {50 + 50 * math.sin(2.4 * number):.3f}" for number in range(count)
    )


def rules(size: int, selector: Callable[[int], str], elements: str) -> str:
    return f"<style>{times(size // 2, lambda n: selector(n) + '{fill:none}')}</style>{elements}"


def nested(size: int) -> str:
    return times(size, lambda _: "<g>" * 100 + LINE + "</g>" * 100)


def doubling(count: int) -> str:
    return (
        "".join(f'<g id="g{n}">' + f'<use href="#g{n + 1}"/>' * 10 + "</g>" for n in range(count))
        + f'<g id="g{count}"/>'
    )


KINDS: dict[str, Callable[[int], str]] = {
    "a star whose edges all cross": lambda size: svg(f'<path d="{star(size)}Z"/>'),
    "a clip path whose edges all cross": lambda size: svg(
        f'<clipPath id="c"><path d="{star(size)}"/></clipPath><path clip-path="url(#c)" d="M0 50H100V60z"/>'
    ),
    "a star with a dashed line": lambda size: svg(
        f'<path stroke="red" fill="none" stroke-dasharray=".001" d="{star(size)}"/>'
    ),
    "areas over the page": lambda size: svg(times(size, lambda n: f'<path d="M0 0H100V100z" fill="#{n % 4096:03x}"/>')),
    "white strokes": lambda size: svg(
        times(size, lambda n: f'<path d="M0 {n % 97}H100" stroke="#fff" fill="none" stroke-width="9"/>')
    ),
    "translucent groups": lambda size: svg(
        times(size, lambda n: f'<g opacity=".5"><rect width="{n % 100}" height="9"/></g>')
    ),
    "clip paths": lambda size: svg(
        times(
            size,
            lambda n: (
                f'<clipPath id="c{n}"><circle r="{n % 90}"/></clipPath>'
                f'<rect clip-path="url(#c{n})" width="99" height="9"/>'
            ),
        )
    ),
    "one large clip path for many": lambda size: svg(
        f'<clipPath id="c"><path d="{star(size // 2)}"/></clipPath>'
        + times(size // 2, lambda n: f'<path transform="rotate({n})" clip-path="url(#c)" stroke="red" d="M0 0H50"/>')
    ),
    "masks": lambda size: svg(
        times(
            size,
            lambda n: (
                f'<mask id="m{n}"><path d="M0 0h{n % 90}v90z" fill="#fff"/></mask>'
                f'<path mask="url(#m{n})" d="M0 0h90v9z"/>'
            ),
        )
    ),
    "clip paths in clip paths": lambda size: svg(
        times(size, lambda n: f'<clipPath id="c{n}" clip-path="url(#c{n + 1})"><rect width="9" height="9"/></clipPath>')
        + '<rect clip-path="url(#c0)" width="9" height="9"/>'
    ),
    "boxes of boxes": lambda size: svg(
        '<clipPath id="c" clipPathUnits="objectBoundingBox"><circle r="1"/></clipPath>'
        + times(size, lambda _: '<g clip-path="url(#c)">' * 50 + '<rect width="9" height="9"/>' + "</g>" * 50)
    ),
    "markers": lambda size: svg(
        '<marker id="m"><circle r="1"/></marker><path marker-mid="url(#m)" d="' + star(size) + '"/>'
    ),
    "use": lambda size: svg('<g id="a"><path d="M0 0h9v9"/></g>' + times(size, lambda n: f'<use href="#a" x="{n}"/>')),
    "use of use": lambda size: svg(doubling(size // 250)),
    "a chain of use": lambda size: svg(times(size, lambda n: f'<g id="c{n}"><use href="#c{n + 1}"/></g>')),
    "descendants of anything": lambda size: svg(rules(size, lambda n: "* " * (n % 30) + "q", nested(size // 2))),
    "siblings": lambda size: svg(rules(size, lambda n: "a ~ a ~ path + q", times(size // 2, lambda _: "<a/><path/>"))),
    "attributes with long values": lambda size: svg(
        rules(size, lambda n: f"[d*='{n}z']", f'<path d="{"M" * (size // 2)}"/>')
    ),
    "many classes": lambda size: svg(
        rules(size, lambda n: f".c{n}", f'<g class="{times(size // 2, lambda n: f"c{n} ")}">{LINE}</g>')
    ),
    "children by number": lambda size: svg(
        rules(size, lambda n: f":nth-last-of-type({n}n+1)", times(size // 2, lambda _: "<a/>"))
    ),
    "variables": lambda size: svg(
        "<style>svg{" + times(size, lambda n: f"--v{n}:var(--v{n + 1}) var(--v{n + 1});") + "}</style>"
        '<path d="M0 0h9" stroke="var(--v0)"/>'
    ),
    "brackets in a style sheet": lambda size: svg("<style>" + ".a{(" * (size // 4) + "</style>"),
    "not in not": lambda size: svg("<style>" + ":not(" * (size // 5) + "a{fill:none}</style>"),
    "long numbers": lambda size: svg(
        f'<rect width="{"1" * size}m" height="{"1" * size}" fill="rgba(1,1,1,{"0" * size}1)"/>'
    ),
    "long transforms": lambda size: svg(f'<g transform="{"rotate(1)" * (size // 9)}x"><path d="M0 0h9"/></g>'),
    "small subpaths": lambda size: svg(f'<path fill="none" stroke="red" d="{"M0 0h1" * (size // 6)}"/>'),
    "small areas": lambda size: svg(times(size, lambda n: f'<path d="M{n % 90} {n % 89}h1v1z"/>')),
    "gradients": lambda size: svg(
        times(size, lambda n: f'<linearGradient id="g{n}" href="#g{n + 1}"/><path fill="url(#g{n})" d="M0 0h9v9z"/>')
    ),
    "ampersands": lambda size: svg(f"<desc>{'&' * size}</desc>"),
    "beginnings": lambda size: "<svg" * (size // 4) + svg(""),
    "freehand outlines": lambda size: svg(
        times(size, lambda n: '<path d="M0 0l9 1 9 0 9 1 9 0 9 1 9 0 9 1 9 0v2l-36-2-36-2z"/>')
    ),
}


@pytest.mark.parametrize("path", sorted(CASES.glob("*.svg")), ids=lambda path: path.stem)
def test_a_hostile_file_is_read_or_refused(path: Path) -> None:
    begin = time.process_time()
    with contextlib.suppress(FormatError):
        assert len(read_svg(path)) > 0
    assert time.process_time() - begin < 2


@pytest.mark.parametrize("name", ["tiny-size", "rect-1e309"])
def test_what_is_sound_in_it_is_drawn(name: str) -> None:
    notes: list[str] = []
    (stroke,) = read_svg(CASES / f"{name}.svg", on_note=notes.append).strokes
    assert stroke.tolist() == [[0, 0], [50, 50]]
    assert len(notes) == (name == "rect-1e309")


def cost(path: Path) -> float:
    """Seconds of one core to read or refuse a file."""
    begin = time.process_time()
    with contextlib.suppress(FormatError):
        read_svg(path)
    return time.process_time() - begin


@pytest.mark.parametrize("kind", KINDS)
def test_time_grows_no_faster_than_n_log_n(tmp_path: Path, kind: str) -> None:
    small, large = tmp_path / "small.svg", tmp_path / "large.svg"
    small.write_text(KINDS[kind](SMALL))
    large.write_text(KINDS[kind](SMALL * GROWTH))
    first = min(cost(small), cost(small))
    # n log n is 10 times as much; the square would be 64 times.
    assert min(cost(large), cost(large)) < max(ALWAYS, 4 * GROWTH * first)
