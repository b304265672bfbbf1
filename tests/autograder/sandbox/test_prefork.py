"""Forked workers hold as fresh boxes do; where they cannot, fresh boxes are made."""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from autograder.errors import NoForkServer, WorkerDied
from autograder.judge import problem_set
from autograder.judge.judge import grade
from autograder.sandbox import bubblewrap, choose, mounts, prefork, seccomp
from autograder.sandbox.box import Box
from autograder.sandbox.bubblewrap import Bubblewrap
from autograder.sandbox.limits import Limits
from autograder.sandbox.prefork import ForkedProcess
from tests.support.worker_client import ask

NUMPY = ("numpy",)
NAMESPACES = ("pid", "mnt", "ipc", "uts", "net")


def run(box: Box, source: str) -> Any:
    """Run the statements of a cell in a worker; gives what the last one came to."""
    count = len(ask(box, "read", [source])[1][0]["statements"])
    return [ask(box, "run", 0, statement) for statement in range(count)][-1]


@pytest.fixture
def fork_server() -> Iterator[Bubblewrap]:
    """Bubblewrap with fork servers of this test's own."""
    prefork.end_all_servers()
    yield replace(bubblewrap.bubblewrap(), warm=True)
    prefork.end_all_servers()


def processes(box: Box) -> list[psutil.Process]:
    """First process of a box's innermost namespace, and the worker."""
    first = psutil.Process(box.process.pid)
    while True:
        below = first.children()
        if len(below) == 1 and not below[0].children():
            return [first, below[0]]
        first = below[0]


def about(pid: int, name: str) -> str:
    """Value of a line in /proc/PID/status."""
    found = re.search(
        rf"^{name}:[ \t]*(.*)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE
    )
    assert found, name
    return found.group(1)


def test_this_machine_forks_workers() -> None:
    assert choose.probe()[-1].answer.startswith("Yes")
    assert choose.choose().warm  # type: ignore[attr-defined]


def test_a_forked_worker_holds_none_of_the_rights_of_its_fork_server(
    fork_server: Bubblewrap,
) -> None:
    with closing(fork_server.start(NUMPY, Limits())) as box:
        assert isinstance(box.process, ForkedProcess)
        for process in processes(box):
            for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
                assert int(about(process.pid, name), 16) == 0, name
            assert about(process.pid, "NoNewPrivs") == "1" and about(process.pid, "Seccomp") == "2"
            uids = set(map(int, about(process.pid, "Uid").split()))
            assert len(uids) == 1 and (
                uids != {os.geteuid()} if fork_server.as_root else uids == {os.geteuid()}
            )
        assert about(process.pid, "Groups").split() == (
            [] if fork_server.as_root else list(map(str, os.getgroups()))
        )


def test_a_forked_worker_has_the_limits_of_a_fresh_one(fork_server: Bubblewrap) -> None:
    limits = Limits(memory=1 << 30, processes=20, scratch=1 << 20, open_files=50, cpu_seconds=30)
    found = []
    for isolation in (fork_server, replace(fork_server, warm=False)):
        with closing(isolation.start(NUMPY, limits)) as box:
            ask(box, "forget")  # it is up, and has set them
            text = Path(f"/proc/{processes(box)[1].pid}/limits").read_text()
            found.append({line[:25].strip(): line[25:].split() for line in text.splitlines()})
    forked, fresh = found
    assert forked["Max address space"][:2] == [str(1 << 30)] * 2
    # The namespace's first process is one of the worker's, but for root's fresh box.
    more = int(forked.pop("Max processes")[0]) - int(fresh.pop("Max processes")[0])
    assert more == (1 if fork_server.as_root else 0)
    assert forked == fresh


def test_a_forked_worker_holds_its_own_pipes_and_nothing_else(fork_server: Bubblewrap) -> None:
    with closing(fork_server.start(NUMPY, Limits())) as box:
        ask(box, "forget")
        first, worker = processes(box)
        held = {
            who.pid: sorted(
                os.readlink(f"/proc/{who.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{who.pid}/fd")
            )
            for who in ((first, worker) if fork_server.as_root else (worker,))
        }
        mine = [
            os.readlink(f"/proc/self/fd/{stream.fileno()}")
            for stream in (box.process.stdin, box.process.stdout)
        ]
        printed = os.readlink(f"/proc/self/fd/{box.process.stderr.fileno()}")
        status = os.readlink(f"/proc/self/fd/{box.process.status.fileno()}")  # type: ignore[attr-defined]
    assert held[worker.pid] == sorted(["/dev/null", printed, printed, *mine])
    if fork_server.as_root:  # the first process lets nobody look but root
        assert held[first.pid] == sorted(["/dev/null"] * 3 + [status])


def test_judges_that_share_a_fork_server_have_a_connection_each_and_no_worker_holds_one(
    fork_server: Bubblewrap,
) -> None:
    shared = prefork.begin(fork_server, NUMPY)
    assert shared is not None
    with closing(shared):
        one, other = shared.connect(), shared.connect()
        for line in (one, other):
            with closing(line.worker(Limits())) as box:
                ask(box, "forget")
                for process in processes(box) if fork_server.as_root else processes(box)[1:]:
                    place = f"/proc/{process.pid}/fd"
                    held = [os.readlink(f"{place}/{number}") for number in os.listdir(place)]
                    assert held and not [
                        name for name in held if name.startswith(("socket:", "anon_inode:"))
                    ]
        with closing(other.worker(Limits())) as box:
            one.close()  # a judge ended
            other.worker(Limits()).close()
            assert run(box, "import numpy") == ("done",)
        signal.pidfd_send_signal(shared._first, signal.SIGKILL)
        # all in its namespace have ended: it forks nobody any more
        select.select([shared._first], [], [])
        with pytest.raises(NoForkServer, match="the fork server"):
            other.worker(Limits())
        other.close()
        shared._process.wait()
        with pytest.raises(NoForkServer, match="the fork server ended"):
            shared.connect()


def test_two_workers_of_one_fork_server_share_no_namespace_and_no_folder(
    fork_server: Bubblewrap,
) -> None:
    leave = (
        "import ctypes, os, socket\n"
        "libc = ctypes.CDLL(None)\n"
        "def seen(name):\n"
        "    there = [folder for folder in ('/tmp', '/box') if "
        "os.path.exists(f'{folder}/{name}')]\n"
        "    there += ['queue'] * (libc.msgget(7, 0) >= 0)\n"
        "    held = socket.socket(socket.AF_UNIX)\n"
        "    try:\n"
        "        held.connect('\\0held')\n"
        "        there.append('listener')\n"
        "    except OSError:\n"
        "        pass\n"
        "    for folder in ('/tmp', '/box'):\n"
        "        open(f'{folder}/{name}', 'w').close()\n"
        "    assert libc.msgget(7, 0o1666) < 0\n"  # no queue at all: the filter refuses it
        "    global listener\n"
        "    listener = socket.socket(socket.AF_UNIX)\n"
        "    listener.bind('\\0held')\n"
        "    listener.listen()\n"
        "    return sorted(there)\n"
    )
    boxes = [fork_server.start(NUMPY, Limits()) for _ in range(2)]
    spaces = []
    for box in boxes:
        assert run(box, leave) == ("done",)
        assert ask(box, "call", "seen", ("it",), "numpy")[1] == []
        spaces.append(
            [os.stat(f"/proc/{processes(box)[1].pid}/ns/{name}").st_ino for name in NAMESPACES]
        )
    assert all(a != b for a, b in zip(*spaces, strict=True))
    if fork_server.as_root:
        assert len({about(processes(box)[1].pid, "Uid") for box in boxes}) == 2
    boxes[0].close()
    with closing(fork_server.start(NUMPY, Limits())) as third:  # after one, beside another
        run(third, "import os")
        assert run(third, "assert not os.path.exists('/tmp/it') and os.listdir('/box') == []") == (
            "done",
        )
    boxes[1].close()


def test_two_workers_draw_other_random_numbers(fork_server: Bubblewrap) -> None:
    drawn = []
    for _ in range(2):
        with closing(fork_server.start(NUMPY, Limits())) as box:
            run(
                box,
                (
                    "import random\nimport numpy as np\ndef f(): return [random.random(), "
                    "np.random.rand()]"
                ),
            )
            drawn.append(ask(box, "call", "f", (), "numpy")[1])
    assert not {*drawn[0]} & {*drawn[1]}


def kept(fork_server: Bubblewrap) -> prefork.ForkServer:
    """The fork server of this process."""
    found = prefork._places[os.getpid(), fork_server, NUMPY].fork_server
    assert found is not None
    return found


def test_what_a_worker_does_to_itself_leaves_its_fork_server_as_it_was(
    fork_server: Bubblewrap,
) -> None:
    fork_server.start(NUMPY, Limits()).close()
    before = kept(fork_server)
    for source in (
        "import os; os._exit(3)",
        "import os; os.kill(-1, 9)",
        "import os; os.killpg(0, 9)",
        "import os; os.abort()",
        "import numpy; numpy.ones = numpy.zeros = None",
        "import os; [os.close(fd) for fd in range(10)]",
    ):
        with closing(fork_server.start(NUMPY, Limits())) as box:
            try:
                run(box, source)
                run(box, source)
            except WorkerDied:
                pass
    with closing(fork_server.start(NUMPY, Limits())) as box:
        assert run(box, "import numpy; assert numpy.ones(2).sum() == 2") == ("done",)
    assert kept(fork_server) is before


def test_a_fork_server_that_was_killed_is_made_anew(fork_server: Bubblewrap) -> None:
    with closing(fork_server.start(NUMPY, Limits())) as box:
        before = kept(fork_server)
        signal.pidfd_send_signal(before._first, signal.SIGKILL)
        with pytest.raises(WorkerDied, match="SIGKILL"):
            for _ in range(3000):  # the kernel ends all of a namespace, though not at once
                run(box, "pass")
                time.sleep(0.01)
    with closing(fork_server.start(NUMPY, Limits())) as box:
        assert isinstance(box.process, ForkedProcess)
        assert run(box, "import numpy") == ("done",)
    assert kept(fork_server) is not before


def test_without_the_right_to_make_namespaces_each_worker_gets_a_fresh_box(
    fork_server: Bubblewrap, monkeypatch: pytest.MonkeyPatch
) -> None:
    rights = Bubblewrap._rights
    monkeypatch.setattr(Bubblewrap, "_rights", lambda self, fork_server=False: rights(self))
    choose._why_fresh.cache_clear()
    try:
        finding = choose.probe()[-1]
        assert finding.holds and finding.answer.startswith(
            "No, so each submission gets a box with a fresh Python"
        )
        assert "unshare: Operation not permitted" in finding.answer
        assert choose.choose() == bubblewrap.bubblewrap()
    finally:
        choose._why_fresh.cache_clear()
    with closing(fork_server.start(NUMPY, Limits())) as box:
        assert isinstance(box.process, subprocess.Popen)
        assert run(box, "import numpy") == ("done",)


def test_a_processor_whose_calls_are_not_known_gets_fresh_boxes(
    fork_server: Bubblewrap, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seccomp, "build", lambda *args: None)
    with pytest.raises(NoForkServer, match="no filter of system calls is known"):
        prefork.worker(fork_server, NUMPY, Limits())


@pytest.mark.parametrize(
    ("line", "instead", "question"),
    [
        (
            "        os.dup2(source, target)\n    os.closerange(3, 1 << 20)",
            "        os.dup2(source, target)",
            "hold what is not",
        ),
        ("    worker.give_up_rights(request)", "    pass", "fork without end"),
        (
            "    renew_folders(request",
            "    0 and renew_folders(request",
            "its folders its own? It sees /tmp/forkserver",
        ),
        (
            '    call("unshare", NEWPID)  # the next',
            "    0  # the next",
            "a process namespace of its own",
        ),
    ],
)
def test_a_forked_worker_that_does_not_hold_is_found_out(
    line: str,
    instead: str,
    question: str,
    fork_server: Bubblewrap,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if "give_up_rights" in line and not fork_server.as_root:
        pytest.skip(
            "what tries out a box sets a limit on processes itself, which holds for an "
            "ordinary user"
        )
    package = tmp_path / "autograder"
    (package / "guest").mkdir(mode=0o755, parents=True)
    for name in mounts.SHIPPED:
        shutil.copy(mounts.PACKAGE / name, package / name)
    source = (package / "guest" / "forkserver.py").read_text()
    assert source.count(line) == 1
    (package / "guest" / "forkserver.py").write_text(source.replace(line, instead))
    monkeypatch.setattr(mounts, "PACKAGE", package)
    choose._why_fresh.cache_clear()
    try:
        assert question in choose.probe()[-1].answer
        assert not choose.choose().warm  # type: ignore[attr-defined]
    finally:
        choose._why_fresh.cache_clear()


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (
            (
                "import threading, time; threading.Thread(target=time.sleep, args=(99,), "
                "daemon=True).start()"
            ),
            "1 threads",
        ),
        ("import mmap; held = mmap.mmap(-1, 4096)", "memory that can be shared"),
    ],
)
def test_a_package_that_a_fork_would_not_copy_whole_gets_fresh_boxes(
    source: str,
    reason: str,
    fork_server: Bubblewrap,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = "not_to_fork_" + reason.split()[-1]
    (tmp_path / f"{name}.py").write_text(source)
    (tmp_path / f"{name}-1.dist-info").mkdir()
    (tmp_path / f"{name}-1.dist-info" / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n"
    )
    (tmp_path / f"{name}-1.dist-info" / "RECORD").write_text(f"{name}.py,,\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    packages = ("numpy", name)
    with pytest.raises(NoForkServer, match=reason):
        prefork.worker(fork_server, packages, Limits())
    with closing(fork_server.start(packages, Limits())) as box:
        assert isinstance(box.process, subprocess.Popen)
        assert run(box, f"import {name}") == ("done",)


def test_tensorflow_is_never_forked(fork_server: Bubblewrap) -> None:
    for name in ("tensorflow-cpu", "Tensorflow_CPU"):
        with pytest.raises(NoForkServer, match="tensorflow-cpu cannot be forked"):
            prefork.worker(fork_server, ("numpy", name), Limits())


CHECKS = """
import numpy as np
from verdict import Case, Check

PACKAGES = ("numpy", {package!r})
draw = lambda rng: [Case("", (rng.normal(size=(2, 3, 4)),))]
CHECKS = [
    Check("gradient", "The gradient of a sum of squares.", "gradient", 1, cases=draw,
          expected=lambda x: 2 * x, outputs="dx"),
    Check("layer", "A layer with weights of 0.1.", "layer", 1, cases=draw,
          expected=lambda x: reference(x), outputs="h"),
]


def reference(x):
    h = c = np.zeros((x.shape[0], 5))
    for t in range(x.shape[1]):
        a = 0.1 * (x[:, t].sum(1, keepdims=True) + h.sum(1, keepdims=True)) * np.ones(5)
        i = 1 / (1 + np.exp(-a))
        c = i * c + i * np.tanh(a)
        h = i * np.tanh(c)
    return h
"""
CELLS = {
    "torch": """
import torch
from torch import nn

def gradient(x):
    x = torch.tensor(x, requires_grad=True)
    (x * x).sum().backward()
    return x.grad.numpy()

def layer(x):
    lstm = nn.LSTM(4, 5, batch_first=True, dtype=torch.float64)
    for name, parameter in lstm.named_parameters():
        nn.init.constant_(parameter, 0.1 if "weight" in name else 0.0)
    optimizer = torch.optim.Adam(lstm.parameters())
    h, _ = lstm(torch.tensor(x))
    h.sum().backward()
    assert all(parameter.grad is not None for parameter in lstm.parameters())
    return h[:, -1].detach().numpy()
""",
    "tensorflow-cpu": """
import keras
import tensorflow as tf

def gradient(x):
    x = tf.Variable(x)
    with tf.GradientTape() as tape:
        y = tf.reduce_sum(x * x)
    return tape.gradient(y, x).numpy()

def layer(x):
    tenth = keras.initializers.Constant(0.1)
    lstm = keras.layers.LSTM(5, dtype="float64",
                             kernel_initializer=tenth, recurrent_initializer=tenth,
                             bias_initializer="zeros", unit_forget_bias=False)
    return lstm(x).numpy()
""",
}


@pytest.mark.parametrize("package", CELLS)
def test_tasks_of_pytorch_and_of_keras_are_graded_inside_the_box(
    package: str, fork_server: Bubblewrap, tmp_path: Path
) -> None:
    folder = tmp_path / "solutions" / "tiny"
    folder.mkdir(parents=True)
    (folder / "checks.py").write_text(CHECKS.format(package=package))
    tiny = problem_set.load("tiny", tmp_path)
    record = grade([CELLS[package]], tiny, seed="a", isolation=fork_server)
    assert record.score == record.max_score == 2, record.to_json()
    assert not record.notes and not record.output, record.to_json()
    places: dict[Any, Any] = {key[2]: place.fork_server for key, place in prefork._places.items()}
    assert (places.get(("numpy", package)) is not None) == (package == "torch")
