"""Data sets, and the way from a text or a series to the arrays that train a model on it.

Only NumPy is needed to import it. A loader asks for the package that its data lie in when it is called.
"""

from lstm_ref.data.catalogue import About, about, load, names
from lstm_ref.data.characters import UNKNOWN, Split, Vocabulary, batches, split_text
from lstm_ref.data.tasks import Pairs, Recordings, Sentences, Series

__all__ = [
    "UNKNOWN",
    "About",
    "Pairs",
    "Recordings",
    "Sentences",
    "Series",
    "Split",
    "Vocabulary",
    "about",
    "batches",
    "load",
    "names",
    "split_text",
]
