"""Exit status 1, with a line that says so, where the built page is not that of these sources; `make studio` asks it."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

STUDIO = Path(__file__).resolve().parent
BUILD = STUDIO.parent / "src" / "sketch_pix2seq" / "studio" / "page" / "build.json"
"""Written with the page: `sources` is the hash of what it was built from."""


def hash_of_sources() -> str:
    """SHA-256 of everything that the page is built from, as vite.config.ts takes it."""
    names = ["index.html", "package-lock.json", "package.json", "tsconfig.json", "vite.config.ts"]
    names.append("../src/sketch_pix2seq/drawing/constants.json")
    for folder in ("public", "src"):
        names += [path.relative_to(STUDIO).as_posix() for path in (STUDIO / folder).rglob("*") if path.is_file()]
    digest = hashlib.sha256()
    for name in sorted(names):
        digest.update(name.encode() + b"\0" + (STUDIO / name).read_bytes() + b"\0")
    return digest.hexdigest()


def built_from() -> str:
    """The hash that the built page tells; empty where there is none."""
    try:
        return str(json.loads(BUILD.read_text(encoding="utf-8"))["sources"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


if __name__ == "__main__":
    if hash_of_sources() != built_from():
        print("the studio's page is not that of its sources: run make studio-page")
        sys.exit(1)
