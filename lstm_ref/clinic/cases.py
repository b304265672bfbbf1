"""The twelve cases: a sick program of the zoo, what its owner says, and the order in which an
expert would measure.
"""

from __future__ import annotations

from dataclasses import dataclass

from lstm_ref.zoo.programs import SickProgram, find

DIAGNOSES: dict[str, str] = {
    "examples-mixed": "An axis is wrong: examples run into one another.",
    "targets-broadcast": "Each target is compared with the outputs of all examples.",
    "targets-misaligned": "Targets stand in another order than outputs.",
    "loss-wants-logits": "The sigmoid or softmax is taken twice.",
    "loss-wants-probabilities": "Logits are given to a loss of probabilities.",
    "outputs-cannot-reach-targets": "The last activation keeps the outputs from their targets.",
    "reads-padding": "The model reads padding.",
    "short-reach": "The state is not carried from step to step.",
    "no-gradient": "The graph is cut: a part of the model gets no gradient.",
    "not-in-optimizer": "The optimizer does not hold all weights.",
    "state-carried": "The state of one batch starts the next.",
    "noise-in-evaluation": "Dropout acts in evaluation.",
    "rate-decays-at-once": "The learning rate falls to nothing within some steps.",
    "update-too-small": "The learning rate is too small from the start.",
    "inputs-badly-scaled": "The inputs are not scaled: the gates are stuck.",
    "answer-in-input": "The answer stands among the inputs.",
    "train-valid-overlap": "Validation stands in training: a leak.",
    "vanishing-gradient": "The gradient vanishes.",
    "too-small": "The model is too small.",
    "over-fits": "Too few data: the model over-fits.",
}


@dataclass(frozen=True)
class ClinicCase:
    """A case.

    Parameters
    ----------
    id : of the sick program
    complaint : what its owner sees and says, without its numbers
    steps : of its own loop before the owner comes
    expert : measurements in the order in which an expert would make them; the last one tells
    """

    id: str
    complaint: str
    steps: int
    expert: tuple[str, ...]

    @property
    def program(self) -> SickProgram:
        """The program, with cause and mend."""
        program = find(self.id)
        assert isinstance(program, SickProgram)
        return program

    @property
    def diagnosis(self) -> str:
        """The right one of `DIAGNOSES`."""
        return next(id for id in self.program.finding if id in DIAGNOSES)


CASES: tuple[ClinicCase, ...] = (
    ClinicCase(
        "axis_final_state_view",
        "Reviews in three classes, read in two directions. All shapes are what they should be. It "
        "learns its training set and stays at chance on new reviews. I have tried more units.",
        100,
        ("gradients", "examples"),
    ),
    ClinicCase(
        "keras_sigmoid_twice",
        "Did two sensors peak together? The loss falls, and then it stops far from zero. Training "
        "longer does not help, nor does another learning rate.",
        200,
        ("outputs", "perfect"),
    ),
    ClinicCase(
        "opt_before_change",
        (
            "I took the regressor of a colleague and gave it a new last layer. It learns, but not "
            "as well as I had hoped."
        ),
        100,
        ("gradients", "optimizer"),
    ),
    ClinicCase(
        "keras_state_carried",
        "The wear of machines from a window of readings. It learns well. But the forecast for one "
        "and the same machine is another one each time I ask.",
        100,
        ("twice",),
    ),
    ClinicCase(
        "state_never_updated",
        "A cell that I wrote myself, as the equations say. It recognises the sequences hardly "
        "better than chance. I believe that the gradient vanishes.",
        100,
        ("gradients", "steps"),
    ),
    ClinicCase(
        "data_window_leak",
        "A forecast for the next hour. Validation is as good as training, so it does not "
        "over-fit. It is almost too good.",
        100,
        ("split",),
    ),
    ClinicCase(
        "opt_schedule_per_batch",
        "A regressor with momentum and a schedule. The loss falls for a few batches, and then it "
        "is flat. One would think that it needs a larger model.",
        100,
        ("gradients", "loop"),
    ),
    ClinicCase(
        "pad_in_attention",
        "A small translator with attention. It learns. A sentence comes out differently when a "
        "longer one is in its batch.",
        100,
        ("padding",),
    ),
    ClinicCase(
        "axis_column_vs_row",
        "A forecast for the next hour. Training runs, with one warning at the start that I have "
        "switched off. All forecasts are near the mean.",
        100,
        ("outputs", "gradients", "targets"),
    ),
    ClinicCase(
        "keras_dropout_always",
        "Did two sensors peak together? It learns. But two forecasts for the same window differ.",
        100,
        ("twice",),
    ),
    ClinicCase(
        "opt_encoder_no_grad",
        (
            "A small translator. The decoder writes digits that occur, in an order of its own. The "
            "loss falls slowly."
        ),
        100,
        ("padding", "gradients"),
    ),
    ClinicCase(
        "keras_inputs_unscaled",
        "The next value of a series, from raw readings. The loss does not come down. My learning "
        "rate is the usual one.",
        100,
        ("outputs", "gates"),
    ),
)


def case_of(id: str) -> ClinicCase | None:
    """The case of a sick program; None where it is none of the twelve."""
    return next((case for case in CASES if case.id == id), None)
