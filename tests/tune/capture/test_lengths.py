"""The end of music: silence, loops exact and nearly exact, and recording that stops once the end is known."""

import numpy as np
import pytest

from sidlive.chip.registers import Frames, silence
from sidlive.errors import TuneError
from sidlive.tune.capture.lengths import Listener, music_length, record_music, record_seconds

RATE = 50.125
TAIL = 100  # frames: two seconds
TWENTY_S = round(20 * RATE)
CHANCE = 60  # frames before a loop that may equal the frames before its repeat by chance


def melody(count: int, seed: int = 1) -> Frames:
    """Return ``count`` frames that never repeat, with voice 1 sounding."""
    frames = silence(count)
    frames[:, 0:2] = np.random.default_rng(seed).integers(1, 256, (count, 2))
    frames[:, [4, 25]] = 0x41
    frames[:, 24] = 0x0F
    return frames


def notes(count: int, seed: int = 1, semitones: int = 0) -> Frames:
    """Return ``count`` frames of random notes in voice 1, twelve frames each, the first nine with the gate open."""
    frames = silence(count)
    pitches = np.random.default_rng(seed).integers(36, 84, -(-count // 12)) + semitones
    frequencies = np.repeat(np.round(16.35 * 2 ** (pitches / 12) * 17.03), 12)[:count].astype(int)
    frames[:, 0], frames[:, 1] = frequencies & 255, frequencies >> 8
    gates = np.arange(count) % 12 < 9
    lengths = np.repeat(np.random.default_rng(seed + 99).integers(0, 2, -(-count // 12)), 12)[:count]
    frames[:, 4] = np.where(gates, 0x41, 0x40) ^ (lengths << 4)
    frames[:, 25] = frames[:, 4]
    frames[:, 24] = 0x0F
    return frames


def sweep(frames: Frames, step: float = 1.618) -> Frames:
    """Return ``frames`` with a pulse sweep that never repeats."""
    frames = frames.copy()
    frames[:, 2] = (np.arange(len(frames)) * step * 16).astype(int) % 251
    return frames


class FakeRecorder:
    """Stand-in for a Recorder that plays given frames."""

    def __init__(self, frames: Frames, rate_hz: float = RATE) -> None:
        self.frames, self.expected_hz, self.played = frames, rate_hz, 0

    @property
    def recorded_s(self) -> float:
        return self.played / self.expected_hz

    def finish(self, count: int) -> Frames:
        return self.frames[:count]

    def record(self, count: int) -> Frames:
        if self.played + count > len(self.frames):
            raise TuneError("the frames are over")
        self.played += count
        return self.frames[self.played - count : self.played]


def test_silence_after_the_end_is_cut_except_for_a_tail() -> None:
    frames = np.concatenate([melody(700), np.repeat(melody(1), 2000, axis=0)])
    frames[702:, [4, 25]] = 0x40
    assert music_length(frames, RATE) == pytest.approx(700 + TAIL, abs=3)


def test_silence_inside_stays() -> None:
    frames = np.concatenate([melody(300), silence(1500), melody(300, seed=2)])
    assert music_length(frames, RATE) == len(frames)


def test_silent_frames_have_no_music() -> None:
    assert music_length(silence(1000), RATE) == 0
    without_volume, without_gate, without_wave = melody(1000), melody(1000), melody(1000)
    without_volume[:, 24] = 0x70
    without_gate[:, [4, 25]] = 0x40
    without_wave[:, [4, 25]] = 0x01
    for frames in (without_volume, without_gate, without_wave):
        assert music_length(frames, RATE) == 0


@pytest.mark.parametrize(("intro", "period"), [(0, 700), (500, 700), (500, 300)])
def test_a_loop_is_kept_with_one_repeat(intro: int, period: int) -> None:
    frames = np.concatenate([melody(intro, seed=2), *[melody(period)] * 12])
    assert music_length(frames, RATE) == intro + 2 * period


def test_twenty_seconds_of_a_long_loops_repeat_are_kept() -> None:
    frames = np.concatenate([melody(100, seed=2), melody(3000), melody(3000)[:2500]])
    assert music_length(frames, RATE) == 100 + 3000 + TWENTY_S


def test_a_loop_with_one_changed_register_is_no_exact_loop() -> None:
    frames = np.concatenate([melody(1500), melody(1500)])
    frames[2900, 22] ^= 1
    assert music_length(frames, RATE) == 3000


@pytest.mark.parametrize("intro", [0, 480])
def test_a_loop_is_found_under_a_sweep_that_never_repeats(intro: int) -> None:
    frames = sweep(np.concatenate([notes(intro, seed=2), notes(1800), notes(1800)]))
    assert music_length(frames, RATE) == pytest.approx(intro + 1800 + TWENTY_S, abs=CHANCE)


def test_a_loop_is_found_under_a_vibrato_that_never_repeats() -> None:
    frames = np.concatenate([notes(1800), notes(1800)])
    bent = (frames[:, 0] + 256 * frames[:, 1].astype(int)) * (1 + 0.02 * np.sin(np.arange(3600) * 0.77))
    frames[:, 0], frames[:, 1] = bent.astype(int) & 255, bent.astype(int) >> 8
    assert music_length(frames, RATE) == pytest.approx(1800 + TWENTY_S, abs=CHANCE)


def test_the_same_rhythm_on_other_notes_is_other_music() -> None:
    assert music_length(sweep(np.concatenate([notes(1800), notes(1800, semitones=2)])), RATE) == 3600


def test_a_held_note_under_a_sweep_is_not_a_loop() -> None:
    frames = silence(3000)
    frames[:, [1, 4, 24, 25]] = 0x20, 0x41, 0x0F, 0x41
    assert music_length(sweep(frames), RATE) == 3000


def test_recording_stops_after_a_complete_loop_was_repeated() -> None:
    recorder = FakeRecorder(sweep(np.concatenate([notes(480, seed=2), *[notes(1800)] * 6])))
    frames, end = record_music(recorder, 9000 / RATE)  # type: ignore[arg-type]
    assert end == "loop" and len(frames) == pytest.approx(480 + 1800 + TWENTY_S, abs=CHANCE)
    assert 480 + 2 * 1800 <= recorder.played < 480 + 3 * 1800
    assert (frames == recorder.frames[: len(frames)]).all()


def test_recording_goes_on_after_a_part_that_was_repeated_in_part() -> None:
    first, other = notes(2400), notes(2400, seed=5)
    recorder = FakeRecorder(sweep(np.concatenate([first, first[:1700], other, notes(2500, seed=6)])))
    frames, end = record_music(recorder, 9000 / RATE)  # type: ignore[arg-type]
    assert (len(frames), end, recorder.played) == (9000, "limit", 9000)


def test_recording_stops_some_time_after_the_last_sound() -> None:
    recorder = FakeRecorder(np.concatenate([notes(1200), silence(7800)]))
    frames, end = record_music(recorder, 9000 / RATE)  # type: ignore[arg-type]
    assert end == "silence" and len(frames) == pytest.approx(1200 + TAIL, abs=12)
    assert recorder.played < 4000


def test_hearing_in_steps_gives_the_same_result_as_hearing_at_once() -> None:
    frames = sweep(np.concatenate([notes(480, seed=2), notes(1800), notes(1000)]))
    at_once, in_steps = Listener(RATE), Listener(RATE)
    at_once.hear(frames)
    for begin in range(0, len(frames), 377):
        in_steps.hear(frames[begin : begin + 377])
    assert at_once.music() == in_steps.music()


def test_no_more_is_recorded_than_asked_for() -> None:
    for most in (1, 499, 501, 1003):
        recorder = FakeRecorder(notes(2000))
        frames, end = record_music(recorder, most / RATE)  # type: ignore[arg-type]
        assert (len(frames), end, recorder.played) == (most, "limit", most)


def test_a_known_length_is_kept_except_for_silence() -> None:
    recorder = FakeRecorder(np.concatenate([*[notes(600)] * 5, silence(3000)]))
    frames, end = record_seconds(recorder, 40.0, 9000 / RATE)  # type: ignore[arg-type]
    assert (len(frames), end) == (round(40 * RATE), "songlengths")
    frames, end = record_seconds(FakeRecorder(recorder.frames), 100.0, 9000 / RATE)  # type: ignore[arg-type]
    assert len(frames) == pytest.approx(3000 + TAIL, abs=12)
    frames, end = record_seconds(FakeRecorder(recorder.frames), 100.0, 700 / RATE)  # type: ignore[arg-type]
    assert (len(frames), end) == (700, "limit")
