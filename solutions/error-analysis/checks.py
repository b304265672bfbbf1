"""What the judge asks of a submission: the public checks with more cases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from numpy.random import Generator

from lstm_ref.practice import error_analysis as public
from lstm_ref.practice.review_models import AGAINST_DIRECTION, AGAINST_INVARIANCE
from verdict import Case, Check

PACKAGES = ("numpy",)

_MANY = "many slices"

HIDDEN: dict[str, Callable[[Generator], list[Case]]] = {
    "slice_table": lambda rng: [
        public.table_case(rng, "many answers", 300, ("words", "first word", "joint")),
        public.table_case(rng, "the same value everywhere", 20, ("joint", "source")),
        public.table_case(rng, "no error at all", 20, ("words",), errors=False),
    ],
    "wilson_interval": lambda rng: [
        public.interval_case(rng, "many answers", 2000, 0.01, 0.1),
        public.interval_case(rng, "nothing is wrong", 30, 0.05, 0),
        public.interval_case(rng, "everything is wrong", 12, 0.1, 1),
        public.interval_case(rng, "a single answer", 1, 0.05, 1),
    ],
    "slices_that_differ": lambda rng: [
        public.differ_case(rng, _MANY, public.RULER * 3, 0.05),
        public.differ_case(rng, "one slice, m = 1", (1.3,), 0.05),
        public.differ_case(rng, "one slice that does not differ", (-0.8,), 0.1),
    ],
    "search_and_confirm": lambda rng: [
        public.halves_case(rng, _MANY, (*public.HALVES, *public.HALVES[:6]), 0.05),
        public.halves_case(rng, "nothing is found", public.UNFOUND, 0.1),
    ],
}

FAULTS = {"invariant": AGAINST_INVARIANCE, "directed": AGAINST_DIRECTION}


def _graded(check: Check) -> Check:
    if check.name in FAULTS:
        return replace(check, examine=public.examine_models(FAULTS[check.name]))
    return check.with_more(HIDDEN[check.name])


CHECKS = [_graded(check) for check in public.CHECKS]
