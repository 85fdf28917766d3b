"""Finds tokens for all streams of a take together. Music repeats itself, so tokens call tokens that stand elsewhere.

Tokens that are called must not be calls themselves. So a first pass goes through the streams, and each may call tokens
found before, if that saves enough. Then all streams are searched again, several times: tokens that are called stay
where they are, everything else is free. Last come frames in which too many streams start a token: the player's cycles
in these frames get a price, and the search moves tokens away from them.

A solution is an int64[n, 5] for each stream, a row for each token (see `player_tokens`). The argument of a call is a
place: the number of a stream (from bit 32 up) and the first frame of the first token called.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.tune.compiler import cycles, search
from sidlive.tune.compiler.cycles import Cycles
from sidlive.tune.compiler.facts import Facts
from sidlive.tune.compiler.player_tokens import CALL, COPY_MOST
from sidlive.tune.compiler.search import BYTE, CALL_PRICE, Phrases

CHUNK: Final = 1024  # frames searched at a time in the first pass; later ones may call their tokens
CALL_SURCHARGE: Final = 7  # bytes that a call must save in the first pass, since tokens of a call cannot be called
ROUNDS: Final = 2  # searches of all streams after the first pass
MOST_CYCLES: Final = 1560  # cycles of a frame, as cycles.py counts them
RELIEFS: Final = 9  # searches that relieve frames of more cycles, only near these frames
THOROUGH_RELIEFS: Final = (3, 5)  # the reliefs that search all frames, and may move called tokens too
REACH: Final = 400  # frames searched on either side of a frame to relieve

Tokens = NDArray[np.int64]  # [n, 5]
Places = NDArray[np.int64]  # [J]


def place_of(stream: int, frame: int) -> int:
    """Return the place of a token for a call's argument."""
    return stream << 32 | frame


def solve(parts: list[Facts]) -> list[Tokens]:
    """Return tokens for all streams, of few bytes and, if possible, at most MOST_CYCLES in each frame.

    Its running time grows with frames times tokens.
    """
    cycle_price = np.zeros(max(len(facts.value) for facts in parts) + 1, np.int32)
    cycle_price[0] = 1  # all streams start a token in frame 0
    solution = _first_pass(parts, cycle_price)
    for _ in range(ROUNDS):
        solution = _search_all(parts, solution, cycle_price, np.zeros(0, np.int64))
    for number in range(RELIEFS):
        crowded = np.flatnonzero(_total(load(parts, solution)) > MOST_CYCLES)
        if not len(crowded):
            break
        cycle_price[crowded] = np.maximum(2 * cycle_price[crowded], 1)
        search = _search_all if number in THOROUGH_RELIEFS else _search_around
        solution = search(parts, solution, cycle_price, crowded)
    return solution


def solve_without_calls(facts: Facts) -> Tokens:
    """Return the cheapest tokens int64[n, 5] for one stream without any call."""
    count = len(facts.value)
    nothing = np.zeros((count, 3), np.int64)
    tokens: Tokens
    tokens, _ = search.cheapest(facts, 0, count, 0, _phrases([])[0], nothing, np.zeros(count + 1, np.int32), 0)
    return tokens


def load(parts: list[Facts], solution: list[Tokens]) -> list[Cycles]:
    """Return the cycles that each stream takes in each frame, int64[T] for each stream."""
    return [_stream_load(facts, _expand_calls(tokens, solution)) for facts, tokens in zip(parts, solution, strict=True)]


def _total(loads: list[Cycles]) -> Cycles:
    """Return the player's cycles in each frame, int64[T]."""
    total = np.full(max(len(taken) for taken in loads), cycles.FRAME, np.int64)
    for taken in loads:
        total[: len(taken)] += taken
    return total


def _first_pass(parts: list[Facts], cycle_price: NDArray[np.int32]) -> list[Tokens]:
    """Return tokens of one stream after another, CHUNK frames at a time. They may call tokens found before.

    A call lasts no longer than the frames searched at a time. So a chunk that costs less than a call must save is not
    searched for calls, and only tokens in runs that cost more than that are tried as called tokens.
    """
    call_surcharge, nothing = CALL_SURCHARGE * BYTE, _phrases([])[0]
    least = CALL_PRICE + call_surcharge

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
            found, price = search.cheapest(facts, frame, stop, COPY_MOST, nothing, free, cycle_price, call_surcharge)
            if price > least:
                phrases, places = _phrases([*alike, worth(stream, tokens)])
                found, _ = search.cheapest(facts, frame, stop, COPY_MOST, phrases, free, cycle_price, call_surcharge)
                found = _name_places(found, places)
            tokens = np.concatenate([tokens, found])
            frame = int(tokens[-1, 0] + tokens[-1, 2])
        solution.append(tokens)
    return solution


def _search_all(
    parts: list[Facts], solution: list[Tokens], cycle_price: NDArray[np.int32], loose: NDArray[np.int64]
) -> list[Tokens]:
    """Search all frames again; return a solution of at most the same cost.

    Tokens that are called stay, except those that start in the frames ``loose`` int64[n].
    """
    kept = [
        tokens[called & ~np.isin(tokens[:, 0], loose)]
        for tokens, called in zip(solution, _called(solution), strict=True)
    ]
    table = _phrases_by_kind(parts, kept)
    better: list[Tokens] = []
    for facts, own in zip(parts, kept, strict=True):
        phrases, places = table[facts.kind]
        count = len(facts.value)
        found, _ = search.cheapest(facts, 0, count, 0, phrases, _pinned(facts, own), cycle_price, 0)
        better.append(_name_places(found, places))
    return better


def _search_around(
    parts: list[Facts], solution: list[Tokens], cycle_price: NDArray[np.int32], frames: NDArray[np.int64]
) -> list[Tokens]:
    """Search again near ``frames`` int64[n]; return a solution of at most the same cost. Called tokens stay."""
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
                found, _ = search.cheapest(facts, int(tokens[first, 0]), end, 0, phrases, pinned, cycle_price, 0)
                tokens = np.concatenate([tokens[:first], _name_places(found, places), tokens[past:]])
        better.append(tokens)
    return better


def _phrases_by_kind(parts: list[Facts], kept: list[Tokens]) -> dict[int, tuple[Phrases, Places]]:
    """Return the phrases of the ``kept`` tokens and their places, for each kind of stream."""
    return {
        kind: _phrases([(s, rows) for s, rows in enumerate(kept) if parts[s].kind == kind])
        for kind in {facts.kind for facts in parts}
    }


def _pinned(facts: Facts, tokens: Tokens) -> NDArray[np.int64]:
    """Return pinned tokens int64[T, 3] for `search.cheapest`."""
    pinned = np.zeros((len(facts.value), 3), np.int64)
    pinned[tokens[:, 0]] = tokens[:, 1:4]
    return pinned


def _called(solution: list[Tokens]) -> list[NDArray[np.bool_]]:
    """Return bool[n] for each stream: which of its tokens are called."""
    masks = [np.zeros(len(tokens), np.bool_) for tokens in solution]
    for tokens in solution:
        for place, number in tokens[tokens[:, 1] == CALL][:, 3:]:
            stream, index = _locate(solution, place)
            masks[stream][index : index + number] = True
    return masks


def _locate(solution: list[Tokens], place: int) -> tuple[int, int]:
    """Return the stream and the index of the token at ``place``."""
    stream, frame = int(place >> 32), int(place & 0xFFFFFFFF)
    return stream, int(np.searchsorted(solution[stream][:, 0], frame))


def _phrases(streams: list[tuple[int, Tokens]]) -> tuple[Phrases, Places]:
    """Return the tokens of (stream, tokens) that may be called, as phrases, and their places. Calls are left out."""
    rows, last, places = [np.zeros((0, 5), np.int64)], [np.zeros(0, np.bool_)], [np.zeros(0, np.int64)]
    for stream, tokens in streams:
        follows = np.zeros(len(tokens), np.bool_)
        plain = tokens[:, 1] != CALL
        follows[:-1] = plain[1:] & (tokens[1:, 0] == tokens[:-1, 0] + tokens[:-1, 2])
        rows.append(tokens[plain])
        last.append(~follows[plain])
        places.append(place_of(stream, 0) | tokens[plain, 0])
    table = np.concatenate(rows)
    phrases = search.index_phrases(table[:, 1], table[:, 2], table[:, 3], np.concatenate(last))
    return phrases, np.concatenate(places)


def _name_places(tokens: Tokens, places: Places) -> Tokens:
    """Replace the indices of phrases in the arguments of calls by places; return the tokens."""
    calls = tokens[:, 1] == CALL
    tokens[calls, 3] = places[tokens[calls, 3]]
    return tokens


def _expand_calls(tokens: Tokens, solution: list[Tokens]) -> Tokens:
    """Return the tokens in the order of play, with called tokens in place of calls.

    The last column becomes the cycles on top of the token's own: for the call and the return.
    """
    parts = []
    back = 0
    for row in tokens:
        if row[1] == CALL:
            stream, index = _locate(solution, row[3])
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
    """Return a stream's cycles in each frame, int64[T], of tokens in the order of play."""
    taken = np.repeat([cycles.rest_cycles(facts.kind, facts.bits, op) for op in tokens[:, 1].tolist()], tokens[:, 2])
    begins = [cycles.start_cycles(facts.kind, facts.bits, op, arg) for op, arg in tokens[:, [1, 3]].tolist()]
    taken[tokens[:, 0]] = tokens[:, 4] + begins
    if facts.end[0] < len(taken):
        taken[facts.end[0]] += cycles.JUMPING  # later turns reach the seam by a jump
    return taken
