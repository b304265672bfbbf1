"""A real browser over the built book, from disk, with the network cut."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    Route,
    expect,
    sync_playwright,
)

ROOT = Path(__file__).parents[2]
VIEWPORTS = {
    "desktop": {"width": 1280, "height": 900},
    "phone": {"width": 390, "height": 844},
    "widget": {"width": 1000, "height": 900},
}
HEAD = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>widgets</title>'
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
)
# The page itself, what it keeps inline, and what a widget makes out of its own text: none of these
# leaves the machine.
LOCAL = ("file:", "data:", "blob:", "about:")

# Milliseconds that are waited for what must come, on a slow and busy machine too; nothing that is
# there waits.
PATIENCE = 120_000
expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="session")
def book() -> Path:
    """Folder of the built book."""
    html = ROOT / "_build" / "html"
    if not (html / "index.html").is_file():
        pytest.fail(
            f"There is no built book in {html}. Run `make book` first (`make test` does).",
            pytrace=False,
        )
    return html


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, without a window and without traffic of its own."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.fail(
            "No chromium on the PATH. Run `make system-packages` first (`make test` does).",
            pytrace=False,
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=[
                # continuous integration runs as root, where Chromium's sandbox cannot start
                "--no-sandbox",
                "--disable-gpu",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ],
        )
        yield browser
        browser.close()


@contextmanager
def offline_pages(book: Path, browser: Browser) -> Iterator[Callable[..., Page]]:
    """A function that opens a page of the book:
    ``open_page("book/one/bptt", viewport="phone", colour_scheme="dark")``.

    On the way out it fails if any page that it opened asked for something outside the disk, failed
    to load a file, wrote an error to the console or raised one.
    """
    contexts: list[BrowserContext] = []
    trouble: list[str] = []

    def only_local(route: Route) -> None:
        if route.request.url.startswith(LOCAL):
            route.continue_()
        else:
            trouble.append(f"remote request: {route.request.url}")
            route.abort()

    def open_page(name: str, viewport: str = "desktop", colour_scheme: str = "light") -> Page:
        context = browser.new_context(
            viewport=VIEWPORTS[viewport],
            color_scheme=colour_scheme,
            reduced_motion="reduce",  # nothing is looked at while it moves
            offline=True,
        )
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.route("**/*", only_local)
        page.on("requestfailed", lambda request: trouble.append(f"failed request: {request.url}"))
        page.on("pageerror", lambda error: trouble.append(f"page error on {name}: {error}"))
        page.on(
            "console",
            lambda message: (
                trouble.append(f"console error on {name}: {message.text}")
                if message.type == "error"
                else None
            ),
        )
        page.goto((book / f"{name}.html").as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not trouble, "\n".join(trouble)


@pytest.fixture
def page_for(book: Path, browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open a page of the book for one test, with `offline_pages`."""
    with offline_pages(book, browser) as open_page:
        yield open_page


@pytest.fixture(scope="module")
def wide(request: pytest.FixtureRequest, book: Path, browser: Browser) -> Iterator[Page]:
    """The page that a test names, wide and light. It is loaded once: pytest puts the tests of one
    page together, and none of them leaves it other than it was, but for answers that are unfolded.
    """
    with offline_pages(book, browser) as open_page:
        yield open_page(request.param)


@pytest.fixture(scope="module")
def narrow(request: pytest.FixtureRequest, book: Path, browser: Browser) -> Iterator[Page]:
    """The same on a phone, in the dark."""
    with offline_pages(book, browser) as open_page:
        yield open_page(request.param, "phone", "dark")


@pytest.fixture
def open_page(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Page]]:
    """Write a widget, a list of widgets, or HTML to disk and open it offline:
    ``open_page(GateExplorer(), viewport=PHONE)``.

    When the test ends, it fails if any page asked for something outside the disk, raised an error,
    or wrote an error or a warning to the console.
    """
    monkeypatch.setenv("LSTM_REF_STATIC", "1")
    contexts: list[BrowserContext] = []
    trouble: list[str] = []

    def open_page(
        content: Any, viewport: Any = VIEWPORTS["widget"], hash: str = "", **options: Any
    ) -> Page:
        path = tmp_path / f"page-{len(contexts)}.html"
        if not isinstance(content, str | list):
            content.to_html(path)
        else:
            body = content if isinstance(content, str) else "".join(one.html() for one in content)
            path.write_text(f"{HEAD}<body>{body}</body></html>", encoding="utf-8")
        contexts.append(browser.new_context(viewport=viewport, offline=True, **options))
        page = contexts[-1].new_page()
        page.on("request", lambda request: note(request.url, not request.url.startswith("file:")))
        page.on("pageerror", lambda error: note(str(error)))
        page.on("console", lambda line: note(line.text, line.type in ("error", "warning")))
        page.goto(path.as_uri() + hash)
        return page

    def note(text: str, is_trouble: bool = True) -> None:
        trouble.extend([text] * is_trouble)

    yield open_page
    for context in contexts:
        context.close()
    assert trouble == []
