"""How much the environment downloads and how much disk it takes, read from the package index
without installing anything.

uv resolves the pins for a system; of each wheel the index tells the size, and the wheel's own table
of contents, of which only the end of the file is read, tells the size unpacked. pip adds compiled
Python files, about as large as the sources.

    .venv/bin/python benchmarks/footprint.py [--cpu-wheel torch-2.13.0+cpu-....whl]
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import tomllib
import urllib.request
import zipfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import parse_wheel_filename

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "benchmarks" / "results" / "footprint.json"
PYTHON = (3, 11)
LINUX = [f"manylinux_2_{minor}_x86_64" for minor in range(36, 4, -1)]
LINUX += ["manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64"]
MACOS = [
    f"macosx_{major}_0_{kind}" for major in (14, 13, 12, 11) for kind in ("arm64", "universal2")
]
MACOS += [f"macosx_10_{minor}_universal2" for minor in range(16, 3, -1)]
# what PyTorch's CUDA build requires, and its CPU build does not
CUDA = ("nvidia-", "cuda-", "triton")


@dataclass(frozen=True)
class System:
    """One row of the table."""

    name: str
    extra: str
    uv_platform: str
    platforms: tuple[str, ...]
    cpu_torch: bool = False


SYSTEMS = [
    System("Linux x86-64", "all", "x86_64-manylinux_2_28", tuple(LINUX)),
    System(
        "Linux x86-64, CPU wheels of PyTorch", "all", "x86_64-manylinux_2_28", tuple(LINUX), True
    ),
    System(
        "Linux x86-64, GPU=tensorflow",
        "all-tensorflow-gpu",
        "x86_64-manylinux_2_28",
        tuple(LINUX),
        True,
    ),
    System("macOS arm64", "all", "aarch64-apple-darwin", tuple(MACOS)),
]


@dataclass(frozen=True)
class Size:
    """Bytes of one wheel: as it is downloaded, unpacked, and the Python sources in it."""

    download: int
    unpacked: int
    sources: int

    @property
    def disk(self) -> int:
        """Unpacked, with the compiled form of each source."""
        return self.unpacked + self.sources


class Remote(io.RawIOBase):
    """A file on a server, of which only the parts that are asked for are read."""

    def __init__(self, address: str, size: int) -> None:
        self.address, self.size, self.place = address, size, 0

    def seekable(self) -> bool:
        """Yes, or zipfile would read from the start."""
        return True

    def readable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """Where the next read begins."""
        return self.place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to where the next read begins."""
        self.place = offset + (0, self.place, self.size)[whence]
        return self.place

    def readinto(self, buffer: Any) -> int:
        """Ask the server for as many bytes as the buffer holds."""
        last = min(self.place + len(buffer), self.size) - 1
        if last < self.place:
            return 0
        wanted = {"Range": f"bytes={self.place}-{last}"}
        with urllib.request.urlopen(urllib.request.Request(self.address, headers=wanted)) as answer:
            if answer.status != 206:
                raise OSError(f"{self.address}: the index does not give parts of a file")
            part = answer.read()
        buffer[: len(part)] = part
        self.place += len(part)
        return len(part)


def lock(system: System) -> list[dict[str, Any]]:
    """What uv would install: names, versions, and the files of each."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "pylock.toml")
        command = [
            sys.executable,
            "-m",
            "uv",
            "pip",
            "compile",
            "--quiet",
            "--format",
            "pylock.toml",
        ]
        command += [
            "--extra",
            system.extra,
            "--constraints",
            "constraints.txt",
            "--output-file",
            str(out),
        ]
        command += [
            "--python-version",
            ".".join(map(str, PYTHON)),
            "--python-platform",
            system.uv_platform,
        ]
        # the oldest with wheels of PyTorch
        environment = os.environ | {"MACOSX_DEPLOYMENT_TARGET": "14.0"}
        subprocess.run([*command, "pyproject.toml"], cwd=ROOT, check=True, env=environment)
        packages: list[dict[str, Any]] = tomllib.loads(out.read_text())["packages"]
        return packages


def tags(platforms: Iterable[str]) -> list[Tag]:
    """All tags of wheels that fit, the best first."""
    platforms = list(platforms)
    own = cpython_tags(PYTHON, platforms=platforms)
    return [*own, *compatible_tags(PYTHON, f"cp{PYTHON[0]}{PYTHON[1]}", platforms)]


def best(wheels: list[dict[str, Any]], fitting: list[Tag]) -> dict[str, Any] | None:
    """The wheel that pip would take."""
    rank = {tag: k for k, tag in enumerate(fitting)}
    ranked = [
        (min(rank[tag] for tag in found), k)
        for k, wheel in enumerate(wheels)
        if (found := parse_wheel_filename(wheel["url"].rsplit("/", 1)[1])[3] & rank.keys())
    ]
    return wheels[min(ranked)[1]] if ranked else None


@cache
def size_of(address: str, download: int) -> Size:
    """Sizes of a wheel on the index."""
    return measured(io.BufferedReader(Remote(address, download), 1 << 17), download)


def measured(file: Any, download: int) -> Size:
    """Sizes of an open wheel."""
    entries = zipfile.ZipFile(file).infolist()
    sources = sum(entry.file_size for entry in entries if entry.filename.endswith(".py"))
    return Size(download, sum(entry.file_size for entry in entries), sources)


def sizes(system: System, cpu_wheel: Path | None) -> dict[str, Size]:
    """Sizes of all packages that a system gets; without PyTorch where its CPU wheel was not
    given.
    """
    fitting = tags(system.platforms)
    wheels = {package["name"]: best(package.get("wheels", []), fitting) for package in lock(system)}
    if system.cpu_torch:
        of_torch = CUDA if system.extra == "all" else ("cuda-", "triton")
        wheels = {name: wheel for name, wheel in wheels.items() if not name.startswith(of_torch)}
        wheels.pop("torch")
    if system.extra == "all-tensorflow-gpu":  # PyTorch's own, which its CPU build does not bring
        wheels = {
            name: wheel
            for name, wheel in wheels.items()
            if not name.startswith("nvidia-") or "cu12" in name
        }
    # one package, docopt, has no wheel: 26 kB
    there = {name: wheel for name, wheel in wheels.items() if wheel}
    with ThreadPoolExecutor(8) as threads:
        found = threads.map(lambda wheel: size_of(wheel["url"], wheel["size"]), there.values())
        all_sizes = dict(zip(there, found, strict=True))
    if system.cpu_torch and cpu_wheel:
        all_sizes["torch"] = measured(cpu_wheel, cpu_wheel.stat().st_size)
    return all_sizes


def main() -> None:
    """Print a table and write the results."""
    parser = argparse.ArgumentParser(
        description="What the environment downloads, and the disk it takes."
    )
    parser.add_argument(
        "--cpu-wheel", type=Path, help="a CPU wheel of PyTorch, which the main index does not have"
    )
    cpu_wheel = parser.parse_args().cpu_wheel
    rows = {}
    for system in SYSTEMS:
        found = sizes(system, cpu_wheel)
        largest = sorted(found, key=lambda name: -found[name].disk)[:8]
        rows[system.name] = {
            "packages": len(found),
            "download_GB": round(sum(size.download for size in found.values()) / 1e9, 2),
            "disk_GB": round(sum(size.disk for size in found.values()) / 1e9, 2),
            "with_torch": "torch" in found,
            "largest": {name: asdict(found[name]) for name in largest},
        }
        print(
            system.name,
            {key: value for key, value in rows[system.name].items() if key != "largest"},
            flush=True,
        )
    result = {
        "date": date.today().isoformat(),
        "python": ".".join(map(str, PYTHON)),
        "systems": rows,
    }
    OUT.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
