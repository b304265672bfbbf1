"""The public checks of the problem set seq2seq, and its instant check.

    from lstm_ref.practice.seq2seq import check
    check("dot_scores")

The judge asks the same questions with more cases (solutions/seq2seq/checks.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.random import Generator

from lstm_ref import practice
from lstm_ref.errors import Array
from lstm_ref.practice import plain_seq2seq as plain
from lstm_ref.practice.mistakes import Plain
from lstm_ref.practice.seq2seq_mistakes import MISTAKES
from verdict import Case, Check

SET = Plain(plain, MISTAKES)
AXES = {
    "e": "N S T",
    "w": "N S T",
    "z": "N S V",
    "fed": "N T",
    "target": "N T",
    "mask": "N T",
}
IMPOSSIBLE = -1e6  # whatever is below counts as minus infinity
LONGEST_TEXT = 100  # words that a model takes

Model = Callable[[Sequence[int]], Array]


# --- cases of the attention
# --------------------------------------------------------------------------------------------------


def dot_case(rng: Generator, label: str, N: int, S: int, T: int, H: int) -> Case:
    """A call of dot_scores."""
    return Case(label, (rng.normal(size=(N, S, H)), rng.normal(size=(N, T, H))))


def additive_case(
    rng: Generator, label: str, N: int, S: int, T: int, sizes: tuple[int, int, int]
) -> Case:
    """A call of additive_scores; the sizes are those of a query, of a key, and of the small
    network.
    """
    Hq, Hk, A = sizes
    shapes: tuple[tuple[int, ...], ...] = ((N, S, Hq), (N, T, Hk), (Hq, A), (Hk, A), (A,))
    return Case(label, tuple(rng.normal(scale=0.9, size=shape) for shape in shapes))


def attend_case(
    rng: Generator, label: str, N: int, S: int, T: int, V: int, there: Sequence[int]
) -> Case:
    """A call of attend; ``there`` says how many places each example has."""
    mask = np.arange(T) < np.asarray(there)[:, np.newaxis]
    return Case(label, (rng.normal(scale=1.5, size=(N, S, T)), mask, rng.normal(size=(N, T, V))))


def large_case(rng: Generator, label: str) -> Case:
    """A call of attend whose scores lie around 1000 in one row and around -1000 in another.

    They are multiples of an eighth, which single precision holds without rounding.
    """
    N, S, T, V = 2, 3, 4, 2
    e = rng.integers(-16, 17, size=(N, S, T)) / 8 + 1000.0 * np.array([[[1], [0], [-1]]])
    mask = np.arange(T) < np.array([[4], [3]])
    return Case(label, (e, mask, rng.normal(size=(N, T, V))))


# --- cases of the texts
# --------------------------------------------------------------------------------------------------


def texts_case(
    rng: Generator, label: str, lengths: Sequence[int], marks: tuple[int, int, int] = (1, 2, 7)
) -> Case:
    """A call of teacher_forcing; ``marks`` are the numbers of start, end and padding."""
    return Case(label, ([rng.integers(10, 40, size=L).tolist() for L in lengths], *marks))


def with_padding_fed(arrays: dict[str, Array]) -> dict[str, Array]:
    """The same with padding where a short text's end mark is fed in a step that does not count,
    as slices of one long row have it: both are right.

    In a row whose last target is padding, the end mark is the last target that is another number.
    """
    fed, target = arrays["fed"].copy(), arrays["target"]
    for row, said in zip(fed, target, strict=True):
        others = np.flatnonzero(said != said[-1:])
        if len(others) and row[others[-1] + 1] == said[others[-1]]:
            row[others[-1] + 1] = said[-1]
    return arrays | {"fed": fed}


def language_model(seed: int, V: int, end: int, hurry: float = 0.0, spread: float = 1.0) -> Model:
    """A model that is drawn: for each list of words the logarithms of the probabilities of the
    next one, array (V,).

    Parameters
    ----------
    seed : the same one gives the same model
    V : words, the end mark among them
    end : number of the end mark
    hurry : how much more is scored for the end mark
    spread : standard deviation of the scores
    """

    @lru_cache(maxsize=10_000)
    def row(words: tuple[int, ...]) -> Array:
        scores = np.random.default_rng([seed, *words]).normal(scale=spread, size=V)
        scores[end] += hurry
        return np.asarray(scores - np.logaddexp.reduce(scores))

    def next_log_p(words: Sequence[int]) -> Array:
        return row(_checked(words, V)).copy()

    return next_log_p


def _checked(words: Any, V: int) -> tuple[int, ...]:
    """The words that a model is asked with.

    Raises
    ------
    ValueError : they are no list of numbers of words
    """
    try:
        numbers = tuple(int(word) for word in words)
    except (TypeError, ValueError):
        numbers = (-1,)
    if not all(0 <= word < V for word in numbers) or len(numbers) > LONGEST_TEXT:
        raise ValueError(
            f"next_log_p takes a list of the words so far, at most {LONGEST_TEXT} whole numbers "
            f"from 0 to {V - 1}; at the start the list is empty"
        )
    return numbers


def drawn_model(rng: Generator, V: int, hurry: float, spread: float = 1.0) -> tuple[Model, int]:
    """A model, and the number of its end mark."""
    end = int(rng.integers(V))
    return language_model(int(rng.integers(2**31)), V, end, hurry, spread), end


def telling(draw: Callable[[], Case], function: str, apart: Sequence[tuple[str, str]] = ()) -> Case:
    """The first of the cases drawn in which the two versions of each pair give different results.

    Parameters
    ----------
    draw : gives a case
    function : of the set; it returns a text and a number
    apart : pairs of ids of mistakes; an empty one stands for the right function
    """
    for _ in range(500):
        drawn = draw()
        if not any(
            _alike(_version(one, function, drawn), _version(other, function, drawn))
            for one, other in apart
        ):
            break
    return drawn


def _version(mistake: str, function: str, drawn: Case) -> Any:
    if mistake:
        return SET.call(mistake, function, *drawn.args)
    return getattr(plain, function)(*drawn.args)


def _alike(one: Any, other: Any) -> bool:
    return list(one[0]) == list(other[0]) and bool(abs(one[1] - other[1]) < 1e-3)


def greedy_case(
    rng: Generator,
    label: str,
    V: int,
    longest: int,
    hurry: float,
    apart: Sequence[tuple[str, str]] = (),
) -> Case:
    """A call of greedy; see `language_model` and `telling`."""

    def draw() -> Case:
        model, end = drawn_model(rng, V, hurry)
        return Case(label, (model, end, longest))

    return telling(draw, "greedy", apart)


def beam_case(
    rng: Generator,
    label: str,
    sizes: tuple[int, int, int],
    alpha: float,
    hurry: float,
    apart: Sequence[tuple[str, str]] = (),
    spread: float = 1.0,
) -> Case:
    """A call of beam_search; the sizes are V, the steps at most, and the width."""
    V, longest, width = sizes

    def draw() -> Case:
        model, end = drawn_model(rng, V, hurry, spread)
        return Case(label, (model, end, longest, width, alpha))

    return telling(draw, "beam_search", apart)


# What a case of beam_search is to tell apart; "" is the right one.
RULES = (
    ("", "rule_only_reported"),
    ("", "no_length_rule"),
    ("finished_lost", "open_texts_compete"),
)
SEARCH = (
    ("", "beam_is_greedy"),
    ("", "first_finished_wins"),
    ("rule_only_reported", "first_finished_wins"),
)
PLACES = (
    ("", "finished_keep_their_place"),
    ("", "finished_extended"),
    ("finished_extended", "finished_keep_their_place"),
    ("rule_only_reported", "finished_keep_their_place"),
)
WIDTHS = (
    ("", "beam_shrinks"),
    ("finished_keep_their_place", "beam_shrinks"),
    ("rule_only_reported", "beam_shrinks"),
)
OPEN = (("", "open_texts_compete"), ("", "finished_lost"))
ENDLESS = (("", "nothing_where_none_ends"), ("", "beam_forgets"), ("", "width_for_each"))

# --- cases of CTC
# --------------------------------------------------------------------------------------------------


def path_case(rng: Generator, label: str, T: int, K: int) -> Case:
    """A call of ctc_collapse: a path of runs, which begins and ends with a label and holds each
    thing that can be done wrong.
    """
    told = [1, 2, 2, 0, 2, 1, 3, 3, 3, 0, 0, 1]
    runs = np.repeat(rng.integers(0, K, size=T), rng.integers(1, 4, size=T))[
        : max(T - len(told), 0)
    ]
    names = rng.permutation(np.arange(1, K))
    return Case(label, (np.array([0 if s == 0 else names[s - 1] for s in [*told, *runs, 0, 1]]),))


def log_softmax(scores: Array) -> Array:
    """Logarithms of probabilities along the last axis."""
    return np.asarray(scores - np.logaddexp.reduce(scores, axis=-1, keepdims=True))


def ctc_case(
    rng: Generator, label: str, T: int, K: int, labels: Sequence[int], spread: float = 1.5
) -> Case:
    """A call of ctc_forward, whose scores have this standard deviation."""
    return Case(label, (log_softmax(rng.normal(scale=spread, size=(T, K))), list(labels)))


def long_case(rng: Generator, label: str, T: int) -> Case:
    """A call of ctc_forward in which a product of probabilities underflows: log p is below
    -1000 for 300 frames.
    """
    return ctc_case(rng, label, T, 12, labels_of(rng, 2, 12, repeat=False), spread=3.0)


def labels_of(rng: Generator, L: int, K: int, *, repeat: bool) -> list[int]:
    """Labels from 1 to K - 1 in which no two neighbours are equal, but where wanted the last
    two.
    """
    labels: list[int] = []
    while len(labels) < L:
        labels += [label for label in [int(rng.integers(1, K))] if labels[-1:] != [label]]
    return [*labels[:-1], labels[-2]] if repeat else labels


def with_a_floor(arrays: dict[str, Array]) -> dict[str, Array]:
    """The same with finite numbers where an infinity is; NaN stays NaN."""
    return {name: np.clip(array, IMPOSSIBLE, -IMPOSSIBLE) for name, array in arrays.items()}


CHECKS = (
    Check(
        name="dot_scores",
        title="Each score is the scaled product of a query and a key of the same example.",
        function="dot_scores",
        points=2,
        cases=lambda rng: [
            dot_case(rng, "", 3, 2, 4, 5),
            dot_case(rng, "other sizes", 2, 4, 3, 8),
            dot_case(rng, "one example, N = 1", 1, 3, 5, 2),
        ],
        expected=plain.dot_scores,
        outputs="e",
        axes=AXES,
        misconceptions=SET.known("dot_scores"),
        hints=(
            "Take N = S = T = 1 and H = 4, with q and k of ones: 2 must come out.",
            "Then two examples: may a query of one meet a key of the other?",
        ),
    ),
    Check(
        name="additive_scores",
        title="Each score comes out of the small network of a query and a key.",
        function="additive_scores",
        points=2,
        cases=lambda rng: [
            additive_case(rng, "", 2, 3, 4, (4, 4, 5)),
            additive_case(rng, "queries and keys of two sizes", 3, 4, 2, (3, 5, 6)),
            additive_case(rng, "one example, N = 1", 1, 2, 3, (2, 3, 4)),
        ],
        expected=plain.additive_scores,
        outputs="e",
        axes=AXES,
        misconceptions=SET.known("additive_scores"),
        hints=(
            "Which shape has what goes into the tanh? Four axes: N, S, T and A.",
            "Compute e[0, 1, 2] alone, from q[0, 1] and k[0, 2], and compare.",
        ),
    ),
    Check(
        name="attend",
        title="The weights of each word add up to 1 over the true places, and z is their mean.",
        function="attend",
        points=3,
        cases=lambda rng: [
            attend_case(rng, "", 3, 2, 4, 3, (4, 2, 3)),
            attend_case(rng, "an example without places", 3, 4, 5, 2, (3, 0, 5)),
            large_case(rng, "large scores"),
        ],
        expected=plain.attend,
        outputs=("w", "z"),
        axes=AXES,
        misconceptions=SET.known("attend"),
        hints=(
            "Print w.sum(axis=2): 1 everywhere, but 0 where an example has no place.",
            "Print w where the mask is False: 0 everywhere.",
        ),
    ),
    Check(
        name="teacher_forcing",
        title="What is fed stands one step behind what must be said, and the mask counts it.",
        function="teacher_forcing",
        points=3,
        cases=lambda rng: [
            texts_case(rng, "", (3, 5, 1)),
            texts_case(rng, "padding has the number of the end mark", (2, 4), (0, 3, 3)),
            texts_case(rng, "an empty text", (0, 2), (4, 5, 6)),
        ],
        expected=plain.teacher_forcing,
        outputs=("fed", "target", "mask"),
        # A shift is between the two: one of them alone is no half of it.
        made_from={"fed": ("target",), "target": ("fed",)},
        one_form=with_padding_fed,
        axes=AXES,
        misconceptions=SET.known("teacher_forcing"),
        hints=(
            "Print the three rows of the shortest text under each other.",
            "How many steps does a text of L words have, and how many of them count?",
        ),
    ),
    Check(
        name="greedy",
        title="The likeliest word in each step, until the end mark.",
        function="greedy",
        points=2,
        cases=lambda rng: [
            greedy_case(
                rng, "", 6, 8, 0.0, (("", "greedy_forgets"), ("", "goes_on_after_the_end"))
            ),
            greedy_case(rng, "a text that does not end", 5, 4, -9.0, (("", "greedy_forgets"),)),
            greedy_case(rng, "the end mark at once", 5, 3, 9.0),
        ],
        expected=plain.greedy,
        outputs=("words", "log_p"),
        exact=("words",),
        misconceptions=SET.known("greedy"),
        hints=(
            "Print the words and log p after each step.",
            "exp(log_p) is the probability of the whole text: can it be that large, or that small?",
        ),
    ),
    Check(
        name="beam_search",
        title="The beam finds the text that the rules say, with its score.",
        function="beam_search",
        points=3,
        cases=lambda rng: [
            beam_case(rng, "", (6, 6, 3), 1.0, 0.5, RULES),
            beam_case(rng, "a beam of four", (6, 6, 4), 3.0, 0.5, SEARCH, spread=1.5),
            beam_case(rng, "texts that end early", (5, 7, 3), 3.0, 1.0, PLACES),
            beam_case(rng, "a wide beam", (5, 7, 4), 3.0, 0.0, WIDTHS, spread=2.5),
            beam_case(rng, "one of two that ends", (4, 6, 2), 2.0, -0.3, OPEN),
            beam_case(rng, "no text that ends", (5, 4, 2), 1.0, -9.0, ENDLESS),
        ],
        expected=plain.beam_search,
        outputs=("words", "score"),
        # With some models a wrong search finds the right text, too; the score tells.
        made_from={"words": ("score",)},
        exact=("words",),
        misconceptions=SET.known("beam_search"),
        hints=(
            "With width = 1 and alpha = 0 it must say what your greedy says.",
            "Print the beam and the finished texts after each step. How many does each hold?",
        ),
    ),
    Check(
        name="ctc_collapse",
        title="The labels that a path spells.",
        function="ctc_collapse",
        points=1,
        cases=lambda rng: [
            path_case(rng, "", 20, 5),
            Case("a single symbol", (np.array([int(rng.integers(1, 9))]),)),
        ],
        expected=plain.ctc_collapse,
        outputs="labels",
        exact=("labels",),
        misconceptions=SET.known("ctc_collapse"),
        hints=(
            "Try 0 1 1 0 and then 1 0 1 by hand.",
            "Which of the two steps comes first: to merge, or to leave out?",
        ),
    ),
    Check(
        name="ctc_forward",
        title="The probability of a text is that of all paths that spell it.",
        function="ctc_forward",
        points=4,
        cases=lambda rng: [
            ctc_case(rng, "", 8, 5, labels_of(rng, 3, 5, repeat=False)),
            ctc_case(rng, "equal neighbours", 9, 4, labels_of(rng, 4, 4, repeat=True)),
            ctc_case(rng, "a single frame", 1, 4, labels_of(rng, 1, 4, repeat=False)),
            long_case(rng, "hundreds of frames", 300),
            ctc_case(
                rng, "a text that does not fit: -inf", 3, 5, labels_of(rng, 4, 5, repeat=False)
            ),
        ],
        expected=plain.ctc_forward,
        outputs="log_p",
        one_form=with_a_floor,
        misconceptions=SET.known("ctc_forward"),
        hints=(
            "Take T = 2 and the label 1: three paths spell it. Add their probabilities by hand.",
            "Print alpha after each frame: how many states can be reached after two?",
        ),
    ),
)

_INSTANT = practice.Instant(CHECKS)
check, case = _INSTANT.check, _INSTANT.case
