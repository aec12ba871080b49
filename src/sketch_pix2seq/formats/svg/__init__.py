"""SVG: any drawing's lines in, clean polylines out.

Reading follows SVG 2 (https://www.w3.org/TR/SVG2/) and draws what a browser shows: `document` is a safe XML pass,
`css` the cascade, `walk` and `resources` find painted shapes, `lines` their lines, and `visible` what can be seen of
these. Text and pictures are not drawn, and nothing is ever fetched.
"""

from sketch_pix2seq.formats.svg.read import read_svg
from sketch_pix2seq.formats.svg.write import (
    LINE_WIDTH,
    MARGIN,
    PIXELS,
    decimals_for,
    path_data,
    svg_text,
    write_svg,
    xml_text,
)

__all__ = [
    "LINE_WIDTH", "MARGIN", "PIXELS", "decimals_for", "path_data", "read_svg", "svg_text", "write_svg", "xml_text",
]  # fmt: skip
