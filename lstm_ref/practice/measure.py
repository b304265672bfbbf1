"""The public checks of the problem set measure, and its instant check.

    from lstm_ref.practice.measure import check
    check("confusion")

The judge asks the same questions with more cases (solutions/measure/checks.py).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator

from lstm_ref import practice
from lstm_ref.errors import Array
from lstm_ref.practice import plain_measure as plain
from lstm_ref.practice.measure_mistakes import MISTAKES
from lstm_ref.practice.mistakes import Plain
from lstm_ref.practice.mutants import EDITS, examine_tests
from verdict import Case, Check
from verdict.check import Call

SET = Plain(plain, MISTAKES)
AXES = {"M": "true said", "precision": "class", "recall": "class", "f1": "class"}
WORDS = ("the", "cat", "sat", "on", "a", "mat", "and", "slept")

# --- cases
# --------------------------------------------------------------------------------------------------


def labels(
    rng: Generator, n: int, C: int, absent: int | None = None, unsaid: int | None = None
) -> tuple[Array, Array]:
    """True classes and those that were said, each (n,): uneven, a third of the answers wrong, and
    each class occurs.

    Parameters
    ----------
    rng : source of the classes
    n, C : examples and classes
    absent : a class that never occurs among the true ones; it is said all the same
    unsaid : a class that occurs, and is never said
    """
    there = np.array([c for c in range(C) if c != absent])
    share = np.arange(1, len(there) + 1) ** 1.5
    y = rng.choice(there, size=n, p=share / share.sum())
    y[: len(there)] = there
    said = np.where(rng.random(n) < 0.65, y, rng.integers(C, size=n))
    said[: len(there)] = there  # so that no class is without a hit
    said[len(there) : len(there) + C - 1] = (
        y[len(there) : len(there) + C - 1] + np.arange(1, C)
    ) % C
    if absent is not None:
        said[-1] = absent
    if unsaid is not None:
        said[said == unsaid] = (unsaid + 1) % C
    order = rng.permutation(n)
    return y[order], said[order]


def confusion_case(rng: Generator, label: str, n: int, C: int, absent: int | None = None) -> Case:
    """A call of confusion."""
    return Case(label, (*labels(rng, n, C, absent), C))


def matrix_case(
    rng: Generator, label: str, n: int, C: int, absent: int | None = None, unsaid: int | None = None
) -> Case:
    """A call of per_class or of average_f1."""
    return Case(label, (plain.confusion(*labels(rng, n, C, absent, unsaid), C),))


def draw_mask(rng: Generator, N: int, T: int) -> Array:
    """Mask (N, T) of sequences of different lengths, the longest shorter than T; one of them is
    short.
    """
    lengths = rng.integers(2, T, size=N)
    lengths[rng.integers(N)] = 1
    return np.asarray(np.arange(T) < lengths[:, None])


def accuracy_case(rng: Generator, label: str, N: int, T: int, *, empty: bool = False) -> Case:
    """A call of masked_accuracy: some of the padding agrees, some does not, and long sequences are
    read better.
    """
    mask = draw_mask(rng, N, T)
    if empty:
        mask[-1] = False
    y = rng.integers(4, size=(N, T))
    right = rng.random((N, T)) < np.linspace(0.3, 0.9, T)
    right[:, -1] = np.arange(N) % 2 == 0  # padding in all of them
    right[0, 0], right[-1, 0] = True, False
    return Case(label, (np.where(right, y, (y + 1) % 4), y, mask))


def perplexity_case(rng: Generator, label: str, N: int, T: int, *, empty: bool = False) -> Case:
    """A call of perplexity: what stands in the padding is not 0, and short sequences are harder."""
    mask = draw_mask(rng, N, T)
    if empty:
        mask[-1] = False
    hard = 1 + 2 / mask.sum(axis=1, keepdims=True).clip(1)
    return Case(label, (rng.uniform(0.2, 1.6, size=(N, T)) * hard, mask))


def edited(rng: Generator, sentence: list[str], ends: str) -> list[str]:
    """The sentence with one word exchanged, and at both ends words more ("added") or less
    ("missing"), or none of it.
    """
    words = list(sentence)
    words[int(rng.integers(1, len(words)))] = "dog"
    if ends == "added":
        return ["so", "then", *words, "again"]
    return words[2:-1] if ends == "missing" else words


def sentence(rng: Generator, length: int) -> list[str]:
    """Words, some of them twice."""
    return [WORDS[k] for k in rng.integers(len(WORDS), size=length)]


def edit_case(rng: Generator, label: str, length: int, ends: str = "") -> Case:
    """A call of edit_distance."""
    words = sentence(rng, length)
    return Case(label, (words, edited(rng, words, ends)))


def wer_case(rng: Generator, label: str, count: int, *, much: bool = False) -> Case:
    """A call of word_error_rate: sentences of all lengths, some right; or systems that say much
    more than there is.
    """
    references, hypotheses = [], []
    for k in range(count):
        words = sentence(rng, int(rng.integers(4, 12)))
        said = words if k % 3 == 2 else edited(rng, words, ("missing", "added")[k % 2])
        if much:
            words, said = words[:2], [*edited(rng, words, "added"), *sentence(rng, 4)]
        references.append(" ".join(words))
        hypotheses.append(" ".join(said))
    return Case(label, (references, hypotheses))


def skill_case(rng: Generator, label: str, length: int, horizon: int, quality: float = 0.6) -> Case:
    """A call of skill: a series that wanders and rises, and a forecast whose errors are this share
    of its changes.
    """
    series = np.cumsum(rng.normal(0.5, 1, size=length)) + 20
    spread = quality * np.sqrt(horizon)
    forecast = series[horizon:] + rng.normal(0.4 * spread, spread, size=length - horizon)
    return Case(label, (series, forecast, horizon))


def bootstrap_case(rng: Generator, label: str, sentences: int, draws: int) -> Case:
    """A call of bootstrap_interval: short sentences have more errors for their length."""
    words = rng.integers(2, 25, size=sentences)
    errors = rng.binomial(words, np.clip(1.5 / words + 0.05, 0, 1))
    errors[:2] = 1, 2
    return Case(label, (errors, words, rng.integers(sentences, size=(draws, sentences))))


# --- tests that students write
# -------------------------------------------------------------------------------------------


def by_whole_table(a: list[str], b: list[str]) -> int:
    """The edit distance once more."""
    d = np.add.outer(np.arange(len(a) + 1), np.arange(len(b) + 1))
    for i, word in enumerate(a, 1):
        for j, other in enumerate(b, 1):
            d[i, j] = min(d[i - 1, j - 1] + (word != other), d[i - 1, j] + 1, d[i, j - 1] + 1)
    return int(d[-1, -1])


def from_the_end(a: list[str], b: list[str]) -> int:
    """And once more."""
    return int(plain.edit_distance(a[::-1], b[::-1]))


def of_the_others(a: list[str], b: list[str]) -> int:
    """And once more: it is the same in both directions."""
    return int(plain.edit_distance(b, a))


RIGHT_DISTANCES = (plain.edit_distance, by_whole_table, from_the_end, of_the_others)


def two_lists_of_words(*arguments: Any) -> bool:
    """Whether an edit distance may be asked this: characters and numbers are words, too."""
    return len(arguments) == 2 and all(
        isinstance(words, list | tuple | str)
        and len(words) <= 50
        and all(isinstance(word, str | int) for word in words)
        for words in arguments
    )


def wrong_distances(*ids: str) -> dict[str, Call]:
    """What is wrong, in a sentence -> the edit distance with this mistake."""
    known = {mistake.id: mistake for mistake in SET.known("edit_distance")}
    return {known[id].title: known[id].function for id in ids}


SHOWN_MUTANTS = (
    "substitution_costs_two",
    "place_by_place",
    "free_at_the_start",
    "match_costs_one",
    "no_insertions",
)

COUNTS = "The numbers are small: count one class by hand, and compare."

CHECKS = (
    Check(
        name="confusion",
        title="The table counts each pair of a true class and the one that was said.",
        function="confusion",
        points=2,
        cases=lambda rng: [
            confusion_case(rng, "", 40, 3),
            confusion_case(rng, "more classes", 60, 5),
            confusion_case(rng, "a class without examples", 40, 4, absent=3),
        ],
        expected=plain.confusion,
        outputs="M",
        axes=AXES,
        misconceptions=SET.known("confusion"),
        hints=("Is the sum of all entries the number of examples?", COUNTS),
    ),
    Check(
        name="per_class",
        title="Precision, recall and F1 of each class.",
        function="per_class",
        points=2,
        cases=lambda rng: [
            matrix_case(rng, "", 50, 3),
            matrix_case(rng, "more classes", 90, 5),
            matrix_case(rng, "a class without examples", 60, 4, absent=1),
            matrix_case(rng, "a class that is never said", 60, 4, unsaid=3),
        ],
        expected=plain.per_class,
        outputs=("precision", "recall", "f1"),
        axes=AXES,
        misconceptions=SET.known("per_class"),
        hints=("Which sums of M do you take: those of its rows, or those of its columns?", COUNTS),
    ),
    Check(
        name="average_f1",
        title="F1 over all classes, averaged in three ways.",
        function="average_f1",
        points=2,
        cases=lambda rng: [
            matrix_case(rng, "", 50, 3),
            matrix_case(rng, "more classes", 90, 5),
            matrix_case(rng, "a class without examples", 60, 4, absent=2),
        ],
        expected=plain.average_f1,
        outputs=("macro", "micro", "weighted"),
        misconceptions=SET.known("average_f1"),
        hints=(
            "Is the F1 of each class right? Compare with per_class.",
            "Which of the three changes when the examples of one class are doubled?",
        ),
    ),
    Check(
        name="masked_accuracy",
        title="The share of right answers among the true steps.",
        function="masked_accuracy",
        points=2,
        cases=lambda rng: [accuracy_case(rng, "", 5, 8), accuracy_case(rng, "other sizes", 8, 6)],
        expected=plain.masked_accuracy,
        outputs="accuracy",
        misconceptions=SET.known("masked_accuracy"),
        hints=(
            "Count the true steps. Then count those of them that are right.",
            "Change said in the padding only: may your result change?",
        ),
    ),
    Check(
        name="perplexity",
        title="The perplexity over all true tokens.",
        function="perplexity",
        points=2,
        cases=lambda rng: [
            perplexity_case(rng, "", 4, 8),
            perplexity_case(rng, "other sizes", 6, 5),
        ],
        expected=plain.perplexity,
        outputs="perplexity",
        misconceptions=SET.known("perplexity"),
        hints=(
            "Set nll to ln 4 everywhere: the perplexity is 4.",
            "Change nll in the padding only: may your result change?",
        ),
    ),
    Check(
        name="edit_distance",
        title="The smallest number of edits that makes one list of words the other.",
        function="edit_distance",
        points=2,
        cases=lambda rng: [
            edit_case(rng, "one word exchanged", 5),
            edit_case(rng, "words added at both ends", 6, "added"),
            edit_case(rng, "words missing at both ends", 7, "missing"),
            Case(
                "two lists that have nothing in common",
                (["x", "y", "x"], ["u", "v", "w", "u", "u"]),
            ),
        ],
        expected=plain.edit_distance,
        outputs="distance",
        misconceptions=SET.known("edit_distance"),
        hints=(
            "Fill in the table for a = [x, y] and b = [y] by hand, its first row and column first.",
            "Each cell comes from three neighbours: above, to the left, and the one between.",
        ),
    ),
    Check(
        name="is_right",
        title="Your tests accept right versions of the edit distance and find wrong ones.",
        function="is_right",
        points=2,
        examine=examine_tests(
            RIGHT_DISTANCES, wrong_distances(*SHOWN_MUTANTS), two_lists_of_words, EDITS
        ),
    ),
    Check(
        name="word_error_rate",
        title="The word error rate of a whole test set.",
        function="word_error_rate",
        points=2,
        cases=lambda rng: [
            wer_case(rng, "", 5),
            wer_case(rng, "one sentence", 1),
            wer_case(rng, "more words than there are", 3, much=True),
        ],
        expected=plain.word_error_rate,
        outputs="rate",
        # Who calls an edit distance with a mistake in it repeats that mistake.
        misconceptions=(
            *SET.known("word_error_rate"),
            *SET.known("edit_distance", "word_error_rate"),
        ),
        hints=(
            "Try it with one sentence and one error.",
            "Then with two sentences of different lengths: add up, count, divide once.",
        ),
    ),
    Check(
        name="skill",
        title="How much better the forecast is than persistence.",
        function="skill",
        points=2,
        cases=lambda rng: [
            skill_case(rng, "", 30, 3),
            skill_case(rng, "the next value, horizon 1", 25, 1),
            skill_case(rng, "worse than persistence", 40, 5, quality=2.5),
        ],
        expected=plain.skill,
        outputs="skill",
        misconceptions=SET.known("skill"),
        hints=(
            "For the perfect forecast the skill is 1, and for the baseline itself 0. Are yours?",
            (
                "Write down for horizon 2 which value of series belongs to forecast[0], and which "
                "to the baseline."
            ),
        ),
    ),
    Check(
        name="bootstrap_interval",
        title="The interval of an error rate, with whole sentences drawn.",
        function="bootstrap_interval",
        points=2,
        cases=lambda rng: [
            bootstrap_case(rng, "", 20, 120),
            bootstrap_case(rng, "more sentences", 40, 200),
        ],
        expected=plain.bootstrap_interval,
        outputs=("low", "high"),
        misconceptions=SET.known("bootstrap_interval"),
        hints=(
            (
                "Take rows = [[0, 1, 2, ...]], each sentence once: both numbers must be the rate "
                "of the test set."
            ),
            "Print how many of the drawn rates lie below low and above high.",
        ),
    ),
)

_INSTANT = practice.Instant(CHECKS)
check, case = _INSTANT.check, _INSTANT.case
