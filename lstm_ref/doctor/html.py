"""The report as a piece of HTML for a notebook: no script, no address outside, readable in light
and in dark.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lstm_ref.doctor.report import Finding, Report

# Colours follow the notebook's own text and background, so that they have its contrast in light and
# in dark.
_STYLE = (
    "<style>.lstm-doctor{{font:inherit;max-width:46rem}}.lstm-doctor section{{border-left:.25rem "
    "solid currentColor;"
    "padding:.1rem .8rem;margin:.8rem 0}}.lstm-doctor p{{margin:.3rem 0}}.lstm-doctor "
    "table{{border-collapse:collapse}}"
    ".lstm-doctor td,.lstm-doctor th{{padding:.1rem .6rem;text-align:right}}</style>"
).format()
MOST_SHOWN = 3


def page(report: Report) -> str:
    """The report as HTML."""
    shown = [_finding(one) for one in report.findings[:MOST_SHOWN]]
    more = report.findings[MOST_SHOWN:]
    if more:
        shown.append(_fold(f"{len(more)} more", "".join(map(_finding, more))))
    if not shown:
        shown = [_paragraph(f"{len(report.ran)} examinations ran, none found anything.")]
    if report.findings:
        shown.append(_paragraph(report.legend))
    tables = [_series(title, rows) for title, rows in _pictures(report)]
    return f'{_STYLE}<div class="lstm-doctor">{"".join([*shown, *tables, _rest(report)])}</div>'


def _finding(one: Finding) -> str:
    parts = [
        f"<p><strong>{escape(one.id)}</strong> ({escape(one.certainty)})</p>",
        _paragraph(one.what),
        _paragraph(one.because),
        _paragraph(f"Mend: {one.fix}"),
        _paragraph(f"Read: {one.page}"),
    ]
    if one.consequences:
        parts.append(
            _fold(
                "What follows from it",
                "".join(_paragraph(f"{c.id}: {c.what}") for c in one.consequences),
            )
        )
    return f"<section>{''.join(parts)}</section>"


def _paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def _fold(title: str, inner: str) -> str:
    return f"<details><summary>{escape(title)}</summary>{inner}</details>"


def _rest(report: Report) -> str:
    ran = _fold(f"{len(report.ran)} examinations ran", _paragraph(", ".join(report.ran)))
    left = "".join(map(_paragraph, report.left_out))
    return ran + (_fold(f"{len(report.not_examined)} not examined", left) if left else "")


def _pictures(report: Report) -> list[tuple[str, list[tuple[int, float]]]]:
    """Series by time step that the report holds, as (step, value)."""
    found = []
    for name, (steps, effects, *_) in report.pictures.get("reach", {}).items():
        found.append(
            (
                f"Effect of each step of {name} on the outputs",
                list(zip(steps, effects, strict=True)),
            )
        )
    for name, (steps, _, gradients) in report.pictures.get("lags", {}).items():
        found.append((f"Gradient at each step of {name}", list(zip(steps, gradients, strict=True))))
    return found


def _series(title: str, rows: Sequence[tuple[int, float]]) -> str:
    """Bars on a logarithmic scale, with the numbers as a table beside them for those who do not see
    bars.
    """
    largest = max((value for _, value in rows), default=0.0)
    if largest <= 0:
        return ""
    cells = "".join(
        (
            f"<tr><th scope='row'>{step}</th><td>{value:.1e}</td><td "
            f"style='text-align:left'>{_bar(value / largest)}</td></tr>"
        )
        for step, value in rows
    )
    head = (
        "<tr><th scope='col'>step</th><th scope='col'>size</th><th scope='col'>share, log</th></tr>"
    )
    return _fold(title, f"<table>{head}{cells}</table>")


def _bar(share: float) -> str:
    """Ten blocks for the largest, one less for each factor of ten."""
    blocks = 0
    while share > 0 and blocks < 10 and share >= 10.0 ** -(10 - blocks):
        blocks += 1
    return "\u2588" * blocks
