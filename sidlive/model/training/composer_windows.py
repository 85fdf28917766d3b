"""The notes of a corpus, as windows to train a composer on. Knows no networks.

Notes and their annotations (`composer.memory`) are computed once per song and kept in a folder beside the corpus,
memory-mapped: for each rotation of the voices, and with suggestions from anywhere (FREE) or preferably from longer ago
(FAR), as the instrument's control ``vary`` asks for.
"""

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from sidlive.chip.registers import VOICES
from sidlive.errors import ModelError
from sidlive.model.composer import memory as mm
from sidlive.model.composer.events import (
    INSTRUMENT,
    INSTRUMENTS,
    LENGTH,
    LONGEST_GATE,
    LONGEST_WAIT,
    PITCH,
    REST,
    UNTUNED,
    VOICE,
    WAIT,
    Events,
    events_of,
    onsets_of,
)
from sidlive.model.composer.inputs import SUGGESTIONS
from sidlive.model.corpus.shards import Corpus, open_corpus
from sidlive.model.training.composer_network import NoteBatch
from sidlive.tune.score.extract import score_of

LANGUAGE: Final = 1  # version of the events and of what is kept of them
FREE, FAR = 0, 1  # variants of the suggestions
FAR_FRAMES: Final = 400  # lags below this count for less in FAR ...
FAR_WEIGHT: Final = 0.2  # ... by this factor
HIGHEST_SHIFT: Final = 6  # semitones of transposition, up or down
LONGEST_TICK: Final = 12  # frames of the longest tick that is looked for
ON_TICK: Final = 0.9  # share of the waits that must be whole ticks
KEPT: Final = {"events": np.uint8, "onsets": np.int32, "contexts": np.uint8}  # per rotation
KEPT_VARIANTS: Final = {"suggested": np.uint8, "strengths": np.uint8, "lags": np.uint16}  # per rotation and variant


def rotated(events: Events, turns: int) -> Events:
    """Return events with their voices rotated by ``turns``, in order again."""
    note = events[:, VOICE] < REST
    turned = events.copy()
    turned[note, VOICE] = (events[note, VOICE] + turns) % VOICES
    onsets = onsets_of(events)
    # Within a frame the first event carries the wait; a rest comes before the notes of its frame.
    order = np.lexsort((np.where(note, turned[:, VOICE], -1), onsets))
    turned = turned[order]
    turned[:, 0] = np.diff(onsets[order], prepend=0)
    return turned


def _prepare(folder: str, number: int) -> list[dict[str, NDArray[Any]]]:
    """Return the kept arrays of a song of the corpus in ``folder``, one dictionary for each rotation."""
    corpus = _corpus_of(folder)
    events = events_of(score_of(np.array(corpus.frames(corpus.tunes[number]))))
    prepared = []
    for turns in range(VOICES):
        turned = rotated(events, turns)
        variants = mm.annotate(turned, ((0, 1.0), (FAR_FRAMES, FAR_WEIGHT)))  # FREE and FAR
        arrays: dict[str, NDArray[Any]] = {"events": turned, "onsets": onsets_of(turned)}
        arrays["contexts"] = variants[FREE].contexts
        for variant, annotations in enumerate(variants):
            arrays |= {f"{name}{variant}": getattr(annotations, name) for name in KEPT_VARIANTS}
        prepared.append(arrays)
    return prepared


_opened: dict[str, Corpus] = {}


def _corpus_of(folder: str) -> Corpus:
    """Return the opened corpus, once per process."""
    if folder not in _opened:
        _opened[folder] = open_corpus(folder)
    return _opened[folder]


def prepare_notes(
    corpus: Corpus, workers: int = 1, report_progress: Callable[[int, int], object] = lambda done, total: None
) -> Path:
    """Compute the notes of all songs, unless it was done before; return the folder in which they are kept.

    ``report_progress`` is called with the songs done and the songs in all. Raises ModelError if the disk refuses.
    """
    index = (corpus.folder / "index.json").read_bytes()
    digest = hashlib.blake2b(index + f"notes {LANGUAGE} {mm.WINDOW}".encode(), digest_size=8).hexdigest()
    folder = corpus.folder / f"notes-{digest}"
    if (folder / "songs.json").exists():
        return folder
    try:
        folder.mkdir(exist_ok=True)
        names = [*KEPT, *(f"{name}{variant}" for name in KEPT_VARIANTS for variant in (FREE, FAR))]
        files = {(name, turns): (folder / f"{name}-{turns}.bin").open("wb") for name in names for turns in range(3)}
        counts = []
        with ProcessPoolExecutor(workers) as pool:
            jobs = pool.map(_prepare, [str(corpus.folder)] * len(corpus.tunes), range(len(corpus.tunes)), chunksize=8)
            for done, prepared in enumerate(jobs):
                counts.append(len(prepared[0]["events"]))
                for turns, arrays in enumerate(prepared):
                    for name, array in arrays.items():
                        kind = KEPT.get(name) or KEPT_VARIANTS[name[:-1]]
                        files[name, turns].write(np.ascontiguousarray(array, dtype=kind).data)
                report_progress(done + 1, len(corpus.tunes))
        for file in files.values():
            file.close()
        partial = folder / "songs.partial"
        partial.write_text(json.dumps(counts), encoding="utf-8")
        os.replace(partial, folder / "songs.json")
    except OSError as error:
        raise ModelError(f"cannot write {folder} ({error}); free some space and run the command again") from error
    return folder


@dataclass(frozen=True)
class NotePlan:
    """How windows of notes are drawn for training."""

    batch: int = 8  # windows a step
    length: int = 512  # events a window
    limited: float = 0.5  # share of windows that know nothing of the music before them, like a prompt
    far: float = 0.5  # share of windows whose suggestions are FAR
    missed: float = 0.4  # largest share of suggestions left out, in half of the windows
    stretched: float = 0.5  # share of windows that are played at another tempo, where they have ticks of equal length
    seed: int = 0


class NoteWindows:
    """A source of windows: random places in the songs of a split, transposed and with voices rotated at random."""

    def __init__(self, corpus: Corpus, folder: Path, splits: tuple[str, ...], shortest: int = 64) -> None:
        counts = np.array(json.loads((folder / "songs.json").read_text(encoding="utf-8")))
        self.starts = np.cumsum(counts) - counts
        self.counts = counts
        mine = [tune.split in splits for tune in corpus.tunes]
        self.songs = np.flatnonzero(np.array(mine) & (counts >= shortest))
        if not len(self.songs):
            raise ModelError(f"{corpus.folder} has no song with {shortest} notes: build it from more .sid files")
        self._kept: dict[str, list[NDArray[Any]]] = {}
        shapes = {"events": (7,), "onsets": (), "contexts": (mm.CONTEXTS,)}
        shapes |= {f"suggested{v}": (SUGGESTIONS, 7) for v in (FREE, FAR)}
        shapes |= {f"{name}{v}": (SUGGESTIONS,) for v in (FREE, FAR) for name in ("strengths", "lags")}
        for name, shape in shapes.items():
            kind = KEPT.get(name) or KEPT_VARIANTS[name[:-1]]
            self._kept[name] = [
                np.memmap(folder / f"{name}-{turns}.bin", kind, "r", shape=(int(counts.sum()), *shape))
                for turns in range(VOICES)
            ]

    @property
    def events(self) -> int:
        """Number of events in the songs."""
        return int(self.counts[self.songs].sum())

    def batch(self, plan: NotePlan, step: int) -> NoteBatch:
        """Draw the windows of a step. They depend on (plan.seed, step) alone."""
        rng = np.random.default_rng([plan.seed, step])
        weights = self.counts[self.songs] / self.counts[self.songs].sum()
        windows = []
        for song in rng.choice(self.songs, plan.batch, p=weights):
            length = min(plan.length, int(self.counts[song]))
            start = int(rng.integers(self.counts[song] - length + 1))
            if rng.random() < 0.1:
                start = 0
            variant = FAR if rng.random() < plan.far else FREE
            window = self._cut(int(song), start, length, int(rng.integers(VOICES)), variant)
            if rng.random() < plan.limited:
                _limit(window)
            early = 0 if rng.random() < 0.6 else int(rng.integers(600))
            self._number(window, int(song), start, early)
            transpose(window, int(rng.integers(-HIGHEST_SHIFT, HIGHEST_SHIFT + 1)))
            share = plan.missed * max(0.0, 2 * rng.random() - 1)
            window["suggested"][rng.random(window["lags"].shape) < share] = mm.NOTHING
            if rng.random() < plan.stretched and (tick := tick_of(window["events"])):
                stretch(window, tick, int(rng.integers(-(-2 * tick // 3), 3 * tick // 2 + 1)))
            windows.append(window)
        return stack(windows, plan.length)

    def excerpts(self, chosen: Sequence[tuple[int, int]], length: int, seed: int) -> NoteBatch:
        """Return a window of each of some songs that knows nothing of the music before it, transposed at random.

        ``chosen``: songs, each with the number of the excerpt. An excerpt depends on these two and ``seed`` alone. The
        songs have ``length`` events or more.
        """
        windows = []
        for song, number in chosen:
            rng = np.random.default_rng([seed, number, song])
            start = int(rng.integers(self.counts[song] - length + 1))
            window = self._cut(song, start, length, int(rng.integers(VOICES)), FAR)
            _limit(window)
            self._number(window, song, start, 0)
            transpose(window, int(rng.integers(-HIGHEST_SHIFT, HIGHEST_SHIFT + 1)))
            windows.append(window)
        return stack(windows, length)

    def held_out(self, count: int, length: int = 512) -> list[NoteBatch]:
        """Return windows to measure by, one a song, from its beginning; the same at each call."""
        songs = np.random.default_rng(1).permutation(self.songs)[:count]
        batches = []
        for first in range(0, len(songs), 8):
            windows = []
            for song in songs[first : first + 8]:
                window = self._cut(int(song), 0, min(length, int(self.counts[song])), 0, FREE)
                self._number(window, int(song), 0, 0)
                windows.append(window)
            batches.append(stack(windows, length))
        return batches

    def _cut(self, song: int, start: int, length: int, turns: int, variant: int) -> dict[str, Any]:
        """Return a window of a song as arrays that may be changed."""
        part = slice(int(self.starts[song]) + start, int(self.starts[song]) + start + length)
        window: dict[str, Any] = {name: self._kept[name][turns][part].astype(np.int64) for name in KEPT}
        for name in KEPT_VARIANTS:
            window[name] = self._kept[f"{name}{variant}"][turns][part].astype(np.int64)
        window["turns"] = turns
        return window

    def _number(self, window: dict[str, Any], song: int, start: int, early: int) -> None:
        """Number instruments by their first notes, counted from ``early`` events before the window."""
        first = int(self.starts[song]) + max(0, start - early)
        last = int(self.starts[song]) + start + len(window["events"])
        seen = self._kept["events"][window["turns"]][first:last]
        seen = seen[seen[:, VOICE] < REST, INSTRUMENT]
        names, places = np.unique(seen, return_index=True)
        table = np.full(256, mm.NOTHING)
        table[names[np.argsort(places)]] = np.arange(len(names))
        events, contexts = window["events"], window["contexts"]
        note = events[:, VOICE] < REST
        events[note, INSTRUMENT] = table[events[note, INSTRUMENT]]
        own = table[contexts[:, mm.OWN_INSTRUMENT]]
        contexts[:, mm.OWN_INSTRUMENT] = np.where(own == mm.NOTHING, INSTRUMENTS, own)
        window["suggested"][..., INSTRUMENT] = table[window["suggested"][..., INSTRUMENT]]


def _limit(window: dict[str, Any]) -> None:
    """Take away from a window all that comes from the music before it."""
    events, contexts, onsets = window["events"], window["contexts"], window["onsets"]
    window["suggested"][window["lags"] > (onsets - onsets[0])[:, None]] = mm.NOTHING
    voice, place = events[:, VOICE], np.arange(len(events))

    def first(found: NDArray[np.bool_]) -> int:
        return int(np.argmax(found)) if found.any() else len(events)

    begun = np.array([first(voice == v) for v in range(VOICES)])
    tuned = np.array([first((voice == v) & (events[:, PITCH] < UNTUNED)) for v in range(VOICES)])
    for v in range(VOICES):
        contexts[place <= begun[v], mm.AGE + v] = 95
    note = voice < REST
    own = np.where(note, voice, 0)
    fresh = note & (place <= begun[own])
    contexts[fresh, mm.OWN_INSTRUMENT], contexts[fresh, mm.GAP] = mm.NO_INSTRUMENT, 95
    for column, turn in ((mm.OWN_PITCH, 0), (mm.NEXT_PITCH, 1), (mm.PREVIOUS_PITCH, 2)):
        contexts[note & (place <= tuned[(own + turn) % VOICES]), column] = mm.NO_PITCH


def transpose(window: dict[str, Any], semitones: int) -> None:
    """Transpose a window, if all its pitches stay in range."""
    events, contexts, suggested = window["events"], window["contexts"], window["suggested"]
    tuned = (events[:, VOICE] < REST) & (events[:, PITCH] < UNTUNED)
    parts = [events[tuned, PITCH], suggested[..., PITCH], contexts[:, mm.OWN_PITCH : mm.PREVIOUS_PITCH + 1]]
    pitches = np.concatenate([part[part < UNTUNED].ravel() for part in parts])
    if not len(pitches) or not 0 <= pitches.min() + semitones <= pitches.max() + semitones < UNTUNED:
        return
    events[tuned, PITCH] += semitones
    suggested[..., PITCH] += semitones * (suggested[..., PITCH] < UNTUNED)
    pitches_before = contexts[:, mm.OWN_PITCH : mm.PREVIOUS_PITCH + 1]
    pitches_before += semitones * (pitches_before < UNTUNED)


def tick_of(events: NDArray[np.int64]) -> int:
    """Return the longest tick, 2 to LONGEST_TICK frames, of which nearly all waits of a window are multiples.

    0 if there is none, or if the window has rests.
    """
    waits = events[1:, WAIT]
    waits = waits[waits > 0]
    if not len(waits) or (events[:, VOICE] == REST).any():
        return 0
    ticks = [tick for tick in range(LONGEST_TICK, 1, -1) if (waits % tick == 0).mean() >= ON_TICK]
    return ticks[0] if ticks else 0


def stretch(window: dict[str, Any], tick: int, to: int) -> None:
    """Play a window at another tempo: its ticks of ``tick`` frames last ``to`` frames, unless a wait becomes too long.

    Times within a tick stay as they are, up to the tick's new length. Gates keep their distance from the nearest tick.
    """
    events, contexts, suggested = window["events"], window["contexts"], window["suggested"]

    def moved(frames: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return new waits or ages; LONGEST_WAIT, which stands for any longer time, stays."""
        new = frames // tick * to + np.minimum(frames % tick, to - 1)
        return np.where(frames < LONGEST_WAIT, np.minimum(new, LONGEST_WAIT), frames)

    def gates(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return new LENGTH fields."""
        ticks = (lengths - 1 + tick // 2) // tick
        new = np.clip(lengths + ticks * (to - tick), 1, LONGEST_GATE + 1)
        return np.where((lengths > 0) & (lengths <= LONGEST_GATE), new, lengths)

    waits = moved(events[:, WAIT])
    if (waits >= LONGEST_WAIT).any():
        return
    events[:, WAIT], events[:, LENGTH] = waits, gates(events[:, LENGTH])
    window["onsets"] = window["onsets"][0] + np.cumsum(np.concatenate([[0], waits[1:]]))
    for column in (*range(mm.AGE, mm.AGE + VOICES), mm.GAP):
        contexts[:, column] = moved(contexts[:, column])
    suggested[..., WAIT] = moved(suggested[..., WAIT])
    suggested[..., LENGTH] = gates(suggested[..., LENGTH])


def stack(windows: list[dict[str, Any]], length: int) -> NoteBatch:
    """Stack windows, padded to ``length`` with rests, which cost little and are few."""
    parts: dict[str, list[NDArray[np.int64]]] = {name: [] for name in NoteBatch._fields}
    for window in windows:
        lack = length - len(window["events"])
        for name in parts:
            array = window[name]
            padded = np.concatenate([array, np.zeros((lack, *array.shape[1:]), np.int64)])
            if lack and name == "events":
                padded[-lack:, VOICE] = REST
            elif lack and name == "suggested":
                padded[-lack:] = mm.NOTHING
            elif lack and name == "onsets":
                padded[-lack:] = array[-1] if len(array) else 0
            parts[name].append(padded)
    return NoteBatch(*(torch.from_numpy(np.stack(each)) for each in parts.values()))
