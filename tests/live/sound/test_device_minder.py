"""A wanted device that is missing: the music goes on, the device is looked for, and it plays when it is back."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from fake_sound import FakeSound, Stream, install
from patience import PATIENCE_S, until

from sidlive.chip.registers import silence
from sidlive.errors import DeviceError
from sidlive.live.sound import audio, device_minder, renderer
from sidlive.live.sound.audio import NULL, QUICK_BLOCK, NoPortAudio, NullOutput, Speaker, open_output
from sidlive.live.sound.device_minder import DeviceMinder
from sidlive.live.sound.renderer import Renderer


class Stage:
    """A renderer with a minder, their notices, and drivers that ask for blocks while their devices are plugged in."""

    def __init__(self, sound: FakeSound, wanted: str | None) -> None:
        self.sound, self.lines = sound, list[str]()
        row = silence(1)[0]
        row[[1, 4, 5, 6, 24, 25]] = (0x10, 0x21, 0x09, 0xF0, 0x0F, 0x21)
        self.renderer = Renderer(lambda: row, open_output(wanted), report=self.lines.append)
        self.minder = DeviceMinder(self.renderer, wanted, lambda text, level: self.lines.append(text))
        self._over = threading.Event()
        self._drivers = threading.Thread(target=self._drive, daemon=True)
        self.renderer.start()
        self.minder.start()
        self._drivers.start()

    def unplug(self, how: str = "ends") -> None:
        """Unplug the device: its stream ends, or only stops asking for blocks."""
        self.sound.plugged = ()
        if how == "ends":
            Stream.opened[-1].options["finished_callback"]()
        assert until(lambda: isinstance(self.renderer.output, NullOutput))

    def sounding(self) -> bool:
        """Return whether the stream opened last gets music."""
        return self.plays() and Stream.opened[-1].turn().any()

    def plays(self) -> bool:
        return bool(Stream.opened) and Stream.opened[-1].calls == ["start"]

    def goes_on(self) -> bool:
        """Return whether the renderer goes on playing frames."""
        frames = self.renderer.frames
        return until(lambda: self.renderer.frames > frames + 5)

    def close(self) -> None:
        self.minder.close()
        self.renderer.close()
        self._over.set()
        self._drivers.join()

    def _drive(self) -> None:
        while not self._over.wait(0.01):
            for stream in Stream.opened:
                if stream.calls == ["start"] and self.sound.plugged:
                    stream.turn()


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Stage]]:
    """Return a function that builds a stage from device names and the wanted device."""
    monkeypatch.setattr(device_minder, "FIRST_S", 0.02)
    monkeypatch.setattr(device_minder, "LONGEST_S", 0.05)
    monkeypatch.setattr(device_minder, "_GLANCE_S", 0.01)
    stages: list[Stage] = []

    def build(*names: str, wanted: str | None = None) -> Stage:
        stages.append(Stage(install(monkeypatch, *names, default=0), wanted))
        return stages[-1]

    yield build
    for one in stages:
        one.close()


@pytest.mark.parametrize("how", ["ends", "stalls"])
def test_a_device_that_comes_back_plays_again(
    stage: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    if how == "stalls":
        monkeypatch.setattr(renderer, "_STALLED_S", 1.0)
    house = stage("pulse")
    assert until(house.sounding)
    house.unplug(how)
    assert house.goes_on()
    assert until(lambda: house.sound.looks > 3), "it is looked for again and again"
    assert house.lines == ["speaker pulse has gone: the music goes on unheard, until the device is back"], "said once"
    house.sound.plugged = ("pulse",)
    assert until(house.sounding)
    assert house.lines[1:] == ["the music is on speaker pulse"] and house.renderer.output.name == "speaker pulse"
    house.unplug(how)
    house.sound.plugged = ("pulse",)
    assert until(house.sounding), "and a second time"


def test_a_device_that_is_not_there_at_first_is_waited_for(stage: Callable[..., Stage]) -> None:
    house = stage("hdmi", wanted="usb")
    assert house.goes_on() and "no sound device 'usb'" in str(house.renderer.output.notice)
    house.sound.plugged = ("hdmi", "usb dac")
    assert until(house.sounding) and house.renderer.output.name == "speaker usb dac"


def test_a_device_that_is_back_at_another_rate_plays_at_that(
    stage: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    house = stage("pulse")
    assert until(house.sounding)
    house.unplug()
    monkeypatch.setattr(Stream, "rates", (44_100,))
    house.sound.plugged = ("pulse",)
    assert until(house.sounding)
    assert house.renderer.output.sample_rate == 44_100 and house.lines[-1] == "the music is on speaker pulse (44100 Hz)"


def test_a_device_that_opens_and_does_not_start_is_tried_again(
    stage: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    house = stage("pulse")
    assert until(house.sounding)
    start = Stream.start
    refusals = iter([audio._sounddevice().PortAudioError("busy")] * 2)

    def refuse(stream: Stream) -> None:
        if (error := next(refusals, None)) is not None:
            raise error
        start(stream)

    monkeypatch.setattr(Stream, "start", refuse)
    house.unplug()
    house.sound.plugged = ("pulse",)
    assert until(house.sounding) and next(refusals, None) is None and house.goes_on()


@pytest.mark.parametrize("alone", [False, True], ids=["a sound server", "a device for one stream at a time"])
def test_a_device_that_runs_dry_again_and_again_gets_longer_blocks(
    stage: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch, alone: bool
) -> None:
    monkeypatch.setattr(device_minder, "DRY_TIMES", 100)
    monkeypatch.setattr(audio, "LONGEST_BLOCK", 2 * QUICK_BLOCK)
    house = stage("pulse")
    assert until(house.sounding)
    first = house.renderer.output
    assert isinstance(first, Speaker) and first.block == QUICK_BLOCK
    if alone:
        open_stream = Stream.__init__

        def open_alone(stream: Stream, **options: object) -> None:
            if any("close" not in other.calls for other in Stream.opened):
                raise audio._sounddevice().PortAudioError("Device unavailable")
            open_stream(stream, **options)

        monkeypatch.setattr(Stream, "__init__", open_alone)
    house.minder.watch()
    assert until(lambda: house.minder._dry is not None), "it has begun to count"
    first.feed.dry += 200
    assert until(lambda: isinstance(house.renderer.output, Speaker) and house.renderer.output is not first)
    assert house.renderer.output.block == 2 * QUICK_BLOCK and until(house.sounding)
    assert house.lines == [f"speaker pulse ran dry 100 times: it gets blocks of {2 * QUICK_BLOCK} samples"]
    assert until(first.closed.is_set) and house.goes_on()


def test_while_the_model_is_loaded_a_device_may_run_dry(stage: Callable[..., Stage]) -> None:
    house = stage("pulse")
    assert until(house.sounding)
    output = house.renderer.output
    assert isinstance(output, Speaker)
    output.feed.dry += 1000
    assert house.goes_on() and house.renderer.output is output and not house.lines


def test_another_device_is_chosen_while_it_plays(stage: Callable[..., Stage]) -> None:
    house = stage("pulse", "usb dac")
    assert until(house.sounding)
    first = Stream.opened[0]
    assert house.minder.names() == ["pulse", "usb dac"]
    assert house.minder.choose("usb") == ["pulse", "usb dac"]
    assert until(house.sounding) and house.renderer.output.name == "speaker usb dac"
    assert until(lambda: "close" in first.calls)
    assert house.sound.looks == 1, "no need to look anew: the music was never interrupted"
    house.minder.choose(NULL)
    assert until(lambda: isinstance(house.renderer.output, NullOutput))
    time.sleep(0.1)
    assert isinstance(house.renderer.output, NullOutput), "null was asked for: nothing is looked for"
    house.minder.choose("0")
    assert until(house.sounding) and house.renderer.output.name == "speaker pulse"


def test_a_driver_that_does_not_close_gets_a_notice_and_another_device_plays(
    stage: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    let_go = threading.Event()
    monkeypatch.setattr(device_minder, "STUCK_S", 0.1)
    house = stage("system", "hdmi", wanted="system")
    assert until(house.sounding)
    stop = Stream.stop

    def hang(stream: Stream, ignore_errors: bool) -> None:
        assert let_go.wait(PATIENCE_S)
        stop(stream, ignore_errors)

    monkeypatch.setattr(Stream, "stop", hang)
    monkeypatch.setattr(Stream, "fault", "no server")
    house.unplug()
    assert until(lambda: any("speaker system does not close it" in line for line in house.lines)) and house.goes_on()
    assert house.sound.looks == 1, "the library is not ended under an open stream"
    monkeypatch.setattr(Stream, "fault", None)
    house.sound.plugged = ("hdmi",)
    house.minder.choose("hdmi")
    assert until(house.sounding) and house.renderer.output.name == "speaker hdmi"
    let_go.set()


def test_a_device_that_was_plugged_in_later_can_be_chosen(stage: Callable[..., Stage]) -> None:
    house = stage("pulse")
    assert until(house.sounding)
    house.sound.plugged = ("pulse", "usb dac")
    house.minder.choose("usb dac")
    assert until(house.sounding) and house.renderer.output.name == "speaker usb dac"


def test_an_unknown_device_name_changes_nothing(stage: Callable[..., Stage]) -> None:
    house = stage("pulse", "hdmi")
    assert until(house.sounding)
    with pytest.raises(DeviceError, match="no sound device 'pusle'; there are pulse, hdmi"):
        house.minder.choose("pusle")
    assert until(house.sounding) and len(Stream.opened) == 1 and house.sound.looks == 1


def test_a_chosen_device_that_does_not_open_leaves_the_one_before(
    stage: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    house = stage("pulse", "hdmi")
    assert until(house.sounding)
    monkeypatch.setattr(Stream, "fault", "Device unavailable")
    with pytest.raises(DeviceError, match="Device unavailable"):
        house.minder.choose("hdmi")
    monkeypatch.setattr(Stream, "fault", None)
    assert until(house.sounding) and house.renderer.output.name == "speaker pulse"


def test_without_portaudio_nothing_is_looked_for(stage: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch) -> None:
    def absent() -> None:
        raise NoPortAudio("no PortAudio library")

    house = stage("pulse", wanted=NULL)
    monkeypatch.setattr(audio, "_sounddevice", absent)
    with pytest.raises(NoPortAudio):
        house.minder.choose("pulse")
    assert house.goes_on()
    minder = DeviceMinder(house.renderer, None, print)
    minder.start()
    assert until(lambda: not minder._thread.is_alive())


def test_silence_is_all_a_lost_device_costs(stage: Callable[..., Stage]) -> None:
    house = stage("pulse")
    assert until(house.sounding)
    house.unplug()
    house.sound.plugged = ("pulse",)
    assert until(house.sounding)
    assert house.renderer.held == 0 and house.renderer.failovers == 1
