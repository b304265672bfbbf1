"""The box holds, says why when it cannot be made, and is never replaced by a weaker one in
silence.
"""

from __future__ import annotations

import os
import re
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import psutil
import pytest

from autograder.errors import IsolationError, WorkerDied, WorkerTimeout
from autograder.sandbox import bubblewrap, choose
from autograder.sandbox.box import FEW_DESCRIPTORS, socket_bytes
from autograder.sandbox.bubblewrap import Box, Bubblewrap, Limits
from autograder.sandbox.mounts import Bind, installation
from autograder.sandbox.prefork import ForkedProcess
from tests.support.hostile import FORMS, NAMES, forms
from tests.support.worker_client import ask, missing_modules, shipped_files, shipped_modules

ROOT = Path(__file__).resolve().parents[3]
# Hostile cells that the judge's clock ends, after eight seconds or more each
THE_CLOCK = (
    "asks_without_end", "hangs_wherever_it_is_asked", "imports_slowly", "loops_for_ever"
)  # fmt: skip
HOSTILE_TEST = "test_a_hostile_cell_earns_what_its_honest_part_is_worth_and_harms_nothing"


def run(box: Box, source: str) -> tuple[object, ...]:
    """Run one statement in a worker."""
    ask(box, "read", [source])
    return ask(box, "run", 0, 0)


@pytest.fixture(params=["fresh", "warm", "unsafe-local"])
def box(request: pytest.FixtureRequest) -> Iterator[Box]:
    isolation = choose.choose(unsafe_local=request.param == "unsafe-local")
    if request.param != "unsafe-local":
        isolation = replace(bubblewrap.bubblewrap(), warm=request.param == "warm")
    started = isolation.start(("numpy",), Limits())
    assert isinstance(started.process, ForkedProcess) == (request.param == "warm")
    yield started
    started.close()


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="a kernel without autogroups")
def test_a_worker_is_as_nice_as_who_grades(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    run(box, "x = 1")
    process = psutil.Process(box.process.pid)
    one = [process, *process.children(recursive=True)][-1]
    group = Path(f"/proc/{one.pid}/autogroup")
    monkeypatch.setattr(os, "getpriority", lambda which, who: 7)
    box.take_niceness()
    assert group.read_text().endswith("nice 7\n")


def test_what_many_sockets_may_hold_counts_as_memory() -> None:
    assert socket_bytes([os.getpid()]) == 0  # of a few nothing is said
    pairs = [socket.socketpair() for _ in range(FEW_DESCRIPTORS)]
    try:
        one = 2 * int(Path("/proc/sys/net/core/wmem_max").read_text())
        assert socket_bytes([os.getpid()]) >= 2 * FEW_DESCRIPTORS * one
        assert socket_bytes([0]) == 0  # of a process that has ended
    finally:
        for pair in pairs:
            for end in pair:
                end.close()


def test_every_attempt_of_the_probe_fails_in_the_box() -> None:
    findings = choose.probe()
    assert len(findings) == 17
    assert [f for f in findings if not f.holds] == []


def test_a_box_that_leaks_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    namespaces = Bubblewrap._namespaces
    monkeypatch.setattr(
        Bubblewrap,
        "_namespaces",
        lambda self: [r for r in namespaces(self) if r != "--unshare-net"],
    )
    assert [f.question for f in choose.probe() if not f.holds] == [
        "Does it reach the network of this machine?"
    ]
    with pytest.raises(IsolationError, match="--unsafe-local"):
        choose.choose()


def test_a_box_that_shows_too_much_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    files = bubblewrap.mounts_for
    shown = Bind(Path("/etc"), Path("/etc"))
    monkeypatch.setattr(bubblewrap, "mounts_for", lambda *args: [shown, *files(*args)])
    found = [f.question for f in choose.probe() if not f.holds]
    assert found == ["Can it read the list of users?"]


def test_a_worker_answers_with_arrays(box: Box) -> None:
    run(box, "def double(x): return 2 * x")
    answer = ask(box, "call", "double", (np.arange(3.0),), "numpy")
    assert answer[0] == "value"
    np.testing.assert_array_equal(answer[1], [0.0, 2.0, 4.0])


def test_guest_and_the_comparison_are_all_of_this_repository_in_the_box(box: Box) -> None:
    run(box, "import os, sys")
    run(box, "up = os.path.dirname")
    run(box, "code = up(up(up(sys.modules['autograder.guest'].__file__)))")
    run(
        box,
        (
            "def files(): return [os.path.join(at, name) for at, _, names in os.walk(code) for "
            "name in names]"
        ),
    )
    kind, found = ask(box, "call", "files", (), "numpy")
    ours = {Path(file).name: file for file in found if "__pycache__" not in file}
    shown = {file[file.index("/worker/") :] for file in ours.values()}
    assert kind == "value" and shown == {str(path) for path in shipped_files()}


def test_only_the_allowed_packages_can_be_imported(box: Box) -> None:
    for name in ("numpy", "verdict.tensors", *sorted(shipped_modules() & set(sys.modules))):
        assert run(box, f"import {name}") == ("done",), name
    for name in ("psutil", "pytest", *missing_modules()):
        assert find_spec(name), f"{name} is nowhere: that it is not in the box shows nothing"
        answer = run(box, f"import {name}")
        assert answer[:2] == ("error", "ModuleNotFoundError"), name


def test_what_is_printed_is_kept_to_its_last_words(box: Box) -> None:
    run(box, "for k in range(100_000): print('line', k)")
    run(box, "import sys; print('to the other stream', file=sys.stderr)")
    box.close()
    assert (
        box.printed().endswith("line 99999\nto the other stream\n") or "line 99999" in box.printed()
    )
    assert len(box.printed()) <= Limits().output


def test_the_environment_of_the_judge_stays_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOGRADER_TEST_SECRET", "hidden")
    for isolation in (choose.choose(), choose.choose(unsafe_local=True)):
        box = isolation.start(("numpy",), Limits())
        answer = run(box, "import os; assert 'AUTOGRADER_TEST_SECRET' not in os.environ")
        box.close()
        assert answer == ("done",)


def test_a_worker_that_ends_is_reported_with_how_it_ended(box: Box) -> None:
    with pytest.raises(WorkerDied, match="exit status 7"):
        run(box, "__import__('os')._exit(7)")


def test_what_is_sent_right_before_the_end_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """It sends and ends after the judge has looked at the pipe in vain, and before it looks whether
    it lives.
    """
    install = installation(())
    code = [str(install.python), "-I", "-S", "-c", "input(); print('late')"]
    started = bubblewrap.bubblewrap().run(code, install, Limits())
    look = started.process.poll

    def poll() -> int | None:
        if look() is None:
            assert started.process.stdin is not None
            os.write(started.process.stdin.fileno(), b"\n")
            started.process.wait(timeout=60)
        return look()

    monkeypatch.setattr(started.process, "poll", poll)
    assert started.read(5, time.monotonic() + 60) == b"late\n"
    started.close()


def test_a_worker_that_a_signal_ends_is_reported_with_its_name(box: Box) -> None:
    with pytest.raises(WorkerDied, match="SIGSEGV"):
        run(box, "__import__('os').kill(__import__('os').getpid(), 11)")


def test_a_worker_that_does_not_answer_is_given_up_at_the_deadline(box: Box) -> None:
    with pytest.raises(WorkerTimeout):
        box.read(1, time.monotonic() + 0.2)


def test_closing_ends_processes_that_left_the_group() -> None:
    box = choose.choose().start(("numpy",), Limits())
    source = (
        "import os, time\nif os.fork() == 0:\n    os.setpgid(0, 0)\n    time.sleep(60)\n    "
        "os._exit(0)"
    )
    ask(box, "read", [source])
    assert ask(box, "run", 0, 0) == ("done",)
    assert ask(box, "run", 0, 1) == ("done",)
    assert box.first is not None
    watch = os.dup(box.first)
    box.close()
    # A pidfd can be read when its process has ended; the kernel ends the first process of a
    # namespace after all others.
    assert select.select([watch], [], [], 0)[0]
    os.close(watch)


@pytest.mark.parametrize("warm", [False, True])
def test_a_box_ends_with_the_judge(warm: bool) -> None:
    # The worker is kept from noticing by itself that nobody asks it any more.
    code = (
        f"import sys, time; sys.path[:0] = {[str(ROOT), *sys.path]!r}\n"
        "from autograder.sandbox import bubblewrap as sandbox\n"
        "from autograder.sandbox.box import Limits\n"
        "from autograder.guest.protocol import Encoder\n"
        "from tests.support.worker_client import ask\n"
        "from dataclasses import replace\n"
        f"box = replace(sandbox.bubblewrap(), warm={warm}).start(('numpy',), Limits())\n"
        "ask(box, 'read', ['import time; time.sleep(60)'])\n"
        "ask(box, 'run', 0, 0)\n"
        "box.send(Encoder().encode(('run', 0, 1)), time.monotonic() + 60)\n"
        "about = open(f'/proc/self/fdinfo/{box.first}').read()\n"
        "print(about.split('Pid:')[1].split()[0], flush=True)\n"
        "time.sleep(60)"
    )
    judge = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert judge.stdout is not None
    first = os.pidfd_open(int(judge.stdout.readline()))
    judge.kill()
    judge.communicate()
    assert select.select([first], [], [], 30)[0], "the box outlived the judge"
    os.close(first)


def test_a_process_cannot_take_more_memory_than_allowed() -> None:
    box = choose.choose().start(("numpy",), Limits(memory=512 << 20))
    assert run(box, "small = bytearray(1 << 20)") == ("done",)
    # asked for, and never touched: the kernel refuses, not the watch
    answer = run(box, "large = bytearray(1 << 30)")
    box.close()
    assert answer[:2] == ("error", "MemoryError")


def test_without_bubblewrap_it_refuses_and_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shutil, "which", lambda *args, **kwargs: None)
    with pytest.raises(IsolationError, match="not installed") as caught:
        choose.choose()
    assert "apt-get install bubblewrap" in caught.value.remedy
    assert "--unsafe-local" in caught.value.remedy


def fake_bubblewrap(folder: Path, options: str, complaint: str) -> str:
    """Program that knows the options and then complains."""
    program = folder / "bwrap"
    program.write_text(
        f'#!/bin/sh\n[ "$1" = --help ] && echo "{options}" && exit 0\necho "{complaint}" >&2\n'
        "exit 1\n"
    )
    program.chmod(0o755)
    return str(program)


def test_an_old_bubblewrap_is_refused_by_what_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = fake_bubblewrap(tmp_path, "--args --info-fd --perms", "")
    monkeypatch.setattr(shutil, "which", lambda *args, **kwargs: program)
    with pytest.raises(IsolationError, match="has no --size"):
        choose.choose()


def test_forbidden_user_namespaces_are_refused_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    complaint = "bwrap: setting up uid map: Permission denied"
    program = fake_bubblewrap(tmp_path, "--args --info-fd --perms --size", complaint)
    monkeypatch.setattr(shutil, "which", lambda *args, **kwargs: program)
    with pytest.raises(IsolationError, match="Permission denied") as caught:
        choose.choose()
    assert "apparmor_restrict_unprivileged_userns" in caught.value.remedy
    assert "Docker" in caught.value.remedy


def test_only_unsafe_local_is_unsafe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *args, **kwargs: None)
    assert choose.choose(unsafe_local=True).level == "unsafe-local"


def test_a_package_that_is_not_there_cannot_be_allowed() -> None:
    with pytest.raises(Exception, match="no-such-package"):
        choose.choose().start(("no-such-package",), Limits())


@pytest.mark.skipif(
    os.geteuid() != 0, reason="every other test here already runs as an ordinary user"
)
def test_the_box_holds_hostile_cells_for_an_ordinary_user_too(tmp_path: Path) -> None:
    # Python, its packages and this folder are shown at places that every user can read, in a mount
    # namespace of its own.
    folder = Path(tempfile.mkdtemp(prefix="autograder-"))
    folder.chmod(0o755)
    sources = {"python": Path(sys.base_prefix).resolve(), "course": ROOT}
    sources["site"] = next(Path(p) for p in sys.path if p.endswith("-packages"))
    mounts = []
    for name, source in sources.items():
        (folder / name).mkdir()
        mounts.append(f"mount --bind '{source}' '{folder / name}'")
    python = folder / "python" / Path(sys.executable).resolve().relative_to(sources["python"])
    here = folder / "course" / Path(__file__).parent.relative_to(ROOT)
    tests = [f"{here}/{name}" for name in ("test_hostile.py", "test_sandbox.py", "test_prefork.py")]
    # Root has tried every cell in both forms; here one of them, by turns, is left out.
    test = f"{Path(__file__).parent.relative_to(ROOT)}/test_hostile.py::{HOSTILE_TEST}"
    both = [name for name in NAMES if forms(name) == FORMS]
    left_out = [f"{test}[{FORMS[k % 2]}-{name}]" for k, name in enumerate(both)]
    # Whose clock ends a worker does not depend on its user; that it can be ended is asked by
    # loops_in_a_cell, and by those that take memory.
    left_out += [f"{test}[warm-{name}]" for name in THE_CLOCK]
    arguments = [
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        f"{folder}/course",
        "-c",
        f"{folder}/course/pyproject.toml",
        "-k",
        # Large packages need the same for every user. A problem set's notebook is read with
        # nbgrader, which imports SSL, and the libraries of this Python's need not be where an
        # ordinary user can load them.
        "not inside_the_box and not in_a_problem_set",
        *(f"--deselect={name}" for name in left_out),
        *tests,
    ]
    code = (
        f"import os, sys; sys.path[:0] = ['{folder}/course', '{folder}/site']; assert os.getuid() "
        "== 1879050000\n"
        f"import pytest; sys.exit(pytest.main({arguments!r}))"
    )
    become = (
        "setpriv --reuid=1879050000 --regid=1879050000 --clear-groups env -i PATH=/usr/bin:/bin "
        "HOME=/nonexistent"
    )
    script = " && ".join([*mounts, f"exec {become} '{python}' -I -B -c \"$1\""])
    try:
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", script, "sh", code],
            capture_output=True,
            text=True,
            cwd=folder,
            timeout=500,
            check=False,
        )
    finally:
        # empty here: the mounts were seen in that namespace only. Never remove what is in them
        for name in sources:
            (folder / name).rmdir()
        folder.rmdir()
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    assert "passed" in done.stdout and "failed" not in done.stdout
    deselected = re.search(r"(\d+) deselected", done.stdout)
    assert deselected and int(deselected.group(1)) >= len(left_out) > 50, done.stdout[-1000:]
