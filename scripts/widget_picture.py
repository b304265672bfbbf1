"""Take the pictures of the gate explorer that README shows: run it after a change of the widget,
with Debian's chromium.
"""

import os
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

os.environ["LSTM_REF_STATIC"] = "1"
from lstm_ref.inspect import GateExplorer  # noqa: E402

STATIC = Path(__file__).resolve().parents[1] / "book" / "_static"


def main() -> None:
    """One picture for light pages and one for dark ones."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page_file = Path(folder) / "gates.html"
        GateExplorer().to_html(page_file)
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        for scheme in ("light", "dark"):
            page = browser.new_page(
                viewport={"width": 1000, "height": 700},
                color_scheme=scheme,
                device_scale_factor=1.5,
            )
            page.goto(page_file.as_uri())
            page.locator("text=keep >> nth=0").wait_for()
            picture = STATIC / f"gate-explorer-{scheme}.png"
            page.screenshot(path=picture, full_page=True)
            # a quarter of the bytes
            Image.open(picture).convert("RGB").quantize(128).save(picture, optimize=True)
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
