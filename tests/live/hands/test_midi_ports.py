"""Controllers that appear, disappear and are briefly unplugged, on drivers that report lost connections and others."""

import os
from typing import Any

import pytest
from jack_box import plugged, soon
from jack_server import JackServer
from patience import until

from sidlive.live.hands import midi_ports
from sidlive.live.hands.midi_drivers import (
    AlsaMidi,
    Connection,
    Driver,
    Hear,
    JackMidi,
    Port,
    RtMidiDriver,
    WindowsMidi,
    alsa_is_connected,
    drivers,
)
from sidlive.live.hands.midi_out import MidiOutput
from sidlive.live.hands.midi_ports import PortFinder

OWNER = 4711  # the number of the core process


class Handle:
    """An open port of the fake driver."""

    def __init__(self, device: object, hear: Hear) -> None:
        self.device, self.hear, self.closed = device, hear, False

    def close(self) -> None:
        self.closed = True


class FakeOutput:
    """An output of the fake driver that records what it is to send."""

    driver = "fake"

    def __init__(self, device: object) -> None:
        self.device, self.sent, self.connected, self.lost, self.closed = device, list[bytes](), True, False, False

    def names(self) -> list[str]:
        return []

    def open(self, name: str, place: int = 0) -> bool:
        return True

    def send(self, time_s: float, message: bytes) -> None:
        self.sent.append(message)

    def close(self) -> None:
        self.closed = True


class FakeDriver(Driver):
    """A driver with devices by name, each a distinct object; ``asked``: it reports whether a connection works."""

    def __init__(self, asked: bool = True) -> None:
        self.devices: list[tuple[str, object]] = []
        self.outputs: list[FakeOutput] = []
        self.taken: set[object] = set()
        self.asked = asked
        self.opened: list[Handle] = []

    def plug(self, *names: str) -> None:
        self.devices += [(name, object()) for name in names]

    def unplug(self, place: int) -> tuple[str, object]:
        return self.devices.pop(place)

    def ports(self) -> list[Port]:
        return self._listed([name for name, _ in self.devices])

    def sinks(self) -> list[Port]:
        return self.ports()

    def open_output(self, port: Port) -> MidiOutput | None:
        device = [device for name, device in self.devices if self._key(name, 0) == port.key][port.place]
        self.outputs.append(FakeOutput(device))
        return self.outputs[-1]

    def open(self, port: Port, hear: Hear) -> Connection | None:
        device = [device for name, device in self.devices if name == port.key][port.place]
        if device in self.taken:
            return None
        self.opened.append(Handle(device, hear))
        return Connection(port, self.opened[-1], "in", 0.0, 0.0)

    def is_connected(self, connection: Connection) -> bool | None:
        assert isinstance(connection.handle, Handle)
        return connection.handle.device in [device for _, device in self.devices] if self.asked else None

    def close(self) -> None:
        pass

    def send(self, place: int, *message: int) -> None:
        """Send a message from the device at this place to all connections to it."""
        for handle in self.opened:
            if not handle.closed and handle.device is self.devices[place][1]:
                handle.hear(bytes(message), 0.0)


class FinderSetup:
    """A port finder on fake drivers, and the messages that it heard."""

    def __init__(self, *drivers: FakeDriver, wanted: str | None = None) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self.finder = PortFinder(wanted, self._hear, list(drivers), OWNER)

    def _hear(self, port: str, message: bytes, time_s: float) -> None:
        self.heard.append((port, message))

    def look(self) -> tuple[list[str], list[str]]:
        changes = self.finder.look()
        return changes.come, changes.gone

    def hears(self, driver: FakeDriver, place: int = 0) -> str:
        """Send a message from a device; return the name of the port on which it arrived."""
        self.heard.clear()
        driver.send(place, 0xB0, 1, 2)
        assert len(self.heard) == 1, "once, and not twice"
        return self.heard[0][0]


def test_ports_are_opened_as_they_come_and_closed_as_they_go() -> None:
    driver = FakeDriver()
    setup = FinderSetup(driver)
    assert setup.look() == ([], [])
    driver.plug("knobs", "Midi Through Port-0", "pads")
    assert setup.look() == (["knobs", "pads"], []) and setup.finder.names == ["knobs", "pads"]
    assert setup.look() == ([], []) and len(driver.opened) == 2, "and are left alone while they are there"
    driver.unplug(0)
    assert setup.look() == ([], ["knobs"]) and driver.opened[0].closed
    setup.finder.close()
    assert all(handle.closed for handle in driver.opened)


def test_a_controller_that_was_away_between_two_looks_is_heard_again() -> None:
    driver = FakeDriver()
    driver.plug("knobs", "pads")
    setup = FinderSetup(driver)
    setup.look()
    driver.unplug(0)
    driver.plug("knobs")
    assert setup.look() == (["knobs"], []), "the performer sees that it is back"
    assert setup.hears(driver, 1) == "knobs" and setup.hears(driver, 0) == "pads"
    assert len(driver.opened) == 3, "the other one was left alone"


def test_on_a_driver_without_reports_a_silent_port_is_reopened(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = FakeDriver(asked=False)
    driver.plug("knobs")
    setup = FinderSetup(driver)
    setup.look()
    driver.unplug(0)
    driver.plug("knobs")
    monkeypatch.setattr(midi_ports, "QUIET_S", 0.0)
    assert setup.look() == ([], []) and driver.opened[0].closed
    assert setup.hears(driver) == "knobs"


def test_a_port_that_was_heard_lately_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = FakeDriver(asked=False)
    driver.plug("knobs")
    setup = FinderSetup(driver)
    setup.look()
    (slot,) = next(iter(setup.finder._slots.values()))
    assert slot.connection is not None
    slot.connection.heard_s = slot.connection.opened_s = float("inf")
    setup.look()
    assert len(driver.opened) == 1


def test_two_controllers_of_one_name_are_both_heard_under_two_names() -> None:
    driver = FakeDriver()
    driver.plug("nanoKONTROL2 SLIDER/KNOB", "nanoKONTROL2 SLIDER/KNOB")
    setup = FinderSetup(driver)
    assert setup.look() == (["nanoKONTROL2 SLIDER/KNOB", "nanoKONTROL2 SLIDER/KNOB 2"], [])
    assert setup.hears(driver, 0) == "nanoKONTROL2 SLIDER/KNOB"
    assert setup.hears(driver, 1) == "nanoKONTROL2 SLIDER/KNOB 2"
    driver.unplug(0)
    gone = setup.look()[1]
    assert gone == ["nanoKONTROL2 SLIDER/KNOB 2"] and setup.hears(driver, 0) == "nanoKONTROL2 SLIDER/KNOB"
    driver.plug("nanoKONTROL2 SLIDER/KNOB")
    setup.look()
    assert {setup.hears(driver, 0), setup.hears(driver, 1)} == {
        "nanoKONTROL2 SLIDER/KNOB",
        "nanoKONTROL2 SLIDER/KNOB 2",
    }


def test_controllers_that_a_driver_numbers_keep_their_names_when_one_goes() -> None:
    class Numbering(FakeDriver):
        _label = AlsaMidi._label

    driver = Numbering()
    driver.plug("nano:MIDI 1 20:0", "nano:MIDI 1 24:0")
    setup = FinderSetup(driver)
    assert setup.look() == (["nano", "nano 2"], [])
    driver.unplug(0)
    assert setup.look() == ([], ["nano"]) and setup.hears(driver) == "nano 2"
    driver.plug("nano:MIDI 1 28:0")
    assert setup.look() == (["nano"], []), "in another socket it is the same controller"


def test_a_port_that_another_program_has_is_opened_when_it_is_free() -> None:
    driver = FakeDriver()
    driver.plug("knobs", "knobs")
    driver.taken.add(driver.devices[1][1])
    setup = FinderSetup(driver)
    assert setup.look() == (["knobs"], []) and setup.look() == ([], [])
    assert len(driver.opened) == 1, "the one that is open is left alone meanwhile"
    driver.taken.clear()
    assert setup.look() == (["knobs 2"], []) and setup.finder.names == ["knobs", "knobs 2"]


def test_only_the_wanted_port_is_opened() -> None:
    driver = FakeDriver()
    driver.plug("Launch Control", "pads")
    setup = FinderSetup(driver, wanted="launch")
    assert setup.look() == (["Launch Control"], [])


def test_ports_of_one_name_on_two_drivers_get_two_names() -> None:
    one, two = FakeDriver(), FakeDriver()
    one.plug("knobs")
    two.plug("knobs")
    setup = FinderSetup(one, two)
    assert setup.look() == (["knobs", "knobs 2"], [])
    assert setup.hears(one) == "knobs" and setup.hears(two) == "knobs 2"


# -- outputs


def test_an_output_has_the_name_of_the_input_of_the_same_controller() -> None:
    class Numbering(FakeDriver):
        _label = AlsaMidi._label

    driver = Numbering()
    driver.plug("nano:nano MIDI 1 20:0", "nano:nano MIDI 1 24:0")
    setup = FinderSetup(driver)
    assert setup.look()[0] == ["nano", "nano 2"] == setup.finder.output_names
    second = driver.devices[1][1]
    assert setup.finder.send("nano 2", b"\x90\x01\x7f") and driver.outputs[0].device is second
    driver.unplug(0)
    setup.look()
    assert setup.finder.output_names == ["nano 2"] and setup.finder.send("nano 2", b"\x80\x01\x00")
    assert driver.outputs[0].sent == [b"\x90\x01\x7f", b"\x80\x01\x00"], "it stays open"
    assert not setup.finder.send("nano", b"\x90\x01\x7f"), "nobody is there to take it"


def test_an_output_that_was_away_between_two_looks_is_opened_again() -> None:
    driver = FakeDriver()
    driver.plug("pads")
    setup = FinderSetup(driver)
    setup.look()
    setup.finder.send("pads", b"\x90\x01\x7f")
    driver.outputs[0].connected = False
    setup.look()
    assert setup.finder.send("pads", b"\x90\x02\x7f") and driver.outputs[0].closed
    assert driver.outputs[1].sent == [b"\x90\x02\x7f"]


def test_our_own_ports_are_not_controllers() -> None:
    driver = FakeDriver()
    driver.plug(
        f"sidlive clock {OWNER}:out",
        "sidlive lights 99:to pads",
        "sidlive midi 99:out",
        "sidlive clock 99:out",
        "Midi Through Port-0",
    )
    setup = FinderSetup(driver)
    assert setup.look() == (["sidlive clock 99:out"], []), "the clock of another instrument may be followed"


# -- the names of each driver


class FakeRtMidi:
    """Stands for `RtMidi` and its clients; it only lists port names."""

    def __init__(self, *names: str) -> None:
        self.names = list(names)

    def driver_name(self, api: int) -> str:
        return "fake"

    def input(self, api: int, client: str) -> "FakeRtMidi":
        return self

    output = input

    def get_ports(self) -> list[str]:
        return self.names


def driver_of(kind: type[RtMidiDriver], *names: str) -> RtMidiDriver:
    rtmidi: Any = FakeRtMidi(*names)
    return kind(rtmidi, 0, OWNER)


def test_windows_numbers_ports_by_their_place() -> None:
    driver = driver_of(WindowsMidi, "nano 0", "pads 1", "nano 2")
    assert driver.ports() == [Port("nano", "nano", 0), Port("pads", "pads", 0), Port("nano", "nano", 1)]


def test_core_midi_gives_two_ports_of_one_name() -> None:
    driver = driver_of(RtMidiDriver, "nano", "nano")
    assert driver.ports() == [Port("nano", "nano", 0), Port("nano", "nano", 1)]


def test_alsas_list_shows_whether_a_port_is_connected() -> None:
    listing = """Client info
  cur  clients : 4
Client   0 : "System" [Kernel]
  Port   1 : "Announce" (R-e-)
    Connecting To: 130:0
Client  20 : "nanoKONTROL2" [Kernel]
  Port   0 : "nanoKONTROL2 MIDI 1" (RWeX)
    Connecting To: 128:0[real:0]
    Connected From: 131:0
Client 128 : "sidlive" [User Legacy]
  Port   0 : "in 1 of 77" (-We-) [In]
    Connected From: 20:0[real:0]
Client 129 : "sidlive" [User Legacy]
  Port   0 : "in 2 of 77" (-We-) [In]
Client 130 : "a program" [User]
  Port   0 : "in 3 of 78" (-We-)
    Connected From: 0:1
"""
    assert alsa_is_connected(listing, "in 1 of 77")
    assert not alsa_is_connected(listing, "in 2 of 77"), "what follows is another client's"
    assert not alsa_is_connected(listing, "in 9 of 77") and not alsa_is_connected("", "in 1 of 77")


def test_a_driver_that_is_missing_is_not_asked_again_at_once() -> None:
    class Missing(FakeRtMidi):
        asked = 0

        def input(self, api: int, client: str) -> FakeRtMidi:
            Missing.asked += 1
            raise OSError("no driver")

    rtmidi: Any = Missing()
    driver = RtMidiDriver(rtmidi, 0, OWNER)
    assert driver.ports() == [] == driver.ports() and Missing.asked == 1


def test_the_drivers_of_this_machine() -> None:
    pytest.importorskip("supriya_midi", reason="supriya-midi is not installed")
    found, missing = drivers(OWNER)
    assert not missing and {type(driver) for driver in found} <= {AlsaMidi, JackMidi, WindowsMidi, RtMidiDriver}


# -- JACK


def test_two_controllers_of_one_name_on_jack_are_heard_and_answered(jack: JackServer) -> None:
    heard: list[tuple[str, bytes]] = []
    driver = JackMidi(os.getpid())
    finder = PortFinder(None, lambda port, message, time_s: heard.append((port, message)), [driver], os.getpid())
    with plugged("nano", "knobs", "leds") as one, plugged("nano", "knobs", "leds") as two:
        finder.look()
        assert finder.names == sorted([f"{one.name}:knobs", f"{two.name}:knobs"]) and one.name != two.name
        one.send(b"\xb0\x01\x05")
        two.send(b"\xb0\x01\x06")
        expected = {(f"{one.name}:knobs", b"\xb0\x01\x05"), (f"{two.name}:knobs", b"\xb0\x01\x06")}
        assert until(lambda: set(heard) == expected)
        assert finder.send(f"{two.name}:leds", b"\x90\x01\x7f")
        assert until(lambda: [message for _, message in two.heard] == [b"\x90\x01\x7f"])
        soon()
        assert one.heard == []
    finder.close()
