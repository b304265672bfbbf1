"""Known wrong versions of the functions of the problem set clinic."""

from __future__ import annotations

from lstm_ref.practice.mistakes import Mistake
from lstm_ref.zoo.registry import Change

_STRANGERS = "strangers = (moved(0)[1:].max(axis=(1, 2)) > 1e-9).sum()"
_RATIO = "return strangers, early[:, -1].max() / late[:, -1].max()"
_MEMORY = (
    "Which outputs do you compare, and at which time step do they stand?",
    "Write the two changes of x down as indices, and the two numbers that you divide.",
)
_COUNT = (
    "Take N = 3: which numbers may a count of other examples be?",
    "Which rows of x have you changed, and which rows of the outputs do you look at?",
)

READING = (
    Mistake(
        "itself_counted",
        "measure_reading",
        "Example 0 is counted, too: its own outputs move, as they should.",
        (Change(_STRANGERS, "strangers = (moved(0).max(axis=(1, 2)) > 1e-9).sum()"),),
        _COUNT,
    ),
    Mistake(
        "all_examples_changed",
        "measure_reading",
        "All examples are changed, so that all outputs move; change example 0 alone.",
        (Change(_STRANGERS, "strangers = (moved(np.s_[:])[1:].max(axis=(1, 2)) > 1e-9).sum()"),),
        _COUNT,
    ),
    Mistake(
        "numbers_counted",
        "measure_reading",
        "Single numbers of the outputs are counted, and not examples.",
        (Change(_STRANGERS, "strangers = (moved(0)[1:] > 1e-9).sum()"),),
        _COUNT,
    ),
    Mistake(
        "steps_for_examples",
        "measure_reading",
        "Time steps are counted, and not examples.",
        (Change(_STRANGERS, "strangers = (moved(0)[1:].max(axis=(0, 2)) > 1e-9).sum()"),),
        _COUNT,
    ),
    Mistake(
        "all_outputs",
        "measure_reading",
        "The largest change is taken over all time steps; the last step's outputs are asked for.",
        (Change(_RATIO, "return strangers, early.max() / late.max()"),),
        _MEMORY,
    ),
    Mistake(
        "not_divided",
        "measure_reading",
        (
            "The effect of the first step is not divided by that of the last: its size alone says "
            "little."
        ),
        (Change(_RATIO, "return strangers, early[:, -1].max()"),),
        _MEMORY,
    ),
    Mistake(
        "mean_for_largest",
        "measure_reading",
        "The changes are averaged; the largest is asked for.",
        (Change(_RATIO, "return strangers, early[:, -1].mean() / late[:, -1].mean()"),),
        _MEMORY,
    ),
)

_FLOOR = "floor = loss(50.0 * np.eye(outputs.shape[2])[y], y, mask)"
_OTHER = "other = np.where(mask, y, (y + 1) % outputs.shape[2])"
_PADDING = "return floor, abs(loss(outputs, other, mask) - loss(outputs, y, mask))"
_PERFECT = (
    "What are perfect outputs? Write one row of them down for C = 3.",
    "Outputs are no probabilities: how large may they be?",
)
_PADDED = (
    "Which targets do you change: those that count, or those that must not?",
    "Print mask, y and your changed targets for a small case.",
)

LOSS = (
    Mistake(
        "perfect_ones",
        "measure_loss",
        "The perfect outputs are 1 at the true class; with outputs this small no loss is near 0.",
        (Change(_FLOOR, "floor = loss(1.0 * np.eye(outputs.shape[2])[y], y, mask)"),),
        _PERFECT,
    ),
    Mistake(
        "floor_of_given",
        "measure_loss",
        "The floor is the loss of the given outputs; that of perfect ones is asked for.",
        (Change(_FLOOR, "floor = loss(outputs, y, mask)"),),
        _PERFECT,
    ),
    Mistake(
        "worst_for_perfect",
        "measure_loss",
        "The outputs are those of the worst answer, not of the best: their sign is turned round.",
        (Change(_FLOOR, "floor = loss(-50.0 * np.eye(outputs.shape[2])[y], y, mask)"),),
        _PERFECT,
    ),
    Mistake(
        "true_steps_changed",
        "measure_loss",
        "The targets of true steps are changed, and those of the padding left.",
        (Change(_OTHER, "other = np.where(mask, (y + 1) % outputs.shape[2], y)"),),
        _PADDED,
    ),
    Mistake(
        "all_targets_changed",
        "measure_loss",
        "All targets are changed; a loss must move then. Change those in the padding alone.",
        (Change(_OTHER, "other = (y + 1) % outputs.shape[2]"),),
        _PADDED,
    ),
    Mistake(
        "padding_of_perfect",
        "measure_loss",
        "The padding is looked for with perfect outputs; the given ones are asked for.",
        (
            Change(
                _PADDING,
                "return floor, abs(loss(50.0 * np.eye(outputs.shape[2])[y], other, mask) - floor)",
            ),
        ),
        _PADDED,
    ),
)

_MOVED = "moved = [np.linalg.norm(a - b) for a, b in zip(after, before, strict=True)]"
_IDLE = "idle = sum(norm == 0 for norm in moved)"
_LENGTH = 'return np.linalg.norm(moved) / (program["lr"] * program["max_norm"]), idle'
_ALLOWED = (
    "One step of SGD moves all parameters together by lr times their gradient.",
    "A gradient that is clipped is max_norm long: what is your number then?",
)
_ARRAYS = (
    "How many arrays of parameters are there in all?",
    "How many of them moved? Print both numbers.",
)

STEP = (
    Mistake(
        "longest_array",
        "measure_step",
        "The length is that of the array that moved most; all arrays count together.",
        (Change(_LENGTH, 'return max(moved) / (program["lr"] * program["max_norm"]), idle'),),
        _ALLOWED,
    ),
    Mistake(
        "lengths_added",
        "measure_step",
        "The lengths of the arrays are added; together they are one long vector.",
        (Change(_LENGTH, 'return sum(moved) / (program["lr"] * program["max_norm"]), idle'),),
        _ALLOWED,
    ),
    Mistake(
        "without_rate",
        "measure_step",
        "The length is not divided by the learning rate.",
        (Change(_LENGTH, 'return np.linalg.norm(moved) / program["max_norm"], idle'),),
        _ALLOWED,
    ),
    Mistake(
        "root_left_out",
        "measure_step",
        "The root is left out: this is the square of the length.",
        (
            Change(
                _LENGTH,
                'return (np.linalg.norm(moved) / (program["lr"] * program["max_norm"])) ** 2, idle',
            ),
        ),
        _ALLOWED,
    ),
    Mistake(
        "moved_counted",
        "measure_step",
        "The arrays that moved are counted; those that did not are asked for.",
        (Change(_IDLE, "idle = sum(norm > 0 for norm in moved)"),),
        _ARRAYS,
    ),
    Mistake(
        "idle_in_part",
        "measure_step",
        "An array counts as idle where one of its numbers stays; in an idle one, none moves.",
        (
            Change(
                _IDLE,
                "idle = sum((a == b).any() for a, b in zip(after, before, strict=True))",
            ),
        ),
        _ARRAYS,
    ),
    Mistake(
        "numbers_for_arrays",
        "measure_step",
        "Single numbers that did not move are counted, and not arrays.",
        (
            Change(
                _IDLE,
                "idle = sum((a == b).sum() for a, b in zip(after, before, strict=True))",
            ),
        ),
        _ARRAYS,
    ),
)

_SHARES = 'return (x == y).mean(), dx[:, : -program["k"]].sum() / dx.sum()'
_DX = 'dx = np.abs(program["back"](program["sequence"], program["k"]))'
_SAME = (
    "Work it out for tokens = [1, 2, 2, 3] in a healthy program.",
    "x and y have the same length: which entries stand at the same place?",
)
_BEYOND = (
    "Print the sum of dx at each time step.",
    "Which time steps belong to the last chunk? The others are beyond it.",
)

TEXT = (
    Mistake(
        "counted_not_shared",
        "measure_text",
        "The equal places are counted; their share is asked for.",
        (Change(_SHARES, 'return (x == y).sum(), dx[:, : -program["k"]].sum() / dx.sum()'),),
        _SAME,
    ),
    Mistake(
        "next_place",
        "measure_text",
        (
            "Each input is compared with the target one place before: they are equal in a healthy "
            "program."
        ),
        (
            Change(
                _SHARES,
                'return (x[1:] == y[:-1]).mean(), dx[:, : -program["k"]].sum() / dx.sum()',
            ),
        ),
        _SAME,
    ),
    Mistake(
        "last_step_for_chunk",
        "measure_text",
        "Everything before the last step is counted; the last chunk has k steps.",
        (Change(_SHARES, "return (x == y).mean(), dx[:, :-1].sum() / dx.sum()"),),
        _BEYOND,
    ),
    Mistake(
        "within_the_chunk",
        "measure_text",
        "This is the share within the last chunk; what lies before it is asked for.",
        (Change(_SHARES, 'return (x == y).mean(), dx[:, -program["k"] :].sum() / dx.sum()'),),
        _BEYOND,
    ),
    Mistake(
        "first_chunk_only",
        "measure_text",
        "The first chunk alone is counted; there are more before the last one.",
        (Change(_SHARES, 'return (x == y).mean(), dx[:, : program["k"]].sum() / dx.sum()'),),
        _BEYOND,
    ),
    Mistake(
        "signs_kept",
        "measure_text",
        "The gradient is added up with its signs, and cancels.",
        (
            Change(_DX, 'dx = program["back"](program["sequence"], program["k"])'),
            Change(
                _SHARES,
                'return (x == y).mean(), abs(dx[:, : -program["k"]].sum()) / abs(dx.sum())',
            ),
        ),
        _BEYOND,
    ),
)

_READER = "return lstm_of(weights, batch_first=True)(x)[0]"
_AXES = (
    "What does nn.LSTM take the first axis of its input for, unless it is told?",
    "Exchange two examples of x: which outputs may change places?",
)
_GATES = "bias_ih[H : 2 * H] = keep - bias_hh[H : 2 * H]"
_OPEN = (
    "The forget gate begins at sigmoid of what? Both biases are added.",
    "Print the blocks i, f, g, o of the sum of both biases.",
)
_SCORES = (
    "return keras.losses.SparseCategoricalCrossentropy(from_logits=True, "
    'dtype="float64")(y, outputs)'
)
_LOGITS = (
    "What does from_logits=True do to the outputs, before the logarithm is taken?",
    "What is the smallest loss that it can give? Try outputs of 50 at the true class.",
)
_MEAN = "return loss(y, outputs, sample_weight=mask)"
_BY_WEIGHT = 'from_logits=True, reduction="mean_with_sample_weight", dtype="float64"'
_TRUE = (
    "Change a target in the padding: may the loss change?",
    "Double the padding: may the loss change? Divide by what is counted.",
)
_OPTIMIZER = "return torch.optim.SGD(model.parameters(), lr=lr)"
_ALL = (
    "Print the names of all parameters of the model, and mark those that the optimizer holds.",
    "Which of them have a gradient and do not move?",
)
_CLIP = "nn.utils.clip_grad_norm_(model.parameters(), max_norm)"
_BACKWARD = "F.mse_loss(model(x), y).backward()"
_STEP = "optimizer.step()"
_ORDER = (
    "Write down, in order, which call makes the gradient, which changes it, and which uses it.",
    "How long is the gradient at the moment in which the optimizer reads it?",
)
_PAIRS = "return tokens[:, :-1], tokens[:, 1:]"
_NEXT = (
    "Print x and y for tokens = [[1, 2, 3, 4]], one below the other.",
    "At each place, what is known, and what is to be told from it?",
)
_CHUNK = "F.mse_loss(outputs, y[:, t : t + k]).backward()"
_KEEP = "state = tuple(part.detach() for part in state)"
_PAST = (
    "Which past does the state of the second chunk have?",
    "Carry the state's numbers on, both of them, and leave their past behind.",
)

MENDS = (
    Mistake(
        "reader_as_it_was",
        "mend_reader",
        "This is still the sick program: it reads the examples of a batch as time steps.",
        (Change(_READER, "return lstm_of(weights)(x)[0]"),),
        _AXES,
    ),
    Mistake(
        "view_for_transposition",
        "mend_reader",
        "The batch is given another shape, which mixes examples; its axes must be exchanged.",
        (
            Change(
                _READER,
                "N, T = x.shape[:2]\n"
                "return lstm_of(weights)(x.reshape(T, N, -1))[0].reshape(N, T, -1)",
            ),
        ),
        _AXES,
    ),
    Mistake(
        "one_way_only",
        "mend_reader",
        "The axes are exchanged on the way in and not on the way out.",
        (Change(_READER, "return lstm_of(weights)(x.transpose(0, 1))[0]"),),
        _AXES,
    ),
    Mistake(
        "gates_as_they_were",
        "mend_gates",
        "This is still the sick program: the gates begin closed.",
        (Change(_GATES, "bias_ih[H : 2 * H] = -keep - bias_hh[H : 2 * H]"),),
        _OPEN,
    ),
    Mistake(
        "old_bias_added",
        "mend_gates",
        "The other bias is not taken into account: PyTorch adds it to yours.",
        (Change(_GATES, "bias_ih[H : 2 * H] = keep"),),
        _OPEN,
    ),
    Mistake(
        "bias_twice",
        "mend_gates",
        "Both biases hold the whole number, and PyTorch adds them: the gates begin too far open.",
        (Change(_GATES, "bias_ih[H : 2 * H] = bias_hh[H : 2 * H] = keep"),),
        _OPEN,
    ),
    Mistake(
        "input_gate_opened",
        "mend_gates",
        "The first block is that of the input gate; the forget gate has the second.",
        (Change(_GATES, "bias_ih[:H] = keep - bias_hh[:H]"),),
        _OPEN,
    ),
    Mistake(
        "gates_half_open",
        "mend_gates",
        "Mends the symptom: at 0 the gates are half open, and half is forgotten in each step.",
        (Change(_GATES, "bias_ih[H : 2 * H] = -bias_hh[H : 2 * H]"),),
        _OPEN,
    ),
    Mistake(
        "scores_as_they_were",
        "mend_scores",
        "This is still the sick program: the softmax is taken twice.",
        (Change(_SCORES, _SCORES.replace("outputs", "outputs.softmax(dim=1)")),),
        _LOGITS,
    ),
    Mistake(
        "probabilities_scaled",
        "mend_scores",
        (
            "Mends the symptom: ten times the probabilities make the loss fall further, and are no "
            "logits."
        ),
        (Change(_SCORES, _SCORES.replace("outputs", "10 * outputs.softmax(dim=1)")),),
        _LOGITS,
    ),
    Mistake(
        "no_softmax_at_all",
        "mend_scores",
        (
            "Now there is no softmax left: nll_loss takes what it is given for logarithms of "
            "probabilities."
        ),
        (Change(_SCORES, "return F.nll_loss(outputs, y)"),),
        _LOGITS,
    ),
    Mistake(
        "no_logarithm",
        "mend_scores",
        "nll_loss takes logarithms of probabilities, and was given probabilities.",
        (Change(_SCORES, "return F.nll_loss(outputs.softmax(dim=1), y)"),),
        _LOGITS,
    ),
    Mistake(
        "outputs_for_probabilities",
        "mend_scores",
        "Without from_logits=True, Keras takes the outputs for probabilities, and they are none.",
        (Change(_SCORES, _SCORES.replace("from_logits=True, ", "")),),
        _LOGITS,
    ),
    Mistake(
        "probabilities_clipped",
        "mend_scores",
        (
            "Right for small outputs only: Keras takes no probability for smaller than 1e-7, so "
            "that no loss is above 16.2."
        ),
        (
            Change(
                _SCORES,
                _SCORES.replace("from_logits=True, ", "").replace(
                    "outputs", "outputs.softmax(dim=1)"
                ),
            ),
        ),
        (
            "Ask for the loss of one example whose outputs are 100 apart.",
            "Who takes the softmax: you, or the loss? Only one of the two can stay in logarithms.",
        ),
    ),
    Mistake(
        "tokens_as_they_were",
        "mend_tokens",
        "This is still the sick program: padding counts as if it were tokens.",
        (Change(_MEAN, "return loss(y, outputs)"),),
        _TRUE,
    ),
    Mistake(
        "loss_scaled",
        "mend_tokens",
        (
            "Mends the symptom: the loss is scaled by the share of true tokens, and padding is "
            "still in it."
        ),
        (Change(_MEAN, "return loss(y, outputs) * float(mask.sum() / mask.numel())"),),
        _TRUE,
    ),
    Mistake(
        "divided_by_all",
        "mend_tokens",
        (
            "Padding is set to 0 and still counted: the mean is over all places. A loss of Keras "
            "divides so by itself."
        ),
        (Change(_BY_WEIGHT, 'from_logits=True, dtype="float64"'),),
        _TRUE,
    ),
    Mistake(
        "mean_of_means",
        "mend_tokens",
        "Each sequence has its own mean, so that tokens of short sequences count for more.",
        (
            Change(
                _MEAN,
                "return sum(map(loss, y, outputs, mask)) / len(y)",
            ),
        ),
        _TRUE,
    ),
    Mistake(
        "padding_alone",
        "mend_tokens",
        "The mask is turned round: the loss is that of the padding.",
        (Change(_MEAN, "return loss(y, outputs, sample_weight=~mask)"),),
        _TRUE,
    ),
    Mistake(
        "trainer_as_it_was",
        "mend_trainer",
        "This is still the sick program: the optimizer holds the parameters of the LSTM alone.",
        (Change(_OPTIMIZER, "return torch.optim.SGD(model.lstm.parameters(), lr=lr)"),),
        _ALL,
    ),
    Mistake(
        "rate_raised",
        "mend_trainer",
        "Mends the symptom: a larger learning rate moves the same parameters further.",
        (Change(_OPTIMIZER, "return torch.optim.SGD(model.lstm.parameters(), lr=10 * lr)"),),
        _ALL,
    ),
    Mistake(
        "head_alone",
        "mend_trainer",
        "Now the optimizer holds the head alone.",
        (Change(_OPTIMIZER, "return torch.optim.SGD(model.head.parameters(), lr=lr)"),),
        _ALL,
    ),
    Mistake(
        "stepper_as_it_was",
        "mend_stepper",
        "This is still the sick program: the gradient is clipped when it has been used already.",
        (Change(_CLIP, ""), Change(_STEP, f"{_STEP}\n{_CLIP}")),
        _ORDER,
    ),
    Mistake(
        "rate_lowered",
        "mend_stepper",
        "Mends the symptom: a smaller learning rate shortens every step, and nothing is clipped.",
        (
            Change(_CLIP, "for group in optimizer.param_groups:\n    group['lr'] /= 10"),
            Change(_STEP, f"{_STEP}\n{_CLIP}"),
        ),
        _ORDER,
    ),
    Mistake(
        "clipped_by_value",
        "mend_stepper",
        "Each number is clipped on its own; the length of all together is to be clipped.",
        (Change(_CLIP, "nn.utils.clip_grad_value_(model.parameters(), max_norm)"),),
        _ORDER,
    ),
    Mistake(
        "clipped_array_by_array",
        "mend_stepper",
        "Each array is clipped on its own; the length of all together is to be clipped.",
        (
            Change(
                _CLIP,
                "for p in model.parameters():\n    nn.utils.clip_grad_norm_([p], max_norm)",
            ),
        ),
        _ORDER,
    ),
    Mistake(
        "pairs_as_they_were",
        "mend_pairs",
        "This is still the sick program: the answer stands among the inputs, at its own place.",
        (Change(_PAIRS, "return tokens[:, :-1], tokens[:, :-1]"),),
        _NEXT,
    ),
    Mistake(
        "told_backwards",
        "mend_pairs",
        "Each token is to be told from the one after it.",
        (Change(_PAIRS, "return tokens[:, 1:], tokens[:, :-1]"),),
        _NEXT,
    ),
    Mistake(
        "wrapped_around",
        "mend_pairs",
        "The first token stands as the target of the last place, which has none.",
        (Change(_PAIRS, "return tokens, tokens.roll(-1, 1)"),),
        _NEXT,
    ),
    Mistake(
        "two_places_on",
        "mend_pairs",
        "The target is the token after the next one.",
        (Change(_PAIRS, "return tokens[:, :-2], tokens[:, 2:]"),),
        _NEXT,
    ),
    Mistake(
        "chunks_as_they_were",
        "mend_chunks",
        "This is still the sick program: each chunk goes back to the beginning of the sequence.",
        (
            Change(_CHUNK, "F.mse_loss(outputs, y[:, t : t + k]).backward(retain_graph=True)"),
            Change(_KEEP, ""),
        ),
        _PAST,
    ),
    Mistake(
        "state_thrown_away",
        "mend_chunks",
        "Mends the symptom: each chunk begins with a state of zeros, and what it knew is lost.",
        (Change(_KEEP, "state = None"),),
        _PAST,
    ),
    Mistake(
        "c_keeps_its_past",
        "mend_chunks",
        "The cell state still has its past: only h is cut off.",
        (
            Change(_CHUNK, "F.mse_loss(outputs, y[:, t : t + k]).backward(retain_graph=True)"),
            Change(_KEEP, "state = (state[0].detach(), state[1])"),
        ),
        _PAST,
    ),
    Mistake(
        "h_keeps_its_past",
        "mend_chunks",
        "The hidden state still has its past: only c is cut off.",
        (
            Change(_CHUNK, "F.mse_loss(outputs, y[:, t : t + k]).backward(retain_graph=True)"),
            Change(_KEEP, "state = (state[0], state[1].detach())"),
        ),
        _PAST,
    ),
)

MISTAKES = (*READING, *LOSS, *STEP, *TEXT, *MENDS)
