"""The shipped fragments: they exist, are music, and equal their scores."""

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from sidlive import docs
from sidlive.chip.pitch import SEMITONE, frequencies
from sidlive.chip.pitch import notes_of as notes_heard
from sidlive.chip.registers import CONTROL, GATE, NTSC, PAL, VOICES, register_of
from sidlive.errors import TuneError
from sidlive.model.judging.measures import character_of, measure, note_starts
from sidlive.tune import shipped
from sidlive.tune.formats.npz import load_frames, save_frames
from sidlive.tune.loading import load_fragment
from sidlive.tune.scores import scores
from sidlive.tune.tracker import notes_of, play

FORMATS = Path(docs.__file__).with_name("formats.md")


def test_there_are_twelve_small_fragments_in_twelve_styles():
    assert len(shipped.names()) == 12
    assert sum(path.stat().st_size for path in shipped.ASSETS.iterdir()) < 200_000
    about = [load_frames(shipped.locate(name))[2] for name in shipped.names()]
    assert len({meta["style"] for meta in about}) == 12 and {meta["chip"] for meta in about} == {"6581", "8580"}
    assert {meta["timing"] for meta in about} == {"PAL", "NTSC"}
    assert len({load_fragment(name).beat_frames for name in shipped.names()}) >= 6  # tempi


def test_fragments_md_and_the_reference_list_them():
    for text in (shipped.ASSETS / "fragments.md", FORMATS):
        lines = text.read_text(encoding="utf-8").splitlines()
        for name in shipped.names():
            fragment, style = load_fragment(name), load_frames(shipped.locate(name))[2]["style"]
            tempo, machine = 60 * fragment.rate_hz / fragment.beat_frames, f"{fragment.chip}, {fragment.timing}"
            assert f"| `{name}` | {style} | {fragment.seconds:.0f} | {tempo:.0f} | {machine} |" in lines


@pytest.mark.parametrize("name", shipped.names())
def test_each_is_lively_music_for_three_voices(name: str):
    fragment = load_fragment(name)
    timing = scores()[name].timing
    assert fragment.name == name and (fragment.timing, fragment.rate_hz) == (timing.name, timing.rate_hz)
    assert 20 <= fragment.seconds <= 45
    assert (fragment.beat.frames, fragment.beat.bar) == (scores()[name].beat_frames, scores()[name].bar)
    assert (fragment.beat.downbeat, fragment.beat.source) == (0, "file")
    figures = measure(fragment.frames, fragment.frames[:1], character_of(fragment.frames, fragment.rate_hz))
    assert 5 <= figures["onsets_per_s"] <= 16 and figures["dies"] == 0 and figures["in_tune"] > 0.6
    assert (note_starts(fragment.frames).sum(axis=0) > 0).all()


@pytest.mark.parametrize("name", shipped.names())
def test_the_voices_of_a_score_end_together(name: str):
    assert len({notes_of(scores()[name], voice)[1] for voice in range(VOICES)}) == 1


def test_the_ballad_is_in_tune_on_an_ntsc_machine():
    frames = play(scores()["ember"])
    for voice in range(VOICES):
        heard = notes_heard(frequencies(frames)[frames[:, register_of(voice, CONTROL)] & GATE > 0, voice], NTSC)
        away = np.abs(heard - np.round(heard)) * SEMITONE  # the lead's vibrato and slides are in less than half of it
        assert np.median(away) < 1


def test_the_twelve_tones_are_a_row_of_all_intervals():
    """The line begins with the row, which has each of the eleven intervals; the bells play tones of its inversion."""
    line, bells = (notes_of(scores()["fracture"], voice)[0] for voice in (0, 1))
    row = [note.pitch for note in line if note.pitch is not None][:12]
    inverted = [note.pitch for note in bells if note.pitch is not None][:7]
    steps = [(after - before) % 12 for before, after in pairwise(row)]
    assert {pitch % 12 for pitch in row} == set(range(12)) and set(steps) == set(range(1, 12))
    assert [(before - after) % 12 for before, after in pairwise(inverted)] == steps[:6]
    assert [(pitch + 6) % 12 for pitch in reversed(row)] == [pitch % 12 for pitch in row]


def test_the_scores_give_the_same_files(tmp_path: Path):
    subprocess.run([sys.executable, "-m", "sidlive.tune.scores", tmp_path], check=True)
    assert sorted(path.stem for path in tmp_path.iterdir()) == list(shipped.names())
    for name in shipped.names():
        with np.load(tmp_path / f"{name}.npz") as built, np.load(shipped.locate(name)) as kept:
            assert built.files == kept.files
            for key in kept.files:
                assert built[key].dtype == kept[key].dtype and built[key].tobytes() == kept[key].tobytes(), (name, key)


def test_a_bare_name_is_a_file_first_and_a_shipped_fragment_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert shipped.locate("gallop") == shipped.ASSETS / "gallop.npz"
    (tmp_path / "gallop").mkdir()
    assert shipped.locate("gallop") == shipped.ASSETS / "gallop.npz"
    (tmp_path / "gallop").rmdir()
    (tmp_path / "gallop").touch()
    assert shipped.locate("gallop") == Path("gallop")
    for path in ("gallop.sid", "folder/gallop", "missing.npz"):
        assert shipped.locate(path) == Path(path)


@pytest.mark.parametrize(
    ("typed", "message"),
    [("galop", "did you mean gallop"), ("Drift", "did you mean drift"), ("zzz", "sidlive comes with breaker, circuit")],
)
def test_a_typo_is_answered_with_the_nearest_name(typed: str, message: str):
    with pytest.raises(TuneError, match=message):
        load_fragment(typed)


def test_a_part_can_be_loaded_and_the_files_beat_is_used(tmp_path: Path):
    whole = load_fragment("gallop")
    part = load_fragment("gallop", start_s=2.0, seconds=4.0, name="verse")
    first = round(2.0 * PAL.rate_hz)
    assert part.name == "verse" and np.array_equal(part.frames, whole.frames[first : first + len(part.frames)])
    assert part.seconds == pytest.approx(4.0, abs=0.02)
    for text, expected in (("17", 17), ("0", whole.beat_frames), ("fast", whole.beat_frames)):
        save_frames(tmp_path / "it.npz", whole.frames, PAL.rate_hz, beat_frames=text)
        assert load_fragment(tmp_path / "it.npz").beat_frames == expected
    assert part.beat.downbeat == 4 * 20 * 2 - first  # the bar that begins after the part's first frame
