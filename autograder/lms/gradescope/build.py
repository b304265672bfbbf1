"""Make the zip that a Gradescope course uploads as its autograder: the judge, one problem set, and
two scripts.

It holds the hidden checks, and so is for instructors only. The solutions and the simulated class
are not in it.
"""

from __future__ import annotations

import hashlib
import hmac
import importlib.util
import io
import json
import re
import stat
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

from autograder.batch.cluster import bundle
from autograder.course.course import Course
from autograder.course.key import course_key
from autograder.errors import ProblemSetError
from autograder.files import write_atomic
from autograder.judge.problem_set import ProblemSet
from autograder.lms.gradescope import run
from autograder.modules import imported
from autograder.sandbox.mounts import PACKAGE, with_requirements

SCRIPTS = Path(__file__).parent
START = "autograder.lms.gradescope.run"  # module that the container runs
WHEN = (2020, 1, 1, 0, 0, 0)  # of all files: the same course gives the same zip
# Where PyTorch's builds for processors lie; those of PyPI bring 3 GB of CUDA along.
TORCH_FOR_CPU = "--extra-index-url https://download.pytorch.org/whl/cpu"


def write_zip(
    course: Course,
    problem_set: ProblemSet,
    path: Path,
    unsafe_local: bool = False,
    visibility: str = "visible",
) -> None:
    """Write the zip.

    Parameters
    ----------
    course, problem_set : whose
    path : of the zip
    unsafe_local : whether submissions are graded without a sandbox where there is none
    visibility : of the tests: "visible", "after_due_date" or "after_published"

    Raises
    ------
    ProblemSetError : the released notebook is missing
    StoreError : the disk is full, or cannot be written
    """
    files = contents(course, problem_set, unsafe_local, visibility)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, (content, mode) in sorted(files.items()):
            info = zipfile.ZipInfo(name, WHEN)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3  # Unix: else nobody would read the mode
            info.external_attr = (stat.S_IFREG | mode) << 16
            archive.writestr(info, content)
    write_atomic(path, buffer.getvalue())


def contents(
    course: Course, problem_set: ProblemSet, unsafe_local: bool, visibility: str
) -> dict[str, tuple[bytes, int]]:
    """Files of the zip: name -> content and mode."""
    # Made from the course's key, so that a seed can be made again at home, and unlike it: who sees
    # the zip knows no other seed.
    key = hmac.new(
        course_key(course.records), f"gradescope/{problem_set.name}".encode(), hashlib.sha256
    ).hexdigest()
    settings = run.Settings(problem_set.name, key, unsafe_local, visibility)
    ours, others = dependencies(problem_set)
    files: dict[str, tuple[bytes, int]] = {}
    for name, folder in ours.items():
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                files[f"course/{name}/{path.relative_to(folder).as_posix()}"] = (
                    path.read_bytes(),
                    0o644,
                )
    for name, content in bundle(problem_set):
        files[f"course/solutions/{problem_set.name}/{name}"] = content, 0o644
    release = problem_set.release
    if not release.is_file():
        raise ProblemSetError(f"{release} does not exist; run `autograder exercises` first")
    files[f"course/exercises/{problem_set.name}/{problem_set.name}.ipynb"] = (
        release.read_bytes(),
        0o644,
    )
    files[f"course/{run.SETTINGS}"] = json.dumps(asdict(settings), indent=1).encode(), 0o600
    files["requirements.txt"] = requirements(others).encode(), 0o644
    files["failed.json"] = json.dumps(run.not_started(), indent=1).encode(), 0o644
    setup = (SCRIPTS / "setup.sh").read_text(encoding="utf-8")
    files["setup.sh"] = (
        setup.replace("VERSION", f"{sys.version_info[0]}.{sys.version_info[1]}").encode(),
        0o755,
    )
    files["run_autograder"] = (SCRIPTS / "run_autograder").read_bytes(), 0o755
    return files


def requirements(distributions: tuple[str, ...]) -> str:
    """Distributions and all that they require, pinned to what is installed here."""
    names = sorted(with_requirements(distributions))
    lines = [f"{name}=={re.sub(r'[+].*', '', distribution(name).version)}" for name in names]
    return "\n".join([TORCH_FOR_CPU, *lines] if "torch" in names else lines) + "\n"


def dependencies(problem_set: ProblemSet) -> tuple[dict[str, Path], tuple[str, ...]]:
    """What the container needs: folders of this course's own packages by name, and distributions of
    others.

    Found by reading what is imported, from the module that runs there and from the checks on; what
    is imported inside a function counts in the checks only.
    """
    ours = {"autograder": PACKAGE}
    others = dict.fromkeys(problem_set.packages)
    seen: set[str] = set()
    waiting = [
        *_imports_of(_source(START)),
        *imported((problem_set.folder / "checks.py").read_bytes()),
    ]
    while waiting:
        module = waiting.pop()
        top = module.partition(".")[0]
        if module in seen or top in sys.stdlib_module_names:
            continue
        seen.add(module)
        if (found := _distribution_of(top)) is not None:
            others[found] = None
        elif (source := _source(module)) is not None:
            ours[top] = _code_folder(top)
            waiting += [module.rpartition(".")[0]] * ("." in module) + _imports_of(source)
    return ours, tuple(others)


def _distribution_of(top: str) -> str | None:
    """Distribution that a package comes from; None for those that come with this one."""
    mine = set(_distributions().get("autograder", ()))
    theirs = [name for name in _distributions().get(top, ()) if name not in mine]
    return theirs[0] if theirs else None


@cache
def _distributions() -> Mapping[str, list[str]]:
    """Distributions by package; to ask takes seconds, for all that is installed is looked at."""
    return packages_distributions()


def _code_folder(top: str) -> Path:
    source = _source(top)
    assert source is not None and source.name == "__init__.py", f"{top} is no package"
    return source.parent


def _source(module: str) -> Path | None:
    """File of a module; None where there is none, as for a name that is imported from one."""
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        return None
    return (
        Path(spec.origin)
        if spec is not None and spec.origin and spec.origin.endswith(".py")
        else None
    )


def _imports_of(source: Path | None) -> list[str]:
    """What a module imports when it is imported itself."""
    return [] if source is None else list(imported(source.read_bytes(), inside_functions=False))
