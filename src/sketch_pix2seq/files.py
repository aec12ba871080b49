"""Reading ordinary files only, and writing a file whole or not at all."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from sketch_pix2seq.errors import FileError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

PART = ".part"
"""What the name of a file ends in while it is written."""
_WRITING = ".writing-"


def open_to_read(path: str | Path) -> BinaryIO:
    """An ordinary file, open to be read as bytes.

    Raises FileError for a folder, for a pipe or a device, which may never end, and for what the system refuses.
    """
    path = Path(path)
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise FileError(path, f"is {'a folder' if stat.S_ISDIR(mode) else 'no ordinary file'}; a file is needed")
        return path.open("rb")
    except FileNotFoundError as error:
        raise FileError(path, "no such file") from error
    except (OSError, ValueError) as error:
        raise FileError(path, f"cannot be read: {getattr(error, 'strerror', None) or error}") from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside ``path`` to write to; it takes the place of ``path`` when the block ends well and goes otherwise.

    What a killed process left there is written over. Raises FileError where the folder is missing, where another
    process is writing the same file, and for what the system refuses.
    """
    part = path.with_name(path.name + PART)
    try:
        lock = os.open(part, os.O_RDWR | os.O_CREAT, 0o666)
        if not try_lock(lock):
            os.close(lock)
            raise FileError(path, "another process is writing it; try again when that has ended")
        try:
            try:
                yield part
            finally:
                os.close(lock)
            part.replace(path)
        except BaseException:
            with suppress(OSError):
                part.unlink()
            raise
    except Exception as error:
        if not is_refusal(error):
            raise
        if not path.parent.is_dir():
            raise FileError(path, f"the folder {path.parent} does not exist") from None
        raise FileError(path, f"cannot be written: {getattr(error, 'strerror', None) or error}") from error


def is_refusal(error: Exception) -> bool:
    """Whether the system refused to read or write; safetensors, which need not be loaded, has an error of its own."""
    safetensors = sys.modules.get("safetensors")
    return isinstance(error, OSError) or (safetensors is not None and isinstance(error, safetensors.SafetensorError))


def write_whole(path: str | Path, data: bytes) -> Path:
    """Write ``data`` so that nobody ever sees half a file. Raises FileError as `replacing` does."""
    path = Path(path)
    with replacing(path) as part:
        part.write_bytes(data)
    return path


@contextmanager
def writing_folder(beside: Path) -> Iterator[Path]:
    """A new folder inside ``beside`` to write files to before they are moved into place; it goes with the block.

    Those that killed processes left there are removed. Raises OSError for what the system refuses.
    """
    _remove(beside.glob(f"{_WRITING}*"))
    with tempfile.TemporaryDirectory(dir=beside, prefix=_WRITING) as name:
        lock = os.open(name, os.O_RDONLY) if fcntl is not None else -1
        try_lock(lock)
        try:
            yield Path(name)
        finally:
            if lock >= 0:
                os.close(lock)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """A new folder to write files to; it takes the place of ``path`` when the block ends well and goes otherwise.

    Raises FileError where the folder around it is missing, and for what the system refuses.
    """
    try:
        with writing_folder(path.parent) as scratch:
            new = scratch / "new"
            new.mkdir()
            yield new
            if path.exists():
                path.replace(scratch / "old")
            new.replace(path)
    except OSError as error:
        raise FileError(path, f"cannot be written: {error.strerror or error}") from error


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """A folder, made where it is missing, for this process alone; what killed processes were writing there goes.

    Raises FileError where another process has it, and for what the system refuses.
    """
    path, is_new = folder / ".lock", not folder.exists()
    kept = path.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise FileError(folder, f"cannot be written to: {error.strerror or error}") from error
    try:
        if not try_lock(lock):
            raise FileError(folder, "another process is at work there; wait for its end, or give another folder")
        remove_leftovers(folder)
        yield
        kept = True
    finally:
        os.close(lock)
        if not kept:  # nothing came of it
            with suppress(OSError):
                path.unlink()
                if is_new:
                    folder.rmdir()


def remove_leftovers(folder: Path) -> None:
    """Remove what killed processes were writing in a folder: files named ``*.part`` and folders of `writing_folder`.

    What a running process is writing stays, and so does everything where files cannot be locked. Not for folders of
    downloads, which are taken up where they were cut.
    """
    _remove(chain(folder.glob(f"*{PART}"), folder.glob(f"{_WRITING}*")))


def _remove(paths: Iterable[Path]) -> None:
    for path in list(paths) if fcntl is not None else ():
        with suppress(OSError):
            lock = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
            try:
                if not try_lock(lock):
                    continue
                if path.name.startswith(_WRITING):
                    shutil.rmtree(path)
                else:
                    path.unlink()
            finally:
                os.close(lock)


def try_lock(descriptor: int) -> bool:
    """Lock an open file or folder for this process until it is closed; whether nobody else holds the lock.

    Where files cannot be locked (Windows, some network disks), everybody gets it.
    """
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
