"""The comparison of two graded courses sees what a student or an instructor would see, and nothing
else.
"""

import json
import shutil

import pytest

from autograder.batch import grading
from autograder.batch.grading import Grading
from autograder.course.course import Course
from autograder.modules import load_module
from tests.support.tiny_course import ADDS, ROOT, hand_in

same_grading = load_module("same_grading", ROOT / "scripts" / "same_grading.py")


def test_only_what_a_change_may_alter_is_masked():
    text = (
        "   1.234  worker 1: File /a/b/autograder/x.py, line 7, in f at 0x7f00ab; "
        "autograder.batch.pool, took 3.5 seconds"
    )
    assert same_grading.masked([text]) == [
        "TIME  worker 1: File FOLDER/x.py, LINE f at ADDRESS; MODULE, took TIME"
    ]
    for kept in ("2 of 3 points", "line 7", "scale: y is wrong by 0.25", "lstm_step"):
        assert same_grading.masked(kept) == kept


def test_a_class_graded_twice_is_the_same_and_a_changed_message_is_seen(
    tiny_course, tmp_path, capsys
):
    hand_in(tiny_course, "ann", ADDS)
    again = shutil.copytree(tiny_course, tmp_path / "again")
    for root in (tiny_course, again):  # with a key each, and so with other inputs
        grading.run(Grading.prepare(Course.load(root), "tiny"), ["ann"], jobs=1)
    assert same_grading.main([str(tiny_course), str(again)]) == 0
    assert "values compared, 0 differ." in capsys.readouterr().out

    record = again / "records" / "tiny" / "ann.json"
    changed = json.loads(record.read_text())
    changed["checks"][0]["message"] += " Perhaps."
    record.write_text(json.dumps(changed))
    assert same_grading.main([str(tiny_course), str(again)]) == 1
    told = capsys.readouterr().out
    assert "records/tiny/ann.json: checks" in told and "Perhaps." in told and ", 1 differ." in told


def test_a_folder_without_a_graded_course_is_refused(tmp_path):
    with pytest.raises(SystemExit, match="holds no records"):
        same_grading.main([str(tmp_path), str(tmp_path)])
    assert same_grading.main([]) == 2
