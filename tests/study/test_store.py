"""A study on disk."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from sketch_pix2seq.errors import FileError, FormatError
from sketch_pix2seq.study.design import Design, Renderer, StudySettings
from sketch_pix2seq.study.store import DATABASE, AnswerConflict, Study, UnknownParticipant, UnknownTrial, create
from tests.study.conftest import small_drawings, small_study


def test_what_is_written_is_read(tmp_path: Path) -> None:
    with small_study(tmp_path / "deep" / "study", trials=4, speed=2.5) as made:
        design = made.design
    for path in (tmp_path / "deep" / "study", tmp_path / "deep" / "study" / DATABASE):
        with Study(path) as opened:
            assert opened.design == design
            assert opened.drawings == small_drawings()
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == [DATABASE]


def test_a_participant_from_the_first_answer_to_the_score(study: Study, truth_of: Callable[[str, int], str]) -> None:
    token = study.enrol()
    says = ["person", "computer", "person", "person", "computer", "person", "computer", "computer"]
    for trial, said in enumerate(says):
        standing = study.standing(token)
        assert (standing.answered, standing.practice, standing.trials) == (trial, 2, 6)
        assert standing.score is None
        assert standing.next is not None
        assert (standing.next.trial, standing.next.practice) == (trial, trial < 2)
        answer = study.answer(token, trial, said, 100.5 + trial)  # type: ignore[arg-type]
        assert (answer.trial, answer.says, answer.rt_ms) == (trial, said, 100.5 + trial)
        assert answer.truth == (truth_of(token, trial) if trial < 2 else None)
    standing = study.standing(token)
    assert standing.next is None
    counted = [(truth_of(token, trial), said) for trial, said in enumerate(says) if trial >= 2]
    assert standing.score is not None
    assert standing.score.people == standing.score.computer == 3
    assert standing.score.people_right == counted.count(("person", "person"))
    assert standing.score.computer_right == counted.count(("computer", "computer"))
    assert [(j.participant, j.says, j.rt_ms) for j in study.judgements()] == [
        (1, said, 100.5 + trial) for trial, said in enumerate(says) if trial >= 2
    ]


def test_an_answer_is_given_once_and_in_turn(study: Study) -> None:
    token = study.enrol()
    kept = study.answer(token, 0, "person", 500.0)
    assert study.answer(token, 0, "person", 900.0) == kept
    with pytest.raises(AnswerConflict, match="trial 0 has been answered already"):
        study.answer(token, 0, "computer", 500.0)
    with pytest.raises(AnswerConflict, match="trial 1 comes before trial 3"):
        study.answer(token, 3, "person", 500.0)
    with pytest.raises(UnknownTrial, match="no trial 8; they are 0 to 7"):
        study.answer(token, 8, "person", 500.0)
    with pytest.raises(UnknownParticipant):
        study.answer("0" * 32, 0, "person", 500.0)
    with pytest.raises(UnknownParticipant):
        study.standing("nobody")
    assert study.standing(token).answered == 1


def test_the_file_itself_refuses_a_second_answer(study: Study) -> None:
    token = study.enrol()
    study.answer(token, 0, "person", 500.0)
    db = sqlite3.connect(study.path)
    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        db.execute("INSERT INTO answer SELECT * FROM answer")
    assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    db.close()


def test_what_is_no_study_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="no study there; `sketch-pix2seq study serve --data"):
        Study(tmp_path)
    with pytest.raises(FileError, match="no study there"):
        Study(tmp_path / "missing.sqlite")
    path = tmp_path / DATABASE
    for content in (b"", b"not a database" * 100):
        path.write_bytes(content)
        with pytest.raises(FormatError, match=r"study\.sqlite: not a study(, or a damaged one| of this version)"):
            Study(tmp_path)
    path.unlink()
    with small_study(tmp_path) as made:
        db = sqlite3.connect(made.path)
        db.execute("UPDATE study SET version = 99")
        db.commit()
        db.close()
    with pytest.raises(FormatError, match="not a study of this version"):
        Study(tmp_path)


def test_a_folder_that_cannot_be_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    design = Design("", StudySettings(), Renderer(), "", "", (), (), "", "")
    with pytest.raises(FileError, match="cannot be made"):
        create(tmp_path / "file" / "study", design, [])
