"""Known wrong versions of `lstm_step` and `lstm_forward`, and right ones in another gate order."""

from __future__ import annotations

from itertools import permutations

from lstm_ref.zoo.registry import Bug, Change

_PRE = "a = x @ Wx + h_prev @ Wh + b"
_SPLIT = "a_i, a_f, a_g, a_o = np.split(a, 4, axis=1)"
_GATES = "i, f, o = sigmoid(a_i), sigmoid(a_f), sigmoid(a_o)"
_G = "g = np.tanh(a_g)"
_C = "c = f * c_prev + i * g"
_H = "h = o * np.tanh(c)"
_RETURN_STEP = "return h, c, (x, h_prev, c_prev, i, f, g, o, c, Wx, Wh)"


def _order(id: str, layout: str, split: str, source: str) -> Bug:
    return Bug(
        id=id,
        function="lstm_step",
        title=(
            f"This is an LSTM with its gates {layout}; this task asks for four blocks in the order "
            "i f g o."
        ),
        changes=(Change(_SPLIT, split),),
        symptom="It trains as well as any other; weights from another program give other numbers.",
        cause=(
            "Each framework and each course has its own order of the gates, and none is more right "
            "than another."
        ),
        fix="Take the blocks of a in the order i, f, g, o, here and in the backward pass.",
        hints=(
            (
                "Your equations are right, up to the names of the gates. Which columns of Wx do "
                "you give to which gate?"
            ),
            "The columns stand in the order input gate, forget gate, candidate, output gate.",
        ),
        source=source,
        convention=True,
    )


def _blocks(order: str, source: str) -> Bug:
    split = f"{', '.join(f'a_{gate}' for gate in order)} = np.split(a, 4, axis=1)"
    return _order(f"order_{order}", f"in the order {' '.join(order)}", split, source)


_STEP = (
    Bug(
        id="no_forget_gate",
        function="lstm_step",
        title="The forget gate is missing: the old cell state is kept whole.",
        changes=(Change(_C, "c = c_prev + i * g"),),
        symptom="The cell state can only add up: its size grows with the length of the sequence.",
        cause="It is the cell of 1997, which had no forget gate.",
        fix="Multiply the old cell state by f.",
        hints=(
            "Look at the line that makes c.",
            "Which gate says how much of c_prev stays? Do you use it?",
        ),
        source=(
            "Hochreiter and Schmidhuber (1997); the gate is from Gers, Schmidhuber and Cummins "
            "(2000)."
        ),
    ),
    Bug(
        id="no_input_gate",
        function="lstm_step",
        title="The input gate is missing: the candidate is written whole.",
        changes=(Change(_C, "c = f * c_prev + g"),),
        symptom="The columns of i in Wx, Wh and b have no effect at all; their gradient is zero.",
        cause="The candidate is taken for the update itself.",
        fix="Multiply the candidate by i.",
        hints=("Look at the line that makes c.", "Change b in the block of i: does your c change?"),
    ),
    Bug(
        id="coupled_gates",
        function="lstm_step",
        title="The input gate is replaced by 1 - f: the two gates are coupled.",
        changes=(Change(_C, "c = f * c_prev + (1 - f) * g"),),
        symptom=(
            "The columns of i in Wx, Wh and b have no effect at all; |c| never exceeds 1 when it "
            "starts below 1."
        ),
        cause=(
            "It is the coupled variant (and the update of a GRU), often drawn beside the standard "
            "cell."
        ),
        fix="Use the input gate i as the factor of g.",
        hints=(
            "Look at the line that makes c.",
            "In a standard LSTM, forgetting and writing are decided separately.",
        ),
        source="Greff et al. (2017), variant CIFG.",
    ),
    Bug(
        id="forget_inverted",
        function="lstm_step",
        title="The forget gate works the wrong way round: f = 1 erases in your cell.",
        changes=(Change(_C, "c = (1 - f) * c_prev + i * g"),),
        symptom="A large forget bias makes the cell forget, where it should remember.",
        cause="The gate is called forget gate, but f = 1 means keep.",
        fix="Multiply the old cell state by f, not by 1 - f.",
        hints=(
            "Look at the line that makes c.",
            "In spite of its name, what does f = 1 do: keep or erase?",
        ),
    ),
    Bug(
        id="c_prev_ignored",
        function="lstm_step",
        title="The old cell state is not used: c is only what is written in this step.",
        changes=(Change(_C, "c = i * g"),),
        symptom="Nothing is remembered but what h carries; c0 has no effect.",
        cause="The first term of the sum is left out.",
        fix="Add f * c_prev.",
        hints=(
            "Change c_prev: does your c change?",
            "The new cell state is a sum of two products.",
        ),
    ),
    Bug(
        id="h_prev_for_c_prev",
        function="lstm_step",
        title="The forget gate keeps the old hidden state instead of the old cell state.",
        changes=(Change(_C, "c = f * h_prev + i * g"),),
        symptom="c0 has no effect, and the memory fades because o and tanh act on it in every "
        "step.",
        cause="The two states have the same shape, so nothing raises.",
        fix="Multiply f with c_prev.",
        hints=("Change c_prev: does your c change?", "Which of the two states is the memory?"),
    ),
    Bug(
        id="no_output_gate",
        function="lstm_step",
        title="The output gate is missing from h.",
        changes=(Change(_H, "h = np.tanh(c)"),),
        symptom="c is right in a single step, h is wrong; the columns of o have no effect.",
        cause="h is taken for the squashed cell state.",
        fix="Multiply tanh(c) by o.",
        hints=(
            "Your c is right. Look at the line that makes h.",
            "Which gate says how much of the cell is shown?",
        ),
    ),
    Bug(
        id="no_tanh_in_h",
        function="lstm_step",
        title="h is made from c itself; the tanh is missing.",
        changes=(Change(_H, "h = o * c"),),
        symptom="c is right in a single step; h can leave the interval from -1 to 1.",
        cause="The cell state is taken to be squashed already.",
        fix="Squash c with tanh before the output gate.",
        hints=(
            "Your c is right. Look at the line that makes h.",
            "Between which two numbers must h always lie?",
        ),
    ),
    Bug(
        id="sigmoid_in_h",
        function="lstm_step",
        title="h is made with sigmoid(c) where tanh(c) belongs.",
        changes=(Change(_H, "h = o * sigmoid(c)"),),
        symptom="c is right in a single step; h is never negative.",
        cause="All other functions in the line of the gates are sigmoids.",
        fix="Squash c with tanh.",
        hints=(
            "Your c is right. Look at the line that makes h.",
            "Can your h be negative? It should be able to.",
        ),
    ),
    Bug(
        id="h_from_old_cell",
        function="lstm_step",
        title="h shows the old cell state, not the new one.",
        changes=(Change(_H, "h = o * np.tanh(c_prev)"),),
        symptom="The output lags one step behind: h at the first step does not depend on i, f "
        "and g.",
        cause="h is computed before c, or with the wrong name.",
        fix="Compute c first, then h from it.",
        hints=(
            "Your c is right. Look at the line that makes h.",
            "Which cell state does the output gate open on?",
        ),
    ),
    Bug(
        id="tanh_on_cell",
        function="lstm_step",
        title=(
            "The tanh is applied to the cell state itself, so that the memory is squashed in every "
            "step."
        ),
        changes=(Change(_C, "c = np.tanh(f * c_prev + i * g)"), Change(_H, "h = o * c")),
        symptom="h is right after the first step and wrong afterwards; |c| never exceeds 1.",
        cause="The tanh of the output line is moved into the cell line.",
        fix="Leave c as the plain sum; squash it only on the way to h.",
        hints=(
            "Your h is right in a single step, your c is not.",
            "May the cell state be larger than 1?",
        ),
    ),
    Bug(
        id="tanh_twice",
        function="lstm_step",
        title="The cell state is squashed twice: once in c, and once more in h.",
        changes=(Change(_C, "c = np.tanh(f * c_prev + i * g)"),),
        symptom="|c| never exceeds 1; both c and h are wrong.",
        cause="Every line of a simple RNN ends in tanh, and the habit stays.",
        fix="Leave c as the plain sum.",
        hints=("Look at the line that makes c.", "May the cell state be larger than 1?"),
    ),
    Bug(
        id="sigmoid_candidate",
        function="lstm_step",
        title="The candidate g goes through a sigmoid where tanh belongs.",
        changes=(Change(_G, "g = sigmoid(a_g)"),),
        symptom="The cell can only add, never subtract: with c0 = 0 the cell state is never "
        "negative.",
        cause="All four blocks are treated alike.",
        fix="Use tanh for the block of g.",
        hints=(
            "One of the four blocks is not a gate.",
            "Can your g be negative? It should be able to.",
        ),
    ),
    Bug(
        id="tanh_gates",
        function="lstm_step",
        title="The gates i, f and o go through tanh where a sigmoid belongs.",
        changes=(Change(_GATES, "i, f, o = np.tanh(a_i), np.tanh(a_f), np.tanh(a_o)"),),
        symptom="Gates take negative values: a negative f turns the memory's sign in every step.",
        cause="All four blocks are treated alike.",
        fix="Use the sigmoid for i, f and o.",
        hints=(
            "Between which two numbers must a gate lie?",
            "Look at the functions of the three gates.",
        ),
    ),
    Bug(
        id="activations_swapped",
        function="lstm_step",
        title="Sigmoid and tanh are swapped: the gates have tanh, the candidate has sigmoid.",
        changes=(
            Change(_GATES, "i, f, o = np.tanh(a_i), np.tanh(a_f), np.tanh(a_o)"),
            Change(_G, "g = sigmoid(a_g)"),
        ),
        symptom="Gates take negative values, and the candidate never does.",
        cause="The two functions are mixed up.",
        fix="Sigmoid for i, f, o; tanh for g.",
        hints=(
            "Between which two numbers must a gate lie?",
            "And between which two must the candidate lie?",
        ),
    ),
    Bug(
        id="no_activations_on_gates",
        function="lstm_step",
        title="The gates i, f and o are used before their sigmoid.",
        changes=(Change(_GATES, "i, f, o = a_i, a_f, a_o"),),
        symptom="Gates leave the interval from 0 to 1; over a long sequence the cell state "
        "explodes.",
        cause="The pre-activation is taken for the gate.",
        fix="Put i, f and o through the sigmoid.",
        hints=("Between which two numbers must a gate lie?", "Print the largest i of your step."),
    ),
    Bug(
        id="no_bias",
        function="lstm_step",
        title="The bias b is not used.",
        changes=(Change(_PRE, "a = x @ Wx + h_prev @ Wh"),),
        symptom=(
            "All is right as long as b is zero, as it often is at the start; a forget bias has no "
            "effect."
        ),
        cause="The bias is left out of the sum, and a test with b = 0 does not see it.",
        fix="Add b to the pre-activations.",
        hints=(
            "Change each argument in turn: which one has no effect on your h?",
            "a is a sum of three terms.",
        ),
    ),
    Bug(
        id="bias_twice",
        function="lstm_step",
        title="The bias b is added twice.",
        changes=(Change(_PRE, "a = (x @ Wx + b) + (h_prev @ Wh + b)"),),
        symptom="All is right as long as b is zero; a forget bias of 1 acts as 2.",
        cause="PyTorch has two biases, one beside each product; here there is one.",
        fix="Add b once.",
        hints=(
            "Set b to zero: now your step is right. What does b do in it?",
            "How often do you add b?",
        ),
        source="pytorch/pytorch#750: a forget bias set in both biases counts twice.",
    ),
    Bug(
        id="no_recurrence",
        function="lstm_step",
        title="The old hidden state does not enter the gates.",
        changes=(Change(_PRE, "a = x @ Wx + b"),),
        symptom="Wh and h0 have no effect; a test that starts from h_prev = 0 does not see it.",
        cause="The recurrent product is left out of the sum.",
        fix="Add h_prev @ Wh to the pre-activations.",
        hints=(
            "Change each argument in turn: which ones have no effect on your h?",
            "a is a sum of three terms.",
        ),
    ),
    Bug(
        id="cell_in_gates",
        function="lstm_step",
        title="The gates look at the old cell state where they should look at the old hidden "
        "state.",
        changes=(Change(_PRE, "a = x @ Wx + c_prev @ Wh + b"),),
        symptom="h_prev has no effect; a test that starts from zero states does not see it.",
        cause="The two states have the same shape, so nothing raises.",
        fix="Multiply Wh with h_prev.",
        hints=(
            "Change each argument in turn: which one has no effect on your h?",
            "What does Wh multiply?",
        ),
    ),
    Bug(
        id="old_states_exchanged",
        function="lstm_step",
        title=(
            "The old states are in each other's place: h_prev is used as the memory, and c_prev "
            "enters the gates."
        ),
        changes=(
            Change(_PRE, "a = x @ Wx + c_prev @ Wh + b"),
            Change(_C, "c = f * h_prev + i * g"),
        ),
        symptom=(
            "Nothing is raised, because both have the same shape; with zero states a single step "
            "is right."
        ),
        cause="The two are unpacked, or handed over, in the wrong order.",
        fix="The order is h, then c.",
        hints=(
            "Which of the two states does Wh multiply, and which one does f?",
            "In which order do the two states come in, and in which do you name them?",
        ),
    ),
    Bug(
        id="new_states_exchanged",
        function="lstm_step",
        title=(
            "The new states are returned in each other's place: c came first, h was asked for "
            "first."
        ),
        changes=(Change(_RETURN_STEP, "return c, h, (x, h_prev, c_prev, i, f, g, o, c, Wx, Wh)"),),
        symptom=(
            "Nothing is raised, because both have the same shape; h can leave the interval from -1 "
            "to 1."
        ),
        cause="The cell state is made first, and returned first.",
        fix="Return h, then c.",
        hints=(
            "Print your two results: which of them lies between -1 and 1?",
            "Look at the order of the return line.",
        ),
    ),
    Bug(
        id="tanh_of_product",
        function="lstm_step",
        title="h is made as tanh(o * c): the output gate stands inside the tanh.",
        changes=(Change(_H, "h = np.tanh(o * c)"),),
        symptom="c is right in a single step; h is nearly right while |c| is small.",
        cause="The bracket is closed in the wrong place.",
        fix="Take the tanh of c first, then open the gate on it.",
        hints=(
            "Your c is right. Look at the line that makes h.",
            "Let c be very large and o a half: how large must h be?",
        ),
    ),
    Bug(
        id="forget_bias_added",
        function="lstm_step",
        title="A 1 is added in the forget gate, beside the bias that is given.",
        changes=(Change(_GATES, "i, f, o = sigmoid(a_i), sigmoid(a_f + 1), sigmoid(a_o)"),),
        symptom=(
            "The cell remembers more than the weights say; weights from another program give other "
            "numbers."
        ),
        cause=(
            "A forget bias of 1 belongs into the first value of b; some programs add it in every "
            "step."
        ),
        fix="Use b as it is given.",
        hints=(
            "Your i, g and o are right. Print your f, and compare it with the formula.",
            "What stands in your pre-activations that is not in the sum of the three terms?",
        ),
        source="TensorFlow 1, BasicLSTMCell: forget_bias=1.0 is added in the cell.",
    ),
    Bug(
        id="hard_sigmoid",
        function="lstm_step",
        title="The gates go through the hard sigmoid, which is made of straight lines.",
        changes=(
            Change(
                _GATES, "i, f, o = (np.clip(0.2 * gate + 0.5, 0, 1) for gate in (a_i, a_f, a_o))"
            ),
        ),
        symptom="Nearly right; gates are shut or open entirely, and then they have no gradient.",
        cause="Keras took it for the gates by default for years; old weights and texts still do.",
        fix="Use the sigmoid.",
        hints=(
            "Plot one of your gates over its pre-activation: is it smooth?",
            "The gates need the function that the text defines.",
        ),
        source="Keras before 2.3: recurrent_activation='hard_sigmoid'.",
    ),
    Bug(
        id="blocks_by_reshape",
        function="lstm_step",
        title=(
            "The four blocks are cut out by reshape, which mixes the examples: they stand side by "
            "side in the columns."
        ),
        changes=(Change(_SPLIT, "a_i, a_f, a_g, a_o = a.reshape(4, len(a), -1)"),),
        symptom="With one example all is right, with more nothing is.",
        cause="reshape gives the wanted shape; it fills it row by row.",
        fix="Cut the columns: each block is H of them.",
        hints=(
            "With N = 1 your step is right, and with N = 2 it is not. What mixes two examples?",
            "Print a for N = 2 and H = 1, and the four blocks that you make of it.",
        ),
    ),
    _blocks("ifog", "Stanford CS231n and Karpathy's gist use this order."),
    _blocks("iofg", "ONNX uses this order (it calls the candidate c)."),
    _blocks(
        "figo",
        "The order in which many texts introduce the gates: forget, input, candidate, output.",
    ),
    _blocks("fgio", "Deep Learning from Scratch 2 uses this order."),
    _order(
        "order_interleaved",
        "interleaved, all four of one unit side by side",
        "a_i, a_f, a_g, a_o = (a[:, k::4] for k in range(4))",
        "Chainer interleaves the gates in this way (in its own order).",
    ),
)

_CALL = "h, c, step = lstm_step(x[:, t], h, c, Wx, Wh, b)"
_LOOP = "for t in range(T):"
_STACK = "h_all = np.stack(hs, axis=1)"
_START = "h, c = h0, c0"
_APPEND = "hs.append(h)"
_RETURN = "return h_all, (h, c), cache"

_SEQUENCE = (
    Bug(
        id="zero_start",
        function="lstm_forward",
        title="The sequence starts from zeros; h0 and c0 are not used.",
        changes=(Change(_START, "h, c = np.zeros_like(h0), np.zeros_like(c0)"),),
        symptom=(
            "Right as long as both states start at zero; a long text fed in pieces loses its "
            "memory at each piece."
        ),
        cause="Most examples start from zeros.",
        fix="Start from h0 and c0.",
        hints=(
            "Change each argument in turn: which ones have no effect?",
            "What are h and c before the first step?",
        ),
    ),
    Bug(
        id="h0_ignored",
        function="lstm_forward",
        title="The hidden state starts from zeros; h0 is not used.",
        changes=(Change(_START, "h, c = np.zeros_like(h0), c0"),),
        symptom="Right as long as h0 is zero.",
        cause="Most examples start from zeros.",
        fix="Start from h0.",
        hints=(
            "Change each argument in turn: which one has no effect?",
            "What is h before the first step?",
        ),
    ),
    Bug(
        id="c0_ignored",
        function="lstm_forward",
        title="The cell state starts from zeros; c0 is not used.",
        changes=(Change(_START, "h, c = h0, np.zeros_like(c0)"),),
        symptom="Right as long as c0 is zero.",
        cause="Only the hidden state is taken for the state.",
        fix="Start from c0.",
        hints=(
            "Change each argument in turn: which one has no effect?",
            "What is c before the first step?",
        ),
    ),
    Bug(
        id="state_not_carried",
        function="lstm_forward",
        title="Every step starts again from h0 and c0; no state is carried from step to step.",
        changes=(Change(_CALL, "h, c, step = lstm_step(x[:, t], h0, c0, Wx, Wh, b)"),),
        symptom="The first step is right. The output at t does not depend on the inputs before t.",
        cause="The names of the initial state are used inside the loop.",
        fix="Give each step the state that the step before returned.",
        hints=(
            "Your first time step is right. What does the second one start from?",
            "Which names change in the loop?",
        ),
    ),
    Bug(
        id="h_not_carried",
        function="lstm_forward",
        title="Every step gets h0 as its old hidden state; only the cell state is carried.",
        changes=(Change(_CALL, "h, c, step = lstm_step(x[:, t], h0, c, Wx, Wh, b)"),),
        symptom="The first step is right. The gates never see what the cell showed before.",
        cause="The name of the initial state is used inside the loop.",
        fix="Give each step the h that the step before returned.",
        hints=(
            "Your first time step is right. What does the second one start from?",
            "Look at h in the loop.",
        ),
    ),
    Bug(
        id="c_not_carried",
        function="lstm_forward",
        title="Every step gets c0 as its old cell state; only the hidden state is carried.",
        changes=(Change(_CALL, "h, c, step = lstm_step(x[:, t], h, c0, Wx, Wh, b)"),),
        symptom="The first step is right. Long memory is lost.",
        cause="The name of the initial state is used inside the loop.",
        fix="Give each step the c that the step before returned.",
        hints=(
            "Your first time step is right. What does the second one start from?",
            "Look at c in the loop.",
        ),
    ),
    Bug(
        id="time_reversed",
        function="lstm_forward",
        title="The sequence is read from its end to its start.",
        changes=(Change(_LOOP, "for t in reversed(range(T)):"),),
        symptom="Wrong at every step, and right for one step.",
        cause="The loop of the backward pass is copied.",
        fix="Go through time from 0 to T-1.",
        hints=("Which input does your first step read?", "Look at the order of the loop."),
    ),
    Bug(
        id="reads_right_to_left",
        function="lstm_forward",
        title=(
            "The sequence is read from its end to its start, as in the backward direction of a "
            "bidirectional LSTM."
        ),
        changes=(
            Change(_LOOP, "for t in reversed(range(T)):"),
            Change(_STACK, "h_all = np.stack(hs[::-1], axis=1)"),
        ),
        symptom=(
            "Wrong at every step, and right for one step; the output at t depends on inputs after "
            "t."
        ),
        cause="The loop of the backward pass is copied.",
        fix="Go through time from 0 to T-1.",
        hints=(
            "Which input does your first step read?",
            "May the output at t depend on an input after t?",
        ),
    ),
    Bug(
        id="first_input_repeated",
        function="lstm_forward",
        title="Every step reads the first input again.",
        changes=(Change(_CALL, "h, c, step = lstm_step(x[:, 0], h, c, Wx, Wh, b)"),),
        symptom="The first step is right. Inputs after the first have no effect.",
        cause="The index of time is a constant.",
        fix="Give step t the input x[:, t].",
        hints=(
            "Your first time step is right. What does the second one read?",
            "Look at the index of x.",
        ),
    ),
    Bug(
        id="cell_as_output",
        function="lstm_forward",
        title="The first result holds the cell states where the hidden states belong.",
        changes=(Change(_APPEND, "hs.append(c)"),),
        symptom="The last states are right. The outputs can leave the interval from -1 to 1.",
        cause="The two states have the same shape, so nothing raises.",
        fix="Collect h.",
        hints=(
            "Your last states are right. What do you collect in the loop?",
            "Which of the two is the output?",
        ),
        source="pytorch/examples#167: an official example once fed the cell state to the next "
        "layer.",
    ),
    Bug(
        id="output_late",
        function="lstm_forward",
        title="The outputs are one step late: the state before each step is collected.",
        changes=(
            Change(_APPEND, ""),
            Change(_CALL, "hs.append(h)\nh, c, step = lstm_step(x[:, t], h, c, Wx, Wh, b)"),
        ),
        symptom="The last states are right; h[:, 0] is h0.",
        cause="The state is collected at the start of the loop's body.",
        fix="Collect h after the step.",
        hints=(
            "Your last states are right. Compare h[:, -1] with hT.",
            "When in the loop do you collect h?",
        ),
    ),
    Bug(
        id="output_overwritten",
        function="lstm_forward",
        title="Every time step of h holds the last hidden state.",
        changes=(Change(_STACK, "h_all = np.stack([h] * T, axis=1)"),),
        symptom="The last states are right, and so is the last step of h.",
        cause=(
            "The same array is collected T times and written into in each step, so that all T "
            "entries are one array."
        ),
        fix="Collect a new array in every step.",
        hints=(
            "Compare h[:, 0] with h[:, -1].",
            "Is what you collect at one step changed in the next?",
        ),
    ),
    Bug(
        id="states_swapped",
        function="lstm_forward",
        title="The last states are in the wrong order: (cT, hT) came, (hT, cT) was asked for.",
        changes=(Change(_RETURN, "return h_all, (c, h), cache"),),
        symptom="h is right, hT and cT are exchanged.",
        cause="The two states have the same shape, so nothing raises.",
        fix="Return the pair as (h, c).",
        hints=("Your h is right. Compare h[:, -1] with hT.", "Look at the pair that you return."),
    ),
    Bug(
        id="zero_state_each_step",
        function="lstm_forward",
        title="Every step starts from zeros: no state is carried, and h0 and c0 are not used.",
        changes=(
            Change(
                _CALL,
                "h, c, step = lstm_step(x[:, t], np.zeros_like(h), np.zeros_like(c), Wx, Wh, b)",
            ),
        ),
        symptom="The output at t depends on the input at t only.",
        cause="The states are set to zero inside the loop, where they should be set before it.",
        fix="Set the states before the loop, and carry them through it.",
        hints=(
            "Change x[:, 0]: do the later outputs change?",
            "Where are your h and c set: before the loop or in it?",
        ),
    ),
    Bug(
        id="first_step_skipped",
        function="lstm_forward",
        title="The first time step is left out: the loop begins at 1.",
        changes=(
            Change(_LOOP, "for t in range(1, T):"),
            Change(_STACK, "h_all = np.stack([np.zeros_like(h0), *hs], axis=1)"),
        ),
        symptom="h[:, 0] is zero, and all that follows is off.",
        cause="The state at 0 is taken for the first output.",
        fix="Time steps are counted from 0 to T-1.",
        hints=(
            "What does h[:, 0] hold?",
            "How many steps does your loop make for T = 1?",
        ),
    ),
    Bug(
        id="last_step_skipped",
        function="lstm_forward",
        title="The last time step is left out: the loop ends too early.",
        changes=(
            Change(_LOOP, "for t in range(T - 1):"),
            Change(_STACK, "h_all = np.stack([*hs, np.zeros_like(h0)], axis=1)"),
        ),
        symptom="All steps are right but the last, which is zero; so are the last states wrong.",
        cause="range leaves out its end already, and 1 is subtracted once more.",
        fix="Time steps are counted from 0 to T-1.",
        hints=(
            "All steps but the last are right.",
            "How many steps does your loop make for T = 1?",
        ),
    ),
    Bug(
        id="initial_states_returned",
        function="lstm_forward",
        title="The states that are returned are h0 and c0; the last ones were asked for.",
        changes=(Change(_RETURN, "return h_all, (h0, c0), cache"),),
        symptom="h is right; a long text fed in pieces loses its memory at each piece.",
        cause="The loop has names of its own for the states, and the arguments are returned.",
        fix="Return the states after the last step.",
        hints=(
            "Your h is right. Compare h[:, -1] with hT.",
            "Which names change in the loop, and which do you return?",
        ),
    ),
    Bug(
        id="time_first",
        function="lstm_forward",
        title="The time axis of h comes first; this task asks for (N, T, H).",
        changes=(Change(_STACK, "h_all = np.stack(hs)"),),
        symptom="The last states are right; h has its first two axes exchanged.",
        cause="np.stack puts the new axis first, and PyTorch's layer has time first by default.",
        fix="Put the new axis second.",
        hints=(
            "Your numbers are right. Compare the shape of h with (N, T, H).",
            "Which axis does np.stack make?",
        ),
        source="torch.nn.LSTM without batch_first=True.",
        convention=True,
    ),
)

FORWARD = (*_STEP, *_SEQUENCE)

# The orders that no program is known for. A student may still choose one; no entry of the zoo tells
# a story of them.
OTHER_ORDERS = tuple(
    _blocks(order, "One of the 24 orders that four blocks can have.")
    for order in map("".join, permutations("ifgo"))
    if order != "ifgo" and f"order_{order}" not in {bug.id for bug in FORWARD}
)
