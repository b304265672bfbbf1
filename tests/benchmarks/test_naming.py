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


@pytest.mark.parametrize("name", naming.SETS)
def test_what_was_measured_holds_what_is_asked_of_it(name):
    report = json.loads(
        (ROOT / "benchmarks" / "results" / "naming.json").read_text(encoding="utf-8")
    )
    assert set(report["machine"]) >= {"date", "processor", "python", "numpy", "torch"} and all(
        report["machine"].values()
    )
    report = report[name]
    known = {
        question.check.name: {m.id for m in question.check.misconceptions}
        for question in QUESTIONS[name].values()
    }
    assert {check: set(rows) for check, rows in report["single"].items()} == known
    assert sum(map(len, known.values())) >= 40
    summary = report["summary"]
    assert summary["single, named rightly"] >= 0.95 and summary["single, named wrongly"] <= 0.01
    assert summary["single, asked"] == sum(
        n for rows in report["single"].values() for row in rows.values() for n in row.values()
    )
    for kind in ("mutants", "pairs"):
        assert summary[kind].get("named wrongly", 0) <= 0.01 * sum(summary[kind].values())
        assert sum(summary[kind].values()) > 100
    assert set(report["orders"].values()) == {23}
    assert (
        set(report["orders"])
        == {"lstm-bptt": {"lstm_step", "lstm_step_backward"}, "lstm-torch": {"lstm_cell"}}[name]
    )
