"""Measure how near the sound of a tune is to that of sidplayfp, an independent player.

The measure, for two mono recordings at 48 kHz:
1. Remove the DC level: subtract a moving mean over 50 ms.
2. Align the second recording. Of the CANDIDATES shifts, at most 0.5 s, whose changes of loudness correlate best, take
   the shift with the smallest distance. Stretch it by ``DRIFT``: sidplayfp counts a frame as 19,656 cycles of a chip
   that its resampler runs slow (see `sidlive.chip.sid`), our frames are timed in samples.
3. Compute the spectra of both, in Hann windows of 2,048 samples, 512 apart, and scale them to the same total power.
4. **Distance**: the power in 40 mel bands from 30 Hz to 16 kHz, in dB above a floor 70 dB below the loudest band; the
   root mean square, over the bands, of the difference; the median over the windows.
5. **Correlation** of the windows' root-mean-square levels.

The lower limit: a tune played by cycle-exact writes, and the same with frames that begin 0 to 500 cycles late, measure
1.25 dB and .98 (median of 15 tunes). Smaller differences are no errors.
"""

import shutil
import subprocess
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from numpy.typing import NDArray

from sidlive.chip.spectrum import HOP, WINDOW, differences_db, spectra

Floats = NDArray[np.float64]

RATE: Final = 48_000
LONGEST_SHIFT: Final = RATE // 2
STEP: Final = 16  # samples from one candidate shift to the next
CANDIDATES: Final = 8  # shifts whose distance is measured
SPAN: Final = 256  # samples over which loudness is measured
QUIET: Final = 30.0  # level, in sample units, below which changes of loudness hardly count
DRIFT: Final = 218e-6  # by how much sidplayfp's frames are longer


@dataclass(frozen=True)
class Nearness:
    """How near a sound is to a reference: distance 0 and correlation 1 if they are equal. ``shift`` is in samples."""

    distance_db: float
    correlation: float
    shift: int


def sidplayfp(tune: Path, song: int, seconds: int, folder: Path, chip: str = "6581") -> NDArray[np.int16]:
    """Return a song's first seconds as played by sidplayfp (reSIDfp), int16[n]. Skips the test without sidplayfp."""
    program = shutil.which("sidplayfp") or shutil.which("sidplayfp", path="/usr/games")
    if program is None:
        pytest.skip("no sidplayfp")
    out = folder / f"{tune.stem}.{chip}.wav"
    model = "-mof" if chip == "6581" else "-mnf"
    command = [
        program,
        f"-w{out}",
        f"-t{seconds}",
        "--residfp",
        f"-o{song}s",
        model,
        "-rr",
        f"-f{RATE}",
        "-q2",
        "--delay=0",
    ]
    subprocess.run([*command, str(tune)], check=True, capture_output=True, timeout=120)
    with wave.open(str(out)) as sound:
        assert (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) == (1, 2, RATE)
        return np.frombuffer(sound.readframes(seconds * RATE), dtype="<i2").astype(np.int16)


def nearness(reference: NDArray[np.int16], sound: NDArray[np.int16], drift: float = DRIFT) -> Nearness:
    """Return how near ``sound`` is to ``reference``, both int16[n]. ``drift``: by how much the reference is longer."""
    one, other = _without_dc(reference), _without_dc(sound)
    tried = [(_compare(one, other, shift, drift, 8 * HOP)[0], shift) for shift in _likely_shifts(one, other, drift)]
    shift = min(tried)[1]
    return Nearness(*_compare(one, other, shift, drift, HOP), shift)


def _compare(one: Floats, other: Floats, shift: int, drift: float, hop: int) -> tuple[float, float]:
    """Return distance and correlation of ``one`` and of ``other`` read ``shift`` samples later."""
    at = np.arange(0, min(len(one), len(other)) - WINDOW, hop)
    there = np.rint(at * (1 - drift) + shift).astype(int)
    inside = (there >= 0) & (there + WINDOW <= len(other))
    powers, others = spectra(one, at[inside]), spectra(other, there[inside])
    others *= powers.sum() / others.sum()
    correlation = np.corrcoef(np.sqrt(powers.sum(1)), np.sqrt(others.sum(1)))[0, 1]
    return float(np.median(differences_db(powers, others))), float(correlation)


def _without_dc(sound: NDArray[np.int16]) -> Floats:
    """Return the sound minus its moving mean over 50 ms."""
    span = RATE // 20
    padded = np.pad(sound.astype(np.float64), (span // 2, span - span // 2), mode="edge")
    sums = np.cumsum(np.concatenate(([0.0], padded)))
    return sound - (sums[span:-1] - sums[: -span - 1]) / span


def _likely_shifts(one: Floats, other: Floats, drift: float) -> list[int]:
    """Return the CANDIDATES delays of ``other``, in samples, whose changes of loudness correlate best with ``one``."""
    count = min(len(one), len(other)) // STEP - SPAN // STEP
    changes = []
    for sound, pace in ((one, 1.0), (other, 1 - drift)):
        sums = np.cumsum(np.concatenate(([0.0], sound**2)))
        at = np.rint(np.arange(count) * STEP * pace).astype(int)
        changes.append(np.diff(np.log(QUIET + np.sqrt((sums[at + SPAN] - sums[at]) / SPAN))))
    size = 2 * count
    first, second = (np.fft.rfft(change - change.mean(), size) for change in changes)
    product = np.fft.irfft(np.conj(first) * second, size)
    most = LONGEST_SHIFT // STEP
    near = np.concatenate((product[-most:], product[: most + 1]))
    best: list[int] = []
    for _ in range(CANDIDATES):
        peak = int(np.argmax(near))
        best.append((peak - most) * STEP)
        near[max(0, peak - SPAN // STEP) : peak + SPAN // STEP] = -np.inf
    return best
