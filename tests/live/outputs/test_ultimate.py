"""An Ultimate over its HTTP API, tried against a server on loopback that keeps to the documentation."""

import socket
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from patience import PATIENCE_S, until
from ultimate_server import UltimateServer

from sidlive.chip.registers import silence
from sidlive.errors import DeviceError
from sidlive.live.outputs.chip_choice import parse_chip
from sidlive.live.outputs.sender import Sender
from sidlive.live.outputs.ultimate import PASSWORD_VARIABLE, Ultimate, UltimateStream, calls_of


@pytest.fixture
def switch_on() -> Iterator[Callable[..., UltimateServer]]:
    """Switch on Ultimates; they are switched off at the end of the test."""
    servers: list[UltimateServer] = []

    def on(**options: object) -> UltimateServer:
        servers.append(UltimateServer(**options))
        return servers[-1]

    yield on
    for server in servers:
        server.close()


def opened(server: UltimateServer, tell: Callable[[str], object] = print) -> Sender:
    """Return a sender that has found the server. It waits for a second, in which this process may be held up."""
    sender = Sender(parse_chip(f"u64:{server.host}").receiver, UltimateStream().last, tell)
    assert until(lambda: sender.status != "opening")
    if sender.is_open:
        return sender
    sender.close()
    return opened(server, tell)


def plays(sender: Sender, server: UltimateServer, volume: int) -> bool:
    """Send a frame until the server has it: it is lost if the server has answered late, and so counts as gone."""
    return until(lambda: sender.send(time.perf_counter(), [frame(volume)]) and server.memory[0xD418] == volume)


def frame(volume: int) -> bytes:
    row = silence(1)[0]
    row[24] = volume
    return row.tobytes()


def test_a_tune_is_sent_and_played(switch_on: Callable[..., UltimateServer]) -> None:
    server = switch_on()
    api = Ultimate(server.host, PATIENCE_S)
    assert api.version() == "0.1"
    api.play(b"PSID, a tune")
    api.play(b"PSID, another", song=3)
    assert server.played == [(b"PSID, a tune", ""), (b"PSID, another", "3")]


@pytest.mark.parametrize(("keeps", "connections"), [(True, 1), (False, 3)])
def test_a_connection_that_stays_open_is_used_again(
    switch_on: Callable[..., UltimateServer], keeps: bool, connections: int
) -> None:
    server = switch_on(keeps=keeps)
    api = Ultimate(server.host, PATIENCE_S)
    for value in (1, 2, 3):
        api.write(0xD418, bytes([value]))
    assert server.memory[0xD418] == 3 and server.connections == connections


def test_the_password_is_sent(switch_on: Callable[..., UltimateServer], monkeypatch: pytest.MonkeyPatch) -> None:
    server = switch_on(password="secret")
    with pytest.raises(DeviceError, match=f"wants its network password: set {PASSWORD_VARIABLE}"):
        Ultimate(server.host, PATIENCE_S).version()
    monkeypatch.setenv(PASSWORD_VARIABLE, "secret")
    assert Ultimate(server.host, PATIENCE_S).version() == "0.1"


def test_what_the_host_says_is_passed_on(switch_on: Callable[..., UltimateServer]) -> None:
    server = switch_on()
    server.errors = ["SID File Memory Rollover"]
    with pytest.raises(DeviceError, match=r"refused \(200\): SID File Memory Rollover"):
        Ultimate(server.host, PATIENCE_S).play(b"")


def test_a_host_that_is_off_or_silent_or_no_host_is_said_in_one_line(
    switch_on: Callable[..., UltimateServer],
) -> None:
    with socket.socket() as deaf:  # nobody else can listen there
        deaf.bind(("127.0.0.1", 0))
        port = deaf.getsockname()[1]
        with pytest.raises(DeviceError, match=rf"127.0.0.1:{port} does not answer \(Connection refused\)"):
            Ultimate(f"127.0.0.1:{port}", PATIENCE_S).version()
    server = switch_on()
    with server.holding(), pytest.raises(DeviceError, match="does not answer"):
        Ultimate(server.host, patience_s=0.2).version()
    with pytest.raises(DeviceError, match="a name or an IP address"):
        Ultimate("host:port").version()


def test_a_frame_is_one_call_and_a_control_that_is_written_twice_a_second_one() -> None:
    row = np.arange(28).astype(np.uint8)
    row[[25, 26, 27]] = row[[4, 11, 18]]
    assert calls_of(row) == [(0xD400, bytes(range(25)))]
    row[26] = 0x80  # voice 2
    first = bytearray(range(25))
    first[11] = 0x80
    assert calls_of(row) == [(0xD400, bytes(first)), (0xD404, bytes(range(4, 19)))]


def test_frames_reach_the_chip_in_time_and_silence_at_the_end(switch_on: Callable[..., UltimateServer]) -> None:
    server = switch_on()
    sender = opened(server)
    begin = time.perf_counter() + 0.1
    for number in range(14):
        sender.send(begin + 0.02 * number, [frame(number + 1)])
    assert plays(sender, server, 15)
    sender.close()
    assert until(lambda: server.memory[0xD418] == 0)
    volumes = [data[24] for address, data in server.writes if address == 0xD400]
    played = [volume for volume in volumes if volume]  # there is silence too if this process stood still for a second
    assert len(played) > 1 and played == sorted(played), "in order; late frames may be left out"


def test_a_slow_host_gets_the_newest_frame(switch_on: Callable[..., UltimateServer]) -> None:
    server = switch_on()
    sender = opened(server)
    with server.holding():
        sender.send(time.perf_counter(), [frame(1)])
        assert until(lambda: server.held), "this frame has reached the host, which does not answer yet"
        for number in range(1, 15):
            sender.send(time.perf_counter(), [frame(number + 1)])
    assert plays(sender, server, 15)
    sender.close()
    volumes = {data[24] for address, data in server.writes if address == 0xD400}
    assert not volumes >= set(range(2, 15)), "what was late is left out"


def test_a_host_that_goes_and_comes_back_plays_again(switch_on: Callable[..., UltimateServer]) -> None:
    server, notices = switch_on(), list[str]()
    sender = opened(server, notices.append)
    server.close()
    for number in range(3):
        sender.send(time.perf_counter(), [frame(number + 1)])
    assert until(lambda: sender.status == "gone")
    again = switch_on(port=server.port)
    assert until(lambda: sender.is_open)
    assert notices[-2:] == [f"u64:{server.host} is gone; it plays again when it is back", f"u64:{server.host} is back"]
    assert plays(sender, again, 9)
    sender.close()


def test_a_sender_process_that_dies_is_started_again(switch_on: Callable[..., UltimateServer]) -> None:
    server, notices = switch_on(), list[str]()
    sender = opened(server, notices.append)
    sender._process.kill()
    assert until(lambda: sender.beginnings >= 2 and sender.is_open)
    assert notices[-2:] == [
        f"u64:{server.host}: the process that sends to it has ended; it plays again when it is back",
        f"u64:{server.host} is back",
    ]
    assert plays(sender, server, 9)
    sender.close()
    assert until(lambda: server.memory[0xD418] == 0), "the new process knows the last words too"


def test_a_sender_process_that_dies_while_its_host_is_off_waits_for_it(
    switch_on: Callable[..., UltimateServer],
) -> None:
    server = switch_on()
    sender = opened(server)
    server.close()
    sender._process.kill()
    assert until(lambda: sender.status == "gone")
    dead = sender._process
    assert until(lambda: sender._process is not dead)
    switch_on(port=server.port)
    assert until(lambda: sender.is_open)
    sender.close()
