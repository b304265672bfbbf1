"""The confusion matrix of known mistakes: how it is counted, and that what is committed holds what
is asked of it.
"""

import dataclasses
import json
from pathlib import Path

import pytest

from benchmarks import naming
from lstm_ref.zoo import find

ROOT = Path(__file__).parents[2]
QUESTIONS = {name: {q.check.name: q for q in naming.questions(name)} for name in naming.SETS}
STEP, CELL = QUESTIONS["lstm-bptt"]["lstm_step"], QUESTIONS["lstm-torch"]["lstm_cell"]
BACK, CHUNKS = QUESTIONS["lstm-bptt"]["lstm_step_backward"], QUESTIONS["lstm-torch"]["run_chunks"]
GRADIENTS, LAST = QUESTIONS["lstm-torch"]["cell_gradients"], QUESTIONS["lstm-torch"]["last_hidden"]


@pytest.mark.parametrize("question", [STEP, BACK, CELL], ids=lambda question: question.check.name)
def test_all_other_orders_of_the_gates_are_found_as_conventions(question):
    assert naming.orders(question.check) == 23


@pytest.mark.parametrize(
    ("question", "one", "two"),
    [(STEP, "no_bias", "bias_twice"), (CHUNKS, "c_reset", "state_reset")],
)
def test_a_name_counts_as_right_only_where_it_is(question, one, two):
    def outcome(source, mine, question=question):
        return naming.said(question, source, 0, mine)

    wrong = question.source(find(one).changes)
    assert outcome(wrong, {one}) == outcome(wrong, None) == "named rightly"
    assert outcome(wrong, {two}) == "the same numbers as another mistake"
    assert outcome(question.source(), set()) == "right"
    assert outcome(f"def {question.written}(*a):\n    1 / 0", set()) == "raises"
    both = question.source(
        (*find(one).changes, *find("no_tanh_in_h" if question is STEP else "chunk_mean").changes)
    )
    assert outcome(both, {one}) == "not recognised"
    # A mistake that has the numbers of another one on the inputs of the first draw only.
    known = next(mistake for mistake in question.check.misconceptions if mistake.id == one)
    asked = []

    def liar(*arguments):
        asked.append(arguments)
        cases = len(question.check.cases(naming.np.random.default_rng(0)))
        return (
            known.function(*arguments)
            if len(asked) <= cases
            else question.check.expected(*arguments)
        )

    lying = dataclasses.replace(
        question.check, misconceptions=(dataclasses.replace(known, function=liar),)
    )
    assert outcome(wrong, {one}, dataclasses.replace(question, check=lying)) == "named wrongly"


def test_what_a_wrong_cell_says_of_its_gradients_is_not_asked():
    wrong_numbers, detached = "h = o * c", "h = o * torch.tanh(c.detach())"
    right = "h = o * torch.tanh(c)"
    assert (
        naming.said(GRADIENTS, GRADIENTS.source().replace(right, wrong_numbers), 0) == "not asked"
    )
    assert naming.said(GRADIENTS, GRADIENTS.source().replace(right, detached), 0) == "named rightly"


def test_mutants_are_other_code_and_of_every_kind():
    sources = list(naming.mutants(LAST.source()))
    assert len(set(sources)) == len(sources) > 10
    for changed in (
        "lengths + 1",
        "lengths - 2",
        "output[examples, lengths]",
        "output[last, last]",
    ):
        assert any(changed in source for source in sources), changed
    assert any("examples =" not in source for source in sources)  # a line left out
    assert any(
        source.index("last =") < source.index("examples =")
        for source in sources
        if source.count(" = ") == 2
    )


def test_every_problem_set_is_asked_and_knows_its_plain_solutions():
    assert set(naming.OF_ZOO) < set(naming.SETS) and len(naming.SETS) >= 7
    written = [
        name
        for name, asked in QUESTIONS.items()
        if name not in naming.OF_ZOO and any(question.check.function for question in asked.values())
    ]
    found = {name: naming.plain_of(name) for name in written}
    assert None not in found.values() and len(found) >= 5
    assert len({plain.module.__name__ for plain in found.values()}) == len(found)


def test_a_plain_solution_is_changed_and_asked_as_its_check_asks():
    question = QUESTIONS["prepare"]["windows"]
    source = question.source()
    assert naming.said(question, source, 0) == "right"
    late = source.replace("k + T - 1 + horizon", "k + T")
    assert naming.said(question, late, 0) == "named rightly"
    mend = QUESTIONS["clinic"]["mend_pairs"]  # its arrays are PyTorch's
    assert naming.said(mend, mend.source(), 0) == "right" and not naming.has_mutants(mend)
    assert naming.has_mutants(question)


def test_a_mistake_that_gives_nan_has_the_same_numbers_as_itself():
    check = QUESTIONS["seq2seq"]["attend"].check
    by_id = {mistake.id: mistake.function for mistake in check.misconceptions}
    nan, other = by_id["nan_where_nothing_is"], by_id["overflow"]
    assert naming.same_numbers(check, nan, nan) and not naming.same_numbers(check, nan, other)


@pytest.mark.parametrize("name", naming.HABITS)
def test_each_mistake_from_habit_changes_its_function(name):
    asked = {question.written: question for question in QUESTIONS[name].values()}
    for function, right, wrong in naming.HABITS[name]:
        assert right in asked[function].source() and right != wrong, (function, right)
    assert len(naming.HABITS[name]) >= 15
    assert len(set(naming.HABITS[name])) == len(naming.HABITS[name])


REPORT = json.loads((ROOT / "benchmarks" / "results" / "naming.json").read_text(encoding="utf-8"))
MEASURED = [name for name in naming.SETS if name in REPORT]


@pytest.mark.parametrize("name", MEASURED)
def test_what_was_measured_holds_what_is_asked_of_it(name):
    assert set(REPORT["machine"]) >= {"date", "processor", "python", "numpy", "torch"}
    assert all(REPORT["machine"].values()) and len(MEASURED) >= 9
    report = REPORT[name]
    known = {
        question.check.name: {m.id for m in question.check.misconceptions}
        for question in QUESTIONS[name].values()
    }
    measured = {check: set(rows) for check, rows in report["single"].items()}
    assert set(measured) == set(known)
    ids = {(check, id) for check, rows in known.items() for id in rows}
    there = {(check, id) for check, rows in measured.items() for id in rows}
    assert len(ids ^ there) <= (0 if name in naming.OF_ZOO else 0.3 * len(ids))
    summary = report["summary"]
    assert summary["single, named rightly"] >= 0.95 and summary["single, named wrongly"] <= 0.01
    assert summary["single, asked"] == sum(
        n for rows in report["single"].values() for row in rows.values() for n in row.values()
    )
    for kind in ("mutants", "pairs"):
        assert summary[kind].get("named wrongly", 0) <= 0.01 * sum(summary[kind].values())
    assert summary["habit, named wrongly"] == 0
    if name in naming.HABITS:
        assert sum(summary["mutants"].values()) > 50
        assert summary["habit, wrong numbers"] >= 10 and summary["habit, named rightly"] >= 0.6


@pytest.mark.parametrize(
    ("name", "asked"),
    [("lstm-bptt", {"lstm_step", "lstm_step_backward"}), ("lstm-torch", {"lstm_cell"})],
)
def test_all_orders_of_the_gates_were_found(name, asked):
    report = REPORT[name]
    assert set(report["orders"]) == asked and set(report["orders"].values()) == {23}
    assert sum(report["summary"]["pairs"].values()) > 100
