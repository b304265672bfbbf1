"""How often is a mistake named, and rightly? Run by `make bench-naming`.

Every check of a problem set is put to wrong functions, without a sandbox: the judge compares in the
same way.

single      every known mistake, on several draws of the inputs: named as itself, as another, or not recognised
orders      the 23 other orders of the four gates, forward and backward: each found as that order
mutants     functions with one operator, name or number changed by a machine, a line left out, or two lines exchanged. Such a one
            is nobody's known mistake unless its numbers are the same on other inputs, too; only
            then its name is right
pairs       two mistakes of the zoo in one function. None is a known one: a name is right where one of the two does not show
"""

from __future__ import annotations

import argparse
import ast
import json
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from autograder.judge import problem_set
from benchmarks.machine import machine
from lstm_ref import zoo
from lstm_ref.practice import lstm_torch
from lstm_ref.zoo import plain
from verdict import Check, Status, StudentError, classify, examine, tensors
from verdict.compare import copy_tree, read, relative_error

ROOT = Path(__file__).parents[1]
SETS = ("lstm-bptt", "lstm-torch")
# Names that a machine may put in each other's place. Not those of lists: one that holds itself is
# compared without an end.
ARRAYS = {
    *"ifgoch",
    *"c_prev h_prev a_i a_f a_g a_o dc dh di df dg do da dh_t dh_next dc_next dx_t dWx dWh db".split(),
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

    @property
    def bugs(self) -> list[zoo.Bug]:
        """What the zoo knows about the function that is written, in the framework of the check."""
        bugs = zoo.BUGS if self.check.arrays == "numpy" else zoo.PYTORCH
        return [bug for bug in bugs if bug.function == self.written]

    def source(self, changes: Sequence[zoo.Change] = ()) -> str:
        """The plain right function, with some lines changed."""
        return zoo.source_of(self.written, changes, self.check.arrays)

    def build(self, source: str) -> Callable[..., Any]:
        """What the check calls, where the student has written this; the rest is right."""
        code = compile(source, f"<{self.written}>", "exec")
        namespace: dict[str, Any] = {}
        if self.check.arrays == "numpy":
            namespace.update(vars(plain))
            exec(code, namespace)
            return namespace[self.check.function]  # type: ignore[no-any-return]
        exec(TORCH_IMPORTS + lstm_torch.RIGHT.code, namespace)
        exec(code, namespace)
        return lambda *arguments: tensors.to_arrays(
            namespace[self.check.function](*tensors.from_arrays(arguments, self.check.arrays))
        )


def questions(name: str) -> list[Question]:
    """All questions of a problem set, each after those that it needs."""
    found: dict[str, Question] = {}
    for check in problem_set.load(name, ROOT).in_order_of_need():
        written = "lstm_cell" if check.name == "cell_gradients" else check.name
        found[check.name] = Question(check, written, tuple(found[need] for need in check.needs))
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
    assert check.cases is not None
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
        if any(
            not relative_error(a[k].ravel(), b[k].ravel()) <= max(1e-6, check.tolerance) for k in a
        ):
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
    # A mistake in another order of the gates has the id of the mistake.
    candidates = [
        mistake for group in check.known_mistakes() for mistake in group if mistake.id == name
    ]
    if not any(same_numbers(check, function, mistake.function) for mistake in candidates):
        return "named wrongly"
    return (
        "named rightly" if mine is None or name in mine else "the same numbers as another mistake"
    )


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
        if question.bugs and kept is None:
            report["mutants"][check.name] = named_mutants(question, OTHER_SEED + 1)
            # The numbers of lstm_cell go wrong as those of lstm_step do; what PyTorch adds shows in
            # its gradients only.
            if check.name != "lstm_cell":
                report["pairs"][check.name] = named_pairs(question, OTHER_SEED + 2)
        print(f"{check.name}: {time.monotonic() - began:.0f} s", flush=True)
    cells = [
        (id, name, n)
        for rows in report["single"].values()
        for id, row in rows.items()
        for name, n in row.items()
    ]
    total = sum(n for *_, n in cells)
    report["summary"] = {
        "single, asked": total,
        "single, named rightly": sum(n for id, name, n in cells if name == id) / total,
        "single, named wrongly": sum(n for id, name, n in cells if name not in (id, "None"))
        / total,
        "single, not recognised": sum(n for _, name, n in cells if name == "None") / total,
        **{
            kind: dict(sum(map(Counter, report[kind].values()), Counter()))
            for kind in ("mutants", "pairs")
        },
    }
    return report


def main() -> None:
    """Measure, print, write."""
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
    options = parser.parse_args()
    report: dict[str, Any] = {"machine": machine("numpy", "torch")}
    before = json.loads(options.out.read_text(encoding="utf-8")) if options.single else {}
    earlier = before.get("machine", report["machine"])["date"]
    report["mutants and pairs of"] = before.get("mutants and pairs of", earlier)
    for name in SETS:
        report[name] = measure(
            name, range(options.seeds), range(options.checker_seeds), before.get(name)
        )
        for what, value in report[name]["summary"].items():
            print(f"{what}: {value:.2%}" if isinstance(value, float) else f"{what}: {value}")
        print("orders found as conventions, of 23:", report[name]["orders"])
    options.out.write_text(
        json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
