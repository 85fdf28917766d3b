"""Fragments: loaded from every kind of file, unchangeable, with the length of their beat."""

import json
from pathlib import Path

import numpy as np
import pytest
from tunes_by_hand import sid_file

from sidlive.chip.registers import (
    CONTROL,
    FIRST_CONTROL,
    FREQ_HI,
    MODE_VOL,
    NTSC,
    PAL,
    RES_ROUTE,
    USED_BITS,
    Frames,
    register_of,
    silence,
)
from sidlive.errors import TuneError
from sidlive.tune.beat import Beat
from sidlive.tune.capture.recorder import Recorder, capture
from sidlive.tune.edits import resample
from sidlive.tune.formats.npz import save_frames
from sidlive.tune.formats.psid import parse, read
from sidlive.tune.formats.streams import parse_dmp, write_dmp, write_sidgpt
from sidlive.tune.fragment import RATE_TOLERANCE, Fragment, onsets, video_frames, why_silent
from sidlive.tune.loading import load_fragment

FREQ, CTRL = register_of(2, FREQ_HI), register_of(2, CONTROL)


@pytest.fixture
def tune(tmp_path: Path) -> Path:
    path = tmp_path / "Rising.sid"
    path.write_bytes(sid_file(songs=3, flags=0x24))
    return path


def test_a_fragment_of_a_tune_is_a_slice_of_its_capture(tune: Path) -> None:
    fragment = load_fragment(tune, song=2, start_s=2.0, seconds=4.0)
    whole = capture(parse(tune.read_bytes()), 2, 400).frames
    assert (fragment.frames == whole[100:300]).all()
    assert (fragment.name, fragment.source) == ("Rising", "Rising.sid song 2")
    assert (fragment.chip, fragment.timing) == ("8580", "PAL")
    assert fragment.seconds == pytest.approx(4.0, abs=0.02)


def test_a_fragment_of_frames_takes_the_texts_of_its_file(tmp_path: Path) -> None:
    frames = np.random.default_rng(1).integers(0, 256, (300, 28), dtype=np.uint8)
    save_frames(tmp_path / "take.npz", frames, 60.0, chip="8580", timing="NTSC", source="X.sid")
    fragment = load_fragment(tmp_path / "take.npz", start_s=1.0, seconds=2.0, name="verse")
    assert (fragment.frames == frames[60:180]).all()
    assert (fragment.name, fragment.source, fragment.chip, fragment.timing) == ("verse", "X.sid", "8580", "NTSC")


def test_a_file_that_ends_early_gives_a_shorter_fragment(tmp_path: Path) -> None:
    save_frames(tmp_path / "take.npz", silence(100), 50.0)
    assert len(load_fragment(tmp_path / "take.npz", start_s=1.5, seconds=10).frames) == 25
    with pytest.raises(TuneError, match=r"take\.npz is 2\.0 s long; it has nothing at 2 s"):
        load_fragment(tmp_path / "take.npz", start_s=2.0)


def test_the_oddities_of_a_tune_come_with_its_fragment(tmp_path: Path) -> None:
    (tmp_path / "x.sid").write_bytes(sid_file(start=0))
    assert load_fragment(tmp_path / "x.sid").notes == ("it starts with song 0 of 1: song 1 is played",)


@pytest.mark.parametrize("name", ["x.sid", "X.PSID", "x.rsid"])
def test_a_sid_file_has_three_names(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(sid_file())
    assert len(load_fragment(tmp_path / name, seconds=1).frames) == 50


def sounding(**registers: int) -> Frames:
    """Return two seconds of voice 3 as a pulse at full volume; ``registers`` replace values of its columns."""
    frames = silence(100)
    columns = {"freq": FREQ, "control": CTRL, "mode_vol": MODE_VOL, "route": RES_ROUTE, "first": FIRST_CONTROL + 2}
    for name, value in {"freq": 0x1C, "control": 0x41, "mode_vol": 0x0F, **registers}.items():
        frames[:, columns[name]] = value
    return frames


@pytest.mark.parametrize(
    ("registers", "why"),
    [
        ({}, ""),
        ({"mode_vol": 0xF0}, "its volume is 0 in all frames"),
        ({"control": 0x40}, "no voice's gate is on in any frame"),
        ({"control": 0x40, "first": 0x41}, ""),  # a gate inside the frame
        ({"control": 0x01}, "no voice sounds a waveform in any frame"),
        ({"control": 0x49}, "no voice sounds a waveform in any frame"),  # the test bit stops it
        ({"freq": 0}, "no voice sounds a waveform in any frame"),
        ({"mode_vol": 0x8F}, "no voice sounds a waveform in any frame"),  # voice 3 off
        ({"mode_vol": 0x9F, "route": 4}, ""),  # switched off, but it goes through the filter
        ({"mode_vol": 0x0F, "route": 4}, "no voice sounds a waveform in any frame"),  # into a filter without a mode
    ],
)
def test_a_silent_fragment_says_why(registers: dict[str, int], why: str) -> None:
    assert why_silent(sounding(**registers)) == why


def test_ringing_notes_and_samples_are_not_silent() -> None:
    ringing = sounding(control=0x40)
    ringing[0, [CTRL, FIRST_CONTROL + 2]] = 0x49  # gate on in the test state, then a long release
    assert why_silent(ringing) == ""
    samples = silence(100)
    samples[::2, MODE_VOL] = 0x0C
    assert why_silent(samples) == ""


@pytest.mark.parametrize(
    ("rate_hz", "timing", "ratio", "wanted_hz"),
    [
        (2 * PAL.rate_hz, "PAL", 2, PAL.rate_hz),
        (200.0, "PAL", 4, 50.0),  # a timer nearly four times a frame is four times a frame
        (60.0, "PAL", 60.0 / PAL.rate_hz, PAL.rate_hz),
        (25.0, "PAL", 25.0 / PAL.rate_hz, PAL.rate_hz),
        (120.0, "NTSC", 2, 60.0),
    ],
)
def test_music_of_another_rate_is_resampled_to_the_video_frame(
    tmp_path: Path, rate_hz: float, timing: str, ratio: float, wanted_hz: float
) -> None:
    frames = np.random.default_rng(1).integers(0, 256, (1200, 28), dtype=np.uint8) & USED_BITS
    save_frames(tmp_path / "take.npz", frames, rate_hz, timing=timing)
    fragment = load_fragment(tmp_path / "take.npz", seconds=3600)
    assert (fragment.rate_hz, fragment.resampled_from_hz) == (pytest.approx(wanted_hz), rate_hz)
    assert np.array_equal(fragment.frames, resample(frames, ratio))
    assert fragment.seconds == pytest.approx(1200 / rate_hz, abs=1 / wanted_hz)
    later = load_fragment(tmp_path / "take.npz", start_s=2.0, seconds=1.0)
    first = round(2.0 * wanted_hz)
    assert np.array_equal(later.frames, fragment.frames[first : first + round(wanted_hz)])


def test_music_at_the_video_rate_is_not_resampled() -> None:
    made = Fragment("a", silence(50), PAL.rate_hz, "here", "6581", "PAL", Beat(24.0))
    assert made.at_video_rate() is made
    quick = Fragment("a", silence(100), 2 * PAL.rate_hz, "here", "6581", "PAL", Beat(48.0)).at_video_rate()
    assert (len(quick.frames), quick.rate_hz, quick.beat_frames) == (50, PAL.rate_hz, 24)
    assert quick.resampled_from_hz == 2 * PAL.rate_hz


@pytest.mark.parametrize(
    ("rate_hz", "says", "standard"),
    [(NTSC.rate_hz, None, "NTSC"), (PAL.rate_hz, None, "PAL"), (100.0, None, "PAL"), (59.995, "PAL", "PAL")],
)
def test_the_video_standard_comes_from_the_files_texts_or_its_rate(
    tmp_path: Path, rate_hz: float, says: str | None, standard: str
) -> None:
    path = tmp_path / "frames.npz"
    save_frames(path, silence(60), rate_hz, **({"timing": says} if says else {}))
    assert load_fragment(path).timing == standard


def test_fragments_come_from_register_streams(tmp_path: Path) -> None:
    rows = parse_dmp(bytes(k % 251 for k in range(25 * 200)))
    write_dmp(tmp_path / "dump.dmp", rows)
    write_sidgpt(tmp_path / "stream.sidgpt", [rows[:80], rows[80:]])
    dump = load_fragment(tmp_path / "dump.dmp", start_s=1.0, seconds=1.0)
    assert np.array_equal(dump.frames, rows[50:100])
    assert (dump.rate_hz, dump.timing, dump.source) == (PAL.rate_hz, "PAL", "dump.dmp")
    assert np.array_equal(load_fragment(tmp_path / "stream.sidgpt").frames, rows[:80])
    assert np.array_equal(load_fragment(tmp_path / "stream.sidgpt", song=2).frames, rows[80:])
    for song in (0, 3):
        with pytest.raises(TuneError, match=f"song {song} does not exist; the stream has pieces 1 to 2"):
            load_fragment(tmp_path / "stream.sidgpt", song=song)
    with pytest.raises(TuneError, match="frames have no songs"):
        load_fragment(tmp_path / "dump.dmp", song=1)


def test_fragments_do_not_change(tune: Path) -> None:
    fragment = load_fragment(tune, seconds=1)
    with pytest.raises(ValueError, match="read-only"):
        fragment.frames[0, 0] = 1
    with pytest.raises(AttributeError):
        fragment.name = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start_s": -1.0}, "start is -1.0 s; expected 0 or more"),
        ({"start_s": float("nan")}, "start is nan s"),
        ({"seconds": 0.0}, "length is 0.0 s; expected more than 0"),
        ({"start_s": 5000.0}, "a fragment may reach 3600 s into a tune, not 5010 s"),
        ({"song": 4}, r"Rising\.sid: song 4 does not exist"),
    ],
)
def test_a_part_that_is_not_there_is_refused(tune: Path, options: dict, message: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(TuneError, match=message):
        load_fragment(tune, **options)


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TuneError, match=r"expected \.sid, \.psid, \.rsid, \.prg, \.npz, \.sidgpt or \.dmp"):
        load_fragment(tmp_path / "song.mp3")
    with pytest.raises(TuneError, match="it is Compute! Sidplayer MUS data"):
        load_fragment(tmp_path / "song.mus")
    with pytest.raises(TuneError, match="no such file"):
        load_fragment(tmp_path / "missing.sid")
    save_frames(tmp_path / "take.npz", silence(10), 50.0, chip="YM2149")
    with pytest.raises(TuneError, match="chip YM2149"):
        load_fragment(tmp_path / "take.npz")
    with pytest.raises(TuneError, match="frames have no songs"):
        load_fragment(tmp_path / "take.npz", song=1)


def test_onsets_are_gates_that_open_and_gates_that_reopen_inside_a_frame() -> None:
    frames = silence(6)
    frames[2:5, [4, 25]] = 0x41  # voice 1: a note from frame 2 to 4
    frames[1:6, [11, 26]] = 0x21  # voice 2: a note from frame 1 on ...
    frames[4, 26] = 0x20  # ... which starts again in frame 4
    assert onsets(frames).tolist() == [0, 1, 1, 0, 1, 0]


def gate_openings(frames: Frames) -> list[int]:
    """Return how often each voice's gate opens from reset on; first control values come before final ones."""
    counts = []
    for voice in range(3):
        gate = frames[:, [25 + voice, 4 + 7 * voice]].reshape(-1) & 1
        counts.append(int(np.count_nonzero(np.diff(gate.astype(int), prepend=0) == 1)))
    return counts


def test_real_tunes_of_other_rates_keep_all_their_notes(shared: Path) -> None:
    """One minute each of the tunes whose play is called by a timer, at 25 to 401 times a second."""
    index = json.loads((shared / "oracle" / "index.json").read_text(encoding="utf-8"))
    tunes = [shared / entry["tune"] for entry in index if entry["timing"] == "cia"]
    resampled = notes = 0
    for path in tunes:
        recorder = Recorder(read(path))
        recorder.record(round(60 * recorder.expected_hz))
        made = recorder.finish()
        rows = made.frames
        frames, rate_hz = video_frames(rows, made.rate_hz, made.timing)
        assert abs(rate_hz / recorder.tune.timing.rate_hz - 1) <= RATE_TOLERANCE
        assert abs(len(frames) / rate_hz - recorder.recorded_s) < 0.05
        assert gate_openings(frames) == gate_openings(rows), path.name
        resampled += frames is not rows
        notes += sum(gate_openings(rows))
    assert resampled >= 20 and notes > 10_000
