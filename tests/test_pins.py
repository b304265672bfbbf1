"""The pins fit every Python and system that the course is for: a resolver says so, and nothing is
installed.

uv reads the metadata of the package index, which takes some minutes the first time; it keeps what
it has read, and what an index says of a version does not change. So it looks there first, and asks
the index where that does not answer.
"""

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.package_index import OUT_OF_REACH, index_of_pip

ROOT = Path(__file__).parents[1]
# Debian 12's, Ubuntu 24.04's, Debian 13's, and the newest, for which TensorFlow has no build.
PYTHONS = ["3.11.2", "3.12.3", "3.13.5", "3.14.0"]
LINUX = ["x86_64-manylinux_2_28", "aarch64-manylinux_2_28"]
MACOS = "aarch64-apple-darwin"
WITH_TENSORFLOW = PYTHONS[:-1]
CASES = (
    [("all", python, platform) for python in PYTHONS for platform in [*LINUX, MACOS]]
    + [("tensorflow-gpu", python, platform) for python in WITH_TENSORFLOW for platform in LINUX]
    + [("colab", python, LINUX[0]) for python in PYTHONS[1:]]
)


def resolve(extra, python, platform, *, constraints=ROOT / "constraints.txt"):
    """What an install of the extra would put there, as uv says it; only docopt has no wheel."""
    command = [
        sys.executable,
        "-m",
        "uv",
        "pip",
        "compile",
        "--quiet",
        str(ROOT / "pyproject.toml"),
    ]
    command += ["--extra", extra, "--constraints", str(constraints), "--no-header", "--no-annotate"]
    command += ["--python-version", python, "--python-platform", platform]
    command += ["--only-binary", ":all:", "--no-binary", "docopt"]
    # PyTorch's oldest
    environment = {**os.environ, **index_of_pip(), "MACOSX_DEPLOYMENT_TARGET": "14.0"}
    for offline in (["--offline"], []):
        run = subprocess.run(command + offline, capture_output=True, text=True, env=environment)
        if run.returncode == 0:
            break
    if (
        run.returncode
        and any(sign in run.stderr for sign in OUT_OF_REACH)
        and not os.environ.get("CI")
    ):
        pytest.skip("the package index is out of reach")
    return run


@pytest.fixture(scope="module")
def resolved():
    """Every case at one time: most of it is waiting for the index."""
    with ThreadPoolExecutor(6) as threads:
        return dict(zip(CASES, threads.map(lambda case: resolve(*case), CASES), strict=True))


def packages(run):
    """{name: version} of what was resolved."""
    assert run.returncode == 0, run.stderr
    return dict(re.findall(r"^([\w.-]+)==(\S+)$", run.stdout, re.M))


def pinned_names():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return {normal(line.split("==")[0]) for line in lines if not line.startswith("#")}


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize(("extra", "python", "platform"), CASES)
def test_the_pins_resolve_and_nothing_is_left_unpinned(resolved, extra, python, platform):
    found = packages(resolved[extra, python, platform])
    assert len(found) > 10
    assert {normal(name) for name in found} - pinned_names() == set()


@pytest.mark.parametrize("platform", [*LINUX, MACOS])
@pytest.mark.parametrize("python", PYTHONS)
def test_tensorflow_is_there_where_it_has_a_build(resolved, python, platform):
    found = packages(resolved["all", python, platform])
    builds = {name for name in found if name in ("tensorflow", "tensorflow-cpu", "keras")}
    build = "tensorflow-cpu" if platform == LINUX[0] else "tensorflow"
    assert builds == ({build, "keras"} if python in WITH_TENSORFLOW else {"keras"})
    assert found["torch"] and found["numba"] and found["jupyter-book"]


@pytest.mark.parametrize("platform", LINUX)
@pytest.mark.parametrize("python", WITH_TENSORFLOW)
def test_tensorflow_for_a_gpu_brings_one_cudnn(resolved, python, platform):
    """PyTorch's CUDA build brings another: both would write nvidia/cudnn/lib, and the later one
    stays.
    """
    found = packages(resolved["tensorflow-gpu", python, platform])
    assert "tensorflow" in found and "tensorflow-cpu" not in found
    assert [name for name in found if "cudnn" in name] == ["nvidia-cudnn-cu12"]
    cuda_of_torch = packages(resolved["all", python, platform])
    assert [name for name in cuda_of_torch if "cudnn" in name] == ["nvidia-cudnn-cu13"]


def test_colab_keeps_the_pytorch_and_tensorflow_that_it_has(resolved):
    for (extra, _, _), run in resolved.items():
        if extra == "colab":
            assert not {"torch", "tensorflow", "keras", "jupyter-book", "nbgrader"} & set(
                packages(run)
            )


def test_a_pin_that_does_not_fit_is_found(tmp_path):
    """The pin that once failed with Debian 12's Python, and only there."""
    constraints = tmp_path / "constraints.txt"
    text = (ROOT / "constraints.txt").read_text()
    constraints.write_text(re.sub(r"^soupsieve==.*$", "soupsieve==4.1.2", text, flags=re.M))
    run = resolve("all", "3.11.2", LINUX[0], constraints=constraints)
    assert run.returncode != 0 and "soupsieve==4.1.2 depends on Python>=3.11.5" in run.stderr
