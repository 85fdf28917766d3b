"""The monitor of MIDI: the last messages as people read them, and what they did."""

import pytest

from sidlive.live.hands.monitor import KEPT, Monitor


@pytest.mark.parametrize(
    ("message", "kind", "channel", "number", "value"),
    [
        ("b0 14 40", "CC", 1, 20, 64),
        ("9f 3c 64", "note on", 16, 60, 100),
        ("90 3c 00", "note off", 1, 60, 0),
        ("81 3c 40", "note off", 2, 60, 64),
        ("a0 3c 10", "pressure", 1, 60, 16),
        ("d2 10", "channel pressure", 3, None, 16),
        ("e0 00 40", "bend", 1, None, 0),
        ("e0 7f 7f", "bend", 1, None, 8191),
        ("c0 05", "program", 1, 5, None),
        ("f0 7e 00 06 01 f7", "sysex", None, None, 6),
        ("f2 04 01", "position", None, None, 132),
        ("fa", "start", None, None, None),
    ],
)
def test_a_message_is_read(message: str, kind: str, channel: int | None, number: int | None, value: int | None) -> None:
    monitor = Monitor()
    monitor.hear("nano", bytes.fromhex(message), 1.5)
    (heard,) = monitor.last()
    assert (heard.time_s, heard.port, heard.did, heard.done_s) == (1.5, "nano", "", None)
    assert (heard.kind, heard.channel, heard.number, heard.value) == (kind, channel, number, value)


def test_what_a_message_did_is_said_with_it_even_if_others_came_meanwhile() -> None:
    monitor = Monitor()
    first = monitor.hear("nano", b"\xb0\x14\x40", 1.0)
    monitor.hear("nano", b"\xb0\x15\x40", 1.1)
    monitor.did("temperature 0.9", first)
    monitor.did("tempo 140")
    monitor.did("pad lit")
    assert [heard.did for heard in monitor.last()] == ["temperature 0.9", "tempo 140, pad lit"]
    assert all(heard.done_s is not None for heard in monitor.last())


def test_the_last_messages_are_kept_and_pulses_are_counted() -> None:
    monitor = Monitor()
    for number in range(120):
        monitor.hear("nano", bytes([0xB0, number, 0]), 0.0)
        monitor.hear("drums", b"\xf8", 0.0)
        monitor.hear("drums", b"\xfe", 0.0)
    assert [heard.number for heard in monitor.last()] == list(range(120 - KEPT, 120)) and monitor.pulses == 120
    assert [heard.number for heard in monitor.last(2)] == [118, 119]
