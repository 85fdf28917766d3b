"""Fracture: twelve tones in seven eighths, bells of ring modulation, cries of hard sync, percussion of noise.

The row is d c f e g eb a c# bb b f# ab: each of the eleven intervals occurs once, and its retrograde is its
transposition by a tritone. The lines are its forms, in order: the row and its inversion, then retrograde forms in
imitation, clusters on its tones, and the row in two voices at once.
"""

from sidlive.tune.tracker import Bounce, Instrument, Song, Step, Sweep, Vibrato

SONG = Song(
    title="Fracture",
    style="twelve tones in seven eighths: ring modulation, hard sync, noise",
    rows=(7,),
    beat=2,
    bar=7,
    mode=0x30,
    resonance=0xB,
    instruments={
        "bell": Instrument(0x0B, 0x0B, (Step(0x09), Step(0x15, 12), Step(0x15)), vibrato=Vibrato(20, 14, 4)),
        "pizz": Instrument(
            0x07,
            0x17,
            (Step(0x09), Step(0x41, 12), Step(0x41)),
            gate=9,
            restart=1,
            pulse=Bounce(0x240, 0x30, 0x180, 0x900),
        ),
        "cloud": Instrument(
            0x6A,
            0xBA,
            (Step(0x41),),
            restart=1,
            pulse=Bounce(0x400, 0x2C, 0x200, 0xE00),
            pulse_runs=True,
            filtered=True,
            sweep=Sweep(500, ((22, 44), (30, -24))),
        ),
        "line": Instrument(
            0x24,
            0xA6,
            (Step(0x41),),
            restart=1,
            pulse=Bounce(0x800, 0x18, 0x300, 0xD00, delay=8),
            vibrato=Vibrato(14, 9, 4),
            glide=0x110,
        ),
        "cry": Instrument(0x26, 0x77, (Step(0x81, "c7", 0x22), Step(0x23)), gate=14, restart=1, fall=0x48),
        "thud": Instrument(
            0x09,
            0x78,
            (Step(0x09), Step(0x81, "c5"), Step(0x41, "g3"), Step(0x41, "c#3"), Step(0x41, "f#2")),
            gate=7,
            pulse=Bounce(0x800),
            fall=0x28,
        ),
        "crack": Instrument(
            0x06,
            0x77,
            (Step(0x09), Step(0x81, "f7"), Step(0x15, "c#5"), Step(0x81, "c7"), Step(0x81, "f#6"), Step(0x80, "d6")),
            gate=6,
        ),
        "dust": Instrument(0x04, 0x34, (Step(0x09), Step(0x81, "b7"), Step(0x81, "g7"), Step(0x80, "a7")), gate=3),
        "scrape": Instrument(
            0x66,
            0x48,
            (
                Step(0x81, "c5", 0x08),
                Step(0x81, "e5"),
                Step(0x81, "a5"),
                Step(0x81, "c#6"),
                Step(0x81, "f6"),
                Step(0x81, "a6"),
                Step(0x81, "c#7"),
                Step(0x81, "f7"),
            ),
            gate=12,
            restart=1,
        ),
    },
    patterns={
        "bells": """@bell . . . . | . . . . | . . . . d3 .   . . e3 . | . . . . | b2 . . . . .
            . c4 . . | . . . . | . . . . a2 .   . . . . | . . c#4 . | . . g2 . . .""",
        "canon": """@pizz ab4 . f#3 . | b4 . . bb3 | . c#5 . a3 . .   eb5 . . g3 | . e4 . . | f3 . . c5 . d4
            a4 . b3 . | f#5 . . g3 | e5 . . ab3 . d5   . bb3 . . | c#5 . c4 . | . . f3 . eb5 .
            b3 . a4 d3 | c#5 . e4 . | c3 f#4 . bb3 . g5""",
        "clouds": """@cloud d4:06d . . . | . . . . | c4:0bd . . . . .   f3:06d . . . | . . . . | e4:03d . . . . .
            g3:06d . . . | . . eb4:0bd . | . . . . . .   a3:06d . . . | . . . . | c#4:06e . . . . .
            bb3:06d . . . | b3:0bd . . . | f#4:06d . . ab3:0bd . .""",
        "both": """@pizz d3 c4 . f3 | . e4 . . | g3 . eb4 . . .   a3 . c#4 bb3 | . . b3 . | f#4 . . ab3 . .
            @bell d3 . . . | . . . . | @pizz d4 . . . c3 .   . . . . | @bell g2 . . . | . . . . . .""",
        "ticks": """@thud c3 . . . | @dust c4 . . . | @crack c4 . @dust c4 . . .
            . . @dust c4 . | . . @thud c3 . | . . . @dust c4 . .
            @scrape c4 . . . | . . @dust c4 . | @thud c3 . . . @crack c4 .
            . . @dust c4 @dust c4 | @thud c3 . . . | @crack c4 . . @dust c4 . .""",
        "drums": """@thud c3 . @dust c4 . | @crack c4 . @dust c4 @thud c3 | . . @crack c4 . @dust c4 .
            @thud c3 . . @dust c4 | @crack c4 . @thud c3 . | @dust c4 . @crack c4 . @dust c4 @dust c4""",
        "storm": """@thud c3 . @crack c4 . | @thud c3 @thud c3 . @crack c4 | @dust c4 . @scrape c4 . . .""",
        "storm2": """@thud c3 . . @crack c4 | . @thud c3 @crack c4 .
            | @crack c4 @dust c4 @crack c4 @thud c3 . @thud c3""",
        "last": """@thud c3 @crack c4 . @thud c3 | . @crack c4 . . | @thud c3 . @crack c4 . @dust c4 .
            @thud c3 . @crack c4 @thud c3 | . . @crack c4 . | @thud c3 . . @crack c4 . .
            . . . . | @dust c4 . . . | . . @dust c4 . . .
            @scrape c4 . . . | . . @dust c4 . | @dust c4 @dust c4 @dust c4 @dust c4 @crack c4 @crack c4""",
        "row": """@line d4 . . . | . . c5 . | . . . f3 . .   . . . . | e5 . . . | . . g4 . eb5 .
            . . . . | . . - . | a3 . c#5 . . .   bb4 . . . | b3 . . f#5 | . . . ~ab4 . .""",
        "after": """- . . . | @line ab4 . . . | . . bb5 . . .   . . f4 . | . . f#5 . | . . . . eb4 .
            . . . . | g5 . . . | c#4 . . . . .   a5 . . . | . . c4 . | . b4 . . . .
            e5 . . . | . . . . | ~d4 . . . . .""",
        "cries": """- . . . | . . @cry a5 . | . . . . b5 .   . . . . | f#5 . . . | . . g5 . . e5
            . . ab5 . | . . . . | d5 . . . bb5 .   . . . . | c#6 . . . | . c5 . . f5 .
            . . eb6 . | . . . . | . . a5 . b5 .""",
        "end": """@line d5 c5 . f5 | . e4 . . | g5 . eb4 . . .   a4 . c#6 bb4 | . . b5 . | f#4 . . ab5 . .
            . . . . | f5 . . . | . . . . e4 .   . . eb5 . | . . . . | a4 c#5 bb4 b3 f#5 ab4""",
    },
    orders=(
        "row canon clouds end",
        "bells after cries both",
        "ticks drums drums storm storm2 storm storm2 storm storm2 last",
    ),
    sweep=Sweep(900),
)
