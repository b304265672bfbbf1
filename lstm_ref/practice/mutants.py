"""How tests that students write are examined: on right versions of a function, and on wrong ones.

A student's tests see each version as a function that they may call and cannot read. Points are
given only where every right version is accepted; then it counts how many of the wrong ones are
found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.random import Generator

from verdict import Status, StudentError, Verdict
from verdict.check import Call, Renewable

# of one version: through the wall of a sandbox, each takes a fraction of a millisecond
MOST_CALLS = 300
# times that a wrong version is put to tests once more which found it and missed others
AGAIN = 2
# right versions, and wrong ones, that are put to tests without a memory; each costs a process
ALONE = 2


@dataclass
class Version:
    """One version of the function that is tested, and how often it was asked.

    Parameters
    ----------
    label : what is wrong with it, a sentence; empty for a right one
    function : from what the tests may ask to an answer; never gets anything else
    fits : arguments -> whether the function may be asked this
    refusal : what is said where it may not
    """

    label: str
    function: Callable[..., Any]
    fits: Callable[..., bool]
    refusal: str
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
            self.complaint = self.complaint or self.refusal
            return 0
        return self.function(*arguments)


@dataclass(frozen=True)
class Words:
    """How an examination speaks of the versions.

    Parameters
    ----------
    versions : what they are, in the plural
    alarm : what is said where too many right ones are called wrong; ``{alarms}`` and ``{right}``
        are filled in
    hints : how the tests fail, in a word -> two hints
    refusal : what is said where a version was asked what it does not take
    alarm_id : the misconception that a false alarm is; empty where it is none
    """

    versions: str
    alarm: str
    hints: Mapping[str, tuple[str, ...]]
    refusal: str = "The function was called with something that it does not take."
    alarm_id: str = ""


def examine_tests(
    right: Sequence[Callable[..., Any]],
    wrong: Mapping[str, Callable[..., Any]],
    fits: Callable[..., bool],
    words: Words | None = None,
    false_alarms: float = 0.0,
) -> Callable[[Call, Generator], Verdict]:
    """Examination of a function that is given a version and says whether it is right.

    Parameters
    ----------
    right : versions that must be accepted
    wrong : what is wrong, in a sentence -> the version
    fits : arguments -> whether a version may be asked this
    words : how it is told; None: in words that fit any function
    false_alarms : share of the right versions that may be called wrong all the same, where they are
        models that err now and then
    """
    told = words or VERSIONS

    def examine(call: Call, rng: Generator) -> Verdict:
        versions = [
            Version(label, f, fits, told.refusal)
            for label, f in [*(("", f) for f in right), *wrong.items()]
        ]
        said: list[bool] = [False for _ in versions]
        for k in rng.permutation(len(versions)):
            answer = _answer(call, versions[k])
            if isinstance(answer, Verdict):
                return answer
            said[k] = answer
        found = [k for k, version in enumerate(versions) if version.label and not said[k]]
        # Whoever finds all is never a coin. Whoever finds some may be one, and a coin that comes
        # up three times is rare; tests that look at what they are given say the same again.
        for k in rng.permutation(found * AGAIN) if len(found) < len(wrong) else ():
            answer = _answer(call, replace(versions[k], calls=0))
            if isinstance(answer, Verdict):
                return answer
            said[k] |= answer
        verdict = _judge(versions, said, told, false_alarms)
        if verdict.credit <= 0 or not isinstance(call, Renewable):
            return verdict
        return _each_by_itself(call, versions, said, verdict, told, rng)

    return examine


def _each_by_itself(
    call: Renewable,
    versions: Sequence[Version],
    said: Sequence[bool],
    verdict: Verdict,
    words: Words,
    rng: Generator,
) -> Verdict:
    """The verdict, with less credit where tests that have forgotten all other versions say
    something else.

    Whoever compares each version with those before finds what most of them say, and need not know
    what is right. The first of all has nothing beside it. Two answers of each are asked for where
    the first differs, for tests may draw their questions.
    """

    def agrees(k: int) -> bool:
        call.renew()
        return _answer(call, replace(versions[k], calls=0)) is said[k]

    shares = []
    for called_wrong in (True, False):
        # those of which the tests said what is so
        alike = [
            k
            for k, version in enumerate(versions)
            if bool(version.label) == called_wrong and said[k] != called_wrong
        ]
        asked = rng.permutation(alike)[:ALONE]
        shares.append(sum(agrees(k) or agrees(k) for k in map(int, asked)) / len(asked))
    share = max(0.0, sum(shares) - 1)
    if share >= verdict.credit:
        return verdict
    one = words.versions[:-1]
    message = (
        f"Asked of a single {one}, without any other before it, it gives other answers. Each {one} "
        "must be judged by itself."
    )
    return replace(verdict, status=Status.WRONG, message=message, credit=share)


def _answer(call: Call, version: Version) -> bool | Verdict:
    """What the tests say of a version; a verdict where they say nothing."""
    try:
        answer = _truth(call(version))
    except StudentError as error:
        if "AssertionError" in str(error):
            return False  # an assert that fails says that the version is wrong
        return Verdict(error.status, " ".join(filter(None, (version.complaint, str(error)))))
    if answer is None:
        return Verdict(
            Status.ERROR, "It must return True or False. Is there a return at the end of each way?"
        )
    return answer


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


def _judge(
    versions: Sequence[Version], said: Sequence[bool], words: Words, false_alarms: float
) -> Verdict:
    right = [k for k, version in enumerate(versions) if not version.label]
    wrong = [k for k, version in enumerate(versions) if version.label]
    missed = [versions[k] for k in wrong if said[k]]
    alarms = [k for k in right if not said[k]]
    if complaint := next((version.complaint for version in versions if version.complaint), ""):
        return Verdict(Status.WRONG, complaint)
    if any(not version.calls for version in versions):
        told = "It gives an answer without a single question to the function."
        return _named("never_asks", told, words)
    if len(alarms) == len(right) and not missed:
        told = f"It calls every {words.versions[:-1]} wrong, the right ones, too."
        return _named("rejects_all", told, words)
    if len(alarms) > false_alarms * len(right):
        return _false_alarm(len(alarms), len(right), words)
    if len(missed) == len(wrong):
        return _named("accepts_all", f"It calls every {words.versions[:-1]} right.", words)
    if missed:
        message = (
            f"It lets {len(missed)} of {len(wrong)} wrong {words.versions} pass, for example this "
            f"one: {missed[0].label}"
        )
        return Verdict(
            Status.WRONG, message, 1 - len(missed) / len(wrong), hints=words.hints["accepts_all"]
        )
    return Verdict(
        Status.PASSED,
        f"Right: it accepts {len(right) - len(alarms)} right {words.versions} and finds all "
        f"{len(wrong)} wrong ones.",
        1.0,
    )


def _false_alarm(alarms: int, right: int, words: Words) -> Verdict:
    told = words.alarm.format(alarms=alarms, right=right)
    if words.alarm_id:
        return _named(words.alarm_id, told, words)
    return Verdict(Status.WRONG, told, hints=words.hints["rejects_all"])


def _named(id: str, title: str, words: Words) -> Verdict:
    return Verdict(Status.WRONG, title, misconception=id, hints=words.hints[id], named=title)


VERSIONS = Words(
    "versions",
    "It calls {alarms} of {right} right versions wrong. Which of your expected numbers is not "
    "right?",
    {
        "never_asks": (
            "How do you tell two versions apart? Call the function.",
            "Ask it what you know the answer of.",
        ),
        "rejects_all": (
            "Try it on your own version.",
            "Work each expected number out by hand once more.",
        ),
        "accepts_all": (
            "For each mistake that you can think of, ask a question that a version with this "
            "mistake answers wrongly.",
            "Ask at both ends of what it takes: nothing, one, equal ones, and the longest.",
        ),
    },
)
EDITS = replace(
    VERSIONS,
    hints={
        **VERSIONS.hints,
        "accepts_all": (
            "For each kind of edit, ask a question that only this edit answers.",
            (
                "Ask at both ends, in the middle, with an empty list, with equal lists and with a "
                "word that occurs twice."
            ),
        ),
    },
)
