"""New sounds in a plan: voices get other instruments at section lines, always the same for the same seed."""

from dataclasses import replace

import numpy as np
import pytest
from fake_composer import FakeComposer

from sidlive.chip.registers import (
    AD,
    CONTROL,
    FREQ_HI,
    GATE,
    NOISE,
    SAW,
    SR,
    VOICES,
    Frames,
    first_control_of,
    register_of,
    silence,
)
from sidlive.model.composer import NoteSampling
from sidlive.model.composer.events import INSTRUMENT as INSTRUMENT_FIELD
from sidlive.model.composer.events import TIES
from sidlive.model.composer.hearing import Hearing
from sidlive.model.composer.new_sounds import SECTION_BARS, new_parts
from sidlive.model.composer.plan_settings import PlanSettings
from sidlive.model.composer.planner import Planner
from sidlive.model.composer.sheet import SheetNote
from sidlive.tune.loading import load_fragment
from sidlive.tune.score.notes import ATTACK

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


def written(prompt: Frames, settings: PlanSettings, kind: int = 0) -> list[SheetNote]:
    """Return the notes that the composer wrote for FRAMES frames, as they stand on the sheet, in order."""
    planner = Planner(FakeComposer(kind=kind), lambda n: prompt[-n:])
    planner.begin(prompt, 0)
    played(planner, settings)
    notes = [note for note in planner._chapters[-1].sheet.backwards() if note.event and note.voice < VOICES]
    return notes[::-1]


def seeds(count: int) -> list[PlanSettings]:
    return [replace(NEW, sampling=NoteSampling(seed=seed)) for seed in range(count)]


def test_sounds_and_parts_change_at_section_lines_only(prompt: Frames) -> None:
    heard, new_labels, new_sounds = Hearing(prompt), 0, 0
    known = heard.instruments
    drums = {number for number in range(known) if heard.is_drum(number)}
    for settings in seeds(6):
        sections: dict[tuple[int, int], dict[int, int]] = {}
        for note in written(prompt, settings):
            label = note.event[INSTRUMENT_FIELD]
            sounds = sections.setdefault((note.voice, note.frame // SECTION), {})
            assert sounds.setdefault(label, note.instrument) == note.instrument, "one sound in a voice's section"
        for (_, section), sounds in sections.items():
            assert len({label >= known for label in sounds if label not in drums}) <= 1, "a new part, or none"
            assert section or all(label == sound for label, sound in sounds.items()), "at first the prompt's sounds"
            new_labels += max(sounds) >= known
            new_sounds += any(label < known and label != sound for label, sound in sounds.items())
        labels = {label for sounds in sections.values() for label in sounds if label >= known}
        assert all(label < known + 2 * VOICES for label in labels)
    assert new_labels > 6 and new_sounds > 6


def test_voices_change_together(prompt: Frames) -> None:
    heard, together, alone = Hearing(prompt), 0, 0
    for settings in seeds(60):
        for section in range(8):
            parts = new_parts(heard, settings, 0, section * SECTION)
            together += sum(part is not None for part in parts) > 1
            alone += sum(part is not None for part in parts) == 1
    assert together and alone and together > alone / 3, "independent voices would seldom have new parts at once"


def test_a_new_part_has_one_pitched_instrument_and_begins_with_an_attack(prompt: Frames) -> None:
    heard = Hearing(prompt)
    entered = 0
    for settings in seeds(6):
        before: dict[int, int] = {}
        for note in written(prompt, settings, TIES):
            label = note.event[INSTRUMENT_FIELD]
            if label >= heard.instruments:
                base = note.instrument % heard.instruments
                assert note.instrument >= heard.instruments and not heard.is_drum(base)
            new = [
                one if one is not None and one >= heard.instruments else None for one in (label, before.get(note.voice))
            ]
            if new[0] != new[1]:
                entered += 1
                assert note.flags & ATTACK, "a tie would go on with the sound of the part before"
            before[note.voice] = label
    assert entered > 6


def beaten(every: int) -> Hearing:
    """Return the hearing of three voices of which the third plays a drum in one of ``every`` notes."""
    frames, t = silence(640), np.arange(640)
    for voice in range(VOICES):
        drum = (voice == 2) & (t // 16 % every == 0)
        control = np.where(drum, NOISE, SAW) | np.where(t % 16 < 8, GATE, 0)
        frames[:, register_of(voice, CONTROL)] = frames[:, first_control_of(voice)] = control
        frames[:, register_of(voice, FREQ_HI)] = np.where(drum, 60, 20 + 5 * voice + t // 16 % 3)
        frames[:, register_of(voice, SR)] = 0xF0
    return Hearing(frames)


def test_a_voice_of_drums_gets_no_new_part() -> None:
    heard = beaten(1)
    assert heard.drums_mostly(2) and not heard.drums_mostly(0)
    parts = [new_parts(heard, settings, 0, section * SECTION) for settings in seeds(20) for section in range(8)]
    assert any(one[0] for one in parts) and not any(one[2] for one in parts)


def test_a_voice_keeps_its_drums_beside_a_new_part() -> None:
    heard = beaten(3)
    drums = {number for number in range(heard.instruments) if heard.is_drum(number)}
    both = 0
    for settings in seeds(12):
        sections: dict[int, set[int]] = {}
        for note in written(heard.bank.frames, settings):
            if note.voice == 2:
                sections.setdefault(note.frame // SECTION, set()).add(note.event[INSTRUMENT_FIELD])
        for labels in sections.values():
            if max(labels) >= heard.instruments:
                assert len(labels - drums) == 1, "all but the drums are of the part"
                both += bool(labels & drums)
    assert len(drums) == 1 and both > 6


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
