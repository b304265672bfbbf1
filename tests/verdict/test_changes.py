"""Counting the lines of given code that were changed."""

import numpy as np
import pytest

from verdict import Check, Mend, Status, Verdict, changes
from verdict.changes import TOO_MANY, capped

GIVEN = """
def sick_mean(x, mask):
    total = 0.0
    for t in range(len(x)):
        total = total + x[t]
    return total / len(x)
"""
RIGHT = """
def mend_mean(x, mask):
    total = 0.0
    for t in range(len(x)):
        total = total + x[t] * mask[t]
    return total / mask.sum()
"""
CHECKS = tuple(
    Check(
        name,
        "The mean of true tokens.",
        name,
        1,
        cases=lambda rng: [],
        expected=np.mean,
        outputs="mean",
        mend=mend,
    )
    for name, mend in (
        ("mend_mean", Mend(4, "sick_mean", uses=("given_length",))),
        ("other_part", None),
    )
)


def count(*cells, check=CHECKS[0], given=(GIVEN,), written=()):
    found = changes.changes(check, CHECKS, given, cells, written)
    return None if found is None else found.number


LAYOUT = '''
# The mend: padding is left out.
def mend_mean(
    x: np.ndarray,   # (T,)
    mask: np.ndarray,
) -> float:
    """The mean of the
    true tokens."""

    total = 0.0  # nothing yet

    for t in range( len(x) ):
        # only true ones
        total = (total +
                 x[t] * mask[t])
    return (total / mask.sum())
'''


def test_comments_blank_lines_layout_docstrings_and_type_hints_do_not_count():
    assert count(RIGHT) == count(LAYOUT) == 2
    assert count(GIVEN.replace("sick", "mend")) == 0
    assert count(LAYOUT.replace(" * mask[t]", "").replace("mask.sum()", "len(x)")) == 0


def test_a_block_that_is_wrapped_counts_by_the_line_that_wraps_it():
    wrapped = """
def mend_mean(x, mask):
    with np.errstate(all="ignore"):
        total = 0.0
        for t in range(len(x)):
            total = total + x[t]
        return total / len(x)
"""
    assert count(wrapped) == 1


def test_a_name_that_is_changed_counts_in_each_of_its_lines():
    assert count(GIVEN.replace("sick", "mend").replace("total", "s")) == 3
    assert count(GIVEN.replace("sick", "mend").replace("x", "y")) == 4


def test_lines_that_are_left_out_or_added_count():
    assert count("def mend_mean(x, mask):\n    return x[mask].mean()") == 4
    assert count("mend_mean = lambda x, mask: x[mask].mean()") == 5
    assert count(RIGHT + "    print('never')\n    print('either')\n") == 4


def test_what_a_mend_calls_is_compared_where_it_is_the_students_own():
    call = "def mend_mean(x, mask):\n    return helped(x, mask)\n"
    helped = "def helped(x, mask):\n    n = size(mask)\n    a = x[mask]\n    return a.sum() / n\n"
    size = "size = lambda mask: mask.sum()\n"
    assert count(call) == 4  # four lines are gone; of helped, no cell knows anything
    assert count(call, helped) == 5  # five lines stand in their place
    assert count(helped + size, call) == count(size, call + helped) == 6
    # another part's function, or what is given, is nobody's helper here
    for name in ("other_part", "given_length"):
        assert count(call.replace("helped", name), helped.replace("helped", name)) == 4


def test_lines_that_moved_into_a_helper_are_the_same_lines():
    moved = "def mend_mean(x, mask):\n    return added(x, mask) / mask.sum()\n"
    added = RIGHT.replace("mend_mean", "added").replace("total / mask.sum()", "total")
    assert count(moved, added) == 4


def test_helpers_that_call_each_other_end():
    both = "def mend_mean(x, mask):\n    return up(x)\ndef up(x):\n    return down(x)\n"
    assert count(both + "def down(x):\n    return up(x)\n") == 5


def test_the_last_definition_counts_wherever_it_stands():
    nested = (
        "if True:\n    try:\n" + RIGHT.replace("\n", "\n        ") + "\n    finally:\n        pass"
    )
    assert count(GIVEN.replace("sick", "mend"), RIGHT) == count(nested) == 2
    assert count(RIGHT, GIVEN.replace("sick", "mend")) == 0
    assert count("def another(mend_mean):\n    mend_mean = 1", RIGHT) == 2


def test_starter_code_is_that_of_the_function_itself():
    own = Check("f", "f", "f", 1, cases=lambda rng: [], expected=np.mean, mend=Mend(1))
    assert count("def f(x):\n    return -x", check=own, given=("def f(x):\n    return x",)) == 1


@pytest.mark.parametrize(
    "cell",
    [
        "def mend_mean(:",
        "exec('def mend_mean(x, mask): return 1')",
        "mend_mean\0",
        "mend_mean = " + "(" * 5000 + ")" * 5000,
        "mend_mean = " + "-" * 50_000 + "1",
        "def mend_mean(x):\n    return 1\n" + "#" * changes.MOST_CODE,
    ],
    ids=["no Python", "made while it runs", "a zero byte", "brackets", "signs", "too long"],
)
def test_code_that_cannot_be_read_is_not_counted_and_does_no_harm(cell):
    assert count(cell) is None


@pytest.mark.parametrize(
    ("cell", "least"),
    [
        ("def mend_mean(x):\n" + "    x = x + 1\n" * 5000, 5000),
        ("def mend_mean(x):\n    return x" + ".T" * 3000, 1),
        ("def mend_mean(x):\n    return " + "+".join("x" * 3000), 1),
    ],
    ids=["long", "deep", "deeper"],
)
def test_code_that_is_long_or_deep_is_counted_in_bounds(cell, least):
    number = count(cell)
    assert number is None or number >= least
    found = changes.changes(CHECKS[0], CHECKS, [GIVEN], [cell])
    assert found is None or len(found.shown) <= changes.MOST_QUOTED + 1


PASSED = Verdict(Status.PASSED, "Right.", 1.0)


def verdict_on(*cells, verdict=PASSED, mend=CHECKS[0].mend):
    return capped(verdict, mend, changes.changes(CHECKS[0], CHECKS, [GIVEN], cells))


def test_a_mend_within_the_cap_keeps_its_verdict():
    assert verdict_on(RIGHT) is PASSED
    assert verdict_on("def mend_mean(x, mask):\n    return x[mask].mean()") is PASSED  # four


def test_beyond_the_cap_no_points_are_given_and_the_lines_are_told():
    text = RIGHT.replace("total", "s").replace("    for", "    print(1)\n    print(2)\n    for")
    verdict = verdict_on(text)
    assert (verdict.status, verdict.credit) == (Status.FORBIDDEN, 0)
    assert verdict.misconception == TOO_MANY
    assert "5 lines differ from the code that was given, and at most 4 may: " in verdict.message
    assert "line 3: s = 0.0; line 4: print(1); line 5: print(2); line 7: s = " in verdict.message
    left_out = verdict_on("mend_mean = lambda x, mask: x[mask].mean()").message
    assert "5 lines differ" in left_out and "left out: total = 0.0" in left_out
    assert "No points are given" in left_out and "layout do not count" in left_out


def test_the_set_says_which_share_is_left():
    verdict = verdict_on(
        "mend_mean = lambda x, m: x[m].mean()", mend=Mend(4, "sick_mean", credit=0.25)
    )
    assert verdict.credit == 0.25 and "25 % of the points are given" in verdict.message


def test_what_is_wrong_stays_wrong_and_loses_the_share_that_it_had():
    half = Verdict(Status.WRONG, "y is wrong. x is right.", 0.5, misconception="a", uncharged=0.5)
    verdict = verdict_on("mend_mean = lambda x, m: x[m].mean()", verdict=half)
    assert (verdict.status, verdict.credit, verdict.uncharged) == (Status.WRONG, 0, 0)
    assert verdict.misconception == "a" and verdict.message.startswith("y is wrong. x is right. 5")
    nothing = Verdict(Status.ERROR, "It stops.")
    assert verdict_on("mend_mean = 1", verdict=nothing) is nothing


def test_a_function_whose_text_is_nowhere_earns_nothing():
    verdict = verdict_on("exec('def mend_mean(x, mask): return x[mask].mean()')")
    assert verdict.credit == 0 and "Write it into a cell with def." in verdict.message


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"most": 0}, "most must be at least 1"), ({"most": 3, "credit": 1.0}, "from 0 to below 1")],
)
def test_a_cap_that_cannot_be_one_is_refused(wrong, said):
    with pytest.raises(ValueError, match=said):
        Mend(**wrong)


CALLED = """
def scaled(x):
    return halved(x) * 2.0

def halved(x):
    return x / 2.0

def sick_mean(x, mask):
    return scaled(x).mean()
"""


def test_what_the_given_code_calls_counts_only_where_it_was_changed():
    right = CALLED.replace("sick", "mend").replace("scaled(x).mean()", "scaled(x * mask).sum()")
    assert count(right, given=(CALLED,)) == 1
    assert count(right.replace("x / 2.0", "x / 2.0 + mend(x)"), given=(CALLED,)) == 3
    # a function that is given and not called by the sick one is more than a mend
    more = right.replace("scaled(x * mask)", "scaled(healthy(x, mask))")
    healthy = "def healthy(x, mask):\n    return x * mask\n"
    assert count(healthy, more, given=(healthy, CALLED)) == 3


LONG_WAY = """
def long_way(x, mask):
    total, number = 0.0, 0
    for value, there in zip(x, mask):
        if there:
            total += value
            number += 1
    mean = total / number
    return mean
"""


def test_code_in_a_module_that_a_cell_writes_counts():
    dotted = "import own\ndef mend_mean(x, mask):\n    return own.long_way(x, mask)"
    by_name = "from own import long_way\ndef mend_mean(x, mask):\n    return long_way(x, mask)"
    assert count(dotted) == count(by_name) == 4
    for text in (dotted, by_name):
        assert count(text, written=(LONG_WAY,)) == 9
        assert count(text, written=("def other(x): return x",)) == 4


def test_code_in_a_text_that_is_run_counts_and_a_remark_does_not():
    run = 'def mend_mean(x, mask):\n    """The mean\n    of some."""\n    return run({}, x, mask)'
    text = f'"""{LONG_WAY}"""'
    assert count(run.format("'c'")) == 4
    assert count(run.format(text)) == 10
    assert count(f"CODE = {text}", run.format("CODE")) == 11
    assert count(f"space = {{}}\nexec({text}, space)", run.format("space['x']")) == 12
    assert count(f"other = {{}}\nexec({text}, other)", run.format("'c'")) == 4
    assert count(f"{run.format(0)}\n    {text}") == 4
