import shutil

import pytest
from click.testing import CliRunner

from autograder.author.lint import lint
from autograder.author.new import new
from autograder.cli import commands
from autograder.course import release
from autograder.errors import ProblemSetError
from autograder.sandbox import choose
from tests.support.tiny_course import CHECKS, ROOT


def line_of(text):
    """Number of the line of the tiny course's checks.py that holds a text."""
    (found,) = [n for n, line in enumerate(CHECKS.splitlines(), start=1) if text in line]
    return found


@pytest.fixture
def isolation():
    return choose.choose(False)


def change(course, file, old, new_text, fresh=True):
    """Change a file of the small problem set, and make its notebook anew."""
    path = course / "solutions" / "tiny" / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new_text))
    if fresh:
        release.write_releases(course)


def test_a_sound_problem_set_has_nothing_to_mend(tiny_course, isolation):
    assert lint(tiny_course, "tiny", isolation) == []


@pytest.mark.parametrize(("faulty", "known"), [("return a + x", True), ("return a - x", False)])
def test_a_fault_that_is_given_to_be_mended_has_a_name(tiny_course, isolation, faulty, known):
    end = "    return product_of_both\n    ### END SOLUTION\n"
    given = f"    ### BEGIN GIVEN\n    {faulty}\n    ### END GIVEN\n"
    change(tiny_course, "tiny.md", end, end + given)
    found = [trouble.what for trouble in lint(tiny_course, "tiny", isolation)]
    said = "What is given in scale_code is not recognised: its check says 'wrong'"
    assert found == [] if known else len(found) == 1 and found[0].startswith(said), found


MEND = """    ### BEGIN GIVEN
    sum_of_both_of_them = a + x
    return sum_of_both_of_them
    ### END GIVEN
"""


def told_of_a_cap(course, isolation, mend, sentence=""):
    end = "    return product_of_both\n    ### END SOLUTION\n"
    change(course, "tiny.md", end, end + MEND)
    change(course, "tiny.md", "Write `scale`", f"{sentence} Write `scale`")
    change(course, "checks.py", "points=2,", f"points=2,\n        mend=Mend({mend}),")
    change(course, "checks.py", "Case, Check,", "Case, Check, Mend,")
    return [trouble.what for trouble in lint(course, "tiny", isolation)]


def test_a_cap_on_changed_lines_that_is_told_and_wide_has_nothing_to_mend(tiny_course, isolation):
    assert told_of_a_cap(tiny_course, isolation, "4", "At most 4 lines may change.") == []


def test_code_that_is_given_to_be_mended_may_stand_in_the_checks(tiny_course, isolation):
    checks = tiny_course / "solutions" / "tiny" / "checks.py"
    checks.write_text(
        checks.read_text() + "\n\ndef _given(a, x):\n    sum_of_both_of_them = a + x\n"
    )
    assert told_of_a_cap(tiny_course, isolation, "4", "At most 4 lines may change.") == []


@pytest.mark.parametrize(
    ("mend", "said"),
    [
        ("3", "Check 'scale' lets at most 3 lines change, and the solution changes 2."),
        ("4", "Check 'scale' lets at most 4 lines change, and no text of the notebook says so."),
        ("4, 'sick'", "Check 'scale' lets at most 4 lines change of sick, which no cell of the re"),
    ],
    ids=["too narrow", "not told", "no such function"],
)
def test_a_cap_on_changed_lines_is_looked_at(tiny_course, isolation, mend, said):
    sentence = "" if "no text" in said else "At most 3 or 4 lines may change."
    sentence = sentence.replace("3 or 4", "3" if mend == "3" else "4")
    found = told_of_a_cap(tiny_course, isolation, mend, sentence)
    assert found and found[0].startswith(said), found


def test_a_new_problem_set_works_as_it_stands(tiny_course, monkeypatch):
    monkeypatch.chdir(tiny_course)

    def call(*arguments):
        return CliRunner().invoke(commands.main, list(arguments), catch_exceptions=False)

    assert "wrote solutions/mean-pool/mean-pool.md" in call("new", "mean-pool").stdout
    stale = call("lint", "mean-pool")
    assert stale.exit_code == 1 and "is not what mean-pool.md gives." in stale.stdout
    assert call("exercises").exit_code == 0
    result = call("lint", "mean-pool")
    assert (result.exit_code, result.stdout) == (0, "mean-pool: nothing wrong was found.\n")
    again = call("new", "mean-pool")
    assert again.exit_code == 2 and "is there already; nothing was written" in again.stderr


@pytest.mark.parametrize("name", ["", "Mean", "a b", "../up", "été"])
def test_a_name_that_cannot_be_one_is_refused(tiny_course, name):
    with pytest.raises(ProblemSetError, match="cannot be the name of a problem set"):
        new(tiny_course, name)


def test_outside_a_course_nothing_is_begun(tmp_path):
    with pytest.raises(ProblemSetError, match="run this from the course's root"):
        new(tmp_path, "mean-pool")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("file", "old", "replacement", "said"),
    [
        (
            "tiny.md",
            "np.multiply(a, x)",
            "np.add(a, x)",
            "Check 'scale' gives the solution 0 of 2 points (wrong): It adds",
        ),
        (
            "tiny.md",
            "points: 1",
            "points: 2",
            "disagree about 'total': 2 points in the notebook, 1 points in checks.py",
        ),
        (
            "checks.py",
            "lambda x, a: a + x",
            "lambda x, a: a * x",
            "'adds' gives the same numbers as 'the reference'",
        ),
        ("checks.py", 'function="total"', 'function="add_up"', "No code cell holds `def add_up(`"),
        (
            "tiny.md",
            "import numpy as np\n",
            "import numpy as np\n1 / 0\n",
            "The solution's notebook has a note: Code cell 1",
        ),
        (
            "tiny.md",
            "Write `scale`",
            'return [Case("a vector", (rng.normal(size=6),))]\n\nWrite `scale`',
            f"line {line_of('size=6')} of checks.py",
        ),
        (
            "checks.py",
            'outputs="y"',
            'outputs="y, z"',
            "Check 'scale': outputs names a result 'y, z'.",
        ),
        (
            "checks.py",
            'outputs="y"',
            'outputs=("y", "z")',
            "check 'scale': the reference must return y, z",
        ),
        (
            "checks.py",
            'outputs="s"',
            'outputs="s", axes={"t": "N"}',
            "Check 'total': axes has t; the results are s.",
        ),
        (
            "checks.py",
            'outputs="s"',
            'outputs="s", axes={"s": "N"}',
            "gives s the axes 'N', and its shape is ().",
        ),
        (
            "checks.py",
            'outputs="s"',
            'outputs="s", tolerance=2',
            "takes s for right when it is zero everywhere.",
        ),
        (
            "checks.py",
            'outputs="s"',
            'outputs="s", tolerance=1e9',
            "takes s for right when it is one everywhere.",
        ),
        (
            "checks.py",
            "(rng.normal(size=6),)",
            "(np.random.normal(size=6),)",
            "Check 'total' draws other cases each time",
        ),
        (
            "checks.py",
            "np.sum(x)",
            "np.sum(y)",
            f"checks.py, line {line_of('np.sum(x)')}: NameError: name 'y' is not defined",
        ),
        (
            "checks.py",
            "size=6",
            "size=rng.integers(-2, 2)",
            "Check 'total' fails with some inputs: ValueError: negative",
        ),
        (
            "checks.py",
            "lambda x, a: a + x",
            "lambda x, a: a * x if 0.3 < abs(x.flat[0]) < 0.8 else a + x",
            "the misconception 'adds' gives the right numbers for some inputs (seed 1).",
        ),
    ],
)
def test_what_is_wrong_is_told(tiny_course, isolation, file, old, replacement, said):
    change(tiny_course, file, old, replacement)
    troubles = lint(tiny_course, "tiny", isolation)
    assert [trouble for trouble in troubles if said in trouble.what], troubles


def test_a_number_that_stands_in_both_is_told(tiny_course, isolation):
    change(tiny_course, "tiny.md", "Write `scale`", "It is 12345.5. Write `scale`")
    change(tiny_course, "checks.py", "2.5", "12345.5")
    (trouble,) = lint(tiny_course, "tiny", isolation)
    assert f"holds a number of line {line_of('2.5)')} of checks.py: 12345.5." in trouble.what


def test_what_students_are_meant_to_have_is_no_leak(tiny_course, isolation):
    given = "    return (np.exp(x) - np.exp(-x)) / 2"
    change(
        tiny_course,
        "tiny.md",
        "import numpy as np\n",
        f"import numpy as np\n\n\ndef half(x):\n{given}  # half\n",
    )
    change(
        tiny_course, "checks.py", "def _scale_cases", f"def half(x):\n{given}\n\n\ndef _scale_cases"
    )
    (trouble,) = lint(tiny_course, "tiny", isolation)
    assert (
        "line 11 of checks.py" in trouble.what
        and "end that line of checks.py with `# given`" in trouble.remedy
    )
    change(tiny_course, "checks.py", given, f"{given}  # given")
    assert lint(tiny_course, "tiny", isolation) == []


def test_a_stub_that_gets_points_is_told(tiny_course, isolation):
    change(
        tiny_course,
        "tiny.md",
        '    """Return the sum of x."""\n',
        '    """Return the sum of x."""\n    return sum(x)\n',
    )
    (trouble,) = lint(tiny_course, "tiny", isolation)
    assert trouble.what == "Check 'total' gives 1 of 1 points for the notebook as students get it."


@pytest.mark.parametrize(
    "name",
    [
        "lstm-bptt",
        "lstm-torch",
        "vanishing",
        "measure",
        "prepare",
        "clinic",
        "error-analysis",
        "search-compress",
        "seq2seq",
    ],
)
def test_the_courses_own_problem_sets_have_nothing_to_mend(isolation, name):
    assert lint(ROOT, name, isolation) == []


def test_an_unknown_problem_set_is_refused(tiny_course, isolation):
    with pytest.raises(ProblemSetError, match="no problem set 'huge'.*there are tiny"):
        lint(tiny_course, "huge", isolation)
    shutil.move(
        tiny_course / "solutions" / "tiny" / "tiny.md",
        tiny_course / "solutions" / "tiny" / "other.md",
    )
    with pytest.raises(ProblemSetError, match="must bear the name of its folder"):
        lint(tiny_course, "tiny", isolation)


SCORED_BY_HAND = """
+++ {"nbgrader": {"grade_id": "words", "grade": true, "solution": true, "points": 3}}

What do the errors have in common?

### BEGIN MARK SCHEME
3: names what they share, and how it was found
1.5: names it
### END MARK SCHEME
"""
FAULTS_OF_PARTS = {
    "a sound one": (SCORED_BY_HAND, ""),
    "a sound one for code": (
        """
```{code-cell} ipython3
---
nbgrader: {grade_id: plot, grade: true, solution: true, points: 2}
---
### BEGIN SOLUTION
print("a plot")
### END SOLUTION
### BEGIN MARK SCHEME
2: two bars, and why
### END MARK SCHEME
```
""",
        "",
    ),
    "no points": (SCORED_BY_HAND.replace('"points": 3', '"points": 0'), "carries no points"),
    "no rubric": (SCORED_BY_HAND.split("### BEGIN")[0], "has no rubric"),
    "a rubric of other points": (
        SCORED_BY_HAND.replace("3: names", "2: names"),
        "carries 3 points, and its rubric ends at 2",
    ),
    "a rubric for the judge": (
        SCORED_BY_HAND.replace('"grade": true, "solution": true, "points": 3', '"locked": true'),
        "which no person scores",
    ),
    "a rubric that is told": (
        SCORED_BY_HAND + "\n+++\n\nA good answer names what they share, and how it was found.\n",
        "stands in the students' notebook",
    ),
}


@pytest.mark.parametrize("fault", FAULTS_OF_PARTS)
def test_points_and_rubric_of_what_a_person_scores_are_looked_at(tiny_course, isolation, fault):
    cell, complaint = FAULTS_OF_PARTS[fault]
    source = tiny_course / "solutions" / "tiny" / "tiny.md"
    source.write_text(source.read_text() + cell)
    release.write_releases(tiny_course)
    found = " ".join(trouble.what for trouble in lint(tiny_course, "tiny", isolation))
    assert complaint in found and bool(complaint) == bool(found), found


@pytest.mark.parametrize(("allowed", "told"), [(0.9, True), (8.0, False)])
def test_a_budget_of_processor_time_close_to_the_solutions_is_told(
    tiny_course, isolation, allowed, told
):
    # it burns at least 0.3 seconds by its own clock, however fast the machine is
    burn = "    while time.process_time() < until:\n        pass\n"
    start = "    import time\n\n    until = time.process_time() + 0.15\n"
    change(
        tiny_course,
        "tiny.md",
        "    return product_of_both\n",
        f"{start}{burn}    return product_of_both\n",
    )
    change(tiny_course, "checks.py", "points=2,", f"points=2,\n        at_most_cpu={allowed},")
    found = [trouble.what for trouble in lint(tiny_course, "tiny", isolation)]
    assert [what for what in found if "of processor time, and the solution needs" in what] == (
        [found[0]] if told else []
    ), found
