"""The quizzes: each answer is computed here by the libraries, each known mistake is named, and the
pages say where they are.
"""

import math
import re

import numpy as np
import pytest
import torch
from torch import nn

from autograder.course.rebuild import read_release, rebuild
from autograder.judge import problem_set
from autograder.judge.judge import grade
from autograder.sandbox import choose
from lstm_ref import (
    check_gradients,
    ctc_greedy,
    init_lstm,
    lstm_forward,
    lstm_step,
    lstm_step_backward,
)
from lstm_ref.metrics import error_rate
from lstm_ref.practice.quiz import QUIZZES, Answer, answered
from tests.support.problem_sets import ROOT, SetOf

NAMES = list(QUIZZES)
OF = {name: SetOf(name, None) for name in NAMES}


def right(name):
    return {check.name: check.expected() for check in OF[name].graded.CHECKS}


@pytest.fixture(scope="module")
def box():
    return choose.choose()


@pytest.mark.parametrize("name", NAMES)
def test_each_simulated_student_gets_its_points_and_its_mistakes_are_named(name, box):
    chosen = problem_set.load(name, ROOT)
    for student in OF[name].students.STUDENTS:
        submission = rebuild(read_release(chosen), OF[name].handed_in(student))
        record = grade(submission.cells, chosen, seed=name, isolation=box)
        assert {c.name: c.score for c in record.checks} == student.scores, student.name
        if student.mistakes is not None:
            named = {c.name: c.misconception for c in record.checks if c.misconception}
            assert named == student.mistakes, student.name


@pytest.mark.parametrize("name", NAMES)
def test_a_quiz_has_ten_questions_and_explains_wrong_answers(name):
    checks = OF[name].graded.CHECKS
    assert len(checks) == 10 and sum(check.points for check in checks) == 10
    for check in checks:
        wrong = [mistake.function() for mistake in check.misconceptions]
        if check.choices:  # each letter is right, or explained
            assert sorted([check.expected(), *wrong]) == list(check.choices), check.name
        else:
            assert len(wrong) >= 2, check.name
        assert all(len(mistake.title) > 15 for mistake in check.misconceptions), check.name


@pytest.mark.parametrize("name", NAMES)
def test_no_letter_is_right_too_often_and_each_choice_stands_in_the_text(name):
    letters = [answer for answer in right(name).values() if isinstance(answer, str)]
    assert max(letters.count(letter) for letter in letters) <= 2
    text = OF[name].source.read_text(encoding="utf-8")
    assert len(re.findall(r"^- \*\*[abcd]\*\* ", text, re.MULTILINE)) == 4 * len(letters)


def test_the_answers_of_a_quiz_are_those_to_its_questions():
    with pytest.raises(ValueError, match="differ in .*'half'"):
        answered("quiz-one", {name: Answer(1, {}) for name in right("quiz-one") if name != "half"})


@pytest.mark.parametrize("name", NAMES)
def test_the_pages_for_students_and_teachers_name_each_quiz(name):
    for page in ("book/start.md", "book/teach/grading.md", "README.md"):
        assert f"`{name}`" in (ROOT / page).read_text(encoding="utf-8"), page


# --- the answers, computed
# --------------------------------------------------------------------------------------------------


def step_with(i, f, c=0.7):
    """The cell after one step whose gates are nearly the given numbers."""
    bias = np.array([40.0 * (2 * i - 1), 40.0 * (2 * f - 1), 1.0, 0.0])
    state = np.zeros((1, 1)), np.full((1, 1), c)
    _, after, _ = lstm_step(np.ones((1, 1)), *state, np.zeros((1, 4)), np.zeros((1, 4)), bias)
    return after.item()


def test_the_numbers_of_part_one():
    given = right("quiz-one")
    left = 0.95 ** np.arange(30)
    assert given["half"] == np.flatnonzero(left < 0.5)[0]
    rng = np.random.default_rng(0)
    weights = init_lstm(rng, 3, 5)
    assert given["weights"] == sum(array.size for array in weights.values())
    zeros = np.zeros((4, 5))
    h, *_ = lstm_forward(rng.normal(size=(4, 7, 3)), zeros, zeros, **weights)
    assert given["states"] == h.size
    assert given["surprise"] == pytest.approx(np.prod(np.full(40, math.exp(-1.5)) ** (-1 / 40)))
    x, w = torch.zeros(20), torch.tensor(0.9)
    h0 = h = torch.zeros(1, requires_grad=True)
    for now in x:
        h = torch.tanh(w * h + now)
    assert given["bound"] == pytest.approx(torch.autograd.grad(h.sum(), h0)[0].item(), rel=1e-5)


def test_the_letters_of_part_one():
    given = right("quiz-one")
    gates = dict(zip("abcd", ((1, 1), (0, 1), (1, 0), (0, 0)), strict=True))
    kept = [letter for letter, (i, f) in gates.items() if abs(step_with(i, f) - 0.7) < 1e-6]
    assert kept == [given["keeping"]]
    # With Wh = 0 the gates do not depend on the state: what is left is the direct way.
    rng = np.random.default_rng(1)
    weights = init_lstm(rng, 2, 3) | {"Wh": np.zeros((3, 12))}
    x, h, c = rng.normal(size=(1, 2)), rng.normal(size=(1, 3)), rng.normal(size=(1, 3))
    after_h, _, cache = lstm_step(x, h, c, **weights)
    dc, (i, f, g, o) = np.ones((1, 3)), gates_of(x, weights)
    back = lstm_step_backward(np.zeros_like(after_h), dc, cache)
    assert np.allclose(back[2], f) and given["path"] == "a"
    assert not any(np.allclose(back[2], other) for other in (i * g, o * (1 - np.tanh(c) ** 2)))
    check_gradients(lambda p: lstm_step(x, h, p["c"], **weights)[1].sum(), {"c": c}, {"c": back[2]})


def gates_of(x, weights):
    a = x @ weights["Wx"] + weights["b"]
    i, f, o = (1 / (1 + np.exp(-a[:, k : k + 3])) for k in (0, 3, 9))
    return i, f, np.tanh(a[:, 6:9]), o


def test_the_answers_of_part_two():
    given = right("quiz-two")
    lstm = nn.LSTM(3, 5)
    assert given["two_biases"] == sum(p.numel() for p in lstm.parameters())
    with torch.no_grad():
        lstm.bias_ih_l0[5:10] = lstm.bias_hh_l0[5:10] = 1.0
    assert given["both_at_one"] == (lstm.bias_ih_l0 + lstm.bias_hh_l0)[5:10].mean().item()
    weight = torch.ones(1, requires_grad=True)
    for _ in range(3):
        (2 * weight).sum().backward()
    assert given["third_call"] == weight.grad.item()
    pair = nn.Parameter(torch.zeros(2))
    pair.grad = torch.tensor([3.0, 4.0])
    nn.utils.clip_grad_norm_([pair], 1.0)
    assert given["clipped"] == pytest.approx(pair.grad[1].item(), rel=1e-5)
    losses, mask = np.array([[1, 2, 3], [6, 0, 0]]), np.array([[1, 1, 1], [1, 0, 0]])
    assert given["masked"] == (losses * mask).sum() / mask.sum()
    short = torch.randn(1, 4, 3, generator=torch.Generator().manual_seed(0))
    padded = torch.cat([short, torch.zeros(1, 2, 3)], dim=1)
    ours = nn.LSTM(3, 5, batch_first=True)
    last, word = ours(padded)[0][:, -1], ours(short)[0][:, -1]
    assert given["last_column"] == "c"
    assert (last - word).abs().max() > 1e-3 and last.abs().max() > 1e-3
    batch = torch.cat([short, short + 1])
    mixed = (lstm(batch)[0][1] - lstm(torch.cat([short * 0, short + 1]))[0][1]).abs().max()
    assert given["axes"] == "b" and mixed > 1e-3


def test_the_answers_of_part_three():
    given = right("quiz-three")
    loss = nn.functional.cross_entropy(torch.zeros(8, 4), torch.arange(8) % 4)
    assert given["first_loss"] == pytest.approx(loss.item(), rel=1e-6)
    said, true = np.zeros(20), np.r_[1, np.zeros(19)]
    assert given["always_no"] == np.mean(said == true)
    precision, recall = 3 / 4, 3 / 6
    assert given["f1"] == pytest.approx(2 / (1 / precision + 1 / recall))
    assert given["skill"] == 1 - 2.0 / 4.0
    gate = 1 / (1 + math.exp(-given["forget_bias"]))
    assert 1 / (1 - gate) == pytest.approx(101)  # steps until 1/e is left, nearly: u + 1
    rng = np.random.default_rng(0)
    best = rng.binomial(200, 0.8, size=(2000, 64)).max(axis=1) / 200
    assert given["best_of_many"] == "b" and best.mean() > 0.83
    cut = nn.LSTM(2, 4)
    x = torch.randn(5, 1, 2, requires_grad=True)
    state = None
    for t in range(5):
        out, state = cut(x[t : t + 1], state)
        state = tuple(one.detach() for one in state)
    out.sum().backward()
    assert given["lag_zero"] == "a"
    assert (x.grad[:-1] == 0).all() and x.grad[-1].abs().max() > 1e-4


def test_the_answers_of_part_four():
    given = right("quiz-four")
    scores = torch.tensor([1.0, 1.0, 1.0, -math.inf, -math.inf])
    assert given["attention"] == pytest.approx(torch.softmax(scores, 0)[0].item())
    # 0 is the blank, 1 is a, 2 is b
    path = np.eye(3)[[1, 1, 0, 1, 2, 0, 2]][None]
    said = "".join(" ab"[k] for k in ctc_greedy(path)[0])
    text = OF["quiz-four"].source.read_text(encoding="utf-8")
    assert f"- **{given['collapse']}** {said}\n" in text
    reference, heard = ["one", "two", "three", "four"], ["one", "two", "three", "for", "you"]
    assert given["word_errors"] == error_rate([reference], [heard])
    draws = np.random.default_rng(0).normal(size=20_000)
    low, high = np.quantile(draws, [0.1, 0.9])
    inside = np.mean((draws > low) & (draws < high))
    assert given["coverage"] == pytest.approx(inside, abs=0.01)
