"""Known wrong versions of the functions of the problem set error-analysis."""

from __future__ import annotations

from lstm_ref.practice.mistakes import Mistake
from lstm_ref.zoo.registry import Change

_EIGHT = "Make a small example, with eight answers in two slices, and work it out by hand."
_LOOP = "for value in sorted(set(values)):"
_NAMED = "slices.append((name, value))"
_SUPPORT = "support.append(inside.sum())"
_RATE = "rate.append(errors[inside].sum() / inside.sum())"

TABLE = (
    Mistake(
        "rate_over_all",
        "slice_table",
        "The errors of a slice are divided by the number of all answers, and not by its support.",
        (Change(_RATE, "rate.append(errors[inside].sum() / len(errors))"),),
        (_EIGHT, "What must the rate be in a slice in which all is wrong?"),
    ),
    Mistake(
        "share_of_errors",
        "slice_table",
        "This is the share of all errors that lie in the slice: a large slice has many, however "
        "good it is.",
        (Change(_RATE, "rate.append(errors[inside].sum() / max(errors.sum(), 1))"),),
        (_EIGHT, "Your rates of one attribute add up to 1. Must they?"),
    ),
    Mistake(
        "accuracy_of_slice",
        "slice_table",
        "This is the share of right answers in the slice.",
        (Change(_RATE, "rate.append(1 - errors[inside].mean())"),),
        ("What must the rate be in a slice in which all is wrong?", "True in errors is an error."),
    ),
    Mistake(
        "errors_counted",
        "slice_table",
        "The errors of a slice are counted, and divided by nothing.",
        (Change(_RATE, "rate.append(errors[inside].sum())"),),
        ("Can a rate be above 1?", _EIGHT),
    ),
    Mistake(
        "rate_of_the_rest",
        "slice_table",
        "This is the rate of the answers that are not in the slice.",
        (Change(_RATE, "rate.append(errors[~inside].sum() / max((~inside).sum(), 1))"),),
        (_EIGHT, "Which answers does your selection take?"),
    ),
    Mistake(
        "difference_to_the_whole",
        "slice_table",
        "The rate of the whole is taken off: the rate itself is asked for.",
        (Change(_RATE, "rate.append(errors[inside].mean() - errors.mean())"),),
        ("Can a rate be below 0?", _EIGHT),
    ),
    Mistake(
        "smoothed_rate",
        "slice_table",
        "One error and one right answer are added to each slice; the plain rate is asked for.",
        (Change(_RATE, "rate.append((errors[inside].sum() + 1) / (inside.sum() + 2))"),),
        ("What must the rate be in a slice without errors?", _EIGHT),
    ),
    Mistake(
        "support_of_errors",
        "slice_table",
        "Only wrong answers are counted as support: it is the number of all answers in the slice.",
        (Change(_SUPPORT, "support.append((inside & errors).sum())"),),
        ("The supports of one attribute add up to what?", _EIGHT),
    ),
    Mistake(
        "support_as_share",
        "slice_table",
        "The support is given as a share of all answers; this task asks for the number.",
        (Change(_SUPPORT, "support.append(inside.mean())"),),
        ("The supports of one attribute add up to what?", _EIGHT),
        convention=True,
    ),
    Mistake(
        "order_of_appearance",
        "slice_table",
        "The values come in the order in which they appear; this task asks for that of the "
        "alphabet.",
        (Change(_LOOP, "for value in dict.fromkeys(values):"),),
        ("In which order stand the values of an attribute?", "The text names the order."),
        convention=True,
    ),
    Mistake(
        "attributes_sorted",
        "slice_table",
        "The attributes come in the order of the alphabet; this task asks for that of the dict.",
        (
            Change(
                "for name, values in attributes.items():",
                "for name, values in sorted(attributes.items()):",
            ),
        ),
        ("In which order stand the attributes?", "The text names the order."),
        convention=True,
    ),
    Mistake(
        "only_slices_with_errors",
        "slice_table",
        "Slices without an error are left out.",
        (Change(_NAMED, f"if not errors[inside].any():\n    continue\n{_NAMED}"),),
        ("How many slices has an attribute with three values?", "A rate of 0 is a finding, too."),
    ),
    Mistake(
        "last_attribute_only",
        "slice_table",
        "Only the last attribute is in the table.",
        (
            Change(
                "for name, values in attributes.items():",
                "for name, values in list(attributes.items())[-1:]:",
            ),
        ),
        ("How many slices do two attributes with three values each have?", "What is overwritten?"),
    ),
    Mistake(
        "value_without_attribute",
        "slice_table",
        "A slice is named by its value alone; a pair of attribute and value is asked for.",
        (Change(_NAMED, "slices.append(value)"),),
        ("Two attributes may have a value of the same name.", "Print your list of slices."),
    ),
)

_Z, _MIDDLE = (
    "z = quantile(1 - alpha / 2)",
    "middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)",
)
_HALF = "half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)"
_ENDS = "return middle - half, middle + half"
_ROOTS = "Put your two ends into the equation of the text: do both sides agree?"
_TWO_SIDES = "Which probability lies above z, and which below -z?"

INTERVAL = (
    Mistake(
        "normal_interval",
        "wilson_interval",
        "This is the normal interval, with the spread of the share that was seen: where nothing "
        "is wrong, it has no width.",
        (
            Change(_MIDDLE, "middle = share"),
            Change(_HALF, "half = z * np.sqrt(share * (1 - share) / n)"),
        ),
        ("What comes out where no answer is wrong?", "In the equation, the spread is that of r."),
    ),
    Mistake(
        "one_sided",
        "wilson_interval",
        "All of alpha is put on one side: each side has a half of it.",
        (Change(_Z, "z = quantile(1 - alpha)"),),
        ("Print z for alpha = 0.05: it is a little below 2.", _TWO_SIDES),
    ),
    Mistake(
        "always_95",
        "wilson_interval",
        "The interval is always that for alpha = 0.05.",
        (Change(_Z, "z = quantile(0.975)"),),
        ("Does your interval become wider where alpha becomes smaller?", _TWO_SIDES),
    ),
    Mistake(
        "alpha_as_coverage",
        "wilson_interval",
        "Alpha is taken for the probability that the interval holds the rate; it is that of the "
        "two sides.",
        (Change(_Z, "z = quantile(1 - (1 - alpha) / 2)"),),
        ("Does your interval become wider where alpha becomes smaller?", _TWO_SIDES),
    ),
    Mistake(
        "ends_exchanged",
        "wilson_interval",
        "The upper end comes first.",
        (Change(_Z, "z = quantile(alpha / 2)"),),
        ("Which of your two numbers is the smaller one?", "What is the sign of your z?"),
    ),
    Mistake(
        "middle_is_the_share",
        "wilson_interval",
        "The interval lies around the share that was seen: Wilson's is drawn towards one half.",
        (Change(_MIDDLE, "middle = share"),),
        (_ROOTS, "Can your interval reach below 0?"),
    ),
    Mistake(
        "middle_not_divided",
        "wilson_interval",
        "The middle is not divided: with half of the answers wrong, it must be one half.",
        (Change(_MIDDLE, "middle = share + z**2 / (2 * n)"),),
        (_ROOTS, "What is the factor of r squared in the equation?"),
    ),
    Mistake(
        "width_not_divided",
        "wilson_interval",
        "The width is not divided: where nothing is wrong, the lower end must be 0.",
        (Change(_HALF, _HALF.removesuffix(" / (1 + z**2 / n)")),),
        (_ROOTS, "What is the factor of r squared in the equation?"),
    ),
    Mistake(
        "normal_around_wilson",
        "wilson_interval",
        "The middle is Wilson's, and the width that of a normal interval around it.",
        (Change(_HALF, "half = z * np.sqrt(middle * (1 - middle) / (n + z**2))"),),
        (_ROOTS, "Where nothing is wrong, the lower end must be 0."),
    ),
    Mistake(
        "no_root",
        "wilson_interval",
        "The root is missing: this is a variance, and not a width.",
        (Change(_HALF, _HALF.replace("np.sqrt", "")),),
        ("How does the width change with four times as many answers?", _ROOTS),
    ),
    Mistake(
        "z_missing",
        "wilson_interval",
        "The factor z of the width is missing: this is one standard deviation to each side.",
        (Change(_HALF, _HALF.replace("z * ", "", 1)),),
        ("Does your interval become wider where alpha becomes smaller?", _ROOTS),
    ),
    Mistake(
        "middle_and_half",
        "wilson_interval",
        "Middle and half of the width are given; this task asks for the two ends.",
        (Change(_ENDS, "return middle, half"),),
        ("Does the share that was seen lie between your two numbers?", "Two ends are asked for."),
        convention=True,
    ),
)

_LEVEL, _LIMIT = "level = alpha / len(wrong)", "z = quantile(1 - level / 2)"
_SPREAD = "spread = np.sqrt(rate * (1 - rate) / support)"
_DISTANCE = "distance = (wrong / support - rate) / spread"
_WORSE, _BETTER = "worse = np.flatnonzero(distance > z)", "better = np.flatnonzero(distance < -z)"
_PRINT = "Print the distance of each slice beside the limit."
_LOOKS = "With one slice and alpha = 0.05 the limit is a little below 2. And with ten?"

DIFFER = (
    Mistake(
        "no_correction",
        "slices_that_differ",
        "Each slice is tested with the whole alpha: nothing is corrected for the number of looks.",
        (Change(_LEVEL, "level = alpha"),),
        (_LOOKS, "What does the sum of all false alarms add up to?"),
    ),
    Mistake(
        "support_ignored",
        "slices_that_differ",
        "A slice differs here where its rate does: how many answers it rests on plays no part.",
        (
            Change(_WORSE, "worse = np.flatnonzero(wrong / support > rate)"),
            Change(_BETTER, "better = np.flatnonzero(wrong / support < rate)"),
        ),
        ("Is one error among two answers a finding?", _PRINT),
    ),
    Mistake(
        "one_sided_limit",
        "slices_that_differ",
        "All of the level is put on one side: each side has a half of it.",
        (Change(_LIMIT, "z = quantile(1 - level)"),),
        (_LOOKS, _TWO_SIDES),
    ),
    Mistake(
        "only_worse",
        "slices_that_differ",
        "Only slices that are worse are looked for: the test is one-sided.",
        (Change(_BETTER, "better = []"),),
        ("What is a distance below 0?", _PRINT),
    ),
    Mistake(
        "worse_better_exchanged",
        "slices_that_differ",
        "Worse and better are exchanged: more errors are worse.",
        (
            Change(_WORSE, "worse = np.flatnonzero(distance < -z)"),
            Change(_BETTER, "better = np.flatnonzero(distance > z)"),
        ),
        ("Is a slice with a high rate of errors good?", _PRINT),
    ),
    Mistake(
        "corrected_by_answers",
        "slices_that_differ",
        "Alpha is divided by the number of answers; looked at are the slices.",
        (Change(_LEVEL, "level = alpha / support.sum()"),),
        ("How many questions do you ask?", _LOOKS),
    ),
    Mistake(
        "corrected_twice",
        "slices_that_differ",
        "Alpha is divided twice by the number of slices.",
        (Change(_LEVEL, "level = alpha / len(wrong) ** 2"),),
        ("What do the levels of all slices add up to?", _LOOKS),
    ),
    Mistake(
        "fixed_limit",
        "slices_that_differ",
        "The limit is 1.96, whatever alpha and the number of looks.",
        (Change(_LIMIT, "z = quantile(0.975)"),),
        (_LOOKS, "On what must the limit depend?"),
    ),
    Mistake(
        "spread_of_the_slice",
        "slices_that_differ",
        "The spread is made from the rate that was seen in the slice: that is the normal test; "
        "here the spread is that of the whole's rate.",
        (
            Change(
                _SPREAD,
                "spread = np.sqrt(wrong / support * (1 - wrong / support) / support) + 1e-12",
            ),
        ),
        ("What is the spread of a slice without errors?", "Which rate does the slice have if "
         "nothing is special about it?"),
    ),
    Mistake(
        "spread_of_one_answer",
        "slices_that_differ",
        "The spread is that of a single answer: it is not divided by the support.",
        (Change(_SPREAD, "spread = np.sqrt(rate * (1 - rate))"),),
        ("Does a large slice need as large a difference as a small one?", _PRINT),
    ),
    Mistake(
        "mean_of_slices",
        "slices_that_differ",
        "The slices are compared with the mean of their own rates, and not with the whole.",
        (Change(_DISTANCE, "distance = (wrong / support - np.mean(wrong / support)) / spread"),),
        ("Slices overlap, and some are large: what is their mean rate?", _PRINT),
    ),
    Mistake(
        "truth_for_positions",
        "slices_that_differ",
        "There is a truth value for each slice; the positions of those that differ are asked for.",
        (Change(_WORSE, "worse = distance > z"), Change(_BETTER, "better = distance < -z")),
        ("How long are your two lists, and how many slices are there?", "np.flatnonzero helps."),
    ),
    Mistake(
        "tuple_of_where",
        "slices_that_differ",
        "np.where returns a tuple, and the array of positions is its first and only entry.",
        (
            Change(_WORSE, "worse = np.where(distance > z)"),
            Change(_BETTER, "better = np.where(distance < -z)"),
        ),
        ("Print what you return: what stands around the positions?", "Print its length, too."),
    ),
    Mistake(
        "small_left_out",
        "slices_that_differ",
        "Slices of less than 30 answers are left out: the spread has taken care of them.",
        (
            Change(
                _WORSE,
                "worse = [s for s in np.flatnonzero(distance > z) if support[s] >= 30]",
            ),
        ),
        ("In a small slice a large difference is needed. Is it there?", _PRINT),
    ),
)  # fmt: skip

_HALF_RATE = "rate = errors[half].mean()"
_CANDIDATE_Z = "z = quantile(1 - alpha / looks / 2)"
_OVER = "if distance > z:"
_FOUND = "found = worse(search, range(len(members)), len(members))"
_CONFIRMED = "confirmed = worse(~search, found, len(found))"
_BOTH = "Print for each slice its distance in the one half and in the other."
_HOW_MANY = "How many slices are looked at in the first half, and how many in the second?"

CONFIRM = (
    Mistake(
        "confirmed_where_found",
        "search_and_confirm",
        "The slices are tested on the answers on which they were found: these confirm everything.",
        (Change(_CONFIRMED, "confirmed = worse(search, found, len(found))"),),
        ("Which answers had no part in the choice?", _BOTH),
    ),
    Mistake(
        "confirmed_on_all",
        "search_and_confirm",
        "The slices are confirmed on all answers, and those on which they were found are among "
        "them.",
        (Change(_CONFIRMED, "confirmed = worse(search | ~search, found, len(found))"),),
        ("Which answers had no part in the choice?", _BOTH),
    ),
    Mistake(
        "found_on_all",
        "search_and_confirm",
        "The search sees all answers: the half that is to confirm has had a part in the choice.",
        (Change(_FOUND, "found = worse(search | ~search, range(len(members)), len(members))"),),
        ("Which answers may the search see?", _BOTH),
    ),
    Mistake(
        "halves_exchanged",
        "search_and_confirm",
        "The two halves are exchanged.",
        (
            Change(_FOUND, "found = worse(~search, range(len(members)), len(members))"),
            Change(_CONFIRMED, "confirmed = worse(search, found, len(found))"),
        ),
        ("What does True in search mean?", _BOTH),
    ),
    Mistake(
        "search_not_corrected",
        "search_and_confirm",
        "The search is not corrected for the number of slices that it looks at.",
        (Change(_FOUND, "found = worse(search, range(len(members)), 1)"),),
        (_HOW_MANY, _BOTH),
    ),
    Mistake(
        "second_look_not_corrected",
        "search_and_confirm",
        "In the second half nothing is corrected: as many slices are looked at there as were "
        "found.",
        (Change(_CONFIRMED, "confirmed = worse(~search, found, 1)"),),
        (_HOW_MANY, _BOTH),
    ),
    Mistake(
        "corrected_for_all_again",
        "search_and_confirm",
        "In the second half, alpha is divided by the number of all slices; only those that were "
        "found are looked at there.",
        (Change(_CONFIRMED, "confirmed = worse(~search, found, len(members))"),),
        (_HOW_MANY, _BOTH),
    ),
    Mistake(
        "confirmed_unfound",
        "search_and_confirm",
        "All slices are tested in the second half, those that were not found, too.",
        (Change(_CONFIRMED, "confirmed = worse(~search, range(len(members)), len(members))"),),
        ("Is each slice that you confirm among those that you found?", _HOW_MANY),
    ),
    Mistake(
        "rate_of_both_halves",
        "search_and_confirm",
        "The slices are compared with the rate of all answers, and not with that of the half.",
        (Change(_HALF_RATE, "rate = errors.mean()"),),
        ("One half may be harder than the other.", _BOTH),
    ),
    Mistake(
        "better_found_too",
        "search_and_confirm",
        "Slices that are better are found as well; those that are worse are asked for.",
        (Change(_OVER, "if abs(distance) > z:"),),
        ("What is a distance below 0?", _BOTH),
    ),
    Mistake(
        "one_sided_search",
        "search_and_confirm",
        "All of the level is put on one side; this task keeps the limit of part 3.",
        (Change(_CANDIDATE_Z, "z = quantile(1 - alpha / looks)"),),
        ("Compare your limit with that of slices_that_differ.", _TWO_SIDES),
    ),
)

MISTAKES = (*TABLE, *INTERVAL, *DIFFER, *CONFIRM)
