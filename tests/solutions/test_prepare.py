"""The problem set prepare: its reference beside other ways to compute it. The rest is in
test_plain_sets.py.
"""

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.model_selection import TimeSeriesSplit
from sklearn.preprocessing import StandardScaler

from lstm_ref.practice import prepare
from tests.support.problem_sets import SetOf, ask
from verdict import Status
from verdict.compare import copy_tree, read, relative_error

SET = SetOf("prepare", prepare)


def cut(text):
    """Word by word: what is neither a letter, a digit nor an apostrophe stands alone."""
    spaced = "".join(
        c if c.isalnum() or c in "' " else f" {c} " if not c.isspace() else " "
        for c in text.lower()
    )
    return spaced.split()


def vocabulary(sentences, min_count):
    counter = CountVectorizer(analyzer=lambda words: words).fit(sentences)
    counts = dict(
        zip(
            counter.get_feature_names_out(),
            counter.transform(sentences).sum(axis=0).A1,
            strict=True,
        )
    )
    kept = sorted(w for w in counts if counts[w] >= min_count)
    return dict(
        zip(
            ["<pad>", "<unk>", *sorted(kept, key=counts.get, reverse=True)],
            range(len(kept) + 2),
            strict=True,
        )
    )


def rows(sentences, numbers, T):
    ids = [([numbers.get(word, 1) for word in words] + [0] * T)[:T] for words in sentences]
    return ids, [[t < len(words) for t in range(T)] for words in sentences]


def both(train, test, min_count):
    numbers = vocabulary(list(map(cut, train)), min_count)
    return [
        [[numbers.get(word, 1) for word in cut(text)] for text in texts] for texts in (train, test)
    ]


def scaled(train, test):
    scaler = StandardScaler().fit(train)
    return scaler.transform(train), scaler.transform(test)


def strided(series, T, horizon):
    view = np.lib.stride_tricks.sliding_window_view(series, T + horizon)
    return view[:, :T], view[:, -1]


def split(n, n_test, gap):
    (only,) = [
        list(pair) for pair in TimeSeriesSplit(2, test_size=n_test, gap=gap).split(np.zeros(n))
    ][1:]
    return only


def leaks(train, test):
    texts, people = np.array([t for _, t in train]), np.array([s for s, _ in train])
    known = np.isin([s for s, _ in test], people)
    repeated = np.isin([t for _, t in test], texts)
    return np.flatnonzero(repeated), np.flatnonzero(known), np.flatnonzero(~repeated & ~known)


INDEPENDENT = {
    "tokenize": cut,
    "build_vocabulary": vocabulary,
    "encode_pad": rows,
    "encode_sets": both,
    "scale": scaled,
    "windows": strided,
    "split_by_time": split,
    "leak_report": leaks,
}


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("check", SET.graded.CHECKS, ids=lambda check: check.name)
def test_what_is_expected_agrees_with_a_second_way_to_compute_it(check, seed):
    for case in check.cases(np.random.default_rng(seed)):
        expected = read(check, check.expected(*copy_tree(case.args)), "expected")
        other = read(check, INDEPENDENT[check.name](*copy_tree(case.args)), "other")
        for name in expected:
            assert relative_error(other[name], expected[name]) < 0.1 * check.tolerance, (
                case.label,
                name,
            )
    verdict = ask(check, check.expected, seed)
    assert (verdict.status, verdict.credit, verdict.warnings) == (Status.PASSED, 1.0, ())


def test_a_message_says_where_a_vocabulary_differs_and_gives_no_number_of_it_away():
    check = next(check for check in prepare.CHECKS if check.name == "build_vocabulary")
    verdict = ask(check, lambda *a: {word: k + (k > 3) for word, k in check.expected(*a).items()})
    assert verdict.status is Status.WRONG and "it differs first at ['" in verdict.message
