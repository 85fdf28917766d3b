"""Reading .sid files: every field, the byte-exact inverse, and one clear error for all other data."""

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tunes_by_hand import LOAD, PLAY, program, sid_file

from sidlive.chip.registers import NTSC, PAL
from sidlive.errors import TuneError
from sidlive.tune.formats.psid import parse, read


def with_offset(offset: int, data: bytes | None = None) -> bytes:
    """Return a .sid file whose header gives this data offset."""
    edited = bytearray(sid_file() if data is None else data)
    struct.pack_into(">H", edited, 6, offset)
    return bytes(edited)


def test_every_field_is_where_the_format_says() -> None:
    tune = parse(
        sid_file(
            name=b"M\xfcsic", author=b"A" * 32, released=b"1987 X", version=4, songs=7, start=3, speed=0x80000005,
            flags=0x28, pages=bytes([0x04, 0x20, 0x42, 0xE0]),
        )
    )  # fmt: skip
    assert (tune.magic, tune.version, tune.load, tune.init, tune.play) == ("PSID", 4, LOAD, LOAD, PLAY)
    assert (tune.name, tune.author, tune.released) == ("Müsic", "A" * 32, "1987 X")
    assert (tune.songs, tune.start_song, tune.speed) == (7, 3, 0x80000005)
    assert (tune.start_page, tune.page_length) == (0x04, 0x20)
    assert (tune.second_sid, tune.third_sid, tune.sids) == (0xD420, 0xDE00, 3)
    assert tune.image == program() and tune.end == LOAD + 0x100
    assert (tune.timing, tune.clock, tune.chip) == (NTSC, "NTSC", "8580")


@pytest.mark.parametrize(("flags", "timing", "chip"), [(0, PAL, "6581"), (0x3C, PAL, "6581"), (0x20, PAL, "8580")])
def test_pal_and_6581_unless_the_file_says_otherwise(flags: int, timing: object, chip: str) -> None:
    tune = parse(sid_file(flags=flags))
    assert (tune.timing, tune.chip) == (timing, chip)


def test_version_1_has_no_flags() -> None:
    tune = parse(sid_file(version=1))
    assert (tune.flags, tune.image) == (0, program())


def test_addresses_of_zero_mean_the_load_address() -> None:
    tune = parse(sid_file(init=0, address=0x2000))
    assert (tune.load, tune.init) == (0x2000, 0x2000)
    tune = parse(sid_file(load=0x3000))
    assert (tune.load, tune.image) == (0x3000, program())


def test_a_play_address_of_ffff_is_none() -> None:
    data = sid_file(play=0xFFFF)
    assert parse(data).play == 0 and parse(data).to_bytes() == data


def test_the_speed_bit_of_a_song() -> None:
    tune = parse(sid_file(songs=40, speed=0x80000002))
    assert [song for song in range(1, 41) if tune.uses_cia(song)] == [2, *range(32, 41)]


texts = st.binary(max_size=32)
headers = st.fixed_dictionaries(
    {
        "version": st.integers(1, 4),
        "load": st.sampled_from([0, 0x0801, 0xC000]),
        "address": st.integers(0, 0xFF00),
        "init": st.integers(0, 0xFFFF),
        "play": st.integers(0, 0xFFFF),
        "songs": st.integers(0, 0xFFFF),
        "start": st.integers(0, 0xFFFF),
        "speed": st.integers(0, 0xFFFFFFFF),
        "name": texts,
        "author": texts,
        "released": texts,
        "flags": st.integers(0, 0xFFFF),
        "pages": st.binary(min_size=4, max_size=4),
    }
)


@given(headers, st.binary(min_size=1, max_size=0x100))
def test_writing_is_the_exact_inverse_of_reading(header: dict, image: bytes) -> None:  # type: ignore[type-arg]
    data = sid_file(image, **header)
    assert parse(data).to_bytes() == data


@given(st.binary(max_size=300), st.sampled_from([b"", b"PSID", b"RSID", sid_file()[:0x12], sid_file()[:0x7A]]))
def test_any_bytes_give_a_tune_or_a_clear_error(tail: bytes, head: bytes) -> None:
    try:
        parse(head + tail)
    except TuneError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize("length", [0, 3, 4, 0x75, 0x76, 0x7B, 0x7C, 0x7D, 0x7E])
def test_truncated_files_are_refused(length: int) -> None:
    with pytest.raises(TuneError, match=r"truncated|not a \.sid file"):
        parse(sid_file()[:length])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"MZ" + bytes(200), r"not a \.sid file"),
        (sid_file(version=5), "PSID version 5; expected 1-4"),
        (sid_file(version=0), "PSID version 0; expected 1-4"),
        (sid_file(magic=b"RSID", version=1, play=0), "RSID version 1; expected 2-4"),
        (sid_file(address=0xFF80), r"loads 256 bytes to \$FF80, past the end of memory at \$FFFF"),
        (sid_file(bytes(0x10000), load=0x0001), r"past the end of memory at \$FFFF"),
        (sid_file(magic=b"RSID"), "an RSID with a load address, play address or speed other than 0"),
        (sid_file(magic=b"RSID", play=0, address=0x0400), r"an RSID that loads to \$0400, below \$07E8"),
        (sid_file(magic=b"RSID", play=0, init=0x5000), r"an RSID with init at \$5000; expected it in the image"),
        (sid_file(magic=b"RSID", play=0, init=0xA000, address=0xA000), r"an RSID with init at \$A000.*in RAM"),
        (with_offset(0xFFF0), "truncated"),
    ],
)
def test_other_data_is_refused_with_the_reason(data: bytes, message: str) -> None:
    with pytest.raises(TuneError, match=f"^x: .*{message}"):
        parse(data, "x")


@pytest.mark.parametrize(
    ("songs", "start", "taken", "played", "oddity"),
    [
        (1, 0, 1, 1, "it starts with song 0 of 1: song 1 is played"),
        (1, 9, 1, 1, "it starts with song 9 of 1: song 1 is played"),
        (0, 0, 1, 1, "it has 0 songs by its header, expected 1 to 256: taken as 1"),
        (300, 7, 256, 7, "it has 300 songs by its header, expected 1 to 256: taken as 256"),
        (300, 280, 256, 1, "it starts with song 280 of 256: song 1 is played"),
    ],
)
def test_impossible_song_numbers_are_read_as_libsidplayfp_reads_them(
    songs: int, start: int, taken: int, played: int, oddity: str
) -> None:
    tune = parse(sid_file(songs=songs, start=start))
    assert (tune.songs, tune.start_song) == (taken, played) and oddity in tune.oddities


def test_the_image_is_where_the_data_offset_says() -> None:
    plain = sid_file()
    later = parse(with_offset(0x82, plain[:0x7C] + b"gap!!!" + plain[0x7C:]))
    assert later.image == parse(plain).image and "data offset is $0082 instead of $007C" in later.oddities[0]
    early = parse(with_offset(0x76, sid_file(load=0x1000)))  # a version 2 written as a version 1 with longer music
    assert early.image == sid_file(load=0x1000)[0x76:]
    old = parse(with_offset(0x7C, sid_file(version=1)[:0x76] + bytes(6) + sid_file(version=1)[0x76:]))
    assert old.image == program()


@given(st.integers(0, 0x1A0), st.sampled_from([0, 0x1000]), st.integers(1, 4))
def test_any_data_offset_survives_the_round_trip(offset: int, load: int, version: int) -> None:
    data = with_offset(offset, sid_file(load=load, version=version))
    try:
        tune = parse(data)
    except TuneError as error:
        assert "truncated" in str(error) or "past the end of memory" in str(error)
    else:
        assert tune.to_bytes() == data


@pytest.mark.parametrize(
    ("data", "oddity"),
    [
        (sid_file(init=0x5000), "init $5000 is not in its image, $1000-$10FF"),
        (sid_file(pages=bytes([0x10, 2, 0, 0])), "the pages that it calls free, 2 from $10 on, are not"),
        (sid_file(pages=bytes([0xC8, 0x10, 0, 0])), "the pages that it calls free, 16 from $C8 on, are not"),
        (sid_file(version=3, pages=bytes([0, 0, 0x43, 0])), "its second SID cannot be at $D430"),
        (sid_file(version=4, pages=bytes([0, 0, 0x42, 0x42])), "its third SID cannot be at $D420"),
    ],
)
def test_harmless_faults_are_listed(data: bytes, oddity: str) -> None:
    assert any(line.startswith(oddity) for line in parse(data).oddities)


@pytest.mark.parametrize(
    "data",
    [
        sid_file(),
        sid_file(flags=0xFC14),  # undefined bits
        sid_file(pages=bytes([0xFF, 9, 0, 0])),  # no free page at all
        sid_file(pages=bytes([0x20, 0x20, 0x42, 0])),  # a second SID: no meaning before version 3
        sid_file(name=b"\x81\x00hidden", version=1),
        sid_file() + bytes(300),
    ],
)
def test_a_sound_header_has_no_oddities(data: bytes) -> None:
    assert parse(data).oddities == ()


def test_an_image_may_reach_the_last_byte_of_memory() -> None:
    assert parse(sid_file(bytes(0x1000), address=0xF000)).end == 0x10000


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(TuneError, match="no such file"):
        read(tmp_path / "missing.sid")
    with pytest.raises(TuneError, match="is a folder"):
        read(tmp_path)
    huge = tmp_path / "huge.sid"
    huge.write_bytes(sid_file() + bytes(1_000_000))
    with pytest.raises(TuneError, match="past the end of memory"):
        read(huge)


def test_every_real_file_survives_the_round_trip(shared: Path) -> None:
    files = sorted((shared / "corpus").rglob("*.sid"))
    assert files
    for path in files:
        data = path.read_bytes()
        assert parse(data).to_bytes() == data, path
