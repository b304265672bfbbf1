import contextlib
import gc
import json
import os
import select
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import time
import weakref
from dataclasses import replace

import nbformat
import psutil
import pytest

from autograder import errors
from autograder.batch import entering, log, pool
from autograder.batch import grading as batch
from autograder.batch.grading import Grading
from autograder.course.course import Course
from autograder.course.database import open_gradebook
from autograder.course.key import course_key
from autograder.course.rebuild import read_notebook, rebuild
from autograder.errors import AutograderError, GradebookError, IsolationError
from autograder.judge.judge import grade
from autograder.judge.result import Result
from autograder.sandbox import choose, remote
from autograder.sandbox.finding import Finding
from tests.support.tiny_course import ADDS, RIGHT, hand_in, hand_in_text


@pytest.fixture
def course(tiny_course, empty_gradebook):
    shutil.copy(empty_gradebook, tiny_course / "gradebook.db")
    return Course.load(tiny_course)


@pytest.fixture
def grading(course):
    return Grading.prepare(course, "tiny")


def scores(course):
    with open_gradebook(course.directory) as gradebook:
        found = gradebook.assignment_submissions("tiny")
        return {
            submission.student.id: {
                grade.name: grade.auto_score for grade in submission.notebooks[0].grades
            }
            for submission in found
        }


def records(course):
    return {
        path.stem: json.loads(path.read_text()) for path in (course.records / "tiny").glob("*.json")
    }


def test_all_are_graded_and_a_broken_one_stops_nobody(course, grading):
    hand_in(course.root, "ann", RIGHT)
    hand_in(course.root, "bob", ADDS)
    hand_in_text(course.root, "cay", "{")
    hand_in(course.root, "dan", {})
    hand_in(course.root, "eve", RIGHT).rename(course.submission("eve", "tiny") / "final.ipynb")
    hand_in(course.root, "gus", RIGHT).rename(course.submission("gus", "tiny") / "a.ipynb")
    hand_in(course.root, "gus", RIGHT).rename(course.submission("gus", "tiny") / "b.ipynb")
    hand_in(course.root, "fay", RIGHT).unlink()
    course.submission("fay", "tiny").joinpath("tiny.ipynb").symlink_to(
        course.submission("ann", "tiny") / "tiny.ipynb"
    )
    seen = []
    outcomes = batch.run(grading, course.students("tiny"), jobs=2, progress=seen.append)
    assert [outcome.student for outcome in outcomes] == [
        "ann",
        "bob",
        "cay",
        "dan",
        "eve",
        "fay",
        "gus",
    ]
    assert sorted(outcome.student for outcome in seen) == [outcome.student for outcome in outcomes]
    ann, bob, cay, dan, eve, fay, gus = outcomes
    assert [outcome.result.score for outcome in (ann, bob, dan)] == [3, 1, 0]
    assert bob.result.check("scale").misconception == "adds"
    assert "cannot be read as JSON" in cay.problem
    assert eve.result.score == 3 and "The notebook was called final.ipynb." in eve.result.notes
    assert (
        gus.problem
        == "tiny.ipynb was not handed in; there are a.ipynb, b.ipynb; give one of them that name"
    )
    assert "symbolic link" in fay.problem
    nothing = {"scale": None, "total": None}
    assert scores(course) == {
        "ann": {"scale": 2.0, "total": 1.0},
        "bob": {"scale": 0.0, "total": 1.0},
        "dan": {"scale": 0.0, "total": 0.0},
        "cay": nothing,
        "eve": {"scale": 2.0, "total": 1.0},
        "fay": nothing,
        "gus": nothing,
    }
    assert records(course)["cay"] == {
        "problem_set": "tiny",
        "student": "cay",
        "problem": cay.problem,
    }
    graded = nbformat.read(course.autograded("bob", "tiny") / "tiny.ipynb", as_version=4)
    assert "It adds a instead of multiplying" in nbformat.writes(graded)
    assert not course.autograded("cay", "tiny").exists()


def test_only_what_changed_is_judged_again(course, grading, monkeypatch):
    hand_in(course.root, "ann", RIGHT)
    bob = hand_in(course.root, "bob", RIGHT)

    def judged(grading, **options):
        return [
            outcome.student
            for outcome in batch.run(grading, ["ann", "bob"], **options)
            if outcome.judged
        ]

    assert judged(grading) == ["ann", "bob"]
    assert judged(grading) == []
    bob.write_text(bob.read_text().replace("x.sum()", "x.mean()"))
    assert judged(grading) == ["bob"]
    assert scores(course)["bob"] == {"scale": 2.0, "total": 0.0}
    assert judged(grading, force=True) == ["ann", "bob"]
    checks = course.root / "solutions" / "tiny" / "checks.py"
    checks.write_text(checks.read_text() + "\n# another version\n")
    assert judged(Grading.prepare(course, "tiny")) == ["ann", "bob"]
    assert judged(Grading.prepare(course, "tiny", unsafe_local=True)) == ["ann", "bob"]
    assert records(course)["ann"]["isolation"] == "unsafe-local"


def test_a_submission_that_cannot_be_graded_keeps_no_score_of_an_earlier_one(course, grading):
    path = hand_in(course.root, "ann", RIGHT)
    batch.run(grading, ["ann"])
    with open_gradebook(course.directory) as gradebook:
        gradebook.find_grade("total", "tiny", "tiny", "ann").manual_score = 0.5
        gradebook.db.commit()
    path.write_text("{")
    (ann,) = batch.run(grading, ["ann"])
    assert ann.refused and "cannot be read as JSON" in ann.problem
    assert scores(course) == {"ann": {"scale": None, "total": None}}
    assert not course.autograded("ann", "tiny").exists()
    with open_gradebook(course.directory) as gradebook:
        submission = gradebook.find_submission("tiny", "ann")
        # the instructor's own is kept
        assert (submission.score, submission.needs_manual_grade) == (0.5, True)
    hand_in(course.root, "ann", RIGHT)
    batch.run(grading, ["ann"])
    assert scores(course) == {"ann": {"scale": 2.0, "total": 1.0}}


def test_a_judge_that_fails_leaves_the_earlier_score(course, grading, monkeypatch):
    hand_in(course.root, "ann", RIGHT)
    batch.run(grading, ["ann"])
    monkeypatch.setattr(pool.JudgePool, "ask", lambda self, *asked: 1 / 0)
    (ann,) = batch.run(grading, ["ann"], force=True)
    assert "the grading itself failed" in ann.problem and not ann.refused
    assert scores(course) == {"ann": {"scale": 2.0, "total": 1.0}}


def test_a_damaged_record_is_made_anew(course, grading):
    hand_in(course.root, "ann", RIGHT)
    batch.run(grading, ["ann"])
    (course.records / "tiny" / "ann.json").write_text('{"problem_set": "tiny", "che')
    (outcome,) = batch.run(grading, ["ann"])
    assert outcome.judged
    assert records(course)["ann"]["checks"][0]["score"] == 2


def test_notes_on_the_submission_are_in_the_record_and_the_notebook(course, grading):
    def skip(notebook):
        for cell in notebook.cells:
            cell.metadata["tags"] = ["skip-execution"]

    hand_in(course.root, "ann", {}, skip)
    (outcome,) = batch.run(grading, ["ann"])
    assert outcome.result.score == 0
    assert "Tags of cell scale were changed; they are not read." in outcome.result.notes
    graded = nbformat.read(course.autograded("ann", "tiny") / "tiny.ipynb", as_version=4)
    assert "Tags of cell scale were changed" in graded.cells[-1].outputs[0].text
    assert not batch.run(grading, ["ann"])[0].judged


def test_the_graded_notebook_lies_where_nbgrader_looks_with_the_time_stamp_and_nothing_else(
    course, grading
):
    folder = hand_in(course.root, "ann", RIGHT).parent
    (folder / "timestamp.txt").write_text("2026-03-01 11:00:00 UTC")
    (folder / "data.csv").write_text("1,2")
    (folder / "passwords").symlink_to("/etc/passwd")
    batch.run(grading, ["ann"])
    files = {
        path.name: stat.S_IMODE(path.stat().st_mode)
        for path in course.autograded("ann", "tiny").iterdir()
    }
    assert files == {"tiny.ipynb": 0o444, "timestamp.txt": 0o444}
    with open_gradebook(course.directory) as gradebook:
        assert str(gradebook.find_submission("tiny", "ann").timestamp) == "2026-03-01 11:00:00"


def test_a_time_stamp_that_is_none_costs_only_its_own_submission(course, grading):
    for name in ("ann", "bob"):
        hand_in(course.root, name, RIGHT)
    (course.submission("ann", "tiny") / "timestamp.txt").write_text("yesterday or so")
    ann, bob = batch.run(grading, ["ann", "bob"])
    assert (
        ann.problem
        == "timestamp.txt holds no time such as 2026-03-01 11:00:00 UTC; mend it, or remove it"
    )
    assert bob.result.score == 3
    assert scores(course) == {
        "ann": {"scale": None, "total": None},
        "bob": {"scale": 2.0, "total": 1.0},
    }


def test_a_folder_name_that_is_no_text_is_named_and_stops_nobody(course, grading):
    os.makedirs(os.fsencode(course.root / "submitted") + b"/\xff\xfe/tiny")
    hand_in(course.root, "ann", RIGHT)
    outcomes = batch.run(grading, course.students("tiny"))
    assert sorted(bool(outcome.problem) for outcome in outcomes) == [False, True]


def test_seeds_differ_by_student_and_work_and_come_from_the_key(grading):
    cells = ["x = 1"]
    seeds = {grading.seed("ann", cells), grading.seed("bob", cells), grading.seed("ann", ["x = 2"])}
    assert len(seeds) == 3
    assert grading.seed("ann", cells) in seeds
    other = Grading(
        grading.course,
        grading.problem_set,
        grading.release,
        grading.isolation,
        key=b"another key of 16",
    )
    assert other.seed("ann", cells) not in seeds


def test_the_seed_in_a_record_is_the_one_that_the_key_gives(course, grading):
    path = hand_in(course.root, "ann", RIGHT)
    (outcome,) = batch.run(grading, ["ann"])
    cells = rebuild(grading.release, read_notebook(path)).cells
    assert outcome.result.seed == records(course)["ann"]["seed"] == grading.seed("ann", cells)


def test_the_key_is_made_once_and_readable_by_its_owner_only(tmp_path):
    key = course_key(tmp_path / "records")
    assert len(key) == 32
    assert course_key(tmp_path / "records") == key
    assert stat.S_IMODE((tmp_path / "records" / "course.key").stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "records").iterdir()] == ["course.key"]
    assert course_key(tmp_path / "others") != key


def test_a_file_that_holds_no_key_is_named(tmp_path):
    (tmp_path / "course.key").write_text("")
    with pytest.raises(AutograderError, match="course.key holds no key. Restore it"):
        course_key(tmp_path)


def test_a_locked_gradebook_loses_no_verdict(course, grading):
    hand_in(course.root, "ann", RIGHT)
    course.directory.db_url = f"sqlite:///{course.root}/gradebook.db?timeout=0.1"
    batch.run(grading, [])  # registers the problem set
    lock = sqlite3.connect(course.root / "gradebook.db")
    lock.execute("begin immediate")  # others may read
    with pytest.raises(GradebookError, match="is locked"):
        batch.run(grading, ["ann"])
    lock.rollback()
    lock.close()
    assert records(course)["ann"]["checks"][0]["score"] == 2
    (outcome,) = batch.run(grading, ["ann"])
    assert not outcome.judged
    assert scores(course)["ann"] == {"scale": 2.0, "total": 1.0}


ENDLESS = RIGHT | {"total_code": "import time\ndef total(x):\n    time.sleep(600)"}


def test_a_run_that_was_killed_goes_on_where_it_ended(course, grading):
    hand_in(course.root, "ann", RIGHT)
    hand_in(course.root, "bob", ENDLESS)
    hand_in(course.root, "cay", ADDS)
    command = [sys.executable, "-m", "autograder", "run", "tiny", "--jobs", "1"]
    process = subprocess.Popen(
        command, cwd=course.root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    first = course.records / "tiny" / "ann.json"
    while not first.exists() and process.poll() is None:
        time.sleep(0.05)
    process.kill()  # while bob's code sleeps
    process.wait()
    written = first.stat().st_mtime_ns
    hand_in(course.root, "bob", RIGHT)
    outcomes = batch.run(grading, ["ann", "bob", "cay"])
    assert [outcome.result.score for outcome in outcomes] == [3, 3, 1]
    assert [outcome.student for outcome in outcomes if not outcome.judged] == ["ann"]
    assert first.stat().st_mtime_ns == written
    assert set(scores(course)) == {"ann", "bob", "cay"}


def test_a_judge_that_is_lost_is_replaced_and_the_submission_asked_again_once(grading, monkeypatch):
    cells = ["def scale(x, a):\n    return a * x"]
    with pool.JudgePool(grading.problem_set.folder, grading.isolation) as judges:
        first = judges.ask(cells, "seed", "ann")
        (lost,) = judges._all
        os.kill(lost.pid, signal.SIGKILL)
        again = judges.ask(cells, "seed", "ann")
        assert again.checks == first.checks
        assert again.log[0] == "the judge's process ended (exit code -9); all was asked again."
        start = judges._start

        def start_and_kill():
            judge = start()
            judge.pid = judge.connection.recv()
            os.kill(judge.pid, signal.SIGKILL)
            return judge

        monkeypatch.setattr(judges, "_start", start_and_kill)
        (second,) = judges._all
        os.kill(second.pid, signal.SIGKILL)
        with pytest.raises(
            errors.JudgeError,
            match="ended .exit code -9.; another one was asked, and the judge's process ended",
        ):
            judges.ask(cells, "seed", "ann")
        monkeypatch.undo()
        assert judges.ask(cells, "seed", "ann").checks == first.checks
        pids = [lost.pid, second.pid, *(judge.pid for judge in judges._all)]
    assert len(set(pids)) == 3 and not any(map(psutil.pid_exists, pids))


def test_a_sandbox_that_does_not_start_is_tried_once_more(grading, monkeypatch):
    answers = iter([IsolationError("No sandbox.", "Wait."), "a record"])

    def ask(self, *asked):
        if isinstance(answer := next(answers), Exception):
            raise answer
        return Result("tiny", "ann", "seed", "bubblewrap", "hash", ())

    monkeypatch.setattr(pool.JudgePool, "_ask", ask)
    with pool.JudgePool(grading.problem_set.folder, grading.isolation) as judges:
        assert judges.ask([], "seed", "ann").log == ("No sandbox. Wait.; all was asked again.",)


def test_a_worker_that_is_killed_from_outside_costs_its_student_nothing(grading, monkeypatch):
    """The first worker is killed from outside, as a machine short of memory does."""
    starts = []
    start = type(grading.isolation).start

    def killed_later(self, *arguments):
        box = start(self, *arguments)
        starts.append(box)
        send = box.send

        def kill_and_send(data, deadline):
            if b"call" in data and len(starts) <= deaths:
                signal.pidfd_send_signal(box.first, signal.SIGKILL)
                select.select([box.first], [], [])  # it ends when all in its namespace have
            send(data, deadline)

        box.send = kill_and_send
        return box

    monkeypatch.setattr(type(grading.isolation), "start", killed_later)
    cells = [RIGHT["scale_code"], RIGHT["total_code"].replace("x.sum()", "sum(x)")]
    deaths = 1
    record = grade(cells, grading.problem_set, seed="seed", isolation=grading.isolation)
    assert [check.status for check in record.checks] == ["passed", "passed"]
    assert any("was lost" in line and "SIGKILL" in line for line in record.log)
    assert sum("asked again" in line for line in record.log) == 1
    deaths = 100
    for warm in (True, False):  # forked from a fork server, and in a fresh box
        starts.clear()
        box = replace(grading.isolation, warm=warm)
        with pytest.raises(errors.JudgeError, match="killed from outside 4 times"):
            grade(cells, grading.problem_set, seed="seed", isolation=box)


@pytest.mark.parametrize("warm", [True, False])
@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("os.kill(os.getpid(), 9)", "SIGKILL"),
        ("os._exit(137)", "SIGKILL"),
        ("os._exit(201)", ""),  # what the first process tells of a kill
        ("os.kill(0, 9)", "SIGKILL"),
        (
            (
                "exec('try:\\n  os.kill(1, 9)\\n  os.kill(1, 2)\\nexcept OSError:\\n  pass'); "
                "os._exit(3)"
            ),
            "exit status 3",
        ),
    ],
)
def test_code_that_kills_itself_is_never_taken_for_killed_from_outside(grading, warm, how, words):
    cells = [f"import os\ndef scale(x, a):\n    {how}"]
    box = replace(grading.isolation, warm=warm)
    scale = grade(cells, grading.problem_set, seed="seed", isolation=box).check("scale")
    assert (scale.status, scale.score) == ("crashed", 0)
    assert words in scale.message


def test_judges_that_were_stopped_take_nothing_more(grading):
    judges = pool.JudgePool(grading.problem_set.folder, grading.isolation)
    with judges:
        pass
    with pytest.raises(errors.Stopped):
        judges.ask([], "seed", "ann")


def test_what_fails_in_the_grading_itself_is_an_outcome_and_is_written_down(
    course, grading, monkeypatch
):
    hand_in(course.root, "ann", RIGHT)

    def broken(*arguments):
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(pool.JudgePool, "ask", broken)
    (outcome,) = batch.run(grading, ["ann"])
    assert outcome.problem == "the grading itself failed: ZeroDivisionError: oh"
    assert records(course)["ann"]["problem"] == outcome.problem


def test_a_sandbox_that_fails_stops_the_run_and_writes_nothing(course, grading, monkeypatch):
    hand_in(course.root, "ann", RIGHT)

    def broken(*arguments):
        raise IsolationError("No sandbox.", "Install one.")

    monkeypatch.setattr(pool.JudgePool, "ask", broken)
    with pytest.raises(IsolationError, match="No sandbox"):
        batch.run(grading, ["ann"])
    assert records(course) == {}


def test_stopping_in_the_middle_ends_the_judges_and_writes_nothing_half(course, grading):
    hand_in(course.root, "ann", RIGHT)
    for name in ("yan", "zoe"):
        hand_in(course.root, name, ENDLESS)
    seen = []

    def stop(outcome):
        seen.append(outcome)
        raise KeyboardInterrupt

    with contextlib.suppress(KeyboardInterrupt):
        batch.run(grading, ["ann", "yan", "zoe"], jobs=3, progress=stop)
    assert [(outcome.student, outcome.problem) for outcome in seen] == [("ann", "")]
    assert set(records(course)) == {"ann"}
    first = records(course)["ann"]
    (ann,) = batch.run(grading, ["ann"])
    assert not ann.judged, (first, records(course)["ann"], ann)


def test_each_submission_has_a_log_that_tells_what_happened(course, grading, monkeypatch):
    talks = RIGHT | {
        "total_code": "def total(x):\n    print('here \\x1b[31m I am')\n    return "
        "__import__('os')._exit(3)"
    }
    hand_in(
        course.root,
        "ann",
        talks,
        lambda notebook: notebook.cells[-1].metadata.update(tags=["skip-execution"]),
    )
    path = hand_in_text(course.root, "bob", "{")
    ann, bob = batch.run(grading, ["ann", "bob"])
    assert ann.log == course.logs / "tiny" / "ann.log"
    said = ann.log.read_text()
    for part in (
        "tiny, ann, graded 20",
        "2 of 3 points",
        "isolation  bubblewrap",
        "seconds    load ",
        "passed       scale: 2 of 2.",
        "crashed      total: 0 of 1. total gave no answer",
        "- Tags of cell total were changed",
        "worker 1 is up",
        "worker 1 was lost at 'call total",
        "WorkerDied: exit status 3",
        "here \N{REPLACEMENT CHARACTER}[31m I am",
    ):
        assert part in said, part
    assert "not graded  tiny.ipynb is no notebook" in bob.log.read_text()
    path.write_text((course.submission("ann", "tiny") / "tiny.ipynb").read_text())
    batch.run(grading, ["bob"])
    assert "not graded" not in bob.log.read_text()  # replaced
    monkeypatch.setattr(pool.JudgePool, "_ask", lambda self, *asked: {}["lost"])
    batch.run(grading, ["bob"], force=True)
    assert "KeyError: 'lost'" in bob.log.read_text() and "Traceback" in bob.log.read_text()


def test_a_log_has_an_end():
    record = Result("tiny", "ann", "seed", "bubblewrap", "hash", (), notes=("x" * 3000,) * 100)
    assert len(log.of(record)) < log.MAX_LOG + 100
    assert len(log.of_refusal("tiny", "ann", "no", "y\n" * 10**5)) < log.MAX_LOG + 100


def test_notebooks_of_a_large_class_are_let_go_as_soon_as_they_are_entered(
    course, grading, monkeypatch
):
    students = [f"student-{k:02}" for k in range(60)]
    for student in students:
        hand_in(course.root, student, RIGHT)
    once = grade(
        [RIGHT["scale_code"]], grading.problem_set, seed="seed", isolation=grading.isolation
    )
    held, most = [], []
    fill = batch.fill

    def remembered(notebook, record):
        held.append(weakref.ref(notebook))
        held.append(weakref.ref(record))
        fill(notebook, record)

    for module in (batch, entering):
        monkeypatch.setattr(module, "GROUP", 4)
    monkeypatch.setattr(batch, "fill", remembered)
    monkeypatch.setattr(
        pool.JudgePool, "_ask", lambda self, cells, seed, student: replace(once, student=student)
    )

    def alive(outcome=None):
        return sum(reference() is not None for reference in held)

    outcomes = batch.run(grading, students, jobs=2, progress=lambda outcome: most.append(alive()))
    assert [outcome.result.score for outcome in outcomes] == [2] * 60
    gc.collect()
    # Two for each submission that is in work, waits, or is being entered, at any time.
    assert len(held) == 120 and alive() == 0 and max(most) <= 2 * (2 + 3 * batch.GROUP)


@pytest.mark.parametrize(
    ("asked", "recorded", "holds"),
    [
        ("bubblewrap", "bubblewrap", True),
        ("bubblewrap", "podman", True),
        ("bubblewrap", "unsafe-local", False),
        ("unsafe-local", "unsafe-local", True),
        ("unsafe-local", "podman", False),
    ],
)
def test_record_of_a_cluster_holds_whatever_sandbox_its_worker_had(
    course, grading, asked, recorded, holds
):
    hand_in(course.root, "ann", RIGHT)
    on_cluster = replace(grading, isolation=remote.RemoteSandbox(asked))
    asks = []

    def ask(cells, seed, student):
        asks.append(student)
        return replace(
            grade(cells, grading.problem_set, seed=seed, isolation=grading.isolation),
            isolation=recorded,
        )

    on_cluster.grade("ann", ask)
    on_cluster.grade("ann", ask)
    assert len(asks) == (1 if holds else 2)


def test_preparing_needs_isolation(course, monkeypatch):
    finding = Finding("Is bubblewrap there?", False, "No.", "Install it.")
    monkeypatch.setattr(choose, "probe", lambda: [finding])
    with pytest.raises(IsolationError, match="Install it"):
        Grading.prepare(course, "tiny")
