"""Corsair: octaves in the bass, three-note chords at full speed, and a lead that slides, in one long breath."""

from sidlive.tune.tracker import Bounce, Instrument, Song, Step, Sweep, Vibrato

SONG = Song(
    title="Corsair",
    style="heroic, as around 1987: three-note arpeggios over a bass in octaves",
    rows=(6,),
    mode=0x10,
    resonance=0x7,
    instruments={
        "bass": Instrument(
            0x07,
            0x87,
            (Step(0x09), Step(0x41)),
            gate=5,
            restart=1,
            pulse=Bounce(0x400, 0x58, 0x180, 0xE80),
            pulse_runs=True,
            filtered=True,
        ),
        "kick": Instrument(
            0x08,
            0x97,
            (Step(0x09), Step(0x81, "f6"), Step(0x41, "c4"), Step(0x41, "f3"), Step(0x41, "c3")),
            gate=5,
            pulse=Bounce(0x800),
            fall=0x60,
        ),
        "snare": Instrument(
            0x06,
            0x88,
            (Step(0x09), Step(0x81, "c7"), Step(0x41, "e4"), Step(0x81, "b6"), Step(0x81, "g6"), Step(0x80, "e6")),
            gate=5,
            pulse=Bounce(0x800),
        ),
        "tom": Instrument(
            0x09,
            0x98,
            (Step(0x09), Step(0x81, "c5"), Step(0x11, 12), Step(0x11, 7)),
            gate=5,
            fall=0x50,
        ),
        "arp": Instrument(
            0x18,
            0x56,
            (Step(0x41),),
            restart=1,
            pulse=Bounce(0x300, 0x1C, 0x200, 0xB00),
            pulse_runs=True,
        ),
        "hold": Instrument(
            0x4A,
            0x68,
            (Step(0x41),),
            restart=1,
            pulse=Bounce(0x300, 0x24, 0x200, 0xC00),
            pulse_runs=True,
        ),
        "lead": Instrument(
            0x23,
            0x95,
            (Step(0x41),),
            restart=1,
            pulse=Bounce(0x780, 0x1A, 0x400, 0xC00),
            pulse_runs=True,
            vibrato=Vibrato(13, 8, 3),
            glide=0x88,
        ),
    },
    patterns={
        "ride": """@kick c3 @bass a2 a1 a2 | @snare c4 @bass a2 a1 a2
            | @kick c3 @bass a2 @kick c3 @bass a2 | @snare c4 @bass a2 g1 g2""",
        "push": """@kick c3 @bass a2 a1 a2 | @snare c4 @bass a2 a1 @kick c3
            | @bass e2 a2 @kick c3 @bass a2 | @snare c4 @bass a2 e2 a2""",
        "half": """@kick c3 @bass d2 d1 d2 | @snare c4 @bass d2 d1 d2
            | @kick c3 @bass e2 @kick c3 @bass e2 | @snare c4 @bass e2 e1 e2""",
        "fill": """@kick c3 @bass a2 a1 a2 | @snare c4 @bass a2 a1 a2
            | @tom e3 e3 c3 c3 | @tom a2 a2 @snare c4 c4""",
        "open": "@kick c3 . @bass c3 . | g2 . c3 . | c2 . g2 . | c3 . g3 .",
        "rise": """@kick c3 . @snare c4 . | @kick c3 . @snare c4 .
            | @snare c4 @snare c4 @kick c3 @snare c4 | @snare c4 c4 c4 c4""",
        "minor": "@arp a3:037 . . a3:37c | . . a3:37c . | a3:037 . . a3:37c | . . e4:058 .",
        "major": "@arp f3:047 . . f3:47c | . . f3:47c . | f3:047 . . f3:47c | . . c4:059 .",
        "dme": "@arp d4:037 . . d4:037 | . . a3:058 . | e4:047 . . e4:047 | . . b3:059 .",
        "wide": "@hold c4:047 . . . | . . . . | g3:059 . . . | . . e4:038 .",
        "deep": "@hold d4:037 . . . | . . . . | a3:058 . . . | . . f4:049 .",
        "call": """@lead e5 . . e5 | . . d5 . | c5 . . b4 | . . c5 .   a4 . . . | . . c5 . | f5 . . e5 | . . ~c5 .
            d5 . . d5 | . . c5 . | b4 . . d5 | . . g5 .   ~e5 . . . | . . . . | - . b4 d5 | e5 f#5 g5 f#5""",
        "reply": """@lead a5 . . g5 | . . e5 . | c5 . . d5 | . . e5 .   ~f5 . . . | . . a5 . | c6 . . a5 | . . f5 .
            f5 . . e5 | d5 . f5 . | e5 . . d5 | b4 . g#4 .   a4 . . . | . . . . | - . e4 a4 | b4 c5 d5 e5""",
        "song": """@lead g5 . . . | . . e5 . | c5 . . . | ~d5 . e5 .   ~d5 . . . | . . b4 . | g4 . . . | b4 . d5 .
            f5 . . . | . . d5 . | a5 . . . | g5 . f5 .   ~e5 . . . | . . . c5 | e5 . a5 . | ~g5 . e5 .""",
        "peak": """@lead f5 . g5 . | a5 . . c6 | . . a5 . | f5 . c5 .   e5 . f5 . | g5 . . c6 | . . g5 . | e5 . c5 .
            d5 e5 f5 a5 | d6 . . . | c6 . a5 . | f5 . d5 .   ~e5 . . . | g#5 . . . | b5 . . . | ~e6 . ~d6 .""",
        "home": """@lead f#5 . . f#5 | . . e5 . | d5 . . c#5 | . . d5 .   b4 . . . | . . d5 . | g5 . . f#5 | . . ~d5 .
            c5 . f5 . | a5 . . . | ~c6 . . . | b5 . a5 .   g#5 . . . | ~b5 . . . | ~g#5 . . e5 | d5 b4 g#4 b4""",
    },
    orders=(
        "ride push-4 ride-2 push-5 ride push-4 half fill "
        "open open-5 open+2 open-3 ride-4 push+3 ride+5 rise "
        "ride+2 push-2 ride-4 fill-5",
        "minor major major+2 minor-5 minor major dme minor "
        "wide wide-5 deep deep-5 major major+7 minor+5 major-1 "
        "minor+2 major+2 major major-1",
        "call reply song peak home",
    ),
    sweep=Sweep(700, ((384, 1), (384, -1)) * 3),
)
