"""A version that a page names is the one that is pinned, or is told as history: a new pin asks
whoever makes it to read those sentences again.
"""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"\b(PyTorch|Keras|TensorFlow|NumPy|nbgrader|Numba)(?: |&nbsp;)(\d+(?:\.\d+)+)")
PACKAGES = {"PyTorch": "torch"}  # where the package has another name
HISTORY = {("training-step", "PyTorch 2.6")}  # "the default since"


def pins():
    """{package: version} of constraints.txt."""
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    return dict(re.findall(r"^([\w-]+)==([\d.]+)", text, re.MULTILINE))


def stale(page, text, pinned):
    """Versions that a page names, and that are neither pinned nor told as history."""
    found = []
    for name, version in NAMED.findall(text):
        installed = pinned[PACKAGES.get(name, name.lower())].split(".")
        if version.split(".") != installed[: version.count(".") + 1]:
            found.append(f"{name} {version}")
    return [told for told in found if (page, told) not in HISTORY]


@pytest.mark.parametrize("path", sorted((ROOT / "book").rglob("*.md")), ids=lambda path: path.stem)
def test_a_version_that_a_page_names_is_pinned(path):
    assert stale(path.stem, path.read_text(encoding="utf-8"), pins()) == []


def test_some_pages_name_versions_and_history_is_still_told():
    pages = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "book").rglob("*.md")}
    assert sum(len(NAMED.findall(text)) for text in pages.values()) > 5
    assert all(told in pages[page] for page, told in HISTORY)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("the source of PyTorch 2.12 says", ["PyTorch 2.12"]),
        ("in PyTorch 2.13 and in Keras 3.15.1", []),
        ("Keras 3.1 has", ["Keras 3.1"]),
        ("Keras 3 also runs on JAX", []),
    ],
)
def test_a_stale_version_is_found(text, found):
    assert stale("page", text, {"torch": "2.13.0", "keras": "3.15.1"}) == found
