"""Reading times are those that the script counts, and nothing is used before the page that defines
it.
"""

import re
from pathlib import Path

import pytest

from autograder.modules import load_module

ROOT = Path(__file__).parents[2]
reading_time = load_module("reading_time", ROOT / "scripts" / "reading_time.py")

PAGES = reading_time.pages()
TIMES = {page: reading_time.count(reading_time.source_of(page)) for page in PAGES}
PART_ONE = [page for page in PAGES if page.startswith("book/one/")]
PART_TWO = [page for page in PAGES if page.startswith("book/two/")]
# The pages whose promise the script has written; the others follow.
PROMISED = [
    page
    for page in PAGES
    if re.search(r"takes about \d+ minutes to read", reading_time.source_of(page))
]

PAGE = """---
front: matter, not prose
---

# Title

Three words here. It takes about 99 minutes. A formula $a + b$ counts one.

```{code-cell} ipython3
# a remark
one = 1

two = 2
```

```{code-cell} ipython3
:tags: [hide-input]

figure(draw)
```

$$
a = b
$$ (eq-x)

:::{admonition} Predict
:class: tip
Guess.
:::

:::{admonition} Answer
:class: dropdown
Not counted at all.
:::

## Aside

*This section may be skipped at first.*

Nor this.

### Deeper

Nor this.

## Three questions

**1.** Why?

```{code-cell} ipython3
:tags: [tab-pytorch]

two = 2
```

```{code-cell} ipython3
:tags: [tab-keras]

also = 2
again = 2
```

```{code-cell} ipython3
def own():
    raise NotImplementedError

check("own")
```

## Sources

Not counted.
"""


def test_what_a_reader_sees_is_counted_and_nothing_that_is_folded():
    counts = reading_time.count(PAGE).counts
    assert counts["code lines"] == 3 and counts["figures"] == 1 and counts["formulas"] == 1
    assert counts["predictions"] == 1 and counts["questions"] == 1 and counts["widgets"] == 0
    assert counts["exercises"] == 1
    assert counts["words"] == len(
        "Title Three words here It takes about minutes A formula x counts one admonition "
        "Predict class tip Guess Three questions Why".split()
    )


def test_a_promise_and_the_rows_of_a_map_are_written():
    times = {"book/one/rnn": reading_time.Count(dict.fromkeys(reading_time.RATES, 12))}
    written = reading_time.with_times("It takes about 99 minutes. More.", times, "book/one/rnn")
    assert written == f"{times['book/one/rnn'].promise} More." and "99" not in written
    row = reading_time.with_times("| {doc}`/book/one/rnn` | What? | 1 min |", times)
    assert row == (
        f"| {{doc}}`/book/one/rnn` | What? | {times['book/one/rnn'].to_read} + "
        f"{times['book/one/rnn'].to_do} min |"
    )


@pytest.mark.parametrize("page", [*PROMISED, "book/start"])
def test_pages_promise_what_is_counted(page):
    source, times = reading_time.source_of(page), {page: TIMES[page] for page in PROMISED}
    assert reading_time.with_times(source, times, page) == source, (
        "run scripts/reading_time.py --write"
    )


@pytest.mark.parametrize("page", [p for p in PAGES if not p.startswith("book/four/")])
def test_a_core_path_takes_20_minutes_at_most(page):
    assert TIMES[page].minutes <= 20


def test_all_pages_of_part_one_promise_a_time():
    assert set(PART_ONE) <= set(PROMISED) and len(PART_ONE) == 10


def test_the_cell_comes_after_3000_words_at_most():
    before = PART_ONE[: PART_ONE.index("book/one/lstm-cell")]
    assert sum(TIMES[page].counts["words"] for page in before) <= 3000


def test_no_page_cites_a_formula_of_a_later_page():
    seen: set[str] = set()
    for page in PAGES:
        source = reading_time.source_of(page)
        seen |= set(re.findall(r"\$\$ \((eq-[a-z0-9-]+)\)", source))
        cited = set(re.findall(r"\{eq\}`(eq-[a-z0-9-]+)`", source))
        assert cited <= seen, f"{page} cites {sorted(cited - seen)}, which come later"


@pytest.mark.parametrize("page", [*PART_ONE, *PART_TWO])
def test_a_visible_cell_has_25_lines_at_most(page):
    cells = reading_time.CELL.finditer(reading_time.source_of(page))
    shown = [cell[1] for cell in cells if not re.search(r"hide-(input|cell)", cell[1])]
    long = {
        cell.splitlines()[0]: n
        for cell in shown
        if (n := sum(bool(line.strip()) for line in cell.splitlines())) > 25
    }
    assert long == {}


def test_questions_are_counted_where_they_are_asked():
    page = (
        "**1. A step.** Not a question.\n\n## Choose one\n\nWhich?\n\n"
        "## Four questions\n\n**1. Write five lines.** Do.\n\n**2.** Why?\n"
    )
    assert reading_time.count(page).counts["questions"] == 3
    assert reading_time.count(page.replace("Four q", "Q")).counts["questions"] == 3
