"""What a student is told where no answer came, without a sandbox: a session is made up."""

from types import SimpleNamespace

import pytest

from autograder.errors import (
    OutOfMemory,
    ProtocolError,
    StudentFailure,
    TimeUsedUp,
    WorkerDied,
    WorkerTimeout,
)
from autograder.judge.explain import Explainer, describe_loss
from autograder.judge.session import Cell, Statement

NO_MODULE = StudentFailure("ModuleNotFoundError", "No module named 'jax'", 1, "import jax")
NO_FILE = StudentFailure("FileNotFoundError", "No such file: 'a.csv'", 3, "open('a.csv')")
NO_PYTHON = StudentFailure("SyntaxError", "expected ':'", 2, "def gru_step(x)")


def cell(*statements, error=None, note=""):
    return Cell(error, note, statements, frozenset())


def statement(line, *names, defines=True):
    return Statement(line, frozenset(names), defines)


@pytest.fixture
def explain():
    """Of a notebook with something wrong in each cell."""
    read = (
        cell(statement(1, "jax"), statement(2, "numpy")),
        cell(statement(1, "scale"), note="%run was left out"),
        cell(statement(3, "DATA", defines=False), statement(5, "total"), statement(9, "rate")),
        cell(error=NO_PYTHON),
    )
    session = SimpleNamespace(
        read=read,
        cells=["import jax\nimport numpy", "def scale(): ...", "...", "def gru_step(x)\n    ..."],
        failures={(0, 0): NO_MODULE, (2, 0): NO_FILE},
        lost={(2, 1): WorkerTimeout("no answer in time")},
        load_limit=120.0,
        statement_limit=20.0,
    )
    return Explainer(session, ("numpy",))


def named(error):
    return f"{error.status.value}: {error}"


def test_each_sentence_is_approved(explain, approved):
    failures = {
        "its import failed": StudentFailure("NameError", "name 'jax' is not defined", 2, "jax.f"),
        "its value failed": StudentFailure("NameError", "name 'DATA' is not defined", 2, "DATA"),
        "no cell binds it": StudentFailure("NameError", "name 'DECAY' is not defined", 2, "DECAY"),
        "it calls what was left out": StudentFailure(
            "NameError", "name 'total' is not defined", 2, "total(x)"
        ),
        "it is returned": StudentFailure("NameError", "name 'h' is not defined", 2, "return h, c"),
        "an error of its own": StudentFailure("ValueError", "shapes (2,3) (2,3)", 4, "x @ y"),
        "too large": StudentFailure("TooLarge", "more than 100000 values", 0, ""),
    }
    losses = (
        TimeUsedUp("no time is left"),
        WorkerTimeout("no answer in time"),
        OutOfMemory("more than 2048 MiB"),
        ProtocolError("a frame is too long"),
        WorkerDied("signal SIGKILL"),
        WorkerDied("exit status 3"),
    )
    approved(
        "explain",
        {
            **{f"failure: {what}": named(explain.failure(one)) for what, one in failures.items()},
            "missing: given another value": named(explain.missing("scale")),
            "missing: a value": named(explain.missing("rate", is_value=True)),
            "missing: its statement failed": named(explain.missing("DATA", is_value=True)),
            "missing: its statement was lost": named(explain.missing("total")),
            "missing: its cell is no Python": named(explain.missing("gru_step")),
            "missing: another name is near": named(explain.missing("scales")),
            "missing: nobody wrote it": named(explain.missing("orthogonal")),
            "notes on the cells": "\n".join(explain.cells()),
            **{
                f"lost: {type(one).__name__}, {one}": explain.lost_while_loading(one).message
                for one in losses
            },
        },
    )
    assert describe_loss(losses[1], 2.5).startswith("no answer within 2.5 seconds")


def test_blank_lines_are_looked_at_once():
    # where each of them is tried as the beginning of a line of code, this takes minutes
    session = SimpleNamespace(
        read=(cell(error=NO_PYTHON),),
        cells=["\n" * 200_000 + "def gru_step(x)"],
        lost={},
        failures={},
    )
    told = Explainer(session, ("numpy",)).missing("lstm_step")
    assert str(told) == "There is no function lstm_step in the notebook."
    assert "code cell 1" in str(Explainer(session, ("numpy",)).missing("gru_step"))
