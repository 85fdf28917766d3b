"""The prepared corpus: its windows are those that `cut_window` cuts of the tunes, and its files are safe to share."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from engines import tune
from numpy.typing import NDArray

from sidlive.chip import registers as sid
from sidlive.chip.registers import Frames
from sidlive.errors import ModelError
from sidlive.model import recall as rc
from sidlive.model import tokens as tk
from sidlive.model.corpus.shards import Corpus, open_corpus
from sidlive.model.training import prepared as pre
from sidlive.model.training.plan import TrainingPlan
from sidlive.model.training.prepared import Prepared, prepare
from sidlive.model.training.windows import GROUPS, Batch, Draw, TrainingWindow, WindowSampler, cut_window, draw
from sidlive.tune.scores import scores
from sidlive.tune.tracker import play

PLAN = TrainingPlan(steps=9, batch=24, length=48, share=1.0, missed=0.0, remembering=1.0)
SLOTS_SPOKEN = ~tk.IS_LO


def write_corpus(folder: Path, songs: list[Frames]) -> Corpus:
    """Write a corpus of these songs, all of them to train on."""
    folder.mkdir()
    about = {"title": "t", "author": "a", "released": "r", "chip": "6581", "clock": "PAL", "rate_hz": 50.0}
    rows = np.cumsum([0, *map(len, songs)]).tolist()
    tunes = [
        {"path": f"{n}.sid", "song": 1, **about, "shard": "s.npy", "start": rows[n], "length": len(s), "split": "train"}
        for n, s in enumerate(songs)
    ]
    np.save(folder / "s.npy", np.concatenate(songs))
    (folder / "index.json").write_text(json.dumps({"version": 2, "tunes": tunes}))
    return open_corpus(folder)


def verses(count: int, seed: int) -> Frames:
    """Return a song whose passages come back, so that recall has much to suggest, with the filter on some voices."""
    passage = tune(400, seed)
    passage[:, sid.MODE_VOL] &= 0xFF ^ pre.VOICE_3_OFF
    passage[:, sid.RES_ROUTE] = 0xF0 | (np.arange(400) // 50 % 8)
    rng = np.random.default_rng(seed)
    return np.concatenate([passage[s : s + 90] for s in rng.integers(310, size=count // 90 + 1)])[:count]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Three songs; the first is longer than two blocks, the last shorter than a window."""
    songs = [verses(2 * pre.BLOCK + 700, 1), verses(300, 2), verses(30, 3)]
    return write_corpus(tmp_path_factory.mktemp("prepared") / "corpus", songs)


def by_hand(
    prepared: Prepared, corpus: Corpus, drawn: Draw, window: int, guides: tuple[Frames, NDArray[np.bool_]] | None = None
) -> TrainingWindow:
    """Cut a drawn window from the song's frames; recall knows the frames from the block's first one on.

    ``guides``: of the whole song.
    """
    song, start, pin, later = (int(part[window]) for part in (drawn.songs, drawn.starts, drawn.pins, drawn.laters))
    whole, turns = PLAN.length + 1, int(drawn.turns[window])
    parts = [(start, min(pin, whole)), (later, whole - pin)]
    cut = []
    for at, length in parts:
        if length > 0:
            block = prepared.layout.block_of(drawn.variants[[window]], drawn.songs[[window]], np.array([at]))[0]
            memory = at - int(prepared.layout.blocks[block, 2])
            cut.append(cut_window(corpus.frames(corpus.tunes[song]), at, length, turns, memory, guides=guides))
    return TrainingWindow(*(np.concatenate(each) for each in zip(*cut, strict=True)))


def chosen_of(batch: Batch, window: int) -> NDArray[np.int64]:
    """Return the frames of a window that the column level trains on."""
    chosen = batch.chosen.numpy()
    return chosen[chosen // PLAN.length == window] % PLAN.length


def test_the_windows_are_those_cut_from_the_songs(corpus: Corpus) -> None:
    """Also with gaps and rotated voices. The slow implementation computes recall anew for each window."""
    prepared = prepare(corpus, PLAN.length + 1, PLAN.missed)
    sampler = WindowSampler(prepared)
    differing = compared = 0
    for step in range(3):
        drawn, batch = draw(prepared, PLAN, step), sampler.batch(PLAN, step)
        assert set(drawn.songs.tolist()) <= {0, 1} and len(set(drawn.turns.tolist())) == 3
        first = 0
        for window in range(PLAN.batch):
            expected = by_hand(prepared, corpus, drawn, window)
            assert np.array_equal(batch.values[window], expected.values)
            assert np.array_equal(batch.tokens[window], expected.tokens)
            frames = chosen_of(batch, window)
            rows = slice(first, first + len(frames))
            first += len(frames)
            spoken = expected.tokens[frames + 1] != tk.SKIP  # suggestions for silent slots are never used
            for found, part in ((batch.recalled, expected.recalled), (batch.strengths, expected.strengths)):
                same = (found[rows].numpy() == part[frames]).all(-1)
                assert same[:, SLOTS_SPOKEN].all()
                # Recall's rule for lo bytes prefers the first voice of those that changed in the same frame: with
                # rotated voices another voice is the first.
                assert same[spoken].all() or drawn.turns[window]
                differing, compared = differing + int((~same & spoken).sum()), compared + int(spoken.sum())
    assert differing < 0.01 * compared and compared > 10_000


def test_guided_windows_are_those_cut_with_the_songs_guides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also with gaps and rotated voices. The guide is any frames here, as a wrong plan would make them."""
    corpus = write_corpus(tmp_path / "corpus", [verses(700, 1)])
    rng = np.random.default_rng(4)
    frames = np.asarray(corpus.frames(corpus.tunes[0]))
    other = np.where(rng.random(frames.shape) < 0.8, frames, np.roll(frames, 1, axis=0))
    guides = other, rng.random(frames.shape) < 0.7
    monkeypatch.setattr(pre, "causal_guide", lambda *given: guides)
    plan = replace(PLAN, guided=0.7)
    prepared = prepare(corpus, plan.length + 1, plan.missed, guided=True)
    sampler, kinds = WindowSampler(prepared), set()
    for step in range(3):
        drawn, batch = draw(prepared, plan, step), sampler.batch(plan, step)
        first = 0
        for window in range(plan.batch):
            variant = int(drawn.guides[window])
            kinds.add(variant)
            expected = by_hand(prepared, corpus, drawn, window, guides if variant >= 0 else None)
            frames = chosen_of(batch, window)
            rows = slice(first, first + len(frames))
            first += len(frames)
            guided = (expected.strengths[frames] == rc.GUIDE).any(-1)
            assert guided.any() == (variant >= 0)
            spoken = (expected.tokens[frames + 1] != tk.SKIP) & (SLOTS_SPOKEN if drawn.turns[window] else True)
            for found, part in ((batch.recalled, expected.recalled), (batch.strengths, expected.strengths)):
                assert (found[rows].numpy() == part[frames]).all(-1)[spoken].all()
                assert np.array_equal(
                    found[rows].numpy()[..., 0][guided & spoken], part[frames][..., 0][guided & spoken]
                )
    assert kinds == {-1, pre.TRUE, pre.DISTURBED}


def test_some_windows_hear_a_voice_as_at_another_time(corpus: Corpus) -> None:
    """What they predict stays the song's; the filter is a group of its own."""
    plan = replace(PLAN, mishearing=0.5)
    sampler = WindowSampler(prepare(corpus, plan.length + 1, plan.missed))
    batch = sampler.batch(plan, 0)
    assert batch.misheard is not None and batch.misheard.shape == (plan.batch, plan.length, tk.SLOTS)
    wrong = (batch.misheard != torch.arange(plan.length)[:, None]).numpy()
    assert 0.2 < wrong.any((1, 2)).mean() < 0.8 and 0.02 < wrong.mean() < 0.12
    voices = wrong.reshape(plan.batch, plan.length, -1, 4)[:, :, ::2]  # a voice has two groups of four slots
    assert (wrong[..., : tk.SLOTS_PER_VOICE] == wrong[..., :1]).all() and not (voices[:, :, 0] == voices[:, :, 1]).all()
    right = sampler.batch(replace(plan, mishearing=0.0), 0)
    assert right.misheard is not None and (right.misheard == torch.arange(plan.length)[:, None]).all()
    for one, other in zip(batch[:5], right[:5], strict=True):
        assert one is not None and other is not None and torch.equal(one, other)


def test_a_songs_guides_have_its_notes(tmp_path: Path) -> None:
    """One guide has the true notes, the other some wrong ones; both are kept, and the same when made again."""
    song = np.tile(play(scores()["gallop"])[:500], (4, 1))
    corpus = write_corpus(tmp_path / "corpus", [song])
    prepared = prepare(corpus, PLAN.length + 1, 0.0, guided=True)
    prepared.fill(2)
    assert prepared.guides is not None
    right, wrong = np.split(prepared.guides.rows[:, tk.SLOTS :], pre.GUIDES)
    tokens = np.split(pre.token_of(*map(np.asarray, np.split(prepared.guides.rows.astype(np.int16), 2, axis=1))), 2)
    controls = np.flatnonzero(tk.KIND_OF_SLOT == tk.CONTROL)
    said = tk.encode(song)[:, controls]
    shares = [(guide[1400:, controls] == said[1400:]).mean() for guide in tokens]
    assert shares[0] > 0.97 and shares[1] < shares[0]
    assert (right[1400:, controls] != pre.NO_GUIDE).all() and not np.array_equal(right, wrong)
    again = prepare(corpus, PLAN.length + 1, 0.0, tmp_path / "again", guided=True)
    again.fill(1)
    assert again.guides is not None and np.array_equal(again.guides.rows, prepared.guides.rows)


def test_frames_hidden_from_recall_are_heard_as_still(corpus: Corpus) -> None:
    tokens = tk.encode(np.asarray(corpus.frames(corpus.tunes[1])))
    codes = pre.encode(tokens, 0.4, np.random.default_rng(5))
    lost = np.random.default_rng(5).random((len(tokens), rc.STREAMS)) < 0.4
    expected = rc.recall(np.where(lost[:, rc.STREAM_OF_SLOT], rc.STILL_TOKENS, tokens), said=tokens)
    assert not np.array_equal(codes, pre.encode(tokens))
    prepared = prepare(corpus, PLAN.length + 1, 0.4)
    block = int(prepared.layout.block_of(np.array([0]), np.array([1]), np.array([0]))[0])
    prepared.recall.need([block])
    row = int(prepared.layout.blocks[block, 4])
    prepared.recall.rows[row : row + len(codes)] = codes
    windows = 40
    drawn = Draw(
        *(np.full(windows, number) for number in (1, 0, PLAN.length + 1, 0, 0, 0, 1)),
        np.tile(np.arange(PLAN.length), (windows, 1)),
        np.full(windows, -1),
        np.zeros((windows, PLAN.length, GROUPS), np.int64),
    )
    drawn = drawn._replace(starts=np.arange(windows) * 6)
    batch = WindowSampler(prepared).cut(drawn, PLAN)
    at = (drawn.starts[:, None] + np.arange(PLAN.length)).ravel()
    spoken = tokens[at + 1] != tk.SKIP
    assert (batch.recalled.numpy() == expected.tokens[at]).all(-1)[spoken].all()
    assert (batch.strengths.numpy() == expected.strengths[at]).all(-1)[spoken].all()
    assert (expected.tokens[at][spoken] == tk.KEEP).any()


def test_some_windows_hear_nothing_from_recall(corpus: Corpus) -> None:
    plan = replace(PLAN, remembering=0.5)
    prepared = prepare(corpus, plan.length + 1, plan.missed)
    batch, drawn = WindowSampler(prepared).batch(plan, 1), draw(prepared, plan, 1)
    deaf = (batch.recalled == rc.NOTHING).flatten(1).all(1).numpy()
    assert deaf[drawn.remembering[batch.chosen.numpy() // plan.length] == 0].all()
    assert 4 < drawn.remembering.sum() < 20 and deaf.mean() < 0.9
    assert not batch.strengths[deaf].any()


def test_a_window_has_any_length_of_memory(corpus: Corpus) -> None:
    """Windows that start at the same frame have different memories in the two variants."""
    prepared = prepare(corpus, PLAN.length + 1, 0.3)
    starts = np.arange(pre.BLOCK, 2 * pre.BLOCK)
    memories = []
    for variant in range(pre.VARIANTS):
        blocks = prepared.layout.block_of(np.full_like(starts, variant), np.zeros_like(starts), starts)
        first, end = prepared.layout.blocks[blocks, 2], prepared.layout.blocks[blocks, 3]
        assert (first <= starts).all() and (starts + PLAN.length + 1 <= end).all()
        memories.append(starts - first)
        assert set(memories[-1].tolist()) == set(range(pre.BLOCK))
    assert not (memories[0] == memories[1]).any()


def test_a_song_that_takes_voice_3_off_is_not_rotated(tmp_path: Path) -> None:
    song = verses(300, 1)
    song[100:200, sid.MODE_VOL] |= pre.VOICE_3_OFF
    corpus = write_corpus(tmp_path / "corpus", [song, verses(300, 2)])
    prepared = prepare(corpus, PLAN.length + 1, PLAN.missed)
    assert prepared.can_rotate.tolist() == [False, True]
    drawn = draw(prepared, replace(PLAN, batch=200), 0)
    assert not drawn.turns[drawn.songs == 0].any() and drawn.turns[drawn.songs == 1].any()


def test_blocks_made_beforehand_or_on_demand_are_the_same(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus", [verses(5000, 1), verses(300, 2)])
    lazy = WindowSampler(prepare(corpus, PLAN.length + 1, 0.3, tmp_path / "lazy"))
    eager = prepare(corpus, PLAN.length + 1, 0.3, tmp_path / "eager")
    seen: list[tuple[int, int]] = []
    eager.fill(2, lambda done, total: seen.append((done, total)))
    assert seen[-1] == (len(eager.layout.blocks),) * 2
    other = WindowSampler(prepare(corpus, PLAN.length + 1, 0.3, tmp_path / "eager"))
    plan = replace(PLAN, missed=0.3)
    for step in range(2):
        for one, two in zip(lazy.batch(plan, step), other.batch(plan, step), strict=True):
            assert one.equal(two)


def test_damaged_suggestions_and_those_of_other_rules_are_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = write_corpus(tmp_path / "corpus", [verses(5000, 1)])
    prepared = prepare(corpus, PLAN.length + 1, 0.0)
    prepared.fill(1)
    right = prepared.recall.rows.copy()
    prepared.recall.rows[20:30] ^= 1
    again = prepare(corpus, PLAN.length + 1, 0.0)
    again.fill(1)
    assert np.array_equal(again.recall.rows, right)
    with monkeypatch.context() as patched:
        patched.setattr(pre, "encode", lambda tokens, *rest: np.full((len(tokens), pre.CODES), 9, np.uint16))
        other = prepare(corpus, PLAN.length + 1, 0.0)
        other.fill(1)
    assert (other.recall.rows == 9).all()
    back = prepare(corpus, PLAN.length + 1, 0.0)
    back.fill(1)
    assert np.array_equal(back.recall.rows, right)


def test_a_place_that_cannot_be_written_is_one_clear_error(corpus: Corpus, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match=r"cannot be written .* choose another --cache"):
        prepare(corpus, PLAN.length + 1, 0.0, tmp_path / "file")
