"""What the judge asks of a submission: the public checks with more cases, and more patients."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

from numpy.random import Generator

from lstm_ref.practice import graded_clinic as public
from verdict import Case

PACKAGES = ("numpy", "torch", "keras")
# Some programs and known mistakes are computed with Keras; on PyTorch, as in the box, no TensorFlow
# is imported, and no GPU is looked for, which would tie it to this process.
os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("KERAS_TORCH_DEVICE", "cpu")


def other_programs(*causes: str) -> Callable[[Generator], list[Case]]:
    """Programs with these faults of other sizes, a healthy one, and one with a fault that moves
    neither number.
    """

    def make(rng: Generator) -> list[Case]:
        return [
            public.program_case(rng, "two examples, N = 2", causes[0], (2, 6, 2, 3)),
            public.program_case(rng, "many examples", causes[1], (12, 8, 3, 4)),
            public.program_case(rng, "many units", "none", (3, 7, 4, 12)),
            public.program_case(rng, "another healthy program", "none"),
        ]

    return make


HIDDEN: dict[str, Callable[[Generator], list[Case]]] = {
    "measure_reading": other_programs("axis", "memory"),
    "measure_loss": other_programs("softmax", "padding"),
    "measure_step": other_programs("clipping", "optimizer"),
    "measure_text": other_programs("shift", "state"),
    "mend_reader": lambda rng: [
        public.reader_case(rng, "many units", 4, 6, 3, 9),
        public.reader_case(rng, "a single example", 1, 5, 3, 2),
    ],
    "mend_gates": lambda rng: [public.gates_case(rng, "many units", 16)],
    "mend_scores": lambda rng: [
        public.scores_case(rng, "many examples", 30, 4),
        public.scores_case(rng, "other large outputs", 6, 3, scale=300.0),
    ],
    "mend_tokens": lambda rng: [
        public.tokens_case(rng, "many examples", 20, 6, 4),
        public.tokens_case(rng, "as many classes as steps", 3, 4, 4),
    ],
    "mend_trainer": lambda rng: [public.trained_case(rng, "many units", (3, 4, 5, 12), 2)],
    "mend_stepper": lambda rng: [public.stepped_case(rng, "many units", (3, 4, 5, 12), 2)],
    "mend_pairs": lambda rng: [public.pairs_case(rng, "long texts", 4, 50)],
    "mend_chunks": lambda rng: [
        public.chunks_case(rng, "chunks of one step, k = 1", (2, 4, 3, 2), k=1),
        public.chunks_case(rng, "a long sequence", (3, 17, 4, 3), k=5),
    ],
}

CHECKS = [
    replace(check, examine=public.examine_diagnoses(sick=3, healthy=8))
    if check.name == "diagnose"
    else check.with_more(HIDDEN[check.name])
    for check in public.CHECKS
]
