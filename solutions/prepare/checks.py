"""What the judge asks of a submission: the public checks with more cases."""

from __future__ import annotations

from collections.abc import Callable

from numpy.random import Generator

from lstm_ref.practice import prepare as public
from verdict import Case

PACKAGES = ("numpy",)

HIDDEN: dict[str, Callable[[Generator], list[Case]]] = {
    "tokenize": lambda rng: [
        public.tokenize_case(rng, "a long text", 40),
        Case("an empty text", ("",)),
        Case("white space of all kinds", ('  Zoë\n\tsaid:   "it\'s\n12"  ',)),
    ],
    "build_vocabulary": lambda rng: [
        public.vocabulary_case(rng, "many sentences", 9, 4),
        Case("an empty sentence", ([["b", "a", "b"], [], ["c", "b", "a"]], 2)),
    ],
    "encode_pad": lambda rng: [
        public.encode_case(rng, "many sentences", [8, 1, 4, 12, 7, 3, 10], 8),
        public.encode_case(rng, "another empty sentence", [3, 0, 5], 4),
    ],
    "encode_sets": lambda rng: [
        public.sets_case(rng, "many texts", 12, 8, 3),
        Case("an empty text", (["Snow, snow and rain.", "Rain! Snow?"], ["", "Rain; hail."], 2)),
    ],
    "scale": lambda rng: [
        public.scale_case(rng, "many rows", 100, 40, 6),
        public.scale_case(rng, "one test row", 15, 1, 3),
    ],
    "windows": lambda rng: [
        public.windows_case(rng, "a long series", 120, 24, 12),
        public.windows_case(rng, "windows of one value, T = 1", 14, 1, 2),
    ],
    "split_by_time": lambda rng: [
        public.split_case(rng, "no gap at all", gap=0),
        public.split_case(rng, "a third split"),
    ],
    "leak_report": lambda rng: [public.leak_case(rng, "many rows", 40)],
}

CHECKS = [check.with_more(HIDDEN[check.name]) for check in public.CHECKS]
