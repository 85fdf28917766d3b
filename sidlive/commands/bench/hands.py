"""``sidlive bench hands``: how soon do controls follow knobs, what does a flood cost, do frames reach a real SID?"""

import argparse

from sidlive.commands.arguments import add_json_option, add_room_options, room_options


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``hands`` to the benchmarks of the command line."""
    hands = subparsers.add_parser(
        "hands",
        help="how soon controls follow knobs, what a flood of MIDI costs, whether frames reach a real SID over ASID",
        description="Play music beside a JACK server that is started here, and turn the knob of a controller in a "
        "process of its own: how soon the control follows. Send a thousand changes a second beside a MIDI clock: what "
        "share of a core that takes, how many changes the take's log keeps. Send frames over ASID: whether each "
        "arrives as it was played, and how even they are in time.",
    )
    add_room_options(hands)
    hands.add_argument("--seconds", type=float, default=60, metavar="S", help="seconds of each figure (default: 60)")
    hands.add_argument("--only", choices=("knob", "flood", "asid", "keys", "edits"), help="one figure (default: all)")
    hands.add_argument("--seed", type=int, default=1, help="which future the model generates (default: 1)")
    add_json_option(hands)
    hands.set_defaults(run=run, device="null", midi="none")


def run(arguments: argparse.Namespace) -> int:
    """Measure and report. Raises ControlError and DeviceError."""
    import math
    import tempfile
    from dataclasses import replace
    from pathlib import Path

    from sidlive.bench.hands import hands
    from sidlive.errors import ControlError
    from sidlive.report import emit, spinner

    if not 5 <= arguments.seconds < math.inf:
        raise ControlError(f"--seconds expects 5 or more, found {arguments.seconds:g}")
    with spinner(silent=arguments.json) as report_progress, tempfile.TemporaryDirectory() as folder:
        options = replace(room_options(arguments), takes=Path(folder))
        results = hands(options, arguments.seconds, report_progress, arguments.only)
    emit(results, arguments.json, "From hands to the core, and from the core to a SID")
    return 0
