"""The .sid file format, PSID and RSID: header and image, read and written back byte for byte. Runs no code.

The layout (big-endian, versions 1 to 4) is that of the HVSC's "SID file format" document.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sidlive.chip.registers import NTSC, PAL, VideoTiming
from sidlive.errors import TuneError
from sidlive.tune.formats.kinds import NAMES, read_bytes

HEADER_V1: Final = 0x76
HEADER_V2: Final = 0x7C
LARGEST_FILE: Final = HEADER_V2 + 2 + 0x10000
TEXT_BYTES: Final = 32
MOST_SONGS: Final = 256

FLAG_MUS: Final = 0x01  # PSID: the image is Compute! Sidplayer (MUS) data, without its player
FLAG_BASIC: Final = 0x02  # RSID: a BASIC program

MUS_REFUSAL: Final = f"it is Compute! Sidplayer MUS data; its player is not in the file; expected {NAMES}"

_FIXED: Final = struct.Struct(f">4sHHHHHHHI{TEXT_BYTES}s{TEXT_BYTES}s{TEXT_BYTES}s")
_RSID_INIT: Final = frozenset({*range(0xA), 0xC})  # 4 KB blocks of memory that may hold an RSID's init
_EXTENDED: Final = struct.Struct(">HBBBB")
assert _FIXED.size == HEADER_V1 and _FIXED.size + _EXTENDED.size == HEADER_V2


@dataclass(frozen=True)
class Written:
    """Header fields as the file has them; `Tune` holds their meaning."""

    load: int  # 0: the load address is the first two bytes of the data
    init: int  # 0 means the load address
    play: int  # $FFFF means 0
    songs: int
    start_song: int
    offset: int | None = None  # of the data in the file; None: right after the header
    gap: bytes = b""  # bytes between the header and the data
    sid_pages: tuple[int, int] = (0, 0)  # address bytes of the second and third SID


@dataclass(frozen=True)
class Tune:
    """One .sid file. ``name``, ``author`` and ``released`` are ``texts`` decoded from Windows-1252, without padding."""

    magic: str  # "PSID" or "RSID"
    version: int
    load: int  # address of the image, from the header or the first two bytes of the data
    init: int
    play: int  # 0: the tune installs an interrupt of its own
    songs: int
    start_song: int  # from 1
    speed: int  # a bit per song: 1: CIA timer, 0: video frame
    texts: tuple[bytes, bytes, bytes]  # name, author, released: 32 bytes each, as in the file
    flags: int
    start_page: int
    page_length: int
    second_sid: int  # address, 0: none
    third_sid: int
    image: bytes  # memory from ``load`` on
    written: "Written"

    @property
    def name(self) -> str:
        """Title of the tune."""
        return _text(self.texts[0])

    @property
    def author(self) -> str:
        """Composer of the tune."""
        return _text(self.texts[1])

    @property
    def released(self) -> str:
        """Year and publisher of the tune."""
        return _text(self.texts[2])

    @property
    def end(self) -> int:
        """Address of the first byte after the image."""
        return self.load + len(self.image)

    @property
    def timing(self) -> VideoTiming:
        """Video timing: PAL, unless the file is for NTSC only."""
        return NTSC if (self.flags >> 2) & 3 == 2 else PAL

    @property
    def clock(self) -> str:
        """Video standard in the header: "PAL", "NTSC", "any" or "unknown"."""
        return ("unknown", "PAL", "NTSC", "any")[(self.flags >> 2) & 3]

    @property
    def chip(self) -> str:
        """Chip model: "6581", unless the file is for the 8580 only."""
        return "8580" if (self.flags >> 4) & 3 == 2 else "6581"

    @property
    def sids(self) -> int:
        """Number of SID chips that the tune plays, 1 to 3."""
        return 1 + (self.second_sid != 0) + (self.third_sid != 0)

    def uses_cia(self, song: int) -> bool:
        """Return whether CIA 1's timer, instead of the video frame, calls play for ``song`` (from 1)."""
        return bool(self.speed >> min(song - 1, 31) & 1)

    @property
    def oddities(self) -> tuple[str, ...]:
        """Harmless faults of the header, one line each: the fault, and how the tune is read in spite of it."""
        odd = []
        written, expected = self.written, _header_length(self.version)
        if written.offset is not None:
            odd.append(f"its data offset is ${written.offset:04X} instead of ${expected:04X}: the image is read there")
        if written.songs != self.songs:
            odd.append(f"it has {written.songs} songs by its header, expected 1 to {MOST_SONGS}: taken as {self.songs}")
        if written.start_song != self.start_song:
            odd.append(f"it starts with song {written.start_song} of {self.songs}: song {self.start_song} is played")
        if not self.load <= self.init < self.end:
            odd.append(f"init ${self.init:04X} is not in its image, {self.span}: the file may be cut off")
        if self.page_length and self.start_page != 0xFF and not self._has_room:
            pages = f"{self.page_length} from ${self.start_page:02X} on"
            odd.append(f"the pages that it calls free, {pages}, are not: some players refuse the file for that")
        for which, page, address in zip(("second", "third"), written.sid_pages, self._further_sids, strict=True):
            if page and not address and self.version >= (3 if which == "second" else 4):
                odd.append(f"its {which} SID cannot be at ${0xD000 | page << 4:04X}: it is left out")
        return tuple(odd)

    @property
    def span(self) -> str:
        """Addresses of the image as a text: "$1000-$1FFF"."""
        return f"${self.load:04X}-${self.end - 1:04X}"

    @property
    def _has_room(self) -> bool:
        """Return whether the pages that the header declares free are RAM outside the image."""
        first, last = self.start_page, self.start_page + self.page_length - 1
        below, above = last < 0xA0, first >= 0xC0 and last < 0xD0
        return first >= 4 and (below or above) and (last < self.load >> 8 or first > self.end - 1 >> 8)

    @property
    def _further_sids(self) -> tuple[int, int]:
        """Addresses of the second and third SID, 0: none."""
        return self.second_sid, self.third_sid

    def to_bytes(self) -> bytes:
        """Return the file, byte for byte. Inverse: `parse`."""
        written, length = self.written, _header_length(self.version)
        offset = length if written.offset is None else written.offset
        header = _FIXED.pack(
            self.magic.encode("ascii"),
            self.version,
            offset,
            written.load,
            written.init,
            written.play,
            written.songs,
            written.start_song,
            self.speed,
            *self.texts,
        )
        if self.version > 1:
            header += _EXTENDED.pack(self.flags, self.start_page, self.page_length, *written.sid_pages)
        header = (header + written.gap)[:offset]
        if written.load == 0:
            header += struct.pack("<H", self.load)
        return header + self.image


def read(path: str | Path) -> Tune:
    """Read the .sid file at ``path``. Raises TuneError for a file that cannot be read or is no tune."""
    path = Path(path)
    return parse(read_bytes(path, LARGEST_FILE + 1, "a .sid file"), str(path))


def parse(data: bytes, what: str = "file") -> Tune:
    """Parse a .sid file; ``what`` names it in messages. Inverse: `Tune.to_bytes`. Raises TuneError with the fault.

    Faults that other players accept are read as libsidplayfp reads them, and listed in `Tune.oddities`.
    """

    def refuse(why: str) -> TuneError:
        return TuneError(f"{what}: {why}")

    if data[:4] not in (b"PSID", b"RSID"):
        found = f"begins with {data[:4].decode('latin-1')!r}" if data else "is empty"
        raise refuse(f"not a .sid file: it {found}; expected 'PSID' or 'RSID'")
    if len(data) < HEADER_V1:
        raise refuse(f"truncated: {len(data)} bytes, but the header alone has {HEADER_V1}")
    magic, version, offset, load, init_written, play, songs_written, start, speed, *texts = _FIXED.unpack_from(data)
    name = magic.decode("ascii")
    if not (1 if name == "PSID" else 2) <= version <= 4:
        raise refuse(f"{name} version {version}; expected {'1-4' if name == 'PSID' else '2-4'}")
    header = _header_length(version)
    if len(data) < header:
        raise refuse(f"truncated: {len(data)} bytes, but the header alone has {header}")
    flags, page, length, second, third = _EXTENDED.unpack_from(data, HEADER_V1) if version > 1 else (0,) * 5
    image = data[offset:]
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
    init = init_written or address
    if name == "RSID":
        if load or play or speed:
            raise refuse("an RSID with a load address, play address or speed other than 0")
        if address < 0x07E8:
            raise refuse(f"an RSID that loads to ${address:04X}, below $07E8")
        if not flags & FLAG_BASIC and not (address <= init < address + len(image) and init >> 12 in _RSID_INIT):
            last = address + len(image) - 1
            raise refuse(
                f"an RSID with init at ${init:04X}; expected it in the image, ${address:04X}-${last:04X}, in RAM"
            )
    songs = min(max(1, songs_written), MOST_SONGS)
    second_sid = _sid_address(second) if version >= 3 else 0
    third_sid = _sid_address(third) if version >= 4 and third != second else 0
    return Tune(
        magic=name,
        version=version,
        load=address,
        init=init,
        play=0 if play == 0xFFFF else play,
        songs=songs,
        start_song=start if 1 <= start <= songs else 1,
        speed=speed,
        texts=(texts[0], texts[1], texts[2]),
        flags=flags,
        start_page=page,
        page_length=length,
        second_sid=second_sid,
        third_sid=third_sid,
        image=image,
        written=Written(
            load=load,
            init=init_written,
            play=play,
            songs=songs_written,
            start_song=start,
            offset=None if offset == header else offset,
            gap=data[header:offset],
            sid_pages=(second, third),
        ),
    )


def _header_length(version: int) -> int:
    """Return the length in bytes of the header of a format version."""
    return HEADER_V1 if version == 1 else HEADER_V2


def _sid_address(page: int) -> int:
    """Return the address of a second or third SID from its header byte, 0 if the byte is not a valid address."""
    valid = page % 2 == 0 and (0x42 <= page <= 0x7E or 0xE0 <= page <= 0xFE)
    return 0xD000 | page << 4 if valid else 0


def _text(raw: bytes) -> str:
    """Decode a header text up to its first zero byte."""
    return raw.split(b"\0", 1)[0].decode("cp1252", errors="replace")
