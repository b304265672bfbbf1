"""`autograder run`, `nbgrader autograde` and formgrader's button give a student of each problem set
the same score, and formgrader shows it.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sysconfig
import time
import urllib.request
from pathlib import Path

import pytest

from autograder.author import demo
from autograder.batch import grading
from autograder.course.course import Course
from autograder.course.database import open_gradebook
from tests.support.nbgrader_cli import nbgrader
from tests.support.tiny_course import ROOT

# Right in another style, partly right, in another convention, not finished.
CLASSES = {
    "lstm-bptt": ("matrix", "no_bias", "other_gate_order", "without_checker"),
    "lstm-torch": ("linear", "not_detached", "moved_to_ifog", "without_step"),
    "vanishing": ("jacobians", "wraps_around", "z_exchanged", "without_gru_step"),
    "measure": ("sorted", "precision_twice", "substitution_costs_two", "without_edit_distance"),
    "clinic": ("on_its_own", "memory_first", "rate_lowered", "without_mend_pairs"),
    "prepare": ("masks", "mask_of_ones", "by_alphabet", "a_set"),
    "seq2seq": ("dictionary", "mask_after_softmax", "beam_shrinks", "without_greedy"),
    "error-analysis": ("roots", "rate_over_all", "only_nouns", "without_directed"),
    "search-compress": ("reshaped", "keeps_the_worst", "per_tensor", "without_price"),
}
EACH = pytest.mark.parametrize("name", CLASSES)


def test_each_problem_set_is_here():
    sets = {path.parent.name for path in (ROOT / "solutions").glob("*/checks.py")}
    assert {name for name in sets if not name.startswith("quiz-")} == set(CLASSES)


def few(name):
    """The simulated students of a set who are graded here."""
    everybody = demo.students(ROOT / "solutions" / name / "students.py")
    found = [student for student in everybody if student.name in CLASSES[name]]
    assert len(found) == len(CLASSES[name])
    return found


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A course with all problem sets, and what these students hand in."""
    folder = tmp_path_factory.mktemp("sets") / "course"
    for name in CLASSES:
        with pytest.MonkeyPatch.context() as patch:
            chosen = few(name)
            patch.setattr(demo, "students", lambda source, chosen=chosen: chosen)
            demo.make_course(ROOT, folder.parent / name, name)
        shutil.copytree(folder.parent / name, folder, dirs_exist_ok=True)
    return folder


def scores(folder, name):
    with open_gradebook(Course.load(folder).directory) as gradebook:
        return {
            submission.student.id: submission.score
            for submission in gradebook.assignment_submissions(name)
        }


def expected(name):
    return pytest.approx({s.name: sum(s.scores.values()) for s in few(name)}, abs=1e-3)


@EACH
def test_both_commands_give_the_same_scores(name, course):
    prepared = grading.Grading.prepare(Course.load(course), name)
    outcomes = grading.run(prepared, list(CLASSES[name]), jobs=2)
    assert [outcome.problem for outcome in outcomes if outcome.problem] == []
    ours = scores(course, name)
    assert ours == expected(name)
    process = nbgrader(course, "autograde", name, "--force")
    assert process.returncode == 0, process.stderr
    assert scores(course, name) == pytest.approx(ours, abs=1e-9)


# --- formgrader
# --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ask(course):
    """Function of an address within formgrader that gives the status and the text of a page."""
    runtime = course.parent / "runtime"
    folders = {"HOME": "home", "JUPYTER_RUNTIME_DIR": "runtime", "JUPYTER_DATA_DIR": "data"}
    command = [Path(sysconfig.get_path("scripts")) / "jupyter", "server", "--allow-root"]
    command += ["--no-browser", "--ServerApp.ip=127.0.0.1", "--ServerApp.port=0"]
    environment = {name: str(course.parent / folder) for name, folder in folders.items()}
    with (course.parent / "log").open("w") as log:
        server = subprocess.Popen(
            command, cwd=course, env=os.environ | environment, stdout=log, stderr=log
        )
    try:
        while not (found := list(runtime.glob("jpserver-*.json"))) and server.poll() is None:
            time.sleep(0.1)
        assert found, (course.parent / "log").read_text()
        at = json.loads(found[0].read_text())

        def get(place, method="GET"):
            request = urllib.request.Request(
                f"{at['url']}formgrader/{place}",
                headers={"Authorization": f"token {at['token']}"},
                method=method,
            )
            with contextlib.closing(urllib.request.urlopen(request)) as answer:
                return answer.status, answer.read().decode()

        yield get
    finally:
        server.terminate()
        server.wait()


@EACH
def test_formgrader_grades_and_shows_the_same_score(name, course, ask):
    if not scores(course, name):  # where this test runs without the one above
        nbgrader(course, "autograde", name)
    student = CLASSES[name][1]
    status, said = ask(f"api/submission/{name}/{student}/autograde", "POST")
    assert status == 200 and json.loads(said)["success"], said
    assert scores(course, name) == expected(name)
    for page in (f"manage_submissions/{name}", f"gradebook/{name}", f"gradebook/{name}/{name}"):
        assert ask(page)[0] == 200
    listed = json.loads(ask(f"api/submissions/{name}")[1])
    assert {one["student"]: one["score"] for one in listed} == expected(name)
    for notebook in json.loads(ask(f"api/submitted_notebooks/{name}/{name}")[1]):
        status, page = ask(f"submissions/{notebook['id']}/")
        assert status == 200 and "points (passed)" in page and "lstm_ref.practice" in page
