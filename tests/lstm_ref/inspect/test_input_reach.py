"""What an output depends on: lengths of gradients, against difference quotients and the widget."""

import base64

import numpy as np
import pytest

from lstm_ref import lstm_forward
from lstm_ref.errors import ArgumentError, NotFiniteError, ShapeError
from lstm_ref.init import init_lstm
from lstm_ref.inspect import SequenceInspector, input_reach, trace

T, D, H = 7, 3, 4


@pytest.fixture
def case():
    rng = np.random.default_rng(0)
    params = init_lstm(rng, D, H, 1.0)
    state = rng.normal(size=H), rng.normal(size=H)
    return params, rng.normal(size=(T, D)), rng.normal(size=(T, H)), state


def test_it_is_the_length_of_the_gradient(case, monkeypatch):
    params, x, dh, state = case
    monkeypatch.setattr("lstm_ref.inspect.attribution._ROWS", 3)  # several rounds

    def numbers(x):
        h0, c0 = (one[None] for one in state)
        return (lstm_forward(x[None], h0, c0, **params)[0][0] * dh).sum(axis=1)  # (T,)

    step, slopes = 1e-6, np.zeros((T, T, D))  # number of step t by input s, d
    for s in range(T):
        for d in range(D):
            moved = np.zeros((T, D))
            moved[s, d] = step
            slopes[:, s, d] = (numbers(x + moved) - numbers(x - moved)) / (2 * step)
    found = input_reach(params, x, dh, state)
    np.testing.assert_allclose(found, np.linalg.norm(slopes, axis=2), atol=1e-8)
    assert not np.triu(found, 1).any() and (np.diag(found) > 0).all()
    assert not np.allclose(found, input_reach(params, x, dh))  # the start counts


def test_what_is_no_sequence_is_told(case):
    params, x, dh, _ = case
    with pytest.raises(ShapeError, match=r"with the same T, got \(7, 3\) and \(6, 4\)"):
        input_reach(params, x, dh[1:])


def bytes_of(inspector):
    return np.frombuffer(base64.b64decode(inspector.reach), np.uint8).reshape(-1, 64)


def test_the_inspector_carries_shares_by_lag(case, monkeypatch):
    monkeypatch.setenv("LSTM_REF_STATIC", "1")
    params, x, dh, _ = case
    reach = input_reach(params, x, dh)
    found = bytes_of(SequenceInspector(trace(params, x[None]), "letters", reach=reach))
    for t in range(T):
        want = reach[t, : t + 1][::-1] / reach[t].max()
        np.testing.assert_allclose(found[t, : t + 1] / 255, want, atol=1 / 255)
        assert not found[t, t + 1 :].any() and found[t].max() == 255
    nothing = bytes_of(SequenceInspector(trace(params, x[None]), "letters", reach=np.zeros((T, T))))
    assert not nothing.any()


@pytest.mark.parametrize(
    ("reach", "error", "message"),
    [
        (np.zeros((T, 2)), ShapeError, r"\(T, T\) = \(7, 7\), got \(7, 2\)"),
        (np.full((T, T), np.nan), NotFiniteError, "finite"),
        (-np.eye(T), NotFiniteError, "not below 0"),
        (np.eye(T).T[:, ::-1], ArgumentError, r"reach\[0, 6\] is not 0: .* a later input"),
        (None, ArgumentError, "needs reach"),
    ],
)
def test_a_reach_that_cannot_be_is_refused(case, monkeypatch, reach, error, message):
    monkeypatch.setenv("LSTM_REF_STATIC", "1")
    params, x, _, _ = case
    with pytest.raises(error, match=message):
        SequenceInspector(trace(params, x[None]), "letters", reach=reach, shade="reach")


def test_guesses_are_carried_and_refused_when_they_cannot_be(case, monkeypatch):
    monkeypatch.setenv("LSTM_REF_STATIC", "1")
    params, x, _, _ = case
    seen = trace(params, x[None])
    guesses = [[("e", 0.123456), (" ", 1)], *([] for _ in range(T - 1))]
    assert SequenceInspector(seen, "letters", guesses=guesses).guesses[0] == [
        ["e", 0.1235],
        [" ", 1],
    ]
    assert SequenceInspector(seen, "letters").guesses == []
    with pytest.raises(ShapeError, match="guesses must be T = 7, one list for each step, got 6"):
        SequenceInspector(seen, "letters", guesses=guesses[1:])
    with pytest.raises(ArgumentError, match=r"guesses\[0\] gives 'e' the probability 83"):
        SequenceInspector(seen, "letters", guesses=[[("e", 83)], *guesses[1:]])
