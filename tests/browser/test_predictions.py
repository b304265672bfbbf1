"""Choices of a reader, kept in the browser: told when they are made, scored on another page."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

PAGE, SCORE = "book/three/smaller", "book/three/map"
# Only for the choices: the theme keeps its colours there, and fails aloud when it cannot.
REFUSES = """
for (const name of ['getItem', 'setItem']) {
  const own = Storage.prototype[name];
  Storage.prototype[name] = function (key, ...rest) {
    if (key.startsWith('inside-the-lstm')) throw new DOMException('refused');
    return own.call(this, key, ...rest);
  };
}
"""


def answer(page, number, letter):
    """Choose by mouse, and commit."""
    asked = page.locator("ul.choices").nth(number)
    asked.locator(f"input[value={letter}]").check()
    asked.locator("xpath=following-sibling::*[1]").get_by_role("button").click()


def told(page, number):
    return page.locator(".choice-told").nth(number).locator("span")


def right(page, number):
    return page.locator("ul.choices").nth(number).get_attribute("data-right")


def other(page, number):
    return "a" if right(page, number) != "a" else "b"


def quiet(page):
    """Wait for all that the page loads: who leaves earlier cuts it off, which is a failure."""
    page.wait_for_load_state("networkidle")


def reload(page):
    quiet(page)
    page.reload()


def goto(page, name):
    """Another page of the book, in the same browser."""
    quiet(page)
    here = page.url.split("/book/")[0]
    page.goto(f"{here}/{name}.html")


def test_nothing_is_told_before_a_choice_and_the_figure_waits_for_all_of_them(page_for):
    page = page_for(PAGE)
    count = page.locator("ul.choices").count()
    figure = page.locator("div.cell.tag_after-choice")
    assert count == 3 and figure.count() == 1
    expect(figure).to_be_hidden()
    expect(page.get_by_text("Choose above first")).to_be_visible()
    assert page.locator(".choice-commit:enabled").count() == 0
    assert [told(page, k).inner_text() for k in range(count)] == [""] * count
    answer(page, 0, right(page, 0))
    answer(page, 1, other(page, 1))
    expect(told(page, 0)).to_have_text("Right.")
    expect(told(page, 1)).to_have_text(f"Not this one. The answer is ({right(page, 1)}).")
    assert page.locator("ul.choices").nth(1).locator("input:enabled").count() == 0
    expect(figure).to_be_hidden()
    answer(page, 2, right(page, 2))
    expect(figure).to_be_visible()
    expect(page.get_by_text("Choose above first")).to_be_hidden()


def test_choices_are_scored_on_another_page_stay_and_can_be_forgotten(page_for):
    page = page_for(PAGE)
    answer(page, 0, right(page, 0))
    answer(page, 1, other(page, 1))
    goto(page, SCORE)
    rows = page.locator("table.score tbody tr")
    questions = [int(cell) for cell in rows.locator("td:nth-child(2)").all_inner_texts()]
    row = page.locator(f"table.score tr[data-page='{PAGE}']")
    expect(row.locator("td").last).to_have_text("1 of 2")
    summary = page.locator(".score-summary")
    expect(summary).to_have_text(
        f"1 of 2 answers were right. 2 of {sum(questions)} questions are answered."
    )
    reload(page)
    expect(row.locator("td").last).to_have_text("1 of 2")
    quiet(page)
    row.get_by_role("link").click()
    expect(told(page, 0)).to_have_text("Right.")
    assert page.locator("ul.choices").nth(0).locator("input:checked").get_attribute(
        "value"
    ) == right(page, 0)
    goto(page, SCORE)
    page.get_by_role("button", name="Forget all answers").click()
    expect(row.locator("td").last).to_have_text("1 of 2")  # once is not enough
    page.get_by_role("button", name="press once more").click()
    expect(summary).to_have_text("All answers are forgotten.")
    expect(row.locator("td").last).to_have_text("–")
    goto(page, PAGE)
    assert (
        page.locator("ul.choices input:checked").count() == 0 and told(page, 0).inner_text() == ""
    )


def test_a_choice_is_made_by_keyboard(page_for):
    page = page_for(PAGE)
    asked = page.locator("ul.choices").first
    asked.locator("input").first.focus()
    page.keyboard.press("ArrowDown")
    assert asked.locator("input:checked").get_attribute("value") == "b"
    page.keyboard.press("Tab")
    expect(page.locator(".choice-commit").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(told(page, 0)).to_be_focused()
    assert told(page, 0).inner_text() != ""


def test_where_nothing_can_be_kept_answers_last_as_long_as_the_page_and_the_score_says_so(page_for):
    page = page_for(PAGE)
    page.add_init_script(REFUSES)
    reload(page)
    answer(page, 0, right(page, 0))
    expect(told(page, 0)).to_have_text("Right.")
    goto(page, SCORE)
    expect(page.get_by_text("This browser keeps nothing")).to_be_visible()
    expect(page.locator(".score-summary")).to_contain_text("No question is answered yet")


def test_what_is_stored_by_somebody_else_does_no_harm(page_for):
    page = page_for(SCORE)
    page.evaluate("localStorage.setItem('inside-the-lstm-predictions', '[1, {')")
    reload(page)
    expect(page.locator(".score-summary")).to_contain_text("No question is answered yet")
    page.evaluate("localStorage.setItem('inside-the-lstm-predictions', '{\"x:0\": \"a\"}')")
    reload(page)
    expect(page.locator(".score-summary")).to_contain_text("No question is answered yet")


def test_both_pages_pass_axe_answered_in_the_dark_on_a_telephone(page_for):
    page = page_for(PAGE, viewport="phone", colour_scheme="dark")
    answer(page, 0, other(page, 0))
    for name, where in ((PAGE, ".admonition:has(ul.choices)"), (SCORE, ".admonition.score")):
        goto(page, name)
        expect(page.locator(where).first).to_be_visible()
        assert page.evaluate(
            "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        )
        found = Axe().run(
            page, context=where, options={"resultTypes": ["violations"], "preload": False}
        )
        assert found.response["violations"] == []
