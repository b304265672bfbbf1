"""What axe-core finds on a page, asked so that a long page costs little.

Most of its time goes into the contrast of texts, one by one. Texts of the same colour, size and
weight, inside boxes of the same colours, have the same contrast: two of each look stand for all.
"""

from __future__ import annotations

from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

COLOURS = ["color-contrast", "link-in-text-block"]
# Marks two texts of each look; what axe-core would not judge stands for nobody: one character, or
# a text that is not seen. Fields and buttons have rules of their own (disabled ones need no
# contrast): they are all asked.
MARK = """() => {
    const PLAIN = "rgba(0, 0, 0, 0) none 1 none normal static auto none";
    const around = new Map([[null, ""]]), seen = new Map();
    const behind = (box) => {
        if (!around.has(box)) {
            const s = getComputedStyle(box);
            const own = [s.backgroundColor, s.backgroundImage, s.opacity, s.filter, s.mixBlendMode,
                s.position, s.clip, s.clipPath].join(" ");
            // axe judges no text beside what a style sheet puts into its box
            const put = ["::before", "::after"].map((part) => getComputedStyle(box, part))
                .filter((p) => p.content !== "none" && p.position === "absolute")
                .map((p) => `|${p.backgroundColor} ${p.backgroundImage}`).join("");
            around.set(box, behind(box.parentElement) + (own === PLAIN ? "" : `|${own}`) + put);
        }
        return around.get(box);
    };
    const ownText = (box) => [...box.childNodes]
        .map((node) => (node.nodeType === Node.TEXT_NODE ? node.data : "")).join("").trim();
    for (const box of document.querySelectorAll("body *")) {
        delete box.dataset.asked;
        if (box.closest("input, select, textarea, button, label, [aria-disabled]")) {
            box.dataset.asked = "";
            continue;
        }
        if (ownText(box).length < 2 || !box.checkVisibility({ visibilityProperty: true })) continue;
        const { width, height, right, bottom } = box.getBoundingClientRect();
        if (width < 2 || height < 2 || right <= 0 || bottom <= 0) continue;
        const s = getComputedStyle(box);
        const look = [s.color, s.fontSize, s.fontWeight, s.textShadow, behind(box)].join(" ");
        seen.set(look, (seen.get(look) ?? 0) + 1);
        if (seen.get(look) <= 2) box.dataset.asked = "";
    }
    axe.configure({ rules: [{ id: "color-contrast", selector: "[data-asked]" }] });
}"""


def violations(page: Page, every_text: bool = False, least: int = 20, **options: Any) -> list[str]:
    """Everything that axe-core finds wrong: the rule, what it asks, and the first five places.

    Parameters
    ----------
    page : a page that is loaded
    every_text : ask for the contrast of every text, and not only of two of each look
    least : so many rules must have found something to judge
    options : of ``axe.run``, such as ``runOnly``
    """
    page.evaluate(AXE_SCRIPT)
    if not every_text:
        page.evaluate(MARK)
    # Without "preload", axe does not try to read style sheets in a way that a page from disk may
    # not.
    asked = {"resultTypes": ["violations"], "preload": False, **options}
    result = page.evaluate("(asked) => axe.run(asked)", asked)
    assert len(result["passes"]) >= least
    return [
        f"{violation['id']} ({violation['impact']}): {violation['help']}\n  "
        + "\n  ".join(
            node["html"][:200] + " | " + node["failureSummary"] for node in violation["nodes"][:5]
        )
        for violation in result["violations"]
    ]
