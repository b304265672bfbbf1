"""Put what a platform gives as one zip where the course looks for submissions:
``submitted/<student>/<set>/<set>.ipynb``.

A student's folder bears the number by which the platform's own worksheet knows the student, so that
scores find their way back.
"""

from __future__ import annotations

import csv
import datetime
import io
import os
import re
import shutil
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from nbformat import NotebookNode

from autograder.course.course import TIMESTAMP, Course
from autograder.errors import ArchiveError, CollectError, StoreError, SubmissionError
from autograder.files import MAX_NAME_BYTES, remove_stale, temp_name
from autograder.lms.archive import (
    NO_NOTEBOOK,
    Candidate,
    Member,
    Zip,
    notebooks_in,
    select_notebook,
)
from autograder.lms.worksheet import names_in
from autograder.text import delimiter_of, folded, printable

EARLIER = ".earlier"  # folder, beside a submission, of those that it replaced
# "Full Name_123456_assignsubmission_file_/work.ipynb", or all of it as the name of a file. The
# first number counts: what comes after it was named by the student.
MOODLE = re.compile(r"(?P<name>.*?)_(?P<student>\d+)_assignsubmission_[a-z]+(?:_|$)", re.DOTALL)
# "doejohn_LATE_123_456_work.ipynb": the user, then the file.
CANVAS = re.compile(
    r"(?P<name>.*?)_(?P<late>LATE_)?(?P<student>\d+)_(?P<file>\d+)_(?P<rest>.+)", re.DOTALL
)
# "Essay_jdoe_attempt_2026-03-01-10-11-12_work.ipynb", and the same with .txt for Blackboard's own
# slip. The first time counts.
BLACKBOARD = re.compile(r"_attempt_(?P<when>\d{4}(?:-\d\d){5})(?:_|\.txt$)")
# "20100-555 - Ann Doe - Mar 1, 2026 1011 AM/work.ipynb": the user, the assignment.
BRIGHTSPACE = re.compile(r"(?P<student>\d+)-\d+ - (?P<name>.+) - (?P<when>[^/]+)", re.DOTALL)
TIMED = ("blackboard", "brightspace")  # all files of an attempt bear its time
FORMS = ("moodle", "canvas", "blackboard", "brightspace", "plain")


@dataclass(frozen=True)
class Kept:
    """What became of one student's notebook: ``how`` is "new", "replaced" or "unchanged"."""

    student: str
    path: str
    how: str
    late: bool = False


@dataclass
class Collection:
    """What became of all.

    Parameters
    ----------
    kept : one per student whose notebook is there now
    left_out : path and reason of what may be somebody's work and was not taken
    passed_over : path and reason of the rest: earlier attempts, and files that are no notebooks
        beside one that was taken
    """

    kept: list[Kept] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    passed_over: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class _HandedIn:
    """What one zip holds of one student; ``earlier`` are notebooks of attempts before the last."""

    notebooks: list[Candidate] = field(default_factory=list)
    others: list[tuple[str, str]] = field(default_factory=list)
    earlier: list[Candidate] = field(default_factory=list)

    def only_last_attempt(self) -> None:
        """Put the notebooks of earlier attempts aside. Where the time of one cannot be read, nobody
        knows which is the last.
        """
        if not all(notebook.order for notebook in self.notebooks):
            self.notebooks = [replace(notebook, order=()) for notebook in self.notebooks]
        last = max((notebook.order for notebook in self.notebooks), default=())
        self.earlier = [notebook for notebook in self.notebooks if notebook.order != last]
        self.notebooks = [notebook for notebook in self.notebooks if notebook.order == last]


@dataclass(frozen=True)
class _Owner:
    """Whose a file is, by its name: what the platform calls the student, the file's own name; or
    why it is nobody's.
    """

    called: str = ""
    file: str = ""
    order: tuple[int, ...] = ()
    late: bool = False
    reason: str = ""


def collect(
    course: Course,
    name: str,
    release: NotebookNode,
    zips: Sequence[Path],
    *,
    form: str | None = None,
    names: Mapping[str, str] | None = None,
    times: bool = False,
    dry_run: bool = False,
) -> Collection:
    """Put the notebooks of one or more zips where submissions are.

    A submission that is there already and differs is kept in a folder ``.earlier`` beside the new
    one. Of two zips that hold something of one student, the one that was given last counts.

    Parameters
    ----------
    course, name : whose submissions, of which problem set
    release : the notebook that students got
    zips : as they were downloaded
    form : one of ``FORMS``; found for each zip when left out
    names : from `read_names`; who is not in it is left out
    times : whether the zip's times are those of handing in; then they are written into
        ``timestamp.txt``
    dry_run : write nothing

    Raises
    ------
    CollectError : a zip cannot be read; nothing was written then
    StoreError : the disk is full, or cannot be written; what is there already is whole, and the
        same call takes the others
    """
    result = Collection()
    with ExitStack() as stack:
        by_student: dict[str, _HandedIn] = {}
        for path in zips:
            try:
                archive = stack.enter_context(Zip.open(path, path.name))
            except ArchiveError as error:
                raise CollectError(f"{error}. Nothing was collected.") from None
            for student, handed_in in _students(
                archive, form, name, names, result.left_out
            ).items():
                before = by_student.get(student)
                if before is not None and before.notebooks and handed_in.notebooks:
                    result.passed_over += [
                        (n.path, f"{path.name} has one of {student} too") for n in before.notebooks
                    ]
                if before is None or handed_in.notebooks:
                    by_student[student] = handed_in
        there = _folders(course, name)
        for student in sorted(by_student):
            folder = course.submission(there.get(student, student), name)
            try:
                _keep(folder, name, release, student, by_student[student], result, times, dry_run)
            except StoreError as error:
                error.add_note(
                    f"{len(result.kept)} of {len(by_student)} students have their notebook there "
                    "by now."
                )
                raise
    return result


def read_names(text: str, column: str | None = None) -> dict[str, str]:
    r"""Names of students' folders by what the platform calls them, from a table or from a
    platform's own worksheet.

    Parameters
    ----------
    text : of a CSV file with a row of headings. The platform's numbers or names stand in the column
        "Identifier" or "ID", else in the first
    column : heading of the folders' names; may be left out where there are two columns

    Raises
    ------
    CollectError : the column is not there, or one number has two names, or two numbers have the
        same

    Examples
    --------
    >>> read_names("Identifier,Email address\nParticipant 7,ann@example.org\n")["7"]
    'ann@example.org'
    """
    text = text.removeprefix("\ufeff")
    delimiter = delimiter_of(text.split("\n", 1)[0])
    rows = [
        row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if any(row)
    ]
    if not rows:
        raise CollectError("the table of names is empty")
    heads = [head.strip() for head in rows[0]]
    key = next((heads.index(head) for head in ("Identifier", "ID") if head in heads), 0)
    value = _column_of_folders(heads, column, key)
    names: dict[str, str] = {}
    students: Counter[str] = Counter()
    rows = [row + [""] * (len(heads) - len(row)) for row in rows[1:]]
    for row, called in zip(rows, names_in([row[key] for row in rows]), strict=True):
        student = unicodedata.normalize("NFC", row[value]).strip()
        if not row[key].strip() or not student:
            continue
        students[student] += 1
        for one in called:
            if names.setdefault(one, student) != student:
                raise CollectError(
                    f"the table of names calls {row[key]!r} both {names[one]!r} and {student!r}"
                )
    if twice := [student for student, count in students.items() if count > 1]:
        raise CollectError(
            f"the table of names has {students[twice[0]]} rows for the folder {twice[0]!r}"
        )
    return names


def _column_of_folders(heads: list[str], column: str | None, key: int) -> int:
    """Where the names of the students' folders stand: in the column that is asked for, or beside
    the platform's where there are two.
    """
    if column in heads:
        return heads.index(column)
    if column is None and len(heads) == 2:
        return 1 - key
    has = (
        f"no column {column!r}" if column else f"{len(heads)} column{'s' if len(heads) > 1 else ''}"
    )
    raise CollectError(
        (
            f"the table of names has {has}; say with --student-column which one holds the "
            "names of the students' folders: "
        )
        + ", ".join(map(repr, heads))
    )


def _students(
    archive: Zip,
    form: str | None,
    name: str,
    names: Mapping[str, str] | None,
    left_out: list[tuple[str, str]],
) -> dict[str, _HandedIn]:
    """Sort the files of a zip by student."""
    left_out += [(f"{archive.name}: {path}", reason) for path, reason in archive.left_out]
    form = form or _form(archive.members)
    common = _wrappers(archive.members) if form == "plain" else 0
    known = _canvas_names(archive.members) if form == "canvas" else {}
    title = _blackboard_title(archive.members) if form == "blackboard" else ""
    students: dict[str, _HandedIn] = {}
    for member in archive.members:
        if form == "brightspace" and member.parts == ("index.html",):
            continue  # its own list of what was handed in
        owner = _owner(member, form, common, name, known, title)
        student = owner.called if names is None else names.get(folded(owner.called), "")
        reason = owner.reason or _no_folder(owner.called, student)
        if reason:
            left_out.append((f"{archive.name}: {member.path}", reason))
            continue
        handed_in = students.setdefault(student, _HandedIn())
        for file in notebooks_in(member, owner.file, owner.order, owner.late):
            if isinstance(file, Candidate):
                handed_in.notebooks.append(file)
            else:
                handed_in.others.append(file)
    if form in TIMED:
        for handed_in in students.values():
            handed_in.only_last_attempt()
    for student in [one for one in students if form == "plain" and _merged(students[one])]:
        left_out.append((f"{archive.name}: {student}", _merged(students.pop(student))))
    return students


def _form(members: Sequence[Member]) -> str:
    """Who made a zip, by the names of its files."""
    if any(MOODLE.match(part) for member in members for part in member.parts):
        return "moodle"
    fitting = sum(CANVAS.fullmatch(member.parts[-1]) is not None for member in members)
    if 2 * fitting > len(members):
        return "canvas"
    if 2 * sum(BLACKBOARD.search(m.parts[-1]) is not None for m in members) > len(members):
        return "blackboard"
    above = sum(any(map(BRIGHTSPACE.fullmatch, member.parts[:-1])) for member in members)
    return "brightspace" if 2 * above > len(members) else "plain"


def _wrappers(members: Sequence[Member]) -> int:
    """How many folders at the top of a plain zip are only there to hold all others.

    What is no work of anybody's, such as a table of names beside the folders, does not count.
    """
    work = [
        member.parts for member in members if member.parts[-1].lower().endswith((".ipynb", ".zip"))
    ]
    depth = len(os.path.commonprefix([parts[:-1] for parts in work]))
    # Where only one stands below, the lowest of the folders may be that of the only student.
    return depth if len({parts[depth] for parts in work}) > 1 else 0


def _merged(handed_in: _HandedIn) -> str:
    """Why the notebooks of one folder may be those of several students; empty where they are one
    student's.

    A class below the folder of one student shows itself by notebooks of the same name in folders
    beside each other.
    """
    folders: dict[str, set[str]] = {}
    for notebook in handed_in.notebooks:
        *above, last = PurePosixPath(notebook.path).parts
        if not any(part.startswith((".", "__")) for part in above):
            folders.setdefault(folded(last), set()).add("/".join(above))
    (called, most) = max(folders.items(), key=lambda item: len(item[1]), default=("", set()))
    if len(most) < 2:
        return ""
    return (
        f"{len(most)} folders below it hold a {called} each: are they {len(most)} students? Pack "
        "the students' folders themselves, without those above them"
    )


def _canvas_names(members: Sequence[Member]) -> dict[str, set[str]]:
    """Names by Canvas's number of the user, of the files whose name can be read in one way only."""
    known: dict[str, set[str]] = {}
    for member in members:
        match = CANVAS.fullmatch(member.parts[-1])
        if match and not re.match(r"\d+_", match["rest"]):
            known.setdefault(match["student"], set()).add(match["name"])
    return known


def _blackboard_title(members: Sequence[Member]) -> str:
    """What stands before the students' user names in the names of Blackboard's files: the
    assignment, as far as all have it; a user name may hold the line that ends it, too.
    """
    heads = {
        member.parts[-1][: match.start()]
        for member in members
        if (match := BLACKBOARD.search(member.parts[-1]))
    }
    common = os.path.commonprefix(sorted(heads)) if len(heads) > 1 else next(iter(heads), "")
    return common[: common.rfind("_") + 1]


def _blackboard_owner(member: Member, title: str) -> _Owner:
    file = member.parts[-1]
    match = BLACKBOARD.search(file)
    if match is None:
        return _Owner(reason="its name does not bear a user of Blackboard's and a time")
    when = int(match["when"].replace("-", ""))
    return _Owner(file[: match.start()].removeprefix(title), file[match.end() :] or file, (when,))


def _brightspace_owner(member: Member) -> _Owner:
    for part in member.parts[:-1]:
        if match := BRIGHTSPACE.fullmatch(part):
            return _Owner(match["student"], member.parts[-1], _brightspace_time(match["when"]))
    return _Owner(reason="its folder does not bear Brightspace's number of a student")


def _brightspace_time(said: str) -> tuple[int, ...]:
    """A time as English writes it; empty in another language, where nothing tells which is
    later.
    """
    try:
        when = datetime.datetime.strptime(said, "%b %d, %Y %I%M %p")
    except ValueError:
        return ()
    return (when.year, when.month, when.day, when.hour, when.minute)


def _in_file_name(stem: str, name: str) -> str:
    """Student in the name of a notebook that has the problem set's name at one end, as in "Ann Doe
    - lstm-bptt"; else the name as it stands.
    """
    stem, bare = unicodedata.normalize("NFC", stem), re.escape(name)
    again = r"(?: \(\d+\))?"  # of a second download
    for pattern in (rf"(?P<student>.+?)[ _-]+{bare}{again}", rf"{bare}[ _-]+(?P<student>.+)"):
        if match := re.fullmatch(pattern, stem, re.IGNORECASE | re.DOTALL):
            return match["student"]
    return stem


def _owner(
    member: Member,
    form: str,
    common: int,
    name: str,
    known: Mapping[str, set[str]],
    title: str,
) -> _Owner:
    if form == "blackboard":
        return _blackboard_owner(member, title)
    if form == "brightspace":
        return _brightspace_owner(member)
    if form == "moodle":
        # The folder that stands first: what is inside it was named by the student.
        for part in member.parts:
            if match := MOODLE.match(part):
                file = part[match.end() :] if part is member.parts[-1] else member.parts[-1]
                return _Owner(match["student"], file)
        return _Owner(reason="its name does not bear Moodle's number of a student")
    if form == "canvas":
        match = CANVAS.fullmatch(member.parts[-1])
        if match is None:
            return _Owner(
                reason="its name does not bear Canvas's number of a student; were names hidden?"
            )
        user, called = match["student"], match["name"]
        # "doe_12_34_56_work.ipynb": user 12, or a student who calls herself "doe_12" to be taken
        # for another.
        if re.match(r"\d+_", match["rest"]) and called not in known.get(user, {called}):
            return _Owner(
                reason=f"its name can be read in two ways, and the student {user} has another name"
            )
        return _Owner(user, match["rest"], (int(match["file"]),), match["late"] is not None)
    parts = member.parts[common:]
    if not parts:
        return _Owner(reason="it stands above the students' folders")
    called = parts[0] if len(parts) > 1 else _in_file_name(PurePosixPath(parts[0]).stem, name)
    if len(parts) == 1 and folded(called) == folded(name):
        return _Owner(reason="its name says no student; put it into a folder that does")
    return _Owner(called, member.parts[-1])


def _no_folder(called: str, student: str) -> str:
    """Why there is no folder for a student; empty where there is."""
    if not student:
        return f"the table of names does not name {called!r}"
    if (
        student.startswith(".")
        or re.search(r"[/\\]", student)
        or printable(student) != student
        or len(student.encode()) > MAX_NAME_BYTES
    ):
        return f"{student!r} cannot be the name of a folder; give another with --names"
    return ""


def _folders(course: Course, name: str) -> dict[str, str]:
    """Names of students' folders that are there, by their composed form: a Mac may have written
    them in the other.
    """
    before = str(course.submission("\0", name)).split("\0")[0]
    try:
        return {
            unicodedata.normalize("NFC", folder): folder for folder in sorted(os.listdir(before))
        }
    except FileNotFoundError:
        return {}


def _keep(
    folder: Path,
    name: str,
    release: NotebookNode,
    student: str,
    handed_in: _HandedIn,
    result: Collection,
    times: bool,
    dry_run: bool,
) -> None:
    """Choose a student's notebook and write it."""
    unread = [other for other in handed_in.others if other[1] != NO_NOTEBOOK]
    result.left_out += unread
    if not handed_in.notebooks:
        others = ", ".join(path for path, _ in handed_in.others[:3])
        result.left_out.append((student, f"no notebook was handed in; there is {others}"))
        return
    try:
        notebook, content = select_notebook(handed_in.notebooks, name, release)
    except (ArchiveError, SubmissionError) as error:
        result.left_out.append(
            (handed_in.notebooks[0].path if len(handed_in.notebooks) == 1 else student, str(error))
        )
        return
    stamp = _stamp(notebook) if times else None
    how = _put_notebook(folder, name, content, stamp, dry_run)
    result.kept.append(Kept(student, notebook.path, how, notebook.late))
    result.passed_over += [other for other in handed_in.others if other[1] == NO_NOTEBOOK]
    result.passed_over += [
        (n.path, f"{notebook.path} counts")
        for n in (*handed_in.earlier, *handed_in.notebooks)
        if n is not notebook
    ]


def _put_notebook(folder: Path, name: str, content: bytes, stamp: str | None, dry_run: bool) -> str:
    """Put a notebook into a student's folder, whole or not at all; what was there goes into
    ``.earlier``.
    """
    path, time = folder / f"{name}.ipynb", folder / TIMESTAMP
    there = os.path.lexists(path)
    if there and not path.is_symlink() and path.is_file() and path.read_bytes() == content:
        return "unchanged"
    if not dry_run:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            temp_name(path).write_bytes(content)
            if stamp is not None:
                temp_name(time).write_text(stamp, encoding="utf-8")
            if there:
                _put_aside(path, time)
            # From here on nothing more is written, so that a full disk leaves what was there as it
            # was.
            if stamp is not None:
                os.replace(temp_name(time), time)
            os.replace(temp_name(path), path)
        except OSError as error:
            raise StoreError(path, error) from None
        finally:
            remove_stale(folder)
    return "replaced" if there else "new"


def _put_aside(path: Path, time: Path) -> None:
    """Keep a submission and its time in a folder beside it; until it is replaced, it also stays
    where it is.
    """
    earlier = path.parent / EARLIER
    if earlier.is_symlink():
        earlier.unlink()
    earlier.mkdir(exist_ok=True)
    number = 1
    while any(earlier.glob(f"{number}-*")):
        number += 1
    kept = earlier / f"{number}-{path.name}"
    if path.is_dir() and not path.is_symlink():
        os.replace(path, kept)
    else:
        try:
            os.link(path, kept, follow_symlinks=False)
        except OSError:  # not every file system gives a file two names
            shutil.copy2(path, kept, follow_symlinks=False)
    with suppress(FileNotFoundError):
        os.replace(time, earlier / f"{number}-{time.name}")


def _stamp(notebook: Candidate) -> str | None:
    """Time of handing in as nbgrader reads it; a zip's times are those of the clock on the wall
    where it was made.
    """
    if notebook.when is None:
        return None
    try:
        when = datetime.datetime(*notebook.when).astimezone(datetime.UTC)
    except ValueError:
        return None
    return f"{when:%Y-%m-%d %H:%M:%S} UTC\n"
