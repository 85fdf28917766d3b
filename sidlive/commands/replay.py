"""``sidlive replay``: make a take's frames again from its log, and compare."""

import argparse
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sidlive.commands.take_files import KINDS, expect_take_name, write_take_file

if TYPE_CHECKING:
    from sidlive.live.take import TakeLog
    from sidlive.tune.compiler.sid_file import Label
    from sidlive.tune.cutting import Cut


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``replay`` to the command line."""
    again = subparsers.add_parser("replay", help="make a take's frames again from its log, and compare")
    again.add_argument("take", type=Path, metavar="TAKE", help="a take's folder, or the .jsonl beside a committed file")
    again.add_argument("--model", help="another model than the log says")
    again.add_argument("-o", "--output", type=Path, metavar="OUT", help=f"write it as edited, {', '.join(KINDS)}")
    again.add_argument("--json", action="store_true", help="one JSON object on stdout")
    again.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from dataclasses import replace
    from time import perf_counter

    from sidlive.errors import ModelError
    from sidlive.live.options import RoomOptions, make_engine, model_digest
    from sidlive.live.replay import difference, replay
    from sidlive.live.take import read_take
    from sidlive.report import Result, bar_of_progress, emit, warn
    from sidlive.tune.compiler.sid_file import Label
    from sidlive.tune.cutting import apply

    expect_take_name(args.output)
    log = read_take(args.take)
    options = RoomOptions(model=args.model or str(log.model.get("model", "")))
    if not options.model:
        raise ModelError(f"{args.take} does not say which model played: name one with --model")
    with bar_of_progress() as bar:
        task = bar.add_task("loading the model", total=len(log.frames) or None)
        engine = make_engine(options, lambda what: bar.update(task, description=what))
        bar.update(task, description="playing again")
        begin = perf_counter()
        made = replay(log, engine, lambda count: bar.update(task, completed=count))
        took_s = perf_counter() - begin
    differs, commits = difference(made, log.frames), _commits(log, made)
    compared = min(len(made), len(log.frames))
    seconds = len(made) / log.timing.rate_hz
    results = [
        Result("take", str(args.take)),
        Result("frames", len(made), "frames"),
        Result("seconds", round(seconds, 2), "s"),
        *([Result("same", differs is None)] if compared else []),
        *(Result(f"commit.{name}", same) for name, same in commits),
        Result("realtime_x.replay", round(seconds / max(took_s, 1e-9), 2), "x"),
    ]
    emit(results, args.json, args.take.name)
    other_model = model_digest(options) != log.model.get("digest")
    if differs:
        frame, how = differs
        why = f"the log was made with {log.model.get('model')} of other weights" if other_model else _elsewhere(log)
        warn(f"frame {frame} ({frame / log.timing.rate_hz:.2f} s) differs: {how}; {why}")
    elif compared < len(log.frames):
        warn(f"the log ends before the take: {len(log.frames)} frames were played")
    elif not len(log.frames) and not commits:
        warn("there are no frames beside the log to compare with")
    if args.output:
        events = [event for event in log.events if event["verb"] == "commit"]
        last = events[-1] if events and not len(log.frames) else None
        usual = Label(args.output.stem, "sidlive")
        if last is not None:
            write_take_file(
                args.output, _committed(log, made, last), log.chip, log.timing, _committed_label(last, usual)
            )
        else:
            write_take_file(args.output, apply(replace(log, frames=made).cut(), log.edits), log.chip, log.timing, usual)
    return int(differs is not None or not all(same for _, same in commits))


def _elsewhere(log: "TakeLog") -> str:
    """What may make the same model say something else."""
    from sidlive import __version__
    from sidlive.report import machine

    then, now = dict(log.header.get("machine", {})), machine()
    for what in ("processor", "system", "python"):
        if what in then and then[what] != now[what]:
            return f"it was made on another {what}, {then[what]}, and numbers may be rounded otherwise here"
    return f"it was made by sidlive {log.header.get('sidlive')}, this is {__version__}"


def _committed(log: "TakeLog", made: Any, event: dict[str, Any]) -> "Cut":
    """What a commit of the log made of the frames."""
    from dataclasses import replace

    from sidlive.tune.cutting import apply, edits_from

    _, count, entries, *_ = event["arguments"]
    before = replace(log, entries=log.entries[: log.entries.index(event)], frames=made[: int(count)])
    return apply(before.cut(), edits_from(entries))


def _committed_label(event: dict[str, Any], usual: "Label") -> "Label":
    """What the committed file said about itself; ``usual`` in a log that does not say."""
    from sidlive.tune.compiler.sid_file import label_of

    told = event["arguments"][4] if len(event["arguments"]) > 4 else {}
    return label_of(told.get("title"), told.get("author"), told.get("release"), *astuple(usual))


def _commits(log: "TakeLog", made: Any) -> list[tuple[str, bool]]:
    """The commits of the log whose frames were made again: the name, and whether they are the same."""
    import hashlib

    events = [event for event in log.events if event["verb"] == "commit" and event["arguments"][1] <= len(made)]
    digests = [hashlib.sha256(_committed(log, made, event).frames.tobytes()).hexdigest() for event in events]
    return [
        (str(event["arguments"][0]), digest == event["arguments"][3])
        for event, digest in zip(events, digests, strict=True)
    ]
