"""PAL and NTSC: the standard at which the instrument runs, its notices about music of the other, what keeps it."""

import wave
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_engine import FakeEngine, riff
from fake_sound import ManualOutput
from patience import until

from sidlive.chip.registers import NTSC, PAL, VideoTiming, silence
from sidlive.chip.wav import WavFile
from sidlive.live.core.core import Core
from sidlive.live.offline_sound import sound_to
from sidlive.live.processes.options import RoomOptions, make_core
from sidlive.live.script import Offline
from sidlive.live.session import Session
from sidlive.live.sound import renderer as renderer_module
from sidlive.live.sound.renderer import Renderer
from sidlive.live.takes.replay import difference, replay
from sidlive.live.takes.take import Take, read_take
from sidlive.tune.formats import psid
from sidlive.tune.formats.npz import save_frames
from sidlive.tune.fragment import Fragment

FLAT = "pitch 3.7% flat, tempo 16% slow"  # 985,248 / 1,022,727 Hz; 50.125 / 59.826 frames a second


def american(name: str = "american") -> Fragment:
    return replace(riff(name), timing="NTSC", rate_hz=NTSC.rate_hz)


class OpenedCore:
    """A core as `sidlive` opens it, and the video standards that it asks the chip for."""

    def __init__(self, folder: Path, video: str | None = None) -> None:
        self.core = make_core(RoomOptions(takes=folder, name="take", video=video))
        self.asked: list[VideoTiming] = []
        self.core.retime = self.asked.append
        self.session = Session(Offline(self.core, FakeEngine()), folder)
        self.session.add(riff())
        self.session.add(american())

    @property
    def runs_at(self) -> str:
        state = self.session.state()
        assert state.rate_hz == (NTSC if state.timing == "NTSC" else PAL).rate_hz
        return state.timing

    def notified(self, text: str) -> int:
        return sum(text in notice.text for notice in self.session.state().notices)


def test_how_music_of_one_standard_sounds_at_the_other() -> None:
    assert NTSC.heard_at(PAL) == FLAT
    assert PAL.heard_at(NTSC) == "pitch 3.8% sharp, tempo 19% fast"


def test_before_anything_is_played_the_instrument_takes_the_prompts_standard(tmp_path: Path) -> None:
    opened = OpenedCore(tmp_path)
    assert opened.runs_at == "PAL" and not opened.notified("was made for")
    opened.session.wait(1)
    opened.session.prompt("american")
    assert opened.runs_at == "NTSC" and opened.asked == [NTSC]
    assert opened.notified("american was made for NTSC: the instrument runs at 59.83 frames a second now") == 1
    opened.session.start()
    opened.session.wait(1)
    opened.session.prompt("riff")
    assert opened.runs_at == "NTSC" and len(opened.asked) == 1
    assert opened.notified("riff was made for PAL, this is NTSC: pitch 3.8% sharp, tempo 19% fast (--video pal)") == 1


def test_once_something_was_played_the_standard_stays(tmp_path: Path) -> None:
    opened = OpenedCore(tmp_path)
    opened.session.start()
    opened.session.wait(1)
    opened.session.stop()
    opened.session.add(american("another"))
    assert opened.notified(f"another was made for NTSC, this is PAL: {FLAT} (--video ntsc)") == 1
    opened.session.prompt("american")
    assert opened.runs_at == "PAL" and not opened.asked
    assert opened.notified(f"american was made for NTSC, this is PAL: {FLAT} (--video ntsc)") == 1


@pytest.mark.parametrize("video", ["PAL", "NTSC"])
def test_a_standard_set_by_an_option_stays(tmp_path: Path, video: str) -> None:
    opened = OpenedCore(tmp_path, video)
    assert opened.notified("was made for") == 1, "one of the two fragments, when it is loaded"
    opened.session.prompt("riff" if video == "NTSC" else "american")
    assert opened.runs_at == video and not opened.asked and opened.notified("was made for") == 1, "not said again"


def test_a_path_given_to_prompt_is_notified_once(tmp_path: Path) -> None:
    opened = OpenedCore(tmp_path, "PAL")
    path = tmp_path / "tune.npz"
    save_frames(path, american().frames, NTSC.rate_hz, timing="NTSC")
    expected = f"tune was made for NTSC, this is PAL: {FLAT} (--video ntsc)"
    for times in (1, 2):
        opened.session.prompt(str(path))
        assert opened.notified(expected) == times, "a file that is read again may be another"
    opened.session.prompt("tune")
    assert opened.notified(expected) == 2


def test_take_commit_and_replay_keep_the_standard(tmp_path: Path) -> None:
    opened = OpenedCore(tmp_path)
    opened.session.prompt("american")
    opened.session.start()
    opened.session.wait(2)
    assert psid.read(opened.session.commit("kept")).timing is NTSC
    opened.session.close()
    log = read_take(tmp_path / "take")
    assert (log.timing, log.header["rate_hz"]) == (NTSC, NTSC.rate_hz)
    assert len(log.frames) == pytest.approx(2 * NTSC.rate_hz, abs=1)
    assert difference(replay(log, FakeEngine()), log.frames) is None


def test_a_log_of_pal_is_replayed_at_pal_whatever_was_prompted(tmp_path: Path) -> None:
    core = Core(Take(tmp_path / "take", {"timing": "PAL"}))
    session = Session(Offline(core, FakeEngine()), tmp_path)
    session.add(american())
    session.prompt("american")
    session.start()
    session.wait(4)
    session.stop()
    session.wait(4)
    session.close()
    log = read_take(tmp_path / "take")
    made = replay(log, FakeEngine())
    assert np.array_equal(made, log.frames) and len(made) == int(4 * PAL.rate_hz) + int(2 * PAL.rate_hz)


def test_the_offline_sound_changes_standard_with_the_instrument(tmp_path: Path) -> None:
    with WavFile(tmp_path / "heard.wav") as wav:
        core = make_core(RoomOptions(takes=tmp_path, name="take"))
        session = Session(Offline(core, FakeEngine(), sound_to(wav, core)), tmp_path)
        session.wait(1)
        session.prompt(american())
        session.start()
        session.wait(3)
    with wave.open(str(tmp_path / "heard.wav")) as file:
        assert file.getnframes() == pytest.approx(4 * file.getframerate(), abs=1000)


def test_the_renderer_changes_standard_between_two_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[str, int]] = []

    class RecordingSid:
        def __init__(self, chip: str, timing: VideoTiming, sample_rate: int, rest: object = None) -> None:
            self.chip, self.timing, self.sample_rate = chip, timing, sample_rate

        def pieces(self, row: np.ndarray, samples: int, size: int) -> Iterator[np.ndarray]:
            made.append((self.timing.name, samples))
            yield np.zeros(samples, np.int16)

    monkeypatch.setattr(renderer_module, "Sid", RecordingSid)
    output, given = ManualOutput(), [0]

    def source() -> np.ndarray | None:
        given[0] += 1
        if given[0] == 2:
            renderer.retime(NTSC)
        return silence(1)[0] if given[0] <= 2 + 60 else None

    renderer = Renderer(source, output, "8580", PAL)
    renderer.start()
    assert until(lambda: output.turn() is not None and renderer.ended.is_set())
    renderer.close()
    assert [name for name, _ in made] == ["PAL"] * 2 + ["NTSC"] * 60
    assert sum(samples for _, samples in made[2:]) == round(60 / NTSC.rate_hz * 48_000)
