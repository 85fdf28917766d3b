"""``sidlive render``: write the sound of a tune or of frames to a .wav file."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sidlive.commands.arguments import LONGEST_S, add_json_option, add_music_argument, add_song_option, seconds
from sidlive.commands.music import Music, add_chip_option, open_music

if TYPE_CHECKING:
    from sidlive.chip.sid import Samples

RENDER_S = 60.0  # default length for a tune: a .sid file does not say how long it is


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``render`` to the command line."""
    render = subparsers.add_parser("render", help="write the sound of a tune or of frames to a .wav file")
    add_music_argument(render)
    add_song_option(render)
    add_chip_option(render)
    render.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.wav", help="file to write")
    render.add_argument(
        "--seconds", type=seconds, metavar="S", help=f"length (default: {RENDER_S:g} of a tune, all of frames)"
    )
    add_json_option(render)
    render.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Write the .wav file. If the code of a tune fails, keep the sound before that and raise TuneError."""
    from time import perf_counter

    import numpy as np

    from sidlive.chip.sid import SAMPLE_RATE
    from sidlive.chip.wav import WavFile
    from sidlive.errors import DeviceError, TuneError
    from sidlive.report import Result, emit, progress_bar
    from sidlive.tune.formats.kinds import holds_frames
    from sidlive.tune.shipped import locate

    if args.output.suffix.lower() != ".wav" and not args.output.is_char_device():
        raise DeviceError(f"{args.output}: expected a name that ends in .wav")
    seconds = args.seconds or (None if holds_frames(locate(args.music)) else RENDER_S)
    music = open_music(args, seconds)
    assert music.count is not None
    most_samples = round(LONGEST_S * SAMPLE_RATE) if seconds is None else round(seconds * SAMPLE_RATE)
    peak, begin, failure = 0, perf_counter(), None
    with WavFile(args.output) as file, progress_bar() as bar:
        task = bar.add_task("rendering", total=music.count)
        try:
            for block in _sounds(music):
                block = block[: most_samples - file.samples]
                peak = max(peak, int(np.abs(block.astype(np.int32)).max(initial=0)))
                file.write(block)
                bar.advance(task)
        except TuneError as error:
            if not file.samples:
                raise
            failure = error
    elapsed_s = perf_counter() - begin
    rendered_s = file.samples / SAMPLE_RATE
    results = [
        Result("title", music.title),
        Result("seconds", round(rendered_s, 3), "s"),
        Result("samples", file.samples),
        Result("sample_rate", SAMPLE_RATE, "Hz"),
        Result("peak", round(peak / 32768, 4)),
        Result("chip", music.chip),
        Result("timing", music.timing.name),
        Result("realtime_x.render", round(rendered_s / elapsed_s, 2), "x"),
    ]
    emit(results, args.json, args.output.name)
    if failure is not None:
        raise TuneError(f"{failure}; the {rendered_s:.1f} s before it are in {args.output}")


def _sounds(music: Music) -> Iterator["Samples"]:
    """Yield the sound of music frame by frame, int16 at 48 kHz; the chip starts at rest."""
    from sidlive.chip.sid import Sid, WriteSpan, sample_at

    sid = None
    for index, frame in enumerate(music.frames):
        if isinstance(frame, WriteSpan):
            sid = sid or Sid(music.chip, music.timing)
            yield sid.perform(frame)
        else:
            sid = sid or Sid(music.chip, music.timing, control_first=music.control_first, first_row=frame)
            yield sid.play(frame, sample_at(index + 1, music.rate_hz) - sample_at(index, music.rate_hz))
