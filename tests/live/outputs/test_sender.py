"""The sender process on a real JACK port: messages at their times, and silence in the end, whatever ends it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest
from chip_box import ChipBox
from patience import until

from sidlive.live.outputs.chip_choice import parse_chip
from sidlive.live.outputs.sender import Sender

LAST = [bytes.fromhex("f02d4e00f7"), bytes.fromhex("f02d4df7")]


def note(number: int) -> bytes:
    return bytes([0xF0, 0x2D, 0x4F, number, 0xF7])


@pytest.fixture
def plug() -> Iterator[Callable[..., ChipBox]]:
    """Plug in chips; they are unplugged at the end of the test."""
    boxes: list[ChipBox] = []

    def plug_in(*names: str, **options: bool) -> ChipBox:
        boxes.append(ChipBox(*names, **options))
        return boxes[-1]

    yield plug_in
    for box in boxes:
        box.pull()


def opened(notices: list[str] | None = None, spec: str = "asid:chip") -> Sender:
    """Return a sender whose port is open."""
    sender = Sender(parse_chip(spec).receiver, LAST, (notices if notices is not None else []).append)
    assert until(lambda: sender.status != "opening")
    assert sender.is_open, sender.error
    return sender


def heard(box: ChipBox) -> list[bytes]:
    """Return what a chip got but for last words. They also come if this process stands still for a second."""
    return [message for message in list(box.messages) if message not in LAST]


def ended(box: ChipBox) -> bool:
    """Return whether the last words are the last that the chip got. They are sent several times: some may be lost."""
    return box.messages[-len(LAST) :] == LAST


@pytest.mark.usefixtures("jack")
def test_messages_arrive_in_the_order_of_their_times_and_the_last_words_at_the_end(
    plug: Callable[..., ChipBox],
) -> None:
    box, sender = plug(), opened()
    assert sender.port == "chip:in" and sender.beginnings == 1
    begin = time.perf_counter() + 0.1
    sent = [note(number) for number in range(20)]
    for number, message in enumerate(sent):
        assert sender.send(begin + 0.01 * number, [message])
    assert until(lambda: len(heard(box)) == len(sent))
    sender.close()
    assert until(lambda: ended(box)), box.messages
    assert heard(box) == sent


@pytest.mark.usefixtures("jack")
def test_a_message_for_now_comes_instead_of_those_that_wait(plug: Callable[..., ChipBox]) -> None:
    box, sender = plug(), opened()
    sender.send(time.perf_counter() + 60, [note(1), note(2)])
    sender.now([note(3), note(4)])
    assert until(lambda: len(heard(box)) >= 2)
    sender.close()
    assert until(lambda: ended(box))
    assert heard(box) == [note(3), note(4)]


@pytest.mark.usefixtures("jack")
def test_a_core_that_is_killed_leaves_the_chip_silent(plug: Callable[..., ChipBox]) -> None:
    box = plug()
    program = (
        "import sys, time\n"
        "from sidlive.live.outputs.chip_choice import parse_chip\n"
        "from sidlive.live.outputs.sender import Sender\n"
        f"sender = Sender(parse_chip('asid:chip').receiver, [bytes.fromhex(word) for word in sys.argv[1:]], print)\n"
        "while not sender.is_open: time.sleep(0.01)\n"
        f"while sender.send(time.perf_counter(), [bytes.fromhex('{note(1).hex()}')]):\n"
        "    time.sleep(0.1)\n"
        f"    sender.send(time.perf_counter() + 60, [bytes.fromhex('{note(2).hex()}')])\n"
    )
    core = subprocess.Popen([sys.executable, "-c", program, *(word.hex() for word in LAST)], start_new_session=True)
    assert until(lambda: note(1) in box.messages)
    os.killpg(core.pid, signal.SIGKILL)  # the core's whole group
    core.wait()
    assert until(lambda: ended(box))
    assert set(heard(box)) == {note(1)}, "what waited is not sent"


@pytest.mark.usefixtures("jack")
def test_a_core_that_hangs_leaves_the_chip_silent_until_it_goes_on(plug: Callable[..., ChipBox]) -> None:
    box, sender = plug(), opened()
    sender.send(time.perf_counter(), [note(1)])
    assert until(lambda: box.messages == [note(1), *LAST])
    assert until(lambda: sender.beginnings == 2), "the chip has to be told everything again"
    sender.send(time.perf_counter(), [note(2)])
    assert until(lambda: note(2) in box.messages)
    sender.close()


@pytest.mark.usefixtures("jack")
def test_a_chip_that_is_unplugged_and_back_plays_again(plug: Callable[..., ChipBox]) -> None:
    notices: list[str] = []
    box, sender = plug(), opened(notices)
    box.pull()
    assert until(lambda: sender.status == "gone")
    box = plug()
    assert until(lambda: sender.is_open)
    assert sender.beginnings == 2 and notices == [
        "asid:chip is gone; it plays again when it is back",
        "asid:chip is back",
    ]
    sender.send(time.perf_counter(), [note(1)])
    assert until(lambda: note(1) in box.messages)
    sender.close()


@pytest.mark.usefixtures("jack")
def test_a_chip_that_is_back_only_after_the_end_is_silenced_too(plug: Callable[..., ChipBox]) -> None:
    box, again, sender = plug(), plug(plugged=False), opened()
    box.pull()
    assert until(lambda: sender.status == "gone")
    sender.close()
    again.plug()
    assert until(lambda: ended(again))


@pytest.mark.usefixtures("jack")
def test_a_missing_port_is_said_in_one_line(plug: Callable[..., ChipBox]) -> None:
    plug("other")
    notices: list[str] = []
    sender = Sender(parse_chip("asid:chip").receiver, LAST, notices.append, tells_failure=True)
    assert until(lambda: sender.status == "failed")
    assert sender.error.startswith("no MIDI port 'chip': there ") and "other:in" in sender.error
    assert notices == [f"asid:chip: {sender.error}"]
    assert not sender.send(time.perf_counter(), [note(1)]), "the renderer is told, and not held up"


@pytest.mark.usefixtures("jack")
def test_a_process_that_takes_nothing_does_not_hold_up_the_music(plug: Callable[..., ChipBox]) -> None:
    plug()
    sender = opened()
    sender._process.send_signal(signal.SIGSTOP)
    try:
        taken = [sender.send(time.perf_counter() + 60, [note(1) * 8]) for _ in range(3000)]
    finally:
        sender._process.send_signal(signal.SIGCONT)
    assert not all(taken) and sender.dropped == taken.count(False)
    sender.close()
