"""`nbgrader autograde` and `autograder run` give a student of each problem set the same score."""

import pytest

from autograder.author import demo
from autograder.course.course import Course
from autograder.course.database import open_gradebook
from tests.support.nbgrader_cli import nbgrader
from tests.support.tiny_course import ROOT

# Right in another style, partly right, in another convention, not finished.
CLASSES = {
    "vanishing": ("jacobians", "wraps_around", "z_exchanged", "without_gru_step"),
    "measure": ("sorted", "precision_twice", "substitution_costs_two", "without_edit_distance"),
    "clinic": ("on_its_own", "memory_first", "rate_lowered", "without_mend_pairs"),
    "prepare": ("masks", "mask_of_ones", "by_alphabet", "a_set"),
    "seq2seq": ("dictionary", "mask_after_softmax", "beam_shrinks", "without_greedy"),
    "error-analysis": ("roots", "rate_over_all", "only_nouns", "without_directed"),
    "search-compress": ("reshaped", "keeps_the_worst", "per_tensor", "without_price"),
}


def scores(folder, name):
    with open_gradebook(Course.load(folder).directory) as gradebook:
        return {
            submission.student.id: submission.score
            for submission in gradebook.assignment_submissions(name)
        }


@pytest.mark.parametrize("name", CLASSES)
def test_both_commands_give_the_same_scores(name, tmp_path, monkeypatch):
    everybody = demo.students(ROOT / "solutions" / name / "students.py")
    few = [student for student in everybody if student.name in CLASSES[name]]
    assert len(few) == len(CLASSES[name])
    monkeypatch.setattr(demo, "students", lambda source: few)
    folder = tmp_path / "course"
    results = demo.run_demo(ROOT, folder, name)
    assert [result.student.name for result in results if not result.as_expected] == []
    ours = scores(folder, name)
    assert ours == pytest.approx({s.name: sum(s.scores.values()) for s in few}, abs=1e-3)
    process = nbgrader(folder, "autograde", name, "--force")
    assert process.returncode == 0, process.stderr
    assert scores(folder, name) == pytest.approx(ours, abs=1e-9)
