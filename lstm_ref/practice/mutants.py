"""How tests that students write are examined: on right versions of a function, and on wrong ones.

A student's tests see each version as a function that they may call and cannot read. Points are
given only where every right version is accepted; then it counts how many of the wrong ones are
found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.random import Generator

from verdict import Status, StudentError, Verdict
from verdict.check import Call

# of one version: through the wall of a sandbox, each takes a fraction of a millisecond
MOST_CALLS = 300


@dataclass
class Version:
    """One version of the function that is tested, and how often it was asked.

    Parameters
    ----------
    label : what is wrong with it, a sentence; empty for a right one
    function : from what the tests may ask to an answer; never gets anything else
    fits : arguments -> whether the function may be asked this
    """

    label: str
    function: Callable[..., Any]
    fits: Callable[..., bool]
    calls: int = 0
    complaint: str = field(default="")

    def __call__(self, *arguments: Any) -> Any:
        """The answer; 0 where there can be none, and a complaint for the student."""
        self.calls += 1
        if self.calls > MOST_CALLS:
            self.complaint = (
                f"It was called more than {MOST_CALLS} times for one version; fewer questions will "
                "do."
            )
            return 0
        if not self.fits(*arguments):
            self.complaint = (
                self.complaint or "The function was called with something that it does not take."
            )
            return 0
        return self.function(*arguments)


def examine_tests(
    right: Sequence[Callable[..., Any]],
    wrong: Mapping[str, Callable[..., Any]],
    fits: Callable[..., bool],
) -> Callable[[Call, Generator], Verdict]:
    """Examination of a function that is given a version and says whether it is right.

    Parameters
    ----------
    right : versions that must be accepted
    wrong : what is wrong, in a sentence -> the version
    fits : arguments -> whether a version may be asked this
    """

    def examine(call: Call, rng: Generator) -> Verdict:
        versions = [Version("", f, fits) for f in right] + [
            Version(label, f, fits) for label, f in wrong.items()
        ]
        said: list[bool] = [False for _ in versions]
        for k in rng.permutation(len(versions)):
            try:
                answer = _truth(call(versions[k]))
            except StudentError as error:
                if "AssertionError" in str(error):
                    continue  # an assert that fails says that the version is wrong
                return Verdict(
                    error.status, " ".join(filter(None, (versions[k].complaint, str(error))))
                )
            if answer is None:
                return Verdict(
                    Status.ERROR,
                    "It must return True or False. Is there a return at the end of each way?",
                )
            said[k] = answer
        return _judge(versions, said)

    return examine


def _truth(value: Any) -> bool | None:
    """True or False; None for anything else."""
    array = (
        np.asarray(value)
        if isinstance(value, bool | int | np.ndarray | np.generic)
        else np.asarray("")
    )
    if array.size != 1 or array.dtype.kind not in "biu" or array.item() not in (0, 1):
        return None
    return bool(array.item())


def _judge(versions: Sequence[Version], said: Sequence[bool]) -> Verdict:
    right = [k for k, version in enumerate(versions) if not version.label]
    wrong = [k for k, version in enumerate(versions) if version.label]
    missed = [versions[k] for k in wrong if said[k]]
    alarms = [k for k in right if not said[k]]
    if complaint := next((version.complaint for version in versions if version.complaint), ""):
        return Verdict(Status.WRONG, complaint)
    if any(not version.calls for version in versions):
        return _named("never_asks", "It gives an answer without a single question to the function.")
    if len(alarms) == len(right) and not missed:
        return _named("rejects_all", "It calls every version wrong, the right ones, too.")
    if alarms:
        return Verdict(
            Status.WRONG,
            (
                f"It calls {len(alarms)} of {len(right)} right versions wrong. Which of your "
                "expected numbers is not right?"
            ),
            hints=HINTS["rejects_all"],
        )
    if len(missed) == len(wrong):
        return _named("accepts_all", "It calls every version right.")
    if missed:
        message = (
            f"It lets {len(missed)} of {len(wrong)} wrong versions pass, for example this one: "
            f"{missed[0].label}"
        )
        return Verdict(
            Status.WRONG, message, 1 - len(missed) / len(wrong), hints=HINTS["accepts_all"]
        )
    return Verdict(
        Status.PASSED,
        f"Right: it accepts {len(right)} right versions and finds all {len(wrong)} wrong ones.",
        1.0,
    )


HINTS = {
    "never_asks": (
        "How do you tell two versions apart? Call the function.",
        "Ask it what you know the answer of.",
    ),
    "rejects_all": (
        "Try it on your own version.",
        "Work each expected number out by hand once more.",
    ),
    "accepts_all": (
        "For each kind of edit, ask a question that only this edit answers.",
        (
            "Ask at both ends, in the middle, with an empty list, with equal lists and with a word "
            "that occurs twice."
        ),
    ),
}


def _named(id: str, title: str) -> Verdict:
    return Verdict(Status.WRONG, title, misconception=id, hints=HINTS[id], named=title)
