"""Gallop: a galloping bass, a lead that climbs, chords as arpeggios with the snare between them."""

from sidlive.tune.tracker import Bounce, Instrument, Song, Step, Vibrato

SONG = Song(
    title="Gallop",
    style="a galloping bass and a lead, as in games of the middle eighties",
    rows=(5,),
    instruments={
        "bass": Instrument(
            0x08, 0x88, (Step(0x09), Step(0x41, 12), Step(0x41)), pulse=Bounce(0x600, 0x20, 0x400, 0xC00)
        ),
        "arp": Instrument(0x07, 0x56, (Step(0x09), Step(0x41)), gate=6, pulse=Bounce(0x300, 0x10, 0x200, 0x600)),
        "snare": Instrument(
            0x06, 0x68, (Step(0x09), Step(0x81, "c6"), Step(0x41, "c4"), Step(0x81, "a6"), Step(0x80, "f6")), gate=4
        ),
        "lead": Instrument(
            0x33,
            0xA3,
            (Step(0x41),),
            restart=1,
            pulse=Bounce(0x700, 0x18, 0x500, 0xB00),
            pulse_runs=True,
            vibrato=Vibrato(12, 10, 3),
            glide=0x90,
        ),
    },
    patterns={
        "bass": "@bass e2 . e2 e2 | e2 . e2 e3 | e2 . e2 e2 | e3 . e2 e2",
        "minor": "@arp e4:037 . . . | @snare c4 . @arp e4:037 . | e4:037 . . . | @snare c4 . . .",
        "major": "@arp c4:047 . . . | @snare c4 . @arp c4:047 . | c4:047 . . . | @snare c4 . . .",
        "fill": "@arp b3:047 . . . | @snare c4 . @arp b3:047 . | b3:047 . . . | @snare c4 . c4 c4",
        "call": """@lead e5 . . . | . . d5 . | b4 . . . | g4 . a4 .   b4 . . . | . . a4 . | g4 . . . | e4 . . .
            g4 . . . | . . a4 . | b4 . . . | c5 . . .   d5 . . . | . . c5 . | a4 . . . | f#4 . a4 .""",
        "answer": """@lead e5 . . . | . . d5 . | b4 . . . | g4 . a4 .   b4 . . . | e5 . . . | g5 . . . | f#5 . e5 .
            c5 . . . | e5 . . . | d5 . c5 . | b4 . a4 .   b4 . . . | d#5 . . . | f#5 . . . | ~a5 . ~f#5 .""",
        "ride": """@lead g5 . d5 . | b4 . d5 . | g5 . d5 . | b4 . d5 .   f#5 . d5 . | a4 . d5 . | f#5 . d5 . | a4 . d5 .
            e5 . b4 . | g4 . b4 . | e5 . . . | f#5 . g5 .   e5 . c5 . | g4 . c5 . | e5 . . . | d5 . c5 .""",
        "home": """@lead g5 . d5 . | b4 . d5 . | g5 . d5 . | b4 . d5 .   a5 . f#5 . | d5 . f#5 . | a5 . . . | b5 . a5 .
            c6 . . . | b5 . a5 . | e5 . . . | ~g5 . f#5 .   b5 . . . | f#5 . . . | d#5 . . . | b4 . . .""",
    },
    orders=(
        "bass bass bass-4 bass-2 bass bass bass+5 bass-5 bass+3 bass-2 bass bass-4 bass+3 bass-2 bass+5 bass-5",
        "minor minor major major+2 minor minor minor+5 fill major+7 major+2 minor major major+7 major+2 minor+5 fill",
        "call answer ride home",
    ),
)
