"""The recipes: YAML settings that travel with the package."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import yaml

from sketch_pix2seq.errors import FileError, FormatError, SettingsError
from sketch_pix2seq.model.folder import from_plain
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
    return _settings((resources.files(__package__) / f"{name}.yaml").read_text(encoding="utf-8"), f"recipe {name}")


def load_settings(path: Path) -> TrainSettings:
    """Settings from a YAML file; what it does not name keeps its default."""
    try:
        return _settings(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(path, f"cannot be read ({error})") from error


def _settings(text: str, where: str) -> TrainSettings:
    try:
        values = yaml.safe_load(text) or {}
        if not isinstance(values, dict):
            raise ValueError("it must hold settings such as `steps: 1000`")
        return from_plain(TrainSettings, values)
    except (yaml.YAMLError, TypeError, ValueError, AttributeError) as error:
        raise FormatError(where, f"not settings: {str(error).splitlines()[0]}") from error
