"""A plugin of pytest: `pytest -p tests.support.cpu_seconds --cpu-seconds=FILE` writes what each
test costs.

A row a test, the dearest first: CPU seconds of its process, CPU seconds of child processes that
ended meanwhile, its name. Unlike the clock, they do not grow while the machine does other work. A
fixture counts for the test that first asks for it; a child that outlives its test counts where it
ends, and one that nobody waits for does not count.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--cpu-seconds",
        metavar="FILE",
        type=Path,
        help="write the CPU seconds of each test into FILE",
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("cpu_seconds"):
        config.pluginmanager.register(CpuSeconds(), "cpu-seconds")


class CpuSeconds:
    """Measures in the process that runs a test, and writes in the one that was started."""

    def __init__(self) -> None:
        self.rows: list[tuple[float, float, str]] = []

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.begin = os.times()
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> Iterator[None]:
        report = yield
        if call.when == "teardown":
            now = os.times()
            own = now.user + now.system - self.begin.user - self.begin.system
            children = (
                now.children_user
                + now.children_system
                - self.begin.children_user
                - self.begin.children_system
            )
            # With xdist, the report is all that reaches the process that writes.
            report.user_properties.append(("cpu_seconds", [own, children]))
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.rows += [
            (*seconds, report.nodeid)
            for name, seconds in report.user_properties
            if name == "cpu_seconds"
        ]

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if not hasattr(session.config, "workerinput"):
            rows = sorted(self.rows, key=lambda row: -row[0] - row[1])
            lines = [f"{own:.2f}\t{children:.2f}\t{name}\n" for own, children, name in rows]
            session.config.getoption("cpu_seconds").write_text(
                "own\tchildren\ttest\n" + "".join(lines)
            )
