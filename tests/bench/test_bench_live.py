"""Measuring when a change is heard, in the samples that the device takes and their times."""

import numpy as np
import pytest
from fake_engine import FakeEngine

from sidlive.bench import live
from sidlive.bench.live import DITHER, measure
from sidlive.errors import DeviceError
from sidlive.live.processes.options import RoomOptions


def test_it_is_found_when_each_change_is_heard(capsys: pytest.CaptureFixture[str]) -> None:
    """The aims are 45 ms for steering and 25 ms for mutes on an idle machine."""
    heard, states, _ = measure(RoomOptions(device="null", midi="none", engine=FakeEngine), 6)
    with capsys.disabled():
        print("\nheard:", ", ".join(f"{h.kind}: {h.frames} frames, {h.ms and round(h.ms)} ms" for h in heard))
    assert [change.kind for change in heard] == ["mask", "lock", "transpose", "mute", "volume", "panic"]
    if not states[0].gaps:  # no sample was lost, so every change can be found in the sound
        assert all(change.ms is not None and change.ms > 0 for change in heard if change.frames is not None)
    assert any(change.ms is not None for change in heard)


def test_without_pulseaudio_there_is_no_recording_and_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live, "can_record", lambda: False)
    with pytest.raises(DeviceError, match=r"--recorded needs PulseAudio .* apt-get install"):
        live.bench(RoomOptions(device="null", midi="none", engine=FakeEngine), 6, recorded=True)


def test_equal_frames_sound_equal_and_different_frames_do_not() -> None:
    from sidlive.bench.live import _play, prompt

    rows = prompt().frames[:60]
    other = rows.copy()
    other[40:, 1] += 1
    one, two, three = (_play(frames, "6581").astype(int) for frames in (rows, rows, other))
    assert np.abs(one - two).max() <= DITHER
    parted = np.flatnonzero(np.abs(one - three) > DITHER)
    assert 40 * 957 <= parted[0] < 42 * 957
