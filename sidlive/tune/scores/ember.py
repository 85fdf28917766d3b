"""Ember: a slow song for the American C64, with passing chords, a voice that breathes, and a harp that awakes."""

from sidlive.chip.registers import NTSC
from sidlive.tune.tracker import Bounce, Instrument, Song, Step, Sweep, Vibrato

SONG = Song(
    title="Ember",
    style="a ballad for NTSC: passing chords, delayed vibrato, a filter that breathes",
    timing=NTSC,
    chip="8580",
    rows=(13,),
    mode=0x10,
    resonance=0x5,
    instruments={
        "bass": Instrument(
            0x09,
            0x89,
            (Step(0x09), Step(0x41, 12), Step(0x41)),
            pulse=Bounce(0x700, 0x08, 0x500, 0xB00),
            pulse_runs=True,
            glide=0x18,
            filtered=True,
        ),
        "brush": Instrument(
            0x05,
            0x35,
            (Step(0x09), Step(0x81, "e7"), Step(0x81, "a6"), Step(0x81, "c7"), Step(0x80, "g6")),
            gate=5,
        ),
        "keys": Instrument(
            0x0A,
            0x3A,
            (Step(0x09), Step(0x41, 12), Step(0x41)),
            pulse=Bounce(0x680, 0x14, 0x200, 0x800, delay=6),
        ),
        "harp": Instrument(
            0x09,
            0x29,
            (Step(0x09), Step(0x41)),
            restart=1,
            pulse=Bounce(0x380, 0x18, 0x200, 0x800, delay=3),
        ),
        "say": Instrument(
            0x35,
            0x97,
            (Step(0x41),),
            restart=1,
            pulse=Bounce(0x800, 0x10, 0x400, 0xC00, delay=12),
            vibrato=Vibrato(20, 14, 6),
            glide=0x58,
            filtered=True,
        ),
        "sing": Instrument(
            0x46,
            0xA8,
            (Step(0x41),),
            restart=1,
            pulse=Bounce(0x800, 0x0C, 0x300, 0xC00, delay=26),
            vibrato=Vibrato(30, 11, 6),
            glide=0x58,
            filtered=True,
            sweep=Sweep(440, ((40, 11), (60, -6))),
        ),
        "soar": Instrument(
            0x36,
            0xB8,
            (Step(0x41),),
            restart=1,
            pulse=Bounce(0x800, 0x14, 0x300, 0xC00, delay=20),
            vibrato=Vibrato(24, 10, 6),
            glide=0x58,
            filtered=True,
            sweep=Sweep(600, ((36, 20), (60, -10))),
        ),
    },
    patterns={
        "low1": """@bass eb2 . . . . . bb2 . | d2 . . . . . f2 .
            c2 . . . . . g2 . | bb1 . . . . . d2 .
            ab1 . . . . . eb2 . | a1 . . . . . c2 .
            bb1 . . . . . f2 . | bb1 . . . d2 . ~bb1 .""",
        "low2": """@bass eb2 . . . . . eb3 . | d2 . . . g2 . b1 .
            c2 . . . . . g2 . | bb1 . . . db2 . bb1 .
            ab1 . . . . . eb2 . | ab1 . . . b1 . . .
            bb1 . . . bb1 . f2 . | eb2 . bb2 . db2 . . .""",
        "low3": """@bass ab1 . . . @brush c4 . @bass eb2 . | ab1 . . . @brush c4 . @bass d2 .
            g1 . . . @brush c4 . @bass d2 f2 | e2 . . . @brush c4 . @bass c2 .
            f2 . . . @brush c4 . @bass c2 . | gb2 . . . @brush c4 . @bass a2 .
            bb1 . . . @brush c4 . @bass f2 . | bb1 . . . @brush c4 . @brush c4 @bass bb1""",
        "keys1": """@keys g3 . bb3 . d4 . bb3 . | f3 . bb3 . f4 . bb3 .
            g3 . bb3 . eb4 . bb3 . | g3 . bb3 . d4 . bb3 .
            g3 . c4 . eb4 . c4 . | gb3 . c4 . eb4 . c4 .
            f3 . ab3 . eb4 . ab3 . | f3 . ab3 . d4 . ab3 .""",
        "keys2": """@keys g3 . bb3 . eb4 . d4 . | f3 . b3 . g4 . b3 .
            g3 . c4 . eb4 . c4 . | g3 . bb3 . eb4 . db4 .
            g3 . c4 . eb4 . g4 . | f3 . b3 . eb4 . b3 .
            g3 . eb4 . ab3 . d4 . | g3 . bb3 eb4 g3 bb3 db4 eb4""",
        "harp": """@harp eb3 g3 c4 eb4 g4 eb4 c4 g3 | d3 f3 bb3 d4 f4 d4 bb3 f3
            d3 f3 bb3 d4 f4 d4 bb3 f3 | e3 g3 bb3 c4 e4 c4 bb3 g3
            eb3 ab3 c4 eb4 ab4 eb4 c4 ab3 | eb3 gb3 a3 c4 eb4 c4 a3 gb3
            eb3 f3 ab3 bb3 eb4 bb3 ab3 f3 | d3 f3 ab3 b3 d4 b3 ab3 f3""",
        "verse": """@sing bb4 . . . . . @say g4 . | @sing f4 . . . . . @say eb4 f4
            @sing g4 . . . . . @say c5 . | @sing bb4 . . . @say d5 . c5 bb4
            @sing c5 . . . . . @say eb5 . | @sing c5 . . . @say a4 . gb4 .
            @sing bb4 . . . eb5 . . . | ~d5 . . . . - @say f4 ab4""",
        "again": """@sing bb4 . . . . . @say g4 . | @sing b4 . . . @say d5 . f5 .
            @sing eb5 . . . . . @say g5 . | @sing f5 . . @say eb5 @sing db5 . . .
            c5 . . . . . @say eb5 . | @sing b4 . . . @say eb5 . f5 .
            @sing g5 . @say f5 . d5 . f5 . | @sing eb5 . . . . - @say bb4 c5""",
        "high": """@soar ab5 . . . . . @say g5 . | @soar f5 . . . . . @say d5 f5
            @soar g5 . . . . . @say f5 . | @soar e5 . . . @say g5 . bb5 .
            @soar ab5 . . . . . @say g5 f5 | @soar eb5 . . . @say c5 . a4 .
            @sing bb4 . . . @say c5 . eb5 . | ~d5 . . . . - @say f4 ab4""",
    },
    orders=("low1 low2 low3", "keys1 keys2 harp", "verse again high"),
    sweep=Sweep(560),
)
