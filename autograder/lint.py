"""Begin a problem set, and tell what is wrong with one before a class meets it.

Nothing here looks at the checks only: the instructor's own solution and the stub that students get are put to the judge, as a
submission would be.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import nbformat

from autograder import exercises, judge
from autograder import problem_set as problem_sets
from autograder.errors import ProblemSetError
from autograder.problem_set import ProblemSet
from autograder.rebuild import read_release, rebuild
from autograder.record import Record
from autograder.sandbox import Isolation
from autograder.store import StoreError, write_whole

TEMPLATES = Path(__file__).parent / "templates" / "new"
TRIES = 3  # seeds with which the solution is graded: it must not pass by luck, nor fail
SLOW = 0.2  # of a time limit: a student's code may well take five times as long as the instructor's
LONG = 20  # characters of a line of checks.py that would give something away


@dataclass(frozen=True)
class Trouble:
    """One thing that is wrong with a problem set: ``what`` says it, ``remedy`` what to do."""

    what: str
    remedy: str


def new(root: Path, name: str) -> list[Path]:
    """Begin a problem set: a small one that works, to be changed into another.

    Returns
    -------
    the files written

    Raises
    ------
    ProblemSetError : the name cannot be one, or is taken, or this is no course
    StoreError : the disk is full, or cannot be written; nothing is left of it then
    """
    if not name.replace("-", "").replace("_", "").isalnum() or not name.isascii() or name != name.lower():
        raise ProblemSetError(
            f"{name!r} cannot be the name of a problem set: use small letters, digits, - and _, as in lstm-bptt"
        )
    if not (root / "nbgrader_config.py").is_file():
        raise ProblemSetError(f"{root} has no nbgrader_config.py; run this from the course's root")
    folder = root / "solutions" / name
    if folder.exists():
        raise ProblemSetError(f"{folder} is there already; nothing was written")
    written = []
    try:
        for template, target in (("problem_set.md.template", f"{name}.md"), ("checks.py.template", "checks.py")):
            path = folder / target
            write_whole(path, (TEMPLATES / template).read_text(encoding="utf-8").replace("NAME", name))
            written.append(path)
    except StoreError:
        shutil.rmtree(folder, ignore_errors=True)  # half a problem set would be in the way of the next try
        raise
    return written


def lint(root: Path, name: str, isolation: Isolation) -> list[Trouble]:
    """What is wrong with a problem set; an empty list where nothing was found.

    Parameters
    ----------
    root : of the course
    name : of the problem set
    isolation : where the solution and the stub run

    Raises
    ------
    ProblemSetError : there is no such problem set
    """
    source = root / "solutions" / name / f"{name}.md"
    if not source.is_file():
        problem_sets.load(name, root)  # says which there are
        raise ProblemSetError(f"{source} does not exist; the notebook's source must bear the name of its folder")
    try:
        problem_set = problem_sets.load(name, root)
    except ProblemSetError as error:
        return [Trouble(str(error), "Mend checks.py; what else is wrong is found when it can be read.")]
    try:
        text = exercises.release_text(source)
    except ProblemSetError as error:
        return [Trouble(str(error), "Mend the notebook's source; what else is wrong is found when it can be released.")]
    return list(_troubles(problem_set, source, text, isolation))


def _troubles(problem_set: ProblemSet, source: Path, text: str, isolation: Isolation) -> Iterator[Trouble]:
    yield from _leaks(problem_set, text)
    if not problem_set.release.is_file() or problem_set.release.read_text(encoding="utf-8") != text:
        yield Trouble(
            f"{problem_set.release} is not what {source.name} gives.",
            "Run `autograder exercises`; what else is wrong is found when the notebook is fresh.",
        )
        return
    try:
        release = read_release(problem_set)
    except ProblemSetError as error:
        yield Trouble(str(error), "Give the cell and the check the same name and the same points.")
        return
    yield from _unanswered(problem_set, text)

    def graded(solutions: Mapping[str, str]) -> Record:
        submission = nbformat.reads(text, as_version=4)
        for cell in submission.cells:
            cell.source = solutions.get(cell.get("id", ""), cell.source)
        cells = rebuild(release, submission).cells
        return judge.grade(cells, problem_set, seed=secrets.token_hex(32), isolation=isolation)

    yield from _stub(graded({}))
    solutions = exercises.solution_cells(source)
    seen: set[str] = set()
    for _ in range(TRIES):
        for trouble in _solution(problem_set, graded(solutions)):
            if trouble.what not in seen:
                seen.add(trouble.what)
                yield trouble


def _leaks(problem_set: ProblemSet, text: str) -> Iterator[Trouble]:
    """Lines of checks.py that students would get."""
    hidden = (problem_set.folder / "checks.py").read_text(encoding="utf-8").splitlines()
    cells = [(cell.get("id", "?"), cell.source.splitlines()) for cell in nbformat.reads(text, as_version=4).cells]
    for number, line in enumerate(map(str.strip, hidden), start=1):
        if len(line) < LONG or line.startswith(("import ", "from ", "#", '"""')):
            continue
        for cell, lines in cells:
            if line in map(str.strip, lines):
                yield Trouble(
                    f"Cell {cell} of the released notebook holds line {number} of checks.py: {line!r}.",
                    "Take it out of the notebook, or ask for something else.",
                )


def _unanswered(problem_set: ProblemSet, text: str) -> Iterator[Trouble]:
    """Functions that are asked for and that no cell asks students to write."""
    cells = nbformat.reads(text, as_version=4).cells
    written = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    for function in dict.fromkeys(check.function for check in problem_set.checks):
        if function.isidentifier() and f"def {function}(" not in written:
            yield Trouble(
                f"No code cell holds `def {function}(`, which a check asks for.",
                "Give students its first line, or correct the name in checks.py.",
            )


def _stub(record: Record) -> Iterator[Trouble]:
    """Points for nothing."""
    for check in record.checks:
        if check.score > 0:
            yield Trouble(
                f"Check {check.name!r} gives {check.score:g} of {check.points:g} points for the notebook as students get it.",
                "Let the stub raise NotImplementedError, or ask for something that it does not do.",
            )


def _solution(problem_set: ProblemSet, record: Record) -> Iterator[Trouble]:
    """What the instructor's own solution does not get, or gets too slowly."""
    for check, result in zip(problem_set.checks, record.checks, strict=True):
        if result.score < result.points:
            yield Trouble(
                f"Check {check.name!r} gives the solution {result.score:g} of {result.points:g} points ({result.status}): "
                f"{result.message}",
                "Correct the solution or the check; a correct student must never be failed.",
            )
        elif result.warnings:
            yield Trouble(
                f"Check {check.name!r} warns about the solution: {' '.join(result.warnings)}",
                "Correct the solution: students take its result for what is wanted.",
            )
    limit = sum(check.time_limit for check in problem_set.checks)
    if record.seconds.get("checks", 0.0) > SLOW * limit:
        yield Trouble(
            f"The checks take the solution {record.seconds['checks']:.1f} seconds; their time limits are {limit:g} in all.",
            "Ask for smaller sizes, or raise time_limit: a correct student's code may take five times as long.",
        )
    for note in record.notes:
        yield Trouble(f"The solution's notebook has a note: {note}", "Correct the cell.")
