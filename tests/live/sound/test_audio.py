"""Outputs: the null output's clock, a sound device's callback, and the choice of a device."""

import os
import threading

import numpy as np
import pytest
from fake_sound import Stream, install

from sidlive.chip.sid import SAMPLE_RATE
from sidlive.errors import DeviceError
from sidlive.live.sound import audio
from sidlive.live.sound.audio import (
    QUICK_BLOCK,
    Device,
    NoPortAudio,
    NullOutput,
    Speaker,
    devices,
    open_output,
    open_speaker,
    quiet_stderr,
)
from sidlive.live.sound.feed import Feed

SOUND = np.arange(1, 2049, dtype=np.int16)


def test_the_null_output_takes_everything_in_order() -> None:
    heard: list[np.ndarray] = []
    done = threading.Event()

    def stamp(at: float, index: int, samples: np.ndarray) -> None:
        assert index == sum(map(len, heard))
        heard.append(samples.copy())
        if index >= 4096:
            done.set()

    output = NullOutput(Feed(stamp=stamp))
    output.feed.put(SOUND)
    output.feed.rest()
    output.start()
    assert done.wait(30)
    output.close()
    sound = np.concatenate(heard)
    assert np.array_equal(sound[:2048], SOUND)
    assert {len(samples) for samples in heard} == {512}
    taken = output.feed.delivered
    assert taken == len(sound) and output.feed.underruns == 0


def test_a_closed_output_takes_nothing() -> None:
    output = NullOutput(Feed())
    output.close()  # before it was started
    output = NullOutput(Feed())
    output.start()
    output.close()
    taken = output.feed.delivered
    threading.Event().wait(0.05)
    assert output.feed.delivered == taken


def test_a_stereo_device_gets_the_sound_on_both_channels(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "pulse", default=0)
    output = open_output()
    assert isinstance(output, Speaker)
    assert (output.name, output.notice, output.latency_s) == ("speaker pulse", None, 0.02)
    stream = output._stream
    options = stream.options
    assert (options["samplerate"], options["blocksize"], options["channels"]) == (48_000, QUICK_BLOCK, 2)
    assert (options["dtype"], options["latency"], options["device"]) == ("int16", "low", 0)
    output.feed.put(SOUND)
    output.start()
    heard = np.concatenate([stream.turn() for _ in range(len(SOUND) // QUICK_BLOCK)])
    assert np.array_equal(heard[:, 0], SOUND) and np.array_equal(heard[:, 1], SOUND)
    assert np.array_equal(stream.turn(2000)[:, 0] != 0, np.arange(2000) < 240)  # the fade
    output.close()
    assert stream.calls == ["start", "stop", "close"] and not output.lost
    assert not stream.turn().any() and output.feed.delivered == 2048 + 2000


def test_a_mono_device_gets_one_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "beeper", default=0, channels=1)
    output = open_output()
    assert isinstance(output, Speaker) and output._stream.turn().shape == (QUICK_BLOCK, 1)


def test_a_device_that_stops_by_itself_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "usb", default=0)
    output = open_output()
    assert isinstance(output, Speaker)
    output._stream.options["finished_callback"]()
    assert output.lost


class TimedSpeaker:
    """An open device, and the time at which it takes its blocks."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        install(monkeypatch, "usb", default=0)
        self.now_s = 100.0
        monkeypatch.setattr(audio.time, "perf_counter", lambda: self.now_s)
        output = open_output()
        assert isinstance(output, Speaker)
        self.output, self.feed, self.stream = output, output.feed, output._stream

    def turn(self, later_s: float = 0.0, times: int = 1) -> None:
        """Have the device take blocks, ``later_s`` after the last one."""
        self.now_s += later_s
        for _ in range(times):
            self.stream.turn()


@pytest.fixture
def speaker(monkeypatch: pytest.MonkeyPatch) -> TimedSpeaker:
    return TimedSpeaker(monkeypatch)


def test_a_device_that_asks_later_than_its_buffer_lasts_has_run_dry(speaker: TimedSpeaker) -> None:
    for later_s in (0.0, 0.005, 0.019, 0.0):
        speaker.turn(later_s)
    assert speaker.feed.dry == 0
    speaker.turn(Stream.latency + 0.001)
    assert speaker.feed.dry == 1


def test_a_driver_says_when_a_block_is_heard(speaker: TimedSpeaker) -> None:
    speaker.turn()
    assert speaker.feed.latest is None, "the buffer is being filled: it does not say so yet"
    for delay_s in (0.03, 0.025):
        speaker.stream.delay_s = delay_s
        speaker.turn()
        assert speaker.feed.latest is not None
        assert speaker.feed.latest.time_s - speaker.now_s == pytest.approx(delay_s)
    assert speaker.feed.dry == 0
    speaker.turn(times=1000)
    assert speaker.output.latency_s == pytest.approx(0.025, abs=1e-4), "what the performer sees follows"


def test_of_a_driver_that_does_not_say_so_the_buffer_counts_as_full(speaker: TimedSpeaker) -> None:
    speaker.turn(times=50)
    assert speaker.feed.latest is not None and speaker.feed.latest.time_s == speaker.now_s + Stream.latency
    assert speaker.feed.dry == 0


def test_a_device_whose_driver_states_its_delay_has_run_dry_once_that_and_the_block_are_over(
    speaker: TimedSpeaker,
) -> None:
    speaker.stream.delay_s = 0.06  # a sound server keeps more than its driver says of its buffer
    block_s = speaker.output.block / speaker.output.sample_rate
    speaker.turn()
    speaker.turn(0.06 + block_s - 0.001)
    assert speaker.feed.dry == 0
    speaker.turn(0.06 + block_s + 0.001, times=3)  # it fills its buffer again
    assert speaker.feed.dry == 1
    speaker.stream.underflow = True
    speaker.turn(times=2)
    assert speaker.feed.dry == 2, "one hole, although it is stated twice"


def test_settings_reach_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "pulse", default=0)
    output = open_output(block=128, latency=0.1)
    assert isinstance(output, Speaker) and output.block == 128
    assert (output._stream.options["blocksize"], output._stream.options["latency"]) == (128, 0.1)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [(None, "speaker pulse"), ("0", "speaker Built-in"), ("usb audio", "speaker USB Audio"), ("USB", "speaker USB")],
)
def test_a_device_by_index_name_or_part_of_it(monkeypatch: pytest.MonkeyPatch, wanted: str, found: str) -> None:
    install(monkeypatch, "Built-in", "mic USB", "pulse", "USB Audio", "USB", default=2)
    assert open_output(wanted).name == found


def test_the_error_for_a_missing_device_lists_the_present_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "mic", "pulse", default=1)
    for wanted in ("jack", "0", "7"):
        output = open_output(wanted)
        assert isinstance(output, NullOutput)
        assert output.notice == f"no sound device '{wanted}'; there are 1 pulse; playing to the null output"


def test_with_no_default_the_first_device_plays(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "mic", "hdmi", "pulse")
    assert devices() == [Device(1, "hdmi", False), Device(2, "pulse", False)]
    assert open_output().name == "speaker hdmi"


def test_without_devices_or_portaudio_the_null_output_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "mic")
    output = open_output()
    assert isinstance(output, NullOutput) and output.notice == "no sound device; playing to the null output"

    def absent() -> None:
        raise NoPortAudio("no PortAudio library (get it)")

    monkeypatch.setattr(audio, "_sounddevice", absent)
    output = open_output("pulse")
    assert isinstance(output, NullOutput)
    assert output.notice == "no PortAudio library (get it); playing to the null output"


def test_the_library_missing_is_an_error_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    import builtins

    real = builtins.__import__

    def broken(name: str, *rest: object) -> object:
        if name == "sounddevice":
            raise OSError("PortAudio library not found")
        return real(name, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", broken)
    with pytest.raises(NoPortAudio, match="no PortAudio library"):
        devices()


def test_a_device_that_does_not_open_leaves_the_null_output(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "hdmi", default=0)
    monkeypatch.setattr(Stream, "fault", "Device unavailable")
    with pytest.raises(DeviceError, match="sound device 0 does not open: Device unavailable"):
        Speaker(Feed(), 0)
    assert open_output().notice == "sound device 0 does not open: Device unavailable; playing to the null output"


@pytest.mark.parametrize(
    ("rates", "opened"), [((44_100,), 44_100), ((96_000,), 96_000), ((44_100, 48_000), 48_000), ((192_000,), 192_000)]
)
def test_a_device_that_does_not_take_48_khz_plays_at_a_rate_of_its_own(
    monkeypatch: pytest.MonkeyPatch, rates: tuple[int, ...], opened: int
) -> None:
    sound = install(monkeypatch, "dac", default=0)
    sound.about[0]["default_samplerate"] = float(rates[0])
    monkeypatch.setattr(Stream, "rates", rates)
    output = open_output()
    assert isinstance(output, Speaker) and output._stream.options["samplerate"] == output.sample_rate == opened
    assert output.name == ("speaker dac" if opened == 48_000 else f"speaker dac ({opened} Hz)")
    assert 0.8 < output.block / output.sample_rate * SAMPLE_RATE / QUICK_BLOCK < 1.3, "blocks last as long"


def test_a_device_that_takes_no_rate_says_why_48_khz_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "dac", default=0)
    monkeypatch.setattr(Stream, "rates", ())
    with pytest.raises(DeviceError, match="sound device 0 does not open: Invalid sample rate 48000"):
        open_speaker()


def test_the_null_output_on_request_has_no_notice() -> None:
    output = open_output("null")
    assert isinstance(output, NullOutput) and output.notice is None


def test_drivers_print_nothing_while_devices_are_looked_for(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet_stderr():
        os.write(2, b"ALSA lib: Unknown PCM\n")
    os.write(2, b"afterwards\n")
    assert capfd.readouterr().err == "afterwards\n"


def test_drivers_are_quiet_for_several_threads_at_once(capfd: pytest.CaptureFixture[str]) -> None:
    first, second = quiet_stderr(), quiet_stderr()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    os.write(2, b"ALSA lib: the second still looks\n")
    second.__exit__(None, None, None)
    os.write(2, b"afterwards\n")
    assert capfd.readouterr().err == "afterwards\n"
