"""Reviews out of a grammar with negation and contrast: what each says is known by construction.

A clause says that something was good or bad. A negation in it turns that round, and a frame such as
"nobody can say that" turns it round once more, from further away. Where two clauses stand together,
the one that is not conceded decides. A model that counts words cannot know which clause a word
stands in, so the order of the words matters.
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple

import numpy as np

from lstm_ref.data.tasks import Sentences, as_ints
from lstm_ref.errors import ArgumentError

# A word and whether it turns the meaning round.
FRAMES = (
    ("", False),
    ("i must say that", False),
    ("nobody can say that", True),
    ("i do not think that", True),
)
NOUNS = tuple("film story plot acting cast music camera ending dialogue humour hero title".split())
COPULAS = ("was", "seemed")
MODIFIERS = (
    *(("", False), ("very", False), ("rather", False), ("always", False)),
    *(("not", True), ("never", True), ("not at all", True), ("anything but", True)),
)
GOOD = tuple("good great lovely clever funny moving fresh bright honest brilliant".split())
BAD = tuple("bad awful dull stupid boring clumsy stale weak false terrible".split())
ADJECTIVES = GOOD + BAD
# Of two clauses, {a} is conceded and {b} decides. No clause holds a comma, so that each sentence
# has one reading.
SHAPES = {
    "single": "{b}",
    "but": "{a} , but {b}",
    "although first": "although {a} , {b}",
    "although last": "{b} , although {a}",
}
SIZES = tuple(map(len, (FRAMES, NOUNS, COPULAS, MODIFIERS, ADJECTIVES)))


class Review(NamedTuple):
    """A sentence, and 1 if it praises, 0 if it does not."""

    text: str
    label: int


def pattern_space() -> dict[str, int]:
    """Shape of a sentence -> how many different sentences of that shape the grammar holds.

    Half of each praise: to every sentence there is the one with an adjective of the other kind.

    Examples
    --------
    >>> pattern_space()
    {'single': 15360, 'but': 216268800, 'although first': 216268800, 'although last': 216268800}
    """
    one = prod(SIZES)
    two = one * (one // len(NOUNS) * (len(NOUNS) - 1))  # two clauses do not speak of the same thing
    return {shape: two if "{a}" in pattern else one for shape, pattern in SHAPES.items()}


def review(shape: str, index: int) -> Review:
    """Sentence number ``index`` of a shape. Different numbers give different sentences.

    Raises
    ------
    ArgumentError : no such shape, or a number that is not in 0 ... pattern_space()[shape] - 1

    Examples
    --------
    >>> review("single", 15005)
    Review(text='i do not think that the hero seemed not at all moving', label=1)
    """
    if shape not in SHAPES:
        raise ArgumentError(f"review: there is no shape {shape!r}; there are: {', '.join(SHAPES)}")
    size = pattern_space()[shape]
    if not 0 <= index < size:
        raise ArgumentError(
            f"review: index must be in 0 ... {size - 1} for the shape {shape!r}, got {index}"
        )
    rest, k = divmod(index, prod(SIZES))
    choice = _digits(k, SIZES)
    decides, praise = _clause(*choice)
    # The other clause takes one of the nouns that are left: counted on from the first one, past the
    # end to the start.
    frame, step, *others = _digits(rest, (len(FRAMES), len(NOUNS) - 1, *SIZES[2:]))
    conceded, _ = _clause(frame, (choice[1] + 1 + step) % len(NOUNS), *others)
    return Review(SHAPES[shape].format(a=conceded, b=decides), int(praise))


def reviews(n: int = 4000, seed: int = 0) -> Sentences:
    """Draw n different sentences, as many of each shape as can be, in random order.

    No sentence occurs twice, so that whatever way they are split, no sentence of the test was
    trained on.

    Parameters
    ----------
    n : 4 or more sentences
    seed : of the draw

    Raises
    ------
    ArgumentError : n below 4, or more sentences of one shape than there are

    Examples
    --------
    >>> found = reviews(8)
    >>> len(found.texts), found.label_names
    (8, ('negative', 'positive'))
    """
    sizes = pattern_space()
    if not len(SHAPES) <= n <= len(SHAPES) * sizes["single"]:
        raise ArgumentError(
            f"reviews: n must be in {len(SHAPES)} ... {len(SHAPES) * sizes['single']}, got {n}: "
            f"there are {len(SHAPES)} shapes, and {sizes['single']} sentences of the shape with "
            "one clause"
        )
    rng = np.random.default_rng(seed)
    drawn = []
    for k, (shape, size) in enumerate(sizes.items()):
        count = n // len(SHAPES) + (k < n % len(SHAPES))
        drawn += [review(shape, int(index)) for index in rng.choice(size, count, replace=False)]
    drawn = [drawn[k] for k in rng.permutation(n)]
    return Sentences(
        tuple(text for text, _ in drawn),
        as_ints([label for _, label in drawn]),
        ("negative", "positive"),
    )


def _clause(frame: int, noun: int, copula: int, modifier: int, adjective: int) -> tuple[str, bool]:
    """Words of a clause, and whether it praises."""
    (frame_words, far), (modifier_words, near) = FRAMES[frame], MODIFIERS[modifier]
    words = [
        frame_words,
        "the",
        NOUNS[noun],
        COPULAS[copula],
        modifier_words,
        ADJECTIVES[adjective],
    ]
    return " ".join(filter(None, words)), (ADJECTIVES[adjective] in GOOD) ^ far ^ near


def _digits(number: int, sizes: tuple[int, ...]) -> list[int]:
    """Digits of a number whose places have the given sizes, the last place first: each number has
    its own digits.
    """
    digits = []
    for size in reversed(sizes):
        number, digit = divmod(number, size)
        digits.append(digit)
    return digits[::-1]
