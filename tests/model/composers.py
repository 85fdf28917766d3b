"""For the tests of the composer: small weights with varied output, made-up tunes of notes, and the torch network."""

from dataclasses import replace

import numpy as np
import torch

from sidlive.chip.registers import VOICES
from sidlive.model.composer import memory as mm
from sidlive.model.composer.events import (
    CHORD,
    CHORDS,
    FIELDS,
    LENGTH,
    LONGEST_WAIT,
    PITCH,
    REST,
    UNTUNED,
    VOICE,
    WAIT,
    Events,
    onsets_of,
)
from sidlive.model.composer.shape import ComposerConfig
from sidlive.model.config import Stack
from sidlive.model.matrices import QuantisedMatrix
from sidlive.model.training.composer_network import ComposerNetwork, NoteBatch
from sidlive.model.weights import ComposerWeights, floats_of, random_weights

# Widths that do not fill a tile; 3 heads to a key, so that heads are computed 2 + 1 at a time; a short context.
SMALL_COMPOSER = ComposerConfig("small", Stack(72, 2, 6, 2, 56), 40, 24, context=24)


def notes(count: int, seed: int = 0, rests: float = 0.05, instruments: int = 5) -> Events:
    """Make events ``int16[count, FIELDS]``: phrases that come back, moved and varied, with drums and with rests."""
    rng = np.random.default_rng(seed)
    phrases = [_phrase(rng, rests, instruments) for _ in range(3)]
    parts: list[np.ndarray] = []
    while sum(map(len, parts)) < count:
        part = phrases[int(rng.choice(3, p=(0.6, 0.3, 0.1)))].copy()
        tuned = (part[:, VOICE] < REST) & (part[:, PITCH] < UNTUNED)
        part[tuned, PITCH] += np.int16(rng.choice((0, 0, 2, 5)))
        changed = tuned & (rng.random(len(part)) < 0.05)
        part[changed, PITCH] = rng.integers(0, UNTUNED, changed.sum())
        parts.append(part)
    return np.concatenate(parts)[:count]


def _phrase(rng: np.random.Generator, rests: float, instruments: int) -> Events:
    """Make a phrase of 24 events; the first of them is not at once."""
    events, after = np.zeros((24, FIELDS), np.int16), VOICES - 1  # the voice of the event before in the frame
    for i in range(len(events)):
        if rng.random() < rests:
            events[i, [WAIT, VOICE]], after = (LONGEST_WAIT, REST), -1
            continue
        together = after < VOICES - 1 and rng.random() < 0.4
        voice = int(rng.integers(after + 1 if together else 0, VOICES))
        label = int(rng.integers(instruments)) if rng.random() < 0.2 else voice % instruments
        pitch = UNTUNED if label == instruments - 1 else int(rng.integers(30, 60))
        wait = 0 if together else int(rng.choice((3, 6, 6, 6, 12, 24)))
        events[i] = (wait, voice, rng.integers(4), label, pitch, 0, rng.integers(0, 12))
        if rng.random() < 0.1:
            events[i, CHORD], events[i, LENGTH] = rng.integers(len(CHORDS)), rng.integers(0, 96)
        after = voice
    return events


def lively_composer(config: ComposerConfig = SMALL_COMPOSER, seed: int = 4) -> ComposerWeights:
    """Make random weights that are large enough for tokens to differ from event to event (see `engines.lively`)."""
    weights = random_weights(config, seed, std=0.15)
    rng = np.random.default_rng(seed)
    louder = {
        name: matrix if "blocks" in name else QuantisedMatrix(matrix.numbers, 2 * matrix.scales)
        for name, matrix in weights.matrices.items()
    }
    norms = {name: rng.uniform(0.5, 1.5, norm.shape).astype(np.float32) for name, norm in weights.norms.items()}
    return replace(weights, matrices=louder, norms=norms)


def torch_composer(weights: ComposerWeights) -> ComposerNetwork:
    """Return the torch network with these weights in float32."""
    network = ComposerNetwork(weights.config)
    network.load_state_dict({name: torch.from_numpy(np.array(v)) for name, v in floats_of(weights).items()})
    return network.eval()


def annotated(events: Events, near: int = 0, weight: float = 1.0) -> NoteBatch:
    """Return a tune as a batch of one window, annotated."""
    notes = mm.annotate(events, ((near, weight),))[0]
    parts = (events, onsets_of(events), notes.contexts, notes.suggested, notes.strengths)
    return NoteBatch(*(torch.from_numpy(part.astype(np.int64))[None] for part in parts))


@torch.no_grad()
def torch_note_logits(network: ComposerNetwork, events: Events, near: int = 0, weight: float = 1.0) -> list[np.ndarray]:
    """Return the network's logits of each field of events 1, 2, ..., ``[K - 1, SIZES[field]]``."""
    batch = annotated(events, near, weight)
    heard = network.hear(batch)[:, :-1].flatten(0, 1)
    said = NoteBatch(*(part[:, 1:].flatten(0, 1) for part in batch))
    return [logits.numpy() for logits in network.say(heard, said)]
