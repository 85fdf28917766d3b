"""A plan that goes round in circles is left; composers here do so on purpose."""

from dataclasses import replace

import numpy as np
import pytest
from fake_composer import FakeComposer
from numpy.typing import NDArray

from sidlive.chip.registers import Frames
from sidlive.model.composer import NoteLimits, NoteSampling
from sidlive.model.composer import events as ev
from sidlive.model.composer.choices import ANY_WAIT, UNLIMITED
from sidlive.model.composer.events import Events
from sidlive.model.composer.hearing import Hearing
from sidlive.model.composer.loop_watch import AGAIN_BARS, LONGEST_LOOP, PATIENCE, THEME_FOLLOW, fresh_start, stirred
from sidlive.model.composer.plan_settings import CodePart, PlanSettings
from sidlive.model.composer.planner import Planner
from sidlive.model.composer.sheet import Sheet
from sidlive.tune.loading import load_fragment
from sidlive.tune.score.steps import Pattern, PatternNote

STEP, BAR = 12, 96  # frames
LOOPING = PlanSettings(sampling=NoteSampling(seed=5, vary=0.8), repeats=3, bar_frames=BAR, beat_frames=BAR / 4)
LONG = 4000  # frames

Planned = list[tuple[int, int, int]]  # frame, voice and pitch of each note


class Circling(FakeComposer):
    """A composer that repeats a passage of ``length`` notes for ever, another one for each past that it is given."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self.length, self.given = length, 0

    def prefill(self, events: Events) -> None:
        super().prefill(events)
        self.given = len(self.heard)

    @property
    def passage(self) -> int:
        return self.given

    @property
    def place(self) -> int:
        return len(self.heard) - self.given

    def write(
        self,
        sampling: NoteSampling,
        limits: NoteLimits = UNLIMITED,
        forced: NDArray[np.int16] | None = None,
        least_wait: int = 0,
        waits: NDArray[np.bool_] = ANY_WAIT,
    ) -> NDArray[np.int16]:
        self.written += 1
        place = self.place % self.length
        pitch = int(np.random.default_rng((self.passage, place)).integers(40, 60))
        event = np.array([max(STEP, least_wait), place % 2, 0, 0, pitch, 0, 4], np.int16)
        self.hear(event)
        return event


class Stubborn(Circling):
    """A composer that plays the same passage again after the first fresh start."""

    @property
    def passage(self) -> int:
        return max(2, self.resets)

    @property
    def place(self) -> int:
        return self.written


class Obstinate(Circling):
    """A composer that plays the same passage again after each fresh start, until it is asked to be more daring."""

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.asked: list[tuple[float, float]] = []  # temperature and following of each note, as they change

    @property
    def passage(self) -> int:
        return self.given if self.asked[-1] > (LOOPING.sampling.temperature, 0.0) else 0

    def write(
        self,
        sampling: NoteSampling,
        limits: NoteLimits = UNLIMITED,
        forced: NDArray[np.int16] | None = None,
        least_wait: int = 0,
        waits: NDArray[np.bool_] = ANY_WAIT,
    ) -> NDArray[np.int16]:
        wish = (sampling.temperature, sampling.follow)
        self.asked += [wish] if self.asked[-1:] != [wish] else []
        return super().write(sampling, limits, forced, least_wait, waits)


@pytest.fixture(scope="module")
def prompt() -> Frames:
    return load_fragment("gallop").frames[:640]


def begun(prompt: Frames, composer: FakeComposer) -> Planner:
    planner = Planner(composer, lambda count: prompt[-count:])
    planner.begin(prompt, 0)
    return planner


def play(planner: Planner, settings: PlanSettings, prompt: Frames, first: int, end: int) -> Planned:
    """Plan frames ``first`` to ``end`` - 1; return the notes that begin in them."""
    notes: Planned = []
    for frame in range(first, end):
        planner.guide(frame, settings, prompt[-1])
        notes += [(frame, int(row[1]), int(row[2])) for row in planner.coming(frame) if row[0] == frame]
    return notes


def times_played(notes: Planned, period: int) -> float:
    """Return how many times in a row a passage of ``period`` frames is played at most, exactly."""
    known, stretch, longest = set(notes), 0, 0
    for frame, voice, pitch in notes:
        stretch = stretch + STEP if (frame - period, voice, pitch) in known else 0
        longest = max(longest, stretch)
    return 1 + longest / period


@pytest.mark.parametrize("length", [34, 50])  # passages of 4.25 and 6.25 bars
def test_a_passage_is_left_after_it_was_played_three_times(prompt: Frames, length: int) -> None:
    composer = Circling(length)
    notes = play(begun(prompt, composer), LOOPING, prompt, 0, LONG)
    bars = BAR / (length * STEP)
    assert 3 <= times_played(notes, length * STEP) <= 3 + 2 * bars
    assert composer.resets > 1


def test_a_loop_that_comes_back_is_left_sooner(prompt: Frames) -> None:
    composer, period = Stubborn(34), 34 * STEP
    notes = play(begun(prompt, composer), LOOPING, prompt, 0, LONG)
    assert composer.resets >= 3
    assert 3.5 <= times_played(notes, period) <= 3.5 + 3 * BAR / period


def test_if_the_same_passage_comes_again_and_again_the_notes_become_more_daring_for_a_while(prompt: Frames) -> None:
    composer, period = Obstinate(34), 34 * STEP
    notes = play(begun(prompt, composer), LOOPING, prompt, 0, 3 * LONG)
    assert times_played(notes, period) < 8
    usual = (LOOPING.sampling.temperature, LOOPING.sampling.follow)
    daring = [wish for wish in composer.asked if wish != usual]
    assert all(warmth > usual[0] and follow < usual[1] for warmth, follow in daring)
    assert daring and composer.asked[0] == usual


def test_only_many_fresh_starts_in_a_row_make_notes_more_daring_and_not_for_ever(prompt: Frames) -> None:
    heard, usual = Hearing(prompt), LOOPING.sampling
    sheet = Sheet([])
    for number, frame in enumerate((1000, 1300, 1600, 1600 + LONGEST_LOOP + 1), 1):
        sheet.add(start := fresh_start(frame, frame, 0, LOOPING, sheet, heard))
        assert start.number == (number if number < 4 else 1)
        assert (stirred(usual, start, frame) == usual) == (number != 3)
        assert stirred(usual, start, frame + LONGEST_LOOP + 1) == usual
    assert stirred(usual, None, 0) == usual


def test_a_return_at_the_bar_from_which_notes_are_written_anew_is_no_way_out_of_a_loop(prompt: Frames) -> None:
    settings, line = replace(LOOPING, returns=8), 8 * BAR
    start = fresh_start(line - 20, line, 0, settings, Sheet([]), Hearing(prompt))
    assert start.number == 0 and start.frame == line - 20
    assert fresh_start(line - 20, line - 20, 0, settings, Sheet([]), Hearing(prompt)).number == 1


@pytest.mark.parametrize("settings", [replace(LOOPING, repeats=0), replace(LOOPING, sampling=NoteSampling(seed=5))])
def test_music_that_may_repeat_or_is_to_stay_loops_on(prompt: Frames, settings: PlanSettings) -> None:
    composer = Circling(34)
    notes = play(begun(prompt, composer), settings, prompt, 0, LONG)
    assert times_played(notes, 34 * STEP) == pytest.approx(LONG / (34 * STEP), abs=0.2)
    assert composer.resets == 1


def test_a_short_figure_may_repeat_for_a_while(prompt: Frames) -> None:
    notes = play(begun(prompt, Circling(8)), LOOPING, prompt, 0, LONG)
    assert PATIENCE - BAR <= (times_played(notes, 8 * STEP) - 1) * 8 * STEP <= PATIENCE + 3 * BAR


def test_a_prompt_that_repeats_itself_for_longer_lets_the_plan_do_so_too() -> None:
    bar = load_fragment("gallop").frames[:128]
    circling = np.tile(bar, (16, 1))
    few, many = Circling(8), Circling(8)
    play(begun(bar, few), LOOPING, bar, 0, 1500)
    play(begun(circling, many), LOOPING, circling, 0, 1500)
    assert few.resets > many.resets == 1


def test_the_composer_hears_the_prompt_and_the_last_bars_again(prompt: Frames) -> None:
    composer = Circling(34)
    planner = begun(prompt, composer)
    play(planner, LOOPING, prompt, 0, LONG)
    first = Circling(34)
    play(begun(prompt, first), LOOPING, prompt, 0, 1)
    past = composer.heard[: first.given]
    assert past == first.heard[: first.given]
    again = composer.heard[first.given : composer.given]
    assert len(again) in (AGAIN_BARS * BAR // STEP, (AGAIN_BARS - 1) * BAR // STEP, AGAIN_BARS * BAR // STEP + 1)
    assert all(event[ev.WAIT] == STEP for event in again[1:])


def test_a_plan_that_is_rewound_comes_out_the_same(prompt: Frames) -> None:
    straight = play(begun(prompt, Circling(34)), LOOPING, prompt, 0, LONG)
    planner = begun(prompt, Circling(34))
    play(planner, LOOPING, prompt, 0, 2600)
    for first, end in ((2300, 2900), (1000, 1100), (1050, 1900)):
        planner.rewind(first)
        assert play(planner, LOOPING, prompt, first, end) == [note for note in straight if first <= note[0] < end]
    assert play(planner, LOOPING, prompt, 1900, LONG) == [note for note in straight if note[0] >= 1900]


def test_a_change_before_a_fresh_start_is_planned_as_by_a_planner_that_knows_no_other(prompt: Frames) -> None:
    higher = replace(LOOPING, swing=0.5)
    one, other = begun(prompt, Circling(34)), begun(prompt, Circling(34))
    play(one, LOOPING, prompt, 0, 2000)
    one.rewind(1000)
    play(other, LOOPING, prompt, 0, 1000)
    assert play(one, higher, prompt, 1000, 3000) == play(other, higher, prompt, 1000, 3000)


def test_notes_by_code_may_repeat_for_ever(prompt: Frames) -> None:
    pattern = Pattern((PatternNote(0, 1, 48), PatternNote(1, 1, 52)), 2)
    composer = FakeComposer()
    settings = replace(LOOPING, parts=(CodePart(pattern, 6.0, 0.0), None, None))
    play(begun(prompt, composer), settings, prompt, 0, 2500)
    assert composer.resets == 1


RETURNING = replace(LOOPING, repeats=0, returns=4)


def test_a_plan_returns_to_the_prompt_after_so_many_bars(prompt: Frames) -> None:
    """Each return is in the first bar of four; a plan that never returns does not forget what it was given first."""
    composer, steady = Circling(1000), Circling(1000)
    played = play(begun(prompt, composer), RETURNING, prompt, 0, LONG)
    kept = play(begun(prompt, steady), replace(RETURNING, returns=0), prompt, 0, LONG)
    assert steady.resets == 1 and composer.resets == 1 + (LONG + RETURNING.horizon) // (4 * BAR)
    differs = [one != other for one, other in zip(played, kept, strict=True)]
    first = played[differs.index(True)][0]
    assert 4 * BAR <= first <= 5 * BAR
    assert not any(one == other for one, other in zip(played, kept, strict=True) if one[0] >= 5 * BAR)


def test_a_plan_that_is_written_anew_returns_where_it_did(prompt: Frames) -> None:
    planner, composer = begun(prompt, composer := Circling(1000)), composer
    played = play(planner, RETURNING, prompt, 0, LONG)
    planner.rewind(4 * BAR + 10)
    again = play(planner, RETURNING, prompt, 4 * BAR + 10, LONG)
    assert again == [note for note in played if note[0] >= 4 * BAR + 10]


def test_a_return_stays_near_the_prompt_for_some_bars_and_is_not_daring(prompt: Frames) -> None:
    composer = Obstinate(1000)
    play(begun(prompt, composer), replace(RETURNING, returns=16), prompt, 0, LONG)
    heat, follow = LOOPING.sampling.temperature, LOOPING.sampling.follow
    assert composer.resets == 1 + LONG // (16 * BAR)
    assert composer.asked == [(heat, follow), (heat, follow + THEME_FOLLOW)] * 2 + [(heat, follow)]
