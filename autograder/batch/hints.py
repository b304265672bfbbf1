"""Which hints a class was shown: read from the lines that `check` left in the notebooks that were
handed in.

Students can change these lines, or leave them out. They are read as strangers' text: by one
pattern, for checks that there are, up to a level that there can be. No score depends on them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from autograder.course.course import Course
from autograder.course.rebuild import read_notebook, refuse_linked_folders
from autograder.errors import SubmissionError
from autograder.judge.problem_set import ProblemSet

# Written by lstm_ref.practice.counting; ASCII, so that a digit is one of ten.
COUNTED = re.compile(
    r"^Counted: ([A-Za-z_][A-Za-z0-9_]{0,63}) is at hint level ([0-9]), (passed|not passed)\.$",
    re.MULTILINE | re.ASCII,
)
FEWEST_LEVELS = 3  # levels that have a column of their own at least, beside that without a hint

# of one student: name of a check -> highest level of help, and whether the check passed then
Counts = Mapping[str, tuple[int, bool]]


@dataclass(frozen=True)
class HintRow:
    """One check: ``needed[k]`` is how many students were shown level k, ``passed[k]`` how many of
    them passed with it, before the next one.
    """

    name: str
    needed: Sequence[int]
    passed: Sequence[int]


@dataclass(frozen=True)
class Hints:
    """What a class was shown.

    Parameters
    ----------
    handed_in : students whose notebook holds a count
    rows : a row for each check of which there is a count, in the order of the problem set
    """

    handed_in: int = 0
    rows: Sequence[HintRow] = ()

    @property
    def levels(self) -> range:
        """Those that have a column."""
        return range(len(self.rows[0].needed) if self.rows else 0)


def find_hints(course: Course, problem_set: ProblemSet, students: Iterable[str]) -> Hints:
    """Read what the notebooks of these students say.

    Parameters
    ----------
    course, problem_set : where they are
    students : names; who has no notebook that can be read has no counts
    """
    names = {check.name for check in problem_set.checks}
    found = [_of_student(course.submission(name, problem_set.name), names) for name in students]
    return hints([counts for counts in found if counts], [c.name for c in problem_set.checks])


def hints(counts: Sequence[Counts], checks: Sequence[str]) -> Hints:
    """Put the counts of students together.

    >>> counts = [{"step": (2, True)}, {"step": (0, True)}, {"step": (2, False)}]
    >>> row = hints(counts, ["step"]).rows[0]
    >>> row.needed, row.passed
    ((3, 2, 2, 0), (1, 0, 1, 0))
    """
    top = max([FEWEST_LEVELS, *(level for one in counts for level, _ in one.values())])
    rows = []
    for name in checks:
        said = [one[name] for one in counts if name in one]
        needed = tuple(sum(level >= k for level, _ in said) for k in range(top + 1))
        passed = tuple(sum(level == k and done for level, done in said) for k in range(top + 1))
        if said:
            rows.append(HintRow(name, needed, passed))
    return Hints(len(counts), rows)


def _of_student(folder: Path, names: set[str]) -> Counts:
    """The counts of one notebook; none where it cannot be read."""
    paths = [path for path in sorted(folder.glob("*.ipynb")) if not path.name.startswith(".")]
    if len(paths) != 1:
        named = folder / f"{folder.name}.ipynb"
        paths = [named] if named in paths else []
    counts: dict[str, tuple[int, bool]] = {}
    for path in paths:
        try:
            refuse_linked_folders(path)
            cells = read_notebook(path).cells
        except SubmissionError:
            continue
        texts = (str(output.get("text", "")) for cell in cells for output in cell.outputs)
        for name, level, done in (found for text in texts for found in COUNTED.findall(text)):
            if name in names:
                before, passed = counts.get(name, (0, False))
                counts[name] = max(before, int(level)), passed or done == "passed"
    return counts
