"""What comes from students as files: zips that nobody can vouch for, and which of several notebooks
counts.

Nothing is unpacked to disk here. A zip is read one file at a time and into memory, and no more than
a notebook may hold.
"""

from __future__ import annotations

import io
import re
import stat
import unicodedata
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath

from nbformat import NotebookNode

from autograder.course.rebuild import MAX_FILE, parse_notebook, rebuild
from autograder.errors import ArchiveError, SubmissionError
from autograder.text import printable

MAX_ENTRIES = 200_000  # files in one zip; a class of 10,000 with ten files each has half of them
MAX_NESTED = 64 * 2**20  # bytes of a zip inside a zip
# times the size of the zip that its files may unpack to; a notebook full of zeros has about 100
MAX_GROWTH = 200
FREE_GROWTH = 64 * 2**20  # bytes that any zip may unpack to, however small it is
NO_NOTEBOOK = "it is no notebook"
MAX_CHOICE = 50  # notebooks of one student that are looked at
# Left by file managers and by Jupyter; no student means to hand them in.
CLUTTER = {"__MACOSX", ".ipynb_checkpoints", ".DS_Store", "Thumbs.db", "desktop.ini"}


@dataclass(frozen=True)
class Member:
    """A file in a zip.

    Parameters
    ----------
    parts : its path, folder by folder, in Unicode's composed form (NFC)
    when : its time by the zip (year, month, day, hour, minute, second), which knows no time zone
    """

    parts: tuple[str, ...]
    when: tuple[int, int, int, int, int, int]
    _info: zipfile.ZipInfo
    _zip: Zip

    @property
    def path(self) -> str:
        """Path in the zip, for people to read."""
        return "/".join(self.parts)

    def read(self, most: int = MAX_FILE) -> bytes:
        """Content.

        Raises
        ------
        ArchiveError : it has more than ``most`` bytes, or is damaged
        """
        return self._zip.read(self._info, self.path, most)


@dataclass
class Zip:
    """A zip, and what of it can be read.

    Parameters
    ----------
    name : for messages
    members : files
    left_out : path and reason of each entry that is not read: links, devices, paths that leave the
        zip, encrypted ones
    """

    name: str
    members: list[Member] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    _budget: int = 0
    _file: zipfile.ZipFile | None = None

    @classmethod
    def open(cls, source: Path | bytes, name: str) -> Zip:
        """Zip from a file or from its bytes.

        Raises
        ------
        ArchiveError : it is no zip, is damaged, or has too many files
        """
        size = len(source) if isinstance(source, bytes) else source.stat().st_size
        try:
            file = zipfile.ZipFile(io.BytesIO(source) if isinstance(source, bytes) else source)
        except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError) as error:
            raise ArchiveError(
                f"{name} is no zip, or is damaged ({error}); download it again"
            ) from None
        found = cls(name, _budget=max(FREE_GROWTH, MAX_GROWTH * size), _file=file)
        if len(file.infolist()) > MAX_ENTRIES:
            file.close()
            raise ArchiveError(
                f"{name} holds {len(file.infolist())} files; at most {MAX_ENTRIES} are read"
            )
        for info in file.infolist():
            path = _decoded(info)
            parts = tuple(part for part in path.split("/") if part not in ("", "."))
            if (
                info.is_dir()
                or CLUTTER.intersection(parts)
                or (parts and parts[-1].startswith("._"))
            ):
                continue
            if reason := _unreadable(info, path, parts):
                found.left_out.append((printable(path), reason))
            else:
                found.members.append(Member(parts, info.date_time, info, found))
        return found

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> Zip:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self, info: zipfile.ZipInfo, path: str, most: int) -> bytes:
        """Content of an entry; see `Member.read`."""
        assert self._file is not None
        if info.file_size > most:
            raise ArchiveError(
                f"it has {info.file_size / 2**20:.0f} MB; at most {most >> 20} MB are read"
            )
        # What an entry says of its size is what zipfile reads of it at most, so that a lie does not
        # help.
        self._budget -= info.file_size
        if self._budget < 0:
            raise ArchiveError(f"the zip unpacks to more than {MAX_GROWTH} times its size")
        try:
            return self._file.read(info)
        except (
            Exception
        ) as error:  # zlib, lzma, bz2 and struct each have errors of their own for a damaged file
            raise ArchiveError(f"it is damaged ({type(error).__name__}: {error})") from None


def _decoded(info: zipfile.ZipInfo) -> str:
    """Path of an entry: many programs write UTF-8 and do not say so, and zipfile then takes it for
    code page 437.
    """
    path = info.filename
    if not info.flag_bits & 0x800:
        try:
            path = path.encode("cp437").decode("utf-8")
        except UnicodeError:
            pass
    return unicodedata.normalize("NFC", path.replace("\\", "/"))


def _unreadable(info: zipfile.ZipInfo, path: str, parts: tuple[str, ...]) -> str:
    """Why an entry is not read; empty where it is."""
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        return "it is a link or a device"
    if path.startswith("/") or ".." in parts or re.match(r"[A-Za-z]:", path) or not parts:
        return "its path leads out of the zip"
    if info.flag_bits & 1:
        return "it is encrypted"
    if printable(path) != path:
        return "its name holds characters that cannot be written"
    return ""


@dataclass(frozen=True)
class Candidate:
    """A notebook that a student handed in.

    Parameters
    ----------
    path : where it was, for people to read
    file : its name as the student gave it
    read : gives its content; raises ArchiveError or SubmissionError
    order : greater for what was handed in later, where that can be told
    late : whether the platform calls it late
    when : time by a zip; None where there is none
    """

    path: str
    file: str
    read: Callable[[], bytes]
    order: tuple[int, ...] = ()
    late: bool = False
    when: tuple[int, int, int, int, int, int] | None = None


def attempt(file_name: str, name: str) -> tuple[str, int]:
    """Title of a notebook and number of the attempt, which platforms and browsers append to it.

    >>> (
    ...     attempt("hw-1-2.ipynb", "hw-1"),
    ...     attempt("hw-1.ipynb", "hw-1"),
    ...     attempt("Copy (3).ipynb", "hw-1"),
    ... )
    (('hw-1', 2), ('hw-1', 0), ('copy', 3))
    """
    stem = unicodedata.normalize("NFC", PurePosixPath(file_name).stem).strip().casefold()
    for title in (re.escape(name.casefold()), ".*?"):
        if match := re.fullmatch(
            rf"({title})(?:-(\d{{1,6}})|[ _]?\((\d{{1,6}})\))?", stem, re.DOTALL
        ):
            return match[1], int(match[2] or match[3] or 0)
    return stem, 0


def select_notebook(
    notebooks: Sequence[Candidate], name: str, release: NotebookNode
) -> tuple[Candidate, bytes]:
    """Which of a student's notebooks counts, and its content.

    The only one; of several those that bear the name of the problem set; of several attempts at one
    the last; else the only one with this problem set's cells.

    Parameters
    ----------
    notebooks : at least one
    name : of the problem set
    release : the notebook that students got

    Raises
    ------
    SubmissionError : several remain; names them
    ArchiveError : the one that counts cannot be read
    """
    if len(notebooks) == 1:
        return notebooks[0], notebooks[0].read()
    if len(notebooks) > MAX_CHOICE:
        raise SubmissionError(f"{len(notebooks)} notebooks were handed in; hand in one")
    titles = {id(notebook): attempt(notebook.file, name) for notebook in notebooks}
    named = [n for n in notebooks if titles[id(n)][0] == name.casefold()]
    left = named or list(notebooks)
    if len({titles[id(n)][0] for n in left}) == 1:
        newest = max(left, key=lambda n: (n.order, titles[id(n)][1]))
        if (
            sum((n.order, titles[id(n)][1]) == (newest.order, titles[id(newest)][1]) for n in left)
            == 1
        ):
            return newest, newest.read()
    contents = {content: notebook for notebook, content in _readable_notebooks(left)}
    if len(contents) > 1:
        contents = {c: n for c, n in contents.items() if _belongs(c, release)} or contents
    if len(contents) == 1:
        ((content, notebook),) = contents.items()
        return notebook, content
    shown = ", ".join(n.path for n in left[:5]) + (", ..." if len(left) > 5 else "")
    raise SubmissionError(
        f"{len(left)} notebooks were handed in ({shown}), and it cannot be told which one counts; "
        f"hand in one, called {name}.ipynb"
    )


def notebooks_in(
    member: Member, file: str, order: tuple[int, ...] = (), late: bool = False
) -> Iterator[Candidate | tuple[str, str]]:
    """Notebooks of one file of a zip: itself, or what is in it where it is a zip; (path, reason)
    for what cannot be read.

    ``file`` is its name without what a platform put before it; see `Candidate` for the others.
    """
    suffix = PurePosixPath(member.parts[-1]).suffix.lower()
    if suffix == ".ipynb":
        yield Candidate(member.path, file, member.read, order, late, member.when)
        return
    if suffix != ".zip":
        yield member.path, NO_NOTEBOOK
        return
    try:
        with Zip.open(member.read(MAX_NESTED), member.path) as inner:
            members, left_out = inner.members, inner.left_out
    except ArchiveError as error:
        yield member.path, str(error)
        return
    yield from ((f"{member.path}/{path}", reason) for path, reason in left_out)
    for number, inside in enumerate(members):
        path, last = f"{member.path}/{inside.path}", inside.parts[-1]
        if PurePosixPath(last).suffix.lower() == ".ipynb":
            yield Candidate(
                path, last, partial(_read_inner, member, number), order, late, inside.when
            )
        else:
            yield (
                path,
                "it is a zip in a zip in a zip" if last.lower().endswith(".zip") else NO_NOTEBOOK,
            )


def _read_inner(member: Member, number: int) -> bytes:
    """Content of a file of a zip in a zip, which is opened anew: a class's zips are not all held in
    memory.
    """
    with Zip.open(member.read(MAX_NESTED), member.path) as inner:
        return inner.members[number].read()


def _readable_notebooks(notebooks: Sequence[Candidate]) -> Iterator[tuple[Candidate, bytes]]:
    for notebook in notebooks:
        try:
            yield notebook, notebook.read()
        except (ArchiveError, SubmissionError):
            continue


def _belongs(content: bytes, release: NotebookNode) -> bool:
    try:
        rebuild(release, parse_notebook(content, "it"))
    except SubmissionError:
        return False
    return True
