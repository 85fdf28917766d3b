"""The measures of the clock: the bar of reference, and finding the frame in which a timed command is heard."""

from pathlib import Path

import numpy as np
import pytest
from takes_by_hand import noise

from sidlive.bench.clock import bar_of_reference, heard_in_their_frame, loops, probe, timed
from sidlive.chip.registers import PAL, silence
from sidlive.live.processes.options import RoomOptions
from sidlive.live.takes.take import TakeLog
from sidlive.model.config import ModelConfig, Stack
from sidlive.model.engine import Engine
from sidlive.model.weights import random_weights
from sidlive.tune.loading import load_fragment
from sidlive.tune.score.extract import score_of


@pytest.mark.parametrize(("name", "bar"), [("gallop", 80), ("circuit", 96), ("overdrive", 88), ("strut", 112)])
def test_the_bar_of_reference_is_the_bar_of_a_fragments_score(name: str, bar: int) -> None:
    assert bar_of_reference(score_of(load_fragment(name).frames), PAL.rate_hz) == pytest.approx(bar, rel=0.02)


def test_music_that_does_not_repeat_has_no_bar_of_reference() -> None:
    for frames in (silence(2000), noise(2000)):
        assert bar_of_reference(score_of(frames), PAL.rate_hz) is None


def test_a_command_that_comes_a_frame_late_is_noticed() -> None:
    frames = np.repeat(load_fragment("gallop").frames[:1], 200, axis=0)
    frames[50:80] = probe(1).frames[:30]
    frames[101:130] = probe(2).frames[:29]  # its frame was 100
    events = [
        {"verb": "lock", "arguments": [3, f"probe{n}"], "heard": at, "frame": 10} for n, at in ((1, 50), (2, 100))
    ]
    assert heard_in_their_frame(TakeLog({}, events, frames)) == (1, 2)


def small_engine() -> Engine:
    config = ModelConfig("small", Stack(64, 1, 2, 1, 64), Stack(64, 1, 2, 1, 64))
    return Engine(random_weights(config, std=0.2), context=64, headroom=256)


def test_timed_commands_are_heard_in_their_frame(tmp_path: Path) -> None:
    options = RoomOptions(device="null", midi="none", takes=tmp_path, engine=small_engine)
    results = {result.name: result.value for result in timed(options, 40, lambda text: None)}
    assert results["timed_exact.offline"] == 1.0 and results["timed_commands.offline"] > 25
    assert results["timed_late.live"] == 0 or results["timed_exact.live"] < 1  # a busy machine may be late, and says so


def test_loops_are_counted(tmp_path: Path) -> None:
    options = RoomOptions(device="null", midi="none", takes=tmp_path, engine=small_engine)
    results = {result.name: result for result in loops(options, 2.0, lambda text: None)}
    calls = int(results["loop_late"].unit.removeprefix("of ").removesuffix(" calls"))
    assert calls >= 1 and 0 <= int(results["loop_late"].value or 0) <= calls
