"""Known wrong versions of the functions of the problem set search-compress."""

from __future__ import annotations

from lstm_ref.practice.mistakes import Mistake
from lstm_ref.zoo.registry import Change


def _wrong(
    function: str,
    id: str,
    title: str,
    changes: tuple[tuple[str, str], ...],
    hints: tuple[str, str],
    convention: bool = False,
) -> Mistake:
    """One mistake; each change is a right line and the wrong one."""
    lines = tuple(Change(right, wrong) for right, wrong in changes)
    return Mistake(id, function, title, lines, hints, convention)


_DRAW = "exponents = rng.uniform(np.log(low), np.log(high), n)"
_BACK = "return np.exp(exponents)"
_SHARES = "Count the draws in each factor of ten: from 0.0001 to 0.1 there are three."

DRAWS = (
    _wrong(
        "log_uniform",
        "wrong_length",
        "One number is drawn; n are asked for.",
        ((_DRAW, "exponents = rng.uniform(np.log(low), np.log(high))"),),
        ("Print the shape of what you return.", "How does a generator draw several numbers?"),
    ),
    _wrong(
        "log_uniform",
        "one_draw",
        "The same number stands there n times: one was drawn, and repeated.",
        ((_DRAW, "exponents = np.full(n, rng.uniform(np.log(low), np.log(high)))"),),
        ("Print the first five draws.", "How often do you ask the generator?"),
    ),
    _wrong(
        "log_uniform",
        "exponents_returned",
        "The exponents are returned, and not the numbers themselves.",
        ((_BACK, "return exponents"),),
        ("Can a learning rate be negative?", "What undoes a logarithm?"),
    ),
    _wrong(
        "log_uniform",
        "base_mixed",
        "One logarithm is natural and the other has base 10: two bases are mixed.",
        ((_BACK, "return 10**exponents"),),
        (
            "Draw with low and high nearly equal: what comes must be nearly that number.",
            "Which base has your logarithm, and which base your power?",
        ),
    ),
    _wrong(
        "log_uniform",
        "outside_the_box",
        "Some of the draws lie below low or above high.",
        ((_DRAW, "exponents = rng.normal(np.log(low * high) / 2, np.log(high / low) / 2, n)"),),
        ("Print the smallest and the largest draw.", "Which numbers can your exponents be?"),
    ),
    _wrong(
        "log_uniform",
        "powers_of_ten",
        "Only a few different numbers come, such as whole powers of ten; every number between "
        "low and high must be possible.",
        (
            (
                _BACK,
                "return np.clip(10.0 ** np.round(exponents / np.log(10)), low, high)",
            ),
        ),
        (
            "How many different numbers are among a thousand draws?",
            "May an exponent have decimals?",
        ),
    ),
    _wrong(
        "log_uniform",
        "uniform_draws",
        "The numbers themselves are uniform: nearly all of them lie near high.",
        ((_DRAW, "exponents = np.log(rng.uniform(low, high, n))"),),
        (_SHARES, "What must be uniform: the number, or its logarithm?"),
    ),
    _wrong(
        "log_uniform",
        "not_drawn",
        "The numbers do not come from the generator that is given: for two seeds they are the "
        "same.",
        ((_DRAW, "exponents = np.linspace(np.log(low), np.log(high), n)"),),
        (
            "Call it with two generators of different seeds.",
            "What is the generator among the arguments for?",
        ),
    ),
    _wrong(
        "log_uniform",
        "not_repeatable",
        "Two calls with equal generators give different numbers: another source is drawn from.",
        ((_DRAW, "exponents = np.random.uniform(np.log(low), np.log(high), n)"),),
        (
            "Call it twice with np.random.default_rng(3).",
            "From which generator are the numbers drawn?",
        ),
    ),
    _wrong(
        "log_uniform",
        "not_log_uniform",
        "The logarithms of the draws are not uniform between those of low and high.",
        ((_BACK, "return low + high - np.exp(exponents)"),),
        (_SHARES, "Each factor of ten must come equally often."),
    ),
)

_ASK = "losses = [loss(rate) for rate in rates]"
_ARG = "best = np.nanargmin(losses)"
_PAIR = "return rates[best], losses[best]"
_THREE = "Take three rates whose losses are 0.5, NaN and 0.2, and go through your lines by hand."

SEARCH = (
    _wrong(
        "random_search",
        "largest_loss",
        "The rate with the largest loss is returned.",
        ((_ARG, "best = np.nanargmax(losses)"),),
        (_THREE, "Is a large loss good or bad?"),
    ),
    _wrong(
        "random_search",
        "nan_wins",
        "A training that diverged wins: its loss is NaN.",
        ((_ARG, "best = np.argmin(losses)"),),
        (
            _THREE,
            "What is NaN < 0.2, and what does a function that looks for the least make of it?",
        ),
    ),
    _wrong(
        "random_search",
        "nan_is_zero",
        "The loss of a training that diverged is taken for 0, so it wins.",
        ((_ASK, "losses = np.nan_to_num([loss(rate) for rate in rates])"),),
        (_THREE, "Which number must stand for NaN, so that it loses?"),
    ),
    _wrong(
        "random_search",
        "last_one",
        "The last rate that was tried is returned, and not the best one.",
        ((_ARG, "best = len(losses) - 1"),),
        (_THREE, "What does your loop remember of the rates before?"),
    ),
    _wrong(
        "random_search",
        "place_for_rate",
        "The place of the best rate in the list is returned, and not the rate.",
        ((_PAIR, "return best, losses[best]"),),
        ("Print what you return: is it a learning rate?", _THREE),
    ),
    _wrong(
        "random_search",
        "results_exchanged",
        "The two results are exchanged: first the rate, then its loss.",
        ((_PAIR, "return losses[best], rates[best]"),),
        ("Print what you return.", "The docstring says which of the two comes first."),
    ),
    _wrong(
        "random_search",
        "asks_again",
        "The best rate is trained once more at the end: that is one training more than there are "
        "rates.",
        ((_PAIR, "return rates[best], loss(rates[best])"),),
        (
            "Count the calls of loss.",
            "Each call is a training. Which numbers have you got already?",
        ),
    ),
    _wrong(
        "random_search",
        "asks_twice",
        "Rates are trained twice: once to look for NaN, and once for the loss.",
        ((_ASK, "losses = [loss(r) if not np.isnan(loss(r)) else np.nan for r in rates]"),),
        (
            "Count the calls of loss.",
            "Each call is a training. Keep what it gave, and look at it as often as you like.",
        ),
    ),
    _wrong(
        "random_search",
        "first_left_out",
        "The first rate is never tried.",
        ((_ASK, "losses = [np.nan, *(loss(rate) for rate in rates[1:])]"),),
        ("Count the calls of loss.", "Where does your loop begin?"),
    ),
    _wrong(
        "random_search",
        "largest_that_runs",
        "The largest rate that does not diverge is returned, and not the one with the least loss.",
        ((_ARG, "best = np.nanargmax(np.where(np.isnan(losses), np.nan, rates))"),),
        (_THREE, "What do you compare: rates, or losses?"),
    ),
)

_ADD = "total += n * (rung - before)"
_FEWER = "n, before = max(1, n // eta), rung"
_SUM = "return total"
_NINE = (
    "Take n = 9, rungs 10 and 30, eta = 3: nine are trained by 10 updates, three of them by 20 "
    "more."
)

PRICE = (
    _wrong(
        "price",
        "paid_from_zero",
        "At each rung the updates are counted from the first one on, but a training goes on from "
        "where it stands.",
        ((_ADD, "total += n * rung"),),
        (_NINE, "How many updates lie between two rungs?"),
    ),
    _wrong(
        "price",
        "all_go_on",
        "All settings go on to each rung; only a share of them does.",
        ((_FEWER, "before = rung"),),
        (_NINE, "How many settings are trained in the second part?"),
    ),
    _wrong(
        "price",
        "survivors_rounded_up",
        "The number of those that go on is rounded up; here it is rounded down.",
        ((_FEWER, "n, before = -(-n // eta), rung"),),
        ("Take n = 11 and eta = 3.", "Print how many are trained at each rung."),
    ),
    _wrong(
        "price",
        "survivors_not_rounded",
        "The number of those that go on is not rounded: there is no third of a training.",
        ((_FEWER, "n, before = max(1, n / eta), rung"),),
        ("Take n = 11 and eta = 3.", "Print how many are trained at each rung."),
    ),
    _wrong(
        "price",
        "survivors_rounded",
        "The number of those that go on is rounded to the nearest; here it is rounded down.",
        ((_FEWER, "n, before = max(1, round(n / eta)), rung"),),
        ("Take n = 11 and eta = 3.", "Print how many are trained at each rung."),
    ),
    _wrong(
        "price",
        "half_go_on",
        "Half of them go on, whatever eta is.",
        ((_FEWER, "n, before = max(1, n // 2), rung"),),
        ("Does your result change with eta?", _NINE),
    ),
    _wrong(
        "price",
        "one_share_leaves",
        "One of eta leaves at each rung; here one of eta stays.",
        ((_FEWER, "n, before = n - n // eta, rung"),),
        (_NINE, "How many of nine stay where eta is 3?"),
    ),
    _wrong(
        "price",
        "none_left",
        "There is a rung with nobody left; at least one goes on.",
        ((_FEWER, "n, before = n // eta, rung"),),
        ("Take n = 2 and eta = 3.", "Print how many are trained at each rung."),
    ),
    _wrong(
        "price",
        "last_rung_free",
        "The way to the last rung is not counted.",
        (("for rung in rungs:", "for rung in rungs[:-1]:"),),
        ("How often does your loop run?", _NINE),
    ),
    _wrong(
        "price",
        "in_full_runs",
        "The price is counted in full trainings; here it is a number of updates.",
        ((_SUM, "return total / rungs[-1]"),),
        ("Is your result a whole number?", _NINE),
        convention=True,
    ),
)

_BEGIN = "losses = {k: train(k, before, rung) for k in alive}"
_ORDER = "order = sorted(alive, key=lambda k: np.nan_to_num(losses[k], nan=np.inf))"
_GO_ON = "alive, before = order[: max(1, len(order) // eta)], rung"
_FIRST = "best = order[0]"
_END = "return best, losses[best]"
_CALLS = "Print k, start and stop in each call of train."

HALVING = (
    _wrong(
        "successive_halving",
        "keeps_the_worst",
        "The order is the wrong way round: those with the largest loss go on.",
        ((_ORDER, "order = sorted(alive, key=lambda k: -np.nan_to_num(losses[k], nan=-np.inf))"),),
        (_CALLS, "Is a large loss good or bad?"),
    ),
    _wrong(
        "successive_halving",
        "keeps_the_tail",
        "Those at the end of the order go on, and these have the largest losses.",
        ((_GO_ON, "alive, before = order[-max(1, len(order) // eta) :], rung"),),
        (_CALLS, "At which end of a sorted list is the best one?"),
    ),
    _wrong(
        "successive_halving",
        "starts_again",
        "Those that go on begin again from nothing; a training goes on from where it stands.",
        ((_BEGIN, "losses = {k: train(k, 0, rung) for k in alive}"),),
        (_CALLS, "Add up stop - start over all calls, and compare with price."),
    ),
    _wrong(
        "successive_halving",
        "too_many_go_on",
        "The number of those that go on is rounded up; here it is rounded down.",
        ((_GO_ON, "alive, before = order[: -(-len(order) // eta)], rung"),),
        (_CALLS, "How many of eleven go on where eta is 3?"),
    ),
    _wrong(
        "successive_halving",
        "half_stay",
        "Half of them go on, whatever eta is.",
        ((_GO_ON, "alive, before = order[: max(1, len(order) // 2)], rung"),),
        (_CALLS, "Where in your code does eta stand?"),
    ),
    _wrong(
        "successive_halving",
        "one_share_dropped",
        "One of eta is dropped at each rung; here one of eta stays.",
        ((_GO_ON, "alive, before = order[: len(order) - len(order) // eta], rung"),),
        (_CALLS, "How many of nine stay where eta is 3?"),
    ),
    _wrong(
        "successive_halving",
        "nobody_dropped",
        "All settings are trained to the end.",
        ((_GO_ON, "alive, before = order, rung"),),
        (_CALLS, "How many settings are trained up to the last rung?"),
    ),
    _wrong(
        "successive_halving",
        "diverged_first",
        "A setting that diverged is taken for the best: its loss is NaN.",
        ((_ORDER, "order = sorted(alive, key=lambda k: np.nan_to_num(losses[k], nan=-np.inf))"),),
        ("What does your order make of NaN?", "Sort 0.5, NaN and 0.2 and look."),
    ),
    _wrong(
        "successive_halving",
        "not_sorted",
        "The first ones go on, whatever their losses are.",
        ((_ORDER, "order = alive"),),
        (_CALLS, "By what do you sort?"),
    ),
    _wrong(
        "successive_halving",
        "place_among_survivors",
        "The place among those that are left is returned, and not the number of the setting.",
        ((_END, "return 0, losses[best]"),),
        ("Print what you return, and who was trained last.", _CALLS),
    ),
    _wrong(
        "successive_halving",
        "decided_at_the_first_rung",
        "At each rung the losses of the first one decide; there are newer ones.",
        (
            (
                _BEGIN,
                "now = {k: train(k, before, rung) for k in alive}\n"
                "losses = now if before == 0 else {k: losses[k] for k in alive}",
            ),
        ),
        ("Which losses do you sort by at the last rung?", _CALLS),
    ),
    _wrong(
        "successive_halving",
        "steps_for_stop",
        "The third argument of train is where the training stops; it gets the number of updates.",
        ((_BEGIN, "losses = {k: train(k, before, rung - before) for k in alive}"),),
        (_CALLS, "The text says what the three arguments of train are."),
    ),
    _wrong(
        "successive_halving",
        "winner_trained_again",
        "The winner is trained once more at the end: that is over the budget.",
        ((_END, "return best, train(best, 0, rungs[-1])"),),
        (_CALLS, "Which loss of the winner have you got already?"),
    ),
    _wrong(
        "successive_halving",
        "one_rung_short",
        "Nobody is trained up to the last rung.",
        (("for rung in rungs:", "for rung in rungs[:-1]:"),),
        (_CALLS, "How often does your loop run?"),
    ),
)

_TABLE = "table = [[validation(k, seed) for seed in seeds] for k in range(K)]"
_CHOICE = "best = np.nanargmin(np.mean(table, axis=1))"
_REPORT = "reported = np.mean([test(best, seed) for seed in seeds])"
_TWO = "Take two settings and two seeds, and work it out by hand."
_LOOKS = "Count the calls of test, and print with what it is called."

CHOICE = (
    _wrong(
        "choose_and_report",
        "chosen_on_test",
        "The setting is chosen on the test set. What is best there looks better than it is.",
        (
            (_TABLE, "table = [[test(k, seed) for seed in seeds] for k in range(K)]"),
            (_REPORT, "reported = np.mean(table[best])"),
        ),
        (_LOOKS, "Which of the two functions may have a say in the choice?"),
    ),
    _wrong(
        "choose_and_report",
        "chosen_on_both",
        "The test set has a say in the choice: validation and test losses are added.",
        (
            (
                _TABLE,
                "tested = [[test(k, seed) for seed in seeds] for k in range(K)]\n"
                "table = [[validation(k, seed) for seed in seeds] for k in range(K)]",
            ),
            (_CHOICE, "best = np.nanargmin(np.mean(table, axis=1) + np.mean(tested, axis=1))"),
            (_REPORT, "reported = np.mean(tested[best])"),
        ),
        (_LOOKS, "Which of the two functions may have a say in the choice?"),
    ),
    _wrong(
        "choose_and_report",
        "test_of_all",
        "The test set is asked about every setting; only the chosen one may be tested.",
        (
            (
                _REPORT,
                "tested = [[test(k, seed) for seed in seeds] for k in range(K)]\n"
                "reported = np.mean(tested[best])",
            ),
        ),
        (_LOOKS, "How many settings need a test loss?"),
    ),
    _wrong(
        "choose_and_report",
        "luckiest_seed",
        "The setting with the best single seed is chosen; the mean over its seeds decides.",
        ((_CHOICE, "best = np.nanargmin(np.min(table, axis=1))"),),
        (_TWO, "What does the best of several seeds say about the next one?"),
    ),
    _wrong(
        "choose_and_report",
        "diverged_left_out",
        "A seed that diverged is left out of the mean; the setting must lose by it.",
        ((_CHOICE, "best = np.nanargmin(np.nanmean(table, axis=1))"),),
        ("What is the mean of 0.1 and NaN in your code?", "May a setting that diverges win?"),
    ),
    _wrong(
        "choose_and_report",
        "diverged_chosen",
        "A setting of which a training diverged is chosen: its mean is NaN.",
        ((_CHOICE, "best = np.argmin(np.mean(table, axis=1))"),),
        ("Print the means.", "What does a function that looks for the least make of NaN?"),
    ),
    _wrong(
        "choose_and_report",
        "largest_mean",
        "The setting with the largest mean loss is chosen.",
        ((_CHOICE, "best = np.nanargmax(np.mean(table, axis=1))"),),
        (_TWO, "Is a large loss good or bad?"),
    ),
    _wrong(
        "choose_and_report",
        "first_seed_decides",
        "The first seed alone decides; the mean over all seeds does.",
        ((_CHOICE, "best = np.nanargmin(np.array(table)[:, 0])"),),
        (_TWO, "Does your choice change when the second seed's losses do?"),
    ),
    _wrong(
        "choose_and_report",
        "median_for_mean",
        "The median over the seeds decides; the mean does.",
        ((_CHOICE, "best = np.nanargmin(np.median(table, axis=1))"),),
        ("Take one setting and three seeds, one of them bad.", "Print the mean of each setting."),
    ),
    _wrong(
        "choose_and_report",
        "validation_reported",
        "The validation loss of the winner is reported. It was chosen for being low there.",
        ((_REPORT, "reported = np.mean(table[best])"),),
        (_LOOKS, "Which number says how good the winner is on data that had no say?"),
    ),
    _wrong(
        "choose_and_report",
        "best_test_reported",
        "The best test loss among the seeds is reported; the mean is asked for.",
        ((_REPORT, "reported = np.min([test(best, seed) for seed in seeds])"),),
        ("Print the test losses of the winner.", _TWO),
    ),
    _wrong(
        "choose_and_report",
        "one_test_seed",
        "One seed of the winner is tested; the mean over all of them is asked for.",
        ((_REPORT, "reported = test(best, seeds[0])"),),
        (_LOOKS, "Over how many trainings is the reported loss a mean?"),
    ),
    _wrong(
        "choose_and_report",
        "test_losses_added",
        "The test losses are added up; their mean is asked for.",
        ((_REPORT, "reported = np.sum([test(best, seed) for seed in seeds])"),),
        ("Print the test losses of the winner.", "Does your result grow with the number of seeds?"),
    ),
)

_SORT = "order = np.argsort(np.abs(W), axis=None)"
_ZERO = "pruned.flat[order[:k]] = 0"
_PRUNED = "return pruned"
_SMALL = "Take W = [[3, -1], [2, -4]] and k = 1 and 2, and do it by hand."
_TIES = "Take W = [[1, 1], [1, 5]] and k = 2: how many zeros do you get?"

LAYER = (
    _wrong(
        "prune_layer",
        "signed_for_absolute",
        "The most negative entries go; the sign must not matter.",
        ((_SORT, "order = np.argsort(W, axis=None)"),),
        (_SMALL, "Is -4 a small weight?"),
    ),
    _wrong(
        "prune_layer",
        "largest_removed",
        "The largest entries go, and the smallest stay.",
        ((_SORT, "order = np.argsort(-np.abs(W), axis=None)"),),
        (_SMALL, "Which end of your order do you set to zero?"),
    ),
    _wrong(
        "prune_layer",
        "k_are_kept",
        "k entries are kept; here k are set to zero.",
        ((_ZERO, "pruned.flat[order[: W.size - k]] = 0"),),
        ("Count the zeros of what you return.", _SMALL),
    ),
    _wrong(
        "prune_layer",
        "one_too_many",
        "One entry too many is set to zero.",
        ((_ZERO, "pruned.flat[order[: k + 1]] = 0"),),
        ("Count the zeros of what you return.", _SMALL),
    ),
    _wrong(
        "prune_layer",
        "one_too_few",
        "One entry too few is set to zero.",
        ((_ZERO, "pruned.flat[order[: max(k - 1, 0)]] = 0"),),
        ("Count the zeros of what you return.", _SMALL),
    ),
    _wrong(
        "prune_layer",
        "ties_go_too",
        "All entries that are equal to the k-th smallest go with it: these are more than k.",
        ((_ZERO, "pruned[np.abs(W) <= np.append(-1, np.sort(np.abs(W), axis=None))[k]] = 0"),),
        (_TIES, "A limit cannot tell equal entries apart. What can?"),
    ),
    _wrong(
        "prune_layer",
        "ties_stay",
        "Entries that are equal to the next larger one stay with it: these are fewer than k zeros.",
        ((_ZERO, "pruned[np.abs(W) < np.sort(np.abs(W), axis=None)[k]] = 0"),),
        (_TIES, "A limit cannot tell equal entries apart. What can?"),
    ),
    _wrong(
        "prune_layer",
        "mask_returned",
        "The mask of ones and zeros is returned, and not the weights.",
        ((_PRUNED, "return (pruned != 0) * 1.0"),),
        ("Print what you return.", _SMALL),
    ),
    _wrong(
        "prune_layer",
        "absolute_returned",
        "The weights that stay have lost their signs.",
        ((_PRUNED, "return np.abs(pruned)"),),
        (_SMALL, "For what is the absolute value needed, and for what not?"),
    ),
    _wrong(
        "prune_layer",
        "each_row_loses",
        "Each row loses the same number of entries; the smallest of the whole matrix go.",
        (
            (
                _ZERO,
                "for row in pruned:\n    row[np.argsort(np.abs(row))[: k // len(W)]] = 0",
            ),
        ),
        ("Count the zeros of each row.", _SMALL),
    ),
    _wrong(
        "prune_layer",
        "first_entries_go",
        "The first k entries of the matrix go, and not the smallest.",
        ((_ZERO, "pruned.flat[:k] = 0"),),
        (_SMALL, "A sorted list of weights does not say where in the matrix they stand."),
    ),
)

_MATRICES = "matrices = [name for name in params if params[name].ndim == 2]"
_SIZES = "sizes = np.concatenate([np.abs(params[name]).ravel() for name in matrices])"
_LIMIT = "limit = np.sort(sizes)[int(share * len(sizes))]"
_COPY = "pruned = dict(params)"
_BELOW = "pruned[name] = np.where(np.abs(params[name]) < limit, 0, params[name])"
_PER_NAME = "Count the zeros under each name."

MODEL = (
    _wrong(
        "prune_model",
        "biases_pruned",
        "Biases are pruned, too; they stay.",
        ((_MATRICES, "matrices = list(params)"),),
        (_PER_NAME, "How many axes has a bias?"),
    ),
    _wrong(
        "prune_model",
        "biases_counted",
        "The share is taken of all numbers, biases included; only the matrices count.",
        ((_LIMIT, "limit = np.sort(sizes)[int(share * sum(p.size for p in params.values()))]"),),
        ("Count the zeros of all matrices together.", "Of what is it a share?"),
    ),
    _wrong(
        "prune_model",
        "share_of_each_matrix",
        "Each matrix loses this share; here all matrices are in one ranking.",
        (
            (
                _BELOW,
                "own = np.sort(np.abs(params[name]), axis=None)\n"
                "limit = own[int(share * len(own))]\n"
                "pruned[name] = np.where(np.abs(params[name]) < limit, 0, params[name])",
            ),
        ),
        (_PER_NAME, "May one matrix lose more than another?"),
    ),
    _wrong(
        "prune_model",
        "same_number_each",
        "Each matrix loses the same number of weights; here all matrices are in one ranking.",
        (
            (
                _BELOW,
                "own = np.sort(np.abs(params[name]), axis=None)\n"
                "k = int(share * len(sizes)) // len(matrices)\n"
                "limit = own[min(k, len(own) - 1)]\n"
                "pruned[name] = np.where(np.abs(params[name]) < limit, 0, params[name])",
            ),
        ),
        (_PER_NAME, "May one matrix lose more than another?"),
    ),
    _wrong(
        "prune_model",
        "negative_ones_go",
        "The most negative weights go; the sign must not matter.",
        (
            (_SIZES, "sizes = np.concatenate([params[name].ravel() for name in matrices])"),
            (_BELOW, "pruned[name] = np.where(params[name] < limit, 0, params[name])"),
        ),
        ("Print the smallest and the largest weight that is left.", "Is -4 a small weight?"),
    ),
    _wrong(
        "prune_model",
        "share_is_kept",
        "The share says how much stays; here it says how much goes.",
        ((_LIMIT, "limit = np.sort(sizes)[int((1 - share) * len(sizes))]"),),
        ("Count the zeros of all matrices together.", "With which share must nothing change?"),
    ),
    _wrong(
        "prune_model",
        "number_rounded_up",
        "The number of weights that go is rounded up; here it is rounded down.",
        ((_LIMIT, "limit = np.sort(sizes)[int(np.ceil(share * len(sizes)))]"),),
        (
            "Count the zeros of all matrices together.",
            "Take seven weights and the share 0.5: three go.",
        ),
    ),
    _wrong(
        "prune_model",
        "share_of_the_largest",
        "All weights go that are smaller than this share of the largest one; a share of the "
        "number of weights is asked for.",
        ((_LIMIT, "limit = share * sizes.max()"),),
        ("Count the zeros of all matrices together.", "Of what is it a share?"),
    ),
    _wrong(
        "prune_model",
        "large_ones_go",
        "The largest weights go, and the smallest stay.",
        (
            (_LIMIT, "limit = np.sort(sizes)[-1 - int(share * len(sizes))]"),
            (_BELOW, "pruned[name] = np.where(np.abs(params[name]) > limit, 0, params[name])"),
        ),
        ("Print the smallest and the largest weight that is left.", "On which side of the limit?"),
    ),
    _wrong(
        "prune_model",
        "masks_returned",
        "Masks of ones and zeros are returned, and not the weights.",
        ((_BELOW, "pruned[name] = np.where(np.abs(params[name]) < limit, 0, 1)"),),
        ("Print one of the matrices that you return.", "What do the weights that stay look like?"),
    ),
    _wrong(
        "prune_model",
        "biases_missing",
        "The biases are missing from the result.",
        ((_COPY, "pruned = {}"),),
        ("Print the names in your result.", "A model without its biases is another one."),
    ),
    _wrong(
        "prune_model",
        "first_matrix_only",
        "Only the first matrix is pruned.",
        ((_MATRICES, "matrices = [name for name in params if params[name].ndim == 2][:1]"),),
        (_PER_NAME, "Over which names does your loop go?"),
    ),
)

_STRENGTH = "strength = (Wh**2).sum(axis=1) + (V**2).sum(axis=1)"
_UNITS = "units = np.sort(np.argsort(-strength)[:keep])"
_COLUMNS = "columns = np.concatenate([units + gate * H for gate in range(4)])"
_SMALLER = "return Wx[:, columns], Wh[units][:, columns], b[columns], V[units]"
_PRINT_UNITS = "Print the strength of each unit, and which units you keep."

UNITS = (
    _wrong(
        "drop_units",
        "weakest_kept",
        "The units with the smallest outgoing weights are kept.",
        ((_UNITS, "units = np.sort(np.argsort(strength)[:keep])"),),
        (_PRINT_UNITS, "At which end of a sorted list are the strongest?"),
    ),
    _wrong(
        "drop_units",
        "units_by_strength",
        "The units come in the order of their strength; here they stay in the order in which they "
        "were.",
        ((_UNITS, "units = np.argsort(-strength)[:keep]"),),
        (_PRINT_UNITS, "In which order does the text want them?"),
        convention=True,
    ),
    _wrong(
        "drop_units",
        "incoming_weights",
        "The strength is measured by what goes into a unit; what goes out of it counts here.",
        (
            (
                _STRENGTH,
                "strength = (Wh**2).sum(axis=0).reshape(4, H).sum(axis=0) + (V**2).sum(axis=1)",
            ),
        ),
        ("In h @ Wh, which row of Wh is multiplied by h[j]?", _PRINT_UNITS),
    ),
    _wrong(
        "drop_units",
        "output_layer_ignored",
        "The strength leaves out V, into which a unit goes as well.",
        ((_STRENGTH, "strength = (Wh**2).sum(axis=1)"),),
        ("Into which two matrices does h go?", _PRINT_UNITS),
    ),
    _wrong(
        "drop_units",
        "recurrence_ignored",
        "The strength leaves out Wh, into which a unit goes as well.",
        ((_STRENGTH, "strength = (V**2).sum(axis=1)"),),
        ("Into which two matrices does h go?", _PRINT_UNITS),
    ),
    _wrong(
        "drop_units",
        "signs_cancel",
        "The weights are added up with their signs, so large ones cancel each other.",
        ((_STRENGTH, "strength = Wh.sum(axis=1) + V.sum(axis=1)"),),
        ("What is the strength of a unit with the weights 5 and -5?", _PRINT_UNITS),
    ),
    _wrong(
        "drop_units",
        "absolute_sums",
        "Absolute values are added up; here squares are.",
        ((_STRENGTH, "strength = np.abs(Wh).sum(axis=1) + np.abs(V).sum(axis=1)"),),
        ("The text has a formula for the strength.", _PRINT_UNITS),
        convention=True,
    ),
    _wrong(
        "drop_units",
        "norms_added",
        "The roots of two sums are added; here the sum of all squares counts.",
        (
            (
                _STRENGTH,
                "strength = np.linalg.norm(Wh, axis=1) + np.linalg.norm(V, axis=1)",
            ),
        ),
        ("The text has a formula for the strength.", _PRINT_UNITS),
        convention=True,
    ),
    _wrong(
        "drop_units",
        "gates_interleaved",
        "The columns are taken as if the four gates of a unit stood side by side; here each gate "
        "is a block of H columns.",
        ((_COLUMNS, "columns = np.concatenate([4 * units + gate for gate in range(4)])"),),
        ("Print the columns that you take.", "Where are the columns of unit 0 if H is 5?"),
    ),
    _wrong(
        "drop_units",
        "one_gate_four_times",
        "The columns of the first gate are taken four times.",
        ((_COLUMNS, "columns = np.concatenate([units, units, units, units])"),),
        ("Print the columns that you take.", "Where does the block of the second gate begin?"),
    ),
    _wrong(
        "drop_units",
        "first_units_kept",
        "The first units are kept, and not the strongest.",
        ((_UNITS, "units = np.arange(keep)"),),
        (_PRINT_UNITS, "A sorted list of strengths does not say whose they are."),
    ),
    _wrong(
        "drop_units",
        "rows_stay",
        "Wh has lost columns and no rows; it is as large as h at one side, and h is smaller now.",
        ((_SMALLER, "return Wx[:, columns], Wh[:, columns], b[columns], V[units]"),),
        ("Print the shapes of what you return.", "How long is h in the smaller network?"),
    ),
    _wrong(
        "drop_units",
        "units_set_to_zero",
        "The units are set to zero; here they go, and the arrays become smaller.",
        (
            (
                _SMALLER,
                "there = np.isin(np.arange(H), units)\n"
                "four = np.tile(there, 4)\n"
                "return Wx * four, Wh * there[:, None] * four, b * four, V * there[:, None]",
            ),
        ),
        ("Print the shapes of what you return.", "Does a zero take less memory than a number?"),
    ),
)

_LARGEST = "largest = np.abs(W).max(axis=1)"
_SCALE = "return np.where(largest > 0, largest / 127, 1.0)"
_ROW = "Take the row [1, -254]: its scale is 2."

SCALES = (
    _wrong(
        "row_scales",
        "per_tensor",
        "All rows have one scale, that of the largest weight; here each row has its own.",
        ((_LARGEST, "largest = np.full(len(W), np.abs(W).max())"),),
        ("Print the scales.", "Along which axis do you look for the largest?"),
        convention=True,
    ),
    _wrong(
        "row_scales",
        "one_number",
        "There is one scale for the whole matrix; here each row has its own.",
        ((_SCALE, "return largest.max() / 127"),),
        ("How many scales do you return?", "Along which axis do you look for the largest?"),
        convention=True,
    ),
    _wrong(
        "row_scales",
        "by_column",
        "Each column has a scale; here each row has one.",
        ((_LARGEST, "largest = np.abs(W).max(axis=0)"),),
        ("How many scales do you return?", "Along which axis do you look for the largest?"),
    ),
    _wrong(
        "row_scales",
        "sign_forgotten",
        "The largest number is taken, and not the largest absolute value.",
        ((_LARGEST, "largest = W.max(axis=1)"),),
        (_ROW, "Can a negative weight be the largest?"),
    ),
    _wrong(
        "row_scales",
        "over_128",
        "The largest is divided by 128: it would become 128, which int8 has not.",
        ((_SCALE, "return np.where(largest > 0, largest / 128, 1.0)"),),
        (_ROW, "What is the largest number of int8?"),
    ),
    _wrong(
        "row_scales",
        "over_255",
        "The largest is divided by 255; on each side of zero there are 127 steps.",
        ((_SCALE, "return np.where(largest > 0, largest / 255, 1.0)"),),
        (_ROW, "What is the largest number of int8?"),
    ),
    _wrong(
        "row_scales",
        "range_for_largest",
        "The range from the smallest to the largest is divided by 254; then zero is not always in "
        "the middle.",
        ((_LARGEST, "largest = (W.max(axis=1) - W.min(axis=1)) / 2"),),
        (_ROW, "Which integer must a weight of 0 become?"),
    ),
    _wrong(
        "row_scales",
        "zero_for_zeros",
        "A row of zeros has the scale 0, or nearly 0; this task asks for 1, so that all can be "
        "divided by it.",
        ((_SCALE, "return largest / 127"),),
        ("Look at a row of zeros.", "The text says what its scale is."),
    ),
    _wrong(
        "row_scales",
        "steps_for_scale",
        "This is how many steps a weight of 1 has, one over the scale.",
        ((_SCALE, "return np.where(largest > 0, 127 / np.maximum(largest, 1e-300), 1.0)"),),
        (_ROW, "Is the scale of a row larger where its weights are larger?"),
    ),
    _wrong(
        "row_scales",
        "not_over_127",
        "The largest absolute value itself is returned; one step is asked for.",
        ((_SCALE, "return np.where(largest > 0, largest, 1.0)"),),
        (_ROW, "How many steps lie between 0 and the largest?"),
    ),
    _wrong(
        "row_scales",
        "mean_for_largest",
        "The mean absolute value is taken, and not the largest.",
        ((_LARGEST, "largest = np.abs(W).mean(axis=1)"),),
        (_ROW, "Which integer would the largest weight of a row become?"),
    ),
    _wrong(
        "row_scales",
        "norm_for_largest",
        "The norm of the row is taken, and not its largest absolute value.",
        ((_LARGEST, "largest = np.linalg.norm(W, axis=1)"),),
        (_ROW, "Which integer would the largest weight of a row become?"),
    ),
)

_STEPS = "steps = np.round(W / scale[:, None])"
_INT8 = "Q = np.clip(steps, -127, 127).astype(np.int8)"
_AGAIN = "back = Q * scale[:, None]"
_STEP = "Take one row [1.9, -1.9, 300] with the scale 1, and do it by hand."

QUANTISE = (
    _wrong(
        "quantise",
        "truncated",
        "Decimals are cut off, towards zero; they must be rounded to the nearest.",
        ((_STEPS, "steps = np.trunc(W / scale[:, None])"),),
        (_STEP, "What does a conversion to int8 do with 1.9?"),
    ),
    _wrong(
        "quantise",
        "floored",
        "Numbers are rounded down; they must be rounded to the nearest.",
        ((_STEPS, "steps = np.floor(W / scale[:, None])"),),
        (_STEP, "How far from W may what comes back be, in steps?"),
    ),
    _wrong(
        "quantise",
        "not_rounded",
        "The steps are not rounded: Q must hold whole numbers.",
        (
            (_STEPS, "steps = W / scale[:, None]"),
            (_INT8, "Q = np.clip(steps, -127, 127)"),
        ),
        (_STEP, "Print Q."),
    ),
    _wrong(
        "quantise",
        "not_clipped",
        "What lies beyond 127 steps is left there; int8 has no place for it.",
        ((_INT8, "Q = steps"),),
        (_STEP, "Print the smallest and the largest entry of Q."),
    ),
    _wrong(
        "quantise",
        "wraps_around",
        "What lies beyond 127 steps comes in again at the other end: it was converted before it "
        "was clipped.",
        ((_INT8, "Q = steps.astype(int).astype(np.int8)"),),
        (_STEP, "What does a conversion to int8 make of 300?"),
    ),
    _wrong(
        "quantise",
        "converted_only",
        "A conversion to int8 does all the work: it cuts decimals off, and what lies beyond 127 "
        "comes in again at the other end.",
        (
            (_STEPS, "steps = np.trunc(W / scale[:, None])"),
            (_INT8, "Q = steps.astype(int).astype(np.int8)"),
        ),
        (_STEP, "What does a conversion to int8 make of 1.9, and what of 300?"),
    ),
    _wrong(
        "quantise",
        "down_to_128",
        "The smallest entry is -128; here both sides end at 127, so that zero is in the middle.",
        ((_INT8, "Q = np.clip(steps, -128, 127)"),),
        (_STEP, "Print the smallest and the largest entry of Q."),
    ),
    _wrong(
        "quantise",
        "scale_multiplied",
        "W is multiplied by the scale; the scale is the size of a step.",
        ((_STEPS, "steps = np.round(W * scale[:, None])"),),
        ("How many steps of 0.5 are in 3?", _STEP),
    ),
    _wrong(
        "quantise",
        "one_scale_for_all",
        "All rows are divided by the largest scale; each row has its own.",
        (
            (_STEPS, "steps = np.round(W / scale.max())"),
            (_AGAIN, "back = Q * scale.max()"),
        ),
        ("Print the entries of Q row by row.", "Which scale belongs to which row?"),
    ),
    _wrong(
        "quantise",
        "zero_at_128",
        "Q is shifted by 128, as unsigned bytes are; here 0 becomes 0.",
        (
            (_INT8, "Q = np.clip(steps, -127, 127) + 128"),
            (_AGAIN, "back = (Q - 128) * scale[:, None]"),
        ),
        ("Which integer does a weight of 0 become?", _STEP),
        convention=True,
    ),
    _wrong(
        "quantise",
        "back_in_steps",
        "What comes back is counted in steps; it must be as large as W.",
        ((_AGAIN, "back = Q"),),
        ("Print back beside W.", "How large is a step?"),
    ),
    _wrong(
        "quantise",
        "back_is_given",
        "W itself comes back: it must be made from Q and the scale alone.",
        ((_AGAIN, "back = W"),),
        ("Subtract W from back.", "On the small device there is Q and the scale, and no W."),
    ),
    _wrong(
        "quantise",
        "back_divided",
        "Q is divided by the scale on the way back.",
        ((_AGAIN, "back = Q / scale[:, None]"),),
        ("Print back beside W.", "How large is a step?"),
    ),
)

_BOTH = "log_p, log_q = log_softmax(v / tau), log_softmax(z / tau)"
_SOFT = "soft = (np.exp(log_p) * (log_p - log_q)).sum(axis=1).mean()"
_HARD = "hard = -log_softmax(z)[np.arange(len(y)), y].mean()"
_LOSS = "return share * tau**2 * soft + (1 - share) * hard"
_EQUAL = "Give the same scores as z and v, with share = 1: the loss must be 0."
_ALONE = "Ask with share = 1 and with share = 0: which of the two parts is wrong?"

DISTILLATION = (
    _wrong(
        "distillation_loss",
        "tau_squared_missing",
        "The factor tau squared is missing: the gradient of the soft part shrinks with tau.",
        ((_LOSS, "return share * soft + (1 - share) * hard"),),
        (_ALONE, "Compare your loss with the formula, factor by factor, for tau = 2."),
    ),
    _wrong(
        "distillation_loss",
        "tau_once",
        "The soft part is multiplied by tau; its square is asked for.",
        ((_LOSS, "return share * tau * soft + (1 - share) * hard"),),
        (_ALONE, "Compare your loss with the formula, factor by factor, for tau = 2."),
    ),
    _wrong(
        "distillation_loss",
        "tau_squared_on_both",
        "The hard part is multiplied by tau squared, too.",
        ((_LOSS, "return tau**2 * (share * soft + (1 - share) * hard)"),),
        (_ALONE, "May the loss with share = 0 change with tau?"),
    ),
    _wrong(
        "distillation_loss",
        "divided_by_tau_squared",
        "The soft part is divided by tau squared; it is multiplied by it.",
        ((_LOSS, "return share * soft / tau**2 + (1 - share) * hard"),),
        (_ALONE, "Compare your loss with the formula, factor by factor, for tau = 2."),
    ),
    _wrong(
        "distillation_loss",
        "teacher_without_tau",
        "The teacher's scores are not divided by tau.",
        ((_BOTH, "log_p, log_q = log_softmax(v), log_softmax(z / tau)"),),
        (_EQUAL, "Print both distributions for a large tau: both become flat."),
    ),
    _wrong(
        "distillation_loss",
        "student_without_tau",
        "The student's scores are not divided by tau.",
        ((_BOTH, "log_p, log_q = log_softmax(v / tau), log_softmax(z)"),),
        (_EQUAL, "Print both distributions for a large tau: both become flat."),
    ),
    _wrong(
        "distillation_loss",
        "tau_ignored",
        "Neither of the two is divided by tau.",
        ((_BOTH, "log_p, log_q = log_softmax(v), log_softmax(z)"),),
        ("Print both distributions for a large tau: both become flat.", _ALONE),
    ),
    _wrong(
        "distillation_loss",
        "tau_multiplied",
        "The scores are multiplied by tau: that makes them sharper, and not softer.",
        ((_BOTH, "log_p, log_q = log_softmax(v * tau), log_softmax(z * tau)"),),
        ("Print both distributions for a large tau: both become flat.", _ALONE),
    ),
    _wrong(
        "distillation_loss",
        "divergence_reversed",
        "The divergence is the other way round: the teacher's probabilities are the weights.",
        ((_SOFT, "soft = (np.exp(log_q) * (log_q - log_p)).sum(axis=1).mean()"),),
        (_ALONE, "Whose probabilities stand in front of the logarithms in the formula?"),
    ),
    _wrong(
        "distillation_loss",
        "cross_entropy_for_divergence",
        "The soft part is the cross-entropy. It has the same gradient, and is not 0 where both "
        "agree.",
        ((_SOFT, "soft = -(np.exp(log_p) * log_q).sum(axis=1).mean()"),),
        (_EQUAL, "What of the formula does not depend on the student?"),
        convention=True,
    ),
    _wrong(
        "distillation_loss",
        "cross_entropy_without_tau",
        "The soft part is the cross-entropy, and the factor tau squared is missing.",
        (
            (_SOFT, "soft = -(np.exp(log_p) * log_q).sum(axis=1).mean()"),
            (_LOSS, "return share * soft + (1 - share) * hard"),
        ),
        (_EQUAL, "Compare your loss with the formula, factor by factor, for tau = 2."),
    ),
    _wrong(
        "distillation_loss",
        "mean_over_classes",
        "The soft part is a mean over the classes, too; over them it is a sum.",
        ((_SOFT, "soft = (np.exp(log_p) * (log_p - log_q)).mean()"),),
        (_ALONE, "By how many numbers do you divide?"),
    ),
    _wrong(
        "distillation_loss",
        "summed_over_examples",
        "The loss is a sum over the examples; it is their mean.",
        (
            (_SOFT, "soft = (np.exp(log_p) * (log_p - log_q)).sum()"),
            (_HARD, "hard = -log_softmax(z)[np.arange(len(y)), y].sum()"),
        ),
        ("Give every example twice: may the loss change?", _ALONE),
    ),
    _wrong(
        "distillation_loss",
        "hard_part_softened",
        "The hard part is made from scores that are divided by tau; it has none.",
        ((_HARD, "hard = -log_q[np.arange(len(y)), y].mean()"),),
        (_ALONE, "May the loss with share = 0 change with tau?"),
    ),
    _wrong(
        "distillation_loss",
        "labels_of_the_teacher",
        "The hard part takes the teacher's best class for the label.",
        ((_HARD, "hard = -log_softmax(z)[np.arange(len(y)), v.argmax(axis=1)].mean()"),),
        (_ALONE, "May the loss with share = 0 change with v?"),
    ),
    _wrong(
        "distillation_loss",
        "shares_exchanged",
        "The two shares are exchanged.",
        ((_LOSS, "return (1 - share) * tau**2 * soft + share * hard"),),
        (_ALONE, "Which part is left where share is 1?"),
    ),
    _wrong(
        "distillation_loss",
        "hard_part_in_full",
        "The hard part is added in full, whatever the share is.",
        ((_LOSS, "return share * tau**2 * soft + hard"),),
        (_ALONE, "What must be left of the hard part where share is 1?"),
    ),
    _wrong(
        "distillation_loss",
        "soft_part_in_full",
        "The soft part is added in full, whatever the share is.",
        ((_LOSS, "return tau**2 * soft + (1 - share) * hard"),),
        (_ALONE, "What must be left of the soft part where share is 0?"),
    ),
)

MISTAKES = (
    *DRAWS,
    *SEARCH,
    *PRICE,
    *HALVING,
    *CHOICE,
    *LAYER,
    *MODEL,
    *UNITS,
    *SCALES,
    *QUANTISE,
    *DISTILLATION,
)
