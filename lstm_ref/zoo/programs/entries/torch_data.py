"""PyTorch: leaks, lost shifts, scales, labels."""

from __future__ import annotations

from lstm_ref.zoo.programs.measures import (
    answer_in_input,
    commonest_label,
    later_steps_matter_time_first,
    train_mean,
    trained,
    windows_seen,
)
from lstm_ref.zoo.programs.registry import SickProgram
from lstm_ref.zoo.registry import Change

TORCH_DATA = (
    SickProgram(
        id="data_scaler_leak",
        plain="torch_forecast",
        family="data",
        title="The scaler has seen the validation data.",
        changes=(Change("past = series[:cut]", "past = series"),),
        finding=("scaler-fitted-on-all",),
        symptom="Validation looks better than the future will be.",
        cause="The series was scaled before it was split.",
        fix="Fit the scaler on the training part.",
        hints=(
            "What are mean and deviation of the training inputs?",
            "From which values do mean and std come?",
        ),
        measured=train_mean,
        limit=0.1,
        chapter="prepare",
        source="https://github.com/mlpack/examples/issues/43",
    ),
    SickProgram(
        id="data_window_leak",
        plain="torch_forecast",
        family="data",
        title="Overlapping windows are split at random: their values stand on both sides.",
        changes=(
            Change(
                "x_train, y_train = windows(series[:cut], T)",
                "x, y = windows(series, T)\n"
                "mixed = torch.randperm(len(x))\n"
                "x_train, y_train = x[mixed[:cut]], y[mixed[:cut]]",
            ),
            Change(
                "x_valid, y_valid = windows(series[cut:], T)",
                "x_valid, y_valid = x[mixed[cut:]], y[mixed[cut:]]",
            ),
        ),
        finding=("train-valid-overlap",),
        symptom="Validation is as good as training.",
        cause="A random split is right for independent examples only.",
        fix="Split by time, then cut windows.",
        hints=(
            "How many values of a validation window stand in a training window?",
            "What is split, and when?",
        ),
        measured=windows_seen,
        limit=0.5,
        chapter="prepare",
    ),
    SickProgram(
        id="data_labels_shuffled",
        plain="torch_forecast",
        family="data",
        title="The windows are shuffled and their targets are not.",
        changes=(
            Change("x_train, y_train = x_train[order], y_train[order]", "x_train = x_train[order]"),
        ),
        finding=("labels-shuffled",),
        symptom="Validation is no better than the mean.",
        cause="Inputs and targets are reordered in two places, or in one only.",
        fix="Shuffle both by the same order.",
        hints=(
            "Look up the target of one training window in the series.",
            "Is it the data or the model that cannot be learned?",
        ),
        measured=trained(120),
        limit=0.4,
        chapter="prepare",
    ),
    SickProgram(
        id="data_unscaled",
        plain="torch_forecast",
        family="data",
        title="The series is fed in as it is, in thousands.",
        changes=(Change("series = (series - mean) / std", "series = series.copy()"),),
        finding=(
            "inputs-badly-scaled",
            "targets-badly-scaled",
            "gates-saturated",
        ),
        symptom="The loss is in millions and falls for ever.",
        cause="Scaling was left for later.",
        fix="Scale by mean and deviation of the training part; scale forecasts back.",
        hints=(
            "How large are inputs and targets?",
            "How large are the pre-activations of the gates?",
        ),
        measured=trained(120),
        limit=1.0,
        chapter="prepare",
    ),
    SickProgram(
        id="data_sees_the_future",
        plain="torch_language",
        family="data",
        title="A model of the next character runs in both directions: it reads its answer.",
        changes=(
            Change(
                "self.rnn = nn.LSTM(E, H, depth)",
                "self.rnn = nn.LSTM(E, H, depth, bidirectional=True)",
            ),
            Change("self.head = nn.Linear(H, V)", "self.head = nn.Linear(2 * H, V)"),
        ),
        finding=("sees-the-future",),
        symptom="A loss below what the text allows; nothing of use when it writes.",
        cause="Two directions are better for tags, so they are taken here, too.",
        fix="Use one direction where the target is the next input.",
        hints=(
            "Change the last character: does the first output move?",
            "What has the backward direction read by then?",
        ),
        measured=later_steps_matter_time_first,
        limit=1e-06,
        chapter="perplexity",
        source="https://github.com/timbmg/Sentence-VAE/issues/22",
    ),
    SickProgram(
        id="data_target_is_input",
        plain="torch_language",
        family="data",
        title="The target is the input itself, not the character after it.",
        changes=(Change("return part[:-1], part[1:]", "return part[:-1], part[:-1]"),),
        finding=("answer-in-input",),
        symptom="The loss goes to zero at once; the model writes one character for ever.",
        cause="The shift by one was lost.",
        fix="Let the target be the input one step later.",
        hints=(
            "Compare inputs and targets of one example.",
            "What would a model that copies its input score?",
        ),
        measured=answer_in_input,
        limit=0.9,
        chapter="errors",
    ),
    SickProgram(
        id="data_decoder_unshifted",
        plain="torch_translator",
        family="data",
        title="The decoder is fed the answer that it is to give.",
        changes=(Change("return torch.cat([start, answer[:, :-1]], dim=1)", "return answer"),),
        finding=("answer-in-input",),
        symptom="No error while it is fed; nonsense when it writes.",
        cause="Teacher forcing without the step to the right.",
        fix="Shift the decoder's inputs by one step.",
        hints=(
            "Compare the decoder's input with its target, step by step.",
            "What does the decoder know at its first step?",
        ),
        measured=trained(120),
        limit=0.4,
        chapter="translation",
    ),
    SickProgram(
        id="data_one_label",
        plain="torch_own",
        family="data",
        title="Every example has the same label.",
        changes=(
            Change(
                "y = (x[:, :, 0].sum(dim=1, keepdim=True) > 0).to(x.dtype)",
                "y = (x.square().sum(dim=2).amin(dim=1, keepdim=True) > 0).to(x.dtype)",
            ),
        ),
        finding=("one-label",),
        symptom="The loss goes to zero and the model has learned nothing.",
        cause="A condition that always holds makes the labels.",
        fix="Look at the share of each label before training.",
        hints=("How often does each label occur?", "What would a constant score?"),
        measured=commonest_label,
        limit=0.95,
        chapter="prepare",
    ),
)
