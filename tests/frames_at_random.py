"""Random frames, for tests of rules that hold for all frames."""

import numpy as np

from sidlive.chip import registers as sid
from sidlive.chip.pitch import frequency_of
from sidlive.chip.registers import Frames


def any_frames(seed: int, length: int, change: float, musical: bool) -> Frames:
    """``uint8[length, 28]`` of which each register changes in a share ``change`` of the frames.

    ``musical``: gates stay open or closed for a while, and frequencies are notes with slides between them.
    """
    rng = np.random.default_rng(seed)
    frames = rng.integers(0, 256, (length, sid.COLUMNS), dtype=np.uint8) & sid.USED_BITS
    for t in range(1, length):
        stays = rng.random(sid.COLUMNS) > change
        frames[t, stays] = frames[t - 1, stays]
    for voice in range(sid.VOICES if musical else 0):
        target = np.repeat([frequency_of(int(note)) for note in rng.integers(40, 80, length // 8 + 1)], 8)[:length]
        frequency = np.empty(length, dtype=np.int64)
        for t in range(length):
            before = frequency[t - 1] if t else target[0]
            frequency[t] = before + np.clip(target[t] - before, -400, 400)
        gate = np.repeat(rng.random(length // 5 + 1) < 0.7, 5)[:length]
        control = sid.register_of(voice, sid.CONTROL)
        frames[:, control] = sid.SAW | gate
        frames[:, sid.first_control_of(voice)] = np.where(rng.random(length) < 0.05, sid.SAW, frames[:, control])
        frames[:, sid.register_of(voice, sid.FREQ_LO)] = frequency & 255
        frames[:, sid.register_of(voice, sid.FREQ_HI)] = frequency >> 8
    return frames
