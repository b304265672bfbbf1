"""Reading times of the book's pages, by a model of counted words, code and tasks; printed where the
pages promise them.

    python scripts/reading_time.py            # a table of all pages
    python scripts/reading_time.py --write  # put the times into the pages and the start page's map

Counted is what a reader sees on the core path: not what is folded (answers, code that only draws or
checks, sections that may be skipped), not the sources, and of tabs one.
The model, in RATES below, is a guess that errs on the careful side: 200 words a minute for
technical prose, four seconds for a line of code.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import NamedTuple

import yaml

ROOT = Path(__file__).parents[1]
OPTIONAL = "*This section may be skipped at first.*"
RATES = {  # minutes for one
    "words": 1 / 200,
    "code lines": 4 / 60,
    "formulas": 25 / 60,
    "figures": 0.5,
    "predictions": 1.0,
    "widgets": 4.0,
    "questions": 2.0,
    "exercises": 5.0,
}
TO_READ = ("words", "code lines", "formulas", "figures")
WIDGETS = (
    "AttentionMap|BeTheGate|Clinic|CurveDoctor|ForgetSlider|GateExplorer|BackwardStepper|"
    "GradientLens|OriginSlider|PruningSlider|SearchRace|SequenceInspector|SliceExplorer"
)
CELL = re.compile(r"^```\{code-cell\}[^\n]*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
EXERCISE = re.compile(r"raise NotImplementedError.*?^check\(\"", re.DOTALL | re.MULTILINE)
READ_TAB = "pytorch"  # the other tabs say the same in another library
TABS = re.compile(r"^:tags: \[tab-(\w+)\]$", re.MULTILINE)
PROMISE = re.compile(r"It takes about [^.\n]*? minutes[^.\n]*\.")
IN_MAP = re.compile(r"^(\| \{doc\}`/(book/[a-z/-]+)` \| .* \| )[^|]*( \|)$", re.MULTILINE)


class Count(NamedTuple):
    """What a page asks of its reader."""

    counts: dict[str, int]

    @property
    def minutes(self) -> float:
        """Minutes for words, code, formulas and figures."""
        return sum(RATES[name] * self.counts[name] for name in TO_READ)

    @property
    def to_read(self) -> int:
        """The same, to the next five."""
        return _fives(self.minutes)

    @property
    def to_do(self) -> int:
        """Minutes for predictions, widgets and questions, to the next five."""
        return _fives(
            sum(RATES[name] * n for name, n in self.counts.items() if name not in TO_READ)
        )

    @property
    def promise(self) -> str:
        """The sentence of the page."""
        return (
            f"It takes about {self.to_read} minutes to read, and {self.to_do} to predict and try."
        )


def _fives(minutes: float) -> int:
    return max(5, 5 * round(minutes / 5))


def core(source: str) -> str:
    """Page without front matter, folded answers, sections that may be skipped, and sources."""
    text = re.sub(r"\A---\n.*?\n---\n", "", source, count=1, flags=re.DOTALL)
    text = re.split(r"^## Sources$", text, flags=re.MULTILINE)[0]
    text = re.sub(
        r"^:::\{admonition\}[^\n]*\n:class: [a-z ]*dropdown\n.*?^:::$",
        "",
        text,
        flags=re.DOTALL | re.MULTILINE,
    )
    for heading in re.findall(rf"^(#+ [^\n]*)\n\n{re.escape(OPTIONAL)}$", text, flags=re.MULTILINE):
        level = len(heading.split(" ")[0])
        text = re.sub(
            rf"^{re.escape(heading)}$.*?(?=^#{{1,{level}}} |\Z)",
            "",
            text,
            count=1,
            flags=re.DOTALL | re.MULTILINE,
        )
    return text


def words(text: str) -> int:
    """Words of the prose: no code, no displayed formula; a formula in a line is one word."""
    text = re.sub(r"^```.*?^```$", "", CELL.sub("", text), flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"\$\$.*?\$\$(?: \([^)]*\))?", "", text, flags=re.DOTALL)
    text = re.sub(r"\{[a-z:]+\}`[^`]*`", " x ", re.sub(r"\$[^$\n]*\$", " x ", text))
    return len(re.findall(r"[A-Za-z][\w'’-]*", text))


def _is_read(cell: str) -> bool:
    """Whether a cell's code is on the core path: not folded, not in the tab of another library, and
    not there to be written by the reader.
    """
    folded = re.search(r"hide-(input|cell)|^check\(\"", cell, re.MULTILINE)
    tab = TABS.search(cell)
    return not (folded or (tab and tab[1] != READ_TAB))


def count(source: str) -> Count:
    """Count a page given as its source."""
    text = core(source)
    cells = CELL.findall(text)
    at_the_end = re.split(r"^## (?:\w+ q|Q)uestions$", text, flags=re.MULTILINE)[-1]
    shown = [cell for cell in cells if _is_read(cell)]
    return Count(
        {
            "words": words(text),
            "code lines": sum(
                bool(line.strip()) and not line.startswith((":", "#"))
                for c in shown
                for line in c.splitlines()
            ),
            "formulas": len(re.findall(r"\$\$ \(", text)),
            "figures": len(
                re.findall(
                    r"^(?:figure|cell_diagram|cell_chain|flow_diagram|gru_diagram)\(",
                    text,
                    re.MULTILINE,
                )
            ),
            "predictions": text.count("{admonition} Predict"),
            "widgets": len(re.findall(rf"^(?:{WIDGETS})\(", text, re.MULTILINE)),
            "exercises": sum(bool(EXERCISE.search(cell)) for cell in cells),
            "questions": len(re.findall(r"^## Choose one$", text, re.MULTILINE))
            + len(re.findall(r"^\*\*\d\.", at_the_end, re.MULTILINE)),
        }
    )


def pages() -> list[str]:
    """Numbered pages of the table of contents, in order."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    return [
        chapter["file"]
        for part in toc["parts"]
        if part.get("numbered")
        for chapter in part["chapters"]
    ]


def source_of(page: str) -> str:
    """Source of a page of the table of contents."""
    return (ROOT / f"{page}.md").read_text(encoding="utf-8")


def with_times(source: str, times: dict[str, Count], page: str | None = None) -> str:
    """Source of a page with the promise of that page, and of each row of a map that names a counted
    page.
    """
    if page in times:
        source = PROMISE.sub(times[page].promise, source, count=1)
    return IN_MAP.sub(
        lambda row: (
            f"{row[1]}{times[row[2]].to_read} + {times[row[2]].to_do} min{row[3]}"
            if row[2] in times
            else row[0]
        ),
        source,
    )


def main() -> None:
    """Print the table; with --write, put the times where they are promised."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--write", action="store_true", help="put the times into the pages and the map"
    )
    write = parser.parse_args().write
    times = {page: count(source_of(page)) for page in pages()}
    print(f"{'page':26s}{'read':>5s}{'do':>5s}  " + "".join(f"{name:>13s}" for name in RATES))
    for page, time in times.items():
        print(
            f"{page:26s}{time.to_read:5d}{time.to_do:5d}  "
            + "".join(f"{n:13d}" for n in time.counts.values())
        )
    if write:
        for page in (*times, "book/start"):
            (ROOT / f"{page}.md").write_text(
                with_times(source_of(page), times, page), encoding="utf-8"
            )


if __name__ == "__main__":
    main()
