"""A disk that is full or cannot be written, a gradebook that is locked, records that are damaged:
reported, and gone on from.
"""

import errno
import json
import os
import shutil
import sqlite3
import subprocess
import sys

import pytest
from click.testing import CliRunner

from autograder import files
from autograder.batch import entering
from autograder.batch import grading as batch
from autograder.batch.grading import Grading
from autograder.cli import commands
from autograder.course.course import Course
from autograder.course.database import open_gradebook
from autograder.errors import AutograderError, GradebookError, StoreError
from autograder.files import exclusive, remove_stale, write_atomic
from tests.support.tiny_course import ADDS, RIGHT, hand_in

CLASS = [f"student-{k:02}" for k in range(16)]


@pytest.fixture
def disk(tmp_path):
    """A small disk of its own, 2 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"no small disk can be mounted here, that takes root: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def course(tiny_course, empty_gradebook):
    shutil.copy(empty_gradebook, tiny_course / "gradebook.db")
    for k, student in enumerate(CLASS):
        hand_in(tiny_course, student, ADDS if k % 3 else RIGHT)
    return Course.load(tiny_course)


def scores(course):
    with open_gradebook(course.directory) as gradebook:
        return sorted(
            (submission.student.id, grade.name, grade.auto_score)
            for submission in gradebook.assignment_submissions("tiny")
            for grade in submission.notebooks[0].grades
        )


def right_scores():
    return sorted(
        (student, name, score)
        for k, student in enumerate(CLASS)
        for name, score in (("scale", 0.0 if k % 3 else 2.0), ("total", 1.0))
    )


def whole_records(course):
    found = list((course.records / "tiny").glob("*.json"))
    for path in found:
        assert json.loads(path.read_text())["checks"]
    return len(found)


def fill(disk, leave):
    """Fill a disk but for some bytes; returns the file to remove."""
    free = shutil.disk_usage(disk).free
    path = disk / "filler"
    path.write_bytes(bytes(free - leave))
    return path


def test_a_full_disk_is_named_and_the_same_command_goes_on(course, disk, monkeypatch):
    """The course lies on it: sooner or later a record, a notebook or the gradebook does not fit."""
    there = disk / "course"
    shutil.copytree(course.root, there)
    filler = fill(disk, leave=110_000)
    monkeypatch.chdir(there)

    def call(*arguments):
        return CliRunner().invoke(commands.main, list(arguments), catch_exceptions=False)

    result = call("run", "tiny")
    assert result.exit_code == 1
    assert "No space left on device" in result.stderr or "the disk is full" in result.stderr
    assert "ake room there, then run the same command again" in result.stderr
    kept = whole_records(Course.load(there))
    assert 0 < kept < len(CLASS)
    assert (
        f"{kept} of {len(CLASS)} submissions have their record in {there}/records/tiny"
        in result.stderr
    )
    assert not list(there.rglob(".*.part*"))
    result = call("report", "tiny")
    assert (
        result.exit_code == 0
        or "reports/tiny.html cannot be written: No space left on device" in result.stderr
    )
    filler.unlink()
    result = call("run", "tiny")
    assert result.exit_code == 0
    assert f"{len(CLASS) - kept} judged, {kept} unchanged" in result.stdout
    assert scores(Course.load(there)) == right_scores()


def test_where_only_the_gradebooks_disk_is_full_the_grading_goes_on_and_the_scores_wait(
    course, disk
):
    shutil.move(course.root / "gradebook.db", disk / "gradebook.db")
    course.directory.db_url = f"sqlite:///{disk}/gradebook.db"
    grading = Grading.prepare(course, "tiny")
    batch.run(grading, [])  # registers the problem set
    filler = fill(disk, leave=8192)
    said = []
    with pytest.raises(
        GradebookError, match="has no room left: the disk is full .*full.* Make room there"
    ) as caught:
        batch.run(grading, CLASS, say=said.append)
    assert caught.value.__notes__ == [
        f"16 of 16 submissions have their record in {course.records}/tiny; none of it is lost."
    ]
    assert len(said) == 1 and "Until then the grading goes on" in said[0]
    filler.unlink()
    assert not any(outcome.judged for outcome in batch.run(grading, CLASS))
    assert scores(course) == right_scores()


def test_a_lock_that_goes_away_while_the_class_is_graded_costs_nothing(course, monkeypatch):
    course.directory.db_url = f"sqlite:///{course.root}/gradebook.db?timeout=0.1"
    grading = Grading.prepare(course, "tiny")
    batch.run(grading, [])
    for module in (batch, entering):
        monkeypatch.setattr(module, "GROUP", 4)
    lock = sqlite3.connect(course.root / "gradebook.db")
    lock.execute("begin immediate")
    said, seen = [], []

    def progress(outcome):
        seen.append(outcome.student)
        if len(seen) == len(CLASS):
            lock.rollback()

    outcomes = batch.run(grading, CLASS, progress=progress, say=said.append)
    lock.close()
    assert sorted(seen) == CLASS and all(
        outcome.judged and not outcome.problem for outcome in outcomes
    )
    assert len(said) == 1 and "is locked" in said[0]  # tried once, and not for each submission
    assert scores(course) == right_scores()


def test_an_exclusive_lock_from_the_start_is_named_and_nothing_is_graded(course):
    course.directory.db_url = f"sqlite:///{course.root}/gradebook.db?timeout=0.1"
    grading = Grading.prepare(course, "tiny")
    lock = sqlite3.connect(course.root / "gradebook.db")
    lock.execute("begin exclusive")
    with pytest.raises(GradebookError, match="is locked: another program is writing to it"):
        batch.run(grading, CLASS)
    lock.close()
    assert whole_records(course) == 0


def test_a_folder_that_cannot_be_written_is_named_and_the_same_command_goes_on(course, disk):
    there = disk / "course"
    shutil.copytree(course.root, there)
    course = Course.load(there)
    grading = Grading.prepare(course, "tiny")
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    try:
        with pytest.raises(
            StoreError,
            match="records/tiny.* cannot be written: Read-only file system. Make it writable",
        ):
            batch.run(grading, CLASS)
    finally:
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
    batch.run(grading, CLASS)
    assert scores(course) == right_scores()


DAMAGES = ['{"problem_set": "tiny", "che', "", "[]", "null", '{"checks": 3}', "[" * 100_000]


def test_a_damaged_record_is_made_anew(course):
    grading = Grading.prepare(course, "tiny")
    students = CLASS[: len(DAMAGES) + 2]
    batch.run(grading, students)
    for student, damage in zip(students, DAMAGES, strict=False):
        grading.path(student).write_text(damage)
    other = grading.path(students[-2])
    record = json.loads(other.read_text())
    record["checks"].pop()
    other.write_text(json.dumps(record))
    outcomes = batch.run(grading, students)
    assert [outcome.judged for outcome in outcomes] == [True] * (len(students) - 1) + [False]
    assert [outcome.result.score for outcome in outcomes] == [
        1 if k % 3 else 3 for k in range(len(students))
    ]


def test_a_folder_in_the_place_of_a_record_stops_nobody_else(course):
    grading = Grading.prepare(course, "tiny")
    grading.path(CLASS[0]).mkdir(parents=True)
    one, two = batch.run(grading, CLASS[:2])
    assert (
        one.problem
        == f"{grading.path(CLASS[0])} is a folder, where the record must stand; remove it"
    )
    assert two.result.score == 1


def test_a_name_that_is_too_long_for_a_file_stops_nobody_else(course):
    long = "l" * 240
    hand_in(course.root, long, RIGHT)
    one, two = batch.run(Grading.prepare(course, "tiny"), [long, CLASS[0]])
    assert "the folder's name is too long" in one.problem
    assert two.result.score == 3


def test_a_second_run_at_the_same_time_is_refused(course):
    grading = Grading.prepare(course, "tiny")

    def again(outcome):
        with pytest.raises(
            AutograderError, match=f"tiny is being graded already, by process {os.getpid()}. Wait"
        ):
            batch.run(grading, CLASS)

    assert len(batch.run(grading, CLASS[:1], progress=again)) == 1
    code = (
        "from pathlib import Path\nfrom autograder.files import exclusive\n"
        f"with exclusive(Path({str(course.records)!r}), 'x'): pass"
    )
    hold = [sys.executable, "-c", code]
    with exclusive(course.records, "x"):
        assert b"x already, by process" in subprocess.run(hold, capture_output=True).stderr
    assert subprocess.run(hold).returncode == 0  # free again


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "folder" / "file"
    write_atomic(path, "first", 0o444)
    assert path.read_text() == "first" and path.stat().st_mode & 0o777 == 0o444

    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "replace", full)
    with pytest.raises(
        StoreError,
        match="file cannot be written: No space left on device; .* MB are free there. Make room",
    ):
        write_atomic(path, "second")
    assert [other.name for other in path.parent.iterdir()] == [
        "file"
    ] and path.read_text() == "first"


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_writes_is_not(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    for pid in (dead.pid, os.getpid(), os.getppid()):
        (tmp_path / f".ann.json.{pid}.part").touch()
    (tmp_path / f".gradebook.db.{dead.pid}.part-journal").touch()
    (tmp_path / ".notes.part").touch()
    remove_stale(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        f".ann.json.{os.getppid()}.part",
        ".notes.part",
    }
