"""Edits: pure functions frames -> frames."""

import numpy as np

from sidlive.chip import registers as sid
from sidlive.chip.registers import Frames


def rotate_voices(frames: Frames, turns: int) -> Frames:
    """Voice v becomes voice v + turns (1 -> 2 -> 3 -> 1), filter routing with it: ring modulation and sync survive."""
    turned = frames.copy()
    voices = sid.VOICES * sid.VOICE_STRIDE
    turned[:, :voices] = np.roll(frames[:, :voices], turns * sid.VOICE_STRIDE, axis=1)
    turned[:, sid.FIRST_CONTROL :] = np.roll(frames[:, sid.FIRST_CONTROL :], turns, axis=1)
    route = frames[:, sid.RES_ROUTE]
    for voice in range(sid.VOICES):
        bit = (route >> voice) & 1
        target = (voice + turns) % sid.VOICES
        turned[:, sid.RES_ROUTE] = (turned[:, sid.RES_ROUTE] & ~np.uint8(1 << target)) | (bit << target).astype(np.uint8)
    return turned
