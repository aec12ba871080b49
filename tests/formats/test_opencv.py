"""Pictures are read alike whatever OpenCV makes of no lines found: None up to 5.0, an empty array from 5.1 on."""

from __future__ import annotations

import warnings

import cv2
import numpy as np
import pytest

from sketch_pix2seq.formats.picture import read_picture
from tests.conftest import REPOSITORY


def test_no_lines_found(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    nothing: list[object] = [None, np.empty((0, 1, 2), np.float32)]

    def found(image: object, *_: object, **__: object) -> object:
        asked.append(image)
        return nothing[0]

    monkeypatch.setattr(cv2, "HoughLines", found)
    read = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            read.append([read_picture(REPOSITORY / "examples" / name) for name in ("pig.png", "fish.jpg")])
            nothing.reverse()
    assert asked
    assert read[0] == read[1]
