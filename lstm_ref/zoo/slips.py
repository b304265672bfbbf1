"""Slips: one line of the plain version written otherwise, in the ways in which a hand slips.

The entries of `forward` and `backward` are mistakes with a story. These have none: another gate's
name, a derivative left out in one of four lines, two results in each other's place. Each is a
`Bug`, so that its numbers can be computed; a slip is looked for only where no entry with a story
explains what a student returned.
"""

from __future__ import annotations

from itertools import permutations

from lstm_ref.zoo.registry import Bug, Change

GATES = ("i", "f", "g", "o")


def _slip(
    function: str, id: str, title: str, *changes: tuple[str, str], hints: tuple[str, ...] = ()
) -> Bug:
    """One entry; where no hints are given, they lead to the line by its name."""
    name = changes[0][0].partition(" = ")[0]
    usual = (
        f"Look at the line of {name}." if " = " in changes[0][0] else "Look at the return line.",
    )
    return Bug(
        id=id,
        function=function,
        title=title,
        changes=tuple(Change(right, wrong) for right, wrong in changes),
        symptom="Other numbers, and no error.",
        cause="A slip of the hand.",
        fix="Compare the line with its equation, letter by letter.",
        hints=hints or (*usual, "Compare it with its equation, letter by letter."),
    )


# --- lstm_step
# --------------------------------------------------------------------------------------------------

_A = "a = x @ Wx + h_prev @ Wh + b"
_IFO = "i, f, o = sigmoid(a_i), sigmoid(a_f), sigmoid(a_o)"
_G = "g = np.tanh(a_g)"
_C = "c = f * c_prev + i * g"
_H = "h = o * np.tanh(c)"


def _step(id: str, title: str, *changes: tuple[str, str]) -> Bug:
    return _slip("lstm_step", id, title, *changes)


def _gates(**made: str) -> tuple[str, str]:
    """The line of the three gates, with some made otherwise."""
    return _IFO, f"i, f, o = {', '.join(made.get(k, f'sigmoid(a_{k})') for k in 'ifo')}"


_STEP = (
    _step("g_without_tanh", "The candidate g is used without its tanh.", (_G, "g = a_g")),
    _step(
        "g_relu",
        "The candidate g goes through a ReLU where tanh belongs.",
        (_G, "g = np.maximum(a_g, 0)"),
    ),
    _step(
        "g_sigmoid_then_tanh",
        "The candidate g goes through a sigmoid and a tanh.",
        (_G, "g = np.tanh(sigmoid(a_g))"),
    ),
    _step(
        "g_tanh_twice",
        "The candidate g goes through tanh twice.",
        (_G, "g = np.tanh(np.tanh(a_g))"),
    ),
    _step(
        "nothing_activated",
        "None of the four blocks goes through its activation.",
        (_IFO, "i, f, o = a_i, a_f, a_o"),
        (_G, "g = a_g"),
    ),
    _step(
        "sigmoid_mirrored",
        "The sigmoids run the wrong way: 1 / (1 + exp(a)) has lost its minus sign.",
        _gates(i="1 - sigmoid(a_i)", f="1 - sigmoid(a_f)", o="1 - sigmoid(a_o)"),
    ),
    *(
        _step(
            f"{k}_through_tanh",
            f"The gate {k} goes through tanh where a sigmoid belongs.",
            _gates(**{k: f"np.tanh(a_{k})"}),
        )
        for k in "ifo"
    ),
    *(
        _step(
            f"{k}_not_activated",
            f"The gate {k} is used without its sigmoid.",
            _gates(**{k: f"a_{k}"}),
        )
        for k in "ifo"
    ),
    *(
        _step(
            f"{k}_inverted",
            f"The gate {k} stands as 1 - {k}.",
            _gates(**{k: f"1 - sigmoid(a_{k})"}),
        )
        for k in "io"
    ),
    *(
        _step(
            f"{k}_from_block_g",
            f"The gate {k} is made from the block of g.",
            _gates(**{k: "sigmoid(a_g)"}),
        )
        for k in "ifo"
    ),
    *(
        _step(
            f"g_from_block_{m}",
            f"The candidate g is made from the block of {m}.",
            (_G, f"g = np.tanh(a_{m})"),
        )
        for m in "ifo"
    ),
    _step(
        "c_prev_through_tanh",
        "The old cell state is squashed by tanh before the forget gate.",
        (_C, "c = f * np.tanh(c_prev) + i * g"),
    ),
    _step(
        "new_part_subtracted",
        "What is new is subtracted from the cell state where it must be added.",
        (_C, "c = f * c_prev - i * g"),
    ),
    _step(
        "c_is_a_sum_of_all",
        "The gates are added to what they gate, where they must multiply it.",
        (_C, "c = f + c_prev + i + g"),
    ),
    _step(
        "i_added_to_g",
        "The input gate is added to g, where it must multiply it.",
        (_C, "c = f * c_prev + i + g"),
    ),
    *(
        _step(
            f"{m}_gates_c_prev",
            f"The old cell state is multiplied by {m} where f belongs.",
            (_C, f"c = {m} * c_prev + i * g"),
        )
        for m in "igo"
    ),
    *(
        _step(
            f"{m}_gates_g",
            f"The candidate is multiplied by {m} where i belongs.",
            (_C, f"c = f * c_prev + {m} * g"),
        )
        for m in "fo"
    ),
    _step(
        "c_gated_as_one",
        "The forget gate multiplies the new part, too.",
        (_C, "c = f * (c_prev + i * g)"),
    ),
    *(
        _step(f"{m}_gates_h", f"h is gated by {m} where o belongs.", (_H, f"h = {m} * np.tanh(c)"))
        for m in "ifg"
    ),
    _step(
        "o_added_in_h",
        "The output gate is added to tanh(c), where it must multiply it.",
        (_H, "h = o + np.tanh(c)"),
    ),
    _step(
        "h_from_g",
        "h is made from the candidate g where the cell state c belongs.",
        (_H, "h = o * np.tanh(g)"),
    ),
    _step(
        "no_input",
        "The input is missing: the gates see the old hidden state only.",
        (_A, "a = h_prev @ Wh + b + 0 * (x @ Wx)"),
    ),
    _step(
        "bias_subtracted",
        "The bias is subtracted where it must be added.",
        (_A, "a = x @ Wx + h_prev @ Wh - b"),
    ),
    _step(
        "recurrence_subtracted",
        "The part of h_prev is subtracted where it must be added.",
        (_A, "a = x @ Wx - h_prev @ Wh + b"),
    ),
    _step(
        "recurrence_multiplied",
        "The parts of x and of h_prev are multiplied where they must be added.",
        (_A, "a = (x @ Wx) * (h_prev @ Wh) + b"),
    ),
    _step(
        "bias_of_one_block",
        "The bias of the first block is added to all four.",
        (_A, "a = x @ Wx + h_prev @ Wh + np.tile(b[: len(b) // 4], 4)"),
    ),
    _step(
        "recurrence_transposed",
        "Wh is transposed within each block.",
        (
            _A,
            (
                "a = x @ Wx + h_prev @ np.concatenate([w.T for w in np.split(Wh, 4, axis=1)], "
                "axis=1) + b"
            ),
        ),
    ),
)

# --- lstm_forward
# --------------------------------------------------------------------------------------------------

_START = "h, c = h0, c0"
_CALL = "h, c, step = lstm_step(x[:, t], h, c, Wx, Wh, b)"
_STACK = "h_all = np.stack(hs, axis=1)"
_RETURN = "return h_all, (h, c), cache"


def _sequence(id: str, title: str, *changes: tuple[str, str], hints: tuple[str, ...] = ()) -> Bug:
    return _slip("lstm_forward", id, title, *changes, hints=hints)


def _called(first: str) -> tuple[str, str]:
    return _CALL, _CALL.replace("x[:, t], h, c", first)


_FORWARD = (
    _sequence("h_starts_from_c0", "The hidden state starts from c0.", (_START, "h, c = c0, c0")),
    _sequence("c_starts_from_h0", "The cell state starts from h0.", (_START, "h, c = h0, h0")),
    _sequence(
        "starts_exchanged",
        "The loop starts from h0 and c0 in each other's place.",
        (_START, "h, c = c0, h0"),
    ),
    _sequence(
        "x_one_early",
        "Step t reads x[:, t - 1], the input of the step before.",
        _called("x[:, t - 1], h, c"),
    ),
    _sequence(
        "x_one_late",
        "Step t reads the input of the next step.",
        _called("x[:, min(t + 1, T - 1)], h, c"),
    ),
    _sequence(
        "x_reshaped",
        (
            "x is reshaped to (T, N, D): that mixes time steps and examples, where axes must be "
            "exchanged."
        ),
        _called("x.reshape(T, len(x), -1)[t], h, c"),
    ),
    _sequence(
        "h_reshaped",
        "The hidden states are reshaped to (N, T, H): that mixes time steps and examples.",
        (_STACK, "h_all = np.array(hs).reshape(len(x), T, -1)"),
        hints=(
            (
                "Your numbers are right, and lie in the wrong places. How does the list become an "
                "array?"
            ),
            "reshape fills row by row: what exchanges two axes?",
        ),
    ),
    _sequence(
        "h_side_by_side",
        "The hidden states are set side by side: np.concatenate makes no new axis.",
        (_STACK, "h_all = np.concatenate(hs, axis=1)"),
    ),
    _sequence(
        "h_on_top",
        "The hidden states are set one below the other: np.concatenate makes no new axis.",
        (_STACK, "h_all = np.concatenate(hs, axis=0)"),
    ),
    _sequence(
        "h_units_first", "The time axis of h comes last.", (_STACK, "h_all = np.stack(hs, axis=2)")
    ),
    _sequence(
        "h_reversed",
        "The list of hidden states runs from the last step to the first.",
        (_STACK, "h_all = np.stack(hs[::-1], axis=1)"),
    ),
    _sequence(
        "last_example_as_hT",
        "hT is the last example, h[-1], where the last time step belongs.",
        (_RETURN, "return h_all, (h_all[-1], c), cache"),
    ),
    _sequence(
        "first_step_as_hT",
        "hT is the first time step of h.",
        (_RETURN, "return h_all, (h_all[:, 0], c), cache"),
    ),
    _sequence(
        "mean_as_hT",
        "hT is the mean of h over time.",
        (_RETURN, "return h_all, (h_all.mean(axis=1), c), cache"),
    ),
    _sequence("h_as_cT", "cT is the last hidden state.", (_RETURN, "return h_all, (h, h), cache")),
    _sequence("c_as_hT", "hT is the last cell state.", (_RETURN, "return h_all, (c, c), cache")),
    _sequence("h_holds_last_only", "h holds the last time step only.", (_STACK, "h_all = h")),
)

# --- lstm_step_backward
# --------------------------------------------------------------------------------------------------

_DO = "do = dh * tanh_c"
_DC = "dc = dc + dh * o * (1 - tanh_c**2)"
_DC_PREV = "dc_prev = dc * f"
_DA = "da = np.concatenate([da_i, da_f, da_g, da_o], axis=1)"
_DX, _DH_PREV = "dx = da @ Wx.T", "dh_prev = da @ Wh.T"
_DWX, _DWH, _DB = "dWx = x.T @ da", "dWh = h_prev.T @ da", "db = da.sum(axis=0)"
_STEP_RETURN = "return dx, dh_prev, dc_prev, dWx, dWh, db"
_CACHE = "x, h_prev, c_prev, i, f, g, o, c, Wx, Wh = cache"
_D = {"i": "di = dc * g", "f": "df = dc * c_prev", "g": "dg = dc * i", "o": _DO}
_FACTOR = {"i": "g", "f": "c_prev", "g": "i"}
_DA_OF = {
    "i": "da_i = di * i * (1 - i)",
    "f": "da_f = df * f * (1 - f)",
    "g": "da_g = dg * (1 - g**2)",
    "o": "da_o = do * o * (1 - o)",
}


def _back(id: str, title: str, *changes: tuple[str, str]) -> Bug:
    return _slip("lstm_step_backward", id, title, *changes)


def _from_given(gate: str) -> tuple[str, str]:
    """The line of a gate's gradient with dc as it came in, without what h sends to c."""
    return _D[gate], _D[gate].replace("dc *", "(dc - dh * o * (1 - tanh_c**2)) *")


def _derivatives(wrong: str) -> tuple[tuple[str, str], ...]:
    """The lines of the three sigmoids with this in place of ``s * (1 - s)``."""
    return tuple((_DA_OF[k], f"da_{k} = d{k} * {wrong.replace('s', k)}") for k in "ifo")


def _exchanged(line: str, first: str, second: str) -> tuple[str, str]:
    words = [
        {first: second, second: first}.get(word.strip(","), word.strip(","))
        for word in line.split()[1:]
    ]
    return line, f"return {', '.join(words)}"


_NAMES = ("dx", "dh_prev", "dc_prev", "dWx", "dWh", "db")

_STEP_BACKWARD = (
    *(
        _back(
            f"no_derivative_of_{k}",
            f"The derivative of the activation is missing for {k} only.",
            (_DA_OF[k], f"da_{k} = d{k}"),
        )
        for k in "if"
    ),
    *(
        _back(
            f"only_{k}_for_its_derivative",
            f"The derivative of the sigmoid of {k} is {k} (1 - {k}); the second factor is missing.",
            (_DA_OF[k], f"da_{k} = d{k} * {k}"),
        )
        for k in "ifo"
    ),
    *(
        _back(
            f"only_1_minus_{k}",
            f"The derivative of the sigmoid of {k} is {k} (1 - {k}); the first factor is missing.",
            (_DA_OF[k], f"da_{k} = d{k} * (1 - {k})"),
        )
        for k in "ifo"
    ),
    *(
        _back(
            f"sigmoid_of_{k}_again",
            f"The gate {k} goes through a sigmoid once more where its derivative belongs.",
            (_DA_OF[k], f"da_{k} = d{k} * sigmoid({k})"),
        )
        for k in "ifo"
    ),
    *(
        _back(
            f"tanh_prime_for_{k}",
            f"The gate {k} is a sigmoid; its derivative is taken as that of tanh.",
            (_DA_OF[k], f"da_{k} = d{k} * (1 - {k}**2)"),
        )
        for k in "ifo"
    ),
    *(
        _back(
            f"derivative_of_{m}_for_{k}",
            f"The derivative of {m} stands where that of {k} belongs.",
            (_DA_OF[k], f"da_{k} = d{k} * {m} * (1 - {m})"),
        )
        for k in "ifo"
        for m in "ifo"
        if k != m
    ),
    *(
        _back(
            f"d{m}_for_d{k}",
            f"The line of da_{k} uses d{m} where d{k} belongs.",
            (_DA_OF[k], _DA_OF[k].replace(f"d{k} *", f"d{m} *")),
        )
        for k, m in (*((k, "o") for k in "ifg"), *(("o", m) for m in "ifg"))
    ),
    _back(
        "first_factors_missing",
        "The derivative of a sigmoid s is s (1 - s); the first factor is missing.",
        *_derivatives("(1 - s)"),
    ),
    _back(
        "second_factors_missing",
        "The derivative of a sigmoid s is s (1 - s); the second factor is missing.",
        *_derivatives("s"),
    ),
    _back(
        "sigmoid_prime_plus",
        "The derivative of a sigmoid s is s (1 - s); here it is s (1 + s).",
        *_derivatives("s * (1 + s)"),
    ),
    *(
        _back(
            f"{m}_in_d{k}",
            f"The factor of d{k} is {m} where {_FACTOR[k]} belongs.",
            (_D[k], f"d{k} = dc * {m}"),
        )
        for k in "ifg"
        for m in ("i", "f", "g", "o", "c", "c_prev", "h_prev", "tanh_c")
        if m != _FACTOR[k] and (k, m) != ("f", "c")
    ),
    *(
        _back(
            f"d{k}_from_given_dc",
            f"d{k} is made from the dc that is given; what h sends to c is missing there.",
            _from_given(k),
        )
        for k in "ifg"
    ),
    _back(
        "gates_from_given_dc",
        "i, f and g get the dc that is given; what h sends to c is added too late for them.",
        *(_from_given(k) for k in "ifg"),
    ),
    *(
        _back(
            f"d{k}_from_dh",
            f"d{k} is made from dh where dc belongs.",
            (_D[k], _D[k].replace("dc *", "dh *")),
        )
        for k in "ifg"
    ),
    _back("do_from_dc", "do is made from dc where dh belongs.", (_DO, "do = dc * tanh_c")),
    _back("do_with_o", "do is made with o where tanh(c) belongs.", (_DO, "do = dh * o")),
    _back(
        "do_with_c_prev",
        "do is made with the old cell state where the new one belongs.",
        (_DO, "do = dh * np.tanh(c_prev)"),
    ),
    _back("do_alone", "do is dh alone; the factor tanh(c) is missing.", (_DO, "do = dh")),
    _back(
        "do_with_tanh_prime",
        "do is made with the derivative of tanh(c) where tanh(c) itself belongs.",
        (_DO, "do = dh * (1 - tanh_c**2)"),
    ),
    _back(
        "tanh_of_c_prev",
        "tanh is taken of the old cell state where the new one belongs, in both lines that use it.",
        ("tanh_c = np.tanh(c)", "tanh_c = np.tanh(c_prev)"),
    ),
    _back(
        "tanh_c_is_c",
        "c is taken for tanh(c), in both lines that use it.",
        ("tanh_c = np.tanh(c)", "tanh_c = c"),
    ),
    *(
        _back(id, f"What h sends to c is {said}.", (_DC, f"dc = {wrong}"))
        for id, said, wrong in (
            ("o_twice_in_dc", "multiplied by o twice", "dc + dh * o * o * (1 - tanh_c**2)"),
            (
                "h_for_tanh_c",
                "made with 1 - h squared; it is 1 - tanh(c) squared",
                "dc + dh * o * (1 - (o * tanh_c) ** 2)",
            ),
            (
                "tanh_c_unsquared",
                "made with 1 - tanh(c); the square is missing",
                "dc + dh * o * (1 - tanh_c)",
            ),
            ("i_in_dc", "multiplied by i where o belongs", "dc + dh * i * (1 - tanh_c**2)"),
            ("f_in_dc", "multiplied by f where o belongs", "dc + dh * f * (1 - tanh_c**2)"),
            ("do_in_dc", "made from do where dh belongs", "dc + do * o * (1 - tanh_c**2)"),
            (
                "tanh_c_in_dc",
                "made with tanh(c) where its derivative belongs",
                "dc + dh * o * tanh_c",
            ),
            (
                "dc_multiplied",
                "multiplied by the dc that is given; the two must be added",
                "dc * dh * o * (1 - tanh_c**2)",
            ),
            (
                "f_on_entry",
                "right, but the dc that is given is multiplied by f as it comes in",
                "dc * f + dh * o * (1 - tanh_c**2)",
            ),
            (
                "dc_subtracted",
                "subtracted from the dc that is given; the two must be added",
                "dc - dh * o * (1 - tanh_c**2)",
            ),
        )
    ),
    *(
        _back(
            f"dc_prev_times_{m}",
            f"dc_prev is dc times {m} where f belongs.",
            (_DC_PREV, f"dc_prev = dc * {m}"),
        )
        for m in ("i", "g", "o", "c_prev")
    ),
    _back(
        "dc_prev_through_sigmoid",
        "dc_prev is multiplied by the derivative of the forget gate where f itself belongs.",
        (_DC_PREV, "dc_prev = dc * f * (1 - f)"),
    ),
    _back(
        "dc_prev_from_dh",
        "dc_prev is made from dh where dc belongs.",
        (_DC_PREV, "dc_prev = dh * f"),
    ),
    *(
        _back(
            f"block_{m}_for_{k}",
            f"The block of {m} stands in the place of {k}, too.",
            (_DA, _DA.replace(f"da_{k}", f"da_{m}")),
        )
        for k in GATES
        for m in GATES
        if k != m
    ),
    *(
        _back(
            f"dx_without_{k}",
            f"dx leaves the block of {k} out.",
            (_DX, f"dx = da @ Wx.T - da_{k} @ np.split(Wx, 4, axis=1)[{n}].T"),
        )
        for n, k in enumerate(GATES)
    ),
    *(
        _back(
            f"dh_prev_without_block_{k}",
            f"dh_prev leaves the block of {k} out.",
            (_DH_PREV, f"dh_prev = da @ Wh.T - da_{k} @ np.split(Wh, 4, axis=1)[{n}].T"),
        )
        for n, k in enumerate(GATES)
        if k != "g"
    ),
    _back(
        "dh_added_to_dh_prev",
        "dh is added to dh_prev: the old hidden state does not pass through a step.",
        (_DH_PREV, "dh_prev = da @ Wh.T + dh"),
    ),
    _back(
        "dWx_transposed", "dWx is transposed: the factors are exchanged.", (_DWX, "dWx = da.T @ x")
    ),
    _back(
        "dWh_transposed",
        "dWh is transposed: the factors are exchanged.",
        (_DWH, "dWh = da.T @ h_prev"),
    ),
    _back(
        "dWh_from_c_prev",
        "dWh is made with c_prev where h_prev belongs.",
        (_DWH, "dWh = c_prev.T @ da"),
    ),
    _back(
        "weights_negative",
        "The gradients of the weights have the wrong sign.",
        (_DWX, "dWx = -x.T @ da"),
        (_DWH, "dWh = -h_prev.T @ da"),
        (_DB, "db = -da.sum(axis=0)"),
    ),
    _back(
        "db_over_units",
        "db is summed over the units where it must be summed over the examples.",
        (_DB, "db = da.sum(axis=1)"),
    ),
    _back("db_not_summed", "db is not summed over the examples.", (_DB, "db = da")),
    _back(
        "db_first_example",
        "db is that of the first example; it must be summed over all.",
        (_DB, "db = da[0]"),
    ),
    _back(
        "db_one_number",
        "db is summed to one number; it must be summed over the examples only.",
        (_DB, "db = da.sum()"),
    ),
    _back(
        "db_f_three_times",
        "The part of f stands in db in the place of i and o, too.",
        (_DB, "db = np.concatenate([da_f, da_f, da_g, da_f], axis=1).sum(axis=0)"),
    ),
    _back(
        "states_unpacked_exchanged",
        "The cache is unpacked with c_prev before h_prev; it holds h_prev first.",
        (_CACHE, _CACHE.replace("h_prev, c_prev", "c_prev, h_prev")),
    ),
    *(
        _back(
            f"{a}_and_{b}_exchanged",
            f"{a} and {b} are returned in each other's place.",
            _exchanged(_STEP_RETURN, a, b),
        )
        for n, a in enumerate(_NAMES)
        for b in _NAMES[n + 1 :]
        if (a, b) != ("dh_prev", "dc_prev")
    ),
)

# --- lstm_backward
# --------------------------------------------------------------------------------------------------

_STEP_CALL = (
    "dx_t, dh_next, dc_next, dWx_t, dWh_t, db_t = lstm_step_backward(dh_t, dc_next, cache[t])"
)
_KEPT = "dx_t, dh_back, dc_back, dWx_t, dWh_t, db_t = lstm_step_backward(dh_t, dc_next, cache[t])"
_DH_T = "dh_t = dh[:, t] + dh_next"
_LOOP = "for t in reversed(range(T)):"
_DC_START = "dc_next = np.zeros_like(dh[:, 0]) if dcT is None else dcT"
_ALL_RETURN = "return dx, dh_next, dc_next, dWx, dWh, db"
_STACK_DX = "dx = np.stack(dxs, axis=1)"
_SAID = {"dh_next": "dh0", "dc_next": "dc0"}
_RESULTS = ("dx", "dh_next", "dc_next", "dWx", "dWh", "db")


def _through(id: str, title: str, *changes: tuple[str, str], hints: tuple[str, ...] = ()) -> Bug:
    return _slip("lstm_backward", id, title, *changes, hints=hints)


_CARRY_HINTS = (
    "Your last time step is right. What does the one before it get?",
    "Which names does the loop read at the top, and which does it give a value further down?",
)


def _carried(id: str, title: str, after: str, returned: str = "dh_back, dc_back") -> Bug:
    """The step's results under names of their own, and what then becomes of the carry."""
    wrong = f"return dx, {returned}, dWx, dWh, db"
    changes = [(_STEP_CALL, f"{_KEPT}\n{after}" if after else _KEPT), (_ALL_RETURN, wrong)]
    return _through(id, title, *changes, hints=_CARRY_HINTS)


_BACKWARD = (
    _carried(
        "nothing_carried",
        (
            "Nothing is carried from step to step: the step's results have other names than what "
            "the loop reads."
        ),
        "",
    ),
    _carried(
        "nothing_carried_dcT_once",
        "Nothing is carried from step to step; dcT enters the last step only.",
        "dc_next = 0 * dc_next",
    ),
    _carried(
        "carries_added_up",
        (
            "Both carries are added up over the steps, where each step's result replaces the one "
            "before."
        ),
        "dh_next = dh_next + dh_back\ndc_next = dc_next + dc_back",
        "dh_next, dc_next",
    ),
    _carried(
        "dh_added_up",
        (
            "The carry of h is added up over the steps, where each step's result replaces the one "
            "before."
        ),
        "dh_next = dh_next + dh_back\ndc_next = dc_back",
        "dh_next, dc_next",
    ),
    _carried(
        "dc_added_up",
        (
            "The carry of c is added up over the steps, where each step's result replaces the one "
            "before."
        ),
        "dh_next = dh_back\ndc_next = dc_next + dc_back",
        "dh_next, dc_next",
    ),
    _carried(
        "carries_added_up_last_returned",
        "Both carries are added up over the steps; the last step's results are returned.",
        "dh_next = dh_next + dh_back\ndc_next = dc_next + dc_back",
    ),
    _carried(
        "zeros_returned",
        "dh0 and dc0 are zeros: what the last round of the loop gave is not returned.",
        "dh_next, dc_next = dh_back, dc_back",
        "0 * dh_back, 0 * dc_back",
    ),
    _carried(
        "carries_exchanged",
        "The two carries change places on the way to the step before.",
        "dh_next, dc_next = dc_back, dh_back",
    ),
    *(
        _through(
            f"all_{a}_and_{b}_exchanged",
            f"{_SAID.get(a, a)} and {_SAID.get(b, b)} are returned in each other's place.",
            _exchanged(_ALL_RETURN, a, b),
        )
        for n, a in enumerate(_RESULTS)
        for b in _RESULTS[n + 1 :]
    ),
    _through(
        "dh_first_as_dh0",
        "dh0 is dh[:, 0], the gradient of the first output; it must come out of the first step.",
        (_ALL_RETURN, "return dx, dh[:, 0], dc_next, dWx, dWh, db"),
    ),
    *(
        _through(
            f"{w}_replaced",
            (
                f"{w} is that of the first time step: each round of the loop replaces it, where it "
                "must be added up."
            ),
            (f"{w} = {w} + {w}_t", f"{w} = {w}_t"),
        )
        for w in ("dWx", "dWh")
    ),
    _through(
        "dx_summed",
        "dx is summed over time; one for each step is asked for.",
        (_STACK_DX, "dx = np.stack(dxs, axis=1).sum(axis=1)"),
    ),
    _through(
        "dx_reshaped",
        "dx is reshaped to (N, T, D): that mixes time steps and examples.",
        (_STACK_DX, "dx = np.array(dxs).reshape(len(dh), T, -1)"),
    ),
    _through(
        "gradients_clipped",
        "The gradients of the weights are clipped to -1 and 1.",
        (
            _ALL_RETURN,
            (
                "return dx, dh_next, dc_next, np.clip(dWx, -1, 1), np.clip(dWh, -1, 1), "
                "np.clip(db, -1, 1)"
            ),
        ),
    ),
    _through(
        "dh_one_late",
        "Each step reads the dh of the step after it.",
        (_DH_T, "dh_t = (dh[:, t + 1] if t + 1 < T else 0) + dh_next"),
    ),
    _through(
        "dh_one_early",
        "Each step reads the dh of the step before it.",
        (_DH_T, "dh_t = dh[:, t - 1] + dh_next"),
    ),
    _through("dh_twice", "dh counts twice in each step.", (_DH_T, "dh_t = 2 * dh[:, t] + dh_next")),
    _through(
        "dh_subtracted",
        "The carry of h is subtracted where it must be added.",
        (_DH_T, "dh_t = dh[:, t] - dh_next"),
    ),
    _through(
        "dh_of_all_steps",
        "Each step reads the sum of dh over all steps.",
        (_DH_T, "dh_t = dh.sum(axis=1) + dh_next"),
    ),
    _through(
        "last_dh_in_every_step",
        "Every step reads the dh of the last one.",
        (_DH_T, "dh_t = dh[:, -1] + dh_next"),
    ),
    _through(
        "last_step_left_out",
        "The loop begins at T - 2: the last step is left out.",
        (_LOOP, "dxs[T - 1] = np.zeros((len(dh), len(Wx)))\nfor t in range(T - 2, -1, -1):"),
    ),
    _through(
        "dcT_to_h",
        "dcT is added to what goes back to h where it belongs to c.",
        (_DC_START, "dc_next = np.zeros_like(dh[:, 0])\ndh_next = dh_next if dcT is None else dcT"),
    ),
    _through(
        "dcT_to_both",
        "dcT goes back to h, too, where it belongs to c only.",
        (_DC_START, f"{_DC_START}\ndh_next = dh_next if dcT is None else dcT"),
    ),
)

SLIPS: tuple[Bug, ...] = (*_STEP, *_FORWARD, *_STEP_BACKWARD, *_BACKWARD)

# The orders in which the four gates of a cache may stand, other than i f g o.
CACHE_ORDERS = tuple("".join(order) for order in permutations("ifgo") if "".join(order) != "ifgo")
