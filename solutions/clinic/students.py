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
from lstm_ref.practice.graded_clinic import EVIDENCE, NAMED, SET
from lstm_ref.practice.mistakes import Mistake
from verdict.changes import TOO_MANY

FULL = {
    "measure_reading": 2,
    "measure_loss": 2,
    "measure_step": 2,
    "measure_text": 2,
    "diagnose": 4,
    "mend_reader": 1,
    "mend_gates": 1,
    "mend_scores": 1,
    "mend_tokens": 1,
    "mend_trainer": 1,
    "mend_stepper": 1,
    "mend_pairs": 1,
    "mend_chunks": 1,
}
MARKS = Marks(FULL)
NOTHING, UNFINISHED = MARKS.nothing, MARKS.unfinished
points, right = MARKS.points, MARKS.right


# --- right, each in another style
# --------------------------------------------------------------------------------------------------

ONE_EXAMPLE_AT_A_TIME = {
    "measure_reading": """
def measure_reading(program):
    forward, x = program["forward"], program["x"]
    before = forward(x)
    touched = np.array(x)
    touched[0] = touched[0] + 1.0
    after = forward(touched)
    strangers = 0
    for n in range(1, len(x)):
        if np.any(np.abs(after[n] - before[n]) > 1e-9):
            strangers += 1
    effects = []
    for t in (0, x.shape[1] - 1):
        touched = np.array(x)
        touched[:, t, :] += 1
        effects.append(np.max(np.abs(forward(touched)[:, -1, :] - before[:, -1, :])))
    return strangers, effects[0] / effects[1]
"""
}

FILLED = {
    "measure_loss": """
def measure_loss(program):
    best = np.zeros_like(program["outputs"])
    np.put_along_axis(best, program["y"][..., None], 50.0, axis=2)
    ask = lambda outputs, y: float(program["loss"](outputs, y, program["mask"]))
    y = program["y"].copy()
    y[~program["mask"]] += 1
    y[y == program["outputs"].shape[2]] = 0
    change = ask(program["outputs"], y) - ask(program["outputs"], program["y"])
    return ask(best, program["y"]), abs(change)
"""
}

ONE_VECTOR = {
    "measure_step": """
def measure_step(program):
    before, after = program["step"]()
    moved = np.concatenate([np.ravel(b) - np.ravel(a) for a, b in zip(before, after)])
    idle = [np.array_equal(a, b) for a, b in zip(before, after)]
    return np.sqrt(moved @ moved) / program["lr"] / program["max_norm"], sum(idle)
"""
}

SUM_BY_STEP = {
    "measure_text": """
def measure_text(program):
    x, y = program["pairs"](program["tokens"])
    k, sequence = program["k"], program["sequence"]
    by_step = np.abs(program["back"](sequence, k)).sum(axis=(0, 2))
    return np.count_nonzero(x == y) / len(x), 1 - by_step[len(by_step) - k:].sum() / by_step.sum()
"""
}

EARLY_RETURNS = {
    "diagnose": """
def diagnose(program):
    strangers, memory = measure_reading(program)
    if strangers:
        return "axis"
    if memory < 1e-3:
        return "memory"
    floor, padding = measure_loss(program)
    if floor > 0.2:
        return "softmax"
    if padding > 1e-6:
        return "padding"
    length, idle = measure_step(program)
    if idle:
        return "optimizer"
    if length > 1.1:
        return "clipping"
    copied, beyond = measure_text(program)
    return "shift" if copied == 1 else "state" if beyond > 0 else "none"
"""
}

ON_ITS_OWN = {
    "diagnose": """
def diagnose(program):
    x, out = program["x"], program["forward"](program["x"])
    if not np.allclose(program["forward"](x[-1:]), out[-1:], atol=1e-9):
        return "axis"
    start = x.copy()
    start[:, 0] = 3.0
    if np.abs(program["forward"](start) - out)[:, -1].max() < 1e-4:
        return "memory"
    y, mask = program["y"], program["mask"]
    z = 40 * np.eye(program["outputs"].shape[2])[y]
    if program["loss"](z, y, mask) > 0.1:
        return "softmax"
    z[~mask] *= -1
    if program["loss"](z, y, mask) > 0.1:
        return "padding"
    a, b = program["step"]()
    d = [q - p for p, q in zip(a, b)]
    if not all(g.any() for g in d):
        return "optimizer"
    if sum((g * g).sum() for g in d) > (1.2 * program["lr"] * program["max_norm"]) ** 2:
        return "clipping"
    u, v = program["pairs"](np.arange(9))
    if u.tolist() == v.tolist():
        return "shift"
    return "state" if program["back"](program["sequence"], program["k"])[:, 0].any() else "none"
"""
}

TRANSPOSED = {
    "mend_reader": """
def mend_reader(weights, x):
    h, _ = lstm_of(weights)(x.transpose(0, 1))
    return h.transpose(0, 1)
""",
    "mend_gates": """
def mend_gates(bias_ih, bias_hh, keep):
    i, f, g, o = (bias_ih + bias_hh).chunk(4)
    return torch.cat([i, torch.full_like(f, keep), g, o]), torch.zeros_like(bias_hh)
""",
}

BY_HAND = {
    "mend_scores": """
def mend_scores(outputs, y):
    return -outputs.log_softmax(dim=1)[torch.arange(len(y)), y].mean()
""",
    "mend_tokens": """
def mend_tokens(outputs, y, mask):
    return F.cross_entropy(outputs[mask], y[mask])
""",
    "mend_stepper": """
def mend_stepper(model, optimizer, x, y, max_norm):
    loss = ((model(x) - y) ** 2).mean()
    loss.backward()
    total = torch.sqrt(sum((p.grad ** 2).sum() for p in model.parameters()))
    if total > max_norm:
        for p in model.parameters():
            p.grad *= max_norm / total
    optimizer.step()
""",
}

GROUPS = {
    "mend_trainer": """
def mend_trainer(model, lr):
    parts = [model.lstm, model.head]
    return torch.optim.SGD([{"params": part.parameters(), "lr": lr} for part in parts], lr=lr)
""",
    "mend_pairs": """
def mend_pairs(tokens):
    L = tokens.shape[1]
    return tokens.narrow(1, 0, L - 1), tokens.narrow(1, 1, L - 1)
""",
    "mend_chunks": """
def mend_chunks(lstm, x, y, k):
    N, H = x.shape[0], lstm.hidden_size
    h = c = torch.zeros(1, N, H, dtype=x.dtype)
    for chunk, target in zip(x.split(k, dim=1), y.split(k, dim=1)):
        out, (h, c) = lstm(chunk, (h.detach(), c.detach()))
        F.mse_loss(out, target).backward()
""",
}

NOISY = {
    "diagnose": """
import sys
import warnings

def diagnose(program):
    print("looking at", sorted(program))
    warnings.warn("I am not sure about this")
    print("on stderr too", file=sys.stderr)
    numbers = [f(program) for f in (measure_reading, measure_loss, measure_step, measure_text)]
    (strangers, memory), (floor, padding), (length, idle), (copied, beyond) = numbers
    signs = [strangers > 0, memory < 2e-3, floor > 0.3, padding > 1e-7, length > 1.5]
    signs += [idle > 0, copied > 0.99, beyond > 1e-9]
    words = "axis memory softmax padding clipping optimizer shift state".split()
    return ([word for word, sign in zip(words, signs) if sign] + ["none"])[0]
"""
}


RIGHT = (
    right("perfect", "the reference", hand_in()),
    right("one_at_a_time", "example by example", hand_in(ONE_EXAMPLE_AT_A_TIME)),
    right("filled", "fills a table of outputs", hand_in(FILLED)),
    right("one_vector", "all parameters in one vector", hand_in(ONE_VECTOR)),
    right("sum_by_step", "sums by time step", hand_in(SUM_BY_STEP)),
    right("early_returns", "asks one thing after the other", hand_in(EARLY_RETURNS)),
    right("on_its_own", "diagnoses by experiments of its own", hand_in(ON_ITS_OWN)),
    right("transposed", "exchanges axes, and rebuilds a bias", hand_in(TRANSPOSED)),
    right("by_hand", "loss, mask and clipping by hand", hand_in(BY_HAND)),
    right("groups", "groups of parameters, narrow, split", hand_in(GROUPS)),
    right("noisy", "prints and warns in every call", hand_in(NOISY)),
    right("renamed", "own names, with aliases", renamed),
    right("moved_around", "the cells in reverse order", moved_around),
)

# --- not finished
# --------------------------------------------------------------------------------------------------

CALLED = EVIDENCE  # by diagnose


def _lost(name: str) -> dict[str, float]:
    """Points without a function, and without what calls it."""
    return points(**{name: 0}, **({"diagnose": 0} if name in CALLED else {}))


def _faulty(name: str, what: str, function: str, source: str) -> Student:
    return Student(name, what, hand_in({function: source}), _lost(function), mistakes={})


NOT_FINISHED = (
    Student("empty", "nothing written", untouched, NOTHING, mistakes={}),
    *(
        Student(f"without_{name}", f"{name} not written", without(name), _lost(name), mistakes={})
        for name in FULL
    ),
    _faulty(
        "syntax_error",
        "one cell is no Python",
        "mend_scores",
        "def mend_scores(outputs, y)\n    return 1",
    ),
    _faulty(
        "needs_lightning",
        "imports what is not there",
        "mend_stepper",
        "import no_such_package\n\ndef mend_stepper(model, optimizer, x, y, max_norm):\n    pass",
    ),
    _faulty(
        "returns_nothing",
        "prints in place of returning",
        "mend_pairs",
        "def mend_pairs(tokens):\n    print(tokens[:, :-1], tokens[:, 1:])",
    ),
    _faulty(
        "a_sentence",
        "returns a sentence where a word is asked for",
        "diagnose",
        "def diagnose(program):\n    return 'It seems to be the padding.'",
    ),
    _faulty(
        "asks_too_much",
        "asks a program a thousand times",
        "diagnose",
        (
            "def diagnose(program):\n    for _ in range(1000):\n        "
            "program['forward'](program['x'])\n    return 'none'"
        ),
    ),
    _faulty(
        "wrong_shapes",
        "asks for a batch without its axes",
        "measure_reading",
        "def measure_reading(program):\n    return program['forward'](program['x'][0]).sum(), 1.0",
    ),
)

# --- wrong
# --------------------------------------------------------------------------------------------------

# A mistake in a measurement, and the points of the diagnoses that it leaves; and what it is called
# there.
DIAGNOSES = {
    **dict.fromkeys(("itself_counted", "all_examples_changed"), 0),
    "all_outputs": 3.5,
    **dict.fromkeys(("perfect_ones", "floor_of_given", "worst_for_perfect"), 1),
    **dict.fromkeys(("true_steps_changed", "all_targets_changed"), 1.5),
    "lengths_added": 2,
    "without_rate": 3.5,
    "moved_counted": 2.5,
    "idle_in_part": 2.5,
    "numbers_for_arrays": 2.5,
    **dict.fromkeys(("counted_not_shared", "next_place"), 3),
    **dict.fromkeys(("last_step_for_chunk", "within_the_chunk"), 3.5),
}
SEEN = {
    **dict.fromkeys(("itself_counted", "all_examples_changed"), "same_answer"),
    **dict.fromkeys(("last_step_for_chunk", "within_the_chunk"), "healthy_called_sick"),
}


def _one(mistake: Mistake) -> Student:
    """A student with one known mistake, which shows in the diagnoses as far as they hang on it."""
    name, id = mistake.function, mistake.id
    scores = points(**{name: 1 if name in CALLED else 0})
    if name in CALLED:
        scores["diagnose"] = DIAGNOSES.get(id, 4)
    named = {name: id} | ({"diagnose": SEEN[id]} if id in SEEN else {})
    return Student(id, mistake.title, hand_in({name: SET.source(name, id)}), scores, mistakes=named)


MEMORY_FIRST = """
def diagnose(program):
    strangers, memory = measure_reading(program)
    floor, padding = measure_loss(program)
    length, idle = measure_step(program)
    copied, beyond = measure_text(program)
    found = {
        "memory": memory < 0.005, "axis": strangers > 0, "softmax": floor > 0.1,
        "padding": padding > 1e-9, "clipping": length > 1.001, "optimizer": idle > 0,
        "shift": copied > 0.95, "state": beyond > 1e-12,
    }
    return next((cause for cause, is_sick in found.items() if is_sick), "none")
"""

NEVER_HEALTHY = """
def diagnose(program):
    strangers, memory = measure_reading(program)
    floor, padding = measure_loss(program)
    length, idle = measure_step(program)
    copied, beyond = measure_text(program)
    found = {
        "axis": strangers > 0, "memory": memory < 0.005, "softmax": floor > 0.1,
        "padding": padding > 1e-9, "clipping": length > 1.001, "optimizer": idle > 0,
        "state": beyond > 1e-12,
    }
    return next((cause for cause, is_sick in found.items() if is_sick), "shift")
"""

BY_SIZE = """
def diagnose(program):
    words = "axis memory softmax padding clipping optimizer shift state none".split()
    return words[sum(program["x"].shape) % 9]
"""

CONSTANT = """
def diagnose(program):
    measure_reading(program)
    return "padding"
"""

TWO_MISTAKES = SET.source("measure_step", "without_rate").replace("norm == 0", "norm > 0")


def _diagnoses(name: str, what: str, source: str, score: float, mistake: str = "") -> Student:
    named = {"diagnose": mistake} if mistake else {}
    return Student(
        name, what, hand_in({"diagnose": source}), points(diagnose=score), mistakes=named
    )


ANEW = """
def softplus_of(numbers):
    columns = numbers.shape[1]
    largest = numbers[:, :1]
    for column in range(1, columns):
        this_one = numbers[:, column : column + 1]
        largest = torch.maximum(largest, this_one)
    shifted = numbers - largest
    powers = shifted.exp()
    total = powers.sum(dim=1, keepdim=True)
    return largest + total.log()


def mend_scores(outputs, y):
    normalised = outputs - softplus_of(outputs)
    chosen = []
    for n in range(len(y)):
        word = int(y[n])
        entry = normalised[n, word]
        chosen.append(entry)
    losses = -torch.stack(chosen)
    return losses.mean()
"""

WRONG = (
    *(_one(mistake) for mistake in SET.mistakes),
    _diagnoses(
        "memory_first", NAMED["fading_for_axis"], MEMORY_FIRST, 3, mistake="fading_for_axis"
    ),
    _diagnoses(
        "never_healthy",
        NAMED["healthy_called_sick"],
        NEVER_HEALTHY,
        3.5,
        mistake="healthy_called_sick",
    ),
    _diagnoses("by_size", "guesses from the sizes", BY_SIZE, 0, mistake="asks_nothing"),
    _diagnoses("constant", "the same word for all", CONSTANT, 0, mistake="same_answer"),
    Student(
        "writes_it_anew",
        "right, and no mend: all of it is written anew",
        hand_in({"mend_scores": ANEW}),
        points(mend_scores=0),
        mistakes={"mend_scores": TOO_MANY},
    ),
    Student(
        "two_mistakes",
        "two mistakes at once, which nobody names",
        hand_in({"measure_step": TWO_MISTAKES}),
        points(measure_step=0, diagnose=2),
        mistakes={},
    ),
)

# --- hostile
# --------------------------------------------------------------------------------------------------

IMPORTS_THE_ANSWERS = """
try:
    from lstm_ref.practice.plain_clinic import *
except ImportError as error:
    print(error)
"""

# Looks for the judge's program behind the function that it may call.
LOOKS_BEHIND = """
def diagnose(program):
    ask = program["forward"]
    ask(program["x"])
    words = "axis memory softmax padding clipping optimizer shift state".split()
    names = ("function", "__closure__", "__self__")
    seen = [ask, *(getattr(ask, name, None) for name in names)]
    seen += [cell.cell_contents for cell in getattr(ask, "__closure__", None) or ()]
    parts = [getattr(thing, name, thing) for thing in seen for name in ("__dict__", "__defaults__")]
    told = " ".join(map(repr, parts))
    return next((word for word in words if word in told), "none")
"""

AGREES = """
class Word(str):
    def __eq__(self, other):
        return True
    def __ne__(self, other):
        return False
    __hash__ = str.__hash__

class Number(float):
    def __eq__(self, other):
        return True
    def __sub__(self, other):
        return 0.0
    __rsub__ = __sub__
    __hash__ = float.__hash__

def diagnose(program):
    program["forward"](program["x"])
    return Word("axis")

def measure_step(program):
    return Number(1), Number(0.5)
"""

HUGE = """
def diagnose(program):
    many = np.zeros((10, 1000), int)
    return program["loss"](np.zeros((10, 1000, 100)), many, many)
"""

LOOPS = """
import time

until = time.monotonic() + 120

def mend_reader(weights, x):
    while time.monotonic() < until:
        try:
            time.sleep(0.01)
        except BaseException:
            pass
"""

EXITS = """
import os

def mend_chunks(lstm, x, y, k):
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
        "looks_behind",
        "looks for the program behind the function",
        hand_in({"diagnose": LOOKS_BEHIND}),
        points(diagnose=0),
    ),
    hostile(
        "agrees",
        "returns words and numbers that are equal to all others",
        hand_in({"diagnose": AGREES, "measure_step": ""}),
        points(diagnose=0, measure_step=0),
    ),
    hostile(
        "huge",
        "asks a program for a million numbers",
        hand_in({"diagnose": HUGE}),
        points(diagnose=0),
    ),
    hostile(
        "loops_forever", "does not end", hand_in({"mend_reader": LOOPS}), points(mend_reader=0)
    ),
    hostile("exits", "ends its process", hand_in({"mend_chunks": EXITS}), points(mend_chunks=0)),
)

STUDENTS = (*RIGHT, *NOT_FINISHED, *WRONG, *HOSTILE)
