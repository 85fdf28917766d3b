"""``sidlive render``: write the sound of a tune or of frames to a .wav file."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sidlive.commands.music import LONGEST_S, Music, music_arguments, open_music, seconds

if TYPE_CHECKING:
    from sidlive.chip.sid import Samples

RENDER_S = 60.0  # of a tune, which says nothing of its length


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``render`` to the command line."""
    render = subparsers.add_parser("render", help="write a tune's sound to a .wav file")
    music_arguments(render)
    render.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.wav")
    render.add_argument("--seconds", type=seconds, metavar="S", help=f"how much (default {RENDER_S:g}; frames: all)")
    render.add_argument("--json", action="store_true", help="one JSON object on stdout")
    render.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    from time import perf_counter

    import numpy as np

    from sidlive.chip.sid import SAMPLE_RATE
    from sidlive.chip.wav import WavFile
    from sidlive.errors import DeviceError, TuneError
    from sidlive.report import Result, bar_of_progress, emit
    from sidlive.tune.formats import holds_frames
    from sidlive.tune.shipped import locate

    if args.output.suffix.lower() != ".wav" and not args.output.is_char_device():
        raise DeviceError(f"{args.output}: expected a name that ends in .wav")
    seconds = args.seconds or (None if holds_frames(locate(args.music)) else RENDER_S)
    music = open_music(args, seconds)
    assert music.count is not None
    most = round(LONGEST_S * SAMPLE_RATE) if seconds is None else round(seconds * SAMPLE_RATE)
    peak, begin, fault = 0, perf_counter(), None
    with WavFile(args.output) as file, bar_of_progress() as bar:
        task = bar.add_task("rendering", total=music.count)
        try:
            for block in _sounds(music):
                block = block[: most - file.samples]
                peak = max(peak, int(np.abs(block.astype(np.int32)).max(initial=0)))
                file.write(block)
                bar.advance(task)
        except TuneError as error:
            if not file.samples:
                raise
            fault = error
    elapsed_s = perf_counter() - begin
    made_s = file.samples / SAMPLE_RATE
    results = [
        Result("title", music.title),
        Result("seconds", round(made_s, 3), "s"),
        Result("samples", file.samples),
        Result("sample_rate", SAMPLE_RATE, "Hz"),
        Result("peak", round(peak / 32768, 4)),
        Result("chip", music.chip),
        Result("timing", music.timing.name),
        Result("realtime_x.render", round(made_s / elapsed_s, 2), "x"),
    ]
    emit(results, args.json, args.output.name)
    if fault is not None:
        raise TuneError(f"{fault}; the {made_s:.1f} s before it are in {args.output}")


def _sounds(music: Music) -> Iterator["Samples"]:
    """The sound of music, frame by frame, from a chip at rest."""
    from sidlive.chip.sid import Sid, WriteSpan, sample_at

    sid = None
    for index, frame in enumerate(music.frames):
        if isinstance(frame, WriteSpan):
            sid = sid or Sid(music.chip, music.timing)
            yield sid.perform(frame)
        else:
            sid = sid or Sid(music.chip, music.timing, control_first=music.control_first, rest=frame)
            yield sid.play(frame, sample_at(index + 1, music.rate_hz) - sample_at(index, music.rate_hz))
