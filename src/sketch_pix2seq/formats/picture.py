"""Pictures in: PNG, JPEG, WebP, GIF and BMP files, drawn on a screen or photos of paper, to the lines of the drawing.

In four steps: `_open` reads and reduces the picture to a page of bounded size, `_contrast` flattens light and polarity,
`_find_drawing` decides what is ink and crops to it, `_trace` thins the ink and follows the centre lines.
"""

from __future__ import annotations

import math
import struct
import warnings
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from sketch_pix2seq.errors import PictureError
from sketch_pix2seq.sketch import DoubleArray, FloatArray, Sketch

Bytes: TypeAlias = NDArray[np.uint8]
Mask: TypeAlias = NDArray[np.bool_]
End: TypeAlias = tuple[int, int]
"""A line's number, and 0 for its first end or 1 for its last."""

MAX_PIXELS = 64_000_000
"""Pictures of more pixels are refused before they are decoded."""
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp")
"""Names of the files that `read_picture` takes."""

_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
_PAGE = 1600
"""Longest side of a page, in pixels; larger pictures are reduced."""
_SMALL_PAGE = 480
"""Pictures smaller than this are enlarged to it."""
_SIDE = 400
"""Longest side of the cropped drawing when its lines are followed, in pixels: 8 for each pixel of a 48 x 48 raster."""
_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    ArithmeticError,
    struct.error,
    zlib.error,
)
"""What Pillow's decoders raise on damaged files."""
_NO_DRAWING = "no drawing found; a picture with clear lines on an even ground works"


def read_picture(source: str | Path | Bytes, *, category: str | None = None, epsilon: float = 1.5) -> Sketch:
    """The lines of the drawing in a picture, fitted to 255 canvas units, longest line first.

    source: a PNG, JPEG, WebP, GIF (first frame) or BMP file of up to 64 megapixels, or an array: grey ``(h, w)``,
    RGB ``(h, w, 3)`` or RGBA ``(h, w, 4)``, uint8. Dark on light, light on dark, transparent; a photo of paper too.
    epsilon: tolerance of the simplification, in canvas units.

    Strokes thin to their centre line, filled areas to their outline. Raises PictureError for a file that cannot be
    opened and for a picture without a drawing, ValueError for an array of another type or shape.
    """
    name = "picture" if isinstance(source, np.ndarray) else source
    page = _from_array(source) if isinstance(source, np.ndarray) else _open(Path(source))
    drawing = _find_drawing(_grey(page), name)
    lines = _join_gaps(*_trace(drawing))
    if not lines:
        raise PictureError(name, _NO_DRAWING)
    strokes = _in_drawing_order(lines)
    return Sketch(tuple(strokes), category).fit().simplify(epsilon).fit()


# -- opening ----------------------------------------------------------------------------------------------------


def _open(path: Path) -> Bytes:
    """The picture as an upright RGB page on white, longest side between `_SMALL_PAGE` and `_PAGE`."""
    try:
        if path.stat().st_size == 0:
            raise PictureError(path, "the file is empty")
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            warnings.filterwarnings("ignore", category=UserWarning, module="PIL")
            with Image.open(path, formats=_FORMATS) as image:
                return _page(image, path)
    except PictureError:
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise PictureError(path, f"more than {MAX_PIXELS // 1_000_000} megapixels; reduce it first") from None
    except UnidentifiedImageError:
        raise PictureError(path, "not a picture that can be read; PNG, JPEG, WebP, GIF and BMP can") from None
    except FileNotFoundError:
        raise PictureError(path, "no such file") from None
    except IsADirectoryError:
        raise PictureError(path, "a folder, not a picture") from None
    except PermissionError:
        raise PictureError(path, "no permission to read it") from None
    except MemoryError:
        raise PictureError(path, "too large for the memory at hand; reduce it first") from None
    except _DAMAGE as error:
        raise PictureError(path, f"damaged or cut short ({error})") from None


def _page(image: Image.Image, path: Path) -> Bytes:
    width, height = image.size
    if width * height > MAX_PIXELS:
        size = f"{width} x {height} pixels"
        raise PictureError(path, f"{size}, more than {MAX_PIXELS // 1_000_000} megapixels; reduce it first")
    image.draft("RGB", (_reduced(width, max(width, height)), _reduced(height, max(width, height))))
    orientation = _orientation(image)
    image.load()
    factor = math.ceil(max(image.size) / _PAGE)
    rows = max(1, 2048 // factor) * factor
    wide = image.mode.startswith(("I", "F"))
    brightest = max(1.0, float(np.asarray(image.getextrema()).max())) if wide else 0.0
    bands = []
    for top in range(0, image.height, rows):  # in bands, so that a large picture never stands in memory twice
        band = image.crop((0, top, image.width, min(top + rows, image.height)))
        bands.append(_on_ground(_eight_bit(band, brightest) if wide else band, factor))
    page = Image.fromarray(_flatten(np.concatenate(bands)))
    return _enlarged(np.asarray(page if orientation is None else page.transpose(orientation)))


def _orientation(image: Image.Image) -> Image.Transpose | None:
    """How to turn a picture upright; None where its EXIF data does not say, or is damaged."""
    try:
        return _UPRIGHT.get(image.getexif().get(_ORIENTATION, 1))
    except _DAMAGE:
        return None


def _from_array(array: Bytes) -> Bytes:
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        raise ValueError(f"uint8 of shape (h, w), (h, w, 3) or (h, w, 4) is needed; got {array.dtype} {array.shape}")
    if array.size == 0:
        raise ValueError("the array holds no pixels")
    if array.shape[0] * array.shape[1] > MAX_PIXELS:
        raise PictureError("picture", f"more than {MAX_PIXELS // 1_000_000} megapixels; reduce it first")
    image = Image.fromarray(np.ascontiguousarray(array))
    return _enlarged(_flatten(_on_ground(image, math.ceil(max(image.size) / _PAGE))))


def _reduced(side: int, longest: int) -> int:
    return max(1, math.ceil(side * min(1.0, _PAGE / longest)))


def _eight_bit(image: Image.Image, brightest: float) -> Image.Image:
    """A picture of 16 bits or more a pixel in 8, stretched so that ``brightest`` is white."""
    values = np.asarray(image, np.float32) * (255.0 / brightest)
    return Image.fromarray(np.clip(values, 0.0, 255.0).astype(np.uint8))


def _on_ground(image: Image.Image, factor: int) -> Bytes:
    """RGBA or RGB pixels reduced by an integer factor with area averaging (colours weighted by their alpha)."""
    transparent = image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info
    flat = image.convert("RGBA" if transparent else "RGB")
    pixels = np.asarray(flat.reduce(factor) if factor > 1 else flat)
    if transparent:
        return pixels
    return np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])


def _flatten(pixels: Bytes) -> Bytes:
    """RGBA on white, or on black where all that can be seen is nearly white."""
    alpha = pixels[..., 3:].astype(np.float32) / 255.0
    if alpha.min() == 1.0:
        return np.ascontiguousarray(pixels[..., :3])
    seen = pixels[..., :3][alpha[..., 0] > 0.5]
    darkest = np.percentile(seen @ np.array([0.299, 0.587, 0.114]), 2) if len(seen) else 0.0
    ground = 0.0 if darkest > 190 else 255.0
    return np.asarray(np.rint(pixels[..., :3] * alpha + ground * (1.0 - alpha)), np.uint8)


def _enlarged(page: Bytes) -> Bytes:
    narrow = max(0, 48 - min(page.shape[:2]))
    if narrow:
        ground = np.median(_ring(page), axis=0).tolist()
        page = cv2.copyMakeBorder(page, narrow, narrow, narrow, narrow, cv2.BORDER_CONSTANT, value=ground)
    longest = max(page.shape[:2])
    if longest >= _SMALL_PAGE:
        return page
    scale = min(16.0, _SMALL_PAGE / longest)
    size = (max(1, round(page.shape[1] * scale)), max(1, round(page.shape[0] * scale)))
    page = cv2.resize(page, size, interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.GaussianBlur(page, (0, 0), 0.4 * scale), np.uint8)


# -- light and polarity -----------------------------------------------------------------------------------------


def _grey(page: Bytes) -> Bytes:
    """Brightness ``(h, w)`` of an RGB page; where the drawing differs in hue only, closeness to the paper's colour."""
    grey = np.asarray(cv2.cvtColor(page, cv2.COLOR_RGB2GRAY), np.uint8)
    paper = np.median(_ring(page), axis=0).astype(np.uint8)
    hue = np.asarray(cv2.absdiff(page, np.broadcast_to(paper, page.shape).copy()).max(axis=2), np.uint8)
    brightness = cv2.absdiff(grey, np.full_like(grey, int(np.median(_ring(grey)))))
    if np.percentile(brightness, 99) >= 0.4 * np.percentile(hue, 99):
        return grey
    return np.asarray(255 - hue, np.uint8)


def _ring(page: Bytes) -> Bytes:
    """Pixels of the picture's outer 4 %, in a row: ``(n,)`` or ``(n, channels)``."""
    depth = max(1, round(0.04 * min(page.shape[:2])))
    inside = np.ones(page.shape[:2], bool)
    inside[depth:-depth, depth:-depth] = False
    return page[inside]


def _light_on_dark(grey: Bytes) -> bool:
    """Whether lines are lighter than the ground: by an even border if there is one, else by the thin details."""
    low, high = np.percentile(grey, (0.5, 99.5))
    ring = _ring(grey).astype(np.float32)
    ground = float(np.median(ring))
    reach = 0.12 * (high - low)
    if np.mean(np.abs(ring - ground) <= reach) > 0.7 and min(ground - low, high - ground) <= reach:
        return bool(ground - low < high - ground)
    calm = cv2.medianBlur(grey, 5)
    verdict = 0.0
    for details in (100, 48, 24):
        kernel = _square(max(grey.shape) / details)
        # The fourth power hears lines, not texture.
        dark = float(np.mean(cv2.morphologyEx(calm, cv2.MORPH_BLACKHAT, kernel).astype(np.float32) ** 4))
        light = float(np.mean(cv2.morphologyEx(calm, cv2.MORPH_TOPHAT, kernel).astype(np.float32) ** 4))
        ratio = math.log((light + 10.0) / (dark + 10.0))
        verdict = max(verdict, ratio, key=abs)
    return verdict > 0.0


def _find_paper(grey: Bytes) -> Mask | None:
    """A bright sheet on a dark table with marks on it, or None: the sheet without its edge."""
    small = cv2.medianBlur(cv2.resize(grey, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA), 5)
    low, high = np.percentile(small, (2, 98))
    if high - low < 40:
        return None
    best: Mask | None = None
    for level in np.linspace(low, high, 14)[1:-1]:  # one of them parts the table from the paper's shaded side
        sheet = _sheet_at(small, level)
        if sheet is not None and (best is None or sheet.sum() > best.sum()):
            best = sheet
    if best is None:
        return None
    inside = _eroded(best, 0.02 * max(small.shape))
    marks = cv2.morphologyEx(small, cv2.MORPH_BLACKHAT, _square(max(small.shape) / 12))[inside]
    if marks.size == 0 or np.percentile(marks, 99.5) < 12:
        return None
    size = (grey.shape[1], grey.shape[0])
    return np.asarray(cv2.resize(inside.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0)


def _sheet_at(small: Bytes, level: float) -> Mask | None:
    """The largest area brighter than a level, where it has the shape and the sharp edge of a sheet of paper."""
    bright = (small > level).astype(np.uint8)
    if np.mean(_ring(bright)) > 0.9:
        return None
    shapes, _ = cv2.findContours(bright, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    shape = max(shapes, key=cv2.contourArea, default=None)
    if shape is None or not 0.15 < cv2.contourArea(shape) / small.size < 0.97:
        return None
    hull = cv2.convexHull(shape)
    corners = cv2.approxPolyDP(hull, 0.03 * cv2.arcLength(hull, True), True).reshape(-1, 2)
    if len(corners) > 6 or cv2.contourArea(shape) < 0.965 * cv2.contourArea(hull):
        return None
    sheet = np.zeros(small.shape, np.uint8)
    cv2.fillPoly(sheet, [hull], 1)
    filled = float(np.mean(bright[sheet > 0]))
    angles = _right_angles(corners, small.shape, 0.03 * max(small.shape))
    if filled < 0.7 or angles == 0:
        return None
    return sheet > 0 if _sharpness(small, sheet > 0) > (0.92 if angles == 1 else 0.85) else None


def _right_angles(corners: NDArray[np.int32], shape: tuple[int, ...], clear: float) -> int:
    """How many corners a polygon has inside the picture; 0 where one is no right angle, as beside a shadow."""
    height, width = shape[:2]
    count = 0
    for before, corner, after in zip(np.roll(corners, 1, axis=0), corners, np.roll(corners, -1, axis=0), strict=True):
        x, y = corner
        if min(x, y, width - 1 - x, height - 1 - y) <= clear:
            continue
        a, b = (before - corner).astype(np.float64), (after - corner).astype(np.float64)
        if abs(float(a @ b)) > 0.5 * float(np.hypot(*a) * np.hypot(*b)):
            return 0
        count += 1
    return count


def _sharpness(grey: Bytes, area: Mask) -> float:
    """Share of an area's outline along which brightness jumps: near 1 for a sheet or a fill, less for a shade."""
    side = _square(0.03 * max(grey.shape))
    low, high = cv2.erode(grey, side).astype(np.float32), cv2.dilate(grey, side).astype(np.float32)
    outline = area & ~_eroded(area, 1.5)
    outline[[0, -1], :] = False
    outline[:, [0, -1]] = False
    return float(np.mean(low[outline] < 0.8 * high[outline])) if outline.any() else 0.0


def _continued(grey: Bytes, sheet: Mask) -> Bytes:
    """The picture with the light of the sheet continued over what is around it."""
    small = cv2.resize(grey, None, fx=0.0625, fy=0.0625, interpolation=cv2.INTER_AREA)
    outside = cv2.resize((~sheet).astype(np.uint8), (small.shape[1], small.shape[0]), interpolation=cv2.INTER_NEAREST)
    light = cv2.inpaint(cv2.medianBlur(small, 3), cv2.dilate(outside, _square(3)), 3, cv2.INPAINT_TELEA)
    light = cv2.resize(light, (grey.shape[1], grey.shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.where(sheet, grey, light).astype(np.uint8)


def _contrast(grey: Bytes) -> tuple[FloatArray, FloatArray, Mask]:
    """Darkness against the paper (0 to 1), its noise, and the areas too large to stand out from it, ``(h, w)`` each."""
    calm = cv2.GaussianBlur(grey, (0, 0), 0.7 + min(1.3, _noise(grey) / 5.0))
    reach = round(0.15 * max(grey.shape))
    # A closing keeps the edge of a shadow where it is: no ink appears along it, as it would after a blur. The margin
    # continues the light, without lines, beyond the border, where a closing would brighten a slope.
    light = cv2.resize(calm, None, fx=0.125, fy=0.125, interpolation=cv2.INTER_AREA)
    light = cv2.medianBlur(cv2.copyMakeBorder(light, 4, 4, 4, 4, cv2.BORDER_REFLECT_101), 9)[4:-4, 4:-4].copy()
    light = cv2.resize(light, (grey.shape[1], grey.shape[0]), interpolation=cv2.INTER_LINEAR)
    framed = cv2.copyMakeBorder(light, reach, reach, reach, reach, cv2.BORDER_REPLICATE)
    framed[reach:-reach, reach:-reach] = cv2.medianBlur(calm, 5)
    paper = cv2.morphologyEx(framed, cv2.MORPH_CLOSE, _square(reach))[reach:-reach, reach:-reach].copy()
    bright = np.maximum(paper.astype(np.float32), 32.0)
    contrast = (paper.astype(np.float32) - calm) / bright
    contrast -= _local_median(contrast)  # what the closing left of uneven light
    noise = _local_median(np.abs(contrast)) / 0.6745
    noise = np.minimum(noise, 2.5 * float(np.median(noise)))  # where ink covers half of the ground it is no noise
    return contrast, noise, _plateaus(paper)


def _local_median(values: FloatArray) -> FloatArray:
    """Median over about a tenth of the picture, of values of at most 0.1: ground, not ink."""
    small = cv2.resize(values, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_NEAREST)
    small = (np.clip(small, 0.0, 0.1) * 2550.0).astype(np.uint8)
    local = cv2.medianBlur(small, 2 * round(0.05 * max(small.shape)) + 1)
    size = (values.shape[1], values.shape[0])
    return np.asarray(cv2.resize(local, size, interpolation=cv2.INTER_LINEAR), np.float32) / 2550.0


def _noise(grey: Bytes) -> float:
    """Standard deviation of the pixel noise, in grey levels (Immerkaer's Laplacian, robust)."""
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32) / 6.0
    return float(np.median(np.abs(cv2.filter2D(grey, cv2.CV_32F, kernel)))) / 0.6745


def _plateaus(paper: Bytes) -> Mask:
    """Filled areas: parts of the ground much darker than around them that do not reach the border, as shadows do."""
    small = cv2.resize(paper, None, fx=0.125, fy=0.125, interpolation=cv2.INTER_NEAREST)
    around = cv2.morphologyEx(small, cv2.MORPH_CLOSE, _square(0.75 * max(small.shape)))
    around = cv2.resize(around, (paper.shape[1], paper.shape[0]), interpolation=cv2.INTER_LINEAR)
    dark = (paper < 0.8 * around.astype(np.float32)).astype(np.uint8)
    count, labels = cv2.connectedComponents(dark, connectivity=4)
    touching = np.bincount(_ring_of_one(labels), minlength=count)
    fills = np.zeros(paper.shape, bool)
    for index in range(1, min(count, 50)):
        area = labels == index
        if touching[index] < 0.15 * 2 * sum(paper.shape) and _sharpness(paper, area) > 0.85:
            fills |= area
    return fills


def _ring_of_one(labels: NDArray[np.int32]) -> NDArray[np.int32]:
    return np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])


def _square(side: float) -> Bytes:
    odd = max(3, 2 * round(side / 2) + 1)
    return np.ones((odd, odd), np.uint8)


# -- ink --------------------------------------------------------------------------------------------------------


def _find_drawing(grey: Bytes, name: str | Path) -> Mask:
    """The ink of the drawing, cropped to it and scaled to a longest side of `_SIDE`, a small free margin around."""
    sheet = _find_paper(grey)
    if sheet is not None:
        grey = _continued(grey, sheet)
    elif _light_on_dark(grey):
        grey = np.asarray(255 - grey, np.uint8)
    if int(grey.max()) - int(grey.min()) < 8:
        raise PictureError(name, "a blank picture: all of one colour")
    contrast, noise, fills = _contrast(grey)
    ink = _threshold(contrast, noise)
    if sheet is not None:
        ink = _on_sheet(ink, sheet)
        fills &= sheet
    ink = _without_ruling(ink, contrast, noise)
    ink |= _plain_or_outlined(fills, ink)
    ink = _without_specks(_without_frame(ink), contrast)
    if not ink.any() or _is_dust(ink, float(np.median(noise))):
        raise PictureError(name, _NO_DRAWING)
    return _without_fills(_scaled(ink))


def _threshold(contrast: FloatArray, noise: FloatArray) -> Mask:
    """Ink by a threshold that follows the darkest ink near by, so that a faint line stays and a gap does not fill."""
    floor = np.maximum(3.2 * noise, max(0.1 * float(np.percentile(contrast, 99.8)), 0.03))
    reach = 0.02 * max(contrast.shape)
    near = cv2.blur(cv2.dilate(contrast, _square(reach)), _square(reach).shape)
    weak = contrast > np.maximum(floor, 0.42 * near)
    _, labels = cv2.connectedComponents(weak.astype(np.uint8), connectivity=8)
    seeds = np.bincount(labels[contrast > 1.6 * floor], minlength=int(labels.max()) + 1) > 0
    seeds[0] = False
    return np.asarray(seeds[labels])


def _plain_or_outlined(fills: Mask, ink: Mask) -> Mask:
    """Filled areas as ink: whole where nothing is drawn on them, else a band along their outline."""
    band = max(3.0, _stroke_width(ink))
    count, labels = cv2.connectedComponents(fills.astype(np.uint8), connectivity=4)
    drawn_on = np.bincount(labels[ink & _eroded(fills, 3.0 * band)], minlength=count) > 0
    return np.asarray(fills & ~(drawn_on[labels] & _eroded(fills, band)))


def _on_sheet(ink: Mask, sheet: Mask) -> Mask:
    """Ink on the sheet, without what lies along its edge: curled paper and its shade."""
    count, labels = cv2.connectedComponents((ink & sheet).astype(np.uint8), connectivity=8)
    area = np.maximum(1, np.bincount(labels.ravel(), minlength=count))
    rim = sheet & ~_eroded(sheet, 0.03 * max(sheet.shape))
    keep = np.bincount(labels[rim], minlength=count) < 0.3 * area
    keep[0] = False
    return np.asarray(keep[labels])


def _stroke_width(ink: Mask) -> float:
    """Typical width of a line, in pixels: twice the median distance from the ridges of the ink to its edge."""
    depth = _depth(ink)
    ridge = ink & (depth >= cv2.dilate(depth, np.ones((3, 3), np.uint8)))
    return 2.0 * float(np.median(depth[ridge])) - 1.0 if ridge.any() else 1.0


def _depth(ink: Mask) -> FloatArray:
    """Distance of every pixel of ink to the nearest paper; outside the picture is paper."""
    return np.asarray(cv2.distanceTransform(np.pad(ink.astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1], np.float32)


def _eroded(ink: Mask, depth: float) -> Mask:
    return np.asarray(_depth(ink) > depth)


def _without_ruling(ink: Mask, contrast: FloatArray, noise: FloatArray) -> Mask:
    """Ink without the lines of ruled or squared paper: parallel straight lines, evenly apart, across the page."""
    height, width = ink.shape
    line = _stroke_width(ink)
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
        if found is None:
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


def _without_frame(ink: Mask) -> Mask:
    """Ink without what runs along the picture's border (a table's edge, a frame), if a drawing remains."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(ink.astype(np.uint8), connectivity=8)
    height, width = ink.shape
    near = max(2.0, 0.025 * max(ink.shape))
    rows, columns = np.arange(height)[:, None], np.arange(width)[None, :]
    to_border = np.minimum(np.minimum(rows, height - 1 - rows), np.minimum(columns, width - 1 - columns))
    hugging = np.bincount(labels[to_border <= near], minlength=count) / np.maximum(1, stats[:, cv2.CC_STAT_AREA])
    touching = np.bincount(_ring_of_one(labels), minlength=count)
    long = (stats[:, cv2.CC_STAT_WIDTH] > 0.35 * width) | (stats[:, cv2.CC_STAT_HEIGHT] > 0.35 * height)
    wide = (stats[:, cv2.CC_STAT_WIDTH] > 0.9 * width) & (stats[:, cv2.CC_STAT_HEIGHT] > 0.9 * height)
    edge = (hugging > 0.8) & long & (wide | (touching > 0.3 * min(ink.shape)))
    edge |= touching > 0.5 * (width + height)
    edge[0] = False
    if not edge.any():
        return ink
    rest = ink & ~edge[labels]
    ys, xs = np.nonzero(rest)
    if len(xs) == 0 or max(np.ptp(xs), np.ptp(ys)) < 0.2 * max(ink.shape):
        return ink
    return np.asarray(rest)


def _without_specks(ink: Mask, contrast: FloatArray) -> Mask:
    """Ink without dust: small pieces stay where they are as dark as the lines, not tiny, and within the drawing."""
    count, labels, stats, centres = cv2.connectedComponentsWithStats(ink.astype(np.uint8), connectivity=8)
    if count <= 1:
        return ink
    extent = np.maximum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT]).astype(np.float64)
    area = stats[:, cv2.CC_STAT_AREA].astype(np.float64)
    darkness = np.bincount(labels.ravel(), contrast.ravel(), count) / area
    extent[0] = area[0] = darkness[0] = 0.0
    largest = float(extent.max())
    width = _stroke_width(np.isin(labels, np.flatnonzero(extent > 0.25 * largest)))
    lines = extent > max(min(4.0 * width, 0.4 * largest), 0.08 * largest)
    line_darkness = float(np.median(darkness[lines]))
    left, top = stats[lines, cv2.CC_STAT_LEFT].min(), stats[lines, cv2.CC_STAT_TOP].min()
    right = (stats[:, cv2.CC_STAT_LEFT] + stats[:, cv2.CC_STAT_WIDTH])[lines].max()
    bottom = (stats[:, cv2.CC_STAT_TOP] + stats[:, cv2.CC_STAT_HEIGHT])[lines].max()
    room = 0.1 * max(right - left, bottom - top)
    x, y = centres[:, 0], centres[:, 1]
    inside = (x > left - room) & (x < right + room) & (y > top - room) & (y < bottom + room)
    dots = inside & (area > 0.4 * width**2) & (extent > 0.6 * width) & (darkness > 0.5 * line_darkness)
    keep = lines | dots
    keep[0] = False
    return np.asarray(keep[labels])


def _is_dust(ink: Mask, noise: float) -> bool:
    """Whether there is nothing but dots, more than a clean picture of dots would hold."""
    count, _, stats, _ = cv2.connectedComponentsWithStats(ink.astype(np.uint8), connectivity=8)
    largest = int(stats[1:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max())
    return largest < 0.025 * max(ink.shape) and (count > 12 or noise > 0.002)


def _scaled(ink: Mask) -> Mask:
    ys, xs = np.nonzero(ink)
    ink = ink[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1]
    scale = min(8.0, _SIDE / max(ink.shape))
    width = _stroke_width(ink)
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


def _without_fills(ink: Mask) -> Mask:
    """Areas much thicker than the lines become a band along their outline."""
    width = min(_stroke_width(ink), 0.085 * _SIDE)
    depth = _depth(ink)
    reach = max(width, 0.035 * _SIDE)
    thick = depth > reach
    if not thick.any():
        return ink
    away = cv2.distanceTransform((~thick).astype(np.uint8), cv2.DIST_L2, 5)
    area = ink & (away <= reach)
    band = area & ~_eroded(area, min(max(3.0, width), 0.6 * reach))
    return np.asarray((ink & ~area) | band)


# -- centre lines -----------------------------------------------------------------------------------------------


@dataclass
class _Branch:
    """A stretch of skeleton without forks, between two nodes (-1, -1 for a loop of its own)."""

    ends: tuple[int, int]
    path: DoubleArray
    """``(n, 2)`` x, y, from the first end to the second, both included."""

    @property
    def length(self) -> float:
        return float(np.hypot(*np.diff(self.path, axis=0).T).sum())

    def from_end(self, which: int) -> DoubleArray:
        """The path as it leaves its first (0) or second (1) end."""
        return self.path if which == 0 else self.path[::-1]


@dataclass
class _Skeleton:
    """The centre lines as a graph."""

    nodes: DoubleArray
    """``(n, 2)`` x, y."""
    radius: FloatArray
    """Half the width of the ink at each node."""
    branches: list[_Branch]
    dots: list[DoubleArray]

    def at_nodes(self) -> dict[int, list[End]]:
        """The (branch, end) pairs that meet at each node."""
        meeting: dict[int, list[End]] = {}
        for index, branch in enumerate(self.branches):
            for which, node in enumerate(branch.ends):
                if node >= 0:
                    meeting.setdefault(node, []).append((index, which))
        return meeting


def _trace(ink: Mask) -> tuple[list[DoubleArray], float]:
    """Centre lines of the ink, each ``(n, 2)`` in pixels, as long as their direction allows; and the stroke width."""
    thin = cv2.ximgproc.thinning(ink.astype(np.uint8) * 255, thinningType=cv2.ximgproc.THINNING_GUOHALL) > 0
    depth = _depth(ink)
    width = 2.0 * float(np.median(depth[thin])) if thin.any() else 1.0
    skeleton = _contract(_graph(thin, depth))
    _prune(skeleton)
    lines = [_smooth(line) for line in _chains(skeleton, width)]
    return [*lines, *skeleton.dots], width


_STEPS = ((0, 1), (1, 0), (0, -1), (-1, 0), (1, 1), (1, -1), (-1, -1), (-1, 1))


def _neighbours(thin: Mask) -> tuple[DoubleArray, list[list[int]]]:
    """Pixels of a skeleton ``(n, 2)`` x, y, and the neighbours of each: no diagonal that two straight steps replace."""
    framed = np.pad(thin, 1)
    ys, xs = np.nonzero(framed)
    number = np.full(framed.shape, -1, np.int64)
    number[ys, xs] = np.arange(len(xs))
    table = np.full((len(xs), 8), -1, np.int64)
    for column, (dy, dx) in enumerate(_STEPS):
        found = number[ys + dy, xs + dx]
        if dx and dy:
            found = np.where(framed[ys + dy, xs] | framed[ys, xs + dx], -1, found)
        table[:, column] = found
    return np.stack([xs - 1, ys - 1], axis=1).astype(np.float64), [[n for n in row if n >= 0] for row in table.tolist()]


def _graph(thin: Mask, depth: FloatArray) -> _Skeleton:
    points, neighbours = _neighbours(thin)
    node_of = [-1] * len(points)
    groups: list[list[int]] = []
    for index, near in enumerate(neighbours):
        if len(near) == 2 or len(near) == 0 or node_of[index] >= 0:
            continue
        node_of[index] = len(groups)
        group = [index]
        if len(near) > 2:
            for member in group:
                for other in neighbours[member]:
                    if len(neighbours[other]) > 2 and node_of[other] < 0:
                        node_of[other] = len(groups)
                        group.append(other)
        groups.append(group)
    nodes = np.array([points[group].mean(axis=0) for group in groups]).reshape(-1, 2)
    radius = np.array([max(depth[int(y), int(x)] for x, y in points[group]) for group in groups], np.float32)

    branches: list[_Branch] = []
    walked: set[tuple[int, int]] = set()
    passed = [len(near) != 2 for near in neighbours]
    for start, node in enumerate(node_of):
        for first in neighbours[start] if node >= 0 else ():
            if (start, first) in walked or node_of[first] == node:
                continue
            path = _walk(start, first, neighbours, node_of)
            walked.update([(path[0], path[1]), (path[-1], path[-2])])
            for index in path[1:-1]:
                passed[index] = True
            last = node_of[path[-1]]
            whole = np.concatenate([nodes[node : node + 1], points[path[1:-1]], nodes[last : last + 1]])
            branches.append(_Branch((node, last), whole))
    for start, done in enumerate(passed):
        if not done:
            node_of[start] = 0
            loop = _walk(start, neighbours[start][0], neighbours, node_of)
            for index in loop:
                passed[index] = True
            branches.append(_Branch((-1, -1), points[loop]))
    # A dot is a dab one pixel long: renderers leave no ink for a stroke of one point.
    dots = [points[index] + [[-0.5, 0.0], [0.5, 0.0]] for index, near in enumerate(neighbours) if not near]
    return _Skeleton(nodes, radius, branches, dots)


def _walk(start: int, first: int, neighbours: list[list[int]], node_of: list[int]) -> list[int]:
    """Pixels from ``start`` through ``first`` on to the next node."""
    path = [start, first]
    while node_of[path[-1]] < 0:
        a, b = neighbours[path[-1]]
        path.append(b if a == path[-2] else a)
    return path


def _contract(skeleton: _Skeleton) -> _Skeleton:
    """Forks joined by a bridge shorter than the line is wide are one crossing."""
    owner = list(range(len(skeleton.nodes)))

    def find(node: int) -> int:
        while owner[node] != node:
            node = owner[node]
        return node

    degree = {node: len(ends) for node, ends in skeleton.at_nodes().items()}
    bridges: set[int] = set()
    for index, branch in enumerate(skeleton.branches):
        a, b = branch.ends
        if a < 0 or min(degree[a], degree[b]) < 3:
            continue
        if a != b and branch.length <= 1.4 * max(skeleton.radius[a], skeleton.radius[b]):
            bridges.add(index)
            owner[find(a)] = find(b)
    groups: dict[int, list[int]] = {}
    for node in range(len(skeleton.nodes)):
        groups.setdefault(find(node), []).append(node)
    nodes = skeleton.nodes.copy()
    radius = skeleton.radius.copy()
    for root, members in groups.items():
        nodes[root] = skeleton.nodes[members].mean(axis=0)
        radius[root] = skeleton.radius[members].max()
    branches = []
    for index, branch in enumerate(skeleton.branches):
        if index in bridges:
            continue
        if branch.ends[0] < 0:
            branches.append(branch)
            continue
        a, b = find(branch.ends[0]), find(branch.ends[1])
        path = np.concatenate([nodes[a : a + 1], branch.path[1:-1], nodes[b : b + 1]])
        if a != b or branch.length > 3.0 * radius[a]:
            branches.append(_Branch((a, b), path))
    return _Skeleton(nodes, radius, branches, skeleton.dots)


def _prune(skeleton: _Skeleton) -> None:
    """Take away spurs: free ends that reach no farther than the edge of the line they grow from. Shortest first."""
    while True:
        meeting = skeleton.at_nodes()
        spurs = []
        for index, branch in enumerate(skeleton.branches):
            if branch.ends[0] < 0:
                continue
            degrees = [len(meeting[node]) for node in branch.ends]
            if min(degrees) == 1 and max(degrees) > 2:
                fork = branch.ends[degrees.index(max(degrees))]
                if branch.length <= 1.3 * skeleton.radius[fork] + 2.0:
                    spurs.append((branch.length, index))
        if not spurs:
            return
        del skeleton.branches[min(spurs)[1]]


def _chains(skeleton: _Skeleton, width: float) -> Iterator[DoubleArray]:
    """Branches joined at each fork with the one that continues straightest."""
    partner: dict[End, End] = {}
    meeting = skeleton.at_nodes()
    paths = [branch.path for branch in skeleton.branches]
    for node, ends in meeting.items():
        clear = float(skeleton.radius[node]) if len(ends) > 2 else 0.0
        for a, b in _straightest(skeleton, node, ends, clear, reach=max(8.0, 1.5 * width)):
            partner[a], partner[b] = b, a
        if len(ends) > 2:
            for index, which in ends:
                joined = (index, which) in partner
                paths[index] = _cleared(paths[index], which, skeleton.nodes[node], 0.9 * clear, keep_node=not joined)
    free = [(i, e) for i, b in enumerate(skeleton.branches) if b.ends[0] >= 0 for e in (0, 1) if (i, e) not in partner]
    yield from _linked(paths, partner, free)


def _linked(paths: Sequence[DoubleArray], partner: Mapping[End, End], free: Sequence[End]) -> Iterator[DoubleArray]:
    """Paths strung together from end to partner end, each from a free end on; what no free end leads to is a loop."""
    done: set[int] = set()
    for start in [*free, *((index, 0) for index in range(len(paths)))]:
        if start[0] in done:
            continue
        index, which = start
        pieces: list[DoubleArray] = []
        while index not in done:
            done.add(index)
            pieces.append(paths[index] if which == 0 else paths[index][::-1])
            onward = partner.get((index, 1 - which))
            if onward is None:
                break
            index, which = onward
        line = np.concatenate(pieces)
        yield line if start in free else np.concatenate([line, line[:1]])


def _straightest(
    skeleton: _Skeleton, node: int, ends: list[End], clear: float, reach: float
) -> Iterator[tuple[End, End]]:
    """Pairs of branch ends that continue each other across a node, the straightest first."""
    if len(ends) == 2:
        yield ends[0], ends[1]
        return
    headings = [_heading(skeleton.branches[i].from_end(e), skeleton.nodes[node], clear, reach) for i, e in ends]
    turns = sorted((float(headings[a] @ headings[b]), a, b) for a, b in combinations(range(len(ends)), 2))
    taken: set[int] = set()
    for opposite, a, b in turns:
        if opposite < -0.5 and not taken & {a, b}:
            taken |= {a, b}
            yield ends[a], ends[b]


def _heading(path: DoubleArray, node: DoubleArray, clear: float, reach: float) -> DoubleArray:
    """Unit vector in which a path leaves a node, measured where it is clear of the node's blot."""
    distance = np.hypot(*(path - node).T)
    outside = np.flatnonzero(distance >= clear)
    first = int(outside[0]) if len(outside) else len(path) - 1
    last = min(len(path) - 1, first + math.ceil(reach))
    start = path[first] if last > first else node
    vector = path[last] - start
    norm = float(np.hypot(*vector))
    return vector / norm if norm > 0 else np.zeros(2)


def _cleared(path: DoubleArray, which: int, node: DoubleArray, clear: float, *, keep_node: bool) -> DoubleArray:
    """A path without its points inside a node's blot, where skeletons bend; ``keep_node`` leads it to the middle."""
    outward = path if which == 0 else path[::-1]
    distance = np.hypot(*(outward - node).T)
    inside = int(np.argmax(distance >= clear)) if (distance >= clear).any() else len(outward) - 1
    outward = outward[inside:]
    if keep_node:
        outward = np.concatenate([node[None], outward])
    return outward if which == 0 else outward[::-1]


def _smooth(line: DoubleArray, sigma: float = 2.5) -> DoubleArray:
    """Points a pixel apart, the pixel stairs smoothed away; ends stay, loops stay closed."""
    steps = np.hypot(*np.diff(line, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    count = max(2, math.ceil(along[-1]) + 1)
    at = np.linspace(0.0, along[-1], count)
    even = np.stack([np.interp(at, along, line[:, axis]) for axis in (0, 1)], axis=1)
    reach = min(math.ceil(3 * sigma), count - 1)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    weights /= weights.sum()
    if np.array_equal(line[0], line[-1]):
        padded = np.concatenate([even[-reach - 1 : -1], even, even[1 : reach + 1]])
    else:
        before, after = 2 * even[0] - even[reach:0:-1], 2 * even[-1] - even[-2 : -reach - 2 : -1]
        padded = np.concatenate([before, even, after])
    return np.stack([np.convolve(padded[:, axis], weights, "valid") for axis in (0, 1)], axis=1)


def _join_gaps(lines: list[DoubleArray], width: float) -> list[DoubleArray]:
    """Lines whose ends nearly meet and point at each other become one, the nearest ends first."""
    gap = 1.2 * width + 3.0
    open_lines = [len(line) > 2 and not _closed(line) for line in lines]
    opened = [line for line, is_open in zip(lines, open_lines, strict=True) if is_open]
    ends = [(index, which) for index in range(len(opened)) for which in (0, 1)]
    tips = np.array([opened[index][-which] for index, which in ends]).reshape(-1, 2)
    apart = np.hypot(*(tips[:, None] - tips[None]).transpose(2, 0, 1))
    partner: dict[End, End] = {}
    for n, m in sorted(np.argwhere(np.triu(apart <= gap, 1)).tolist(), key=lambda pair: float(apart[pair[0], pair[1]])):
        a, b = ends[n], ends[m]
        if a in partner or b in partner:
            continue
        if _meet(opened[a[0]], a[1], opened[b[0]], b[1], same=a[0] == b[0], near=0.5 * width):
            partner[a], partner[b] = b, a
    free = [end for end in ends if end not in partner]
    return [
        *_linked(opened, partner, free),
        *(line for line, is_open in zip(lines, open_lines, strict=True) if not is_open),
    ]


def _closed(line: DoubleArray) -> bool:
    """Whether a line ends where it began."""
    return bool(np.array_equal(line[0], line[-1]))


def _meet(a: DoubleArray, end_a: int, b: DoubleArray, end_b: int, *, same: bool, near: float) -> bool:
    """Whether the gap from an end of ``a`` to an end of ``b`` (0 first, 1 last) continues both lines."""
    jump = b[-end_b] - a[-end_a]
    distance = float(np.hypot(*jump))
    if same and len(a) < 4 * max(distance, 6.0):
        return False
    out_a, out_b = _outward(a, end_a), _outward(b, end_b)
    if distance <= near:
        return bool(out_a @ out_b < 0.0)
    return bool(out_a @ jump > 0.7 * distance and -(out_b @ jump) > 0.7 * distance)


def _outward(line: DoubleArray, end: int) -> DoubleArray:
    """Unit vector in which a line leaves its first (0) or last (1) point."""
    reach = min(9, len(line))
    vector = line[0] - line[reach - 1] if end == 0 else line[-1] - line[-reach]
    norm = float(np.hypot(*vector))
    return vector / norm if norm > 0 else np.zeros(2)


def _in_drawing_order(lines: list[DoubleArray]) -> list[FloatArray]:
    """Large lines first, then details; each group from the top left on, always to the nearest free end."""
    lengths = [float(np.hypot(*np.diff(line, axis=0).T).sum()) for line in lines]
    limit = 0.4 * max(lengths)
    pen = np.min([line.min(axis=0) for line in lines], axis=0)
    ordered: list[FloatArray] = []
    for group in (
        [line for line, length in zip(lines, lengths, strict=True) if length >= limit],
        [line for line, length in zip(lines, lengths, strict=True) if length < limit],
    ):
        while group:
            starts = [_nearest_start(line, pen) for line in group]
            chosen = min(range(len(group)), key=lambda n: starts[n][0])
            line = _started(group.pop(chosen), starts[chosen][1])
            pen = line[-1]
            ordered.append(line.astype(np.float32))
    return ordered


def _nearest_start(line: DoubleArray, pen: DoubleArray) -> tuple[float, int]:
    """Distance from the pen to where a line can start, and that index: either end, or any point of a loop."""
    distance = np.hypot(*(line - pen).T)
    index = int(np.argmin(distance)) if _closed(line) else (0 if distance[0] <= distance[-1] else len(line) - 1)
    return float(distance[index]), index


def _started(line: DoubleArray, index: int) -> DoubleArray:
    if _closed(line):
        return np.concatenate([line[index:-1], line[: index + 1]])
    return line if index == 0 else line[::-1]
