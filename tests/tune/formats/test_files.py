"""Music files opened by their suffix: programs that play, silent programs, and files that are refused."""

from pathlib import Path

import numpy as np
import pytest
from tunes_by_hand import sid_file

from sidlive.chip.registers import PAL, silence
from sidlive.errors import TuneError
from sidlive.tune.formats.files import open_song, read_frames, read_tune, write_frames
from sidlive.tune.formats.kinds import FRAMES, holds_frames
from sidlive.tune.formats.npz import load_frames
from sidlive.tune.loading import load_fragment

BASIC = b"\x01\x08\x0b\x08\x0a\0\x9e2061\0\0\0"  # 10 SYS2061, which is $080D

# $D418 = $0F, the counter $09FF = 0
SET_UP = "A9 0F 8D 18 D4 A9 00 8D FF 09"
# INC $09FF, into frequency lo; its bit 3 is the gate of a saw: LSR LSR LSR AND #1 ORA #$20 STA $D404
NOTES = "EE FF 09 AD FF 09 8D 00 D4 4A 4A 4A 29 01 09 20 8D 04 D4"
# SEI, no timer interrupts, the vector at $0840, the raster's interrupt on at line $40, CLI
RASTER = "78 A9 7F 8D 0D DC A9 40 8D 14 03 A9 08 8D 15 03 A9 01 8D 1A D0 A9 40 8D 12 D0 A9 1B 8D 11 D0 58"
HANDLER = "EE 19 D0" + NOTES + "4C 81 EA"
# the main loop: wait for raster line $40, play, wait until the line is over
POLLED = "AD 12 D0 C9 40 D0 F9" + NOTES + "AD 12 D0 C9 40 F0 F9 4C 17 08"


def prg(main: str, handler: str = "") -> bytes:
    """Return a program whose code begins at $080D and whose interrupt handler is at $0840."""
    code = bytes.fromhex(main)
    assert len(code) <= 0x33
    return BASIC + code.ljust(0x33, b"\0") + bytes.fromhex(handler)


@pytest.mark.parametrize(
    "data",
    [
        prg(SET_UP + RASTER + "4C 37 08", HANDLER),  # JMP *: SYS never returns
        prg(SET_UP + RASTER + "60", HANDLER),
        prg(SET_UP + POLLED),
    ],
    ids=["interrupt", "interrupt, back to BASIC", "polled"],
)
def test_a_program_plays_as_it_would_on_the_machine(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "Notes.prg"
    path.write_bytes(data)
    recorder = open_song(path)
    rows = recorder.record(100)[2:]
    assert recorder.finish().rate_hz == pytest.approx(PAL.rate_hz)
    assert np.array_equal(np.diff(rows[:, 0]), [1] * 97)
    assert np.array_equal(rows[:, 4], 0x20 | (rows[:, 0] >> 3 & 1)) and set(rows[:, 24]) == {0x0F}
    fragment = load_fragment(path, seconds=1.0)
    assert (fragment.name, fragment.chip, fragment.timing, len(fragment.frames)) == ("Notes", "6581", "PAL", 50)


@pytest.mark.parametrize("main", ["4C 0D 08", "60", "78 4C 0E 08"])
def test_a_program_that_is_silent_is_refused(tmp_path: Path, main: str) -> None:
    path = tmp_path / "quiet.prg"
    path.write_bytes(prg(main))
    with pytest.raises(TuneError, match=r"quiet\.prg: the tune writes nothing to the SID in 10 s"):
        open_song(path)


def test_mus_data_is_refused_by_its_name_and_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "a.sid").write_bytes(sid_file(flags=0x15))
    for name in ("missing.mus", "missing.STR", "a.sid"):
        with pytest.raises(
            TuneError, match=f"{name}: it is Compute! Sidplayer MUS data; its player is not in the file"
        ):
            open_song(tmp_path / name)


def test_tunes_and_frames_are_not_confused(tmp_path: Path) -> None:
    assert [holds_frames(Path(f"a{suffix}")) for suffix in (".npz", ".SIDGPT", ".dmp", ".sid", ".prg", "")] == [
        True, True, True, False, False, False,
    ]  # fmt: skip
    with pytest.raises(TuneError, match=r"x\.dmp holds frames; expected a tune"):
        read_tune(tmp_path / "x.dmp")
    with pytest.raises(TuneError, match=r"x\.sid: expected frames, \.npz, \.sidgpt, \.dmp"):
        read_frames(tmp_path / "x.sid")


@pytest.mark.parametrize("suffix", FRAMES)
def test_frames_are_written_in_the_format_of_the_suffix(tmp_path: Path, suffix: str) -> None:
    rows = silence(30)
    rows[:, 0] = range(30)
    path = tmp_path / f"a{suffix}"
    write_frames(path, rows, 60.0, title="Mine")
    back, rate_hz, meta = read_frames(path)
    assert np.array_equal(back, rows)
    assert (rate_hz, meta) == ((60.0, {"title": "Mine"}) if suffix == ".npz" else (PAL.rate_hz, {}))
    assert read_frames(path, rate_hz=25.0)[1] == (60.0 if suffix == ".npz" else 25.0)


def test_a_name_without_a_known_suffix_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    for name in ("a.txt", "frames"):
        with pytest.raises(TuneError, match=r"cannot be written: expected a name in \.npz, \.sidgpt, \.dmp"):
            write_frames(tmp_path / name, silence(1), 50.0)
    with pytest.raises(TuneError, match="it is a folder"):
        write_frames(tmp_path, silence(1), 50.0)
    assert not list(tmp_path.iterdir())
    write_frames(tmp_path / "A.NPZ", silence(1), 50.0)
    assert len(load_frames(tmp_path / "A.NPZ")[0]) == 1
