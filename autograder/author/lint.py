"""Tell what is wrong with a problem set before a class meets it.

Not only the checks are read: the instructor's solution and the students' stub are graded by the
judge, as a submission is.
"""

from __future__ import annotations

import ast
import math
import re
import secrets
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import numpy as np

from autograder.course import release as releases
from autograder.course.by_hand import Part, parts_by_hand
from autograder.course.rebuild import read_release, rebuild
from autograder.errors import ProblemSetError
from autograder.judge import judge
from autograder.judge import problem_set as problem_sets
from autograder.judge.problem_set import ProblemSet
from autograder.judge.result import Result
from autograder.sandbox.sandbox import Sandbox
from verdict import Check, exact, tables
from verdict.changes import changes, mended
from verdict.compare import all_close, copy_tree, read, relative_error
from verdict.holds import caught
from verdict.table_parts import checked, is_table

TRIES = 3  # seeds with which the solution is graded: it must not pass by luck, nor fail
SLOW = 0.2  # of a time limit: a student's code may well take five times as long as the instructor's
SPACE = (
    2  # times the lines that the solution changes of given code: others may change at least so many
)
DRAWS = 100  # seeds with which a wrong version is tried that differs by chance only
CAUGHT = 0.99  # share of them in which it must be found
SEEDS = 3  # with which the cases are drawn: some mistakes are right in some of them
LONG = 20  # characters of a line of checks.py that would give something away
TELLING_DIGITS = 5  # of a number of checks.py that would
GIVEN_MARK = "# given"  # ends a line of checks.py that students are meant to have
NUMBER_PATTERN = re.compile(r"(?<![\w.])\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w])")

POINTS = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*:", re.MULTILINE)  # at the head of a rubric's line


# of each case: its arguments, and the expected results by name
Answers = list[tuple[tuple[Any, ...], dict[str, Any]]]


@dataclass(frozen=True)
class Trouble:
    """One thing that is wrong with a problem set: ``what`` says it, ``remedy`` what to do."""

    what: str
    remedy: str


def lint(root: Path, name: str, isolation: Sandbox) -> list[Trouble]:
    """What is wrong with a problem set; an empty list where nothing was found.

    Parameters
    ----------
    root : of the course
    name : of the problem set
    isolation : where the solution and the stub run

    Raises
    ------
    ProblemSetError : there is no such problem set
    """
    source = root / "solutions" / name / f"{name}.md"
    if not source.is_file():
        problem_sets.load(name, root)  # says which there are
        raise ProblemSetError(
            f"{source} does not exist; the notebook's source must bear the name of its folder"
        )
    try:
        problem_set = problem_sets.load(name, root)
    except ProblemSetError as error:
        return [
            Trouble(str(error), "Mend checks.py; what else is wrong is found when it can be read.")
        ]
    try:
        text = releases.release_text(source)
    except ProblemSetError as error:
        return [
            Trouble(
                str(error),
                "Mend the notebook's source; what else is wrong is found when it can be released.",
            )
        ]
    return list(_troubles(problem_set, source, text, isolation))


def _troubles(
    problem_set: ProblemSet, source: Path, text: str, isolation: Sandbox
) -> Iterator[Trouble]:
    yield from _questions(problem_set)
    yield from _leaks(problem_set, text, releases.starters(source))
    yield from _answers_told(problem_set, text)
    if not problem_set.release.is_file() or problem_set.release.read_text(encoding="utf-8") != text:
        yield Trouble(
            f"{problem_set.release} is not what {source.name} gives.",
            "Run `autograder exercises`; what else is wrong is found when the notebook is fresh.",
        )
        return
    try:
        release = read_release(problem_set)
    except ProblemSetError as error:
        yield Trouble(str(error), "Give the cell and the check the same name and the same points.")
        return
    yield from _unanswered(problem_set, text)
    yield from _by_hand(problem_set, source, text)

    def graded(solutions: Mapping[str, str]) -> Result:
        submission = nbformat.reads(text, as_version=4)
        for cell in submission.cells:
            cell.source = solutions.get(cell.get("id", ""), cell.source)
        cells = rebuild(release, submission).cells
        return judge.grade(cells, problem_set, seed=secrets.token_hex(32), isolation=isolation)

    solutions = releases.solution_cells(source)
    yield from _mends(problem_set, text, solutions)
    untouched = graded({})
    yield from _stub(untouched)
    yield from _starters(untouched, releases.starters(source))
    seen: set[str] = set()
    for _ in range(TRIES):
        for trouble in _solution(problem_set, graded(solutions)):
            if trouble.what not in seen:
                seen.add(trouble.what)
                yield trouble


def _starters(untouched: Result, given: Mapping[str, str]) -> Iterator[Trouble]:
    """Faults that students are given to mend, and that no known mistake explains."""
    for check in untouched.checks:
        if f"{check.name}_code" in given and check.misconception is None:
            yield Trouble(
                f"What is given in {check.name}_code is not recognised: its check says "
                f"{check.status!r} and names no mistake.",
                "Make the fault that is given one of the check's misconceptions: then a student "
                "who "
                "hands it in as it is hears what is wrong.",
            )


def _mends(problem_set: ProblemSet, text: str, solutions: Mapping[str, str]) -> Iterator[Trouble]:
    """Caps on changed lines: what is given is there, the solution is far below, students know."""
    cells = nbformat.reads(text, as_version=4).cells
    told = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    released = [cell.source for cell in cells if cell.cell_type == "code"]
    solved = [
        solutions.get(cell.get("id", ""), cell.source) for cell in cells if cell.cell_type == "code"
    ]
    for check in problem_set.checks:
        if check.mend is None:
            continue
        which = f"Check {check.name!r} lets at most {check.mend.most} lines change"
        found = changes(check, problem_set.checks, released, solved)
        if found is None:
            yield Trouble(
                f"{which} of {check.mend.given or mended(check)}, which no cell of the released "
                "notebook defines.",
                "Correct the name, in given or in function of its Mend.",
            )
            continue
        most = SPACE * max(found.number, 1)
        if check.mend.most < most:
            yield Trouble(
                f"{which}, and the solution changes {found.number}.",
                f"Allow at least {most}: right code is written in many ways.",
            )
        if not re.search(rf"\b{check.mend.most}\b[^.|]*\blines?\b", told):
            yield Trouble(
                f"{which}, and no text of the notebook says so.",
                f"Write 'at most {check.mend.most} lines' into the task.",
            )


def _by_hand(problem_set: ProblemSet, source: Path, text: str) -> Iterator[Trouble]:
    """What is wrong with the parts that a person scores: their points, and their rubrics."""
    parts = parts_by_hand(problem_set)
    for part in parts:
        yield from _part(part)
    for name, rubric in releases.rubrics(source).items():
        if name not in {part.name for part in parts}:
            yield Trouble(
                f"A rubric stands in the cell {name!r}, which no person scores.",
                "Mark the cell as one that is scored by hand (grade: true, solution: true, or "
                "task: true), or take the rubric out.",
            )
        lines = [POINTS.sub("", line).strip() for line in rubric.splitlines()]
        if told := [line for line in lines if len(line) >= LONG and line in text]:
            yield Trouble(
                f"A line of the rubric of {name!r} stands in the students' notebook: {told[0]!r}.",
                "Say it in other words in the task.",
            )


def _part(part: Part) -> Iterator[Trouble]:
    which = f"The part {part.name!r}, which a person scores,"
    if not part.points > 0:
        yield Trouble(f"{which} carries no points.", "Write its points into the cell's marks.")
    if not part.rubric:
        yield Trouble(
            f"{which} has no rubric: two people would score it in two ways.",
            "Write one into its cell, a line for each number of points, between ### BEGIN MARK "
            "SCHEME and ### END MARK SCHEME; no student gets it.",
        )
    steps = [float(number) for number in POINTS.findall(part.rubric)]
    if steps and max(steps) != part.points:
        yield Trouble(
            f"{which} carries {part.points:g} points, and its rubric ends at {max(steps):g}.",
            "Let both be the same.",
        )


def _questions(problem_set: ProblemSet) -> Iterator[Trouble]:
    """What is wrong with the cases and the expected results themselves."""
    for check in problem_set.checks:
        if check.cases is not None and check.expected is not None:
            which = f"Check {check.name!r}"
            try:
                yield from (_properties if check.properties else _question)(check, which)
            except (
                Exception
            ) as error:  # the instructor's own code runs, with inputs that `load` has not tried
                yield Trouble(
                    f"{which} fails with some inputs: {type(error).__name__}: {error}",
                    "Draw cases for which expected works whatever the seed.",
                )


def _question(check: Check, which: str) -> Iterator[Trouble]:
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        drawn = [_answered(check, seed) for seed in range(SEEDS)]
        again = _answered(check, 0)
        equal = {
            mistake.id: seed
            for mistake in check.misconceptions
            for seed, answers in enumerate(drawn)
            if seed > 0  # with the first one, `load` has compared them
            and all(_same(check, mistake.function, args, right) for args, right in answers)
        }
    outputs = drawn[0][0][1]
    yield from _results_named(check, which, outputs)
    if not all(
        _equal(a, b)
        for (first, _), (second, _) in zip(drawn[0], again, strict=True)
        for a, b in zip(first, second, strict=True)
    ):
        yield Trouble(
            f"{which} draws other cases each time, from the same seed.",
            (
                "Take all random numbers from the generator that cases gets: else no grade can be "
                "looked into again."
            ),
        )
    for name in () if check.value else outputs:  # a value is what it is
        for idle in _idle_answers(name, drawn, check.tolerance):
            yield Trouble(
                f"{which} takes {name} for right when it is {idle}.",
                "Lower tolerance, or ask with inputs for which that is wrong.",
            )
    for mistake, seed in equal.items():
        yield Trouble(
            (
                f"{which}: the misconception {mistake!r} gives the right numbers for some inputs "
                f"(seed {seed})."
            ),
            "Draw cases in which it always shows: larger sizes, more steps, no zeros.",
        )


def _results_named(check: Check, which: str, outputs: Mapping[str, Any]) -> Iterator[Trouble]:
    """Whether outputs, exact and axes name the results as the function returns them."""
    for name in outputs:
        if not name.isidentifier():
            yield Trouble(
                f"{which}: outputs names a result {name!r}.",
                (
                    "Give each result a name of its own, in the form of what the function returns: "
                    '("h", "z") for two.'
                ),
            )
    for where, names in (("exact", check.exact), ("tables", check.tables)):
        for name in sorted({*names} - outputs.keys()):
            yield Trouble(
                f"{which}: {where} has {name}; the results are {', '.join(outputs)}.",
                "Give it the name of a result.",
            )
    # several checks may share one table
    axes_of = {name: axes for name, axes in check.axes.items() if name in outputs}
    if check.axes and not axes_of:
        yield Trouble(
            f"{which}: axes has {', '.join(check.axes)}; the results are {', '.join(outputs)}.",
            "Correct the name.",
        )
    for name, axes in axes_of.items():
        if len(axes.split()) != outputs[name].ndim:
            yield Trouble(
                (
                    f"{which}: axes gives {name} the axes {axes!r}, and its shape is "
                    f"{outputs[name].shape}."
                ),
                "Give a letter for each axis, with a space between two.",
            )


def _properties(check: Check, which: str) -> Iterator[Trouble]:
    """Whether right versions have all properties, and wrong and idle ones never do."""
    assert check.expected is not None
    chance = any(one.false_alarm for one in check.properties)
    seeds = DRAWS if chance else SEEDS
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if failed := caught(check, check.expected, seeds):
            yield Trouble(
                f"{which} fails its own expected, which is a right version, for {failed} of "
                f"{seeds} seeds.",
                "Correct the property, or its chance.",
            )
        for mistake in check.misconceptions:
            if (found := caught(check, mistake.function, seeds)) < CAUGHT * seeds:
                yield Trouble(
                    f"{which} finds the misconception {mistake.id!r} for {found} of {seeds} seeds "
                    "only.",
                    "Ask for more draws (verdict.chance.draws_needed says how many), or with "
                    "larger inputs.",
                )
        for what, make in IDLE.items():
            if not caught(check, _idle(check, make), SEEDS):
                yield Trouble(
                    f"{which} takes results for right that are {what}.",
                    "Add a property that they have not: complete for a split, as_expected for one "
                    "right result.",
                )


IDLE: dict[str, Callable[[Any], Any]] = {
    "zero everywhere": lambda result: 0 * result,
    "one everywhere": lambda result: 0 * result + 1,
    "empty": lambda result: np.zeros(0),
}


def _idle(check: Check, make: Callable[[Any], Any]) -> Callable[..., Any]:
    """A version that has each result made from the right one by no work."""
    assert check.expected is not None
    right = check.expected

    def place(pattern: Any, out: Mapping[str, Any]) -> Any:
        if isinstance(pattern, tuple):
            return tuple(place(part, out) for part in pattern)
        if pattern is None or out[pattern].dtype == object:
            return "" if pattern else None
        return make(out[pattern])

    return lambda *args: place(check.outputs, read(check, right(*args), check.asked))


def _idle_answers(name: str, drawn: Sequence[Answers], tolerance: float) -> list[str]:
    """Answers that take no work and are right for an output in every case, in words."""
    found: set[str] | None = None
    for answers in drawn:
        before: Mapping[str, Any] = {}
        for _, right in answers:
            wanted = right[name]
            words = wanted.dtype == object
            idle = (
                {} if words else {"zero everywhere": 0 * wanted, "one everywhere": 0 * wanted + 1}
            )
            if wanted.ndim and len(wanted) > 1:
                idle["turned round"] = wanted[::-1]
            if name in before:
                idle["that of the case before"] = before[name]
            before = right
            taken = {
                what
                for what, array in idle.items()
                if array.shape == wanted.shape and relative_error(array, wanted) <= tolerance
            }
            found = taken if found is None else found & taken
    return sorted(found or ())


def _answered(check: Check, seed: int) -> Answers:
    """Arguments of each case, and the expected results by name."""
    assert check.cases is not None and check.expected is not None
    cases = [case for case in check.cases(np.random.default_rng(seed)) if not case.raises]
    return [
        (case.args, read(check, check.expected(*copy_tree(case.args)), check.function))
        for case in cases
    ]


def _same(check: Check, function: Any, args: tuple[Any, ...], right: Mapping[str, Any]) -> bool:
    """Whether a function gives the right numbers."""
    try:
        got = read(check, function(*copy_tree(args)), check.function)
    except Exception:  # a wrong version may fail
        return False
    return all_close(got, right, check.tolerance)


def _equal(a: Any, b: Any) -> bool:
    """Whether two arguments are the same, whatever they are made of."""
    if isinstance(a, Mapping):
        return isinstance(b, Mapping) and list(a) == list(b) and all(_equal(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return isinstance(b, list | tuple) and len(a) == len(b) and all(map(_equal, a, b))
    if isinstance(a, np.random.Generator):
        return isinstance(b, np.random.Generator) and a.bit_generator.state == b.bit_generator.state
    if is_table(a):
        return is_table(b) and not tables.table_difference(checked(a), checked(b), 0.0)
    if isinstance(a, set | frozenset):
        return bool(a == b)
    return callable(a) or bool(np.array_equal(a, b, equal_nan=np.asarray(a).dtype.kind in "fc"))


def _leaks(problem_set: ProblemSet, text: str, starters: Mapping[str, str]) -> Iterator[Trouble]:
    """Lines and numbers of checks.py that students would get, but for code to be mended."""
    source = (problem_set.folder / "checks.py").read_text(encoding="utf-8")
    cells = []
    for cell in nbformat.reads(text, as_version=4).cells:
        name = cell.get("id", "?")
        given = starters.get(name, "").splitlines()
        lines = [line for line in cell.source.splitlines() if line not in given]
        cells.append((name, "\n".join(lines)))
    remedy = (
        "Take it out of the notebook, or ask for something else. If students are meant to have "
        f"it, end that line of checks.py with `{GIVEN_MARK}`."
    )
    for what in (*_lines_given(source, cells), *_numbers_given(source, cells)):
        yield Trouble(what, remedy)


def _lines_given(source: str, cells: Sequence[tuple[str, str]]) -> Iterator[str]:
    for number, line in enumerate(map(str.strip, source.splitlines()), start=1):
        if (
            len(line) < LONG
            or line.startswith(("import ", "from ", "#", '"""', "def "))
            or line.endswith(GIVEN_MARK)
        ):
            continue
        for cell, content in cells:
            if _bare(line) in map(_bare, content.splitlines()):
                yield (
                    f"Cell {cell} of the released notebook holds line {number} of checks.py: "
                    f"{line!r}."
                )


def _numbers_given(source: str, cells: Sequence[tuple[str, str]]) -> Iterator[str]:
    lines = source.splitlines()
    shown = {
        cell: {float(found) for found in NUMBER_PATTERN.findall(content)} for cell, content in cells
    }
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Constant) or type(value := node.value) not in (int, float):
            continue
        if lines[node.lineno - 1].rstrip().endswith(GIVEN_MARK):
            continue
        digits = re.sub(r"\D", "", f"{value!r}".partition("e")[0]).strip("0")
        for cell, numbers in shown.items():
            if len(digits) >= TELLING_DIGITS and value in numbers:
                yield (
                    f"Cell {cell} of the released notebook holds a number of line {node.lineno} of "
                    f"checks.py: {value!r}."
                )


def _answers_told(problem_set: ProblemSet, text: str) -> Iterator[Trouble]:
    """Answers of value questions that students would get with the notebook."""
    cells = [
        (cell.get("id", "?"), cell.source) for cell in nbformat.reads(text, as_version=4).cells
    ]
    for check in problem_set.checks:
        if not check.value or check.expected is None:
            continue
        right = exact.tree(check.expected())
        for cell, content in cells:
            if _tells(check, right, content):
                yield Trouble(
                    f"Cell {cell} of the released notebook holds the answer of check "
                    f"{check.name!r}.",
                    "Take it out, name all choices beside it, or ask for something else.",
                )


def _tells(check: Check, right: Any, content: str) -> bool:
    """Whether a cell gives an answer away: a number of some digits, or words without the other
    choices.
    """
    words = [right] if isinstance(right, str) else list(right) if _holds_words(right) else []
    if words:
        told = all(_says(word, content) for word in words)
        choices = [str(choice) for choice in check.choices]
        return told and not (choices and all(_says(choice, content) for choice in choices))
    if type(right) not in (int, float) or len(f"{abs(right):.12g}".strip("0").strip(".")) < 4:
        return False
    return any(
        abs(float(found) - right) <= check.tolerance * abs(right)
        for found in NUMBER_PATTERN.findall(content)
    )


def _says(word: str, content: str) -> bool:
    """Whether a text holds a word. One letter is in each text: it counts where it is set apart."""
    bare = re.escape(word.casefold())
    pattern = rf"\b{bare}\b" if len(word) > 1 else rf"[\"'`*(]{bare}[\"'`*)]"
    return re.search(pattern, content.casefold()) is not None


def _holds_words(value: Any) -> bool:
    return (
        isinstance(value, tuple | frozenset)
        and bool(value)
        and all(isinstance(item, str) for item in value)
    )


def _bare(line: str) -> str:
    """A line of code without a comment at its end, and without the spaces that mean nothing."""
    return re.sub(r"\s+#.*$|\s", "", line.strip())


def _unanswered(problem_set: ProblemSet, text: str) -> Iterator[Trouble]:
    """Functions that are asked for and that no cell asks students to write."""
    cells = nbformat.reads(text, as_version=4).cells
    written = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    for check in problem_set.checks:
        if check.value and not re.search(rf"\b{re.escape(check.value)}\b", written):
            yield Trouble(
                f"No code cell holds {check.value}, which a check asks for.",
                f"Give students its first line, `{check.value} = None`, or correct the name.",
            )
    for function in dict.fromkeys(check.function for check in problem_set.checks):
        if function.isidentifier() and f"def {function}(" not in written:
            yield Trouble(
                f"No code cell holds `def {function}(`, which a check asks for.",
                "Give students its first line, or correct the name in checks.py.",
            )


def _stub(result: Result) -> Iterator[Trouble]:
    """Points for nothing."""
    for check in result.checks:
        if check.score > 0:
            yield Trouble(
                (
                    f"Check {check.name!r} gives {check.score:g} of {check.points:g} points for "
                    "the notebook as students get it."
                ),
                "Let the stub raise NotImplementedError, or ask for something that it does not do.",
            )


def _budgets(problem_set: ProblemSet, result: Result) -> Iterator[Trouble]:
    """Budgets of CPU seconds that are close to what the solution needs."""
    for check in problem_set.checks:
        used = result.seconds.get(judge.cpu_of(check), 0.0)
        if check.at_most_cpu is not None and used > SLOW * check.at_most_cpu:
            yield Trouble(
                f"Check {check.name!r} allows {check.at_most_cpu:g} seconds of processor time, and "
                "the solution needs more than a fifth of them.",
                f"Allow at least {math.ceil(10 * used / SLOW) / 10:g}, or ask for smaller sizes: "
                "right code may take five times as long, and so may another machine.",
            )


def _solution(problem_set: ProblemSet, result: Result) -> Iterator[Trouble]:
    """What the instructor's own solution does not get, or gets too slowly."""
    for check, given in zip(problem_set.checks, result.checks, strict=True):
        if given.score < given.points:
            yield Trouble(
                f"Check {check.name!r} gives the solution {given.score:g} of {given.points:g} "
                f"points ({given.status}): {given.message}",
                "Correct the solution or the check; a correct student must never be failed.",
            )
        elif given.warnings:
            yield Trouble(
                f"Check {check.name!r} warns about the solution: {' '.join(given.warnings)}",
                "Correct the solution: students take its result for what is wanted.",
            )
    yield from _budgets(problem_set, result)
    limit = sum(check.time_limit for check in problem_set.checks)
    if result.seconds.get("checks", 0.0) > SLOW * limit:
        yield Trouble(
            (
                f"The checks take the solution {result.seconds['checks']:.1f} seconds; their time "
                f"limits are {limit:g} in all."
            ),
            (
                "Ask for smaller sizes, or raise time_limit: a correct student's code may take "
                "five times as long."
            ),
        )
    for note in result.notes:
        yield Trouble(f"The solution's notebook has a note: {note}", "Correct the cell.")
