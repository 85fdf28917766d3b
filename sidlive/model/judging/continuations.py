"""What a model makes of tunes that it never trained on, beside what their composers made of them.

From each prompt, a stretch of a real tune, the engine goes on for as long as the real tune is then looked at too; both
are measured (`sidlive.model.judging.measures`) against the whole real tune's character. Knows engine and corpus, no
torch.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import Frames
from sidlive.errors import ModelError
from sidlive.model.corpus.shards import Corpus, CorpusTune
from sidlive.model.engine import Engine, Sampling
from sidlive.model.judging.copies import longest_copies, longest_voice_copies
from sidlive.model.judging.likelihood import interval, tunes_of
from sidlive.model.judging.measures import character_of, measure

PROMPTS: Final = 50
PROMPT_FRAMES: Final = 1024
SECONDS: Final = 20.0

MEASURES: Final = {  # name: (unit, what a person reads)
    "in_tune": ("share", "tones in the tune's scale"),
    "onsets_per_s": ("1/s", "note onsets a second"),
    "gate_changes_per_s": ("1/s", "gate changes a second"),
    "register_changes_per_s": ("1/s", "register changes a second"),
    "bar_notes": ("share", "notes repeated at the bar"),
    "bar_rhythm": ("share", "the same, at any pitch"),
    "dies": ("share", "dies: 2 s silent or still"),
    "part_copied_from_training": ("frames", "longest copy of a voice: training"),
    "part_copied_from_prompt": ("frames", "longest copy of a voice: prompt"),
    "copied_from_training": ("frames", "longest copy: training"),
    "copied_from_prompt": ("frames", "longest copy: prompt"),
}

COPIES: Final = {"": longest_copies, "part_": longest_voice_copies}  # by what their measures' names begin with


@dataclass(frozen=True)
class Prompt:
    """A stretch of a tune: frames ``start`` .. are heard, those from ``turn`` to ``end`` are the real continuation."""

    tune: CorpusTune
    start: int
    turn: int
    end: int


@dataclass(frozen=True)
class Continuation:
    """A prompt and its continuations, ``uint8[T, 28]`` each, of equal length."""

    prompt: Prompt
    generated: Frames
    real: Frames


@dataclass(frozen=True)
class Summary:
    """One measure over all prompts: the mean, its 95 % interval over prompts, the greatest, and how many had any."""

    mean: float
    low: float
    high: float
    most: float
    count: int


def choose_prompts(
    corpus: Corpus,
    count: int = PROMPTS,
    heard: int = PROMPT_FRAMES,
    seconds: float = SECONDS,
    split: str = "held-out",
    seed: int = 0,
) -> list[Prompt]:
    """Prompts of ``heard`` frames, each somewhere in a tune that goes on for ``seconds``; the same for the same seed.

    No tune twice before each was there once. ModelError where no tune of the split is long enough.
    """
    fitting = [tune for tune in tunes_of(corpus, split) if tune.length >= heard + _frames(tune, seconds)]
    if not fitting:
        raise ModelError(f"no {split} tune of the corpus has {heard} frames and {seconds:g} s after them: ask for less")
    rng = np.random.default_rng(seed)
    chosen: list[Prompt] = []
    while len(chosen) < count:
        for number in rng.permutation(len(fitting))[: count - len(chosen)]:
            tune = fitting[number]
            made = _frames(tune, seconds)
            start = int(rng.integers(tune.length - heard - made + 1))
            chosen.append(Prompt(tune, start, start + heard, start + heard + made))
    return chosen


def continue_prompts(
    engine: Engine, corpus: Corpus, prompts: Sequence[Prompt], sampling: Sampling
) -> Iterator[Continuation]:
    """Each prompt's continuation, as it is made. The prompts differ in their lane of the sampling's noise."""
    for lane, prompt in enumerate(prompts):
        frames = corpus.frames(prompt.tune)
        engine.reset()
        engine.prefill(frames[prompt.start : prompt.turn])
        own = replace(sampling, lane=sampling.lane + lane)
        made = np.stack([engine.step(own) for _ in range(prompt.end - prompt.turn)])
        yield Continuation(prompt, made, frames[prompt.turn : prompt.end])


def compare(
    corpus: Corpus, continued: Sequence[Continuation]
) -> tuple[dict[str, NDArray[np.float64]], dict[str, NDArray[np.float64]]]:
    """The MEASURES of what was generated and of what is real, ``float64[prompts]`` each; nan where there is nothing.

    Copies are looked for in the corpus's training tunes, those that prompts are of left out, and in the prompt.
    """
    figures: list[list[dict[str, float]]] = [[], []]
    for one in continued:
        frames = corpus.frames(one.prompt.tune)
        heard = frames[one.prompt.start : one.prompt.turn]
        character = character_of(frames, one.prompt.tune.rate_hz)
        for kind, piece in enumerate((one.generated, one.real)):
            own = measure(piece, heard, character)
            for prefix, longest in COPIES.items():
                own[f"{prefix}copied_from_prompt"] = float(longest([piece], [heard])[0])
            figures[kind].append(own)
    asked = {one.prompt.tune for one in continued}
    training = [tune for tune in corpus.split("train") if tune not in asked]
    pieces = [one.generated for one in continued] + [one.real for one in continued]
    for prefix, longest in COPIES.items():
        found = longest(pieces, map(corpus.frames, training)).astype(np.float64) if training else [np.nan] * len(pieces)
        for own, copied in zip(figures[0] + figures[1], found, strict=True):
            own[f"{prefix}copied_from_training"] = float(copied)
    generated, real = ({name: np.array([one[name] for one in side]) for name in MEASURES} for side in figures)
    return generated, real


def summarise(values: NDArray[np.float64]) -> Summary | None:
    """One measure's figures ``float64[prompts]``, nan left out; None where all are."""
    values = values[~np.isnan(values)]
    if not len(values):
        return None
    low, high = interval(values)
    return Summary(float(values.mean()), low, high, float(values.max()), len(values))


def _frames(tune: CorpusTune, seconds: float) -> int:
    return max(1, round(seconds * tune.rate_hz))
