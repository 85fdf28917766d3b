"""Capture, held to libsidplayfp's registers on real tunes and to tunes written by hand."""

import json
from pathlib import Path

import numpy as np
import pytest
from tunes_by_hand import program, sid_file

from sidlive.chip.registers import PAL, REGISTERS, USED_BITS
from sidlive.errors import TuneError
from sidlive.tune.capture import Recorder, capture, load_frames, save_frames
from sidlive.tune.psid import parse, read


def played(init: str, play: str, frames: int = 4, **header: int):  # type: ignore[no-untyped-def]
    return capture(parse(sid_file(program(init, play), **header)), frames=frames).frames  # type: ignore[arg-type]


def test_real_tunes_set_the_registers_that_libsidplayfp_saw(shared: Path) -> None:
    """All 25 registers in all 1500 frames of every tune whose play is called once a video frame.

    The reference starts with power-on, so rows may be late by the frames that init took, and a few that the reference's
    own driver needs; nothing else may differ.
    """
    index = json.loads((shared / "oracle" / "index.json").read_text(encoding="utf-8"))
    traces = [entry for entry in index if entry["timing"] == "vbi"]
    assert len(traces) > 100
    different = []
    for entry in traces:
        with np.load(shared / "oracle" / entry["trace"]) as archive:
            expected = archive["state"] & USED_BITS[:REGISTERS]
        recorder = Recorder(read(shared / entry["tune"]))
        init_frames = recorder.machine.cycle / recorder.tune.timing.cycles_per_frame
        rows = recorder.record(len(expected))[:, :REGISTERS]
        latest = 0 if init_frames < 0.25 else int(init_frames) + 5
        if not any((rows[: len(rows) - late] == expected[late:]).all() for late in range(latest + 1)):
            different.append(entry["tune"])
    assert different == []


def test_the_first_frame_is_what_the_first_play_call_leaves() -> None:
    # init: volume 5. play: INC $10F0, and into frequency lo.
    rows = played("A9 05 8D 18 D4 60", "EE F0 10 AD F0 10 8D 00 D4 60")
    assert rows[:, 0].tolist() == [1, 2, 3, 4]
    assert rows[:, 24].tolist() == [5, 5, 5, 5]


def test_a_gate_pulse_inside_a_frame_lands_in_the_first_control_columns() -> None:
    # play: control of voice 2 = $40, then $41; control of voice 3 = $11; voice 1 is left alone.
    rows = played("A9 81 8D 04 D4 60", "A9 40 8D 0B D4 A9 41 8D 0B D4 A9 11 8D 12 D4 60")
    assert rows[:, [4, 11, 18]].tolist() == [[0x81, 0x41, 0x11]] * 4
    assert rows[:, [25, 26, 27]].tolist() == [[0x81, 0x40, 0x11]] * 4


def test_a_read_modify_write_shows_its_first_write() -> None:
    # init: control $40; play: INC $D404. The chip reads back what was last on its bus, writes it, and then one more.
    rows = played("A9 40 8D 04 D4 60", "EE 04 D4 60", frames=2)
    assert rows[:, [25, 4]].tolist() == [[0x40, 0x41], [0x41, 0x42]]


def test_undocumented_opcodes_play() -> None:
    # play: LAX $10F0 (AF), INX, STX $10F0, SAX $D400 (8F: A and X)
    rows = played("A9 00 8D F0 10 60", "AF F0 10 E8 8E F0 10 8F 00 D4 60")
    assert rows[:, 0].tolist() == [0 & 1, 1 & 2, 2 & 3, 3 & 4]


def test_a_song_is_chosen_by_number() -> None:
    tune = parse(sid_file(program("8D 05 D4 60", "60"), songs=3, start=2))
    assert [capture(tune, song, 1).frames[0, 5] for song in (None, 1, 3)] == [1, 0, 2]
    for song in (0, 4):
        with pytest.raises(TuneError, match=f"song {song} does not exist; the file has songs 1 to 3"):
            capture(tune, song)


def test_rate_and_description() -> None:
    made = capture(parse(sid_file(flags=0x24)), frames=3)
    assert (made.rate_hz, made.timing, made.chip, made.song) == (PAL.rate_hz, PAL, "8580", 1)
    assert made.frames.shape == (3, 28) and made.frames.dtype == np.uint8
    assert capture(parse(sid_file(flags=0x08)), frames=3).rate_hz == pytest.approx(59.826, abs=1e-3)


def test_a_timer_set_to_a_video_frame_is_once_a_frame() -> None:
    # init: CIA 1 timer A = $4CC7: 19,656 cycles
    tune = parse(sid_file(program("A9 C7 8D 04 DC A9 4C 8D 05 DC 60", "EE F0 10 AD F0 10 8D 00 D4 60"), speed=1))
    made = capture(tune, frames=3)
    assert made.rate_hz == PAL.rate_hz and made.frames[:, 0].tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"speed": 1}, r"play is called by a timer, 60\.0 times a second"),
        ({"play": 0}, "no play address"),
        ({"magic": b"RSID", "play": 0}, "RSID"),
        ({"flags": 0x15}, "MUS data"),
    ],
)
def test_what_is_out_of_scope_is_refused_with_the_reason(header: dict, message: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(TuneError, match=message):
        capture(parse(sid_file(**header)))


def test_a_timer_at_twice_the_frame_rate_is_refused() -> None:
    tune = parse(sid_file(program("A9 63 8D 04 DC A9 26 8D 05 DC 60", "60"), speed=1))
    with pytest.raises(TuneError, match=r"100\.2 times a second"):
        capture(tune)


@pytest.mark.parametrize(
    ("init", "play", "message"),
    [
        ("4C 00 10", "60", "init does not return"),
        ("02", "60", "init jams"),
        ("60", "4C 40 10", "play does not return"),
        ("60", "B2", "play jams"),
    ],
)
def test_hostile_code_ends_in_a_clear_error(init: str, play: str, message: str) -> None:
    with pytest.raises(TuneError, match=message):
        capture(parse(sid_file(program(init, play))))


@pytest.mark.parametrize("frames", [0, -1, 10**9])
def test_lengths_out_of_range_are_refused(frames: int) -> None:
    with pytest.raises(TuneError, match="expected 1 to"):
        capture(parse(sid_file()), frames=frames)


def test_frames_files_give_back_what_was_saved(tmp_path: Path) -> None:
    frames = np.random.default_rng(1).integers(0, 256, (50, 28), dtype=np.uint8)
    save_frames(tmp_path / "a.npz", frames, 50.125, title="Müsic", chip="8580")
    back, rate_hz, meta = load_frames(tmp_path / "a.npz")
    assert (back == frames).all() and rate_hz == 50.125 and meta == {"title": "Müsic", "chip": "8580"}


def test_frames_files_that_are_none_are_refused(tmp_path: Path) -> None:
    def refused(message: str) -> None:
        with pytest.raises(TuneError, match=message):
            load_frames(tmp_path / "a.npz")

    refused("no such file")
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04 not really")
    refused(r"is not an \.npz file of frames")
    (tmp_path / "a.npz").write_bytes(b"")
    refused(r"is not an \.npz file of frames")
    np.savez(tmp_path / "a.npz", frames=np.zeros((4, 28), np.uint8))
    refused("has no `frames` and `rate_hz`")
    np.savez(tmp_path / "a.npz", frames=np.zeros((4, 25), np.uint8), rate_hz=50.0)
    refused(r"frames are uint8\[4, 25\]; expected uint8\[T, 28\]")
    np.savez(tmp_path / "a.npz", frames=np.zeros((4, 28), np.uint8), rate_hz=np.nan)
    refused("rate_hz is nan; expected 1 to 1000")
    np.savez(tmp_path / "a.npz", frames=np.array([{}], dtype=object), rate_hz=50.0)
    refused(r"is not an \.npz file of frames")
    with pytest.raises(TuneError, match="is a folder"):
        load_frames(tmp_path)
    with pytest.raises(TuneError, match="cannot be written"):
        save_frames(tmp_path / "no" / "a.npz", np.zeros((4, 28), np.uint8), 50.0)
