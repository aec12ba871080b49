"""What of a page is ink of the drawing: not ruling, frame, dust or shadow; and which of it is line, which fill."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from sketch_pix2seq.errors import PictureError
from sketch_pix2seq.formats.picture_lines import thinned
from sketch_pix2seq.formats.picture_page import (
    NO_DRAWING,
    Contrast,
    Mask,
    Page,
    border_of,
    continued,
    contrast_of,
    depth_of,
    eroded,
    find_paper,
    grey_of,
    has_two_tones,
    is_scene,
    light_on_dark,
    square,
    stroke_width,
)
from sketch_pix2seq.sketch import DoubleArray, FloatArray

_SIDE = 400
"""Longest side of the cropped drawing when its lines are followed, in pixels: 8 for each pixel of a 48 x 48 raster."""

_THICKEST = 0.235
"""Width, as a share of its extent, from which a line that has no lines like it beside it is a filled area."""


@dataclass(frozen=True)
class Drawing:
    """The ink of a drawing, cropped to it: longest side `_SIDE` pixels, a small free margin around."""

    strokes: Mask
    """What is followed along its centre line."""
    fills: Mask
    """What is followed along its outline."""
    scene: bool = False
    """Whether the page is likely a photo of the world or a painting, see `is_scene`."""
    two_tones: bool = False
    """Whether the page holds one ink on one ground alone, see `has_two_tones`."""


def find_drawing(page: Page, name: Path) -> Drawing:
    """The ink of the drawing on a page. Raises PictureError where there is none."""
    grey = grey_of(page.pixels)
    two_tones = has_two_tones(grey)
    sheet = None if two_tones or page.ground is not None else find_paper(grey)
    if sheet is not None:
        grey = continued(grey, sheet)
    elif light_on_dark(grey, two_tones) if page.ground is None else page.ground == 0:
        grey = np.asarray(255 - grey, np.uint8)
    if int(grey.max()) - int(grey.min()) < 8:
        raise PictureError(name, "a blank picture: all of one colour")
    contrast = contrast_of(grey, two_tones)
    fills = contrast.fills
    ink = _threshold(contrast)
    if sheet is not None:
        ink = _on_sheet(ink, sheet)
        fills &= sheet
    ink = _without_shadow(_without_ruling(ink, contrast), contrast.darkness)
    ink |= _plain_or_outlined(fills, ink)
    ink = _without_specks(_without_frame(ink, contrast.two_tones), contrast.darkness, contrast.two_tones)
    if not ink.any() or _is_dust(ink, float(np.median(contrast.noise))):
        raise PictureError(name, NO_DRAWING)
    scene = not two_tones and is_scene(page, grey, sheet)
    return replace(_divided(_scaled(ink)), scene=scene, two_tones=two_tones)


def _threshold(contrast: Contrast) -> Mask:
    """Ink by a threshold that follows the darkest ink near by, so that a faint line stays and a gap does not fill."""
    darkness = contrast.darkness
    floor = np.maximum(3.2 * contrast.noise, max(0.1 * float(np.percentile(darkness, 99.8)), 0.03))
    reach = 0.02 * max(darkness.shape)
    near = cv2.blur(cv2.dilate(darkness, square(reach)), square(reach).shape)
    weak = darkness > np.maximum(floor, (0.5 if contrast.two_tones else 0.42) * near)
    _, labels = cv2.connectedComponents(weak.astype(np.uint8), connectivity=8)
    seeds = np.bincount(labels[darkness > 1.6 * floor], minlength=int(labels.max()) + 1) > 0
    seeds[0] = False
    return np.asarray(seeds[labels])


def _plain_or_outlined(fills: Mask, ink: Mask) -> Mask:
    """Filled areas as ink: whole where nothing is drawn on them, else a band along their outline."""
    band = max(3.0, stroke_width(ink))
    count, labels = cv2.connectedComponents(fills.astype(np.uint8), connectivity=4)
    drawn_on = np.bincount(labels[ink & eroded(fills, 3.0 * band)], minlength=count) > 0
    return np.asarray(fills & ~(drawn_on[labels] & eroded(fills, band)))


def _on_sheet(ink: Mask, sheet: Mask) -> Mask:
    """Ink on the sheet, without what lies along its edge: curled paper and its shade."""
    count, labels = cv2.connectedComponents((ink & sheet).astype(np.uint8), connectivity=8)
    area = np.maximum(1, np.bincount(labels.ravel(), minlength=count))
    rim = sheet & ~eroded(sheet, 0.03 * max(sheet.shape))
    keep = np.bincount(labels[rim], minlength=count) < 0.3 * area
    keep[0] = False
    return np.asarray(keep[labels])


def _without_ruling(ink: Mask, contrast: Contrast) -> Mask:
    """Ink without the lines of ruled or squared paper.

    Ruling is told from the drawing by its tone where it is fainter, else by its even distance (see `_without_grid`).
    """
    level = 0.0
    for _ in range(3):  # paper may have lines of two strengths
        found = _ruling_tone(contrast, level)
        if found is None:
            break
        level = found
    return ink & (contrast.darkness > level) if level else _without_grid(ink, contrast.darkness, contrast.noise)


def _ruling_tone(contrast: Contrast, above: float) -> float | None:
    """Darkness between that of the faintest lines darker than ``above`` and the rest, where these are ruling: they run
    in one direction, or two at right angles, and are everywhere on the page. None where they are not."""
    darkness = contrast.darkness
    faint = darkness > np.maximum(2.0 * contrast.noise, max(0.02, above))
    ridge = faint & (darkness >= cv2.dilate(darkness, square(3)) - 1e-4)
    values = np.log(darkness[ridge])
    if len(values) < 500 or np.ptp(values) < math.log(1.5):
        return None
    split = _two_classes(values)
    low, high = values[values <= split], values[values > split]
    if min(len(low), len(high)) < 100 or np.median(high) - np.median(low) < math.log(1.5):
        return None
    low_ridge = ridge & (darkness <= math.exp(split))
    cells = cv2.resize(low_ridge.astype(np.float32), (8, 8), interpolation=cv2.INTER_AREA)
    if np.mean(cells > 0.0) < 0.9 or _straightness(darkness, low_ridge) < 0.6:
        return None
    return float(math.exp(max(split, float(np.percentile(low, 98)))))


def _two_classes(values: FloatArray) -> float:
    """The value that parts others into two classes of the least variance (Otsu 1979)."""
    counts, edges = np.histogram(values, 128)
    middles = 0.5 * (edges[1:] + edges[:-1])
    below = np.cumsum(counts)
    sums = np.cumsum(counts * middles)
    above = below[-1] - below
    between = (sums[-1] * below / below[-1] - sums) ** 2 / np.maximum(below * above, 1)
    return float(edges[1:][int(np.argmax(between))])


def _straightness(darkness: FloatArray, where: Mask) -> float:
    """How far lines run in one direction or at right angles to it: 1 for squared paper, 0 for any direction."""
    smooth = cv2.GaussianBlur(darkness, (0, 0), 1.0)
    x, y = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    # The structure tensor of an area has the direction of its lines, which the gradient on a ridge itself has not.
    xx, xy, yy = (cv2.GaussianBlur(product, (0, 0), 2.0) for product in (x * x, x * y, y * y))
    angle = 0.5 * np.arctan2(2.0 * xy[where], xx[where] - yy[where])
    return float(np.abs(np.mean(np.exp(4j * angle))))


def _without_grid(ink: Mask, contrast: FloatArray, noise: FloatArray) -> Mask:
    """Ink without parallel straight lines, evenly apart, across the page."""
    height, width = ink.shape
    line = stroke_width(ink)
    if line > 0.01 * max(ink.shape):
        return ink
    picture = ink.astype(np.uint8)
    thickness = math.ceil(line) + 3
    faint = contrast > np.maximum(2.0 * noise, 0.02)  # ruling is long enough to be seen where no point of it is sure
    cleaned = ink
    for across, along, tilt in ((height, width, 0.5 * math.pi), (width, height, 0.0)):
        found = cv2.HoughLines(
            faint.astype(np.uint8),
            1,
            math.radians(0.25),
            int(0.4 * along),
            min_theta=max(0.0, tilt - 0.1),
            max_theta=tilt + 0.1,
        )
        if found is None or not len(found):  # nothing is None up to OpenCV 5.0, and empty from 5.1 on
            continue
        lines = _evenly_apart(found.reshape(-1, 2)[:1000], across)
        if len(lines) < 5:
            continue
        ruling = np.zeros(ink.shape, np.uint8)
        for rho, theta in lines:
            foot = np.array([math.cos(theta), math.sin(theta)]) * rho
            run = np.array([-math.sin(theta), math.cos(theta)]) * 2.0 * max(ink.shape)
            start, end = np.rint(foot - run).astype(int), np.rint(foot + run).astype(int)
            cv2.line(ruling, start.tolist(), end.tolist(), 255, thickness)
        ruled = ruling > 0
        if np.mean(faint[ruled]) < 0.4 * line / thickness:  # lines of the drawing end; ruling crosses the page
            continue
        crossing = np.ones((2 * thickness, 1) if tilt > 0 else (1, 2 * thickness), np.uint8)
        strokes = cv2.morphologyEx(picture, cv2.MORPH_OPEN, crossing) > 0
        strokes |= contrast > 1.6 * float(np.median(contrast[ink & ruled]))
        cleaned = cleaned & (~ruled | strokes)
    return cleaned


def _evenly_apart(found: NDArray[np.float32], across: int) -> list[tuple[float, float]]:
    """The ruling that the lines found (rho, theta; strongest first) are part of, over the whole page; [] for none."""
    theta = float(np.median(found[:40, 1]))
    distinct: list[float] = []
    for rho, angle in found.tolist():
        if abs(angle - theta) < math.radians(0.6) and all(abs(rho - other) >= 0.012 * across for other in distinct):
            distinct.append(rho)
    if len(distinct) < 5:
        return []
    rhos = np.sort(distinct)
    pitch = float(np.median(np.diff(rhos)))
    # Two rounds of least squares over the line numbers, as the first pitch is only about right.
    start = float(rhos[len(rhos) // 2])
    for reach in (4.0, math.inf):
        number = np.rint((rhos - start) / pitch)
        near = np.abs(number) <= reach
        pitch, start = np.polyfit(number[near], rhos[near], 1).tolist()
    number = np.rint((rhos - start) / pitch)
    on_pitch = np.abs(rhos - start - pitch * number) < 0.15 * pitch
    if np.mean(on_pitch) < 0.8:
        return []
    steps = math.ceil(1.5 * across / pitch)
    everywhere = [start + pitch * n for n in range(-steps, steps + 1)]
    return [(rho, theta) for rho in (*everywhere, *rhos[on_pitch].tolist())]


def _without_shadow(ink: Mask, darkness: FloatArray) -> Mask:
    """Ink without a drop shadow: a fainter copy of the drawing, moved by a little."""
    ridge = ink & (darkness >= cv2.dilate(darkness, square(3)) - 1e-4)
    values = np.log(np.maximum(darkness[ridge], 1e-3))
    if len(values) < 100 or np.ptp(values) < math.log(1.3):
        return ink
    level = math.exp(_two_classes(values))
    strong = ink & (darkness > level)
    weak = ink & ~strong & (_distance(~strong) > 2.0)
    if not strong.any() or weak.sum() < 0.05 * strong.sum():
        return ink
    down, right = _offset(strong, weak)
    moved = np.zeros_like(strong)
    height, width = ink.shape
    moved[max(0, down) : height + min(0, down), max(0, right) : width + min(0, right)] = strong[
        max(0, -down) : height - max(0, down), max(0, -right) : width - max(0, right)
    ]
    covered = np.mean(_distance(~moved)[weak] <= 0.012 * max(ink.shape)) if moved.any() else 0.0
    seen = moved & ~strong
    copied = np.mean(darkness[seen] > 0.5 * float(np.median(darkness[weak]))) if seen.any() else 0.0
    return strong if covered > 0.85 and copied > 0.7 else ink


def _offset(strong: Mask, weak: Mask) -> tuple[int, int]:
    """How far down and to the right strong ink is moved to lie on weak ink best, by at most 5 % of the page."""
    scale = min(1.0, 400.0 / max(strong.shape))
    line, copy = (
        cv2.resize(mask.astype(np.float32), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        for mask in (strong, weak)
    )
    size = [2 * side for side in line.shape]
    match = np.fft.irfft2(np.fft.rfft2(copy, size) * np.conj(np.fft.rfft2(line, size)), size)
    reach = math.ceil(0.05 * max(line.shape))
    near = np.roll(match, (reach, reach), (0, 1))[: 2 * reach + 1, : 2 * reach + 1]
    down, right = np.unravel_index(int(np.argmax(near)), near.shape)
    return round((int(down) - reach) / scale), round((int(right) - reach) / scale)


def _without_frame(ink: Mask, two_tones: bool) -> Mask:
    """Ink without what runs along the picture's border (a table's edge, a frame), if a drawing remains."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(ink.astype(np.uint8), connectivity=8)
    height, width = ink.shape
    near = max(2.0, 0.025 * max(ink.shape))
    rows, columns = np.arange(height)[:, None], np.arange(width)[None, :]
    to_border = np.minimum(np.minimum(rows, height - 1 - rows), np.minimum(columns, width - 1 - columns))
    hugging = np.bincount(labels[to_border <= near], minlength=count) / np.maximum(1, stats[:, cv2.CC_STAT_AREA])
    touching = np.bincount(border_of(labels), minlength=count)
    long = (stats[:, cv2.CC_STAT_WIDTH] > 0.35 * width) | (stats[:, cv2.CC_STAT_HEIGHT] > 0.35 * height)
    wide = (stats[:, cv2.CC_STAT_WIDTH] > 0.9 * width) & (stats[:, cv2.CC_STAT_HEIGHT] > 0.9 * height)
    edge = (hugging > 0.8) & long & (wide | (touching > 0.3 * min(ink.shape)))
    if not two_tones:
        edge |= touching > 0.5 * (width + height)
    edge[0] = False
    if not edge.any():
        return ink
    rest = ink & ~edge[labels]
    if two_tones and stroke_width(ink & ~rest) > 0.75 * stroke_width(rest):
        return ink  # part of an icon
    ys, xs = np.nonzero(rest)
    if len(xs) == 0 or max(np.ptp(xs), np.ptp(ys)) < 0.2 * max(ink.shape):
        return ink
    return np.asarray(rest)


def _without_specks(ink: Mask, darkness: FloatArray, two_tones: bool) -> Mask:
    """Ink without dust: small pieces stay where they are as dark as the lines, not tiny, and within the drawing.

    On an even ground, where there is no dust to speak of, they stay wherever they are.
    """
    count, labels, stats, centres = cv2.connectedComponentsWithStats(ink.astype(np.uint8), connectivity=8)
    if count <= 1:
        return ink
    extent = np.maximum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT]).astype(np.float64)
    area = stats[:, cv2.CC_STAT_AREA].astype(np.float64)
    darkness = np.bincount(labels.ravel(), darkness.ravel(), count) / area
    extent[0] = area[0] = darkness[0] = 0.0
    largest = float(extent.max())
    width = min(stroke_width(np.isin(labels, np.flatnonzero(extent > 0.25 * largest))), 0.15 * largest)
    kept = extent > max(min(4.0 * width, 0.4 * largest), 0.08 * largest)
    small = (area > 0.4 * width**2) & (extent > 0.6 * width) & (darkness > 0.5 * float(np.median(darkness[kept])))
    small[0] = False
    if two_tones:
        return np.asarray((kept | small)[labels])
    x, y = centres[:, 0], centres[:, 1]
    while True:  # what stays makes room for what is beside it
        left, top = stats[kept, cv2.CC_STAT_LEFT].min(), stats[kept, cv2.CC_STAT_TOP].min()
        right = (stats[:, cv2.CC_STAT_LEFT] + stats[:, cv2.CC_STAT_WIDTH])[kept].max()
        bottom = (stats[:, cv2.CC_STAT_TOP] + stats[:, cv2.CC_STAT_HEIGHT])[kept].max()
        room = max(0.1 * max(right - left, bottom - top), 3.0 * width)
        found = small & ~kept & (x > left - room) & (x < right + room) & (y > top - room) & (y < bottom + room)
        if not found.any():
            return np.asarray(kept[labels])
        kept |= found


def _is_dust(ink: Mask, noise: float) -> bool:
    """Whether there is nothing but dots, more than a clean picture of dots would hold."""
    count, _, stats, _ = cv2.connectedComponentsWithStats(ink.astype(np.uint8), connectivity=8)
    largest = int(stats[1:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max())
    return largest < 0.025 * max(ink.shape) and (count > 12 or noise > 0.002)


def _scaled(ink: Mask) -> Mask:
    ys, xs = np.nonzero(ink)
    ink = ink[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1]
    scale = min(8.0, _SIDE / max(ink.shape))
    width = stroke_width(ink)
    margin = math.ceil(6.0 / scale)
    picture = np.pad(ink.astype(np.uint8) * 255, margin)
    if scale < 1.0:
        if width * scale < 3.0:
            grow = 2 * round((3.0 / scale - width) / 2) + 1
            picture = cv2.dilate(picture, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (grow, grow)))
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    else:
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
        picture = cv2.GaussianBlur(picture, (0, 0), 0.35 * scale)
    return np.asarray(picture > 127)


def _divided(ink: Mask) -> Drawing:
    """Ink parted into strokes and filled areas.

    Of each piece, the thickest disc that can sweep 0.4 of it is found. Where the sweep is long for the disc's size, the
    piece is a line, if it is about as thick everywhere; where it is short, a filled area, unless it is no thicker than
    the lines, a dash, or small and round, a dot.
    """
    depth = depth_of(ink)
    count, labels, stats, centres = cv2.connectedComponentsWithStats(ink.astype(np.uint8), connectivity=8)
    area = np.maximum(1, np.bincount(labels.ravel(), minlength=count)).astype(np.float64)
    radii = np.geomspace(2.0, max(2.5, float(depth.max())), 28)
    swept = np.stack([np.bincount(labels[_swept(depth, radius)], minlength=count) for radius in radii])
    step = np.max(np.where(swept >= 0.4 * area, np.arange(len(radii))[:, None], 0), axis=0)
    radius = radii[step]
    lines = swept[step, np.arange(count)] > 4.0 * math.pi * radius**2
    lines |= radius <= radii[0]
    lines[0] = False
    extent = np.maximum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
    for index in np.flatnonzero(lines & (2.0 * radius > 0.12 * extent)).tolist():
        lines[index] = _is_even(labels == index)
    lines &= 2.0 * radius < _THICKEST * extent
    line = _weighted_median(radius[lines], (area / radius)[lines]) if lines.any() else 0.0
    filled = ~lines & (radius > (1.45 * line or 0.065 * _SIDE))
    dots = _dots(filled, radius, area, extent, line)
    strokes, fills = ink.copy(), np.zeros(ink.shape, bool)
    for index in range(1, count):
        piece = labels == index
        if dots[index]:
            pen = line or 0.5 * float(radius[index])
            strokes &= ~piece | _ring(ink.shape, centres[index], 0.5 * float(extent[index]) - pen)
        elif filled[index]:
            fills |= piece & ~_tails(piece, depth, float(radius[index]))
        elif lines[index]:  # thick spots on a line: wheels, noses
            spots = _swept(np.where(piece, depth, 0.0), max(2.6 * float(radius[index]), 0.035 * _SIDE))
            if spots.any():
                fills |= piece & (_distance(~spots) <= radius[index])
    return Drawing(strokes & ~fills, fills)


def _dots(filled: Mask, radius: DoubleArray, area: DoubleArray, extent: NDArray[np.int32], line: float) -> Mask:
    """Which filled pieces are dots that a pen made by circling: round, and thicker than lines by no more than a line.

    Where there are no lines, these are small discs that have nothing but discs beside them.
    """
    round_ = filled & (area > 0.9 * math.pi / 4.0 * extent.astype(np.float64) ** 2)
    if line:
        return np.asarray(round_ & (radius < 2.4 * line))
    small = round_ & (radius < 0.13 * _SIDE)
    return small if small.sum() > 1 and np.array_equal(small, filled) else np.zeros_like(small)


def _ring(shape: tuple[int, ...], centre: DoubleArray, radius: float) -> Mask:
    """A circle one pixel wide."""
    ring = np.zeros(shape, np.uint8)
    cv2.circle(ring, np.rint(centre).astype(int).tolist(), max(0, round(radius)), 1, 1)
    return ring > 0


def _is_even(piece: Mask) -> bool:
    """Whether a piece of ink is what a disc leaves that follows its centre line."""
    x, y, width, height = cv2.boundingRect(piece.astype(np.uint8))
    ink = piece[y : y + height, x : x + width]
    thin = thinned(ink)
    radius = float(np.median(depth_of(ink)[thin]))
    margin = math.ceil(radius) + 1
    wrong = (_distance(np.pad(~thin, margin, constant_values=True)) <= radius) ^ np.pad(ink, margin)
    return bool(wrong.sum() <= 0.12 * ink.sum())


def _weighted_median(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, 0.5 * total[-1])])


def _swept(depth: FloatArray, radius: float) -> Mask:
    """Where a disc of a radius can go within ink of the given depth."""
    middle = depth >= radius
    return np.asarray(_distance(~middle) < radius) if middle.any() else middle


def _distance(mask: Mask) -> FloatArray:
    """Distance of every pixel of a mask to the nearest pixel outside it."""
    return np.asarray(cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5), np.float32)


def _tails(piece: Mask, depth: FloatArray, radius: float) -> Mask:
    """Lines that grow out of a filled area: much thinner than it, long, and free at one end."""
    body = piece & _swept(np.where(piece, depth, np.float32(0.0)), 0.35 * radius)
    count, labels = cv2.connectedComponents((piece & ~body).astype(np.uint8), connectivity=8)
    near = cv2.dilate(body.astype(np.uint8), square(3)) > 0
    tails = np.zeros(count, bool)
    for index in range(1, count):
        tail = labels == index
        width = 2.0 * float(depth[tail].max())
        mouths, _ = cv2.connectedComponents((tail & near).astype(np.uint8), connectivity=8)
        tails[index] = mouths == 2 and tail.sum() > width * max(3.0 * width, radius)
    return np.asarray(tails[labels])
