"""Coarser pulse widths make a take smaller at the least cost to its sound; measures that cost."""

import numpy as np

from sidlive.chip.registers import PW_HI, PW_LO, VOICES, Frames, VideoTiming, register_of
from sidlive.chip.sid import render
from sidlive.chip.spectrum import distance_db
from sidlive.tune.compiler.block import SongFrames

FEWEST, MOST = 1, 8  # bits of a 12-bit pulse width that may be dropped
HEARD_S = 60.0  # length of a take that is rendered to measure the cost


def coarse_pulse(frames: Frames, bits: int) -> Frames:
    """Return ``frames`` uint8[T, 28] with pulse widths that are updated only when off by 2 ** ``bits`` or more."""
    edited = frames.copy()
    for voice in range(VOICES):
        lo, hi = register_of(voice, PW_LO), register_of(voice, PW_HI)
        width = frames[:, lo].astype(np.int64) | (frames[:, hi].astype(np.int64) & 0x0F) << 8
        held = 0
        for t, wanted in enumerate(width.tolist()):
            if abs(wanted - held) >= 1 << bits:
                held = wanted
            width[t] = held
        edited[:, lo], edited[:, hi] = width & 0xFF, width >> 8
    return edited


def cost_db(take: SongFrames, edited: Frames, rate_hz: float, chip: str, timing: VideoTiming) -> float:
    """Return the distance of the edited frames' sound from the take's in dB (see `distance_db`), over HEARD_S."""
    count, order = int(HEARD_S * rate_hz), take.control_first
    one, other = (render(some[:count], rate_hz, chip, timing, control_first=order) for some in (take.frames, edited))
    return distance_db(one, other)
