"""Tunes written in machine code, and .sid files packed around them without any help from the code under test."""

import struct

LOAD = 0x1000
PLAY = 0x1040

# init: volume 15, sustain F on voice 1, the counter at $10F0/1 from the song's number, gate pattern variable zero.
#   LDA #$0F  STA $D418  LDA #$F0  STA $D406  LDA #0  STA $10F1  TXA...
INIT = "A2 0F 8E 18 D4  A2 F0 8E 06 D4  8D F0 10  A9 00 8D F1 10  60"
# play: count frames in 16 bits and play the counter as a saw wave on voice 1.
#   INC $10F0  BNE +3  INC $10F1  LDA $10F0  STA $D400  LDA $10F1  ORA #$10  STA $D401  LDA #$21  STA $D404  RTS
RISING = "EE F0 10 D0 03 EE F1 10  AD F0 10 8D 00 D4  AD F1 10 09 10 8D 01 D4  A9 21 8D 04 D4  60"


def program(init: str = INIT, play: str = RISING) -> bytes:
    """An image for $1000: init there, play at $1040, 256 bytes in all; machine code in hex."""
    image = bytearray(0x100)
    for offset, code in ((0, bytes.fromhex(init)), (PLAY - LOAD, bytes.fromhex(play))):
        image[offset : offset + len(code)] = code
    return bytes(image)


def sid_file(
    image: bytes = program(),
    *,
    magic: bytes = b"PSID",
    version: int = 2,
    load: int = 0,
    address: int = LOAD,
    init: int = LOAD,
    play: int = PLAY,
    songs: int = 1,
    start: int = 1,
    speed: int = 0,
    name: bytes = b"Tune",
    author: bytes = b"Nobody",
    released: bytes = b"2026 Nowhere",
    flags: int = 0x14,  # PAL, 6581
    pages: bytes = b"\0\0\0\0",
) -> bytes:
    """A .sid file; ``load`` 0 puts ``address`` before the image, as most files do."""
    offset = 0x76 if version == 1 else 0x7C
    data = magic + struct.pack(">HHHHHHHI", version, offset, load, init, play, songs, start, speed)
    data += b"".join(text.ljust(32, b"\0") for text in (name, author, released))
    if version > 1:
        data += struct.pack(">H", flags) + pages
    if load == 0:
        data += struct.pack("<H", address)
    return data + image
