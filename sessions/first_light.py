"""First light: a prompt, its continuation, some knobs, a take.

    sidlive run sessions/first_light.py TUNE.sid
    sidlive run sessions/first_light.py --offline --wav first_light.wav

Without a tune it continues a riff of its own. Every word here is a verb of the studio's console.
"""
# ruff: noqa: F821 (the verbs and args are given)

import numpy as np

from sidlive.chip import registers as sid
from sidlive.tune.fragment import Fragment

BEAT = 24  # frames: 125 beats a minute
ROOTS = [0, 0, -4, -2]  # semitones, one a bar


def riff() -> Fragment:
    """Four bars of bass, arpeggio and lead over A minor, as a C64 player would have written them to the chip."""
    bar = 4 * BEAT
    frames = sid.silence(len(ROOTS) * bar)
    frames[:, sid.MODE_VOL] = 0x1F  # low pass, full volume
    frames[:, sid.RES_ROUTE] = 0x41  # the bass goes through the filter
    for t, row in enumerate(frames):
        root = ROOTS[t // bar]
        row[sid.CUTOFF_HI] = 24 + 2 * (t % BEAT)
        bass = root + 12 * (t // (BEAT // 2) % 2) - 24
        voice(row, 0, bass, sid.PULSE, t % (BEAT // 2) < 9, 0x09, 0x84, 0x800 + 16 * (t % 64))
        chord = root + [0, 3, 7][t % 3]
        voice(row, 1, chord, sid.PULSE, t % BEAT < 20, 0x0A, 0x48, 0x400)
        tune = root + [12, 15, 14, 10][t // BEAT % 4]
        voice(row, 2, tune, sid.SAW, t % BEAT < 18, 0x2A, 0x8A, 0)
    return Fragment("riff", frames, sid.PAL.rate_hz, "first_light.py", "6581", "PAL", BEAT)


def voice(row, number, semitones, waveform, gate, attack_decay, sustain_release, width):
    """Write one voice of one frame; pitch in semitones from the A of 220 Hz."""
    frequency = round(220 * 2 ** (semitones / 12) * 2**24 / sid.PAL.clock_hz)
    control = waveform | (sid.GATE if gate else 0)
    values = [frequency & 255, frequency >> 8, width & 255, width >> 8, control, attack_decay, sustain_release]
    row[sid.register_of(number, 0) : sid.register_of(number, 0) + 7] = np.array(values, dtype=np.uint8)
    row[sid.first_control_of(number)] = control


prompt(load(args[0]) if args else riff())
temperature(0.9)
start()
wait(8)

temperature(1.2)  # wilder
wait(4)
mask("1-2")  # the lead falls silent
wait(4)
mask("all")
temperature(0.9)
transpose(3)  # what the model has heard was in C minor all along
wait(8)

transpose(0)
mute(1)  # the bass drops out on the way to the chip; the model still hears it
wait(2)
unmute()
hold(3)  # the lead stands still
wait(2)
free()
wait(4)
stop()
wait(1)

print(commit("first_light"))
