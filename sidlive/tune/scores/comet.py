"""Comet: chords as arpeggios at full speed, and a lead that slides from note to note."""

from sidlive.tune.tracker import Bounce, Instrument, Song, Step, Vibrato

SONG = Song(
    title="Comet",
    style="fast arpeggios and a lead that slides",
    rows=(4,),
    instruments={
        "kick": Instrument(
            0x08,
            0x76,
            (Step(0x09), Step(0x81, "a5"), Step(0x41, "a3"), Step(0x41, "d3")),
            gate=5,
            pulse=Bounce(0x800),
            fall=0x80,
        ),
        "snare": Instrument(
            0x06,
            0x87,
            (Step(0x09), Step(0x81, "d6"), Step(0x41, "a3"), Step(0x81, "a6"), Step(0x81, "f#6"), Step(0x80, "d6")),
            gate=5,
            pulse=Bounce(0x800),
        ),
        "bass": Instrument(0x08, 0x67, (Step(0x09), Step(0x41)), gate=6, pulse=Bounce(0x700, 0x30, 0x500, 0xB00)),
        "chord": Instrument(
            0x33,
            0x83,
            (Step(0x41),),
            restart=1,
            pulse=Bounce(0x400, 0x22, 0x280, 0xC00),
            pulse_runs=True,
        ),
        "lead": Instrument(0x33, 0xA3, (Step(0x21),), restart=1, vibrato=Vibrato(14, 9, 3), glide=0xC0),
    },
    patterns={
        "beat": "@kick c3 . @bass b1 . | @snare c3 . @bass b2 . | @kick c3 . @bass b1 b1 | @snare c3 . @bass b2 .",
        "minor": "@chord b3:037 . . . | . . b3:037 . | b3:37c . . . | . . b3:037 .",
        "major": "@chord g3:047 . . . | . . g3:047 . | g3:47c . . . | . . g3:047 .",
        "sing": """@lead f#5 . . . | . . ~e5 . | ~d5 . . . | . . ~c#5 .   ~d5 . . . | . . b4 . | . . . . | d5 . e5 .
            f#5 . . . | . . ~a5 . | . . . . | f#5 . d5 .   e5 . . . | . . ~c#5 . | . . . . | a4 . c#5 .""",
        "climb": """@lead b4 . d5 . | f#5 . . . | ~b5 . . . | . . a5 .   g5 . . . | . . ~f#5 . | e5 . . . | d5 . e5 .
            g5 . . . | . . ~b5 . | . . . . | a5 . g5 .   f#5 . . . | ~a#5 . . . | ~c#6 . . . | a#5 . f#5 .""",
    },
    orders=(
        "beat beat-4 beat+3 beat-2 beat beat-4 beat+5 beat-5 beat beat-4 beat+3 beat-2 "
        "beat beat-4 beat+5 beat-5 beat beat-4 beat+3 beat-2",
        "minor major major+7 major+2 minor major minor+5 major-1 minor major major+7 major+2 "
        "minor major minor+5 major-1 minor major major+7 major+2",
        "sing climb sing climb sing",
    ),
)
