"""What holds the displayed formulas of a page: each has a label, and under that label a check that
computes it in another way.

A page's checks stand in ``tests/formulas/test_PAGE.py``:

    chapter = Chapter("fading")

    @chapter.shows("eq-fading-product", r"\\frac{\\partial h_T}{\\partial h_0} = \\prod_{t=1}^{T}
    J_t") def product_of_jacobians():
        ...  # asserts

    test_a_formula_is_right, test_every_formula_has_its_check = chapter.tests()

The formula stands in the check once more, so that a formula that is changed in the page fails until
its check was looked at.
"""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

BOOK = Path(__file__).parents[1] / "book"
DISPLAYED = re.compile(r"\$\$(.+?)\$\$(?:[ \t]*\(([^)\s]+)\))?", re.DOTALL)


def path_of(page: str) -> Path:
    """File of a page, in whatever part of the book: no two pages have the same name."""
    (path,) = BOOK.rglob(f"{page}.md")
    return path


def source_of(page: str) -> str:
    """Text of a page as it is written."""
    return path_of(page).read_text(encoding="utf-8")


def prose(page: str) -> str:
    """Text of a page without its code cells."""
    return re.sub(r"^(`{3,})[^`].*?^\1$", "", source_of(page), flags=re.DOTALL | re.MULTILINE)


def displayed(page: str) -> list[tuple[str, str]]:
    """(label, formula) of every displayed formula of a page, in order; the label is empty where
    there is none.
    """
    return [(label, " ".join(formula.split())) for formula, label in DISPLAYED.findall(prose(page))]


class Chapter:
    """The checks of one page, by the labels of its formulas."""

    def __init__(self, page: str) -> None:
        self.page = page
        self.formulas: dict[str, str] = {}
        self.checks: dict[str, Callable[..., None]] = {}

    def shows(
        self, label: str, formula: str
    ) -> Callable[[Callable[..., None]], Callable[..., None]]:
        """Register the check of a displayed formula."""

        def register(check: Callable[..., None]) -> Callable[..., None]:
            assert label not in self.checks, f"{label} has two checks"
            self.formulas[label] = " ".join(formula.split())
            self.checks[label] = check
            return check

        return register

    def tests(self) -> tuple[Callable[..., None], Callable[..., None]]:
        """The two tests of the page, to be bound to names that start with ``test_``."""

        @pytest.mark.parametrize("label", self.checks)
        def formula_is_right(label: str) -> None:
            self.checks[label]()

        def every_formula_has_its_check() -> None:
            shown = displayed(self.page)
            assert [formula for label, formula in shown if not label] == [], (
                "formulas without a label"
            )
            assert dict(shown) == self.formulas and len(shown) == len(self.formulas)

        return formula_is_right, every_formula_has_its_check
