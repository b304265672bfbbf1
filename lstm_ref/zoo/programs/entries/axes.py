"""Axes that are mixed up: batch for time, examples for features, rows for columns."""

from __future__ import annotations

from lstm_ref.zoo.programs.measures import alone_differs, trained
from lstm_ref.zoo.programs.registry import SickProgram
from lstm_ref.zoo.registry import Change

_MIXED = ("examples-mixed", "targets-misaligned")

AXES = (
    SickProgram(
        id="axis_batch_as_time",
        plain="torch_classifier",
        family="axes",
        title="The layer runs along the batch and not along time.",
        changes=(
            Change("self.lstm = nn.LSTM(D, H, batch_first=True)", "self.lstm = nn.LSTM(D, H)"),
        ),
        finding=_MIXED,
        symptom="Accuracy near chance; no error.",
        cause="nn.LSTM takes (T, N, D) unless it is told otherwise, and runs on any three axes.",
        fix="Say batch_first=True, or transpose the inputs.",
        hints=(
            "Change one example: which outputs move?",
            "Which axis of its input does the layer take for time?",
        ),
        measured=trained(60),
        limit=0.4,
        chapter="pytorch",
        source="https://github.com/facebookresearch/fairseq/issues/2449",
    ),
    SickProgram(
        id="axis_view_for_transpose",
        plain="torch_reviews",
        family="axes",
        title="view brings time first and cuts the examples to pieces.",
        changes=(
            Change(
                "words = words.transpose(0, 1)",
                "words = words.view(tokens.shape[1], tokens.shape[0], -1)",
            ),
        ),
        finding=_MIXED,
        symptom="Accuracy near chance; shapes are as they should be.",
        cause="view and reshape only count anew; they move nothing.",
        fix="Use transpose or permute to exchange axes.",
        hints=(
            "Change one example: which outputs move?",
            "Which line changes the order of axes, and does it move the numbers?",
        ),
        measured=trained(60),
        limit=0.45,
        chapter="pytorch",
        source="https://github.com/HHTseng/video-classification/issues/42",
    ),
    SickProgram(
        id="axis_final_state_view",
        plain="torch_reviews",
        family="axes",
        title="The final states of two directions are put side by side by view.",
        changes=(
            Change(
                "final = torch.cat([h_n[0], h_n[1]], dim=1)",
                "final = h_n.view(len(tokens), -1)",
            ),
        ),
        finding=_MIXED,
        symptom="Accuracy near chance; shapes are as they should be.",
        cause="h_n is (directions, N, H); view(N, 2H) takes two neighbours for two directions.",
        fix="Concatenate h_n[-2] and h_n[-1] along the features.",
        hints=(
            "Change one example: which outputs move?",
            "What are the axes of h_n, in which order?",
        ),
        measured=trained(60),
        limit=0.4,
        chapter="pytorch",
        source="https://github.com/graykode/nlp-tutorial/issues/38",
    ),
    SickProgram(
        id="axis_norm_over_batch",
        plain="torch_classifier",
        family="axes",
        title="Windows are normalised over the examples of the batch.",
        changes=(
            Change("mean = x.mean(dim=1, keepdim=True)", "mean = x.mean(dim=0, keepdim=True)"),
            Change(
                "std = x.std(dim=1, keepdim=True, correction=0)",
                "std = x.std(dim=0, keepdim=True, correction=0)",
            ),
        ),
        finding=("normalised-over-batch", "examples-mixed"),
        symptom="Other results for other batch sizes; none that means anything for one window.",
        cause="Axis 0 is taken for time.",
        fix="Normalise each window over its own time steps, or by constants of the training set.",
        hints=(
            "Give one window alone: is the result the same as in the batch?",
            "Over which axis are mean and deviation taken?",
        ),
        measured=alone_differs,
        limit=0.01,
        chapter="masks",
    ),
    SickProgram(
        id="axis_order_of_lengths",
        plain="torch_reviews",
        family="axes",
        title="Outputs stay in the order of the lengths.",
        changes=(
            Change(
                "packed = rnn.pack_padded_sequence(words, lengths, enforce_sorted=False)",
                "lengths, order = lengths.sort(descending=True)\n"
                "packed = rnn.pack_padded_sequence(words[:, order], lengths)",
            ),
        ),
        finding=_MIXED,
        symptom="Accuracy near chance in training and in validation.",
        cause="Packing used to want the batch sorted; putting it back in order was forgotten.",
        fix="Say enforce_sorted=False, or put the outputs back in the order of the inputs.",
        hints=(
            "Change one example: which output moves?",
            "In which order do the final states stand?",
        ),
        measured=trained(60),
        limit=0.4,
        chapter="masks",
    ),
)
