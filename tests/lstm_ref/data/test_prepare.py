"""Splits, vocabularies, padding, series: nothing of the test may come into training, and every step
can be undone.
"""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lstm_ref import lstm_forward, masked_lstm_forward
from lstm_ref.data import (
    WordVocabulary,
    buckets,
    difference,
    fill_forward,
    fit_scaler,
    load,
    pad,
    padding_share,
    reviews,
    split_by_group,
    split_by_time,
    split_stratified,
    tokenize,
    undifference,
    windows,
)
from lstm_ref.errors import ArgumentError, NotFiniteError, ShapeError

SHARES = st.sampled_from([(0.1, 0.1), (0.2, 0.3), (0.3, 0.0), (0.0, 0.3), (0.0, 0.0)])


def assert_parts(parts, n, left_out=0):
    """Each index is in one part at most, in increasing order, and all but ``left_out`` are in
    one.
    """
    together = np.concatenate(parts)
    assert len(np.unique(together)) == len(together) == n - left_out
    assert set(together.tolist()) <= set(range(n))
    assert all((np.diff(part) > 0).all() and part.dtype == np.int64 for part in parts)


# --- splits


@given(st.integers(40, 200), SHARES, st.integers(0, 5))
def test_time_goes_on_from_part_to_part_with_the_gap_between(L, shares, gap):
    parts = split_by_time(L, *shares, gap=gap)
    used = [part for part in parts if len(part)]
    assert_parts(parts, L, left_out=gap * (len(used) - 1))
    for before, after in zip(used, used[1:], strict=False):
        assert after[0] - before[-1] == gap + 1
    assert used[0][0] == 0 and used[-1][-1] == L - 1
    assert (len(parts.validation), len(parts.test)) == (round(L * shares[0]), round(L * shares[1]))


@given(st.integers(1, 8), st.integers(1, 4), st.integers(0, 12))
def test_windows_cut_after_the_split_share_no_step(T, horizon, gap):
    series = np.arange(200.0)[:, np.newaxis]
    parts = split_by_time(200, gap=gap)
    seen = [
        set(np.concatenate([a.ravel() for a in windows(series[part], T, horizon)]))
        for part in parts
    ]
    assert not seen[0] & seen[1] and not seen[1] & seen[2] and not seen[0] & seen[2]
    assert min(seen[1]) - max(seen[0]) == min(seen[2]) - max(seen[1]) == gap + 1


def test_windows_cut_before_a_random_split_share_nearly_all_steps():
    # What the documentation warns of, so that it stays true.
    x, _ = windows(np.arange(200.0)[:, np.newaxis], T=8)
    order = np.random.default_rng(0).permutation(len(x))
    train, test = (set(x[part].ravel()) for part in (order[40:], order[:40]))
    assert len(test & train) / len(test) > 0.95


@given(st.lists(st.integers(0, 9), min_size=1, max_size=60), SHARES, st.integers(0, 3))
def test_group_is_on_one_side(groups, shares, seed):
    n_groups = len(set(groups))
    wanted = [max(1, round(n_groups * share)) if share else 0 for share in shares]
    assume(n_groups > sum(wanted))
    parts = split_by_group(groups, *shares, seed=seed)
    assert_parts(parts, len(groups))
    names = [{groups[k] for k in part} for part in parts]
    assert sum(map(len, names)) == n_groups
    assert [len(names[1]), len(names[2])] == wanted


def test_group_split_knows_names_of_any_kind_and_draws_others_with_another_seed():
    spoken = load("synthetic-digits")
    splits = [split_by_group(spoken.speakers, seed=seed) for seed in range(6)]
    held_out = {spoken.speakers[split.test[0]] for split in splits}
    assert len(held_out) > 1
    for part in splits[0]:
        assert set(spoken.digits[part]) == set(range(10))


SENTENCES = st.lists(
    st.tuples(
        st.sampled_from(["a b", "A  b", "a B ", "c", "d", "e f", "g", "h", "E F"]),
        st.integers(0, 2),
    ),
    min_size=1,
    max_size=80,
)


@given(SENTENCES, SHARES)
def test_copies_of_a_sentence_are_on_one_side_and_labels_keep_their_share(sentences, shares):
    texts, labels = zip(*sentences, strict=True)
    try:
        parts = split_stratified(texts, labels, *shares)
    except ArgumentError as error:
        assume("too few for every part" not in str(error))
        raise
    assert_parts(parts, len(texts))
    keys = [{" ".join(texts[k].lower().split()) for k in part} for part in parts]
    assert not keys[0] & keys[1] and not keys[1] & keys[2] and not keys[0] & keys[2]


def test_stratified_split_keeps_the_shares_of_rare_labels_in_a_sorted_file():
    labels = np.array([0] * 900 + [1] * 90 + [2] * 10)
    parts = split_stratified([f"sentence {k}" for k in range(1000)], labels, 0.1, 0.2, seed=5)
    counts = [np.bincount(labels[part]).tolist() for part in parts]
    assert counts == [[630, 63, 7], [90, 9, 1], [180, 18, 2]]
    again = split_stratified([f"sentence {k}" for k in range(1000)], labels, 0.1, 0.2, seed=6)
    assert again.test.tolist() != parts.test.tolist()


def test_reviews_of_the_grammar_share_no_sentence_between_the_parts():
    texts, labels, _ = load("review-grammar")
    parts = split_stratified(texts, labels)
    sets = [{texts[k] for k in part} for part in parts]
    assert [len(s) for s in sets] == [len(part) for part in parts]
    assert not sets[0] & sets[1] and not sets[0] & sets[2] and not sets[1] & sets[2]
    for part in parts:
        assert abs(labels[part].mean() - labels.mean()) < 0.01


@pytest.mark.parametrize("split", ["split_by_time", "split_by_group", "split_stratified"])
def test_splits_refuse_shares_that_do_not_fit(split):
    functions = {
        "split_by_time": lambda *shares: split_by_time(100, *shares),
        "split_by_group": lambda *shares: split_by_group(range(100), *shares),
        "split_stratified": lambda *shares: split_stratified(
            list(map(str, range(100))), [0] * 100, *shares
        ),
    }
    for shares in ((-0.1, 0.1), (0.5, 0.5), (float("nan"), 0.1)):
        with pytest.raises(
            ArgumentError,
            match=f"^{split}: validation and test must be 0 or more and together less",
        ):
            functions[split](*shares)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: split_by_time(10, gap=-1), "gap must be 0 or more, got -1"),
        (
            lambda: split_by_time(4),
            "4 steps with validation=0.1, test=0.1 and gap=0 leave nothing for one",
        ),
        (lambda: split_by_time(20, gap=10), "leave nothing for one of the parts"),
        (
            lambda: split_by_group(["a", "b", "a"]),
            "2 groups cannot give 1 to validation, 1 to test and at least 1",
        ),
        (
            lambda: split_stratified(["a", "A", "b"], [0, 0, 0]),
            "label 0 has 2 different sentences, too few",
        ),
        (
            lambda: split_stratified(["a"], [0.5]),
            r"labels must be integers, one for each of the 1 texts, got float64",
        ),
        (
            lambda: split_stratified(["a"], [0, 1]),
            r"one for each of the 1 texts, got int64 with shape \(2,\)",
        ),
    ],
)
def test_splits_refuse_what_they_cannot_split(call, message):
    with pytest.raises(ArgumentError, match=message):
        call()


# --- words

WORDS = st.lists(
    st.lists(st.sampled_from("a b c d e f <s> </s> <pad> <unk>".split()), min_size=1), min_size=1
)


@given(WORDS, WORDS, st.integers(1, 3))
def test_words_come_back_and_what_training_did_not_have_often_enough_is_unknown(
    train, other, min_count
):
    counts = {w: sum(s.count(w) for s in train) for s in train for w in s}
    known = {w for w, count in counts.items() if count >= min_count and not w.startswith("<")}
    assume(known)
    vocabulary = WordVocabulary(train, min_count)
    assert set(vocabulary.words[4:]) == known and len(vocabulary) == len(known) + 4
    assert list(vocabulary.words[4:]) == sorted(known, key=lambda w: (-counts[w], w))
    for sentence in other:
        told = [w if w in known else "<unk>" for w in sentence]
        ids = vocabulary.encode(sentence)
        assert ids.dtype == np.int64 and ids.shape == (len(sentence),)
        assert vocabulary.decode(ids) == told
        assert vocabulary.encode(sentence, ends=True).tolist() == [2, *ids, 3]
        # What a model writes after its end is not part of the sentence.
        assert vocabulary.decode([2, *ids, 3, 4, 0]) == told
    everything = [w for sentence in other for w in sentence]
    assert vocabulary.unknown_rate(other) == sum(w not in known for w in everything) / len(
        everything
    )


def test_vocabulary_can_be_limited_and_keeps_the_most_frequent():
    vocabulary = WordVocabulary([["b", "b", "a", "c", "c", "c"]], min_count=1, max_size=6)
    assert vocabulary.words == ("<pad>", "<unk>", "<s>", "</s>", "c", "b")
    assert "c b" in repr(vocabulary) and vocabulary.decode([]) == []


def test_unknown_rate_of_new_sentences_is_not_that_of_training():
    texts, labels, _ = reviews(400)
    train, _, test = split_stratified(texts, labels)
    sentences = [text.split() for text in texts]
    vocabulary = WordVocabulary([sentences[k] for k in train[:10]], min_count=1)
    assert vocabulary.unknown_rate([sentences[k] for k in train[:10]]) == 0
    assert 0 < vocabulary.unknown_rate([sentences[k] for k in test]) < 1


def test_a_vocabulary_comes_back_from_its_words():
    vocabulary = WordVocabulary([["a", "fine", "film"], ["a", "dull", "film"]], min_count=1)
    again = WordVocabulary.of_words(list(vocabulary.words))
    sentence = ["a", "weak", "film", "</s>"]
    assert again.words == vocabulary.words and len(again) == len(vocabulary)
    assert again.encode(sentence, ends=True).tolist() == vocabulary.encode(sentence, True).tolist()
    assert again.decode([2, 4, 5, 3]) == vocabulary.decode([2, 4, 5, 3])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: WordVocabulary(["a film"]),
            "a sentence must be a list of words, got the string 'a film'",
        ),
        (lambda: WordVocabulary([["a"]], 2), "no word occurs 2 times or more among 1 words"),
        (lambda: WordVocabulary([]), "no word occurs 2 times or more among 0 words"),
        (
            lambda: WordVocabulary.of_words(["film"]),
            "words must begin with <pad>, <unk>, <s>, </s> and hold each word once, got film",
        ),
        (
            lambda: WordVocabulary.of_words(["<pad>", "<unk>", "<s>", "</s>", "a", "a"]),
            "and 1 repeated; give vocabulary.words",
        ),
        (lambda: WordVocabulary([["a"]], 0), "min_count must be 1 or more, got 0"),
        (lambda: WordVocabulary([["a"]], 1, 4), "max_size must be 5 or more"),
        (
            lambda: WordVocabulary([["a"]], 1).encode("a"),
            "encode: a sentence must be a list of words",
        ),
        (lambda: WordVocabulary([["a"]], 1).decode([5]), "an id must be in 0 ... 4, got 5 to 5"),
        (lambda: WordVocabulary([["a"]], 1).decode([-1]), "an id must be in 0 ... 4, got -1 to -1"),
        (
            lambda: WordVocabulary([["a"]], 1).decode([[1]]),
            r"one axis, got int64 with shape \(1, 1\)",
        ),
        (lambda: WordVocabulary([["a"]], 1).unknown_rate([]), "there is no word"),
    ],
)
def test_words_refuse_what_they_cannot_read(call, message):
    with pytest.raises(ArgumentError, match=message):
        call()


def test_tokens_lose_no_letter():
    for text in load("review-grammar").texts[:50]:
        assert tokenize(text) == text.split()
    text = "L\u2019\u00e9t\u00e9 2024: \u00abdone\u00bb (almost) \u2014 isn't it?"
    assert "".join(tokenize(text)) == "".join(text.lower().split())


# --- padding

RAGGED = st.lists(st.integers(1, 9), min_size=1, max_size=8)


@given(RAGGED, st.sampled_from(["right", "left"]), st.integers(0, 3), st.booleans())
def test_padded_sequences_come_back_through_the_mask(lengths, side, more, vectors):
    rng = np.random.default_rng(0)
    sequences = [
        rng.normal(size=(length, 3) if vectors else length).astype(np.float32) for length in lengths
    ]
    T = max(lengths) + more
    x, mask = pad(sequences, side, T if more else None)
    assert (
        x.shape == ((len(lengths), T, 3) if vectors else (len(lengths), T))
        and x.dtype == np.float32
    )
    assert mask.shape == (len(lengths), T) and mask.dtype == bool
    for row, valid, sequence in zip(x, mask, sequences, strict=True):
        np.testing.assert_array_equal(row[valid], sequence)
        assert not row[~valid].any()
        ends = valid[-1] if side == "left" else valid[0]
        assert ends and np.abs(np.diff(valid.astype(int))).sum() <= 1


@pytest.mark.parametrize("side", ["right", "left"])
def test_padding_changes_nothing_that_the_lstm_computes(draw, side):
    rng = np.random.default_rng(0)
    sequences = [rng.normal(size=(length, 3)) for length in (4, 1, 6)]
    layer = draw(3, 6, 3, 5)
    x, mask = pad(sequences, side)
    h, (hT, cT), _ = masked_lstm_forward(**(layer | {"x": x}), mask=mask)
    for n, sequence in enumerate(sequences):
        alone = layer | {
            "x": sequence[np.newaxis],
            "h0": layer["h0"][n : n + 1],
            "c0": layer["c0"][n : n + 1],
        }
        right, (right_hT, right_cT), _ = lstm_forward(**alone)
        np.testing.assert_allclose(h[n, mask[n]], right[0], rtol=0, atol=1e-14)
        np.testing.assert_allclose(
            np.stack([hT[n], cT[n]]), np.stack([right_hT[0], right_cT[0]]), rtol=0, atol=1e-14
        )


@given(
    st.lists(st.integers(1, 30), min_size=1, max_size=60),
    st.integers(1, 9),
    st.one_of(st.none(), st.integers(0, 5)),
)
def test_buckets_hold_each_sequence_once_and_overlap_in_length_at_their_ends_only(lengths, N, seed):
    batches = buckets(lengths, N, seed)
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
    assert len(batches) == -(-len(lengths) // N) and max(map(len, batches)) <= N
    ranges = sorted(
        (min(lengths[k] for k in batch), max(lengths[k] for k in batch)) for batch in batches
    )
    assert all(before[1] <= after[0] for before, after in zip(ranges, ranges[1:], strict=False))
    # no way to put them into full batches needs less padding than the sorted one
    if len(lengths) % N == 0:
        at_random = np.split(
            np.random.default_rng(0).permutation(len(lengths)), range(N, len(lengths), N)
        )
        assert padding_share(lengths, batches) <= padding_share(lengths, at_random) + 1e-12


def test_order_of_buckets_changes_with_the_seed_and_is_not_that_of_the_lengths():
    lengths = np.random.default_rng(0).integers(1, 50, 640)
    orders = [[int(lengths[b].max()) for b in buckets(lengths, 32, seed)] for seed in (0, 1)]
    assert orders[0] != orders[1] and orders[0] != sorted(orders[0])
    assert [b.tolist() for b in buckets(lengths, 32, 0)] == [
        b.tolist() for b in buckets(lengths, 32, 0)
    ]
    at_random = np.split(np.random.default_rng(0).permutation(640), 20)
    assert (
        padding_share(lengths, buckets(lengths, 32, 0))
        < 0.1
        < 0.4
        < padding_share(lengths, at_random)
    )


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: pad([]), ArgumentError, "there is no sequence"),
        (
            lambda: pad([[1, 2], [0.5]]),
            ShapeError,
            r"of one D and dtype, .* got \(1,\) float64, \(2,\) int64",
        ),
        (lambda: pad([[1], []]), ShapeError, "with at least one step"),
        (
            lambda: pad([np.zeros((2, 3)), np.zeros((2, 4))]),
            ShapeError,
            r"got \(2, 3\) float64, \(2, 4\) float64",
        ),
        (lambda: pad([np.zeros((1, 1, 1))]), ShapeError, r"all \(length, D\)"),
        (
            lambda: pad([[1, 2, 3]], T=2),
            ArgumentError,
            "T must be at least 3, the length of the longest sequence, got 2",
        ),
        (lambda: pad([[1]], side="top"), ArgumentError, 'side must be "right" or "left"'),
        (lambda: buckets([1], 0), ArgumentError, "N must be 1 or more, got 0"),
        (
            lambda: buckets([], 1),
            ArgumentError,
            "lengths must be integers with one axis, at least one",
        ),
        (lambda: buckets([1.5], 1), ArgumentError, "got float64"),
    ],
)
def test_padding_refuses_what_does_not_fit(call, error, message):
    with pytest.raises(error, match=message):
        call()


# --- series

SERIES = st.tuples(st.integers(2, 30), st.integers(1, 3), st.sampled_from([np.float32, np.float64]))


@given(SERIES, st.integers(1, 12))
def test_differences_can_be_undone(sizes, lag):
    L, D, dtype = sizes
    assume(lag < L)
    # so that sums are exact
    values = np.random.default_rng(0).integers(-99, 99, (L, D)).astype(dtype)
    changes = difference(values, lag)
    assert changes.shape == (L - lag, D) and changes.dtype == dtype
    np.testing.assert_array_equal(changes, [values[k + lag] - values[k] for k in range(L - lag)])
    again = undifference(changes, values[:lag])
    assert again.dtype == dtype
    np.testing.assert_array_equal(again, values[lag:])


def test_seasonal_difference_takes_the_season_away():
    t = np.arange(60.0)
    season = np.sin(2 * np.pi * t / 12)[:, np.newaxis]
    assert np.abs(difference(season, 12)).max() < 1e-13 < 0.4 < np.abs(difference(season, 6)).max()


@given(SERIES)
def test_scaler_gives_training_mean_0_and_deviation_1_and_can_be_undone(sizes):
    L, D, dtype = sizes
    values = (100 + np.random.default_rng(0).normal(size=(L, D)) * 3).astype(dtype)
    before = values.copy()
    scaler = fit_scaler(values)
    scaled = scaler.apply(values)
    tolerance = 1e-4 if dtype == np.float32 else 1e-10
    assert scaled.dtype == dtype
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=tolerance)
    np.testing.assert_allclose(scaled.std(axis=0), 1, atol=tolerance)
    np.testing.assert_allclose(scaler.invert(scaled), values, rtol=tolerance)
    np.testing.assert_array_equal(values, before)


def test_scaler_agrees_with_scikit_learn_and_takes_windows():
    from sklearn.preprocessing import StandardScaler

    series = load("seattle-weather").values
    train, _, test = split_by_time(len(series))
    scaler = fit_scaler(series[train])
    theirs = StandardScaler().fit(series[train])
    np.testing.assert_allclose(
        scaler.apply(series[test]), theirs.transform(series[test]), atol=1e-12
    )
    x, _ = windows(series[test], T=10)
    np.testing.assert_array_equal(scaler.apply(x), windows(scaler.apply(series[test]), T=10).x)


@pytest.mark.parametrize("constant", [0.0, 5.0, 0.1, 1e9 + 0.1])
def test_column_that_never_changes_is_not_divided_by_zero(constant):
    values = np.stack([np.full(1001, constant), np.arange(1001.0)], axis=1)
    scaler = fit_scaler(values)
    assert scaler.deviation[0] == 1
    np.testing.assert_allclose(scaler.apply(values)[:, 0], 0, atol=1e-12 * max(1, constant))


@given(SERIES, st.floats(0, 0.8))
def test_gap_is_closed_by_what_is_before_it_only(sizes, share):
    L, D, dtype = sizes
    rng = np.random.default_rng(L)
    values = rng.normal(size=(L, D)).astype(dtype)
    values[1:][rng.random((L - 1, D)) < share] = np.nan
    before = values.copy()
    filled = fill_forward(values)
    np.testing.assert_array_equal(values, before)
    assert filled.dtype == dtype and np.isfinite(filled).all()
    for k in range(D):
        last = None
        for t in range(L):
            last = last if np.isnan(values[t, k]) else values[t, k]
            assert filled[t, k] == last


@given(
    st.integers(1, 5), st.integers(1, 4), st.integers(1, 4), st.integers(0, 20), st.integers(1, 3)
)
def test_windows_hold_what_comes_before_and_after(T, horizon, stride, more, D):
    values = np.arange((T + horizon + more) * D, dtype=np.float32).reshape(-1, D)
    x, y = windows(values, T, horizon, stride)
    assert len(x) == len(y) == 1 + more // stride
    assert x.dtype == y.dtype == np.float32 and x.flags.owndata and y.flags.owndata
    for m in range(len(x)):
        start = m * stride
        np.testing.assert_array_equal(x[m], values[start : start + T])
        np.testing.assert_array_equal(y[m], values[start + T : start + T + horizon])


COLUMN = np.arange(5.0)[:, np.newaxis]
WITH_GAP = np.array([[1.0], [np.nan]])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: windows(np.arange(5.0), 2),
            ShapeError,
            r"got float64 \(5,\); use values\[:, np.newaxis\]",
        ),
        (
            lambda: windows(COLUMN.astype(int), 2),
            ShapeError,
            r"an array \(L, D\) of floats, not empty, got int64",
        ),
        (lambda: windows([[1.0]], 2), ShapeError, "got list"),
        (
            lambda: windows(COLUMN, 0),
            ArgumentError,
            "T, horizon and stride must be 1 or more, got T=0",
        ),
        (
            lambda: windows(COLUMN, 4, 2),
            ArgumentError,
            "T=4 steps and a horizon of 2 need 6 steps, got 5",
        ),
        (
            lambda: windows(WITH_GAP, 1),
            NotFiniteError,
            "windows: .* got nan at step 1, column 0; close gaps with fill",
        ),
        (lambda: fit_scaler(WITH_GAP), NotFiniteError, "fit_scaler: the series must be finite"),
        (
            lambda: fit_scaler(COLUMN).apply(np.zeros((2, 3))),
            ShapeError,
            r"apply: the last axis must be D = 1, .*\(2, 3\)",
        ),
        (
            lambda: fit_scaler(COLUMN).invert(np.zeros((2, 3))),
            ShapeError,
            "invert: the last axis must be D = 1",
        ),
        (
            lambda: fill_forward(WITH_GAP[::-1]),
            ArgumentError,
            "column 0 begins with a gap of 1 steps",
        ),
        (
            lambda: fill_forward(np.full((3, 1), np.nan)),
            ArgumentError,
            "column 0 begins with a gap of 3 steps",
        ),
        (lambda: difference(COLUMN, 5), ArgumentError, "lag must be in 1 ... 4 for 5 steps, got 5"),
        (lambda: difference(COLUMN, 0), ArgumentError, "lag must be in 1 ... 4 for 5 steps, got 0"),
        (lambda: undifference(COLUMN, np.zeros((1, 2))), ShapeError, r"got \(5, 1\) and \(1, 2\)"),
        (lambda: undifference(COLUMN, np.zeros((0, 1))), ShapeError, "with lag at least 1"),
    ],
)
def test_series_refuse_what_they_cannot_use(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_co2_can_be_prepared_without_looking_ahead():
    """The whole way as a reader goes it: the numbers of training do not change when the future
    does.
    """
    series = load("co2").values
    train, _, test = split_by_time(len(series), gap=52)

    def prepare(values):
        changes = difference(fill_forward(values), 52)
        known = changes[: len(train) - 52]
        return windows(fit_scaler(known).apply(known), T=20, horizon=4)

    other = series.copy()
    other[test] += 100
    for ours, theirs in zip(prepare(series), prepare(other), strict=True):
        np.testing.assert_array_equal(ours, theirs)
