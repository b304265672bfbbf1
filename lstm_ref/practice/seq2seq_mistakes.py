"""Known wrong versions of the functions of the problem set seq2seq."""

from __future__ import annotations

from lstm_ref.practice.mistakes import Mistake
from lstm_ref.zoo.registry import Change

_PRODUCTS, _SCALED = "products = q @ k.swapaxes(1, 2)", "return products / np.sqrt(q.shape[2])"
_ONES = "Take q and k of ones, with H = 4: which score must come out?"

DOT = (
    Mistake(
        "no_scale",
        "dot_scores",
        "The products are not scaled; this task asks for a division by the root of H.",
        (Change(_SCALED, "return products"),),
        (_ONES, "What stands under the product in the formula of the task?"),
        convention=True,
    ),
    Mistake(
        "scaled_by_H",
        "dot_scores",
        "The products are divided by H and not by its root.",
        (Change(_SCALED, "return products / q.shape[2]"),),
        (_ONES, "Which power of H stands in the formula?"),
    ),
    Mistake(
        "scaled_by_T",
        "dot_scores",
        "The scale is made from the number of keys, and not from their size.",
        (Change(_SCALED, "return products / np.sqrt(k.shape[1])"),),
        (_ONES, "Double the number of keys: must the score of the first one change?"),
    ),
    Mistake(
        "scale_multiplied",
        "dot_scores",
        "The products are multiplied by the root of H; they must be divided by it.",
        (Change(_SCALED, "return products * np.sqrt(q.shape[2])"),),
        (_ONES, "The scale is there to make large products smaller."),
    ),
    Mistake(
        "cosine",
        "dot_scores",
        "The products are divided by the norms of both vectors: these are cosines.",
        (
            Change(
                _SCALED,
                "of_q, of_k = np.linalg.norm(q, axis=2), np.linalg.norm(k, axis=2)\n"
                "return products / (of_q[:, :, None] * of_k[:, None])",
            ),
        ),
        ("Double q: must the scores double?", _ONES),
    ),
    Mistake(
        "scores_transposed",
        "dot_scores",
        "The axis of the keys comes before that of the queries; this task asks for (N, S, T).",
        (Change(_SCALED, "return products.swapaxes(1, 2) / np.sqrt(q.shape[2])"),),
        (
            "Compare the shape of your scores with the one asked for.",
            "A row belongs to a word that is written, a column to a word that is read.",
        ),
        convention=True,
    ),
    Mistake(
        "keys_of_the_first",
        "dot_scores",
        "Every example is compared with the keys of the first one.",
        (Change(_PRODUCTS, "products = q @ k[0].T"),),
        (
            "With one example your scores are right.",
            "Which keys may a query of the second example see?",
        ),
    ),
    Mistake(
        "mean_of_products",
        "dot_scores",
        "The mean of the products is scaled, and not their sum.",
        (Change(_PRODUCTS, "products = (q @ k.swapaxes(1, 2)) / q.shape[2]"),),
        (_ONES, "A dot product adds up; it takes no mean."),
    ),
)

_FROM_Q, _FROM_K = "from_q = (q @ Wq)[:, :, None]", "from_k = (k @ Wk)[:, None, :]"
_BOTH, _TIMES_V = "both = np.tanh(from_q + from_k)", "return both @ v"
_SMALL = "Work out one score by hand, for N = S = T = H = 1 and A = 2."

ADDITIVE = (
    Mistake(
        "no_tanh",
        "additive_scores",
        "The tanh is missing.",
        (Change(_BOTH, "both = from_q + from_k"),),
        (
            "Make Wq a hundred times larger: how large can a score become?",
            "What stands between the sum and v?",
        ),
    ),
    Mistake(
        "tanh_of_each",
        "additive_scores",
        "The tanh is taken of each part, and then they are added; first the sum, then the tanh.",
        (Change(_BOTH, "both = np.tanh(from_q) + np.tanh(from_k)"),),
        ("With k = 0 your scores are right.", "How many tanh does the formula have?"),
    ),
    Mistake(
        "tanh_after_v",
        "additive_scores",
        "The tanh comes after the product with v; it belongs before it.",
        (Change(_BOTH, "both = from_q + from_k"), Change(_TIMES_V, "return np.tanh(both @ v)")),
        ("Double v: must the scores double?", _SMALL),
    ),
    Mistake(
        "sigmoid_for_tanh",
        "additive_scores",
        "A sigmoid stands in place of the tanh.",
        (Change(_BOTH, "both = 1 / (1 + np.exp(-from_q - from_k))"),),
        ("With q = k = 0, which score must come out?", _SMALL),
    ),
    Mistake(
        "relu_for_tanh",
        "additive_scores",
        "A ReLU stands in place of the tanh.",
        (Change(_BOTH, "both = np.maximum(from_q + from_k, 0)"),),
        ("Double q and k: must the scores double?", _SMALL),
    ),
    Mistake(
        "product_in_tanh",
        "additive_scores",
        "The two parts are multiplied; this attention adds them.",
        (Change(_BOTH, "both = np.tanh(from_q * from_k)"),),
        ("With q = 0, do your scores still tell the keys apart? They must.", _SMALL),
    ),
    Mistake(
        "queries_left_out",
        "additive_scores",
        "The queries have no effect: every word that is written looks at the same places.",
        (Change(_BOTH, "both = np.tanh(0 * from_q + from_k)"),),
        ("Change q: do your scores change?", "Which argument does your function not use?"),
    ),
    Mistake(
        "keys_left_out",
        "additive_scores",
        "The keys have no effect: every place that is read gets the same score.",
        (Change(_BOTH, "both = np.tanh(from_q + 0 * from_k)"),),
        ("Change k: do your scores change?", "Which argument does your function not use?"),
    ),
    Mistake(
        "v_left_out",
        "additive_scores",
        "v has no effect: the numbers of the small network are only added up.",
        (Change(_TIMES_V, "return both.sum(axis=3)"),),
        ("Change v: do your scores change?", "Which argument does your function not use?"),
    ),
    Mistake(
        "additive_scaled",
        "additive_scores",
        "The scores are divided by a root; only the dot product has a scale.",
        (Change(_TIMES_V, "return both @ v / np.sqrt(len(v))"),),
        ("By which factor are your scores off?", _SMALL),
    ),
    Mistake(
        "one_place_each",
        "additive_scores",
        "All keys are summed before the tanh: no place has a score of its own.",
        (
            Change(
                _FROM_K, "from_k = (k @ Wk).sum(axis=1)[:, None, None] + 0 * (k @ Wk)[:, None, :]"
            ),
        ),
        ("Are the scores in a row of yours all equal?", "With one key, T = 1, they are right."),
    ),
)

_KEPT = "kept = np.where(mask[:, None, :], e, -np.inf)"
_LARGEST, _SAFE = (
    "largest = kept.max(axis=2, keepdims=True)",
    "largest = np.where(np.isfinite(largest), largest, 0)",
)
_SHARES, _TOTAL = "shares = np.exp(kept - largest)", "total = shares.sum(axis=2, keepdims=True)"
_WEIGHTS, _MEAN = "w = shares / np.where(total > 0, total, 1)", "z = w @ values"
_ROW = "Add up the weights of one written word, w[n, s]: what comes out?"


def _softmax_over(axes: str) -> tuple[Change, ...]:
    return (
        Change(_LARGEST, f"largest = kept.max(axis={axes}, keepdims=True)"),
        Change(_TOTAL, f"total = shares.sum(axis={axes}, keepdims=True)"),
    )


ATTEND = (
    Mistake(
        "softmax_over_batch",
        "attend",
        "The softmax runs over the examples: the examples of a batch share the weight.",
        _softmax_over("0"),
        (_ROW, "Ask for an example alone and in a batch: must its weights change?"),
    ),
    Mistake(
        "softmax_over_written",
        "attend",
        "The softmax runs over the written words: the words share each place.",
        _softmax_over("1"),
        (_ROW, "Which of the three axes is that of the places which are looked at?"),
    ),
    Mistake(
        "softmax_over_all",
        "attend",
        "The softmax runs over the whole table of an example.",
        _softmax_over("(1, 2)"),
        (_ROW, "Each written word has weights of its own, which add up to 1."),
    ),
    Mistake(
        "mask_after_softmax",
        "attend",
        "The mask comes after the softmax, and the weights that are left do not add up to 1.",
        (
            Change(_KEPT, "kept = e"),
            Change(_WEIGHTS, "w = mask[:, None, :] * shares / total"),
        ),
        (_ROW, "Who got the share that the padding had before you took it away?"),
    ),
    Mistake(
        "mask_inverted",
        "attend",
        "The mask is inverted: only the padding gets weight.",
        (Change(_KEPT, "kept = np.where(mask[:, None, :], -np.inf, e)"),),
        ("Which places of yours have the weight 0?", "What does True mean in this mask?"),
    ),
    Mistake(
        "mask_ignored",
        "attend",
        "The mask has no effect: padding gets weight.",
        (Change(_KEPT, "kept = e"),),
        ("With a mask of True only, all is right.", "Which weight does padding get?"),
    ),
    Mistake(
        "masked_score_zero",
        "attend",
        "The score of padding is set to 0, and a score of 0 gets weight.",
        (Change(_KEPT, "kept = np.where(mask[:, None, :], e, 0.0)"),),
        (
            "With a mask of True only, all is right.",
            "Which score gives the weight 0? exp(0) is 1.",
        ),
    ),
    Mistake(
        "nan_where_nothing_is",
        "attend",
        "Where an example has no place to look at, 0 is divided by 0: NaN comes out.",
        (Change(_SAFE, ""), Change(_WEIGHTS, "w = shares / total")),
        (
            "Print what you divide by, for the example whose mask has no True.",
            "What is -inf minus -inf? The task says what comes out in place of it.",
        ),
    ),
    Mistake(
        "even_where_nothing_is",
        "attend",
        "Where an example has no place to look at, the padding shares the weight evenly.",
        (Change(_KEPT, "kept = np.where(mask[:, None, :], e, -1e9)"),),
        (
            "Only the example whose mask has no True is wrong.",
            "If all scores of a row are equal, however small, what does a softmax give?",
        ),
    ),
    Mistake(
        "overflow",
        "attend",
        "exp of a large score overflows; take the largest score away first.",
        (Change(_LARGEST, "largest = np.zeros((*e.shape[:2], 1))"),),
        (
            "What is exp(1000) in float64?",
            "The weights stay the same when the same number is taken from all scores of a row.",
        ),
    ),
    Mistake(
        "largest_of_all",
        "attend",
        "The largest score of the whole batch is taken away, and other rows underflow.",
        (Change(_LARGEST, "largest = kept.max(keepdims=True)"),),
        (
            "What is exp(-1000) in float64?",
            "Each row has a largest score of its own.",
        ),
    ),
    Mistake(
        "not_divided",
        "attend",
        "The weights are not divided by their sum.",
        (Change(_WEIGHTS, "w = shares"),),
        (_ROW, "A softmax has a sum below its line."),
    ),
    Mistake(
        "plain_shares",
        "attend",
        "The scores themselves are divided by their sum; the exp is missing.",
        (
            Change(_SHARES, "shares = np.where(mask[:, None, :], e, 0.0)"),
            Change(_WEIGHTS, "w = shares / np.where(total == 0, 1, total)"),
        ),
        ("Can a weight of yours be negative?", "A softmax has an exp."),
    ),
    Mistake(
        "z_mean",
        "attend",
        "z is divided by the number of places once more; the weights add up to 1 already.",
        (Change(_MEAN, "z = w @ values / mask.shape[1]"),),
        ("w is right. Let all values be 1: what must z be?", "By which factor is z off?"),
    ),
    Mistake(
        "z_hard",
        "attend",
        "z is the value of the place with the largest weight; the weighted mean is asked for.",
        (
            Change(
                _MEAN,
                "z = np.take_along_axis(values, w.argmax(axis=2)[:, :, None], axis=1)\n"
                "z = z * (w.sum(axis=2, keepdims=True) > 0)",
            ),
        ),
        (
            "w is right. Where one weight is 1, z is right, too.",
            "Two places have the weight 0.5 each: what must z be?",
        ),
    ),
    Mistake(
        "z_without_weights",
        "attend",
        "z is the plain mean of the values; the weights have no effect on it.",
        (
            Change(
                _MEAN,
                "even = mask[:, None, :] / np.maximum(mask.sum(axis=1), 1)[:, None, None]\n"
                "z = (even + 0 * w) @ values",
            ),
        ),
        ("w is right. Change e: does z change?", "What are the weights for?"),
    ),
)

_SIZE = "T = max(len(words) for words in texts) + 1"
_LENGTH, _FED = "L = len(words) + 1", "fed[n, :L] = [start, *words]"
_TARGET, _MASK = "target[n, :L] = [*words, end]", "mask[n, :L] = True"
_BLANK_FED, _BLANK_TARGET = (
    "fed = np.full((len(texts), T), pad)",
    "target = np.full((len(texts), T), pad)",
)
_TABLE = "Write both rows for the text [5, 6, 7] under each other, step by step."

FORCING = (
    Mistake(
        "not_shifted",
        "teacher_forcing",
        "The network is fed the very word that it has to say: nothing is shifted.",
        (Change(_FED, "fed[n, :L] = [*words, end]"),),
        ("In which step is the network fed the first word, and in which must it say it?", _TABLE),
    ),
    Mistake(
        "shifted_wrong_way",
        "teacher_forcing",
        "The shift goes the wrong way: the network is to say the word before the one it is fed.",
        (
            Change(_FED, "fed[n, :L] = [*words, end]"),
            Change(_TARGET, "target[n, :L] = [start, *words]"),
        ),
        ("What is the network fed first, and what must it say last?", _TABLE),
    ),
    Mistake(
        "two_ahead",
        "teacher_forcing",
        "The targets are two words ahead of what is fed, and not one.",
        (Change(_TARGET, "target[n, :L] = [*[*words, end][1:], pad]"),),
        ("After the start mark, which word must be said?", _TABLE),
    ),
    Mistake(
        "no_start",
        "teacher_forcing",
        "The first word is fed first; the start mark is missing.",
        (Change(_FED, "fed[n, :L] = [*words, pad]"),),
        ("Who says the first word? The network must, after the start mark.", _TABLE),
    ),
    Mistake(
        "end_missing",
        "teacher_forcing",
        "The end mark is never a target: this network cannot learn to stop.",
        (
            Change(_SIZE, "T = max(len(words) for words in texts)"),
            Change(_LENGTH, "L = len(words)"),
            Change(_FED, "fed[n, :L] = [start, *words][:L]"),
            Change(_TARGET, "target[n, :L] = words"),
        ),
        ("How many words must be said for a text of three? Four.", _TABLE),
    ),
    Mistake(
        "end_padded",
        "teacher_forcing",
        "Padding stands where the end mark must be said.",
        (Change(_TARGET, "target[n, :L] = [*words, pad]"),),
        ("fed and mask are right. How does the network learn to stop?", _TABLE),
    ),
    Mistake(
        "end_not_counted",
        "teacher_forcing",
        "The mask leaves the end mark out, so that it does not count in the loss.",
        (Change(_MASK, "mask[n, : L - 1] = True"),),
        (
            "fed and target are right. How many True must a text of three words have?",
            "The end mark must be learned like a word.",
        ),
    ),
    Mistake(
        "mask_by_pad",
        "teacher_forcing",
        "The mask looks for the number of the padding, and that number may be another mark's, too.",
        (Change(_MASK, "mask[n] = target[n] != pad"),),
        (
            "fed and target are right. Which case is it in which the mask is wrong?",
            "In that case, which number does the end mark have?",
        ),
    ),
    Mistake(
        "mask_of_ones",
        "teacher_forcing",
        "The mask is True everywhere: the loss counts padding.",
        (Change(_MASK, "mask[:] = True"),),
        ("With texts of equal length all is right.", "Which steps must not count in the loss?"),
    ),
    Mistake(
        "loss_mask_inverted",
        "teacher_forcing",
        "The mask is inverted: it is True where padding is.",
        (Change(_MASK, "mask[n, L:] = True"),),
        ("fed and target are right.", "What does True mean in this mask?"),
    ),
    Mistake(
        "end_in_last_column",
        "teacher_forcing",
        "The end mark stands in the last column, after the padding; it follows the last word.",
        (Change(_TARGET, "target[n, : L - 1] = words\ntarget[n, -1] = end"),),
        (
            "The longest text is right. Where does the end mark of a shorter one stand?",
            _TABLE,
        ),
    ),
    Mistake(
        "padded_left",
        "teacher_forcing",
        "The padding stands before the words; this task asks for it after them.",
        (
            Change(_FED, "fed[n, T - L :] = [start, *words]"),
            Change(_TARGET, "target[n, T - L :] = [*words, end]"),
            Change(_MASK, "mask[n, T - L :] = True"),
        ),
        ("The longest text is right.", "On which side does the padding of a short one stand?"),
        convention=True,
    ),
    Mistake(
        "padded_with_zero",
        "teacher_forcing",
        "The padding is 0, whatever `pad` is.",
        (
            Change(_BLANK_FED, "fed = np.full((len(texts), T), 0 * pad)"),
            Change(_BLANK_TARGET, "target = np.full((len(texts), T), 0 * pad)"),
        ),
        ("The mask is right.", "Which argument does your function not use?"),
    ),
    Mistake(
        "end_cut_off",
        "teacher_forcing",
        "The rows are as long as the longest text, and that one loses its end.",
        (
            Change(_SIZE, "T = max(len(words) for words in texts)"),
            Change(_FED, "fed[n, :L] = [start, *words][:T]"),
            Change(_TARGET, "target[n, :L] = [*words, end][:T]"),
        ),
        ("How many columns does a batch need whose longest text has three words?", _TABLE),
    ),
)

_STEPS, _ASK = "for _ in range(longest):", "scores = next_log_p(words)"
_BEST, _ADD = "best = int(np.argmax(scores))", "log_p = log_p + scores[best]"
_IF_END, _STOP = "if best == end:", "break"
_LONGER, _TEXT = "words = [*words, best]", "return words, log_p"
_ALONE = "Write down what you ask and what comes back, for the first three steps."

GREEDY = (
    Mistake(
        "goes_on_after_the_end",
        "greedy",
        "The search goes on after the end mark.",
        (Change(_STOP, "pass"),),
        ("Print each word that is chosen. What follows the end mark?", _ALONE),
    ),
    Mistake(
        "end_in_the_text",
        "greedy",
        "The end mark stands in the text that is returned.",
        (Change(_STOP, "words = [*words, best]\nbreak"),),
        ("log_p is right. What is the last word of yours?", "The end mark is not a word."),
    ),
    Mistake(
        "end_not_in_log_p",
        "greedy",
        "The end mark is missing in log_p; it is said like a word.",
        (
            Change(_ADD, ""),
            Change(_LONGER, "words, log_p = [*words, best], log_p + scores[best]"),
        ),
        ("The text is right. How many logarithms do you add up?", _ALONE),
    ),
    Mistake(
        "greedy_forgets",
        "greedy",
        "Only the last word is handed over; the model must know all words so far.",
        (Change(_ASK, "scores = next_log_p(words[-1:])"),),
        ("The first two steps are right.", _ALONE),
    ),
    Mistake(
        "least_likely",
        "greedy",
        "The least likely word is taken.",
        (Change(_BEST, "best = int(np.argmin(scores))"),),
        ("Which of -0.1 and -3 is the likelier one?", _ALONE),
    ),
    Mistake(
        "probability_returned",
        "greedy",
        "The probability itself is returned, and not its logarithm.",
        (Change(_TEXT, "return words, np.exp(log_p)"),),
        ("The text is right. Can a logarithm of a probability be above 0?", _ALONE),
    ),
    Mistake(
        "probabilities_summed",
        "greedy",
        "Probabilities are added up; it is their logarithms that are added.",
        (Change(_ADD, "log_p = log_p + np.exp(scores[best])"),),
        ("The text is right. A product of probabilities is a sum of what?", _ALONE),
    ),
    Mistake(
        "log_p_of_the_last",
        "greedy",
        "log_p is that of the last word alone; the sum over all steps is asked for.",
        (Change(_ADD, "log_p = scores[best]"),),
        ("The text is right. With a text that ends at once, log_p is right, too.", _ALONE),
    ),
    Mistake(
        "log_p_per_word",
        "greedy",
        "log_p is divided by the number of steps; this task asks for the sum.",
        (Change(_TEXT, "return words, log_p / (len(words) + (best == end))"),),
        ("The text is right. By which factor is log_p off?", _ALONE),
        convention=True,
    ),
    Mistake(
        "one_step_too_many",
        "greedy",
        "A text that does not end gets one word too many.",
        (Change(_STEPS, "for _ in range(longest + 1):"),),
        ("Where a text ends, all is right.", "How many words do you return for longest = 1?"),
    ),
    Mistake(
        "one_step_too_few",
        "greedy",
        "A text that does not end gets one word too few.",
        (Change(_STEPS, "for _ in range(longest - 1):"),),
        ("How many words do you return for longest = 1?", _ALONE),
    ),
    Mistake(
        "never_ends",
        "greedy",
        "The end mark is never chosen: the likeliest of the other words is.",
        (
            Change(
                _BEST,
                "best = int(np.argmax([-np.inf if w == end else p for w, p in enumerate(scores)]))",
            ),
        ),
        ("Where no text ends, all is right.", "May the end mark be the likeliest?"),
    ),
)

_START, _EXTEND = (
    "beam, done = [([], 0.0)], []",
    "longer += [([*words, w], log_p + scores[w]) for w in range(len(scores))]",
)
_PRUNE = "kept = sorted(longer, key=lambda text: -text[1])[:width]"
_DONE = "done += [text for text in kept if text[0][-1] == end]"
_OPEN = "beam = [text for text in kept if text[0][-1] != end]"
_FOUND = "found = done if done else beam"
_SCORED = "scored = [(log_p / ((5 + len(words)) / 6) ** alpha, words) for words, log_p in found]"
_CHOOSE, _RESULT = (
    "score, words = max(scored)",
    "return [word for word in words if word != end], score",
)
_BY_HAND = "Write down the beam after each of the first two steps, with log p."


def _scored(score: str) -> Change:
    return Change(_SCORED, f"scored = [({score}, words) for words, log_p in found]")


BEAM = (
    Mistake(
        "no_length_rule",
        "beam_search",
        "The length rule is missing: the shortest texts win.",
        (_scored("log_p"),),
        ("Change alpha: does your result change?", "With alpha = 0 all is right."),
    ),
    Mistake(
        "rule_of_the_mean",
        "beam_search",
        "log p is divided by a power of the length itself; this task asks for another rule.",
        (_scored("log_p / len(words) ** alpha"),),
        ("With alpha = 0 all is right.", "What is divided by for a text of one word?"),
        convention=True,
    ),
    Mistake(
        "rule_multiplied",
        "beam_search",
        "log p is multiplied by the rule's number; it must be divided by it.",
        (_scored("log_p * ((5 + len(words)) / 6) ** alpha"),),
        (
            "With alpha = 0 all is right.",
            "log p is below 0: does your rule help a long text or harm it?",
        ),
    ),
    Mistake(
        "rule_without_end",
        "beam_search",
        "The end mark is not counted in the length.",
        (_scored("log_p / ((5 + len([w for w in words if w != end])) / 6) ** alpha"),),
        ("With alpha = 0 all is right.", "How long is the text that ends at once?"),
    ),
    Mistake(
        "rule_only_reported",
        "beam_search",
        "The rule changes the score that is returned, but not which text is chosen.",
        (
            Change(
                _CHOOSE,
                "rule = lambda words: ((5 + len(words)) / 6) ** alpha\n"
                "score, words = max(scored, key=lambda one: one[0] * rule(one[1]))",
            ),
        ),
        ("With alpha = 0 all is right.", "By which number do you compare the finished texts?"),
    ),
    Mistake(
        "log_p_for_score",
        "beam_search",
        "log p is returned in place of the score by which the text was chosen.",
        (
            Change(
                _RESULT,
                "log_p = score * ((5 + len(words)) / 6) ** alpha\n"
                "return [word for word in words if word != end], log_p",
            ),
        ),
        ("The texts are right. With alpha = 0 all is right.", "Which number do you return?"),
    ),
    Mistake(
        "finished_extended",
        "beam_search",
        "Finished texts stay in the beam and are written on after their end mark.",
        (
            Change(_OPEN, "beam = kept"),
            Change(_RESULT, "return words[:-1] if words[-1] == end else words, score"),
        ),
        ("Print the texts that you hand to the model. Is one finished?", _BY_HAND),
    ),
    Mistake(
        "finished_lost",
        "beam_search",
        "Finished texts are dropped: only texts that never end are returned.",
        (Change(_DONE, ""), Change(_FOUND, "found = beam if beam else kept or [([end], 0.0)]")),
        ("Does any text of yours end before `longest`?", "What becomes of a text that ends?"),
    ),
    Mistake(
        "first_finished_wins",
        "beam_search",
        "The search stops with the first text that ends; a better one may end later.",
        (Change(_DONE, f"{_DONE}\nif done:\n    break"),),
        (
            "Print the length of what you return: is it always the shortest that ended?",
            "When is it sure that no better text can come?",
        ),
    ),
    Mistake(
        "finished_keep_their_place",
        "beam_search",
        "Finished texts keep a place in the beam; in this task a text that ends leaves it.",
        (
            Change(
                _ASK,
                f"if words[-1:] == [end]:\n    longer.append((words, log_p))\n    continue\n{_ASK}",
            ),
            Change(_DONE, "done = [text for text in kept if text[0][-1] == end]"),
            Change(_OPEN, "beam = kept"),
        ),
        ("Count the open texts after a step in which one ends.", _BY_HAND),
        convention=True,
    ),
    Mistake(
        "beam_shrinks",
        "beam_search",
        "The beam becomes narrower with each text that ends; in this task its width stays.",
        (Change(_PRUNE, "kept = sorted(longer, key=lambda text: -text[1])[: width - len(done)]"),),
        ("Count the texts that you keep in each step.", _BY_HAND),
        convention=True,
    ),
    Mistake(
        "beam_is_greedy",
        "beam_search",
        "Greedy search finds the same: the beam holds one text, or copies of one.",
        (Change(_START, "width = 1\nbeam, done = [([], 0.0)], []"),),
        (
            "With width = 1 all is right. Are the texts in your beam different ones?",
            "After the first step, the beam must hold different first words.",
        ),
    ),
    Mistake(
        "keeps_the_worst",
        "beam_search",
        "The least likely texts are kept.",
        (Change(_PRUNE, "kept = sorted(longer, key=lambda text: text[1])[:width]"),),
        ("Which of -0.1 and -3 is the likelier one?", _BY_HAND),
    ),
    Mistake(
        "width_for_each",
        "beam_search",
        "Each text keeps its best words, so that the beam grows; the best of all are to be kept.",
        (
            Change(
                _EXTEND,
                "best = np.argsort(-scores)[:width]\n"
                "longer += [([*words, int(w)], log_p + scores[w]) for w in best]",
            ),
            Change(_PRUNE, "kept = longer"),
        ),
        ("With width = 1 all is right. How many texts do you keep after two steps?", _BY_HAND),
    ),
    Mistake(
        "beam_adds_probabilities",
        "beam_search",
        "Probabilities are added up; it is their logarithms that are added.",
        (
            Change(
                _EXTEND,
                "longer += [([*words, w], log_p + np.exp(scores[w])) for w in range(len(scores))]",
            ),
        ),
        ("Can your score be above 0?", "A product of probabilities is a sum of what?"),
    ),
    Mistake(
        "log_p_not_carried",
        "beam_search",
        "A text has the log p of its last word alone; that of the words before is lost.",
        (Change(_EXTEND, "longer += [([*words, w], scores[w]) for w in range(len(scores))]"),),
        ("With longest = 1 all is right.", _BY_HAND),
    ),
    Mistake(
        "beam_forgets",
        "beam_search",
        "Only the last word is handed over; the model must know all words so far.",
        (Change(_ASK, "scores = next_log_p(words[-1:])"),),
        ("The first two steps are right.", _BY_HAND),
    ),
    Mistake(
        "beam_one_step_more",
        "beam_search",
        "The search takes one step more than `longest`.",
        (Change(_STEPS, "for _ in range(longest + 1):"),),
        ("How many words do you return for longest = 1?", "How often do you extend the texts?"),
    ),
    Mistake(
        "beam_one_step_less",
        "beam_search",
        "The search takes one step less than `longest`.",
        (Change(_STEPS, "for _ in range(longest - 1):"),),
        ("How many words do you return for longest = 1?", "How often do you extend the texts?"),
    ),
    Mistake(
        "open_texts_compete",
        "beam_search",
        "A text that has not ended is returned, although others have.",
        (Change(_FOUND, "found = done + beam"),),
        ("Where no text ends, all is right.", "Which texts may win where one has ended?"),
    ),
    Mistake(
        "nothing_where_none_ends",
        "beam_search",
        "Where no text has ended, nothing is returned.",
        (Change(_FOUND, "found = done if done else [([end], 0.0)]"),),
        ("Where a text ends, all is right.", "What does the task say of texts that do not end?"),
    ),
    Mistake(
        "beam_end_in_the_text",
        "beam_search",
        "The end mark stands in the text that is returned.",
        (Change(_RESULT, "return words, score"),),
        ("The score is right. What is the last word of yours?", "The end mark is not a word."),
    ),
)

_TEST, _APPEND = "if symbol != before and symbol != 0:", "labels.append(symbol)"
_REMEMBER, _LABELS = "before = symbol", "return labels"
_SIX = "What do you make of 0 6 6 0 6?"

COLLAPSE = (
    Mistake(
        "blank_kept",
        "ctc_collapse",
        "The blanks are still there.",
        (Change(_TEST, "if symbol != before:"),),
        (_SIX, "Which symbol is no label?"),
    ),
    Mistake(
        "repeats_kept",
        "ctc_collapse",
        "Repeats are kept: one label that lasts for three frames is written three times.",
        (Change(_TEST, "if symbol != 0:"),),
        (_SIX, "Of the two steps, which one is missing?"),
    ),
    Mistake(
        "blanks_first",
        "ctc_collapse",
        "Repeats across a blank are merged: the blanks are left out too early.",
        (Change(_REMEMBER, "before = symbol if symbol != 0 else before"),),
        (_SIX, "What is the blank between two equal labels for?"),
    ),
    Mistake(
        "each_label_once",
        "ctc_collapse",
        "Each label is written once, wherever it comes again.",
        (Change(_TEST, "if symbol not in labels and symbol != 0:"),),
        ("What do you make of 1 2 1?", "Only neighbours are merged."),
    ),
    Mistake(
        "lone_labels_lost",
        "ctc_collapse",
        "A label that lasts for one frame is lost: it is written when it comes again.",
        (Change(_TEST, "if symbol == before and symbol != 0:"),),
        ("What do you make of 1 2 3?", _SIX),
    ),
    Mistake(
        "first_symbol_lost",
        "ctc_collapse",
        "The first symbol of the path is never looked at.",
        (Change("for symbol in path:", "for symbol in path[1:]:"),),
        ("With a blank in front all is right.", "What do you make of a path of one symbol?"),
    ),
    Mistake(
        "last_symbol_lost",
        "ctc_collapse",
        "The last symbol of the path is never looked at.",
        (Change("for symbol in path:", "for symbol in path[:-1]:"),),
        ("With a blank at the end all is right.", "What do you make of a path of one symbol?"),
    ),
    Mistake(
        "labels_sorted",
        "ctc_collapse",
        "The labels come sorted, and not in the order of the path.",
        (Change(_LABELS, "return sorted(labels)"),),
        ("What do you make of 3 0 1?", "Which of your functions sorts? np.unique does."),
    ),
)

_Z, _FOR, _STATES = "z = [0]", "for label in labels:", "z += [label, 0]"
_NONE, _FIRST = "before = np.full(len(z), -np.inf)", "before[:2] = log_p[0, z[:2]]"
_FRAMES, _NEW = "for frame in log_p[1:]:", "alpha = np.full(len(z), -np.inf)"
_STAY, _STEP = "ways = [before[s]]", "ways.append(before[s - 1])"
_MAY_SKIP = "if s > 1 and z[s] != 0 and z[s] != z[s - 2]:"
_HERE = "alpha[s] = np.logaddexp.reduce(ways) + frame[z[s]]"
_LAST = "return np.logaddexp.reduce(before[-2:])"
_TWO = "Take T = 2 and the label 1: which paths spell it? Write the three of them down."
_THREE = "Take T = 3 and the labels 1 1: which paths spell them? There is one."

FORWARD = (
    Mistake(
        "skips_equal_labels",
        "ctc_forward",
        "The blank between two equal labels may be left out here; then they are one label.",
        (Change(_MAY_SKIP, "if s > 1 and z[s] != 0:"),),
        ("Where no two neighbours are equal, all is right.", _THREE),
    ),
    Mistake(
        "skips_labels",
        "ctc_forward",
        "A path may go from blank to blank here, and leave a label out.",
        (Change(_MAY_SKIP, "if s > 1 and (z[s] == 0 or z[s] != z[s - 2]):"),),
        ("Does the path 0 0 spell the label 1? In yours it does.", _TWO),
    ),
    Mistake(
        "skips_everything",
        "ctc_forward",
        "Every state may be skipped here: labels, and blanks between equal labels.",
        (Change(_MAY_SKIP, "if s > 1:"),),
        (_TWO, _THREE),
    ),
    Mistake(
        "never_skips",
        "ctc_forward",
        "A blank between two labels is forced; between different labels it may be left out.",
        (Change(_MAY_SKIP, "if s > len(z):"),),
        ("With one label all is right.", "Take T = 2 and the labels 1 2: which path spells them?"),
    ),
    Mistake(
        "starts_with_blank",
        "ctc_forward",
        "Every path begins with a blank here; it may begin with the first label, too.",
        (Change(_FIRST, "before[0] = log_p[0, 0]"),),
        (_TWO, "Take T = 1 and the label 1: what must come out?"),
    ),
    Mistake(
        "starts_with_label",
        "ctc_forward",
        "Every path begins with the first label here; it may begin with a blank, too.",
        (Change(_FIRST, "before[1:2] = log_p[0, z[1:2]]"),),
        (_TWO, "With T = 1 and one label all is right."),
    ),
    Mistake(
        "starts_anywhere",
        "ctc_forward",
        "A path may begin in any state here, in the middle of the text.",
        (Change(_FIRST, "before[:] = log_p[0, z]"),),
        ("Take T = 1 and the labels 1 2: how likely is that?", _TWO),
    ),
    Mistake(
        "ends_with_label",
        "ctc_forward",
        "Only paths that end with the last label are counted; a blank may follow it.",
        (Change(_LAST, "return before[-2:][0]"),),
        (_TWO, "With T = 1 and one label all is right."),
    ),
    Mistake(
        "ends_with_blank",
        "ctc_forward",
        "Only paths that end with a blank are counted; they may end with the last label, too.",
        (Change(_LAST, "return before[-1]"),),
        (_TWO, "Take T = 1 and the label 1: what must come out?"),
    ),
    Mistake(
        "ends_anywhere",
        "ctc_forward",
        "Paths that end in the middle of the text are counted, too.",
        (Change(_LAST, "return np.logaddexp.reduce(before)"),),
        ("Take T = 1 and the label 1: is your result the sum of two?", _TWO),
    ),
    Mistake(
        "no_outer_blanks",
        "ctc_forward",
        "There is no blank before the first label and none after the last one.",
        (
            Change(_Z, "z = []"),
            Change(_NONE, f"z = z[:-1] or [0]\n{_NONE}"),
            Change(_FIRST, "before[:1] = log_p[0, z[:1]]"),
            Change(_LAST, "return before[-1]"),
        ),
        ("How many states do L labels have? 2 L + 1.", _TWO),
    ),
    Mistake(
        "never_stays",
        "ctc_forward",
        "A path must move on in each frame here; it may stay in its state.",
        (Change(_STAY, "ways = [-np.inf]"),),
        ("A label lasts for several frames. Which line says so?", _TWO),
    ),
    Mistake(
        "wraps_around",
        "ctc_forward",
        "In the first two states the index becomes -1: the last states lead into the first ones.",
        (
            Change("if s > 0:", "if True:"),
            Change(_MAY_SKIP, "if z[s] != 0 and z[s] != z[s - 2]:"),
        ),
        ("What does the index -1 give in NumPy?", "Which ways lead into the first state? One."),
    ),
    Mistake(
        "best_path_only",
        "ctc_forward",
        "This is the likeliest path alone; all paths that spell the text are to be added up.",
        (
            Change(_HERE, "alpha[s] = np.max(ways) + frame[z[s]]"),
            Change(_LAST, "return np.max(before[-2:])"),
        ),
        ("With T = 1 all is right. Where do you take a maximum?", _TWO),
    ),
    Mistake(
        "first_frame_forgotten",
        "ctc_forward",
        "The first frame has no effect.",
        (Change(_FIRST, "before[:2] = 0.0"),),
        ("Take T = 1 and the label 1: what must come out?", "Change log_p[0]: what changes?"),
    ),
    Mistake(
        "first_frame_twice",
        "ctc_forward",
        "The first frame is counted twice: at the start, and in the loop once more.",
        (Change(_FRAMES, "for frame in log_p:"),),
        ("Take T = 1 and the label 1: what must come out?", "How often does your loop run?"),
    ),
    Mistake(
        "underflow",
        "ctc_forward",
        "Probabilities are multiplied without logarithms, and over many frames they become 0.",
        (
            Change(_NONE, "before = np.zeros(len(z))"),
            Change(_FIRST, "before[:2] = np.exp(log_p[0, z[:2]])"),
            Change(_NEW, "alpha = np.zeros(len(z))"),
            Change(_HERE, "alpha[s] = np.sum(ways) * np.exp(frame[z[s]])"),
            Change(_LAST, "return np.log(np.sum(before[-2:]))"),
        ),
        (
            "With few frames all is right. What is 0.1 to the power of 1000 in float64?",
            "Do not leave the logarithms: there is a NumPy function that adds within them.",
        ),
    ),
    Mistake(
        "nan_where_impossible",
        "ctc_forward",
        "-inf minus -inf is NaN: it comes where no path leads, and spreads.",
        (
            Change(
                _HERE,
                "largest = np.max(ways)\n"
                "total = largest + np.log(np.sum(np.exp(ways - largest)))\n"
                "alpha[s] = total + frame[z[s]]",
            ),
        ),
        (
            "Print alpha after the second frame: where is the first NaN?",
            "What does your sum do where every way into a state has the probability 0?",
        ),
    ),
    Mistake(
        "loss_returned",
        "ctc_forward",
        "The sign is that of a loss; this task asks for log p itself.",
        (Change(_LAST, "return -np.logaddexp.reduce(before[-2:])"),),
        ("Can a logarithm of a probability be above 0?", "What is the sign of your result?"),
        convention=True,
    ),
    Mistake(
        "mean_over_frames",
        "ctc_forward",
        "log p is divided by the number of frames; this task asks for log p itself.",
        (Change(_LAST, "return np.logaddexp.reduce(before[-2:]) / len(log_p)"),),
        ("With T = 1 all is right.", "By which factor is your result off?"),
        convention=True,
    ),
    Mistake(
        "mean_over_labels",
        "ctc_forward",
        "log p is divided by the number of labels; this task asks for log p itself.",
        (Change(_LAST, "return np.logaddexp.reduce(before[-2:]) / max(len(labels), 1)"),),
        ("With one label all is right.", "By which factor is your result off?"),
        convention=True,
    ),
    Mistake(
        "text_collapsed",
        "ctc_forward",
        "Equal neighbours in the text are merged; the text is spelled out already.",
        (
            Change(
                _Z,
                "labels = [b for a, b in zip([0, *labels], labels) if a != b]\nz = [0]",
            ),
        ),
        ("Where no two neighbours are equal, all is right.", _THREE),
    ),
    Mistake(
        "overwritten_in_place",
        "ctc_forward",
        "The states of this frame overwrite those of the frame before while they are still read.",
        (Change(_NEW, "alpha = before"),),
        ("Print before and alpha after one frame: are they one array?", _TWO),
    ),
    Mistake(
        "sum_forgotten_at_the_end",
        "ctc_forward",
        "At the end the larger of two probabilities is taken; they are to be added up.",
        (Change(_LAST, "return np.max(before[-2:])"),),
        ("With T = 1 all is right.", _TWO),
    ),
)

MISTAKES = (*DOT, *ADDITIVE, *ATTEND, *FORCING, *GREEDY, *BEAM, *COLLAPSE, *FORWARD)
