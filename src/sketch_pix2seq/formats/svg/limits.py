"""How much of an SVG is read: work and memory stay in proportion to the size of the file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from sketch_pix2seq.errors import FormatError

MAX_BYTES = 50_000_000
"""Largest file that is read, unpacked where it is packed."""
MAX_POINTS = 500_000
"""Most points that a file may hold or flatten to, those that `use` repeats counted each time."""
MAX_NODES = 1_000_000
"""Most elements in a file."""
MAX_REPEATS = 20_000
"""Most elements that `use` and markers may draw beyond those in the file."""
MAX_DEPTH = 200
"""Deepest nesting of elements."""
MAX_STYLESHEET = 200_000
"""Most characters of CSS, embedded fonts and pictures not counted."""
MAX_TESTS = 2_000_000
"""Most tests of a part of a selector on an element."""
MAX_COORDINATE = 1e9
"""Largest coordinate, in pixels."""
_NOTES = 20


@dataclass
class Budget:
    """What reading one file has used so far, and what was wrong in it without ending the reading."""

    path: Path
    elements: int = 0
    """Elements that may be visited."""
    points: int = 0
    tests: int = 0
    notes: list[str] = field(default_factory=list)
    """What was drawn otherwise than written, the first of each kind."""

    def refuse(self, problem: str) -> NoReturn:
        """Raises FormatError."""
        raise FormatError(self.path, problem)

    def visit(self) -> None:
        """One more element. Raises FormatError where there are too many."""
        self.elements -= 1
        if self.elements < 0:
            self.refuse(f"<use> and markers repeat more than {MAX_REPEATS:,} elements, which is too many for a drawing")

    def add_points(self, count: int) -> None:
        """Raises FormatError where there are too many."""
        self.points += count
        if self.points > 2 * MAX_POINTS:
            self.refuse(f"more than {MAX_POINTS:,} points, which is too many for a drawing")

    def test(self, count: int) -> None:
        """Selectors are tested. Raises FormatError where there are too many for the number of elements."""
        self.tests += count
        if self.tests > MAX_TESTS:
            self.refuse("too many style rules for so many elements; convert the styles to attributes")

    def note(self, text: str) -> None:
        """Remember something that is drawn otherwise than written."""
        if len(self.notes) < _NOTES and text not in self.notes:
            self.notes.append(text)
