"""Data sets, and the way from a text or a series to the arrays that train a model on it.

Only NumPy is needed to import it. A loader asks for the package that its data lie in when it is called.
"""

from lstm_ref.data.catalogue import About, about, load, names
from lstm_ref.data.characters import UNKNOWN, Split, Vocabulary, batches, split_text
from lstm_ref.data.digit_sounds import digit_sounds
from lstm_ref.data.docstrings import docstring_summaries
from lstm_ref.data.exact_translations import date_pairs, number_pairs
from lstm_ref.data.review_grammar import reviews
from lstm_ref.data.spectrogram import log_mel
from lstm_ref.data.tasks import Pairs, Recordings, Sentences, Series, Summaries

__all__ = [
    "About",
    "Pairs",
    "Recordings",
    "Sentences",
    "Series",
    "Split",
    "Summaries",
    "UNKNOWN",
    "Vocabulary",
    "about",
    "batches",
    "date_pairs",
    "digit_sounds",
    "docstring_summaries",
    "load",
    "log_mel",
    "names",
    "number_pairs",
    "reviews",
    "split_text",
]
