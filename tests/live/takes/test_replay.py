"""A performance generated again from its log: every frame is the same, with late frames and moving knobs too."""

import contextlib
import functools
import json
import random
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fake_engine import PERIOD, FakeEngine, riff
from patience import until

from sidlive.chip import registers as sid
from sidlive.errors import ControlError, TuneError
from sidlive.live.controls import CONTROLS
from sidlive.live.core.core import Core
from sidlive.live.core.generator import Generator
from sidlive.live.processes.options import RoomOptions
from sidlive.live.processes.room import open_room
from sidlive.live.script import Offline
from sidlive.live.session import Session
from sidlive.live.takes.replay import difference, opened_core, replay
from sidlive.live.takes.take import FORMAT, Take, TakeLog, read_take
from sidlive.model.config import ModelConfig, Stack
from sidlive.model.engine import Engine
from sidlive.model.weights import random_weights
from sidlive.tune.beat import Beat
from sidlive.tune.edits import transpose
from sidlive.tune.fragment import Fragment

SMALL = ModelConfig("small", Stack(64, 1, 2, 1, 64), Stack(64, 1, 2, 1, 64))


def small_engine() -> Engine:
    """Return a real engine with a context shorter than the music."""
    return Engine(random_weights(SMALL, std=0.2), context=64, headroom=256)


def quick(name: str = "quick") -> Fragment:
    """Return a fragment with two rows per video frame; adding it resamples it."""
    fragment = riff(name, 4 * PERIOD)
    return Fragment(name, fragment.frames, 2 * fragment.rate_hz, "made here", "6581", "PAL", Beat(12.0))


def every_verb(session: Session) -> list[Callable[[], object]]:
    """Return calls of all verbs that steer or remix, one change each."""
    verbs: list[Callable[[], object]] = [
        lambda: session.temperature(1.3),
        lambda: session.heat(pitch=1.5, rhythm=0.5),
        lambda: session.heat(timbre=2.0, filter=0.25),
        lambda: session.top_p(0.7),
        lambda: session.set("top_k", 3),
        lambda: session.set("min_p", 0.05),
        lambda: session.set("follow", 4.0),
        lambda: session.scale("C minor"),
        lambda: session.lock(1, "riff"),
        lambda: session.lock(3, "quick", 2),
        lambda: session.hold(2),
        lambda: session.transpose(5),
        lambda: session.free(1),
        lambda: session.mask("1-2"),
        lambda: session.mute(2),
        lambda: session.reverse("bar"),
        lambda: session.octave(1, 1),
        lambda: session.thin(0.3),
        lambda: session.echo(1, "1/8", to=2),
        lambda: take_back(session),
        lambda: session.forbid("control", lambda value: value & sid.NOISE),
        lambda: session.filter(False),
        lambda: session.seed(77),
        lambda: session.prompt("quick", play=True),
        lambda: session.unmute(),
        lambda: session.rotate(2, heard=False),
        lambda: session.timbre(2, "quick", 1),
        lambda: session.rhythm(1, "quick"),
        lambda: session.thin(0.6, heard=False),
        lambda: session.set("volume", 9),
        lambda: session.set("ahead", 20),
        lambda: session.free(),
        lambda: session.mask("all"),
        lambda: session.permit(),
        lambda: session.filter(True),
        lambda: session.scale(None),
        lambda: session.transpose(-3),
        lambda: session.set("revive", 0),
        lambda: session.set("revive", 1),
        lambda: session.prompt("riff"),
        lambda: take_back(session, all=True),
        lambda: session.chop("1/4", 2),
        lambda: session.stretch(2),
        lambda: session.swap(1, 2),
        lambda: session.swing(0.4),
        lambda: session.invert(1),
        lambda: session.heat(),
    ]
    return verbs


def take_back(session: Session, all: bool = False) -> None:
    """Take edits back, if there are any: in another order of verbs there may be none."""
    with contextlib.suppress(ControlError):
        session.unedit(all)


def stopping(session: Session) -> list[Callable[[], object]]:
    return [session.stop, session.start, session.panic, session.start, lambda: session.set("ahead", 100)]


def assert_same(log: TakeLog, engine: object) -> None:
    made = replay(log, engine)  # type: ignore[arg-type]
    assert len(made) == len(log.frames)
    np.testing.assert_array_equal(made, log.frames)


@pytest.mark.parametrize("make", [small_engine, FakeEngine])
def test_a_script_with_every_verb(make: Callable[[], object], tmp_path: Path) -> None:
    controls = {name: control.default for name, control in CONTROLS.items() if control.before is not None}
    controls["volume"] = 12
    core = Core(Take(tmp_path / "take", {"seed": 9, "controls": controls}), seed=9)
    core.command("set", "volume", 12)  # as the header says it began
    session = Session(Offline(core, make()))  # type: ignore[arg-type]
    for fragment in (riff(), quick()):
        session.add(fragment)
    session.prompt("riff")
    session.start()
    for number, verb in enumerate(every_verb(session) + stopping(session)):
        verb()
        session.wait(0.06 * (number % 7))
    session.wait(1)
    session.close()
    log = read_take(tmp_path / "take")
    assert len(log.frames) > 300
    assert_same(log, make())


def test_takes_from_when_a_change_left_the_next_frame_as_it_was(tmp_path: Path) -> None:
    """Their headers do not say so."""
    core = Core(Take(tmp_path / "take", {}), margin=1)
    session = Session(Offline(core, FakeEngine()))
    session.add(riff())
    session.prompt("riff")
    session.start()
    for value in (0.2, 1.7, 0.5):
        session.wait(0.3)
        session.temperature(value)
        session.transpose(int(5 * value))
    session.wait(0.3)
    session.close()
    log = read_take(tmp_path / "take")
    assert log.header.pop("margin") == 1
    assert_same(log, FakeEngine())


class EngineGoingSilent(FakeEngine):
    """An engine that generates silence from the 100th frame after the prompt on, until it is reset."""

    def step(self, *asked: object, **more: object) -> np.ndarray:
        row = super().step(*asked, **more)  # type: ignore[arg-type]
        if self.position > 2 * PERIOD + 100:
            row[[4, 11, 18, 24]] = 0
            self.heard[-1] = row
        return row


def test_a_revival_happens_again(tmp_path: Path) -> None:
    core = Core(Take(tmp_path / "take", {}))
    session = Session(Offline(core, EngineGoingSilent()))
    session.add(riff())
    session.prompt("riff")
    session.start()
    session.wait(15)
    session.close()
    log = read_take(tmp_path / "take")
    assert sum(event["verb"] == "revive" for event in log.events) >= 2
    assert_same(log, EngineGoingSilent())


class UnsteadyEngine(FakeEngine):
    """An engine with random delays and failures; its frames do not depend on them."""

    def __init__(self, chance: random.Random | None = None) -> None:
        super().__init__()
        self._chance = chance

    def step(self, *asked: object, **more: object) -> np.ndarray:
        if self._chance is not None:
            if self._chance.random() < 0.3:
                time.sleep(self._chance.random() * 0.003)
            if self._chance.random() < 0.02:
                raise RuntimeError("the engine failed")
        return super().step(*asked, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(3))
def test_three_threads_that_meet_at_random(seed: int, tmp_path: Path) -> None:
    """Run a player, a generator and knobs at uneven paces: late frames, stale frames, cuts during a step."""
    core = Core(Take(tmp_path / "take", {}))
    engine = UnsteadyEngine(random.Random(seed))
    generator, over = Generator(core, engine, transpose), threading.Event()

    def generate() -> None:
        while not over.is_set():
            try:
                if not generator.work():
                    time.sleep(0.0005)
            except RuntimeError:
                generator.forget()

    def play() -> None:
        chance = random.Random(seed + 100)
        for _ in range(1500):
            core.next_frame()
            time.sleep(chance.random() * 0.002)
        over.set()

    threads = [threading.Thread(target=target) for target in (generate, play)]
    session, chance = Session(Offline(core, FakeEngine())), random.Random(seed + 200)
    for fragment in (riff(), quick()):
        session.add(fragment)
    session.prompt("riff")
    session.start()
    for thread in threads:
        thread.start()
    while not over.wait(0.02 * chance.random()):
        chance.choice(every_verb(session) + 2 * stopping(session)[1:2])()
        if chance.random() < 0.02:
            chance.choice(stopping(session))()
    for thread in threads:
        thread.join()
    core.take.flush()
    log = read_take(tmp_path / "take")
    steps = "".join(entry.get("steps", "") for entry in log.entries)
    assert len(log.frames) > 500 and {"a", "d", "e", "f", "g"} <= set(steps)
    assert_same(log, UnsteadyEngine())


def test_a_room_in_real_time(tmp_path: Path) -> None:
    """Use the real process, an engine slower than real time, and knobs at random moments."""
    engine = functools.partial(FakeEngine, step_s=0.022)
    options = RoomOptions(device="null", midi="none", takes=tmp_path, name="take", seed=5, engine=engine)
    session, chance = Session(open_room(options)), random.Random(1)
    try:
        for fragment in (riff(), quick()):
            session.add(fragment)
        session.prompt("riff")
        session.start()
        assert until(lambda: session.state().phase == "playing")
        verbs = every_verb(session)
        for _ in range(60):
            chance.choice(verbs)()
            time.sleep(chance.random() * 0.1)
        late = session.state().late_frames
    finally:
        session.close()
    log = read_take(tmp_path / "take")
    assert late and len(log.frames) > 100
    assert_same(log, FakeEngine())


# -- incomplete and damaged logs


@pytest.fixture(scope="module")
def performed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("performed") / "take"
    core = Core(Take(folder, {}))
    session = Session(Offline(core, FakeEngine()))
    session.add(riff())
    session.prompt("riff")
    session.start()
    for turn in range(8):
        session.temperature(0.1 * turn)
        session.wait(0.5)
    session.close()
    return folder


def test_the_log_alone_is_enough(performed: Path, tmp_path: Path) -> None:
    shutil.copy(performed / "log.jsonl", tmp_path / "alone.jsonl")
    log = read_take(tmp_path / "alone.jsonl")
    assert not len(log.frames)
    np.testing.assert_array_equal(replay(log, FakeEngine()), read_take(performed).frames)
    assert set(log.fragments()) == {"riff"}


def test_a_log_cut_off_anywhere_gives_the_beginning(performed: Path, tmp_path: Path) -> None:
    whole, frames = (performed / "log.jsonl").read_bytes(), read_take(performed).frames
    lengths = []
    for kept in range(whole.index(b"\n") + 1, len(whole), 97):
        (tmp_path / "cut.jsonl").write_bytes(whole[:kept])
        made = replay(read_take(tmp_path / "cut.jsonl"), FakeEngine())
        np.testing.assert_array_equal(made, frames[: len(made)])
        lengths.append(len(made))
    assert lengths[0] == 0 and lengths[-1] > 100 and lengths == sorted(lengths)


def test_the_first_difference_of_another_model_is_reported(performed: Path) -> None:
    class Other(FakeEngine):
        def step(self, *asked: object, **more: object) -> np.ndarray:
            row = super().step(*asked, **more)  # type: ignore[arg-type]
            if self.position == 2 * PERIOD + 51:
                row[5] ^= 0x40
                self.heard[-1] = row
            return row

    log = read_take(performed)
    made = replay(log, Other())
    assert difference(made, log.frames) == (50, f"$D405 is ${made[50, 5]:02X}, was ${log.frames[50, 5]:02X}")
    assert len(made) == 51, "what follows is another performance"
    assert difference(log.frames[:60], log.frames) is None
    other = log.frames.copy()
    other[7, 26] ^= 1
    found = difference(other, log.frames)
    assert found is not None and found[0] == 7 and found[1].startswith("the first write to $D40B is")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"steps": "fz"}, "step 'z' is unknown"),
        ({"steps": "d"}, "without its beginning"),
        ({"steps": "ah"}, "expected step"),
        ({"frame": 1, "verb": "sing", "arguments": []}, "sing at frame 1 is refused"),
        ({"frame": 1, "verb": "add", "arguments": ["riff"]}, "a fragment in the log is damaged"),
        ({"frame": 1, "verb": "add", "arguments": []}, "a fragment in the log is damaged"),
    ],
)
def test_a_damaged_log_is_a_clear_error(line: dict[str, object], message: str, performed: Path, tmp_path: Path) -> None:
    lines = (performed / "log.jsonl").read_text().splitlines()
    (tmp_path / "bad.jsonl").write_text("\n".join([*lines[:4], json.dumps(line), *lines[4:]]) + "\n")
    with pytest.raises(TuneError, match=message):
        replay(read_take(tmp_path / "bad.jsonl"), FakeEngine())


def test_a_log_of_another_format_says_so(performed: Path, tmp_path: Path) -> None:
    whole = (performed / "log.jsonl").read_text()
    (tmp_path / "old.jsonl").write_text(whole.replace('"take": 2', '"take": 1', 1))
    with pytest.raises(TuneError, match="format 1, expected 2"):
        replay(read_take(tmp_path / "old.jsonl"), FakeEngine())


def test_a_file_that_is_not_a_log(tmp_path: Path) -> None:
    (tmp_path / "no.jsonl").write_text('{"results": []}\n')
    with pytest.raises(TuneError, match=r"no\.jsonl is no log of a take"):
        read_take(tmp_path / "no.jsonl")


def test_a_log_older_than_a_control_is_replayed_with_the_controls_old_value() -> None:
    """Takes older than `vary`, `on_beat`, `repeats` and others were generated as without them."""
    old = {"take": FORMAT, "seed": 3, "controls": {"temperature": 0.7}}
    core = opened_core(old)
    others = ("known_gates", "keep_voices", "new_sounds", "contrast", "era", "like_galway", "like_tel")
    assert all(core.get(name) == 0 for name in ("vary", "on_beat", "repeats", *others))
    assert core.get("candidates") == 1
    assert core.get("temperature") == 0.7
    assert opened_core({**old, "controls": {"vary": 0.5}}).get("vary") == 0.5
