"""English sentences and their translations into French, written by the people of tatoeba.org."""

from __future__ import annotations

from lstm_ref.data.fetch import Remote, fetch, github
from lstm_ref.data.tasks import Pairs

COMMIT = "b20755b1c81f2d82526ab967dbc8ec6465f22f14"
PAIRS = Remote(
    "eng-fra-5k.tsv",
    github("NJUxlj/seq2seq-attention-translation", COMMIT, "data/eng-fra.txt"),
    "d952b56a181da5270b7bb4ded3f3bbe61e67a9b1de0e0fbc1d46438c71fb55a7",
)


def pairs() -> Pairs:
    """5,000 pairs, the shortest first. Their third column says who wrote them: the licence asks to
    name them.

    Many sentences have several translations. So a translation that differs from the one beside it
    may be right, and a split must keep all pairs of one sentence together:
    ``split_by_group(pairs.source)``.
    """
    text = fetch(PAIRS, "eng-fra", twin="numbers-in-words").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in text.split("\n") if line]
    source, target, attribution = zip(*rows, strict=True)
    return Pairs(source, target, "English", "French", attribution)
