"""Which names a notebook uses, read from its code without running it."""

from __future__ import annotations

from collections.abc import Collection, Iterable

USUAL = {"np": "numpy", "plt": "matplotlib.pyplot", "tf": "tensorflow"}

# By what code reaches into the program that runs it, or leaves it. No task needs them; each also
# has honest uses.
INTROSPECTION = (
    "ctypes",
    "gc.get_objects",
    "gc.get_referrers",
    "gc.get_referents",
    "sys.addaudithook",
    "sys._getframe",
    "sys.settrace",
    "sys.setprofile",
    "inspect.currentframe",
    "inspect.stack",
    "os.fork",
    "os.kill",
    "torch.utils._python_dispatch",
    "torch.autograd.graph",
)
# Attributes of a library that a right solution may set: settings, and names that NumPy has removed.
LIBRARY_SETTINGS = ("torch.backends", "numpy.float", "numpy.int", "numpy.bool", "numpy.object")
# What autograd keeps of an operation, as in ``h.grad_fn._saved_self``, and how it is found: the
# numbers within a library's function.
KEPT_BY_AUTOGRAD = ("_saved_", "next_functions")


def introspection(used: Collection[str]) -> list[str]:
    """What of these names reaches into the program that runs them, or into a library's functions.

    >>> introspection({"os", "os.fork", "h.grad_fn", "h.grad_fn._saved_self"})
    ['os.fork', 'h.grad_fn._saved_self']
    """
    kept = (name for name in used if name.rpartition(".")[2].startswith(KEPT_BY_AUTOGRAD))
    return [*named(INTROSPECTION, used), *sorted(kept)[:3]]


def replaced(packages: Iterable[str], used: Collection[str]) -> list[str]:
    """Which attributes of these packages the code gives another value: a function that is given,
    and calls them, then computes something else.

    >>> replaced(("numpy", "torch"), {"torch.autograd.grad=", "model.weight=", "np.float="})
    ['torch.autograd.grad']
    """
    whole = set()
    for name in used:
        head, _, rest = name.removesuffix("=").partition(".")
        if name.endswith("=") and (package := USUAL.get(head, head)) in packages:
            whole.add(f"{package}.{rest}")
    return sorted(name for name in whole if not f"{name}.".startswith(_WITHIN))


_WITHIN = tuple(f"{name}." for name in LIBRARY_SETTINGS)


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
