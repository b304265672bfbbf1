"""What the judge asks of a submission: the public checks with more cases."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.random import Generator

from lstm_ref.practice import seq2seq as public
from verdict import Case

PACKAGES = ("numpy",)


HIDDEN: dict[str, Callable[[Generator], list[Case]]] = {
    "dot_scores": lambda rng: [
        public.dot_case(rng, "many places", 4, 20, 30, 16),
        public.dot_case(rng, "one number in each vector", 3, 4, 5, 1),
        public.dot_case(rng, "one word and one place", 2, 1, 1, 6),
    ],
    "additive_scores": lambda rng: [
        public.additive_case(rng, "many places", 4, 12, 15, (8, 6, 10)),
        public.additive_case(rng, "one number in each vector", 3, 4, 5, (1, 1, 1)),
        public.additive_case(rng, "one word and one place", 2, 1, 1, (3, 2, 4)),
    ],
    "attend": lambda rng: [
        public.attend_case(rng, "all but one place are padding", 2, 3, 6, 4, (1, 1)),
        public.attend_case(rng, "many places", 4, 20, 30, 16, (30, 7, 19, 25)),
        public.attend_case(rng, "no padding", 2, 4, 3, 1, (3, 3)),
        public.attend_case(rng, "no places at all", 1, 2, 3, 2, (0,)),
        public.large_case(rng, "other large scores"),
    ],
    "teacher_forcing": lambda rng: [
        public.texts_case(rng, "many texts", rng.integers(0, 15, size=20).tolist(), (2, 1, 0)),
        public.texts_case(rng, "one text", (4,), (5, 6, 3)),
        public.texts_case(rng, "texts of equal length", (3, 3), (0, 2, 1)),
        public.texts_case(rng, "only empty texts", (0, 0), (1, 4, 4)),
    ],
    "greedy": lambda rng: [
        public.greedy_case(rng, "many words", 40, 30, -2.0),
        public.greedy_case(rng, "a single step", 5, 1, -9.0),
        public.greedy_case(rng, "another end at once", 4, 6, 9.0),
    ],
    "beam_search": lambda rng: [
        public.beam_case(rng, "greedy, width = 1", (6, 8, 1), 1.0, 0.0, (("", "beam_forgets"),)),
        public.beam_case(rng, "no rule, alpha = 0", (6, 6, 3), 0.0, 0.5),
        public.beam_case(rng, "more places than texts", (4, 3, 100), 1.0, 0.0),
        public.beam_case(rng, "a single step", (5, 1, 2), 1.0, 3.0),
        public.beam_case(rng, "another one without an end", (6, 3, 3), 0.7, -9.0),
    ],
    "ctc_collapse": lambda rng: [
        public.path_case(rng, "a long path", 200, 12),
        public.path_case(rng, "another path", 40, 6),
        Case("all blanks", (np.zeros(7, dtype=int),)),
        Case("one label for all of the path", (np.full(6, int(rng.integers(1, 5))),)),
    ],
    "ctc_forward": lambda rng: [
        public.ctc_case(rng, "an empty text", 6, 4, []),
        public.ctc_case(rng, "many labels", 60, 10, public.labels_of(rng, 12, 10, repeat=True)),
        public.ctc_case(rng, "just enough frames", 5, 6, public.labels_of(rng, 4, 6, repeat=True)),
        public.long_case(rng, "a long sound", 600),
        public.ctc_case(
            rng,
            "a frame too few for equal neighbours",
            4,
            5,
            public.labels_of(rng, 4, 5, repeat=True),
        ),
    ],
}

CHECKS = [check.with_more(HIDDEN[check.name]) for check in public.CHECKS]
