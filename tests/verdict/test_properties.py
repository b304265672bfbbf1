"""Ready properties: each right version has them, whatever it does otherwise, and each named wrong
version is found.
"""

import math
from dataclasses import replace

import numpy as np
import pytest

from lstm_ref.practice import examine_all
from verdict import Case, Check, Misconception, Property, Status, StudentError, examine
from verdict import properties as ready
from verdict.holds import MOST_CALLS, caught

SEEDS = 100


# --- a split of rows
# --------------------------------------------------------------------------------------------------


def split(x, share, gap):
    n = int(len(x) * share)
    return np.arange(n - gap), np.arange(n, len(x))


def at_random(x, share, gap):
    order = np.random.default_rng(0).permutation(len(x))
    n = int(len(x) * share)
    return order[:n], order[n:]


SPLIT = Check(
    name="split",
    title="The split is in order.",
    function="split",
    points=2,
    cases=lambda rng: [Case("", (rng.normal(size=(int(rng.integers(20, 40)), 2)), 0.7, 0))],
    expected=split,
    outputs=("train", "test"),
    properties=(
        ready.disjoint("train", "test"),
        ready.complete("train", "test"),
        ready.in_order("train", "test"),
    ),
    misconceptions=(
        Misconception("at_random", "", at_random),
        Misconception("overlaps", "", lambda x, s, g: (np.arange(15), np.arange(14, len(x)))),
        Misconception("drops", "", lambda x, s, g: (np.arange(14), np.arange(14, len(x) - 1))),
    ),
)

# --- a scaler
# --------------------------------------------------------------------------------------------------


def scaled_by(rows):
    def scale(train, test):
        all_rows = rows(train, test)
        mean, sd = all_rows.mean(axis=0), all_rows.std(axis=0)
        return (train - mean) / sd, (test - mean) / sd

    return scale


SCALE = Check(
    name="scale",
    title="The scale is that of the training data.",
    function="scale",
    points=1,
    cases=lambda rng: [Case("", (rng.normal(3, 2, size=(30, 2)), rng.normal(5, 4, size=(9, 2))))],
    expected=scaled_by(lambda train, test: train),
    outputs=("train", "test"),
    properties=(ready.fitted_on_train("train"), ready.repeatable()),
    misconceptions=(
        Misconception("on_all", "", scaled_by(lambda train, test: np.concatenate([train, test]))),
        Misconception("on_test", "", scaled_by(lambda train, test: test)),
    ),
)

# --- pruning
# --------------------------------------------------------------------------------------------------


def prune(W, k):
    pruned = W.copy()
    pruned[np.unravel_index(np.argsort(np.abs(W), axis=None)[:k], W.shape)] = 0
    return pruned


def prune_by_threshold(W, k):
    return np.where(np.abs(W) > np.sort(np.abs(W), axis=None)[k - 1], W, 0)


def prune_without_sign(W, k):
    pruned = W.copy()
    pruned[np.unravel_index(np.argsort(W, axis=None)[:k], W.shape)] = 0
    return pruned


def _with_ties(rng):
    entries = np.repeat([-3.0, -2.0, -1.0, 1.0, 2.0, 3.0], 7)  # 14 are smallest, 11 of them go
    return [Case("ties", (rng.permutation(entries).reshape(6, 7), 11))]


PRUNE = Check(
    name="prune",
    title="k entries are zero.",
    function="prune",
    points=1,
    cases=_with_ties,
    expected=prune,
    outputs="W",
    properties=(
        ready.exactly_zeros("W", lambda answer: answer.args[1]),
        ready.largest_kept("W"),
    ),
    misconceptions=(
        Misconception("threshold", "", prune_by_threshold),
        Misconception("signed", "", prune_without_sign),
        Misconception("scaled", "", lambda W, k: 1.1 * prune(W, k)),
    ),
)

# --- a search
# --------------------------------------------------------------------------------------------------


def search(loss, rng, budget, better=min):
    tried = [float(x) for x in rng.uniform(-2, 2, size=budget)]
    measured = {x: loss(x) for x in tried}
    best = better(measured, key=measured.get)
    return best, measured[best]


SEARCH = Check(
    name="search",
    title="The best of those tried.",
    function="search",
    points=1,
    cases=lambda rng: [
        Case("", (_bowl(*rng.normal(size=2)), np.random.default_rng(rng.integers(2**32)), 8))
    ],
    expected=search,
    outputs=("best", "loss"),
    properties=(
        ready.at_most_calls(0, lambda answer: answer.args[2]),
        ready.best_of_tried("best", 0, value="loss"),
        ready.drawn_from(1, "best"),
    ),
    misconceptions=(
        Misconception("worst", "", lambda f, rng, n: search(f, rng, n, max)),
        Misconception("over", "", lambda f, rng, n: search(f, rng, n + 1)),
        Misconception("not_tried", "", lambda f, rng, n: (search(f, rng, n)[0] + 1, 0.0)),
        Misconception("no_value", "", lambda f, rng, n: (search(f, rng, n)[0], 1.0)),
        Misconception("own_seed", "", lambda f, rng, n: search(f, np.random.default_rng(0), n)),
        Misconception("asks_nothing", "", lambda f, rng, n: (0.0, 0.0)),
    ),
)


def _bowl(middle, height):
    return lambda x: (x - middle) ** 2 + height


# --- dropout, and normal numbers: right up to chance
# --------------------------------------------------------------------------------------------------


def drop(x, p, rng):
    return x * (rng.random(x.shape) >= p) / (1 - p)


def _bool_swapped(x, p, rng):
    return x * (rng.random(x.shape) < p) / (1 - p)


def _by_row(x, p, rng):
    return x * (rng.random((len(x), 1)) >= p) / (1 - p)


def _dropped(answer):
    return answer.out["y"] == 0


DROP = Check(
    name="drop",
    title="Entries are dropped with probability p.",
    function="drop",
    points=1,
    cases=lambda rng: [
        Case(
            "", (rng.uniform(1, 2, size=(90, 60)), 0.3, np.random.default_rng(rng.integers(2**32)))
        )
    ],
    expected=drop,
    outputs="y",
    properties=(
        ready.happens(
            "wrong_rate", "It drops another share than p.", _dropped, lambda a: a.args[1]
        ),
        ready.happens(
            "not_one_by_one",
            "Neighbours are not dropped independently.",
            lambda a: _dropped(a)[:, ::2] & _dropped(a)[:, 1::2],
            lambda a: a.args[1] ** 2,
        ),
        ready.drawn_from(2),
        ready.repeatable(),
    ),
    misconceptions=(
        Misconception("swapped", "", _bool_swapped),
        Misconception("by_row", "", _by_row),
        Misconception("too_many", "", lambda x, p, rng: drop(x, p + 0.05, rng)),
        Misconception("own_generator", "", lambda x, p, rng: drop(x, p, np.random.default_rng(0))),
    ),
)


def _normal_cdf(x):
    return np.array([0.5 * math.erfc(-value / math.sqrt(2)) for value in x])


START = Check(
    name="start",
    title="Weights are normal with standard deviation 1 / sqrt(H).",
    function="start",
    points=1,
    cases=lambda rng: [Case("", (50, np.random.default_rng(rng.integers(2**32))))],
    expected=lambda H, rng: rng.normal(0, 1 / np.sqrt(H), size=(H, H)),
    outputs="W",
    properties=(
        ready.distributed(
            "other_spread",
            "The weights are not distributed as asked.",
            lambda a: a.out["W"] * np.sqrt(a.args[0]),
            _normal_cdf,
        ),
    ),
    misconceptions=(
        Misconception("unscaled", "", lambda H, rng: rng.normal(size=(H, H))),
        Misconception(
            "uniform", "", lambda H, rng: rng.uniform(-1, 1, size=(H, H)) * np.sqrt(3 / H) * 1.2
        ),
    ),
)

CHECKS = {check.name: check for check in (SPLIT, SCALE, PRUNE, SEARCH, DROP, START)}
OTHER_RIGHT = {
    "split": lambda x, s, g: (np.arange(3.0), [float(k) for k in range(3, len(x))]),
    "scale": lambda train, test: (train - train.max(), test),
    "prune": lambda W, k: -prune(-W[::-1], k)[::-1],  # other ones of those that are equal
    "search": lambda f, rng, n: search(f, rng, n // 2),
    "drop": lambda x, p, rng: np.where(rng.random(x.shape[::-1]).T < p, 0, x / (1 - p)),
    "start": lambda H, rng: rng.standard_normal((H, H)).T / H**0.5,
}


@pytest.mark.parametrize("name", CHECKS)
def test_right_versions_have_the_properties_whatever_the_seed(name):
    check = CHECKS[name]
    assert caught(check, check.expected, SEEDS) == 0
    assert caught(check, OTHER_RIGHT[name], SEEDS) == 0


WRONG = [(check.name, mistake.id) for check in CHECKS.values() for mistake in check.misconceptions]


@pytest.mark.parametrize(("name", "mistake"), WRONG)
def test_each_named_wrong_version_is_caught_in_99_of_100(name, mistake):
    check = CHECKS[name]
    wrong = next(one for one in check.misconceptions if one.id == mistake)
    assert caught(check, wrong.function, SEEDS) >= 99


SAID = [
    (SPLIT, lambda x, s, g: ([0, 1], [1, 2]), "not disjoint. Index 1 is in train and test"),
    (SPLIT, lambda x, s, g: ([0, 0], [1, 2]), "Index 0 is in train, twice"),
    (SPLIT, lambda x, s, g: ([0.5], [1]), "train holds something else than indices"),
    (SPLIT, lambda x, s, g: ([float("nan")], [1]), "train holds something else than indices"),
    (SPLIT, lambda x, s, g: ([0], range(1, len(x) + 1)), "there is no such row"),
    (SPLIT, lambda x, s, g: ([], range(len(x))), "train is empty"),
    (SPLIT, lambda x, s, g: (range(3, len(x)), range(3)), "test does not begin after train ends"),
    (SPLIT, lambda x, s, g: None, "split returned None"),
    (PRUNE, lambda W, k: W[:2], "number of zeros"),
    (PRUNE, lambda W, k: prune(W, k) + np.nan, "has 0 zeros, and 11 were asked for"),
    (SEARCH, lambda f, rng, n: (0.0, 0.0), "It was not called at all"),
    (SEARCH, lambda f, rng, n: search(f, rng, n + 2), "called 10 times, and 8 are allowed"),
    (SEARCH, lambda f, rng, n: (f(0.5), 9.0), "best is none of the 1 that were tried"),
    (DROP, lambda x, p, rng: x, "too seldom for chance: 0 times in 5400"),
    (START, lambda H, rng: rng.normal(size=(H, H)) * np.inf, "no numbers"),
]


@pytest.mark.parametrize(("check", "function", "said"), SAID)
def test_the_message_says_which_property_and_why(check, function, said):
    verdict = examine_all({check.function: function}, [check], 0)[check.name]
    assert said in verdict.message and verdict.credit == 0, verdict


def test_a_gap_between_the_parts_is_asked_for():
    with_gap = Property("g", "G.", ready.in_order("train", "test", gap=2).test)
    check = Check(**{**vars(SPLIT), "properties": (with_gap,)})
    assert caught(check, lambda x, s, g: split(x, s, 2), 5) == 0
    assert caught(check, lambda x, s, g: split(x, s, 1), 5) == 5


def test_a_vocabulary_may_be_fitted_with_a_change_of_its_own():
    def vocabulary(words, n):
        return sorted(set(words[:n]))

    check = Check(
        **{
            **vars(SCALE),
            "cases": lambda rng: [Case("", (["b", "a", "c", "b"], 2))],
            "outputs": "v",
            "exact": ("v",),
            "properties": (
                ready.fitted_on_train("v", change=lambda args: ([*args[0][: args[1]], "z"], 2)),
            ),
        }
    )
    assert caught(check, vocabulary, 1) == 0
    assert caught(check, lambda words, n: vocabulary(words, 9), 1) == 1


def test_an_error_in_one_case_leaves_the_share_of_the_others():
    two = Check(
        **{
            **vars(SPLIT),
            "cases": lambda rng: [*SPLIT.cases(rng), Case("one row", (np.ones((1, 1)), 0.7, 0))],
        }
    )

    def fails(*args):
        raise StudentError(Status.ERROR, "IndexError: out of range.")

    verdict = examine(
        two, lambda x, s, g: split(x, s, g) if len(x) > 1 else fails(), np.random.default_rng(0)
    )
    assert verdict.status is Status.ERROR and verdict.credit == 0.5
    assert "(case: one row) In all other cases it is right." in verdict.message
    small = replace(
        two, cases=lambda rng: [*SPLIT.cases(rng), Case("four", (np.ones((4, 1)), 0.5, 0))]
    )
    verdict = examine(
        small, lambda x, s, g: split(x, s, g) if len(x) == 4 else fails(), np.random.default_rng(0)
    )
    assert verdict.credit == 0 and "the ordinary case, the first one" in verdict.message


def test_a_function_that_asks_without_end_is_stopped_and_takes_no_memory():
    stopped = []

    def asks(f, rng, n):
        try:
            while True:
                f(np.ones(2**18))
        except ValueError as error:
            stopped.append(str(error))
        return 1.0, 1.0

    case = Case("", (lambda x: 0.0, np.random.default_rng(1), 8))
    asked = {"cases": lambda rng: [case], "properties": SEARCH.properties[1:]}
    verdict = examine(Check(**{**vars(SEARCH), **asked}), asks, np.random.default_rng(0))
    assert stopped == [f"it was asked more than {MOST_CALLS:,} times"]
    assert "more than can be kept track of" in verdict.message


# --- how much is read
# --------------------------------------------------------------------------------------------------


def mean_of_parts(read, parts):
    total = count = 0
    for k in range(parts):
        part = read(k)["rows"]
        total, count = total + part.sum(axis=0), count + len(part)
    return total / count


def two_passes(read, parts):
    mean_of_parts(read, parts)
    return mean_of_parts(read, parts)


def case_of_parts(rng):
    data = rng.normal(size=(5, 20, 3))
    return [Case("", (lambda k: {"rows": data[int(k)]}, 5))]


READS = Check(
    name="mean",
    title="The mean in one pass.",
    function="mean_of_parts",
    points=1,
    cases=case_of_parts,
    expected=mean_of_parts,
    outputs="mean",
    properties=(ready.at_most_bytes(0, 5 * 20 * 3 * 8 + 5 * len("rows")),),
    misconceptions=(Misconception("two_passes", "It reads all twice.", two_passes),),
)


def test_a_budget_of_bytes_counts_what_a_given_function_gives():
    assert caught(READS, READS.expected, SEEDS) == 0
    assert caught(READS, two_passes, SEEDS) == SEEDS
    verdict = examine(READS, two_passes, np.random.default_rng(0))
    assert verdict.misconception == "too_much_read" and verdict.credit == 0
    assert "It gave 4,840 bytes, and 2,420 are allowed." in verdict.message


def test_within_a_budget_there_may_be_one_right_result():
    both = replace(READS, properties=(*READS.properties, ready.as_expected("mean")))
    assert caught(both, READS.expected, SEEDS) == 0
    assert caught(both, two_passes, SEEDS) == SEEDS
    verdict = examine(both, lambda *args: 0.0, np.random.default_rng(0))
    assert verdict.misconception == "not_as_expected" and verdict.credit == 0
    assert "mean is wrong." in verdict.message
    assert examine(READS, lambda *args: 0.0, np.random.default_rng(0)).status is Status.PASSED


def test_one_right_result_may_be_words():
    words = Check(
        name="words",
        title="The words.",
        function="words",
        points=1,
        cases=lambda rng: [Case("", ("b a",))],
        expected=str.split,
        outputs="words",
        exact=("words",),
        properties=(ready.as_expected("words"),),
    )
    assert caught(words, str.split, 1) == 0
    assert caught(words, sorted, 1) == 1
