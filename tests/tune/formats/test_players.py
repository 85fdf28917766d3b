"""Signatures of player routines: alone, and in real tunes whose player is known."""

import random
from pathlib import Path

import pytest

from sidlive.errors import TuneError
from sidlive.tune.formats.players import SIGNATURES, player_of
from sidlive.tune.formats.psid import Tune, read

ALL = [(name, signature) for name, signatures in SIGNATURES.items() for signature in signatures]
NAMED = {  # text in an image: names of the player that it stands for
    b"SID-WIZARD 1.": {"SID-Wizard"},
    b"MUSICMASTER CREATED BY": {"SoundMonitor"},
    b"BRIAN/GRAFFITY": {"DMC"},
    b"PLAYER BY JCH": {"JCH NewPlayer"},
    b"PLAYER BY LAXITY.": {"JCH NewPlayer 21"},
}


def code(signature: str, seed: int = 0) -> bytes:
    """Return bytes that match a signature, random ones in place of ``??``."""
    chance = random.Random(seed)
    return bytes(chance.randrange(256) if byte == "??" else int(byte, 16) for byte in signature.split())


@pytest.mark.parametrize(("name", "signature"), ALL)
def test_a_routine_is_recognised_at_any_address(name: str, signature: str) -> None:
    for seed, before in ((1, 0), (2, 777), (3, 4001)):
        assert player_of(bytes(before) + code(signature, seed) + bytes(99), 0x1000) == name


@pytest.mark.parametrize(("name", "signature"), ALL)
def test_a_routine_with_one_byte_changed_is_not_recognised(name: str, signature: str) -> None:
    image = bytearray(code(signature))
    middle = [i for i, byte in enumerate(signature.split()) if byte != "??"]
    image[middle[len(middle) // 2]] ^= 0x01
    assert player_of(bytes(image), 0x1000) is None


@pytest.mark.parametrize(("name", "signature"), ALL)
def test_a_signature_has_enough_fixed_bytes(name: str, signature: str) -> None:
    fixed = [byte for byte in signature.split() if byte != "??"]
    assert len(fixed) >= 12 and len(set(fixed)) >= 6
    assert "??" not in (signature.split()[0], signature.split()[-1])


def test_an_unknown_routine_is_none() -> None:
    assert player_of(b"", 0x1000) is None and player_of(bytes(65536), 0) is None
    assert player_of(random.Random(5).randbytes(65536), 0) is None


@pytest.fixture(scope="module")
def tunes(shared: Path) -> list[tuple[Path, Tune, str | None]]:
    """Return every real tune of the corpus, with its path and its player."""
    found = []
    for path in sorted((shared / "corpus").rglob("*.sid")):
        try:
            tune = read(path)
        except TuneError:
            continue
        found.append((path, tune, player_of(tune.image, tune.load)))
    if not found:
        pytest.skip("no real tunes")
    return found


def test_images_that_name_their_player_agree(tunes: list[tuple[Path, Tune, str | None]]) -> None:
    for text, names in NAMED.items():
        named = [(path, player) for path, tune, player in tunes if text in tune.image]
        right = [path for path, player in named if player in names]
        assert len(right) >= 0.95 * len(named), (text, [item for item in named if item[1] not in names])


def test_composers_with_their_own_player_are_recognised(tunes: list[tuple[Path, Tune, str | None]]) -> None:
    for name, author in (("Rob Hubbard", "Rob Hubbard"), ("Martin Galway", "Martin Galway")):
        own = [player for _, tune, player in tunes if tune.author == author]
        assert own.count(name) >= 0.85 * len(own)
    assert {tune.author for _, tune, player in tunes if player == "Martin Galway"} <= {"Martin Galway"} | {
        tune.author for _, tune, _ in tunes if "Galway" in tune.author
    }


def test_sidtracker64_is_not_taken_for_rob_hubbards(tunes: list[tuple[Path, Tune, str | None]]) -> None:
    """Tunes made with SidTracker64 name it as their author."""
    found = {player for _, tune, player in tunes if tune.author.startswith("SidTracker64")}
    assert found == {"SidTracker64"}


def test_no_tune_is_older_than_its_player(tunes: list[tuple[Path, Tune, str | None]]) -> None:
    first_year = {
        "GoatTracker 2": 2001,
        "NinjaTracker 2": 2005,
        "SID-Wizard": 2012,
        "SID Factory II": 2018,
        "DMC": 1990,
    }
    first_year |= {"SoundMonitor": 1986, "Future Composer": 1987, "Music Assembler": 1988, "JCH NewPlayer": 1988}
    first_year |= {"JCH NewPlayer 21": 1992, "Rob Hubbard": 1984, "SidTracker64": 2015, "Martin Galway": 1984}
    assert set(first_year) == set(SIGNATURES)
    for path, tune, player in tunes:
        if player and tune.released[:4].isdigit():
            assert int(tune.released[:4]) >= first_year[player], (path.name, player)
