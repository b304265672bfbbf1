"""Which names that a task rules out a function uses, with all functions of the student's that it
calls.
"""

from __future__ import annotations

import dis
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from types import CodeType, FunctionType
from typing import Any

USUAL = {"np": "numpy", "plt": "matplotlib.pyplot", "tf": "tensorflow"}
MAX_FUNCTIONS = 500


def ruled_out(names: Iterable[str], function: Any, namespace: Mapping[str, Any]) -> list[str]:
    """Those of the names that a function uses; ``np.gradient`` is also found as
    ``from numpy import gradient``.

    As in the judge, this is a reminder and no wall: code can make a name up while it runs.

    Parameters
    ----------
    names : dotted, as in ``Check.forbids``
    function : of the student's
    namespace : name -> value, such as a notebook's globals
    """
    if not (names := tuple(names)):
        return []
    used = {full for code in _codes(function, namespace) for full in _full_names(code, namespace)}
    return [name for name in names if any(_is_within(full, _spelled_out(name)) for full in used)]


def _spelled_out(name: str) -> str:
    head, _, rest = name.partition(".")
    return ".".join(filter(None, (USUAL.get(head, head), rest)))


def _is_within(full: str, name: str) -> bool:
    return full == name or full.startswith(f"{name}.")


def _codes(function: Any, namespace: Mapping[str, Any]) -> Iterator[CodeType]:
    """Code of a function, and of those of the same namespace that it names, and so on."""
    waiting, seen = [function], set[int]()
    while waiting and len(seen) < MAX_FUNCTIONS:
        code = getattr(waiting.pop(), "__code__", None)
        if not isinstance(code, CodeType) or id(code) in seen:
            continue
        inner = [code]
        while inner:
            yield (one := inner.pop())
            seen.add(id(one))
            inner += [constant for constant in one.co_consts if isinstance(constant, CodeType)]
            named = (namespace.get(name) for name in one.co_names)
            waiting += [value for value in named if isinstance(value, FunctionType)]


def _full_names(code: CodeType, namespace: Mapping[str, Any]) -> Iterator[str]:
    """Names that code reads, from the module on: ``np.gradient`` gives numpy.gradient."""
    so_far = ""
    for step in dis.get_instructions(code):
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            so_far = _origin(str(step.argval), namespace.get(str(step.argval)))
        elif step.opname in ("LOAD_ATTR", "LOAD_METHOD", "IMPORT_FROM") and so_far:
            so_far = f"{so_far}.{step.argval}"
        elif step.opname == "IMPORT_NAME":
            so_far = str(step.argval)
        elif step.opname not in ("STORE_FAST", "STORE_NAME", "CACHE"):
            so_far = ""
        if so_far:
            yield so_far


def _origin(name: str, value: Any) -> str:
    """Full name of what a global name stands for, where that is a module or comes from one that has
    it.
    """
    full = getattr(value, "__name__", "")
    module = getattr(value, "__module__", "") or ""
    if isinstance(value, type(dis)):
        return str(full)
    if module and full and getattr(_module(module), full, None) is value:
        # numpy.lib._function_base_impl.gradient is known as numpy.gradient
        public = module.partition(".")[0]
        return (
            f"{public}.{full}"
            if getattr(_module(public), full, None) is value
            else f"{module}.{full}"
        )
    return name


def _module(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        return None
