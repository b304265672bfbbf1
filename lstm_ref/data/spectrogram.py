"""From a sound to the sequence of spectra that a model reads."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lstm_ref.errors import ArgumentError, Array, ShapeError


def log_mel(
    sound: Array, rate: int, bands: int = 40, frame: float = 0.025, step: float = 0.010
) -> NDArray[np.float32]:
    """Loudness in mel bands over time, in natural logarithms.

    A sample says little: a model would read thousands of them for one word. A frame of 25 ms holds
    a few periods of the voice, and its spectrum shows the formants. Mel bands are narrow where the
    ear tells tones well apart, and wide above.

    Parameters
    ----------
    sound : (length,) floats
    rate : samples a second
    bands : D, the number of bands
    frame, step : seconds that a spectrum is taken over, and from one to the next

    Returns
    -------
    spectra : (T, D) float32, T = 1 + (length - frame) // step counted in samples; a shorter sound
        is filled up with silence

    Raises
    ------
    ShapeError : a sound that is empty or has more than one axis
    ArgumentError : sizes that do not fit, or more bands than the frame can tell apart

    Examples
    --------
    >>> t = np.arange(8000) / 8000
    >>> spectra = log_mel(np.sin(2 * np.pi * 1000 * t), rate=8000)
    >>> spectra.shape, int(spectra[50].argmax())
    ((98, 40), 18)
    """
    if sound.ndim != 1 or sound.size == 0:
        raise ShapeError(
            f"log_mel: sound must be (length,) with at least one sample, got {sound.shape}"
        )
    width, hop = round(frame * rate), round(step * rate)
    if bands < 1 or hop < 1 or width < 2:
        raise ArgumentError(
            "log_mel: bands must be 1 or more, a frame 2 samples or more and a step 1 sample or "
            f"more, got bands={bands}, frame={frame}, step={step} at rate={rate}"
        )
    filters = _mel_filters(bands, rate, width)
    padded = np.pad(np.asarray(sound, np.float64), (0, max(0, width - len(sound))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, width)[::hop]
    power = np.abs(np.fft.rfft(frames * np.hanning(width), n=_fft_length(width))) ** 2
    # A floor of about -80 dB of a full-scale tone: silence has no logarithm, and what lies below is
    # noise of the numbers.
    return np.log(power @ filters.T + 1e-8 * width**2).astype(np.float32)


def _fft_length(width: int) -> int:
    """Power of two that holds two frames: the spectrum is read at enough places for the narrow low
    bands.
    """
    return int(2 ** np.ceil(np.log2(2 * width)))


def _mel_filters(bands: int, rate: int, width: int) -> NDArray[np.float64]:
    """Triangles (bands, frequencies): each begins at the middle of the one before and ends at the
    middle of the next.
    """
    top = 2595 * np.log10(1 + rate / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, bands + 2) / 2595) - 1)
    frequency = np.fft.rfftfreq(_fft_length(width), 1 / rate)
    low, middle, high = (edges[k : k + bands, np.newaxis] for k in range(3))
    rise, fall = (frequency - low) / (middle - low), (high - frequency) / (high - middle)
    filters = np.maximum(0, np.minimum(rise, fall))
    if (filters.sum(axis=1) == 0).any():
        raise ArgumentError(
            f"log_mel: a frame of {width} samples cannot tell {bands} bands apart; take fewer, or "
            "a longer frame"
        )
    return filters
