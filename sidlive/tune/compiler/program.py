"""Writes takes as a .prg file that a Commodore 64 loads and runs: ``LOAD"NAME",8,1`` and RUN.

A block at PROGRAM_LOAD follows boot.asm, which is assembled beside it: a BASIC line, texts on the screen, the time, a
raster interrupt that calls play, keys 1 to 9 for the songs. The Kernal's keyboard routine runs after play in the raster
interrupt, since the timer's interrupt is off.
"""

import unicodedata
from pathlib import Path
from typing import Final

import numpy as np

from sidlive.chip.registers import FIRST_CONTROL, MODE_VOL, USED_BITS, Frames, VideoTiming
from sidlive.errors import TuneError
from sidlive.tune.capture.recorder import capture
from sidlive.tune.compiler.block import MemoryBlock
from sidlive.tune.compiler.sid_file import Label
from sidlive.tune.formats import prg

PROGRAM_LOAD: Final = 0x0B00  # address of the block, after boot.asm
COMPARED: Final = 500  # frames compared by `verify_program`
KEYS: Final = 9  # songs that have a key

_BOOT: Final = Path(__file__).with_name("boot.bin")
_PARAMETERS: Final = 0x0810 - prg.BASIC  # offset in boot.asm of songs, song, frames, others, period, text
_WIDTH: Final = 40
_SECONDS: Final = {  # frames per second, frames in every n-th second, n: 401 frames are 8 s, 359 frames 6 s
    "PAL": (50, 51, 8),
    "NTSC": (60, 59, 6),
}


def program_of(block: MemoryBlock, label: Label, chip: str, timing: VideoTiming) -> bytes:
    """Return a .prg file of a block at PROGRAM_LOAD."""
    assert block.load == PROGRAM_LOAD
    boot = bytearray(_BOOT.read_bytes())
    assert prg.BASIC + len(boot) == PROGRAM_LOAD
    songs = min(len(block.songs), KEYS)
    keys = f"Keys 1 to {songs}: the songs" if songs > 1 else "Key 1: from the start"
    rows = (
        label.title,
        label.author,
        label.release,
        "",
        f"00:00 song  1 of {len(block.songs)}",
        f"{keys}   {chip}, {timing.name}",
    )
    text = b"".join(screen_codes(f"  {row}") for row in rows)
    fields = bytes((songs, 0, *_SECONDS[timing.name])) + text
    boot[_PARAMETERS : _PARAMETERS + len(fields)] = fields
    return prg.prg_bytes(prg.BASIC, bytes(boot) + block.image)


def screen_codes(text: str) -> bytes:
    """Return a row of 40 screen codes in the character set with small letters. Accents are dropped."""
    plain = unicodedata.normalize("NFKD", text).replace("ß", "ss")
    letters = [letter for letter in plain if not unicodedata.combining(letter)][:_WIDTH]
    return bytes(_screen_code(letter) for letter in letters).ljust(_WIDTH, b" ")


def verify_program(program: bytes, frames: Frames, what: str) -> None:
    """Run a .prg file in our C64 and compare the first COMPARED frames of its first song, all columns.

    Raises TuneError if they differ.
    """
    expected = frames[:COMPARED] & USED_BITS
    voices = [column for column in range(expected.shape[1]) if column < MODE_VOL or column >= FIRST_CONTROL]
    silent = int(np.argmax(expected[:, voices].any(axis=1)))  # a capture begins with the first write to a voice
    if not expected[:, voices].any():
        return
    played = capture(prg.parse(program, what), frames=COMPARED).frames
    for lead in range(silent + 1):
        if np.array_equal(played[: len(expected) - lead], expected[lead:]):
            return
    differ = (played[: len(expected)] != expected).any(axis=1)
    raise TuneError(f"{what} is not the take: {int(differ.sum())} of its first {len(expected)} frames differ")


def _screen_code(letter: str) -> int:
    """Return the screen code of ``letter``, or the one of ? if it has none."""
    code = ord(letter)
    if "a" <= letter <= "z":
        return code - 0x60
    if letter in "@[]":
        return code - 0x40
    if letter == "_":
        return 0x64
    return code if 0x20 <= code < 0x5B else 0x3F
