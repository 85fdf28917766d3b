"""Takes for tests: music of the kinds that SID players make, and frames that no player would."""

import numpy as np

from sidlive.chip import registers as sid
from sidlive.chip.registers import Frames

NOTES = (0x0459, 0x04E2, 0x0537, 0x05B9, 0x0685, 0x08B2, 0x09C4, 0x0A6E)


def song(count: int, seed: int = 1) -> Frames:
    """Three voices over patterns of 96 frames that come back: a bass with a swept pulse, arpeggios, drums whose gate
    closes and opens within a frame, vibrato, a filter sweep and the odd register set in between."""
    rng = np.random.default_rng(seed)
    frames = sid.silence(count)
    patterns = rng.integers(0, len(NOTES), (4, 3, 12))
    order = rng.integers(0, 4, count // 96 + 1)
    width, cutoff = 0x800, 400
    for t in range(count):
        row = frames[t]
        pattern, step, since = patterns[order[t // 96]], t % 96 // 8, t % 8
        width = (width + 0x18) % 0x1000
        cutoff = (cutoff + 5) % 1024
        bass, chord, drum = (int(pattern[voice, step]) for voice in range(3))
        vibrato = (0, 3, 6, 9, 6, 3, 0, -3)[t % 8] if step % 3 else 0
        for voice, pitch in ((0, NOTES[bass] + vibrato), (1, NOTES[(chord, chord + 2, chord + 4)[t % 3] % 8] * 2)):
            row[7 * voice], row[7 * voice + 1] = pitch & 255, pitch >> 8
        row[2], row[3] = width & 255, width >> 8
        row[9], row[10] = 0x80, 0x04
        row[14], row[15] = (0x00, 0x40 - 6 * since) if drum < 3 else (0x33, 0x02)
        row[4] = 0x41 if since < 6 else 0x40
        row[11] = 0x21
        row[18] = (0x81 if since < 2 else 0x11) if drum < 3 else 0x10
        row[5:7] = 0x09, 0xA0 + (0x10 if step == 11 else 0)
        row[12:14] = 0x00, 0xF0
        row[19:21] = 0x00, 0xF7 if drum < 3 else 0x00
        row[21], row[22], row[23], row[24] = cutoff & 7, cutoff >> 3, 0xF1, 0x1F
        row[25:28] = row[[4, 11, 18]]
        if since == 0:
            row[26] = 0x20
            row[27] = 0x08 if drum < 3 else row[18]
    return frames


def noise(count: int, seed: int = 1) -> Frames:
    """Every register at random in every frame: nothing to be packed."""
    return np.random.default_rng(seed).integers(0, 256, (count, sid.COLUMNS), np.uint8) & sid.USED_BITS


def patchwork(count: int, seed: int = 1) -> Frames:
    """Held, ramped, copied, random and retriggered registers by turns, each column for itself, at odd lengths."""
    rng = np.random.default_rng(seed)
    frames = sid.silence(count)
    for columns in ((0, 1), (2, 3), (7, 8), (9, 10), (14, 15), (16, 17), (21, 22), (23, 24), (4, 5, 6), (18, 19, 20)):
        t = 0
        while t < count:
            length = int(rng.choice([1, 1, 2, 3, 7, 8, 15, 16, 17, 40, 64, 65, 127, 128, 255, 256, 257, 300]))
            stop = min(t + length, count)
            kind = rng.integers(5)
            if kind == 0 or t == 0:
                frames[t:stop, columns] = rng.integers(0, 256, len(columns))
            elif kind == 1:
                frames[t:stop, columns] = frames[t - 1, columns]
            elif kind == 2 and len(columns) == 2:
                step = int(rng.choice([1, -1, 127, -127, 128, -128, 300, -1000, 32767, -32768]))
                number = int(frames[t - 1, columns[0]]) + 256 * int(frames[t - 1, columns[1]])
                ramp = (number + step * np.arange(1, stop - t + 1)) % 0x10000
                frames[t:stop, columns] = np.stack([ramp & 255, ramp >> 8], axis=1)
            elif kind == 3:
                for at in range(t, stop):
                    frames[at, columns] = frames[max(at - int(rng.choice([1, 2, 5, 100, 255, 256])), 0), columns]
            else:
                frames[t:stop, columns] = rng.integers(0, 256, (stop - t, len(columns)))
            t = stop
    frames[:, 11:14] = frames[:, 4:7]
    frames[:, sid.FIRST_CONTROL :] = frames[:, [4, 11, 18]]
    again = rng.random((count, 3)) < 0.03
    frames[:, sid.FIRST_CONTROL :][again] = rng.integers(0, 256, int(again.sum()))
    return frames & sid.USED_BITS
