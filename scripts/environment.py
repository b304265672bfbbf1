"""Make .venv from environment.yml: what `make environment` runs.

Three variables choose, and .venv remembers what they chose:

    GPU=tensorflow     TensorFlow with CUDA's libraries, and PyTorch without them
    GPU=none           back to TensorFlow for the CPU
    TORCH_INDEX=cpu    PyTorch from its own index of wheels for the CPU alone
    TORCH_INDEX=URL    PyTorch from another index

It runs on the machine's own Python, which may be old: it must parse there in order to say so.
"""

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys

OLDEST, NEWEST = (3, 11), (3, 14)  # NumPy's oldest; the newest for which the pins have wheels
ADVISED = "3.13"  # the newest that has all of it: TensorFlow has no build for 3.14
# Measured by benchmarks/footprint.py; see README. pip unpacks beside what is there already.
GIGABYTES, GIGABYTES_CUDA = 6, 12
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
STAMP = os.path.join(VENV, "installed-from.sha256")
CHOSEN = os.path.join(VENV, "chosen.json")
SOURCES = ("environment.yml", "constraints.txt", "pyproject.toml")
TORCH_CPU = "https://download.pytorch.org/whl/cpu"  # PyTorch's own index of wheels without CUDA
EXTRAS = {"none": "all", "tensorflow": "all-tensorflow-gpu"}  # what GPU=... installs


def main():
    """Create or refresh .venv; do nothing where it is up to date."""
    want, before = fingerprint(), chosen_before()
    choice = chosen(before)
    check_venv()
    if text_of(STAMP) == want and choice == before:
        return
    check_python()
    check_disk(choice)
    if not os.path.exists(python_of(VENV)):
        create()
    if os.path.exists(STAMP):
        os.remove(STAMP)  # until the end .venv is neither the old one nor the new one
    if choice != before:
        take_out()
    with open(CHOSEN, "w") as out:
        json.dump(choice, out)
    install(choice)
    with open(STAMP, "w") as stamp:
        stamp.write(want)


def python_of(venv):
    """Where a virtual environment has its Python."""
    return os.path.join(venv, "bin", "python")


def text_of(path):
    """What a file holds; nothing where there is none."""
    if not os.path.exists(path):
        return ""
    with open(path) as source:
        return source.read()


def fingerprint():
    """Hash of all that decides what is installed."""
    digest = hashlib.sha256()
    for name in SOURCES:
        with open(os.path.join(ROOT, name), "rb") as source:
            digest.update(source.read())
    return digest.hexdigest()


def chosen_before():
    """What .venv was made with; the defaults where it does not say, or is not there."""
    return json.loads(text_of(CHOSEN) or '{"gpu": "none", "torch_index": ""}')


def chosen(before):
    """What GPU and TORCH_INDEX ask for now; where they are not set, what was chosen before."""
    gpu = os.environ.get("GPU") or before["gpu"]
    if gpu not in EXTRAS:
        fail(f"GPU must be one of {', '.join(sorted(EXTRAS))}, not {gpu!r}.")
    if gpu == "tensorflow" and platform.system() != "Linux":
        fail("GPU=tensorflow is for Linux: TensorFlow has no build for CUDA elsewhere.")
    if gpu == "tensorflow" and sys.version_info[:2] >= (3, 14):
        fail(f"GPU=tensorflow needs Python 3.11 to {ADVISED}.\n" + ways())
    return {"gpu": gpu, "torch_index": os.environ.get("TORCH_INDEX", before["torch_index"])}


def torch_index(choice):
    """The index of PyTorch; none where it comes from where all else comes from."""
    # The CUDA builds of PyTorch and TensorFlow write different versions of cuDNN into the same
    # files (nvidia/cudnn/lib), which no resolver sees: only one of the two may have CUDA.
    asked = choice["torch_index"] or ("cpu" if choice["gpu"] == "tensorflow" else "")
    return TORCH_CPU if asked == "cpu" else asked


def dotted(version):
    """(3, 11) -> '3.11'."""
    return ".".join(map(str, version))


def check_python():
    """Stop where this Python is too old or too new for the pinned packages."""
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        fail(
            f"Python {dotted(OLDEST)} to {dotted(NEWEST)} is needed, this is "
            f"{dotted(sys.version_info[:2])} ({sys.executable}).\n" + ways()
        )
    if sys.version_info[:2] >= (3, 14):
        print(
            "Python 3.14: TensorFlow has no build for it, so the environment comes without it.\n"
            "Pages that need it show stored results; the tests need it, too. For all: Python "
            f"{ADVISED}."
        )


def ways():
    """How to get a Python that fits, on any system and without root."""
    return (
        f"With uv:    uv python install {ADVISED}\n"
        f'            make PYTHON="$(uv python find {ADVISED})" book\n'
        f"With conda: conda create -n python-{ADVISED} python={ADVISED}\n"
        f"            conda activate python-{ADVISED} && make PYTHON=python book"
    )


def check_venv():
    """Stop where PYTHON was given and .venv was made by another Python."""
    found = re.search(
        r"^version\s*=\s*(\d+)\.(\d+)", text_of(os.path.join(VENV, "pyvenv.cfg")), re.M
    )
    there = tuple(map(int, found.groups())) if found else sys.version_info[:2]
    if "--asked" in sys.argv and there != sys.version_info[:2]:
        fail(
            f"PYTHON is {dotted(sys.version_info[:2])}, and .venv was made with {dotted(there)}.\n"
            "Remove .venv (rm -r .venv), then run this again; or leave PYTHON out."
        )


def brings_cuda(choice):
    """Whether what is installed may bring CUDA's libraries along: pip's PyTorch for Linux does."""
    return platform.system() == "Linux" and (choice["gpu"] != "none" or not torch_index(choice))


def check_disk(choice):
    """Stop where the environment will not fit; say so where it only may not."""
    free = shutil.disk_usage(ROOT).free / 1e9
    if os.path.exists(VENV) or free >= GIGABYTES_CUDA:
        return
    if free < GIGABYTES:
        fail(
            f"{GIGABYTES} GB of free disk are needed for the environment, {free:.1f} GB are free "
            f"under {ROOT}.\n"
            "Make room there, or clone the course onto a larger disk."
        )
    if brings_cuda(choice):
        print(
            f"{free:.1f} GB of disk are free. PyTorch for Linux brings CUDA's libraries, and then "
            f"{GIGABYTES_CUDA} GB are needed.\nWithout them {GIGABYTES} GB are enough: make "
            "TORCH_INDEX=cpu ..."
        )


def create():
    """Create .venv; Debian and Ubuntu keep what that needs in a package of its own."""
    run = subprocess.run(
        [sys.executable, "-m", "venv", VENV],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if run.returncode:
        shutil.rmtree(VENV, ignore_errors=True)  # a half-made one would be taken for a whole one
        fail(f"{sys.executable} could not make a virtual environment.\n" + venv_ways(), run.stdout)


def venv_ways():
    """How to get what `python -m venv` lacks: an apt package only where this Python is apt's."""
    if sys.base_prefix == "/usr" and shutil.which("apt-get"):
        package = f"python{dotted(sys.version_info[:2])}-venv"
        return f"Run this, then the same command again: sudo apt-get install {package}"
    return "Another Python does.\n" + ways()


def pip_section():
    """Read the lines under `- pip:` in environment.yml: the same list that conda hands to pip."""
    lines = text_of(os.path.join(ROOT, "environment.yml")).split("- pip:\n", 1)[1].splitlines()
    return [line.strip()[2:] for line in lines if line.strip().startswith("- ")]


def requirements(choice):
    """The lines that pip is given: those of environment.yml, with the extra that GPU asks for."""
    return [line.replace("[all]", f"[{EXTRAS[choice['gpu']]}]") for line in pip_section()]


def install(choice):
    """Install what was chosen: PyTorch first where it comes from an index of its own."""
    print(
        "Installing the packages of environment.yml into .venv; the first time takes some minutes."
    )
    sys.stdout.flush()
    if torch_index(choice):
        # Alone and without what it requires: no other package may come from that index.
        pip("install", "--no-deps", "--index-url", torch_index(choice), pinned("torch"))
    path = os.path.join(ROOT, ".requirements.txt")  # beside constraints.txt, which it names
    try:
        with open(path, "w") as out:
            out.write("\n".join(requirements(choice)) + "\n")
        pip("install", "-r", path)
    finally:
        os.remove(path)


def pinned(name):
    """'torch' -> 'torch==2.13.0', from constraints.txt."""
    return re.search(
        rf"^{name}==[^\s;]+", text_of(os.path.join(ROOT, "constraints.txt")), re.M
    ).group()


def take_out():
    """Take out what another choice puts elsewhere: pip would take one build for the other."""
    listed = pip("list", "--format=freeze")
    names = [line.split("==")[0] for line in listed.splitlines()]
    kinds = ("torch", "triton", "tensorflow", "nvidia-", "nvidia_", "cuda-", "cuda_")
    found = [name for name in names if name.lower().startswith(kinds)]
    if found:
        pip("uninstall", "--yes", *found)


def pip(command, *arguments):
    """Run pip in .venv and return what it prints; stop with one sentence where it fails."""
    quiet = [] if command == "list" else ["--quiet"]  # which would silence the list itself
    run = subprocess.run(
        [python_of(VENV), "-m", "pip", command, *quiet, "--disable-pip-version-check", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if run.returncode:
        fail(explain(run.stderr), run.stderr)
    return run.stdout


def explain(stderr):
    """One sentence and a remedy for what pip reported."""
    if "No space left" in stderr:
        return (
            "The disk is full. Make room, then run the same command again; what is installed "
            "already is kept."
        )
    if any(sign in stderr for sign in ("connection broken by", "timed out", "from versions: none")):
        return (
            "The package index is out of reach, or lacks a package. Is there a network, or a proxy "
            "to set (HTTPS_PROXY)?\n"
            "An index of your own is set by PIP_INDEX_URL. Then run the same command again; what "
            "is installed already is kept."
        )
    return "pip could not install the environment; what it said is above."


def fail(message, detail=""):
    """Print what went wrong, detail first so that the message is the last thing read, and stop."""
    if detail:
        sys.stderr.write(detail.rstrip() + "\n\n")
    sys.exit("environment: " + message)


if __name__ == "__main__":
    main()
