"""Correct work earns every point, in whatever style it is written: in the sandbox, through the
notebook that is rebuilt.

Each file in ``tests/corpora/fair`` is a correct solution of lstm-bptt in somebody's style, each in
``tests/corpora/fair_torch`` one of lstm-torch, and so for the other sets. Its head says whose habit
it is, and where it matters what the student is warned of (warns), or may be warned of (may warn),
and what must be printed (prints). A line ``# %% lstm_step_code`` begins the cell of that grade_id;
what a file leaves out is the reference solution. ``# %% first``, ``# %% last`` and ``# %%`` begin
cells of the student's own: at the top, at the end, after the cell before. The files end in .cell,
so that nothing imports them by accident.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from autograder.course.rebuild import read_release, rebuild
from autograder.course.release import solution_cells
from autograder.judge import problem_set
from autograder.judge.judge import grade
from autograder.judge.problem_set import ProblemSet
from autograder.judge.result import CheckResult, Result
from autograder.sandbox import bubblewrap, choose

ROOT = Path(__file__).parents[3]


@dataclasses.dataclass(frozen=True)
class Hands:
    """Solutions of one problem set in a folder, a file each; and where the notebook's first cell of
    code begins.
    """

    problem_set: str
    folder: Path
    begins: str

    @cached_property
    def problem(self) -> ProblemSet:
        return problem_set.load(self.problem_set, ROOT)

    @cached_property
    def release(self) -> NotebookNode:
        return read_release(self.problem)

    @cached_property
    def solutions(self) -> dict[str, str]:
        return solution_cells(ROOT / "solutions" / self.problem_set / f"{self.problem_set}.md")

    @property
    def names(self) -> list[str]:
        return sorted(path.stem for path in self.folder.glob("*.cell"))

    def text(self, name: str) -> str:
        return (self.folder / f"{name}.cell").read_text(encoding="utf-8")

    def head(self, name: str, word: str, default: str = "") -> str:
        """Value of a line ``# word: value`` at the head of a solution."""
        found = re.search(rf"^# {word}: (.*)$", self.text(name).partition("# %%")[0], re.MULTILINE)
        return found.group(1) if found else default

    def cells_of(self, name: str) -> list[tuple[str, str]]:
        """Where each cell belongs, and its source."""
        places = re.split(r"^# %%(?: (\w+))?\n", self.text(name), flags=re.MULTILINE)[1:]
        ends = "\r\n" if self.head(name, "ends") == "windows" else "\n"
        return [
            (place or "", source.replace("\n", ends))
            for place, source in zip(places[::2], places[1::2], strict=True)
        ]

    def hand_in(self, cells: list[tuple[str, str]]) -> NotebookNode:
        """Notebook as a student would hand it in: the release with the reference solutions, but for
        these cells.
        """
        notebook = nbformat.from_dict(self.release)
        by_name = {
            cell.metadata.get("nbgrader", {}).get("grade_id"): cell for cell in notebook.cells
        }
        for name, source in self.solutions.items():
            by_name[name].source = source
        after = next(cell for cell in notebook.cells if cell.source.startswith(self.begins))
        for place, source in cells:
            if place in self.solutions:
                after = by_name[place]
                after.source = source
                continue
            if place == "last":
                after = notebook.cells[-1]
            own = new_code_cell(source)
            notebook.cells.insert(notebook.cells.index(after) + 1, own)
            after = own
        return notebook

    def graded(self, name: str) -> Result:
        """Grade a solution; the gradient checker only where it is the student's own, for to ask it
        takes longer than all else.
        """
        cells = self.cells_of(name)
        own = name == "accumulate" or any("gradient_check" in source for _, source in cells)
        checks = tuple(
            check for check in self.problem.checks if own or check.name != "gradient_check"
        )
        submission = rebuild(self.release, self.hand_in(cells))
        problem = dataclasses.replace(self.problem, checks=checks)
        return grade(submission.cells, problem, seed="fair", isolation=choose.choose())


NUMPY = Hands("lstm-bptt", Path(__file__).parents[2] / "corpora" / "fair", begins="import numpy")
TORCH = Hands(
    "lstm-torch",
    Path(__file__).parents[2] / "corpora" / "fair_torch",
    begins="import torch\nimport torch.nn.functional",
)
VANISHING = Hands(
    "vanishing", Path(__file__).parents[2] / "corpora" / "fair_vanishing", begins="import numpy"
)
MEASURE = Hands(
    "measure", Path(__file__).parents[2] / "corpora" / "fair_measure", begins="import numpy"
)
PREPARE = Hands(
    "prepare", Path(__file__).parents[2] / "corpora" / "fair_prepare", begins="import re"
)
CLINIC = Hands("clinic", Path(__file__).parents[2] / "corpora" / "fair_clinic", begins="import os")
ERRORS = Hands(
    "error-analysis",
    Path(__file__).parents[2] / "corpora" / "fair_error_analysis",
    begins="import random",
)
SEARCH = Hands(
    "search-compress",
    Path(__file__).parents[2] / "corpora" / "fair_search_compress",
    begins="import numpy",
)
SEQ2SEQ = Hands(
    "seq2seq", Path(__file__).parents[2] / "corpora" / "fair_seq2seq", begins="import numpy"
)
LSTM, RELEASE = NUMPY.problem, NUMPY.release
ALL = [
    (hands, name)
    for hands in (NUMPY, TORCH, VANISHING, MEASURE, PREPARE, CLINIC, ERRORS, SEARCH, SEQ2SEQ)
    for name in hands.names
]


@pytest.fixture(scope="module")
def records() -> Iterator[dict[tuple[Hands, str], Future[Result]]]:
    """All solutions, two at a time: while one is asked for its result, the next one is graded
    already.
    """
    with ThreadPoolExecutor(2) as pool:
        yield {(hands, name): pool.submit(hands.graded, name) for hands, name in ALL}
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize(
    ("hands", "name"), ALL, ids=lambda value: value if isinstance(value, str) else value.problem_set
)
def test_right_work_earns_every_point(
    hands: Hands, name: str, records: dict[tuple[Hands, str], Future[Result]]
) -> None:
    record = records[hands, name].result()
    assert [check.name for check in record.checks if check.status != "passed"] == [], (
        record.to_json()
    )
    assert record.score == record.max_score >= 18, record.to_json()
    possible = hands.head(name, "may warn")
    warned = " ".join(
        warning
        for check in record.checks
        for warning in check.warnings
        if not possible or possible not in warning
    )
    expected = hands.head(name, "warns")
    assert expected in warned and bool(expected) == bool(warned), warned
    assert hands.head(name, "prints") in record.output, record.output


STEP = (
    "def lstm_step(x, h_prev, c_prev, Wx, Wh, b):\n"
    "    H = Wh.shape[0]\n"
    "    i, f, g, o = np.split(x @ Wx + h_prev @ Wh + b, 4, axis=1)\n"
    "    i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)\n"
    "    c = f * c_prev + i * g\n"
    "    return o * np.tanh(c), c, (x, h_prev, c_prev, i, f, g, o, c, Wx, Wh)\n"
)


def asked(check: str, **cells: str) -> CheckResult:
    """What is said of one check, where these solution cells are changed."""
    problem = dataclasses.replace(LSTM, checks=tuple(c for c in LSTM.checks if c.name == check))
    sources = [
        ("first" if place == "first" else f"{place}_code", source)
        for place, source in cells.items()
    ]
    submission = rebuild(RELEASE, NUMPY.hand_in(sources))
    return grade(submission.cells, problem, seed="fair", isolation=bubblewrap.bubblewrap()).check(
        check
    )


OUTSIDE = "It says nothing about your mathematics."
FAULTS = {
    "Python 2 division": (
        STEP.replace("    H = Wh.shape[0]", "    H = b.size / 4\n    b[:H]"),
        ("environment", "In Python 3, / always gives a float", OUTSIDE, "(line 3: "),
    ),
    "Python 2 range": (
        STEP.replace("    H =", "    for k in xrange(3): pass\n    H ="),
        ("environment", "Write range instead", OUTSIDE),
    ),
    "Python 2 print": (
        STEP.replace("    H =", "    print x.shape\n    H ="),
        (
            "environment",
            "code cell 2, which names it, is not Python",
            "a spelling of Python 2",
            "(line 2: print x.shape)",
        ),
    ),
    "Python 2 dict": (
        STEP.replace("    H =", "    for k in {}.iteritems(): pass\n    H ="),
        ("environment", "Write items instead"),
    ),
    "not Python": (
        STEP.replace("Wh, b):", "Wh, b)"),
        ("error", "code cell 2, which names it, is not Python. SyntaxError: expected ':'"),
    ),
    "removed NumPy name": (
        STEP.replace("f * c_prev", "np.float_(1) * f * c_prev"),
        ("environment", "NumPy no longer has np.float_. Write np.float64"),
    ),
    "removed import": (
        "from numpy import product\n" + STEP.replace("H = Wh", "H = product([1]) * Wh"),
        ("environment", "Write np.prod instead"),
    ),
    "missing import": (
        STEP.replace("    H =", "    z = math.exp(0)\n    H ="),
        ("environment", "Is “import math” missing"),
    ),
    "package that is not there": (
        STEP.replace("    H =", "    import scipy.special\n    H ="),
        ("environment", "An import failed: No module named 'scipy'"),
    ),
    "deleted global": (
        STEP.replace("f * c_prev", "DECAY * f * c_prev"),
        ("error", "No cell of the notebook gives DECAY a value", "Restart the kernel"),
    ),
    "misspelled": (STEP.replace("np.tanh(c)", "tanh(c)"), ("error", "Did you mean np.tanh?")),
    "recursion": (
        STEP.replace("    H =", "    return lstm_step(x, h_prev, c_prev, Wx, Wh, b)\n    H ="),
        ("error", "RecursionError: the function calls itself without an end"),
    ),
    "memory": (
        STEP.replace("    H =", "    z = np.zeros((10**7, 10**7))\n    H ="),
        ("crashed", "more memory than the task allows"),
    ),
    "not finished": (
        STEP.replace("    H =", "    raise NotImplementedError\n    H ="),
        ("unfinished", "write its body"),
    ),
    "wrong mathematics": (STEP.replace("i * g", "i + g"), ("wrong", "c are wrong")),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_not_mathematics_is_told_apart_and_by_its_cause(fault: str) -> None:
    source, (status, *says) = FAULTS[fault]
    check = asked("lstm_step", lstm_step=source)
    assert check.status == status, check
    assert all(words in check.message for words in says), check.message
    assert (OUTSIDE.rstrip(".") in check.message) <= (status == "environment")
    assert check.score == 0


def test_a_time_out_says_so_and_costs_only_its_own_check() -> None:
    source = "import time\n" + STEP.replace("    H =", "    time.sleep(60)\n    H =")
    problem = dataclasses.replace(
        LSTM,
        checks=tuple(
            dataclasses.replace(c, time_limit=3.0 if c.name == "lstm_step" else 60.0)
            for c in LSTM.checks[:3:2]
        ),
    )
    submission = rebuild(RELEASE, NUMPY.hand_in([("lstm_step_code", source)]))
    record = grade(submission.cells, problem, seed="fair", isolation=bubblewrap.bubblewrap())
    step, backward = record.checks
    assert (
        step.status == "timeout"
        and "no answer within 3 seconds. Is there a loop without an end?" in step.message
    )
    assert backward.status == "passed"


FORWARD = (
    "def lstm_forward(x, h0, c0, Wx, Wh, b):\n"
    "    h, c, hs, cache = h0, c0, [], []\n"
    "    for t in range(x.shape[1]):\n"
    "        h, c, step = lstm_step(x[:, t], h, c, Wx, Wh, b)\n"
    "        hs.append(h)\n"
    "        cache.append(step)\n"
    "    hs = np.stack(hs, axis=1)\n"
)
ASKED_FOR = "lstm_forward must return h, (hT, cT), cache"


@pytest.mark.parametrize(
    ("returns", "status", "says"),
    [
        ("hs[:, None], (h[:, None], c[None]), cache", "passed", "was asked for. Counted as right."),
        ("[hs.tolist(), [h, c], cache]", "passed", ""),
        ("hs, c", "error", (
            f"{ASKED_FOR}: 3 things, got 2: an array of shape (3, 5, 2) and an array of shape (3, "
            "2)."
        )),
        ("hs, (h, c)", "error", f"{ASKED_FOR}: 3 things, got 2: an array of shape (3, 5, 2) and "
                                f"a tuple."),
        ("hs, h, c, cache", "error", "Return (hT, cT) as one thing, in brackets of its own."),
        ("hs", "error", f"{ASKED_FOR}, got an array of shape (3, 5, 2)."),
        ("{'h': hs, 'state': (h, c)}", "error", f"{ASKED_FOR}, got dict."),
        ("None", "error", "Is there a return at the end?"),
        ("hs, (h, None), cache", "wrong", "cT is None; an array of numbers was asked for (is it "
                                          "not written yet?)."),
        (
            "hs.swapaxes(0, 1), (h, c), cache",
            "convention",
            "The time axis of h comes first; this task asks for (N, T, H).",
        ),
        ("hs, (h.T, c), cache", "wrong", "hT has the wrong shape: (3, 2) = (N, H) was expected, "
                                         "got (2, 3); it is transposed"),
    ],
)  # fmt: skip
def test_results_of_an_odd_form_count_or_are_told_what_was_asked_for(
    returns: str, status: str, says: str
) -> None:
    check = asked("lstm_forward", lstm_forward=f"{FORWARD}    return {returns}\n")
    assert check.status == status, check
    assert says in " ".join((check.message, *check.warnings)), check
    assert check.score == {"passed": 3, "error": 0}.get(status, 2)


@pytest.mark.parametrize(
    ("hands", "least"),
    [(NUMPY, 60), (TORCH, 40), (VANISHING, 10), (MEASURE, 10), (PREPARE, 10)],
    ids=lambda value: getattr(value, "problem_set", value),
)
def test_there_are_many_hands_and_each_says_its_habit(hands: Hands, least: int) -> None:
    assert len(hands.names) >= least
    codes = {re.sub(r"#.*|\s", "", hands.text(name)) for name in hands.names}
    assert len(codes) == len(hands.names)  # no two are the same code
    for name in hands.names:
        assert len(hands.head(name, "habit")) > 10, name
        places = {place for place, _ in hands.cells_of(name)}
        assert places and places <= {*hands.solutions, "first", "last", ""}, name
