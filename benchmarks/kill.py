"""Kill a run at random points and go on: is any grade lost, doubled or changed? Run by `make
bench-kill`.

A course with one small problem set and a class of many kinds: right, wrong, unreadable, unfinished,
talkative, and code that ends its own process. One unbroken run gives the gradebook and the records
that all others must give.

Then, again and again on a fresh copy of the course: `autograder run` is started, and at a random
point, from its start to its end, one of these happens.

main        the command's own process is killed (SIGKILL, as all below)
server      the judge server, from which judges are forked, and with it all judges; the run must go
            on by itself
judge       a judge's process; the run must go on by itself
worker      a process in a student's box; the run must go on by itself, and no student may lose a
            point by it
everything  all processes at once
copy        the course's folder is copied while the run goes on, SQLite's journal and half written
            files with it: what a disk holds when the power fails. The copy goes on in the place of
            the original, which is killed

The same command is then run until it ends by itself. Its gradebook must have the same rows as that
of the unbroken run, but for their random ids; the records must be the same, but for seconds and
what happened on the way; and nothing may be left over: no half file, no process, no temporary
folder. How much was graded twice is counted.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import nbformat
import psutil
from nbformat import NotebookNode

from autograder.author.new import new
from autograder.course.release import write_releases
from benchmarks.machine import machine

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "kill.json"
NAME = "tiny"
KINDS = ("main", "server", "judge", "worker", "everything", "copy")
LIMIT = 900.0  # seconds for one run; far more than any takes
MOST_RUNS = 5  # of the command, until it ends by itself

RIGHT = "def mean_over_time(x):\n    return x.mean(axis=1)"
# What a student writes; some get a number of their own put in, so that not all notebooks are alike.
ANSWERS: Mapping[str, str] = {
    "right": RIGHT,
    "a loop": (
        "def mean_over_time(x):\n    s = 0\n    for t in x.swapaxes(0, 1):\n        s = s + t\n    "
        "return s / len(x[0])"
    ),
    "sum": "def mean_over_time(x):\n    return x.sum(axis=1)",
    "another axis": "def mean_over_time(x):\n    return x.mean(axis=0)",
    "talkative": RIGHT.replace(
        "    return", "    print('step', NUMBER, '\\x1b[31m' * 100)\n    return"
    ),
    "unfinished": "def mean_over_time(x):\n    raise NotImplementedError()",
    "ends its process": "import os\ndef mean_over_time(x):\n    os._exit(NUMBER % 7)",
    "kills itself": "import os, signal\ndef mean_over_time(x):\n    os.kill(os.getpid(), "
    "signal.SIGKILL)",
    "no Python": "def mean_over_time(x)\n    return x",
}
FILES: Mapping[str, str] = {
    "half a file": '{"nbformat": 4, "cells": [',
    "empty": "",
    "a list": "[1, 2]",
}
# How often each comes: most submissions are honest.
WEIGHTS = {
    "right": 12,
    "a loop": 6,
    "sum": 6,
    "another axis": 4,
    "talkative": 3,
    "unfinished": 3,
    "ends its process": 1,
}
WEIGHTS |= {"kills itself": 1, "no Python": 1, "half a file": 1, "empty": 1, "a list": 1}


@dataclass(frozen=True)
class Trial:
    """What was killed, when, and what came of it.

    ``at`` is the number of records that were to be there, below zero: seconds before the first;
    ``records`` how many there were; ``again`` how many submissions were graded twice; ``runs`` how
    often the command was started; ``troubles`` what was not as it must be.
    """

    kind: str
    at: float
    records: int
    runs: int
    again: int
    seconds: float
    troubles: tuple[str, ...]


def make_course(folder: Path, submissions: int, seed: int = 0) -> None:
    """Make a course in a folder, with a class that is the same for the same seed."""
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "nbgrader_config.py", folder)
    new(folder, NAME)
    write_releases(folder)
    release = nbformat.read(folder / "exercises" / NAME / f"{NAME}.ipynb", as_version=4)
    rng = random.Random(seed)
    kinds = [*WEIGHTS, *rng.choices(list(WEIGHTS), list(WEIGHTS.values()), k=submissions)][
        :submissions
    ]
    rng.shuffle(kinds)
    for number, kind in enumerate(kinds):
        path = folder / "submitted" / f"student-{number:04}" / NAME / f"{NAME}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(
            FILES.get(kind) or _notebook(release, ANSWERS.get(kind, ""), number)
            if kind != "empty"
            else ""
        )


def _notebook(release: NotebookNode, answer: str, number: int) -> str:
    notebook = deepcopy(release)
    for cell in notebook.cells:
        if cell.get("id") == "mean_over_time_code":
            cell.source = f"# {number}\n{answer.replace('NUMBER', str(number))}"
        if number % 10 == 3:
            cell.metadata["tags"] = ["skip-execution"]
    return nbformat.writes(notebook)


def command() -> list[str]:
    """What is killed, and what goes on."""
    return [sys.executable, "-m", "autograder", "run", NAME]


class Run:
    """The command in a course's folder, in a process group of its own, with a folder of its own for
    temporary files.
    """

    def __init__(self, folder: Path, temporary: Path) -> None:
        (temporary / "home").mkdir(parents=True, exist_ok=True)
        self.folder, self.temporary = folder, temporary
        environment = os.environ | {
            "PYTHONPATH": str(ROOT),
            "TMPDIR": str(temporary),
            "HOME": str(temporary / "home"),
            "OMP_NUM_THREADS": "1",
        }
        self.log = open(folder.parent / "kill.log", "wb")  # noqa: SIM115 - closed in end
        self.process = subprocess.Popen(
            command(),
            cwd=folder,
            env=environment,
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
        )
        self.seen: dict[int, psutil.Process] = {}

    def family(self) -> dict[str, list[psutil.Process]]:
        """Its processes by what they are."""
        found: dict[str, list[psutil.Process]] = {
            kind: [] for kind in ("main", "server", "judge", "worker", "everything")
        }
        with suppress(psutil.Error):
            main = psutil.Process(self.process.pid)
            found["main"] = [main]
            found["everything"] = [main, *main.children(recursive=True)]
            found["server"] = [child for child in main.children() if _is_ours(child)]
            for child in (child for server in found["server"] for child in server.children()):
                if _is_ours(child):
                    found["judge"].append(child)
                else:
                    found["worker"].append(child)
                with suppress(psutil.Error):
                    found["worker"] += child.children(recursive=True)
        self.seen |= {process.pid: process for process in found["everything"]}
        return found

    def kill(self, kind: str, rng: random.Random) -> bool:
        """Kill one process of a kind, or all; whether there was one."""
        chosen = self.family()[kind]
        if kind != "everything" and chosen:
            chosen = [rng.choice(chosen)]
        killed = False
        for process in chosen:
            with suppress(psutil.Error):
                process.kill()
                killed = True
        return killed

    def end(self) -> tuple[int, str]:
        """Wait for its end: exit code, and what it said."""
        try:
            code = self.process.wait(LIMIT)
        finally:
            self.log.close()
        return code, (self.folder.parent / "kill.log").read_text(errors="replace")

    def processes_left(self) -> list[str]:
        """Processes that are still there a moment after the end."""
        _, alive = psutil.wait_procs(list(self.seen.values()), timeout=10)
        return [f"process {process.pid} {' '.join(process.cmdline()[:4])}" for process in alive]

    def folders_left(self) -> list[str]:
        """Temporary folders of ours; nbgrader's own one with alembic.ini, while it makes a
        gradebook, is not counted.
        """
        ours = [
            path
            for path in self.temporary.iterdir()
            if path.name != "home" and not (path / "alembic.ini").exists()
        ]
        ours += (self.temporary / "home").glob(".autograder*")
        return [f"temporary {path.name}" for path in ours]


def _is_ours(process: psutil.Process) -> bool:
    """Whether it is the server or a judge, which is a copy of it: multiprocessing has started
    them.
    """
    with suppress(psutil.Error):
        return any("spawn_main" in word for word in process.cmdline())
    return False


def records(folder: Path) -> int:
    """How many records there are."""
    place = folder / "records" / NAME
    return sum(entry.name.endswith(".json") for entry in os.scandir(place)) if place.is_dir() else 0


def gradebook(folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Rows of all tables, in an order of their own, with names in the place of the random ids that
    point at them.
    """
    with closing(sqlite3.connect(folder / "gradebook.db")) as base:
        names = [
            row[0] for row in base.execute("select name from sqlite_master where type = 'table'")
        ]
        columns = {
            name: [row[1] for row in base.execute(f"pragma table_info({name})")] for name in names
        }
        tables = {
            name: [
                dict(zip(columns[name], row, strict=True))
                for row in base.execute(f"select * from {name}")
            ]
            for name in names
        }
    ids: dict[str, dict[str, Any]] = {
        row["id"]: row for rows in tables.values() for row in rows if "id" in row
    }

    def spelled(value: Any, deep: int = 0) -> Any:
        """A random id as what it stands for: the row's own names, and those of the rows that it
        points at.
        """
        row = ids.get(value) if isinstance(value, str) else None
        if row is None or deep > 6 or len(str(value)) != 32:
            return value
        return tuple(
            (key, spelled(row[key], deep + 1))
            for key in row
            if key == "name" or key.endswith("_id")
        )

    return {
        name: sorted((tuple(spelled(value) for value in row.values()) for row in rows), key=repr)
        for name, rows in tables.items()
    }


def found_by_the_judge(folder: Path) -> dict[str, Any]:
    """Records by student, without seconds and what happened on the way. The key, and so the seeds,
    are copied along.
    """
    said = {}
    for path in (folder / "records" / NAME).glob("*.json"):
        record = json.loads(path.read_text())
        said[path.stem] = {
            key: value for key, value in record.items() if key not in ("seconds", "log")
        }
    return said


def graded(folder: Path) -> dict[str, str]:
    """Notebooks with the findings, by student."""
    return {
        path.parts[-3]: path.read_text()
        for path in (folder / "autograded").glob(f"*/{NAME}/{NAME}.ipynb")
    }


def half_files(folder: Path) -> list[str]:
    """Files that nobody finished.

    SQLite's journal is not one: with one that is still needed the gradebook was mended before it
    was read here, and one that is stale, as a copy may bring it along, SQLite passes over.
    """
    return [str(path.relative_to(folder)) for path in folder.rglob("*.part*")]


def state(folder: Path) -> dict[str, Any]:
    """All that must be the same after each run."""
    return {
        "gradebook": gradebook(folder),
        "records": found_by_the_judge(folder),
        "notebooks": graded(folder),
    }


def unbroken(folder: Path, work: Path) -> tuple[dict[str, Any], float, float]:
    """What a run gives that nothing happens to, its seconds, and those until the first record."""
    began = time.monotonic()
    run = Run(folder, work / "tmp")
    while run.process.poll() is None and not records(folder):
        time.sleep(0.01)
    first = time.monotonic() - began
    code, said = run.end()
    if (
        code != 1 or "could not be graded" not in said
    ):  # unreadable submissions are in the class: the honest exit code is 1
        raise SystemExit(f"the unbroken run ended with {code}:\n{said[-3000:]}")
    return state(folder), time.monotonic() - began, first


def trial(
    course: Path, work: Path, expected: Mapping[str, Any], kind: str, at: float, rng: random.Random
) -> Trial:
    """Kill a run on a copy of the course, and go on until the command ends by itself.

    Parameters
    ----------
    course : what every trial starts from, with its key
    work : folder for the copy
    expected : `state` after an unbroken run
    kind : of what is killed
    at : after how many records; below zero: that many seconds after the start, whatever is there
    """
    began, folder = time.monotonic(), work / "course"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(work / "tmp", ignore_errors=True)
    shutil.copytree(course, folder)
    run, troubles = Run(folder, work / "tmp"), []
    hit = False
    while run.process.poll() is None and not hit:
        there = records(folder)
        if (time.monotonic() - began >= -at) if at < 0 else there >= at:
            hit = _strike(run, kind, folder, work, rng)
        time.sleep(0.002)
    there = records(folder)
    first = _dates(folder)
    code, said = run.end()
    runs = 1
    if hit and kind in ("server", "judge", "worker") and code != 1:
        troubles.append(f"the run did not survive: it ended with {code}: {said[-500:]}")
    alive = run.processes_left()
    while code != 1 and runs < MOST_RUNS:
        run = Run(folder, work / "tmp")
        code, said = run.end()
        runs += 1
    troubles += [*alive, *run.processes_left(), *run.folders_left()]
    if code != 1:
        troubles.append(f"the command still ends with {code}: {said[-500:]}")
    got = state(folder)
    for what, should in expected.items():
        if got[what] != should:
            differing = [
                key for key in {*should, *got[what]} if should.get(key) != got[what].get(key)
            ]
            troubles.append(f"{what} differs: {sorted(differing)[:3]}")
    troubles += half_files(folder)
    last = _dates(folder)
    again = sum(last.get(name) != date for name, date in first.items()) if runs > 1 else 0
    return Trial(
        kind, round(at, 3), there, runs, again, round(time.monotonic() - began, 2), tuple(troubles)
    )


def _strike(run: Run, kind: str, folder: Path, work: Path, rng: random.Random) -> bool:
    if kind != "copy":
        return run.kill(kind, rng)
    copied = work / "copied"
    shutil.rmtree(copied, ignore_errors=True)
    subprocess.run(
        ["cp", "-r", str(folder), str(copied)], check=False, capture_output=True
    )  # files come and go meanwhile
    run.kill("everything", rng)
    run.process.wait()
    shutil.rmtree(folder)
    copied.rename(folder)
    return True


def _dates(folder: Path) -> dict[str, int]:
    """Record -> the seconds that its judge needed, to the last digit: another grading gives
    others.
    """
    dates = {}
    for path in (folder / "records" / NAME).glob("*.json"):
        with suppress(ValueError, OSError):
            if "seconds" in (record := json.loads(path.read_text())):
                dates[path.stem] = hash(json.dumps(record["seconds"]))
    return dates


def points(number: int, submissions: int, start_up: float, rng: random.Random) -> list[float]:
    """When to strike: a fifth of the trials while the command starts, a tenth at its end, the
    others between.
    """
    early, late = max(1, number // 5), max(1, number // 10)
    chosen = [-start_up * rng.random() for _ in range(early)]
    chosen += [submissions - rng.randrange(3) for _ in range(late)]
    chosen += [rng.randrange(1, submissions) for _ in range(number - early - late)]
    chosen = chosen[:number]
    rng.shuffle(chosen)
    return chosen


def measure(
    submissions: int,
    trials: int,
    seed: int,
    work: Path,
    tell: Callable[[str], None] = print,
    keep: Callable[[dict[str, Any]], None] = lambda report: None,
    kinds: Sequence[str] = KINDS,
) -> list[dict[str, Any]]:
    """All of it; ``keep`` gets the report after each trial, for this takes long."""
    rng = random.Random(seed)
    course = work / "fresh"
    make_course(course, submissions, seed)
    # The first run makes the key; with it, all others draw the same inputs.
    expected, seconds, first = unbroken(course, work)
    tell(f"unbroken: {submissions} submissions in {seconds:.1f} s")
    for made in ("gradebook.db", "records/" + NAME, "autograded", "logs"):
        path = course / made
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    results = []
    chosen = [kinds[k % len(kinds)] for k in range(trials)]
    rng.shuffle(chosen)
    for number, (kind, at) in enumerate(
        zip(chosen, points(trials, submissions, first, rng), strict=True), start=1
    ):
        if at < 0 and kind in ("judge", "worker"):
            at = float(rng.randrange(1, submissions))  # there is none while the command starts
        result = trial(course, work, expected, kind, at, rng)
        results.append(result)
        outcome = "equal" if not result.troubles else "; ".join(result.troubles)
        tell(
            f"{number:3} {kind:10} at {at:7.2f}, {result.records} records, {result.again} graded "
            f"again: {outcome}"
        )
        keep(
            {
                "submissions": submissions,
                "unbroken seconds": round(seconds, 2),
                "equal": sum(not result.troubles for result in results),
                "by kind": dict(Counter(result.kind for result in results)),
                "graded twice, at most": max(result.again for result in results),
                "trials": [asdict(result) for result in results],
            }
        )
    return [asdict(result) for result in results]


def about() -> dict[str, Any]:
    """What the numbers belong to."""
    system = f"{platform.system()} {platform.release().partition('-')[0]}"
    return {**machine("nbgrader"), "system": system, "sqlite": sqlite3.sqlite_version}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--submissions", type=int, default=500)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()

    def keep(report: dict[str, Any]) -> None:
        text = json.dumps({"machine": about(), **report}, indent=1, ensure_ascii=False)
        options.out.write_text(text + "\n", encoding="utf-8")

    def tell(line: str) -> None:
        print(line, flush=True)

    with tempfile.TemporaryDirectory(prefix="bench-kill-") as folder:
        results = measure(
            options.submissions, options.trials, options.seed, Path(folder), tell, keep
        )
    equal = sum(not result["troubles"] for result in results)
    print(
        f"{equal} of {len(results)} trials gave the same gradebook, records and notebooks; "
        f"{options.out}"
    )
    raise SystemExit(0 if equal == len(results) else 1)


if __name__ == "__main__":
    main()
