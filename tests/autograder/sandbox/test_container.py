"""Boxes made by podman and docker hold what bubblewrap's hold, and leave nothing behind; and who
takes the place of whom.
"""

from __future__ import annotations

import errno
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autograder.errors import IsolationError, OutOfMemory
from autograder.judge import problem_set
from autograder.judge.judge import grade
from autograder.sandbox import choose, container, run_id, seccomp
from autograder.sandbox.box import Box
from autograder.sandbox.container import Container
from autograder.sandbox.finding import Finding
from autograder.sandbox.limits import Limits
from autograder.sandbox.mounts import Bind, ReadOnly, Tmpfs, installation, mounts_for
from autograder.sandbox.selftest import self_test
from tests.autograder.sandbox.test_cgroup import FORKS
from tests.support.hostile import FOLDER, HONEST, LIMITS, Watched, World, head
from tests.support.worker_client import ask

ROOT = Path(__file__).resolve().parents[3]


# --- on any machine
# --------------------------------------------------------------------------------------------------


def test_a_container_holds_what_bubblewraps_box_holds(tmp_path: Path) -> None:
    wanted = mounts_for(installation(("numpy",)), Limits(scratch=4 << 20))
    made = container.lay_out(wanted, tmp_path)
    given = list(zip(made.options[::2], made.options[1::2], strict=True))
    bound = [(mount.source, mount.target) for mount in wanted if isinstance(mount, Bind)]
    mounts = [value for option, value in given if option == "--mount"]
    assert all(mount.endswith(",readonly") for mount in mounts)
    for source, target in bound:
        assert f"type=bind,source={source},target={target},readonly" in mounts
    hidden = [mount for mount in mounts if f"source={tmp_path}" in mount]
    assert len(mounts) == len(bound) + len(hidden)
    assert len(hidden) == len(installation(("numpy",)).hidden)
    written = [value for option, value in given if option == "--tmpfs"]
    assert [value.split(":")[0] for value in written] == ["/tmp", "/box"]
    assert all("size=4194304" in value and "nosuid" in value for value in written)
    assert made.workdir == "/box"
    files = [path for path in tmp_path.rglob("*") if path.is_file() and not path.is_symlink()]
    assert files and all(path.stat().st_size == 0 for path in files)


def test_packages_in_a_hidden_folder_are_bound_over_places_in_what_hides_it(tmp_path: Path) -> None:
    source = tmp_path / "numpy"
    source.mkdir()
    folder = Path("/usr/lib/site-packages")
    wanted = [Tmpfs(folder, 65536), Bind(source, folder / "numpy"), ReadOnly(folder)]
    made = container.lay_out(wanted, tmp_path / "place")
    assert (
        f"source={tmp_path}/place/hidden-0,target=/usr/lib/site-packages,readonly"
        in made.options[1]
    )
    assert [path.name for path in (tmp_path / "place" / "hidden-0").iterdir()] == ["numpy"]


def test_a_path_that_cannot_be_told_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IsolationError, match="comma"):
        container.lay_out([Bind(Path("/opt/a,b"), Path("/opt/a,b"))], tmp_path)


def decide(name: str, *arguments: int) -> int | None:
    """What the profile answers to a system call, as the kernel will: the number of the error, None
    where it lets it through.
    """
    for rule in seccomp.profile()["syscalls"]:
        tests = {
            "SCMP_CMP_EQ": lambda given, value, _: given == value,
            "SCMP_CMP_GT": lambda given, value, _: given > value,
            "SCMP_CMP_MASKED_EQ": lambda given, mask, value: given & mask == value,
        }
        held = (
            tests[a["op"]](arguments[a["index"]], a["value"], a["valueTwo"])
            for a in rule.get("args", ())
        )
        if name in rule["names"] and all(held):
            return int(rule["errnoRet"])
    return None


def test_the_profile_refuses_what_the_filter_of_bubblewrap_refuses() -> None:
    assert seccomp.profile()["defaultAction"] == "SCMP_ACT_ALLOW"
    assert {decide(name) for name in seccomp.DENIED} == {errno.EPERM}
    assert decide("openat") is None and decide("clone3") == errno.ENOSYS
    for family in [*range(50), (1 << 32) + 40]:
        assert decide("socket", family) == (None if family in seccomp.FAMILIES else errno.EPERM), (
            family
        )
    assert decide("clone", 0x11) is None and decide("clone", 0x3D0F00) is None
    for bit in (17, 25, 26, 27, 28, 29, 30):
        assert decide("clone", 0x11 | 1 << bit) == errno.EPERM, bit
    for request in seccomp.TERMINAL_REQUESTS:
        assert decide("ioctl", 0, request) == decide("ioctl", 0, request | 1 << 32) == errno.EPERM
    assert decide("ioctl", 0, 0x5401) is None


def nothing(level: str) -> list[Finding]:
    """Findings of a level that is not there."""
    return [Finding(f"Is {level} there?", False, f"{level} is not installed.", f"Install {level}.")]


@pytest.fixture
def levels(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Finding]]:
    """What each level holds on a pretended machine; nothing is there until a test says so."""
    there = {level: nothing(level) for level in choose.LEVELS}
    monkeypatch.setenv("AUTOGRADER_ISOLATION", "auto")
    monkeypatch.setattr(choose, "probe", lambda: there["bubblewrap"])
    monkeypatch.setattr(choose, "probe_container", lambda level: there[level])
    monkeypatch.setattr(choose, "container", lambda level: Container(f"/usr/bin/{level}", level))
    return there


def test_the_first_level_that_holds_is_taken(
    levels: dict[str, list[Finding]], monkeypatch: pytest.MonkeyPatch
) -> None:
    holds = Finding("Does it make a box?", True, "Yes.")
    levels["docker"] = [holds]
    assert choose.choose().level == "docker"
    levels["podman"] = [holds]
    assert choose.choose().level == "podman"
    levels["podman"] = [
        holds,
        Finding("Does it reach the network?", False, "yes", "Do not grade here."),
    ]
    assert choose.choose().level == "docker"
    monkeypatch.setenv("AUTOGRADER_ISOLATION", "podman")  # the others are no substitute then
    with pytest.raises(IsolationError, match="reach the network"):
        choose.choose()


@pytest.mark.usefixtures("levels")
def test_where_nothing_holds_it_refuses_with_every_reason_and_remedy() -> None:
    with pytest.raises(IsolationError) as caught:
        choose.choose()
    for level in choose.LEVELS:
        assert f"{level} is not installed." in caught.value.reason
        assert f"{level}: Install {level}." in caught.value.remedy
    assert "--unsafe-local" in caught.value.remedy


def test_a_level_that_does_not_exist_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOGRADER_ISOLATION", "chroot")
    with pytest.raises(
        IsolationError, match="'chroot'; expected auto, bubblewrap, podman or docker"
    ):
        choose.choose()


@pytest.mark.parametrize(
    ("level", "complaint", "remedy"),
    [
        (
            "docker",
            "Cannot connect to the Docker daemon at unix:///var/run/docker.sock.",
            "systemctl start docker",
        ),
        (
            "podman",
            "Error: cannot find UID/GID for user me: no subuid ranges found",
            "--add-subuids",
        ),
    ],
)
def test_a_complaint_is_passed_on_with_what_to_do(
    level: str, complaint: str, remedy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / level
    program.write_text(f"#!/bin/sh\necho '{complaint}' >&2\nexit 125\n")
    program.chmod(0o755)
    monkeypatch.setattr(
        shutil, "which", lambda name, path=None: str(program) if name == level else None
    )
    (finding,) = choose.probe_container(level)
    assert not finding.holds
    assert complaint in finding.answer
    assert remedy in finding.remedy


def test_a_thing_is_left_behind_only_when_its_judge_has_ended() -> None:
    assert not run_id.is_stale(run_id.name())
    judge = subprocess.Popen(["/bin/sleep", "60"])
    name = f"autograder-{run_id.process_id(judge.pid)}-abcdef"
    assert not run_id.is_stale(name)
    judge.kill()
    judge.wait()
    assert run_id.is_stale(name)
    of_another_boot = name.replace(name.split("-")[1], "000000000000")
    assert run_id.is_stale(of_another_boot)
    # it may be another machine's, which runs
    assert not run_id.is_stale(of_another_boot, shared=True)
    elsewhere = name.split("-")
    # another process namespace: whether its judge lives cannot be seen from here
    elsewhere[2] = "1"
    assert not run_id.is_stale("-".join(elsewhere))


# --- where podman or docker is installed and starts a container
# -----------------------------------------------------------------


@pytest.fixture(scope="module", params=["podman", "docker"])
def boxes(request: pytest.FixtureRequest) -> Container:
    try:
        return container.container(request.param)
    except IsolationError as error:
        pytest.skip(f"no containers of {request.param} here: {error.reason}")


@pytest.fixture
def box(boxes: Container) -> Iterator[Box]:
    started = boxes.start(("numpy",), Limits(memory=300 << 20))
    yield started
    started.close()


def test_every_attempt_of_the_probe_fails_in_a_container(boxes: Container) -> None:
    findings = self_test(boxes)
    assert len(findings) > 10
    assert [finding for finding in findings if not finding.holds] == []


def test_a_container_that_leaks_is_found_out(
    boxes: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = Container._arguments

    def leaking(*given: Any) -> list[str]:
        found = arguments(*given)
        return ["host" if found[k - 1] == "--network" else word for k, word in enumerate(found)]

    monkeypatch.setattr(Container, "_arguments", leaking)
    broken = [finding.question for finding in self_test(boxes) if not finding.holds]
    assert "Does it reach the network of this machine?" in broken


def test_arrays_cross_unchanged_and_what_is_printed_goes_elsewhere(box: Box) -> None:
    ask(box, "read", ["def double(x):\n    print('seen')\n    return 2 * x"])
    ask(box, "run", 0, 0)
    # every byte there is
    x = np.frombuffer(np.random.default_rng(0).bytes(1 << 20), dtype=np.uint8)
    answer = ask(box, "call", "double", (x,), "numpy")
    np.testing.assert_array_equal(answer[1], 2 * x)
    box.close()
    assert box.printed() == "seen\n"


def test_processes_that_take_too_much_memory_together_are_ended(box: Box) -> None:
    ask(box, "read", [FORKS])
    ask(box, "run", 0, 0)
    with pytest.raises(OutOfMemory, match="more than 300 MiB"):
        ask(box, "call", "forks", (8, 100 << 20), "numpy")


@pytest.mark.parametrize(
    "name",
    ["honest", "forks", "fills_memory", "knocks_everywhere", "leaves_an_orphan", "forges_frames"],
)
def test_a_hostile_cell_gains_nothing_in_a_container(
    name: str, boxes: Container, world: World
) -> None:
    watched = Watched(boxes, level=boxes.level)  # type: ignore[arg-type]
    cells = [HONEST, world.facts(), (FOLDER / f"{name}.cell").read_text()]
    before = world.as_it_is()
    record = grade(
        cells,
        problem_set.load(FOLDER),
        seed=world.secret,
        isolation=watched,  # type: ignore[arg-type]
        limits=LIMITS[""],
    )
    assert record.score == float(head(name, "earns")), record.to_json()
    assert record.isolation == boxes.level
    assert head(name, "says") in " ".join(check.message for check in record.checks), (
        record.to_json()
    )
    assert "BREACH" not in record.output, record.output
    assert world.reached() == []
    assert world.as_it_is() == before
    assert watched.namespaces and watched.survivors() == []
    watched.close()


JUDGE = """
import sys, time; sys.path[:0] = {path!r}
from autograder.sandbox import container
from autograder.sandbox.box import Limits
from autograder.sandbox.mounts import installation
install = installation(())
code = "import os, time\\nif os.fork() == 0: os.setpgid(0, 0)\\ntime.sleep(300)"
command = [str(install.python), "-I", "-S", "-c", code]
box = container.Container(*{boxes!r}).run(command, install, Limits())
print(box.pid, box.name, box.reaper.process.pid, box.reaper.folder, flush=True)
time.sleep(300)
"""


@pytest.mark.parametrize("reaper_dies", [False, True], ids=["judge", "judge and reaper"])
def test_nothing_is_left_of_a_killed_judges_containers(boxes: Container, reaper_dies: bool) -> None:
    given = (boxes.program, str(boxes.level), boxes.options, boxes.limited)
    code = JUDGE.format(path=[str(ROOT), *sys.path], boxes=given)
    judge = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert judge.stdout is not None
    number, name, reaper, folder = judge.stdout.readline().split()
    first = os.pidfd_open(int(number))
    if reaper_dies:
        os.kill(int(reaper), signal.SIGKILL)
    judge.kill()
    judge.communicate()
    if reaper_dies:
        assert not select.select([first], [], [], 0)[0]
        assert name in container.clean_up(boxes.program, boxes.level)
    assert select.select([first], [], [], 30)[0], "the container outlived the judge"
    os.close(first)
    deadline = time.monotonic() + 60
    while os.path.exists(folder) and time.monotonic() < deadline:  # removed last
        time.sleep(0.05)
    assert not os.path.exists(folder)
    listed = subprocess.run(
        [boxes.program, "ps", "--all", "--format", "{{.Names}}"], capture_output=True, text=True
    )
    assert name not in listed.stdout


def test_a_closed_box_leaves_no_container_and_no_file(boxes: Container) -> None:
    started = boxes.start(("numpy",), Limits())
    started.close()
    reaper = container._reaper_of(boxes.program, boxes.level)
    container._reapers.clear()
    reaper.end()
    assert not reaper.folder.exists()
    listed = subprocess.run(
        [boxes.program, "ps", "--all", "--format", "{{.Names}}"], capture_output=True, text=True
    )
    assert started.name not in listed.stdout  # type: ignore[attr-defined]


def test_the_reaper_ends_with_what_it_was_told_to_run() -> None:
    folder = Path(tempfile.mkdtemp())
    done = subprocess.run(
        ["/bin/sh", "-c", container.REAPER, "sh", "mark", str(folder), "/bin/echo"],
        input=b"one\n",
        capture_output=True,
        env={"WAIT": "--time=0"},
        check=True,
    )
    said = done.stdout.decode().splitlines()
    assert said[0] == "rm --force --time=0 --volumes one"
    assert "label=autograder=mark" in said[1]
    assert not folder.exists()
