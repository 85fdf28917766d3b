"""Frames as a stream of ASID messages, played back by a chip that knows only the protocol."""

from dataclasses import replace

import numpy as np

from sidlive.chip.registers import NTSC, PAL, USED_BITS, Frames, silence
from sidlive.live.outputs.asid import START, STOP, chip_type, speed, update, updated, write_order
from sidlive.live.outputs.asid_stream import REFRESH_S, SPEED_S, AsidStream
from sidlive.live.outputs.chip_stream import DueFrame

FRAME_S = 0.02


def music(count: int) -> Frames:
    """Return frames of which a few registers change each time."""
    rng = np.random.default_rng(2)
    frames = np.repeat(rng.integers(0, 256, (1, 28)).astype(np.uint8) & USED_BITS, count, axis=0)
    for index in range(1, count):
        frames[index] = frames[index - 1]
        columns = rng.integers(0, 28, 5)
        frames[index, columns] = rng.integers(0, 256, 5).astype(np.uint8) & USED_BITS[columns]
        calm = [voice for voice in range(3) if not {25 + voice, 4 + 7 * voice} & set(columns.tolist())]
        for voice in calm:
            frames[index, 25 + voice] = frames[index, 4 + 7 * voice]
    return frames


def due(row: np.ndarray, index: int, length_s: float = FRAME_S) -> DueFrame:
    return DueFrame(row, index * length_s, length_s, "6581", PAL, False)


def updates(messages: list[bytes]) -> list[bytes]:
    return [message for message in messages if updated(message, silence(1)[0]) is not None]


def test_a_chip_that_misses_nothing_plays_every_frame() -> None:
    stream, chip = AsidStream(), silence(1)[0]
    for index, row in enumerate(music(200)):
        messages = stream.of(due(row, index))
        (message,) = updates(messages)
        assert messages == [*([START] if index == 0 else []), message], "one update a frame, after the start"
        after = updated(message, chip)
        assert after is not None and after.tolist() == row.tolist()
        chip = after


def test_only_changes_are_sent_and_all_registers_once_a_second() -> None:
    stream, row = AsidStream(), music(1)[0]
    sizes = [len(updates(stream.of(due(row, index)))[0]) for index in range(151)]
    per_refresh = round(REFRESH_S / FRAME_S)
    whole = [index for index, size in enumerate(sizes) if size > len(update(row, row))]
    assert whole == list(range(0, 151, per_refresh))


def test_after_a_lost_message_all_registers_are_sent() -> None:
    stream, frames = AsidStream(), music(3)
    stream.of(due(frames[0], 0))
    stream.of(due(frames[1], 1))  # lost
    stream.forget()
    assert stream.of(due(frames[2], 2)) == [update(frames[2])]


def test_a_new_port_gets_everything_from_the_start() -> None:
    stream, frames = AsidStream(extended=True), music(2)
    first = stream.of(due(frames[0], 0))
    assert first == [START, speed(PAL, FRAME_S), chip_type("6581"), write_order(False), update(frames[0])]
    assert len(stream.of(due(frames[1], 1))) == 1
    stream.begin()
    assert stream.of(due(frames[1], 2))[:4] == first[:4]


def test_the_speed_follows_the_tempo_but_not_each_frame_of_a_ramp() -> None:
    stream, row = AsidStream(extended=True), music(1)[0]
    sent = []
    time_s = 0.0
    for index in range(500):
        length_s = FRAME_S * (1 - 0.0004 * index)  # to 0.8 within eight seconds
        messages = stream.of(DueFrame(row, time_s, length_s, "6581", PAL, False))
        if len(messages) > 1 and index:
            assert messages == [speed(PAL, length_s), update(row)], "the chip may have been reset: all registers"
            sent.append(time_s)
        time_s += length_s
    assert len(sent) >= 3 and min(np.diff(sent)) >= SPEED_S


def test_another_tune_brings_its_chip_and_its_order() -> None:
    stream, row = AsidStream(extended=True), music(1)[0]
    stream.of(due(row, 0))
    other = replace(due(row, 1), chip="8580", control_first=True)
    assert stream.of(other)[:2] == [chip_type("8580"), write_order(True)]


def test_a_plain_receiver_gets_only_the_base_protocol() -> None:
    stream, row = AsidStream(), music(1)[0]
    sent = [message for index in range(100) for message in stream.of(replace(due(row, index), timing=NTSC))]
    assert {message[2] for message in sent} == {0x4C, 0x4E}


def test_the_last_word_is_silence_whatever_was_played() -> None:
    silent, end = AsidStream().last
    assert end == STOP
    after = updated(silent, music(1)[0])
    assert after is not None and not after.any()
