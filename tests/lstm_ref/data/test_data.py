import builtins
import platform
import re
import sys
import types

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_ref.data import UNKNOWN, Split, Vocabulary, about, batches, load, split_text
from lstm_ref.errors import ArgumentError, LSTMError, MissingPackageError


@pytest.fixture(scope="module")
def reference():
    return load("python-reference")


def paragraphs(text):
    return [" ".join(p.split()) for p in text.split("\n\n")]


def use_topics(monkeypatch, topics):
    module = types.ModuleType("pydoc_data.topics")
    module.topics = topics
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", module)


# --- load and about


def test_python_reference_is_long_enough_for_a_model_and_is_the_reference(reference):
    assert len(reference) > 250_000
    assert reference.startswith('The "assert" statement\n')
    for sentence in (
        'The "yield" statement',
        "List displays",
        "A code block is executed in an *execution frame*",
    ):
        assert sentence in reference


def test_python_reference_is_the_same_text_each_time(reference):
    assert load("python-reference") == reference


def test_python_reference_is_clean(reference):
    assert not re.search(r"[\t\r\x00]", reference)
    assert not re.search(r" +$", reference, flags=re.MULTILINE)
    assert "\n\n\n" not in reference
    assert reference == reference.strip("\n")


def test_python_reference_holds_no_paragraph_twice(reference):
    found = paragraphs(reference)
    assert len(found) > 1000
    assert len(set(found)) == len(found)


def test_no_paragraph_is_lost(reference):
    from pydoc_data.topics import topics

    everything = {
        " ".join(p.split()) for text in topics.values() for p in re.split(r"\n\s*\n", text)
    } - {""}
    assert set(paragraphs(reference)) == everything


def test_topics_are_taken_in_alphabetical_order_whatever_the_order_of_the_dictionary(monkeypatch):
    use_topics(monkeypatch, {"b": "two\n\n   a\tb  \n   c\n", "a": "\none\n\n\n\ntwo\n"})
    assert load("python-reference") == "one\n\ntwo\n\n   a    b\n   c"


def test_unknown_name_lists_what_there_is():
    for function in (load, about):
        with pytest.raises(
            ArgumentError,
            match=rf"{function.__name__}: there is no data set 'tinyshakespear'.*python-reference",
        ):
            function("tinyshakespear")
    with pytest.raises(LSTMError):
        load("")


def test_a_python_without_its_topics_is_told_what_is_missing(monkeypatch):
    real = builtins.__import__

    def without_topics(name, *arguments, **keywords):
        if name == "pydoc_data.topics":
            raise ModuleNotFoundError(f"No module named {name!r}")
        return real(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", without_topics)
    with pytest.raises(
        MissingPackageError, match="no pydoc_data.topics.*install the full standard library"
    ):
        load("python-reference")


def test_about_names_version_and_licence():
    found = about("python-reference")
    assert found.name == "python-reference"
    assert found.version == f"Python {platform.python_version()}"
    assert "PSF" in found.licence
    assert "pydoc_data.topics" in found.source


# --- split_text


@given(
    st.text(min_size=20, max_size=200),
    st.sampled_from([(0.1, 0.1), (0.2, 0.1), (0.05, 0.3), (0.3, 0.0), (0.0, 0.3), (0, 0)]),
)
def test_split_pieces_are_consecutive_and_complete(text, shares):
    split = split_text(text, *shares)
    assert split.train + split.validation + split.test == text
    assert abs(len(split.validation) - shares[0] * len(text)) <= 0.5
    assert abs(len(split.test) - shares[1] * len(text)) <= 0.5


def test_split_of_the_reference_shares_no_paragraph(reference):
    train, validation, test = split_text(reference)
    # The paragraphs that a cut runs through are in both pieces, half each; all others must differ.
    assert not set(paragraphs(train)[:-1]) & set(paragraphs(validation)[1:-1])
    assert not set(paragraphs(train)[:-1]) & set(paragraphs(test)[1:])
    assert not set(paragraphs(validation)[1:-1]) & set(paragraphs(test)[1:])


@pytest.mark.parametrize(
    "shares", [(-0.1, 0.1), (0.5, 0.5), (0.2, -0.1), (1.0, 0.0), (float("nan"), 0.1)]
)
def test_split_refuses_shares_that_do_not_fit(shares):
    with pytest.raises(ArgumentError, match=r"together less than 1, got validation="):
        split_text("abc" * 100, *shares)


def test_split_refuses_a_text_that_is_too_short_for_its_pieces():
    with pytest.raises(ArgumentError, match="a text of 3 characters leaves nothing for validation"):
        split_text("abc")
    with pytest.raises(ArgumentError, match="a text of 0 characters leaves nothing for train"):
        split_text("", 0, 0)
    assert split_text("abc", 0, 0) == Split("abc", "", "")


# --- Vocabulary


@given(st.text(alphabet=st.characters(exclude_characters=UNKNOWN), min_size=1))
def test_training_text_comes_back_from_its_ids(text):
    vocabulary = Vocabulary(text)
    ids = vocabulary.encode(text)
    assert ids.dtype == np.int64 and ids.shape == (len(text),)
    assert ids.min() >= 1 and ids.max() < len(vocabulary)
    assert vocabulary.decode(ids) == text


def test_only_the_training_text_makes_the_vocabulary():
    vocabulary = Vocabulary("abc")
    assert vocabulary.encode("abzé").tolist() == [1, 2, 0, 0]
    assert vocabulary.decode([1, 0, 3]) == f"a{UNKNOWN}c"
    assert len(vocabulary) == 4


def test_ids_do_not_depend_on_the_order_of_the_text():
    assert (
        Vocabulary("hello").characters
        == Vocabulary("olleh").characters
        == (UNKNOWN, "e", "h", "l", "o")
    )


def test_rare_characters_become_the_unknown_so_that_training_meets_it():
    text = "aaabbbc"
    vocabulary = Vocabulary(text, min_count=3)
    assert vocabulary.characters == (UNKNOWN, "a", "b")
    assert (vocabulary.encode(text) == 0).sum() == 1
    assert (Vocabulary(text).encode(text) == 0).sum() == 0


def test_a_replacement_character_in_the_text_is_the_unknown_and_not_a_second_id():
    vocabulary = Vocabulary(f"a{UNKNOWN}b")
    assert vocabulary.characters == (UNKNOWN, "a", "b")
    assert vocabulary.encode(UNKNOWN).tolist() == [0]


def test_empty_text_and_empty_ids():
    vocabulary = Vocabulary("a")
    assert vocabulary.encode("").shape == (0,)
    assert vocabulary.decode([]) == ""


def test_vocabulary_refuses_a_text_that_gives_no_character():
    with pytest.raises(
        ArgumentError,
        match="no character occurs 1 times or more in a training text of 0 characters",
    ):
        Vocabulary("")
    with pytest.raises(ArgumentError, match="no character occurs 5 times .* a smaller min_count"):
        Vocabulary("abc", min_count=5)
    with pytest.raises(ArgumentError, match="min_count must be 1 or more, got 0"):
        Vocabulary("abc", min_count=0)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([1, 3], r"an id must be in 0 ... 2, got 3"),
        ([-1], r"an id must be in 0 ... 2, got -1"),
        ([0.5], r"ids must be integers with one axis, got float64 with shape \(1,\)"),
        ([[1, 2]], r"ids must be integers with one axis, got int64 with shape \(1, 2\)"),
    ],
)
def test_decode_refuses_what_is_not_a_list_of_ids(ids, message):
    with pytest.raises(ArgumentError, match=message):
        Vocabulary("ab").decode(ids)


# --- batches


lanes_and_text = st.tuples(st.integers(1, 5), st.integers(1, 7), st.integers(0, 60))


@given(lanes_and_text)
def test_each_lane_reads_the_text_without_a_gap(sizes):
    N, T, extra = sizes
    ids = np.arange(N * T + 1 + extra) * 7  # every value once, so that a value tells its place
    pairs = list(batches(ids, N, T))
    assert len(pairs) == (len(ids) - 1) // N // T
    x = np.concatenate([x for x, _ in pairs], axis=1)
    y = np.concatenate([y for _, y in pairs], axis=1)
    length = (len(ids) - 1) // N
    for n in range(N):
        np.testing.assert_array_equal(x[n], ids[n * length : n * length + x.shape[1]])
    # the target is the next character, within a lane and from batch to batch
    np.testing.assert_array_equal(y, x + 7)
    assert len(np.unique(x)) == x.size  # no character is read twice


@given(lanes_and_text)
def test_batches_have_the_promised_shape_and_type(sizes):
    N, T, extra = sizes
    for x, y in batches(np.zeros(N * T + 1 + extra, np.int32), N, T):
        assert x.shape == y.shape == (N, T)
        assert x.dtype == y.dtype == np.int64


def test_batches_are_copies():
    ids = np.arange(9)
    pairs = batches(ids, 2, 2)
    x, y = next(pairs)
    x[:] = -1
    y[:] = -1
    assert ids.tolist() == list(range(9))
    assert [a.tolist() for a in next(pairs)] == [[[2, 3], [6, 7]], [[3, 4], [7, 8]]]


def test_batches_refuse_too_short_a_text_before_the_first_batch_is_asked_for():
    assert len(list(batches(np.arange(13), 3, 4))) == 1
    with pytest.raises(
        ArgumentError, match="N=3 lanes of T=4 characters and one last target need 13 ids, got 12"
    ):
        batches(np.arange(12), 3, 4)


@pytest.mark.parametrize(
    ("ids", "N", "T", "message"),
    [
        (np.arange(9), 0, 2, "N and T must be 1 or more, got N=0, T=2"),
        (np.arange(9), 2, 0, "N and T must be 1 or more, got N=2, T=0"),
        (
            np.arange(9.0),
            1,
            2,
            r"integers with one axis, got float64 with shape \(9,\); use Vocabulary.encode",
        ),
        (np.zeros((3, 3), int), 1, 2, r"integers with one axis, got int64 with shape \(3, 3\)"),
    ],
)
def test_batches_refuse_what_they_cannot_cut(ids, N, T, message):
    with pytest.raises(ArgumentError, match=message):
        batches(ids, N, T)
