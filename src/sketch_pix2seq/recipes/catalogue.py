"""The recipes: YAML settings that travel with the package."""

from __future__ import annotations

from importlib import resources

import yaml

from sketch_pix2seq.errors import FormatError, SettingsError
from sketch_pix2seq.plain import from_plain
from sketch_pix2seq.training.settings import TrainSettings

DEFAULT = "default"


def recipe_names() -> list[str]:
    """Names of the recipes, the default first."""
    names = {
        path.name.removesuffix(".yaml")
        for path in resources.files(__package__).iterdir()
        if path.name.endswith(".yaml")
    }
    return [DEFAULT, *sorted(names - {DEFAULT})]


def load_recipe(name: str) -> TrainSettings:
    """Settings of a recipe of ours. Raises SettingsError for a name that is none."""
    if name not in recipe_names():
        raise SettingsError(f"no recipe {name!r}; there are {', '.join(recipe_names())}")
    text = (resources.files(__package__) / f"{name}.yaml").read_text(encoding="utf-8")
    try:
        return from_plain(TrainSettings, yaml.safe_load(text) or {})
    except (yaml.YAMLError, ValueError) as error:
        raise FormatError(f"recipe {name}", f"not settings: {str(error).splitlines()[0]}") from error
