"""Do the tests notice when a line of cell.py or sequence.py is wrong? Run by `make mutation`; a few
minutes on an idle machine.

cosmic-ray's operators change one operator or number at a time. They know nothing of what works in
place, so `IN_PLACE` changes that: another ufunc, another sign, another gate. The tests of the
module run on each mutant, in a copy of the tree: nothing that somebody works on is ever changed. A
mutant that survives must be told why it changes no number, in mutation_equivalent.json, or the
command fails: then a test is missing.

Each mutant has a process of its own, forked from one that has imported NumPy, pytest and hypothesis
already (not on Windows).
"""

from __future__ import annotations

import argparse
import difflib
import json
import multiprocessing
import os
import platform
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # threads do not survive a fork
sys.dont_write_bytecode = True  # a mutant within the same second would be taken for the one before

import hypothesis  # noqa: E402, F401
import hypothesis.extra.numpy  # noqa: E402, F401
import numpy  # noqa: E402, F401
import pytest  # noqa: E402
from cosmic_ray.mutating import mutate_code  # noqa: E402
from cosmic_ray.plugins import get_operator, operator_names  # noqa: E402

HERE = Path(__file__).parent
MODULES = ("cell", "sequence")
SECONDS = 300  # for the tests of one mutant; one that never ends is noticed as well
# Few examples are enough: a mutant that changes numbers changes them for nearly every shape. Nobody
# asks for the simplest one.
FEW_EXAMPLES = """
from hypothesis import Phase
settings.register_profile("few", parent=settings(), max_examples=8, phases=[Phase.generate])
settings.load_profile("few")
"""
# Left out, because they say nothing: bits of floats (every such mutant raises TypeError), and "or"
# in annotations (never run).
LEFT_OUT = re.compile(r"ReplaceBinaryOperator_(\w+_(BitAnd|BitOr|BitXor|LShift|RShift)|BitOr_\w+)$")
# What stands in sequence.py -> what is put in its place, once for each occurrence.
IN_PLACE = {
    "np.multiply(": "np.add(",
    "np.add(": "np.multiply(",
    "np.subtract(": "np.add(",
    "np.matmul(": "np.dot(0 * ",
    "np.tanh(": "np.sin(",
    " += ": " -= ",
    " *= ": " /= ",
    ".copy()": "",
    "sigmoid=0.5": "sigmoid=1",
    "tanh=1": "tanh=0.5",
    "i[t]": "f[t]",
    "f[t]": "i[t]",
    "g[t]": "o[t]",
    "o[t]": "i[t]",
    "reversed(range(T))": "range(T)",
}


def copy_tree(to: Path) -> None:
    """The package, the tests that must notice, and settings for pytest without the plugins that
    they do not need.
    """
    shutil.copytree(
        HERE.parent / "lstm_ref", to / "lstm_ref", ignore=shutil.ignore_patterns("__pycache__")
    )
    (to / "tests" / "lstm_ref").mkdir(parents=True)
    for name in ("conftest.py", *(f"lstm_ref/test_{module}.py" for module in MODULES)):
        shutil.copy(HERE.parent / "tests" / name, to / "tests" / name)
    conftest = to / "tests" / "conftest.py"
    conftest.write_text(conftest.read_text() + FEW_EXAMPLES)
    (to / "pytest.ini").write_text(
        "[pytest]\naddopts = --import-mode=importlib\nfilterwarnings = error\n"
    )


def mutants(module: str, source: str) -> Iterator[tuple[str, str]]:
    """(the line before and after, the whole source with it), one change at a time."""
    for name in operator_names():
        operator = get_operator(name)
        if LEFT_OUT.search(name) or operator.arguments():
            continue
        occurrence = 0
        while mutant := mutate_code(source, operator(), occurrence):
            yield change(source, mutant), mutant
            occurrence += 1
    if module == "sequence":
        for old, new in IN_PLACE.items():
            for place in re.finditer(r"(?<!\w)" * old[0].isalpha() + re.escape(old), source):
                line_start = source.rindex("\n", 0, place.start()) + 1
                in_docstring = source[:line_start].count('"""') % 2
                if source[line_start] == " " and not in_docstring:
                    mutant = source[: place.start()] + new + source[place.end() :]
                    yield change(source, mutant), mutant


def change(source: str, mutant: str) -> str:
    """The lines that differ, before and after."""
    lines = difflib.ndiff(source.splitlines(), mutant.splitlines())
    return " -> ".join(line[2:].strip() for line in lines if line[0] in "+-")


def noticed(folder: Path, module: str, mutant: str) -> bool:
    """Whether the tests of a module fail when this is its source; ``folder`` is a copy of the
    tree.
    """
    (folder / "lstm_ref" / f"{module}.py").write_text(mutant)
    child = os.fork()
    if not child:
        signal.alarm(SECONDS)
        os.chdir(folder)
        sys.path.insert(0, str(folder))
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        code: int = 1
        try:
            os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
            code = pytest.main(
                [
                    "-x",
                    "-q",
                    "--tb=no",
                    "-p",
                    "no:cacheprovider",
                    f"tests/lstm_ref/test_{module}.py",
                ]
            )
        finally:
            os._exit(int(code))
    return os.waitpid(child, 0)[1] != 0


def survivors_of(module: str, part: int, parts: int) -> tuple[int, list[str]]:
    """How many mutants there are in one part of those of a module, and which of them no test
    notices.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy_tree(folder)
        source = (folder / "lstm_ref" / f"{module}.py").read_text()
        if noticed(folder, module, source):
            raise RuntimeError(
                f"mutation.py: tests/lstm_ref/test_{module}.py fails on the module as it is; mend "
                "that first"
            )
        mine = list(mutants(module, source))[part::parts]
        survivors = []
        for told, mutant in mine:
            if not noticed(folder, module, mutant):
                survivors.append(f"{module}.py: {told}")
                print(f"no test noticed {survivors[-1]}", flush=True)
        return len(mine), survivors


def report(
    counts: dict[str, int], survivors: list[str], equivalent: dict[str, str]
) -> dict[str, Any]:
    """How many mutants, how many killed, and what is known of each survivor."""
    mutants = sum(counts.values())
    return {
        "date": time.strftime("%Y-%m-%d"),
        "python": platform.python_version(),
        **{name: version(name) for name in ("numpy", "hypothesis", "cosmic-ray")},
        "mutants": mutants,
        "of each module": {f"{module}.py": count for module, count in counts.items()},
        "killed": mutants - len(survivors),
        "survivors": {told: equivalent.get(told, "") for told in sorted(survivors)},
    }


def main() -> int:
    """Mutate, write the report, say what no test noticed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=HERE / "results" / "mutation.json")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count(), help="processes at a time (one for each core)"
    )
    arguments = parser.parse_args()
    parts = [(module, part, arguments.jobs) for module in MODULES for part in range(arguments.jobs)]
    with ProcessPoolExecutor(arguments.jobs, multiprocessing.get_context("fork")) as pool:
        answers = list(pool.map(survivors_of, *zip(*parts, strict=True)))
    counts = dict.fromkeys(MODULES, 0)
    for (module, _, _), (count, _) in zip(parts, answers, strict=True):
        counts[module] += count
    survivors = [told for _, found in answers for told in found]
    found = report(counts, survivors, json.loads((HERE / "mutation_equivalent.json").read_text()))
    arguments.out.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    unexplained = [told for told, why in found["survivors"].items() if not why]
    print(
        f"{found['mutants']} mutants, {found['killed']} killed, {len(found['survivors'])} survivors"
    )
    for told in unexplained:
        print(f"not told why it changes no number: {told}")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
