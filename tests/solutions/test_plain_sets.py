"""The problem sets that are made of plain functions: their mistakes, their texts, their classes."""

import re
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest

from lstm_ref import practice
from lstm_ref.practice import (
    error_analysis,
    graded_clinic,
    measure,
    prepare,
    search_compress,
    seq2seq,
    vanishing,
)
from tests.support.problem_sets import SetOf, ask, holds_no_number, labels, without_docstring
from verdict import Status
from verdict.compare import SINGLE_PRECISION, copy_tree, read, relative_error

# What each hidden case demands, in words of the notebook's text.
VANISHING = {
    "a large network": "is a large network",
    "a long sequence": "longer sequences",
    "many units": "other sizes",
    "one input and one unit": "any of which may be 1",
    "zero state": "state of zeros",
    "a large matrix": "other sizes",
    "one unit, H = 1": "any of which may be 1",
    "a positive eigenvalue is largest": "largest absolute value among them",
    "many more rows": "The shape of $A$ is any",
    "many more columns": "The shape of $A$ is any",
    "one column": "The shape of $A$ is any",
    "one row": "The shape of $A$ is any",
    "a very long gradient": "Against a gradient that explodes",
    "a very long memory": "a whole number above 2",
}
MEASURE = {
    "many examples and classes": "more examples, classes and sentences",
    "another class without examples": "A class may have no example at all",
    "two classes": "or fewer",
    "many sequences": "more examples, classes and sentences",
    "a sequence of padding only": "A sequence may be padding only",
    "a long list": "more examples, classes and sentences",
    "no words at all on one side": "One of the lists may be empty",
    "no words at all on the other side": "One of the lists may be empty",
    "two equal lists": "0 if they are equal",
    "many sentences": "more examples, classes and sentences",
    "a hypothesis without words": "A hypothesis may have no words",
    "a long series": "more examples, classes and sentences",
    "a good forecast": "How much better a forecast is",
    "many draws": "Many draws give many rates",
    "few sentences": "or fewer",
}
PREPARE = {
    "a long text": "more sentences, rows and steps",
    "an empty text": "An empty text has no tokens",
    "white space of all kinds": "spaces, tabs, line ends",
    "many sentences": "more sentences, rows and steps",
    "an empty sentence": "A sentence may be empty",
    "another empty sentence": "A sentence may be empty",
    "many texts": "more sentences, rows and steps",
    "many rows": "more sentences, rows and steps",
    "one test row": "The test set may have a single row",
    "a long series": "more sentences, rows and steps",
    "windows of one value, T = 1": "`T` may be 1",
    "no gap at all": "The gap may be 0",
    "a third split": "more sentences, rows and steps",
}
CLINIC = {
    "two examples, N = 2": "with two examples or many",
    "many examples": "with two examples or many",
    "many units": "with one unit or many",
    "another healthy program": "sick and healthy ones in any order",
    "a single example": "a single example",
    "other large outputs": "large outputs",
    "as many classes as steps": "other sizes",
    "long texts": "long texts",
    "chunks of one step, k = 1": "chunks of one step",
    "a long sequence": "long sequences",
}
ERROR_ANALYSIS = {
    "many answers": "more answers, attributes and slices",
    "the same value everywhere": "An attribute may have the same value everywhere",
    "no error at all": "There may be no error at all",
    "nothing is wrong": "Nothing may be wrong",
    "everything is wrong": "or everything",
    "a single answer": "there may be a single answer",
    "many slices": "more answers, attributes and slices",
    "one slice, m = 1": "`m` may be 1",
    "one slice that does not differ": "There may be nothing that differs",
    "nothing is found": "Where nothing is found, nothing is confirmed",
}
MORE = "more draws, rates, settings and weights, seeds and examples"
SEARCH_COMPRESS = {
    **dict.fromkeys(("many draws", "many rates", "many settings", "many examples"), MORE),
    **dict.fromkeys(("a large matrix", "a large network"), MORE),
    "a single draw, n = 1": "`n` may be 1",
    "numbers above 1": "The two ends may be any numbers above 0",
    "nothing diverges": "It may be that none diverges",
    "a single rate": "there may be a single rate",
    "a single rung": "There may be a single rung",
    "a single setting, n = 1": "and a single setting",
    "fewer than eta are left": "but at least one",
    "a single seed": "There may be a single seed",
    "a large matrix with many equal entries": "Entries may be equal",
    "nothing goes, k = 0": "`k` may be 0",
    "a single row": "A matrix may have a single row",
    "a small share": "any share from 0 to below 1",
    "nothing goes, share = 0": "any share from 0 to below 1",
    "one unit is left": "`keep` may be 1",
    "all units stay": "or as many as there are",
    "zeros only": "A row may hold nothing but zeros",
    "nothing lies beyond": "where it lies beyond",
    "tau = 1": "`tau` may be 1",
    "very large scores": "Scores may be very large",
}
SEQ2SEQ = {
    "many places": "other sizes",
    "one number in each vector": "any of which may be 1",
    "one word and one place": "any of which may be 1",
    "all but one place are padding": "the other ones are padding and get the weight 0",
    "no padding": "those places only at which the mask is True",
    "no places at all": "In an example without any place all weights are 0",
    "other large scores": "Scores may be as large as 1000",
    "many texts": "longer texts and paths",
    "one text": "any of which may be 1",
    "texts of equal length": "as many columns as the longest text needs",
    "only empty texts": "A text may be empty",
    "many words": "longer texts and paths",
    "a single step": "any of which may be 1",
    "another end at once": "The end mark may be the likeliest at once",
    "greedy, width = 1": "With `width` 1 this is greedy search",
    "no rule, alpha = 0": r"$\alpha$ may be 0",
    "more places than texts": "`width` may be larger than the number of texts",
    "another one without an end": "there may be none that ends",
    "a long path": "longer texts and paths",
    "another path": "longer texts and paths",
    "all blanks": "A path may be all blanks",
    "one label for all of the path": "equal neighbours are merged into one",
    "an empty text": "it may be empty",
    "many labels": "longer texts and paths",
    "just enough frames": "A text may have equal neighbours",
    "a long sound": "There may be a thousand frames and more",
    "a frame too few for equal neighbours": "the text may not fit into the frames",
}

SETS = (
    SimpleNamespace(
        of=SetOf("vanishing", vanishing),
        announced=VANISHING,
        box={"float32", "needs_jax", "one_array"},
    ),
    SimpleNamespace(
        of=SetOf("measure", measure, calls={"word_error_rate": ("edit_distance",)}),
        announced=MEASURE,
        box={"sorted", "needs_jiwer", "one_number", "compares", "one_question", "says_yes"},
    ),
    SimpleNamespace(
        of=SetOf("prepare", prepare, calls={"encode_sets": ("tokenize", "build_vocabulary")}),
        announced=PREPARE,
        box={"ranges", "masks", "needs_spacy", "a_set", "by_alphabet", "vocabulary_from_all"},
    ),
    SimpleNamespace(
        of=SetOf("clinic", graded_clinic, calls={"diagnose": graded_clinic.EVIDENCE}),
        announced=CLINIC,
        box={
            "on_its_own",
            "asks_too_much",
            "a_sentence",
            "memory_first",
            "wrong_shapes",
            "writes_it_anew",
        },
    ),
    SimpleNamespace(
        of=SetOf("error-analysis", error_analysis),
        announced=ERROR_ANALYSIS,
        box={"needs_astropy", "one_list", "one_by_one", "fails_right", "against_the_truth"},
    ),
    SimpleNamespace(
        of=SetOf("search-compress", search_compress),
        announced=SEARCH_COMPRESS,
        box={"needs_optuna", "recursive", "asks_again", "test_of_all", "wraps_around"},
    ),
    SimpleNamespace(
        of=SetOf("seq2seq", seq2seq),
        announced=SEQ2SEQ,
        box={"as_lists", "tables", "needs_jax", "only_weights", "float32"},
    ),
)
NAMES = [one.of.name for one in SETS]
EACH = pytest.mark.parametrize("one", SETS, ids=NAMES)
CHECKS = [
    pytest.param(one, check, id=f"{one.of.name}-{check.name}")
    for one in SETS
    for check in one.of.graded.CHECKS
    if check.cases  # what is examined in a way of its own is tested beside its reference
]
COMPARED = pytest.mark.parametrize(
    ("one", "check"), [asked for asked in CHECKS if not asked.values[1].properties]
)
BY_CHECK = pytest.mark.parametrize(("one", "check"), CHECKS)


def public(one, check):
    """The check of this name that students have."""
    return next(other for other in one.of.public.CHECKS if other.name == check.name)


def students(kind):
    return [
        pytest.param(one, student, id=f"{one.of.name}-{student.name}")
        for one in SETS
        for student in one.of.students.STUDENTS
        if kind(one, student)
    ]


# --- the mistakes
# --------------------------------------------------------------------------------------------------


@BY_CHECK
def test_every_known_mistake_is_named_as_itself_by_the_judge_and_in_the_notebook(one, check):
    shown = public(one, check)
    assert shown.points == check.points and len(labels(check)) > len(labels(shown))
    assert len(set(labels(check))) == len(labels(check))
    for mistake in check.misconceptions:
        for asked, seed in ((check, 1), (shown, 2)):
            verdict = ask(asked, mistake.function, seed)
            # One that fails in some cases is told beside the error.
            assert verdict.misconception == mistake.id or verdict.status is Status.ERROR, (
                mistake.id,
                verdict,
            )
            assert verdict.credit < 1 and mistake.title in verdict.message
            assert holds_no_number(verdict.message.replace(mistake.title, ""))
            assert verdict.status in (mistake.status, Status.ERROR) and len(mistake.hints) == 2


@COMPARED
def test_no_known_mistake_is_near_single_precision_and_right_work_in_it_passes(one, check):
    for seed in range(2):
        verdict = ask(check, lambda *arguments: check.expected(*map(single, arguments)), seed)
        assert (verdict.status, verdict.credit) == (Status.PASSED, 1.0), verdict.message
        cases = check.cases(np.random.default_rng(seed))
        for mistake in check.misconceptions:
            assert max(error_of(check, mistake, case) for case in cases) > 20 * SINGLE_PRECISION, (
                mistake.id
            )


def single(value):
    if isinstance(value, dict):
        return {name: single(array) for name, array in value.items()}
    if isinstance(value, tuple):
        return tuple(map(single, value))
    if isinstance(value, np.ndarray) and value.dtype == np.float64:
        return value.astype(np.float32)
    return value


def error_of(check, mistake, case):
    """The largest of all outputs; infinite where it has another shape, or raises."""
    expected = read(check, check.expected(*copy_tree(case.args)), "reference")
    try:
        with np.errstate(all="ignore"):
            got = read(check, mistake.function(*copy_tree(case.args)), mistake.id)
    except Exception:
        return np.inf
    errors = [
        relative_error(got[n], expected[n]) if got[n].shape == expected[n].shape else np.inf
        for n in expected
    ]
    return max(np.inf if np.isnan(error) else error for error in errors)


@COMPARED
def test_what_nobody_knows_is_not_named(one, check):
    changes = (lambda a, rng: -1.3 * a - 0.1, lambda a, rng: 1.1 * a + 0.1)

    def changed(value, change, rng):
        if isinstance(value, str):
            return f"{value}."
        if isinstance(value, dict):
            return {name: changed(part, change, rng) for name, part in value.items()}
        if isinstance(value, tuple | list):
            return [changed(part, change, rng) for part in value]
        return change(np.asarray(value), rng)

    for change in changes:
        rng = np.random.default_rng(7)
        verdict = ask(check, lambda *a, f=change, r=rng: changed(check.expected(*a), f, r), seed=4)
        assert (verdict.status, verdict.misconception) == (
            Status.WRONG,
            None,
        ) and verdict.hints == check.hints


@EACH
def test_hints_and_titles_hold_no_line_of_a_solution(one):
    lines = {
        re.sub(r"\s", "", line)
        for source in one.of.solutions.values()
        for line in source.splitlines()
    }
    right_sides = [side for line in lines if len(side := line.split("=", 1)[-1]) > 12]
    assert len(right_sides) > 20
    for mistake in one.of.public.SET.mistakes:
        for text in (mistake.title, *mistake.hints):
            bare = re.sub(r"\s", "", text)
            assert not any(right in bare for right in right_sides), (mistake.id, text)


# --- the text
# --------------------------------------------------------------------------------------------------


@EACH
def test_the_notebook_and_the_module_hold_the_same_functions(one):
    for name, source in one.of.solutions.items():
        function = name.removesuffix("_code")
        assert without_docstring(source) == without_docstring(one.of.public.SET.source(function))


@BY_CHECK
def test_each_hidden_case_is_announced_in_the_text(one, check):
    cells = nbformat.reads(one.of.release, as_version=4).cells
    text = " ".join(" ".join(cell.source for cell in cells).split())
    for label in set(labels(check)) - set(labels(public(one, check))):
        assert one.announced[label] in text, label


@EACH
def test_points_add_up_and_nothing_of_the_solution_is_released(one):
    full = one.of.students.FULL
    assert one.of.marks() == full == {check.name: check.points for check in one.of.graded.CHECKS}
    assert sum(full.values()) == 20
    cells = nbformat.reads(one.of.release, as_version=4).cells
    assert not any("BEGIN SOLUTION" in cell.source for cell in cells)
    assert [cell.source for cell in cells if cell.source.startswith("check(")] == [
        f'check("{name}")' for name in full
    ]


# --- the classes
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("one", "student"), students(lambda one, student: not student.hostile))
def test_each_gets_its_points_and_its_mistake_is_named(one, student):
    verdicts = one.of.verdicts(student)
    points = {check.name: check.points for check in one.of.graded.CHECKS}
    scores = one.of.students.FULL | {
        name: round(points[name] * v.credit, 4) for name, v in verdicts.items()
    }
    assert scores == {name: round(s, 4) for name, s in student.scores.items()}, verdicts
    assert {name: v.misconception for name, v in verdicts.items() if v.misconception} == dict(
        student.mistakes
    )


# It waits for the same limit in each set; once is enough, and a part of it.
SAME_AS_MEASURE = {(name, "loops_forever") for name in NAMES if name != "measure"}
IN_THE_BOX = {"perfect", "noisy", "moved_around", "syntax_error"}


@pytest.mark.parametrize(
    ("one", "student"),
    students(
        lambda one, student: (
            (student.hostile and (one.of.name, student.name) not in SAME_AS_MEASURE)
            or student.name in IN_THE_BOX | one.box
        )
    ),
)
def test_the_sandbox_gives_the_same_points_and_attacks_gain_nothing(one, student):
    seconds = 5.0 if student.name == "loops_forever" else None
    record = one.of.in_the_box(student, seconds)
    scores = {check.name: check.score for check in record.checks}
    assert scores == {name: round(float(s), 4) for name, s in student.scores.items()}, (
        record.to_json()
    )


@EACH
def test_the_class_is_large_and_covers_every_mistake(one):
    everybody = one.of.students.STUDENTS
    named = {id for student in everybody for id in (student.mistakes or {}).values()}
    assert {mistake.id for mistake in one.of.public.SET.mistakes} <= named and len(named) >= 15
    assert len(one.of.students.RIGHT) >= 8 and sum(student.hostile for student in everybody) >= 5
    assert len({student.name for student in everybody}) == len(everybody)


# Sets whose texts are approved. clinic's mistakes are asked by training, which takes too long here.
APPROVED = [pytest.param(one, id=one.of.name) for one in SETS if one.of.name != "clinic"]


@pytest.mark.parametrize("one", APPROVED)
def test_what_is_said_of_each_known_mistake_is_approved(one, approved):
    public = one.of.public
    texts = {}
    for mistake in public.SET.mistakes:
        namespace = public.SET.namespace(mistake.id)
        for check in public.CHECKS:
            if check.asked == mistake.function:
                verdict = practice.examine_in(namespace, check, 1, public.CHECKS)
                head = f"{mistake.id} ({check.name}): {verdict.status.value}, {verdict.credit:.2g}"
                texts[head] = "\n".join([verdict.message, *verdict.hints])
    approved(one.of.name, texts)
