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
from lstm_ref.practice.seq2seq import SET

FULL = {
    "dot_scores": 2,
    "additive_scores": 2,
    "attend": 3,
    "teacher_forcing": 3,
    "greedy": 2,
    "beam_search": 3,
    "ctc_collapse": 1,
    "ctc_forward": 4,
}
MARKS = Marks(FULL)
NOTHING, UNFINISHED = MARKS.nothing, MARKS.unfinished
points, right = MARKS.points, MARKS.right


# --- right, each in another style
# ----------------------------------------------------------------------------------------

LOOPED = {
    "dot_scores": """
def dot_scores(q, k):
    N, S, H = q.shape
    e = np.zeros((N, S, k.shape[1]))
    for n in range(N):
        for s in range(S):
            for t in range(k.shape[1]):
                for h in range(H):
                    e[n, s, t] += q[n, s, h] * k[n, t, h]
    return e / H**0.5
""",
    "additive_scores": """
def additive_scores(q, k, Wq, Wk, v):
    e = np.zeros((len(q), q.shape[1], k.shape[1]))
    for n in range(len(q)):
        for s in range(q.shape[1]):
            for t in range(k.shape[1]):
                for a in range(len(v)):
                    e[n, s, t] += v[a] * np.tanh(q[n, s] @ Wq[:, a] + k[n, t] @ Wk[:, a])
    return e
""",
    "attend": """
def attend(e, mask, values):
    N, S, T = e.shape
    w, z = np.zeros((N, S, T)), np.zeros((N, S, values.shape[2]))
    for n in range(N):
        places = [t for t in range(T) if mask[n, t]]
        for s in range(S):
            if not places:
                continue
            top = max(e[n, s, t] for t in places)
            total = sum(np.exp(e[n, s, t] - top) for t in places)
            for t in places:
                w[n, s, t] = np.exp(e[n, s, t] - top) / total
                z[n, s] += w[n, s, t] * values[n, t]
    return w, z
""",
}

EINSUM = {
    "dot_scores": """
def dot_scores(q, k):
    return np.einsum("nsh,nth->nst", q, k) * q.shape[-1] ** -0.5
""",
    "additive_scores": """
def additive_scores(q, k, Wq, Wk, v):
    a, b = np.einsum("nsi,ia->nsa", q, Wq), np.einsum("nti,ia->nta", k, Wk)
    return np.einsum("nsta,a->nst", np.tanh(np.expand_dims(a, 2) + np.expand_dims(b, 1)), v)
""",
    "attend": """
def attend(e, mask, values):
    m = np.broadcast_to(mask[:, None].astype(float), e.shape)
    top = np.max(e, axis=-1, keepdims=True, where=m > 0, initial=-1e300)
    p = np.exp(e - top, where=m > 0, out=np.zeros(e.shape))
    norm = np.einsum("nst->ns", p)
    norm[norm == 0] = 1
    w = np.einsum("nst,ns->nst", p, 1 / norm)
    return w, np.einsum("nst,ntv->nsv", w, values)
""",
}

CUT_OUT = {
    "attend": """
def attend(e, mask, values):
    w, z = [], []
    for scores, there, what in zip(e, mask, values):
        row = np.zeros_like(scores)
        if there.any():
            some = scores[:, there]
            some = np.exp(some - some.max(1)[:, None])
            row[:, there] = some / some.sum(1)[:, None]
        w.append(row)
        z.append(row @ what)
    return np.array(w), np.array(z)
""",
    "teacher_forcing": """
def teacher_forcing(texts, start, end, pad):
    rows = [[start] + list(text) + [end] for text in texts]
    T = max(map(len, rows)) - 1
    lengths = [len(row) - 1 for row in rows]
    fed = [row[:-1] + [pad] * (T - L) for row, L in zip(rows, lengths)]
    target = [row[1:] + [pad] * (T - L) for row, L in zip(rows, lengths)]
    return np.array(fed), np.array(target), np.arange(T) < np.array(lengths)[:, None]
""",
}

AS_LISTS = {
    "teacher_forcing": """
from itertools import zip_longest

def teacher_forcing(texts, start, end, pad):
    turn = lambda rows, fill: [list(row) for row in zip(*zip_longest(*rows, fillvalue=fill))]
    fed = turn([(start, *text) for text in texts], pad)
    target = turn([(*text, end) for text in texts], pad)
    return fed, target, turn([[1] * (len(text) + 1) for text in texts], 0)
""",
    "ctc_collapse": """
from itertools import groupby

def ctc_collapse(path):
    return [symbol for symbol, _ in groupby(path) if symbol]
""",
}

HEAP = {
    "beam_search": """
import heapq

class Text:
    def __init__(self, words, log_p, end):
        self.words, self.log_p, self.ended = words, log_p, words[-1:] == (end,)
        self.text = words[:-1] if self.ended else words

def beam_search(next_log_p, end, longest, width, alpha):
    def score(text):
        return text.log_p * (6 / (5 + len(text.words))) ** alpha
    texts, finished = [Text((), 0.0, end)], []
    while texts and longest:
        longest -= 1
        all_of_them = (
            Text((*text.words, w), text.log_p + p, end)
            for text in texts for w, p in enumerate(next_log_p(list(text.words)))
        )
        best = heapq.nlargest(width, all_of_them, key=lambda text: text.log_p)
        finished.extend(filter(lambda text: text.ended, best))
        texts = [text for text in best if not text.ended]
    winner = max(finished or texts, key=score)
    return winner.text, score(winner)
"""
}

TABLES = {
    "beam_search": """
def beam_search(next_log_p, end, longest, width, alpha):
    texts, log_p, best = [()], np.zeros(1), (-np.inf, ())
    rule = lambda L: ((5 + L) / 6) ** alpha
    ended = False
    for step in range(1, longest + 1):
        if not texts:
            break
        table = log_p[:, None] + np.stack([next_log_p(np.array(text, dtype=int)) for text in texts])
        flat = np.argsort(table, axis=None)[::-1][:width]
        rows, words = np.unravel_index(flat, table.shape)
        new = [(texts[r] + (int(w),), table[r, w]) for r, w in zip(rows, words)]
        for text, p in new:
            if text[-1] == end:
                ended = True
                best = max(best, (p / rule(step), text[:-1]))
        texts = [text for text, p in new if text[-1] != end]
        log_p = np.array([p for text, p in new if text[-1] != end])
    if not ended:
        best = max((p / rule(len(text)), text) for text, p in zip(texts, log_p))
    return list(best[1]), best[0]
""",
    "ctc_forward": """
def ctc_forward(log_p, labels):
    z = np.zeros(2 * len(labels) + 1, dtype=int)
    z[1::2] = labels
    skip = np.zeros(len(z), dtype=bool)
    skip[3::2] = z[3::2] != z[1:-2:2]
    none = lambda n: np.full(n, -np.inf)
    a = none(len(z))
    a[:2] = log_p[0][z[:2]]
    for t in range(1, len(log_p)):
        one = np.concatenate([none(1), a])[: len(z)]
        two = np.where(skip, np.concatenate([none(2), a])[: len(z)], -np.inf)
        a = np.logaddexp(np.logaddexp(a, one), two) + log_p[t][z]
    return np.logaddexp.reduce(a[-2:])
""",
}

RECURSIVE = {
    "greedy": """
def greedy(next_log_p, end, longest, words=()):
    if longest == 0:
        return list(words), 0
    p = np.asarray(next_log_p(list(words)))
    w = p.argmax()
    if w == end:
        return list(words), p[w]
    text, rest = greedy(next_log_p, end, longest - 1, (*words, w))
    return text, p[w] + rest
""",
    "ctc_collapse": """
def ctc_collapse(path):
    path = list(path)
    if not path:
        return []
    rest = ctc_collapse(path[1:])
    if path[0] == 0 or path[1:2] == [path[0]]:
        return rest
    return [path[0], *rest]
""",
}

SCALED = {
    "ctc_forward": """
def ctc_forward(log_p, labels):
    p = np.exp(log_p)
    z = [0]
    for label in labels:
        z.extend((label, 0))
    a = np.zeros(len(z))
    a[:2] = p[0, z[:2]]
    total = 0.0
    for t in range(len(p)):
        if t:
            new = a.copy()
            new[1:] += a[:-1]
            for s in range(2, len(z)):
                if z[s] and z[s] != z[s - 2]:
                    new[s] += a[s - 2]
            a = new * p[t, z]
        if a.sum() == 0:
            return -np.inf
        total += np.log(a.sum())
        a = a / a.sum()
    end = a[-2:].sum()
    return total + np.log(end) if end > 0 else -np.inf
"""
}

DICTIONARY = {
    "ctc_forward": """
from collections import defaultdict

def ctc_forward(log_p, labels):
    # (labels so far, whether the last symbol was a blank) -> log p, the frames outside
    ways = {(0, True): 0.0}
    for frame in log_p:
        new = defaultdict(lambda: -np.inf)
        for (done, blank), p in ways.items():
            steps = [((done, True), 0)]
            if done and not blank:
                steps.append(((done, False), labels[done - 1]))
            if done < len(labels) and (blank or labels[done] != labels[done - 1]):
                steps.append(((done + 1, False), labels[done]))
            for state, symbol in steps:
                new[state] = np.logaddexp(new[state], p + frame[symbol])
        ways = new
    ends = [ways.get((len(labels), blank), -np.inf) for blank in (True, False)]
    return np.logaddexp(*ends)
"""
}

NOISY = {
    "greedy": """
import sys
import warnings

def greedy(next_log_p, end, longest):
    print("called with", end, longest)
    warnings.warn("I am not sure about this")
    print("on stderr too", file=sys.stderr)
    text, total = np.array([], dtype=int), np.float64(0)
    while len(text) < longest:
        p = next_log_p(text)
        total += max(p)
        if p[end] == max(p):
            break
        text = np.append(text, int(np.argmax(p)))
    return text, total
"""
}


def in_float32(notebook: Any, solutions: Mapping[str, str]) -> Any:
    """The attention in single precision."""
    first = (
        "def single(*arrays):\n"
        "    return [a.astype(np.float32) if a.dtype == float else a for a in arrays]"
    )
    changed = {
        name: f"{solutions[f'{name}_code']}\n\n{name}_in_double = {name}\n\n"
        f"def {name}(*arrays):\n    return {name}_in_double(*single(*arrays))\n"
        for name in ("dot_scores", "additive_scores", "attend")
    }
    return hand_in(changed, first)(notebook, solutions)


RIGHT = (
    right("perfect", "the reference", hand_in()),
    right("looped", "loops over every number", hand_in(LOOPED)),
    right("einsum", "sums over letters", hand_in(EINSUM)),
    right("cut_out", "cuts the padding out, and the rows in one piece", hand_in(CUT_OUT)),
    right("as_lists", "lists in place of arrays", hand_in(AS_LISTS)),
    right("heap", "texts are objects, and a heap finds the best", hand_in(HEAP)),
    right("tables", "all texts and states of a step in one array", hand_in(TABLES)),
    right("recursive", "recursion in place of loops", hand_in(RECURSIVE)),
    right("scaled", "probabilities that are scaled in each frame", hand_in(SCALED)),
    right("dictionary", "states by what is done so far", hand_in(DICTIONARY)),
    right("float32", "in single precision", in_float32),
    right("noisy", "prints and warns in every call", hand_in(NOISY)),
    right("renamed", "own names, with aliases", renamed),
    right("moved_around", "the cells in reverse order", moved_around),
)

# --- not finished
# --------------------------------------------------------------------------------------------------


def _faulty(name: str, what: str, function: str, source: str) -> Student:
    return Student(name, what, hand_in({function: source}), points(**{function: 0}), mistakes={})


NEEDS_JAX = "from jax.scipy.special import logsumexp\n\n" + SET.source("ctc_forward").replace(
    "np.logaddexp.reduce", "logsumexp"
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
        "syntax_error",
        "one cell is no Python",
        "greedy",
        "def greedy(next_log_p, end, longest)\n    return []",
    ),
    _faulty("needs_jax", "imports what is not there", "ctc_forward", NEEDS_JAX),
    _faulty(
        "returns_nothing",
        "prints in place of returning",
        "ctc_collapse",
        SET.source("ctc_collapse").replace("return labels", "print(labels)"),
    ),
    _faulty(
        "only_weights",
        "returns the weights where two things are asked for",
        "attend",
        SET.source("attend").replace("return w, z", "return w"),
    ),
)

# --- wrong
# --------------------------------------------------------------------------------------------------

# What is right all the same: of two results a half each, of three a third.
PARTLY = {
    **dict.fromkeys(("z_mean", "z_hard", "z_without_weights"), 1.5),
    **dict.fromkeys(("not_shifted", "shifted_wrong_way", "two_ahead", "no_start"), 1.0),
    **dict.fromkeys(("end_padded", "end_in_last_column", "padded_with_zero"), 1.0),
    **dict.fromkeys(("end_not_counted", "mask_by_pad", "mask_of_ones", "loss_mask_inverted"), 2.0),
    **dict.fromkeys(("end_in_the_text", "end_not_in_log_p", "probability_returned"), 1.0),
    **dict.fromkeys(("probabilities_summed", "log_p_of_the_last"), 1.0),
    "beam_end_in_the_text": 1.5,
}

TWO_MISTAKES = SET.source("ctc_forward", "starts_with_blank").replace("before[-2:]", "before[-1:]")


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
        "two_mistakes", "two mistakes at once, which nobody names", "ctc_forward", TWO_MISTAKES
    ),
)

# --- hostile
# --------------------------------------------------------------------------------------------------


IMPORTS_THE_ANSWERS = """
try:
    from lstm_ref.practice.plain_seq2seq import *
except ImportError as error:
    print(error)
try:
    from lstm_ref import ctc_loss, dot_attention_forward
except ImportError as error:
    print(error)
"""

# The model stays with the judge: what a submission holds is a name for it.
LOOKS_INTO_THE_MODEL = """
def beam_search(next_log_p, end, longest, width, alpha):
    for name in ("__closure__", "__globals__", "__wrapped__", "__self__", "__code__"):
        found = getattr(next_log_p, name, None)
        if isinstance(found, dict) and "plain" in found:
            return found["plain"].beam_search(next_log_p, end, longest, width, alpha)
        for cell in found if isinstance(found, tuple) else ():
            print("FOUND", cell)
    return [], 0.0

def greedy(next_log_p, end, longest):
    for frame in range(20):
        try:
            next_log_p([frame] * 10_000)
        except Exception as error:
            print(error)
    return [], 0.0
"""

ASKS_A_LOT = """
def greedy(next_log_p, end, longest):
    for k in range(200):
        next_log_p([])
    return [], float(next_log_p([])[end])
"""

AGREES = """
class Agreeing(np.ndarray):
    def __array_ufunc__(self, *args, **kwargs):
        return np.float64(0)
    def __array_function__(self, *args, **kwargs):
        return np.bool_(True)

def dot_scores(q, k):
    return np.zeros((q.shape[0], q.shape[1], k.shape[1])).view(Agreeing)

class Anything(list):
    def __eq__(self, other):
        return True
    def __len__(self):
        return 3
    __hash__ = None

def ctc_collapse(path):
    return Anything([1, 2, 3])
"""

NOT_A_NUMBER = """
def attend(e, mask, values):
    return e * np.nan, e @ values * np.inf

def ctc_forward(log_p, labels):
    return -np.inf
"""

HUGE = """
def additive_scores(q, k, Wq, Wk, v):
    return np.broadcast_to(np.float64(1), (200_000, 200_000))
"""

LOOPS = """
import time

until = time.monotonic() + 120

def teacher_forcing(texts, start, end, pad):
    while time.monotonic() < until:
        try:
            time.sleep(0.01)
        except BaseException:
            pass
"""

EXITS = """
import os

def ctc_forward(log_p, labels):
    os._exit(0)
"""


HOSTILE = (
    hostile("deletes_tests", "deletes the cells with marks", deletes_tests, NOTHING),
    hostile("raises_points", "1000 points a cell; all is right", raises_points, FULL),
    hostile(
        "imports_answers",
        "takes the course's own functions",
        hand_in(UNFINISHED, IMPORTS_THE_ANSWERS),
        NOTHING,
    ),
    hostile(
        "looks_into_the_model",
        "looks for the search behind the model that it is given",
        hand_in({"beam_search": LOOKS_INTO_THE_MODEL, "greedy": ""}),
        points(beam_search=0, greedy=0),
    ),
    hostile(
        "asks_a_lot",
        "asks the model again and again",
        hand_in({"greedy": ASKS_A_LOT}),
        points(greedy=0),
    ),
    hostile(
        "agrees",
        "returns what agrees with whoever asks",
        hand_in({"dot_scores": AGREES, "ctc_collapse": ""}),
        points(dot_scores=0, ctc_collapse=0),
    ),
    hostile(
        "not_a_number",
        "returns NaN and infinity",
        hand_in({"attend": NOT_A_NUMBER, "ctc_forward": ""}),
        points(attend=0, ctc_forward=0),
    ),
    hostile(
        "huge",
        "returns a table of 300 GB",
        hand_in({"additive_scores": HUGE}),
        points(additive_scores=0),
    ),
    hostile(
        "loops_forever",
        "does not end",
        hand_in({"teacher_forcing": LOOPS}),
        points(teacher_forcing=0),
    ),
    hostile("exits", "ends its process", hand_in({"ctc_forward": EXITS}), points(ctc_forward=0)),
)

STUDENTS = (*RIGHT, *NOT_FINISHED, *WRONG, *HOSTILE)
