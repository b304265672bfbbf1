"""A question whose answer is a value: it is read, compared, and named, and no instant check says
whether it is right.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autograder.author.lint import lint
from autograder.course import release
from autograder.errors import ProblemSetError
from autograder.judge import judge, problem_set
from autograder.judge.problem_set import ProblemSet
from autograder.judge.result import Result
from autograder.sandbox import choose
from lstm_ref.practice import examine_all
from tests.support.value_course import CHECKS, RIGHT, write_value_set
from verdict import Check, Status


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory) -> ProblemSet:
    return problem_set.load(write_value_set(tmp_path_factory.mktemp("course")))


@pytest.fixture(scope="module")
def grade(questions: ProblemSet) -> Any:
    box = choose.choose()

    def run(*cells: str) -> Result:
        return judge.grade(cells, questions, seed="seed", isolation=box)

    return run


@pytest.mark.parametrize(
    "cells",
    [
        RIGHT,
        ("recall, gate, letters = 0.602, ' Forget', ['C', 'a']",),
        ("import numpy as np\nrecall = np.float32(0.6)", "gate = np.str_('forget')"),
        ("recall = [0.6]", "letters = {'a': 1, 'c': 2}.keys()", "gate = 'FORGET'"),
    ],
)
def test_the_right_value_earns_its_points_in_any_form(cells: tuple[str, ...], grade: Any) -> None:
    given = {"letters": 1.0, "gate": 1.0, "recall": 2.0}
    record = grade(*RIGHT, *cells)
    assert {c.name: c.score for c in record.checks} == given, record.to_json()


@pytest.mark.parametrize(
    ("name", "cell", "status", "said"),
    [
        ("recall", "recall = 24 / 32", "wrong", "It is the precision."),
        ("recall", "recall = 0.5", "wrong", "not one of those that are known here"),
        ("recall", "recall = 'a lot'", "error", "recall is a str; it must be a number"),
        ("recall", "recall = float('nan')", "wrong", "holds NaN"),
        ("recall", "def recall():\n    return 0.6", "error", "recall is a function; it must be"),
        ("recall", "recall = 1 / 0", "error", "no value recall: the statement that defines it"),
        ("recall", "recall = ...", "unfinished", "recall has no value yet"),
        ("gate", "gate = 'input'", "wrong", "That gate lets nothing new in."),
        ("gate", "gate = 'f'", "error", "'f', which is none of the choices: input, forget, output"),
        ("gate", "gate = ['forget']", "wrong", "is a list, and a word was expected"),
        ("gate", "gate = 'x\\ny' * 9999", "error", "none of the choices"),
        ("letters", "letters = {'a', 'b'}", "wrong", "lacks 1 entry and has 1 entry that should"),
        ("letters", "letters = ['a', 'a', 'c']", "wrong", "is a list, and a set was expected"),
    ],
)
def test_a_wrong_value_is_told_and_named_where_it_is_known(
    name: str, cell: str, status: str, said: str, grade: Any
) -> None:
    cells = [cell if source.startswith(name) else source for source in RIGHT]
    record = grade(*cells)
    result = record.check(name)
    assert (result.status, result.score) == (status, 0.0) and said in result.message
    assert record.score == record.max_score - result.points
    assert "\n" not in result.message and len(result.message) < 300
    assert "0.6" not in result.message.replace("0.60", "") and "'c'" not in result.message


def test_a_name_without_a_value_is_unfinished(grade: Any) -> None:
    record = grade("recal = 0.6")
    assert {c.status for c in record.checks} == {"unfinished"}
    assert "There is recal; is it the one?" in record.check("recall").message


HOSTILE = {
    "raises when it is looked at": (
        "class Odd:\n    def __array__(self, *a, **k):\n        raise SystemExit\nrecall = Odd()"
    ),
    "kills its process when it is looked at": (
        "import os\nclass Odd:\n    def __array__(self, *a, **k):\n        os._exit(0)\n"
        "recall = Odd()"
    ),
    "equals everything": (
        "class Odd(float):\n    def __eq__(self, other):\n        return True\n"
        "    def __sub__(self, other):\n        return 0.0\n"
        "    __hash__ = float.__hash__\nrecall = Odd(7)"
    ),
    "a word that equals every word": (
        "class Odd(str):\n    def __eq__(self, other):\n        return True\n"
        "    __hash__ = str.__hash__\n    def casefold(self):\n        return 'forget'\n"
        "gate = Odd('x')"
    ),
    "a set that holds everything": (
        "class Odd(frozenset):\n    def __contains__(self, x):\n        return True\n"
        "    def __sub__(self, other):\n        return frozenset()\nletters = Odd({'b'})"
    ),
}


@pytest.mark.parametrize("how", HOSTILE)
def test_a_value_that_lies_gains_nothing(how: str, grade: Any) -> None:
    record = grade(HOSTILE[how])
    assert record.score == 0, record.to_json()


def test_no_instant_check_says_whether_a_value_is_right(questions: ProblemSet) -> None:
    tried = {
        "recall": (0.6, 0.75, 0.1, np.float64(0.6)),
        "gate": ("forget", "input", "output"),
        "letters": ({"a", "c"}, {"b"}, ["a", "c"]),
    }
    for check in questions.checks:
        verdicts = {
            (v.status, v.credit, v.message, v.hints, v.misconception, v.named)
            for value in tried[check.name]
            for v in [examine_all({check.value: value}, [check], 0)[check.name]]
        }
        assert len(verdicts) == 1 and verdicts.pop()[:2] == (Status.NOTED, 0.0)
    wrong_form = {"recall": "much", "gate": "f", "letters": {"a", 7}}
    said = examine_all(wrong_form, questions.checks, 0)
    assert {v.status for v in said.values()} == {Status.ERROR}
    without = [dataclasses.replace(c, expected=None, misconceptions=()) for c in questions.checks]
    assert examine_all(wrong_form, without, 0) == said  # so that no answer need be on the machine


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('lambda: "forget"', 'lambda: "forgets"', "check 'gate': .* is none of the choices"),
        ('lambda: "input"', 'lambda: "forget"', "'shuts_in' gives the same numbers"),
        ("lambda: 0.75", "lambda: 0.601", "'precision' gives the same numbers"),
        ("lambda: 0.6", 'lambda: "much"', "check 'recall': .* must be a number.* exact="),
        ('("a", "b", "c")', '("a", "A", "c")', "choices must be at least two that differ"),
        ("        expected=lambda: 0.6,\n", "", "give expected, as in expected=lambda"),
        ('value="gate"', 'value="gate", function="f"', "give either function"),
        ('value="gate"', 'function="gate"', "choices belong to a value"),
    ],
)
def test_a_value_question_that_contradicts_itself_is_refused(
    old: str, new: str, complaint: str, tmp_path: Path
) -> None:
    assert CHECKS.count(old) == 1
    folder = write_value_set(tmp_path, checks=CHECKS.replace(old, new))
    with pytest.raises(ProblemSetError, match=complaint):
        problem_set.load(folder)


def test_a_check_without_a_name_to_ask_for_is_refused() -> None:
    with pytest.raises(ValueError, match="check 'a': give either function"):
        Check(name="a", title="A.", points=1)


def test_lint_finds_an_answer_that_is_given_away(tiny_course: Path) -> None:
    folder = write_value_set(tiny_course)
    release.write_releases(tiny_course)
    box = choose.choose(False)
    assert lint(tiny_course, "values", box) == []
    notebook = folder / "values.md"
    sound = notebook.read_text()
    notebook.write_text(sound.replace("# Which gate?", "# The forget gate?"))
    release.write_releases(tiny_course)
    found = [trouble.what for trouble in lint(tiny_course, "values", box)]
    assert len(found) == 1 and "holds the answer of check 'gate'" in found[0]
    checks = (folder / "checks.py").read_text()
    (folder / "checks.py").write_text(checks.replace("lambda: 0.6,", "lambda: 0.4321,"))
    notebook.write_text(sound.replace("24 / 40", "0.4321").replace("8 more", "43.21e-2 more"))
    release.write_releases(tiny_course)
    found = [trouble.what for trouble in lint(tiny_course, "values", box)]
    assert len(found) == 1 and "holds the answer of check 'recall'" in found[0]


def test_a_letter_is_told_only_where_it_is_set_apart(tiny_course: Path) -> None:
    letters = CHECKS.replace('("input", "forget", "output")', '("a", "b", "c")')
    letters = letters.replace('"forget"', '"a"').replace('"input"', '"b"')
    folder = write_value_set(tiny_course, checks=letters)
    notebook, box = folder / "values.md", choose.choose(False)
    sound = notebook.read_text().replace('gate = "forget"', 'gate = "a"')
    for title, told in (("A gate is a share", False), ("The answer is **a**", True)):
        notebook.write_text(sound.replace("# Which gate?", f"# {title}"))
        release.write_releases(tiny_course)
        found = [trouble.what for trouble in lint(tiny_course, "values", box)]
        assert any("holds the answer of check 'gate'" in what for what in found) is told, found
