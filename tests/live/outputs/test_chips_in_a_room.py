"""Chips beside the emulator, as a performer uses them: verbs over a room, and Ultimates on loopback as the chips."""

import functools
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from chip_box import ChipBox
from fake_engine import FakeEngine, riff
from patience import until
from ultimate_server import UltimateServer

from sidlive.bench.hands_asid import played
from sidlive.chip.registers import silence
from sidlive.errors import ControlError, DeviceError
from sidlive.live.processes.options import RoomOptions
from sidlive.live.processes.room import RoomLink, open_room
from sidlive.live.session import Session
from sidlive.live.state import OutputState

GATES = (0xD404, 0xD40B, 0xD412)
VOLUME = 0xD418


@pytest.fixture
def chip() -> Iterator[UltimateServer]:
    server = UltimateServer(keeps=True)
    yield server
    server.close()


def room(folder: Path, *chips: str) -> Session:
    """Return a session whose music plays."""
    link = open_room(
        RoomOptions(device="null", midi="none", takes=folder, name="take", engine=FakeEngine, outputs=chips)
    )
    session = Session(link)
    session.add(riff())
    session.prompt("riff")
    session.start()
    assert until(lambda: session.state().phase == "playing")
    return session


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    session = room(tmp_path)
    yield session
    session.close()


def connect(session: Session, chip: UltimateServer, **voices: str | int) -> None:
    """Have a chip play too. It must answer within a second, in which this process may be held up."""
    assert until(lambda: connected(session, chip, **voices))


def connected(session: Session, chip: UltimateServer, **voices: str | int) -> bool:
    try:
        session.out(f"u64:{chip.host}", **voices)
    except DeviceError:
        return False
    return True


def sounds(chip: UltimateServer) -> bool:
    return chip.memory[VOLUME] == 15 and any(chip.memory[gate] & 1 for gate in GATES)


def is_silent(chip: UltimateServer) -> bool:
    return not any(chip.memory[0xD400:0xD419])


def test_a_chip_plays_until_it_is_taken_off(session: Session, chip: UltimateServer) -> None:
    connect(session, chip)
    assert until(lambda: sounds(chip))
    state = OutputState(f"u64:{chip.host}", "open")
    assert until(lambda: session.out() == [state] and session.state().outputs == (state,))
    assert repr(state) == f"u64:{chip.host}: open"
    assert session.out(f"u64:{chip.host}", on=False) == []
    assert until(lambda: is_silent(chip))


def test_two_chips_share_the_voices(session: Session, chip: UltimateServer) -> None:
    other = UltimateServer(keeps=True)
    try:
        connect(session, chip, voices="1-2")
        connect(session, other, voices=3)
        assert until(lambda: chip.memory[GATES[0]] & 1 == 1 and other.memory[GATES[2]] & 1 == 1)
        assert not any(data[GATES[2] - address] & 1 for address, data in chip.writes)
        assert not any(data[GATES[0] - address] & 1 for address, data in other.writes if address == 0xD400)
        assert session.out("off") == []
        assert until(lambda: is_silent(chip) and is_silent(other))
    finally:
        other.close()


def test_stop_and_panic_silence_the_chip_and_start_is_heard_again(session: Session, chip: UltimateServer) -> None:
    connect(session, chip)
    assert until(lambda: sounds(chip))
    session.stop()
    assert until(lambda: not any(chip.memory[gate] & 1 for gate in GATES)), "the notes fade by their own release"
    session.start()
    assert until(lambda: sounds(chip))
    session.panic()
    assert until(lambda: is_silent(chip))
    session.start()
    assert until(lambda: sounds(chip))


def test_listen_chooses_what_is_heard(session: Session, chip: UltimateServer) -> None:
    with pytest.raises(ControlError, match="no chip plays that could be listened to"):
        session.listen()
    connect(session, chip)
    assert until(lambda: sounds(chip))
    assert session.listen("emulator") == "emulator"
    assert until(lambda: is_silent(chip))
    assert session.listen() == "both" and until(lambda: session.state().listening == "both")
    assert until(lambda: sounds(chip))
    assert session.listen() == "chip"
    with pytest.raises(ControlError, match="listen expects one of both, chip, emulator, found 'loud'"):
        session.listen("loud")


def test_a_killed_core_leaves_the_chip_silent(tmp_path: Path, chip: UltimateServer) -> None:
    session = room(tmp_path, f"u64:{chip.host}")
    try:
        assert until(lambda: sounds(chip))
        link = session._link
        assert isinstance(link, RoomLink) and link._process.pid is not None
        os.kill(link._process.pid, signal.SIGKILL)
        assert until(lambda: is_silent(chip))
    finally:
        session.close()


@pytest.mark.usefixtures("jack")
def test_a_killed_core_leaves_a_chip_on_a_midi_port_silent(tmp_path: Path) -> None:
    box = ChipBox()

    def registers() -> np.ndarray:
        rows = played([(0.0, message) for message in list(box.messages)])[1]
        return rows[-1] if len(rows) else silence(1)[0]

    session = room(tmp_path, "asid:chip")
    try:
        assert until(lambda: registers()[24] == 15 and any(registers()[[4, 11, 18]] & 1))
        link = session._link
        assert isinstance(link, RoomLink) and link._process.pid is not None
        os.kill(link._process.pid, signal.SIGKILL)
        assert until(lambda: not registers().any())
    finally:
        session.close()
        box.pull()


def test_a_chip_that_is_not_there_is_one_line_and_the_music_goes_on(tmp_path: Path) -> None:
    deaf = socket.socket()  # nobody else can listen there
    deaf.bind(("127.0.0.1", 0))
    host = f"127.0.0.1:{deaf.getsockname()[1]}"
    session = room(tmp_path, f"u64:{host}")
    try:
        said = f"u64:{host}: {host} does not answer (Connection refused): is the Ultimate on, and its web server?"
        assert until(lambda: said in [notice.text for notice in session.state().notices])
        with pytest.raises(DeviceError) as error:
            session.out(f"u64:{host}")
        assert str(error.value) == said and session.out() == [] and session.state().phase == "playing"
        with pytest.raises(DeviceError, match="is no output"):
            session.out(f"u64:{host}", on=False)
        with pytest.raises(ControlError, match="out expects"):
            session.out("speaker")
    finally:
        session.close()
        deaf.close()


def test_offline_a_chip_is_no_error(tmp_path: Path) -> None:
    from sidlive.live.script import open_offline

    options = RoomOptions(takes=tmp_path, name="take", engine=functools.partial(FakeEngine))
    session = Session(open_offline(options, None, lambda text: None))
    assert session.out("asid:synth") == []
    assert session.state().notices[-1].text == "out(): there are no outputs here"
    session.close()
