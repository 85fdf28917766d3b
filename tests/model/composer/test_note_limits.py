"""Limits on the notes that a composer writes hold under all settings; where nothing is left, they give way in order."""

import numpy as np
import pytest
from composers import lively_composer, notes

from sidlive.chip.registers import VOICES
from sidlive.errors import ControlError, ModelError
from sidlive.model.composer import Composer, NoteLimits, NoteSampling
from sidlive.model.composer.choices import NO_LIMIT
from sidlive.model.composer.events import (
    CHORD,
    INSTRUMENT,
    INSTRUMENTS,
    LONGEST_WAIT,
    PITCH,
    REST,
    SIZES,
    UNTUNED,
    VOICE,
    WAIT,
    Events,
    onsets_of,
)

PROMPT = notes(150, 21)
HEARD = set(PROMPT[PROMPT[:, VOICE] < REST, INSTRUMENT].tolist())
DRUM = 4  # the label that `notes` makes untuned


@pytest.fixture(scope="module")
def engine() -> Composer:
    return Composer(lively_composer(), 256)


def written(
    engine: Composer, count: int, sampling: NoteSampling, limits: NoteLimits, prompt: Events = PROMPT
) -> Events:
    """Return the next ``count`` events after a prompt."""
    engine.reset()
    engine.prefill(prompt)
    return np.array([engine.write(sampling, limits) for _ in range(count)])


@pytest.mark.parametrize("temperature", [0.0, 1.0, 3.0])
def test_only_the_given_waits_are_chosen_unless_nothing_else_is_allowed(engine: Composer, temperature: float) -> None:
    engine.reset()
    engine.prefill(PROMPT)
    waits = np.zeros(LONGEST_WAIT + 1, np.bool_)
    waits[[0, 6, 7, 40]] = True
    for seed in range(100):
        sampling = NoteSampling(seed=seed, temperature=temperature)
        assert waits[engine.write(sampling, NoteLimits(longest_wait=60), waits=waits)[WAIT]]
    waits[:] = False
    waits[90] = True  # longer than the limit
    assert engine.write(NoteSampling(), NoteLimits(longest_wait=60), waits=waits)[WAIT] <= 60


def test_a_thousand_random_settings_are_obeyed(engine: Composer) -> None:
    rng, seen = np.random.default_rng(1), set()
    engine.reset()
    engine.prefill(PROMPT)
    for number in range(1000):
        low = rng.integers(0, 96, VOICES)
        limits = NoteLimits(
            lowest=tuple(low.tolist()),
            highest=tuple(np.minimum(low + rng.integers(11, 40, VOICES), UNTUNED - 1).tolist()),
            classes=tuple(int(rng.integers(1, 4096)) if rng.random() < 0.7 else None for _ in range(VOICES)),
            silent_voices=frozenset(v for v in range(VOICES) if rng.random() < 0.3),
            instruments=int(rng.integers(1, 8)),
            voice_instruments=tuple(
                frozenset({0, *rng.integers(0, 8, 3).tolist()}) if rng.random() < 0.5 else None for _ in range(VOICES)
            ),
        )
        sampling = NoteSampling(
            seed=number,
            temperature=float(rng.uniform(0, 3)),
            top_p=float(rng.uniform(0.3, 1)),
            top_k=int(rng.integers(0, 9)),
            vary=float(rng.uniform(0, 1)),
            follow=float(rng.uniform(-5, 5)),
            density=float(rng.uniform(0.25, 4)),
            leap=float(rng.uniform(0, 2)),
            same_pitch=float(rng.uniform(-5, 5)),
            clash=float(rng.uniform(-5, 5)),
        )
        engine.write(sampling, limits)
        before, event = engine.history(2)
        wait, voice, _, label, pitch = event[:5].tolist()
        assert (event >= 0).all() and (event < SIZES).all()
        assert (voice == REST) == (wait == LONGEST_WAIT)
        if voice == REST:
            assert not event[2:].any()
            continue
        assert voice not in limits.silent_voices
        assert wait > 0 or before[VOICE] == REST or voice > before[VOICE]
        allowed = limits.voice_instruments[voice]
        assert label in HEARD and label < limits.instruments and (allowed is None or label in allowed)
        assert (pitch == UNTUNED) == (label == DRUM)
        if pitch < UNTUNED:
            high = limits.highest[voice]
            own = limits.classes[voice]
            classes = 4095 if own is None else own
            fits = [p for p in range(limits.lowest[voice], high + 1) if classes >> p % 12 & 1]
            assert pitch in fits
        seen.add((voice, label))
    assert len(seen) > 8


def test_a_range_without_the_scale_grows_until_it_has_a_tone_of_it(engine: Composer) -> None:
    limits = NoteLimits(
        lowest=(50,) * VOICES, highest=(51,) * VOICES, classes=(1 << 5 | 1 << 6,) * VOICES
    )  # F and F sharp
    events = written(engine, 200, NoteSampling(seed=2, temperature=2.0, top_p=1.0), limits)
    assert set(events[(events[:, VOICE] < REST) & (events[:, PITCH] < UNTUNED), PITCH].tolist()) == {53}


def test_a_voice_without_heard_labels_takes_any_that_was_heard(engine: Composer) -> None:
    limits = NoteLimits(voice_instruments=(frozenset({20}), None, None), silent_voices=frozenset({1, 2}))
    events = written(engine, 100, NoteSampling(seed=3, temperature=2.0, top_p=1.0), limits)
    assert set(events[events[:, VOICE] < REST, INSTRUMENT].tolist()) == HEARD


def test_a_new_label_is_written_with_a_pitch_although_it_was_never_heard(engine: Composer) -> None:
    limits = NoteLimits(instruments=8, voice_instruments=(frozenset({20}), None, None), new_labels=frozenset({20}))
    events = written(engine, 200, NoteSampling(seed=3, temperature=2.0, top_p=1.0), limits)
    first = events[:, VOICE] == 0
    assert first.sum() > 20 and (events[first, INSTRUMENT] == 20).all() and (events[first, PITCH] < UNTUNED).all()
    others = events[(events[:, VOICE] > 0) & (events[:, VOICE] < REST), INSTRUMENT]
    assert set(others.tolist()) == HEARD, "the other voices take no new label"


def test_a_voice_repeats_a_tone_for_no_longer_than_its_limit(engine: Composer) -> None:
    longest = 60

    def repeated(limits: NoteLimits) -> int:
        """Return the most frames from the first to the last onset of one tone of voice 1, in any octave."""
        events = written(engine, 300, NoteSampling(seed=5, same_pitch=8.0), limits)
        begun, most, since, tone = onsets_of(events), 0, 0, (-1, -1)
        for frame, event in zip(begun.tolist(), events.tolist(), strict=True):
            if event[VOICE] == 0 and event[PITCH] < UNTUNED:
                if (event[PITCH] % 12, event[CHORD]) != tone:
                    since, tone = frame, (event[PITCH] % 12, event[CHORD])
                most = max(most, frame - since)
        return most

    assert repeated(NoteLimits()) > 4 * longest
    assert repeated(NoteLimits(longest_tones=(longest, NO_LIMIT, NO_LIMIT))) <= longest


def test_before_any_label_was_heard_the_whole_sound_bank_is_allowed(engine: Composer) -> None:
    labels = set()
    for seed in range(60):
        engine.reset()
        event = engine.write(NoteSampling(seed=seed, temperature=3.0, top_p=1.0), NoteLimits(instruments=3))
        labels |= {int(event[INSTRUMENT])} if event[VOICE] < REST else set()
    assert labels == {0, 1, 2}


def test_when_all_voices_are_silent_only_rests_are_written(engine: Composer) -> None:
    events = written(engine, 20, NoteSampling(seed=4), NoteLimits(silent_voices=frozenset(range(VOICES))))
    assert (events[:, VOICE] == REST).all() and (events[:, WAIT] == LONGEST_WAIT).all()


def test_an_instrument_is_untuned_or_pitched_only_as_it_was_heard(engine: Composer) -> None:
    both = PROMPT.copy()
    both[::2, PITCH] = np.where((both[::2, VOICE] < REST) & (both[::2, INSTRUMENT] == 1), UNTUNED, both[::2, PITCH])
    one_pitch = NoteLimits(lowest=(50,) * VOICES, highest=(50,) * VOICES)
    events = written(engine, 400, NoteSampling(seed=5, temperature=9.0, top_p=1.0), one_pitch, both)
    untuned = {
        label: (events[(events[:, VOICE] < REST) & (events[:, INSTRUMENT] == label), PITCH] == UNTUNED)
        for label in HEARD
    }
    assert untuned[DRUM].all() and not untuned[0].any()
    assert untuned[1].any() and not untuned[1].all()


def test_what_was_taken_back_is_no_longer_known(engine: Composer) -> None:
    engine.reset()
    engine.prefill(PROMPT)
    engine.hear(np.array([7, 0, 0, 9, 40, 0, 3], np.int16))
    limits = NoteLimits(voice_instruments=(frozenset({9}), frozenset({9}), frozenset({9})))
    wild = NoteSampling(seed=6, temperature=2.0, top_p=1.0)
    kept = engine.snapshot()
    first = [engine.write(wild, limits) for _ in range(30)]
    assert {int(event[INSTRUMENT]) for event in first if event[VOICE] < REST} == {9}
    engine.restore(kept)
    engine.rewind(1)
    second = [engine.write(wild, limits) for _ in range(30)]
    assert 9 not in {int(event[INSTRUMENT]) for event in second if event[VOICE] < REST}


def test_a_wait_is_at_least_as_long_as_asked(engine: Composer) -> None:
    engine.reset()
    engine.prefill(notes(60, seed=3))
    for number, least in enumerate((0, 1, 7, 40, LONGEST_WAIT)):
        event = engine.write(NoteSampling(seed=number, temperature=1.5), least_wait=least)
        assert event[WAIT] >= least and (event[VOICE] == REST) == (event[WAIT] == LONGEST_WAIT)
    with pytest.raises(ModelError, match="least_wait must be from 0 to 95"):
        engine.write(least_wait=96)


def test_density_asks_for_a_multiple_of_the_musics_own_notes(engine: Composer) -> None:
    def wait(**settings: float) -> float:
        sampling = NoteSampling(seed=7, temperature=1.0, top_p=1.0, **settings)
        return float(onsets_of(written(engine, 400, sampling, NoteLimits()))[-1]) / 400

    own = wait()
    assert 0.3 * own < wait(density=3.0, pace=own) < 0.85 * own
    assert 1.05 * own < wait(density=0.6, pace=own) < 2 * own
    assert wait(density=1.0, pace=99.0) == own


def test_leap_asks_for_small_or_large_intervals(engine: Composer) -> None:
    def small(leap: float) -> float:
        events = written(engine, 600, NoteSampling(seed=7, temperature=1.0, top_p=1.0, leap=leap), NoteLimits())
        voices = (events[(events[:, VOICE] == v) & (events[:, PITCH] < UNTUNED), PITCH] for v in range(VOICES))
        return float((np.abs(np.concatenate([np.diff(voice) for voice in voices])) <= 7).mean())

    assert small(0.0) > 1.2 * small(1.0) > 1.4 * small(2.0)


def test_a_tone_is_repeated_as_often_as_is_asked_for(engine: Composer) -> None:
    def repeated(same_pitch: float) -> float:
        sampling = NoteSampling(seed=7, temperature=1.0, top_p=1.0, same_pitch=same_pitch)
        events = written(engine, 600, sampling, NoteLimits())
        voices = (events[(events[:, VOICE] == v) & (events[:, PITCH] < UNTUNED), PITCH] for v in range(VOICES))
        return float((np.concatenate([np.diff(voice) for voice in voices]) == 0).mean())

    assert repeated(2.0) > 1.2 * repeated(0.0) > 1.4 * repeated(-2.0)


def test_tones_a_second_or_a_seventh_from_another_voice_are_as_rare_as_is_asked_for(engine: Composer) -> None:
    def clashing(clash: float) -> float:
        events = written(engine, 600, NoteSampling(seed=7, temperature=1.0, top_p=1.0, clash=clash), NoteLimits())
        last, found = [UNTUNED] * VOICES, []
        for voice, pitch in events[:, [VOICE, PITCH]].tolist():
            if voice == REST or pitch == UNTUNED:
                continue
            others = [abs(pitch - last[v]) % 12 for v in range(VOICES) if v != voice and last[v] < UNTUNED]
            found.append(any(min(between, 12 - between) in (1, 2) for between in others))
            last[voice] = pitch
        return float(np.mean(found))

    assert clashing(-2.0) > 1.2 * clashing(0.0) > 1.4 * clashing(2.0)


def test_following_more_takes_the_first_suggestion_more_often(engine: Composer) -> None:
    def followed(follow: float) -> int:
        engine.reset()
        engine.prefill(PROMPT)
        count = 0
        for _ in range(100):
            event = engine.write(NoteSampling(seed=8, temperature=1.0, top_p=1.0, follow=follow, rhythm_follow=follow))
            count += int(engine._scratch[1].next_events[0, WAIT] == event[WAIT])
        return count

    assert followed(12.0) > followed(0.0) >= followed(-12.0) and followed(12.0) > 90


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lowest": (0, 0)}, "lowest must have one entry for each of 3 voices"),
        ({"lowest": (50, 0, 0), "highest": (40, 107, 107)}, "pitches of voice 1 must be a range within 0 to 107"),
        ({"classes": (0, None, None)}, "classes must be masks"),
        ({"classes": (None, 4096, None)}, "classes must be masks"),
        ({"classes": (1,)}, "classes must have one entry for each of 3 voices"),
        ({"longest_tones": ()}, "longest_tones must have one entry for each of 3 voices"),
        ({"silent_voices": frozenset({3})}, "silent_voices must be among 0 to 2"),
        ({"instruments": 0}, "instruments must be at least 1"),
    ],
)
def test_limits_that_make_no_sense_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ControlError, match=message):
        NoteLimits(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "settings",
    [
        {"density": 0.2},
        {"density": 4.1},
        {"leap": 2.1},
        {"same_pitch": 21.0},
        {"clash": -21.0},
        {"vary": -0.1},
        {"near": 0},
        {"top_k": 1.5},
        {"seed": -1},
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ControlError, match=f"{next(iter(settings))} must be"):
        NoteSampling(**settings)  # type: ignore[arg-type]


assert {DRUM} < HEARD <= set(range(INSTRUMENTS))
