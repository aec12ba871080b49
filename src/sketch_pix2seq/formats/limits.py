"""How much a packed file may hold, told by its size, so that time and memory grow with what is given and no faster.

Drawings pack to a third or a tenth. What packs much better is a mistake or an attack, and our own writers store it
unpacked. Measured on Quick, Draw!: 2.4 times (.npz) and 3 times (.ndjson.gz), at least 60 bytes a drawing.
"""

from __future__ import annotations

import os
from typing import IO

_SPARE_BYTES = 4 << 20
_RATIO = 12
_SPARE_ITEMS = 10_000
_BYTES_AN_ITEM = 20
STROKES_AN_ITEM = 4
"""A stroke takes a quarter of the time of a drawing."""


def most_bytes(size: int) -> int:
    """Bytes that a packed file of ``size`` bytes may unpack to."""
    return _SPARE_BYTES + _RATIO * size


def most_items(size: int) -> int:
    """Drawings that a packed file of ``size`` bytes may hold; `STROKES_AN_ITEM` strokes count as one more."""
    return _SPARE_ITEMS + size // _BYTES_AN_ITEM


def size_of(file: IO[bytes]) -> int:
    """Bytes of an open file."""
    return os.fstat(file.fileno()).st_size
