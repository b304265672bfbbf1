"""A class of simulated students for this problem set: what each hands in, and the points that each
must get.

Those that are hostile attack the judge. Each attack is bounded in count, size and time, and changes
nothing on the machine, so that it does no harm even where no sandbox holds it: it tries a door and
does not go through.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from autograder.author.demo import Edit, Marks, Student, moved_around, untouched, without
from lstm_ref import zoo

FULL = {
    "lstm_step": 4,
    "lstm_forward": 3,
    "lstm_step_backward": 5,
    "lstm_backward": 5,
    "end_to_end": 1,
    "gradient_check": 2,
}
MARKS = Marks(FULL)
NOTHING, points = MARKS.nothing, MARKS.points
UNFINISHED = dict.fromkeys(
    (f"{name}_code" for name in FULL if name != "end_to_end"), "raise NotImplementedError()"
)  # a cell that stops, as an empty one does

# A port on this machine at which nobody listens; a test may, and must not hear anything.
FORBIDDEN_PORT = 49_151


def hand_in(changed: Mapping[str, str] | None = None, first: str = "", last: str = "") -> Edit:
    """Reference solutions in all cells but those that are ``changed`` (grade_id -> source); own
    cells at top and end.
    """

    def edit(notebook: Any, solutions: Mapping[str, str]) -> Any:
        sources = {**solutions, **(changed or {})}
        for cell in notebook.cells:
            grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
            if grade_id in sources:
                cell.source = sources[grade_id]
        for source, place in ((first, _after_imports(notebook)), (last, len(notebook.cells))):
            if source:
                notebook.cells.insert(place, _code_cell(source))
        return notebook

    return edit


def _after_imports(notebook: Any) -> int:
    return (
        next(k for k, cell in enumerate(notebook.cells) if cell.source.startswith("import numpy"))
        + 1
    )


def _code_cell(source: str) -> Any:
    from nbformat.v4 import new_code_cell

    return new_code_cell(source)


def _tests(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade")]


def with_bugs(*ids: str) -> Edit:
    """Reference solutions with mistakes of the zoo, in the style of the zoo."""
    return hand_in(
        {
            f"{zoo.find(id).function}_code": zoo.find(id).source_of(zoo.find(id).function)
            for id in ids
        }
    )


# --- right, each in another style
# ----------------------------------------------------------------------------------------

LOOPED = {
    "lstm_step_code": """
from math import exp, tanh

def lstm_step(x, h_prev, c_prev, Wx, Wh, b):
    N, D = x.shape
    H = h_prev.shape[1]
    gates = [np.zeros((N, H)) for _ in range(4)]
    c, h = np.zeros((N, H)), np.zeros((N, H))
    for n in range(N):
        for j in range(H):
            for k in range(4):
                a = b[k * H + j]
                for d in range(D):
                    a += x[n, d] * Wx[d, k * H + j]
                for m in range(H):
                    a += h_prev[n, m] * Wh[m, k * H + j]
                gates[k][n, j] = tanh(a) if k == 2 else 0.5 * tanh(0.5 * a) + 0.5
            i, f, g, o = (gate[n, j] for gate in gates)
            c[n, j] = f * c_prev[n, j] + i * g
            h[n, j] = o * tanh(c[n, j])
    return h, c, (x, h_prev, c_prev, *gates, c, Wx, Wh)
""",
    "lstm_step_backward_code": """
def lstm_step_backward(dh, dc, cache):
    x, h_prev, c_prev, i, f, g, o, c, Wx, Wh = cache
    N, D = x.shape
    H = h_prev.shape[1]
    dx, dh_prev, dc_prev = np.zeros((N, D)), np.zeros((N, H)), np.zeros((N, H))
    dWx, dWh, db = np.zeros((D, 4 * H)), np.zeros((H, 4 * H)), np.zeros(4 * H)
    for n in range(N):
        for j in range(H):
            t = np.tanh(c[n, j])
            total = dc[n, j] + dh[n, j] * o[n, j] * (1 - t * t)
            dc_prev[n, j] = total * f[n, j]
            da = [
                total * g[n, j] * i[n, j] * (1 - i[n, j]),
                total * c_prev[n, j] * f[n, j] * (1 - f[n, j]),
                total * i[n, j] * (1 - g[n, j] ** 2),
                dh[n, j] * t * o[n, j] * (1 - o[n, j]),
            ]
            for k in range(4):
                column = k * H + j
                db[column] += da[k]
                for d in range(D):
                    dx[n, d] += da[k] * Wx[d, column]
                    dWx[d, column] += da[k] * x[n, d]
                for m in range(H):
                    dh_prev[n, m] += da[k] * Wh[m, column]
                    dWh[m, column] += da[k] * h_prev[n, m]
    return dx, dh_prev, dc_prev, dWx, dWh, db
""",
}

VECTORISED = {
    "lstm_forward_code": """
def lstm_forward(x, h0, c0, Wx, Wh, b):
    N, T, D = x.shape
    H = h0.shape[1]
    a_x = (x.reshape(N * T, D) @ Wx + b).reshape(N, T, 4 * H)  # all inputs in one product
    h, c = np.empty((T + 1, N, H)), np.empty((T + 1, N, H))
    h[0], c[0] = h0, c0
    cache = []
    for t in range(T):
        a = a_x[:, t] + h[t] @ Wh
        i, f, o = (sigmoid(a[:, k * H : (k + 1) * H]) for k in (0, 1, 3))
        g = np.tanh(a[:, 2 * H : 3 * H])
        c[t + 1] = f * c[t] + i * g
        h[t + 1] = o * np.tanh(c[t + 1])
        cache.append((x[:, t], h[t], c[t], i, f, g, o, c[t + 1], Wx, Wh))
    return h[1:].transpose(1, 0, 2), (h[T], c[T]), cache
""",
    "lstm_backward_code": """
def lstm_backward(dh, cache, dcT=None):
    N, T, H = dh.shape
    x, h_prev, c_prev, i, f, g, o, c = (np.stack([step[k] for step in cache]) for k in range(8))
    Wx, Wh = cache[0][8:]
    da = np.empty((T, N, 4 * H))
    tanh_c = np.tanh(c)
    to_c, to_o = o * (1 - tanh_c**2), tanh_c * o * (1 - o)
    from_c = np.concatenate([g * i * (1 - i), c_prev * f * (1 - f), i * (1 - g**2)], axis=2)
    from_c = from_c.reshape(T, N, 3, H)
    dh_next, dc_next = np.zeros((N, H)), np.zeros((N, H)) if dcT is None else dcT
    for t in range(T - 1, -1, -1):
        total_h = dh[:, t] + dh_next
        total_c = dc_next + total_h * to_c[t]
        da[t, :, : 3 * H] = (total_c[:, None] * from_c[t]).reshape(N, 3 * H)
        da[t, :, 3 * H :] = total_h * to_o[t]
        dh_next, dc_next = da[t] @ Wh.T, total_c * f[t]
    flat = da.reshape(T * N, 4 * H)
    dx = (flat @ Wx.T).reshape(T, N, -1).transpose(1, 0, 2)
    dWx, dWh = x.reshape(T * N, -1).T @ flat, h_prev.reshape(T * N, H).T @ flat
    return dx, dh_next, dc_next, dWx, dWh, flat.sum(0)
""",
}

EINSUM = {
    "lstm_step_code": """
def lstm_step(x, h_prev, c_prev, Wx, Wh, b):
    H = h_prev.shape[1]
    a = np.einsum("nd,dkh->knh", x, Wx.reshape(-1, 4, H))
    a += np.einsum("nm,mkh->knh", h_prev, Wh.reshape(-1, 4, H))
    a += b.reshape(4, 1, H)
    i, f, o = sigmoid(a[[0, 1, 3]])
    g = np.tanh(a[2])
    c = np.einsum("nh,nh->nh", f, c_prev) + i * g
    return o * np.tanh(c), c, (x, h_prev, c_prev, i, f, g, o, c, Wx, Wh)
""",
    "lstm_step_backward_code": """
def lstm_step_backward(dh, dc, cache):
    x, h_prev, c_prev, i, f, g, o, c, Wx, Wh = cache
    N, H = c.shape
    dc = dc + dh * o / np.cosh(c) ** 2
    da = np.stack(
        [
            dc * g * i * (1 - i),
            dc * c_prev * f * (1 - f),
            dc * i * (1 - g * g),
            dh * np.tanh(c) * o * (1 - o),
        ],
        axis=1,
    )
    return (
        np.einsum("nkh,dkh->nd", da, Wx.reshape(-1, 4, H)),
        np.einsum("nkh,mkh->nm", da, Wh.reshape(-1, 4, H)),
        dc * f,
        np.einsum("nd,nkh->dkh", x, da).reshape(-1, 4 * H),
        np.einsum("nm,nkh->mkh", h_prev, da).reshape(-1, 4 * H),
        np.einsum("nkh->kh", da).reshape(4 * H),
    )
""",
}

# Every function hands its arguments, turned into float32, to the reference under another name.
_TO_FLOAT32 = """
def to_float32(value):
    if isinstance(value, np.ndarray):
        return value.astype(np.float32)
    if isinstance(value, (tuple, list)):
        return type(value)(to_float32(item) for item in value)
    return value
"""


def in_float32(notebook: Any, solutions: Mapping[str, str]) -> Any:
    """All of the LSTM in single precision; the gradient checker stays in double, where it
    belongs.
    """
    changed = {
        f"{name}_code": f"{solutions[f'{name}_code']}\n\n{name}_in_double = {name}\n\n"
        f"def {name}(*arguments):\n    return {name}_in_double(*(to_float32(a) for a in "
        "arguments))\n"
        for name in ("lstm_step", "lstm_forward", "lstm_step_backward", "lstm_backward")
    }
    return hand_in(changed, first=_TO_FLOAT32)(notebook, solutions)


NAMED = {
    "lstm_step_code": """
from typing import NamedTuple

class Cache(NamedTuple):
    x: object
    h_prev: object
    c_prev: object
    i: object
    f: object
    g: object
    o: object
    c: object
    Wx: object
    Wh: object

class Step(NamedTuple):
    h: object
    c: object
    cache: Cache

def lstm_step(x, h_prev, c_prev, Wx, Wh, b):
    i, f, g, o = np.hsplit(x @ Wx + h_prev @ Wh + b, 4)
    i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
    c = f * c_prev + i * g
    return Step(o * np.tanh(c), c, Cache(x, h_prev, c_prev, i, f, g, o, c, Wx, Wh))
"""
}

LISTS = {
    "lstm_step_backward_code": """
def lstm_step_backward(dh, dc, cache):
    x, h_prev, c_prev, i, f, g, o, c, Wx, Wh = (np.asarray(part) for part in cache)
    dh, dc = np.asarray(dh), np.asarray(dc)
    t = np.tanh(c)
    dc = dc + dh * o * (1 - t**2)
    da_i, da_f, da_g = dc * g * i * (1 - i), dc * c_prev * f * (1 - f), dc * i * (1 - g**2)
    da = np.hstack([da_i, da_f, da_g, dh * t * o * (1 - o)])
    results = [da @ Wx.T, da @ Wh.T, dc * f, x.T @ da, h_prev.T @ da, da.sum(axis=0)]
    return [array.tolist() for array in results]
""",
    "lstm_backward_code": """
def lstm_backward(dh, cache, dcT=None):
    N, T, H = dh.shape
    dh_next, dc_next = np.zeros((N, H)), np.zeros((N, H)) if dcT is None else dcT
    dx, dWx, dWh, db = [], 0, 0, 0
    for t in range(T - 1, -1, -1):
        grads = lstm_step_backward(dh[:, t] + dh_next, dc_next, cache[t])
        dx_t, dh_next, dc_next, dWx_t, dWh_t, db_t = (np.array(grad) for grad in grads)
        dx.insert(0, dx_t)
        dWx, dWh, db = dWx + dWx_t, dWh + dWh_t, db + db_t
    results = np.stack(dx, 1), dh_next, dc_next, dWx, dWh, db
    return tuple(array.tolist() for array in results)
""",
}

MATRIX = {
    "lstm_step_backward_code": """
def lstm_step_backward(dh, dc, cache):
    x, h_prev, c_prev, i, f, g, o, c, Wx, Wh = cache
    t = np.tanh(c)
    dc = dc + dh * o * (1 - t**2)
    da_i, da_f, da_g = dc * g * i * (1 - i), dc * c_prev * f * (1 - f), dc * i * (1 - g**2)
    da = np.hstack([da_i, da_f, da_g, dh * t * o * (1 - o)])
    da = np.matrix(da)
    dx, dh_prev = np.asarray(da * Wx.T), np.asarray(da * Wh.T)
    return dx, dh_prev, dc * f, np.matrix(x).T * da, np.matrix(h_prev).T * da, da.sum(axis=0)
"""
}

IN_PLACE = {
    "lstm_step_code": """
def lstm_step(x, h_prev, c_prev, Wx, Wh, b):
    old = (x.copy(), h_prev.copy(), c_prev.copy())
    a = x @ Wx + h_prev @ Wh + b
    i, f, g, o = np.hsplit(a, 4)
    i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
    c_prev *= f
    c_prev += i * g
    x *= 0
    return o * np.tanh(c_prev), c_prev.copy(), (*old, i, f, g, o, c_prev.copy(), Wx, Wh)
""",
    "lstm_backward_code": """
def lstm_backward(dh, cache, dcT=None):
    N, T, H = dh.shape
    if dcT is None:
        dcT = np.zeros((N, H))
    dx, dWx, dWh, db = [None] * T, 0, 0, 0
    for t in reversed(range(T)):
        dx[t], dh_prev, dcT[:], dWx_t, dWh_t, db_t = lstm_step_backward(dh[:, t], dcT, cache.pop())
        if t > 0:
            dh[:, t - 1] += dh_prev
        dWx, dWh, db = dWx + dWx_t, dWh + dWh_t, db + db_t
    return np.stack(dx, axis=1), dh_prev, dcT, dWx, dWh, db
""",
}

NOISY = {
    "lstm_step_code": """
import sys
import warnings

def lstm_step(x, h_prev, c_prev, Wx, Wh, b):
    print("lstm_step was called with", x.shape)
    warnings.warn("I am not sure about this")
    print("on stderr too", file=sys.stderr)
    with np.errstate(all="warn"):
        gate = lambda a: 1 / (1 + np.exp(-a))
        np.exp(np.array([1000.0]))
        a_i, a_f, a_g, a_o = np.split(x @ Wx + h_prev @ Wh + b, 4, axis=1)
        i, f, g, o = gate(a_i), gate(a_f), np.tanh(a_g), gate(a_o)
    c = f * c_prev + i * g
    return o * np.tanh(c), c, (x, h_prev, c_prev, i, f, g, o, c, Wx, Wh)
"""
}

HELPERS = """
def cut(a):
    H = a.shape[1] // 4
    return [a[:, k * H : (k + 1) * H] for k in range(4)]

def activate(a):
    a_i, a_f, a_g, a_o = cut(a)
    return sigmoid(a_i), sigmoid(a_f), np.tanh(a_g), sigmoid(a_o)
"""
WITH_HELPERS = {
    "lstm_step_code": """
def lstm_step(x, h_prev, c_prev, Wx, Wh, b):
    i, f, g, o = activate(x @ Wx + h_prev @ Wh + b)
    c = f * c_prev + i * g
    return o * np.tanh(c), c, (x, h_prev, c_prev, i, f, g, o, c, Wx, Wh)
"""
}

PER_GATE = {
    "lstm_step_code": """
class Gate:
    def __init__(self, number, Wx, Wh, b):
        H = Wh.shape[0]
        block = slice(number * H, (number + 1) * H)
        self.U, self.W, self.bias = Wx[:, block], Wh[:, block], b[block]

    def __call__(self, x, h):
        return np.dot(x, self.U) + np.dot(h, self.W) + self.bias

def lstm_step(x, h_prev, c_prev, Wx, Wh, b):
    input_gate, forget_gate, candidate, output_gate = (Gate(k, Wx, Wh, b) for k in range(4))
    i = sigmoid(input_gate(x, h_prev))
    f = sigmoid(forget_gate(x, h_prev))
    g = np.tanh(candidate(x, h_prev))
    o = sigmoid(output_gate(x, h_prev))
    c = f * c_prev + i * g
    return o * np.tanh(c), c, (x, h_prev, c_prev, i, f, g, o, c, Wx, Wh)
"""
}

COPYING_CHECKER = """
import copy

def gradient_check(loss, grad, params, eps=1e-5):
    def numerical(name, k):
        values = []
        for sign in (+1, -1):
            moved = copy.deepcopy(params)
            moved[name].ravel()[k] += sign * eps
            values.append(loss(moved))
        return (values[0] - values[1]) / (2 * eps)

    analytic, errors = grad(params), {}
    for name in params:
        a = np.asarray(analytic[name]).ravel()
        n = np.array([numerical(name, k) for k in range(params[name].size)])
        largest = max(np.abs(a).max(), np.abs(n).max())
        errors[name] = np.abs(a - n).max() / largest if largest else 0.0
    return errors
"""


def renamed(notebook: Any, solutions: Mapping[str, str]) -> Any:
    """All functions under names of the student's own, and the names asked for as aliases."""
    changed = {
        cell: (
            f"{source.replace('def lstm_', 'def my_')}\n\n{cell[:-5]} = "
            f"{cell[:-5].replace('lstm_', 'my_')}\n"
        )
        for cell, source in solutions.items()
        if cell.startswith("lstm_")
    }
    return hand_in(changed)(notebook, solutions)


RIGHT = (
    Student("perfect", "the reference", hand_in(), FULL, mistakes={}),
    Student("looped", "loops over every number", hand_in(LOOPED), FULL, mistakes={}),
    Student(
        "vectorised",
        "as few steps as possible inside the loops",
        hand_in(VECTORISED),
        FULL,
        mistakes={},
    ),
    Student("einsum", "einsum throughout", hand_in(EINSUM), FULL, mistakes={}),
    Student("float32", "all in single precision", in_float32, FULL, mistakes={}),
    Student(
        "named_tuples", "named tuples for results and cache", hand_in(NAMED), FULL, mistakes={}
    ),
    Student("lists", "lists where arrays were asked for", hand_in(LISTS), FULL, mistakes={}),
    Student("matrix", "np.matrix, whose sums keep both axes", hand_in(MATRIX), FULL, mistakes={}),
    Student("in_place", "changes its arguments", hand_in(IN_PLACE), FULL, mistakes={}),
    Student("noisy", "prints and warns in every call", hand_in(NOISY), FULL, mistakes={}),
    Student(
        "helper_cells",
        "functions of its own in a cell of its own",
        hand_in(WITH_HELPERS, HELPERS),
        FULL,
        mistakes={},
    ),
    Student("one_class_per_gate", "a class for gates", hand_in(PER_GATE), FULL, mistakes={}),
    Student("renamed", "own names, with aliases", renamed, FULL, mistakes={}),
    Student("moved_around", "the cells in reverse order", moved_around, FULL, mistakes={}),
    Student(
        "other_checker",
        "a checker that copies, and another definition of the relative error",
        hand_in({"gradient_check_code": COPYING_CHECKER}),
        FULL,
        mistakes={},
    ),
)

# --- not finished
# --------------------------------------------------------------------------------------------------


NOT_FINISHED = (
    Student("empty", "nothing written", untouched, NOTHING, mistakes={}),
    Student(
        "without_step",
        "lstm_step not written, so that lstm_forward cannot run",
        without("lstm_step"),
        points(lstm_step=0, lstm_forward=0, end_to_end=0),
        mistakes={},
    ),
    Student(
        "without_forward",
        "lstm_forward not written; the way back is graded all the same",
        without("lstm_forward"),
        points(lstm_forward=0, end_to_end=0),
        mistakes={},
    ),
    Student(
        "without_step_backward",
        "lstm_step_backward not written",
        without("lstm_step_backward"),
        points(lstm_step_backward=0, lstm_backward=0, end_to_end=0),
        mistakes={},
    ),
    Student(
        "without_backward",
        "lstm_backward not written",
        without("lstm_backward"),
        points(lstm_backward=0, end_to_end=0),
        mistakes={},
    ),
    Student(
        "without_checker",
        "gradient_check not written",
        without("gradient_check"),
        points(gradient_check=0),
        mistakes={},
    ),
    Student(
        "syntax_error",
        "one cell is no Python",
        hand_in(
            {
                "lstm_backward_code": (
                    "def lstm_backward(dh, cache, dcT=None):\n    for t in reversed(range(T)\n     "
                    "   pass"
                )
            }
        ),
        points(lstm_backward=0, end_to_end=0),
        mistakes={},
    ),
    Student(
        "needs_torch",
        "imports what is not there",
        hand_in(
            {
                "lstm_step_code": "import torch\n\ndef lstm_step(x, h_prev, c_prev, Wx, Wh, b):\n"
                "    return torch.nn.functional.tanh(torch.tensor(x)), c_prev, None"
            }
        ),
        points(lstm_step=0, lstm_forward=0, end_to_end=0),
        mistakes={},
    ),
    Student(
        "old_numpy",
        "a name that NumPy removed",
        hand_in(
            {
                "lstm_step_code": zoo.source_of("lstm_step").replace(
                    "    a = x", "    x = x.astype(np.float_)\n    a = x"
                )
            }
        ),
        points(lstm_step=0, lstm_forward=0, end_to_end=0),
        mistakes={},
    ),
    Student(
        "squeezes",
        "drops axes of length 1, on which the loop over time then fails",
        hand_in(
            {
                "lstm_step_code": zoo.source_of("lstm_step").replace(
                    "return h, c,", "return h.squeeze(), c.squeeze(),"
                )
            }
        ),
        # The last states are right where there is one example; of nine cases, the one with H = 1
        # raises: 3 * 2/3 * 8/9.
        points(lstm_forward=1.7778, end_to_end=0),
        mistakes={},
    ),
)

# --- wrong
# --------------------------------------------------------------------------------------------------


def _one(id: str, what: str, scores: Mapping[str, float], **mistakes: str) -> Student:
    """A student with one mistake of the zoo, named wherever it shows."""
    return Student(id, what, with_bugs(id), scores, mistakes=mistakes)


def _forward(id: str, what: str, step: float = 0, forward: float = 0) -> Student:
    """A mistake in lstm_step; lstm_forward repeats it."""
    scores = points(lstm_step=step, lstm_forward=forward, end_to_end=0)
    return _one(id, what, scores, lstm_step=id, lstm_forward=id)


def _backward(id: str, what: str, step: float = 0, sequence: float = 0, named: str = "") -> Student:
    """A mistake in lstm_step_backward; lstm_backward repeats it."""
    scores = points(lstm_step_backward=step, lstm_backward=sequence, end_to_end=0)
    return _one(id, what, scores, lstm_step_backward=id, lstm_backward=named or id)


ONE_SIDED = """
def gradient_check(loss, grad, params, eps=1e-5):
    analytic, errors, base = grad(params), {}, loss(params)
    for name, array in params.items():
        numerical = np.zeros_like(array)
        for index in np.ndindex(array.shape):
            old = array[index]
            array[index] = old + eps
            numerical[index] = (loss(params) - base) / eps
            array[index] = old
        scale = np.linalg.norm(analytic[name]) + np.linalg.norm(numerical)
        errors[name] = np.linalg.norm(analytic[name] - numerical) / scale if scale else 0.0
    return errors
"""

ONLY_THE_MAXIMUM = """
def each(loss, grad, params, eps):
    analytic = grad(params)
    for name, array in params.items():
        for k in range(array.size):
            old = array.flat[k]
            array.flat[k] = old + eps
            above = loss(params)
            array.flat[k] = old - eps
            below = loss(params)
            array.flat[k] = old
            yield abs((above - below) / (2 * eps) - analytic[name].flat[k])

def gradient_check(loss, grad, params, eps=1e-5):
    return max(each(loss, grad, params, eps))
"""

TWO_MISTAKES = zoo.source_of(
    "lstm_step", (*zoo.find("no_forget_gate").changes, *zoo.find("sigmoid_candidate").changes)
)

WRONG = (
    _forward("no_forget_gate", "the cell of 1997"),
    _forward("no_output_gate", "c is right, h is not", step=2),
    _forward("no_tanh_in_h", "c is right, h is not", step=2),
    _forward("sigmoid_candidate", "a sigmoid for the candidate"),
    _forward("no_bias", "leaves out b"),
    _forward("forget_inverted", "reads the forget gate the wrong way round"),
    _one(
        "zero_start",
        "ignores h0 and c0",
        points(lstm_forward=0, end_to_end=0),
        lstm_forward="zero_start",
    ),
    _one(
        "state_not_carried",
        "starts every step from h0 and c0",
        points(lstm_forward=0, end_to_end=0),
        lstm_forward="state_not_carried",
    ),
    _one(
        "cell_as_output",
        "collects c instead of h; the last states are right",
        points(lstm_forward=2, end_to_end=0),
        lstm_forward="cell_as_output",
    ),
    _one(
        "time_first",
        "the time axis first: a convention",
        points(lstm_forward=2, end_to_end=0),
        lstm_forward="time_first",
    ),
    _backward("dc_ignored", "drops what comes along c", named="no_dc_carry"),
    _backward("do_uses_c", "c for tanh(c); all but the block of o is right", step=2.7083),
    _backward("df_uses_new_cell", "c for c_prev; all but the block of f", step=2.7083),
    _backward("dWh_uses_new_h", "h for h_prev; all but dWh is right", step=4.1667, sequence=4.1667),
    _backward("db_mean", "a mean for a sum; all but db is right", step=4.1667, sequence=4.1667),
    _backward("dc_prev_without_f", "all but dc_prev is right in a single step", step=4.1667),
    _one(
        "no_dh_carry",
        "does not carry dh",
        points(lstm_backward=0, end_to_end=0),
        lstm_backward="no_dh_carry",
    ),
    _one(
        "weights_overwritten",
        "keeps one step's share; dx, dh0 and dc0 are right",
        points(lstm_backward=2.5, end_to_end=0),
        lstm_backward="weights_overwritten",
    ),
    Student(
        "other_gate_order",
        "i f o g, forward and backward",
        with_bugs("order_ifog", "back_order_ifog"),
        points(lstm_step=2),  # charged once
        mistakes={
            "end_to_end": "order_ifog",
            "lstm_step": "order_ifog",
            "lstm_forward": "order_ifog",
            "lstm_step_backward": "back_order_ifog",
            "lstm_backward": "back_order_ifog",
        },
    ),
    Student(
        "two_mistakes",
        "two mistakes at once, which nobody names",
        hand_in({"lstm_step_code": TWO_MISTAKES}),
        points(lstm_step=0, lstm_forward=0, end_to_end=0),
        mistakes={},
    ),
    Student(
        "old_state_in_cache",
        "each function is right, but the cache holds the new h, which spoils dWh",
        hand_in(
            {
                "lstm_step_code": zoo.source_of("lstm_step").replace(
                    "(x, h_prev, c_prev, i", "(x, h, c_prev, i"
                )
            }
        ),
        points(end_to_end=0.8333),
        mistakes={"end_to_end": "cache_new_h"},
    ),
    Student(
        "one_sided_checker",
        "a one-sided difference: it finds wrong gradients and rejects right ones",
        hand_in({"gradient_check_code": ONE_SIDED}),
        points(gradient_check=0),
        mistakes={"gradient_check": "one_sided"},
    ),
    Student(
        "checker_without_names",
        "returns the largest error instead of one for each parameter",
        hand_in({"gradient_check_code": ONLY_THE_MAXIMUM}),
        points(gradient_check=0),
        mistakes={"gradient_check": "no_dict"},
    ),
)

# --- hostile
# --------------------------------------------------------------------------------------------------


def deletes_tests(notebook: Any, solutions: Mapping[str, str]) -> Any:
    """Nothing written, and all cells with marks deleted."""
    notebook.cells = [cell for cell in notebook.cells if cell not in _tests(notebook)]
    return notebook


def skips_execution(notebook: Any, solutions: Mapping[str, str]) -> Any:
    """Nothing written, and every cell tagged so that nbclient leaves it out."""
    for cell in notebook.cells:
        cell.metadata["tags"] = [*cell.metadata.get("tags", []), "skip-execution"]
    return notebook


def tags_as_local(notebook: Any, solutions: Mapping[str, str]) -> Any:
    """Nothing written, and the cells with marks tagged as if they were not graded."""
    for cell in _tests(notebook):
        cell.metadata["tags"] = ["local"]
    return notebook


def edits_tests(notebook: Any, solutions: Mapping[str, str]) -> Any:
    """Nothing written; the cells with marks print their own score, which nbgrader alone would
    believe.
    """
    for cell in _tests(notebook):
        cell.source = f"{cell.metadata.nbgrader.points}"
    return notebook


def raises_points(notebook: Any, solutions: Mapping[str, str]) -> Any:
    """All is right, and every cell with marks is there three times, for 1000 points each, as a
    solution cell.
    """
    notebook = hand_in()(notebook, solutions)
    for cell in _tests(notebook):
        for name in ("points", "max_score"):
            cell.metadata.nbgrader[name] = 1000
        cell.metadata.nbgrader.solution = True
        for number in (2, 3):
            notebook.cells.append(deepcopy(cell))
            notebook.cells[-1].id = f"{cell.id}-{number}"
    return notebook


def swaps_names(notebook: Any, solutions: Mapping[str, str]) -> Any:
    """One function written; every solution cell carries its grade_id and its source."""
    for number, cell in enumerate(notebook.cells):
        marks = cell.metadata.get("nbgrader", {})
        if marks.get("solution"):
            marks["grade_id"] = "lstm_step_code"
            cell.source = solutions["lstm_step_code"]
            cell.id = f"copy-{number}"
    return notebook


_DELETES_ASSERTS = """
import ast

class WithoutAsserts(ast.NodeTransformer):
    def visit_Assert(self, node):
        return ast.Pass()

get_ipython().ast_transformers.append(WithoutAsserts())
"""

_ALL_IS_CLOSE = """
import builtins

for name in ("allclose", "isclose", "array_equal"):
    setattr(np, name, lambda *args, **kwargs: True)
for name in ("assert_allclose", "assert_array_equal", "assert_almost_equal"):
    setattr(np.testing, name, lambda *args, **kwargs: None)
np.abs = np.absolute = lambda *args, **kwargs: np.float64(0)
builtins.abs = lambda value: 0
"""

_READS_DISK = """
import os
import time

def look(root="/", most=20_000, seconds=5.0):
    # Names only, and the first line of what looks like a hidden test; nothing is changed.
    until, seen = time.monotonic() + seconds, 0
    for folder, _, names in os.walk(root):
        for name in names:
            seen += 1
            if seen > most or time.monotonic() > until:
                return
            if name in ("checks.py", "gradebook.db") or name.endswith(".ipynb"):
                with open(os.path.join(folder, name), "rb") as file:
                    print("FOUND", folder, name, file.read(80))

for start in (".", "..", "/"):
    try:
        look(start)
    except OSError as error:
        print(error)
"""

_WRITES_GRADEBOOK = """
import pathlib

# Opens what there is for writing, and writes nothing: that it could is what counts.
for folder in [pathlib.Path.cwd(), *pathlib.Path.cwd().parents][:8]:
    for name in ("gradebook.db", "gradebook.db-journal"):
        try:
            with open(folder / name, "r+b"):
                print("GRADEBOOK WRITABLE", folder / name)
        except OSError as error:
            print(error)
"""

_OPENS_SOCKET = f"""
import socket

for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
    address = (host, {FORBIDDEN_PORT})
    try:
        with socket.socket(family, socket.SOCK_STREAM) as connection:
            connection.settimeout(2)
            connection.connect(address)
            connection.sendall(b"a student's code was here")
            print("CONNECTED", address)
    except OSError as error:
        print(error)
"""

_FORKS = """
import os
import time

children = 0
for _ in range(200):
    try:
        if os.fork() == 0:
            time.sleep(5)
            os._exit(0)
        children += 1
    except OSError as error:
        print("no more than", children, "children:", error)
        break
"""

_FILLS_MEMORY = (
    """
def lstm_step(x, h_prev, c_prev, Wx, Wh, b):
    blocks = []
    for _ in range(12):  # 3 GiB at most, written to, and given back when the function ends
        block = bytearray(256 * 2**20)
        block[::4096] = b"x" * len(block[::4096])
        blocks.append(block)
    del blocks
    return """
    + "right_step(x, h_prev, c_prev, Wx, Wh, b)\n"
)

_FLOODS_STDOUT = """
megabytes = 200  # in all, over all calls

def flood():
    global megabytes
    while megabytes > 0:
        megabytes -= 1
        print("x" * 2**20)

def lstm_step(x, h_prev, c_prev, Wx, Wh, b):
    flood()
    return right_step(x, h_prev, c_prev, Wx, Wh, b)
"""

_LOOPS = """
import signal
import time

until = time.monotonic() + 120

def lstm_backward(dh, cache, dcT=None):
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)
    while time.monotonic() < until:
        try:
            time.sleep(0.01)
        except BaseException:
            pass
"""

_EXITS = """
import os

def lstm_step_backward(dh, dc, cache):
    os._exit(0)
"""

_EXITS_QUIETLY = """
import sys

def lstm_step_backward(dh, dc, cache):
    sys.exit(0)
"""

_LIES = """
class Liar:
    # Agrees with whoever asks.
    shape = dtype = ndim = size = None
    def __array__(self, dtype=None, copy=None):
        return np.zeros((3, 2)) if Liar.calm else 1 / 0
    def __eq__(self, other):
        return True
    def __sub__(self, other):
        return 0
    __rsub__ = __sub__
    def __abs__(self):
        return 0
    def __le__(self, other):
        return True
    __lt__ = __ge__ = __gt__ = __le__
    def __float__(self):
        return 0.0
    def __bool__(self):
        return True
    calm = True

class Agreeing(np.ndarray):
    # An array that is always equal, always near and never wrong.
    def __array_ufunc__(self, *args, **kwargs):
        return np.float64(0)
    def __array_function__(self, *args, **kwargs):
        return np.bool_(True)

def lstm_step(x, h_prev, c_prev, Wx, Wh, b):
    return Liar(), Liar(), None

def lstm_step_backward(dh, dc, cache):
    wrong = [cache[0], dh, dc, cache[8], cache[9], cache[9][0]]
    return [np.array(array).view(Agreeing) for array in wrong]
"""


def _with_right_step(source: str) -> Edit:
    def edit(notebook: Any, solutions: Mapping[str, str]) -> Any:
        right = solutions["lstm_step_code"].replace("def lstm_step(", "def right_step(")
        return hand_in({"lstm_step_code": f"{right}\n{source}"})(notebook, solutions)

    return edit


def _only(first: str) -> Edit:
    """Nothing written but one cell of its own at the top."""
    return hand_in(UNFINISHED, first)


HOSTILE = (
    Student("deletes_tests", "deletes the cells with marks", deletes_tests, NOTHING, hostile=True),
    Student(
        "skips_execution", "tags every cell skip-execution", skips_execution, NOTHING, hostile=True
    ),
    Student(
        "tags_as_local", "tags the cells with marks local", tags_as_local, NOTHING, hostile=True
    ),
    Student(
        "edits_tests",
        "makes the cells with marks print a score",
        edits_tests,
        NOTHING,
        hostile=True,
    ),
    Student(
        "raises_points",
        "1000 points a cell, three times; all is right",
        raises_points,
        FULL,
        hostile=True,
    ),
    Student(
        "swaps_names",
        "one function under the name of all",
        swaps_names,
        {**NOTHING, "lstm_step": 4},
        hostile=True,
    ),
    Student(
        "deletes_asserts",
        "takes assert out of later cells",
        _only(_DELETES_ASSERTS),
        NOTHING,
        hostile=True,
    ),
    Student(
        "all_is_close",
        "makes NumPy find everything equal",
        _only(_ALL_IS_CLOSE),
        NOTHING,
        hostile=True,
    ),
    Student(
        "reads_disk",
        "looks for hidden tests on the disk",
        _only(_READS_DISK),
        NOTHING,
        hostile=True,
    ),
    Student(
        "writes_gradebook",
        "tries to write to the gradebook",
        _only(_WRITES_GRADEBOOK),
        NOTHING,
        hostile=True,
    ),
    Student(
        "opens_socket",
        "tells another process; all else is right",
        hand_in(first=_OPENS_SOCKET),
        FULL,
        hostile=True,
    ),
    Student(
        "forks", "forks 200 times; all else is right", hand_in(first=_FORKS), FULL, hostile=True
    ),
    Student(
        "fills_memory",
        "takes 3 GiB in lstm_step",
        _with_right_step(_FILLS_MEMORY),
        points(lstm_step=0, lstm_forward=0, end_to_end=0),
        hostile=True,
    ),
    Student(
        "floods_stdout",
        "prints 200 MB; all is right",
        _with_right_step(_FLOODS_STDOUT),
        FULL,
        hostile=True,
    ),
    Student(
        "loops_forever",
        "ignores interrupts for two minutes in lstm_backward",
        hand_in({"lstm_backward_code": _LOOPS}),
        points(lstm_backward=0, end_to_end=0),
        hostile=True,
    ),
    Student(
        "exits",
        "ends its process in lstm_step_backward",
        hand_in({"lstm_step_backward_code": _EXITS}),
        points(lstm_step_backward=0, lstm_backward=0, end_to_end=0),
        hostile=True,
    ),
    Student(
        "exits_quietly",
        "calls sys.exit in lstm_step_backward",
        hand_in({"lstm_step_backward_code": _EXITS_QUIETLY}),
        points(lstm_step_backward=0, lstm_backward=0, end_to_end=0),
        hostile=True,
    ),
    Student(
        "lies",
        "returns objects that equal everything",
        hand_in({"lstm_step_code": "", "lstm_step_backward_code": _LIES}),
        points(lstm_step=0, lstm_forward=0, lstm_step_backward=0, lstm_backward=0, end_to_end=0),
        hostile=True,
    ),
)

STUDENTS = (*RIGHT, *NOT_FINISHED, *WRONG, *HOSTILE)
