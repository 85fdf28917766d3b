"""The stand-in for the Kernal's ROM: our own short routines at its documented addresses, with the effects tunes need.

There is no ROM image. The routines cover the interrupt entry and every address through which handlers leave, the jiffy
clock, the keyboard (no key is pressed), the set-up of chips, memory and screen, and BASIC as a loop that waits. All
other ROM space is zero: a call to it returns at once (``bus.fetch_opcode``).

If the driver calls play, Kernal routines that set up the machine restore the state that the driver set up; the Kernal's
own initial state would stop the play calls.
"""

from collections.abc import Mapping
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.c64.slots import TRAP_CALL

_CODE: Final[Mapping[int, str]] = {
    # Interrupts: advance the jiffy clock, switch the tape motor off, scan the keyboard, acknowledge, return.
    0xEA31: "20 EA FF 4C 61 EA" + "EA" * 42,  # JSR $FFEA JMP $EA61
    0xEA61: "A9 00 85 C0 A5 01 09 20 85 01 4C 7B EA EA EA EA",  # $C0 = 0, $01 |= $20, JMP $EA7B
    0xEA71: "A6 C0 D0 06 A9 1F 25 01 85 01",  # LDX $C0 BNE $EA7B; $EA75: LDA #$1F AND $01; $EA79: STA $01
    0xEA7B: "20 87 EA AD 0D DC 68 A8 68 AA 68 40",  # JSR $EA87; $EA7E: LDA $DC0D; $EA81: PLA TAY PLA TAX PLA RTI
    0xEA87: "A9 00 8D 8D 02 A9 40 85 CB 85 C5 A9 7F 8D 00 DC 60",  # SCNKEY: no key
    0xF69B: (  # UDTIM: increment $A0-$A2, zero after a day; keyboard column into $91
        "E6 A2 D0 06 E6 A1 D0 02 E6 A0 A5 A0 C9 4F 90 16 D0 0C A5 A1 C9 1A 90 0E D0 04 A5 A2 F0 08"
        "A9 00 85 A0 85 A1 85 A2 AD 01 DC 85 91 60"
    ),
    0xFE43: "78 6C 18 03",  # NMIs: SEI JMP ($0318)
    0xFE47: "48 8A 48 98 48 A9 7F 8D 0D DD AC 0D DD 4C B6 FE",  # CIA 2's interrupts off
    0xFE72: "4C B6 FE",
    0xFEB6: "AD A1 02 8D 0D DD 68 A8 68 AA 68 40",  # LDA $02A1 STA $DD0D; $FEBC: PLA TAY PLA TAX PLA RTI
    0xFE66: "20 15 FD 20 A3 FD 20 18 E5 6C 02 A0",  # BRK: RESTOR, IOINIT, the screen, BASIC
    0xFF43: "08 68 29 EF 48",  # a simulated interrupt: PHP PLA AND #$EF PHA, continues at $FF48
    # Chips, memory, vectors.
    0xF800: "AD A6 02 F0 06 A9 25 A2 40 D0 04 A9 95 A2 42 8D 04 DC 8E 05 DC",  # CIA 1 timer A at 60 Hz by $02A6
    0xF815: "A9 81 8D 0D DC AD 0E DC 29 80 09 11 8D 0E DC 60",  # switch its interrupt on
    0xF825: (  # IOINIT: both CIAs, volume 0, the processor's port
        "A9 7F 8D 0D DC 8D 0D DD 8D 00 DC A9 08 8D 0E DC 8D 0E DD 8D 0F DC 8D 0F DD A9 00 8D 03 DC 8D 03 DD 8D 18 D4"
        "A9 FF 8D 02 DC A9 07 8D 00 DD A9 3F 8D 02 DD A9 E7 85 01 A9 2F 85 00 4C 00 F8"
    ),
    0xF863: (  # RAMTAS: clear $0002-$0101 and $0200-$03FF, set the bounds of memory
        "A2 00 8A 9D 02 00 9D 00 02 9D 00 03 E8 D0 F4 8D 81 02 8D 83 02 A9 3C 85 B2 A9 03 85 B3"
        "A9 04 8D 88 02 A9 08 8D 82 02 A9 A0 8D 84 02"
    ),
    0xF88F: "60",
    0xF892: "86 C3 84 C4 A0 00 B0 0B B1 C3 99 14 03 C8 C0 20 D0 F6 60 B9 14 03 91 C3 C8 C0 20 D0 F6 60",  # VECTOR
    0xF8B0: "B0 07 8E 83 02 8C 84 02 60 AE 83 02 AC 84 02 60",  # MEMTOP
    0xF8C0: "B0 07 8E 81 02 8C 82 02 60 AE 81 02 AC 82 02 60",  # MEMBOT
    0xF8D0: "A6 C6 F0 15 AC 77 02 A2 00 BD 78 02 9D 77 02 E8 E4 C6 D0 F5 C6 C6 98 18 60 8A 18 60",  # GETIN
    0xF8EC: (  # fill the screen with spaces and colour RAM with $0286
        "AD 88 02 85 D2 A9 D8 85 F4 A0 00 84 D1 84 F3 A2 03 A9 20 91 D1 AD 86 02 91 F3 C8 D0 05 E6 D2 E6 F4 CA"
        "E0 00 D0 EB C0 E8 D0 E7 AD 88 02 85 D2 A9 D8 85 F4"
    ),
    0xF91F: "A9 00 85 D3 85 D6 60",  # the cursor home
    0xFCE2: "78 D8 A2 FF 9A 20 A3 FD 20 50 FD 20 15 FD 20 5B FF 58 6C 00 A0",  # the reset
    0xFD15: "A2 30 A0 FD 18 4C 92 F8",  # RESTOR, and VECTOR at $FD1A
    0xFD30: "31 EA 66 FE 47 FE 4A F3 91 F2 0E F2 50 F2 33 F3 57 F1 CA F1 ED F6 3E F1 2F F3 66 FE A5 F4 ED F5",
    0xFD50: "4C 63 F8",
    0xFDA3: "4C 25 F8",
    0xFDDD: "4C 00 F8",
    0xFF5B: "20 18 E5 4C DD FD",  # CINT
    0xFF6E: "4C 15 F8",
    # The screen.
    0xE500: "A2 00 A0 DC 60 A2 28 A0 19 60 B0 04 86 D6 84 D3 A6 D6 A4 D3 60",  # IOBASE, SCREEN ($E505), PLOT ($E50A)
    0xE518: (
        "20 A0 E5 A9 0A 8D 89 02 8D 8C 02 A9 0E 8D 86 02 A9 04 8D 8B 02 A9 00 8D 91 02 85 CF A9 0C 85 CD 85 CC"
        "A9 48 8D 8F 02 A9 EB 8D 90 02 4C EC F8"
    ),
    0xE566: "4C 1F F9",
    0xE56C: "60",
    0xE5A0: "A9 03 85 9A A9 00 85 99 A2 00 BD B9 EC 9D 00 D0 E8 E0 2F D0 F5 60",  # $E5A8: the VIC's registers
    0xECB9: "00" * 17 + "9B 37 00 00 00 08 00 14 0F 00" + "00" * 5 + "0E 06 01 02 03 04 00 01 02 03 04 05 06 07 0C",
    # Clock, keys, files (there are none), a delay of a millisecond.
    0xEEB3: "A9 B7 38 E9 01 D0 FC 60",
    0xF13E: "4C D0 F8",
    0xF6DD: "A5 A2 A6 A1 A4 A0 60 78 85 A2 86 A1 84 A0 58 60 A5 91 C9 7F 60",  # RDTIM, SETTIM ($F6E4), STOP ($F6ED)
    0xF32F: "A9 00 85 98 A9 03 85 9A A9 00 85 99 60",  # CLALL, CLRCHN ($F333)
    0xFDF9: "85 B7 86 BB 84 BC 60 85 B8 86 BA 84 B9 60 A5 90 60",  # SETNAM, SETLFS ($FE00), READST ($FE07)
    0xFE18: "85 9D 60",  # SETMSG
    0xFE21: "8D 85 02 60",  # SETTMO
    0xFE25: "4C B0 F8",
    0xFE34: "4C C0 F8",
    0xF291: "18 60",  # CLOSE
    0xF1CA: "18 60",  # CHROUT: nothing is printed
    0xE716: "60",
    0xE9FF: "60",
    0xAB1E: "60",  # BASIC's routine that prints a text
    # BASIC waiting for a line: CLI JMP *.
    0xA000: "94 E3 7B E3",
    0xA474: "58 4C 75 A4",
    0xA480: "58 4C 81 A4",
    0xA7AE: "58 4C AF A7",
    0xE37B: "58 4C 7C E3",
    0xE386: "58 4C 87 E3",
    0xE394: "58 4C 95 E3",
    0xFFFA: "43 FE E2 FC 48 FF",  # the vectors
}
_ENTRY: Final = 0xFF48
_LONG_ENTRY: Final = "48 8A 48 98 48 BA BD 04 01 29 10 F0 03 6C 16 03 6C 14 03"  # BRK jumps through $0316
_SHORT_ENTRY: Final = "48 8A 48 98 48 6C 14 03"  # libsidplayfp's, eight cycles shorter; it does not test for BRK
# The jump table at $FF81: entry -> address of the routine.
_JUMPS: Final = {
    0xFF81: 0xFF5B, 0xFF84: 0xFDA3, 0xFF87: 0xFD50, 0xFF8A: 0xFD15, 0xFF8D: 0xFD1A, 0xFF90: 0xFE18, 0xFF93: 0xEDB9,
    0xFF96: 0xEDC7, 0xFF99: 0xFE25, 0xFF9C: 0xFE34, 0xFF9F: 0xEA87, 0xFFA2: 0xFE21, 0xFFA5: 0xEE13, 0xFFA8: 0xEDDD,
    0xFFAB: 0xEDEF, 0xFFAE: 0xEDFE, 0xFFB1: 0xED0C, 0xFFB4: 0xED09, 0xFFB7: 0xFE07, 0xFFBA: 0xFE00, 0xFFBD: 0xFDF9,
    0xFFC0: 0xF34A, 0xFFC3: 0xF291, 0xFFC6: 0xF20E, 0xFFC9: 0xF250, 0xFFCC: 0xF333, 0xFFCF: 0xF157, 0xFFD2: 0xF1CA,
    0xFFD5: 0xF49E, 0xFFD8: 0xF5DD, 0xFFDB: 0xF6E4, 0xFFDE: 0xF6DD, 0xFFE1: 0xF6ED, 0xFFE4: 0xF13E, 0xFFE7: 0xF32F,
    0xFFEA: 0xF69B, 0xFFED: 0xE505, 0xFFF0: 0xE50A, 0xFFF3: 0xE500,
}  # fmt: skip
# Routines that a program can redirect: entry of the jump table -> vector in RAM.
_VECTORS: Final = {
    0xFFC0: 0x031A, 0xFFC3: 0x031C, 0xFFC6: 0x031E, 0xFFC9: 0x0320, 0xFFCC: 0x0322, 0xFFCF: 0x0324, 0xFFD2: 0x0326,
    0xFFE1: 0x0328, 0xFFE4: 0x032A, 0xFFE7: 0x032C,
}  # fmt: skip
# Names, for messages, of the routines and inputs that we do not have.
_MISSING: Final = {
    0xF157: "the Kernal's CHRIN, which waits for the keyboard",
    0xF34A: "the Kernal's OPEN",
    0xF20E: "the Kernal's CHKIN",
    0xF250: "the Kernal's CHKOUT",
    0xF49E: "the Kernal's LOAD",
    0xF4A5: "the Kernal's LOAD",
    0xF5DD: "the Kernal's SAVE",
    0xF5ED: "the Kernal's SAVE",
}
_MISSING_RANGES: Final = (
    (0xA000, 0xBFFF, "BASIC's ROM"),
    (0xDC0D, 0xDD0D, "an interrupt from a CIA's serial port or flag line"),
    (0xDE00, 0xDFFF, "a cartridge"),
    (0xE000, 0xE4B6, "BASIC's ROM"),
    (0xED09, 0xEEB2, "the Kernal's serial bus"),
    (0xEEBB, 0xF0A5, "the Kernal's RS-232"),
    (0xF72C, 0xFCD1, "the Kernal's tape"),
)


def write_bytes(memory: NDArray[np.uint8], pieces: Mapping[int, str]) -> None:
    """Write bytes, given in hexadecimal, to their addresses in ``memory``."""
    for address, text in pieces.items():
        data = bytes.fromhex(text)
        memory[address : address + len(data)] = np.frombuffer(data, dtype=np.uint8)


def name_of_missing(address: int) -> str:
    """Return a readable name of the missing ROM routine, chip input or cartridge at ``address``."""
    name = _MISSING.get(address)
    for first, last, part in _MISSING_RANGES:
        if name is None and first <= address <= last:
            name = part
    return f"{name or 'a Kernal routine'} (${address:04X})"


@cache
def rom_space(rsid: bool, calls_play: bool, timer: bool) -> NDArray[np.uint8]:
    """Return the bytes of ROM space by address, ``uint8[65536]``, read-only.

    ``rsid``: for an RSID file, otherwise for a PSID file. For a PSID, ``calls_play``: the driver calls play; ``timer``:
    the driver's interrupt comes from CIA 1's timer A instead of raster line 0.
    """
    rom = np.zeros(0x10000, dtype=np.uint8)
    write_bytes(rom, _CODE)
    write_bytes(rom, {_ENTRY: _LONG_ENTRY if rsid else _SHORT_ENTRY})
    for entry, address in _JUMPS.items():
        opcode, target = (0x6C, _VECTORS[entry]) if rsid and entry in _VECTORS else (0x4C, address)
        rom[entry : entry + 3] = opcode, target & 0xFF, target >> 8
    if rsid:
        write_bytes(rom, {0xF49E: "86 C3 84 C4 6C 30 03", 0xF5DD: "6C 32 03"})
    else:
        write_bytes(rom, {0xECCA: "1B 00", 0xECD3: "00" if timer else "01", 0xF88F: "4C 15 FD"})
        rom[0xF8EC] = 0x60  # do not clear the screen: a tune may lie there
        rom[0xF816] = 0x81 if timer else 0x01
        if calls_play:
            rom[0xFD30:0xFD32] = TRAP_CALL & 0xFF, TRAP_CALL >> 8
    rom.flags.writeable = False
    return rom
