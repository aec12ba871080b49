"""Icons painted by an independent renderer and traced: median F1 against the lines of their SVG file.

    pip install resvg-py; npm pack lucide-static feather-icons ...; tar xzf ... (one folder a set)
    python benchmarks/icons.py FOLDER ... [--most 150] [--sizes 64 256] [--worst 12]

A folder is a set: its SVG files, and those of the folders in it. An icon's lines are its strokes or the outlines of its
areas; areas that are strokes may be either outline or centre line, so the better of both readings counts. F1: of the
ink at 48 x 48, with a tolerance of one pixel.
"""

from __future__ import annotations

import argparse
import io
import random
from pathlib import Path

import cv2
import numpy as np
import resvg_py
from common import machine
from PIL import Image

from sketch_pix2seq.errors import SketchError
from sketch_pix2seq.formats.picture import read_picture
from sketch_pix2seq.formats.svg import read_svg
from sketch_pix2seq.raster import RasterSpec, render
from sketch_pix2seq.sketch import Sketch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", type=Path, nargs="+")
    parser.add_argument("--most", type=int, default=150, help="icons of each set, drawn by chance")
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 256], help="pixels a side")
    parser.add_argument("--worst", type=int, default=0, help="name this many of the worst icons of each set")
    asked = parser.parse_args()
    print(f"{machine()}\n\n| set | icons | " + " | ".join(f"{size} px" for size in asked.sizes))
    print("|---|---|" + "---|" * len(asked.sizes))
    for folder in asked.sets:
        files = sorted(folder.rglob("*.svg"))
        random.Random(0).shuffle(files)
        files = files[: asked.most]
        scores = {size: [score(file, size) for file in files] for size in asked.sizes}
        medians = " | ".join(f"{np.median(scores[size]):.3f}" for size in asked.sizes)
        print(f"| {folder} | {len(files)} | {medians} |")
        for size in asked.sizes if asked.worst else ():
            for index in np.argsort(scores[size])[: asked.worst].tolist():
                print(f"    {size} px, {scores[size][index]:.3f}: {files[index]}")


def score(file: Path, size: int) -> float:
    """F1 of an icon traced at a size; 0 where it is not."""
    try:
        traced = read_picture(painted(file, size))
    except SketchError:
        return 0.0
    return max(f1(read_svg(file, centre_lines=centre_lines), traced) for centre_lines in (False, True))


def painted(file: Path, size: int) -> Image.Image:
    """The icon, black on white."""
    png = resvg_py.svg_to_bytes(svg_path=str(file), width=size, height=size, background="white")
    return Image.open(io.BytesIO(bytes(png)))


def f1(wanted: Sketch, traced: Sketch) -> float:
    """F1 of the ink of two sketches, each fitted to its canvas."""
    first, second = (render(sketch.fit(), RasterSpec()) > 100 for sketch in (wanted, traced))
    near_first, near_second = (cv2.dilate(ink.astype(np.uint8), np.ones((3, 3))) > 0 for ink in (first, second))
    precision = (second & near_first).sum() / max(1, second.sum())
    recall = (first & near_second).sum() / max(1, first.sum())
    return float(2 * precision * recall / max(1e-9, precision + recall))


if __name__ == "__main__":
    main()
