"""The VIC-II as a program notices it: the raster, its interrupt, and the cycles that it takes from the processor.

It takes cycles in bad lines and for the sprites' data (``sprites.py``). **Bus time** is a run of cycles in which it has
the bus, and the processor waits with its first read. No picture, no collisions.
"""

import numpy as np

from sidlive.chip.c64.slots import (
    BAD_LINE_AT,
    BAD_LINE_CYCLES,
    BAD_LINE_FROM,
    BAD_LINE_NUMBER,
    BAD_LINES,
    IO,
    LINE_CYCLES,
    LINES,
    NEVER,
    NEXT,
    RASTER_NEXT,
    SPRITE_DMA,
    STEADY,
    STEAL,
    STEAL_END,
    UNSTEADY,
    VIC_SINCE,
    Int,
    Memory,
    State,
)
from sidlive.chip.c64.sprites import advance_sprites, end_expansion, next_fetch
from sidlive.compiling import kernel


@kernel(allocates=False)
def line_at(m: State, cycle: Int) -> Int:
    """Return the raster line that a program reads at ``cycle``. Line 0 appears one cycle late, as on the chip."""
    since = cycle - m[LINE_CYCLES]  # the reset comes at the start of the last line, one line before line 0
    line = (since // m[LINE_CYCLES]) % m[LINES]
    return m[LINES] - 1 if line == 0 and since % m[LINE_CYCLES] == 0 else line


@kernel(allocates=False)
def _compare_line(mem: Memory) -> Int:
    """Return the compare line in $D011 and $D012, 0-511. Lines beyond the last one are never reached."""
    return np.int64(mem[IO + 0x12]) | (np.int64(mem[IO + 0x11] & 0x80) << 1)


@kernel(allocates=False)
def _set_raster_flag(m: State, mem: Memory, at: Int) -> None:
    """Set the raster flag at cycle ``at``, and request an interrupt if it is enabled."""
    mem[IO + 0x19] |= 1
    if mem[IO + 0x1A] & 1 and m[VIC_SINCE] == NEVER:
        m[VIC_SINCE] = at


@kernel(allocates=False)
def next_raster(m: State, mem: Memory, cycle: Int) -> Int:
    """Return the cycle after ``cycle`` at which the raster reaches the compare line, or NEVER."""
    line = _compare_line(mem)
    if line >= m[LINES]:
        return NEVER
    frame = m[LINE_CYCLES] * m[LINES]
    begin = m[LINE_CYCLES] * (line + 1) + (1 if line == 0 else 0)
    return begin + ((cycle - begin) // frame + 1) * frame


@kernel(allocates=False)
def _find_bad_line(m: State, mem: Memory, cycle: Int) -> None:
    """Set BAD_LINE_AT to the current bad line at ``cycle`` or else the next one; NEVER if the screen is off."""
    if mem[IO + 0x11] & 0x10 == 0:
        m[BAD_LINE_AT] = NEVER
        return
    frame = m[LINE_CYCLES] * m[LINES]
    origin = m[LINE_CYCLES] + BAD_LINE_FROM
    earliest = cycle - BAD_LINE_CYCLES + 1 - origin
    base = (earliest // frame) * frame
    line = max((earliest - base + m[LINE_CYCLES] - 1) // m[LINE_CYCLES], BAD_LINES[0])
    line += (np.int64(mem[IO + 0x11]) - line) & 7
    if line > BAD_LINES[1]:
        line = BAD_LINES[0] + ((np.int64(mem[IO + 0x11]) - BAD_LINES[0]) & 7)
        base += frame
    m[BAD_LINE_AT], m[BAD_LINE_NUMBER] = base + origin + line * m[LINE_CYCLES], line


@kernel(allocates=False)
def _choose_steal(m: State, mem: Memory, cycle: Int) -> None:
    """Set STEAL and STEAL_END to the current bus time at ``cycle`` or the next: for a bad line or for sprites."""
    m[STEAL], m[STEAL_END] = m[BAD_LINE_AT], m[BAD_LINE_AT] + BAD_LINE_CYCLES
    if mem[IO + 0x15] or m[SPRITE_DMA]:
        begin, end = next_fetch(m, mem, cycle)
        if begin < m[STEAL]:
            m[STEAL], m[STEAL_END] = begin, end


@kernel(allocates=False)
def find_steal(m: State, mem: Memory, cycle: Int) -> None:
    """Set STEAL and STEAL_END after a register changed at ``cycle``. Bus time that has begun is not cut short."""
    _find_bad_line(m, mem, cycle)
    if not m[STEAL] <= cycle < m[STEAL_END]:
        _choose_steal(m, mem, cycle)


@kernel(allocates=False)
def next_steal(m: State, mem: Memory, cycle: Int) -> Int:
    """Return the first cycle of the current bus time at ``cycle`` or the next, or NEVER. Calls go forward in time."""
    if cycle >= m[STEAL_END]:
        if cycle > m[BAD_LINE_AT] + m[LINE_CYCLES] * m[LINES]:
            _find_bad_line(m, mem, cycle)
        while cycle >= m[BAD_LINE_AT] + BAD_LINE_CYCLES:
            lines = np.int64(8)
            if m[BAD_LINE_NUMBER] + lines > BAD_LINES[1]:  # the first bad line of the next frame
                first = BAD_LINES[0] + ((m[BAD_LINE_NUMBER] - BAD_LINES[0]) & 7)
                lines = m[LINES] + first - m[BAD_LINE_NUMBER]
                m[BAD_LINE_NUMBER] = first
            else:
                m[BAD_LINE_NUMBER] += lines
            m[BAD_LINE_AT] += lines * m[LINE_CYCLES]
        m[STEAL], m[STEAL_END] = m[BAD_LINE_AT], m[BAD_LINE_AT] + BAD_LINE_CYCLES
        if mem[IO + 0x15] or m[SPRITE_DMA]:
            _choose_steal(m, mem, cycle)
    return m[STEAL]


@kernel(allocates=False)
def pass_cycles(m: State, mem: Memory, cycle: Int, cycles: Int, writes: Int) -> Int:
    """Return the cycle at which ``cycles`` processor cycles from ``cycle`` on are done, with the VIC's delays.

    ``writes``: bit n is one if processor cycle n is a write, which does not wait for the VIC.
    """
    steal = next_steal(m, mem, cycle)
    done = np.int64(0)  # processor cycles that have passed
    while True:
        ahead = max(steal - cycle, 0)
        while (writes >> min(done + ahead, 62)) & 1:
            ahead += 1
        if done + ahead >= cycles:
            return cycle + cycles - done
        if cycle + ahead < m[STEAL_END]:
            done += ahead
            cycle = m[STEAL_END]
        else:  # the bus time ended before a read came
            done += m[STEAL_END] - cycle
            cycle = m[STEAL_END]
        steal = next_steal(m, mem, cycle)


@kernel(allocates=False)
def idle(m: State, mem: Memory, cycle: Int, until: Int) -> Int:
    """Return the first cycle, ``until`` or later, at which a loop ``JMP *`` entered at ``cycle`` starts a new jump."""
    while cycle < until:
        end = cycle + (until - cycle + 2) // 3 * 3
        steal = next_steal(m, mem, cycle)
        if steal >= end:
            return end
        cycle += max(steal - cycle, 0) // 3 * 3
        if mem[IO + 0x15] or m[SPRITE_DMA]:  # the VIC may take the bus more than once during a jump
            cycle = pass_cycles(m, mem, cycle, np.int64(3), np.int64(0))
            continue
        cycle += 3 + m[STEAL_END] - max(steal, cycle)
        if steal == m[BAD_LINE_AT]:  # pass the frame's further bad lines at once; each delays one jump
            spacing = 8 * m[LINE_CYCLES]
            lines = min((until - cycle - 2) // spacing, (BAD_LINES[1] - m[BAD_LINE_NUMBER]) // 8)
            if lines > 0:
                jumping = lines * (spacing - BAD_LINE_CYCLES) + m[STEAL_END] + 3 - cycle
                cycle += lines * BAD_LINE_CYCLES + jumping // 3 * 3
    return cycle


@kernel(allocates=False)
def read_vic(m: State, mem: Memory, register: Int, cycle: Int) -> Int:
    """Read a register (0-63) at ``cycle``."""
    if register == 0x11 or register == 0x12:
        m[STEADY] = min(m[STEADY], (cycle // m[LINE_CYCLES] + 1) * m[LINE_CYCLES])
        line = line_at(m, cycle)
        if line == 0 or line == m[LINES] - 1:
            m[UNSTEADY] = 1
        return line & 0xFF if register == 0x12 else (np.int64(mem[IO + 0x11]) & 0x7F) | ((line >> 8) << 7)
    if register == 0x19:
        advance_raster(m, mem, cycle)
        return np.int64(mem[IO + 0x19]) | 0x70 | (0x80 if m[VIC_SINCE] <= cycle else 0)
    if register == 0x1A:
        return np.int64(mem[IO + 0x1A]) | 0xF0
    if register == 0x1E or register == 0x1F:
        return np.int64(0)
    if register < 0x20:
        return np.int64(mem[IO + register])
    return np.int64(mem[IO + register]) | 0xF0 if register < 0x2F else np.int64(0xFF)


@kernel(allocates=False)
def advance_raster(m: State, mem: Memory, cycle: Int) -> None:
    """Advance the raster to ``cycle``: set its flag if it has reached the compare line."""
    if m[RASTER_NEXT] <= cycle:
        _set_raster_flag(m, mem, m[RASTER_NEXT])
        m[RASTER_NEXT] = next_raster(m, mem, cycle)


@kernel(allocates=False)
def write_vic(m: State, mem: Memory, register: Int, value: Int, cycle: Int) -> None:
    """Write a register (0-63) at ``cycle``."""
    advance_raster(m, mem, cycle)
    if register == 0x11 or register == 0x12:
        line = line_at(m, cycle + 1)
        before = _compare_line(mem)
        mem[IO + register] = value
        if before != line and _compare_line(mem) == line:  # the line becomes the compare line while it is drawn
            _set_raster_flag(m, mem, cycle + 1)
        m[RASTER_NEXT] = next_raster(m, mem, cycle)
        find_steal(m, mem, cycle)
        m[NEXT] = 0
    elif register == 0x19:
        mem[IO + 0x19] &= ~value & 0x0F
        if mem[IO + 0x19] & mem[IO + 0x1A] == 0:
            m[VIC_SINCE] = NEVER
        m[NEXT] = 0
    elif register == 0x1A:
        mem[IO + 0x1A] = value & 0x0F
        if mem[IO + 0x19] & mem[IO + 0x1A] == 0:
            m[VIC_SINCE] = NEVER
        elif m[VIC_SINCE] == NEVER:
            m[VIC_SINCE] = cycle
        m[NEXT] = 0
    elif register == 0x15 or register == 0x17 or (register < 0x10 and register & 1):
        advance_sprites(m, mem, cycle)
        if register == 0x17:
            end_expansion(m, value, cycle)
        before = np.int64(mem[IO + 0x15])
        mem[IO + register] = value
        if before or mem[IO + 0x15] or m[SPRITE_DMA]:
            find_steal(m, mem, cycle)
            m[NEXT] = 0
    else:
        mem[IO + register] = value
