"""Data sets, and the way from a text to the arrays that train a model on it."""

from lstm_ref.data.catalogue import About, about, load
from lstm_ref.data.characters import UNKNOWN, Split, Vocabulary, batches, split_text

__all__ = ["UNKNOWN", "About", "Split", "Vocabulary", "about", "batches", "load", "split_text"]
