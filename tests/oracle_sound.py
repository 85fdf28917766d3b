"""How near one recording of a tune is to another: the measure, and sidplayfp as the independent ear.

The measure, for two mono recordings at 48 kHz:
1. Direct current is taken away (a moving mean over 50 ms).
2. The second is laid over the first by the shift, at most 0.5 s, that gives the least distance among the CANDIDATES
   with the best correlation of the changes of loudness; and stretched by ``DRIFT``: in sidplayfp a frame is 19,656
   cycles, counted by a resampler that truncates its ratio; frames here end with the sample.
3. Spectra of both, 2,048-sample Hann windows, 512 apart, equal in level over all.
4. **Distance**: the power in 40 mel bands from 30 Hz to 16 kHz, in dB over a floor 70 dB below the loudest; the root
   mean square over the bands of the difference; the median over the windows.
5. **Correlation** of the windows' root-mean-square levels.

Cycle-exact writes whose frames begin 0 to 500 cycles late measure 1.25 dB and .98 against themselves in time (median
of 15 tunes): less cannot be heard as an error.
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
STEP: Final = 16  # samples: how finely shifts are looked for
CANDIDATES: Final = 8  # shifts tried
SPAN: Final = 256  # samples that loudness is taken over
QUIET: Final = 30.0  # the level at which changes of loudness stop to matter
DRIFT: Final = 218e-6


@dataclass(frozen=True)
class Nearness:
    """``distance_db``: 0 is the same; ``correlation`` of the loudness: 1 is the same; ``shift`` in samples."""

    distance_db: float
    correlation: float
    shift: int


def sidplayfp(tune: Path, song: int, seconds: int, folder: Path, chip: str = "6581") -> NDArray[np.int16]:
    """A song's first seconds as sidplayfp (reSIDfp) plays them on that chip; the test skips where there is none."""
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
    """How near ``sound`` is to ``reference``, both int16[n]; ``drift``: how much longer the reference's seconds are."""
    one, other = _alternating(reference), _alternating(sound)
    tried = [(_compare(one, other, shift, drift, 8 * HOP)[0], shift) for shift in _likely_shifts(one, other, drift)]
    shift = min(tried)[1]
    return Nearness(*_compare(one, other, shift, drift, HOP), shift)


def _compare(one: Floats, other: Floats, shift: int, drift: float, hop: int) -> tuple[float, float]:
    """Distance and correlation with ``other`` laid that many samples behind ``one``."""
    at = np.arange(0, min(len(one), len(other)) - WINDOW, hop)
    there = np.rint(at * (1 - drift) + shift).astype(int)
    inside = (there >= 0) & (there + WINDOW <= len(other))
    powers, others = spectra(one, at[inside]), spectra(other, there[inside])
    others *= powers.sum() / others.sum()
    correlation = np.corrcoef(np.sqrt(powers.sum(1)), np.sqrt(others.sum(1)))[0, 1]
    return float(np.median(differences_db(powers, others))), float(correlation)


def _alternating(sound: NDArray[np.int16]) -> Floats:
    span = RATE // 20
    padded = np.pad(sound.astype(np.float64), (span // 2, span - span // 2), mode="edge")
    sums = np.cumsum(np.concatenate(([0.0], padded)))
    return sound - (sums[span:-1] - sums[: -span - 1]) / span


def _likely_shifts(one: Floats, other: Floats, drift: float) -> list[int]:
    """How many samples ``other`` may be behind ``one``: the CANDIDATES best correlations of changes of loudness."""
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
