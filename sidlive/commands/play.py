"""``sidlive play``: play a tune or frames on the sound device."""

import argparse
import shutil
import sys
import time
from typing import TYPE_CHECKING, Final

from sidlive.commands.arguments import add_json_option, add_music_argument, add_out_option, add_song_option, seconds
from sidlive.commands.music import Music, add_chip_option, open_music

if TYPE_CHECKING:
    from sidlive.chip.sid import Row, WriteSpan
    from sidlive.live.outputs.patchbay import Patchbay
    from sidlive.live.sound.audio import Output
    from sidlive.live.sound.renderer import Renderer

OPEN_S: Final = 5.0  # time for the ports of chips to open before the music begins


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
    add_out_option(play)
    add_json_option(play)
    play.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Play until the music ends, ``--seconds`` have passed or Ctrl-C is pressed. Raises TuneError if its code fails."""
    from sidlive.errors import TuneError
    from sidlive.live.outputs.chip_choice import parse_chip
    from sidlive.live.outputs.patchbay import ChipFacts, Patchbay
    from sidlive.live.sound.audio import BLOCK, open_output, quiet_stderr
    from sidlive.live.sound.device_minder import DeviceMinder
    from sidlive.live.sound.renderer import Renderer
    from sidlive.report import Result, emit

    for spec in args.out:
        parse_chip(spec)
    music = open_music(args, args.seconds)
    output = open_output(args.device, block=BLOCK)
    failures: list[TuneError] = []

    def source() -> "Row | WriteSpan | None":
        try:
            return chips.next(next(music.frames, None))
        except TuneError as error:  # the code of the tune failed: the music ends
            failures.append(error)
            return None

    display = Display(music, quiet=args.json)
    patchbay = Patchbay(display.say, lambda: ChipFacts(music.chip, music.timing, music.control_first), lambda: 0.0)
    chips = ChipFrames(patchbay, music)
    renderer = Renderer(
        source, output, music.chip, music.timing, music.rate_hz,
        report=display.say, order=lambda: music.control_first, begins=lambda: renderer.frames == 1,
        placed=chips.placed,
    )  # fmt: skip
    minder = DeviceMinder(renderer, args.device, lambda text, _level: display.say(text), block=BLOCK)
    if output.notice:
        display.say(output.notice)
    with quiet_stderr():  # sound drivers print messages of their own
        try:
            _open(patchbay, args.out)
            renderer.start()
            minder.start()
            where = " and ".join([output.name, *(repr(state) for state in patchbay.states)])
            display.say(f"{music.title}: {music.chip}, {music.timing.name}, on {where}")
            while not renderer.ended.wait(0.1):
                display.show_position(renderer)
        except KeyboardInterrupt:
            pass
        finally:
            minder.close()
            renderer.close()
            patchbay.close()
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


def _open(patchbay: "Patchbay", specs: list[str]) -> None:
    """Open the ports of chips, and wait for them a little, so that the chips play from the beginning."""
    for spec in specs:
        patchbay.connect(spec, tells=True)
    deadline = time.monotonic() + OPEN_S
    while any(state.status == "opening" for state in patchbay.states) and time.monotonic() < deadline:
        time.sleep(0.02)


class ChipFrames:
    """The frames for chips, taken on their way to the renderer. The renderer's thread."""

    def __init__(self, patchbay: "Patchbay", music: Music) -> None:
        from sidlive.live.outputs.span_rows import SpanRows
        from sidlive.live.sound.device_times import DeviceTimes

        self._patchbay, self._music = patchbay, music
        self._times, self._spans = DeviceTimes(), SpanRows(music.calls)
        self._frames: list[tuple[float, Row]] = []  # of the music under way: seconds from its beginning, and frame

    def next(self, music: "Row | WriteSpan | None") -> "Row | WriteSpan | None":
        """Note the chips' frames of the music that the renderer gets now; return that music."""
        from sidlive.chip.sid import WriteSpan

        if isinstance(music, WriteSpan):
            clock_hz = self._music.timing.clock_hz
            self._frames = [(cycle / clock_hz, row) for cycle, row in self._spans.of(music)]
        else:
            self._frames = [] if music is None else [(0.0, music)]
        return music

    def placed(self, output: "Output", position: int, count: int) -> None:
        """Give the frames that the renderer has begun to play to the chips."""
        begin_s, end_s = self._times.span(output, position, count)
        ends = [after for after, _ in self._frames[1:]] + [end_s - begin_s]
        for (after, row), until in zip(self._frames, ends, strict=True):
            self._patchbay.frame(row, begin_s + after, begin_s + until)


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
