"""No voice of the prompt falls silent: attacks that are left out, voices that the composer neglects, short prompts."""

import random
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from fake_composer import STEP as TEMPO
from fake_composer import FakeComposer
from numpy.typing import NDArray

from sidlive.chip import registers as sid
from sidlive.chip.registers import Frames
from sidlive.model.composer import NoteLimits, NoteSampling
from sidlive.model.composer import events as ev
from sidlive.model.composer.attendance import EARLY, FEW, LATE, MANY, TONE_AGE, Attendance, with_bound
from sidlive.model.composer.hearing import FLOOR_FRAMES, FLOOR_SHARE, Hearing
from sidlive.model.composer.plan_settings import CodePart, PlanSettings
from sidlive.model.composer.planner import LISTENING, Planner
from sidlive.model.engine import UNCONSTRAINED, Constraints, constrain
from sidlive.tune.loading import load_fragment
from sidlive.tune.score.steps import Pattern, PatternNote

KEPT = PlanSettings(sampling=NoteSampling(seed=5), keep_voices=True)
VOICE = 1  # the voice that does not listen
CONTROL, FIRST = sid.register_of(VOICE, sid.CONTROL), sid.first_control_of(VOICE)
NOTE, STEP = 8, 12  # frames of open gate, and from note to note

Row = NDArray[np.uint8]


def guides(count: int, retriggers: bool = False) -> Frames:
    """Return guides of one note after another in each voice; with ``retriggers`` the gate closes within a frame."""
    rows = np.zeros((count, sid.COLUMNS), np.uint8)
    t = np.arange(count)
    for voice in range(sid.VOICES):
        gate = np.where(t % STEP < (STEP if retriggers else NOTE), sid.GATE, 0)
        rows[:, sid.register_of(voice, sid.FREQ_HI)] = 16 + t // STEP % 5
        rows[:, sid.register_of(voice, sid.CONTROL)] = sid.PULSE | gate
        rows[:, sid.first_control_of(voice)] = sid.PULSE | np.where(t % STEP == 0, 0, gate) if retriggers else (
            rows[:, sid.register_of(voice, sid.CONTROL)]
        )  # fmt: skip
    return rows


EVERYTHING = np.ones(sid.COLUMNS, np.bool_)


def attacks(rows: Frames) -> NDArray[np.int64]:
    """Return the frames in which the voice begins a note, after a first frame that counts as none."""
    gate, first = rows[:, CONTROL] & sid.GATE > 0, rows[:, FIRST] & sid.GATE > 0
    return np.flatnonzero(gate[1:] & ~(gate[:-1] & first[1:])) + 1


def perform(plan: Frames, change: Callable[[int, Row], None]) -> tuple[Frames, list[frozenset[int]]]:
    """Play guides as a network that makes of each what ``change(frame, row)`` does, unless columns are forced."""
    attendance, rows, bound = Attendance(), [plan[0]], []
    for frame in range(1, len(plan)):
        guide = plan[frame], EVERYTHING
        bound.append(attendance.bound(frame, guide, rows[-1]))
        row = plan[frame].copy()
        change(frame, row)
        if (forced := with_bound(None, guide, bound[-1], UNCONSTRAINED)) is not None:
            row[forced[1]] = forced[0][forced[1]]
        rows.append(row)
    return np.array(rows), bound


def deaf(frame: int, row: Row) -> None:
    row[[CONTROL, FIRST]] &= ~np.uint8(sid.GATE)


def held_open(frame: int, row: Row) -> None:
    row[FIRST] = row[CONTROL]


@pytest.mark.parametrize(("change", "retriggers"), [(deaf, False), (held_open, True)])
def test_a_voice_that_leaves_out_its_attacks_is_bound_to_the_plan(
    change: Callable[[int, Row], None], retriggers: bool
) -> None:
    """A closed voice that stays closed, and a gate that stays open where it should close and open within a frame."""
    plan = guides(1200, retriggers)
    planned, played = set(attacks(plan).tolist()), attacks(perform(plan, change)[0])
    answered = {frame for frame in planned if np.isin(frame + np.arange(-EARLY, LATE + 2), played).any()}
    assert len(planned - answered) <= 2 + len(planned) // MANY
    assert len(attacks(np.array([plan[0], *plan[1:] & ~np.uint8(sid.GATE)]))) == 0, "alone it would play none"


def test_a_voice_that_left_out_one_attack_is_soon_free_again() -> None:
    plan = guides(600)

    def once(frame: int, row: Row) -> None:
        if 3 * STEP <= frame < 4 * STEP:
            deaf(frame, row)

    rows, bound = perform(plan, once)
    held = [frame for frame, voices in enumerate(bound, 1) if voices]
    assert held[0] == 3 * STEP + LATE + 1, "at once, so that a long note is still heard"
    assert held[-1] <= (4 + FEW) * STEP and all(bound[frame - 1] == {VOICE} for frame in held)
    np.testing.assert_array_equal(rows[4 * STEP :], plan[4 * STEP :])


@pytest.mark.parametrize("late", range(-EARLY, LATE + 1))
def test_an_attack_a_little_early_or_late_is_no_attack_left_out(late: int) -> None:
    plan = guides(600)

    def shifted(frame: int, row: Row) -> None:
        other = plan[min(max(frame - late, 0), len(plan) - 1)]
        row[[CONTROL, FIRST]] = other[[CONTROL, FIRST]]

    assert not any(perform(plan, shifted)[1])


def test_a_voice_that_is_stuck_on_a_tone_is_bound_to_the_plan() -> None:
    plan, pitch = guides(1200), sid.register_of(VOICE, sid.FREQ_HI)

    def stuck(frame: int, row: Row) -> None:
        row[pitch] = plan[0, pitch]

    rows = perform(plan, stuck)[0]
    late = np.arange(TONE_AGE + 1, len(plan) - STEP, STEP)  # when each note has been compared, and mended
    wrong = rows[late, pitch] != plan[late, pitch]
    assert wrong.sum() <= 1 + len(late) // MANY
    assert (plan[late, pitch] != plan[0, pitch]).mean() > 0.7, "alone it would play no other tone"


def test_a_voice_that_plays_another_tone_of_its_own_is_free() -> None:
    plan, pitch = guides(600), sid.register_of(VOICE, sid.FREQ_HI)

    def other(frame: int, row: Row) -> None:
        row[pitch] += 5 + frame // STEP % 3

    assert not any(perform(plan, other)[1])


def test_what_a_voice_must_do_depends_on_the_guides_and_frames_before_alone() -> None:
    plan, chance = guides(400), random.Random(1)
    rows = plan.copy()
    rows[:, [CONTROL, FIRST]] &= np.array([chance.choice([255, 254]) for _ in rows], np.uint8)[:, None]
    straight, detours = Attendance(), Attendance()
    expected = {f: straight.bound(f, (plan[f], EVERYTHING), rows[f - 1]) for f in range(1, 400)}
    assert {len(voices) for voices in expected.values()} == {0, 1}
    frame = 1
    while frame < 400:
        assert detours.bound(frame, (plan[frame], EVERYTHING), rows[frame - 1]) == expected[frame]
        frame += 1
        if chance.random() < 0.05:  # another future, which is cut off
            for ahead in range(frame, frame + 30):
                detours.bound(ahead, (plan[ahead % 7], EVERYTHING), rows[chance.randrange(400)])
            frame = chance.randrange(max(1, frame - 60), frame + 1)
            detours.rewind(frame)
    assert detours.bound(900, (plan[0], EVERYTHING), rows[0]) == frozenset(), "after a gap nothing is known"


def test_what_the_performer_holds_or_forbids_outweighs_the_plan() -> None:
    guide = guides(1)[0], EVERYTHING
    own = sid.columns_of_voice(VOICE)
    held = np.zeros(sid.COLUMNS, np.uint8), np.isin(np.arange(sid.COLUMNS), own)
    bound = frozenset({VOICE})

    def forced(held: tuple[Row, NDArray[np.bool_]] | None, constraints: Constraints = UNCONSTRAINED) -> set[int]:
        return set(np.flatnonzero(with_bound(held, guide, bound, constraints)[1]).tolist())  # type: ignore[index]

    assert with_bound(held, guide, bound, UNCONSTRAINED)[0][own].max() == 0  # type: ignore[index]
    assert forced(None) == set(own)
    values = np.ones((sid.COLUMNS, 256), np.bool_)
    values[CONTROL, guide[0][CONTROL]] = False
    assert forced(None, constrain(values)) == set(), "a forbidden waveform"
    notes = np.ones(1 << 16, np.bool_)
    notes[16 << 8] = False
    pitch = {sid.register_of(VOICE, sid.FREQ_LO), sid.register_of(VOICE, sid.FREQ_HI)}
    assert forced(None, constrain(notes=notes)) == set(own) - pitch, "a pitch outside the scale"


# -- what the composer neglects


class Idle(FakeComposer):
    """A composer that leaves out a voice, and ties all notes of another one, unless it must not."""

    def write(
        self,
        sampling: NoteSampling,
        limits: NoteLimits = NoteLimits(),  # noqa: B008
        forced: NDArray[np.int16] | None = None,
        **more: object,
    ) -> NDArray[np.int16]:
        if forced is None:
            limits = replace(limits, silent_voices=limits.silent_voices | {2})
        event = super().write(sampling, limits, forced, **more)  # type: ignore[arg-type]
        if event[ev.VOICE] == 1 and (forced is None or forced[ev.KIND] < 0):
            self.rewind(1)
            event[ev.KIND] |= ev.TIES
            self.hear(event)
        return event


def planned(prompt: Frames, settings: PlanSettings, frames: int = 3000) -> NDArray[np.int64]:
    """Return voice and onset of the attacks that are planned for ``frames`` frames after the prompt."""
    composer = Idle()
    planner = Planner(composer, lambda count: prompt[-count:])
    planner.begin(prompt, 0)
    for frame in range(frames):
        planner.guide(frame, settings, prompt[-1])
    rows, now = [], -len(prompt)
    for event in composer.heard:
        now += event[ev.WAIT]
        if 0 <= now < frames and event[ev.VOICE] < ev.REST and not event[ev.KIND] & ev.TIES:
            rows.append((event[ev.VOICE], now))
    return np.array(rows)


def test_a_voice_that_the_composer_leaves_out_or_only_ties_still_has_attacks() -> None:
    prompt = load_fragment("gallop").frames[:1024]
    floors = Hearing(prompt).attack_floors
    kept, free = planned(prompt, KEPT), planned(prompt, replace(KEPT, keep_voices=False))
    for voice in (1, 2):
        floor = floors[voice]
        assert floor is not None and not (free[:, 0] == voice).any()
        mine = kept[kept[:, 0] == voice, 1]
        assert mine[0] <= floor.most + 2 * TEMPO, "not only when those of the prompt are long ago"
        for start in range(FLOOR_FRAMES, 3000 - FLOOR_FRAMES, 200):
            inside = ((mine >= start) & (mine < start + FLOOR_FRAMES)).sum()
            assert floor.fewest - 1 <= inside <= floor.fewest + 1, "a quarter of the prompt's, and no more"
    heard = Hearing(prompt).bank.score
    assert floors[1].fewest == FLOOR_SHARE * ((heard.voice == 1) & (heard.flags & 64 > 0)).sum()  # type: ignore[union-attr]


def test_a_composer_that_neglects_no_voice_writes_as_ever() -> None:
    prompt = load_fragment("gallop").frames[:1024]
    plans = []
    for settings in (KEPT, replace(KEPT, keep_voices=False)):
        planner = Planner(FakeComposer(), lambda count: prompt[-count:])
        planner.begin(prompt, 0)
        for frame in range(600):
            planner.guide(frame, settings, prompt[-1])
        plans.append(planner.coming(0))
    np.testing.assert_array_equal(*plans)


# -- prompts of few notes


def sparse(notes: int) -> Frames:
    """Return a prompt in which one voice plays a few notes, one after the other."""
    rows = sid.silence(1000)
    rows[:, sid.MODE_VOL] = 15
    for note in range(notes):
        rows[20 + 90 * note : 80 + 90 * note, sid.register_of(0, sid.CONTROL)] = sid.PULSE | sid.GATE
    rows[:, sid.register_of(0, sid.FREQ_HI)] = 20
    rows[:, sid.register_of(0, sid.SR)] = 0xF0
    rows[:, sid.FIRST_CONTROL] = rows[:, sid.register_of(0, sid.CONTROL)]
    return rows


def begun(prompt: Frames, settings: PlanSettings) -> Planner:
    planner = Planner(FakeComposer(), lambda count: prompt[-count:])
    planner.begin(prompt, 0)
    planner.guide(0, settings, prompt[-1])
    return planner


@pytest.mark.parametrize("notes", [1, 3])
def test_after_few_notes_the_model_goes_on_alone_and_the_performer_is_told(notes: int) -> None:
    prompt = sparse(notes)
    planner = begun(prompt, KEPT)
    assert not planner.composes
    count = "1 note" if notes == 1 else f"{notes} notes"
    assert planner.notices == [
        f"the prompt has {count}, too few to compose from: the model goes on without a plan until it has played more"
    ]
    guide = planner.guide(1, KEPT, prompt[-1])
    assert guide is None or not guide[1].any(), "nothing says that its last note should go on for ever"
    before = begun(prompt, replace(KEPT, keep_voices=False))
    guide = before.guide(1, replace(KEPT, keep_voices=False), prompt[-1])
    assert guide is not None and guide[1].any() and not before.notices


def test_a_composer_with_too_few_notes_listens_again_once_there_are_more() -> None:
    past = sparse(1)
    planner = Planner(FakeComposer(), lambda count: past[-count:])
    planner.begin(past, 0)
    planner.guide(0, KEPT, past[-1])
    past = sparse(10)
    for frame in range(1, LISTENING + 1):
        assert not planner.composes
        planner.guide(frame, KEPT, past[-1])
    assert planner.composes and len(planner.coming(LISTENING))
    assert len(planner.notices) == 1, "it is said once"


def test_code_still_plays_after_a_prompt_without_notes() -> None:
    part = CodePart(Pattern((PatternNote(0, 1, 60),), 4), 12.0, 0.0)
    planner = begun(sparse(1), replace(KEPT, parts=(part, None, None)))
    guide = planner.guide(1, replace(KEPT, parts=(part, None, None)), sparse(1)[-1])
    assert guide is not None and guide[1][sid.register_of(0, sid.CONTROL)]
    assert not guide[1][sid.register_of(1, sid.CONTROL)]
