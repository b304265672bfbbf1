"""Pictures of a report of sequence.py, for a light and for a dark page, beside it; by hand: python
plot.py REPORT.json.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from lstm_ref.inspect.figure import figure

# Shapes tell sizes and libraries apart as well: colour is never the only carrier.
MARKERS = ("o", "s", "^", "D")
COLOURS = ("f", "c", "i", "g")  # of the course's palette
LINES = {"in-place": ("lstm_ref", "f", "o"), "PyTorch": ("PyTorch", "c", "s")}


def plot(report: dict[str, Any], path: Path) -> list[Path]:
    """Write NAME-times-MODE.svg and NAME-growth-MODE.svg beside the report, and say where."""
    written = []
    drawings = {"times": _times(report)} if report["results"] else {}
    drawings |= {"growth": _growth(report)} if len(report["growth"]) == 2 else {}
    for kind, drawing in drawings.items():
        for mode, svg in drawing.svg.items():
            picture = path.with_name(f"{path.stem}-{kind}-{mode}.svg")
            picture.write_text("\n".join(line.rstrip() for line in svg.splitlines()) + "\n")
            written.append(picture)
    return written


def _times(report: dict[str, Any]) -> Any:
    results = report["results"]
    names = [name for name in results[0]["of PyTorch"] if name != "PyTorch"]

    def draw(ax: Any, palette: Any) -> None:
        ax.axvline(1, color=palette.muted, linewidth=1.2)
        for result, marker, colour in zip(results, MARKERS, COLOURS, strict=False):
            ax.plot(
                [result["of PyTorch"][name] for name in names],
                range(len(names)),
                marker,
                color=palette.colours[colour],
                label=", ".join(map(str, result["N, T, D, H"])),
            )
        ax.set_xscale("log")
        ax.set_yticks(
            range(len(names)),
            ["in-place (lstm_ref)" if name == "in-place" else name for name in names],
        )
        ax.invert_yaxis()
        ax.xaxis.set_major_formatter("{x:g}")
        ax.set_xlabel("time, as a multiple of PyTorch's")
        ax.legend(title="N, T, D, H")

    worst = max(result["of PyTorch"]["in-place"] for result in results)
    best = min(result["of PyTorch"]["in-place"] for result in results)
    alt = (
        f"Time of each contender as a multiple of PyTorch's, for {len(results)} sizes, on a "
        f"logarithmic axis: lstm_ref takes {best:.2f} to {worst:.2f} times as long as PyTorch."
    )
    return figure(draw, alt, size=(6.4, 4.2))


def _growth(report: dict[str, Any]) -> Any:
    def draw(axes: Any, palette: Any) -> None:
        for column, (along, points) in enumerate(report["growth"].items()):
            for name, (label, colour, marker) in LINES.items():
                for row, (what, unit) in enumerate((("seconds", 1e-3), ("peak bytes", 1e6))):
                    values = [point[what][name] for point in points]
                    if None not in values:
                        axes[row][column].plot(
                            [point[along] for point in points],
                            [value / unit for value in values],
                            marker=marker,
                            color=palette.colours[colour],
                            label=label,
                        )
            for row, label in enumerate(("time, ms", "peak memory, MB")):
                axes[row][column].set_xscale("log", base=2)
                axes[row][column].set_yscale("log", base=2)
                axes[row][column].xaxis.set_major_formatter("{x:g}")
                axes[row][column].yaxis.set_major_formatter("{x:g}")
                if not column:
                    axes[row][column].set_ylabel(label)
            axes[1][column].set_xlabel(along)
        axes[0][0].legend()

    alt = (
        "Time and memory of lstm_ref and of PyTorch as T or H grows from N, T, D, H = 32, 100, "
        f"64, 128: {_slopes(report)}."
    )
    return figure(draw, alt, size=(8.4, 5.2), rows=2, columns=2)


def _slopes(report: dict[str, Any]) -> str:
    """By what factor lstm_ref's time grows when a size doubles, on average over the range."""
    said = []
    for along, points in report["growth"].items():
        first, last = points[0], points[-1]
        doublings = max(1, (last[along] // first[along]).bit_length() - 1)
        factor = (last["seconds"]["in-place"] / first["seconds"]["in-place"]) ** (1 / doublings)
        said.append(f"when {along} doubles, lstm_ref takes {factor:.1f} times as long")
    return "; ".join(said)


if __name__ == "__main__":
    report = Path(sys.argv[1])
    print(*plot(json.loads(report.read_text()), report), sep="\n")
