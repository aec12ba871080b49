"""A study on disk: one SQLite file with the design, the drawings, the participants and every answer.

``study``        one row: version, design (JSON), practice (ids of the practice drawings, JSON)
``drawing``      id, model (null = a person), category, original, practice, strokes (JSON)
``participant``  token, since, drawings (ids in the order of the trials, practice first, JSON)
``answer``       participant, trial, drawing, says (person | computer), rt_ms, at

An answer is in the file, and the file on the disk, before it is acknowledged (write-ahead log, synchronous=FULL).
"""

from __future__ import annotations

import json
import queue
import secrets
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, Literal, TypeAlias, TypeVar, cast

from sketch_pix2seq.errors import FileError, FormatError
from sketch_pix2seq.files import replacing
from sketch_pix2seq.plain import from_plain
from sketch_pix2seq.study.design import Design, Drawing, Strokes, trial_order

DATABASE = "study.sqlite"
"""The file inside the study's folder."""
Says: TypeAlias = Literal["person", "computer"]

T = TypeVar("T")

_VERSION = 1
_WAIT = 30.0
"""Seconds to wait for another writer."""
_TABLES = """
CREATE TABLE study (version INTEGER NOT NULL, design TEXT NOT NULL, practice TEXT NOT NULL);
CREATE TABLE drawing (
    id INTEGER PRIMARY KEY, model TEXT, category TEXT NOT NULL, original INTEGER NOT NULL,
    practice INTEGER NOT NULL CHECK (practice IN (0, 1)), strokes TEXT NOT NULL
);
CREATE TABLE participant (token TEXT PRIMARY KEY, since TEXT NOT NULL, drawings TEXT NOT NULL);
CREATE TABLE answer (
    participant TEXT NOT NULL REFERENCES participant (token), trial INTEGER NOT NULL,
    drawing INTEGER NOT NULL REFERENCES drawing (id), says TEXT NOT NULL CHECK (says IN ('person', 'computer')),
    rt_ms REAL NOT NULL CHECK (rt_ms >= 0), at TEXT NOT NULL,
    UNIQUE (participant, trial)
);
"""


class UnknownParticipant(LookupError):
    """No participant has this token."""


class UnknownTrial(LookupError):
    """A trial beyond the last."""


class AnswerConflict(Exception):
    """An answer that contradicts the one kept, or comes before its turn; the message says which."""


@dataclass(frozen=True)
class Trial:
    """A drawing to be judged. It does not say who made it."""

    trial: int
    practice: bool
    strokes: Strokes


@dataclass(frozen=True)
class Score:
    """How many of a participant's counted answers were right, by who had drawn."""

    people_right: int
    people: int
    computer_right: int
    computer: int


@dataclass(frozen=True)
class Standing:
    """Where a participant is."""

    practice: int
    trials: int
    """Counted ones."""
    answered: int
    """Practice included."""
    next: Trial | None
    score: Score | None
    """Once all is answered."""


@dataclass(frozen=True)
class Answer:
    """An answer as it is kept."""

    trial: int
    says: Says
    rt_ms: float
    truth: Says | None
    """Who drew it: told of practice only."""


@dataclass(frozen=True)
class Judgement:
    """A counted answer, for the analysis."""

    participant: int
    """Number of the participant, in order of arrival."""
    model: str | None
    category: str
    drawing: int
    says: Says
    rt_ms: float


class Study:
    """A study that is there. Its methods may be called from any thread; each uses a connection of its own."""

    def __init__(self, folder: str | Path) -> None:
        """folder: the study's folder, or the SQLite file in it.

        Raises FileError where there is no study, FormatError for a file that is something else.
        """
        path = Path(folder)
        self.path = path / DATABASE if path.is_dir() or path.suffix != ".sqlite" else path
        if not self.path.is_file():
            raise FileError(folder, "no study there; `sketch-pix2seq study serve --data SET.arrow` makes one")
        self._idle: queue.LifoQueue[sqlite3.Connection] = queue.LifoQueue()
        self._one_writer = threading.Lock()
        self._waiting: deque[_Write[Any]] = deque()
        try:
            with self._connected() as db:
                found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
                if found != "ok":
                    raise sqlite3.DatabaseError(found)
                version, design, practice = db.execute("SELECT version, design, practice FROM study").fetchone()
                if version != _VERSION:
                    raise ValueError(f"version {version}")
            self.design = from_plain(Design, json.loads(design))
            self._practice: list[int] = json.loads(practice)
        except sqlite3.OperationalError as error:
            if "no such table" not in str(error):
                raise FileError(self.path, f"cannot be opened: {error}") from error
            raise FormatError(self.path, "not a study of this version") from error
        except sqlite3.DatabaseError as error:
            raise FormatError(self.path, f"not a study, or a damaged one ({error})") from error
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise FormatError(self.path, "not a study of this version") from error

    def close(self) -> None:
        """Close the connections."""
        while not self._idle.empty():
            self._idle.get().close()

    def __enter__(self) -> Study:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @cached_property
    def drawings(self) -> list[Drawing]:
        """Every drawing; the index is its id."""
        with self._told(), self._connected() as db:
            rows = db.execute("SELECT model, category, original, practice, strokes FROM drawing ORDER BY id").fetchall()
            return [Drawing(m, category, original, bool(p), json.loads(s)) for m, category, original, p, s in rows]

    # -- taking part --------------------------------------------------------------------------------------

    def enrol(self) -> str:
        """A new participant's token. Raises FileError where the study cannot be written, as `answer` does."""
        token = secrets.token_hex(16)
        ids = [*self._practice, *trial_order(self.drawings, self.design.settings, token)]
        row = token, _now(), json.dumps(ids)
        self._write(lambda db: db.execute("INSERT INTO participant VALUES (?, ?, ?)", row))
        return token

    def standing(self, token: str) -> Standing:
        """Where a participant is. Raises UnknownParticipant."""
        with self._told():
            return self._standing(token)

    def _standing(self, token: str) -> Standing:
        with self._connected() as db:
            ids = _drawings_of(db, token)
            answers = db.execute("SELECT trial, says FROM answer WHERE participant = ?", (token,)).fetchall()
        practice, done = len(self._practice), len(answers)
        upcoming = Trial(done, done < practice, self.drawings[ids[done]].strokes) if done < len(ids) else None
        score = None
        if upcoming is None:
            counted = [(says, self._truth(ids[trial])) for trial, says in answers if trial >= practice]
            right = [truth for says, truth in counted if says == truth]
            truths = [truth for _, truth in counted]
            score = Score(
                right.count("person"), truths.count("person"), right.count("computer"), truths.count("computer")
            )
        return Standing(practice, len(ids) - practice, done, upcoming, score)

    def answer(self, token: str, trial: int, says: Says, rt_ms: float) -> Answer:
        """Keep an answer; giving the same one again changes nothing and returns what is kept.

        rt_ms: milliseconds from the first ink of the drawing to the answer.
        Raises UnknownParticipant, UnknownTrial, and AnswerConflict for another answer than the one kept or for a trial
        whose turn it is not.
        """

        def keep(db: sqlite3.Connection) -> Answer:
            ids = _drawings_of(db, token)
            if not 0 <= trial < len(ids):
                raise UnknownTrial(f"no trial {trial}; they are 0 to {len(ids) - 1}")
            kept = db.execute(
                "SELECT says, rt_ms FROM answer WHERE participant = ? AND trial = ?", (token, trial)
            ).fetchone()
            if kept is None:
                done = db.execute("SELECT count(*) FROM answer WHERE participant = ?", (token,)).fetchone()[0]
                if trial != done:
                    raise AnswerConflict(f"trial {done} comes before trial {trial}")
                db.execute(
                    "INSERT INTO answer VALUES (?, ?, ?, ?, ?, ?)", (token, trial, ids[trial], says, rt_ms, _now())
                )
                kept = says, rt_ms
            if kept[0] != says:
                raise AnswerConflict(f"trial {trial} has been answered already, otherwise")
            return Answer(trial, kept[0], kept[1], self._truth(ids[trial]) if trial < len(self._practice) else None)

        return self._write(keep)

    def _truth(self, drawing: int) -> Says:
        return "person" if self.drawings[drawing].model is None else "computer"

    # -- what came of it ----------------------------------------------------------------------------------

    def judgements(self) -> list[Judgement]:
        """Every counted answer, participants in order of arrival."""
        with self._told(), self._connected() as db:
            rows = db.execute(
                "SELECT participant.rowid, model, category, drawing, says, rt_ms FROM answer"
                " JOIN participant ON token = participant JOIN drawing ON drawing.id = drawing"
                " WHERE NOT drawing.practice ORDER BY participant.rowid, trial"
            ).fetchall()
        return [Judgement(*row) for row in rows]

    # -- connections --------------------------------------------------------------------------------------

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """A connection that nobody else uses meanwhile."""
        try:
            db = self._idle.get_nowait()
        except queue.Empty:
            db = sqlite3.connect(self.path, timeout=_WAIT, isolation_level=None, check_same_thread=False)
            try:
                db.execute("PRAGMA journal_mode = WAL")
                db.execute("PRAGMA synchronous = FULL")
                db.execute("PRAGMA foreign_keys = ON")
            except sqlite3.Error:
                db.close()
                raise
        try:
            yield db
        finally:
            self._idle.put(db)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What goes wrong with the database as FileError, what is wrong in it as FormatError."""
        try:
            yield
        except _REFUSALS:
            raise
        except sqlite3.OperationalError as error:
            raise FileError(self.path, f"cannot be read or written: {error}") from error
        except (sqlite3.DatabaseError, ValueError, TypeError, LookupError) as error:
            raise FormatError(self.path, f"damaged ({error})") from error

    def _write(self, change: Callable[[sqlite3.Connection], T]) -> T:
        """What ``change`` returns, once that is on the disk.

        SQLite has one writer, so threads queue here; the first of those that wait writes for all, as what takes time
        is one wait for the disk. A change that refuses (`_REFUSALS`) must do so before it writes.
        """
        write = _Write(change)
        self._waiting.append(write)
        with self._one_writer:
            if not write.done:
                self._write_waiting()
        if write.error is not None:
            raise write.error
        return cast(T, write.result)

    def _write_waiting(self) -> None:
        writes = [self._waiting.popleft() for _ in range(len(self._waiting))]
        try:
            with self._told(), self._connected() as db:
                db.execute("BEGIN IMMEDIATE")
                try:
                    for write in writes:
                        try:
                            write.result = write.change(db)
                        except _REFUSALS as refusal:
                            write.error = refusal
                    db.execute("COMMIT")
                except BaseException:
                    if db.in_transaction:
                        db.execute("ROLLBACK")
                    raise
        except Exception as error:  # each of those who wait raises it
            for write in writes:
                write.error = error
        for write in writes:
            write.done = True


_REFUSALS = (UnknownParticipant, UnknownTrial, AnswerConflict)


class _Write(Generic[T]):
    """A change that waits for its turn, and what became of it."""

    def __init__(self, change: Callable[[sqlite3.Connection], T]) -> None:
        self.change = change
        self.result: T | None = None
        self.error: Exception | None = None
        self.done = False


def create(folder: str | Path, design: Design, drawings: Sequence[Drawing]) -> Study:
    """Write a new study, whole or not at all, and open it. Raises FileError where that cannot be done."""
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(folder, f"cannot be made: {error.strerror or error}") from error
    practice = [i for i, drawing in enumerate(drawings) if drawing.practice]
    rows = [
        (i, d.model, d.category, d.original, int(d.practice), json.dumps(d.strokes, separators=(",", ":")))
        for i, d in enumerate(drawings)
    ]
    with replacing(folder / DATABASE) as part:
        part.write_bytes(b"")  # what a killed process may have left there
        try:
            db = sqlite3.connect(part, isolation_level=None)
            try:
                db.executescript(_TABLES)
                db.execute("BEGIN")
                db.execute(
                    "INSERT INTO study VALUES (?, ?, ?)", (_VERSION, json.dumps(asdict(design)), json.dumps(practice))
                )
                db.executemany("INSERT INTO drawing VALUES (?, ?, ?, ?, ?, ?)", rows)
                db.execute("COMMIT")
            finally:
                db.close()
        except sqlite3.OperationalError as error:
            raise FileError(folder / DATABASE, f"cannot be written: {error}") from error
    return Study(folder)


def _drawings_of(db: sqlite3.Connection, token: str) -> list[int]:
    row = db.execute("SELECT drawings FROM participant WHERE token = ?", (token,)).fetchone()
    if row is None:
        raise UnknownParticipant("no such participant in this study")
    ids: list[int] = json.loads(row[0])
    return ids


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
