"""``sidlive play``: play a tune or frames on the sound device."""

import argparse
import shutil
import sys
from typing import TYPE_CHECKING

from sidlive.commands.arguments import add_json_option, add_music_argument, add_song_option, seconds
from sidlive.commands.music import Music, add_chip_option, open_music

if TYPE_CHECKING:
    from sidlive.chip.sid import Row, WriteSpan
    from sidlive.live.sound.renderer import Renderer


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``play`` to the command line."""
    play = subparsers.add_parser("play", help="play a tune or frames")
    add_music_argument(play)
    add_song_option(play)
    add_chip_option(play)
    play.add_argument(
        "--seconds",
        type=seconds,
        metavar="S",
        help="stop after S seconds (default: at Ctrl-C, or at the end of frames)",
    )
    play.add_argument("--device", metavar="NAME", help="sound device: a part of its name, or null for none")
    add_json_option(play)
    play.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Play until the music ends, ``--seconds`` have passed or Ctrl-C is pressed. Raises TuneError if its code fails."""
    from sidlive.errors import TuneError
    from sidlive.live.sound.audio import open_output, quiet_stderr
    from sidlive.live.sound.device_minder import DeviceMinder
    from sidlive.live.sound.renderer import Renderer
    from sidlive.report import Result, emit

    music = open_music(args, args.seconds)
    output = open_output(args.device)
    failures: list[TuneError] = []

    def source() -> "Row | WriteSpan | None":
        try:
            return next(music.frames, None)
        except TuneError as error:  # the code of the tune failed: the music ends
            failures.append(error)
            return None

    display = Display(music, quiet=args.json)
    renderer = Renderer(
        source, output, music.chip, music.timing, music.rate_hz,
        report=display.say, order=lambda: music.control_first, begins=lambda: renderer.frames == 1,
    )  # fmt: skip
    minder = DeviceMinder(renderer, args.device, lambda text, _level: display.say(text))
    if output.notice:
        display.say(output.notice)
    with quiet_stderr():  # sound drivers print messages of their own
        try:
            renderer.start()
            minder.start()
            display.say(f"{music.title}: {music.chip}, {music.timing.name}, on {output.name}")
            while not renderer.ended.wait(0.1):
                display.show_position(renderer)
        except KeyboardInterrupt:
            pass
        finally:
            minder.close()
            renderer.close()
    played_s = renderer.frames / music.rate_hz
    display.say(f"played {_clock(played_s)} on {renderer.output.name}, {renderer.underruns} underruns")
    if failures:
        raise failures[0]
    if args.json:
        results = [
            Result("play.seconds", round(played_s, 2), "s"),
            Result("play.underruns", renderer.underruns),
            Result("play.latency_ms", round(renderer.latency_ms, 1), "ms"),
            Result("play.output", renderer.output.name),
            Result("play.chip", renderer.chip),
        ]
        emit(results, True)


class Display:
    """The printed lines. On a terminal the last line shows the position in the music."""

    def __init__(self, music: Music, quiet: bool) -> None:
        self._music = music
        self._quiet = quiet
        self._moving = False  # whether the cursor is in the line that shows the position

    def say(self, text: str) -> None:
        """Print a line (any thread)."""
        from sidlive.report import plain

        if not self._quiet:
            print("\r\x1b[K" * self._moving + plain(text), flush=True)
            self._moving = False

    def show_position(self, renderer: "Renderer") -> None:
        """Show the position in the music, if the output is a terminal."""
        if self._quiet or not sys.stdout.isatty():
            return
        heard_s = max(0.0, renderer.frames / self._music.rate_hz - renderer.latency_ms / 1000)
        length = "" if self._music.count is None else f" / {_clock(self._music.count / self._music.rate_hz)}"
        gaps = f"  {renderer.underruns} underruns" if renderer.underruns else ""
        text = f"{_clock(heard_s)}{length}{gaps}  Ctrl-C stops"
        print(f"\r\x1b[K{text[: shutil.get_terminal_size().columns - 1]}", end="", flush=True)
        self._moving = True


def _clock(seconds: float) -> str:
    """Return minutes and seconds, like 2:05."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
