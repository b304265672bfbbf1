import errno
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner
from nbformat.v4 import new_code_cell, new_notebook

from autograder.cli import commands
from autograder.sandbox import choose
from autograder.sandbox.finding import Finding
from tests.support.tiny_course import ADDS, RIGHT, filled_in, hand_in, hand_in_text


@pytest.fixture
def call(tiny_course, empty_gradebook, monkeypatch):
    """Run the command line in the small course; returns click's result."""
    shutil.copy(empty_gradebook, tiny_course / "gradebook.db")
    monkeypatch.chdir(tiny_course)
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments):
        result = CliRunner().invoke(commands.main, list(arguments), catch_exceptions=False)
        assert "Traceback" not in result.output
        return result

    return call


def test_run_shows_the_class_and_ends_with_0_when_all_are_graded(call, tiny_course):
    hand_in(tiny_course, "ann", RIGHT)
    hand_in(tiny_course, "[red]bob", ADDS)
    result = call("run", "tiny")
    assert result.exit_code == 0
    assert "3 of 3" in result.stdout
    assert "[red]bob" in result.stdout
    assert "scale (wrong)" in result.stdout
    assert "adds" in result.stdout
    assert "2 judged, 0 unchanged, 0 could not be graded." in result.stdout
    assert "0 judged, 2 unchanged" in call("run", "tiny", "--jobs", "1").stdout
    assert "1 judged, 0 unchanged" in call("run", "tiny", "--student", "ann", "--force").stdout


def test_a_check_may_be_added_after_a_class_was_graded(call, tiny_course):
    """A second check on a function that students have written already."""
    hand_in(tiny_course, "ann", RIGHT)
    assert "1 judged" in call("run", "tiny").stdout
    folder = tiny_course / "solutions" / "tiny"
    notebook = folder / "tiny.md"
    cell = (
        "\n```{code-cell}\n---\nnbgrader: {grade_id: again, grade: true, points: 4}\n---\n"
        "# 4 points\n```\n"
    )
    notebook.write_text(notebook.read_text() + cell)
    checks = folder / "checks.py"
    more = (
        "from dataclasses import replace\n"
        "CHECKS.append(replace(CHECKS[0], name='again', points=4))\n"
    )
    checks.write_text(checks.read_text() + more)
    assert call("exercises").exit_code == 0
    result = call("run", "tiny")
    assert result.exit_code == 0, result.output
    assert "another score: ann: 3 of 3 -> 7 of 7" in " ".join(result.stdout.split())


def test_run_names_what_could_not_be_graded_and_ends_with_1(call, tiny_course):
    hand_in(tiny_course, "ann", RIGHT)
    hand_in_text(tiny_course, "bob", "{")
    result = call("run", "tiny")
    assert result.exit_code == 1
    assert "bob: tiny.ipynb is no notebook: it cannot be read as JSON" in result.stdout
    result = call("run", "tiny", "--json")
    assert result.exit_code == 1
    ann, bob = json.loads(result.stdout)
    assert (ann["student"], ann["judged"], [check["score"] for check in ann["checks"]]) == (
        "ann",
        False,
        [2, 1],
    )
    assert bob["problem"].startswith("tiny.ipynb is no notebook")


def test_run_names_what_stands_in_no_folder_of_this_problem_set(call, tiny_course):
    hand_in(tiny_course, "ann", RIGHT)
    hand_in(tiny_course, "bob", RIGHT).parent.rename(tiny_course / "submitted" / "bob" / "Tiny")
    (tiny_course / "submitted" / "cay.ipynb").touch()
    assert "Not in a folder submitted/<student>/tiny: bob, cay.ipynb." in call("run", "tiny").stdout
    assert "Not in a folder" not in call("run", "tiny", "--student", "ann").stdout


def test_a_name_that_the_shell_completed_with_a_slash_is_that_name(call, tiny_course):
    hand_in(tiny_course, "ann", RIGHT)
    assert "1 judged" in call("run", "tiny/").stdout
    assert "there are tiny" in call("run", "exercises/tiny").stderr


def test_check_finds_the_set_before_it_imports_any(call, tiny_course):
    path = hand_in(tiny_course, "ann", RIGHT).rename(tiny_course / "homework of Ann (2).ipynb")
    other = tiny_course / "solutions" / "a-heavy-one"
    other.mkdir()
    (other / "checks.py").write_text("raise SystemExit('imported')")
    result = call("check", str(path))
    assert result.exit_code == 0 and "passed scale: 2 of 2 points" in result.stdout


def test_check_computes_no_known_mistake_that_it_does_not_need(call, tiny_course):
    checks = tiny_course / "solutions" / "tiny" / "checks.py"
    more = (
        "from dataclasses import replace\n"
        "def _never(*args):\n    raise SystemExit('computed')\n"
        "_MISTAKES = (Misconception('never', 'Never.', _never),)\n"
        "CHECKS[0] = replace(CHECKS[0], misconceptions=_MISTAKES)\n"
    )
    checks.write_text(checks.read_text() + more)
    result = call("check", str(hand_in(tiny_course, "ann", RIGHT)))
    assert result.exit_code == 0 and "passed scale: 2 of 2 points" in result.stdout
    assert call("run", "tiny").exit_code != 0  # before a class, all are looked at


@pytest.mark.parametrize("command", [["run", "tiny"], ["check", "submitted/ann/tiny/tiny.ipynb"]])
def test_a_file_that_cannot_be_opened_is_named_in_a_sentence(
    call, tiny_course, monkeypatch, command
):
    hand_in(tiny_course, "ann", RIGHT)

    def refuse(path, **options):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(nbformat, "read", refuse)
    result = call(*command)
    assert result.exit_code == 1
    assert result.stderr.strip().endswith("exercises/tiny/tiny.ipynb: Permission denied")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "tiny"], "nothing was handed in for tiny: put the notebooks in"),
        (["run", "huge"], "no problem set 'huge'"),
        (
            ["run", "tiny", "--student", "nobody"],
            "nobody: nothing was handed in for tiny; expected is the folder",
        ),
        (["run", "tiny", "--jobs", "0"], "0 is not in the range"),
        (["run"], "Missing argument"),
        (["check", "none.ipynb"], "none.ipynb cannot be read: No such file"),
        (["repart", "tiny"], "No such command 'repart'"),
        (["demo", "--problem-set", "tiny"], "this problem set has no simulated students"),
    ],
)
def test_wrong_use_is_said_in_a_sentence_and_ends_with_2(call, arguments, said):
    result = call(*arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stdout == ""


def test_outside_a_course_the_way_in_is_said(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for command in (["run", "tiny"], ["exercises"], ["exercises", "--check"]):
        result = call(*command)
        assert result.exit_code == 2
        assert (
            "run this from the course's root" in result.stderr
            or "run from the course's root" in result.stderr
        )


def test_without_a_sandbox_nothing_is_graded_unless_asked_for_by_name(
    call, tiny_course, monkeypatch
):
    path = hand_in(tiny_course, "ann", RIGHT)
    monkeypatch.setattr(
        choose, "probe", lambda: [Finding("Is bubblewrap there?", False, "No.", "Install it.")]
    )
    for command in (["run", "tiny"], ["check", str(path)]):
        result = call(*command)
        assert result.exit_code == 1
        assert "Is bubblewrap there? No." in result.stderr
        assert "Install it." in result.stderr
    assert not (tiny_course / "records" / "tiny").exists()
    result = call("doctor")
    assert result.exit_code == 1
    assert "FAILS  Is bubblewrap there? No." in result.stdout
    assert "Submissions are not graded here until one of these is put right." in result.stdout
    result = call("run", "tiny", "--unsafe-local")
    assert result.exit_code == 0
    assert "Graded without a sandbox" in result.stdout
    record = json.loads((tiny_course / "records" / "tiny" / "ann.json").read_text())
    assert record["isolation"] == "unsafe-local"
    assert "Isolation: unsafe-local." in call("check", str(path), "--unsafe-local").stdout


def test_check_shows_the_verdict_and_stores_nothing(call, tiny_course):
    path = hand_in(tiny_course, "ann", ADDS)
    own = path.rename(tiny_course / "my work.ipynb")
    before = sorted(tiny_course.rglob("*"))
    result = call("check", str(own))
    assert result.exit_code == 0
    assert "wrong scale: 0 of 2 points." in result.stdout
    assert "It adds a instead of multiplying." in result.stdout
    assert "Hint: Which sign stands there?" in result.stdout
    assert "passed total: 1 of 1 points." in result.stdout
    assert "1 of 3 points. Isolation: bubblewrap." in result.stdout
    assert [
        path for path in sorted(tiny_course.rglob("*")) if "__pycache__" not in path.parts
    ] == before


def test_check_refuses_a_notebook_of_no_problem_set(call, tiny_course):
    nbformat.write(new_notebook(cells=[new_code_cell("x = 1")]), tiny_course / "other.ipynb")
    result = call("check", "other.ipynb")
    assert result.exit_code == 2
    assert (
        "other.ipynb belongs to no problem set of this course. tiny: the notebook has none of"
        in result.stderr
    )


def test_doctor_says_that_this_machine_can_grade(call):
    result = call("doctor")
    assert result.exit_code == 0
    assert "FAILS" not in result.stdout
    assert "Submissions can be graded here" in result.stdout


def test_exercises_are_written_and_checked(call, tiny_course):
    assert call("exercises", "--check").exit_code == 0
    released = tiny_course / "exercises" / "tiny" / "tiny.ipynb"
    text = released.read_text()
    released.write_text(text.replace("Return a times x", "Return something"))
    result = call("exercises", "--check")
    assert result.exit_code == 1
    assert "cell scale_code: changed" in result.stderr
    assert "Run `make exercises` and commit what it writes." in result.stderr
    assert call("exercises").stdout == "wrote exercises/tiny/tiny.ipynb\n"
    assert released.read_text() == text


def test_a_name_cannot_write_to_the_terminal():
    assert commands.plain("a\x1b[2Jb\r").plain == "a�[2Jb�"


def test_each_record_comes_as_a_line_as_soon_as_it_is_there(call, tiny_course):
    for name in ("ann", "bob", "cay"):
        hand_in(tiny_course, name, RIGHT)
    hand_in_text(tiny_course, "dan", "{")
    result = call("run", "tiny", "--json-lines")
    assert result.exit_code == 1 and result.stderr == ""
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert sorted(line["student"] for line in lines) == ["ann", "bob", "cay", "dan"]
    assert sum("problem" in line for line in lines) == 1


def test_who_could_not_be_graded_is_named_with_the_log_that_tells_more(call, tiny_course):
    hand_in_text(tiny_course, "bob", "{")
    result = call("run", "tiny")
    assert "(see logs/tiny/bob.log)" in result.stdout
    # no terminal: lines in place of a bar
    assert result.stderr.splitlines()[-1].endswith("per minute, 1 failed")


@pytest.fixture
def no_room(monkeypatch):
    """A disk on which a file can be begun, and no byte written."""
    write = Path.write_bytes

    def full(path, content):
        write(path, b"")
        # as the system says it: without the name of the file
        raise OSError(errno.ENOSPC, "No space left on device")

    return lambda: monkeypatch.setattr(Path, "write_bytes", full)


@pytest.mark.parametrize(
    ("command", "path"),
    [
        (["export", "csv", "tiny"], "exports/tiny-csv.csv"),
        (["export", "gradescope", "tiny"], "exports/tiny-gradescope.zip"),
        (["exercises"], "exercises/tiny/tiny.ipynb"),
        (["report", "tiny"], "reports/tiny.html"),
        (["collect", "tiny", "class.zip"], "submitted/ann/tiny/tiny.ipynb"),
    ],
)
def test_a_full_disk_is_named_and_what_was_there_stays_whole(
    call, tiny_course, no_room, command, path
):
    work = hand_in(tiny_course, "ann", ADDS)
    with zipfile.ZipFile(tiny_course / "class.zip", "w") as archive:
        archive.writestr("ann/tiny.ipynb", nbformat.writes(filled_in(tiny_course, RIGHT)))
    call("run", "tiny")
    if command[0] != "collect":
        assert call(*command).exit_code == 0
    before = (tiny_course / path).read_bytes()
    no_room()
    result = call(*command)
    assert result.exit_code == 1 and result.stdout == ""
    assert f"{tiny_course / path} cannot be written: No space left on device; " in result.stderr
    assert (tiny_course / path).read_bytes() == before and work.is_file()
    assert not list(tiny_course.rglob("*.part"))


def test_a_problem_set_that_could_not_be_begun_is_not_in_the_way(
    call, tiny_course, no_room, monkeypatch
):
    no_room()
    assert "No space left on device" in call("new", "mean-pool").stderr
    monkeypatch.undo()
    monkeypatch.chdir(tiny_course)
    assert call("new", "mean-pool").exit_code == 0


def test_a_command_that_is_stopped_says_that_nothing_is_lost(call, monkeypatch):
    def stop(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(choose, "test_all_levels", stop)
    result = call("doctor")
    assert result.exit_code == 130
    assert (
        "stopped. What was done by then is kept, and the same command does the rest."
        in result.stderr
    )


WINDOWS = """
import sys
import nbformat, nbgrader.apps, psutil, sqlalchemy
class NotThere:
    def find_spec(self, name, path=None, target=None):
        if name in ("fcntl", "resource"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, NotThere())
for name in ("fcntl", "resource"):
    sys.modules.pop(name, None)
from autograder.cli.commands import main
main(sys.argv[1:])
"""


def test_what_needs_no_sandbox_runs_without_unixs_modules(call, tiny_course):
    hand_in(tiny_course, "ann", RIGHT)
    assert call("run", "tiny").exit_code == 0

    def on_windows(*arguments):
        return subprocess.run(
            [sys.executable, "-c", WINDOWS, *arguments],
            cwd=tiny_course,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(commands.__file__).parents[2])},
        )

    assert "1 score, into" in on_windows("export", "csv", "tiny").stdout
    assert "wrote" in on_windows("report", "tiny").stdout
    assert "1 page in feedback" in on_windows("feedback", "tiny").stdout
    assert on_windows("exercises", "--check").returncode == 0
    refused = on_windows("run", "tiny")
    assert refused.returncode == 1 and "in WSL 2; collect, export, feedback" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_another_score_of_a_submission_that_was_graded_is_told_with_its_reason(call, tiny_course):
    hand_in(tiny_course, "ann", RIGHT)
    hand_in(tiny_course, "bob", ADDS)
    assert "another score" not in call("run", "tiny").stdout
    hand_in(tiny_course, "bob", RIGHT)
    said = " ".join(call("run", "tiny").stdout.split())
    assert "another score: bob: 1 of 3 -> 3 of 3 (scale 0 of 2 -> 2 of 2, wrong -> passed)" in said
    assert "ann:" not in said
    checks = tiny_course / "solutions" / "tiny" / "checks.py"
    checks.write_text(checks.read_text() + "\n# another version\n")
    assert "another score" not in call("run", "tiny").stdout


def test_a_reason_that_a_whole_class_has_is_told_ten_times():
    listed = [(f"{k}.txt", "it is no notebook") for k in range(14)] + [("a.ipynb", "b counts")]
    lines = commands.some_of_each(listed)
    assert lines[9:] == [
        "9.txt: it is no notebook",
        "and 4 more: it is no notebook",
        "a.ipynb: b counts",
    ]
    assert commands.some_of_each(listed[:10]) == lines[:10]
