"""Sound front ends in numpy: recordings to the features that the sound networks take.

Keyword spotting follows mlcommons/tiny ``keyword_spotting/get_dataset.py`` (Apache-2.0): peak
normalization, 30 ms periodic Hann windows every 20 ms, magnitude spectrum, 40 HTK mel bands from
20 to 4000 Hz, natural logarithm of (x + 1e-6), orthonormal-scaled DCT-II, first 10 coefficients.
Anomaly detection follows its ``anomaly_detection/common.py``: librosa's 128-band Slaney mel power
spectrum (1024-point frames every 512 samples, centred, zero padded), 10 log10(x + epsilon).

Both recipes quantize by truncating real / scale + zero point towards zero. In float32 that gives
the very bytes of all 36 recordings for which the benchmark's inputs are at hand.
"""

import wave
from pathlib import Path

import numpy as np

from sw.errors import InputError

__all__ = ["LOG_MEL_FRAMES", "SAMPLE_RATE", "log_mel", "log_mel_window", "mfcc", "read_wav"]

SAMPLE_RATE = 16000
MFCC_WINDOW, MFCC_STRIDE = 480, 320
MFCC_BANDS, MFCC_LOW_HZ, MFCC_HIGH_HZ, MFCC_COEFFICIENTS = 40, 20.0, 4000.0, 10
LOG_MEL_BANDS, LOG_MEL_WINDOW, LOG_MEL_STRIDE, LOG_MEL_FRAMES = 128, 1024, 512, 5


def read_wav(path: Path) -> np.ndarray:
    """A recording as int16 samples.

    Raises
    ------
    InputError
        If it is no wave file of 16 kHz, one channel, 16 bits.
    """
    accepted = "accepted is a PCM wave file, 16000 Hz, 1 channel, 16 bits"
    try:
        with wave.open(str(path), "rb") as file:
            rate, channels, width = file.getframerate(), file.getnchannels(), file.getsampwidth()
            raw = file.readframes(file.getnframes())
    except (wave.Error, EOFError) as error:
        raise InputError(f"{path}: not a readable wave file ({error or 'truncated'}); "
                         f"{accepted}") from error
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    if (rate, channels, width) != (SAMPLE_RATE, 1, 2):
        raise InputError(f"{path}: {rate} Hz, {channels} channels, {8 * width} bits; {accepted}")
    samples = np.frombuffer(raw[:len(raw) // 2 * 2], "<i2")
    if not samples.size:
        raise InputError(f"{path}: no samples; {accepted}")
    return samples


def _frames(signal: np.ndarray, length: int, stride: int) -> np.ndarray:
    """Overlapping frames [count, length]; a last partial one is left out."""
    return np.lib.stride_tricks.sliding_window_view(signal, length)[::stride]


def _hann(length: int) -> np.ndarray:
    """Periodic Hann window."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)


def _htk_mel(hz: np.ndarray) -> np.ndarray:
    return 1127.0 * np.log1p(np.asarray(hz) / 700.0)


def _htk_bands(bins: int) -> np.ndarray:
    """[bins, MFCC_BANDS] triangles on the mel axis; the bin at 0 Hz belongs to none."""
    mel = _htk_mel(np.linspace(0.0, SAMPLE_RATE / 2, bins))[1:, None]
    low, high = _htk_mel(np.array([MFCC_LOW_HZ, MFCC_HIGH_HZ]))
    edges = np.linspace(low, high, MFCC_BANDS + 2)
    rising = (mel - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - mel) / (edges[2:] - edges[1:-1])
    return np.pad(np.maximum(0.0, np.minimum(rising, falling)), ((1, 0), (0, 0)))


def mfcc(samples: np.ndarray) -> np.ndarray:
    """Mel cepstrum of the first second.

    Parameters
    ----------
    samples : int16 array
        At 16 kHz; less than a second is filled with zeros, what is past it is left out.

    Returns
    -------
    float32 array [49, 10]
    """
    signal = samples[:SAMPLE_RATE].astype(np.float64)
    peak = signal.max()
    signal = np.pad(signal / peak if peak > 0 else signal, (0, SAMPLE_RATE - len(signal)))
    frames = _frames(signal, MFCC_WINDOW, MFCC_STRIDE) * _hann(MFCC_WINDOW)
    spectrum = np.abs(np.fft.rfft(frames, 512))
    bands = np.log(spectrum @ _htk_bands(spectrum.shape[1]) + 1e-6)
    angle = np.pi / MFCC_BANDS * (np.arange(MFCC_BANDS) + 0.5)
    cosines = np.cos(angle[:, None] * np.arange(MFCC_COEFFICIENTS))
    return (2.0 * bands @ cosines / np.sqrt(2.0 * MFCC_BANDS)).astype(np.float32)


def _slaney_bands() -> np.ndarray:
    """[513, LOG_MEL_BANDS] triangles in Hz, each of unit area, 0 to 8 kHz."""
    linear, log_start, step = 200.0 / 3, 1000.0, np.log(6.4) / 27.0  # Hz a mel; then logarithmic
    top = log_start / linear + np.log(SAMPLE_RATE / 2 / log_start) / step
    mel = np.linspace(0.0, top, LOG_MEL_BANDS + 2)
    edges = np.where(mel < log_start / linear, mel * linear,
                     log_start * np.exp(step * (mel - log_start / linear)))
    hz = np.linspace(0.0, SAMPLE_RATE / 2, LOG_MEL_WINDOW // 2 + 1)[:, None]
    rising = (hz - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - hz) / (edges[2:] - edges[1:-1])
    return np.maximum(0.0, np.minimum(rising, falling)) * 2.0 / (edges[2:] - edges[:-2])


def log_mel(samples: np.ndarray) -> np.ndarray:
    """Log-mel power spectrum in dB.

    Parameters
    ----------
    samples : int16 array
        At 16 kHz.

    Returns
    -------
    float32 array [1 + len(samples) // 512, 128]
    """
    signal = np.pad(samples.astype(np.float64) / 32768.0, LOG_MEL_WINDOW // 2)
    frames = _frames(signal, LOG_MEL_WINDOW, LOG_MEL_STRIDE) * _hann(LOG_MEL_WINDOW)
    power = np.abs(np.fft.rfft(frames)) ** 2
    bands = power @ _slaney_bands()
    return (10.0 * np.log10(bands + np.finfo(np.float64).eps)).astype(np.float32)


def log_mel_window(samples: np.ndarray, start: int | None = None) -> np.ndarray:
    """Five consecutive log-mel frames as one vector.

    Parameters
    ----------
    samples : int16 array
        At 16 kHz, at least 2048 of them.
    start : int, optional
        First frame; by default the five in the middle of the recording.

    Returns
    -------
    float32 array [640]
    """
    spectrum = log_mel(samples)
    if len(spectrum) < LOG_MEL_FRAMES:
        raise InputError(f"{len(samples)} samples give {len(spectrum)} frames, accepted are "
                         f"recordings of {LOG_MEL_FRAMES} frames "
                         f"({(LOG_MEL_FRAMES - 1) * LOG_MEL_STRIDE} samples) or more")
    if start is None:
        start = (len(spectrum) - LOG_MEL_FRAMES) // 2
    return spectrum[start:start + LOG_MEL_FRAMES].reshape(-1)
