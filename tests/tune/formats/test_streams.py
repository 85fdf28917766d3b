"""Register files of other programs: exact round trips; errors name the fault and its position."""

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sidlive.chip.registers import USED_BITS, Frames
from sidlive.errors import DeviceError, TuneError
from sidlive.tune.formats.streams import (
    dmp_bytes,
    parse_dmp,
    parse_sidgpt,
    read_dmp,
    read_sidgpt,
    sidgpt_bytes,
    write_dmp,
    write_sidgpt,
)

SEPARATOR = struct.pack("<H", 256) * 26


def frame(*registers: int) -> bytes:
    """Return a frame's tokens; registers that are not given are 0."""
    return struct.pack("<26H", 257, *registers, *[0] * (25 - len(registers)))


@st.composite
def pieces(draw: st.DrawFn, least: int = 1) -> Frames:
    """Draw frames that a register file can hold: first control values equal the final ones."""
    rows = draw(st.integers(least, 6).flatmap(lambda n: hnp.arrays(np.uint8, (n, 28)))) & USED_BITS
    rows[:, 25:] = rows[:, [4, 11, 18]]
    return rows


def test_a_stream_follows_the_format() -> None:
    first, second = parse_sidgpt(SEPARATOR + frame(1, 2, 3, 4, 0x41) + frame(*range(25)) + SEPARATOR + frame(9))
    assert first[0].tolist() == [1, 2, 3, 4, 0x41] + [0] * 20 + [0x41, 0, 0]
    assert first[1].tolist() == [
        *range(3),
        3,
        *range(4, 10),
        10,
        *range(11, 17),
        1,
        18,
        19,
        20,
        5,
        22,
        23,
        24,
        4,
        11,
        18,
    ]
    assert len(first) == 2 and second[:, 0].tolist() == [9]
    assert sidgpt_bytes([second]) == SEPARATOR + frame(9)


def test_separators_may_come_first_last_and_twice() -> None:
    stream = SEPARATOR * 2 + frame(1) + SEPARATOR * 3 + frame(2) + frame(3) + SEPARATOR
    assert [piece[:, 0].tolist() for piece in parse_sidgpt(stream)] == [[1], [2, 3]]
    assert [piece[:, 0].tolist() for piece in parse_sidgpt(frame(7))] == [[7]]


def test_bits_that_the_chip_does_not_have_are_dropped() -> None:
    assert parse_sidgpt(frame(*[0xFF] * 25))[0].tolist() == [USED_BITS.tolist()]
    assert parse_dmp(b"\xff" * 25).tolist() == [USED_BITS.tolist()]


@given(st.lists(pieces(), min_size=1, max_size=4))
def test_written_streams_are_read_and_written_again_the_same(music: list[Frames]) -> None:
    data = sidgpt_bytes(music)
    back = parse_sidgpt(data)
    assert len(back) == len(music)
    assert all(np.array_equal(one, other) for one, other in zip(back, music, strict=True))
    assert sidgpt_bytes(back) == data
    assert np.array_equal(parse_dmp(dmp_bytes(music[0])), music[0])
    assert dmp_bytes(parse_dmp(dmp_bytes(music[0]))) == dmp_bytes(music[0])


def test_files_give_back_what_was_written(tmp_path: Path) -> None:
    rows = parse_dmp(bytes(range(250)))
    write_dmp(tmp_path / "a.dmp", rows)
    assert (tmp_path / "a.dmp").stat().st_size == 250 and np.array_equal(read_dmp(tmp_path / "a.dmp"), rows)
    write_sidgpt(tmp_path / "a.sidgpt", [rows, rows[:3]])
    one, two = read_sidgpt(tmp_path / "a.sidgpt")
    assert np.array_equal(one, rows) and np.array_equal(two, rows[:3])


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (b"", "s: holds no frame"),
        (SEPARATOR, "s: holds no frame"),
        (frame(1) + b"\x01", "s: ends at byte 53 inside a frame or separator, 1 bytes after its start"),
        (SEPARATOR + frame(1)[:-2], "s: ends at byte 102 inside a frame or separator, 50 bytes after its start"),
        (frame(1) + b"\x05\0" * 26, r"s: token 5 at byte 52; expected 257 for a frame or 256 for a separator"),
        (frame(1) + frame(0, 0, 300), r"s: token 300 at byte 58; expected register \$D402 of a frame, 0 to 255"),
        (frame(*[0] * 24, 256), r"s: token 256 at byte 50; expected register \$D418 of a frame"),
        (b"\0\1" * 25 + b"\7\0", r"s: token 7 at byte 50; expected the token 256 26 times .* found 25 of them"),
        (frame(1)[2:] + b"\0\0", "s: token 1 at byte 0; expected 257"),
    ],
)
def test_a_broken_stream_is_refused_with_the_position(stream: bytes, message: str) -> None:
    with pytest.raises(TuneError, match=message):
        parse_sidgpt(stream, "s")


@pytest.mark.parametrize(
    ("dump", "message"),
    [
        (b"", "d: 0 bytes are no register dump: nothing"),
        (bytes(51), "d: 51 bytes .*: 1 bytes of the last frame; .* 25"),
    ],
)
def test_a_dump_has_whole_frames(dump: bytes, message: str) -> None:
    with pytest.raises(TuneError, match=message):
        parse_dmp(dump, "d")


def test_files_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    for read in (read_dmp, read_sidgpt):
        with pytest.raises(TuneError, match="no such file"):
            read(tmp_path / "missing")  # type: ignore[operator]
        with pytest.raises(TuneError, match="is a folder"):
            read(tmp_path)  # type: ignore[operator]
    with pytest.raises(DeviceError, match="cannot be written"):
        write_dmp(tmp_path / "no" / "a.dmp", parse_dmp(bytes(25)))


@given(st.binary(max_size=300))
def test_any_bytes_are_frames_or_one_error(data: bytes) -> None:
    for parse in (parse_sidgpt, parse_dmp):
        try:
            made = parse(data)
        except TuneError as error:
            assert "\n" not in str(error)
        else:
            assert all(len(rows) for rows in made)
