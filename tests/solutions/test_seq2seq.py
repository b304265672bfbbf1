"""The problem set seq2seq: its reference beside other ways to compute it, and what its cases tell
apart. The rest is in test_plain_sets.py.
"""

import itertools

import numpy as np
import pytest
import torch
from torch.nn.functional import ctc_loss
from torch.nn.utils.rnn import pad_sequence

from lstm_ref import ctc_greedy
from lstm_ref.practice import plain_seq2seq as plain
from lstm_ref.practice import seq2seq
from lstm_ref.train import beam_search
from tests.support.problem_sets import SetOf, ask
from verdict import Status
from verdict.compare import copy_tree, read, relative_error

SET = SetOf("seq2seq", seq2seq)
BY_NAME = pytest.mark.parametrize("check", SET.graded.CHECKS, ids=lambda check: check.name)

# --- the reference
# --------------------------------------------------------------------------------------------------


def additive_by_layers(q, k, Wq, Wk, v):
    """A linear layer for each of the three arrays of weights."""
    layers = []
    for weight in (Wq, Wk, v[:, None]):
        layer = torch.nn.Linear(*weight.shape, bias=False, dtype=torch.float64)
        layer.weight.data = torch.tensor(weight.T)
        layers.append(layer)
    of_q, of_k, of_both = layers
    with torch.no_grad():
        hidden = torch.tanh(of_q(torch.tensor(q)).unsqueeze(2) + of_k(torch.tensor(k)).unsqueeze(1))
        return of_both(hidden).squeeze(3).numpy()


def attend_by_torch(e, mask, values):
    kept = torch.tensor(e).masked_fill(~torch.tensor(mask)[:, None], -torch.inf)
    w = kept.softmax(dim=2).nan_to_num(0.0)
    return w.numpy(), torch.bmm(w, torch.tensor(values)).numpy()


def rows_by_torch(texts, start, end, pad):
    whole = [torch.tensor([start, *words, end]) for words in texts]
    fed = pad_sequence([row[:-1] for row in whole], batch_first=True, padding_value=pad)
    target = pad_sequence([row[1:] for row in whole], batch_first=True, padding_value=pad)
    mask = pad_sequence([torch.ones(len(row) - 1) for row in whole], batch_first=True)
    return fed.numpy(), target.numpy(), mask.numpy()


def search_by_the_course(next_log_p, end, longest, width, alpha):
    """`lstm_ref.train.beam_search`, whose state here are the words so far."""

    def step(ids, words):
        words = np.column_stack([words, ids])
        return np.array([next_log_p(row[1:].tolist()) for row in words]), words

    found = beam_search(
        step,
        np.zeros((1, 0), dtype=int),
        start=-1,
        end=end,
        longest=longest,
        width=width,
        alpha=alpha,
    )
    return list(found[0].ids), found[0].score


def ctc_by_torch(log_p, labels):
    frames = torch.tensor(log_p)[:, None]
    target = torch.tensor([labels], dtype=torch.long)
    return -float(ctc_loss(frames, target, [len(log_p)], [len(labels)], reduction="sum"))


INDEPENDENT = {
    "dot_scores": lambda q, k: np.einsum("nsh,nth->nst", q, k) * q.shape[2] ** -0.5,
    "additive_scores": additive_by_layers,
    "attend": attend_by_torch,
    "teacher_forcing": rows_by_torch,
    "greedy": lambda *arguments: search_by_the_course(*arguments, width=1, alpha=0.0),
    "beam_search": search_by_the_course,
    "ctc_collapse": lambda path: ctc_greedy(np.eye(path.max() + 1)[path][np.newaxis])[0],
    "ctc_forward": ctc_by_torch,
}


@pytest.mark.parametrize("seed", range(2))
@BY_NAME
def test_what_is_expected_agrees_with_a_second_way_to_compute_it(check, seed):
    for case in check.cases(np.random.default_rng(seed)):
        expected = read(check, check.expected(*copy_tree(case.args)), "expected")
        other = read(check, INDEPENDENT[check.name](*copy_tree(case.args)), "other")
        for name in expected:
            assert relative_error(other[name], expected[name]) < 0.5 * check.tolerance, (
                case.label,
                name,
            )
    verdict = ask(check, check.expected, seed)
    assert (verdict.status, verdict.credit, verdict.warnings) == (Status.PASSED, 1.0, ())


def test_the_forward_pass_adds_up_every_path_and_all_texts_together_are_sure():
    T, K = 5, 3
    log_p = seq2seq.log_softmax(np.random.default_rng(1).normal(size=(T, K)))
    texts = {}
    for path in itertools.product(range(K), repeat=T):
        text = tuple(plain.ctc_collapse(path))
        texts[text] = texts.get(text, 0.0) + np.exp(log_p[range(T), path].sum())
    assert len(texts) > 20 and sum(texts.values()) == pytest.approx(1)
    for text, p in texts.items():
        assert np.exp(plain.ctc_forward(log_p, list(text))) == pytest.approx(p, rel=1e-10)


def test_a_beam_that_holds_all_texts_finds_the_likeliest_that_ends():
    V, end, longest = 4, 2, 3
    model = seq2seq.language_model(3, V, end)
    texts = [
        (*words, end)
        for length in range(longest)
        for words in itertools.product([w for w in range(V) if w != end], repeat=length)
    ]
    log_p = {text: sum(model(text[:k])[word] for k, word in enumerate(text)) for text in texts}
    best = max(log_p, key=log_p.get)
    words, score = plain.beam_search(model, end, longest, V**longest, 0.0)
    assert tuple(words) == best[:-1] and score == pytest.approx(log_p[best])


# --- the cases
# --------------------------------------------------------------------------------------------------


@BY_NAME
def test_each_mistake_is_told_from_the_others_with_another_seed(check):
    for mistake in check.misconceptions:
        verdict = ask(check, mistake.function, seed=20)
        assert verdict.misconception == mistake.id, (mistake.id, verdict.message)


@pytest.mark.parametrize("seed", range(8))
def test_the_searches_are_drawn_until_they_tell(seed):
    """None of them is the last one drawn, with which the drawing was given up."""
    pairs = (
        seq2seq.RULES,
        seq2seq.SEARCH,
        seq2seq.PLACES,
        seq2seq.WIDTHS,
        seq2seq.OPEN,
        seq2seq.ENDLESS,
    )
    check = next(check for check in seq2seq.CHECKS if check.name == "beam_search")
    cases = check.cases(np.random.default_rng(seed))
    for case, apart in zip(cases, pairs, strict=True):
        for versions in apart:
            one, other = (
                SET.public.SET.call(id, "beam_search", *case.args)
                if id
                else plain.beam_search(*case.args)
                for id in versions
            )
            assert list(one[0]) != list(other[0]) or one[1] != pytest.approx(other[1], abs=1e-3)


@pytest.mark.parametrize("words", [None, 3, ["a"], [7], [-1], [[1, 2]], [0] * 200])
def test_a_model_that_is_asked_otherwise_says_what_it_takes(words):
    with pytest.raises(ValueError, match="takes a list of the words so far"):
        seq2seq.language_model(0, 5, 0)(words)


def test_what_a_student_writes_into_an_answer_of_the_model_changes_no_other_answer():
    model = seq2seq.language_model(0, 5, 0)
    before = model([1]).copy()
    model([1])[:] = 0
    assert (model([1]) == before).all() and np.exp(before).sum() == pytest.approx(1)


def test_minus_infinity_may_be_any_number_far_below_and_not_a_number_may_not():
    check = next(check for check in SET.graded.CHECKS if check.name == "ctc_forward")
    far = ask(check, lambda *case: max(plain.ctc_forward(*case), -1e30))
    assert far.status is Status.PASSED

    def nan_where_impossible(*case):
        log_p = plain.ctc_forward(*case)
        return log_p if np.isfinite(log_p) else np.nan

    verdict = ask(check, nan_where_impossible)
    assert verdict.status is Status.WRONG and "holds NaN or infinity" in verdict.message
