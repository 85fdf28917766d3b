"""The sprites as a program notices them: the VIC takes cycles from the processor to fetch their data.

A sprite's data is fetched on 21 lines, or 42 if it is expanded, beginning with the line of its Y position. Late in each
line the VIC compares the Y positions with the line, and then fetches, two cycles per sprite; the processor stops three
cycles earlier. Early in the next line a sprite advances to its next row, an expanded one only on every other line.
"""

import numpy as np

from sidlive.chip.c64.slots import (
    IO,
    LINE_CYCLES,
    LINES,
    NEVER,
    SPRITE_CYCLE,
    SPRITE_CYCLES,
    SPRITE_DMA,
    SPRITE_FLOP,
    SPRITE_ROW,
    Int,
    Memory,
    State,
)
from sidlive.compiling import kernel

# Cycles of a line:
ROW_CYCLE = 15  # sprites advance to their next row
EXPAND_CYCLE = 55  # the flip-flop of expanded sprites toggles: repeat the row, or advance
CRUNCH_CYCLE = 14  # ending a sprite's expansion in this cycle garbles its row counter ("sprite crunch")
LAST_BYTE = 63  # a sprite is 21 rows of 3 bytes


@kernel(allocates=False)
def _compare_cycle(m: State) -> Int:
    """Return the first of the two cycles of a line in which Y positions are compared."""
    return np.int64(54 if m[LINE_CYCLES] == 63 else 55)


@kernel(allocates=False)
def _sprites_on_line(mem: Memory, line: Int) -> Int:
    """Return the sprites (bit n: sprite n) that are on and whose Y position is the lower eight bits of the line."""
    sprites = np.int64(0)
    for n in range(8):
        if (mem[IO + 0x15] >> n) & 1 and mem[IO + 2 * n + 1] == line & 0xFF:
            sprites |= 1 << n
    return sprites


@kernel(allocates=False)
def _compare(m: State, mem: Memory, line: Int) -> None:
    """Start the fetches of the sprites that begin on this line."""
    begin = _sprites_on_line(mem, line) & ~m[SPRITE_DMA]
    m[SPRITE_DMA] |= begin
    m[SPRITE_FLOP] |= begin
    for n in range(8):
        if (begin >> n) & 1:
            m[SPRITE_ROW + n] = 0


@kernel(allocates=False)
def _after_row(m: State) -> Int:
    """Return the sprites (bit n: sprite n) whose data is still fetched once they have advanced to their next row."""
    sprites = m[SPRITE_DMA]
    for n in range(8):
        if (m[SPRITE_FLOP] >> n) & 1 and m[SPRITE_ROW + n] + 3 == LAST_BYTE:
            sprites &= ~(1 << n)
    return sprites


@kernel(allocates=False)
def _next_row(m: State) -> None:
    """Advance the sprites to their next row, or end their fetches."""
    sprites = _after_row(m)
    for n in range(8):
        if (m[SPRITE_DMA] & m[SPRITE_FLOP]) >> n & 1:
            m[SPRITE_ROW + n] = (m[SPRITE_ROW + n] + 3) & 63
    m[SPRITE_DMA] = sprites


@kernel(allocates=False)
def advance_sprites(m: State, mem: Memory, cycle: Int) -> None:
    """Advance the sprites to ``cycle``. Call it before a write changes one of their registers."""
    before = m[SPRITE_CYCLE]
    m[SPRITE_CYCLE] = cycle
    length = m[LINE_CYCLES]
    compare = _compare_cycle(m)
    number = before // length  # lines since the reset, which comes one line before line 0
    while number * length <= cycle and (mem[IO + 0x15] or m[SPRITE_DMA]):
        begin = number * length
        line = (number - 1) % m[LINES]
        if before < begin + ROW_CYCLE <= cycle and m[SPRITE_DMA]:
            _next_row(m)
        for at in (begin + compare, begin + compare + 1):
            if before < at <= cycle:
                _compare(m, mem, line)
                if at == begin + EXPAND_CYCLE:
                    m[SPRITE_FLOP] ^= m[SPRITE_DMA] & np.int64(mem[IO + 0x17])
        number += 1


@kernel(allocates=False)
def end_expansion(m: State, value: Int, cycle: Int) -> None:
    """Apply a write of ``value`` to $D017 at ``cycle``: sprites that it shrinks advance in every line from now on."""
    ended = ~value & ~m[SPRITE_FLOP] & 0xFF
    m[SPRITE_FLOP] |= ended
    if cycle % m[LINE_CYCLES] == CRUNCH_CYCLE:
        for n in range(8):
            if (ended >> n) & 1:
                row = m[SPRITE_ROW + n]
                done = (row + 3) & 63 if (m[SPRITE_DMA] >> n) & 1 else row
                m[SPRITE_ROW + n] = (((0x2A & row & done) | (0x15 & (row | done))) - 3) & 63


@kernel(allocates=False)
def _fetch_cycles(m: State, sprites: Int, begin: Int, cycle: Int) -> tuple[Int, Int]:
    """Return (first, end) cycle of the bus time for ``sprites`` that is current at ``cycle`` or next.

    Considers only the line that begins at cycle ``begin``; (NEVER, NEVER) if all its bus time for sprites is over. The
    fetches of neighbouring sprites are one bus time.
    """
    from_, to = np.int64(NEVER), np.int64(NEVER)
    for n in range(8):
        if (sprites >> n) & 1:
            at = begin + _compare_cycle(m) + 2 * n
            if from_ < NEVER and at <= to:
                to = at + SPRITE_CYCLES
            elif from_ < NEVER and to > cycle:
                break
            else:
                from_, to = at, at + SPRITE_CYCLES
    return (from_, to) if to > cycle else (np.int64(NEVER), np.int64(NEVER))


@kernel(allocates=False)
def next_fetch(m: State, mem: Memory, cycle: Int) -> tuple[Int, Int]:
    """Return (first, end) cycle of the bus time for sprites that is current at ``cycle`` or next, or (NEVER, NEVER)."""
    advance_sprites(m, mem, cycle)
    length = m[LINE_CYCLES]
    number = cycle // length
    place = cycle - number * length
    sprites = m[SPRITE_DMA]
    if sprites and place < ROW_CYCLE:  # the fetches of the previous line reach into this one
        from_, to = _fetch_cycles(m, sprites, (number - 1) * length, cycle)
        if from_ < NEVER:
            return from_, to
        sprites = _after_row(m)
    elif place > _compare_cycle(m):
        from_, to = _fetch_cycles(m, sprites, number * length, cycle)
        if from_ < NEVER:
            return from_, to
        number += 1
        sprites = _after_row(m)
    sprites |= _sprites_on_line(mem, (number - 1) % m[LINES])
    lines = np.int64(0)
    while sprites == 0 and lines < m[LINES]:
        lines += 1
        sprites = _sprites_on_line(mem, (number + lines - 1) % m[LINES])
    return _fetch_cycles(m, sprites, (number + lines) * length, cycle)
