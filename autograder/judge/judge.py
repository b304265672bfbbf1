"""The judge: asks the checks of a problem set of one student's cells, and writes down what came of
it.

It runs outside the sandbox. Only inputs go in and only answers come out; what is expected, how it
is compared and which mistakes are known stays here. The inputs are drawn from the seed and the
check's name: nobody can foresee them, and a grade can be looked into again.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from typing import Any

import numpy as np
from numpy.random import Generator

from autograder.errors import (
    JudgeError,
    MissingFunction,
    StudentFailure,
    WorkerError,
    WorkerTimeout,
    on_one_line,
)
from autograder.guest.worker import CUT, MAX_USES, file_written, without_magics
from autograder.judge import sketch
from autograder.judge.budget import TimeBudget
from autograder.judge.cpu_limit import Overrun, cpu_limit
from autograder.judge.explain import Explainer, describe_loss
from autograder.judge.problem_set import ProblemSet
from autograder.judge.result import FOR_INSTRUCTOR, CheckResult, Result
from autograder.judge.session import Session
from autograder.judge.static_names import introspection, named, replaced
from autograder.sandbox.limits import Limits
from autograder.sandbox.sandbox import Sandbox
from autograder.text import printable
from verdict import Check, Status, StudentError, Verdict, charge_once, examine, unmet
from verdict.changes import capped, changes
from verdict.check import Renewable
from verdict.cpu import limited

SPARE_TIME = 60.0  # seconds for a submission, beside those for its cells and for each check
MAX_ROUNDS = 4  # in which a submission is asked whose workers are killed
# notes in a record, and characters of each: an exception's text stands in some
MAX_NOTES, MAX_NOTE = 100, 900
MAX_EVENTS = 200
# characters of one message in a record: an exception of the student's may say anything
MAX_MESSAGE = 3000


def grade(
    cells: Sequence[str],
    problem_set: ProblemSet,
    *,
    seed: str,
    isolation: Sandbox,
    student: str = "",
    limits: Limits | None = None,
    load_limit: float | None = None,
) -> Result:
    """Grade one student's cells.

    Parameters
    ----------
    cells : sources of the code cells, in the order of the notebook
    problem_set : what to ask
    seed : of the inputs; nobody who writes cells may know it beforehand
    isolation : where the cells run, from `sandbox.choose`
    student : name, for the record
    limits : what the cells may use; what the problem set says when left out
    load_limit : seconds for running the cells; a sixth of it for one statement; what the limits say
        when left out

    Returns
    -------
    Result : whatever the cells do; a check that cannot be answered gets no points and says why

    Raises
    ------
    IsolationError : the sandbox cannot be started; this says nothing about the student
    JudgeError : the worker was killed from outside again and again; nor does this. Or the judge
        itself took too long
    """
    limits = limits or problem_set.limits
    load_limit = limits.load_seconds if load_limit is None else load_limit
    try:
        with cpu_limit(limits.judge_seconds):
            return _grade(
                partial(
                    _graded_once, cells, problem_set, seed, isolation, student, limits, load_limit
                ),
                time_limit(problem_set, load_limit),
            )
    except Overrun:
        raise JudgeError(too_long(limits.judge_seconds)) from None


def too_long(seconds: float) -> str:
    """What is said where the judge itself takes too long for a submission."""
    return (
        f"the judge itself took more than {seconds:g} seconds of processor time for it. Is "
        "something in the notebook made for that? Look at it; LIMITS['judge_seconds'] in "
        "checks.py allows more"
    )


def _grade(ask: Callable[[float, dict[str, Verdict]], _Graded], seconds: float) -> Result:
    """Ask until no worker is lost to a kill, or it is known whose doing that is; ``seconds`` are
    there for all together.
    """
    rounds = [ask(seconds, {})]
    # Who killed a worker cannot always be known: the student's own code, or a machine short of
    # memory. With the same inputs and a fresh worker an honest student gets what is due, and code
    # that kills itself does it again. What had been decided by then stays decided: code that
    # guesses, sees by what is asked next that it guessed wrong, and kills itself, guesses once.
    while rounds[-1].lost is not Lost.NOT:
        if rounds[-1].lost is Lost.OUTSIDE and (len(rounds) == MAX_ROUNDS or rounds[-1].left <= 0):
            times = f"{len(rounds)} time{'s' if len(rounds) > 1 else ''}"
            raise JudgeError(
                f"the worker was killed from outside {times}; is the machine short of memory?"
            )
        if [one.lost for one in rounds].count(Lost.UNKNOWN) > 1 or len(rounds) == MAX_ROUNDS:
            break
        rounds.append(
            ask(rounds[-1].left, {name: v for one in rounds for name, v in one.settled.items()})
        )
    *earlier, last = rounds
    if not earlier:
        return last.record
    notes = _told(
        list(dict.fromkeys([*(note for one in earlier for note in one.said), *last.record.notes]))
    )
    again = "A worker was killed: what was not decided by then is asked again."
    log = [line for one in earlier for line in (*one.record.log, again)]
    return replace(last.record, notes=notes, log=(*log, *last.record.log))


class Lost(Enum):
    """Whether a worker was killed while a submission was graded, and by whom."""

    NOT = 0
    UNKNOWN = 1
    OUTSIDE = 2


def time_limit(problem_set: ProblemSet, load_limit: float) -> float:
    """Seconds in which a submission is graded, whatever its code does; the machine's own delays
    come on top.

    Among them is what the code waits for a processor, up to `budget.PATIENCE` times as long.
    """
    return load_limit + sum(check.time_limit for check in problem_set.checks) + SPARE_TIME


@dataclass(frozen=True)
class _Graded:
    """One grading: the record; whether a worker was killed, what was decided and noted before, and
    how many seconds are left.
    """

    record: Result
    lost: Lost
    settled: dict[str, Verdict]
    said: list[str]
    left: float


def _graded_once(
    cells: Sequence[str],
    problem_set: ProblemSet,
    seed: str,
    isolation: Sandbox,
    student: str,
    limits: Limits,
    load_limit: float,
    seconds: float,
    settled: dict[str, Verdict],
) -> _Graded:
    """Grade once; checks that are settled are not asked."""
    began = time.monotonic()
    with Session(
        cells,
        isolation,
        problem_set.packages,
        limits,
        load_limit,
        TimeBudget(seconds, load_limit),
        files=problem_set.files,
    ) as session:
        grader = _Grader(problem_set, session, seed)
        trouble = grader.load()
        loaded = time.monotonic()
        session.say(
            "the cells have run" if trouble is None else "the cells could not be run to their end"
        )
        verdicts = grader.ask_all(settled, trouble)
        lost = _who_killed(session)  # what comes now decides nothing
        answers = grader.sketches(verdicts)
        asked = time.monotonic()
    ended = time.monotonic()
    verdicts = charge_once(problem_set.checks, verdicts)
    record = Result(
        problem_set=problem_set.name,
        student=student,
        seed=seed,
        isolation=str(isolation.level),
        content_hash=content_hash(cells, problem_set),
        checks=tuple(
            _record(check, verdicts[check.name], answers.get(check.name, ()))
            for check in problem_set.checks
        ),
        notes=_told(grader.notes),
        output=_clean(session.printed, len(session.printed)),
        seconds=_seconds(began, loaded, asked, ended) | grader.cpu,
        versions={"python": ".".join(map(str, sys.version_info[:3])), "numpy": np.__version__},
        log=tuple(map(_clean, session.events[:MAX_EVENTS])),
    )
    return _Graded(record, lost, grader.decided, list(_told(grader.said)), session.budget.left)


def _seconds(began: float, loaded: float, asked: float, ended: float) -> dict[str, float]:
    """Parts of the time that one grading took, for the record."""
    return {
        "load": loaded - began,
        "checks": asked - loaded,
        "end": ended - asked,
        "all": ended - began,
    }


def _who_killed(session: Session) -> Lost:
    if session.killed_from_outside:
        return Lost.OUTSIDE
    return Lost.UNKNOWN if session.killed else Lost.NOT


def _told(notes: Sequence[str]) -> tuple[str, ...]:
    """Notes for a record: the instructor's first, so that no number of others crowds them out, and
    how many are left out.
    """
    told = sorted(notes, key=lambda note: not note.startswith(FOR_INSTRUCTOR))  # stable
    if len(told) > MAX_NOTES:
        left_out = f"{len(told) - MAX_NOTES + 1} further notes are left out."
        told = [*told[: MAX_NOTES - 1], left_out]
    return tuple(_sentence(note, MAX_NOTE) for note in told)


def content_hash(cells: Sequence[str], problem_set: ProblemSet) -> str:
    """SHA-256 of the cells and the checks: where it is the same, a record that is there already
    still holds.
    """
    text = json.dumps([problem_set.name, problem_set.digest, list(cells)])
    return hashlib.sha256(text.encode()).hexdigest()


def generator(seed: str, name: str) -> Generator:
    """Source of a check's inputs: the same for the same seed and name, whatever other checks there
    are.

    >>> generator("a", "step").integers(1000) == generator("a", "step").integers(1000)
    np.True_
    """
    digest = hmac.new(seed.encode(), name.encode(), hashlib.sha256).digest()
    return np.random.default_rng(int.from_bytes(digest, "little"))


@dataclass
class _Grader:
    """One student's session and the problem set that is put to it."""

    problem_set: ProblemSet
    session: Session
    seed: str

    def __post_init__(self) -> None:
        self.notes: list[str] = []
        # verdicts that were given, and noted, before a worker was killed
        self.decided: dict[str, Verdict] = {}
        self.said: list[str] = []
        # CPU seconds of the student's code, in the checks that bound them
        self.cpu: dict[str, float] = {}
        self.explain = Explainer(self.session, self.problem_set.packages)

    def load(self) -> Verdict | None:
        """Run the cells; a verdict for all checks where not even that can be done."""
        try:
            self.session.start()
            return None
        except WorkerError as error:
            return self.explain.lost_while_loading(error)
        finally:
            self.notes += self.explain.cells()
            self.notes += self._suspicious()

    def _suspicious(self) -> list[str]:
        """Notes on what the instructor should look at."""
        notes = []
        if found := introspection(self._used()):
            notes.append(
                f"{FOR_INSTRUCTOR}the code uses {', '.join(found)}, by which code can reach into "
                "the program that runs it, or into a library's functions. No task needs that: look "
                "at it."
            )
        if found := replaced(self.problem_set.packages, self._used()):
            notes.append(
                f"{FOR_INSTRUCTOR}the code puts something else in the place of "
                f"{', '.join(found[:3])}, which functions that are given may call: look at it."
            )
        if CUT in self._used():
            notes.append(
                f"{FOR_INSTRUCTOR}a cell has more than {MAX_USES} names, and not all of them are "
                "read: look at it."
            )
        return notes

    def ask_all(self, settled: dict[str, Verdict], trouble: Verdict | None) -> dict[str, Verdict]:
        """Verdicts of all checks: those that are settled as they are, the others asked, or answered
        by the trouble that there was in loading.
        """
        verdicts = dict(settled)
        for check in self.problem_set.in_order_of_need():
            if check.name not in settled:
                noted = len(self.notes)
                verdicts[check.name] = trouble or self.run_check(check, verdicts)
                self.session.say(f"{check.name}: {verdicts[check.name].status.value}")
                if not self.session.killed:
                    self.decided[check.name] = verdicts[check.name]
                    self.said += self.notes[noted:]
        return verdicts

    def run_check(self, check: Check, verdicts: dict[str, Verdict]) -> Verdict:
        """Ask one check of the student's code."""
        if missing := unmet(check, verdicts):
            titles = {c.name: c.title for c in self.problem_set.checks}
            which = " and ".join(f"“{titles[need].removesuffix('.')}”" for need in missing)
            verb = "is" if len(missing) == 1 else "are"
            return Verdict(
                Status.SKIPPED, f"Not asked: it says nothing as long as {which} {verb} not passed."
            )
        if forbidden := self._forbidden(check):
            return Verdict(Status.FORBIDDEN, forbidden)
        try:
            self.session.forget()
            self.session.start()
        except WorkerError as error:
            return self.explain.lost_while_loading(error)
        self.session.budget.allow(check.time_limit)
        self.session.counts_cpu = check.at_most_cpu is not None
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                rng = generator(self.seed, f"{self.problem_set.name}/{check.name}")
                before = self.session.cpu_used
                verdict = examine(check, self._function(check), rng)
                if check.at_most_cpu is not None:
                    self.cpu[cpu_of(check)] = self.session.cpu_used - before
                if not isinstance(verdict, Verdict):
                    raise TypeError(f"it gave a {type(verdict).__name__} and no Verdict")
                return self._capped(check, verdict)
        except Exception as error:
            # The check itself failed over what came back. That may be the student's doing or the
            # instructor's.
            self.notes.append(
                f"{FOR_INSTRUCTOR}the check {check.name} failed itself. {type(error).__name__}: "
                f"{error}"
            )
            self.session.say(f"the check {check.name} failed itself\n{traceback.format_exc()}")
            return Verdict(
                Status.ERROR,
                f"What {check.asked} {'is' if check.value else 'returned'} could not be read.",
                hints=check.hints,
            )

    def _capped(self, check: Check, verdict: Verdict) -> Verdict:
        """The verdict, with less credit where more of given code was changed than may be."""
        if check.mend is None or not verdict.credit:
            return verdict
        given = self.problem_set.released or self.session.cells
        own = [without_magics(source)[0] for source in self.session.cells]
        texts = [written[2] for cell in self.session.cells if (written := file_written(cell))]
        found = changes(check, self.problem_set.checks, given, own, texts)
        return capped(verdict, check.mend, found)

    def sketches(self, verdicts: dict[str, Verdict]) -> dict[str, tuple[float, ...]]:
        """Check -> numbers that stand for a wrong answer that was not recognised.

        It is asked for last, with inputs that are the same for all, and only while the worker
        lives: no score depends on it.
        """
        found = {}
        for check in self.problem_set.checks:
            verdict = verdicts[check.name]
            if verdict.status is not Status.WRONG or verdict.misconception or check.examine:
                continue
            if not self.session.is_up:
                break
            self.session.forget()
            self.session.budget.allow(min(sketch.SECONDS, check.time_limit))
            rng = generator("the same for all", f"{self.problem_set.name}/{check.name}")
            try:
                with np.errstate(all="ignore"), warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    found[check.name] = sketch.sketch(check, self._function(check), rng)
            except Exception as error:
                self.session.say(f"{check.name}: no sketch of its answer: {type(error).__name__}")
        return found

    def _forbidden(self, check: Check) -> str:
        """Why the check is not asked: a name that it rules out is used, or nobody can tell; empty
        where none is.

        ``np.gradient`` also rules out ``from numpy import gradient``.
        """
        if check.forbids and CUT in self._used():
            return (
                f"This task rules out {' and '.join(check.forbids)}, and the code has more names "
                f"than are read ({MAX_USES} in a cell), so that nobody can tell. Leave out what "
                "the task does not need."
            )
        if used := named(check.forbids, self._used()):
            return (
                f"The code uses {' and '.join(used)}, which this task rules out: write it "
                "yourself. A mention in a comment or a text does not count."
            )
        return ""

    def _used(self) -> frozenset[str]:
        return frozenset[str]().union(*(cell.uses for cell in self.session.read))

    def _function(self, check: Check) -> Any:
        """Return the student's function, or what gives the student's value, as the check calls it:
        gives values, raises StudentError and nothing else.
        """

        def call(*args: Any) -> Any:
            try:
                if check.value:
                    return self.session.fetch(check.value, bool(check.tables))
                how = check.arrays, check.compares_all, bool(check.tables)
                return self.session.call(check.function, args, *how)
            except StudentFailure as failure:
                told = self.explain.failure(failure)
                told.kinds = (failure.kind, *failure.bases)
                raise told from None
            except MissingFunction:
                raise self.explain.missing(check.asked, bool(check.value)) from None
            except WorkerError as error:
                status = Status.TIMEOUT if isinstance(error, WorkerTimeout) else Status.CRASHED
                what = describe_loss(error, check.time_limit)
                raise StudentError(status, f"{check.asked} gave no answer: {what}") from None

        asked = limited(check, call, lambda: self.session.cpu_used)
        return Renewable(asked, self._renew) if check.examine else asked

    def _renew(self) -> None:
        kept = (
            f"{FOR_INSTRUCTOR}the cells take long, so that the tests in them were not run anew for "
            "single versions: do they judge each by itself?"
        )
        try:
            if not self.session.renew() and kept not in self.notes:
                self.notes.append(kept)
        except WorkerError as error:  # the next call starts one, or says what there is to say
            self.session.say(f"no worker came in place of the one before: {error}")


def cpu_of(check: Check) -> str:
    """Under which name a record's seconds hold the CPU seconds of a check that bounds them."""
    return f"CPU of {check.name}"


def _record(check: Check, verdict: Verdict, answer: tuple[float, ...] = ()) -> CheckResult:
    credit = min(float(verdict.credit), 1.0) if verdict.credit > 0 else 0.0  # 0 for NaN too
    return CheckResult(
        name=check.name,
        title=check.title,
        points=check.points,
        score=round(check.points * credit, 4),
        status=verdict.status.value,
        message=_sentence(verdict.message),
        misconception=verdict.misconception,
        hints=tuple(verdict.hints),
        warnings=tuple(map(_sentence, verdict.warnings)),
        answer=answer,
    )


def _sentence(text: str, length: int = MAX_MESSAGE) -> str:
    """Text on one line: it may quote the student's code, which could add lines that look like the
    judge's own.
    """
    return _clean(on_one_line(text), length)


def _clean(text: str, length: int = MAX_MESSAGE) -> str:
    """Text without control characters, which could write anything on an instructor's terminal, and
    not too long.
    """
    shown = printable(text, keep="\n\t")
    return shown if len(shown) <= length else f"{shown[:length]} [...]"
