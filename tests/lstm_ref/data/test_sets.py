"""The data sets that need no network: what they hold, and that what they promise about it is so."""

import ast
import datetime
import json
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_ref.data import (
    about,
    date_pairs,
    digit_sounds,
    docstring_summaries,
    load,
    log_mel,
    names,
    number_pairs,
    review_grammar,
    reviews,
)
from lstm_ref.errors import ArgumentError, MissingPackageError, ShapeError

# --- the catalogue


def test_import_of_the_data_sets_needs_numpy_only():
    code = "import json, sys; import lstm_ref.data; print(json.dumps(sorted(sys.modules)))"
    modules = json.loads(
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout
    )
    optional = {
        "pooch",
        "requests",
        "tqdm",
        "pandas",
        "statsmodels",
        "vega_datasets",
        "num2words",
        "babel",
        "sklearn",
    }
    assert "lstm_ref.data.fetch" in modules
    assert not optional & set(modules)


def test_every_data_set_says_what_it_is_without_being_loaded():
    assert len(names()) == 15
    for name in names():
        found = about(name)
        assert found.name == name
        assert all((found.what, found.version, found.licence, found.source)), name
        assert "not installed" not in found.version


def test_version_of_a_package_that_is_not_there_is_told_and_no_error():
    from lstm_ref.data.packages import package_version

    assert (
        package_version("numpy", "no-such-package")
        == f"numpy {np.__version__}, no-such-package: not installed"
    )


@pytest.mark.parametrize(
    ("name", "module", "package"),
    [
        ("co2", "statsmodels.datasets", "statsmodels"),
        ("stocks", "vega_datasets", "vega_datasets"),
        ("dates", "babel", "babel"),
        ("numbers-in-words", "num2words", "num2words"),
    ],
)
def test_package_that_is_missing_is_named_with_the_way_to_install_it(
    monkeypatch, name, module, package
):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(
        MissingPackageError, match=rf"needs {package}.*pip install 'inside-the-lstm\[data\]'"
    ):
        load(name)


# --- forecasting


@pytest.mark.parametrize(
    ("name", "shape", "first", "last", "gaps"),
    [
        ("co2", (2284, 1), ("1958-03-29", 316.1), ("2001-12-29", 371.5), 59),
        ("sunspots", (309, 1), ("1700-01-01", 5.0), ("2008-01-01", 2.9), 0),
        ("el-nino", (732, 1), ("1950-01-01", 23.11), ("2010-12-01", 22.07), 0),
        ("seattle-weather", (1461, 4), ("2012-01-01", 0.0), ("2015-12-31", 0.0), 0),
        ("stocks", (123, 5), ("2000-01-01", 25.94), ("2010-03-01", 223.02), 55),
    ],
)
def test_series_is_whole_and_in_the_order_of_time(name, shape, first, last, gaps):
    series = load(name)
    assert series.values.shape == shape and series.values.dtype == np.float64
    assert len(series.columns) == shape[1] and len(series.time) == shape[0]
    assert (np.diff(series.time) > np.timedelta64(0)).all()
    for k, (day, value) in ((0, first), (-1, last)):
        assert (str(series.time[k]), series.values[k, 0]) == (day, value)
    assert np.isnan(series.values).sum() == gaps


@pytest.mark.parametrize("name", ["co2", "el-nino", "seattle-weather"])
def test_period_is_the_season_that_the_values_show(name):
    series = load(name)
    values = series.values[:, 0] if name != "seattle-weather" else series.column("temp_max")[:, 0]
    values = np.interp(
        np.arange(len(values)), np.flatnonzero(~np.isnan(values)), values[~np.isnan(values)]
    )
    # Of all shifts from half a period to one and a half, the values resemble themselves most at
    # about the whole.
    x = np.diff(values) if name == "co2" else values - values.mean()
    shifts = np.arange(series.period // 2, 3 * series.period // 2)
    likeness = [np.corrcoef(x[:-k], x[k:])[0, 1] for k in shifts]
    assert abs(shifts[int(np.argmax(likeness))] - series.period) <= max(1, 0.06 * series.period)


def test_column_is_a_copy_with_its_axis_kept():
    series = load("stocks")
    ibm = series.column("IBM")
    assert ibm.shape == (123, 1) and ibm[0, 0] == 100.52
    ibm[:] = 0
    assert series.column("IBM")[0, 0] == 100.52
    with pytest.raises(
        ArgumentError, match="there is no column 'ibm'; there are: AAPL, AMZN, GOOG, IBM, MSFT"
    ):
        series.column("ibm")


# --- sentiment: a second reading of the grammar, from the words alone


def praises(sentence):
    """Whether a sentence praises, read off its words: the clause that is not conceded, and each
    negation in it.
    """
    if sentence.startswith("although "):
        clause = sentence.split(" , ")[1]
    elif " , although " in sentence:
        clause = sentence.split(" , although ")[0]
    else:
        clause = sentence.split(" , but ")[-1]
    good = clause.split()[-1] in review_grammar.GOOD
    negations = sum(
        phrase in f" {clause} "
        for phrase in (" not ", " never ", " anything but ", " nobody can ", " do not think ")
    )
    if "do not think" in clause and clause.count(" not ") == 1:
        negations -= 1  # it was counted as " not " and as " do not think "
    return good ^ (negations % 2 == 1)


shapes_and_indices = st.sampled_from(list(review_grammar.SHAPES)).flatmap(
    lambda shape: st.tuples(
        st.just(shape), st.integers(0, review_grammar.pattern_space()[shape] - 1)
    )
)


@given(shapes_and_indices)
def test_label_is_what_the_words_say(chosen):
    text, label = review_grammar.review(*chosen)
    assert label == praises(text)


def test_all_sentences_with_one_clause_differ_and_half_of_them_praise():
    count = review_grammar.pattern_space()["single"]
    everything = [review_grammar.review("single", k) for k in range(count)]
    assert len({text for text, _ in everything}) == count
    assert sum(label for _, label in everything) == count // 2


def clauses(shape, sentence):
    """Back from a sentence to its two clauses: no clause holds a comma, so that there is one way
    only.
    """
    pattern = review_grammar.SHAPES[shape]
    head, joint, tail = pattern.replace("{a}", "|").replace("{b}", "|").split("|")
    assert sentence.count(",") == 1 and sentence.startswith(head) and not tail
    return tuple(sentence.removeprefix(head).split(joint))


@given(shapes_and_indices, shapes_and_indices)
def test_different_numbers_give_different_sentences(one, other):
    # All single clauses differ (the test above), so a pair is told by its clauses, and those by the
    # sentence.
    same = review_grammar.review(*one).text == review_grammar.review(*other).text
    assert same == (one == other)
    for shape, index in (one, other):
        if shape != "single":
            a, b = clauses(shape, review_grammar.review(shape, index).text)
            noun = [
                next(n for n in review_grammar.NOUNS if f" the {n} " in f" {clause} ")
                for clause in (a, b)
            ]
            assert noun[0] != noun[1]


def test_every_noun_beside_every_other_one_and_every_conceded_clause_is_reached():
    # The first clause is held; the second one takes all that are left, each once.
    one = review_grammar.pattern_space()["single"]
    left = one // 12 * 11
    found = {clauses("but", review_grammar.review("but", one * k + 7).text)[0] for k in range(left)}
    assert len(found) == left


def test_reviews_are_all_different_balanced_and_the_same_each_time():
    texts, labels, label_names = reviews(2001, seed=3)
    assert len(set(texts)) == len(texts) == len(labels) == 2001
    assert label_names == ("negative", "positive") and 0.45 < labels.mean() < 0.55
    assert reviews(2001, seed=3).texts == texts and reviews(2001, seed=4).texts != texts
    starts = [text.startswith("although ") for text in texts]
    # a quarter of each shape, and not in blocks
    assert abs(sum(starts) - 500) <= 1 and any(starts[:20])


def test_counting_words_does_not_tell_what_a_review_says():
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression

    texts, labels, _ = load("review-grammar")
    counts = CountVectorizer().fit_transform(texts)
    model = LogisticRegression(max_iter=1000).fit(counts[:3000], labels[:3000])
    assert model.score(counts[3000:], labels[3000:]) < 0.6


@pytest.mark.parametrize("n", [3, 4 * 15360 + 1])
def test_reviews_refuse_more_than_there_are(n):
    with pytest.raises(ArgumentError, match=rf"n must be in 4 ... 61440, got {n}"):
        reviews(n)


def test_review_refuses_what_is_not_in_the_grammar():
    with pytest.raises(
        ArgumentError, match="there is no shape 'if'; there are: single, but, although first"
    ):
        review_grammar.review("if", 0)
    with pytest.raises(
        ArgumentError, match=r"index must be in 0 ... 15359 for the shape 'single', got 15360"
    ):
        review_grammar.review("single", 15360)


# --- translation

FRENCH = {
    0: "zéro",
    21: "vingt et un",
    80: "quatre-vingts",
    81: "quatre-vingt-un",
    1000: "mille",
    200: "deux cents",
}


def test_numbers_are_right_and_each_has_words_of_its_own():
    pairs = load("numbers-in-words")
    assert len(pairs.source) == len(set(pairs.source)) == len(set(pairs.target)) == 10_000
    assert {n: pairs.target[n] for n in FRENCH} == FRENCH
    assert pairs.source[1999] == "one thousand, nine hundred and ninety-nine"
    assert (pairs.source_language, pairs.target_language, pairs.attribution) == ("en", "fr", ())


def test_english_words_add_up_to_the_number():
    small = (
        "zero one two three four five six seven eight nine ten eleven twelve thirteen "
        "fourteen fifteen sixteen"
    ).split()
    small += ["seventeen", "eighteen", "nineteen"]
    values = {word: k for k, word in enumerate(small)} | {"hundred": 100, "thousand": 1000}
    values |= {
        f"{w}ty": 10 * k for k, w in enumerate("twen thir for fif six seven eigh nine".split(), 2)
    }
    numbers = range(0, 10_000, 37)
    for number, text in zip(numbers, number_pairs(numbers, target="digits").source, strict=True):
        total = part = 0
        for word in text.replace(",", "").replace("-", " ").replace(" and ", " ").split():
            value = values[word]
            if value == 1000:
                total, part = 1000 * part, 0
            else:
                part = part * 100 if value == 100 else part + value
        assert total + part == number, text


def test_dates_are_right_in_both_languages():
    pairs = load("dates")
    assert len(pairs.source) == len(set(pairs.source)) == len(set(pairs.target)) == 7305
    assert (pairs.source[0], pairs.target[0]) == (
        "Saturday, January 1, 2000",
        "samedi 1 janvier 2000",
    )
    assert pairs.target[-1] == "mardi 31 décembre 2019"
    months = (
        "janvier février mars avril mai juin juillet août septembre octobre novembre décembre"
    ).split()
    for english, french in zip(pairs.source[::97], pairs.target[::97], strict=True):
        day = datetime.datetime.strptime(english.partition(", ")[2], "%B %d, %Y")
        assert french.split()[1:] == [str(day.day), months[day.month - 1], str(day.year)]


def test_dates_in_digits():
    assert date_pairs("2024-02-28", 2, target="iso", style="long").target == (
        "2024-02-28",
        "2024-02-29",
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: number_pairs([1], target="klingon"), "num2words knows no language 'klingon'"),
        (lambda: date_pairs(target="klingon"), "Babel knows no language 'klingon'"),
        (
            lambda: date_pairs(first="yesterday"),
            "first must be a day such as '2000-01-01', got 'yesterday'",
        ),
        (lambda: date_pairs(days=0), "days must be 1 or more, got 0"),
        (lambda: date_pairs(style="fine"), "style must be .* got 'fine'"),
    ],
)
def test_translations_refuse_what_they_do_not_know(call, message):
    with pytest.raises(ArgumentError, match=message):
        call()


# --- summaries


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Write files of a package that can be found, and would fail if it were imported."""

    def write(**files):
        root = tmp_path / "told"
        (root / "tests").mkdir(parents=True, exist_ok=True)
        for name, text in {"__init__": "raise ImportError", **files}.items():
            (root / f"{name.replace('__tests__', 'tests/')}.py").write_text(
                textwrap.dedent(text), encoding="utf-8"
            )
        monkeypatch.syspath_prepend(tmp_path)
        return ("told",)

    return write


def function(name, summary, words=25):
    text = " ".join(f"{name}{k}" for k in range(words))
    return f'def {name}():\n    """{summary}\n\n    {text}\n    """\n'


def test_docstrings_are_taken_by_the_rules_that_are_told(package):
    found = docstring_summaries(
        package(
            b=function("last", "Comes from the last file.")
            + "class Outer:\n"
            + textwrap.indent(function("method", "Belongs to a class."), "    "),
            a=function("first", "Comes from the\n    first file.")
            + function("_private", "Is private, so dropped.")
            + function("bare", "Has too few words below.", words=19)
            + function("short", "Too short.")
            + function("endless", "Has no full stop")
            + function("again", "Comes from the first file.")
            + "def outer():\n"
            + textwrap.indent(function("inner", "Stands inside a function."), "    ")
            + 'def alone():\n    """Has nothing below it."""\n'
            + 'an_escape_that_python_warns_of = "\\d"\n',
            __tests__test_a=function("test_it", "Is a test, so dropped."),
        )
    )
    assert found.summaries == (
        "Comes from the first file.",
        "Comes from the last file.",
        "Belongs to a class.",
    )
    assert found.groups == ("told.a", "told.b", "told.b")
    assert found.texts[0] == " ".join(f"first{k}" for k in range(25))


def test_docstrings_of_numpy_are_many_clean_and_known_to_numpy():
    texts, summaries, groups = docstring_summaries(("numpy",))
    assert len(texts) == len(set(texts)) == len(set(summaries)) == len(groups) > 500
    assert all(summary.endswith(".") and "\n" not in summary for summary in summaries)
    mean = summaries.index("Compute the arithmetic mean along the specified axis.")
    assert (
        "Returns the average of the array elements." in texts[mean]
        and groups[mean] == "numpy._core.fromnumeric"
    )
    assert (
        texts[mean].split() == ast.literal_eval(repr(np.mean.__doc__)).split("\n\n", 1)[1].split()
    )


def test_docstrings_refuse_a_package_that_is_missing_or_says_nothing(package):
    with pytest.raises(MissingPackageError, match="needs no_such_package, which is not installed"):
        docstring_summaries(("no_such_package",))
    with pytest.raises(MissingPackageError, match="needs no_such_package.at_all"):
        docstring_summaries(("no_such_package.at_all",))
    with pytest.raises(ArgumentError, match="found no docstring with a summary and a text"):
        docstring_summaries(package(a="x = 1\n"))


# --- speech


@pytest.fixture(scope="module")
def spoken():
    return digit_sounds(speakers=3, takes=4, test_takes=1)


def test_every_digit_is_said_by_every_speaker_in_every_take(spoken):
    sounds, digits, speakers, takes, is_test, rate = spoken
    told = set(zip(digits.tolist(), speakers, takes.tolist(), strict=True))
    assert told == {(d, f"speaker-{s}", t) for d in range(10) for s in range(3) for t in range(4)}
    assert (is_test == (takes == 0)).all() and rate == 8000
    assert all(sound.dtype == np.float32 and sound.ndim == 1 for sound in sounds)
    assert all(0.1 < np.abs(sound).max() <= 1 for sound in sounds)
    assert all(0.1 * rate < len(sound) < 1.5 * rate for sound in sounds)
    assert len({sound.tobytes() for sound in sounds}) == 120


def test_sounds_are_the_same_each_time_and_do_not_depend_on_how_many_are_made(spoken):
    fewer = digit_sounds(speakers=2, takes=1, test_takes=0)
    for k, sound in enumerate(fewer.sounds):
        twin = next(
            j
            for j in range(120)
            if (spoken.digits[j], spoken.speakers[j], spoken.takes[j])
            == (fewer.digits[k], fewer.speakers[k], 0)
        )
        np.testing.assert_array_equal(sound, spoken.sounds[twin])
    other = digit_sounds(speakers=1, takes=1, test_takes=0, seed=1)
    assert not any(np.array_equal(sound, fewer.sounds[0]) for sound in other.sounds)


def test_digits_can_be_told_apart_by_a_model_that_never_heard_the_speaker(spoken):
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import LeaveOneGroupOut, cross_val_score
    from sklearn.preprocessing import StandardScaler

    means = np.array([log_mel(sound, spoken.rate).mean(axis=0) for sound in spoken.sounds])
    means = StandardScaler().fit_transform(means - means.mean(axis=1, keepdims=True))
    right = cross_val_score(
        LogisticRegression(max_iter=1000),
        means,
        spoken.digits,
        groups=spoken.speakers,
        cv=LeaveOneGroupOut(),
    )
    assert right.mean() > 0.5  # chance is 0.1


@pytest.mark.parametrize(
    "sizes",
    [{"speakers": 0}, {"takes": 0}, {"test_takes": -1}, {"takes": 2, "test_takes": 3}],
    ids=str,
)
def test_digit_sounds_refuse_sizes_that_do_not_fit(sizes):
    with pytest.raises(ArgumentError, match="digit_sounds: speakers and takes must be 1 or more"):
        digit_sounds(**sizes)


# --- spectra


@given(st.floats(150, 3700), st.integers(8, 40))
def test_tone_is_loudest_in_the_band_that_holds_it(frequency, bands):
    spectra = log_mel(np.sin(2 * np.pi * frequency * np.arange(1000) / 8000), 8000, bands)
    mel = 2595 * np.log10(1 + np.array([frequency, 4000]) / 700)
    place = mel[0] / mel[1] * (bands + 1) - 1  # middles of the bands lie at whole numbers
    assert abs(spectra.mean(axis=0).argmax() - place) <= 1.0


@given(st.integers(1, 1200))
def test_number_of_spectra(length):
    spectra = log_mel(np.zeros(length, np.float32), 8000)
    assert spectra.shape == (1 + max(0, length - 200) // 80, 40) and spectra.dtype == np.float32
    assert np.isfinite(spectra).all()


def test_twice_as_loud_is_log_4_more():
    sound = np.random.default_rng(0).normal(size=4000)
    np.testing.assert_allclose(
        log_mel(2 * sound, 8000) - log_mel(sound, 8000), np.log(4), atol=1e-4
    )


def test_log_mel_refuses_what_it_cannot_read():
    with pytest.raises(
        ShapeError, match=r"sound must be \(length,\) with at least one sample, got \(0,\)"
    ):
        log_mel(np.zeros(0), 8000)
    with pytest.raises(ShapeError, match=r"got \(2, 9\)"):
        log_mel(np.zeros((2, 9)), 8000)
    with pytest.raises(ArgumentError, match="bands must be 1 or more, a frame 2 samples or more"):
        log_mel(np.zeros(99), 8000, step=0.0)
    with pytest.raises(ArgumentError, match="a frame of 40 samples cannot tell 100 bands apart"):
        log_mel(np.zeros(99), 8000, bands=100, frame=0.005)
