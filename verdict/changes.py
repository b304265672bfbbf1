"""How many lines of given code a student changed, where a fault is to be mended and not the whole
to be written anew.

Code is compared statement by statement, each as Python itself would write it: comments, blank
lines, line breaks, spaces, brackets that mean nothing, docstrings, type hints and indentation do
not count. What a function of the student's own does for the mended one counts as added; one that
the given function calls, too, and that is as it was given, does not.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from verdict.check import Check, Mend, Status, Verdict

TOO_MANY = "too_many_changes"  # id, in records, of a mend that goes beyond what may change
TITLE = "It changes more lines of the given code than the task allows."
MOST_CODE = 200_000  # characters of a cell that is read; a long function has five thousand
MOST_LINES = 1000  # of a mend that are compared one by one
MOST_HELPERS = 50  # functions of the student's own that are followed
MOST_QUOTED = 6  # changed lines that a message quotes
WIDTH = 60  # characters of each


@dataclass(frozen=True)
class Line:
    """One statement, or the head of one, as Python writes it; ``number`` is its line in the cell
    that it stands in.
    """

    text: str
    number: int


@dataclass(frozen=True)
class Changes:
    """What is different: how many lines, and at most `MOST_QUOTED` of those lines in words."""

    number: int
    shown: tuple[str, ...]


def mended(check: Check) -> str:
    """Name of the function in which a check's fault is to be mended."""
    return (check.mend.function if check.mend else "") or check.function


def changes(
    check: Check,
    checks: Sequence[Check],
    given: Sequence[str],
    own: Sequence[str],
    written: Sequence[str] = (),
) -> Changes | None:
    """What a student changed of a given function.

    Parameters
    ----------
    check : with a mend
    checks : of the problem set; what the student wrote for another one is not counted in this one
    given : sources of the cells in which the given function is found
    own : sources of the student's cells, in the order in which they ran
    written : texts of the modules that they write

    Returns
    -------
    None where one of the two is in no cell that can be read
    """
    mend, function = check.mend, mended(check)
    assert mend is not None, f"check {check.name} has no mend"
    before = _definition(mend.given or function, given)
    after = _definition(function, own)
    if before is None or after is None:
        return None
    others = {name for one in checks for name in (one.asked, mended(one))}
    left_alone = {function, mend.given, *mend.uses, *others}
    unchanged = {ast.dump(helper) for helper in _helpers(before, given, left_alone)}
    helpers = [
        node
        for node in _helpers(after, own, left_alone, written)
        if ast.dump(node) not in unchanged
    ]
    for node in (before, after):  # the mend has a name of its own
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.name = "_"
    new = [line for node in (after, *helpers) for line in _lines(node)]
    return _different(list(_lines(before)), new)


def capped(verdict: Verdict, mend: Mend, found: Changes | None) -> Verdict:
    """The verdict on a mend, with less credit where too much was changed.

    Parameters
    ----------
    verdict : on what the function gives
    mend : what may change
    found : what did; None where the function's text is in no cell, so that nobody can tell
    """
    if not verdict.credit or (found is not None and found.number <= mend.most):
        return verdict
    rest = f"{round(100 * mend.credit):d} % of the points are" if mend.credit else "No points are"
    if found is None:
        said = (
            "The text of the function is in no cell, so that nobody can tell how much of the given "
            f"code was changed. Write it into a cell with def. {rest} given for it as it is."
        )
    else:
        said = (
            f"{found.number} lines differ from the code that was given, and at most {mend.most} "
            f"may: {'; '.join(found.shown)}. {rest} given for it. Begin with what was given, and "
            "change only what is sick; comments, blank lines and layout do not count."
        )
    right = verdict.status is Status.PASSED
    return replace(
        verdict,
        status=Status.FORBIDDEN if right else verdict.status,
        message=f"{'What it gives is right.' if right else verdict.message} {said}",
        credit=verdict.credit * mend.credit,
        uncharged=verdict.uncharged * mend.credit,
        misconception=TOO_MANY if right else verdict.misconception,
    )


def _definition(name: str, cells: Sequence[str]) -> ast.stmt | None:
    """The last statement of some cells that binds a name outside of functions; None where there is
    none that can be read.
    """
    word = re.compile(rf"\b{re.escape(name)}\b")
    for source in reversed(cells):
        if len(source) > MOST_CODE or not word.search(source):
            continue
        bound = [node for node in _outer(_parsed(source)) if name in _bound(node)]
        if bound:
            return bound[-1]
    return None


def _parsed(source: str) -> list[ast.stmt]:
    try:
        return ast.parse(textwrap.dedent(source)).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []


def _outer(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that run with their cell, in order: also those within if, try, with and loops."""
    waiting = list(reversed(body))
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inner = [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)]
            for part in getattr(node, "handlers", []):
                inner += part.body
            waiting += reversed(inner)


def _bound(node: ast.stmt) -> set[str]:
    """Names that a statement binds, but for imports: these bring no code of the student's."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return {
        part.id
        for target in targets
        if target is not None
        for part in ast.walk(target)
        if isinstance(part, ast.Name)
    }


def _names_in(node: ast.stmt) -> dict[str, None]:
    """Names in a statement, each once, in order."""
    return dict.fromkeys(part.id for part in ast.walk(node) if isinstance(part, ast.Name))


def _text_run_with(name: str, cells: Sequence[str]) -> Iterator[ast.stmt]:
    """Statements outside of functions that run a text in which, or with which, a name may be made:
    what a mend calls may come from there.
    """
    for source in cells:
        for node in _outer(_parsed(source)) if "exec" in source and name in source else ():
            if isinstance(node, ast.Expr | ast.Assign) and {"exec", name} <= _names_in(node).keys():
                yield node


def _helpers(
    node: ast.stmt,
    cells: Sequence[str],
    left_alone: Collection[str],
    written: Sequence[str] = (),
) -> Iterator[ast.stmt]:
    """What the student wrote elsewhere and a function uses, and what that uses, and so on."""
    seen, waiting = set(left_alone), [node]
    found = 0
    while waiting and found < MOST_HELPERS:
        now = waiting.pop()
        names = _names_in(now)
        # of a module that the student wrote, where it is not imported by name
        dotted = (part.attr for part in ast.walk(now) if isinstance(part, ast.Attribute))
        for name in names | dict.fromkeys(dotted if written else ()):
            if name in seen:
                continue
            seen.add(name)
            helper = _definition(name, cells) if name in names else None
            helper = helper if helper is not None else _definition(name, written)
            if helper is not None:
                more = [helper, *_text_run_with(name, cells)]
                found += len(more)
                waiting += more
                yield from more


class _Bare(ast.NodeTransformer):
    """Takes docstrings and type hints out of functions and classes."""

    def visit(self, node: ast.AST) -> ast.AST:
        """The node, and all in it."""
        if isinstance(node, ast.arg):
            node.annotation = None
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:] or [ast.Pass(lineno=first.lineno, col_offset=0)]
        return self.generic_visit(node)


def _lines(node: ast.stmt) -> Iterator[Line]:
    """Lines of a statement as Python writes them, without docstrings and type hints."""
    try:
        bare = _Bare().visit(node)
        text = ast.unparse(bare)
        # Written and read again, it has the same statements in the same order.
        pairs = zip(_statements(ast.parse(text)), _statements(bare), strict=True)
        numbers = {new.lineno: old.lineno for new, old in pairs}
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        yield Line("code that cannot be compared", node.lineno)
        return
    number = node.lineno
    for k, line in enumerate(text.splitlines(), start=1):
        number = numbers.get(k, number)
        yield Line(line.strip(), number)
    # What stands in a text may be code that is run; a text that nothing is done with is a remark.
    remarks = {id(part.value) for part in ast.walk(bare) if isinstance(part, ast.Expr)}
    for part in ast.walk(bare):
        if (
            isinstance(part, ast.Constant)
            and isinstance(part.value, str)
            and id(part) not in remarks
        ):
            yield from (Line(t.strip(), part.lineno) for t in part.value.split("\n")[1:])


def _statements(node: ast.AST) -> list[ast.stmt]:
    return [part for part in ast.walk(node) if isinstance(part, ast.stmt)]


def _different(old: Sequence[Line], new: Sequence[Line]) -> Changes:
    if len(new) > MOST_LINES:
        return Changes(len(new), (f"{len(new)} lines stand there",))
    before, after = [line.text for line in old], [line.text for line in new]
    number, shown = 0, []
    for what, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if what == "equal":
            continue
        number += max(b - a, d - c)
        shown += [f"line {line.number}: {_short(line.text)}" for line in new[c:d]]
        shown += [f"left out: {_short(line.text)}" for line in old[a + d - c : b]]
    more = [f"and {len(shown) - MOST_QUOTED} more"] if len(shown) > MOST_QUOTED else []
    return Changes(number, (*shown[:MOST_QUOTED], *more))


def _short(text: str) -> str:
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 4]} ..."
