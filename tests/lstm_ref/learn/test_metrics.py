from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lstm_ref import cross_entropy
from lstm_ref.data import load, split_by_time, windows
from lstm_ref.errors import ArgumentError, DTypeError, NotFiniteError, ShapeError
from lstm_ref.learn.metrics import (
    bits_per_character,
    character_error_rate,
    edit_distance,
    error_by_horizon,
    error_by_length,
    error_rate,
    masked_accuracy,
    perplexity,
    persistence,
    seasonal_naive,
    skill,
    word_error_rate,
)

# --- tokens


@given(st.integers(1, 500), st.sampled_from([np.float32, np.float64]))
def test_model_that_knows_nothing_has_the_perplexity_and_the_bits_of_its_vocabulary(V, dtype):
    nll = np.full((3, 4), np.log(V), dtype)
    assert perplexity(nll) == pytest.approx(V, rel=1e-5)
    assert bits_per_character(nll) == pytest.approx(np.log2(V), rel=1e-6)


def test_perplexity_is_the_exponential_of_the_cross_entropy():
    rng = np.random.default_rng(0)
    logits, targets = rng.normal(size=(4, 6, 9)), rng.integers(0, 9, (4, 6))
    p = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    nll = -np.log(np.take_along_axis(p, targets[..., np.newaxis], axis=-1)[..., 0])
    assert perplexity(nll) == pytest.approx(np.exp(cross_entropy(logits, targets)[0]), rel=1e-12)


@given(st.lists(st.integers(0, 6), min_size=1, max_size=6).filter(any), st.integers(0, 9))
def test_padding_does_not_count_whatever_stands_in_it(lengths, junk):
    mask = np.arange(8) < np.array(lengths)[:, np.newaxis]
    rng = np.random.default_rng(0)
    nll, predicted = rng.exponential(size=mask.shape), rng.integers(0, 3, mask.shape)
    targets = rng.integers(0, 3, mask.shape)
    tokens = [(n, t) for n, length in enumerate(lengths) for t in range(length)]
    mean = sum(nll[k] for k in tokens) / len(tokens)
    nll[~mask] = -junk  # not even the sign
    predicted[~mask] = junk
    assert perplexity(nll, mask) == pytest.approx(np.exp(mean), rel=1e-12)
    assert bits_per_character(nll, mask) == pytest.approx(mean / np.log(2), rel=1e-12)
    right = sum(predicted[k] == targets[k] for k in tokens)
    assert masked_accuracy(predicted, targets, mask) == pytest.approx(
        right / len(tokens), rel=1e-12
    )


def test_perplexity_is_by_token_and_not_the_mean_of_sentences():
    nll = np.log(np.array([[2.0, 2.0, 2.0], [16.0, 1.0, 1.0]]))
    mask = np.array([[True, True, True], [True, False, False]])
    # the mean of 2 and 16 would be 9
    assert perplexity(nll, mask) == pytest.approx(2 ** ((3 + 4) / 4))


def test_hopeless_model_has_infinite_perplexity_and_float32_keeps_its_digits():
    assert perplexity(np.array([800.0])) == np.inf
    many = np.full(3_000_001, 0.1, np.float32)
    assert perplexity(many) == pytest.approx(np.exp(np.float64(np.float32(0.1))), rel=1e-12)


# --- edits


def slow_distance(a, b):
    """The definition: every way to go on, without a table."""

    @cache
    def away(i, j):
        if i == len(a) or j == len(b):
            return len(a) - i + len(b) - j
        return min(away(i + 1, j) + 1, away(i, j + 1) + 1, away(i + 1, j + 1) + (a[i] != b[j]))

    return away(0, 0)


TEXTS = st.text("abc", max_size=8)


@given(TEXTS, TEXTS, TEXTS)
def test_edit_distance_is_the_fewest_edits_and_a_distance(a, b, c):
    d = edit_distance(a, b)
    assert d == slow_distance(a, b) == edit_distance(b, a) == edit_distance(list(a), tuple(b))
    assert (d == 0) == (a == b)
    assert abs(len(a) - len(b)) <= d <= max(len(a), len(b))
    assert d <= edit_distance(a, c) + edit_distance(c, b)


@given(st.text("abc", min_size=1, max_size=12), st.data())
def test_edits_that_were_made_are_an_upper_bound(text, data):
    changed, edits = list(text), data.draw(st.integers(0, 4))
    for _ in range(edits):
        k = data.draw(st.integers(0, len(changed)))
        kind = data.draw(st.sampled_from(["insert", "delete", "change"]))
        if kind == "insert" or k == len(changed):
            changed.insert(k, "z")
        elif kind == "delete":
            del changed[k]
        else:
            changed[k] = "z"
    assert edit_distance(text, changed) <= edits


@given(
    st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=5).filter(
        lambda pairs: any(r for r, _ in pairs)
    )
)
def test_error_rate_is_total_edits_over_total_length_of_the_references(pairs):
    references, hypotheses = zip(*pairs, strict=True)
    expected = sum(slow_distance(r, h) for r, h in pairs) / sum(len(r) for r in references)
    assert (
        error_rate(references, hypotheses)
        == expected
        == character_error_rate(references, hypotheses)
    )
    spaced = [[" ".join(text) for text in side] for side in (references, hypotheses)]
    assert word_error_rate(*spaced) == expected


def test_error_rate_of_one_who_talks_too_much_is_above_1_and_of_silence_exactly_1():
    assert word_error_rate(["yes"], ["well yes of course"]) == 3
    assert word_error_rate(["yes of course", "no"], ["", ""]) == 1
    assert character_error_rate(["a b"], ["ab"]) == 1 / 3  # a space is a character
    # An empty reference beside another one is allowed: what is said in it counts.
    assert word_error_rate(["", "no"], ["oh", "no"]) == 1


# --- forecasts

WINDOWS = hnp.arrays(
    np.float64,
    st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(1, 2)),
    elements=st.integers(-9, 9),
)


@given(WINDOWS, st.integers(1, 9), st.data())
def test_naive_forecasts_are_what_they_say(x, horizon, data):
    M, T, D = x.shape
    period = data.draw(st.integers(1, T))
    last, season = persistence(x, horizon), seasonal_naive(x, horizon, period)
    assert last.shape == season.shape == (M, horizon, D)
    for h in range(horizon):
        np.testing.assert_array_equal(last[:, h], x[:, -1])
        # One season before, and if that was not read either, one more.
        step = T + h - period
        while step >= T:
            step -= period
        np.testing.assert_array_equal(season[:, h], x[:, step])
    np.testing.assert_array_equal(seasonal_naive(x, horizon, 1), last)
    before = x.copy()
    last[:], season[:] = 99, 99
    np.testing.assert_array_equal(x, before)


def test_forecasts_of_a_perfect_season_have_no_error():
    t = np.arange(60.0)
    x, y = windows(np.sin(2 * np.pi * t / 12)[:, np.newaxis], T=24, horizon=12)
    naive = seasonal_naive(x, 12, 12)
    np.testing.assert_allclose(error_by_horizon(y, naive), 0, atol=1e-13)
    assert skill(y, naive, persistence(x, 12)) == pytest.approx(1)
    # The last value, twelve steps later, is right again.
    errors = error_by_horizon(y, persistence(x, 12))
    assert errors[-1] < 1e-13 < 0.5 < errors[5] == errors.max()


def test_skill_in_closed_form():
    rng = np.random.default_rng(0)
    y, noise = rng.normal(size=(2, 50, 4, 1))
    for measure in ("rmse", "mae"):
        # Half the error of the baseline in every number, whatever the measure.
        assert skill(y, y + noise, y + 2 * noise, measure) == pytest.approx(0.5)
        assert skill(y, y, y + noise, measure) == 1
        assert skill(y, y + noise, y + noise, measure) == 0
        assert skill(y, y + 2 * noise, y - noise, measure) == pytest.approx(-1)
    assert skill(np.zeros(2), np.array([3.0, 4.0]), np.array([5.0, 5.0])) == pytest.approx(
        1 - np.sqrt(12.5) / 5
    )
    assert skill(np.zeros(2), np.array([3.0, 4.0]), np.array([5.0, 5.0]), "mae") == pytest.approx(
        0.3
    )


@given(hnp.arrays(np.float64, (5, 3, 2), elements=st.integers(-9, 9)))
def test_errors_by_horizon_agree_with_scikit_learn(y):
    from sklearn.metrics import mean_absolute_error, root_mean_squared_error

    forecast = y[::-1] + 0.5
    for h in range(3):
        ours = [error_by_horizon(y, forecast, measure)[h] for measure in ("rmse", "mae")]
        flat = y[:, h].ravel(), forecast[:, h].ravel()
        np.testing.assert_allclose(
            ours, [f(*flat) for f in (root_mean_squared_error, mean_absolute_error)], rtol=1e-12
        )


def test_baselines_on_real_series_are_as_hard_as_they_are_said_to_be():
    series = load("el-nino")
    test = series.values[split_by_time(len(series.values)).test]
    x, y = windows(test, T=12, horizon=12)
    naive, last = seasonal_naive(x, 12, series.period), persistence(x, 12)
    errors = error_by_horizon(y, last)
    assert errors[0] < errors[2] < errors[5]  # half a year ahead the season has turned
    assert skill(y, naive, last) > 0.3
    # One month ahead the last month says more than last year's.
    assert errors[0] > 0.8 * error_by_horizon(y, naive)[0]


@given(st.lists(st.tuples(st.integers(1, 20), st.integers(-5, 5)), min_size=1, max_size=40))
def test_mean_by_length_counts_every_sequence_once(pairs):
    lengths, errors = (np.array(side) for side in zip(*pairs, strict=True))
    edges, mean, count = error_by_length(errors.astype(float), lengths, [1, 2, 5, 21])
    assert count.sum() == len(pairs) and edges.tolist() == [1, 2, 5, 21]
    for k, (low, high) in enumerate([(1, 2), (2, 5), (5, 21)]):
        mine = [error for length, error in pairs if low <= length < high]
        assert count[k] == len(mine)
        np.testing.assert_allclose(
            mean[k], np.mean(mine) if mine else np.nan, rtol=1e-12, atol=1e-12
        )
    assert np.nansum(mean * count) == pytest.approx(errors.sum())


# --- messages

ONE, TOKENS, CUBE = np.ones(3), np.array([1, 2, 3]), np.ones((2, 3, 1))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: perplexity(-ONE),
            ArgumentError,
            "nll must be 0 or more at every valid step, got -1.0; it is -ln p",
        ),
        (lambda: perplexity(ONE * np.nan), NotFiniteError, "nll must be finite"),
        (lambda: perplexity(TOKENS), DTypeError, "nll must be float32 or float64, got int64"),
        (
            lambda: bits_per_character(ONE, np.zeros(3, bool)),
            ArgumentError,
            "there is no valid step to take a mean over",
        ),
        (
            lambda: bits_per_character(ONE, np.ones(3)),
            DTypeError,
            "mask must be a boolean array, .* got float64",
        ),
        (lambda: bits_per_character(ONE, [True]), DTypeError, "got list"),
        (
            lambda: perplexity(ONE, np.ones((3, 1), bool)),
            ShapeError,
            r"mask must have the shape \(3,\), got \(3, 1\)",
        ),
        (lambda: perplexity(np.zeros(0)), ArgumentError, "there is no valid step"),
        (
            lambda: masked_accuracy(ONE, TOKENS),
            DTypeError,
            r"predicted must be .* got float64; .* take argmax\(axis=-1\)",
        ),
        (
            lambda: masked_accuracy(TOKENS, [1, 2, 3]),
            DTypeError,
            "targets must be an array of integers, got list",
        ),
        (
            lambda: masked_accuracy(TOKENS, TOKENS[:, np.newaxis]),
            ShapeError,
            r"shape of predicted, \(3,\), got \(3, 1\)",
        ),
        (
            lambda: error_rate(["a"], []),
            ArgumentError,
            "as many hypotheses as references, got 0 and 1",
        ),
        (lambda: error_rate([], []), ArgumentError, "the references hold no item"),
        (
            lambda: word_error_rate([" "], ["a"]),
            ArgumentError,
            "word_error_rate: the references hold no item",
        ),
        (
            lambda: word_error_rate("abc", "abd"),
            ArgumentError,
            "give lists of sentences, .* got a single string",
        ),
        (
            lambda: character_error_rate("abc", "abd"),
            ArgumentError,
            "character_error_rate: give lists of sentences",
        ),
        (
            lambda: persistence(ONE, 1),
            ShapeError,
            r"x must be \(M, T, D\) with every size at least 1, got \(3,\)",
        ),
        (lambda: persistence(CUBE, 0), ArgumentError, "horizon must be 1 or more"),
        (
            lambda: seasonal_naive(CUBE, 1, 4),
            ArgumentError,
            "period in 1 ... T = 3, got horizon=1, period=4; windows must",
        ),
        (lambda: skill(ONE, ONE, ONE), ArgumentError, "the baseline has no error"),
        (
            lambda: skill(ONE, ONE, CUBE),
            ShapeError,
            r"baseline must have the shape of y, \(3,\), got \(2, 3, 1\)",
        ),
        (lambda: skill(ONE, CUBE, ONE), ShapeError, "forecast must have the shape of y"),
        (
            lambda: skill(ONE, ONE, 2 * ONE, "mse"),
            ArgumentError,
            'measure must be "rmse" or "mae", got \'mse\'',
        ),
        (
            lambda: error_by_horizon(ONE, ONE),
            ShapeError,
            r"y must be \(M, horizon, D\), got \(3,\)",
        ),
        (lambda: error_by_horizon(CUBE, CUBE[:1]), ShapeError, "forecast must have the shape of y"),
        (lambda: error_by_length(CUBE, TOKENS, [1, 9]), ShapeError, r"errors must be \(n,\)"),
        (
            lambda: error_by_length(ONE, TOKENS[:2], [1, 9]),
            ShapeError,
            "lengths must have the shape of errors",
        ),
        (
            lambda: error_by_length(ONE, TOKENS, [1, 1]),
            ArgumentError,
            r"two or more increasing integers, got \[1, 1\]",
        ),
        (
            lambda: error_by_length(ONE, TOKENS, [1, 3]),
            ArgumentError,
            "lengths must lie from 1 to 2, got 1 to 3",
        ),
        (
            lambda: error_by_length(ONE, TOKENS, [2, 4]),
            ArgumentError,
            "lengths must lie from 2 to 3, got 1 to 3",
        ),
    ],
)
def test_metrics_refuse_what_they_cannot_measure(call, error, message):
    with pytest.raises(error, match=message):
        call()
