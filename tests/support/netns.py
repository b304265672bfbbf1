"""Machines of a pretend network: each has an address, a host name, processes and mounts of its own,
and a cable that can be cut.

They are made of Linux namespaces: one network namespace for each machine and one for the switch
between them, joined by pairs of virtual cards. Nothing else of this machine's network is touched,
and from within no other address can be reached. A machine ends with the process that made it,
however that ends.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

PREFIX = "inside-the-lstm-"
NOBODY = 65534
# The first process of a machine: it adopts what has lost its parent, and ends when nobody holds the
# other end of its stdin.
FIRST = """
set -e
echo "$1" > /proc/sys/kernel/hostname; shift
for folder in "$@"; do mount -t tmpfs -o size=64k hidden "$folder"; done
trap "" CHLD
echo ready
exec cat
"""


def why_not() -> str:
    """Why machines cannot be made here; empty where they can."""
    if os.geteuid() != 0:
        return "network namespaces are made by root only"
    clear()
    name = f"{PREFIX}{os.getpid()}-trial"
    try:
        _ip("netns", "add", name)
        _ip("-n", name, "link", "add", "bridge", "type", "bridge")
        _ip("-n", name, "link", "add", "one", "type", "veth", "peer", "name", "two")
        return ""
    except FileNotFoundError:
        return "there is no program `ip`; it is in the package iproute2"
    except RuntimeError as error:
        return str(error)
    finally:
        with suppress(OSError, RuntimeError):
            _ip("netns", "delete", name)


@dataclass
class Host:
    """One machine.

    Parameters
    ----------
    network, name, number : where it is, its host name, and the last part of its address
    folder : its working directory, where it also keeps temporary files
    hidden : folders of this machine that are empty there
    """

    network: Network
    name: str
    number: int
    folder: Path
    hidden: Sequence[Path] = ()

    def __post_init__(self) -> None:
        self.address = f"10.77.0.{self.number}"
        self._space, self._port = f"{self.network.prefix}{self.name}", f"port{self.number}"
        (self.folder / "tmp").mkdir(parents=True, exist_ok=True)
        (self.folder / "tmp").chmod(0o1777)
        self.folder.chmod(0o777)
        _ip("netns", "add", self._space)
        switch = self.network.switch
        # known to the others also after it was made anew
        own = ["address", f"02:00:0a:4d:00:{self.number:02x}"]
        peer = ["type", "veth", "peer", "name", self._port, "netns", switch]
        _ip("link", "add", "card", *own, "netns", self._space, *peer)
        _ip("-n", switch, "link", "set", self._port, "master", "bridge", "up")
        _ip("-n", self._space, "address", "add", f"{self.address}/24", "dev", "card")
        for card in ("lo", "card"):
            _ip("-n", self._space, "link", "set", card, "up")
        spaces = ["unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--mount-proc"]
        first = ["sh", "-c", FIRST, "sh", self.name, *map(str, self.hidden)]
        self._outer = subprocess.Popen(
            ["ip", "netns", "exec", self._space, *spaces, *first],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for whoever made this
        )
        assert self._outer.stdout is not None
        if self._outer.stdout.readline() != b"ready\n":
            raise RuntimeError(f"the machine {self.name} could not be made")
        (self._first,) = psutil.Process(self._outer.pid).children()
        self._commands: list[subprocess.Popen[Any]] = []
        self._space_of_processes = os.readlink(f"/proc/{self._first.pid}/ns/pid")

    def run(
        self,
        command: Sequence[str],
        user: int = 0,
        settings: dict[str, str] | None = None,
        **options: Any,
    ) -> subprocess.Popen[Any]:
        """Start a command there; options are those of ``subprocess.Popen``."""
        enter = [
            "nsenter",
            f"--target={self._first.pid}",
            "--net",
            "--mount",
            "--uts",
            "--ipc",
            "--pid",
        ]
        become = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"] if user else []
        own = {"HOME": str(self.folder), "TMPDIR": str(self.folder / "tmp")}
        folder = options.pop("cwd", self.folder)
        started = subprocess.Popen(
            [*enter, f"--wd={folder}", "--", *become, *command],
            env=os.environ | own | (settings or {}),
            start_new_session=True,
            **options,
        )
        self._commands.append(started)
        return started

    def show(self, source: Path, name: str) -> Path:
        """Show a folder of this machine in the working directory there: where it lies, only root
        may be able to reach it.
        """
        place = self.folder / name
        place.mkdir()
        if self.run(["mount", "--bind", str(source), str(place)]).wait() != 0:
            raise RuntimeError(f"{source} could not be shown on {self.name}")
        return place

    def cut(self) -> None:
        """Pull the cable: what is sent from now on is lost, and nobody is told."""
        _ip("-n", self.network.switch, "link", "set", self._port, "down")

    def join(self) -> None:
        """Put the cable back."""
        _ip("-n", self.network.switch, "link", "set", self._port, "up")

    def alive(self) -> bool:
        """Whether it has not been killed."""
        return self._outer.poll() is None

    def kill(self) -> None:
        """End all processes there at once, by SIGKILL."""
        with suppress(psutil.NoSuchProcess):
            self._first.kill()
        for process in (self._outer, *self._commands):
            process.wait()
        for stream in (self._outer.stdin, self._outer.stdout):
            assert stream is not None
            stream.close()

    def processes(self) -> list[psutil.Process]:
        """What runs there, in boxes as well, but for the first process."""
        found: list[psutil.Process] = []
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                if process.status() == psutil.STATUS_ZOMBIE or process.pid == self._first.pid:
                    continue
                for relative in (process, *process.parents()):
                    if os.readlink(f"/proc/{relative.pid}/ns/pid") == self._space_of_processes:
                        found.append(process)
                        break
        return found

    def remove(self) -> None:
        """Unmake it."""
        self.kill()
        # Not left to the end of the namespace: the kernel takes its time with that, and the port's
        # name would still be taken.
        _ip("-n", self.network.switch, "link", "delete", self._port)
        _ip("netns", "delete", self._space)


@dataclass
class Network:
    """A switch, and the machines on it. Left, it takes them with it.

    Parameters
    ----------
    folder : for the machines' working directories
    """

    folder: Path
    hosts: list[Host] = field(default_factory=list)

    def __enter__(self) -> Network:
        clear()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.prefix = f"{PREFIX}{os.getpid()}-"
        self.switch = f"{self.prefix}switch"
        _ip("netns", "add", self.switch)
        _ip("-n", self.switch, "link", "add", "bridge", "type", "bridge")
        _ip("-n", self.switch, "link", "set", "bridge", "up")
        return self

    def host(self, name: str, number: int, hidden: Sequence[Path] = ()) -> Host:
        """Make a machine with the address 10.77.0.number."""
        host = Host(self, name, number, self.folder / name, hidden)
        self.hosts.append(host)
        return host

    def __exit__(self, *_: object) -> None:
        for host in self.hosts:
            host.remove()
        self.hosts.clear()
        clear(os.getpid())


def clear(mine: int = 0) -> None:
    """Remove what an earlier process, or this one (``mine``), has left behind."""
    spaces = Path("/run/netns")
    for space in spaces.iterdir() if spaces.is_dir() else ():
        maker, _, _ = space.name.removeprefix(PREFIX).partition("-")
        if (
            space.name.startswith(PREFIX)
            and maker.isdigit()
            and (int(maker) == mine or not psutil.pid_exists(int(maker)))
        ):
            _ip("netns", "delete", space.name)


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"`ip {' '.join(words)}` fails: {done.stderr.strip()}")
