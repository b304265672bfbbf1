"""The doctor on programs written as people bring them to a forum, without a look at the zoo: see
tests/corpora/forum.
"""

import importlib
import warnings

import pytest

from lstm_ref import doctor

NAMES = ("torch", "torch_2", "torch_3", "torch_4", "torch_5", "keras", "keras_2", "keras_3")
CORPORA = {name: importlib.import_module(f"tests.corpora.forum.programs_{name}") for name in NAMES}
# Tracing takes seconds for each program in Keras: the others of these collections are examined by
# benchmarks/doctor.py only.
SOME = {
    "keras_2": {
        "attention_over_one_score",
        "sensors_reshaped_inside",
        "first_of_all_states",
        "mean_over_all_steps",
        "attention_over_steps",
        "tags_with_padding_weighted_away",
    },
    "keras_3": {
        "rare_machine_fault_of_sixteen",
        "causal_attention_writer",
        "left_padded_by_pad_sequences",
    },
}


def chosen(kind):
    return [
        (collection, name)
        for collection, corpus in CORPORA.items()
        for name in getattr(corpus, kind)
        if name in SOME.get(collection, {name})
    ]


SICK, WELL = chosen("SICK"), chosen("WELL")


def examined(framework, name, seed=0):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        arguments, right = CORPORA[framework].make(name, seed)
        return doctor.examine(**arguments), right


def counted(report):
    return [finding.id for finding in report if finding.certainty != "remark"]


@pytest.mark.parametrize(("framework", "name"), SICK)
def test_what_is_wrong_is_named_first(framework, name):
    report, right = examined(framework, name)
    assert counted(report)[:1] and counted(report)[0] in right, str(report)


@pytest.mark.parametrize(("framework", "name"), WELL)
def test_what_only_looks_odd_is_left_alone(framework, name):
    report, _ = examined(framework, name)
    assert not counted(report), str(report)
    assert not [str(entry) for entry in report.not_examined if "stopped" in entry.why]


@pytest.mark.parametrize(
    ("collection", "name", "remark"),
    [
        ("torch_2", "characters_whose_first_is_padding", "token-without-gradient"),
        ("torch_2", "text_read_on_from_batch_to_batch", "state-carried"),
        ("torch_4", "last_column_and_no_lengths_given", "reads-padding"),
        ("torch_4", "mean_over_padding_and_no_lengths_given", "reads-padding"),
        ("torch_4", "rare_class_of_two_outputs", "one-label"),
        ("keras_3", "embedding_without_mask_zero_and_no_lengths", "reads-padding"),
    ],
)
def test_what_may_be_meant_is_a_remark(collection, name, remark):
    report, _ = examined(collection, name)
    assert [f.id for f in report if f.certainty == "remark"][:1] == [remark], str(report)


def test_there_are_as_many_as_were_promised():
    assert len(SICK) >= 38 and len(WELL) >= 27


@pytest.mark.parametrize("seed", range(6))
def test_rounded_outputs_are_no_proof_that_the_inputs_are_ignored(seed):
    report, _ = examined("torch_2", "answers_rounded_before_the_loss", seed)
    assert counted(report), str(report)
    assert not [f.id for f in report if f.certainty == "proof" and f.id == "outputs-ignore-inputs"]


@pytest.mark.parametrize("seed", (900, 1000))
def test_a_target_that_is_a_place_in_the_batch_may_meet_all_examples(seed):
    """At these seeds the target met another example's output as much as its own."""
    report, _ = examined("torch_2", "questions_against_all_answers", seed)
    assert not counted(report), str(report)
