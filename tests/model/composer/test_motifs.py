"""The composer's memory, held to a slow and obvious implementation of the rules in its docstring."""

from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sidlive.model.composer import memory as mm
from sidlive.model.composer.events import (
    CHORD,
    INSTRUMENT,
    KIND,
    LONGEST_WAIT,
    PITCH,
    REST,
    UNTUNED,
    VOICE,
    WAIT,
    Events,
    onsets_of,
)


def tune(seed: int, count: int, kinds: int = 3) -> Events:
    """Return random events of few kinds, so that many of them repeat; in the order of a score."""
    rng = np.random.default_rng(seed)
    cells = np.unique(rng.integers(0, 3 * 4 * count, size=count))
    onsets, events = cells // 3, np.zeros((len(cells), 7), np.int16)
    events[:, WAIT], events[:, VOICE] = np.diff(onsets, prepend=0), cells % 3
    events[:, INSTRUMENT] = rng.integers(0, kinds, len(cells))
    events[:, PITCH] = np.where(events[:, INSTRUMENT] == 2, UNTUNED, rng.integers(40, 40 + kinds, len(cells)))
    return events


class Slow:
    """The rules, written for reading: everything is computed again from the list of notes."""

    def __init__(self, events: Events) -> None:
        self.events, self.onsets = events.tolist(), onsets_of(events).tolist()

    def ids(self, before: int) -> tuple[list[dict[int, tuple[int, ...]]], list[dict[int, tuple[int, ...]]]]:
        """Return the exact and the moved ids of the notes below index ``before``, by voice and frame."""
        exact: list[dict[int, tuple[int, ...]]] = [{}, {}, {}]
        moved: list[dict[int, tuple[int, ...]]] = [{}, {}, {}]
        last: list[int | None] = [None] * 3
        for event, onset in list(zip(self.events, self.onsets, strict=True))[:before]:
            voice = event[VOICE]
            if voice == REST:
                continue
            sound, pitch, before_it = (event[KIND], event[INSTRUMENT]), event[PITCH], last[voice]
            interval = -999 if pitch == UNTUNED else -998 if before_it is None else pitch - before_it
            if pitch < UNTUNED:
                last[voice] = pitch
            exact[voice][onset] = (*sound, pitch, event[CHORD])
            moved[voice][onset] = (*sound, interval)
        return exact, moved

    @staticmethod
    def run(ids: dict[int, tuple[int, ...]], lag: int, last_frame: int) -> int:
        """Return the run of a lag after ``last_frame``."""
        run = 0
        for frame in range(lag, last_frame + 1):
            now, past = ids.get(frame), ids.get(frame - lag)
            if now is not None or past is not None:
                run = min(run + 1, mm.LONGEST) if now == past else run >> 1
        return run

    def next_event(self, k: int) -> list[tuple[list[int], int]]:
        """Return the suggestions for event ``k`` as (fields, lag)."""
        exact, _ = self.ids(k)
        now, voice = self.onsets[k - 1], self.events[k - 1][VOICE]
        done = [now if voice != REST and v <= voice else now - 1 for v in range(3)]  # last frame known of each voice
        notes = [i for i in range(k) if self.events[i][VOICE] != REST]
        found = []
        for lag in range(1, min(mm.WINDOW, now) + 1):
            score = sum(self.run(exact[v], lag, done[v]) for v in range(3))
            after = (now - lag, voice if voice != REST else -1)
            later = [i for i in notes if (self.onsets[i], self.events[i][VOICE]) > after]
            if score and later:
                wait = self.onsets[later[0]] - (now - lag)
                fields = [wait, *self.events[later[0]][VOICE:]]
                found.append((score, lag, fields))
        found.sort(key=lambda one: (one[0], one[1]), reverse=True)
        chosen = found[:1] + [one for one in found if one[2] != found[0][2]][:1]
        return [
            ([LONGEST_WAIT, REST] + [mm.NOTHING] * 5 if fields[WAIT] >= LONGEST_WAIT else fields, lag)
            for _, lag, fields in chosen
        ]

    def motif(self, k: int) -> list[tuple[int, int]]:
        """Return the suggested pitches of event ``k`` as (pitch, lag)."""
        _, moved = self.ids(k)
        onset, voice = self.onsets[k], self.events[k][VOICE]
        done = [onset if v < voice else onset - 1 for v in range(3)]
        pitches = [e[PITCH] for e in self.events[:k] if e[VOICE] == voice and e[PITCH] < UNTUNED]
        found = []
        for lag in range(1, min(mm.WINDOW, onset) + 1):
            then = moved[voice].get(onset - lag)
            runs = [self.run(moved[v], lag, done[v]) for v in range(3)]
            score = sum(runs) + (mm.MOVED - 1) * runs[voice]
            if then is not None and score:
                found.append((score, lag, then))
        found.sort(key=lambda one: (one[0], one[1]), reverse=True)
        chosen = found[:1] + [one for one in found if one[2] != found[0][2]][:1]
        result = []
        for _, lag, then in chosen:
            pitch = UNTUNED
            if then[2] == -998:
                pitch = next(e[PITCH] for e, o in zip(self.events, self.onsets, strict=True)
                             if e[VOICE] == voice and o == onset - lag)  # fmt: skip
            elif then[2] > -998:
                pitch = pitches[-1] + then[2]
            result.append((pitch if 0 <= pitch <= UNTUNED else mm.NOTHING, lag))
        return result


def check(events: Events, annotated: mm.Annotations, places: Sequence[int]) -> None:
    slow = Slow(events)
    for k in places:
        expected = slow.next_event(k)
        assert annotated.next_lags[k].tolist() == [lag for _, lag in expected] + [0] * (2 - len(expected))
        for choice, (fields, _) in enumerate(expected):
            assert annotated.next_events[k, choice].tolist() == fields
        pitches = slow.motif(k)
        assert annotated.motif_lags[k].tolist() == [lag for _, lag in pitches] + [0] * (2 - len(pitches))
        assert annotated.motifs[k, : len(pitches), PITCH].tolist() == [pitch for pitch, _ in pitches]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.integers(5, 40))
def test_suggestions_follow_the_rules(seed: int, count: int):
    events = tune(seed, count)
    annotated = mm.annotate(events)[0]
    check(events, annotated, range(1, len(events)))


def test_a_figure_that_returns_higher_is_suggested_at_the_new_pitch():
    figure = [0, 4, 7, 12]
    events = np.zeros((8, 7), np.int16)
    events[:, WAIT] = 6
    events[:, PITCH] = [50 + step for step in figure] + [55 + step for step in figure]
    annotated = mm.annotate(events)[0]
    assert annotated.motifs[7, 0, PITCH] == 55 + 12


def test_contexts_say_how_long_ago_each_voice_began_and_what_it_played():
    events = np.zeros((4, 7), np.int16)
    events[:, WAIT], events[:, VOICE] = [3, 0, 10, 5], [0, 2, 1, 0]
    events[:, INSTRUMENT], events[:, PITCH] = [4, 5, 6, 4], [40, UNTUNED, 60, 41]
    annotated = mm.annotate(events)[0].contexts[3]
    assert annotated[mm.AGE : mm.AGE + 3].tolist() == [10, 0, 10]
    assert annotated[[mm.OWN_PITCH, mm.NEXT_PITCH, mm.PREVIOUS_PITCH]].tolist() == [40, 60, mm.NO_PITCH]
    assert annotated[[mm.OWN_INSTRUMENT, mm.GAP]].tolist() == [4, 15]


def test_near_lags_weigh_less():
    bar = [60, 62, 64, 65]
    pitches = [*bar, 67, 69, *bar, *bar, *bar]  # the last bars repeat at once, the first went on to 67
    events = np.zeros((len(pitches), 7), np.int16)
    events[:, WAIT], events[:, PITCH] = 10, pitches
    near, far = mm.annotate(events, ((0, 1.0), (100, 0.0)))
    assert near.next_lags[-1, 0] <= 80
    assert far.next_lags[-1, 0] >= 100
