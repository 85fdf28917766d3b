"""A short piece made for the tests, written by registers: arpeggios, a bass with a swept pulse, a lead, drums."""

from functools import cache

import numpy as np

from sidlive.chip import registers as sid
from sidlive.chip.registers import PAL, Frames

BEAT = 24  # frames
BAR = 4 * BEAT
CHORDS = ((45, 48, 52), (41, 45, 48), (48, 52, 55), (43, 47, 50))  # Am F C G
LEAD = (
    69,
    0,
    72,
    76,
    74,
    0,
    72,
    71,
    69,
    0,
    65,
    69,
    67,
    0,
    71,
    74,
)  # MIDI notes, an eighth each; 0 holds the note before


def frequency(note: float) -> int:
    """Return the 16-bit frequency of a MIDI note on a PAL machine."""
    return min(65535, round(440 * 2 ** ((note - 69) / 12) * 2**24 / PAL.clock_hz))


def write_voice(frames: Frames, t: int, voice: int, note: float, control: int, ad: int, sr: int, width: int) -> None:
    """Write the registers of one voice in frame ``t``."""
    row, base = frames[t], voice * sid.VOICE_STRIDE
    value = frequency(note)
    row[base : base + 7] = value & 255, value >> 8, width & 255, width >> 8, control, ad, sr
    row[sid.first_control_of(voice)] = control


def piece(bars: int = 16) -> Frames:
    """Return ``uint8[96 * bars, 28]``: lead on voice 1, arpeggios on 2, bass and drums on 3, a filter sweep."""
    return _piece(bars).copy()


@cache
def _piece(bars: int) -> Frames:
    frames = sid.silence(bars * BAR)
    for t in range(len(frames)):
        bar, chord = t // BAR, CHORDS[t // BAR % 4]
        _lead(frames, t)
        note = chord[t // 2 % 3] + 24
        gate = sid.GATE if t % BEAT < 16 else 0
        write_voice(frames, t, 1, note, (sid.TRIANGLE if bar % 8 < 4 else sid.SAW) | gate, 0x09, 0x6A, 0)
        _bass_and_drums(frames, t, chord[0] - 12)
        cutoff = round(900 + 800 * np.sin(2 * np.pi * t / (2 * BAR)))
        frames[t, sid.CUTOFF_LO] = cutoff & 7
        frames[t, sid.CUTOFF_HI] = cutoff >> 3
        frames[t, sid.RES_ROUTE] = 0xA4
        frames[t, sid.MODE_VOL] = (0x1F, 0x1F, 0x2F, 0x4F)[bar // 2 % 4]
    return frames


def _lead(frames: Frames, t: int) -> None:
    step = t // (BEAT // 2)
    at = t % (BEAT // 2)
    while LEAD[step % 16] == 0:
        step, at = step - 1, at + BEAT // 2
    vibrato = 0.35 * np.sin(at * 0.9) if at > 8 else 0.0
    gate = sid.GATE if at < 20 else 0
    width = round(2048 + 1500 * np.sin(2 * np.pi * t / 150))
    write_voice(frames, t, 0, LEAD[step % 16] + vibrato, sid.PULSE | gate, 0x29, 0x89, width)


def _bass_and_drums(frames: Frames, t: int, root: int) -> None:
    at, beat = t % (BEAT // 2), t // BEAT % 4
    if beat % 2 == 1 and t % BEAT < 10:  # a snare
        control = sid.NOISE if t % BEAT != 1 else sid.PULSE
        write_voice(frames, t, 2, 84 - t % BEAT, control | (sid.GATE if t % BEAT < 4 else 0), 0x06, 0x46, 2048)
    else:
        gate = sid.GATE if at < 9 else 0
        jump = 12 if t // (BEAT // 2) % 4 == 3 else 0
        write_voice(frames, t, 2, root + jump, sid.PULSE | gate, 0x07, 0xA8, 400 + 24 * (t % 96))
