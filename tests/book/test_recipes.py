"""The blocks of the page of recipes run, one after another, as a reader pastes them."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "book" / "reference" / "recipes.md"
# Where there are tabs, code stands between tildes: first what is PyTorch's, then what is Keras's.
FOUND = re.findall(
    r"^(?::sync: (\w+)\n\n)?(?:```|~~~)python\n(.*?)^(?:```|~~~)$",
    PAGE.read_text(encoding="utf-8"),
    re.DOTALL | re.MULTILINE,
)
BLOCKS = [block for tab, block in FOUND if tab != "keras"]
KERAS = [block for tab, block in FOUND if tab == "keras"]


def test_all_ten_recipes_run_in_order(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in BLOCKS:
        exec(compile(block, "recipes.md", "exec"), names)
    assert (
        len(BLOCKS) == 11
        and (tmp_path / "gates.html").is_file()
        and (tmp_path / "run.ckpt").exists()
    )


def test_the_tabs_of_keras_run_in_order_too():
    pytest.importorskip("keras")
    names: dict[str, object] = {}
    for block in [BLOCKS[0], *KERAS]:
        exec(compile(block, "recipes.md", "exec"), names)
    assert len(KERAS) == 2 and names["gates"].h.shape == (4, 6, 8)


def test_each_recipe_has_a_number():
    assert re.findall(r"^\*\*(\d+)\. ", PAGE.read_text(encoding="utf-8"), re.MULTILINE) == [
        str(k) for k in range(1, 11)
    ]
