"""The flat transformer and its comparison with our network: its input, the judging of both, and the command."""

import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
import train_in_a_process as process

from sidlive.chip import registers as sid
from sidlive.cli import main
from sidlive.model import recall as rc
from sidlive.model import tokens as tk
from sidlive.model.config import PRESETS, ModelConfig, Stack
from sidlive.model.corpus.shards import Corpus, open_corpus
from sidlive.model.training import comparison as cmp
from sidlive.model.training import flat
from sidlive.model.training.prepared import prepare
from sidlive.model.training.windows import TrainingWindow, WindowSampler, cut_window, stack_windows

TINY = process.TINY


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """Restore torch's number of threads, which the command changes."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture()
def corpus(tmp_path: Path) -> Corpus:
    """A corpus of one tune to train on and one held out."""
    process.make_corpus(tmp_path / "corpus", length=1200)
    return open_corpus(tmp_path / "corpus")


def noise(count: int, seed: int = 0) -> sid.Frames:
    """Return frames of random registers."""
    return np.random.default_rng(seed).integers(256, size=(count, sid.COLUMNS), dtype=np.uint8) & sid.USED_BITS


def network(stack: Stack = TINY.time) -> flat.FlatNetwork:
    """Make a network whose weights are large enough that its inputs show in its output."""
    torch.manual_seed(1)
    made = flat.FlatNetwork(stack)
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.dim() > 1:
                parameter.mul_(8.0)
    return made


def nats(net: flat.FlatNetwork, frames: sid.Frames) -> torch.Tensor:
    with torch.no_grad():
        return net.nats(torch.from_numpy(flat.stream(frames))[None])[0]


def test_a_frame_is_a_separator_and_its_registers() -> None:
    frames = noise(5)
    tokens = flat.stream(frames)
    assert tokens.shape == (5, 26) and (tokens[:, 0] == 256).all()
    assert (tokens[:, 1:] == frames[:, :25]).all()


@pytest.mark.parametrize("name", PRESETS)
def test_the_blocks_of_both_networks_have_as_many_parameters(name: str) -> None:
    config = PRESETS[name]
    ours = config.time.parameters + config.column.parameters
    assert flat.stack_like(config).parameters == pytest.approx(ours, rel=0.01)


def test_a_register_depends_on_earlier_registers_alone() -> None:
    net, frames = network(), noise(6)
    changed = frames.copy()
    changed[3, 10] ^= 255
    before, after = nats(net, frames), nats(net, changed)  # [5, 25], of frames 1 to 5
    assert torch.allclose(before[:2], after[:2], atol=1e-5) and torch.allclose(before[2, :10], after[2, :10], atol=1e-5)
    assert (before[2, 10:] != after[2, 10:]).all() and (before[3:] != after[3:]).all()


def test_it_is_a_distribution_over_bytes_and_the_separator() -> None:
    """The probabilities of all 256 bytes of a register sum to a little less than one: the rest is the separator's."""
    net, frames = network(), noise(2)
    versions = np.repeat(frames[None], 256, axis=0)
    versions[:, 1, 7] = np.arange(256)
    with torch.no_grad():
        costs = net.nats(torch.from_numpy(flat.stream(versions)))[:, 0, 7]
    chances = torch.exp(-costs.double()).sum().item()
    assert 0.9 < chances < 1 and len(set(costs.tolist())) == 256


def test_attention_reaches_back_one_context() -> None:
    net, frames = network(Stack(32, 1, 4, 2, 48)), noise(flat.CONTEXT + 3)
    changed = frames.copy()
    changed[0] ^= 255
    before, after = nats(net, frames), nats(net, changed)
    assert (before[flat.CONTEXT - 2] != after[flat.CONTEXT - 2]).any()
    assert torch.allclose(before[flat.CONTEXT :], after[flat.CONTEXT :], atol=1e-5)


def test_both_are_judged_on_the_same_frames(corpus: Corpus) -> None:
    """The costs of a stretch are those of its frames in each network, computed here slot by slot."""
    windows = WindowSampler(prepare(corpus, cmp.PLAN.length + 1, cmp.PLAN.missed))
    (stretch,) = cmp.held_out_stretches(corpus)
    assert stretch.start >= cmp.BEFORE and stretch.start + cmp.FRAMES <= len(stretch.frames)
    ours = cmp.TwoLevels(TINY, cmp.PLAN, windows)
    other = cmp.FlatStream(TINY, cmp.PLAN, corpus)
    with torch.no_grad():
        ((registers, everything, alone),) = ours.nats([stretch]).tolist()
        heard = cut_window(stretch.frames, stretch.start - 256, 256 + cmp.FRAMES)
        alone_heard = TrainingWindow(heard.values, heard.tokens, *rc.nothing(256 + cmp.FRAMES))
        by_slot = ours.network.nats(*stack_windows(heard))[-cmp.FRAMES :].mean(0)
        by_slot_alone = ours.network.nats(*stack_windows(alone_heard))[-cmp.FRAMES :].mean(0)
        flat_costs = nats(other.network, stretch.frames[stretch.start - 40 : stretch.start + cmp.FRAMES])
    assert heard.values[256:].tolist() == stretch.frames[stretch.start :][: cmp.FRAMES, tk.COLUMN_OF_SLOT].tolist()
    assert everything == pytest.approx(by_slot.sum().item(), rel=1e-5)
    first_controls = by_slot[[5, 13, 21]].sum().item()
    assert first_controls > 0 and registers == pytest.approx(everything - first_controls, rel=1e-5)
    assert alone == pytest.approx(by_slot_alone[cmp.IN_REGISTERS].sum().item(), rel=1e-5)
    assert alone != pytest.approx(registers, rel=1e-5)
    assert other.nats([stretch])[0, 0] == pytest.approx(flat_costs[-cmp.FRAMES :].sum(1).mean().item(), rel=1e-5)


@pytest.fixture()
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set short windows, and a clock by which each step takes an eighth of a second."""
    monkeypatch.setattr(flat, "CONTEXT", 8)
    monkeypatch.setattr(cmp, "PLAN", replace(cmp.PLAN, length=32))
    ticks = itertools.count()
    monkeypatch.setattr(cmp, "time", SimpleNamespace(thread_time=lambda: next(ticks) / 8))


def test_a_learner_learns_by_its_own_clock(corpus: Corpus, small: None) -> None:
    plan = replace(cmp.PLAN, batch=2, learning_rate=1e-2)
    learner = cmp.Learner("flat", cmp.FlatStream(TINY, plan, corpus), plan, limit_s=10.0)
    stretches = cmp.held_out_stretches(corpus)
    learner.prepare(compiled=False)
    learner.judge(0.0, stretches)
    assert learner.step == 0 and learner.clock_s == 0
    learner.learn(8.5)
    assert learner.step == 68 and learner.optimisers[0].param_groups[0]["lr"] == pytest.approx(plan.rate(837, 0.8375))
    assert plan.rate(837, 0.8375) < 0.6 * plan.learning_rate
    learner.judge(0.85, stretches)
    assert learner.clock_s == 8.5 and learner.step == 68
    assert learner.judged[0.85][0, 0] < learner.judged[0.0][0, 0] / 2


def test_the_command_prints_both_networks(
    corpus: Corpus,
    tmp_path: Path,
    small: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(PRESETS, "pocket", ModelConfig("pocket", TINY.time, TINY.column))
    picture = tmp_path / "curves.svg"
    command = ["bench", "mind", str(corpus.folder), "--minutes", "0.0625", "--no-compile", "--picture", str(picture)]
    assert main([*command, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    values = {result["name"]: result["value"] for result in printed["results"]}
    assert values["context_s.ours"] == pytest.approx(32 / 50.125, rel=1e-3)
    assert values["context_s.flat"] == pytest.approx(8 / 50.125, rel=1e-3)
    assert values["nats_per_frame.ours"] < values["nats_per_frame_28.ours"]
    assert values["frames_trained.ours"] == 30 * 4 * 32 and values["frames_trained.flat"] == 30 * 2 * 7
    moments = {name: [] for name in ("ours", "flat at 0.002", "flat at 0.001")}
    costs = {}
    for row in printed["curve"]:
        moments[row["network"]].append(row["minutes"] / 0.0625)
        costs[row["network"], row["minutes"] / 0.0625] = row["nats_per_frame"]
    assert moments.pop("ours") == pytest.approx(cmp.MOMENTS)
    (given_up, until), (kept, end) = sorted(moments.items(), key=lambda item: item[1][-1])
    assert until == pytest.approx(cmp.MOMENTS[:3]) and end == pytest.approx(cmp.MOMENTS)
    assert costs[kept, until[-1]] <= costs[given_up, until[-1]]
    assert values["nats_per_frame.flat"] == pytest.approx(costs[kept, end[-1]])
    assert len(ElementTree.parse(picture).getroot().findall("{*}polyline")) == 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--minutes", "0"], "--minutes expects more than 0"),
        (["--minutes", "nan"], "--minutes expects more than 0"),
        (["--threads", "0"], "--threads expects 1 or more"),
        (["--picture", "out.png"], "a name that ends in .svg"),
        ([], "holds no corpus"),
    ],
)
def test_the_command_refuses_in_one_line(
    options: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "mind", str(tmp_path), *options]) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1


def test_tunes_that_are_too_short_to_judge_by_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    process.make_corpus(tmp_path / "corpus")
    assert main(["bench", "mind", str(tmp_path / "corpus"), "--no-compile"]) == 2
    assert "no tune held out has" in capsys.readouterr().err
