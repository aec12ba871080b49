"""Names of categories as people type them."""

from __future__ import annotations

import pytest

from sketch_pix2seq.categories import category_named, same_category
from sketch_pix2seq.errors import SettingsError

KNOWN = ("cat", "ice cream", "t-shirt", "Straße")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("cat", "cat"),
        ("Cat", "cat"),
        (" CAT ", "cat"),
        ("Ice_Cream", "ice cream"),
        ("ice-cream", "ice cream"),
        ("T shirt", "t-shirt"),
        ("STRASSE", "Straße"),
    ],
)
def test_case_and_spaces_do_not_matter(typed: str, meant: str) -> None:
    assert category_named(typed, KNOWN) == meant


def test_an_exact_name_comes_first() -> None:
    assert same_category("Cat", ("cat", "Cat")) == "Cat"
    assert same_category("kitten", KNOWN) is None


@pytest.mark.parametrize(
    ("typed", "hint"), [("Catt", "did you mean 'cat'?"), ("icecream", "did you mean 'ice cream'?")]
)
def test_an_unknown_name_suggests_what_is_spelled_alike(typed: str, hint: str) -> None:
    with pytest.raises(SettingsError) as error:
        category_named(typed, KNOWN)
    assert hint in str(error.value)
    assert "`train --from bundled` teaches it others" in str(error.value)


def test_nothing_is_suggested_that_is_not_near() -> None:
    with pytest.raises(SettingsError) as error:
        category_named("giraffe", KNOWN)
    assert "did you mean" not in str(error.value)
