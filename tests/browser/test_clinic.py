"""The clinic in a real browser: a case from the complaint to the score, with the numbers that
Python has stored.
"""

import pytest

from lstm_ref.clinic.record import record
from lstm_ref.inspect import Clinic
from tests.support.results import stored
from tests.support.widgets import DESKTOP, PHONE, assert_accessible_and_fits

STORED = stored("clinic")
RECORD = record(STORED)
CASES = {case["id"]: case for case in RECORD["cases"]}


@pytest.fixture
def open_page(open_page):
    def open_case(viewport=DESKTOP, hash="", options=None, **traits):
        widget = Clinic(RECORD, **traits)
        return open_page(widget, viewport=viewport, hash=hash, **(options or {}))

    return open_case


def order(page, id):
    page.locator(f'[data-measurement="{id}"]').click()


def decide(page, diagnosis):
    page.locator(".lw-decision select").select_option(diagnosis)
    page.get_by_role("button", name="Decide").click()


def numbers(page, id):
    """Rows of a result, with all digits."""
    rows = page.locator(f'table[data-result="{id}"] tbody tr').all()
    return [
        [float(data.get_attribute("value")) for data in row.locator("data").all()] for row in rows
    ]


def test_every_number_of_every_case_is_the_stored_one(open_page):
    page = open_page()
    for id, case in CASES.items():
        page.locator(f'[data-case="{id}"]').click()
        assert page.locator(".lw-complaint").inner_text() == case["complaint"]
        assert page.locator(".lw-results").inner_text() == ""
        for name, rows in case["measured"].items():
            order(page, name)
            if isinstance(rows, str):
                assert rows in page.locator(f'p[data-result="{name}"]').inner_text()
            else:
                assert str(numbers(page, name)) == str(
                    [[float("nan" if row[1] is None else row[1])] for row in rows]
                )
        total = sum(case["costs"].values())
        assert page.locator(".lw-spent").inner_text() == f"14 ordered, {total} passes spent."


def test_nothing_of_the_answer_is_shown_before_the_decision(open_page):
    page = open_page()
    case = CASES["axis_final_state_view"]
    order(page, "examples")
    text = page.locator(".lw-clinic").inner_text()
    assert case["title"] not in text and case["mend"] not in text and "mended" not in text
    assert (
        page.locator(".lw-answer").inner_html() == ""
        and not page.locator(".lw-answer").is_visible()
    )
    assert page.get_by_role("button", name="Decide").is_disabled()


def test_a_right_decision_shows_mended_numbers_all_seeds_and_the_lines(open_page):
    page = open_page()
    case = CASES["axis_final_state_view"]
    order(page, "examples")
    decide(page, "examples-mixed")
    assert not page.locator(".lw-decision").is_visible()
    assert (
        page.locator(".lw-verdict").inner_text()
        == f"Right, for {case['costs']['examples']} passes."
    )
    shown = numbers(page, "examples")
    assert shown == [
        [sick, low, high, mended] for _, sick, mended, low, high in case["measured"]["examples"]
    ]
    for right, wrong in case["changes"]:
        assert (
            f"− {wrong}" in page.locator("pre").inner_text()
            and f"+ {right}" in page.locator("pre").inner_text()
        )
    expert = sum(case["costs"][id] for id in case["expert"])
    assert page.locator(".lw-expert").inner_text().endswith(f"That costs {expert} passes.")
    order_buttons = page.locator("[data-measurement]")
    assert all(button.is_disabled() for button in order_buttons.all())


def test_the_score_is_python_s(open_page):
    ordered = {"axis_final_state_view": ["heart"], "opt_before_change": ["gradients", "optimizer"]}
    decided = {"axis_final_state_view": "too-small", "opt_before_change": "not-in-optimizer"}
    page = open_page(ordered=ordered, decided=decided)
    assert "You chose: The model is too small." in page.locator(".lw-verdict").inner_text()
    score = Clinic(RECORD, ordered=ordered, decided=decided).score()
    rows = [row.inner_text().split("\t") for row in page.locator(".lw-score tbody tr").all()]
    for row, (id, (cost, right)) in zip(rows, score.items(), strict=False):
        expert = sum(CASES[id]["costs"][one] for one in CASES[id]["expert"])
        assert row[1:] == [str(cost), str(expert), "right" if right else "wrong"]
    assert (
        rows[-1][1] == str(sum(cost for cost, _ in score.values()))
        and rows[-1][3] == "1 of 2 right"
    )
    page.get_by_role("button", name="Start again").click()
    assert (
        page.locator(".lw-score").inner_html() == ""
        and page.locator(".lw-results").inner_html() == ""
    )
    assert page.locator("[data-case]").first.inner_text() == "1"


def test_an_address_opens_its_case(open_page):
    page = open_page(hash="#case-pad_in_attention")
    assert page.locator(".lw-complaint").inner_text() == CASES["pad_in_attention"]["complaint"]
    page.evaluate("location.hash = '#case-data_window_leak'")
    page.wait_for_function(
        "text => document.querySelector('.lw-complaint').textContent === text",
        arg=CASES["data_window_leak"]["complaint"],
    )


def test_the_keyboard_takes_a_case_to_its_end(open_page):
    page = open_page()
    page.locator('[data-measurement="examples"]').focus()
    page.keyboard.press("Enter")
    assert page.locator('table[data-result="examples"]').is_visible()
    page.locator(".lw-decision select").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.locator(".lw-verdict").inner_text().startswith("Right")
    assert page.evaluate("document.activeElement.textContent") == "Next case"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.dataset.case") == list(CASES)[1]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_it_is_accessible_and_fits(open_page, viewport, theme):
    page = open_page(viewport, options={"color_scheme": theme})
    for decided in (False, True):
        if decided:
            for id in ("examples", "outputs", "split"):
                order(page, id)
            decide(page, "too-small")
        assert_accessible_and_fits(page)
