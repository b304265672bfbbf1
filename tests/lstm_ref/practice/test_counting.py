"""Hints are counted where the student wants it; and a set can be practised again."""

import contextlib
import importlib
import io
import json
import re

import nbformat
import numpy as np
import pytest

from autograder.batch.hints import COUNTED
from lstm_ref import practice, zoo
from lstm_ref.practice import counting
from lstm_ref.zoo import plain
from tests.lstm_ref.practice.test_practice import run_notebook
from tests.support.problem_sets import ROOT, SetOf
from verdict import Status

SETS = {
    "lstm-bptt": "lstm_ref.practice",
    "lstm-torch": "lstm_ref.practice.lstm_torch",
    "prepare": "lstm_ref.practice.prepare",
    "measure": "lstm_ref.practice.measure",
    "vanishing": "lstm_ref.practice.vanishing",
    "clinic": "lstm_ref.practice.graded_clinic",
    "error-analysis": "lstm_ref.practice.error_analysis",
    "seq2seq": "lstm_ref.practice.seq2seq",
    "search-compress": "lstm_ref.practice.search_compress",
}
WRONG = zoo.find("no_forget_gate").lstm_step


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder of a student's, and a kernel that has just started."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    restart()
    yield tmp_path
    restart()


def restart():
    practice._given.clear()
    practice._instance.clear()
    counting.stop()


def said(capsys, function, times=1, call='check("lstm_step", seed=1)'):
    """The last line of the last of some calls."""
    for _ in range(times):
        capsys.readouterr()
        exec(call, {"check": practice.check, "np": np, "lstm_step": function})
    return capsys.readouterr().out.rstrip("\n").split("\n")[-1]


def kept(folder):
    return json.loads((folder / "hints-lstm-bptt.json").read_text())


def level(n, done="not passed"):
    return f"Counted: lstm_step is at hint level {n}, {done}."


def test_the_highest_level_before_it_passed_is_counted_and_survives_the_kernel(capsys, folder):
    practice.count_hints("lstm-bptt")
    assert "counted from now on, in hints-lstm-bptt.json" in capsys.readouterr().out
    assert [said(capsys, WRONG) for _ in range(2)] == [level(0), level(1)]
    assert kept(folder) == {"lstm_step": {"level": 1, "passed": False}}
    restart()
    practice.count_hints("lstm-bptt")
    assert said(capsys, WRONG) == level(1)  # it begins anew with no hint, and one was shown before
    assert said(capsys, WRONG, 2) == level(2)
    assert said(capsys, plain.lstm_step) == level(2, "passed")
    assert said(capsys, WRONG, 6) == level(2, "passed")  # what comes after that does not count
    assert kept(folder) == {"lstm_step": {"level": 2, "passed": True}}


def test_the_name_of_the_mistake_is_the_level_after_its_hints(capsys):
    practice.count_hints("lstm-bptt")
    assert said(capsys, WRONG, 9) == level(1 + len(zoo.find("no_forget_gate").hints))


def test_a_hint_that_comes_at_once_counts_and_what_is_not_written_does_not(capsys, folder):
    practice.count_hints("lstm-bptt")
    assert "Counted" not in said(capsys, ...)
    assert said(capsys, lambda *a: (1.1 * plain.lstm_step(*a)[0], *plain.lstm_step(*a)[1:])) == (
        level(1)
    )
    assert said(capsys, lambda *a: 1 / 0) == level(1)  # raises: no hint, and one was shown before


def test_the_table_of_all_parts_counts_what_passes_and_shows_no_hint(capsys, folder):
    practice.count_hints("lstm-bptt")
    assert "Counted" not in said(capsys, plain.lstm_step, call="check(seed=4)")
    assert kept(folder) == {"lstm_step": {"level": 0, "passed": True}}


def test_nothing_is_counted_unasked_nor_where_nbgrader_runs_the_notebook(
    capsys, folder, monkeypatch
):
    assert "Counted" not in said(capsys, WRONG)
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    practice.count_hints("lstm-bptt")
    assert "Counted" not in said(capsys, WRONG)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{ half",
        b"[1, 2]",
        b'{"lstm_step": 3}',
        b'{"lstm_step": {"level": "2", "passed": 1}}',
        b'{"lstm_step": {"level": true}}',
        b"[" * 15_000,
        b'{"lstm_step": {"level": 1' + b"0" * 30_000 + b"}}",
    ],
    ids=["empty", "half", "list", "number", "word", "boolean", "deep", "large"],
)
def test_a_file_that_is_no_count_begins_anew(capsys, folder, content):
    (folder / "hints-lstm-bptt.json").write_bytes(content)
    practice.count_hints("lstm-bptt")
    assert said(capsys, WRONG) == level(0)


def test_a_level_that_cannot_be_is_cut(capsys, folder):
    (folder / "hints-lstm-bptt.json").write_text('{"lstm_step": {"level": 777, "passed": false}}')
    practice.count_hints("lstm-bptt")
    assert said(capsys, WRONG) == level(9)


def test_a_folder_that_cannot_be_written_stops_no_check(capsys, folder):
    (folder / "hints-lstm-bptt.json").mkdir()  # root may write everywhere, but not into this
    practice.count_hints("lstm-bptt")
    assert [said(capsys, WRONG) for _ in range(2)] == [level(0), level(1)]


def test_the_line_is_what_the_report_reads_and_stays_in_the_notebook(folder):
    _, shown = run_notebook(
        folder,
        "import numpy as np\nfrom lstm_ref.practice import check, count_hints\n"
        "from lstm_ref.zoo.plain import *\nfrom lstm_ref.zoo.plain import sigmoid\n"
        'count_hints("lstm-bptt")',
        'check("lstm_step")',
    )
    text = shown[-1].data["text/plain"]
    assert COUNTED.findall(text) == [("lstm_step", "0", "passed")]
    assert kept(folder) == {"lstm_step": {"level": 0, "passed": True}}


@pytest.mark.parametrize("name", SETS)
def test_each_set_says_what_is_counted_and_how_to_practise_again(name):
    text = (ROOT / "solutions" / name / f"{name}.md").read_text(encoding="utf-8")
    assert f'count_hints("{name}")' in text
    for told in ("No code, answer or time is kept.", "delete this cell", "**To practise again**"):
        assert text.count(told) == 1, told


# --- practice after the deadline
# --------------------------------------------------------------------------------------------------


def test_an_instance_is_the_same_for_its_seed_and_hints_begin_anew(capsys):
    def inputs(function=plain.lstm_step):
        seen = []
        said(capsys, lambda x, *others: (seen.append(x.copy()), function(x, *others))[1], call=CALL)
        return seen

    CALL = 'check("lstm_step")'
    practice.count_hints("lstm-bptt")
    said(capsys, WRONG, 3)
    assert practice.practice_again(7) == 7
    assert "Instance 7." in capsys.readouterr().out
    last = said(capsys, WRONG, call=CALL)
    assert "Counted" not in last and "seed=7" in last
    first, again = inputs(), inputs()
    assert all(map(np.array_equal, first, again))
    practice.practice_again(8)
    assert not np.array_equal(first[0], inputs()[0])
    assert practice.practice_again() in range(practice.INSTANCES)


@pytest.mark.parametrize("seed", [-1, 1.5, "7", True])
def test_an_instance_has_a_whole_number(seed):
    with pytest.raises(ValueError, match="whole number from 0 on"):
        practice.practice_again(seed)


def solved(name):
    """Namespace of a notebook with the solutions in it."""
    the_set = SetOf(name, None)
    solutions = the_set.solutions
    if name == "clinic":  # two solutions are in Keras on PyTorch; here Keras may run on TensorFlow
        by_hand = the_set.students.BY_HAND
        solutions = solutions | {f"{part}_code": source for part, source in by_hand.items()}
    namespace = {"__name__": "notebook"}
    for cell in nbformat.reads(the_set.release, as_version=4).cells:
        if cell.cell_type == "code" and "local" not in cell.metadata.get("tags", []):
            source = solutions.get(cell.get("id", ""), cell.source)
            if source.startswith("import os"):
                source = re.sub("^.*keras.*$", "", source, flags=re.MULTILINE | re.IGNORECASE)
            exec(source, namespace)
    return namespace


def drawn(check, seed):
    """What the cases of an instance hold, as text."""
    cases = check.cases(np.random.default_rng(seed)) if check.cases else []
    # where a function or a generator lies in memory differs always
    args = [
        [a.bit_generator.state if isinstance(a, np.random.Generator) else a for a in case.args]
        for case in cases
    ]
    return [re.sub("0x[0-9A-Fa-f]+", "", repr(some)) for some in args]


@pytest.mark.parametrize("name", SETS)
def test_twenty_instances_differ_and_right_solutions_pass_them_all(name):
    checks = importlib.import_module(SETS[name]).CHECKS
    namespace = solved(name)
    with contextlib.redirect_stdout(io.StringIO()):
        for seed in range(100, 120):
            verdicts = practice.examine_all(namespace, checks, seed)
            assert {v.status for v in verdicts.values()} == {Status.PASSED}, (seed, verdicts)
    for check in checks:
        if check.cases:
            assert drawn(check, 100) != drawn(check, 101), check.name
