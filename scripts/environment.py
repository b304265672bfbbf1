"""Make .venv from environment.yml: what `make environment` runs.

It runs on the machine's own Python, which may be old: it must parse there in order to say so.
"""

import hashlib
import os
import shutil
import subprocess
import sys

OLDEST, NEWEST = (3, 11), (3, 13)  # NumPy's oldest, TensorFlow's newest
GIGABYTES = 6  # .venv takes 3.9 (measured 2026-11-24), and pip unpacks beside it
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
STAMP = os.path.join(VENV, "installed-from.sha256")
SOURCES = ("environment.yml", "constraints.txt", "pyproject.toml")


def main():
    """Create or refresh .venv; do nothing where it is up to date."""
    want = fingerprint()
    if os.path.exists(STAMP):
        with open(STAMP) as stamp:
            if stamp.read() == want:
                return
    check_python()
    check_disk()
    python = os.path.join(VENV, "bin", "python")
    if not os.path.exists(python):
        create()
    requirements = os.path.join(ROOT, ".requirements.txt")  # beside constraints.txt, which it names by a relative path
    try:
        with open(requirements, "w") as out:
            out.write("\n".join(pip_section()) + "\n")
        print("Installing the packages of environment.yml into .venv; the first time takes some minutes.")
        sys.stdout.flush()
        run = subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
    finally:
        os.remove(requirements)
    if run.returncode:
        fail(explain(run.stderr), run.stderr)
    with open(STAMP, "w") as stamp:
        stamp.write(want)


def fingerprint():
    """Hash of all that decides what is installed."""
    digest = hashlib.sha256()
    for name in SOURCES:
        with open(os.path.join(ROOT, name), "rb") as source:
            digest.update(source.read())
    return digest.hexdigest()


def dotted(version):
    """(3, 11) -> '3.11'."""
    return ".".join(map(str, version))


def check_python():
    """Stop where this Python is too old or too new for the pinned packages."""
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        fail(
            f"Python {dotted(OLDEST)} to {dotted(NEWEST)} is needed, this is {dotted(sys.version_info[:2])} ({sys.executable}).\n"
            "Install one (Debian, Ubuntu: sudo apt-get install python3.11 python3.11-venv) and run `make PYTHON=python3.11 ...`."
        )


def check_disk():
    """Stop where the environment will not fit."""
    free = shutil.disk_usage(ROOT).free / 1e9
    if not os.path.exists(VENV) and free < GIGABYTES:
        fail(
            f"{GIGABYTES} GB of free disk are needed for the environment, {free:.1f} GB are free under {ROOT}.\n"
            "Make room there, or clone the course onto a larger disk."
        )


def create():
    """Create .venv; Debian keeps what that needs in a package of its own."""
    run = subprocess.run(
        [sys.executable, "-m", "venv", VENV], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if run.returncode:
        shutil.rmtree(VENV, ignore_errors=True)  # a half-made one would be taken for a whole one
        fail(
            "Python could not make a virtual environment.\n"
            f"Debian, Ubuntu: sudo apt-get install python{dotted(sys.version_info[:2])}-venv, then run this again.",
            run.stdout,
        )


def pip_section():
    """Read the lines under `- pip:` in environment.yml: the same list that conda hands to pip."""
    with open(os.path.join(ROOT, "environment.yml")) as text:
        lines = text.read().split("- pip:\n", 1)[1].splitlines()
    return [line.strip()[2:] for line in lines if line.strip().startswith("- ")]


def explain(stderr):
    """One sentence and a remedy for what pip reported."""
    if "No space left" in stderr:
        return "The disk is full. Make room, then run the same command again; what is installed already is kept."
    if any(sign in stderr for sign in ("connection broken by", "timed out", "from versions: none")):
        return (
            "The package index is out of reach, or lacks a package. Is there a network, or a proxy to set (HTTPS_PROXY)?\n"
            "An index of your own is set by PIP_INDEX_URL. Then run the same command again; what is installed already is kept."
        )
    return "pip could not install the environment; what it said is above."


def fail(message, detail=""):
    """Print what went wrong, detail first so that the message is the last thing read, and stop."""
    if detail:
        sys.stderr.write(detail.rstrip() + "\n\n")
    sys.exit("environment: " + message)


if __name__ == "__main__":
    main()
