"""Groups of submissions with the same code, or nearly the same, to be looked at by a person.

Names, numbers, texts, comments and layout do not count. What stands in the released notebook, in
the solution or in the book is left out. The code is compared by winnowed fingerprints (Schleimer,
Wilkerson and Aiken, SIGMOD 2003), so that its order does not count either; pairs that are worth a
comparison are found by minwise hashing (Broder, 1997), so that a class of thousands takes seconds.
"""

from __future__ import annotations

import json
import keyword
import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from autograder.course.course import Course
from autograder.judge.problem_set import ProblemSet

Fingerprints: TypeAlias = NDArray[np.uint64]  # sorted, each once

TOKENS, WINDOW = 12, 8  # in a fingerprint; of fingerprints of which one is kept
LEAST = 20  # fingerprints of one's own, about ten lines; with less nobody is compared
ALIKE = 0.85  # of the smaller one's fingerprints that the larger one has, too
SMALLEST = 0.5  # of the larger one that the smaller one must be
HASHES = 64  # by which pairs are found
# Two that are alike share 0.39 of all their fingerprints or more; estimated with an error of 0.06.
WORTH_A_LOOK = 0.2
MAX_PAIRS = 100_000  # compared in full
MAX_COMPARED = 60_000  # characters of one submission that are read; usual are 10 thousand
MAX_NOTEBOOK = 16 * 2**20  # bytes

# Strings and comments are left out. Each alternative ends on the first character that does not fit,
# so that no text takes more than one pass.
TOKEN = re.compile(
    r"""
    \#[^\n]*
  | [rRbBuUfF]{0,2}(?:'{3}(?:[^\\]|\\.)*?(?:'{3}|\Z)|"{3}(?:[^\\]|\\.)*?(?:"{3}|\Z))
  | [rRbBuUfF]{0,2}(?:'(?:[^'\\\n]|\\.)*'?|"(?:[^"\\\n]|\\.)*"?)
  | (?P<name>[^\W\d]\w*)
  | (?P<number>\d[\w.]*)
  | (?P<sign>[^\s\w])
    """,
    re.VERBOSE | re.DOTALL,
)
FENCE = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
KEYWORDS = frozenset(keyword.kwlist)


@dataclass(frozen=True)
class Group:
    """Submissions that are alike: ``share`` is the least share of the shorter one's code that is in
    the longer one's, over the pairs by which the group came together.
    """

    students: Sequence[str]
    share: float


@dataclass(frozen=True)
class Similar:
    """What came of a comparison.

    Parameters
    ----------
    groups : the largest first
    compared : submissions with enough code of their own
    too_little : submissions with less
    cut : whether so many pairs looked alike that not all were compared
    """

    groups: Sequence[Group]
    compared: int
    too_little: int
    cut: bool = False


def find_similar(course: Course, problem_set: ProblemSet, students: Iterable[str]) -> Similar:
    """Compare the graded notebooks of a class, which the autograder itself has written.

    Parameters
    ----------
    course, problem_set : whose
    students : who was graded
    """
    known = _known(course, problem_set)
    own = {
        student: _own(_code(course.autograded(student, problem_set.name)), known)
        for student in students
    }
    return compare(own)


def compare(own: Mapping[str, Fingerprints]) -> Similar:
    """Groups among submissions, from the fingerprints of each."""
    enough = {student: prints for student, prints in own.items() if len(prints) >= LEAST}
    same: dict[bytes, list[str]] = {}
    for student, prints in enough.items():
        same.setdefault(prints.tobytes(), []).append(student)
    different = [enough[students[0]] for students in same.values()]
    group_of = list(range(len(different)))
    share = [1.0] * len(different)
    pairs, cut = _pairs(different)
    for a, b in pairs:
        first, second = _root(group_of, a), _root(group_of, b)
        if first != second and (common := _common(different[a], different[b])) >= ALIKE:
            group_of[second] = first
            share[first] = min(share[first], share[second], common)
    together: dict[int, list[str]] = {}
    for k, students in enumerate(same.values()):
        together.setdefault(_root(group_of, k), []).extend(students)
    groups = [Group(sorted(who), share[k]) for k, who in together.items() if len(who) > 1]
    groups.sort(key=lambda group: (-len(group.students), -group.share, group.students))
    return Similar(groups, len(enough), len(own) - len(enough), cut)


def tokens(code: str) -> list[str]:
    r"""Code as signs, keywords and attributes; other names and numbers are all alike.

    >>> tokens("y = np.tanh(a) + 0.5  # squash")
    ['n', '=', 'n', '.', 'tanh', '(', 'n', ')', '+', '0']
    >>> tokens('def f(x):\n    "Half of x."\n    return x / 2')
    ['def', 'n', '(', 'n', ')', ':', 'return', 'n', '/', '0']
    """
    found: list[str] = []
    for match in TOKEN.finditer(code):
        if match["name"] is not None:
            name = match["name"]
            kept = name in KEYWORDS or found[-1:] == ["."]
            found.append(name if kept else "n")
        elif match["number"] is not None:
            found.append("0")
        elif match["sign"] is not None:
            found.append(match["sign"])
    return found


def _hashes(code: str) -> Fingerprints:
    """One hash for each run of ``TOKENS`` tokens, in order."""
    found = tokens(code)
    if len(found) < TOKENS:
        return np.zeros(0, dtype=np.uint64)
    codes = {token: zlib.crc32(token.encode("utf-8", "replace")) for token in set(found)}
    numbers = np.array([codes[token] for token in found], dtype=np.uint64)
    runs = len(numbers) - TOKENS + 1
    total = np.zeros(runs, dtype=np.uint64)
    for k in range(TOKENS):
        total = total * np.uint64(0x9E3779B97F4A7C15) + numbers[k : k + runs]
    return _mixed(total)


def _mixed(values: Fingerprints) -> Fingerprints:
    """Each number turned into one that looks random, always the same."""
    values = (values ^ (values >> np.uint64(31))) * np.uint64(0xBF58476D1CE4E5B9)
    return values ^ (values >> np.uint64(29))


def _own(code: str, known: Fingerprints) -> Fingerprints:
    """Fingerprints of a submission: the least of each window, without those that are known."""
    hashes = _hashes(code)
    if len(hashes) > WINDOW:
        hashes = np.lib.stride_tricks.sliding_window_view(hashes, WINDOW).min(axis=1)
    prints = np.unique(hashes)
    places = np.minimum(np.searchsorted(known, prints), max(len(known) - 1, 0))
    return prints[known[places] != prints] if len(known) else prints


def _common(a: Fingerprints, b: Fingerprints) -> float:
    """Share of the smaller one that the larger one has, too; 0 where it is much smaller."""
    small, large = sorted((len(a), len(b)))
    if small < SMALLEST * large:
        return 0.0
    return len(np.intersect1d(a, b, assume_unique=True)) / small


def _pairs(prints: Sequence[Fingerprints]) -> tuple[list[tuple[int, int]], bool]:
    """Positions of those that probably have much in common, and whether there are too many."""
    rng = np.random.default_rng(0)
    factors = rng.integers(2**63, size=HASHES, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    least = np.array(
        [_mixed(values[:, None] * factors).min(axis=0) for values in prints], dtype=np.uint64
    )
    pairs: list[tuple[int, int]] = []
    for a in range(len(prints) - 1):
        near = (least[a + 1 :] == least[a]).mean(axis=1) >= WORTH_A_LOOK
        pairs += [(a, a + 1 + int(b)) for b in np.flatnonzero(near)]
        if len(pairs) > MAX_PAIRS:
            return pairs[:MAX_PAIRS], True
    return pairs, False


def _root(group_of: list[int], k: int) -> int:
    while group_of[k] != k:
        group_of[k] = k = group_of[group_of[k]]
    return k


def _known(course: Course, problem_set: ProblemSet) -> Fingerprints:
    """What students were given, and what stands in the solution and the book."""
    texts = [_all_code(problem_set.release)]
    pages = sorted((course.root / "book").rglob("*.md")) + sorted(problem_set.folder.glob("*.md"))
    for page in pages:
        texts += FENCE.findall(page.read_text(encoding="utf-8", errors="replace"))
    return np.unique(np.concatenate([_hashes(text) for text in texts]))


def _all_code(path: Path) -> str:
    return "\n".join(_text(cell) for cell in _cells(path) if cell["cell_type"] == "code")


def _code(folder: Path) -> str:
    """Code of a graded notebook that is the student's: of solution cells, and of added ones."""
    cells = [
        cell
        for cell in _cells(folder / f"{folder.name}.ipynb")
        if cell["cell_type"] == "code"
        and (
            cell["metadata"].get("nbgrader", {}).get("solution")
            or str(cell.get("id")).startswith("added-")
        )
    ]
    return "\n".join(map(_text, cells))[:MAX_COMPARED]


def _cells(path: Path) -> list[dict[str, Any]]:
    try:
        if path.stat().st_size > MAX_NOTEBOOK:
            return []
        found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["cells"]
        return found
    except (OSError, ValueError, KeyError):
        return []


def _text(cell: Mapping[str, Any]) -> str:
    source = cell.get("source", "")
    return "".join(source) if isinstance(source, list) else str(source)
