"""New sounds in a plan: voices get other instruments at section lines, always the same for the same seed."""

from dataclasses import replace

import numpy as np
import pytest
from fake_composer import FakeComposer

from sidlive.chip.registers import AD, SR, VOICES, Frames, register_of
from sidlive.model.composer import NoteSampling
from sidlive.model.composer.new_sounds import SECTION_BARS
from sidlive.model.composer.plan_settings import PlanSettings
from sidlive.model.composer.planner import Planner
from sidlive.tune.loading import load_fragment

BAR = 40.0
SECTION = round(SECTION_BARS * BAR)
ONSET, VOICE, PITCH, CHORD, INSTRUMENT, LENGTH, BY_CODE = range(7)
PLAIN = PlanSettings(sampling=NoteSampling(seed=5), bar_frames=BAR, beat_frames=BAR / 4)
NEW = replace(PLAIN, new_sounds=1.0)
FRAMES = 8 * SECTION
ENVELOPES = [[register_of(voice, AD), register_of(voice, SR)] for voice in range(VOICES)]


@pytest.fixture(scope="module")
def prompt() -> Frames:
    return load_fragment("gallop").frames[:640]


def planned(prompt: Frames) -> Planner:
    planner = Planner(FakeComposer(), lambda n: prompt[-n:])  # type: ignore[arg-type]
    planner.begin(prompt, 0)
    return planner


def played(planner: Planner, settings: PlanSettings, frames: range = range(FRAMES)) -> Frames:
    rows = []
    for frame in frames:
        guide = planner.guide(frame, settings, np.zeros(28, np.uint8))
        assert guide is not None
        rows.append(guide[0].copy())
    return np.array(rows)


def notes(prompt: Frames, settings: PlanSettings) -> np.ndarray:
    """Return the notes of FRAMES frames, as `Planner.coming` has them when they are written."""
    planner, rows = planned(prompt), {}
    for frame in range(0, FRAMES, 100):
        played(planner, settings, range(frame, frame + 100))
        rows |= {(row[ONSET], row[VOICE]): row for row in planner.coming(frame + 99).tolist()}
    return np.array([rows[place] for place in sorted(rows)])


def test_new_sounds_enter_at_section_lines_and_the_notes_stay(prompt: Frames) -> None:
    plain, new = notes(prompt, PLAIN), notes(prompt, NEW)
    assert (plain[:, [ONSET, VOICE, PITCH, LENGTH]] == new[:, [ONSET, VOICE, PITCH, LENGTH]]).all()
    known = plain[:, INSTRUMENT].max() + 1
    assert (plain[:, INSTRUMENT] < 4).all() and (new[:, INSTRUMENT] >= known).any()
    other = plain[:, INSTRUMENT] != new[:, INSTRUMENT]
    assert not other[new[:, ONSET] < SECTION].any(), "the plan begins with the sounds of the prompt"
    for voice in range(VOICES):
        for section in range(1, FRAMES // SECTION):
            here = (new[:, VOICE] == voice) & (new[:, ONSET] // SECTION == section)
            pairs = {
                (a, b) for a, b in zip(plain[here, INSTRUMENT].tolist(), new[here, INSTRUMENT].tolist(), strict=True)
            }
            assert len(pairs) == len({a for a, _ in pairs}), "an instrument has one sound in a voice's section"


def test_new_sounds_are_heard_in_envelopes_that_the_prompt_lacks(prompt: Frames) -> None:
    envelopes = {tuple(row) for own in ENVELOPES for row in prompt[:, own].tolist()}
    plain, new = (played(planned(prompt), settings) for settings in (PLAIN, NEW))
    assert {tuple(row) for own in ENVELOPES for row in plain[SECTION:, own].tolist()} <= envelopes
    assert {tuple(row) for own in ENVELOPES for row in new[SECTION:, own].tolist()} - envelopes


def test_more_new_sounds_enter_the_higher_the_control(prompt: Frames) -> None:
    shares = []
    for amount in (0.0, 0.3, 1.0):
        other = 0
        for seed in range(6):
            settings = replace(PLAIN, sampling=NoteSampling(seed=seed))
            plain, new = notes(prompt, settings), notes(prompt, replace(settings, new_sounds=amount))
            other += int((plain[:, INSTRUMENT] != new[:, INSTRUMENT]).sum())
        shares.append(other)
    assert shares[0] == 0 < shares[1] < shares[2]


def test_a_rewound_plan_has_the_same_sounds(prompt: Frames) -> None:
    planner = planned(prompt)
    once = played(planner, NEW)
    planner.rewind(FRAMES - 3 * SECTION)
    assert (played(planner, NEW, range(FRAMES - 3 * SECTION, FRAMES)) == once[-3 * SECTION :]).all()
    assert (played(planned(prompt), NEW) == once).all()
    other = replace(NEW, sampling=NoteSampling(seed=5, lane=1))
    assert (played(planned(prompt), other) != once).any()


def test_another_prompt_has_other_new_sounds() -> None:
    """With the same seed; gallop and strut both have four instruments."""
    sounds = []
    for name in ("gallop", "strut"):
        heard = load_fragment(name).frames[:640]
        known = {tuple(row) for own in ENVELOPES for row in heard[:, own].tolist()}
        rows = played(planned(heard), NEW)
        sounds.append({tuple(row) for own in ENVELOPES for row in rows[SECTION:, own].tolist()} - known)
    assert all(sounds) and not sounds[0] & sounds[1]
