"""Five lines to write on each page of parts I and II of the book, and their instant check.

    from lstm_ref.practice.pages import check
    check("held")

They stand in no problem set and earn no points: what a page has just said, written once by hand.
The answer is folded below each of them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.random import Generator

from lstm_ref import practice
from lstm_ref.errors import Array
from verdict import Case, Check, Misconception

PAGES = {
    "windows_of": "book/one/sequences",
    "rnn_states": "book/one/rnn",
    "slope_of_chain": "book/one/fading",
    "held": "book/one/lstm-cell",
    "totals": "book/one/bptt",
    "left_by_lag": "book/one/memory",
    "coupled_states": "book/one/what-if",
    "lanes": "book/one/long-text",
    "perplexity_of": "book/one/perplexity",
    "drawn": "book/one/first-lstm",
    "count_weights": "book/two/layer",
    "turned": "book/two/masks",
    "all_inputs": "book/two/fast",
    "forget_bias": "book/two/pytorch",
    "one_loss": "book/two/training-step",
    "with_mask": "book/two/keras",
    "to_pytorch": "book/two/three-engines",
    "crossover": "book/two/gpu",
}


def check(name: str = "", seed: int | None = None) -> None:
    """Put a question to the function that the caller has defined, and show the verdict; see
    `lstm_ref.practice.check`.

    Parameters
    ----------
    name : of a check; without it, all that the page has are asked
    seed : of the random inputs; None draws one, and the verdict shows it
    """
    practice.ask(CHECKS, name, seed, sys._getframe(1).f_globals)


def case(name: str, seed: int) -> practice.Example | None:
    """The first input that the caller's function fails, what came, and what was expected.

    ``name`` is that of a check, ``seed`` the one that its verdict shows; see
    `lstm_ref.practice.case`.
    """
    return practice.case_of(CHECKS, name, seed, sys._getframe(1).f_globals)


def _one(
    name: str,
    title: str,
    draw: Callable[[Generator], Sequence[tuple[Any, ...]]],
    expected: Callable[..., Any],
    outputs: Any,
    mistakes: Sequence[tuple[str, str, str, Callable[..., Any]]],
    **further: Any,
) -> Check:
    """A check of one function; a mistake is its id, its name to the reader, a hint, and the wrong
    version.
    """
    return Check(
        name=name,
        title=title,
        function=name,
        cases=lambda rng: [Case("", args) for args in draw(rng)],
        expected=expected,
        outputs=outputs,
        misconceptions=tuple(
            Misconception(id, told, function, (hint,)) for id, told, hint, function in mistakes
        ),
        **further,
    )


def _run(step: Callable[..., float], start: float, *arrays: Array) -> Array:
    """State after each step, where ``step(state, *values)`` gives the next one."""
    states = [start]
    for values in zip(*arrays, strict=True):
        states.append(step(states[-1], *values))
    return np.array(states[1:])


# --- part I
# --------------------------------------------------------------------------------------------------


def _windows_of(series: Array, T: int, early: int = 0) -> tuple[Array, Array]:
    x = np.stack([series[j : j + T] for j in range(len(series) - T)])
    return x, series[T - early : len(series) - early]


def _held(x: Array, f: Array, i: Array, o: Array) -> tuple[Array, Array]:
    c = _run(lambda c, x, f, i: f * c + i * np.tanh(x), 0.0, x, f, i)
    return o * np.tanh(c), c


def _held_from_h(x: Array, f: Array, i: Array, o: Array) -> tuple[Array, Array]:
    h, hs, cs = 0.0, [], []
    for x_t, f_t, i_t, o_t in zip(x, f, i, o, strict=True):
        c = f_t * h + i_t * np.tanh(x_t)
        h = o_t * np.tanh(c)
        hs.append(h)
        cs.append(c)
    return np.array(hs), np.array(cs)


def _totals(d: Array, f: Array, shift: int = 1) -> Array:
    total, back = np.zeros(len(d)), 0.0
    factors = np.append(f, 0.0)
    for t in reversed(range(len(d))):
        back = d[t] + factors[t + shift] * back
        total[t] = back
    return total


def _lanes(ids: Array, N: int, T: int) -> Array:
    L = len(ids) // (N * T) * T
    return ids[: N * L].reshape(N, -1, T).swapaxes(0, 1)


def _drawn(scores: Array, temperature: float, u: Array, *, times: bool = False) -> Array:
    z = scores * temperature if times else scores / temperature
    p = np.exp(z - z.max())
    return np.searchsorted(np.cumsum(p / p.sum()), u)


def _gates(rng: Generator, T: int, n: int) -> list[Array]:
    return list(rng.uniform(0.1, 0.9, size=(n, T)))


def _cell_inputs(rng: Generator) -> list[tuple[Any, ...]]:
    return [(rng.normal(size=T), *_gates(rng, T, 3)) for T in (6, 1)]


PART_ONE = (
    _one(
        "windows_of",
        "Windows of T values, and the value that comes after each.",
        lambda rng: [(rng.normal(size=9), 3), (rng.normal(size=6), 1)],
        _windows_of,
        ("x", "y"),
        [
            (
                "target_in_window",
                "The target is the last value of its own window: the answer is in the question.",
                "Is y[0] a number that x[0] does not hold?",
                lambda series, T: _windows_of(series, T, early=1),
            ),
        ],
        axes={"x": "n T", "y": "n"},
    ),
    _one(
        "rnn_states",
        "The state of one unit after each step.",
        lambda rng: [(rng.normal(size=T), *rng.normal(size=3)) for T in (5, 1)],
        lambda x, w, u, b: _run(lambda h, x: np.tanh(w * x + u * h + b), 0.0, x),
        "h",
        [
            (
                "no_memory",
                "The old state is not used: each step begins anew.",
                "Your first state is right. What does the second one start from?",
                lambda x, w, u, b: np.tanh(w * x + b),
            ),
            (
                "preactivation_carried",
                "The sum is carried on before its tanh is taken.",
                "The second state is wrong. What goes into it: a number between -1 and 1?",
                lambda x, w, u, b: np.tanh(_run(lambda a, x: w * x + u * a + b, 0.0, x)),
            ),
            (
                "no_tanh",
                "The tanh is missing.",
                "Between which two numbers must each state lie?",
                lambda x, w, u, b: _run(lambda h, x: w * x + u * h + b, 0.0, x),
            ),
        ],
        axes={"h": "T"},
    ),
    _one(
        "slope_of_chain",
        "How far the last state moves with the first, in a chain of one unit.",
        lambda rng: [(rng.uniform(0.5, 1.5), rng.uniform(-0.9, 0.9, size=T)) for T in (6, 1)],
        lambda w, h: np.prod(w * (1 - h**2)),
        "slope",
        [
            (
                "slopes_left_out",
                "That is w to the power T: the slopes of the tanh are missing.",
                "Would your answer be the same if no unit had a tanh?",
                lambda w, h: w ** len(h),
            ),
            (
                "slope_without_square",
                "The slope of the tanh is 1 - h**2, and not 1 - h.",
                "What is the slope of a tanh whose output is h? Try h = -0.5.",
                lambda w, h: np.prod(w * (1 - h)),
            ),
            (
                "sum_for_product",
                "The factors are added. Along one path they are multiplied.",
                "One path from the first to the last state: what does the chain rule do along it?",
                lambda w, h: np.sum(w * (1 - h**2)),
            ),
        ],
    ),
    _one(
        "held",
        "What one unit shows and what it holds, with gates that are given.",
        _cell_inputs,
        _held,
        ("h", "c"),
        [
            (
                "h_carried",
                "What is shown is carried to the next step, in the place of what is held.",
                "With the output gate shut at all steps, does your cell still hold anything?",
                _held_from_h,
            ),
            (
                "gates_exchanged",
                "The forget gate and the input gate have changed places.",
                "f = 1 and i = 0 at a step: what must c do there?",
                lambda x, f, i, o: _held(x, i, f, o),
            ),
            (
                "no_output_tanh",
                "The tanh on the way out is missing.",
                "Your c is right. Can your h be above 1?",
                lambda x, f, i, o: (o * _held(x, f, i, o)[1], _held(x, f, i, o)[1]),
            ),
        ],
        axes={"h": "T", "c": "T"},
    ),
    _one(
        "totals",
        "The total derivative of every cell state, the gates held fixed.",
        lambda rng: [(rng.normal(size=T), _gates(rng, T, 1)[0]) for T in (6, 1)],
        _totals,
        "dc",
        [
            (
                "gate_of_this_step",
                "The derivative goes back through the gate of this step, and not of the next one.",
                "By which factor does c[t+1] change when c[t] moves?",
                lambda d, f: _totals(d, f, shift=0),
            ),
            (
                "immediate_only",
                "These are the immediate derivatives: what the later steps send back is missing.",
                "At the last step you are right. What else does the step before it need?",
                lambda d, f: d.copy(),
            ),
            (
                "forward",
                "The loop goes from the first step to the last.",
                "Which total derivative is known before any other?",
                lambda d, f: _run(lambda back, d, f: d + f * back, 0.0, d, f),
            ),
        ],
        axes={"dc": "T"},
    ),
    _one(
        "left_by_lag",
        "What is left along the cell state, 0 to T steps back from the end.",
        lambda rng: [(_gates(rng, T, 1)[0],) for T in (6, 2)],
        lambda f: np.append(1.0, np.cumprod(f[::-1])),
        "left",
        [
            (
                "from_the_start",
                "The product begins at the first step. A lag is counted back from the last.",
                "For lag 1, which one gate is it?",
                lambda f: np.append(1.0, np.cumprod(f)),
            ),
            (
                "mean_gate",
                "That is a power of the mean gate. The gates differ from step to step.",
                "For lag 1 there is one factor. Is yours the gate of the last step?",
                lambda f: f.mean() ** np.arange(len(f) + 1),
            ),
        ],
        axes={"left": "T+1"},
    ),
    _one(
        "coupled_states",
        "The cell state of a cell with coupled gates, after each step.",
        lambda rng: [(rng.normal(), *_gates(rng, T, 1), rng.normal(size=T)) for T in (5, 1)],
        lambda c0, f, g: _run(lambda c, f, g: f * c + (1 - f) * g, c0, f, g),
        "c",
        [
            (
                "exchanged",
                "f and 1 - f have changed places, as z has in one of the two forms of the GRU.",
                "f = 1: must the old state stay, or go?",
                lambda c0, f, g: _run(lambda c, f, g: (1 - f) * c + f * g, c0, f, g),
            ),
            (
                "not_coupled",
                "All of the candidate is written. A coupled cell writes as much as it lets go.",
                "f = 1: how much may be written?",
                lambda c0, f, g: _run(lambda c, f, g: f * c + g, c0, f, g),
            ),
        ],
        axes={"c": "T"},
    ),
    _one(
        "lanes",
        "A long text in lanes: row n of each batch continues row n of the batch before.",
        lambda rng: [
            (rng.integers(0, 99, size=26), 2, 4),
            (rng.integers(0, 99, size=30), 3, 5),
        ],
        _lanes,
        "batches",
        [
            (
                "pieces_in_a_row",
                "Row n + 1 of a batch continues row n of the same batch. The lanes are lost.",
                "Where does the text go on after the last letter of row 0 of batch 0?",
                lambda ids, N, T: ids[: len(ids) // (N * T) * N * T].reshape(-1, N, T),
            ),
            (
                "every_nth_letter",
                "Each lane holds every N-th letter in place of a piece of the text.",
                "Are neighbours of a lane neighbours in the text?",
                lambda ids, N, T: (
                    ids[: len(ids) // (N * T) * N * T].reshape(-1, T, N).transpose(0, 2, 1)
                ),
            ),
        ],
        axes={"batches": "K N T"},
    ),
    _one(
        "perplexity_of",
        "The perplexity of a text, from the probability that each true letter was given.",
        lambda rng: [(rng.uniform(0.05, 0.95, size=T),) for T in (8, 2)],
        lambda p: np.exp(-np.mean(np.log(p))),
        "perplexity",
        [
            (
                "one_over_mean",
                "That is 1 over the mean probability. The mean is taken of the logarithms.",
                "A model gives 0.5 and 0.02. How many letters is it undecided between, on average?",
                lambda p: 1 / np.mean(p),
            ),
            (
                "mean_of_inverse",
                "That is the mean of 1/p: one unlikely letter decides it.",
                "Of what is the mean taken: of p, of 1/p, or of the surprise?",
                lambda p: np.mean(1 / p),
            ),
            (
                "sum",
                "The surprises are added and not averaged: a longer text would be a worse one.",
                "Repeat the text once. Does your perplexity stay the same?",
                lambda p: np.exp(-np.sum(np.log(p))),
            ),
            (
                "power_of_two",
                "2 to the power of nats. Nats belong to e, bits to 2.",
                "For one letter of probability 1/4, what must come out?",
                lambda p: 2 ** -np.mean(np.log(p)),
            ),
        ],
    ),
    _one(
        "drawn",
        "Letters drawn at a temperature, one for each random number.",
        lambda rng: [
            (rng.normal(scale=2, size=9), t, rng.uniform(0.001, 0.999, 400)) for t in (0.4, 2.5)
        ],
        _drawn,
        "letters",
        [
            (
                "times_temperature",
                "The scores are multiplied by the temperature: it acts the wrong way round.",
                "Does a low temperature make your letters more alike, or less?",
                lambda scores, temperature, u: _drawn(scores, temperature, u, times=True),
            ),
            (
                "always_the_best",
                "That is always the likeliest letter: nothing is drawn.",
                "Do two random numbers ever give you two letters?",
                lambda scores, temperature, u: np.full(len(u), scores.argmax()),
            ),
            (
                "no_temperature",
                "The temperature is not used.",
                "Of the arguments of your function, which one is never used?",
                lambda scores, temperature, u: _drawn(scores, 1.0, u),
            ),
        ],
        axes={"letters": "n"},
    ),
)

# --- part II
# --------------------------------------------------------------------------------------------------


def _count_weights(D: int, H: int, layers: int, directions: int, biases: int = 1) -> int:
    read = [D] + [directions * H] * (layers - 1)
    return sum(directions * 4 * H * (d + H + biases) for d in read)


def _turned(x: Array, lengths: Array) -> Array:
    out = x.copy()
    for row, length in zip(out, lengths, strict=True):
        row[:length] = row[:length][::-1].copy()
    return out


def _all_inputs(x: Array, Wx: Array, b: Array) -> Array:
    N, T, D = x.shape
    return (x.swapaxes(0, 1).reshape(T * N, D) @ Wx + b).reshape(T, N, -1)


def _forget_bias(bias_ih: Array, bias_hh: Array, value: float, block: int = 1) -> tuple[Array, ...]:
    H = len(bias_ih) // 4
    ih, hh = bias_ih.copy(), bias_hh.copy()
    ih[block * H : (block + 1) * H], hh[block * H : (block + 1) * H] = value, 0.0
    return ih, hh


def _twice(bias_ih: Array, bias_hh: Array, value: float) -> tuple[Array, ...]:
    H = len(bias_ih) // 4
    ih, hh = bias_ih.copy(), bias_hh.copy()
    ih[H : 2 * H], hh[H : 2 * H] = value, value
    return ih, hh


def _sum_of_two(arrays: dict[str, Array]) -> dict[str, Array]:
    """Any two biases are right whose sum is."""
    rest = {k: v for k, v in arrays.items() if not k.startswith("bias")}
    return rest | {"bias": arrays["bias_ih"] + arrays["bias_hh"]}


def _with_mask(h: Array, mask: Array) -> Array:
    out, last = np.empty_like(h), np.zeros_like(h[:, 0])
    for t in range(h.shape[1]):
        last = np.where(mask[:, t, None], h[:, t], last)
        out[:, t] = last
    return out


def _mask_case(rng: Generator, N: int, T: int, H: int) -> tuple[Array, Array]:
    mask = rng.random((N, T)) < 0.6
    mask[0, :3] = [False, True, False]  # begins with padding, and has some between
    return rng.normal(size=(N, T, H)), mask


def _keras_weights(rng: Generator, D: int, H: int) -> tuple[Array, ...]:
    return tuple(rng.normal(size=shape) for shape in ((D, 4 * H), (H, 4 * H), (4 * H,)))


PART_TWO = (
    _one(
        "count_weights",
        "How many numbers a stack of LSTM layers learns, with one bias for each direction.",
        lambda rng: [(5, 3, 3, 2), (4, 6, 2, 1), (7, 2, 1, 2)],
        _count_weights,
        "numbers",
        [
            (
                "reads_one_direction",
                "From the second layer on it reads both directions: 2H numbers, and not H.",
                "What stands side by side at the input of the second layer?",
                lambda D, H, L, k: sum(k * 4 * H * (d + H + 1) for d in [D] + [H] * (L - 1)),
            ),
            (
                "two_biases",
                "These are two biases for each direction, as PyTorch has them; here it is one.",
                "For D = H = 1 and one layer, one direction: 12 numbers, or 16?",
                lambda D, H, L, k: _count_weights(D, H, L, k, biases=2),
            ),
            (
                "every_layer_reads_D",
                "Every layer reads D numbers here. From the second layer on it reads states.",
                "What does the second layer read?",
                lambda D, H, L, k: L * k * 4 * H * (D + H + 1),
            ),
        ],
    ),
    _one(
        "turned",
        "Each sequence turned round, and its padding left where it is.",
        lambda rng: [
            (rng.normal(size=(4, 6)), np.array([6, 2, 4, 1])),
            (rng.normal(size=(1, 3)), np.array([2])),
        ],
        _turned,
        "x",
        [
            (
                "padding_first",
                "The whole row is turned round, so that the padding comes first.",
                "A sentence of 2 words in a row of 6: where do your words stand?",
                lambda x, lengths: x[:, ::-1].copy(),
            ),
            (
                "not_turned",
                "Nothing is turned round.",
                "What does the first column hold for the sentence of 2 words?",
                lambda x, lengths: x.copy(),
            ),
        ],
        axes={"x": "N T"},
    ),
    _one(
        "all_inputs",
        "The products of all inputs, before the loop, with the step as the first axis.",
        lambda rng: [
            tuple(rng.normal(size=s) for s in ((N, T, D), (D, 8), (8,)))
            for N, T, D in ((3, 5, 4), (4, 4, 2))
        ],
        _all_inputs,
        "a",
        [
            (
                "reshaped",
                "A reshape to (T, N) cuts the rows in another way. It moves no axis.",
                "Compare your a[0, 1] with x[1, 0] @ Wx + b.",
                lambda x, Wx, b: (x @ Wx + b).reshape(x.shape[1], x.shape[0], -1),
            ),
            (
                "no_bias",
                "The bias is missing.",
                "Of the arguments of your function, which one is never used?",
                lambda x, Wx, b: _all_inputs(x, Wx, 0 * b),
            ),
        ],
        axes={"a": "T N 4H"},
    ),
    _one(
        "forget_bias",
        "The forget bias of the cell is the value, which two tensors make together.",
        lambda rng: [
            (rng.normal(size=4 * H), rng.normal(size=4 * H), rng.uniform(1, 3)) for H in (3, 1)
        ],
        _forget_bias,
        ("bias_ih", "bias_hh"),
        [
            (
                "twice",
                "Both tensors were set to the value, and the cell adds them: it is twice as large.",
                "What does the cell do with its two biases?",
                _twice,
            ),
            (
                "wrong_block",
                "That is the block of the input gate. The order is i, f, g, o.",
                "Which of the four blocks comes second?",
                lambda ih, hh, value: _forget_bias(ih, hh, value, block=0),
            ),
            (
                "third_block",
                "That is the block of the candidate. The order is i, f, g, o.",
                "Which of the four blocks comes second?",
                lambda ih, hh, value: _forget_bias(ih, hh, value, block=2),
            ),
        ],
        arrays="torch",
        one_form=_sum_of_two,
        axes={"bias": "4H"},
        blocks={"4H": ("i", "f", "g", "o")},
    ),
    _one(
        "one_loss",
        "The mean loss of a large batch, from its parts.",
        lambda rng: [
            (rng.uniform(0.2, 3, size=n), rng.permutation(np.arange(1, 9))[:n].astype(float))
            for n in (4, 2)
        ],
        lambda losses, sizes: np.sum(losses * sizes) / np.sum(sizes),
        "loss",
        [
            (
                "mean_of_means",
                "That is the mean of the means: an example of a small part counts for more.",
                "One part has 63 examples, the other one has 1. How much does that one count?",
                lambda losses, sizes: np.mean(losses),
            ),
            (
                "sum",
                "The parts are added. More parts would be a larger loss, and a larger step.",
                "Cut the same batch into twice as many parts. Does your loss stay the same?",
                lambda losses, sizes: np.sum(losses),
            ),
        ],
    ),
    _one(
        "with_mask",
        "The output of a Keras layer with a mask: at a masked step the last valid one again.",
        lambda rng: [_mask_case(rng, 4, 7, 3), _mask_case(rng, 1, 4, 2)],
        _with_mask,
        "y",
        [
            (
                "zeros",
                "At masked steps you give zeros: that is zero_output_for_mask=True.",
                "What is y at a masked step that follows a valid one?",
                lambda h, mask: h * mask[:, :, None],
            ),
            (
                "one_step_back",
                "That is h one step back. Of two masked steps, the second gets a masked one.",
                "Two masked steps in a row: what is y at the second one?",
                lambda h, mask: np.where(
                    mask[:, :, None],
                    h,
                    np.concatenate([np.zeros_like(h[:, :1]), h[:, :-1]], axis=1),
                ),
            ),
        ],
        axes={"y": "N T H"},
    ),
    _one(
        "to_pytorch",
        "The weights of a Keras layer, as nn.LSTM keeps them.",
        lambda rng: [_keras_weights(rng, 3, 2), _keras_weights(rng, 4, 4)],
        lambda K, R, b: (K.T.copy(), R.T.copy(), b.copy(), np.zeros_like(b)),
        ("weight_ih", "weight_hh", "bias_ih", "bias_hh"),
        [
            (
                "bias_twice",
                "The bias stands in both tensors, and the layer adds them: it is twice as large.",
                "What does nn.LSTM do with its two biases?",
                lambda K, R, b: (K.T.copy(), R.T.copy(), b.copy(), b.copy()),
            ),
            (
                "recurrent_not_transposed",
                "weight_hh is not transposed.",
                "Compare the shapes of nn.LSTM(3, 2).weight_hh_l0 and of yours.",
                lambda K, R, b: (K.T.copy(), R.copy(), b.copy(), np.zeros_like(b)),
            ),
        ],
        one_form=_sum_of_two,
        axes={"weight_ih": "4H D", "weight_hh": "4H H", "bias": "4H"},
    ),
    _one(
        "crossover",
        "The batch size at which two devices take the same time.",
        lambda rng: [tuple(rng.uniform((1, 2, 5, 0.1), (3, 4, 9, 1))) for _ in range(2)],
        lambda a_c, b_c, a_g, b_g: (a_g - a_c) / (b_c - b_g),
        "N",
        [
            (
                "half_of_the_limit",
                "That is where one device reaches half of its own limit.",
                "Put your N into both lines a + b N. Are they equal?",
                lambda a_c, b_c, a_g, b_g: a_g / b_g,
            ),
            (
                "only_slopes",
                "The CPU has a fixed part of its own, which counts for it.",
                "Put your N into both lines a + b N. Are they equal?",
                lambda a_c, b_c, a_g, b_g: a_g / (b_c - b_g),
            ),
        ],
    ),
)

CHECKS = PART_ONE + PART_TWO
