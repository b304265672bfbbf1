"""The simulated class of a quiz: it follows from the questions and their known mistakes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autograder.author.demo import (
    Marks,
    Student,
    deletes_tests,
    hand_in,
    hostile,
    raises_points,
    untouched,
)
from verdict import Check


def quiz_class(checks: Sequence[Check]) -> tuple[Student, ...]:
    """A class for a quiz of numbers and letters: right answers in three forms, each known mistake,
    guesses, what is unfinished, and a value that lies.

    Parameters
    ----------
    checks : the questions, with their answers
    """
    marks = Marks({check.name: check.points for check in checks})
    right = {check.name: check.expected() for check in checks if check.expected is not None}
    rounded = {name: _in_another_form(value) for name, value in right.items()}
    guesses = {check.name: "a" if check.choices else 1e9 for check in checks}
    lucky = {name: guess == right[name] for name, guess in guesses.items()}
    return (
        marks.right("ana", "right", hand_in()),
        marks.right(
            "bruno", "right, rounded and in capital letters", hand_in(_answer_cells(rounded))
        ),
        marks.right("chen", "right, all at the end", hand_in(last="\n".join(_answer_lines(right)))),
        *_known_mistakes(checks, marks),
        Student(
            "guesses",
            "always a, and any number",
            hand_in(_answer_cells(guesses)),
            {name: marks.full[name] * hit for name, hit in lucky.items()},
        ),
        Student("empty", "nothing answered", untouched, marks.nothing, mistakes={}),
        hostile("lies", "a value that equals everything", hand_in(last=_LIES), marks.nothing),
        hostile("deletes", "nothing answered, and no test cells", deletes_tests, marks.nothing),
        hostile("raises", "right, with more points", raises_points, marks.full),
    )


_LIES = """
class Odd(str):
    __eq__ = lambda self, other: True
    __hash__ = str.__hash__
    __sub__ = lambda self, other: 0.0
    casefold = lambda self: Odd("a")

for _name, _value in list(globals().items()):
    if isinstance(_value, (int, float, str)) and not _name.startswith("_"):
        globals()[_name] = Odd("x")
"""


def _in_another_form(value: Any) -> Any:
    """A number with four digits, a letter large."""
    return f" {value.upper()} " if isinstance(value, str) else float(f"{value:.4g}")


def _answer_lines(answers: Mapping[str, Any]) -> list[str]:
    return [f"{name} = {value!r}" for name, value in answers.items()]


def _answer_cells(answers: Mapping[str, Any]) -> dict[str, str]:
    return dict(zip(answers, _answer_lines(answers), strict=True))


def _known_mistakes(checks: Sequence[Check], marks: Marks) -> list[Student]:
    """As many students as the question with the most known mistakes has; the others repeat."""
    students = []
    for k in range(max(len(check.misconceptions) for check in checks)):
        made = {c.name: c.misconceptions[k % len(c.misconceptions)] for c in checks}
        answers = {name: mistake.function() for name, mistake in made.items()}
        named = {name: mistake.id for name, mistake in made.items()}
        what = f"wrong in every question, in way {k + 1}"
        edit = hand_in(_answer_cells(answers))
        students.append(Student(f"wrong-{k + 1}", what, edit, marks.nothing, mistakes=named))
    return students
