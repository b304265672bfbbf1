"""The problem set in PyTorch: its reference beside NumPy, its mistakes, its class, and what a
student sees in a notebook.
"""

import ast
import contextlib
import importlib.util
import io
import re
import subprocess
import sys
import warnings
from dataclasses import replace
from functools import cache
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
from nbclient import NotebookClient
from numpy.testing import assert_allclose

from autograder.course.rebuild import read_release, rebuild
from autograder.course.release import release_text, solution_cells
from autograder.judge.judge import grade
from autograder.judge.problem_set import ProblemSet
from autograder.modules import load_module
from autograder.sandbox import choose
from lstm_ref import lstm_backward, lstm_forward, practice, zoo
from lstm_ref.practice import lstm_torch
from verdict import Status, StudentError, charge_once, classify, examine
from verdict.compare import SINGLE_PRECISION, copy_tree, read, relative_error
from verdict.tensors import from_arrays, to_arrays

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "solutions" / "lstm-torch" / "lstm-torch.md"


def load(name):
    return load_module(f"_torch_{name}", SOURCE.parent / f"{name}.py")


students, graded = load("students"), load("checks")
CHECKS = {check.name: check for check in graded.CHECKS}
BY_NAME = pytest.mark.parametrize("check", graded.CHECKS, ids=lambda check: check.name)


@pytest.fixture(autouse=True)
def settings_of_its_own():
    """The notebook asks PyTorch for float64, and other tests do not."""
    practice._given.clear()
    yield
    torch.set_default_dtype(torch.float32)


def ask(check, function, seed=0):
    def call(*arguments):
        try:
            return function(*arguments)
        except Exception as error:
            raise StudentError(*classify(type(error).__name__, str(error))) from None

    return examine(check, call, np.random.default_rng(seed))


# --- the reference
# --------------------------------------------------------------------------------------------------


def loss_by_loops(logits, targets, mask):
    """Mean cross-entropy and its gradient, token by token."""
    loss, gradient, count = 0.0, np.zeros_like(logits), mask.sum()
    for n, t in zip(*np.nonzero(mask), strict=True):
        log_p = logits[n, t] - np.logaddexp.reduce(logits[n, t])
        loss -= log_p[targets[n, t]] / count
        gradient[n, t] = (np.exp(log_p) - np.eye(len(log_p))[targets[n, t]]) / count
    return loss, gradient


def ours(weight_ih, weight_hh, bias_ih, bias_hh):
    return {"Wx": weight_ih.T, "Wh": weight_hh.T, "b": bias_ih + bias_hh}


def train_in_numpy(weights, batches, max_norm, lr):
    """Momentum, clipping and the gradients by hand, through the reference."""
    *lstm, weight, bias = (w.copy() for w in weights)
    parameters = [weight, bias, *lstm]
    velocity = [np.zeros_like(p) for p in parameters]
    losses = []
    for x, y in batches:
        N, H = len(x), lstm[1].shape[1]
        h, _, cache_ = lstm_forward(x, np.zeros((N, H)), np.zeros((N, H)), **ours(*lstm))
        loss, dlogits = loss_by_loops(
            (h[:, -1] @ weight + bias)[:, None], y[:, None], np.ones((N, 1), bool)
        )
        losses.append(loss)
        dh = np.zeros_like(h)
        dh[:, -1] = dlogits[:, 0] @ weight.T
        grads = lstm_backward(dh, cache_)
        all_grads = [
            h[:, -1].T @ dlogits[:, 0],
            dlogits[:, 0].sum(0),
            grads.dWx.T,
            grads.dWh.T,
            grads.db,
            grads.db,
        ]
        norm = np.sqrt(sum((g**2).sum() for g in all_grads))
        for p, v, g in zip(parameters, velocity, all_grads, strict=True):
            v *= 0.9
            v += g * min(1.0, max_norm / norm)
            p -= lr * v
    return losses, parameters


def chunks_in_numpy(weights, x, target, h0, c0, k):
    losses, totals, h, c = [], 0, h0, c0
    for start in range(0, x.shape[1], k):
        output, (h, c), cache_ = lstm_forward(x[:, start : start + k], h, c, **ours(*weights))
        difference = output - target[:, start : start + k]
        losses.append((difference**2).sum())
        grads = lstm_backward(2 * difference, cache_)
        totals = [
            a + b
            for a, b in zip(
                totals or [0] * 4, (grads.dWx.T, grads.dWh.T, grads.db, grads.db), strict=True
            )
        ]
    return losses, (h, c), totals


INDEPENDENT = {
    "lstm_cell": zoo.Bug("right", "lstm_cell", "", (), "", "", "", (), framework="torch").calling(
        "lstm_cell"
    ),
    "cell_gradients": lstm_torch.RIGHT.calling("cell_gradients"),
    "to_torch": lambda Wx, Wh, b: (np.swapaxes(Wx, 0, 1), np.swapaxes(Wh, 0, 1), b / 3, b * 2 / 3),
    "last_hidden": lambda output, lengths: [
        row[length - 1] for row, length in zip(output, lengths, strict=True)
    ],
    "sequence_loss": loss_by_loops,
    "train_step": train_in_numpy,
    "run_chunks": chunks_in_numpy,
}


@pytest.mark.parametrize("seed", range(2))
@BY_NAME
def test_what_is_expected_agrees_with_a_second_way_to_compute_it(check, seed):
    """The cell is expected from NumPy and computed in PyTorch here; all others the other way
    round.
    """
    for case in check.cases(np.random.default_rng(seed)):
        expected = read(check, check.expected(*copy_tree(case.args)), "expected")
        other = read(check, INDEPENDENT[check.name](*copy_tree(case.args)), "other")
        for name in expected:
            assert_allclose(
                other[name],
                expected[name],
                rtol=0,
                atol=0.1 * check.tolerance,
                err_msg=f"{case.label}: {name}",
            )
    verdict = ask(check, check.expected, seed)
    assert (verdict.status, verdict.credit, verdict.warnings) == (Status.PASSED, 1.0, ())


def code_of(tree):
    """Code without docstrings and annotations."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:]
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None
    return ast.unparse(tree)


def test_the_notebook_and_the_zoo_hold_the_same_functions():
    """What a mistake does is seen through the functions that the notebook gives: they must be the
    same ones.
    """
    cells = nbformat.reads(release_text(SOURCE), as_version=4).cells
    given = [cell.source for cell in cells if cell.get("id", "").endswith("_given")]
    parts = [ast.parse(source) for source in (*given, *solution_cells(SOURCE).values())]
    notebook = {node.name: code_of(node) for tree in parts for node in tree.body}
    ours_ = ast.parse((ROOT / "lstm_ref" / "zoo" / "plain_torch.py").read_text(encoding="utf-8"))
    here = {n.name: code_of(n) for n in ours_.body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    assert notebook == here and len(given) == 5


# --- its mistakes
# --------------------------------------------------------------------------------------------------


@BY_NAME
def test_every_known_mistake_is_named_as_itself_by_the_judge_and_in_the_notebook(check):
    public = next(other for other in lstm_torch.CHECKS if other.name == check.name)
    assert public.points == check.points
    assert len(check.cases(np.random.default_rng(0))) > len(public.cases(np.random.default_rng(0)))
    named = {}
    for mistake in check.misconceptions:
        verdict = ask(check, mistake.function, seed=1)
        named[mistake.id] = verdict.misconception
        assert (
            verdict.credit < 1
            and verdict.hints == mistake.hints
            and mistake.title in verdict.message
        )
        assert verdict.status in (mistake.status, Status.ERROR) and not re.search(
            r"\d\.\d", verdict.message
        )
        assert ask(public, mistake.function, seed=2).misconception == mistake.id
    assert named == {id: id for id in named}


@BY_NAME
def test_no_known_mistake_is_near_single_precision_and_right_work_in_it_passes(check):
    def single(value):
        if isinstance(value, np.ndarray) and value.dtype == np.float64:
            return value.astype(np.float32)
        return type(value)(map(single, value)) if isinstance(value, tuple | list) else value

    called = check.function
    verdict = ask(check, lambda *arguments: lstm_torch.RIGHT.calling(called)(*single(arguments)))
    assert (verdict.status, verdict.credit) == (Status.PASSED, 1.0), verdict.message
    cases = check.cases(np.random.default_rng(5))
    for mistake in check.misconceptions:
        worst = 0.0
        for case in cases:
            expected = read(check, check.expected(*copy_tree(case.args)), "reference")
            try:
                got = read(check, mistake.function(*copy_tree(case.args)), mistake.id)
            except IndexError:
                continue
            for name in expected:
                same = got[name].shape == expected[name].shape
                error = relative_error(got[name], expected[name]) if same else np.inf
                worst = max(worst, np.inf if np.isnan(error) else error)
        assert worst > 100 * SINGLE_PRECISION, mistake.id


@BY_NAME
def test_what_nobody_knows_is_not_named(check):
    changes = (
        lambda a, rng: -1.3 * a,
        lambda a, rng: 1.1 * a,
        lambda a, rng: a + 0.01 * rng.normal(size=a.shape),
    )

    def changed(value, change, rng):
        if isinstance(value, tuple | list):
            return [changed(part, change, rng) for part in value]
        return change(np.asarray(value), rng)

    for change in changes:
        rng = np.random.default_rng(7)
        verdict = ask(check, lambda *a, f=change, r=rng: changed(check.expected(*a), f, r), seed=4)
        assert (verdict.status, verdict.misconception) == (
            Status.WRONG,
            None,
        ) and verdict.hints == check.hints


def test_there_are_enough_mistakes_and_points_are_those_of_the_notebook():
    assert len(zoo.PYTORCH) >= 20
    assert {bug.function for bug in zoo.PYTORCH} == set(students.WRITTEN)
    marks = [
        cell.metadata.get("nbgrader", {})
        for cell in nbformat.reads(release_text(SOURCE), as_version=4).cells
    ]
    points = {mark["grade_id"]: mark["points"] for mark in marks if mark.get("grade")}
    assert points == students.FULL == {check.name: check.points for check in graded.CHECKS}


def test_importing_the_checks_imports_no_framework():
    code = (
        "import sys; import lstm_ref.practice.lstm_torch; print('torch' in sys.modules, "
        "'tensorflow' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.split() == ["False", "False"]


# --- its class
# --------------------------------------------------------------------------------------------------

PEACEFUL = [student for student in students.STUDENTS if not student.hostile]
HOSTILE = [student for student in students.STUDENTS if student.hostile]
IN_THE_BOX = (
    "perfect",
    "linear",
    "own_backward",
    "single",
    "state_dict",
    "compares",
    "noisy",
    "moved_around",
)
FAULTS = {
    "syntax_error": ("error", "code cell 7, which names it, is not Python", "sequence_loss"),
    "needs_cuda": ("environment", "this is graded on the CPU", "last_hidden"),
    "mixed": ("environment", "Two tensors of different precision meet", "lstm_cell"),
    "needs_einops": (
        "environment",
        "runs with numpy and torch and Python's standard library only",
        "last_hidden",
    ),
    "second_backward": ("error", "still hangs on the graph of the round before", "run_chunks"),
    "all_detached": ("error", "there is nothing to go back through", "cell_gradients"),
    "item": ("error", "Return the tensor", "sequence_loss"),
    "returns_nothing": ("wrong", "losses is a list with None in it", "train_step"),
    "one_too_late": ("error", "lengths from 1. IndexError", "last_hidden"),
}


@cache
def release():
    return release_text(SOURCE)


def handed_in(student):
    return student.edit(nbformat.reads(release(), as_version=4), solution_cells_of_the_set())


@cache
def solution_cells_of_the_set():
    return solution_cells(SOURCE)


def run(notebook):
    """Namespace after all cells that are graded, in the order of the release; a cell that fails
    leaves nothing behind.
    """
    namespace = {"__name__": "notebook"}
    cells = [
        c
        for c in notebook.cells
        if c.cell_type == "code" and "local" not in c.metadata.get("tags", [])
    ]
    if "set_default_dtype" not in cells[0].source:  # the reversed notebook; the judge puts it right
        cells.reverse()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for cell in cells:
            with contextlib.suppress(Exception):
                exec(cell.source, namespace)
    return namespace


def is_changed(notebook, check):
    """Whether what a check asks for may differ from the reference; that the reference passes need
    not be seen ninety times.
    """
    name = "lstm_cell" if check == "cell_gradients" else check
    sources = {cell.get("id"): cell.source for cell in notebook.cells}
    more = len(notebook.cells) != len(nbformat.reads(release(), as_version=4).cells)
    return more or sources[f"{name}_code"] != solution_cells_of_the_set()[f"{name}_code"]


@pytest.mark.parametrize("student", PEACEFUL, ids=lambda student: student.name)
def test_each_gets_its_points_and_its_mistake_is_named(student):
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        notebook = handed_in(student)
        namespace = run(notebook)
        asked = [check for check in graded.CHECKS if is_changed(notebook, check.name)]
        verdicts = {c.name: practice.examine_in(namespace, c, 11, graded.CHECKS) for c in asked}
        verdicts = charge_once(asked, verdicts)
    scores = students.FULL | {c.name: round(c.points * verdicts[c.name].credit, 4) for c in asked}
    if student.name == "needs_einops" and importlib.util.find_spec("einops"):
        scores["last_hidden"] = 0  # it is here, and not in the box
    assert scores == {name: round(s, 4) for name, s in student.scores.items()}, verdicts
    assert {name: v.misconception for name, v in verdicts.items() if v.misconception} == dict(
        student.mistakes
    )
    assert not (student in students.RIGHT and student.name != "single") or all(
        "asked for" not in warning for v in verdicts.values() for warning in v.warnings
    )


def in_the_box(student):
    """The record of the whole notebook, graded in the sandbox."""
    problem_set = ProblemSet("lstm-torch", tuple(graded.CHECKS), graded.PACKAGES, SOURCE.parent, "")
    submission = rebuild(read_release(problem_set), handed_in(student))
    return grade(submission.cells, problem_set, seed="torch", isolation=choose.choose())


@pytest.mark.parametrize(
    "student",
    [s for s in students.STUDENTS if s.hostile or s.name in (*IN_THE_BOX, *FAULTS)],
    ids=lambda student: student.name,
)
def test_the_sandbox_gives_the_same_points_and_attacks_gain_nothing(student):
    record = in_the_box(student)
    scores = {check.name: check.score for check in record.checks}
    assert scores == {name: round(float(s), 4) for name, s in student.scores.items()}, (
        record.to_json()
    )
    if student.name in FAULTS:
        status, words, name = FAULTS[student.name]
        assert (record.check(name).status, words in record.check(name).message) == (status, True), (
            record.check(name)
        )


def test_the_class_is_large_and_covers_every_mistake():
    assert len(students.RIGHT) >= 12 and len(HOSTILE) >= 5
    assert {bug.id for bug in zoo.PYTORCH} <= {
        id for s in students.WRONG for id in s.mistakes.values()
    }
    assert len({student.name for student in students.STUDENTS}) == len(students.STUDENTS)
    for student in students.STUDENTS:
        assert set(student.scores) == set(students.FULL) and re.fullmatch(r"\w+", student.name)


# --- in a notebook
# --------------------------------------------------------------------------------------------------


def say(capsys, call, **names):
    namespace = {"check": lstm_torch.check, "torch": torch, **names}
    exec(call, namespace)
    return capsys.readouterr().out


def test_each_set_has_a_check_of_its_own_and_knows_its_names_only(capsys):
    right = zoo.PYTORCH[0]._functions
    assert say(capsys, "check('last_hidden')", last_hidden=right["last_hidden"]).startswith(
        "last_hidden: passed\n"
    )
    assert "There are: lstm_cell, cell_gradients, to_torch" in say(capsys, "check('lstm_step')")
    assert "There are: lstm_step," in say(capsys, "check('last_hidden')", check=practice.check)


def test_tensors_go_in_and_come_out(capsys):
    seen = []

    def last_hidden(output, lengths):
        seen.append((output, lengths))
        return torch.nn.Parameter(output[torch.arange(len(lengths)), lengths - 1])

    assert "passed" in say(capsys, "check('last_hidden', seed=1)", last_hidden=last_hidden)
    for output, lengths in seen:
        assert (
            output.dtype == torch.float64
            and lengths.dtype == torch.int64
            and not output.requires_grad
        )


def test_a_part_of_the_notebook_that_is_missing_or_unwritten_is_told(capsys):
    names = dict(zoo.PYTORCH[0]._functions)
    train = names["train"]
    train.__globals__.pop("train_step")
    text = say(capsys, "check('train_step')", train=train)
    assert text.startswith(
        "train_step: stopped with an error\nNameError: train_step is not defined."
    )
    text = say(capsys, "check('cell_gradients')", cell_gradients=names["cell_gradients"])
    assert text.startswith("cell_gradients: not asked yet\nThis needs lstm_cell.")
    assert "There is no train here yet" in say(capsys, "check('train_step')")


def test_wrong_work_in_a_real_kernel(tmp_path):
    """The released notebook with three mistakes in it; the checks speak in its own cells."""
    notebook = nbformat.reads(release(), as_version=4)
    wrong = {
        "last_hidden": "last_of_padding",
        "train_step": "no_zero_grad",
        "run_chunks": "c_not_detached",
    }
    for cell in notebook.cells:
        name = cell.get("id", "").removesuffix("_code")
        cell.source = solution_cells_of_the_set().get(cell.get("id"), cell.source)
        if cell.get("id") == f"{name}_code" and name in wrong:
            cell.source = zoo.find(wrong[name]).source_of(name)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    said = {}
    for cell in notebook.cells:
        if cell.cell_type == "code" and cell.source.startswith("check("):
            (output,) = cell.outputs  # nothing but the verdict
            said[re.search(r'"(\w+)"', cell.source).group(1)] = output.data["text/plain"]
    assert list(said) == list(students.FULL)
    for name, text in said.items():
        if name in wrong:
            bug = zoo.find(wrong[name])
            assert (
                text.startswith(f"{name}: not right yet\n")
                and "A known mistake explains this." in text
            )
            assert bug.title not in text and bug.hints[0] not in text
        else:
            assert text.startswith(f"{name}: passed\n"), text


def test_a_check_gives_what_the_judge_gives():
    """One conversion for both: what goes in and what comes out is the same."""
    value = from_arrays((np.ones(2), {"a": np.zeros(1)}), "torch")
    back = to_arrays(value)
    assert_allclose(back[0], np.ones(2))
    assert replace(CHECKS["lstm_cell"]).arrays == "torch"


# Label of a hidden case -> words of the task that announce it: nothing is demanded that only the
# judge knows.
ANNOUNCED = {
    "many units": "many units",
    "one input, D = 1": "a single input",
    "large pre-activations": "large states and pre-activations",
    "large cell state": "large states",
    "a large batch": "large batches",
    "sequences of one step, T = 1": "sequences and chunks of one step",
    "chunks of one step, k = 1": "chunks of one step",
    "a long sequence": "long sequences",
    "gaps in the mask": "gaps in the mask",
    "large logits": "Logits may be several hundreds",
    "as many classes as steps": "as many classes as steps",
    "many steps": "many steps of training",
}


def test_every_hidden_case_is_announced_in_the_task():
    text = " ".join(SOURCE.read_text().split())
    hidden = {
        case.label for make in graded.HIDDEN.values() for case in make(np.random.default_rng(0))
    }
    assert hidden == set(ANNOUNCED)
    assert [words for words in ANNOUNCED.values() if words not in text] == []
