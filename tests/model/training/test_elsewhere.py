"""Training on another machine by one command, from one file, with nothing installed but what training needs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import train_in_a_process as process

from sidlive.cli import main
from sidlive.model.corpus.packed import pack
from sidlive.model.corpus.shards import Corpus, open_corpus
from sidlive.model.training.network import attention, causal_attention
from sidlive.model.training.plan import TrainingPlan
from sidlive.model.training.prepared import prepare
from sidlive.model.training.train import Run
from sidlive.model.training.windows import WindowSampler, held_out, still_batch
from sidlive.model.weights import load_weights

TINY = process.TINY
# Run the command line with a tiny preset and small parts, where the libraries for terminals and sound are missing. Each
# look at the clock takes a tenth of a second.
ELSEWHERE = """
import itertools, sys, time
from types import SimpleNamespace
ticks = itertools.count()
clock = SimpleNamespace(monotonic=lambda: next(ticks) / 10, time=time.time)
for name in ("rich", "textual", "sounddevice", "pyresidfp", "supriya_midi", "safetensors", "soundfile", "sklearn"):
    sys.modules[name] = None
import train_in_a_process as process
from sidlive.model.config import PRESETS
PRESETS["stage"] = process.TINY
from sidlive.commands import train
from sidlive.model.training import train as training
train.time = training.time = clock
train.PART_BYTES = 60_000
from sidlive.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture()
def corpus(tmp_path: Path) -> Corpus:
    """A corpus of one tune to train on and one held out."""
    process.make_corpus(tmp_path / "corpus")
    return open_corpus(tmp_path / "corpus")


def train_elsewhere(corpus: Corpus, tmp_path: Path, minutes: str) -> "subprocess.CompletedProcess[str]":
    """Run the command; it writes to the folder ``out``."""
    pack(corpus, tmp_path / "corpus.pack")
    out = tmp_path / "out"
    out.mkdir()
    command = ["train", str(tmp_path / "corpus.pack"), "-o", str(tmp_path / "run"), "--preset", "stage"]
    options = ["--minutes", minutes, "--length", "32", "--no-compile", "--export", str(out / "stage.safetensors")]
    return subprocess.run(
        [sys.executable, "-c", ELSEWHERE, *command, *options, "--json"],
        capture_output=True,
        text=True,
        cwd=Path(process.__file__).parent,
        timeout=300,
    )


def test_one_command_trains_from_a_packed_corpus_by_the_clock_and_exports(corpus: Corpus, tmp_path: Path) -> None:
    done, out = train_elsewhere(corpus, tmp_path, "0.1"), tmp_path / "out"
    assert done.returncode == 0, done.stderr
    values = {result["name"]: result["value"] for result in json.loads(done.stdout)["results"]}
    assert values["steps"] > 10 and values["minutes"] == pytest.approx(0.1, abs=0.01)
    assert values["nats_per_frame.held_out"] < 200
    names = sorted(path.name for path in out.iterdir())
    assert len(names) > 1 and names[0] == "stage.safetensors.1"
    assert main(["export", str(out / names[0]), "-o", str(tmp_path / "whole.safetensors")]) == 0
    assert load_weights(tmp_path / "whole.safetensors").config == TINY
    assert "0% " in done.stderr and "Traceback" not in done.stderr


def test_time_that_is_over_before_the_first_step_is_one_clear_error(corpus: Corpus, tmp_path: Path) -> None:
    done = train_elsewhere(corpus, tmp_path, "0.001")
    assert done.returncode == 2 and "were over before the first step" in done.stderr
    assert "Traceback" not in done.stderr and not list((tmp_path / "out").iterdir())


def test_torchs_own_attention_gives_the_same() -> None:
    torch.manual_seed(0)
    query, key, value = (torch.randn(2, heads, 7, 8) for heads in (4, 2, 2))
    later = torch.arange(7)[:, None] < torch.arange(7)
    assert torch.allclose(causal_attention(query, key, value), attention(query, key, value, later[None]), atol=1e-5)


def test_windows_that_are_still_have_the_shape_of_those_of_a_step(corpus: Corpus) -> None:
    plan = TrainingPlan(steps=1, batch=3, length=32)
    still, cut = still_batch(plan), WindowSampler(prepare(corpus, 33, 0.3)).batch(plan, 0)
    for one, two in zip(still, cut, strict=True):
        assert one.shape == two.shape and one.dtype == two.dtype


def test_without_a_compiler_training_goes_on(corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = TrainingPlan(steps=1, batch=2, length=32)

    def compile_fails(self: torch.nn.Module, *given: object, **options: object) -> None:
        def broken(*arguments: object) -> None:
            if torch.compiler.is_compiling() or stance == ["default"]:
                raise RuntimeError("no compiler\nthat is all")
            return type(self).forward(self, *arguments)

        self._compiled_call_impl = broken

    stance = ["default"]
    monkeypatch.setattr(torch.nn.Module, "compile", compile_fails)
    monkeypatch.setattr(torch.compiler, "set_stance", lambda name: stance.__setitem__(0, name))
    run = Run(tmp_path / "run", TINY, plan)
    before = [p.clone() for p in run.network.parameters()]
    assert run.warm_up(still_batch(plan)) == "RuntimeError: no compiler"
    assert stance == ["force_eager"]
    for parameter, was in zip(run.network.parameters(), before, strict=True):
        assert torch.equal(parameter, was) and parameter.grad is None
    run.learn(still_batch(plan))
    assert run.step == 1


def test_costs_are_settled_later_as_if_at_once(corpus: Corpus, tmp_path: Path) -> None:
    """On a GPU the costs of several steps are fetched together."""
    plan = TrainingPlan(steps=9, batch=2, length=32)
    windows = WindowSampler(prepare(corpus, 33, 0.3))
    at_once, later = (Run(tmp_path / name, TINY, plan, compiled=False) for name in "ab")
    for step in range(4):
        for run in (at_once, later):
            run.learn(windows.batch(plan, step))
        at_once.settle()
    assert later.train_nats is None
    later.settle()
    assert later.train_nats == at_once.train_nats is not None
    assert later.judge(held_out(corpus, length=32)) > 0
