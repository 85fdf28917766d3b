"""Judging on small corpora made here: the cost of tunes, continuations, and ``sidlive eval``."""

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from engines import WARM, lively, tune
from fake_composer import FakeComposer
from tunes_by_hand import INIT, program, sid_file

from sidlive.chip import registers as sid
from sidlive.cli import main
from sidlive.errors import ModelError
from sidlive.model import tokens as tk
from sidlive.model.composer.continuation import Manner
from sidlive.model.composer.plan_settings import PlanSettings
from sidlive.model.corpus import shards
from sidlive.model.corpus.shards import Corpus, CorpusTune, split_of
from sidlive.model.engine import Engine
from sidlive.model.judging.continuations import (
    MEASURES,
    Continuation,
    choose_prompts,
    compare,
    continue_prompts,
    criticise,
    summarise,
)
from sidlive.model.judging.likelihood import GROUPS, interval, judge, stretches
from sidlive.model.weights import save_weights


def corpus_of(held_out: list[sid.Frames], train: list[sid.Frames]) -> Corpus:
    """Make a corpus in memory."""
    entries, shards = [], {}
    for split, songs in (("held-out", held_out), ("train", train)):
        for number, frames in enumerate(songs):
            name = f"{split}-{number}"
            shards[name] = frames
            entry = CorpusTune(f"{name}.sid", 1, name, "", "", "6581", "PAL", 50.0, name, 0, len(frames), split)
            entries.append(entry)
    return Corpus(Path("nowhere"), tuple(entries), shards)


@pytest.fixture(scope="module")
def small() -> Engine:
    return Engine(lively())


def warm(_tune: CorpusTune, _heard: sid.Frames, lane: int) -> Manner:
    return Manner(replace(WARM, lane=lane), PlanSettings())


def test_every_slot_is_in_one_group() -> None:
    kinds = [kind for group in GROUPS.values() for kind in group]
    assert sorted(kinds) == list(range(tk.KINDS))


def test_costs_are_the_engines_own_and_sum_up(small: Engine) -> None:
    corpus = corpus_of([tune(60, 1), tune(80, 2), tune(30, 3)], [tune(90, 4)])
    *_, judged = judge(small, corpus, length=40)
    assert judged.frames == 80 and len(judged.by_kind) == 2  # the third is too short
    (first, start), _ = stretches(corpus, 40)
    frames = corpus.frames(first)[start : start + 41]
    small.reset()
    small.prefill(frames[:1])
    assert judged.totals[0] == pytest.approx(small.weigh(frames[1:]).sum() / 40, rel=1e-5)
    assert sum(judged.groups.values()) == pytest.approx(judged.totals)
    low, high = judged.interval()
    assert judged.totals.min() <= low <= judged.nats_per_frame <= high <= judged.totals.max()
    with pytest.raises(ModelError, match="no held-out tune of the corpus has 101 frames"):
        next(judge(small, corpus, length=100))


def test_a_limit_on_tunes_chooses_some_of_the_same_stretches() -> None:
    corpus = corpus_of([tune(50 + n, n) for n in range(9)], [])
    drawn = stretches(corpus, 20)
    few = stretches(corpus, 20, most=4)
    assert len(few) == 4 and all(one in drawn for one in few) and len(set(few)) == 4
    assert stretches(corpus, 20, most=50) == drawn


def test_the_confidence_interval_covers_the_mean_about_95_times_in_100() -> None:
    rng = np.random.default_rng(1)
    covered = [low <= 0 <= high for low, high in (interval(rng.normal(size=60)) for _ in range(200))]
    assert 0.88 < np.mean(covered) < 0.99
    assert interval(np.array([3.0])) == (3.0, 3.0)


def test_no_tune_is_used_twice_before_each_has_been_used_once() -> None:
    corpus = corpus_of([tune(n, n) for n in (90, 100, 110, 40)], [tune(200, 9)])
    chosen = choose_prompts(corpus, 6, heard=30, seconds=1.0)
    assert (
        len(chosen) == 6 and len({one.tune for one in chosen[:3]}) == 3 and len({one.tune for one in chosen[3:]}) == 3
    )
    for one in chosen:
        assert one.tune.split == "held-out" and one.prompt_end - one.start == 30 and one.end - one.prompt_end == 50
        assert one.start >= 0 and one.end <= one.tune.length
    assert chosen == choose_prompts(corpus, 6, heard=30, seconds=1.0)
    assert chosen != choose_prompts(corpus, 6, heard=30, seconds=1.0, seed=1)
    with pytest.raises(ModelError, match="has 30 frames and 9 s after them"):
        choose_prompts(corpus, 1, heard=30, seconds=9.0)


def test_a_continuation_is_what_the_engine_generates_after_the_prompt(small: Engine) -> None:
    corpus = corpus_of([tune(120, 1)], [])
    (prompt,) = choose_prompts(corpus, 1, heard=40, seconds=0.4)
    (one,) = continue_prompts(small, corpus, [prompt], warm)
    small.reset()
    small.prefill(corpus.frames(prompt.tune)[prompt.start : prompt.prompt_end])
    assert (one.generated == [small.step(WARM) for _ in range(20)]).all()
    assert (one.real == corpus.frames(prompt.tune)[prompt.prompt_end : prompt.end]).all()


def test_a_composer_writes_notes_for_each_continuation(small: Engine) -> None:
    corpus, composer = corpus_of([tune(400, 1)], []), FakeComposer()
    prompts = choose_prompts(corpus, 2, heard=200, seconds=0.4)
    plain = list(continue_prompts(small, corpus, prompts, warm))
    planned = list(continue_prompts(small, corpus, prompts, warm, composer))
    assert composer.resets == 2 and composer.written > 40
    assert all((one.generated != other.generated).any() for one, other in zip(plain, planned, strict=True))


def test_a_perfect_copy_has_the_measures_of_the_real_tune_and_is_found() -> None:
    training = [tune(300, 4), tune(300, 5)]
    corpus = corpus_of([tune(300, 1), tune(300, 2), tune(300, 3)], training)
    prompts = choose_prompts(corpus, 3, heard=100, seconds=2.0)
    frames = [corpus.frames(prompt.tune) for prompt in prompts]
    real = [whole[prompt.prompt_end : prompt.end] for whole, prompt in zip(frames, prompts, strict=True)]
    stolen, heard = training[1][100:200], frames[2][prompts[2].start : prompts[2].prompt_end]
    made = [real[0], stolen, heard]
    generated, truth = compare(corpus, [Continuation(*parts) for parts in zip(prompts, made, real, strict=True)])
    assert set(generated) == set(truth) == set(MEASURES)
    assert all(generated[name][0] == pytest.approx(truth[name][0], nan_ok=True) for name in MEASURES)
    assert generated["copied_from_training"][1] == 100 and truth["copied_from_training"][1] < 100
    assert generated["copied_from_prompt"][2] == 100 and truth["copied_from_prompt"][2] < 100


def test_without_a_training_set_copies_from_it_are_nan() -> None:
    corpus = corpus_of([tune(300, 1)], [])
    (prompt,) = choose_prompts(corpus, 1, heard=100, seconds=2.0)
    real = corpus.frames(prompt.tune)[prompt.prompt_end : prompt.end]
    generated, _ = compare(corpus, [Continuation(prompt, real, real)])
    assert np.isnan(generated["copied_from_training"]).all() and not np.isnan(generated["copied_from_prompt"]).any()


def test_a_summary_leaves_out_nan() -> None:
    summary = summarise(np.array([1.0, np.nan, 3.0]))
    assert summary is not None and (summary.mean, summary.most, summary.count) == (2.0, 3.0, 2)
    assert summarise(np.array([np.nan])) is None


def test_the_command_takes_a_folder_of_tunes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, model, picture = tmp_path / "tunes", tmp_path / "small.safetensors", tmp_path / "out.svg"
    folder.mkdir()
    save_weights(lively(), model)
    split = {"held-out": 0, "train": 0}
    number = 0
    while min(split.values()) < 2:  # names until both splits have two
        path = folder / f"Tune_{number}.sid"
        number += 1
        if split[split_of(path)] < 2:
            split[split_of(path)] += 1
            path.write_bytes(sid_file(image=rising(number), name=path.stem.encode()))
    command = ["eval", str(model), str(folder), "--length", "64", "--json"]
    rolls = tmp_path / "rolls"
    monkeypatch.setattr("sidlive.model.judging.continuations.LONG_S", 2.0)
    options = ["--generate", "3", "--seconds", "1", "--prompt-frames", "32", "--long", "1"]
    assert main([*command, *options, "--picture", str(picture), "--rolls", str(rolls)]) == 0
    values = {result["name"]: result["value"] for result in json.loads(capsys.readouterr().out)["results"]}
    assert (values["tunes"], values["split"], values["prompts"]) == (2, "held-out", 3)
    parts = [values[f"nats_per_frame.{group}"] for group in GROUPS]
    assert (
        sum(parts) == pytest.approx(values["nats_per_frame"])
        and values["nats_per_frame.low"] <= values["nats_per_frame"]
    )
    for name in MEASURES:
        assert f"generated.{name}" in values and f"real.{name}" in values
    assert values["real.onsets_per_s"] < 2 and values["real.copied_from_training.longest"] < 50
    assert ElementTree.parse(picture).getroot().tag.endswith("svg")
    assert {"generated.onsets_ratio.10min", "generated.in_tune.10min", "generated.voices_lost.10min"} <= values.keys()
    drawn = [ElementTree.parse(path).getroot() for path in sorted(rolls.glob("*.svg"))]
    assert len(drawn) == 3 and all("generated" in "".join(root.itertext()) for root in drawn)

    # With several seeds and settings, figures are over all of them, over the seeds of each, and of each trial.
    options = ["--generate", "2", "--seconds", "1", "--prompt-frames", "32", "--long", "0", "--new-sounds", "0.7"]
    options += ["--seed", "1,2", "--temperature", ".5,1.5", "--contrast", "1"]
    assert main([*command, *options, "--picture", str(picture), "--rolls", str(rolls)]) == 0
    values = {result["name"]: result["value"] for result in json.loads(capsys.readouterr().out)["results"]}
    assert (values["settings.temperature"], values["settings.contrast"], values["seed"]) == ("0.5,1.5", 1.0, "1,2")
    assert not {"settings.new_sounds", "settings.vary"} & values.keys(), "defaults are not named"
    for side, measure in (("generated", "register_changes_per_s"), ("real", "onsets_per_s")):
        whole = values[f"{side}.{measure}"]
        choices = [values[f"{side}.{measure}[temperature={heat}]"] for heat in ("0.5", "1.5")]
        trials = [
            [values[f"{side}.{measure}[temperature={heat},seed={seed}]"] for seed in (1, 2)] for heat in ("0.5", "1.5")
        ]
        assert choices == pytest.approx([np.mean(one) for one in trials]) and whole == pytest.approx(np.mean(choices))
        assert (choices[0] != choices[1]) == (side == "generated")
    assert {path.name for path in rolls.glob("seed*.svg")} == {
        f"seed{seed}-{n:02d}.svg" for seed in (1, 2) for n in (1, 2)
    }
    assert "generated, temperature 0.5, contrast 1" in (rolls / "seed1-01.svg").read_text()
    assert "temperature=1.5" in picture.read_text()
    assert main([word for word in [*command, *options] if word != "--json"]) == 0
    printed = capsys.readouterr().out
    assert "beside the real ones, temperature=0.5" in printed and "seed 2" in printed

    # The tunes of composers who are held out are judged beside the others, and prompts come from them.
    monkeypatch.setattr(shards, "is_composer_held_out", lambda author: author == "Somebody")
    unheard = [folder / f"{name}.sid" for name in "ABCDEFGH" if split_of(folder / f"{name}.sid") == "train"]
    for number, path in enumerate(unheard, 30):
        path.write_bytes(sid_file(image=rising(number), name=path.stem.encode(), author=b"Somebody"))
    assert main([*command, "--generate", "2", "--seconds", "1", "--prompt-frames", "32", "--long", "0"]) == 0
    values = {result["name"]: result["value"] for result in json.loads(capsys.readouterr().out)["results"]}
    assert (values["tunes"], values["held_out_composers.tunes"]) == (2, len(unheard))
    assert values["held_out_composers.nats_per_frame.low"] <= values["held_out_composers.nats_per_frame"]
    assert values["prompts_split"] == "held-out-composers"
    assert main([*command, "--split", "held-out"]) == 0
    values = {result["name"]: result["value"] for result in json.loads(capsys.readouterr().out)["results"]}
    assert "held_out_composers.nats_per_frame" not in values and values["tunes"] == 2
    for path in unheard:
        path.unlink()

    for path in folder.glob("*.sid"):
        if split_of(path) == "held-out":
            path.unlink()
    assert main(command) == 0
    captured = capsys.readouterr()
    values = {result["name"]: result["value"] for result in json.loads(captured.out)["results"]}
    assert (values["tunes"], values["split"]) == (2, "all") and "has no held-out tune" in captured.err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--length", "0"], "--length expects more than 0"),
        (["--generate", "-1"], "--generate expects 0 or more"),
        (["--generate", "--seconds", "nan"], "--seconds expects more than 0"),
        (["--generate", "--top-p", "most"], "top_p expects a number, 0.05 to 1.0, found 'most'"),
        (["--generate", "--temperature", ".8,9"], "temperature expects 0.0 to 2.0, found 9"),
        (["--tunes", "0"], "--tunes expects 1 or more"),
        (["--generate", "--long", "-1"], "--long expects 0 or more"),
        (["--picture", "out.png"], "a name that ends in .svg"),
        ([], "holds no corpus"),
    ],
)
def test_the_command_refuses_in_one_line(
    options: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eval", "pocket", str(tmp_path), *options]) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1


def rising(number: int) -> bytes:
    """Return the program of a tune whose pitch rises, from a different start for each number."""
    return program(init=INIT.replace("A9 00", f"A9 {number % 256:02X}"))


def test_the_critic_compares_generated_with_real_continuations(tmp_path: Path) -> None:
    """The critic recognises held notes instead of the tunes' own music, but not another stretch of the tunes."""
    pytest.importorskip("sklearn")
    rng = np.random.default_rng(5)
    tunes, pieces = [], []
    for number in range(24):
        frames = np.zeros((6000, 28), np.uint8)
        frames[:, 24] = 0x0F
        frames[:, [4, 25]] = np.where(np.arange(6000) % 20 < 10, 0x41, 0x40)[:, None]
        frames[:, 1] = np.repeat(rng.integers(8, 60, 300), 20)
        pieces.append(frames)
        tunes.append(CorpusTune(
            f"{number}.sid", 1, "a tune", f"composer {number}", "", "6581", "PAL", 50.0, "shard-000.npy",
            6000 * number, 6000, "held-out",
        ))  # fmt: skip
    corpus = Corpus(tmp_path, tuple(tunes), {"shard-000.npy": np.concatenate(pieces)})
    prompts = choose_prompts(corpus, 24, heard=500, seconds=20.0)
    continued = []
    for prompt in prompts:
        real = corpus.frames(prompt.tune)[prompt.prompt_end : prompt.end]
        held = np.repeat(corpus.frames(prompt.tune)[prompt.prompt_end : prompt.prompt_end + 1], len(real), axis=0)
        continued.append(Continuation(prompt, held, real))
    figures = criticise(corpus, continued)
    assert figures["auc"] == 1 and figures["auc_prompt"] == 1 and figures["auc_notes"] == 1
    for name in ("auc_control", "auc_prompt_control", "auc_notes_control"):
        assert figures[name] is not None and 0.2 < figures[name] < 0.8
