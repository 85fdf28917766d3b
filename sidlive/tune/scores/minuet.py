"""Minuet: three parts in D minor that move against each other, three beats a bar."""

from sidlive.tune.tracker import Bounce, Instrument, Song, Step, Vibrato

SONG = Song(
    title="Minuet",
    style="three parts in three beats, after the baroque",
    rows=(6,),
    bar=3,
    instruments={
        "top": Instrument(
            0x44,
            0x94,
            (Step(0x41),),
            restart=1,
            pulse=Bounce(0x500, 0x0E, 0x400, 0xA00),
            pulse_runs=True,
            vibrato=Vibrato(14, 14, 3),
        ),
        "middle": Instrument(
            0x55,
            0x55,
            (Step(0x41),),
            restart=1,
            pulse=Bounce(0x300, 0x14, 0x200, 0x800),
            pulse_runs=True,
        ),
        "bass": Instrument(
            0x55,
            0x85,
            (Step(0x41),),
            restart=1,
            pulse=Bounce(0x700, 0x0A, 0x600, 0xA00),
            pulse_runs=True,
        ),
    },
    patterns={
        "top1": """@top d5 . . . a4 . . . d5 . e5 . | e5 . . . c#5 . . . a4 . . .
            f5 . . . d5 . . . f5 . g5 . | g5 . . . bb5 . a5 . g5 . f5 .
            e5 . . . g5 . f5 . e5 . d5 . | c5 . . . f5 . e5 . d5 . c5 .
            bb4 . d5 . g5 . f5 . e5 . c#5 . | d5 . . . . . . . a4 . . .""",
        "top3": """@top d5 . c5 bb4 a4 . b4 c#5 d5 . e5 . | e5 . d5 . c#5 . b4 . a4 . . .
            f5 . e5 . d5 . e5 . f5 . g5 . | g5 . a5 . bb5 . a5 . g5 . f5 .
            e5 . f5 . g5 . f5 . e5 . d5 . | c5 . d5 e5 f5 . e5 . d5 . c5 .
            bb4 . d5 . g5 . f5 . e5 . c#5 . | d5 . . . a4 . . . d5 . e5 .""",
        "top2": """@top a5 . g5 . f5 . e5 . f5 . a5 . | g5 . f5 . e5 . d5 . e5 . g5 .
            f5 . e5 . d5 . c#5 . d5 . f5 . | e5 . . . c5 . . . a4 . . .
            d5 . c5 . d5 . e5 . f5 . g5 . | a5 . . . f5 . . . c5 . . .
            bb4 . c5 . d5 . e5 . f5 . d5 . | c#5 d5 c#5 d5 c#5 b4 c#5 d5 e5 . c#5 .""",
        "mid1": """@middle f4 . a4 . f4 . d4 . f4 . a4 . | a4 . g4 . e4 . g4 . c#4 . e4 .
            d4 . f4 . a4 . f4 . d4 . a4 . | bb4 . . . d5 . c5 . bb4 . a4 .
            g4 . . . bb4 . a4 . g4 . f4 . | a4 . . . a4 . g4 . f4 . e4 .
            g4 . . . e4 . . . g4 . . . | f4 . e4 . d4 . e4 . f4 . e4 .""",
        "mid2": """@middle f4 . c4 . a4 . c4 . f4 . c4 . | e4 . c4 . g4 . c4 . e4 . c4 .
            d4 . a3 . f4 . a3 . d4 . a3 . | c4 . e4 . a4 . e4 . c4 . e4 .
            f4 . . . bb4 . . . a4 . bb4 . | c5 . bb4 . a4 . g4 . f4 . a4 .
            g4 . . . f4 . . . d4 . f4 . | e4 . . . a4 . . . g4 . . .""",
        "low1": """@bass d3 . . . d2 . . . f3 . . . | c#3 . . . e3 . . . a2 . . .
            d3 . . . a2 . . . f2 . . . | g2 . . . bb2 . . . g2 . . .
            c3 . . . e3 . . . c3 . . . | f3 . . . a2 . . . f2 . . .
            g2 . . . a2 . . . a3 . a2 . | d3 . . . a2 . . . d2 . . .""",
        "low2": """@bass f2 . . . a2 . . . f2 . . . | e2 . . . g2 . . . c3 . . .
            d3 . . . f2 . . . d2 . . . | a2 . . . e2 . . . a2 . . .
            bb2 . . . bb2 . . . g2 . . . | a2 . . . f2 . . . a2 . . .
            g2 . . . bb2 . . . g2 . . . | a2 . . . e2 . . . a1 . . .""",
    },
    orders=("low1 low2 low1", "mid1 mid2 mid1", "top1 top2 top3"),
)
