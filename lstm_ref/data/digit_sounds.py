"""Synthesised digit sounds: the words from zero to nine as a source and a filter make them, by as
many speakers as one likes.

The source is a buzz at the pitch of the voice, or noise. The filter is three resonances of the
mouth, the formants, that move from sound to sound of the word; they tell the vowels apart. Speakers
differ in pitch, length of the vocal tract and tempo, takes of one speaker in small ways. It sounds
like a robot, and it has what makes speech hard: every take has another length, and the same word
lies elsewhere in the spectrum for another speaker. It is easier than speech in one way: already the
mean spectrum of a recording nearly tells the word. Whether a model uses the order of the sounds, it
cannot show.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lstm_ref.data.tasks import Floats, Recordings, as_ints
from lstm_ref.errors import ArgumentError

RATE = 8000
BANDWIDTHS = (90.0, 110.0, 160.0)  # Hz, of the three formants
NOISE_WIDTH = 500.0  # Hz, of the hiss of a consonant
SILENCE = 0.15  # seconds at most, before a word and after it


class _Sound(NamedTuple):
    """Formants in Hz, loudness of voice and noise, where the noise is loudest in Hz, and length in
    seconds.
    """

    formants: tuple[float, float, float]
    voice: float
    noise: float
    hiss: float
    length: float


# Rounded from what books on phonetics give for English; a consonant without a voice takes the place
# of its neighbours.
_SOUNDS = {
    "z": _Sound((300, 1600, 2500), 0.3, 0.5, 3400, 0.08),
    "ih": _Sound((400, 1950, 2550), 1.0, 0.0, 0, 0.10),
    "ee": _Sound((290, 2250, 2950), 1.0, 0.0, 0, 0.13),
    "r": _Sound((340, 1100, 1500), 0.8, 0.0, 0, 0.07),
    "oh": _Sound((480, 880, 2400), 1.0, 0.0, 0, 0.14),
    "w": _Sound((310, 650, 2200), 0.7, 0.0, 0, 0.06),
    "uh": _Sound((640, 1190, 2390), 1.0, 0.0, 0, 0.12),
    "n": _Sound((250, 1450, 2300), 0.5, 0.0, 0, 0.09),
    "t": _Sound((350, 1700, 2600), 0.0, 0.6, 3000, 0.04),
    "oo": _Sound((310, 870, 2250), 1.0, 0.0, 0, 0.16),
    "th": _Sound((350, 1400, 2500), 0.0, 0.2, 2400, 0.08),
    "f": _Sound((350, 1100, 2300), 0.0, 0.2, 1800, 0.08),
    "aw": _Sound((570, 840, 2410), 1.0, 0.0, 0, 0.14),
    "ah": _Sound((730, 1150, 2440), 1.0, 0.0, 0, 0.12),
    "v": _Sound((300, 1100, 2300), 0.4, 0.1, 1800, 0.06),
    "s": _Sound((350, 1600, 2500), 0.0, 0.7, 3600, 0.10),
    "k": _Sound((350, 1900, 2400), 0.0, 0.4, 1500, 0.04),
    "-": _Sound((350, 1700, 2500), 0.0, 0.0, 0, 0.04),  # the silence before a plosive
    "eh": _Sound((530, 1840, 2480), 1.0, 0.0, 0, 0.10),
    "ey": _Sound((430, 2100, 2700), 1.0, 0.0, 0, 0.13),
}
_WORDS = tuple(
    word.split()
    for word in (
        *("z ih r oh", "w uh n", "t oo", "th r ee", "f aw r"),
        *("f ah ih v", "s ih - k s", "s eh v uh n", "ey ih - t", "n ah ih n"),
    )
)


def digit_sounds(
    speakers: int = 6, takes: int = 10, test_takes: int = 2, seed: int = 0
) -> Recordings:
    """Synthesise every digit, by every speaker, as often as told.

    Parameters
    ----------
    speakers, takes : number of speakers, and of takes of each digit by each speaker
    test_takes : takes 0 ... test_takes - 1 are for the test
    seed : the same numbers and seed give the same sounds; more speakers or takes leave the first
        ones as they are

    Raises
    ------
    ArgumentError : a number that does not fit

    Examples
    --------
    >>> found = digit_sounds(speakers=1, takes=2, test_takes=1)
    >>> len(found.sounds), found.digits.tolist()[:4], found.is_test.tolist()[:2]
    (20, [0, 0, 1, 1], [True, False])
    """
    if speakers < 1 or takes < 1 or not 0 <= test_takes <= takes:
        raise ArgumentError(
            "digit_sounds: speakers and takes must be 1 or more, and test_takes from 0 to takes, "
            f"got speakers={speakers}, takes={takes}, test_takes={test_takes}"
        )
    voices = [_Voice.draw(np.random.default_rng([seed, k])) for k in range(speakers)]
    which = [
        (speaker, digit, take)
        for speaker in range(speakers)
        for digit in range(10)
        for take in range(takes)
    ]
    # Each sound has a generator of its own, so that it does not depend on how many others there
    # are.
    sounds = [
        _say(digit, voices[s].vary(rng := np.random.default_rng([seed, s, digit, t])), rng)
        for s, digit, t in which
    ]
    numbers = as_ints(which)
    return Recordings(
        tuple(sounds),
        numbers[:, 1].copy(),
        tuple(f"speaker-{k}" for k in numbers[:, 0]),
        numbers[:, 2].copy(),
        numbers[:, 2] < test_takes,
        RATE,
    )


class _Voice(NamedTuple):
    """Pitch in Hz; formants, tempo, noise relative to the tables; loudness of the room relative to
    the voice.
    """

    pitch: float
    tract: float
    tempo: float
    breath: float
    room: float

    @staticmethod
    def draw(rng: np.random.Generator) -> _Voice:
        """Voice of a new speaker. A short vocal tract, so high formants, mostly goes with a high
        pitch.
        """
        size = rng.uniform(-1, 1)
        return _Voice(
            pitch=150 * 1.5 ** (size + rng.normal(0, 0.15)),
            tract=1.1 ** (size + rng.normal(0, 0.2)),
            tempo=rng.uniform(0.85, 1.2),
            breath=rng.uniform(0.7, 1.4),
            room=rng.uniform(0.005, 0.03),
        )

    def vary(self, rng: np.random.Generator) -> _Voice:
        """The same speaker, once more."""
        return self._replace(
            pitch=self.pitch * np.exp(rng.normal(0, 0.05)),
            tract=self.tract * np.exp(rng.normal(0, 0.015)),
            tempo=self.tempo * np.exp(rng.normal(0, 0.08)),
            breath=self.breath * np.exp(rng.normal(0, 0.2)),
        )


def _say(digit: int, voice: _Voice, rng: np.random.Generator) -> NDArray[np.float32]:
    """Samples (length,) float32 of one word, at most 1 in size."""
    parts = [_SOUNDS[name] for name in _WORDS[digit]]
    lengths = (
        np.array([part.length for part in parts])
        * voice.tempo
        * np.exp(rng.normal(0, 0.1, len(parts)))
    )
    n = int(RATE * lengths.sum())
    middles = RATE * (np.cumsum(lengths) - lengths / 2)
    t = np.arange(n)

    def glide(values: list[float]) -> Floats:
        """From the middle of each sound to the middle of the next in a straight line."""
        return np.interp(t, middles, values)

    # nobody says a sound twice in the same way
    spread = voice.tract * np.exp(rng.normal(0, 0.05, (len(parts), 3)))
    formants = [
        glide([part.formants[k] * spread[j, k] for j, part in enumerate(parts)]) for k in range(3)
    ]
    pitch = voice.pitch * np.linspace(1.08, 0.88, n)  # a voice falls towards the end of a word
    sound = glide([part.voice for part in parts]) * _buzz(pitch, formants)
    white = np.fft.rfft(rng.normal(size=n))
    for k, part in enumerate(parts):
        if part.noise:
            loudness = glide([part.noise * (j == k) for j in range(len(parts))])
            hiss = _hiss(white, n, part.hiss * voice.tract)
            sound += voice.breath * loudness * hiss / hiss.std() / 4
    # ten milliseconds: without it, both ends click
    fade = np.minimum(1, np.minimum(t, t[::-1]) / (0.01 * RATE))
    # Nobody cuts a recording exactly where the word begins and ends.
    silence = rng.integers(0, int(SILENCE * RATE), 2)
    whole = np.pad(fade * sound / np.abs(sound).max(), tuple(silence)) + voice.room * rng.normal(
        size=n + silence.sum()
    )
    samples: NDArray[np.float32] = np.clip(rng.uniform(0.4, 0.9) * whole, -1, 1).astype(np.float32)
    return samples


def _hiss(white: NDArray[np.complex128], n: int, centre: float) -> Floats:
    """Samples (n,) of the noise with this spectrum, with the frequencies around a centre left."""
    frequency = np.fft.rfftfreq(n, 1 / RATE)
    band = np.exp(-0.5 * ((frequency - min(centre, 3700)) / NOISE_WIDTH) ** 2)
    return np.fft.irfft(white * band, n)


def _buzz(pitch: Floats, formants: list[Floats]) -> Floats:
    """Sum of all harmonics of the pitch below half the rate, each as loud as the formants let it
    be.
    """
    n = len(pitch)
    # Formants move slowly: it is enough to look at every 32nd sample and to draw straight lines
    # between.
    look = np.linspace(0, n - 1, 2 + n // 32).astype(int)
    harmonics = np.arange(1, int(RATE / 2 / pitch.min()) + 1)[:, np.newaxis]
    frequency = harmonics * pitch[look]
    loudness = sum(
        weight / (1 + ((frequency - centre[look]) / width) ** 2)
        for weight, centre, width in zip((1.0, 0.6, 0.3), formants, BANDWIDTHS, strict=True)
    )
    # Harmonics above half the rate would come back as wrong, low tones.
    audible = np.where(frequency < 0.48 * RATE, loudness, 0)
    first = np.exp(2j * np.pi * np.cumsum(pitch) / RATE)
    turn, sound = np.ones(n, complex), np.zeros(n)
    for loud in audible:
        # exp(i k phase) out of exp(i (k - 1) phase): a product is cheaper than a sine
        turn *= first
        sound += np.interp(np.arange(n), look, loud) * turn.imag
    return sound
