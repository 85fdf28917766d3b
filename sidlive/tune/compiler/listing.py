"""Writes takes as a 64tass source, for demos: the player's own source and the data after it.

Assembled unchanged, it gives the bytes of the block. ORIGIN may be set to any other page, since pointers in the data
are labels.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from sidlive.tune.compiler.assemble import SOURCE
from sidlive.tune.compiler.block import BASIC, RINGS, MemoryBlock
from sidlive.tune.compiler.packer import Packed
from sidlive.tune.compiler.sid_file import Label

_A_LINE: Final = 16  # bytes
_HEAD: Final = """;
; 64tass -C --nostart FILE.asm
;
; Call start (or init) once, with the number of the song, from 0, in A. Then call start + 3 (or play) {calls}.
; A, X and Y are lost. ZP and ZP + 1 are restored; no other part of the zero page is used. start and start + 3
; switch off the BASIC ROM if any part lies under it, and restore it; init and play expect it to be off. The songs'
; pointers and tokens begin at data.
; {bytes} bytes, and {pages} pages from RINGS on, which hold the last 256 frames.

ORIGIN  = ${load:04x}                         ; any page
RINGS   = (finish + 255) & $ff00        ; any page with {pages} free from there on
ZP      = $fb                           ; two bytes
BANKED  = {banked}                             ; 1: ORIGIN is below $a000, and the last ring above
CONTROL_FIRST = {control_first}                       ; 1: a voice's control is written before its envelope
start   = ORIGIN
data    = songs

; ----- the player
"""


def listing_of(block: MemoryBlock, label: Label) -> str:
    """Return the source of a block, with the texts of ``label`` in its first line."""
    titles = " - ".join(text for text in (label.title, label.author, label.release) if text)
    lines = [
        f"; {''.join(letter if letter.isprintable() else '?' for letter in titles)}",
        _HEAD.format(
            load=block.load,
            bytes=len(block.image),
            pages=RINGS // 256,
            calls=_calls(block),
            banked=int(block.load < BASIC.start < block.end),
            control_first=int(block.songs[0].control_first),
        ),
        SOURCE.read_text(encoding="utf-8").rstrip(),
    ]
    for number, song in enumerate(block.songs):
        lines += _words([f"tokens{number} + {start}" for start in song.starts])
    for number, song in enumerate(block.songs):
        lines += ["", f"tokens{number}", *_tokens(song, f"tokens{number}")]
    return "\n".join([*lines, "finish", ""])


def _tokens(song: Packed, label: str) -> Iterator[str]:
    """Yield the lines of a song's tokens, with links relative to ``label``."""
    at = 0
    for link, target in [*sorted(song.links), (len(song.data), -1)]:
        for begin in range(at, link, _A_LINE):
            yield "        .byte " + ", ".join(f"${byte:02x}" for byte in song.data[begin : min(begin + _A_LINE, link)])
        if target >= 0:
            yield f"        .word {label} + {target}"
        at = link + 2


def _calls(block: MemoryBlock) -> str:
    """Return in words how often play is to be called."""
    if not block.cycles:
        return "in each video frame"
    return f"each {', '.join(map(str, block.cycles))} cycles{' (by song)' if len(block.cycles) > 1 else ''}"


def _words(names: Sequence[str]) -> list[str]:
    """Return a line for each name: a word that holds its address."""
    return [f"        .word {name}" for name in names]
