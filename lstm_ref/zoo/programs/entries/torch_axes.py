"""PyTorch: axes that are mixed up."""

from __future__ import annotations

from lstm_ref.zoo.programs.measures import alone_differs_time_first, trained, unmoved
from lstm_ref.zoo.programs.registry import SickProgram
from lstm_ref.zoo.registry import Change

TORCH_AXES = (
    SickProgram(
        id="axis_column_vs_row",
        plain="torch_forecast",
        family="axes",
        title="A column of forecasts meets a row of targets: each is compared with all.",
        changes=(Change("return x, y[:, None]", "return x, y"),),
        finding=("targets-broadcast",),
        symptom="Forecasts are all near the mean.",
        cause="(N, 1) against (N,) is broadcast to (N, N); PyTorch warns, once.",
        fix="Give forecasts and targets one shape.",
        hints=(
            "Change one target: at how many outputs does the gradient move?",
            "Which shape has the difference of the two?",
        ),
        measured=trained(120),
        limit=0.4,
        chapter="choices",
        source="https://github.com/aiboxlab/nlp/issues/97",
    ),
    SickProgram(
        id="axis_time_length_one_torch",
        plain="torch_forecast",
        family="axes",
        title="The window stands where the features belong: there is one time step.",
        changes=(
            Change("window = window.unsqueeze(-1)", "window = window.unsqueeze(1)"),
            Change(
                "self.lstm = nn.LSTM(1, H, batch_first=True)",
                "self.lstm = nn.LSTM(T, H, batch_first=True)",
            ),
        ),
        finding=("one-time-step",),
        symptom="It trains like a dense net; the recurrent weights never change.",
        cause="The missing axis was put in the wrong place.",
        fix="The features come last: (N, T, 1).",
        hints=("How many steps does the loop over time make?", "Which weights have no gradient?"),
        measured=unmoved(5),
        limit=0.1,
        chapter="pytorch",
    ),
    SickProgram(
        id="axis_hn_batch_index",
        plain="torch_forecast",
        family="axes",
        title="h_n[:, -1] takes the last example of the batch for the last layer.",
        changes=(Change("forecast = self.linear(h[-1])", "forecast = self.linear(h[:, -1])"),),
        finding=(
            "outputs-ignore-inputs",
            "targets-broadcast",
        ),
        symptom="One forecast for the whole batch.",
        cause="h_n is (layers, N, H), also with batch_first=True.",
        fix="Take h_n[-1].",
        hints=("Change one example: does its own output move?", "What are the axes of h_n?"),
        measured=trained(120),
        limit=0.4,
        chapter="pytorch",
        source="https://github.com/pytorch/pytorch/issues/19675",
    ),
    SickProgram(
        id="axis_targets_flattened",
        plain="torch_language",
        family="axes",
        title="Targets are flattened in another order than the logits.",
        changes=(Change("flat = targets.flatten()", "flat = targets.t().flatten()"),),
        finding=("targets-misaligned",),
        symptom="Accuracy at chance.",
        cause="Logits are time first, and targets are taken for batch first.",
        fix="Flatten both in one order.",
        hints=(
            "Change one target: at which output does the gradient move?",
            "Which axis comes first in the logits, which in the targets?",
        ),
        measured=trained(80),
        limit=0.4,
        chapter="choices",
    ),
    SickProgram(
        id="axis_softmax_over_batch",
        plain="torch_language",
        family="axes",
        title="The log-softmax runs over the batch.",
        changes=(
            Change(
                "return self.head(hidden), state",
                "return torch.log_softmax(self.head(hidden), dim=1), state",
            ),
        ),
        finding=(
            "softmax-over-batch",
            "examples-mixed",
        ),
        symptom="An example's result depends on its neighbours.",
        cause="dim=1 was right where outputs were (N, V); here axis 1 is the batch.",
        fix="Take dim=-1, or leave it to the loss.",
        hints=(
            "Give one example alone: is its result the same?",
            "Over which axis do the probabilities add up to 1?",
        ),
        measured=alone_differs_time_first,
        limit=0.0001,
        chapter="choices",
    ),
    SickProgram(
        id="axis_classes_reshaped",
        plain="torch_tagger",
        family="axes",
        title="reshape brings the classes forward and mixes them with time.",
        changes=(
            Change(
                "return scores.transpose(1, 2)",
                "return scores.reshape(len(tokens), -1, tokens.shape[1])",
            ),
        ),
        finding=(
            "targets-misaligned",
            "classes-on-wrong-axis",
        ),
        symptom="The loss stays near the logarithm of the classes.",
        cause="reshape only counts anew; it moves nothing.",
        fix="Use transpose or permute.",
        hints=(
            (
                "Change one target: at which outputs does the gradient move, and which inputs move "
                "those?"
            ),
            "Which line exchanges classes and time?",
        ),
        measured=trained(80),
        limit=0.5,
        chapter="choices",
    ),
    SickProgram(
        id="cell_gates_by_view",
        plain="torch_own",
        family="axes",
        title="view cuts the gates across the batch.",
        changes=(Change("i, f, g, o = a.chunk(4, dim=1)", "i, f, g, o = a.view(4, N, self.H)"),),
        finding=("examples-mixed",),
        symptom="Accuracy near chance.",
        cause="(N, 4H) and (4, N, H) have as many numbers; view does not ask which.",
        fix="Split along the features.",
        hints=(
            "Change one example: which outputs move?",
            "Which numbers of a are those of the first gate?",
        ),
        measured=trained(60),
        limit=0.3,
        chapter="layer",
    ),
)
