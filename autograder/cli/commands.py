"""The command line. Exit codes: 0 all graded, 1 something could not be graded or is not as it
should be, 2 wrong use.

What is slow to import is imported by the command that needs it.
"""

from __future__ import annotations

import json
import os
import secrets
import statistics
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column, Table
from rich.text import Text

from autograder.cli.interrupts import interrupted_at_safe_points
from autograder.cli.progress import progress_of
from autograder.errors import DISK_FULL, AutograderError, CourseError, ProblemSetError
from autograder.files import write_atomic
from autograder.sandbox.level import is_sandboxed
from autograder.text import folded, printable

if TYPE_CHECKING:
    from autograder.batch.outcome import Outcome
    from autograder.batch.report import PartRow
    from autograder.course.course import Course
    from autograder.course.roster import Roster
    from autograder.judge.problem_set import ProblemSet
    from autograder.judge.result import CheckResult, Result
    from autograder.lms.collect import Collection

# form -> its function in lms.worksheet
WORKSHEETS = {"canvas": "fill_canvas", "moodle": "fill_moodle"}
UNIX_ONLY = ("fcntl", "resource", "pwd", "grp")  # modules of Python's that Windows has not
COMMONEST = 3  # mistakes in the last line of a run
STYLES = {"passed": "green", "convention": "yellow", "unfinished": "dim", "skipped": "dim"}
UNSAFE_LOCAL = click.option(
    "--unsafe-local",
    is_flag=True,
    help="Run the students' code as yourself, with no sandbox. It is written in every record.",
)


def _force(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    """Say it to all that chooses: to `sandbox.choose`, wherever it is called, in processes that are
    started here as well.
    """
    if value is not None:
        os.environ["AUTOGRADER_ISOLATION"] = value


ISOLATION = click.option(
    "--isolation",
    type=click.Choice(["auto", "bubblewrap", "podman", "docker"]),
    callback=_force,
    expose_value=False,
    help="What holds the students' code apart on this machine; the first that holds when left out. "
    "The variable AUTOGRADER_ISOLATION says the same.",
)


class _Commands(click.Group):
    """Turns what the autograder refuses into one sentence on stderr."""

    def invoke(self, context: click.Context) -> Any:
        try:
            with interrupted_at_safe_points():
                return super().invoke(context)
        except AutograderError as error:
            said = "\n".join([str(error), *getattr(error, "__notes__", [])])
            Console(stderr=True).print(Text(f"autograder: {said}"), soft_wrap=True)
            context.exit(2 if isinstance(error, ValueError) else 1)
        except OSError as error:
            if error.strerror is None or (error.filename is None and error.errno not in DISK_FULL):
                raise
            where = error.filename or "a file could not be written"
            Console(stderr=True).print(
                Text(f"autograder: {where}: {error.strerror}"), soft_wrap=True
            )
            context.exit(1)
        except ModuleNotFoundError as error:
            if error.name not in UNIX_ONLY:
                raise
            said = (
                "this machine has none of the ways to hold students' code apart. Grade on a Linux "
                "machine, in a virtual machine, or in WSL 2; collect, export, feedback and report "
                "work here, too"
            )
            Console(stderr=True).print(Text(f"autograder: {said}"), soft_wrap=True)
            context.exit(1)
        except KeyboardInterrupt:
            said = "stopped. What was done by then is kept, and the same command does the rest."
            Console(stderr=True).print(Text(f"\nautograder: {said}"), soft_wrap=True)
            context.exit(130)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="inside-the-lstm", prog_name="autograder")
def main() -> None:
    """Grade notebooks with a judge that the students' code cannot reach. Run it in the course's
    root.
    """
    # jsonschema would import it, and it builds a grammar of web addresses for a second. No
    # notebook's schema asks for one.
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]


@main.command()
@click.argument("problem_set")
@click.option(
    "--student",
    "students",
    multiple=True,
    metavar="ID",
    help="Only this student; may be given several times.",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    help="Submissions at one time; one per core when left out.",
)
@click.option("--force", is_flag=True, help="Also those that are graded and have not changed.")
@click.option(
    "--json", "as_json", is_flag=True, help="Records as JSON on stdout, in place of the table."
)
@click.option(
    "--json-lines",
    "as_lines",
    is_flag=True,
    help="Each record as one line of JSON on stdout as soon as it is there.",
)
@click.option(
    "--scheduler",
    default="",
    metavar="ADDRESS",
    help="Grade on the Dask cluster with this scheduler, tcp://host:8786.",
)
@ISOLATION
@UNSAFE_LOCAL
@click.pass_context
def run(
    context: click.Context,
    problem_set: str,
    students: tuple[str, ...],
    jobs: int | None,
    force: bool,
    as_json: bool,
    as_lines: bool,
    scheduler: str,
    unsafe_local: bool,
) -> None:
    """Grade what was handed in for PROBLEM_SET and enter it into nbgrader's gradebook.

    What is graded and has not changed is not graded again: a run that was stopped goes on where it
    ended.
    """
    from autograder.batch import pool

    # First of all: what they import and look over goes on beside what is imported here.
    judges = None
    if not scheduler:
        judges = context.with_resource(pool.JudgePool(problem_set, boxes=not unsafe_local))
        judges.begin()

    from autograder.batch import grading as batch
    from autograder.course.course import Course
    from autograder.course.roster import ROSTER, read_roster

    course = Course.load()
    if course.root != Path.cwd():  # nbgrader's settings may name another one
        judges = None
    roster = read_roster(course) if (course.root / ROSTER).is_file() else None
    grading = batch.Grading.prepare(
        course, problem_set, unsafe_local, elsewhere=bool(scheduler), judges=judges
    )
    problem_set = grading.problem_set.name
    there = course.students(problem_set)
    _check_handed_in(course, problem_set, students, there)
    chosen = sorted(set(students)) or there
    grade = partial(
        batch.run,
        grading,
        chosen,
        jobs=jobs or 0,
        force=force,
        scheduler=scheduler,
        judges=judges,
    )
    outcomes = _told_meanwhile(grade, len(chosen), as_json, as_lines)
    if as_json:
        click.echo(json.dumps([_as_json(outcome) for outcome in outcomes], indent=1))
    elif not as_lines:
        _show_class(outcomes)
        everybody = None if students else roster or read_roster(course)
        _show_the_rest(course, grading.problem_set, everybody)
    context.exit(1 if any(outcome.problem for outcome in outcomes) else 0)


@main.command()
@click.argument("notebook", type=click.Path(path_type=Path))
@click.option(
    "--problem-set",
    metavar="PS",
    help="The one it belongs to; found by the notebook's cells when left out.",
)
@ISOLATION
@UNSAFE_LOCAL
def check(notebook: Path, problem_set: str | None, unsafe_local: bool) -> None:
    """Judge one NOTEBOOK and show the verdict. Nothing is stored."""
    from autograder.course.rebuild import read_notebook, read_release, rebuild, shared_ids
    from autograder.errors import SubmissionError
    from autograder.judge import judge
    from autograder.judge import problem_set as problem_sets
    from autograder.sandbox import choose, prefork

    def likely(name: str) -> tuple[int, bool]:
        release = Path("exercises", name, f"{name}.ipynb")
        return -shared_ids(submission, release), name != notebook.stem

    submission = read_notebook(notebook)
    found = (
        [problem_set]
        if problem_set
        else [path.parent.name for path in sorted(Path("solutions").glob("*/checks.py"))]
    )
    refusals = []
    for name in sorted(found, key=likely):  # to load one may import a framework
        chosen = problem_sets.load(name, Path.cwd(), validate=False)
        try:
            rebuilt = rebuild(read_release(chosen), submission)
        except SubmissionError as error:
            refusals.append(f"{name}: {error}")
            continue
        if not unsafe_local:
            prefork.begin_here(choose.likely_isolation(), chosen.packages)
        problem_sets.refuse_faulty(chosen, mistakes=False)
        isolation = choose.choose(unsafe_local)
        result = judge.grade(rebuilt.cells, chosen, seed=secrets.token_hex(32), isolation=isolation)
        _show_verdict(result, rebuilt.notes)
        return
    if not found:
        raise ProblemSetError(
            f"{Path.cwd() / 'solutions'} has no problem set; run this from the course's root"
        )
    raise SubmissionError(
        f"{notebook} belongs to no problem set of this course. {' '.join(refusals)}"
    )


@main.command()
@click.argument("problem_set")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file; reports/PROBLEM_SET.html when left out.",
)
@click.option(
    "--similar/--no-similar", default=True, help="Compare the students' code with each other."
)
def report(problem_set: str, out: Path | None, similar: bool) -> None:
    """Write what became of a class for PROBLEM_SET as one HTML page, to read offline or to print.

    It names students and mistakes: it is for instructors.
    """
    from autograder.batch import report as reports
    from autograder.batch.hints import find_hints
    from autograder.batch.similar import find_similar
    from autograder.course.course import Course
    from autograder.course.roster import read_roster
    from autograder.judge import problem_set as problem_sets

    course = Course.load()
    chosen = problem_sets.load(problem_set, course.root, validate=False)
    found = reports.read_class(course, chosen)
    alike = find_similar(course, chosen, found.records) if similar else None
    by_hand = rows_by_hand(course, chosen)
    hints = find_hints(course, chosen, found.handed_in)
    found = replace(found, roster=read_roster(course), similar=alike, by_hand=by_hand, hints=hints)
    path = out or course.root / "reports" / f"{chosen.name}.html"
    reports.write_report(found, path)
    said = f"{len(found.records)} graded, {len(found.failures)} not, {len(found.waiting)} waiting"
    if found.not_handed_in:
        said += f", {len(found.not_handed_in)} not handed in"
    click.echo(f"wrote {path} ({said})")


@main.command()
@click.argument("problem_set")
@click.argument(
    "zips",
    nargs=-1,
    required=True,
    metavar="ZIP...",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
)
@click.option(
    "--form",
    type=click.Choice(["moodle", "canvas", "blackboard", "brightspace", "plain"]),
    help="Who made the ZIPs; found when left out.",
)
@click.option(
    "--names",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="CSV file with the name of each student's folder; the platform's numbers when left out.",
)
@click.option(
    "--student-column", metavar="HEADING", help="Column of --names with the folders' names."
)
@click.option(
    "--times",
    is_flag=True,
    help="The times in the ZIPs are those of handing in: write timestamp.txt.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.pass_context
def collect(
    context: click.Context,
    problem_set: str,
    zips: tuple[Path, ...],
    form: str | None,
    names: Path | None,
    student_column: str | None,
    times: bool,
    dry_run: bool,
) -> None:
    """Put what a platform gives as one zip under submitted/, as PROBLEM_SET of each student.

    A submission that is there already is kept in a folder .earlier beside the new one. Ends with 1
    when something was left out: it is listed.
    """
    from autograder.course.course import Course
    from autograder.course.rebuild import read_release
    from autograder.judge import problem_set as problem_sets
    from autograder.lms import collect as collecting
    from autograder.lms import worksheet as exports

    course = Course.load()
    chosen = problem_sets.load(problem_set, course.root, validate=False)
    table = collecting.read_names(exports.read_worksheet(names), student_column) if names else None
    found = collecting.collect(
        course,
        chosen.name,
        read_release(chosen),
        zips,
        form=form,
        names=table,
        times=times,
        dry_run=dry_run,
    )
    _show_collected(found, course, chosen.name, dry_run)
    context.exit(1 if found.left_out else 0)


@main.command()
@click.argument("form", type=click.Choice(["csv", *WORKSHEETS, "gradescope"]))
@click.argument("problem_set")
@click.option(
    "--worksheet",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The file that the platform exported; needed for canvas and moodle.",
)
@click.option(
    "--column",
    metavar="HEADING",
    help="Column of the worksheet for the scores; found when left out.",
)
@click.option(
    "--key",
    metavar="HEADING",
    help="Column with the names of the students' folders; found when left out.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file; exports/PROBLEM_SET-FORM.csv, or .zip for gradescope, when left out.",
)
@click.option(
    "--unsafe-local",
    is_flag=True,
    help="Gradescope: where its container gives no sandbox, grade without one instead of refusing.",
)
@click.option(
    "--visibility",
    type=click.Choice(["visible", "after_due_date", "after_published"]),
    default="visible",
    show_default=True,
    help="Gradescope: when students see the checks.",
)
@click.pass_context
def export(
    context: click.Context,
    form: str,
    problem_set: str,
    worksheet: Path | None,
    column: str | None,
    key: str | None,
    out: Path | None,
    unsafe_local: bool,
    visibility: str,
) -> None:
    """Write final scores for PROBLEM_SET: as a table (csv), or into the worksheet that Canvas or
    Moodle exported.

    Scores given by hand count, and what is lost for being late is taken off. Ends with 1 when a
    student with a score has no row in the worksheet: the names are listed.

    For gradescope it is no scores that are written but the zip that a course there uploads as its
    autograder, which grades what is handed in there. It holds the hidden checks.
    """
    from autograder.course.course import Course
    from autograder.judge import problem_set as problem_sets

    course = Course.load()
    chosen = problem_sets.load(problem_set, course.root, validate=form == "gradescope")
    name = chosen.name
    if form == "gradescope":
        from autograder.lms.gradescope import build

        path = out or course.root / "exports" / f"{name}-gradescope.zip"
        build.write_zip(course, chosen, path, unsafe_local, visibility)
        points = sum(check.points for check in chosen.checks)
        click.echo(
            f"wrote {path} ({points:g} points). It holds the hidden checks: for instructors only."
        )
        return
    path = out or course.root / "exports" / f"{name}-{form}.csv"
    if form == "csv":
        _export_table(course, chosen, path)
        return
    if worksheet is None:
        raise click.UsageError(
            f"--worksheet is missing: the file that {form.capitalize()} exported"
        )
    context.exit(0 if _export_worksheet(course, name, path, form, worksheet, column, key) else 1)


@main.command()
@click.argument("problem_set")
@click.option(
    "--zip",
    "form",
    type=click.Choice(["moodle", "canvas"]),
    help="Also pack the pages for this platform.",
)
@click.option(
    "--download",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The zip of submissions that the platform gave: the pages go back under its names.",
)
@click.option(
    "--names",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The table that `collect` got as --names, where folders bear no numbers of the platform.",
)
@click.option(
    "--student-column", metavar="HEADING", help="Column of --names with the folders' names."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The zip; exports/PROBLEM_SET-feedback-FORM.zip.",
)
def feedback(
    problem_set: str,
    form: str | None,
    download: Path | None,
    out: Path | None,
    names: Path | None,
    student_column: str | None,
) -> None:
    """Write a page for each student of PROBLEM_SET into feedback/, also for those who could not be
    graded.

    Scores and comments by hand are on it. With --zip all pages are packed in the form in which
    Moodle ("feedback files in a zip") or Canvas ("upload submissions") takes them back.
    """
    from autograder.course.course import Course
    from autograder.judge import problem_set as problem_sets
    from autograder.lms import collect as collecting
    from autograder.lms import feedback_pages as pages
    from autograder.lms import worksheet as exports

    course = Course.load()
    chosen = problem_sets.load(problem_set, course.root, validate=False)
    if form == "canvas" and download is None:
        raise click.UsageError("--download is missing: the zip of submissions that Canvas gave")
    written = pages.write_pages(course, chosen)
    said = f"{_number_of(len(written), 'page')} in {_shortest(course.root / 'feedback')}"
    if form is not None:
        path = out or course.root / "exports" / f"{chosen.name}-feedback-{form}.zip"
        sheet = exports.read_worksheet(names) if names else None
        table = collecting.read_names(sheet, student_column) if sheet is not None else None
        packed, without = pages.pack(written, form, download, path, table)
        said += f"; {packed} packed into {_shortest(path)}"
        if without:
            said += f"; without a place there: {', '.join(without)}"
            if names is None:
                said += ". Were the folders named by collect --names? Give the same table here"
    Console().print(plain(said), soft_wrap=True)


@main.command()
@ISOLATION
@click.pass_context
def doctor(context: click.Context) -> None:
    """Try out how this machine can hold the students' code apart: every way there is, and which one
    is used.
    """
    from autograder.batch.pool import cores
    from autograder.sandbox import choose

    levels = choose.test_all_levels()
    used = next(
        (level for level, findings in levels.items() if all(finding.holds for finding in findings)),
        None,
    )
    console = Console()
    for level, findings in levels.items():
        console.print(Text(f"{level}{', which is used' if level == used else ''}", "bold"))
        for finding in findings:
            # What is missing is no matter where something else holds.
            fails = Text("  FAILS  ", "bold red") if used is None else Text("     no  ", "dim")
            mark = Text("  holds  ", "green") if finding.holds else fails
            console.print(mark + plain(f"{finding.question} {finding.answer}"), soft_wrap=True)
            if not finding.holds and finding.remedy and used is None:
                console.print(Text(f"         {finding.remedy}"), soft_wrap=True)
    if used is None:
        console.print(Text("Submissions are not graded here until one of these is put right."))
    else:
        console.print(
            plain(f"Memory and processes are bounded by {choose.describe_limits(used)}"),
            soft_wrap=True,
        )
        console.print(Text(f"Submissions can be graded here, {cores()} at one time."))
    context.exit(1 if used is None else 0)


@main.command()
@click.option(
    "--check",
    "only_check",
    is_flag=True,
    help="Write nothing; fail when a notebook is not what its source gives.",
)
@click.pass_context
def exercises(context: click.Context, only_check: bool) -> None:
    """Make the students' notebooks in exercises/ from solutions/."""
    from autograder.course import release as made

    if not only_check:
        for path in made.write_releases(Path.cwd()):
            click.echo(f"wrote {path.relative_to(Path.cwd())}")
    elif report := made.stale(Path.cwd()):
        click.echo(
            "\n".join([*report, "Run `make exercises` and commit what it writes."]), err=True
        )
        context.exit(1)


@main.command()
@click.argument("name")
def new(name: str) -> None:
    """Begin a problem set NAME: a small one that works, to be changed into yours."""
    from autograder.author import new as beginning

    for path in beginning.new(Path.cwd(), name):
        click.echo(f"wrote {path.relative_to(Path.cwd())}")
    click.echo(f"Change them, then: autograder exercises; autograder lint {name}")


@main.command()
@click.argument("problem_set")
@ISOLATION
@UNSAFE_LOCAL
@click.pass_context
def lint(context: click.Context, problem_set: str, unsafe_local: bool) -> None:
    """Tell what is wrong with PROBLEM_SET before a class meets it.

    The solution must get every point, the notebook as students get it must get none, and nothing of
    checks.py may be in it.
    """
    from autograder.author import lint as linting
    from autograder.sandbox import choose

    name = problem_set.rstrip("/")
    troubles = linting.lint(Path.cwd(), name, choose.choose(unsafe_local))
    console = Console()
    for trouble in troubles:
        console.print(Text("  wrong  ", "bold red") + plain(trouble.what), soft_wrap=True)
        console.print(plain(f"         {trouble.remedy}"), soft_wrap=True)
    console.print(
        plain(
            f"{name}: " + (f"{len(troubles)} to mend." if troubles else "nothing wrong was found.")
        )
    )
    context.exit(1 if troubles else 0)


@main.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path("build/demo-course"))
@click.option(
    "--problem-set",
    default="lstm-bptt",
    show_default=True,
    metavar="PS",
    help="Whose students.py to take.",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    help="Submissions at one time; one per core when left out.",
)
@click.pass_context
def demo(context: click.Context, folder: Path, problem_set: str, jobs: int | None) -> None:
    """Make a course in FOLDER with a class of simulated students, grade it, and compare with what
    each must get.
    """
    from autograder.author import demo as simulated

    with _progress() as progress:
        task = progress.add_task("Grading", total=None)

        def advance(outcome: Outcome, total: int) -> None:
            progress.update(task, advance=1, total=total)

        results = simulated.run_demo(
            Path.cwd(), folder, problem_set, jobs=jobs or 0, progress=advance
        )
    simulated.show(results, Console())
    click.echo(f"The course is in {folder}: gradebook.db, feedback/, records/.")
    context.exit(0 if all(result.as_expected for result in results) else 1)


def _show_collected(found: Collection, course: Course, name: str, dry_run: bool) -> None:
    console = Console()
    for kept in found.kept:
        if dry_run:
            console.print(
                plain(f"{kept.how:>9}  {course.submission(kept.student, name)}  {kept.path}"),
                soft_wrap=True,
            )
    how = [kept.how for kept in found.kept]
    said = (
        f"{how.count('new')} new, {how.count('replaced')} in place of an earlier one, "
        f"{how.count('unchanged')} unchanged"
    )
    console.print(
        plain(f"{_number_of(len(how), 'notebook')}{' would be there' if dry_run else ''}: {said}."),
        soft_wrap=True,
    )
    if late := [kept.student for kept in found.kept if kept.late]:
        console.print(plain(f"late, says Canvas: {', '.join(late)}"), soft_wrap=True)
    for title, listed in (("not needed", found.passed_over), ("left out", found.left_out)):
        for line in some_of_each(listed):
            console.print(plain(f"{title}: {line}"), soft_wrap=True)


def _number_of(count: int, what: str) -> str:
    """A number and its noun, as in "1 page" and "2 pages"."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def some_of_each(listed: Sequence[tuple[str, str]], most: int = 10) -> list[str]:
    """Lines "path: reason"; of a reason that many have, the first ones and how many more there
    are.
    """
    seen: Counter[str] = Counter(reason for _, reason in listed)
    told: Counter[str] = Counter()
    lines = []
    for path, reason in listed:
        told[reason] += 1
        if told[reason] <= most:
            lines.append(f"{path}: {reason}")
        elif told[reason] == seen[reason]:
            lines.append(f"and {seen[reason] - most} more: {reason}")
    return lines


def _export_table(course: Course, chosen: ProblemSet, path: Path) -> None:
    """Write scores as a table of its own, and tell what is in it."""
    from autograder.course.roster import read_roster
    from autograder.lms import worksheet as exports

    name = chosen.name
    found = exports.scores(course, name)
    named = {score.student: _mistakes_of(course, name, score.student) for score in found}
    order, roster = [check.name for check in chosen.checks], read_roster(course)
    there = course.students(name)
    write_atomic(path, exports.as_csv(name, found, order, named, roster.people, there))
    click.echo(f"{_number_of(len(found), 'score')}, into {path}")
    if absent := roster.not_handed_in([*there, *named]):
        click.echo(f"{len(absent)} have not handed in (handed_in: no).")
    if awaited := sum(not score.complete for score in found):
        click.echo(
            f"{awaited} of them await a score by hand, or could not be graded (complete: no)."
        )
    if formulas := sum(exports.is_formula(score.student) for score in found):
        click.echo(f"{formulas} names begin as a formula does: an apostrophe stands before them.")


def _export_worksheet(
    course: Course,
    name: str,
    path: Path,
    form: str,
    worksheet: Path,
    column: str | None,
    key: str | None,
) -> bool:
    """Write scores into a platform's worksheet; whether each of them has a row in it."""
    from autograder.lms import worksheet as exports

    fill: Callable[..., exports.Filled] = getattr(exports, WORKSHEETS[form])
    filled = fill(
        exports.read_worksheet(worksheet), name, exports.scores(course, name), column, key
    )
    write_atomic(path, filled.text)
    click.echo(f"{_number_of(len(filled.entered), 'score')}, into {path}")
    for said, names in (
        ("without a row", filled.unmatched),
        ("rows without a score", filled.without),
    ):
        if names:
            Console().print(plain(f"{said}: {', '.join(names)}"), soft_wrap=True)
    for note in filled.notes:
        Console().print(plain(note), soft_wrap=True)
    return not filled.unmatched


def _progress(quiet: bool = False) -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=Console(stderr=True), disable=quiet, transient=True)


def _as_json(outcome: Outcome) -> dict[str, Any]:
    if (result := outcome.result) is None:
        return {"student": outcome.student, "problem": outcome.problem}
    return asdict(result) | {"student": outcome.student, "judged": outcome.judged}


def mistakes_named(checks: Iterable[CheckResult]) -> str:
    """Mistakes that were named, each once, in the order of the checks."""
    return ", ".join(dict.fromkeys(check.misconception for check in checks if check.misconception))


def class_summary(results: Sequence[Result]) -> str:
    """Mean, median and the commonest mistakes of a class, on one line; empty where nobody was
    graded.
    """
    if not results or not results[0].max_score:  # all points are given by hand
        return ""
    scores = [result.score for result in results]
    named = Counter(m for result in results for m in {c.misconception for c in result.checks} if m)
    common = sorted(named.items(), key=lambda item: (-item[1], item[0]))[:COMMONEST]
    told = (
        f"mean {statistics.fmean(scores):.2f}, median {statistics.median(scores):.2f} of "
        f"{results[0].max_score:g} points"
    )
    return told + (
        f"; commonest mistakes: {', '.join(f'{m} ({n})' for m, n in common)}" if common else ""
    )


def rows_by_hand(course: Course, problem_set: ProblemSet) -> list[PartRow]:
    """Parts that a person scores, with what the gradebook has of them."""
    from autograder.batch.report import PartRow
    from autograder.course.by_hand import parts_by_hand
    from autograder.lms.worksheet import scores_by_part

    parts = parts_by_hand(problem_set)
    found = scores_by_part(course, problem_set.name) if parts else {}
    rows = []
    for part in parts:
        scores = found.get(part.name, [])
        given = [score for score in scores if score is not None]
        rows.append(PartRow(part, given, len(scores) - len(given)))
    return rows


def awaited_by_hand(course: Course, problem_set: ProblemSet) -> list[str]:
    """A line on the parts that a person scores; none where there are none."""
    rows = rows_by_hand(course, problem_set)
    if not rows:
        return []
    parts = ", ".join(f"{row.part.name} ({row.part.points:g})" for row in rows)
    total = sum(row.part.points for row in rows)
    awaited = sum(row.awaited for row in rows)
    return [
        f"Scored by hand, beside the points above: {parts}; {total:g} points. "
        + (f"Awaited: {_number_of(awaited, 'score')}." if awaited else "All have their score.")
    ]


def more_time(course: Course, problem_set: str) -> list[str]:
    """A line on who has an extension, and of whom nothing is there: perhaps a login is wrong."""
    from autograder.course.roster import read_extensions, set_names

    found = read_extensions(course, problem_set, {*set_names(course), problem_set}) or {}
    there = {folded(student) for student in course.students(problem_set)}
    told = [
        f"{login} until {due:%Y-%m-%d %H:%M} UTC" + ("" if login in there else ", not handed in")
        for login, due in found.items()
    ]
    return [f"More time, by extensions.csv: {'; '.join(told)}."] if told else []


def absences(course: Course, problem_set: str, roster: Roster) -> list[str]:
    """Lines that say who of the class has not handed in, who is not of the class, and what stands
    in no folder of the problem set.
    """
    there = course.students(problem_set)
    absent = roster.not_handed_in(there)
    known = {folded(person.login) for person in roster.people}
    names = {
        f"Not handed in ({len(absent)} of {len(roster.people)})": [p.label for p in absent],
        "Not in roster.csv": roster.unknown(there),
        f"Not in a folder submitted/<student>/{problem_set}": [
            name for name in course.others(problem_set) if folded(name) not in known
        ],
    }
    return [f"{what}: {', '.join(listed)}." for what, listed in names.items() if listed]


def _mistakes_of(course: Course, problem_set: str, student: str) -> list[str]:
    """Mistakes that the judge named in a student's work; empty where there is no record of it."""
    from autograder.batch.outcome import read_result

    result = read_result(course.records / problem_set / f"{student}.json")
    return (
        list(dict.fromkeys(check.misconception for check in result.checks if check.misconception))
        if result
        else []
    )


def plain(text: str) -> Text:
    """Text for the terminal, without control characters and without a meaning for rich."""
    return Text(printable(text))


def not_passed(checks: Sequence[CheckResult]) -> str:
    """Checks that were not passed, with what became of them; in two words where it is the same of
    all.
    """
    states = {check.status for check in checks}
    if len(states) == 1 and len(checks) > 2 and states != {"passed"}:
        return f"all {len(checks)} ({next(iter(states))})"
    return ", ".join(f"{c.name} ({c.status})" for c in checks if c.status != "passed")


def _check_handed_in(
    course: Course, problem_set: str, students: Sequence[str], there: Sequence[str]
) -> None:
    """Refuse to grade students who have handed in nothing, or nobody at all."""
    if unknown := sorted(set(students) - set(there)):
        raise CourseError(
            f"{', '.join(unknown)}: nothing was handed in for {problem_set}; expected is the "
            f"folder {course.submission(unknown[0], problem_set)}"
        )
    if not there:
        raise CourseError(
            f"nothing was handed in for {problem_set}: put the notebooks in "
            f"{course.submission('STUDENT', problem_set)}"
        )


def _told_meanwhile(
    grade: Callable[..., list[Outcome]], number: int, as_json: bool, as_lines: bool
) -> list[Outcome]:
    """Grade so many students, with a bar in the terminal or a line of JSON for each."""
    with progress_of(number, quiet=as_json or as_lines) as progress:

        def advance(outcome: Outcome) -> None:
            progress.advance(failed=bool(outcome.problem))
            if as_lines:
                click.echo(json.dumps(_as_json(outcome)))

        return grade(progress=advance, say=progress.say)


def _show_the_rest(course: Course, problem_set: ProblemSet, roster: Roster | None) -> None:
    """What waits for a person; with a roster, also who has more time and who is missing."""
    lines = awaited_by_hand(course, problem_set)
    if roster is not None:
        lines += more_time(course, problem_set.name) + absences(course, problem_set.name, roster)
    for line in lines:
        Console().print(plain(line), soft_wrap=True)


def _show_class(outcomes: list[Outcome]) -> None:
    console = Console()
    table = Table(
        Column("student", overflow="fold"),
        "points",
        "not passed",
        Column("named mistakes", overflow="fold"),
    )
    isolations = set()
    for outcome in outcomes:
        if (result := outcome.result) is not None:
            isolations.add(result.isolation)
            points = f"{round(result.score, 2):g} of {result.max_score:g}"
            table.add_row(
                plain(outcome.student),
                points,
                not_passed(result.checks),
                mistakes_named(result.checks),
            )
    if table.row_count:
        console.print(table)
    for outcome in (outcome for outcome in outcomes if outcome.changed):
        said = f"another score: {outcome.student}: {outcome.changed}"
        console.print(plain(said), soft_wrap=True)
    failed = [outcome for outcome in outcomes if outcome.problem]
    judged = sum(outcome.judged for outcome in outcomes)
    console.print(
        f"{judged} judged, {len(outcomes) - judged - len(failed)} unchanged, {len(failed)} could "
        "not be graded."
    )
    results = [result for outcome in outcomes if (result := outcome.result) is not None]
    if summary := class_summary(results):
        console.print(plain(summary), soft_wrap=True)
    if not all(map(is_sandboxed, isolations)):
        console.print(
            "Graded without a sandbox: the students' code could read and write whatever you can.",
            soft_wrap=True,
        )
    for outcome in failed:
        more = f" (see {_shortest(outcome.log)})" if outcome.log else ""
        console.print(plain(f"{outcome.student}: {outcome.problem}{more}"), soft_wrap=True)


def _shortest(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _show_verdict(result: Result, notes: list[str]) -> None:
    console = Console()
    for check in result.checks:
        console.print(
            Text(f"{check.status:>11}", STYLES.get(check.status, "red")),
            Text(f"{check.name}: {check.score:g} of {check.points:g} points. {check.title}"),
            soft_wrap=True,
        )
        message = [] if check.status == "passed" else [check.message]
        for line in (*message, *check.advice()):
            console.print(Text(f"            {line}"), soft_wrap=True)
    for note in (*notes, *result.notes):
        console.print(Text(f"       note {note}"), soft_wrap=True)
    console.print(
        f"{result.score:g} of {result.max_score:g} points. Isolation: {result.isolation}."
    )
