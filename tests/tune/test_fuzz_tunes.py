"""Hostile tunes: every file becomes frames or one clear error, within the bounds stated here."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tunes_by_hand import LOAD, PLAY, program, sid_file

from sidlive.chip.c64 import machine
from sidlive.chip.c64.machine import INIT_TIMEOUT_S, PLAY_TIMEOUT_FRAMES
from sidlive.chip.registers import COLUMNS, USED_BITS
from sidlive.errors import TuneError
from sidlive.tune.capture.recorder import Recorder
from sidlive.tune.formats.prg import parse as parse_prg
from sidlive.tune.formats.psid import HEADER_V2, Tune, parse

FRAMES = 200
MOST_BYTES = 8 << 20  # most memory that reading and recording may allocate, frames included

SHORT_INIT_S = 1.0  # time limit of init in tests with many tunes; a few tunes are tried with the real limit

hostile = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
hostile_for_long = settings(
    hostile, max_examples=15
)  # tunes with their own interrupt are run for seconds to find the rate

bytes_ = st.integers(0, 255)
# Where a tune's writes and reads matter: the SID, the raster, the timers, the port, the vectors, the stack.
HOT = [
    *range(0xD400, 0xD420), 0xD011, 0xD012, 0xD019, 0xD01A, *range(0xDC00, 0xDC10), *range(0xDD00, 0xDD10),
    0x00, 0x01, 0x0314, 0x0315, 0x0316, 0x0317, 0x0318, 0x0319, *range(0xFFFA, 0x10000), 0x0100, 0x01FF, LOAD, PLAY,
]  # fmt: skip
addresses = st.one_of(st.sampled_from(HOT), st.integers(LOAD, LOAD + 0xFF), st.integers(0, 0xFFFF))


def words(*opcodes: int) -> st.SearchStrategy[bytes]:
    """Generate one of these opcodes with an address, mostly from HOT."""
    return st.builds(lambda op, at: bytes([op, at & 0xFF, at >> 8]), st.sampled_from(opcodes), addresses)


def pairs(*opcodes: int) -> st.SearchStrategy[bytes]:
    """Generate one of these opcodes with any byte."""
    return st.builds(lambda op, value: bytes([op, value]), st.sampled_from(opcodes), bytes_)


instructions = st.one_of(
    st.builds(  # LDA #value STA address
        lambda value, at: bytes([0xA9, value, 0x8D, at & 0xFF, at >> 8]), bytes_, addresses
    ),
    words(0x8D, 0x8E, 0x8C, 0x9D, 0x99),  # STA STX STY, STA indexed
    words(0xEE, 0xCE, 0x0E, 0x2E, 0xAD, 0xAE, 0xBD, 0x2C),  # INC DEC ASL ROL LDA LDX LDA,X BIT
    words(0x4C, 0x20, 0x6C),  # JMP JSR JMP ()
    pairs(0xD0, 0xF0, 0x10, 0x30, 0x90, 0xB0, 0x50, 0x70),  # branches
    pairs(0xA9, 0xA2, 0xA0, 0x69, 0xE9, 0x91, 0xB1, 0x85, 0xA5),
    st.sampled_from(
        [b"\x60", b"\x40", b"\x00", b"\x78", b"\x58", b"\xf8", b"\x48", b"\x68", b"\x28", b"\x9a", b"\xba"]
    ),
    st.binary(min_size=1, max_size=3),
)
code = st.lists(instructions, max_size=24).map(lambda parts: b"".join(parts)[:60] + b"\x60")


def run(tune: Tune, song: int | None = None, init_s: float = SHORT_INIT_S) -> None:
    """Record a tune: the result must be frames or a TuneError of one line, within the allowed cycles."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(machine, "INIT_TIMEOUT_S", init_s)
        _run(tune, song)


def _run(tune: Tune, song: int | None) -> None:
    recorder = None
    try:
        recorder = Recorder(tune, song)
        rows = recorder.record(FRAMES)
    except TuneError as error:
        assert str(error) and "\n" not in str(error)
    else:
        assert rows.shape == (FRAMES, COLUMNS) and rows.dtype == np.uint8
        assert not (rows & ~USED_BITS).any()
        assert 1 <= recorder.expected_hz <= 1_100_000
    if recorder is not None:
        timing = tune.timing
        budget = INIT_TIMEOUT_S * timing.clock_hz + (FRAMES + 1) * PLAY_TIMEOUT_FRAMES * timing.cycles_per_frame
        assert recorder.machine.cycle <= budget


def read(data: bytes) -> Tune | None:
    """Return the tune in these bytes, or None if they are refused with one line."""
    try:
        tune = parse(data, "fuzz.sid")
    except TuneError as error:
        assert str(error).startswith("fuzz.sid: ") and "\n" not in str(error)
        return None
    assert tune.to_bytes() == data
    return tune


@hostile
@given(
    st.lists(st.tuples(st.integers(0, HEADER_V2 + 1), st.sampled_from([0, 1, 2, 0x10, 0x76, 0x7F, 0xFF]) | bytes_)),
    st.integers(0, 400),
    st.sampled_from([1, 2, 3, 4]),
)
def test_headers(changes: list[tuple[int, int]], cut: int, version: int) -> None:
    data = bytearray(sid_file(version=version))
    for offset, value in changes:
        data[offset] = value
    tune = read(bytes(data[: len(data) - cut]))
    if tune is not None:
        run(tune)
        run(tune, tune.songs)


@hostile
@given(
    st.binary(min_size=1, max_size=2000),
    st.sampled_from([0x0200, 0x0400, 0x0801, 0x1000, 0x9FF0, 0xA000, 0xCFF0, 0xD3F0, 0xE000, 0xFF00]),
    st.integers(0, 2000),
    st.integers(0, 2000),
    st.sampled_from([b"PSID", b"RSID"]),
    st.sampled_from([0, 1, 0xFFFFFFFF]),
)
def test_images(image: bytes, address: int, init: int, play: int, magic: bytes, speed: int) -> None:
    real = magic == b"RSID"
    data = sid_file(
        image,
        magic=magic,
        address=address,
        init=address + init % len(image),
        play=0 if real or play % 5 == 0 else address + play % len(image),
        speed=0 if real else speed,
    )
    tune = read(data)
    if tune is not None:
        run(tune)


@hostile
@given(code, code, st.sampled_from([PLAY, PLAY, 0, LOAD]), st.integers(0, 1), st.sampled_from([0x14, 0x18, 0]))
def test_code(init: bytes, play: bytes, address: int, speed: int, flags: int) -> None:
    tune = read(sid_file(program(init.hex(), play.hex()), play=address, speed=speed, flags=flags))
    assert tune is not None
    run(tune)


@hostile_for_long
@given(code, code)
def test_code_with_interrupts_of_its_own(init: bytes, handler: bytes) -> None:
    """Init points the Kernal's vector at the handler, which exits through the Kernal unless its code prevents that."""
    begin = "A9 40 8D 14 03 A9 10 8D 15 03"
    image = program((bytes.fromhex(begin) + init[:50] + b"\x60").hex(), (handler[:57] + b"\x4c\x31\xea").hex())
    tune = read(sid_file(image, magic=b"RSID", play=0))
    assert tune is not None
    run(tune)


@hostile_for_long
@given(code)
def test_programs(body: bytes) -> None:
    basic = b"\x0b\x08\x0a\0\x9e2061\0\0\0"
    run(parse_prg(b"\x01\x08" + basic + body))


@pytest.mark.parametrize("loop", ["4C 00 10", "78 4C 01 10", "20 00 10", "00", "6C 00 10"])
@pytest.mark.parametrize("magic", [b"PSID", b"RSID"])
def test_memory_has_a_bound(loop: str, magic: bytes) -> None:
    """Memory use does not depend on the tune's code."""
    data = sid_file(program(loop, "EE 20 D0 4C 40 10"), magic=magic, play=PLAY if magic == b"PSID" else 0)
    tune = read(data)
    assert tune is not None
    run(tune)  # loads and compiles everything that is needed once
    tracemalloc.start()
    try:
        run(tune, init_s=INIT_TIMEOUT_S)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < MOST_BYTES
