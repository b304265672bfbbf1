"""Known mistakes in PyTorch code around an LSTM: gradients cut off, padding read, losses averaged
wrongly, steps out of order.
"""

from __future__ import annotations

from lstm_ref.zoo.registry import Bug, Change


def _bug(
    id: str,
    function: str,
    title: str,
    changes: tuple[Change, ...],
    symptom: str,
    cause: str,
    fix: str,
    hints: tuple[str, ...],
    source: str = "Constructed for this course.",
) -> Bug:
    return Bug(id, function, title, changes, symptom, cause, fix, hints, source, framework="torch")


# --- lstm_cell: what autograd sees
# ---------------------------------------------------------------------------------------

_STATE = "h_prev, c_prev = state"
_A = "a = x @ Wx + h_prev @ Wh + b"
_GATES = "i, f, o = torch.sigmoid(a_i), torch.sigmoid(a_f), torch.sigmoid(a_o)"
_G = "g = torch.tanh(a_g)"
_H = "h = o * torch.tanh(c)"
_LOSES = (
    "The loss falls more slowly, or not as far, and nothing is raised: the numbers of the forward "
    "pass are right."
)
_WHERE = (
    "Search your function for .detach(), .data, .numpy(), .item(), torch.tensor(...) and "
    "torch.no_grad()."
)

_CELL = (
    _bug(
        "state_detached",
        "lstm_cell",
        "The old state is cut off inside the cell: no gradient goes back to the step before.",
        (Change(_STATE, "h_prev, c_prev = (s.detach() for s in state)"),),
        (
            "Trains, but as if every sequence had one step: nothing is learned about what lies "
            "further back."
        ),
        "Truncation, which belongs between two segments, is done in every step.",
        "Leave the state in the graph here; cut it where a segment ends.",
        (
            "The gradients of h_prev and c_prev are zero. What happens to state in your function?",
            f"{_WHERE} A cell never needs them.",
        ),
        "pytorch/examples, word_language_model: repackage_hidden cuts once for each segment.",
    ),
    _bug(
        "h_prev_detached",
        "lstm_cell",
        (
            "The old hidden state is cut off inside the cell; only the cell state carries a "
            "gradient back."
        ),
        (Change(_A, "a = x @ Wx + h_prev.detach() @ Wh + b"),),
        _LOSES,
        (
            "It was done by the original LSTM of 1997, which truncates exactly there, and by code "
            "that copies it."
        ),
        "Use h_prev as it comes.",
        ("The gradient of h_prev is zero. Where in your function is h_prev used?", _WHERE),
        "Hochreiter and Schmidhuber (1997), truncated backpropagation.",
    ),
    _bug(
        "c_prev_detached",
        "lstm_cell",
        "The old cell state is cut off inside the cell: the long memory gets no gradient.",
        (Change("c = f * c_prev + i * g", "c = f * c_prev.detach() + i * g"),),
        _LOSES,
        "Only the product with the gate is thought to need a gradient.",
        "Use c_prev as it comes.",
        ("The gradient of c_prev is zero. Where in your function is c_prev used?", _WHERE),
    ),
    _bug(
        "x_rewrapped",
        "lstm_cell",
        (
            "The input is copied into a new tensor, which hangs on nothing: no gradient goes back "
            "to x."
        ),
        (Change(_A, "a = x.clone().detach() @ Wx + h_prev @ Wh + b"),),
        "An embedding, or a layer below, never learns.",
        "torch.tensor(x) and torch.as_tensor(x.numpy()) make a new tensor without a past.",
        "Use x as it comes: it is a tensor already.",
        ("The gradient of x is zero. Is x turned into a tensor once more?", _WHERE),
    ),
    _bug(
        "weights_detached",
        "lstm_cell",
        "The weights are used through .data: they get no gradient and never learn.",
        (Change(_A, "a = x @ Wx.data + h_prev @ Wh.data + b"),),
        "The weights of the cell keep their first values, while all around them learns.",
        ".data is taken for the way to get at the numbers of a parameter.",
        "Use Wx and Wh as they come.",
        ("The gradients of Wx and Wh are zero. In which form do you use them?", _WHERE),
        "The migration guide of PyTorch 0.4.0, on .data.",
    ),
    _bug(
        "weights_rewrapped",
        "lstm_cell",
        (
            "Weights and bias are copied into new tensors, which hang on nothing: they get no "
            "gradient and never learn."
        ),
        (Change(_A, "a = x @ Wx.detach() + h_prev @ Wh.detach() + b.detach()"),),
        "The weights of the cell keep their first values, while all around them learns.",
        (
            "nn.Parameter(Wx) in the cell, or a layer made anew in each step, makes parameters of "
            "its own."
        ),
        "Use Wx, Wh and b as they come; make parameters once, outside of the cell.",
        (
            (
                "The gradients of Wx, Wh and b are zero. Is something made of them before they are "
                "used?"
            ),
            _WHERE,
        ),
    ),
    _bug(
        "gates_detached",
        "lstm_cell",
        "The gates are cut off from the graph: only the candidate g sends a gradient back.",
        (Change(_GATES, "i, f, o = (torch.sigmoid(gate).detach() for gate in (a_i, a_f, a_o))"),),
        _LOSES,
        "A sigmoid of one's own is computed in NumPy and turned into a tensor again.",
        "Use torch.sigmoid.",
        ("In the columns of i, f and o the gradients are zero. What makes your gates?", _WHERE),
    ),
    _bug(
        "candidate_detached",
        "lstm_cell",
        "The candidate g is cut off from the graph: only the gates send a gradient back.",
        (Change(_G, "g = torch.tanh(a_g).detach()"),),
        _LOSES,
        "It is computed in NumPy, or under torch.no_grad().",
        "Use torch.tanh.",
        ("In the columns of g the gradients are zero. What makes your g?", _WHERE),
    ),
    _bug(
        "cell_detached_in_h",
        "lstm_cell",
        "The new cell state is cut off where h is made: dh reaches the output gate only.",
        (Change(_H, "h = o * torch.tanh(c.detach())"),),
        _LOSES,
        "It is done to look at c, or computed with np.tanh, and forgotten.",
        "Use c as it is.",
        (
            "What dh sends back is missing from everything but o. Look at the line that makes h.",
            _WHERE,
        ),
    ),
)

# --- to_torch
# --------------------------------------------------------------------------------------------------

_WI, _WH = "weight_ih = Wx.T", "weight_hh = Wh.T"
_BI, _BH = "bias_ih = b", "bias_hh = torch.zeros_like(b)"


def _gates_moved(id: str, who: str, order: str, source: str) -> Bug:
    moved = "torch.cat([{0}.chunk(4, dim=-1)[k] for k in " + order + "], dim=-1)"
    return _bug(
        id,
        "to_torch",
        f"The gates are put into the order {who}; PyTorch has i f g o, as here.",
        (
            Change(_WI, f"weight_ih = {moved.format('Wx')}.T"),
            Change(_WH, f"weight_hh = {moved.format('Wh')}.T"),
            Change(_BI, f"bias_ih = {moved.format('b')}"),
        ),
        (
            "nn.LSTM gives other numbers than the model that the weights come from, and nothing is "
            "raised."
        ),
        (
            "Each framework has an order of its own, and tables of them are copied with their "
            "mistakes."
        ),
        "Leave the blocks where they are.",
        (
            "Not all blocks are wrong. Which are, and what do they have in common?",
            "Read in the documentation of nn.LSTM in which order weight_ih_l0 holds its gates.",
        ),
        source,
    )


_TO_TORCH = (
    _bug(
        "not_transposed",
        "to_torch",
        "The weights are not transposed: PyTorch keeps them as (4H, D) and (4H, H).",
        (Change(_WI, "weight_ih = Wx"), Change(_WH, "weight_hh = Wh")),
        "load_state_dict raises, unless a matrix is square: then other numbers come out.",
        "Our x @ Wx is PyTorch's x @ weight_ih.T.",
        "Transpose both matrices.",
        (
            "Compare the shapes of your results with those of nn.LSTM(D, H).",
            "PyTorch multiplies by weight_ih.T: what must weight_ih be, so that this is Wx?",
        ),
        "torch.nn.LSTM, documentation of weight_ih_l[k].",
    ),
    _bug(
        "reshaped_not_transposed",
        "to_torch",
        (
            "The weights have the right shape and the wrong place: reshape (or view) was used "
            "where a transpose is needed."
        ),
        (
            Change(_WI, "weight_ih = Wx.reshape(-1, len(Wx))"),
            Change(_WH, "weight_hh = Wh.reshape(-1, len(Wh))"),
        ),
        (
            "No error, and other numbers: reshape keeps the numbers in their order and only draws "
            "the lines elsewhere."
        ),
        "The error message about shapes goes away.",
        "Exchange the axes with .T instead.",
        (
            (
                "The shapes are right. Take Wx = [[1, 2, 3, 4], [5, 6, 7, 8]] and look at where "
                "each number goes."
            ),
            "reshape fills a new shape row by row. What exchanges rows and columns?",
        ),
    ),
    _bug(
        "bias_in_both",
        "to_torch",
        "The bias counts twice: PyTorch adds bias_ih and bias_hh, and both are b.",
        (Change(_BH, "bias_hh = b"),),
        "All gates are shifted by b; a forget bias of 1 acts as 2.",
        "PyTorch has two biases where most equations have one.",
        "Share b out so that the sum of the two is b.",
        (
            "The weights are right. What does nn.LSTM do with its two biases?",
            "It adds them up. What is the sum of yours?",
        ),
        "pytorch/pytorch#750.",
    ),
    _bug(
        "matrices_exchanged",
        "to_torch",
        "The two matrices are exchanged: ih is from input to hidden, hh from hidden to hidden.",
        (Change(_WI, "weight_ih = Wh.T"), Change(_WH, "weight_hh = Wx.T")),
        "load_state_dict raises, unless D = H: then other numbers come out.",
        "The two letters are read as hidden and input.",
        "Wx belongs to weight_ih, Wh to weight_hh.",
        (
            "Which matrix meets x, and which one h_prev?",
            "The i in ih stands for input. Which of ours meets the input?",
        ),
    ),
    _gates_moved(
        "moved_to_ifog",
        "i f o g of CS231n and Karpathy",
        "(0, 1, 3, 2)",
        "CS231n, assignment 3; Karpathy's gist.",
    ),
    _gates_moved(
        "moved_to_figo", "f i g o of many texts", "(1, 0, 2, 3)", "Constructed for this course."
    ),
    _bug(
        "bias_lost",
        "to_torch",
        "The bias is lost: both of PyTorch's biases are zero.",
        (Change(_BI, "bias_ih = torch.zeros_like(b)"),),
        "All is right as long as b is zero, as it often is at the start.",
        "PyTorch's two biases are taken for something of its own.",
        "Share b out so that the sum of the two is b.",
        (
            "The weights are right. Where does b go?",
            "nn.LSTM adds up its two biases. What is the sum of yours?",
        ),
    ),
    _gates_moved("moved_to_iofg", "i o f g of ONNX", "(0, 3, 1, 2)", "ONNX, operator LSTM."),
)

# --- last_hidden
# --------------------------------------------------------------------------------------------------

_EXAMPLES, _LAST, _TAKE = (
    "examples = torch.arange(len(lengths))",
    "last = lengths - 1",
    "return output[examples, last]",
)


def _take(
    id: str,
    title: str,
    line: str,
    symptom: str,
    cause: str,
    fix: str,
    hints: tuple[str, ...],
    source: str = "",
) -> Bug:
    return _bug(
        id,
        "last_hidden",
        title,
        (Change(_TAKE, line),),
        symptom,
        cause,
        fix,
        hints,
        source or "Constructed for this course.",
    )


_LAST_HIDDEN = (
    _take(
        "last_of_padding",
        (
            "It takes the last column of the batch, which is padding for every sequence that is "
            "shorter."
        ),
        "return output[:, -1]",
        "Long sequences are classified well, short ones badly.",
        "output[:, -1] is right as long as all sequences have the same length.",
        "Take step lengths[n] - 1 of example n.",
        (
            "Which examples are wrong: the long ones or the short ones?",
            "At which time step has example n read its last word?",
        ),
        "discuss.pytorch.org, thread 114814.",
    ),
    _bug(
        "one_too_late",
        "last_hidden",
        "It takes the step after the last: time steps are counted from 0, lengths from 1.",
        (Change(_LAST, "last = lengths"),),
        "Reads one step of padding; raises for a sequence that fills the whole batch.",
        "A length is taken for an index.",
        "Subtract 1.",
        (
            "Take a sequence of length 1. Which index has its only step?",
            "Which index has the last of n things, counted from 0?",
        ),
    ),
    _bug(
        "one_too_early",
        "last_hidden",
        "It takes the step before the last.",
        (Change(_LAST, "last = lengths - 2"),),
        "The last word is never read; a sequence of length 1 takes the end of the padding.",
        "1 is subtracted in two places.",
        "Subtract 1 once.",
        (
            "Take a sequence of length 1. Which index has its only step?",
            "Which index has the last of n things, counted from 0?",
        ),
    ),
    _take(
        "axes_exchanged",
        (
            "It indexes time first and examples second; this output has the examples first "
            "(batch_first)."
        ),
        "return output[last, examples]",
        "Raises, or gives states of other examples.",
        (
            "nn.LSTM has time first unless batch_first=True is given, and code is copied from one "
            "to the other."
        ),
        "The first index is the example, the second the time step.",
        (
            "Which of the three axes of output is time?",
            "The shape is (N, T, H). What does your first index run over, N or T?",
        ),
        "pytorch/pytorch#33215.",
    ),
    _take(
        "longest_for_all",
        "It takes the last step of the longest sequence for all of them.",
        "return output[:, lengths.max() - 1]",
        "The longest sequences are classified well, all others badly.",
        "The padding is cut off at the longest sequence, and the rest of it forgotten.",
        "Take another step for each example.",
        (
            "Which examples are right?",
            "Each example needs a time step of its own: the index must hold N numbers.",
        ),
    ),
    _take(
        "every_pair",
        "It takes every length from every example: (N, N, H) in place of (N, H).",
        "return output[:, last]",
        "An axis too many, which a later broadcast may hide.",
        "A colon and a list of indices give all combinations; two lists go in step.",
        "Give the first axis a list of indices, too.",
        (
            "What does output[:, [0, 2]] give for each example?",
            (
                "Two lists of indices of the same length go in step. Which list do you need for "
                "the first axis?"
            ),
        ),
    ),
    _take(
        "first_length_for_all",
        "It takes the length of the first sequence for all of them.",
        "return output[:, lengths[0] - 1]",
        "The first sequence of a batch is classified well, and those of the same length.",
        "It was tried with one example.",
        "Take another step for each example.",
        (
            "Which examples are right?",
            "Each example needs a time step of its own: the index must hold N numbers.",
        ),
    ),
    _take(
        "counted_from_the_end",
        "It counts the length from the end of the batch, where the padding is.",
        "return output[examples, -lengths]",
        "Right for sequences that fill half of the batch, and no others.",
        "The padding is taken to stand in front.",
        "The first step of each sequence is step 0 of the batch.",
        (
            "Take a sequence of length 1. Which index has its only step?",
            "At which end of the time axis does the padding stand?",
        ),
    ),
    _take(
        "sorted_by_length",
        "The examples come out sorted by length; their own order was asked for.",
        "lengths, order = lengths.sort(descending=True)\nreturn output[order, lengths - 1]",
        (
            "Each state belongs to another example's label; the loss hardly falls, and nothing is "
            "raised."
        ),
        "To pack a batch, PyTorch once wanted it sorted, and the order is not restored.",
        "Leave the order, or put it back.",
        (
            "Each of your rows is a right one. To which example does it belong?",
            "Does the order of your rows depend on the lengths?",
        ),
        "torch.nn.utils.rnn.pack_padded_sequence, enforce_sorted.",
    ),
    _take(
        "largest_over_time",
        "It takes the largest value over all steps, padding included, and not the last state.",
        "return output.max(dim=1).values",
        (
            "Another model: it may work as well, and its weights do not fit one that reads the "
            "last state."
        ),
        "Max pooling is a usual choice, too.",
        "Take the state at the last true step.",
        (
            "From how many different time steps do the numbers of one of your rows come?",
            "No maximum is asked for: one step of each.",
        ),
    ),
    _take(
        "mean_over_padding",
        "It takes the mean over all steps, padding included, and not the last state.",
        "return output.mean(dim=1)",
        "Works a little, and worse the more padding there is.",
        "A mean needs no lengths.",
        "Take the state at the last true step.",
        (
            "How many numbers of output does one of your results depend on?",
            "No mean is asked for: one step of each.",
        ),
    ),
    _take(
        "mean_over_steps",
        "It takes the mean over the true steps; the last of them was asked for.",
        "return torch.stack([output[n, : lengths[n]].mean(dim=0) for n in examples])",
        (
            "Another model: it may work as well, and its weights do not fit one that reads the "
            "last state."
        ),
        "Mean pooling is a usual choice, too.",
        "Take the state at the last true step.",
        (
            "How many numbers of output does one of your results depend on?",
            "No mean is asked for: one step of each.",
        ),
    ),
    _take(
        "first_of_all",
        (
            "It takes the first step, counted from the left; that is the last one of a reversed "
            "direction only."
        ),
        "return output[:, 0]",
        "The state has seen one word.",
        "The reverse half of a bidirectional LSTM has its last state there.",
        "Take step lengths[n] - 1 of example n.",
        (
            "How many words has the state that you take seen?",
            "At which time step has example n read its last word?",
        ),
        "discuss.pytorch.org, thread 49825.",
    ),
)

# --- sequence_loss
# --------------------------------------------------------------------------------------------------

_LOGP = "log_p = torch.log_softmax(logits, dim=2)"
_PICK = "losses = -log_p.gather(2, targets[:, :, None])[:, :, 0]"
_TOTAL = "total = (losses * mask).sum()"
_MEAN = "return total / mask.sum()"
_COUNT = (
    "Take a batch in which every loss is 1. What should the mean be, however much padding there is?"
)


def _loss(
    id: str,
    title: str,
    change: tuple[Change, ...],
    symptom: str,
    cause: str,
    fix: str,
    hints: tuple[str, ...],
    source: str = "Constructed for this course.",
) -> Bug:
    return _bug(id, "sequence_loss", title, change, symptom, cause, fix, hints, source)


_SEQUENCE_LOSS = (
    _loss(
        "softmax_twice",
        "The softmax is taken twice: cross-entropy takes logits and does its own.",
        (Change(_LOGP, "log_p = torch.log_softmax(logits.softmax(dim=2), dim=2)"),),
        "Learning is slow, and the loss cannot fall below about log(1 + (C - 1)/e).",
        "The network is thought to give probabilities to the loss.",
        "Give cross_entropy the logits themselves.",
        (
            "Make one logit very large and right. Does your loss go to 0?",
            (
                "What does cross_entropy do with what it is given? Read its first sentence in the "
                "documentation."
            ),
        ),
        "UvA Deep Learning tutorials, guide 3.",
    ),
    _loss(
        "no_log",
        "The logarithm is missing: probabilities are summed where their logarithms belong.",
        (Change(_LOGP, "log_p = logits.softmax(dim=2)"),),
        "The loss is negative, and lies between -1 and 0.",
        "nll_loss, which takes log-probabilities, is given probabilities.",
        "Use log_softmax, or cross_entropy on the logits.",
        (
            "Can your loss be positive? Should it?",
            "What does nll_loss expect: probabilities or their logarithms?",
        ),
        "UvA Deep Learning tutorials, guide 3.",
    ),
    _loss(
        "no_softmax",
        "The softmax is missing: the logits themselves are taken for logarithms of probabilities.",
        (Change(_LOGP, "log_p = logits"),),
        "The loss is of any sign, and falls without an end.",
        "nll_loss, which takes log-probabilities, is given logits.",
        "Use log_softmax before it, or cross_entropy on the logits.",
        (
            "Add 100 to all logits: a softmax would not notice. Does your loss change?",
            "What does nll_loss expect: logits or logarithms of probabilities?",
        ),
        "The documentation of torch.nn.NLLLoss.",
    ),
    _loss(
        "no_minus",
        "The minus is missing: what is returned grows as the model gets better.",
        (Change(_PICK, _PICK.replace("-log_p", "log_p")),),
        "The loss falls, and the predictions get worse.",
        "A log-likelihood is to be large, a loss to be small.",
        "Take minus the logarithm.",
        (
            "Can your loss be positive? Should it?",
            "Make one logit very large and right. Does your loss rise or fall?",
        ),
    ),
    _loss(
        "logits_masked",
        "The logits of padding are set to zero, and still count: equal logits have a loss, too.",
        (
            Change(_LOGP, "log_p = torch.log_softmax(logits * mask[:, :, None], dim=2)"),
            Change(_TOTAL, "total = losses.sum()"),
            Change(_MEAN, "return total / losses.numel()"),
        ),
        "The loss never goes to zero, and depends on how much padding a batch happens to have.",
        "A zero is taken for nothing, as it is after the loss.",
        "Apply the mask to the losses, and divide by the number of true tokens.",
        ("What is the loss of a token whose logits are all equal?", _COUNT),
    ),
    _loss(
        "softmax_over_time",
        (
            "The softmax runs over time: the classes are on the last axis, and each time step must "
            "sum to 1 over them."
        ),
        (Change(_LOGP, "log_p = torch.log_softmax(logits, dim=1)"),),
        "Predictions of one step depend on the others; the loss falls, and means nothing.",
        "dim=1 is right for logits of shape (N, C), and is copied.",
        "Take the softmax over the last axis.",
        (
            "Change the logits of one time step only. Do the losses of other steps change?",
            "Over which axis must probabilities sum to 1? Which number has it?",
        ),
        "UvA Deep Learning tutorials, guide 3.",
    ),
    _loss(
        "classes_by_reshape",
        (
            "The classes are brought to another axis by reshape (or view), which mixes numbers of "
            "different steps."
        ),
        (
            Change(
                _LOGP,
                (
                    "log_p = logits.reshape(len(logits), logits.shape[2], "
                    "-1).log_softmax(1).transpose(1, 2)"
                ),
            ),
        ),
        "The loss stays near the logarithm of the number of classes.",
        "cross_entropy wants (N, C, T), and reshape makes the error message go away.",
        "Exchange the axes with transpose, or flatten logits and targets both to N*T rows.",
        (
            "Is logits.reshape(N, C, T)[n, c, t] the same number as logits[n, t, c]?",
            "Which function exchanges two axes without moving a number to another place?",
        ),
        "The documentation of torch.nn.CrossEntropyLoss, shapes.",
    ),
    _loss(
        "mask_ignored",
        "Padding counts: the mask is not used.",
        (Change(_TOTAL, "total = losses.sum()"), Change(_MEAN, "return total / losses.numel()")),
        "The model learns to predict padding, and its loss looks good.",
        "cross_entropy takes its mean over all that it is given.",
        "Leave out what the mask rules out, in the sum and in the count.",
        ("Change the logits of a padded position. Does your loss change?", _COUNT),
        "The documentation of torch.nn.CrossEntropyLoss, ignore_index.",
    ),
    _loss(
        "padding_in_the_count",
        "The padding is left out of the sum but not out of the count: the loss is too small.",
        (Change(_MEAN, "return total / losses.numel()"),),
        "The loss, and with it the step, depends on how much padding a batch happens to have.",
        ".mean() after a product with the mask counts the zeros, too.",
        "Divide by the number of true tokens.",
        ("By which number do you divide?", _COUNT),
        "The documentation of torch.nn.CrossEntropyLoss, ignore_index.",
    ),
    _loss(
        "mean_of_means",
        (
            "Each sequence has its own mean, and then these are averaged: a token of a short "
            "sequence weighs more."
        ),
        (
            Change(_TOTAL, "each = (losses * mask).sum(1) / mask.sum(1)"),
            Change(_MEAN, "return each.mean()"),
        ),
        "Another loss; numbers of two programs do not agree, and perplexities cannot be compared.",
        "It is the mean in two steps, which is the same only where all lengths are equal.",
        "Add up all losses, then divide once.",
        (
            (
                "Two sequences, of 1 and of 9 tokens: how much does the single token weigh in your "
                "mean?"
            ),
            "Every true token must have the same weight.",
        ),
    ),
    _loss(
        "mean_per_example",
        "The sum is divided by the number of sequences, not of tokens.",
        (Change(_MEAN, "return total / len(losses)"),),
        "The loss, and with it the step, grows with the length of the sequences.",
        "batchmean of other losses divides by the first axis.",
        "Divide by the number of true tokens.",
        ("By which number do you divide?", _COUNT),
    ),
    _loss(
        "sum_not_mean",
        "It is the sum over the true tokens; the mean was asked for.",
        (Change(_MEAN, "return total"),),
        "The step grows with the size of the batch.",
        "The last step is left out.",
        "Divide by the number of true tokens.",
        ("Give the batch twice, one under the other. What should happen to a mean?", _COUNT),
    ),
    _loss(
        "mask_inverted",
        "The mask is read the wrong way round: it is the padding that counts.",
        (
            Change(_TOTAL, "total = (losses * ~mask).sum()"),
            Change(_MEAN, "return total / (~mask).sum()"),
        ),
        "The loss falls, and the model learns nothing about the true tokens.",
        "Some functions take a mask of what is to be ignored.",
        "True means a true token here.",
        (
            "Change the logits of a padded position. Does your loss change?",
            "Which value has a true token in this mask?",
        ),
        "torch.nn.Transformer's key_padding_mask has the other meaning.",
    ),
)

# --- train_step
# --------------------------------------------------------------------------------------------------

_ZERO, _LOSS = "optimizer.zero_grad()", "loss = F.cross_entropy(model(x), y)"
_CLIP = "nn.utils.clip_grad_norm_(model.parameters(), max_norm)"
_STEP, _RETURN = "optimizer.step()", "return loss.item()"
_NORM = "the norm is that of all gradients together, as if they were one long vector"


def _step(
    id: str,
    title: str,
    changes: tuple[Change, ...],
    symptom: str,
    cause: str,
    fix: str,
    hints: tuple[str, ...],
    source: str = "Constructed for this course.",
) -> Bug:
    return _bug(id, "train_step", title, changes, symptom, cause, fix, hints, source)


_TRAIN_STEP = (
    _step(
        "no_zero_grad",
        "The gradients are never set to zero: each step adds those of all steps before.",
        (Change(_ZERO, ""),),
        "Training becomes unsteady and then diverges; a smaller learning rate seems to help.",
        "backward() adds to .grad; that is useful elsewhere, and easily forgotten here.",
        "Call optimizer.zero_grad() once in each step, before backward().",
        (
            "The first step is right. What is left over from it in the second?",
            (
                "What does backward() do with a .grad that is there already? And is zero_grad() "
                "called, with its brackets?"
            ),
        ),
        "UvA Deep Learning tutorials, guide 3.",
    ),
    _step(
        "parameters_never_change",
        (
            "The parameters stay as they were: step() is not called, or finds no gradients "
            "(erased, not yet made, or a copy's)."
        ),
        (Change(_STEP, ""),),
        "The loss does not fall at all.",
        "A line is lost when the five are put into order.",
        "First zero_grad, then backward, then clip, then step.",
        (
            "Print a parameter before and after. Then print its .grad just before step().",
            (
                "What stands between backward() and step(), and what does it do to .grad? Has "
                "every call its brackets?"
            ),
        ),
    ),
    _step(
        "clipping_without_effect",
        (
            "The gradients are not clipped when the step is made: clipping is missing, or before "
            "backward(), or after step()."
        ),
        (Change(_CLIP, ""),),
        "NaN or jumps in the loss, although the code seems to clip.",
        (
            "Clipping changes .grad in place; it must find the new gradients, and step() must find "
            "the clipped ones."
        ),
        "Clip between backward() and step().",
        (
            "Print the norm of the gradients just before step(). Is it ever above max_norm?",
            "When are the gradients there, and when are they used? Clipping belongs in between.",
        ),
        "UvA Deep Learning tutorials, guide 3.",
    ),
    _step(
        "clip_by_value",
        "Each number of the gradients is clipped on its own; the norm of all was asked for.",
        (Change(_CLIP, "nn.utils.clip_grad_value_(model.parameters(), max_norm)"),),
        "The step no longer points along the gradient.",
        "The two functions have almost the same name.",
        "Clip by the norm.",
        (
            "After clipping, is your gradient still parallel to the one before?",
            "PyTorch has two functions for clipping. Which one keeps the direction?",
        ),
        "Pascanu, Mikolov and Bengio (2013) clip the norm.",
    ),
    _step(
        "clip_each_parameter",
        "Each parameter is clipped on its own; the norm is that of all gradients together.",
        (
            Change(
                _CLIP,
                (
                    "for parameter in model.parameters():\n    "
                    "nn.utils.clip_grad_norm_([parameter], max_norm)"
                ),
            ),
        ),
        "The step no longer points along the gradient, and its norm may exceed max_norm.",
        "A loop over the parameters looks natural.",
        "Give all parameters to one call.",
        (
            "Is the norm of all your gradients together at most max_norm?",
            f"One call is enough: {_NORM}.",
        ),
        "Pascanu, Mikolov and Bengio (2013) clip the norm of the whole gradient.",
    ),
    _step(
        "always_rescaled",
        (
            "The gradient is always brought to the norm max_norm; one that is shorter must stay as "
            "it is."
        ),
        (
            Change(
                _CLIP,
                "norm = nn.utils.clip_grad_norm_(model.parameters(), float('inf'))\n"
                "for parameter in model.parameters():\n    parameter.grad.mul_(max_norm / norm)",
            ),
        ),
        "Near the minimum the steps do not become smaller: the loss jumps about.",
        "The condition of clipping is left out.",
        "Scale only where the norm is above max_norm.",
        (
            "Take a max_norm of a million. Should it change anything?",
            "What is to be done where the norm is below max_norm already?",
        ),
    ),
    _step(
        "clip_by_largest",
        (
            "The largest number of the gradient is taken for its norm; the length of the whole "
            "vector was meant."
        ),
        (
            Change(
                _CLIP,
                "nn.utils.clip_grad_norm_(model.parameters(), max_norm, norm_type=float('inf'))",
            ),
        ),
        "The steps are longer than they may be.",
        "norm_type is set to what another task needs.",
        "Take the norm that PyTorch takes by default: the root of the sum of squares.",
        (
            (
                "Print the root of the sum of squares of all gradients just before step(). Is it "
                "ever above max_norm?"
            ),
            "Of which norm is max_norm the largest value?",
        ),
    ),
    _step(
        "momentum_lost",
        (
            "The parameters are changed by lr times the gradient, and the optimizer's memory is "
            "not used: it has momentum."
        ),
        (
            Change(
                _STEP,
                "for group in optimizer.param_groups:\n    for parameter in group['params']:\n"
                "        parameter.data.sub_(group['lr'] * parameter.grad)",
            ),
        ),
        "Training is slower than it should be; another optimizer changes nothing.",
        "The step is written by hand, or the optimizer is made anew in each step.",
        "Let the optimizer that is given make its step.",
        (
            (
                "The first step is right, the second is not. What does the optimizer remember from "
                "the first?"
            ),
            "Who changes your parameters: you, or the optimizer that you were given?",
        ),
    ),
    _step(
        "two_steps",
        "The optimizer makes its step twice for one gradient.",
        (Change(_STEP, "optimizer.step()\noptimizer.step()"),),
        "Training is as with a larger learning rate, and unsteady.",
        "A line is copied.",
        "Call step() once.",
        (
            "How far do your parameters move in the first step, in units of lr times the gradient?",
            "How often is step() called for each backward()?",
        ),
    ),
    _step(
        "loss_clipped",
        (
            "The loss is clipped, not the gradient: above max_norm it is constant, and its "
            "gradient is zero."
        ),
        (
            Change(_LOSS, "loss = F.cross_entropy(model(x), y).clamp(max=max_norm)"),
            Change(_CLIP, ""),
        ),
        "Nothing is learned from just those batches from which most is to be learned.",
        "A large loss is taken for what has to be tamed.",
        "Clip the gradients, after backward().",
        (
            "What is the gradient of a loss that has been cut off?",
            "It is the step that must not be too long, not the loss.",
        ),
        "Karpathy, A Recipe for Training Neural Networks (2019).",
    ),
    _step(
        "loss_summed",
        (
            "The loss is the sum over the batch; the mean was asked for, which is what "
            "cross_entropy gives."
        ),
        (Change(_LOSS, "loss = F.cross_entropy(model(x), y, reduction='sum')"),),
        "The step grows with the size of the batch, where it is not clipped.",
        "A sum is easier to write.",
        "Take the mean.",
        (
            "Give the batch twice, one under the other. What should happen to a mean?",
            "By which number must your loss be divided?",
        ),
    ),
    _step(
        "softmax_before_loss",
        "The softmax is taken twice: cross_entropy takes logits and does its own.",
        (Change(_LOSS, "loss = F.cross_entropy(model(x).softmax(dim=1), y)"),),
        "Learning is slow, and the loss does not go to zero.",
        "The network is thought to give probabilities to the loss.",
        "Give cross_entropy what the model gives.",
        (
            "What does your loss become when the model is certain and right?",
            "What does cross_entropy do with what it is given?",
        ),
        "UvA Deep Learning tutorials, guide 3.",
    ),
    _step(
        "loss_after_step",
        (
            "The loss that is returned is computed once more, after the step; that before the step "
            "was asked for."
        ),
        (Change(_RETURN, "return F.cross_entropy(model(x), y).item()"),),
        "The curve looks better than it is, and each step takes half as long again.",
        "The loss of the new parameters is of interest, too.",
        "Return the loss that backward() started from.",
        (
            "The parameters are right. Which loss do you return: before the step or after it?",
            "The loss is there already when the step is made.",
        ),
    ),
)

# --- run_chunks
# --------------------------------------------------------------------------------------------------

_CUT = "state = (h.detach(), c.detach())"
_BACK = "loss.backward()"
_KEEP = Change(_BACK, "loss.backward(retain_graph=True)")
_SQUARES = "loss = ((output - target[:, start : start + k]) ** 2)"
_CALL = "output, state = layer(x[:, start : start + k], state)"


def _chunks(
    id: str,
    title: str,
    changes: tuple[Change, ...],
    symptom: str,
    cause: str,
    fix: str,
    hints: tuple[str, ...],
    source: str = "Constructed for this course.",
) -> Bug:
    return _bug(id, "run_chunks", title, changes, symptom, cause, fix, hints, source)


_RUN_CHUNKS = (
    _chunks(
        "not_detached",
        (
            "The state is not cut off between chunks: every backward pass goes back to the very "
            "beginning."
        ),
        (_KEEP, Change(_CUT, "state = (h, c)")),
        "Each round takes longer and more memory than the one before.",
        "retain_graph=True silences the error about a second backward pass.",
        "Carry the numbers of the state and not its past: detach h and c after each chunk.",
        (
            (
                "The losses are right and the gradients too large. How far back does the second "
                "chunk's backward() go?"
            ),
            "What has to be done to the state, so that it keeps its numbers and forgets its past?",
        ),
        "pytorch/examples, word_language_model: repackage_hidden.",
    ),
    _chunks(
        "c_not_detached",
        "Only h is cut off between chunks; c still carries the gradient back.",
        (_KEEP, Change(_CUT, "state = (h.detach(), c)")),
        "As without any cut: time and memory grow.",
        "The LSTM's state is two tensors, and one is forgotten.",
        "Detach both.",
        (
            (
                "The losses are right. By which way does a gradient still get from one chunk to "
                "the one before?"
            ),
            "An LSTM's state has two parts. What do you do with each?",
        ),
        "pytorch/examples, word_language_model: repackage_hidden.",
    ),
    _chunks(
        "h_not_detached",
        "Only c is cut off between chunks; h still carries the gradient back.",
        (_KEEP, Change(_CUT, "state = (h, c.detach())")),
        "As without any cut: time and memory grow.",
        "The LSTM's state is two tensors, and one is forgotten.",
        "Detach both.",
        (
            (
                "The losses are right. By which way does a gradient still get from one chunk to "
                "the one before?"
            ),
            "An LSTM's state has two parts. What do you do with each?",
        ),
        "pytorch/examples, word_language_model: repackage_hidden.",
    ),
    _chunks(
        "state_reset",
        "Each chunk starts from a state of zeros: nothing is remembered over the boundary.",
        (Change(_CALL, f"{_CALL.removesuffix('state)')}state if start == 0 else None)"),),
        "Nothing that lies further back than k steps can be used at all, not even forward.",
        (
            "Without a state nn.LSTM starts from zeros; or the state is zeroed to get rid of the "
            "error about a second backward pass."
        ),
        "Carry the state, cut off, into the next chunk.",
        (
            (
                "The loss of the first chunk is right, that of the second is not. What does it "
                "start from?"
            ),
            "To forget the past of a state is not to forget its numbers.",
        ),
    ),
    _chunks(
        "state_never_passed",
        "The layer is called without a state: each chunk starts from zeros, the first one, too.",
        (Change(_CALL, _CALL.replace(", state)", ")")),),
        "Nothing that lies further back than k steps can be used at all, not even forward.",
        "Without a state nn.LSTM starts from zeros, and raises nothing.",
        (
            "Give the layer the state: at first the one that you are given, then the one that it "
            "returned."
        ),
        (
            "The loss of the first chunk is wrong already. What does it start from?",
            "How many arguments does your layer get?",
        ),
    ),
    _chunks(
        "c_reset",
        "Only h is carried on; the cell state starts from zeros in each chunk.",
        (Change(_CUT, "state = (h.detach(), torch.zeros_like(c))"),),
        "The long memory ends with each chunk.",
        "Only the hidden state is taken for the state.",
        "Carry both on, cut off.",
        (
            (
                "The loss of the first chunk is right, that of the second is not. What does it "
                "start from?"
            ),
            "An LSTM's state has two parts. What do you do with each?",
        ),
    ),
    _chunks(
        "half_squares",
        "The loss has a factor of one half, which the text has not.",
        (Change(f"{_SQUARES}.sum()", f"{_SQUARES}.sum() / 2"),),
        "Losses and gradients are half as large: a smaller step.",
        "One half makes the derivative shorter.",
        "Take the plain sum of squares.",
        ("Compare with the formula of the text.", "By which number is your loss too small?"),
    ),
    _chunks(
        "start_state_for_all",
        "Each chunk starts from the first state: the new one is not carried on.",
        (Change(_CALL, "output, (h, c) = layer(x[:, start : start + k], "
                       "state)"), Change("h, c = state", ""), Change(_CUT, "")),
        "Nothing that lies further back than k steps can be used at all, not even forward.",
        "The second thing that the layer returns is thrown away.",
        "Carry the state, cut off, into the next chunk.",
        (
            (
                "The loss of the first chunk is right, that of the second is not. What does it "
                "start from?"
            ),
            "What does the layer return beside its output, and where does it go?",
        ),
    ),
    _chunks(
        "cut_at_every_step",
        "The state is cut off after every single step: no gradient goes further back than one.",
        (
            Change(
                _CALL,
                "outputs = []\n"
                "for t in range(start, min(start + k, x.shape[1])):\n"
                "    output, (h, c) = layer(x[:, t : t + 1], state)\n"
                "    state = (h.detach(), c.detach())\n"
                "    outputs.append(output)\n"
                "output = torch.cat(outputs, dim=1)",
            ),
        ),
        "Only what two neighbouring steps have in common is learned.",
        "To be safe, it is cut everywhere.",
        "Cut at the end of a chunk only.",
        (
            "The losses are right. How far back does a gradient go within a chunk?",
            "At how many places of a chunk of k steps must the state be cut?",
        ),
        "fastbook, chapter 12.",
    ),
    _chunks(
        "only_the_last_chunk",
        (
            "Only the last chunk's gradient is there: the earlier ones are set to zero, or no "
            "backward() is called for them."
        ),
        (Change(_BACK, "layer.zero_grad()\nloss.backward()"),),
        "Most of the data teaches nothing.",
        "zero_grad() is put into the inner loop, but no step is made there.",
        (
            "Here the gradients of all chunks add up; call backward() for each and zero_grad() for "
            "none."
        ),
        (
            "The losses are right. Take T = 2k: is your gradient the sum of two?",
            "For which chunks is backward() called, and what happens to .grad in between?",
        ),
    ),
    _chunks(
        "last_chunk_dropped",
        "The steps at the end that do not fill a chunk are left out.",
        (Change("for start in range(0, x.shape[1], k):", "for start in range(0, x.shape[1] // k "
                                                         "* k, k):"),),
        "The end of every sequence is never seen.",
        "T // k chunks are counted.",
        "The last chunk may be shorter.",
        (
            "How many losses do you return for T = 7 and k = 3?",
            "How many chunks does it take to cover all T steps?",
        ),
    ),
    _chunks(
        "chunk_mean",
        (
            "The loss of a chunk is the mean; the sum was asked for, so that a short chunk weighs "
            "less."
        ),
        (Change(f"{_SQUARES}.sum()", f"{_SQUARES}.mean()"),),
        "A last, short chunk weighs as much as a long one.",
        "The mean is what losses usually give.",
        "Take the sum.",
        ("Compare with the formula of the text: sum or "
         "mean?", "By which number is your loss too small?"),
    ),
    _chunks(
        "states_exchanged",
        "h and c are exchanged when the state is carried on.",
        (Change(_CUT, "state = (c.detach(), h.detach())"),),
        (
            "The first chunk is right, all others are not; nothing is raised, because both have "
            "the same shape."
        ),
        "Both are called hidden state somewhere.",
        "The order is (h, c), going in and coming out.",
        (
            (
                "The loss of the first chunk is right, that of the second is not. What does it "
                "start from?"
            ),
            "In which order does nn.LSTM return its two states, and in which does it take them?",
        ),
    ),
)  # fmt: skip

PYTORCH: tuple[Bug, ...] = (
    *_CELL,
    *_TO_TORCH,
    *_LAST_HIDDEN,
    *_SEQUENCE_LOSS,
    *_TRAIN_STEP,
    *_RUN_CHUNKS,
)
