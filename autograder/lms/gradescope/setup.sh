#!/usr/bin/env bash
# Gradescope runs this once, as root, when it builds the image: Python, bubblewrap, and the packages of the problem set.
set -euo pipefail
root="${AUTOGRADER_ROOT:-/autograder}"
venv="${AUTOGRADER_VENV:-/opt/autograder-venv}"
here="$root/source"

# The versions in requirements.txt were installed with the first of these.
names="pythonVERSION python3.11 python3.12 python3.13 python3"

find_python() {
    for name in $names; do
        if "$name" -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
            python=$name
            return
        fi
    done
    return 1
}

install() {
    DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "$@"
}

if ! find_python; then
    apt-get update -q
    for name in $names; do
        install "$name" "$name-venv" && find_python && break
    done
    find_python || { echo "setup.sh: no Python from 3.11 to 3.13 can be installed; choose a newer base image." >&2; exit 1; }
fi
if ! command -v bwrap >/dev/null; then
    { apt-get update -q && install bubblewrap; } || echo "setup.sh: bubblewrap cannot be installed; there will be no sandbox." >&2
fi

"$python" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt"
# It holds the hidden checks and the key of the seeds.
chmod o= "$here"
PYTHONPATH="$here/course" "$venv/bin/python" -P -m autograder.lms.gradescope.run "$root" --check
