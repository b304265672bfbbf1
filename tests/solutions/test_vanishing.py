"""The problem set vanishing: its reference beside other ways to compute it. The rest is in
test_plain_sets.py.
"""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from lstm_ref import rnn
from lstm_ref.practice import plain_vanishing as plain
from lstm_ref.practice import vanishing
from tests.support.problem_sets import SetOf, ask
from verdict import Status
from verdict.compare import copy_tree, read, relative_error

SET = SetOf("vanishing", vanishing)
BY_NAME = pytest.mark.parametrize("check", SET.graded.CHECKS, ids=lambda check: check.name)

# --- the reference
# --------------------------------------------------------------------------------------------------


def lags_by_autograd(dhT, h, Wh):
    """The same states by PyTorch: a_t = arctanh(h_t) less the old state's share is the input of
    each step.
    """
    N, T, H = h.shape
    h, Wh = torch.tensor(h), torch.tensor(Wh)
    states = [torch.zeros(N, H, dtype=torch.float64, requires_grad=True)]
    for t in range(T):
        rest = torch.atanh(h[:, t]) - states[-1].detach() @ Wh
        states.append(torch.tanh(rest + states[-1] @ Wh))
    grads = torch.autograd.grad((states[-1] * torch.tensor(dhT)).sum(), states)
    return [float(g.norm(dim=1).mean()) for g in reversed(grads)]


def gru_of_torch(x, h_prev, Wx, Wh, b, bh):
    """torch.nn.GRUCell with the same weights; its gates are hidden, and come from its equations
    once more.
    """
    H = h_prev.shape[1]
    cell = torch.nn.GRUCell(x.shape[1], H, dtype=torch.float64)
    recurrent = np.concatenate([np.zeros(2 * H), bh])
    for name, value in (
        ("weight_ih", Wx.T),
        ("weight_hh", Wh.T),
        ("bias_ih", b),
        ("bias_hh", recurrent),
    ):
        getattr(cell, name).data = torch.tensor(value)
    with torch.no_grad():
        h = cell(torch.tensor(x), torch.tensor(h_prev)).numpy()
    a, m = x @ Wx + b, h_prev @ Wh
    r, z = (1 / (1 + np.exp(-(a + m)[:, k * H : (k + 1) * H])) for k in (0, 1))
    return h, (r, z, (h - z * h_prev) / (1 - z))


def by_gram_and_schmidt(A):
    if A.shape[0] < A.shape[1]:
        return by_gram_and_schmidt(A.T).T
    Q = A.copy()
    for j in range(Q.shape[1]):
        for _ in range(2):
            Q[:, j] -= Q[:, :j] @ (Q[:, :j].T @ Q[:, j])
        Q[:, j] /= np.sqrt(Q[:, j] @ Q[:, j])
    return Q


def clipped_by_torch(grads, max_norm):
    parameters = {
        name: torch.nn.Parameter(torch.zeros(g.shape, dtype=torch.float64))
        for name, g in grads.items()
    }
    for name, parameter in parameters.items():
        parameter.grad = torch.tensor(grads[name])
    norm = torch.nn.utils.clip_grad_norm_(parameters.values(), max_norm)
    return {name: parameter.grad.numpy() for name, parameter in parameters.items()}, float(norm)


def scaled_by_powers(W, radius):
    """The spectral radius from the growth of a high power: no eigenvalue is computed."""
    log_norm, power = 0.0, W
    for k in range(60):
        norm = np.linalg.norm(power)
        log_norm += np.log(norm) / 2**k
        power = (power / norm) @ (power / norm)
    return W * (radius / np.exp(log_norm))


INDEPENDENT = {
    "rnn_forward": lambda *arguments: rnn.rnn_forward(*arguments)[0],
    "rnn_backward": lambda dh, x, h0, h, Wx, Wh: rnn.rnn_backward(
        dh, rnn.RNNCache(x.swapaxes(0, 1), np.concatenate([h0[None], h.swapaxes(0, 1)]), Wx, Wh)
    ),
    "gradient_by_lag": lags_by_autograd,
    "scale_to_radius": scaled_by_powers,
    "orthogonal": by_gram_and_schmidt,
    "clip_by_norm": clipped_by_torch,
    "chrono_biases": lambda u, longest: np.log(
        [
            *(1 / (1 + v * (longest - 2)) for v in u),
            *(1 + v * (longest - 2) for v in u),
            *np.ones(2 * len(u)),
        ]
    ),
    "gru_step": gru_of_torch,
}


@pytest.mark.parametrize("seed", range(2))
@BY_NAME
def test_what_is_expected_agrees_with_a_second_way_to_compute_it(check, seed):
    for case in check.cases(np.random.default_rng(seed)):
        expected = read(check, check.expected(*copy_tree(case.args)), "expected")
        other = INDEPENDENT[check.name](*copy_tree(case.args))
        other = {"bias": other} if check.name == "chrono_biases" else read(check, other, "other")
        for name in expected:
            assert (
                relative_error(np.asarray(other[name]), expected[name]) < 0.5 * check.tolerance
            ), (case.label, name)
    verdict = ask(check, check.expected, seed)
    assert (verdict.status, verdict.credit, verdict.warnings) == (Status.PASSED, 1.0, ())


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 4)])
def test_an_orthogonal_start_is_orthogonal_and_its_signs_are_fixed(shape):
    A = np.random.default_rng(1).normal(size=shape)
    Q = plain.orthogonal(A)
    tall, M = (Q, A) if shape[0] >= shape[1] else (Q.T, A.T)
    assert_allclose(tall.T @ tall, np.eye(min(shape)), rtol=0, atol=1e-12)
    R = tall.T @ M
    assert_allclose(R, np.triu(R), rtol=0, atol=1e-12)
    assert (np.diag(R) > 0).all()
