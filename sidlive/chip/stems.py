"""Stems: the sound of each voice on its own, for a mixing desk.

A stem is the sound of a chip that gets all registers of the frames, but whose other two voices have their gates closed
throughout. Their oscillators run on, so that ring modulation and sync are heard in the stem of the voice that has
them; volume and filter move as in the whole sound.

With all gates closed a chip is not quite silent: each step of volume and filter shifts its DC level. The stems share
these shifts, a third each: so their sum is the whole sound, as far as the filter is linear (the 8580's nearly is; the
6581's distorts, and does so more when three voices pass through it at once). It takes four chips to make three stems.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import CONTROL, GATE, PAL, VOICES, Frames, VideoTiming, first_control_of, register_of
from sidlive.chip.sid import SAMPLE_RATE, Row, Sid, sample_at

Stems = NDArray[np.int16]  # [3, n], a row for each voice

_SHARED: Final = 1 - 1 / VOICES  # part of the sound of no voice that a stem leaves to the others


def alone(row: Row, voice: int | None) -> Row:
    """Return a frame ``uint8[28]`` in which only this voice's gate may be open (0 to 2; None: no voice's)."""
    row = row.copy()
    for other in range(VOICES):
        if other != voice:
            row[[register_of(other, CONTROL), first_control_of(other)]] &= 0xFF ^ GATE
    return row


class StemChips:
    """The chips that make the stems. Use them from one thread; a frame takes about 4 ms."""

    def __init__(
        self,
        chip: str = "6581",
        timing: VideoTiming = PAL,
        sample_rate: int = SAMPLE_RATE,
        control_first: bool = False,
        first_row: Row | None = None,
    ) -> None:
        """The parameters are those of `Sid`. Raises ControlError if there is no such chip."""
        self._sids = [Sid(chip, timing, sample_rate, control_first, first_row) for _ in (*range(VOICES), None)]

    @property
    def control_first(self) -> bool:
        """Whether a voice's control is written before its envelope; may be changed between any two frames."""
        return self._sids[0].control_first

    @control_first.setter
    def control_first(self, first: bool) -> None:
        for sid in self._sids:
            sid.control_first = first

    def settle(self, row: Row) -> None:
        """Prepare for music that begins with this frame ``uint8[28]``, see `Sid.settle`."""
        for sid in self._sids:
            sid.settle(row)

    def reset(self) -> None:
        """Power the chips off and on; the sound so far fades out within 5 ms."""
        for sid in self._sids:
            sid.reset(fade=True)

    def play(self, row: Row, samples: int) -> Stems:
        """Write a frame ``uint8[28]`` and return its stems, ``int16[3, samples]``."""
        sounds = [
            sid.play(alone(row, voice), samples) for sid, voice in zip(self._sids, (*range(VOICES), None), strict=True)
        ]
        shared = sounds.pop() * _SHARED
        return np.clip(np.rint(np.array(sounds) - shared), -32768, 32767).astype(np.int16)


def render_stems(
    frames: Frames,
    rate_hz: float,
    chip: str = "6581",
    timing: VideoTiming = PAL,
    sample_rate: int = SAMPLE_RATE,
    control_first: bool = False,
) -> Stems:
    """Return the stems of ``frames`` uint8[T, 28], ``int16[3, n]``, as long as `sid.render` makes the whole sound."""
    chips = StemChips(chip, timing, sample_rate, control_first, frames[0] if len(frames) else None)
    stems = np.empty((VOICES, sample_at(len(frames), rate_hz, sample_rate)), dtype=np.int16)
    start = 0
    for index, row in enumerate(frames):
        end = sample_at(index + 1, rate_hz, sample_rate)
        stems[:, start:end] = chips.play(row, end - start)
        start = end
    return stems
