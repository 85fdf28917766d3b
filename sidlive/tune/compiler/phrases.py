"""The cheapest tokens of all streams together: music repeats itself, so tokens call tokens that stand elsewhere.

What may be called must itself be spelt out, not called. So a first pass goes through the streams and lets each call
what was spelt out before, if that saves enough; then the whole is searched again with the tokens that somebody calls
pinned where they are, and everything else free, as often as that pays. Last, frames in which too many streams begin
something are relieved: the player's cycles there get a price, and the search moves what it can.

A solution is an int64[n, 5] a stream, a row a token: its first frame, op, frames it lasts, argument, tokens it calls.
A call's argument is a place: the number of a stream (from bit 32 up) and the first frame of the token it begins with.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.tune.compiler import cycles, search
from sidlive.tune.compiler.cycles import CALL, Cycles
from sidlive.tune.compiler.search import BYTE, CALL_PRICE, COPY_MOST, Facts, Phrases

CHUNK: Final = 1024  # frames whose tokens are found before they can be called
RELUCTANCE: Final = 7  # bytes that a call must save in the first pass: what is called cannot be called itself
ROUNDS: Final = 2
MOST_CYCLES: Final = 1560  # of a frame, as cycles.py counts them
RELIEFS: Final = 9  # searches to empty crowded frames: around them,
THOROUGH_RELIEFS: Final = (3, 5)  # but in these everywhere, and even what is called may move
REACH: Final = 400  # frames on either side of a crowded one

Tokens = NDArray[np.int64]  # [n, 5]
Places = NDArray[np.int64]  # [J]


def place_of(stream: int, frame: int) -> int:
    """Where a token stands, as a call names it."""
    return stream << 32 | frame


def solve(parts: list[Facts]) -> list[Tokens]:
    """Tokens for all streams: few bytes, and where it can be had no frame of more than MOST_CYCLES.

    The time it takes grows with the frames times the tokens found.
    """
    haste = np.zeros(max(len(facts.value) for facts in parts) + 1, np.int32)
    haste[0] = 1  # when all streams begin
    solution = _first_pass(parts, haste)
    for _ in range(ROUNDS):
        solution = _searched_again(parts, solution, haste, np.zeros(0, np.int64))
    for number in range(RELIEFS):
        crowded = np.flatnonzero(_total(load(parts, solution)) > MOST_CYCLES)
        if not len(crowded):
            break
        haste[crowded] = np.maximum(2 * haste[crowded], 1)
        search = _searched_again if number in THOROUGH_RELIEFS else _searched_around
        solution = search(parts, solution, haste, crowded)
    return solution


def spelt_out(facts: Facts) -> Tokens:
    """The cheapest tokens for one stream without any call."""
    count = len(facts.value)
    nothing = np.zeros((count, 3), np.int64)
    tokens: Tokens
    tokens, _ = search.cheapest(facts, 0, count, 0, _phrases([])[0], nothing, np.zeros(count + 1, np.int32), 0)
    return tokens


def load(parts: list[Facts], solution: list[Tokens]) -> list[Cycles]:
    """The cycles that each stream takes in each of its frames, int64[T]."""
    return [_stream_load(facts, _followed(tokens, solution)) for facts, tokens in zip(parts, solution, strict=True)]


def _total(loads: list[Cycles]) -> Cycles:
    """The player's cycles in each frame."""
    total = np.full(max(len(taken) for taken in loads), cycles.FRAME, np.int64)
    for taken in loads:
        total[: len(taken)] += taken
    return total


def _first_pass(parts: list[Facts], haste: NDArray[np.int32]) -> list[Tokens]:
    """Tokens of one stream after another, CHUNK frames at a time, that call what was spelt out before them.

    A call lasts no longer than what is searched at a time. So where all of that costs less than a call must save there
    is no call to be found, and tokens too cheap to be missed in so many frames need not be tried.
    """
    reluctance, nothing = RELUCTANCE * BYTE, _phrases([])[0]
    least = CALL_PRICE + reluctance

    def worth(stream: int, tokens: Tokens) -> tuple[int, Tokens]:
        return stream, tokens[search.worth_calling(parts[stream].kind, tokens, CHUNK + COPY_MOST, least)]

    solution: list[Tokens] = []
    for stream, facts in enumerate(parts):
        count = len(facts.value)
        free = np.zeros((count, 3), np.int64)
        alike = [worth(number, tokens) for number, tokens in enumerate(solution) if parts[number].kind == facts.kind]
        tokens = np.zeros((0, 5), np.int64)
        frame = 0
        while frame < count:
            stop = min(frame + CHUNK, count)
            found, price = search.cheapest(facts, frame, stop, COPY_MOST, nothing, free, haste, reluctance)
            if price > least:
                phrases, places = _phrases([*alike, worth(stream, tokens)])
                found, _ = search.cheapest(facts, frame, stop, COPY_MOST, phrases, free, haste, reluctance)
                found = _placed(found, places)
            tokens = np.concatenate([tokens, found])
            frame = int(tokens[-1, 0] + tokens[-1, 2])
        solution.append(tokens)
    return solution


def _searched_again(
    parts: list[Facts], solution: list[Tokens], haste: NDArray[np.int32], loose: NDArray[np.int64]
) -> list[Tokens]:
    """A solution that costs as much at most. What is called stays, but in the ``loose`` frames; the rest may change."""
    kept = [
        tokens[called & ~np.isin(tokens[:, 0], loose)]
        for tokens, called in zip(solution, _called(solution), strict=True)
    ]
    table = _phrases_by_kind(parts, kept)
    better: list[Tokens] = []
    for facts, own in zip(parts, kept, strict=True):
        phrases, places = table[facts.kind]
        count = len(facts.value)
        found, _ = search.cheapest(facts, 0, count, 0, phrases, _pinned(facts, own), haste, 0)
        better.append(_placed(found, places))
    return better


def _searched_around(
    parts: list[Facts], solution: list[Tokens], haste: NDArray[np.int32], frames: NDArray[np.int64]
) -> list[Tokens]:
    """A solution that costs as much at most and differs only around some frames. What is called stays."""
    kept = [tokens[called] for tokens, called in zip(solution, _called(solution), strict=True)]
    table = _phrases_by_kind(parts, kept)
    gaps = np.flatnonzero(np.diff(frames) > 2 * REACH)
    spans = np.stack([frames[np.append(0, gaps + 1)] - REACH, frames[np.append(gaps, len(frames) - 1)] + REACH], 1)
    better: list[Tokens] = []
    for facts, own, tokens in zip(parts, kept, solution, strict=True):
        phrases, places = table[facts.kind]
        pinned = _pinned(facts, own)
        for start, stop in spans.tolist():
            first = max(int(np.searchsorted(tokens[:, 0], start, "right")) - 1, 0)
            past = int(np.searchsorted(tokens[:, 0], stop))
            end = int(tokens[past, 0]) if past < len(tokens) else len(facts.value)
            if first < past:
                found, _ = search.cheapest(facts, int(tokens[first, 0]), end, 0, phrases, pinned, haste, 0)
                tokens = np.concatenate([tokens[:first], _placed(found, places), tokens[past:]])
        better.append(tokens)
    return better


def _phrases_by_kind(parts: list[Facts], kept: list[Tokens]) -> dict[int, tuple[Phrases, Places]]:
    return {
        kind: _phrases([(s, rows) for s, rows in enumerate(kept) if parts[s].kind == kind])
        for kind in {facts.kind for facts in parts}
    }


def _pinned(facts: Facts, tokens: Tokens) -> NDArray[np.int64]:
    """Tokens that must stand as they are, as the search wants them."""
    pinned = np.zeros((len(facts.value), 3), np.int64)
    pinned[tokens[:, 0]] = tokens[:, 1:4]
    return pinned


def _called(solution: list[Tokens]) -> list[NDArray[np.bool_]]:
    """Of each stream's tokens, which are taken by some call."""
    masks = [np.zeros(len(tokens), np.bool_) for tokens in solution]
    for tokens in solution:
        for place, number in tokens[tokens[:, 1] == CALL][:, 3:]:
            stream, index = _found(solution, place)
            masks[stream][index : index + number] = True
    return masks


def _found(solution: list[Tokens], place: int) -> tuple[int, int]:
    """The stream and the index of the token at a place."""
    stream, frame = int(place >> 32), int(place & 0xFFFFFFFF)
    return stream, int(np.searchsorted(solution[stream][:, 0], frame))


def _phrases(streams: list[tuple[int, Tokens]]) -> tuple[Phrases, Places]:
    """The tokens that calls may take, calls left out, and where they stand."""
    rows, last, places = [np.zeros((0, 5), np.int64)], [np.zeros(0, np.bool_)], [np.zeros(0, np.int64)]
    for stream, tokens in streams:
        follows = np.zeros(len(tokens), np.bool_)
        plain = tokens[:, 1] != CALL
        follows[:-1] = plain[1:] & (tokens[1:, 0] == tokens[:-1, 0] + tokens[:-1, 2])
        rows.append(tokens[plain])
        last.append(~follows[plain])
        places.append(place_of(stream, 0) | tokens[plain, 0])
    table = np.concatenate(rows)
    phrases = search.phrases(table[:, 1], table[:, 2], table[:, 3], np.concatenate(last))
    return phrases, np.concatenate(places)


def _placed(tokens: Tokens, places: Places) -> Tokens:
    """Tokens whose calls name places instead of phrases."""
    calls = tokens[:, 1] == CALL
    tokens[calls, 3] = places[tokens[calls, 3]]
    return tokens


def _followed(tokens: Tokens, solution: list[Tokens]) -> Tokens:
    """The tokens as the player takes them, those of the calls too; the last column: cycles on top of a token's own."""
    parts = []
    back = 0
    for row in tokens:
        if row[1] == CALL:
            stream, index = _found(solution, row[3])
            taken = solution[stream][index : index + row[4]].copy()
            taken[:, 0] = row[0] + np.cumsum(taken[:, 2]) - taken[:, 2]
            taken[:, 4] = 0
            taken[0, 4] = cycles.CALLING + back
            back = cycles.RETURNING
            parts.append(taken)
        else:
            taken = row[None].copy()
            taken[0, 4] = back
            back = 0
            parts.append(taken)
    return np.concatenate(parts)


def _stream_load(facts: Facts, tokens: Tokens) -> Cycles:
    taken = np.repeat([cycles.at_rest(facts.kind, facts.bits, op) for op in tokens[:, 1].tolist()], tokens[:, 2])
    begins = [cycles.beginning(facts.kind, facts.bits, op, arg) for op, arg in tokens[:, [1, 3]].tolist()]
    taken[tokens[:, 0]] = tokens[:, 4] + begins
    if facts.end[0] < len(taken):
        taken[facts.end[0]] += cycles.JUMPING  # the seam, when the stream begins again there
    return taken
