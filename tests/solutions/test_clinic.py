"""The problem set clinic: its programs, sick ones beside their healthy twins; and that nothing but
measuring tells them apart. The rest is in test_plain_sets.py.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from autograder.author.demo import Student, hand_in
from lstm_ref import lstm_forward, practice
from lstm_ref.losses import cross_entropy
from lstm_ref.practice import clinic_keras
from lstm_ref.practice import clinic_programs as programs
from lstm_ref.practice import graded_clinic as clinic
from lstm_ref.practice import plain_clinic as plain
from tests.support.problem_sets import SetOf, ask, holds_no_number, run
from verdict import Status, changes
from verdict.compare import copy_tree, read

ROOT = Path(__file__).parents[2]
SET = SetOf("clinic", clinic)
RIGHT = SET.students.RIGHT
CAUSES = (*programs.CAUSES, programs.NONE)
CHECKS = {check.name: check for check in SET.graded.CHECKS}
NUMBERS = ("strangers", "memory", "floor", "padding", "length", "idle", "copied", "beyond")
# Which of the eight numbers each fault moves, and from where on nothing healthy is.
MOVES = {
    "axis": ("strangers", lambda n: n >= 1),
    "memory": ("memory", lambda n: n < 1e-3),
    "softmax": ("floor", lambda n: n > 0.3),
    "padding": ("padding", lambda n: n > 1e-4),
    "clipping": ("length", lambda n: n > 1.5),
    "optimizer": ("idle", lambda n: n >= 1),
    "shift": ("copied", lambda n: n == 1),
    "state": ("beyond", lambda n: n > 1e-3),
}
HEALTHY = {
    "strangers": lambda n: n == 0,
    "memory": lambda n: n > 0.01,
    "floor": lambda n: n < 1e-6,
    "padding": lambda n: n < 1e-12,
    "length": lambda n: n < 1 + 1e-9,
    "idle": lambda n: n == 0,
    "copied": lambda n: n < 0.9,
    "beyond": lambda n: n == 0,
}


def numbers(program):
    values = [number for name in clinic.EVIDENCE for number in getattr(plain, name)(program)]
    return dict(zip(NUMBERS, map(float, values), strict=True))


# --- the programs
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cause", CAUSES)
def test_a_fault_moves_its_own_number_far_and_no_other_but_what_follows(cause):
    moved, is_sick = MOVES.get(cause, ("", None))
    follows = {"memory"} if cause == "axis" else set()
    for seed in range(12):
        program = programs.draw(np.random.default_rng(seed), cause, place=seed)
        found = numbers(program)
        assert moved == "" or is_sick(found[moved]), (seed, found)
        for name in set(NUMBERS) - {moved} - follows:
            assert HEALTHY[name](found[name]), (seed, name, found)
        assert plain.diagnose(program) == cause


# Run by a Python of its own: in the one of the tests, Keras may compute with TensorFlow.
IN_KERAS = """
import numpy as np
from lstm_ref.practice import clinic_programs as programs
from tests.solutions.test_clinic import CAUSES, HEALTHY, MOVES, NUMBERS, numbers, plain

def drawn(cause, seed):
    return programs.draw(np.random.default_rng(seed), cause, place=1 + 3 * (seed % 4))

for cause in CAUSES:
    moved, is_sick = MOVES.get(cause, ("", None))
    for seed in range(8):
        programs.is_on_torch = lambda: True
        program = drawn(cause, seed)
        programs.is_on_torch = lambda: False
        twin = drawn(cause, seed)
        found, theirs = numbers(program), numbers(twin)
        where = cause, seed, found, theirs
        assert len(program["step"]()[0]) == 5 and len(twin["step"]()[0]) == 6, where
        assert moved == "" or is_sick(found[moved]), where
        # A layer is frozen here, single arrays are left out there; padding is weighed otherwise.
        own = {"optimizer": {"length", "idle"}, "padding": {"padding"}}.get(cause, set())
        for name in set(NUMBERS) - own:
            assert abs(found[name] - theirs[name]) < 1e-6, (name, where)
        assert plain.diagnose(program) == cause, where
        again = [program["step"](), program["step"]()]
        for one, other in zip(*(sum(map(list, each), []) for each in again)):
            assert np.array_equal(one, other), where
print("all alike")
"""


def test_a_program_in_keras_has_the_numbers_of_its_twin_in_pytorch():
    environment = os.environ | {"KERAS_BACKEND": "torch", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", IN_KERAS], capture_output=True, text=True, cwd=ROOT, env=environment
    )
    assert (done.returncode, done.stdout) == (0, "all alike\n"), done.stderr


def test_programs_are_in_keras_only_where_it_computes_with_pytorch(monkeypatch):
    for backend in ("torch", "tensorflow"):
        monkeypatch.setitem(
            sys.modules,
            "keras",
            SimpleNamespace(backend=SimpleNamespace(backend=lambda b=backend: b)),
        )
        assert clinic_keras.is_on_torch() == (backend == "torch")
        monkeypatch.delitem(sys.modules, "keras")
        monkeypatch.setenv("KERAS_BACKEND", backend)
        assert clinic_keras.is_on_torch() == (backend == "torch")


@pytest.mark.parametrize("cause", programs.CAUSES)
def test_a_sick_program_and_its_healthy_twin_hold_the_same_data(cause):
    sick, twin = (
        programs.draw(np.random.default_rng(3), each, place=1) for each in (cause, programs.NONE)
    )
    for name, value in twin.items():
        # Closed gates give other gradients, and clipping needs one that is long enough.
        if not callable(value) and (name, cause) != ("max_norm", "memory"):
            assert_allclose(sick[name], value)
    assert sick.keys() == twin.keys()


def test_a_healthy_program_agrees_with_the_reference():
    rng = np.random.default_rng(0)
    weights = programs.draw_weights(rng, 3, 4, 5)
    program = programs.draw(np.random.default_rng(1), programs.NONE)
    x = rng.normal(size=(2, 6, 3))
    zeros = np.zeros((2, 4))
    states = lstm_forward(x, zeros, zeros, weights[0].T, weights[1].T, weights[2] + weights[3])[0]
    expected = states @ weights[4].T + weights[5]
    assert_allclose(programs.forward(weights, x, programs.NONE, 0), expected, atol=1e-12)
    mean = cross_entropy(program["outputs"], program["y"], program["mask"])[0]
    assert program["loss"](program["outputs"], program["y"], program["mask"]) == pytest.approx(mean)
    before, after = program["step"]()
    again = program["step"]()
    for a, b in zip((*before, *after), (*again[0], *again[1]), strict=True):
        assert np.array_equal(a, b)  # each call begins with the same weights


def test_a_step_is_that_of_pytorchs_own_optimizer_and_clipping():
    case = clinic.stepped_case(np.random.default_rng(0), "", (3, 4, 2, 3), 2)
    for arguments, function in ((case.args, plain.stepped), (case.args[:4], plain.trained)):
        theirs = clinic.in_torch(function)(*copy_tree(arguments))
        for got, expected in zip(clinic.expected_step(*arguments), theirs, strict=True):
            assert_allclose(got, expected, atol=1e-5)


def test_a_question_that_makes_no_sense_is_answered_with_what_is_expected():
    program = programs.draw(np.random.default_rng(0), programs.NONE)
    with pytest.raises(ValueError, match=r"x must be \(N, T, D\) with D = \d, got \(2, 3, 9\)"):
        program["forward"](np.zeros((2, 3, 9)))
    with pytest.raises(ValueError, match="takes 1 arguments with"):
        program["forward"](np.zeros(3))
    with pytest.raises(ValueError, match="at most 20000 in one argument"):
        program["forward"](np.zeros((1, 10_000, 3)))
    with pytest.raises(ValueError, match="classes in y must be from 0 to"):
        program["loss"](program["outputs"], program["y"] + 50, program["mask"])
    with pytest.raises(ValueError, match="do not fit together"):
        program["loss"](program["outputs"], program["y"][:, :2], program["mask"])
    with pytest.raises(ValueError, match="k must be at least 1"):
        program["back"](program["sequence"], 0)
    with pytest.raises(ValueError, match="more than 300 questions"):
        for _ in range(programs.MOST_CALLS):
            program["pairs"](program["tokens"])
    with pytest.raises(ValueError, match="cause must be one of axis"):
        programs.draw(np.random.default_rng(0), "flu")


# --- the diagnoses
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", CAUSES)
def test_one_word_for_all_earns_nothing(word):
    def constant(program):
        program["forward"](program["x"])
        return word

    verdict = ask(clinic.CHECKS[4], constant)
    assert (verdict.credit, verdict.misconception) == (0, "same_answer")


def test_a_guess_or_what_the_data_say_earns_nothing():
    rng = np.random.default_rng(0)
    guesses = (
        lambda program: CAUSES[rng.integers(9)],
        lambda program: CAUSES[int(1e6 * program["lr"]) % 9],
        lambda program: "clipping" if program["max_norm"] < 0.1 else "none",
    )
    for guess in guesses:

        def diagnose(program, guess=guess):
            program["forward"](program["x"])
            return guess(program)

        assert ask(CHECKS["diagnose"], diagnose).credit == 0


def test_a_word_counts_where_no_other_program_gets_it():
    def told(changed):
        def diagnose(program):
            word = plain.diagnose(program)
            return changed.get(word, word)

        return ask(clinic.CHECKS[4], diagnose)

    # What is called by another's word costs that other its share, too.
    assert told({"softmax": "padding"}).credit == 6 / 8
    assert told({"none": "state"}).credit == 7 / 8
    assert told({"softmax": "none"}).credit == 7 / 8
    verdict = told({"softmax": "none", "padding": "none"})
    assert (
        verdict.status is Status.WRONG and "called otherwise: softmax, padding" in verdict.message
    )
    assert holds_no_number(verdict.message) and len(verdict.hints) == 2
    assert told({}).credit == 1


@pytest.mark.parametrize("answer", [None, "It is the padding", 3, ["axis"], np.zeros(3)])
def test_what_is_none_of_the_words_is_told(answer):
    verdict = ask(clinic.CHECKS[4], lambda program: answer)
    assert verdict.status is Status.ERROR and "one of the words axis, memory" in verdict.message


def test_patients_to_practise_on_are_of_every_kind_and_the_same_for_a_seed():
    assert {clinic.cause_of(seed) for seed in range(60)} == set(CAUSES)
    for seed in range(3):
        assert plain.diagnose(clinic.patient(seed)) == clinic.cause_of(seed)
        assert_allclose(clinic.patient(seed)["x"], clinic.patient(seed)["x"])


# --- the mends
# --------------------------------------------------------------------------------------------------


def test_a_mend_restores_the_number_that_proved_the_fault():
    """The given sick programs of the notebook, and the reference's mends, measured."""
    x = torch.randn(3, 5, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    weights = [torch.tensor(w) for w in programs.draw_weights(np.random.default_rng(0), 2, 3, 1)]

    def strangers(reader):
        other = x.clone()
        other[0] += 1
        return int(((reader(weights[:4], other) - reader(weights[:4], x))[1:].abs() > 1e-9).sum())

    sick = SET.public.SET
    assert strangers(plain.mend_reader) == 0
    assert strangers(lambda *a: sick.call("reader_as_it_was", "mend_reader", *a)) > 0
    assert strangers(lambda *a: sick.call("view_for_transposition", "mend_reader", *a)) > 0
    scores, y = 50 * torch.eye(4), torch.arange(4)
    assert plain.mend_scores(scores, y) < 1e-6
    for symptom in ("scores_as_they_were", "probabilities_scaled"):
        assert sick.call(symptom, "mend_scores", scores, y) > 1e-4


def test_each_sick_program_of_the_notebook_is_known_as_it_was_and_earns_nothing():
    namespace = {"lstm_of": plain.lstm_of}
    given = [
        cell.source
        for cell in SET.handed_in(SET.students.RIGHT[0]).cells
        if "sick_" in cell.source and cell.source.startswith("def ")
    ]
    imports = "import keras\nimport torch\nimport torch.nn.functional as F\nfrom torch import nn"
    exec(imports, namespace)
    exec("\n\n".join(given), namespace)
    assert len(given) == 8
    for name in [name for name in CHECKS if name.startswith("mend_")]:
        check = CHECKS[name]
        called = vars(plain) | {name: namespace[name.replace("mend_", "sick_")]}
        function = type(plain.trained)(getattr(plain, check.function).__code__, called)
        if check.function == name:
            function = called[name]
        verdict = ask(check, clinic.in_torch(function), 5)
        assert verdict.credit == 0 and "still the sick program" in verdict.message, verdict
        assert read(check, check.expected(*check.cases(np.random.default_rng(0))[0].args), name)


MENDS = [check for check in clinic.CHECKS if check.mend]


def corpus():
    """Habit -> the cells that right solutions of strangers put into the notebook."""
    for path in sorted((ROOT / "tests/corpora/fair_clinic").glob("*.cell")):
        cells = re.split(r"^# %% .*\n", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        yield path.stem, cells[1:]


def released():
    cells = nbformat.reads(SET.release, as_version=4).cells
    return [cell.source for cell in cells if cell.cell_type == "code"]


def test_right_mends_of_all_kinds_stay_far_below_the_cap_on_changed_lines():
    assert len(MENDS) == 8
    right = {student.name: [c.source for c in SET.handed_in(student).cells] for student in RIGHT}
    numbers = {}
    for who, cells in (*right.items(), *corpus()):
        for check in MENDS:
            if found := changes.changes(check, clinic.CHECKS, released(), cells):
                numbers.setdefault(check.name, []).append((found.number, who))
    for check in MENDS:
        assert max(numbers[check.name])[0] <= 0.75 * check.mend.most, numbers[check.name]
        assert len(numbers[check.name]) >= len(RIGHT) and min(numbers[check.name])[0] >= 1


def test_the_text_says_how_many_lines_may_change():
    text = SET.source.read_text(encoding="utf-8")
    assert "in each of parts 6 to 13, at most 16 lines may differ" in text
    assert {check.mend.most for check in MENDS} == {clinic.MOST} == {16}
    parts = re.findall(r"^\| (\d+) \| `(mend_\w+)` \|", text, re.MULTILINE)
    assert [int(number) for number, _ in parts] == list(range(6, 14))


def test_a_mend_that_changes_too_much_is_told_so_by_the_instant_check(capsys):
    notebook = SET.handed_in(next(s for s in SET.students.WRONG if s.name == "writes_it_anew"))
    namespace = run(notebook)
    practice.ask(clinic.CHECKS, "mend_scores", 3, namespace)
    said = capsys.readouterr().out
    assert said.startswith("mend_scores: right, with more lines changed than may be\n")
    assert "18 lines differ from the code that was given, and at most 16 may: line " in said
    del namespace["In"]  # no notebook: nothing to count, and the judge decides
    practice.ask(clinic.CHECKS, "mend_scores", 3, namespace)
    assert capsys.readouterr().out.startswith("mend_scores: passed\n")


def test_importing_the_checks_imports_no_framework():
    code = "import sys; import lstm_ref.practice.graded_clinic; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.split() == ["False"]


def test_the_import_of_keras_is_none_of_a_students_time():
    told = "import sys\nprint('imported:', 'keras' in sys.modules, 'tensorflow' in sys.modules)"
    student = Student("tells", "what is imported already", hand_in(first=told), SET.students.FULL)
    record = SET.in_the_box(student)
    assert record.score == record.max_score == 20, record.to_json()
    assert "imported: True False" in record.output
