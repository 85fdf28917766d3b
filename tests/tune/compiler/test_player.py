"""The 6510 player in another emulator (py65): exact, relocatable, restartable, without side effects, fast."""

import shutil
import statistics
from dataclasses import replace

import numpy as np
import pytest
from takes_by_hand import noise, patchwork, song
from test_packer import CONTROL_FIRST, HAND, by_hand

from sidlive.bench.calls import call_cycles
from sidlive.bench.py65_player import Player, cycles, trace
from sidlive.chip.c64 import bus, cpu, slots
from sidlive.chip.c64.opcodes import OPCODES, Mode, kernel_table
from sidlive.chip.registers import Frames
from sidlive.tune.compiler import assemble, packer, solver
from sidlive.tune.compiler import cycles as counted
from sidlive.tune.compiler.block import MemoryBlock, SongFrames, build, pack_song, player
from sidlive.tune.compiler.facts import Facts
from sidlive.tune.compiler.packer import STREAMS, Packed
from sidlive.tune.compiler.player_tokens import COPY, HOLD, PAIR, RAMP, SET, TWICE, VOICE
from sidlive.tune.compiler.sid_file import compile_sid
from sidlive.tune.compiler.solver import Tokens

ORDERS = pytest.mark.parametrize("control_first", [False, True], ids=["envelope first", "control first"])
CPX, PLA = 0xE0, 0x68

WORST_CYCLES = 1640  # 26 raster lines
MEAN_CYCLES = 750
DEAREST_CYCLES = 1890  # every stream begins the token that takes longest
CALL_CYCLES = 149  # in addition for each stream that also returns from a call and makes one
NOISE_CYCLES = 1760  # all 28 columns random in every frame, each voice's control written twice


@pytest.mark.skipif(shutil.which("64tass") is None, reason="64tass is not installed")
@ORDERS
def test_the_bytes_are_those_of_the_source(control_first: bool) -> None:
    import json

    code, symbols = assemble.describe(control_first)
    binary = assemble.BINARIES[control_first]
    assert binary.read_bytes() == code, "run python -m sidlive.tune.compiler.assemble"
    assert json.loads(binary.with_suffix(".json").read_text()) == symbols
    assert len(code) == len(player()[0])


@ORDERS
@pytest.mark.parametrize("take", [song(1500), patchwork(1500, 2), noise(150)], ids=["song", "patchwork", "noise"])
def test_all_columns_of_all_frames_are_played(take: Frames, control_first: bool) -> None:
    assert np.array_equal(trace(compile_sid(take, control_first=control_first), len(take)), take)


@pytest.mark.parametrize("stream, code, expected", HAND)
def test_tokens_follow_the_format(
    stream: int, code: str, expected: list[tuple[int, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def hand(*_: object) -> Packed:
        return by_hand(stream, code)

    monkeypatch.setattr("sidlive.tune.compiler.packer.pack", hand)
    frames = trace(compile_sid(song(3)), len(expected))
    columns = STREAMS[stream].columns
    assert [tuple(row) for row in frames[:, columns].tolist()] == expected
    assert not np.delete(frames, columns, axis=1).any()


def test_tokens_may_name_control_first(monkeypatch: pytest.MonkeyPatch) -> None:
    code, expected = CONTROL_FIRST
    monkeypatch.setattr("sidlive.tune.compiler.packer.pack", lambda *_: replace(by_hand(2, code), control_first=True))
    frames = trace(compile_sid(song(3)), len(expected))
    assert [tuple(row) for row in frames[:, STREAMS[2].columns].tolist()] == expected


@pytest.mark.parametrize("load", [0x0500, 0x1000, 0x8200, 0x8E00, 0x9F00, 0xA000])
def test_it_plays_at_any_page_even_with_data_under_basic(load: int) -> None:
    take = song(60)
    assert np.array_equal(trace(compile_sid(take, load=load), 60), take)


def test_init_restarts_the_song_at_any_time() -> None:
    take = patchwork(400, 5)
    player = Player(compile_sid(take), fill=0xFF)
    for stop in (0, 1, 130, 333, 400):
        player.init()
        assert np.array_equal(player.frames(stop), take[:stop])


def test_it_touches_nothing_but_its_own_memory() -> None:
    take = song(700)
    sid = compile_sid(take)
    player = Player(sid, fill=0x99)
    before = list(player.memory.ram)
    player.init()
    player.frames(len(take))
    rings = -(-player.end // 256) * 256
    own = {*range(player.load, player.end), *range(rings, rings + 28 * 256), *range(0x1E0, 0x200)}
    assert not [a for a in range(0x10000) if player.memory.ram[a] != before[a] and a not in own]
    # the player does not use the pages that the header offers to a SID player's driver
    assert not own & set(range(sid[0x78] * 256, (sid[0x78] + sid[0x79]) * 256))


@ORDERS
def test_voices_are_written_in_their_order_and_first_control_before_final(control_first: bool) -> None:
    take = song(400)
    player = Player(compile_sid(take, control_first=control_first))
    player.init()
    twice = 0
    for row in take:
        player.play()
        registers = [register for register, _ in player.memory.sid_writes]
        for control in (4, 11, 18):
            if control in registers:
                at = registers.index(control)
                others = registers[:at] if control_first else registers[at:]
                assert control + 1 not in others and control + 2 not in others
            values = [value for register, value in player.memory.sid_writes if register == control]
            if row[25 + (control - 4) // 7] != row[control]:
                assert values == [row[25 + (control - 4) // 7], row[control]]
                twice += 1
    assert twice > 50


def test_init_is_quick_and_leaves_the_chip_silent() -> None:
    player = Player(compile_sid(song(50)))
    assert player.init() < 3000
    assert player.memory.sid_writes[0] == (24, 0) and {register for register, _ in player.memory.sid_writes} == set(
        range(25)
    )
    assert not any(value for _, value in player.memory.sid_writes)


@pytest.mark.parametrize(
    "take, load, worst",
    [
        (song(2500), 0x1000, WORST_CYCLES),
        (song(2500), 0x9000, WORST_CYCLES),
        (patchwork(2000, 9), 0x1000, WORST_CYCLES),
        (noise(400, 3), 0x1000, NOISE_CYCLES),
    ],
    ids=["song", "song under BASIC", "patchwork", "noise"],
)
def test_the_raster_time_stays_within_bounds(take: Frames, load: int, worst: int) -> None:
    taken = cycles(compile_sid(take, load=load), len(take) + 300)
    assert max(taken) <= worst
    if len(take) == 2500:
        assert statistics.fmean(taken) <= MEAN_CYCLES


def walked(block: MemoryBlock, count: int) -> list[list[int]]:
    """Return the cycles of each part of each play call, from the opcode table alone, for the code in memory.

    One row per call: the code before the streams, each stream (it begins with CPX), the code after them. A taken branch
    counts one cycle more; extra cycles for crossing a page are left out.
    """
    state, memory = np.zeros(slots.LOG, np.int64), np.zeros(slots.MEMORY_BYTES, np.uint8)
    state[slots.FLAT] = 1
    bus.remap(state)
    memory[block.load : block.load + len(block.image)] = np.frombuffer(block.image, np.uint8)
    memory[0x1FC:0x1FE] = 0xEF, 0xFF  # return to $FFF0
    rows = []
    for address in [block.load] + [block.load + 3] * count:
        state[slots.PC], state[slots.A], state[slots.SP] = address, 0, 0xFB
        parts = [0]
        while state[slots.PC] < 0xFFF0:
            at = int(state[slots.PC])
            opcode = OPCODES[memory[at]]
            assert opcode.documented
            state[slots.CYCLE] = 0
            cpu.run(state, memory, kernel_table(), 0x10000, 1)
            if opcode.code == CPX or (opcode.code == PLA and len(parts) == len(STREAMS) + 1):
                parts.append(0)
            taken = opcode.mode is Mode.REL and state[slots.PC] != at + 2
            parts[-1] += opcode.cycles + taken
        rows.append(parts)
    return rows[1:]


@pytest.fixture(scope="module", params=[False, True], ids=["envelope first", "control first"])
def counts(request: pytest.FixtureRequest) -> tuple[list[Facts], list[Tokens], np.ndarray]:
    """Return facts and tokens of a take with all kinds of tokens, and the cycles of `walked`, [frames, streams + 2]."""
    take = patchwork(1200, 4)
    parts = [packer._facts(take, 1199, number) for number in range(len(STREAMS))]
    rows = walked(build([pack_song(SongFrames(take, 1199, request.param))]), 1200)
    return (
        parts,
        solver.solve(parts),
        np.array([[*row[: len(STREAMS) + 1], sum(row[len(STREAMS) + 1 :])] for row in rows]),
    )


def test_the_counts_are_those_of_the_opcode_table(counts) -> None:  # type: ignore[no-untyped-def]
    """The cycles of each token in cycles.py equal the sum of the opcode table along the player's path."""
    parts, solution, rows = counts
    assert (rows[:, 0] + rows[:, -1] == counted.FRAME).all()
    loads = solver.load(parts, solution)
    seen = set()
    for number, (facts, tokens, expected) in enumerate(zip(parts, solution, loads, strict=True)):
        more = rows[:, number + 1] - expected[:1200]
        begins = np.zeros(1200, bool)
        followed = solver._expand_calls(tokens, solution)
        begins[followed[followed[:, 0] < 1200, 0]] = True
        assert not more[~begins].any(), "a stream at rest"
        for op in sorted(set(followed[:, 1].tolist())):
            at = followed[(followed[:, 1] == op) & (followed[:, 0] < 1200), 0]
            # a pointer that crosses a page: 5 more; a counter that wraps: a visit to go_back, 24 with nothing to do
            assert set(more[at].tolist()) <= {0, 5, 24, 29}, (number, op)
            assert not more[at].size or np.bincount(more[at]).argmax() == 0, (number, op)
            seen.add((facts.kind, op))
    assert seen >= {(PAIR, op) for op in (COPY, RAMP, SET)}
    assert seen >= {(VOICE, op) for op in (COPY, HOLD, SET, TWICE)}


def test_the_worst_case_does_not_grow() -> None:
    """All streams begin their most expensive token in one frame: no music comes near that, but it must not grow."""
    ops = {
        PAIR: [
            *((op, 1) for op in (COPY, RAMP)),
            (RAMP, 999),
            *((SET, named) for named in range(4)),
        ],
        VOICE: [
            *((op, 0) for op in (COPY, HOLD, TWICE)),
            *((SET, n) for n in range(8)),
        ],
    }
    dearest = [max(counted.start_cycles(s.kind, s.bits, op, a) for op, a in ops[s.kind]) for s in STREAMS]
    assert counted.FRAME + sum(dearest) <= DEAREST_CYCLES
    assert counted.CALLING + counted.RETURNING <= CALL_CYCLES


def test_the_packer_knows_how_long_the_player_takes(counts) -> None:  # type: ignore[no-untyped-def]
    parts, solution, _ = counts
    expected = sum(load[:1200] for load in solver.load(parts, solution)) + counted.FRAME
    measured = call_cycles(build([pack_song(SongFrames(patchwork(1200, 4), 1199))]), 1200)
    assert np.abs(measured - expected).max() <= 50
    assert 0 <= float((measured - expected).mean()) <= 8


@ORDERS
def test_no_instruction_is_undocumented(control_first: bool) -> None:
    """Check every instruction of the assembled player in turn: there are no data between the routines."""
    code, _ = player(control_first)
    at = 0
    while at < len(code) - 2 - 5 * len(STREAMS):  # the variables at its end
        opcode = OPCODES[code[at]]
        assert opcode.documented, f"{at:04X}"
        at += opcode.length
    assert at == len(code) - 2 - 5 * len(STREAMS)
