"""Training: a run learns, resumes exactly, gives the same on several processes, and reports errors in one line."""

import itertools
import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import train_in_a_process as process
from engines import lively

from sidlive.chip.registers import FREQ_LO, PW_LO, VOICES, register_of, silence
from sidlive.cli import main
from sidlive.errors import ModelError
from sidlive.model import recall as rc
from sidlive.model.config import ModelConfig, Stack
from sidlive.model.corpus.shards import Corpus, open_corpus
from sidlive.model.tokens import COLUMN_OF_SLOT, KINDS
from sidlive.model.training import precision
from sidlive.model.training import train as training
from sidlive.model.training.checkpoints import load_checkpoint
from sidlive.model.training.export import averaged
from sidlive.model.training.plan import TrainingPlan
from sidlive.model.training.prepared import prepare
from sidlive.model.training.ranks import CPU, Ranks
from sidlive.model.training.train import Run, TrainingProgress, train
from sidlive.model.training.windows import WindowSampler, cut_window, held_out
from sidlive.model.weights import floats_of, save_weights

TINY = process.TINY
PLAN = TrainingPlan(steps=40, batch=2, length=32, warmup=5, learning_rate=1e-2)


@pytest.fixture()
def corpus(tmp_path: Path) -> Corpus:
    """Two tunes of arpeggios over a pulse-width sweep, one of them held out."""
    process.make_corpus(tmp_path / "corpus")
    return open_corpus(tmp_path / "corpus")


def sampler(corpus: Corpus, length: int = 32) -> WindowSampler:
    """Return the sampler of a corpus's windows of at most ``length`` frames."""
    return WindowSampler(prepare(corpus, length + 1, 0.3))


@pytest.fixture()
def one_thread():
    """The order of sums depends on the number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_it_learns_a_tune_it_never_trained_on(corpus: Corpus, tmp_path: Path) -> None:
    run = Run(tmp_path / "run", TINY, PLAN, compiled=False)
    batches = held_out(corpus, length=32)
    before = run.measure(batches)
    train(corpus, run, measure_every=20)
    assert run.held_out_nats is not None and run.held_out_nats < before / 2
    assert run.best <= run.held_out_nats
    assert load_checkpoint(tmp_path / "run" / "best.pt")["config"] == TINY.to_dict()
    rows = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [0, 20, 40]


def files_of(folder: Path) -> dict[str, object]:
    """Read all files of a run's folder, without the times in them."""
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    log = [{name: value for name, value in row.items() if name != "time"} for row in rows]
    kept = {name: load_checkpoint(folder / f"{name}.pt") for name in ("checkpoint", "best")}
    del kept["checkpoint"]["seconds"]
    return kept | {"log": log}


def assert_same(one: object, other: object, place: str = "") -> None:
    """Assert that two nested values are equal to the bit, tensors too. ``place``: for the message."""
    if isinstance(one, torch.Tensor):
        assert isinstance(other, torch.Tensor) and torch.equal(one, other), place
    elif isinstance(one, dict):
        assert isinstance(other, dict) and one.keys() == other.keys(), place
        for name in one:
            assert_same(one[name], other[name], f"{place}.{name}")
    elif isinstance(one, list):
        assert isinstance(other, list) and len(one) == len(other), place
        for number, (a, b) in enumerate(zip(one, other, strict=True)):
            assert_same(a, b, f"{place}[{number}]")
    else:
        assert one == other, (place, one, other)


@pytest.fixture()
def whole(corpus: Corpus, tmp_path: Path, one_thread: None) -> dict[str, object]:
    """The files of a run of six steps that was never stopped, measured after each second step."""
    process.learn(corpus.folder, tmp_path / "whole", 6)
    return files_of(tmp_path / "whole")


@pytest.mark.parametrize("moment", ["in step 4", "at save 4"])
def test_a_run_that_was_killed_is_the_run_that_was_never_stopped(
    corpus: Corpus, tmp_path: Path, whole: dict[str, object], moment: str
) -> None:
    """Killed at save 4, the log and best.pt are one measurement ahead of the checkpoint."""
    command = [sys.executable, process.__file__, str(corpus.folder), str(tmp_path / "parts"), "6", moment]
    killed = subprocess.run(command, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert files_of(tmp_path / "parts")["checkpoint"]["step"] == 3
    process.learn(corpus.folder, tmp_path / "parts", 6)
    assert_same(whole, files_of(tmp_path / "parts"))


def test_an_interrupt_within_an_update_waits_until_it_is_whole(
    corpus: Corpus, tmp_path: Path, whole: dict[str, object]
) -> None:
    def interrupt(run: Run) -> None:
        run.optimisers[0].register_step_pre_hook(lambda *_: signal.raise_signal(signal.SIGINT))

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores SIGINT from its start
    try:
        with pytest.raises(KeyboardInterrupt):
            process.learn(corpus.folder, tmp_path / "parts", 6, interrupt)
    finally:
        signal.signal(signal.SIGINT, before)
    assert load_checkpoint(tmp_path / "parts" / "checkpoint.pt")["step"] == 1
    process.learn(corpus.folder, tmp_path / "parts", 6)
    assert_same(whole, files_of(tmp_path / "parts"))


@pytest.mark.parametrize("step", [4, 6])
def test_an_interrupted_measurement_is_done_after_resuming(
    corpus: Corpus, tmp_path: Path, whole: dict[str, object], step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def evaluate(network, *arguments):
        if load_checkpoint(tmp_path / "parts" / "checkpoint.pt")["step"] == step - 1:
            raise KeyboardInterrupt
        return real(network, *arguments)

    real = training.evaluate
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(training, "evaluate", evaluate)
        process.learn(corpus.folder, tmp_path / "parts", 6)
    assert load_checkpoint(tmp_path / "parts" / "checkpoint.pt")["step"] == step
    process.learn(corpus.folder, tmp_path / "parts", 6)
    assert_same(whole, files_of(tmp_path / "parts"))


def test_two_processes_learn_the_same_as_one(corpus: Corpus, tmp_path: Path, one_thread: None) -> None:
    alone = process.learn(corpus.folder, tmp_path / "one", 20)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*torchrun, process.__file__, str(corpus.folder), str(tmp_path / "two"), "20"]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    by_rank = [json.loads((tmp_path / f"two.{rank}.json").read_text()) for rank in range(2)]
    assert by_rank[0] == by_rank[1] and len(alone) == 20
    assert by_rank[0] == pytest.approx(alone, abs=1e-4)
    assert alone[-1] < alone[0] / 2  # there was something to learn
    one, two = files_of(tmp_path / "one"), files_of(tmp_path / "two")
    assert [row["step"] for row in two["log"]] == [row["step"] for row in one["log"]] == list(range(2, 21, 2))
    assert two["checkpoint"]["best"] == pytest.approx(one["checkpoint"]["best"], abs=1e-3)
    for kind in ("model", "average"):
        for name, weights in one["checkpoint"][kind].items():
            torch.testing.assert_close(two["checkpoint"][kind][name], weights, atol=1e-2, rtol=0)  # Muon rounds to bf16


def test_the_ranks_share_a_step_without_overlap(corpus: Corpus) -> None:
    windows, plan = sampler(corpus), TrainingPlan(steps=1, batch=5, length=32)
    whole = windows.batch(plan, 7)
    shares = [windows.batch(plan, 7, Ranks(rank, 3)) for rank in range(3)]
    assert [len(share.values) for share in shares] == [2, 2, 1]
    said = whole.tokens[:, 1:].flatten(0, 1)[whole.chosen]
    for rank, share in enumerate(shares):
        for part in ("values", "tokens"):
            assert torch.equal(getattr(share, part), getattr(whole, part)[rank::3])
        mine = torch.isin(whole.chosen // plan.length, torch.arange(rank, 5, 3))
        for part in ("recalled", "strengths"):
            assert torch.equal(getattr(share, part), getattr(whole, part)[mine])
        assert torch.equal(share.tokens[:, 1:].flatten(0, 1)[share.chosen], said[mine])
    assert sum(len(share.chosen) for share in shares) == len(whole.chosen) == 5 * plan.chosen
    assert len(set(whole.chosen.tolist())) == len(whole.chosen)


def test_fewer_windows_than_processes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="--batch 2"):
        Run(tmp_path, TINY, PLAN, compiled=False, ranks=Ranks(0, 3))


def test_training_windows_never_come_from_held_out_tunes(corpus: Corpus) -> None:
    windows = sampler(corpus)
    assert len(windows.prepared.layout.lengths) == 1 and len(held_out(corpus, length=32)[0].values) == 1
    batch = windows.batch(PLAN, 3)
    assert torch.equal(batch.tokens, windows.batch(PLAN, 3).tokens)
    assert not torch.equal(batch.tokens, windows.batch(PLAN, 4).tokens)


def test_some_windows_hear_an_earlier_passage_pinned_before_them(corpus: Corpus) -> None:
    """Such a window holds two passages of a tune, in their order. The frame after the gap is not predicted."""
    plan = TrainingPlan(steps=1, batch=40, length=64, share=1.0)
    tune = silence(400)
    for column, digit in ((FREQ_LO, 1), (PW_LO, 256)):  # every frame bears its number in each of its voices
        for voice in range(VOICES):
            tune[:, register_of(voice, column)] = np.arange(400) // digit % 256
    np.save(corpus.folder / "shard-000.npy", np.concatenate([tune, tune]))
    windows = sampler(open_corpus(corpus.folder), length=64)
    batch = windows.batch(replace(plan, pinned=0.5), 0)
    places = {frame[COLUMN_OF_SLOT].tobytes(): at for at, frame in enumerate(tune)}  # however its voices rotate
    predicted = {int(prediction) for prediction in batch.chosen}
    gaps = 0
    for row, values in enumerate(batch.values.numpy().astype(np.uint8)):
        at = np.array([places[frame.tobytes()] for frame in values])
        jumps = np.flatnonzero(np.diff(at) != 1)
        assert len(jumps) <= 1
        unpredicted = [frame for frame in range(plan.length) if plan.length * row + frame not in predicted]
        for jump in jumps:
            assert at[jump + 1] > at[jump] and jump < plan.length // 2
            assert unpredicted == [jump]
            gaps += 1
    assert 10 <= gaps <= 30
    none = windows.batch(replace(plan, pinned=0.0), 0)
    assert len(none.chosen) == plan.batch * plan.length


def test_frames_hidden_from_recall_are_still_learned(corpus: Corpus) -> None:
    """Notes hidden from recall are still among the tokens, so the model learns to generate them."""
    frames = corpus.frames(corpus.tunes[0])
    whole = cut_window(frames, 200, 100)
    lossy = cut_window(frames, 200, 100, missed=0.3, rng=np.random.default_rng(1))
    assert np.array_equal(whole.tokens, lossy.tokens) and np.array_equal(whole.values, lossy.values)
    assert (lossy.strengths < whole.strengths).any() and not (lossy.tokens == lossy.recalled[..., 0]).all()
    deaf = cut_window(frames, 200, 100, memory=None)
    assert (deaf.recalled == rc.NOTHING).all() and not deaf.strengths.any()


def test_the_learning_rate_rises_stays_and_falls_to_zero() -> None:
    plan = TrainingPlan(steps=1000, warmup=100, decay_from=0.5, learning_rate=1.0)
    rates = [plan.rate(step, plan.progress(step, 0.0)) for step in (0, 300, 750, 1000)]
    assert rates == pytest.approx([0.01, 1.0, 0.5, 0.0])


def test_the_learning_rate_follows_the_clock_in_a_run_of_minutes() -> None:
    """Also if the run has fewer steps than the warm-up: the rate then rises over the first tenth of the time."""
    plan = TrainingPlan(steps=1, minutes=10, warmup=100, decay_from=0.5, learning_rate=1.0)
    assert plan.progress(0, 0) == 0.0 and plan.progress(5000, 300) == 0.5 and plan.progress(3, 700) == 1.0
    rates = [plan.rate(step, plan.progress(step, seconds)) for step, seconds in ((0, 0), (5, 30), (9, 60), (70, 450))]
    assert rates == pytest.approx([0.01, 0.5, 1.0, 0.5])
    assert plan.rate(99, 0.01) == 1.0


def test_a_run_of_minutes_ends_by_the_clock_and_goes_on_by_it(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each look at the clock takes a second here. The run is stopped after 4 seconds and resumed."""
    ticks = itertools.count()
    monkeypatch.setattr(training.time, "monotonic", lambda: float(next(ticks)))
    plan = replace(PLAN, minutes=0.5)
    run = Run(tmp_path / "run", TINY, plan, compiled=False)

    def stop(progress: TrainingProgress) -> None:
        if run.seconds >= 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(corpus, run, report_progress=stop)
    assert 4 <= run.seconds < 30 and run.progress < 1
    resumed = Run(tmp_path / "run", TINY, plan, compiled=False)
    assert resumed.resume() and (resumed.step, resumed.seconds) == (run.step, run.seconds)
    train(corpus, resumed)
    assert resumed.progress == 1 and 30 <= resumed.seconds < 35
    assert resumed.step < 30 and resumed.measured == resumed.step and (tmp_path / "run" / "best.pt").exists()
    assert resumed.optimisers[0].param_groups[0]["lr"] < PLAN.learning_rate / 2


def test_a_run_begins_with_the_weights_of_a_model(
    corpus: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From a file for the engine, or from a checkpoint; the network's shape is the model's."""
    weights = lively()
    save_weights(weights, tmp_path / "model.safetensors")
    options = ["--steps", "1", "--length", "32", "--no-compile", "--learning-rate", "1e-9", "--precision", "fp32"]
    command = ["train", str(corpus.folder), *options, "--json"]
    assert main([*command, "-o", str(tmp_path / "a"), "--from", str(tmp_path / "model.safetensors")]) == 0
    values = {result["name"]: result["value"] for result in json.loads(capsys.readouterr().out)["results"]}
    assert (values["steps"], values["precision"]) == (1, "fp32")
    assert main([*command, "-o", str(tmp_path / "b"), "--from", str(tmp_path / "a" / "best.pt")]) == 0
    for name, expected in floats_of(weights).items():
        for folder in "ab":
            found = load_checkpoint(tmp_path / folder / "checkpoint.pt")["average"][name].numpy()
            assert np.allclose(found, expected, atol=1e-6), name
    capsys.readouterr()
    other = ["-o", str(tmp_path / "c"), "--from", str(tmp_path / "model.safetensors"), "--preset", "stage"]
    assert main([*command, *other]) == 2
    assert "expects weights of stage, found" in capsys.readouterr().err


def test_the_faster_precision_is_chosen_by_measuring(monkeypatch: pytest.MonkeyPatch) -> None:
    speed = {torch.float32: 60.0, torch.bfloat16: 2.0}  # as on processors with AVX2
    monkeypatch.setattr(precision, "multiplications_per_s", lambda kind, device: speed[kind])
    assert precision.choose_precision("auto", CPU) == torch.float32
    assert precision.choose_precision("bf16", CPU) == torch.bfloat16
    speed[torch.bfloat16] = 240.0  # as with AVX-512
    assert precision.choose_precision("auto", CPU) == torch.bfloat16
    assert precision.choose_precision("fp32", CPU) == torch.float32


def test_products_are_measured_in_both_precisions() -> None:
    for kind in precision.PRECISIONS.values():
        assert precision.multiplications_per_s(kind, CPU, 64) > 1e5


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 cut short"])
def test_a_damaged_checkpoint_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="cannot be read"):
        load_checkpoint(path)
    with pytest.raises(ModelError, match="no checkpoint"):
        load_checkpoint(tmp_path / "absent.pt")


def test_a_run_with_guides_is_measured_with_and_without(corpus: Corpus, tmp_path: Path, one_thread: None) -> None:
    """The better one of two checkpoints is the one with the lower mean of both."""
    run = Run(tmp_path, TINY, replace(PLAN, guided=0.5), compiled=False)
    train(corpus, run, measure_every=20)
    assert run.guided_nats is not None and run.held_out_nats is not None
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert rows[-1]["guided"] == run.guided_nats != run.held_out_nats
    assert run.best == pytest.approx(min((row["held_out"] + row["guided"]) / 2 for row in rows))
    resumed = Run(tmp_path, TINY, replace(PLAN, guided=0.5), compiled=False)
    assert resumed.resume() and resumed.guided_nats == run.guided_nats


def test_a_run_begins_with_weights_from_before_guides(corpus: Corpus, tmp_path: Path) -> None:
    """They lack the strength of a guide's suggestions."""
    run = Run(tmp_path, TINY, PLAN, compiled=False)
    run.learn(sampler(corpus).batch(PLAN, 0))
    run.save()
    kept = torch.load(run.checkpoint, weights_only=True)
    for part in ("model", "average"):
        strengths = kept[part]["strength_embedding"].view(rc.CHOICES * KINDS, rc.STRENGTHS, -1)
        kept[part]["strength_embedding"] = strengths[:, : rc.GUIDE].flatten(0, 1)
    torch.save(kept, run.checkpoint)
    later = Run(tmp_path / "later", TINY, PLAN, compiled=False)
    later.start_from(averaged(load_checkpoint(run.checkpoint)))
    rows_by_strength = later.network.strength_embedding.view(rc.CHOICES * KINDS, rc.STRENGTHS, -1)
    assert torch.equal(rows_by_strength[:, rc.GUIDE], rows_by_strength[:, rc.GUIDE - 1])
    train(corpus, later)
    assert later.step == PLAN.steps


def test_a_run_of_an_older_version_says_how_to_go_on(corpus: Corpus, tmp_path: Path) -> None:
    run = Run(tmp_path, TINY, PLAN, compiled=False)
    run.save()
    kept = torch.load(run.checkpoint, weights_only=True)
    del kept["optimised_by"]
    torch.save(kept, run.checkpoint)
    with pytest.raises(ModelError, match=r"checkpoint.pt was trained by an older version: .* --from .*checkpoint.pt"):
        Run(tmp_path, TINY, PLAN, compiled=False).resume()


def test_a_run_of_another_shape_is_refused(corpus: Corpus, tmp_path: Path) -> None:
    run = Run(tmp_path, TINY, PLAN, compiled=False)
    run.save()
    other = ModelConfig("other", TINY.time, Stack(16, 2, 2, 1, 24))
    with pytest.raises(ModelError, match="another network"):
        Run(tmp_path, other, PLAN, compiled=False).resume()


def test_the_error_for_a_file_that_is_no_checkpoint_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(b"PSID" + bytes(300))
    with pytest.raises(ModelError, match=r"a\.pt cannot be read as a checkpoint \(\w+\); train again") as caught:
        load_checkpoint(tmp_path / "a.pt")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--length", "1"], "--length expects a whole number from 2, found 1"),
        (["--threads", "-1"], "--threads expects 1 or more, found -1"),
        (["-o", "{}"], "cannot be made a folder: File exists"),
        (["--guided", "1.5"], "--guided expects 0 to 1, found 1.5"),
    ],
)
def test_a_wrong_option_is_reported_before_training_begins(
    corpus: Corpus, tmp_path: Path, words: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.txt").write_text("")
    run = ["train", str(corpus.folder), "-o", str(tmp_path / "run"), "--steps", "1", "--no-compile"]
    assert main([*run, *(word.format(tmp_path / "a.txt") for word in words)]) == 2
    assert expected in capsys.readouterr().err


def test_windows_longer_than_every_tune_are_refused(corpus: Corpus) -> None:
    with pytest.raises(ModelError, match="--length"):
        sampler(corpus, 4000).batch(TrainingPlan(steps=1, length=4000), 0)
