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
from lstm_ref.practice.prepare import ALIKE_IN_THE_SETS, KNOWN_IN_THE_SETS, SET, UNSEEN_IN_THE_SETS

FULL = {
    "tokenize": 2,
    "build_vocabulary": 3,
    "encode_pad": 3,
    "encode_sets": 2,
    "scale": 3,
    "windows": 3,
    "split_by_time": 2,
    "leak_report": 2,
}
MARKS = Marks(FULL)
NOTHING, UNFINISHED = MARKS.nothing, MARKS.unfinished
points, right = MARKS.points, MARKS.right


# --- right, each in another style
# ----------------------------------------------------------------------------------------

BY_CHARACTER = {
    "tokenize": """
def tokenize(text):
    tokens, word = [], ""
    for c in text.lower() + " ":
        if c.isalnum() or c == "'":
            word += c
        else:
            tokens += [word] * bool(word) + [c] * (not c.isspace())
            word = ""
    return tokens
"""
}

SPACED = {
    "tokenize": "tokenize = lambda text: re.sub(r\"([^\\w\\s'])\", r' \\1 ', text.lower()).split()"
}

TWO_SORTS = {
    "build_vocabulary": """
def build_vocabulary(sentences, min_count):
    counts = {}
    for sentence in sentences:
        for word in sentence:
            counts[word] = counts.get(word, 0) + 1
    words = sorted(word for word, n in counts.items() if n >= min_count)
    words.sort(key=lambda word: -counts[word])
    return {word: number for number, word in enumerate(["<pad>", "<unk>"] + words)}
"""
}

LISTS = {
    "encode_pad": """
def encode_pad(sentences, vocabulary, T):
    rows = [[vocabulary[w] if w in vocabulary else 1 for w in s[:T]] for s in sentences]
    return [r + [0] * (T - len(r)) for r in rows], [[t < len(r) for t in range(T)] for r in rows]
"""
}

COMPARED = {
    "encode_pad": """
def encode_pad(sentences, vocabulary, T):
    lengths = np.array([len(s) for s in sentences])
    mask = np.arange(T) < lengths[:, None]
    ids = np.zeros((len(sentences), T), int)
    for n, t in np.argwhere(mask):
        ids[n, t] = vocabulary.get(sentences[n][t], 1)
    return ids, mask
"""
}

ONE_FUNCTION_FOR_BOTH = {
    "encode_sets": """
def encode_sets(train, test, min_count):
    words = [tokenize(text) for text in train]
    vocabulary = build_vocabulary(words, min_count)
    unknown = vocabulary["<unk>"]
    encode = lambda texts: [[vocabulary.get(w, unknown) for w in tokenize(t)] for t in texts]
    return encode(train), encode(test)
"""
}

BY_COLUMN = {
    "scale": """
def scale(train, test):
    train, test = train.copy(), test.copy()
    for d in range(train.shape[1]):
        m = sum(train[:, d]) / len(train)
        s = np.sqrt(np.mean((train[:, d] - m) ** 2)) or 1.0
        for x in (train, test):
            x[:, d] = (x[:, d] - m) / s
    return train, test
"""
}

STRIDES = {
    "windows": """
def windows(series, T, horizon):
    x = np.lib.stride_tricks.sliding_window_view(series[: len(series) - horizon], T)
    return x, series[T + horizon - 1 :]
"""
}

RANGES = {
    "split_by_time": """
def split_by_time(n, n_test, gap):
    return np.arange(0, n - n_test - gap), range(n - n_test, n)
"""
}

MASKS = {
    "leak_report": """
def leak_report(train, test):
    a = np.array([any(t == text for _, t in train) for _, text in test])
    b = np.array([any(s == who for s, _ in train) for who, _ in test])
    return np.flatnonzero(a), np.flatnonzero(b), np.flatnonzero(~a & ~b)
"""
}

NOISY = {
    "leak_report": """
import sys
import warnings

def leak_report(train, test):
    print("called with", len(train), len(test))
    warnings.warn("I am not sure about this")
    print("on stderr too", file=sys.stderr)
    texts, people = [t for _, t in train], [s for s, _ in train]
    report = {"clean": [], "known": [], "repeated": []}
    for k, (s, t) in enumerate(test):
        names = ["repeated"] * (t in texts) + ["known"] * (s in people) or ["clean"]
        for name in names:
            report[name].append(k)
    return report
"""
}


RIGHT = (
    right("perfect", "the reference", hand_in()),
    right("by_character", "character by character", hand_in(BY_CHARACTER)),
    right("spaced", "puts spaces around marks", hand_in(SPACED)),
    right("two_sorts", "sorts twice", hand_in(TWO_SORTS)),
    right("lists", "lists where arrays were asked for", hand_in(LISTS)),
    right("compared", "the mask from the lengths", hand_in(COMPARED)),
    right("one_for_both", "one function for both sets", hand_in(ONE_FUNCTION_FOR_BOTH)),
    right("by_column", "column by column", hand_in(BY_COLUMN)),
    right("strides", "a view of windows", hand_in(STRIDES)),
    right("ranges", "an array and a range for lists", hand_in(RANGES)),
    right("masks", "masks, and a tuple for the dict", hand_in(MASKS)),
    right("noisy", "prints and warns in every call", hand_in(NOISY)),
    right("renamed", "own names, with aliases", renamed),
    right("moved_around", "the cells in reverse order", moved_around),
)

# --- not finished
# --------------------------------------------------------------------------------------------------

CALLED = ("tokenize", "build_vocabulary")  # by encode_sets of the reference


def _lost(name: str) -> dict[str, float]:
    """Points without a function, and without what calls it."""
    return points(**{name: 0}, **({"encode_sets": 0} if name in CALLED else {}))


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
        "windows",
        "def windows(series, T, horizon)\n    return 1",
    ),
    _faulty(
        "needs_spacy",
        "imports what is not there",
        "tokenize",
        (
            "import spacy\n\ndef tokenize(text):\n    return [str(token) for token in "
            "spacy.blank('en')(text.lower())]"
        ),
    ),
    _faulty(
        "returns_nothing",
        "prints in place of returning",
        "split_by_time",
        SET.source("split_by_time").replace("return train, test", "print(train, test)"),
    ),
    _faulty(
        "a_set",
        "returns a set where a list is asked for",
        "tokenize",
        "def tokenize(text):\n    return {text}",
    ),
)

# --- wrong
# --------------------------------------------------------------------------------------------------

# What is right all the same: of two results half, of three a third each.
_HALF_OF_THREE = (
    *(
        "unknown_is_padding",
        "mask_of_ones",
        "mask_of_known_words",
        "padded_with_unknown",
        "mask_one_short",
    ),
    *(
        "sentence_backwards",
        "test_by_itself",
        "test_not_scaled",
        "target_in_window",
        "horizon_ignored",
    ),
    *("horizon_from_the_start", "window_one_longer", "window_backwards", "mean_for_target"),
)
_HALF_OF_TWO = (
    *("vocabulary_of_its_own", "test_tokenized_otherwise", "unknown_left_out"),
    *("no_gap", "gap_one_short", "gap_one_long", "gap_twice"),
)
PARTLY = {
    **dict.fromkeys(_HALF_OF_THREE, 1.5),
    **dict.fromkeys(_HALF_OF_TWO, 1.0),
    **dict.fromkeys(
        ("only_same_place", "pairs_compared", "repeated_within_test", "known_are_new"), 0.6667
    ),
    **dict.fromkeys(("clean_or", "clean_of_texts", "clean_of_speakers"), 1.3333),
}

TWO_MISTAKES = SET.source("windows", "target_in_window").replace("range(M)", "range(M - 1)")


def _one(mistake: Mistake) -> Student:
    """A student with one known mistake; one in what encode_sets calls shows in it, too, as far as
    its numbers tell.
    """
    name, id = mistake.function, mistake.id
    scores = points(**{name: PARTLY.get(id, FULL[name] / 2 if mistake.convention else 0)})
    named = {name: id}
    if name in CALLED and id not in UNSEEN_IN_THE_SETS:
        # A convention is charged once, where it is recognised.
        scores["encode_sets"] = 2 if mistake.convention and id not in ALIKE_IN_THE_SETS else 0
        if id not in ALIKE_IN_THE_SETS:
            named["encode_sets"] = KNOWN_IN_THE_SETS.get(id, id)
    return Student(id, mistake.title, hand_in({name: SET.source(name, id)}), scores, mistakes=named)


WRONG = (
    *(_one(mistake) for mistake in SET.mistakes),
    _faulty("two_mistakes", "two mistakes at once, which nobody names", "windows", TWO_MISTAKES),
)

# --- hostile
# --------------------------------------------------------------------------------------------------


IMPORTS_THE_ANSWERS = """
try:
    from lstm_ref.practice.plain_prepare import *
except ImportError as error:
    print(error)
"""

# A word, a list and a dict that are equal to all others.
AGREES = """
class Word(str):
    def __eq__(self, other):
        return True
    def __ne__(self, other):
        return False
    __hash__ = str.__hash__

class Everything(list):
    def __eq__(self, other):
        return True
    def __len__(self):
        return 3
    __hash__ = None

class Any(dict):
    def __eq__(self, other):
        return True
    def keys(self):
        return {Word("rain")}
    __hash__ = None

def tokenize(text):
    return Everything([Word("x")])

def build_vocabulary(sentences, min_count):
    return Any({Word("<pad>"): 0})

def split_by_time(n, n_test, gap):
    return Everything(), Everything()
"""

ENDLESS = """
def tokenize(text):
    tokens = []
    tokens.append(tokens)
    return tokens

def leak_report(train, test):
    deep = []
    for _ in range(200):
        deep = [deep]
    return {"repeated": deep, "known": deep, "clean": deep}
"""

HUGE = """
def split_by_time(n, n_test, gap):
    return [0] * 400_000, [1] * 400_000
"""

LOOPS = """
import time

until = time.monotonic() + 120

def scale(train, test):
    while time.monotonic() < until:
        try:
            time.sleep(0.01)
        except BaseException:
            pass
"""

EXITS = """
import os

def encode_pad(sentences, vocabulary, T):
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
        "agrees",
        "returns words, lists and dicts that are equal to all others",
        hand_in({"tokenize": AGREES, "build_vocabulary": "", "split_by_time": ""}),
        points(tokenize=0, build_vocabulary=0, split_by_time=0, encode_sets=0),
    ),
    hostile(
        "endless",
        "returns lists that hold themselves",
        hand_in({"tokenize": ENDLESS, "leak_report": ""}),
        points(tokenize=0, leak_report=0, encode_sets=0),
    ),
    hostile(
        "huge",
        "returns lists of 400,000 numbers",
        hand_in({"split_by_time": HUGE}),
        points(split_by_time=0),
    ),
    hostile("loops_forever", "does not end", hand_in({"scale": LOOPS}), points(scale=0)),
    hostile("exits", "ends its process", hand_in({"encode_pad": EXITS}), points(encode_pad=0)),
)

STUDENTS = (*RIGHT, *NOT_FINISHED, *WRONG, *HOSTILE)
