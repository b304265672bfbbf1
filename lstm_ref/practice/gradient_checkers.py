"""How a student's gradient checker is examined: on gradients that are right and on gradients that
are wrong.

A checker sees the loss and the gradient as functions that it may call and cannot read. Every call
is recorded, so that a checker that fails can be told how it fails: the evidence is where it
evaluated the loss, and what it returned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.random import Generator

from lstm_ref import zoo
from lstm_ref.errors import Array
from lstm_ref.sequence import lstm_backward, lstm_forward
from verdict import Misconception, Status, StudentError, Verdict
from verdict.check import Call

Params = dict[str, Array]
# backward pass -> gradient by it
Gradient: TypeAlias = Callable[[Call], Callable[[Params], Params]]
# loss, gradient, where
Problem: TypeAlias = tuple[Callable[[Params], float], Callable[[Params], Params], Params]

RIGHT_BELOW = 1e-6
WRONG_ABOVE = 1e-4
# A right checker must not fail by the luck of the draw, by whichever relative error it measures.
# Centred differences at eps = 1e-5 are off by about 1e-10 here, so that even a single number of
# this size agrees to 1e-7; and a wrong gradient is off by at least this much.
SMALLEST_NUMBER = 1e-3
SMALLEST_MISTAKE = 1e-2


@dataclass(eq=False)  # a pair is itself, however alike another one looks
class Pair:
    """A loss with a gradient that is right or wrong, and what the checker asked of them.

    ``loss`` and ``grad`` never raise: asked for something that is no set of parameters they return
    NaN and take a note.
    """

    label: str
    params: Params
    true_loss: Callable[[Params], float]
    true_grad: Callable[[Params], Params]
    right: bool
    eps: float | None = None
    grad_moved: bool = False
    single_precision: bool = False
    complaint: str = ""
    _moves: list[Array] = field(default_factory=list)  # a loss call each: how far every entry moved

    def __post_init__(self) -> None:
        self._entries = [
            (name, k) for name, array in self.params.items() for k in range(array.size)
        ]
        self._start = _in_one_row(self.params)

    def loss(self, params: Any) -> float:
        """Loss at these parameters, as the checker sees it."""
        values = self._read("loss", params)
        if values is None:
            return float("nan")
        with np.errstate(all="ignore"):  # the student's own settings are for the student's own code
            self._moves.append(self._difference(values))
            return float(self.true_loss(values))

    def grad(self, params: Any) -> Params:
        """Gradient at these parameters, as the checker sees it."""
        values = self._read("grad", params)
        if values is None:
            return {name: np.full(array.shape, np.nan) for name, array in self.params.items()}
        with np.errstate(all="ignore"):
            self.grad_moved = self.grad_moved or bool(self._difference(values).any())
            return {name: np.array(array) for name, array in self.true_grad(values).items()}

    @property
    def moved(self) -> list[dict[tuple[str, int], float]]:
        """For each time that the loss was asked for: entry that was not where it stands in
        ``params`` -> how far it was.
        """
        return [
            {self._entries[k]: float(move[k]) for k in np.flatnonzero(move)} for move in self._moves
        ]

    def covers_every_entry(self) -> bool:
        """Whether the loss was evaluated with each single entry moved, or with many moved
        together.
        """
        touched = {entry for move in self.moved for entry in move}
        return len(touched) == sum(array.size for array in self.params.values())

    def _difference(self, values: Params) -> Array:
        difference: Array = _in_one_row(values) - self._start
        return difference

    def _read(self, function: str, params: Any) -> Params | None:
        if not isinstance(params, Mapping) or set(params) != set(self.params):
            came = (
                f"the names {', '.join(map(_spelled, [*params][:8]))}"
                if isinstance(params, Mapping)
                else type(params).__name__
            )
            self._complain(
                f"{function} was called with {came}; it takes a dict with {', '.join(self.params)}."
            )
            return None
        values = {}
        for name, right in self.params.items():
            try:
                array = np.asarray(params[name])
                values[name] = array.astype(np.float64)
            except Exception:  # whatever a checker passes on, the examination goes on
                self._complain(f"{function} was called with something that is no array for {name}.")
                return None
            if array.shape != right.shape:
                self._complain(
                    f"{function} was called with {name} of shape {array.shape}; it has "
                    f"{right.shape}."
                )
                return None
            self.single_precision = self.single_precision or array.dtype == np.float32
        return values

    def _complain(self, text: str) -> None:
        self.complaint = self.complaint or text


def _spelled(name: Any) -> str:
    """A name; as Python shows it where it could hold anything, such as line breaks."""
    plain = isinstance(name, str) and name.isidentifier()
    return str(name)[:40] if plain else repr(name)[:40]


def _in_one_row(params: Params) -> Array:
    return np.concatenate([array.ravel() for array in params.values()])


@dataclass(frozen=True)
class Twins:
    """One loss with a right and a wrong gradient: nothing but the numbers tells the two apart."""

    loss: Callable[[Params], float]
    params: Params
    right: Callable[[Params], Params]
    wrong: Callable[[Params], Params]
    right_label: str
    wrong_label: str
    eps: float | None = None

    def pair(self, right: bool) -> Pair:
        """The loss with one of its gradients, nothing asked yet."""
        label, grad = (self.right_label, self.right) if right else (self.wrong_label, self.wrong)
        return Pair(label, self.params, self.loss, grad, right, self.eps)


def draw_twins(rng: Generator, bugs: Sequence[str]) -> list[Twins]:
    """Losses, each with a right and a wrong gradient; those of the zoo's ``bugs`` among the wrong.

    The first is the whole LSTM. Those of the zoo have one input, and of their parameters only two
    are the checker's, the one that shows the mistake most clearly among them: a checker asks for
    the loss twice for each number, and through the wall of a sandbox that is most of the time that
    it takes to grade it.
    """
    loss, grad, params = _lstm(rng)
    return [
        Twins(
            loss,
            params,
            grad,
            _last_entry_off(grad),
            "an LSTM and its right gradient",
            "an LSTM and a gradient with a single wrong number, the very last",
        ),
        _curved(rng),
        _idle(rng),
        Twins(
            lambda p: 1e7 * loss(p),
            params,
            _times(1e7, grad),
            _wrong_sign_of("b", _times(1e7, grad)),
            LARGE_LOSS,
            "a very large loss, the gradient of one parameter with the wrong sign",
        ),
        *(_by_a_bug(zoo.find(id), rng) for id in bugs),
        *_scaled(rng),
    ]


LARGE_LOSS = "a very large loss and its right gradient"
SMALL_LOSS = "a very small loss, its gradient with the wrong sign"
CURVED = "a loss with strong curvature, a parameter with three axes and one with a single entry"


def _curved(rng: Generator) -> Twins:
    return Twins(
        lambda p: float(sum(np.exp(4 * array).sum() for array in p.values())),
        {"v": rng.uniform(0.5, 1.0, size=(2, 1, 3)), "s": rng.uniform(0.5, 1.0, size=1)},
        lambda p: {name: 4 * np.exp(4 * array) for name, array in p.items()},
        lambda p: {name: np.exp(4 * array) for name, array in p.items()},
        CURVED,
        "a loss with strong curvature, its gradient without the inner derivative",
        eps=1e-5,
    )


def _idle(rng: Generator) -> Twins:
    return Twins(
        lambda p: float((p["w"] ** 2).sum()),
        {"w": rng.uniform(0.5, 1.5, size=3), "idle": rng.normal(size=2)},
        lambda p: {"w": 2 * p["w"], "idle": np.zeros(2)},
        lambda p: {"w": 2 * p["w"], "idle": p["idle"]},
        "a parameter that the loss does not depend on",
        "a gradient for a parameter that the loss does not depend on",
    )


def _by_a_bug(bug: zoo.Bug, rng: Generator) -> Twins:
    loss, wrong, right, params = _lstm_with(bug, rng)
    label = f"an LSTM with a wrong gradient ({bug.id})"
    return Twins(loss, params, right, wrong, "a small LSTM and its right gradient", label)


def _scaled(rng: Generator) -> Iterator[Twins]:
    """Gradients that are wrong as a whole, each of an LSTM of its own."""

    def draw(factor: float, wrong: float, right_label: str, wrong_label: str) -> Twins:
        loss, grad, params = _of_some(("h0", "b"), _lstm(rng, D=1))
        return Twins(
            lambda p: factor * loss(p),
            params,
            _times(factor, grad),
            _times(wrong, grad),
            right_label,
            wrong_label,
        )

    yield draw(1e-7, -1e-7, "a very small loss and its right gradient", SMALL_LOSS)
    yield draw(
        1.0,
        2.0,
        "two parameters of an LSTM and their right gradient",
        "a gradient that is twice as large as it should be",
    )
    yield draw(
        1.0, 0.0, "two parameters of an LSTM and their right gradient", "a gradient of zeros"
    )


def _times(factor: float, grad: Callable[[Params], Params]) -> Callable[[Params], Params]:
    return lambda p: {name: factor * array for name, array in grad(p).items()}


def _wrong_sign_of(name: str, grad: Callable[[Params], Params]) -> Callable[[Params], Params]:
    def wrong(p: Params) -> Params:
        grads = grad(p)
        return {**grads, name: -grads[name]}

    return wrong


def _last_entry_off(grad: Callable[[Params], Params]) -> Callable[[Params], Params]:
    def wrong(p: Params) -> Params:
        grads = grad(p)
        last = list(grads)[-1]
        grads[last].flat[-1] += 0.5 * np.linalg.norm(grads[last])
        return grads

    return wrong


def _lstm(rng: Generator, D: int = 2) -> Problem:
    """A small LSTM, a loss that looks at every h and at the last c, and its right gradient."""
    for loss, gradient, params in _lstms(rng, D):
        right = gradient(lstm_backward)
        if _far_from_rounding(right(params)) and _is_curved(loss, right, params):
            return loss, right, params
    raise AssertionError("no LSTM was drawn on which every number of the gradient counts")


def _lstm_with(
    bug: zoo.Bug, rng: Generator
) -> tuple[
    Callable[[Params], float], Callable[[Params], Params], Callable[[Params], Params], Params
]:
    """Loss of such an LSTM in two of its parameters, a wrong gradient that shows in one of them,
    and the right one.
    """
    for loss, gradient, params in _lstms(rng, D=1):
        wrong, right = gradient(bug.lstm_backward), gradient(lstm_backward)
        truth = right(params)
        differences = {
            name: _relative_difference(array, truth[name]) for name, array in wrong(params).items()
        }
        clearest = max(differences, key=lambda name: differences[name])
        names = (clearest, rng.choice([name for name in ("h0", "c0") if name != clearest]))
        if differences[clearest] <= SMALLEST_MISTAKE:
            continue
        part_loss, part_right, part = _of_some(names, (loss, right, params))
        if _far_from_rounding(part_right(part)):
            return part_loss, _of_some(names, (loss, wrong, params))[1], part_right, part
    raise AssertionError(f"no LSTM was drawn on which {bug.id} shows clearly")


def _of_some(names: Sequence[str], problem: Problem) -> Problem:
    """The loss and its gradient in some of the parameters; the others stay as they are."""
    loss, grad, params = problem

    def all_of(p: Params) -> Params:
        return {**params, **p}

    def some_grad(p: Params) -> Params:
        return {name: array for name, array in grad(all_of(p)).items() if name in p}

    return (
        lambda p: loss(all_of(p)),
        some_grad,
        {name: array for name, array in params.items() if name in names},
    )


def _lstms(rng: Generator, D: int) -> Iterator[tuple[Callable[[Params], float], Gradient, Params]]:
    """LSTMs to choose from: the loss, backward pass -> gradient, and the parameters."""
    N, T, H = 2, 3, 1
    shapes = {"h0": (N, H), "c0": (N, H), "Wx": (D, 4 * H), "Wh": (H, 4 * H), "b": (4 * H,)}
    for _ in range(1000):
        x, dh, dcT = rng.normal(size=(N, T, D)), rng.normal(size=(N, T, H)), rng.normal(size=(N, H))
        params = {
            name: rng.normal(scale=1.0 if name in ("h0", "c0") else 0.5, size=size)
            for name, size in shapes.items()
        }
        yield lstm_loss(x, dh, dcT), _gradient_by(x, dh, dcT), params


def _far_from_rounding(gradient: Params) -> bool:
    """Whether no number is nearly zero, as in one of a hundred draws: a right checker would be
    blamed for the draw.
    """
    return min(float(np.abs(array).min()) for array in gradient.values()) >= SMALLEST_NUMBER


def _gradient_by(x: Array, dh: Array, dcT: Array) -> Gradient:
    def gradient(backward: Call) -> Callable[[Params], Params]:
        def grad(p: Params) -> Params:
            with np.errstate(all="ignore"):
                cache = lstm_forward(x, p["h0"], p["c0"], p["Wx"], p["Wh"], p["b"])[2]
                grads = backward(dh, cache, dcT)
            return {name: np.array(getattr(grads, f"d{name}")) for name in p}

        return grad

    return gradient


def _is_curved(
    loss: Callable[[Params], float], grad: Callable[[Params], Params], params: Params
) -> bool:
    """Whether a one-sided difference is seen to be too inexact: else that mistake would cost more
    in one draw than in another.
    """
    one_sided = check_gradients_plainly(loss, grad, params, backward_step=False, divisor=1.0)
    return max(map(float, one_sided.values())) > 3 * RIGHT_BELOW


def _relative_difference(a: Array, b: Array) -> float:
    size = np.linalg.norm(a) + np.linalg.norm(b)
    return float(np.linalg.norm(a - b) / size) if size else 0.0


def lstm_loss(x: Array, dh: Array, dcT: Array) -> Callable[[Params], float]:
    """Sum of dh * h over all steps of an LSTM plus sum of dcT * cT, as a function of h0, c0, Wx, Wh
    and b.

    The numbers are those of `lstm_ref.lstm_forward`. It does not look at its arguments and keeps no
    cache: a checker asks it a thousand times, and each time it looked at everything would take
    three times as long.

    Parameters
    ----------
    x : (N, T, D)
    dh : (N, T, H)
    dcT : (N, H)
    """
    H = dh.shape[2]
    # sigmoid(a) = 0.5 tanh(0.5 a) + 0.5, so that one tanh does for all four gates.
    scale, shift = np.repeat([0.5, 0.5, 1.0, 0.5], H), np.repeat([0.5, 0.5, 0.0, 0.5], H)
    x, dh = x.swapaxes(0, 1).copy(), dh.swapaxes(0, 1).copy()

    def loss(p: Params) -> float:
        h, c, Wh = p["h0"], p["c0"], p["Wh"] * scale
        hs = []
        for a_x in (x @ p["Wx"] + p["b"]) * scale:
            gates = np.tanh(a_x + h @ Wh) * scale + shift
            c = gates[:, H : 2 * H] * c + gates[:, :H] * gates[:, 2 * H : 3 * H]
            h = gates[:, 3 * H :] * np.tanh(c)
            hs.append(h)
        return float(np.vdot(dh, np.array(hs)) + np.vdot(dcT, c))

    return loss


def examine_checker(bugs: Sequence[str]) -> Callable[[Call, Generator], Verdict]:
    """Examination of a checker on right gradients and on wrong ones, those of ``bugs`` among them.

    Each loss comes with both, in an order that is drawn: neither names nor shapes nor the number of
    calls so far tell a right gradient from a wrong one. Credit is the share of wrong gradients
    found plus the share of right ones accepted, less one (Youden's index), so that whatever does
    not look at the numbers gets nothing on average; and nothing is given where an entry was never
    moved.
    """

    def examine(call: Call, rng: Generator) -> Verdict:
        twins = draw_twins(rng, bugs)
        pairs = [*(each.pair(True) for each in twins), *(each.pair(False) for each in twins)]
        readings: list[dict[str, float] | Verdict] = [{} for _ in pairs]
        for k in rng.permutation(len(pairs)):
            pair = pairs[k]
            arguments = (
                pair.loss,
                pair.grad,
                {name: array.copy() for name, array in pair.params.items()},
            )
            try:
                value = call(*arguments) if pair.eps is None else call(*arguments, pair.eps)
            except StudentError as error:
                return Verdict(error.status, _and_complaint(str(error), pair))
            readings[k] = _read_result(value, pair)
        # Asked in a drawn order, told in a fixed one: the same mistake gets the same sentence.
        unreadable = next((each for each in readings if isinstance(each, Verdict)), None)
        if unreadable is not None:
            return unreadable
        return _judge(pairs, [each for each in readings if isinstance(each, dict)])

    return examine


def _read_result(value: Any, pair: Pair) -> dict[str, float] | Verdict:
    if value is None:
        message = (
            "gradient_check returned None; it must return a dict: name -> error. Is there a return "
            "at the end?"
        )
        return Verdict(Status.ERROR, _and_complaint(message, pair))
    if not isinstance(value, Mapping):
        return _named("no_dict", f"A {type(value).__name__} came back.")
    missing = [name for name in pair.params if name not in value]
    if missing:
        return _named(
            "skips_parameter", f"There is no error for {', '.join(missing)} ({pair.label})."
        )
    errors = {}
    for name in pair.params:
        try:
            number = np.asarray(value[name])
            if number.dtype.kind == "b":
                return _named("truth_value", "")
            if number.size != 1 or number.dtype.kind not in "iuf":
                raise TypeError
            errors[name] = float(number.reshape(()))
        except (TypeError, ValueError):
            message = (
                f"gradient_check must return one number for {name}; something else came "
                f"({pair.label})."
            )
            return Verdict(Status.ERROR, _and_complaint(message, pair))
    return errors


def _judge(pairs: list[Pair], results: list[dict[str, float]]) -> Verdict:
    accepted = [all(0 <= error <= RIGHT_BELOW for error in result.values()) for result in results]
    found = [any(error > WRONG_ABOVE for error in result.values()) for result in results]
    right = [k for k, pair in enumerate(pairs) if pair.right]
    wrong = [k for k, pair in enumerate(pairs) if not pair.right]
    alarms = [pairs[k] for k in right if not accepted[k]]
    missed = [pairs[k] for k in wrong if not found[k]]
    moved_all = all(pair.covers_every_entry() for pair in pairs)
    if not alarms and not missed and moved_all:
        return Verdict(
            Status.PASSED,
            (
                f"Right: it accepts {len(right)} right gradients and finds all {len(wrong)} wrong "
                "ones."
            ),
            1.0,
        )
    credit = max(0.0, 1 - len(alarms) / len(right) - len(missed) / len(wrong)) * moved_all
    message = _told(alarms, len(right), missed, len(wrong))
    complaint = next((pair.complaint for pair in pairs if pair.complaint), "")
    if complaint:
        return Verdict(Status.WRONG, f"{complaint} {message}", credit)
    id = _diagnose(pairs, results, alarms, missed)
    if id is None:
        return Verdict(
            Status.WRONG,
            f"{message} The mistake is not one of those that are known here.",
            credit,
            hints=GENERAL_HINTS,
        )
    # Which of the right gradients a one-sided difference accepts is the luck of the draw.
    return _named(id, message, 0.0 if id == "one_sided" else credit)


def _told(alarms: list[Pair], right: int, missed: list[Pair], wrong: int) -> str:
    """How many right gradients are reported as wrong, how many wrong ones are not found, and one of
    each.
    """
    parts = []
    if alarms:
        parts.append(
            f"{len(alarms)} of {right} right gradients are reported as wrong (error above "
            f"{RIGHT_BELOW:.0e}), for example: {alarms[0].label}."
        )
    if missed:
        parts.append(
            f"{len(missed)} of {wrong} wrong gradients are not found (no error above "
            f"{WRONG_ABOVE:.0e}), for example: {missed[0].label}."
        )
    return " ".join(parts)


def _diagnose(
    pairs: list[Pair], results: list[dict[str, float]], alarms: list[Pair], missed: list[Pair]
) -> str | None:
    """The kind of mistake, where the record leaves no doubt; the first that fits explains those
    after it.
    """
    moves = [move for pair in pairs for move in pair.moved]
    if not moves:
        return "loss_not_called"
    if any(pair.single_precision for pair in pairs):
        return "single_precision"
    if any(pair.grad_moved for pair in pairs):
        return "gradient_moved"
    single = [next(iter(move.values())) for move in moves if len(move) == 1]
    if not single and not any(moves):
        return "never_moved"
    if any(error < -WRONG_ABOVE for result in results for error in result.values()):
        return "no_absolute_value"
    if not all(pair.covers_every_entry() for pair in pairs):
        return "skips_entries"
    if _accumulates(pairs[0]):
        return "not_restored"
    if alarms and single and (min(single) > 0 or max(single) < 0):
        return "one_sided"
    if alarms and _off_by_two(results):
        return "wrong_divisor"
    if (
        any(np.isnan(error) for pair in alarms for error in results[pairs.index(pair)].values())
        and len(alarms) == 1
    ):
        return "zero_by_zero"
    labels = {pair.label for pair in (*alarms, *missed)}
    if labels and labels <= {LARGE_LOSS, SMALL_LOSS, CURVED}:
        return "absolute_error"
    return None


def _accumulates(pair: Pair) -> bool:
    """Whether the entries that were moved stay moved: then more and more of them differ from the
    parameters given.
    """
    counts = [len(move) for move in pair.moved]
    entries = sum(array.size for array in pair.params.values())
    # A projection moves all entries at once from the start; that is another method, not this
    # mistake.
    return (
        max(counts) > 1 and min(count for count in counts if count) == 1 and max(counts) <= entries
    )


def _off_by_two(results: list[dict[str, float]]) -> bool:
    """Whether the right LSTM's errors are those of a factor 2: 1/3 by norms added, 1/2 by the
    larger of two.
    """
    errors = np.array(list(results[0].values()))
    return any(bool(np.abs(errors - factor).max() < 1e-3) for factor in (1 / 3, 1 / 2))


def _and_complaint(message: str, pair: Pair) -> str:
    return f"{pair.complaint} {message}" if pair.complaint else message


def _named(id: str, message: str, credit: float = 0.0) -> Verdict:
    mistake = next(mistake for mistake in CHECKER_MISCONCEPTIONS if mistake.id == id)
    told = f"{mistake.title} {message}".strip()
    return Verdict(Status.WRONG, told, credit, id, mistake.hints, named=mistake.title)


GENERAL_HINTS = (
    "Try your checker on a loss that you can differentiate by hand, such as the sum of w**2.",
    "Print the numerical and the analytic gradient side by side.",
)


def check_gradients_plainly(
    loss: Any,
    grad: Any,
    params: Any,
    eps: float = 1e-5,
    *,
    numerator: Callable[[Any, Any], Any] = lambda a, n: np.linalg.norm(a - n),
    denominator: Callable[[Any, Any], Any] = lambda a, n: np.linalg.norm(a) + np.linalg.norm(n),
    backward_step: bool = True,
    divisor: float = 2.0,
    restore: bool = True,
    names: Callable[[list[str]], list[str]] = lambda names: names,
    every: int = 1,
    zero: float = 0.0,
    dtype: Any = np.float64,
    gradient_first: bool = True,
) -> dict[str, Any]:
    """A checker with switches: as it stands it is right, and each known mistake is one switch.

    Returns
    -------
    dict : name -> ||a - n|| / (||a|| + ||n||) for the analytic gradient a and the numerical
        gradient n
    """
    params = {name: np.array(array, dtype) for name, array in params.items()}
    analytic = grad(params) if gradient_first else None
    errors = {}
    for name in names(list(params)):
        array, numerical = params[name], np.zeros(params[name].shape)
        for k in range(0, array.size, every):
            old = array.flat[k]
            array.flat[k] = old + eps
            above = loss(params)
            array.flat[k] = old - eps if backward_step else old
            below = loss(params)
            if restore:
                array.flat[k] = old
            numerical.flat[k] = (above - below) / (divisor * eps)
        if not gradient_first:
            array.flat[0] += eps
        a = np.asarray(analytic[name] if analytic is not None else grad(params)[name])
        if every > 1:
            a = a.ravel()[::every]
            numerical = numerical.ravel()[::every]
        scale = denominator(a, numerical)
        with np.errstate(all="ignore"):
            errors[name] = numerator(a, numerical) / scale if scale != 0 else zero
    return errors


def _with(**switches: Any) -> Call:
    return lambda loss, grad, params, eps=1e-5: check_gradients_plainly(
        loss, grad, params, eps, **switches
    )


def _itself(loss: Any, grad: Any, params: Any, eps: float = 1e-5) -> Any:
    a, again = grad(params), grad(params)
    return {name: float(np.abs(a[name] - again[name]).max()) for name in params}


CHECKER_MISCONCEPTIONS = (
    Misconception(
        "no_dict",
        "gradient_check must return a dict with one error for each parameter, by its name.",
        lambda *arguments: max(check_gradients_plainly(*arguments).values()),
        (
            (
                "One number cannot say which parameter is wrong. What should the caller be able to "
                "look up?"
            ),
        ),
    ),
    Misconception(
        "truth_value",
        "gradient_check returns a truth value; the error itself is asked for, as a number.",
        lambda *arguments: {
            name: error < 1e-5 for name, error in check_gradients_plainly(*arguments).items()
        },
        ("Leave the comparison with a threshold to the caller.",),
    ),
    Misconception(
        "skips_parameter",
        "A parameter is left out.",
        _with(names=lambda names: names[:-1]),
        (
            "Compare the keys of your result with the keys of params.",
            "Is a return inside the loop?",
        ),
    ),
    Misconception(
        "skips_entries",
        (
            "Not every entry of every parameter is moved, so that a wrong number elsewhere is not "
            "seen."
        ),
        _with(every=2),
        (
            "How many entries has Wx, and how many did you move?",
            "Go through the flat array: array.flat[k] for each k.",
        ),
    ),
    Misconception(
        "loss_not_called",
        "The loss is never evaluated, so there is no numerical gradient to compare with.",
        _itself,
        (
            "Where does your numerical gradient come from?",
            "It needs the loss at two points for each entry.",
        ),
    ),
    Misconception(
        "never_moved",
        "The loss is always evaluated at the very same parameters.",
        lambda loss, grad, params, eps=1e-5: check_gradients_plainly(
            lambda _: loss(params), grad, params, eps
        ),
        (
            "Print one entry inside the loss's arguments: does it change?",
            "Do you move a copy, and pass the original?",
        ),
    ),
    Misconception(
        "one_sided",
        (
            "The difference is one-sided: (loss(w + eps) - loss(w)) / eps is too inexact for this "
            "test."
        ),
        _with(backward_step=False, divisor=1.0),
        (
            "How does your error change when eps is halved?",
            "A centred difference has an error of the order eps**2.",
        ),
    ),
    Misconception(
        "wrong_divisor",
        (
            "The numerical gradient is off by a constant factor: look at what the difference is "
            "divided by."
        ),
        _with(divisor=1.0),
        (
            "Try it on the loss w**2 at w = 3 and print the numerical gradient.",
            "How far apart are your two points?",
        ),
    ),
    Misconception(
        "not_restored",
        (
            "An entry that was moved is not put back, so that all later differences are taken at "
            "another point."
        ),
        _with(restore=False),
        (
            "Compare params before and after the call.",
            "What is the value of the entry after its two evaluations?",
        ),
    ),
    Misconception(
        "absolute_error",
        (
            "The error is absolute; it must be relative, or a large gradient looks wrong and a "
            "small one right."
        ),
        _with(denominator=lambda a, n: 1.0),
        (
            "Multiply the loss by 1000: your errors must not change.",
            "By what is the difference divided?",
        ),
    ),
    Misconception(
        "no_absolute_value",
        (
            "Errors come out negative: differences of opposite sign cancel, or no absolute value "
            "is taken."
        ),
        _with(numerator=lambda a, n: np.sum(a - n)),
        (
            "Can a distance be negative?",
            "Take the norm, or the largest absolute value, of the difference.",
        ),
    ),
    Misconception(
        "zero_by_zero",
        "Where both gradients are zero, zero is divided by zero.",
        _with(zero=float("nan")),
        (
            "A parameter may have no effect on the loss. What is your error then?",
            "Two zeros agree.",
        ),
    ),
    Misconception(
        "gradient_moved",
        "The analytic gradient is taken at parameters that are moved.",
        _with(gradient_first=False),
        ("At which parameters do you call grad?", "Call grad once, before anything is moved."),
    ),
    Misconception(
        "single_precision",
        "The parameters are turned into float32, in which a step of 1e-5 is lost in rounding.",
        _with(dtype=np.float32),
        ("Print the dtype of the arrays that you pass to loss.",),
    ),
)
