"""What the judge asks of a submission: the public checks with more cases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from numpy.random import Generator

from lstm_ref.practice import vanishing as public
from verdict import Case

PACKAGES = ("numpy",)

_LONG = ("a long sequence", (2, 30, 3, 4))
_WIDE = ("many units", (4, 3, 7, 16))
_SINGLE = ("one input and one unit", (3, 4, 1, 1))

HIDDEN: dict[str, Callable[[Generator], list[Case]]] = {
    "rnn_forward": lambda rng: [
        public.forward_case(rng, *_LONG),
        public.forward_case(rng, *_WIDE),
        public.forward_case(rng, *_SINGLE),
        public.forward_case(rng, "zero state", (3, 6, 4, 2), state=0.0),
    ],
    "rnn_backward": lambda rng: [
        public.backward_case(rng, *_LONG),
        public.backward_case(rng, *_WIDE),
        public.backward_case(rng, *_SINGLE),
        public.backward_case(rng, "zero state", (3, 6, 4, 2), state=0.0),
        # One forward pass for each of its 20,000 weights takes minutes; a derived gradient takes
        # milliseconds.
        replace(
            public.backward_case(rng, "a large network", (1, 60, 32, 128), weights=0.08),
            needed=True,
        ),
    ],
    "gradient_by_lag": lambda rng: [
        public.lag_case(rng, *_LONG),
        public.lag_case(rng, *_WIDE),
        public.lag_case(rng, *_SINGLE),
    ],
    "scale_to_radius": lambda rng: [
        public.radius_case(rng, "a large matrix", 12, "complex"),
        public.radius_case(rng, "a positive eigenvalue is largest", 5, "positive"),
        public.radius_case(rng, "one unit, H = 1", 1, "negative"),
    ],
    "orthogonal": lambda rng: [
        public.orthogonal_case(rng, "a large matrix", 16, 16),
        public.orthogonal_case(rng, "many more rows", 20, 4),
        public.orthogonal_case(rng, "many more columns", 3, 12),
        public.orthogonal_case(rng, "one column", 5, 1),
        public.orthogonal_case(rng, "one row", 1, 5),
    ],
    "clip_by_norm": lambda rng: [
        public.clip_case(rng, "a very long gradient", 4, 5, scale=1e4),
        public.clip_case(rng, "many units", 7, 16),
        public.clip_case(rng, "one input and one unit", 1, 1),
    ],
    "chrono_biases": lambda rng: [
        public.chrono_case(rng, "a very long memory", 6, 5000),
        public.chrono_case(rng, "many units", 32, 100),
    ],
    "gru_step": lambda rng: [
        public.gru_case(rng, "many units", 4, 7, 16),
        public.gru_case(rng, "one input and one unit", 3, 1, 1),
    ],
}

CHECKS = [check.with_more(HIDDEN[check.name]) for check in public.CHECKS]
