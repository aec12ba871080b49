"""Pictures in: what is drawn comes out, whatever the size, light and file; what is not a drawing is refused."""

from __future__ import annotations

import contextlib
import io
import math
import struct
import zlib
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from sketch_pix2seq.errors import PictureError
from sketch_pix2seq.formats import Problem
from sketch_pix2seq.formats.picture import MAX_PIXELS, read_picture
from sketch_pix2seq.formats.picture_lines import thinned
from sketch_pix2seq.raster import RasterSpec, render
from sketch_pix2seq.sketch import Sketch

SPEC = RasterSpec()
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
Bytes = NDArray[np.uint8]


def paint(
    sketch: Sketch, size: int = 300, line: float = 0.02, margin: float = 0.1, pen: int = 0, paper: int = 255
) -> Bytes:
    """A grey picture of a sketch, ``size`` pixels a side; line and margin as shares of it."""
    double = 2 * size
    left, top, right, bottom = sketch.fit().bounds()
    scale = double * (1 - 2 * margin) / max(right - left, bottom - top, 1.0)
    offset = double / 2 - scale * np.array([(left + right) / 2, (top + bottom) / 2])
    picture = np.full((double, double), paper, np.uint8)
    lines = [np.rint((stroke * scale + offset) * 16).astype(np.int32) for stroke in sketch.fit().strokes]
    lines = [np.concatenate([line, line + 1]) if len(line) == 1 else line for line in lines]
    cv2.polylines(picture, lines, False, pen, max(1, round(line * double)), cv2.LINE_AA, 4)
    return np.asarray(cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA), np.uint8)


def likeness(a: Sketch, b: Sketch) -> float:
    """F1 of the ink of two sketches at 48 x 48, with a tolerance of one pixel."""
    first, second = (render(sketch, SPEC) > 100 for sketch in (a, b))
    near_first, near_second = (cv2.dilate(ink.astype(np.uint8), np.ones((3, 3))) > 0 for ink in (first, second))
    precision = (second & near_first).sum() / max(1, second.sum())
    recall = (first & near_second).sum() / max(1, first.sum())
    return float(2 * precision * recall / max(1e-9, precision + recall))


def photograph(
    sketch: Sketch, seed: int = 0, *, ruled: bool = False, table: bool = False, pencil: float = 90.0
) -> Bytes:
    """A phone's picture of pencil on paper: sloping light, a shadow, grain, blur, JPEG."""
    rng = np.random.default_rng(seed)
    cover = (255.0 - paint(sketch, 640, 0.009, margin=0.25)) / 255.0
    grain = cv2.GaussianBlur(rng.normal(0.0, 1.0, cover.shape), (0, 0), 1.0)
    grey = 230.0 + 8.0 * grain - pencil * cover
    if ruled:
        for row in range(20, 640, 30):
            cv2.line(grey, (0, row), (640, row + 12), 190.0, 1, cv2.LINE_AA)
    y, x = np.mgrid[0:640, 0:640] / 640.0
    grey *= (1.0 - 0.35 * x) * (1.0 - 0.25 / (1.0 + np.exp(-(y - 0.3 * x - 0.4) * 40.0)))
    if table:
        sheet = np.zeros(cover.shape, np.uint8)
        cv2.fillPoly(sheet, [np.array([[50, 40], [600, 30], [610, 600], [40, 590]])], 1)
        grey = np.where(sheet > 0, grey, 45.0 + 6.0 * np.sin(60.0 * y))
    grey = cv2.GaussianBlur(grey, (0, 0), 1.0) + rng.normal(0.0, 4.0, cover.shape)
    file = io.BytesIO()
    Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8)).save(file, "JPEG", quality=60)
    return np.asarray(Image.open(file), np.uint8)


@pytest.fixture
def snail() -> Sketch:
    """Curves, crossings, a loop and two dots."""
    turn = np.linspace(0.0, 5.0 * math.pi, 80)
    shell = np.stack([130 + 5.2 * turn * np.cos(turn), 110 + 5.2 * turn * np.sin(turn)], axis=1)
    body = [[30, 190], [60, 200], [130, 205], [210, 195], [245, 150], [240, 120], [222, 120], [215, 160], [190, 185]]
    horns = [[[238, 118], [250, 70]], [[226, 118], [222, 72]]]
    eyes = [[[195, 60]], [[205, 90]]]
    return Sketch(tuple(np.array(line, np.float32) for line in (shell, body, *horns, *eyes)))


# -- the line that models know ----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [48, 64, 200, 512, 2000])
@pytest.mark.parametrize("line", [0.02, 0.05])
def test_same_ink_at_any_size_and_width(house: Sketch, size: int, line: float) -> None:
    assert likeness(house, read_picture(paint(house, size, line))) > 0.97


@pytest.mark.parametrize(("pen", "paper"), [(0, 255), (255, 0), (255, 90), (110, 150), (225, 255), (120, 60)])
def test_any_polarity_and_contrast(snail: Sketch, pen: int, paper: int) -> None:
    assert likeness(snail, read_picture(paint(snail, pen=pen, paper=paper))) > 0.97


def test_hair_lines_survive_reduction(snail: Sketch) -> None:
    assert likeness(snail, read_picture(paint(snail, 4000, 0.0004))) > 0.97


def test_what_was_rendered_for_a_model_is_read_back(snail: Sketch) -> None:
    ink = render(snail, SPEC)
    assert likeness(snail, read_picture(ink)) > 0.97
    assert likeness(snail, read_picture(np.asarray(255 - ink, np.uint8))) > 0.97


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("scene", ["plain", "faint", "ruled", "table"])
def test_photos_of_paper(snail: Sketch, seed: int, scene: str) -> None:
    pencil = 45.0 if scene == "faint" else 90.0
    photo = photograph(snail, seed, ruled=scene == "ruled", table=scene == "table", pencil=pencil)
    assert likeness(snail, read_picture(photo)) > 0.93


def test_result_is_fitted_simplified_and_named(snail: Sketch) -> None:
    read = read_picture(paint(snail), category="snail")
    left, top, right, bottom = read.bounds()
    assert (left, top) == (0.0, 0.0)
    assert max(right, bottom) == pytest.approx(255.0)
    assert read.category == "snail"
    assert read.n_points < 120
    assert read_picture(paint(snail), epsilon=6.0).n_points < read.n_points


def test_same_picture_same_strokes(snail: Sketch) -> None:
    assert read_picture(paint(snail)) == read_picture(paint(snail))


# -- strokes ----------------------------------------------------------------------------------------------------


def test_crossing_lines_stay_two_strokes() -> None:
    cross = Sketch((np.array([[0, 0], [255, 255]], np.float32), np.array([[0, 255], [255, 0]], np.float32)))
    read = read_picture(paint(cross, line=0.04))
    assert [len(stroke) for stroke in read.strokes] == [2, 2]


def test_loop_is_one_closed_stroke() -> None:
    angle = np.linspace(0.0, 2.0 * math.pi, 100)
    ring = Sketch((np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32) * 100,))
    (stroke,) = read_picture(paint(ring)).strokes
    assert np.allclose(stroke[0], stroke[-1])
    assert np.allclose(np.hypot(*(stroke - 127.5).T), 127.5, atol=4.0)


def test_stem_ends_at_the_bar() -> None:
    bar, stem = [[0, 0], [255, 0]], [[128, 0], [128, 200]]
    read = read_picture(paint(Sketch((np.array(bar, np.float32), np.array(stem, np.float32))), line=0.05))
    assert len(read) == 2
    assert np.abs(read.strokes[0][:, 1]).max() < 4.0


def test_small_gap_is_closed() -> None:
    halves = Sketch((np.array([[0, 0], [125, 40]], np.float32), np.array([[130, 41.6], [255, 80]], np.float32)))
    assert len(read_picture(paint(halves, line=0.01))) == 1


def test_large_lines_come_first_and_the_pen_goes_on_near_by(snail: Sketch) -> None:
    read = read_picture(paint(snail))
    lengths = [np.hypot(*np.diff(stroke, axis=0).T).sum() for stroke in read.strokes]
    large = [length >= 0.4 * max(lengths) for length in lengths]
    assert large == sorted(large, reverse=True)
    jumps = [np.hypot(*(b[0] - a[-1])) for a, b in pairwise(read.strokes)]
    backwards = [np.hypot(*(b[-1] - a[-1])) for a, b in pairwise(read.strokes)]
    assert all(jump <= other for jump, other in zip(jumps, backwards, strict=True))


def test_eyes_stay_and_dust_goes(snail: Sketch) -> None:
    picture = paint(snail)
    clean = read_picture(picture)
    assert sum(np.ptp(stroke, axis=0).max() < 4.0 for stroke in clean.strokes) == 2
    rng = np.random.default_rng(3)
    dusty = picture.copy()
    dusty[rng.integers(0, 300, 40), rng.integers(0, 300, 40)] = 120
    dusty[2:5, 2:5] = 0
    assert likeness(clean, read_picture(dusty)) > 0.97


def test_filled_area_becomes_its_outline() -> None:
    picture = np.full((400, 400), 255, np.uint8)
    cv2.circle(picture, (200, 220), 120, 0, -1)
    cv2.line(picture, (200, 100), (240, 30), 0, 8)
    angle = np.linspace(0.0, 2.0 * math.pi, 60)
    edge = np.stack([200 + 118 * np.cos(angle), 220 + 118 * np.sin(angle)], axis=1)
    apple = Sketch((edge.astype(np.float32), np.array([[200, 100], [240, 30]], np.float32)))
    assert likeness(apple, read_picture(picture)) > 0.95


def test_coloured_fill_keeps_the_lines_drawn_on_it(house: Sketch) -> None:
    picture = np.dstack([paint(house)] * 3)
    ground = np.full_like(picture, 255)
    cv2.rectangle(ground, (60, 130), (240, 270), (240, 200, 60), -1)
    assert likeness(house, read_picture(np.minimum(picture, ground))) > 0.95


def test_frame_along_the_border_is_not_part_of_the_drawing(snail: Sketch) -> None:
    picture = paint(snail)
    cv2.rectangle(picture, (1, 1), (298, 298), 0, 3)
    assert likeness(snail, read_picture(picture)) > 0.97


def test_drawing_that_fills_the_picture_is_no_frame(house: Sketch) -> None:
    assert likeness(house, read_picture(paint(house, margin=0.01))) > 0.95


def test_lines_that_differ_in_hue_only(snail: Sketch) -> None:
    cover = paint(snail)[..., None] < 128
    red, green = np.array([200, 60, 60], np.uint8), np.array([40, 128, 60], np.uint8)
    assert likeness(snail, read_picture(np.where(cover, green, red))) > 0.95


# -- files ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.gif", "a.bmp"])
def test_every_format(house: Sketch, tmp_path: Path, name: str) -> None:
    Image.fromarray(paint(house)).save(tmp_path / name)
    assert likeness(house, read_picture(tmp_path / name)) > 0.97


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGB", "RGBA", "I;16", "CMYK"])
def test_every_mode(house: Sketch, tmp_path: Path, mode: str) -> None:
    grey = paint(house, 400)
    image = Image.fromarray(grey.astype(np.uint16) * 200) if mode == "I;16" else Image.fromarray(grey).convert(mode)
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    image.save(path)
    assert likeness(house, read_picture(path)) > 0.97


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (200, 30, 30), (250, 240, 120)])
def test_lines_on_transparent_ground(house: Sketch, tmp_path: Path, colour: tuple[int, int, int]) -> None:
    cover = np.asarray(255 - paint(house, 400), np.uint8)
    hidden = np.full((*cover.shape, 3), 90, np.uint8)  # colours below full transparency must not show
    pixels = np.where(cover[..., None] > 0, np.array(colour, np.uint8), hidden)
    Image.fromarray(np.dstack([pixels, cover])).save(tmp_path / "a.png")
    assert likeness(house, read_picture(tmp_path / "a.png")) > 0.97


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(snail: Sketch, tmp_path: Path, orientation: int) -> None:
    stored = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    image = Image.fromarray(paint(snail))
    exif = Image.Exif()
    exif[0x0112] = orientation
    (image if stored is None else image.transpose(stored)).save(tmp_path / "a.jpg", exif=exif)
    assert likeness(snail, read_picture(tmp_path / "a.jpg")) > 0.97


def test_sixteen_bits_of_which_twelve_are_used(house: Sketch, tmp_path: Path) -> None:
    Image.fromarray(paint(house).astype(np.uint16) * 16).save(tmp_path / "a.png")
    assert likeness(house, read_picture(tmp_path / "a.png")) > 0.97


def test_first_frame_of_an_animation(house: Sketch, snail: Sketch, tmp_path: Path) -> None:
    frames = [Image.fromarray(paint(sketch)) for sketch in (house, snail)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert likeness(house, read_picture(tmp_path / "a.gif")) > 0.97


def test_fifty_megapixels(snail: Sketch, tmp_path: Path) -> None:
    picture = cv2.resize(paint(snail, 2000, 0.004), (8000, 6200), interpolation=cv2.INTER_NEAREST)
    cv2.imwrite(str(tmp_path / "a.jpg"), picture)
    stretched = snail.transform([[8.0, 0.0, 0.0], [0.0, 6.2, 0.0]])
    assert likeness(stretched, read_picture(tmp_path / "a.jpg")) > 0.95


# -- refused ----------------------------------------------------------------------------------------------------


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of_size(width: int, height: int) -> bytes:
    """A PNG file that promises a size and holds next to nothing."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b"hello, I am a picture", "not a picture that can be read"),
        (b"%PDF-1.7 and more", "not a picture that can be read"),
        (b"\x89PNG\r\n\x1a\n", "not a picture that can be read|damaged"),
        (png_of_size(9000, 9000), "more than 64 megapixels"),
        (png_of_size(12000, 12000), "more than 64 megapixels"),
        (png_of_size(60000, 60000), "more than 64 megapixels"),
        (png_of_size(300, 300), "damaged or cut short"),
    ],
)
def test_files_that_are_no_pictures(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(PictureError, match=said) as caught:
        read_picture(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "gif", "bmp"])
def test_cut_short(house: Sketch, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(paint(house)).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(PictureError, match=r"damaged|not a picture"):
        read_picture(path)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "gif", "bmp"])
def test_damaged_bytes_never_escape_as_another_error(house: Sketch, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(paint(house, 32)).save(path, exif=exif)
    whole = path.read_bytes()
    rng = np.random.default_rng(11)
    for _ in range(15):
        broken = bytearray(whole)
        for at in rng.integers(0, min(len(whole), 400), 4):
            broken[at] = int(rng.integers(0, 256))
        path.write_bytes(bytes(broken))
        with contextlib.suppress(PictureError):
            read_picture(path)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="no such file"):
        read_picture(tmp_path / "none.png")
    with pytest.raises(PictureError, match="a folder, not a picture"):
        read_picture(tmp_path)


@pytest.mark.parametrize("level", [0, 90, 255])
@pytest.mark.parametrize("size", [(1, 1), (3, 2), (1, 500), (200, 200), (1500, 900)])
def test_blank_picture(size: tuple[int, int], level: int) -> None:
    with pytest.raises(PictureError, match=r"blank|no drawing"):
        read_picture(np.full(size, level, np.uint8))


def test_blank_photo() -> None:
    dot = Sketch((np.array([[0, 0]], np.float32),))
    with pytest.raises(PictureError, match="no drawing found"):
        read_picture(photograph(dot, pencil=0.0))


@pytest.mark.parametrize("scale", [20.0, 100.0])
def test_nothing_but_noise(scale: float) -> None:
    noise = np.random.default_rng(0).normal(128.0, scale, (400, 400))
    with pytest.raises(PictureError, match="no drawing found"):
        read_picture(np.clip(noise, 0, 255).astype(np.uint8))


def test_transparent_and_empty(tmp_path: Path) -> None:
    Image.new("RGBA", (100, 100), (0, 0, 0, 0)).save(tmp_path / "a.png")
    with pytest.raises(PictureError, match="blank"):
        read_picture(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("shape", "kind"), [((10, 10), np.float32), ((10, 10, 2), np.uint8), ((10,), np.uint8), ((0, 5), np.uint8)]
)
def test_arrays_of_another_kind(shape: tuple[int, ...], kind: type[np.generic]) -> None:
    with pytest.raises(ValueError, match=r"uint8 of shape|no pixels"):
        read_picture(np.zeros(shape, kind))


def test_array_beyond_the_limit() -> None:
    with pytest.raises(PictureError, match="megapixels"):
        read_picture(np.broadcast_to(np.uint8(0), (1000, MAX_PIXELS // 1000 + 1)))


@pytest.mark.parametrize("size", [(1, 9), (9, 1), (5, 5), (400, 2), (3, 900)])
def test_odd_shapes_give_a_sketch_or_one_line(size: tuple[int, int]) -> None:
    picture = np.full(size, 255, np.uint8)
    picture[size[0] // 2, size[1] // 2] = 0
    with contextlib.suppress(PictureError):
        assert len(read_picture(picture)) >= 1


# -- what people bring ------------------------------------------------------------------------------------------

PICTURES = Path(__file__).resolve().parent / "pictures"


@pytest.mark.parametrize(
    ("name", "fewest", "most"),
    [
        ("m01_sun", 9, 9),
        ("m03_filled_house_front", 10, 10),
        ("m04_chevron", 1, 1),
        ("m05_cross", 2, 2),
        ("r02_dashed_kanban", 14, 16),
        ("r07_bookmark_fill", 1, 1),
        ("r13_arrow_tip", 2, 3),
        ("r16_filter_code", 5, 5),
        ("r25_drop_shadow_car", 3, 6),
    ],
)
def test_strokes_of_what_people_bring(name: str, fewest: int, most: int) -> None:
    assert fewest <= len(read_picture(PICTURES / f"{name}.png")) <= most


@pytest.mark.parametrize("line", [0.02, 0.05, 0.08])
def test_rays_of_a_sun_stay(line: float) -> None:
    angle = np.linspace(0.0, 2.0 * math.pi, 60)
    ring = 50.0 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    rays = [[[r * math.cos(a), r * math.sin(a)] for r in (105.0, 125.0)] for a in np.arange(8) * math.pi / 4]
    sun = Sketch(tuple(np.array(stroke, np.float32) for stroke in (ring, *rays)))
    read = read_picture(paint(sun, line=line))
    assert len(read) == 9
    assert likeness(sun, read) > 0.97


def test_corners_of_thick_strokes_reach_their_tip() -> None:
    peaks = Sketch((np.array([[0, 120], [40, 120], [80, 0], [150, 255], [190, 120], [230, 120]], np.float32),))
    arrow = Sketch((np.array([[0, 0], [0, 200]], np.float32), np.array([[-80, 120], [0, 200], [80, 120]], np.float32)))
    for sketch in (peaks, arrow):
        assert likeness(sketch, read_picture(paint(sketch, line=0.08))) > 0.97


@pytest.mark.parametrize("invert", [False, True])
def test_filled_shape_at_the_border_is_outlined_with_its_holes(invert: bool) -> None:
    picture = np.full((256, 256), 255, np.uint8)
    picture[:, 40:216] = 0
    corners = np.array([[0, 0], [30, 0], [30, 30], [0, 30], [0, 0]], np.float32)
    places = [(60 + 50 * column, 30 + 50 * row) for column in range(3) for row in range(3)]
    for x, y in places:
        picture[y : y + 30, x : x + 30] = 255
    front = Sketch((np.array([[40, 0], [216, 0], [216, 255], [40, 255], [40, 0]], np.float32),))
    windows = tuple(corners + np.array(place, np.float32) for place in places)
    read = read_picture(np.asarray(255 - picture, np.uint8) if invert else picture)
    assert len(read) == 10
    assert likeness(Sketch((*front.strokes, *windows)), read) > 0.97


@pytest.mark.parametrize("pitch", [11, 20, 36])
@pytest.mark.parametrize("colour", [(214, 222, 232), (150, 180, 220), (200, 220, 200)])
@pytest.mark.parametrize("directions", [1, 2])
def test_squared_and_ruled_paper(house: Sketch, pitch: int, colour: tuple[int, int, int], directions: int) -> None:
    page = np.full((900, 900, 3), 253, np.uint8)
    page[7::pitch] = colour
    if directions == 2:
        page[:, 5::pitch] = colour
    drawn = np.dstack([paint(house, 900, 0.006, margin=0.25)] * 3)
    assert likeness(house, read_picture(np.minimum(page, drawn))) > 0.97


def test_drop_shadow_is_not_traced(snail: Sketch) -> None:
    cover = (255.0 - paint(snail, 600, 0.012)) / 255.0
    shadow = cv2.GaussianBlur(np.roll(cover, (9, 9), (0, 1)), (0, 0), 3.0)
    picture = 255.0 * (1.0 - 0.4 * shadow) * (1.0 - cover)
    assert likeness(snail, read_picture(picture.astype(np.uint8))) > 0.97


@pytest.mark.parametrize("desk", [200, 226, 240])
def test_paper_on_a_light_desk_leaves_no_edge(snail: Sketch, desk: int) -> None:
    sheet = np.zeros((600, 600), np.uint8)
    cv2.fillPoly(sheet, [np.array([[70, 60], [540, 90], [510, 560], [40, 530]])], 1)
    shadow = cv2.GaussianBlur(np.roll(sheet, (5, 4), (0, 1)).astype(np.float32), (0, 0), 4.0)
    page = np.where(sheet > 0, 252.0, desk * (1.0 - 0.25 * shadow))
    page *= 1.0 - (255.0 - paint(snail, 600, 0.008, margin=0.3)) / 255.0
    assert likeness(snail, read_picture(page.astype(np.uint8))) > 0.97


def test_image_is_taken_as_its_array_is(snail: Sketch) -> None:
    picture = paint(snail)
    assert read_picture(Image.fromarray(picture)) == read_picture(picture)


def landscape() -> Bytes:
    """Sky, sun, and hills of two colours."""
    y, x = np.mgrid[0:400, 0:600]
    page = np.stack([120 + 0.15 * y, 170 + 0.1 * y, 240 - 0.05 * y], axis=2)
    for level, colour in ((200, (110, 130, 150)), (280, (50, 90, 50))):
        page[y > level + 50 * np.sin(x / level * 3.0)] = colour
    cv2.circle(page, (450, 80), 40, (255, 240, 180), -1)
    return page.astype(np.uint8)


def texture(seed: int = 1, size: tuple[int, int] = (300, 400)) -> Bytes:
    """Colours that change at every scale, as in a photo of the world."""
    rng = np.random.default_rng(seed)
    page = np.zeros((*size, 3), np.float32)
    for cells in (3, 6, 12, 24, 48, 96):
        noise = rng.normal(size=(cells, cells, 3)).astype(np.float32)
        page += cv2.resize(noise, size[::-1], interpolation=cv2.INTER_CUBIC) / cells**0.9
    page -= page.min()
    return np.asarray(255.0 * page / page.max(), np.uint8)


def screenshot(dark: bool = False) -> Bytes:
    """A window with a bar, a list, cards and buttons, and strokes of letters' size in them."""
    ground, bar, ink = (
        ((30, 30, 34), (52, 52, 58), (230, 230, 230)) if dark else ((255,) * 3, (236, 236, 240), (40,) * 3)
    )
    page = np.full((500, 800, 3), ground, np.uint8)
    page[:30] = page[:, :140] = bar
    for row in range(5):
        top = 45 + 90 * row
        cv2.rectangle(page, (160, top), (780, top + 75), (128, 128, 128), 2)
        cv2.rectangle(page, (690, top + 25), (760, top + 50), (60, 120, 220), -1)
        cv2.rectangle(page, (20, top), (40, top + 20), (60, 120, 220), -1)
        for line in range(3):
            for letter in range(12):
                x, y = 180 + 14 * letter, top + 14 + 20 * line
                cv2.line(page, (x, y), (x, y + 10), ink, 1)
                cv2.line(page, (x, y + 5 * (letter % 3)), (x + 7, y + 5 * (letter % 3)), ink, 1)
    return page


def crayons() -> Bytes:
    """A house with coloured areas on white paper, as a child draws it."""
    page = np.full((450, 600, 3), 250, np.uint8)
    cv2.rectangle(page, (150, 200), (400, 400), (230, 120, 90), -1)
    cv2.rectangle(page, (150, 200), (400, 400), (0, 0, 0), 4)
    cv2.fillPoly(page, [np.array([[130, 200], [275, 90], [420, 200]])], (150, 60, 60))
    cv2.circle(page, (520, 80), 40, (255, 220, 60), -1)
    page[400:] = (90, 180, 80)
    return page


@pytest.mark.parametrize(
    ("picture", "kind"),
    [
        (landscape(), "photo"),
        (texture(), "photo"),
        (texture(2)[..., 0], "photo"),
        (screenshot(), "text|screenshot"),
        (screenshot(dark=True), "text|screenshot"),
    ],
)
def test_what_is_likely_no_drawing_is_named(picture: Bytes, kind: str) -> None:
    problems: list[Problem] = []
    assert len(read_picture(picture, on_problem=problems.append)) >= 1
    assert len(problems) == 1
    assert problems[0].kept
    with pytest.raises(PictureError, match=f"likely no drawing but a ({kind})"):
        read_picture(picture, doubtful=False)


def test_drawings_of_many_lines_and_colours_are_not_doubted(snail: Sketch) -> None:
    rng = np.random.default_rng(0)
    turn = np.linspace(0.0, 4.0, 20)
    bows = [
        rng.uniform(20, 235, 2) + rng.uniform(10, 60) * np.stack([np.cos(turn), np.sin(turn)], 1) for _ in range(60)
    ]
    many = Sketch(tuple(bow.astype(np.float32) for bow in bows))
    for picture in (crayons(), paint(many, 600, 0.004), photograph(many), photograph(snail, table=True), paint(snail)):
        read_picture(picture, doubtful=False)


def discs(places: list[tuple[int, int]], radius: int) -> Bytes:
    page = np.full((256, 256), 255, np.uint8)
    for place in places:
        cv2.circle(page, place, radius, 0, -1, cv2.LINE_AA)
    return page


def test_separate_dots_are_small_circles() -> None:
    places = [(48 + 80 * column, 48 + 80 * row) for column in range(3) for row in range(3)]
    circle = 0.5 * 20 * np.array([[math.cos(a), math.sin(a)] for a in np.linspace(0.0, 2.0 * math.pi, 24)])
    dots = Sketch(tuple((circle + place).astype(np.float32) for place in places))
    read = read_picture(discs(places, 20))
    assert len(read) == 9
    assert likeness(dots, read) > 0.97


def test_dot_beside_lines_is_as_wide_as_they_allow() -> None:
    page = discs([(50, 206)], 20)  # of lines 20 wide: a circle of radius 10
    cv2.ellipse(page, (50, 206), (150, 150), 0.0, -90.0, 0.0, 0, 20, cv2.LINE_AA)
    read = read_picture(page)
    small = min((stroke for stroke in read.strokes), key=lambda stroke: float(np.ptp(stroke, axis=0).max()))
    assert len(read) == 2
    assert np.ptp(small, axis=0).max() == pytest.approx(20.0 * 255 / 160, abs=6.0)


@pytest.mark.parametrize("size", [64, 256])
def test_lines_that_end_at_a_thick_line_do_not_pass_it(size: int) -> None:
    box = np.array([[20, 2], [4, 2], [2, 4], [2, 20], [4, 22], [20, 22], [22, 20], [22, 4], [20, 2]], np.float32)
    bars = [[[7, 2], [7, 22]], [[2, 7], [7, 7]], [[2, 12], [22, 12]], [[17, 2], [17, 22]], [[17, 17], [22, 17]]]
    film = Sketch((box, *(np.array(bar, np.float32) for bar in bars)))
    read = read_picture(paint(film, size, 0.08))
    assert likeness(film, read) > 0.97
    left = sorted(float(stroke[:, 0].min()) for stroke in read.fit().strokes)
    assert left[1] == pytest.approx(0.0, abs=1.5)  # what begins at the box begins on its line
    assert len(read) == 6


@pytest.mark.parametrize("size", [64, 256])
def test_filled_shape_with_a_hole_is_outlined(size: int) -> None:
    page = np.array([[4, 2], [16, 2], [21, 7], [21, 22], [4, 22], [4, 2]], np.float32)
    arrow = np.array([[12, 8], [8, 12], [11, 12], [11, 16], [14, 16], [14, 12], [17, 12], [12, 8]], np.float32)
    picture = np.full((1024, 1024), 255, np.uint8)
    for shape, tone in ((page, 0), (arrow, 255)):
        cv2.fillPoly(picture, [np.rint(shape * 1024 / 24).astype(np.int32)], tone)
    picture = np.asarray(cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA), np.uint8)
    read = read_picture(picture)
    assert len(read) == 2
    assert likeness(Sketch((page, arrow)), read) > 0.97


def test_rounded_square_that_fills_the_picture_is_ink_with_its_details() -> None:
    """Its corners tell the ground, not its border; islands in its hole stay."""
    picture = np.full((256, 256), 255, np.uint8)
    cv2.rectangle(picture, (30, 0), (225, 255), 0, -1)
    cv2.rectangle(picture, (0, 30), (255, 225), 0, -1)
    for corner in ((30, 30), (225, 30), (30, 225), (225, 225)):
        cv2.circle(picture, corner, 30, 0, -1)
    cv2.circle(picture, (128, 128), 60, 255, -1)
    cv2.circle(picture, (128, 128), 24, 0, -1)
    read = read_picture(picture)
    extents = sorted(float(np.ptp(stroke, axis=0).max()) for stroke in read.fit().strokes)
    assert extents == pytest.approx([48.0, 120.0, 255.0], abs=5.0)


def test_thinning_is_one_pixel_wide_and_keeps_what_hangs_together() -> None:
    rng = np.random.default_rng(0)
    ink = cv2.GaussianBlur(rng.normal(size=(120, 160)), (0, 0), 5.0) > 0.02
    thin = thinned(ink)
    assert not (thin & ~ink).any()
    assert cv2.connectedComponents(thin.astype(np.uint8))[0] == cv2.connectedComponents(ink.astype(np.uint8))[0]
    assert not cv2.erode(thin.astype(np.uint8), np.ones((2, 2), np.uint8)).any()


# -- real pictures ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "strokes"),
    [
        ("pig.png", 12),
        ("fish.jpg", 8),
        ("car.png", 9),
        ("butterfly.webp", 8),
        ("mushroom.gif", 5),
        ("ice-cream.png", 5),
    ],
)
def test_examples(name: str, strokes: int) -> None:
    assert strokes <= len(read_picture(EXAMPLES / name)) <= strokes + 8


@pytest.mark.shared
def test_drawings_of_people(shared_data: Path) -> None:
    import json

    with (shared_data / "samples" / "cat.simplified.ndjson").open() as lines:
        drawings = [json.loads(next(lines))["drawing"] for _ in range(12)]
    sketches = [Sketch(tuple(np.array(stroke, np.float32).T for stroke in drawing)) for drawing in drawings]
    scores = [likeness(sketch, read_picture(paint(sketch, 400, 0.015))) for sketch in sketches]
    assert min(scores) > 0.95
