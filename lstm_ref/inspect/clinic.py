"""The clinic: sick programs as cases, with stored measurements that the reader orders, each with
its cost.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from traitlets import Dict, TraitError, validate

from lstm_ref.errors import ArgumentError
from lstm_ref.inspect.widget import Widget, module, style

RECORD_PARTS = ("cases", "diagnoses", "measurements")


class Clinic(Widget):
    """Cases: a complaint, measurements to be ordered at a cost, a diagnosis to be chosen, and then
    the answer.

    Parameters
    ----------
    record : what `benchmarks/clinic.py` has stored: cases, measurements and diagnoses
    ordered : case -> ids of the measurements that were ordered
    decided : case -> id of the diagnosis

    Raises
    ------
    ArgumentError : a record without one of its parts
    TraitError : a case, a measurement or a diagnosis that the record does not have

    Examples
    --------
    >>> record = {
    ...     "cases": [{"id": "a", "answer": "leak", "costs": {"split": 1}, "expert": ["split"]}],
    ...     "measurements": {"split": {}},
    ...     "diagnoses": {"leak": "A leak."},
    ... }
    >>> clinic = Clinic(record, ordered={"a": ["split"]}, decided={"a": "leak"})
    >>> clinic.score()
    {'a': (1, True)}
    """

    name = "clinic"
    fallback = (
        "The clinic shows sick programs as cases, with measurements to be ordered. It needs "
        "JavaScript. The same cases can be examined in a notebook: from lstm_ref.clinic import "
        "Patient."
    )
    _esm = module(name)
    _css = style(name)

    record = Dict().tag(sync=True)
    ordered = Dict().tag(sync=True)
    decided = Dict().tag(sync=True)

    def __init__(
        self,
        record: Mapping[str, Any],
        *,
        ordered: Mapping[str, list[str]] | None = None,
        decided: Mapping[str, str] | None = None,
    ) -> None:
        missing = [part for part in RECORD_PARTS if not record.get(part)]
        if missing:
            raise ArgumentError(
                f"Clinic: the record has no {', '.join(missing)}; give what benchmarks/clinic.py "
                "has stored"
            )
        kept = {part: record[part] for part in RECORD_PARTS}
        super().__init__(record=kept, ordered=dict(ordered or {}), decided=dict(decided or {}))

    @property
    def _cases(self) -> dict[str, Any]:
        return {case["id"]: case for case in self.record["cases"]}

    @validate("ordered")  # type: ignore[untyped-decorator]  # traitlets is read without its types
    def _known_measurements(self, proposal: dict[str, Any]) -> dict[str, list[str]]:
        ordered: dict[str, list[str]] = proposal["value"]
        for case, ids in ordered.items():
            costs = self._case(case)["costs"]
            unknown = [id for id in ids if id not in costs]
            if unknown:
                raise TraitError(f"Clinic: there is no measurement {unknown[0]} of {case}")
        return ordered

    @validate("decided")  # type: ignore[untyped-decorator]
    def _known_diagnoses(self, proposal: dict[str, Any]) -> dict[str, str]:
        decided: dict[str, str] = proposal["value"]
        for case, diagnosis in decided.items():
            self._case(case)
            if diagnosis not in self.record["diagnoses"]:
                raise TraitError(f"Clinic: there is no diagnosis {diagnosis}")
        return decided

    def _case(self, id: str) -> dict[str, Any]:
        if id not in self._cases:
            raise TraitError(f"Clinic: there is no case {id}; there are {', '.join(self._cases)}")
        case: dict[str, Any] = self._cases[id]
        return case

    def score(self) -> dict[str, tuple[int, bool]]:
        """For each decided case, what its measurements cost in passes, and whether the diagnosis
        was right.
        """
        rows = {}
        for id, diagnosis in self.decided.items():
            case = self._case(id)
            cost = sum(case["costs"][one] for one in self.ordered.get(id, ()))
            rows[id] = (cost, diagnosis == case["answer"])
        return rows
