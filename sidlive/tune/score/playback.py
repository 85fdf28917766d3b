"""Notes back to frames: each note is replayed from the frames of a similar note of its instrument.

For each wanted note, the most similar note of its instrument in the sound bank is its *template*: the same chord, a
near pitch, a similar length. The template's registers are copied frame by frame, by *age*: the frames since its onset.
Its frequencies are transposed to the wanted pitch with the tune's own note table. A note longer than its template
repeats the template's last frames: one period of an arpeggio or a vibrato, otherwise only the last frame. The gate
opens and closes as the notes say.

`replay` plays a whole score, `render` a part of a plan: the *guide* of the frames that are generated under it.
"""

import numpy as np
from numpy.typing import NDArray

from sidlive.chip import registers as sid
from sidlive.chip.registers import Frames
from sidlive.errors import TuneError
from sidlive.tune.score.bank import (
    CHORD,
    FIELDS,
    FLAGS,
    INSTRUMENT,
    LEAD,
    LENGTH,
    LEVEL,
    ONSET,
    PITCH,
    UNKNOWN,
    VOICE,
    SoundBank,
    chord_table,
    note_table,
)
from sidlive.tune.score.instruments import Ints
from sidlive.tune.score.notes import Score
from sidlive.tune.score.planned import GIVEN, PlannedNotes
from sidlive.tune.score.sounding import write_filter, write_notes
from sidlive.tune.score.templates import NO_LIMIT, choose_templates, complete

EVER = 1 << 40  # frames for which a single note table holds


def replay(score: Score, bank: SoundBank, allow_self: bool = True) -> Frames:
    """Return frames ``uint8[score.frames, 28]``: the notes of ``score`` with the sounds of ``bank``.

    The score's instrument numbers must be the bank's. ``allow_self`` False: the score is the bank's own score, and a
    note is its own template only if its instrument has no other one; this tests how well templates fit. Before its
    first note a voice has the registers of the bank's first frame. Raises TuneError if the bank lacks a sound.
    """
    templates, ages = choose(score, bank, allow_self)
    frames = sid.silence(score.frames)
    if len(bank.frames):
        frames[:] = bank.frames[0]
    if len(score):
        heard, mask = bank.frames[:1], np.zeros(frames.shape, dtype=np.bool_)
        _write(frames, mask, 0, note_table(score), score.chords, templates, ages, heard, bank, bank.table[None], EVER)
    return frames


def choose(score: Score, bank: SoundBank, allow_self: bool = True) -> tuple[Ints, Ints]:
    """Choose a template for each note; return the templates and the ages at which they begin, ``int64[notes]`` each.

    A template is an index into the notes of the bank. Ages are 0, except for a tied note without any candidate: it
    continues the template of the note before. ``allow_self`` and errors as for `replay`.
    """
    if score.instruments > bank.score.instruments:
        raise TuneError(
            f"the score has an instrument {score.instruments - 1}; expected one of the {bank.score.instruments} of the"
            " sound bank, counted from 0"
        )
    latest = np.full(len(score), NO_LIMIT if allow_self else -1)
    templates, ages = _choose(note_table(score), score.chords, bank, latest)
    lost = np.flatnonzero(templates < 0)
    if len(lost):
        raise TuneError(
            f"the note at frame {score.onset[lost[0]]} cannot be played: the sound bank has no attack of instrument"
            f" {score.instrument[lost[0]]}, and no note before it in its voice to continue"
        )
    return templates, ages


def render(
    notes: PlannedNotes, bank: SoundBank, start: int, stop: int, before: NDArray[np.uint8] | None = None
) -> tuple[Frames, NDArray[np.bool_]]:
    """Return the guide for frames ``start`` .. ``stop`` - 1, ``uint8[stop - start, 28]``, and its mask ``bool[...]``.

    ``notes``: those that begin before ``stop`` and end after ``start``. Earlier ones only matter for the filter, whose
    settings come from the latest note that goes through it. Frames count from the bank's first frame. ``before
    uint8[28]``: the last frame heard (default: silence), whose registers a voice keeps where the notes say nothing.

    The mask covers a voice's columns from the lead of its first note on, and those of the filter and the volume from
    the first note on. Left out are notes of instruments that the bank lacks, and pulse widths that sweep on from note
    to note.
    """
    wanted = planned_table(notes)
    latest = np.full(len(wanted), NO_LIMIT)
    heard = sid.silence(1) if before is None else np.array(before, dtype=np.uint8)[None]
    return render_table(wanted, notes.chords, bank, start, stop, latest, heard, bank.table[None], EVER)


def planned_table(notes: PlannedNotes) -> Ints:
    """Return a note table of planned notes, with zeros for what a plan does not give."""
    wanted = np.zeros((len(notes), FIELDS), dtype=np.int64)
    wanted[:, ONSET], wanted[:, VOICE], wanted[:, PITCH], wanted[:, CHORD] = (
        notes.onset, notes.voice, notes.pitch, notes.chord,
    )  # fmt: skip
    wanted[:, INSTRUMENT], wanted[:, LENGTH], wanted[:, FLAGS] = notes.instrument, notes.length, notes.flags & GIVEN
    wanted[:, LEVEL] = UNKNOWN
    return wanted


def render_table(
    wanted: Ints,
    chords: tuple[tuple[int, ...], ...],
    bank: SoundBank,
    start: int,
    stop: int,
    latest: Ints,
    heard: Frames,
    tables: NDArray[np.float64],
    table_frames: int,
) -> tuple[Frames, NDArray[np.bool_]]:
    """Do `render` for a note table; change it. ``latest`` as for `choose_templates`, others as for `write_notes`."""
    instruments = max(int(wanted[:, INSTRUMENT].max(initial=0)) + 1, bank.score.instruments)
    names, own = wanted[:, INSTRUMENT].copy(), bank.extends or bank
    if bank.extends is not None:  # variants are prepared as the instruments that they were made from
        wanted[:, INSTRUMENT] %= max(own.score.instruments, 1)
    complete(wanted, own.notes, instruments, latest, stop)
    wanted[:, INSTRUMENT] = names
    base = max(0, min(start - 1, int((wanted[:, ONSET] - wanted[:, LEAD]).min(initial=start)) - 1))
    frames = np.repeat(heard[min(max(base - 1, 0), len(heard) - 1)][None], stop - base, axis=0)
    mask = np.zeros(frames.shape, dtype=np.bool_)
    if len(wanted):
        templates, ages = _choose(wanted, chords, bank, latest)
        _write(frames, mask, base, wanted, chords, templates, ages, heard, bank, tables, table_frames)
    return frames[start - base :], mask[start - base :]


def _choose(wanted: Ints, chords: tuple[tuple[int, ...], ...], bank: SoundBank, latest: Ints) -> tuple[Ints, Ints]:
    """Apply `choose_templates`; return templates and ages."""
    templates, ages = np.empty((2, len(wanted)), dtype=np.int64)
    other_chord = np.array([[one != other for other in bank.score.chords] for one in chords])
    choose_templates(wanted, bank.notes, other_chord, latest, templates, ages)
    return templates, ages


def _write(
    frames: Frames,
    mask: NDArray[np.bool_],
    base: int,
    wanted: Ints,
    chords: tuple[tuple[int, ...], ...],
    templates: Ints,
    ages: Ints,
    heard: Frames,
    bank: SoundBank,
    tables: NDArray[np.float64],
    table_frames: int,
) -> None:
    """Apply `write_notes` and `write_filter`. Arguments as there."""
    write_notes(
        frames, mask, base, wanted, chord_table(chords), templates, ages, heard, bank.frames, bank.notes,
        chord_table(bank.score.chords), bank.frequency, bank.numbers, tables, table_frames, bank.fixed,
    )  # fmt: skip
    write_filter(frames, mask, base, wanted, templates, ages, bank.frames, bank.notes)
