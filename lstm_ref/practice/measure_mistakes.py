"""Known wrong versions of the functions of the problem set measure."""

from __future__ import annotations

from lstm_ref.practice.mistakes import Mistake
from lstm_ref.zoo.registry import Change

_COUNT = "M[true, given] += 1"
_TWO = "Take y = [0, 0, 1] and said = [0, 1, 1], and count by hand."

CONFUSION = (
    Mistake(
        "confusion_transposed",
        "confusion",
        (
            "The rows are the classes that were said; here a row is the true class, and a column "
            "the one that was said."
        ),
        (Change(_COUNT, "M[given, true] += 1"),),
        (_TWO, "Which index of M is the true class?"),
        convention=True,
    ),
    Mistake(
        "confusion_shares",
        "confusion",
        "Each row is divided by its sum: these are shares, and counts are asked for.",
        (Change("return M", "return divide(M, M.sum(axis=1, keepdims=True) * np.ones((C, C)))"),),
        ("What is the sum of all entries? It should be the number of examples.", _TWO),
        convention=True,
    ),
    Mistake(
        "confusion_share_of_all",
        "confusion",
        (
            "All entries are divided by the number of examples: these are shares, and counts are "
            "asked for."
        ),
        (Change("return M", "return M / M.sum()"),),
        ("What is the sum of all entries? It should be the number of examples.", _TWO),
        convention=True,
    ),
    Mistake(
        "confusion_once",
        "confusion",
        "Each pair is counted once, however often it occurs.",
        (Change(_COUNT, "M[true, given] = 1"),),
        (
            "What is the sum of all entries? It should be the number of examples.",
            "M[y, said] += 1 with arrays adds only once where a pair occurs twice.",
        ),
    ),
    Mistake(
        "confusion_hits_only",
        "confusion",
        "Only right answers are counted: all off the diagonal is missing.",
        (Change(_COUNT, "M[true, given] += true == given"),),
        (
            "What is the sum of all entries? It should be the number of examples.",
            "Where does a wrong answer go?",
        ),
    ),
    Mistake(
        "confusion_misses_only",
        "confusion",
        "Only wrong answers are counted: the diagonal is missing.",
        (Change(_COUNT, "M[true, given] += true != given"),),
        (
            "What is the sum of all entries? It should be the number of examples.",
            "Where does a right answer go?",
        ),
    ),
    Mistake(
        "confusion_both_ways",
        "confusion",
        "Each example is counted twice, at both places that mirror each other.",
        (Change(_COUNT, "M[true, given] += 1\nM[given, true] += 1"),),
        ("What is the sum of all entries? It should be the number of examples.", _TWO),
    ),
)

_SAID, _THERE, _RIGHT = "said = M.sum(axis=0)", "there = M.sum(axis=1)", "right = np.diag(M)"
_P, _R, _F = (
    "precision = divide(right, said)",
    "recall = divide(right, there)",
    "f1 = divide(2 * right, said + there)",
)
_MATRIX = "Take M = [[2, 1], [0, 3]]: class 0 was there 3 times and said 2 times."

PER_CLASS = (
    Mistake(
        "precision_recall_exchanged",
        "per_class",
        (
            "Precision and recall are exchanged: precision is a share of what was said, recall of "
            "what was there."
        ),
        (
            Change(_P, "precision = divide(right, there)"),
            Change(_R, "recall = divide(right, said)"),
        ),
        (_MATRIX, "Which of the two does a model make 1 for a class by always saying it?"),
    ),
    Mistake(
        "precision_twice",
        "per_class",
        "Recall is divided by what was said: it is precision once more.",
        (Change(_R, "recall = divide(right, said)"),),
        (_MATRIX, "Recall asks: of those that were there, how many were found?"),
    ),
    Mistake(
        "recall_twice",
        "per_class",
        "Precision is divided by what was there: it is recall once more.",
        (Change(_P, "precision = divide(right, there)"),),
        (_MATRIX, "Precision asks: of those that were said, how many were right?"),
    ),
    Mistake(
        "divided_by_all",
        "per_class",
        "The hits are divided by the number of all examples.",
        (Change(_P, "precision = right / M.sum()"), Change(_R, "recall = right / M.sum()")),
        (_MATRIX, "Of how many can class 0 be right at most?"),
    ),
    Mistake(
        "f1_arithmetic",
        "per_class",
        "F1 is the plain mean of precision and recall; it is their harmonic mean.",
        (Change(_F, "f1 = (precision + recall) / 2"),),
        (
            "What must F1 be where recall is 0 and precision is 1?",
            "The harmonic mean of a and b is 2 a b / (a + b).",
        ),
    ),
    Mistake(
        "f1_geometric",
        "per_class",
        "F1 is the geometric mean of precision and recall; it is their harmonic mean.",
        (Change(_F, "f1 = np.sqrt(precision * recall)"),),
        ("Is there a square root in your F1?", "The harmonic mean of a and b is 2 a b / (a + b)."),
    ),
    Mistake(
        "f1_without_two",
        "per_class",
        "The factor 2 of F1 is missing: it cannot exceed one half.",
        (Change(_F, "f1 = divide(right, said + there)"),),
        ("What must F1 be where all is right?", "The harmonic mean of a and b is 2 a b / (a + b)."),
    ),
    Mistake(
        "f1_product",
        "per_class",
        "F1 is the product of precision and recall; it is their harmonic mean.",
        (Change(_F, "f1 = precision * recall"),),
        (
            "What must F1 be where both are one half?",
            "The harmonic mean of a and b is 2 a b / (a + b).",
        ),
    ),
    Mistake(
        "smaller_of_the_two",
        "per_class",
        "F1 is the smaller one of precision and recall; it is their harmonic mean.",
        (Change(_F, "f1 = np.minimum(precision, recall)"),),
        (
            "Does your F1 change when the larger of the two does?",
            "The harmonic mean of a and b is 2 a b / (a + b).",
        ),
    ),
    Mistake(
        "undefined_is_one",
        "per_class",
        (
            "Where a class was never said, or never there, the result is 1; this task asks for 0 "
            "there."
        ),
        (
            Change(_P, "precision = np.where(said > 0, divide(right, said), 1.0)"),
            Change(_R, "recall = np.where(there > 0, divide(right, there), 1.0)"),
        ),
        (
            "Look at a class without examples.",
            "The text says what to return where there is nothing to divide by.",
        ),
        convention=True,
    ),
    Mistake(
        "specificity_for_recall",
        "per_class",
        "Recall is that of all other classes together: this is the specificity.",
        (Change(_R, "recall = divide(M.sum() - said - there + right, M.sum() - there)"),),
        (_MATRIX, "Recall of a class looks at one row of M only."),
    ),
)

_MACRO, _MICRO, _WEIGHTED = (
    "macro = f1.mean()",
    "micro = right.sum() / M.sum()",
    "weighted = (f1 * there).sum() / there.sum()",
)
_MEAN_P, _MEAN_R = "divide(right, said).mean()", "divide(right, there).mean()"

AVERAGES = (
    Mistake(
        "f1_of_means",
        "average_f1",
        (
            "Macro F1 is made from the mean precision and the mean recall; it is the mean of the "
            "F1 of the classes."
        ),
        (Change(_MACRO, f"p, r = {_MEAN_P}, {_MEAN_R}\nmacro = 2 * p * r / (p + r)"),),
        (
            "First the F1 of each class, then the mean.",
            "The mean of ratios is not the ratio of means.",
        ),
    ),
    Mistake(
        "macro_weighted_exchanged",
        "average_f1",
        "Macro and weighted average are exchanged.",
        (
            Change(_MACRO, "macro = (f1 * there).sum() / there.sum()"),
            Change(_WEIGHTED, "weighted = f1.mean()"),
        ),
        (
            "In which of the two does a rare class count as much as a frequent one?",
            "Macro is the plain mean over the classes.",
        ),
    ),
    Mistake(
        "macro_of_classes_there",
        "average_f1",
        "The macro average leaves out classes without examples; this task counts all C classes.",
        (Change(_MACRO, "macro = f1[there > 0].mean()"),),
        (
            "Where each class has an example, your result is right.",
            "How many classes do you divide by?",
        ),
        convention=True,
    ),
    Mistake(
        "micro_from_macro",
        "average_f1",
        (
            "Micro F1 is made from the mean precision and the mean recall; it comes from counts "
            "that are added up first."
        ),
        (Change(_MICRO, f"p, r = {_MEAN_P}, {_MEAN_R}\nmicro = 2 * p * r / (p + r)"),),
        (
            "Add the counts of all classes, then divide once.",
            "With one label for each example, which well-known number is it?",
        ),
    ),
    Mistake(
        "micro_is_macro",
        "average_f1",
        "Micro F1 is the same as macro F1 here: the mean over the classes.",
        (Change(_MICRO, "micro = f1.mean()"),),
        (
            "Add the counts of all classes, then divide once.",
            "With one label for each example, which well-known number is it?",
        ),
    ),
    Mistake(
        "weighted_by_said",
        "average_f1",
        "The weights are the counts of what was said; they must be those of what was there.",
        (Change(_WEIGHTED, "weighted = (f1 * said).sum() / said.sum()"),),
        (
            "Which classes count more: those that are frequent, or those that are said often?",
            "Take the weights from the rows of M.",
        ),
    ),
    Mistake(
        "weighted_not_divided",
        "average_f1",
        "The weighted sum is divided by the number of classes, and not by the sum of the weights.",
        (Change(_WEIGHTED, "weighted = (f1 * there).mean()"),),
        ("What must come out where every F1 is 1?", "Divide by the sum of the weights."),
    ),
    Mistake(
        "recall_averaged",
        "average_f1",
        "The recall of the classes is averaged, and not their F1.",
        (Change(_F, "f1 = divide(right, there)"),),
        (
            "Your three numbers are averages of recall. Which number of each class is asked for?",
            "F1 sees what was said wrongly, too.",
        ),
    ),
    Mistake(
        "precision_averaged",
        "average_f1",
        "The precision of the classes is averaged, and not their F1.",
        (Change(_F, "f1 = divide(right, said)"),),
        (
            "Your averages are of precision. Which number of each class is asked for?",
            "F1 sees what was missed, too.",
        ),
    ),
    Mistake(
        "f1_arithmetic_averaged",
        "average_f1",
        (
            "The F1 of the classes is the plain mean of precision and recall; it is their harmonic "
            "mean."
        ),
        (Change(_F, "f1 = (divide(right, said) + divide(right, there)) / 2"),),
        (
            "Look at your per_class: is F1 right there?",
            "The harmonic mean of a and b is 2 a b / (a + b).",
        ),
    ),
)

_HIT, _COUNTED, _SHARE = (
    "right = said == y",
    "counted = right & mask",
    "return counted.sum() / mask.sum()",
)
_ONE_ROW = "Take one sequence of two steps, one of them padding."

ACCURACY = (
    Mistake(
        "padding_counted",
        "masked_accuracy",
        "The mean goes over all steps, the padding among them.",
        (Change(_SHARE, "return right.mean()"),),
        (_ONE_ROW, "How many steps do you divide by?"),
    ),
    Mistake(
        "padding_in_the_divisor",
        "masked_accuracy",
        "The hits are counted without the padding, and divided by the number of all steps.",
        (Change(_SHARE, "return counted.mean()"),),
        (_ONE_ROW, "What must come out where every true step is right?"),
    ),
    Mistake(
        "padding_in_the_hits",
        "masked_accuracy",
        "Padding that happens to agree is counted as a hit.",
        (Change(_SHARE, "return right.sum() / mask.sum()"),),
        (_ONE_ROW, "Can your result be above 1?"),
    ),
    Mistake(
        "padding_set_equal",
        "masked_accuracy",
        "Padding is set to the same number on both sides, and then counted as a hit.",
        (Change(_SHARE, "return (right | ~mask).sum() / mask.sum()"),),
        (_ONE_ROW, "Can your result be above 1?"),
    ),
    Mistake(
        "padding_is_right",
        "masked_accuracy",
        "Each step of padding is counted as right.",
        (Change(_SHARE, "return (right | ~mask).mean()"),),
        (_ONE_ROW, "What comes out where every true step is wrong?"),
    ),
    Mistake(
        "mean_of_sequences",
        "masked_accuracy",
        "The accuracy of each sequence is averaged: a short one counts as much as a long one.",
        (
            Change(
                _SHARE,
                (
                    "return np.mean([r[m].mean() for r, m in zip(right, mask, strict=True) if "
                    "m.any()])"
                ),
            ),
        ),
        ("With one sequence your result is right.", "Add up, count, and divide once at the end."),
    ),
    Mistake(
        "mean_of_steps",
        "masked_accuracy",
        (
            "The accuracy of each time step is averaged: a step that few sequences reach counts as "
            "much as the first."
        ),
        (
            Change(
                _SHARE,
                (
                    "return np.mean([r[m].mean() for r, m in zip(right.T, mask.T, strict=True) if "
                    "m.any()])"
                ),
            ),
        ),
        ("With one time step your result is right.", "Add up, count, and divide once at the end."),
    ),
    Mistake(
        "mask_inverted",
        "masked_accuracy",
        "The mask is read the wrong way round: the padding is scored.",
        (
            Change(_COUNTED, "counted = right & ~mask"),
            Change(_SHARE, "return counted.sum() / max((~mask).sum(), 1)"),
        ),
        (_ONE_ROW, "Is a true step where the mask is True, or where it is False?"),
    ),
    Mistake(
        "errors_for_hits",
        "masked_accuracy",
        "This is the share of wrong steps.",
        (Change(_HIT, "right = said != y"),),
        ("What must come out where all is right?", "Accuracy and error rate add up to 1."),
    ),
    Mistake(
        "count_of_hits",
        "masked_accuracy",
        "The hits are counted, and not divided by anything.",
        (Change(_SHARE, "return counted.sum()"),),
        ("Can an accuracy be above 1?", "Of how many steps is it a share?"),
    ),
)

_TOTAL, _TOKENS, _EXP = (
    "total = nll[mask].sum()",
    "tokens = mask.sum()",
    "return np.exp(total / tokens)",
)
_UNIFORM = (
    "A model for which 4 tokens are equally likely has perplexity 4. Try it, with some padding."
)

PERPLEXITY = (
    Mistake(
        "mean_of_exps",
        "perplexity",
        "The exponential of each token is averaged: the mean must be taken first.",
        (Change(_EXP, "return np.exp(nll[mask]).mean()"),),
        (
            "Where all tokens are equally likely, your result is right.",
            "First the mean of the logarithms, then the exponential.",
        ),
    ),
    Mistake(
        "mean_of_perplexities",
        "perplexity",
        (
            "The perplexities of the sequences are averaged: the hard ones count most, and short "
            "ones as much as long ones."
        ),
        (
            Change(
                _EXP,
                (
                    "return np.mean([np.exp(n[m].mean()) for n, m in zip(nll, mask, strict=True) "
                    "if m.any()])"
                ),
            ),
        ),
        (
            "With one sequence your result is right.",
            "Add up over all sequences, count, divide, and take one exponential.",
        ),
    ),
    Mistake(
        "exp_of_mean_of_means",
        "perplexity",
        "The means of the sequences are averaged: a short one counts as much as a long one.",
        (
            Change(
                _EXP,
                (
                    "return np.exp(np.mean([n[m].mean() for n, m in zip(nll, mask, strict=True) if "
                    "m.any()]))"
                ),
            ),
        ),
        (
            "With one sequence your result is right.",
            "Add up over all sequences, count, and divide once.",
        ),
    ),
    Mistake(
        "padding_in_the_tokens",
        "perplexity",
        "The total is divided by the number of all steps, the padding among them.",
        (Change(_TOKENS, "tokens = mask.size"),),
        (_UNIFORM, "How many tokens are there?"),
    ),
    Mistake(
        "padding_in_all",
        "perplexity",
        "The padding is counted, in the sum and in the number of tokens.",
        (Change(_TOTAL, "total = nll.sum()"), Change(_TOKENS, "tokens = mask.size")),
        (_UNIFORM, "What stands in nll where the mask is False?"),
    ),
    Mistake(
        "padding_in_the_total",
        "perplexity",
        "The padding is left out of the count, and not of the sum.",
        (Change(_TOTAL, "total = nll.sum()"),),
        (_UNIFORM, "What stands in nll where the mask is False?"),
    ),
    Mistake(
        "base_two",
        "perplexity",
        "2 is raised to the power of the mean; nll is in natural logarithms.",
        (Change(_EXP, "return 2 ** (total / tokens)"),),
        (_UNIFORM, "The logarithm and the power need the same base."),
    ),
    Mistake(
        "no_exp",
        "perplexity",
        "The exponential is missing: this is the mean negative log-likelihood.",
        (Change(_EXP, "return total / tokens"),),
        (_UNIFORM, "What is the perplexity of a model that is always right? It is not 0."),
    ),
    Mistake(
        "not_divided_by_tokens",
        "perplexity",
        "The sum goes into the exponential: it is not divided by the number of tokens.",
        (Change(_EXP, "return np.exp(total)"),),
        (_UNIFORM, "Should a longer text have a higher perplexity?"),
    ),
    Mistake(
        "sign_of_likelihood",
        "perplexity",
        "The sign is the wrong one: nll is minus the logarithm already.",
        (Change(_EXP, "return np.exp(-total / tokens)"),),
        (_UNIFORM, "Can a perplexity be below 1?"),
    ),
    Mistake(
        "divided_by_sequences",
        "perplexity",
        "The sum is divided by the number of sequences, and not by that of tokens.",
        (Change(_TOKENS, "tokens = len(mask)"),),
        (_UNIFORM, "Perplexity is by token."),
    ),
)

_ROW0, _ROW, _CHANGE = (
    "row = list(range(len(b) + 1))",
    "row = [i + 1]",
    "change = above[j] + (word != other)",
)
_MIN, _LAST = "row.append(min(change, above[j + 1] + 1, row[j] + 1))", "return row[-1]"
_SMALL = "Take a = [x, y, z] and b = [y, z, w]: one word is taken away, and one is added."

EDIT = (
    Mistake(
        "substitution_costs_two",
        "edit_distance",
        "A substitution costs 2, as one deletion and one insertion; here it costs 1.",
        (Change(_CHANGE, "change = above[j] + 2 * (word != other)"),),
        (
            "What is the distance of [x] and [y]?",
            "There are three kinds of edits, and each costs 1.",
        ),
        convention=True,
    ),
    Mistake(
        "place_by_place",
        "edit_distance",
        "The words are compared place by place: one word that is missing makes all after it wrong.",
        (
            Change(
                _LAST,
                "return sum(v != w for v, w in zip(a, b, strict=False)) + abs(len(a) - len(b))",
            ),
        ),
        (_SMALL, "What does one word that is missing at the start do to all that follows?"),
    ),
    Mistake(
        "words_in_common",
        "edit_distance",
        "Only which words occur is compared, and not their order.",
        (Change(_LAST, "return len(set(a) ^ set(b))"),),
        ("What is the distance of [x, y] and [y, x]?", "An edit is done at a place."),
    ),
    Mistake(
        "no_insertions",
        "edit_distance",
        "A word that is added cannot be edited away: one of the three neighbours is not looked at.",
        (Change(_MIN, "row.append(min(change, above[j + 1] + 1))"),),
        (
            "What is the distance of [x] and [x, y]?",
            "From which three cells of the table can a cell be reached?",
        ),
    ),
    Mistake(
        "no_deletions",
        "edit_distance",
        "A word that is missing cannot be edited in: one of the three neighbours is not looked at.",
        (Change(_MIN, "row.append(min(change, row[j] + 1))"),),
        (
            "What is the distance of [x, y] and [x]?",
            "From which three cells of the table can a cell be reached?",
        ),
    ),
    Mistake(
        "free_at_the_start",
        "edit_distance",
        "The first row of the table is zero: what is added at the start costs nothing.",
        (Change(_ROW0, "row = [0] * (len(b) + 1)"),),
        (
            "What is the distance of [] and [x, y]?",
            "How far is it from nothing to the first j words?",
        ),
    ),
    Mistake(
        "free_first_column",
        "edit_distance",
        "The first column of the table is zero: what is missing at the start costs nothing.",
        (Change(_ROW, "row = [0]"),),
        (
            "What is the distance of [x, y] and []?",
            "How far is it from the first i words to nothing?",
        ),
    ),
    Mistake(
        "table_of_zeros",
        "edit_distance",
        "The first row and the first column of the table are zero: what is added or missing at the "
        "start costs nothing.",
        (Change(_ROW0, "row = [0] * (len(b) + 1)"), Change(_ROW, "row = [0]")),
        (
            "What is the distance of [] and [x, y], and of [x, y] and []?",
            "The text names the first row and the first column of the table.",
        ),
    ),
    Mistake(
        "substitution_free",
        "edit_distance",
        "A substitution costs nothing.",
        (Change(_CHANGE, "change = above[j]"),),
        (
            "What is the distance of [x] and [y]?",
            "The diagonal is free only where the words are equal.",
        ),
    ),
    Mistake(
        "match_costs_one",
        "edit_distance",
        "A word that is right costs 1 as well: the diagonal is never free.",
        (Change(_CHANGE, "change = above[j] + 1"),),
        (
            "What is the distance of a list and itself?",
            "The diagonal is free where the words are equal.",
        ),
    ),
    Mistake(
        "distance_by_length",
        "edit_distance",
        (
            "The distance is divided by the length of the first list; the number of edits is asked "
            "for."
        ),
        (Change(_LAST, "return row[-1] / max(len(a), 1)"),),
        ("What is the distance of [x, y] and [x, z]?", "The rate is the next part."),
    ),
    Mistake(
        "words_kept",
        "edit_distance",
        "This is the number of words in common in the right order, and not the number of edits.",
        (
            Change(_ROW0, "row = [0] * (len(b) + 1)"),
            Change(_ROW, "row = [0]"),
            Change(_CHANGE, "change = above[j] + (word == other)"),
            Change(_MIN, "row.append(max(change, above[j + 1], row[j]))"),
        ),
        (
            "What is the distance of a list and itself?",
            "Count what must be changed, not what is kept.",
        ),
    ),
)

_SPLIT, _ERRORS = "a, b = reference.split(), hypothesis.split()", "errors += edit_distance(a, b)"
_WORDS, _RATE = "words += len(a)", "return errors / words"
_PAIR = 'Take the reference "a b c d" and the hypothesis "a b".'

WER = (
    Mistake(
        "by_hypothesis",
        "word_error_rate",
        (
            "The errors are divided by the number of words that were said; the rate is by the "
            "words of the references."
        ),
        (Change(_WORDS, "words += len(b)"),),
        (
            _PAIR,
            (
                "A system that says nothing has made as many errors as there are words: what is "
                "its rate?"
            ),
        ),
    ),
    Mistake(
        "by_longer",
        "word_error_rate",
        (
            "The errors are divided by the length of the longer sentence; the rate is by the words "
            "of the references."
        ),
        (Change(_WORDS, "words += max(len(a), len(b))"),),
        ('Take the reference "a" and the hypothesis "a b c".', "A word error rate may be above 1."),
    ),
    Mistake(
        "by_both",
        "word_error_rate",
        "The errors are divided by the words of both sides together.",
        (Change(_WORDS, "words += len(a) + len(b)"),),
        (_PAIR, "The rate is by the words of the references."),
    ),
    Mistake(
        "mean_of_rates",
        "word_error_rate",
        "The rates of the sentences are averaged: a short sentence counts as much as a long one.",
        (Change(_ERRORS, "errors += edit_distance(a, b) / len(a)"), Change(_WORDS, "words += 1")),
        (
            "With one sentence your result is right.",
            "Add up the errors, add up the words, divide once.",
        ),
    ),
    Mistake(
        "by_characters",
        "word_error_rate",
        "Characters are compared, and not words: this is the character error rate.",
        (Change(_SPLIT, "a, b = reference, hypothesis"),),
        ("A string is a sequence, too: of characters.", _PAIR),
    ),
    Mistake(
        "characters_over_words",
        "word_error_rate",
        "The edits are those of characters, and the divisor is the number of words.",
        (Change(_ERRORS, "errors += edit_distance(reference, hypothesis)"),),
        ("A string is a sequence, too: of characters.", "Both numbers are about words."),
    ),
    Mistake(
        "sentences_wrong",
        "word_error_rate",
        "The sentences with an error are counted, and not the errors.",
        (Change(_ERRORS, "errors += a != b"), Change(_WORDS, "words += 1")),
        (
            "Two errors in one sentence: does your result notice the second?",
            "Each edit is an error.",
        ),
    ),
    Mistake(
        "capped_at_one",
        "word_error_rate",
        (
            "The rate is cut off at 1. It may be above: there may be more words added than there "
            "are in the reference."
        ),
        (Change(_RATE, "return min(errors / words, 1.0)"),),
        (
            'Take the reference "a" and the hypothesis "b c d".',
            "Nothing limits the number of insertions.",
        ),
    ),
    Mistake(
        "errors_not_divided",
        "word_error_rate",
        "The errors are counted, and not divided by the number of words.",
        (Change(_RATE, "return errors"),),
        ("What is asked for is a rate.", _PAIR),
    ),
    Mistake(
        "accuracy_for_rate",
        "word_error_rate",
        "This is 1 less the word error rate.",
        (Change(_RATE, "return 1 - errors / words"),),
        ("What must come out where all is right?", "More errors, higher rate."),
    ),
)

_TRUTH, _BASE = "truth = series[horizon:]", "baseline = series[:-horizon]"
_ERR, _BASE_ERR = (
    "error = np.sqrt(((forecast - truth) ** 2).mean())",
    "baseline_error = np.sqrt(((baseline - truth) ** 2).mean())",
)
_SKILL = "return 1 - error / baseline_error"
_AT_T = "At time t, which values of the series are known? Not series[t + 1]."

SKILL = (
    Mistake(
        "skill_of_mse",
        "skill",
        "Mean squared errors are compared; this task asks for their roots, the RMSE.",
        (Change(_SKILL, "return 1 - error**2 / baseline_error**2"),),
        (
            "A forecast with half the error of the baseline has a skill of one half.",
            "Which error is named in the text?",
        ),
        convention=True,
    ),
    Mistake(
        "skill_of_mae",
        "skill",
        "Mean absolute errors are compared; this task asks for the RMSE.",
        (
            Change(_ERR, "error = np.abs(forecast - truth).mean()"),
            Change(_BASE_ERR, "baseline_error = np.abs(baseline - truth).mean()"),
        ),
        ("How much does one large error count?", "Which error is named in the text?"),
        convention=True,
    ),
    Mistake(
        "persistence_late",
        "skill",
        (
            "The baseline is the value just before the target. With a horizon above 1, nobody knew "
            "it at the time of the forecast."
        ),
        (Change(_BASE, "baseline = series[horizon - 1 : -1]"),),
        ("With horizon 1 your result is right.", _AT_T),
    ),
    Mistake(
        "forecast_misaligned",
        "skill",
        (
            "The forecast is compared with the values at the time when it was made, and not with "
            "those that it was made for."
        ),
        (Change(_ERR, "error = np.sqrt(((forecast - baseline) ** 2).mean())"),),
        (
            "For which time was forecast[0] made?",
            "Entry t of forecast belongs to series[t + horizon].",
        ),
    ),
    Mistake(
        "mean_as_baseline",
        "skill",
        (
            "The baseline is the mean of the series: this is R2, or its root. Persistence is asked "
            "for."
        ),
        (Change(_BASE, "baseline = np.full(len(truth), truth.mean())"),),
        (
            "What does the baseline say at time t? It does not know the mean of what comes.",
            "Persistence says: it stays as it is.",
        ),
    ),
    Mistake(
        "zero_as_baseline",
        "skill",
        "The baseline is 0; persistence is asked for.",
        (Change(_BASE, "baseline = np.zeros(len(truth))"),),
        ("What does the baseline say at time t?", "Persistence says: it stays as it is."),
    ),
    Mistake(
        "first_value_as_baseline",
        "skill",
        "The baseline says the first value of the series at all times.",
        (Change(_BASE, "baseline = np.full(len(truth), series[0])"),),
        ("What does the baseline say at time t?", "Persistence says: it stays as it is now."),
    ),
    Mistake(
        "ratio_for_skill",
        "skill",
        "This is the ratio of the two errors; skill is 1 less that.",
        (Change(_SKILL, "return error / baseline_error"),),
        (
            "What must come out for a perfect forecast?",
            "What must come out for the baseline itself?",
        ),
    ),
    Mistake(
        "ratio_inverted",
        "skill",
        "The error of the baseline is divided by that of the forecast.",
        (Change(_SKILL, "return 1 - baseline_error / error"),),
        ("What must come out for a perfect forecast?", "Which of the two errors is the measure?"),
    ),
    Mistake(
        "difference_for_skill",
        "skill",
        "This is the difference of the two errors; skill has no unit.",
        (Change(_SKILL, "return baseline_error - error"),),
        (
            "Multiply all numbers by ten: may the skill change?",
            "Divide by the error of the baseline.",
        ),
    ),
    Mistake(
        "skill_sign",
        "skill",
        "The sign is the wrong one: a good forecast has a positive skill.",
        (Change(_SKILL, "return error / baseline_error - 1"),),
        ("What must come out for a perfect forecast?", "Is more error better or worse?"),
    ),
    Mistake(
        "mean_error",
        "skill",
        "Errors of different sign cancel: the mean is taken before the square.",
        (
            Change(_ERR, "error = np.abs((forecast - truth).mean())"),
            Change(_BASE_ERR, "baseline_error = np.abs((baseline - truth).mean())"),
        ),
        (
            "A forecast that is one too high and then one too low: what is its error?",
            "First the squares, then the mean, then the root.",
        ),
    ),
)

_DRAWN, _RATE_OF = "for drawn in rows:", "rate = errors[drawn].sum() / words[drawn].sum()"
_QUANTILES, _INTERVAL = "low, high = np.quantile(rates, [0.025, 0.975])", "return low, high"
_SHARE_OUT = "Which share of the drawn rates lies between your two numbers?"

BOOTSTRAP = (
    Mistake(
        "mean_of_drawn_rates",
        "bootstrap_interval",
        (
            "The rates of the drawn sentences are averaged; their errors and their words must be "
            "added up first."
        ),
        (Change(_RATE_OF, "rate = (errors[drawn] / words[drawn]).mean()"),),
        (
            "Which rate do you compute for each draw? It must be the one of the whole test set.",
            "Add up, and divide once.",
        ),
    ),
    Mistake(
        "words_not_drawn",
        "bootstrap_interval",
        (
            "The errors are drawn, and the words are those of all sentences: the two do not belong "
            "together."
        ),
        (Change(_RATE_OF, "rate = errors[drawn].sum() / words.sum()"),),
        (
            "A long sentence that is drawn twice brings its words twice, too.",
            "Draw whole sentences.",
        ),
    ),
    Mistake(
        "each_sentence_once",
        "bootstrap_interval",
        "A sentence that is drawn twice counts only once.",
        (Change(_DRAWN, "for drawn in map(np.unique, rows):"),),
        (
            "It is drawn with replacement. What does that mean?",
            "How many sentences does each of your draws hold?",
        ),
    ),
    Mistake(
        "ninety_percent",
        "bootstrap_interval",
        "The interval holds 90 % of the rates: 5 % are cut off at each end.",
        (Change(_QUANTILES, "low, high = np.quantile(rates, [0.05, 0.95])"),),
        (_SHARE_OUT, "5 % are cut off in all, and not at each end."),
    ),
    Mistake(
        "one_sided_interval",
        "bootstrap_interval",
        "All 5 % are cut off at the upper end.",
        (Change(_QUANTILES, "low, high = np.quantile(rates, [0, 0.95])"),),
        (_SHARE_OUT, "How much is cut off at each end?"),
    ),
    Mistake(
        "percent_or_share",
        "bootstrap_interval",
        "The quantiles are given in percent to a function of shares, or the other way round.",
        (Change(_QUANTILES, "low, high = np.percentile(rates, [0.025, 0.975])"),),
        (_SHARE_OUT, "np.quantile takes 0.5 for the median, np.percentile takes 50."),
    ),
    Mistake(
        "normal_interval",
        "bootstrap_interval",
        "This is the mean plus and minus 1.96 standard deviations; this task asks for quantiles.",
        (
            Change(
                _QUANTILES,
                (
                    "mean, s = np.mean(rates), np.std(rates)\nlow, high = mean - 1.96 * s, mean + "
                    "1.96 * s"
                ),
            ),
        ),
        (
            "Your interval has its middle at the mean. Must it?",
            "Sort the rates, and cut off 2.5 % at each end.",
        ),
        convention=True,
    ),
    Mistake(
        "two_standard_deviations",
        "bootstrap_interval",
        "This is the mean plus and minus two standard deviations; this task asks for quantiles.",
        (
            Change(
                _QUANTILES,
                "mean, s = np.mean(rates), np.std(rates)\nlow, high = mean - 2 * s, mean + 2 * s",
            ),
        ),
        (
            "Your interval has its middle at the mean. Must it?",
            "Sort the rates, and cut off 2.5 % at each end.",
        ),
        convention=True,
    ),
    Mistake(
        "interval_of_the_mean",
        "bootstrap_interval",
        (
            "The standard deviation is divided by the root of the number of draws: with more "
            "draws, the interval shrinks to nothing."
        ),
        (
            Change(
                _QUANTILES,
                (
                    "mean, s = np.mean(rates), np.std(rates) / np.sqrt(len(rates))\nlow, high = "
                    "mean - 1.96 * s, mean + 1.96 * s"
                ),
            ),
        ),
        (_SHARE_OUT, "More draws do not make more sentences."),
    ),
    Mistake(
        "one_standard_deviation",
        "bootstrap_interval",
        "The interval is the mean plus and minus one standard deviation: about 68 %.",
        (
            Change(
                _QUANTILES,
                "mean, s = np.mean(rates), np.std(rates)\nlow, high = mean - s, mean + s",
            ),
        ),
        (_SHARE_OUT, "Sort the rates, and cut off 2.5 % at each end."),
    ),
    Mistake(
        "smallest_and_largest",
        "bootstrap_interval",
        "The interval goes from the smallest to the largest rate: nothing is cut off.",
        (Change(_QUANTILES, "low, high = min(rates), max(rates)"),),
        (_SHARE_OUT, "Should the interval grow with the number of draws?"),
    ),
    Mistake(
        "ends_exchanged",
        "bootstrap_interval",
        "The upper end comes first.",
        (Change(_INTERVAL, "return high, low"),),
        ("Which of your two numbers is the larger one?", "Return low, high."),
    ),
    Mistake(
        "half_width",
        "bootstrap_interval",
        "The distances from the middle are returned, and not the two ends.",
        (Change(_INTERVAL, "return np.median(rates) - low, high - np.median(rates)"),),
        ("Does the rate itself lie between your two numbers?", "Return the ends themselves."),
    ),
)

MISTAKES = (
    *CONFUSION,
    *PER_CLASS,
    *AVERAGES,
    *ACCURACY,
    *PERPLEXITY,
    *EDIT,
    *WER,
    *SKILL,
    *BOOTSTRAP,
)
