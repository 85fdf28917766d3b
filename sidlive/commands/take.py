"""``sidlive take``: show what a take holds, or write it, edited, to a file."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sidlive.commands.arguments import add_json_option, add_label_options, label_from
from sidlive.commands.take_files import KINDS, expect_midi_name, expect_take_name, write_stems, write_take_file

if TYPE_CHECKING:
    from sidlive.tune.cutting import Edit

_AUTO: Final = "auto"  # --loop without a place
_MOST_EVENTS: Final = 40  # shown without --json


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``take`` to the command line."""
    take = subparsers.add_parser(
        "take",
        help="show what a take holds, or write it, edited",
        description="Show what a take holds; with -o write it, edited. Places are seconds, frames (2050f) or bars "
        "(8b); numbers below 0 count from the end. Edits are applied in the order of the options below.",
    )
    take.add_argument(
        "takes",
        nargs="+",
        metavar="TAKE",
        help="folder of a take; further takes (or tunes, frames, fragments) are spliced to it",
    )
    take.add_argument("--raw", action="store_true", help="leave out the edits that were made during the performance")
    take.add_argument(
        "--splice",
        action="append",
        default=[],
        metavar="AT",
        help="place at which the next TAKE begins (default: at the end)",
    )
    take.add_argument("--trim", metavar="FROM:TO", help="keep only this part: 3.2:41 or 8b:24b or 5: or :-2")
    take.add_argument("--silence", metavar="VOICES", help="silence these voices from beginning to end: 3 or 1,3")
    take.add_argument(
        "--loop",
        nargs="?",
        const=_AUTO,
        metavar="AT",
        help="at the end go on at AT (default: where the seam is heard least)",
    )
    take.add_argument("--fade", metavar="LENGTH", help="fade out over the last LENGTH")
    take.add_argument("-o", "--output", type=Path, metavar="OUT", help=f"file to write: {', '.join(KINDS)}")
    take.add_argument(
        "--stems", type=Path, metavar="DIR", help="folder for a .wav file of each voice; together they are the take"
    )
    take.add_argument(
        "--midi", type=Path, metavar="OUT", help=".mid file to write: notes, bends and tempo, a track for each voice"
    )
    add_label_options(take, "the output file's name", "sidlive")
    add_json_option(take, '"events" holds all events')
    take.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Show or write the take. Raises ControlError and TuneError."""
    from sidlive.errors import ControlError, TuneError
    from sidlive.live.takes.take import read_take, take_fragment
    from sidlive.report import Result, emit, plain
    from sidlive.tune.cutting import Edit, apply
    from sidlive.tune.formats.midi_file import write_midi
    from sidlive.writing import expect_folder

    expect_take_name(args.output)
    expect_midi_name(args.midi)
    if args.stems is not None:
        expect_folder(args.stems)
    first, *others = args.takes
    if len(args.splice) > len(others):
        raise ControlError(
            f"--splice says where a further take begins; found {len(args.splice)} for {len(others)} further takes"
        )
    log = read_take(Path(first))
    if not len(log.frames):
        raise TuneError(f"{first} holds no frames: expected a take's folder; sidlive replay makes them from a log")
    edits = [] if args.raw else log.edits
    for number, other in enumerate(others):
        edits.append(Edit("splice", (take_fragment(other), args.splice[number] if number < len(args.splice) else None)))
    edits += _edits_of(args)
    cut = apply(log.cut(), edits)
    results = [
        Result("take", first),
        Result("played", round(log.seconds_at(len(log.frames)), 2), "s"),
        Result("frames", len(log.frames), "frames"),
        Result("chip", log.chip),
        Result("timing", log.timing.name),
        Result("model", str(log.model.get("model", "unknown"))),
        Result("fragments", ", ".join(log.fragments()) or "none"),
        Result("events", len(log.events)),
        Result("edits", ", ".join(map(str, edits)) or "none"),
        Result("seconds", round(cut.seconds, 2), "s"),
        *([Result("speed", round(cut.speed, 4), "x")] if cut.speeds is not None else []),
        Result("ends", "at its end" if cut.loop_frame is None else f"goes on at {cut.loop_frame / cut.rate_hz:.2f} s"),
        *(Result("found", finding) for finding in cut.findings),
    ]
    events = [_event(entry, log.seconds_at(entry["frame"])) for entry in log.events]
    if args.output:
        write_take_file(args.output, cut, log.chip, log.timing, label_from(args, args.output.stem, "sidlive"))
        results.append(Result("wrote", str(args.output)))
    if args.stems is not None:
        results += [
            Result("wrote", str(path)) for path in write_stems(args.stems, Path(first).name, cut, log.chip, log.timing)
        ]
    if args.midi is not None:
        notes = write_midi(args.midi, cut, label_from(args, args.midi.stem, "sidlive").title)
        results += [Result("wrote", str(args.midi)), Result("notes", notes)]
    emit(results, args.json, Path(first).name, events=events)
    if not (args.json or args.output or args.stems or args.midi):
        for line in events[:_MOST_EVENTS] + [f"... {len(events) - _MOST_EVENTS} more (--json)"] * (
            len(events) > _MOST_EVENTS
        ):
            print(plain(line))


def _edits_of(args: argparse.Namespace) -> "list[Edit]":
    """Return the edits that the options ask for."""
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


def _event(entry: dict[str, Any], seconds: float) -> str:
    """Return a log entry as a line: its time and its call; a fragment is shown by its name."""

    def shown(value: Any) -> str:
        if isinstance(value, dict) and "verb" in value:
            return f"{value['verb']}({', '.join(map(shown, value.get('arguments', [])))})"
        if isinstance(value, list):
            return f"[{', '.join(map(shown, value))}]"
        return str(value.get("name")) if isinstance(value, dict) else repr(value)

    arguments = entry.get("arguments", [])
    listed = ", ".join(map(shown, arguments[:1] if entry["verb"] == "commit" else arguments))
    return f"{seconds:9.2f} s  {entry['verb']}({listed})"
