"""Takes compiled to .sid files: texts, addresses, verification, endings, and the sound in another player."""

import re
import struct
from pathlib import Path

import numpy as np
import pytest
from oracle_sound import nearness, sidplayfp
from takes_by_hand import noise, patchwork, song

from sidlive.bench.py65_player import Player, trace
from sidlive.chip import registers as sid
from sidlive.chip.registers import NTSC, PAL, Frames, VideoTiming
from sidlive.errors import TuneError
from sidlive.tune.compiler.sid_file import Label, compile_sid, verify
from sidlive.tune.formats import psid


def compiled(frames: Frames, name: str = "Take", **options: object) -> bytes:
    return compile_sid(frames, Label(name, "Somebody", "2026 Nobody"), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("chip, chip_bits", [("6581", 0x10), ("8580", 0x20)])
@pytest.mark.parametrize("timing, clock_bits", [(PAL, 0x04), (NTSC, 0x08)])
def test_the_header_says_what_it_is(chip: str, chip_bits: int, timing: VideoTiming, clock_bits: int) -> None:
    data = compiled(song(50), chip=chip, timing=timing, load=0x2000)
    assert data[:4] == b"PSID"
    version, offset, load, init, play, songs, start, speed = struct.unpack(">HHHHHHHI", data[4:22])
    assert (version, offset, load, init, play, songs, start, speed) == (2, 0x7C, 0, 0x2000, 0x2003, 1, 1, 0)
    texts = [data[i : i + 32].rstrip(b"\0") for i in (0x16, 0x36, 0x56)]
    assert texts == [b"Take", b"Somebody", b"2026 Nobody"]
    flags, _, _, reserved = struct.unpack(">HBBH", data[0x76:0x7C])
    assert flags == chip_bits | clock_bits and reserved == 0
    assert struct.unpack("<H", data[0x7C:0x7E]) == (0x2000,)
    assert psid.parse(data).to_bytes() == data


@pytest.mark.parametrize("load", [0x0500, 0x1000, 0x7000, 0x9C00, 0xA000])
def test_the_free_pages_are_free(load: int) -> None:
    data = compiled(song(60), load=load)
    page, pages = data[0x78], data[0x79]
    used = range(load >> 8, -(-(load + len(data) - 0x7E) // 256) + 28)
    free = range(page, page + pages)
    assert pages >= 1 and page >= 0x04 and used.stop <= 0xD0
    assert not set(free) & set(used)
    assert not set(free) & {*range(0xA0, 0xC0), *range(0xD0, 0x100)}


def test_texts_are_windows_1252_and_losses_are_listed() -> None:
    umlauts = "Süße Träume – à la “SID”"
    assert compiled(song(5), umlauts)[0x16:0x36] == umlauts.encode("cp1252").ljust(32, b"\0")
    assert Label(umlauts, "x" * 32).notes() == []
    assert compiled(song(5), "x" * 40)[0x16:0x36] == b"x" * 32
    assert Label("x" * 40).notes() == [f"title has 40 bytes, the file keeps 32: '{'x' * 32}'"]
    assert compiled(song(5), "Ω ♫ 1")[0x16:0x1B] == b"? ? 1"
    assert Label("a", "Ω").notes() == ["author: Windows-1252 has no 'Ω'; each becomes '?'"]


@pytest.mark.parametrize("timing", [PAL, NTSC])
@pytest.mark.parametrize("take", [song(800), patchwork(800, 7), noise(60), song(1)], ids=str)
def test_the_file_plays_the_take(take: Frames, timing: VideoTiming) -> None:
    data = compiled(take, timing=timing)
    verify(data, take)
    assert np.array_equal(trace(data, min(len(take), 200)), take[:200])


def test_verify_names_the_first_frame_and_register_that_differ() -> None:
    take = song(300)
    data = compiled(take)
    other = take.copy()
    other[123, [7, 22]] ^= 1
    other[200] = 0
    difference = f"in frame 123 $D407 is ${take[123, 7]:02X}, expected ${other[123, 7]:02X}"
    with pytest.raises(TuneError, match=re.escape(difference)):
        verify(data, other)
    other = take.copy()
    other[8, 26] ^= 0x80
    with pytest.raises(TuneError, match=r"in frame 8 the first write to \$D40B is"):
        verify(data, other)


def test_verify_refuses_a_damaged_file() -> None:
    take = song(300)
    data = bytearray(compiled(take))
    data[-40] ^= 0x01
    with pytest.raises(TuneError):
        verify(bytes(data), take)


def test_it_ends_in_silence() -> None:
    take = song(200)
    heard = trace(compiled(take), 900)
    assert np.array_equal(heard[:200], take)
    after = heard[200:]
    assert not (after[:, [4, 11, 18, 25, 26, 27]] & sid.GATE).any()
    assert not (after[:, sid.MODE_VOL] & 0x0F).any()
    assert (after == after[0]).all()
    others = [column for column in range(sid.REGISTERS) if column not in (4, 11, 18, sid.MODE_VOL)]
    assert np.array_equal(after[0, others], take[-1, others])


@pytest.mark.parametrize("loop", [0, 1, 57, 255, 256, 390, 398, 399])
def test_it_goes_on_at_the_loop(loop: int) -> None:
    take = patchwork(400, 11)
    turn = take[loop:]
    expected = np.concatenate([take, *[turn] * (700 // len(turn) + 1)])[:1100]
    assert np.array_equal(trace(compiled(take, loop_frame=loop), 1100), expected)


def test_a_take_too_long_is_refused_with_the_seconds_that_fit() -> None:
    take = noise(3000)
    with pytest.raises(TuneError, match=r"too long for the C64's memory: 59.9 s; its first [\d.]+ s fit") as caught:
        compiled(take)
    seconds = float(re.findall(r"first ([\d.]+) s", str(caught.value))[0])
    assert seconds > 18
    data = compiled(take[: int(seconds * PAL.rate_hz)])
    verify(data, take[: int(seconds * PAL.rate_hz)])
    rings = -(-(0x1000 + len(data) - 0x7E) // 256) * 256
    assert 0xD000 - 3000 < rings + 28 * 256 <= 0xD000


def test_a_take_that_fills_all_memory_plays() -> None:
    """Data lie under BASIC, but the play address is below: the player itself must switch BASIC off."""
    take = np.concatenate([noise(880), song(300)])
    data = compiled(take)
    assert 0x1000 + len(data) > 0xA800
    verify(data, take)
    player = Player(data)
    player.init()
    assert np.array_equal(player.frames(1180)[800:], take[800:])


@pytest.mark.parametrize(
    "options, words",
    [
        ({"load": 0x1001}, "load address $1001: expected the start of a page"),
        ({"load": 0x0400}, "load address $0400"),
        ({"load": 0xD000}, "load address $D000"),
        ({"load": 0xC000}, "too long for the C64's memory"),
        ({"loop_frame": 50}, "loop at frame 50: the take has frames 0 to 49"),
        ({"loop_frame": -1}, "loop at frame -1"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, int], words: str) -> None:
    with pytest.raises(TuneError, match=re.escape(words)):
        compiled(song(50), **options)


def test_an_empty_take_is_refused() -> None:
    with pytest.raises(TuneError, match="no frames"):
        compiled(sid.silence(0))


@pytest.mark.parametrize("chip", ["6581", "8580"])
def test_another_player_hears_what_we_hear(tmp_path: Path, chip: str) -> None:
    from sidlive.chip.sid import render

    take = song(250)
    path = tmp_path / "take.sid"
    path.write_bytes(compiled(take, chip=chip))
    heard = sidplayfp(path, 1, 5, tmp_path, chip)[: 4 * 48_000]
    near = nearness(heard, render(take[:200], PAL.rate_hz, chip))
    assert near.distance_db < 2.0 and near.correlation > 0.7
    other = nearness(heard, render(song(200, seed=2), PAL.rate_hz, chip))
    assert other.distance_db > 1.5 * near.distance_db


@pytest.mark.parametrize("load", [0x0500, 0x8C00, 0xA000])
def test_another_player_accepts_it_at_any_page(tmp_path: Path, load: int) -> None:
    path = tmp_path / "take.sid"
    path.write_bytes(compiled(song(60), load=load, loop_frame=0))
    heard = sidplayfp(path, 1, 2, tmp_path)
    assert np.abs(heard.astype(int)).max() > 3000
