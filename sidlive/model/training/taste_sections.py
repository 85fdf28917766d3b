"""Sections of notes to train a composer's taste on: how real tunes go on, and how the composer goes on. Free of torch.

Both continue the same prompts, which are stretches of a corpus's tunes. What a section is, is that of the plan.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import VOICES, Frames
from sidlive.model.composer.chapter import Chapter
from sidlive.model.composer.choices import notes_like
from sidlive.model.composer.events import PITCH, REST, UNTUNED, VOICE, Events, events_of
from sidlive.model.composer.hearing import Hearing
from sidlive.model.composer.note_writer import ComposerLike, NoteWriter
from sidlive.model.composer.plan_settings import PlanSettings
from sidlive.model.composer.sections import section_end, section_frames
from sidlive.model.composer.sheet import Sheet
from sidlive.model.composer.traits import FRAME, TRAITS, Meter, Past, Table, table_of, traits_of
from sidlive.model.corpus.shards import Corpus, open_corpus
from sidlive.model.engine import Sampling, near_frames
from sidlive.model.judging.continuations import Prompt
from sidlive.tune.beat import beat_of
from sidlive.tune.score.extract import score_of

if TYPE_CHECKING:
    from sidlive.model.composer import Composer

CONTRAST: Final = 1.0  # sections differ as much as a performer may ask for
FEWEST_NOTES: Final = 8  # of a continuation


class Sections(NamedTuple):
    """Sections, each with its traits, whether composers wrote it, and who composed its tune."""

    traits: NDArray[np.float64]  # [N, TRAITS]
    real: NDArray[np.bool_]  # [N]
    composers: list[str]


def sections_of(
    composer: Path,
    corpus: Path,
    prompts: Sequence[Prompt],
    sampling: Sampling,
    seeds: Sequence[int],
    workers: int,
    report_progress: Callable[[int, int], object],
) -> Sections:
    """Return the sections after each prompt, of the tune and as the composer goes on with each seed.

    ``composer``, ``corpus``: a file and a folder. ``sampling``: for the frames that would play the notes. ``workers``:
    number of processes; the result does not depend on it.
    """
    found = []
    pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=_enter, initargs=(composer, corpus))
    with pool:
        numbers = range(len(prompts))
        for done, one in enumerate(pool.map(_continued, prompts, numbers, repeat(sampling), repeat(tuple(seeds)))):
            report_progress(done, len(prompts))
            found.append(one)
    report_progress(len(prompts), len(prompts))
    return Sections(
        np.concatenate([np.zeros((0, TRAITS)), *(one.traits for one in found)]),
        np.concatenate([np.zeros(0, np.bool_), *(one.real for one in found)]),
        [name for one in found for name in one.composers],
    )


_loaded: list[tuple["Composer", Corpus]] = []  # of this process


def _enter(composer: Path, corpus: Path) -> None:
    """Load what a worker process needs."""
    from sidlive.model.composer import load_composer

    _loaded.append((load_composer(composer), open_corpus(corpus)))


def _continued(prompt: Prompt, number: int, sampling: Sampling, seeds: tuple[int, ...]) -> Sections:
    """Return the sections after one prompt; none if it has no notes to go on from. Runs in a worker process."""
    composer, corpus = _loaded[0]
    frames = np.array(corpus.frames(prompt.tune)[prompt.start : prompt.end])
    return continued(composer, frames, prompt, number, sampling, seeds)


def continued(
    composer: ComposerLike, frames: Frames, prompt: Prompt, number: int, sampling: Sampling, seeds: Sequence[int]
) -> Sections:
    """Return the sections after one prompt. ``frames``: of the prompt and after. ``number``: chooses the noise."""
    nothing = Sections(np.zeros((0, TRAITS)), np.zeros(0, np.bool_), [])
    heard = Hearing(frames[: prompt.prompt_end - prompt.start])
    if len(heard.idle_voices) == VOICES:
        return nothing
    settings = _settings(frames[: heard.frames], prompt.tune.rate_hz, sampling)
    meter = Meter(settings.beat_frames, settings.bar_frames)
    past = Past(table_of(heard.events), heard.frames, meter, round(section_frames(settings.bar_frames)))
    length = len(frames) - heard.frames
    tables = [_tunes_own(frames, heard)]
    for seed in seeds:
        own = replace(settings.sampling, seed=seed, lane=number)
        tables.append(_composers_own(composer, heard, replace(settings, sampling=own), length))
    if min(map(len, tables)) < FEWEST_NOTES:
        return nothing
    traits = [_traits(np.concatenate([past.table, table]), past, settings, length) for table in tables]
    real = np.repeat(np.arange(len(tables)) == 0, [len(part) for part in traits])
    return Sections(np.concatenate(traits), real, [prompt.tune.author] * len(real))


def _settings(heard: Frames, rate_hz: float, sampling: Sampling) -> PlanSettings:
    """Return the settings under which a prompt is continued."""
    beat = beat_of(heard, rate_hz)
    near = near_frames(beat.bar * beat.whole_frames)
    return PlanSettings(
        sampling=notes_like(replace(sampling, near=near)), contrast=CONTRAST, on_beat=True, beat_frames=beat.frames,
        bar_frames=beat.bar_frames, downbeat=beat.downbeat - len(heard),
    )  # fmt: skip


def _tunes_own(frames: Frames, heard: Hearing) -> Table:
    """Return the notes of a tune after its prompt, at the tuning of the prompt."""
    events = events_of(score_of(frames))
    table, known = table_of(events), table_of(heard.events)
    mine = {(row[FRAME], row[VOICE]): row[PITCH] for row in table.tolist() if row[PITCH] < UNTUNED}
    moved = [
        mine[row[FRAME], row[VOICE]] - row[PITCH]
        for row in known.tolist()
        if row[PITCH] < UNTUNED and (row[FRAME], row[VOICE]) in mine
    ]
    table = table[table[:, FRAME] >= heard.frames]
    tuned = table[:, PITCH] < UNTUNED
    shift = int(np.median(moved)) if moved else 0
    table[tuned, PITCH] = np.clip(table[tuned, PITCH] - shift, 0, UNTUNED - 1)
    return table


def _composers_own(composer: ComposerLike, heard: Hearing, settings: PlanSettings, length: int) -> Table:
    """Return the notes that the composer writes for ``length`` frames after the music heard."""
    chapter = Chapter("composed", 0, heard, Sheet(heard.notes(-heard.frames)), [(0, 0)])
    NoteWriter(composer, Hearing).extend(chapter, settings, length, 0)
    written = [note for note in chapter.sheet.backwards() if note.event and note.voice != REST and note.frame < length]
    events: Events = np.array([(0, *note.event[1:]) for note in reversed(written)], np.int16).reshape(-1, 7)
    table = events.astype(np.int64)
    table[:, FRAME] = [note.frame + heard.frames for note in reversed(written)]
    return table


def _traits(table: Table, past: Past, settings: PlanSettings, length: int) -> NDArray[np.float64]:
    """Return the traits of all whole sections among ``length`` frames after the music heard: ``float64[n, TRAITS]``."""
    found, start = [], 0
    while (end := section_end(settings, start)) <= length:
        found.append(traits_of(table, start + past.frames, end + past.frames, past))
        start = end
    return np.array(found).reshape(-1, TRAITS)
