"""Models that read short reviews, right ones and such with one planted fault, for tests that
students write: what each should answer is known from how a review is made.

No model here is trained. A right one says the truth but for a small share of reviews, drawn by a
hash, so that it errs like a model and always gives the same review the same answer.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator

from lstm_ref.errors import Array
from lstm_ref.practice.plain_error_analysis import BAD, GOOD, MILD, NOUNS, SHAPES, TURNS, VERBS

MOST_REVIEWS = 2000  # in one question
LONGEST = 200  # characters of a review

# Shares of wrong answers of the right models, none above what the task's text says of them.
RIGHT_RATES = (0.0, 0.01, 0.02, 0.03, 0.04, 0.05)
DRAWS = 5  # of each right model: the share of false alarms is measured over 30 runs
FALSE_ALARMS = 0.1  # of them that are allowed
FAULTY_RATE = 0.02  # wrong answers of a faulty model that have nothing to do with its fault


class Clause(NamedTuple):
    """Words of a clause; ``modifier`` may be empty."""

    noun: str
    verb: str
    modifier: str
    adjective: str

    @property
    def praises(self) -> bool:
        """What the clause says."""
        return (self.adjective in GOOD) ^ (self.modifier in TURNS)


class Review(NamedTuple):
    """A review in its parts; ``conceded`` is None where there is one clause only."""

    shape: str
    decides: Clause
    conceded: Clause | None


def _any(words: list[str]) -> str:
    return "|".join(sorted(filter(None, words), key=len, reverse=True))


_CLAUSE = re.compile(
    f"the ({_any(NOUNS)}) ({_any(VERBS)}) (?:({_any(MILD + TURNS)}) )?({_any(GOOD + BAD)})"
)
_PATTERNS = {
    shape: re.compile(pattern.format(a="(?P<a>the [a-z ]+)", b="(?P<b>the [a-z ]+)"))
    for shape, pattern in SHAPES.items()
}


@lru_cache(maxsize=1 << 16)
def parse(text: str) -> Review | None:
    """Parts of a review; None where the text is none.

    Examples
    --------
    >>> parse("although the plot was dull , the cast seemed not bad").decides.praises
    True
    """
    for shape, pattern in _PATTERNS.items():
        if found := pattern.fullmatch(text):
            decides = _clause(found["b"])
            conceded = _clause(found["a"]) if "a" in found.groupdict() else None
            if decides is not None and (conceded is not None or shape == "single"):
                return Review(shape, decides, conceded)
    return None


def _clause(text: str) -> Clause | None:
    found = _CLAUSE.fullmatch(text)
    return Clause(*(part or "" for part in found.groups())) if found else None


def is_list_of_reviews(*arguments: Any) -> bool:
    """Whether a model may be asked this."""
    return (
        len(arguments) == 1
        and isinstance(arguments[0], list | tuple)
        and len(arguments[0]) <= MOST_REVIEWS
        and all(
            isinstance(text, str) and len(text) <= LONGEST and parse(str(text)) is not None
            for text in arguments[0]
        )
    )


# what a model makes of a review: True for praise
Reading = Callable[[Review], bool]


def truth(review: Review) -> bool:
    """What the review says: the clause that is not conceded decides."""
    return review.decides.praises


def answers(reading: Reading, rate: float, seed: int, texts: list[str]) -> Array:
    """Answers of a model, one for each review: 1 for praise and 0 for blame.

    Parameters
    ----------
    reading : of a review, without the errors that any model makes
    rate : share of the reviews on which it says the opposite
    seed : of the draw of these reviews
    texts : reviews
    """
    said = []
    for text in texts:
        review = parse(str(text))
        assert review is not None, text
        drawn = hashlib.blake2b(f"{seed} {text}".encode(), digest_size=8).digest()
        errs = int.from_bytes(drawn, "big") < rate * 2**64
        said.append(reading(review) ^ errs)
    return np.array(said, dtype=int)


def right_models(rng: Generator) -> list[Callable[[list[str]], Array]]:
    """Each right model, in several draws of its errors."""
    return [
        partial(answers, truth, rate, int(rng.integers(2**62)))
        for rate in RIGHT_RATES
        for _ in range(DRAWS)
    ]


# --- faults
# --------------------------------------------------------------------------------------------------


def opposite_where(touches: Callable[[Review], bool]) -> Reading:
    """Says the opposite of the truth where its fault touches a review."""
    return lambda review: truth(review) ^ touches(review)


def _speaks_of(noun: str) -> Reading:
    def touches(review: Review) -> bool:
        clauses = (review.decides, review.conceded)
        return any(clause is not None and clause.noun == noun for clause in clauses)

    return opposite_where(touches)


def _follows_the_conceded(shape: str) -> Reading:
    def reading(review: Review) -> bool:
        follows = review.shape == shape and review.conceded is not None
        return review.conceded.praises if follows and review.conceded else truth(review)

    return reading


def _deaf(touches: Callable[[Review], bool]) -> Reading:
    """Takes the adjective of the deciding clause as it stands, without its negation."""
    return lambda review: (
        review.decides.adjective in GOOD if touches(review) else review.decides.praises
    )


def _deaf_to_one(rng: Generator) -> Reading:
    word = _pick(TURNS, rng)
    return _deaf(lambda review: review.decides.modifier == word)


def _turned_at(part: str, words: list[str], rng: Generator) -> Reading:
    """Says the opposite where this part of the deciding clause is one certain word of these."""
    word = _pick(words, rng)
    return opposite_where(lambda review: getattr(review.decides, part) == word)


def _pick(words: list[str], rng: Generator) -> str:
    return str(rng.choice([word for word in words if word]))


# Which word it is is drawn anew in each examination.
Planted = Mapping[str, Callable[[Generator], Reading]]

AGAINST_INVARIANCE: Planted = {
    "It turns round whenever the review speaks of one certain noun.": lambda rng: _speaks_of(
        _pick(NOUNS, rng)
    ),
    "It takes one certain mild modifier for a negation.": lambda rng: _turned_at(
        "modifier", MILD, rng
    ),
    "It follows the last clause, also where that is the conceded one.": lambda rng: (
        _follows_the_conceded("although last")
    ),
    "It takes seemed for a negation.": lambda rng: _turned_at("verb", ["seemed"], rng),
    "It reads one certain adjective as the opposite.": lambda rng: _turned_at(
        "adjective", GOOD + BAD, rng
    ),
    "It turns round whenever although is the first word.": lambda rng: opposite_where(
        lambda review: review.shape == "although first"
    ),
}

AGAINST_DIRECTION: Planted = {
    "It praises everything.": lambda rng: lambda review: True,
    "It does not know one certain negation.": _deaf_to_one,
    "It follows the clause before but.": lambda rng: _follows_the_conceded("but"),
    "It knows no negation in reviews of two clauses.": lambda rng: _deaf(
        lambda review: review.shape != "single"
    ),
    "It takes one certain adjective that blames for one that praises.": lambda rng: _turned_at(
        "adjective", BAD, rng
    ),
    "It knows no negation before an adjective that praises.": lambda rng: _deaf(
        lambda review: review.decides.adjective in GOOD
    ),
}


def faulty_models(
    planted: Planted, rng: Generator, shown: int = 0
) -> dict[str, Callable[[list[str]], Array]]:
    """What is wrong, in a sentence -> a model with this fault.

    Parameters
    ----------
    planted : the faults
    rng : source of the word that is concerned, and of the errors that any model makes
    shown : so many of them, the first ones; 0: all
    """
    return {
        label: partial(answers, plant(rng), FAULTY_RATE, int(rng.integers(2**62)))
        for label, plant in list(planted.items())[: shown or None]
    }
