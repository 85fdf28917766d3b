"""Cut windows of tunes for training, with the suggestions of recall for each frame. Knows no networks.

`WindowSampler` cuts the windows of a step from a prepared corpus (see `prepared`), on the CPU or on a GPU. `cut_window`
cuts one window of any frames: slow, and the implementation that the sampler is tested against.
"""

import warnings
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sidlive.chip import registers as sid
from sidlive.chip.registers import Frames
from sidlive.errors import ModelError
from sidlive.model import recall as rc
from sidlive.model import tokens as tk
from sidlive.model.corpus.shards import Corpus
from sidlive.model.guide import with_guide
from sidlive.model.tokens import Tokens
from sidlive.model.training import prepared as pre
from sidlive.model.training.plan import TrainingPlan
from sidlive.model.training.prepared import Prepared
from sidlive.model.training.ranks import ALONE, CPU, Ranks
from sidlive.tune.edits import rotate_voices
from sidlive.tune.score.causal import causal_guide

STRETCH: Final = 16  # frames in which a voice may be misheard
MISHEARD: Final = 0.12  # share of the stretches, in windows of which some are misheard
GROUPS: Final = sid.VOICES + 1  # the voices, and the filter
DISTURBED_SHARE: Final = 1 / 7  # of the windows with a guide: those whose guide has wrong notes


class Batch(NamedTuple):
    """The windows of one training step, in slot order."""

    values: Tensor  # int64[B, T + 1, 28]
    tokens: Tensor  # int64[B, T + 1, 28]
    recalled: Tensor  # int64[N, 28, CHOICES]: for the frames after those in ``chosen``
    strengths: Tensor  # int64[N, 28, CHOICES]
    chosen: Tensor  # int64[N]: which of the B * T predictions the column level trains on
    misheard: Tensor | None = None  # int64[B, T, 28]: the frame from which the time level hears a slot; None: its own

    def to(self, device: torch.device) -> "Batch":
        """Return the batch on another device."""
        return self._replace(**{name: part.to(device) for name, part in self._asdict().items() if part is not None})


class TrainingWindow(NamedTuple):
    """Consecutive frames of a tune as a network takes them, in slot order."""

    values: NDArray[np.uint8]  # [length, 28]
    tokens: Tokens  # [length, 28]
    recalled: Tokens  # [length, 28, CHOICES]
    strengths: NDArray[np.uint8]  # [length, 28, CHOICES]


def cut_window(
    frames: Frames,
    start: int,
    length: int,
    turns: int = 0,
    memory: int | None = rc.WINDOW,
    missed: float = 0.0,
    rng: np.random.Generator | None = None,
    guides: tuple[Frames, NDArray[np.bool_]] | None = None,
) -> TrainingWindow:
    """Cut ``length`` frames of a tune, from frame ``start`` on.

    ``frames uint8[T, 28]``: the whole tune. ``turns``: rotate the voices by this number (see `edits.rotate_voices`).
    ``memory``: frames before the window that recall knows (None: recall suggests nothing). ``missed``: share of each
    stream's frames hidden from recall, drawn from ``rng``. Generated music sometimes lacks notes that it should have;
    the hidden frames teach the model to find its place in such music and to play those notes again. ``guides``: a guide
    of the whole tune and its mask (see `model.guide`).
    """
    first = max(0, start - (memory or 0))
    stretch, before = frames[first : start + length], frames[max(0, first - tk.MEMORY) : first]
    if turns:
        stretch, before = rotate_voices(stretch, turns), rotate_voices(before, turns)
    tokens = tk.encode(stretch, before)
    inside = slice(start - first, None)
    if memory is not None:
        heard = tokens
        if rng is not None and missed:
            lost = rng.random((len(tokens), rc.STREAMS)) < missed
            heard = np.where(lost[:, rc.STREAM_OF_SLOT], rc.STILL_TOKENS, tokens)
        suggested = rc.recall(heard, said=tokens)
    else:
        suggested = rc.nothing(len(tokens))
    if guides is not None:
        guide, mask = guides[0][first : start + length], guides[1][first : start + length]
        if turns:
            guide, mask = rotate_voices(guide, turns), _rotated_mask(mask, turns)
        suggested = with_guide(suggested, stretch, guide, mask, tokens, before)
    return TrainingWindow(
        stretch[inside][:, tk.COLUMN_OF_SLOT], tokens[inside], suggested.tokens[inside], suggested.strengths[inside]
    )


def _rotated_mask(mask: NDArray[np.bool_], turns: int) -> NDArray[np.bool_]:
    """Return a mask of columns ``bool[T, 28]`` for frames whose voices `rotate_voices` rotated."""
    voices, first = sid.VOICES * sid.VOICE_STRIDE, sid.FIRST_CONTROL
    rolled = [np.roll(mask[:, :voices], turns * sid.VOICE_STRIDE, 1), np.roll(mask[:, first:], turns, 1)]
    return np.concatenate([rolled[0], mask[:, voices:first], rolled[1]], axis=1)


def batch_of(windows: list[TrainingWindow], chosen: NDArray[np.int64]) -> Batch:
    """Make a batch of windows of equal length. ``chosen``: as in `Batch`."""
    values, tokens, recalled, strengths = stack_windows(*windows)
    index = torch.from_numpy(chosen)
    recalled, strengths = (part[:, :-1].flatten(0, 1)[index] for part in (recalled, strengths))
    return Batch(values, tokens, recalled, strengths, index)


def stack_windows(*windows: TrainingWindow) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Stack windows of equal length; return the four parts, each ``int64[windows, length, ...]``."""
    parts = (torch.from_numpy(np.stack(each).astype(np.int64)) for each in zip(*windows, strict=True))
    values, tokens, recalled, strengths = parts
    return values, tokens, recalled, strengths


class Draw(NamedTuple):
    """Where the windows of a step lie. Arrays by window, ``int64[B]`` unless noted."""

    songs: NDArray[np.int64]
    starts: NDArray[np.int64]  # first frame
    pins: NDArray[np.int64]  # frames of an earlier passage that the window begins with; all of them if it has no gap
    laters: NDArray[np.int64]  # first frame after the gap
    turns: NDArray[np.int64]  # voices are rotated by this number
    variants: NDArray[np.int64]  # of recall (see `prepared`)
    remembering: NDArray[np.int64]  # 1 with recall, 0 without
    chosen: NDArray[np.int64]  # [B, n]: predictions for the column level, by the frame that each starts from
    guides: NDArray[np.int64]  # variant of the guide (see `prepared`), -1 without one
    misheard: NDArray[np.int64]  # [B, T, GROUPS]: how many frames ago a voice (or the filter) is heard instead of now


def draw(prepared: Prepared, plan: TrainingPlan, step: int) -> Draw:
    """Draw the windows of a step: every frame is equally likely. They depend on (plan.seed, step) alone.

    A share of the windows (`TrainingPlan.pinned`) imitates a long performance: a pinned prompt, then the last seconds
    of the music. Raises ModelError if all songs are shorter than a window.
    """
    rng = np.random.default_rng([plan.seed, step])
    whole, batch = plan.length + 1, plan.batch
    lengths = prepared.layout.lengths
    eligible = np.flatnonzero(lengths >= whole)
    if not len(eligible):
        raise ModelError(f"no tune of the corpus has {whole} frames: train with a shorter --length")
    ends = lengths[eligible].cumsum()
    songs = eligible[np.searchsorted(ends, rng.integers(ends[-1], size=batch), side="right")]
    starts = rng.integers(lengths[songs] - whole + 1)
    pinned = rng.random(batch) < plan.pinned
    pins = rng.integers(1, plan.length // 2 + 1, size=batch)
    laters = rng.integers(starts + pins, lengths[songs] - whole + pins + 1)
    turns = rng.integers(3, size=batch) * prepared.can_rotate[songs]
    variants = rng.integers(pre.VARIANTS, size=batch) * (plan.missed > 0)
    remembering = rng.random(batch) < plan.remembering
    keys = rng.random((batch, plan.length))
    keys[pinned, pins[pinned] - 1] = 2.0  # the frame after the gap cannot be predicted from the last pinned one
    chosen = np.sort(np.argpartition(keys, plan.chosen - 1, axis=1)[:, : plan.chosen], axis=1)
    disturbed = rng.random(batch) < DISTURBED_SHARE
    guides = np.where(rng.random(batch) < plan.guided, np.where(disturbed, pre.DISTURBED, pre.TRUE), -1)
    pins = np.where(pinned, pins, whole)
    misheard = _draw_misheard(plan, rng)
    return Draw(songs, starts, pins, laters, turns, variants, remembering.astype(np.int64), chosen, guides, misheard)


def _draw_misheard(plan: TrainingPlan, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw which stretches of a voice are heard as another time of the window, ``int64[B, T, GROUPS]``: frames ago."""
    shape = (plan.batch, -(-plan.length // STRETCH) + 1, GROUPS)
    wrong = (rng.random(shape) < MISHEARD) & (rng.random((plan.batch, 1, 1)) < plan.mishearing)
    ago = np.repeat(np.where(wrong, rng.integers(1, plan.length, shape), 0), STRETCH, axis=1)
    return ago[:, (first := int(rng.integers(STRETCH))) : first + plan.length]


_VOICES: Final = np.arange(tk.SLOTS) < sid.VOICES * tk.SLOTS_PER_VOICE
# int64[VOICES, SLOTS]: by number of turns, the slot whose content each slot has then.
_TURNED_SLOTS: Final = np.stack(
    [
        np.where(_VOICES, (np.arange(tk.SLOTS) - turns * tk.SLOTS_PER_VOICE) % (sid.VOICES * tk.SLOTS_PER_VOICE), slots)
        for turns, slots in enumerate([np.arange(tk.SLOTS)] * sid.VOICES)
    ]
)
_ROUTE: Final = int(np.flatnonzero(tk.KIND_OF_SLOT == tk.RES_ROUTE)[0])


def _turned_routes() -> NDArray[np.int64]:
    """Return the routing slot's tokens by number of turns and token ``int64[VOICES, TOKEN_IDS]``."""
    routes = np.tile(np.arange(tk.TOKEN_IDS), (sid.VOICES, 1))
    for turns in range(sid.VOICES):
        for value in range(256):
            bits = [(value >> voice & 1) << (voice + turns) % sid.VOICES for voice in range(sid.VOICES)]
            routes[turns, value] = (value & ~7) | sum(bits)
    return routes


class WindowSampler:
    """A source of training windows: random places in the songs of a prepared corpus, with voices rotated at random.

    ``device``: where the windows are cut and stay. On a GPU the whole corpus must be prepared (`Prepared.fill`) before;
    it is copied there.
    """

    def __init__(self, prepared: Prepared, device: torch.device = CPU) -> None:
        self.prepared, self.device = prepared, device

        def on_device(array: NDArray[np.generic]) -> Tensor:
            return torch.from_numpy(array).to(device)

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # the values are read-only, and nothing here writes to them
            self._values, self._manners = on_device(prepared.values).view(-1), on_device(prepared.manners).view(-1)
        self._codes = on_device(prepared.recall.rows.view(np.int16))  # torch has few operations on uint16
        self._guides = None if prepared.guides is None else on_device(prepared.guides.rows)
        self._turned_slots, self._turned_routes = on_device(_TURNED_SLOTS), on_device(_turned_routes())
        self._stream_of_slot = on_device(rc.STREAM_OF_SLOT)
        self._still = on_device(rc.STILL_TOKENS.astype(np.int64))
        self._slots, self._los = on_device(np.arange(tk.SLOTS)), on_device(tk.HI_SLOTS + 1)

    def batch(self, plan: TrainingPlan, step: int, ranks: Ranks = ALONE) -> Batch:
        """Draw and cut the windows of a step. With several ranks, each gets every world-th window."""
        drawn = draw(self.prepared, plan, step)
        return self.cut(Draw(*(part[ranks.rank :: ranks.world] for part in drawn)), plan)

    def cut(self, drawn: Draw, plan: TrainingPlan) -> Batch:
        """Cut windows. Does not wait for the GPU."""
        layout = self.prepared.layout
        blocks = np.stack([layout.block_of(drawn.variants, drawn.songs, at) for at in (drawn.starts, drawn.laters)])
        if self.device.type == "cpu":
            heard = drawn.remembering > 0
            needed = [blocks[0][heard], blocks[1][heard & (drawn.pins <= plan.length)]]
            self.prepared.recall.need(np.unique(np.concatenate(needed)).tolist())
            if self.prepared.guides is not None:
                guided = drawn.guides >= 0
                parts = self.prepared.guide_part(drawn.guides[guided], drawn.songs[guided])
                self.prepared.guides.need(np.unique(parts).tolist())
        # A row of the codes, minus the row's frame: for the frames before the gap, and for those after it.
        codes_at = layout.blocks[blocks, 4] - layout.blocks[blocks, 2]
        numbers = np.stack([
            drawn.starts, drawn.pins, drawn.laters, drawn.turns, drawn.remembering, drawn.guides,
            layout.first_rows[drawn.songs],
        ])  # fmt: skip
        small = torch.from_numpy(np.concatenate([numbers, codes_at]))
        chosen = torch.from_numpy(drawn.chosen + plan.length * np.arange(len(drawn.songs))[:, None]).view(-1)
        if self.device.type == "cuda":
            small, chosen = (part.pin_memory().to(self.device, non_blocking=True) for part in (small, chosen))
        starts, pins, laters, turns, remembering, guides, first_rows, *codes_rows = small[:, :, None]  # [B, 1] each
        places = torch.arange(plan.length + 1, device=self.device)
        before_gap = places < pins
        frames = torch.where(before_gap, starts + places, laters + places - pins)  # [B, T + 1]
        rows = first_rows + frames
        values, tokens = self._tokens_at(rows[..., None] * tk.SLOTS + self._slots)
        turned = turns.expand(-1, plan.length).reshape(-1)[chosen]  # of the window of each prediction
        code_rows = torch.where(before_gap, codes_rows[0], codes_rows[1]) + frames
        codes = self._codes[code_rows[:, :-1].reshape(-1)[chosen]].to(torch.int64) & 0xFFFF
        codes = codes * remembering.expand(-1, plan.length).reshape(-1)[chosen][:, None]
        heard_rows = rows[:, :-1].reshape(-1)[chosen]
        recalled, strengths = self._suggestions(codes, heard_rows)
        if (drawn.guides >= 0).any():
            variants = guides.expand(-1, plan.length).reshape(-1)[chosen]
            recalled, strengths = self._guided(recalled, strengths, variants, heard_rows + 1)
        misheard = torch.from_numpy(drawn.misheard)
        if self.device.type == "cuda":
            misheard = misheard.pin_memory().to(self.device, non_blocking=True)
        return Batch(
            self._turn(values, turns),
            self._turn(tokens, turns),
            self._turn(recalled.transpose(1, 2), turned[:, None]).transpose(1, 2),
            strengths.gather(1, self._turned_slots[turned][..., None].expand_as(strengths)),
            chosen,
            heard_from(misheard),
        )

    def _tokens_at(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Return the values and the tokens, both int64, at places ``index`` (row * SLOTS + slot)."""
        values, manners = self._values[index].to(torch.int64), self._manners[index].to(torch.int64)
        return values, torch.where(manners > 0, manners + (tk.KEEP - 1), values)

    def _suggestions(self, codes: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return recall's tokens and strengths, ``[N, SLOTS, CHOICES]`` each.

        ``codes [N, CODES]``: see `prepared.encode`. ``rows [N]``: of the frames after which recall makes suggestions.
        """
        streams = codes[:, : pre.STREAM_CODES].view(-1, rc.STREAMS, rc.CHOICES)[:, self._stream_of_slot]
        offsets = (streams - 1).clamp(min=0) // pre.LEVELS
        sources = rows[:, None, None] + 1 - offsets
        sources = torch.where(offsets > 0, sources, 0)
        _, tokens = self._tokens_at(sources * tk.SLOTS + self._slots[:, None])
        tokens = torch.where(offsets > 0, tokens, self._still[:, None])
        tokens = torch.where(streams > 0, tokens, rc.NOTHING)
        strengths = torch.where(streams > 0, (streams - 1) % pre.LEVELS + 1, 0)
        pairs = codes[:, pre.STREAM_CODES :].view(len(codes), -1, rc.CHOICES)
        tokens[:, self._los] = torch.where(pairs > 0, (pairs - 1) // 16, rc.NOTHING)
        strengths[:, self._los] = torch.where(pairs > 0, (pairs - 1) % 16, 0)
        return tokens, strengths

    def _guided(self, recalled: Tensor, strengths: Tensor, variants: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return the suggestions of recall and of guides together, as `guide.with_guide` does.

        ``variants [N]``: of the guides, -1 without one; ``rows [N]``: of the frames that the suggestions are for.
        """
        assert self._guides is not None, "the corpus was prepared without guides"
        count = len(self._values) // tk.SLOTS
        values, manners = self._guides[variants.clamp(min=0) * count + rows].to(torch.int64).chunk(2, dim=1)
        tokens = torch.where(manners > 0, manners + (tk.KEEP - 1), values)
        guided = (manners != pre.NO_GUIDE) & (variants >= 0)[:, None]
        guided = guided[..., None]
        offered = torch.stack([tokens, recalled[..., 0]], -1)
        merits = torch.stack([torch.full_like(tokens, rc.GUIDE), strengths[..., 0]], -1)
        return torch.where(guided, offered, recalled), torch.where(guided, merits, strengths)

    def _turn(self, content: Tensor, turns: Tensor) -> Tensor:
        """Rotate voices in values or tokens ``[B, K, SLOTS]``, by ``turns [B, 1]``."""
        turned = content.gather(2, self._turned_slots[turns].expand_as(content))
        turned[..., _ROUTE] = self._turned_routes[turns.expand(turned.shape[:2]), turned[..., _ROUTE]]
        return turned


def heard_from(misheard: Tensor) -> Tensor:
    """Return `Batch.misheard` from ``misheard [B, T, GROUPS]`` of a `Draw`; before the window comes its end."""
    length = misheard.shape[1]
    group = torch.arange(tk.SLOTS, device=misheard.device) // tk.SLOTS_PER_VOICE
    frames = torch.arange(length, device=misheard.device)[:, None]
    return ((frames - misheard) % length)[..., group]


def still_batch(plan: TrainingPlan, device: torch.device = CPU) -> Batch:
    """Return a batch of the shape of the plan's windows in which nothing sounds, to compile a network with."""
    shape, count = (plan.batch, plan.length + 1, tk.SLOTS), plan.batch * plan.chosen
    tokens = torch.from_numpy(rc.STILL_TOKENS.astype(np.int64)).expand(shape)
    nothing = torch.full((count, tk.SLOTS, rc.CHOICES), rc.NOTHING)
    heard = heard_from(torch.zeros((plan.batch, plan.length, GROUPS), dtype=torch.int64))
    still = torch.zeros_like(nothing)
    parts = (torch.zeros(shape, dtype=torch.int64), tokens, nothing, still, torch.arange(count), heard)
    return Batch(*(part.contiguous() for part in parts)).to(device)


def held_out(
    corpus: Corpus,
    count: int = 48,
    length: int = 256,
    share: float = 0.25,
    guided: bool = False,
    split: str = "held-out",
) -> list[Batch]:
    """Sample tunes of a split to measure a run by: at most ``count`` windows of ``length`` + 1 frames, one per tune.

    ``share``: share of the frames that are predicted. ``guided``: whether they have a guide with their true notes. The
    sample is the same at each call.
    """
    tunes = [tune for tune in corpus.tunes if tune.split == split and tune.length > length]
    rng = np.random.default_rng(1)
    rng.shuffle(tunes)
    batches = []
    for first in range(0, min(count, len(tunes)), 4):
        picks = []
        for tune in tunes[first : first + 4]:
            frames = corpus.frames(tune)
            guides = causal_guide(frames) if guided else None
            picks.append(cut_window(frames, int(rng.integers(len(frames) - length)), length + 1, guides=guides))
        predictions = len(picks) * length
        chosen = rng.choice(predictions, size=round(predictions * share), replace=False)
        batches.append(batch_of(picks, chosen))
    return batches
