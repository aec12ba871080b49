"""A picture file to a page: upright, of bounded size, its light flattened, dark ink on a light ground."""

from __future__ import annotations

import math
import struct
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from sketch_pix2seq.errors import PictureError
from sketch_pix2seq.sketch import FloatArray

Bytes: TypeAlias = NDArray[np.uint8]
Mask: TypeAlias = NDArray[np.bool_]

MAX_PIXELS = 64_000_000
"""Pictures of more pixels are refused before they are decoded."""

_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
_PAGE = 1600
"""Longest side of a page, in pixels; larger pictures are reduced."""
_SMALL_PAGE = 480
"""Pictures smaller than this are enlarged to it."""
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
NO_DRAWING = "no drawing found; a picture with clear lines on an even ground works"


@dataclass(frozen=True)
class Page:
    """A picture, upright and of bounded size."""

    pixels: Bytes
    """RGB ``(h, w, 3)``."""
    ground: int | None
    """Brightness of the paper where transparency tells it: 255 or 0."""


# -- opening ----------------------------------------------------------------------------------------------------


def open_page(path: Path) -> Page:
    """The page of a file. Raises PictureError for one that cannot be opened."""
    try:
        if path.stat().st_size == 0:
            raise PictureError(path, "the file is empty")
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            warnings.filterwarnings("ignore", category=UserWarning, module="PIL")
            with Image.open(path, formats=_FORMATS) as image:
                _check_size(image, path)
                longest = max(image.size)
                image.draft("RGB", (_reduced(image.width, longest), _reduced(image.height, longest)))
                return page_of(image, path)
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


def page_of(source: Image.Image | Bytes, name: Path) -> Page:
    """The page of a picture: longest side between `_SMALL_PAGE` and `_PAGE`, transparency on white.

    Raises ValueError for an array that is no picture, PictureError for one of too many pixels.
    """
    image = source if isinstance(source, Image.Image) else _image_of(source)
    _check_size(image, name)
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
    flat, ground = _flatten(np.concatenate(bands))
    if orientation is not None:
        flat = np.asarray(Image.fromarray(flat).transpose(orientation))
    return Page(_enlarged(flat), ground)


def _check_size(image: Image.Image, name: Path) -> None:
    width, height = image.size
    if width * height == 0:
        raise ValueError("the picture holds no pixels")
    if width * height > MAX_PIXELS:
        size = f"{width} x {height} pixels"
        raise PictureError(name, f"{size}, more than {MAX_PIXELS // 1_000_000} megapixels; reduce it first")


def _image_of(array: Bytes) -> Image.Image:
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        raise ValueError(f"uint8 of shape (h, w), (h, w, 3) or (h, w, 4) is needed; got {array.dtype} {array.shape}")
    if array.size == 0:
        raise ValueError("the array holds no pixels")
    if array.shape[0] * array.shape[1] > MAX_PIXELS:
        raise PictureError("picture", f"more than {MAX_PIXELS // 1_000_000} megapixels; reduce it first")
    return Image.fromarray(np.ascontiguousarray(array))


def _orientation(image: Image.Image) -> Image.Transpose | None:
    """How to turn a picture upright; None where its EXIF data does not say, or is damaged."""
    try:
        return _UPRIGHT.get(image.getexif().get(_ORIENTATION, 1))
    except _DAMAGE:
        return None


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


def _flatten(pixels: Bytes) -> tuple[Bytes, int | None]:
    """RGBA on white, or on black where all that can be seen is nearly white; and that ground, None if there is none."""
    alpha = pixels[..., 3:].astype(np.float32) / 255.0
    if alpha.min() == 1.0:
        return np.ascontiguousarray(pixels[..., :3]), None
    seen = pixels[..., :3][alpha[..., 0] > 0.5]
    darkest = np.percentile(seen @ np.array([0.299, 0.587, 0.114]), 2) if len(seen) else 0.0
    ground = 0 if darkest > 190 else 255
    flat = np.asarray(np.rint(pixels[..., :3] * alpha + ground * (1.0 - alpha)), np.uint8)
    return flat, ground if np.mean(alpha < 0.5) > 0.02 else None


def _enlarged(page: Bytes) -> Bytes:
    narrow = max(0, 48 - min(page.shape[:2]))
    if narrow:
        ground = np.median(ring(page), axis=0).tolist()
        page = cv2.copyMakeBorder(page, narrow, narrow, narrow, narrow, cv2.BORDER_CONSTANT, value=ground)
    longest = max(page.shape[:2])
    if longest >= _SMALL_PAGE:
        return page
    scale = min(16.0, _SMALL_PAGE / longest)
    size = (max(1, round(page.shape[1] * scale)), max(1, round(page.shape[0] * scale)))
    page = cv2.resize(page, size, interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.GaussianBlur(page, (0, 0), 0.4 * scale), np.uint8)


# -- light and polarity -----------------------------------------------------------------------------------------


def grey_of(page: Bytes) -> Bytes:
    """Brightness ``(h, w)`` of an RGB page; where the drawing differs in hue only, closeness to the paper's colour."""
    grey = np.asarray(cv2.cvtColor(page, cv2.COLOR_RGB2GRAY), np.uint8)
    paper = np.median(ring(page), axis=0).astype(np.uint8)
    hue = np.asarray(cv2.absdiff(page, np.broadcast_to(paper, page.shape).copy()).max(axis=2), np.uint8)
    brightness = cv2.absdiff(grey, np.full_like(grey, int(np.median(ring(grey)))))
    if np.percentile(brightness, 99) >= 0.4 * np.percentile(hue, 99):
        return grey
    return np.asarray(255 - hue, np.uint8)


def ring(page: Bytes) -> Bytes:
    """Pixels of the picture's outer 4 %, in a row: ``(n,)`` or ``(n, channels)``."""
    depth = max(1, round(0.04 * min(page.shape[:2])))
    inside = np.ones(page.shape[:2], bool)
    inside[depth:-depth, depth:-depth] = False
    return page[inside]


def light_on_dark(grey: Bytes, two_tones: bool) -> bool:
    """Whether lines are lighter than the ground: by the border where it is even, else by the thin details."""
    low, high = np.percentile(grey, (0.5, 99.5))
    border = ring(grey).astype(np.float32)
    if two_tones:
        light = float(np.mean(border > 0.5 * (low + high)))
        if light < 0.05 and _is_framed(grey < 0.5 * (low + high)):
            return False
        if light < 0.5 and np.sum(_corners(grey) > 0.5 * (low + high)) >= 3:
            return False  # a filled shape reaches the border, but not the corners
        if abs(light - 0.5) > 0.05:
            return light < 0.5
    ground = float(np.median(border))
    reach = 0.12 * (high - low)
    if np.mean(np.abs(border - ground) <= reach) > 0.7 and min(ground - low, high - ground) <= reach:
        return bool(ground - low < high - ground)
    calm = cv2.medianBlur(grey, 5)
    verdict = 0.0
    for details in (100, 48, 24):
        kernel = square(max(grey.shape) / details)
        # The fourth power hears lines, not texture.
        dark = float(np.mean(cv2.morphologyEx(calm, cv2.MORPH_BLACKHAT, kernel).astype(np.float32) ** 4))
        light = float(np.mean(cv2.morphologyEx(calm, cv2.MORPH_TOPHAT, kernel).astype(np.float32) ** 4))
        ratio = math.log((light + 10.0) / (dark + 10.0))
        verdict = max(verdict, ratio, key=abs)
    return verdict > 0.0


def _corners(grey: Bytes) -> Bytes:
    """Brightness of the picture's four corners."""
    side = max(1, round(0.015 * min(grey.shape)))
    ends = slice(None, side), slice(-side, None)
    return np.array([np.median(grey[rows, columns]) for rows in ends for columns in ends]).astype(np.uint8)


def _is_framed(dark: Mask) -> bool:
    """Whether what runs along the border is a line rather than the ground."""
    return bool(np.mean(dark) < 0.5 and float(depth_of(dark).max()) < 0.12 * min(dark.shape))


def find_paper(grey: Bytes) -> Mask | None:
    """A bright sheet on a darker table with marks on it, or None: the sheet without its edge."""
    reduced = cv2.resize(grey, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    small = cv2.medianBlur(reduced, 5)
    best: Mask | None = None
    for lit in (small, _without_slope(small)):
        low, middle, high = np.percentile(lit, (2, 30, 98))
        if high - low < 8:
            continue
        # One of the levels parts the table from the paper's shaded side; a light table differs from it by a little.
        for level in (*np.linspace(low, high, 14)[1:-1], *np.linspace(max(low, 0.75 * high, middle - 8), high, 12)):
            sheet = _sheet_at(lit, level)
            if sheet is not None and (best is None or sheet.sum() > best.sum()):
                best = sheet
    if best is None:
        return None
    inside = eroded(best, 0.02 * max(small.shape))
    marks = cv2.morphologyEx(reduced, cv2.MORPH_BLACKHAT, square(max(small.shape) / 12))[inside]
    if marks.size == 0 or np.percentile(marks, 99.5) < 12:
        return None
    size = (grey.shape[1], grey.shape[0])
    return np.asarray(cv2.resize(inside.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0)


def is_scene(page: Page, grey: Bytes, sheet: Mask | None) -> bool:
    """Whether a page, or the sheet on it, has neither an even ground nor one colour nor flat areas, as a photo of the
    world or a landscape has not."""
    size = (128, 128)
    seen = np.ones(size, bool)
    if sheet is not None:
        seen = cv2.resize(sheet.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    small = cv2.medianBlur(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), 5)
    levels = [np.bincount(lit[seen], minlength=256) for lit in (small, _without_slope(small))]
    ground = max(float(np.convolve(counts, np.ones(25), "same").max()) for counts in levels) / max(1, int(seen.sum()))
    colours = cv2.cvtColor(cv2.resize(page.pixels, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2LAB)
    hues = colours[seen][:, 1:].astype(np.float32)
    coloured = float(np.mean(np.hypot(*(hues - np.median(hues, axis=0)).T) > 10.0))
    return (ground < 0.4 or (ground < 0.6 and coloured > 0.3)) and not is_flat(page, bits=7)


def is_flat(page: Page, bits: int) -> bool:
    """Whether few colours, told apart to so many bits a channel, make up a page, as those that a program painted."""
    red, green, blue = (page.pixels[::2, ::2] >> (8 - bits)).reshape(-1, 3).astype(np.int64).T
    _, counts = np.unique(red << 2 * bits | green << bits | blue, return_counts=True)
    return bool(np.sort(counts)[-12:].sum() > 0.85 * len(red))


def _without_slope(grey: Bytes) -> Bytes:
    """A picture with the plane that fits its brightness best made level."""
    height, width = grey.shape
    y, x = np.mgrid[0:height, 0:width]
    plane = np.stack([np.ones(grey.size), x.ravel() / width - 0.5, y.ravel() / height - 0.5], axis=1)
    fit = np.linalg.lstsq(plane, grey.ravel().astype(np.float64), rcond=None)[0]
    light = np.maximum(plane @ fit, 16.0).reshape(grey.shape)
    return np.asarray(np.clip(grey * (fit[0] / light), 0.0, 255.0), np.uint8)


def _sheet_at(small: Bytes, level: float) -> Mask | None:
    """The largest area brighter than a level, where it has the shape and the sharp edge of a sheet of paper."""
    bright = (small > level).astype(np.uint8)
    if np.mean(ring(bright)) > 0.9:
        return None
    shapes, _ = cv2.findContours(bright, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    shape = max(shapes, key=cv2.contourArea, default=None)
    if shape is None or not 0.15 < cv2.contourArea(shape) / small.size < 0.97:
        return None
    hull = cv2.convexHull(shape)
    if cv2.contourArea(shape) < 0.965 * cv2.contourArea(hull):
        return None
    sheet = np.zeros(small.shape, np.uint8)
    cv2.fillPoly(sheet, [hull], 1)
    filled = float(np.mean(bright[sheet > 0]))
    around = cv2.arcLength(hull, True)
    polygons = [cv2.approxPolyDP(hull, share * around, True).reshape(-1, 2) for share in (0.015, 0.03)]
    angles = max(_right_angles(p, small.shape, 0.03 * max(small.shape)) for p in polygons)
    if filled >= 0.7 and angles > 0 and _sharpness(small, sheet > 0) > (0.92 if angles == 1 else 0.85):
        return sheet > 0
    whole = max(_right_angles(p, small.shape, 1.5) for p in polygons) >= 3
    return sheet > 0 if whole and filled > 0.9 and _has_step(small, sheet > 0) else None


def _has_step(grey: Bytes, area: Mask) -> bool:
    """Whether an area is evenly brighter than what is around it, by a step that is small but sharp."""
    reach = 0.04 * max(grey.shape)
    around = (cv2.dilate(area.astype(np.uint8), square(2.0 * reach)) > 0) & ~area
    within = area & ~eroded(area, reach)
    if not around.any() or not within.any():
        return False
    step = float(np.median(grey[within])) - float(np.percentile(grey[around], 75))
    side = square(0.02 * max(grey.shape))
    jump = cv2.dilate(grey, side).astype(np.float32) - cv2.erode(grey, side).astype(np.float32)
    outline = area & ~eroded(area, 1.5)
    return step > 4.0 and float(np.mean(jump[outline] > 0.7 * step)) > 0.9


def _right_angles(corners: NDArray[np.int32], shape: tuple[int, ...], clear: float) -> int:
    """How many corners a polygon has inside the picture; 0 where one is no right angle, as beside a shadow."""
    height, width = shape[:2]
    count = 0
    if len(corners) > 6:
        return 0
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
    side = square(0.03 * max(grey.shape))
    low, high = cv2.erode(grey, side).astype(np.float32), cv2.dilate(grey, side).astype(np.float32)
    outline = area & ~eroded(area, 1.5)
    outline[[0, -1], :] = False
    outline[:, [0, -1]] = False
    return float(np.mean(low[outline] < 0.8 * high[outline])) if outline.any() else 0.0


def continued(grey: Bytes, sheet: Mask) -> Bytes:
    """The picture with the light of the sheet continued over what is around it."""
    small = cv2.resize(grey, None, fx=0.0625, fy=0.0625, interpolation=cv2.INTER_AREA)
    outside = cv2.resize((~sheet).astype(np.uint8), (small.shape[1], small.shape[0]), interpolation=cv2.INTER_NEAREST)
    light = cv2.inpaint(cv2.medianBlur(small, 3), cv2.dilate(outside, square(3)), 3, cv2.INPAINT_TELEA)
    light = cv2.resize(light, (grey.shape[1], grey.shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.where(sheet, grey, light).astype(np.uint8)


@dataclass(frozen=True)
class Contrast:
    """How much darker than the paper a page is, ``(h, w)`` each."""

    darkness: FloatArray
    """0 for paper, 1 for black on white."""
    noise: FloatArray
    """Standard deviation of the darkness of paper."""
    fills: Mask
    """Areas too large to stand out from the paper in ``darkness``."""
    two_tones: bool
    """Whether the page holds an even ground, an even ink and nothing between, as an icon does."""


def contrast_of(grey: Bytes, two_tones: bool) -> Contrast:
    """The contrast of a page with dark ink; ``two_tones``: see `has_two_tones`."""
    calm = cv2.GaussianBlur(grey, (0, 0), 0.7 + min(1.3, _noise(grey) / 5.0))
    if two_tones:
        light = max(1, int(grey.max()) // 2 + int(grey.min()) // 2)
        level = light + int(np.argmax(np.bincount(grey.ravel(), minlength=256)[light:]))
        darkness = np.maximum(level - calm.astype(np.float32), 0.0) / max(float(level), 32.0)
        return Contrast(darkness, np.zeros_like(darkness), np.zeros(grey.shape, bool), True)
    reach = round(0.15 * max(grey.shape))
    # A closing keeps the edge of a shadow where it is: no ink appears along it, as it would after a blur. The margin
    # continues the light, without lines, beyond the border, where a closing would brighten a slope.
    light = cv2.resize(calm, None, fx=0.125, fy=0.125, interpolation=cv2.INTER_AREA)
    light = cv2.medianBlur(cv2.copyMakeBorder(light, 4, 4, 4, 4, cv2.BORDER_REFLECT_101), 9)[4:-4, 4:-4].copy()
    light = cv2.resize(light, (grey.shape[1], grey.shape[0]), interpolation=cv2.INTER_LINEAR)
    framed = cv2.copyMakeBorder(light, reach, reach, reach, reach, cv2.BORDER_REPLICATE)
    framed[reach:-reach, reach:-reach] = cv2.medianBlur(calm, 5)
    paper = cv2.morphologyEx(framed, cv2.MORPH_CLOSE, square(reach))[reach:-reach, reach:-reach].copy()
    bright = np.maximum(paper.astype(np.float32), 32.0)
    contrast = (paper.astype(np.float32) - calm) / bright
    contrast -= _local_median(contrast)  # what the closing left of uneven light
    noise = _local_median(np.abs(contrast)) / 0.6745
    noise = np.minimum(noise, 2.5 * float(np.median(noise)))  # where ink covers half of the ground it is no noise
    return Contrast(contrast, noise, _plateaus(paper), False)


def has_two_tones(grey: Bytes) -> bool:
    """Whether a page holds an even ground and an even ink alone, as an icon does."""
    low, high = (float(level) for level in np.percentile(grey, (0.02, 99.98)))
    reach = high - low
    if reach < 8.0 or _noise(grey) > 0.04 * reach:
        return False
    between = (grey > low + 0.2 * reach) & (grey < high - 0.04 * reach)
    even = cv2.morphologyEx(grey, cv2.MORPH_GRADIENT, square(5)) < 0.1 * reach
    return bool(np.mean(between & even) < 0.003)


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
    around = cv2.morphologyEx(small, cv2.MORPH_CLOSE, square(0.75 * max(small.shape)))
    around = cv2.resize(around, (paper.shape[1], paper.shape[0]), interpolation=cv2.INTER_LINEAR)
    dark = (paper < 0.8 * around.astype(np.float32)).astype(np.uint8)
    count, labels = cv2.connectedComponents(dark, connectivity=4)
    touching = np.bincount(border_of(labels), minlength=count)
    fills = np.zeros(paper.shape, bool)
    for index in range(1, min(count, 50)):
        area = labels == index
        if touching[index] < 0.15 * 2 * sum(paper.shape) and _sharpness(paper, area) > 0.85:
            fills |= area
    return fills


def border_of(labels: NDArray[np.int32]) -> NDArray[np.int32]:
    return np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])


def square(side: float) -> Bytes:
    odd = max(3, 2 * round(side / 2) + 1)
    return np.ones((odd, odd), np.uint8)


# -- masks ------------------------------------------------------------------------------------------------------


def stroke_width(ink: Mask) -> float:
    """Typical width of a line, in pixels: twice the median distance from the ridges of the ink to its edge."""
    depth = depth_of(ink)
    ridge = ink & (depth >= cv2.dilate(depth, np.ones((3, 3), np.uint8)))
    return 2.0 * float(np.median(depth[ridge])) - 1.0 if ridge.any() else 1.0


def depth_of(ink: Mask) -> FloatArray:
    """Distance of every pixel of ink to the nearest paper; outside the picture is paper."""
    return np.asarray(cv2.distanceTransform(np.pad(ink.astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1], np.float32)


def eroded(ink: Mask, depth: float) -> Mask:
    return np.asarray(depth_of(ink) > depth)
