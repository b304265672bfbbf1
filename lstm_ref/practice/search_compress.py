"""The public checks of the problem set search-compress, and its instant check.

    from lstm_ref.practice.search_compress import check
    check("log_uniform")

The judge asks the same questions with more cases (solutions/search-compress/checks.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator

from lstm_ref import practice
from lstm_ref.errors import Array
from lstm_ref.practice import plain_search_compress as plain
from lstm_ref.practice.by_questions import hear, heard_of, told_apart, with_known
from lstm_ref.practice.mistakes import Plain
from lstm_ref.practice.search_compress_mistakes import MISTAKES
from verdict import Answer, Case, Check, Property
from verdict.chance import FALSE_ALARM, dkw_bound
from verdict.properties import (
    at_most_calls,
    best_of_tried,
    drawn_from,
    exactly_zeros,
    largest_kept,
    repeatable,
)

SET = Plain(plain, MISTAKES)


# --- random draws
# --------------------------------------------------------------------------------------------------


def draws_case(rng: Generator, label: str, n: int, low: float, high: float) -> Case:
    """A call of log_uniform."""
    return Case(label, (low, high, n, np.random.default_rng(int(rng.integers(2**32)))))


def far_from(draws: Array, low: float, high: float, *, log: bool) -> bool:
    """Whether draws are too far from the uniform distribution between two ends, in their logarithms
    or as they are.
    """
    x, a, b = (np.log(v) if log else np.asarray(v) for v in (np.maximum(draws, 1e-300), low, high))
    share = np.clip((np.sort(x) - a) / (b - a), 0, 1)
    steps = np.arange(len(share) + 1) / len(share)
    far = max((steps[1:] - share).max(), (share - steps[:-1]).max())
    return bool(far > dkw_bound(len(share)))


def _within(draws: Array, low: float, high: float) -> bool:
    return bool(np.all((draws >= low * (1 - 1e-6)) & (draws <= high * (1 + 1e-6))))


def _exponents(x: Array, low: float, high: float) -> bool:
    """Whether these are logarithms of numbers between low and high, natural ones or to base 10."""
    if not np.isfinite(x).all() or np.abs(x).max() > 300:
        return False
    return any(_within(base**x, low, high) for base in (np.e, 10.0))


def _mixed(x: Array, low: float, high: float) -> bool:
    """Whether the logarithms to one base are as those to the other one must be."""
    if not (np.isfinite(x) & (x > 0)).all():
        return False
    return _exponents(np.log(x), low, high) or _exponents(np.log10(x), low, high)


def _is_wrong_length(x: Array, low: float, high: float, n: int) -> bool:
    return x.shape != (n,)


def _is_one_draw(x: Array, low: float, high: float, n: int) -> bool:
    return n > 1 and bool(np.all(x == x[0]))


def _is_exponents(x: Array, low: float, high: float, n: int) -> bool:
    return not _within(x, low, high) and _exponents(x, low, high)


def _is_mixed(x: Array, low: float, high: float, n: int) -> bool:
    return not _within(x, low, high) and _mixed(x, low, high)


def _is_outside(x: Array, low: float, high: float, n: int) -> bool:
    return not (np.isfinite(x).all() and _within(x, low, high))


def _is_few(x: Array, low: float, high: float, n: int) -> bool:
    return n >= 100 and len(np.unique(x)) < n // 2


def _is_uniform(x: Array, low: float, high: float, n: int) -> bool:
    return far_from(x, low, high, log=True) and not far_from(x, low, high, log=False)


def _is_far(x: Array, low: float, high: float, n: int) -> bool:
    return far_from(x, low, high, log=True)


def _about_draws(id: str, wrong: Callable[..., bool], false_alarm: float = 0.0) -> Property:
    """Property that a mistake of log_uniform has not, with its title and hints."""
    mistake = SET.find(id)

    def test(answer: Answer) -> str:
        low, high, n, _ = answer.args
        rates = np.asarray(answer.out["rates"], dtype=np.float64)
        return _tell(rates, low, high) if wrong(rates, low, high, n) else ""

    return Property(id, mistake.title, test, mistake.hints, false_alarm)


def _tell(rates: Array, low: float, high: float) -> str:
    """What is seen of some draws, without what is wrong with them."""
    if rates.ndim != 1:
        return f"What is returned has the shape {rates.shape}."
    outside = int(np.sum(~((rates >= low * (1 - 1e-6)) & (rates <= high * (1 + 1e-6)))))
    if outside:
        return f"{outside} of {len(rates)} do not lie between low and high."
    above = int(np.sum(rates > np.sqrt(low * high)))
    return f"{above} of {len(rates)} lie above the root of low times high."


def _told_as(id: str, one: Property) -> Property:
    """A ready property, told as a known mistake is."""
    return replace(one, id=id, title=SET.find(id).title, hints=SET.find(id).hints)


# Where draws are too far from log-uniform, some may fit what is uniform: the false alarm of both is
# that of the last one.
OF_DRAWS = (
    _about_draws("wrong_length", _is_wrong_length),
    _about_draws("one_draw", _is_one_draw),
    _about_draws("exponents_returned", _is_exponents),
    _about_draws("base_mixed", _is_mixed),
    _about_draws("outside_the_box", _is_outside),
    _about_draws("powers_of_ten", _is_few),
    _about_draws("uniform_draws", _is_uniform),
    _told_as("not_drawn", drawn_from(3)),
    _told_as("not_repeatable", repeatable()),
    _about_draws("not_log_uniform", _is_far, FALSE_ALARM),
)


# --- searches
# --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LossOfRate:
    """Loss after training with a learning rate; NaN where it diverges."""

    best: float  # logarithm to base 10
    limit: float

    def __call__(self, rate: float) -> float:
        """The loss; ValueError where it is asked about several rates at once."""
        if np.ndim(rate):
            raise ValueError(
                f"loss: expected one rate, got an array of shape {np.shape(rate)}; call it once "
                "for each rate"
            )
        exponent = np.log10(float(rate))
        wave = 0.1 * np.sin(9 * exponent)
        return (
            float("nan") if rate > self.limit else float(0.3 + (exponent - self.best) ** 2 + wave)
        )


def search_case(rng: Generator, label: str, n: int, *, diverges: bool = True) -> Case:
    """A call of random_search: some of the rates diverge."""
    exponents = rng.uniform(-4, -1, n)
    limit = 10 ** float(np.quantile(exponents, 0.75)) if diverges else 1.0
    return Case(label, (LossOfRate(float(rng.uniform(-3.2, -2.4)), limit), 10**exponents))


@dataclass(frozen=True)
class Curves:
    """Validation losses (n, rungs) of n settings; between two rungs they change steadily."""

    table: Array
    rungs: tuple[int, ...]

    def __call__(self, k: int, start: int, stop: int) -> float:
        """Loss at update ``stop``; ValueError for an unknown setting."""
        if not 0 <= int(k) < len(self.table):
            raise ValueError(f"train: there are {len(self.table)} settings from 0 on, and no {k}")
        return float(np.interp(float(stop), (0, *self.rungs), (1.4, *self.table[int(k)])))


def halving_case(
    rng: Generator, label: str, n: int, rungs: Sequence[int], eta: int, diverged: int = 1
) -> Case:
    """A call of successive_halving: whoever is good early need not be good late."""
    table = -np.sort(-rng.uniform(0.1, 1.3, (n, len(rungs))), axis=1)
    table[rng.choice(np.arange(1, n), min(diverged, n - 1), replace=False)] = np.nan
    return Case(label, (Curves(table, tuple(rungs)), n, list(rungs), eta))


@dataclass(frozen=True)
class LossOfSeed:
    """Losses (K, seeds) of settings trained with several seeds."""

    name: str
    table: Array
    seeds: tuple[int, ...]

    def __call__(self, k: int, seed: int) -> float:
        """Loss of a setting with a seed; ValueError where there is none."""
        if not 0 <= int(k) < len(self.table) or int(seed) not in self.seeds:
            raise ValueError(
                f"{self.name}: expected a setting from 0 to {len(self.table) - 1} and one of the "
                f"seeds {list(self.seeds)}, got {k} and {seed}"
            )
        return float(self.table[int(k), self.seeds.index(int(seed))])


# Mean losses that lead a wrong rule astray: on validation with the first seed, the last one and
# those between, and on test. NaN: that training diverged.
ASTRAY = {
    "the best": (0.40, 0.40, 0.40, 0.50),
    "one lucky seed": (0.85, 0.10, 0.90, 0.65),
    "a lucky first seed": (0.20, 0.80, 0.75, 0.60),
    "half of the seeds are bad": (0.28, 0.95, 0.30, 0.55),
    "diverges": (0.35, np.nan, 0.30, 0.45),
    "diverges, and is bad before": (0.90, np.nan, 0.85, 0.80),
    "good on test": (0.80, 0.80, 0.80, 0.05),
    "good on both": (0.46, 0.46, 0.46, 0.15),
    "the worst": (0.95, 0.95, 0.95, 0.90),
}


def choice_case(rng: Generator, label: str, more: int, S: int) -> Case:
    """A call of choose_and_report: settings that lead a wrong rule astray, and so many more."""
    seeds = tuple(int(s) for s in rng.choice(np.arange(1, 100), S, replace=False))
    marks = [*ASTRAY.values(), *rng.uniform(0.55, 0.75, (more, 4))]
    order = [0, 1, *[2] * (S - 2)][:S]
    order[1:] = rng.permutation(order[1:]).tolist()
    told = np.array([[[mark[k] for k in order], [mark[3]] * S] for mark in marks])
    told += rng.uniform(-0.015, 0.015, told.shape)
    told = told[rng.permutation(len(told))]
    names = ("validation", "test")
    losses = [LossOfSeed(name, told[:, k], seeds) for k, name in enumerate(names)]
    return Case(label, (*losses, len(told), list(seeds)))


def _searched(answer: Answer) -> str:
    rates = np.asarray(answer.args[1])
    asked = [part for (part,) in heard_of(answer).asked[0]]
    left = [rate for rate in rates.tolist() if not np.isclose(asked, rate, rtol=1e-9).any()]
    return f"{len(left)} of {len(rates)} are not tried." if left else ""


def _updates(answer: Answer) -> str:
    spent = sum(max(stop - start, 0) for _, start, stop in _trainings(answer))
    allowed = plain.price(*answer.args[1:])
    return f"It takes {spent:g} updates, and {allowed} are allowed." if spent > allowed else ""


def _trainings(answer: Answer) -> list[tuple[float, ...]]:
    return [one for one in heard_of(answer).asked[0] if len(one) == 3]


def _goes_on(answer: Answer) -> str:
    stands: dict[float, float] = {}
    for k, start, stop in sorted(_trainings(answer)):
        if start != stands.get(k, 0):
            return f"A training begins at update {start:g}, where setting {k:g} does not stand."
        stands[k] = stop
    return ""


def _as_expected(
    function: str, about_calls: bool, told: str, outputs: tuple[str, ...]
) -> Callable[[Answer], str]:
    """Test of whether the questions, or the results, are those of the right version."""
    right = getattr(plain, function)
    form = Check(name=function, title="", function=function, outputs=outputs)

    def test(answer: Answer) -> str:
        came, expected = heard_of(answer), hear(form, right, answer.args)
        assert expected is not None
        if about_calls:
            return "" if came.asked == expected.asked else told
        return "" if replace(came, asked=expected.asked).same(expected) else told

    return test


def _validated(answer: Answer) -> str:
    asked, enough = answer.calls[0].count, answer.args[2] * len(answer.args[3])
    return f"validation was asked {asked} times; {enough} are enough." if asked > enough else ""


def _tested(answer: Answer) -> str:
    seeds = {float(seed) for seed in answer.args[3]}
    settings = {one[0] for one in heard_of(answer).asked[1]}
    asked = answer.calls[1].count
    if len(settings) > 1:
        return f"test was asked about {len(settings)} settings."
    return f"test was asked {asked} times for {len(seeds)} seeds." if asked > len(seeds) else ""


_COUNT = "Count the calls, and print with what the function is called."
_HALVED = ("best", "loss")
_CHOSEN = ("best", "reported")

OF_SEARCH = (
    Property("rates_left_out", "Not every rate is tried.", _searched, (_COUNT,)),
    replace(
        at_most_calls(0, lambda answer: len(answer.args[1])),
        title="loss is called more often than there are rates; each call is a training.",
        hints=(_COUNT, "Which numbers have you got already?"),
    ),
    best_of_tried("rate", 0, value="loss"),
)
OF_HALVING = (
    Property(
        "updates_over_budget",
        "It trains for more updates than halving costs.",
        _updates,
        (_COUNT, "Who goes on begins where it stands."),
    ),
    Property(
        "starts_elsewhere",
        "A training must begin where the setting stands: at 0, and later at the rung before.",
        _goes_on,
        (_COUNT, "What are the three arguments of train?"),
    ),
    Property(
        "other_trainings",
        "Other settings are trained than those that must go on.",
        _as_expected(
            "successive_halving", True, "train is called otherwise than it must be.", _HALVED
        ),
        (_COUNT, "How many are left after each rung, and which?"),
    ),
    Property(
        "not_the_winner",
        "What is returned is not the winner and its loss at the last rung.",
        _as_expected(
            "successive_halving",
            False,
            "All calls of train are right; what is returned is not.",
            _HALVED,
        ),
        ("Print the losses at the last rung.", "Which of them belongs to which setting?"),
    ),
)
OF_CHOICE = (
    Property(
        "validates_twice",
        "A setting is validated more than once with a seed; each call is a training.",
        _validated,
        (_COUNT, "Keep the numbers that you have got already."),
    ),
    Property(
        "looks_at_test",
        "The test set is asked about more than the setting that was chosen.",
        _tested,
        (_COUNT, "How many settings need a test loss?"),
    ),
    Property(
        "other_questions",
        "It is not each setting with each seed that is validated, and the chosen one that is "
        "tested.",
        _as_expected(
            "choose_and_report",
            True,
            "validation or test is called otherwise than it must be.",
            _CHOSEN,
        ),
        (_COUNT, "Each call is a training: none is made twice."),
    ),
    Property(
        "other_report",
        "What is returned is not the chosen setting and its mean test loss.",
        _as_expected(
            "choose_and_report", False, "All calls are right; what is returned is not.", _CHOSEN
        ),
        ("Print the means.", "Which of them is the least?"),
    ),
)


# --- smaller networks
# --------------------------------------------------------------------------------------------------


def layer_case(
    rng: Generator, label: str, rows: int, columns: int, share: float, *, ties: bool = False
) -> Case:
    """A call of prune_layer; with ties, the smallest entry that stays and the largest that goes are
    equal in absolute value.
    """
    W = rng.normal(size=(rows, columns))
    W += 0.01 * np.sign(W)
    k = int(share * W.size)
    if ties:
        order = np.argsort(np.abs(W), axis=None)
        W.flat[order[k - 3 : k + 3]] = np.sign(W.flat[order[k - 3 : k + 3]]) * 0.75 * np.pi
        W.flat[order[: k - 3]] *= 0.5
        W.flat[order[k + 3 :]] += np.sign(W.flat[order[k + 3 :]]) * 2.5
    return Case(label, (W, k))


def model_case(rng: Generator, label: str, D: int, H: int, K: int, share: float) -> Case:
    """A call of prune_model: the matrices differ in the size of their weights, and the number of
    all weights is odd or not a multiple of four.
    """
    shapes: dict[str, tuple[int, ...]] = {"Wx": (D, 4 * H), "b": (4 * H,), "Wh": (H, 4 * H)}
    shapes |= {"V": (H, K), "d": (K,)}
    size = {"Wx": 1.0, "b": 0.3, "Wh": 0.5, "V": 2.0, "d": 0.2}
    params = {}
    for name, shape in shapes.items():
        drawn = rng.uniform(0.05, 1.5, shape) * rng.choice([-1, 1], shape)
        params[name] = size[name] * drawn
    return Case(label, (params, share))


def units_case(rng: Generator, label: str, D: int, H: int, K: int, keep: int) -> Case:
    """A call of drop_units: the ways to measure the strength of a unit give different units."""
    names = ("Wx", "Wh", "b", "V")
    form = Check(
        name="drop_units",
        title="",
        function="drop_units",
        expected=plain.drop_units,
        outputs=names,
        misconceptions=SET.known("drop_units"),
    )

    def draw() -> Case:
        Wh, V = rng.standard_t(3, (H, 4 * H)), rng.standard_t(3, (H, K))
        length, angle = rng.uniform(1.5, 2.5, (H, 1)), rng.uniform(0.1, 1.5, (H, 1))
        Wh *= length * np.cos(angle) / np.linalg.norm(Wh, axis=1, keepdims=True)
        V *= length * np.sin(angle) / np.linalg.norm(V, axis=1, keepdims=True)
        return Case(label, (rng.normal(size=(D, 4 * H)), Wh, rng.normal(size=4 * H), V, keep))

    return told_apart(form, draw) if not label else draw()


def scales_case(rng: Generator, label: str, rows: int, columns: int, *, zeros: bool = True) -> Case:
    """A call of row_scales: rows of different size, the largest entry negative in the first ones,
    and a row of zeros.
    """
    W = rng.normal(size=(rows, columns)) * rng.uniform(0.1, 3, (rows, 1))
    for row in range(0, rows, 2):
        W[row, rng.integers(columns)] = -1.5 * np.abs(W[row]).max()
    if zeros:
        W[rows // 2] = 0
    return Case(label, (W,))


def quantise_case(
    rng: Generator, label: str, rows: int, columns: int, *, beyond: bool = True
) -> Case:
    """A call of quantise: no weight lies half-way between two steps, and some lie beyond the last
    one.
    """
    scale = rng.uniform(0.02, 0.4, rows)
    steps = rng.integers(-120, 120, (rows, columns)).astype(float)
    if beyond:
        steps[0, :2] = 190, -170
        steps[-1, -1] = -131
    parts = rng.uniform(0.15, 0.4, steps.shape) * rng.choice([-1, 1], steps.shape)
    return Case(label, ((steps + parts) * scale[:, None], scale))


def distillation_case(
    rng: Generator, label: str, N: int, K: int, tau: float, share: float, size: float = 1.5
) -> Case:
    """A call of distillation_loss: the teacher is wrong about some of the examples."""
    y = rng.integers(K, size=N)
    v = size * rng.normal(size=(N, K))
    v[np.arange(1, N), y[1:]] += 2 * size
    v[0, y[0]] = v[0].min() - size
    return Case(label, (size * rng.normal(size=(N, K)), v, y, tau, share))


_MODEL_NAMES = {"Wx": "D 4H", "Wh": "H 4H", "b": "4H", "V": "H K"}


def _named(name: str) -> Check:
    return next(one for one in CHECKS if one.name == name)


CHECKS: tuple[Check, ...] = (
    Check(
        name="log_uniform",
        title="Numbers are drawn so that their logarithm is uniform.",
        function="log_uniform",
        points=2,
        cases=lambda rng: [
            draws_case(rng, "", 1000, 1e-4, 1e-1),
            draws_case(rng, "another box", 800, 0.5, 300.0),
        ],
        expected=plain.log_uniform,
        outputs="rates",
        misconceptions=SET.known("log_uniform"),
        properties=OF_DRAWS,
    ),
    with_known(
        Check(
            name="random_search",
            title="Each rate is tried once, and the best one is returned.",
            function="random_search",
            points=2,
            cases=lambda rng: [
                told_apart(_named("random_search"), lambda: search_case(rng, "", 12)),
                search_case(rng, "more rates", 30),
            ],
            expected=plain.random_search,
            outputs=("rate", "loss"),
            misconceptions=SET.known("random_search"),
            properties=OF_SEARCH,
        )
    ),
    Check(
        name="price",
        title="The number of updates that successive halving costs.",
        function="price",
        points=2,
        cases=lambda rng: [
            Case("", (int(rng.choice([22, 25, 28])), [10, 30, 90], 3)),
            Case("half go on", (int(rng.choice([13, 15, 29])), [20, 50, 100, 400], 2)),
            Case("fewer than eta are left", (int(rng.choice([5, 6, 7])), [5, 20, 100], 4)),
        ],
        expected=plain.price,
        outputs="updates",
        misconceptions=SET.known("price"),
        hints=("Print how many are trained at each rung, and by how many updates.", _COUNT),
    ),
    with_known(
        Check(
            name="successive_halving",
            title="The best of each rung go on, and the best of the last one is returned.",
            function="successive_halving",
            points=2,
            cases=lambda rng: [
                told_apart(
                    _named("successive_halving"), lambda: halving_case(rng, "", 14, (10, 30, 90), 3)
                ),
                halving_case(rng, "half go on", 9, (5, 20, 40, 80), 2),
            ],
            expected=plain.successive_halving,
            outputs=_HALVED,
            misconceptions=SET.known("successive_halving"),
            properties=OF_HALVING,
        )
    ),
    with_known(
        Check(
            name="choose_and_report",
            title="The setting is chosen on the validation set, and its test loss is reported.",
            function="choose_and_report",
            points=2,
            cases=lambda rng: [
                told_apart(_named("choose_and_report"), lambda: choice_case(rng, "", 0, 3)),
                choice_case(rng, "more seeds", 3, 5),
            ],
            expected=plain.choose_and_report,
            outputs=_CHOSEN,
            misconceptions=SET.known("choose_and_report"),
            properties=OF_CHOICE,
        )
    ),
    with_known(
        Check(
            name="prune_layer",
            title="Exactly k entries of a matrix are zero: the smallest in absolute value.",
            function="prune_layer",
            points=2,
            cases=lambda rng: [
                layer_case(rng, "", 5, 7, 0.4),
                layer_case(rng, "several that are equal", 6, 8, 0.5, ties=True),
            ],
            expected=plain.prune_layer,
            outputs="pruned",
            misconceptions=SET.known("prune_layer"),
            properties=(
                exactly_zeros("pruned", lambda answer: int(answer.args[1])),
                largest_kept("pruned"),
            ),
        )
    ),
    Check(
        name="prune_model",
        title="One ranking for all matrices of a model; its biases stay.",
        function="prune_model",
        points=2,
        cases=lambda rng: [
            model_case(rng, "", 3, 5, 3, 0.5),
            model_case(rng, "another share", 5, 3, 2, 0.75),
        ],
        expected=plain.prune_model,
        outputs="pruned",
        exact=("pruned",),
        misconceptions=SET.known("prune_model"),
        hints=(
            "Count the zeros under each name, and of all matrices together.",
            "Take a model of two matrices with three weights each, and do it by hand.",
        ),
    ),
    Check(
        name="drop_units",
        title="Whole units go, and the network is smaller.",
        function="drop_units",
        points=2,
        cases=lambda rng: [
            units_case(rng, "", 4, 9, 3, 4),
            units_case(rng, "fewer units", 3, 7, 2, 2),
        ],
        expected=plain.drop_units,
        outputs=("Wx", "Wh", "b", "V"),
        axes=_MODEL_NAMES,
        misconceptions=SET.known("drop_units"),
        hints=(
            "Print the strength of each unit, which you keep, and which columns you take.",
            "Print the shapes. With `keep` units, how many columns has Wx?",
        ),
    ),
    Check(
        name="row_scales",
        title="The size of a step in each row.",
        function="row_scales",
        points=1,
        cases=lambda rng: [
            scales_case(rng, "", 5, 8, zeros=False),
            scales_case(rng, "a row of zeros", 6, 4),
        ],
        expected=plain.row_scales,
        outputs="scale",
        misconceptions=SET.known("row_scales"),
        hints=("Take the row [1, -254]: its scale is 2.", "And the scale of a row of zeros?"),
    ),
    Check(
        name="quantise",
        title="Weights as whole numbers from -127 to 127, and what comes back.",
        function="quantise",
        points=1,
        cases=lambda rng: [quantise_case(rng, "", 4, 6), quantise_case(rng, "other sizes", 7, 3)],
        expected=plain.quantise,
        outputs=("Q", "back"),
        axes={"Q": "row column", "back": "row column"},
        misconceptions=SET.known("quantise"),
        hints=(
            "Take one row [1.9, -1.9, 300] with the scale 1, and do it by hand.",
            "Subtract W from back: by how many steps do they differ at most?",
        ),
    ),
    Check(
        name="distillation_loss",
        title="The loss of a small network that learns from a large one.",
        function="distillation_loss",
        points=2,
        cases=lambda rng: [
            distillation_case(rng, "", 6, 4, 2.0, 0.7),
            distillation_case(rng, "another temperature", 5, 3, 4.0, 0.4),
        ],
        expected=plain.distillation_loss,
        outputs="loss",
        misconceptions=SET.known("distillation_loss"),
        hints=(
            "Ask with share = 1 and with share = 0: which of the two parts is wrong?",
            "Give the same scores as z and v, with share = 1: the loss must be 0.",
        ),
    ),
)

_INSTANT = practice.Instant(CHECKS)
check, case = _INSTANT.check, _INSTANT.case
