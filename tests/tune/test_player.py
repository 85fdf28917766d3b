"""The 6510 player, in a processor that is not ours: exact, relocatable, restartable, polite, quick."""

import shutil
import statistics

import numpy as np
import pytest
from py65_machine import Player, cycles, trace
from takes_by_hand import noise, patchwork, song
from test_packer import HAND, by_hand

from sidlive.chip.registers import Frames
from sidlive.tune import assemble
from sidlive.tune import cycles as counted
from sidlive.tune.compile import compile_sid
from sidlive.tune.packer import STREAMS, Packed

WORST_CYCLES = 1640  # 26 raster lines
MEAN_CYCLES = 750
HOPELESS_CYCLES = 1760  # all 28 columns at random in every frame, each voice's control written twice


@pytest.mark.skipif(shutil.which("64tass") is None, reason="64tass is not installed")
def test_the_bytes_are_those_of_the_source() -> None:
    import json

    code, symbols = assemble.describe()
    assert assemble.BINARY.read_bytes() == code, "run python -m sidlive.tune.assemble"
    assert json.loads(assemble.SYMBOLS.read_text()) == symbols


@pytest.mark.parametrize("take", [song(1500), patchwork(1500, 2), noise(150)], ids=["song", "patchwork", "noise"])
def test_all_columns_of_all_frames(take: Frames) -> None:
    assert np.array_equal(trace(compile_sid(take), len(take)), take)


@pytest.mark.parametrize("stream, code, expected", HAND)
def test_tokens_mean_what_the_format_says(
    stream: int, code: str, expected: list[tuple[int, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def hand(*_: object) -> Packed:
        return by_hand(stream, code)

    monkeypatch.setattr("sidlive.tune.packer.pack", hand)
    frames = trace(compile_sid(song(3)), len(expected))
    columns = STREAMS[stream].columns
    assert [tuple(row) for row in frames[:, columns].tolist()] == expected
    assert not np.delete(frames, columns, axis=1).any()


@pytest.mark.parametrize("load", [0x0500, 0x1000, 0x8200, 0x8E00, 0x9F00, 0xA000])
def test_any_page_even_with_the_data_under_basic(load: int) -> None:
    take = song(60)
    assert np.array_equal(trace(compile_sid(take, load=load), 60), take)


def test_init_starts_anew_at_any_time() -> None:
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
    # what the header offers to the SID player's driver is not ours
    assert not own & set(range(sid[0x78] * 256, (sid[0x78] + sid[0x79]) * 256))


def test_envelope_before_control_and_first_control_before_final() -> None:
    take = song(400)
    player = Player(compile_sid(take))
    player.init()
    twice = 0
    for row in take:
        player.play()
        registers = [register for register, _ in player.memory.sid_writes]
        for control in (4, 11, 18):
            if control in registers:
                at = registers.index(control)
                assert control + 1 not in registers[at:] and control + 2 not in registers[at:]
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
        (noise(400, 3), 0x1000, HOPELESS_CYCLES),
    ],
    ids=["song", "song under BASIC", "patchwork", "noise"],
)
def test_the_raster_time_stays_within_bounds(take: Frames, load: int, worst: int) -> None:
    taken = cycles(compile_sid(take, load=load), len(take) + 300)
    assert max(taken) <= worst
    if len(take) == 2500:
        assert statistics.fmean(taken) <= MEAN_CYCLES


def test_the_packer_knows_how_long_the_player_takes() -> None:
    from sidlive.tune import packer, phrases

    take = patchwork(1200, 4)
    parts = [packer._facts(take, 1199, number) for number in range(len(STREAMS))]
    expected = sum(load[:1200] for load in phrases.load(parts, phrases.solve(parts))) + counted.FRAME
    measured = np.array(cycles(compile_sid(take, loop_frame=1199), 1200))
    assert np.abs(measured - expected).max() <= 50
    assert abs(float((measured - expected).mean())) <= 8
