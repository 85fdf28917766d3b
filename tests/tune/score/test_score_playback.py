"""Notes back to frames, compared with the tracker's frames, with frames of tunes, and with the score's gates."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from frames_at_random import any_frames
from hypothesis import given, settings
from hypothesis import strategies as st

from sidlive.chip import registers as sid
from sidlive.chip.pitch import frequencies
from sidlive.chip.registers import AD, CONTROL, SR, Frames
from sidlive.errors import TuneError
from sidlive.tune.formats import files
from sidlive.tune.fragment import video_frames
from sidlive.tune.score.bank import sound_bank
from sidlive.tune.score.extract import score_of
from sidlive.tune.score.notes import ATTACK, HIDDEN, TIED, Score
from sidlive.tune.score.playback import choose, replay
from sidlive.tune.scores import scores
from sidlive.tune.tracker import Bounce, Instrument, Song, Step, Vibrato, play

CONTROLS = [sid.register_of(voice, CONTROL) for voice in range(sid.VOICES)]
ENVELOPES = [sid.register_of(voice, offset) for voice in range(sid.VOICES) for offset in (AD, SR)]
SONGS = scores()
LEAD = Instrument(
    0x22, 0xA4, (Step(0x09), Step(0x41, 12), Step(0x41)), vibrato=Vibrato(6, 8, 3), pulse=Bounce(0x400, 0x20)
)
CHORD = Instrument(0x33, 0x83, (Step(0x41),), restart=1)
KICK = Instrument(0x08, 0x86, (Step(0x09), Step(0x81, "c6"), Step(0x41, "c4"), Step(0x41, "e3")), gate=5, fall=0x70)


def same(frames: Frames, others: Frames) -> tuple[float, float, float]:
    """Return the shares of equal control values, equal AD and SR values, and sounding frames within 25 cents."""
    control, frequency = frames[:, CONTROLS], frequencies(frames)
    sounds = (control & sid.GATE > 0) & (control & 0xF0 > 0) & (control & sid.TEST == 0) & (frequency > 0)
    cents = 1200 * np.log2(np.maximum(frequencies(others), 1) / np.maximum(frequency, 1))
    return (
        float((control == others[:, CONTROLS]).mean()),
        float((frames[:, ENVELOPES] == others[:, ENVELOPES]).mean()),
        float((np.abs(cents)[sounds] <= 25).mean()),
    )


def song(part: str, **instruments: Instrument) -> Song:
    """Return a song whose first voice plays ``part`` while the other two rest."""
    rest = " ".join("." for word in part.split() if word != "|" and not word.startswith("@"))
    return Song("test", "", instruments, {"a": part, "rest": rest}, ("a", "rest", "rest"))


@pytest.mark.parametrize("name", SONGS)
def test_a_fragment_is_replayed_from_its_other_notes(name: str):
    frames = play(SONGS[name])
    control, envelope, pitch = same(frames, replay(score_of(frames), sound_bank(frames), allow_self=False))
    assert control >= 0.95 and envelope >= 0.92 and pitch >= 0.92


def test_tunes_are_replayed_from_their_other_notes(shared: Path):
    """The median over a minute of twelve tunes or so from the corpus."""
    paths = sorted((shared / "corpus").rglob("*.sid"))
    figures = []
    for path in paths[:: max(1, len(paths) // 12)]:
        try:
            recorder = files.open_song(path, None)
            recorder.record_until(60.0)
            capture = recorder.finish()
        except TuneError:
            continue
        frames, _ = video_frames(capture.frames, capture.rate_hz, capture.timing)
        score = score_of(frames)
        if len(score):
            figures.append(same(frames, replay(score, sound_bank(frames, score), allow_self=False)))
    if not figures:
        pytest.skip("no tunes in the corpus")
    control, envelope, pitch = np.nanmedian(figures, axis=0)
    assert control >= 0.95 and envelope >= 0.92 and pitch >= 0.95


@pytest.mark.parametrize("semitones", [5, -7, 12])
def test_a_transposed_passage_is_played_with_the_sounds_of_the_first(semitones: int):
    """The tracker plays a passage and then transposes it; `replay` makes the second from the first."""
    part = "@lead a4 . c5 e5 . . @kick c3 . @lead d5 . . . ~g4 . . . a4 . . . . ."
    both = replace(song(part, lead=LEAD, kick=KICK), orders=(f"a a{semitones:+}", "rest rest", "rest rest"))
    frames, half = play(both), len(play(song(part, lead=LEAD, kick=KICK)))
    score = score_of(frames)
    made = replay(score.part(half, 2 * half), sound_bank(frames[:half], score.part(0, half)))
    wanted = frames[half:]
    inner = slice(1, half - 2)  # the seam's hard restart belongs to notes of the other half
    assert (made[inner, CONTROLS] == wanted[inner, CONTROLS]).all()
    assert (made[inner, ENVELOPES] == wanted[inner, ENVELOPES]).all()
    steady = np.flatnonzero(frequencies(wanted)[:, 0] == np.roll(frequencies(wanted)[:, 0], 1))[1:]
    off = 1200 * np.log2(frequencies(made)[steady, 0] / frequencies(wanted)[steady, 0])
    assert (np.abs(off) <= 1).mean() > 0.97


def test_a_chord_is_played_from_another_chord():
    frames = play(song("@chord a4:037 . . . c5:047 . . .", chord=CHORD))
    score = score_of(frames)
    major = np.where(score.pitch == 69, score.chord[1], score.chord)
    made = replay(replace(score, chord=major), sound_bank(frames))
    wanted = play(song("@chord a4:047 . . . c5:047 . . .", chord=CHORD))
    assert (frequencies(made)[:, 0] == frequencies(wanted)[:, 0]).all()


@pytest.mark.parametrize("frames_longer", [1, 7, 30, 200])
def test_a_note_longer_than_all_others_holds_its_sound(frames_longer: int):
    part = "@chord a4:037 . . ."
    frames = play(song(part, chord=replace(CHORD, restart=0)))
    score = score_of(frames)
    longer = replace(
        score, span=score.span + frames_longer, length=score.length + frames_longer, frames=score.frames + frames_longer
    )
    made = replay(longer, sound_bank(frames))
    assert (made[:, sid.CONTROL] == 0x41).all() and (made[:, sid.AD] == 0x33).all()
    a4, c5, e5 = frequencies(frames)[:3, 0]
    assert frequencies(made)[:, 0].tolist() == [[a4, c5, e5][t % 3] for t in range(len(made))]


def test_a_tied_note_without_a_template_continues_the_sound_before():
    frames = play(song("@lead a4 . . . . . . .", lead=replace(LEAD, vibrato=None)))
    whole = score_of(frames)
    onset = [0, 20]
    tied = Score(
        onset=onset, voice=[0, 0], pitch=[69, 74], chord=[0, 0], instrument=[0, 0], level=[10, 10], length=[20, 28],
        span=[20, 28], lead=[0, 0], flags=[ATTACK, TIED], frames=48,
    )  # fmt: skip
    made = replay(tied, sound_bank(frames, whole))
    assert (made[3:, sid.CONTROL] == 0x41).all()
    a4, d5 = frequencies(frames)[10, 0], round(frequencies(frames)[10, 0] * 2 ** (5 / 12))
    assert frequencies(made)[3:20, 0].tolist() == [a4] * 17
    assert np.abs(frequencies(made)[20:, 0] - d5).max() <= 1


def test_a_note_after_a_held_gate_opens_the_gate_again():
    frames = play(song("@chord a4 . . . c5 . . .", chord=CHORD))
    score = score_of(frames)
    close = replace(score, lead=[0, 0], length=score.span)
    made = replay(close, sound_bank(frames))
    again = score_of(made)
    assert again.onset.tolist() == score.onset.tolist() and again.flags[1] & HIDDEN


def test_filter_settings_come_from_the_notes_in_the_filter():
    frames = play(SONGS["strut"])
    made = replay(score_of(frames), sound_bank(frames), allow_self=False)
    assert (made[:, sid.RES_ROUTE] == frames[:, sid.RES_ROUTE]).mean() > 0.95
    assert (made[:, sid.MODE_VOL] == frames[:, sid.MODE_VOL]).all()
    assert (np.abs(made[:, sid.CUTOFF_HI].astype(int) - frames[:, sid.CUTOFF_HI]) <= 2).mean() > 0.9


def test_no_note_is_its_own_template_if_there_is_another():
    frames = play(SONGS["gallop"])
    bank = sound_bank(frames)
    templates, ages = choose(bank.score, bank, allow_self=False)
    assert not (templates == np.arange(len(templates)))[ages == 0].any()
    templates, _ = choose(bank.score, bank)
    assert (templates == np.arange(len(templates))).all()


def test_missing_sounds_are_refused():
    frames = play(song("@lead a4 . . . @kick c3 . . .", lead=LEAD, kick=KICK))
    score = score_of(frames)
    with pytest.raises(TuneError, match="the score has an instrument 1"):
        replay(score, sound_bank(frames[:20]))
    with pytest.raises(TuneError, match="a score of 48 frames"):
        sound_bank(frames[:20], score)
    with pytest.raises(TuneError, match="no attack of instrument 0"):
        replay(score, sound_bank(frames[24:], score.part(24, 48)))


def test_a_score_without_notes_holds_the_first_frame():
    frames = play(song("@lead a4 . . .", lead=LEAD))
    nothing = score_of(sid.silence(5))
    assert (replay(nothing, sound_bank(frames)) == frames[0]).all()
    assert replay(nothing, sound_bank(sid.silence(0))).shape == (5, sid.COLUMNS)


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 120), st.sampled_from([0.02, 0.2, 0.6]), st.booleans(), st.booleans())
def test_frames_to_notes_to_frames_keeps_gates_and_attacks(
    seed: int, length: int, change: float, musical: bool, allow_self: bool
):
    frames = any_frames(seed, length, change, musical)
    score = score_of(frames)
    made = replay(score, sound_bank(frames, score), allow_self)
    assert (made[:, CONTROLS] & sid.GATE == frames[:, CONTROLS] & sid.GATE).all()
    again = score_of(made)
    for voice in range(sid.VOICES):
        if len(score.of_voice(voice)):
            one, other = (s.onset[(s.voice == voice) & (s.flags & (ATTACK | TIED) == ATTACK)] for s in (score, again))
            assert one.tolist() == other.tolist()
