"""Sentences of *choices* and *slow* that name a size, where the page's own asserts allow another:
what the sentence says is what benchmarks/results holds.
"""

from pathlib import Path

from tests.support.results import stored

ROOT = Path(__file__).parents[2]


def page(name):
    """The text of a page of part III on one line."""
    text = (ROOT / "book" / "three" / f"{name}.md").read_text(encoding="utf-8")
    return " ".join(text.split())


def test_choices_what_decides_first_costs_a_quarter_of_all_answers():
    assert "a quarter of all answers and more are lost" in page("choices")
    assert "both simple RNNs lose far more than a tenth, and relu is no better" in page("choices")
    mean = {name: row["accuracy"]["mean"] for name, row in stored("choices")["table"].items()}
    assert all(mean["default"] - mean[name] > 0.25 for name in ("rate 0.0005", "SGD with momentum"))
    tanh, relu = (mean["default"] - mean[f"simple RNN, {name}"] for name in ("tanh", "relu"))
    assert 0.15 < tanh < relu and mean["width 128"] < mean["default"] - 0.02


def test_slow_a_second_thread_beside_a_program_costs_the_small_one_several_times():
    assert "makes both *slower*, the small one several times" in page("slow")
    beside = stored("slow")["threads"]["another program"]
    small, large = (beside[size]["wall clock"]["least, most"] for size in ("64, 16", "512, 64"))
    assert small[1] < 1 / 3 and large[1] < 0.9  # times as fast
