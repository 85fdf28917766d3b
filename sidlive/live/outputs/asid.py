"""The messages of ASID: a SID's registers as MIDI system exclusive, ``F0 2D command payload F7``. Pure functions.

The protocol was made by Elektron for the SidStation; Thomas Jansson's asid-protocol describes it with its extensions.
All bytes of a payload have 7 bits. An update (4E) holds 4 bytes of mask, 4 bytes with the eighth bits, and the low 7
bits of each register that the mask names, in ascending order of ASID's own numbers, see `COLUMNS_BY_ID`.

A frame's 28 columns are ASID's: IDs 22-24 are the first writes to the control registers, IDs 25-27 the second ones.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import (
    AD,
    COLUMNS,
    CONTROL,
    CUTOFF_HI,
    CUTOFF_LO,
    FREQ_HI,
    FREQ_LO,
    MODE_VOL,
    NTSC,
    PW_HI,
    PW_LO,
    RES_ROUTE,
    SR,
    VOICES,
    VideoTiming,
    first_control_of,
    register_of,
)
from sidlive.chip.sid import SCHEDULES

Row = NDArray[np.uint8]  # [28]: a frame

START: Final = bytes([0xF0, 0x2D, 0x4C, 0xF7])
STOP: Final = bytes([0xF0, 0x2D, 0x4D, 0xF7])
UPDATE, ORDER, SPEED, CHIP_TYPE = 0x4E, 0x30, 0x31, 0x32  # commands
LONGEST: Final = 40  # bytes of an update: 12.8 ms on a DIN cable

_HEAD, _END = bytes([0xF0, 0x2D]), bytes([0xF7])
_MASKS: Final = 4  # bytes of mask
_BITS: Final = 7  # of a byte of MIDI data
_LONGEST_US: Final = 0xFFFF  # the largest frame time
_LONGEST_WAIT: Final = 0xFF  # cycles

_NOTES: Final = (FREQ_LO, FREQ_HI, PW_LO, PW_HI, AD, SR)  # of a voice, in ASID's order
FIRST_WRITES: Final = 22  # ID of voice 1's control register, first write; the second writes follow the first ones
COLUMNS_BY_ID: Final = (
    *(register_of(voice, offset) for voice in range(VOICES) for offset in _NOTES),
    *(CUTOFF_LO, CUTOFF_HI, RES_ROUTE, MODE_VOL),
    *(first_control_of(voice) for voice in range(VOICES)),
    *(register_of(voice, CONTROL) for voice in range(VOICES)),
)


def update(row: Row, before: Row | None = None) -> bytes:
    """Return the update that makes a chip play frame ``row`` uint8[28]. Inverse: `updated`.

    ``before``: the frame that the chip has played last; only what changes is sent. None: all registers are sent.
    """
    sent: dict[int, int] = {}
    for number, column in enumerate(COLUMNS_BY_ID[:FIRST_WRITES]):
        if before is None or row[column] != before[column]:
            sent[number] = int(row[column])
    for voice in range(VOICES):
        first, last = int(row[first_control_of(voice)]), int(row[register_of(voice, CONTROL)])
        if first != last:
            sent[FIRST_WRITES + voice], sent[FIRST_WRITES + VOICES + voice] = first, last
        elif before is None or last != before[register_of(voice, CONTROL)]:
            sent[FIRST_WRITES + voice] = last
    masks, eighths = bytearray(_MASKS), bytearray(_MASKS)
    for number, value in sent.items():
        byte, bit = divmod(number, _BITS)
        masks[byte] |= 1 << bit
        eighths[byte] |= (value >> _BITS) << bit
    values = bytes(sent[number] & 0x7F for number in sorted(sent))
    return _message(UPDATE, bytes(masks) + bytes(eighths) + values)


def updated(message: bytes, before: Row) -> Row | None:
    """Return the frame that a chip plays after an update; None if the message is no update. Inverse of `update`.

    ``before`` uint8[28]: the frame that the chip has played last.
    """
    if message[:3] != bytes([*_HEAD, UPDATE]) or message[-1:] != _END or len(message) < 4 + 2 * _MASKS:
        return None
    masks, eighths, values = message[3:7], message[7:11], message[11:-1]
    numbers = [number for number in range(COLUMNS) if masks[number // _BITS] >> number % _BITS & 1]
    if len(numbers) != len(values):
        return None
    sent = {
        number: value | (eighths[number // _BITS] >> number % _BITS & 1) << _BITS
        for number, value in zip(numbers, values, strict=True)
    }
    row = before.copy()
    for number, column in enumerate(COLUMNS_BY_ID[:FIRST_WRITES]):
        row[column] = sent.get(number, row[column])
    for voice in range(VOICES):
        control = register_of(voice, CONTROL)
        first = sent.get(FIRST_WRITES + voice, int(row[control]))
        row[first_control_of(voice)] = first
        row[control] = sent.get(FIRST_WRITES + VOICES + voice, first)
    return row


def write_order(control_first: bool) -> bytes:
    """Return the message that has a chip's registers written in our emulator's order, with its waits.

    ``control_first``: each voice's control before its envelope, see `sidlive.chip.sid.Sid`. The message holds, for
    each ID, its place in the order and the cycles from its write to the next.
    """
    schedule = SCHEDULES[control_first]
    numbers = {column: number for number, column in enumerate(COLUMNS_BY_ID)}
    pairs = bytearray(2 * COLUMNS)
    for place, (cycle, _, column) in enumerate(schedule):
        wait = min(_LONGEST_WAIT, schedule[place + 1][0] - cycle) if place + 1 < len(schedule) else 0
        at = 2 * numbers[column]
        pairs[at], pairs[at + 1] = place | (wait >> _BITS) << 6, wait & 0x7F
    return _message(ORDER, bytes(pairs))


def speed(timing: VideoTiming, frame_s: float) -> bytes:
    """Return the message with the video standard and the length of a frame. No buffering is asked for."""
    frame_us = min(_LONGEST_US, round(frame_s * 1e6))
    return _message(SPEED, bytes([timing == NTSC, frame_us & 0x7F, frame_us >> 7 & 0x7F, frame_us >> 14]))


def chip_type(chip: str) -> bytes:
    """Return the message with the model of the first chip, "6581" or "8580"."""
    return _message(CHIP_TYPE, bytes([0, chip == "8580"]))


def _message(command: int, payload: bytes) -> bytes:
    return _HEAD + bytes([command]) + payload + _END
