"""Small studies, made without a model."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sketch_pix2seq.study.design import Design, Drawing, Renderer, StudySettings
from sketch_pix2seq.study.make import whole_units
from sketch_pix2seq.study.store import Study, create
from tests.conftest import random_sketch

CATEGORIES = ("cat", "pig", "sun")
MODELS = ("one", "two")


def small_drawings(each: int = 2, practice: int = 2, models: tuple[str, ...] = MODELS) -> list[Drawing]:
    """``each`` drawings by people of each category, as many others redrawn by every model, and practice."""
    rng = np.random.default_rng(5)
    original = 0
    drawings = []

    def add(model: str | None, category: str, *, is_practice: bool = False) -> None:
        drawings.append(Drawing(model, category, original, is_practice, whole_units(random_sketch(rng))))

    for category in CATEGORIES:
        for _ in range(each):
            add(None, category)
            original += 1
            for model in models:
                add(model, category)
            original += 1
    for k in range(practice):
        add(None if k % 2 == 0 else models[0], CATEGORIES[k % 3], is_practice=True)
        original += 1
    return drawings


def small_study(folder: Path, *, models: tuple[str, ...] = MODELS, each: int = 2, **settings: Any) -> Study:
    """A study of 12 counted trials at most, still pictures, 2 for practice."""
    chosen = StudySettings(**{"trials": 6, "practice": 2, "show": "still", "per_category": each, **settings})
    digests = tuple("0" * 64 for _ in models)
    design = Design(
        "abc", chosen, Renderer(), "set.arrow", "0" * 64, models, digests, "2026-01-01T00:00:00+00:00", "0.0.0"
    )
    return create(folder, design, small_drawings(each, chosen.practice, models))


@pytest.fixture
def study(tmp_path: Path) -> Iterator[Study]:
    with small_study(tmp_path / "study") as made:
        yield made


@pytest.fixture
def truth_of(study: Study) -> Callable[[str, int], str]:
    """Who made the drawing of a participant's trial, from the file itself."""

    def look(token: str, trial: int) -> str:
        db = sqlite3.connect(study.path)
        try:
            ids = json.loads(db.execute("SELECT drawings FROM participant WHERE token = ?", (token,)).fetchone()[0])
            model = db.execute("SELECT model FROM drawing WHERE id = ?", (ids[trial],)).fetchone()[0]
        finally:
            db.close()
        return "person" if model is None else "computer"

    return look
