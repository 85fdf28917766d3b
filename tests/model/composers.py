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
    INSTRUMENT,
    KIND,
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
from sidlive.model.training.composer_network import ComposerNetwork, NoteBatch
from sidlive.model.weights import ComposerWeights, QuantisedMatrix, floats_of, random_weights

# Widths that do not fill a tile; 3 heads to a key, so that heads are computed 2 + 1 at a time; a short context.
SMALL_COMPOSER = ComposerConfig("small", Stack(72, 2, 6, 2, 56), 40, 24, context=24)


def notes(count: int, seed: int = 0, rests: float = 0.05, instruments: int = 5) -> Events:
    """Make events ``int16[count, FIELDS]`` with figures that come back, moved ones among them, drums and rests."""
    rng = np.random.default_rng(seed)
    figure = rng.integers(30, 60, (4, 8))
    events = np.zeros((count, FIELDS), np.int16)
    after = REST  # the voice of the event before; REST: any voice may follow in its frame
    for i in range(count):
        if rng.random() < rests:
            events[i, [WAIT, VOICE]], after = (LONGEST_WAIT, REST), REST
            continue
        together = rng.random() < 0.4 and (after == REST or after < VOICES - 1)
        wait = 0 if together else int(rng.choice((3, 6, 6, 6, 12, 24)))
        first = after + 1 if together and after < REST else 0
        voice = int(rng.integers(first, VOICES))
        key, place = i // 64 % 4, i % 8
        pitch = int(figure[i // 32 % 4, place]) + 2 * key if rng.random() < 0.9 else int(rng.integers(0, UNTUNED))
        label = int(rng.integers(instruments)) if rng.random() < 0.2 else voice % instruments
        drum = label == instruments - 1
        events[i] = (wait, voice, rng.integers(4), label, UNTUNED if drum else pitch, 0, rng.integers(0, 12))
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


def told(events: Events, near: int = 0, weight: float = 1.0) -> NoteBatch:
    """Return a tune as a batch of one window, with all that the composer is told of it."""
    notes = mm.annotate(events, ((near, weight),))[0]
    suggested = np.concatenate([notes.next_events, notes.motifs], axis=1)
    strengths = np.concatenate([notes.next_strengths, notes.motif_strengths], axis=1)
    parts = (events, onsets_of(events), notes.contexts, suggested, strengths)
    return NoteBatch(*(torch.from_numpy(part.astype(np.int64))[None] for part in parts))


@torch.no_grad()
def torch_note_logits(network: ComposerNetwork, events: Events, near: int = 0, weight: float = 1.0) -> list[np.ndarray]:
    """Return the network's logits of each field of events 1, 2, ..., ``[K - 1, SIZES[field]]``."""
    batch = told(events, near, weight)
    heard = network.hear(batch)[:, :-1].flatten(0, 1)
    said = NoteBatch(*(part[:, 1:].flatten(0, 1) for part in batch))
    return [logits.numpy() for logits in network.say(heard, said)]


assert (KIND, INSTRUMENT, PITCH) == (2, 3, 4)
