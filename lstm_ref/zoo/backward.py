"""Known wrong versions of `lstm_step_backward` and `lstm_backward`, and right ones in another gate
order.
"""

from __future__ import annotations

from itertools import permutations

from lstm_ref.zoo.registry import Bug, Change

_TABLE = "Measured in this course: training succeeds with many of these."
_COURSERA = "The four-term formulas of Coursera's sequence models course invite it."

_DO = "do = dh * tanh_c"
_DC = "dc = dc + dh * o * (1 - tanh_c**2)"
_DI = "di = dc * g"
_DF = "df = dc * c_prev"
_DG = "dg = dc * i"
_DC_PREV = "dc_prev = dc * f"
_DA_I = "da_i = di * i * (1 - i)"
_DA_F = "da_f = df * f * (1 - f)"
_DA_G = "da_g = dg * (1 - g**2)"
_DA_O = "da_o = do * o * (1 - o)"
_DA = "da = np.concatenate([da_i, da_f, da_g, da_o], axis=1)"
_DX = "dx = da @ Wx.T"
_DH_PREV = "dh_prev = da @ Wh.T"
_DWX = "dWx = x.T @ da"
_DWH = "dWh = h_prev.T @ da"
_DB = "db = da.sum(axis=0)"
_RETURN = "return dx, dh_prev, dc_prev, dWx, dWh, db"


def _order(id: str, order: str, source: str) -> Bug:
    return Bug(
        id=id,
        function="lstm_step_backward",
        title=(
            f"The blocks of your gradients stand in the order {' '.join(order)}; this task asks "
            "for i f g o."
        ),
        changes=(
            Change(
                _DA, f"da = np.concatenate([{', '.join(f'da_{gate}' for gate in order)}], axis=1)"
            ),
        ),
        symptom=(
            "dc_prev is right, all else is wrong. With a forward pass in the same order everything "
            "would fit together."
        ),
        cause="Each framework and each course has its own order of the four blocks.",
        fix="Put the blocks together in the order i, f, g, o.",
        hints=(
            "Each of your four blocks is right. Look at the line that puts them together.",
            "The columns of Wx stand in the order input gate, forget gate, candidate, output gate.",
        ),
        source=source,
        convention=True,
    )


_STEP = (
    Bug(
        id="dc_ignored",
        function="lstm_step_backward",
        title=(
            "The argument dc is not used: what comes back along the cell state from the next step "
            "is lost."
        ),
        changes=(Change(_DC, "dc = dh * o * (1 - tanh_c**2)"),),
        symptom=(
            "One step with dc = 0 passes any gradient check; over several steps the gradients are "
            "a fifth off or more."
        ),
        cause="The assignment replaces dc where it should add to it.",
        fix="Add the gradient that comes through h to the dc that is given.",
        hints=(
            "Change the argument dc: do your results change?",
            "By how many paths does c reach the loss?",
        ),
        source=_TABLE,
        silent_at_one_step=True,
    ),
    Bug(
        id="dh_not_in_dc",
        function="lstm_step_backward",
        title="The cell state gets no gradient through h: only the given dc is used.",
        changes=(Change(_DC, "dc = dc"),),
        symptom="In the last step of a sequence only the output gate learns.",
        cause="dh is taken to matter for the output gate alone.",
        fix="Add to dc what comes through h = o * tanh(c).",
        hints=(
            "Set dc to zero: are your dWx zero in three of four blocks?",
            "By how many paths does c reach the loss?",
        ),
        source=_TABLE,
    ),
    Bug(
        id="dc_twice",
        function="lstm_step_backward",
        title="The argument dc is counted twice.",
        changes=(Change(_DC, "dc = 2 * dc + dh * o * (1 - tanh_c**2)"),),
        symptom="One step with dc = 0 passes any gradient check; over many steps the gradient "
        "explodes.",
        cause="dc is added in one line and once more in another.",
        fix="Add dc once.",
        hints=("Set dc to zero: now your step is right.", "How often does dc enter the total?"),
        source=_TABLE,
        silent_at_one_step=True,
    ),
    Bug(
        id="tanh_prime_of_c",
        function="lstm_step_backward",
        title=(
            "The derivative of tanh is taken as 1 - c**2; c is what goes into the tanh, not what "
            "comes out."
        ),
        changes=(Change(_DC, "dc = dc + dh * o * (1 - c**2)"),),
        symptom=(
            "Nearly right while |c| is small, far off when it is large; memory over 20 steps is "
            "not learned."
        ),
        cause="For g the formula is 1 - g**2, because g is already the tanh.",
        fix="Use 1 - tanh(c)**2.",
        hints=(
            "Look at the line that makes the total dc.",
            "In 1 - y**2, is y the input or the output of the tanh?",
        ),
        source=_TABLE,
    ),
    Bug(
        id="no_tanh_prime",
        function="lstm_step_backward",
        title="The derivative of tanh(c) is missing between h and c.",
        changes=(Change(_DC, "dc = dc + dh * o"),),
        symptom="Nearly right while |c| is small.",
        cause="The chain rule stops one factor early.",
        fix="Multiply by 1 - tanh(c)**2.",
        hints=(
            "Look at the line that makes the total dc.",
            "h = o * tanh(c): which factors has dh/dc?",
        ),
        source=_TABLE,
    ),
    Bug(
        id="tanh_prime_sign",
        function="lstm_step_backward",
        title="The derivative of tanh is taken as 1 + tanh**2; that is the derivative of the "
        "tangent.",
        changes=(Change(_DC, "dc = dc + dh * o * (1 + tanh_c**2)"),),
        symptom="Nearly right while |c| is small.",
        cause="tan and tanh differ by a sign here.",
        fix="Use 1 - tanh(c)**2.",
        hints=(
            "Look at the line that makes the total dc.",
            "Where tanh is flat, what must its derivative be?",
        ),
    ),
    Bug(
        id="o_missing_in_dc",
        function="lstm_step_backward",
        title="The output gate is missing between h and c.",
        changes=(Change(_DC, "dc = dc + dh * (1 - tanh_c**2)"),),
        symptom="The gradient through the cell is too large, by a factor of 1/o.",
        cause="The chain rule misses a factor.",
        fix="Multiply by o.",
        hints=(
            "Look at the line that makes the total dc.",
            "h = o * tanh(c): which factors has dh/dc?",
        ),
    ),
    Bug(
        id="do_uses_c",
        function="lstm_step_backward",
        title="The gradient of the output gate is made with c where tanh(c) belongs.",
        changes=(Change(_DO, "do = dh * c"),),
        symptom=(
            "Only the block of o is off, by a few per cent while |c| is small; training does not "
            "notice."
        ),
        cause="h is remembered as o * c.",
        fix="Use tanh(c).",
        hints=(
            "Only the block of o is wrong in your gradients of the weights.",
            "h = o * tanh(c): what is dh/do?",
        ),
        source=_TABLE,
    ),
    Bug(
        id="df_uses_new_cell",
        function="lstm_step_backward",
        title=(
            "The gradient of the forget gate is made with the new cell state; the gate multiplied "
            "the old one."
        ),
        changes=(Change(_DF, "df = dc * c"),),
        symptom="Only the block of f is off; training does not notice.",
        cause="The names c and c_prev are one underscore apart.",
        fix="Use c_prev.",
        hints=(
            "Only the block of f is wrong in your gradients of the weights.",
            "What did f multiply in this step?",
        ),
        source=_TABLE,
    ),
    Bug(
        id="di_dg_swapped",
        function="lstm_step_backward",
        title=(
            "The gradients of i and g are made with the wrong partner: each factor's derivative is "
            "the other factor."
        ),
        changes=(Change(_DI, "di = dc * i"), Change(_DG, "dg = dc * g")),
        symptom="Only the blocks of i and g are off.",
        cause="The product rule is read as: multiply by the thing itself.",
        fix="di takes g, and dg takes i.",
        hints=("Only the blocks of i and g are wrong.", "c = f * c_prev + i * g: what is dc/di?"),
    ),
    Bug(
        id="sigmoid_prime_of_a",
        function="lstm_step_backward",
        title="The derivative of the sigmoid is taken as a * (1 - a) with the pre-activation a.",
        changes=(
            Change(
                _DA_I,
                "a_i, a_f, a_o = np.log(i / (1 - i)), np.log(f / (1 - f)), np.log(o / (1 - o))\n"
                "da_i = di * a_i * (1 - a_i)",
            ),
            Change(_DA_F, "da_f = df * a_f * (1 - a_f)"),
            Change(_DA_O, "da_o = do * a_o * (1 - a_o)"),
        ),
        symptom="Gradients of the wrong sign and size; training stays at chance.",
        cause="The formula s * (1 - s) is for the output of the sigmoid, not for its input.",
        fix="Use the gate: i * (1 - i).",
        hints=(
            "Only the block of g is right.",
            "In s * (1 - s), is s the input or the output of the sigmoid?",
        ),
        source=_TABLE,
    ),
    Bug(
        id="sigmoid_twice",
        function="lstm_step_backward",
        title="The sigmoid is applied to the gates once more before its derivative is taken.",
        changes=(
            Change(
                _DA_I,
                (
                    "s_i, s_f, s_o = (1 / (1 + np.exp(-gate)) for gate in (i, f, o))\nda_i = di * "
                    "s_i * (1 - s_i)"
                ),
            ),
            Change(_DA_F, "da_f = df * s_f * (1 - s_f)"),
            Change(_DA_O, "da_o = do * s_o * (1 - s_o)"),
        ),
        symptom="The blocks of i, f and o are off, most where a gate is nearly open or closed.",
        cause=(
            "A function for the derivative that expects a gets the gate, which is a sigmoid "
            "already."
        ),
        fix="Use the gate as it is: i * (1 - i).",
        hints=(
            "Only the block of g is right.",
            "Is what you put into your derivative already a sigmoid?",
        ),
    ),
    Bug(
        id="no_sigmoid_prime",
        function="lstm_step_backward",
        title="The derivative of the sigmoid is missing.",
        changes=(
            Change(_DA_I, "da_i = di"),
            Change(_DA_F, "da_f = df"),
            Change(_DA_O, "da_o = do"),
        ),
        symptom="The blocks of i, f and o are at least four times too large.",
        cause="The gradient of the gate is taken for the gradient of its pre-activation.",
        fix="Multiply by i * (1 - i), and so on.",
        hints=("Only the block of g is right.", "What lies between a gate and its pre-activation?"),
    ),
    Bug(
        id="tanh_prime_for_gates",
        function="lstm_step_backward",
        title="The gates get the derivative of tanh; they are sigmoids.",
        changes=(
            Change(_DA_I, "da_i = di * (1 - i**2)"),
            Change(_DA_F, "da_f = df * (1 - f**2)"),
            Change(_DA_O, "da_o = do * (1 - o**2)"),
        ),
        symptom="The blocks of i, f and o are at least twice too large.",
        cause="All four blocks are treated alike.",
        fix="Use i * (1 - i), and so on.",
        hints=(
            "Only the block of g is right.",
            "Which function makes a gate, and what is its derivative?",
        ),
    ),
    Bug(
        id="sigmoid_prime_for_g",
        function="lstm_step_backward",
        title="The candidate gets the derivative of the sigmoid; it is a tanh.",
        changes=(Change(_DA_G, "da_g = dg * g * (1 - g)"),),
        symptom="Only the block of g is off, and its sign is wrong where g is negative.",
        cause="All four blocks are treated alike.",
        fix="Use 1 - g**2.",
        hints=(
            "Only the block of g is wrong.",
            "Which function makes g, and what is its derivative?",
        ),
    ),
    Bug(
        id="tanh_prime_unsquared",
        function="lstm_step_backward",
        title="The derivative of tanh is taken as 1 - g; the square is missing.",
        changes=(Change(_DA_G, "da_g = dg * (1 - g)"),),
        symptom="Only the block of g is off; with small weights it is nearly right.",
        cause="The square is forgotten.",
        fix="Use 1 - g**2.",
        hints=("Only the block of g is wrong.", "What is the derivative of tanh where g = -1?"),
        source=_TABLE,
    ),
    Bug(
        id="no_tanh_prime_for_g",
        function="lstm_step_backward",
        title="The derivative of tanh is missing for the candidate.",
        changes=(Change(_DA_G, "da_g = dg"),),
        symptom="Only the block of g is off; with small weights it is nearly right.",
        cause="The gradient of g is taken for the gradient of its pre-activation.",
        fix="Multiply by 1 - g**2.",
        hints=("Only the block of g is wrong.", "What lies between g and its pre-activation?"),
    ),
    Bug(
        id="dc_through_tanh",
        function="lstm_step_backward",
        title=(
            "The dc that is given is sent through the tanh of h, too: only what comes through h "
            "passes it."
        ),
        changes=(Change(_DC, "dc = (dc + dh * o) * (1 - tanh_c**2)"),),
        symptom=(
            "One step with dc = 0 passes any gradient check; over several steps the gradients are "
            "too small."
        ),
        cause="The bracket is opened too early.",
        fix="Multiply dh * o by the derivative of tanh, and add dc afterwards.",
        hints=(
            "Set dc to zero: now your step is right.",
            "dc comes from the next step's cell state. Is there a tanh on that way?",
        ),
        silent_at_one_step=True,
    ),
    Bug(
        id="tanh_of_g_again",
        function="lstm_step_backward",
        title="The tanh is applied to the candidate once more before its derivative is taken.",
        changes=(Change(_DA_G, "da_g = dg * (1 - np.tanh(g) ** 2)"),),
        symptom="Only the block of g is off, by a few per cent while |g| is small.",
        cause="A function for the derivative that expects a gets g, which is a tanh already.",
        fix="Use g as it is: 1 - g**2.",
        hints=(
            "Only the block of g is wrong.",
            "Is what you put into your derivative already a tanh?",
        ),
    ),
    Bug(
        id="no_sigmoid_prime_for_o",
        function="lstm_step_backward",
        title="The derivative of the sigmoid is missing for the output gate.",
        changes=(Change(_DA_O, "da_o = do"),),
        symptom="Only the block of o is off: it is at least four times too large.",
        cause="The gradient of the gate is taken for the gradient of its pre-activation.",
        fix="Multiply by o * (1 - o).",
        hints=(
            "Only the block of o is wrong.",
            "What lies between o and its pre-activation?",
        ),
    ),
    Bug(
        id="dWh_uses_new_h",
        function="lstm_step_backward",
        title="dWh is made with the new hidden state; Wh multiplied the old one.",
        changes=(Change(_DWH, "dWh = (o * tanh_c).T @ da"),),
        symptom="dWh is wrong, all else is right; training does not notice.",
        cause="h and h_prev have the same shape, so nothing raises.",
        fix="Use h_prev.",
        hints=("Only dWh is wrong.", "What did Wh multiply in this step?"),
        source=_TABLE,
    ),
    Bug(
        id="db_mean",
        function="lstm_step_backward",
        title="db is the mean over the examples where the sum belongs.",
        changes=(Change(_DB, "db = da.mean(axis=0)"),),
        symptom="db is too small by the factor N; with one example it is right.",
        cause="The mean belongs into the loss, and there only.",
        fix="Sum over the examples.",
        hints=(
            "Only db is wrong, and every number by the same factor.",
            "How does b reach the loss: by how many paths?",
        ),
        source=_TABLE,
    ),
    Bug(
        id="weights_averaged",
        function="lstm_step_backward",
        title="dWx, dWh and db are divided by the number of examples.",
        changes=(
            Change(_DWX, "dWx = x.T @ da / len(x)"),
            Change(_DWH, "dWh = h_prev.T @ da / len(x)"),
            Change(_DB, "db = da.mean(axis=0)"),
        ),
        symptom="Too small by the factor N; with one example all is right.",
        cause="The mean belongs into the loss, and there only.",
        fix="Sum over the examples.",
        hints=(
            "Three results are wrong, every number by the same factor.",
            "Does the loss divide by N already?",
        ),
    ),
    Bug(
        id="dx_uses_Wh",
        function="lstm_step_backward",
        title="dx is made with Wh; x was multiplied by Wx.",
        changes=(Change(_DX, "dx = da @ Wh.T"),),
        symptom="dx has the shape of dh_prev; with D = H only the numbers show it.",
        cause="Two lines are alike but for one letter.",
        fix="Use Wx.",
        hints=("Only dx is wrong.", "By which matrix does x reach the pre-activations?"),
    ),
    Bug(
        id="dh_prev_without_g",
        function="lstm_step_backward",
        title="dh_prev leaves out the block of g: h_prev reaches the loss through all four blocks.",
        changes=(
            Change(
                _DH_PREV,
                "dh_prev = np.concatenate([da_i, da_f, 0 * da_g, da_o], axis=1) @ Wh.T",
            ),
        ),
        symptom=(
            "One step passes any gradient check of the weights; over several steps the gradients "
            "are about a tenth off."
        ),
        cause="A sum of four long terms is written out, and one is left out.",
        fix="Use all four blocks: da @ Wh.T.",
        hints=(
            "Of all the results, only dh_prev is wrong.",
            "Through how many blocks does h_prev reach the loss?",
        ),
        source=f"{_TABLE} {_COURSERA}",
        silent_at_one_step=True,
    ),
    Bug(
        id="dc_prev_without_f",
        function="lstm_step_backward",
        title="dc_prev leaves out the forget gate: c_prev was multiplied by f.",
        changes=(Change(_DC_PREV, "dc_prev = dc"),),
        symptom=(
            "One step passes any gradient check of the weights; over several steps the gradient "
            "grows too large."
        ),
        cause="The cell is remembered as the constant error carousel of 1997, where the factor "
        "is 1.",
        fix="Multiply by f.",
        hints=(
            "Of all the results, only dc_prev is wrong.",
            "What did f do to c_prev on the way forward?",
        ),
        source=f"{_TABLE} D2L and other texts state the factor 1 for a cell that has a forget "
        f"gate.",
        silent_at_one_step=True,
    ),
    Bug(
        id="dc_prev_only_carry",
        function="lstm_step_backward",
        title="dc_prev passes on only the given dc; what enters through h in this step is left "
        "out.",
        changes=(
            Change(_DC, "dc_given = dc\ndc = dc + dh * o * (1 - tanh_c**2)"),
            Change(_DC_PREV, "dc_prev = dc_given * f"),
        ),
        symptom=(
            "One step passes any gradient check of the weights; over several steps long memory "
            "gets no gradient."
        ),
        cause="The given and the total dc have different names, and the wrong one is passed on.",
        fix="Pass on the total dc, times f.",
        hints=(
            "Of all the results, only dc_prev is wrong.",
            "Which dc reaches c_prev: the given one or the total?",
        ),
        silent_at_one_step=True,
    ),
    Bug(
        id="states_returned_swapped",
        function="lstm_step_backward",
        title="dh_prev and dc_prev stand in each other's place.",
        changes=(Change(_RETURN, "return dx, dc_prev, dh_prev, dWx, dWh, db"),),
        symptom="One step passes any gradient check of the weights; over several steps all is "
        "wrong.",
        cause="The two have the same shape, so nothing raises.",
        fix="Return dx, dh_prev, dc_prev, dWx, dWh, db.",
        hints=(
            "Two of your results are wrong.",
            (
                "Look at the order in which the results of a step are returned, and in which they "
                "are unpacked."
            ),
        ),
        silent_at_one_step=True,
    ),
    _order("back_order_ifog", "ifog", "Stanford CS231n and Karpathy's gist use this order."),
    _order("back_order_iofg", "iofg", "ONNX uses this order (it calls the candidate c)."),
    _order("back_order_figo", "figo", f"The gradients of i and f exchanged. {_TABLE}"),
    _order("back_order_fgio", "fgio", "Deep Learning from Scratch 2 uses this order."),
)

_DH_T = "dh_t = dh[:, t] + dh_next"
_LOOP = "for t in reversed(range(T)):"
_CALL = "dx_t, dh_next, dc_next, dWx_t, dWh_t, db_t = lstm_step_backward(dh_t, dc_next, cache[t])"
_RESULTS = "dx_t, dh_next, dc_next, dWx_t, dWh_t, db_t"
_SEQUENCE_RETURN = "return dx, dh_next, dc_next, dWx, dWh, db"

_SEQUENCE = (
    Bug(
        id="no_dh_carry",
        function="lstm_backward",
        title=(
            "The gradient along the hidden state is not carried back: each step uses only its own "
            "dh."
        ),
        changes=(Change(_DH_T, "dh_t = dh[:, t]"),),
        symptom=(
            "One step passes any gradient check; over several steps the gradients are about a "
            "tenth off, and it trains."
        ),
        cause="dh is taken for the total gradient; it is the immediate one.",
        fix="Add what the next step sent back along h.",
        hints=(
            "Your last time step is right, the earlier ones are not.",
            "By how many paths does h_t reach the loss?",
        ),
        source=f"{_TABLE} The classic slip in Coursera's exercise.",
        silent_at_one_step=True,
    ),
    Bug(
        id="no_dc_carry",
        function="lstm_backward",
        title="The gradient along the cell state is not carried back; it is zero at every step.",
        changes=(Change(_CALL, f"{_RESULTS} = lstm_step_backward(dh_t, 0 * dc_next, cache[t])"),),
        symptom=(
            "One step passes any gradient check; over several steps the gradients are a fifth off "
            "or more."
        ),
        cause=(
            "dc_next is set to zero inside the loop where it should be set before it, or the step "
            "ignores its dc."
        ),
        fix="Give each step the dc_prev of the step after it.",
        hints=("Is dcT without effect in your function?", "What does each step get as its dc?"),
        source=_TABLE,
        silent_at_one_step=True,
    ),
    Bug(
        id="no_carry",
        function="lstm_backward",
        title="Nothing is carried from step to step: this is backpropagation truncated to one "
        "step.",
        changes=(
            Change(_DH_T, "dh_t = dh[:, t]"),
            Change(_CALL, f"{_RESULTS} = lstm_step_backward(dh_t, 0 * dc_next, cache[t])"),
        ),
        symptom="One step passes any gradient check; only what helps the very same step is "
        "learned.",
        cause="Each step is treated as a network of its own.",
        fix="Carry dh_prev and dc_prev from each step to the one before it.",
        hints=(
            "Your last time step is right when dcT is zero.",
            "What does step t get from step t+1?",
        ),
        silent_at_one_step=True,
    ),
    Bug(
        id="dcT_ignored",
        function="lstm_backward",
        title="The argument dcT is not used.",
        changes=(
            Change(
                "dc_next = np.zeros_like(dh[:, 0]) if dcT is None else dcT",
                "dc_next = np.zeros_like(dh[:, 0])",
            ),
        ),
        symptom="Right for every loss that looks at hidden states only.",
        cause="Most losses do not look at the last cell state.",
        fix="Start the gradient along the cell state from dcT.",
        hints=(
            "Right without dcT, wrong with it.",
            "What is the gradient along c before the first step backward?",
        ),
        silent_at_one_step=True,
    ),
    Bug(
        id="weights_overwritten",
        function="lstm_backward",
        title="dWx, dWh and db are overwritten in every step where they should add up.",
        changes=(
            Change("dWx = dWx + dWx_t", "dWx = dWx_t"),
            Change("dWh = dWh + dWh_t", "dWh = dWh_t"),
            Change("db = db + db_t", "db = db_t"),
        ),
        symptom=(
            "One step passes any gradient check; over several steps only the first step's share is "
            "left."
        ),
        cause="The steps share their weights; that is easy to forget.",
        fix="Add the shares of all steps.",
        hints=("dx, dh0 and dc0 are right.", "How many steps use the same Wx?"),
        source=_TABLE,
        silent_at_one_step=True,
    ),
    Bug(
        id="weights_last_step_only",
        function="lstm_backward",
        title="dWx, dWh and db hold the share of the last time step only.",
        changes=(
            Change("dWx = dWx + dWx_t", "dWx = dWx_t if t == T - 1 else dWx"),
            Change("dWh = dWh + dWh_t", "dWh = dWh_t if t == T - 1 else dWh"),
            Change("db = db + db_t", "db = db_t if t == T - 1 else db"),
        ),
        symptom="One step passes any gradient check; inputs before the last teach nothing.",
        cause="The loss at the end is taken to concern the last step alone.",
        fix="Add the shares of all steps.",
        hints=("dx, dh0 and dc0 are right.", "How many steps use the same Wx?"),
        silent_at_one_step=True,
    ),
    Bug(
        id="weights_mean_over_time",
        function="lstm_backward",
        title="dWx, dWh and db are the mean over the time steps where the sum belongs.",
        changes=(
            Change(_SEQUENCE_RETURN, "return dx, dh_next, dc_next, dWx / T, dWh / T, db / T"),
        ),
        symptom="Too small by the factor T; with one step all is right.",
        cause="A mean over time belongs into the loss, and there only.",
        fix="Add the shares of all steps.",
        hints=(
            "Three results are wrong, every number by the same factor.",
            "Does the loss divide by T already?",
        ),
        silent_at_one_step=True,
    ),
    Bug(
        id="walks_forward",
        function="lstm_backward",
        title="The loop goes forward in time; gradients come from the step after.",
        changes=(Change(_LOOP, "for t in range(T):"),),
        symptom="One step passes any gradient check; over several steps all is wrong.",
        cause="The loop of the forward pass is copied.",
        fix="Go through time from T-1 to 0.",
        hints=(
            "At which time step does your loop begin?",
            "Which step must be done before step t can be?",
        ),
        silent_at_one_step=True,
    ),
    Bug(
        id="cache_off_by_one",
        function="lstm_backward",
        title="Each step goes backward through the cache of the step before it.",
        changes=(Change(_CALL, f"{_RESULTS} = lstm_step_backward(dh_t, dc_next, cache[t - 1])"),),
        symptom="One step passes any gradient check; over several steps all is wrong.",
        cause="An index is shifted by one.",
        fix="Use cache[t] for step t.",
        hints=("With one time step all is right.", "Which cache belongs to step t?"),
        silent_at_one_step=True,
    ),
    Bug(
        id="only_last_dh",
        function="lstm_backward",
        title="Only the gradient at the last time step enters; dh of the earlier steps is not "
        "used.",
        changes=(Change(_DH_T, "dh_t = dh[:, t] if t == T - 1 else dh_next"),),
        symptom="Right for a loss that looks at the last output only.",
        cause="In classification the loss looks at the last step only, and its code is reused.",
        fix="Add dh[:, t] in every step.",
        hints=(
            "Change dh[:, 0]: do your results change?",
            "By how many paths does h_t reach the loss?",
        ),
        silent_at_one_step=True,
    ),
    Bug(
        id="cache_in_reverse",
        function="lstm_backward",
        title="The caches are taken in reverse: step t goes backward through the cache of step "
        "T-1-t.",
        changes=(
            Change(_CALL, f"{_RESULTS} = lstm_step_backward(dh_t, dc_next, cache[T - 1 - t])"),
        ),
        symptom="One step passes any gradient check; over several steps all is wrong.",
        cause="The loop is reversed, and the list of caches once more.",
        fix="Use cache[t] for step t.",
        hints=(
            "With one time step all is right.",
            "Which cache does your loop use first?",
        ),
        silent_at_one_step=True,
    ),
    Bug(
        id="dcT_in_every_step",
        function="lstm_backward",
        title=(
            "Every step gets dcT as its dc: what the next step sends back along the cell state is "
            "not carried."
        ),
        changes=(
            Change(
                _CALL,
                (
                    f"{_RESULTS} = lstm_step_backward(dh_t, 0 * dc_next if dcT is None else dcT, "
                    "cache[t])"
                ),
            ),
        ),
        symptom="One step passes any gradient check; over several steps the gradients are far off.",
        cause="The name of the argument is used inside the loop.",
        fix="Start from dcT, and then give each step the dc_prev of the step after it.",
        hints=(
            "Your last time step is right. What does the one before it get as its dc?",
            "Which names change in the loop?",
        ),
        silent_at_one_step=True,
    ),
    Bug(
        id="db_overwritten",
        function="lstm_backward",
        title="db is overwritten in every step where it should add up; dWx and dWh do.",
        changes=(Change("db = db + db_t", "db = db_t"),),
        symptom=(
            "One step passes any gradient check; over several steps only the first step's share of "
            "db is left."
        ),
        cause="One of three lines is forgotten.",
        fix="Add the shares of all steps.",
        hints=(
            "Of all the results, only db is wrong.",
            "Compare the three lines that add up the weights' gradients.",
        ),
        silent_at_one_step=True,
    ),
    Bug(
        id="stops_before_the_first",
        function="lstm_backward",
        title="The first time step is left out: the loop ends at 1.",
        changes=(
            Change(_LOOP, "for t in range(T - 1, 0, -1):"),
            Change(
                "dx = np.stack(dxs, axis=1)",
                (
                    "dx = np.stack([np.zeros_like(step[0]) if d is None else d for d, step in "
                    "zip(dxs, cache)], axis=1)"
                ),
            ),
        ),
        symptom="dx[:, 0] is zero, and h0 and c0 get the gradients of the states after the first "
        "step.",
        cause="range(T - 1, 0, -1) leaves out its end, which is 0.",
        fix="Go through time from T-1 to 0.",
        hints=(
            "What does dx[:, 0] hold?",
            "How many steps does your loop make for T = 1?",
        ),
    ),
    Bug(
        id="dx_reversed",
        function="lstm_backward",
        title="The time axis of dx runs backward.",
        changes=(Change("dxs[t] = dx_t", "dxs[T - 1 - t] = dx_t"),),
        symptom="All weights' gradients are right; dx is right in the middle only.",
        cause="dx is collected in the order of the loop, which runs from the end.",
        fix="Put the share of step t at index t.",
        hints=("Only dx is wrong.", "In which order do you collect dx?"),
        silent_at_one_step=True,
    ),
    Bug(
        id="dx_time_first",
        function="lstm_backward",
        title="The time axis of dx comes first; this task asks for (N, T, D).",
        changes=(Change("dx = np.stack(dxs, axis=1)", "dx = np.stack(dxs)"),),
        symptom="dx has its first two axes exchanged.",
        cause="np.stack puts the new axis first.",
        fix="Put the new axis second.",
        hints=(
            "Your numbers are right. Compare the shape of dx with (N, T, D).",
            "Which axis does np.stack make?",
        ),
        convention=True,
        silent_at_one_step=True,
    ),
)

BACKWARD = (*_STEP, *_SEQUENCE)

OTHER_ORDERS = tuple(
    _order(f"back_order_{order}", order, "One of the 24 orders that four blocks can have.")
    for order in map("".join, permutations("ifgo"))
    if order != "ifgo" and f"back_order_{order}" not in {bug.id for bug in BACKWARD}
)
