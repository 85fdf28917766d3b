"""Estimate the beat of music: its length, the beats of a bar, and the downbeat. Reads scores, knows no files.

Music repeats at its bar. For each lag the *likeness* says how many notes have a like note that much later: a note of
the same voice, instrument and pitch, of the same voice and instrument, or any note. A beat is good if its bar is a lag
of high likeness, and if notes start on its quarters and not between them. The downbeat is the place in the bar at which
the longest notes begin, bass notes change and voices start together.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import VOICES, Frames
from sidlive.tune.score.notes import ATTACK, UNPITCHED, Score

# file: a file says so. log: an old log says so, in whole frames. estimate: found in the music. default: neither.
BeatSource = Literal["file", "log", "estimate", "default"]

UNKNOWN_BEAT: Final = 24.0  # frames: 125 beats a minute on PAL, the most common tempo (6 frames a row, 4 rows a beat)
BEATS_A_BAR: Final = 4  # where nothing is known
SHORTEST_BEAT_S: Final = 0.24  # 250 beats a minute
LONGEST_BEAT_S: Final = 1.0  # 60 beats a minute
USUAL_BEAT_S: Final = 0.48  # 125 beats a minute, preferred of several octaves of a tempo
MOST_FRAMES: Final = 1000.0  # longest beat that a file may state
MOST_BEATS: Final = 32  # beats of the longest bar
FEWEST_NOTES: Final = 8  # notes needed for an estimate

# The weights were fitted to the shipped fragments and to tunes of the training corpus.
_EXACT, _SOUND, _RHYTHM = 0.35, 0.25, 0.6  # likeness: same pitch, same instrument, any note
_BARS: Final = ((1, 1.8), (2, 3.2), (4, 0.6))  # number of bars, and the weight of the likeness at that lag
_BEATS: Final = 0.5  # weight of the likeness at 1, 2 and 3 beats
_GRID: Final = 1.5  # weight of notes on the quarters of the beat, not between them
_BACKBEAT: Final = 1.0  # weight of two drums that take turns from beat to beat
_FLOOR: Final = 0.3  # added to each score before the preference for usual tempos
_SPREAD: Final = 0.8  # octaves: standard deviation of that preference
_STEP: Final = 0.25  # frames between two candidates for the beat
_FINE: Final = 0.02  # frames: precision of a beat
_LONGEST_LAG_S: Final = 8.2  # two bars of the slowest beat
_NEAR: Final = 0.02  # likeness that a note one frame early or late loses
_WHOLE: Final = 0.98  # a whole number of frames is chosen if it reaches this share of the best score


@dataclass(frozen=True)
class Beat:
    """The beat of a piece of music."""

    frames: float = UNKNOWN_BEAT  # length of a beat
    bar: int = BEATS_A_BAR  # beats of a bar
    downbeat: float = 0.0  # frame of a first beat of a bar, 0 <= downbeat < bar length
    source: BeatSource = "default"
    confidence: float = 0.0  # 0 to 1: the estimated probability that the bar is right, or half or double of that

    @property
    def bar_frames(self) -> float:
        """Length of a bar in frames."""
        return self.frames * self.bar

    @property
    def whole_frames(self) -> int:
        """Length of a beat in whole frames, at least 1."""
        return max(1, round(self.frames))

    def scaled(self, ratio: float) -> "Beat":
        """Return the beat of the same music at ``ratio`` times as many frames per second."""
        frames = self.frames * ratio
        if self.source == "log":  # as when the log was written
            frames = max(1.0, float(round(frames)))
        return replace(self, frames=frames, downbeat=self.downbeat * ratio)

    def part(self, first: int) -> "Beat":
        """Return the beat of the music from frame ``first`` on."""
        return replace(self, downbeat=(self.downbeat - first) % self.bar_frames)


UNKNOWN: Final = Beat()


def beat_of(frames: Frames, rate_hz: float, begins: bool = False) -> Beat:
    """Estimate the beat of ``frames uint8[T, 28]`` at ``rate_hz``; 20 s are enough. Takes milliseconds.

    ``begins``: the music begins with these frames, so its first note probably starts a bar. With fewer than eight
    notes, or music shorter than two of the shortest beats, the result is `UNKNOWN`.
    """
    from sidlive.tune.score.extract import score_of  # loads numba

    return beat_of_score(score_of(frames), rate_hz, begins)


def beat_of_score(score: Score, rate_hz: float, begins: bool = False) -> Beat:
    """Estimate the beat of a score; the arguments and the result are those of `beat_of`."""
    most = min(int(_LONGEST_LAG_S * rate_hz), score.frames * 2 // 3)
    if len(score) < FEWEST_NOTES or most < 2 * SHORTEST_BEAT_S * rate_hz:
        return UNKNOWN
    likeness = _Likeness(score, most, rate_hz)
    beats = np.arange(math.ceil(SHORTEST_BEAT_S * rate_hz), LONGEST_BEAT_S * rate_hz, _STEP)
    best, coarse, bar = max(_best(likeness, beats, bar, rate_hz) for bar in (BEATS_A_BAR, 3))
    beat = _refined(likeness, coarse, bar)
    return Beat(beat, bar, _downbeat(score, beat, bar, begins), "estimate", _confidence(best))


def beat_to_meta(beat: Beat) -> dict[str, str]:
    """Return the texts that a file of frames keeps about its beat. Inverse: `beat_from_meta`."""
    texts = {"beat_frames": f"{beat.frames:.10g}", "bar_beats": str(beat.bar)}
    return texts | ({"downbeat": f"{beat.downbeat:.10g}"} if beat.downbeat else {})


def beat_from_meta(meta: Mapping[str, str]) -> Beat | None:
    """Return the beat in the texts of a file of frames, None if it holds none. Inverse: `beat_to_meta`."""
    try:
        frames, bar = float(meta.get("beat_frames", "")), int(meta.get("bar_beats", BEATS_A_BAR))
        downbeat = float(meta.get("downbeat", 0))
    except ValueError:
        return None
    if not (1 <= frames <= MOST_FRAMES and 1 <= bar <= MOST_BEATS and math.isfinite(downbeat)):
        return None
    return Beat(frames, bar, downbeat % (frames * bar), "file", 1.0)


def _confidence(best: float) -> float:
    """Return the share of tunes of the training corpus whose bar was found with a score like ``best``."""
    return round(float(np.interp(best, (0.5, 1.5, 2.2), (0.3, 0.75, 0.95))), 2)


def _best(likeness: "_Likeness", beats: NDArray[np.float64], bar: int, rate_hz: float) -> tuple[float, float, int]:
    """Return the highest score of the candidates ``float64[n]``, the beat that has it, and ``bar``."""
    total, weights = np.zeros_like(beats), np.zeros_like(beats)
    for count, weight in _BARS:
        fits = count * bar * beats <= likeness.most
        total += np.where(fits, weight * likeness.near(count * bar * beats), 0.0)
        weights += np.where(fits, weight, 0.0)
    bars = total / np.maximum(weights, 1e-9)
    pulse = sum(likeness.near(count * beats) for count in (1, 2, 3)) / 3
    usual = np.exp(-0.5 * (np.log2(beats / rate_hz / USUAL_BEAT_S) / _SPREAD) ** 2)
    backbeat = likeness.backbeat(beats)
    grid = np.maximum(likeness.grid(beats / 4), backbeat * likeness.grid(beats / 2))
    scores = (bars + _BEATS * pulse + _GRID * grid + _BACKBEAT * backbeat + _FLOOR) * usual
    at = int(np.argmax(scores))
    return float(scores[at]), float(beats[at]), bar


def _refined(likeness: "_Likeness", coarse: float, bar: int) -> float:
    """Return the beat near ``coarse`` at whose multiples, up to the longest lag, the likeness is highest."""
    fine = coarse + np.arange(-_STEP, _STEP + _FINE / 2, _FINE)
    whole = np.rint(coarse * 4) / 4 + np.arange(-1, 2) / 4  # whole numbers of frames for the bar or for half of it
    beats = np.concatenate([whole, fine])
    counts = np.arange(1, int(likeness.most / beats.max()) + 1)
    weights = np.where(counts % bar == 0, 2.0, 1.0)
    scores = (likeness.between(counts[:, None] * beats) * weights[:, None]).sum(axis=0)
    nearest = scores[: len(whole)]
    at = int(np.argmax(nearest)) if nearest.max() >= _WHOLE * scores.max() else int(np.argmax(scores))
    return float(round(beats[at], 3))


class _Likeness:
    """The likeness of a score with itself at each lag from 0 to ``most`` frames."""

    def __init__(self, score: Score, most: int, rate_hz: float) -> None:
        self.most = most
        window = int(rate_hz) | 1
        sound = np.stack([score.voice, score.instrument])
        exact = _repeats(score, np.concatenate([sound, score.pitch[None]]), most)
        rhythm = _repeats(score, np.zeros((1, len(score)), dtype=np.int16), most)
        flat_rhythm = _flattened(rhythm, window)
        self._whole = _EXACT * exact + _SOUND * _flattened(_repeats(score, sound, most), window) + _RHYTHM * flat_rhythm
        drums = score.has(UNPITCHED)
        self._same_drum = _repeats(score, sound, most, drums)
        self._any_drum = _repeats(score, np.zeros((1, len(score)), dtype=np.int16), most, drums)
        beside = np.maximum(np.roll(self._whole, 1), np.roll(self._whole, -1)) - _NEAR
        self._near = np.maximum(self._whole, beside)
        self._rhythm = rhythm
        self._rhythm[0] = rhythm[1]  # lag 0 is no repetition
        self._grid_most = max(float(self._on_grid(np.arange(3, 14, 0.125)).max()), 0.05)

    def near(self, lags: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the likeness at lags of any shape; a note may be a frame early or late."""
        return self._near[np.minimum(np.rint(lags).astype(int), self.most)]

    def between(self, lags: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the likeness at lags of any shape, interpolated between whole frames."""
        found: NDArray[np.float64] = np.interp(lags.ravel(), np.arange(self.most + 1), self._whole).reshape(lags.shape)
        return found

    def grid(self, steps: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how far notes lie on multiples of ``steps float64[n]`` and not between them, 0 to 1."""
        return np.square(np.clip(self._on_grid(steps) / self._grid_most, 0.0, 1.0))

    def backbeat(self, beats: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how far a drum follows each drum a beat later, the same one only two beats later: 0 to 1."""
        one, two = (np.minimum(np.rint(count * beats).astype(int), self.most) for count in (1, 2))
        turns = self._same_drum[two] - self._same_drum[one]
        return np.clip(turns, 0.0, 1.0) * np.clip(self._any_drum[one], 0.0, 1.0)

    def _on_grid(self, steps: NDArray[np.float64]) -> NDArray[np.float64]:
        counts = np.arange(1, 13)[:, None]
        return (self._either(counts * steps) - self._either((counts - 0.5) * steps)).mean(axis=0)

    def _either(self, lags: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the rhythm's likeness at the whole frame below or above each lag, whichever is higher."""
        below, above = (np.minimum(edge.astype(int), self.most) for edge in (np.floor(lags), np.ceil(lags)))
        return np.maximum(self._rhythm[below], self._rhythm[above])


def _repeats(
    score: Score, keys: NDArray[Any], most: int, chosen: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """Return for each lag to ``most`` the share of notes that have a note of the same key (a column) that much later.

    ``chosen bool[N]``: only these notes count (default: all).
    """
    onset = score.onset if chosen is None else score.onset[chosen]
    unique, kind = np.unique(keys if chosen is None else keys[:, chosen], axis=1, return_inverse=True)
    trains = np.zeros((max(1, unique.shape[1]), score.frames), dtype=np.float32)
    np.add.at(trains, (kind.ravel(), onset), 1.0)
    spectrum = np.fft.rfft(trains, 1 << (score.frames + most).bit_length())
    pairs = np.fft.irfft((spectrum * spectrum.conj()).sum(axis=0))[: most + 1]
    power = np.concatenate([[0.0], np.cumsum(np.square(trains).sum(axis=0))])
    lags = np.arange(most + 1)
    earlier, later = power[score.frames - lags], power[-1] - power[lags]
    shares: NDArray[np.float64] = pairs / np.maximum(np.sqrt(earlier * later), 4.0)
    return shares


def _flattened(likeness: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Return a likeness minus its average over ``window`` lags, which dense music raises everywhere."""
    if len(likeness) <= window // 2:
        return likeness - likeness.mean()
    padded = np.pad(likeness, window // 2, mode="reflect")
    return likeness - np.convolve(padded, np.full(window, 1 / window), "valid")


# The downbeat: weights of what speaks for a place in the bar, and of what speaks for a place in the beat.
_PLACE_IN_BAR: Final = (13.0, 3.0, 0.6, 1.1, 0.7)  # length, bass change, new figure, three voices, new instrument
_PLACE_IN_BEAT: Final = 3.7  # length, at the same place in any beat
_FIRST: Final = 2.0  # bonus for the first note of music that begins here
_SMEAR: Final = 0.6  # share of a note's weight that the frames beside its onset get


def _downbeat(score: Score, beat: float, bar: int, begins: bool) -> float:
    """Return the first frame of a bar."""
    length = beat * bar
    places = round(length)
    place = np.floor(score.onset % length / length * places).astype(int) % places
    signs = _signs(score, length)
    bars = np.zeros((len(signs), places))
    for row, sign in zip(bars, signs, strict=True):
        np.add.at(row, place, sign)
    bars /= np.maximum(bars.sum(axis=1, keepdims=True), 3.0)
    bars += _SMEAR * (np.roll(bars, 1, axis=1) + np.roll(bars, -1, axis=1))
    starts = np.rint(np.arange(places) + np.arange(bar)[:, None] * places / bar).astype(int) % places
    votes = np.array(_PLACE_IN_BAR) @ bars + _PLACE_IN_BEAT * bars[0][starts].mean(axis=0)
    if begins:
        votes[place[0]] += _FIRST
    return float(round(int(np.argmax(votes)) * length / places, 3))


def _signs(score: Score, bar_frames: float) -> NDArray[np.float64]:
    """Return ``float64[5, N]``: how much each note looks like the start of a bar, in the order of _PLACE_IN_BAR."""
    before = np.full(len(score), -1)
    pitched = ~score.has(UNPITCHED)
    middles = []
    for voice in range(VOICES):
        mine = score.of_voice(voice)
        before[mine[1:]] = mine[:-1]
        tones = score.pitch[mine][pitched[mine]]
        middles.append(float(np.median(tones)) if len(tones) > 3 else math.inf)
    follows, previous = before >= 0, np.maximum(before, 0)
    bass = (score.voice == int(np.argmin(middles))) & pitched & follows & (score.pitch != score.pitch[previous])
    repeats = _repeated(score, bar_frames)
    fresh = ~repeats & (score.onset > bar_frames) & follows & repeats[previous]
    together = np.bincount(score.onset[score.has(ATTACK)], minlength=score.frames)[score.onset] == VOICES
    changed = follows & (score.instrument != score.instrument[previous])
    length = np.minimum(score.span, bar_frames) / bar_frames
    return np.stack([length, bass, fresh, together & score.has(ATTACK), changed]).astype(np.float64)


def _repeated(score: Score, lag: float) -> NDArray[np.bool_]:
    """Return ``bool[N]``: whether each note repeats a note ``lag`` frames before it, one frame early or late."""
    sound = (score.voice.astype(np.int64) << 32) + (score.instrument.astype(np.int64) << 16) + score.pitch
    keys = sound * (score.frames + 4) + score.onset
    found = np.zeros(len(score), dtype=bool)
    for slack in (-1, 0, 1):
        earlier = score.onset - round(lag) + slack
        found |= (earlier >= 0) & np.isin(sound * (score.frames + 4) + earlier, keys)
    return found
