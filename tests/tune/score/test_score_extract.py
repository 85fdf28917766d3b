"""Frames to notes, compared with the texts that the tracker played, and with frames written by hand."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from frames_at_random import any_frames
from hypothesis import given, settings
from hypothesis import strategies as st

from sidlive.chip import registers as sid
from sidlive.chip.pitch import SEMITONE, cents_of_a4, frequencies, frequency_of, ratio
from sidlive.tune.score.extract import score_of
from sidlive.tune.score.notes import ATTACK, HELD, HIDDEN, RESTART, SINGLE, SLIDES, TIED, UNPITCHED, Score
from sidlive.tune.scores import scores
from sidlive.tune.tracker import C0, Bounce, Instrument, Note, Song, Step, Vibrato, notes_of, pitches, play

PLAIN = Instrument(0x12, 0xF4, (Step(0x41),))
SONGS = scores()


def song(part: str, **instruments: Instrument) -> Song:
    """Return a song whose first voice plays ``part``, six frames per row, while the other two rest."""
    words = [word for word in part.split() if word != "|"]
    rest = " ".join("." for word in words if not word.startswith("@"))
    return Song("test", "", instruments or {"it": PLAIN}, {"a": part, "rest": rest}, ("a", "rest", "rest"))


def slide_arrives(song: Song, notes: list[Note], place: int, length: int) -> bool:
    """Return whether a slide in the text moves at all and arrives three calls before the next note's hard restart."""
    note, before = notes[place], notes[place - 1]
    end = notes[place + 1].call - notes[place + 1].instrument.restart if place + 1 < len(notes) else length
    assert note.pitch is not None and before.pitch is not None
    way = abs(pitches(song.timing)[note.pitch] - pitches(song.timing)[before.pitch])
    return not note.instrument.fall and 0 < way <= (end - note.call - 3) * note.instrument.glide


def sounding(note: Note) -> tuple[int, tuple[int, ...]] | None:
    """Return the pitch (lowest tone) and the chord at the end of a note's wave table; None for a drum."""
    assert note.pitch is not None
    wave = note.instrument.wave
    steps = [step.pitch for step in wave if step.control & 0x70 and not step.control & (sid.NOISE | sid.TEST)]
    if not steps or not isinstance(steps[-1], int) or any(isinstance(step.pitch, str) for step in wave[1:]):
        return None
    low = min(note.chord)
    return C0 + note.pitch + steps[-1] + low, tuple(tone - low for tone in sorted(set(note.chord)))


@pytest.mark.parametrize("name", SONGS)
def test_shipped_fragments_have_the_notes_of_their_texts(name: str):
    """At least 98% of the notes have the right onset (to a frame), pitch, chord and instrument."""
    song = SONGS[name]
    frames = play(song)
    score = score_of(frames)
    # The machine's pitches, and the tuning that the score counts them from, as a PAL machine hears them.
    shift = round((cents_of_a4(song.timing) - cents_of_a4() - score.tuning_cents) / SEMITONE)
    names = {id(instrument): key for key, instrument in song.instruments.items()}
    pairs: list[tuple[Note, int]] = []
    wanted = extra = 0
    for voice in range(sid.VOICES):
        text = [note for note in notes_of(song, voice)[0] if note.pitch is not None]
        mine = score.of_voice(voice).tolist()
        for place, note in enumerate(text):
            at = note.call // song.calls
            near = [m for m in mine if abs(score.onset[m] - at) <= 1 and bool(score.flags[m] & TIED) == note.slides]
            counts = not note.slides or slide_arrives(song, text, place, len(frames) * song.calls)
            wanted += counts
            if near:
                mine.remove(near[0])
                pairs += [(note, near[0])] if counts else []
        extra += len(mine)
    votes = Counter((names[id(note.instrument)], int(score.instrument[m])) for note, m in pairs)
    given_to = {key: max((count, number) for (k, number), count in votes.items() if k == key)[1] for key, _ in votes}
    assert len(set(given_to.values())) == len(given_to), "two instruments became one"
    right = 0
    for note, m in pairs:
        pitch = sounding(note)
        same = pitch is None or (score.pitch[m] - shift, score.chords[score.chord[m]]) == pitch
        right += same and score.instrument[m] == given_to[names[id(note.instrument)]]
    assert right >= 0.98 * wanted
    assert extra <= 0.03 * wanted
    assert abs(cents_of_a4() + score.tuning_cents + SEMITONE * shift - cents_of_a4(song.timing)) < 1


def test_drums_keep_one_pitch_and_are_marked():
    score = score_of(play(SONGS["comet"]))
    names = {id(instrument): key for key, instrument in SONGS["comet"].instruments.items()}
    at = dict(zip(score.onset[score.voice == 0].tolist(), score.of_voice(0).tolist(), strict=True))
    for note in notes_of(SONGS["comet"], 0)[0]:
        drum = names[id(note.instrument)] in ("kick", "snare")
        assert bool(score.flags[at[note.call]] & UNPITCHED) == drum
    drums = score.has(UNPITCHED)
    for name in np.unique(score.instrument[drums]):
        assert len(np.unique(score.pitch[score.instrument == name])) == 1


def test_notes_have_gate_lengths_and_the_leads_of_hard_restarts():
    short = replace(PLAIN, gate=4)
    score = score_of(play(song("@it a4 . e5 @short a4 . - .", it=PLAIN, short=short)))
    assert score.onset.tolist() == [0, 12, 18]
    assert score.length.tolist() == [10, 4, 4]
    assert score.span.tolist() == [12, 6, 24]
    assert score.lead.tolist() == [0, 2, 2]
    assert (score.flags[:2] & HELD > 0).all() and not score.flags[2] & HELD
    assert (score.flags[1:] & RESTART > 0).all() and not score.has(TIED | HIDDEN).any()


def test_a_gate_that_closes_and_opens_inside_a_frame_begins_a_note():
    frames = play(song("@it a4 . . .", it=replace(PLAIN, restart=0)))
    frames[9, sid.FIRST_CONTROL] = 0x40
    score = score_of(frames)
    assert score.onset.tolist() == [0, 9] and score.lead.tolist() == [0, 0]
    assert score.flags[1] == HIDDEN | ATTACK | HELD
    assert score.instrument.tolist() == [0, 0] and score.pitch.tolist() == [69, 69]


def test_a_gate_that_opens_and_closes_inside_a_frame_is_a_note_of_no_length():
    frames = play(song("@it a4 - . .", it=PLAIN))
    frames[15, sid.FIRST_CONTROL] = 0x41
    score = score_of(frames)
    assert score.onset.tolist() == [0, 15] and score.length.tolist() == [6, 0]


def test_a_test_bit_under_an_open_gate_begins_a_tied_note():
    frames = play(song("@it a4 . . .", it=replace(PLAIN, restart=0)))
    frames[9, [sid.CONTROL, sid.FIRST_CONTROL]] = 0x49
    score = score_of(frames)
    assert score.onset.tolist() == [0, 9] and score.flags[1] & (TIED | ATTACK) == TIED | ATTACK


@pytest.mark.parametrize("frames_a_step", [1, 2, 3, 4])
@pytest.mark.parametrize("tones", [(0, 3, 7), (0, 12), (0, 5, 8, 12)])
def test_an_arpeggio_is_one_note_with_a_chord(frames_a_step: int, tones: tuple[int, ...]):
    wave = tuple(Step(0x41, tone) for tone in tones for _ in range(frames_a_step))
    score = score_of(play(song("@it a4 . . . . . g4 . . . . .", it=replace(PLAIN, wave=wave, loop=0))))
    assert score.pitch.tolist() == [69, 67]
    assert [score.chords[chord] for chord in score.chord] == [tones, tones]


def test_an_arpeggio_that_ends_before_it_comes_round_has_the_chord_of_a_longer_one():
    wave = tuple(Step(0x41, tone) for tone in (0, 4, 7) for _ in range(2))
    score = score_of(play(song("@it a4 . . . c5 e5 . . .", it=replace(PLAIN, wave=wave, loop=0))))
    assert score.pitch.tolist() == [69, 72, 76]
    assert {score.chords[chord] for chord in score.chord} == {(0, 4, 7)}


def test_the_lowest_tone_of_a_chord_is_its_pitch():
    score = score_of(play(song("@it c4:37a . . .")))
    assert score.pitch.tolist() == [63] and score.chords[score.chord[0]] == (0, 4, 7)


def test_tones_that_last_are_notes_not_a_chord():
    slow = tuple(Step(0x41, tone) for tone in (0, 12) for _ in range(12))
    score = score_of(play(song("@it a4 . . . . . . .", it=replace(PLAIN, wave=slow, loop=0))))
    assert score.pitch.tolist() == [69, 81, 69, 81] and (score.chord == 0).all()
    assert score.has(TIED).tolist() == [False, True, True, True]


@pytest.mark.parametrize("vibrato", [Vibrato(4, 6, 3), Vibrato(0, 4, 2), Vibrato(8, 12, 6)])
def test_vibrato_and_a_moving_pulse_width_make_no_notes(vibrato: Vibrato):
    lead = replace(PLAIN, vibrato=vibrato, pulse=Bounce(0x400, 0x30), pulse_runs=True)
    score = score_of(play(song("@it a4 . . . . . b4 . . . d5 . . .", it=lead)))
    assert score.pitch.tolist() == [69, 71, 74] and score.instruments == 1
    assert not score.has(SLIDES | TIED).any()


@pytest.mark.parametrize("glide", [0x60, 0x100, 0x4000])
def test_a_slide_ties_the_note_that_it_leads_to(glide: int):
    frames = play(song("@it a4 . . . ~d5 . . . . . . . ~a4 . . . . . . . .", it=replace(PLAIN, glide=glide)))
    score = score_of(frames)
    assert score.pitch.tolist() == [69, 74, 69]
    assert np.abs(score.onset - [0, 24, 72]).max() <= 1
    assert score.has(TIED).tolist() == [False, True, True]
    assert score.has(SLIDES).tolist() == [False, glide < 0x4000, glide < 0x4000]
    assert score.instruments == 1


def test_a_gate_that_never_closes_plays_tied_notes():
    frames = play(song("@it a4 . ~c5 . ~e5 . ~c5 . ~a4 . . . .", it=replace(PLAIN, glide=0x7000)))
    score = score_of(frames[:70])
    assert score.pitch.tolist() == [69, 72, 76, 72, 69] and score.onset.tolist() == [0, 12, 24, 36, 48]
    assert score.length.tolist() == [12, 12, 12, 12, 22] and (score.flags & HELD > 0).all()


def test_a_change_of_pitch_in_the_release_is_a_note_only_while_audible():
    long, short = (replace(PLAIN, sr=sr, gate=5, restart=0, glide=0x7000) for sr in (0xFA, 0xF0))
    assert score_of(play(song("@it a4 . ~e5 . . .", it=long))).pitch.tolist() == [69, 76]
    assert score_of(play(song("@it a4 . ~e5 . . .", it=short))).pitch.tolist() == [69]


def test_one_instrument_is_played_louder_and_softer():
    loud, soft = replace(PLAIN, sr=0xF4), replace(PLAIN, sr=0x64)
    score = score_of(play(song("@loud a4 . @soft a4 . @loud c5 . @soft c5 .", loud=loud, soft=soft)))
    assert score.level.tolist() == [15, 6, 15, 6] and score.instruments == 1


def test_recurring_pulse_widths_separate_instruments():
    thin, wide = (replace(PLAIN, pulse=Bounce(start)) for start in (0x180, 0x800))
    score = score_of(play(song("@thin a4 . @wide a4 . " * 5, thin=thin, wide=wide)))
    assert score.instrument.tolist() == [0, 1] * 5


@pytest.mark.parametrize("waveform", [0x23, 0x15, 0x43])  # sync and ring modulation have a pitch, too
def test_sync_and_ring_modulation_are_tones(waveform: int):
    score = score_of(play(song("@it a4 . c5 .", it=replace(PLAIN, wave=(Step(0x09), Step(waveform))))))
    assert score.pitch.tolist() == [69, 72] and not score.has(UNPITCHED).any()


def test_notes_tied_to_a_drum_are_not_drums():
    kick = replace(PLAIN, wave=(Step(0x81, "c6"), Step(0x11, "c4"), Step(0x11, "c2"), Step(0x21)), glide=0x7000)
    part = "@kick c3 ~a4 ~c5 . c3 ~e5 ~a5 . c3 ~c5 ~e5 . c3 ~d5 ~b4 ."
    score = score_of(play(song(part, kick=kick)))
    drums = score.has(ATTACK)
    assert (score.has(UNPITCHED) == drums).all() and len(set(score.pitch[drums].tolist())) == 1
    assert score.pitch[~drums].tolist() == [69, 72, 76, 81, 72, 76, 74, 71]


def test_noise_that_falls_is_a_drum():
    drum = replace(PLAIN, wave=(Step(0x81, "c7"),), fall=0x200, gate=5)
    score = score_of(play(song("@drum c3 . c3 . . c3 g3 .", drum=drum)))
    assert score.has(UNPITCHED).all() and len(set(score.pitch.tolist())) == 1 and score.instruments == 1


@pytest.mark.parametrize("cents", [-40, -20, 20, 40])
def test_pitches_count_at_the_tune_s_own_tuning(cents: int):
    frames = play(song("@it a4 . c5 . e5 . a5 . d5 . b4 ."))
    detuned = np.rint(frequencies(frames)[:, 0] * ratio(float(cents))).astype(np.int64)
    frames[:, sid.FREQ_LO], frames[:, sid.FREQ_HI] = detuned & 255, detuned >> 8
    score = score_of(frames)
    assert score.pitch.tolist() == [69, 72, 76, 81, 74, 71]
    assert abs(score.tuning_cents - cents) < 1


def test_silence_and_closed_gates_have_no_notes():
    for frames in (sid.silence(0), sid.silence(1), sid.silence(200)):
        score = score_of(frames)
        assert len(score) == 0 and score.frames == len(frames) and score.chords == (SINGLE,)
    sounding = play(song("@it a4 . . ."))
    sounding[:, [sid.CONTROL, sid.FIRST_CONTROL]] &= 0xFE
    assert len(score_of(sounding)) == 0


def test_a_note_may_last_a_single_frame():
    frames = sid.silence(10)
    frames[::2, [sid.CONTROL, sid.FIRST_CONTROL]] = 0x41
    frames[:, sid.FREQ_LO], frames[:, sid.FREQ_HI] = frequency_of(69) & 255, frequency_of(69) >> 8
    score = score_of(frames)
    assert score.onset.tolist() == [0, 2, 4, 6, 8] and (score.length == 1).all() and (score.pitch == 69).all()


def gates_of(score: Score, voice: int) -> np.ndarray:
    """Return ``bool[T]``: whether a voice's gate is open at the end of each frame, according to its score."""
    open_ = np.zeros(score.frames, dtype=bool)
    for place in score.of_voice(voice):
        open_[score.onset[place] : score.onset[place] + score.length[place]] = True
    return open_


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 120), st.sampled_from([0.02, 0.2, 0.6]), st.booleans())
def test_random_frames_have_a_score_with_their_gates(seed: int, length: int, change: float, musical: bool):
    """Gates and onsets equal those of the frames; `Score` itself refuses notes that overlap or are out of order."""
    frames = any_frames(seed, length, change, musical)
    score = score_of(frames)
    for voice in range(sid.VOICES):
        gate = frames[:, sid.register_of(voice, sid.CONTROL)] & sid.GATE > 0
        assert (gates_of(score, voice) == gate).all()
        first = frames[:, sid.first_control_of(voice)] & sid.GATE > 0
        before = np.append(False, gate[:-1])
        opens = (gate & ~(before & first)) | (first & ~before & ~gate)
        mine = score.of_voice(voice)
        struck = mine[(score.flags[mine] & (ATTACK | TIED)) == ATTACK]
        assert score.onset[struck].tolist() == np.flatnonzero(opens).tolist()
