"""Frames and fragments in a line of text, and back."""

import json
from typing import Any

import numpy as np
import pytest
from takes_by_hand import noise, song

from sidlive.chip.registers import silence
from sidlive.errors import TuneError
from sidlive.tune.beat import Beat
from sidlive.tune.formats.inline import fragment_from_json, fragment_to_json, frames_from_text, frames_to_text
from sidlive.tune.fragment import Fragment
from sidlive.tune.loading import load_fragment


@pytest.mark.parametrize("frames", [song(300), noise(50), silence(1), silence(0)], ids=["song", "noise", "one", "none"])
def test_frames_survive_the_round_trip(frames: np.ndarray) -> None:
    back = frames_from_text(json.loads(json.dumps(frames_to_text(frames))))
    assert back.dtype == np.uint8 and np.array_equal(back, frames)


def test_a_song_is_short() -> None:
    assert len(frames_to_text(song(3000))) < 3000


def test_fragments_survive_the_round_trip() -> None:
    for fragment in (
        load_fragment("drift"),
        Fragment("x", song(10), 100.25, "made here", "8580", "NTSC", Beat(31.5, 3, 7.25, "estimate", 0.9), 400.0, 2),
    ):
        back = fragment_from_json(json.loads(json.dumps(fragment_to_json(fragment))))
        assert np.array_equal(back.frames, fragment.frames)
        for name in ("name", "rate_hz", "source", "chip", "timing", "beat", "resampled_from_hz", "sids"):
            assert getattr(back, name) == getattr(fragment, name)


def test_an_older_logs_beat_has_four_to_the_bar_and_whole_frames() -> None:
    """So that takes of that time replay with the beat that they were played with, at another frame rate too."""
    entry = fragment_to_json(Fragment("x", song(20), 100.25, "made here", "6581", "PAL", Beat(31.0)))
    older = {
        name: entry[name] for name in entry if name not in ("bar_beats", "downbeat", "beat_source", "beat_confidence")
    }
    read = fragment_from_json(older)
    assert (read.beat.frames, read.beat.bar, read.beat.downbeat) == (31, 4, 0)
    assert read.at_video_rate().beat.frames == 16  # 31 / 2, rounded to even


@pytest.mark.parametrize("text", ["", "no base 64!", "AAAA", frames_to_text(song(9))[:-8], 7, None])
def test_other_texts_are_refused(text: object) -> None:
    with pytest.raises(TuneError, match="damaged"):
        frames_from_text(text)


@pytest.mark.parametrize("change", [{"name": 3}, {"rate_hz": "50"}, {"pitch": 1}, None])
def test_other_values_are_refused(change: dict[str, Any] | None) -> None:
    value: Any = {**fragment_to_json(load_fragment("drift")), **change} if change else "drift"
    with pytest.raises(TuneError, match="damaged or of another version"):
        fragment_from_json(value)
