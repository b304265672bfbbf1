"""A class of simulated students for this problem set: what each hands in, and the points that each
must get.

Those that are hostile attack the judge. Each attack is bounded in count, size and time, and changes
nothing on the machine, so that it does no harm even where no sandbox holds it: it tries a door and
does not go through.
"""

from __future__ import annotations

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
from lstm_ref.practice.search_compress import SET

FULL = {
    "log_uniform": 2,
    "random_search": 2,
    "price": 2,
    "successive_halving": 2,
    "choose_and_report": 2,
    "prune_layer": 2,
    "prune_model": 2,
    "drop_units": 2,
    "row_scales": 1,
    "quantise": 1,
    "distillation_loss": 2,
}
MARKS = Marks(FULL)
NOTHING, UNFINISHED = MARKS.nothing, MARKS.unfinished
points, right = MARKS.points, MARKS.right


# --- right, each in another style
# ----------------------------------------------------------------------------------------

LOOPED = {
    "log_uniform": """
import math

def log_uniform(low, high, n, rng):
    found = []
    for _ in range(n):
        u = rng.random()
        found.append(math.exp(math.log(low) + u * (math.log(high) - math.log(low))))
    return np.array(found)
""",
    "random_search": """
def random_search(loss, rates):
    best_rate, best_loss = None, float("inf")
    for rate in rates:
        now = loss(rate)
        if now < best_loss:  # never true of NaN
            best_rate, best_loss = rate, now
    return best_rate, best_loss
""",
    "prune_layer": """
def prune_layer(W, k):
    out = np.array(W)
    for _ in range(k):
        rest = np.where(out == 0, np.inf, np.abs(out))
        out[np.unravel_index(rest.argmin(), out.shape)] = 0
    return out
""",
    "row_scales": """
def row_scales(W):
    scales = []
    for row in W:
        top = max(abs(w) for w in row)
        scales.append(top / 127 if top else 1)
    return scales
""",
    "quantise": """
def quantise(W, scale):
    Q = np.zeros(W.shape, int)
    for r in range(W.shape[0]):
        for c in range(W.shape[1]):
            Q[r, c] = min(127, max(-127, round(float(W[r, c] / scale[r]))))
    return Q, (Q.T * scale).T
""",
}

POWERS = {
    "log_uniform": """
def log_uniform(low, high, n, rng):
    return 10 ** rng.uniform(np.log10(low), np.log10(high), size=n)
"""
}

RATIO = {
    "log_uniform": "log_uniform = lambda low, high, n, rng: low * (high / low) ** rng.random(n)"
}

GROUPS = {
    "price": """
def price(n, rungs, eta):
    stops = [0] + list(rungs)
    alive = [n]
    for _ in rungs:
        alive.append(max(1, alive[-1] // eta))
    return sum(m * (b - a) for m, a, b in zip(alive, stops, stops[1:]))
""",
    "successive_halving": """
def successive_halving(train, n, rungs, eta):
    race = [(k, 0) for k in range(n)]
    for rung in rungs:
        results = []
        for k, stands in race:
            loss = train(k, stands, rung)
            results.append((np.isnan(loss), loss, k))
        results.sort()
        race = [(k, rung) for _, _, k in results[: len(results) // eta or 1]]
    return results[0][2], results[0][1]
""",
}

RECURSIVE = {
    "price": """
def price(n, rungs, eta, done=0):
    if not rungs:
        return 0
    return n * (rungs[0] - done) + price(max(n // eta, 1), rungs[1:], eta, rungs[0])
""",
    "successive_halving": """
def successive_halving(train, n, rungs, eta, alive=None, done=0):
    alive = range(n) if alive is None else alive
    losses = np.array([train(k, done, rungs[0]) for k in alive])
    order = np.argsort(losses)  # NaN comes last
    if len(rungs) == 1:
        return alive[order[0]], losses[order[0]]
    keep = [alive[j] for j in order[: max(1, len(order) // eta)]]
    return successive_halving(train, n, rungs[1:], eta, keep, rungs[0])
""",
}

TABLES = {
    "choose_and_report": """
def choose_and_report(validation, test, K, seeds):
    table = np.zeros((K, len(seeds)))
    for j, seed in enumerate(seeds):
        for k in range(K):
            table[k, j] = validation(k, seed)
    mean = table.mean(axis=1)
    mean[np.isnan(mean)] = np.inf
    k = int(np.argmin(mean))
    total = 0.0
    for seed in seeds:
        total += test(k, seed)
    return k, total / len(seeds)
"""
}

PARTITIONED = {
    "prune_layer": """
def prune_layer(W, k):
    flat = W.flatten()
    flat[np.argpartition(np.abs(flat), k)[:k]] = 0
    return flat.reshape(W.shape)
""",
    "prune_model": """
def prune_model(params, share):
    matrices = {name: p for name, p in params.items() if p.ndim > 1}
    places = [(abs(w), name, k) for name, p in matrices.items() for k, w in enumerate(p.flat)]
    out = {name: np.copy(p) for name, p in params.items()}
    for _, name, k in sorted(places)[: int(share * len(places))]:
        out[name].flat[k] = 0.0
    return out
""",
}

RESHAPED = {
    "drop_units": """
def drop_units(Wx, Wh, b, V, keep):
    D, H = Wx.shape[0], Wh.shape[0]
    strength = np.square(np.hstack([Wh, V])).sum(1)
    units = sorted(sorted(range(H), key=lambda j: strength[j])[H - keep :])
    small_Wx = Wx.reshape(D, 4, H)[:, :, units].reshape(D, -1)
    small_Wh = Wh.reshape(H, 4, H)[units][:, :, units].reshape(keep, -1)
    return small_Wx, small_Wh, b.reshape(4, H)[:, units].ravel(), V[units, :]
"""
}

MASKED = {
    "drop_units": """
def drop_units(Wx, Wh, b, V, keep):
    H = V.shape[0]
    strength = np.einsum("jk,jk->j", Wh, Wh) + np.einsum("jk,jk->j", V, V)
    stays = np.zeros(H, bool)
    stays[np.argsort(strength)[H - keep :]] = True
    four = np.tile(stays, 4)
    return Wx[:, four], Wh[np.ix_(stays, four)], b[four], V[stays]
""",
    "row_scales": """
def row_scales(W):
    scale = np.maximum(W.max(1), -W.min(1)) / 127
    scale[scale == 0] = 1
    return scale
""",
}

FLOATS = {
    "quantise": """
def quantise(W, scale):
    Q = np.rint(np.divide(W, scale.reshape(-1, 1)))
    Q[Q > 127] = 127
    Q[Q < -127] = -127
    return Q, np.diag(scale) @ Q
""",
    "distillation_loss": """
def distillation_loss(z, v, y, tau, share):
    total = 0.0
    for z_n, v_n, y_n in zip(z, v, y):
        log_q, log_p = log_softmax(z_n[None] / tau)[0], log_softmax(v_n[None] / tau)[0]
        divergence = sum(np.exp(a) * (a - b) for a, b in zip(log_p, log_q))
        total += share * tau * tau * divergence - (1 - share) * log_softmax(z_n[None])[0, y_n]
    return total / len(y)
""",
}

ENTROPIES = {
    "distillation_loss": """
def distillation_loss(z, v, y, tau, share):
    N, K = z.shape
    p = np.exp(log_softmax(v / tau))
    cross = -np.sum(p * log_softmax(z / tau)) / N
    own = -np.sum(p * log_softmax(v / tau)) / N
    labels = np.eye(K)[y]
    return share * tau**2 * (cross - own) - (1 - share) * np.sum(labels * log_softmax(z)) / N
"""
}

NOISY = {
    "choose_and_report": """
import sys
import warnings

def choose_and_report(validation, test, K, seeds):
    print("settings:", K)
    warnings.warn("I am not sure about this")
    print("on stderr too", file=sys.stderr)
    means = {k: sum(validation(k, s) for s in seeds) / len(seeds) for k in range(K)}
    k = min((k for k in means if means[k] == means[k]), key=means.get)
    return k, sum(test(k, s) for s in seeds) / len(seeds)
"""
}


RIGHT = (
    right("perfect", "the reference", hand_in()),
    right("looped", "loops over every number", hand_in(LOOPED)),
    right("powers", "powers of ten", hand_in(POWERS)),
    right("ratio", "a power of the ratio of both ends", hand_in(RATIO)),
    right("groups", "counts who is left first", hand_in(GROUPS)),
    right("recursive", "a rung in each call", hand_in(RECURSIVE)),
    right("tables", "a table of losses, seed by seed", hand_in(TABLES)),
    right("partitioned", "argpartition, and a list of all places", hand_in(PARTITIONED)),
    right("reshaped", "an axis for the gates", hand_in(RESHAPED)),
    right("masked", "Boolean masks", hand_in(MASKED)),
    right("floats", "whole numbers as floats", hand_in(FLOATS)),
    right("entropies", "the divergence as a difference of entropies", hand_in(ENTROPIES)),
    right("noisy", "prints and warns in every call", hand_in(NOISY)),
    right("renamed", "own names, with aliases", renamed),
    right("moved_around", "the cells in reverse order", moved_around),
)

# --- not finished
# --------------------------------------------------------------------------------------------------


def _faulty(name: str, what: str, function: str, source: str, **scores: float) -> Student:
    return Student(
        name, what, hand_in({function: source}), points(**{function: 0, **scores}), mistakes={}
    )


NOT_FINISHED = (
    Student("empty", "nothing written", untouched, NOTHING, mistakes={}),
    *(
        Student(
            f"without_{name}",
            f"{name} not written",
            without(name),
            points(**{name: 0}),
            mistakes={},
        )
        for name in FULL
    ),
    _faulty(
        "syntax_error", "one cell is no Python", "price", "def price(n, rungs, eta)\n    return n"
    ),
    _faulty(
        "needs_optuna",
        "imports what is not there",
        "random_search",
        "import optuna\n\ndef random_search(loss, rates):\n    study = optuna.create_study()\n"
        "    return study.best_params, study.best_value",
    ),
    _faulty(
        "prints",
        "prints in place of returning",
        "distillation_loss",
        SET.source("distillation_loss").replace("return share", "loss = share")
        + "\n    print(loss)",
    ),
    _faulty(
        "one_result",
        "returns one result where two are asked for",
        "random_search",
        SET.source("random_search").replace(
            "return rates[best], losses[best]", "return rates[best]"
        ),
    ),
)

# --- wrong
# --------------------------------------------------------------------------------------------------

# What is right all the same: one of two results, one or three of four.
HALF_OF_TWO = ("back_in_steps", "back_is_given", "back_divided", "zero_at_128")
THREE_OF_FOUR = ("rows_stay",)
ONE_OF_FOUR = ("gates_interleaved", "one_gate_four_times")
PARTLY = {
    **dict.fromkeys((*HALF_OF_TWO, *ONE_OF_FOUR), 0.5),
    **dict.fromkeys(THREE_OF_FOUR, 1.5),
}

TWO_MISTAKES = SET.source("distillation_loss", "divergence_reversed").replace("tau**2", "tau")

ALL_AT_ONCE = """
def random_search(loss, rates):
    losses = loss(rates)
    best = np.nanargmin(losses)
    return rates[best], losses[best]
"""

LOOKS_EVERYWHERE = """
def choose_and_report(validation, test, K, seeds):
    table = [[(validation(k, s), test(k, s)) for s in seeds] for k in range(K)]
    means = np.mean(table, axis=1)
    best = np.nanargmin(means[:, 0])
    [test(best, s) for s in seeds]
    return best, means[best, 1]
"""

HALF_STEPS = """
def successive_halving(train, n, rungs, eta):
    alive, before = list(range(n)), 0
    for rung in rungs:
        losses = {k: (train(k, before, rung - 1), train(k, rung - 1, rung))[1] for k in alive}
        order = sorted(alive, key=lambda k: np.nan_to_num(losses[k], nan=np.inf))
        alive, before = order[: max(1, len(order) // eta)], rung
    return order[0], losses[order[0]]
"""

NORMAL_DRAWS = """
def log_uniform(low, high, n, rng):
    middle, spread = np.log(low * high) / 2, np.log(high / low) / 6
    return np.clip(np.exp(rng.normal(middle, spread, n)), low, high)
"""


def _one(mistake: Mistake) -> Student:
    """A student with one known mistake."""
    name = mistake.function
    score = PARTLY.get(mistake.id, FULL[name] / 2 if mistake.convention else 0)
    return Student(
        mistake.id,
        mistake.title,
        hand_in({name: SET.source(name, mistake.id)}),
        points(**{name: score}),
        mistakes={name: mistake.id},
    )


def _found(name: str, what: str, function: str, source: str, id: str) -> Student:
    """A student whose mistake breaks what must hold of each right answer."""
    edit = hand_in({function: source})
    return Student(name, what, edit, points(**{function: 0}), mistakes={function: id})


WRONG = (
    *(_one(mistake) for mistake in SET.mistakes),
    _faulty("two_mistakes", "two mistakes at once, which nobody names", "distillation_loss",
            TWO_MISTAKES),
    _faulty("all_at_once", "asks about all rates in one call", "random_search", ALL_AT_ONCE),
    _found("looks_everywhere", "asks the test set about all, for nothing", "choose_and_report",
           LOOKS_EVERYWHERE, "looks_at_test"),
    _found("half_steps", "more trainings than the text asks for", "successive_halving",
           HALF_STEPS, "other_trainings"),
    _found("normal_draws", "draws around the middle", "log_uniform", NORMAL_DRAWS,
           "not_log_uniform"),
)  # fmt: skip

# --- hostile
# --------------------------------------------------------------------------------------------------


IMPORTS_THE_ANSWERS = """
try:
    from lstm_ref.practice.plain_search_compress import *
except ImportError as error:
    print(error)
"""

TAKES_APART = """
def random_search(loss, rates):
    # What is called is a door to the judge: there is no table behind it.
    for name in ("table", "best", "limit", "__wrapped__", "__closure__", "__self__", "__globals__"):
        try:
            print(name, getattr(loss, name, None))
        except Exception as error:
            print(type(error).__name__)
    return rates[0], 0.3

def choose_and_report(validation, test, K, seeds):
    try:
        validation.__dict__.update(test.__dict__)
    except Exception as error:
        print(type(error).__name__)
    return 0, 0.5
"""

AGREES = """
class Agreeing(float):
    # Equal to all, near to all, and never wrong.
    def __eq__(self, other):
        return True
    def __sub__(self, other):
        return 0.0
    __rsub__ = __sub__
    def __abs__(self):
        return 0.0
    def __le__(self, other):
        return True
    __lt__ = __ge__ = __gt__ = __le__
    __hash__ = float.__hash__

def price(n, rungs, eta):
    return Agreeing(200)

def distillation_loss(z, v, y, tau, share):
    return Agreeing(1.0)
"""

ASKS_OFTEN = """
def successive_halving(train, n, rungs, eta):
    for turn in range(1000):
        loss = train(turn % n, 0, rungs[0])
    return 0, loss
"""

HUGE = """
def quantise(W, scale):
    huge = np.broadcast_to(np.float64(1), (200_000, 200_000))
    return huge, huge
"""

LOOPS = """
import time

until = time.monotonic() + 120

def prune_layer(W, k):
    while time.monotonic() < until:
        try:
            time.sleep(0.01)
        except BaseException:
            pass
"""

EXITS = """
import os

def drop_units(Wx, Wh, b, V, keep):
    os._exit(0)
"""


HOSTILE = (
    hostile("deletes_tests", "deletes the cells with marks", deletes_tests, NOTHING),
    hostile("raises_points", "1000 points a cell; all is right", raises_points, FULL),
    hostile("imports_answers", "takes the course's own functions",
             hand_in(UNFINISHED, IMPORTS_THE_ANSWERS), NOTHING),
    hostile("takes_apart", "looks behind the functions that it is given",
             hand_in({"random_search": TAKES_APART, "choose_and_report": ""}),
             points(random_search=0, choose_and_report=0)),
    hostile("agrees", "returns numbers that agree with whoever asks",
             hand_in({"price": AGREES, "distillation_loss": ""}),
             points(price=0, distillation_loss=0)),
    hostile("asks_often", "asks for a thousand trainings",
             hand_in({"successive_halving": ASKS_OFTEN}), points(successive_halving=0)),
    hostile("huge", "returns a table of 300 GB", hand_in({"quantise": HUGE}), points(quantise=0)),
    hostile("loops_forever", "does not end", hand_in({"prune_layer": LOOPS}),
            points(prune_layer=0)),
    hostile("exits", "ends its process", hand_in({"drop_units": EXITS}), points(drop_units=0)),
)  # fmt: skip

STUDENTS = (*RIGHT, *NOT_FINISHED, *WRONG, *HOSTILE)
