"""The public checks of the problem set prepare, and its instant check.

    from lstm_ref.practice.prepare import check
    check("tokenize")

The judge asks the same questions with more cases (solutions/prepare/checks.py).
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from lstm_ref import practice
from lstm_ref.practice import plain_prepare as plain
from lstm_ref.practice.mistakes import Plain
from lstm_ref.practice.prepare_mistakes import MISTAKES
from verdict import Case, Check, Misconception

SET = Plain(plain, MISTAKES)
WORDS = (
    "rain",
    "wind",
    "sun",
    "snow",
    "the",
    "a",
    "cold",
    "it's",
    "12",
    "zoë",
    "fog",
    "café",
    "storm",
)
SPEAKERS = ("ann", "bob", "cid", "dora", "eve", "finn")
# Mistakes in what encode_sets calls that leave its ids as they are; those that change them all in
# one and the same way; and one that is the same as a mistake in encode_sets itself.
UNSEEN_IN_THE_SETS = ("unknown_first", "ascii_only")
ALIKE_IN_THE_SETS = ("padding_id_is_a_word", "no_special_ids", "specials_at_the_end")
KNOWN_IN_THE_SETS = {"min_count_ignored": "test_words_kept"}

# --- cases
# --------------------------------------------------------------------------------------------------


def draw_words(rng: Generator, length: int) -> list[str]:
    """Words, some of them often."""
    share = 1 / np.arange(1, len(WORDS) + 1)
    return [WORDS[k] for k in rng.choice(len(WORDS), size=length, p=share / share.sum())]


def draw_text(rng: Generator, length: int) -> str:
    """A text with capital letters, marks, an apostrophe, a number, and letters beyond a to z."""
    words = [*draw_words(rng, length), *rng.permutation(["It's", "Zoë", "12", "rain", "rain"])]
    words[0] = words[0].capitalize()
    words[1] += ","
    words[3] = f'"{words[3]}"'
    return " ".join(words) + ("?!" if rng.random() < 0.5 else "...")


def tokenize_case(rng: Generator, label: str, length: int) -> Case:
    """A call of tokenize."""
    return Case(label, (draw_text(rng, length),))


def vocabulary_case(rng: Generator, label: str, sentences: int, min_count: int) -> Case:
    """A call of build_vocabulary: words of each number of occurrences around ``min_count``, some of
    them equally frequent.
    """
    more = {
        "zebra": 1,
        "apple": 1,
        "berry": 2,
        "mango": 2,
        "nut": 3,
        "fig": 4,
        "kiwi": 6,
        "plum": 0,
        "once": -1,
    }
    # The first sentence holds a word twice; and the order of first occurrence is neither that of
    # counts nor the alphabet.
    first = ["zebra", "plum", "nut", "nut", "berry"]
    words = [word for word, k in more.items() for _ in range(min_count + k - first.count(word))]
    shuffled = [*first, *rng.permutation(words).tolist()]
    cuts = sorted(int(k) for k in rng.integers(5, len(shuffled), size=sentences - 1))
    parts = [shuffled[a:b] for a, b in zip([0, *cuts], [*cuts, len(shuffled)], strict=True)]
    return Case(label, (parts, min_count))


def encode_case(rng: Generator, label: str, lengths: list[int], T: int) -> Case:
    """A call of encode_pad: sentences of these lengths, each with an unknown word where it has more
    than one.
    """
    sentences = []
    for length in lengths:
        words = draw_words(rng, length)
        if length > 1:
            words[int(rng.integers(min(length, T) - 1))] = "quark"
        sentences.append(words)
    vocabulary = {"<pad>": 0, "<unk>": 1} | {
        word: k + 2 for k, word in enumerate(rng.permutation(WORDS).tolist())
    }
    return Case(label, (sentences, vocabulary, T))


def sets_case(rng: Generator, label: str, train: int, test: int, min_count: int) -> Case:
    """A call of encode_sets: test holds words that train has not, and some that train has too
    seldom.
    """
    texts = [draw_text(rng, 6) for _ in range(train)]
    texts[0] += " Hail, hail, hail! Mist."
    others = [f"{draw_text(rng, 4)} Thunder, thunder, thunder and hail; mist!" for _ in range(test)]
    return Case(label, (texts, others, min_count))


def scale_case(rng: Generator, label: str, n: int, n_test: int, D: int) -> Case:
    """A call of scale: columns of different units, one of them constant where there are several,
    and a test that has drifted.
    """
    size, middle = 10.0 ** rng.uniform(-0.5, 1.5, size=D), rng.normal(scale=20, size=D)
    train, test = (rng.normal(size=(rows, D)) * size + middle for rows in (n, n_test))
    if D > 1:
        train[:, 0] = test[:, 0] = 3.5
    return Case(label, (train, test + size))


def windows_case(rng: Generator, label: str, n: int, T: int, horizon: int) -> Case:
    """A call of windows."""
    return Case(label, (np.cumsum(rng.normal(size=n)), T, horizon))


def split_case(rng: Generator, label: str, gap: int = -1) -> Case:
    """A call of split_by_time; the gap is drawn where none is given."""
    n_test = int(rng.integers(4, 8))
    return Case(
        label, (int(rng.integers(22, 40)), n_test, int(rng.integers(2, 5)) if gap < 0 else gap)
    )


def leak_case(rng: Generator, label: str, n: int) -> Case:
    """A call of leak_report: each kind of row occurs in the test, some texts occur twice in it, and
    train is longer.
    """
    known, new = SPEAKERS[:3], SPEAKERS[3:]
    train = [(str(rng.choice(known)), f"sentence {k}") for k in range(n)]
    train[0] = ("ann", "yes")
    test = [
        (
            str(rng.choice(known if k % 2 else new)),
            f"sentence {k + 3}" if k % 3 == 0 else f"new {k}",
        )
        for k in range(n)
    ]
    test += [("eve", "twice"), ("finn", "twice"), ("ann", "yes"), ("bob", "yes"), ("dora", "yes")]
    order = rng.permutation(len(test))
    return Case(label, (train, [test[k] for k in order]))


def in_the_sets() -> tuple[Misconception, ...]:
    """Mistakes in what encode_sets calls, as they show in it."""
    called = (*SET.known("tokenize", "encode_sets"), *SET.known("build_vocabulary", "encode_sets"))
    left_out = {*UNSEEN_IN_THE_SETS, *ALIKE_IN_THE_SETS, *KNOWN_IN_THE_SETS}
    return tuple(mistake for mistake in called if mistake.id not in left_out)


CHECKS = (
    Check(
        name="tokenize",
        title="The text in pieces.",
        function="tokenize",
        points=2,
        cases=lambda rng: [
            tokenize_case(rng, "", 5),
            Case("letters and marks", ("It's 5 o'clock... is it? Zoë said: NO!! A café, a CAFÉ.",)),
        ],
        expected=plain.tokenize,
        outputs="tokens",
        exact=("tokens",),
        misconceptions=SET.known("tokenize"),
        hints=(
            "Print your tokens for a short text of your own.",
            "Three questions: small letters? marks apart? apostrophes within?",
        ),
    ),
    Check(
        name="build_vocabulary",
        title="Each word has its own number.",
        function="build_vocabulary",
        points=3,
        cases=lambda rng: [
            vocabulary_case(rng, "", 4, 2),
            vocabulary_case(rng, "another min_count", 3, 3),
        ],
        expected=plain.build_vocabulary,
        outputs="vocabulary",
        exact=("vocabulary",),
        misconceptions=SET.known("build_vocabulary"),
        hints=(
            "Work the example of the text through by hand.",
            "Print the words with their counts, in the order of your ids.",
        ),
    ),
    Check(
        name="encode_pad",
        title="Sentences as numbers of one length, and the mask.",
        function="encode_pad",
        points=3,
        cases=lambda rng: [
            encode_case(rng, "", [3, 6, 5, 2], 6),
            encode_case(rng, "sentences longer than T", [4, 9, 7], 5),
        ],
        expected=plain.encode_pad,
        outputs=("ids", "mask"),
        axes={"ids": "N T", "mask": "N T"},
        misconceptions=SET.known("encode_pad"),
        hints=(
            "Work the example of the text through by hand.",
            "Look at the row of the shortest sentence, and at that of the longest.",
        ),
    ),
    Check(
        name="encode_sets",
        title="Training and test data as numbers, and nothing of the test in the vocabulary.",
        function="encode_sets",
        points=2,
        cases=lambda rng: [
            sets_case(rng, "", 4, 3, 2),
            sets_case(rng, "another min_count", 6, 2, 3),
        ],
        expected=plain.encode_sets,
        outputs=("train_ids", "test_ids"),
        exact=("train_ids", "test_ids"),
        # Who calls a function with a mistake in it repeats that mistake.
        misconceptions=(*SET.known("encode_sets"), *in_the_sets()),
        hints=(
            "Which ids has a word that occurs in test only?",
            "Are tokenize and build_vocabulary right? This one calls them.",
        ),
    ),
    Check(
        name="scale",
        title="Both sets on the scale of the training set.",
        function="scale",
        points=3,
        cases=lambda rng: [
            scale_case(rng, "", 12, 5, 4),
            scale_case(rng, "one column, D = 1", 9, 4, 1),
        ],
        expected=plain.scale,
        outputs=("train", "test"),
        axes={"train": "N D", "test": "N D"},
        misconceptions=SET.known("scale"),
        hints=(
            "Print mean and standard deviation of each column of your scaled training set.",
            "Is the column that is constant finite?",
        ),
    ),
    Check(
        name="windows",
        title="Windows, each with the value that is to be told from it.",
        function="windows",
        points=3,
        cases=lambda rng: [
            windows_case(rng, "", 15, 4, 3),
            windows_case(rng, "the next value, horizon 1", 12, 3, 1),
        ],
        expected=plain.windows,
        outputs=("x", "y"),
        axes={"x": "M T", "y": "M"},
        misconceptions=SET.known("windows"),
        hints=(
            "Use series = np.arange(10.0): each number is its own place.",
            "What are the first window and its target, and the last?",
        ),
    ),
    Check(
        name="split_by_time",
        title="The past to learn from, a gap, and the future to be tested on.",
        function="split_by_time",
        points=2,
        cases=lambda rng: [split_case(rng, ""), split_case(rng, "another split")],
        expected=plain.split_by_time,
        outputs=("train", "test"),
        exact=("train", "test"),
        misconceptions=SET.known("split_by_time"),
        hints=(
            "Draw n = 10 places on paper, and colour them.",
            "Count: how many are test, how many gap, how many train?",
        ),
    ),
    Check(
        name="leak_report",
        title="Which rows of the test set the model has met.",
        function="leak_report",
        points=2,
        cases=lambda rng: [leak_case(rng, "", 9), leak_case(rng, "more rows", 14)],
        expected=plain.leak_report,
        outputs=("repeated", "known", "clean"),
        exact=("repeated", "known", "clean"),
        misconceptions=SET.known("leak_report"),
        hints=(
            "Work the example of the text through by hand.",
            "A row may be repeated and known at once; then it stands in both lists.",
        ),
    ),
)

_INSTANT = practice.Instant(CHECKS)
check, case = _INSTANT.check, _INSTANT.case
