"""Drift: one long filtered pad, plucked notes without a pause, ring-modulated bells."""

from sidlive.tune.tracker import Bounce, Instrument, Song, Step, Sweep, Vibrato

SONG = Song(
    title="Drift",
    style="a slow pad, plucked notes, ring-modulated bells",
    chip="8580",
    rows=(10,),
    mode=0x10,
    resonance=0x8,
    instruments={
        "pad": Instrument(
            0xA9,
            0xAB,
            (Step(0x41),),
            pulse=Bounce(0x400, 0x0C, 0x300, 0xD00),
            pulse_runs=True,
            glide=0x4000,
            filtered=True,
        ),
        "pluck": Instrument(
            0x09,
            0x29,
            (Step(0x41, 12), Step(0x41)),
            restart=1,
            pulse=Bounce(0x200, 0x20, 0x180, 0x900),
            pulse_runs=True,
        ),
        "bell": Instrument(0x0C, 0x0C, (Step(0x09), Step(0x15, 12), Step(0x15)), vibrato=Vibrato(16, 16, 4)),
    },
    patterns={
        "dm": "@pluck d4 a4 d5 f5 | e5 d5 a4 f4 | d4 a4 d5 f5 | g5 f5 d5 a4",
        "dm2": "@pluck d4 f4 a4 d5 | f5 a5 g5 e5 | d5 a4 f4 a4 | d5 e5 f5 c5",
        "bb2": "@pluck bb3 d4 f4 bb4 | d5 f5 c5 bb4 | f4 d4 f4 bb4 | c5 d5 f5 g5",
        "bb": "@pluck bb3 f4 bb4 d5 | c5 bb4 f4 d4 | bb3 f4 bb4 d5 | f5 d5 bb4 f4",
        "f": "@pluck f4 a4 c5 f5 | e5 c5 a4 g4 | f4 a4 c5 f5 | g5 e5 c5 a4",
        "gm": "@pluck g4 bb4 d5 g5 | f5 d5 bb4 a4 | g4 bb4 d5 g5 | a5 g5 d5 bb4",
        "c": "@pluck e4 g4 c5 e5 | d5 c5 g4 e4 | e4 g4 c5 e5 | g5 e5 d5 c5",
        "pad": "@pad d3 . . . | . . . . | ~a3 . . . | . . . .",
        "to": "~d3 . . . | . . . . | ~a3 . . . | . . . .",
        "high": "@bell a5 . . . | . . d6 . | . . . . | e6 . . .   f6 . . . | . . . . | e6 . d6 . | a5 . . .",
        "low": "@bell d6 . . . | . . f5 . | . . . . | bb5 . . .   c6 . . . | . . . . | a5 . f5 . | c6 . . .",
        "turn": "@bell bb5 . . . | . . d6 . | . . . . | g6 . . .   f6 . . . | . . . . | d6 . bb5 . | f5 . . .",
        "open": "@bell e6 . . . | . . g6 . | . . . . | c6 . . .   d6 . . . | . . . . | e6 . c6 . | g5 . . .",
    },
    orders=(
        "pad to to-4 to+3 to+5 to-4 to-2 to-2 to to to-4 to+3",
        "dm dm bb f gm bb c c dm2 dm bb2 f",
        "high low turn open high low",
    ),
    sweep=Sweep(500, ((160, 4), (160, -4)) * 6),
)
