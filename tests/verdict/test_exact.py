"""Words, lists of any lengths and dicts are compared as they are, and a known mistake in them is
named.
"""

from collections import Counter, OrderedDict

import numpy as np
import pytest

from lstm_ref.practice import examine_in
from lstm_ref.practice.failing import first_failure
from verdict import Case, Check, Misconception, Status, exact, examine
from verdict.tensors import to_arrays


def tokens_and_counts(texts):
    tokens = [text.split() for text in texts]
    return tokens, dict(Counter(word for words in tokens for word in words))


def sorted_tokens(texts):
    tokens, counts = tokens_and_counts(texts)
    return [sorted(words) for words in tokens], counts


CHECK = Check(
    name="tokens",
    title="Tokens and counts.",
    function="tokens",
    points=2,
    cases=lambda rng: [Case("", (["so it is", "it"],)), Case("an empty text", (["b a a", ""],))],
    expected=tokens_and_counts,
    outputs=("tokens", "counts"),
    exact=("tokens", "counts"),
    misconceptions=(Misconception("sorted", "The words are sorted.", sorted_tokens, ("Look.",)),),
)


def ask(function):
    return examine(CHECK, function, np.random.default_rng(0))


RIGHT = {
    "as it is": tokens_and_counts,
    "tuples, and a dict in another order": lambda texts: (
        tuple(tuple(t.split()) for t in texts),
        OrderedDict(reversed(tokens_and_counts(texts)[1].items())),
    ),
    "numbers of NumPy": lambda texts: (
        tokens_and_counts(texts)[0],
        {word: np.int64(n) for word, n in tokens_and_counts(texts)[1].items()},
    ),
    "words of NumPy": lambda texts: (
        [np.array(t.split(), dtype=str) for t in texts],
        Counter(" ".join(texts).split()),
    ),
}


@pytest.mark.parametrize("how", RIGHT)
def test_right_work_of_any_kind_passes(how):
    verdict = ask(RIGHT[how])
    assert (verdict.status, verdict.credit, verdict.warnings) == (Status.PASSED, 1.0, ())
    assert examine_in({"tokens": RIGHT[how]}, CHECK, 0).status is Status.PASSED


def test_a_known_mistake_is_named_and_the_rest_counts():
    verdict = ask(sorted_tokens)
    assert (verdict.status, verdict.misconception, verdict.credit) == (Status.WRONG, "sorted", 0.5)


WRONG = {
    "tokens is wrong: it differs first at [0][1]": lambda t: ([["so", "is", "it"], ["it"]], {}),
    "tokens is wrong: it has 1 entry, and 2 were expected": lambda t: ([["so"]], {}),
    "tokens is wrong: [1] is a word, and a list was expected": lambda t: (
        [["so", "it", "is"], "it"],
        {},
    ),
    "counts is wrong: it lacks 1 key and has 1 key that should not be there": lambda t: (
        [],
        {"so": 1, "it": 2, "not": 1},
    ),
    "counts is wrong: it differs first at ['it']": lambda t: ([], {"so": 1, "it": 1, "is": 1}),
    "counts is None; a dict was asked for": lambda t: ([], None),
    "tokens is wrong: it is a set, and a list was expected": lambda t: ({"so"}, {}),
}


@pytest.mark.parametrize("says", WRONG)
def test_a_message_says_where_it_differs_and_not_what_is_right(says):
    verdict = ask(
        lambda texts: WRONG[says](texts) if texts[0] == "so it is" else tokens_and_counts(texts)
    )
    assert verdict.status is Status.WRONG and says in verdict.message, verdict.message
    if "differs" in says:
        assert not any(word in verdict.message for word in ("'so'", "'is'"))


def test_lists_without_an_end_and_odd_objects_are_refused():
    endless = []
    endless.append(endless)
    for value in (endless, [object()], {1: b"2"}, np.array([None])):
        with pytest.raises(TypeError):
            exact.tree(value)
    assert "could" not in ask(lambda texts: (endless, endless)).message


SETS = [
    ({"a", "b"}, {"b", "a"}, ""),
    (["b", "a"], {"a", "b"}, ""),
    ({1, 2.0000001}, {1.0, 2}, ""),
    ({(1, 2)}, {(1, 2)}, ""),
    ({"a", "c"}, {"a", "b"}, "it lacks 1 entry and has 1 entry that should not be there"),
    ({1, 3}, {1, 2}, "it lacks 1 entry and has 1 entry that should not be there"),
    (set(), {None, 1}, "it lacks 2 entries"),
    (["a", "a"], {"a"}, "it is a list, and a set was expected"),
    ([["a"], {}], {"a"}, "it is a list, and a set was expected"),
    ({1: {"a"}}, {1: {"b", "a"}}, "[1] lacks 1 entry"),
    (set(), [], ""),  # nothing has no order
    ({"a"}, ["a"], "it is a set, and a list was expected"),
]


@pytest.mark.parametrize(("got", "expected", "said"), SETS)
def test_sets_are_compared_whatever_their_order(got, expected, said):
    assert exact.difference(exact.tree(got), exact.tree(expected)) == said


def test_numbers_in_a_tree_are_compared_up_to_rounding():
    assert exact.same((1.0, float("nan")), (1 + 1e-9, float("nan")))
    assert (
        not exact.same((1.0,), (1.001,))
        and not exact.same((1,), ("1",))
        and not exact.same(("a",), ("a", "a"))
    )


def test_words_of_numpy_travel_as_words():
    got = to_arrays([np.array(["a", "b"]), np.str_("c"), {"d": np.str_("e")}])
    assert got == [["a", "b"], "c", {"d": "e"}] and type(got[1]) is str
    keys = to_arrays({np.str_("a"): 1, np.int64(2): 3})
    assert keys == {"a": 1, 2: 3} and [type(key) for key in keys] == [str, int]


def test_the_failing_case_shows_what_came_and_what_was_expected():
    shown = str(first_failure(CHECK, sorted_tokens, np.random.default_rng(0)))
    assert "tokens: (('is', 'it', 'so'), ('it',)) came," in shown
    assert "tokens: (('so', 'it', 'is'), ('it',)) was expected." in shown and "counts:" not in shown
