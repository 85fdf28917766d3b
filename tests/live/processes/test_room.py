"""The core in a process of its own: commands, the shared tape, and either side's death."""

import functools
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_engine import NOISE, PERIOD, FakeEngine, noise, riff
from jack_box import Box
from jack_server import JackServer
from patience import PATIENCE_S, undisturbed, until

from sidlive.chip.registers import FREQ_HI
from sidlive.chip.sid import repeatable
from sidlive.errors import ControlError, DeviceError, ModelError, SidliveError
from sidlive.live.processes.options import RoomOptions
from sidlive.live.processes.process import is_light
from sidlive.live.processes.room import RoomLink, open_room
from sidlive.live.session import Session
from sidlive.live.takes.replay import difference, replay
from sidlive.live.takes.take import read_take


def options(folder: Path, **engine: object) -> RoomOptions:
    return RoomOptions(
        device="null", midi="none", takes=folder, name="take", engine=functools.partial(FakeEngine, **engine)
    )


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """Open one room for all tests that leave it stopped."""
    session = Session(open_room(options(tmp_path_factory.mktemp("room"))))
    session.add(riff())
    yield session
    session.close()


@pytest.fixture
def playing(room: Session) -> Iterator[Session]:
    room.temperature(1.0)
    room.prompt("riff")
    room.start()
    assert until(lambda: room.state().phase == "playing")
    yield room
    room.panic()
    room.set("temperature", 1.0)


def test_it_plays_at_the_chips_pace(playing: Session) -> None:
    clock, began = playing.state().clock, time.monotonic()
    playing.wait(1.0)
    assert playing.state().clock - clock >= 50
    assert time.monotonic() - began > 0.9


def test_a_mistake_comes_back_as_it_is(room: Session) -> None:
    with pytest.raises(ControlError, match=r"temperature expects 0\.0 to 2\.0, found 7"):
        room.temperature(7)


@pytest.mark.parametrize(
    ("slip", "message"),
    [
        (lambda room, folder: room.load(folder), "is a folder; expected a file of music"),
        (lambda room, folder: room.load(3), "load expects a path or the name of a fragment, found 3"),
        (lambda room, folder: room.load("gallop", song="two"), "song is 'two'; expected a number"),
        (lambda room, folder: room.load("gallop", seconds="long"), "length is long s; expected more than 0"),
        (lambda room, folder: room.load("gallop", name=5), "a fragment's name is a text, found 5"),
        (lambda room, folder: room.add(np.zeros((10, 28))), "add expects a fragment, as load.. gives, found ndarray"),
        (
            lambda room, folder: room.add(replace(riff(), frames=np.zeros((9, 3), np.uint8))),
            r"frames are uint8\[9, 3\]",
        ),
        (lambda room, folder: room.prompt(None), "expected a fragment, its name or the path of a tune, found None"),
        (lambda room, folder: room.lock(1, 3), "expected a fragment, its name or the path of a tune, found 3"),
        (lambda room, folder: room.filter("off"), "filter expects a number, 0 to 1, found 'off'"),
        (
            lambda room, folder: room.learn("scale"),
            "learn one of temperature, top_p, top_k, follow, vary, obey, compose, repeats, returns, contrast",
        ),
        (lambda room, folder: room.commit(3), "commit expects a name for the file, found 3"),
        (lambda room, folder: room.commit("a\0b"), "commit expects a name without control characters"),
    ],
)
def test_a_slip_is_one_line_and_the_music_goes_on(
    playing: Session, tmp_path: Path, slip: Callable[[Session, Path], object], message: str
) -> None:
    with pytest.raises(SidliveError, match=message) as caught:
        slip(playing, tmp_path)
    assert "\n" not in str(caught.value) and playing.state().phase == "playing"


def test_the_tape_is_read_from_shared_memory(playing: Session) -> None:
    playing.wait(0.5)
    window = playing.window(20, 40)
    assert window.now == 20 and len(window.frames) == 60
    assert until(lambda: playing.window(0, 0).first > window.first + 60)
    later = playing.window(2000, 0)
    assert np.array_equal(later.frames[window.first - later.first :][:60], window.frames)


def test_a_change_is_played_a_few_frames_later(playing: Session) -> None:
    """The future that was generated before the call of the verb is not played to its end."""
    late = []

    def change() -> None:
        assert until(lambda: playing.state().ahead > 60)
        before = playing.window(0, 60)
        playing.temperature(0.2 if playing.get("temperature") == 1.8 else 1.8)
        assert until(lambda: playing.window(0, 0).first >= before.first + 60)
        after = playing.window(2000, 0)
        heard = after.frames[before.first - after.first :][:60]
        assert not np.array_equal(heard, before.frames)
        late.append(int(np.flatnonzero((heard != before.frames).any(axis=1))[0]))

    for _ in range(3):
        undisturbed(change)
    print("frames from the call to the first that differs:", late)


def test_the_take_is_on_disk_while_it_plays(playing: Session) -> None:
    take = playing.state().take
    assert take is not None
    assert until(lambda: (Path(take) / "frames.bin").exists())
    assert until(lambda: len(read_take(Path(take)).frames) > 20)


def test_history_and_controls_cross(playing: Session) -> None:
    playing.set("volume", 12)
    assert playing.get("volume") == 12
    assert "set('volume', 12)" in playing.history()[-1]
    playing.set("volume", 15)


@pytest.mark.skipif(sys.platform != "linux", reason="real-time scheduling is Linux's")
def test_every_thread_of_the_core_comes_before_other_programs_and_the_sound_first(playing: Session) -> None:
    """The threads of the sound wait for any thread that holds the interpreter's lock."""
    if not repeatable():
        pytest.skip("this user may not have real-time priorities")
    core = next(process.pid for process in multiprocessing.active_children() if process.name == "sidlive-core")
    priorities = [os.sched_getparam(int(task.name)).sched_priority for task in Path(f"/proc/{core}/task").iterdir()]
    assert max(priorities) > os.sched_getparam(core or 0).sched_priority > 0


def test_a_model_that_computes_on_and_on_shares_the_processor_with_other_programs() -> None:
    assert is_light(share=0.02, prefill_s=0.06)
    assert not is_light(share=0.9, prefill_s=0.06)
    assert not is_light(share=0.1, prefill_s=0.25)


def test_late_generation_never_stops_the_music(tmp_path: Path) -> None:
    pause = tmp_path / "pause"
    session = Session(open_room(options(tmp_path, pause=pause)))
    try:
        session.prompt(riff())
        session.set("ahead", 16)
        session.start()
        assert until(lambda: session.state().phase == "playing")
        session.wait(1)
        pause.touch()
        assert until(lambda: session.state().phase == "looping")
        gates = session.window(60, 0).frames[:, 4] & 1
        assert gates.any()
        pause.unlink()
        assert until(lambda: session.state().phase == "playing")
        assert session.state().underruns >= 1
    finally:
        pause.unlink(missing_ok=True)
        session.close()


def test_a_core_that_dies_is_reported_and_can_be_opened_again(tmp_path: Path) -> None:
    link = open_room(options(tmp_path))
    session = Session(link)
    try:
        session.prompt(riff())
        session.start()
        assert until(lambda: session.state().phase == "playing")
        process = link._process
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        assert until(lambda: not session.state().alive)
        with pytest.raises(DeviceError, match=r"the core process has ended \(exit code -9\): restart\(\)"):
            session.temperature(1.0)
        with pytest.raises(DeviceError):
            session.wait(1)
        session.window(10, 10)
        session.controls().clear()  # the caller's dict is a copy, so the screen still shows the last controls
        assert "temperature" in session.controls()
        session.restart()
        assert session.state().alive and until(lambda: session.state().fragments == ("riff",))
        session.prompt("riff")
        session.start()
        assert until(lambda: session.state().phase == "playing")
    finally:
        session.close()
        session.close()


def test_what_was_played_before_a_crash_is_on_disk(tmp_path: Path) -> None:
    link = open_room(options(tmp_path))
    session = Session(link)
    try:
        session.temperature(1.0)
        session.prompt(riff())
        session.start()
        assert until(lambda: (tmp_path / "take" / "frames.bin").exists())
        assert until(lambda: len(read_take(tmp_path / "take").frames) > 50)
        os.kill(link._process.pid or 0, signal.SIGKILL)
        assert until(lambda: not session.state().alive)
    finally:
        session.close()
    log = read_take(tmp_path / "take")
    assert len(log.frames) > 50
    assert list(log.frames[:20, NOISE]) == [noise(1, 0, 2 * PERIOD + i) for i in range(20)]
    made = replay(log, FakeEngine())
    assert len(made) > 50 and difference(made, log.frames) is None


def test_a_core_whose_caller_dies_ends_and_keeps_the_take(tmp_path: Path) -> None:
    program = f"""
import sys; sys.path[:0] = {[str(folder) for folder in Path(__file__).parents[:3]]!r}
from pathlib import Path
from test_room import *
if __name__ == "__main__":
    link = open_room(options(Path({str(tmp_path)!r})))
    session = Session(link)
    session.prompt(riff()); session.start(); session.wait(1)
    print(link._process.pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    script = tmp_path / "caller.py"
    script.write_text(program)
    caller = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=PATIENCE_S)
    core = int(caller.stdout)

    def gone() -> bool:
        try:
            return Path(f"/proc/{core}/stat").read_text().split()[2] == "Z"
        except OSError:
            return True

    if not Path("/proc").exists():
        pytest.skip("no /proc to look for processes in")
    assert until(gone)
    assert len(read_take(tmp_path / "take").frames) >= 45


def broken() -> FakeEngine:
    raise ModelError("no model 'pocket': get one")


def test_a_model_that_cannot_be_loaded_is_reported_and_the_room_stays_open(tmp_path: Path) -> None:
    link = open_room(replace(options(tmp_path), engine=broken))
    try:
        with pytest.raises(ModelError, match="get one"):
            link.ready()
        state = link.state()
        assert state.alive and "no music can be made" in state.notices[-1].text
    finally:
        link.close()


class Faulty(FakeEngine):
    """An engine that raises now and then."""

    def step(self, *arguments: object) -> np.ndarray:
        if self.steps == 100:
            self.steps += 1
            raise ZeroDivisionError("a mistake")
        return super().step(*arguments)  # type: ignore[arg-type]


def test_an_engine_fault_gets_a_notice_and_the_music_goes_on(tmp_path: Path) -> None:
    session = Session(open_room(replace(options(tmp_path), engine=Faulty)))
    try:
        session.prompt(riff())
        session.start()
        assert until(lambda: any("begins again" in notice.text for notice in session.state().notices))
        clock = session.state().clock
        assert until(lambda: session.state().clock > clock + 100)
        assert session.state().phase == "playing"
    finally:
        session.close()


def test_closing_leaves_no_process(tmp_path: Path) -> None:
    link: RoomLink = open_room(options(tmp_path))
    link.ready()
    link.close()
    assert link._process.exitcode == 0, "it went by itself"


def test_a_controller_steers_while_it_plays(jack: JackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Turn knobs on a real MIDI port and check the chip's frames: temperature, and transposition of the prompt."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    faders = Box("box", "faders")
    session = Session(open_room(replace(options(tmp_path), midi="faders")))
    try:
        session.prompt(riff())
        session.start()
        assert until(lambda: session.state().phase == "playing" and "faders" in session.state().midi)
        faders.send(bytes([0xB0, 1, 127]))
        assert until(lambda: "waits" in "".join(heard.did for heard in session.midi()))
        assert session.get("temperature") == 0.8, "the fader has not passed the control's value yet"
        faders.send(bytes([0xB0, 1, 0]))
        assert until(lambda: session.get("temperature") == 0)
        assert until(lambda: not session.window(3, 0).frames[:, NOISE].any())
        faders.send(bytes([0xB0, 2, 0]))
        assert until(lambda: "transpose waits" in session.midi()[-1].did)
        faders.send(bytes([0xB0, 2, 96]))
        assert until(lambda: session.get("transpose") == 12)
        octave = set((2 * riff().frames[:, FREQ_HI]).tolist())
        assert until(lambda: set(session.window(PERIOD, 0).frames[:, FREQ_HI].tolist()) == octave)
        session.learn("volume")
        faders.send(bytes([0xB0, 40, 127]))
        assert until(lambda: session.controls()["volume"].midi == "CC 40 ch 1 of box:faders")
        assert "set('transpose', 12)" in "".join(session.history())
    finally:
        session.close()
        faders.close()
