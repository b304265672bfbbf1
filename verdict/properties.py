"""Ready properties of answers, for ``Check(properties=...)``.

Each function gives a `Property`. Results are named as in the check's ``outputs``, arguments by
their position, from 0. Indices are whole numbers, each part of a split an array of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from verdict import exact
from verdict.chance import FALSE_ALARM, binomial_bounds, dkw_bound
from verdict.check import Answer, Property
from verdict.compare import copy_tree, is_close, relative_error

Array = NDArray[Any]
Number: TypeAlias = "int | Callable[[Answer], int]"  # fixed, or as the arguments of a case have it

SAME = 1e-9  # relative: what two calls of one function may differ by, for the order of sums


# --- a split
# --------------------------------------------------------------------------------------------------


def disjoint(*names: str) -> Property:
    """No index is in two parts of a split, nor twice in one."""

    def test(answer: Answer) -> str:
        seen: dict[int, str] = {}
        for name in names:
            if (found := _indices(answer, name)) is None:
                return _no_indices(name)
            for index in found.tolist():
                if index in seen:
                    both = f"{seen[index]} and {name}" if seen[index] != name else f"{name}, twice"
                    return f"Index {index} is in {both}."
                seen[index] = name
        return ""

    return Property(
        "parts_overlap",
        "The parts of the split are not disjoint.",
        test,
        ("What does an example teach you that the model has seen in training?",),
    )


def complete(*names: str, of: int = 0) -> Property:
    """Each index of an argument's rows (or below the number that it is) is in one part or
    another.
    """

    def test(answer: Answer) -> str:
        argument = np.asarray(answer.args[of])
        rows = set(range(int(argument) if argument.ndim == 0 else len(argument)))
        used: set[int] = set()
        for name in names:
            if (found := _indices(answer, name)) is None:
                return _no_indices(name)
            used |= set(found.tolist())
        if missing := rows - used:
            return f"{len(missing)} of {len(rows)} are in none of them."
        more = used - rows
        return f"Index {min(more)} is in them, and there is no such row." if more else ""

    return Property(
        "parts_incomplete",
        "The parts of the split do not hold every row.",
        test,
        ("How long are the parts together?",),
    )


def in_order(*names: str, gap: int = 0) -> Property:
    """Each part of a split ends before the next one begins, with so many indices between them at
    least. No part is empty.
    """

    def test(answer: Answer) -> str:
        last, before = -1 - gap, ""
        for name in names:
            if (found := _indices(answer, name)) is None:
                return _no_indices(name)
            if not len(found):
                return f"{name} is empty."
            if before and found.min() <= last + gap:
                apart = f" with {gap} between them" if gap else ""
                return f"{name} does not begin after {before} ends{apart}."
            last, before = int(found.max()), name
        return ""

    return Property(
        "not_in_order",
        "The parts of the split do not follow each other in time.",
        test,
        ("Which rows would you have had on the day on which the model was trained?",),
    )


def _indices(answer: Answer, name: str) -> Array | None:
    """A part as whole numbers; None where it is something else."""
    part = np.ravel(answer.out[name])
    if part.dtype == object or not (np.abs(part) < 2**53).all() or (part != np.floor(part)).any():
        return None
    return part.astype(np.int64)


def _no_indices(name: str) -> str:
    return f"{name} holds something else than indices."


# --- one right result, within a budget
# --------------------------------------------------------------------------------------------------


def as_expected(*names: str, tolerance: float = 1e-6) -> Property:
    """These results are those of the check's ``expected``: for a check that has a budget as well.

    Parameters
    ----------
    names : results
    tolerance : largest error, relative to the largest expected number of the result
    """

    def test(answer: Answer) -> str:
        right = answer.expected()
        wrong = [name for name in names if not is_close(answer.out[name], right[name], tolerance)]
        return f"{wrong[0]} is wrong." if wrong else ""

    return Property(
        "not_as_expected",
        "It is another result than the one that is asked for.",
        test,
        ("Work it out by hand for a small case.",),
    )


# --- what a result may depend on
# --------------------------------------------------------------------------------------------------


def fitted_on_train(
    *names: str, change: Callable[[tuple[Any, ...]], tuple[Any, ...]] | None = None, test: int = 1
) -> Property:
    """These results stay what they are when the test data are others.

    Parameters
    ----------
    names : results, such as a scaled training set, a mean, a vocabulary
    change : arguments -> the same with other test data; when left out, the argument at the position
        ``test`` is an array, and other numbers take its place
    test : position of the test data
    """

    def other(args: tuple[Any, ...]) -> tuple[Any, ...]:
        if change is not None:
            return change(copy_tree(args))
        data = np.asarray(args[test], dtype=np.float64)
        return (*args[:test], 7.0 * data[::-1] + 11.0, *args[test + 1 :])

    def holds(answer: Answer) -> str:
        changed = _changed(answer, answer.again(*other(answer.args)), names)
        return f"{changed} changes when only the test data change." if changed else ""

    return Property(
        "fitted_on_test",
        "It is fitted on the test data, too.",
        holds,
        ("From which rows is the mean taken, or the vocabulary?",),
    )


def repeatable(*names: str) -> Property:
    """Two calls with the same arguments, generators included, give the same."""

    def test(answer: Answer) -> str:
        changed = _changed(answer, answer.again(*answer.args), names)
        return f"{changed} is another one in a second call." if changed else ""

    return Property(
        "not_repeatable",
        "Two calls with the same arguments do not give the same.",
        test,
        ("From which generator are the random numbers drawn?",),
    )


def drawn_from(of: int, *names: str) -> Property:
    """With a generator of another seed at this position, a result of these is another one."""

    def test(answer: Answer) -> str:
        seed = int(copy_tree(answer.args[of]).integers(2**32))
        args = (*answer.args[:of], np.random.default_rng(seed), *answer.args[of + 1 :])
        if _changed(answer, answer.again(*args), names):
            return ""
        return "It is the same for two different seeds."

    return Property(
        "not_drawn",
        "The random numbers do not come from the generator that is given.",
        test,
        ("What is the generator among the arguments for?",),
    )


def _changed(answer: Answer, again: Any, names: tuple[str, ...]) -> str:
    """The first of these results that another call does not give as well; empty where there is
    none.
    """
    for name in names or tuple(answer.out):
        first, second = answer.out[name], again[name]
        same = first.shape == second.shape and (
            relative_error(second, first) <= SAME
            or (first.dtype != object and np.array_equal(first, second, equal_nan=True))
        )
        if not same:
            return name
    return ""


# --- what a result must hold
# --------------------------------------------------------------------------------------------------


def exactly_zeros(name: str, k: Number) -> Property:
    """A result has exactly k entries that are 0; k may follow from the answer's arguments."""

    def test(answer: Answer) -> str:
        wanted = _number(k, answer)
        found = int((answer.out[name] == 0).sum())
        return "" if found == wanted else f"{name} has {found} zeros, and {wanted} were asked for."

    return Property(
        "wrong_number_of_zeros",
        "The number of zeros is not the one that is asked for.",
        test,
        ("How many entries are there, and how many are to stay?", "What of two that are equal?"),
    )


def largest_kept(name: str, of: int = 0) -> Property:
    """What is not 0 in a result is as it was in the argument, and no entry that is 0 was larger in
    absolute value; which of several equal ones is 0 does not matter.
    """

    def test(answer: Answer) -> str:
        before = np.asarray(answer.args[of], dtype=np.float64)
        after = answer.out[name]
        if after.shape != before.shape:
            return f"{name} has the shape {after.shape}, and {before.shape} was given."
        kept = after != 0
        if relative_error(after[kept], before[kept]) > SAME or not np.isfinite(after).all():
            return f"Entries of {name} that are kept are not what they were."
        removed = np.abs(before[~kept]).max(initial=0.0)
        if removed > np.abs(before[kept]).min(initial=np.inf):
            return f"{name} lacks entries that are larger than some that are kept."
        return ""

    return Property(
        "not_the_smallest",
        "It does not keep the largest entries as they are.",
        test,
        ("Does the sign of an entry matter?",),
    )


# --- functions that are given
# --------------------------------------------------------------------------------------------------


def at_most_calls(of: int, n: Number) -> Property:
    """The function at this position is called n times at most, and once at least."""

    def test(answer: Answer) -> str:
        count, most = answer.calls[of].count, _number(n, answer)
        if count == 0:
            return "It was not called at all."
        return "" if count <= most else f"It was called {count} times, and {most} are allowed."

    return Property(
        "over_budget",
        "The function that is given is not called as often as is asked for.",
        test,
        ("How often is it called for one candidate?",),
    )


def at_most_bytes(of: int, n: Number) -> Property:
    """What the function at this position gives takes n bytes at most, all calls together: 8 a
    number, or what an array of another type has. So a student's function reads a part only, or
    each part once.
    """

    def test(answer: Answer) -> str:
        gave, most = answer.calls[of].gave, _number(n, answer)
        return "" if gave <= most else f"It gave {gave:,} bytes, and {most:,} are allowed."

    return Property(
        "too_much_read",
        "More is asked of the function that is given than is allowed.",
        test,
        ("What is asked for twice?", "What must be in memory at one time?"),
    )


def best_of_tried(name: str, of: int, largest: bool = False, value: str = "") -> Property:
    """A result is what the function at this position gave its smallest number for, of all with
    which it was called.

    Parameters
    ----------
    name : result: the argument of the best call, or the tuple of its arguments
    of : position of the function
    largest : whether the largest number is the best one
    value : result that is the best number itself; empty where it is not returned
    """

    def test(answer: Answer) -> str:
        calls = answer.calls[of]
        if calls.cut:
            return "It was asked about more than can be kept track of."
        tried = [(_argument(args), _plain_number(number)) for args, number in calls.kept]
        tried = [(args, -number if largest else number) for args, number in tried]
        if not tried or all(np.isnan(number) for _, number in tried):
            return "Nothing was tried."
        best = min(number for _, number in tried if not np.isnan(number))
        chosen = [number for args, number in tried if exact.same(_tree(answer.out[name]), args)]
        if not chosen:
            return f"{name} is none of the {len(tried)} that were tried."
        if not min(chosen) <= best:
            return f"{name} is not the best of the {len(tried)} that were tried."
        measured = -best if largest else best
        told = _plain_number(answer.out[value]) if value else measured
        if not np.isclose(told, measured, rtol=1e-6, atol=1e-9):
            return f"{value} is not what was measured for it."
        return ""

    return Property(
        "not_the_best",
        "It does not give the best of those that were tried.",
        test,
        ("Is smaller better here, or larger?", "What does the search remember from step to step?"),
    )


def _argument(args: tuple[Any, ...]) -> Any:
    try:
        return exact.tree(args[0] if len(args) == 1 else args)
    except TypeError:
        return None


def _plain_number(value: Any) -> float:
    try:
        return float(np.asarray(value).reshape(()))
    except (TypeError, ValueError):
        return float("nan")


def _tree(result: Array) -> Any:
    return result.item() if result.dtype == object else exact.tree(result)


def _number(n: Number, answer: Answer) -> int:
    return n(answer) if callable(n) else n


# --- chance
# --------------------------------------------------------------------------------------------------


def happens(
    id: str,
    title: str,
    event: Callable[[Answer], Array],
    chance: float | Callable[[Answer], float],
    hints: tuple[str, ...] = (),
    false_alarm: float = FALSE_ALARM,
) -> Property:
    """Something happens as often as it must, up to chance.

    Parameters
    ----------
    id, title : of the mistake where it does not
    event : answer -> for each of independent draws whether it happened
    chance : of it, in each draw; may follow from the answer's arguments
    hints : shown by degrees
    false_alarm : largest probability that a right function is failed
    """

    def test(answer: Answer) -> str:
        drawn = np.ravel(event(answer)).astype(bool)
        if not drawn.size:
            return "Nothing was drawn."
        wanted = chance(answer) if callable(chance) else chance
        low, high = binomial_bounds(drawn.size, wanted, false_alarm)
        count = int(drawn.sum())
        if low <= count <= high:
            return ""
        often = "seldom" if count < low else "often"
        return f"It happens too {often} for chance: {count} times in {drawn.size}."

    return Property(id, title, test, hints, false_alarm)


def distributed(
    id: str,
    title: str,
    sample: Callable[[Answer], Array],
    cdf: Callable[[Array], Array],
    hints: tuple[str, ...] = (),
    false_alarm: float = FALSE_ALARM,
) -> Property:
    """Independent draws come from a continuous distribution, up to chance.

    Parameters
    ----------
    id, title : of the mistake where they do not
    sample : answer -> the draws, in the form in which cdf takes them
    cdf : numbers -> probability of a number that is not larger, for each of them
    hints : shown by degrees
    false_alarm : largest probability that a right function is failed
    """

    def test(answer: Answer) -> str:
        drawn = np.sort(np.ravel(sample(answer)).astype(np.float64))
        n = drawn.size
        if n == 0 or not np.isfinite(drawn).all():
            return "Some of the draws are no numbers."
        right = np.asarray(cdf(drawn))
        steps = np.arange(n + 1) / n
        far = max(float((steps[1:] - right).max()), float((right - steps[:-1]).max()))
        return "" if far <= dkw_bound(n, false_alarm) else f"{n} draws are too far from it."

    return Property(id, title, test, hints, false_alarm)
