"""Instant checks in a notebook: what is wrong, where, which mistake it is, and a hint.

    from lstm_ref.practice import case, check
    check("lstm_step")  # one part
    check()  # all parts, and the points
    case("lstm_step", seed=7)  # an input at which it fails
    practice_again(7)  # after the deadline: other inputs, and hints from the start

Each problem set has a `check` of its own, because names are its own, too: this one asks the
questions of lstm-bptt, that of `lstm_ref.practice.lstm_torch` those of lstm-torch, and only the
latter needs PyTorch.

They are for the student's eyes and run in the student's own kernel; marks come from the judge.
"""

from __future__ import annotations

import html
import linecache
import os
import re
import secrets
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any

import numpy as np

from lstm_ref.practice.counting import count_hints, counted, stop
from lstm_ref.practice.failing import Example, first_failure
from lstm_ref.practice.lstm_bptt import CHECKS
from lstm_ref.practice.names import ruled_out
from verdict import Check, Status, StudentError, Verdict, charge_once, classify, examine, unmet
from verdict.changes import TOO_MANY, capped, changes
from verdict.compare import form
from verdict.cpu import limited
from verdict.refusals import kinds_of
from verdict.tensors import from_arrays, to_arrays

__all__ = [
    "Example",
    "Instant",
    "ask",
    "case",
    "case_of",
    "check",
    "count_hints",
    "examine_all",
    "examine_in",
    "practice_again",
]

INSTANCES = 100_000  # seeds that are drawn

_HEADLINES = {
    Status.PASSED: "passed",
    Status.WRONG: "not right yet",
    Status.CONVENTION: "right, in another convention",
    Status.UNFINISHED: "not written yet",
    Status.ERROR: "stopped with an error",
    Status.ENVIRONMENT: "stopped by something outside the mathematics",
    Status.CRASHED: "ran out of memory",
    Status.TIMEOUT: "takes too long",
    Status.SKIPPED: "not asked yet",
    Status.FORBIDDEN: "uses what the task rules out",
    Status.NOTED: "noted; only the graded version says whether it is right",
}

# Name of a check -> what was wrong last time, and how often it was told.
_given: dict[str, tuple[tuple[Status, str | None, tuple[str, ...]], int]] = {}
# The instance that is practised; empty where each call draws a seed of its own.
_instance: list[int] = []
# Name of a check -> what it said last time where it was not passed; filled while nbgrader validates
# a notebook.
_for_validate: dict[str, str] = {}


@dataclass(frozen=True)
class Instant:
    """`check` and `case` of one problem set, for the notebook that calls them.

    Parameters
    ----------
    checks : the questions that can be asked
    """

    checks: Sequence[Check]

    def check(self, name: str = "", seed: int | None = None) -> None:
        """Put a question to the function that the caller has defined, and show the verdict.

        Parameters
        ----------
        name : of the check, ``"lstm_step"``; without it, all are asked, and shown are which parts
            stand and how many points they are worth. An unknown one is answered with the list of
            those that there are
        seed : of the random inputs; None draws one, and the verdict shows it, so that a failure can
            be repeated
        """
        ask(self.checks, name, seed, sys._getframe(1).f_globals)

    def case(self, name: str, seed: int) -> Example | None:
        """The first input of a check that the caller's function fails, what came, and what was
        expected.

        Parameters
        ----------
        name : of the check, ``"lstm_step"``
        seed : of the random inputs, as the verdict shows it

        Returns
        -------
        an `Example`; None where the function passes, or where the check compares no numbers
        """
        return case_of(self.checks, name, seed, sys._getframe(1).f_globals)


def ask(checks: Sequence[Check], name: str, seed: int | None, namespace: Mapping[str, Any]) -> None:
    """Put one of these checks to a namespace's function, and show the verdict; see `check`.

    Parameters
    ----------
    checks : those that there are
    name : of the one to ask; all where it is empty
    seed : of the random inputs; drawn where it is None
    namespace : name -> value, such as a notebook's globals
    """
    if seed is None:
        seed = _instance[0] if _instance else secrets.randbelow(INSTANCES)
    if not name:
        verdicts = examine_all(namespace, checks, seed)
        for part in (part for part, v in verdicts.items() if v.status is Status.PASSED):
            counted(part, 0, passed=True)
        _show(
            _table(checks, verdicts, seed),
            passed=all(v.status in (Status.PASSED, Status.NOTED) for v in verdicts.values()),
        )
        return
    if (chosen := _find(checks, name)) is None:
        return
    verdict = examine_in(namespace, chosen, seed, checks)
    text = _report(chosen, verdict, seed)
    fine = verdict.status in (Status.PASSED, Status.NOTED)
    _show(text, passed=fine)
    if os.environ.get("NBGRADER_EXECUTION") == "validate":
        _tell_validate(name, "" if fine else text)


def practice_again(seed: int | None = None) -> int:
    """A fresh instance of the problem set, to be practised from the start.

    From now on `check` asks with the inputs that are drawn from this seed, hints begin anew, and
    nothing is counted. The instance is the same for all who give the same seed.

    Parameters
    ----------
    seed : of the instance, from 0 on; None draws one

    Returns
    -------
    the seed

    Raises
    ------
    ValueError : the seed is no whole number from 0 on
    """
    seed = secrets.randbelow(INSTANCES) if seed is None else seed
    if type(seed) is not int or seed < 0:
        raise ValueError(f"practice_again: seed must be a whole number from 0 on, got {seed!r}")
    _given.clear()
    _instance[:] = [seed]
    stop()
    _show(
        f"Instance {seed}. check and check() ask with its inputs, hints begin anew, and nothing is "
        f"counted. practice_again({seed}) gives the same instance to others.",
        passed=True,
    )
    return seed


def case_of(
    checks: Sequence[Check], name: str, seed: int, namespace: Mapping[str, Any]
) -> Example | None:
    """The first input that a namespace's function fails; see `case`.

    Parameters
    ----------
    checks : those that there are
    name : of the one to ask
    seed : of the random inputs
    namespace : name -> value, such as a notebook's globals
    """
    if (chosen := _find(checks, name)) is None:
        return None
    function = namespace.get(chosen.asked)
    if chosen.cases is None or chosen.properties or chosen.value or not callable(function):
        why = (
            "compares no numbers, so that there is no case to show"
            if callable(function) or chosen.value
            else "is not written yet"
        )
        _show(f"{name}: {why}.", passed=False)
        return None
    found = first_failure(
        chosen, _guarded(function, namespace, chosen), np.random.default_rng(seed)
    )
    _show(f"{name}: {found or 'passed with these inputs'}", passed=found is None)
    return found


def _find(checks: Sequence[Check], name: str) -> Check | None:
    known = {check.name: check for check in checks}
    if name not in known:
        _show(f"There is no check named {name!r}. There are: {', '.join(known)}.", passed=False)
    return known.get(name)


def examine_all(
    namespace: Mapping[str, Any], checks: Sequence[Check], seed: int
) -> dict[str, Verdict]:
    """Verdicts of all checks by name; a convention that runs through the work is charged once.

    Parameters
    ----------
    namespace : name -> value, such as a notebook's globals
    checks : in the order in which a student meets them
    seed : of the random inputs
    """
    verdicts: dict[str, Verdict] = {}
    for one in checks:
        verdicts[one.name] = _examine(namespace, one, seed, verdicts, checks)
    return charge_once(checks, verdicts)


def _table(checks: Sequence[Check], verdicts: Mapping[str, Verdict], seed: int) -> str:
    """Which parts stand, and how many points they are worth."""
    points = {check.name: check.points * verdicts[check.name].credit for check in checks}
    noted = [check for check in checks if verdicts[check.name].status is Status.NOTED]
    width = max(len(check.name) for check in checks)
    shown = {name: f"{round(number, 2):5g}" for name, number in points.items()}
    shown |= {check.name: "    ?" for check in noted}
    lines = [
        (
            f"{check.name:{width}}  {shown[check.name]} of {check.points:g}  "
            f"{_headline(verdicts[check.name])}"
        )
        for check in checks
    ]
    head = (
        f"{round(sum(points.values()), 2):g} of {sum(check.points for check in checks):g} points, "
        "as asked here"
    )
    if noted:
        head += f"; {sum(check.points for check in noted):g} more are not decided here"
    return "\n".join(
        [
            head,
            *lines,
            f"The graded version asks with further inputs. These were drawn with seed={seed}.",
        ]
    )


def _headline(verdict: Verdict) -> str:
    if verdict.misconception == TOO_MANY:
        return "right, with more lines changed than may be"
    return _HEADLINES.get(verdict.status, verdict.status.value)


def examine_in(
    namespace: Mapping[str, Any], check: Check, seed: int, checks: Sequence[Check] = CHECKS
) -> Verdict:
    """Verdict on the function of this name in a namespace, with the checks that it needs asked
    first.

    Parameters
    ----------
    namespace : name -> value, such as a notebook's globals
    check : the question
    seed : of the random inputs
    checks : where those that it needs are found
    """
    verdicts: dict[str, Verdict] = {}
    for need in (other for other in checks if other.name in check.needs):
        verdicts[need.name] = examine_in(namespace, need, seed, checks)
    return _examine(namespace, check, seed, verdicts, checks)


def _examine(
    namespace: Mapping[str, Any],
    check: Check,
    seed: int,
    verdicts: Mapping[str, Verdict],
    checks: Sequence[Check],
) -> Verdict:
    """Verdict on one function, with the verdicts on those that it needs."""
    if missing := unmet(check, verdicts):
        return Verdict(
            Status.SKIPPED, f'This needs {missing[0]}. First make check("{missing[0]}") pass.'
        )
    function = namespace.get(check.asked)
    if function is None or function is Ellipsis:
        return Verdict(
            Status.UNFINISHED,
            f"There is no {check.asked} here yet. Run the cell that defines it, then this one.",
        )
    if check.value:
        return form(check, to_arrays(function))
    if not callable(function):
        return Verdict(
            Status.ERROR,
            (
                f"{check.function} is not a function but {type(function).__name__}. Is the name "
                "used for something else?"
            ),
        )
    if used := ruled_out(check.forbids, function, namespace):
        return Verdict(
            Status.FORBIDDEN,
            f"The code uses {' and '.join(used)}, which this task rules out: write it yourself.",
        )
    verdict = _asked(check, _guarded(function, namespace, check), seed)
    return _capped(check, checks, verdict, namespace.get("In")) if check.mend else verdict


def _capped(check: Check, checks: Sequence[Check], verdict: Verdict, cells: Any) -> Verdict:
    """The verdict, with less credit where more of given code was changed than may be.

    ``cells`` is IPython's list of the cells that ran. Where it is not there, or the code not in it,
    nothing is said: the judge has the notebook.
    """
    assert check.mend is not None
    if not check.mend.given:
        told = f"Of the code that was given, at most {check.mend.most} lines may change. They are "
        told += "counted when your work is graded."
        return replace(verdict, warnings=(*verdict.warnings, told))
    ran = [cell for cell in cells if isinstance(cell, str)] if isinstance(cells, list) else []
    found = changes(check, checks, ran, ran)
    return verdict if found is None else capped(verdict, check.mend, found)


def _asked(check: Check, call: Callable[..., Any], seed: int) -> Verdict:
    """Verdict on what a function answers, with what it warns of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            verdict = examine(check, call, np.random.default_rng(seed))
        except (
            Exception
        ) as error:  # an object that raises when it is looked at: whatever it is, it is no array
            verdict = Verdict(
                Status.ERROR,
                (
                    f"What {check.function} returned cannot be read as numbers "
                    f"({type(error).__name__})."
                ),
            )
    said = dict.fromkeys(
        f"Your code gives a warning: {w.category.__name__}: {w.message}" for w in caught
    )
    return replace(verdict, warnings=(*verdict.warnings, *said))


def _guarded(
    function: Callable[..., Any], namespace: Mapping[str, Any], check: Check
) -> Callable[..., Any]:
    """The function as a check calls it, from arrays to arrays; whatever it raises becomes a
    StudentError that shows the student's own line.
    """
    framework = check.arrays
    packages = ("numpy",) if framework == "numpy" else ("numpy", framework)

    def call(*arguments: Any) -> Any:
        try:
            value = function(*from_arrays(arguments, framework))
            return to_arrays(value, check.compares_all)
        except (Exception, SystemExit) as error:
            status, message = classify(type(error).__name__, _text(error), packages)
            own = (namespace, getattr(function, "__globals__", namespace))
            raise StudentError(status, message + _own_line(error, own), kinds_of(error)) from None

    return limited(check, call, time.process_time)


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return ""


def _own_line(error: BaseException, own: Sequence[Mapping[str, Any]]) -> str:
    """The last line of the student's own code on the way to the error; NumPy's lines say little to
    its caller.

    ``own`` are the globals of the notebook, and of the file that the function was imported from.
    """
    passed = traceback.walk_tb(error.__traceback__)
    lines = [
        (frame, line) for frame, line in passed if any(frame.f_globals is names for names in own)
    ]
    if not lines:
        return ""
    told = [f"In {_place(*lines[-1], own[0])}"]
    # The fault may lie in what the line was given: by the function that was asked for.
    if lines[0][0].f_code is not lines[-1][0].f_code:
        told.append(f"called from {_place(*lines[0], own[0])}")
    return "".join(f"\n{line}" for line in told if not line.endswith(": "))  # the text may be gone


def _place(frame: FrameType, number: int, namespace: Mapping[str, Any]) -> str:
    """Function, number and text of a line."""
    file = frame.f_code.co_filename
    where = "its cell" if frame.f_globals is namespace else os.path.basename(file)
    return (
        f"{frame.f_code.co_name}, line {number} of {where}: "
        f"{linecache.getline(file, number, frame.f_globals).strip()}"
    )


def _report(check: Check, verdict: Verdict, seed: int) -> str:
    lines = [f"{check.name}: {_headline(verdict)}"]
    if verdict.status is Status.PASSED:
        _given.pop(check.name, None)
        lines.append(check.title if verdict.message == "Right." else verdict.message)
        if isinstance(check.outputs, tuple) and None in check.outputs:
            lines.append("Your cache is not looked at here, but where it is used.")
        told = counted(check.name, 0, passed=True)
        return "\n".join([*lines, *verdict.warnings, *filter(None, [told])])
    told, help, level = _by_degrees(check, verdict)
    lines += [*filter(None, told.split("\n")), *verdict.warnings]
    if verdict.status is Status.CONVENTION:
        lines.append(
            "In the graded version this costs at most half of the points of one part, once in all "
            "parts together."
        )
    lines += [help] if help else []
    if not check.value and verdict.status not in (
        Status.UNFINISHED,
        Status.SKIPPED,
        Status.FORBIDDEN,
    ):
        lines.append(
            f'The inputs are random; check("{check.name}", seed={seed}) asks with the same ones.'
        )
        if check.cases is not None and not check.properties:
            lines.append(
                f'case("{check.name}", seed={seed}) gives the failing input, what came and '
                "what was expected."
            )
    if level is not None and (line := counted(check.name, level, passed=False)):
        lines.append(line)
    return "\n".join(lines)


def _by_degrees(check: Check, verdict: Verdict) -> tuple[str, str, int | None]:
    """What is said of a mistake, and what this call adds: nothing at first, then the hints, then
    the name of a known mistake; and which level of help that is, None where none can be given.

    A convention is named at once: there is nothing to be found out by thinking.
    """
    kind = (verdict.status, verdict.misconception, verdict.wrong)
    before, count = _given.get(check.name, (kind, 0))
    count = count if before == kind else 0
    _given[check.name] = (kind, count + 1)
    if verdict.status in (Status.UNFINISHED, Status.SKIPPED, Status.NOTED):
        return verdict.message, "", None
    hints = [f"Hint {k} of {len(verdict.hints)}: {hint}" for k, hint in enumerate(verdict.hints, 1)]
    if not verdict.named or verdict.status is Status.CONVENTION:
        if not hints:
            return verdict.message, "", 0
        more = " (call check again for the next one)" if count + 1 < len(hints) else ""
        level = min(count + 1, len(hints))
        return verdict.message, hints[level - 1] + more, level
    told = verdict.message.removeprefix(verdict.named).strip()
    steps = [
        "A known mistake explains this. Call check again for a hint.",
        *hints,
        f"The mistake: {verdict.named}",
    ]
    level = min(count, len(steps) - 1)
    return told, steps[level], level


def _tell_validate(name: str, text: str) -> None:
    """Let nbgrader's ``validate`` count a check that was not passed.

    It looks at the test cells only, and these hold no code: it would call an empty notebook a
    success. What one writes to stderr counts as its failure, so that the test cell that names this
    check says what the check said.
    """
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if not _for_validate and shell is not None:
        shell.events.register("pre_run_cell", _before_test_cell)
    _for_validate[name] = text


def _before_test_cell(info: Any) -> None:
    if any(
        line.strip() and not line.lstrip().startswith("#") for line in info.raw_cell.splitlines()
    ):
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
        f'<div style="border-left: 4px solid {colour}; padding-left: 0.8em"><strong>{sign} '
        f"{head}</strong>{body}</div>"
    )
    display({"text/plain": text, "text/html": block}, raw=True)


_LSTM_BPTT = Instant(CHECKS)
check, case = _LSTM_BPTT.check, _LSTM_BPTT.case
