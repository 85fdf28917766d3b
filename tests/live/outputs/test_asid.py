"""The messages of ASID, held to the protocol's description and to the way back."""

import numpy as np
import pytest

from sidlive.chip.registers import NTSC, PAL, USED_BITS, silence
from sidlive.chip.sid import SCHEDULES
from sidlive.live.outputs import asid
from sidlive.live.outputs.asid import LONGEST, chip_type, speed, update, updated, write_order


def test_an_update_is_written_as_the_protocol_says() -> None:
    """Frequency $1CD6, AD $09, SR $F0, volume 15, and a control register that gets $40 and then $41."""
    before = silence(1)[0]
    row = before.copy()
    row[0], row[1], row[5], row[6], row[24], row[25], row[4] = 0xD6, 0x1C, 0x09, 0xF0, 0x0F, 0x40, 0x41
    expected = "f0 2d 4e  33 00 00 13  21 00 00 00  56 1c 09 70 0f 40 41  f7"
    assert update(row, before) == bytes.fromhex(expected)


def test_a_control_register_that_is_written_once_is_sent_once() -> None:
    before = silence(1)[0]
    row = before.copy()
    row[11] = row[26] = 0x21
    assert update(row, before) == bytes.fromhex("f0 2d 4e  00 00 00 04  00 00 00 00  21  f7")


def test_a_frame_without_changes_is_an_update_without_registers() -> None:
    row = silence(1)[0]
    assert update(row, row) == bytes.fromhex("f0 2d 4e  00 00 00 00  00 00 00 00  f7")


def test_any_frames_come_back_from_their_updates() -> None:
    rng = np.random.default_rng(1)
    frames = rng.integers(0, 256, (500, 28)).astype(np.uint8) & USED_BITS
    calm = rng.random((500, 28)) < 0.8  # most registers stay, as in music
    for index in range(1, 500):
        frames[index][calm[index]] = frames[index - 1][calm[index]]
        for voice in range(3):  # a register that is written once has that value first and last
            if rng.random() < 0.5:
                frames[index][25 + voice] = frames[index][4 + 7 * voice]
    said, whole = silence(1)[0], rng.integers(0, 256, 28).astype(np.uint8)
    for number, row in enumerate(frames):
        message = update(row, said if number else None)
        got = updated(message, said if number else whole)
        assert got is not None and got.tolist() == row.tolist()
        assert len(message) <= LONGEST and all(byte < 0x80 for byte in message[1:-1])
        said = row


@pytest.mark.parametrize("damaged", ["", "f0 2d 4c f7", "f0 2d 4e 01 00 00 00 00 00 00 00 f7", "f0 2d 4e 00 f7"])
def test_other_messages_are_no_updates(damaged: str) -> None:
    assert updated(bytes.fromhex(damaged), silence(1)[0]) is None


@pytest.mark.parametrize("control_first", [False, True])
def test_the_write_order_is_the_emulators(control_first: bool) -> None:
    """Each ID has its place, and the waits add up to the emulator's cycles."""
    message = write_order(control_first)
    assert message[:3] == bytes.fromhex("f0 2d 30") and message[-1] == 0xF7 and len(message) == 3 + 56 + 1
    pairs = [(message[3 + 2 * number], message[4 + 2 * number]) for number in range(28)]
    places = [first & 0x3F for first, _ in pairs]
    waits = [(first >> 6 & 1) << 7 | second for first, second in pairs]
    assert sorted(places) == list(range(28))
    order = sorted(range(28), key=lambda number: places[number])
    cycles = np.cumsum([0, *(waits[number] for number in order[:-1])])
    written = [(cycle - SCHEDULES[control_first][0][0], column) for cycle, _, column in SCHEDULES[control_first]]
    assert [(int(cycle), asid.COLUMNS_BY_ID[number]) for cycle, number in zip(cycles, order, strict=True)] == written
    attack, gate = places[4], places[22]  # of voice 1
    assert (gate < attack) == control_first


def test_speed_and_chip() -> None:
    assert speed(PAL, 0.02) == bytes.fromhex("f0 2d 31  00 20 1c 01  f7")  # 20,000 = 1 * 16,384 + 28 * 128 + 32
    assert speed(NTSC, 1.0) == bytes.fromhex("f0 2d 31  01 7f 7f 03  f7")  # 65,535 is the longest
    assert chip_type("6581") == bytes.fromhex("f0 2d 32  00 00  f7")
    assert chip_type("8580") == bytes.fromhex("f0 2d 32  00 01  f7")
