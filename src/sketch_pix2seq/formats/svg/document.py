"""An SVG file as a tree of elements: a safe XML pass that opens no other file, and the repair of nearly-XML."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from dataclasses import dataclass, field
from html.entities import html5
from pathlib import Path
from typing import Final
from xml.parsers import expat
from xml.sax.saxutils import escape

from sketch_pix2seq.errors import FileError, FormatError
from sketch_pix2seq.formats.svg import limits

_SVG = "http://www.w3.org/2000/svg"
_TEXTS: Final = frozenset({"style", "title"})
_NOT_ENTERED: Final = frozenset({"text", "image", "foreignObject", "metadata", "desc", "filter", "font", "script"})
"""Elements whose content draws no lines."""
_XML_NAMES: Final = frozenset({"amp", "lt", "gt", "quot", "apos"})
_REFERENCE = re.compile(r"&(?:#([0-9]{1,7}|[xX][0-9a-fA-F]{1,6});|([A-Za-z][A-Za-z0-9]{0,31});)?")
_DECLARED = re.compile(r"<!ENTITY\s++([A-Za-z_][\w.-]*+)")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ROOT = re.compile(r"<(?:svg:)?svg(?=[\s/>])")


class Node:
    """An element with all its attributes; ``xlink:href`` is ``href``."""

    __slots__ = ("_classes", "attributes", "children", "declared", "outlines", "parent", "place", "repeats", "tag")

    def __init__(self, tag: str, attributes: dict[str, str], parent: Node | None) -> None:
        self.tag = tag
        self.attributes = attributes
        self.parent = parent
        self.children: list[Node] = []
        self.place = 0
        """Its index among its siblings."""
        self.declared: dict[str, str] | None = None
        """Its own style after the cascade, once it is known."""
        self.outlines: object = None
        """Its outlines in its own coordinates, once they are known."""
        self.repeats = 0
        """Elements that it draws, with all that `use` repeats; 0 before they are counted."""
        self._classes: frozenset[str] | None = None

    def classes(self) -> frozenset[str]:
        if self._classes is None:
            self._classes = frozenset(self.attributes.get("class", "").split())
        return self._classes


@dataclass
class Document:
    root: Node
    by_id: dict[str, Node]
    stylesheets: list[tuple[str, str]]
    """``media`` and content of each style element, in order."""
    title: str | None
    elements: int
    left_out: set[str]
    """Tags of elements that show something but are not lines: text, image."""
    problem: str | None = None
    """Why the file is not XML, where it was read all the same."""


def read_bytes(path: Path) -> bytes:
    """The file's content, unpacked. Raises FileError, or FormatError where it is damaged, empty or too large."""
    limit = f"larger than {limits.MAX_BYTES // 1_000_000} MB, which is too large for a drawing"
    try:
        with path.open("rb") as file:
            data = file.read(limits.MAX_BYTES + 1)
        if data[:2] == b"\x1f\x8b":
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as unpacked:
                data = unpacked.read(limits.MAX_BYTES + 1)
    except FileNotFoundError:
        raise FileError(path, "no such file") from None
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise FormatError(path, "a damaged .svgz: it cannot be unpacked") from None
    except OSError as error:
        raise FileError(path, f"cannot be read: {error.strerror or error}") from None
    if len(data) > limits.MAX_BYTES:
        raise FormatError(path, limit)
    if not data.strip():
        raise FormatError(path, "an empty file")
    return data


def parse_document(path: Path, data: bytes) -> Document:
    """The elements of a file that is XML, or nearly so: see `_repaired`.

    Raises FormatError for a file that is not SVG, is malformed or larger than the limits.
    """
    try:
        return _Builder(path, data).document()
    except _NotXML as error:
        repaired = _repaired(_text(data))
        if repaired is None:
            raise FormatError(path, error.problem) from None
        try:
            document = _Builder(path, repaired.encode()).document()
        except _NotXML:
            raise FormatError(path, error.problem) from None
        document.problem = error.problem
        return document


class _NotXML(Exception):
    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


@dataclass
class _Builder:
    """Builds the tree from expat's events."""

    path: Path
    data: bytes
    root: Node | None = None
    stack: list[Node] = field(default_factory=list)
    by_id: dict[str, Node] = field(default_factory=dict)
    styles: list[tuple[str, list[str]]] = field(default_factory=list)
    title: list[str] = field(default_factory=list)
    left_out: set[str] = field(default_factory=set)
    prefixes: dict[str, bool] = field(default_factory=lambda: {"": True, "svg": True})
    depth: int = 0
    skipping_from: int = 0
    elements: int = 0

    def document(self) -> Document:
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self.start
        parser.EndElementHandler = self.end
        parser.CharacterDataHandler = self.characters
        parser.EntityDeclHandler = self.entity
        parser.AttlistDeclHandler = self.default
        try:
            parser.Parse(self.data, True)
        except expat.ExpatError as error:
            if self.root is None or self.depth:  # what follows the end of the drawing does not matter
                reason = expat.ErrorString(error.code) or "malformed"
                raise _NotXML(f"not an SVG, or a damaged one: {reason} in line {error.lineno}") from None
        except (LookupError, ValueError) as error:
            raise _NotXML(f"not an SVG, or in an unknown encoding: {error}") from None
        assert self.root is not None  # expat reports a document without an element itself
        sheets = [(media, "".join(parts)) for media, parts in self.styles]
        title = " ".join("".join(self.title).split())
        return Document(self.root, self.by_id, sheets, title or None, self.elements, self.left_out)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.depth += 1
        if self.depth > limits.MAX_DEPTH:
            raise FormatError(self.path, f"elements nested deeper than {limits.MAX_DEPTH}")
        if self.skipping_from:
            return
        self.elements += 1
        if self.elements > limits.MAX_NODES:
            raise FormatError(self.path, f"more than {limits.MAX_NODES:,} elements, which is too many for a drawing")
        prefix, _, tag = name.rpartition(":")
        for key in [key for key in attributes if ":" in key or (key == "xmlns" and self.root is None)]:
            if key.startswith("xmlns"):
                self.prefixes[key[6:]] = attributes.pop(key).rstrip("/") == _SVG
            elif key.endswith(":href"):
                attributes.setdefault("href", attributes.pop(key))
        drawn = self.prefixes.get(prefix, False)
        if self.root is None and (tag != "svg" or not drawn):
            raise _NotXML(f"not an SVG: its first element is <{name[:40]}>, not <svg>")
        parent = self.stack[-1] if self.stack else None
        node = Node(tag if drawn else name, attributes, parent)
        if parent is None:
            self.root = node
        else:
            node.place = len(parent.children)
            parent.children.append(node)
        if "id" in attributes:
            self.by_id.setdefault(attributes["id"], node)
        if tag == "style" and drawn and attributes.get("type", "text/css").strip().lower() in ("text/css", ""):
            self.styles.append((attributes.get("media", ""), []))
        if not drawn or tag in _NOT_ENTERED or (parent is not None and parent.tag in _TEXTS):
            self.skipping_from = self.depth
            if drawn and tag in ("text", "image"):
                self.left_out.add(tag)
        else:
            self.stack.append(node)

    def end(self, _name: str) -> None:
        if not self.skipping_from:
            self.stack.pop()
        elif self.skipping_from == self.depth:
            self.skipping_from = 0
        self.depth -= 1

    def characters(self, text: str) -> None:
        if self.skipping_from or not self.stack:
            return
        node = self.stack[-1]
        if node.tag == "style" and self.styles:
            self.styles[-1][1].append(text)
        elif node.tag == "title" and self.depth == 2:
            self.title.append(text)

    def entity(
        self, name: str, parameter: int, value: str | None, _base: object, system: str | None, *_: object
    ) -> None:
        # Illustrator abbreviates its namespaces by entities; an attack nests them, repeats them or names a file.
        if system is not None:
            raise FormatError(self.path, f"its entity '{name[:40]}' refers to another file, which is not opened")
        if parameter or value is None or "&" in value or len(value) * self.data.count(b"&") > limits.MAX_BYTES:
            raise FormatError(self.path, f"its entity '{name[:40]}' multiplies the file's size; remove the DOCTYPE")

    def default(self, _element: str, name: str, _kind: str, value: str | None, _required: int) -> None:
        if value is not None and len(value) * self.data.count(b"<") > limits.MAX_BYTES:
            raise FormatError(
                self.path, f"its default for '{name[:40]}' multiplies the file's size; remove the DOCTYPE"
            )


def _text(data: bytes) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    return data.decode("utf-8-sig", "replace")


def _repaired(text: str) -> str | None:
    """XML of a text that browsers and editors open all the same; None where there is no SVG in it.

    What lies before the SVG is left out, entities of HTML become their characters, any other ``&`` is text, and
    characters that XML does not allow are left out.
    """
    root = _ROOT.search(text)
    if root is None:
        return None
    doctype = text.find("<!DOCTYPE svg", 0, root.start())
    text = text[root.start() if doctype < 0 else doctype :]
    declared = {match[1] for match in _DECLARED.finditer(text, 0, max(0, text.find("<svg")))} | _XML_NAMES

    def reference(match: re.Match[str]) -> str:
        number, name = match[1], match[2]
        if number:
            code = int(number[1:], 16) if number[0] in "xX" else int(number)
            return match[0] if code in (9, 10, 13) or 32 <= code < 0xD800 or 0xE000 <= code < 0xFFFE else ""
        if name in declared:
            return match[0]
        return escape(html5[f"{name};"]) if f"{name};" in html5 else f"&amp;{match[0][1:]}"

    return _CONTROL.sub("", _REFERENCE.sub(reference, text))
