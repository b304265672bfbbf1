"""A problem set as the judge sees it: the checks of ``solutions/<name>/checks.py``, found, imported
and validated.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import sys
import traceback
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from graphlib import CycleError, TopologicalSorter
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from packaging.utils import canonicalize_name

from autograder.errors import ProblemSetError, ProtocolError
from autograder.guest.protocol import Encoder
from autograder.judge.data_files import data_files
from autograder.modules import imported, load_module
from autograder.sandbox.limits import Limits
from autograder.sandbox.mounts import with_requirements
from verdict import Case, Check, exact, examine
from verdict.chance import FALSE_ALARMS
from verdict.compare import WrongReturn, all_close, copy_tree, read
from verdict.holds import caught
from verdict.refusals import kinds_of
from verdict.table_parts import is_table

# kinds of exceptions that a stub raises, or code that is wrong anywhere
TOO_WIDE = ("BaseException", "Exception", "NameError", "NotImplementedError", "RuntimeError")
LEAST_MEMORY = 128 << 20  # bytes: with less, Python does not come up with NumPy in it
# Bytes of address space that a student's code has where these are imported: on the CPU, PyTorch
# takes 0.7 GiB of it for itself, and TensorFlow, with the first model, 2.1 GiB. Builds for GPUs
# reserve more: see LIMITS in a problem set's checks.py.
MEMORY = {"torch": 4 << 30, "tensorflow": 6 << 30, "tensorflow-cpu": 6 << 30}


@dataclass(frozen=True)
class ProblemSet:
    """Checks and what belongs to them.

    Parameters
    ----------
    name : of its folder under ``solutions/``
    checks : in the order in which a student meets them
    packages : distributions that the student's code may import
    folder : ``solutions/<name>``
    limits : what the student's code may use
    files : name and content of the data files that the student's code finds in its folder
    digest : SHA-256 of ``checks.py``, of the data files and of what is imported; another digest
        means that older records may no longer hold
    """

    name: str
    checks: tuple[Check, ...]
    packages: tuple[str, ...]
    folder: Path
    digest: str
    limits: Limits = Limits()
    files: tuple[tuple[str, bytes], ...] = ()

    @property
    def release(self) -> Path:
        """The notebook that students get."""
        return self.folder.parent.parent / "exercises" / self.name / f"{self.name}.ipynb"

    @property
    def released(self) -> list[str]:
        """Sources of the code cells of that notebook; none where it cannot be read."""
        try:
            cells = json.loads(self.release.read_text(encoding="utf-8"))["cells"]
        except (OSError, ValueError, KeyError):
            return []
        return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]

    def in_order_of_need(self) -> list[Check]:
        """Checks, each after those that it needs; otherwise as they stand."""
        checks = {check.name: check for check in self.checks}
        graph = {check.name: check.needs for check in self.checks}
        return [checks[name] for name in TopologicalSorter(graph).static_order()]


def load(name: str | Path, root: Path | None = None, validate: bool = True) -> ProblemSet:
    """Find a problem set, import its checks and validate them.

    Parameters
    ----------
    name : of a folder under ``solutions/``, or a path to such a folder
    root : of the course, where ``solutions/`` and ``exercises/`` are; the current directory when
        left out
    validate : False where another process has just done so, or where only names and points are
        wanted: to compute every known mistake takes a while

    Raises
    ------
    ProblemSetError : there is none of that name, or its checks contradict themselves; says which
        and how
    """
    solutions = (root or Path.cwd()) / "solutions"
    folder = solutions / name if len(Path(name).parts) == 1 else Path(name)
    source = folder / "checks.py"
    if not source.is_file():
        there = sorted(path.parent.name for path in solutions.glob("*/checks.py"))
        raise ProblemSetError(
            f"no problem set {str(name)!r}: {source} does not exist; "
            + (
                f"there are {', '.join(there)}"
                if there
                else f"{solutions} holds none; run from the course's root"
            )
        )
    folder = folder.resolve()
    module = _import_checks(folder.name, source)
    packages = tuple(_attribute(module, "PACKAGES", source))
    files = data_files(folder)
    problem_set = ProblemSet(
        name=folder.name,
        checks=tuple(_attribute(module, "CHECKS", source)),
        packages=packages,
        limits=limits_for(packages, getattr(module, "LIMITS", {}), folder.name),
        folder=folder,
        files=tuple(files.items()),
        digest=_digest(source, files),
    )
    if validate:
        refuse_faulty(problem_set)
    return problem_set


def refuse_faulty(problem_set: ProblemSet, mistakes: bool = True) -> None:
    """Refuse checks that contradict themselves, or fail.

    Parameters
    ----------
    problem_set : as `load` gives it
    mistakes : False where known mistakes need not be computed, for one notebook: one that gives the
        same numbers as another is then not refused, and not named either

    Raises
    ------
    ProblemSetError : says which check, and how
    """
    source = problem_set.folder / "checks.py"
    try:
        validate_checks(problem_set, mistakes)
    except ProblemSetError:
        raise
    except (
        Exception
    ) as error:  # the instructor's own code runs: cases, expected results, known mistakes
        raise ProblemSetError(
            f"{source}{_line_in(source, error)}: {type(error).__name__}: {error}"
        ) from error


def _line_in(source: Path, error: Exception) -> str:
    """Where in a file an error came from, to stand behind the file's name; empty where it did
    not.
    """
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename) == source.absolute()
    ]
    return f", line {lines[-1]}" if lines else ""


def _import_checks(name: str, source: Path) -> ModuleType:
    # A name of its own: two problem sets may both have a checks.py, and none may shadow a package
    # called so.
    private = "_autograder_checks_" + "".join(c if c.isalnum() else "_" for c in name)
    try:
        return load_module(private, source)
    except Exception as error:
        raise ProblemSetError(
            f"{source} cannot be imported: {type(error).__name__}: {error}"
        ) from error


def _digest(source: Path, files: Mapping[str, bytes]) -> str:
    """Digest of a file and of the packages that it imports: of their sources where they are worked
    on, else of their versions.

    The comparison and the known mistakes decide a score as much as the checks do, so a change there
    must grade anew, too.
    """
    digest = hashlib.sha256(source.read_bytes())
    for name, content in files.items():
        digest.update(f"{name} {len(content)}\0".encode() + content)
    for name in sorted(
        {"verdict"} | {module.partition(".")[0] for module in imported(source.read_bytes())}
    ):
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            continue  # built into Python: its version is in every record
        folder = Path(spec.origin).parent
        if "site-packages" in folder.parts:
            digest.update(f"{name} {_providers(name)}".encode())
        elif name not in sys.stdlib_module_names:
            for file in sorted(folder.rglob("*.py")):
                digest.update(
                    file.relative_to(folder).as_posix().encode() + b"\0" + file.read_bytes() + b"\0"
                )
    return digest.hexdigest()


def _providers(name: str) -> list[str]:
    """Distributions that a package comes from, with their versions."""
    try:
        # Most bear the name of their package. To ask all of them takes longer than all else that
        # `load` does.
        return [f"{name}=={distribution(name).version}"]
    except PackageNotFoundError:
        return [
            f"{dist}=={distribution(dist).version}"
            for dist in packages_distributions().get(name, ())
        ]


def _attribute(module: ModuleType, name: str, source: Path) -> Sequence[Any]:
    value = getattr(module, name, None)
    if not isinstance(value, list | tuple):
        raise ProblemSetError(
            f"{source} must define {name} as a list or a tuple, got {type(value).__name__}"
        )
    return value


def limits_for(packages: tuple[str, ...], given: object, name: str) -> Limits:
    """What the code of a problem set's students may use: what ``LIMITS`` gives, and for the rest
    what the packages need.

    Parameters
    ----------
    packages : distributions that may be imported
    given : ``LIMITS`` of ``checks.py``, by the names of `Limits`
    name : of the problem set

    Raises
    ------
    ProblemSetError : a name or a number that cannot be; a package that is not installed

    >>> limits_for(("numpy",), {"memory": 1 << 30}, "a").memory >> 20
    1024
    """
    known = {field.name: getattr(Limits(), field.name) for field in fields(Limits)}
    if not isinstance(given, dict):
        raise ProblemSetError(
            f"{name}: LIMITS must be a dict such as {{'memory': 4 << 30}}, got "
            f"{type(given).__name__}"
        )
    for key, value in given.items():
        if key not in known:
            raise ProblemSetError(f"{name}: LIMITS has no {key!r}; there are {', '.join(known)}")
        least = LEAST_MEMORY if key == "memory" else 1
        if type(value) is not int or value < least:
            raise ProblemSetError(
                f"{name}: LIMITS[{key!r}] must be a whole number of at least {least:,}, got "
                f"{value!r}"
            )
    needed = [MEMORY.get(package, 0) for package in _with_requirements(packages, name)]
    return Limits(**{**known, "memory": max([known["memory"], *needed]), **given})


def _with_requirements(packages: tuple[str, ...], name: str) -> tuple[str, ...]:
    found: tuple[str, ...] = ()
    for package in packages:
        try:
            found += with_requirements((package,))
        except PackageNotFoundError as error:
            missing = str(error.name)
            if missing == canonicalize_name(package):
                raise ProblemSetError(
                    f"{name}: PACKAGES names {package!r}, which is not installed here"
                ) from None
            raise ProblemSetError(
                f"{name}: PACKAGES names {package!r}, which requires {missing!r}, and that is not "
                f"installed here; pip install {missing}"
            ) from None
    return found


def validate_checks(problem_set: ProblemSet, mistakes: bool = True) -> None:
    """Refuse checks that contradict themselves; known mistakes are looked at only if asked for.

    Raises
    ------
    ProblemSetError : names and points that cannot be, needs that lead nowhere or in a circle,
        packages that are not installed, known mistakes that cannot be told apart
    """
    name, checks = problem_set.name, problem_set.checks
    if not checks and not _is_scored_by_hand(problem_set.release):
        raise ProblemSetError(
            f"{name}: CHECKS is empty, and the released notebook has no cell that is scored by hand"
        )
    for check in checks:
        if not isinstance(check, Check):
            raise ProblemSetError(
                f"{name}: CHECKS must hold verdict.Check objects, got {type(check).__name__}"
            )
    names = [check.name for check in checks]
    for twice in sorted({n for n in names if names.count(n) > 1}):
        raise ProblemSetError(
            f"{name}: {names.count(twice)} checks are called {twice!r}; a name must be unique"
        )
    required = _with_requirements(problem_set.packages, name)
    for check in checks:
        asked = check if mistakes else replace(check, misconceptions=())
        _validate_check(f"{name}: check {check.name!r}", asked, names)
        if "pandas" not in required and _has_tables(check):
            raise ProblemSetError(
                f"{name}: check {check.name!r} asks with a DataFrame or a Series, or for one, and "
                "students' code has no pandas: write PACKAGES = ('numpy', 'pandas')"
            )
    if (rate := false_alarms(checks)) > FALSE_ALARMS:
        raise ProblemSetError(
            f"{name}: a right hand-in would be failed by chance with a probability of {rate:.1g}; "
            f"at most {FALSE_ALARMS:g} is allowed. Give the properties smaller values of "
            "false_alarm, or ask in fewer cases"
        )
    try:
        problem_set.in_order_of_need()
    except CycleError as error:
        raise ProblemSetError(
            f"{name}: checks need each other in a circle: {' -> '.join(error.args[1])}"
        ) from None


def _is_scored_by_hand(release: Path) -> bool:
    """Whether a cell of the released notebook carries points that a person gives."""
    try:
        cells = json.loads(release.read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError, KeyError):
        return False
    marks = [cell.get("metadata", {}).get("nbgrader", {}) for cell in cells]
    return any(m.get("task") or (m.get("grade") and m.get("solution")) for m in marks)


def _validate_check(where: str, check: Check, names: list[str]) -> None:
    if not check.points > 0:
        raise ProblemSetError(f"{where}: points must be above 0, got {check.points}")
    if not check.time_limit > 0:
        raise ProblemSetError(
            f"{where}: time_limit must be above 0 seconds, got {check.time_limit}"
        )
    if missing := [need for need in check.needs if need not in names]:
        raise ProblemSetError(f"{where}: needs {missing[0]!r}, and there is no such check")
    if check.examine is None and (check.cases is None or check.expected is None):
        needed = "expected, as in expected=lambda: 0.35" if check.value else "cases and expected"
        raise ProblemSetError(f"{where}: give {needed}, or examine")
    _validate_choices(where, check)
    if check.at_most_cpu is not None and not 0 < check.at_most_cpu <= check.time_limit:
        raise ProblemSetError(
            f"{where}: at_most_cpu must be above 0 seconds and not above time_limit, which is "
            f"{check.time_limit:g}, got {check.at_most_cpu!r}"
        )
    ids = [mistake.id for mistake in check.misconceptions]
    for twice in sorted({i for i in ids if ids.count(i) > 1}):
        raise ProblemSetError(
            f"{where}: the misconception {twice!r} stands there {ids.count(twice)} times"
        )
    if check.properties:
        _validate_properties(where, check)
    elif check.examine is None:
        _validate_misconceptions(where, check)


def _has_tables(check: Check) -> bool:
    """Whether a check asks with a DataFrame or a Series, or for one."""
    if check.tables or check.cases is None or "pandas" not in sys.modules:
        return bool(check.tables)
    cases = check.cases(np.random.default_rng(0))
    return any(is_table(argument) for case in cases for argument in case.args)


def _validate_properties(where: str, check: Check) -> None:
    """The right version must have all properties, and no wrong one may."""
    if check.examine is not None or check.value:
        raise ProblemSetError(f"{where}: properties go with cases, not with examine or value")
    ids = [one.id for one in check.properties]
    for twice in sorted({i for i in ids if ids.count(i) > 1}):
        raise ProblemSetError(f"{where}: the property {twice!r} stands there more than once")
    assert check.cases is not None and check.expected is not None
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for case in check.cases(np.random.default_rng(0)):
            _validate_arguments(where, case)
            if case.raises:
                raise ProblemSetError(f"{where}: a case that must raise goes with expected results")
        if caught(check, check.expected, 1):
            verdict = examine(check, check.expected, np.random.default_rng(0))
            raise ProblemSetError(
                f"{where}: expected, which must be a right version, is not passed: "
                f"{verdict.message}"
            )
        for mistake in check.misconceptions:
            if not caught(check, mistake.function, 1):
                raise ProblemSetError(
                    f"{where}: the misconception {mistake.id!r} is passed; add a property that it "
                    "has not, or cases in which it shows"
                )


def false_alarms(checks: Sequence[Check]) -> float:
    """Largest probability that a right hand-in is failed by chance."""
    return sum(
        sum(one.false_alarm for one in check.properties)
        * len(check.cases(np.random.default_rng(0)))
        for check in checks
        if check.cases is not None and check.properties
    )


def _validate_choices(where: str, check: Check) -> None:
    """Choices are at least two that differ, and the right value and known mistakes are among
    them.
    """
    spelled = {exact.plain(choice) for choice in check.choices}
    if check.choices and len(spelled) < max(2, len(check.choices)):
        raise ProblemSetError(
            f"{where}: choices must be at least two that differ otherwise than in large and small "
            f"letters, got {check.choices!r}"
        )


def _validate_arguments(where: str, case: Case) -> None:
    """Refuse what no frame can carry to the student's function."""
    for k, argument in enumerate(case.args, 1):
        try:
            Encoder(lambda value: 0 if callable(value) else None).encode(("call", argument))
        except ProtocolError as error:
            raise ProblemSetError(
                f"{where}: argument {k} of the case {case.label!r} is, or holds, what cannot be "
                f"sent to the student's function: {error}. {_sendable(argument)}"
            ) from None


def _sendable(argument: Any) -> str:
    """What to give in place of an argument that cannot be sent."""
    if isinstance(argument, np.random.Generator):
        return "Give np.random.default_rng(seed), with a whole number that rng.integers draws."
    if type(argument).__module__.partition(".")[0] == "pandas":
        return (
            "A DataFrame or a Series may hold numbers, words, times, categories, and lists of "
            "these; what else it needs, a function that the notebook gives adds to it."
        )
    return (
        "Give arrays of numbers, numbers, words, lists, tuples, dicts, sets, DataFrames, "
        "np.random.default_rng(seed), or functions; what else the function needs, a function that "
        "the notebook gives builds from these."
    )


def _validate_misconceptions(where: str, check: Check) -> None:
    """Every known mistake must give other numbers than the reference and than every other, or it
    cannot be named.
    """
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases, answers = _all_answers(where, check)
    try:
        outputs = {
            who: [
                _results_or_kind(check, a, who, case) for a, case in zip(given, cases, strict=True)
            ]
            for who, given in answers.items()
        }
    except WrongReturn as error:
        words = (
            " Words, lists of any lengths, sets and dicts are compared where the result's name "
            "stands in exact, as in exact=('tokens',), and DataFrames where it stands in tables"
        )
        remedy = words if "array of numbers" in str(error) else ""
        raise ProblemSetError(f"{where}: {error}{remedy}") from None
    ids = list(outputs)
    for k, first in enumerate(ids):
        for second in ids[k + 1 :]:
            if all(
                _same_outcome(a, b, check.tolerance)
                for a, b in zip(outputs[first], outputs[second], strict=True)
            ):
                raise ProblemSetError(
                    f"{where}: {second!r} gives the same numbers as {first!r} in every case"
                )


def _all_answers(where: str, check: Check) -> tuple[Sequence[Case], dict[str, list[Any]]]:
    """Cases, and what the reference and each known mistake give for them, by name."""
    assert check.cases is not None and check.expected is not None
    cases = check.cases(np.random.default_rng(0))
    if not cases:
        raise ProblemSetError(f"{where}: cases gives no case")
    for case in cases:
        _validate_arguments(where, case)
    _validate_refusals(where, check, cases)
    right = [
        _try_call(check.expected, copy_tree(case.args))
        if case.raises
        else check.expected(*copy_tree(case.args))
        for case in cases
    ]
    answers: dict[str, list[Any]] = {"the reference": right}
    for mistake in check.misconceptions:
        given = [_try_call(mistake.function, copy_tree(case.args)) for case in cases]
        if all(isinstance(answer, Exception) for answer in given):
            raise ProblemSetError(
                f"{where}: the misconception {mistake.id!r} fails in every case: {given[0]!r}"
            )
        answers[mistake.id] = given
    return cases, answers


def _try_call(function: Any, args: tuple[Any, ...]) -> Any:
    try:
        return function(*args)
    except Exception as error:  # a wrong version may fail on an edge case
        return error


def _results_or_kind(check: Check, answer: Any, who: str, case: Case) -> dict[str, Any] | str:
    """Results by name; where there are none, nothing, or the name of what must be raised."""
    if isinstance(answer, Exception):
        return type(answer).__name__ if case.raises else ""
    # a result where there should be none is a mistake, whatever it is
    return "a result" if case.raises else read(check, answer, who)


def _validate_refusals(where: str, check: Check, cases: Sequence[Case]) -> None:
    """A case that must raise names a kind of its own, the reference raises it, and other cases have
    results.
    """
    assert check.expected is not None
    for case in cases:
        if not case.raises:
            continue
        if case.raises in TOO_WIDE or not case.raises.isidentifier():
            raise ProblemSetError(
                f"{where}: raises={case.raises!r} of the case {case.label!r} also holds for code "
                "that is not written yet, or is no name; name one kind, such as 'ValueError'"
            )
        came = _try_call(check.expected, copy_tree(case.args))
        if not isinstance(came, Exception) or case.raises not in kinds_of(came):
            what = (
                f"raises {type(came).__name__}" if isinstance(came, Exception) else "gives a result"
            )
            raise ProblemSetError(
                f"{where}: in the case {case.label!r}, expected must raise {case.raises}, and "
                f"{what}"
            )
    if cases and all(case.raises for case in cases):
        raise ProblemSetError(
            f"{where}: all cases must raise, so that code which always does would be right; add "
            "one that has a result"
        )


def _same_outcome(a: dict[str, Any] | str, b: dict[str, Any] | str, tolerance: float) -> bool:
    if isinstance(a, str) or isinstance(b, str):
        return a == b
    return all_close(a, b, tolerance)
