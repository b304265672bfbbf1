"""What the judge asks of a submission: the public checks with more cases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from numpy.random import Generator

from lstm_ref.practice import measure as public
from lstm_ref.practice.mutants import EDITS, examine_tests
from verdict import Case, Check

PACKAGES = ("numpy",)

_MANY = ("many examples and classes", 400, 12)
_ABSENT = ("another class without examples", 80, 6)
_PADDING = "a sequence of padding only"


def _matrices(rng: Generator) -> list[Case]:
    return [
        public.matrix_case(rng, *_MANY),
        public.matrix_case(rng, *_ABSENT, absent=0),
        public.matrix_case(rng, "two classes", 30, 2),
    ]


HIDDEN: dict[str, Callable[[Generator], list[Case]]] = {
    "confusion": lambda rng: [
        public.confusion_case(rng, *_MANY),
        public.confusion_case(rng, *_ABSENT, absent=0),
        public.confusion_case(rng, "two classes", 30, 2),
    ],
    "per_class": _matrices,
    "average_f1": _matrices,
    "masked_accuracy": lambda rng: [
        public.accuracy_case(rng, "many sequences", 40, 15),
        public.accuracy_case(rng, _PADDING, 5, 7, empty=True),
    ],
    "perplexity": lambda rng: [
        public.perplexity_case(rng, "many sequences", 20, 12),
        public.perplexity_case(rng, _PADDING, 5, 7, empty=True),
    ],
    "edit_distance": lambda rng: [
        public.edit_case(rng, "a long list", 30, "missing"),
        Case("no words at all on one side", ([], public.sentence(rng, 3))),
        Case("no words at all on the other side", (public.sentence(rng, 4), [])),
        Case("two equal lists", (same := public.sentence(rng, 6), list(same))),
    ],
    "word_error_rate": lambda rng: [
        public.wer_case(rng, "many sentences", 20),
        Case("a hypothesis without words", (["the cat sat", "a mat"], ["", "a mat"])),
    ],
    "skill": lambda rng: [
        public.skill_case(rng, "a long series", 200, 12),
        public.skill_case(rng, "a good forecast", 40, 4, quality=0.1),
    ],
    "bootstrap_interval": lambda rng: [
        public.bootstrap_case(rng, "many draws", 30, 500),
        public.bootstrap_case(rng, "few sentences", 6, 150),
    ],
}

# The wrong versions on which students' tests are tried: all that are known.
MUTANTS = [mistake.id for mistake in public.SET.known("edit_distance")]


def _graded(check: Check) -> Check:
    if check.name == "is_right":
        wrong = public.wrong_distances(*MUTANTS)
        return replace(
            check,
            examine=examine_tests(public.RIGHT_DISTANCES, wrong, public.two_lists_of_words, EDITS),
        )
    return check.with_more(HIDDEN[check.name])


CHECKS = [_graded(check) for check in public.CHECKS]
