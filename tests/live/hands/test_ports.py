"""The ports of the core: a process of its own hears and sends, and is started again if it ends or hangs."""

import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest
from jack_box import plugged
from jack_server import JackServer
from patience import PATIENCE_S, undisturbed, until

from sidlive.live.hands import ports as ports_module
from sidlive.live.hands.midi_ports import Changes
from sidlive.live.hands.ports import MidiPorts


class Ear:
    """Ports, and what was heard through them."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, bytes, float]] = []
        self.changes: list[Changes] = []
        self.ports = MidiPorts(None, lambda *message: self.heard.append(message), self.changes.append)

    def messages(self, port: str) -> list[bytes]:
        return [message for name, message, _ in self.heard if name == port]

    @property
    def process(self) -> int:
        assert self.ports._process is not None
        return self.ports._process.pid


@pytest.fixture
def ear(jack: JackServer) -> Iterator[Ear]:
    ear = Ear()
    ear.ports.start()
    try:
        assert ear.ports.looked.wait(PATIENCE_S)
        yield ear
    finally:
        ear.ports.close()


def has(ear: Ear, *names: str) -> Callable[[], bool]:
    return lambda: ear.ports.inputs == list(names)


def test_messages_of_all_kinds_arrive_whole_in_order_and_with_their_times(ear: Ear) -> None:
    messages = [b"\xb0\x01\x05", b"\xf0" + bytes(range(100)) * 3 + b"\xf7", b"\xf8", b"\xc0\x07", b"\x90\x3c\x40"]
    with plugged("box", "keys") as box:
        assert until(has(ear, "box:keys")) and [change.come for change in ear.changes] == [["box:keys"]]

        def play() -> None:
            ear.heard.clear()
            begin_s = time.perf_counter() + 0.1
            for number, message in enumerate(messages):
                box.send(message, begin_s + 0.01 * number)
            assert until(lambda: len(ear.heard) == len(messages))
            assert ear.messages("box:keys") == messages
            gaps_s = [after[2] - before[2] for before, after in zip(ear.heard, ear.heard[1:], strict=False)]
            assert gaps_s == pytest.approx([0.01] * 4, abs=0.0001), "as far apart as they were sent, to the sample"

        undisturbed(play, 0.02)
    assert until(has(ear)) and ear.changes[-1].gone == ["box:keys"]


def test_a_message_is_sent_to_the_output_of_a_controller(ear: Ear) -> None:
    with plugged("box", "keys", "leds") as box:
        assert until(has(ear, "box:keys")) and until(lambda: ear.ports.outputs == ["box:leds"])
        assert ear.ports.output_of("box:keys") == "box:leds"
        assert not ear.ports.send("nobody", b"\x90\x01\x7f") and not ear.ports.send("box:leds", b"")
        long = b"\xf0" + bytes(2000) + b"\xf7"
        assert ear.ports.send("box:leds", b"\x90\x01\x7f") and ear.ports.send("box:leds", long)
        assert until(lambda: [message for _, message in box.heard] == [b"\x90\x01\x7f", long])


def test_lights_work_again_after_the_controller_was_unplugged_for_a_moment(ear: Ear) -> None:
    with plugged("box", "keys", "leds") as box:
        assert until(lambda: ear.ports.send("box:leds", b"\x90\x01\x7f"))
        assert until(lambda: bool(box.heard)), ear.ports.outputs
    time.sleep(0.05)
    with plugged("box", "keys", "leds") as box:

        def lit() -> bool:
            ear.ports.send("box:leds", b"\x90\x02\x7f")
            time.sleep(0.02)
            return bool(box.heard)

        assert until(lit)


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP])
def test_a_process_that_ends_or_hangs_is_started_again(
    ear: Ear, fault: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports_module, "SILENT_S", 2.0)
    with plugged("box", "keys") as box:
        assert until(has(ear, "box:keys"))
        before = ear.process
        os.kill(before, fault)
        assert until(lambda: any(change.gone == ["box:keys"] for change in ear.changes)), "it is missed"
        assert until(lambda: ear.process != before)
        monkeypatch.setattr(ports_module, "SILENT_S", PATIENCE_S)  # the new one may take long to begin
        assert until(has(ear, "box:keys"))

        def arrives() -> bool:  # the server may lose messages while it notices that a client has ended
            box.send(b"\xb0\x01\x05")
            time.sleep(0.02)
            return b"\xb0\x01\x05" in ear.messages("box:keys")

        assert until(arrives)


def test_the_process_ends_with_its_owner(ear: Ear) -> None:
    process = ear.ports._process
    ear.ports.close()
    assert process is not None and process.poll() is not None
