"""Python files as modules: load one from a path, and read what it imports without running it."""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType


def load_module(name: str, source: Path) -> ModuleType:
    """Run a Python file as a module, which then stands in ``sys.modules`` under the name.

    Raises
    ------
    Exception : whatever the file raises; then it does not stand there
    """
    spec = importlib.util.spec_from_file_location(name, source)
    assert spec is not None and spec.loader is not None, f"{source} is no Python file"
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their own module up there
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def imported(code: str | bytes, inside_functions: bool = True) -> Iterator[str]:
    """Full names of the modules that some code imports, and of objects in them, which may be
    modules.

    Imports that only a type checker reads do not count.

    Parameters
    ----------
    code : source text
    inside_functions : whether an import in a function counts

    >>> sorted(imported("import a.b; from c import d; from . import e"))
    ['a.b', 'c', 'c.d']
    """
    waiting: list[ast.AST] = [ast.parse(code)]
    while waiting:
        node = waiting.pop()
        if (
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            and not inside_functions
        ):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        waiting += ast.iter_child_nodes(node)
