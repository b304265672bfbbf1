"""Grading on a Dask cluster: a scheduler and workers in processes of their own, on loopback."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from autograder.batch import cluster
from autograder.batch import grading as batch
from autograder.batch.grading import Grading
from autograder.course.course import Course
from autograder.course.database import open_gradebook
from autograder.errors import ClusterError, IsolationError
from tests.support.netns import Network, why_not
from tests.support.tiny_course import ADDS, RIGHT, hand_in, hand_in_text

ROOT = Path(__file__).parents[3]


class Processes:
    """A scheduler, and workers that can be killed one by one."""

    def __init__(self, folder):
        self.file, self.log, self.running = folder / "scheduler.json", open(folder / "log", "w"), []
        # No worker waits long for another that was lost.
        self.environment = os.environ | {
            "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "5s",
            "PYTHONPATH": str(ROOT),
        }
        self.scheduler = self.start(
            "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"
        )
        for _ in range(300):
            if self.file.exists() and self.file.stat().st_size:
                break
            time.sleep(0.1)

        self.address = json.loads(self.file.read_text())["address"]

    def start(self, *arguments):
        command = [sys.executable, "-m", "dask", *arguments, "--scheduler-file", str(self.file)]
        process = subprocess.Popen(
            command, stdout=self.log, stderr=self.log, env=self.environment, cwd="/"
        )
        self.running.append(process)
        return process

    def worker(self):
        return self.start(
            "worker", "--host", "127.0.0.1", "--nthreads", "1", "--no-nanny", "--no-dashboard"
        )

    def end(self):
        for process in reversed(self.running):
            process.kill()
            process.wait()
        self.log.close()


@pytest.fixture
def processes(tmp_path):
    processes = Processes(tmp_path)
    yield processes
    processes.end()


@pytest.fixture
def course(tiny_course, empty_gradebook):
    shutil.copy(empty_gradebook, tiny_course / "gradebook.db")
    for k in range(12):
        hand_in(tiny_course, f"student-{k:02}", ADDS if k % 3 else RIGHT)
    hand_in_text(tiny_course, "unreadable", "{")
    return Course.load(tiny_course)


def scores(course):
    with open_gradebook(course.directory) as gradebook:
        return [
            (submission.student.id, grade.name, grade.auto_score)
            for submission in gradebook.assignment_submissions("tiny")
            for grade in submission.notebooks[0].grades
        ]


def test_a_cluster_grades_as_this_machine_does_and_a_lost_worker_costs_nobody_a_grade(
    course, processes
):
    workers = [processes.worker(), processes.worker()]
    seen = []

    def progress(outcome):
        seen.append(outcome.student)
        if len(seen) == 3:
            workers[0].send_signal(signal.SIGKILL)

    students = course.students("tiny")
    # this machine needs no sandbox of its own
    grading = Grading.prepare(course, "tiny", elsewhere=True)
    outcomes = batch.run(grading, students, scheduler=processes.address, progress=progress)
    assert sorted(seen) == students  # each once
    assert [outcome.student for outcome in outcomes if outcome.problem] == ["unreadable"]
    assert {outcome.result.isolation for outcome in outcomes if outcome.result} == {"bubblewrap"}
    there = scores(course)
    assert [row for row in there if row[0] == "student-01"] == [
        ("student-01", "scale", 0.0),
        ("student-01", "total", 1.0),
    ]
    batch.run(Grading.prepare(course, "tiny"), students, force=True)
    assert scores(course) == there


def test_a_scheduler_that_goes_away_stops_the_run_and_what_was_graded_is_kept(course, processes):
    processes.worker()
    seen = []

    def progress(outcome):
        seen.append(outcome.student)
        if len(seen) == 4:
            processes.scheduler.kill()

    with pytest.raises(ClusterError, match="is gone .* run the same command"):
        batch.run(
            Grading.prepare(course, "tiny"),
            course.students("tiny"),
            scheduler=processes.address,
            progress=progress,
        )
    kept = len(list((course.records / "tiny").glob("*.json")))
    assert kept >= 4
    outcomes = batch.run(Grading.prepare(course, "tiny"), course.students("tiny"))
    assert sum(outcome.judged for outcome in outcomes) <= 12 - (kept - 1)
    assert len(scores(course)) == 26


def test_a_worker_with_another_version_of_the_course_grades_nobody(course, processes):
    processes.worker()
    grading = Grading.prepare(course, "tiny")
    other = replace(grading, problem_set=replace(grading.problem_set, digest="0" * 64))
    with pytest.raises(ClusterError, match="another version of this course"):
        batch.run(other, ["student-00"], scheduler=processes.address)
    assert not list((course.records / "tiny").glob("*.json"))


def test_a_host_that_is_cut_off_costs_nobody_a_grade_and_grades_nobody_twice(course, tmp_path):
    if reason := why_not():
        pytest.skip(f"hosts cannot be made here: {reason}")
    for k in range(12, 59):
        hand_in(course.root, f"student-{k:02}", ADDS if k % 3 else RIGHT)
    students = course.students("tiny")
    # A connection that is silent is given up after 11 seconds, the shortest that Dask takes.
    settings = {"DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": "11s", "PYTHONPATH": str(ROOT)}

    def start(host, *words):
        with open(host.folder / "log", "w") as log:
            command = [sys.executable, "-m", "dask", *words, "--no-dashboard"]
            host.run(command, settings=settings, stdout=log, stderr=log)

    def wait(condition):
        for _ in range(600):
            if condition():
                return
            time.sleep(0.1)
        pytest.fail((scheduler.folder / "log").read_text() + (desk.folder / "log").read_text())

    def said(words):
        return re.findall(
            rf"{words} worker.*tcp://{cut_off.address}:", (scheduler.folder / "log").read_text()
        )

    with Network(tmp_path / "hosts") as network:
        scheduler = network.host("scheduler", 1, hidden=[course.root])
        start(scheduler, "scheduler", "--host", scheduler.address)
        workers = [network.host(f"worker{k}", 11 + k, hidden=[course.root]) for k in range(2)]
        for host in workers:
            start(host, "worker", f"{scheduler.address}:8786", "--nthreads", "1", "--no-nanny")
        desk, cut_off = network.host("desk", 2), workers[1]
        command = [sys.executable, "-m", "autograder", "run", "tiny", "--json"]
        address = ["--scheduler", f"tcp://{scheduler.address}:8786"]
        with open(tmp_path / "said", "w") as file, open(desk.folder / "log", "w") as log:
            run = desk.run(
                [*command, *address], cwd=course.root, settings=settings, stdout=file, stderr=log
            )
        wait(lambda: said("Register") and len(list((course.records / "tiny").glob("*.json"))) >= 10)
        cut_off.cut()
        wait(lambda: said("Remove"))
        cut_off.join()  # while it still holds what was given to others
        assert run.wait(timeout=120) == 1  # one cannot be read
    listed = json.loads((tmp_path / "said").read_text())
    assert [outcome["student"] for outcome in listed] == students
    expected = [
        (f"student-{k:02}", *row)
        for k in range(59)
        for row in (("scale", 0.0 if k % 3 else 2.0), ("total", 1.0))
    ]
    assert [row for row in scores(course) if row[0] != "unreadable"] == expected


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("tcp://127.0.0.1:9", "no Dask scheduler answers at tcp://127.0.0.1:9"),
        ("nowhere:x", "no Dask"),
    ],
)
def test_without_a_scheduler_the_way_to_one_is_said(course, monkeypatch, address, said):
    monkeypatch.setattr(cluster, "CONNECT_LIMIT", 1.0)
    with pytest.raises(ClusterError, match=said):
        batch.run(Grading.prepare(course, "tiny"), ["student-00"], scheduler=address)


def test_without_a_worker_the_way_to_one_is_said(course, processes, monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT_LIMIT", 1.0)
    with pytest.raises(ClusterError, match="has no worker after 1 seconds"):
        batch.run(Grading.prepare(course, "tiny"), ["student-00"], scheduler=processes.address)


def test_what_is_to_run_elsewhere_does_not_run_here(course):
    grading = Grading.prepare(course, "tiny", elsewhere=True)
    with pytest.raises(IsolationError, match="on a cluster's workers, not here"):
        batch.run(grading, ["student-00"])


def test_a_problem_set_goes_along_without_its_solution(course, monkeypatch):
    chosen = Grading.prepare(course, "tiny").problem_set
    assert [name for name, _ in cluster.bundle(chosen)] == ["checks.py"]
    monkeypatch.setattr(cluster, "MAX_SET_BYTES", 10)
    with pytest.raises(ClusterError, match="can go along with a task"):
        cluster.bundle(chosen)
