"""What a person sees while a class is graded: on a terminal, and in a file."""

import io

from rich.console import Console

from autograder.cli.commands import not_passed
from autograder.cli.progress import Counter, Lines, progress_of
from autograder.judge.result import CheckResult


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_rate_and_time_left_come_from_what_was_done():
    clock = Clock()
    counter = Counter(90, clock)
    assert str(counter) == "0 of 90 graded, 0 per minute, 0 failed"
    clock.now += 20
    for k in range(30):
        counter.advance(failed=k < 2)
    assert str(counter) == "30 of 90 graded, 90 per minute, 40 s left, 2 failed"


def test_into_a_file_goes_a_line_now_and_then_and_one_at_the_end():
    clock, out = Clock(), io.StringIO()
    lines = Lines(500, clock, console=Console(file=out), pause=20.0)
    for _ in range(500):
        clock.now += 0.125
        lines.advance()
    assert out.getvalue().splitlines() == [
        "160 of 500 graded, 480 per minute, 42 s left, 0 failed",
        "320 of 500 graded, 480 per minute, 22 s left, 0 failed",
        "480 of 500 graded, 480 per minute, 2 s left, 0 failed",
        "500 of 500 graded, 480 per minute, 0 failed",
    ]


def test_on_a_terminal_there_is_a_bar_with_rate_and_failures():
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=120)
    with progress_of(3, console=console) as progress:
        progress.advance()
        progress.advance(failed=True)
        progress.progress.refresh()
        progress.say("[The gradebook is locked.]")
    shown = out.getvalue()
    assert (
        "2/3" in shown
        and "/min" in shown
        and "1 failed" in shown
        and "[The gradebook is locked.]" in shown
    )


def test_quiet_is_quiet(capsys):
    with progress_of(1, quiet=True) as progress:
        progress.advance()
        progress.say("nothing")
    assert "".join(capsys.readouterr()) == ""


def test_what_is_the_same_of_all_checks_is_said_once():
    def checks(*states):
        return [CheckResult(f"c{k}", "It is.", 1, 0, state, "") for k, state in enumerate(states)]

    assert not_passed(checks(*["unfinished"] * 8)) == "all 8 (unfinished)"
    assert not_passed(checks("wrong", "passed", "wrong")) == "c0 (wrong), c2 (wrong)"
    assert not_passed(checks("passed", "passed", "passed")) == ""
    assert not_passed(checks("wrong")) == "c0 (wrong)"
