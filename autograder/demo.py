"""A class of simulated students, graded end to end: what `make demo-course` runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Student:
    """One simulated student of a problem set.

    Parameters
    ----------
    name : the student's id, a folder under ``submitted/``
    what : a few words on what was handed in
    edit : (release notebook, solution sources by grade_id) -> the notebook to hand in, or the raw text of its file.
        The notebook is a copy that the function may change. The sources hold no BEGIN/END SOLUTION markers.
    scores : the points that each check must give
    hostile : whether it attacks the judge
    mistakes : check -> id of the misconception that must be named; the other checks must name none. None: not compared
    """

    name: str
    what: str
    edit: Callable[[Any, Mapping[str, str]], Any]
    scores: Mapping[str, float]
    hostile: bool = False
    mistakes: Mapping[str, str] | None = None
