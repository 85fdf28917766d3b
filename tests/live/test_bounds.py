"""Heats, scales, the filter switch and forbidden values: how they reach the engine, and their replay."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_engine import PERIOD, FakeEngine, riff

from sidlive.chip import registers as sid
from sidlive.errors import ControlError
from sidlive.live.controls import parse_values, values_text
from sidlive.live.core.core import Core
from sidlive.live.script import Offline
from sidlive.live.session import Session
from sidlive.live.takes.replay import replay
from sidlive.live.takes.take import Take, read_take
from sidlive.model.config import ModelConfig, Stack
from sidlive.model.engine import UNCONSTRAINED, Constraints, Engine, Sampling
from sidlive.model.weights import random_weights
from sidlive.tune.fragment import Fragment

SMALL = ModelConfig("small", Stack(64, 1, 2, 1, 64), Stack(64, 1, 2, 1, 64))


class RecordingEngine(FakeEngine):
    """An engine that keeps the settings of its last step."""

    sampling = Sampling()
    constraints = UNCONSTRAINED

    def step(self, sampling: Sampling, *forced: Any) -> Any:
        self.sampling, self.constraints = sampling, forced[-1]
        return super().step(sampling, *forced)


class Stage:
    """A session in virtual time."""

    def __init__(self, engine: Any = None, take: Path | None = None) -> None:
        self.engine = engine or RecordingEngine()
        self.rows: list[np.ndarray] = []
        self.core = Core(Take(take, {}))
        self.session = Session(Offline(self.core, self.engine, self.rows.append))
        self.session.add(riff())
        self.session.prompt("riff")
        self.session.start()

    def asked(self) -> Constraints:
        self.session.wait(0.1)
        constraints: Constraints = self.engine.constraints
        return constraints


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_heats_reach_the_engine_and_go_back(stage: Stage) -> None:
    stage.session.temperature(0.8)
    stage.session.heat(rhythm=0.5, filter=2)
    stage.session.wait(0.1)
    asked = stage.engine.sampling
    assert (asked.temperature, asked.pitch_heat, asked.rhythm_heat, asked.filter_heat) == (0.8, 1.0, 0.5, 2.0)
    stage.session.heat(filter=1.5)
    assert (stage.session.get("rhythm_heat"), stage.session.get("filter_heat")) == (0.5, 1.5)
    stage.session.heat()
    assert {stage.session.get(f"{kind}_heat") for kind in ("pitch", "rhythm", "timbre", "filter")} == {1.0}
    with pytest.raises(ControlError, match=r"rhythm_heat expects 0\.0 to 2\.0, found 3"):
        stage.session.heat(rhythm=3)


def test_a_heat_has_a_knob_and_a_text_has_none(stage: Stage) -> None:
    stage.core.command("set", "filter", 0)
    stage.session.learn("timbre_heat")
    with pytest.raises(ControlError, match="scale has no range for a knob"):
        stage.session.learn("scale")


def test_where_nothing_is_forbidden_no_value_is_looked_up(stage: Stage) -> None:
    assert not stage.asked().active
    stage.session.scale("C minor")
    stage.session.filter(False)
    stage.session.forbid("ad", 3)
    assert stage.asked().active
    stage.session.scale(None)
    stage.session.filter(True)
    stage.session.permit()
    assert not stage.asked().active


def test_no_filter_is_no_routing(stage: Stage) -> None:
    stage.session.filter(False)
    asked = stage.asked()
    np.testing.assert_array_equal(np.flatnonzero(asked.values[sid.RES_ROUTE]), np.arange(0, 256, 16))
    assert asked.values[: sid.RES_ROUTE, :8].all() and not asked.in_scale
    assert stage.session.get("filter") == 0


def test_a_scale_is_at_the_prompts_tuning_and_moves_with_it(stage: Stage) -> None:
    """Prompt with a riff tuned 0.31 semitones sharp: the permitted frequencies move with it."""
    stage.session.scale([0, 4])
    before = stage.asked().notes
    sharp = riff("sharp")
    rows = sharp.frames.copy()
    for t in range(len(rows)):
        for voice in range(3):
            value = round(7493 * 2 ** ((t // 12 % 4) + 0.31 / 12))
            rows[t, [7 * voice, 7 * voice + 1]] = min(value, 65535) & 255, min(value, 65535) >> 8
    stage.session.prompt(replace(sharp, frames=rows))
    after = stage.asked().notes
    assert after.any() and (before != after).any()
    assert after[round(7493 * 2 ** ((-9 + 0.31) / 12))] and not before[round(7493 * 2 ** ((-9 + 0.31) / 12))]


def test_the_prompts_own_scale_follows_prompts_and_transposition(stage: Stage) -> None:
    stage.session.scale("prompt")
    own = stage.asked().notes
    stage.session.transpose(1)
    assert (stage.asked().notes != own).any()
    stage.session.transpose(0)
    np.testing.assert_array_equal(stage.asked().notes, own)
    silent = replace(riff("silent"), frames=sid.silence(PERIOD))
    stage.session.prompt(silent)
    assert stage.session.get("scale") == "off" and "the scale is off" in stage.session.state().notices[-1].text
    with pytest.raises(ControlError, match="expects a prompt that has tones"):
        stage.session.scale("prompt")


def test_values_are_forbidden_by_column_and_voice(stage: Stage) -> None:
    stage.session.forbid("control", lambda value: value & sid.NOISE)
    stage.session.forbid("sr", "0-15, 255", 2)
    values = stage.asked().values
    for column in (4, 11, 18, 25, 26, 27):
        np.testing.assert_array_equal(values[column], np.arange(256) < 128)
    assert values[6].all() and values[20].all()
    np.testing.assert_array_equal(np.flatnonzero(~values[13]), [*range(16), 255])
    stage.session.forbid("sr", 16, 2)  # in addition to the values before
    assert (~stage.asked().values[13]).sum() == 18
    stage.session.permit("control", "1")
    values = stage.asked().values
    assert values[4].all() and values[25].all() and not values[11].all()
    stage.session.permit("control")
    assert stage.asked().values[11].all() and not stage.asked().values[13].all()


def test_settings_that_permit_no_frame_are_refused_and_change_nothing(stage: Stage) -> None:
    stage.session.forbid("res_route", "0-240")
    before = stage.asked()
    for forbidding in (
        lambda: stage.session.filter(False),
        lambda: stage.session.forbid("res_route", "241-255"),
        lambda: stage.session.forbid("pw_hi", range(16), 3),
        lambda: stage.session.forbid("pitch", 1),
        lambda: stage.session.forbid("ad", 256),
        lambda: stage.session.forbid("ad", "x"),
        lambda: stage.session.forbid("ad", 1, 4),
        lambda: stage.session.permit("adsr"),
        lambda: stage.session.scale("C mynor"),
    ):
        with pytest.raises(ControlError):
            forbidding()
    assert stage.asked() is before and stage.session.get("filter") == 1
    stage.session.forbid("freq_hi", lambda hi: hi != 0x1D, 1)
    with pytest.raises(ControlError, match="no note of the scale is left for voice 1"):
        stage.session.scale([6])
    assert stage.session.get("scale") == "off"
    stage.session.scale([9])  # A4 is 0x1D45


@pytest.mark.parametrize(
    ("spec", "text"),
    [(7, "7"), ("3-5,1", "1,3-5"), (range(16), "0-15"), ([1, 2, 4], "1-2,4"), (lambda v: v > 253, "254-255")],
)
def test_values_as_people_write_them(spec: object, text: str) -> None:
    assert values_text(parse_values(spec)) == text
    assert parse_values(text) == parse_values(spec)


@pytest.mark.parametrize("spec", [-1, 256, "1-", "a", "1-300", None, 1.5, True, [1, "x"]])
def test_invalid_register_values_are_refused(spec: object) -> None:
    with pytest.raises(ControlError, match="values are 0 to 255"):
        parse_values(spec)


def song() -> Fragment:
    return riff("song", 4 * PERIOD)


def small_engine() -> Engine:
    return Engine(random_weights(SMALL, std=0.2))


def test_a_take_replays_from_its_log(tmp_path: Path) -> None:
    """A log with constraints generates the same frames again."""
    stage = Stage(small_engine(), tmp_path / "take")
    session = stage.session
    session.add(song())
    session.wait(0.5)
    session.scale("D dorian")
    session.heat(pitch=1.5, timbre=0.25)
    session.wait(0.5)
    session.filter(False)
    session.forbid("control", lambda value: value & sid.NOISE, "1-2")
    session.prompt("song")
    session.wait(0.5)
    session.permit("control", 2)
    session.scale("prompt")
    session.wait(0.5)
    session.close()
    log = read_take(tmp_path / "take")
    assert len(log.frames) > 90

    np.testing.assert_array_equal(replay(log, small_engine()), log.frames)
    constrained = [event["verb"] for event in log.events]
    assert constrained.count("forbid") == 1 and log.events[-1]["arguments"] == ["scale", "prompt"]


def test_forbidden_values_are_not_generated(tmp_path: Path) -> None:
    """With a real engine: no noise waveform and no filter routing from the cut on."""
    stage = Stage(small_engine())
    stage.session.temperature(2.0)
    stage.session.wait(1)
    free = np.array(stage.rows)
    stage.session.filter(False)
    stage.session.forbid("control", lambda value: value & sid.NOISE)
    stage.session.wait(1)
    bound = np.array(stage.rows)[len(free) + 2 :]
    assert (free[:, [4, 11, 18]] & sid.NOISE).any() and (free[:, sid.RES_ROUTE] & 15).any()
    assert not (bound[:, [4, 11, 18, 25, 26, 27]] & sid.NOISE).any() and not (bound[:, sid.RES_ROUTE] & 15).any()
