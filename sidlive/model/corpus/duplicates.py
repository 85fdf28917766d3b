"""Find songs that a collection holds more than once, by the frames that they play. Knows hashes of songs, not files.

Copies with equal frames have equal digests. Other copies begin with additional idle frames, were adapted to the other
chip model, or end earlier. They are found by a *trail* of hashes, one for every five seconds; each covers everything
that the voices have played since the first sound. If the trail of one song begins with the whole trail of another song,
the other song is a part of it.
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

STEP: Final = 250  # frames between two hashes of a trail
HASH_BYTES: Final = 8
COVERED: Final = 0.8  # least share of a song that its trail must cover to be compared
VOICE_COLUMNS: Final = [
    *(register_of(voice, offset) for voice in range(VOICES) for offset in (FREQ_LO, FREQ_HI, CONTROL, AD, SR)),
    *range(FIRST_CONTROL, FIRST_CONTROL + VOICES),
]


@dataclass(frozen=True)
class Fingerprint:
    """The hashes that identify a song, in hexadecimal."""

    digest: str  # of all frames
    trail: str  # hashes of ever longer beginnings, end to end; "" if they would cover too little of the song


def fingerprint_of(frames: Frames) -> Fingerprint:
    """Compute the fingerprint of a song's frames ``uint8[T, 28]``."""
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
    """Find the songs to drop, by their position in ``fingerprints``.

    Returns, for each dropped song, the position of the song that is kept instead, and how the dropped song relates to
    it ("the same as" or "the same notes as"). Of equal songs the first is kept, of others the longest.
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
    return {number: (_finally_kept(dropped, instead), how) for number, (instead, how) in dropped.items()}


def _finally_kept(dropped: dict[int, tuple[int, str]], number: int) -> int:
    """Return the song that is kept in the end: the song kept instead of ``number`` may itself have been dropped."""
    while number in dropped:
        number = dropped[number][0]
    return number
