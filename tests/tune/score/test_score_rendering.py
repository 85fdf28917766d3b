"""Planned notes become guide frames, with the sounds of what was heard; whole tunes get guides to train with."""

from dataclasses import replace

import numpy as np
import pytest

from sidlive.chip import registers as sid
from sidlive.chip.pitch import frequencies
from sidlive.chip.registers import CONTROL, GATE, SR, VOICE_STRIDE, Frames
from sidlive.errors import TuneError
from sidlive.tune.score.bank import SoundBank, sound_bank
from sidlive.tune.score.causal import Disturbance, causal_guide
from sidlive.tune.score.extract import score_of
from sidlive.tune.score.notes import ATTACK, HELD, TIED
from sidlive.tune.score.planned import PlannedNotes
from sidlive.tune.score.playback import render
from sidlive.tune.scores import scores
from sidlive.tune.tracker import Bounce, Instrument, Song, Step, Vibrato, play

LEAD = Instrument(
    0x22, 0xA4, (Step(0x09), Step(0x41, 12), Step(0x41)), vibrato=Vibrato(6, 8, 3), pulse=Bounce(0x400, 0x20)
)
CHORD = Instrument(0x33, 0x83, (Step(0x41),), restart=1)
KICK = Instrument(0x08, 0x86, (Step(0x09), Step(0x81, "c6"), Step(0x41, "c4"), Step(0x41, "e3")), gate=5, fall=0x70)
VOICES = [[*range(v * VOICE_STRIDE, (v + 1) * VOICE_STRIDE), sid.first_control_of(v)] for v in range(sid.VOICES)]
PULSE = [[v * VOICE_STRIDE + sid.PW_LO, v * VOICE_STRIDE + sid.PW_HI] for v in range(sid.VOICES)]
GUIDED = [[column for column in VOICES[v] if column not in PULSE[v]] for v in range(sid.VOICES)]
FILTER = range(sid.CUTOFF_LO, sid.MODE_VOL + 1)


def tune(part: str, **instruments: Instrument) -> Frames:
    """Return the frames of a tune whose first voice plays ``part`` while the other two rest; a row is 6 frames."""
    rest = " ".join("." for word in part.split() if word != "|" and not word.startswith("@"))
    return play(Song("test", "", instruments, {"a": part, "rest": rest}, ("a", "rest", "rest")))


def plan(*notes: tuple[int, int, int], voice: int = 0, flags: int = ATTACK | HELD, length: int = 0) -> PlannedNotes:
    """Return notes (onset, pitch, instrument) of one voice."""
    onset, pitch, instrument = (np.array(each) for each in zip(*notes, strict=True))
    same = np.ones(len(notes), dtype=int)
    return PlannedNotes(onset, voice * same, pitch, 0 * same, instrument, length * same, flags * same)


def bank_of(part: str, **instruments: Instrument) -> SoundBank:
    return sound_bank(tune(part, **instruments))


def test_a_planned_passage_is_the_passage_transposed():
    """The tracker plays a passage and then transposes it; the guide makes the second from the first."""
    part = "@lead a4 . c5 e5 . . @kick c3 . @lead d5 . . . ~g4 . . . a4 . . . . ."
    once = tune(part, lead=LEAD, kick=KICK)
    half = len(once)
    rest = " ".join("." for word in part.split() if not word.startswith("@"))
    song = Song(
        "test", "", {"lead": LEAD, "kick": KICK}, {"a": part, "rest": rest}, ("a a+5", "rest rest", "rest rest")
    )
    wanted = play(song)
    score = score_of(wanted)
    later = score.part(half, 2 * half)
    notes = PlannedNotes.of(replace(later, onset=later.onset + half, frames=2 * half))
    bank = sound_bank(wanted[:half], score.part(0, half))
    guide, mask = render(notes, bank, half, 2 * half, before=wanted[half - 1])
    inner = slice(1, half - 2)  # the seam's hard restart belongs to notes of the other half
    columns = [sid.CONTROL, sid.AD, sid.SR, sid.first_control_of(0)]
    assert mask[inner][:, columns].all()
    assert (guide[inner, columns] == wanted[half:][inner, columns]).mean() > 0.99
    steady = np.flatnonzero(np.diff(frequencies(wanted[half:])[:, 0]) == 0)[1:] + 1
    off = 1200 * np.log2(frequencies(guide)[steady, 0] / frequencies(wanted[half:])[steady, 0])
    assert (np.abs(off) <= 1).mean() > 0.97


@pytest.mark.parametrize("rows", [6, 7, 8, 9])
@pytest.mark.parametrize("period", [4, 10, 24])
def test_a_vibrato_goes_on_in_a_longer_note(rows: int, period: int):
    """Wherever the template ends in it, also at a turning point, where two frames are equal."""
    wide = replace(LEAD, vibrato=Vibrato(6, 8, period // 2))
    heard = tune("@lead a4" + " ." * (2 * rows - 1), lead=wide)
    guide, _ = render(plan((0, 69, 0)), sound_bank(heard), 0, 400)
    swings = np.ptp(frequencies(heard)[20 : 20 + period, 0])
    assert swings > 10
    for start in range(12 * rows, 400 - period, period):
        assert np.ptp(frequencies(guide)[start : start + period, 0]) == pytest.approx(swings, abs=1)


def test_a_sound_that_rests_at_its_end_is_held():
    heard = tune("@lead a4 . . . . .", lead=replace(LEAD, vibrato=None, fall=0))
    guide, _ = render(plan((0, 69, 0)), sound_bank(heard), 0, 400)
    assert len(set(frequencies(guide)[30:, 0].tolist())) == 1


def test_noise_of_a_pitch_keeps_it():
    """A long hit of a noise that is heard at several pitches."""
    hit = Instrument(0x08, 0x86, (Step(0x81),), gate=30)
    heard = tune("@hit c6 . . . . . e6 . . . . . g6 . . . . .", hit=hit)
    guide, _ = render(plan((0, 84 - 12, 0)), sound_bank(heard), 0, 30)
    assert len(set(frequencies(guide)[1:, 0].tolist())) == 1


def test_a_guide_in_parts_is_the_guide_in_one():
    frames = play(scores()["strut"])
    half = len(frames) // 2
    bank = sound_bank(frames[:half])
    score = score_of(frames)
    notes = PlannedNotes.of(score)
    inside = notes.instrument < bank.score.instruments
    notes = PlannedNotes(*(getattr(notes, name)[inside] for name in NAMES), notes.chords)
    guide, mask = render(notes, bank, half, half + 200)
    for start, stop in ((half, half + 71), (half + 71, half + 72), (half + 72, half + 200)):
        begun = notes.onset < stop
        for voice in range(sid.VOICES):  # each voice's first note after the part says how long the last one is
            begun[np.flatnonzero((notes.voice == voice) & (notes.onset >= stop))[:1]] = True
        part = PlannedNotes(*(getattr(notes, name)[begun] for name in NAMES), notes.chords)
        rows = slice(start - half, stop - half)
        some, some_mask = render(part, bank, start, stop)
        # The lead of a note that begins after the part is not in it yet.
        settled = slice(0, max(1, stop - start - 6))
        np.testing.assert_array_equal(some[settled], guide[rows][settled])
        np.testing.assert_array_equal(some_mask, mask[rows])


NAMES = ("onset", "voice", "pitch", "chord", "instrument", "length", "flags")


def test_the_lead_is_the_instruments_usual_one():
    """The tracker closes the gate for a hard restart in the two frames before each note."""
    bank = bank_of("@lead a4 . c5 . e5 . a4 .", lead=LEAD)
    usual = np.bincount(bank.score.lead[1:]).argmax()
    guide, _ = render(plan((60, 69, 0), (80, 72, 0)), bank, 50, 100)
    gate = guide[:, CONTROL] & GATE
    closed = np.flatnonzero(gate[10:30] == 0)
    assert usual > 0 and closed.tolist() == list(range(20 - usual, 20))


def test_the_level_is_the_templates():
    frames = tune("@lead a4 . . . a4 . . .", lead=LEAD)
    guide, _ = render(plan((60, 76, 0)), sound_bank(frames), 60, 70)
    assert guide[5, SR] == frames[5, SR] == 0xA4


def test_a_drum_keeps_its_frequencies():
    frames = tune("@kick c3 . . . c3 . . . c3 . . . c3 . . .", kick=KICK)
    guide, _ = render(plan((100, 60, 0)), sound_bank(frames), 100, 120)
    assert (frequencies(guide)[:20, 0] == frequencies(frames)[48:68, 0]).all()


def test_among_equal_notes_the_latest_is_the_template():
    """The fourth note is as long as the plan's only without the lead of a next note, so it fits less."""
    frames = tune("@chord a4 . . . a4 . . . a4 . . . a4 . . .", chord=CHORD)
    for note, width in enumerate((3, 5, 9, 1)):
        frames[24 * note : 24 * note + 24, sid.PW_HI] = width
    guide, _ = render(plan((96, 69, 0)), sound_bank(frames), 96, 96 + 23)
    assert (guide[:, sid.PW_HI] == 9).all()


def test_the_mask_covers_the_planned_voices_from_their_first_lead_on():
    bank = bank_of("@lead a4 . c5 . e5 . a4 .", lead=LEAD)
    usual = int(np.bincount(bank.score.lead[1:]).argmax())
    _, mask = render(plan((60, 69, 0), voice=1), bank, 50, 70)
    assert not mask[:, VOICES[0] + VOICES[2]].any()
    assert mask[10:, GUIDED[1]].all()
    prepared = [VOICE_STRIDE + column for column in (CONTROL, sid.AD, SR)]
    assert mask[:, prepared].all(axis=1).tolist() == [frame >= 60 - usual for frame in range(50, 70)]
    assert mask[:, FILTER].all(axis=1).tolist() == [frame >= 60 for frame in range(50, 70)]


@pytest.mark.parametrize("restarts", [True, False], ids=["at each note", "never"])
def test_a_pulse_width_that_sweeps_on_across_notes_is_left_to_the_model(restarts: bool):
    """The sweep starts again at each note, or only once; then each note's widths depend on the notes before it."""
    frames = tune("@chord a4 . . . c5 . . . a4 . . . c5 . . .", chord=CHORD)
    frames[:, sid.PW_LO] = 2 * (np.arange(len(frames)) % (24 if restarts else 96))
    _, mask = render(plan((96, 69, 0)), sound_bank(frames), 96, 120)
    assert (mask[:, PULSE[0]] == restarts).all() and mask[:, GUIDED[0]].all()


@pytest.mark.parametrize("early", [True, False])
def test_a_lead_guides_the_frequency_only_if_the_template_sets_it_there(early: bool):
    """Otherwise a lead still has the frequencies of the note before, which may go on moving."""
    frames = tune("@lead a4 . c5 . e5 . a4 .", lead=replace(LEAD, vibrato=None))
    score = score_of(frames)
    for onset, lead in zip(score.onset[1:].tolist(), score.lead[1:].tolist(), strict=True):
        frames[onset - lead : onset, [0, 1]] = frames[onset, [0, 1]] if early else 99
    guide, mask = render(plan((60, 69, 0), (90, 72, 0)), sound_bank(frames, score), 60, 110)
    lead = slice(30 - int(np.bincount(score.lead[1:]).argmax()), 30)
    assert (mask[lead, :2] == early).all() and mask[30:, :2].all()
    assert not early or (frequencies(guide)[lead, 0] == frequencies(guide)[30, 0]).all()


def test_an_instrument_that_was_never_heard_is_left_out():
    bank = bank_of("@lead a4 . c5 .", lead=LEAD)
    _, mask = render(plan((30, 69, 0), (40, 69, 7), (50, 69, 0)), bank, 30, 60)
    masked = mask[:, CONTROL]
    assert masked[:10].all() and not masked[10:17].any() and masked[20:].all()


def test_a_voice_goes_on_from_the_last_frame_heard():
    """The first planned note opens the gate again although it was open, and its lead keeps the sound before."""
    bank = bank_of("@chord a4 . c5 . . . . .", chord=CHORD)
    before = bank.frames[5].copy()
    before[[CONTROL, sid.first_control_of(0)]] = 0x21
    onset = plan((60, 69, 0), flags=ATTACK | HELD)
    guide, mask = render(onset, bank, 58, 62, before)
    led = mask[:2, CONTROL]
    assert (guide[:2, CONTROL][led] == 0x20).all()
    assert guide[2, CONTROL] & GATE


def test_a_tied_note_moves_under_an_open_gate():
    bank = bank_of("@chord a4 . . . ~c5 . . .", chord=replace(CHORD, restart=0))
    notes = plan((60, 69, 0), (72, 76, 0))
    notes = PlannedNotes(
        notes.onset, notes.voice, notes.pitch, notes.chord, notes.instrument, notes.length,
        np.array([ATTACK | HELD, TIED | HELD]),
    )  # fmt: skip
    guide, _ = render(notes, bank, 60, 110)
    assert (guide[:, CONTROL] == 0x41).all()
    low, high = frequencies(guide)[[5, 49], 0]
    assert 1200 * np.log2(high / low) == pytest.approx(700, abs=2)


def test_planned_notes_are_those_of_a_score():
    score = score_of(play(scores()["gallop"]))
    notes = PlannedNotes.of(score)
    assert len(notes) == len(score) and (notes.pitch == score.pitch).all()
    assert not (notes.flags & ~(ATTACK | TIED | HELD | 8)).any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"onset": [9, 5]}, "not in order"),
        ({"voice": [0, 3]}, "voice out of range; expected from 0 to 2"),
        ({"chord": [0, 1]}, "chord out of range; expected from 0 to 0"),
        ({"instrument": [-1, 0]}, "instrument out of range; expected from 0"),
        ({"pitch": [60]}, "pitch of shape"),
    ],
)
def test_a_wrong_plan_gets_one_clear_line(change: dict[str, list[int]], message: str):
    fields = {name: [0, 0] for name in NAMES} | {"onset": [5, 9]} | change
    with pytest.raises(TuneError, match=message):
        PlannedNotes(**fields)  # type: ignore[arg-type]


def test_nothing_planned_guides_nothing():
    bank = bank_of("@lead a4 . c5 .", lead=LEAD)
    none = np.empty(0, dtype=int)
    guide, mask = render(PlannedNotes(none, none, none, none, none, none, none), bank, 40, 50)
    assert guide.shape == mask.shape == (10, sid.COLUMNS) and not mask.any()
    guide, mask = render(plan((3, 69, 0)), sound_bank(sid.silence(0)), 0, 10)
    assert not mask.any()


def test_a_repeated_phrase_is_guided_by_its_first_time():
    """Each note of the second time is played from the first; before that an instrument is unknown."""
    phrase = tune("@lead a4 . c5 . e5 . a4 . @kick c3 . . . @lead e5 . . .", lead=LEAD, kick=KICK)
    frames = np.concatenate([phrase, phrase, phrase])
    guide, mask = causal_guide(frames)
    again = slice(len(phrase), -6)
    np.testing.assert_array_equal(guide[again, CONTROL], frames[again, CONTROL])
    same = frequencies(guide)[again, 0] == frequencies(frames)[again, 0]
    assert same.mean() > 0.9  # in a lead the vibrato of the note before goes on, which its template does not show
    assert mask[again, CONTROL].all() and not mask[:10, CONTROL].any()
    _, late = causal_guide(frames, delay=len(phrase) + 40)
    assert late[:, CONTROL].sum() < mask[:, CONTROL].sum() - len(phrase)


def test_between_two_hearings_no_sound_is_learnt():
    """The kick comes in the second phrase first. Heard at its end, the third has it; heard before it, none has it."""
    lead, kick = "@lead a4 . c5 . e5 . a4 . ", "@kick c3 . . . @lead e5 . . ."
    first = tune(lead + lead, lead=LEAD)
    second = tune(lead + kick, lead=LEAD, kick=KICK)
    frames = np.concatenate([first, second, second])
    at, size = len(first), len(second)
    asked = slice(at + size + 50, at + size + 68)  # the third phrase's kick
    masks = [causal_guide(frames, hearings=np.array(hearings))[1] for hearings in ([at], [at, at + size])]
    assert not masks[0][asked, CONTROL].any() and masks[1][asked, CONTROL].all()
    assert not any(mask[: at - 20].any() for mask in masks), "nothing was heard yet; leads begin before their notes"


def test_a_guide_does_not_know_the_future():
    """Other sounds after frame 400 leave the guide up to there as it was."""
    frames = play(scores()["gallop"])[:1000]
    score = score_of(frames)
    guide, mask = causal_guide(frames, score)
    other = frames.copy()
    other[400:, [sid.PW_LO, sid.PW_HI, sid.AD, SR, 9, 10, 12, 13, *FILTER]] ^= 5
    changed, changed_mask = causal_guide(other & sid.USED_BITS, score)
    np.testing.assert_array_equal(guide[:400], changed[:400])
    np.testing.assert_array_equal(mask, changed_mask)
    assert (guide[400:] != changed[400:]).any()


def test_a_disturbance_is_drawn_from_its_generator():
    frames = play(scores()["gallop"])[:1000]
    guide, mask = causal_guide(frames)

    def disturbed(seed: int = 1, **shares: float) -> tuple[Frames, np.ndarray]:
        quiet = {"moved": 0.0, "wrong": 0.0, "dropped": 0.0}
        return causal_guide(frames, disturbance=Disturbance(**quiet | shares), rng=np.random.default_rng(seed))

    for one, other in zip(disturbed(moved=0.5), disturbed(moved=0.5), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not disturbed(dropped=1.0)[1].any()
    wrong = disturbed(wrong=1.0)[0]
    sounding = mask[:, CONTROL] & (guide[:, CONTROL] == 0x41)
    assert (frequencies(wrong)[sounding, 0] != frequencies(guide)[sounding, 0]).mean() > 0.9
    gates, moved = (x[:, CONTROL] & GATE for x in (guide, disturbed(moved=1.0)[0]))
    assert 0.5 < (gates == moved).mean() < 1.0
