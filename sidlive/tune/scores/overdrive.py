"""Overdrive: a lead of two oscillators in hard sync, over a voice that is kick, snare and bass by turns."""

from sidlive.tune.tracker import Bounce, Instrument, Song, Step, Vibrato

SONG = Song(
    title="Overdrive",
    style="rock: a lead in hard sync, drums and bass in one voice",
    rows=(6, 5),
    instruments={
        "kick": Instrument(
            0x08,
            0x86,
            (Step(0x09), Step(0x81, "c6"), Step(0x41, "c4"), Step(0x41, "e3")),
            gate=5,
            pulse=Bounce(0x800),
            fall=0x70,
        ),
        "snare": Instrument(
            0x07,
            0x98,
            (
                Step(0x09),
                Step(0x81, "e6"),
                Step(0x41, "c4"),
                Step(0x41, "a3"),
                Step(0x81, "a6"),
                Step(0x81, "f6"),
                Step(0x80, "d6"),
            ),
            gate=6,
            pulse=Bounce(0x800),
        ),
        "bass": Instrument(
            0x07, 0x96, (Step(0x09), Step(0x21, 12), Step(0x41)), pulse=Bounce(0x500, 0x28, 0x300, 0xC00)
        ),
        "body": Instrument(
            0x22,
            0x92,
            (Step(0x41),),
            restart=1,
            pulse=Bounce(0x300, 0x16, 0x200, 0xA00),
            pulse_runs=True,
            vibrato=Vibrato(15, 9, 3),
            glide=0x70,
        ),
        "edge": Instrument(0x22, 0x92, (Step(0x81, "c7", 0x22), Step(0x23, 24)), restart=0, fall=0x98),
    },
    patterns={
        "drive": """@kick c3 . @bass a1 a1 | @snare c3 . @bass a1 a2
            | @kick c3 @bass a1 @kick c3 @bass a1 | @snare c3 . @bass g1 a1""",
        "fill": """@kick c3 . @bass a1 a1 | @snare c3 . @bass a1 a2
            | @kick c3 . @snare c3 . | @snare c3 @snare c3 @kick c3 @snare c3""",
        "riff": """a4 . . a4 | . . c5 . | d5 . . c5 | . . a4 .   g4 . . g4 | . . a4 . | c5 . . d5 | ~c5 . a4 .""",
        "riff2": """a4 . . a4 | . . c5 . | d5 . . e5 | . . g5 .   e5 . . d5 | . . c5 . | d5 . . e5 | ~d5 . c5 .""",
        "solo": """f5 . e5 . | c5 . a4 . | f5 . e5 . | c5 . f5 .   g5 . f5 . | d5 . b4 . | g5 . f5 . | d5 . g5 .
            a5 . g5 . | e5 . c5 . | a5 . g5 . | e5 . a5 .   b5 . . . | ~a5 . g5 . | e5 . . . | ~d5 . e5 .""",
        "body": "@body",
        "edge": "@edge",
    },
    orders=(
        "drive drive-2 drive drive-2 drive drive-2 drive fill drive-4 drive-2 drive fill-5 drive drive-2 drive fill",
        "body riff riff riff riff2 solo riff riff2",
        "edge riff riff riff riff2 solo riff riff2",
    ),
)
