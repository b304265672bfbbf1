import io
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import zipfile
from pathlib import Path

import nbformat
import psutil
import pytest
from click.testing import CliRunner

from autograder.cli import commands
from autograder.course.course import Course
from autograder.course.database import open_gradebook
from autograder.errors import IsolationError, SubmissionError
from autograder.guest import drop_privileges, syscalls
from autograder.judge import judge
from autograder.judge import problem_set as problem_sets
from autograder.judge.result import Result
from autograder.lms.gradescope import build
from autograder.lms.gradescope import run as gradescope
from autograder.lms.gradescope.run import Submission, find_notebook, seed
from autograder.sandbox import choose, seccomp
from autograder.sandbox.plain_process import UnprivilegedProcess, UnsafeLocal
from autograder.sandbox.run_id import UNUSED_UIDS
from tests.support.tiny_course import ADDS, RIGHT, filled_in, hand_in, tiny_release

METADATA = {
    "id": 5001,
    "created_at": "2026-03-02T01:30:00.123456-08:00",
    "assignment": {"due_date": "2026-03-01T23:00:00.000000-08:00", "title": "Tiny"},
    "users": [
        {"id": 7, "name": "Ann Doe", "email": "ann@example.org"},
        {"id": 3, "name": "李小龙"},
    ],
    "previous_submissions": [{"score": 0.0}],
}
VISIBILITIES = {"hidden", "after_due_date", "after_published", "visible"}
FORMATS = {"text", "html", "simple_format", "md", "ansi"}


def assert_valid(result):
    """What Gradescope documents of results.json; see its Autograder Specifications."""
    known = {
        "score",
        "execution_time",
        "output",
        "output_format",
        "test_output_format",
        "test_name_format",
    }
    known |= {"visibility", "stdout_visibility", "extra_data", "tests", "leaderboard"}
    assert set(result) <= known and ("score" in result or "tests" in result)
    assert isinstance(result.get("score", 0.0), int | float) and result["execution_time"] >= 0
    assert isinstance(result["output"], str) and isinstance(result["extra_data"], dict)
    assert {result["visibility"], result["stdout_visibility"]} <= VISIBILITIES
    assert {
        result["output_format"],
        result["test_output_format"],
        result["test_name_format"],
    } <= FORMATS
    for test in result["tests"]:
        assert set(test) <= {
            "score",
            "max_score",
            "status",
            "name",
            "name_format",
            "number",
            "output",
            "output_format",
            "tags",
            "visibility",
            "extra_data",
        }
        assert isinstance(test["name"], str) and isinstance(test["output"], str)
        assert test["status"] in ("passed", "failed") and test["visibility"] in VISIBILITIES
        assert ("score" in test) == ("max_score" in test)
        assert "score" not in test or 0 <= test["score"] <= test["max_score"]
    scores = [test["score"] for test in result["tests"] if "score" in test]
    assert not scores or result["score"] == pytest.approx(sum(scores))


def shown(result):
    """All that a student can see."""
    return result["output"] + "".join(
        t["name"] + t["output"] for t in result["tests"] if t["visibility"] == "visible"
    )


def python_for_everybody():
    """A Python of this version that every user can start, with its packages; None where there is
    none.
    """
    packages = Path(sysconfig.get_path("purelib"))
    for path in (Path(sys.executable).resolve(), Path(f"/usr/bin/python3.{sys.version_info[1]}")):
        needed = (path, *path.parents, packages, *packages.parents)
        if all(folder.exists() and folder.stat().st_mode & 0o001 for folder in needed):
            return path
    return None


class Container:
    """A folder with Gradescope's layout, and what stands for the environment that setup.sh
    makes.
    """

    def __init__(self, course, python=None, unsafe_local=False):
        self.root = Path(tempfile.mkdtemp(prefix="gradescope-"))
        self.root.chmod(0o755)
        archive = self.root / "autograder.zip"
        chosen = problem_sets.load("tiny", course)
        build.write_zip(Course.load(course), chosen, archive, unsafe_local)
        for name in ("submission", "results", "source", "venv/bin"):
            (self.root / name).mkdir(parents=True)
        with zipfile.ZipFile(archive) as file:
            for info in file.infolist():
                Path(file.extract(info, self.root / "source")).chmod(info.external_attr >> 16)
        archive.unlink()
        shutil.copy(self.root / "source" / "run_autograder", self.root)
        (self.root / "submission_metadata.json").write_text(json.dumps(METADATA))
        python = python or Path(sys.executable).resolve()
        wrapper = self.root / "venv" / "bin" / "python"
        wrapper.write_text(
            f'#!/bin/sh\nPYTHONPATH="$PYTHONPATH:{sysconfig.get_path("purelib")}" exec {python} '
            '"$@"\n'
        )
        wrapper.chmod(0o755)

    def hand_in(self, name, content):
        path = self.root / "submission" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(
            content if isinstance(content, bytes) else nbformat.v4.writes_json(content).encode()
        )

    def run(self, **options):
        environment = {
            **os.environ,
            "AUTOGRADER_ROOT": str(self.root),
            "AUTOGRADER_VENV": str(self.root / "venv"),
        }
        done = subprocess.run(
            [self.root / "run_autograder"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=200,
            **options,
        )
        return self.result(), done.stdout

    def result(self):
        result = json.loads((self.root / "results" / "results.json").read_text())
        assert_valid(result)
        return result


@pytest.fixture
def container(tiny_course):
    made = []

    def make(*arguments, **options):
        made.append(Container(tiny_course, *arguments, **options))
        return made[-1]

    yield make
    for one in made:
        shutil.rmtree(one.root, ignore_errors=True)


def denied(landlock=True):
    """Deny this process what Docker's default profile denies to a container; and Landlock, as a
    kernel without it does.
    """
    op, column = seccomp._op, seccomp.ARCHITECTURES[platform.machine()][1]
    calls = {
        seccomp.DENIED[name][column]: 1
        for name in ("unshare", "setns", "mount", "umount2", "pivot_root")
    }
    calls |= {seccomp.CLONE3[column]: 38} | (
        {} if landlock else {number: 38 for number in (444, 445, 446)}
    )
    program = [op(seccomp.LOAD, seccomp.NUMBER)]
    for number, error in calls.items():
        program += [op(seccomp.JUMP_EQUAL, number, 0, 1), op(seccomp.RETURN, seccomp.ERRNO | error)]
    program += [
        op(seccomp.JUMP_EQUAL, seccomp.CLONE[column], 0, 3),
        op(seccomp.LOAD, seccomp.ARGUMENT_0),
    ]
    program += [
        op(seccomp.JUMP_ANY_BIT, seccomp.NAMESPACE_FLAGS, 0, 1),
        op(seccomp.RETURN, seccomp.ERRNO | 1),
    ]
    program = b"".join([*program, op(seccomp.RETURN, seccomp.ALLOW)])
    syscalls.forbid_new_privileges()
    syscalls.install_filter(program)


def test_zip_holds_what_the_container_needs_and_no_solution(tiny_course, monkeypatch):
    monkeypatch.chdir(tiny_course)
    (tiny_course / "solutions" / "tiny" / "students.py").write_text("STUDENTS = 'who_is_simulated'")
    result = CliRunner().invoke(
        commands.main, ["export", "gradescope", "tiny"], catch_exceptions=False
    )
    assert result.exit_code == 0 and "(3 points)" in result.stdout
    path = tiny_course / "exports" / "tiny-gradescope.zip"
    first = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        modes = {info.filename: oct(info.external_attr >> 16) for info in archive.infolist()}
        everything = b"".join(archive.read(name) for name in archive.namelist())
        pinned = archive.read("requirements.txt").decode().split()
        settings = json.loads(archive.read("course/settings.json"))
    assert (
        modes["setup.sh"] == modes["run_autograder"] == "0o100755"
        and modes["course/settings.json"] == "0o100600"
    )
    ours = [name for name in modes if name.startswith("course/solutions")]
    assert (
        ours == ["course/solutions/tiny/checks.py"] and "course/exercises/tiny/tiny.ipynb" in modes
    )
    assert {name.split("/")[1] for name in modes if name.endswith("__init__.py")} == {
        "autograder",
        "verdict",
    }
    assert b"product_of_both" not in everything and b"who_is_simulated" not in everything
    assert {line.partition("==")[0] for line in pinned} >= {
        "numpy",
        "nbformat",
        "psutil",
        "packaging",
    }
    assert not {line.partition("==")[0] for line in pinned} & {"nbgrader", "click", "torch"}
    assert (
        settings["unsafe_local"] is False
        and settings["key"] not in (tiny_course / "records/course.key").read_text()
    )
    CliRunner().invoke(commands.main, ["export", "gradescope", "tiny"], catch_exceptions=False)
    assert path.read_bytes() == first
    for script in ("setup.sh", "run_autograder"):
        subprocess.run(["bash", "-n", build.SCRIPTS / script], check=True)


def test_total_in_the_container_is_the_gradebooks(
    container, tiny_course, empty_gradebook, monkeypatch
):
    shutil.copy(empty_gradebook, tiny_course / "gradebook.db")
    monkeypatch.chdir(tiny_course)
    box = container()
    work = filled_in(tiny_course, ADDS)
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("handed/Meine Lösung.ipynb", nbformat.v4.writes_json(work))
    box.hand_in("everything.zip", inner.getvalue())
    box.hand_in("report.pdf", b"pdf")
    result, said = box.run()
    hand_in(tiny_course, "ann", ADDS)
    assert CliRunner().invoke(commands.main, ["run", "tiny"], catch_exceptions=False).exit_code == 0
    with open_gradebook(Course.load(tiny_course).directory) as gradebook:
        assert result["score"] == gradebook.find_submission("tiny", "ann").score == 1.0
    record = Result.from_json((tiny_course / "records/tiny/ann.json").read_text())
    assert result["extra_data"]["content_hash"] == record.content_hash
    assert [(t["score"], t["max_score"], t["status"]) for t in result["tests"]] == [
        (0, 2, "failed"),
        (1, 1, "passed"),
    ]
    scale = result["tests"][0]["output"]
    assert (
        "It adds a instead of multiplying." in scale
        and scale.count("Hint: Which sign stands there?") == 1
    )
    assert result["output"].startswith(
        "everything.zip/handed/Meine Lösung.ipynb of Ann Doe and 李小龙, attempt 2.\n"
    )
    assert "handed in 2 hours 30 minutes after the due date" in result["output"]
    # What only the instructor may see is on stdout, and enough to ask the same again.
    number = re.search(r"Seed of the inputs: (\w+)", said)[1]
    assert result["stdout_visibility"] == "hidden" and number not in json.dumps(result)
    assert "bubblewrap" in said and "bubblewrap" not in json.dumps(result)
    assert not re.search(r"\d\.\d{4,}", shown(result))
    again = box.run()
    assert again[1] == said and again[0] | {"execution_time": 0} == result | {"execution_time": 0}


def test_without_a_sandbox_the_container_refuses_and_says_what_to_do(container, tiny_course):
    box = container()
    box.hand_in("tiny.ipynb", filled_in(tiny_course, RIGHT))
    result, said = box.run(preexec_fn=denied)
    assert "score" not in result and [test["visibility"] for test in result["tests"]] == ["hidden"]
    assert "bubblewrap could not make a box" in result["tests"][0]["output"]
    assert "autograder export gradescope tiny --unsafe-local" in result["tests"][0]["output"]
    assert (
        "no fault of yours" in shown(result)
        and "unsafe" not in shown(result)
        and "no score" in said
    )


HOSTILE = """\
import json, os, signal, time
from pathlib import Path
ROOT = Path({root!r})
print("user", os.getuid())
FORGED = json.dumps({{"score": 1000.0, "tests": []}})
DONE = []

def attempt(what, action):
    try:
        action()
        DONE.append(what)
    except (OSError, ImportError) as error:
        print(what, error)

def write():
    (ROOT / "results" / "results.json").write_text(FORGED)

def later():
    if os.fork() == 0:
        os.setpgid(0, 0)
        if os.fork() == 0:
            for _ in range(40):
                try:
                    write()
                except OSError:
                    pass  # nothing is printed: the pipe is gone, and that would end it
                time.sleep(0.5)
        os._exit(0)

attempt("settings", lambda: (ROOT / "source/course/settings.json").read_text())
attempt("checks", lambda: (ROOT / "source/course/solutions/tiny/checks.py").read_text())
attempt("metadata", lambda: (ROOT / "submission_metadata.json").read_text())
attempt("neighbour", lambda: os.listdir(ROOT / "submission"))
attempt("write", write)
attempt("unlink", lambda: os.unlink(ROOT / "results" / "results.json"))
attempt("kill", lambda: os.kill(os.getppid(), signal.SIGKILL))
attempt("memory", lambda: open(f"/proc/{{os.getppid()}}/mem", "rb").read(1))
attempt("root", lambda: os.setuid(0))
attempt("socket", lambda: __import__("socket").create_connection(("127.0.0.1", 9), timeout=1))
later()
assert not DONE, DONE

def scale(x, a):
    return a * x
"""


@pytest.mark.parametrize("landlock", [True, False])
def test_as_another_user_a_student_cannot_write_the_result_or_read_what_is_hidden(
    container, tiny_course, landlock
):
    python = python_for_everybody()
    if os.geteuid() != 0:
        pytest.skip(
            "only root can start a process as another user; these tests run as an ordinary one"
        )
    if python is None:
        pytest.skip(
            f"no Python 3.{sys.version_info[1]} here that other users can start: {sys.executable} "
            "is closed to them"
        )
    box = container(python, unsafe_local=True)
    box.hand_in(
        "tiny.ipynb",
        filled_in(tiny_course, RIGHT | {"scale_code": HOSTILE.format(root=str(box.root))}),
    )
    result, said = box.run(preexec_fn=lambda: denied(landlock))
    # The attempts fail and the functions are right: all points, and not a thousand.
    assert result["score"] == 3.0, said
    *graded, hidden = result["tests"]
    assert [test["status"] for test in graded] == ["passed", "passed"] and hidden[
        "visibility"
    ] == "hidden"
    assert "Graded without a sandbox, as the zip was made to do" in hidden["output"]
    assert ("Landlock (version" in hidden["output"]) == (
        landlock and drop_privileges.landlock_version() > 0
    )
    assert "sandbox" not in shown(result) and "Isolation: unsafe-local, as another user" in said
    user = int(re.search(r"^user (\d+)$", said, re.MULTILINE)[1])
    left = [
        p.info
        for p in psutil.process_iter(["uids", "status", "cmdline"])
        if p.info["uids"].real == user
    ]
    assert user in UNUSED_UIDS and all(info["status"] == psutil.STATUS_ZOMBIE for info in left), (
        left
    )
    time.sleep(0.6)  # longer than the process that was left behind waits between its attempts
    assert box.result() == result


def test_what_another_user_could_reach_is_found_by_trying(tmp_path, monkeypatch):
    if os.geteuid() != 0:
        with pytest.raises(IsolationError, match="Only root"):
            UnprivilegedProcess().self_test([])
        return
    if python_for_everybody() != Path(sys.executable).resolve():
        with pytest.raises(IsolationError, match="No process can be started as another user here"):
            UnprivilegedProcess().self_test([])
        return
    assert UnprivilegedProcess().self_test([Path("/root")]) == []


def test_what_goes_wrong_on_our_side_costs_the_student_nothing_and_is_told(
    container, tiny_course, monkeypatch, capsys
):
    box = container()
    box.hand_in("tiny.ipynb", filled_in(tiny_course, RIGHT))

    def fails(*_, **__):
        raise RuntimeError("the judge has a fault")

    monkeypatch.setattr(judge, "grade", fails)
    monkeypatch.setattr(choose, "choose", UnsafeLocal)
    assert gradescope.main([str(box.root)]) == 0
    result = box.result()
    assert (
        "score" not in result
        and "RuntimeError: the judge has a fault" in result["tests"][0]["output"]
    )
    assert "fault" not in shown(result).replace("no fault of yours", "")
    (box.root / "source/course/solutions/tiny/checks.py").write_text("1 / 0")
    gradescope.main([str(box.root)])
    assert "cannot be imported: ZeroDivisionError" in box.result()["tests"][0]["output"]
    assert gradescope.main([str(box.root), "--check"]) == 1
    # Not even Python.
    (box.root / "venv/bin/python").unlink()
    result, said = box.run()
    assert "score" not in result and "did setup.sh end well?" in said


def test_judge_that_is_killed_leaves_a_valid_result(container, monkeypatch):
    box = container()

    def killed(*_):
        assert "did not come to its end" in box.result()["tests"][0]["output"]
        raise SystemExit

    monkeypatch.setattr(gradescope, "find_notebook", killed)
    with pytest.raises(SystemExit):
        gradescope.main([str(box.root)])
    assert "score" not in box.result()


def test_notebook_is_found_under_any_name_or_the_student_is_told(container, tiny_course):
    box = container()
    folder, release = box.root / "submission", tiny_release(tiny_course)
    mine, other = filled_in(tiny_course, RIGHT), filled_in(tiny_course, ADDS)
    with pytest.raises(SubmissionError, match=r"No notebook was handed in\. Hand in tiny\.ipynb"):
        find_notebook(folder, "tiny", release)
    box.hand_in("a/report.pdf", b"pdf")
    box.hand_in("bad.zip", b"zip")
    with pytest.raises(
        SubmissionError,
        match=r"there is a/report\.pdf\. Hand in tiny\.ipynb\. bad\.zip: .* is damaged",
    ):
        find_notebook(folder, "tiny", release)
    (folder / "link.ipynb").symlink_to("/etc/passwd")
    with pytest.raises(SubmissionError, match=r"link\.ipynb: it is a link or a device"):
        find_notebook(folder, "tiny", release)
    box.hand_in("a/b/Untitled (3).ipynb", mine)
    assert find_notebook(folder, "tiny", release)[0] == "a/b/Untitled (3).ipynb"
    box.hand_in("plots.ipynb", nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")]))
    box.hand_in("a/.ipynb_checkpoints/old.ipynb", other)
    assert find_notebook(folder, "tiny", release)[0] == "a/b/Untitled (3).ipynb"
    box.hand_in("second.ipynb", other)
    with pytest.raises(
        SubmissionError, match="3 notebooks were handed in .* hand in one, called tiny.ipynb"
    ):
        find_notebook(folder, "tiny", release)
    box.hand_in("tiny.ipynb", other)
    assert find_notebook(folder, "tiny", release)[0] == "tiny.ipynb"
    # What the student can mend gets no points and a reason, and no sandbox is asked for it.
    box.hand_in("tiny.ipynb", b"{")
    gradescope.main([str(box.root)])
    result = box.result()
    assert result["score"] == 0 and [test["max_score"] for test in result["tests"]] == [2, 1]
    assert result["output"].startswith("Nothing could be judged. tiny.ipynb is no notebook")


def test_inputs_differ_by_student_and_attempt_and_are_the_same_when_graded_again(tmp_path):
    def read(data):
        path = tmp_path / "metadata.json"
        path.write_text(data if isinstance(data, str) else json.dumps(data))
        return Submission.read(path)

    ann = read(METADATA)
    assert (
        ann == read({**METADATA, "users": METADATA["users"]})
        and ann.accounts == ("3", "7")
        and ann.attempt == 2
    )
    others = [read({**METADATA, "id": 5002}), read({**METADATA, "users": METADATA["users"][:1]})]
    key = "ab" * 32
    seeds = {seed(key, submission, "content") for submission in (ann, *others)}
    seeds |= {seed(key, ann, "other content"), seed("cd" * 32, ann, "content")}
    assert len(seeds) == 5 and seed(key, read(METADATA), "content") in seeds
    on_time = {**METADATA, "created_at": "2026-03-01T22:00:00-08:00"}
    assert (read(on_time).late, ann.late, ann.names) == (
        "",
        "2 hours 30 minutes",
        "Ann Doe and 李小龙",
    )
    for broken in (
        "",
        "[]",
        "{",
        {"users": [1], "assignment": 3, "previous_submissions": {}, "created_at": 7},
        {},
    ):
        assert read(broken).names == "a student without a name" and read(broken).attempt == 1
