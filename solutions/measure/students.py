"""A class of simulated students for this problem set: what each hands in, and the points that each
must get.

Those that are hostile attack the judge. Each attack is bounded in count, size and time, and changes
nothing on the machine, so that it does no harm even where no sandbox holds it: it tries a door and
does not go through.
"""

from __future__ import annotations

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
from lstm_ref.practice.measure import SET
from lstm_ref.practice.mistakes import Mistake

FULL = {
    "confusion": 2,
    "per_class": 2,
    "average_f1": 2,
    "masked_accuracy": 2,
    "perplexity": 2,
    "edit_distance": 2,
    "is_right": 2,
    "word_error_rate": 2,
    "skill": 2,
    "bootstrap_interval": 2,
}
MARKS = Marks(FULL)
NOTHING, UNFINISHED = MARKS.nothing, MARKS.unfinished
points, right = MARKS.points, MARKS.right


# --- right, each in another style
# ----------------------------------------------------------------------------------------

LOOPED = {
    "confusion": """
def confusion(y, said, C):
    pairs = list(zip(y, said))
    return [[sum(1 for pair in pairs if pair == (a, b)) for b in range(C)] for a in range(C)]
""",
    "masked_accuracy": """
def masked_accuracy(said, y, mask):
    hits = total = 0
    N, T = mask.shape
    for n in range(N):
        for t in range(T):
            if mask[n, t]:
                total += 1
                hits += int(said[n, t] == y[n, t])
    return hits / total
""",
}

COUNTED_AT_ONCE = {
    "confusion": """
def confusion(y, said, C):
    M = np.zeros((C, C), int)
    np.add.at(M, (y, said), 1)
    return M
"""
}

FROM_COUNTS = {
    "per_class": """
def per_class(M):
    TP = np.diag(M)
    FP, FN = M.sum(0) - TP, M.sum(1) - TP
    return divide(TP, TP + FP), divide(TP, TP + FN), divide(TP, TP + (FP + FN) / 2)
""",
    "average_f1": """
def average_f1(M):
    TP = np.diag(M)
    FP, FN = M.sum(0) - TP, M.sum(1) - TP
    f = divide(2 * TP, 2 * TP + FP + FN)
    micro = 2 * TP.sum() / (2 * TP.sum() + FP.sum() + FN.sum())
    return f.sum() / len(f), micro, np.average(f, weights=TP + FN)
""",
}

SELECTED = {
    "masked_accuracy": "masked_accuracy = lambda said, y, mask: np.mean((said == y)[mask])",
    "perplexity": "perplexity = lambda nll, mask: np.exp(np.mean(nll[mask]))",
}

WEIGHTED = {
    "masked_accuracy": """
def masked_accuracy(said, y, mask):
    return np.average(said == y, weights=mask)
""",
    "perplexity": """
def perplexity(nll, mask):
    weights = mask / mask.sum()
    return np.prod(np.exp(nll * weights))
""",
}

WHOLE_TABLE = {
    "edit_distance": """
def edit_distance(a, b):
    d = [[i + j if i * j == 0 else 0 for j in range(len(b) + 1)] for i in range(len(a) + 1)]
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            if a[i - 1] == b[j - 1]:
                d[i][j] = d[i - 1][j - 1]
            else:
                d[i][j] = 1 + min(d[i - 1][j - 1], d[i - 1][j], d[i][j - 1])
    return d[len(a)][len(b)]
"""
}

REMEMBERED = {
    "edit_distance": """
from functools import cache

def edit_distance(a, b):
    @cache
    def d(i, j):
        if i == len(a) or j == len(b):
            return len(a) - i + len(b) - j
        return min(d(i + 1, j + 1) + (a[i] != b[j]), d(i + 1, j) + 1, d(i, j + 1) + 1)
    return d(0, 0)
"""
}

SQUARES = {
    "skill": """
def skill(series, forecast, horizon):
    def root(values):
        return float(np.mean(values**2)) ** 0.5
    n = len(forecast)
    target = series[-n:]
    return 1.0 - root(target - forecast) / root(target - series[:n])
"""
}

SORTED = {
    "bootstrap_interval": """
def bootstrap_interval(errors, words, rows):
    rates = np.array([sum(errors[k] for k in row) / sum(words[k] for k in row) for row in rows])
    return np.percentile(rates, [2.5, 97.5])
"""
}

NOISY = {
    "word_error_rate": """
import sys
import warnings

def word_error_rate(references, hypotheses):
    print("called with", len(references))
    warnings.warn("I am not sure about this")
    print("on stderr too", file=sys.stderr)
    edits = [edit_distance(r.split(), h.split()) for r, h in zip(references, hypotheses)]
    return np.sum(edits) / sum(map(len, map(str.split, references)))
"""
}


OTHER_TESTS = {
    "is_right": """
import random

def is_right(distance):
    for seed in range(40):
        draw = random.Random(seed)
        a = draw.choices("xyz", k=draw.randrange(6))
        b = draw.choices("xyz", k=draw.randrange(6))
        assert distance(a, b) == edit_distance(a, b)
    return 1
"""
}

RIGHT = (
    right("perfect", "the reference", hand_in()),
    right("looped", "loops over every number", hand_in(LOOPED)),
    right("counted_at_once", "np.add.at", hand_in(COUNTED_AT_ONCE)),
    right("from_counts", "hits, false alarms and misses", hand_in(FROM_COUNTS)),
    right("selected", "selects the true steps", hand_in(SELECTED)),
    right("weighted", "weights in place of a selection", hand_in(WEIGHTED)),
    right("whole_table", "the whole table of distances", hand_in(WHOLE_TABLE)),
    right("remembered", "recursion with a memory", hand_in(REMEMBERED)),
    right("squares", "from the end of the series", hand_in(SQUARES)),
    right("sorted", "percentiles, as one array", hand_in(SORTED)),
    right("compares", "tests against its own version, with asserts", hand_in(OTHER_TESTS)),
    right("noisy", "prints and warns in every call", hand_in(NOISY)),
    right("renamed", "own names, with aliases", renamed),
    right("moved_around", "the cells in reverse order", moved_around),
)

# --- not finished
# --------------------------------------------------------------------------------------------------


def _faulty(name: str, what: str, function: str, source: str, **scores: float) -> Student:
    return Student(
        name, what, hand_in({function: source}), points(**{function: 0, **scores}), mistakes={}
    )


# The reference's word_error_rate calls edit_distance: without it, it cannot be computed.
NOT_FINISHED = (
    Student("empty", "nothing written", untouched, NOTHING, mistakes={}),
    *(
        Student(f"without_{name}", f"{name} not written", without(name),
                points(**{name: 0}), mistakes={})
        for name in FULL
        if name != "edit_distance"
    ),
    Student(
        "without_edit_distance",
        "edit_distance not written, so that word_error_rate cannot run",
        without("edit_distance"),
        points(edit_distance=0, word_error_rate=0),
        mistakes={},
    ),
    _faulty("syntax_error", "one cell is no Python", "skill",
            "def skill(series, forecast, horizon)\n    return 1"),
    _faulty(
        "needs_jiwer",
        "imports what is not there",
        "word_error_rate",
        (
            "from jiwer import wer\n\ndef word_error_rate(references, hypotheses):\n    return "
            "wer(references, hypotheses)"
        ),
    ),
    _faulty("returns_nothing", "prints in place of returning", "perplexity",
            SET.source("perplexity")
            .replace("return np.exp(total / tokens)", "print(np.exp(total / tokens))")),
    _faulty("one_number", "returns one number where two are asked for", "bootstrap_interval",
            SET.source("bootstrap_interval").replace("return low, high", "return high - low")),
)  # fmt: skip

# --- wrong
# --------------------------------------------------------------------------------------------------

# What is right all the same: of three results a third each.
PARTLY = {
    **dict.fromkeys(("precision_recall_exchanged", "divided_by_all"), 0.6667),
    **dict.fromkeys(("precision_twice", "recall_twice", "specificity_for_recall"), 1.3333),
    **dict.fromkeys(
        ("f1_arithmetic", "f1_geometric", "f1_without_two", "f1_product", "smaller_of_the_two"),
        1.3333,
    ),
    **dict.fromkeys(
        ("f1_of_means", "macro_of_classes_there", "micro_from_macro", "micro_is_macro"), 1.3333
    ),
    **dict.fromkeys(("weighted_by_said", "weighted_not_divided"), 1.3333),
    **dict.fromkeys(
        (
            "macro_weighted_exchanged",
            "recall_averaged",
            "precision_averaged",
            "f1_arithmetic_averaged",
        ),
        0.6667,
    ),
}

# Of twelve wrong versions, those that a single question about an exchange finds.
QUESTION = round(2 * 6 / 12, 4)

TWO_MISTAKES = SET.source("skill", "persistence_late").replace("return 1 - error", "return error")


ONE_QUESTION = """
def is_right(distance):
    return distance("a b c".split(), "a b d".split()) == 1
"""

WRONG_NUMBER = """
def is_right(distance):
    return distance(["a"], ["a"]) == 0 and distance(["a"], ["b"]) == 2
"""

SAYS_YES = """
def is_right(distance):
    print(distance(["a"], ["b"]))
    return True
"""


def _one(mistake: Mistake) -> Student:
    """A student with one known mistake; one in the distance shows in the rate, too, which calls
    it.
    """
    name = mistake.function
    shows_in = (name, "word_error_rate") if name == "edit_distance" else (name,)
    # a convention is charged once
    scores = {check: FULL[check] if mistake.convention else 0 for check in shows_in}
    scores[name] = PARTLY.get(mistake.id, FULL[name] / 2 if mistake.convention else 0)
    edit = hand_in({name: SET.source(name, mistake.id)})
    return Student(
        mistake.id,
        mistake.title,
        edit,
        points(**scores),
        mistakes=dict.fromkeys(shows_in, mistake.id),
    )


WRONG = (
    *(_one(mistake) for mistake in SET.mistakes),
    Student(
        "one_question",
        "one question",
        hand_in({"is_right": ONE_QUESTION}),
        points(is_right=QUESTION),
        mistakes={},
    ),
    _faulty("wrong_number", "a wrong number is expected", "is_right", WRONG_NUMBER),
    Student(
        "says_yes",
        "tests that print and find nothing",
        hand_in({"is_right": SAYS_YES}),
        points(is_right=0),
        mistakes={"is_right": "accepts_all"},
    ),
    _faulty("two_mistakes", "two mistakes at once, which nobody names", "skill", TWO_MISTAKES),
)

# --- hostile
# --------------------------------------------------------------------------------------------------


IMPORTS_THE_ANSWERS = """
try:
    from lstm_ref.practice.plain_measure import *
except ImportError as error:
    print(error)
try:
    from lstm_ref.metrics import *
except ImportError as error:
    print(error)
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

def skill(series, forecast, horizon):
    return Agreeing(0.5)

def perplexity(nll, mask):
    return Agreeing(4.0)
"""

GUESSES = """
def masked_accuracy(said, y, mask):
    return 0.6

def edit_distance(a, b):
    return abs(len(a) - len(b)) + 1

def word_error_rate(references, hypotheses):
    return 0.3
"""

NOT_A_NUMBER = """
def bootstrap_interval(errors, words, rows):
    return np.nan, np.inf
"""

HUGE = """
def confusion(y, said, C):
    return np.broadcast_to(np.float64(1), (200_000, 200_000))
"""

LOOPS = """
import time

until = time.monotonic() + 120

def per_class(M):
    while time.monotonic() < until:
        try:
            time.sleep(0.01)
        except BaseException:
            pass
"""

EXITS = """
import os

def average_f1(M):
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
        "agrees",
        "returns numbers that agree with whoever asks",
        hand_in({"skill": AGREES, "perplexity": ""}),
        points(skill=0, perplexity=0),
    ),
    hostile(
        "guesses",
        "says what is often near",
        hand_in({"masked_accuracy": GUESSES, "edit_distance": "", "word_error_rate": ""}),
        points(masked_accuracy=0, edit_distance=0, word_error_rate=0),
    ),
    hostile(
        "not_a_number",
        "returns NaN",
        hand_in({"bootstrap_interval": NOT_A_NUMBER}),
        points(bootstrap_interval=0),
    ),
    hostile("huge", "returns a table of 300 GB", hand_in({"confusion": HUGE}), points(confusion=0)),
    hostile("loops_forever", "does not end", hand_in({"per_class": LOOPS}), points(per_class=0)),
    hostile("exits", "ends its process", hand_in({"average_f1": EXITS}), points(average_f1=0)),
)

STUDENTS = (*RIGHT, *NOT_FINISHED, *WRONG, *HOSTILE)
