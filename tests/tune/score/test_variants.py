"""Variants of instruments: the same playing with another envelope and waveform, and never inaudible."""

import numpy as np
import pytest

from sidlive.chip import registers as sid
from sidlive.chip.pitch import frequencies
from sidlive.chip.registers import AD, CONTROL, FIRST_CONTROL, GATE, NOISE, SR, Frames
from sidlive.tune.score.bank import SoundBank, sound_bank
from sidlive.tune.score.planned import PlannedNotes
from sidlive.tune.score.playback import render
from sidlive.tune.score.variants import ATTACK_FRAMES, TRIES, with_variants
from sidlive.tune.tracker import Bounce, Instrument, Song, Step, play

LEAD = Instrument(0x22, 0xA4, (Step(0x09), Step(0x41, 12), Step(0x41)), pulse=Bounce(0x400, 0x20))
BELL = Instrument(0x0A, 0x88, (Step(0x11),))
SNARE = Instrument(0x08, 0x86, (Step(0x81, "c6"), Step(0x81, "a5")), gate=5)
PART = "@lead a4 . c5:047 . e5 . g4 . @bell a4 . . . e5 . c5 . @snare c4 . c4 . c4 . c4 . @lead c5 . . . a4 . e5 ."


@pytest.fixture(scope="module")
def bank() -> SoundBank:
    rest = " ".join("." for word in PART.split() if not word.startswith("@"))
    tune = Song(
        "test", "", {"lead": LEAD, "bell": BELL, "snare": SNARE}, {"a": PART, "rest": rest}, ("a", "rest", "rest")
    )
    return sound_bank(play(tune))


def numbers(seed: int):  # type: ignore[no-untyped-def]
    """Return random numbers that depend on the seed, the instrument, the variant and the draw."""
    return lambda *key: float(np.random.default_rng([seed, *key]).random())


def played(bank: SoundBank, variant: int) -> Frames:
    """Return the guide of the bank's own notes with a variant (0: none) of each instrument."""
    notes, own = PlannedNotes.of(bank.score), bank.extends or bank
    size, count = own.score.instruments, len(own.score)
    fields = {name: getattr(notes, name)[:count] for name in ("onset", "voice", "pitch", "chord", "length", "flags")}
    instrument = notes.instrument[:count] + variant * size
    wanted = PlannedNotes(instrument=instrument, chords=notes.chords, **fields)
    return render(wanted, bank, 0, len(own.frames), own.frames[0])[0]


def test_the_sounds_of_the_bank_stay_as_they_are(bank: SoundBank) -> None:
    more = with_variants(bank, 2, numbers(1))
    assert more.extends is bank and more.score.instruments == 3 * bank.score.instruments
    assert (played(more, 0) == played(bank, 0)).all()


@pytest.mark.parametrize("seed", range(4))
def test_a_variant_has_the_same_notes_gates_and_hard_restarts(bank: SoundBank, seed: int) -> None:
    plain, more = played(bank, 0), with_variants(bank, 2, numbers(seed))
    for variant in (1, 2):
        other = played(more, variant)
        assert (frequencies(other) == frequencies(plain)).all()
        for column in (CONTROL, FIRST_CONTROL):
            assert (other[:, column] & 0x0F == plain[:, column] & 0x0F).all(), "gate, test bit, ring and sync"
        restarts = (plain[:, AD] == 0) & (plain[:, SR] == 0)
        assert restarts.any() and (other[restarts][:, [AD, SR]] == 0).all()
        assert ((other[:, CONTROL] & NOISE > 0) == (plain[:, CONTROL] & NOISE > 0)).all(), "noise stays noise"
        assert (other[:, [CONTROL, AD, SR]] != plain[:, [CONTROL, AD, SR]]).any(axis=1).mean() > 0.3


def test_variants_differ_with_the_random_numbers(bank: SoundBank) -> None:
    heard = {
        played(with_variants(bank, 2, numbers(seed)), variant).tobytes() for seed in range(8) for variant in (1, 2)
    }
    assert len(heard) > 12


def test_a_variant_is_heard_within_its_gate(bank: SoundBank) -> None:
    """A slow attack would never sound in short notes, a long release would run into the notes after it."""
    gates = {0: 1 << 20}
    for note in range(len(bank.score)):
        instrument = int(bank.score.instrument[note])
        gates[instrument] = max(gates.get(instrument, 0), int(bank.score.span[note]))
    for seed in range(40):
        more = with_variants(bank, 1, numbers(seed))
        for note in range(len(bank.score), 2 * len(bank.score)):
            at, first = int(more.score.onset[note]) + 1, int(more.score.voice[note]) * sid.VOICE_STRIDE
            attack, release = int(more.frames[at, first + AD]) >> 4, int(more.frames[at, first + SR]) & 15
            length = gates[int(more.score.instrument[note]) - bank.score.instruments]
            assert 3 * ATTACK_FRAMES[attack] <= length and release <= 10
            assert more.frames[at, first + CONTROL] & 0xF0, "it has a waveform"


def test_without_a_fitting_envelope_only_the_waveform_changes(bank: SoundBank) -> None:
    """Draws of 0.999 always name the rarest envelope of the list, and never the instrument's own decay or release."""
    tried: set[int] = set()

    def random(instrument: int, variant: int, draw: int) -> float:
        tried.add(draw)
        return 0.999

    more = with_variants(bank, 1, random)
    assert max(tried) < 2 + 2 * TRIES
    assert (more.frames[: len(bank.frames)] == bank.frames).all()
    assert (more.frames[:, CONTROL] & GATE).any()
