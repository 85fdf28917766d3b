"""Training: it learns, it resumes exactly, it says what is wrong."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from sidlive.chip import registers as sid
from sidlive.errors import ModelError
from sidlive.model import recall as rc
from sidlive.model.config import ModelConfig, Stack
from sidlive.model.corpus import Corpus, open_corpus
from sidlive.model.train import Plan, Run, Windows, held_out, load_checkpoint, train, window

TINY = ModelConfig("tiny", Stack(32, 2, 4, 2, 48), Stack(16, 1, 2, 1, 24), context=64)
PLAN = Plan(steps=40, batch=2, length=32, warmup=5, learning_rate=1e-2)


@pytest.fixture()
def corpus(tmp_path: Path) -> Corpus:
    """Two tunes of arpeggios over a pulse-width sweep, one of them held out."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    tunes, rows = [], []
    for number, split in enumerate(("train", "held-out")):
        frames = sid.silence(400)
        step = np.arange(400)
        frames[:, sid.FREQ_HI] = np.array([16, 20, 24 + number])[step % 3]
        frames[:, sid.PW_LO] = (step * 16) & 255
        frames[:, sid.CONTROL] = frames[:, sid.FIRST_CONTROL] = np.where(step % 24 < 20, 0x41, 0x40)
        frames[:, sid.MODE_VOL] = 15
        entry = {"path": f"{number}.sid", "song": 1, "title": "t", "author": "a", "released": "r", "chip": "6581"}
        place = {"shard": "shard-000.npy", "start": number * 400, "length": 400, "split": split}
        tunes.append({**entry, "clock": "PAL", "rate_hz": 50.125, **place})
        rows.append(frames)
    np.save(folder / "shard-000.npy", np.concatenate(rows))
    (folder / "index.json").write_text(json.dumps({"version": 1, "tunes": tunes}))
    return open_corpus(folder)


def test_it_learns_a_tune_it_never_trained_on(corpus: Corpus, tmp_path: Path) -> None:
    run = Run(tmp_path / "run", TINY, PLAN, compiled=False)
    batches = held_out(corpus, length=32)
    before = run.measure(batches)
    train(corpus, run, measure_every=20)
    assert run.held_out_nats is not None and run.held_out_nats < before / 2
    assert run.best <= run.held_out_nats
    assert load_checkpoint(tmp_path / "run" / "best.pt")["config"] == TINY.to_dict()
    rows = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [20, 40]


def test_a_resumed_run_is_the_run_that_was_never_stopped(corpus: Corpus, tmp_path: Path) -> None:
    whole = train(corpus, Run(tmp_path / "whole", TINY, PLAN, compiled=False))
    first = Run(tmp_path / "parts", TINY, PLAN, compiled=False)
    windows = Windows(corpus)
    for step in range(17):
        first.learn(windows.batch(PLAN, step))
    first.save()
    second = Run(tmp_path / "parts", TINY, PLAN, compiled=False)
    assert second.resume() and second.step == 17
    train(corpus, second)
    for name, weights in whole.network.state_dict().items():
        assert torch.equal(weights, second.network.state_dict()[name]), name


def test_training_windows_never_come_from_held_out_tunes(corpus: Corpus) -> None:
    windows = Windows(corpus)
    assert len(windows.tunes) == 1 and len(held_out(corpus, length=32)[0].values) == 1
    batch = windows.batch(PLAN, 3)
    assert torch.equal(batch.tokens, windows.batch(PLAN, 3).tokens)
    assert not torch.equal(batch.tokens, windows.batch(PLAN, 4).tokens)


def test_what_recall_missed_is_not_missed_in_what_is_learned(corpus: Corpus) -> None:
    """Notes lost to recall stand in the tokens all the same: the model learns to say them."""
    frames = corpus.frames(corpus.tunes[0])
    whole = window(frames, 200, 100)
    lossy = window(frames, 200, 100, missed=0.3, rng=np.random.default_rng(1))
    assert np.array_equal(whole.tokens, lossy.tokens) and np.array_equal(whole.values, lossy.values)
    assert (lossy.strengths < whole.strengths).any() and not (lossy.tokens == lossy.recalled).all()
    deaf = window(frames, 200, 100, memory=0)
    assert (deaf.recalled == rc.NOTHING).all() and not deaf.strengths.any()


def test_the_rate_warms_up_stays_and_falls_to_nothing() -> None:
    plan = Plan(steps=1000, warmup=100, decay_from=0.5, learning_rate=1.0)
    assert plan.rate(0) == pytest.approx(0.01) and plan.rate(300) == 1.0
    assert plan.rate(750) == pytest.approx(0.5) and plan.rate(1000) == 0.0


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 cut short"])
def test_a_damaged_checkpoint_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="cannot be read"):
        load_checkpoint(path)
    with pytest.raises(ModelError, match="no checkpoint"):
        load_checkpoint(tmp_path / "absent.pt")


def test_a_run_of_another_shape_is_refused(corpus: Corpus, tmp_path: Path) -> None:
    run = Run(tmp_path, TINY, PLAN, compiled=False)
    run.save()
    other = ModelConfig("other", TINY.time, Stack(16, 2, 2, 1, 24))
    with pytest.raises(ModelError, match="another network"):
        Run(tmp_path, other, PLAN, compiled=False).resume()


def test_windows_longer_than_every_tune_are_refused(corpus: Corpus) -> None:
    with pytest.raises(ModelError, match="--length"):
        Windows(corpus).batch(Plan(steps=1, length=4000), 0)
