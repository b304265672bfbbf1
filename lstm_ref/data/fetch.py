"""A file that does not come with the course: out of a folder that has it, out of the cache, or by
download.

Whatever the way, a file is used only if its SHA-256 is the one that stands here. So a download that
broke off, an error page that came instead of the file, and a new version at the old address are
found, and not trained on.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from lstm_ref.data.packages import need
from lstm_ref.errors import DataError

DATA_DIR = "LSTM_DATA_DIR"  # a folder that already has the files; it is only read
CACHE_DIR = "LSTM_CACHE_DIR"  # where downloads are kept, instead of the user's own cache folder
TIMEOUT = 30.0  # seconds without a byte


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Remote(NamedTuple):
    """A file, where it is, and how to know it.

    ``name`` is its path below `LSTM_DATA_DIR` and below the cache folder. ``digest`` computes what
    ``sha256`` is compared with: of an archive that the server packs anew for each request, only the
    content has a lasting SHA-256.
    """

    name: str
    url: str
    sha256: str
    digest: Callable[[Path], str] = file_sha256


def github(repository: str, commit: str, path: str) -> str:
    """Address of a file of a repository at one commit, which always gives the same bytes."""
    return f"https://raw.githubusercontent.com/{repository}/{commit}/{path}"


def cache_folder() -> Path:
    """Folder that downloads are kept in: what LSTM_CACHE_DIR names, else the user's cache folder.

    Raises
    ------
    MissingPackageError : pooch, which knows where this system keeps caches, is not installed
    """
    named = os.environ.get(CACHE_DIR)
    return (
        Path(named).expanduser()
        if named
        else Path(need("load", "pooch").os_cache("inside-the-lstm"))
    )


def fetch(remote: Remote, data_set: str, twin: str) -> Path:
    """Path of a file whose SHA-256 is right.

    First the folder that LSTM_DATA_DIR names is asked, then the cache, then the network. A damaged
    file in the cache is fetched again. A file in LSTM_DATA_DIR is the user's own: a wrong one is an
    error, and nothing is put in its place.

    Parameters
    ----------
    remote : the file
    data_set : name of the data set that it belongs to, for the messages
    twin : name of the data set to use where there is no network, for the messages

    Raises
    ------
    DataError : no way leads to the right file
    MissingPackageError : pooch, tqdm or requests is not installed, and the file has to be
        downloaded
    """
    own = os.environ.get(DATA_DIR)
    if own:
        found = _own_file(Path(own).expanduser(), remote, data_set)
        if found is not None:
            return found
    path = cache_folder() / remote.name
    if path.is_file():
        if remote.digest(path) == remote.sha256:
            return path
        # pooch looks at the SHA-256 of whole files only; what is damaged must be out of its way.
        _explained(lambda: path.unlink(missing_ok=True), remote, data_set, twin)
    _explained(lambda: _download(remote, path), remote, data_set, twin)
    return path


def _own_file(folder: Path, remote: Remote, data_set: str) -> Path | None:
    if not folder.is_dir():
        raise DataError(
            f"load: {DATA_DIR} names {str(folder)!r}, which is not a folder; correct it, or unset "
            "it to use the cache"
        )
    path = folder / remote.name
    if not path.is_file():
        return None
    found = remote.digest(path)
    if found != remote.sha256:
        raise DataError(
            f"load: {path} is not the file of {data_set!r} that this course was written with: its "
            f"SHA-256 is {found}, expected {remote.sha256}; remove it, or put the file from "
            f"{remote.url} there"
        )
    return path


def _download(remote: Remote, path: Path) -> None:
    pooch = need("load", "pooch")
    # Both are closed here, for pooch leaves them open when a download fails.
    responses: list[Any] = []
    # pooch sets the total
    bar = need("load", "tqdm").tqdm(desc=path.name, total=1, unit="B", unit_scale=True)
    get = pooch.HTTPDownloader(
        progressbar=bar,
        chunk_size=2**16,
        timeout=TIMEOUT,
        hooks={"response": lambda r, *_, **__: responses.append(r)},
    )

    def get_and_check(url: str, output: Any, caller: Any) -> None:
        """Download to the name that pooch gives; only if this returns, pooch moves the file to
        where it belongs.
        """
        get(url, output, caller)
        found = remote.digest(Path(output))
        if found != remote.sha256:
            size = Path(output).stat().st_size
            raise ValueError(
                f"{size} bytes came, and their SHA-256 is {found}, expected {remote.sha256}"
            )

    try:
        with _quiet(pooch.get_logger()):
            pooch.retrieve(
                remote.url, None, fname=path.name, path=path.parent, downloader=get_and_check
            )
    finally:
        bar.close()
        for response in responses:
            response.close()


@contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    """Let pooch warn but not tell: without a known hash of its own it would advise to use the one
    that came.
    """
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


def _explained(action: Callable[[], None], remote: Remote, data_set: str, twin: str) -> None:
    """Do it; where the network, the server or the disk refuses, say so with the ways that are
    left.
    """
    try:
        action()
    except (OSError, ValueError) as error:  # what requests raises is an OSError
        raise DataError(
            f"load: {data_set!r} could not be downloaded from {remote.url}: "
            f"{type(error).__name__}: {error}. Try again when there is a network, or put the file "
            f"as {remote.name} into a folder and name that folder in {DATA_DIR}. Without a "
            f"network, use load({twin!r}): another data set for the same task, always there"
        ) from error
