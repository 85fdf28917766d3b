"""A plan's sections are written in several drafts, of which a taste takes one; nothing depends on when that is done."""

import random
from dataclasses import replace

import numpy as np
import pytest
from fake_composer import FakeComposer

from sidlive.chip.registers import Frames
from sidlive.model.composer import Composer, NoteSampling
from sidlive.model.composer.drafts import DRAFTING, LONGEST_DRAFT
from sidlive.model.composer.plan_settings import LEAD, PlanSettings
from sidlive.model.composer.planner import Planner
from sidlive.model.composer.sections import section_end, section_frames, turn_of
from sidlive.model.composer.shape import ComposerConfig
from sidlive.model.composer.taste import Taste
from sidlive.model.composer.traits import TRAITS
from sidlive.model.config import Stack
from sidlive.model.weights import random_weights
from sidlive.tune.loading import load_fragment

BAR = 96  # frames
PLAIN = PlanSettings(sampling=NoteSampling(seed=5), bar_frames=BAR, beat_frames=BAR / 4)
DRAFTED = replace(PLAIN, candidates=3, contrast=1.0)
ONSET, VOICE, PITCH = range(3)


class FakeTaste:
    """Prefers drafts as ``weigh`` of their traits says, far more than any luck."""

    def __init__(self, weights: np.ndarray) -> None:
        self.weights = weights

    def merit(self, traits: np.ndarray) -> float:
        return 1e3 * float(traits @ self.weights)


def a_taste(seed: int = 0) -> Taste:
    rng = np.random.default_rng(seed)
    parts = [rng.normal(size=shape).astype(np.float32) for shape in ((4, TRAITS), 4, 4)]
    return Taste(np.zeros(TRAITS, np.float32), np.ones(TRAITS, np.float32), *parts, 0.0, {})


def fake(headroom: int = 512) -> FakeComposer:
    composer = FakeComposer(headroom)
    composer.taste = a_taste()
    return composer


def real(headroom: int = 512) -> Composer:
    """Return a real composer, whose weights are noise."""
    shape = ComposerConfig("small", Stack(24, 1, 2, 1, 24), 16, 16, context=64)
    return Composer(random_weights(shape, std=0.3), headroom, a_taste())


@pytest.fixture(scope="module")
def prompt() -> Frames:
    return load_fragment("gallop").frames[:640]


def begun(prompt: Frames, composer: FakeComposer | Composer) -> Planner:
    planner = Planner(composer, lambda count: prompt[-count:])
    planner.begin(prompt, 0)
    return planner


def play(planner: Planner, prompt: Frames, first: int, end: int, settings: PlanSettings = DRAFTED) -> np.ndarray:
    """Plan frames ``first`` to ``end`` - 1; return the notes that begin in them, ``int64[n, 7]``."""
    notes = []
    for frame in range(first, end):
        planner.guide(frame, settings, prompt[-1])
        assert planner.coming(frame)[-1, ONSET] >= frame + settings.horizon, "the plan is a horizon ahead"
        notes += [row[:5] for row in planner.coming(frame) if row[ONSET] == frame]
    return np.array(notes)


def test_one_candidate_is_the_plan_without_drafts(prompt: Frames) -> None:
    alone = play(begun(prompt, FakeComposer()), prompt, 0, 600, PLAIN)
    np.testing.assert_array_equal(play(begun(prompt, fake()), prompt, 0, 600, PLAIN), alone)
    several = replace(PLAIN, candidates=4)
    np.testing.assert_array_equal(play(begun(prompt, FakeComposer()), prompt, 0, 600, several), alone)
    assert not np.array_equal(play(begun(prompt, fake()), prompt, 0, 600, several), alone)


def test_the_first_seconds_are_those_of_a_single_candidate(prompt: Frames) -> None:
    single = play(begun(prompt, fake()), prompt, 0, 400, replace(DRAFTED, candidates=1))
    drafted = play(begun(prompt, fake()), prompt, 0, 400)
    early = single[:, ONSET] < PLAIN.horizon
    np.testing.assert_array_equal(drafted[: early.sum()], single[early])


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_draft_that_the_taste_prefers_is_taken(prompt: Frames, sign: float) -> None:
    """A taste for few or for many notes changes their number."""
    weights = np.zeros(TRAITS)
    weights[:3] = sign  # the voices' numbers of notes
    composer = fake()
    composer.taste = FakeTaste(weights)  # type: ignore[assignment]
    chosen = play(begun(prompt, composer), prompt, 0, 1000)
    usual = play(begun(prompt, fake()), prompt, 0, 1000, replace(DRAFTED, candidates=1))
    more = (chosen[:, ONSET] > 400).sum() - (usual[:, ONSET] > 400).sum()
    assert sign * more > 0


@pytest.mark.parametrize("make", [fake, real])
def test_the_plan_depends_only_on_the_settings_at_each_frame(prompt: Frames, make) -> None:  # type: ignore[no-untyped-def]
    """Plan 340 frames with a few changes; then again, with cuts and detours on the way."""
    chance = random.Random(7)
    turns = [
        DRAFTED,
        replace(DRAFTED, candidates=2),
        replace(DRAFTED, swing=0.5),
        replace(DRAFTED, classes=frozenset({0, 4, 7})),
        PLAIN,
    ]
    scheduled = [DRAFTED] * 220
    while len(scheduled) < 340:
        scheduled += [chance.choice(turns)] * chance.choice([10, 60, 150])

    def planned(headroom: int, detours: bool) -> np.ndarray:
        planner, frame, notes = begun(prompt, make(headroom)), 0, {}
        while frame < 340:
            planner.guide(frame, scheduled[frame], prompt[-1])
            notes[frame] = [tuple(row[:5].tolist()) for row in planner.coming(frame) if row[ONSET] == frame]
            frame += 1
            if detours and chance.random() < 0.015:
                back = chance.randrange(max(0, frame - 150), frame + 1)
                for further in range(frame, frame + chance.randrange(60)):
                    planner.guide(further, chance.choice(turns), prompt[-1])
                planner.rewind(back)
                frame = back
        return np.array([row for frame in range(340) for row in notes[frame]])

    straight = planned(512, False)
    for headroom in (512, 20):
        np.testing.assert_array_equal(planned(headroom, True), straight)


def test_a_change_is_planned_at_once_and_by_few_notes(prompt: Frames) -> None:
    """While a change is planned no draft is written; nor are more notes than the horizon needs."""
    composer = fake()
    planner = begun(prompt, composer)
    play(planner, prompt, 0, 300)
    changed = replace(DRAFTED, sampling=NoteSampling(seed=6))
    before = composer.written
    planner.guide(300, changed, prompt[-1])
    notes = planner.coming(300)
    assert notes[-1, ONSET] >= 300 + PLAIN.horizon
    assert composer.written - before <= (notes[:, ONSET] >= 300 + LEAD).sum() + 2


def test_drafts_are_written_in_small_slices(prompt: Frames) -> None:
    composer = fake()
    planner = begun(prompt, composer)
    play(planner, prompt, 0, DRAFTING + 8)  # the plan has got ahead of its horizon
    most = -(-DRAFTED.candidates * LONGEST_DRAFT // (DRAFTING - 1))
    for frame in range(DRAFTING + 8, 400):
        before = composer.written
        planner.guide(frame, DRAFTED, prompt[-1])
        assert composer.written - before <= most + 8


def test_sections_are_some_bars_long_and_end_at_bar_lines() -> None:
    for bar in (30.0, 96.0, 187.5, 500.0):
        settings = replace(PLAIN, bar_frames=bar, downbeat=7.0)
        assert 280 <= section_frames(bar) <= 570
        for frame in range(0, 3000, 91):
            end = section_end(settings, frame)
            assert section_frames(bar) / 2 - 1 <= end - frame <= 1.5 * section_frames(bar) + 1
            assert abs((end - 7.0) / section_frames(bar) % 1) < 0.01 or (end - 7.0) / section_frames(bar) % 1 > 0.99


def test_without_contrast_all_sections_are_as_the_prompt() -> None:
    turns = {turn_of(0.0, 1, 0, section, 0) for section in range(20)}
    assert len(turns) == 1
    varied = [turn_of(1.0, 1, 0, section, 0) for section in range(200)]
    assert len(set(varied)) > 100
    assert {turn_of(1.0, 1, 0, section, 0) for section in range(200)} == set(varied), "the same draws every time"
    more = [abs(np.log(turn_of(2.0, 1, 0, section, 0).notes)) for section in range(200)]
    assert np.mean(more) > 1.5 * np.mean([abs(np.log(turn.notes)) for turn in varied])
