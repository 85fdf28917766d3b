"""A tune's own register writes as frames for chips that take frames: a frame for each call of the tune's player."""

from itertools import pairwise
from typing import Final

import numpy as np

from sidlive.chip.registers import CONTROL, REGISTERS, USED_BITS, VOICES, first_control_of, register_of, silence
from sidlive.chip.sid import WriteSpan
from sidlive.live.outputs.chip_stream import Row

APART: Final = 500  # cycles without a write that lie between two calls of a player, at least
MOST: Final = 4  # frames from one span: more would flood a chip

_VOICE_OF: Final = {register_of(voice, CONTROL): voice for voice in range(VOICES)}


class SpanRows:
    """Turns spans of writes into frames, one span after another."""

    def __init__(self, calls: int = 1) -> None:
        """``calls``: how often the tune's player is called in a span; it makes so many frames, at most `MOST`."""
        self._calls = max(1, min(calls, MOST))
        self._row: Row = silence(1)[0]

    def of(self, span: WriteSpan) -> list[tuple[int, Row]]:
        """Return the frames of a span, each with its cycle; the first one is at cycle 0.

        Writes of a voice's control register between the first and the last one in a frame are lost.
        """
        if span.before is not None:
            self._row = _after(self._row, span.before.writes.tolist())
        rows: list[tuple[int, Row]] = []
        for group in self._groups([write for write in span.writes.tolist() if write[1] < REGISTERS]):
            self._row = _after(self._row, group)
            rows.append((group[0][0] if rows else 0, self._row))
        return rows

    def _groups(self, writes: list[list[int]]) -> list[list[list[int]]]:
        """Divide the writes of a span where the longest times without a write are, into one group for each call."""
        gaps = [(writes[index][0] - writes[index - 1][0], index) for index in range(1, len(writes))]
        longest = sorted((gap for gap in gaps if gap[0] >= APART), reverse=True)[: self._calls - 1]
        cuts = [0, *sorted(index for _, index in longest), len(writes)]
        return [writes[begin:end] for begin, end in pairwise(cuts)]


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
