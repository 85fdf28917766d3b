"""Quicksilver: its player is called twice a frame, so drums fall, notes lean and vibrato turns in hundredths."""

from sidlive.tune.tracker import Bounce, Instrument, Song, Step, Sweep, Vibrato

SONG = Song(
    title="Quicksilver",
    style="jazz rock at double speed: two play calls a frame, quick runs, sevenths and ninths",
    calls=2,
    chip="8580",
    rows=(14, 12),
    mode=0x10,
    resonance=0x9,
    instruments={
        "kick": Instrument(
            0x08,
            0x88,
            (
                Step(0x09),
                Step(0x81, "a6"),
                Step(0x41, "e4"),
                Step(0x41, "c4"),
                Step(0x41, "g3"),
                Step(0x41, "e3"),
                Step(0x41, "c3"),
            ),
            gate=9,
            restart=3,
            pulse=Bounce(0x800),
            fall=0x38,
        ),
        "snare": Instrument(
            0x06,
            0x98,
            (
                Step(0x09),
                Step(0x81, "e7"),
                Step(0x41, "f4"),
                Step(0x41, "c4"),
                Step(0x81, "b6"),
                Step(0x81, "c7"),
                Step(0x81, "a6"),
                Step(0x81, "g6"),
                Step(0x80, "a6"),
            ),
            gate=9,
            restart=3,
            pulse=Bounce(0x800),
        ),
        "hat": Instrument(
            0x02,
            0x33,
            (Step(0x09), Step(0x81, "b7"), Step(0x81, "a#7"), Step(0x80, "b7")),
            gate=4,
            restart=2,
        ),
        "bass": Instrument(
            0x08,
            0xA8,
            (Step(0x09), Step(0x21, 12), Step(0x41)),
            gate=18,
            restart=3,
            pulse=Bounce(0x600, 0x14, 0x400, 0xB00),
            glide=0x18,
            filtered=True,
            sweep=Sweep(760, ((10, -34), (20, -8))),
        ),
        "stab": Instrument(
            0x08,
            0x67,
            (Step(0x09), Step(0x41)),
            gate=14,
            restart=3,
            tone=2,
            pulse=Bounce(0x280, 0x10, 0x180, 0x900),
            pulse_runs=True,
        ),
        "lead": Instrument(
            0x22,
            0xB6,
            (Step(0x09), Step(0x41)),
            restart=1,
            pulse=Bounce(0x500, 0x09, 0x300, 0xC00),
            pulse_runs=True,
            vibrato=Vibrato(34, 20, 8),
            glide=0x50,
        ),
        "bend": Instrument(
            0x42,
            0xB7,
            (Step(0x09), Step(0x41, -1), Step(0x41, -1), Step(0x41, -1), Step(0x41, -1), Step(0x41)),
            restart=1,
            pulse=Bounce(0x500, 0x09, 0x300, 0xC00),
            pulse_runs=True,
            vibrato=Vibrato(34, 20, 8),
            glide=0x50,
        ),
    },
    patterns={
        "groove": """@kick c3 . @bass e2 . | @snare c4 @bass e2 . b2
            | @kick c3 @bass e2 @kick c3 . | @snare c4 . @bass d2 d#2""",
        "strut": """@kick c3 @bass e3 . e2 | @snare c4 . @bass e2 d3
            | @kick c3 @bass e3 . @kick c3 | @snare c4 @bass e2 g2 b2""",
        "major": """@kick c3 . @bass c2 . | @snare c4 @bass c3 . g2
            | @kick c3 @bass c2 @kick c3 . | @snare c4 . @bass b2 c3""",
        "turn": """@kick c3 . @bass b1 . | @snare c4 @bass b2 . a2
            | @kick c3 @bass d#2 . f#2 | @snare c4 @snare c4 @bass a2 @snare c4""",
        "two": """@kick c3 . @bass c#2 . | @snare c4 @bass g2 . c#2
            | @kick c3 @bass f#2 . f#1 | @snare c4 . @bass a#1 c#2""",
        "em9": """. . @hat c4 @stab g3:047b | @hat c4 . . @stab g3:047b
            | . @hat c4 . @stab g3:047b | @hat c4 . @hat c4 @hat c4""",
        "c9": """. . @hat c4 @stab e3:037a | @hat c4 . . @stab e3:037a
            | . @hat c4 . @stab e3:037a | @hat c4 . @hat c4 @hat c4""",
        "d69": """. . @hat c4 @stab f#3:035a | @hat c4 . . @stab f#3:035a
            | . @hat c4 . @stab f#3:035a | @hat c4 @stab f#3:035a . @hat c4""",
        "b7": """@stab d#4:0468 . . . | @hat c4 . @stab d#4:0468 .
            | . @hat c4 @stab a3:0268 . | @hat c4 . @stab a3:0268 .""",
        "m7": """@stab d4:0479 . . @hat c4 | . @stab d4:0479 @hat c4 .
            | @hat c4 . @stab d4:0479 . | @hat c4 . @stab d4:0479 @hat c4""",
        "d13": """@stab c4:046b . . @hat c4 | . @stab c4:046b @hat c4 .
            | @hat c4 . @stab c4:046b . | @hat c4 @hat c4 @stab c4:046b .""",
        "g9": """@stab b3:037a . . @hat c4 | . @stab b3:037a @hat c4 .
            | @hat c4 . @stab b3:037a . | @hat c4 . @stab b3:037a @hat c4""",
        "ii": """@stab e3:0379 . . @hat c4 | . @stab e3:0379 @hat c4 .
            | @stab a#3:0368 . @hat c4 @stab a#3:0368 | . @hat c4 @stab a#3:0368 .""",
        "sus": """@stab e4:0257 . . . | @stab e4:0257 . . @hat c4
            | @stab d#4:0368 . . . | @stab d#4:0368 . @hat c4 @hat c4""",
        "head": """@lead b4 . . d5 | . @bend e5 . . | . . @lead g5 f#5 | . ~e5 . d5
            @bend e5 . . . | . . - . | . @lead b4 d5 e5 | f#5 g5 . a5
            @bend b5 . . . | . . @lead g5 . | . e5 . . | d5 . e5 .
            f#5 . . . | . a5 . . | ~b5 . a5 f#5 | . e5 . d5""",
        "answer": """@lead b4 . . d5 | . @bend e5 . . | . . @lead g5 f#5 | . ~g5 . a5
            b5 . . . | . ~d6 . . | b5 a5 g5 e5 | d5 b4 a4 g4
            a4 . c5 . | e5 . g5 . | @bend b5 . . . | @lead ~a5 . g5 .
            g5 . . ~d#5 | . . . . | b4 c5 d5 d#5 | f5 g5 a5 b5""",
        "bridge": """@bend b5 . . . | . . @lead g5 . | e5 . . . | . . g5 .
            @bend a5 . . . | . . @lead f#5 . | d5 . . . | . . f#5 .
            g5 . . e5 | . . c5 . | e5 . g5 . | ~a5 . . .
            b5 . a5 . | f#5 . e5 . | c5 d5 e5 f#5 | g5 a5 b5 c6""",
        "close": """@bend b5 . . . | . . @lead d6 . | . . . a5 | . b5 . .
            g5 . . e5 | . c#5 . . | a#4 c#5 e5 g5 | a#5 . . .
            ~b5 . . . | . . g5 d5 | @bend e5 . . . | . @lead d5 e5 g5
            a5 . . . | ~f#5 . . . | ~d#5 . . . | - . a4 a#4""",
    },
    orders=(
        "groove strut major groove-2 groove strut groove+5 turn "
        "major strut-5 groove-7 groove-2 groove+3 two major turn",
        "em9 em9 c9 d69 em9 em9 em9+5 b7 g9+5 m7 m7-2 d13 g9 ii c9 sus",
        "head answer bridge close",
    ),
    sweep=Sweep(600),
)
