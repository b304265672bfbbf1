"""What the judge asks of a submission: the public checks with more cases, and a checker tried on
more gradients.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from numpy.random import Generator

from lstm_ref.practice import lstm_bptt as public
from lstm_ref.practice.gradient_checkers import examine_checker
from verdict import Case, Check

PACKAGES = ("numpy",)

# At |a| of about 20, gates are open or closed to the last digit but one; a sigmoid that overflows
# shows itself. Many units, so that some output gates are open: where all are closed, h is nearly
# zero and float32 knows no digit of it.
_SATURATED = {"weights": 8.0}
_LONG = ("a long sequence", (2, 25, 3, 4))
_WIDE = ("many units", (4, 3, 7, 16))

# A derived gradient takes milliseconds here and loops over every number take seconds, while one
# forward pass for each of the 20,000 or 200,000 weights takes minutes. The text of the task says
# that there is such a network.
_LARGE_STEP = ("a large network", (2, 1, 160, 160))
_LARGE = ("a large network", (2, 24, 16, 64))

HIDDEN: dict[str, Callable[[Generator], list[Case]]] = {
    "lstm_step": lambda rng: [
        public.step_case(rng, *_WIDE),
        public.step_case(rng, "large pre-activations", (4, 1, 3, 16), **_SATURATED),
        public.step_case(rng, "zero state", (3, 1, 4, 2), state=0.0),
        public.step_case(rng, "one input, D = 1", (3, 1, 1, 2)),
    ],
    "lstm_forward": lambda rng: [
        public.forward_case(rng, *_LONG),
        public.forward_case(rng, *_WIDE),
        public.forward_case(rng, "zero state", (3, 6, 4, 2), state=0.0),
        public.forward_case(rng, "one input, D = 1", (3, 4, 1, 2)),
    ],
    "lstm_step_backward": lambda rng: [
        public.step_backward_case(rng, *_WIDE),
        public.step_backward_case(rng, "large cell state", (4, 1, 3, 2), state=3.0),
        public.step_backward_case(rng, "one input, D = 1", (3, 1, 1, 2)),
        replace(public.step_backward_case(rng, *_LARGE_STEP, weights=0.05), needed=True),
    ],
    "lstm_backward": lambda rng: [
        public.backward_case(rng, *_LONG),
        public.backward_case(rng, *_WIDE),
        public.backward_case(rng, "zero state", (3, 6, 4, 2), state=0.0),
        public.backward_case(rng, "one input, D = 1", (3, 4, 1, 2)),
        replace(public.backward_case(rng, *_LARGE, weights=0.1), needed=True),
    ],
    "end_to_end": lambda rng: [
        public.end_to_end_case(rng, *_LONG),
        public.end_to_end_case(rng, *_WIDE),
    ],
}

# Every mistake of the course's table, and a few more. Each shows in the gradient of Wx, Wh, b, h0
# or c0.
WRONG_GRADIENTS = (
    "no_dh_carry",
    "no_dc_carry",
    "dc_twice",
    "dh_not_in_dc",
    "tanh_prime_of_c",
    "no_tanh_prime",
    "do_uses_c",
    "df_uses_new_cell",
    "sigmoid_prime_of_a",
    "tanh_prime_unsquared",
    "back_order_figo",
    "weights_overwritten",
    "dWh_uses_new_h",
    "db_mean",
    "dh_prev_without_g",
    "dc_prev_without_f",
    "dcT_ignored",
    "only_last_dh",
    "walks_forward",
    "weights_mean_over_time",
)


def _graded(check: Check) -> Check:
    if check.name == "gradient_check":
        return replace(check, examine=examine_checker(WRONG_GRADIENTS))
    return check.with_more(HIDDEN[check.name])


CHECKS = [_graded(check) for check in public.CHECKS]
