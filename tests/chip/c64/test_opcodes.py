"""The opcode table, compared with py65's tables (documented opcodes) and with the rules of the instruction set."""

import re

import numpy as np
import pytest
from py65.devices.mpu6502 import MPU

from sidlive.chip.c64.opcodes import OPCODES, PAGE_CROSS, Mode, Op, disassemble, kernel_table

PY65_MODES = {
    "imp": Mode.IMP, "acc": Mode.ACC, "imm": Mode.IMM, "zpg": Mode.ZP, "zpx": Mode.ZPX, "zpy": Mode.ZPY,
    "abs": Mode.ABS, "abx": Mode.ABX, "aby": Mode.ABY, "ind": Mode.IND, "inx": Mode.IZX, "iny": Mode.IZY,
    "rel": Mode.REL,
}  # fmt: skip


def test_the_table_has_every_opcode_once_and_105_of_them_are_undocumented() -> None:
    assert [opcode.code for opcode in OPCODES] == list(range(256))
    assert sum(not opcode.documented for opcode in OPCODES) == 105
    assert {opcode.op for opcode in OPCODES} == set(Op)


def test_documented_opcodes_agree_with_py65() -> None:
    for opcode in OPCODES:
        name, mode = MPU.disassemble[opcode.code]
        if name == "???":
            assert not opcode.documented, f"{opcode.code:02X}"
            continue
        assert opcode.documented, f"{opcode.code:02X}"
        assert (opcode.op.name, opcode.mode) == (name, PY65_MODES[mode])
        assert opcode.cycles == MPU.cycletime[opcode.code] or opcode.code == 0xCE  # py65 gives DEC abs 3, not 6
        if opcode.mode is not Mode.REL:
            assert opcode.page_cross == bool(MPU.extracycles[opcode.code]), f"{opcode.code:02X}"


def test_only_indexed_reads_take_a_cycle_for_a_page_crossing() -> None:
    for opcode in OPCODES:
        if opcode.page_cross:
            assert opcode.mode in (Mode.ABX, Mode.ABY, Mode.IZY)
            assert opcode.op < Op.ASL  # neither read-modify-write nor store


def test_the_kernels_table_has_the_same_fields() -> None:
    table = kernel_table()
    assert table.shape == (256,) and table.dtype == np.int64
    for opcode, word in zip(OPCODES, table.tolist(), strict=True):
        assert (word & 0xFF, word >> 8 & 0xFF, word >> 16 & 15) == (opcode.op, opcode.mode, opcode.cycles)
        assert (word & PAGE_CROSS != 0, word >> 24 & 3) == (opcode.page_cross, opcode.length)


@pytest.mark.parametrize(
    ("code", "text", "length"),
    [
        ("A9 0F", "LDA #$0F", 2),
        ("8D 18 D4", "STA $D418", 3),
        ("D0 FE", "BNE $1000", 2),
        ("6C FF 12", "JMP ($12FF)", 3),
        ("B1 FB", "LDA ($FB),Y", 2),
        ("A1 FB", "LDA ($FB,X)", 2),
        ("0A", "ASL A", 1),
        ("A7 FB", "LAX $FB", 2),
        ("60", "RTS", 1),
    ],
)
def test_disassembly(code: str, text: str, length: int) -> None:
    memory = bytearray(0x10000)
    memory[0x1000 : 0x1000 + len(bytes.fromhex(code))] = bytes.fromhex(code)
    assert disassemble(bytes(memory), 0x1000) == (text, length)


def test_every_opcode_disassembles() -> None:
    for code in range(256):
        text, length = disassemble(bytes([code, 0x34, 0x12]), 0)
        assert re.match(r"[A-Z]{3}", text) and 1 <= length <= 3
