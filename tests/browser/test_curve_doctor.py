"""The loss-curve doctor in a real browser: nothing is told before an answer, and then every number
is Python's.
"""

import re

import numpy as np
import pytest

from lstm_ref.inspect import CurveDoctor
from lstm_ref.inspect.curve_cases import CAUSES, MEASURES
from lstm_ref.inspect.curve_doctor import fits
from tests.support.results import stored
from tests.support.widgets import DESKTOP, PHONE, assert_accessible_and_fits

STORED = stored("curves")
OWN = {"train": np.linspace(2.0, 0.1, 60), "valid": 0.6 + 1.4 * np.linspace(1, 0, 60) ** 8}


def commit(place, cause, following):
    place.locator(f'input[value="{cause}"]').check()
    place.locator(f'input[value="{following}"]').check()
    place.get_by_role("button", name="Commit").click()


def data(place):
    """The numbers of each row of each table, with all digits."""
    return place.locator(".lw-answer table").evaluate_all(
        "tables => tables.map(t => [...t.querySelectorAll('tbody tr')].map("
        "r => [...r.querySelectorAll('data')].map(d => Number(d.value))))"
    )


def test_nothing_is_told_before_both_answers(open_page):
    page = open_page(CurveDoctor(STORED))
    button = page.get_by_role("button", name="Commit")
    assert button.is_disabled() and page.locator(".lw-answer").inner_html() == ""
    page.locator('input[name="cause"]').first.check()
    assert button.is_disabled()
    page.locator('input[name="next"]').first.check()
    assert not button.is_disabled()
    assert page.locator(".lw-after").count() == 0 and page.locator("data").count() == 0
    page.locator('[data-run="1"]').click()
    assert button.is_disabled() and page.locator("input:checked").count() == 0


def test_every_number_of_every_answer_is_python_s(open_page):
    doctor = CurveDoctor(STORED)
    read, left = doctor.readings(), doctor.open_causes()
    answers = {run["key"]: {"cause": run["key"], "next": run["nexts"][2]} for run in doctor.runs}
    page = open_page(CurveDoctor(STORED, answers=answers))
    for k, run in enumerate(doctor.runs):
        page.locator(f'[data-run="{k}"]').click()
        cause, seeds = CAUSES[run["key"]], run["seeds"]
        signs, _, measured = data(page)
        want = [[read[run["key"]][name], *seeds[name]] for name, _, _ in cause.signs]
        np.testing.assert_allclose(signs, want, rtol=1e-9)
        assert measured == [run["values"][one][:3] for one in run["nexts"]]
        fitting = page.locator('tr[data-fits="true"]').evaluate_all(
            "rows => rows.map(r => r.dataset.cause)"
        )
        assert fitting == left[run["key"]]
        assert page.locator(".lw-settled").inner_text() == run["settled"]
        after = 1 if run["after"] else 0
        assert page.locator(".lw-chart .lw-after").count() == after
    nexts = sum(run["nexts"][2] == CAUSES[run["key"]].settles for run in doctor.runs)
    assert page.locator(".lw-score").inner_text() == (
        f"Of 12 answered: 12 causes and {nexts} next steps right."
    )


def test_right_and_wrong_are_told_apart(open_page):
    page = open_page(CurveDoctor(STORED))
    commit(page, "plateau", "larger")
    verdicts = page.locator(".lw-verdict")
    assert verdicts.first.get_attribute("data-right") == "false"
    assert CAUSES["rate-small"].name in verdicts.first.inner_text()
    assert verdicts.nth(1).get_attribute("data-right") == "true"
    assert page.locator('[data-run="0"]').inner_text() == "1 ½"
    assert "your choice" in page.locator('tr[data-measure="larger"]').inner_text()
    page.get_by_role("button", name="Start again").click()
    assert page.locator('[data-run="0"]').inner_text() == "1"
    assert page.locator(".lw-answer").inner_html() == "" and page.locator("form").is_visible()


def test_curves_stand_where_their_numbers_are(open_page):
    doctor = CurveDoctor(STORED)
    page = open_page(doctor)
    width = float(page.locator(".lw-chart").get_attribute("width"))
    for kind in ("train", "valid"):
        path = page.locator(f".lw-chart .lw-{kind}").get_attribute("d")
        points = np.array(re.findall(r"([\d.]+) ([\d.]+)", path), float)
        curve = np.array(doctor.runs[0][kind])
        np.testing.assert_allclose(
            points[:, 0], 40 + (width - 50) * np.linspace(0, 1, 40), atol=0.1
        )
        most = max(1.25, 1.05 * max(doctor.runs[0]["train"] + doctor.runs[0]["valid"]))
        np.testing.assert_allclose(points[:, 1], 214 - 204 * curve / most, atol=0.1)
    page.locator('input[type="range"]').fill("13")
    told = page.locator(".lw-values").inner_text()
    assert told.endswith(
        f"training {doctor.runs[0]['train'][13]:.3f}, validation {doctor.runs[0]['valid'][13]:.3f}."
    )


def test_a_run_of_ones_own_is_read_and_no_cause_is_asserted(open_page):
    doctor = CurveDoctor(**OWN, constant=2.0)
    page = open_page(doctor)
    assert page.locator('input[name="cause"]').count() == len(CAUSES)
    commit(page, "overfitting", "wait")
    read = doctor.readings()["own"]
    signs, _ = data(page)
    np.testing.assert_allclose(
        [row[0] for row in signs], [read[name] for name, _, _ in CAUSES["overfitting"].signs]
    )
    verdict = page.locator(".lw-verdict")
    fit = "does not exclude" if fits("overfitting", read) else "speaks against"
    assert fit in verdict.first.inner_text()
    assert MEASURES["data"].title in verdict.nth(1).inner_text()
    assert page.locator(".lw-settled").count() == 0 and page.locator(".lw-score").inner_text() == ""
    fitting = page.locator('tr[data-fits="true"]').count()
    assert fitting == len(doctor.open_causes()["own"])


def test_the_keyboard_takes_a_run_to_its_end(open_page):
    page = open_page(CurveDoctor(STORED))
    page.locator('input[type="range"]').focus()
    page.keyboard.press("Home")
    assert page.locator(".lw-values").inner_text().startswith("At 0 %")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.className") == "lw-answer"
    assert page.locator(".lw-verdict").count() == 2


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_it_is_accessible_and_fits(open_page, viewport, theme):
    page = open_page(CurveDoctor(STORED), viewport=viewport, color_scheme=theme)
    for told in (False, True):
        if told:
            page.locator('[data-run="8"]').click()
            commit(page, "overfitting", "again")
        assert_accessible_and_fits(page)


def test_two_doctors_on_one_page_do_not_touch_each_other(open_page):
    page = open_page([CurveDoctor(STORED), CurveDoctor(STORED)])
    one, two = page.locator(".lw-curves").all()
    one.locator('input[name="cause"]').first.check()
    two.locator('input[name="cause"]').nth(1).check()
    assert one.locator('input[name="cause"]').first.is_checked()
    one.locator('input[name="next"]').first.check()
    one.get_by_role("button", name="Commit").click()
    assert one.locator(".lw-verdict").count() == 2 and two.locator(".lw-verdict").count() == 0
