"""Edits: pure functions from frames to frames, ``uint8[T, 28]`` in and out. The argument is never modified.

Voices are 0, 1, 2 here. Knows registers only: no names, no tempo, no files.
"""

import numpy as np
from numpy.typing import NDArray

from sidlive.chip import registers as sid
from sidlive.chip.pitch import HIGHEST, SEMITONE, frequencies, ratio
from sidlive.chip.registers import Frames

RESTART = 2  # frames of a hard restart
_VOICE_COLUMNS = sid.VOICES * sid.VOICE_STRIDE


def transpose(frames: Frames, semitones: float) -> Frames:
    """Shift every pitch by ``semitones``. A pitch above the register's range is lowered by whole octaves.

    Noise keeps its frequency, so drums stay drums. The cutoff does not change.
    """
    edited = frames.copy()
    for voice, old in enumerate(frequencies(frames).T):
        lo, hi = sid.register_of(voice, sid.FREQ_LO), sid.register_of(voice, sid.FREQ_HI)
        new = shifted(old, semitones)
        noise = frames[:, sid.register_of(voice, sid.CONTROL)] & sid.NOISE > 0
        new = np.where(noise, old, new)
        edited[:, lo], edited[:, hi] = new & 0xFF, new >> 8
    return edited


def shifted(frequency: NDArray[np.int64], semitones: float) -> NDArray[np.int64]:
    """Return frequency registers ``semitones`` higher; one above the register's range is lowered by whole octaves."""
    new = np.rint(frequency * ratio(SEMITONE * semitones))
    octaves = np.ceil(np.log2(np.maximum(new, 1) / (HIGHEST + 0.5))).clip(min=0)
    return np.rint(new / 2**octaves).astype(np.int64)


def rotate_voices(frames: Frames, turns: int) -> Frames:
    """Move each voice v to voice v + ``turns`` (1 -> 2 -> 3 -> 1), with its filter routing.

    Ring modulation and sync survive, since each voice keeps its neighbour. The chip can take only voice 3 off the
    output; where it was off, the voice that it moves to has its waveform and its gate cleared instead.
    """
    edited = frames.copy()
    edited[:, :_VOICE_COLUMNS] = np.roll(frames[:, :_VOICE_COLUMNS], turns * sid.VOICE_STRIDE, axis=1)
    edited[:, sid.FIRST_CONTROL :] = np.roll(frames[:, sid.FIRST_CONTROL :], turns, axis=1)
    return _move_routing(edited, frames, [(voice, (voice + turns) % sid.VOICES) for voice in range(sid.VOICES)])


def swap_voices(frames: Frames, one: int, other: int) -> Frames:
    """Exchange two voices, with their filter routing. Their ring modulation and sync then have another source.

    The chip can take only voice 3 off the output; where it was off, the voice that it moves to has its waveform and its
    gate cleared instead.
    """
    edited = frames.copy()
    for source, target in ((one, other), (other, one)):
        columns = [sid.register_of(target, offset) for offset in range(sid.VOICE_STRIDE)]
        edited[:, columns] = frames[:, [sid.register_of(source, offset) for offset in range(sid.VOICE_STRIDE)]]
        edited[:, sid.first_control_of(target)] = frames[:, sid.first_control_of(source)]
    return _move_routing(edited, frames, [(one, other), (other, one)])


def mute_voices(frames: Frames, voices: set[int] | frozenset[int] | list[int]) -> Frames:
    """Silence ``voices``: clear gate, waveform, envelope and filter routing.

    The pitch stays, for the voice whose ring modulation or sync uses it.
    """
    edited = frames.copy()
    for voice in voices:
        columns = [sid.register_of(voice, offset) for offset in (sid.CONTROL, sid.AD, sid.SR)]
        edited[:, [*columns, sid.first_control_of(voice)]] = 0
        edited[:, sid.RES_ROUTE] &= 0xFF ^ (1 << voice)
    return edited


def open_gates(row: NDArray[np.uint8]) -> frozenset[int]:
    """Return the voices whose gate is open after the frame ``row`` uint8[28]."""
    return frozenset(voice for voice in range(sid.VOICES) if row[sid.register_of(voice, sid.CONTROL)] & sid.GATE)


def close_gates(frames: Frames, voices: set[int] | frozenset[int] | list[int]) -> Frames:
    """Close the gates of ``voices`` in the last two frames and clear their envelopes, so that the next attack is clean.

    SID players call this a hard restart. Two frames last longer than the 33 ms for which the envelope's rate counter
    may run past its target (the "ADSR bug").
    """
    edited = frames.copy()
    for voice in voices:
        control, first = sid.register_of(voice, sid.CONTROL), sid.first_control_of(voice)
        edited[-RESTART:, control] &= ~np.uint8(sid.GATE)
        edited[-RESTART:, first] = edited[-RESTART:, control]
        edited[-RESTART:, [sid.register_of(voice, sid.AD), sid.register_of(voice, sid.SR)]] = 0
    return edited


def loop(frames: Frames, times: int) -> Frames:
    """Repeat the frames ``times`` times."""
    assert times >= 0
    return np.tile(frames, (times, 1))


def trim(frames: Frames, start: int, stop: int | None = None) -> Frames:
    """Return the frames ``start`` to ``stop`` - 1; both may be negative, as in a slice."""
    return frames[start:stop].copy()


def splice(first: Frames, second: Frames, at: int) -> Frames:
    """Join ``first`` up to frame ``at`` and ``second``. All gates close in the two frames before (`close_gates`)."""
    return np.concatenate([close_gates(first[:at], list(range(sid.VOICES))), second])


def fade(frames: Frames, length: int, out: bool = True) -> Frames:
    """Fade the volume to 0 over the last ``length`` frames, or, with ``out`` false, up from 0 over the first ones."""
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
    """Make ``factor`` times as many frames: frames are repeated or merged, and no note is lost (see `resample`)."""
    assert factor > 0
    count = round(len(frames) * factor)
    return place_rows(frames, np.arange(len(frames)) * count // max(1, len(frames)), count)


def resample(frames: Frames, ratio: float) -> Frames:
    """Convert rows to frames where there are ``ratio`` rows per frame: row t is heard in frame floor(t / ratio).

    If several rows share a frame, its registers are those of the last row, and each voice's first control value keeps
    a change that earlier rows made: the gate closed and opened again, opened and closed again, or the test bit set
    and cleared. A frame has room for one of these changes per voice. Further changes in the frame are lost, and so
    is a note between a gate that was open before the frame and is closed after it. If a row lasts several frames, its
    first control values appear in the first of them only.
    """
    assert 0 < ratio < np.inf
    # Rates are measured values: a row due less than a millionth of a frame after a frame's start belongs to that frame.
    starts = np.floor(np.arange(len(frames)) / ratio + 1e-6).astype(np.int64)
    return place_rows(frames, starts, int(np.ceil(len(frames) / ratio - 1e-6)))


def place_rows(frames: Frames, starts: NDArray[np.int64], count: int) -> Frames:
    """Place each row at frame ``starts[row]``, ascending from 0; return uint8[count, 28]. Gates as in `resample`."""
    if not count:
        return frames[:0].copy()
    ends = np.searchsorted(starts, np.arange(count), side="right")  # frame j has the rows ends[j - 1] to ends[j] - 1
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
        edited[several, first] = _first_control(held.astype(np.uint8), written.reshape(len(several), -1))
    return edited


def _first_control(held: NDArray[np.uint8], written: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Choose the first control value of n frames, uint8[n]: the one that keeps a note or a pulse of the test bit.

    ``held`` uint8[n] is the control value before each frame, ``written`` uint8[n, k] the values written in it.
    """
    final = written[:, -1]
    opened = ((written & ~np.column_stack([held, written[:, :-1]]) & sid.GATE) > 0).any(axis=1)
    turned = opened & ((held ^ final) & sid.GATE == 0)  # off and on again, or on and off again
    pulsed = ((held | final) & sid.TEST == 0) & ((written & sid.TEST) > 0).any(axis=1)
    fit = ((written ^ final[:, None]) & sid.GATE > 0) | ~turned[:, None]
    pulse = fit & (written & sid.TEST > 0) & pulsed[:, None]
    wanted = np.where(pulse.any(axis=1)[:, None], pulse, fit & turned[:, None])
    rows = np.arange(len(written))
    return np.where(wanted.any(axis=1), written[rows, wanted.argmax(axis=1)], final).astype(np.uint8)


def _move_routing(edited: Frames, frames: Frames, moves: list[tuple[int, int]]) -> Frames:
    """Move filter routing bits along ``moves`` (source, target); silence the voice that replaces an unheard voice 3."""
    route = frames[:, sid.RES_ROUTE]
    for source, target in moves:
        bit = (route >> source & 1) << target
        edited[:, sid.RES_ROUTE] = edited[:, sid.RES_ROUTE] & np.uint8(0xFF ^ (1 << target)) | bit
        if source == 2 != target:
            # A voice 3 that goes through the filter is heard even if it is switched off.
            off = (frames[:, sid.MODE_VOL] & sid.VOICE_3_OFF > 0) & (route & 4 == 0)
            for column in (sid.register_of(target, sid.CONTROL), sid.first_control_of(target)):
                edited[off, column] &= sid.SYNC | sid.RING | sid.TEST
            edited[:, sid.MODE_VOL] &= 0xFF ^ sid.VOICE_3_OFF
    return edited
