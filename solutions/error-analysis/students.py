"""A class of simulated students for this problem set: what each hands in, and the points that each
must get.

Those that are hostile attack the judge. Each attack is bounded in count, size and time, and changes
nothing on the machine, so that it does no harm even where no sandbox holds it: it tries a door and
does not go through.
"""

from __future__ import annotations

from collections.abc import Mapping

from autograder.author.demo import (
    Marks,
    Student,
    deletes_tests,
    hand_in,
    hostile,
    moved_around,
    raises_points,
    renamed,
    untouched,
    without,
)
from lstm_ref.practice.error_analysis import SET
from lstm_ref.practice.mistakes import Mistake

FULL = {
    "slice_table": 3,
    "wilson_interval": 3,
    "slices_that_differ": 3,
    "search_and_confirm": 3,
    "invariant": 4,
    "directed": 4,
}
MARKS = Marks(FULL)
NOTHING, UNFINISHED = MARKS.nothing, MARKS.unfinished
points, right = MARKS.points, MARKS.right


# --- right, each in another style
# ----------------------------------------------------------------------------------------

LOOPED = {
    "slice_table": """
def slice_table(errors, attributes):
    slices, support, rate = [], [], []
    for name in attributes:
        for value in sorted(set(attributes[name])):
            n = k = 0
            for j in range(len(errors)):
                if attributes[name][j] == value:
                    n += 1
                    k += int(errors[j])
            slices.append([name, value])
            support.append(n)
            rate.append(k / n)
    return slices, support, rate
""",
    "slices_that_differ": """
def slices_that_differ(wrong, support, rate, alpha):
    worse, better = [], []
    z = NormalDist().inv_cdf(1 - alpha / len(wrong) / 2)
    for s, (k, n) in enumerate(zip(wrong, support)):
        d = (k - n * rate) / (n * rate * (1 - rate)) ** 0.5
        if d > z:
            worse.append(s)
        elif -d > z:
            better.append(s)
    return worse, better
""",
}

COUNTED = {
    "slice_table": """
from collections import Counter

def slice_table(errors, attributes):
    there, wrong = Counter(), Counter()
    for name, values in attributes.items():
        there.update((name, value) for value in values)
        wrong.update((name, value) for value, error in zip(values, errors) if error)
    place = list(attributes)
    keys = sorted(there, key=lambda key: (place.index(key[0]), key[1]))
    return keys, [there[key] for key in keys], [wrong[key] / there[key] for key in keys]
"""
}

ROOTS = {
    "wilson_interval": """
def wilson_interval(wrong, n, alpha):
    z2 = quantile(alpha / 2) ** 2
    return np.sort(np.roots([n + z2, -(2 * wrong + z2), wrong**2 / n]).real)
"""
}

BY_COUNTS = {
    "wilson_interval": """
def wilson_interval(wrong, n, alpha):
    z = -quantile(alpha / 2)
    a, b = wrong + z * z / 2, z * (wrong * (n - wrong) / n + z * z / 4) ** 0.5
    return [(a - b) / (n + z * z), (a + b) / (n + z * z)]
"""
}

BY_INTERVALS = {
    "slices_that_differ": """
def slices_that_differ(wrong, support, rate, alpha):
    ends = [wilson_interval(k, n, alpha / len(wrong)) for k, n in zip(wrong, support)]
    worse = [s for s, (low, high) in enumerate(ends) if low > rate]
    return worse, [s for s, (low, high) in enumerate(ends) if high < rate]
"""
}

BY_P_VALUES = {
    "slices_that_differ": """
def slices_that_differ(wrong, support, rate, alpha):
    d = (wrong - support * rate) / np.sqrt(support * rate * (1 - rate))
    p = np.array([2 * NormalDist().cdf(-abs(x)) for x in d])
    small = p * len(p) < alpha
    return np.where(small & (d > 0))[0], np.where(small & (d < 0))[0]
"""
}

CALLS = {
    "search_and_confirm": """
def search_and_confirm(errors, members, search, alpha):
    def among(half, chosen):
        if len(chosen) == 0:
            return []
        inside = members[chosen][:, half]
        wrong, support = inside @ errors[half].astype(int), inside.sum(axis=1)
        worse, _ = slices_that_differ(wrong, support, errors[half].mean(), alpha)
        return [int(chosen[k]) for k in worse]
    found = among(search, np.arange(len(members)))
    return found, among(~search, np.array(found, dtype=int))
"""
}

ON_ARRAYS = {
    "search_and_confirm": """
def search_and_confirm(errors, members, search, alpha):
    n1, n2 = (members & search).sum(1), (members & ~search).sum(1)
    k1, k2 = (members & search & errors).sum(1), (members & ~search & errors).sum(1)
    r1, r2 = errors[search].mean(), errors[~search].mean()
    d1 = (k1 - n1 * r1) / np.sqrt(n1 * r1 * (1 - r1))
    d2 = (k2 - n2 * r2) / np.sqrt(n2 * r2 * (1 - r2))
    found = d1 > quantile(1 - alpha / (2 * len(members)))
    if not found.any():
        return [], []
    confirmed = found & (d2 > quantile(1 - alpha / (2 * found.sum())))
    return np.flatnonzero(found), np.flatnonzero(confirmed)
"""
}

# A test against what each review says, word by word.
AGAINST_THE_TRUTH = {
    "invariant": """
def shares_wrong(model, seed):
    rng = random.Random(seed)
    texts, truths, tags = [], [], []
    for _ in range(2000):
        kinds = (NOUNS, VERBS, MILD + TURNS, GOOD + BAD)
        b, a = ([rng.choice(words) for words in kinds] for _ in "ba")
        shape = rng.choice(list(SHAPES))
        texts.append(review(shape, clause(*b), clause(*a)))
        truths.append((b[3] in GOOD) != (b[2] in TURNS))
        kind = "neg" if b[2] in TURNS else ""
        tags.append([*b, shape, kind + str(shape == "single"), kind + str(b[3] in GOOD)])
    wrong = model(texts) != np.array(truths)
    tags = np.array(tags)
    return [wrong[tag == column].mean() for column in tags.T for tag in set(column)]

def invariant(model):
    return max(shares_wrong(model, 3)) < 0.25
""",
    "directed": """
def directed(model):
    assert max(shares_wrong(model, 4)) < 0.25
    return True
""",
}

NOISY = {
    "slice_table": SET.source("slice_table").replace(
        "    slices, support",
        """    import sys
    import warnings
    print("called with", len(errors))
    warnings.warn("I am not sure about this")
    print("on stderr too", file=sys.stderr)
    slices, support""",
        1,
    )
}


RIGHT = (
    right("perfect", "the reference", hand_in()),
    right("looped", "loops over every answer", hand_in(LOOPED)),
    right("counted", "counts pairs of attribute and value", hand_in(COUNTED)),
    right("roots", "the roots of the quadratic equation", hand_in(ROOTS)),
    right("by_counts", "the interval from counts", hand_in(BY_COUNTS)),
    right("by_intervals", "slices by their intervals", hand_in(BY_INTERVALS)),
    right("by_p_values", "slices by p-values", hand_in(BY_P_VALUES)),
    right("calls", "one part calls another", hand_in(CALLS)),
    right("on_arrays", "both halves at once", hand_in(ON_ARRAYS)),
    right(
        "against_the_truth", "tests by the truth, a share for each word", hand_in(AGAINST_THE_TRUTH)
    ),
    right("noisy", "prints and warns in every call", hand_in(NOISY)),
    right("renamed", "own names, with aliases", renamed),
    right("moved_around", "the cells in reverse order", moved_around),
)

# --- not finished
# --------------------------------------------------------------------------------------------------


def _faulty(name: str, what: str, function: str, source: str, score: float = 0) -> Student:
    return Student(
        name, what, hand_in({function: source}), points(**{function: score}), mistakes={}
    )


NOT_FINISHED = (
    Student("empty", "nothing written", untouched, NOTHING, mistakes={}),
    *(
        Student(
            f"without_{name}",
            f"{name} not written",
            without(name),
            points(**{name: 0}),
            mistakes={},
        )
        for name in FULL
    ),
    _faulty(
        "syntax_error",
        "one cell is no Python",
        "directed",
        "def directed(model)\n    return True",
    ),
    _faulty(
        "needs_astropy",
        "imports what is not there",
        "wilson_interval",
        "from astropy.stats import binom_conf_interval\n\n"
        "def wilson_interval(wrong, n, alpha):\n"
        "    return binom_conf_interval(wrong, n, 1 - alpha, 'wilson')",
    ),
    _faulty(
        "returns_nothing",
        "prints in place of returning",
        "slices_that_differ",
        SET.source("slices_that_differ").replace("return worse, better", "print(worse, better)"),
    ),
    _faulty(
        "one_list",
        "returns one list where two are asked for",
        "search_and_confirm",
        SET.source("search_and_confirm").replace("return found, confirmed", "return confirmed"),
    ),
    _faulty(
        "one_by_one",
        "asks with one review, and not with a list",
        "directed",
        "def directed(model):\n    good, bad = (clause('plot', 'was', '', w) for w in ('good', "
        "'bad'))\n    return model(good) != model(bad)",
    ),
)

# --- wrong
# --------------------------------------------------------------------------------------------------

# What is right all the same: of three results a third each, of two a half.
PARTLY = {
    **dict.fromkeys(("rate_over_all", "share_of_errors", "accuracy_of_slice", "errors_counted"), 2),
    **dict.fromkeys(("rate_of_the_rest", "difference_to_the_whole", "smoothed_rate"), 2),
    **dict.fromkeys(("support_of_errors", "support_as_share", "value_without_attribute"), 2),
    **dict.fromkeys(("only_worse", "small_left_out"), 1.5),
    **dict.fromkeys(("confirmed_where_found", "confirmed_on_all", "confirmed_unfound"), 1.5),
    **dict.fromkeys(("second_look_not_corrected", "corrected_for_all_again"), 1.5),
}

TWO_MISTAKES = SET.source("wilson_interval", "one_sided").replace("/ (4 * n**2)", "/ (2 * n**2)")

# --- tests that say too much or too little
# -----------------------------------------------------------------------------------

FAILS_RIGHT_MODELS = {
    name: SET.source(name).replace("< 0.4", "== 0") for name in ("invariant", "directed")
}

OVER_ALL = {
    "invariant": SET.source("invariant").replace(".mean(axis=1) < 0.4).all()", ".mean() < 0.4)")
}

ONLY_NOUNS = {
    "invariant": """
def invariant(model):
    failed = []
    for noun in NOUNS:
        one = [clause(n, "was", "", w) for n in NOUNS for w in GOOD + BAD]
        other = [clause(noun, "was", "", w) for n in NOUNS for w in GOOD + BAD]
        failed.append(np.mean(model(one) != model(other)))
    return max(failed) < 0.4
"""
}

ONLY_ADJECTIVES = {
    "directed": """
def directed(model):
    for good, bad in zip(GOOD, BAD):
        one, other = ([clause(n, v, "", w) for n in NOUNS for v in VERBS] for w in (good, bad))
        if np.mean(model(one) == model(other)) > 0.5:
            return False
    return True
"""
}

SAYS_NO = {
    "invariant": """
def invariant(model):
    model([clause("plot", "was", "", "good")])
    return False
"""
}

SAYS_YES = {
    "directed": """
def directed(model):
    print(model([clause("plot", "was", "", "good"), clause("plot", "was", "", "bad")]))
    return True
"""
}

NEVER_ASKS = {"invariant": "invariant = lambda model: True"}


def _tests(
    name: str, what: str, sources: Mapping[str, str], score: float = 0, mistake: str = ""
) -> Student:
    named = dict.fromkeys(sources, mistake) if mistake else {}
    return Student(
        name, what, hand_in(sources), points(**dict.fromkeys(sources, score)), mistakes=named
    )


TESTS = (
    _tests("fails_right", "one failure condemns", FAILS_RIGHT_MODELS, 0, "fails_right_models"),
    _tests("over_all", "one share over all pairs", OVER_ALL, 0, "accepts_all"),
    _tests("only_nouns", "tries nouns only", ONLY_NOUNS, round(4 / 6, 4)),
    _tests("only_adjectives", "tries adjectives only", ONLY_ADJECTIVES, round(4 * 2 / 6, 4)),
    _tests("says_no", "calls each model faulty", SAYS_NO, 0, "rejects_all"),
    _tests("says_yes", "asks, prints and finds nothing", SAYS_YES, 0, "accepts_all"),
    _tests("never_asks", "asks nothing", NEVER_ASKS, 0, "never_asks"),
)


def _one(mistake: Mistake) -> Student:
    """A student with one known mistake."""
    name, id = mistake.function, mistake.id
    scores = points(**{name: PARTLY.get(id, FULL[name] / 2 if mistake.convention else 0)})
    return Student(
        id, mistake.title, hand_in({name: SET.source(name, id)}), scores, mistakes={name: id}
    )


WRONG = (
    *(_one(mistake) for mistake in SET.mistakes),
    *TESTS,
    _faulty("two_mistakes", "two at once, which nobody names", "wilson_interval", TWO_MISTAKES),
)

# --- hostile
# --------------------------------------------------------------------------------------------------


IMPORTS_THE_ANSWERS = """
try:
    from lstm_ref.practice.plain_error_analysis import *
except ImportError as error:
    print(error)
try:
    from lstm_ref.practice.review_models import *
except ImportError as error:
    print(error)
"""

# Looks at what it was given, and for the judge around it.
TAKES_MODELS_APART = """
import gc
import inspect

def reads(model):
    told = []
    for name in ("func", "args", "function", "label", "_call", "__closure__", "__code__"):
        told.append(repr(getattr(model, name, "")))
    told += [repr(thing)[:200] for thing in gc.get_referents(model)[:50]]
    told += [frame.function for frame in inspect.stack()[:50]]
    return not any(word in " ".join(told) for word in ("opposite", "faulty", "wrong", "deaf"))

def invariant(model):
    model([clause("plot", "was", "", "good")])
    return reads(model)

def directed(model):
    model([clause("plot", "was", "", "good")])
    return reads(model)
"""

# Counts the models that come, and hopes for an order.
COUNTS_THEM = """
seen = []

def directed(model):
    model([clause("plot", "was", "", "good")])
    seen.append(model)
    return len(seen) <= 30
"""

AGREES = """
class Agreeing(float):
    # Equal to all, near to all, and never wrong.
    def __eq__(self, other):
        return True
    def __sub__(self, other):
        return 0.0
    __rsub__ = __sub__
    def __abs__(self):
        return 0.0
    def __le__(self, other):
        return True
    __lt__ = __ge__ = __gt__ = __le__
    __hash__ = float.__hash__

class Everything(list):
    def __eq__(self, other):
        return True
    __hash__ = None

def wilson_interval(wrong, n, alpha):
    return Agreeing(0.1), Agreeing(0.9)

def slices_that_differ(wrong, support, rate, alpha):
    return Everything([-1]), Everything([-1])
"""

HUGE = """
def wilson_interval(wrong, n, alpha):
    return np.broadcast_to(np.float64(1), (200_000, 200_000)), 1.0
"""

LOOPS = """
import time

until = time.monotonic() + 120

def search_and_confirm(errors, members, search, alpha):
    while time.monotonic() < until:
        try:
            time.sleep(0.01)
        except BaseException:
            pass
"""

EXITS = """
import os

def invariant(model):
    os._exit(0)
"""


HOSTILE = (
    hostile("deletes_tests", "deletes the cells with marks", deletes_tests, NOTHING),
    hostile("raises_points", "1000 points a cell; all is right", raises_points, FULL),
    hostile(
        "imports_answers",
        "takes the course's own functions",
        hand_in(UNFINISHED, IMPORTS_THE_ANSWERS),
        NOTHING,
    ),
    hostile(
        "takes_apart",
        "looks into the models for their faults",
        hand_in({"invariant": TAKES_MODELS_APART, "directed": ""}),
        points(invariant=0, directed=0),
    ),
    hostile(
        "counts_them",
        "hopes that right models come first",
        hand_in({"directed": COUNTS_THEM}),
        points(directed=0),
    ),
    hostile(
        "agrees",
        "returns what agrees with whoever asks",
        hand_in({"wilson_interval": AGREES, "slices_that_differ": ""}),
        points(wilson_interval=0, slices_that_differ=0),
    ),
    hostile(
        "huge",
        "returns a table of 300 GB",
        hand_in({"wilson_interval": HUGE}),
        points(wilson_interval=0),
    ),
    hostile(
        "loops_forever",
        "does not end",
        hand_in({"search_and_confirm": LOOPS}),
        points(search_and_confirm=0),
    ),
    hostile("exits", "ends its process", hand_in({"invariant": EXITS}), points(invariant=0)),
)

STUDENTS = (*RIGHT, *NOT_FINISHED, *WRONG, *HOSTILE)
