"""A class graded by a cluster that breaks: hosts are cut off, killed, come back, come late. Run as
root by `make bench-cluster`.

Each host is a machine of its own as far as Linux can make one on one computer (see
tests/support/netns.py): an address, processes, mounts and a host name of its own, on a switch that
leads nowhere else. There is one for the scheduler, one for the person who grades, and four for
workers. The course's folder is empty on all but one: what is graded travels with each task.

Four trials:

- *breakdown*: while the class is graded, a worker's host is cut off (its packets are lost, nobody
  is told) and comes back the moment that it is given up, so that it still holds what was given to
  others meanwhile; another is killed with all its processes; a third joins late; the first is cut
  off again, for longer. Then gradebook, records, graded notebooks, what the command printed and its
  exit code are compared with those of a run without a cluster. Equal means equal in every row and
  every file; only times, and the log lines that carry them, are left out.
- *scheduler killed* and *scheduler cut off*: the command must end with one sentence, keep what is
  graded, and, given a new scheduler, finish.
- *another version*: a host on which one line of the comparison differs must grade nobody.
- *TLS*: with certificates made for the trial the class is graded, and who has none gets no
  connection.

The code is copied first: a file that is edited in the middle of a run would rightly be taken for
another version.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import hashlib
import json
import os
import platform
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.machine import machine  # noqa: E402
from tests.support.netns import NOBODY, Host, Network, why_not  # noqa: E402
from tests.support.tiny_course import ADDS, CHECKS, RIGHT, SOURCE, filled_in, hand_in_text  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results" / "cluster.json"
NAME = "tiny"
SCHEDULER, DESK, FIRST_WORKER = 1, 2, 11  # last parts of addresses
PORT = 8786
# What is lost after this long is given up; Dask's own values are 30 seconds and 5 minutes.
PATIENCE = {
    "DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": "15s",
    "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "60s",
}
# seconds for which a host stays cut off after it was given up: its own side has given up by then,
# too
LONGER = 40.0

RAISES = RIGHT | {"total_code": "def total(x):\n    return x.summ()"}
DIES = RIGHT | {"scale_code": "import os\n\ndef scale(x, a):\n    os._exit(3)"}
OTHER_AT_EACH_RUN = RIGHT | {
    "total_code": "import time\n\ndef total(x):\n    return x.sum() + 0 * time.time()"
}
# In a class of twenty; a name stands in the folder's name, too.
CLASS: list[tuple[str, Any]] = [
    *[("right", RIGHT)] * 9,
    *[("adds", ADDS)] * 4,
    *[("raises", RAISES)] * 2,
    ("dies", DIES),
    ("unfinished", {}),
    ("looks-at-the-clock", OTHER_AT_EACH_RUN),
    ("unreadable", "{"),
    ("no-notebook", '{"cells": 3}'),
]


# --- the class, and what became of it
# --------------------------------------------------------------------------------------


def make_course(root: Path, submissions: int) -> Path:
    """A course with the small problem set of the tests, and what was handed in."""
    import nbformat

    from autograder.course import release
    from autograder.course.key import course_key

    folder = root / "solutions" / NAME
    folder.mkdir(parents=True)
    (folder / f"{NAME}.md").write_text(SOURCE)
    (folder / "checks.py").write_text(CHECKS)
    shutil.copy(ROOT / "nbgrader_config.py", root)
    release.write_releases(root)
    texts = {
        kind: work if isinstance(work, str) else nbformat.v4.writes_json(filled_in(root, work))
        for kind, work in CLASS
    }
    for k in range(submissions):
        kind, _ = CLASS[k * 7 % len(CLASS)]  # mixed, and the same in every class
        hand_in_text(root, f"s{k:05}-{kind}", texts[kind])
    course_key(root / "records")  # with the same key, every run draws the same inputs
    return root


def found(course: Path) -> dict[str, Any]:
    """All that a run leaves: rows of the gradebook, records, graded notebooks; without times."""
    left: dict[str, Any] = dict(rows(course / "gradebook.db"))
    for path in sorted((course / "records" / NAME).glob("*.json")):
        record = json.loads(path.read_text())
        left[f"record {path.stem}"] = {
            key: value for key, value in record.items() if key not in ("seconds", "log")
        }
    for path in sorted((course / "autograded").glob("*/*/*")):
        left[f"graded {path.parent.parent.name}"] = hashlib.sha256(path.read_bytes()).hexdigest()
    return left


def rows(path: Path) -> Iterator[tuple[str, Any]]:
    """Table -> rows of a gradebook, with what they belong to in place of nbgrader's random ids."""
    keys = {
        "assignment": "name",
        "notebook": "name",
        "base_cell": "type || ' ' || name",
        "source_cell": "'source ' || name",
        "submitted_assignment": "student_id",
        "submitted_notebook": "assignment_id || ' ' || notebook_id",
        "grade": "'grade ' || notebook_id || ' ' || cell_id",
        "comment": "'comment ' || notebook_id || ' ' || cell_id",
    }
    names: dict[str, str] = {}
    with contextlib.closing(sqlite3.connect(path)) as database:

        def named(text: Any) -> Any:
            return re.sub(
                r"[0-9a-f]{32}", lambda match: names.get(match.group(), match.group()), str(text)
            )

        for table, key in keys.items():
            names |= {
                row[0]: named(row[1]) for row in database.execute(f"SELECT id, {key} FROM {table}")
            }
        for (table,) in database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table'"
        ).fetchall():
            yield (
                table,
                sorted(
                    [named(value) for value in row]
                    for row in database.execute(f"SELECT * FROM {table}")
                ),
            )


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Tables, records and notebooks that are not the same."""
    return [key for key in sorted(one.keys() | other.keys()) if one.get(key) != other.get(key)]


def only(left: dict[str, Any], course: Path) -> dict[str, Any]:
    """The part of a larger class that belongs to a smaller one: its records and notebooks."""
    students = {path.name for path in (course / "submitted").iterdir()}
    return {key: value for key, value in left.items() if key.partition(" ")[2] in students}


# --- hosts and what runs on them
# -------------------------------------------------------------------------------------------


@dataclass
class Trial:
    """A scheduler, somebody who grades, and workers.

    Parameters
    ----------
    network : on which they are
    code, course : folders; the course is hidden from all but the person who grades
    settings : of Dask, for all
    protocol : ``"tcp"`` or ``"tls"``
    """

    network: Network
    code: Path
    course: Path
    settings: dict[str, str] = field(default_factory=dict)
    protocol: str = "tcp"
    logs: dict[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.settings = PATIENCE | {"PYTHONPATH": str(self.code)} | self.settings
        self.scheduler = self.start_scheduler()
        self.desk = self.network.host("desk", DESK)
        self.address = f"{self.protocol}://{self.scheduler.address}:{PORT}"

    def start_scheduler(self) -> Host:
        """Make the scheduler's host and start it."""
        self.scheduler = self.network.host("scheduler", SCHEDULER, hidden=[self.course])
        where = ["--protocol", self.protocol, "--host", self.scheduler.address, "--port", str(PORT)]
        self._dask(self.scheduler, "scheduler", *where, "--no-dashboard")
        self.wait(lambda: "Scheduler at" in self.log("scheduler"))
        return self.scheduler

    def worker(
        self,
        number: int,
        processes: int = 1,
        user: int = 0,
        prepare: Callable[[Host], Any] = lambda _: None,
    ) -> Host:
        """Make a worker's host and start it."""
        host = self.network.host(f"worker{number}", FIRST_WORKER + number, hidden=[self.course])
        prepare(host)
        options = ["--nworkers", str(processes), "--nthreads", "1", "--no-dashboard"]
        address = f"{self.protocol}://{self.scheduler.address}:{PORT}"
        self._dask(
            host,
            "worker",
            address,
            *options,
            "--local-directory",
            str(host.folder / "tmp"),
            user=user,
        )
        return host

    def _dask(self, host: Host, *words: str, user: int = 0) -> None:
        self.logs[host.name] = host.folder / "log"
        python, settings = sys.executable, dict(self.settings)
        if user:
            within = Path(sys.executable).resolve().relative_to(Path(sys.base_prefix).resolve())
            python = str(host.show(Path(sys.base_prefix).resolve(), "python") / within)
            packages = host.show(Path(sysconfig.get_path("purelib")), "site-packages")
            settings["PYTHONPATH"] = f"{self.code}{os.pathsep}{packages}"
            settings["LD_LIBRARY_PATH"] = str(host.folder / "python" / "lib")
        with open(self.logs[host.name], "w") as log:
            command = [python, "-m", "dask", *words]
            # one that lost its scheduler ends, and is started again as any service is
            if words[0] == "worker":
                command = [
                    "sh",
                    "-c",
                    'while :; do "$@"; sleep 2; done',
                    "dask worker, again and again",
                    *command,
                ]
            host.run(command, user=user, settings=settings, stdout=log, stderr=subprocess.STDOUT)

    def grade(self, *options: str, settings: dict[str, str] | None = None) -> subprocess.Popen[Any]:
        """Start what a person types who grades."""
        command = [
            sys.executable,
            "-m",
            "autograder",
            "run",
            NAME,
            "--scheduler",
            self.address,
            *options,
        ]
        streams = {name: open(self.desk.folder / name, "w") for name in ("stdout", "stderr")}
        try:
            return self.desk.run(
                command, cwd=self.course, settings=self.settings | (settings or {}), **streams
            )
        finally:
            for stream in streams.values():
                stream.close()

    def said(self, name: str) -> str:
        """What that command printed."""
        return (self.desk.folder / name).read_text()

    def outcomes(self) -> list[dict[str, Any]]:
        """What it printed with `--json`."""
        try:
            return list(json.loads(self.said("stdout")))
        except ValueError:
            raise RuntimeError(
                f"no outcomes, but:\n{self.said('stderr')}\n{self.end_of_logs()}"
            ) from None

    def log(self, host: str) -> str:
        """What Dask printed on a host."""
        return self.logs[host].read_text()

    def graded(self) -> int:
        """How many records there are."""
        folder = self.course / "records" / NAME
        return (
            sum(entry.name.endswith(".json") for entry in os.scandir(folder))
            if folder.is_dir()
            else 0
        )

    def happened(self, what: str, host: Host, after: float = 0.0) -> float | None:
        """When the scheduler wrote of a host that it came (``"Register"``) or went
        (``"Remove"``).
        """
        for line in self.log("scheduler").splitlines():
            if f"{what} worker" in line and f"://{host.address}:" in line:
                when = datetime.strptime(line[:23], "%Y-%m-%d %H:%M:%S,%f").timestamp()
                if when >= after:
                    return when
        return None

    def wait(
        self,
        condition: Callable[[], Any],
        running: subprocess.Popen[Any] | None = None,
        seconds: float = 120.0,
    ) -> None:
        """Wait until something holds; and no longer than the command runs."""
        until = time.time() + seconds
        while not condition():
            if running is not None and running.poll() is not None:
                return
            if time.time() > until:
                raise RuntimeError(
                    f"something did not happen within {seconds:g} s; the logs:\n"
                    f"{self.end_of_logs()}"
                )
            time.sleep(0.1)

    def end_of_logs(self) -> str:
        """What was printed last on each host."""
        return "\n".join(
            f"--- {name}\n{path.read_text()[-2000:]}" for name, path in self.logs.items()
        )

    def stop(self) -> list[str]:
        """Ask all of Dask to end, as one does at the end of a day; what is still there then."""
        hosts = [host for host in self.network.hosts if host.alive()]
        for host in hosts:
            for process in host.processes():
                with contextlib.suppress(psutil.Error):
                    if "dask" in process.cmdline() or process.name() == "sh":
                        process.terminate()
        until = time.time() + 30
        while (left := [p for host in hosts for p in host.processes()]) and time.time() < until:
            time.sleep(0.2)
        return [" ".join(process.cmdline())[:200] for process in left]


# --- trials
# --------------------------------------------------------------------------------------------------


def breakdown(
    network: Network, code: Path, course: Path, say: Callable[[str], None]
) -> dict[str, Any]:
    """The class on a cluster that breaks."""
    total = sum(1 for _ in (course / "submitted").iterdir())
    trial = Trial(network, code, course)
    first, cut_off = trial.worker(1, processes=2), trial.worker(2, user=NOBODY)
    doomed = trial.worker(3, processes=2)
    for host in (first, cut_off, doomed):
        trial.wait(functools.partial(trial.happened, "Register", host))
    events: list[dict[str, Any]] = []
    backs: list[float] = []
    began = time.time()
    run = trial.grade("--json")

    def note(what: str, **more: Any) -> float:
        now = time.time()
        events.append(
            {"second": round(now - began, 1), "graded": trial.graded(), "what": what, **more}
        )
        say(f"{now - began:7.1f} s  {trial.graded():5} graded  {what} {more or ''}")
        return now

    def share(part: float) -> None:
        trial.wait(lambda: trial.graded() >= part * total, run, seconds=3600)

    def cut(how: str, longer: float) -> None:
        since = note(f"worker2 is cut off {how}")
        cut_off.cut()
        trial.wait(lambda: trial.happened("Remove", cut_off, since), run)
        gone = trial.happened("Remove", cut_off, since) or float("nan")
        note("the scheduler has given worker2 up", seconds=round(gone - since, 1))
        trial.wait(lambda: time.time() > gone + longer, run)
        back = note("worker2 is connected again")
        cut_off.join()
        backs.append(back)

    share(0.05)
    cut("until it is given up", 0.0)
    share(0.3)
    note("worker3 is killed")
    doomed.kill()
    share(0.35)
    note("worker4 is switched on")
    late = trial.worker(4, user=NOBODY)
    trial.wait(lambda: trial.happened("Register", late), run)
    note("worker4 works")
    share(0.5)
    trial.wait(lambda: trial.happened("Register", cut_off, backs[0]), run)
    cut("for longer", LONGER)
    code_of_run = run.wait()
    seconds = time.time() - began
    note("the command has ended", code=code_of_run)
    outcomes = trial.outcomes()
    listed = [outcome["student"] for outcome in outcomes]
    came = [trial.happened("Register", cut_off, back) for back in backs]
    done = {
        host.name: trial.log(host.name).count("Registered to") for host in (first, cut_off, late)
    }
    return {
        "submissions": total,
        "seconds": seconds,
        "per minute": 60 * total / seconds,
        "exit code": code_of_run,
        "stderr": trial.said("stderr").splitlines(),
        "listed": len(listed),
        "listed twice": len(listed) - len(set(listed)),
        "worker2 works again after seconds": [
            round(there - back, 1) if there else None
            for there, back in zip(came, backs, strict=True)
        ],
        "worker processes that came": done,
        "events": events,
        "left running": trial.stop(),
        "outcomes": strip(outcomes),
    }


def strip(outcomes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What `--json` prints, without times."""
    return [
        {key: value for key, value in o.items() if key not in ("seconds", "log")} for o in outcomes
    ]


def without_cluster(code: Path, course: Path) -> dict[str, Any]:
    """The same class by the same command on this machine."""
    began = time.time()
    command = [sys.executable, "-m", "autograder", "run", NAME, "--json"]
    run = subprocess.run(
        command,
        cwd=course,
        env=os.environ | {"PYTHONPATH": str(code)},
        capture_output=True,
        text=True,
        check=False,
    )
    total, seconds = sum(1 for _ in (course / "submitted").iterdir()), time.time() - began
    return {
        "seconds": seconds,
        "per minute": 60 * total / seconds,
        "exit code": run.returncode,
        "outcomes": strip(json.loads(run.stdout)),
    }


def lost_scheduler(network: Network, code: Path, course: Path, killed: bool) -> dict[str, Any]:
    """The scheduler's host is killed, or cut off; the same command finishes with a new one."""
    total = sum(1 for _ in (course / "submitted").iterdir())
    trial = Trial(network, code, course)
    workers = [trial.worker(1), trial.worker(2)]
    run = trial.grade()
    trial.wait(lambda: trial.graded() >= total / 3, run)
    lost = time.time()
    trial.scheduler.kill() if killed else trial.scheduler.cut()
    exit_code = run.wait()
    result = {
        "exit code": exit_code,
        "seconds until the command ended": round(time.time() - lost, 1),
        "stderr": trial.said("stderr").splitlines(),
        "graded by then": trial.graded(),
    }
    for host in [trial.scheduler, *workers]:
        host.remove()
        network.hosts.remove(host)
    trial.start_scheduler()
    worker = trial.worker(1)
    trial.wait(lambda: trial.happened("Register", worker))
    again = trial.grade("--json")
    result["exit code of the same command again"] = again.wait()
    outcomes = trial.outcomes()
    result["graded in the second run"] = sum(outcome.get("judged", False) for outcome in outcomes)
    return result | {"left running": trial.stop()}


def other_version(network: Network, code: Path, course: Path) -> dict[str, Any]:
    """A worker on whose host the comparison is another one."""
    changed = network.folder / "compare.py"
    changed.write_text((code / "verdict" / "compare.py").read_text() + "\n# one line more\n")

    def prepare(host: Host) -> None:
        put = ["mount", "--bind", str(changed), str(code / "verdict" / "compare.py")]
        assert host.run(put).wait() == 0, "the changed file could not be put over the other one"

    trial = Trial(network, code, course)
    trial.worker(1, prepare=prepare)
    exit_code = trial.grade().wait()
    records = [json.loads(path.read_text()) for path in (course / "records" / NAME).glob("*.json")]
    scores = sum("checks" in record for record in records)
    return {"exit code": exit_code, "stderr": trial.said("stderr").splitlines(), "scores": scores}


def encrypted(network: Network, code: Path, course: Path) -> dict[str, Any]:
    """With TLS; then by somebody who has no certificate."""
    folder = network.folder / "certificates"
    make_certificates(folder)
    prefix, names = "DASK_DISTRIBUTED__COMM__TLS__", ("scheduler", "worker", "client")
    settings = {
        f"{prefix}CA_FILE": str(folder / "ca.pem"),
        "DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "true",
    }
    for name in names:
        settings |= {
            f"{prefix}{name.upper()}__{kind.upper()}": str(folder / f"{kind}.pem")
            for kind in ("cert", "key")
        }
    trial = Trial(network, code, course, settings, protocol="tls")
    trial.worker(1)
    result: dict[str, Any] = {"exit code": trial.grade().wait(), "graded": trial.graded()}
    result["stderr"] = trial.said("stderr").splitlines()
    trial.settings = {name: value for name, value in trial.settings.items() if name not in settings}
    refused = trial.grade("--force", settings={})
    return result | {
        "exit code without a certificate": refused.wait(),
        "stderr without a certificate": trial.said("stderr").splitlines(),
        "settings": sorted(settings),
    }


def make_certificates(folder: Path) -> None:
    """An authority of one's own, and one certificate from it for all three sides."""
    folder.mkdir()
    new = [
        "req",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]
    for command in (
        [*new, "-x509", "-subj", "/CN=ca", "-keyout", "ca.key", "-out", "ca.pem"],
        [*new, "-subj", "/CN=grading", "-keyout", "key.pem", "-out", "request.pem"],
        (
            "x509 -req -days 2 -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -out "
            "cert.pem"
        ).split(),
    ):
        subprocess.run(["openssl", *command], cwd=folder, check=True, capture_output=True)


# --- all of it
# --------------------------------------------------------------------------------------------------


def about() -> dict[str, Any]:
    """What the numbers belong to."""
    bubblewrap = subprocess.run(
        ["bwrap", "--version"], capture_output=True, text=True, check=True
    ).stdout.split()[-1]
    return {
        **machine("numpy", "dask", "distributed", "nbgrader"),
        "load": os.getloadavg(),
        "linux": platform.release().partition("-")[0],
        "bubblewrap": bubblewrap,
    }


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--submissions", type=int, default=2000)
    parser.add_argument("--small", type=int, default=120, help="submissions of the other trials")
    parser.add_argument(
        "--only", help="breakdown, killed, cut, version or tls; the others' results stay"
    )
    parser.add_argument("--out", type=Path, default=RESULTS)
    return parser.parse_args()


def copy_code(place: Path) -> Path:
    """Copy what a host needs of the house, and give the place back."""
    for package in ("autograder", "verdict"):
        shutil.copytree(
            ROOT / package, place / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    return place


def trials_with(code: Path) -> dict[str, Callable[[Network, Path], dict[str, Any]]]:
    """The trials by name, each to be called with the hosts and a course."""
    return {
        "breakdown": lambda network, course: breakdown(network, code, course, print),
        "killed": lambda network, course: lost_scheduler(network, code, course, killed=True),
        "cut": lambda network, course: lost_scheduler(network, code, course, killed=False),
        "version": lambda network, course: other_version(network, code, course),
        "tls": lambda network, course: encrypted(network, code, course),
    }


def compare(
    report: dict[str, Any], left: dict[str, dict[str, Any]], expected: dict[str, Any], part: Path
) -> Iterator[str]:
    """What differs from the run without a cluster, which `report` gets, too.

    Parameters
    ----------
    report : what each trial told
    left : what each trial left in its course
    expected : what the run without a cluster left
    part : course of the small class
    """
    alone = report["without a cluster"]
    for trial in left:
        if trial == "version":
            continue
        told = report[trial]
        if trial == "breakdown":
            differ = differences(left[trial], expected)
            differ += ["what was printed"] * (told.pop("outcomes") != alone["outcomes"])
            differ += ["exit code"] * (told["exit code"] != alone["exit code"])
            told["compared"] = len(expected)
        else:
            small = only(expected, part)
            differ = differences(only(left[trial], part), small)
            told["compared"] = len(small)
        told["different"] = differ
        yield from (f"{trial}: {what}" for what in differ)
    alone.pop("outcomes")
    for trial in left:
        yield from (f"{trial}: {p} is left" for p in report[trial].get("left running", []))


def main() -> None:
    """Run all trials, compare, print, write."""
    options = arguments()
    if reason := why_not():
        raise SystemExit(f"Hosts cannot be made here: {reason}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # nbgrader asks for alembic
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    report: dict[str, Any] = {"machine": about(), "settings": PATIENCE}
    with tempfile.TemporaryDirectory(prefix="bench-cluster-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        code = copy_code(folder / "code")
        whole = make_course(folder / "whole", options.submissions)
        part = make_course(folder / "part", options.small)
        shutil.copy(whole / "records" / "course.key", part / "records" / "course.key")
        left: dict[str, dict[str, Any]] = {}
        for k, (trial, function) in enumerate(trials_with(code).items()):
            if options.only not in (None, trial):
                continue
            course = Path(shutil.copytree(whole if trial == "breakdown" else part, folder / trial))
            with Network(folder / f"hosts{k}") as network:
                report[trial] = function(network, course)
            left[trial] = found(course)
            print(
                trial,
                json.dumps(
                    {k: v for k, v in report[trial].items() if k not in ("outcomes", "events")}
                ),
            )
        alone = "breakdown" in report
        report["without a cluster"] = without_cluster(code, whole if alone else part)
        wrong = list(compare(report, left, found(whole if alone else part), part))
    print(json.dumps(report["without a cluster"]))
    if options.only:
        if not alone:
            del report["machine"], report["without a cluster"]
        report = (json.loads(options.out.read_text()) if options.out.exists() else {}) | report
    options.out.write_text(json.dumps(report, indent=1) + "\n")
    if wrong:
        raise SystemExit("\n".join(wrong[:50]))


if __name__ == "__main__":
    main()
