"""The block of memory that plays takes on a Commodore 64: player, pointers and packed takes, at any page.

From the load address on: the player (player.asm), eleven pointers for each song, the songs' tokens. From the next page
on, and not in the file: the player's ring buffers, shared by all songs. A block starts at any page from $0500 on and
ends at $CFFF or below. `sid_file` makes a .sid file of a block, `program` a .prg file, `listing` an assembly source.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final

import numpy as np

from sidlive.chip.registers import (
    COLUMNS,
    CONTROL,
    GATE,
    MODE_VOL,
    USED_BITS,
    VOICES,
    Frames,
    first_control_of,
    register_of,
)
from sidlive.errors import TuneError
from sidlive.tune.compiler import packer
from sidlive.tune.compiler.assemble import BINARIES
from sidlive.tune.compiler.packer import STREAMS, Packed
from sidlive.tune.formats.psid import MOST_SONGS

LOAD: Final = 0x1000
LOWEST_LOAD: Final = 0x0500  # leaves page $0400 for the driver of a SID player
MEMORY_END: Final = 0xD000  # start of the I/O chips
BASIC: Final = range(0xA000, 0xC000)
RINGS: Final = 256 * COLUMNS  # bytes
POINTERS: Final = 2 * len(STREAMS)  # bytes a song
_TIMER_CODE: Final = 17  # bytes
AGAIN: Final = 250  # frames after a take's end that are compared, too
COMPRESSIBLE: Final = 4  # takes whose tokens without calls are this many times too long are at first packed in part
TRIALS: Final = 9  # most packings tried to find how much of the takes fits


@dataclass(frozen=True)
class SongFrames:
    """One song to compile: ``frames`` uint8[T, 28], and how it continues after its end."""

    frames: Frames
    loop_frame: int | None = None  # frame at which it continues; None: silence
    control_first: bool = False  # write a voice's control before its envelope, as the music's tune did
    speed: float = 1.0  # calls of play, as a multiple of the video frames

    @property
    def proof(self) -> Frames:
        """Frames that a correct player makes: the song, and AGAIN frames of its loop or silence."""
        after = self.loop_frame
        turn = _silent(self.frames[-1]) if after is None else self.frames[after:]
        return np.concatenate([self.frames, *[turn] * -(-AGAIN // len(turn))])[: len(self.frames) + AGAIN]


@dataclass(frozen=True)
class MemoryBlock:
    """Block of memory with player and packed songs. Its play is at ``load`` + 3."""

    load: int  # address of ``image``
    data: int  # address of the pointers
    rings: int  # address of the player's ring buffers, which end at ``end``
    songs: tuple[Packed, ...]
    image: bytes
    init: int  # address of the routine that starts a song: that of ``load``, or one that sets the timer first
    cycles: tuple[int, ...] = ()  # from one call of play to the next, by song; empty: play is called each video frame

    @property
    def end(self) -> int:
        """Address of the first byte after the ring buffers."""
        return self.rings + RINGS


@cache
def player(control_first: bool = False) -> tuple[bytes, dict[str, Any]]:
    """Return the assembled player of a write order and the content of its JSON file (see `assemble`).

    The players of both write orders have the same length.
    """
    binary = BINARIES[control_first]
    return binary.read_bytes(), json.loads(binary.with_suffix(".json").read_text(encoding="utf-8"))


def pack_song(take: SongFrames) -> Packed:
    """Pack a song. A song that does not loop ends with a silent frame."""
    frames = take.frames & USED_BITS
    if take.loop_frame is None:
        return packer.pack(np.concatenate([frames, _silent(frames[-1])]), len(frames), take.control_first)
    return packer.pack(frames, take.loop_frame, take.control_first)


def free_bytes(load: int) -> int:
    """Return the bytes that memory has for pointers and tokens if the block starts at ``load``."""
    return MEMORY_END - RINGS - load - len(player()[0])


def build(songs: Sequence[Packed], load: int = LOAD, cycles: Sequence[int] = ()) -> MemoryBlock:
    """Build a block of packed songs of the same write order, which must fit into memory.

    ``cycles``: for a caller of play that uses CIA 1's timer, the cycles from call to call, by song; see `timer_bytes`.
    """
    control_first = songs[0].control_first
    assert all(song.control_first == control_first for song in songs)
    code, symbols = player(control_first)
    pointers = load + len(code)
    data = b"".join(_layout(songs, pointers + POINTERS * len(songs)))
    init = pointers + len(data) if cycles else load
    if cycles:
        data += _timer_code(cycles, init, load)
    rings = -(-(pointers + len(data)) // 256) * 256
    assert rings + RINGS <= MEMORY_END and 1 <= len(songs) <= MOST_SONGS
    image = _relocate(code, symbols, load, rings, load < BASIC.start < rings + RINGS) + data
    return MemoryBlock(load, pointers, rings, tuple(songs), image, init, tuple(cycles))


def timer_bytes(songs: int) -> int:
    """Return the bytes that the routine takes which sets the timer for a song."""
    return len(_timer_code([256] * songs, 0, 0))


def _timer_code(cycles: Sequence[int], at: int, init: int) -> bytes:
    """Return code for address ``at``: sets CIA 1's timer A for song A, then jumps to ``init`` with A as it was.

    A timer's period is its latch and one cycle more.
    """
    low, high = at + _TIMER_CODE, at + _TIMER_CODE + len(cycles)
    latches = [count - 1 for count in cycles]
    code = bytes((
        0xAA, 0xBD, low & 0xFF, low >> 8, 0x8D, 0x04, 0xDC,  # tax : lda low,x : sta $dc04
        0xBD, high & 0xFF, high >> 8, 0x8D, 0x05, 0xDC,  # lda high,x : sta $dc05
        0x8A, 0x4C, init & 0xFF, init >> 8,  # txa : jmp init
    ))  # fmt: skip
    assert len(code) == _TIMER_CODE
    return code + bytes(latch & 0xFF for latch in latches) + bytes(latch >> 8 for latch in latches)


def pack_to_fit(
    takes: Sequence[SongFrames], most: int, rate_hz: float, bound: str = "the C64's memory"
) -> list[Packed]:
    """Pack the takes into at most ``most`` bytes together; ``bound`` names this limit in messages.

    Raises TooLong, with the seconds of each take that would fit, if that is not possible.
    """
    share = min(1.0, COMPRESSIBLE * most / sum(packer.plain_bytes(take.frames) for take in takes))
    fits, over, most_needed = 0.0, 1.0 + 1e-9, 0
    for _ in range(TRIALS):
        songs = [pack_song(_part(take, share)) for take in takes]
        needed = sum(map(len, songs))
        if needed > most:
            over = share
            most_needed = needed if share == 1.0 else most_needed
        elif share == 1.0:
            return songs
        else:
            fits = share
        share = min(0.99 * share * most / needed, over - 1e-3 if fits else 0.7 * over)
        if share <= 1.01 * fits:
            break
    lengths = [len(take.frames) for take in takes]
    rates = [rate_hz * take.speed for take in takes]
    kept = [int(10 * int(fits * length) / rate) / 10 for length, rate in zip(lengths, rates, strict=True)]
    whole = ", ".join(f"{length / rate:.1f} s" for length, rate in zip(lengths, rates, strict=True))
    raise TooLong(whole, bound, kept, most, most_needed)


class TooLong(TuneError):
    """Error: takes do not fit. ``seconds`` of each take would fit; ``needed`` are the bytes of all, 0 if not known."""

    def __init__(self, whole: str, bound: str, seconds: list[float], most: int, needed: int) -> None:
        self.seconds = seconds
        self.most = most
        self.needed = needed
        parts = ", ".join(f"{kept:.1f}" for kept in seconds)
        subject, have = ("the take is", "its") if len(seconds) == 1 else (f"the {len(seconds)} takes are", "their")
        fits = f"{have} first {parts} s fit" if any(seconds) else "nothing of it fits"
        super().__init__(f"{subject} too long for {bound}: {whole}; {fits}")


def _layout(songs: Sequence[Packed], at: int) -> list[bytes]:
    """Return the pointers of all songs, then their tokens, which start at the address ``at``."""
    pointers, tokens = [], []
    for song in songs:
        both = song.at(at - POINTERS)
        pointers.append(both[:POINTERS])
        tokens.append(both[POINTERS:])
        at += len(song.data)
    return pointers + tokens


def _relocate(code: bytes, symbols: dict[str, Any], load: int, rings: int, banked: bool) -> bytes:
    """Relocate the player; ``banked``: it switches off the BASIC ROM while it works."""
    moved = np.frombuffer(code, np.uint8).copy()
    entries = ("init_banked", "play_banked") if banked else ("init", "play")
    for jump, entry in zip((0, 3), entries, strict=True):
        address = symbols["origin"] + symbols[entry]
        moved[jump + 1], moved[jump + 2] = address & 0xFF, address >> 8
    moved[symbols["code_pages"]] += np.uint8((load - symbols["origin"]) >> 8 & 0xFF)
    moved[symbols["ring_pages"]] += np.uint8((rings - symbols["rings"]) >> 8 & 0xFF)
    return moved.tobytes()


def _part(take: SongFrames, share: float) -> SongFrames:
    """Return the first ``share`` (0 to 1) of a take; it ends in silence if its loop is cut off."""
    length = max(1, int(share * len(take.frames)))
    loop = take.loop_frame if take.loop_frame is not None and take.loop_frame < length else None
    return take if share == 1.0 else replace(take, frames=take.frames[:length], loop_frame=loop)


def _silent(row: Frames) -> Frames:
    """Return the frame ``row`` uint8[28] with closed gates and volume 0, as uint8[1, 28]."""
    silent = row[None].copy()
    for voice in range(VOICES):
        silent[0, register_of(voice, CONTROL)] &= ~np.uint8(GATE)
        silent[0, first_control_of(voice)] = silent[0, register_of(voice, CONTROL)]
    silent[0, MODE_VOL] &= 0xF0
    return silent
