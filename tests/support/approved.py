"""Texts that somebody has read and approved, one file for each kind in tests/messages.

A test gives all texts of a kind to the fixture ``approved``. Where one differs, the test fails with
the difference; ``pytest --approve`` writes the new texts in place of the old ones, to be read in
the commit like any other change.
"""

import difflib
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "messages"


@pytest.fixture
def approved(request):
    """``approved("vanishing", {"no_bias": "The bias b is missing."})``."""

    def compare(name, texts):
        file = FOLDER / f"{name}.txt"
        new = "\n".join(f"== {head}\n{text.strip()}\n" for head, text in texts.items())
        if request.config.getoption("--approve"):
            file.write_text(new, encoding="utf-8")
        old = file.read_text(encoding="utf-8") if file.exists() else ""
        if new != old:
            lines = difflib.unified_diff(
                old.splitlines(), new.splitlines(), "approved", "now", lineterm=""
            )
            pytest.fail(
                "\n".join(lines) + f"\n\nIs this what {file.name} should say? Then run this test "
                "with --approve, and commit the file.",
                pytrace=False,
            )

    return compare
