"""The filter of system calls, run here as the kernel runs it: what it lets through and what it
refuses.
"""

from __future__ import annotations

import errno
import fcntl
import struct

import pytest

from autograder.sandbox import seccomp

REFUSED = seccomp.ERRNO | errno.EPERM


def decide(machine: str, number: int, *arguments: int, audit: int | None = None) -> int:
    """What the filter answers to a system call."""
    data = seccomp.build(machine)
    assert data is not None
    program = [struct.unpack("<HBBI", data[k : k + 8]) for k in range(0, len(data), 8)]
    given = dict(zip((seccomp.ARGUMENT_0, seccomp.ARGUMENT_1), arguments, strict=False))
    call = {
        seccomp.NUMBER: number,
        seccomp.ARCHITECTURE: audit or seccomp.ARCHITECTURES[machine][0],
        **given,
    }
    at = value = 0
    while True:
        code, if_true, if_false, operand = program[at]
        at += 1
        if code == seccomp.RETURN:
            return int(operand)
        if code == seccomp.LOAD:
            value = call[operand]
        else:
            tests = {
                seccomp.JUMP_EQUAL: value == operand,
                seccomp.JUMP_AT_LEAST: value >= operand,
                seccomp.JUMP_ANY_BIT: bool(value & operand),
            }
            at += if_true if tests[code] else if_false


@pytest.fixture(params=["x86_64", "aarch64"])
def machine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_calls_that_numerical_code_needs_are_let_through(machine: str) -> None:
    denied = {numbers[seccomp.ARCHITECTURES[machine][1]] for numbers in seccomp.DENIED.values()}
    special = {
        calls[seccomp.ARCHITECTURES[machine][1]]
        for calls in (seccomp.CLONE, seccomp.CLONE3, seccomp.IOCTL, seccomp.FCNTL, seccomp.SOCKET)
    }
    for number in set(range(450)) - denied - special:
        assert decide(machine, number) == seccomp.ALLOW, number


def test_calls_on_the_list_are_refused(machine: str) -> None:
    for name, numbers in seccomp.DENIED.items():
        assert decide(machine, numbers[seccomp.ARCHITECTURES[machine][1]]) == REFUSED, name


def test_processes_and_threads_can_be_made_and_namespaces_cannot(machine: str) -> None:
    column = seccomp.ARCHITECTURES[machine][1]
    # fork: SIGCHLD and no flag
    assert decide(machine, seccomp.CLONE[column], 0x11) == seccomp.ALLOW
    # what pthread_create asks for
    assert decide(machine, seccomp.CLONE[column], 0x3D0F00) == seccomp.ALLOW
    for flag in (
        0x00020000,
        0x02000000,
        0x04000000,
        0x08000000,
        0x10000000,
        0x20000000,
        0x40000000,
    ):
        assert decide(machine, seccomp.CLONE[column], 0x11 | flag) == REFUSED
    assert decide(machine, seccomp.CLONE3[column]) == seccomp.ERRNO | errno.ENOSYS


def test_only_the_families_of_sockets_that_a_network_namespace_holds_back_are_there(
    machine: str,
) -> None:
    for family in range(50):
        answer = decide(machine, seccomp.SOCKET[seccomp.ARCHITECTURES[machine][1]], family)
        assert answer == (seccomp.ALLOW if family in (1, 2, 10) else REFUSED), family


def test_nothing_can_be_typed_into_a_terminal(machine: str) -> None:
    number = seccomp.IOCTL[seccomp.ARCHITECTURES[machine][1]]
    assert (
        decide(machine, number, 0, 0x5412) == REFUSED
        and decide(machine, number, 0, 0x541C) == REFUSED
    )
    assert decide(machine, number, 0, 0x5401) == seccomp.ALLOW


def test_no_lock_lease_or_watch_on_a_shared_file_and_descriptors_can_be_copied(
    machine: str,
) -> None:
    number = seccomp.FCNTL[seccomp.ARCHITECTURES[machine][1]]
    for request in (fcntl.F_GETLK, fcntl.F_SETLK, fcntl.F_SETLKW, fcntl.F_SETLEASE, fcntl.F_NOTIFY):
        assert decide(machine, number, 0, request) == REFUSED, request
    for request in (fcntl.F_DUPFD, fcntl.F_GETFD, fcntl.F_SETFD, fcntl.F_GETFL, fcntl.F_SETFL):
        assert decide(machine, number, 0, request) == seccomp.ALLOW, request
    assert decide(machine, number, 0, fcntl.F_DUPFD_CLOEXEC) == seccomp.ALLOW


def test_the_numbers_of_another_machine_end_the_process(machine: str) -> None:
    assert decide(machine, 0, audit=0x40000003) == seccomp.KILL  # 32-bit calls on a 64-bit kernel
    if machine == "x86_64":
        assert decide(machine, 0x40000000 + 101) == REFUSED


def test_a_machine_whose_numbers_are_not_known_has_no_filter() -> None:
    assert seccomp.build("pdp11") is None
