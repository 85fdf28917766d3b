"""Trials of `sidlive eval`: prompts continued with one seed under one choice of settings, and measured."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from sidlive.commands.steering import desk_with, manner_of, text_of

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray
    from rich.console import Console

    from sidlive.chip.registers import Frames
    from sidlive.commands.steering import Settings
    from sidlive.model.composer import Composer
    from sidlive.model.composer.continuation import Manner
    from sidlive.model.corpus.shards import Corpus, CorpusTune
    from sidlive.model.engine import Engine
    from sidlive.model.judging.continuations import Continuation


@dataclass(frozen=True)
class Trial:
    """What was generated with one seed under one choice of settings, and its figures."""

    settings: "Settings"  # those that differ from the defaults, or from another trial
    seed: int
    planned: bool  # whether a composer wrote the notes
    continued: "list[Continuation]"
    sides: "dict[str, dict[str, NDArray[float64]]]"  # "generated" and "real", by measure: a value for each prompt
    critic: dict[str, float | None]
    long: dict[str, list[float]]  # a value for each long run, by name


def try_out(
    engine: "Engine",
    corpus: "Corpus",
    arguments: argparse.Namespace,
    split: str,
    variants: "Sequence[Settings]",
    console: "Console",
) -> list[Trial]:
    """Continue prompts of a split under each of ``variants`` with each seed. Progress is shown on ``console``.

    Raises ModelError and ControlError.
    """
    from sidlive.chip.registers import PAL
    from sidlive.model.composer import load_composer
    from sidlive.model.weights import composer_path

    for settings in variants:
        desk_with(settings, 0, PAL)  # settings that exclude each other are said before anything is generated
    notes_from = composer_path(arguments.model) if any(one.get("compose", 1) for one in variants) else None
    composer = load_composer(notes_from) if notes_from else None
    several = len(variants) * len(arguments.seed) > 1
    trials = []
    for settings in variants:
        for seed in arguments.seed:
            name = ", ".join([*(f"{key} {text_of(value)}" for key, value in settings.items()), f"seed {seed}"])
            notes = composer if settings.get("compose", 1) else None
            label = f"{name}: " if several else ""
            trials.append(_trial(engine, corpus, arguments, split, settings, seed, notes, label, console))
    return trials


def _trial(
    engine: "Engine",
    corpus: "Corpus",
    arguments: argparse.Namespace,
    split: str,
    settings: "Settings",
    seed: int,
    composer: "Composer | None",
    label: str,
    console: "Console",
) -> Trial:
    """Continue prompts with one seed under one choice of settings, and measure the result beside the real music."""
    from rich.progress import track

    from sidlive.chip.registers import timing_named
    from sidlive.errors import ModelError
    from sidlive.model.judging import continuations
    from sidlive.model.judging.continuations import choose_prompts, compare, continue_prompts, criticise
    from sidlive.report import warn
    from sidlive.tune.beat import beat_of

    def manner(tune: "CorpusTune", heard: "Frames", lane: int) -> "Manner":
        desk = desk_with(settings, seed, timing_named(tune.clock))
        return manner_of(desk, heard, beat_of(heard, tune.rate_hz), lane)

    prompts = choose_prompts(corpus, arguments.generate, arguments.prompt_frames, arguments.seconds, split, seed)
    going_on = continue_prompts(engine, corpus, prompts, manner, composer)
    continued = list(track(going_on, f"{label}continuing", total=len(prompts), transient=True, console=console))
    with console.status(f"{label}measuring"):
        sides = dict(zip(("generated", "real"), compare(corpus, continued), strict=True))
    critic: dict[str, float | None] = {}
    try:
        with console.status(f"{label}training the critic"):
            critic = criticise(corpus, continued)
    except ModelError as error:
        warn(f"{label}no critic: {error}")
    long: dict[str, list[float]] = {}
    words = f"{label}continuing for ten minutes"
    for lane, prompt in track(
        list(enumerate(prompts[: arguments.long])), words, transient=True, console=console, disable=not arguments.long
    ):
        run = continuations.play_long(engine, corpus, prompt, manner, lane, continuations.LONG_S, composer)
        for name, value in run.items():
            long.setdefault(name, []).append(value)
    return Trial(settings, seed, composer is not None, continued, sides, critic, long)


def draw_rolls_of(folder: Path, corpus: "Corpus", trials: Sequence[Trial]) -> None:
    """Draw an .svg file for each prompt: piano rolls of the prompt, the real and the generated continuations."""
    from sidlive.model.judging.rolls import draw_rolls
    from sidlive.picture import save
    from sidlive.writing import make_folder

    make_folder(folder)
    seeds = [list(group) for _, group in groupby(sorted(trials, key=lambda one: one.seed), lambda one: one.seed)]
    for same in seeds:
        stem = f"seed{same[0].seed}-" if len(seeds) > 1 else ""
        for number, one in enumerate(same[0].continued, 1):
            prompt, tune = one.prompt, one.prompt.tune
            pieces = [("prompt", corpus.frames(tune)[prompt.start : prompt.prompt_end]), ("real", one.real)]
            for trial in same:
                under = ", ".join(f"{key} {text_of(value)}" for key, value in trial.settings.items())
                name = f"generated, {under}" if len(same) > 1 else "generated"
                pieces.append((name, trial.continued[number - 1].generated))
            title = f"{tune.title or tune.path} - {tune.author}"
            save(folder / f"{stem}{number:02d}.svg", draw_rolls(title, pieces, tune.rate_hz))
