"""Free Spoken Digit Dataset: six speakers say the digits from zero to nine, fifty times each."""

from __future__ import annotations

import hashlib
import io
import tarfile
import wave
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lstm_ref.data.fetch import Remote, fetch
from lstm_ref.data.tasks import Recordings, as_ints
from lstm_ref.errors import DataError

COMMIT = "26eb9aaf76e81b692f806f9140c2d2777410d7a1"
RATE = 8000
TEST_TAKES = 5  # the authors keep takes 0 to 4 of each digit and speaker for the test


def content_sha256(path: Path) -> str:
    """SHA-256 over the names and SHA-256s of all recordings in an archive: what
    ``sha256sum *.wav | sha256sum`` tells.

    GitHub packs an archive anew when it is asked for: the recordings inside are the same for ever,
    the bytes outside are not.
    """
    try:
        sounds = _wav_files(path)
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        return f"none, for it is not a whole .tar.gz ({error})"
    lines = [f"{hashlib.sha256(sounds[name]).hexdigest()}  {name}\n" for name in sorted(sounds)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


ARCHIVE = Remote(
    "fsdd-recordings.tar.gz",
    f"https://github.com/Jakobovski/free-spoken-digit-dataset/archive/{COMMIT}.tar.gz",
    "1801eae019c063377d98f831d3f93574f259475df7332bb0e3d1b080fb5e6959",
    content_sha256,
)


def recordings() -> Recordings:
    """3,000 recordings in the order of their file names; 300 of them are for the test.

    Speaker, digit and take are read out of the name: ``7_jackson_32.wav``.
    """
    files = _wav_files(fetch(ARCHIVE, "fsdd", twin="synthetic-digits"))
    sounds, digits, speakers, takes = [], [], [], []
    for name in sorted(files):
        digit, speaker, take = name.removesuffix(".wav").split("_")
        sounds.append(_samples(name, files[name]))
        digits.append(int(digit))
        speakers.append(speaker)
        takes.append(int(take))
    return Recordings(
        tuple(sounds),
        as_ints(digits),
        tuple(speakers),
        as_ints(takes),
        as_ints(takes) < TEST_TAKES,
        RATE,
    )


def _wav_files(path: Path) -> dict[str, bytes]:
    """File name -> bytes of every .wav in a folder "recordings" of the archive. Nothing is unpacked
    onto the disk.
    """
    found = {}
    with tarfile.open(path, "r:gz") as archive:
        for member in archive:
            folder, _, name = member.name.rpartition("/")
            content = archive.extractfile(member) if member.isfile() else None
            if (
                content is not None
                and folder.rpartition("/")[2] == "recordings"
                and name.endswith(".wav")
            ):
                found[name] = content.read()
    return found


def _samples(name: str, content: bytes) -> NDArray[np.float32]:
    """Samples (length,) float32 from -1 to 1 of a recording with 16 bits and one channel."""
    with wave.open(io.BytesIO(content)) as sound:
        kind = (sound.getframerate(), sound.getnchannels(), sound.getsampwidth())
        if kind != (RATE, 1, 2):
            raise DataError(
                f"load: {name} must have {RATE} samples a second, 1 channel, 2 bytes each, got "
                f"{kind}"
            )
        samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2")
    return samples.astype(np.float32) / np.float32(32768)
