"""``sidlive bench clock``: are bars found, do timed commands come in their frame, is the beat in time with others?"""

import argparse
from pathlib import Path

from sidlive.commands.arguments import add_json_option, add_room_options, room_options


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``clock`` to the benchmarks of the command line."""
    clock = subparsers.add_parser(
        "clock",
        help="whether bars are found, timed commands come in their frame, and the beat is in time with others",
        description="Estimate the bar of held-out tunes of a corpus from 20 s of each; compare it with the bar that "
        "the whole tune repeats at; half and double of it count as found and are counted apart. Give timed commands "
        "in real time and in virtual time, and find the frame of the take in which each is heard. Run three loops in "
        "real time beside a process that computes without end, and count the calls that came late. Follow a MIDI clock "
        "with jitter and another Ableton Link peer, and send a MIDI clock, through a JACK server that is started here.",
    )
    add_room_options(clock)
    clock.add_argument("--corpus", type=Path, metavar="DIR", help="a built corpus; without it no bars are measured")
    clock.add_argument("--tunes", type=int, default=100, metavar="N", help="tunes of the corpus (default: 100)")
    clock.add_argument("--changes", type=int, default=1000, metavar="N", help="timed commands (default: 1000); 0: none")
    clock.add_argument(
        "--loops",
        type=float,
        default=60,
        metavar="S",
        help="seconds of loops beside a busy process (default: 60)",
    )
    clock.add_argument(
        "--in-time", type=float, default=20, metavar="S",
        help="seconds of each clock that is followed or sent (default: 20; 300 for five minutes); 0: none",
    )  # fmt: skip
    clock.add_argument("--screen", action="store_true", help="draw the studio on a terminal while a clock is followed")
    clock.add_argument("--seed", type=int, default=1, help="which future the model generates (default: 1)")
    add_json_option(clock)
    clock.set_defaults(run=run, device="null", midi="none")


def run(arguments: argparse.Namespace) -> int:
    """Measure and report. Raises ControlError and ModelError."""
    import math
    import tempfile
    from dataclasses import replace

    from sidlive.bench.clock import bars, loops, timed
    from sidlive.bench.sync import sync
    from sidlive.errors import ControlError
    from sidlive.report import emit, spinner

    if (
        arguments.tunes < 1
        or arguments.changes < 0
        or not (0 <= arguments.loops < math.inf and 0 <= arguments.in_time < math.inf)
    ):
        raise ControlError("--tunes expects 1 or more, --changes, --loops and --in-time 0 or more")
    results = []
    with spinner(silent=arguments.json) as report_progress, tempfile.TemporaryDirectory() as folder:
        if arguments.corpus is not None:
            results += bars(arguments.corpus, arguments.tunes, report_progress)
        options = replace(room_options(arguments), takes=Path(folder))
        if arguments.changes:
            results += timed(options, arguments.changes, report_progress)
        if arguments.loops:
            results += loops(options, arguments.loops, report_progress)
        if arguments.in_time:
            results += sync(options, arguments.in_time, report_progress, arguments.screen)
    emit(results, arguments.json, "The bar of tunes, the frames of timed commands, and the beat of others")
    return 0
