"""The .sid container, PSID and RSID: header and image, read and written back byte for byte. Runs no code.

Layout (big-endian, versions 1-4) as in the HVSC's "SID file format" document.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sidlive.chip.registers import NTSC, PAL, VideoTiming
from sidlive.errors import TuneError
from sidlive.tune.reading import read_bytes

HEADER_V1: Final = 0x76
HEADER_V2: Final = 0x7C
LARGEST_FILE: Final = HEADER_V2 + 2 + 0x10000
TEXT_BYTES: Final = 32

FLAG_MUS: Final = 0x01  # the image is Compute! MUS data, to be played by a player that is not in the file
FLAG_BASIC: Final = 0x02  # RSID: a BASIC program

MUS_REFUSAL: Final = (
    "it is Compute! Sidplayer MUS data; its player is not in the file; sidlive reads .sid, .prg, .npz, .sidgpt and .dmp"
)

_FIXED: Final = struct.Struct(f">4sHHHHHHHI{TEXT_BYTES}s{TEXT_BYTES}s{TEXT_BYTES}s")
_EXTENDED: Final = struct.Struct(">HBBBB")
assert _FIXED.size == HEADER_V1 and _FIXED.size + _EXTENDED.size == HEADER_V2


@dataclass(frozen=True)
class Tune:
    """One .sid file. Texts are raw bytes decoded as Windows-1252 without their padding; ``texts`` keeps the padding."""

    magic: str  # "PSID" or "RSID"
    version: int
    load: int  # where the image starts; from the header, or the image's first two bytes
    init: int
    play: int  # 0: the tune installs its own interrupt
    songs: int
    start_song: int  # counted from 1
    speed: int  # 32 bits
    texts: tuple[bytes, bytes, bytes]  # name, author, released: 32 bytes each, as in the file
    flags: int
    start_page: int
    page_length: int
    second_sid: int  # address, or 0
    third_sid: int
    image: bytes  # what lies in memory from ``load``
    header_load: int  # the header's own load field: 0 when the address precedes the image
    header_init: int  # the header's own init field: 0 means the load address
    header_play: int  # the header's own play field: $FFFF means 0
    sid_pages: tuple[int, int]  # the header's bytes for the second and third SID

    @property
    def name(self) -> str:
        return _text(self.texts[0])

    @property
    def author(self) -> str:
        return _text(self.texts[1])

    @property
    def released(self) -> str:
        return _text(self.texts[2])

    @property
    def end(self) -> int:
        """The first address after the image."""
        return self.load + len(self.image)

    @property
    def timing(self) -> VideoTiming:
        """PAL, unless the file says it was made for NTSC alone."""
        return NTSC if (self.flags >> 2) & 3 == 2 else PAL

    @property
    def clock(self) -> str:
        """What the file says of its video standard: "PAL", "NTSC", "any" or "unknown"."""
        return ("unknown", "PAL", "NTSC", "any")[(self.flags >> 2) & 3]

    @property
    def chip(self) -> str:
        """ "6581", unless the file says it was made for the 8580 alone."""
        return "8580" if (self.flags >> 4) & 3 == 2 else "6581"

    @property
    def sids(self) -> int:
        """How many SID chips it plays."""
        return 1 + (self.second_sid != 0) + (self.third_sid != 0)

    def uses_cia(self, song: int) -> bool:
        """Whether the header says that CIA 1's timer, not the picture, calls play for ``song`` (from 1)."""
        return bool(self.speed >> min(song - 1, 31) & 1)

    def to_bytes(self) -> bytes:
        """The file, byte for byte: the inverse of ``parse``."""
        header = _FIXED.pack(
            self.magic.encode("ascii"),
            self.version,
            HEADER_V1 if self.version == 1 else HEADER_V2,
            self.header_load,
            self.header_init,
            self.header_play,
            self.songs,
            self.start_song,
            self.speed,
            *self.texts,
        )
        if self.version > 1:
            header += _EXTENDED.pack(self.flags, self.start_page, self.page_length, *self.sid_pages)
        if self.header_load == 0:
            header += struct.pack("<H", self.load)
        return header + self.image


def read(path: str | Path) -> Tune:
    """The tune in a file. Raises TuneError for a file that cannot be read or is no tune."""
    path = Path(path)
    return parse(read_bytes(path, LARGEST_FILE + 1, "a .sid file"), str(path))


def parse(data: bytes, what: str = "file") -> Tune:
    """The tune in ``data``; ``what`` names it in messages. Raises TuneError saying what is wrong with the file."""

    def refuse(why: str) -> TuneError:
        return TuneError(f"{what}: {why}")

    if data[:4] not in (b"PSID", b"RSID"):
        found = f"begins with {data[:4].decode('latin-1')!r}" if data else "is empty"
        raise refuse(f"not a .sid file: it {found}; expected 'PSID' or 'RSID'")
    if len(data) < HEADER_V1:
        raise refuse(f"truncated: {len(data)} bytes, but the header alone has {HEADER_V1}")
    magic, version, offset, load, init, play, songs, start, speed, *texts = _FIXED.unpack_from(data)
    name = magic.decode("ascii")
    if not (1 if name == "PSID" else 2) <= version <= 4:
        raise refuse(f"{name} version {version}; expected {'1-4' if name == 'PSID' else '2-4'}")
    expected = HEADER_V1 if version == 1 else HEADER_V2
    if offset != expected:
        raise refuse(f"data offset ${offset:04X}; version {version} has ${expected:04X}")
    if len(data) < expected:
        raise refuse(f"truncated: {len(data)} bytes, but the header alone has {expected}")
    flags, page, length, second, third = _EXTENDED.unpack_from(data, HEADER_V1) if version > 1 else (0,) * 5
    image = data[expected:]
    address = load
    if load == 0:
        if len(image) < 2:
            raise refuse("truncated: it ends before its load address")
        address = image[0] | image[1] << 8
        image = image[2:]
    if not image:
        raise refuse("truncated: a header without data")
    if address + len(image) > 0x10000:
        raise refuse(f"loads {len(image):,} bytes to ${address:04X}, past the end of memory at $FFFF")
    if not 1 <= songs <= 256:
        raise refuse(f"{songs} songs; expected 1-256")
    if not 1 <= start <= songs:
        raise refuse(f"starts with song {start} of {songs}")
    if name == "RSID":
        if load or play or speed:
            raise refuse("an RSID with a load address, play address or speed other than 0")
        if address < 0x07E8:
            raise refuse(f"an RSID that loads to ${address:04X}, below $07E8")
    return Tune(
        magic=name,
        version=version,
        load=address,
        init=init or address,
        play=0 if play == 0xFFFF else play,
        songs=songs,
        start_song=start,
        speed=speed,
        texts=(texts[0], texts[1], texts[2]),
        flags=flags,
        start_page=page,
        page_length=length,
        second_sid=_sid_address(second) if version >= 3 else 0,
        third_sid=_sid_address(third) if version >= 4 else 0,
        image=image,
        header_load=load,
        header_init=init,
        header_play=play,
        sid_pages=(second, third),
    )


def _sid_address(page: int) -> int:
    """Address of a further SID from its header byte, 0 when the byte names no valid one."""
    valid = page % 2 == 0 and (0x42 <= page <= 0x7E or 0xE0 <= page <= 0xFE)
    return 0xD000 | page << 4 if valid else 0


def _text(raw: bytes) -> str:
    return raw.split(b"\0", 1)[0].decode("cp1252", errors="replace")
