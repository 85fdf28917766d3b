"""The packer and its inverse: packed frames come back, follow the format, and are small."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from takes_by_hand import noise, patchwork, song

from sidlive.chip import registers as sid
from sidlive.chip.registers import Frames
from sidlive.tune.compiler import solver
from sidlive.tune.compiler.packer import STREAMS, Packed, pack, unpack
from sidlive.tune.compiler.player_tokens import CALL, PAIR, SET
from sidlive.tune.compiler.search import worth_calling


def looped(frames: Frames, loop: int, count: int) -> Frames:
    """Return ``count`` frames of endless play: ``frames``, then from frame ``loop`` on again and again."""
    index = np.arange(count)
    index = np.where(index < len(frames), index, loop + (index - loop) % (len(frames) - loop))
    return frames[index]


@settings(deadline=None, max_examples=25)
@given(
    st.integers(1, 700),
    st.integers(0, 10**6),
    st.floats(0, 1),
    st.sampled_from([song, patchwork, noise]),
    st.booleans(),
)
def test_packed_frames_come_back_and_continue_at_the_loop(
    count: int, seed: int, part: float, kind, control_first: bool
) -> None:
    frames = kind(count, seed)
    loop = int(part * (count - 1))
    packed = pack(frames, loop, control_first)
    heard = count + 2 * (count - loop) + 600
    assert np.array_equal(unpack(packed, heard), looped(frames, loop, heard))


def test_every_column_is_in_one_stream() -> None:
    assert sorted(column for stream in STREAMS for column in stream.columns) == list(range(sid.COLUMNS))


def test_unused_bits_are_not_kept() -> None:
    frames = np.full((3, sid.COLUMNS), 0xFF, np.uint8)
    assert np.array_equal(unpack(pack(frames, 0), 3), frames & sid.USED_BITS)


def test_links_follow_the_data() -> None:
    packed = Packed(bytes([0x80 | 0x3F, 1, 2, 0, 0, 0, 0]), (1, 3), ((5, 4),))
    assert len(packed) == 4 + 7
    assert packed.at(0x1000).hex(" ") == "05 10 07 10 bf 01 02 00 00 08 10"


# One stream at a time: tokens written by hand from the description in player.asm, and the rows that they play.
# `by_hand` adds a jump that repeats the last token.
HAND = [
    # frequency of voice 1: set both for 1 frame, add 2 for 3, add -300 for 2, copy 4 from 5 ago, set low, set high,
    # hold 256
    (0, "b1 34 12 c2 02 c1 80 d4 fe 04 fb 91 ff a1 00 80", [
        (0x34, 0x12), (0x36, 0x12), (0x38, 0x12), (0x3A, 0x12), (0x0E, 0x11), (0xE2, 0x0F),
        (0x36, 0x12), (0x38, 0x12), (0x3A, 0x12), (0x0E, 0x11), (0xFF, 0x11), (0xFF, 0x00), (0xFF, 0x00)]),
    # pulse width: 12 bits wrap
    (1, "b1 f0 0f c1 10 c0 e0 80", [(0xF0, 0x0F), (0x00, 0x00), (0x10, 0x00), (0xF0, 0x0F), (0xF0, 0x0F)]),
    # voice 1: all three for 2 frames, control twice, hold 3, copy 4 from 4 ago, control alone, release and control,
    # attack alone for 2 frames
    (2, "ba 09 a0 41 80 08 a1 40 43 c2 04 fc 89 11 99 50 10 a2 07", [
        (9, 0xA0, 0x41, 0x41), (9, 0xA0, 0x41, 0x41), (8, 0xA1, 0x43, 0x40), (8, 0xA1, 0x43, 0x43),
        (8, 0xA1, 0x43, 0x43), (8, 0xA1, 0x43, 0x43), (8, 0xA1, 0x43, 0x40), (8, 0xA1, 0x43, 0x43),
        (8, 0xA1, 0x43, 0x43), (8, 0xA1, 0x43, 0x43), (8, 0xA1, 0x11, 0x11), (8, 0x50, 0x10, 0x10),
        (7, 0x50, 0x10, 0x10), (7, 0x50, 0x10, 0x10)]),
    # volume: ramps add to it alone, by a byte; $80 is a step like others
    (10, "b1 f1 1f c3 ff c0 80 80", [
        (0xF1, 0x1F), (0xF1, 0x1E), (0xF1, 0x1D), (0xF1, 0x1C), (0xF1, 0x1B), (0xF1, 0x9B), (0xF1, 0x9B)]),
    # cutoff: call two of the tokens at offset 1 (beyond the jump over them), then go on
    (9, "00 00 0a 00 91 03 a1 44 81 82 00 02 04 00 b1 05 66 00 01 06 00 80", [
        (3, 0), (3, 0x44), (5, 0x66), (5, 0x44), (5, 0x44)]),
]  # fmt: skip


# The third stream for the player that writes control first: its tokens also begin with control or its two values.
CONTROL_FIRST = "ba 41 09 a0 80 40 43 08 a1 c2 04 fc 89 11 99 10 50 a2 07", HAND[2][2]


def by_hand(stream: int, code: str) -> Packed:
    """Return a packed take: one stream of the bytes ``code``, the others at rest; each repeats its last token."""
    mine = bytes.fromhex(code)
    last = len(mine) - (2 if stream == 2 else 1)
    links = [(i, mine[i]) for i in (2, 12, 19) if stream == 9]
    data = mine + bytes(4)
    links.append((len(data) - 2, last))
    rest = len(data)
    data += bytes([0x80, 0, 0, 0, 0])
    links.append((len(data) - 2, rest))
    voice_rest = len(data)
    data += bytes([0xC0, 0, 0, 0, 0])
    links.append((len(data) - 2, voice_rest))
    starts = [voice_rest if other.kind else rest for other in STREAMS]
    starts[stream] = 0
    return Packed(data, tuple(starts), tuple(links))


@pytest.mark.parametrize("stream, code, expected", HAND)
def test_tokens_follow_the_format(stream: int, code: str, expected: list[tuple[int, ...]]) -> None:
    frames = unpack(by_hand(stream, code), len(expected))
    columns = STREAMS[stream].columns
    assert [tuple(row) for row in frames[:, columns].tolist()] == expected
    assert not np.delete(frames, columns, axis=1).any()


def test_tokens_may_name_control_first() -> None:
    code, expected = CONTROL_FIRST
    frames = unpack(replace(by_hand(2, code), control_first=True), len(expected))
    assert [tuple(row) for row in frames[:, STREAMS[2].columns].tolist()] == expected


def test_silence_costs_next_to_nothing() -> None:
    assert len(pack(sid.silence(15_000), 0)) < 800


def test_repeated_music_is_called_instead_of_packed_again() -> None:
    theme, bridge = song(960, seed=3), song(960, seed=4)
    alone = len(pack(np.concatenate([theme, bridge]), 0))
    again = len(pack(np.concatenate([theme, bridge, theme, bridge, theme]), 0))
    assert again - alone < 0.25 * alone


@pytest.mark.parametrize(
    "name",
    [
        "Laxity/Repeat_me",
        "Tel_Jeroen/64_Dwarfs_on_XTC",
        "Hubbard_Rob/Phantoms_of_the_Asteroid",
        "Gallefoss_Glenn/Danske-baaten",
        "Spider_Jerusalem/Simple_Loop",
    ],
)
def test_real_tunes_pack_within_twelve_thousand_bytes(shared, name: str) -> None:
    from sidlive.tune.capture.recorder import capture
    from sidlive.tune.formats.psid import read

    path = shared / "corpus" / f"{name}.sid"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    frames = capture(read(path), frames=9000).frames
    packed = pack(frames, 0)
    assert len(packed) <= 12_000
    assert np.array_equal(unpack(packed, 9000), frames)


@pytest.mark.parametrize("take", [song(5000, 8), patchwork(3000, 8)], ids=["song", "patchwork"])
def test_calls_that_are_not_searched_would_not_pay(take: Frames, monkeypatch: pytest.MonkeyPatch) -> None:
    quick = pack(take, 0)
    monkeypatch.setattr(solver, "CALL_PRICE", -1_000_000)  # so that calls are searched in every chunk
    assert pack(take, 0) == quick


def test_only_runs_of_tokens_that_cost_enough_are_worth_calling() -> None:
    both = SET, 1, 3 | 0x1234 << 8, 0  # 3 bytes
    rows = [(0, *both), (1, *both), (2, *both), (3, CALL, 90, 0, 4), (93, *both), (94, SET, 256, 0, 0), (350, *both)]
    tokens = np.array(rows, np.int64)
    dear = [True, True, True, False, False, False, False]
    assert worth_calling(PAIR, tokens, 100, 100).tolist() == dear
    assert worth_calling(PAIR, tokens, 300, 100).tolist() == [*dear[:4], True, True, True]
    assert not worth_calling(PAIR, tokens, 300, 150).any()
