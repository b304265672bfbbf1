"""What the judge asks of a submission: the public checks with more cases."""

from __future__ import annotations

from collections.abc import Callable

from numpy.random import Generator

from lstm_ref.practice import lstm_torch as public
from verdict import Case

PACKAGES = ("numpy", "torch")

_WIDE = ("many units", (4, 3, 7, 16))

HIDDEN: dict[str, Callable[[Generator], list[Case]]] = {
    "lstm_cell": lambda rng: [
        public.cell_case(rng, *_WIDE),
        public.cell_case(rng, "large pre-activations", (4, 1, 3, 16), weights=8.0),
        public.cell_case(rng, "one input, D = 1", (3, 1, 1, 2)),
    ],
    "cell_gradients": lambda rng: [
        public.gradients_case(rng, *_WIDE),
        public.gradients_case(rng, "large cell state", (4, 1, 3, 2), state=3.0),
    ],
    "to_torch": lambda rng: [
        public.weights_case(rng, *_WIDE),
        public.weights_case(rng, "one input, D = 1", (3, 1, 1, 2)),
    ],
    "last_hidden": lambda rng: [
        public.padded_case(rng, "a large batch", 16, 9, 5, longest=8),
        public.padded_case(rng, "sequences of one step, T = 1", 3, 1, 4, longest=1),
    ],
    "sequence_loss": lambda rng: [
        public.loss_case(rng, "gaps in the mask", 3, 6, 4, gaps=True),
        public.loss_case(rng, "large logits", 3, 4, 5, scale=300.0),
        public.loss_case(rng, "as many classes as steps", 2, 4, 4),
    ],
    "train_step": lambda rng: [public.train_case(rng, "many steps", (5, 3, 4, 4), C=4, steps=8)],
    "run_chunks": lambda rng: [
        public.chunks_case(rng, "chunks of one step, k = 1", (2, 4, 3, 2), k=1),
        public.chunks_case(rng, "a long sequence", (3, 17, 4, 3), k=5),
    ],
}

CHECKS = [check.with_more(HIDDEN[check.name]) for check in public.CHECKS]
