"""Which names a student's function uses, read from the statements of the notebook without running them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

from autograder.session import Statement

USUAL = {"np": "numpy", "plt": "matplotlib.pyplot", "tf": "tensorflow"}

MAX_READ = 100_000  # names, with every way to spell them; a long notebook has a few thousand
TOO_MANY = "more names than are read"

# What can stand for any name: nobody can tell by reading what is used through it.
LOOKS_UP = (
    "getattr",
    "__import__",
    "importlib",
    "eval",
    "exec",
    "compile",
    "globals",
    "vars",
    "builtins",
    "sys.modules",
    "pickle",
    "pkgutil.resolve_name",
    "operator.attrgetter",
    "operator.methodcaller",
    TOO_MANY,
)

# By what code reaches into the program that runs it, or leaves it. No task needs them; each also has honest uses.
REACHES_IN = (
    "ctypes",
    "gc.get_objects",
    "gc.get_referrers",
    "sys._getframe",
    "sys.settrace",
    "sys.setprofile",
    "inspect.currentframe",
    "inspect.stack",
    "os.fork",
    "os.kill",
    "torch.library",
)


def named(names: Iterable[str], used: Collection[str]) -> list[str]:
    """Those of the names that are used; ``np.gradient`` is also found as ``numpy.gradient``.

    >>> named(("np.gradient", "torch"), {"numpy", "numpy.gradient"})
    ['np.gradient']
    """
    found = []
    for name in names:
        head, _, rest = name.partition(".")
        if name in used or ".".join(filter(None, (USUAL.get(head, head), rest))) in used:
            found.append(name)
    return found


def reached(statements: Iterable[Statement], function: str) -> set[str]:
    """Names that a function uses, and that what it uses of the notebook uses, dotted and with each import spelled out.

    A statement belongs to a name when it binds it, or puts something into what stands behind it. What is made up only while
    the code runs is not found: `LOOKS_UP` are the usual ways. Of code that is made to take for ever, not all is read; then
    `TOO_MANY` is among the names.
    """
    behind: dict[str, list[Statement]] = defaultdict(list)
    full: dict[str, set[str]] = defaultdict(set)
    for statement in statements:
        for name in {*statement.binds, *(local for local, _ in statement.aliases)}:
            behind[name].append(statement)
        for local, dotted in statement.aliases:
            if dotted and dotted != local:
                full[local].add(dotted)
    used: set[str] = set()
    todo, done = [function], set()
    while todo:
        name = todo.pop()
        if name in done:
            continue
        done.add(name)
        for statement in behind[name]:
            for use in statement.uses:
                used |= _spellings(use, full)
                if len(used) > MAX_READ:
                    return used | {TOO_MANY}
            todo += statement.asks
    return {".".join(use.split(".")[:k]) for use in used for k in range(1, use.count(".") + 2)}


def _spellings(name: str, full: dict[str, set[str]]) -> set[str]:
    """The name, and what it is where its first part is an alias: ``torch.nn.LSTM`` of ``nn.LSTM``."""
    found: set[str] = set()
    todo = [name]
    while todo and len(found) < 100:
        spelled = todo.pop()
        if spelled in found:
            continue
        found.add(spelled)
        head, _, rest = spelled.partition(".")
        todo += [".".join(filter(None, (dotted, rest))) for dotted in full.get(head, ())]
        if spelled == name:  # from torch.nn import *
            todo += [f"{dotted[:-1]}{name}" for dotted in full.get("*", ())]
    return found
