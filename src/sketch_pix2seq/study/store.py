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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeAlias

from sketch_pix2seq.errors import FileError, FormatError
from sketch_pix2seq.files import replacing
from sketch_pix2seq.study.design import Design, Drawing, Renderer, Strokes, StudySettings, trial_order

DATABASE = "study.sqlite"
"""The file inside the study's folder."""
Says: TypeAlias = Literal["person", "computer"]

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
        try:
            with self._connected() as db:
                version, design, practice = db.execute("SELECT version, design, practice FROM study").fetchone()
                if version != _VERSION:
                    raise ValueError(f"version {version}")
            self.design = _read_design(design)
            self._practice: list[int] = json.loads(practice)
        except sqlite3.OperationalError as error:
            if "no such table" not in str(error):
                raise FileError(self.path, f"cannot be opened: {error}") from error
            raise FormatError(self.path, "not a study of this version") from error
        except (sqlite3.DatabaseError, ValueError, TypeError, KeyError) as error:
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
        with self._connected() as db:
            rows = db.execute("SELECT model, category, original, practice, strokes FROM drawing ORDER BY id").fetchall()
        return [Drawing(m, category, original, bool(p), json.loads(s)) for m, category, original, p, s in rows]

    # -- taking part --------------------------------------------------------------------------------------

    def enrol(self) -> str:
        """A new participant's token."""
        token = secrets.token_hex(16)
        ids = [*self._practice, *trial_order(self.drawings, self.design.settings, token)]
        with self._writing() as db:
            db.execute("INSERT INTO participant VALUES (?, ?, ?)", (token, _now(), json.dumps(ids)))
        return token

    def standing(self, token: str) -> Standing:
        """Where a participant is. Raises UnknownParticipant."""
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
        with self._writing() as db:
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

    def _truth(self, drawing: int) -> Says:
        return "person" if self.drawings[drawing].model is None else "computer"

    # -- what came of it ----------------------------------------------------------------------------------

    def judgements(self) -> list[Judgement]:
        """Every counted answer, participants in order of arrival."""
        with self._connected() as db:
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
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One short transaction; on the disk when the block is left. SQLite has one writer, so threads queue here."""
        with self._one_writer, self._connected() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise


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
        part.unlink(missing_ok=True)
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


def _read_design(text: str) -> Design:
    values: dict[str, Any] = json.loads(text)
    return Design(
        **{
            **values,
            "settings": StudySettings(**values["settings"]),
            "renderer": Renderer(**values["renderer"]),
            "models": tuple(values["models"]),
            "models_sha256": tuple(values["models_sha256"]),
        }
    )


def _drawings_of(db: sqlite3.Connection, token: str) -> list[int]:
    row = db.execute("SELECT drawings FROM participant WHERE token = ?", (token,)).fetchone()
    if row is None:
        raise UnknownParticipant("no such participant in this study")
    ids: list[int] = json.loads(row[0])
    return ids


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
