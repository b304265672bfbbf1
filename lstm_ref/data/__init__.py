"""Data sets, and the way from a text or a series to the arrays that train a model on it.

Only NumPy is needed to import it. A loader asks for the package that its data lie in when it is
called.
"""

from lstm_ref.data.catalogue import About, about, load, names
from lstm_ref.data.characters import UNKNOWN, Split, Vocabulary, batches, split_text
from lstm_ref.data.digit_sounds import digit_sounds
from lstm_ref.data.docstrings import docstring_summaries
from lstm_ref.data.exact_translations import date_pairs, number_pairs
from lstm_ref.data.ngram import NgramTable
from lstm_ref.data.padding import Padded, buckets, pad, padding_share
from lstm_ref.data.review_grammar import reviews
from lstm_ref.data.series import (
    Scaler,
    Windows,
    difference,
    fill_forward,
    fit_scaler,
    undifference,
    windows,
)
from lstm_ref.data.spectrogram import log_mel
from lstm_ref.data.splits import Parts, split_by_group, split_by_time, split_stratified
from lstm_ref.data.tasks import Pairs, Recordings, Sentences, Series, Summaries
from lstm_ref.data.words import WordVocabulary, tokenize

__all__ = [
    "About",
    "NgramTable",
    "Padded",
    "Pairs",
    "Parts",
    "Recordings",
    "Scaler",
    "Sentences",
    "Series",
    "Split",
    "Summaries",
    "UNKNOWN",
    "Vocabulary",
    "Windows",
    "WordVocabulary",
    "about",
    "batches",
    "buckets",
    "date_pairs",
    "difference",
    "digit_sounds",
    "docstring_summaries",
    "fill_forward",
    "fit_scaler",
    "load",
    "log_mel",
    "names",
    "number_pairs",
    "pad",
    "padding_share",
    "reviews",
    "split_by_group",
    "split_by_time",
    "split_stratified",
    "split_text",
    "tokenize",
    "undifference",
    "windows",
]
