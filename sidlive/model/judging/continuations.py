"""Compare a model's continuations of held-out tunes with the tunes' own. Knows engine and corpus, no torch.

Each prompt is a stretch of a real tune. The engine continues it, and the same number of frames of the real tune follows
it; both are measured (see `measures`) against the character of the whole real tune.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import Frames
from sidlive.errors import ModelError
from sidlive.model.composer.continuation import Manner, continuation
from sidlive.model.corpus.shards import Corpus, CorpusTune
from sidlive.model.engine import Engine
from sidlive.model.judging.copies import longest_copies, longest_voice_copies
from sidlive.model.judging.critic import Hears, Passage, auc
from sidlive.model.judging.form import form_of, longest_loop, loops, lost_voices
from sidlive.model.judging.likelihood import interval, tunes_of
from sidlive.model.judging.measures import character_of, measure, notes_of
from sidlive.model.scales import in_tune

if TYPE_CHECKING:
    from sidlive.model.composer.planner import ComposerLike

PROMPTS: Final = 40
PROMPT_FRAMES: Final = 1024
SECONDS: Final = 40.0
LONG_RUNS: Final = 4
LONG_S: Final = 600.0
LAST_S: Final = 60.0  # the end of a long run that is compared with its prompt

MEASURES: Final = {  # by stable name: (unit, label for people)
    "in_tune": ("share", "tones in the tune's scale"),
    "pitches_voice_10s": ("pitches", "pitches per voice in 10 s"),
    "ioi_kinds": ("kinds", "distances between onsets per voice in 10 s"),
    "new_figures": ("share", "figures of 4 notes that are new"),
    "longest_loop_bars": ("bars", "longest exact repetition"),
    "loop_times": ("times", "times in a row that a passage is played"),
    "loop_share": ("share", "notes repeated at the best distance"),
    "voices_lost": ("share", "voices without a note after 20 s"),
    "onsets_per_s": ("1/s", "note onsets per second"),
    "gate_changes_per_s": ("1/s", "gate changes per second"),
    "register_changes_per_s": ("1/s", "register changes per second"),
    "bar_notes": ("share", "notes repeated at the bar"),
    "bar_rhythm": ("share", "rhythm repeated at the bar"),
    "dies": ("share", "dies: 2 s silent or still"),
    "part_copied_from_training": ("frames", "voice copied from training tunes"),
    "part_copied_from_prompt": ("frames", "voice copied from the prompt"),
    "copied_from_training": ("frames", "frames copied from training tunes"),
    "copied_from_prompt": ("frames", "frames copied from the prompt"),
}

COPIES: Final = {"": longest_copies, "part_": longest_voice_copies}  # by the prefix of their measures' names


@dataclass(frozen=True)
class Prompt:
    """A stretch of a tune: frames ``start`` to ``prompt_end`` are the prompt, those up to ``end`` come after it."""

    tune: CorpusTune
    start: int
    prompt_end: int
    end: int


@dataclass(frozen=True)
class Continuation:
    """A prompt and its two continuations, ``uint8[T, 28]`` each, of equal length."""

    prompt: Prompt
    generated: Frames
    real: Frames


MannerOf = Callable[[CorpusTune, Frames, int], Manner]  # how to continue a prompt: its tune, its frames, its lane


@dataclass(frozen=True)
class Summary:
    """One measure over all prompts."""

    mean: float
    low: float  # lower end of the mean's 95 % confidence interval over prompts
    high: float  # upper end
    most: float  # largest value
    count: int  # prompts that have a value


def choose_prompts(
    corpus: Corpus,
    count: int = PROMPTS,
    heard: int = PROMPT_FRAMES,
    seconds: float = SECONDS,
    split: str = "held-out",
    seed: int = 0,
) -> list[Prompt]:
    """Choose ``count`` prompts of ``heard`` frames, each followed by ``seconds`` of its tune.

    The choice from a corpus depends on ``seed`` alone. Composers take turns, and no tune is used twice before each tune
    has been used once.
    Raises ModelError if no tune of the split is long enough.
    """
    fitting = fitting_tunes(corpus, split, heard, seconds)
    if not fitting:
        raise ModelError(f"no {split} tune of the corpus has {heard} frames and {seconds:g} s after them: ask for less")
    rng = np.random.default_rng(seed)
    chosen: list[Prompt] = []
    while len(chosen) < count:
        for number in _composers_in_turn(fitting, rng)[: count - len(chosen)]:
            tune = fitting[number]
            made = _frames(tune, seconds)
            start = int(rng.integers(tune.length - heard - made + 1))
            chosen.append(Prompt(tune, start, start + heard, start + heard + made))
    return chosen


def fitting_tunes(corpus: Corpus, split: str, heard: int, seconds: float) -> list[CorpusTune]:
    """Return the tunes of a split that have ``heard`` frames and ``seconds`` after them."""
    return [tune for tune in tunes_of(corpus, split) if tune.length >= heard + _frames(tune, seconds)]


def continue_prompts(
    engine: Engine,
    corpus: Corpus,
    prompts: Sequence[Prompt],
    manner_of: MannerOf,
    composer: "ComposerLike | None" = None,
) -> Iterator[Continuation]:
    """Continue each prompt with the engine and yield the continuations. Each has random numbers (a lane) of its own.

    ``composer``: writes the notes ahead; None: there is no plan.
    """
    for lane, prompt in enumerate(prompts):
        frames = corpus.frames(prompt.tune)
        heard, count = frames[prompt.start : prompt.prompt_end], prompt.end - prompt.prompt_end
        made = _continued(engine, heard, count, manner_of(prompt.tune, heard, lane), composer)
        yield Continuation(prompt, made, frames[prompt.prompt_end : prompt.end])


def _continued(engine: Engine, heard: Frames, count: int, manner: Manner, composer: "ComposerLike | None") -> Frames:
    """Let the engine hear a prompt and return ``count`` frames after it."""
    engine.reset(pin=engine.pinnable)
    engine.prefill(heard)
    rows = continuation(engine, heard, manner.sampling, composer, manner.plan, manner.constraints)
    return np.stack(list(islice(rows, count)))


def compare(
    corpus: Corpus, continued: Sequence[Continuation]
) -> tuple[dict[str, NDArray[np.float64]], dict[str, NDArray[np.float64]]]:
    """Return all MEASURES of the generated and of the real continuations, ``float64[prompts]`` each; nan for no value.

    Copies are searched for in the prompt and in the corpus's training tunes, except tunes that prompts come from.
    """
    figures: list[list[dict[str, float]]] = [[], []]
    for one in continued:
        frames = corpus.frames(one.prompt.tune)
        heard = frames[one.prompt.start : one.prompt.prompt_end]
        character = character_of(frames, one.prompt.tune.rate_hz)
        for kind, piece in enumerate((one.generated, one.real)):
            own = measure(piece, heard, character)
            own |= form_of(piece, heard, one.prompt.tune.rate_hz, character.bar_frames)
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
    """Summarise a measure's values ``float64[prompts]`` without nan; None if all are nan."""
    values = values[~np.isnan(values)]
    if not len(values):
        return None
    low, high = interval(values)
    return Summary(float(values.mean()), low, high, float(values.max()), len(values))


def criticise(corpus: Corpus, continued: Sequence[Continuation]) -> dict[str, float | None]:
    """Return the critic's AUC for real against generated continuations, by name; 0.5 if it sees no difference.

    ``auc``: of the registers alone; ``auc_prompt``: of the registers beside the prompt's; ``auc_notes``: of the notes
    beside the prompt's. Names that end in ``_control``: for the real continuations against what follows other places of
    the same tunes, later or earlier ones; None if too few tunes are long enough.
    """
    sides: list[list[Passage]] = [[], [], []]
    for one in continued:
        tune, prompt = one.prompt.tune, one.prompt
        frames, size = corpus.frames(tune), len(one.real)
        heard = frames[prompt.start : prompt.prompt_end]
        pieces = [(heard, one.real), (heard, one.generated)]
        for begin in (prompt.end, prompt.start - size):
            if begin >= len(heard) and begin + size <= tune.length:
                pieces.append((frames[begin - len(heard) : begin], frames[begin : begin + size]))
                break
        for side, (before, piece) in zip(sides, pieces, strict=False):
            side.append(Passage(before, piece, tune.author, tune.rate_hz))
    real, generated, other = sides
    figures: dict[str, float | None] = {}
    views: tuple[tuple[str, Hears], ...] = (("auc", "alone"), ("auc_prompt", "prompt"), ("auc_notes", "notes"))
    for name, hears in views:
        figures[name] = auc(real, generated, hears)
        try:
            figures[f"{name}_control"] = auc(real, other, hears)
        except ModelError:
            figures[f"{name}_control"] = None
    return figures


def play_long(
    engine: Engine,
    corpus: Corpus,
    prompt: Prompt,
    manner_of: MannerOf,
    lane: int,
    seconds: float,
    composer: "ComposerLike | None" = None,
) -> dict[str, float]:
    """Continue a prompt for ``seconds``; return measures of the last minute, and the loops of the run, by name.

    ``onsets_ratio``: note onsets per second relative to the prompt. ``voices_lost``: share of the voices with notes in
    the prompt that have none in the last minute. nan if there is nothing to measure.
    """
    tune = prompt.tune
    frames = corpus.frames(tune)
    heard, character = frames[prompt.start : prompt.prompt_end], character_of(frames, tune.rate_hz)
    made = _continued(engine, heard, _frames(tune, seconds), manner_of(tune, heard, lane), composer)
    last = made[-_frames(tune, LAST_S) :]
    before, played, after = notes_of(heard), notes_of(made), notes_of(last)
    times, share = loops(played, tune.rate_hz, len(made))
    rate = sum(len(notes.starts) for notes in before) / len(heard)
    lost, had = lost_voices(before, after, tune.rate_hz, since_s=0.0)
    return {
        "onsets_ratio": sum(len(notes.starts) for notes in after) / len(last) / rate if rate else float("nan"),
        "in_tune": in_tune(last, character.scale),
        "voices_lost": lost / had if had else float("nan"),
        "longest_loop_bars": longest_loop(played, character.bar_frames, len(made)),
        "loop_times": times,
        "loop_share": share,
    }


def _composers_in_turn(tunes: Sequence[CorpusTune], rng: np.random.Generator) -> list[int]:
    """Return the indices of all tunes: a random tune of each composer, then a second one of each, and so on."""
    turns: dict[str, int] = {}
    order: list[tuple[int, int, int]] = []
    for number in rng.permutation(len(tunes)):
        composer = tunes[number].author
        order.append((turns.get(composer, 0), len(order), int(number)))
        turns[composer] = turns.get(composer, 0) + 1
    return [number for _, _, number in sorted(order)]


def _frames(tune: CorpusTune, seconds: float) -> int:
    """Return the number of frames, at least 1, in ``seconds`` of a tune."""
    return max(1, round(seconds * tune.rate_hz))
