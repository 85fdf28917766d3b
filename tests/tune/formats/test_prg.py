"""Programs with a SYS line: its address, the round trip to the file, and other data that is refused."""

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidlive.errors import TuneError
from sidlive.tune.formats import psid
from sidlive.tune.formats.prg import is_mus, parse, prg_bytes, read

SYS, REM, PRINT, PLUS, MINUS, TIMES, OVER = (bytes([token]) for token in (0x9E, 0x8F, 0x99, 0xAA, 0xAB, 0xAC, 0xAD))


def program(*lines: bytes, load: int = 0x0801, code: bytes = bytes(64)) -> bytes:
    """Return a .prg file of BASIC lines (tokenised text, from $0801) and code after them."""
    image, at = bytes(0x0801 - load), 0x0801
    for number, text in enumerate(lines, 1):
        at += len(text) + 5
        image += struct.pack("<HH", at, 10 * number) + text + b"\0"
    return struct.pack("<H", load) + image + b"\0\0" + code


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (SYS + b"2061", 2061),
        (SYS + b" 2061", 2061),
        (SYS + b" 2 0 6 1 ", 2061),
        (SYS + b"(2064)", 2064),
        (SYS + b" ( 2064 ) ", 2064),
        (SYS + b"2061:" + REM + b"HELLO", 2061),
        (SYS + b" 2061 BY NOBODY", 2061),
        (SYS + b"2061,1", 2061),
        (SYS + b"2048" + PLUS + b"16", 2064),
        (SYS + b"8" + TIMES + b"256" + PLUS + b"(20" + MINUS + b"4)", 2064),
        (SYS + b"4128" + OVER + b"2", 2064),
        (SYS + MINUS + b"3" + PLUS + b"2064", 2061),
        (SYS + b"2061.9", 2061),
        (PRINT + b'"SYS 1":' + SYS + b"2070", 2070),
        (PRINT + b'"' + SYS + b'1":' + SYS + b"2070", 2070),
    ],
)
def test_init_is_the_address_after_sys(text: bytes, address: int) -> None:
    tune = parse(program(text))
    assert (tune.init, tune.play, tune.load) == (address, 0, 0x0801)


def test_the_first_sys_of_all_lines_counts_and_remarks_do_not() -> None:
    assert parse(program(REM + SYS + b"1", PRINT + b'"X"', SYS + b"2080", SYS + b"2090")).init == 2080


def test_wrong_links_between_lines_do_not_matter() -> None:
    data = bytearray(program(REM + b"A", SYS + b"2080"))
    data[2:4] = b"\x99\x99"
    assert parse(bytes(data)).init == 2080


def test_a_program_is_an_rsid_of_one_song() -> None:
    tune = parse(program(SYS + b"2061"), title="My Tune")
    assert (tune.magic, tune.songs, tune.start_song, tune.name, tune.author) == ("RSID", 1, 1, "My Tune", "")
    assert (tune.timing.name, tune.chip) == ("PAL", "6581")
    assert psid.parse(tune.to_bytes()) == tune
    early = parse(program(SYS + b"2061", load=0x0800))
    assert (early.load, early.init) == (0x0800, 2061)


@given(st.binary(max_size=300), st.sampled_from([0x07E8, 0x0800, 0x0801]))
def test_a_program_is_written_as_it_was_read(code: bytes, load: int) -> None:
    data = program(SYS + b"2070", load=load, code=bytes(16) + code)
    tune = parse(data)
    assert prg_bytes(tune.load, tune.image) == data


def test_a_tune_has_the_name_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "A program with a name longer than a header takes.prg"
    path.write_bytes(program(SYS + b"2061"))
    assert read(path).name == "A program with a name longer tha"
    with pytest.raises(TuneError, match="no such file"):
        read(tmp_path / "missing.prg")
    with pytest.raises(TuneError, match="is a folder"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "p: truncated: 0 bytes"),
        (b"\x01\x08", "p: truncated: 2 bytes"),
        (program(PRINT + b'"HI"', REM), r"expected a BASIC line with SYS at \$0801, found 2 BASIC lines without one"),
        (program(code=b"\xa9"), "found the bytes 00 00 A9"),
        (b"\x00\x10" + bytes(100), r"loads to \$1000-\$1063; expected a BASIC line with SYS at \$0801"),
        (b"\x00\x04" + bytes(2000), r"loads to \$0400-\$0BCF; expected a BASIC line"),
        (b"\xff\xff\0\0", r"loads 2 bytes to \$FFFF, past the end of memory"),
        (
            program(SYS + b"49152"),
            r"SYS 49152 is outside the memory that the file loads; expected an address in",
        ),
        (program(SYS + b"64738", code=bytes(0xF000)), r"SYS 64738 is outside"),
        (program(SYS + b"45056", code=bytes(0xF000)), r"SYS 45056 is in a ROM or an I/O chip"),
        (program(SYS + b"\xc2(43)"), r"line 10: SYS \?\(43\): expected a number or a sum of numbers"),
        (program(REM, SYS), r"line 20: SYS : expected a number"),
        (program(SYS + b"(2061"), "expected a number"),
        (program(SYS + b"1" + OVER + b"0"), "expected a number"),
        (program(SYS + b"1.2.3"), "expected a number"),
        (program(SYS + b"70000"), "expected an address, 0 to 65535"),
        (program(SYS + MINUS + b"1"), "expected an address, 0 to 65535"),
    ],
)
def test_other_data_is_refused_with_the_reason(data: bytes, message: str) -> None:
    with pytest.raises(TuneError, match=message):
        parse(data, "p")


def test_mus_data_is_refused_by_name() -> None:
    voice = bytes(6) + b"\x01\x4f"
    mus = struct.pack("<4H", 0x0900, len(voice), 2, len(voice)) + voice + b"\x01\x4f" + voice + b"TITLE"
    assert is_mus(mus)
    assert not is_mus(mus[:-10]) and not is_mus(program(SYS + b"2061")) and not is_mus(b"")
    with pytest.raises(TuneError, match=r"p: it is Compute! Sidplayer MUS data; its player is not in the file"):
        parse(mus, "p")


@given(st.binary(max_size=120), st.sampled_from([b"", SYS, SYS + b"(", SYS + b"2061" + PLUS]))
def test_any_line_is_a_tune_or_one_error(text: bytes, begin: bytes) -> None:
    try:
        tune = parse(program(begin + text))
    except TuneError as error:
        assert "\n" not in str(error)
    else:
        assert tune.load <= tune.init < tune.end
