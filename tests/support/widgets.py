"""What the browser tests of all widgets share: windows, and what each must hold."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

DESKTOP, PHONE = {"width": 1000, "height": 900}, {"width": 390, "height": 844}


def numbers(page: Page, where: str) -> list[float]:
    """Values of all <data> of a part, with all digits."""
    return page.locator(f"{where} data").evaluate_all("all => all.map(d => Number(d.value))")


def assert_accessible_and_fits(page: Page) -> None:
    """Axe finds nothing serious, and the page is no wider than its window."""
    found = Axe().run(page).response["violations"]
    broken = [one for one in found if one["impact"] in ("serious", "critical")]
    told = [
        (one["id"], one["help"], [n["html"][:150] + n["failureSummary"] for n in one["nodes"][:3]])
        for one in broken
    ]
    assert told == []
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
