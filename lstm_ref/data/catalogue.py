"""The data sets by name: `load` gives the data, `about` says what they are and whose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, overload

from lstm_ref import __version__
from lstm_ref.data import (
    digit_sounds,
    docstrings,
    english_french,
    exact_translations,
    film_reviews,
    forecasting,
    python_reference,
    review_grammar,
    shakespeare,
    spoken_digits,
)
from lstm_ref.data.packages import package_version
from lstm_ref.data.tasks import Pairs, Recordings, Sentences, Series, Summaries
from lstm_ref.errors import ArgumentError

Characters = Literal["python-reference", "tinyshakespeare"]
Forecasting = Literal["co2", "sunspots", "el-nino", "seattle-weather", "stocks"]
Sentiment = Literal["review-grammar", "rt-polarity"]
Translation = Literal["numbers-in-words", "dates", "eng-fra"]
Summarising = Literal["docstrings"]
Speech = Literal["synthetic-digits", "fsdd"]


class About(NamedTuple):
    """Where a data set comes from. Print it beside a result: the same name may mean another version
    on another machine.

    ``offline_twin`` names the data set for the same task that needs no network; empty where this
    one needs none.
    """

    name: str
    what: str
    version: str
    licence: str
    source: str
    citation: str = ""
    offline_twin: str = ""


class _DataSet(NamedTuple):
    load: Callable[[], Any]
    version: Callable[[], str]
    what: str
    licence: str
    source: str
    citation: str = ""
    offline_twin: str = ""


def _commit(commit: str) -> Callable[[], str]:
    return lambda: f"commit {commit[:10]}"


_DATA_SETS = {
    "python-reference": _DataSet(
        load=python_reference.text,
        version=python_reference.version,
        what=(
            "Python's own language reference, as the interpreter's help() shows it; each paragraph "
            "once"
        ),
        licence="PSF License Agreement; the code examples also under 0BSD",
        source="pydoc_data.topics in Python's standard library",
    ),
    "tinyshakespeare": _DataSet(
        load=shakespeare.text,
        version=_commit(shakespeare.COMMIT),
        what="1.1 MB out of Shakespeare's plays",
        licence="public domain",
        source=shakespeare.TEXT.url,
        citation="Karpathy (2015), The unreasonable effectiveness of recurrent neural networks",
        offline_twin="python-reference",
    ),
    "co2": _DataSet(
        load=forecasting.co2,
        version=lambda: package_version("statsmodels"),
        what="weekly CO2 in the air over Mauna Loa, 1958 to 2001",
        licence="public domain",
        source="statsmodels.datasets.co2",
        citation=(
            "Keeling and Whorf (2004), in Trends: A Compendium of Data on Global Change, CDIAC, "
            "Oak Ridge"
        ),
    ),
    "sunspots": _DataSet(
        load=forecasting.sunspots,
        version=lambda: package_version("statsmodels"),
        what="yearly number of sunspots, 1700 to 2008",
        licence="public domain",
        source="statsmodels.datasets.sunspots",
        citation="NOAA, National Geophysical Data Center",
    ),
    "el-nino": _DataSet(
        load=forecasting.el_nino,
        version=lambda: package_version("statsmodels"),
        what="monthly temperature of the sea in the region Nino 1+2, 1950 to 2010",
        licence="public domain",
        source="statsmodels.datasets.elnino",
        citation="NOAA, National Weather Service, Climate Prediction Center: ERSST.v3b",
    ),
    "seattle-weather": _DataSet(
        load=forecasting.seattle_weather,
        version=lambda: package_version("vega_datasets"),
        what="daily rain, highest and lowest temperature and wind in Seattle, 2012 to 2015",
        licence="public domain",
        source="vega_datasets.data.seattle_weather",
        citation="NOAA, National Climatic Data Center",
    ),
    "stocks": _DataSet(
        load=forecasting.stocks,
        version=lambda: package_version("vega_datasets"),
        what="monthly prices of the shares AAPL, AMZN, GOOG, IBM and MSFT, 2000 to 2010",
        licence="not stated; distributed with vega_datasets",
        source="vega_datasets.data.stocks",
    ),
    "review-grammar": _DataSet(
        load=review_grammar.reviews,
        version=lambda: f"lstm_ref {__version__}",
        what=(
            "4,000 sentences that praise or do not, with negation and contrast; all different, "
            "labels known by construction"
        ),
        licence="MIT, as the code that makes them",
        source="lstm_ref.data.reviews()",
    ),
    "rt-polarity": _DataSet(
        load=film_reviews.sentences,
        version=_commit(film_reviews.COMMIT),
        what="5,331 sentences against and 5,331 sentences for a film, out of reviews",
        licence="for research; cite the paper",
        source=f"{film_reviews.NEGATIVE.url} and {film_reviews.POSITIVE.url}",
        citation="Pang and Lee (2005), Seeing stars, ACL 2005, https://doi.org/10.3115/1219840.1219855",
        offline_twin="review-grammar",
    ),
    "numbers-in-words": _DataSet(
        load=exact_translations.number_pairs,
        version=lambda: package_version("num2words"),
        what="the numbers from 0 to 9999 in English and French words",
        licence="none on what it says; num2words is under LGPL 2.1",
        source="lstm_ref.data.number_pairs()",
    ),
    "dates": _DataSet(
        load=exact_translations.date_pairs,
        version=lambda: package_version("babel"),
        what="the days from 2000 to 2019 as written in English and in French",
        licence="Unicode License (CLDR)",
        source="lstm_ref.data.date_pairs()",
    ),
    "eng-fra": _DataSet(
        load=english_french.pairs,
        version=_commit(english_french.COMMIT),
        what="5,000 short English sentences and their French translations",
        licence="CC BY 2.0 FR; name the authors of what you show (Pairs.attribution)",
        source=english_french.PAIRS.url,
        citation="tatoeba.org",
        offline_twin="numbers-in-words",
    ),
    "docstrings": _DataSet(
        load=docstrings.docstring_summaries,
        version=lambda: package_version("numpy", "scikit-learn", "statsmodels"),
        what="docstrings of NumPy, scikit-learn and statsmodels, and their first lines as "
        "summaries",
        licence="BSD 3-Clause, each of the three",
        source="lstm_ref.data.docstring_summaries()",
    ),
    "synthetic-digits": _DataSet(
        load=digit_sounds.digit_sounds,
        version=lambda: f"lstm_ref {__version__}",
        what="600 synthesised digit sounds, 6 speakers, 8,000 samples a second",
        licence="MIT, as the code that makes them",
        source="lstm_ref.data.digit_sounds()",
    ),
    "fsdd": _DataSet(
        load=spoken_digits.recordings,
        version=_commit(spoken_digits.COMMIT),
        what="3,000 recordings of spoken digits, 6 speakers, 8,000 samples a second",
        licence="CC BY-SA 4.0",
        source=spoken_digits.ARCHIVE.url,
        citation=(
            "Jackson (2016), Free Spoken Digit Dataset, "
            "https://github.com/Jakobovski/free-spoken-digit-dataset"
        ),
        offline_twin="synthetic-digits",
    ),
}


@overload
def load(name: Characters) -> str: ...
@overload
def load(name: Forecasting) -> Series: ...
@overload
def load(name: Sentiment) -> Sentences: ...
@overload
def load(name: Translation) -> Pairs: ...
@overload
def load(name: Summarising) -> Summaries: ...
@overload
def load(name: Speech) -> Recordings: ...
@overload
def load(name: str) -> Any: ...
def load(name: str) -> Any:
    """Data set of that name.

    What does not come with an installed package is looked for in this order, and nothing else is
    ever put in its place:

    1. the folder that the environment variable LSTM_DATA_DIR names;
    2. the cache: the folder that LSTM_CACHE_DIR names, else the user's own cache folder;
    3. the network, with a progress bar.

    Every file must have the SHA-256 that stands in this package.

    Parameters
    ----------
    name : `about` says what each one is. Those after the bar have to be downloaded once.
        Characters: "python-reference" | "tinyshakespeare".
        Forecasting: "co2", "sunspots", "el-nino", "seattle-weather", "stocks".
        Sentiment: "review-grammar" | "rt-polarity".
        Translation: "numbers-in-words", "dates" | "eng-fra".
        Summaries: "docstrings".
        Speech: "synthetic-digits" | "fsdd".

    Returns
    -------
    str, Series, Sentences, Pairs, Summaries or Recordings, as the task needs it. The generated ones
        have functions of their own that make more of them, or others: `reviews`, `number_pairs`,
        `date_pairs`, `docstring_summaries`, `digit_sounds`.

    Raises
    ------
    ArgumentError : no data set of that name; the message lists those that exist
    MissingPackageError : a package that the data lie in, or that downloads them, is not installed
    DataError : the file cannot be had, or it is another one; the message names the data set to use
        without a network

    Examples
    --------
    >>> text = load("python-reference")
    >>> print(text[: text.index(chr(10))])
    The "assert" statement
    >>> load("el-nino").values.shape
    (732, 1)
    """
    return _find("load", name).load()


def about(name: str) -> About:
    """What a data set is, in which version it lies on this machine, under which licence, and where
    it comes from.

    Raises
    ------
    ArgumentError : no data set of that name

    Examples
    --------
    >>> about("python-reference").source
    "pydoc_data.topics in Python's standard library"
    >>> about("tinyshakespeare").offline_twin
    'python-reference'
    """
    found = _find("about", name)
    return About(name, found.what, found.version(), *found[3:])


def names() -> tuple[str, ...]:
    """Names of all data sets, in alphabetical order."""
    return tuple(sorted(_DATA_SETS))


def _find(operation: str, name: str) -> _DataSet:
    if name not in _DATA_SETS:
        raise ArgumentError(
            f"{operation}: there is no data set {name!r}; there are: {', '.join(names())}"
        )
    return _DATA_SETS[name]
