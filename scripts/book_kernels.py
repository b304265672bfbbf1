"""Execute the pages as other processors would: what `make book-kernels` runs. Prints a table, page
by setting.

Which instructions NumPy, OpenBLAS, MKL, oneDNN, PyTorch and numba use follows the processor, and
with them the last bit of a sum; in a chaotic run the last bit decides everything. A setting tells
each of them to stay below what this processor has. One that needs more than it has is listed as not
possible here. All cells of a page are executed, also behind one that fails.

One text of the book is Python's own reference, which grows with its version: the setting "other
text" leaves some of its paragraphs out, as another version would.

With --gate one setting and a third of the pages are drawn from the hash of the commit, and every
page that it changed is added, as are the tests marked `kernels` and some right solutions through
the judge. --commit repeats such a draw.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jupytext
import yaml
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "book" / "_ext"), str(ROOT)]

from inside.failures import failure  # noqa: E402

from benchmarks.machine import machine  # noqa: E402

OUT = ROOT / "benchmarks" / "results" / "book-kernels.json"
OTHER_TEXT = ROOT / "_build" / "other-text"  # a folder for PYTHONPATH
LEFT_OUT = 0.05  # share of paragraphs; between 3.9 and 3.11 about as many differ
NOT_POSSIBLE = "not possible here"
# where README has the table
BEGIN, END = "<!-- table by setting: begin -->", "<!-- table by setting: end -->"
TIMEOUT = 1800  # seconds for one cell: a guard against a hang
AT_A_TIME = 2  # pages with one thread each
AVX = frozenset({"avx"})
AVX2 = frozenset({"avx2", "fma"})
AVX512 = frozenset({"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"})
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")

# what decides on instructions and threads
TOLD = frozenset(
    {
        "OPENBLAS_CORETYPE",
        "OPENBLAS_L2_SIZE",
        "ATEN_CPU_CAPABILITY",
        "ONEDNN_MAX_CPU_ISA",
        "DNNL_MAX_CPU_ISA",
        "MKL_ENABLE_INSTRUCTIONS",
        "NUMBA_CPU_NAME",
        "NPY_DISABLE_CPU_FEATURES",
        "NPY_ENABLE_CPU_FEATURES",
        *THREADS,
    }
)


@dataclass(frozen=True)
class Setting:
    """What the libraries are told, what the processor must have for it, and which of NumPy's own
    instructions are left.
    """

    name: str
    needs: frozenset[str] = frozenset()
    blas: str = ""  # OPENBLAS_CORETYPE
    torch: str = ""  # ATEN_CPU_CAPABILITY
    onednn: str = ""  # ONEDNN_MAX_CPU_ISA
    mkl: str = ""  # MKL_ENABLE_INSTRUCTIONS
    numba: str = ""  # NUMBA_CPU_NAME
    # highest level of NumPy's own instructions: 0 baseline, 1 AVX2, 2 AVX-512; None: all
    numpy: int | None = None
    threads: int = 1
    other_text: bool = False  # Python's reference as another version of Python might have it

    def variables(self) -> dict[str, str]:
        """Environment of a process under this setting."""
        told = {
            "OPENBLAS_CORETYPE": self.blas,
            "ATEN_CPU_CAPABILITY": self.torch,
            "ONEDNN_MAX_CPU_ISA": self.onednn,
            "MKL_ENABLE_INSTRUCTIONS": self.mkl,
            "NUMBA_CPU_NAME": self.numba,
            "NPY_DISABLE_CPU_FEATURES": "" if self.numpy is None else " ".join(above(self.numpy)),
            "PYTHONPATH": os.pathsep.join(self.python_path()),
            **dict.fromkeys(THREADS, str(self.threads)),
        }
        return {name: value for name, value in told.items() if value}

    def environment(self) -> dict[str, str]:
        """The whole environment of a process under this setting: what it does not tell is left to
        the processor, also where the one who runs this has told it.
        """
        kept = {name: value for name, value in os.environ.items() if name not in TOLD}
        return kept | self.variables()

    def python_path(self) -> list[str]:
        """Folders of PYTHONPATH: with the other text, one that hides the standard library's, and
        those of before.
        """
        before = [os.environ["PYTHONPATH"]] if os.environ.get("PYTHONPATH") else []
        return [str(OTHER_TEXT), *before] if self.other_text else []


def write_other_text(folder: Path = OTHER_TEXT, seed: int = 0) -> None:
    """Write `pydoc_data` into a folder, without LEFT_OUT of the paragraphs of Python's
    reference.
    """
    from pydoc_data.topics import topics

    rng = random.Random(seed)
    fewer = {
        name: "".join(part for part in re.split(r"(?<=\n\n)", text) if rng.random() > LEFT_OUT)
        for name, text in topics.items()
    }
    (package := folder / "pydoc_data").mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").write_text("", encoding="utf-8")
    (package / "topics.py").write_text(f"topics = {fewer!r}\n", encoding="utf-8")


SETTINGS = (
    Setting("native, 1 thread"),
    Setting("native, 2 threads", threads=2),
    Setting(
        "Nehalem", frozenset({"sse4_2"}), "Nehalem", "default", "SSE41", "SSE4_2", "nehalem", 0
    ),
    Setting("Sandybridge", AVX, "Sandybridge", "default", "AVX", "AVX", "sandybridge", 0),
    Setting("Haswell", AVX2, "Haswell", "avx2", "AVX2", "AVX2", "haswell", 1),
    Setting("Zen", AVX2, "Zen", threads=2),
    Setting("SkylakeX", AVX512, "SkylakeX", "avx512", "AVX512_CORE", "AVX512", "skylake-avx512", 2),
    Setting("other text", other_text=True),
)


def flags() -> frozenset[str]:
    """Instructions of this processor, in the words of Linux; elsewhere as far as NumPy knows
    them.
    """
    info = Path("/proc/cpuinfo")
    if info.exists():
        found = re.search(r"^(?:flags|Features)\s*:(.*)$", info.read_text(), re.MULTILINE)
        return frozenset(found[1].split()) if found else frozenset()
    has = {name for name, there in numpy_features().items() if there}
    # names since NumPy 2.4
    words = {"X86_V2": {"sse4_2"}, "X86_V3": {"sse4_2", *AVX, *AVX2}, "X86_V4": AVX512}
    words |= {"SSE42": {"sse4_2"}, "AVX": AVX, "AVX2": AVX2, "AVX512_SKX": AVX512}  # and before
    return frozenset().union(*(words.get(name, frozenset()) for name in has))


def numpy_features() -> dict[str, bool]:
    """Instructions that NumPy can tell apart, and whether this processor has them: what
    `numpy.show_runtime` prints.
    """
    from numpy._core import _multiarray_umath

    return dict(_multiarray_umath.__cpu_features__)


def above(level: int) -> list[str]:
    """What NumPy must be told to leave alone, of all that it would use here, to stay at a level."""
    from numpy._core import _multiarray_umath

    there = numpy_features()
    used = [name for name in _multiarray_umath.__cpu_dispatch__ if there.get(name)]
    return [name for name in used if (2 if name.startswith(("AVX512", "X86_V4")) else 1) > level]


def possible(setting: Setting, has: frozenset[str] | None = None) -> bool:
    """Whether this processor has the instructions of a setting."""
    return setting.needs <= (flags() if has is None else has)


def kernel_of(setting: Setting) -> str:
    """What the libraries themselves say that they use under a setting."""
    code = (
        "import numpy, threadpoolctl, json\n"
        "blas = [pool.get('architecture', '?') for pool in threadpoolctl.threadpool_info() if "
        "pool['user_api'] == 'blas']\n"
        "try:\n    import torch; aten = torch.backends.cpu.get_cpu_capability()\n"
        "except ImportError:\n    aten = 'not there'\n"
        "from numpy._core import _multiarray_umath as u\n"
        "own = [name for name in u.__cpu_dispatch__ if u.__cpu_features__.get(name)] or "
        "['baseline']\n"
        "print(f\"OpenBLAS {'/'.join(blas) or '?'}, NumPy {'/'.join(own)}, PyTorch {aten}\")"
    )
    environment = setting.environment()
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return run.stdout.strip() or f"no answer: exit code {run.returncode}"


def pages(toc: Path = ROOT / "_toc.yml") -> list[str]:
    """Names of all pages with code, in the order of the book."""
    content = yaml.safe_load(toc.read_text(encoding="utf-8"))
    names = [
        content["root"],
        *(chapter["file"] for part in content["parts"] for chapter in part["chapters"]),
    ]
    return [
        name
        for name in names
        if "```{code-cell}" in (toc.parent / f"{name}.md").read_text(encoding="utf-8")
    ]


def seeds_of(notebook: NotebookNode, cell: int) -> list[str]:
    """Lines up to a cell that draw or set a seed, those of the cell itself last."""
    code = [c.source for c in notebook.cells if c.cell_type == "code"][:cell]
    lines = [line.strip() for source in code for line in source.splitlines()]
    return [
        line for line in lines if re.search(r"seed|default_rng|Generator\(", line, re.IGNORECASE)
    ][-6:]


def execute(page: Path, environment: Mapping[str, str]) -> list[str]:
    """Execute all cells of a page; one text for each cell that failed.

    Parameters
    ----------
    page : MyST source
    environment : of the page's process, all of it
    """
    notebook = jupytext.read(page, fmt="md:myst")
    notebook.cells.append(
        new_code_cell(
            "print({k: v for k, v in globals().items() if 'seed' in k.lower() and not callable(v)})"
        )
    )
    notebook.metadata["kernelspec"] = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    client = NotebookClient(
        notebook,
        timeout=TIMEOUT,
        allow_errors=True,
        kernel_name="python3",
        extra_arguments=["--log-level=ERROR"],  # a word on encryption at each start
        resources={"metadata": {"path": str(page.parent)}},
    )
    try:
        client.execute(env={"LSTM_REF_STATIC": "1", **environment})
    except (DeadKernelError, CellTimeoutError) as error:
        return [f"{type(error).__name__}: {str(error).splitlines()[0]}"]
    return _failures(page.stem, notebook)


def _failures(page: str, notebook: NotebookNode) -> list[str]:
    """One text for each error in the outputs, the last one with the values of all seeds."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    found = []
    for number, cell in enumerate(code, 1):
        for output in cell.outputs:
            if output.output_type == "error":
                trace = "\n".join([*output.traceback, f"{output.ename}: {output.evalue}"])
                seeds = seeds_of(notebook, number)
                found.append(
                    str(failure(page, trace)._replace(cell=number))
                    + "".join(f"\n      {line}" for line in seeds)
                )
    if found:
        found[-1] += (
            "\n      values: "
            + "".join(output.get("text", "") for output in code[-1].outputs).strip()[:300]
        )
    return found


def table(
    names: Sequence[str], settings: Iterable[Setting], results: Mapping[str, Mapping[str, Any]]
) -> str:
    """Pages by settings, as Markdown.

    Parameters
    ----------
    names : pages, a row each
    settings : a column each
    results : name of a setting -> page -> texts of its failing cells; no entry where it was not
        executed
    """
    columns = list(settings)
    lines = [
        "| page | " + " | ".join(setting.name for setting in columns) + " |",
        "|---|" + "---|" * len(columns),
    ]
    for name in names:
        words = []
        for setting in columns:
            texts = results.get(setting.name, {}).get(name)
            words.append(
                (NOT_POSSIBLE if not possible(setting) else "-")
                if texts is None
                else f"{len(texts)} FAIL"
                if texts
                else "passes"
            )
        lines.append(f"| {Path(name).name} | " + " | ".join(words) + " |")
    return "\n".join(lines)


def run(
    names: Sequence[str], settings: Iterable[Setting], at_a_time: int = AT_A_TIME
) -> dict[str, dict[str, list[str]]]:
    """Execute pages under settings, some pages at a time, together `at_a_time` threads; prints each
    as it ends, and each failing cell.
    """
    results: dict[str, dict[str, list[str]]] = {}
    for setting in settings:
        if not possible(setting):
            missing = ", ".join(sorted(setting.needs - flags()))
            print(f"{setting.name}: {NOT_POSSIBLE}, this processor lacks {missing}", flush=True)
            continue
        if setting.other_text:
            write_other_text()
        kernel = kernel_of(setting)
        print(f"{setting.name}: {kernel}; {setting.threads} thread(s)", flush=True)

        def one(
            name: str, setting: Setting = setting, kernel: str = kernel
        ) -> tuple[str, list[str]]:
            start = time.monotonic()
            failed = execute(ROOT / f"{name}.md", setting.environment())
            print(
                f"  {name}: {'FAILS' if failed else 'passes'} ({time.monotonic() - start:.0f} s)",
                flush=True,
            )
            for text in failed:
                told = " ".join(
                    f"{variable}={value!r}" for variable, value in setting.variables().items()
                )
                print(
                    f"    {machine()['processor']}; {kernel}\n    {told}\n    {name}, {text}",
                    flush=True,
                )
            return name, failed

        # threads of OpenBLAS wait for each other by turning: more of them than cores take minutes
        # for what takes seconds
        with ThreadPoolExecutor(max(1, at_a_time // setting.threads)) as pool:
            results[setting.name] = dict(pool.map(one, names))
    return results


def git(*words: str) -> str:
    """What git prints; nothing where it cannot."""
    try:
        return subprocess.run(
            ["git", *words], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def changed() -> set[str]:
    """Pages that the last commit or the working tree has changed."""
    listed = [
        *git("diff", "--name-only", "HEAD~1", "HEAD").splitlines(),
        *git("diff", "--name-only", "HEAD").splitlines(),
    ]
    return {name.removesuffix(".md") for name in listed if name.endswith(".md")}


def draw(commit: str, what: Sequence[str], share: int = 1) -> list[str]:
    """One name, or one in `share`, in an order that the commit's hash decides alone.

    >>> draw("a", ["x", "y", "z"]) == draw("a", ["z", "y", "x"])
    True
    >>> len(draw("a", ["x", "y", "z", "w"], share=3))
    2
    """
    order = sorted(what, key=lambda name: hashlib.sha256(f"{commit} {name}".encode()).digest())
    return order[: 1 if share == 1 else -(-len(order) // share)]


def marked_tests(setting: Setting, commit: str) -> int:
    """Run the tests marked `kernels` under a setting; returns pytest's exit code."""
    marked = ["tests/lstm_ref", "tests/autograder/judge", "-m", "kernels"]
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-n",
        "2",
        "--dist",
        "loadfile",
        "-p",
        "no:cacheprovider",
        *marked,
    ]
    environment = setting.environment() | {"KERNELS_DRAW": commit or "unknown"}
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def gate(commit: str) -> int:
    """Some pages, the marked tests and some right solutions under one other setting; returns the
    exit code.
    """
    others = [
        setting
        for setting in SETTINGS
        if not setting.name.startswith("native") and possible(setting)
    ]
    if not others:
        print(f"book-kernels: this processor ({platform.machine()}) has no other setting to try.")
        return 0
    (name,) = draw(commit, [setting.name for setting in others])
    setting = next(setting for setting in others if setting.name == name)
    drawn = set(draw(commit, pages(), share=3))
    chosen = [page for page in pages() if page in drawn | changed()]
    print(
        f"book-kernels: commit {commit or 'unknown'} draws the setting {name} and {len(drawn)} "
        f"pages; {len(set(chosen) - drawn)} more have changed. Again: book_kernels.py --gate "
        f"--commit {commit or 'unknown'}",
        flush=True,
    )
    results = run(chosen, [setting])
    print(table(chosen, [setting], results))
    failed = [page for page, texts in results[name].items() if texts]
    tests = marked_tests(setting, commit)
    if failed or tests:
        print(
            f"book-kernels: under {name}: {len(failed)} page(s) failed {failed or ''}, the marked "
            f"tests {'failed' if tests else 'passed'}; each failing cell is told above.",
            file=sys.stderr,
        )
    return int(bool(failed or tests))


def keep(results: Mapping[str, Mapping[str, Any]], out: Path) -> dict[str, Any]:
    """Add results to the file of this processor and these versions, and return all that it
    holds.
    """
    here = {name: value for name, value in machine("numpy", "torch").items() if name != "date"}
    report: dict[str, Any] = {"machine": here, "kernels": {}, "dates": {}, "results": {}}
    if out.exists() and (before := json.loads(out.read_text(encoding="utf-8")))["machine"] == here:
        report = before
    for setting in SETTINGS:
        if not possible(setting):
            report["kernels"][setting.name] = NOT_POSSIBLE
        elif setting.name in results:  # what was executed earlier had the libraries of then
            report["kernels"][setting.name] = kernel_of(setting)
    for name, by_page in results.items():
        report["results"].setdefault(name, {}).update(by_page)
        report["dates"][name] = time.strftime("%Y-%m-%d")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return report


def summary(report: Mapping[str, Any]) -> str:
    """What README says of a report: how many executions passed, then the table, folded."""
    results, here = report["results"], report["machine"]
    columns = [setting for setting in SETTINGS if setting.name in results]
    names = [name for name in pages() if any(name in results[s.name] for s in columns)]
    cells = [results[s.name][name] for s in columns for name in names if name in results[s.name]]
    failed = sum(bool(texts) for texts in cells)
    dates = sorted({report["dates"][setting.name] for setting in columns})
    when = dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}"
    says = (
        f"Of {len(cells)} executions ({len(names)} pages with code, {len(columns)} settings) "
        f"{failed or 'none'} failed ({when}, {here['processor']}, Python {here['python']}, "
        f"NumPy {here['numpy']}, PyTorch {here['torch']})."
    )
    rows = table(names, columns, results)
    return f"{says}\n\n<details><summary>Page by setting</summary>\n\n{rows}\n\n</details>\n"


def write_readme(report: Mapping[str, Any], readme: Path = ROOT / "README.md") -> None:
    """Put the summary of a report between README's markers."""
    before, begin, rest = readme.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise SystemExit(f"book-kernels: {readme} must have the lines {BEGIN} and {END}")
    readme.write_text(f"{before}{BEGIN}\n{summary(report)}{END}{after}", encoding="utf-8")


def arguments() -> argparse.ArgumentParser:
    """What the command takes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--settings",
        nargs="*",
        choices=[s.name for s in SETTINGS],
        default=[s.name for s in SETTINGS],
    )
    parser.add_argument("--pages", nargs="*", help="names as in _toc.yml, or their last part (all)")
    parser.add_argument(
        "--gate",
        action="store_true",
        help="what `make test` runs: one setting, a third of the pages",
    )
    parser.add_argument("--commit", default=None, help="with --gate: draw as for this commit")
    parser.add_argument(
        "--at-a-time", type=int, default=AT_A_TIME, help="pages of one thread at a time (2)"
    )
    parser.add_argument(
        "--out", type=Path, default=OUT, help="the results of all runs on this processor"
    )
    parser.add_argument(
        "--readme", action="store_true", help="put what --out holds into README; execute nothing"
    )
    return parser


def main() -> int:
    """Read the arguments, execute, print the table; returns 1 where a page failed."""
    parser = arguments()
    given = parser.parse_args()
    if given.readme:
        write_readme(json.loads(given.out.read_text(encoding="utf-8")))
        return 0
    if given.gate:
        return gate(git("rev-parse", "HEAD") if given.commit is None else given.commit)
    names = [
        name
        for name in pages()
        if not given.pages or name in given.pages or Path(name).name in given.pages
    ]
    if not names:
        parser.error(f"no page of the book is named {given.pages}; there are {', '.join(pages())}")
    settings = [setting for setting in SETTINGS if setting.name in given.settings]
    failed = 0
    for setting in settings:  # kept as soon as a setting is done
        results = run(names, [setting], given.at_a_time)
        report = keep(results, given.out)
        failed += sum(bool(texts) for by_page in results.values() for texts in by_page.values())
    print(table(pages(), SETTINGS, report["results"]))
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
