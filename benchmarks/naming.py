"""How often is a mistake named, and rightly? Run by `make bench-naming`.

Every check of each problem set is put to wrong functions, without a sandbox: the judge compares in
the same way.

single      every known mistake, on several draws of the inputs: named as itself, as another, or not
            recognised
orders      the 23 other orders of the four gates, forward and backward: each found as that order
mutants     functions with one operator, name or number changed by a machine, a line left out, or
            two lines exchanged. Such a one is nobody's known mistake unless its numbers are the
            same on other inputs, too; only then its name is right
habit       mistakes that were written without a look at the known ones, of `habits.py`; of those
            that give wrong numbers, how many are named
pairs       two mistakes of the zoo in one function. None is a known one: a name is right where one
            of the two does not show
"""

from __future__ import annotations

import argparse
import ast
import json
import pkgutil
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from autograder.judge import problem_set
from benchmarks.habits import HABITS
from benchmarks.machine import machine
from lstm_ref import practice, zoo
from lstm_ref.practice import lstm_torch
from lstm_ref.practice.mistakes import Plain
from lstm_ref.zoo import plain
from verdict import Check, Status, StudentError, classify, examine, tensors
from verdict.compare import SINGLE_PRECISION, copy_tree, finite_parts, read, relative_error

ROOT = Path(__file__).parents[1]
SETS = tuple(sorted(path.parent.name for path in (ROOT / "solutions").glob("*/checks.py")))
OF_ZOO = ("lstm-bptt", "lstm-torch")  # their mistakes are those of the zoo
# Names that a machine may put in each other's place. Not those of lists: one that holds itself is
# compared without an end.
ARRAYS = {
    *"ifgoch",
    *"c_prev h_prev a_i a_f a_g a_o dc dh di df dg do da".split(),
    *"dh_t dh_next dc_next dx_t dWx dWh db".split(),
}
TENSORS = {
    *"xyk",
    *(
        "Wx Wh weight_ih weight_hh bias_ih bias_hh examples last lengths output log_p total mask "
        "start state"
    ).split(),
}
OTHER_SEED = 10_000  # of inputs on which no name was given
TORCH_IMPORTS = """
from typing import Any
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
"""


@dataclass(frozen=True)
class Question:
    """A check, and the function that a student writes for it: not always the one that the check
    calls.
    """

    check: Check
    written: str
    first: tuple[Question, ...] = ()  # without these it is not asked
    of: Plain | None = None  # the set's plain solutions; None for the sets of the zoo

    @property
    def bugs(self) -> list[zoo.Bug]:
        """What the zoo knows about the function that is written, in the framework of the check."""
        if self.of is not None:
            return []
        bugs = zoo.BUGS if self.check.arrays == "numpy" else zoo.PYTORCH
        return [bug for bug in bugs if bug.function == self.written]

    def source(self, changes: Sequence[zoo.Change] = ()) -> str:
        """The plain right function, with some lines changed."""
        if self.of is not None:
            return self.of.source(self.written)
        return zoo.source_of(self.written, changes, self.check.arrays)

    def build(self, source: str) -> Callable[..., Any]:
        """What the check calls, where the student has written this; the rest is right."""
        if self.of is not None:
            made = self.of.with_source(self.written, source)
            return self._from_arrays(made)
        code = compile(source, f"<{self.written}>", "exec")
        namespace: dict[str, Any] = {}
        if self.check.arrays == "numpy":
            namespace.update(vars(plain))
            exec(code, namespace)
            return namespace[self.check.function]  # type: ignore[no-any-return]
        exec(TORCH_IMPORTS + lstm_torch.RIGHT.code, namespace)
        exec(code, namespace)
        return self._from_arrays(namespace)

    def _from_arrays(self, made: dict[str, Any]) -> Callable[..., Any]:
        """The function that the check calls, out of all of them, from arrays to arrays."""
        function, arrays = made[self.check.function], self.check.arrays
        return lambda *arguments: tensors.to_arrays(
            function(*tensors.from_arrays(arguments, arrays)), self.check.compares_all
        )


@cache
def plain_solutions() -> tuple[Plain, ...]:
    """The plain solutions of each problem set that has them, found in `lstm_ref.practice`."""
    names = [f"{practice.__name__}.{one.name}" for one in pkgutil.iter_modules(practice.__path__)]
    values = [value for name in names for value in vars(import_module(name)).values()]
    return tuple({id(value): value for value in values if isinstance(value, Plain)}.values())


def plain_of(name: str) -> Plain | None:
    """The plain solutions of a problem set: they hold every function that its checks call."""
    if name in OF_ZOO:
        return None
    called = {check.asked for check in problem_set.load(name, ROOT, validate=False).checks}
    fits = [one for one in plain_solutions() if called <= set(vars(one.module))]
    return fits[0] if len(fits) == 1 else None


def questions(name: str) -> list[Question]:
    """All questions of a problem set, each after those that it needs."""
    found: dict[str, Question] = {}
    of = plain_of(name)
    for check in problem_set.load(name, ROOT, validate=False).in_order_of_need():
        written = "lstm_cell" if check.name == "cell_gradients" else check.name
        found[check.name] = Question(check, written, tuple(found[need] for need in check.needs), of)
    return list(found.values())


def ask(check: Check, function: Callable[..., Any], seed: int) -> tuple[Status, str | None]:
    """Verdict on a function: its status, and the name of the mistake."""

    def call(*arguments: Any) -> Any:
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return function(*arguments)
        except Exception as error:  # as the judge has it
            raise StudentError(*classify(type(error).__name__, str(error))) from None

    verdict = examine(check, call, np.random.default_rng(seed))
    return verdict.status, verdict.misconception


def same_numbers(check: Check, function: Callable[..., Any], other: Callable[..., Any]) -> bool:
    """Whether two functions return the same on inputs that are used for nothing else; where one
    raises, both must.
    """
    if check.cases is None:  # an examination: what it says of a function holds for this function
        return False
    compared = 0
    for case in check.cases(np.random.default_rng(OTHER_SEED)):
        results = []
        for f in (function, other):
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    results.append(read(check, f(*copy_tree(case.args)), check.function))
                except Exception:
                    results.append({})
        a, b = results
        if set(a) != set(b) or any(a[k].size != b[k].size for k in a):
            return False
        pairs = [finite_parts(a[k].ravel(), b[k].ravel()) for k in a]
        largest = max(SINGLE_PRECISION, check.tolerance)
        if any(not relative_error(got, numbers) <= largest for got, numbers in pairs):
            return False
        compared += len(a)
    return compared > 0


def mutants(source: str) -> Iterator[str]:
    """Versions of a function with one operator, name or number changed, a line left out, or two
    lines exchanged.
    """
    exchanges = {
        ast.Add: ast.Sub,
        ast.Sub: ast.Add,
        ast.Mult: ast.Add,
        ast.Pow: ast.Mult,
        ast.Div: ast.Mult,
    }
    nodes = list(ast.walk(ast.parse(source)))
    names = sorted({n.id for n in nodes if isinstance(n, ast.Name)} & (ARRAYS | TENSORS))
    for k, node in enumerate(nodes):
        changes: list[tuple[str, Any]] = []
        if isinstance(node, ast.BinOp) and type(node.op) in exchanges:
            changes.append(("op", exchanges[type(node.op)]()))
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in names:
            changes += [("id", name) for name in names if name != node.id]
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            changes += [("value", node.value - 1), ("value", node.value + 1)]
        if isinstance(node, ast.FunctionDef | ast.For):
            lines = node.body
            changes += [
                ("body", [*lines[:j], *lines[j + 1 :]]) for j in range(len(lines)) if len(lines) > 1
            ]
            changes += [
                ("body", [*lines[:j], lines[j + 1], lines[j], *lines[j + 2 :]])
                for j in range(len(lines) - 1)
            ]
        for field, value in changes:
            tree = ast.parse(source)
            setattr(list(ast.walk(tree))[k], field, value)
            yield ast.unparse(tree)


def singles(check: Check, seeds: range) -> dict[str, Counter[str]]:
    """Known mistake -> how often it got which name."""
    return {
        mistake.id: Counter(str(ask(check, mistake.function, seed)[1]) for seed in seeds)
        for mistake in check.misconceptions
    }


def named_mutants(question: Question, seed: int) -> dict[str, int]:
    """Mutants by what is said of them."""
    return dict(Counter(said(question, source, seed) for source in mutants(question.source())))


def named_pairs(question: Question, seed: int) -> dict[str, int]:
    """Pairs of mistakes in one function by what is said of them."""
    counts: Counter[str] = Counter()
    for one, two in combinations(question.bugs, 2):
        try:
            source = question.source((*one.changes, *two.changes))
        except ValueError:
            continue  # both change the same line
        counts[said(question, source, seed, {one.id, two.id})] += 1
    return dict(counts)


def said(question: Question, source: str, seed: int, mine: set[str] | None = None) -> str:
    """What is said of a function with this source. ``mine`` are the names that are right for it;
    None: any that holds.
    """
    check, function = question.check, question.build(source)
    if any(
        ask(need.check, need.build(source), seed)[0] is not Status.PASSED for need in question.first
    ):
        return "not asked"
    status, name = ask(check, function, seed)
    if status is Status.PASSED:
        return "right"  # the change shows in nothing that is compared
    if name is None:
        return "not recognised" if status is Status.WRONG else "raises"
    known = {mistake.id for group in check.known_mistakes() for mistake in group}
    if name in {one.id for one in check.properties} - known:
        return "named rightly"  # a property is named where it does not hold
    # A mistake in another order of the gates has the id of the mistake.
    candidates = [
        mistake for group in check.known_mistakes() for mistake in group if mistake.id == name
    ]
    if not any(same_numbers(check, function, mistake.function) for mistake in candidates):
        return "named wrongly"
    return (
        "named rightly" if mine is None or name in mine else "the same numbers as another mistake"
    )


def from_habit(name: str, seed: int) -> dict[str, dict[str, str]]:
    """Check -> mistake written from habit -> what is said of it."""
    found: dict[str, dict[str, str]] = {}
    # the first that calls it: what comes after it is not asked where this is wrong
    asked = {question.written: question for question in reversed(questions(name))}
    for function, right, wrong in HABITS.get(name, ()):
        question = asked[function]
        source = question.source()
        if right not in source:
            raise ValueError(
                f"{name}: {function} has no {right!r}; mend it in benchmarks/habits.py"
            )
        rows = found.setdefault(question.check.name, {})
        rows[f"{right} -> {wrong}"] = said(question, source.replace(right, wrong, 1), seed)
    return found


def orders(check: Check) -> int:
    """Other orders of the gates that are found as conventions under their own names."""
    prefix = "back_order_" if check.function == "lstm_step_backward" else "order_"
    mine = [
        m for m in check.misconceptions if m.id.startswith(prefix) and len(m.id) == len(prefix) + 4
    ]
    return sum(ask(check, m.function, OTHER_SEED) == (Status.CONVENTION, m.id) for m in mine)


def measure(
    name: str, seeds: range, checker_seeds: range, kept: dict[str, Any] | None = None
) -> dict[str, Any]:
    """All of it, for one problem set; with ``kept``, mutants and pairs are those of that earlier
    report.
    """
    report: dict[str, Any] = {"single": {}, "orders": {}, "mutants": {}, "pairs": {}}
    if kept is not None:
        report |= {kind: kept[kind] for kind in ("mutants", "pairs")}
    for question in questions(name):
        check = question.check
        began = time.monotonic()
        matrix = singles(check, checker_seeds if check.examine else seeds)
        report["single"][check.name] = {id: dict(row) for id, row in matrix.items()}
        if check.name in ("lstm_step", "lstm_step_backward", "lstm_cell"):
            report["orders"][check.name] = orders(check)
        if kept is None and (question.bugs or has_mutants(question)):
            report["mutants"][check.name] = named_mutants(question, OTHER_SEED + 1)
        # The numbers of lstm_cell go wrong as those of lstm_step do; what PyTorch adds shows in
        # its gradients only.
        if kept is None and question.bugs and check.name != "lstm_cell":
            report["pairs"][check.name] = named_pairs(question, OTHER_SEED + 2)
        print(f"{check.name}: {time.monotonic() - began:.0f} s", flush=True)
    return report


def has_mutants(question: Question) -> bool:
    """Whether a plain solution is changed by a machine: its results are compared, and in NumPy. To
    train a sick program in PyTorch a thousand times takes too long.
    """
    check = question.check
    return question.of is not None and check.examine is None and check.arrays == "numpy"


def summary(report: dict[str, Any]) -> dict[str, Any]:
    """The figures of one problem set that say it all."""
    cells = [
        (id, name, n)
        for rows in report["single"].values()
        for id, row in rows.items()
        for name, n in row.items()
    ]
    total = sum(n for *_, n in cells)
    habit = Counter(said for rows in report["habit"].values() for said in rows.values())
    wrong = [habit[said] for said in ("named rightly", "named wrongly", "not recognised")]
    return {
        "single, asked": total,
        "single, named rightly": sum(n for id, name, n in cells if name == id) / total,
        "single, named wrongly": sum(n for id, name, n in cells if name not in (id, "None"))
        / total,
        "single, not recognised": sum(n for _, name, n in cells if name == "None") / total,
        "habit, wrong numbers": sum(wrong),
        "habit, named rightly": wrong[0] / max(sum(wrong), 1),
        "habit, named wrongly": wrong[1],
        **{
            kind: dict(sum(map(Counter, report[kind].values()), Counter()))
            for kind in ("mutants", "pairs")
        },
    }


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--seeds", type=int, default=5, help="draws of the inputs for each known mistake"
    )
    parser.add_argument(
        "--checker-seeds",
        type=int,
        default=2,
        help="the same for gradient checkers, which take longer",
    )
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "naming.json")
    parser.add_argument(
        "--single",
        action="store_true",
        help="only mistakes one by one; mutants and pairs stay, with their date",
    )
    parser.add_argument(
        "--habit", action="store_true", help="only mistakes written from habit; all else stays"
    )
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS, help="the others stay")
    return parser.parse_args()


def main() -> None:
    """Measure, print, write."""
    options = arguments()
    report: dict[str, Any] = {"machine": machine("numpy", "torch")}
    before = json.loads(options.out.read_text(encoding="utf-8")) if options.out.exists() else {}
    stays = options.single or options.habit or options.sets != SETS
    earlier = (
        before.get("machine", report["machine"])["date"] if stays else report["machine"]["date"]
    )
    report["mutants and pairs of"] = (
        before.get("mutants and pairs of", earlier) if stays else earlier
    )
    for name in SETS:
        if name in options.sets and not (options.habit and name in before):
            kept = before.get(name) if options.single else None
            report[name] = measure(name, range(options.seeds), range(options.checker_seeds), kept)
        elif name in before:
            report[name] = before[name]
        else:
            continue  # another run measures it
        if name in options.sets:
            report[name]["habit"] = from_habit(name, OTHER_SEED + 3)
            report[name]["summary"] = summary(report[name])
        for what, value in report[name]["summary"].items():
            print(
                f"{name}: {what}: {value:.2%}"
                if isinstance(value, float)
                else f"{name}: {what}: {value}"
            )
    options.out.write_text(
        json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
