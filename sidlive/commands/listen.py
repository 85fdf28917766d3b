"""``sidlive play``, ``render`` and ``doctor``: what a tune sounds like, and whether sound works here."""

import argparse
import contextlib
import itertools
import math
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sidlive.chip.registers import VideoTiming
    from sidlive.chip.sid import Row, Samples, Stretch
    from sidlive.live.sound.renderer import Renderer
    from sidlive.tune.capture.recorder import Recorder

RENDER_S = 60.0  # of a tune, which says nothing of its length
LONGEST_S = 86_400.0  # a day


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]", top: argparse.ArgumentParser) -> None:
    """Add this group's commands."""
    play = subparsers.add_parser("play", help="play a tune on the sound device")
    _music_arguments(play)
    play.add_argument("--seconds", type=_seconds, metavar="S", help="stop after S seconds (default: at Ctrl-C)")
    play.add_argument("--device", metavar="NAME", help="where the sound goes: part of a device's name, or null")
    play.add_argument("--json", action="store_true", help="one JSON object on stdout at the end")
    play.set_defaults(run=_play)

    render = subparsers.add_parser("render", help="write a tune's sound to a .wav file")
    _music_arguments(render)
    render.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.wav")
    render.add_argument("--seconds", type=_seconds, metavar="S", help=f"how much (default {RENDER_S:g}; frames: all)")
    render.add_argument("--json", action="store_true", help="one JSON object on stdout")
    render.set_defaults(run=_render)

    doctor = subparsers.add_parser("doctor", help="tell what works here, and what to do about what does not")
    doctor.add_argument("--json", action="store_true", help="one JSON object on stdout")
    doctor.set_defaults(run=_doctor)


def _music_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "music",
        type=Path,
        metavar="TUNE.sid|.prg|FRAMES|NAME",
        help="a tune, frames, or the name of a fragment that comes with sidlive",
    )
    parser.add_argument("--song", type=int, help="song, from 1 (the file's start song by default)")
    parser.add_argument("--chip", choices=("6581", "8580"), help="the chip (default: the one the file names)")


def _seconds(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 < (value := float(text)) <= LONGEST_S:
            return value
    raise argparse.ArgumentTypeError(f"expected seconds, above 0 and at most {LONGEST_S:g}; found {text!r}")


@dataclass(frozen=True)
class Music:
    """What is to be heard, a frame at a time, and how: ``count`` of them, None for a tune that goes on.

    Of a tune a frame is a video frame, with all that its code writes in it; else a row of frames.
    """

    title: str
    frames: Iterator["Row | Stretch"]
    count: int | None
    rate_hz: float
    chip: str
    timing: "VideoTiming"
    control_first: bool = False  # how rows are written


def _open(args: argparse.Namespace, seconds: float | None) -> Music:
    """The music that is asked for. Raises TuneError."""
    from sidlive.report import warn
    from sidlive.tune import files
    from sidlive.tune.capture.write_order import control_first_from_meta
    from sidlive.tune.formats import holds_frames
    from sidlive.tune.fragment import standard_of
    from sidlive.tune.shipped import locate

    path = locate(args.music)
    if holds_frames(path):
        frames, rate_hz, meta = files.read_frames(path, args.song)
        limit = len(frames) if seconds is None else min(len(frames), math.ceil(seconds * rate_hz))
        timing = standard_of(meta, rate_hz)
        chip = args.chip or ("8580" if meta.get("chip") == "8580" else "6581")
        title, rows = meta.get("title") or path.name, iter(frames[:limit])
        return Music(title, rows, limit, rate_hz, chip, timing, control_first_from_meta(meta))
    recorder = files.open_song(path, args.song)
    tune = recorder.tune
    for oddity in tune.oddities:
        warn(f"{path.name}: {oddity}")
    title = " - ".join(text for text in (tune.name, tune.author) if text) or path.name
    if tune.songs > 1:
        title += f" (song {recorder.song} of {tune.songs})"
    if tune.sids > 1:
        warn(f"{path.name} plays {tune.sids} SIDs; the first one's part is heard")
    rate_hz = tune.timing.rate_hz
    count = None if seconds is None else math.ceil(seconds * rate_hz)
    played = itertools.islice(_performed(recorder, path), count)
    return Music(title, played, count, rate_hz, args.chip or tune.chip, tune.timing)


def _performed(recorder: "Recorder", path: Path) -> Iterator["Stretch"]:
    """What a song's code writes, for ever."""
    from sidlive.errors import TuneError
    from sidlive.tune.capture.performance import perform

    try:
        yield from perform(recorder)
    except TuneError as error:
        raise TuneError(f"{path}: {error}") from None


def _play(args: argparse.Namespace) -> None:
    from sidlive.errors import TuneError
    from sidlive.live.sound.audio import open_output, quiet_stderr
    from sidlive.live.sound.device_minder import DeviceMinder
    from sidlive.live.sound.renderer import Renderer
    from sidlive.report import Result, emit

    music = _open(args, args.seconds)
    output = open_output(args.device)
    troubles: list[TuneError] = []

    def source() -> "Row | Stretch | None":
        try:
            return next(music.frames, None)
        except TuneError as error:  # the tune's own code failed: there is no more music
            troubles.append(error)
            return None

    told = Display(music, quiet=args.json)
    renderer = Renderer(
        source, output, music.chip, music.timing, music.rate_hz,
        report=told.say, order=lambda: music.control_first, begins=lambda: renderer.frames == 1,
    )  # fmt: skip
    minder = DeviceMinder(renderer, args.device, lambda text, _level: told.say(text))
    if output.notice:
        told.say(output.notice)
    with quiet_stderr():  # drivers print in the middle of the line
        try:
            renderer.start()
            minder.start()
            told.say(f"{music.title}: {music.chip}, {music.timing.name}, on {output.name}")
            while not renderer.ended.wait(0.1):
                told.position(renderer)
        except KeyboardInterrupt:
            pass
        finally:
            minder.close()
            renderer.close()
    seconds = renderer.frames / music.rate_hz
    told.say(f"played {_clock(seconds)} on {renderer.output.name}, {renderer.underruns} underruns")
    if troubles:
        raise troubles[0]
    if args.json:
        results = [
            Result("play.seconds", round(seconds, 2), "s"),
            Result("play.underruns", renderer.underruns),
            Result("play.latency_ms", round(renderer.latency_ms, 1), "ms"),
            Result("play.output", renderer.output.name),
            Result("play.chip", renderer.chip),
        ]
        emit(results, True)


class Display:
    """What a listener reads: lines, and on a terminal one that says where the music is."""

    def __init__(self, music: Music, quiet: bool) -> None:
        self._music = music
        self._quiet = quiet
        self._moving = False  # the cursor stands in the position line

    def say(self, text: str) -> None:
        """A line of its own (any thread)."""
        from sidlive.report import plain

        if not self._quiet:
            print("\r\x1b[K" * self._moving + plain(text), flush=True)
            self._moving = False

    def position(self, renderer: "Renderer") -> None:
        """Where the music is; nothing where the output is no terminal."""
        if self._quiet or not sys.stdout.isatty():
            return
        heard = max(0.0, renderer.frames / self._music.rate_hz - renderer.latency_ms / 1000)
        whole = "" if self._music.count is None else f" / {_clock(self._music.count / self._music.rate_hz)}"
        gaps = f"  {renderer.underruns} underruns" if renderer.underruns else ""
        text = f"{_clock(heard)}{whole}{gaps}  Ctrl-C stops"
        print(f"\r\x1b[K{text[: shutil.get_terminal_size().columns - 1]}", end="", flush=True)
        self._moving = True


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _render(args: argparse.Namespace) -> None:
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
    music = _open(args, seconds)
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
    from sidlive.chip.sid import Sid, Stretch, sample_at

    sid = None
    for index, frame in enumerate(music.frames):
        if isinstance(frame, Stretch):
            sid = sid or Sid(music.chip, music.timing)
            yield sid.perform(frame)
        else:
            sid = sid or Sid(music.chip, music.timing, control_first=music.control_first, rest=frame)
            yield sid.play(frame, sample_at(index + 1, music.rate_hz) - sample_at(index, music.rate_hz))


def _doctor(args: argparse.Namespace) -> int:
    from sidlive.commands.checkup import examine, ready, show

    findings = examine()
    show(findings, args.json)
    return 0 if ready(findings) else 1
