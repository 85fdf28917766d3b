"""Takes in a Commodore 64's memory: the player, its pointers and the packed takes, at any page.

In memory, from the load address on: the player (player.asm), eleven pointers a song, the songs' tokens; then, from the
next page on and in no file, the player's rings, which all songs share. All of it may start at any page from $0500 and
ends at $CFFF or below. What goes around a block in a file is the business of its neighbours: `sid` makes a .sid of it,
`program` a .prg, `listing` a source.
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
from sidlive.tune.psid import MOST_SONGS

LOAD: Final = 0x1000
LOWEST_LOAD: Final = 0x0500  # a SID player's own driver needs a page, and $0400 is the first it may have
MEMORY_END: Final = 0xD000  # the chips begin here
BASIC: Final = range(0xA000, 0xC000)
RINGS: Final = 256 * COLUMNS  # bytes
POINTERS: Final = 2 * len(STREAMS)  # bytes a song
AGAIN: Final = 250  # frames after a take's end that are compared
COMPRESSIBLE: Final = 4  # takes so many times too long without calls are tried in part first
TRIALS: Final = 9  # packings to find out how much of the takes fits


@dataclass(frozen=True)
class SongFrames:
    """``frames`` uint8[T, 28], and where it goes on when it has ended: at a frame, or None for silence.

    ``control_first``: the music is of a tune that writes a voice's control before its envelope.
    """

    frames: Frames
    loop_frame: int | None = None
    control_first: bool = False

    @property
    def proof(self) -> Frames:
        """What is to be heard if all is well: the frames, and AGAIN of those that follow."""
        after = self.loop_frame
        turn = _silent(self.frames[-1]) if after is None else self.frames[after:]
        return np.concatenate([self.frames, *[turn] * -(-AGAIN // len(turn))])[: len(self.frames) + AGAIN]


@dataclass(frozen=True)
class MemoryBlock:
    """What lies in memory: ``image`` from ``load`` on; from ``rings`` to ``end`` what the player only uses.

    The player's init is at ``load`` and its play at ``load`` + 3; the pointers begin at ``data``.
    """

    load: int
    data: int
    rings: int
    songs: tuple[Packed, ...]
    image: bytes

    @property
    def end(self) -> int:
        """The first address that is free again."""
        return self.rings + RINGS


@cache
def player(control_first: bool = False) -> tuple[bytes, dict[str, Any]]:
    """The assembled player of a write order, and its description (assemble.py). Both have the same length."""
    binary = BINARIES[control_first]
    return binary.read_bytes(), json.loads(binary.with_suffix(".json").read_text(encoding="utf-8"))


def pack_song(take: SongFrames) -> Packed:
    """A take's tokens; its silence behind it where it does not go on."""
    frames = take.frames & USED_BITS
    if take.loop_frame is None:
        return packer.pack(np.concatenate([frames, _silent(frames[-1])]), len(frames), take.control_first)
    return packer.pack(frames, take.loop_frame, take.control_first)


def free_bytes(load: int) -> int:
    """Bytes of pointers and tokens that memory has from a load address on."""
    return MEMORY_END - RINGS - load - len(player()[0])


def build(songs: Sequence[Packed], load: int = LOAD) -> MemoryBlock:
    """A block of packed songs, all of one write order, which must fit."""
    control_first = songs[0].control_first
    assert all(song.control_first == control_first for song in songs)
    code, symbols = player(control_first)
    pointers = load + len(code)
    data = b"".join(_laid(songs, pointers + POINTERS * len(songs)))
    rings = -(-(pointers + len(data)) // 256) * 256
    assert rings + RINGS <= MEMORY_END and 1 <= len(songs) <= MOST_SONGS
    image = _moved(code, symbols, load, rings, load < BASIC.start < rings + RINGS) + data
    return MemoryBlock(load, pointers, rings, tuple(songs), image)


def pack_to_fit(
    takes: Sequence[SongFrames], most: int, rate_hz: float, bound: str = "the C64's memory"
) -> list[Packed]:
    """The takes packed into ``most`` bytes together, all that the ``bound`` leaves them.

    Raises TuneError where that cannot be, saying how many seconds of each would fit.
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
    kept = [int(10 * int(fits * length) / rate_hz) / 10 for length in lengths]
    whole = ", ".join(f"{length / rate_hz:.1f} s" for length in lengths)
    raise TooLong(whole, bound, kept, most, most_needed)


class TooLong(TuneError):
    """Takes that do not fit. ``seconds`` of each that would; ``needed`` bytes, 0 where that was not found out."""

    def __init__(self, whole: str, bound: str, seconds: list[float], most: int, needed: int) -> None:
        self.seconds = seconds
        self.most = most
        self.needed = needed
        parts = ", ".join(f"{kept:.1f}" for kept in seconds)
        what, have = ("the take is", "its") if len(seconds) == 1 else (f"the {len(seconds)} takes are", "their")
        fits = f"{have} first {parts} s fit" if any(seconds) else "nothing of it fits"
        super().__init__(f"{what} too long for {bound}: {whole}; {fits}")


def _laid(songs: Sequence[Packed], at: int) -> list[bytes]:
    """All songs' pointers, then their tokens from ``at`` on."""
    pointers, tokens = [], []
    for song in songs:
        both = song.at(at - POINTERS)
        pointers.append(both[:POINTERS])
        tokens.append(both[POINTERS:])
        at += len(song.data)
    return pointers + tokens


def _moved(code: bytes, symbols: dict[str, Any], load: int, rings: int, banked: bool) -> bytes:
    """The player for these addresses; ``banked``: it shows the RAM under BASIC while it works."""
    moved = np.frombuffer(code, np.uint8).copy()
    entries = ("init_banked", "play_banked") if banked else ("init", "play")
    for jump, entry in zip((0, 3), entries, strict=True):
        address = symbols["origin"] + symbols[entry]
        moved[jump + 1], moved[jump + 2] = address & 0xFF, address >> 8
    moved[symbols["code_pages"]] += np.uint8((load - symbols["origin"]) >> 8 & 0xFF)
    moved[symbols["ring_pages"]] += np.uint8((rings - symbols["rings"]) >> 8 & 0xFF)
    return moved.tobytes()


def _part(take: SongFrames, share: float) -> SongFrames:
    """A take's beginning; it falls silent where its loop is cut off."""
    length = max(1, int(share * len(take.frames)))
    loop = take.loop_frame if take.loop_frame is not None and take.loop_frame < length else None
    return take if share == 1.0 else replace(take, frames=take.frames[:length], loop_frame=loop)


def _silent(row: Frames) -> Frames:
    """uint8[1, 28]: a frame with its gates off and its volume zero."""
    silent = row[None].copy()
    for voice in range(VOICES):
        silent[0, register_of(voice, CONTROL)] &= ~np.uint8(GATE)
        silent[0, first_control_of(voice)] = silent[0, register_of(voice, CONTROL)]
    silent[0, MODE_VOL] &= 0xF0
    return silent
