"""Judge one submission in the container of a Gradescope course, and write what Gradescope reads:
``results.json``.

`autograder.lms.gradescope.build` puts this module, with all that it needs, into the zip that is
uploaded as the autograder. There it is started by ``run_autograder``, as root and once for each
submission:

    /autograder/source/course          this course, as far as it is needed, and settings.json
    /autograder/submission                     what the student handed in
    /autograder/submission_metadata.json       who, when, and the attempts before
    /autograder/results/results.json           what is written here

Whatever goes wrong, ``results.json`` is there and says whose fault it is: of what is not the
student's there is no score. What is printed is shown to instructors only.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import hmac
import json
import os
import stat
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from autograder.course.rebuild import (
    parse_notebook,
    read_release,
    read_submitted,
    rebuild,
    test_cells,
)
from autograder.errors import ArchiveError, AutograderError, IsolationError, SubmissionError
from autograder.files import write_atomic
from autograder.judge import judge
from autograder.judge import problem_set as problem_sets
from autograder.judge.problem_set import ProblemSet
from autograder.judge.result import FOR_INSTRUCTOR, CheckResult, Result
from autograder.lms.archive import CLUTTER, MAX_NESTED, Candidate, Zip, select_notebook
from autograder.sandbox import choose, plain_process
from autograder.sandbox.plain_process import UnsafeLocal
from autograder.sandbox.sandbox import Sandbox
from autograder.text import printable

SETTINGS = "settings.json"
METADATA = "submission_metadata.json"
MAX_FILES = 2000  # of a submission that are looked at
NOT_THE_STUDENTS = (
    "Your notebook has arrived, but it could not be graded. This is no fault of yours, and you "
    "need not hand in again: your instructor can see what has to be done."
)


@dataclass(frozen=True)
class Settings:
    """What the instructor chose when the zip was made.

    Parameters
    ----------
    problem_set : name
    key : from which the seeds are made; no student's code may read it
    unsafe_local : whether to grade without a sandbox where there is none
    visibility : of the tests, a word of Gradescope's
    """

    problem_set: str
    key: str
    unsafe_local: bool = False
    visibility: str = "visible"


@dataclass(frozen=True)
class Submission:
    """What Gradescope says of a submission.

    Parameters
    ----------
    id : of this attempt; no other has it
    students : their names; several for a group
    accounts : their numbers, or their addresses where there are none
    attempt : 1 for the first
    late : how long after the due date, in words; empty where it was in time
    """

    id: str = ""
    students: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    attempt: int = 1
    late: str = ""

    @classmethod
    def read(cls, path: Path) -> Submission:
        """What the file says; all that is missing, or is not as Gradescope documents it, is left
        empty.
        """
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return cls()
        if not isinstance(data, dict):
            return cls()
        users = [user for user in data.get("users") or [] if isinstance(user, dict)]
        before = data.get("previous_submissions")
        assignment = data.get("assignment")
        return cls(
            id=printable(str(data.get("id", ""))),
            students=tuple(
                printable(str(user.get("name") or user.get("email") or "?")) for user in users
            ),
            accounts=tuple(
                sorted(printable(str(user.get("id") or user.get("email") or "?")) for user in users)
            ),
            attempt=1 + len(before) if isinstance(before, list) else 1,
            late=_late(
                data.get("created_at"),
                assignment.get("due_date") if isinstance(assignment, dict) else None,
            ),
        )

    @property
    def names(self) -> str:
        """Names, for people to read."""
        *others, last = self.students or ("a student without a name",)
        return f"{', '.join(others)} and {last}" if others else last


@dataclass(frozen=True)
class Places:
    """Where things are below Gradescope's folder."""

    root: Path

    @property
    def course(self) -> Path:
        """Root of this course, as far as it is needed."""
        return self.root / "source" / "course"

    @property
    def submission(self) -> Path:
        """Folder of what was handed in."""
        return self.root / "submission"

    @property
    def results(self) -> Path:
        """File that is written."""
        return self.root / "results" / "results.json"

    @property
    def hidden(self) -> tuple[Path, ...]:
        """What no student's code may read or write."""
        settings = self.course / SETTINGS
        return (
            self.root / "source",
            settings,
            self.results.parent,
            self.results,
            self.root / METADATA,
        )


@dataclass
class _ForInstructor:
    """Lines that only the instructor sees: all on stdout, and those that ask for something also as
    a hidden test.
    """

    urgent: list[str] = field(default_factory=list)

    def say(self, line: str, urgent: bool = False) -> None:
        print(printable(line, keep="\n"), flush=True)
        if urgent:
            self.urgent.append(line)

    def tests(self) -> list[dict[str, Any]]:
        """Nothing, or one test without a score that students never see."""
        if not self.urgent:
            return []
        return [_test("For the instructor", "\n".join(self.urgent), "hidden", status="failed")]


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge what was handed in; with ``--check`` only look whether all that is needed is there."""
    parser = argparse.ArgumentParser(prog="autograder.lms.gradescope.run", description=main.__doc__)
    parser.add_argument("root", type=Path, help="Gradescope's folder, /autograder")
    parser.add_argument(
        "--check", action="store_true", help="judge nothing; try out what this container can do"
    )
    chosen = parser.parse_args(arguments)
    places = Places(chosen.root.resolve())
    if chosen.check:
        return _check(places)
    began = time.monotonic()
    instructor = _ForInstructor()
    deny_others(places)
    # Should this process be killed, as when the container has no memory left, this is what is
    # found.
    write_results(
        places,
        _without_score(
            "The grading did not come to its end: it was killed, or its time was over.", 0.0
        ),
    )
    try:
        result = _graded_submission(places, instructor, began)
    except IsolationError as error:
        result = _withheld(_no_isolation(error, places), began)
    except AutograderError as error:
        result = _withheld(f"Nothing was judged: {error}", began)
    except Exception:
        result = _withheld(f"The judge itself failed:\n{traceback.format_exc()}", began)
    write_results(places, result)
    return 0


def deny_others(places: Places) -> None:
    """Take from all other users what they may not read; it belongs to root in a container of
    Gradescope's.
    """
    for path in (
        places.root / "source",
        places.submission,
        places.results.parent,
        places.root / METADATA,
    ):
        # not ours, or not there: what can be reached is tried out before it matters
        with suppress(OSError):
            path.chmod(stat.S_IMODE(path.stat().st_mode) & ~stat.S_IRWXO)


def write_results(places: Places, result: Mapping[str, Any]) -> None:
    """Write ``results.json``, whole or not at all."""
    write_atomic(places.results, json.dumps(result, indent=1) + "\n")


def seed(key: str, submission: Submission, content: str) -> str:
    """Seed of the inputs: another for each student, each attempt and each notebook; the same when
    one is graded again.
    """
    text = json.dumps([submission.id, list(submission.accounts), content])
    return hmac.new(bytes.fromhex(key), text.encode(), hashlib.sha256).hexdigest()


def find_notebook(folder: Path, name: str, release: NotebookNode) -> tuple[str, bytes]:
    """Notebook that counts among what was handed in, under whatever name: its path and content.

    Raises
    ------
    SubmissionError : there is none, or it cannot be told which one counts, or it cannot be read;
        says so to the student
    """
    notebooks, others, reasons = _files(folder)
    if not notebooks:
        there = f"; there is {', '.join(others[:5])}" if others else ""
        why = "".join(f" {path}: {reason}." for path, reason in reasons[:5])
        raise SubmissionError(f"No notebook was handed in{there}. Hand in {name}.ipynb.{why}")
    try:
        found, content = select_notebook(notebooks, name, release)
    except ArchiveError as error:
        raise SubmissionError(f"{notebooks[0].path}: {error}") from None
    return found.path, content


def results(
    result: Result,
    problem_set: ProblemSet,
    said: str,
    visibility: str,
    seconds: float,
    hidden: Sequence[dict[str, Any]],
) -> dict[str, Any]:
    """What Gradescope shows of a record.

    Parameters
    ----------
    result, problem_set : what was found, of what
    said : about the whole submission, for the student
    visibility : of the tests with points
    seconds : that it took
    hidden : tests for the instructor
    """
    tests = [
        _test(
            f"{check.name}: {check.title}",
            _check_text(check),
            visibility,
            check.score,
            check.points,
        )
        for check in result.checks
    ]
    extra = {"problem_set": problem_set.name, "content_hash": result.content_hash}
    return _result(said, seconds, [*tests, *hidden], round(result.score, 4), extra)


def _graded_submission(places: Places, instructor: _ForInstructor, began: float) -> dict[str, Any]:
    settings = Settings(**json.loads((places.course / SETTINGS).read_text(encoding="utf-8")))
    problem_set = problem_sets.load(settings.problem_set, places.course)
    release = read_release(problem_set)
    submission = Submission.read(places.root / METADATA)
    instructor.say(
        f"{problem_set.name}: submission {submission.id or '?'}, attempt {submission.attempt}, "
        f"{submission.names}."
    )
    try:
        path, content = find_notebook(places.submission, problem_set.name, release)
        rebuilt = rebuild(release, parse_notebook(content, path))
    except SubmissionError as error:
        instructor.say(f"Not judged: {error}")
        return _refused(problem_set, str(error), settings.visibility, began)
    isolation = _sandbox_here(places, settings, instructor)
    number = seed(settings.key, submission, judge.content_hash(rebuilt.cells, problem_set))
    result = judge.grade(
        rebuilt.cells, problem_set, seed=number, isolation=isolation, student=submission.names
    )
    _tell(result, instructor)
    lines = [f"{path} of {submission.names}, attempt {submission.attempt}."]
    lines += [f"It was handed in {submission.late} after the due date."] if submission.late else []
    notes = [
        note for note in (*rebuilt.notes, *result.notes) if not note.startswith(FOR_INSTRUCTOR)
    ]
    lines += ["", "Notes:", *(f"- {note}" for note in notes)] if notes else []
    seconds = time.monotonic() - began
    return results(
        result, problem_set, "\n".join(lines), settings.visibility, seconds, instructor.tests()
    )


def _sandbox_here(places: Places, settings: Settings, instructor: _ForInstructor) -> Sandbox:
    """Isolation that this container gives, tried out; less than a sandbox only where the zip was
    made so.
    """
    try:
        return choose.choose()
    except IsolationError as error:
        if not settings.unsafe_local:
            raise
        reason = error.reason
    instructor.say(
        (
            "Graded without a sandbox, as the zip was made to do with --unsafe-local: there is "
            f"none here ({reason})"
        ),
        urgent=True,
    )
    if os.geteuid() != 0:
        instructor.say(
            (
                "The code ran as the same user as the judge: it could have written this result "
                "itself, and read checks.py."
            ),
            urgent=True,
        )
        return UnsafeLocal()
    isolation = plain_process.UnprivilegedProcess()
    if reached := isolation.self_test(places.hidden):
        raise IsolationError(
            f"Even as another user the students' code could {', '.join(reached)}.",
            "Is /autograder as Gradescope makes it, and run_autograder started as root?",
        )
    instructor.say(f"The code ran as another user. {plain_process.describe()}", urgent=True)
    return isolation


def _tell(result: Result, instructor: _ForInstructor) -> None:
    """What is needed to look into a grade again, and what the checks say of themselves."""
    instructor.say(f"Isolation: {result.isolation}. Seed of the inputs: {result.seed}")
    instructor.say(
        f"Versions: {', '.join(f'{name} {version}' for name, version in result.versions.items())}."
    )
    instructor.say(f"{result.score:g} of {result.max_score:g} points.")
    for check in result.checks:
        mistake = f", {check.misconception}" if check.misconception else ""
        instructor.say(
            f"  {check.name}: {check.score:g} of {check.points:g} ({check.status}{mistake}). "
            f"{check.message}"
        )
    for note in result.notes:
        instructor.say(note, urgent=note.startswith(FOR_INSTRUCTOR))
    if result.output.strip():
        instructor.say(f"The end of what the code printed:\n{result.output[-2000:]}")


def _refused(problem_set: ProblemSet, said: str, visibility: str, began: float) -> dict[str, Any]:
    """No points, and the reason: the student can do something about it."""
    tests = [
        _test(
            f"{check.name}: {check.title}",
            "Not judged; see the message above.",
            visibility,
            0.0,
            check.points,
        )
        for check in problem_set.checks
    ]
    return _result(f"Nothing could be judged. {said}", time.monotonic() - began, tests, 0.0)


def not_started() -> dict[str, Any]:
    """Result for the case that not even this module can be started."""
    return _without_score(
        (
            "Nothing was judged: Python did not start. Does the build of the image end well "
            "(setup.sh)?"
        ),
        0.0,
    )


def _withheld(why: str, began: float) -> dict[str, Any]:
    """No score at all, and what the instructor has to do."""
    print(printable(why, keep="\n"), flush=True)
    return _without_score(why, time.monotonic() - began)


def _without_score(why: str, seconds: float) -> dict[str, Any]:
    return _result(
        NOT_THE_STUDENTS,
        seconds,
        [_test("For the instructor: not graded", why, "hidden", status="failed")],
    )


def _no_isolation(error: IsolationError, places: Places) -> str:
    (folder,) = (places.course / "solutions").iterdir()
    return (
        "Nothing was judged, and there is no score: this container cannot hold students' code "
        "apart, so that a submission could write its own result and read the hidden "
        f"checks.\n{error.reason}\n\nDo one of these:\n"
        "1. Grade on a machine of your own, where there is a sandbox; `autograder doctor` tries it "
        "out. Review Grades > Export Submissions gives you all notebooks.\n"
        f"2. Make the zip again with `autograder export gradescope {folder.name} --unsafe-local`, "
        "upload it, and use Regrade All Submissions. The code then runs as another user and "
        "without a sandbox; the page 'Grade a class' of the book says what that costs.\n3. If the "
        f"container is your own: {error.remedy.removesuffix(choose.UNSAFE).strip()}"
    )


def _result(
    said: str,
    seconds: float,
    tests: list[dict[str, Any]],
    score: float | None = None,
    extra: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """``results.json``. All text is said to be text: a message may quote the student."""
    result: dict[str, Any] = {} if score is None else {"score": score}
    return result | {
        "execution_time": round(seconds, 2),
        "output": said,
        "output_format": "text",
        "test_output_format": "text",
        "test_name_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "extra_data": dict(extra or {}),
        "tests": tests,
    }


def _test(
    name: str,
    output: str,
    visibility: str,
    score: float | None = None,
    max_score: float | None = None,
    status: str | None = None,
) -> dict[str, Any]:
    test: dict[str, Any] = {"name": name.strip(), "output": output, "visibility": visibility}
    if score is not None and max_score is not None:
        test |= {"score": score, "max_score": max_score}
        status = "passed" if score >= max_score else "failed"
    return test | {"status": status}


def _check_text(check: CheckResult) -> str:
    """What a student reads about one check: no expected value stands in it."""
    return "\n".join(filter(None, [check.message, *check.advice()]))


def _files(folder: Path) -> tuple[list[Candidate], list[str], list[tuple[str, str]]]:
    """Notebooks in a folder, other files, and what could not be read with the reason; links are not
    followed.
    """
    notebooks: list[Candidate] = []
    others: list[str] = []
    reasons: list[tuple[str, str]] = []
    number = 0
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in CLUTTER)
        for name in sorted(names):
            path = Path(where) / name
            shown = printable(path.relative_to(folder).as_posix())
            number += 1
            if name in CLUTTER or name.startswith("._") or number > MAX_FILES:
                continue
            suffix = path.suffix.lower()
            if suffix not in (".ipynb", ".zip"):
                others.append(shown)
            elif not stat.S_ISREG(path.lstat().st_mode):
                reasons.append((shown, "it is a link or a device"))
            elif suffix == ".ipynb":
                notebooks.append(Candidate(shown, name, partial(read_submitted, path)))
            else:
                _look_into(path, shown, notebooks, others, reasons)
    return notebooks, others, reasons


def _look_into(
    path: Path,
    shown: str,
    notebooks: list[Candidate],
    others: list[str],
    reasons: list[tuple[str, str]],
) -> None:
    """Notebooks in a zip; a zip in it is not looked into."""
    try:
        if path.stat().st_size > MAX_NESTED:
            raise ArchiveError(f"it has more than {MAX_NESTED >> 20} MB")
        archive = Zip.open(path, shown)
    except ArchiveError as error:
        reasons.append((shown, str(error)))
        return
    reasons += ((f"{shown}/{inside}", reason) for inside, reason in archive.left_out)
    for member in archive.members:
        if member.parts[-1].lower().endswith(".ipynb"):
            notebooks.append(Candidate(f"{shown}/{member.path}", member.parts[-1], member.read))
        else:
            others.append(f"{shown}/{member.path}")


def _late(created: Any, due: Any) -> str:
    try:
        late = datetime.datetime.fromisoformat(created) - datetime.datetime.fromisoformat(due)
    except (TypeError, ValueError):
        return ""
    minutes = int(late.total_seconds() // 60)
    if late.total_seconds() <= 0:
        return ""
    days, hours = divmod(minutes // 60, 24)
    parts = [(days, "day"), (hours, "hour"), (minutes % 60, "minute")]
    words = [f"{number} {word}{'s' if number > 1 else ''}" for number, word in parts if number]
    return " ".join(words) or "less than a minute"


def _check(places: Places) -> int:
    """Say while the image is built what would otherwise be found out with the first submission."""
    try:
        settings = Settings(**json.loads((places.course / SETTINGS).read_text(encoding="utf-8")))
        problem_set = problem_sets.load(settings.problem_set, places.course)
        release = read_release(problem_set)
    except AutograderError as error:
        print(f"autograder: {error}")
        return 1
    points = sum(check.points for check in problem_set.checks)
    print(
        f"{problem_set.name}: {len(problem_set.checks)} checks, {points:g} points, "
        f"{len(test_cells(release))} test cells."
    )
    print(f"Python {sys.version.split()[0]}.")
    try:
        print(f"Isolation: {choose.choose().level}.")
    except IsolationError as error:
        said = (
            "allowed by --unsafe-local" if settings.unsafe_local else "submissions will be refused"
        )
        print(
            f"No sandbox holds here, where the image is built; {said}, if that is so where it runs "
            f"too. {error.reason}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
