"""Recordings: what is heard from the moment it is said, stems besides; whole after a panic, a full disk and a crash."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from fake_engine import FakeEngine, riff
from fake_sound import ManualOutput
from patience import PATIENCE_S, until

from sidlive.chip.registers import NTSC, PAL
from sidlive.chip.sid import SAMPLE_RATE, Sid, render, sample_at
from sidlive.chip.wav import WavFile
from sidlive.errors import ControlError, DeviceError
from sidlive.live.core.core import Core
from sidlive.live.offline_sound import sound_to
from sidlive.live.script import Offline
from sidlive.live.session import Session
from sidlive.live.sound.feed import FADE
from sidlive.live.sound.recording import RecordedFrame, SoundRecording, free_path, stem_path
from sidlive.live.sound.renderer import Renderer
from sidlive.live.sound.sound_recorder import SoundRecorder
from sidlive.live.takes.take import Take

FRAMES = riff().frames


def sound_of(path: Path) -> np.ndarray:
    return soundfile.read(path, dtype="int16")[0]


def power(sound: np.ndarray) -> float:
    return float((sound.astype(float) ** 2).mean())


def eventually(what: Callable[[], bool]) -> None:
    assert until(what), "it never happened"


def play(recording: SoundRecording, frames: np.ndarray = FRAMES) -> np.ndarray:
    """Play frames into a recording, as the renderer does, in two pieces each; return their sound."""
    sid, blocks = Sid(first_row=frames[0]), []
    for index, row in enumerate(frames):
        recording.frame(RecordedFrame(row, "6581", "PAL", False, index == 0))
        block = sid.play(row, sample_at(index + 1, PAL.rate_hz) - sample_at(index, PAL.rate_hz))
        for piece in np.split(block, [200]):
            recording.samples(piece, SAMPLE_RATE)
        blocks.append(block)
    return np.concatenate(blocks)


def test_a_recording_is_the_sound_as_it_was_given_and_its_stems_add_up_to_it(tmp_path: Path) -> None:
    recording = SoundRecording(tmp_path / "set.flac", stems=True)
    recording.open()
    whole = play(recording)
    recording.close()
    assert [path.name for path in recording.paths] == ["set.flac", *(f"set-voice{n}.flac" for n in (1, 2, 3))]
    assert np.array_equal(sound_of(tmp_path / "set.flac"), whole)
    stems = [sound_of(path).astype(float) for path in recording.paths[1:]]
    assert power(whole - sum(stems)) < 0.02 * power(whole)


def test_frames_before_the_recording_bring_the_stems_to_where_the_sound_is(tmp_path: Path) -> None:
    """The recording begins within a note, and within a frame, which the stems' chips must have heard begin."""
    recording = SoundRecording(tmp_path / "set.wav", stems=True)
    recording.open()
    sound = render(FRAMES, PAL.rate_hz)
    begin = 30
    for index, row in enumerate(FRAMES):
        recording.frame(RecordedFrame(row, "6581", "PAL", False, index == 0))
        start, end = sample_at(index, PAL.rate_hz), sample_at(index + 1, PAL.rate_hz)
        if index < begin:
            recording.unheard(end - start)
        elif index == begin:
            recording.unheard(300)
            recording.samples(sound[start + 300 : end], SAMPLE_RATE)
        else:
            recording.samples(sound[start:end], SAMPLE_RATE)
    recording.close()
    whole, *stems = (sound_of(path).astype(float) for path in recording.paths)
    assert np.array_equal(whole, sound[sample_at(begin, PAL.rate_hz) + 300 :])
    assert power(whole - sum(stems)) < 0.02 * power(whole)


def test_what_a_panic_discards_is_not_in_the_recording(tmp_path: Path) -> None:
    recording = SoundRecording(tmp_path / "set.wav", stems=True)
    recording.open()
    whole = play(recording, FRAMES[:60])
    recording.take_back(2000)
    recording.close()
    for path in recording.paths:
        assert len(sound_of(path)) == len(whole) - 2000 + FADE
    heard = sound_of(recording.path)
    assert np.array_equal(heard[:-FADE], whole[:-2000])
    assert np.abs(np.diff(heard[-FADE - 1 :].astype(int))).max() < 200 and abs(int(heard[-1])) < 100


def test_another_sample_rate_goes_on_in_another_file(tmp_path: Path) -> None:
    said: list[str] = []
    recording = SoundRecording(tmp_path / "set.flac", False, said.append)
    recording.open()
    recording.frame(RecordedFrame(FRAMES[0], "6581", "PAL", False, True))
    recording.samples(np.ones(100, np.int16), 44_100)  # before there is sound the file begins anew
    recording.samples(np.ones(50, np.int16), 96_000)
    recording.close()
    assert [soundfile.info(tmp_path / name).samplerate for name in ("set.flac", "set-2.flac")] == [44_100, 96_000]
    assert len(said) == 1 and "96000 samples a second" in said[0] and "set-2.flac" in said[0]


def test_another_chip_or_video_standard_has_other_stems(tmp_path: Path) -> None:
    recording = SoundRecording(tmp_path / "set.wav", stems=True)
    recording.open()
    for chip, timing in (("6581", "PAL"), ("8580", "PAL"), ("8580", NTSC.name)):
        for row in FRAMES[:10]:
            recording.frame(RecordedFrame(row, chip, timing, False, False))
            recording.samples(np.zeros(958, np.int16), SAMPLE_RATE)
    recording.close()
    assert all(len(sound_of(path)) == 30 * 958 for path in recording.paths)


def test_a_taken_name_is_not_overwritten(tmp_path: Path) -> None:
    assert free_path(tmp_path / "a.flac") == tmp_path / "a.flac"
    stem_path(tmp_path / "a.flac", 2).touch()
    assert free_path(tmp_path / "a.flac") == tmp_path / "a-2.flac"


# -- the recorder and its process


class Band:
    """A renderer that a test drives by taking samples, and its recorder."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.recorder = SoundRecorder(lambda text, level: self.said.append(text))
        self.output = ManualOutput()
        core = Core(Take(None, {}))
        rows = iter(np.concatenate([FRAMES] * 4))
        source = self.recorder.source(lambda: next(rows), core, lambda: "6581")
        self.renderer = Renderer(
            source, self.output, heard=lambda samples: self.recorder.heard(samples, self.output.sample_rate)
        )
        self.heard: list[np.ndarray] = []
        self.renderer.start()

    def take(self, blocks: int) -> None:
        for _ in range(blocks):
            eventually(lambda: self.output.feed.waiting >= 512)
            block = np.zeros(512, np.int16)
            self.output.feed.take(block)
            self.heard.append(block)

    def close(self) -> None:
        self.renderer.close()
        self.recorder.close()


@pytest.fixture
def band() -> Iterator[Band]:
    band = Band()
    yield band
    band.close()


def test_the_recorder_records_what_the_device_gets(band: Band, tmp_path: Path) -> None:
    band.recorder.record(tmp_path / "set.flac", True)
    assert band.recorder.path == str(tmp_path / "set.flac")
    band.take(60)
    band.recorder.record(None)
    assert band.recorder.path == ""
    eventually(lambda: any(text.startswith("recorded set.flac, set-voice1.flac") for text in band.said))
    recorded, heard = sound_of(tmp_path / "set.flac"), np.concatenate(band.heard)
    offsets = [at for at in range(len(heard) - 9000) if np.array_equal(heard[at : at + 9000], recorded[:9000])]
    assert offsets, "it begins within what was heard"
    rest = heard[offsets[0] :]
    assert np.array_equal(recorded[: len(rest)], rest)


def test_a_recording_ends_whole_when_the_core_is_killed(tmp_path: Path) -> None:
    code = f"""
import sys, time
sys.path[:0] = {sys.path!r}
from pathlib import Path
import numpy as np
from sidlive.live.sound import sound_recorder
from sidlive.live.sound.sound_recorder import SoundRecorder
sound_recorder.PATIENCE_S = {PATIENCE_S}
recorder = SoundRecorder(lambda text, level: None)
recorder.record(Path({str(tmp_path / "set.flac")!r}))
for number in range(100):
    recorder.heard(np.full(480, number, np.int16), 48000)
while recorder._current._queue:
    time.sleep(0.01)
time.sleep(0.5)  # the last of it is on its way to the recorder process
print("now", flush=True)
time.sleep({PATIENCE_S})
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"now\n"
        process.kill()

        def is_whole() -> bool:
            try:
                return len(sound_of(tmp_path / "set.flac")) == 48_000
            except (soundfile.LibsndfileError, ValueError):  # it is being written
                return False

        eventually(is_whole)
    assert np.array_equal(sound_of(tmp_path / "set.flac"), np.repeat(np.arange(100), 480))


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full, a disk that is always full")
def test_a_full_disk_ends_the_recording_with_one_line_and_the_music_goes_on(band: Band, tmp_path: Path) -> None:
    (tmp_path / "set.wav").symlink_to("/dev/full")
    band.recorder.record(tmp_path / "set.wav")
    band.take(200)
    eventually(lambda: bool(band.said))
    assert len(band.said) == 1 and band.said[0].startswith("the recording has ended, the music goes on: ")
    frames = band.renderer.frames
    band.take(20)
    assert band.recorder.path == "" and band.renderer.frames > frames and not band.renderer.held


def test_a_place_that_cannot_be_written_is_refused_at_once(band: Band, tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="cannot be written"):
        band.recorder.record(tmp_path / "missing" / "set.flac")
    assert band.recorder.path == ""


# -- the verb


def test_the_verb_records_in_virtual_time_from_the_moment_it_is_said(tmp_path: Path) -> None:
    with WavFile(tmp_path / "all.wav") as wav:
        core = Core(Take(None, {}))
        session = Session(Offline(core, FakeEngine(), sound_to(wav, core)), tmp_path / "takes")
        session.add(riff())
        session.prompt("riff")
        session.start()
        session.wait(1)
        path = session.record("set", stems=True)
        assert path == tmp_path / "takes" / "set.flac" and session.state().recording == str(path)
        session.wait(1)
        session.record(None)
        again = session.record("set.flac")
        assert again == tmp_path / "takes" / "set-2.flac" and session.state().recording
        session.wait(0.5)
        session.close()
    whole = sound_of(tmp_path / "all.wav")
    begin, end = sample_at(50, PAL.rate_hz), sample_at(100, PAL.rate_hz)
    assert np.array_equal(sound_of(path), whole[begin:end])
    assert np.array_equal(sound_of(again), whole[end : end + len(sound_of(again))]) and len(sound_of(again)) > 20_000
    assert all(stem_path(path, voice).exists() for voice in range(3))
    assert any(notice.text.startswith("recorded set.flac, set-voice1.flac") for notice in core.state().notices)


def test_a_wrong_name_is_one_line(tmp_path: Path) -> None:
    core = Core(Take(None, {}))
    session = Session(Offline(core, FakeEngine(), sound_to(None, core)), tmp_path)
    for name, said in ((3, "record expects a name for the file, found 3"), ("a\0b", "without control characters")):
        with pytest.raises(ControlError, match=said):
            session.record(name)  # type: ignore[arg-type]
    with pytest.raises(ControlError, match=r"record cannot use this name: .* at most 255 fit"):
        session.record("x" * 300)
    with pytest.raises(ControlError, match="stems=True or stems=False"):
        session.record("a", stems=2)  # type: ignore[arg-type]
