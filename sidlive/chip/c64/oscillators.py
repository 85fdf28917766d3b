"""Voice 3's oscillator as read in $D41B, and those of voices 1 and 2 for their hard sync and ring modulation.

The model is reSIDfp's. Oscillators are counters, so most cycles are skipped in one multiplication. Three cases are
emulated cycle by cycle: the two cycles before a read, because the pulse and the 8580's triangle and sawtooth come out
one cycle late; on a 6581, a sawtooth mixed with another waveform, which pulls the counter's top bit down; and noise
mixed with another waveform, which pulls down bits of the noise register.

Nothing here runs before a tune reads $D41B or $D41C, see ``Machine._call``.
"""

from typing import Final

import numpy as np

from sidlive.chip.c64.slots import (
    FADES_IN,
    IS_8580,
    NOISE,
    NOISE_LATCH,
    NOISE_OUTPUT,
    NOISE_RESET_IN,
    NOISE_SHIFTS,
    OSC3,
    OSCILLATOR_CYCLE,
    PHASE,
    PULSE,
    RISING,
    SHIFT_PIPELINE,
    SID,
    TEST_LATCHED,
    TRIANGLE_PIPELINE,
    WAVE_OUTPUT,
    WAVES,
    Int,
    Memory,
    State,
)
from sidlive.chip.registers import CONTROL, VOICE_STRIDE
from sidlive.compiling import kernel

TEST, RING, SYNC = 8, 4, 2  # bits of the control register
TOP: Final = 0x800000
# [6581, 8580], [cycles until the first step, cycles between steps]: an output without a waveform fades to zero,
# and a noise register under the test bit fills with ones.
FADE_CYCLES: Final = np.array([[54_000, 1_400], [800_000, 50_000]], dtype=np.int64)
RESET_CYCLES: Final = np.array([[50_000, 15_000], [986_000, 314_300]], dtype=np.int64)
# The bits of the noise register that are wired to the output: (bit, bit of the output).
TAPS: Final = ((2, 11), (4, 10), (8, 9), (11, 8), (13, 7), (17, 6), (20, 5), (22, 4))
NOT_TAPS: Final = 0x7FFFFF & ~sum(1 << bit for bit, _ in TAPS)


@kernel(allocates=False)
def _control(mem: Memory, voice: Int) -> Int:
    return np.int64(mem[SID + VOICE_STRIDE * voice + CONTROL])


@kernel(allocates=False)
def _frequency(mem: Memory, voice: Int) -> Int:
    at = SID + VOICE_STRIDE * voice
    return np.int64(mem[at]) | (np.int64(mem[at + 1]) << 8)


@kernel(allocates=False)
def _noise_output(register: Int) -> Int:
    """Return the 12 output bits of a noise register."""
    output = np.int64(0)
    for bit, place in TAPS:
        output |= ((register >> bit) & 1) << place
    return output


@kernel(allocates=False)
def _written_back(output: Int) -> Int:
    """Return the bits of the noise register that an output sets when it is written back."""
    register = np.int64(0)
    for bit, place in TAPS:
        register |= ((output >> place) & 1) << bit
    return register


@kernel(allocates=False)
def _writes_back(m: State, before: Int, after: Int) -> bool:
    """Return whether a noise shift takes in the output, while control bits 4-7 change from ``before`` to ``after``."""
    if before <= 8 or after < 8 or (after == 8 and before != 15) or before == 12 or after == 12:
        return False
    return bool(m[IS_8580] or (before & 3, after & 3) not in ((1, 2), (2, 1)))


@kernel(allocates=False)
def _shift(m: State, before: Int, after: Int) -> None:
    """Shift the noise register. ``before``, ``after``: control bits 4-7 before and after the write in this cycle."""
    latch = m[NOISE_LATCH]
    if _writes_back(m, before, after):
        latch = (m[NOISE] & NOT_TAPS) | _written_back(m[WAVE_OUTPUT])
        m[NOISE_LATCH] = latch
    m[NOISE] = (latch >> 1) | ((((m[TEST_LATCHED] | latch) ^ (latch >> 5)) & 1) << 22)
    m[NOISE_OUTPUT] = _noise_output(m[NOISE])


@kernel(allocates=False)
def _waveform(m: State, mem: Memory, voice: Int, control: Int) -> Int:
    """Return triangle or sawtooth, 12 bits; the AND of both if both are on, all ones if neither is."""
    ring = TOP if control & 0x24 == RING else 0
    place = (m[PHASE + voice] ^ (~m[PHASE + (voice + 2) % 3] & ring)) >> 12
    if control & 0x30 == 0x10:
        return ((place ^ (0xFFF if place & 0x800 else 0)) << 1) & 0xFFF
    if control & 0x30 == 0x20:
        return place
    return (place & (place << 1)) & 0xFFF if control & 0x30 else np.int64(0xFFF)


@kernel(allocates=False)
def _mixed(mem: Memory, waveform: Int, value: Int) -> Int:
    """Return the output of a voice whose waveforms have the AND ``value``. Mixed waveforms pull down more bits."""
    kind = waveform & 7
    if kind == 3 or kind >= 5:
        row = kind - 4 if kind > 3 else np.int64(0)
        return np.int64(mem[WAVES + (row << 12) + value]) << 4
    return np.int64(0) if waveform == 12 else value


@kernel(allocates=False)
def _fade_noise(m: State) -> None:
    """Fill more of the noise register with ones, as the test bit does with time."""
    register = m[NOISE] | (m[NOISE] >> 1) | 0x400000
    m[NOISE] = m[NOISE_LATCH] = register
    m[NOISE_OUTPUT] = _noise_output(register)
    m[NOISE_RESET_IN] = 0 if register == 0x7FFFFF else RESET_CYCLES[m[IS_8580], 1]


@kernel(allocates=False)
def _fade_output(m: State) -> None:
    """Clear more bits of the output, which fades while no waveform is selected."""
    m[WAVE_OUTPUT] &= m[WAVE_OUTPUT] >> 1
    m[OSC3] = m[WAVE_OUTPUT]
    m[FADES_IN] = FADE_CYCLES[m[IS_8580], 1] if m[WAVE_OUTPUT] else 0


@kernel(allocates=False)
def _clock(m: State, mem: Memory) -> None:
    """Advance all three oscillators by one cycle."""
    for voice in range(3):
        control = _control(mem, voice)
        if control & TEST:
            m[RISING + voice] = 0
            m[PULSE + voice] = 0xFFF
            if voice == 2:
                m[TEST_LATCHED] = 1
                if m[NOISE_RESET_IN]:
                    m[NOISE_RESET_IN] -= 1
                    if m[NOISE_RESET_IN] == 0:
                        _fade_noise(m)
            continue
        before = m[PHASE + voice]
        m[PHASE + voice] = (before + _frequency(mem, voice)) & 0xFFFFFF
        rising = ~before & m[PHASE + voice]
        m[RISING + voice] = 1 if rising & TOP else 0
        if voice == 2:
            if rising & 0x080000:
                m[SHIFT_PIPELINE] = 2
            elif m[SHIFT_PIPELINE]:
                m[SHIFT_PIPELINE] -= 1
                if m[SHIFT_PIPELINE]:
                    m[TEST_LATCHED] = 0
                    m[NOISE_LATCH] = m[NOISE]
                else:
                    _shift(m, control >> 4, control >> 4)
    for voice in range(3):
        control = _control(mem, voice)
        waveform = control >> 4
        if voice == 2 or (waveform & 2 and waveform != 2 and not m[IS_8580]):
            _output(m, mem, voice, control)
        at = SID + VOICE_STRIDE * voice + 2
        width = np.int64(mem[at]) | ((np.int64(mem[at + 1]) & 15) << 8)
        m[PULSE + voice] = 0xFFF if m[PHASE + voice] >> 12 >= width else 0
    _synchronise(m, mem)


@kernel(allocates=False)
def _output(m: State, mem: Memory, voice: Int, control: Int) -> None:
    """Set voice 3's output for this cycle. On any voice, let a mixed waveform pull down its oscillator and noise."""
    waveform = control >> 4
    if waveform == 0:
        if m[FADES_IN]:
            m[FADES_IN] -= 1
            if m[FADES_IN] == 0:
                _fade_output(m)
        return
    mask = m[PULSE + voice] if waveform & 4 else np.int64(0xFFF)
    if waveform & 8 and voice == 2:
        mask &= m[NOISE_OUTPUT]
    wave = _waveform(m, mem, voice, control)
    output = _mixed(mem, waveform, wave & mask)
    if waveform & 2 and output & 0x800 == 0 and not m[IS_8580]:
        m[RISING + voice] = 0
        m[PHASE + voice] &= ~TOP
    if voice < 2:
        return
    m[WAVE_OUTPUT] = m[OSC3] = output
    if waveform & 3 and m[IS_8580]:
        m[OSC3] = _mixed(mem, waveform, m[TRIANGLE_PIPELINE] & mask)
        m[TRIANGLE_PIPELINE] = wave
    if waveform > 8:
        if m[SHIFT_PIPELINE] != 1 and control & TEST == 0:
            m[NOISE] &= NOT_TAPS | _written_back(output)
            m[NOISE_OUTPUT] &= output
        else:
            m[NOISE_OUTPUT] = output


@kernel(allocates=False)
def _synchronise(m: State, mem: Memory) -> None:
    """Apply hard sync: each voice whose top bit rose resets the next voice, unless it is itself reset now."""
    first, second, third = m[RISING], m[RISING + 1], m[RISING + 2]
    if (first | second | third) == 0:
        return
    a, b, c = _control(mem, 0) & SYNC, _control(mem, 1) & SYNC, _control(mem, 2) & SYNC
    if first and b and not (a and third):
        m[PHASE + 1] = 0
    if second and c and not (b and first):
        m[PHASE + 2] = 0
    if third and a and not (c and second):
        m[PHASE] = 0


@kernel(allocates=False)
def _until_sync(m: State, mem: Memory) -> Int:
    """Return the number of cycles until the next possible hard sync."""
    cycles = np.int64(1 << 62)
    for voice in range(3):
        frequency = _frequency(mem, voice)
        if frequency and not _control(mem, voice) & TEST and _control(mem, (voice + 1) % 3) & SYNC:
            cycles = min(cycles, ((TOP - 1 - m[PHASE + voice]) & 0xFFFFFF) // frequency + 1)
    return cycles


@kernel(allocates=False)
def _carry_out_shifts(m: State) -> None:
    """Carry out the shifts of the noise register that have been counted."""
    register = m[NOISE]
    for _ in range(m[NOISE_SHIFTS] % 0x7FFFFF):  # the register's period
        register = (register >> 1) | (((register ^ (register >> 5)) & 1) << 22)
    m[NOISE], m[NOISE_SHIFTS] = register, 0
    m[NOISE_OUTPUT] = _noise_output(register)
    if m[SHIFT_PIPELINE] == 1:
        m[NOISE_LATCH] = register


@kernel(allocates=False)
def _count_shifts(m: State, before: Int, phase: Int, frequency: Int, cycles: Int) -> None:
    """Count the noise shifts while voice 3's counter goes from ``before`` to ``phase`` (not wrapped) in ``cycles``."""
    if m[SHIFT_PIPELINE]:
        m[TEST_LATCHED] = 0
        if cycles >= m[SHIFT_PIPELINE]:
            m[SHIFT_PIPELINE] = 0
            m[NOISE_SHIFTS] += 1
        else:
            m[SHIFT_PIPELINE] -= cycles
    shifts = ((phase + 0x80000) >> 20) - ((before + 0x80000) >> 20)
    if shifts == 0:
        return
    beyond = (phase + 0x80000) & 0xFFFFF  # phase since the last shift began; a shift takes two cycles
    if shifts > 1 or beyond >= frequency:
        m[TEST_LATCHED] = 0
    if beyond < 2 * frequency:
        m[SHIFT_PIPELINE] = 2 if beyond < frequency else 1
        shifts -= 1
    m[NOISE_SHIFTS] += shifts


@kernel(allocates=False)
def _skip_voice(m: State, mem: Memory, voice: Int, cycles: Int) -> None:
    """Skip ``cycles`` of one voice. Its output is not computed, except that it fades."""
    control = _control(mem, voice)
    m[RISING + voice] = 0
    if voice == 2:
        if control & TEST:
            m[TEST_LATCHED] = 1
            left = cycles
            while m[NOISE_RESET_IN] and left >= m[NOISE_RESET_IN]:
                left -= m[NOISE_RESET_IN]
                _fade_noise(m)
            m[NOISE_RESET_IN] = max(m[NOISE_RESET_IN] - left, 0)
        if control & 0xF0 == 0:
            left = cycles
            while m[FADES_IN] and left >= m[FADES_IN]:
                left -= m[FADES_IN]
                _fade_output(m)
            m[FADES_IN] = max(m[FADES_IN] - left, 0)
    if control & TEST:
        return
    frequency = _frequency(mem, voice)
    before = m[PHASE + voice]
    phase = before + frequency * cycles
    m[PHASE + voice] = phase & 0xFFFFFF
    m[RISING + voice] = 1 if phase & TOP and not (phase - frequency) & TOP else 0
    if voice == 2:
        _count_shifts(m, before, phase, frequency, cycles)


@kernel(allocates=False)
def _skip(m: State, mem: Memory, cycles: Int) -> None:
    """Skip ``cycles`` of all three voices, from one hard sync to the next."""
    while cycles > 0:
        step = min(cycles, _until_sync(m, mem))
        cycles -= step
        for voice in range(3):
            _skip_voice(m, mem, voice, step)
        _synchronise(m, mem)


@kernel(allocates=False)
def _pulls_down_top_bit(mem: Memory, voice: Int) -> bool:
    """Return whether, on a 6581, a voice's waveform can pull down its counter's top bit."""
    control = _control(mem, voice)
    return control & 0x20 != 0 and control & 0xF0 != 0x20 and control & TEST == 0


@kernel(allocates=False)
def _needs_single_cycles(m: State, mem: Memory) -> bool:
    """Return whether no cycle may be skipped, because an output changes its own oscillator or noise register."""
    control = _control(mem, 2)
    if control > 0x8F:
        return True
    if m[IS_8580]:
        return False
    return _pulls_down_top_bit(mem, 2) or (
        control & (SYNC | RING) != 0 and (_pulls_down_top_bit(mem, 0) or _pulls_down_top_bit(mem, 1))
    )


@kernel(allocates=False)
def advance_oscillators(m: State, mem: Memory, cycle: Int, output: bool) -> None:
    """Advance the oscillators to ``cycle``; with ``output`` also the value that $D41B reads."""
    cycles = cycle - m[OSCILLATOR_CYCLE]
    m[OSCILLATOR_CYCLE] = cycle
    single = min(cycles, 2) if output else np.int64(0)
    if _needs_single_cycles(m, mem):
        single = cycles
    if cycles > single:
        _skip(m, mem, cycles - single)
    if output or single:
        _carry_out_shifts(m)
    for _ in range(single):
        _clock(m, mem)


@kernel(allocates=False)
def change_control(m: State, mem: Memory, voice: Int, value: Int, cycle: Int) -> None:
    """Apply a write of ``value`` to a voice's control register at ``cycle``, before the register itself changes."""
    before = _control(mem, voice)
    test = (value ^ before) & TEST
    silenced = voice == 2 and value & 0xF0 == 0 and before & 0xF0 != 0  # the output keeps its value and fades
    advance_oscillators(m, mem, cycle, voice == 2)
    if voice == 2 and test:
        _carry_out_shifts(m)
    if value & test:
        m[PHASE + voice] = 0
    if voice < 2:
        return
    if silenced:
        m[FADES_IN] = FADE_CYCLES[m[IS_8580], 0]
    if value & test:
        m[SHIFT_PIPELINE] = 0
        m[NOISE_LATCH] = m[NOISE]
        m[NOISE_RESET_IN] = RESET_CYCLES[m[IS_8580], 0]
    elif test:
        _shift(m, before >> 4, value >> 4)
