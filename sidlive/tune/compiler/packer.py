"""Packs frames into the tokens that the 6510 player reads, and unpacks them. player.asm describes the format.

`pack` writes the eleven streams of a take. `unpack` is its inverse, one obvious step at a time, and the reference to
which packer and player are tested. Knows no addresses: links in the data are relative to its start.

A take always continues at frame ``loop`` after its end; a take that ends in silence loops over a silent frame. The
streams jump back in different frames, the first of them one frame into the loop, so that no frame bears all jumps.
Until its jump each stream plays the loop's first frames a second time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from sidlive.chip.registers import (
    AD,
    COLUMNS,
    CONTROL,
    CUTOFF_HI,
    CUTOFF_LO,
    FREQ_HI,
    FREQ_LO,
    MODE_VOL,
    PW_HI,
    PW_LO,
    RES_ROUTE,
    SR,
    USED_BITS,
    VOICES,
    Frames,
    first_control_of,
    register_of,
)
from sidlive.tune.compiler import solver
from sidlive.tune.compiler.facts import Facts, find_facts
from sidlive.tune.compiler.player_tokens import CALL, COPY, HOLD, LONG, PAIR, RAMP, SET, VOICE, WINDOW, token_bytes
from sidlive.tune.compiler.solver import Tokens, place_of


@dataclass(frozen=True)
class TokenStream:
    """Stream of the player: columns of the frames, in the order of the values in its tokens."""

    kind: int  # PAIR or VOICE
    bits: int  # of the number to which a pair's ramps add
    columns: tuple[int, ...]


def _voice(voice: int) -> tuple[TokenStream, TokenStream, TokenStream]:
    """Return the streams of a voice: frequency, pulse width, control and envelope."""

    def columns(*offsets: int) -> tuple[int, ...]:
        return tuple(register_of(voice, offset) for offset in offsets)

    return (
        TokenStream(PAIR, 16, columns(FREQ_LO, FREQ_HI)),
        TokenStream(PAIR, 12, columns(PW_LO, PW_HI)),
        TokenStream(VOICE, 0, (*columns(AD, SR, CONTROL), first_control_of(voice))),
    )


STREAMS: Final = (
    *(stream for voice in range(VOICES) for stream in _voice(voice)),
    TokenStream(PAIR, 8, (CUTOFF_LO, CUTOFF_HI)),
    TokenStream(PAIR, 8, (RES_ROUTE, MODE_VOL)),
)


@dataclass(frozen=True)
class Packed:
    """Packed take: ``data``, the offsets where streams start, and links (offset of the link, offset of its target)."""

    data: bytes
    starts: tuple[int, ...]
    links: tuple[tuple[int, int], ...]
    control_first: bool = False  # whether a voice's tokens hold control before the envelope

    def __len__(self) -> int:
        """Return the bytes of data and pointers to the streams."""
        return 2 * len(self.starts) + len(self.data)

    def at(self, address: int) -> bytes:
        """Return pointers and data for an ``address`` in memory."""
        base = address + 2 * len(self.starts)
        data = bytearray(self.data)
        for link, target in self.links:
            data[link : link + 2] = (base + target).to_bytes(2, "little")
        return b"".join((base + start).to_bytes(2, "little") for start in self.starts) + bytes(data)


# ---- packing


def pack(frames: Frames, loop: int, control_first: bool = False) -> Packed:
    """Pack ``frames`` uint8[T, 28] that continue at frame ``loop`` (0 to T - 1) after their end. Inverse: `unpack`.

    With ``control_first`` the tokens are for the player that writes a voice's control before its envelope.
    """
    assert frames.dtype == np.uint8 and frames.ndim == 2 and frames.shape[1] == COLUMNS
    assert 0 <= loop < len(frames)
    frames = frames & USED_BITS
    parts = [_facts(frames, loop, number) for number in range(len(STREAMS))]
    return _encode(solver.solve(parts), loop, control_first)


def plain_bytes(frames: Frames) -> int:
    """Return the bytes of the tokens of ``frames`` without any call."""
    size = 0
    for number, stream in enumerate(STREAMS):
        tokens = solver.solve_without_calls(_facts(frames & USED_BITS, 0, number))
        size += sum(token_bytes(stream.kind, op, argument) for _, op, _, argument, _ in tokens.tolist())
    return size


def _facts(frames: Frames, loop: int, number: int) -> Facts:
    """Return the facts of stream ``number`` from the take's first frame to the stream's jump back."""
    stream = STREAMS[number]
    turn = len(frames) - loop
    lasting = -(-WINDOW // turn) * turn  # whole turns of the loop, longer than a copy can reach back
    seam = _seam(loop, number)
    source = np.arange(seam + lasting)
    source[loop:] = loop + (source[loop:] - loop) % turn
    rows = np.zeros((len(source), 4), np.int32)
    rows[:, : len(stream.columns)] = frames[source][:, stream.columns]
    safe = np.zeros(len(rows), np.bool_)
    safe[:loop] = (rows[:loop] == rows[lasting : lasting + loop]).all(axis=1)
    facts: Facts = find_facts(stream.kind, rows, stream.bits, seam, loop, safe)
    return facts


def _seam(loop: int, number: int) -> int:
    """Return the frame to which stream ``number`` jumps back."""
    return loop + 1 + number


def _encode(solution: list[Tokens], loop: int, control_first: bool) -> Packed:
    """Encode the tokens of all streams."""
    data = bytearray()
    offsets: dict[int, int] = {}  # of tokens, by place
    links: list[tuple[int, int]] = []  # (offset of the link, place of its target)
    starts = []
    for number, (stream, tokens) in enumerate(zip(STREAMS, solution, strict=True)):
        starts.append(len(data))
        seam = place_of(number, _seam(loop, number))
        for frame, op, lasts, argument, called in [*tokens.tolist(), (-1, CALL, 0, seam, 0)]:
            offsets[place_of(number, frame)] = len(data)
            if op == CALL:
                data += bytes((0, called, 0, 0))
                links.append((len(data) - 2, argument))
            else:
                data += _encode_token(stream.kind, op, lasts, argument, control_first)
    named = tuple((link, offsets[place]) for link, place in links)
    return Packed(bytes(data), tuple(starts), named, control_first)


def _encode_token(kind: int, op: int, lasts: int, argument: int, control_first: bool) -> bytes:
    """Return the bytes of a token that is not a call."""
    if op == COPY:
        return bytes((lasts, -argument & 0xFF))
    if op == HOLD:
        return bytes((0xC0 | lasts - 1,))
    if op == RAMP:
        step = (argument & 0xFF,) if -128 < argument < 128 else (0x80, argument & 0xFF, argument >> 8 & 0xFF)
        return bytes((0xC0 | lasts - 1, *step))
    places = (2, 0, 1) if control_first and kind == VOICE else (0, 1, 2)
    values = [argument >> 8 + 8 * i & 0xFF for i in places if argument >> i & 1]
    if kind == PAIR:
        return bytes((0x80 | (argument & 3) << 4 | lasts & 15, *values))
    names = (argument & 1) << 2 | argument & 2 | argument >> 2 & 1
    if op == SET:
        return bytes((0x80 | names << 3 | lasts & 7, *values))
    values.insert(places.index(2), argument >> 32)
    return bytes((0x80, *values))


# ---- unpacking


def unpack(packed: Packed, count: int) -> Frames:
    """Return the first ``count`` frames, uint8[count, 28], that the player makes of a packed take. Inverse: `pack`."""
    frames = np.zeros((count, COLUMNS), np.uint8)
    for stream, start in zip(STREAMS, packed.starts, strict=True):
        width = len(stream.columns)
        rows = [(0,) * width]  # the frame before the first: all zero
        for row in _decode(stream, packed, start, rows):
            rows.append(row)
            if len(rows) > count:
                break
        frames[:, stream.columns] = rows[1:]
    return frames


def _decode(stream: TokenStream, packed: Packed, at: int, rows: list[tuple[int, ...]]) -> Iterator[tuple[int, ...]]:
    """Yield the rows of a stream without end, from offset ``at`` on. The caller appends each of them to ``rows``."""
    data, links = packed.data, dict(packed.links)
    left, back_to = 0, 0  # in a call: tokens left, plus 1, and the offset to return to

    def take(number: int) -> bytes:
        nonlocal at
        at += number
        return data[at - number : at]

    while True:
        (token,) = take(1)
        if token == 0:
            (called,) = take(1)
            if called:
                assert left == 0, "a call in a call"
                left, back_to = called + 1, at + 2
            at = links[at]
            continue
        if token < 0x80:
            (complement,) = take(1)
            for _ in range(token):
                yield rows[complement - 256]
        elif token >= 0xC0:
            step = 0
            if stream.kind == PAIR:
                (step,) = take(1)
                if step == 0x80 and stream.bits > 8:
                    step = int.from_bytes(take(2), "little", signed=True)
                elif step >= 0x80:
                    step -= 256
            for _ in range((token & 0x3F) + 1):
                yield _step_row(stream, rows[-1], step)
        elif stream.kind == PAIR:
            low, high = rows[-1]
            low = take(1)[0] if token & 0x10 else low
            high = take(1)[0] if token & 0x20 else high
            for _ in range(token & 15 or LONG):
                yield low, high
        else:
            values = list(rows[-1])  # attack and decay, sustain and release, control, first control
            twice = token == 0x80
            named = (token & 0x20, token & 0x10, token & 8, False) if not twice else (True,) * 4
            for i in (3, 2, 0, 1) if packed.control_first else (0, 1, 3, 2):
                if named[i]:
                    values[i] = take(1)[0]
            if not twice:
                values[3] = values[2]
            for _ in range(1 if twice else token & 7 or LONG):
                yield tuple(values)
        if left:
            left -= 1
            if left == 1:
                left, at = 0, back_to


def _step_row(stream: TokenStream, row: tuple[int, ...], step: int) -> tuple[int, ...]:
    """Return the row that follows ``row`` in a ramp, or, for a voice, in a hold."""
    if stream.kind == VOICE:
        return (*row[:3], row[2])
    if stream.bits == 8:
        return row[0], row[1] + step & 0xFF
    number = (row[0] | row[1] << 8) + step
    return number & 0xFF, number >> 8 & (0xFF if stream.bits == 16 else 0x0F)
