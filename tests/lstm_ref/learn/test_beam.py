"""Beam search against all texts that there are."""

import itertools

import numpy as np
import pytest

from lstm_ref.errors import ArgumentError
from lstm_ref.train import beam_search

V, END, START, LONGEST = 4, 0, 3, 4


def model(seed):
    """p of the next word after the last two: log p (V, V, V), and a step that carries the word
    before the last as its state.
    """
    table = np.log(np.random.default_rng(seed).dirichlet(np.full(V, 0.5), size=(V, V)))

    def step(ids, state):
        return table[state["before"], ids], {"before": ids}

    return table, step, {"before": np.array([START])}


def all_texts(table):
    """(ids, log p) of each text that ends within LONGEST words, its end counted."""
    for length in range(LONGEST):
        for ids in itertools.product([k for k in range(V) if k != END], repeat=length):
            path = (START, START, *ids, END)
            yield (
                ids,
                sum(table[a, b, c] for a, b, c in zip(path, path[1:], path[2:], strict=False)),
            )


def rule(ids, alpha):
    return ((5 + len(ids) + 1) / 6) ** alpha


@pytest.mark.parametrize("alpha", [0.0, 0.6, 2.0])
@pytest.mark.parametrize("seed", range(5))
def test_a_beam_that_holds_everything_finds_the_best_text(seed, alpha):
    table, step, state = model(seed)
    best = beam_search(
        step, state, start=START, end=END, longest=LONGEST, width=V**LONGEST, alpha=alpha
    )[0]
    ids, log_p = max(all_texts(table), key=lambda text: text[1] / rule(text[0], alpha))
    assert best.ids == ids and best.ended
    assert best.log_p == pytest.approx(log_p) and best.score == pytest.approx(
        log_p / rule(ids, alpha)
    )


@pytest.mark.parametrize("seed", range(5))
def test_a_beam_of_one_is_greedy(seed):
    table, step, state = model(seed)
    found = beam_search(step, state, start=START, end=END, longest=LONGEST, width=1)
    path = [START, START]
    while len(path) < LONGEST + 2 and (len(path) == 2 or path[-1] != END):
        path.append(int(table[path[-2], path[-1]].argmax()))
    ended = path[-1] == END
    assert len(found) == 1 and found[0].ended == ended
    assert found[0].ids == tuple(path[2:-1] if ended else path[2:])
    assert found[0].log_p == pytest.approx(
        sum(table[a, b, c] for a, b, c in zip(path, path[1:], path[2:], strict=False))
    )


def test_what_the_search_says_of_a_text_is_its_probability_and_the_list_falls():
    table, step, state = model(7)
    known = dict(all_texts(table))
    found = beam_search(step, state, start=START, end=END, longest=LONGEST, width=3, alpha=0.6)
    assert [one.score for one in found] == sorted(
        (one.score for one in found), reverse=True
    ) and len(found) <= 3
    assert len({one.ids for one in found}) == len(found)
    assert all(one.log_p == pytest.approx(known[one.ids]) for one in found)


def test_without_a_rule_of_length_the_short_text_wins_and_with_one_the_long():
    # The empty text has 0.4; word 1 and word 2 together have 0.6 * 1 * 0.6.
    chain = {3: [0.4, 0.6, 0, 0], 1: [0, 0, 1.0, 0], 2: [0.6, 0, 0.4, 0]}

    def step(ids, state):
        with np.errstate(divide="ignore"):
            return np.log([chain[k] for k in ids.tolist()]), state

    texts = {
        a: beam_search(step, None, start=3, end=0, longest=9, width=4, alpha=a)[0]
        for a in (0.0, 1.0)
    }
    assert texts[0.0].ids == () and texts[0.0].log_p == pytest.approx(np.log(0.4))
    assert texts[1.0].ids == (1, 2) and texts[1.0].log_p == pytest.approx(np.log(0.36))


def test_texts_without_an_end_are_returned_as_not_ended():
    def step(ids, state):
        return np.tile(np.log([1e-300, 0.7, 0.3]), (len(ids), 1)), state

    (found,) = beam_search(step, None, start=2, end=0, longest=5, width=1)
    assert found.ids == (1,) * 5 and not found.ended


def test_a_state_may_be_a_tuple_a_list_or_a_tensor():
    torch = pytest.importorskip("torch")
    table, step, state = model(4)
    expected = beam_search(step, state, start=START, end=END, longest=LONGEST, width=3)
    for kind in (tuple, list):
        for array in (np.asarray, torch.as_tensor):

            def other(ids, state, kind=kind, array=array):
                return table[np.asarray(state[0]), ids], kind([array(ids)])

            first = kind([array(state["before"])])
            assert (
                beam_search(other, first, start=START, end=END, longest=LONGEST, width=3)
                == expected
            )


def test_arguments_that_do_not_fit_are_refused():
    def scores(ids, state):
        return np.full((len(ids), 3), 2.5), state

    with pytest.raises(ArgumentError, match="are they scores before log_softmax"):
        beam_search(scores, None, start=2, end=0, longest=3)
    with pytest.raises(ArgumentError, match="no word can follow"):
        beam_search(
            lambda ids, s: (np.full((len(ids), 3), -np.inf), s), None, start=2, end=0, longest=3
        )
    for wrong in ({"width": 0}, {"longest": 0}, {"alpha": -1.0}, {"alpha": float("nan")}):
        with pytest.raises(ArgumentError, match="must be 1 or more and alpha 0 or more"):
            beam_search(scores, None, **{"start": 2, "end": 0, "longest": 3, **wrong})
