"""Do the tests notice when a line of cell.py or sequence.py is wrong? Run by `make mutation`; takes about half an hour.

cosmic-ray changes one operator or number at a time and runs the tests of the two modules. It knows nothing of what works in
place, so `IN_PLACE` changes that: another ufunc, another sign, another gate. All in a copy of the tree: nothing that somebody
works on is ever changed; each module in a copy of its own, side by side. A mutant that survives must be told why it changes no
number, in mutation_equivalent.json, or the command fails: then a test is missing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
MODULES = ("cell", "sequence")
# Few examples are enough: a mutant that changes numbers changes them for nearly every shape.
FEW_EXAMPLES = 'settings.register_profile("few", parent=settings(), max_examples=8)\nsettings.load_profile("few")\n'

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


def copy_tree(to: Path, module: str) -> None:
    """The package, the tests that must notice, and settings for pytest without the plugins that they do not need."""
    shutil.copytree(HERE.parent / "lstm_ref", to / "lstm_ref", ignore=shutil.ignore_patterns("__pycache__"))
    (to / "tests").mkdir()
    for name in ("conftest.py", f"test_{module}.py"):
        shutil.copy(HERE.parent / "tests" / name, to / "tests")
    conftest = to / "tests" / "conftest.py"
    conftest.write_text(conftest.read_text() + "\n" + FEW_EXAMPLES)
    (to / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib\nfilterwarnings = error\n")
    (to / "mutation.toml").write_text((HERE / "mutation.toml").read_text().replace("MODULE", module))


def environment() -> dict[str, str]:
    """What the tests of a mutant run in."""
    return os.environ | {
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONDONTWRITEBYTECODE": "1",  # a mutant within the same second would be taken for the file before
        "OMP_NUM_THREADS": "1",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }


def cosmic_ray(folder: Path, *command: str) -> str:
    """One command of cosmic-ray in the copy; what it prints."""
    run = subprocess.run(
        [sys.executable, "-m", "cosmic_ray.cli", *command],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    if run.returncode:
        raise RuntimeError(f"mutation.py: cosmic-ray {command[0]} failed; what it said stands above")
    return run.stdout


def in_place() -> list[tuple[str, bool]]:
    """(what was changed, whether the tests noticed), for each occurrence of what `IN_PLACE` names in the code."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy_tree(folder, "sequence")
        command = tomllib.loads((folder / "mutation.toml").read_text())["cosmic-ray"]["test-command"]
        module = folder / "lstm_ref" / "sequence.py"
        found = []
        for change, mutant in mutants(module.read_text()):
            module.write_text(mutant)
            found.append((f"lstm_ref/sequence.py: {change}", run_tests(folder, command)))
    return found


def mutants(source: str) -> Iterator[tuple[str, str]]:
    """(the line before and after, the whole source with it) for each occurrence of what `IN_PLACE` names in a function."""
    for old, new in IN_PLACE.items():
        for place in re.finditer(r"(?<!\w)" * old[0].isalpha() + re.escape(old), source):
            start, stop = source.rindex("\n", 0, place.start()) + 1, source.index("\n", place.end())
            before = source[start:stop]
            if not before.startswith("    ") or source[:start].count('"""') % 2:  # in a docstring
                continue
            after = source[start : place.start()] + new + source[place.end() : stop]
            yield f"{before.strip()} -> {after.strip()}", source[:start] + after + source[stop:]


def run_tests(folder: Path, command: str) -> bool:
    """Whether the tests notice; a mutant that never ends is noticed as well."""
    try:
        run = subprocess.run(
            [sys.executable, *command.split()[1:]], cwd=folder, env=environment(), capture_output=True, timeout=120
        )
    except subprocess.TimeoutExpired:
        return True
    return run.returncode != 0


def with_cosmic_ray(module: str) -> list[Any]:
    """Every mutant that cosmic-ray makes of a module, and what became of it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy_tree(folder, module)
        cosmic_ray(folder, "init", "mutation.toml", "session.sqlite")
        select = Path(sys.executable).with_name("cr-filter-operators")
        subprocess.run([select, "session.sqlite", "mutation.toml"], cwd=folder, check=True)
        cosmic_ray(folder, "baseline", "mutation.toml")
        cosmic_ray(folder, "exec", "mutation.toml", "session.sqlite")
        return [json.loads(line) for line in cosmic_ray(folder, "dump", "session.sqlite").splitlines()]


def report(records: list[Any], changes: list[tuple[str, bool]], equivalent: dict[str, str]) -> dict[str, Any]:
    """How many mutants, how many killed, and what is known of each survivor."""
    left_out = [result for _, result in records if result["worker_outcome"] == "skipped"]
    for item, result in records:
        if result["worker_outcome"] == "skipped":
            continue
        lines = [line for line in result["diff"].splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
        change = " -> ".join(line[1:].strip() for line in lines)
        changes = [*changes, (f"{item['mutations'][0]['module_path']}: {change}", result["test_outcome"] == "killed")]
    survivors = [change for change, killed in changes if not killed]
    return {
        "date": time.strftime("%Y-%m-%d"),
        "python": platform.python_version(),
        **{name: version(name) for name in ("numpy", "hypothesis", "cosmic-ray")},
        "left out": len(left_out),
        "mutants": len(changes),
        "killed": len(changes) - len(survivors),
        "survivors": {change: equivalent.get(change, "") for change in survivors},
    }


def main() -> int:
    """Mutate, write the report, say what no test noticed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "mutation.json")
    arguments = parser.parse_args()
    with ThreadPoolExecutor() as pool:  # each waits for processes
        by_cosmic_ray = [pool.submit(with_cosmic_ray, module) for module in MODULES]
        changes = pool.submit(in_place).result()
        records = [record for future in by_cosmic_ray for record in future.result()]
    found = report(records, changes, json.loads((HERE / "mutation_equivalent.json").read_text()))
    arguments.out.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    unexplained = [change for change, why in found["survivors"].items() if not why]
    print(f"{found['mutants']} mutants, {found['killed']} killed, {len(found['survivors'])} survivors")
    for change in unexplained:
        print(f"no test noticed: {change}")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
