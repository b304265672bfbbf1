"""A convention other than the one that is asked for runs through a student's whole work: it is
charged once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from verdict.check import Check, Status, Verdict


def unmet(check: Check, verdicts: Mapping[str, Verdict]) -> list[str]:
    """Names of the checks that this one needs and that are not passed.

    Where all of them are right in one and the same convention, and this check knows it, they fit
    together, and none is unmet.
    """
    needs = [verdicts[need] for need in check.needs]
    conventions = {verdict.convention for verdict in needs if verdict.status is Status.CONVENTION}
    if len(conventions) == 1 and all(verdict.status is Status.CONVENTION for verdict in needs):
        known = {mistake.convention for group in check.known_mistakes() for mistake in group} - {""}
        if conventions <= known:
            return []
    met = (Status.PASSED, Status.NOTED)
    return [need for need in check.needs if verdicts[need].status not in met]


def charge_once(checks: Sequence[Check], verdicts: Mapping[str, Verdict]) -> dict[str, Verdict]:
    """The verdicts, with a convention charged in the first check that is given in it, and in no
    other.

    Parameters
    ----------
    checks : in the order in which a student meets them
    verdicts : name of a check -> verdict
    """
    charged: dict[str, str] = {}
    found = {}
    for check in checks:
        verdict = verdicts[check.name]
        if (
            first := charged.get(verdict.convention)
        ) is not None and verdict.uncharged > verdict.credit:
            told = (
                f"{verdict.message} The convention is that of {first}, where it is charged: it "
                "costs nothing here."
            )
            verdict = replace(verdict, credit=verdict.uncharged, message=told)
        elif verdict.convention:
            charged.setdefault(verdict.convention, check.asked)
        found[check.name] = verdict
    return found
