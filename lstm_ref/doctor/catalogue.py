"""Every finding that there is: how certain, what it says, what to do, where to read on.

The sentences are filled with the numbers of the measurement. Ids are stable: the zoo, the pages and
readers' tests use them.
"""

from __future__ import annotations

from dataclasses import dataclass

CERTAINTIES = ("proof", "contract", "strong", "remark")
PROOF, CONTRACT, STRONG, REMARK = CERTAINTIES
# What the words mean, for the foot of a report.
MEANING = {
    PROOF: "a property of every right program does not hold",
    CONTRACT: "loss and outputs do not belong together",
    STRONG: "measured far beyond a margin, and likely",
    REMARK: "may be meant",
}

# Where the pages that findings lead to stand in the book; a test holds that each of them exists.
PARTS = {
    **dict.fromkeys(("bptt", "fading", "long-text", "memory", "perplexity", "sequences"), "one"),
    **dict.fromkeys(("gpu", "keras", "layer", "masks", "pytorch", "training-step"), "two"),
    **dict.fromkeys(("doctor", "measure", "overfitting", "prepare", "slow"), "three"),
}


@dataclass(frozen=True)
class Entry:
    """One kind of finding.

    Parameters
    ----------
    id : stable name
    family : the examinations that it comes from
    certainty : "proof", "contract", "strong" or "remark"
    what : the sentence with the number, what was allowed, and the place; filled by `str.format`
    cause : what usually does this
    fix : what to do
    chapter : page of the course
    """

    id: str
    family: str
    certainty: str
    what: str
    cause: str
    fix: str
    chapter: str = "doctor"

    @property
    def page(self) -> str:
        """The file of that page, from the root of the course."""
        return f"book/{PARTS[self.chapter]}/{self.chapter}.md"


def _entries(family: str, *rows: tuple[str, ...]) -> list[Entry]:
    return [Entry(row[0], family, *row[1:]) for row in rows]


_PAIRING = _entries(
    "pairing",
    (
        "examples-mixed",
        PROOF,
        "Outputs of one example move with the inputs of others: example {j} alone moves "
        "{value:.0%} of the outputs that example {k} moves, too (allowed 0).",
        (
            "The layer runs along the axis of the examples instead of time (batch_first), or a "
            "reshape mixes both axes."
        ),
        "Give the layer the axes in its own order (batch_first=True, or x.transpose(0, 1)); "
        "exchange axes with transpose or permute, never with view or reshape.",
        "pytorch",
    ),
    (
        "targets-misaligned",
        PROOF,
        (
            "The target of {who} meets outputs that its inputs do not move: share {value:.2f} "
            "(allowed 0)."
        ),
        "Outputs and targets stand in another order: one is time first and the other is not, "
        "outputs were flattened or sorted in another order than targets, or a reshape mixed steps "
        "and classes.",
        "Bring outputs and targets into one order before the loss; flatten both in the same way, "
        "undo any sorting, and exchange axes with transpose or permute.",
        "masks",
    ),
    (
        "targets-broadcast",
        PROOF,
        (
            "Every target meets {meets} (measured {value:.1e}, {limit}). Shapes: outputs "
            "{outputs}, targets {targets}."
        ),
        "Shapes like (N, 1) and (N,) broadcast to (N, N), and (N, T, 1) and (N, 1) to (N, T, 1).",
        (
            "Give both one shape: outputs.squeeze(-1), or targets[:, None]; return the last step "
            "alone (return_sequences)."
        ),
        "training-step",
    ),
    (
        "outputs-ignore-inputs",
        PROOF,
        (
            "Outputs of {what} do not move at all when {inputs} change (change {value:.1g}; more "
            "than 0 is needed)."
        ),
        "The input is overwritten or not used, the wrong step or example is taken from the "
        "states, or an activation is dead.",
        (
            "Follow the input to the output with one forward pass; look at what is indexed from "
            "the outputs and states."
        ),
        "doctor",
    ),
    (
        "outputs-equal-at-all-steps",
        PROOF,
        "The output is the same at all {steps} time steps, bit by bit (largest difference "
        "{value:.1g}, more is needed), the targets are not.",
        (
            "One state is repeated over time, or return_sequences is missing before the layer that "
            "answers step by step."
        ),
        (
            "Return the outputs of all steps (return_sequences=True), or let a recurrent layer "
            "read the repeated state."
        ),
        "keras",
    ),
    (
        "softmax-over-batch",
        PROOF,
        "Over the examples the outputs sum to 1 (largest deviation {value:.1e}, over the classes "
        "{threshold:.2f}; there it is needed), so an answer depends on the other examples.",
        "Softmax along the axis of the examples.",
        "Take the softmax over the classes: dim=-1.",
        "doctor",
    ),
    (
        "softmax-over-time",
        PROOF,
        "Over the time steps the outputs sum to 1 (largest deviation {value:.1e}, over the "
        "classes {threshold:.2f}; there it is needed).",
        "Softmax along the axis of time.",
        "Take the softmax over the classes: dim=-1.",
        "doctor",
    ),
    (
        "time-mixed-with-features",
        STRONG,
        "What the layer {where} reads is not in the order of time: one step later in the input "
        "moves other places than one step later in the layer (they agree in {value:.0%}, "
        "{threshold:.0%} is needed).",
        (
            "A reshape or view stands in the place of a transpose, so that steps and features are "
            "cut in another order."
        ),
        "Exchange axes with transpose or permute; reshape only splits or joins neighbouring axes.",
        "pytorch",
    ),
    (
        "steps-as-channels",
        STRONG,
        "One step of the input moves {value:.0%} of what the layer {where} reads, at all of its "
        "steps (up to {threshold:.0%} is allowed), and one feature only {width} of {count} "
        "neighbouring places of each.",
        "A convolution slides along the features and takes the time steps for its channels.",
        "Conv1d wants (N, channels, steps): exchange the axes before it and back behind it, with "
        "transpose(1, 2).",
        "pytorch",
    ),
    (
        "normalised-over-batch",
        PROOF,
        "In evaluation, the inputs of one example move the outputs of all others, whatever their "
        "order, by up to {value:.1e} of the change of its own (allowed 0).",
        (
            "A mean, a norm, an attention, or a batch norm in training mode is taken over the axis "
            "of the examples."
        ),
        "Normalise over the features (axis -1), or with running statistics in evaluation.",
        "layer",
    ),
)

_REACH = _entries(
    "reach",
    (
        "sees-the-future",
        PROOF,
        "The output at step {step} moves with the input at step {later} (change {value:.1e} of "
        "the largest, allowed 0).",
        (
            "A second direction, a normalisation over time, or an attention without its causal "
            "mask reads later steps."
        ),
        "Use one direction, or mask the later steps.",
        "perplexity",
    ),
    (
        "reads-padding",
        PROOF,
        (
            "{what} moves the output of example {j} by {value:.1e} of its size (allowed "
            "{threshold:.0e})."
        ),
        "The last column, the mean or the attention takes padded steps as if they were data, or a "
        "mask was lost on the way.",
        (
            "Pack the sequences or take the output at lengths - 1; give the mask to every layer "
            "that reads over time."
        ),
        "masks",
    ),
    (
        "scores-padding",
        PROOF,
        "The loss has a gradient at padded steps: {value:.0%} of its size lies there (allowed 0).",
        "The loss averages over padding.",
        "Leave padded targets out: ignore_index, or multiply by the mask and divide by its sum.",
        "masks",
    ),
    (
        "steps-ignored",
        STRONG,
        "Steps {first} to {last} of 0 to {end} of {where} move no output (change 0; more than 0 "
        "is needed), and step {beside} next to them does, by {value:.1e}: they are cut off, not "
        "forgotten.",
        "The sequence is cut, or the lengths that the layer is told are too short.",
        "Follow the slice, or print the lengths beside the sequences; they count steps, not "
        "features or examples.",
        "masks",
    ),
    (
        "direction-not-turned-back",
        STRONG,
        "Step {step} of 0 to {end} of {where} moves no output before step {value:g}, and step "
        "{end} moves them all (where two directions meet, each step must move every output).",
        "A direction read the reversed sequence, and its outputs were not reversed back.",
        "Reverse the outputs of that layer as well (flip(1)), or use bidirectional=True.",
        "layer",
    ),
    (
        "short-reach",
        STRONG,
        "Of {steps} time steps only {value:g} ({where}) has any effect on the outputs{detail} "
        "(more than one is needed).",
        (
            "The state does not travel: each step starts anew, or the output is taken at a step "
            "that has seen one input."
        ),
        (
            "Hand the state from step to step; take the last output (the first one of the reverse "
            "direction)."
        ),
        "sequences",
    ),
)

_GRADIENTS = _entries(
    "gradients",
    (
        "no-gradient",
        PROOF,
        "{what} no gradient, although the outputs depend on it (moved by {value:.1e} when it is "
        "changed; then it must have one).",
        (
            "The way from the loss back is cut: detach, .data, no_grad, a round trip over NumPy, a "
            "new tensor, or argmax."
        ),
        "Keep the tensors on the way: no detach, no .item(), torch.stack instead of torch.tensor.",
        "training-step",
    ),
    (
        "gradient-wrong",
        PROOF,
        "The gradient of {where} is not the derivative of the loss: it is off by {value:.1e} of "
        "its size (allowed {threshold:.0e}).{detail}",
        "A term of the backward pass is missing, counted twice, or of another gate.",
        "Derive it anew for the cell alone, then for two steps; lstm_ref.gradcheck says which "
        "gate and which step is off.",
        "bptt",
    ),
    (
        "zero-gradient",
        STRONG,
        "{what} a gradient of exactly 0 in every one of {steps} steps, although the loss depends "
        "on it (it moves by {value:.1e}; then more than 0 is needed).",
        "A dead or saturated activation, or a function whose slope is zero, stands behind it.",
        "Look at the activation behind these weights, and at the size of what goes into it.",
        "fading",
    ),
    (
        "parameter-unused",
        STRONG,
        (
            "{what} no effect: other values change neither outputs nor loss (change {value:.1g}; "
            "more than rounding is needed)."
        ),
        "The layer is made and never called, or its result is overwritten, not used, or made "
        "constant, as by a softmax over an axis of length 1; harmless where it is kept in reserve.",
        "Use the layer's result, take the softmax over the axis that is meant, or remove the "
        "layer.",
        "doctor",
    ),
    (
        "output-not-scored",
        STRONG,
        "{what} no gradient, and the outputs that they make ({outputs}) fit targets that the loss "
        "does not look at: {where} (the loss moves by {value:.1g} with either; more than 0 is "
        "needed).",
        "One of several losses is left out of the sum, or has a weight of 0.",
        "Add the loss of these outputs to the sum, or leave both out.",
        "training-step",
    ),
    (
        "direction-sees-one-step",
        STRONG,
        "The recurrent weights {where} have no effect (change {value:.1g}; more than 0 is "
        "needed), those of the other direction have: what is read of this direction has seen one "
        "of {steps} steps.",
        "The last step of a bidirectional layer is read, at which the second direction has only "
        "begun.",
        "Join the last step of the first direction and the first of the second (the final states "
        "h[-2] and h[-1]), or pool over all steps.",
        "sequences",
    ),
    (
        "token-without-gradient",
        REMARK,
        "Token {value:g} stands among others at {count} places and moves the outputs there (by "
        "{effect:.1e}), and its row of the embedding has a gradient of exactly 0 (more is needed).",
        "padding_idx names a true token, so that its vector stays as it is, zero as a rule; a "
        "blank may well do so.",
        "Give padding a number of its own, and count the tokens from the next one.",
        "masks",
    ),
    (
        "not-in-optimizer",
        STRONG,
        "{what} a gradient, and the optimizer does not have it: {value:.0%} of the weights cannot "
        "change (allowed 0 %, where it is not meant).",
        "The optimizer was made before the layer was added or replaced, or from a part of the "
        "model; right only where this part was trained before, or is meant to stay random.",
        (
            "Make the optimizer from model.parameters() after the model is complete; add the "
            "parameters of the loss."
        ),
        "training-step",
    ),
    (
        "not-registered",
        PROOF,
        "{what} not among model.parameters(), although the loss depends on it: it cannot be "
        "trained, moved or saved (counted {value:g}, allowed 0).",
        (
            "Layers in a plain list or dict, a tensor that is no nn.Parameter, or a layer that is "
            "made within forward."
        ),
        "Use nn.ModuleList, nn.ModuleDict or nn.Parameter, and make layers in __init__.",
        "pytorch",
    ),
    (
        "gradient-cut",
        PROOF,
        "The input {lag} step(s) back moves the output (by {value:.1e}), yet its gradient is "
        "exactly 0 (more is needed).",
        "The state is detached in the loop over time, or only its values are handed on.",
        "Detach between batches, never between the steps of one batch.",
        "bptt",
    ),
    (
        "vanishing-gradient",
        REMARK,
        "The gradient at step {step} is {value:.1e} of the largest over the steps (below "
        "{threshold:.0e} a task that needs this step is learned late or never).",
        (
            "Each step multiplies the gradient by the forget gate, which is about one half at the "
            "start."
        ),
        (
            "Where the task needs it: start with a forget bias of 1 or more (log of the lag), or "
            "bring the step nearer."
        ),
        "fading",
    ),
    (
        "exploding-gradient",
        STRONG,
        "The gradient at step {step} of {where} is {value:.1e} times that at the last step, and "
        "grows with every step back (allowed {threshold:.0e}).",
        (
            "Recurrent weights far too large, and no bounded activation or gate that holds what "
            "they multiply."
        ),
        "Start the recurrent weights orthogonal, or divide them; clip the norm of the gradient.",
        "fading",
    ),
    (
        "frozen-by-accident",
        STRONG,
        (
            "{what} frozen{state}: {value:.0%} of the weights are never trained (allowed 0 %, "
            "where it is not meant)."
        ),
        "requires_grad or trainable was switched off, for this layer or for everything; right "
        "only where a fixed random layer (a reservoir) or an evaluation is meant.",
        (
            "Switch it on again, and make or compile the optimizer afterwards; leave it where it "
            "is meant."
        ),
        "training-step",
    ),
)

_REPEAT = _entries(
    "repeat",
    (
        "not-repeatable",
        PROOF,
        "Two calls in evaluation with the same inputs differ by {value:.1e} (allowed 0): {detail}.",
        "A random initial state, or a layer that is made anew in each call.",
        "Start from zeros or a learned state; make layers in __init__.",
        "doctor",
    ),
    (
        "place-in-batch",
        STRONG,
        "An example gives other outputs {how}: they change by {value:.1e} of their size (allowed "
        "{threshold:.0e}).",
        "Positions, or vectors of the model's own, are added along the axis of the examples "
        "instead of time; or the examples act on one another.",
        "Add position t to step t: with the batch first, pe[:, :T] of the shape (1, T, D).",
        "pytorch",
    ),
    (
        "state-carried",
        PROOF,
        "The same batch gives other outputs at the second call (largest difference {value:.1e}, "
        "allowed 0): the state of the call before is the start of this one.",
        (
            "The state is kept in the model, or the layer is stateful, though the batches do not "
            "continue one another."
        ),
        (
            "Start from zeros in each call. If batches do continue one another, say stateful=True "
            "here."
        ),
        "long-text",
    ),
    (
        "state-not-carried",
        STRONG,
        "A second call gives the outputs of the first, at every step (largest difference "
        "{value:g}, more than 0 is needed where a state is carried), though the batches continue "
        "one another.",
        "The state is made anew in each call, or what the layer returns is never given back to it.",
        "Keep the state of the call before, detached, and start the next call from it; or leave "
        "stateful=True out where batches stand alone.",
        "long-text",
    ),
    (
        "forward-changes-weights",
        PROOF,
        "One forward pass changes the weights {where} by {value:.1e} (allowed 0).",
        "Weights are assigned or initialised in forward.",
        "Initialise in __init__; change weights only in the optimizer.",
        "doctor",
    ),
    (
        "inputs-changed",
        PROOF,
        "One forward pass writes into its inputs: {where} has changed by {value:.1e} (allowed 0), "
        "for all later epochs, too.",
        (
            "An operation in place (x -= mean, x *= scale, x[...] = 0, x.mul_()) on what was "
            "handed in."
        ),
        "Make a new array: x = x - mean; or copy first.",
        "doctor",
    ),
    (
        "noise-in-evaluation",
        PROOF,
        (
            "Two calls in evaluation with other random numbers differ by {value:.1e} (allowed 0): "
            "{detail}."
        ),
        "Dropout without its training flag, or noise that is always on.",
        "Use nn.Dropout, or F.dropout(x, p, training=self.training); in Keras hand on training=.",
        "doctor",
    ),
    (
        "mode-without-effect",
        PROOF,
        "A dropout rate of {threshold:g} is set{where}, and outputs in training have no noise "
        "(difference {value:.1g}, more than 0 is needed).",
        "The rate acts between layers and there is one layer only, or the dropout is not called "
        "or always in evaluation mode.",
        "Put a dropout layer behind the recurrent one, and call it with the training flag.",
        "doctor",
    ),
    (
        "dropout-too-high",
        STRONG,
        "A dropout rate of {value:g} is set (usual are 0.1 to 0.5, allowed is less than "
        "{threshold:g}), so that training sees one of {count:.0f} units.",
        "The share to keep was given for the share to drop.",
        "Hand on 1 - rate: nn.Dropout and Dropout take the share that is dropped.",
        "overfitting",
    ),
    (
        "dropout-on-outputs",
        STRONG,
        "In training {value:.0%} of the outputs that the loss scores are exactly 0, others in each "
        "pass, and in evaluation none of these (allowed 0 %).",
        "Dropout stands behind the last layer, so that answers themselves are dropped.",
        "Move the dropout in front of the last layer.",
        "overfitting",
    ),
    (
        "mode-never-returns",
        PROOF,
        "The forward pass changes the mode of the model: {value:g} parts have another training "
        "flag afterwards (allowed 0).",
        "eval() or train() is called within the forward pass or the loss and not undone.",
        "Set the mode in the loop, before training and before validation.",
        "training-step",
    ),
)

_LOSS = _entries(
    "loss",
    (
        "loss-wants-logits",
        CONTRACT,
        "The loss takes a {kind} itself ({evidence}), and the outputs are probabilities already: "
        "between {low:.2g} and {high:.2g}, also with large weights. So it cannot fall below "
        "{value:.3g}.",
        "Softmax or sigmoid twice: in the model and in the loss.",
        "Take the last activation out of the model, or use the loss of probabilities.",
        "doctor",
    ),
    (
        "loss-wants-probabilities",
        CONTRACT,
        "The loss takes the logarithm of the outputs as they are, and they are no probabilities: "
        "{value:.0%} lie outside 0 to 1, or a row sums to {total:.3g} (allowed 1).",
        "The model returns logits, and the loss was not told (from_logits=True).",
        "Tell the loss (from_logits=True), or end the model with softmax or sigmoid.",
        "doctor",
    ),
    (
        "loss-wants-log-probabilities",
        CONTRACT,
        "The loss takes the outputs for logarithms of probabilities (the larger they all are, the "
        "smaller it is), and they are none: exp sums to {value:.3g} (allowed 1).",
        "NLLLoss or CTCLoss after softmax, or after no softmax at all.",
        "End the model with log_softmax, or use cross-entropy on logits.",
        "doctor",
    ),
    (
        "loss-negative",
        CONTRACT,
        "{what} (it must be negative). Loss: {loss:.3g}.",
        "A minus sign is missing, or labels and loss do not belong together.",
        "Look at the sign of the loss, and at the labels that it expects.",
        "doctor",
    ),
    (
        "loss-constant",
        CONTRACT,
        "The loss does not change with the outputs: its gradient is exactly 0 at all {count} of "
        "them (at one at least it must not be).",
        "Outputs that are rounded or taken by argmax before the loss, one class for everything, "
        "a loss of something else, or one that puts 0 in the place of infinity (CTC).",
        "Give the loss the outputs themselves.",
        "doctor",
    ),
    (
        "examples-not-scored",
        STRONG,
        "The loss looks at example {j} alone: at the outputs of the other {value:g} of {count} "
        "examples its gradient is exactly 0 (more is needed).",
        "An index is taken before the loss, or the loss returns within its loop over the examples.",
        "Give the loss all outputs and all targets.",
        "training-step",
    ),
    (
        "output-never-filled",
        STRONG,
        "The outputs of step {step} are the same with any weights and for any inputs, and the "
        "loss scores them: {value:.0%} of its slope lies there (allowed 0).",
        "A loop over the steps begins at 1, or ends one early, and what it leaves out stays as it "
        "was made.",
        "Fill every step, or leave this one out of the loss, on both sides.",
        "sequences",
    ),
    (
        "loss-sums",
        CONTRACT,
        "Twice the batch gives {value:.2f} times the loss (a mean gives {threshold:g}), so that "
        "the gradient grows with the size of the batch; the first step moves the weights by "
        "{update:.1%}.",
        "reduction='sum', or losses added up over steps without dividing.",
        "Take the mean, or divide the learning rate.",
        "training-step",
    ),
    (
        "one-output-softmax",
        PROOF,
        "All outputs are 1, whatever the inputs and weights (largest deviation {value:.1g}).",
        "Softmax over a single output.",
        "Use sigmoid on one output, or as many outputs as classes.",
        "doctor",
    ),
    (
        "outputs-cannot-reach-targets",
        CONTRACT,
        "{value:.0%} of the targets (allowed {threshold:.0%}) lie outside the outputs' range "
        "({low:.3g} to {high:.3g}, whatever the weights); they go from {least:.3g} to "
        "{most:.3g}{detail}.",
        (
            "The last activation (relu, sigmoid, tanh) or the recurrent layer itself bounds the "
            "outputs."
        ),
        "End with a linear layer, or scale the targets into the range.",
        "doctor",
    ),
    (
        "classes-on-wrong-axis",
        CONTRACT,
        "The loss takes its classes along axis {axis} of the outputs, which is time in the model "
        "(length {value:g}; the axis of the classes is needed).",
        "Cross-entropy in PyTorch wants (N, C, T), the model gives (N, T, C).",
        "Exchange the axes before the loss (transpose(1, 2)), or flatten outputs and targets.",
        "doctor",
    ),
    (
        "loss-over-wrong-axis",
        CONTRACT,
        "The loss is the cross-entropy of a softmax along axis {over} of the outputs (off by "
        "{value:.1e}, {threshold:g} is allowed for the same loss); its classes lie along axis "
        "{classes}.",
        "In the loss, softmax or log_softmax runs over the examples or the steps (dim=0, dim=1).",
        "Take it over the classes (dim=-1), or give the logits to cross_entropy.",
        "doctor",
    ),
    (
        "wrong-loss-for-task",
        CONTRACT,
        "The targets are {value:g} class numbers, and the loss measures a distance to one output "
        "(one for each class is needed).",
        "Squared error on class numbers says that class 2 lies between 1 and 3.",
        "One output for each class, and cross-entropy.",
        "doctor",
    ),
    (
        "loss-detached",
        PROOF,
        (
            "No gradient comes from the loss: it has no history ({value:g} of {count} parameters "
            "get one, all should)."
        ),
        "Outputs were turned into numbers (item, numpy, argmax, round, no_grad) before the loss.",
        "Compute the loss from the outputs themselves, as tensors.",
        "training-step",
    ),
)

_LABELS = _entries(
    "labels",
    (
        "one-label",
        STRONG,
        "All {count} labels of {where} are {value:g} (two different ones are needed at least).",
        "Data sorted by class, a cast that turned all labels into one number, or one class only.",
        "Look at the labels before and after they are prepared; shuffle.",
        "doctor",
    ),
    (
        "label-outside",
        PROOF,
        "Label {value:g} lies outside what the loss expects ({low:g} to {high:g}).",
        (
            "Labels counted from 1, or -1 and 1 where 0 and 1 are expected, or fewer outputs than "
            "classes."
        ),
        "Map the labels to 0 ... C-1, and make C outputs.",
        "doctor",
    ),
    (
        "label-without-gradient",
        STRONG,
        (
            "Rows with label {value:g} have no gradient at all: {count} of them in this batch "
            "(allowed 0)."
        ),
        "ignore_index, mask_zero or a weight of 0 falls on a true class.",
        "Give padding a number of its own.",
        "masks",
    ),
    (
        "answer-in-input",
        STRONG,
        "{value:.0%} of the targets stand in the inputs at the very place that the output reads "
        "({where}; up to {threshold:.0%} is taken for chance).",
        (
            "The window contains the value to predict, or inputs and targets are not shifted "
            "against each other."
        ),
        "Shift: inputs up to t, targets from t+1.",
        "doctor",
    ),
)

_DATA = _entries(
    "data",
    (
        "not-finite",
        PROOF,
        "{value:g} numbers of {where} are NaN or infinite (allowed 0).",
        "Missing values, a division by a spread of 0, a logarithm of 0, or answers longer than "
        "what they are aligned with (CTC).",
        (
            "Fill or drop missing values before the windows are cut; look at the first layer whose "
            "output is not finite."
        ),
        "doctor",
    ),
    (
        "train-valid-overlap",
        STRONG,
        "{value:.0%} of the validation examples {detail} (allowed {threshold:.0%}).",
        "Windows were cut and shuffled before the split.",
        "Split first, along time, then cut windows; leave a gap of one window.",
        "prepare",
    ),
    (
        "scaler-fitted-on-all",
        STRONG,
        "Over train and valid together the inputs are scaled exactly, over train alone they are "
        "not ({where} {value:.3g}; the reverse is right).",
        "The scaler was fitted before the split.",
        "Fit it on the training part only.",
        "prepare",
    ),
    (
        "persistence-as-good",
        REMARK,
        "Repeating the last value explains {value:.0%} of the variance of the targets on valid, "
        "and a linear map of the window explains {fit:.2f} of the change that is left (less than "
        "{threshold:.2f} is nothing).",
        "A series of levels: a forecast that copies the last value, one step late, looks good.",
        "Predict the change, and always show persistence beside the model.",
        "measure",
    ),
    (
        "inputs-identical",
        STRONG,
        "The inputs of all {count} examples are the same, number by number (largest difference "
        "{value:.1g}; more than 0 is needed), and their targets are not.",
        "The data set gives one and the same item at every index, or one array was filled and "
        "stored again and again.",
        "Look at two items of the data set; store a copy where an array is filled anew.",
        "prepare",
    ),
    (
        "inputs-badly-scaled",
        STRONG,
        "What the first layer reads ({where}) has a size of {value:.3g} (about 1 is meant, {limit} "
        "is allowed).",
        "Inputs are not scaled, or scaled twice, or token numbers are read as magnitudes.",
        (
            "Subtract the mean and divide by the spread of the training part; use an embedding for "
            "tokens."
        ),
        "prepare",
    ),
    (
        "targets-badly-scaled",
        STRONG,
        "Targets are {value:.3g} away from the outputs on average, which move by about 1 at the "
        "start (allowed {threshold:g}).",
        "Targets are not scaled.",
        (
            "Scale the targets with mean and spread of the training part, and scale the "
            "predictions back."
        ),
        "prepare",
    ),
    (
        "outputs-too-large",
        STRONG,
        "Outputs have a size of {value:.1e} at the start (allowed {threshold:.1e}, a thousand "
        "times that of the targets).",
        "A state without bound that grows from step to step (relu, or large recurrent weights), "
        "or inputs that reach the outputs unscaled.",
        "Start the recurrent weights orthogonal, take tanh or gates, and scale the inputs.",
        "fading",
    ),
    (
        "one-time-step",
        PROOF,
        "The recurrent layer {where} runs over {value:g} time step only (2 are needed at least): "
        "its recurrent weights have no effect.",
        (
            "The window stands on the axis of the features, or a dimension was added in the wrong "
            "place."
        ),
        "Reshape to (examples, steps, features).",
        "sequences",
    ),
    (
        "time-on-wrong-axis",
        STRONG,
        (
            "Along axis {right} of {where} {evidence}. The model runs along axis {wrong}, where "
            "{against}."
        ),
        "The layer takes another axis as time (batch_first, or axes exchanged before the layer).",
        "Bring time to the axis that the layer runs along.",
        "pytorch",
    ),
    (
        "labels-shuffled",
        STRONG,
        "On {one} the targets follow from the inputs ({measure} {fit:.2f}), on {other} they do "
        "not ({value:.2f}; less than {threshold:.2f} is nothing).",
        "Labels belong to other rows: one of both was shuffled, sorted or shifted alone.",
        "Shuffle inputs and labels with one permutation; check some rows by hand.",
        "prepare",
    ),
    (
        "future-in-input",
        STRONG,
        "{where} is the target itself up to a factor and a constant (error {value:.1e} of its "
        "spread, allowed {threshold:.0e}), and the step before it is not.",
        "A column was computed from the value to predict.",
        "Leave out what is not known at the time of the prediction.",
        "prepare",
    ),
)

_GATES = _entries(
    "gates",
    (
        "gates-saturated",
        STRONG,
        (
            "{value:.0%} of the pre-activations of g and o in {where} lie beyond {limit:g} "
            "(allowed {threshold:.0%})."
        ),
        "Weights or inputs too large.",
        "Initialise with a gain near 1, and scale the inputs.",
        "memory",
    ),
    (
        "dead-units",
        STRONG,
        "{value:.0%} of the units of {where} do the same for all inputs, or the same as another "
        "unit (allowed {threshold:.0%}).",
        "All weights zero or equal, or units that never open.",
        "Initialise at random.",
        "doctor",
    ),
    (
        "memory-too-short",
        STRONG,
        "The forget gates of {where} are {value:.1e} in the middle (allowed {threshold:g}): a "
        "step later nothing of the cell state is left.",
        "The forget bias is strongly negative; open means keep.",
        "Start with a forget bias of 1 or more (log of the lag).",
        "memory",
    ),
    (
        "forget-bias-twice",
        REMARK,
        (
            "Both {where} carry a forget bias; together they make {value:.2g} (one of them alone "
            "is meant)."
        ),
        "PyTorch adds two biases.",
        "Set one of them to 0.",
        "memory",
    ),
)

_LOOP = _entries(
    "loop",
    (
        "gradients-add-up",
        PROOF,
        (
            "With the same batch and weights the gradient of the second step {what} (allowed "
            "{threshold:g})."
        ),
        "The gradients of the step before are not cleared.",
        "Call optimizer.zero_grad() before backward().",
        "training-step",
    ),
    (
        "gradients-cleared",
        STRONG,
        "Of {passes} backward passes in front of a step of the optimizer, the gradients of "
        "{value:g} were cleared before it came (allowed 0), and the weights had not moved along "
        "them.",
        "zero_grad() stands inside the loop over the parts of a batch, so that only the last part "
        "counts.",
        "Call optimizer.zero_grad() once, in front of that loop.",
        "training-step",
    ),
    (
        "rate-is-zero",
        PROOF,
        "The learning rate is {value:.1g}{where} (more than 0 is needed).",
        (
            "A schedule that has ended or warms up from 0 and is never stepped, or a rate set by "
            "mistake."
        ),
        "Set the rate, and look at where the schedule is stepped.",
        "training-step",
    ),
    (
        "rate-decays-at-once",
        STRONG,
        (
            "After {steps} steps the learning rate is {value:.1e} of what it was (allowed "
            "{threshold:.0e})."
        ),
        "A schedule for epochs is stepped by the batch.",
        "Step the schedule once an epoch, or count its lengths in batches.",
        "training-step",
    ),
    (
        "clip-after-step",
        PROOF,
        "The gradient has the norm {value:.3g} when the optimizer uses it, and {threshold:.3g} "
        "afterwards{detail}; allowed is one and the same.",
        "Clipping stands behind optimizer.step().",
        "Clip between backward() and step().",
        "training-step",
    ),
    (
        "clip-before-unscale",
        PROOF,
        (
            "The gradient that the optimizer uses is {value:.1e} of the gradient of the loss "
            "(allowed {threshold:.0e})."
        ),
        "Clipping acts on gradients that are still scaled.",
        "Call scaler.unscale_(optimizer) before clipping.",
        "gpu",
    ),
    (
        "clip-too-low",
        STRONG,
        (
            "The gradient that the optimizer uses is {value:.1e} of the gradient of the loss "
            "(allowed {threshold:.0e})."
        ),
        "The limit of clipping lies far below every gradient.",
        "Set the limit near the upper end of the norms that are seen.",
        "training-step",
    ),
    (
        "left-in-evaluation-mode",
        PROOF,
        "The model is in evaluation mode in {value:g} of {steps} training steps (allowed 0).",
        "eval() was called for validation, and train() not called again; in a loop of one's own "
        "in Keras, the model is called without training=True.",
        "Call model.train() before each training epoch; in Keras, model(x, training=True).",
        "training-step",
    ),
    (
        "graph-grows",
        PROOF,
        "The graph behind the loss {what}.",
        "A state or a sum of losses keeps the graphs of earlier steps.",
        "Detach the state between batches; add up loss.item().",
        "slow",
    ),
    (
        "state-not-detached",
        PROOF,
        "The second step goes back through the graph of the first (allowed 0 steps): {detail}.",
        "The carried state still holds the history of the batch before.",
        "Detach h and c between batches.",
        "long-text",
    ),
    (
        "no-update",
        PROOF,
        (
            "{steps} training steps leave all weights as they were (change {value:.1g}, more than "
            "0 is needed)."
        ),
        (
            "optimizer.step() is missing, gradients are cleared before it, or the optimizer holds "
            "other weights."
        ),
        "zero_grad(), backward(), step(), in this order, with the optimizer of this model.",
        "training-step",
    ),
    (
        "update-too-large",
        STRONG,
        "One step moves the weights {where} by {value:.0%} of their size (0.1 % is usual, "
        "{threshold:.0%} allowed){detail}.",
        "The learning rate is too large for these gradients.",
        "Divide the learning rate by {factor:.0f}, or clip the gradient.",
        "training-step",
    ),
    (
        "decay-too-large",
        STRONG,
        "With a weight decay of {decay:g} the optimizer takes {steps} steps at a rate of {rate:g} "
        "to bring the loss of this batch from {first:.4g} to {value:.4g}, without it to "
        "{free:.4g} (at least {threshold:.0%} of that way is needed).",
        "Weight decay pulls on the weights harder than the gradient of the loss does.",
        "Usual are 1e-5 to 1e-2; for Adam take AdamW, whose decay does not mix with the gradient.",
        "training-step",
    ),
    (
        "update-too-small",
        STRONG,
        "One step moves the weights by {value:.1e} of their size (1e-3 is usual, less than "
        "{threshold:.0e} is no learning).",
        "The learning rate is too small, or clipping or weight decay eats the step.",
        "Multiply the learning rate by about {factor:.0e}.",
        "training-step",
    ),
)

_TRAINING = _entries(
    "training",
    (
        "cannot-fit-one-batch",
        STRONG,
        "{steps} steps on this one batch bring the loss from {first:.4g} to {value:.4g} only "
        "(less than {threshold:.4g} is needed at the least{detail}).",
        "Not recognised: no examination names the cause.",
        "Make the program smaller until it learns: fewer examples, shorter sequences, one layer.",
        "doctor",
    ),
    (
        "does-not-generalise",
        STRONG,
        "After the short training the loss on valid is {value:.2f} times that of a constant "
        "answer, on train {fit:.2f} (less than {threshold:.2f} is needed).",
        "Not recognised: train and valid are not of one kind, or the task is learned by heart.",
        "Prepare both with the same code; look at some rows of each.",
        "overfitting",
    ),
    (
        "diverges",
        STRONG,
        "With the given optimizer the loss goes from {first:.4g} to {value:.4g} within {steps} "
        "steps on one batch (up to {threshold:.3g} is allowed).",
        "Not recognised beyond that: rate, initial weights, or an activation without bound.",
        "Lower the learning rate by 10, clip the norm of the gradient at 1.",
        "doctor",
    ),
)

_UNKNOWN = "Not recognised: no examination names the cause."

_RELATIONS = _entries(
    "relations",
    (
        "loss-not-repeated",
        STRONG,
        "The same batch has a loss of {threshold:.6g}, and {how} one of {value:.6g} (the same is "
        "needed).",
        _UNKNOWN,
        "Look for what is kept from call to call or drawn by lot: states, counters, buffers, the "
        "batch itself.",
    ),
    (
        "order-changes-loss",
        STRONG,
        "With the examples in another order, inputs and targets alike, the loss is {value:.6g} "
        "instead of {threshold:.6g} (the same is needed).",
        _UNKNOWN,
        "Follow one example through the program, by its place: layers, indices, reshapes, loss.",
    ),
    (
        "targets-exchangeable",
        STRONG,
        "With outputs that differ from example to example, targets of other examples change the "
        "loss by {value:.1e} of its size (more than {threshold:.0e} is needed).",
        _UNKNOWN,
        "Look at the shapes of outputs and targets where the loss puts them together.",
    ),
    (
        "padding-changes-loss",
        STRONG,
        "The shorter half of the batch has a loss of {value:.6g}, and without its last {steps} "
        "steps, which are padding for all of it, one of {threshold:.6g} (the same is needed).",
        _UNKNOWN,
        "Give lengths or a mask to every layer that reads the steps, and to the loss.",
    ),
    (
        "later-steps-count",
        STRONG,
        "With the last {steps} steps cut away, answers to those before change by {value:.1e} of "
        "the largest (allowed {threshold:.0e}).",
        _UNKNOWN,
        "Look for what runs over all steps at once: means, norms, attention, a second direction.",
    ),
    (
        "slope-left-out",
        STRONG,
        "The gradients of the weights miss {value:.0%} of the slope that the outputs have when the "
        "weights move (allowed {threshold:.0%}).",
        _UNKNOWN,
        "Look for what stands between weights and loss without a gradient, and at gradients that "
        "are written by hand.",
    ),
)

_SWAPS = _entries(
    "swaps",
    (
        "loop-stops",
        STRONG,
        "The loop stops at its call {value:.0f} with an error, and a plain loop makes {threshold} "
        "steps (no error is allowed): {detail}",
        _UNKNOWN,
        "Something of the call before is left; write the plain loop, and add what is yours part by "
        "part.",
    ),
    (
        "loop-stands",
        STRONG,
        "{steps} calls of the loop move no weight (change {value:.0f}); a plain loop with the same "
        "optimizer moves them by {threshold:.1e} of their size (the loop should, too).",
        _UNKNOWN,
        "Write the plain loop, and add what is yours part by part.",
    ),
    (
        "loop-learns-less",
        STRONG,
        "{steps} calls of the loop bring the loss from {first:.4g} to {value:.4g}; a plain loop "
        "with the same optimizer comes to {threshold:.4g} (a quarter of that way is needed).",
        _UNKNOWN,
        "Model, loss and optimizer learn by themselves: write the plain loop, and add what is "
        "yours part by part.",
    ),
    (
        "optimizer-stands",
        STRONG,
        "{steps} steps of the optimizer move the weights by {value:.1e} of what Adam moves them by "
        "at 0.001 (more than {threshold:.0e} is needed).",
        _UNKNOWN,
        "Try Adam at 0.001 instead; if that learns, look at rates, schedule and groups.",
    ),
    (
        "weights-stand-still",
        STRONG,
        "{value:.0f} of {threshold} matrices that have a gradient do not move in the optimizer's "
        "steps, {where} among them (all should).",
        _UNKNOWN,
        "Compare the weights before and after a step, and what the optimizer holds.",
    ),
    (
        "optimizer-climbs",
        STRONG,
        "{steps} steps of the optimizer bring the loss from {first:.4g} up to {value:.4g}; Adam at "
        "0.001 brings it down to {threshold:.4g} (it should fall).",
        _UNKNOWN,
        "Try Adam at 0.001 instead; if that learns, lower the rate, or clip the gradient.",
    ),
    (
        "outputs-fall-short",
        STRONG,
        "{steps} steps on this one batch end at a loss of {value:.4g} and gain no more; outputs "
        "that are free numbers get to {threshold:.2g}, and a constant answer to {constant:.4g} "
        "(three tenths of that are needed).",
        _UNKNOWN,
        "Compare the outputs with what the loss expects: their range, and which function comes "
        "last.",
    ),
)

CATALOGUE: dict[str, Entry] = {
    entry.id: entry
    for entry in (
        *_PAIRING,
        *_REACH,
        *_GRADIENTS,
        *_REPEAT,
        *_LOSS,
        *_LABELS,
        *_DATA,
        *_GATES,
        *_LOOP,
        *_TRAINING,
        *_RELATIONS,
        *_SWAPS,
    )
}

FAMILIES = tuple(dict.fromkeys(entry.family for entry in CATALOGUE.values()))
