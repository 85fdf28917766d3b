"""Find the sampled sound ("digis") in a recording and leave it out of the frames.

A player of samples writes one register thousands of times a second, most often the volume ($D418). A frame holds one
value of each register, so that of a sample only noise would be left: a volume that flutters from frame to frame. The
frames get what the music itself wrote instead.

A sample routine mostly runs as an NMI and the music does not; then the music's own writes are known. Where both run in
one program, the register keeps the value that it had before the samples began.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.c64.machine import Rows
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

MANY_VOLUMES: Final = 5  # writes to $D418 in a frame that only samples need; music makes one or two
MANY: Final = 12  # writes to another register in a frame that only samples need; a hard restart makes a few
FEWEST_FRAMES: Final = 5  # with samples in them: a burst during a tune's start is no sampled sound
VOLUME: Final = 0x0F
MOST_GUESSED: Final = 0.5  # share of the frames in which a voice's register is a guess; with more they are not music
FEWEST_NOTES_A_FRAME: Final = 1 / 250  # one in five seconds; speech with less than that is not music


@dataclass(frozen=True)
class Samples:
    """The samples that a song plays, which its frames leave out."""

    registers: tuple[int, ...]  # 0-24, those that the samples are played through
    share: float  # of the frames, those with samples in them
    music: bool  # the frames without the samples are the tune's music

    def __str__(self) -> str:
        """What a person is told about them."""
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
        return line if self.music else f"{line}, and what is left is hardly music"


def without_samples(rows: Rows) -> tuple[Frames, Samples | None]:
    """``uint8[T, 28]``: a recording's frames as the music alone leaves them; and the samples, or None without any."""
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
            values = rows.own[:, register].copy()
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
    """A register as it was when samples began, held until the music writes it again; and where that is a guess.

    Samples that begin before the music has written the register get its first value after them; without one, the value
    that is there most often.
    """
    # A frame's value is the music's own if the last write to the register, in it or before, is no sample's.
    last_write = np.maximum.accumulate(np.where(writes > 0, np.arange(len(values)), -1))
    known = (last_write < 0) | ~sampled[np.maximum(last_write, 0)]
    if not known.any():
        return np.full_like(values, np.bincount(values).argmax()), np.ones(len(values), dtype=bool)
    source = np.maximum.accumulate(np.where(known, np.arange(len(values)), -1))
    source = np.where(source < 0, np.argmax(known), source)
    return values[source], ~known


def _audible(volume: NDArray[np.uint8], heard: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """$D418 as the music writes it, but at full volume as long as the music leaves 0 there and samples are heard."""
    stretch = np.cumsum(np.diff(volume, prepend=volume[:1]) != 0)
    sounds = np.bincount(stretch, weights=heard & VOLUME > 0) > 0
    return np.where((volume & VOLUME == 0) & sounds[stretch], volume | VOLUME, volume)
