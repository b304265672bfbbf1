import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_ref import (
    ArgumentError,
    DTypeError,
    NotFiniteError,
    ShapeError,
    check_gradients,
    ctc_beam,
    ctc_greedy,
    ctc_loss,
)

# Targets with repeated labels, empty ones among them, and lengths of the kind that just fits.
TARGETS = np.array([[1, 1, 2, 3], [2, 0, 0, 0], [0, 0, 0, 0], [3, 3, 3, 3]])
TARGET_LENGTHS = np.array([4, 1, 0, 4])
LENGTHS = np.array([5, 4, 9, 7])


def draw_logits(N, T, V, seed=0, scale=2.0, dtype=np.float64):
    return (scale * np.random.default_rng(seed).normal(size=(N, T, V))).astype(dtype)


def torch_answer(logits, targets, lengths, target_lengths):
    leaf = torch.tensor(logits, requires_grad=True)
    log_p = torch.log_softmax(leaf, dim=2).transpose(0, 1)
    given = [torch.from_numpy(np.asarray(array)) for array in (targets, lengths, target_lengths)]
    loss = torch.nn.functional.ctc_loss(log_p, *given, reduction="sum") / len(logits)
    loss.backward()
    return loss.item(), leaf.grad.numpy()


def spelt(path):
    """What a path of symbols spells: equal neighbours merged, then blanks left out."""
    return [symbol for symbol, _ in itertools.groupby(path) if symbol != 0]


@given(st.data())
@settings(max_examples=60)
def test_loss_and_gradient_are_those_of_torch(data):
    N, T, V = (
        data.draw(st.integers(1, 4)),
        data.draw(st.integers(1, 12)),
        data.draw(st.integers(2, 4)),
    )
    lengths = np.array(data.draw(st.lists(st.integers(1, T), min_size=N, max_size=N)))
    words = [data.draw(st.lists(st.integers(1, V - 1), max_size=6)) for _ in range(N)]
    # Cut each word until it fits into its steps.
    for n, word in enumerate(words):
        while len(word) + sum(a == b for a, b in itertools.pairwise(word)) > lengths[n]:
            word.pop()
    target_lengths = np.array([len(word) for word in words])
    targets = np.zeros((N, max(target_lengths)), np.int64)
    for row, word in zip(targets, words, strict=True):
        row[: len(word)] = word
    logits = draw_logits(N, T, V, data.draw(st.integers(0, 100)))
    loss, dlogits = ctc_loss(logits, targets, lengths, target_lengths)
    expected, dexpected = torch_answer(logits, targets, lengths, target_lengths)
    assert loss == pytest.approx(expected, rel=1e-11, abs=1e-12)
    np.testing.assert_allclose(dlogits, dexpected, rtol=0, atol=1e-11)


def test_repeated_labels_empty_targets_and_lengths_that_just_fit():
    logits = draw_logits(4, 9, 4)
    loss, dlogits = ctc_loss(logits, TARGETS, LENGTHS, TARGET_LENGTHS)
    expected, dexpected = torch_answer(logits, TARGETS, LENGTHS, TARGET_LENGTHS)
    assert loss == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(dlogits, dexpected, rtol=0, atol=1e-13)
    assert not dlogits[np.arange(9) >= LENGTHS[:, np.newaxis]].any()
    check_gradients(
        lambda p: ctc_loss(p["logits"], TARGETS, LENGTHS, TARGET_LENGTHS)[0],
        {"logits": logits},
        {"logits": dlogits},
    )


@pytest.mark.parametrize("target", [[], [1], [1, 1], [1, 2], [2, 1, 2]])
def test_probability_is_the_sum_over_all_paths_that_spell_the_target(target):
    T, V = 5, 3
    logits = draw_logits(1, T, V)
    p = np.exp(logits[0]) / np.exp(logits[0]).sum(axis=1, keepdims=True)
    paths = [path for path in itertools.product(range(V), repeat=T) if spelt(path) == target]
    expected = sum(np.prod(p[np.arange(T), path]) for path in paths)
    loss, _ = ctc_loss(logits, np.array([target], np.int64).reshape(1, -1))
    assert np.exp(-loss) == pytest.approx(expected, rel=1e-12)


def test_all_targets_together_are_certain():
    T, V = 4, 3
    logits = draw_logits(1, T, V)
    words = {tuple(spelt(path)) for path in itertools.product(range(V), repeat=T)}
    losses = [ctc_loss(logits, np.array([word], np.int64).reshape(1, -1))[0] for word in words]
    assert np.exp(-np.array(losses)).sum() == pytest.approx(1, rel=1e-12)


def test_probabilities_too_small_for_a_float_are_no_trouble():
    logits = draw_logits(1, 1000, 30, scale=10.0)
    targets = np.random.default_rng(1).integers(1, 30, size=(1, 200))
    loss, dlogits = ctc_loss(logits, targets)
    expected, dexpected = torch_answer(logits, targets, [1000], [200])
    assert loss > 5000 and loss == pytest.approx(expected, rel=1e-11)
    np.testing.assert_allclose(dlogits, dexpected, rtol=0, atol=1e-8)


@pytest.mark.parametrize("shift", [-1000.0, 1000.0])
def test_logits_far_from_zero_do_not_overflow(shift):
    logits = draw_logits(4, 9, 4)
    loss, dlogits = ctc_loss(logits, TARGETS, LENGTHS, TARGET_LENGTHS)
    far, dfar = ctc_loss(logits + shift, TARGETS, LENGTHS, TARGET_LENGTHS)
    assert far == pytest.approx(loss, rel=1e-10)
    np.testing.assert_allclose(dfar, dlogits, rtol=0, atol=1e-10)


def test_what_stands_after_the_ends_is_not_used():
    logits = draw_logits(4, 9, 4)
    loss, dlogits = ctc_loss(logits, TARGETS, LENGTHS, TARGET_LENGTHS)
    logits[np.arange(9) >= LENGTHS[:, np.newaxis]] = 99
    other = np.where(np.arange(4) < TARGET_LENGTHS[:, np.newaxis], TARGETS, -7)
    again, dagain = ctc_loss(logits, other, LENGTHS, TARGET_LENGTHS)
    assert again == loss
    np.testing.assert_array_equal(dagain, dlogits)


def test_float32_and_arguments_stay():
    logits = draw_logits(4, 9, 4, dtype=np.float32)
    for array in (logits, TARGETS, LENGTHS, TARGET_LENGTHS):
        array.flags.writeable = False
    loss, dlogits = ctc_loss(logits, TARGETS, LENGTHS, TARGET_LENGTHS)
    exact, dexact = ctc_loss(logits.astype(np.float64), TARGETS, LENGTHS, TARGET_LENGTHS)
    assert (
        isinstance(loss, float)
        and loss == pytest.approx(exact, rel=1e-6)
        and dlogits.dtype == np.float32
    )
    np.testing.assert_allclose(dlogits, dexact, rtol=0, atol=1e-7)


@given(
    st.lists(st.lists(st.integers(0, 2), min_size=6, max_size=6), min_size=1, max_size=4),
    st.integers(1, 6),
)
def test_greedy_decoding_spells_the_best_path(paths, length):
    logits = np.eye(3)[np.array(paths)]
    got = ctc_greedy(logits, np.full(len(paths), length))
    assert got == [spelt(path[:length]) for path in paths]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            {"lengths": np.array([4, 4, 9, 7])},
            ArgumentError,
            r"targets\[0\] needs 5 time steps, 4 for its labels, and 1 for blanks",
        ),
        (
            {"lengths": np.array([6, 4, 9, 6])},
            ArgumentError,
            r"targets\[3\] needs 7 time steps, .* 3 for blanks .* got 6",
        ),
        (
            {"lengths": np.array([6, 0, 9, 7])},
            ArgumentError,
            "lengths must lie from 1 to T = 9, got 0 to 9",
        ),
        (
            {"lengths": np.array([6, 4, 9])},
            ShapeError,
            r"lengths must be \(N,\) = \(4,\), got \(3,\)",
        ),
        (
            {"target_lengths": np.array([4, 1, 0, 5])},
            ArgumentError,
            "target_lengths must lie from 0 to L = 4, got 0 to 5",
        ),
        (
            {"targets": TARGETS + 1},
            ArgumentError,
            r"targets must lie from 1 to V-1 = 3, got 2 to 4 in targets\[0\]",
        ),
        ({"target_lengths": None}, ArgumentError, r"got 0 to 2 in targets\[1\]; 0 is the blank"),
        ({"targets": TARGETS[0]}, ShapeError, r"targets must be \(N, L\) = \(4, any\), got \(4,\)"),
        (
            {"targets": TARGETS * 1.0},
            DTypeError,
            "targets must be an array of integers, got float64",
        ),
        ({"logits": np.full((4, 9, 4), np.inf)}, NotFiniteError, "logits must be finite"),
    ],
)
def test_what_does_not_fit_is_named(change, error, message):
    arguments = {
        "logits": draw_logits(4, 9, 4),
        "targets": TARGETS,
        "lengths": LENGTHS,
        "target_lengths": TARGET_LENGTHS,
    }
    with pytest.raises(error, match=f"^ctc_loss: .*{message}"):
        ctc_loss(**(arguments | change))


@pytest.mark.parametrize("seed", range(5))
def test_a_wide_beam_finds_the_most_probable_labels_of_all(seed):
    T, V = 5, 3
    logits = draw_logits(2, T, V, seed)
    words = {tuple(spelt(path)) for path in itertools.product(range(V), repeat=T)}
    for z, labels in zip(logits, ctc_beam(logits, width=len(words)), strict=True):
        loss = {
            word: ctc_loss(z[np.newaxis], np.array([word], np.int64).reshape(1, -1))[0]
            for word in words
        }
        assert tuple(labels) == min(loss, key=loss.get)


def test_a_beam_adds_up_what_greedy_decoding_overlooks():
    logits = np.log(np.array([[[0.6, 0.4], [0.6, 0.4]]]))
    assert ctc_greedy(logits) == [[]] and ctc_beam(logits) == [[1]]
    # Repeated labels need a blank between them, and what stands after the end of an example is not
    # used.
    certain = 50 * np.eye(3)[np.array([[1, 1, 0, 1, 2, 2], [2, 2, 2, 1, 1, 1]])]
    assert ctc_beam(certain) == ctc_greedy(certain) == [[1, 1, 2], [2, 1]]
    assert ctc_beam(certain, np.array([3, 3]), width=2) == [[1], [2]]


def test_a_beam_that_does_not_fit_is_named():
    logits = draw_logits(1, 3, 3)
    for width in (0, 2.0, True):
        with pytest.raises(ArgumentError, match="^ctc_beam: width must be an integer, 1 or more"):
            ctc_beam(logits, width=width)
    with pytest.raises(ArgumentError, match="^ctc_beam: lengths must lie from 1 to T = 3"):
        ctc_beam(logits, np.array([4]))
