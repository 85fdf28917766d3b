"""Constraints: forbidden values never appear; a scale restricts where notes begin and leap, not how they move."""

from dataclasses import replace

import numpy as np
import pytest
from engines import SMALL, WARM, lively, tune

from sidlive.chip import registers as sid
from sidlive.errors import ControlError
from sidlive.model import tokens as tk
from sidlive.model.engine import (
    HEATS,
    UNCONSTRAINED,
    Constraints,
    Engine,
    Sampling,
    constrain,
    permitted_values,
    widest_steps,
)
from sidlive.model.tokens import COLUMN_OF_SLOT, KIND_OF_SLOT

HOT = Sampling(temperature=3.0, seed=5)


@pytest.fixture
def engine() -> Engine:
    engine = Engine(lively(), context=SMALL.context)
    engine.prefill(tune(40))
    return engine


def without(column: int, forbidden: object) -> np.ndarray:
    """Permit all values except ``forbidden`` in one column."""
    table = np.ones((sid.COLUMNS, 256), dtype=np.bool_)
    table[column, forbidden] = False  # type: ignore[index]
    return table


def stream(engine: Engine, count: int, sampling: Sampling, constraints: Constraints = UNCONSTRAINED) -> sid.Frames:
    return np.stack([engine.step(sampling, constraints=constraints) for _ in range(count)])


@pytest.mark.parametrize("column", [0, 1, 2, 3, 4, 5, 6, 21, 22, 23, 24, 25])
def test_a_forbidden_value_never_appears(engine: Engine, column: int) -> None:
    """Neither as a byte nor through a motion: half of all values are forbidden, the last frame's value among them."""
    last = int(engine.history(1)[0, column])
    forbidden = (np.arange(256) ^ last) & 1 == 0
    kept = engine.snapshot()
    free = stream(engine, 60, HOT)
    assert forbidden[free[:, column]].any(), "or else the test proves nothing"
    engine.restore(kept)
    bound = stream(engine, 60, HOT, constrain(without(column, forbidden)))
    assert not forbidden[bound[:, column]].any()
    assert len(np.unique(bound[:, column])) > 1


def test_forbidding_values_that_do_not_occur_changes_nothing(engine: Engine) -> None:
    kept = engine.snapshot()
    free = stream(engine, 40, WARM)
    engine.restore(kept)
    unused = np.setdiff1d(np.arange(256), free[:, 24])
    forbidding = constrain(without(24, unused))
    assert forbidding.active
    # Only without top_p: the share would be of the permitted tokens, so other tokens could pass.
    np.testing.assert_array_equal(stream(engine, 40, WARM, forbidding), free)


def test_the_only_value_left_is_generated(engine: Engine) -> None:
    frames = stream(engine, 20, WARM, constrain(without(23, np.arange(256) != 0x50)))
    assert (frames[:, 23] == 0x50).all()


def test_forced_columns_ignore_constraints(engine: Engine) -> None:
    frame = tune(1, seed=8)[0]
    all_other_values = np.ones((sid.COLUMNS, 256), dtype=np.bool_)
    all_other_values[np.arange(sid.COLUMNS), frame] = False
    np.testing.assert_array_equal(engine.step(WARM, forced=frame, constraints=constrain(all_other_values)), frame)


def test_a_column_with_no_value_left_is_refused() -> None:
    with pytest.raises(ControlError, match="no value would be left for res_route: forbid fewer"):
        constrain(without(23, slice(None)))
    with pytest.raises(ControlError, match="no value would be left for pw_hi of voice 1"):
        constrain(without(3, slice(0, 16)))  # its upper bits do not exist
    notes = np.zeros(65536, dtype=np.bool_)
    notes[[0x1234, 0x2234]] = True
    constrain(without(8, 0x12), notes)
    with pytest.raises(ControlError, match="no note of the scale is left for voice 2"):
        constrain(without(7, 0x34), notes)


def swept(step: int, rest: int = 0, frames: int = 48, column: int = sid.PW_LO, bits: int = 8) -> sid.Frames:
    """Return music with one sweep, up and down by ``step`` between 0 and 15 steps, with ``rest`` frames after each."""
    level = np.abs((np.arange(frames) // (1 + rest) + 15) % 30 - 15) * step
    rows = sid.silence(frames)
    rows[:, column], rows[:, column + 1] = level & ((1 << bits) - 1), level >> bits
    return rows


@pytest.mark.parametrize("rest", [0, 1, 2])
def test_the_widest_steps_are_those_that_sweeps_repeat(rest: int) -> None:
    """A sweep that rests for a frame or two in between repeats its steps by STEP2 and STEP3."""
    assert widest_steps(swept(100, rest))[tk.PW_HI] == 100
    assert widest_steps(swept(90, rest, column=sid.CUTOFF_LO, bits=3))[tk.CUTOFF_HI] == 90
    jumps = np.repeat(sid.silence(4), 6, axis=0)
    jumps[:, sid.PW_HI] = np.repeat([0, 9, 2, 14], 6)
    assert widest_steps(jumps)[tk.PW_HI] == 64, "a jump that is not repeated is no sweep"
    assert widest_steps(swept(100, rest, column=sid.FREQ_LO))[tk.FREQ_HI] == (64 if rest else 100)
    assert widest_steps(jumps)[tk.FREQ_HI] == 64


@pytest.mark.parametrize("rest", [0, 1, 2])
def test_a_jump_of_the_pulse_width_does_not_become_a_sweep(engine: Engine, rest: int) -> None:
    guide = swept(0x210, rest)
    mask = np.zeros(sid.COLUMNS, dtype=np.bool_)
    mask[[sid.PW_LO, sid.PW_HI]] = True

    def repeated(constraints: Constraints) -> int:
        """Return how often a step of more than 100 was repeated."""
        engine.reset()
        engine.prefill(swept(100))
        asked = replace(WARM, obey=20.0)
        made = [engine.step(asked, constraints=constraints, guide=row, guide_mask=mask) for row in guide]
        frames = np.concatenate([swept(100), made])
        motions = tk.encode(frames)[48:, tk.PW_HI]
        level = tk.pair_values(frames)[:, 1]
        steps = (np.diff(level)[47:] + 2048) % 4096 - 2048
        return int((np.isin(motions, (tk.RAMP, tk.STEP2, tk.STEP3)) & (np.abs(steps) > 100)).sum())

    assert repeated(UNCONSTRAINED) > 10
    assert repeated(constrain(widest=widest_steps(swept(0x210, rest)))) > 10
    assert repeated(constrain(widest=widest_steps(swept(100)))) < 3, "only bytes may happen to repeat one"


def test_a_leap_does_not_become_a_slide_unless_the_guide_slides(engine: Engine) -> None:
    heard, slide = swept(100, column=sid.FREQ_LO), swept(0x300, column=sid.FREQ_LO)
    leaps = slide[[0, 8] * 24]
    mask = np.zeros(sid.COLUMNS, dtype=np.bool_)
    mask[[sid.FREQ_LO, sid.FREQ_HI]] = True

    def slides(guide: sid.Frames, mask: np.ndarray, heat: float) -> int:
        """Return how often a step of more than 100 was repeated by RAMP."""
        engine.reset()
        engine.prefill(np.concatenate([heard, leaps]))
        asked, kept = replace(WARM, obey=20.0, temperature=heat), constrain(widest=widest_steps(heard))
        made = [engine.step(asked, constraints=kept, guide=row, guide_mask=mask) for row in guide]
        frames = np.concatenate([leaps, made])
        steps = np.abs((np.diff(tk.pair_values(frames)[:, 0])[47:] + 32768) % 65536 - 32768)
        return int(((tk.encode(frames)[48:, tk.FREQ_HI] == tk.RAMP) & (steps > 100)).sum())

    assert slides(slide, mask, 1.0) > 30
    assert slides(slide, np.zeros_like(mask), 5.0) == 0


def test_a_sweep_that_stood_still_is_taken_up_again(engine: Engine) -> None:
    """Recall suggests to repeat the last step, as the prompt did; after a halt there is none to repeat."""
    heard = swept(20, frames=600)

    def goes_on(constraints: Constraints) -> np.ndarray:
        """Return the pulse width's steps after a halt of three frames."""
        engine.reset()
        engine.prefill(np.concatenate([heard, heard[-1:], heard[-1:], heard[-1:]]))
        asked = replace(WARM, follow=20.0, temperature=0.0, vary=1.0, near=60)
        made = np.stack([engine.step(asked, constraints=constraints) for _ in range(40)])
        return np.diff(tk.pair_values(np.concatenate([heard[-1:], made]))[:, 1])

    assert (goes_on(UNCONSTRAINED) == 0).mean() > 0.9
    steps = goes_on(constrain(widest=widest_steps(heard)))
    assert (np.minimum(steps % 4096, -steps % 4096) == 20).all()


TONE, GATED, NOISY = 0x40, 0x41, 0x81


def table(*notes: int) -> np.ndarray:
    permitted = np.zeros(65536, dtype=np.bool_)
    permitted[list(notes)] = True
    return permitted


NOTES = table(*(round(278.4 * 2 ** (step / 12)) for step in range(0, 95, 5)))


def frequencies(frames: sid.Frames) -> np.ndarray:
    return frames[:, [1, 8, 15]].astype(int) << 8 | frames[:, [0, 7, 14]]


def test_notes_begin_and_leap_on_the_scale(engine: Engine) -> None:
    """Check each frame of a wild stream by the rule in the documentation, written a second time here."""
    kept = engine.snapshot()
    violations = {}
    for name, constraints in (("free", UNCONSTRAINED), ("bound", constrain(notes=NOTES))):
        engine.restore(kept)
        past = engine.history(2)
        frames = np.concatenate([past, stream(engine, 300, HOT, constraints)])
        violations[name] = count_violations(frames)
    assert violations["free"] > 50 and violations["bound"] == 0


def count_violations(frames: sid.Frames) -> int:
    """Count the tones that break the rule of the scale, from the third frame on."""
    wrong = 0
    pitch = frequencies(frames)
    for t in range(2, len(frames)):
        for voice in range(3):
            now, before = int(frames[t, 7 * voice + 4]), int(frames[t - 1, 7 * voice + 4])
            one, two, three = (int(pitch[t - ago, voice]) for ago in range(3))
            if not is_tonal(now) or NOTES[one]:
                continue
            opened = now & 1 and not (before & 1 and frames[t, 25 + voice] & 1)
            slides = one - two == two - three and two > 0 and one > 0 and abs(1200 * np.log2(one / two)) < 205
            far = one == 0 or two == 0 or abs(1200 * np.log2(one / two)) > 85
            wrong += bool(opened or not is_tonal(before) or (far and not slides))
    return wrong


def is_tonal(control: int) -> bool:
    """Return whether there is a waveform without noise and test bit."""
    return bool(control & 0x70) and not control & 0x88


def hear_voice(engine: Engine, *rows: tuple[int, int, int]) -> Engine:
    """Prefill frames with these values (frequency, control, first control) of voice 1, all else as before."""
    for frequency, control, first in rows:
        frame = engine.history(1)[0]
        frame[[0, 1, 4, 25]] = frequency & 255, frequency >> 8, control, first
        engine.prefill(frame[None])
    return engine


def generated_frequency(
    engine: Engine, control: int, first: int, notes: np.ndarray, sampling: Sampling, permitted: np.ndarray | None = None
) -> int:
    """Generate a frame with a forced control of voice 1; return the voice's frequency."""
    values, mask = np.zeros(sid.COLUMNS, dtype=np.uint8), np.zeros(sid.COLUMNS, dtype=np.bool_)
    values[[4, 25]], mask[[4, 25]] = (control, first), True
    return int(frequencies(engine.step(sampling, values, mask, constrain(permitted, notes))[None])[0, 0])


SEEDS = range(40)


@pytest.mark.parametrize(
    ("before", "control", "first", "bound"),
    [
        ((0x1000, GATED, GATED), GATED, TONE, True),  # a gate that opened within the frame
        ((0x1000, TONE, TONE), GATED, GATED, True),  # a gate that opens
        ((0x1000, NOISY, NOISY), GATED, GATED, True),  # noise, then a tone
        ((0x1000, GATED, GATED), NOISY, NOISY, False),  # a drum
        ((0x1000, TONE, TONE), 0x01, 0x01, False),  # no waveform
        ((0x1000, GATED, GATED), 0x49, 0x49, False),  # the test bit
    ],
)
def test_a_note_must_be_on_the_scale_and_noise_need_not(
    engine: Engine, before: tuple[int, int, int], control: int, first: int, bound: bool
) -> None:
    notes = table(0x1111, 0x2222)
    hear_voice(engine, before, before)
    heard = engine.snapshot()
    found = set()
    for seed in SEEDS:
        engine.restore(heard)
        found.add(generated_frequency(engine, control, first, notes, replace(HOT, seed=seed)))
    assert (found <= {0x1111, 0x2222}) == bound
    assert len(found) > (1 if bound else 5)


@pytest.mark.parametrize(
    ("heard", "his", "los", "expected"),
    [
        ((0x1000, 0x1010), (0x10, 0x44), (0x10, 0x44), {0x1010, 0x1044, 0x4444}),  # held, or bent a little
        ((0x1000, 0x1010), (0x10, 0x44), (0x00, 0x44), {0x1000, 0x1044, 0x4444}),  # vibrato
        ((0x1000, 0x1180), (0x13, 0x44), (0x00, 0x44), {0x1300, 0x4444}),  # a slide goes on by the same step
        ((0x1000, 0x2000), (0x30, 0x44), (0x00, 0x44), {0x4444}),  # too large a step for a slide
        ((0x3000, 0x1000), (0x30, 0x44), (0x00, 0x44), {0x4444}),  # an arpeggio leaps back
    ],
)
def test_a_tone_may_stay_slide_or_bend_but_leaps_only_to_the_scale(
    engine: Engine, heard: tuple[int, int], his: tuple[int, int], los: tuple[int, int], expected: set[int]
) -> None:
    """Permit two high and two low bytes, and collect the frequencies that 100 seeds generate."""
    hear_voice(engine, *((frequency, GATED, GATED) for frequency in heard))
    permitted = without(1, ~np.isin(np.arange(256), his)) & without(0, ~np.isin(np.arange(256), los))
    kept = engine.snapshot()
    found = set()
    for seed in range(100):
        engine.restore(kept)
        found.add(generated_frequency(engine, GATED, GATED, table(0x4444), replace(HOT, seed=seed), permitted))
    assert found == expected


def test_a_voice_that_stays_in_the_scale_is_kept(engine: Engine) -> None:
    """With every frequency in the scale the stream is the same as without a scale."""
    kept = engine.snapshot()
    free = stream(engine, 60, WARM)
    engine.restore(kept)
    np.testing.assert_array_equal(stream(engine, 60, WARM, constrain(notes=np.ones(65536, dtype=np.bool_))), free)


def test_only_the_voice_that_left_the_scale_is_generated_again(engine: Engine) -> None:
    kept = engine.snapshot()
    later_voices = 0  # frames in which voice 2 or 3 was the first to leave the scale
    for seed in SEEDS:
        engine.restore(kept)
        free = engine.step(replace(HOT, seed=seed))
        engine.restore(kept)
        bound = engine.step(replace(HOT, seed=seed), constraints=constrain(notes=NOTES))
        moved = np.flatnonzero((frequencies(free[None]) != frequencies(bound[None]))[0])
        if len(moved):
            slots = COLUMN_OF_SLOT[: 8 * moved[0]]
            np.testing.assert_array_equal(free[slots], bound[slots])
            later_voices += moved[0] > 0
    assert later_voices > 5


def test_a_scale_is_bit_exact_under_rewind(engine: Engine) -> None:
    constraints = constrain(notes=NOTES)
    first = stream(engine, 30, HOT, constraints)
    engine.rewind(30)
    np.testing.assert_array_equal(stream(engine, 30, HOT, constraints), first)


@pytest.mark.parametrize("heat", list(HEATS))
def test_a_heat_of_zero_takes_the_most_probable_token_of_its_kinds_only(engine: Engine, heat: str) -> None:
    """Tokens of these kinds are the argmax, whatever the seed; those of the other kinds are not always."""
    cold = replace(HOT, **{heat: 0.0})
    kinds = np.isin(KIND_OF_SLOT, HEATS[heat])
    not_likeliest = {True: 0, False: 0}
    for _ in range(40):
        engine.step(cold)
        logits, tokens = engine.last_logits(), engine.last_tokens
        for slot in np.flatnonzero(tokens < tk.VOCABULARY):
            greedy = logits[slot, tokens[slot]] == logits[slot].max()
            assert greedy or not kinds[slot]
            not_likeliest[bool(kinds[slot])] += not greedy
    assert not_likeliest[False] > 100


def test_the_heats_are_factors_on_the_temperature() -> None:
    plain = Sampling(temperature=0.8).temperatures
    np.testing.assert_array_equal(plain, np.full(12, 0.8))
    warm = Sampling(temperature=0.8, pitch_heat=1.5, filter_heat=0.5).temperatures
    np.testing.assert_allclose(warm / plain, [1.5] * 2 + [1.0] * 6 + [0.5] * 4)


def test_without_the_filter_voice_3_is_not_off() -> None:
    """A tune may play voice 3 through the filter only; with the filter out of use, nobody would hear it again."""
    heard = tune(40)
    heard[-10:, sid.RES_ROUTE] |= 4
    heard[-10:, sid.MODE_VOL] = 0x9F
    engine = Engine(lively(), context=SMALL.context)
    engine.prefill(heard)
    frames = stream(engine, 30, HOT, constrain(permitted_values({}, filtered=False)))
    assert not (frames[:, sid.RES_ROUTE] & 0x0F).any() and not (frames[:, sid.MODE_VOL] & 0x80).any()
