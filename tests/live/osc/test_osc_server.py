"""The server of Open Sound Control, as a program on the same machine sees it."""

import random
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from patience import PATIENCE_S, until
from pythonosc.osc_message import OscMessage

from sidlive.chip.registers import PAL, silence
from sidlive.errors import ControlError, DeviceError
from sidlive.live.core.core import Core
from sidlive.live.hands.actor import Actor
from sidlive.live.osc.osc_news import OscNews
from sidlive.live.osc.osc_server import MOST_SUBSCRIBERS, OscServer, encoded
from sidlive.live.sync.timeline import HeardFrame
from sidlive.live.takes.take import Take
from sidlive.live.timing.clock import Clock


class Program:
    """Another program: a socket of its own."""

    def __init__(self, port: int) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(0.02)
        self.to = "127.0.0.1", port
        self.heard: list[tuple[str, list[Any]]] = []

    @property
    def port(self) -> int:
        return int(self.socket.getsockname()[1])

    def send(self, address: str, *values: Any) -> None:
        self.raw(encoded(address, list(values)))

    def raw(self, packet: bytes) -> None:
        self.socket.sendto(packet, self.to)

    def hears(self, address: str, *values: Any) -> bool:
        """Return whether a message comes; without values, with any."""

        def came() -> bool:
            try:
                while True:
                    message = OscMessage(self.socket.recv(65536))
                    self.heard.append((message.address, list(message.params)))
            except TimeoutError:
                pass
            return any(a == address and (not values or v == list(values)) for a, v in self.heard)

        return until(came)


class House:
    """A core with a server of OSC, and a program."""

    def __init__(self) -> None:
        self.core = Core(Take(None, {}))
        self.handed: list[str] = []
        self.news = OscNews(lambda: PAL)
        self.server = OscServer(Actor(self.core, self.handed.append), self.core.state, self.core.tell, self.news)
        self.place = self.server.listen(0)
        self.program = Program(int(self.place.rpartition(":")[2]))

    def told(self) -> list[str]:
        return [notice.text for notice in self.core.state().notices]


@pytest.fixture
def house() -> Iterator[House]:
    house = House()
    yield house
    house.server.close()
    house.program.socket.close()


def test_messages_set_controls_and_call_verbs(house: House) -> None:
    assert house.place.startswith("127.0.0.1:")
    house.program.send("/sidlive/control/temperature", 1.5)
    house.program.send("/sidlive/fraction/volume", 1.0)
    house.program.send("/sidlive/verb/mute", 2)
    house.program.send("/sidlive/verb/commit", "song")
    assert until(lambda: house.core.get("temperature") == 1.5 and house.core.state().voices[1].muted)
    assert until(lambda: house.handed == ['commit("song")']), "it needs the performer's session"


def test_a_subscriber_is_told_the_state_and_then_what_changes(house: House) -> None:
    other = Program(house.program.to[1])
    house.program.send("/sidlive/subscribe", other.port)
    assert other.hears("/sidlive/control/temperature") and other.hears("/sidlive/control/scale", "off")
    assert other.hears("/sidlive/phase", "stopped")
    house.core.command("set", "volume", 9)
    house.core.tell("a line", "info")
    assert other.hears("/sidlive/control/volume", 9) and other.hears("/sidlive/notice", "info", "a line")
    house.program.send("/sidlive/unsubscribe", other.port)
    house.program.send("/sidlive/get/volume")
    assert house.program.hears("/sidlive/control/volume", 9), "the answer to get, after unsubscribe"
    assert not house.news.wanted
    other.socket.close()


def test_beats_and_notes_are_told_when_they_are_heard(house: House) -> None:
    house.program.send("/sidlive/subscribe")
    assert house.program.hears("/sidlive/phase")
    clock, now = Clock(beat=24.0, bar=4), time.perf_counter()
    for index in range(49):
        begin = index / 24
        house.news.frame(HeardFrame(now, now + 0.02, begin + 4, begin + 4 + 1 / 24, clock, True))
    row = silence(1)[0]
    row[7:9], row[[11, 26]] = (0xD6, 0x1C), 0x21
    house.news.row(row, now, now + 0.02)
    house.news.row(row, now + 0.02, now + 0.04)
    assert house.program.hears("/sidlive/beat", 2, 1, 125.0) or house.program.hears("/sidlive/beat")
    assert until(lambda: house.program.hears("/sidlive/note"))
    beats = [values[:2] for address, values in house.program.heard if address == "/sidlive/beat"]
    notes = [values for address, values in house.program.heard if address == "/sidlive/note"]
    assert beats == [[2, 1], [2, 2], [2, 3]]
    assert len(notes) == 1 and notes[0][0] == 2 and notes[0][1] == pytest.approx(68.7, abs=0.2)


def test_an_impossible_message_is_answered_with_a_line(house: House) -> None:
    house.program.send("/sidlive/control/temprature", 1.0)
    assert house.program.hears("/sidlive/error")
    assert "did you mean temperature" in house.program.heard[-1][1][0]


def test_packets_that_are_no_messages_are_counted_with_one_notice_and_the_server_goes_on(house: House) -> None:
    chance = random.Random(1)
    packets = [b"", b"abc", b"/a\0\0,i\0\0", b"#bundle\0" + bytes(7), b"#bundle\0" + bytes(8) + b"\xff" * 8, b"/x\0\0"]
    packets += [b"/" + chance.randbytes(chance.randrange(60)) for _ in range(100)]
    for packet in packets:
        house.program.raw(packet)
    assert until(lambda: house.server.malformed > 50)
    house.program.send("/sidlive/control/volume", 3)
    assert until(lambda: house.core.get("volume") == 3)
    assert len([text for text in house.told() if "are no message" in text]) == 1


def test_a_flood_is_bounded_and_the_last_value_counts(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The flood comes while the server is busy with an earlier message; the system keeps some 200 packets."""
    busy, go_on = threading.Event(), threading.Event()
    command = house.core.command

    def command_late(name: str, /, *arguments: Any) -> None:
        busy.set()
        assert go_on.wait(PATIENCE_S)
        command(name, *arguments)

    monkeypatch.setattr(house.core, "command", command_late)
    house.program.send("/sidlive/control/volume", 9)
    assert busy.wait(PATIENCE_S)
    for step in range(100):
        house.program.send("/sidlive/control/temperature", step / 100)
    house.program.send("/sidlive/control/temperature", 2.0)
    entries = len(house.core.take.log().splitlines())
    go_on.set()
    assert until(lambda: house.core.get("temperature") == 2.0)
    assert len(house.core.take.log().splitlines()) - entries <= 3, "few changes of 100"


def test_other_machines_subscribe_only_to_a_server_that_is_open_to_them(house: House) -> None:
    house.program.send("/sidlive/subscribe", "10.1.2.3", 9000)
    assert house.program.hears("/sidlive/error")
    assert "only programs of this machine can subscribe" in house.program.heard[-1][1][0]


def test_there_are_no_more_than_a_few_subscribers(house: House) -> None:
    for port in range(20000, 20000 + MOST_SUBSCRIBERS + 1):
        house.program.send("/sidlive/subscribe", port)
    assert house.program.hears("/sidlive/error")
    assert f"{MOST_SUBSCRIBERS} subscribers already" in house.program.heard[-1][1][0]


def test_the_place_changes_and_ends(house: House) -> None:
    first = house.place
    second = house.server.listen("127.0.0.1:0")
    assert second != first and house.server.place == second
    assert house.server.listen("off") == "" and house.server.place == ""


def test_a_port_that_is_taken_is_one_line(house: House) -> None:
    taken = Program(1)
    with pytest.raises(DeviceError, match=rf"osc cannot listen at 127.0.0.1:{taken.port}: .*; choose another port"):
        house.server.listen(taken.port)
    with pytest.raises(DeviceError, match=r"osc cannot listen at nowhere\.invalid:9000"):
        house.server.listen("nowhere.invalid:9000")
    with pytest.raises(ControlError):
        house.server.listen("x")
    taken.socket.close()


def test_nothing_is_collected_while_nobody_listens() -> None:
    news = OscNews(lambda: PAL)
    news.row(np.full(28, 0x21, dtype=np.uint8), 0, 1)
    news.frame(HeardFrame(0, 0.02, 0.0, 0.04, Clock(), True))
    assert news.next_s is None and not news.due(10)
