"""Metrics of models of sequences."""

from lstm_ref.learn.metrics import (
    ByLength,
    bits_per_character,
    character_error_rate,
    edit_distance,
    error_by_horizon,
    error_by_length,
    error_rate,
    masked_accuracy,
    perplexity,
    persistence,
    seasonal_naive,
    skill,
    word_error_rate,
)
from lstm_ref.learn.overlap import Overlap, bleu, brevity_penalty, ngrams, rouge_l, rouge_n

__all__ = [
    "ByLength",
    "Overlap",
    "bits_per_character",
    "bleu",
    "brevity_penalty",
    "character_error_rate",
    "edit_distance",
    "error_by_horizon",
    "error_by_length",
    "error_rate",
    "masked_accuracy",
    "ngrams",
    "perplexity",
    "persistence",
    "rouge_l",
    "rouge_n",
    "seasonal_naive",
    "skill",
    "word_error_rate",
]
