"""The cheapest tokens of all streams together: music repeats itself, so tokens call tokens that stand elsewhere.

What may be called must itself be spelt out, not called. So a first pass goes through the streams and lets each call
what was spelt out before, if that saves enough; then the whole is searched again with the tokens that somebody calls
pinned where they are, and everything else free, as often as that pays.

A solution is an int64[n, 5] a stream, a row a token: its first frame, op, frames it lasts, argument, tokens it calls.
A call's argument is a place: the number of a stream (from bit 32 up) and the first frame of the token it begins with.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.tune import parsing
from sidlive.tune.parsing import BYTE, CALL, Facts, Phrases

CHUNK: Final = 1024  # frames whose tokens are found before they can be called
RELUCTANCE: Final = 7  # bytes that a call must save in the first pass: what is called cannot be called itself
ROUNDS: Final = 2

Tokens = NDArray[np.int64]  # [n, 5]
Places = NDArray[np.int64]  # [J]


def place_of(stream: int, frame: int) -> int:
    """Where a token stands, as a call names it."""
    return stream << 32 | frame


def solve(parts: list[Facts]) -> list[Tokens]:
    """Tokens for all streams: few bytes, in a time that grows with the frames and with the tokens found."""
    solution = _first_pass(parts)
    for _ in range(ROUNDS):
        solution = _searched_again(parts, solution)
    return solution


def spelt_out(facts: Facts) -> Tokens:
    """The cheapest tokens for one stream without any call."""
    count = len(facts.value)
    nothing = np.zeros((count, 3), np.int64)
    toll = np.zeros(count, np.int32)
    none = Phrases(np.zeros(0, np.int8), np.zeros(0, np.int16), np.zeros(0, np.int64), np.zeros(0, np.bool_))
    tokens: Tokens = parsing.cheapest(facts, 0, count, none, nothing, toll, toll)
    return tokens


def _first_pass(parts: list[Facts]) -> list[Tokens]:
    solution: list[Tokens] = []
    for stream, facts in enumerate(parts):
        count = len(facts.value)
        free = np.zeros((count, 3), np.int64)
        toll = np.zeros(count, np.int32)
        call_toll = np.full(count, RELUCTANCE * BYTE, np.int32)
        alike = [(number, tokens) for number, tokens in enumerate(solution) if parts[number].kind == facts.kind]
        tokens = np.zeros((0, 5), np.int64)
        frame = 0
        while frame < count:
            phrases, places = _spelt_out([*alike, (stream, tokens)])
            stop = min(frame + CHUNK, count)
            found = parsing.cheapest(facts, frame, stop, phrases, free, toll, call_toll)
            tokens = np.concatenate([tokens, _placed(found, places)])
            frame = int(tokens[-1, 0] + tokens[-1, 2])
        solution.append(tokens)
    return solution


def _searched_again(parts: list[Facts], solution: list[Tokens]) -> list[Tokens]:
    """A solution at most as large: what is called stays, the rest may change."""
    called = [tokens[mask] for tokens, mask in zip(solution, _called(solution), strict=True)]
    better: list[Tokens] = []
    for facts, kept in zip(parts, called, strict=True):
        count = len(facts.value)
        pinned = np.zeros((count, 3), np.int64)
        pinned[kept[:, 0]] = kept[:, 1:4]
        toll = np.zeros(count, np.int32)
        alike = [(number, rows) for number, rows in enumerate(called) if parts[number].kind == facts.kind]
        phrases, places = _spelt_out(alike)
        better.append(_placed(parsing.cheapest(facts, 0, count, phrases, pinned, toll, toll), places))
    return better


def _called(solution: list[Tokens]) -> list[NDArray[np.bool_]]:
    """Of each stream's tokens, which are taken by some call."""
    masks = [np.zeros(len(tokens), np.bool_) for tokens in solution]
    for tokens in solution:
        for place, number in tokens[tokens[:, 1] == CALL][:, 3:]:
            stream, frame = int(place >> 32), int(place & 0xFFFFFFFF)
            index = int(np.searchsorted(solution[stream][:, 0], frame))
            masks[stream][index : index + number] = True
    return masks


def _spelt_out(streams: list[tuple[int, Tokens]]) -> tuple[Phrases, Places]:
    """The tokens that calls may take, calls left out, and where they stand."""
    rows, last, places = [], [], []
    for stream, tokens in streams:
        follows = np.zeros(len(tokens), np.bool_)
        plain = tokens[:, 1] != CALL
        follows[:-1] = plain[1:] & (tokens[1:, 0] == tokens[:-1, 0] + tokens[:-1, 2])
        rows.append(tokens[plain])
        last.append(~follows[plain])
        places.append(place_of(stream, 0) | tokens[plain, 0])
    table = np.concatenate(rows)
    phrases = Phrases(
        table[:, 1].astype(np.int8), table[:, 2].astype(np.int16), table[:, 3].copy(), np.concatenate(last)
    )
    return phrases, np.concatenate(places)


def _placed(tokens: Tokens, places: Places) -> Tokens:
    """Tokens whose calls name places instead of phrases."""
    calls = tokens[:, 1] == CALL
    tokens[calls, 3] = places[tokens[calls, 3]]
    return tokens
