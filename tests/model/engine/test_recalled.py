"""Recall compared with its rules, written a second time in the plainest way."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sidlive.chip import registers as sid
from sidlive.model import recall as rc
from sidlive.model import tokens as tk
from sidlive.model.config import ModelConfig, Stack
from sidlive.model.engine import Engine, Sampling
from sidlive.model.tokens import Tokens
from sidlive.model.weights import random_weights


def recall_by_the_rules(tokens: Tokens, window: int) -> tuple[np.ndarray, np.ndarray]:
    """Return for each frame and stream the offsets of the suggestions (0: none) and their runs."""
    count = len(tokens)
    streams = [np.flatnonzero(stream == rc.STREAM_OF_SLOT) for stream in range(rc.STREAMS)]
    runs = np.zeros((rc.STREAMS, window + 1), dtype=int)
    offsets, lengths = np.zeros((2, count, rc.STREAMS, 2), dtype=int)
    for t in range(count):
        for stream, slots in enumerate(streams):
            for o in range(1, min(window, t) + 1):
                same = np.array_equal(tokens[t, slots], tokens[t - o, slots])
                kept = all(token in (tk.KEEP, tk.SKIP) for token in tokens[t, slots])
                run = runs[stream, o]
                grown = max(run, min(run + 1, rc.PATIENCE)) if kept else min(run + rc.EVENT, rc.LONGEST)
                runs[stream, o] = grown if same else run // 2
        for stream, slots in enumerate(streams):
            family = range(9, 11) if stream >= 9 else range(stream // 3 * 3, stream // 3 * 3 + 3)
            scores = rc.OWN * runs[stream] + sum(runs[other] for other in family)
            best = int(np.argmax(scores))  # at a tie the smallest offset
            if not runs[stream, best]:
                continue
            offsets[t, stream, 0], lengths[t, stream, 0] = best, runs[stream, best]
            for o in range(1, min(window, t) + 1):
                if np.array_equal(tokens[t + 1 - o, slots], tokens[t + 1 - best, slots]):
                    scores[o] = 0
            best = int(np.argmax(scores))
            if scores[best] and runs[stream, best]:
                offsets[t, stream, 1], lengths[t, stream, 1] = best, runs[stream, best]
    return offsets, lengths


def lo_bytes_by_the_rules(
    tokens: Tokens, t: int, slot: int, hi: int, choices: list[tuple[int, int, int]], window: int
) -> list[tuple[int, int]]:
    """Return the suggestions, with strengths, for the lo slot after ``slot`` in frame t + 1, whose hi byte is ``hi``.

    ``choices``: the stream's suggestions (hi, lo, strength).
    """
    found = [(lo, strength) for high, lo, strength in choices if high == hi]
    alike = [s for s in tk.HI_SLOTS if tk.KIND_OF_SLOT[s] == tk.KIND_OF_SLOT[slot]]
    past = [(u, s) for u in range(t, max(-1, t - window), -1) for s in alike if tokens[u, s] == hi]
    opens = [(u, s) for u, s in past if slot in (0, 8, 16) and tokens[u, s + 4] < 256 and tokens[u, s + 4] % 2]
    for u, s in (*opens[:1], *past[:1]):
        if tokens[u, s + 1] not in [lo for lo, _ in found]:
            found.append((int(tokens[u, s + 1]), 0))
    return [*found, (rc.NOTHING, 0), (rc.NOTHING, 0)][:2]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 60), st.sampled_from([3, 17, rc.WINDOW]))
def test_recall_follows_its_rules(seed: int, count: int, window: int) -> None:
    rng = np.random.default_rng(seed)
    frames = sid.silence(count)
    for voice in range(2):
        frames[:, sid.register_of(voice, sid.FREQ_HI)] = rng.integers(3, size=count) * 16
        frames[:, sid.register_of(voice, sid.FREQ_LO)] = rng.integers(2, size=count) * 7
    frames[:, sid.CUTOFF_HI] = rng.integers(4, size=count)
    frames[:, sid.CUTOFF_LO] = rng.integers(2, size=count)
    frames[:, sid.CONTROL] = rng.choice([0x40, 0x41], size=count)
    frames[:, sid.FIRST_CONTROL] = frames[:, sid.CONTROL]
    tokens = tk.encode(frames)
    recalled = rc.recall(tokens, window)
    offsets, lengths = recall_by_the_rules(tokens, min(window, count))
    for t in range(count):
        expected = np.full((tk.SLOTS, 2), rc.NOTHING)
        strengths = np.zeros((tk.SLOTS, 2), dtype=int)
        for stream in range(rc.STREAMS):
            slots = np.flatnonzero(stream == rc.STREAM_OF_SLOT)
            for choice in range(2):
                offset, length = offsets[t, stream, choice], int(lengths[t, stream, choice])
                if offset:
                    expected[slots, choice] = tokens[t - offset + 1, slots]
                    strengths[slots, choice] = min(length, 128).bit_length()
        for slot in tk.HI_SLOTS:
            if t + 1 < count and tokens[t + 1, slot] < 256:
                choices = [(*expected[slot : slot + 2, i], strengths[slot, i]) for i in range(2)]
                lo = lo_bytes_by_the_rules(tokens, t, slot, tokens[t + 1, slot], choices, window)
                expected[slot + 1], strengths[slot + 1] = zip(*lo, strict=True)
        assert np.array_equal(recalled.tokens[t], expected)
        assert np.array_equal(recalled.strengths[t], strengths)


def test_a_phrase_is_recalled_when_it_repeats() -> None:
    """A phrase without repeats inside, played three times: the third time is recalled from its sixth frame on."""
    phrase = sid.silence(40)
    phrase[:, sid.FREQ_HI] = np.random.default_rng(3).permutation(200)[:40]
    tokens = tk.encode(np.concatenate([phrase, phrase, phrase]))
    slots = rc.STREAM_OF_SLOT == 0
    recalled = rc.recall(tokens)
    assert np.array_equal(recalled.tokens[84:119][:, slots, 0], tokens[85:120][:, slots])


def test_stillness_weighs_less_than_events() -> None:
    """However long nothing happens, a place with the same events before it scores higher."""
    tokens = tk.encode(sid.silence(300))
    assert (rc.recall(tokens).strengths[-1, :, 0] == rc.PATIENCE.bit_length()).all()
    rests = sid.silence(20)
    phrase = np.concatenate([rests, rests])
    phrase[::5, sid.FREQ_HI] = np.arange(8) + 1
    phrase[1::5, sid.FREQ_HI] = phrase[2::5, sid.FREQ_HI] = phrase[::5, sid.FREQ_HI]
    tokens = tk.encode(np.concatenate([phrase, np.tile(rests, (4, 1)), phrase]))
    recalled = rc.recall(tokens)
    assert np.array_equal(recalled.tokens[140:159, :2, 0], tokens[141:160, :2])


def test_every_slot_is_in_one_stream() -> None:
    assert sorted(set(rc.STREAM_OF_SLOT.tolist())) == list(range(rc.STREAMS))
    for stream in range(rc.STREAMS):
        kinds = [tk.KIND_NAMES[kind] for kind in tk.KIND_OF_SLOT[stream == rc.STREAM_OF_SLOT]]
        assert kinds in (
            ["freq_hi", "freq_lo"],
            ["pw_hi", "pw_lo"],
            ["control", "first_control", "ad", "sr"],
            ["cutoff_hi", "cutoff_lo"],
            ["res_route", "mode_vol"],
        )


def test_the_strongest_follow_repeats_the_phrase() -> None:
    """With random weights, the highest `follow` still generates recall's suggestions: the phrase repeats."""
    phrase = sid.silence(40)
    phrase[:, sid.FREQ_HI] = np.random.default_rng(3).permutation(200)[:40]
    phrase[:, sid.CONTROL] = phrase[:, sid.FIRST_CONTROL] = np.where(np.arange(40) % 8 < 5, 0x41, 0x40)
    tiny = ModelConfig("tiny", Stack(32, 1, 2, 1, 48), Stack(16, 1, 1, 1, 24))
    engine = Engine(random_weights(tiny, 1, std=0.3))
    engine.prefill(np.tile(phrase, (3, 1)))
    followed = np.stack([engine.step(Sampling(seed=5, follow=20.0)) for _ in range(80)])
    assert np.array_equal(followed, np.tile(phrase, (2, 1)))
    engine.rewind(80)
    free = np.stack([engine.step(Sampling(seed=5)) for _ in range(80)])
    assert not np.array_equal(free, followed)


@given(seed=st.integers(0, 10_000), near=st.integers(1, 60), weight=st.sampled_from([0, 51, 128, 256]))
@settings(max_examples=30, deadline=None)
def test_near_passages_count_less_and_the_voices_look_back_together(seed: int, near: int, weight: int) -> None:
    """Draw random runs, and find the best offset of each stream in the plainest way."""
    rng = np.random.default_rng(seed)
    t, window = 90, 64
    ids = rng.integers(0, 4, (rc.STREAMS, window + 2)).astype(np.uint32)
    runs = np.zeros((rc.STREAMS, window + 1), np.uint8)
    runs[:, 1:] = rng.integers(0, 3, (rc.STREAMS, window)) * rng.integers(1, 20)
    together, scratch = np.zeros(window + 1, np.int16), np.zeros(window + 1, np.int16)
    rc.runs_together(runs, t, window, together)
    assert (together[1:] == runs[:, 1:].sum(axis=0)).all()
    offsets, lengths = np.zeros(rc.CHOICES, np.int64), np.zeros(rc.CHOICES, np.uint8)
    for stream in range(rc.STREAMS):
        rc.best_offsets(ids[stream], runs, stream, t, window, near, weight, together, scratch, offsets, lengths)
        family = range(9, 11) if stream >= 9 else range(stream // 3 * 3, stream // 3 * 3 + 3)
        scores = rc.OWN * runs[stream].astype(int) + sum(runs[other].astype(int) for other in family)
        scores[:near] = scores[:near] * weight >> 8
        wanted = max(range(1, window + 1), key=lambda o: (scores[o], together[o], o))
        expected = wanted if scores[wanted] and runs[stream, wanted] else 0
        assert offsets[0] == expected and lengths[0] == (runs[stream, expected] if expected else 0)


def test_with_vary_the_music_continues_an_older_passage() -> None:
    """After A, B, A, A: without ``vary`` A repeats again, with ``vary`` 1 B follows."""
    rng = np.random.default_rng(3)

    def phrase(seed: int) -> sid.Frames:
        frames = sid.silence(64)
        notes = np.random.default_rng(seed).permutation(np.arange(20, 36))
        frames[:, 1], frames[:, [4, 25]], frames[:, 24] = np.repeat(notes, 4), 0x41, 0x0F
        frames[:, [4, 25]] = np.where(np.arange(64) % 4 < 2, 0x41, 0x40)[:, None]
        return frames

    a, b = phrase(1), phrase(2)
    prompt = np.concatenate([phrase(7), a, b, phrase(8), a, a])
    config = ModelConfig("tiny", Stack(32, 1, 2, 1, 32), Stack(32, 1, 2, 1, 32), context=16)
    engine = Engine(random_weights(config, int(rng.integers(100)), std=1e-6))
    made = {}
    for vary in (0.0, 1.0):
        engine.reset()
        engine.prefill(prompt)
        sampling = Sampling(temperature=0.0, follow=20.0, vary=vary, near=2 * 64 + 1)
        made[vary] = np.stack([engine.step(sampling) for _ in range(64)])
    assert (made[0.0][:, 1] == a[:, 1]).mean() > 0.9
    assert (made[1.0][:, 1] == b[:, 1]).mean() > 0.9
