"""Arithmetic of the NMOS 6502 in binary and decimal mode, and the packing of its flags."""

from sidlive.chip.c64.slots import CARRY, DECIMAL, NEGATIVE, OVERFLOW, ZERO, Int
from sidlive.compiling import kernel


@kernel(allocates=False)
def add(a: Int, value: Int, p: Int) -> tuple[Int, Int]:
    """Return A + value + carry and the new P.

    In decimal mode, as on the NMOS chip, Z comes from the binary sum, and N and V from the sum whose low digit alone is
    corrected.
    """
    carry = p & CARRY
    total = a + value + carry
    zero = ZERO if total & 0xFF == 0 else 0
    p &= ~(CARRY | ZERO | OVERFLOW | NEGATIVE)
    if p & DECIMAL:
        low = (a & 15) + (value & 15) + carry
        if low > 9:
            low = ((low + 6) & 15) + 16
        total = (a & 0xF0) + (value & 0xF0) + low
        p |= (total & NEGATIVE) | (((~(a ^ value) & (a ^ total)) >> 1) & OVERFLOW)
        if total >= 0xA0:
            total += 0x60
    else:
        p |= (total & NEGATIVE) | (((~(a ^ value) & (a ^ total)) >> 1) & OVERFLOW)
    return total & 0xFF, p | zero | (CARRY if total > 0xFF else 0)


@kernel(allocates=False)
def subtract(a: Int, value: Int, p: Int) -> tuple[Int, Int]:
    """Return A - value - borrow and the new P. In decimal mode all flags are those of the binary difference."""
    borrow = 1 - (p & CARRY)
    total = a - value - borrow
    decimal = p & DECIMAL
    p &= ~(CARRY | ZERO | OVERFLOW | NEGATIVE)
    p |= (total & NEGATIVE) | ((((a ^ value) & (a ^ total)) >> 1) & OVERFLOW)
    p |= (ZERO if total & 0xFF == 0 else 0) | (CARRY if total >= 0 else 0)
    if decimal:
        low = (a & 15) - (value & 15) - borrow
        if low < 0:
            low = ((low - 6) & 15) - 16
        total = (a & 0xF0) - (value & 0xF0) + low
        if total < 0:
            total -= 0x60
    return total & 0xFF, p


@kernel(allocates=False)
def rotate_masked(a: Int, value: Int, p: Int) -> tuple[Int, Int]:
    """Return A and P after ARR: AND, then ROR; C and V differ from those of ROR."""
    masked = a & value
    result = (masked >> 1) | ((p & CARRY) << 7)
    flags = p & ~(CARRY | ZERO | OVERFLOW | NEGATIVE)
    flags |= (result & NEGATIVE) | (ZERO if result == 0 else 0)
    if p & DECIMAL:
        flags |= (masked ^ result) & OVERFLOW
        if (masked & 15) + (masked & 1) > 5:
            result = (result & 0xF0) | ((result + 6) & 15)
        if (masked & 0xF0) + (masked & 0x10) > 0x50:
            result = (result + 0x60) & 0xFF
            flags |= CARRY
    else:
        flags |= (result >> 6) & CARRY
        flags |= (result ^ (result << 1)) & OVERFLOW
    return result, flags


@kernel(allocates=False, inline="always")
def packed(p: Int, result: Int) -> Int:
    """Return P with N and Z taken from ``result``: Z if bits 0-7 are zero, N if bit 7 or 8 is one."""
    return (p & ~(ZERO | NEGATIVE)) | ((result | (result >> 1)) & NEGATIVE) | (ZERO if result & 0xFF == 0 else 0)


@kernel(allocates=False, inline="always")
def unpacked(p: Int) -> Int:
    """Return a ``result`` that sets N and Z as they are in P. Inverse: ``packed``."""
    return ((~p & ZERO) >> 1) | ((p & NEGATIVE) << 1)
