"""Each box has a cgroup that holds it to its limits, where the kernel's version 2 of them is there;
and it is gone afterwards.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from autograder.errors import NotDelegated, OutOfMemory
from autograder.sandbox import bubblewrap, cgroup, run_id
from autograder.sandbox.box import Box
from autograder.sandbox.limits import Limits
from tests.support.worker_client import ask

ROOT = Path(__file__).resolve().parents[3]
MOUNT = "35 24 0:30 / {} rw,nosuid - cgroup2 cgroup2 rw"
GONE = "autograder-000000000000-1-1-1-abcdef"  # of a judge that ran before the machine started

needs_cgroups = pytest.mark.skipif(
    cgroup.hierarchy() is None, reason=f"no cgroups of version 2 here: {cgroup.why_not()}"
)


# --- with files that look like the kernel's, on any machine
# ----------------------------------------------------------------


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Cgroup of this process's, in a folder that stands for the kernel's; it takes what is written
    as the kernel would.
    """
    top = tmp_path / "cgroup"
    top.mkdir()
    make(top, processes="1 2", type=None)
    make(top / "mine", processes=f"{os.getpid()} 77")

    def write(path: Path, text: str) -> None:
        if path.name == "cgroup.procs":
            if not path.exists():
                make(path.parent)
            for file in top.rglob("cgroup.procs"):
                file.write_text(
                    "\n".join(word for word in file.read_text().split() if word != text)
                )
            path.write_text(f"{path.read_text()}\n{text}")
        elif path.name == "cgroup.subtree_control":
            if (path.parent / "cgroup.type").exists() and (
                path.parent / "cgroup.procs"
            ).read_text().split():
                raise OSError(16, "Device or resource busy")
            path.write_text(f"{path.read_text()} {text.removeprefix('+')}")
        elif path.name == "cgroup.kill":
            (path.parent / "cgroup.procs").write_text("")
            (path.parent / "cgroup.events").write_text("populated 0\n")
        else:
            path.write_text(text)

    monkeypatch.setattr(cgroup, "_write", write)
    monkeypatch.setattr(cgroup, "_remove_folder", shutil.rmtree)
    return top


def make(
    folder: Path,
    processes: str = "",
    type: str | None = "domain",
    controllers: str = "cpu memory pids",
) -> Path:
    """Make a cgroup in a folder that stands for the kernel's."""
    folder.mkdir(exist_ok=True)
    files = {
        "procs": processes.replace(" ", "\n"),
        "controllers": controllers,
        "subtree_control": "",
        "kill": "",
    }
    files |= {"events": f"populated {int(bool(processes))}\n"} | ({"type": type} if type else {})
    for name, text in files.items():
        (folder / f"cgroup.{name}").write_text(text)
    return folder


def test_a_cgroup_with_processes_is_emptied_before_others_are_limited_below_it(tree: Path) -> None:
    found = cgroup.prepare(tree / "mine")
    assert found == cgroup.Hierarchy(tree / "mine", cpu=True)
    assert (tree / "mine" / "cgroup.subtree_control").read_text().split() == [
        "memory",
        "pids",
        "cpu",
    ]
    assert (tree / "mine" / "cgroup.procs").read_text().split() == []
    assert (tree / "mine" / cgroup.JUDGE / "cgroup.procs").read_text().split() == [
        str(os.getpid()),
        "77",
    ]
    assert (tree / "cgroup.procs").read_text().split() == ["1", "2"]  # not ours


def test_a_cgroup_below_which_memory_cannot_be_limited_is_refused_with_the_reason(
    tree: Path,
) -> None:
    make(tree / "mine", controllers="hugetlb")
    with pytest.raises(NotDelegated, match="memory and pids cannot be limited there, only hugetlb"):
        cgroup.prepare(tree / "mine")
    assert (tree / "mine" / "cgroup.subtree_control").read_text() == ""


def test_without_version_2_the_reason_is_given() -> None:
    with pytest.raises(NotDelegated, match="not mounted"):
        cgroup.find("30 23 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory", "4:memory:/")


def test_what_systemd_manages_is_left_alone(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 12345)  # whose cgroup "mine" is not
    with pytest.raises(NotDelegated, match="mine does not belong to you"):
        cgroup.find(MOUNT.format(tree), "0::/mine")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert cgroup._candidates(tree, tree / "mine") == [tree]
    monkeypatch.setattr(os, "getxattr", lambda path, name: b"1")
    assert cgroup._candidates(tree, tree / "mine" / cgroup.JUDGE) == [tree / "mine", tree]


def test_a_box_gets_the_limits_of_the_task(tree: Path) -> None:
    limits = Limits(memory=300 << 20, processes=8, scratch=4 << 20)
    group = cgroup.Hierarchy(tree, cpu=False).group(limits)
    assert (group.folder / "memory.max").read_text() == str((300 << 20) + 2 * (4 << 20))
    assert (group.folder / "pids.max").read_text() == str(8 + cgroup.OWN_PROCESSES)
    assert not (group.folder / "cpu.max").exists()
    assert not group.ran_out_of_memory()
    (group.folder / "memory.events").write_text("low 0\nhigh 0\nmax 31\noom 1\noom_kill 2\n")
    assert group.ran_out_of_memory()
    assert group.cpu_seconds() is None
    (group.folder / "cpu.stat").write_text("usage_usec 2500000\nuser_usec 1\n")
    assert group.cpu_seconds() == 2.5
    assert not run_id.is_stale(group.folder.name)


def test_cgroups_of_ended_judges_are_removed_and_no_others(tree: Path) -> None:
    mine = run_id.name()
    for name in (GONE, mine, "somebody-elses"):
        make(tree / name, processes="4711")
    assert cgroup.clean_up(tree) == [GONE]
    assert sorted(path.name for path in tree.iterdir() if path.is_dir()) == sorted(
        ["mine", mine, "somebody-elses"]
    )


# --- with the kernel's own
# --------------------------------------------------------------------------------------------------


FORKS = """\
def forks(number, size):
    import os, time
    made = 0
    for _ in range(number):
        try:
            if os.fork() == 0:
                taken = bytearray(size)
                taken[::4096] = b"1" * len(taken[::4096])
                time.sleep(60)
                os._exit(0)
            made += 1
        except OSError:
            break
    time.sleep(20 if size else 0)
    return made
"""


@pytest.fixture(params=["fresh", "forked"])
def box(request: pytest.FixtureRequest) -> Iterator[Box]:
    isolation = replace(bubblewrap.bubblewrap(), warm=request.param == "forked")
    started = isolation.start(("numpy",), Limits(memory=300 << 20, processes=16))
    ask(started, "read", [FORKS])
    assert ask(started, "run", 0, 0) == ("done",)
    yield started
    started.close()


@needs_cgroups
def test_all_of_a_box_is_in_its_cgroup_and_nothing_is_left(box: Box) -> None:
    assert box.group is not None
    inside = (box.group.folder / "cgroup.procs").read_text().split()
    made = ask(box, "call", "forks", (40, 0), "numpy")[1]
    assert isinstance(made, int) and 8 <= made < 20
    assert len((box.group.folder / "cgroup.procs").read_text().split()) == len(inside) + made
    folder = box.group.folder
    box.close()
    assert not folder.exists()


@needs_cgroups
def test_processes_that_take_too_much_memory_together_are_ended_by_the_kernel(box: Box) -> None:
    with pytest.raises(OutOfMemory, match="more than 300 MiB"):
        ask(box, "call", "forks", (8, 100 << 20), "numpy")


@needs_cgroups
def test_what_a_killed_judge_leaves_is_removed_by_the_next() -> None:
    code = (
        f"import os, sys; sys.path[:0] = {[str(ROOT), *sys.path]!r}\n"
        "from autograder.sandbox import cgroup\n"
        "from autograder.sandbox.box import Limits\n"
        "group = cgroup.make(Limits())\n"
        "if os.fork() == 0:\n"
        "    os.setsid(); group.add(os.getpid()); print(group.folder, flush=True); "
        "os.execv('/bin/sleep', ['sleep', '60'])\n"
        "os.wait()"
    )
    judge = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert judge.stdout is not None
    folder = Path(judge.stdout.readline().strip())
    judge.kill()
    judge.wait()
    judge.stdout.close()
    assert (folder / "cgroup.procs").read_text().split()
    found = cgroup.hierarchy()
    assert found is not None
    cgroup.clean_up(found.folder)  # unless a judge that started meanwhile has done so
    assert not folder.exists()
