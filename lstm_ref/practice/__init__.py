"""Instant checks in a notebook: what is wrong, where, which mistake it is, and a hint.

    from lstm_ref.practice import check
    check("lstm_step")

Each problem set has a `check` of its own, because names are its own, too: this one asks the questions of lstm-bptt, that of
`lstm_ref.practice.lstm_torch` those of lstm-torch, and only the latter needs PyTorch.

They are for the student's eyes and run in the student's own kernel; marks come from the judge.
"""

from __future__ import annotations

import html
import linecache
import os
import re
import secrets
import sys
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lstm_ref.practice.lstm_bptt import CHECKS
from verdict import Check, Status, StudentError, Verdict, classify, examine
from verdict.tensors import from_arrays, to_arrays

__all__ = ["ask", "check", "examine_in"]

_HEADLINES = {
    Status.PASSED: "passed",
    Status.WRONG: "not right yet",
    Status.CONVENTION: "right, in another convention",
    Status.UNFINISHED: "not written yet",
    Status.ERROR: "stopped with an error",
    Status.ENVIRONMENT: "stopped by something outside the mathematics",
    Status.CRASHED: "ran out of memory",
    Status.SKIPPED: "not asked yet",
}

# Name of a check -> what was wrong last time, and how many hints were given for it.
_given: dict[str, tuple[tuple[Status, str | None], int]] = {}
# Name of a check -> what it said last time where it was not passed; filled while nbgrader validates a notebook.
_for_validate: dict[str, str] = {}


def check(name: str, seed: int | None = None) -> None:
    """Put a question to the function that the caller has defined, and show the verdict.

    Parameters
    ----------
    name : of the check, ``"lstm_step"``; an unknown one is answered with the list of those that there are
    seed : of the random inputs; None draws one, and the verdict shows it, so that a failure can be repeated
    """
    ask(CHECKS, name, seed, sys._getframe(1).f_globals)


def ask(checks: Sequence[Check], name: str, seed: int | None, namespace: Mapping[str, Any]) -> None:
    """Put one of these checks to a namespace's function, and show the verdict; see `check`."""
    known = {check.name: check for check in checks}
    if name not in known:
        _show(f"There is no check named {name!r}. There are: {', '.join(known)}.", passed=False)
        return
    seed = secrets.randbelow(100_000) if seed is None else seed
    verdict = examine_in(namespace, known[name], seed, checks)
    text = _report(known[name], verdict, seed)
    _show(text, passed=verdict.status is Status.PASSED)
    if os.environ.get("NBGRADER_EXECUTION") == "validate":
        _tell_validate(name, "" if verdict.status is Status.PASSED else text)


def examine_in(namespace: Mapping[str, Any], check: Check, seed: int, checks: Sequence[Check] = CHECKS) -> Verdict:
    """Verdict on the function of this name in a namespace, with the checks that it needs asked first.

    Parameters
    ----------
    namespace : name -> value, such as a notebook's globals
    check : the question
    seed : of the random inputs
    checks : where those that it needs are found
    """
    for need in (other for other in checks if other.name in check.needs):
        if examine_in(namespace, need, seed, checks).status is not Status.PASSED:
            return Verdict(Status.SKIPPED, f'This needs {need.name}. First make check("{need.name}") pass.')
    function = namespace.get(check.function)
    if function is None:
        return Verdict(
            Status.UNFINISHED, f"There is no {check.function} here yet. Run the cell that defines it, then this one."
        )
    if not callable(function):
        return Verdict(
            Status.ERROR,
            f"{check.function} is not a function but {type(function).__name__}. Is the name used for something else?",
        )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            verdict = examine(check, _guarded(function, namespace, check.arrays), np.random.default_rng(seed))
        except Exception as error:  # an object that raises when it is looked at: whatever it is, it is no array
            verdict = Verdict(
                Status.ERROR, f"What {check.function} returned cannot be read as numbers ({type(error).__name__})."
            )
    said = dict.fromkeys(f"Your code gives a warning: {w.category.__name__}: {w.message}" for w in caught)
    return replace(verdict, warnings=(*verdict.warnings, *said))


def _guarded(function: Callable[..., Any], namespace: Mapping[str, Any], framework: str) -> Callable[..., Any]:
    """The function, from arrays to arrays; whatever it raises becomes a StudentError that shows the student's own line."""
    packages = ("numpy",) if framework == "numpy" else ("numpy", framework)

    def call(*arguments: Any) -> Any:
        try:
            return to_arrays(function(*from_arrays(arguments, framework)))
        except (Exception, SystemExit) as error:
            status, message = classify(type(error).__name__, _text(error), packages)
            raise StudentError(status, message + _own_line(error, namespace)) from None

    return call


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return ""


def _own_line(error: BaseException, namespace: Mapping[str, Any]) -> str:
    """The last line of the student's own code on the way to the error; NumPy's lines say little to its caller."""
    own = [(frame, line) for frame, line in traceback.walk_tb(error.__traceback__) if frame.f_globals is namespace]
    if not own:
        return ""
    frame, number = own[-1]
    source = linecache.getline(frame.f_code.co_filename, number, frame.f_globals).strip()
    return f"\nIn {frame.f_code.co_name}, line {number} of its cell: {source}" if source else ""


def _report(check: Check, verdict: Verdict, seed: int) -> str:
    lines = [f"{check.name}: {_HEADLINES.get(verdict.status, verdict.status.value)}"]
    if verdict.status is Status.PASSED:
        _given.pop(check.name, None)
        lines.append(check.title if verdict.message == "Right." else verdict.message)
        return "\n".join([*lines, *verdict.warnings])
    lines += [*verdict.message.split("\n"), *verdict.warnings]
    if verdict.status is Status.CONVENTION:
        lines.append("In the graded version this costs a part of the points.")
    hint = _next_hint(check, verdict)
    if hint:
        lines.append(hint)
    if verdict.status not in (Status.UNFINISHED, Status.SKIPPED):
        lines.append(f'The inputs are random; check("{check.name}", seed={seed}) asks with the same ones.')
    return "\n".join(lines)


def _next_hint(check: Check, verdict: Verdict) -> str:
    kind = (verdict.status, verdict.misconception)
    before, count = _given.get(check.name, (kind, 0))
    if before != kind:
        count = 0
    if verdict.status in (Status.UNFINISHED, Status.SKIPPED) or not verdict.hints:
        return ""
    number = min(count + 1, len(verdict.hints))
    _given[check.name] = (kind, number)
    more = " (call check again for the next one)" if number < len(verdict.hints) else ""
    return f"Hint {number} of {len(verdict.hints)}: {verdict.hints[number - 1]}{more}"


def _tell_validate(name: str, text: str) -> None:
    """Let nbgrader's ``validate`` count a check that was not passed.

    It looks at the test cells only, and these hold no code: it would call an empty notebook a success. What one writes to stderr
    counts as its failure, so that the test cell that names this check says what the check said.
    """
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if not _for_validate and shell is not None:
        shell.events.register("pre_run_cell", _before_test_cell)
    _for_validate[name] = text


def _before_test_cell(info: Any) -> None:
    if any(line.strip() and not line.lstrip().startswith("#") for line in info.raw_cell.splitlines()):
        return
    for name, text in _for_validate.items():
        if text and re.search(rf"\b{re.escape(name)}\b", info.raw_cell):
            print(text, file=sys.stderr)


def _show(text: str, *, passed: bool) -> None:
    """Print; in a notebook, the same with its first line in bold beside a coloured bar."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if not hasattr(shell, "kernel"):
        print(text)
        return
    from IPython.display import display

    head, *rest = (html.escape(line) for line in text.split("\n"))
    sign, colour = ("✓", "#009E73") if passed else ("✗", "#D55E00")
    body = "".join(f"<div>{line}</div>" for line in rest)
    block = (
        f'<div style="border-left: 4px solid {colour}; padding-left: 0.8em"><strong>{sign} {head}</strong>{body}</div>'
    )
    display({"text/plain": text, "text/html": block}, raw=True)
