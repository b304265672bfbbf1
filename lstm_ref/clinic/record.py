"""The cases as the widget wants them: words from the program, numbers from the file that
`benchmarks/clinic.py` writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lstm_ref.clinic.cases import CASES, DIAGNOSES, ClinicCase
from lstm_ref.clinic.measurements import MEASUREMENTS
from lstm_ref.errors import ArgumentError

FRAMEWORKS = {"torch": "PyTorch", "keras": "Keras", "numpy": "NumPy"}


def record(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Cases, measurements and diagnoses for `lstm_ref.inspect.Clinic`.

    Parameters
    ----------
    stored : what `benchmarks/clinic.py` has written

    Raises
    ------
    ArgumentError : a case or a measurement that has no numbers in the file
    """
    missing = [case.id for case in CASES if case.id not in stored.get("cases", {})]
    if missing:
        raise ArgumentError(
            f"record: no numbers of {', '.join(missing)}; run python -m benchmarks.clinic"
        )
    return {
        "cases": [_case(case, stored["cases"][case.id]) for case in CASES],
        "measurements": {
            each.id: {"title": each.title, "normal": each.normal} for each in MEASUREMENTS
        },
        "diagnoses": dict(DIAGNOSES),
    }


def _case(case: ClinicCase, numbers: Mapping[str, Any]) -> dict[str, Any]:
    program = case.program
    missing = [each.id for each in MEASUREMENTS if each.id not in numbers["measured"]]
    if missing:
        raise ArgumentError(
            f"record: {case.id} has no numbers of {', '.join(missing)}; run python -m "
            "benchmarks.clinic"
        )
    return {
        "id": case.id,
        "framework": FRAMEWORKS[program.framework],
        "complaint": case.complaint,
        "answer": case.diagnosis,
        "expert": list(case.expert),
        "title": program.title,
        "cause": program.cause,
        "mend": program.fix,
        "changes": [[change.right, change.wrong] for change in program.changes],
        "costs": {each.id: each.passes(*numbers["sizes"]) for each in MEASUREMENTS},
        **{name: numbers[name] for name in ("sees", "measured", "doctor")},
    }
