"""Finds sampled sound ("digis") in a recording and leaves it out of the frames.

A sample routine writes one register thousands of times a second, usually the volume ($D418). A frame holds one value
of each register, so the sample would become noise: a volume that flutters from frame to frame. The frames get the
values that the music itself wrote instead.

The sample routine usually runs in an NMI handler and the music outside, so their writes can be distinguished. If both
run in the same program, the register keeps the value that it had before the samples began.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.c64.machine import RecordedFrames
from sidlive.chip.registers import (
    CONTROL,
    FIRST_CONTROL,
    GATE,
    MODE_VOL,
    REGISTERS,
    VOICE_STRIDE,
    VOICES,
    Frames,
    register_of,
)

MANY_VOLUMES: Final = 5  # writes to $D418 in a frame from which they are samples; music makes one or two
MANY: Final = 12  # writes to any other register from which they are samples; a hard restart makes a few
FEWEST_FRAMES: Final = 5  # frames with samples; fewer are a burst of writes at a tune's start
VOLUME: Final = 0x0F
MOST_GUESSED: Final = 0.5  # share of frames in which a voice's register is guessed; above it the frames are no music
FEWEST_NOTES_A_FRAME: Final = 1 / 250  # one in five seconds; below it the frames are no music but, say, speech


@dataclass(frozen=True)
class Samples:
    """Sampled sound of a song, which its frames leave out."""

    registers: tuple[int, ...]  # registers 0-24 that play the samples
    share: float  # of the frames that have samples, 0 to 1
    music: bool  # whether the frames without the samples are music

    def __str__(self) -> str:
        """Return one line about the samples for the user."""
        places = []
        if MODE_VOL in self.registers:
            places.append("the volume register")
        of_voices = [register for register in self.registers if register < VOICES * VOICE_STRIDE]
        voices = sorted({register // VOICE_STRIDE + 1 for register in of_voices})
        if voices:
            places.append(f"voice{'s' if len(voices) > 1 else ''} {' and '.join(map(str, voices))}")
        if not places:
            places.append("the filter")
        line = f"plays samples through {' and '.join(places)} in {self.share:.0%} of its frames; they are left out"
        return line if self.music else f"{line}, and the rest is hardly music"


def without_samples(rows: RecordedFrames) -> tuple[Frames, Samples | None]:
    """Return a recording's frames uint8[T, 28] without its samples, and these samples (None: there are none)."""
    outside, by_nmi = rows.writes[:, 0], rows.writes[:, 1]
    many = np.full(REGISTERS, MANY)
    many[MODE_VOL] = MANY_VOLUMES
    sampled = (outside >= many) | (by_nmi >= many)
    registers = np.flatnonzero(sampled.sum(axis=0) >= FEWEST_FRAMES)
    if not len(registers):
        return rows.frames, None
    frames = rows.frames.copy()
    guessed = 0.0
    for register in map(int, registers):
        in_nmi = (by_nmi[:, register] >= many[register]).sum() >= (outside[:, register] >= many[register]).sum()
        if in_nmi:
            values = rows.outside_nmi[:, register].copy()
        else:
            values, unknown = _held(rows.frames[:, register], outside[:, register], sampled[:, register])
            if register < VOICES * VOICE_STRIDE:
                guessed = max(guessed, float(unknown.mean()))
            elif register == MODE_VOL and unknown.all():
                values |= VOLUME
        if register == MODE_VOL:
            values = _audible(values, rows.frames[:, register])
        frames[:, register] = values
        voice = register // VOICE_STRIDE
        if register < VOICES * VOICE_STRIDE and register == register_of(voice, CONTROL):
            frames[:, FIRST_CONTROL + voice] = values
    share = float(sampled[:, registers].any(axis=1).mean())
    gates = frames[:, [register_of(voice, CONTROL) for voice in range(VOICES)]] & GATE
    notes = np.count_nonzero(np.diff(gates, axis=0) == 1)
    music = guessed <= MOST_GUESSED and notes >= FEWEST_NOTES_A_FRAME * len(frames)
    return frames, Samples(tuple(map(int, registers)), share, bool(music))


def _held(
    values: NDArray[np.uint8], writes: NDArray[np.uint8], sampled: NDArray[np.bool_]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Hold a register's last value before samples until the music writes it again.

    ``values`` uint8[T] are the register's values, ``writes`` uint8[T] the numbers of writes, ``sampled`` bool[T] marks
    the frames with samples. Return the values uint8[T], and bool[T]: where they are guesses. If samples begin before
    the music has written the register, its first value after them is used, or else its most frequent value.
    """
    # A frame's value is the music's own if the last write to the register, in this frame or before, was not a sample.
    last_write = np.maximum.accumulate(np.where(writes > 0, np.arange(len(values)), -1))
    known = (last_write < 0) | ~sampled[np.maximum(last_write, 0)]
    if not known.any():
        return np.full_like(values, np.bincount(values).argmax()), np.ones(len(values), dtype=bool)
    source = np.maximum.accumulate(np.where(known, np.arange(len(values)), -1))
    source = np.where(source < 0, np.argmax(known), source)
    return values[source], ~known


def _audible(volume: NDArray[np.uint8], heard: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return $D418 of the music, raised to full volume where the music leaves it at 0 while samples sound.

    ``volume`` uint8[T]: the music's own values; ``heard`` uint8[T]: the recorded values, samples included.
    """
    stretch = np.cumsum(np.diff(volume, prepend=volume[:1]) != 0)
    sounds = np.bincount(stretch, weights=heard & VOLUME > 0) > 0
    return np.where((volume & VOLUME == 0) & sounds[stretch], volume | VOLUME, volume)
