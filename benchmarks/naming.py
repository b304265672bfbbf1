"""How often is a mistake named, and rightly? Run by `make bench-naming`.

Every check of a problem set is put to wrong functions, without a sandbox: the judge compares in the same way.

single      every known mistake, on several draws of the inputs: named as itself, as another, or not recognised
orders      the 23 other orders of the four gates, forward and backward: each found as that order
mutants     functions with one operator or one name changed by a machine. Such a one is nobody's known mistake unless its numbers
            are the same on other inputs, too; only then its name is right
pairs       two mistakes of the zoo in one function. None is a known one: a name is right where one of the two does not show
"""

from __future__ import annotations

import argparse
import ast
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from autograder import problem_set
from benchmarks.machine import machine
from lstm_ref import zoo
from lstm_ref.zoo import plain
from verdict import Check, Misconception, Status, StudentError, examine
from verdict.compare import copy_tree, flatten, relative_error

ROOT = Path(__file__).parents[1]
# Names that a machine may put in each other's place. Not those of lists: one that holds itself is compared without an end.
ARRAYS = {*"ifgoch", *"c_prev h_prev a_i a_f a_g a_o dc dh di df dg do da dh_t dh_next dc_next dx_t dWx dWh db".split()}
OTHER_SEED = 10_000  # of inputs on which no name was given


def ask(check: Check, function: Callable[..., Any], seed: int) -> tuple[Status, str | None]:
    """Verdict on a function: its status, and the name of the mistake."""

    def call(*arguments: Any) -> Any:
        try:
            with np.errstate(all="ignore"):
                return function(*arguments)
        except Exception as error:  # as the judge has it: an exception of the student's is no name
            raise StudentError(Status.ERROR, str(error)) from None

    verdict = examine(check, call, np.random.default_rng(seed))
    return verdict.status, verdict.misconception


def same_numbers(check: Check, function: Callable[..., Any], other: Callable[..., Any]) -> bool:
    """Whether two functions return the same on inputs that are used for nothing else."""
    assert check.cases is not None
    for case in check.cases(np.random.default_rng(OTHER_SEED)):
        with np.errstate(all="ignore"):
            try:
                a, b = (flatten(check.outputs, f(*copy_tree(case.args)), f"{f}") for f in (function, other))
            except Exception:
                return False
        if any(a[k].size != b[k].size or not relative_error(a[k].ravel(), b[k].ravel()) <= 1e-6 for k in a):
            return False
    return True


def build(function: str, source: str) -> Callable[..., Any]:
    """Function from its source, among the plain right ones."""
    namespace = dict(vars(plain))
    exec(compile(source, f"<{function}>", "exec"), namespace)
    return namespace[function]  # type: ignore[no-any-return]


def mutants(function: str) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Versions of the plain right function with one operator or one name changed."""
    source = zoo.source_of(function)
    exchanges = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Pow: ast.Mult, ast.Div: ast.Mult}
    nodes = list(ast.walk(ast.parse(source)))
    names = sorted({n.id for n in nodes if isinstance(n, ast.Name)} & ARRAYS)
    for k, node in enumerate(nodes):
        changes: list[tuple[str, Any]] = []
        if isinstance(node, ast.BinOp) and type(node.op) in exchanges:
            changes.append(("op", exchanges[type(node.op)]()))
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in names:
            changes += [("id", name) for name in names if name != node.id]
        for field, value in changes:
            tree = ast.parse(source)
            setattr(list(ast.walk(tree))[k], field, value)
            text = ast.unparse(tree)
            yield text, build(function, text)


def singles(check: Check, seeds: range) -> dict[str, Counter[str]]:
    """Known mistake -> how often it got which name."""
    return {
        mistake.id: Counter(str(ask(check, mistake.function, seed)[1]) for seed in seeds)
        for mistake in check.misconceptions
    }


def named_mutants(check: Check, seed: int) -> dict[str, int]:
    """Mutants by what is said of them."""
    known = {mistake.id: mistake for mistake in check.misconceptions}
    counts: Counter[str] = Counter()
    for _, function in mutants(check.function):
        counts[_outcome(check, function, seed, known, set(known))] += 1
    return dict(counts)


def named_pairs(check: Check, seed: int) -> dict[str, int]:
    """Pairs of mistakes in one function by what is said of them."""
    bugs = [bug for bug in zoo.BUGS if bug.function == check.function]
    known = {mistake.id: mistake for mistake in check.misconceptions}
    counts: Counter[str] = Counter()
    for one, two in combinations(bugs, 2):
        if {change.right for change in one.changes} & {change.right for change in two.changes}:
            continue  # both change the same line
        function = build(check.function, zoo.source_of(check.function, (*one.changes, *two.changes)))
        counts[_outcome(check, function, seed, known, {one.id, two.id})] += 1
    return dict(counts)


def _outcome(
    check: Check, function: Callable[..., Any], seed: int, known: dict[str, Misconception], mine: set[str]
) -> str:
    status, name = ask(check, function, seed)
    if status is Status.PASSED:
        return (
            "right"  # the change shows in nothing that is compared: parts of the cache are asked for in another check
        )
    if name is None:
        return "raises" if status is Status.ERROR else "not recognised"
    true = same_numbers(check, function, known[name].function)
    if not true:
        return "named wrongly"
    return "named rightly" if name in mine else "the same numbers as another mistake"


def orders(check: Check) -> int:
    """Other orders of the gates that are found as conventions under their own names."""
    prefix = "order_" if check.function == "lstm_step" else "back_order_"
    mine = [m for m in check.misconceptions if m.id.startswith(prefix) and len(m.id) == len(prefix) + 4]
    return sum(ask(check, m.function, OTHER_SEED) == (Status.CONVENTION, m.id) for m in mine)


def measure(seeds: range, checker_seeds: range) -> dict[str, Any]:
    """All of it, for the problem set lstm-bptt."""
    report: dict[str, Any] = {"single": {}, "orders": {}, "mutants": {}, "pairs": {}}
    for check in problem_set.load("lstm-bptt", ROOT).checks:
        began = time.monotonic()
        matrix = singles(check, checker_seeds if check.examine else seeds)
        report["single"][check.name] = {id: dict(row) for id, row in matrix.items()}
        if check.name in ("lstm_step", "lstm_step_backward"):
            report["orders"][check.name] = orders(check)
        if check.function in zoo.FUNCTIONS:
            report["mutants"][check.name] = named_mutants(check, OTHER_SEED + 1)
            report["pairs"][check.name] = named_pairs(check, OTHER_SEED + 2)
        print(f"{check.name}: {time.monotonic() - began:.0f} s", flush=True)
    cells = [(id, name, n) for rows in report["single"].values() for id, row in rows.items() for name, n in row.items()]
    total = sum(n for *_, n in cells)
    report["summary"] = {
        "single, asked": total,
        "single, named rightly": sum(n for id, name, n in cells if name == id) / total,
        "single, named wrongly": sum(n for id, name, n in cells if name not in (id, "None")) / total,
        "single, not recognised": sum(n for _, name, n in cells if name == "None") / total,
        **{kind: dict(sum(map(Counter, report[kind].values()), Counter())) for kind in ("mutants", "pairs")},
    }
    return report


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="draws of the inputs for each known mistake")
    parser.add_argument(
        "--checker-seeds", type=int, default=2, help="the same for gradient checkers, which take longer"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "naming.json")
    options = parser.parse_args()
    report = {"machine": machine("numpy"), **measure(range(options.seeds), range(options.checker_seeds))}
    for name, value in report["summary"].items():
        print(f"{name}: {value:.2%}" if isinstance(value, float) else f"{name}: {value}")
    print("orders found as conventions, of 23:", report["orders"])
    options.out.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
