"""Tables that count, beside counting by looking at every place of the text."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_ref.data import NgramTable
from lstm_ref.errors import ArgumentError

ALPHABET = "abcz"  # z never stands in the counted text
TEXTS = st.text("abc", min_size=3, max_size=40)


def count(text, s, longest):
    return sum(text.startswith(s, j) for j in range(len(text) - longest))


def score(text, s, x, longest):
    """Back-off of the formula, one place after the other."""
    n_s, n_sx = count(text, s, longest), count(text, s + x, longest)
    if not s:
        return max(n_sx, 1) / n_s
    return n_sx / n_s if n_sx else 0.4 * score(text, s[1:], x, longest)


def interpolated(text, s, x, longest):
    shorter = interpolated(text, s[1:], x, longest) if s else 1 / len(ALPHABET)
    n, u = count(text, s, longest), sum(count(text, s + y, longest) > 0 for y in ALPHABET)
    return (count(text, s + x, longest) + u * shorter) / (n + u) if n else shorter


@given(TEXTS, st.text(ALPHABET, min_size=2, max_size=5), st.sampled_from(ALPHABET))
def test_both_ways_are_their_formulas(text, context, x):
    table = NgramTable(text, ALPHABET, longest=2)
    contexts = ["", context[-1:], context[-2:]]
    by_looking = [interpolated(text, s, x, 2) for s in contexts]
    np.testing.assert_allclose(table.probabilities(context, x), by_looking, rtol=1e-12)
    sums = [sum(score(text, s, y, 2) for y in ALPHABET) for s in contexts]
    by_looking = [score(text, s, x, 2) / total for s, total in zip(contexts, sums, strict=True)]
    np.testing.assert_allclose(table.probabilities(context, x, "back-off"), by_looking, rtol=1e-12)


@pytest.mark.parametrize("smoothing", ["interpolation", "back-off"])
@given(text=TEXTS, context=st.text(ALPHABET, min_size=2, max_size=2))
def test_probabilities_sum_to_one_also_for_what_was_never_seen(smoothing, text, context):
    table = NgramTable(text, ALPHABET, longest=2)
    p = np.array([table.probabilities(context, x, smoothing) for x in ALPHABET])
    assert (p > 0).all()
    np.testing.assert_allclose(p.sum(axis=0), 1, rtol=1e-12)


def test_losses_are_means_over_the_same_places_for_every_context():
    table = NgramTable("abcabcaabbcc", ALPHABET, longest=2)
    text = "cabzab"
    p = [table.probabilities(text[:t], text[t], "back-off") for t in range(2, len(text))]
    np.testing.assert_allclose(table.losses(text, "back-off"), -np.log(p).mean(axis=0))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (
            lambda: NgramTable("ab", "ab", longest=2),
            "must be longer than the longest context, got 2 characters",
        ),
        (lambda: NgramTable("abcq", "abc", longest=1), r"got also \['q'\]"),
        (
            lambda: NgramTable("abab", "ab", 1).probabilities("", "a"),
            "needs 1 characters of context",
        ),
        (
            lambda: NgramTable("abab", "ab", 1).probabilities("a", "q"),
            "a next character that can come",
        ),
        (lambda: NgramTable("abab", "ab", 1).losses("abab", "katz"), "smoothing must be one of"),
        (lambda: NgramTable("abab", "ab", 2).losses("ab"), "losses: the text must be longer"),
    ],
)
def test_bad_input_is_told_what_was_expected(call, says):
    with pytest.raises(ArgumentError, match=says):
        call()
