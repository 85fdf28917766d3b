"""While the engine is being compiled, the prompt itself is heard; the music follows where it ends."""

from pathlib import Path

import numpy as np
from fake_engine import PERIOD, FakeEngine, riff

from sidlive.chip.registers import Frames
from sidlive.live.core.core import Core
from sidlive.live.core.generator import Generator
from sidlive.live.takes.replay import replay
from sidlive.live.takes.take import Take, read_take
from sidlive.tune.edits import transpose

LENGTH = 2 * PERIOD


def waiting_core(folder: Path | None = None) -> Core:
    """Return a core without an engine, where the performer has started the music."""
    core = Core(Take(folder, {}))
    core.compiling = True
    core.command("add", riff())
    core.command("prompt", "riff")
    core.command("start")
    return core


def play(core: Core, count: int, generator: Generator | None = None) -> Frames:
    rows = []
    for _ in range(count):
        while generator is not None and generator.work():
            pass
        rows.append(core.next_frame())
    return np.array(rows)


def test_the_prompt_plays_in_a_loop_until_there_is_an_engine() -> None:
    core = waiting_core()
    heard = play(core, 2 * LENGTH + 5)
    assert np.array_equal(heard, np.tile(riff().frames, (3, 1))[: len(heard)])
    assert core.take.length == 0 and core.state().phase == "waiting"
    assert "riff plays as it is" in core.state().notices[-1].text


def test_the_continuation_follows_the_prompts_last_frame() -> None:
    core = waiting_core()
    play(core, LENGTH + 7)
    core.ready("fake", "", "")
    generator = Generator(core, FakeEngine(), transpose)
    rest = play(core, LENGTH - 7, generator)
    assert np.array_equal(rest, riff().frames[7:]) and core.take.length == 0
    begun = []
    music = []
    for _ in range(20):
        music.append(play(core, 1, generator)[0])
        begun.append(core.begins)
    assert np.array_equal(core.take.frames(), np.array(music)) and core.state().phase == "playing"
    assert not any(begun), "the chip plays on: it need not settle again"


def test_mutes_and_the_volume_count_and_a_stop_ends_it() -> None:
    core = waiting_core()
    play(core, 3)
    core.command("set", "volume", 0)
    assert not (play(core, 5)[:, 24] & 15).any()
    core.command("stop")
    quiet = play(core, 3)
    assert not (quiet[:, [4, 11, 18]] & 1).any()


def test_another_prompt_is_heard_at_once() -> None:
    core = waiting_core()
    play(core, 10)
    core.command("add", riff("other"))
    core.command("prompt", "other")
    assert np.array_equal(play(core, 12), riff("other").frames[:12])


def test_there_is_no_prelude_while_an_engine_is_only_loaded_nor_with_an_engine() -> None:
    core = waiting_core()
    core.compiling = False
    assert not play(core, 5)[:, [4, 11, 18]].any()
    core.compiling = True
    core.ready("fake", "", "")
    assert not play(core, 5)[:, [4, 11, 18]].any()


def test_a_take_that_began_with_a_prelude_replays_to_the_bit(tmp_path: Path) -> None:
    core = waiting_core(tmp_path / "take")
    play(core, LENGTH + 7)
    core.ready("fake", "", "")
    generator = Generator(core, FakeEngine(), transpose)
    play(core, LENGTH + 50, generator)
    core.command("set", "temperature", 0.3)
    play(core, 60, generator)
    core.take.flush()
    log = read_take(tmp_path / "take")
    assert len(log.frames) > 100
    np.testing.assert_array_equal(replay(log, FakeEngine()), log.frames)
