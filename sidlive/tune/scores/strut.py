"""Strut: a swinging bass whose filter closes on every note, clipped chords off the beat, a lead that bends."""

from sidlive.tune.tracker import Bounce, Instrument, Song, Step, Sweep, Vibrato

SONG = Song(
    title="Strut",
    style="swinging funk: a bass with a filter sweep on each note",
    chip="8580",
    rows=(8, 6),
    mode=0x10,
    resonance=0xC,
    instruments={
        "bass": Instrument(
            0x09,
            0x98,
            (Step(0x09), Step(0x21, 12), Step(0x41)),
            gate=11,
            pulse=Bounce(0x800, 0x18, 0x500, 0xB00),
            filtered=True,
            sweep=Sweep(1200, ((14, -64), (10, -16))),
            glide=0x28,
        ),
        "clav": Instrument(0x07, 0x64, (Step(0x09), Step(0x41)), gate=5, pulse=Bounce(0x280, 0x20, 0x180, 0x700)),
        "snare": Instrument(
            0x06,
            0x87,
            (Step(0x09), Step(0x81, "c6"), Step(0x41, "d4"), Step(0x81, "g6"), Step(0x81, "e6"), Step(0x80, "c6")),
            gate=5,
            pulse=Bounce(0x800),
        ),
        "lead": Instrument(
            0x44,
            0xA4,
            (Step(0x41),),
            restart=1,
            pulse=Bounce(0x600, 0x1A, 0x300, 0xC00),
            pulse_runs=True,
            vibrato=Vibrato(16, 8, 3),
            glide=0x60,
        ),
    },
    patterns={
        "bass": "@bass d2 . . d2 | . . c3 d3 | . . a2 c3 | . d2 . d#2",
        "walk": "@bass d2 . . d2 | . . a2 d3 | . . a2 b2 | . d2 . d#2",
        "turn": "@bass a1 . . a1 | . . g2 a2 | . . e2 g2 | a2 . ~c3 .",
        "clav7": ". . @clav d4:37a . | @snare c4 . . @clav d4:37a | . @clav d4:37a . . | @snare c4 . @clav d4:37a .",
        "clavM": """. . @clav d4:47b . | @snare c4 . . @clav d4:47b
            | . @clav d4:47b . . | @snare c4 . @clav d4:47b @snare c4""",
        "clavD": ". . @clav d4:47a . | @snare c4 . . @clav d4:47a | . @clav d4:47a . . | @snare c4 . @clav d4:47a .",
        "hook": """@lead a4 . . c5 | . d5 . . | . . f5 ~e5 | . d5 . c5   d5 . . . | . . - . | . . a4 c5 | d5 . ~c5 .
            a4 . . c5 | . d5 . . | . . g5 ~f5 | . d5 . f5   g5 . . ~a5 | . . - . | . . f5 d5 | c5 . a4 .""",
        "away": """@lead f5 . . d5 | . bb4 . . | . . d5 ~f5 | . a5 . g5   g5 . . e5 | . c5 . . | . . e5 ~g5 | . e5 . c5
            d5 . . f5 | . a5 . . | . . ~c6 . | a5 . f5 .   e5 . . c#5 | . a4 . . | . . g5 ~e5 | . c#5 . e5""",
    },
    orders=(
        "bass bass+5 bass bass+5 walk-4 walk-2 bass turn bass bass+5 bass bass+5",
        "clav7 clavD+5 clav7 clavD+5 clavM-4 clavM-2 clav7 clavD-5 clav7 clavD+5 clav7 clavD+5",
        "hook away hook",
    ),
    sweep=Sweep(800),
)
