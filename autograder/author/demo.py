"""A class of simulated students, graded end to end: what `make demo-course` runs."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from rich.console import Console
from rich.table import Table

from autograder.errors import AutograderError, ProblemSetError
from autograder.modules import load_module

if TYPE_CHECKING:
    from autograder.batch.outcome import Outcome

# (release notebook, reference solutions by grade_id) -> what is handed in
Edit = Callable[[Any, Mapping[str, str]], Any]

MARKER = ".demo-course"  # stands in a folder that may be emptied, because this module made it


@dataclass(frozen=True)
class Student:
    """One simulated student of a problem set.

    Parameters
    ----------
    name : the student's id, a folder under ``submitted/``
    what : a few words on what was handed in
    edit : (release notebook, solution sources by grade_id) -> the notebook to hand in, or the raw
        text of its file. The notebook is a copy that the function may change. The sources hold no
        BEGIN/END SOLUTION markers.
    scores : the points that each check must give
    hostile : whether it attacks the judge
    mistakes : check -> id of the misconception that must be named; the other checks must name none.
        None: not compared
    """

    name: str
    what: str
    edit: Edit
    scores: Mapping[str, float]
    hostile: bool = False
    mistakes: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Marks:
    """Points of a problem set's checks, and the students who get all of them.

    Parameters
    ----------
    full : check -> points of a right answer
    """

    full: Mapping[str, float]

    @property
    def nothing(self) -> dict[str, float]:
        """No points for any check."""
        return dict.fromkeys(self.full, 0)

    @property
    def unfinished(self) -> dict[str, str]:
        """For each check, a solution cell that raises at once, as an empty one does."""
        return dict.fromkeys(self.full, "raise NotImplementedError()")

    def points(self, **changed: float) -> dict[str, float]:
        """Full points but for the checks named."""
        return {**self.full, **changed}

    def right(self, name: str, what: str, edit: Edit) -> Student:
        """A student with full points, of whom no mistake may be named."""
        return Student(name, what, edit, self.full, mistakes={})


def hostile(name: str, what: str, edit: Edit, scores: Mapping[str, float]) -> Student:
    """A student who attacks the judge; which mistakes are named is not compared."""
    return Student(name, what, edit, scores, hostile=True)


def hand_in(changed: Mapping[str, str] | None = None, first: str = "", last: str = "") -> Edit:
    """What a student does who takes the reference solutions, and changes some of them.

    Parameters
    ----------
    changed : function -> source of its solution cell, in the place of the reference
    first : source of a cell of the student's own before the first solution cell; none where it is
        empty
    last : source of one at the end
    """

    def edit(notebook: Any, solutions: Mapping[str, str]) -> Any:
        sources = {
            **solutions,
            **{f"{name}_code": source for name, source in (changed or {}).items()},
        }
        for cell in notebook.cells:
            cell.source = sources.get(_grade_id(cell), cell.source)
        before = next(k for k, cell in enumerate(notebook.cells) if _grade_id(cell) in solutions)
        for source, place in ((last, len(notebook.cells)), (first, before)):
            if source:
                notebook.cells.insert(place, nbformat.v4.new_code_cell(source))
        return notebook

    return edit


def untouched(notebook: Any, solutions: Mapping[str, str]) -> Any:
    """Hand in the notebook as it was handed out; an `Edit`."""
    return notebook


def without(*names: str) -> Edit:
    """Reference solutions, with the cells of these functions as they were handed out."""
    cells = {f"{name}_code" for name in names}

    def edit(notebook: Any, solutions: Mapping[str, str]) -> Any:
        written = {cell: source for cell, source in solutions.items() if cell not in cells}
        return hand_in()(notebook, written)

    return edit


def renamed(notebook: Any, solutions: Mapping[str, str]) -> Any:
    """Hand in all functions under names of the student's own, with aliases; an `Edit`."""
    changed = {}
    for cell, source in solutions.items():
        name = cell.removesuffix("_code")
        changed[name] = (
            source.replace(f"def {name}(", f"def my_{name}(") + f"\n\n{name} = my_{name}\n"
        )
    return hand_in(changed)(notebook, solutions)


def moved_around(notebook: Any, solutions: Mapping[str, str]) -> Any:
    """Hand in what is right, with all cells in reverse order; an `Edit`."""
    notebook = hand_in()(notebook, solutions)
    notebook.cells.reverse()
    return notebook


def _marked_cells(notebook: Any) -> list[Any]:
    """The cells with marks."""
    return [cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade")]


def deletes_tests(notebook: Any, solutions: Mapping[str, str]) -> Any:
    """Hand in nothing written, and all cells with marks deleted; an `Edit`."""
    graded = _marked_cells(notebook)
    notebook.cells = [cell for cell in notebook.cells if cell not in graded]
    return notebook


def raises_points(notebook: Any, solutions: Mapping[str, str]) -> Any:
    """Hand in what is right, with every cell with marks worth 1000 points; an `Edit`."""
    notebook = hand_in()(notebook, solutions)
    for cell in _marked_cells(notebook):
        cell.metadata.nbgrader.points = 1000
    return notebook


def _grade_id(cell: Any) -> str:
    return str(cell.metadata.get("nbgrader", {}).get("grade_id", ""))


@dataclass(frozen=True)
class StudentResult:
    """A simulated student and what became of the submission."""

    student: Student
    outcome: Outcome

    @property
    def scores(self) -> dict[str, float]:
        """Points by check; empty where the submission could not be graded."""
        return (
            {check.name: check.score for check in self.outcome.result.checks}
            if self.outcome.result
            else {}
        )

    @property
    def mistakes(self) -> dict[str, str]:
        """Check -> misconception that was named."""
        checks = self.outcome.result.checks if self.outcome.result else ()
        return {check.name: check.misconception for check in checks if check.misconception}

    @property
    def as_expected(self) -> bool:
        """Whether points and named mistakes are those that the student must get."""
        # A score is rounded to four digits when it is recorded.
        scores = {name: round(float(points), 4) for name, points in self.student.scores.items()}
        right = not any(scores.values()) if self.outcome.result is None else self.scores == scores
        return right and (
            self.student.mistakes is None or self.mistakes == dict(self.student.mistakes)
        )


def students(source: Path) -> list[Student]:
    """``STUDENTS`` of a problem set's ``students.py``.

    Raises
    ------
    ProblemSetError : there is no such file, or not this list in it, or two students have one name
    """
    if not source.is_file():
        raise ProblemSetError(
            f"{source} does not exist: this problem set has no simulated students"
        )
    name = "_simulated_" + "".join(c if c.isalnum() else "_" for c in source.parent.name)
    found = getattr(load_module(name, source), "STUDENTS", None)
    if not isinstance(found, list | tuple) or not all(
        isinstance(student, Student) for student in found
    ):
        raise ProblemSetError(
            f"{source} must define STUDENTS as a list of autograder.author.demo.Student"
        )
    names = [student.name for student in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ProblemSetError(f"{source}: two students are called {twice[0]!r}")
    return list(found)


def make_course(root: Path, folder: Path, problem_set: str) -> list[Student]:
    """Make a course in a folder, with what each simulated student hands in.

    Parameters
    ----------
    root : of the course that the problem set is taken from
    folder : where to; emptied first when an earlier call made it

    Raises
    ------
    AutograderError : the folder holds something else
    """
    from autograder.course.course import NBGRADER_CONFIG
    from autograder.course.release import solution_cells, write_releases

    source = root / "solutions" / problem_set
    everybody = students(source / "students.py")
    if folder.exists() and any(folder.iterdir()) and not (folder / MARKER).exists():
        raise AutograderError(
            f"{folder} is not empty and was not made by this command; name another folder"
        )
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(
        source, folder / "solutions" / problem_set, ignore=shutil.ignore_patterns("__pycache__")
    )
    (folder / MARKER).touch()
    for settings in (NBGRADER_CONFIG, "_config.yml"):
        if (root / settings).is_file():
            shutil.copy(root / settings, folder)
    (released,) = write_releases(folder)
    release = nbformat.read(released, as_version=4)
    solutions = solution_cells(source / f"{problem_set}.md")
    for student in everybody:
        handed_in = student.edit(deepcopy(release), dict(solutions))
        target = folder / "submitted" / student.name / problem_set / f"{problem_set}.ipynb"
        target.parent.mkdir(parents=True)
        # Not nbformat.writes: it puts right what some of these students make wrong.
        text = handed_in if isinstance(handed_in, str) else nbformat.v4.writes_json(handed_in)
        target.write_text(text, encoding="utf-8")
    return everybody


def run_demo(
    root: Path,
    folder: Path,
    problem_set: str,
    *,
    jobs: int = 0,
    progress: Callable[[Outcome, int], None] = lambda outcome, total: None,
) -> list[StudentResult]:
    """Make the course, grade it as `autograder run` does, and write nbgrader's feedback.

    Parameters
    ----------
    root, folder, problem_set : see `make_course`
    jobs : submissions at one time; 0 for one per core
    progress : called after each submission with the number of all

    Returns
    -------
    one result per student, in the order of ``students.py``
    """
    from autograder.batch import grading as batch
    from autograder.course.course import Course
    from autograder.course.feedback import write_feedback

    everybody = make_course(root, folder, problem_set)
    course = Course.load(folder)
    grading = batch.Grading.prepare(course, problem_set)
    names = [student.name for student in everybody]
    outcomes = batch.run(
        grading, names, jobs=jobs, progress=lambda outcome: progress(outcome, len(names))
    )
    write_feedback(course, problem_set)
    by_name = {outcome.student: outcome for outcome in outcomes}
    return [StudentResult(student, by_name[student.name]) for student in everybody]


def show(results: list[StudentResult], console: Console) -> None:
    """Print the table: who, what, points, points expected, named mistakes."""
    table = Table("student", "what was handed in", "points", "expected", "named mistakes", "")
    for result in results:
        table.add_row(
            result.student.name,
            result.student.what,
            f"{round(sum(result.scores.values()), 2):g}" if result.outcome.result else "not graded",
            f"{round(sum(result.student.scores.values()), 2):g}",
            ", ".join(dict.fromkeys(result.mistakes.values())),
            "ok" if result.as_expected else "DIFFERS",
        )
    console.print(table)
    differing = [result for result in results if not result.as_expected]
    for result in differing:
        console.print(
            f"{result.student.name}: expected {dict(result.student.scores)} "
            f"{result.student.mistakes or ''}"
        )
        console.print(
            f"{result.student.name}: got      {result.scores} {result.mistakes} "
            f"{result.outcome.problem}"
        )
    hostile = sum(result.student.hostile for result in results)
    console.print(
        f"{len(results)} students, {hostile} of them hostile: {len(results) - len(differing)} as "
        f"expected, {len(differing)} not."
    )
