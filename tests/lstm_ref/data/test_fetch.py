"""Files that do not come with the course, against a server of this test's own: nothing here asks
the network.
"""

import hashlib
import http.server
import io
import os
import socket
import sys
import tarfile
import threading
from pathlib import Path

import numpy as np
import pytest

from lstm_ref.data import about, fetch, load, names, shakespeare, spoken_digits
from lstm_ref.data.fetch import Remote
from lstm_ref.errors import DataError, MissingPackageError

GOOD = b"First Citizen:\nBefore we proceed any further, hear me speak.\n" * 3000
SHA = hashlib.sha256(GOOD).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """What the path asks for: /good, /truncated, /aborted, /slow, /other, or 404."""

    def do_GET(self):
        self.server.asked.append(self.path)
        body = {"/other": b"<html>sign in to the network</html>"}.get(self.path, GOOD)
        if self.path in ("/404", "/robots.txt"):
            self.send_error(404)
            return
        self.send_response(200)
        # A proxy that cuts the file and says so tells a length that fits; a connection that breaks
        # off does not.
        half = body[: len(body) // 2]
        self.send_header("Content-Length", str(len(half if self.path == "/truncated" else body)))
        self.end_headers()
        if self.path in ("/truncated", "/aborted", "/slow"):
            self.wfile.write(half)
            self.wfile.flush()
            if self.path == "/slow":
                self.server.done.wait(60)
        else:
            self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.asked, server.done = [], threading.Event()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.done.set()
        server.shutdown()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.delenv(fetch.DATA_DIR, raising=False)
    monkeypatch.setenv(fetch.CACHE_DIR, str(tmp_path / "cache"))
    # A proxy of the environment must not be asked for this machine's own server.
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "cache"


@pytest.fixture
def get(server, cache):
    """Ask for a path of the server under the name folder/text.txt; the requests that it takes are
    in get.asked.
    """

    def get(path, **changes):
        url = f"http://127.0.0.1:{server.server_port}{path}"
        server.asked.clear()
        return fetch.fetch(
            Remote("folder/text.txt", url, SHA)._replace(**changes),
            "plays",
            twin="python-reference",
        )

    get.asked = server.asked
    return get


def leftovers(cache):
    return [path for path in cache.rglob("*") if path.is_file()]


# --- cache and download


def test_good_file_is_downloaded_once_with_a_bar_and_then_taken_from_the_cache(get, cache, capfd):
    path = get("/good")
    assert path == cache / "folder" / "text.txt"
    assert path.read_bytes() == GOOD
    told = capfd.readouterr()
    assert "text.txt: 100%" in told.err and "known_hash" not in told.err + told.out
    assert get("/good") == path and get.asked == []
    assert capfd.readouterr() == ("", "")
    assert leftovers(cache) == [path]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/truncated", f"ValueError: {len(GOOD) // 2} bytes came, and their SHA-256 is "),
        ("/other", "ValueError: 35 bytes came, and their SHA-256 is "),
        ("/aborted", "ChunkedEncodingError: "),
        ("/404", "HTTPError: 404 Client Error"),
    ],
)
def test_what_is_not_the_whole_file_leaves_nothing_behind(get, cache, path, reason):
    with pytest.raises(DataError) as caught:
        get(path)
    message = str(caught.value)
    assert (
        message.startswith("load: 'plays' could not be downloaded from http://127.0.0.1")
        and reason in message
    )
    assert "use load('python-reference')" in message and "LSTM_DATA_DIR" in message
    assert leftovers(cache) == []
    assert get("/good").read_bytes() == GOOD


def test_connection_that_falls_silent_is_given_up(get, cache, monkeypatch):
    monkeypatch.setattr(fetch, "TIMEOUT", 0.2)
    with pytest.raises(DataError, match="timed out.*use load"):
        get("/slow")
    assert leftovers(cache) == []


def test_server_that_is_down(cache):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    remote = Remote("text.txt", f"http://127.0.0.1:{port}/good", SHA)
    with pytest.raises(
        DataError, match="ConnectionError: .*Without a network, use load.'python-reference'"
    ):
        fetch.fetch(remote, "plays", twin="python-reference")


@pytest.mark.parametrize("damage", [GOOD[:-1], GOOD[:1000] + b"X" + GOOD[1001:], b""])
def test_damaged_file_in_the_cache_is_fetched_again(get, cache, damage):
    path = cache / "folder" / "text.txt"
    path.parent.mkdir(parents=True)
    path.write_bytes(damage)
    assert get("/good").read_bytes() == GOOD
    assert get.asked == ["/good"]


def test_damaged_file_in_the_cache_is_not_used_when_the_server_has_no_better_one(get, cache):
    path = cache / "folder" / "text.txt"
    path.parent.mkdir(parents=True)
    path.write_bytes(GOOD[:-1])
    with pytest.raises(DataError, match="404"):
        get("/404")


def test_download_that_is_interrupted_leaves_no_file(get, cache, monkeypatch):
    import pooch

    def interrupted(self, url, output_file, pooch, check_only=False):
        Path(output_file).write_bytes(GOOD[:100])
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(pooch.HTTPDownloader, "__call__", interrupted)
        with pytest.raises(KeyboardInterrupt):
            get("/good")
    assert leftovers(cache) == []


def test_half_a_file_that_a_killed_download_left_is_not_taken_for_the_file(get, cache):
    (cache / "folder").mkdir(parents=True)
    (cache / "folder" / "tmp1a2b3c").write_bytes(GOOD[:100])
    assert get("/good").read_bytes() == GOOD


def test_cache_that_cannot_be_written_is_an_error_with_a_way_out(get, cache):
    cache.write_text("a file where the folder should be")
    with pytest.raises(
        DataError, match="(FileExistsError|NotADirectoryError).*name that folder in LSTM_DATA_DIR"
    ):
        get("/good")


def test_cache_is_the_users_own_unless_another_is_named(cache, monkeypatch):
    import pooch

    assert fetch.cache_folder() == cache
    monkeypatch.delenv(fetch.CACHE_DIR)
    assert fetch.cache_folder() == Path(pooch.os_cache("inside-the-lstm"))


# --- LSTM_DATA_DIR


def test_own_folder_comes_first(get, tmp_path, monkeypatch):
    own = tmp_path / "own"
    (own / "folder").mkdir(parents=True)
    (own / "folder" / "text.txt").write_bytes(GOOD)
    monkeypatch.setenv(fetch.DATA_DIR, str(own))
    assert get("/good") == own / "folder" / "text.txt"
    assert get.asked == []


def test_wrong_file_in_the_own_folder_is_refused_and_left_alone(get, tmp_path, monkeypatch):
    (tmp_path / "folder").mkdir()
    mine = tmp_path / "folder" / "text.txt"
    mine.write_bytes(b"mine")
    monkeypatch.setenv(fetch.DATA_DIR, str(tmp_path))
    with pytest.raises(
        DataError, match=f"text.txt is not the file of 'plays'.*expected {SHA}; remove it"
    ):
        get("/good")
    assert get.asked == [] and mine.read_bytes() == b"mine"


def test_own_folder_without_the_file_leads_on_to_the_cache(get, cache, tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv(fetch.DATA_DIR, str(tmp_path / "empty"))
    assert get("/good") == cache / "folder" / "text.txt"


def test_own_folder_that_is_not_there_is_a_slip_and_an_error(get, tmp_path, monkeypatch):
    monkeypatch.setenv(fetch.DATA_DIR, str(tmp_path / "shraed"))
    with pytest.raises(DataError, match="LSTM_DATA_DIR names '.*shraed', which is not a folder"):
        get("/good")


# --- archives


def archive(folder, sounds, compression=9):
    """A .tar.gz as a server makes it: one folder around everything, other files beside the
    recordings.
    """
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz", compresslevel=compression) as packed:
        for name, content in {f"{folder}/README.md": b"read me", **sounds}.items():
            info = tarfile.TarInfo(
                name if name.startswith(folder) else f"{folder}/recordings/{name}"
            )
            info.size = len(content)
            packed.addfile(info, io.BytesIO(content))
    return raw.getvalue()


def test_archive_is_known_by_its_recordings_however_it_is_packed(tmp_path):
    sounds = {"1_theo_0.wav": b"one", "0_theo_0.wav": b"zero"}
    packed = [archive("a-26eb", sounds, 1), archive("b", dict(reversed(sounds.items())), 9)]
    changed = archive("a-26eb", sounds | {"1_theo_0.wav": b"One"})
    digests = []
    for content in [*packed, changed]:
        (tmp_path / "x.tar.gz").write_bytes(content)
        digests.append(spoken_digits.content_sha256(tmp_path / "x.tar.gz"))
    lines = "".join(
        f"{hashlib.sha256(sounds[name]).hexdigest()}  {name}\n" for name in sorted(sounds)
    )
    assert digests[0] == digests[1] == hashlib.sha256(lines.encode()).hexdigest()
    assert digests[2] != digests[0]


@pytest.mark.parametrize("cut", [0, 10, 200, -9, -1])
def test_half_an_archive_is_not_whole(tmp_path, cut):
    noise = np.random.default_rng(0).bytes(5000)
    path = tmp_path / "x.tar.gz"
    path.write_bytes(archive("a", {"0_theo_0.wav": noise}))
    whole = spoken_digits.content_sha256(path)
    path.write_bytes(path.read_bytes()[:cut])
    found = spoken_digits.content_sha256(path)
    # A lost tail that holds no recording may do no harm: what counts are the recordings.
    assert (
        found != whole
        if cut >= 0
        else found == whole or found.startswith("none, for it is not a whole .tar.gz")
    )


# --- the data sets themselves


def test_each_data_set_that_is_downloaded_names_a_twin_that_is_not(cache, monkeypatch):
    downloaded = [name for name in names() if about(name).offline_twin]
    assert downloaded == ["eng-fra", "fsdd", "rt-polarity", "tinyshakespeare"]
    for name in downloaded:
        found = about(name)
        assert found.source.startswith("https://") and found.licence and found.citation
        assert about(found.offline_twin).offline_twin == ""


def test_without_a_network_the_error_names_the_twin(cache, monkeypatch):
    import requests

    def no_network(*arguments, **keywords):
        raise requests.ConnectionError("Name or service not known")

    monkeypatch.setattr(requests, "get", no_network)
    for name in ("tinyshakespeare", "rt-polarity", "eng-fra", "fsdd"):
        with pytest.raises(
            DataError, match=rf"load: '{name}' could not.*use load\('{about(name).offline_twin}'\)"
        ):
            load(name)
    assert leftovers(cache) == []


def test_load_downloads_what_is_not_there(cache, server, monkeypatch):
    here = shakespeare.TEXT._replace(url=f"http://127.0.0.1:{server.server_port}/good", sha256=SHA)
    monkeypatch.setattr(shakespeare, "TEXT", here)
    assert load("tinyshakespeare") == GOOD.decode()


def test_download_without_its_package_says_what_to_install(cache, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(
        MissingPackageError, match=r"load: needs pooch.*pip install 'inside-the-lstm\[data\]'"
    ):
        load("tinyshakespeare")


needs_files = pytest.mark.skipif(
    not os.environ.get(fetch.DATA_DIR),
    reason=f"{fetch.DATA_DIR} names no folder that has the downloaded files",
)


@needs_files
def test_tinyshakespeare():
    text = load("tinyshakespeare")
    assert len(text) == 1_115_394 and text.startswith("First Citizen:\n") and len(set(text)) == 65


@needs_files
def test_rt_polarity():
    texts, labels, label_names = load("rt-polarity")
    assert len(texts) == len(labels) == 10_662 and labels.sum() == 5_331
    assert label_names[labels[0]] == "negative" and texts[0].startswith(
        "simplistic , silly and tedious"
    )
    assert label_names[labels[-1]] == "positive" and len(set(texts)) == len(texts)
    assert all(text == " ".join(text.split()) for text in texts)


@needs_files
def test_english_french_pairs():
    pairs = load("eng-fra")
    assert len(pairs.source) == len(pairs.target) == len(pairs.attribution) == 5_000
    assert (pairs.source[0], pairs.target[1]) == ("Go.", "Marche.")
    assert all(
        who.startswith("CC-BY 2.0 (France) Attribution: tatoeba.org #") for who in pairs.attribution
    )


@needs_files
def test_free_spoken_digits():
    sounds, digits, speakers, takes, is_test, rate = load("fsdd")
    assert len(sounds) == 3000 and rate == 8000
    assert set(zip(digits.tolist(), speakers, takes.tolist(), strict=True)) == {
        (digit, speaker, take)
        for digit in range(10)
        for speaker in ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
        for take in range(50)
    }
    assert is_test.sum() == 300 and takes[is_test].max() == 4 and takes[~is_test].min() == 5
    assert sum(map(len, sounds)) == 10_498_424
    assert all(sound.dtype == np.float32 and np.abs(sound).max() <= 1 for sound in sounds)
    assert max(np.abs(sound).max() for sound in sounds) > 0.9
