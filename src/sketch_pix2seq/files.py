"""Writing a file whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sketch_pix2seq.errors import FileError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside ``path`` to write to; it takes the place of ``path`` when the block ends well and goes otherwise.

    Raises FileError where the folder is missing and for what the system refuses.
    """
    part = path.with_name(path.name + ".part")
    try:
        yield part
        part.replace(path)
    except BaseException as error:
        with suppress(OSError):
            part.unlink()
        if isinstance(error, OSError):
            if not path.parent.is_dir():
                raise FileError(path, f"the folder {path.parent} does not exist") from None
            raise FileError(path, f"cannot be written: {error.strerror or error}") from error
        raise


def write_whole(path: str | Path, data: bytes) -> Path:
    """Write ``data`` so that nobody ever sees half a file. Raises FileError as `replacing` does."""
    path = Path(path)
    with replacing(path) as part:
        part.write_bytes(data)
    return path
