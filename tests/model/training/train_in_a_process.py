"""Train a tiny run in this process, alone or as one of torchrun's processes. On demand it kills itself at a given step.

    [torchrun ...] train_in_a_process.py CORPUS FOLDER STEPS ["in step N" | "at save N"]

Each process writes the costs of its steps to FOLDER.RANK.json.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from sidlive.chip import registers as sid
from sidlive.model.config import ModelConfig, Stack
from sidlive.model.corpus.shards import open_corpus
from sidlive.model.training.plan import TrainingPlan
from sidlive.model.training.ranks import ALONE, Ranks, join_ranks
from sidlive.model.training.train import Run, train

TINY = ModelConfig("tiny", Stack(32, 2, 4, 2, 48), Stack(16, 1, 2, 1, 24), context=64)


def make_corpus(folder: Path, length: int = 400) -> None:
    """Write a corpus of two tunes of ``length`` frames, arpeggios over a pulse-width sweep; one tune is held out."""
    folder.mkdir()
    tunes, rows = [], []
    for number, split in enumerate(("train", "held-out")):
        frames = sid.silence(length)
        step = np.arange(length)
        frames[:, sid.FREQ_HI] = np.array([16, 20, 24 + number])[step % 3]
        frames[:, sid.PW_LO] = (step * 16) & 255
        frames[:, sid.CONTROL] = frames[:, sid.FIRST_CONTROL] = np.where(step % 24 < 20, 0x41, 0x40)
        frames[:, sid.MODE_VOL] = 15
        entry = {"path": f"{number}.sid", "song": 1, "title": "t", "author": "a", "released": "r", "chip": "6581"}
        place = {"shard": "shard-000.npy", "start": number * length, "length": length, "split": split}
        tunes.append({**entry, "clock": "PAL", "rate_hz": 50.125, **place})
        rows.append(frames)
    np.save(folder / "shard-000.npy", np.concatenate(rows))
    (folder / "index.json").write_text(json.dumps({"version": 1, "tunes": tunes}))


def learn(
    corpus: Path, folder: Path, steps: int, prepare: Callable[[Run], None] = lambda run: None, ranks: Ranks = ALONE
) -> list[float]:
    """Train a run in float32 to its last step, measured every second step and saved after each; return the costs."""
    plan = TrainingPlan(steps, batch=4, length=32, warmup=5, learning_rate=1e-2)
    run = Run(folder, TINY, plan, compiled=False, ranks=ranks, precision=torch.float32)
    run.resume()
    prepare(run)
    costs: list[float] = []
    step = run.learn
    run.learn = lambda *given: costs.append(step(*given).item()) or costs[-1]  # type: ignore[method-assign, func-returns-value]
    train(open_corpus(corpus), run, measure_every=2, save_every_s=-1)
    return costs


def killed(moment: str) -> Callable[[Run], None]:
    """Return a function that makes a run kill its process within a step, or when it saves after a step."""
    place, number = moment.rsplit(" ", 1)

    def prepare(run: Run) -> None:
        def kill(*_: object) -> None:
            if run.step == int(number) - (place == "in step"):
                os.kill(os.getpid(), signal.SIGKILL)

        if place == "in step":
            run.optimisers[-1].register_step_post_hook(kill)
        else:
            save = run.save
            run.save = lambda: (kill(), save())[1]  # type: ignore[method-assign, func-returns-value]

    return prepare


if __name__ == "__main__":
    torch.set_num_threads(1)
    place = Path(sys.argv[2])
    with join_ranks() as among:
        costs = learn(
            Path(sys.argv[1]),
            place,
            int(sys.argv[3]),
            killed(sys.argv[4]) if len(sys.argv) > 4 else lambda run: None,
            among,
        )
    place.with_name(f"{place.name}.{among.rank}.json").write_text(json.dumps(costs))
