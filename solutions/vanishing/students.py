"""A class of simulated students for this problem set: what each hands in, and the points that each
must get.

Those that are hostile attack the judge. Each attack is bounded in count, size and time, and changes
nothing on the machine, so that it does no harm even where no sandbox holds it: it tries a door and
does not go through.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autograder.author.demo import (
    Marks,
    Student,
    deletes_tests,
    hand_in,
    hostile,
    moved_around,
    raises_points,
    renamed,
    untouched,
    without,
)
from lstm_ref.practice.mistakes import Mistake
from lstm_ref.practice.vanishing import SET

FULL = {
    "rnn_forward": 2,
    "rnn_backward": 4,
    "gradient_by_lag": 3,
    "scale_to_radius": 2,
    "orthogonal": 2,
    "clip_by_norm": 2,
    "chrono_biases": 2,
    "gru_step": 3,
}
MARKS = Marks(FULL)
NOTHING, UNFINISHED = MARKS.nothing, MARKS.unfinished
points, right = MARKS.points, MARKS.right


# --- right, each in another style
# ----------------------------------------------------------------------------------------

LOOPED = {
    "rnn_forward": """
def rnn_forward(x, h0, Wx, Wh, b):
    N, T, D = x.shape
    H = len(b)
    h = np.zeros((N, T, H))
    for n in range(N):
        for t in range(T):
            before = h[n, t - 1] if t else h0[n]
            for j in range(H):
                a = b[j]
                for d in range(D):
                    a += x[n, t, d] * Wx[d, j]
                for k in range(H):
                    a += before[k] * Wh[k, j]
                h[n, t, j] = np.tanh(a)
    return h
""",
    "clip_by_norm": """
def clip_by_norm(grads, max_norm):
    total = 0
    for name in grads:
        for value in grads[name].flat:
            total += value**2
    norm = total**0.5
    result = {}
    for name in grads:
        result[name] = grads[name].copy()
        if norm > max_norm:
            for index in np.ndindex(result[name].shape):
                result[name][index] *= max_norm / norm
    return result, norm
""",
}

TIME_FIRST_INSIDE = {
    "rnn_forward": """
def rnn_forward(x, h0, Wx, Wh, b):
    h = [h0]
    for row in x.transpose(1, 0, 2):
        h.append(np.tanh(row @ Wx + h[-1] @ Wh + b))
    return np.array(h[1:]).transpose(1, 0, 2)
""",
    "rnn_backward": """
def rnn_backward(dh, x, h0, h, Wx, Wh):
    x_, h_, dh_ = (v.transpose(1, 0, 2) for v in (x, h, dh))
    before = [h0, *h_[:-1]]
    back, das = np.zeros(h0.shape), []
    for h_t, d in zip(h_[::-1], dh_[::-1]):
        das.append((d + back) * (1 - h_t**2))
        back = das[-1] @ Wh.T
    das = np.array(das[::-1])
    dWx = sum(a.T @ d for a, d in zip(x_, das))
    dWh = sum(a.T @ d for a, d in zip(before, das))
    return (das @ Wx.T).transpose(1, 0, 2), back, dWx, dWh, das.sum(axis=(0, 1))
""",
}

FORWARD_MODE = {
    "gradient_by_lag": """
def gradient_by_lag(dhT, h, Wh):
    N, T, H = h.shape
    lengths = np.zeros((T + 1, N))
    for n in range(N):
        J = np.eye(H)
        lengths[0, n] = np.linalg.norm(dhT[n])
        for k in range(1, T + 1):
            step = np.diag(1 - h[n, T - k] ** 2) @ Wh.T
            J = step if k == 1 else J @ step
            lengths[k, n] = np.linalg.norm(dhT[n] @ J)
    return lengths.mean(axis=1)
"""
}

SCHMIDT = {
    "orthogonal": """
def orthogonal(A):
    M = A.copy() if A.shape[0] >= A.shape[1] else A.T.copy()
    for j in range(M.shape[1]):
        for _ in range(2):
            M[:, j] -= M[:, :j] @ (M[:, :j].T @ M[:, j])
        M[:, j] /= np.linalg.norm(M[:, j])
    return M if A.shape[0] >= A.shape[1] else M.T
"""
}

CONCATENATED = {
    "gru_step": """
def gru_step(x, h_prev, Wx, Wh, b, bh):
    H = h_prev.shape[1]
    W, xh = np.concatenate([Wx, Wh]), np.concatenate([x, h_prev], axis=1)
    r = sigmoid(xh @ W[:, :H] + b[:H])
    z = sigmoid(xh @ W[:, H : 2 * H] + b[H : 2 * H])
    n = np.tanh(x @ Wx[:, 2 * H :] + b[2 * H :] + r * (h_prev @ Wh[:, 2 * H :] + bh))
    return h_prev * z - n * (z - 1), (r, z, n)
""",
    "clip_by_norm": """
def clip_by_norm(grads, max_norm):
    norm = np.linalg.norm(np.concatenate([g.ravel() for g in grads.values()]))
    return {k: g / max(1, norm / max_norm) for k, g in grads.items()}, norm
""",
}

HALVES = {
    "chrono_biases": """
def chrono_biases(u, longest):
    m = np.array([1 + v * (longest - 2) for v in u])
    b = np.zeros((4, len(u)))
    b[1] = np.log(m)
    b[0] = np.log(1 / m)
    return b.ravel() / 2, b.ravel() / 2
"""
}

TOLERANT = {
    "scale_to_radius": """
def scale_to_radius(W, radius):
    if W.shape == (1, 1):
        return np.array([[np.sign(W[0, 0]) * radius]])
    values, vectors = np.linalg.eig(W)
    values = values * radius / np.max(np.sqrt(values.real**2 + values.imag**2))
    return (vectors @ np.diag(values) @ np.linalg.inv(vectors)).real
"""
}

NOISY = {
    "gradient_by_lag": """
import sys
import warnings

def gradient_by_lag(dhT, h, Wh):
    print("called with", dhT.shape, h.shape)
    warnings.warn("I am not sure about this")
    print("on stderr too", file=sys.stderr)
    norms = []
    for k in range(h.shape[1] + 1):
        norms.append(np.mean([np.linalg.norm(row) for row in dhT]))
        if k < h.shape[1]:
            dhT = np.dot(dhT * (1 - h[:, h.shape[1] - 1 - k] ** 2), Wh.T)
    return norms
"""
}


def in_float32(notebook: Any, solutions: Mapping[str, str]) -> Any:
    """The network and the gate in single precision."""
    first = "def single(*arrays):\n    return [a.astype(np.float32) for a in arrays]"
    changed = {
        name: f"{solutions[f'{name}_code']}\n\n{name}_in_double = {name}\n\n"
        f"def {name}(*arrays):\n    return {name}_in_double(*single(*arrays))\n"
        for name in ("rnn_forward", "rnn_backward", "gradient_by_lag", "gru_step")
    }
    return hand_in(changed, first)(notebook, solutions)


RIGHT = (
    right("perfect", "the reference", hand_in()),
    right("looped", "loops over every number", hand_in(LOOPED)),
    right(
        "time_first_inside", "time first inside, and back at the end", hand_in(TIME_FIRST_INSIDE)
    ),
    right("jacobians", "products of Jacobians", hand_in(FORWARD_MODE)),
    right("schmidt", "Gram and Schmidt in place of QR", hand_in(SCHMIDT)),
    right("concatenated", "one matrix for input and state", hand_in(CONCATENATED)),
    right("halves", "half of the bias in each place", hand_in(HALVES)),
    right("by_eigenvectors", "scales the eigenvalues themselves", hand_in(TOLERANT)),
    right("float32", "in single precision", in_float32),
    right("noisy", "prints and warns in every call", hand_in(NOISY)),
    right("renamed", "own names, with aliases", renamed),
    right("moved_around", "the cells in reverse order", moved_around),
)

# --- not finished
# --------------------------------------------------------------------------------------------------


def _faulty(name: str, what: str, function: str, source: str) -> Student:
    return Student(name, what, hand_in({function: source}), points(**{function: 0}), mistakes={})


NEEDS_JAX = "from jax.numpy.linalg import qr\n\n" + SET.source("orthogonal").replace(
    "np.linalg.qr", "qr"
)

NOT_FINISHED = (
    Student("empty", "nothing written", untouched, NOTHING, mistakes={}),
    *(
        Student(f"without_{name}", f"{name} not written", without(name),
                points(**{name: 0}), mistakes={})
        for name in FULL
    ),
    _faulty("syntax_error", "one cell is no Python", "orthogonal", "def orthogonal(A)\n    "
                                                                   "return A"),
    _faulty(
        "needs_jax", "imports what is not there", "orthogonal", NEEDS_JAX
    ),
    _faulty("returns_nothing", "prints in place of returning", "gradient_by_lag",
            SET.source("gradient_by_lag").replace("return np.array(norms)", "print(norms)")),
    _faulty("one_array", "returns one bias where two are asked for", "chrono_biases",
            SET.source("chrono_biases").replace("return bias_ih, bias_hh", "return bias_ih")),
)  # fmt: skip

# --- wrong
# --------------------------------------------------------------------------------------------------

# What is right all the same: one of five gradients earns 0.8, of four results of clip_by_norm and
# of gru_step a quarter each.
PARTLY = {
    **dict.fromkeys(
        ("dWh_uses_new_h", "h0_taken_for_zero", "wraps_around", "db_mean", "dh0_without_step"), 3.2
    ),
    **dict.fromkeys(
        ("weights_overwritten", "weights_mean_over_time", "weights_mean_over_batch"), 1.6
    ),
    **dict.fromkeys(("clip_per_array", "clip_by_value", "always_scaled", "never_scaled"), 0.5),
    **dict.fromkeys(("input_gate_sign", "input_gate_open"), 0.5),  # one block of four is right
    "norm_after": 1.5,
    **dict.fromkeys(
        ("bh_outside", "bh_missing", "reset_on_all", "no_reset", "update_for_reset"), 1.5
    ),
    **dict.fromkeys(("candidate_sigmoid", "candidate_linear"), 1.5),
    **dict.fromkeys(
        ("z_exchanged", "reset_for_update", "candidate_added", "old_state_whole", "tanh_of_state"),
        2.25,
    ),
}

TWO_MISTAKES = SET.source("rnn_forward", "no_bias").replace("h @ Wh", "h @ Wh.T")


def _one(mistake: Mistake) -> Student:
    """A student with one known mistake."""
    name = mistake.function
    score = PARTLY.get(mistake.id, FULL[name] / 2 if mistake.convention else 0)
    edit = hand_in({name: SET.source(name, mistake.id)})
    return Student(
        mistake.id, mistake.title, edit, points(**{name: score}), mistakes={name: mistake.id}
    )


WRONG = (
    *(_one(mistake) for mistake in SET.mistakes),
    _faulty(
        "two_mistakes", "two mistakes at once, which nobody names", "rnn_forward", TWO_MISTAKES
    ),
)

# --- hostile
# --------------------------------------------------------------------------------------------------


IMPORTS_THE_ANSWERS = """
import sys
from pathlib import Path

for folder in [*sys.path, "/", ".."]:
    for path in list(Path(folder or ".").glob("*/practice/plain_*.py"))[:5]:
        print("FOUND", path)
try:
    from lstm_ref.practice.plain_vanishing import *
except ImportError as error:
    print(error)
"""

EQUALS_ALL = """
import builtins

for name in ("allclose", "isclose", "array_equal", "array_equiv"):
    setattr(np, name, lambda *args, **kwargs: True)
np.abs = np.absolute = lambda *args, **kwargs: np.float64(0)
builtins.abs = lambda value: 0
builtins.max = builtins.min = lambda *args, **kwargs: 0
"""

AGREES = """
class Agreeing(np.ndarray):
    def __array_ufunc__(self, *args, **kwargs):
        return np.float64(0)
    def __array_function__(self, *args, **kwargs):
        return np.bool_(True)

def rnn_forward(x, h0, Wx, Wh, b):
    return np.zeros((*x.shape[:2], len(b))).view(Agreeing)

def orthogonal(A):
    return A.view(Agreeing)
"""

NOT_A_NUMBER = """
def clip_by_norm(grads, max_norm):
    return {name: g * np.nan for name, g in grads.items()}, np.nan
"""

# A right h and guessed gates: h alone earns nothing.
GUESSED_GATES = """
def gru_step(x, h_prev, Wx, Wh, b, bh):
    h, gates = right_gru_step(x, h_prev, Wx, Wh, b, bh)
    return h, tuple(np.full_like(gate, 0.5) for gate in gates)
"""

LOOPS = """
import time

until = time.monotonic() + 120

def scale_to_radius(W, radius):
    while time.monotonic() < until:
        try:
            time.sleep(0.01)
        except BaseException:
            pass
"""

EXITS = """
import os

def rnn_backward(dh, x, h0, h, Wx, Wh):
    os._exit(0)
"""


def guesses_gates(notebook: Any, solutions: Mapping[str, str]) -> Any:
    """The library's h, so to speak, with gates that are not its own."""
    right = solutions["gru_step_code"].replace("def gru_step(", "def right_gru_step(")
    return hand_in({"gru_step": f"{right}\n{GUESSED_GATES}"})(notebook, solutions)


HOSTILE = (
    hostile("deletes_tests", "deletes the cells with marks", deletes_tests, NOTHING),
    hostile("raises_points", "1000 points a cell; all is right", raises_points, FULL),
    hostile(
        "imports_answers",
        "looks for the solutions",
        hand_in(UNFINISHED, IMPORTS_THE_ANSWERS),
        NOTHING,
    ),
    hostile("equals_all", "makes NumPy find all equal", hand_in(UNFINISHED, EQUALS_ALL), NOTHING),
    hostile(
        "agrees",
        "returns arrays that agree with whoever asks",
        hand_in({"rnn_forward": AGREES, "orthogonal": ""}),
        points(rnn_forward=0, orthogonal=0),
    ),
    hostile(
        "not_a_number",
        "returns NaN",
        hand_in({"clip_by_norm": NOT_A_NUMBER}),
        points(clip_by_norm=0),
    ),
    hostile(
        "guesses_gates",
        "a right h with gates that are not its own",
        guesses_gates,
        points(gru_step=0),
    ),
    hostile(
        "loops_forever",
        "does not end",
        hand_in({"scale_to_radius": LOOPS}),
        points(scale_to_radius=0),
    ),
    hostile("exits", "ends its process", hand_in({"rnn_backward": EXITS}), points(rnn_backward=0)),
)

STUDENTS = (*RIGHT, *NOT_FINISHED, *WRONG, *HOSTILE)
