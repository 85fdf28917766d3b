"""``sidlive take``: what a take holds; or the take, edited, as a file."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sidlive.commands.arguments import label_arguments, label_of
from sidlive.commands.take_files import KINDS, expect_take_name, write_take_file

if TYPE_CHECKING:
    from sidlive.tune.cutting import Edit

_AUTO: Final = "auto"
_TOLD: Final = 40  # events


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``take`` to the command line."""
    take = subparsers.add_parser(
        "take",
        help="tell what a take holds, or write it edited",
        description="Tell what a take holds; with -o write it, edited. Positions are seconds, or like 2050f (frames)"
        " and 8b (bars); below 0 from the end. Edits are made in the order of the options below.",
    )
    take.add_argument("takes", nargs="+", metavar="TAKE", help="a take's folder; more, or MUSIC, are spliced on")
    take.add_argument("--raw", action="store_true", help="without the edits that its performer left")
    take.add_argument(
        "--splice", action="append", default=[], metavar="AT", help="where the next TAKE comes in (default: at the end)"
    )
    take.add_argument("--trim", metavar="FROM:TO", help="only that, 3.2:41 or 8b:24b or 5: or :-2")
    take.add_argument("--silence", metavar="VOICES", help="voices that are silent all through, 3 or 1,3")
    take.add_argument(
        "--loop", nargs="?", const=_AUTO, metavar="AT", help="when it has ended go on at AT, or at the best place"
    )
    take.add_argument("--fade", metavar="LENGTH", help="let the volume fall to nothing at the end")
    take.add_argument("-o", "--output", type=Path, metavar="OUT", help=f"write it, {', '.join(KINDS)}")
    label_arguments(take, "the output file's name", "sidlive")
    take.add_argument("--json", action="store_true", help="one JSON object on stdout, all events in it")
    take.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    from sidlive.errors import ControlError, TuneError
    from sidlive.live.take import read_take, take_fragment
    from sidlive.report import Result, emit, plain
    from sidlive.tune.cutting import Edit, apply

    expect_take_name(args.output)
    first, *others = args.takes
    if len(args.splice) > len(others):
        raise ControlError(f"--splice says where a further take comes in: found {len(args.splice)} for {len(others)}")
    log = read_take(Path(first))
    if not len(log.frames):
        raise TuneError(f"{first} holds no frames: expected a take's folder; sidlive replay makes them from a log")
    edits = [] if args.raw else log.edits
    for number, other in enumerate(others):
        edits.append(Edit("splice", (take_fragment(other), args.splice[number] if number < len(args.splice) else None)))
    edits += _asked(args)
    cut = apply(log.cut(), edits)
    results = [
        Result("take", first),
        Result("played", round(len(log.frames) / log.timing.rate_hz, 2), "s"),
        Result("frames", len(log.frames), "frames"),
        Result("chip", log.chip),
        Result("timing", log.timing.name),
        Result("model", str(log.model.get("model", "unknown"))),
        Result("fragments", ", ".join(log.fragments()) or "none"),
        Result("events", len(log.events)),
        Result("edits", ", ".join(map(str, edits)) or "none"),
        Result("seconds", round(cut.seconds, 2), "s"),
        Result("ends", "at its end" if cut.loop_frame is None else f"goes on at {cut.loop_frame / cut.rate_hz:.2f} s"),
        *(Result("found", finding) for finding in cut.findings),
    ]
    events = [_event(entry, log.timing.rate_hz) for entry in log.events]
    if args.output:
        write_take_file(args.output, cut, log.chip, log.timing, label_of(args, args.output.stem, "sidlive"))
        results.append(Result("wrote", str(args.output)))
    emit(results, args.json, Path(first).name, events=events)
    if not (args.json or args.output):
        for line in events[:_TOLD] + [f"... {len(events) - _TOLD} more (--json)"] * (len(events) > _TOLD):
            print(plain(line))


def _asked(args: argparse.Namespace) -> "list[Edit]":
    """The edits that the options ask for."""
    from sidlive.live.controls import parse_voices
    from sidlive.tune.cutting import Edit

    edits = []
    if args.trim is not None:
        start, colon, stop = args.trim.partition(":")
        edits.append(Edit("trim", (start or 0, (stop or None) if colon else None)))
    if args.silence is not None:
        edits.append(Edit("silence", tuple(voice + 1 for voice in sorted(parse_voices(args.silence)))))
    if args.loop is not None:
        edits.append(Edit("loop", (None if args.loop == _AUTO else args.loop,)))
    if args.fade is not None:
        edits.append(Edit("fade", (args.fade,)))
    return edits


def _event(entry: dict[str, Any], rate_hz: float) -> str:
    """One event for people; of fragments the names."""

    def told(value: Any) -> str:
        if isinstance(value, dict) and "verb" in value:
            return f"{value['verb']}({', '.join(map(told, value.get('arguments', [])))})"
        if isinstance(value, list):
            return f"[{', '.join(map(told, value))}]"
        return str(value.get("name")) if isinstance(value, dict) else repr(value)

    arguments = entry.get("arguments", [])
    shown = ", ".join(map(told, arguments[:1] if entry["verb"] == "commit" else arguments))
    return f"{entry['frame'] / rate_hz:9.2f} s  {entry['verb']}({shown})"
