"""The composer's engine equals the network in torch, forgets without a trace, and runs for hours."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from composers import SMALL_COMPOSER, annotated, lively_composer, notes, torch_composer, torch_note_logits
from engines import divergence_of
from every_set import printed_on_every_set

from sidlive.chip.registers import VOICES
from sidlive.errors import ModelError
from sidlive.model.composer import Composer, NoteSampling, load_composer
from sidlive.model.composer import memory as mm
from sidlive.model.composer.events import FIELDS, KIND, REST, SIZES, VOICE, WAIT, Events, onsets_of
from sidlive.model.weights import save_weights

# Nats an event that rounding to bytes may cost small networks of random weights. The arithmetic itself is held to every
# bit by the tests of the engine, which has the same kernels.
CLOSE = 0.03
WILD = NoteSampling(seed=5, temperature=1.2, top_p=1.0)


def composer(headroom: int = 40) -> Composer:
    return Composer(lively_composer(), headroom)


def after(events: Events, headroom: int = 40) -> Composer:
    """Return a composer that heard ``events`` in one go."""
    made = composer(headroom)
    made.prefill(events)
    return made


def told_now(engine: Composer, event: np.ndarray) -> list[np.ndarray]:
    """Let the engine write ``event``; return its annotations: suggestions, strengths and lags."""
    engine.write(forced=event)
    scratch = engine._scratch[1]
    found = [scratch.next_events, scratch.next_strengths, scratch.next_lags]
    if event[VOICE] < REST:
        found += [scratch.context, scratch.motifs, scratch.motif_strengths, scratch.motif_lags]
    return [part.copy() for part in found]


def told_at(annotations: mm.Annotations, k: int, event: np.ndarray) -> list[np.ndarray]:
    """Return the same from `memory.annotate`, which remembers everything."""
    found = [annotations.next_events[k], annotations.next_strengths[k], annotations.next_lags[k]]
    if event[VOICE] < REST:
        parts = annotations.contexts, annotations.motifs, annotations.motif_strengths, annotations.motif_lags
        found += [part[k] for part in parts]
    return found


def test_weighing_is_the_networks_cross_entropy_after_the_rings_wrapped() -> None:
    weights, events = lively_composer(), notes(300, 1)
    with torch.no_grad():
        nats = torch_composer(weights).nats(annotated(events)).numpy()
    engine = after(events[:1])
    costs = engine.weigh(events[1:])
    assert len(events) > SMALL_COMPOSER.context + engine.headroom
    assert abs((costs - nats).sum(axis=1).mean()) < CLOSE and np.abs(costs - nats).mean() < 0.1
    assert nats[:, :KIND].mean() > 1 and (costs[events[1:, VOICE] == REST, KIND:] == 0).all()


@pytest.mark.parametrize(("vary", "near"), [(0.0, 400), (0.5, 200), (1.0, 100)])
def test_the_logits_are_the_networks_wherever_suggestions_come_from(vary: float, near: int) -> None:
    weights, sampling = lively_composer(), NoteSampling(seed=2, vary=vary, near=near)
    engine, found = after(notes(200, 2)), []
    for _ in range(60):
        engine.write(sampling)
        found.append(engine.last_logits())
    events = np.concatenate([notes(200, 2), engine.history(60)])
    exact = torch_note_logits(torch_composer(weights), events, near if vary else 0, 1 - vary)
    apart = 0.0
    for k in range(60):
        for field in range(FIELDS if events[200 + k, VOICE] < REST else KIND):
            apart += divergence_of(found[k][field], exact[field][199 + k])
    assert apart / 60 < CLOSE
    for field in range(FIELDS):
        assert exact[field].std() > 1


def test_prefill_in_any_portions_and_writing_leave_the_same_state() -> None:
    events = notes(150, 3)
    whole, one_by_one, weighed, written = after(events), composer(), composer(), composer()
    for event in events:
        one_by_one.hear(event)
        written.write(forced=event)
    weighed.weigh(events)
    in_portions = composer()
    for start in range(0, 150, 7):
        in_portions.prefill(events[start : start + 7])
    for other in (one_by_one, in_portions, weighed, written):
        assert (other.position, other.now) == (150, int(onsets_of(events)[-1]))
        for mine, theirs in zip(whole.snapshot().state[:-3], other.snapshot().state[:-3], strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_rewinding_forgets_without_a_trace() -> None:
    events = notes(200, 4)
    for n in (0, 1, 7, 16, 33, 40):
        engine, fresh = after(events), after(events[: 200 - n])
        engine.rewind(n)
        assert (engine.position, engine.now) == (fresh.position, fresh.now)
        for _ in range(50):
            np.testing.assert_array_equal(engine.write(WILD), fresh.write(WILD))
            for mine, theirs in zip(engine.last_logits(), fresh.last_logits(), strict=True):
                np.testing.assert_array_equal(mine, theirs)


def test_rewinding_to_the_beginning_is_a_new_composer() -> None:
    engine, fresh = after(notes(30, 5)), composer()
    engine.rewind(30)
    assert engine.position == engine.now == 0 and len(engine.history(9)) == 0
    for _ in range(30):
        np.testing.assert_array_equal(engine.write(WILD), fresh.write(WILD))


def test_only_the_headroom_can_be_taken_back() -> None:
    engine = after(notes(300, 6))
    assert engine.memory == 40
    with pytest.raises(ModelError, match="cannot rewind 41 events: the composer can take back 40 of 300"):
        engine.rewind(41)
    engine.rewind(30)
    assert engine.memory == 10
    engine.prefill(notes(5, 7))
    assert engine.memory == 15


def test_a_snapshot_restores_to_the_bit_and_is_a_copy() -> None:
    engine = after(notes(100, 8))
    kept = engine.snapshot()
    first = [engine.write(WILD) for _ in range(60)]
    engine.restore(kept)
    assert engine.position == 100
    np.testing.assert_array_equal([engine.write(WILD) for _ in range(60)], first)
    other = composer()
    other.restore(kept)
    np.testing.assert_array_equal([other.write(WILD) for _ in range(60)], first)
    with pytest.raises(ModelError, match="snapshot is of a composer of another model or headroom"):
        composer(41).restore(kept)


def test_reset_is_a_new_composer() -> None:
    engine, fresh = after(notes(300, 9)), composer()
    engine.reset()
    assert engine.position == engine.now == engine.memory == 0
    np.testing.assert_array_equal([engine.write(WILD) for _ in range(80)], [fresh.write(WILD) for _ in range(80)])


def test_equal_seeds_give_equal_notes_and_other_seeds_and_lanes_do_not() -> None:
    def written(**settings: int) -> list[list[int]]:
        engine = after(notes(100, 10))
        return [engine.write(NoteSampling(temperature=1.0, **settings)).tolist() for _ in range(40)]

    assert written(seed=1) == written(seed=1)
    assert written(seed=1) != written(seed=2)
    assert written(seed=1) != written(seed=1, lane=1)


def hour() -> Events:
    """Return an hour of music, 36,000 events: busy, sparse and silent stretches, and notes in every frame."""
    parts = [notes(24_000, 11), notes(2_000, 12, rests=0.9), notes(4_000, 13)]
    dense = np.zeros((6_000, FIELDS), np.int16)
    dense[:, WAIT], dense[:, VOICE] = np.arange(6_000) % VOICES == 0, np.arange(6_000) % VOICES
    dense[:, 4] = 40 + np.random.default_rng(14).integers(0, 3, 6_000)
    return np.concatenate([parts[0], dense, *parts[1:]])


def test_after_an_hour_it_is_told_the_same_as_with_an_endless_memory() -> None:
    events, engine = hour(), composer()
    exact = mm.annotate(events)[0]
    size = sum(part.nbytes for part in engine.snapshot().state)
    most = len(engine._state.memory.events), engine._state.memory.grids.shape[2]
    assert onsets_of(events)[-1] > 50 * 60 * 60 and len(events) > 2 * most[0] and onsets_of(events)[-1] > 2 * most[1]
    for k, event in enumerate(events):
        for mine, theirs in zip(told_now(engine, event), told_at(exact, k, event), strict=True):
            assert np.array_equal(mine, theirs), k
    assert engine.now == onsets_of(events)[-1]
    assert sum(part.nbytes for part in engine.snapshot().state) == size


def test_taking_back_and_writing_anew_for_an_hour_leaves_no_trace_in_the_memory() -> None:
    rng, engine = np.random.default_rng(15), composer()
    kept: list[np.ndarray] = []
    source, at = hour(), 0
    while at < len(source):
        part = source[at : at + int(rng.integers(1, 120))]
        at += len(part)
        part = part.copy()
        part[0, WAIT] = max(1, part[0, WAIT])  # it may follow any event
        engine.prefill(part)
        kept += list(part)
        n = int(rng.integers(engine.memory + 1))
        engine.rewind(n)
        kept = kept[: len(kept) - n]
        assert engine.position == len(kept)
    events, more = np.array(kept), notes(200, 16)
    exact = mm.annotate(np.concatenate([events, more]))[0]
    assert engine.now == onsets_of(events)[-1]
    for k, event in enumerate(more):
        for mine, theirs in zip(told_now(engine, event), told_at(exact, len(events) + k, event), strict=True):
            assert np.array_equal(mine, theirs), k
    assert (exact.next_lags[len(events) :, 0] > 2000).any() and exact.motif_strengths[len(events) :].max() > 2


def test_forced_fields_are_taken_and_the_rest_is_chosen_knowing_them() -> None:
    events = notes(120, 17)
    for seed in range(40):
        rng = np.random.default_rng(seed)
        forced = np.where(rng.random(FIELDS) < 0.4, [rng.integers(1, 90), *(rng.integers(SIZES)[1:])], -1)
        forced[VOICE] = rng.integers(VOICES)
        written = after(events).write(NoteSampling(seed=seed, temperature=1.0), forced=forced.astype(np.int16))
        np.testing.assert_array_equal(written[forced >= 0], forced[forced >= 0])
    assert len({tuple(after(events).write(WILD, forced=one_voice(voice))[3:]) for voice in range(VOICES)}) == VOICES


def one_voice(voice: int) -> np.ndarray:
    """Return forced values of which only the voice is set."""
    return np.where(np.arange(FIELDS) == VOICE, voice, -1).astype(np.int16)


@pytest.mark.parametrize(
    ("events", "message"),
    [
        (np.zeros((2, 6), np.int16), r"events must be int16\[K, 7\], not int16\[2, 6\]"),
        (np.zeros((2, 7), np.float32), r"events must be int16\[K, 7\], not float32"),
        (np.full((1, 7), 96, np.int16), "fields of an event must be from 0 to below"),
        (np.full((1, 7), -1, np.int16), "fields of an event must be from 0 to below"),
        (np.array([[5, 1, 0, 0, 40, 0, 3], [0, 1, 0, 0, 40, 0, 3]], np.int16), "event 1 begins in the same frame"),
        (np.array([[5, 2, 0, 0, 40, 0, 3], [0, 1, 0, 0, 40, 0, 3]], np.int16), "order events by frame, then voice"),
        (np.array([[0, 3, 0, 0, 0, 0, 0]], np.int16), "event 0 begins in the same frame"),
    ],
)
def test_what_is_no_event_is_refused_and_nothing_is_heard(events: np.ndarray, message: str) -> None:
    engine = after(notes(20, 18))
    for method in (engine.prefill, engine.weigh):
        with pytest.raises(ModelError, match=message):
            method(events)
    assert engine.position == 20


def test_forced_values_that_no_event_has_are_refused() -> None:
    engine = after(np.array([[5, 2, 0, 0, 40, 0, 3]], np.int16))
    for forced, message in (
        ([0, 1], r"forced must be int16\[7\]"),
        ([5, 4, -1, -1, -1, -1, -1], "forced values must be -1 or from 0"),
        ([0, -1, -1, -1, -1, -1, -1], "can follow one of voice 2 in the same frame: force a longer wait"),
    ):
        with pytest.raises(ModelError, match=message):
            engine.write(forced=np.array(forced, np.int16))


EVERY_BIT = """
import hashlib
from test_composer_engine import WILD, after, notes
from sidlive import instructions
engine, digest = after(notes(60, 19)), hashlib.blake2b()
for _ in range(30):
    digest.update(engine.write(WILD).tobytes())
    for logits in engine.last_logits():
        digest.update(logits.tobytes())
print(instructions.in_use(), digest.hexdigest())
"""


def test_all_instruction_sets_write_the_same_notes() -> None:
    """Every bit of the logits, in a process for each: the best set that the CPU has, and all that can be forced."""
    found = printed_on_every_set(EVERY_BIT, Path(__file__).parent)
    assert "generic" in found and len(set(found.values())) == 1, found


def test_a_file_gives_the_same_composer_without_torch(tmp_path: Path) -> None:
    path = tmp_path / "made.safetensors"
    save_weights(lively_composer(), path)
    code = (
        f"import sys, numpy as np; sys.path.insert(0, {str(Path(__file__).parents[1])!r})\n"
        "import sidlive.model.composer as room; assert 'numba' not in sys.modules\n"
        f"engine = room.load_composer({str(path)!r})\n"
        "print([engine.write(room.NoteSampling(seed=3, temperature=1.0)).tolist() for _ in range(5)])\n"
        "assert 'torch' not in sys.modules"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    engine = load_composer(path)
    assert printed.strip() == str([engine.write(NoteSampling(seed=3, temperature=1.0)).tolist() for _ in range(5)])
