"""What the judge asks of a submission: the public checks with more cases."""

from __future__ import annotations

from collections.abc import Callable

from numpy.random import Generator

from lstm_ref.practice import search_compress as public
from verdict import Case

PACKAGES = ("numpy",)

_LARGE = "a large network"
_ONE_UNIT = "one unit is left"

HIDDEN: dict[str, Callable[[Generator], list[Case]]] = {
    "log_uniform": lambda rng: [
        public.draws_case(rng, "many draws", 4000, 1e-6, 1.0),
        public.draws_case(rng, "a single draw, n = 1", 1, 1e-3, 1e-1),
        public.draws_case(rng, "numbers above 1", 900, 4.0, 4096.0),
    ],
    "random_search": lambda rng: [
        public.search_case(rng, "many rates", 80),
        public.search_case(rng, "nothing diverges", 9, diverges=False),
        public.search_case(rng, "a single rate", 1, diverges=False),
    ],
    "price": lambda rng: [
        Case("many settings", (int(rng.integers(100, 400)), [10, 40, 160, 640], 4)),
        Case("a single rung", (int(rng.integers(5, 20)), [50], 3)),
        Case("a single setting, n = 1", (1, [10, 25, 60], 2)),
    ],
    "successive_halving": lambda rng: [
        public.halving_case(rng, "many settings", 60, (10, 20, 40, 80), 3, diverged=15),
        public.halving_case(rng, "a single rung", 7, (40,), 3),
        public.halving_case(rng, "fewer than eta are left", 5, (5, 20, 60), 4),
        public.halving_case(rng, "a single setting, n = 1", 1, (10, 25), 2, diverged=0),
    ],
    "choose_and_report": lambda rng: [
        public.choice_case(rng, "many settings", 25, 4),
        public.choice_case(rng, "a single seed", 2, 1),
    ],
    "prune_layer": lambda rng: [
        public.layer_case(rng, "a large matrix", 30, 40, 0.9),
        public.layer_case(rng, "a large matrix with many equal entries", 25, 30, 0.5, ties=True),
        public.layer_case(rng, "nothing goes, k = 0", 4, 5, 0.0),
        public.layer_case(rng, "a single row", 1, 12, 0.6),
    ],
    "prune_model": lambda rng: [
        public.model_case(rng, _LARGE, 12, 9, 4, 0.875),
        public.model_case(rng, "a small share", 4, 5, 3, 0.125),
        public.model_case(rng, "nothing goes, share = 0", 3, 2, 2, 0.0),
    ],
    "drop_units": lambda rng: [
        public.units_case(rng, _LARGE, 8, 20, 5, 12),
        public.units_case(rng, _ONE_UNIT, 3, 6, 2, 1),
        public.units_case(rng, "all units stay", 2, 5, 3, 5),
    ],
    "row_scales": lambda rng: [
        public.scales_case(rng, "a large matrix", 40, 30),
        public.scales_case(rng, "a single row", 1, 6, zeros=False),
        public.scales_case(rng, "zeros only", 1, 5),
    ],
    "quantise": lambda rng: [
        public.quantise_case(rng, "a large matrix", 25, 40),
        public.quantise_case(rng, "a single row", 1, 6),
        public.quantise_case(rng, "nothing lies beyond", 5, 4, beyond=False),
    ],
    "distillation_loss": lambda rng: [
        public.distillation_case(rng, "many examples", 60, 7, 3.0, 0.5),
        public.distillation_case(rng, "tau = 1", 8, 5, 1.0, 0.6),
        public.distillation_case(rng, "very large scores", 6, 4, 2.0, 0.5, 900.0),
    ],
}

CHECKS = [check.with_more(HIDDEN[check.name]) for check in public.CHECKS]
