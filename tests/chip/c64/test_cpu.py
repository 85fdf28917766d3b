"""The 6510 kernel, compared with single-step vectors, a functional test program and py65."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from py65.devices.mpu6502 import MPU

from sidlive.chip.c64 import bus, cpu, slots
from sidlive.chip.c64.opcodes import OPCODES, Mode, Op, kernel_table

TABLE = kernel_table()
STATUS_MASK = 0xCF  # without bits 4 and 5, which exist only in the P that is pushed
PY65_WRONG_CYCLES = {0xCE}  # py65 gives DEC abs 3 cycles; it takes 6
REGISTERS = slice(slots.PC, slots.P + 1)


def flat_machine() -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Return state and memory of a processor with 64 KiB of RAM and no chips."""
    state = np.zeros(slots.LOG, dtype=np.int64)
    state[slots.FLAT] = 1
    state[slots.SP] = 0xFF
    bus.remap(state)
    return state, np.zeros(slots.MEMORY_BYTES, dtype=np.uint8)


@pytest.fixture(scope="module")
def vectors(shared: Path) -> dict[str, NDArray[Any]]:
    with np.load(shared / "oracle" / "cpu" / "cpu_vectors.npz") as archive:
        return {key: archive[key] for key in archive.files}


def test_every_single_step_vector_ends_in_its_state(vectors: dict[str, NDArray[Any]]) -> None:
    """Compare state and cycles of 25,600 vectors, except cycles of JAM, $0C and NOP abs,X: the vectors' are wrong."""
    state, memory = flat_machine()
    wrong: dict[str, int] = {}
    for i, code in enumerate(vectors["opcode"]):
        opcode = OPCODES[code]
        before = vectors["mem_before"][vectors["before_start"][i] : vectors["before_start"][i + 1]]
        after = vectors["mem_after"][vectors["after_start"][i] : vectors["after_start"][i + 1]]
        state[REGISTERS], state[slots.CYCLE] = vectors["before"][i], 0
        memory[before[:, 0]] = before[:, 1]
        status = cpu.run(state, memory, TABLE, 0x10000, 1)
        expected = vectors["after"][i].astype(np.int64)
        expected[5] &= STATUS_MASK
        got = state[REGISTERS].copy()
        got[5] &= STATUS_MASK
        cycles_count = opcode.op is not Op.JAM and not (opcode.op is Op.NOP and opcode.mode in (Mode.ABS, Mode.ABX))
        right = (
            (got == expected).all()
            and (memory[after[:, 0]] == after[:, 1]).all()
            and (state[slots.CYCLE] == vectors["cycles"][i] or not cycles_count)
            and (status == slots.JAMMED) == (opcode.op is Op.JAM)
        )
        if not right:
            wrong[f"{code:02X} {opcode.op.name}"] = wrong.get(f"{code:02X} {opcode.op.name}", 0) + 1
        memory[after[:, 0]] = memory[before[:, 0]] = 0
    assert len(vectors["opcode"]) == 25_600
    assert wrong == {}


def test_klaus_dormanns_functional_test_passes(shared: Path) -> None:
    """96 million cycles of self-checking documented instructions, which end in a loop at $3469 or at a failed check."""
    state, memory = flat_machine()
    program = np.fromfile(shared / "oracle" / "cpu" / "klaus_functional_test.bin", dtype=np.uint8)
    memory[: len(program)] = program
    state[slots.PC] = 0x0400
    status = cpu.run(state, memory, TABLE, 0x10000, 100_000_000)
    assert status == slots.RETURNED and state[slots.PC] == 0x3469, f"stopped at ${state[slots.PC]:04X}"
    assert abs(int(state[slots.CYCLE]) - 96_241_364) < 10


def test_documented_opcodes_have_the_same_effects_as_in_py65() -> None:
    """Random programs of documented opcodes, one instruction at a time: registers, memory and cycles."""
    random = np.random.default_rng(6502)
    documented = [o.code for o in OPCODES if o.documented and o.op is not Op.BRK]
    for _ in range(20):
        state, memory = flat_machine()
        memory[:0x10000] = random.integers(0, 256, 0x10000, dtype=np.uint8)
        mpu = MPU(memory=memory[:0x10000].tolist())
        for code in random.choice(documented, 200):
            pc, sp, a, x, y = (int(v) for v in random.integers(0, (0xFFF0, 256, 256, 256, 256)))
            status = int(random.integers(0, 256)) & 0xC7 | 0x20  # binary mode: py65's decimal flags are not the NMOS's
            memory[pc] = mpu.memory[pc] = int(code)
            mpu.pc, mpu.sp, mpu.a, mpu.x, mpu.y, mpu.p, mpu.processorCycles = pc, sp, a, x, y, status, 0
            mpu.step()
            state[REGISTERS] = pc, sp, a, x, y, status
            state[slots.CYCLE] = 0
            cpu.run(state, memory, TABLE, 0x10000, 1)
            text = f"opcode {code:02X}"
            assert state[slots.PC : slots.P].tolist() == [mpu.pc, mpu.sp, mpu.a, mpu.x, mpu.y], text
            assert int(state[slots.P]) & STATUS_MASK == mpu.p & STATUS_MASK, text
            assert state[slots.CYCLE] == mpu.processorCycles or code in PY65_WRONG_CYCLES, text
        assert memory[:0x10000].tolist() == mpu.memory


@pytest.mark.parametrize(
    ("a", "operand", "carry", "total", "carry_out"),
    [(0x58, 0x46, 1, 0x05, 1), (0x12, 0x34, 0, 0x46, 0), (0x99, 0x01, 0, 0x00, 1), (0x81, 0x92, 0, 0x73, 1)],
)
def test_decimal_addition(a: int, operand: int, carry: int, total: int, carry_out: int) -> None:
    state, memory = flat_machine()
    memory[0x1000:0x1002] = 0x69, operand
    state[REGISTERS] = 0x1000, 0xFF, a, 0, 0, slots.DECIMAL | carry
    cpu.run(state, memory, TABLE, 0x1002, 10)
    assert (state[slots.A], state[slots.P] & slots.CARRY) == (total, carry_out)


@pytest.mark.parametrize(
    ("a", "operand", "carry", "total", "carry_out"),
    [(0x46, 0x12, 1, 0x34, 1), (0x40, 0x13, 1, 0x27, 1), (0x32, 0x02, 0, 0x29, 1), (0x12, 0x21, 1, 0x91, 0)],
)
def test_decimal_subtraction(a: int, operand: int, carry: int, total: int, carry_out: int) -> None:
    state, memory = flat_machine()
    memory[0x1000:0x1002] = 0xE9, operand
    state[REGISTERS] = 0x1000, 0xFF, a, 0, 0, slots.DECIMAL | carry
    cpu.run(state, memory, TABLE, 0x1002, 10)
    assert (state[slots.A], state[slots.P] & slots.CARRY) == (total, carry_out)


def test_a_run_continued_from_copies_equals_one_run() -> None:
    """One run, and a run that is stopped at deadlines and continued from copies, end in the same state."""
    state, memory = flat_machine()
    # $1000: INX  STX $2000  INC $2001  BNE $1000  JMP $1000
    memory[0x1000:0x100C] = list(bytes.fromhex("E8 8E 00 20 EE 01 20 D0 F7 4C 00 10"))
    state[slots.PC] = 0x1000
    again, memory_again = state.copy(), memory.copy()
    cpu.run(state, memory, TABLE, 0x10000, 10_000)
    for deadline in range(100, 10_001, 100):
        again, memory_again = again.copy(), memory_again.copy()
        cpu.run(again, memory_again, TABLE, 0x10000, deadline)
    assert (again == state).all() and (memory_again == memory).all()
