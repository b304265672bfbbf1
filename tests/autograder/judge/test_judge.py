"""The judge gives honest work its points, tells faults apart by their kind, and loses nothing to a
part that fails.
"""

from __future__ import annotations

import dataclasses
import re
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from autograder.errors import IsolationError
from autograder.judge import judge, problem_set
from autograder.judge.problem_set import ProblemSet
from autograder.judge.result import CheckResult, Result
from autograder.sandbox import bubblewrap, choose, mounts
from autograder.sandbox.sandbox import Sandbox
from verdict import Status, Verdict

FOLDER = Path(__file__).parents[2] / "corpora" / "hostile"
HONEST = (FOLDER / "honest.cell").read_text()


@pytest.fixture(scope="module")
def box() -> Sandbox:
    return choose.choose()


@pytest.fixture(scope="module")
def questions() -> ProblemSet:
    return problem_set.load(FOLDER)


@pytest.fixture
def grade(box: Sandbox, questions: ProblemSet) -> Any:
    def run(*cells: str, seed: str = "seed", **changes: Any) -> Result:
        return judge.grade(cells, questions, seed=seed, isolation=box, **changes)

    return run


STYLES = {
    "plain": "def double(x):\n    return 2 * x",
    "loops": (
        "def double(x):\n    y = np.zeros_like(x)\n    for k in np.ndindex(x.shape):\n        y[k] "
        "= x[k] + x[k]\n    return y\n"
        "def recur(x, W):\n    h = np.zeros(len(W))\n    for x_t in x:\n"
        "        h = np.array([np.tanh(x_t[j] + sum(h[i] * W[i, j] for i in range(len(W)))) for j "
        "in range(len(W))])\n"
        "    return h"
    ),
    "lambda and alias": "twice = lambda x: x * 2\ndouble = twice",
    "decorated": (
        "import functools\ndef logged(f):\n    @functools.wraps(f)\n    def inner(*args):\n        "
        "print(f.__name__)\n"
        "        return f(*args)\n    return inner\n@logged\ndef double(x):\n    return 2 * x"
    ),
    "class with call": "class Double:\n    def __call__(self, x):\n        return x + x\ndouble "
    "= Double()",
    "method": "class Maths:\n    def double(self, x):\n        return x + x\ndouble = "
    "Maths().double",
    "changes its argument": "def double(x):\n    x *= 2\n    return x",
    "lists": (
        "def double(x):\n    return (2 * x).tolist()\ndef affine(x, W, b):\n    return [(x @ W + "
        "b).tolist(), W.T.tolist()]"
    ),
    "named tuple": (
        "from typing import NamedTuple\nclass Out(NamedTuple):\n    y: object\n    WT: object\n"
        "def affine(x, W, b):\n    return Out(x @ W + b, W.T)"
    ),
    "data class and annotations": (
        "from __future__ import annotations\nfrom dataclasses import dataclass\n@dataclass\nclass "
        "P:\n    factor: float = 2.0\n"
        "def double(x: np.ndarray, p: P = P()) -> np.ndarray:\n    return p.factor * x"
    ),
    "matrix": "def double(x):\n    return np.asmatrix(2 * x) if x.ndim == 2 else 2 * x",
    "prints and warns": (
        "import warnings\ndef double(x):\n    warnings.warn('careful')\n    print(x)\n    return 2 "
        "* x"
    ),
    "float32": "def double(x):\n    return (2 * x).astype(np.float32)",
    "globals": "FACTOR = 2\ndef double(x):\n    global FACTOR\n    return FACTOR * x",
    "own cell with a magic": "%matplotlib inline\n!pip install torch\ndef double(x):\n    return "
    "2 * x",
    "keeps what it was given": (
        "seen = []\ndef derivative(f, x):\n    seen.append(f)\n    return (f(x + 1e-5) - f(x - "
        "1e-5)) / 2e-5"
    ),
}


@pytest.mark.parametrize("style", STYLES)
def test_right_work_earns_every_point_in_whatever_style(style: str, grade: Any) -> None:
    record = grade(HONEST, STYLES[style])
    assert record.score == record.max_score == 8, record.to_json()


def only(record: Result, name: str) -> CheckResult:
    """Result of the one check that is not passed."""
    assert [c.name for c in record.checks if c.status != "passed"] == [name], record.to_json()
    return record.check(name)


@pytest.mark.parametrize(
    ("cell", "status", "says"),
    [
        ("def double(x):\n    return x", "wrong", "y is wrong"),
        ("def double(x):\n    return x.T[:2]", "wrong", "wrong shape"),
        ("def double(x):\n    return x / 0", "wrong", "NaN or infinity"),
        ("def double(x):\n    raise NotImplementedError", "unfinished", "write its body"),
        ("def double(x):\n    return y", "error", "y is not defined"),
        ("def double(x):\n    z = 1\n    return x @ x @ z", "error", "(line 3: return x @ x @ z)"),
        ("def double(x):\n    pass", "error", "returned None"),
        ("def double(x):\n    return 'text'", "error", "returned a str"),
        ("def double(x):\n    return {1, 2}", "error", "returned a set"),
        ("def double(x):\n    return x * 1j", "error", "array of numbers"),
        ("def double(x):\n    return double(x)", "error", "calls itself without an end"),
        ("def double(x):\n    exit()", "error", "NameError"),
        ("def double(x):\n    raise SystemExit", "error", "SystemExit"),
        ("def double(x):\n    return np.float_(2) * x", "environment", "np.float64"),
        (
            "def double(x):\n    import torch\n    return x",
            "environment",
            "No module named 'torch'",
        ),
        (
            "import torch\ndef double(x):\n    return torch.tensor(x)",
            "environment",
            "No module named 'torch'",
        ),
        (
            (
                "from numba import njit\n@njit\ndef triple(x):\n    return x\ndouble = njit(lambda "
                "x: 2 * x)"
            ),
            "environment",
            "numba",
        ),
        (
            "W = 1 / 0\ndef double(x):\n    return W * x",
            "error",
            "The cause lies above: ZeroDivisionError",
        ),
        (
            "def double(x):\n    return np.zeros(2**40)",
            "crashed",
            "more memory than the task allows",
        ),
        ("def double(x):\n    return np.zeros(10**7)", "error", "cannot be taken"),
        ("def double(x):\n    import os\n    os._exit(5)", "crashed", "exit status 5"),
        (
            "def double(x):\n    import os, signal\n    os.kill(os.getpid(), signal.SIGSEGV)",
            "crashed",
            "SIGSEGV",
        ),
        ("def double(x):\n    import time\n    time.sleep(60)", "timeout", "within 8 seconds"),
        ("double = 3", "error", "something else was given that name"),
        ("def double(a, b, c):\n    return a", "error", "missing 2 required positional arguments"),
    ],
)
def test_each_kind_of_fault_is_told_as_what_it_is_and_costs_only_its_own_check(
    cell: str, status: str, says: str, grade: Any
) -> None:
    # The first definition stands when the second cannot be made, so it is taken away before.
    record = grade(HONEST, "del double", cell)
    check = only(record, "double")
    assert (check.status, check.score) == (status, 0), check
    assert says in check.message


def test_a_known_mistake_is_named_with_its_hints(grade: Any) -> None:
    check = only(grade(HONEST, "def double(x):\n    return x**2"), "double")
    assert (check.misconception, check.hints) == ("squares", ("Try 3.",))
    assert "squares instead of doubling" in check.message


def test_two_checks_that_are_not_passed_are_both_named(questions: ProblemSet) -> None:
    one, two, *_ = questions.checks
    needy = dataclasses.replace(one, name="needy", needs=(one.name, two.name))
    failed = Verdict(Status.WRONG, "No.")
    asker = judge._Grader(dataclasses.replace(questions, checks=(one, two, needy)), None, "")  # type: ignore[arg-type]
    message = asker.run_check(needy, {one.name: failed, two.name: failed}).message
    first, second = (check.title.rstrip(".") for check in (one, two))
    assert (
        message == f"Not asked: it says nothing as long as “{first}” and “{second}” are not passed."
    )


def test_one_right_output_of_two_earns_half_and_leaves_what_needs_both_unasked(grade: Any) -> None:
    record = grade(HONEST, "def affine(x, W, b):\n    return x @ W, W.T")
    assert record.check("affine").score == 1 and record.check("affine").status == "wrong"
    skipped = record.check("recur")
    assert (skipped.status, skipped.score) == ("skipped", 0)
    assert skipped.message.endswith(
        "as long as “affine maps x, and returns W transposed” is not passed."
    )
    assert record.score == 1 + 1 + 2


@pytest.mark.parametrize(
    "cell",
    [
        "import scipy.signal",
        "from numpy import convolve",
        "def other():\n    return np.convolve",
        "import scipy as s",
    ],
)
def test_a_forbidden_name_is_found_under_every_spelling(cell: str, grade: Any) -> None:
    check = only(grade(HONEST, cell), "recur")
    assert check.status == "forbidden" and (
        "scipy" in check.message or "np.convolve" in check.message
    )


def test_a_forbidden_name_in_a_comment_or_a_text_is_none(grade: Any) -> None:
    assert grade(HONEST, "x = 'scipy'  # np.convolve would do").score == 8


def test_what_is_not_there_is_said_with_its_likely_cause(grade: Any) -> None:
    nothing = grade("import numpy as np").check("double")
    assert nothing.status == "unfinished" and "There is no function double" in nothing.message
    near = grade(HONEST.replace("def double", "def duoble")).check("double")
    assert near.status == "unfinished" and "There is duoble; is it the one?" in near.message
    syntax = grade(
        HONEST.replace("def double(x):\n    return 2 * x", ""), "def double(x)\n    return 2 * x"
    ).check("double")
    assert (
        syntax.status == "error"
        and "code cell 2" in syntax.message
        and "line 1: def double(x)" in syntax.message
    )
    broken = grade(HONEST.replace("def double", "@undefined\ndef double")).check("double")
    assert broken.status == "error" and "undefined is not defined" in broken.message
    lost = grade(
        HONEST.replace("def double", "@(lambda f: __import__('os')._exit(1))\ndef double")
    ).check("double")
    assert lost.status == "crashed" and "exit status 1" in lost.message


def test_a_syntax_error_is_looked_for_in_the_cell_that_would_define_the_function(
    grade: Any,
) -> None:
    record = grade(
        "def double(x)\n    return 2 * x",
        "def double_backward(dy, cache)\n    return double(dy)",
        "# calls double\ny = double(3",
        HONEST.replace("def double(", "def twice("),
    )
    assert "code cell 1, which names it, is not Python" in record.check("double").message
    assert "(line 1: def double(x))" in record.check("double").message


def test_a_cell_that_fails_costs_nothing_and_is_noted(grade: Any) -> None:
    record = grade(
        "import numpy as np",
        "assert False, 'my own test'\nx = 1 / 0",
        "plt.show()",
        "def f(:",
        "%%bash\nls",
        HONEST,
    )
    assert record.score == 8
    notes = "\n".join(record.notes)
    for note in (
        "AssertionError: my own test",
        "ZeroDivisionError",
        "plt",
        "Code cell 4 is not Python",
        "%%bash cells are not run",
    ):
        assert note in notes, notes


def test_statements_after_one_that_fails_are_still_run(grade: Any) -> None:
    assert grade("import torch\nimport numpy as np\n" + HONEST).score == 8


def test_what_the_judge_itself_does_costs_no_time_of_the_students(
    box: Sandbox, questions: ProblemSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    late, clock = 0.0, time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: clock() + late)
    asked = next(check for check in questions.checks if check.function == "double")
    assert asked.expected is not None

    def slow(x: Any) -> Any:
        nonlocal late
        late += 1000  # as if it had taken so long
        return 2 * x

    only_one = dataclasses.replace(
        questions, checks=(dataclasses.replace(asked, expected=slow, needs=()),)
    )
    record = judge.grade([HONEST], only_one, seed="seed", isolation=box)
    assert record.score == record.max_score and late >= 1000, record.to_json()


def test_a_statement_that_kills_the_worker_is_left_out_the_next_time(grade: Any) -> None:
    record = grade(
        HONEST, "import os\nos._exit(1)\nos._exit(2)", "def double(x):\n    return x + x"
    )
    assert record.score == 8
    assert sum("was left out" in note for note in record.notes) == 2


def test_after_many_such_statements_only_definitions_are_run(grade: Any) -> None:
    record = grade("import os", *["os._exit(1)"] * 30, HONEST)
    assert record.score == 8
    assert sum("was left out" in note for note in record.notes) == 4


def test_statements_that_take_too_long_cost_nothing(grade: Any) -> None:
    record = grade("import time", "time.sleep(60)", HONEST, load_limit=24.0)
    assert record.score == 8
    assert any("no answer within 4 seconds" in note for note in record.notes)


def test_definitions_that_take_too_long_all_together_are_told_so(grade: Any) -> None:
    slow = "def slow(f):\n    time.sleep(60)"
    record = grade("import time", slow, *["@slow\ndef f():\n    pass"] * 8, HONEST, load_limit=3.0)
    assert {check.status for check in record.checks} == {"timeout"} and record.score == 0
    assert "within 3 seconds" in record.checks[0].message


def test_cells_that_no_frame_can_carry_are_told_so(grade: Any) -> None:
    record = grade("x = 1\n" * 1_000_000)
    assert {check.status for check in record.checks} == {
        "crashed"
    } and "cannot be read" in record.checks[0].message


def test_a_notebook_of_too_many_statements_is_told_so(grade: Any) -> None:
    record = grade(HONEST, "\n".join(f"x{k} = 0" for k in range(20_000)))
    assert {check.status for check in record.checks} == {"crashed"}
    assert "they hold more statements than are read" in record.checks[0].message


def test_a_result_that_was_never_given_a_value_is_told_so(grade: Any) -> None:
    message = grade("def double(x):\n    return dy, x").check("double").message
    assert message.startswith("dy is returned, and nothing gives it a value: is it a result")
    assert "(line 2: return dy, x)" in message
    used = grade("def double(x):\n    y = dy * 2\n    return y").check("double").message
    assert used.startswith("NameError: dy is not defined") and "Restart the kernel" in used


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="this Python knows all of it")
@pytest.mark.parametrize(
    "line", ["type Row = list[float]", "def first[T](x: T) -> T: ...", """print(f"{d["a"]}")"""]
)
def test_syntax_of_a_later_python_is_told_from_a_slip(grade: Any, line: str) -> None:
    message = grade(f"{line}\ndef double(x):\n    return 2 * x").check("double").message
    assert "Python 3.12 and later know this; your work is run by Python 3.11" in message
    slip = grade("def double(x)\n    return 2 * x").check("double").message
    assert "3.12" not in slip


def test_the_same_seed_gives_the_same_record_and_another_seed_other_inputs(grade: Any) -> None:
    cell = "def double(x):\n    print(x)\n    return x"
    first, again, other = (
        grade(HONEST, cell),
        grade(HONEST, cell),
        grade(HONEST, cell, seed="another"),
    )
    assert dataclasses.replace(first, seconds={}, log=()) == dataclasses.replace(
        again, seconds={}, log=()
    )
    assert first.output != other.output and first.checks == other.checks


def test_the_inputs_of_a_check_do_not_depend_on_the_other_checks(
    questions: ProblemSet, box: Sandbox
) -> None:
    cell = "def recur(x, W):\n    print(x)\n    return 0"
    alone = dataclasses.replace(questions, checks=(questions.checks[1], questions.checks[2]))
    a = judge.grade([HONEST, cell], questions, seed="s", isolation=box)
    b = judge.grade([HONEST, cell], alone, seed="s", isolation=box)
    assert a.output == b.output != ""


def test_a_record_goes_to_json_and_back(grade: Any) -> None:
    record = grade(
        HONEST, "def affine(x, W, b):\n    return x @ W, W.T", "print('ünïcode')", student="Zoë"
    )
    assert Result.from_json(record.to_json()) == record
    assert (record.student, record.seed, record.isolation, record.problem_set) == (
        "Zoë",
        "seed",
        "bubblewrap",
        "hostile",
    )
    assert record.output == "ünïcode\n"
    assert set(record.versions) == {"python", "numpy"} and set(record.seconds) == {
        "load",
        "checks",
        "end",
        "all",
    }
    with pytest.raises(KeyError, match="there are double, affine"):
        record.check("nothing")


def test_the_hash_changes_with_the_cells_and_with_the_checks(questions: ProblemSet) -> None:
    one = judge.content_hash(["a", "b"], questions)
    assert one == judge.content_hash(("a", "b"), questions)
    assert one != judge.content_hash(["ab"], questions)
    assert one != judge.content_hash(["a", "b"], dataclasses.replace(questions, digest="other"))


def test_no_expected_value_stands_in_a_record(grade: Any) -> None:
    record = grade(
        "import numpy as np",
        *[f"def {name}(*args):\n    return 0.0" for name in ("double", "affine", "recur")],
    )
    text = " ".join(check.message for check in record.checks)
    assert "e-" not in text and "." in text
    assert not re.search(r"\d\.\d", text), text


def fails(call: Any, rng: Any) -> Any:
    """Examination with a mistake in it."""
    raise IndexError("a mistake in the check")


@pytest.mark.parametrize(
    ("examine", "says"), [(fails, "a mistake in the check"), (lambda call, rng: 1.0, "no Verdict")]
)
def test_a_check_that_fails_itself_is_reported_to_the_instructor(
    examine: Any, says: str, questions: ProblemSet, box: Sandbox
) -> None:
    checks = (dataclasses.replace(questions.checks[3], examine=examine), questions.checks[0])
    record = judge.grade(
        [HONEST], dataclasses.replace(questions, checks=checks), seed="s", isolation=box
    )
    assert record.check("derivative").status == "error" and record.score == 1
    assert any(
        "the check derivative failed itself" in note and says in note for note in record.notes
    )


@pytest.mark.parametrize(
    ("credit", "score"), [(0.25, 0.5), (7.0, 2.0), (-1.0, 0.0), (float("nan"), 0.0)]
)
def test_a_score_lies_between_nothing_and_the_points(
    credit: float, score: float, questions: ProblemSet, box: Sandbox
) -> None:
    check = dataclasses.replace(
        questions.checks[3], examine=lambda call, rng: Verdict(Status.WRONG, "", credit)
    )
    record = judge.grade(
        [HONEST], dataclasses.replace(questions, checks=(check,)), seed="s", isolation=box
    )
    assert record.score == score


def test_a_function_of_the_judge_raises_in_the_students_code_what_it_raised(
    questions: ProblemSet, box: Sandbox
) -> None:
    def examine(call: Any, rng: Any) -> Any:
        def refuse(x: Any) -> float:
            raise ValueError(f"not {x:.0f}")

        return Verdict(Status.PASSED, str(call(refuse, 7.0)), 1.0)

    cell = (
        "def derivative(f, x):\n    try:\n        f(x)\n    except ValueError as error:\n        "
        "return str(error)"
    )
    checks = (dataclasses.replace(questions.checks[3], examine=examine),)
    record = judge.grade(
        [cell], dataclasses.replace(questions, checks=checks), seed="s", isolation=box
    )
    assert record.checks[0].message == "not 7"


def test_functions_can_be_handed_to_and_fro_and_objects_stay_themselves(
    questions: ProblemSet, box: Sandbox
) -> None:
    def examine(call: Any, rng: Any) -> Any:
        make, cache = call(None, 2.0)
        answers = [make(5.0), make(7.0)]  # a function of the student's
        # ours, which calls the student's again from within the call
        answers.append(call(lambda x: make(x) + 1, cache))
        return Verdict(Status.PASSED, repr([float(a) for a in answers]), 1.0)

    cell = (
        "class Cache:\n    def __init__(self, x):\n        self.x = x\n"
        "def derivative(f, x):\n"
        "    if f is None:\n        return (lambda y: x * y), Cache(x)\n"
        "    assert type(x) is Cache\n    return f(x.x)"
    )
    checks = (dataclasses.replace(questions.checks[3], examine=examine),)
    record = judge.grade(
        [cell], dataclasses.replace(questions, checks=checks), seed="s", isolation=box
    )
    assert record.checks[0].message == "[10.0, 14.0, 5.0]", record.to_json()


def test_a_sandbox_that_cannot_start_is_no_fault_of_the_student(
    questions: ProblemSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mounts, "SHIPPED", ("guest/__init__.py", "guest/worker.py"))
    with pytest.raises(IsolationError, match="does not start"):
        judge.grade([HONEST], questions, seed="s", isolation=bubblewrap.bubblewrap())


def test_unsafe_local_grades_the_same_and_says_so(questions: ProblemSet, grade: Any) -> None:
    cells = [HONEST, "def affine(x, W, b):\n    return x @ W, W.T"]
    local = judge.grade(cells, questions, seed="seed", isolation=choose.choose(unsafe_local=True))
    assert local.isolation == "unsafe-local"
    assert local.checks == grade(*cells).checks


def test_notes_for_the_instructor_are_not_crowded_out(grade: Any) -> None:
    record = grade("\n".join(["1 / 0"] * 130), "import ctypes", HONEST)
    assert len(record.notes) == judge.MAX_NOTES
    assert record.notes[0].startswith("For the instructor: the code uses ctypes")
    assert record.notes[-1] == "32 further notes are left out."


JUNK = "; ".join(f"a{k:04}" for k in range(5200))


@pytest.mark.parametrize(
    ("cell", "status"),
    [
        ("def f(x): return np.convolve(x, x)", Status.FORBIDDEN),
        (f"if False:\n    {JUNK}\n    np.convolve", Status.FORBIDDEN),
        ("pass", Status.PASSED),
    ],
)
def test_a_ban_that_cannot_be_checked_is_not_passed(
    cell: str, status: Status, box: Sandbox, questions: ProblemSet
) -> None:
    checks = [dataclasses.replace(check, forbids=("np.convolve",)) for check in questions.checks]
    banned = dataclasses.replace(questions, checks=tuple(checks))
    record = judge.grade([HONEST, cell], banned, seed="seed", isolation=box)
    assert record.checks[0].status == status.value, record.to_json()
