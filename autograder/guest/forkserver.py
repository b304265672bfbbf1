"""Fork server: a box that imports the allowed packages once, and from which workers are forked.

It runs inside a box of bubblewrap, as `worker` does, and needs the standard library only; its other
half, outside, is `prefork`. It is trusted: no student's code ever runs in this process. It holds
nothing that a worker may not read, because a worker starts as a copy of it: no expected value, no
secret, nothing of an earlier submission.

A judge asks for a worker over a line, a connection of its own; the first one is descriptor 0, over
which further lines come for judges that share the fork server. One request is served at a time, and
the pipes that come with it are closed here before the next one is read: no judge, and no worker,
ever gets another's. When a judge exits, its line and its workers end, and nothing else.

The child that is forked gives up, before any of the student's code runs, all that ties it to the
fork server and to other workers:

- it is the first process of a process namespace of its own, and its death is the death of all that
  it starts;
- mounts, System V IPC, network, host name and control groups are its own as well; /tmp and /box are
  new and empty;
- of the descriptors it keeps the three pipes of its submission;
- the limits, another user (root) or a user namespace without a single user (an ordinary user), no
  capability, not even one to regain, and the filter of system calls: what it can no longer do it
  could not do in a fresh box.

The first process only waits: pid 1 of a namespace ignores signals that would end any other
process, so the student's code runs in its child. The child's exit code goes to the judge through a
fourth pipe, which the child does not have; EOF on the judge's end of it means that the judge has
exited, and the worker ends, too.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import traceback
from contextlib import suppress
from typing import Any

if __name__ == "__main__":  # in the box, with nothing of this course on the path
    sys.path.insert(0, json.loads(sys.argv[1])["code"])

from autograder.guest.syscalls import call, forbid_new_privileges, install_filter, libc

MAX_REQUEST = 1 << 16  # bytes
MAX_INODES = 1 << 14  # in each writable folder: empty ones take memory, too
PIPES = 4  # requests, replies, output, status
FOLDERS = ("/box", "/tmp")  # that are writable
READY = b"r"  # first byte on the status pipe: nothing is left to give up
ALONE = 0.5  # seconds within which a worker must notice that its judge has exited

# Linux's numbers, the same on every machine that autograder.sandbox.seccomp knows.
NEWNS, NEWCGROUP, NEWUTS, NEWIPC = 0x00020000, 0x02000000, 0x04000000, 0x08000000
NEWUSER, NEWPID, NEWNET = 0x10000000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_MOVE, MS_REC, MS_PRIVATE = (
    1,
    2,
    4,
    8,
    4096,
    8192,
    16384,
    1 << 18,
)
PR_SET_DUMPABLE, PR_CAPBSET_READ, PR_CAPBSET_DROP, PR_CAP_AMBIENT = 4, 23, 24, 47
PR_CAP_AMBIENT_CLEAR_ALL, CAPABILITY_VERSION_3 = 4, 0x20080522


def main(settings: dict[str, Any]) -> None:
    """Import, then fork a worker for each request, until the first line is closed.

    Parameters
    ----------
    settings : "path", folders of packages; "modules", what to import
    """
    enter_process_namespace()
    first = socket.socket(fileno=os.dup(0))
    sys.path += settings["path"]
    # not at the top: only now is the path known
    from autograder.guest import worker

    worker.choose_backend(settings["modules"])
    for name in settings["modules"]:
        with suppress(Exception):  # the student's own import reports what is wrong with it
            importlib.import_module(name)
    myself = os.pidfd_open(os.getpid())
    # exit codes of workers are not read here: let the kernel reap them
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for folder in FOLDERS:
        with open(f"{folder}/forkserver", "w"):
            pass  # the self-test looks whether workers see it
    gc.collect()
    # the garbage collector would write to every page that workers share with this process
    gc.freeze()
    lines = [first]
    answer(first)
    while first in lines:
        for line in select.select(lines, [], [])[0]:
            serve(line, lines, myself)


def serve(line: socket.socket, lines: list[socket.socket], myself: int) -> None:
    """Do what is asked for over one of the lines: fork a worker, or take another line; one that was
    closed is struck off.
    """
    try:
        data, handles, _, _ = socket.recv_fds(line, MAX_REQUEST, PIPES)
    except ConnectionResetError:  # its judge ended before it had read all
        data, handles = b"", []
    if not data:
        lines.remove(line)
        line.close()
        return
    if (request := json.loads(data)) is None:
        lines.append(socket.socket(fileno=handles[0]))
        answer(lines[-1])
        return
    try:
        first = fork(request, handles, lines, myself)
        answer(line, first)
        os.close(first)
    except OSError as error:
        answer(line, problem=str(error))
    for pipe in handles:
        os.close(pipe)


def answer(line: socket.socket, handle: int | None = None, problem: str = "") -> None:
    """Answer over a line; a closed one is found by the next read."""
    with suppress(OSError):
        said = json.dumps({"error": problem} if problem else {}).encode()
        socket.send_fds(line, [said], [] if handle is None else [handle])


def enter_process_namespace() -> None:
    """Go on as the first process of a process namespace that the rights of this box extend to.

    Where an ordinary user starts it, bubblewrap's own belongs to a user namespace above this box's,
    and no process in here could come back to it after a worker was forked into another.
    """
    call("unshare", NEWPID)
    if (pid := os.fork()) != 0:
        os.close(0)
        os._exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) & 0xFF)


def fork(request: dict[str, Any], pipes: list[int], lines: list[socket.socket], myself: int) -> int:
    """Fork the first process of a worker's namespace.

    Parameters
    ----------
    request : see `become_worker`
    pipes : requests, replies, output, status: the worker's ends
    lines : connections to judges, which the worker must not keep
    myself : pidfd of this process

    Returns
    -------
    its pidfd
    """
    call("unshare", NEWPID)  # the next child is in it, not this process
    try:
        pid = os.fork()
        if pid == 0:
            try:
                for line in lines:
                    line.close()
                os.close(0)
                become_worker(request, *pipes)
            except BaseException as error:
                with suppress(OSError):
                    os.write(pipes[3], f"{type(error).__name__}: {error}".encode()[:1000])
            finally:
                os._exit(1)
    finally:
        call("setns", myself, NEWPID)  # the child after that is to get one of its own
    return os.pidfd_open(pid)


def become_worker(
    request: dict[str, Any], requests: int, replies: int, printed: int, status: int
) -> None:
    """Drop all privileges, start the worker, wait for it and report its exit code.

    Parameters
    ----------
    request : "scratch", bytes in each writable folder; "keep", files below those folders that must
        stay visible; "limits" and "uid" as `worker.give_up_rights` takes them; "filter", of system
        calls, in hexadecimal digits; "program" and "arguments", Python code to run in place of the
        worker's own, or None
    requests, replies, printed, status : the ends of the pipes
    """
    from autograder.guest import worker

    # a handler would let the worker reach this process with a signal
    for number in (signal.SIGINT, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    os.setsid()
    call("unshare", NEWNS | NEWIPC | NEWUTS | NEWNET)
    with suppress(OSError):  # as bubblewrap does it: kernels may be built without
        call("unshare", NEWCGROUP)
    renew_folders(request["scratch"], request["keep"])
    if request["uid"] is None:
        # no uid is mapped in it: no process in it can change its uid or make a further namespace
        call("unshare", NEWUSER)
    drop_bounding_set()
    worker.give_up_rights(request)
    drop_capabilities()
    forbid_new_privileges()
    install_filter(bytes.fromhex(request["filter"]))
    # the worker may have the same uid: it must not take this process's descriptors
    call("prctl", PR_SET_DUMPABLE, 0, 0, 0, 0)
    pid = os.fork()
    if pid == 0:
        try:
            run_worker(request, requests, replies, printed)
        except BaseException:
            traceback.print_exc()  # to the worker's stderr, as in a fresh box
        finally:
            os._exit(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    for target in (0, 1, 2):
        os.dup2(nothing, target)
    os.dup2(status, 3)
    os.closerange(4, 1 << 20)
    os.write(3, READY)
    wait_for_worker(pid, 3)


def wait_for_worker(pid: int, status: int) -> None:
    """As pid 1 of a namespace: reap its processes, report the worker's exit code, and exit with the
    worker or with the judge.
    """
    judge = select.poll()
    judge.register(status, 0)  # reports only that the reading end is closed
    # A blocked signal waits for sigtimedwait; with a handler instead, the worker could run code of
    # this process by sending it.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    while not judge.poll(0):
        ended, how = os.waitpid(-1, os.WNOHANG)  # orphans are reparented to pid 1
        if ended == pid:
            code = os.waitstatus_to_exitcode(how)
            # in the form of a shell and of bubblewrap: 128 + signal
            os.write(status, b"%d" % (code if code >= 0 else 128 - code))
            os._exit(0)
        if ended == 0:
            signal.sigtimedwait({signal.SIGCHLD}, ALONE)
    os._exit(1)


def run_worker(request: dict[str, Any], requests: int, replies: int, printed: int) -> None:
    """What becomes the student's process."""
    from autograder.guest import worker

    os.setpgid(0, 0)  # the session is this submission's own already, and the filter allows no other
    call("prctl", PR_SET_DUMPABLE, 1, 0, 0, 0)  # the judge looks at how much memory it takes
    for source, target in ((requests, 0), (replies, 1), (printed, 2)):
        os.dup2(source, target)
    os.closerange(3, 1 << 20)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Every worker would draw the same; Python's own generator seeds itself anew.
    if (numpy_random := sys.modules.get("numpy.random")) is not None:
        numpy_random.seed()
    if (torch := sys.modules.get("torch")) is not None:
        torch.default_generator.seed()
    if request["program"] is not None:
        sys.argv = ["-c", *request["arguments"]]
        exec(compile(request["program"], "<program>", "exec"), {"__name__": "__main__"})
        sys.stdout.flush()
        os._exit(0)
    worker.Worker(*worker.take_descriptors()).serve()


def renew_folders(size: int, keep: list[str]) -> None:
    """Put new, empty folders over those that are writable; the mounts below them that hold Python
    or its packages stay.

    The old ones, which no student's code has ever seen, cannot be reached from then on.
    """
    mount("none", "/", "", MS_REC | MS_PRIVATE)
    mount("tmpfs", "/dev/pts", "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=4k")
    options = f"size={size},mode=1777,nr_inodes={MAX_INODES}"
    for folder in FOLDERS:
        kept = [path for path in keep if path.startswith(f"{folder}/")]
        # Mounted beside the old folder, then moved over it: files to keep must stay visible until
        # they are bound.
        place = "/new" if kept else folder
        mount("tmpfs", place, "tmpfs", MS_NOSUID | MS_NODEV, options)
        for path in kept:
            target = place + path.removeprefix(folder)
            make_place(path, target, place)
            mount(path, target, "", MS_BIND | MS_REC)
        if kept:
            mount(place, folder, "", MS_MOVE)
    os.chdir("/box")


def make_place(path: str, target: str, above: str) -> None:
    """Make the file or folder over which another one is to be mounted; every user must be able to
    pass through.
    """
    folders = target if os.path.isdir(path) else os.path.dirname(target)
    parts = folders.removeprefix(above).strip("/").split("/")
    for k in range(len(parts)):
        with suppress(FileExistsError):
            os.mkdir(f"{above}/{'/'.join(parts[: k + 1])}", 0o755)
    if not os.path.isdir(path):
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))


def drop_bounding_set() -> None:
    """Drop every capability from the set of those that a program could ever regain."""
    number = 0
    while libc.prctl(PR_CAPBSET_READ, number, 0, 0, 0) >= 0:
        call("prctl", PR_CAPBSET_DROP, number, 0, 0, 0)
        number += 1


def drop_capabilities() -> None:
    """Drop all that is held now, and make sure that nothing is left."""
    call("prctl", PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    held = (ctypes.c_uint32 * 6)()
    call("capset", header, held)
    call("capget", header, held)
    if any(held):
        raise PermissionError("capabilities are left")


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    """Mount, as mount(2)."""
    call(
        "mount",
        source.encode(),
        target.encode(),
        kind.encode(),
        ctypes.c_ulong(flags),
        options.encode(),
    )


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
