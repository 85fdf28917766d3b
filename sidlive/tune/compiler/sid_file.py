"""Compiles takes to a .sid file (PSID version 2) that plays on a Commodore 64: a header and a block of memory.

Labels, and the comparison of a compiled file with its take in our 6510, are shared by the other kinds of files.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final

import numpy as np

from sidlive.chip.registers import (
    COLUMNS,
    CONTROL,
    NTSC,
    PAL,
    REGISTERS,
    USED_BITS,
    Frames,
    VideoTiming,
    register_of,
)
from sidlive.errors import ControlError, TuneError
from sidlive.tune.capture.recorder import capture
from sidlive.tune.compiler.block import (
    BASIC,
    LOAD,
    LOWEST_LOAD,
    MEMORY_END,
    MemoryBlock,
    SongFrames,
    build,
    free_bytes,
    pack_to_fit,
    timer_bytes,
)
from sidlive.tune.formats import psid
from sidlive.tune.formats.psid import MOST_SONGS, Tune

CHIPS: Final = {"6581": 1, "8580": 2}
CLOCKS: Final = {PAL.name: 1, NTSC.name: 2}
_NAMED: Final = 5  # lost characters that a note lists
HEADER: Final = psid.HEADER_V2 + 2  # bytes before the image, load address included


@dataclass(frozen=True)
class Label:
    """Texts of a file. A .sid file keeps 32 bytes of each, in Windows-1252."""

    title: str = "Take"
    author: str = ""
    release: str = ""  # year and publisher

    def notes(self) -> list[str]:
        """Return a line for each loss of text in a .sid file."""
        return [note for field, text in asdict(self).items() for note in _lost(field, text)]


def label_of(title: object, author: object, release: object, *usual: str) -> Label:
    """Return the label with these texts; each None is replaced by the default in ``usual`` (three texts).

    Raises ControlError for a value that is not a text.
    """
    texts = []
    for field, text, otherwise in zip(("title", "author", "release"), (title, author, release), usual, strict=True):
        if text is not None and not isinstance(text, str):
            raise ControlError(f"{field} expects a text, found {text!r}")
        texts.append(otherwise if text is None else text)
    return Label(*texts)


def compile_sid(
    frames: Frames,
    label: Label | None = None,
    chip: str = "6581",
    timing: VideoTiming = PAL,
    load: int = LOAD,
    loop_frame: int | None = None,
    control_first: bool = False,
) -> bytes:
    """Compile one take to a .sid file. Its play routine, called once a video frame, writes ``frames`` uint8[T, 28].

    ``chip`` is "6581" or "8580", ``load`` the address of a page. After the last frame the tune continues at
    ``loop_frame``, or is silent if that is None. With ``control_first`` a voice's control is written before its
    envelope. Raises TuneError if the take does not fit into memory, with the length that would fit.
    """
    return compile_song(SongFrames(frames, loop_frame, control_first), label, chip, timing, load)


def compile_song(
    song: SongFrames, label: Label | None = None, chip: str = "6581", timing: VideoTiming = PAL, load: int = LOAD
) -> bytes:
    """Compile one song to a .sid file, see `compile_sid`. If its speed is not 1, CIA 1's timer calls play."""
    return sid_of(block_of([song], timing, load), label or Label(), chip, timing)


def block_of(
    takes: Sequence[SongFrames], timing: VideoTiming, load: int = LOAD, most: int | None = None
) -> MemoryBlock:
    """Compile the takes to a block, a song each, with at most ``most`` bytes of pointers and tokens (None: no limit).

    One player plays all songs, in the first one's write order. Raises TuneError for an address, a take or a loop that
    is not possible, and if the takes do not fit.
    """
    if not 1 <= len(takes) <= MOST_SONGS:
        raise TuneError(f"{len(takes)} takes; expected 1 to {MOST_SONGS} in one file")
    for number, take in enumerate(takes, 1):
        which = "the take" if len(takes) == 1 else f"take {number}"
        length = len(take.frames)
        assert take.frames.dtype == np.uint8 and take.frames.ndim == 2 and take.frames.shape[1] == COLUMNS
        if length == 0:
            raise TuneError(f"{which} has no frames; nothing to compile")
        if take.loop_frame is not None and not 0 <= take.loop_frame < length:
            raise TuneError(f"loop at frame {take.loop_frame}: {which} has frames 0 to {length - 1}")
    if load % 256 or not LOWEST_LOAD <= load < MEMORY_END:
        raise TuneError(f"load address ${load:04X}: expected the start of a page, ${LOWEST_LOAD:04X} to $CF00")
    takes = [replace(take, control_first=takes[0].control_first) for take in takes]
    frame = timing.cycles_per_frame
    cycles = [round(frame / take.speed) for take in takes]
    if all(count == frame for count in cycles):
        cycles = []
    taken = timer_bytes(len(takes)) if cycles else 0
    free = free_bytes(load) - taken
    if most is None or most - taken >= free:
        return build(pack_to_fit(takes, free, timing.rate_hz), load, cycles)
    return build(pack_to_fit(takes, most - taken, timing.rate_hz, f"{most:,} bytes of data"), load, cycles)


def sid_of(
    block: MemoryBlock, label: Label, chip: str = "6581", timing: VideoTiming = PAL, start_song: int = 1
) -> bytes:
    """Return a .sid file of a block."""
    assert chip in CHIPS and 1 <= start_song <= len(block.songs)
    start_page, pages = _free_pages(block.load >> 8, block.end >> 8)
    return psid.Tune(
        magic="PSID",
        version=2,
        load=block.load,
        init=block.init,
        play=block.load + 3,
        songs=len(block.songs),
        start_song=start_song,
        speed=_speed_bits(block.cycles, timing),
        texts=(_text(label.title), _text(label.author), _text(label.release)),
        flags=CLOCKS[timing.name] << 2 | CHIPS[chip] << 4,
        start_page=start_page,
        page_length=pages,
        second_sid=0,
        third_sid=0,
        image=block.image,
        written=psid.Written(
            load=0, init=block.init, play=block.load + 3, songs=len(block.songs), start_song=start_song
        ),
    ).to_bytes()


def _speed_bits(cycles: Sequence[int], timing: VideoTiming) -> int:
    """Return the header's field: the bit of each song that CIA 1's timer calls; songs from the 32nd on share a bit."""
    bits = 0
    for song, count in enumerate(cycles):
        bits |= (count != timing.cycles_per_frame) << min(song, 31)
    return bits


def verify(sid: bytes, *takes: Frames) -> None:
    """Play a .sid file in our 6510 and compare each song with its take uint8[T, 28], all columns of all frames.

    Raises TuneError with the first frame and register that differ.
    """
    tune = psid.parse(sid, "the compiled file")
    for song, frames in enumerate(takes, 1):
        where = f"song {song}, frame" if len(takes) > 1 else "frame"
        compare(tune, song, frames, "the compiled file", where)


def compare(tune: Tune, song: int, frames: Frames, what: str, where: str = "frame") -> None:
    """Play ``song`` (from 1) in our 6510 and compare it with ``frames``, as `verify` does.

    ``what`` names the file in messages, ``where`` the position.
    """
    expected = frames & USED_BITS
    played = capture(tune, song, len(frames)).frames
    if np.array_equal(played, expected):
        return
    frame, column = (int(i) for i in np.argwhere(played != expected)[0])
    first = column >= REGISTERS
    register = register_of(column - REGISTERS, CONTROL) if first else column
    raise TuneError(
        f"{what} is not the take: in {where} {frame} {'the first write to ' if first else ''}"
        f"$D4{register:02X} is ${played[frame, column]:02X}, expected ${expected[frame, column]:02X}"
    )


def _free_pages(first: int, end: int) -> tuple[int, int]:
    """Return start and length of the longest run of pages free for a SID player's driver; the block uses first..end."""
    gaps = [(4, min(first, BASIC.start >> 8)), (end, BASIC.start >> 8), (max(end, BASIC.stop >> 8), MEMORY_END >> 8)]
    start, stop = max(gaps, key=lambda gap: gap[1] - gap[0])
    assert stop > start
    return start, stop - start


def _text(text: str) -> bytes:
    """Return ``text`` as 32 bytes of the file's header."""
    return _encoded(text)[: psid.TEXT_BYTES].ljust(psid.TEXT_BYTES, b"\0")


def _encoded(text: str) -> bytes:
    """Return ``text`` in Windows-1252, with ? for control characters and characters that it does not have."""
    shown = "".join("?" if unicodedata.category(letter) == "Cc" else letter for letter in _composed(text))
    return shown.encode("cp1252", errors="replace")


def _composed(text: str) -> str:
    """Return ``text`` with each letter and its accent as one character, as in Windows-1252."""
    return unicodedata.normalize("NFC", text)


def _lost(field: str, text: str) -> list[str]:
    """Return a line for each loss of ``_text``; ``field`` names the text."""
    raw = _encoded(text)
    kept = raw.decode("cp1252")
    lost = []
    if missing := dict.fromkeys(letter for letter, now in zip(_composed(text), kept, strict=True) if letter != now):
        some = ", ".join(map(repr, list(missing)[:_NAMED])) + " ..." * (len(missing) > _NAMED)
        lost.append(f"{field}: Windows-1252 has no {some}; each becomes '?'")
    if len(raw) > psid.TEXT_BYTES:
        lost.append(f"{field} has {len(raw)} bytes, the file keeps {psid.TEXT_BYTES}: {kept[: psid.TEXT_BYTES]!r}")
    return lost
