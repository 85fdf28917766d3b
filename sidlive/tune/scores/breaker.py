"""Breaker: broken drums whose gates open twice a frame, a wide low bass, stabs with an echo."""

from sidlive.tune.tracker import Bounce, Instrument, Song, Step, Sweep, Vibrato

SONG = Song(
    title="Breaker",
    style="drum and bass: broken beats of many waveforms, minor stabs with an echo",
    chip="8580",
    rows=(4, 5),
    mode=0x10,
    resonance=0xA,
    instruments={
        "kick": Instrument(
            0x08,
            0x88,
            (Step(0x81, "g5", 0x08), Step(0x41, "c4"), Step(0x41, "f3"), Step(0x41, "c3"), Step(0x41, "g2")),
            gate=6,
            restart=0,
            pulse=Bounce(0x800),
            fall=0x60,
        ),
        "snare": Instrument(
            0x05,
            0xA7,
            (
                Step(0x81, "b6", 0x08),
                Step(0x41, "c4"),
                Step(0x41, "a3"),
                Step(0x81, "a6"),
                Step(0x81, "g6"),
                Step(0x81, "a#6"),
            ),
            gate=6,
            restart=0,
            pulse=Bounce(0x800),
        ),
        "ghost": Instrument(
            0x03,
            0x45,
            (Step(0x81, "g6", 0x08), Step(0x41, "g3"), Step(0x80, "f6")),
            gate=3,
            restart=0,
            pulse=Bounce(0x800),
        ),
        "hat": Instrument(0x02, 0x22, (Step(0x81, "a#7", 0x08), Step(0x80, "a#7")), gate=2, restart=0),
        "bass": Instrument(
            0x0A,
            0xC8,
            (Step(0x09), Step(0x21)),
            vibrato=Vibrato(6, 6, 4),
            glide=0x80,
            filtered=True,
            sweep=Sweep(250, ((9, 55), (9, -40), (9, 50), (18, -25))),
        ),
        "stab": Instrument(0x07, 0x07, (Step(0x41),), restart=1, pulse=Bounce(0x380, 0x28, 0x200, 0x900)),
        "echo": Instrument(0x05, 0x05, (Step(0x41),), restart=1, pulse=Bounce(0x080, 0x08, 0x080, 0x180)),
    },
    patterns={
        "break": """
            @kick c3 . @hat c4 . | @snare c4 . @hat c4 @ghost c4
            | @hat c4 @ghost c4 @kick c3 . | @snare c4 . @hat c4 .
            @kick c3 . @hat c4 @kick c3 | @snare c4 . @hat c4 @ghost c4
            | @hat c4 @ghost c4 @kick c3 . | @hat c4 @snare c4 . @ghost c4""",
        "roll": """
            @kick c3 . @hat c4 . | @snare c4 . @hat c4 @ghost c4
            | @hat c4 @ghost c4 @kick c3 . | @snare c4 . @hat c4 .
            @kick c3 . @kick c3 . | @snare c4 . @ghost c4 @ghost c4
            | @snare c4 . @snare c4 . | @snare c4 @ghost c4 @snare c4 @snare c4""",
        "deep": "@bass f1 . . . | . . . . | . . f2 . | . . c2 .   f1 . . . | . . . . | ab1 . . . | ~c2 . ~eb2 .",
        "deep2": "@bass f1 . . . | . . f2 . | . . . . | eb2 . c2 .   f1 . . . | . . ab1 . | . . bb1 . | c2 . eb2 .",
        "lift": "@bass db2 . . . | . . . . | . . ab1 . | . . db2 .   eb2 . . . | . . . . | bb1 . . . | ~c2 . ~eb2 .",
        "stab": """@stab f4:037a . . @echo f4:037a | . . @stab f4:037a . | . @echo f4:037a . . | . . @stab ab4:047 .
            @stab eb4:047 . . @echo eb4:047 | . . @stab f4:037 . | . @echo f4:037 . . | . . @echo f4:037 .""",
        "stab2": """@stab f4:037a . @echo f4:037a . | @stab c5:037 . . @echo c5:037 | . . @stab ab4:047 .
            | . @echo ab4:047 . .   @stab eb4:047 . . @echo eb4:047 | . . @stab f4:037a .
            | . @echo f4:037a . . | @stab c5:037 . @echo c5:037 .""",
        "rise": """@stab db4:047b . . @echo db4:047b | . . @stab db4:047b . | . @echo db4:047b . .
            | . . @stab ab4:047 .   @stab eb4:047 . . @echo eb4:047 | . . @stab eb4:047 .
            | . @echo eb4:047 . . | @stab bb4:037 . @stab c5:037 .""",
    },
    orders=(
        "deep deep lift deep deep2 deep2 lift deep2 lift deep",
        "stab stab rise stab stab2 stab rise stab2 rise stab2",
        "break break break roll break break break roll break roll",
    ),
    sweep=Sweep(300),
)
