"""Choose the sandbox: the best level that passes the self-test on this machine, never a weaker one
than asked for.

Bubblewrap first, then podman, then docker (see `container`); where none of them holds, nothing is
graded. A plain process is taken only when it is asked for by name.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from functools import cache

from autograder import errors
from autograder.errors import IsolationError
from autograder.sandbox import cgroup, prefork
from autograder.sandbox.bubblewrap import Bubblewrap, bubblewrap
from autograder.sandbox.container import container, version
from autograder.sandbox.finding import Finding
from autograder.sandbox.level import Level
from autograder.sandbox.plain_process import UnsafeLocal
from autograder.sandbox.sandbox import Sandbox
from autograder.sandbox.selftest import self_test

LEVELS = (Level.BUBBLEWRAP, Level.PODMAN, Level.DOCKER)  # the first that holds is taken
FORCE = "AUTOGRADER_ISOLATION"  # variable that names one of them, to take no other
UNSAFE = (
    "To grade without any isolation, and only code that you trust: `autograder run "
    "--unsafe-local`; it is written in every record."
)


def choose(unsafe_local: bool = False) -> Sandbox:
    """The best sandbox of this machine that passes the self-test.

    Raises
    ------
    IsolationError : there is none; says why, and what to do
    """
    if unsafe_local:
        return UnsafeLocal()
    refusals: list[tuple[str, Finding]] = []
    for level in allowed_levels():
        found = probe() if level == Level.BUBBLEWRAP else probe_container(level)
        broken = [finding for finding in found if not finding.holds]
        if broken:
            refusals.append((level, broken[0]))
        elif level == Level.BUBBLEWRAP:
            return replace(bubblewrap(), warm=not _why_fresh(bubblewrap()))
        else:
            return container(level)
    single = len(refusals) == 1
    reasons = [f"{finding.question} {finding.answer}" for _, finding in refusals]
    remedies = [
        finding.remedy if single else f"{level}: {finding.remedy}" for level, finding in refusals
    ]
    raise IsolationError("\n".join(reasons), "\n".join([*remedies, UNSAFE]))


def likely_isolation() -> Bubblewrap | None:
    """What `choose` gives if the self-test passes; None where that would not be bubblewrap."""
    with suppress(IsolationError):
        if allowed_levels()[0] == Level.BUBBLEWRAP:
            return replace(bubblewrap(), warm=True)
    return None


def allowed_levels() -> tuple[Level, ...]:
    """Levels that may be taken, the best first: all, or the one that the variable
    AUTOGRADER_ISOLATION names.

    Raises
    ------
    IsolationError : it names none
    """
    named = os.environ.get(FORCE) or "auto"
    if named != "auto" and named not in LEVELS:
        raise IsolationError(
            f"{FORCE} is {named!r}; expected auto, {', '.join(LEVELS[:-1])} or {LEVELS[-1]}.",
            "Change it, or unset it.",
        )
    return LEVELS if named == "auto" else (Level(named),)


def test_all_levels() -> dict[Level, list[Finding]]:
    """Self-test of every allowed level, the best first: level -> findings."""
    return {
        level: probe() if level == Level.BUBBLEWRAP else probe_container(level)
        for level in allowed_levels()
    }


def describe_limits(level: Level) -> str:
    """A sentence on what limits memory and processes in boxes of a level, and how it could be
    better.
    """
    if level == Level.BUBBLEWRAP:
        if (there := cgroup.hierarchy()) is not None:
            shared = ", processor" if there.cpu else ""
            return f"a cgroup for each box, below {there.folder} (memory, processes{shared})."
        why, remedy = f" No cgroups: {cgroup.why_not()}.", f" {cgroup.REMEDY}"
    elif container(level).limited:
        return f"the cgroup that {level} makes for each box (memory, processes)."
    else:
        why, remedy = f" {level} gives boxes no cgroup with limits here.", ""
    return f"limits of each process, and a supervisor that looks twice a second.{why}{remedy}"


def probe_container(level: Level) -> list[Finding]:
    """Self-test of podman or docker on this machine."""
    question = f"Is {level} there?"
    try:
        isolation = container(level)
    except IsolationError as error:
        return [Finding(question, False, error.reason, error.remedy)]
    who = "as root" if os.geteuid() == 0 else "for an ordinary user"
    options = f" with {' '.join(isolation.options)}" if isolation.options else ""
    return [
        Finding(question, True, f"{version(isolation.program)}, {who}{options}."),
        *self_test(isolation),
    ]


def probe() -> list[Finding]:
    """Self-test of bubblewrap on this machine; see `autograder.sandbox.selftest`."""
    try:
        isolation = bubblewrap()
    except IsolationError as error:
        return [Finding("Is bubblewrap there?", False, error.reason, error.remedy)]
    how = (
        "as root, with a user of its own for each worker"
        if isolation.as_root
        else "in a user namespace"
    )
    return [
        Finding("Is bubblewrap there?", True, f"{isolation.program}, {how}."),
        *self_test(isolation),
        _forking(isolation),
    ]


def _forking(isolation: Bubblewrap) -> Finding:
    """Whether workers can be forked here; if not, each gets a fresh box, which is slower and as
    safe.
    """
    question = "Can workers be forked from one that has imported the packages?"
    if why := _why_fresh(isolation):
        return Finding(
            question,
            True,
            f"No, so each submission gets a box with a fresh Python, which is slower. {why}",
        )
    return Finding(question, True, "Yes, and what is tried above was tried in such a worker, too.")


@cache
def _why_fresh(isolation: Bubblewrap) -> str:
    """Why workers cannot be forked here, or are not isolated as well as in a fresh box; else
    empty.
    """
    try:
        found = self_test(
            isolation,
            lambda program, given, limits: prefork.worker(isolation, (), limits, program, (given,)),
        )
    except errors.NoForkServer as reason:
        return f"{reason}."
    finally:
        prefork.end_servers(isolation, ())
    return " ".join(
        f"{finding.question} {finding.answer}" for finding in found if not finding.holds
    )
