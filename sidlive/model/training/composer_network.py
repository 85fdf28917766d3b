"""The composer's network in torch: for training, and as the reference that the engine is tested against.

The *notes* level takes one step per event and attends to the events before it (`ComposerNetwork.hear`). Then seven
small networks, one a field, generate the fields of the next event one after another (`ComposerNetwork.say`).

Rotary positions count in two ways: half of each head's turns count events, the other half frames. So a head can look
for "the note before" and for "two bars ago".

Pitches are scored both as absolute pitches and as intervals from the last pitches of all voices, so that a figure can
move to another key.

Shapes: B windows, K events, d width of the notes level, N predictions, c width of the field networks.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sidlive.chip.registers import VOICES
from sidlive.model.composer import inputs
from sidlive.model.composer import memory as mm
from sidlive.model.composer.events import (
    CHORD,
    FIELDS,
    INSTRUMENT,
    KIND,
    LENGTH,
    LONGEST_WAIT,
    PITCH,
    REST,
    SIZES,
    UNTUNED,
    VOICE,
    WAIT,
)
from sidlive.model.composer.shape import ComposerConfig
from sidlive.model.training.network import TransformerBlock, rms_norm


class NoteBatch(NamedTuple):
    """Windows of events with their annotations; for the arrays see `memory.Annotations`."""

    events: Tensor  # int64[B, K, FIELDS]
    onsets: Tensor  # int64[B, K]: frames
    contexts: Tensor  # int64[B, K, CONTEXTS]
    suggested: Tensor  # int64[B, K, SUGGESTIONS, FIELDS]: next events, then motifs
    strengths: Tensor  # int64[B, K, SUGGESTIONS]


class ComposerNetwork(nn.Module):
    """From the events so far to a distribution over the next event."""

    def __init__(self, config: ComposerConfig) -> None:
        super().__init__()
        self.config = config
        width, narrow, hidden = config.notes.width, config.field_width, config.field_hidden
        self.heard_embedding = nn.Parameter(torch.empty(inputs.HEARD_ROWS, width))
        self.blocks = nn.ModuleList(TransformerBlock(config.notes) for _ in range(config.notes.layers))
        self.notes_norm = nn.Parameter(torch.ones(width))
        self.bridge = nn.Linear(width, narrow, bias=False)
        self.field_embedding = nn.Parameter(torch.empty(inputs.FIELD_ROWS, narrow))
        self.field_norm = nn.Parameter(torch.ones(FIELDS, narrow))
        self.gate = nn.Parameter(torch.empty(FIELDS, hidden, narrow))
        self.up = nn.Parameter(torch.empty(FIELDS, hidden, narrow))
        self.down = nn.Parameter(torch.empty(FIELDS, narrow, hidden))
        self.head_norm = nn.Parameter(torch.ones(FIELDS, narrow))
        self.head = nn.Parameter(torch.empty(inputs.HEAD_ROWS, narrow))
        self.leaps = nn.Parameter(torch.empty(inputs.RELATIVES * inputs.LEAPS, narrow))
        self.trust = nn.Parameter(torch.empty(FIELDS * inputs.SUGGESTIONS, narrow))
        for name, parameter in self.named_parameters():
            if "norm" not in name:
                scaled = name.endswith(("out.weight", "down.weight"))
                nn.init.normal_(parameter, std=0.02 / (2 * config.notes.layers) ** 0.5 if scaled else 0.02)

    def hear(self, batch: NoteBatch) -> Tensor:
        """Run the notes level; return its output after each event ``[B, K, d]``."""
        events, contexts = batch.events, batch.contexts
        count, length = events.shape[:2]
        index = heard_rows(events, contexts)
        x = F.embedding_bag(index.flatten(0, 1), self.heard_embedding, mode="sum").view(count, length, -1)
        cos, sin = self.turns(batch.onsets)
        order = torch.arange(length, device=x.device)
        distance = order[:, None] - order
        closed = ((distance < 0) | (distance >= self.config.context))[None]
        for block in self.blocks:
            x = block(x, cos, sin, closed)
        return rms_norm(x, self.notes_norm)

    def turns(self, onsets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the rotary cos and sin, ``[B, 1, K, head width / 2]``; ``onsets int64[B, K]``, in frames."""
        half = self.config.notes.head_width // 2
        steps = torch.arange(half // 2, dtype=torch.float64, device=onsets.device) / (half // 2)
        numbers = torch.arange(onsets.shape[1], dtype=torch.float64, device=onsets.device).expand(onsets.shape)
        angles = torch.cat(
            [
                numbers[..., None] * self.config.index_base**-steps,
                onsets.to(torch.float64)[..., None] * self.config.frame_base**-steps,
            ],
            dim=-1,
        )[:, None]
        return angles.cos().float(), angles.sin().float()

    def say(self, heard: Tensor, batch: NoteBatch) -> list[Tensor]:
        """Return the logits of each field, ``[N, SIZES[field]]``, given the fields before it.

        ``heard [N, d]``: `hear`'s output after the event before. ``batch``: of the N events, without the axis B.
        """
        base = self.bridge(heard)
        offered = offered_fields(batch)
        logits = []
        for field in range(FIELDS):
            index = field_rows(field, batch, offered)
            x = base + F.embedding_bag(index, self.field_embedding, mode="sum")
            normed = rms_norm(x, self.field_norm[field])
            inner = F.silu(F.linear(normed, self.gate[field])) * F.linear(normed, self.up[field])
            z = rms_norm(x + F.linear(inner, self.down[field]), self.head_norm[field])
            first = inputs.HEADS[str(field)]
            out = F.linear(z, self.head[first : first + SIZES[field]])
            if field == PITCH:
                out = out + F.pad(self._relative(z, batch.contexts), (0, 1))
            number = inputs.SUGGESTIONS if field >= KIND else mm.CHOICES
            trust = F.linear(z, self.trust[field * inputs.SUGGESTIONS : field * inputs.SUGGESTIONS + number])
            tokens = offered[..., :number, field]
            missing = tokens == SIZES[field]
            out = out.scatter_add(1, tokens.masked_fill(missing, 0), trust.masked_fill(missing, 0.0).to(out.dtype))
            logits.append(out.float())
        return logits

    def _relative(self, z: Tensor, contexts: Tensor) -> Tensor:
        """Return the scores of pitches by their intervals from the voices' last pitches, ``[N, UNTUNED]``."""
        scores = F.linear(z, self.leaps).view(-1, inputs.RELATIVES, inputs.LEAPS)
        last = contexts[:, mm.OWN_PITCH : mm.OWN_PITCH + VOICES]  # [N, RELATIVES]
        index = torch.arange(UNTUNED, device=z.device) - last[..., None] + inputs.WIDEST_LEAP
        known = last < UNTUNED
        found = scores.gather(2, index.clamp(0, inputs.LEAPS - 1))
        return found.masked_fill(~known[..., None], 0.0).sum(1)

    def nats(self, batch: NoteBatch) -> Tensor:
        """Return the cost in nats of each field of events 1, 2, ... of each window, ``[B * (K - 1), FIELDS]``.

        Fields after a rest's voice cost 0.
        """
        heard = self.hear(batch)[:, :-1].flatten(0, 1)
        predicted = NoteBatch(*(part[:, 1:].flatten(0, 1) for part in batch))
        rest = predicted.events[:, VOICE] == REST
        costs = [
            F.cross_entropy(logits, predicted.events[:, field], reduction="none")
            for field, logits in enumerate(self.say(heard, predicted))
        ]
        cost = torch.stack(costs, dim=1)
        silent = rest[:, None] & (torch.arange(FIELDS, device=cost.device) >= KIND)
        return cost.masked_fill(silent, 0.0)


def heard_rows(events: Tensor, contexts: Tensor) -> Tensor:
    """Return the rows of the heard table that each event adds up, ``int64[..., 10]``."""
    voice, pitch = events[..., VOICE], events[..., PITCH]
    rest = voice == REST
    untuned = (pitch >= UNTUNED) | rest

    def interval(column: int, widest: int) -> Tensor:
        last = contexts[..., column]
        index = (pitch - last).clamp(-widest, widest) + widest
        return index.masked_fill(untuned | (last >= UNTUNED), 2 * widest + 1)

    parts = {
        "voice and kind": voice * SIZES[KIND] + events[..., KIND],
        "wait": events[..., WAIT],
        "instrument": events[..., INSTRUMENT],
        "pitch": pitch,
        "chord": events[..., CHORD],
        "length": events[..., LENGTH],
        "step": interval(mm.OWN_PITCH, inputs.WIDEST_STEP),
        "next chord": interval(mm.NEXT_PITCH, inputs.WIDEST_CHORD),
        "previous chord": interval(mm.PREVIOUS_PITCH, inputs.WIDEST_CHORD),
        "gap": contexts[..., mm.GAP],
    }
    return torch.stack([inputs.HEARD[name] + part for name, part in parts.items()], dim=-1)


def offered_fields(batch: NoteBatch) -> Tensor:
    """Return the suggested token of each field, ``int64[N, SUGGESTIONS, FIELDS]``; SIZES[field] for none.

    A suggestion ends at the first field in which the event differs from it, if that is one of `inputs.BINDING`.
    """
    suggested = batch.suggested
    sizes = torch.tensor(SIZES, device=suggested.device)
    nothing = suggested == mm.NOTHING
    differs = (suggested != batch.events[:, None]) & ~nothing
    binding = torch.zeros(FIELDS, dtype=torch.bool, device=suggested.device)
    binding[list(inputs.BINDING)] = True
    ended = (differs & binding).cumsum(-1) - (differs & binding).to(torch.int64) > 0
    return torch.where(nothing | ended, sizes, suggested)


def field_rows(field: int, batch: NoteBatch, offered: Tensor) -> Tensor:
    """Return the rows of the field table that a field's network adds up, ``int64[N, R]``."""
    events, contexts, place = batch.events, batch.contexts, inputs.FIELD
    parts = [torch.full_like(events[:, 0], place["field"] + field)]
    parts += [place[f"{field} said {said}"] + events[:, said] for said in range(field)]
    if field in (WAIT, VOICE):
        for voice in range(VOICES):
            age = contexts[:, mm.AGE + voice]
            if field == VOICE:
                age = (age + events[:, WAIT]).clamp(max=LONGEST_WAIT)
            parts.append(place[f"{field} age {voice}"] + age)
    else:
        parts.append(place[f"{field} own instrument"] + contexts[:, mm.OWN_INSTRUMENT])
        parts.append(place[f"{field} gap"] + contexts[:, mm.GAP])
    for suggestion in range(inputs.SUGGESTIONS if field >= KIND else mm.CHOICES):
        token = offered[:, suggestion, field]
        strength = batch.strengths[:, suggestion].masked_fill(token == SIZES[field], 0)
        parts += [place[f"{field} suggestion {suggestion}"] + token, place[f"{field} strength {suggestion}"] + strength]
    return torch.stack(parts, dim=-1)
