"""``sidlive play``: play a tune or frames on the sound device."""

import argparse
import shutil
import sys
from typing import TYPE_CHECKING

from sidlive.commands.music import Music, music_arguments, open_music, seconds

if TYPE_CHECKING:
    from sidlive.chip.sid import Row, WriteSpan
    from sidlive.live.sound.renderer import Renderer


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``play`` to the command line."""
    play = subparsers.add_parser("play", help="play a tune on the sound device")
    music_arguments(play)
    play.add_argument("--seconds", type=seconds, metavar="S", help="stop after S seconds (default: at Ctrl-C)")
    play.add_argument("--device", metavar="NAME", help="where the sound goes: part of a device's name, or null")
    play.add_argument("--json", action="store_true", help="one JSON object on stdout at the end")
    play.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    from sidlive.errors import TuneError
    from sidlive.live.sound.audio import open_output, quiet_stderr
    from sidlive.live.sound.device_minder import DeviceMinder
    from sidlive.live.sound.renderer import Renderer
    from sidlive.report import Result, emit

    music = open_music(args, args.seconds)
    output = open_output(args.device)
    troubles: list[TuneError] = []

    def source() -> "Row | WriteSpan | None":
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
