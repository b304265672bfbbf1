"""NumPy: a backward pass that is written out, states, and a batch that is changed in place."""

from __future__ import annotations

from lstm_ref.zoo.programs.measures import batch_changes, calls_differ, gradient_error, jumps
from lstm_ref.zoo.programs.registry import SickProgram
from lstm_ref.zoo.registry import Change


def _backward(
    id: str,
    title: str,
    right: str,
    wrong: str,
    cause: str,
    fix: str,
    hints: tuple[str, str],
    *more: Change,
) -> SickProgram:
    """An entry whose gradients are not those of its loss."""
    return SickProgram(
        id=id,
        plain="numpy_order",
        family="graph",
        title=title,
        changes=(Change(right, wrong), *more),
        finding=("gradient-wrong",),
        symptom="It learns, slower and worse than it should, and no curve tells why.",
        cause=cause,
        fix=fix,
        hints=hints,
        measured=gradient_error,
        limit=1e-3,
        chapter="bptt",
    )


NUMPY_HAND = (
    _backward(
        "numpy_cell_gradient_dropped",
        "The gradient of the cell state is not handed to the step before.",
        "dc = dc * f",
        "dc = np.zeros_like(dc)",
        "The cell state is thought to act on its own step only.",
        "What a step received through c, it owes to the c before, times its forget gate.",
        (
            "By which two ways does a step act on the next?",
            "Compare the gradient with differences, for T of 1 and of 2.",
        ),
    ),
    _backward(
        "numpy_hidden_gradient_dropped",
        "The gradient of the hidden state is not handed to the step before.",
        'dh = da @ params["Wh"].T',
        "dh = np.zeros_like(dh)",
        "The loss looks at the last state only, so that the earlier ones seem to have no gradient.",
        "The hidden state before goes into all four gates; its gradient comes back through Wh.",
        (
            "Which arrays of a step depend on the hidden state before?",
            "Compare the gradient with differences, for T of 2.",
        ),
    ),
    _backward(
        "numpy_gradient_assigned",
        "The gradient of Wh is that of one step only: it is set where it should be added up.",
        'grads["Wh"] += h_before.T @ da',
        'grads["Wh"] = h_before.T @ da',
        "The line was written for one step, before there was a loop.",
        "A weight that is used at every step has the sum of the gradients of all steps.",
        ("How often is Wh used?", "Which step is the last that the loop comes to?"),
    ),
    _backward(
        "numpy_tanh_slope",
        "The slope of tanh is taken as 1 - g.",
        "ai, af, ag, ao = di * i * (1 - i), df * f * (1 - f), dg * (1 - g**2), do * o * (1 - o)",
        "ai, af, ag, ao = di * i * (1 - i), df * f * (1 - f), dg * (1 - g), do * o * (1 - o)",
        "It is mixed up with that of the sigmoid.",
        "tanh' = 1 - tanh**2.",
        (
            "Which of the four gates has another activation?",
            "What is the slope of tanh at 0.5, by differences?",
        ),
    ),
    _backward(
        "numpy_gates_exchanged",
        (
            "The backward pass puts the gates together in another order than the forward pass "
            "takes them apart."
        ),
        "da = np.concatenate([ai, af, ag, ao], axis=1)",
        "da = np.concatenate([ai, af, ao, ag], axis=1)",
        "One half was taken from a source with another order.",
        "One order, i f g o, in both passes.",
        (
            "Which columns of the weights belong to which gate?",
            "Compare the gradient gate by gate.",
        ),
    ),
    _backward(
        "numpy_mean_forgotten",
        "The loss is a mean and its gradient that of a sum.",
        "return float(value), p / len(y)",
        "return float(value), p",
        "The factor 1 / N is dropped, since it seems to be a matter of the learning rate.",
        "Divide by what the loss divides by.",
        (
            "How does the gradient grow with the batch?",
            "Compare its length with that of the differences.",
        ),
    ),
    SickProgram(
        id="numpy_state_kept",
        plain="numpy_order",
        family="state",
        title="The state that one batch ends with is the start of the next, unrelated one.",
        changes=(
            Change(
                "h, c = np.zeros((N, H)), np.zeros((N, H))",
                "h, c = STATE.get(N, (np.zeros((N, H)), np.zeros((N, H))))",
            ),
            Change(
                'logits = h @ params["V"] + params["k"]',
                'STATE[N] = h, c\nlogits = h @ params["V"] + params["k"]',
            ),
        ),
        finding=("state-carried",),
        symptom="The same batch has another loss at each call.",
        cause="A program for one long text was taken over for single sequences.",
        fix="Start from zeros in each call.",
        hints=(
            "Call it twice with one batch.",
            "What does the first step of a sequence start from?",
        ),
        measured=calls_differ,
        limit=1e-6,
        chapter="long-text",
    ),
    SickProgram(
        id="numpy_random_start",
        plain="numpy_order",
        family="state",
        title="Each call draws the state that it starts from.",
        changes=(
            Change(
                "h, c = np.zeros((N, H)), np.zeros((N, H))",
                "h, c = np.random.normal(size=(N, H)), np.random.normal(size=(N, H))",
            ),
        ),
        finding=("not-repeatable",),
        symptom="Two predictions for one input differ.",
        cause="Everything else is initialised at random, too.",
        fix="Start from zeros, or from a state that is learned.",
        hints=("Call it twice with one batch.", "Which of its numbers are drawn anew?"),
        measured=calls_differ,
        limit=1e-6,
        chapter="sequences",
    ),
    SickProgram(
        id="numpy_batch_in_place",
        plain="numpy_order",
        family="data",
        title="The forward pass subtracts in place, from the very arrays of the data set.",
        changes=(Change("x = x - 0.1", "x -= 0.1"),),
        finding=("inputs-changed",),
        symptom="The loss rises from epoch to epoch, though each step is right.",
        cause="An array that a function is given is the caller's own.",
        fix="Make a new array.",
        hints=(
            "Look at the batch before and after a call.",
            "Which operations write into their argument?",
        ),
        measured=batch_changes,
        limit=1e-6,
        chapter="sequences",
    ),
    SickProgram(
        id="numpy_rate_huge",
        plain="numpy_order",
        family="loop",
        title="The learning rate is some hundred times too large.",
        changes=(
            Change(
                "return {name: array - rate * speed[name] for name, array in params.items()}",
                (
                    "return {name: array - 1000 * rate * speed[name] for name, array in "
                    "params.items()}"
                ),
            ),
        ),
        finding=("update-too-large", "diverges"),
        symptom="The loss jumps and stays above that of a guess.",
        cause="A rate for another loss, a sum, was taken over.",
        fix="A step moves the weights by about a thousandth of their size.",
        hints=("How far does one step move the weights?", "What is the loss after ten steps?"),
        measured=jumps(12),
        limit=2.0,
        chapter="training-step",
    ),
)
