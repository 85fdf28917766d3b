"""Samples found in recordings and left out of frames; the rows are made by hand."""

import numpy as np

from sidlive.chip.c64.machine import RecordedFrames
from sidlive.chip.registers import Frames
from sidlive.tune.capture.samples import without_samples

VOLUME, FILTERED = 24, 0x1F
rng = np.random.default_rng(7)


def rows_of(frames: Frames, own: Frames | None = None) -> RecordedFrames:
    """Return rows of music that writes each register once per frame, outside NMI handlers."""
    count = len(frames)
    writes = np.zeros((count, 2, 25), np.uint8)
    writes[:, 0] = 1
    return RecordedFrames(frames, np.arange(1, count + 1) * 19656, writes, frames[:, :25] if own is None else own)


def music(count: int = 500) -> Frames:
    """Return a note every ten frames in voice 1, at full volume through the filter."""
    frames = np.zeros((count, 28), np.uint8)
    frames[:, VOLUME] = FILTERED
    frames[:, [4, 25]] = np.where(np.arange(count) % 10 < 5, 0x41, 0x40)[:, None]
    return frames


def test_music_without_samples_stays_as_it_is() -> None:
    rows = rows_of(music())
    frames, samples = without_samples(rows)
    assert samples is None and (frames == music()).all()


def test_samples_by_nmi_leave_the_musics_own_volume() -> None:
    wanted = music()
    wanted[:, VOLUME] = 0x10 | np.linspace(15, 1, 500).astype(np.uint8)
    rows = rows_of(wanted.copy(), wanted[:, :25].copy())
    rows.frames[:, VOLUME] = rng.integers(0, 16, 500)
    rows.writes[:, 1, VOLUME] = 150
    frames, samples = without_samples(rows)
    assert (frames == wanted).all()
    assert samples is not None and samples.music and samples.registers == (VOLUME,) and samples.share == 1
    assert str(samples) == "plays samples through the volume register in 100% of its frames; they are left out"


def test_samples_by_the_music_program_leave_the_volume_before_them() -> None:
    rows = rows_of(music())
    rows.writes[:, 0, VOLUME] = 0
    rows.writes[0, 0, VOLUME] = 1
    rows.frames[200:300, VOLUME] = rng.integers(0, 16, 100)
    rows.writes[200:300, 0, VOLUME] = 80
    rows.frames[300:, VOLUME] = 6  # the last sample, until the music writes again
    rows.writes[400, 0, VOLUME] = 1
    rows.frames[400:, VOLUME] = 0x2C
    frames, samples = without_samples(rows)
    assert (frames[:400, VOLUME] == FILTERED).all() and (frames[400:, VOLUME] == 0x2C).all()
    assert samples is not None and samples.share == 0.2


def test_a_tune_that_leaves_the_volume_to_its_samples_is_at_full_volume() -> None:
    rows = rows_of(music(), np.zeros((500, 25), np.uint8))
    rows.frames[:, VOLUME] = rng.integers(0, 16, 500)
    rows.writes[::2, 1, VOLUME] = 90
    frames, _ = without_samples(rows)
    assert (frames[:, VOLUME] == 0x0F).all()


def test_a_voice_that_plays_samples_keeps_the_musics_own_values() -> None:
    wanted = music()
    wanted[:, [18, 27]] = 0x41
    rows = rows_of(wanted.copy(), wanted[:, :25].copy())
    rows.frames[:, [18, 27]] = rng.integers(0, 256, (500, 2))
    rows.writes[:, 1, 18] = 120
    frames, samples = without_samples(rows)
    assert (frames == wanted).all() and samples is not None and "voice 3 " in str(samples)


def test_speech_alone_is_no_music() -> None:
    rows = rows_of(np.zeros((500, 28), np.uint8))
    rows.writes[:, 0, VOLUME] = 255
    rows.frames[:, VOLUME] = rng.integers(0, 16, 500)
    _, samples = without_samples(rows)
    assert samples is not None and not samples.music and "hardly music" in str(samples)


def test_a_burst_of_writes_at_the_start_is_not_samples() -> None:
    rows = rows_of(music())
    rows.writes[0, 0] = 40
    assert without_samples(rows)[1] is None
