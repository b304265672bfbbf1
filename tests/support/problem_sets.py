"""What is asked of each problem set that is made of a module of plain functions and their wrong
versions.
"""

from __future__ import annotations

import ast
import contextlib
import io
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat
import numpy as np

from autograder.author.demo import Student
from autograder.course.rebuild import read_release, rebuild
from autograder.course.release import release_text, solution_cells
from autograder.judge.judge import grade
from autograder.judge.problem_set import ProblemSet
from autograder.judge.result import Result
from autograder.modules import load_module
from autograder.sandbox import choose
from lstm_ref import practice
from verdict import Check, StudentError, Verdict, charge_once, classify, examine

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class SetOf:
    """A problem set's files, read once.

    Parameters
    ----------
    name : of its folder
    public : the module with the checks that students have
    calls : check -> the functions of other parts that the reference calls in it
    """

    name: str
    public: ModuleType | None
    calls: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def source(self) -> Path:
        return ROOT / "solutions" / self.name / f"{self.name}.md"

    @cached_property
    def students(self) -> Any:
        return load_module(f"_{self.name}_students", self.source.parent / "students.py")

    @cached_property
    def graded(self) -> Any:
        return load_module(f"_{self.name}_checks", self.source.parent / "checks.py")

    @cached_property
    def release(self) -> str:
        return release_text(self.source)

    @cached_property
    def solutions(self) -> dict[str, str]:
        return solution_cells(self.source)

    def handed_in(self, student: Student) -> Any:
        return student.edit(nbformat.reads(self.release, as_version=4), self.solutions)

    def is_changed(self, notebook: Any, check: str) -> bool:
        """Whether an answer may differ from the reference; that the reference passes need not be
        seen a hundred times.
        """
        sources = {cell.get("id"): cell.source for cell in notebook.cells}
        more = len(notebook.cells) != len(nbformat.reads(self.release, as_version=4).cells)
        written = (check, *self.calls.get(check, ()))
        return more or any(
            sources.get(f"{name}_code") != self.solutions.get(f"{name}_code") for name in written
        )

    def verdicts(self, student: Student, seed: int = 11) -> dict[str, Verdict]:
        """Verdict on each function that a student has changed, without a sandbox."""
        notebook = self.handed_in(student)
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            namespace = run(notebook)
            asked = [check for check in self.graded.CHECKS if self.is_changed(notebook, check.name)]
            verdicts = {
                c.name: practice.examine_in(namespace, c, seed, self.graded.CHECKS) for c in asked
            }
        return charge_once(asked, verdicts)

    def in_the_box(self, student: Student, seconds: float | None = None) -> Result:
        """The record of the whole notebook, graded in the sandbox; each check in so many
        seconds, where they are given.
        """
        checks = tuple(self.graded.CHECKS)
        if seconds is not None:
            checks = tuple(replace(check, time_limit=seconds) for check in checks)
        problem_set = ProblemSet(self.name, checks, self.graded.PACKAGES, self.source.parent, "")
        submission = rebuild(read_release(problem_set), self.handed_in(student))
        return grade(submission.cells, problem_set, seed=self.name, isolation=choose.choose())

    def marks(self) -> dict[str, float]:
        """Points of each test cell of the notebook."""
        cells = nbformat.reads(self.release, as_version=4).cells
        marks = [cell.metadata.get("nbgrader", {}) for cell in cells]
        return {mark["grade_id"]: mark["points"] for mark in marks if mark.get("grade")}

    def minutes(self) -> float:
        """A student's time by a printed model: five minutes for each function, and one for each
        line of its solution.
        """
        lines = sum(
            len(source.strip().splitlines())
            for source in map(without_docstring, self.solutions.values())
        )
        return 5 * len(self.solutions) + lines


def run(notebook: Any) -> dict[str, Any]:
    """Namespace after all cells that are graded, in the order of the release; a cell that fails
    leaves nothing behind.
    """
    namespace: dict[str, Any] = {"__name__": "notebook"}
    cells = [
        c
        for c in notebook.cells
        if c.cell_type == "code" and "local" not in c.metadata.get("tags", [])
    ]
    if "import numpy" not in cells[0].source:  # the reversed notebook; the judge puts it right
        cells.reverse()
    namespace["In"] = [cell.source for cell in cells]  # as IPython keeps them
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for cell in cells:
            with contextlib.suppress(Exception):
                exec(cell.source, namespace)
    return namespace


def without_docstring(source: str) -> str:
    """Code as it would be written without docstrings, annotations and remarks."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:]
            node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None
    return ast.unparse(tree)


def ask(check: Check, function: Any, seed: int = 0) -> Verdict:
    """Verdict on a function whose errors are told as in a notebook."""

    def call(*arguments: Any) -> Any:
        try:
            with np.errstate(all="ignore"):
                return function(*arguments)
        except Exception as error:
            raise StudentError(*classify(type(error).__name__, str(error))) from None

    return examine(check, call, np.random.default_rng(seed))


def labels(check: Check) -> list[str]:
    """What is special about each case."""
    assert check.cases is not None
    return [case.label for case in check.cases(np.random.default_rng(0))]


def holds_no_number(message: str) -> bool:
    """Whether no number of the answer stands in a message."""
    return not re.search(r"\d\.\d", message)
