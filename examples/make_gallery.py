"""Make the gallery again, with any model: every creative task, its command, its input and several results.

    python examples/make_gallery.py [--model MODEL] [--out docs]

Writes OUT/gallery.md with its pictures in OUT/gallery/, and OUT/gallery.html, the same as one self-contained page. The
commands are run as they stand, in a folder that has the example pictures; nothing is chosen among their results.
"""

from __future__ import annotations

import argparse
import base64
import html
import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sketch_pix2seq import Sketch
from sketch_pix2seq.cli.main import main as command
from sketch_pix2seq.drawing.pretrained import BUNDLED, load_model
from sketch_pix2seq.files import write_whole
from sketch_pix2seq.formats import read_sketches, write_sketch

EXAMPLES = Path(__file__).parent
PAGE = "gallery"


@dataclass(frozen=True)
class Entry:
    """One command with its picture."""

    line: str
    picture: str
    """What of the command's folder is shown."""
    remark: str = ""


@dataclass(frozen=True)
class Section:
    """A task."""

    title: str
    text: str
    entries: tuple[Entry, ...]


SECTIONS = (
    Section(
        "Redrawing",
        "The first column is the picture, the others are drawn by the model, which saw 48 x 48 pixels of it.",
        (Entry("draw examples --samples 7", "sheet.png", "Pictures made on a screen, photos of paper, and an SVG."),),
    ),
    Section(
        "From nothing",
        "No picture: a code is drawn by chance from what the model knows of a category. Nothing is picked out, so what "
        "went wrong is here too.",
        (
            Entry("draw --category mushroom --samples 8", "sheet.png"),
            Entry("draw --category butterfly --samples 8", "sheet.png"),
            Entry("draw --category pig --samples 8", "sheet.png", "Many small parts are where it fails first."),
            Entry("draw --category pig --samples 8 --spread 0.2", "sheet.png", "The same, nearer to the usual pig."),
            Entry("draw --category any --samples 16", "sheet.png", "Whatever comes to its mind."),
        ),
    ),
    Section(
        "Altered inputs",
        "Does it draw what it sees, or what it knows? The numbers say how much of the ink that was added, or taken "
        "away, the drawing has.",
        (
            Entry("create altered ear-pig.svg --samples 7", "sheet.png", "A pig with a third ear: part of the input."),
            Entry("create altered examples/face.svg --cut 0.2 0.62 0.8 0.9 --samples 7", "sheet.png", "No mouth."),
            Entry(
                "create altered examples/ice-cream.png --add examples/sun.svg --at 0.5 0.2 --size 0.5 --samples 7",
                "sheet.png",
                "A sun on an ice cream.",
            ),
            Entry("create altered house.svg --samples 7", "sheet.png", "A house: the bundled model never learned one."),
        ),
    ),
    Section(
        "Hybrids",
        "Two things in one drawing: two halves joined, two pictures overlaid, two codes mixed.",
        (
            Entry("create hybrid examples/pig.png examples/car.png --how left-right --samples 6", "sheet.png"),
            Entry(
                "create hybrid examples/ice-cream.png examples/mushroom.gif --how top-bottom --samples 6", "sheet.png"
            ),
            Entry("create hybrid examples/mushroom.gif examples/face.svg --how overlay --samples 6", "sheet.png"),
            Entry(
                "create hybrid examples/fish.jpg examples/butterfly.webp --how code --mix 0.5 --samples 6",
                "sheet.png",
                "Codes of things that are built differently have no drawing in the middle.",
            ),
        ),
    ),
    Section(
        "Interpolation",
        "From one thing to another; the ends are redrawings. The animation goes there and back.",
        (
            Entry("create interpolate examples/sun.svg examples/face.svg --steps 9", "strip.png"),
            Entry("create interpolate examples/sun.svg examples/face.svg --steps 9 --how linear", "strip.png"),
            Entry("create interpolate examples/mushroom.gif examples/ice-cream.png --steps 9", "strip.png"),
            Entry("create interpolate examples/mushroom.gif examples/ice-cream.png --steps 16", "morph.gif"),
            Entry("create interpolate apple 'light bulb' --steps 9", "strip.png", "Two categories, no picture."),
        ),
    ),
    Section(
        "Analogies",
        "A - B + C: what A has and B lacks, on C.",
        (
            Entry("create analogy examples/face.svg bald.svg apple --samples 6", "sheet.png", "Hair for an apple?"),
            Entry(
                "create analogy flagged-house.svg house.svg examples/car.png --samples 6",
                "sheet.png",
                "A flag for a car? The flag made the house smaller, and that is in the difference too.",
            ),
        ),
    ),
    Section(
        "Healing",
        "Of the patches of 6 x 6 pixels that hold ink, 10, 30 and 50 % are blanked. What the model sees stands first.",
        (Entry("create heal examples/mushroom.gif examples/fish.jpg --samples 6", "sheet.png"),),
    ),
    Section(
        "Completion",
        "The first column is what was given; its strokes stay as they are.",
        (
            Entry("create complete started-face.svg --samples 7", "sheet.png", "Nothing but the strokes so far."),
            Entry("create complete started-face.svg --category face --samples 7", "sheet.png"),
            Entry("create complete started-circle.svg --samples 7", "sheet.png", "A circle can become many things."),
            Entry("create complete started-circle.svg --category 'alarm clock' --samples 7", "sheet.png"),
            Entry(
                "create complete started-car.svg --category car --samples 7",
                "sheet.png",
                "It was begun with a wheel; people begin with the body, so the wheel is taken for a part of that.",
            ),
        ),
    ),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=BUNDLED, help="bundled, or a model folder (bundled)")
    parser.add_argument("--out", type=Path, default=EXAMPLES.parent / "docs", help="folder of the gallery (docs)")
    arguments = parser.parse_args()
    model = arguments.model if arguments.model == BUNDLED else str(Path(arguments.model).resolve())
    network = repr(load_model(model))
    pictures = arguments.out.resolve() / PAGE
    shutil.rmtree(pictures, ignore_errors=True)
    pictures.mkdir(parents=True)
    with workplace():
        shown: Shown = []
        for number, section in enumerate(SECTIONS, 1):
            names = [f"{number}-{index}" for index in range(1, len(section.entries) + 1)]
            entries = [(e, made(e, name, model, pictures)) for e, name in zip(section.entries, names, strict=True)]
            shown.append((section, entries))
    how = "python examples/make_gallery.py" + ("" if model == BUNDLED else f" --model {arguments.model}")
    about = f"Made by `{how}` with {network}."
    write_whole(arguments.out / f"{PAGE}.md", markdown(about, shown).encode())
    write_whole(arguments.out / f"{PAGE}.html", page(about, shown).encode())
    print(
        f"{arguments.out / PAGE}.md, {arguments.out / PAGE}.html: {sum(len(entries) for _, entries in shown)} pictures"
    )


@contextmanager
def workplace() -> Iterator[None]:
    """A folder to run commands in: the example pictures, and inputs made of them."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pictures = folder / "examples"
        pictures.mkdir()
        for path in sorted(EXAMPLES.iterdir()):
            if path.suffix not in (".py", ".md") and path.is_file():
                shutil.copy(path, pictures)
        face = next(iter(read_sketches(pictures / "face.svg")))
        car = next(iter(read_sketches(pictures / "car.png")))
        pig = next(iter(read_sketches(pictures / "pig.png")))
        house = drawn("10,90 100,10 190,90", "25,90 25,190 175,190 175,90 25,90", "85,190 85,130 115,130 115,190")
        flag = drawn("10,90 100,10 190,90", "100,10 100,-60 150,-45 100,-30")
        left, top, right, _ = pig.bounds()
        ear, size = (left + right) / 2, (right - left) / 12
        third = drawn(f"{ear - size},{top + size} {ear},{top - 2 * size} {ear + size},{top + size}")
        inputs = {
            "ear-pig": Sketch((*pig.strokes, *third.strokes)),
            "house": house,
            "flagged-house": Sketch((*house.strokes, flag.strokes[1])),
            "bald": Sketch(face.strokes[:-1]),
            "started-face": Sketch(face.strokes[:2]),
            "started-circle": Sketch(face.strokes[:1]),
            "started-car": Sketch(car.strokes[:1]),
        }
        for stem, sketch in inputs.items():
            write_sketch(sketch, folder / f"{stem}.svg")
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)


def drawn(*strokes: str) -> Sketch:
    """A sketch of strokes written as in an SVG's polyline."""
    pairs = [[[float(x) for x in pair.split(",")] for pair in stroke.split()] for stroke in strokes]
    return Sketch(tuple(np.array(stroke, np.float32) for stroke in pairs))


def made(entry: Entry, name: str, model: str, pictures: Path) -> Path:
    """Run an entry's command and keep its picture."""
    with tempfile.TemporaryDirectory() as out:
        words = [*shlex.split(entry.line), "--format", "none", "--out", out]
        try:
            command([*words, *(["--model", model] if model != BUNDLED else [])])
        except SystemExit as leaving:
            raise SystemExit(f"sketch-pix2seq {entry.line}: exit status {leaving.code}") from leaving
        picture = Path(out) / entry.picture
        kept = pictures / f"{name}{picture.suffix}"
        shutil.copy(picture, kept)
    return kept


Shown = list[tuple[Section, list[tuple[Entry, Path]]]]


def markdown(about: str, shown: Shown) -> str:
    """The gallery as Markdown beside its pictures."""
    parts = [f"# Gallery\n\n{about} Nothing is chosen among the results: failures are here too.\n"]
    for section, entries in shown:
        parts.append(f"## {section.title}\n\n{section.text}\n")
        for entry, picture in entries:
            parts.append(f"```sh\nsketch-pix2seq {entry.line}\n```\n")
            if entry.remark:
                parts.append(f"{entry.remark}\n")
            parts.append(f"![{section.title}: {entry.line}]({PAGE}/{picture.name})\n")
    return "\n".join(parts)


def page(about: str, shown: Shown) -> str:
    """The gallery as one page that holds its pictures."""
    style = (
        ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:1100px;margin:2rem auto;"
        "padding:0 1rem}img{max-width:100%;background:#fff;border-radius:6px}pre{overflow-x:auto;padding:.6rem .8rem;"
        "background:#8882;border-radius:6px}h2{margin-top:3rem}"
    )
    parts = [
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Gallery of sketch-pix2seq</title>'
        f'<meta name="viewport" content="width=device-width"><style>{style}</style><h1>Gallery</h1>'
        f"<p>{html.escape(about.replace('`', ''))} Nothing is chosen among the results: failures are here too.</p>"
    ]
    for section, entries in shown:
        parts.append(f"<h2>{html.escape(section.title)}</h2><p>{html.escape(section.text)}</p>")
        for entry, picture in entries:
            data = base64.b64encode(picture.read_bytes()).decode()
            kind = picture.suffix[1:]
            parts.append(f"<pre>sketch-pix2seq {html.escape(entry.line)}</pre>")
            parts.append(f"<p>{html.escape(entry.remark)}</p>" if entry.remark else "")
            parts.append(f'<img alt="{html.escape(entry.line, quote=True)}" src="data:image/{kind};base64,{data}">')
    return "\n".join(part for part in parts if part) + "\n"


if __name__ == "__main__":
    main()
