"""The NMOS 6502's 256 opcodes in one table, from which the CPU kernel, the disassembler and the cycle counts derive.

Each entry is ``MNEMONIC.mode.cycles``; a trailing ``+`` adds one cycle when indexing crosses a page. Branches add one
cycle when taken and another one when they land in another page. The names of the undocumented opcodes are those of
"NMOS 6510 Unintended Opcodes". JAM never finishes; its cycle count is that of its fetch.
"""

from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

_TABLE: Final = """
BRK.imp.7  ORA.izx.6  JAM.imp.2 SLO.izx.8 NOP.zp.3  ORA.zp.3  ASL.zp.5  SLO.zp.5  PHP.imp.3 ORA.imm.2  ASL.acc.2 ANC.imm.2  NOP.abs.4  ORA.abs.4  ASL.abs.6  SLO.abs.6
BPL.rel.2  ORA.izy.5+ JAM.imp.2 SLO.izy.8 NOP.zpx.4 ORA.zpx.4 ASL.zpx.6 SLO.zpx.6 CLC.imp.2 ORA.aby.4+ NOP.imp.2 SLO.aby.7  NOP.abx.4+ ORA.abx.4+ ASL.abx.7  SLO.abx.7
JSR.abs.6  AND.izx.6  JAM.imp.2 RLA.izx.8 BIT.zp.3  AND.zp.3  ROL.zp.5  RLA.zp.5  PLP.imp.4 AND.imm.2  ROL.acc.2 ANC.imm.2  BIT.abs.4  AND.abs.4  ROL.abs.6  RLA.abs.6
BMI.rel.2  AND.izy.5+ JAM.imp.2 RLA.izy.8 NOP.zpx.4 AND.zpx.4 ROL.zpx.6 RLA.zpx.6 SEC.imp.2 AND.aby.4+ NOP.imp.2 RLA.aby.7  NOP.abx.4+ AND.abx.4+ ROL.abx.7  RLA.abx.7
RTI.imp.6  EOR.izx.6  JAM.imp.2 SRE.izx.8 NOP.zp.3  EOR.zp.3  LSR.zp.5  SRE.zp.5  PHA.imp.3 EOR.imm.2  LSR.acc.2 ALR.imm.2  JMP.abs.3  EOR.abs.4  LSR.abs.6  SRE.abs.6
BVC.rel.2  EOR.izy.5+ JAM.imp.2 SRE.izy.8 NOP.zpx.4 EOR.zpx.4 LSR.zpx.6 SRE.zpx.6 CLI.imp.2 EOR.aby.4+ NOP.imp.2 SRE.aby.7  NOP.abx.4+ EOR.abx.4+ LSR.abx.7  SRE.abx.7
RTS.imp.6  ADC.izx.6  JAM.imp.2 RRA.izx.8 NOP.zp.3  ADC.zp.3  ROR.zp.5  RRA.zp.5  PLA.imp.4 ADC.imm.2  ROR.acc.2 ARR.imm.2  JMP.ind.5  ADC.abs.4  ROR.abs.6  RRA.abs.6
BVS.rel.2  ADC.izy.5+ JAM.imp.2 RRA.izy.8 NOP.zpx.4 ADC.zpx.4 ROR.zpx.6 RRA.zpx.6 SEI.imp.2 ADC.aby.4+ NOP.imp.2 RRA.aby.7  NOP.abx.4+ ADC.abx.4+ ROR.abx.7  RRA.abx.7
NOP.imm.2  STA.izx.6  NOP.imm.2 SAX.izx.6 STY.zp.3  STA.zp.3  STX.zp.3  SAX.zp.3  DEY.imp.2 NOP.imm.2  TXA.imp.2 ANE.imm.2  STY.abs.4  STA.abs.4  STX.abs.4  SAX.abs.4
BCC.rel.2  STA.izy.6  JAM.imp.2 SHA.izy.6 STY.zpx.4 STA.zpx.4 STX.zpy.4 SAX.zpy.4 TYA.imp.2 STA.aby.5  TXS.imp.2 TAS.aby.5  SHY.abx.5  STA.abx.5  SHX.aby.5  SHA.aby.5
LDY.imm.2  LDA.izx.6  LDX.imm.2 LAX.izx.6 LDY.zp.3  LDA.zp.3  LDX.zp.3  LAX.zp.3  TAY.imp.2 LDA.imm.2  TAX.imp.2 LXA.imm.2  LDY.abs.4  LDA.abs.4  LDX.abs.4  LAX.abs.4
BCS.rel.2  LDA.izy.5+ JAM.imp.2 LAX.izy.5+ LDY.zpx.4 LDA.zpx.4 LDX.zpy.4 LAX.zpy.4 CLV.imp.2 LDA.aby.4+ TSX.imp.2 LAS.aby.4+ LDY.abx.4+ LDA.abx.4+ LDX.aby.4+ LAX.aby.4+
CPY.imm.2  CMP.izx.6  NOP.imm.2 DCP.izx.8 CPY.zp.3  CMP.zp.3  DEC.zp.5  DCP.zp.5  INY.imp.2 CMP.imm.2  DEX.imp.2 SBX.imm.2  CPY.abs.4  CMP.abs.4  DEC.abs.6  DCP.abs.6
BNE.rel.2  CMP.izy.5+ JAM.imp.2 DCP.izy.8 NOP.zpx.4 CMP.zpx.4 DEC.zpx.6 DCP.zpx.6 CLD.imp.2 CMP.aby.4+ NOP.imp.2 DCP.aby.7  NOP.abx.4+ CMP.abx.4+ DEC.abx.7  DCP.abx.7
CPX.imm.2  SBC.izx.6  NOP.imm.2 ISC.izx.8 CPX.zp.3  SBC.zp.3  INC.zp.5  ISC.zp.5  INX.imp.2 SBC.imm.2  NOP.imp.2 SBC.imm.2  CPX.abs.4  SBC.abs.4  INC.abs.6  ISC.abs.6
BEQ.rel.2  SBC.izy.5+ JAM.imp.2 ISC.izy.8 NOP.zpx.4 SBC.zpx.4 INC.zpx.6 ISC.zpx.6 SED.imp.2 SBC.aby.4+ NOP.imp.2 ISC.aby.7  NOP.abx.4+ SBC.abx.4+ INC.abx.7  ISC.abx.7
"""  # noqa: E501


class Mode(IntEnum):
    """An addressing mode."""

    IMP = 0
    ACC = 1
    IMM = 2
    ZP = 3
    ZPX = 4
    ZPY = 5
    ABS = 6
    ABX = 7
    ABY = 8
    IND = 9
    IZX = 10
    IZY = 11
    REL = 12


class Op(IntEnum):
    """An operation. The numbers are grouped (reads, read-modify-writes, stores, branches, others) for the kernel."""

    # Read the operand.
    ADC = 0
    ALR = 1
    ANC = 2
    AND = 3
    ANE = 4
    ARR = 5
    BIT = 6
    CMP = 7
    CPX = 8
    CPY = 9
    EOR = 10
    LAS = 11
    LAX = 12
    LDA = 13
    LDX = 14
    LDY = 15
    LXA = 16
    NOP = 17
    ORA = 18
    SBC = 19
    SBX = 20
    # Read the operand, change it, write it back.
    ASL = 21
    DCP = 22
    DEC = 23
    INC = 24
    ISC = 25
    LSR = 26
    RLA = 27
    ROL = 28
    ROR = 29
    RRA = 30
    SLO = 31
    SRE = 32
    # Write the operand.
    SAX = 33
    SHA = 34
    SHX = 35
    SHY = 36
    STA = 37
    STX = 38
    STY = 39
    TAS = 40
    # Branches.
    BCC = 41
    BCS = 42
    BEQ = 43
    BMI = 44
    BNE = 45
    BPL = 46
    BVC = 47
    BVS = 48
    # Registers, flags, stack and jumps.
    BRK = 49
    CLC = 50
    CLD = 51
    CLI = 52
    CLV = 53
    DEX = 54
    DEY = 55
    INX = 56
    INY = 57
    JAM = 58
    JMP = 59
    JSR = 60
    PHA = 61
    PHP = 62
    PLA = 63
    PLP = 64
    RTI = 65
    RTS = 66
    SEC = 67
    SED = 68
    SEI = 69
    TAX = 70
    TAY = 71
    TSX = 72
    TXA = 73
    TXS = 74
    TYA = 75


# The first operation of each group of Op:
FIRST_MODIFY: Final = int(Op.ASL)
FIRST_STORE: Final = int(Op.SAX)
FIRST_BRANCH: Final = int(Op.BCC)
FIRST_OTHER: Final = int(Op.BRK)
# Bits of a word of ``kernel_table``:
PAGE_CROSS: Final = 1 << 20
INDIRECT: Final = 1 << 21

DOCUMENTED: Final = frozenset(op for op in Op) - {
    Op.ALR, Op.ANC, Op.ANE, Op.ARR, Op.LAS, Op.LAX, Op.LXA, Op.SBX, Op.DCP, Op.ISC, Op.RLA, Op.RRA, Op.SLO, Op.SRE,
    Op.SAX, Op.SHA, Op.SHX, Op.SHY, Op.TAS, Op.JAM,
}  # fmt: skip

_BYTES: Final = {Mode.IMP: 1, Mode.ACC: 1, Mode.ABS: 3, Mode.ABX: 3, Mode.ABY: 3, Mode.IND: 3}
_TEXT: Final = {
    Mode.IMP: "", Mode.ACC: "A", Mode.IMM: "#${:02X}", Mode.ZP: "${:02X}", Mode.ZPX: "${:02X},X", Mode.ZPY: "${:02X},Y",
    Mode.ABS: "${:04X}", Mode.ABX: "${:04X},X", Mode.ABY: "${:04X},Y", Mode.IND: "(${:04X})", Mode.IZX: "(${:02X},X)",
    Mode.IZY: "(${:02X}),Y", Mode.REL: "${:04X}",
}  # fmt: skip


@dataclass(frozen=True)
class Opcode:
    """One opcode: operation, addressing mode, cycles, and whether a page crossing takes another cycle."""

    code: int
    op: Op
    mode: Mode
    cycles: int
    page_cross: bool

    @property
    def length(self) -> int:
        """The instruction's bytes, the opcode included."""
        return _BYTES.get(self.mode, 2)

    @property
    def documented(self) -> bool:
        return self.op in DOCUMENTED and (self.op is not Op.NOP or self.code == 0xEA) and self.code != 0xEB


def _parse(code: int, entry: str) -> Opcode:
    name, mode, cycles = entry.split(".")
    return Opcode(code, Op[name], Mode[mode.upper()], int(cycles.rstrip("+")), cycles.endswith("+"))


OPCODES: Final[tuple[Opcode, ...]] = tuple(_parse(code, entry) for code, entry in enumerate(_TABLE.split()))


@cache
def kernel_table() -> NDArray[np.int64]:
    """Return the CPU kernel's table, ``int64[256]``: one word for each opcode.

    Bits 0-7: the operation; 8-15: the mode; 16-19: cycles; 24-25: bytes; PAGE_CROSS: a page crossing takes another
    cycle; INDIRECT: the operand is a pointer. Bits 32-47, 48-55 and 56-63: masks for operand, X and Y. The address is
    (operand & mask) + (X & mask) + (Y & mask), ANDed with the operand's mask.
    """
    words = np.zeros(256, dtype=np.int64)
    for o in OPCODES:
        address = 0xFFFF if o.length == 3 else 0xFF if o.mode not in (Mode.IMP, Mode.ACC, Mode.IMM, Mode.REL) else 0
        indexed = (o.mode in (Mode.ABX, Mode.ZPX)) * 0xFF << 16 | (o.mode in (Mode.ABY, Mode.ZPY)) * 0xFF << 24
        word = o.op | o.mode << 8 | o.cycles << 16 | o.length << 24 | (address | indexed) << 32
        word |= PAGE_CROSS * o.page_cross | INDIRECT * (o.mode in (Mode.IND, Mode.IZX, Mode.IZY))
        words[o.code] = word - (word >> 63 << 64)
    words.flags.writeable = False
    return words


def disassemble(memory: bytes, address: int) -> tuple[str, int]:
    """Return the text of the instruction at ``address`` and its length in bytes. Operands wrap at ``memory``'s end."""
    opcode = OPCODES[memory[address]]
    low, high = (memory[(address + i) % len(memory)] for i in (1, 2))
    operand = low | high << 8 if opcode.length == 3 else low
    if opcode.mode is Mode.REL:
        operand = (address + 2 + (low ^ 0x80) - 0x80) & 0xFFFF
    return f"{opcode.op.name} {_TEXT[opcode.mode].format(operand)}".rstrip(), opcode.length
