"""Edits: pure functions frames -> frames. None changes its argument; all take and give ``uint8[T, 28]``.

Voices are 0, 1, 2 here. Knows registers only; names, tempo and files are others' business.
"""

import numpy as np
from numpy.typing import NDArray

from sidlive.chip import registers as sid
from sidlive.chip.pitch import HIGHEST, SEMITONE, frequencies, ratio
from sidlive.chip.registers import Frames

RESTART = 2  # frames that a hard restart takes
_VOICE_COLUMNS = sid.VOICES * sid.VOICE_STRIDE


def transpose(frames: Frames, semitones: float) -> Frames:
    """Every pitch higher or lower; what would leave the register comes back by octaves.

    Noise keeps its frequency: drums stay drums. The filter stays where it is.
    """
    edited = frames.copy()
    for voice, old in enumerate(frequencies(frames).T):
        lo, hi = sid.register_of(voice, sid.FREQ_LO), sid.register_of(voice, sid.FREQ_HI)
        new = np.rint(old * ratio(SEMITONE * semitones))
        octaves = np.ceil(np.log2(np.maximum(new, 1) / (HIGHEST + 0.5))).clip(min=0)
        new = np.rint(new / 2**octaves).astype(np.int64)
        noise = frames[:, sid.register_of(voice, sid.CONTROL)] & sid.NOISE > 0
        new = np.where(noise, old, new)
        edited[:, lo], edited[:, hi] = new & 0xFF, new >> 8
    return edited


def rotate_voices(frames: Frames, turns: int) -> Frames:
    """Voice v becomes voice v + turns (1 -> 2 -> 3 -> 1), filter routing with it: ring modulation and sync survive.

    Only voice 3 can be taken off the output; where it was, what it becomes has no waveform and no gate instead.
    """
    edited = frames.copy()
    edited[:, :_VOICE_COLUMNS] = np.roll(frames[:, :_VOICE_COLUMNS], turns * sid.VOICE_STRIDE, axis=1)
    edited[:, sid.FIRST_CONTROL :] = np.roll(frames[:, sid.FIRST_CONTROL :], turns, axis=1)
    return _routed(edited, frames, [(voice, (voice + turns) % sid.VOICES) for voice in range(sid.VOICES)])


def swap_voices(frames: Frames, one: int, other: int) -> Frames:
    """Two voices change places, filter routing with them. Ring modulation and sync then hear another neighbour.

    Only voice 3 can be taken off the output; where it was, what it becomes has no waveform and no gate instead.
    """
    edited = frames.copy()
    for source, target in ((one, other), (other, one)):
        columns = [sid.register_of(target, offset) for offset in range(sid.VOICE_STRIDE)]
        edited[:, columns] = frames[:, [sid.register_of(source, offset) for offset in range(sid.VOICE_STRIDE)]]
        edited[:, sid.first_control_of(target)] = frames[:, sid.first_control_of(source)]
    return _routed(edited, frames, [(one, other), (other, one)])


def mute_voices(frames: Frames, voices: set[int] | frozenset[int] | list[int]) -> Frames:
    """Voices without a sound: gate off, no waveform, no envelope, not into the filter.

    Pitch stays, for what rings or syncs with it.
    """
    edited = frames.copy()
    for voice in voices:
        columns = [sid.register_of(voice, offset) for offset in (sid.CONTROL, sid.AD, sid.SR)]
        edited[:, [*columns, sid.first_control_of(voice)]] = 0
        edited[:, sid.RES_ROUTE] &= 0xFF ^ (1 << voice)
    return edited


def open_gates(row: NDArray[np.uint8]) -> frozenset[int]:
    """The voices whose gate is open after a frame ``uint8[28]``."""
    return frozenset(voice for voice in range(sid.VOICES) if row[sid.register_of(voice, sid.CONTROL)] & sid.GATE)


def close_gates(frames: Frames, voices: set[int] | frozenset[int] | list[int]) -> Frames:
    """Voices let go in the last two frames, with the shortest envelope: whatever comes next starts from nothing.

    Players call it a hard restart. Two frames are longer than the 33 ms for which an envelope may lose count.
    """
    edited = frames.copy()
    for voice in voices:
        control, first = sid.register_of(voice, sid.CONTROL), sid.first_control_of(voice)
        edited[-RESTART:, control] &= ~np.uint8(sid.GATE)
        edited[-RESTART:, first] = edited[-RESTART:, control]
        edited[-RESTART:, [sid.register_of(voice, sid.AD), sid.register_of(voice, sid.SR)]] = 0
    return edited


def loop(frames: Frames, times: int) -> Frames:
    """The frames, ``times`` times over."""
    assert times >= 0
    return np.tile(frames, (times, 1))


def trim(frames: Frames, start: int, stop: int | None = None) -> Frames:
    """Frames start .. stop - 1, as a slice takes them."""
    return frames[start:stop].copy()


def splice(first: Frames, second: Frames, at: int) -> Frames:
    """``first`` up to frame ``at``, all keys let go in its last two frames (`close_gates`), then ``second``."""
    return np.concatenate([close_gates(first[:at], list(range(sid.VOICES))), second])


def fade(frames: Frames, length: int, out: bool = True) -> Frames:
    """The volume falls to nothing over the last ``length`` frames, or rises over the first."""
    edited = frames.copy()
    length = min(length, len(frames))
    if not length:
        return edited
    ramp = np.arange(length, 0, -1) - 1 if out else np.arange(1, length + 1)
    part = slice(len(frames) - length, None) if out else slice(0, length)
    mode = frames[part, sid.MODE_VOL]
    volume = np.rint((mode & 0x0F) * ramp / length).astype(np.uint8)
    edited[part, sid.MODE_VOL] = (mode & 0xF0) | volume
    return edited


def stretch(frames: Frames, factor: float) -> Frames:
    """As many frames times ``factor``: frames repeat or fall together, and no gate is lost (see ``resample``)."""
    assert factor > 0
    count = round(len(frames) * factor)
    return place_rows(frames, np.arange(len(frames)) * count // max(1, len(frames)), count)


def resample(frames: Frames, ratio: float) -> Frames:
    """Rows made ``ratio`` times as often as frames are wanted: row t is heard in frame floor(t / ratio).

    Of rows that fall together the registers are the last one's. What the earlier ones did to a gate is not lost: a
    voice that closes and opens again, or opens and closes, or whose test bit is set and cleared, has that value as its
    first control value. One such turn a voice and frame can be said: further ones in it are not, nor is a note between
    a gate that was open before the frame and one that is closed after it. A row that lasts several frames is said once.
    """
    assert 0 < ratio < np.inf
    # Rates are measured; a row that is due a millionth of a frame later is due now.
    starts = np.floor(np.arange(len(frames)) / ratio + 1e-6).astype(np.int64)
    return place_rows(frames, starts, int(np.ceil(len(frames) / ratio - 1e-6)))


def place_rows(frames: Frames, starts: NDArray[np.int64], count: int) -> Frames:
    """``uint8[count, 28]``: each row from frame ``starts[row]`` on, ascending from 0; gates as resample() says."""
    if not count:
        return frames[:0].copy()
    ends = np.searchsorted(starts, np.arange(count), side="right")  # the rows of frame j are [ends[j - 1], ends[j])
    sizes = np.diff(ends, prepend=0)
    edited = frames[ends - 1]
    for voice in range(sid.VOICES):
        control, first = sid.register_of(voice, sid.CONTROL), sid.first_control_of(voice)
        repeated = sizes == 0
        edited[repeated, first] = edited[repeated, control]
        several = np.flatnonzero(sizes > 1)
        if not len(several):
            continue
        rows = ends[several, None] - sizes[several, None] + np.arange(sizes.max())
        beyond = rows >= ends[several, None]
        written = frames[np.minimum(rows, len(frames) - 1)][:, :, [first, control]]
        written = np.where(beyond[:, :, None], edited[several, control][:, None, None], written)
        held = np.where(several > 0, edited[several - 1, control], 0)
        edited[several, first] = _turn(held.astype(np.uint8), written.reshape(len(several), -1))
    return edited


def _turn(held: NDArray[np.uint8], written: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The one control value of those ``written`` [n, k] in a frame that is to come before the last; held [n] before."""
    final = written[:, -1]
    opened = ((written & ~np.column_stack([held, written[:, :-1]]) & sid.GATE) > 0).any(axis=1)
    turned = opened & ((held ^ final) & sid.GATE == 0)  # off and on again, or on and off again
    pulsed = ((held | final) & sid.TEST == 0) & ((written & sid.TEST) > 0).any(axis=1)
    fit = ((written ^ final[:, None]) & sid.GATE > 0) | ~turned[:, None]
    pulse = fit & (written & sid.TEST > 0) & pulsed[:, None]
    wanted = np.where(pulse.any(axis=1)[:, None], pulse, fit & turned[:, None])
    rows = np.arange(len(written))
    return np.where(wanted.any(axis=1), written[rows, wanted.argmax(axis=1)], final).astype(np.uint8)


def _routed(edited: Frames, frames: Frames, moves: list[tuple[int, int]]) -> Frames:
    """Filter routing bits moved from voice to voice, and the silence of a voice 3 that is off the output."""
    route = frames[:, sid.RES_ROUTE]
    for source, target in moves:
        bit = (route >> source & 1) << target
        edited[:, sid.RES_ROUTE] = edited[:, sid.RES_ROUTE] & np.uint8(0xFF ^ (1 << target)) | bit
        if source == 2 != target:
            off = (frames[:, sid.MODE_VOL] & sid.VOICE_3_OFF > 0) & (route & 4 == 0)  # through the filter it is heard
            for column in (sid.register_of(target, sid.CONTROL), sid.first_control_of(target)):
                edited[off, column] &= sid.SYNC | sid.RING | sid.TEST
            edited[:, sid.MODE_VOL] &= 0xFF ^ sid.VOICE_3_OFF
    return edited
