"""Writing a file whole or not at all."""

from __future__ import annotations

from pathlib import Path

from sketch_pix2seq.errors import FileError


def write_whole(path: str | Path, data: bytes) -> Path:
    """Write ``data`` beside ``path`` as ``NAME.part``, then rename: nobody ever sees half a file.

    Raises FileError where the folder is missing or cannot be written to.
    """
    path = Path(path)
    part = path.with_name(path.name + ".part")
    try:
        part.write_bytes(data)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        if not path.parent.is_dir():
            raise FileError(path, f"the folder {path.parent} does not exist") from None
        raise FileError(path, f"cannot be written: {error.strerror or error}") from None
    return path
