"""Notes in frames, for tests of scales and of measures."""

import numpy as np

from sidlive.chip import registers as sid

NOTE_FRAMES = 8  # length of a note


def register_value(cents: float) -> int:
    """Return the frequency register value nearest to a pitch in cents above 4096; there a step is inaudible."""
    return round(4096 * 2 ** (cents / 1200))


def play(
    pitches: list[float | None], voice: int = 0, frames_per_note: int = NOTE_FRAMES, wave: int = sid.PULSE
) -> sid.Frames:
    """Play notes in one voice at full volume; the gate closes in each note's last frame.

    ``pitches``: cents above register value 4096; None is a rest.
    """
    frames = sid.silence(len(pitches) * frames_per_note)
    frames[:, sid.MODE_VOL] = 15
    for number, cents in enumerate(pitches):
        note = frames[number * frames_per_note : (number + 1) * frames_per_note]
        control = np.full(frames_per_note, wave | sid.GATE)
        control[-1] = wave
        if cents is None:
            control[:] = wave
        else:
            note[:, sid.register_of(voice, sid.FREQ_LO)] = register_value(cents) & 255
            note[:, sid.register_of(voice, sid.FREQ_HI)] = register_value(cents) >> 8
        note[:, sid.register_of(voice, sid.CONTROL)] = note[:, sid.first_control_of(voice)] = control
    return frames


def tuned(steps: list[int], tuning: float = 0.0) -> list[float | None]:
    """Return semitones as cents, all of them ``tuning`` cents higher."""
    return [100.0 * step + tuning for step in steps]
