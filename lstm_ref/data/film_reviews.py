"""rt-polarity: sentences out of film reviews, each for or against the film."""

from __future__ import annotations

from lstm_ref.data.fetch import Remote, fetch, github
from lstm_ref.data.tasks import Sentences, as_ints

COMMIT = "18762b459e21d9c70e5c242f8d43fc4e6db37a0d"
NEGATIVE, POSITIVE = (
    Remote(
        f"rt-polarity/rt-polarity.{ending}",
        github(
            "dennybritz/cnn-text-classification-tf",
            COMMIT,
            f"data/rt-polaritydata/rt-polarity.{ending}",
        ),
        sha256,
    )
    for ending, sha256 in (
        ("neg", "2d11cfbc790f1cd96d78339f41ce53ced1efa83cd22d37d6788fa3fe3d17e2fd"),
        ("pos", "4134882974a28d0c7b5151256f0e33a6169984ee7372c279e673f1114f475d58"),
    )
)


def sentences() -> Sentences:
    """5,331 sentences against and as many for a film, in this order: shuffle before you cut
    (`split_stratified` does).

    Words and punctuation are in lower case and apart by spaces, as the authors left them. No two
    are equal.
    """
    negative, positive = (_lines(remote) for remote in (NEGATIVE, POSITIVE))
    return Sentences(
        (*negative, *positive),
        as_ints([0] * len(negative) + [1] * len(positive)),
        ("negative", "positive"),
    )


def _lines(remote: Remote) -> list[str]:
    text = fetch(remote, "rt-polarity", twin="review-grammar").read_text(encoding="utf-8")
    # Only a newline ends a sentence: str.splitlines would also break at other marks that a sentence
    # may hold.
    return [line.strip() for line in text.split("\n") if line.strip()]
