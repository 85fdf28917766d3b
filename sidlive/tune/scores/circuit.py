"""Circuit: four to the floor, one line of sixteenths, and a slow filter ramp."""

from sidlive.tune.tracker import Bounce, Instrument, Song, Step, Sweep

SONG = Song(
    title="Circuit",
    style="minimal techno: a line of sixteenths under a slow cutoff ramp",
    rows=(6,),
    mode=0x10,
    resonance=0xE,
    instruments={
        "kick": Instrument(
            0x09,
            0x97,
            (Step(0x09), Step(0x81, "g5"), Step(0x11, "c4"), Step(0x11, "g3"), Step(0x11, "d3")),
            gate=8,
            fall=0x48,
        ),
        "bass": Instrument(0x08, 0x77, (Step(0x09), Step(0x41)), gate=8, pulse=Bounce(0x600, 0x10, 0x400, 0xA00)),
        "acid": Instrument(0x07, 0x86, (Step(0x09), Step(0x21)), gate=4, glide=0x50, filtered=True),
        "hat": Instrument(0x03, 0x33, (Step(0x81, "a7", 0x08), Step(0x81, "a#7"), Step(0x80, "a7")), gate=2, restart=0),
        "clap": Instrument(
            0x06,
            0x77,
            (Step(0x81, "e6", 0x08), Step(0x81, "c5"), Step(0x81, "g6"), Step(0x81, "f6"), Step(0x80, "f6")),
            restart=0,
        ),
        "dub": Instrument(0x08, 0x46, (Step(0x09), Step(0x41)), gate=8, pulse=Bounce(0x300, 0x24, 0x200, 0x900)),
        "dubs": Instrument(0x04, 0x24, (Step(0x09), Step(0x41)), gate=6, pulse=Bounce(0x200, 0x24, 0x180, 0x600)),
    },
    patterns={
        "floor": "@kick c3 . @bass c2 . | @kick c3 . @bass c2 c3 | @kick c3 . @bass c2 . | @kick c3 . @bass g2 c2",
        "acid": """@acid c3 . c4 . | eb3 c3 . g3 | . bb2 c3 . | ~eb3 . f3 .""",
        "acid2": """@acid c3 . c4 . | eb3 c3 . g3 | . bb2 c3 . | ~f3 . eb4 .""",
        "acid3": "@acid c3 . c4 . | g3 c3 . eb3 | . c3 bb2 c3 | ~g3 . f3 eb3",
        "acid4": "@acid c4 . c3 . | bb3 g3 . eb3 | . c3 c3 . | ~g3 . bb3 c4",
        "cm": """. . @hat c4 . | @clap c4 . @hat c4 .
            | @dub c4:37a . . @dubs c4:37a | @clap c4 . @hat c4 @dubs c4:37a""",
        "ab": """. . @hat c4 . | @clap c4 . @hat c4 .
            | @dub ab3:47b . . @dubs ab3:47b | @clap c4 . @hat c4 @dubs ab3:47b""",
        "bb": """. . @hat c4 . | @clap c4 . @hat c4 .
            | @dub bb3:479 . . @dubs bb3:479 | @clap c4 . @hat c4 @dubs bb3:479""",
        "turn": """. . @hat c4 . | @clap c4 . @hat c4 .
            | @dub c4:37a . . @dubs c4:37a | @clap c4 @hat c4 @hat c4 @hat c4""",
    },
    orders=(
        "floor floor floor floor floor-4 floor-4 floor-2 floor-2 "
        "floor floor floor floor floor-4 floor-4 floor-2 floor-2",
        "acid acid acid acid2 acid acid acid3 acid2 acid acid3 acid acid4 acid3 acid acid3 acid4",
        "cm cm cm turn ab ab bb bb cm cm cm turn ab ab bb turn",
    ),
    sweep=Sweep(400, ((576, 2), (192, -6)) * 2),
)
