"""``sidlive generate``: continue a tune, and write the result as frames, as sound or as a .sid file."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from sidlive.commands.arguments import (
    add_json_option,
    add_label_options,
    add_song_option,
    add_video_option,
    label_from,
)
from sidlive.commands.steering import add_steering_options, desk_with, manner_of, one_setting

if TYPE_CHECKING:
    from sidlive.chip.registers import Frames
    from sidlive.compiling import CompileProgress
    from sidlive.tune.compiler.sid_file import Label
    from sidlive.tune.fragment import Fragment

PROMPT_FRAMES = 1024  # default length of the prompt for a tune: 20 s, the context of the models
FRAMES = 1500  # default length of the continuation: 30 s
KINDS = (".sid", ".wav", ".npz", ".sidgpt", ".dmp")


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``generate`` to the command line."""
    generate = subparsers.add_parser(
        "generate",
        help="continue a tune",
        description="Let the model hear the beginning of a tune, and continue it. The output has the prompt, then the "
        "continuation; the ending of its name decides the format.",
    )
    generate.add_argument(
        "prompt",
        type=Path,
        metavar="PROMPT.sid|.prg|FRAMES|NAME",
        help="a tune, frames, or the name of a fragment that comes with sidlive",
    )
    generate.add_argument(
        "-o", "--output", type=Path, required=True, metavar="OUT.sid|.wav|.npz|.sidgpt|.dmp", help="file to write"
    )
    add_song_option(generate)
    generate.add_argument(
        "--prompt-frames",
        type=int,
        metavar="P",
        help=f"length of the prompt in frames (default: {PROMPT_FRAMES} of a tune, all of frames)",
    )
    generate.add_argument(
        "--frames", type=int, default=FRAMES, metavar="T", help=f"frames to generate (default: {FRAMES}, 30 s)"
    )
    add_steering_options(generate)
    generate.add_argument(
        "--seed", type=int, default=0, metavar="S", help="the same seed gives the same result (default: 0)"
    )
    add_video_option(generate, "that of the prompt")
    generate.add_argument("--model", default="pocket", help="a preset or a .safetensors file (default: pocket)")
    generate.add_argument("--continuation-only", action="store_true", help="write the continuation without the prompt")
    add_label_options(generate, "the name of the prompt, continued", "none")
    add_json_option(generate)
    generate.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Write the continuation and report figures. Raises TuneError, ModelError and ControlError."""
    from itertools import islice
    from time import perf_counter

    import numpy as np

    from sidlive.chip.c64.driver import run_machine
    from sidlive.chip.registers import PAL, timing_named
    from sidlive.compiling import compiling
    from sidlive.errors import TuneError
    from sidlive.model.composer import load_composer
    from sidlive.model.composer.continuation import continuation
    from sidlive.model.engine import load_engine
    from sidlive.model.weights import composer_path
    from sidlive.report import Result, emit, plain, progress_bar, warn
    from sidlive.tune.capture.recorder import LONGEST
    from sidlive.tune.fragment import onsets
    from sidlive.writing import expect_place

    if args.output.suffix.lower() not in KINDS:
        raise TuneError(f"{args.output}: expected a name that ends in {', '.join(KINDS)}")
    expect_place(args.output)
    for name, number in (("--prompt-frames", args.prompt_frames), ("--frames", args.frames)):
        if number is not None and not 1 <= number <= LONGEST:
            raise TuneError(f"{name} expects 1 to {LONGEST:,}, found {number}")
    settings = one_setting(args)
    desk_with(settings, args.seed, PAL)  # a value out of range is said before anything is loaded
    with progress_bar() as bar:
        task = bar.add_task("reading the prompt", total=None)

        def compile_progress(part: str) -> "CompileProgress":
            text = f"compiling the {part}, once on this machine"
            return lambda done, total: bar.update(task, description=text, completed=done, total=total)

        with compiling(run_machine, compile_progress("C64")):
            prompt = _at_standard(_prompt(args.prompt, args.song, args.prompt_frames), args.video)
        desk = desk_with(settings, args.seed, timing_named(prompt.timing))
        manner = manner_of(desk, prompt.frames, prompt.beat)
        bar.update(task, description="loading the model", total=None)
        engine = load_engine(args.model, report_progress=compile_progress("engine"))
        notes_from = composer_path(args.model) if desk.get("compose") else None
        composer = load_composer(notes_from, report_progress=compile_progress("composer")) if notes_from else None
        bar.update(task, description="hearing the prompt", total=None)
        begin = perf_counter()
        engine.prefill(prompt.frames)
        prefill_s = perf_counter() - begin
        bar.update(task, description="generating", completed=0, total=args.frames)
        generated = np.empty((args.frames, prompt.frames.shape[1]), dtype=np.uint8)
        begin = perf_counter()
        rows = continuation(engine, prompt.frames, manner.sampling, composer, manner.plan, manner.constraints)
        for number, row in enumerate(islice(rows, args.frames)):
            generated[number] = row
            bar.advance(task)
        generate_s = perf_counter() - begin
        bar.update(task, description=f"writing {plain(args.output.name)}", total=None)
        frames = generated if args.continuation_only else np.concatenate([prompt.frames, generated])
        _write(
            args.output,
            frames,
            prompt,
            label_from(args, f"{prompt.name}, continued"),
            f"{args.model}, seed {args.seed}",
        )
    for notice in desk.notices:
        warn(notice.text)
    for note in (*prompt.notes, *([f"it is silent: {prompt.why_silent}"] if prompt.why_silent else ())):
        warn(f"{prompt.source}: {note}")
    onset_rates = {
        "prompt": onsets(prompt.frames).sum() / prompt.seconds,
        "made": onsets(generated).sum() * prompt.rate_hz / len(generated),
    }
    results = [
        Result("prompt", prompt.source),
        Result("prompt_frames", len(prompt.frames), "frames"),
        Result("frames", len(generated), "frames"),
        Result("plan", composer is not None),
        Result("seconds", round(len(frames) / prompt.rate_hz, 2), "s"),
        Result("onsets_per_s.prompt", round(float(onset_rates["prompt"]), 2), "1/s"),
        Result("onsets_per_s.made", round(float(onset_rates["made"]), 2), "1/s"),
        Result("prefill_ms", round(prefill_s * 1e3, 1), "ms"),
        Result("realtime_x.generate", round(len(generated) / prompt.rate_hz / generate_s, 2), "x"),
    ]
    emit(results, args.json, args.output.name)


def _prompt(path: Path, song: int | None, count: int | None) -> "Fragment":
    """Return the first ``count`` frames of a tune (None: the default). Raises TuneError, also if it has fewer."""

    from dataclasses import replace

    from sidlive.chip.registers import PAL
    from sidlive.errors import TuneError
    from sidlive.tune.formats.kinds import holds_frames
    from sidlive.tune.loading import LATEST_S, load_fragment
    from sidlive.tune.shipped import locate

    path = locate(path)
    if count is None and not holds_frames(path):
        count = PROMPT_FRAMES
    seconds = LATEST_S if count is None else (count + 1) / PAL.rate_hz  # PAL has the fewest frames a second
    fragment = load_fragment(path, song, seconds=seconds)
    if count is not None and len(fragment.frames) < count:
        raise TuneError(f"{path} has {len(fragment.frames)} frames, not the {count} of --prompt-frames")
    return replace(fragment, frames=fragment.frames[:count])


def _at_standard(fragment: "Fragment", video: str | None) -> "Fragment":
    """Return a fragment as it plays at a video standard (None: its own), one row for each video frame."""

    from dataclasses import replace

    from sidlive.chip.registers import timing_named
    from sidlive.report import warn

    if video is None or video == fragment.timing:
        return fragment
    made, here = timing_named(fragment.timing), timing_named(video)
    warn(f"{fragment.name} was made for {made.name}, this is {here.name}: {made.heard_at(here)}")
    return replace(fragment, timing=here.name, rate_hz=fragment.rate_hz * here.rate_hz / made.rate_hz)


def _write(path: Path, frames: "Frames", prompt: "Fragment", about: "Label", made_by: str) -> None:
    """Write frames in the format of the path's ending. Raises TuneError and DeviceError."""
    from sidlive.chip.registers import timing_named
    from sidlive.tune.formats.kinds import holds_frames

    timing = timing_named(prompt.timing)
    if holds_frames(path):
        from sidlive.tune.capture.write_order import control_first_to_meta
        from sidlive.tune.formats.files import write_frames

        meta = {
            "chip": prompt.chip,
            "timing": prompt.timing,
            "source": prompt.source,
            **control_first_to_meta(prompt.control_first),
        }
        texts = {"title": about.title, "author": about.author, "released": about.release}
        meta |= {name: text for name, text in texts.items() if text}
        write_frames(path, frames, prompt.rate_hz, made_by=made_by, **meta)
    elif path.suffix.lower() == ".wav":
        from sidlive.chip.sid import render
        from sidlive.chip.wav import WavFile

        with WavFile(path) as file:
            file.write(render(frames, prompt.rate_hz, prompt.chip, timing, control_first=prompt.control_first))
    else:
        from sidlive.report import warn
        from sidlive.tune.compiler.sid_file import compile_sid, verify
        from sidlive.writing import write_file

        for note in about.notes():
            warn(note)
        sid = compile_sid(frames, about, prompt.chip, timing, control_first=prompt.control_first)
        verify(sid, frames)
        write_file(path, sid)
