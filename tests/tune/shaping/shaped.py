"""Small pieces of music for tests of edits, and what a test wants to know of an edited one."""

import numpy as np

from sidlive.chip import registers as sid
from sidlive.chip.pitch import frequency_of
from sidlive.chip.registers import Frames
from sidlive.tune.score.extract import score_of
from sidlive.tune.score.notes import ATTACK
from sidlive.tune.shaping.grid import BarGrid

BEAT, BAR = 16, 64
GRID = BarGrid(BEAT, 4, 0.0)

Played = tuple[int, int, int, int]  # voice, onset, frames with an open gate, MIDI note


def music(notes: list[Played], frames: int, noise: frozenset[int] = frozenset()) -> Frames:
    """Return frames that play notes, each voice with a waveform and an envelope of its own; ``noise``: voices."""
    made = sid.silence(frames)
    made[:, sid.MODE_VOL] = 15
    waves, sustain = (sid.PULSE, sid.SAW, sid.TRIANGLE), (0xA2, 0x83, 0xC1)
    for voice in range(sid.VOICES):
        made[:, sid.register_of(voice, sid.PW_HI)] = 8
        made[:, sid.register_of(voice, sid.SR)] = sustain[voice]
        mine = sorted(note[1:] for note in notes if note[0] == voice)
        for number, (onset, length, pitch) in enumerate(mine):
            end = mine[number + 1][0] if number + 1 < len(mine) else frames
            value = frequency_of(pitch)
            wave = sid.NOISE if voice in noise else waves[voice]
            made[onset:end, sid.register_of(voice, sid.FREQ_LO)] = value & 0xFF
            made[onset:end, sid.register_of(voice, sid.FREQ_HI)] = value >> 8
            control = sid.register_of(voice, sid.CONTROL)
            made[onset:end, control] = wave
            made[onset : onset + length, control] = wave | sid.GATE
            made[:, sid.first_control_of(voice)] = made[:, control]
    return made


def bars(count: int = 8) -> Frames:
    """Return music in C: a bass on each beat (voice 1), a tune of eighths (voice 2), a note each half bar (voice 3)."""
    scale = (60, 62, 64, 65, 67, 69, 71, 72)
    notes: list[Played] = []
    for bar in range(count):
        at = bar * BAR
        notes += [(0, at + beat * BEAT, 10, 36 + (0, 5, 7, 0)[beat]) for beat in range(4)]
        notes += [(1, at + eighth * BEAT // 2, 5, scale[(eighth + bar) % 8]) for eighth in range(8)]
        notes += [(2, at + half * 2 * BEAT, 20, (76, 79)[half]) for half in range(2)]
    return music(notes, count * BAR)


def notes_in(frames: Frames, voice: int) -> list[tuple[int, int, int]]:
    """Return the notes of a voice: onset, frames with an open gate, MIDI note."""
    score = score_of(frames)
    mine = score.of_voice(voice)
    return list(zip(score.onset[mine].tolist(), score.length[mine].tolist(), score.pitch[mine].tolist(), strict=True))


def onsets(frames: Frames, voice: int) -> list[int]:
    """Return the frames in which a voice's notes begin."""
    return [onset for onset, _, _ in notes_in(frames, voice)]


def pitches(frames: Frames, voice: int) -> list[int]:
    """Return the MIDI notes of a voice."""
    return [pitch for _, _, pitch in notes_in(frames, voice)]


def longest_gate(frames: Frames, voice: int) -> int:
    """Return the most frames in a row with an open gate."""
    gates = np.concatenate([[0], frames[:, sid.register_of(voice, sid.CONTROL)] & sid.GATE, [0]])
    edges = np.flatnonzero(np.diff(gates.astype(int)))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def attacks(frames: Frames, voice: int) -> int:
    """Return the number of attacks of a voice."""
    score = score_of(frames)
    return int((score.has(ATTACK) & (score.voice == voice)).sum())
