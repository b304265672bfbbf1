"""A seccomp filter for the sandbox: system calls that numerical code does not need fail with EPERM.

The namespaces already take away what these calls could reach. The filter is a second wall: it
closes parts of the kernel with a history of faults (user namespaces, mounts, BPF, io_uring,
tracing).
"""

from __future__ import annotations

import errno
import platform
import struct
from typing import Any

# Linux's numbers, from arch/x86/entry/syscalls/syscall_64.tbl and
# include/uapi/asm-generic/unistd.h: name -> (x86_64, aarch64).
NONE = 0xFFFFFFFF  # no call of this processor
DENIED = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    # Memory outside every process and every sized tmpfs, which the supervisor would not count.
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    # Kernel memory, which no rlimit counts: 32,000 sets of 32,000 semaphores are 64 GB.
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    "io_setup": (206, 0),
    # Channels between two boxes over a file that both can read, and a view of the machine's
    # activity.
    "flock": (73, 32),
    "inotify_init": (253, NONE),
    "inotify_init1": (294, 26),
    # The disks and processors of the whole machine.
    "sync": (162, 81),
    "syncfs": (306, 267),
    "ioprio_set": (251, 30),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "open_by_handle_at": (304, 265),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "kexec_load": (246, 104),
    "init_module": (175, 105),
    "delete_module": (176, 106),
    "finit_module": (313, 273),
    "syslog": (103, 116),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "reboot": (169, 142),
    # The scheduler's autogroups give each session its own CPU share, so extra sessions would take
    # CPU from other submissions.
    "setsid": (112, 157),
    # Where memory lies, and as which system a program sees this one: nothing that numbers depend
    # on.
    "mbind": (237, 235),
    "set_mempolicy": (238, 237),
    "get_mempolicy": (239, 236),
    "set_mempolicy_home_node": (450, 450),
    "move_pages": (279, 239),
    "migrate_pages": (256, 238),
    "personality": (135, 92),
    "modify_ldt": (154, NONE),
    "uselib": (134, NONE),
    "fanotify_init": (300, 262),
}
# audit's number, column of DENIED
ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
CLONE = (56, 220)
CLONE3 = (435, 435)
IOCTL = (16, 29)
FCNTL = (72, 25)
SOCKET = (41, 198)
# AF_UNIX, AF_INET, AF_INET6. Others, as AF_VSOCK to a machine's host, no network namespace holds
# back.
FAMILIES = (1, 2, 10)
NAMESPACE_FLAGS = 0x7E020000  # CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
TERMINAL_REQUESTS = (0x5412, 0x541C)  # TIOCSTI and TIOCLINUX: they type into a terminal
# F_GETLK, F_SETLK, F_SETLKW, the same for open file descriptions, F_SETLEASE, F_GETLEASE, F_NOTIFY:
# as flock and inotify.
LOCKS = (5, 6, 7, 36, 37, 38, 1024, 1025, 1026)
BY_SECOND_ARGUMENT = {"ioctl": (IOCTL, TERMINAL_REQUESTS), "fcntl": (FCNTL, LOCKS)}

ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
LOAD, JUMP_EQUAL, JUMP_AT_LEAST, JUMP_ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
# offsets in struct seccomp_data, low halves, little-endian
NUMBER, ARCHITECTURE, ARGUMENT_0, ARGUMENT_1 = 0, 4, 16, 24


def build(machine: str | None = None, families: tuple[int, ...] = FAMILIES) -> bytes | None:
    """Filter as an array of ``struct sock_filter``, which bubblewrap's ``--seccomp`` takes; None
    for an unknown machine.

    Of sockets, those of ``families`` can be made.
    """
    known = ARCHITECTURES.get(machine or platform.machine())
    if known is None:
        return None
    audit, column = known
    refuse = ERRNO | errno.EPERM
    program = [
        _op(LOAD, ARCHITECTURE),
        _op(JUMP_EQUAL, audit, 1, 0),
        _op(RETURN, KILL),
        _op(LOAD, NUMBER),
    ]
    if column == 0:  # the x32 calls of x86_64 would go round the numbers below
        program += [_op(JUMP_AT_LEAST, 0x40000000, 0, 1), _op(RETURN, refuse)]
    for numbers in DENIED.values():
        program += [_op(JUMP_EQUAL, numbers[column], 0, 1), _op(RETURN, refuse)]
    # Its flags lie in memory, where a filter cannot look; libc falls back to clone when the kernel
    # seems not to have it.
    program += [_op(JUMP_EQUAL, CLONE3[column], 0, 1), _op(RETURN, ERRNO | errno.ENOSYS)]
    program += [
        _op(JUMP_EQUAL, SOCKET[column], 0, 3 + len(families)),
        _op(LOAD, ARGUMENT_0),
        *(_op(JUMP_EQUAL, family, len(families) - k, 0) for k, family in enumerate(families)),
        _op(RETURN, refuse),
        _op(RETURN, ALLOW),
        _op(JUMP_EQUAL, CLONE[column], 0, 4),
        _op(LOAD, ARGUMENT_0),
        _op(JUMP_ANY_BIT, NAMESPACE_FLAGS, 0, 1),
        _op(RETURN, refuse),
        _op(RETURN, ALLOW),
    ]
    for calls, requests in BY_SECOND_ARGUMENT.values():
        program += [
            _op(JUMP_EQUAL, calls[column], 0, 3 + len(requests)),
            _op(LOAD, ARGUMENT_1),
            *(_op(JUMP_EQUAL, request, len(requests) - k, 0) for k, request in enumerate(requests)),
            _op(RETURN, ALLOW),
            _op(RETURN, refuse),
        ]
    program.append(_op(RETURN, ALLOW))
    return b"".join(program)


def profile() -> dict[str, Any]:
    """Return the same filter as the profile that podman's and docker's
    ``--security-opt seccomp=FILE`` take.
    """
    refuse = {"action": "SCMP_ACT_ERRNO", "errnoRet": errno.EPERM}

    def rule(name: str, index: int, value: int, operation: str, other: int = 0) -> dict[str, Any]:
        argument = {
            "index": index,
            "value": value,
            "valueTwo": other,
            "op": f"SCMP_CMP_{operation}",
        }
        return {"names": [name], **refuse, "args": [argument]}

    rules: list[dict[str, Any]] = [
        {"names": list(DENIED), **refuse},
        {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": errno.ENOSYS},
    ]
    # One rule for each number: the conditions of one rule must all hold, and only one may be about
    # the same argument.
    rules += [
        rule("socket", 0, family, "EQ") for family in range(max(FAMILIES)) if family not in FAMILIES
    ]
    rules += [rule("socket", 0, max(FAMILIES), "GT")]
    flags = [1 << bit for bit in range(32) if NAMESPACE_FLAGS >> bit & 1]
    rules += [rule("clone", 0, flag, "MASKED_EQ", flag) for flag in flags]
    # The kernel looks at the lower half of the request only.
    rules += [
        rule(name, 1, 0xFFFFFFFF, "MASKED_EQ", request)
        for name, (_, requests) in BY_SECOND_ARGUMENT.items()
        for request in requests
    ]
    machines = ["SCMP_ARCH_X86_64"] if platform.machine() == "x86_64" else ["SCMP_ARCH_AARCH64"]
    return {"defaultAction": "SCMP_ACT_ALLOW", "architectures": machines, "syscalls": rules}


def _op(code: int, operand: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("<HBBI", code, if_true, if_false, operand)
