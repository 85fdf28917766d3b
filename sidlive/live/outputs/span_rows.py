"""A tune's own register writes as frames for chips that take frames: a frame for each call of the tune's player."""

from typing import Final

import numpy as np

from sidlive.chip.registers import CONTROL, REGISTERS, USED_BITS, VOICES, first_control_of, register_of, silence
from sidlive.chip.sid import WriteSpan
from sidlive.live.outputs.chip_stream import Row

APART: Final = 1500  # cycles without a write between two calls of a player
MOST: Final = 4  # frames from one span; the writes after them join the last one: samples would flood a chip

_VOICE_OF: Final = {register_of(voice, CONTROL): voice for voice in range(VOICES)}


class SpanRows:
    """Turns spans of writes into frames, one span after another."""

    def __init__(self) -> None:
        self._row: Row = silence(1)[0]

    def of(self, span: WriteSpan) -> list[tuple[int, Row]]:
        """Return the frames of a span, each with its cycle; the first one is at cycle 0.

        Writes of a voice's control register between the first and the last one in a frame are lost.
        """
        if span.before is not None:
            self._row = _after(self._row, span.before.writes.tolist())
        writes = [write for write in span.writes.tolist() if write[1] < REGISTERS]
        groups: list[list[list[int]]] = [[]]
        for write in writes:
            if groups[-1] and write[0] - groups[-1][-1][0] > APART and len(groups) < MOST:
                groups.append([])
            groups[-1].append(write)
        rows: list[tuple[int, Row]] = []
        for group in groups:
            self._row = _after(self._row, group)
            rows.append((group[0][0] if rows else 0, self._row))
        return rows


def _after(row: Row, writes: list[list[int]]) -> Row:
    """Return the frame uint8[28] that these writes, (cycle, register, value), make of the registers in ``row``."""
    row = row.copy()
    written = set()
    for voice in range(VOICES):
        row[first_control_of(voice)] = row[register_of(voice, CONTROL)]
    for _, register, value in writes:
        if register >= REGISTERS:
            continue
        kept = np.uint8(value & 0xFF) & USED_BITS[register]
        voice_of = _VOICE_OF.get(register)
        if voice_of is not None and voice_of not in written:
            row[first_control_of(voice_of)] = kept
            written.add(voice_of)
        row[register] = kept
    return row
