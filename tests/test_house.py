"""Who may import whom, what `import lstm_ref` needs, and that only one module puts gates into
another order.
"""

import ast
import importlib.util
import json
import re
import subprocess
import sys
import tomllib
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
    # the simulated class says what is handed in
    "solutions/**/*.py": {"lstm_ref", "verdict", "autograder"},
    "solutions/**/*.md": {"lstm_ref"},
    "exercises/**/*.ipynb": {"lstm_ref"},
    "book/**/*.md": {"lstm_ref"},
    "book/**/*.py": {"lstm_ref"},
}
# What pages and exercises may import: lstm_ref itself and these. The folders behind them are
# private.
PUBLIC = {
    "torch", "keras", "speed", "convert", "init", "optim", "losses", "metrics", "gradcheck",
    "checks", "data", "inspect",
    "train", "doctor", "clinic", "practice", "zoo",
}  # fmt: skip
# Names that stand in two modules of a package and mean the same in both. A command is called as
# what it does.
SAME = {
    "main", "serve", "clean_up",  # in programs, and in what leaves something behind
    "_remedy", "_options",  # of bubblewrap, and of podman and docker
}  # fmt: skip
SAME_IN_REFERENCE = {
    "text",  # of a data set that is one text
    "keras_lstm", "keras_gru",  # overloads for a type checker
}  # fmt: skip
# The same of constants and aliases of types.
SAME_CONSTANTS = {
    "__all__", "Array",
    "INSTALL",  # how to get bubblewrap, and podman or docker
    "PR_SET_DUMPABLE",  # Linux's; a worker imports nothing of ours before it is in its box
}  # fmt: skip
SAME_CONSTANTS_IN_REFERENCE = {
    "Array", "Arrays", "Params", "Ids", "Words",
    "COMMIT", "RATE",  # of a data set: the version that is fetched; samples a second
    "LIMIT",  # numbers that a page may carry for a widget
}  # fmt: skip
COMMANDS = "autograder/cli/commands.py"
# Folders of lstm_ref whose functions are found by what they are about, one module each: a program
# of the zoo, a measurement, a rule of the doctor, the functions that an exercise asks for.
COLLECTIONS = ("zoo", "clinic", "doctor", "practice")
# Longer than 40 lines, and why each is clearer in one piece.
LONG = {
    # the equations of one pass, as the pages show them
    "lstm_ref/sequence.py: lstm_forward",
    "lstm_ref/sequence.py: lstm_backward",
    # programs of the zoo, read from top to bottom
    "lstm_ref/zoo/programs/torch_loop.py: program",
    "lstm_ref/zoo/programs/torch_language.py: program",
    # what happens to a cluster, in the order in which it happens
    "benchmarks/cluster.py: breakdown",
}
ADDRESS = re.compile(r"https?://\S+$")
# The zoo is a collection of mistakes, and another gate order is one of them.
MAY_REORDER = ("lstm_ref/frameworks/convert.py", "lstm_ref/zoo/")


def code_of(path):
    """The Python code of a module, or of all code cells of a page or notebook, with IPython's own
    syntax translated.
    """
    if path.suffix == ".py":
        return path.read_text(encoding="utf-8")
    # a page without code need not say that it is one
    fmt = "md:myst" if path.suffix == ".md" else None
    cells = [cell.source for cell in jupytext.read(path, fmt=fmt).cells if cell.cell_type == "code"]
    return "\n".join(TransformerManager().transform_cell(cell) for cell in cells)


def modules_imported(code):
    """Names of the modules that the code imports, at its top or anywhere else."""
    found = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(node.module)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(
            ("import_module", "__import__")
        ):
            found |= {
                arg.value
                for arg in node.args
                if isinstance(arg, ast.Constant) and isinstance(arg.value, str)
            }
    return found


def house_imports(code):
    """The packages of this house that the code imports."""
    return {name.split(".")[0] for name in modules_imported(code)} & HOUSE


def private_imports(code):
    """Modules of lstm_ref that the code imports and that are not public."""
    modules = {name for name in modules_imported(code) if name.startswith("lstm_ref.")}
    return {name for name in modules if name.split(".")[1] not in PUBLIC}


def other_gate_orders(code, page=False):
    """What takes the four blocks apart, or lists them, in another order than i, f, g, o (or i, f,
    c, o: c is Keras's g).

    A page may say what the order of others is: there, only taking apart counts.
    """
    found = []
    for node in ast.walk(ast.parse(code)):
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Tuple)
            and isinstance(node.value, ast.Call)
        ):
            names = [ast.unparse(name) for name in node.targets[0].elts]
        elif page:
            continue
        elif isinstance(node, ast.Tuple | ast.List) and all(
            isinstance(part, ast.Constant) for part in node.elts
        ):
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
    return sorted(
        path
        for path in ROOT.glob(pattern)
        if path not in taken and ".ipynb_checkpoints" not in path.parts
    )


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
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    modules = json.loads(run.stdout)
    foreign = {name.split(".")[0] for name in modules} - sys.stdlib_module_names - {package}
    # NumPy's own start looks for these, and Cython leaves its runtime behind.
    assert {name for name in foreign if not name.startswith("_") and "cython" not in name} == {
        "numpy"
    }
    heavy = (
        "lstm_ref.data",
        "lstm_ref.inspect",
        "lstm_ref.practice",
        "lstm_ref.zoo",
        "lstm_ref.frameworks.torch",
        "lstm_ref.frameworks.keras",
    )
    assert not [name for name in modules if name.startswith(heavy)]


def test_what_enters_the_sandbox_imports_nothing_else_of_the_house():
    allowed = {"numpy", "autograder.guest", "verdict.tensors", "verdict.table_parts"}
    shared = [ROOT / "verdict" / name for name in ("table_parts.py", "tensors.py")]
    for path in [*(ROOT / "autograder" / "guest").glob("*.py"), *shared]:
        for name in modules_imported(path.read_text(encoding="utf-8")):
            inside = name.split(".")[0] in sys.stdlib_module_names or name == "verdict"
            assert inside or name.startswith((*allowed, "torch", "tensorflow", "pandas")), (
                f"{path.name}: {name}"
            )


def test_pages_and_exercises_import_what_is_public():
    found = 0
    for pattern in ("book/**/*.md", "solutions/*/*.md", "exercises/**/*.ipynb"):
        for path in ROOT.glob(pattern):
            code = code_of(path)
            found += "lstm_ref" in code
            assert not private_imports(code), path.relative_to(ROOT)
    assert found > 10
    assert private_imports("from lstm_ref.frameworks.torch import torch_lstm") == {
        "lstm_ref.frameworks.torch"
    }
    assert private_imports("from lstm_ref.torch import torch_lstm\nimport lstm_ref") == set()


def test_pages_that_load_tensorflow_keep_its_lines_out_of_their_outputs():
    """What it writes to stderr depends on the processor, and a build with stderr in it fails."""
    wanted = (
        'os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"',
        'os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"',
    )
    found = 0
    for path in ROOT.glob("book/**/*.md"):
        if modules_imported(code := code_of(path)) & {"keras", "tensorflow", "lstm_ref.keras"}:
            # On PyTorch, Keras loads TensorFlow only to save or to read a model.
            if '"KERAS_BACKEND", "torch"' in code and "keras.saving" not in code:
                continue
            found += 1
            first = code.index("import keras")
            assert all(0 <= code.find(line) < first for line in wanted), path.relative_to(ROOT)
    assert found > 2


@pytest.mark.parametrize(
    ("code", "new"),
    [
        ("import lstm_ref.torch_twin", "lstm_ref.torch"),
        ("from lstm_ref import ladder", "lstm_ref.speed"),
        ("from lstm_ref.keras_twin import keras_lstm", "lstm_ref.keras"),
    ],
)
def test_an_old_name_of_a_module_tells_the_new_one(code, new):
    with pytest.raises(ImportError, match=f"import its functions from {new}$"):
        exec(code)


def test_every_old_name_tells_a_module_that_is_there():
    from lstm_ref.moved import MOVED

    for old, new in MOVED.items():
        assert importlib.util.find_spec(new)
        assert not (ROOT / "lstm_ref" / f"{old}.py").exists()


def test_all_that_the_reference_offers_is_there_and_has_a_docstring():
    import lstm_ref

    assert len(set(lstm_ref.__all__)) == len(lstm_ref.__all__)
    for name in lstm_ref.__all__:
        assert name == "DIALECTS" or getattr(lstm_ref, name).__doc__


def length(function):
    """Lines of a function after its docstring."""
    body = function.body[ast.get_docstring(function) is not None :]
    return function.end_lineno - body[0].lineno + 1 if body else 0


def functions_over(limit, code):
    """Names of the functions that are longer, inner ones and methods included."""
    functions = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.FunctionDef)]
    return {function.name for function in functions if length(function) > limit}


def long_lines(code):
    """Lines that pass 100 columns; one that ends with an address cannot be broken."""
    return [line for line in code.splitlines() if len(line) > 100 and not ADDRESS.search(line)]


def test_no_line_of_a_script_or_style_sheet_passes_100_columns():
    """ruff holds the same for Python, its only exceptions being addresses and its own remarks."""
    folders = ("book", "lstm_ref", "scripts")
    found = [
        path
        for folder in folders
        for kind in ("js", "css")
        for path in (ROOT / folder).rglob(f"*.{kind}")
    ]
    assert len(found) > 25
    for path in found:
        assert not long_lines(path.read_text(encoding="utf-8")), path.relative_to(ROOT)
    assert long_lines("a" * 100 + "\n" + "a" * 101) == ["a" * 101]
    assert not long_lines("# https://" + "a" * 100)


def test_ruff_lets_no_line_of_python_pass_100_columns():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]
    lint = settings["lint"]
    assert settings["line-length"] == 100 and "pycodestyle" not in lint and "E" in lint["select"]
    ignored = [lint["ignore"], *lint["per-file-ignores"].values()]
    assert not [rule for rules in ignored for rule in rules if rule.startswith("E")]


def test_no_function_is_longer_than_40_lines_but_those_named():
    found = set()
    for pattern in (
        "autograder/**/*.py",
        "verdict/**/*.py",
        "lstm_ref/**/*.py",
        "book/_ext/**/*.py",
        "scripts/*.py",
        "benchmarks/*.py",
    ):
        for path in ROOT.glob(pattern):
            names = functions_over(40, path.read_text(encoding="utf-8"))
            found |= {f"{path.relative_to(ROOT).as_posix()}: {name}" for name in names}
    assert found == LONG
    assert functions_over(2, 'def f():\n    """Doc."""\n    a = 1\n    b = 2\n    return a') == {
        "f"
    }


def defined_twice(paths, private):
    """Functions and classes at the top of more than one of the modules, and where."""
    where = {}
    for path in paths:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                if private or not node.name.startswith("_"):
                    where.setdefault(node.name, []).append(path.relative_to(ROOT).as_posix())
    assert len(where) > 150
    return {name: paths for name, paths in where.items() if len(paths) > 1}


def constants(code):
    """Names that are bound at the top of a module."""
    for node in ast.parse(code).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        for target in targets:
            for name in target.elts if isinstance(target, ast.Tuple) else [target]:
                if isinstance(name, ast.Name):
                    yield name.id


def bound_twice(paths):
    """Constants of more than one of the modules, and where."""
    where = {}
    for path in paths:
        for name in set(constants(path.read_text(encoding="utf-8"))):
            where.setdefault(name, []).append(path.relative_to(ROOT).as_posix())
    assert len(where) > 100
    return {name: paths for name, paths in where.items() if len(paths) > 1}


def test_a_constant_of_the_autograder_stands_in_one_module():
    twice = bound_twice([*ROOT.glob("autograder/**/*.py"), *ROOT.glob("verdict/*.py")])
    assert set(twice) == SAME_CONSTANTS, twice
    assert list(constants("A = 1\nB, C = 2, 3\nD: int = 4\ndef f():\n    E = 5")) == list("ABCD")


def test_a_public_constant_of_the_reference_stands_in_one_module():
    twice = bound_twice(reference_modules())
    assert {name for name in twice if not name.startswith("_")} == SAME_CONSTANTS_IN_REFERENCE, (
        twice
    )


def test_a_name_of_the_autograder_stands_in_one_module():
    paths = [*ROOT.glob("autograder/**/*.py"), *ROOT.glob("verdict/*.py")]
    twice = defined_twice([path for path in paths if path != ROOT / COMMANDS], private=True)
    assert set(twice) == SAME, twice


def reference_modules():
    """The modules of lstm_ref but for the collections."""
    folder = ROOT / "lstm_ref"
    return [
        path
        for path in folder.rglob("*.py")
        if path.relative_to(folder).parts[0] not in COLLECTIONS and path.name != "catalogue.py"
    ]


def test_a_name_of_the_reference_stands_in_one_module():
    twice = defined_twice(reference_modules(), private=False)
    assert set(twice) == SAME_IN_REFERENCE, twice


def test_where_it_is_decided_is_still_so():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    named = re.findall(r"`([\w/]+\.py): (\w+)`", text)
    assert len(named) > 12
    for place, name in named:
        path = next(one for one in (ROOT / "autograder" / place, ROOT / place) if one.is_file())
        code = path.read_text(encoding="utf-8")
        assert re.search(rf"^(def |class |){name}\b", code, re.MULTILINE), f"{place}: {name}"
