"""The parts of a problem set that a person scores: points, and the rubric by which."""

from __future__ import annotations

from dataclasses import dataclass

from autograder.course.rebuild import read_release, scored_by_hand
from autograder.course.release import rubrics
from autograder.judge.problem_set import ProblemSet


@dataclass(frozen=True)
class Part:
    """A cell that a person scores; ``rubric`` is what stands in its source between
    ``### BEGIN MARK SCHEME`` and ``### END MARK SCHEME``, which students do not get.
    """

    name: str
    points: float
    rubric: str = ""


def parts_by_hand(problem_set: ProblemSet) -> list[Part]:
    """Parts in the order of the notebook; none in most problem sets.

    Raises
    ------
    ProblemSetError : the notebook was not released yet, or its source cannot be read
    """
    found = scored_by_hand(read_release(problem_set))
    source = problem_set.folder / f"{problem_set.name}.md"
    told = rubrics(source) if found and source.is_file() else {}
    return [Part(name, points, told.get(name, "")) for name, points in found.items()]
