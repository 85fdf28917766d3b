"""Frames to a .sid file that plays on a Commodore 64: the packed take behind a 6510 player, in a PSID version 2.

In memory, from the load address on: the player (player.asm), its pointers and tokens; then, from the next page on and
not in the file, the player's rings. All of it may start at any page from $0500 and ends at $CFFF or below.
"""

import json
import os
import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from sidlive.chip.registers import (
    COLUMNS,
    CONTROL,
    GATE,
    MODE_VOL,
    NTSC,
    PAL,
    REGISTERS,
    USED_BITS,
    VOICES,
    Frames,
    VideoTiming,
    first_control_of,
    register_of,
)
from sidlive.errors import DeviceError, TuneError
from sidlive.tune import packer, psid
from sidlive.tune.capture import capture
from sidlive.tune.packer import Packed

LOAD: Final = 0x1000
LOWEST_LOAD: Final = 0x0500  # a SID player's own driver needs a page, and $0400 is the first it may have
MEMORY_END: Final = 0xD000  # the chips begin here
BASIC: Final = range(0xA000, 0xC000)
CHIPS: Final = {"6581": 1, "8580": 2}
CLOCKS: Final = {PAL.name: 1, NTSC.name: 2}
COMPRESSIBLE: Final = 4  # a take this many times too long without calls is tried in part first
TRIALS: Final = 5  # packings to find out how much of a take fits

_PLAYER: Final = Path(__file__).with_name("player.bin")


class TuneWarning(UserWarning):
    """The file is good, but something about it is not as asked."""


@dataclass(frozen=True)
class Label:
    """What the file says about itself; 32 bytes each of Windows-1252 are kept."""

    name: str = "Take"
    author: str = ""
    released: str = ""


def compile_sid(
    frames: Frames,
    label: Label | None = None,
    chip: str = "6581",
    timing: VideoTiming = PAL,
    load: int = LOAD,
    loop_frame: int | None = None,
) -> bytes:
    """A .sid file whose play routine, called once a video frame, writes ``frames`` uint8[T, 28] to the SID.

    ``chip`` is "6581" or "8580", ``load`` the address of a page. After the last frame the tune goes on at
    ``loop_frame``, or falls silent when that is None. Warns with TuneWarning where a text does not fit into the file.
    Raises TuneError when the take does not fit into memory, saying how much of it would.
    """
    assert frames.dtype == np.uint8 and frames.ndim == 2 and frames.shape[1] == COLUMNS and chip in CHIPS
    if len(frames) == 0:
        raise TuneError("the take has no frames; nothing to compile")
    if load % 256 or not LOWEST_LOAD <= load < MEMORY_END:
        raise TuneError(f"load address ${load:04X}: expected the start of a page, ${LOWEST_LOAD:04X} to $CF00")
    if loop_frame is not None and not 0 <= loop_frame < len(frames):
        raise TuneError(f"loop at frame {loop_frame}: the take has frames 0 to {len(frames) - 1}")
    code, symbols = _player()
    room = (MEMORY_END - 256 * COLUMNS - load) - len(code)
    packed = _packed(frames & USED_BITS, loop_frame, room, timing.rate_hz)
    rings = -(-(load + len(code) + len(packed)) // 256) * 256
    end = rings + 256 * COLUMNS
    image = _moved(code, symbols, load, rings, load < BASIC.start < end) + packed.at(load + len(code))
    start_page, pages = _free_pages(load >> 8, end >> 8)
    label = label or Label()
    return psid.Tune(
        magic="PSID",
        version=2,
        load=load,
        init=load,
        play=load + 3,
        songs=1,
        start_song=1,
        speed=0,
        texts=(_text("name", label.name), _text("author", label.author), _text("released", label.released)),
        flags=CLOCKS[timing.name] << 2 | CHIPS[chip] << 4,
        start_page=start_page,
        page_length=pages,
        second_sid=0,
        third_sid=0,
        image=image,
        header_load=0,
        header_init=load,
        header_play=load + 3,
        sid_pages=(0, 0),
    ).to_bytes()


def verify(sid: bytes, frames: Frames) -> None:
    """Play a .sid file in our 6510 and compare it with ``frames`` uint8[T, 28], all columns of each.

    Raises TuneError that names the first frame and register that differ.
    """
    tune = psid.parse(sid, "the compiled file")
    expected = frames & USED_BITS
    played = capture(tune, frames=len(frames)).frames
    if np.array_equal(played, expected):
        return
    frame, column = (int(i) for i in np.argwhere(played != expected)[0])
    first = column >= REGISTERS
    register = register_of(column - REGISTERS, CONTROL) if first else column
    raise TuneError(
        f"the compiled file is not the take: in frame {frame} {'the first write to ' if first else ''}"
        f"$D4{register:02X} is ${played[frame, column]:02X}, expected ${expected[frame, column]:02X}"
    )


def write_file(path: Path, sid: bytes) -> None:
    """Write a file whole or not at all: an earlier one of that name stays until the new one is complete on the disk.

    Raises DeviceError where the disk refuses.
    """
    draft = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("wb") as file:
            file.write(sid)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise DeviceError(
            f"cannot write {path} ({error.strerror or error}): choose another name or make room"
        ) from None


@cache
def _player() -> tuple[bytes, dict[str, Any]]:
    """The assembled player and its description (assemble.py)."""
    return _PLAYER.read_bytes(), json.loads(_PLAYER.with_suffix(".json").read_text(encoding="utf-8"))


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


def _packed(frames: Frames, loop_frame: int | None, room: int, rate_hz: float) -> Packed:
    """The packed take, at most ``room`` bytes; TuneError says how much of it would fit."""

    def trial(length: int) -> Packed:
        if loop_frame is not None and loop_frame < length:
            return packer.pack(frames[:length], loop_frame)
        return packer.pack(np.concatenate([frames[:length], _silent(frames[length - 1])]), length)

    plain = packer.plain_bytes(frames)
    length = min(len(frames), int(np.searchsorted(plain, COMPRESSIBLE * room)))
    fits, over = 0, len(frames) + 1
    for _ in range(TRIALS):
        packed = trial(length)
        if len(packed) > room:
            over = length
        elif length == len(frames):
            return packed
        else:
            fits = length
        length = min(int(0.99 * length * room / len(packed)), over - 1)
        if length <= 1.01 * fits:
            break
    raise TuneError(
        f"the take is too long for the C64's memory: {len(frames) / rate_hz:.1f} s; "
        f"its first {int(10 * fits / rate_hz) / 10:.1f} s fit"
    )


def _silent(row: Frames) -> Frames:
    """uint8[1, 28]: a frame with its gates off and its volume zero."""
    silent = row[None].copy()
    for voice in range(VOICES):
        silent[0, register_of(voice, CONTROL)] &= ~np.uint8(GATE)
        silent[0, first_control_of(voice)] = silent[0, register_of(voice, CONTROL)]
    silent[0, MODE_VOL] &= 0xF0
    return silent


def _free_pages(first: int, end: int) -> tuple[int, int]:
    """Start and length of the longest run of pages that a SID player's driver may have; ``first``..``end`` are ours."""
    gaps = [(4, min(first, BASIC.start >> 8)), (end, BASIC.start >> 8), (max(end, BASIC.stop >> 8), MEMORY_END >> 8)]
    start, stop = max(gaps, key=lambda gap: gap[1] - gap[0])
    assert stop > start
    return start, stop - start


def _text(what: str, text: str) -> bytes:
    """32 bytes of the file's header."""
    raw = text.encode("cp1252", errors="replace")
    if raw.decode("cp1252", errors="replace") != text:
        warnings.warn(f"{what}: characters that Windows-1252 lacks become '?'", TuneWarning, stacklevel=3)
    if len(raw) > psid.TEXT_BYTES:
        kept = raw[: psid.TEXT_BYTES]
        warnings.warn(f"{what} is cut to {psid.TEXT_BYTES} bytes: {kept.decode('cp1252')!r}", TuneWarning, stacklevel=3)
        raw = kept
    return raw.ljust(psid.TEXT_BYTES, b"\0")
