"""The errors a user can cause. The command line prints them as one line and exits 2."""

from __future__ import annotations

from pathlib import Path


class SketchError(Exception):
    """Base of every error a user can cause; its message says what was wrong, where, and what would work."""


class FileError(SketchError):
    """A file that cannot be read or written as asked."""

    def __init__(self, path: str | Path, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = Path(path)
        self.problem = problem

    def __reduce__(self) -> tuple[type[FileError], tuple[Path, str]]:
        return type(self), (self.path, self.problem)


class FormatError(FileError):
    """A file whose content is not what its format promises."""


class PictureError(FileError):
    """A picture in which no drawing can be found, or that cannot be opened."""


class DownloadError(SketchError):
    """A download that failed for good."""


class DataError(SketchError):
    """A set of sketches that cannot serve what was asked of it."""


class SettingsError(SketchError):
    """Settings that contradict each other or name something that does not exist."""


class ModelError(SketchError):
    """A model folder that is missing, incomplete or of another make."""


def missing_package(error: ImportError, what: str, extra: str) -> ModelError:
    """The error to raise where an import of an extra's packages failed; ``what`` is what needs them."""
    return ModelError(f'{what} needs more packages: pip install "sketch-pix2seq[{extra}]" ({error.name} is missing)')
