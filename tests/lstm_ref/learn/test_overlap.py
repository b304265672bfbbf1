"""BLEU and ROUGE against values computed by hand."""

import math

import pytest

from lstm_ref.errors import ArgumentError
from lstm_ref.metrics import bleu, brevity_penalty, ngrams, rouge_l, rouge_n

CAT = "the cat sat on the mat".split()


def test_bleu_of_one_wrong_word_by_hand():
    # Of "the cat sat on a mat": 5 of 6 words, 3 of 5 pairs, 2 of 4 triples, 1 of 3 runs of four are
    # in the reference.
    expected = (5 / 6 * 3 / 5 * 2 / 4 * 1 / 3) ** (1 / 4)
    assert bleu([CAT], ["the cat sat on a mat".split()]) == pytest.approx(expected)


def test_a_word_counts_no_more_often_than_the_reference_has_it():
    assert ngrams("the the the".split(), 1) == {("the",): 3}
    assert bleu([CAT], [["the"] * 6], longest=1) == pytest.approx(2 / 6)


def test_counts_are_added_up_before_they_are_divided():
    right, wrong = "a b c d e f g h".split(), "p q r s".split()
    both = bleu([right, "w x y z".split()], [right, wrong])
    # words 8 of 12, pairs 7 of 10, triples 6 of 8, fours 5 of 6
    assert both == pytest.approx((8 / 12 * 7 / 10 * 6 / 8 * 5 / 6) ** (1 / 4))
    assert both != pytest.approx((bleu([right], [right]) + 0) / 2)


def test_what_is_short_is_punished_and_what_is_long_is_not_punished_twice():
    assert bleu([CAT], [CAT[:5]]) == pytest.approx(math.exp(1 - 6 / 5))
    assert brevity_penalty(6, 5) == pytest.approx(math.exp(-0.2)) and brevity_penalty(5, 6) == 1.0
    assert bleu([CAT], [[*CAT, "today"]]) == pytest.approx(
        (6 / 7 * 5 / 6 * 4 / 5 * 3 / 4) ** (1 / 4)
    )


def test_a_short_right_answer_has_bleu_0_unless_it_is_smoothed():
    two = "good film".split()
    assert bleu([two], [two]) == 0.0
    assert bleu([two], [two], smooth=True) == 1.0
    assert bleu([two], [["good", "plot"]], smooth=True) == pytest.approx((1 / 2 * 1 / 2) ** (1 / 4))
    assert bleu([two], [[]]) == 0.0 and bleu([two], [[]], smooth=True) == 0.0


def test_rouge_by_hand():
    found = rouge_n(CAT, "the cat is on a mat".split())
    assert found == pytest.approx((4 / 6, 4 / 6, 4 / 6))
    assert rouge_n(CAT, "the cat is on a mat".split(), n=2) == pytest.approx((1 / 5, 1 / 5, 1 / 5))
    # Lin's example: one word order, two scores.
    police = "police killed the gunman".split()
    assert rouge_l(police, "police kill the gunman".split()).f1 == pytest.approx(3 / 4)
    assert rouge_l(police, "the gunman kill police".split()).f1 == pytest.approx(2 / 4)


def test_rouge_l_leaves_words_out_and_keeps_the_order():
    assert rouge_l("a b c d e".split(), "a x c y e".split()) == pytest.approx((3 / 5, 3 / 5, 3 / 5))
    assert rouge_l("a b".split(), "b a".split()).recall == 0.5
    assert rouge_l("a b".split(), "b b b a".split()) == pytest.approx((1 / 4, 1 / 2, 1 / 3))


def test_texts_that_share_nothing_or_are_empty_have_0():
    for reference, hypothesis in ((CAT, []), ([], CAT), (CAT, ["dog"]), ([], [])):
        assert rouge_n(reference, hypothesis) == (0, 0, 0) == rouge_l(reference, hypothesis)


def test_strings_and_lists_that_do_not_match_are_refused():
    with pytest.raises(
        ArgumentError, match="a text must be a list of words, got the string 'the cat'"
    ):
        bleu([CAT], ["the cat"])
    with pytest.raises(ArgumentError, match="must be as many, and at least one, got 2 and 1"):
        bleu([CAT, CAT], [CAT])
    for call in (
        lambda: bleu([], []),
        lambda: bleu([CAT], [CAT], longest=0),
        lambda: rouge_n(CAT, CAT, n=0),
    ):
        with pytest.raises(ArgumentError):
            call()
    with pytest.raises(ArgumentError, match="rouge_l: a text must be a list"):
        rouge_l("the cat", CAT)
