"""The beat of music: on the shipped fragments, whose scores say it, on drum patterns, and on music without a beat."""

import numpy as np
import pytest

from sidlive.chip.registers import PAL, silence
from sidlive.tune import shipped
from sidlive.tune.beat import Beat, beat_from_meta, beat_of, beat_to_meta
from sidlive.tune.formats.npz import save_frames
from sidlive.tune.loading import load_fragment
from sidlive.tune.scores import scores
from sidlive.tune.tracker import Instrument, Song, Step, play

WINDOW = round(20 * PAL.rate_hz)  # a prompt of 20 s
STEADY = [name for name in shipped.names() if name not in ("ember", "fracture")]  # neither slow nor in seven beats


@pytest.mark.parametrize("name", STEADY)
def test_beat_bar_and_downbeat_of_each_shipped_fragment_are_those_of_its_score(name: str) -> None:
    song = scores()[name]
    found = beat_of(load_fragment(name).frames[:WINDOW], PAL.rate_hz, begins=True)
    assert (found.frames, found.bar, found.downbeat) == (song.beat_frames, song.bar, 0)
    assert found.source == "estimate" and found.confidence > 0.7


def test_a_slow_beat_may_be_counted_twice_as_fast() -> None:
    song, frames = scores()["ember"], load_fragment("ember").frames
    found = beat_of(frames[: round(20 * song.timing.rate_hz)], song.timing.rate_hz, begins=True)
    assert (song.beat_frames / found.frames, found.bar, found.downbeat) in ((1, 4, 0), (2, 4, 0))


def test_only_its_file_tells_that_a_fragment_has_seven_beats_a_bar() -> None:
    assert load_fragment("fracture").beat == Beat(14.0, 7, 0.0, "file", 1.0)
    assert beat_of(load_fragment("fracture").frames[:WINDOW], PAL.rate_hz).bar in (3, 4)


@pytest.mark.parametrize("name", STEADY)
def test_a_prompt_from_within_a_fragment_has_the_same_bar(name: str) -> None:
    song, frames = scores()[name], load_fragment(name).frames
    for start in (101, 202):
        found = beat_of(frames[start : start + WINDOW], PAL.rate_hz)
        assert (found.frames, found.bar) == (song.beat_frames, song.bar), start


@pytest.mark.parametrize("name", ["breaker", "comet", "drift", "overdrive"])
def test_a_prompt_from_within_a_fragment_has_its_downbeat(name: str) -> None:
    song, frames = scores()[name], load_fragment(name).frames
    bar = song.beat_frames * song.bar
    for start in (101, 202):
        found = beat_of(frames[start : start + WINDOW], PAL.rate_hz)
        assert (found.downbeat + start) % bar == pytest.approx(0, abs=1)


def drums(rows: tuple[int, ...], pattern: str, repeats: int = 16) -> Song:
    """Return a song of one voice: kick (k), snare (s) and hi-hat (h), a letter for each row."""
    kick = Instrument(0x08, 0x76, (Step(0x09), Step(0x41, "a3"), Step(0x41, "d3")), gate=3)
    snare = Instrument(0x06, 0x87, (Step(0x09), Step(0x81, "d6"), Step(0x81, "a6")), gate=3)
    hat = Instrument(0x02, 0x32, (Step(0x81, "b7"),), gate=2)
    words = {"k": "@k c3", "s": "@s c3", "h": "@h c3", ".": "."}
    parts = {"a": " ".join(words[letter] for letter in pattern), "rest": " ".join("." * len(pattern))}
    orders = tuple(" ".join([part] * repeats) for part in ("a", "rest", "rest"))
    return Song("drums", "", {"k": kick, "s": snare, "h": hat}, parts, orders, rows=rows)  # type: ignore[arg-type]


@pytest.mark.parametrize("rows", [(5,), (6,), (7,), (5, 6), (8, 6)])
def test_rows_may_have_any_speed_or_swing(rows: tuple[int, ...]) -> None:
    found = beat_of(play(drums(rows, "k.h.s.h.k.k.s.hh")), PAL.rate_hz)
    assert (found.frames, found.bar) == (2 * sum(rows) if len(rows) == 2 else 4 * rows[0], 4)


def test_a_beat_need_not_be_a_whole_number_of_frames() -> None:
    """A tune whose timer is not the video frame's, at 100 / 96 of its speed: 23.04 frames a beat."""
    rows = play(drums((6,), "k.h.s.h.k.k.s.hh"))
    frames = rows[np.floor(np.arange(len(rows) * 0.96) / 0.96).astype(int)]
    found = beat_of(frames, PAL.rate_hz)
    assert found.frames == pytest.approx(24 * 0.96, abs=0.06) and found.bar == 4


def test_without_a_rhythm_there_is_the_most_common_beat_and_no_confidence() -> None:
    for frames in (silence(1000), silence(1), silence(0), load_fragment("gallop").frames[:20]):
        assert beat_of(frames, PAL.rate_hz) == Beat(24.0, 4, 0.0, "default", 0.0)


def test_notes_at_random_give_a_usable_beat_of_little_confidence() -> None:
    frames = silence(1000)
    frames[:, 4] = 0x40 | np.random.default_rng(2).integers(0, 2, 1000)
    frames[:, 0:2] = np.random.default_rng(3).integers(1, 256, (1000, 2))
    found = beat_of(frames, PAL.rate_hz)
    assert 12 <= found.frames <= 51 and 0 <= found.downbeat < found.bar_frames
    assert found.confidence < beat_of(load_fragment("gallop").frames, PAL.rate_hz).confidence


def test_the_texts_of_a_file_keep_a_beat() -> None:
    for beat in (Beat(24.0, 4, 0.0, "file", 1.0), Beat(23.04, 3, 11.5, "file", 1.0)):
        assert beat_from_meta(beat_to_meta(beat)) == beat
    for texts in (
        {},
        {"beat_frames": "fast"},
        {"beat_frames": "0"},
        {"beat_frames": "24", "bar_beats": "none"},
        {"beat_frames": "24", "bar_beats": "0"},
        {"beat_frames": "nan"},
        {"beat_frames": "24", "downbeat": "inf"},
    ):
        assert beat_from_meta(texts) is None


def test_a_part_of_a_file_counts_its_downbeat_from_its_own_first_frame(tmp_path) -> None:  # type: ignore[no-untyped-def]
    save_frames(tmp_path / "it.npz", load_fragment("drift").frames, PAL.rate_hz, beat_frames="40", downbeat="30")
    part = load_fragment(tmp_path / "it.npz", start_s=2.0)
    assert (part.beat.downbeat + round(2 * PAL.rate_hz)) % 160 == 30
