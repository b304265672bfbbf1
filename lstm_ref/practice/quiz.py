"""Quizzes, one a part of the book: the form of each answer, and the instant check of that form.

    from lstm_ref.practice import quiz
    check = quiz.instant("quiz-one")
    check("half")

Whether an answer is right only the judge says. So no answer stands here, and the instant check is
told none (solutions/quiz-one/checks.py has them).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

from lstm_ref.practice import Instant
from verdict import Check, Misconception

LETTERS = ("a", "b", "c", "d")
TOLERANCE = 0.005  # of a number: three digits are enough


class Answer(NamedTuple):
    """The answer to one question, and what is wrong with the answers that others give.

    Parameters
    ----------
    right : the number, or the letter
    wrong : id of a misconception -> what it answers, and why that is wrong
    """

    right: float | str
    wrong: Mapping[str, tuple[float | str, str]]


def _number(name: str, title: str) -> Check:
    return Check(name=name, title=title, value=name, points=1.0, tolerance=TOLERANCE)


def _choice(name: str, title: str) -> Check:
    return Check(name=name, title=title, value=name, points=1.0, choices=LETTERS)


QUIZZES = {
    "quiz-one": (
        _number("half", "After how many steps less than half is left."),
        _number("weights", "How many numbers an LSTM learns."),
        _choice("keeping", "Which gates keep the cell."),
        _choice("path", "By what the gradient is multiplied on its way through the cell."),
        _number("bound", "How much of a gradient a plain RNN can leave at most."),
        _choice("clipping", "What clipping helps against."),
        _number("surprise", "The perplexity."),
        _choice("tie", "What a tie with a table means."),
        _choice("strip", "What passes from one strip of a long text to the next."),
        _number("states", "How many numbers are in the hidden states of a batch."),
    ),
    "quiz-two": (
        _number("two_biases", "How many parameters nn.LSTM has."),
        _number("both_at_one", "The forget gate's bias when both are set to 1."),
        _choice("last_column", "What the last column of the outputs holds."),
        _number("masked", "The mean loss of a padded batch."),
        _number("third_call", "What .grad holds after three calls."),
        _number("clipped", "A gradient after clipping by its norm."),
        _choice("evaluation", "What makes two evaluations differ."),
        _choice("axes", "What batch_first mixes when it is left out."),
        _number("last_only", "How many numbers a Keras layer returns."),
        _choice("larger_batch", "What a larger batch does not shorten."),
    ),
    "quiz-three": (
        _number("first_loss", "The loss before anything is learnt."),
        _number("always_no", "The accuracy of a model that never says yes."),
        _number("f1", "The F1 of a detector."),
        _choice("scaler", "On what a scaler is fitted."),
        _number("skill", "The skill of a forecast."),
        _choice("one_batch", "Which fault learning one batch by heart does not show."),
        _choice("best_of_many", "What the best of 64 models on the test set tells."),
        _choice("lag_zero", "What an exact zero beyond the last step means."),
        _number("forget_bias", "The forget bias for a lag."),
        _choice("pruned", "What becomes of the file of a pruned model."),
    ),
    "quiz-four": (
        _choice("shifted", "What a decoder gets as its input."),
        _number("attention", "One weight of a masked attention."),
        _choice("short", "What beam search does without a rule for the length."),
        _choice("collapse", "What a path of CTC says."),
        _number("word_errors", "The word error rate."),
        _choice("yesterday", "What a forecast that looks right is."),
        _number("coverage", "The share of values that lies between two quantiles."),
        _choice("scan", "Why minLSTM needs no loop over the steps."),
        _choice("saved", "What must be saved beside the weights."),
        _choice("stream", "What a model needs to be asked one value at a time."),
    ),
}


def instant(name: str) -> Callable[..., None]:
    """`check` of one quiz, for the notebook that calls it: it says whether an answer has the form
    that is asked for, and never whether it is right.

    Parameters
    ----------
    name : of the quiz, ``"quiz-one"``
    """
    return Instant(QUIZZES[name]).check


def answered(name: str, answers: Mapping[str, Answer]) -> list[Check]:
    """The questions of a quiz with their answers: what the judge asks.

    Parameters
    ----------
    name : of the quiz, ``"quiz-one"``
    answers : question -> its answer, for each question of the quiz

    Raises
    ------
    ValueError : a question has no answer, or an answer no question
    """
    asked = {check.name: check for check in QUIZZES[name]}
    if set(asked) != set(answers):
        raise ValueError(
            f"{name}: answers must be those of {sorted(asked)}, got {sorted(answers)}; "
            f"they differ in {sorted(set(asked) ^ set(answers))}"
        )
    return [
        replace(
            check,
            expected=_constant(answers[check.name].right),
            misconceptions=tuple(
                Misconception(identity, why, _constant(value))
                for identity, (value, why) in answers[check.name].wrong.items()
            ),
        )
        for check in asked.values()
    ]


def _constant(value: float | str) -> Callable[[], float | str]:
    return lambda: value
