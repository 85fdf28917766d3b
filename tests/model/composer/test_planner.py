"""The plan: notes ahead of the frame that is generated, written by a composer and by code, and their guides."""

import random
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from fake_composer import FakeComposer

from sidlive.chip import registers as sid
from sidlive.chip.pitch import frequencies, notes_of
from sidlive.chip.registers import Frames
from sidlive.model.composer import Composer, NoteSampling, load_composer
from sidlive.model.composer import events as ev
from sidlive.model.composer.choices import notes_like
from sidlive.model.composer.plan_settings import ANY_PITCH, LEAD, CodePart, PlanSettings
from sidlive.model.composer.planner import Planner
from sidlive.model.composer.shape import ComposerConfig
from sidlive.model.config import Stack
from sidlive.model.engine import Sampling
from sidlive.model.weights import composer_path, random_weights
from sidlive.tune.loading import load_fragment
from sidlive.tune.score.bank import sound_bank
from sidlive.tune.score.steps import Pattern, PatternNote

PLAIN = PlanSettings(sampling=NoteSampling(seed=5))
ONSET, VOICE, PITCH, CHORD, INSTRUMENT, LENGTH, BY_CODE = range(7)


@pytest.fixture(scope="module")
def prompt() -> Frames:
    return load_fragment("gallop").frames[:640]


class Music:
    """Frames played under a plan: each is the guide where there is one, else as the frame before."""

    def __init__(self, prompt: Frames, composer: FakeComposer | None, at: int = 0) -> None:
        self.composer = composer
        self.planner = Planner(composer, lambda n: np.array(self.rows[-n:]))
        self.rows = list(prompt)
        self.at, self.prompt = at, prompt
        self.planner.begin(prompt, at)

    @property
    def frame(self) -> int:
        return self.at + len(self.rows) - len(self.prompt)

    def play(self, settings: PlanSettings, frames: int = 1) -> "Music":
        for _ in range(frames):
            row = self.rows[-1].copy()
            guide = self.planner.guide(self.frame, settings, row)
            if guide is not None:
                row[guide[1]] = guide[0][guide[1]]
            self.rows.append(row)
        return self

    def rewind(self, frame: int) -> None:
        del self.rows[len(self.rows) - (self.frame - frame) :]
        self.planner.rewind(frame)

    @property
    def made(self) -> Frames:
        return np.array(self.rows[len(self.prompt) :])

    def coming(self, frame: int | None = None) -> np.ndarray:
        return self.planner.coming(self.frame if frame is None else frame)


def part(text_steps: dict[int, int], steps: int = 4, start: float = 0.0, **more: object) -> CodePart:
    """Return a part with notes of one step: ``{step: pitch}``."""
    notes = tuple(PatternNote(step, 1, pitch) for step, pitch in text_steps.items())
    return CodePart(Pattern(notes, steps), step_frames=12.0, start=start, **more)  # type: ignore[arg-type]


def of_voice(table: np.ndarray, voice: int) -> np.ndarray:
    return table[table[:, VOICE] == voice]


# -- the composer's plan


def test_the_plan_is_a_horizon_ahead_and_goes_on_from_the_prompt(prompt: Frames) -> None:
    music = Music(prompt, FakeComposer()).play(PLAIN, 40)
    notes = music.coming()
    assert notes[-1, ONSET] >= 39 + PLAIN.horizon >= 39 + 256
    assert set(notes[:, VOICE]) == {0, 1, 2} and (np.diff(notes[:, ONSET]) >= 0).all()
    assert (notes[:, INSTRUMENT] < 4).all(), "the instruments of the prompt"
    slow = replace(PLAIN, bar_frames=400.0)
    assert Music(prompt, FakeComposer()).play(slow).coming()[-1, ONSET] >= 400, "a bar, if it is longer"


def test_notes_begin_where_in_the_beat_the_prompts_notes_begin(prompt: Frames) -> None:
    """gallop plays sixteenths of 5 frames; a composer of random weights would begin its notes anywhere."""
    settings = replace(PLAIN, beat_frames=20.0, bar_frames=80.0)

    def places(settings: PlanSettings) -> set[int]:
        music = Music(prompt, small_composer(256), at=1000).play(settings)  # type: ignore[arg-type]
        return set(((music.coming(1000)[:, ONSET] - 1000 + len(prompt)) % 5).tolist())

    assert places(settings) == {0, 1, 2, 3, 4}
    assert places(replace(settings, on_beat=True)) == {0}
    assert places(replace(settings, on_beat=True, beat_frames=20.4)) == {0, 1, 2, 3, 4}, "its rows are not known"


def test_thin_plans_begin_notes_where_most_of_the_prompts_begin(prompt: Frames) -> None:
    counts = np.bincount(sound_bank(prompt).score.onset % 20, minlength=20)
    common = counts.argsort()[::-1]
    music = Music(prompt, small_composer(256), at=1000)  # type: ignore[arg-type]
    thin = NoteSampling(seed=5, density=0.5)
    music.play(replace(PLAIN, sampling=thin, on_beat=True, beat_frames=20.0, bar_frames=80.0))
    places = set(((music.coming(1000)[:, ONSET] - 1000 + len(prompt)) % 20).tolist())
    assert places == set(common[: len(places)].tolist())
    assert counts[common[: len(places) - 1]].sum() < 0.5 * counts.sum() <= counts[common[: len(places)]].sum()


@pytest.mark.parametrize(("density", "least", "most"), [(0.5, 0.4, 0.62), (1.0, 0.88, 1.12), (2.0, 1.2, 2.2)])
def test_the_shipped_composer_writes_as_many_notes_as_density_says(
    prompt: Frames, density: float, least: float, most: float
) -> None:
    path = composer_path("pocket")
    assert path is not None
    settings = PlanSettings(
        sampling=notes_like(Sampling(seed=3, temperature=0.8, vary=0.8, near=320), density),
        on_beat=True, beat_frames=20.0, bar_frames=1500.0,  # a plan is a bar long
    )  # fmt: skip
    notes = Music(prompt, load_composer(path)).play(settings).coming()  # type: ignore[arg-type]
    rate = len(sound_bank(prompt).score) / len(prompt)
    written = notes[(notes[:, ONSET] >= 200) & (notes[:, ONSET] < 1500)]
    assert least * rate < len(written) / 1300 < most * rate


def test_the_guide_plays_the_planned_pitches(prompt: Frames) -> None:
    music = Music(prompt, FakeComposer()).play(replace(PLAIN, parts=(None, part({0: 60, 2: 67}), None)), 48)
    heard = notes_of(frequencies(music.made))[:, 1]
    for frame, pitch in ((6, 60), (30, 67)):
        assert round(heard[frame] - pitch) % 12 == 0, "the instrument may add octaves"


def test_no_note_is_planned_before_the_first_frame(prompt: Frames) -> None:
    quiet = np.concatenate([prompt, np.repeat(sid.silence(1), 200, axis=0)])
    music = Music(quiet, FakeComposer(), at=1000).play(PLAIN)
    own = [event for event in music.composer.heard if event[ev.VOICE] == ev.REST]  # type: ignore[union-attr]
    assert len(own) >= 2, "the silence after the last note is made of rests"
    assert of_voice(music.coming(), 0)[0, ONSET] >= 1000


def small_composer(headroom: int) -> Composer:
    """Return a real composer, whose weights are noise."""
    shape = ComposerConfig("small", Stack(24, 1, 2, 1, 24), 16, 16, context=64)
    return Composer(random_weights(shape, std=0.3), headroom)


@pytest.mark.parametrize("make", [FakeComposer, small_composer])
def test_the_plan_depends_only_on_the_settings_at_each_frame(
    prompt: Frames, make: Callable[[int], FakeComposer]
) -> None:
    """Play 160 frames with changing settings; then again, with cuts and detours on the way."""
    chance = random.Random(4)
    turns = [
        PLAIN,
        replace(PLAIN, sampling=NoteSampling(seed=5, density=2.0)),
        replace(PLAIN, swing=0.7),
        replace(PLAIN, classes=frozenset({0, 4, 7})),
        replace(PLAIN, compose=False),
        replace(PLAIN, parts=(None, part({0: 60, 2: 64}, start=40.0), None)),
        replace(PLAIN, parts=(None, None, part({0: 40, 1: 41}, start=100.0, times=3))),
        replace(PLAIN, taken=frozenset({0})),
        replace(PLAIN, keep_voices=True),
    ]
    scheduled = [turns[0]] * 20
    while len(scheduled) < 160:
        scheduled += [chance.choice(turns)] * chance.choice([1, 2, 5, 20, 40])
    scheduled = scheduled[:160]
    straight = Music(prompt, make(512), at=7)
    for settings in scheduled:
        straight.play(settings)
    for headroom in (512, 20):
        detours = Music(prompt, make(headroom), at=7)
        while detours.frame < 167:
            detours.play(scheduled[detours.frame - 7])
            if chance.random() < 0.01:  # another future, which is cut off
                back = chance.randrange(max(7, detours.frame - 90), detours.frame + 1)
                for _ in range(chance.randrange(60)):
                    detours.play(chance.choice(turns))
                detours.rewind(back)
        np.testing.assert_array_equal(detours.made, straight.made)


def test_a_change_is_heard_from_its_frame_on_and_leaves_notes_that_are_prepared(prompt: Frames) -> None:
    music = Music(prompt, FakeComposer()).play(PLAIN, 60)
    before = music.coming(0)
    music.play(replace(PLAIN, sampling=NoteSampling(seed=5, density=3.0)))
    after = music.coming(0)
    kept = before[before[:, ONSET] < 60 + LEAD]
    np.testing.assert_array_equal(after[: len(kept), :LENGTH], kept[:, :LENGTH])
    later = after[len(kept) :]
    assert later[0, ONSET] >= 60 + LEAD and len(later) > 1.5 * (len(before) - len(kept))


def test_a_turn_that_changes_no_note_leaves_the_plan(prompt: Frames) -> None:
    music = Music(prompt, FakeComposer()).play(PLAIN, 60)
    before = music.coming()
    music.play(replace(PLAIN, sampling=NoteSampling(seed=5, density=1.01)))
    np.testing.assert_array_equal(music.coming(60)[: len(before) - 6, :LENGTH], before[:-6, :LENGTH])


def test_a_control_that_moves_each_frame_is_followed_in_steps(prompt: Frames) -> None:
    music = Music(prompt, FakeComposer())
    music.play(PLAIN, 50)
    assert isinstance(music.composer, FakeComposer)
    written = music.composer.written
    for frame in range(101):
        music.play(replace(PLAIN, sampling=NoteSampling(seed=5, density=1 + frame / 50)))
    assert music.composer.written - written < 10 * len(music.coming()), "not a plan for each frame"
    thrice = replace(PLAIN, sampling=NoteSampling(seed=5, density=3.0))
    music.play(thrice, 20)
    gaps = np.diff(np.unique(music.coming()[:, ONSET]))
    assert gaps[-5:].tolist() == [2] * 5, "the last value counts in the end"


@pytest.mark.parametrize("name", ["swing", "contrast", "new_sounds", "candidates", "known_gates"])
def test_so_is_every_control_that_a_knob_or_an_lfo_moves(prompt: Frames, name: str) -> None:
    music = Music(prompt, FakeComposer()).play(PLAIN, 50)
    assert isinstance(music.composer, FakeComposer)
    written = music.composer.written
    for frame in range(101):
        value = {"candidates": 1 + frame % 8, "known_gates": bool(frame % 2)}.get(name, frame / 100)
        music.play(replace(PLAIN, **{name: value}))
    assert music.composer.written - written < 10 * len(music.coming()), "not a plan for each frame"


def test_scale_and_ranges_limit_the_notes_as_they_sound(prompt: Frames) -> None:
    ranges = ((48, 60), ANY_PITCH, (30, 40))
    tight = replace(PLAIN, classes=frozenset({0, 4, 7}), ranges=ranges)
    for semitones in (0, 5):
        music = Music(prompt, FakeComposer()).play(replace(tight, semitones=semitones))
        notes = music.coming()
        for row in notes[notes[:, ONSET] >= LEAD]:
            tones = [row[PITCH] + semitones + tone for tone in ev.CHORDS[row[CHORD]]]
            assert {tone % 12 for tone in tones} <= {0, 4, 7}, "arpeggios too"
            low, high = ranges[row[VOICE]]
            assert low <= row[PITCH] + semitones <= high


def test_swing_delays_every_second_eighth(prompt: Frames) -> None:
    settings = replace(PLAIN, beat_frames=24.0, parts=(None, part({0: 50, 1: 52, 2: 53, 3: 55}), None))
    straight = of_voice(Music(prompt, FakeComposer()).play(settings).coming(), 1)
    swung = of_voice(Music(prompt, FakeComposer()).play(replace(settings, swing=1.0)).coming(), 1)
    late = swung[:10, ONSET] - straight[:10, ONSET]
    place = straight[:10, ONSET] % 24
    np.testing.assert_array_equal(late, np.where(place == 12, 6, 0))


def test_a_composer_that_is_switched_on_hears_what_was_played(prompt: Frames) -> None:
    silent = replace(PLAIN, compose=False)
    music = Music(prompt, FakeComposer()).play(silent, 100)
    assert not len(music.coming()) and not music.composer.heard  # type: ignore[union-attr]
    for frame in range(100):  # something is played meanwhile
        music.rows[640 + frame] = load_fragment("gallop").frames[640 + frame]
    music.play(PLAIN)
    heard = music.composer.heard[: len(ev.events_of(score(music.rows[:-1])))]  # type: ignore[union-attr]
    np.testing.assert_array_equal(heard, ev.events_of(score(music.rows[:-1])))
    assert music.coming()[-1, ONSET] >= 100 + 256
    music.rewind(90)
    music.play(silent, 20)
    assert not len(music.coming())


def score(rows: list[np.ndarray]):  # type: ignore[no-untyped-def]
    from sidlive.tune.score.extract import score_of

    return score_of(np.array(rows))


def test_without_notes_in_the_past_there_is_no_plan() -> None:
    music = Music(sid.silence(50), FakeComposer()).play(PLAIN, 10)
    assert not len(music.coming()) and not music.composer.written  # type: ignore[union-attr]
    music.rows[-10:] = list(load_fragment("gallop").frames[:10])
    for frame in range(PLAIN.horizon):  # music comes from elsewhere
        music.play(PLAIN)
        music.rows[-1] = load_fragment("gallop").frames[10 + frame]
    assert len(music.coming()), "after a while the composer listens again"


# -- notes by code


def test_code_writes_notes_that_the_composer_hears(prompt: Frames) -> None:
    settings = replace(PLAIN, parts=(None, part({0: 60, 2: 67}), None))
    music = Music(prompt, FakeComposer()).play(settings)
    mine = of_voice(music.coming(), 1)
    assert mine[:4, ONSET].tolist() == [0, 24, 48, 72] and mine[:4, PITCH].tolist() == [60, 67, 60, 67]
    assert mine[:, BY_CODE].all() and (mine[:, LENGTH] == 12).all()
    onsets = np.cumsum([event[ev.WAIT] for event in music.composer.heard]) - 640  # type: ignore[union-attr]
    heard = [
        (int(onset), event[ev.PITCH])
        for onset, event in zip(onsets, music.composer.heard, strict=True)  # type: ignore[union-attr]
        if event[ev.VOICE] == 1 and onset >= 0
    ]
    assert heard[:4] == [(0, 60), (24, 67), (48, 60), (72, 67)], "and nothing else in that voice"
    assert len(of_voice(music.coming(), 0)) > 20, "the composer writes the other voices"


def test_a_part_begins_at_its_start_and_ends_after_its_repetitions(prompt: Frames) -> None:
    music = Music(prompt, FakeComposer()).play(PLAIN, 10)
    music.play(replace(PLAIN, parts=(part({0: 60, 1: 62}, start=30.0, times=2), None, None)), 150)
    mine = of_voice(music.coming(0), 0)
    coded = mine[mine[:, BY_CODE] > 0]
    assert coded[:, ONSET].tolist() == [30, 42, 78, 90] and coded[:, PITCH].tolist() == [60, 62, 60, 62]
    composed = mine[mine[:, BY_CODE] == 0]
    assert (composed[:, ONSET] < 30).any() and (composed[:, ONSET] >= 126).any()
    assert not ((composed[:, ONSET] >= 30) & (composed[:, ONSET] < 126)).any()


def test_a_new_part_replaces_the_old_one_at_its_start(prompt: Frames) -> None:
    old, new = part({0: 60}, steps=1), part({0: 70}, steps=1, start=50.0)
    music = Music(prompt, FakeComposer()).play(replace(PLAIN, parts=(None, old, None)), 20)
    music.play(replace(PLAIN, parts=(None, new, None)))
    mine = of_voice(music.coming(0), 1)
    assert mine[:6, ONSET].tolist() == [0, 12, 24, 36, 48, 50] and mine[:6, PITCH].tolist() == [60] * 5 + [70]


def test_a_voice_taken_over_falls_silent_and_the_others_go_on(prompt: Frames) -> None:
    music = Music(prompt, FakeComposer()).play(PLAIN, 100)
    taken = replace(PLAIN, taken=frozenset({2}))
    music.play(taken, 60)
    assert not len(of_voice(music.coming(101), 2)) and len(of_voice(music.coming(), 0))
    gate = music.made[:, sid.register_of(2, sid.CONTROL)] & sid.GATE
    assert gate[:100].any() and not gate[102:].any()
    music.play(PLAIN)
    assert len(of_voice(music.coming(170), 2)), "given back"


def test_code_alone_guides_only_its_voice(prompt: Frames) -> None:
    music = Music(prompt, None)
    mine = replace(PLAIN, parts=(None, part({0: 60, 2: 64}, start=8.0), None))
    row = prompt[-1]
    guides = [music.planner.guide(frame, mine, row) for frame in range(40)]
    columns = {column for guide in guides if guide is not None for column in np.flatnonzero(guide[1]).tolist()}
    assert columns == {*range(7, 14), sid.first_control_of(1)}
    guide, mask = guides[12]  # type: ignore[misc]
    assert mask[7] and round(notes_of(frequencies(guide[None]))[0, 1] - 60) % 12 == 0
    assert Music(prompt, None).play(PLAIN, 5).coming().size == 0


def test_code_may_play_another_tunes_instruments(prompt: Frames) -> None:
    sounds = load_fragment("minuet").frames
    own, borrowed = part({0: 60}, steps=2), part({0: 60}, steps=2, sounds=sounds, instrument=1)
    plain = Music(prompt, FakeComposer()).play(replace(PLAIN, parts=(None, own, None)), 30)
    other = Music(prompt, FakeComposer()).play(replace(PLAIN, parts=(None, borrowed, None)), 30)
    envelope = [sid.register_of(1, sid.AD), sid.register_of(1, sid.SR)]
    played = {
        tuple(row)
        for row in sounds[:, [sid.register_of(voice, c) for voice in range(3) for c in (5, 6)]].reshape(-1, 2)
    }
    assert (plain.made[4, envelope] != other.made[4, envelope]).any()
    assert tuple(other.made[4, envelope]) in played


def test_drums_and_chords_of_code(prompt: Frames) -> None:
    chord = CodePart(Pattern((PatternNote(0, 2, 48, (0, 4, 7)),), 2), 12.0, 0.0)
    music = Music(prompt, FakeComposer()).play(replace(PLAIN, parts=(None, chord, None)), 30)
    assert ev.CHORDS[of_voice(music.coming(0), 1)[0, CHORD]] == (0, 4, 7)
