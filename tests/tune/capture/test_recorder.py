"""Capture, compared with libsidplayfp's registers on real tunes, and with tunes written by hand."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from tunes_by_hand import program, sid_file

from sidlive.chip.registers import PAL, REGISTERS, USED_BITS
from sidlive.errors import DeviceError, TuneError
from sidlive.tune.capture.recorder import Recorder, capture
from sidlive.tune.capture.trace import events, states_at
from sidlive.tune.formats.npz import load_frames, save_frames
from sidlive.tune.formats.psid import parse, read


def played(init: str, play: str, frames: int = 4, **header: int):  # type: ignore[no-untyped-def]
    """Return the frames captured from a tune with these init and play routines (machine code in hex)."""
    return capture(parse(sid_file(program(init, play), **header)), frames=frames).frames  # type: ignore[arg-type]


def test_real_tunes_set_the_registers_that_libsidplayfp_saw(shared: Path) -> None:
    """Compare all 25 registers in every frame of every tune whose play is called once per video frame.

    The reference's samples lie at three quarters of each video frame since the reset; those before the first play call
    show init at work and belong to no frame of a capture.
    """
    index = json.loads((shared / "oracle" / "index.json").read_text(encoding="utf-8"))
    traces = [entry for entry in index if entry["timing"] == "vbi"]
    assert len(traces) > 100
    different = []
    for entry in traces:
        with np.load(shared / "oracle" / entry["trace"]) as archive:
            expected = archive["state"] & USED_BITS[:REGISTERS]
        recorder = Recorder(read(shared / entry["tune"]))
        frame = recorder.tune.timing.cycles_per_frame
        sampled = frame * np.arange(len(expected)) + frame * 3 // 4
        seen = sampled > recorder.machine.cycle
        rows = recorder.record(len(expected))[:, :REGISTERS]
        if not (rows[(sampled[seen] - recorder.begin) // frame] == expected[seen]).all():
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
    # init: control $40; play: INC $D404. It reads the last byte on the bus, writes it, then writes it plus 1; on a
    # 6581 that byte is gone after 7,424 cycles.
    rows = played("A9 40 8D 04 D4 60", "EE 04 D4 60", frames=2)
    assert rows[:, [25, 4]].tolist() == [[0x40, 0x41], [0x00, 0x01]]


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


def test_mus_data_is_refused_by_name() -> None:
    with pytest.raises(TuneError, match="MUS data"):
        capture(parse(sid_file(flags=0x15)))


def test_a_basic_program_is_refused_by_name() -> None:
    with pytest.raises(TuneError, match="BASIC program"):
        capture(parse(sid_file(magic=b"RSID", play=0, flags=0x16)))


COUNT = "EE F0 10 AD F0 10 8D 00 D4"  # INC $10F0 LDA $10F0 STA $D400


def test_the_default_timer_calls_play_at_60_hz() -> None:
    made = capture(parse(sid_file(program("60", f"{COUNT} 60"), speed=1)), frames=300)
    assert made.rate_hz == PAL.clock_hz / 0x4026
    assert made.frames[:, 0].tolist() == [n & 0xFF for n in range(1, 301)]


@pytest.mark.parametrize(("latch", "times"), [(9827, 2), (4913, 4), (12345, 19656 / 12346)])
def test_a_tune_at_its_own_rate_is_captured_at_that_rate(latch: int, times: float) -> None:
    init = f"A9 {latch & 0xFF:02X} 8D 04 DC A9 {latch >> 8:02X} 8D 05 DC 60"
    made = capture(parse(sid_file(program(init, f"{COUNT} 60"), speed=1)), frames=1000)
    assert made.rate_hz == pytest.approx(PAL.rate_hz * times)
    assert made.frames[:, 0].tolist() == [n & 0xFF for n in range(1, 1001)]


def test_a_changing_timer_still_gives_one_frame_per_call() -> None:
    # play: the counter's low byte, doubled, into the timer's latch hi: calls come at very different intervals.
    play = f"{COUNT} 29 0F 09 20 8D 05 DC 60"
    made = capture(parse(sid_file(program("A9 00 8D 04 DC 60", play), speed=1)), frames=500)
    assert made.frames[:, 0].tolist() == [n & 0xFF for n in range(1, 501)]


@pytest.mark.parametrize("latch", [4913, 9827, 19455, 40000])
def test_a_timer_set_in_the_first_play_call_gives_the_rate(latch: int) -> None:
    """Many players program the timer when they are first called; until then it runs at 60 Hz."""
    play = f"{COUNT} A9 {latch & 0xFF:02X} 8D 04 DC A9 {latch >> 8:02X} 8D 05 DC 60"
    recorder = Recorder(parse(sid_file(program("60", play), speed=1)))
    recorder.record(1000)
    made = recorder.finish()
    assert made.rate_hz == pytest.approx(PAL.clock_hz / (latch + 1), rel=1e-4)
    assert recorder.expected_hz == pytest.approx(PAL.clock_hz / (latch + 1), rel=1e-2)
    assert len(made.frames) / made.rate_hz == pytest.approx(recorder.recorded_s, abs=1.5 / made.rate_hz)


def test_the_rate_of_a_timer_restarted_in_each_call_is_measured() -> None:
    # play: count, wait $60 times round a loop, force the timer's latch in: a period is the latch and the call so far.
    play = f"{COUNT} A2 60 CA D0 FD A9 11 8D 0E DC 60"
    made = capture(parse(sid_file(program("A9 00 8D 04 DC A9 10 8D 05 DC 60", play), speed=1)), frames=1000)
    log, _ = events(made.tune, 1, 20 * 19656)
    times = log[log[:, 1] == 0, 0]
    assert made.rate_hz == pytest.approx(PAL.clock_hz * (len(times) - 1) / (times[-1] - times[0]), rel=1e-3)
    assert made.frames[:, 0].tolist() == [n & 0xFF for n in range(1, 1001)]


def test_rows_of_a_tune_that_changes_its_tempo_lie_at_their_own_times() -> None:
    """Calls come every 19,456 cycles; from the 200th on every 9,728: no call's row is more than a row off its time."""
    slow_then_fast = "AD F0 10 C9 C8 90 05 A9 25 8D 05 DC 60"  # LDA $10F0 CMP #200 BCC over LDA #$25 STA $DC05
    tune = parse(sid_file(program("A9 FF 8D 04 DC A9 4B 8D 05 DC 60", f"{COUNT} {slow_then_fast}"), speed=1))
    recorder = Recorder(tune)
    recorder.record(250)
    made = recorder.finish()
    log, _ = events(tune, 1, 5_000_000)
    times = log[log[:, 1] == 0, 0]
    shown = np.arange(len(made.frames)) / made.rate_hz * PAL.clock_hz + recorder.begin
    true = times[made.frames[:, 0].astype(int) - 1]  # cycle of the call whose number the frame shows
    row = PAL.clock_hz / made.rate_hz
    assert (np.abs(shown - true) <= row + 200).all()
    assert len(made.frames) / made.rate_hz == pytest.approx(recorder.recorded_s, abs=1.5 / made.rate_hz)


def by_interrupt(install: str, body: str) -> bytes:
    """Return an image: init points $0314 to the handler at $1040 and runs ``install``; the handler runs ``body``."""
    return program(f"78 A9 40 8D 14 03 A9 10 8D 15 03 {install} 58 60", f"{body} 4C 7E EA")


RASTER_IRQ = "A9 7F 8D 0D DC AD 0D DC A9 80 8D 12 D0 A9 1B 8D 11 D0 A9 81 8D 1A D0"


@pytest.mark.parametrize("magic", [b"PSID", b"RSID"])
def test_a_tune_with_its_own_raster_interrupt_gives_one_frame_per_interrupt(magic: bytes) -> None:
    image = by_interrupt(RASTER_IRQ, f"0E 19 D0 {COUNT}")
    made = capture(parse(sid_file(image, magic=magic, play=0)), frames=300)
    assert made.rate_hz == PAL.rate_hz
    # The raster had reached line 0 before the tune was ready: the first interrupt comes at once, the next at line $80.
    assert made.frames[:, 0].tolist() == [n & 0xFF for n in range(2, 302)]


def test_two_even_raster_interrupts_per_video_frame_give_two_frames() -> None:
    # LDA $D012 EOR #$9C STA $D012: lines 0 and 156 in turn
    image = by_interrupt(RASTER_IRQ.replace("80 8D 12", "00 8D 12"), f"0E 19 D0 AD 12 D0 29 80 49 80 8D 12 D0 {COUNT}")
    made = capture(parse(sid_file(image, magic=b"RSID", play=0)), frames=300)
    assert made.rate_hz == PAL.rate_hz  # lines 0 and 128 do not come evenly: the frame of video counts
    assert np.diff(made.frames[:, 0].astype(int))[:100].tolist() == [2] * 100
    image = by_interrupt(RASTER_IRQ.replace("80 8D 12", "00 8D 12"), f"0E 19 D0 A5 02 49 9C 85 02 8D 12 D0 {COUNT}")
    made = capture(parse(sid_file(image, magic=b"RSID", play=0)), frames=300)
    assert made.rate_hz == pytest.approx(2 * PAL.rate_hz)
    assert np.diff(made.frames[:, 0].astype(int))[:100].tolist() == [1] * 100


def test_a_tunes_own_timer_interrupt_gives_its_rate() -> None:
    # timer A 6551 + 1 cycles: three times a frame, as the RSID finds it running and masked in
    image = by_interrupt("A9 97 8D 04 DC A9 19 8D 05 DC A9 00 8D 1A D0", COUNT)
    made = capture(parse(sid_file(image, magic=b"RSID", play=0)), frames=600)
    assert made.rate_hz == pytest.approx(3 * PAL.rate_hz)
    assert made.frames[:250, 0].tolist() == list(range(1, 251))


def test_a_player_that_writes_in_few_interrupts_has_the_rate_of_all() -> None:
    # timer A 4913 + 1 cycles, four times a frame; the handler counts and writes at every 64th interrupt alone
    image = by_interrupt("A9 31 8D 04 DC A9 13 8D 05 DC A9 00 8D 1A D0", f"EE F1 10 AD F1 10 29 3F D0 09 {COUNT}")
    made = capture(parse(sid_file(image, magic=b"RSID", play=0)), frames=1200)
    assert made.rate_hz == pytest.approx(PAL.clock_hz / 4914)
    assert np.diff(np.flatnonzero(np.diff(made.frames[:, 0].astype(int)))).tolist() == [64] * 17


def test_a_tune_that_waits_for_the_raster_itself_is_captured_frame_by_frame() -> None:
    # init never returns: SEI; wait for line $90, count, wait until the line is over
    image = program(f"78 A9 90 CD 12 D0 D0 FB {COUNT} A9 91 CD 12 D0 D0 FB 4C 01 10", "60")
    made = capture(parse(sid_file(image, magic=b"RSID", play=0)), frames=300)
    assert made.rate_hz == PAL.rate_hz and np.diff(made.frames[:, 0].astype(int))[:100].tolist() == [1] * 100


def test_samples_by_nmi_do_not_hide_the_rate_of_the_music() -> None:
    """CIA 2 writes $D418 some 8,000 times a second beside a raster interrupt."""
    # $0318 to $1080: INC $D418 LDA $DD0D RTI (with A kept on the stack); CIA 2 timer A 122
    nmi = "A9 80 8D 18 03 A9 10 8D 19 03 A9 7A 8D 04 DD A9 00 8D 05 DD A9 81 8D 0D DD A9 11 8D 0E DD"
    image = bytearray(by_interrupt(RASTER_IRQ, f"0E 19 D0 {COUNT}"))
    code = bytes.fromhex(f"78 A9 40 8D 14 03 A9 10 8D 15 03 {nmi} 4C B0 10")
    image[: len(code)] = code
    rest = bytes.fromhex(f"{RASTER_IRQ} 58 60")
    image[0xB0 : 0xB0 + len(rest)] = rest
    image[0x80:0x8A] = bytes.fromhex("48 EE 18 D4 AD 0D DD 68 40 EA")
    made = capture(parse(sid_file(bytes(image), magic=b"RSID", play=0)), frames=300)
    assert made.rate_hz == PAL.rate_hz and np.diff(made.frames[:, 0].astype(int))[:100].tolist() == [1] * 100
    assert (made.frames[:, 24] == 0x0F).all()  # as the driver left it
    assert made.samples is not None and made.samples.registers == (24,) and made.samples.share == 1


def test_a_program_that_never_plays_is_refused() -> None:
    with pytest.raises(TuneError, match="writes nothing to the SID in 10 s"):
        capture(parse(sid_file(program("60", "60"), magic=b"RSID", play=0)))


def test_a_gate_pulse_after_a_repeated_value_is_kept() -> None:
    """Some players write the old value first: $41 $00 $41 still closes and reopens the gate."""
    # init: control 1 = $41. play: LDA #$41 STA $D404 LDA #0 STA $D404 LDA #$41 STA $D404
    rows = played("A9 41 8D 04 D4 60", "A9 41 8D 04 D4 A9 00 8D 04 D4 A9 41 8D 04 D4 60")
    assert rows[:, [25, 4]].tolist() == [[0x00, 0x41]] * 4


def test_the_first_of_several_sids_is_kept() -> None:
    image = program("60", "A9 11 8D 00 D4 A9 22 8D 20 D4 A9 33 8D 41 D4 60")
    rows = capture(parse(sid_file(image, version=4, pages=bytes([0, 0, 0x42, 0x44]))), frames=2).frames
    assert rows[:, :2].tolist() == [[0x11, 0x00]] * 2


@pytest.mark.parametrize("timing", ["cia", "rsid"])
def test_real_tunes_write_at_the_same_times_as_in_libsidplayfp(shared: Path, timing: str) -> None:
    """Every sampled state of a trace occurs in our emulation near the same time, until the tune calls a ROM.

    The reference's samples come up to one batch of its events, 5,000 cycles, after the quarters of the video frame; it
    has no ROM apart from the interrupt entry, so a tune that calls one runs into zeros there.
    """
    index = json.loads((shared / "oracle" / "index.json").read_text(encoding="utf-8"))
    different = []
    for entry in [entry for entry in index if entry["timing"] == timing][::3]:
        with np.load(shared / "oracle" / entry["trace"]) as archive:
            expected = archive["state"].reshape(-1, REGISTERS)[:2000]
        tune = read(shared / entry["tune"])
        quarter = tune.timing.cycles_per_frame / 4
        log, rom = events(tune, None, int(quarter * 2002) + 10_000)
        changes = log[log[:, 1] < REGISTERS, 0] + 1
        at = (np.arange(len(expected)) + 1) * quarter
        at = at if rom is None else at[at + 5_100 <= rom]
        spans = zip(at - 30, np.searchsorted(changes, at - 30), np.searchsorted(changes, at + 5_100), strict=True)
        moments = [np.append(changes[first:last], np.int64(begin)) for begin, first, last in spans]
        lengths = np.array([len(some) for some in moments])
        if len(at):
            states = states_at(log, np.concatenate(moments))
            equal = (states == np.repeat(expected[: len(at)], lengths, axis=0)).all(axis=1)
            met = np.logical_or.reduceat(equal, np.cumsum(lengths) - lengths)
            different += [(entry["tune"], int(q)) for q in np.flatnonzero(~met)[:1]]
    assert different == []


@pytest.mark.parametrize(
    ("init", "play", "message"),
    [
        ("4C 00 10", "60", "init does not return"),
        ("02", "60", "init jams"),
        ("60", "4C 40 10", "play does not return"),
        ("60", "B2", "play jams"),
    ],
)
def test_code_that_hangs_or_jams_is_refused(init: str, play: str, message: str) -> None:
    with pytest.raises(TuneError, match=message):
        capture(parse(sid_file(program(init, play))))


@pytest.mark.parametrize("frames", [0, -1, 10**9])
def test_lengths_out_of_range_are_refused(frames: int) -> None:
    with pytest.raises(TuneError, match="expected 1 to"):
        capture(parse(sid_file()), frames=frames)


def test_saved_frames_load_again(tmp_path: Path) -> None:
    frames = np.random.default_rng(1).integers(0, 256, (50, 28), dtype=np.uint8)
    save_frames(tmp_path / "a.npz", frames, 50.125, title="Müsic", chip="8580")
    back, rate_hz, meta = load_frames(tmp_path / "a.npz")
    assert (back == frames).all() and rate_hz == 50.125 and meta == {"title": "Müsic", "chip": "8580"}


def test_files_without_frames_are_refused(tmp_path: Path) -> None:
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
    with pytest.raises(DeviceError, match="cannot be written"):
        save_frames(tmp_path / "no" / "a.npz", np.zeros((4, 28), np.uint8), 50.0)


def test_an_archive_member_that_is_not_an_array_is_refused(tmp_path: Path) -> None:
    """numpy returns plain bytes for a member that does not start like an array."""
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("frames.npy", b"not an array")
        archive.writestr("rate_hz.npy", b"50")
    with pytest.raises(TuneError, match="frames are"):
        load_frames(tmp_path / "a.npz")
