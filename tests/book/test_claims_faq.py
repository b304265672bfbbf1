"""The page *faq*: every claim of the text behind the course has its row, every link leads to a
page, every finding exists, and what a row says of a stored measurement is what was measured.
"""

import re
from pathlib import Path

import pytest
import yaml

from lstm_ref.doctor import CATALOGUE
from tests.chapter_formulas import source_of
from tests.support.results import stored

ROOT = Path(__file__).parents[2]
PAGE = source_of("faq")
VERDICTS = {"holds", "in part", "refuted"}
# number of the section, and a letter where it holds several claims: words that its row must say
CLAIMS = {
    "1.1": "long dependencies",
    "1.2": "vanishing and exploding",
    "1.3": "preprocessing",
    "2.1": "Forget gate",
    "2.2a": "Vanishing",
    "2.2b": "Exploding",
    "2.3": "F1",
    "3.1a": "tokenised",
    "3.1b": "Stop words",
    "3.1c": "Parts of speech",
    "3.1d": "features",
    "3.2": "Number of layers",
    "3.3a": "batch size",
    "3.3b": "validation set",
    "3.4": "test set",
    "4.1": "forward pass",
    "4.2": "backward pass",
    "5.1": "Keras",
    "5.2": "PyTorch",
    "6.1a": "Sentiment",
    "6.1b": "translation",
    "6.1c": "Summaries",
    "6.2": "Speech",
    "6.3a": "Weather",
    "6.3b": "Stock",
    "7": "Theano",
    "8.1a": "long sequences",
    "8.1b": "interpret",
    "8.1c": "unseen data",
    "8.2a": "compression",
    "8.2b": "interpretability",
    "8.2c": "Transformers",
    "9.1a": "more data",
    "9.1b": "dropout",
    "9.1c": "smaller hidden size",
    "9.2a": "clipping",
    "9.2b": "GRU",
    "9.2c": "initialisation",
    "9.3a": "GPU",
    "9.3b": "distributed",
    "9.3c": "compression",
    "9.4a": "task and data",
    "9.4b": "Grid",
    "9.4c": "Random",
}


def section(title):
    """Text of a section of the second level."""
    (found,) = re.findall(
        rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE
    )
    return found


def claims():
    """(number, claim, verdict, what was measured) of each row of the table."""
    table = section("Every claim, and what became of it")
    rows = re.findall(r"^\| (\S+) \| (.+?) \| (.+?) \| (.+) \|$", table, re.MULTILINE)
    return [row for row in rows if row[0][0].isdigit()]


def questions():
    """{question: text} of all answers."""
    parts = re.split(r"^### (.+)$", PAGE, flags=re.MULTILINE)[1:]
    return {
        title: re.split(r"^## ", text, flags=re.MULTILINE)[0]
        for title, text in zip(parts[::2], parts[1::2], strict=True)
    }


def links(text):
    return re.findall(r"\{doc\}`(?:[^`<]*<)?/?(book/[a-z/-]+)>?`", text)


def test_every_claim_has_its_row_in_its_order():
    rows = claims()
    assert [number for number, *_ in rows] == list(CLAIMS)
    for number, claim, verdict, _ in rows:
        assert CLAIMS[number].lower() in claim.lower(), number
        assert verdict in VERDICTS, number


def test_every_row_names_the_page_that_measured_it():
    for number, _, _, measured in claims():
        assert links(measured) or "this page" in measured, number


def test_every_link_leads_to_a_page_of_the_book():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    pages = {chapter["file"] for part in toc["parts"] for chapter in part["chapters"]}
    assert len(links(PAGE)) > 60 and set(links(PAGE)) <= pages
    assert all((ROOT / f"{page}.md").is_file() for page in links(PAGE))


def test_every_question_has_a_number_a_page_and_a_finding():
    found = questions()
    assert len(found) >= 24
    for title, text in found.items():
        assert "measured(" in text and "assert" in text, title
        assert links(text) and re.search(r"[Ff]indings?\b", text), title


@pytest.mark.parametrize(
    "title", [title for title, text in questions().items() if "No finding" not in text]
)
def test_a_finding_that_is_named_is_one_of_the_doctor(title):
    last = questions()[title].strip().splitlines()[-1]
    named = re.findall(r"`([a-z0-9-]+)`", last.partition("inding")[2])
    assert named and set(named) <= set(CATALOGUE), title


def test_the_number_of_claims_that_hold_is_what_the_page_says():
    rows = claims()
    counts = {verdict: sum(row[2] == verdict for row in rows) for verdict in VERDICTS}
    (told,) = re.findall(r"Of the (\d+) claims (\d+) hold, (\d+) in part, (\d+) are refuted", PAGE)
    assert tuple(map(int, told)) == (
        len(rows),
        counts["holds"],
        counts["in part"],
        counts["refuted"],
    )


def recalled(arm):
    """Least and largest share recalled after 50 steps, over seeds."""
    return stored("cures")["after 200 updates"][arm]["50"]["least, most"]


def is_at_chance(arm):
    return recalled(arm)[1] < 0.35


def gains(arm):
    """Interval of the accuracy beyond the plain run."""
    return stored("overfitting")["arms"][arm]["accuracy, beyond plain"]["interval of the mean"]


def has_skill(series, model):
    return stored("forecasting")["series"][series][model]["interval"][0] > 0


def without_words(arm):
    return stored("prepare")["stop words"][arm]["accuracy"]


def exact(arm):
    return stored("translation")["arms"][arm]["exact"]


def film_reviews(model):
    return stored("sentiment")["film reviews"][model]["accuracy"]["interval of the mean"]


def wrong_of(shape):
    return stored("errors")["arms"]["none of the fourth shape"][shape]["mean"]


SHARES = ("AAPL, months", "IBM, months", "MSFT, months")
MEASURED = {  # row -> words that it must have, the page that is linked for them, what was measured
    "1.1": (
        "orthogonal RNN recalls over 50 steps",
        "three/cures",
        lambda: stored("cures")["after 400 updates"]["RNN, orthogonal"]["mean"] > 0.9,
    ),
    "1.2": ("nothing after 50 steps", "three/cures", lambda: is_at_chance("LSTM, forget bias 1")),
    "2.3": (
        "accuracy 0.94 with recall 0",
        "three/measure",
        lambda: (
            [
                round(stored("measure")["arms"]["as they come"][name]["mean"], 2)
                for name in ("accuracy", "recall")
            ]
            == [0.94, 0]
        ),
    ),
    "3.1b": (
        "falls to chance",
        "three/prepare",
        lambda: (
            without_words("without stop words")["least, most"][1] < 0.55
            and without_words("all words")["least, most"][0] > 0.8
        ),
    ),
    "6.1a": (
        "counting wins",
        "four/sentiment",
        lambda: film_reviews("naive Bayes")[0] > film_reviews("LSTM")[1],
    ),
    "6.1b": (
        "no exact answer without attention, nine of ten with it",
        "four/translation",
        lambda: exact("none")["mean"] < 0.01 and abs(exact("dot")["mean"] - 0.9) < 0.03,
    ),
    "6.3a": (
        "none beyond a linear model",
        "four/forecasting",
        lambda: (
            has_skill("Seattle, days", "LSTM")
            and not has_skill("Seattle, days", "LSTM beyond ridge")
        ),
    ),
    "6.3b": (
        "no skill for any of three shares, in some forty months",
        "four/forecasting",
        lambda: (
            not any(has_skill(name, model) for name in SHARES for model in ("LSTM", "ridge"))
            and {stored("forecasting")["series"][name]["test windows"] for name in SHARES} == {45}
        ),
    ),
    "8.1c": (
        "one kind of sentence at chance",
        "three/errors",
        lambda: abs(wrong_of("although last") - 0.5) < 0.1 > wrong_of("but"),
    ),
    "9.1a": ("more data", "three/overfitting", lambda: gains("twice the texts")[0] > 0),
    "9.1b": (
        "not rise beyond doubt",
        "three/overfitting",
        lambda: (
            not any(gains(arm)[0] > 0 for arm in ("L1", "L2 inside Adam", "dropout of the inputs"))
        ),
    ),
    "9.1c": ("loses accuracy", "three/overfitting", lambda: gains("fewer units")[1] < 0),
    "9.2a": ("at chance", "three/cures", lambda: is_at_chance("LSTM, clipped")),
    "9.2b": (
        "at chance, until its bias is set",
        "three/cures",
        lambda: is_at_chance("GRU") and recalled("GRU, update bias 4")[0] > 0.95,
    ),
    "9.2c": (
        "if it knows the lag",
        "three/cures",
        lambda: (
            recalled("LSTM, chrono, told the lag")[0] > 0.95
            and stored("cures")["told another lag"]["3"]["least, most"][1] < 0.35
        ),
    ),
}


@pytest.mark.parametrize("number", MEASURED)
def test_what_a_row_says_was_measured_on_the_page_that_it_names(number):
    said, page, holds = MEASURED[number]
    (row,) = (row for row in claims() if row[0] == number)
    assert said in " | ".join(row) and f"book/{page}" in links(row[3])
    assert holds()
