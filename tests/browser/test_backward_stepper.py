"""The backward stepper in a real browser: computed in the page, compared with NumPy's numbers and
with autograd's.
"""

import json

import numpy as np
import pytest
import torch

from lstm_ref.inspect import BackwardStepper
from lstm_ref.inspect.backward_stepper import MISTAKES, POSITIONS
from lstm_ref.zoo import find
from tests.support.widgets import DESKTOP, PHONE, assert_accessible_and_fits

ENDS = ("dx|2", "dx|1", "dh|0", "dc|0", "dWx|", "dWh|", "db|")


def random_stepper(seed, **options):
    rng = np.random.default_rng(seed)

    def draw(size):
        return rng.normal(size=size).tolist()

    numbers = {"x": draw(2), "y": draw(2), "h0": rng.uniform(-1, 1), "c0": rng.normal()}
    return BackwardStepper(**numbers, Wx=draw(4), Wh=draw(4), b=draw(4), **options)


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()


def plant(page, mistake):
    page.locator("select").select_option(mistake)


def found(page, column=0):
    """What was found so far, with all its digits: key -> (1,) or (4,). Column 1 holds the
    difference quotients.
    """
    rows = page.locator("tr[data-key]").evaluate_all(
        "(all, column) => all.map(row => [row.dataset.key, "
        "[...row.querySelectorAll('td:has(data)')][column]])"
        ".map(([key, td]) => [key, [...td.querySelectorAll('data')].map(data => "
        "Number(data.value))])",
        column,
    )
    return {key: np.array(numbers) for key, numbers in rows}


def verdicts(page):
    """key -> what the last column says."""
    return dict(
        page.locator("tr[data-key]").evaluate_all(
            "all => all.map(row => [row.dataset.key, row.lastChild.textContent])"
        )
    )


def ends(grads):
    values = (grads.dx[0, 1], grads.dx[0, 0], grads.dh0, grads.dc0, grads.dWx, grads.dWh, grads.db)
    return {key: np.ravel(value) for key, value in zip(ENDS, values, strict=True)}


def everything(stepper):
    """Every gradient of the walk by autograd: each step has copies of the state and of the weights
    that it sees.
    """

    def take(value):
        return torch.tensor(value, dtype=torch.float64, requires_grad=True)

    nodes = {f"d{name}|": take(getattr(stepper, name)) for name in ("Wx", "Wh", "b")}
    h, c, loss = take(stepper.h0), take(stepper.c0), 0.0
    nodes |= {"dh|0": h, "dc|0": c}
    for t in (1, 2):
        # Adding a zero of its own gives each place its own derivative.
        copy = {name: take([0.0] * 4) for name in ("Wx", "Wh", "b")}
        seen = {name: take(0.0) for name in ("h", "c")}
        x = take(stepper.x[t - 1])
        Wx, Wh, b = (nodes[f"d{name}|"] + copy[name] for name in ("Wx", "Wh", "b"))
        a = dict(zip("ifgo", (x * Wx + (h + seen["h"]) * Wh + b).unbind(), strict=True))
        gates = {k: torch.tanh(a[k]) if k == "g" else torch.sigmoid(a[k]) for k in "ifgo"}
        c = gates["f"] * (c + seen["c"]) + gates["i"] * gates["g"]
        u = torch.tanh(c)
        h = gates["o"] * u
        if t == 2 or stepper.loss == "both":
            loss = loss + (h - stepper.y[t - 1]) ** 2 / 2
        nodes |= {f"dx|{t}": x, f"dc|{t}": c, f"du|{t}": u, f"dh|{t}": h}
        nodes |= {f"d{k}|{t}": gates[k] for k in "ifgo"} | {f"da_{k}|{t}": a[k] for k in "ifgo"}
        if t == 2:
            nodes |= {f"d{name}|2": value for name, value in copy.items()}
            nodes |= {f"d{name}_next|1": value for name, value in seen.items()}
    grads = torch.autograd.grad(loss, list(nodes.values()))
    return {key: np.ravel(grad.numpy()) for key, grad in zip(nodes, grads, strict=True)}


@pytest.mark.parametrize(
    "stepper",
    [BackwardStepper, lambda **options: random_stepper(5, **options)],
    ids=["start", "other"],
)
@pytest.mark.parametrize("loss", ["last", "both"])
def test_the_page_finds_what_the_reference_and_the_zoo_find(open_page, stepper, loss):
    page = open_page(stepper(loss=loss))
    press(page, "To the end")
    want, shown = everything(stepper(loss=loss)), found(page)
    assert set(shown) == set(want) and len(shown) == POSITIONS
    for key, value in want.items():
        np.testing.assert_allclose(shown[key], value, rtol=1e-9, atol=1e-15, err_msg=key)
    for mistake in ("none", *MISTAKES):
        plant(page, mistake)
        shown = found(page)
        for key, value in ends(stepper(loss=loss, mistake=mistake).values).items():
            np.testing.assert_allclose(
                shown[key], value, rtol=1e-9, atol=1e-15, err_msg=f"{mistake} {key}"
            )


def test_the_difference_quotients_are_the_right_gradients_whatever_is_planted(open_page):
    stepper = BackwardStepper(loss="both", position=POSITIONS)
    page = open_page(stepper)
    page.get_by_role("button", name="Compare").click()
    want = everything(stepper)
    for mistake in ("none", *MISTAKES):
        plant(page, mistake)
        for key, value in found(page, column=1).items():
            np.testing.assert_allclose(value, want[key], rtol=1e-7, atol=1e-9, err_msg=key)
    plant(page, "none")
    assert set(verdicts(page).values()) == {"agrees"}


FIRST_WRONG = {
    "do_uses_c": "do|2",
    "no_dc_carry": "dc|1",
    "sigmoid_prime_of_a": "da_i|2",
    "weights_overwritten": "dWx|",
    "tanh_prime_of_c": "dc|2",
    "no_dh_carry": "dh|1",
    "df_uses_new_cell": "df|2",
    "dc_prev_without_f": "dc_next|1",
}


@pytest.mark.parametrize("loss", ["last", "both"])
def test_the_first_number_that_parts_is_where_the_mistake_was_made(open_page, loss):
    page = open_page(BackwardStepper(loss=loss, position=POSITIONS))
    page.get_by_role("button", name="Compare").click()
    assert set(FIRST_WRONG) == set(MISTAKES)
    for mistake, key in FIRST_WRONG.items():
        plant(page, mistake)
        apart = [key for key, said in verdicts(page).items() if said != "agrees"]
        assert apart[0] == key, mistake


def test_a_planted_mistake_is_covered_until_it_is_asked_for(open_page):
    page = open_page(BackwardStepper(position=6, mistake="do_uses_c"))
    bug = find("do_uses_c")
    card = page.locator(".lw-card")
    text = page.locator(".lw-stepper").inner_text()
    assert (
        bug.title not in text
        and "tanh" not in card.inner_text()
        and "·" not in card.locator(".lw-equation").inner_text()
    )
    page.get_by_role("button", name="Show me the mistake").click()
    answer = page.locator(".lw-answer").inner_text()
    assert bug.title in answer and bug.changes[0].right in answer and bug.changes[0].wrong in answer
    page.get_by_role("slider").fill("2")
    assert card.locator(".lw-equation").first.inner_text().replace("\n", "") == "do2 = dh2 · c2"
    plant(page, "no_dh_carry")
    assert (
        page.locator(".lw-answer").inner_text() == ""
        and page.get_by_role("button", name="Show me").is_visible()
    )
    plant(page, "none")
    assert page.get_by_role("button", name="Show me").is_hidden()


def test_one_press_goes_one_step_back_by_keyboard_and_is_read_out(open_page):
    page = open_page(BackwardStepper())
    back = page.get_by_role("button", name="Back", exact=True)
    back.focus()
    live = page.locator('[aria-live="polite"]').first
    stepper = BackwardStepper()
    h2 = stepper.y[1] + found_dh2(stepper)
    page.keyboard.press("Enter")
    assert live.inner_text().startswith("Step back 1 of 34, from L to h2. dh2 = h2 − y2 = ")
    assert found(page)["dh|2"][0] == pytest.approx(h2 - stepper.y[1], rel=1e-12)

    def lit():
        return page.locator(".lw-edge.lw-on").evaluate_all(
            "all => all.map(edge => edge.dataset.edge)"
        )

    assert lit() == ["h2-L"]
    seen = [live.inner_text()]
    for _ in range(POSITIONS - 1):
        page.keyboard.press("Space")
        seen.append(live.inner_text())
        assert lit()
    # c1 and three weights
    assert len(set(seen)) == POSITIONS and sum("Two ways meet" in said for said in seen) == 4
    page.keyboard.press("Enter")  # the end: the button keeps the focus and does nothing
    assert (
        live.inner_text() == seen[-1]
        and page.evaluate("document.activeElement.textContent") == "← Back"
    )
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert live.inner_text() == seen[-2] and len(found(page)) == POSITIONS - 1
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert found(page) == {} and live.inner_text() == "The forward pass is done. Press Back."
    page.get_by_role("slider").focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft"):
        page.keyboard.press(key)
    assert live.inner_text() == seen[0]
    page.locator("button[data-loss=both]").press("Enter")
    page.get_by_role("slider").fill("18")
    assert "Two ways meet" in live.inner_text() and set(lit()) == {"h1-L", "h1-bus2"}


def test_a_node_leads_to_its_gradient_and_sums_are_said_and_bracketed(open_page):
    page = open_page(BackwardStepper())
    slider, card = page.get_by_role("slider"), page.locator(".lw-card")
    page.locator('[data-node="x2"]').click()
    assert slider.input_value() == "14" and "Four parts are added" in card.inner_text()
    page.locator('[data-node="c1"]').click()
    assert slider.input_value() == "21"  # the next time that it is reached
    page.locator('[data-node="c1"]').click()
    assert slider.input_value() == "12"  # and, behind the last, the first time
    page.locator('[data-node="L"]').click()
    assert slider.input_value() == "0"
    slider.fill(str(POSITIONS))  # db: two vectors
    numbers = page.locator(".lw-numbers").first.inner_text()
    assert numbers.count("(") == numbers.count(")") == 2 and ") + (" in numbers


def test_it_plays_to_the_end_and_stops(open_page):
    page = open_page(BackwardStepper(position=POSITIONS - 1))
    play = page.get_by_role("button", name="Play")
    play.click()
    page.get_by_role("button", name="Pause").click()
    assert page.get_by_role("slider").input_value() == str(POSITIONS - 1)
    play.click()
    page.wait_for_function("document.querySelector('input[type=range]').value === '34'")
    play.wait_for()  # it has stopped
    page.get_by_role("button", name="Play").click()  # from the start again
    assert page.get_by_role("slider").input_value() == "0"


def found_dh2(stepper):
    """Immediate derivative of the last hidden state, from the gradient of the output gate's bias
    and the forward pass.
    """
    from lstm_ref import lstm_forward

    return (lstm_forward(**stepper.arguments)[0][0, 1, 0] - stepper.y[1]).item()


def test_what_python_sets_moves_the_page_and_a_removed_stepper_leaves_nothing(open_page):
    source = json.dumps(BackwardStepper(mistake="no_dh_carry", position=POSITIONS).page_state)
    module = BackwardStepper().html().split('<script type="module">')[1].split("const state =")[0]
    script = (
        f'<div class="mine"></div><script type="module">{module} const state = {source}; const '
        f"calls = {{}};"
        "const model = { get: (name) => state[name], set(name, value) { state[name] = value; }, "
        "save_changes() {},"
        "on(event, call) { (calls[event] ??= new Set()).add(call); }, off(event, call) { "
        "calls[event].delete(call); } };"
        "const el = document.querySelector('.mine'); const undo = widget.render({ model, el });"
        "el.addEventListener('move', () => { state.position = 7; "
        "calls['change:position'].forEach((call) => call()); });"
        "el.addEventListener('undo', () => { undo();"
        " el.dataset.left = Object.values(calls).reduce((sum, set) => sum + set.size, 0) + "
        "el.childNodes.length; });</script>"
    )
    page = open_page(script)
    assert len(found(page)) == POSITIONS
    page.locator(".mine").dispatch_event("move")
    assert len(found(page)) == 7 and page.get_by_role("slider").input_value() == "7"
    page.locator(".mine").dispatch_event("undo")
    assert page.locator(".mine").get_attribute("data-left") == "0"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_stepper_is_accessible_and_fits(open_page, viewport, theme):
    page = open_page(
        BackwardStepper(position=15, mistake="no_dh_carry"), viewport=viewport, color_scheme=theme
    )
    page.get_by_role("button", name="Compare").click()
    page.get_by_role("button", name="Show me").click()
    page.locator("summary").click()
    page.get_by_role("slider").fill(str(POSITIONS))
    assert_accessible_and_fits(page)
    # The node that was reached is in the picture, also where that shows one step only.
    outside = page.locator(".lw-stepper").evaluate(
        """(el, last) => {
          const slider = el.querySelector('input[type=range]'), outside = [];
          for (let position = 0; position <= last; position += 1) {
            slider.value = position;
            slider.dispatchEvent(new Event('input'));
            const box = el.querySelector('.lw-graph').getBoundingClientRect();
            const node = el.querySelector('.lw-node.lw-on').getBoundingClientRect();
            if (node.left < box.left - 1 || node.right > box.right + 1) outside.push(position);
          }
          return outside;
        }""",
        POSITIONS,
    )
    assert outside == []


def test_two_steppers_on_one_page_do_not_touch_each_other(open_page):
    page = open_page(BackwardStepper().html() + BackwardStepper().html())
    one, two = page.locator(".lw-stepper").all()
    one.get_by_role("button", name="Back", exact=True).click()
    assert one.locator("tr[data-key]").count() == 1 and two.locator("tr[data-key]").count() == 0
    assert page.evaluate("Object.keys(window)") == open_page("").evaluate("Object.keys(window)")
