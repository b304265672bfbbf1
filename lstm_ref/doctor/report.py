"""A finding, and the report that ranks findings and puts consequences under their causes."""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from lstm_ref.doctor.catalogue import CATALOGUE, CERTAINTIES, MEANING
from lstm_ref.errors import ArgumentError

MOST_SHOWN = 3


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Parameters
    ----------
    id : its entry in the catalogue
    certainty : "proof", "contract", "strong" or "remark"
    what : a sentence with the number, what was allowed, and the place
    value : the number
    threshold : what was allowed
    where : parameter, layer, leaf or step
    cause : what usually does this
    fix : what to do
    chapter : page of the course
    consequences : findings that this one explains
    """

    id: str
    certainty: str
    what: str
    value: float
    threshold: float
    where: str
    cause: str
    fix: str
    chapter: str
    consequences: tuple[Finding, ...] = ()

    @property
    def family(self) -> str:
        """Family of its examination."""
        return CATALOGUE[self.id].family

    @property
    def page(self) -> str:
        """File of the page of the course that explains it."""
        return CATALOGUE[self.id].page

    @property
    def because(self) -> str:
        """The cause; said to be likely where the measurement leaves room for another one."""
        known = self.certainty == "proof" or self.cause.startswith("Not recognised")
        return f"{'Cause' if known else 'Likely cause'}: {self.cause}"

    def __str__(self) -> str:
        lines = [
            f"[{self.certainty}] {self.id}",
            f"  {self.what}",
            f"  {self.because}",
            f"  Mend: {self.fix}",
        ]
        lines.append(f"  Read: {self.page}")
        lines += [f"  Follows from it: {one.id}. {one.what}" for one in self.consequences]
        return "\n".join(_wrapped(line) for line in lines)


def _wrapped(line: str) -> str:
    indent = " " * (len(line) - len(line.lstrip()))
    return textwrap.fill(line.strip(), 98, initial_indent=indent, subsequent_indent=indent + "  ")


def found(
    id: str,
    value: float,
    *,
    threshold: float = 0.0,
    where: str = "",
    certainty: str | None = None,
    **more: Any,
) -> Finding:
    """Finding of the catalogue with its sentence filled.

    Parameters
    ----------
    id : entry of the catalogue
    value, threshold, where : see `Finding`
    certainty : weaker than the catalogue's, where this measurement is
    more : what else the sentence names
    """
    entry = CATALOGUE[id]
    fields = {"value": value, "threshold": threshold, "where": where, **more}
    what = entry.what.format(**fields)
    fix = entry.fix.format(**fields)
    return Finding(
        id,
        certainty or entry.certainty,
        what,
        value,
        threshold,
        where,
        entry.cause,
        fix,
        entry.chapter,
    )


@dataclass(frozen=True)
class NotExamined:
    """An examination that was not made, and what would open it."""

    name: str
    why: str

    def __str__(self) -> str:
        return f"{self.name} ({self.why})"


@dataclass(frozen=True)
class Report:
    """What `examine` found; iterates its findings, the likeliest cause first.

    Parameters
    ----------
    findings : causes, ranked; what they explain is in their ``consequences``
    ran : names of the examinations that ran
    not_examined : those that did not, with the reason or the argument that would open them
    framework : "torch", "keras" or "numpy"
    seconds : how long it took
    notes : facts about the program, such as which axis it takes as time
    pictures : series for the page: reach by step, gradient by lag, gates
    """

    findings: tuple[Finding, ...]
    ran: tuple[str, ...] = ()
    not_examined: tuple[NotExamined, ...] = ()
    framework: str = ""
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    pictures: Mapping[str, Any] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    def __bool__(self) -> bool:
        """Whether anything above a remark was found."""
        return any(one.certainty != "remark" for one in self.findings)

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of the findings in their order."""
        return tuple(one.id for one in self.findings)

    def __str__(self) -> str:
        return "\n".join([*self._found_lines(), *self._rest_lines()])

    def __repr__(self) -> str:
        return str(self)

    @property
    def legend(self) -> str:
        """What the words for certainty mean that stand in this report."""
        used = {one.certainty for one in self.findings}
        return "; ".join(f"[{word}] {MEANING[word]}" for word in CERTAINTIES if word in used) + "."

    @property
    def left_out(self) -> tuple[str, ...]:
        """What was not examined, in one phrase for each reason."""
        names: dict[str, list[str]] = {}
        for one in self.not_examined:
            names.setdefault(one.why, []).append(one.name)
        return tuple(f"{', '.join(some)} ({why})" for why, some in names.items())

    def _found_lines(self) -> list[str]:
        if not self.findings:
            return [
                _wrapped(
                    f"{len(self.ran)} examinations ran, none found anything "
                    f"({', '.join(self.ran)})."
                )
            ]
        lines = [str(one) for one in self.findings[:MOST_SHOWN]]
        if more := self.findings[MOST_SHOWN:]:
            lines.append(_wrapped("Further: " + ", ".join(one.id for one in more) + "."))
        return [*lines, _wrapped(self.legend)]

    def _rest_lines(self) -> list[str]:
        lines = [_wrapped(note) for note in self.notes]
        if self.not_examined:
            lines.append(_wrapped("Not examined: " + "; ".join(self.left_out) + "."))
        if not self.findings:
            lines.append("One batch cannot show whether its labels are right.")
        return lines

    def to_json(self) -> str:
        """The report as JSON text; NaN and infinity as strings."""
        record = {
            "framework": self.framework,
            "seconds": round(self.seconds, 3),
            "findings": [asdict(one) | {"page": one.page} for one in self.findings],
            "ran": list(self.ran),
            "not_examined": [asdict(one) for one in self.not_examined],
            "notes": list(self.notes),
        }
        return json.dumps(_plain(record), indent=2, allow_nan=False)

    def raise_for(self, certainty: str = "proof") -> None:
        """Raise where a finding is at least this certain; for a reader's own tests.

        Raises
        ------
        AssertionError : with the findings
        """
        allowed = CERTAINTIES[: _rank(certainty) + 1]
        if worst := [one for one in self.findings if one.certainty in allowed]:
            raise AssertionError("\n".join(map(str, worst)))

    def compare(self, before: Report) -> str:
        """What is gone, what is new and what stayed since a report of the same program before a
        mend.
        """
        mine, theirs = _all_ids(self.findings), _all_ids(before.findings)
        parts = {
            "gone": [id for id in theirs if id not in mine],
            "new": [id for id in mine if id not in theirs],
            "still there": [id for id in mine if id in theirs],
        }
        return "\n".join(
            f"{name}: {', '.join(ids) if ids else 'nothing'}" for name, ids in parts.items()
        )

    def _repr_html_(self) -> str:
        from lstm_ref.doctor.html import page

        return str(page(self))


def _all_ids(findings: Iterable[Finding]) -> list[str]:
    return [id for one in findings for id in (one.id, *(_all_ids(one.consequences)))]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if isinstance(value, str | int | float | bool | None) else float(value)


def _rank(certainty: str) -> int:
    if certainty not in CERTAINTIES:
        raise ArgumentError(f"certainty must be one of {', '.join(CERTAINTIES)}, got {certainty!r}")
    return CERTAINTIES.index(certainty)


def ranked(
    findings: Iterable[Finding], explains: Mapping[str, frozenset[str]]
) -> tuple[Finding, ...]:
    """Causes by certainty and by how far up they stand, with the findings that they explain under
    them.

    Parameters
    ----------
    findings : as the examinations gave them
    explains : id -> ids that follow from it; its order is the order of causes of one certainty, and
        a cause explains only what stands behind it or is less certain
    """
    order = {id: place for place, id in enumerate(explains)}
    unique = {one.id: one for one in reversed(list(findings))}

    def place(one: Finding) -> tuple[int, int]:
        return _rank(one.certainty), order.get(one.id, len(order))

    def explained(one: Finding) -> list[Finding]:
        above = [c for c in unique.values() if one.id in explains.get(c.id, ())]
        mutual = [c for c in above if c.id in explains.get(one.id, ())]
        return [c for c in above if c not in mutual or place(c) < place(one)]

    roots = sorted((one for one in unique.values() if not explained(one)), key=place)
    under: dict[str, list[Finding]] = {one.id: [] for one in roots}
    for one in sorted(unique.values(), key=place):
        if one.id not in under:
            under[_root(one, explained, under)].append(one)
    return tuple(replace(one, consequences=tuple(under[one.id])) for one in roots)


def _root(
    one: Finding, explained: Callable[[Finding], list[Finding]], roots: Mapping[str, Any]
) -> str:
    """Follow the causes up to one that nothing explains."""
    while one.id not in roots:
        above = explained(one)
        one = next((cause for cause in above if cause.id in roots), above[0])
    return one.id
