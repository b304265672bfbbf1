"""Cases in which a function must raise an exception: an input that it cannot take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator

from verdict import compare
from verdict.check import Call, Case, Check, Misconception, Status, StudentError, Verdict
from verdict.compare import all_close, copy_tree, read


@dataclass(frozen=True)
class _Outcome:
    """What came of a case with ``raises``: names of the exception's classes, none where the call
    gave a result; and what is said where that is wrong.
    """

    case: Case
    kinds: tuple[str, ...]
    wrong: str


def asked_to_refuse(check: Check, call: Call, rng: Generator) -> Verdict:
    """Put a check to a function: first the cases that have a result, then those that must raise.

    Parameters
    ----------
    check, call, rng : as for `verdict.examine`
    """
    if check.cases is None:
        return compare.compared(check, call, rng)
    with np.errstate(all="ignore"):
        cases = check.cases(rng)
    refused = [case for case in cases if case.raises]
    if not refused:
        return compare.compared(replace(check, cases=lambda rng: cases), call, rng)
    asked = [case for case in cases if not case.raises]
    verdict = compare.compared(replace(check, cases=lambda rng: asked), call, rng)
    if verdict.credit <= 0 or verdict.status in (Status.TIMEOUT, Status.CRASHED):
        return verdict  # what raises whatever it is given is not right in a case that must raise
    outcomes = [_outcome(check, call, case) for case in refused]
    wrong = [outcome for outcome in outcomes if outcome.wrong]
    share = len(asked) / len(cases)
    more = (len(refused) - len(wrong)) / len(cases)
    verdict = replace(
        verdict,
        credit=verdict.credit * share + more,
        uncharged=verdict.uncharged * share + more if verdict.uncharged else 0.0,
    )
    if not wrong:
        return verdict
    told = " ".join(outcome.wrong for outcome in wrong)
    if verdict.status is not Status.PASSED:
        return replace(verdict, message=f"{verdict.message} {told}")
    mistake = _recognise_refusal(check, asked, outcomes)
    told = f"{told} In all other cases it is right."
    if mistake is None:
        return replace(verdict, status=Status.WRONG, message=told, hints=check.hints)
    return replace(
        verdict,
        status=mistake.status,
        message=f"{mistake.title} {told}",
        misconception=mistake.id,
        hints=mistake.hints,
        named=mistake.title,
    )


def _outcome(check: Check, call: Call, case: Case) -> _Outcome:
    label = f" (case: {case.label})" if case.label else ""
    try:
        call(*copy_tree(case.args))
    except StudentError as error:
        if case.raises in error.kinds:
            return _Outcome(case, error.kinds, "")
        what = f"it must raise {case.raises}, and this came{label}: {error}"
        return _Outcome(
            case,
            error.kinds or (error.status.value,),
            f"Where {check.function} is asked this, {what}",
        )
    return _Outcome(
        case, (), f"{check.function} gives a result where it must raise {case.raises}{label}."
    )


def _recognise_refusal(
    check: Check, asked: Sequence[Case], outcomes: Sequence[_Outcome]
) -> Misconception | None:
    """The one known mistake that is right wherever there is a result, and raises as the student's
    code does; None where none or several do.
    """
    found = [
        mistake
        for mistake in check.misconceptions
        if all(raised_by(mistake.function, o.case) == o.kinds[:1] for o in outcomes)
        and _is_right(check, mistake, asked)
    ]
    return found[0] if len(found) == 1 else None


def raised_by(function: Call, case: Case) -> tuple[str, ...]:
    """Name of the exception that a function raises in a case; none where it gives a result."""
    try:
        with np.errstate(all="ignore"):
            function(*copy_tree(case.args))
    except Exception as error:
        return (type(error).__name__,)
    return ()


def _is_right(check: Check, mistake: Misconception, cases: Sequence[Case]) -> bool:
    assert check.expected is not None
    for case in cases:
        right = read(check, check.expected(*copy_tree(case.args)), "the reference")
        try:
            with np.errstate(all="ignore"):
                got = read(check, mistake.function(*copy_tree(case.args)), mistake.id)
        except Exception:  # a wrong version may fail on an edge case
            return False
        if not all_close(got, right, check.tolerance):
            return False
    return True


def kinds_of(error: BaseException) -> tuple[str, ...]:
    """Names of an exception's class and of those that it is made from.

    >>> kinds_of(IndexError())
    ('IndexError', 'LookupError', 'Exception')
    """
    return tuple(kind.__name__ for kind in type(error).__mro__[:-2])
