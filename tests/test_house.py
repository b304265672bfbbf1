"""Who may import whom, what `import lstm_ref` needs, and that only one module puts gates into another order."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import jupytext
import pytest
from IPython.core.inputtransformer2 import TransformerManager

ROOT = Path(__file__).parents[1]
HOUSE = {"lstm_ref", "verdict", "autograder", "solutions", "exercises", "tests"}

# Where -> what of this house its code may import. The first pattern that fits a file decides.
MAY_IMPORT = {
    "lstm_ref/**/*.py": {"lstm_ref", "verdict"},
    "verdict/**/*.py": {"verdict"},
    "autograder/**/*.py": {"autograder", "verdict"},
    "solutions/*/checks.py": {"lstm_ref", "verdict"},
    "solutions/**/*.py": {"lstm_ref", "verdict", "autograder"},  # the simulated class says what is handed in
    "solutions/**/*.md": {"lstm_ref"},
    "exercises/**/*.ipynb": {"lstm_ref"},
    "book/**/*.md": {"lstm_ref"},
    "book/**/*.py": {"lstm_ref"},
}
# The zoo is a collection of mistakes, and another gate order is one of them.
MAY_REORDER = ("lstm_ref/convert.py", "lstm_ref/zoo/")


def code_of(path):
    """The Python code of a module, or of all code cells of a page or notebook, with IPython's own syntax translated."""
    if path.suffix == ".py":
        return path.read_text(encoding="utf-8")
    fmt = "md:myst" if path.suffix == ".md" else None  # a page without code need not say that it is one
    cells = [cell.source for cell in jupytext.read(path, fmt=fmt).cells if cell.cell_type == "code"]
    return "\n".join(TransformerManager().transform_cell(cell) for cell in cells)


def house_imports(code):
    """The packages of this house that the code imports, at its top or anywhere else."""
    found = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(node.module)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            found |= {arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)}
    return {name.split(".")[0] for name in found} & HOUSE


def other_gate_orders(code, page=False):
    """What takes the four blocks apart, or lists them, in another order than i, f, g, o (or i, f, c, o: c is Keras's g).

    A page may say what the order of others is: there, only taking apart counts.
    """
    found = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple) and isinstance(node.value, ast.Call):
            names = [ast.unparse(name) for name in node.targets[0].elts]
        elif page:
            continue
        elif isinstance(node, ast.Tuple | ast.List) and all(isinstance(part, ast.Constant) for part in node.elts):
            names = [str(part.value) for part in node.elts]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names = list(node.value)
        else:
            continue
        letters = "".join(name[-1:] for name in names)
        if (
            len(letters) == 4
            and sorted(letters) in (sorted("ifgo"), sorted("ifco"))
            and letters not in ("ifgo", "ifco")
        ):
            found.append(f"line {node.lineno}: {ast.unparse(node)}")
    return found


def files(pattern):
    """Files that fit the pattern and no earlier one."""
    earlier = list(MAY_IMPORT)[: list(MAY_IMPORT).index(pattern)]
    taken = {path for other in earlier for path in ROOT.glob(other)}
    return sorted(path for path in ROOT.glob(pattern) if path not in taken and ".ipynb_checkpoints" not in path.parts)


@pytest.mark.parametrize("pattern", MAY_IMPORT)
def test_code_imports_only_what_its_place_may(pattern):
    found = files(pattern)
    assert found, f"no file fits {pattern}: has the house been rebuilt?"
    for path in found:
        forbidden = house_imports(code_of(path)) - MAY_IMPORT[pattern]
        assert not forbidden, f"{path.relative_to(ROOT)} imports {', '.join(sorted(forbidden))}"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import numpy as np\nfrom . import x", set()),
        ("import autograder.judge", {"autograder"}),
        ("def f():\n    from verdict import Check", {"verdict"}),
        ("import importlib\nimportlib.import_module('solutions.checks')", {"solutions"}),
    ],
)
def test_imports_are_found_wherever_they_stand(code, expected):
    assert house_imports(code) == expected


def test_gates_are_put_into_another_order_in_one_module_only():
    for pattern in MAY_IMPORT:
        for path in files(pattern):
            name = path.relative_to(ROOT).as_posix()
            if not name.startswith(MAY_REORDER):
                found = other_gate_orders(code_of(path), page=pattern.startswith("book/"))
                assert not found, f"{name}: use lstm_ref.convert"


@pytest.mark.parametrize(
    ("code", "finds"),
    [
        ("a_i, a_f, a_g, a_o = np.split(a, 4, axis=1)", 0),
        ("i, f, o = sigmoid(a_i), sigmoid(a_f), sigmoid(a_o)", 0),
        ("a_i, a_f, a_o, a_g = np.split(a, 4, axis=1)", 1),
        ("i, o, f, c = tf.split(z, 4, axis=1)", 1),
        ("ORDER = 'iofc'", 1),
        ("for gate in ('f', 'i', 'g', 'o'): pass", 1),
        ("BLOCKS = ['i', 'f', 'g', 'o']", 0),
    ],
)
def test_another_gate_order_is_found(code, finds):
    assert len(other_gate_orders(code)) == finds


def test_page_may_name_another_order_and_not_use_it():
    assert not other_gate_orders("assert orders['onnx'] == 'iofg'", page=True)
    assert other_gate_orders("i, o, f, g = np.split(a, 4)", page=True)


@pytest.mark.parametrize("package", ["lstm_ref", "verdict"])
def test_import_needs_numpy_only(package):
    code = (
        "import json, sys; before = set(sys.modules); "
        f"import {package}; print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    modules = json.loads(run.stdout)
    foreign = {name.split(".")[0] for name in modules} - sys.stdlib_module_names - {package}
    # NumPy's own start looks for these, and Cython leaves its runtime behind.
    assert {name for name in foreign if not name.startswith("_") and "cython" not in name} == {"numpy"}
    heavy = (
        "lstm_ref.data",
        "lstm_ref.inspect",
        "lstm_ref.practice",
        "lstm_ref.zoo",
        "lstm_ref.torch_twin",
        "lstm_ref.keras_twin",
    )
    assert not [name for name in modules if name.startswith(heavy)]


def test_all_that_the_reference_offers_is_there_and_has_a_docstring():
    import lstm_ref

    assert len(set(lstm_ref.__all__)) == len(lstm_ref.__all__)
    for name in lstm_ref.__all__:
        assert name == "DIALECTS" or getattr(lstm_ref, name).__doc__
