"""The same song more than once in a collection, found by what it plays. Knows hashes of songs, not where they lie.

Copies whose register streams are equal share a digest. Others differ by some idle frames at the start, by the chip they
were tuned for, or end earlier; for those a *trail* is kept: from the first sound on, after every five seconds, a
hash of everything the voices were told so far. A song whose trail begins another's is a part of it.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sidlive.chip.registers import (
    AD,
    CONTROL,
    FIRST_CONTROL,
    FREQ_HI,
    FREQ_LO,
    GATE,
    MODE_VOL,
    SR,
    VOICES,
    Frames,
    register_of,
)

STEP: Final = 250  # frames from one hash of a trail to the next
HASH_BYTES: Final = 8
COVERED: Final = 0.8  # of a song, how much its trail must cover to tell it
VOICE_COLUMNS: Final = [
    *(register_of(voice, offset) for voice in range(VOICES) for offset in (FREQ_LO, FREQ_HI, CONTROL, AD, SR)),
    *range(FIRST_CONTROL, FIRST_CONTROL + VOICES),
]


@dataclass(frozen=True)
class Fingerprint:
    """What tells one song from another: a digest of its frames and its trail, hexadecimal."""

    digest: str
    trail: str


def fingerprint_of(frames: Frames) -> Fingerprint:
    """The print of ``frames`` uint8[T, 28]."""
    digest = hashlib.blake2b(frames.tobytes(), digest_size=2 * HASH_BYTES).hexdigest()
    controls = frames[:, [register_of(voice, CONTROL) for voice in range(VOICES)]]
    sounds = (controls & GATE > 0).any(axis=1) & (frames[:, MODE_VOL] & 15 > 0)
    begin = int(sounds.argmax()) if sounds.any() else len(frames)
    voices = frames[begin:, VOICE_COLUMNS]
    steps = len(voices) // STEP
    if steps * STEP < COVERED * len(voices):
        return Fingerprint(digest, "")
    hashed, trail = hashlib.blake2b(digest_size=HASH_BYTES), ""
    for step in range(steps):
        hashed.update(voices[step * STEP : (step + 1) * STEP].tobytes())
        trail += hashed.hexdigest()
    return Fingerprint(digest, trail)


def duplicates(fingerprints: Iterable[Fingerprint]) -> dict[int, tuple[int, str]]:
    """Which songs to drop: their number -> the number of the song to keep for them, and what they are of it.

    Of equal songs the first is kept, of others the longest.
    """
    dropped: dict[int, tuple[int, str]] = {}
    digests: dict[str, int] = {}
    beginnings: dict[str, list[tuple[int, str]]] = {}
    width = 2 * HASH_BYTES
    for number, song in enumerate(fingerprints):
        first = digests.setdefault(song.digest, number)
        if first != number:
            dropped[number] = (first, "the same as")
        elif song.trail:
            beginnings.setdefault(song.trail[:width], []).append((number, song.trail))
    for alike in beginnings.values():
        kept: list[tuple[int, str]] = []
        for number, trail in sorted(alike, key=lambda song: -len(song[1])):
            last = trail[-width:]
            match = next((k for k, whole in kept if whole[len(trail) - width : len(trail)] == last), None)
            if match is None:
                kept.append((number, trail))
            else:
                dropped[number] = (match, "the same notes as")
    return {number: (_end_of(dropped, kept_for), how) for number, (kept_for, how) in dropped.items()}


def _end_of(dropped: dict[int, tuple[int, str]], number: int) -> int:
    """The song that is kept in the end: what was kept for another may itself be a part of a third."""
    while number in dropped:
        number = dropped[number][0]
    return number
