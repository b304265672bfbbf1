"""What the scripts share that measure a page's experiment on more seeds: the page's own code, and
how a table is stored.

A page tags the cells that define its experiment with ``experiment``: imports, sizes, functions, no
run. A script runs these very functions, so that the stored table and the page cannot drift apart,
and a test runs one row of the table once more.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jupytext
import numpy as np

from benchmarks.machine import machine

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"
ABOUT = ("script", "what", "machine")  # what stands beside the tables of a file


def experiment(page: str) -> SimpleNamespace:
    """Names that the cells tagged ``experiment`` of a page define; ``page`` as in ``measure``."""
    (path,) = (ROOT / "book").rglob(f"{page}.md")  # no two pages have the same name
    cells = jupytext.read(path, fmt="md:myst").cells
    code = [cell.source for cell in cells if "experiment" in cell.metadata.get("tags", [])]
    if not code:
        raise ValueError(f"experiment: {path.name} has no cell that is tagged experiment")
    names: dict[str, Any] = {"__name__": page}
    exec(compile("\n\n".join(code), str(path), "exec"), names)
    return SimpleNamespace(**names)


def over_seeds(values: Sequence[float]) -> dict[str, Any]:
    """Mean, its 95 % interval by Student's t, and the interval in which 95 % of single new seeds
    would lie.
    """
    from scipy.stats import t

    array = np.asarray(values, float)
    n, mean, deviation = len(array), float(array.mean()), float(array.std(ddof=1))
    width = float(t.ppf(0.975, n - 1)) * deviation
    return {
        "mean": mean,
        "interval of the mean": [mean - width / math.sqrt(n), mean + width / math.sqrt(n)],
        "interval of a new seed": [
            mean - width * math.sqrt(1 + 1 / n),
            mean + width * math.sqrt(1 + 1 / n),
        ],
        "least, most": [float(array.min()), float(array.max())],
        "seeds": n,
    }


def row(
    run: Callable[[int], dict[str, float]], seeds: Sequence[int], name: str = ""
) -> dict[str, Any]:
    """Run each seed, and sum up each number that a run returns:
    ``{"accuracy": over_seeds(...), ...}``.
    """
    runs = []
    for seed in seeds:
        busy = time.process_time()
        runs.append(run(seed))
        told = ", ".join(f"{key} {value:.3f}" for key, value in runs[-1].items())
        print(
            f"{name} seed {seed}: {told} ({time.process_time() - busy:.1f} s of a processor)",
            flush=True,
        )
    return {key: over_seeds([one[key] for one in runs]) for key in runs[0]}


def stored(name: str) -> dict[str, Any]:
    """Tables of results/NAME.json by name; nothing where there is no such file yet."""
    path = RESULTS / f"{name}.json"
    if not path.is_file():
        return {}
    report = json.loads(path.read_text(encoding="utf-8"))
    return {key: part for key, part in report.items() if key not in ABOUT}


def asked(about: str | None, names: Iterable[str] = ()) -> list[str]:
    """The parts of a measurement that the command line asks for; none means all.

    Parameters
    ----------
    about : what ``--help`` prints
    names : of the parts; the beginning of a name does

    Raises
    ------
    SystemExit : for a name that no part has, with those that there are, before anything is measured
        or written; and after ``--help``
    """
    parser = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    known = list(names)
    if known:
        told = "one of these alone: " + ", ".join(known)
        parser.add_argument("names", nargs="*", metavar="NAME", help=told)
    chosen = tuple(getattr(parser.parse_args(), "names", ()))
    for name in chosen:
        if not any(one.startswith(name) for one in known):
            parser.error(
                f"nothing here is called {name!r}. There are {', '.join(known)}; without a name "
                "all are measured."
            )
    return [one for one in known if one.startswith(chosen)] if chosen else []


def wanted_or_stored(
    name: str, tables: Mapping[str, Callable[[], Any]], wanted: Sequence[str]
) -> dict[str, Any]:
    """Measure the tables that are wanted, or all; the others stay as they are stored, if they are.

    Parameters
    ----------
    name : of the file with the results
    tables : name -> what measures it
    wanted : names of tables; none means all
    """
    known = stored(name)
    return {
        table: measure() if table in (wanted or tables) or table not in known else known[table]
        for table, measure in tables.items()
    }


def store(
    name: str, what: str, tables: dict[str, Any], packages: Sequence[str], out: Path | None = None
) -> None:
    """Write tables into results/NAME.json: beside them the script, what was asked, versions,
    machine and date.
    """
    report = {
        "script": f"benchmarks/{name}.py",
        "what": what,
        "machine": machine(*packages),
        **tables,
    }
    path = out or RESULTS / f"{name}.json"
    path.write_text(json.dumps(rounded(report), indent=1) + "\n", encoding="utf-8")
    print(f"written to {path}", flush=True)


def rounded(tree: Any) -> Any:
    """The same with five digits: more is noise."""
    if isinstance(tree, float):
        return float(f"{tree:.5g}")
    if isinstance(tree, dict):
        return {name: rounded(part) for name, part in tree.items()}
    return [rounded(part) for part in tree] if isinstance(tree, tuple | list) else tree
